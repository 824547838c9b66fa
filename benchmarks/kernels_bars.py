"""Time the public attention functions on one GPU beside the best peer, and say which bars hold.

    python -P benchmarks/kernels_bars.py --json result.json [--only nat_s1,flux_na]

Peers and bars are those of an H200 (torch 2.11, triton 3.6, NATTEN 0.21.7); on another card they mean nothing.
A time is the median of runs with a cold L2, launch included; small shapes are timed in a CUDA graph too, without it.
"""

import argparse
import json
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import torch

from foveate.kernels import neighborhood_attention, routed_attention

# batch, grid, heads, dim, window, dilation, stride; best peer and bar forward, the same with backward; bound forward
NEIGHBORHOOD = {
    "nat_s1": (128, (56, 56), 2, 32, 7, 1, 1, 0.951, 0.12, 4.49, 0.60, 0.049),
    "nat_s2": (128, (28, 28), 4, 32, 7, 1, 1, 0.290, 0.06, 1.01, 0.30, 0.024),
    "nat_s3": (128, (14, 14), 8, 32, 7, 1, 1, 0.098, 0.05, 0.375, 0.20, 0.012),
    "dinat_s1": (128, (56, 56), 2, 32, 7, 8, 1, 0.325, 0.15, 1.04, 0.60, 0.049),
    "k13_128": (8, (128, 128), 8, 64, 13, 1, 1, 1.435, 0.35, 5.61, 1.6, 0.126),
    "k7_256": (2, (256, 256), 8, 64, 7, 1, 1, 1.352, 0.25, 6.20, 1.2, 0.126),
    "k13d8_256": (2, (256, 256), 8, 64, 13, 8, 1, 1.814, 0.45, 5.84, 2.0, 0.126),
    "k33_256": (2, (256, 256), 8, 64, 33, 1, 1, 2.761, 1.2, 10.3, 5.0, 0.370),
    "flux_na": (1, (256, 256), 24, 128, 80, 1, 1, 18.1, 14.0, 80.6, 60.0, 6.5),
    "flux_gna": (1, (256, 256), 24, 128, 80, 1, 16, 9.85, 9.5, 45.2, 40.0, 6.5),
    "video_na": (1, (30, 48, 80), 24, 128, (18, 24, 24), 1, 1, 75.0, 55.0, 334.0, 230.0, 18.6),
    "video_gna": (1, (30, 48, 80), 24, 128, (18, 24, 24), 1, (16, 8, 8), 26.2, 26.0, 208.0, 120.0, 18.6),
}
# batch, side, heads, dim, regions, topk; best peer forward and forward+backward, whose half and third are the bars
ROUTED = {
    "bif_s1": (128, 56, 2, 32, 7, 1, 0.508, 5.17),
    "bif_s2": (128, 28, 4, 32, 7, 4, 0.587, 5.11),
    "bif_s3": (128, 14, 8, 32, 7, 16, 1.055, 3.92),
}


def milliseconds(run: Callable[[], object], seconds: float = 0.15) -> float:
    """Median of runs with a cold L2, launch included."""
    for _ in range(3):
        run()
    torch.cuda.synchronize()
    start = time.perf_counter()
    run()
    torch.cuda.synchronize()
    count = max(5, min(100, int(seconds / max(time.perf_counter() - start, 1e-5))))
    cache = torch.empty(96 * 2**20, dtype=torch.int8, device="cuda")
    times = []
    for _ in range(count):
        cache.zero_()
        first, last = torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True)
        first.record()
        run()
        last.record()
        torch.cuda.synchronize()
        times.append(first.elapsed_time(last))
    return statistics.median(times)


def in_graph(run: Callable[[], object]) -> float:
    """Median of replays of a CUDA graph: the GPU's share alone."""
    side = torch.cuda.Stream()
    with torch.cuda.stream(side):
        for _ in range(3):
            run()
    torch.cuda.synchronize()
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        run()
    return milliseconds(graph.replay)


def warm_up(seconds: float = 2.0) -> None:
    """Keep the GPU busy until its clock is up."""
    square = torch.randn(8192, 8192, device="cuda", dtype=torch.bfloat16)
    start = time.perf_counter()
    while time.perf_counter() - start < seconds:
        square @ square
        torch.cuda.synchronize()


def measure(call: Callable[..., torch.Tensor], shape: tuple[int, ...], graph: bool) -> dict[str, float]:
    """Time forward, and forward with backward, of a function of q, k and v."""
    torch.manual_seed(0)
    q, k, v, g = (torch.randn(shape, device="cuda", dtype=torch.bfloat16) for _ in range(4))
    with torch.no_grad():
        found = {"forward": milliseconds(lambda: call(q, k, v))}
        if graph:
            found["forward in a graph"] = in_graph(lambda: call(q, k, v))
    for tensor in (q, k, v):
        tensor.requires_grad_(True)

    def step() -> None:
        q.grad = k.grad = v.grad = None
        call(q, k, v).backward(g)

    found["forward+backward"] = milliseconds(step)
    torch.cuda.empty_cache()
    return found


def main() -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--only", default="")
    args = parser.parse_args()
    wanted = set(filter(None, args.only.split(","))) or {*NEIGHBORHOOD, *ROUTED}
    rows = []
    warm_up()
    for name in [n for n in (*NEIGHBORHOOD, *ROUTED) if n in wanted]:
        if name in NEIGHBORHOOD:
            batch, grid, heads, dim, window, dilation, stride, peer, bar, peer_both, bar_both, bound = NEIGHBORHOOD[
                name
            ]
            options = {"dilation": dilation, "stride": stride}

            def call(q, k, v, window=window, options=options):  # type: ignore[no-untyped-def]
                return neighborhood_attention(q, k, v, window, **options)

            shape = (batch, *grid, heads, dim)
        else:
            batch, side, heads, dim, regions, topk, peer, peer_both = ROUTED[name]
            bar, bar_both, bound = peer / 2, peer_both / 3, None

            def call(q, k, v, regions=regions, topk=topk):  # type: ignore[no-untyped-def]
                return routed_attention(q, k, v, regions, topk)

            shape = (batch, side, side, heads, dim)
        found = measure(call, shape, graph=peer < 3)
        row = {"name": name, **found, "peer": peer, "bar": bar, "peer both": peer_both, "bar both": bar_both}
        rows.append(row | {"bound": bound})
        print(
            f"{name:10} forward {found['forward']:8.3f} (graph {found.get('forward in a graph', float('nan')):7.3f}) "
            f"bar {bar:7.3f} peer {peer:7.3f} | forward+backward {found['forward+backward']:8.3f} "
            f"bar {bar_both:7.3f} peer {peer_both:7.3f}",
            flush=True,
        )
        if args.json:
            facts = {"gpu": torch.cuda.get_device_name(), "torch": torch.__version__, "date": time.strftime("%Y-%m-%d")}
            args.json.write_text(json.dumps(facts | {"rows": rows}, indent=1))


if __name__ == "__main__":
    main()

"""Find tiles for the kernels of neighborhood attention on the GPU at hand, and write them as a table.

    python -P benchmarks/kernels_tune.py --out kernels/neighborhood/tuned --processes 12 [--only nat_s1,k13_128]

Candidates are compiled by several processes first, and timed by one afterwards.
"""

import argparse
import functools
import itertools
import json
import multiprocessing
import os
import statistics
import time
from pathlib import Path

import torch

from foveate.kernels.neighborhood import plan, triton_launch
from foveate.kernels.neighborhood.problem import Inputs
from foveate.kernels.window import check_axes

# batch, grid, heads, dim, window, dilation, stride
SHAPES = {
    "nat_s1": (128, (56, 56), 2, 32, (7, 7), 1, 1),
    "nat_s2": (128, (28, 28), 4, 32, (7, 7), 1, 1),
    "nat_s3": (128, (14, 14), 8, 32, (7, 7), 1, 1),
    "dinat_s1": (128, (56, 56), 2, 32, (7, 7), 8, 1),
    "k13_128": (8, (128, 128), 8, 64, (13, 13), 1, 1),
    "k7_256": (2, (256, 256), 8, 64, (7, 7), 1, 1),
    "k33_256": (2, (256, 256), 8, 64, (33, 33), 1, 1),
    "k13d8_256": (2, (256, 256), 8, 64, (13, 13), 8, 1),
    "flux_na": (1, (256, 256), 24, 128, (80, 80), 1, 1),
    "flux_gna": (1, (256, 256), 24, 128, (80, 80), 1, 16),
    "video_na": (1, (30, 48, 80), 24, 128, (18, 24, 24), 1, 1),
    "video_gna": (1, (30, 48, 80), 24, 128, (18, 24, 24), 1, (16, 8, 8)),
}


def candidates(name: str, kernel: str) -> list[dict]:
    """List settings worth a try for a shape and a kernel."""
    _, grid, _, dim, _, _, stride = SHAPES[name]
    rank = len(grid)
    found: list[dict] = []

    def add(tile: tuple, blocks: list, stages: list, registers: list, warps: int = 4, **rest: bool) -> None:
        for block, stage, most in itertools.product(blocks, stages, registers):
            setting = {"tile": tile, "block": block, "warps": warps, "stages": stage, "registers": most}
            found.append(setting | rest)

    square = (1, 8, 8) if rank == 2 else (4, 4, 4)
    if dim == 128:
        wide = [(1, 16, 8), (1, 8, 16)] if rank == 2 else [(4, 4, 8), (2, 8, 8)]
        for tile in wide if stride == 1 else wide[-1:]:
            if kernel == "forward":
                add(tile, [64], [2, 3], [None, 128], warps=8)
                add(tile, [128], [2], [None], warps=8)
            elif kernel == "query":
                add(tile, [64], [2, 3], [None], warps=8)
                add(tile, [32], [2], [128], warps=8)
            else:
                add(tile, [64], [2], [None], warps=8)
        add(square, [64], [2], [None])
    elif name == "k33_256":
        add(square, [64], [2, 3], [168, 128] if kernel != "key" else [None, 168])
        add(square, [128], [2], [None, 168])
        add(square, [32, 64], [2], [None], warps=2)
        add((1, 16, 8), [64], [2, 3], [None])
        add((1, 16, 8), [64], [2, 3], [None, 128], warps=8)
    elif dim == 64:
        add(square, [32, 64], [3], [128, 168])
        add(square, [64], [2], [128, 168])
        add(square, [32, 64], [2, 3], [None], warps=2)
        add(square, [32, 64], [2, 3], [128, 168], small=True, unrolled=False)
        if name == "k7_256":
            add(square, [64], [1], [None, 168, 128], small=True)
            add(square, [32, 64], [2], [None], warps=2, small=True)
            add((1, 4, 8), [32, 64], [2], [None], warps=2, small=True)
            add((1, 4, 8), [32, 64], [2], [None], warps=2)
        else:
            add((1, 16, 8), [64], [3], [128], warps=8)
    else:
        add(square, [64], [2, 3], [None, 168], small=True)
        add(square, [64], [1], [None, 168, 128], small=True)
        add(square, [32, 64], [3], [None, 128], small=True, unrolled=False)
        add(square, [32, 64], [3], [None])
        add(square, [32, 64], [2], [None], warps=2, small=True)
        add((1, 4, 8), [32, 64], [1, 2], [None], warps=2, small=True)
        add((1, 4, 8), [32, 64], [2, 3], [None], warps=2)
    if dim < 128 and name != "k33_256":
        # Sixteen queries a warp see the fewest candidates each, and nobody waits for another warp.
        for tile in ((1, 4, 4), (1, 2, 8)):
            if 7 in SHAPES[name][4]:
                add(tile, [32], [2, 3, 4], [None, 168], warps=1, small=True)
                add(tile, [64], [3], [None, 168], warps=1, small=True)
            add(tile, [32, 64], [2, 3], [None], warps=1)
            add(tile, [32], [3], [128], warps=1)
    return found


def problem(name: str) -> tuple:
    """Make the tensors of a shape."""
    batch, grid, heads, dim, window, dilation, stride = SHAPES[name]
    axes = check_axes(grid, window, stride, dilation)
    torch.manual_seed(0)
    q, k, v, g = (torch.randn(batch, *grid, heads, dim, device="cuda", dtype=torch.bfloat16) for _ in range(4))
    return Inputs(q, k, v), g, axes, dim**-0.5


def calls(name: str) -> dict:
    """Make one function of a tiling for each kernel."""
    inputs, g, axes, scale = problem(name)
    out, lse = torch.zeros_like(g), torch.zeros(g.shape[:-1], device="cuda")
    return {
        "forward": lambda t: triton_launch.forward(inputs, axes, scale, t),
        "query": lambda t: triton_launch.query_gradient(inputs, out, lse, g, None, axes, scale, t),
        "key": lambda t: triton_launch.key_gradient(inputs, lse, lse, g, axes, scale, t),
    }


def compile_some(job: tuple) -> None:
    """Run some candidates once, which leaves them in the compiler's cache."""
    name, kernel, settings = job
    run, axes = calls(name)[kernel], check_axes(SHAPES[name][1], *(SHAPES[name][i] for i in (4, 6, 5)))
    for setting in settings:
        try:
            run(plan.make_tiling(axes, kernel, **setting))
        except Exception:
            continue
        torch.cuda.empty_cache()
    torch.cuda.synchronize()


def milliseconds(run, budget: float = 0.06) -> float:  # type: ignore[no-untyped-def]
    """Median of runs with a cold L2."""
    run()
    torch.cuda.synchronize()
    start = time.perf_counter()
    run()
    torch.cuda.synchronize()
    count = max(3, min(40, int(budget / max(time.perf_counter() - start, 1e-5))))
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


def main() -> None:
    """Compile, time, print and write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--only", default=",".join(SHAPES))
    parser.add_argument("--kernels", default=",".join(plan.PASSES))
    parser.add_argument("--processes", type=int, default=12)
    args = parser.parse_args()
    names, kernels = args.only.split(","), args.kernels.split(",")
    jobs = [
        (n, k, chunk)
        for n in names
        for k in kernels
        for c in [candidates(n, k)]
        for chunk in (c[0::3], c[1::3], c[2::3])
    ]
    start = time.time()
    with multiprocessing.get_context("spawn").Pool(args.processes, maxtasksperchild=4) as pool:
        pool.map(compile_some, jobs, chunksize=1)
    print(f"compiled in {time.time() - start:.0f} s", flush=True)
    table, rows = {}, []
    for name in names:
        runs, axes = calls(name), check_axes(SHAPES[name][1], *(SHAPES[name][i] for i in (4, 6, 5)))
        for kernel in kernels:
            best = None
            for setting in candidates(name, kernel):
                tiling = plan.make_tiling(axes, kernel, **setting)
                try:
                    ms = milliseconds(functools.partial(runs[kernel], tiling))
                except Exception as error:
                    print(name, kernel, setting, "failed:", str(error)[:80])
                    continue
                rows.append({"shape": name, "kernel": kernel, "ms": ms, **setting})
                if best is None or ms < best[0]:
                    best = (ms, setting)
            ranked = sorted((r for r in rows if r["shape"] == name and r["kernel"] == kernel), key=lambda r: r["ms"])
            for r in ranked[:4] + ranked[-1:]:
                print(r, flush=True)
            if best:
                table[plan.signature(axes, SHAPES[name][3], kernel)] = best[1]
        torch.cuda.empty_cache()
        args.out.mkdir(parents=True, exist_ok=True)
        (args.out / "rows.json").write_text(json.dumps(rows))
        place = triton_launch.architecture(torch.device("cuda"))
        (args.out / f"{place}.json").write_text(json.dumps(table, indent=1))
    print(f"total {time.time() - start:.0f} s")


if __name__ == "__main__":
    os.environ.setdefault("TRITON_CACHE_DIR", "/tmp/triton-cache")
    main()

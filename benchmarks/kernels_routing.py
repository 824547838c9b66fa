"""Time routed attention on a GPU for the three routed stages of BiFormer at 224 pixels.

One row a case: milliseconds of the forward pass, forward and backward, the largest errors of output and gradients
against float64 on the same inputs, and, below, of each kernel in a CUDA graph, so without the time of Python.
``--tune`` times other tiles of each kernel instead, to fill ``foveate.kernels.routing.tiles.TUNED``.
"""

import argparse
import itertools
import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch
from torch import Tensor

from foveate.kernels.routing import op, tiles, triton_backward, triton_forward
from foveate.kernels.routing.op import block_sparse_attention, routed_attention

# Name, side, heads, channels of a head, regions along a side, regions that each attends to.
CASES = (("stage1", 56, 2, 32, 7, 1), ("stage2", 28, 4, 32, 7, 4), ("stage3", 14, 8, 32, 7, 16))


def milliseconds(function: Callable[[], object], seconds: float = 0.25, most: int = 200) -> float:
    """Median of runs with an L2 cache that holds something else."""
    for _ in range(3):
        function()
    torch.cuda.synchronize()
    begin = time.perf_counter()
    function()
    torch.cuda.synchronize()
    runs = max(5, min(most, int(seconds / max(time.perf_counter() - begin, 1e-5))))
    other = torch.empty(96 * 2**20, dtype=torch.int8, device="cuda")
    times = []
    for _ in range(runs):
        other.zero_()
        start, stop = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        start.record()
        function()
        stop.record()
        torch.cuda.synchronize()
        times.append(start.elapsed_time(stop))
    return statistics.median(times)


def make(batch: int, side: int, heads: int, dim: int, dtype: torch.dtype) -> tuple[list[Tensor], Tensor]:
    """Query, key and value as views of one projection, and a gradient of the output."""
    torch.manual_seed(0)
    qkv = torch.randn(batch, side, side, 3, heads, dim, device="cuda", dtype=dtype)
    return list(qkv.unbind(3)), torch.randn(batch, side, side, heads, dim, device="cuda", dtype=dtype)


def errors(tensors: list[Tensor], grad: Tensor, index: Tensor, size: int, backend: str | None) -> list[float]:
    """Largest error of output and gradients for the first items, over the largest number of each."""
    answers = []
    for dtype, name in ((torch.float64, "reference"), (grad.dtype, backend)):
        own = [t[:4].detach().to(dtype).requires_grad_() for t in tensors]
        out = block_sparse_attention(*own, index[:4], block_size=size, backend=name)
        answers.append([out, *torch.autograd.grad(out, own, grad[:4].to(dtype))])
    return [((b - a).abs().max() / a.abs().max()).item() for a, b in zip(*answers, strict=True)]


def run_case(case: tuple, batch: int, dtype: torch.dtype, backend: str | None, graph: bool) -> None:
    """Print the row of a case."""
    label, side, heads, dim, regions, topk = case
    tensors, grad = make(batch, side, heads, dim, dtype)
    name = backend or "triton"
    scale = (heads * dim) ** -0.5
    size = side // regions
    grids = (op._grid((side, side), (size, size)),) * 2

    def forward() -> Tensor:
        return routed_attention(*tensors, regions, topk, scale=scale, backend=backend)

    index = op._route(*tensors[:2], *grids, topk, None, name)[0][:, None]
    leaves = [t.detach().requires_grad_() for t in tensors]

    def both() -> None:
        out = routed_attention(*leaves, regions, topk, scale=scale, backend=backend)
        torch.autograd.grad(out, leaves, grad)

    with torch.no_grad():
        whole = milliseconds(forward)
        recorded = milliseconds(record(forward).replay) if graph else float("nan")
    total = milliseconds(both)
    wrong = " ".join(f"{e:.1e}" for e in errors(tensors, grad, index, size, backend))
    print(
        f"{label} {dtype} forward {whole:.4f} (in a CUDA graph {recorded:.4f}) forward+backward {total:.4f} ms, "
        f"errors {wrong}",
        flush=True,
    )
    if graph:
        print_kernels(tensors, grad, case, scale)


def print_kernels(tensors: list[Tensor], grad: Tensor, case: tuple, scale: float) -> None:
    """Print what each kernel takes in a CUDA graph, with dense products and without where both can run."""
    _, side, _, dim, regions, topk = case
    grid = op._grid((side, side), (side // regions,) * 2)
    for dense in [False, True] if tiles.prefers_dense(grid, grid, topk, dim, False) else [False]:
        with forced("", None, dense), torch.no_grad():
            times = {n: milliseconds(record(c).replay) for n, c in calls(tensors, grad, regions, topk, scale).items()}
        text = " ".join(f"{name} {time:.4f}" for name, time in times.items())
        print(f"    {'dense' if dense else 'gathered'}: {text}", flush=True)


def calls(tensors: list[Tensor], grad: Tensor, regions: int, topk: int, scale: float) -> dict[str, Callable]:
    """List the kernels of forward and backward pass, ready to start."""
    query, key, value = tensors
    plan = op._find_plan(query, key, value, regions, topk, scale, None, "triton")
    if plan is None:
        return {}
    (average, shape), gradients = plan.means, plan.gradients
    means = torch.empty(shape, dtype=torch.float32, device="cuda")
    out, lse, index = plan.forward(query, key, value)
    rows = torch.empty(gradients.rows, dtype=torch.float32, device="cuda")
    seen = lse if gradients.seen is None else torch.empty(gradients.seen, dtype=torch.int64, device="cuda")
    given = torch.empty_like(grad), torch.empty_like(grad)
    found: dict[str, Callable] = {
        "means": lambda: average(query, key, means),
        "route": lambda: plan.route(means, index, means),
        "attend": lambda: plan.attend(query, key, value, index, index, out, lse),
        "query": lambda: gradients.of_query(*tensors, index, index, out, grad, lse, lse, rows, given[0], seen),
    }
    for call in found.values():
        call()
    pairs = seen
    if gradients.seen is None:
        pairs = triton_backward.invert(index, plan.grid_kv.blocks).pairs
        found["invert"] = lambda: triton_backward.invert(index, plan.grid_kv.blocks)
    found["key"] = lambda: gradients.of_key(*tensors, pairs, pairs, index, grad, rows, *given)
    return found


def record(function: Callable[[], object]) -> torch.cuda.CUDAGraph:
    """Record a CUDA graph, which has no launch overhead of Python."""
    function()
    torch.cuda.synchronize()
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        function()
    return graph


@contextmanager
def forced(kind: str, wanted: tiles.Tiles | None, dense: bool = True) -> Iterator[None]:
    """Make one kernel use given tiles, or forbid dense products; plans made before are forgotten."""

    def choose(kernel: str, *rest: object) -> tiles.Tiles:
        return wanted if kernel == kind and wanted else tiles.choose(kernel, *rest)

    def choose_dense(kernel: str, *rest: object) -> tiles.Tiles:
        return wanted if kernel == kind and wanted else tiles.choose_dense(kernel, *rest)

    def prefers_dense(*facts: object) -> bool:
        return dense and tiles.prefers_dense(*facts)  # type: ignore[arg-type]

    def place(*functions: object) -> None:
        for module in (triton_forward, triton_backward):
            for name, function in zip(("choose", "choose_dense", "prefers_dense"), functions, strict=True):
                setattr(module, name, function)
            module.prepare.cache_clear()
        op._make_plan.cache_clear()

    place(choose, choose_dense, prefers_dense)
    try:
        yield
    finally:
        place(tiles.choose, tiles.choose_dense, tiles.prefers_dense)


def tune(case: tuple, batch: int, dtype: torch.dtype, kernel: str | None) -> None:
    """Time other tiles of each kernel in a CUDA graph, and print the best as lines of ``TUNED``."""
    name, side, heads, dim, regions, topk = case
    tensors, grad = make(batch, side, heads, dim, dtype)
    size, wide = side // regions, dtype == torch.float32
    grid = op._grid((side, side), (size, size))
    dense = tiles.prefers_dense(grid, grid, topk, dim, False)

    for kind in ("forward", "query", "key"):
        if kernel not in (None, kind):
            continue
        if dense:
            rule, mark = tiles.choose_dense(kind, grid, dim, dim, wide), (f"dense {kind}", size * size, 0, dim, wide)
            cuts = [(rows, size * size, 1) for rows in (16, 32, 64, 128)]
        else:
            rule = tiles.choose(kind, grid, topk * size * size, dim, dim, heads, True, wide)
            mark = (kind, size * size, topk * size * size, dim, wide)
            cuts = [
                (max(16, tokens * together), tokens, together)
                for tokens in sorted({min(tiles.power(size * size), t) for t in (16, 32, 64)})
                for together in (1, 2, 4, 8)
                if together <= heads and (together == 1 or tokens * together <= 32) and together * dim <= 256
            ]
        times = {}
        for cut, columns, warps, stages in itertools.product(cuts, (32, 64, 128), (1, 2, 4), (1, 2)):
            wanted = tiles.Tiles(cut[0], cut[1], cut[2], columns, warps, stages)
            if cut[0] * columns > 4096 * warps // 2:  # numbers of a tile that registers cannot hold
                continue
            with forced(kind, wanted):
                try:
                    call = calls(tensors, grad, regions, topk, dim**-0.5)["attend" if kind == "forward" else kind]
                    times[wanted] = milliseconds(record(call).replay, 0.02, 30)
                except Exception as error:
                    print(f"{name} {kind} {wanted}: {type(error).__name__}")
        print(f"{name} {kind}: rule {rule} {times.get(rule, float('nan')):.4f} ms")
        for wanted in sorted(times, key=lambda t: times[t])[:5]:
            print(f"    {mark}: {wanted}, {times[wanted]:.4f} ms", flush=True)


def main() -> None:
    """Run the cases that the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--batch", type=int, default=128)
    parser.add_argument("--dtype", default="bfloat16", choices=["bfloat16", "float16", "float32"])
    parser.add_argument("--backend", help="triton, cpu or reference; chosen when left out")
    parser.add_argument("--only", help="stage1, stage2 or stage3")
    parser.add_argument("--tune", action="store_true", help="time other tiles instead")
    parser.add_argument("--kernel", choices=["forward", "query", "key"], help="tune this kernel only")
    options = parser.parse_args()
    print(torch.__version__, torch.cuda.get_device_name())
    dtype = getattr(torch, options.dtype)
    for case in CASES:
        if options.only in (None, case[0]):
            if options.tune:
                tune(case, options.batch, dtype, options.kernel)
            else:
                run_case(case, options.batch, dtype, options.backend, options.backend in (None, "triton"))


if __name__ == "__main__":
    main()

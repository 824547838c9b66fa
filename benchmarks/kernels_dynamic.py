"""Time dynamic neighborhoods on a GPU: ours against gathering and against an unfused, compiled version.

    python benchmarks/kernels_dynamic.py [--only t_stage3] [--sweep]

Prints a line per shape and way: milliseconds forward and forward + backward, the floor of memory traffic (each tensor
read or written once, at --bandwidth), and the largest error against float64 relative to the largest number. Imports
foveate.kernels and torch only.
"""

import argparse
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from foveate.kernels.dynamic import reference, tiling, triton_forward
from foveate.kernels.dynamic.op import dynamic_neighborhood
from foveate.kernels.dynamic.problem import Inputs
from foveate.kernels.window import Axis, neighbors


@dataclass(frozen=True)
class Shape:
    """One case."""

    name: str
    batch: int
    groups: int
    channels: int
    height: int
    width: int
    small: int
    large: int


SHAPES = (
    Shape("t_stage3", 128, 8, 16, 14, 14, 5, 13),
    Shape("t_stage4", 128, 16, 16, 7, 7, 5, 7),
    Shape("xt_stage4", 128, 12, 14, 7, 7, 5, 7),
    Shape("s_stage3", 128, 16, 10, 14, 14, 5, 13),
    Shape("dense32", 16, 8, 16, 32, 32, 5, 13),
    Shape("dense64", 4, 8, 16, 64, 64, 5, 13),
    Shape("dense32_s4", 4, 16, 16, 32, 32, 5, 7),
)


def bench(function: Callable[[], object], seconds: float = 0.25) -> float:
    """Median milliseconds, with the L2 cache flushed before each run."""
    for _ in range(3):
        function()
    torch.cuda.synchronize()
    start = time.perf_counter()
    function()
    torch.cuda.synchronize()
    count = max(5, min(200, int(seconds / max(time.perf_counter() - start, 1e-5))))
    cache = torch.empty(96 * 2**20, dtype=torch.int8, device="cuda")
    found = []
    for _ in range(count):
        cache.zero_()
        events = [torch.cuda.Event(enable_timing=True) for _ in range(2)]
        events[0].record()
        function()
        events[1].record()
        torch.cuda.synchronize()
        found.append(events[0].elapsed_time(events[1]))
    return statistics.median(found)


def make(shape: Shape, position_order: bool) -> list[Tensor]:
    """Logits with the window axis last in memory (or first, as a 1 x 1 convolution of an NCHW map leaves them)."""
    s = shape
    count = s.small**2 + s.large**2
    if position_order:
        logits = torch.randn(s.batch, count, s.groups, s.height, s.width, device="cuda").transpose(1, 2)
    else:
        logits = torch.randn(s.batch, s.groups, s.height, s.width, count, device="cuda").permute(0, 1, 4, 2, 3)
    value = torch.randn(s.batch, 2, s.groups, s.channels, s.height, s.width, device="cuda")
    tables = [torch.randn(s.groups, 2 * side - 1, 2 * side - 1, device="cuda") for side in (s.small, s.large)]
    return [t.requires_grad_() for t in (logits.bfloat16(), value.bfloat16(), *tables)]


class Unfused:
    """Softmax, bias and sums as separate torch operations with ready index tables; what a compiler gets to fuse."""

    def __init__(self, shape: Shape) -> None:
        self.shape, self.tables = shape, []
        for side in (shape.small, shape.large):
            rows, columns = (neighbors(Axis(n, side))[0] for n in (shape.height, shape.width))
            above = rows - torch.arange(shape.height)[:, None] + side - 1
            beside = columns - torch.arange(shape.width)[:, None] + side - 1
            index = (rows[:, None, :, None] * shape.width + columns[None, :, None, :]).flatten(2).flatten(0, 1)
            place = (above[:, None, :, None] * (2 * side - 1) + beside[None, :, None, :]).flatten(2).flatten(0, 1)
            self.tables.append((index.cuda(), place.cuda()))

    def __call__(self, logits: Tensor, value: Tensor, *biases: Tensor) -> Tensor:
        """Run it."""
        s, parts = self.shape, []
        for number, scores in enumerate(logits.split([s.small**2, s.large**2], dim=2)):
            index, place = self.tables[number]
            weights = scores.flatten(3).mT.float() + biases[number].flatten(1)[:, place]
            gathered = value[:, number].flatten(3)[..., index]
            parts.append(torch.einsum("bgnt,bgcnt->bgcn", weights.softmax(-1).to(value.dtype), gathered))
        return torch.stack(parts, 1).unflatten(-1, (s.height, s.width))


def floors(tensors: list[Tensor], bandwidth: float) -> tuple[float, float]:
    """Milliseconds of reading inputs and writing outputs once: forward, and forward with backward."""
    logits, value = (tensor.numel() * tensor.element_size() for tensor in tensors[:2])
    forward = logits + 2 * value
    # The backward pass reads logits, value, output and its gradient, and writes gradients of logits and value.
    backward = 2 * logits + 4 * value
    return forward / bandwidth / 1e6, (forward + backward) / bandwidth / 1e6


def exact(tensors: list[Tensor], shape: Shape, probe: Tensor) -> list[Tensor]:
    """Answers in float64 for the first batch item only; tables get their gradient from it alone."""
    wide = [t.detach()[:1].double() if n < 2 else t.detach().double() for n, t in enumerate(tensors)]
    for tensor in wide:
        tensor.requires_grad_()
    out = reference.forward(Inputs(*wide), shape.small, shape.large)
    return [out.detach(), *torch.autograd.grad((out * probe[:1].double()).sum(), wide)]


def errors(function: Callable[..., Tensor], tensors: list[Tensor], wanted: list[Tensor], probe: Tensor) -> str:
    """Largest errors on the first batch item: output, gradients of logits, value and tables."""
    one = [t.detach()[:1] if n < 2 else t.detach() for n, t in enumerate(tensors)]
    for tensor in one:
        tensor.requires_grad_()
    out = function(*one)
    found = [out.detach(), *torch.autograd.grad((out * probe[:1]).sum(), one)]
    pairs = zip(found, wanted, strict=True)
    return " ".join(f"{float((a.double() - b).abs().max() / b.abs().max()):.1e}" for a, b in pairs)


def measure(name: str, way: str, function: Callable[..., Tensor], tensors: list[Tensor], extra: str) -> None:
    """Time one way and print a line."""
    probe = torch.randn_like(tensors[1])

    def both() -> None:
        torch.autograd.grad(function(*tensors), tensors, probe)

    with torch.no_grad():
        forward = bench(lambda: function(*tensors))
    print(f"{name:12s} {way:26s} fwd {forward:8.4f}  fwd+bwd {bench(both):8.4f} ms  {extra}", flush=True)


def compare(shape: Shape, bandwidth: float) -> None:
    """Time all ways on one shape."""
    for position_order in (False, True):
        tensors = make(shape, position_order)
        floor = "floor {:.4f} {:.4f} ms".format(*floors(tensors, bandwidth))
        probe = torch.randn_like(tensors[1])
        wanted = exact(tensors, shape, probe)

        def ours(logits: Tensor, value: Tensor, small: Tensor, large: Tensor) -> Tensor:
            return dynamic_neighborhood(
                logits, value, shape.small, shape.large, small_bias=small, large_bias=large, backend="triton"
            )

        def naive(*parts: Tensor) -> Tensor:
            return reference.forward(Inputs(*parts), shape.small, shape.large)

        order = "positions" if position_order else "windows"
        text = errors(ours, tensors, wanted, probe)
        measure(shape.name, f"ours ({order} last)", ours, tensors, f"{floor}  errors {text}")
        if position_order:
            continue
        for way, function in (("unfused, compiled", torch.compile(Unfused(shape).__call__)), ("gather", naive)):
            try:
                measure(shape.name, way, function, tensors, f"errors {errors(function, tensors, wanted, probe)}")
            except torch.OutOfMemoryError:
                print(f"{shape.name:12s} {way:26s} out of memory", flush=True)


def sweep(shape: Shape) -> None:
    """Time ours for several tile budgets and numbers of warps."""
    tensors = make(shape, position_order=False)
    for most in (256, 512, 1024, 2048):
        for load in (2, 8, 24):
            for warps in (1, 2, 4):
                tiling.MOST, tiling.LOAD, triton_forward.WARPS = most, load, warps
                tiling.tiles.cache_clear()

                def ours(logits: Tensor, value: Tensor, small: Tensor, large: Tensor) -> Tensor:
                    return dynamic_neighborhood(
                        logits, value, shape.small, shape.large, small_bias=small, large_bias=large, backend="triton"
                    )

                chosen = [tiling.tiles(shape.height, shape.width, shape.large, by, False) for by in (False, True)]
                text = "  ".join(f"p{t.position} k{t.key}" for t in chosen)
                measure(shape.name, f"most {most} load {load} warps {warps}", ours, tensors, text)


def main() -> None:
    """Run the shapes asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="*", help="names of shapes")
    parser.add_argument("--sweep", action="store_true", help="try tile budgets instead of comparing")
    parser.add_argument("--bandwidth", type=float, default=4800.0, help="of the GPU's memory, in GB/s")
    arguments = parser.parse_args()
    torch.manual_seed(0)
    for shape in SHAPES:
        if not arguments.only or shape.name in arguments.only:
            if arguments.sweep:
                sweep(shape)
            else:
                compare(shape, arguments.bandwidth)


if __name__ == "__main__":
    main()

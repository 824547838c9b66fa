"""Time depthwise convolutions with large kernels on a GPU, torch's against the one on tensor cores.

    python -P benchmarks/kernels_depthwise.py

Shapes are those of overlock_tiny at 224 pixels, batch 128, once its branches are one kernel with a bias. Launches
included; errors are the largest against float32, relative to the largest number.
"""

import torch
from kernels_bars import milliseconds, warm_up
from torch import Tensor

from foveate.kernels.depthwise.op import large_depthwise

# Channels, side of the map, side of the kernel.
SHAPES = ((64, 56, 17), (128, 28, 15), (256, 14, 13), (512, 7, 7))


def off(found: Tensor, wanted: Tensor) -> float:
    """Largest error over the largest number."""
    return float((found.float() - wanted).abs().max() / wanted.abs().max())


def measure(channels: int, side: int, size: int) -> str:
    """Compare and time one shape."""
    shapes = ((128, channels, side, side), (channels, 1, size, size), (channels,))
    leaves = [torch.randn(shape, device="cuda", dtype=torch.bfloat16) for shape in shapes]
    leaves[1] /= size
    probe = torch.randn_like(leaves[0])
    wide = [leaf.float().requires_grad_() for leaf in leaves]
    wanted = large_depthwise(*wide)
    wanted_grads = torch.autograd.grad(wanted, wide, probe.float())
    words = []
    for backend in ("reference", "triton"):
        with torch.no_grad():
            forward = milliseconds(lambda backend=backend: large_depthwise(*leaves, backend=backend))  # type: ignore[misc]
        for leaf in leaves:
            leaf.requires_grad_()

        def step(backend: str = backend) -> tuple[Tensor, ...]:
            return torch.autograd.grad(large_depthwise(*leaves, backend=backend), leaves, probe)

        both, grads = milliseconds(step), step()
        with torch.no_grad():
            errors = [off(large_depthwise(*leaves, backend=backend), wanted)]
        errors += [off(found, exact) for found, exact in zip(grads, wanted_grads, strict=True)]
        for leaf in leaves:
            leaf.requires_grad_(False)
        text = " ".join(f"{error:.1e}" for error in errors)
        words.append(f"{backend} {forward:.3f} ms, with backward {both:.3f}, errors {text}")
    return f"{channels:4} x {side:2}, kernel {size:2}: {'; '.join(words)}"


def main() -> None:
    """Measure and print."""
    warm_up()
    for shape in SHAPES:
        print(measure(*shape), flush=True)


if __name__ == "__main__":
    main()

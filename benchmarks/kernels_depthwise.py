"""Time depthwise convolutions with large kernels on a GPU, torch's against the one on tensor cores.

    python -P benchmarks/kernels_depthwise.py

Shapes are those of overlock_tiny at 224 pixels, batch 128, once its branches are one kernel. Launches included.
"""

import torch
from kernels_bars import milliseconds, warm_up

from foveate.kernels.depthwise.op import large_depthwise

# Channels, side of the map, side of the kernel.
SHAPES = ((64, 56, 17), (128, 28, 15), (256, 14, 13), (512, 7, 7))


def measure(channels: int, side: int, size: int) -> str:
    """Compare and time one shape."""
    x = torch.randn(128, channels, side, side, device="cuda", dtype=torch.bfloat16)
    kernel = torch.randn(channels, 1, size, size, device="cuda", dtype=torch.bfloat16) / size
    wide = large_depthwise(x.float(), kernel.float())
    with torch.inference_mode():
        found = large_depthwise(x, kernel, backend="triton").float()
        slow = milliseconds(lambda: large_depthwise(x, kernel))
        fast = milliseconds(lambda: large_depthwise(x, kernel, backend="triton"))
    error = float((found - wide).abs().max() / wide.abs().max())
    return f"{channels:4} x {side:2}, kernel {size:2}: torch {slow:.3f} ms, triton {fast:.3f} ms, error {error:.1e}"


def main() -> None:
    """Print one row a shape."""
    warm_up()
    for shape in SHAPES:
        print(measure(*shape), flush=True)


if __name__ == "__main__":
    main()

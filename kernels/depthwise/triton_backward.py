"""Triton kernel of depthwise convolutions with large kernels: the gradient of the kernel.

The gradient of tap (down, right) is the sum over all places of the output's gradient times the number that lies as far
down and right of it. For one channel and one ``down``, a product of (columns, rows) by (rows, wider columns), summed
over all rows of all pictures, holds these sums for every pair of columns; a tap's are on one diagonal. Of 32 x 64
products, 17 diagonals of 32 are of use at 17 taps; in return everything runs on tensor cores. No number is added by two
programs at once, so that the same call gives the same bits.
"""

# Kernels have no types that mypy knows.
# mypy: disallow-untyped-defs=False

from typing import Any

import torch
import triton
import triton.language as tl
from torch import Tensor

from foveate.kernels.neighborhood.triton_extra import on_device

# Rows of maps in a product.
_ROWS = 64
# Programs that fill a large GPU a few times over; rows are split up until there are so many.
_PROGRAMS = 2048


@triton.jit
def large_depthwise_kernel_gradient_kernel(
    x_ptr,
    grad_ptr,
    sums_ptr,
    rows,
    steps,
    channels,
    height,
    width,
    SIDE: tl.constexpr,
    ROWS: tl.constexpr,
    COLUMNS: tl.constexpr,
    WIDE: tl.constexpr,
    INDEX: tl.constexpr,
):
    """Sum up one row of taps of one channel, over ``steps`` tiles of rows."""
    down = tl.program_id(0)
    channel = tl.program_id(1)
    part = tl.program_id(2)
    own_w = tl.arange(0, COLUMNS)
    column = tl.arange(0, WIDE)
    total = tl.zeros((COLUMNS, WIDE), tl.float32)
    for step in range(part * steps, part * steps + steps):
        row = step * ROWS + tl.arange(0, ROWS)
        own_h = row % height
        source_h = own_h + down - SIDE // 2
        here = row < rows
        there = here & (source_h >= 0) & (source_h < height)
        start = ((row // height).to(INDEX) * channels + channel) * height * width
        for left in range(0, width, COLUMNS):
            source_w = left - SIDE // 2 + column
            grad = tl.load(
                grad_ptr + (start + own_h * width)[:, None] + (left + own_w)[None, :],
                mask=here[:, None] & (left + own_w < width)[None, :],
                other=0.0,
            )
            values = tl.load(
                x_ptr + (start + source_h * width)[:, None] + source_w[None, :],
                mask=there[:, None] & ((source_w >= 0) & (source_w < width))[None, :],
                other=0.0,
            )
            total = tl.dot(tl.trans(grad), values, total)
    place = sums_ptr + ((part * channels + channel) * SIDE + down) * SIDE
    for right in range(SIDE):
        diagonal = column[None, :] - own_w[:, None] == right
        tl.store(place + right, tl.sum(tl.where(diagonal, total, 0.0)))


def kernel_gradient(x: Tensor, grad: Tensor, side: int) -> Tensor:
    """Differentiate by the kernel.

    Args:
        x: (batch, channels, height, width) in half precision, on a CUDA device.
        grad: Gradient of the output, of the same shape and type.
        side: Of the kernel.

    Returns:
        (channels, 1, side, side) of the type of ``x``, summed in float32.
    """
    batch, channels, height, width = x.shape
    if not x.numel():
        return x.new_zeros((channels, 1, side, side))
    tiles = triton.cdiv(batch * height, _ROWS)
    parts = min(tiles, triton.cdiv(_PROGRAMS, channels * side))
    steps = triton.cdiv(tiles, parts)
    sums = torch.empty((parts, channels, 1, side, side), dtype=torch.float32, device=x.device)
    with on_device(x.device):
        large_depthwise_kernel_gradient_kernel[(side, channels, parts)](
            x.contiguous(), grad.contiguous(), sums, batch * height, steps, channels, height, width,
            **_constants(side, width, tl.int32 if x.numel() < 2**31 else tl.int64), num_warps=4,
        )  # fmt: skip
    return sums.sum(0).to(x.dtype)


def _constants(side: int, width: int, index: Any) -> dict[str, Any]:
    columns = 16 if width <= 16 else 32
    wide = triton.next_power_of_2(columns + side - 1)
    return {"SIDE": side, "ROWS": _ROWS, "COLUMNS": columns, "WIDE": wide, "INDEX": index}


def compile_cases() -> list[tuple[str, Any, dict[str, str], dict[str, Any], dict[str, int]]]:
    """List what the offline compile test builds: name, kernel, signature, constants, options."""
    kernel = large_depthwise_kernel_gradient_kernel
    cases = []
    for side, width in ((13, 14), (17, 56)):
        constants = _constants(side, width, tl.int32)
        kinds = {"x_ptr": "*bf16", "grad_ptr": "*bf16", "sums_ptr": "*fp32"}
        signature = {name: "constexpr" if name in constants else kinds.get(name, "i32") for name in kernel.arg_names}
        cases.append((f"large_depthwise_kernel_gradient_{side}", kernel, signature, constants, {"num_warps": 4}))
    return cases

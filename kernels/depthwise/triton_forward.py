"""Triton kernel of depthwise convolutions with large kernels, forward.

One row of a kernel, slid along the columns, is a banded matrix: entry (input column, output column) holds the tap that
joins the two. So a convolution is one product a row of the kernel, of rows of the map with that band, and runs on
tensor cores although each channel is on its own. For a kernel of 17 x 17 the band has 17 of 48 input columns for every
one of 32 output columns; a number of the map is fetched 26 times instead of 289 times.
"""

# Kernels have no types that mypy knows.
# mypy: disallow-untyped-defs=False

from typing import Any

import torch
import triton
import triton.language as tl
from torch import Tensor

from foveate.kernels.neighborhood.triton_extra import on_device

# Rows of maps in a program, of all pictures of the batch one after another.
_ROWS = 64
# Input columns of a product, the fewest that tensor cores take in half precision.
_CHUNK = 16


@triton.jit
def large_depthwise_kernel(
    x_ptr,
    kernel_ptr,
    bias_ptr,
    out_ptr,
    rows,
    channels,
    height,
    width,
    SIDE: tl.constexpr,
    HAS_BIAS: tl.constexpr,
    ROWS: tl.constexpr,
    COLUMNS: tl.constexpr,
    CHUNK: tl.constexpr,
    INDEX: tl.constexpr,
):
    """Convolve a tile of rows and columns of one channel; all tensors are contiguous."""
    tiles = tl.cdiv(width, COLUMNS)
    left = tl.program_id(0) % tiles * COLUMNS
    row = tl.program_id(0) // tiles * ROWS + tl.arange(0, ROWS)
    channel = tl.program_id(1)
    own_h = row % height
    own_w = tl.arange(0, COLUMNS)
    start = ((row // height).to(INDEX) * channels + channel) * height * width
    total = tl.zeros((ROWS, COLUMNS), tl.float32)
    for down in range(SIDE):
        source_h = own_h + down - SIDE // 2
        inside_h = (row < rows) & (source_h >= 0) & (source_h < height)
        line = start + source_h * width
        for begin in range(0, COLUMNS + SIDE - 1, CHUNK):
            column = begin + tl.arange(0, CHUNK)
            source_w = left - SIDE // 2 + column
            inside_w = (source_w >= 0) & (source_w < width)
            values = tl.load(
                x_ptr + (line[:, None] + source_w[None, :]), mask=inside_h[:, None] & inside_w[None, :], other=0.0
            )
            tap = column[:, None] - own_w[None, :]
            band = tl.load(kernel_ptr + (channel * SIDE + down) * SIDE + tap, mask=(tap >= 0) & (tap < SIDE), other=0.0)
            total = tl.dot(values, band, total)
    if HAS_BIAS:
        total += tl.load(bias_ptr + channel).to(tl.float32)
    place = (start + own_h * width)[:, None] + (left + own_w)[None, :]
    tl.store(out_ptr + place, total, mask=(row < rows)[:, None] & (left + own_w < width)[None, :])


def forward(x: Tensor, kernel: Tensor, bias: Tensor | None) -> Tensor:
    """Convolve; see ``op.large_depthwise``.

    Args:
        x: (batch, channels, height, width) in half precision, on a CUDA device.
        kernel: (channels, 1, side, side) of the same type.
        bias: (channels), or None.

    Returns:
        As ``x``, in its memory order.
    """
    batch, channels, height, width = x.shape
    result = torch.empty_like(x)
    if not x.numel():
        return result
    # Channels of a map that has them last lie too far apart for a program that has one: copy there and back.
    out = result if result.is_contiguous() else torch.empty_like(x, memory_format=torch.contiguous_format)
    columns = 16 if width <= 16 else 32
    constants: dict[str, Any] = {
        "SIDE": kernel.shape[-1],
        "HAS_BIAS": bias is not None,
        "ROWS": _ROWS,
        "COLUMNS": columns,
        "CHUNK": _CHUNK,
        "INDEX": tl.int32 if x.numel() < 2**31 else tl.int64,
    }
    grid = (triton.cdiv(batch * height, _ROWS) * triton.cdiv(width, columns), channels)
    inputs = (x.contiguous(), kernel.contiguous(), None if bias is None else bias.contiguous())
    with on_device(x.device):
        large_depthwise_kernel[grid](*inputs, out, batch * height, channels, height, width, **constants, num_warps=4)
    return out if out is result else result.copy_(out)


def compile_cases() -> list[tuple[str, Any, dict[str, str], dict[str, Any], dict[str, int]]]:
    """List what the offline compile test builds: name, kernel, signature, constants, options."""
    cases = []
    for side, columns in ((7, 16), (13, 32), (17, 32)):
        constants = {
            "SIDE": side, "HAS_BIAS": True, "ROWS": _ROWS, "COLUMNS": columns, "CHUNK": _CHUNK, "INDEX": tl.int32,
        }  # fmt: skip
        signature = {
            name: "constexpr" if name in constants else "*bf16" if name.endswith("_ptr") else "i32"
            for name in large_depthwise_kernel.arg_names
        }
        cases.append((f"large_depthwise_{side}", large_depthwise_kernel, signature, constants, {"num_warps": 4}))
    return cases

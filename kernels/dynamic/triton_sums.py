"""Triton kernels around the main backward one of dynamic neighborhoods: sums before it, and bias tables after it.

delta: gradient x output summed over channels; reads both once (26 MB for OverLoCK-T stage 3, see the forward pass).
table: a program owns a row of cells of a bias table and adds up the logits' gradients of all pairs at that distance,
for one chunk of the rows of positions; reads the gradients once (78 MB). Chunks are added in a fixed order.
"""

# Kernels have no types that mypy knows.
# mypy: disallow-untyped-defs=False

from typing import Any

import torch
import triton
import triton.language as tl
from torch import Tensor

from foveate.kernels.dynamic.problem import window_sides
from foveate.kernels.dynamic.triton_forward import CASES, first_key

# Programs of the table kernel: enough to fill a large GPU a few times over.
TABLE_PROGRAMS = 2048


@triton.jit
def dynamic_bwd_delta_kernel(
    grad,
    out,
    grad_lse,
    delta,
    total,
    groups,
    sets,
    width,
    area,
    grad_b,
    grad_m,
    grad_g,
    grad_c,
    grad_h,
    grad_w,
    out_b,
    out_m,
    out_g,
    out_c,
    out_h,
    out_w,
    HAS_GRAD_LSE: tl.constexpr,
    CHANNELS: tl.constexpr,
    BLOCK: tl.constexpr,
):
    """Sum gradient times output over channels, for a run of positions of all items, windows and groups."""
    place = tl.program_id(0).to(tl.int64) * BLOCK + tl.arange(0, BLOCK)
    inside = place < total
    cell = place % area
    group = place // area % groups
    number = place // area // groups % sets
    item = place // area // groups // sets
    row = cell // width
    column = cell % width
    grad += item * grad_b + number * grad_m + group * grad_g + row * grad_h + column * grad_w
    out += item * out_b + number * out_m + group * out_g + row * out_h + column * out_w
    result = tl.zeros((BLOCK,), tl.float32)
    for channel in range(CHANNELS):
        upstream = tl.load(grad + channel * grad_c, mask=inside, other=0.0).to(tl.float32)
        result += upstream * tl.load(out + channel * out_c, mask=inside, other=0.0).to(tl.float32)
    if HAS_GRAD_LSE:
        result -= tl.load(grad_lse + place, mask=inside, other=0.0)
    tl.store(delta + place, result, mask=inside)


@triton.jit
def table_row(
    row,
    chunk,
    chunks,
    grad_logits,
    partial,
    batch,
    height,
    width,
    dl_b,
    dl_t,
    dl_h,
    dl_w,
    SIDE: tl.constexpr,
    COLUMNS: tl.constexpr,
    BLOCK: tl.constexpr,
):
    """Add up one row of a bias table over the pairs of one chunk of (batch item, row of positions)."""
    # Rows of positions whose window holds keys at this distance are a run: position - first key never falls.
    least = SIDE - 1 - row
    most = 2 * SIDE - 2 - row
    first = tl.where(least <= 0, 0, tl.where(least <= SIDE // 2, least, least + height - SIDE))
    last = tl.where(most >= SIDE - 1, height - 1, tl.where(most >= SIDE // 2, most + height - SIDE, most))
    count = last + 1 - first
    column = tl.arange(0, COLUMNS)
    blocks = tl.cdiv(width, BLOCK)
    total = tl.zeros((BLOCK, COLUMNS), tl.float32)
    for block in range(blocks):
        own_w = block * BLOCK + tl.arange(0, BLOCK)
        right = (own_w - first_key(own_w, width, SIDE) - (SIDE - 1))[:, None] + column[None, :]
        seen = (right >= 0) & (right < SIDE) & (own_w < width)[:, None]
        offset = own_w.to(tl.int64)[:, None] * dl_w + right * dl_t
        for number in range(chunk, batch * count, chunks):
            own_h = first + number % count
            down = row - (SIDE - 1) + own_h - first_key(own_h, height, SIDE)
            item = (number // count).to(tl.int64)
            start = grad_logits + item * dl_b + own_h.to(tl.int64) * dl_h + (down * SIDE).to(tl.int64) * dl_t
            total += tl.load(start + offset, mask=seen, other=0.0).to(tl.float32)
    tl.store(partial + row * (2 * SIDE - 1) + column, tl.sum(total, axis=0), mask=column < 2 * SIDE - 1)


@triton.jit
def dynamic_bwd_table_kernel(
    grad_logits,
    partial,
    batch,
    groups,
    height,
    width,
    chunks,
    dl_b,
    dl_g,
    dl_t,
    dl_h,
    dl_w,
    SMALL: tl.constexpr,
    LARGE: tl.constexpr,
    SMALL_COLUMNS: tl.constexpr,
    LARGE_COLUMNS: tl.constexpr,
    BLOCK: tl.constexpr,
):
    """Give each program a row of one of the tables, of one group and one chunk of positions."""
    SMALL_ROWS: tl.constexpr = 2 * SMALL - 1
    LARGE_ROWS: tl.constexpr = 2 * LARGE - 1 if LARGE > 0 else 0
    ROWS: tl.constexpr = SMALL_ROWS + LARGE_ROWS
    program = tl.program_id(0)
    row = program % ROWS
    group = (program // ROWS % groups).to(tl.int64)
    chunk = program // ROWS // groups
    one = group * 0 + 1
    grad_logits += group * dl_g
    partial += (chunk * groups + group) * (SMALL_ROWS * SMALL_ROWS + LARGE_ROWS * LARGE_ROWS)
    if row >= LARGE_ROWS:
        table_row(
            row - LARGE_ROWS,
            chunk,
            chunks,
            grad_logits,
            partial,
            batch,
            height,
            width,
            dl_b,
            dl_t,
            dl_h,
            dl_w,
            SMALL,
            SMALL_COLUMNS,
            BLOCK,
        )
    elif LARGE > 0:
        table_row(
            row,
            chunk,
            chunks,
            grad_logits + one * (SMALL * SMALL) * dl_t,
            partial + SMALL_ROWS * SMALL_ROWS,
            batch,
            height,
            width,
            dl_b,
            dl_t,
            dl_h,
            dl_w,
            LARGE,
            LARGE_COLUMNS,
            BLOCK,
        )


def delta_of(grad: Tensor, out: Tensor, grad_lse: Tensor | None) -> Tensor:
    """Sum gradient times output over channels, less the gradient of the logarithm.

    Args:
        grad: Gradient of the output (batch, sets, groups, channels, height, width).
        out: The output.
        grad_lse: Gradient of the logarithms (batch, sets, groups, height, width), or None.

    Returns:
        Tensor (batch, sets, groups, height, width), float32.
    """
    batch, sets, groups, channels, height, width = out.shape
    delta = torch.empty((batch, sets, groups, height, width), dtype=torch.float32, device=out.device)
    total = delta.numel()
    dynamic_bwd_delta_kernel[(triton.cdiv(total, 256),)](
        grad,
        out,
        delta if grad_lse is None else grad_lse.to(torch.float32).contiguous(),
        delta,
        total,
        groups,
        sets,
        width,
        height * width,
        *grad.stride(),
        *out.stride(),
        HAS_GRAD_LSE=grad_lse is not None,
        CHANNELS=channels,
        BLOCK=256,
        num_warps=4,
    )
    return delta


def table_gradients(grad_logits: Tensor, small: int, large: int) -> list[Tensor]:
    """Add up the logits' gradients by relative position, in a fixed order.

    Args:
        grad_logits: (batch, groups, small^2 + large^2, height, width).
        small: Side of the first window.
        large: Side of the second window, or 0.

    Returns:
        A table (groups, 2 * side - 1, 2 * side - 1) for each window, float32; they share memory.
    """
    batch, groups, _, height, width = grad_logits.shape
    rows = [2 * side - 1 for side in window_sides(small, large)]
    chunks = max(1, min(TABLE_PROGRAMS // (groups * sum(rows)), batch * height))
    cells = [row * row for row in rows]
    partial = torch.empty((chunks, groups, sum(cells)), dtype=torch.float32, device=grad_logits.device)
    dynamic_bwd_table_kernel[(chunks * groups * sum(rows),)](
        grad_logits,
        partial,
        batch,
        groups,
        height,
        width,
        chunks,
        *grad_logits.stride(),
        SMALL=small,
        LARGE=large,
        SMALL_COLUMNS=triton.next_power_of_2(rows[0]),
        LARGE_COLUMNS=triton.next_power_of_2(rows[-1]),
        BLOCK=16,
        num_warps=1,
    )
    parts = partial.sum(0).split(cells, dim=1)
    return [part.unflatten(1, (row, row)) for part, row in zip(parts, rows, strict=True)]


def compile_cases() -> list[tuple]:
    """List what to compile without a device.

    Returns:
        Name, kernel, signature, constants and options of each case.
    """
    cases = []
    for name, number, _, _, (small, large), channels in CASES:
        columns = [triton.next_power_of_2(2 * side - 1) for side in (small, large or small)]
        values = (small, large, *columns, 16)
        kinds = {"grad_logits": f"*{number}", "partial": "*fp32"}
        cases.append(_case(f"dynamic_bwd_table_{name}", dynamic_bwd_table_kernel, values, kinds, 1))
        kinds = {"grad": f"*{number}", "out": f"*{number}", "grad_lse": "*fp32", "delta": "*fp32"}
        cases.append(_case(f"dynamic_bwd_delta_{name}", dynamic_bwd_delta_kernel, (False, channels, 256), kinds, 4))
    return cases


def _case(name: str, kernel: Any, values: tuple, kinds: dict[str, str], warps: int) -> tuple:
    constants = dict(zip(kernel.arg_names[-len(values) :], values, strict=True))
    constants |= {stride: 1 for stride in ("dl_t", "grad_w", "out_w") if stride in kernel.arg_names}
    signature = {n: "constexpr" if n in constants else kinds.get(n, "i32") for n in kernel.arg_names}
    return name, kernel, signature, constants, {"num_warps": warps, "num_stages": 2}

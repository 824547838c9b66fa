"""Triton kernels of dynamic neighborhoods, backward: deterministic, no atomics, no weights stored.

A program owns a tile of keys and visits the positions that see any of them. Every pair of a position and a key of
its window falls to exactly one program, so the gradients of the logits are written once while the key's own gradient
stays in registers: logits are read once, their gradients written once.
Count for OverLoCK-T stage 3 (see the forward pass): logits 78 MB read, 78 MB written, 78 MB read again for the tables,
small tensors 50 MB, so 284 MB or 60 us at 4.8 TB/s; three products of 1.2 GFLOP.
"""

# Kernels have no types that mypy knows.
# mypy: disallow-untyped-defs=False

import torch
import triton
import triton.language as tl
from torch import Tensor

from foveate.kernels.dynamic.problem import Inputs
from foveate.kernels.dynamic.triton_forward import (
    CASES,
    case_arguments,
    contiguous_tables,
    first_key,
    offsets_fit,
    shared_arguments,
    tile_pair,
)
from foveate.kernels.dynamic.triton_sums import delta_of, table_gradients


@triton.jit
def first_position(key, length, SIDE: tl.constexpr):
    """First position that sees a key along an axis."""
    shifted = key - (SIDE - 1) + SIDE // 2
    return tl.where(key < SIDE, 0, shifted)


@triton.jit
def last_position(key, length, SIDE: tl.constexpr):
    """Last position that sees a key along an axis."""
    return tl.where(key >= length - SIDE, length - 1, key + SIDE // 2)


@triton.jit
def backward_tile(
    tile,
    logits,
    value,
    table,
    grad,
    lse,
    delta,
    grad_logits,
    grad_value,
    height,
    width,
    logits_t,
    logits_h,
    logits_w,
    value_c,
    value_h,
    value_w,
    grad_c,
    grad_h,
    grad_w,
    dl_t,
    dl_h,
    dl_w,
    dv_c,
    dv_h,
    dv_w,
    SIDE: tl.constexpr,
    HAS_TABLE: tl.constexpr,
    CHANNELS: tl.constexpr,
    CHANNEL_TILE: tl.constexpr,
    PH: tl.constexpr,
    PW: tl.constexpr,
    KH: tl.constexpr,
    KW: tl.constexpr,
    INDEX: tl.constexpr,
):
    """Differentiate with respect to one tile of keys, and to the logits of all pairs with them."""
    LOG2E: tl.constexpr = 1.4426950408889634
    NUMBER: tl.constexpr = value.dtype.element_ty
    tiles_w = tl.cdiv(width, KW)
    top = tile // tiles_w * KH
    left = tile % tiles_w * KW
    key_cell = tl.arange(0, KH * KW)
    key_h = top + key_cell // KW
    key_w = left + key_cell % KW
    there = (key_h < height) & (key_w < width)
    # Keys beyond the map are never seen: no window reaches them.
    key_logits = (key_h * SIDE + key_w).to(INDEX)
    key_table = key_h * (2 * SIDE - 1) + key_w
    channel = tl.arange(0, CHANNEL_TILE)
    numbers = tl.load(
        value
        + (key_h.to(INDEX) * value_h + key_w.to(INDEX) * value_w)[None, :]
        + (channel.to(INDEX) * value_c)[:, None],
        mask=there[None, :] & (channel < CHANNELS)[:, None],
        other=0.0,
    )
    first_h = first_position(top, height, SIDE)
    first_w = first_position(left, width, SIDE)
    rows = last_position(tl.minimum(top + KH, height) - 1, height, SIDE) + 1 - first_h
    columns = last_position(tl.minimum(left + KW, width) - 1, width, SIDE) + 1 - first_w
    steps_w = tl.cdiv(columns, PW)
    cell = tl.arange(0, PH * PW)
    result = tl.zeros((KH * KW, CHANNEL_TILE), tl.float32)
    for step in range(tl.cdiv(rows, PH) * steps_w):
        own_h = first_h + step // steps_w * PH + cell // PW
        own_w = first_w + step % steps_w * PW + cell % PW
        inside = (own_h < height) & (own_w < width)
        start_h = first_key(own_h, height, SIDE)
        start_w = first_key(own_w, width, SIDE)
        down = key_h[None, :] - start_h[:, None]
        right = key_w[None, :] - start_w[:, None]
        seen = (down >= 0) & (down < SIDE) & (right >= 0) & (right < SIDE) & inside[:, None]
        base = (start_h * SIDE + start_w).to(INDEX)
        own_logits = own_h.to(INDEX) * logits_h + own_w.to(INDEX) * logits_w - base * logits_t
        score = tl.load(
            logits + (own_logits[:, None] + (key_logits * logits_t)[None, :]), mask=seen, other=float("-inf")
        ).to(tl.float32)
        if HAS_TABLE:
            own_table = (SIDE - 1 - own_h) * (2 * SIDE - 1) + SIDE - 1 - own_w
            score += tl.load(table + (own_table[:, None] + key_table[None, :]), mask=seen, other=0.0).to(tl.float32)
        place = own_h * width + own_w
        denominator = tl.load(lse + place, mask=inside, other=0.0)
        mean = tl.load(delta + place, mask=inside, other=0.0)
        weight = tl.exp2((score - denominator[:, None]) * LOG2E)
        upstream = tl.load(
            grad
            + (own_h.to(INDEX) * grad_h + own_w.to(INDEX) * grad_w)[:, None]
            + (channel.to(INDEX) * grad_c)[None, :],
            mask=inside[:, None] & (channel < CHANNELS)[None, :],
            other=0.0,
        )
        result = tl.dot(tl.trans(weight.to(NUMBER)), upstream, result, input_precision="ieee")
        change = tl.dot(upstream, numbers, input_precision="ieee")
        change = weight * (change - mean[:, None])
        own_dl = own_h.to(INDEX) * dl_h + own_w.to(INDEX) * dl_w - base * dl_t
        tl.store(
            grad_logits + (own_dl[:, None] + (key_logits * dl_t)[None, :]),
            change.to(grad_logits.dtype.element_ty),
            mask=seen,
        )
    tl.store(
        grad_value + (key_h.to(INDEX) * dv_h + key_w.to(INDEX) * dv_w)[:, None] + (channel.to(INDEX) * dv_c)[None, :],
        result.to(NUMBER),
        mask=there[:, None] & (channel < CHANNELS)[None, :],
    )


@triton.jit
def dynamic_bwd_main_kernel(
    logits,
    value,
    small_table,
    large_table,
    grad,
    lse,
    delta,
    grad_logits,
    grad_value,
    groups,
    height,
    width,
    small_tiles,
    large_tiles,
    logits_b,
    logits_g,
    logits_t,
    logits_h,
    logits_w,
    value_b,
    value_m,
    value_g,
    value_c,
    value_h,
    value_w,
    grad_b,
    grad_m,
    grad_g,
    grad_c,
    grad_h,
    grad_w,
    dl_b,
    dl_g,
    dl_t,
    dl_h,
    dl_w,
    dv_b,
    dv_m,
    dv_g,
    dv_c,
    dv_h,
    dv_w,
    SMALL: tl.constexpr,
    LARGE: tl.constexpr,
    HAS_SMALL_TABLE: tl.constexpr,
    HAS_LARGE_TABLE: tl.constexpr,
    CHANNELS: tl.constexpr,
    CHANNEL_TILE: tl.constexpr,
    SMALL_PH: tl.constexpr,
    SMALL_PW: tl.constexpr,
    SMALL_KH: tl.constexpr,
    SMALL_KW: tl.constexpr,
    LARGE_PH: tl.constexpr,
    LARGE_PW: tl.constexpr,
    LARGE_KH: tl.constexpr,
    LARGE_KW: tl.constexpr,
    INDEX: tl.constexpr,
):
    """Give each program a tile of keys of one batch item, group and window, tiles of the large one first."""
    program = tl.program_id(0)
    all_tiles = small_tiles + large_tiles
    tile = program % all_tiles
    group = (program // all_tiles % groups).to(tl.int64)
    item = (program // all_tiles // groups).to(tl.int64)
    logits += item * logits_b + group * logits_g
    value += item * value_b + group * value_g
    grad += item * grad_b + group * grad_g
    grad_logits += item * dl_b + group * dl_g
    grad_value += item * dv_b + group * dv_g
    SETS: tl.constexpr = 1 if LARGE == 0 else 2
    own = (item * SETS * groups + group) * height * width
    # 64 bits wide, and no constant when the other factor is.
    one = item * 0 + 1
    if tile >= large_tiles:
        CELLS: tl.constexpr = (2 * SMALL - 1) * (2 * SMALL - 1)
        backward_tile(
            tile - large_tiles,
            logits,
            value,
            small_table + group * CELLS,
            grad,
            lse + own,
            delta + own,
            grad_logits,
            grad_value,
            height,
            width,
            logits_t,
            logits_h,
            logits_w,
            value_c,
            value_h,
            value_w,
            grad_c,
            grad_h,
            grad_w,
            dl_t,
            dl_h,
            dl_w,
            dv_c,
            dv_h,
            dv_w,
            SMALL,
            HAS_SMALL_TABLE,
            CHANNELS,
            CHANNEL_TILE,
            SMALL_PH,
            SMALL_PW,
            SMALL_KH,
            SMALL_KW,
            INDEX,
        )
    elif LARGE > 0:
        LARGE_CELLS: tl.constexpr = (2 * LARGE - 1) * (2 * LARGE - 1)
        backward_tile(
            tile,
            logits + one * (SMALL * SMALL) * logits_t,
            value + one * value_m,
            large_table + group * LARGE_CELLS,
            grad + one * grad_m,
            lse + own + one * groups * height * width,
            delta + own + one * groups * height * width,
            grad_logits + one * (SMALL * SMALL) * dl_t,
            grad_value + one * dv_m,
            height,
            width,
            logits_t,
            logits_h,
            logits_w,
            value_c,
            value_h,
            value_w,
            grad_c,
            grad_h,
            grad_w,
            dl_t,
            dl_h,
            dl_w,
            dv_c,
            dv_h,
            dv_w,
            LARGE,
            HAS_LARGE_TABLE,
            CHANNELS,
            CHANNEL_TILE,
            LARGE_PH,
            LARGE_PW,
            LARGE_KH,
            LARGE_KW,
            INDEX,
        )


def backward(
    grad: Tensor, grad_lse: Tensor | None, inputs: Inputs, out: Tensor, lse: Tensor, small: int, large: int
) -> tuple[Tensor, Tensor, list[Tensor]]:
    """Differentiate, computing the weights anew.

    Args:
        grad: Gradient of the output.
        grad_lse: Gradient of the logarithms, or None.
        inputs: The tensors of the forward pass.
        out: Its output.
        lse: Its logarithms.
        small: Side of the first window.
        large: Side of the second window, or 0.

    Returns:
        As in ``row_blocks.backward``.
    """
    logits, value = inputs.logits, inputs.value
    groups, height, width = value.shape[2], *value.shape[-2:]
    grad_logits, grad_value = torch.empty_like(logits), torch.empty_like(value)
    tables = [value.new_empty(0) if table is None else torch.zeros_like(table) for table in inputs.tables]
    if value.numel() == 0:
        return grad_logits, grad_value, tables
    grad = grad.to(value.dtype)
    pair = tile_pair(inputs, small, large, by_key=True)
    dynamic_bwd_main_kernel[(value.shape[0] * groups * (pair[0].programs + pair[1].programs),)](
        logits,
        value,
        *contiguous_tables(inputs),
        grad,
        lse,
        delta_of(grad, out, grad_lse),
        grad_logits,
        grad_value,
        groups,
        height,
        width,
        pair[0].programs,
        pair[1].programs,
        *logits.stride(),
        *value.stride(),
        *grad.stride(),
        *grad_logits.stride(),
        *grad_value.stride(),
        **shared_arguments(inputs, small, large, pair, offsets_fit(logits, value, grad, grad_logits, grad_value)),
    )
    if any(table is not None for table in inputs.tables):
        found = table_gradients(grad_logits, small, large)
        for number, table in enumerate(inputs.tables):
            if table is not None:
                # A copy, so that the two do not share memory.
                tables[number] = torch.empty_like(table).copy_(found[number])
    return grad_logits, grad_value, tables


def compile_cases() -> list[tuple]:
    """List what to compile without a device.

    Returns:
        Name, kernel, signature, constants and options of each case.
    """
    kernel = dynamic_bwd_main_kernel
    return [(f"dynamic_bwd_main_{case[0]}", kernel, *case_arguments(case, kernel, by_key=True)) for case in CASES]

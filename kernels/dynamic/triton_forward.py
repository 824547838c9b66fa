"""Triton kernel of dynamic neighborhoods, forward.

A program owns a tile of positions of one group and visits the keys that any of them sees, tile by tile: weights form a
matrix (positions, keys) whose entries are fetched from the logits at key - first key of the position, zero outside the
window, and multiply a tile of the value on tensor cores. Both windows run in one launch.
Count for OverLoCK-T stage 3 (14 x 14, windows 5 and 13, 8 groups of 16 + 16 channels, batch 128, bfloat16): logits
78 MB, value and output 13 MB each, so 104 MB or 22 us at 4.8 TB/s; 39 M exponentials; 1.2 GFLOP before padding.
Logits are read twice, the second time from the cache of the multiprocessor: first the maximum, then the sum, which
spares rescaling. The kernel runs fastest when a window's logits lie side by side (stride 1).
"""

# Kernels have no types that mypy knows.
# mypy: disallow-untyped-defs=False

from typing import Any

import torch
import triton
import triton.language as tl
from torch import Tensor

from foveate.kernels.dynamic.problem import Inputs, window_sides
from foveate.kernels.dynamic.tiling import Tiles, tiles

# Warps of a program with groups of up to 32 channels; with tiling.MOST it sets the registers of a thread.
WARPS = 2
_NO_TILES = Tiles((16, 1), (16, 1), 0)


@triton.jit
def first_key(position, length, SIDE: tl.constexpr):
    """First key that a position sees along an axis: windows shift inwards at both ends."""
    return tl.minimum(tl.maximum(position - SIDE // 2, 0), length - SIDE)


@triton.jit
def attend_tile(
    tile,
    logits,
    value,
    table,
    out,
    lse,
    height,
    width,
    logits_t,
    logits_h,
    logits_w,
    value_c,
    value_h,
    value_w,
    out_c,
    out_h,
    out_w,
    SIDE: tl.constexpr,
    HAS_TABLE: tl.constexpr,
    CHANNELS: tl.constexpr,
    CHANNEL_TILE: tl.constexpr,
    PH: tl.constexpr,
    PW: tl.constexpr,
    KH: tl.constexpr,
    KW: tl.constexpr,
    CHUNK: tl.constexpr,
    INDEX: tl.constexpr,
):
    """Aggregate one tile of positions; pointers are those of the batch item, group and window."""
    LOG2E: tl.constexpr = 1.4426950408889634
    NUMBER: tl.constexpr = value.dtype.element_ty
    tiles_w = tl.cdiv(width, PW)
    top = tile // tiles_w * PH
    left = tile % tiles_w * PW
    cell = tl.arange(0, PH * PW)
    own_h = top + cell // PW
    own_w = left + cell % PW
    inside = (own_h < height) & (own_w < width)
    own_h = tl.minimum(own_h, height - 1)
    own_w = tl.minimum(own_w, width - 1)
    start_h = first_key(own_h, height, SIDE)
    start_w = first_key(own_w, width, SIDE)
    own_logits = own_h.to(INDEX) * logits_h + own_w.to(INDEX) * logits_w
    own_table = (SIDE - 1 - own_h) * (2 * SIDE - 1) + SIDE - 1 - own_w

    highest = tl.full((PH * PW, CHUNK), float("-inf"), tl.float32)
    shift = own_table + start_h * (2 * SIDE - 1) + start_w
    for begin in range(0, SIDE * SIDE, CHUNK):
        t = begin + tl.arange(0, CHUNK)
        valid = inside[:, None] & (t < SIDE * SIDE)[None, :]
        score = tl.load(
            logits + (own_logits[:, None] + (t.to(INDEX) * logits_t)[None, :]), mask=valid, other=float("-inf")
        ).to(tl.float32)
        if HAS_TABLE:
            place = t // SIDE * (2 * SIDE - 1) + t % SIDE
            score += tl.load(table + (shift[:, None] + place[None, :]), mask=valid, other=0.0).to(tl.float32)
        highest = tl.maximum(highest, score)
    peak = tl.max(highest, axis=1)
    # Rows of no position would give -inf - -inf.
    peak = tl.where(inside, peak, 0.0)

    first_h = first_key(top, height, SIDE)
    first_w = first_key(left, width, SIDE)
    rows = first_key(tl.minimum(top + PH, height) - 1, height, SIDE) + SIDE - first_h
    columns = first_key(tl.minimum(left + PW, width) - 1, width, SIDE) + SIDE - first_w
    steps_w = tl.cdiv(columns, KW)
    key_cell = tl.arange(0, KH * KW)
    channel = tl.arange(0, CHANNEL_TILE)
    rebased = own_logits - (start_h * SIDE + start_w).to(INDEX) * logits_t
    total = tl.zeros((PH * PW, KH * KW), tl.float32)
    result = tl.zeros((PH * PW, CHANNEL_TILE), tl.float32)
    for step in range(tl.cdiv(rows, KH) * steps_w):
        key_h = first_h + step // steps_w * KH + key_cell // KW
        key_w = first_w + step % steps_w * KW + key_cell % KW
        down = key_h[None, :] - start_h[:, None]
        right = key_w[None, :] - start_w[:, None]
        seen = (down >= 0) & (down < SIDE) & (right >= 0) & (right < SIDE) & inside[:, None]
        score = tl.load(
            logits + (rebased[:, None] + ((key_h * SIDE + key_w).to(INDEX) * logits_t)[None, :]),
            mask=seen,
            other=float("-inf"),
        ).to(tl.float32)
        if HAS_TABLE:
            place = key_h * (2 * SIDE - 1) + key_w
            score += tl.load(table + (own_table[:, None] + place[None, :]), mask=seen, other=0.0).to(tl.float32)
        weight = tl.exp2((score - peak[:, None]) * LOG2E)
        total += weight
        there = (key_h < height) & (key_w < width)
        numbers = tl.load(
            value
            + (key_h.to(INDEX) * value_h + key_w.to(INDEX) * value_w)[:, None]
            + (channel.to(INDEX) * value_c)[None, :],
            mask=there[:, None] & (channel < CHANNELS)[None, :],
            other=0.0,
        )
        result = tl.dot(weight.to(NUMBER), numbers, result, input_precision="ieee")
    denominator = tl.where(inside, tl.sum(total, axis=1), 1.0)
    result = result / denominator[:, None]
    tl.store(
        out + (own_h.to(INDEX) * out_h + own_w.to(INDEX) * out_w)[:, None] + (channel.to(INDEX) * out_c)[None, :],
        result.to(NUMBER),
        mask=inside[:, None] & (channel < CHANNELS)[None, :],
    )
    tl.store(lse + own_h * width + own_w, peak + tl.log2(denominator) / LOG2E, mask=inside)


@triton.jit
def dynamic_fwd_kernel(
    logits,
    value,
    small_table,
    large_table,
    out,
    lse,
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
    out_b,
    out_m,
    out_g,
    out_c,
    out_h,
    out_w,
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
    """Give each program a tile of positions of one batch item, group and window, tiles of the large one first."""
    program = tl.program_id(0)
    all_tiles = small_tiles + large_tiles
    tile = program % all_tiles
    group = (program // all_tiles % groups).to(tl.int64)
    item = (program // all_tiles // groups).to(tl.int64)
    logits += item * logits_b + group * logits_g
    value += item * value_b + group * value_g
    out += item * out_b + group * out_g
    SETS: tl.constexpr = 1 if LARGE == 0 else 2
    lse += (item * SETS * groups + group) * height * width
    # 64 bits wide, and no constant when the other factor is.
    one = item * 0 + 1
    if tile >= large_tiles:
        CELLS: tl.constexpr = (2 * SMALL - 1) * (2 * SMALL - 1)
        attend_tile(
            tile - large_tiles,
            logits,
            value,
            small_table + group * CELLS,
            out,
            lse,
            height,
            width,
            logits_t,
            logits_h,
            logits_w,
            value_c,
            value_h,
            value_w,
            out_c,
            out_h,
            out_w,
            SMALL,
            HAS_SMALL_TABLE,
            CHANNELS,
            CHANNEL_TILE,
            SMALL_PH,
            SMALL_PW,
            SMALL_KH,
            SMALL_KW,
            32 if SMALL > 4 else 16,
            INDEX,
        )
    elif LARGE > 0:
        LARGE_CELLS: tl.constexpr = (2 * LARGE - 1) * (2 * LARGE - 1)
        attend_tile(
            tile,
            logits + one * (SMALL * SMALL) * logits_t,
            value + one * value_m,
            large_table + group * LARGE_CELLS,
            out + one * out_m,
            lse + one * groups * height * width,
            height,
            width,
            logits_t,
            logits_h,
            logits_w,
            value_c,
            value_h,
            value_w,
            out_c,
            out_h,
            out_w,
            LARGE,
            HAS_LARGE_TABLE,
            CHANNELS,
            CHANNEL_TILE,
            LARGE_PH,
            LARGE_PW,
            LARGE_KH,
            LARGE_KW,
            32 if LARGE > 4 else 16,
            INDEX,
        )


def _warps(channels: int) -> int:
    return WARPS if channels <= 32 else 2 * WARPS


def offsets_fit(*tensors: Tensor) -> bool:
    """Tell whether 32 bits hold every offset inside a batch item and group.

    Args:
        *tensors: Logits and value-shaped tensors, at any stride.

    Returns:
        Whether they do, with room for tiles that overhang the map.
    """
    return all(
        sum((size + 64) * abs(stride) for size, stride in zip(t.shape[-3:], t.stride()[-3:], strict=True)) < 2**31
        for t in tensors
    )


def tile_pair(inputs: Inputs, small: int, large: int, by_key: bool) -> tuple[Tiles, Tiles]:
    """Choose tiles for both windows.

    Args:
        inputs: The tensors.
        small: Side of the first window.
        large: Side of the second window, or 0.
        by_key: As in ``tiles``.

    Returns:
        Tiles of the small and of the large window; the latter with 0 programs when there is none.
    """
    height, width = inputs.value.shape[-2:]
    rows_only = inputs.logits.stride(2) != 1
    chosen = [tiles(height, width, side, by_key, rows_only) for side in window_sides(small, large)]
    return chosen[0], chosen[1] if large else _NO_TILES


def shared_arguments(inputs: Inputs, small: int, large: int, pair: tuple[Tiles, Tiles], fits: bool) -> dict[str, Any]:
    """Collect the compile-time arguments that the kernels share.

    Args:
        inputs: The tensors.
        small: Side of the first window.
        large: Side of the second window, or 0.
        pair: Tiles of both windows.
        fits: Whether offsets fit into 32 bits.

    Returns:
        Keyword arguments of a launch.
    """
    channels = inputs.value.shape[3]
    return {
        "SMALL": small,
        "LARGE": large,
        "HAS_SMALL_TABLE": inputs.small_bias is not None,
        "HAS_LARGE_TABLE": inputs.large_bias is not None,
        "CHANNELS": channels,
        "CHANNEL_TILE": max(16, triton.next_power_of_2(channels)),
        "INDEX": tl.int32 if fits else tl.int64,
        **tile_arguments(*pair),
        "num_warps": _warps(channels),
        "num_stages": 2,
    }


def tile_arguments(small: Tiles, large: Tiles) -> dict[str, int]:
    """Name the tile shapes as the kernels do.

    Args:
        small: Tiles of the small window.
        large: Tiles of the large one.

    Returns:
        Eight keyword arguments.
    """
    return {
        f"{name}_{letter}{axis}": shape[number]
        for name, chosen in (("SMALL", small), ("LARGE", large))
        for letter, shape in (("P", chosen.position), ("K", chosen.key))
        for number, axis in enumerate("HW")
    }


def contiguous_tables(inputs: Inputs) -> list[Tensor]:
    """Make the bias tables contiguous; any pointer stands for one that is not there.

    Args:
        inputs: The tensors.

    Returns:
        Both tables.
    """
    return [inputs.logits if table is None else table.contiguous() for table in inputs.tables]


def forward(inputs: Inputs, small: int, large: int) -> tuple[Tensor, Tensor]:
    """Aggregate.

    Args:
        inputs: The tensors, on a GPU (or anywhere, in Triton's interpreter).
        small: Side of the first window.
        large: Side of the second window, or 0.

    Returns:
        As in ``row_blocks.forward``.
    """
    logits, value = inputs.logits, inputs.value
    batch, sets, groups, _, height, width = value.shape
    out = torch.empty_like(value)
    lse = torch.empty((batch, sets, groups, height, width), dtype=torch.float32, device=value.device)
    if value.numel() == 0:
        return out, lse
    pair = tile_pair(inputs, small, large, by_key=False)
    count = batch * groups * (pair[0].programs + pair[1].programs)
    dynamic_fwd_kernel[(count,)](
        logits,
        value,
        *contiguous_tables(inputs),
        out,
        lse,
        groups,
        height,
        width,
        pair[0].programs,
        pair[1].programs,
        *logits.stride(),
        *value.stride(),
        *out.stride(),
        **shared_arguments(inputs, small, large, pair, offsets_fit(logits, value, out)),
    )
    return out, lse


# What is compiled without a device: (name, number type, height, width, windows, channels of a group).
CASES = (
    ("stage3", "bf16", 14, 14, (5, 13), 16),
    ("stage4", "bf16", 7, 7, (5, 7), 16),
    ("stage3_fp32", "fp32", 14, 14, (5, 13), 16),
    ("dense", "bf16", 64, 64, (5, 13), 10),
    ("single", "fp16", 32, 32, (7, 0), 64),
)


def case_arguments(case: tuple, kernel: Any, by_key: bool) -> tuple[dict[str, str], dict[str, Any], dict[str, int]]:
    """Say how to compile one of ``CASES``.

    Args:
        case: The case.
        kernel: Forward or main backward kernel.
        by_key: As in ``tiles``.

    Returns:
        Signature, constants and options.
    """
    _, number, height, width, (small, large), channels = case
    pair = [tiles(height, width, side, by_key, False) if side else _NO_TILES for side in (small, large)]
    constants = {
        "SMALL": small,
        "LARGE": large,
        "HAS_SMALL_TABLE": True,
        "HAS_LARGE_TABLE": large > 0,
        "CHANNELS": channels,
        "CHANNEL_TILE": max(16, triton.next_power_of_2(channels)),
        "INDEX": tl.int32,
        **tile_arguments(*pair),
        # What a launch makes constants of: strides of 1.
        **{name: 1 for name in ("logits_t", "dl_t", "value_w", "out_w", "grad_w", "dv_w") if name in kernel.arg_names},
    }
    wide = ("lse", "delta", "small_table", "large_table")
    tensors = ("logits", "value", "out", "grad", "grad_logits", "grad_value")
    kinds = {**dict.fromkeys(wide, "*fp32"), **dict.fromkeys(tensors, f"*{number}")}
    signature = {n: "constexpr" if n in constants else kinds.get(n, "i32") for n in kernel.arg_names}
    return signature, constants, {"num_warps": _warps(channels), "num_stages": 2}


def compile_cases() -> list[tuple]:
    """List what to compile without a device.

    Returns:
        Name, kernel, signature, constants and options of each case.
    """
    return [
        (f"dynamic_fwd_{case[0]}", dynamic_fwd_kernel, *case_arguments(case, dynamic_fwd_kernel, by_key=False))
        for case in CASES
    ]

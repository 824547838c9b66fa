"""Gradient of the relative position bias on a GPU: sums over queries and items, in one fixed order and without atomics.

The slopes of a tile of 16 queries are two products, 4 * 16 N dim operations for N keys, and 16 N exponentials. What a
bias gets lies on a diagonal of them: row by row, the slope of the key at query + offset. A gather inside the program
brings an offset into one column, which is then summed; only the offsets that some query of the tile uses are walked, so
each query costs about window operations more. Programs stride over the tiles of a head and add to partial sums of
their own, heads * offsets * 4 bytes each, which torch adds up at the end.
"""

# Kernels have no types that mypy knows.
# mypy: disallow-untyped-defs=False

from functools import lru_cache
from math import prod
from typing import Any

import torch
import triton
import triton.language as tl
from torch import Tensor

from foveate.kernels.neighborhood.plan import Tiling, make_tiling, three
from foveate.kernels.neighborhood.problem import Inputs
from foveate.kernels.neighborhood.triton_extra import evenly_spaced, on_device
from foveate.kernels.neighborhood.triton_forward import bias_of_pairs
from foveate.kernels.neighborhood.triton_geometry import (
    first_key,
    last_key,
    locate,
    matters,
    reach,
    split,
    token_number,
)
from foveate.kernels.window import Axis

# Programs of a multiprocessor, and numbers of all partial sums together.
_PROGRAMS, _LARGEST_SUMS = 4, 2**26
_LARGEST_TABLE = 2**18


def can_run(axes: tuple[Axis, ...]) -> str:
    """Say why the gradient of the bias cannot be computed for such windows.

    Args:
        axes: Windows along each axis.

    Returns:
        The reason, or an empty string.
    """
    size = _offsets(axes)
    if size > _LARGEST_TABLE:
        return f"the gradient of a bias takes {_LARGEST_TABLE} entries for each head at most, got {size}"
    return ""


def bias_gradient(
    inputs: Inputs,
    lse: Tensor,
    delta: Tensor,
    d_out: Tensor,
    axes: tuple[Axis, ...],
    scale: float,
    parts: int | None = None,
) -> Tensor:
    """Compute the gradient of the relative position bias.

    Args:
        inputs: The tensors of the call; the bias is one of them.
        lse: Its logsumexp (batch, *spatial, heads).
        delta: sum(out * d_out) - d_lse (batch, *spatial, heads), float32.
        d_out: Gradient of the output.
        axes: Windows along each axis.
        scale: Factor of the scores.
        parts: Programs of a head; None for as many as the device runs at once.

    Returns:
        The gradient (heads, 2 * window - 1 along each axis), in the type of the bias.

    Raises:
        ValueError: There is no bias.
    """
    bias = inputs.bias
    if bias is None:
        raise ValueError("the gradient of a bias needs a call with a bias, got None")
    strided = [evenly_spaced(tensor, len(axes)) for tensor in (*inputs[:3], d_out)]
    query, key, value, d_out = (tensor for tensor, _ in strided)
    batch, *_, heads, dim = query.shape
    dim_v = value.shape[-1]
    tiling = _tiling(axes, max(dim, dim_v))
    tiles = prod(a.dilation * -(-a.of_class(0).length // t) for a, t in zip(three(axes), tiling.tile, strict=True))
    size = _offsets(axes)
    parts = min(batch * tiles, parts or _parts(query.device, heads), max(1, _LARGEST_SUMS // (heads * size)))
    sums = torch.zeros(parts, heads, size, dtype=torch.float32, device=query.device)
    with on_device(query.device):
        neighborhood_bwd_bias_kernel[(heads * parts,)](
            query, key, value, bias.contiguous(), lse, delta, d_out, sums,
            *(number for _, strides in strided for number in strides),
            *(axis.length for axis in three(axes)), heads, tiles, batch * tiles, parts, scale * 1.4426950408889634,
            **_constants(axes, tiling, dim, dim_v, heads // key.shape[-2], query.dtype == torch.float32),
            num_warps=tiling.warps, num_stages=tiling.stages,
        )  # fmt: skip
    return sums.sum(0).reshape(bias.shape).to(bias.dtype)


def compile_cases() -> list[tuple]:
    """List what to compile without a device.

    Returns:
        Name, kernel, signature, constants and options of each case.
    """
    kernel, cases = neighborhood_bwd_bias_kernel, []
    for name, axes, dim in (
        ("1d_w65", (Axis(1024, 65),), 64),
        ("2d_w7", (Axis(56, 7),) * 2, 32),
        ("2d_w7_d2", (Axis(56, 7, 1, 2),) * 2, 32),
        ("2d_w13", (Axis(64, 13),) * 2, 64),
        ("2d_w33_causal", (Axis(128, 33, 2, 1, True), Axis(128, 33)), 128),
        ("3d_w5", (Axis(16, 5), Axis(32, 5), Axis(32, 5)), 64),
        ("2d_w7_wide", (Axis(56, 7),) * 2, 256),
    ):
        tiling = _tiling(axes, dim)
        constants = _constants(axes, tiling, dim, dim, 1, False)
        floats = ("bias_ptr", "lse_ptr", "delta_ptr", "sums_ptr")
        kinds = {**dict.fromkeys(("q_ptr", "k_ptr", "v_ptr", "d_out_ptr"), "*bf16"), **dict.fromkeys(floats, "*fp32")}
        kinds["scale"] = "fp32"
        signature = {n: "constexpr" if n in constants else kinds.get(n, "i32") for n in kernel.arg_names}
        options = {"num_warps": tiling.warps, "num_stages": tiling.stages}
        cases.append((f"bias_{name}", kernel, signature, constants, options))
    return cases


def _offsets(axes: tuple[Axis, ...]) -> int:
    return prod(2 * axis.window - 1 for axis in axes)


def _parts(device: torch.device, heads: int) -> int:
    return max(1, _multiprocessors(device.index or 0) * _PROGRAMS // heads) if device.type == "cuda" else 3


@lru_cache(maxsize=64)
def _multiprocessors(index: int) -> int:
    return torch.cuda.get_device_properties(index).multi_processor_count


@lru_cache(maxsize=1024)
def _tiling(axes: tuple[Axis, ...], dim: int) -> Tiling:
    tile = {1: (1, 1, 16), 2: (1, 4, 4), 3: (2, 2, 4)}[len(axes)]
    block = 128 if dim <= 64 else 64 if dim <= 128 else 32
    return make_tiling(axes, "query", tile, block=block, warps=4, stages=2, by_dot=False)


@lru_cache(maxsize=1024)
def _constants(axes: tuple[Axis, ...], tiling: Tiling, dim: int, dim_v: int, group: int, exact: bool) -> dict[str, Any]:
    padded = three(axes)
    window = prod(min(axis.window + axis.stride - 1, 2 * axis.window - 1) for axis in axes)
    return {
        "WINDOW": tuple(axis.window for axis in padded),
        "STRIDE": tuple(axis.stride for axis in padded),
        "DILATION": tuple(axis.dilation for axis in padded),
        "CAUSAL": tuple(axis.causal for axis in padded),
        "ACTIVE": tuple(axis.length > 1 for axis in padded),
        "TILE": tiling.tile,
        "BLOCK_N": tiling.block,
        "DIM": dim,
        "DIM_V": dim_v,
        "BLOCK_D": max(16, triton.next_power_of_2(dim)),
        "BLOCK_DV": max(16, triton.next_power_of_2(dim_v)),
        "CHUNK": min(256, max(64, triton.next_power_of_2(window))),
        "GROUP": group,
        "PRECISION": "ieee" if exact else "tf32",
    }


@triton.jit
def _slopes(q, g, k_base, v_base, bias, k_token, v_token, lse, delta, there, p0, p1, p2, t0, t1, t2, r0, r1, r2,
            n0, n1, n2, L1, L2, scale, WINDOW: tl.constexpr, STRIDE: tl.constexpr, DILATION: tl.constexpr,
            CAUSAL: tl.constexpr, ACTIVE: tl.constexpr, DIM: tl.constexpr, DIM_V: tl.constexpr, BLOCK_D: tl.constexpr,
            BLOCK_DV: tl.constexpr, PRECISION: tl.constexpr):  # fmt: skip
    """Gradient of the scores of the queries at p and the keys at t, 0 where they do not see each other."""
    d, dv = tl.arange(0, BLOCK_D), tl.arange(0, BLOCK_DV)
    row = token_number(t0, t1, t2, r0, r1, r2, L1, L2, DILATION).to(tl.int64)
    present = (t0 < n0) & (t1 < n1) & (t2 < n2)
    k = tl.load(k_base + row[:, None] * k_token + d[None, :], mask=present[:, None] & (d < DIM)[None, :], other=0.0)
    v = tl.load(v_base + row[:, None] * v_token + dv[None, :], mask=present[:, None] & (dv < DIM_V)[None, :], other=0.0)
    s = tl.dot(q, tl.trans(k), input_precision=PRECISION) * scale
    pairs = bias_of_pairs(bias, p0[:, None], p1[:, None], p2[:, None], t0[None, :], t1[None, :], t2[None, :], WINDOW)
    ok = matters(p0, p1, p2, t0, t1, t2, n0, n1, n2, WINDOW, STRIDE, CAUSAL, ACTIVE, False) & there[:, None]
    p = tl.exp2(s + pairs * 1.4426950408889634 - lse[:, None])
    return tl.where(ok, p * (tl.dot(g, tl.trans(v), input_precision=PRECISION) - delta[:, None]), 0.0)


@triton.jit
def _span(p, n, W: tl.constexpr, S: tl.constexpr, CAUSAL: tl.constexpr):
    """Smallest offset from a query at p to a key, and how many there are up to the largest."""
    low = tl.min(first_key(p, n, W, S, CAUSAL) - p, 0)
    return low, tl.max(last_key(p, n, W, S, CAUSAL) - p, 0) - low + 1


@triton.jit
def _add_diagonals(slope, sums, start, stop, begin, p0, p1, p2, b0, b1, b2, u0, u1, u2, low0, low1, low2, s1, s2,
                   WINDOW: tl.constexpr, BLOCK_N: tl.constexpr, CHUNK: tl.constexpr):  # fmt: skip
    """Add the columns of offsets start to stop; begin is the number of the first key of the slopes in its box."""
    for first in range(start, stop, CHUNK):
        o = first + tl.arange(0, CHUNK)
        d0, d1, d2 = low0 + o // (s1 * s2), low1 + o // s2 % s1, low2 + o % s2
        c0 = p0[:, None] + (d0 - b0)[None, :]
        c1 = p1[:, None] + (d1 - b1)[None, :]
        c2 = p2[:, None] + (d2 - b2)[None, :]
        key = (c0 * u1 + c1) * u2 + c2 - begin
        ok = (c0 >= 0) & (c0 < u0) & (c1 >= 0) & (c1 < u1) & (c2 >= 0) & (c2 < u2) & (key >= 0) & (key < BLOCK_N)
        picked = tl.gather(slope, tl.minimum(tl.maximum(key, 0), BLOCK_N - 1), 1)
        column = tl.sum(tl.where(ok, picked, 0.0), 0)
        y = (d0 + (WINDOW[0] - 1)) * (2 * WINDOW[1] - 1) + d1 + (WINDOW[1] - 1)
        at = sums + y * (2 * WINDOW[2] - 1) + d2 + (WINDOW[2] - 1)
        tl.store(at, tl.load(at, mask=o < stop, other=0.0) + column, mask=o < stop)
        # An offset is another thread's in the next round.
        tl.debug_barrier()


@triton.jit
def neighborhood_bwd_bias_kernel(
    q_ptr, k_ptr, v_ptr, bias_ptr, lse_ptr, delta_ptr, d_out_ptr, sums_ptr,
    q_batch, q_token, q_head, k_batch, k_token, k_head, v_batch, v_token, v_head, g_batch, g_token, g_head,
    L0, L1, L2, heads, tiles, work, parts, scale,
    WINDOW: tl.constexpr, STRIDE: tl.constexpr, DILATION: tl.constexpr, CAUSAL: tl.constexpr, ACTIVE: tl.constexpr,
    TILE: tl.constexpr, BLOCK_N: tl.constexpr, CHUNK: tl.constexpr, DIM: tl.constexpr, DIM_V: tl.constexpr,
    BLOCK_D: tl.constexpr, BLOCK_DV: tl.constexpr, GROUP: tl.constexpr, PRECISION: tl.constexpr,
):  # fmt: skip
    """Sum the slopes of every parts-th tile of a head over the diagonals of equal offsets."""
    BLOCK_M: tl.constexpr = TILE[0] * TILE[1] * TILE[2]
    head, part = tl.program_id(0) % heads, tl.program_id(0) // heads
    size = (2 * WINDOW[0] - 1) * (2 * WINDOW[1] - 1) * (2 * WINDOW[2] - 1)
    bias, sums = bias_ptr + head * size, sums_ptr + (part.to(tl.int64) * heads + head) * size
    m0, m1, m2 = split(tl.arange(0, BLOCK_M), TILE[1], TILE[2])
    d, dv = tl.arange(0, BLOCK_D), tl.arange(0, BLOCK_DV)
    for index in range(part, work, parts):
        batch = (index // tiles).to(tl.int64)
        r0, r1, r2, n0, n1, n2, a0, a1, a2 = locate(index % tiles, L0, L1, L2, DILATION, TILE)
        if (a0 < n0) & (a1 < n1) & (a2 < n2):
            there = (a0 + m0 < n0) & (a1 + m1 < n1) & (a2 + m2 < n2)
            p0, p1, p2 = tl.minimum(a0 + m0, n0 - 1), tl.minimum(a1 + m1, n1 - 1), tl.minimum(a2 + m2, n2 - 1)
            token = token_number(p0, p1, p2, r0, r1, r2, L1, L2, DILATION).to(tl.int64)
            q_at = q_ptr + batch * q_batch + head * q_head + token[:, None] * q_token + d[None, :]
            g_at = d_out_ptr + batch * g_batch + head * g_head + token[:, None] * g_token + dv[None, :]
            q = tl.load(q_at, mask=there[:, None] & (d < DIM)[None, :], other=0.0)
            g = tl.load(g_at, mask=there[:, None] & (dv < DIM_V)[None, :], other=0.0)
            o = (batch * L0 * L1 * L2 + token) * heads + head
            lse = tl.load(lse_ptr + o, mask=there, other=0.0) * 1.4426950408889634
            delta = tl.load(delta_ptr + o, mask=there, other=0.0)
            b0, e0, _x, _y = reach(a0, n0, TILE[0], WINDOW[0], STRIDE[0], CAUSAL[0], False)
            b1, e1, _x, _y = reach(a1, n1, TILE[1], WINDOW[1], STRIDE[1], CAUSAL[1], False)
            b2, e2, _x, _y = reach(a2, n2, TILE[2], WINDOW[2], STRIDE[2], CAUSAL[2], False)
            u0, u1, u2 = e0 - b0, e1 - b1, e2 - b2
            low0, s0 = _span(p0, n0, WINDOW[0], STRIDE[0], CAUSAL[0])
            low1, s1 = _span(p1, n1, WINDOW[1], STRIDE[1], CAUSAL[1])
            low2, s2 = _span(p2, n2, WINDOW[2], STRIDE[2], CAUSAL[2])
            for begin in range(0, u0 * u1 * u2, BLOCK_N):
                j = begin + tl.arange(0, BLOCK_N)
                slope = _slopes(
                    q, g, k_ptr + batch * k_batch + (head // GROUP) * k_head,
                    v_ptr + batch * v_batch + (head // GROUP) * v_head, bias, k_token, v_token, lse, delta, there,
                    p0, p1, p2, b0 + j // (u1 * u2), b1 + j // u2 % u1, b2 + j % u2, r0, r1, r2, n0, n1, n2, L1, L2,
                    scale, WINDOW, STRIDE, DILATION, CAUSAL, ACTIVE, DIM, DIM_V, BLOCK_D, BLOCK_DV,
                    PRECISION)  # fmt: skip
                # Offsets along the first axis that lead from these queries to these keys.
                if ACTIVE[0]:
                    plane, from_key, to_key = s1 * s2, b0 + begin // (u1 * u2), b0 + (begin + BLOCK_N - 1) // (u1 * u2)
                    nearest, farthest, low = from_key - tl.max(p0, 0), to_key - tl.min(p0, 0), low0
                elif ACTIVE[1]:
                    plane, from_key, to_key = s2, b1 + begin // u2, b1 + (begin + BLOCK_N - 1) // u2
                    nearest, farthest, low = from_key - tl.max(p1, 0), to_key - tl.min(p1, 0), low1
                else:
                    plane, from_key, to_key = 1, b2 + begin, b2 + begin + BLOCK_N - 1
                    nearest, farthest, low = from_key - tl.max(p2, 0), to_key - tl.min(p2, 0), low2
                start = tl.maximum(nearest - low, 0) * plane
                stop = tl.minimum((farthest - low + 1) * plane, s0 * s1 * s2)
                _add_diagonals(slope, sums, start, stop, begin, p0, p1, p2, b0, b1, b2, u0, u1, u2, low0, low1, low2,
                               s1, s2, WINDOW, BLOCK_N, CHUNK)  # fmt: skip

"""Backward kernels for small and middle windows that read tiles and penalties from tables; see ``triton_table``.

Sums are those of ``triton_backward``, in the order of one run over the box of candidates.
"""

# Kernels have no types that mypy knows.
# mypy: disallow-untyped-defs=False

import triton
import triton.language as tl

from foveate.kernels.neighborhood.triton_geometry import slot_members, slot_values
from foveate.kernels.neighborhood.triton_table import (
    box_offsets,
    box_tokens,
    load_rows,
    load_there,
    store_there,
    table_bias,
    table_rows,
    table_scores,
    table_tile,
)


@triton.jit
def table_query_step(q, g, k_base, v_base, k_token, v_token, penalties, members, bias, map_ptr, tile, j, L1, L2, scale,
                     lse, delta, acc, WINDOW: tl.constexpr, DILATION: tl.constexpr, TILE: tl.constexpr,
                     BOX: tl.constexpr, DIM: tl.constexpr, DIM_V: tl.constexpr, BLOCK_D: tl.constexpr,
                     BLOCK_DV: tl.constexpr, HAS_BIAS: tl.constexpr, END: tl.constexpr,
                     PRECISION: tl.constexpr):  # fmt: skip
    """Add what the keys j of the box give to d_query."""
    k = load_rows(k_base + box_offsets(j, k_token, L1, L2, BOX, DILATION, END, BLOCK_D), DIM, BLOCK_D)
    v = load_rows(v_base + box_offsets(j, v_token, L1, L2, BOX, DILATION, END, BLOCK_DV), DIM_V, BLOCK_DV)
    s = table_scores(q, k, tl.load(penalties + j[None, :]), members, bias, map_ptr, tile, j, scale, WINDOW, TILE, BOX,
                     HAS_BIAS, PRECISION)  # fmt: skip
    p = tl.exp2(s - lse[:, None] if HAS_BIAS else s * scale - lse[:, None])
    slope = p * (tl.dot(g, tl.trans(v), input_precision=PRECISION) - delta[:, None])
    return tl.dot(slope.to(k.dtype), k, acc=acc, input_precision=PRECISION)


@triton.jit
def neighborhood_table_bwd_query_kernel(
    q_ptr, k_ptr, v_ptr, bias_ptr, map_ptr, penalty_ptr, out_ptr, lse_ptr, d_out_ptr, d_lse_ptr, d_q_ptr, delta_ptr,
    q_batch, q_token, q_head, k_batch, k_token, k_head, v_batch, v_token, v_head, g_batch, g_token, g_head,
    L0, L1, L2, heads, scale,
    WINDOW: tl.constexpr, DILATION: tl.constexpr, ACTIVE: tl.constexpr,
    TILE: tl.constexpr, BOX: tl.constexpr, CHUNK: tl.constexpr, FULL: tl.constexpr, STARTS: tl.constexpr,
    SIZES: tl.constexpr, WIDTH: tl.constexpr, EVEN: tl.constexpr,
    DIM: tl.constexpr, DIM_V: tl.constexpr, BLOCK_D: tl.constexpr, BLOCK_DV: tl.constexpr, GROUP: tl.constexpr,
    SLOTS: tl.constexpr, HAS_BIAS: tl.constexpr, HAS_D_LSE: tl.constexpr, HEADS_FIRST: tl.constexpr,
    PRECISION: tl.constexpr,
):  # fmt: skip
    """Sum d_query of one tile of queries of one item and head, and write it and delta."""
    BLOCK_M: tl.constexpr = TILE[0] * TILE[1] * TILE[2]
    tile, item = tl.program_id(1 if HEADS_FIRST else 0), tl.program_id(0 if HEADS_FIRST else 1)
    token, there, first = table_tile(map_ptr, tile, L1, L2, TILE, DILATION, EVEN)
    d, dv = tl.arange(0, BLOCK_D), tl.arange(0, BLOCK_DV)
    members = slot_members(TILE, ACTIVE, SLOTS, penalty_ptr.dtype.element_ty)
    penalties = penalty_ptr + table_rows(map_ptr, tile, TILE, ACTIVE, SLOTS)[:, None] * WIDTH
    batch, head = (item // heads).to(tl.int64), item % heads
    o = (batch * L0 * L1 * L2 + token) * heads + head
    q_at = q_ptr + batch * q_batch + head * q_head + (token[:, None] * q_token + d[None, :])
    g_at = d_out_ptr + batch * g_batch + head * g_head + (token[:, None] * g_token + dv[None, :])
    q, g = load_there(q_at, there, DIM, BLOCK_D, EVEN), load_there(g_at, there, DIM_V, BLOCK_DV, EVEN)
    out = load_there(out_ptr + o[:, None] * DIM_V + dv[None, :], there, DIM_V, BLOCK_DV, EVEN)
    lse = tl.load(lse_ptr + o, mask=there, other=0.0) * 1.4426950408889634
    delta = tl.sum(out.to(tl.float32) * g.to(tl.float32), 1)
    if HAS_D_LSE:
        delta -= tl.load(d_lse_ptr + o, mask=there, other=0.0)
    tl.store(delta_ptr + o, delta, mask=there)
    k_base = k_ptr + batch * k_batch + (head // GROUP) * k_head + first * k_token
    v_base = v_ptr + batch * v_batch + (head // GROUP) * v_head + first * v_token
    bias = bias_ptr + head * (2 * WINDOW[0] - 1) * (2 * WINDOW[1] - 1) * (2 * WINDOW[2] - 1)
    acc = tl.zeros([BLOCK_M, BLOCK_D], tl.float32)
    for c in range(FULL):
        acc = table_query_step(
            q, g, k_base, v_base, k_token, v_token, penalties, members, bias, map_ptr, tile,
            c * CHUNK + tl.arange(0, CHUNK), L1, L2, scale, lse, delta, acc, WINDOW, DILATION, TILE, BOX, DIM,
            DIM_V, BLOCK_D, BLOCK_DV, HAS_BIAS, FULL * CHUNK, PRECISION)  # fmt: skip
    for c in tl.static_range(len(SIZES)):
        acc = table_query_step(
            q, g, k_base, v_base, k_token, v_token, penalties, members, bias, map_ptr, tile,
            STARTS[c] + tl.arange(0, SIZES[c]), L1, L2, scale, lse, delta, acc, WINDOW, DILATION, TILE, BOX,
            DIM, DIM_V, BLOCK_D, BLOCK_DV, HAS_BIAS, STARTS[c] + SIZES[c], PRECISION)  # fmt: skip
    acc = acc * (scale * 0.6931471805599453)
    store_there(d_q_ptr + o[:, None] * DIM + d[None, :], acc, there, DIM, BLOCK_D, EVEN)


@triton.jit
def table_key_step(k, v, q_base, g_base, q_token, g_token, lse_at, delta_at, heads, penalties, members, bias, map_ptr,
                   tile, j, L1, L2, scale, d_k, d_v, WINDOW: tl.constexpr, DILATION: tl.constexpr, TILE: tl.constexpr,
                   ACTIVE: tl.constexpr, SLOTS: tl.constexpr, BOX: tl.constexpr, DIM: tl.constexpr,
                   DIM_V: tl.constexpr, BLOCK_D: tl.constexpr, BLOCK_DV: tl.constexpr, HAS_BIAS: tl.constexpr,
                   END: tl.constexpr, PRECISION: tl.constexpr):  # fmt: skip
    """Add what the queries j of the box give to d_key and d_value."""
    q = load_rows(q_base + box_offsets(j, q_token, L1, L2, BOX, DILATION, END, BLOCK_D), DIM, BLOCK_D)
    g = load_rows(g_base + box_offsets(j, g_token, L1, L2, BOX, DILATION, END, BLOCK_DV), DIM_V, BLOCK_DV)
    row = box_tokens(j, L1, L2, BOX, DILATION, END) * heads
    lse, delta = tl.load(lse_at + row), tl.load(delta_at + row)
    TYPE: tl.constexpr = members.dtype
    # A product of its own: penalties so reach it without passing through registers.
    s = tl.dot(members, tl.load(penalties + j[None, :]), input_precision=PRECISION)
    below = slot_values(lse * (-1.4426950408889634 / scale), TILE, ACTIVE, SLOTS, TYPE)
    s = tl.dot(members, below, acc=s, input_precision=PRECISION)
    s = tl.dot(k, tl.trans(q), acc=s, input_precision=PRECISION) * scale
    slope = tl.dot(members, slot_values(-delta, TILE, ACTIVE, SLOTS, TYPE), input_precision=PRECISION)
    slope = tl.dot(v, tl.trans(g), acc=slope, input_precision=PRECISION)
    if HAS_BIAS:
        s = s + table_bias(bias, map_ptr, tile, j, WINDOW, TILE, BOX, True)
    p = tl.exp2(s)
    d_v = tl.dot(p.to(g.dtype), g, acc=d_v, input_precision=PRECISION)
    d_k = tl.dot((p * slope).to(q.dtype), q, acc=d_k, input_precision=PRECISION)
    return d_k, d_v


@triton.jit
def neighborhood_table_bwd_key_kernel(
    q_ptr, k_ptr, v_ptr, bias_ptr, map_ptr, penalty_ptr, lse_ptr, d_out_ptr, delta_ptr, d_k_ptr, d_v_ptr,
    q_batch, q_token, q_head, k_batch, k_token, k_head, v_batch, v_token, v_head, g_batch, g_token, g_head,
    L0, L1, L2, heads, scale,
    WINDOW: tl.constexpr, DILATION: tl.constexpr, ACTIVE: tl.constexpr,
    TILE: tl.constexpr, BOX: tl.constexpr, CHUNK: tl.constexpr, FULL: tl.constexpr, STARTS: tl.constexpr,
    SIZES: tl.constexpr, WIDTH: tl.constexpr, EVEN: tl.constexpr,
    DIM: tl.constexpr, DIM_V: tl.constexpr, BLOCK_D: tl.constexpr, BLOCK_DV: tl.constexpr, GROUP: tl.constexpr,
    SLOTS: tl.constexpr, HAS_BIAS: tl.constexpr, HEADS_FIRST: tl.constexpr, PRECISION: tl.constexpr,
):  # fmt: skip
    """Sum d_key and d_value of one tile of keys of one item and key head, over all query heads that share them."""
    BLOCK_M: tl.constexpr = TILE[0] * TILE[1] * TILE[2]
    tile, item = tl.program_id(1 if HEADS_FIRST else 0), tl.program_id(0 if HEADS_FIRST else 1)
    kv_heads = heads // GROUP
    token, there, first = table_tile(map_ptr, tile, L1, L2, TILE, DILATION, EVEN)
    d, dv = tl.arange(0, BLOCK_D), tl.arange(0, BLOCK_DV)
    members = slot_members(TILE, ACTIVE, SLOTS, penalty_ptr.dtype.element_ty)
    penalties = penalty_ptr + table_rows(map_ptr, tile, TILE, ACTIVE, SLOTS)[:, None] * WIDTH
    batch, kv_head = (item // kv_heads).to(tl.int64), item % kv_heads
    k_at = k_ptr + batch * k_batch + kv_head * k_head + (token[:, None] * k_token + d[None, :])
    v_at = v_ptr + batch * v_batch + kv_head * v_head + (token[:, None] * v_token + dv[None, :])
    k, v = load_there(k_at, there, DIM, BLOCK_D, EVEN), load_there(v_at, there, DIM_V, BLOCK_DV, EVEN)
    d_k, d_v = tl.zeros([BLOCK_M, BLOCK_D], tl.float32), tl.zeros([BLOCK_M, BLOCK_DV], tl.float32)
    for member in range(GROUP):
        head = kv_head * GROUP + member
        q_base = q_ptr + batch * q_batch + head * q_head + first * q_token
        g_base = d_out_ptr + batch * g_batch + head * g_head + first * g_token
        bias = bias_ptr + head * (2 * WINDOW[0] - 1) * (2 * WINDOW[1] - 1) * (2 * WINDOW[2] - 1)
        at = (batch * L0 * L1 * L2 + first) * heads + head
        for c in range(FULL):
            d_k, d_v = table_key_step(
                k, v, q_base, g_base, q_token, g_token, lse_ptr + at, delta_ptr + at, heads, penalties, members,
                bias, map_ptr, tile, c * CHUNK + tl.arange(0, CHUNK), L1, L2, scale, d_k, d_v, WINDOW, DILATION,
                TILE, ACTIVE, SLOTS, BOX, DIM, DIM_V, BLOCK_D, BLOCK_DV, HAS_BIAS, FULL * CHUNK,
                PRECISION)  # fmt: skip
        for c in tl.static_range(len(SIZES)):
            d_k, d_v = table_key_step(
                k, v, q_base, g_base, q_token, g_token, lse_ptr + at, delta_ptr + at, heads, penalties, members,
                bias, map_ptr, tile, STARTS[c] + tl.arange(0, SIZES[c]), L1, L2, scale, d_k, d_v, WINDOW,
                DILATION, TILE, ACTIVE, SLOTS, BOX, DIM, DIM_V, BLOCK_D, BLOCK_DV, HAS_BIAS, STARTS[c] + SIZES[c],
                PRECISION)  # fmt: skip
    d_k = d_k * (scale * 0.6931471805599453)
    o = (batch * L0 * L1 * L2 + token) * kv_heads + kv_head
    store_there(d_k_ptr + o[:, None] * DIM + d[None, :], d_k, there, DIM, BLOCK_D, EVEN)
    store_there(d_v_ptr + o[:, None] * DIM_V + dv[None, :], d_v, there, DIM_V, BLOCK_DV, EVEN)

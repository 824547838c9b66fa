"""Kernels for small windows: a program keeps its tile and goes through items and heads.

With 7 x 7 windows and heads of 32 a tile of 64 queries is 0.8 M operations on the tensor cores, less than what it takes
to find out where the tile lies and who sees whom. So that is done once for many items: offsets and penalties stay, the
loads of the next item run while this one computes, and the candidates are few enough to be unrolled. Where they are
not, a loop works their penalties out again for every item, and only the rest is done once.
"""

# Kernels have no types that mypy knows.
# mypy: disallow-untyped-defs=False, disable-error-code=assignment

import triton
import triton.language as tl

from foveate.kernels.neighborhood.triton_backward import key_step, query_step
from foveate.kernels.neighborhood.triton_forward import attend, scores_of_candidates
from foveate.kernels.neighborhood.triton_geometry import (
    locate,
    reach,
    slot_ends,
    slot_members,
    split,
    token_number,
)


@triton.jit
def _candidates(start, b0, b1, b2, r0, r1, r2, L1, L2, LAST: tl.constexpr, CHUNK: tl.constexpr, TAIL: tl.constexpr,
                BOX: tl.constexpr, DILATION: tl.constexpr):  # fmt: skip
    """Positions and token numbers of a chunk of the candidates of the box at b, row-major from start on."""
    t0, t1, t2 = split(start + tl.arange(0, TAIL if LAST else CHUNK), BOX[1], BOX[2])
    t0, t1, t2 = b0 + t0, b1 + t1, b2 + t2
    return t0, t1, t2, token_number(t0, t1, t2, r0, r1, r2, L1, L2, DILATION)


@triton.jit
def neighborhood_small_fwd_kernel(
    q_ptr, k_ptr, v_ptr, bias_ptr, out_ptr, lse_ptr,
    q_batch, q_token, q_head, k_batch, k_token, k_head, v_batch, v_token, v_head,
    L0, L1, L2, heads, tiles, items, scale,
    WINDOW: tl.constexpr, STRIDE: tl.constexpr, DILATION: tl.constexpr, CAUSAL: tl.constexpr, ACTIVE: tl.constexpr,
    TILE: tl.constexpr, BOX: tl.constexpr, CHUNK: tl.constexpr, TAIL: tl.constexpr, CHUNKS: tl.constexpr,
    UNROLLED: tl.constexpr, PER_PROGRAM: tl.constexpr,
    DIM: tl.constexpr, DIM_V: tl.constexpr, BLOCK_D: tl.constexpr, BLOCK_DV: tl.constexpr,
    GROUP: tl.constexpr, SLOTS: tl.constexpr, HAS_BIAS: tl.constexpr, MASK_TYPE: tl.constexpr, PRECISION: tl.constexpr,
):  # fmt: skip
    """Attend from one tile of queries in some items and heads, and write output and logsumexp."""
    BLOCK_M: tl.constexpr = TILE[0] * TILE[1] * TILE[2]
    pid = tl.program_id(0)
    r0, r1, r2, n0, n1, n2, a0, a1, a2 = locate(pid % tiles, L0, L1, L2, DILATION, TILE)
    if (a0 >= n0) | (a1 >= n1) | (a2 >= n2):
        return
    m0, m1, m2 = split(tl.arange(0, BLOCK_M), TILE[1], TILE[2])
    there = (a0 + m0 < n0) & (a1 + m1 < n1) & (a2 + m2 < n2)
    p0, p1, p2 = tl.minimum(a0 + m0, n0 - 1), tl.minimum(a1 + m1, n1 - 1), tl.minimum(a2 + m2, n2 - 1)
    token = token_number(p0, p1, p2, r0, r1, r2, L1, L2, DILATION)
    d, dv = tl.arange(0, BLOCK_D), tl.arange(0, BLOCK_DV)
    members, low, high = there, there, there
    if SLOTS > 0:
        members = slot_members(TILE, ACTIVE, SLOTS, MASK_TYPE)
        low, high = slot_ends(a0, a1, a2, n0, n1, n2, TILE, ACTIVE, SLOTS, WINDOW, STRIDE, CAUSAL, False)
    b0, _, _, _ = reach(a0, n0, TILE[0], WINDOW[0], STRIDE[0], CAUSAL[0], False)
    b1, _, _, _ = reach(a1, n1, TILE[1], WINDOW[1], STRIDE[1], CAUSAL[1], False)
    b2, _, _, _ = reach(a2, n2, TILE[2], WINDOW[2], STRIDE[2], CAUSAL[2], False)
    for i in range(PER_PROGRAM):
        # Past the last item the last one is computed again, to the same bits.
        item = tl.minimum(pid // tiles * PER_PROGRAM + i, items - 1)
        batch, head = (item // heads).to(tl.int64), item % heads
        q_at = q_ptr + batch * q_batch + head * q_head + token[:, None] * q_token + d[None, :]
        q = tl.load(q_at, mask=there[:, None] & (d < DIM)[None, :], other=0.0)
        k_base = k_ptr + batch * k_batch + (head // GROUP) * k_head
        v_base = v_ptr + batch * v_batch + (head // GROUP) * v_head
        bias = bias_ptr + head * (2 * WINDOW[0] - 1) * (2 * WINDOW[1] - 1) * (2 * WINDOW[2] - 1)
        acc = tl.zeros([BLOCK_M, BLOCK_DV], tl.float32)
        total, top = tl.zeros([BLOCK_M], tl.float32), tl.full([BLOCK_M], -1e15, tl.float32)
        if UNROLLED:
            # All scores before the one maximum: nothing is ever rescaled, and products wait for each other once.
            scores = ()
            for c in tl.static_range(CHUNKS):
                t0, t1, t2, row = _candidates(
                    c * CHUNK, b0, b1, b2, r0, r1, r2, L1, L2, c == CHUNKS - 1, CHUNK, TAIL, BOX, DILATION
                )
                s = scores_of_candidates(
                    q, k_base + (row[:, None] * k_token + d[None, :]), bias, members, low, high, p0, p1, p2,
                    t0, t1, t2, n0, n1, n2, scale, WINDOW, STRIDE, CAUSAL, ACTIVE, TILE, DIM, BLOCK_D, SLOTS,
                    HAS_BIAS, MASK_TYPE, PRECISION)  # fmt: skip
                top = tl.maximum(top, tl.max(s, 1))
                scores = scores + (s,)  # noqa: RUF005 (Triton unpacks nothing)
            if not HAS_BIAS:
                top = top * scale
            for c in tl.static_range(CHUNKS):
                t0, t1, t2, row = _candidates(
                    c * CHUNK, b0, b1, b2, r0, r1, r2, L1, L2, c == CHUNKS - 1, CHUNK, TAIL, BOX, DILATION
                )
                there_v = ((t0 < n0) & (t1 < n1) & (t2 < n2))[:, None] & (dv < DIM_V)[None, :]
                v = tl.load(v_base + (row[:, None] * v_token + dv[None, :]), mask=there_v, other=0.0)
                p = tl.exp2(scores[c] - top[:, None] if HAS_BIAS else scores[c] * scale - top[:, None])
                total += tl.sum(p, 1)
                acc = tl.dot(p.to(v.dtype), v, acc=acc, input_precision=PRECISION)
        else:
            for c in range(CHUNKS):
                t0, t1, t2, row = _candidates(
                    c * CHUNK, b0, b1, b2, r0, r1, r2, L1, L2, False, CHUNK, TAIL, BOX, DILATION
                )
                k_at = k_base + (row[:, None] * k_token + d[None, :])
                v_at = v_base + (row[:, None] * v_token + dv[None, :])
                acc, total, top = attend(
                    q, k_at, v_at, bias, members, low, high, p0, p1, p2, t0, t1, t2, n0, n1, n2, scale, acc, total, top,
                    WINDOW, STRIDE, CAUSAL, ACTIVE, TILE, DIM, DIM_V, BLOCK_D, BLOCK_DV, SLOTS, HAS_BIAS, True,
                    MASK_TYPE, PRECISION)  # fmt: skip
        acc = acc * (1.0 / total)[:, None]  # one division a row, not one an element
        o = (batch * L0 * L1 * L2 + token) * heads + head
        keep_v = there[:, None] & (dv < DIM_V)[None, :]
        tl.store(out_ptr + o[:, None] * DIM_V + dv[None, :], acc.to(out_ptr.dtype.element_ty), mask=keep_v)
        tl.store(lse_ptr + o, (top + tl.log2(total)) * 0.6931471805599453, mask=there)


@triton.jit
def neighborhood_small_bwd_query_kernel(
    q_ptr, k_ptr, v_ptr, bias_ptr, out_ptr, lse_ptr, d_out_ptr, d_lse_ptr, d_q_ptr, delta_ptr,
    q_batch, q_token, q_head, k_batch, k_token, k_head, v_batch, v_token, v_head, g_batch, g_token, g_head,
    L0, L1, L2, heads, tiles, items, scale,
    WINDOW: tl.constexpr, STRIDE: tl.constexpr, DILATION: tl.constexpr, CAUSAL: tl.constexpr, ACTIVE: tl.constexpr,
    TILE: tl.constexpr, BOX: tl.constexpr, CHUNK: tl.constexpr, TAIL: tl.constexpr, CHUNKS: tl.constexpr,
    UNROLLED: tl.constexpr, PER_PROGRAM: tl.constexpr,
    DIM: tl.constexpr, DIM_V: tl.constexpr, BLOCK_D: tl.constexpr, BLOCK_DV: tl.constexpr,
    GROUP: tl.constexpr, SLOTS: tl.constexpr, HAS_BIAS: tl.constexpr, HAS_D_LSE: tl.constexpr,
    MASK_TYPE: tl.constexpr, PRECISION: tl.constexpr,
):  # fmt: skip
    """Sum d_query of one tile of queries in some items and heads, and write it and delta."""
    BLOCK_M: tl.constexpr = TILE[0] * TILE[1] * TILE[2]
    pid = tl.program_id(0)
    r0, r1, r2, n0, n1, n2, a0, a1, a2 = locate(pid % tiles, L0, L1, L2, DILATION, TILE)
    if (a0 >= n0) | (a1 >= n1) | (a2 >= n2):
        return
    m0, m1, m2 = split(tl.arange(0, BLOCK_M), TILE[1], TILE[2])
    there = (a0 + m0 < n0) & (a1 + m1 < n1) & (a2 + m2 < n2)
    p0, p1, p2 = tl.minimum(a0 + m0, n0 - 1), tl.minimum(a1 + m1, n1 - 1), tl.minimum(a2 + m2, n2 - 1)
    token = token_number(p0, p1, p2, r0, r1, r2, L1, L2, DILATION)
    d, dv = tl.arange(0, BLOCK_D), tl.arange(0, BLOCK_DV)
    keep, keep_v = there[:, None] & (d < DIM)[None, :], there[:, None] & (dv < DIM_V)[None, :]
    members, low, high = there, there, there
    if SLOTS > 0:
        members = slot_members(TILE, ACTIVE, SLOTS, MASK_TYPE)
        low, high = slot_ends(a0, a1, a2, n0, n1, n2, TILE, ACTIVE, SLOTS, WINDOW, STRIDE, CAUSAL, False)
    b0, _, _, _ = reach(a0, n0, TILE[0], WINDOW[0], STRIDE[0], CAUSAL[0], False)
    b1, _, _, _ = reach(a1, n1, TILE[1], WINDOW[1], STRIDE[1], CAUSAL[1], False)
    b2, _, _, _ = reach(a2, n2, TILE[2], WINDOW[2], STRIDE[2], CAUSAL[2], False)
    for i in range(PER_PROGRAM):
        item = tl.minimum(pid // tiles * PER_PROGRAM + i, items - 1)
        batch, head = (item // heads).to(tl.int64), item % heads
        o = (batch * L0 * L1 * L2 + token) * heads + head
        q_at = q_ptr + batch * q_batch + head * q_head + token[:, None] * q_token + d[None, :]
        g_at = d_out_ptr + batch * g_batch + head * g_head + token[:, None] * g_token + dv[None, :]
        q, g = tl.load(q_at, mask=keep, other=0.0), tl.load(g_at, mask=keep_v, other=0.0)
        out = tl.load(out_ptr + o[:, None] * DIM_V + dv[None, :], mask=keep_v, other=0.0)
        lse = tl.load(lse_ptr + o, mask=there, other=0.0) * 1.4426950408889634
        delta = tl.sum(out.to(tl.float32) * g.to(tl.float32), 1)
        if HAS_D_LSE:
            delta -= tl.load(d_lse_ptr + o, mask=there, other=0.0)
        tl.store(delta_ptr + o, delta, mask=there)
        k_base = k_ptr + batch * k_batch + (head // GROUP) * k_head
        v_base = v_ptr + batch * v_batch + (head // GROUP) * v_head
        bias = bias_ptr + head * (2 * WINDOW[0] - 1) * (2 * WINDOW[1] - 1) * (2 * WINDOW[2] - 1)
        acc = tl.zeros([BLOCK_M, BLOCK_D], tl.float32)
        if UNROLLED:
            for c in tl.static_range(CHUNKS):
                t0, t1, t2, row = _candidates(
                    c * CHUNK, b0, b1, b2, r0, r1, r2, L1, L2, c == CHUNKS - 1, CHUNK, TAIL, BOX, DILATION
                )
                k_at = k_base + (row[:, None] * k_token + d[None, :])
                v_at = v_base + (row[:, None] * v_token + dv[None, :])
                acc = query_step(
                    q, g, k_at, v_at, bias, members, low, high, p0, p1, p2, t0, t1, t2, n0, n1, n2, scale, lse, delta,
                    acc, WINDOW, STRIDE, CAUSAL, ACTIVE, TILE, DIM, DIM_V, BLOCK_D, BLOCK_DV, SLOTS, HAS_BIAS, True,
                    MASK_TYPE, PRECISION)  # fmt: skip
        else:
            for c in range(CHUNKS):
                t0, t1, t2, row = _candidates(
                    c * CHUNK, b0, b1, b2, r0, r1, r2, L1, L2, False, CHUNK, TAIL, BOX, DILATION
                )
                k_at = k_base + (row[:, None] * k_token + d[None, :])
                v_at = v_base + (row[:, None] * v_token + dv[None, :])
                acc = query_step(
                    q, g, k_at, v_at, bias, members, low, high, p0, p1, p2, t0, t1, t2, n0, n1, n2, scale, lse, delta,
                    acc, WINDOW, STRIDE, CAUSAL, ACTIVE, TILE, DIM, DIM_V, BLOCK_D, BLOCK_DV, SLOTS, HAS_BIAS, True,
                    MASK_TYPE, PRECISION)  # fmt: skip
        acc = acc * (scale * 0.6931471805599453)
        tl.store(d_q_ptr + o[:, None] * DIM + d[None, :], acc.to(d_q_ptr.dtype.element_ty), mask=keep)


@triton.jit
def neighborhood_small_bwd_key_kernel(
    q_ptr, k_ptr, v_ptr, bias_ptr, lse_ptr, d_out_ptr, delta_ptr, d_k_ptr, d_v_ptr,
    q_batch, q_token, q_head, k_batch, k_token, k_head, v_batch, v_token, v_head, g_batch, g_token, g_head,
    L0, L1, L2, heads, tiles, items, scale,
    WINDOW: tl.constexpr, STRIDE: tl.constexpr, DILATION: tl.constexpr, CAUSAL: tl.constexpr, ACTIVE: tl.constexpr,
    TILE: tl.constexpr, BOX: tl.constexpr, CHUNK: tl.constexpr, TAIL: tl.constexpr, CHUNKS: tl.constexpr,
    UNROLLED: tl.constexpr, PER_PROGRAM: tl.constexpr,
    DIM: tl.constexpr, DIM_V: tl.constexpr, BLOCK_D: tl.constexpr, BLOCK_DV: tl.constexpr,
    GROUP: tl.constexpr, SLOTS: tl.constexpr, HAS_BIAS: tl.constexpr, MASK_TYPE: tl.constexpr, PRECISION: tl.constexpr,
):  # fmt: skip
    """Sum d_key and d_value of one tile of keys in some items and key heads; ``items`` counts those."""
    BLOCK_M: tl.constexpr = TILE[0] * TILE[1] * TILE[2]
    pid = tl.program_id(0)
    kv_heads = heads // GROUP
    r0, r1, r2, n0, n1, n2, a0, a1, a2 = locate(pid % tiles, L0, L1, L2, DILATION, TILE)
    if (a0 >= n0) | (a1 >= n1) | (a2 >= n2):
        return
    m0, m1, m2 = split(tl.arange(0, BLOCK_M), TILE[1], TILE[2])
    there = (a0 + m0 < n0) & (a1 + m1 < n1) & (a2 + m2 < n2)
    p0, p1, p2 = tl.minimum(a0 + m0, n0 - 1), tl.minimum(a1 + m1, n1 - 1), tl.minimum(a2 + m2, n2 - 1)
    token = token_number(p0, p1, p2, r0, r1, r2, L1, L2, DILATION)
    d, dv = tl.arange(0, BLOCK_D), tl.arange(0, BLOCK_DV)
    keep, keep_v = there[:, None] & (d < DIM)[None, :], there[:, None] & (dv < DIM_V)[None, :]
    members, low, high = there, there, there
    if SLOTS > 0:
        members = slot_members(TILE, ACTIVE, SLOTS, MASK_TYPE)
        low, high = slot_ends(a0, a1, a2, n0, n1, n2, TILE, ACTIVE, SLOTS, WINDOW, STRIDE, CAUSAL, True)
    b0, _, _, _ = reach(a0, n0, TILE[0], WINDOW[0], STRIDE[0], CAUSAL[0], True)
    b1, _, _, _ = reach(a1, n1, TILE[1], WINDOW[1], STRIDE[1], CAUSAL[1], True)
    b2, _, _, _ = reach(a2, n2, TILE[2], WINDOW[2], STRIDE[2], CAUSAL[2], True)
    for i in range(PER_PROGRAM):
        item = tl.minimum(pid // tiles * PER_PROGRAM + i, items - 1)
        batch, kv_head = (item // kv_heads).to(tl.int64), item % kv_heads
        k_at = k_ptr + batch * k_batch + kv_head * k_head + token[:, None] * k_token + d[None, :]
        v_at = v_ptr + batch * v_batch + kv_head * v_head + token[:, None] * v_token + dv[None, :]
        k, v = tl.load(k_at, mask=keep, other=0.0), tl.load(v_at, mask=keep_v, other=0.0)
        d_k, d_v = tl.zeros([BLOCK_M, BLOCK_D], tl.float32), tl.zeros([BLOCK_M, BLOCK_DV], tl.float32)
        first = batch * L0 * L1 * L2 * heads
        for member in tl.static_range(GROUP):
            head = kv_head * GROUP + member
            q_base, g_base = q_ptr + batch * q_batch + head * q_head, d_out_ptr + batch * g_batch + head * g_head
            bias = bias_ptr + head * (2 * WINDOW[0] - 1) * (2 * WINDOW[1] - 1) * (2 * WINDOW[2] - 1)
            if UNROLLED:
                for c in tl.static_range(CHUNKS):
                    t0, t1, t2, row = _candidates(
                        c * CHUNK, b0, b1, b2, r0, r1, r2, L1, L2, c == CHUNKS - 1, CHUNK, TAIL, BOX, DILATION
                    )
                    d_k, d_v = key_step(
                        k, v, q_base + (row[:, None] * q_token + d[None, :]),
                        g_base + (row[:, None] * g_token + dv[None, :]),
                        lse_ptr + first + head + row * heads, delta_ptr + first + head + row * heads, bias,
                        members, low, high, p0, p1, p2, t0, t1, t2, n0, n1, n2, scale, d_k, d_v,
                        WINDOW, STRIDE, CAUSAL, ACTIVE, TILE, DIM, DIM_V, BLOCK_D, BLOCK_DV, SLOTS, HAS_BIAS, True,
                        MASK_TYPE, PRECISION)  # fmt: skip
            else:
                for c in range(CHUNKS):
                    t0, t1, t2, row = _candidates(
                        c * CHUNK, b0, b1, b2, r0, r1, r2, L1, L2, False, CHUNK, TAIL, BOX, DILATION
                    )
                    d_k, d_v = key_step(
                        k, v, q_base + (row[:, None] * q_token + d[None, :]),
                        g_base + (row[:, None] * g_token + dv[None, :]),
                        lse_ptr + first + head + row * heads, delta_ptr + first + head + row * heads, bias,
                        members, low, high, p0, p1, p2, t0, t1, t2, n0, n1, n2, scale, d_k, d_v,
                        WINDOW, STRIDE, CAUSAL, ACTIVE, TILE, DIM, DIM_V, BLOCK_D, BLOCK_DV, SLOTS, HAS_BIAS, True,
                        MASK_TYPE, PRECISION)  # fmt: skip
        d_k = d_k * (scale * 0.6931471805599453)
        o = (batch * L0 * L1 * L2 + token) * kv_heads + kv_head
        tl.store(d_k_ptr + o[:, None] * DIM + d[None, :], d_k.to(d_k_ptr.dtype.element_ty), mask=keep)
        tl.store(d_v_ptr + o[:, None] * DIM_V + dv[None, :], d_v.to(d_v_ptr.dtype.element_ty), mask=keep_v)

"""Backward kernels of neighborhood attention, without atomics: one program sums a gradient, always in one order.

The kernel of d_query walks the keys of a tile of queries as the forward does (3 products, 6 M N dim operations), and
leaves delta = sum(out * d_out) - d_lse behind. The kernel of d_key and d_value walks the queries that see a tile of
keys (4 products, 8 M N dim); which ones they are is known in closed form. Probabilities are computed again from the
logsumexp.
"""

# Kernels have no types that mypy knows.
# mypy: disallow-untyped-defs=False

import triton
import triton.language as tl

from foveate.kernels.neighborhood.triton_forward import bias_of_pairs, masked_scores
from foveate.kernels.neighborhood.triton_geometry import (
    boundary_tile,
    full_range,
    locate,
    matters,
    next_tile,
    reach,
    reciprocal,
    run_through,
    slot_ends,
    slot_members,
    slot_penalty,
    slot_values,
    split,
    tiles_ahead,
    token_number,
)


@triton.jit
def query_step(q, g, k_at, v_at, bias, members, low, high, p0, p1, p2, t0, t1, t2, n0, n1, n2, scale, lse, delta,
                acc, WINDOW: tl.constexpr, STRIDE: tl.constexpr, CAUSAL: tl.constexpr, ACTIVE: tl.constexpr,
                TILE: tl.constexpr, DIM: tl.constexpr, DIM_V: tl.constexpr, BLOCK_D: tl.constexpr,
                BLOCK_DV: tl.constexpr, SLOTS: tl.constexpr, HAS_BIAS: tl.constexpr, MASKED: tl.constexpr,
                MASK_TYPE: tl.constexpr, PRECISION: tl.constexpr):  # fmt: skip
    """Add what the keys at positions t give to d_query."""
    d, dv = tl.arange(0, BLOCK_D), tl.arange(0, BLOCK_DV)
    if MASKED:
        there = (t0 < n0) & (t1 < n1) & (t2 < n2)
        k = tl.load(k_at, mask=there[:, None] & (d < DIM)[None, :], other=0.0)
        v = tl.load(v_at, mask=there[:, None] & (dv < DIM_V)[None, :], other=0.0)
        s = masked_scores(q, k, members, low, high, p0, p1, p2, t0, t1, t2, there, n0, n1, n2, WINDOW, STRIDE,
                          CAUSAL, ACTIVE, TILE, SLOTS, False, MASK_TYPE, PRECISION)  # fmt: skip
    else:
        k = tl.load(k_at) if BLOCK_D == DIM else tl.load(k_at, mask=(d < DIM)[None, :], other=0.0)
        v = tl.load(v_at) if BLOCK_DV == DIM_V else tl.load(v_at, mask=(dv < DIM_V)[None, :], other=0.0)
        s = tl.dot(q, tl.trans(k), input_precision=PRECISION)
    s = s * scale
    if HAS_BIAS:
        pairs = bias_of_pairs(
            bias, p0[:, None], p1[:, None], p2[:, None], t0[None, :], t1[None, :], t2[None, :], WINDOW
        )
        s = s + pairs * 1.4426950408889634
    p = tl.exp2(s - lse[:, None])
    slope = p * (tl.dot(g, tl.trans(v), input_precision=PRECISION) - delta[:, None])
    return tl.dot(slope.to(k.dtype), k, acc=acc, input_precision=PRECISION)


@triton.jit
def neighborhood_bwd_query_kernel(
    q_ptr, k_ptr, v_ptr, bias_ptr, extra_k_ptr, extra_v_ptr, out_ptr, lse_ptr, d_out_ptr, d_lse_ptr, d_q_ptr, delta_ptr,
    q_batch, q_token, q_head, k_batch, k_token, k_head, v_batch, v_token, v_head,
    ek_batch, ek_token, ek_head, ev_batch, ev_token, ev_head, g_batch, g_token, g_head,
    L0, L1, L2, heads, tiles, extra, scale,
    WINDOW: tl.constexpr, STRIDE: tl.constexpr, DILATION: tl.constexpr, CAUSAL: tl.constexpr, ACTIVE: tl.constexpr,
    TILE: tl.constexpr, BOX: tl.constexpr, FLAT: tl.constexpr, BLOCK_N: tl.constexpr,
    DIM: tl.constexpr, DIM_V: tl.constexpr, BLOCK_D: tl.constexpr, BLOCK_DV: tl.constexpr, GROUP: tl.constexpr,
    SLOTS: tl.constexpr, HAS_BIAS: tl.constexpr, HAS_EXTRA: tl.constexpr, HAS_D_LSE: tl.constexpr,
    HEADS_FIRST: tl.constexpr, WIDE: tl.constexpr, MASK_TYPE: tl.constexpr, PRECISION: tl.constexpr,
):  # fmt: skip
    """Sum d_query of one tile of queries of one head, and write it and delta."""
    BLOCK_M: tl.constexpr = TILE[0] * TILE[1] * TILE[2]
    pid = tl.program_id(0)
    if HEADS_FIRST:
        head, tile, batch = pid % heads, pid // heads % tiles, (pid // (heads * tiles)).to(tl.int64)
    else:
        tile, head, batch = pid % tiles, pid // tiles % heads, (pid // (heads * tiles)).to(tl.int64)
    r0, r1, r2, n0, n1, n2, a0, a1, a2 = locate(tile, L0, L1, L2, DILATION, TILE)
    if (a0 >= n0) | (a1 >= n1) | (a2 >= n2):
        return
    m0, m1, m2 = split(tl.arange(0, BLOCK_M), TILE[1], TILE[2])
    there = (a0 + m0 < n0) & (a1 + m1 < n1) & (a2 + m2 < n2)
    p0, p1, p2 = tl.minimum(a0 + m0, n0 - 1), tl.minimum(a1 + m1, n1 - 1), tl.minimum(a2 + m2, n2 - 1)
    token = token_number(p0, p1, p2, r0, r1, r2, L1, L2, DILATION).to(tl.int64)
    d, dv = tl.arange(0, BLOCK_D), tl.arange(0, BLOCK_DV)
    q_at = q_ptr + batch * q_batch + head * q_head + token[:, None] * q_token + d[None, :]
    g_at = d_out_ptr + batch * g_batch + head * g_head + token[:, None] * g_token + dv[None, :]
    o = (batch * L0 * L1 * L2 + token) * heads + head
    keep, keep_v = there[:, None] & (d < DIM)[None, :], there[:, None] & (dv < DIM_V)[None, :]
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
    members, low, high = there, there, there
    if SLOTS > 0:
        members = slot_members(TILE, ACTIVE, SLOTS, MASK_TYPE)
        low, high = slot_ends(a0, a1, a2, n0, n1, n2, TILE, ACTIVE, SLOTS, WINDOW, STRIDE, CAUSAL, False)
    b0, e0, f0, g0 = reach(a0, n0, TILE[0], WINDOW[0], STRIDE[0], CAUSAL[0], False)
    b1, e1, f1, g1 = reach(a1, n1, TILE[1], WINDOW[1], STRIDE[1], CAUSAL[1], False)
    b2, e2, f2, g2 = reach(a2, n2, TILE[2], WINDOW[2], STRIDE[2], CAUSAL[2], False)
    acc = tl.zeros([BLOCK_M, BLOCK_D], tl.float32)
    if FLAT:
        u1, u2 = e1 - b1, e2 - b2
        v1, v2 = reciprocal(u1), reciprocal(u2)
        for start in range(0, (e0 - b0) * u1 * u2, BLOCK_N):
            t0, t1, t2 = run_through(start + tl.arange(0, BLOCK_N), u1, u2, v1, v2)
            t0, t1, t2 = b0 + t0, b1 + t1, b2 + t2
            row = token_number(t0, t1, t2, r0, r1, r2, L1, L2, DILATION)
            if WIDE:
                row = row.to(tl.int64)
            k_at, v_at = k_base + row[:, None] * k_token + d[None, :], v_base + row[:, None] * v_token + dv[None, :]
            acc = query_step(
                q, g, k_at, v_at, bias, members, low, high, p0, p1, p2, t0, t1, t2, n0, n1, n2, scale, lse, delta, acc,
                WINDOW, STRIDE, CAUSAL, ACTIVE, TILE, DIM, DIM_V, BLOCK_D, BLOCK_DV, SLOTS, HAS_BIAS, True,
                MASK_TYPE, PRECISION)  # fmt: skip
    else:
        c0, x0, f0 = full_range(b0, e0, f0, g0, BOX[0])
        c1, x1, f1 = full_range(b1, e1, f1, g1, BOX[1])
        c2, x2, f2 = full_range(b2, e2, f2, g2, BOX[2])
        t0, t1, t2 = split(tl.arange(0, BLOCK_N), BOX[1], BOX[2])
        t0, t1, t2 = b0 + t0, b1 + t1, b2 + t2
        row = token_number(t0, t1, t2, r0, r1, r2, L1, L2, DILATION)
        if WIDE:
            row = row.to(tl.int64)
        k_first, v_first = k_base + row[:, None] * k_token + d[None, :], v_base + row[:, None] * v_token + dv[None, :]
        full = f0 * f1 * f2
        i0, i1, i2 = x0, x1, x2
        for _ in range(full):
            ahead = tiles_ahead(i0, i1, i2, L1, L2, BOX, DILATION, WIDE)
            acc = query_step(
                q, g, k_first + ahead * k_token, v_first + ahead * v_token, bias, members, low, high, p0, p1, p2,
                t0 + i0 * BOX[0], t1 + i1 * BOX[1], t2 + i2 * BOX[2], n0, n1, n2, scale, lse, delta, acc,
                WINDOW, STRIDE, CAUSAL, ACTIVE, TILE, DIM, DIM_V, BLOCK_D, BLOCK_DV, SLOTS, HAS_BIAS, False,
                MASK_TYPE, PRECISION)  # fmt: skip
            i0, i1, i2 = next_tile(i0, i1, i2, x1, x2, f1, f2)
        for i in range(c0 * c1 * c2 - full):
            i0, i1, i2 = boundary_tile(i, c0, c1, c2, x0, x1, x2, f0, f1, f2)
            ahead = tiles_ahead(i0, i1, i2, L1, L2, BOX, DILATION, WIDE)
            acc = query_step(
                q, g, k_first + ahead * k_token, v_first + ahead * v_token, bias, members, low, high, p0, p1, p2,
                t0 + i0 * BOX[0], t1 + i1 * BOX[1], t2 + i2 * BOX[2], n0, n1, n2, scale, lse, delta, acc,
                WINDOW, STRIDE, CAUSAL, ACTIVE, TILE, DIM, DIM_V, BLOCK_D, BLOCK_DV, SLOTS, HAS_BIAS, True,
                MASK_TYPE, PRECISION)  # fmt: skip
    if HAS_EXTRA:
        ek_base = extra_k_ptr + batch * ek_batch + (head // GROUP) * ek_head
        ev_base = extra_v_ptr + batch * ev_batch + (head // GROUP) * ev_head
        for start in range(0, extra, BLOCK_N):
            e = start + tl.arange(0, BLOCK_N)
            k = tl.load(
                ek_base + e[:, None] * ek_token + d[None, :], mask=(e < extra)[:, None] & (d < DIM)[None, :], other=0.0
            )
            v = tl.load(
                ev_base + e[:, None] * ev_token + dv[None, :],
                mask=(e < extra)[:, None] & (dv < DIM_V)[None, :],
                other=0.0,
            )
            s = tl.dot(q, tl.trans(k), input_precision=PRECISION) * scale
            p = tl.where((e < extra)[None, :], tl.exp2(s - lse[:, None]), 0.0)
            slope = p * (tl.dot(g, tl.trans(v), input_precision=PRECISION) - delta[:, None])
            acc = tl.dot(slope.to(k.dtype), k, acc=acc, input_precision=PRECISION)
    acc = acc * (scale * 0.6931471805599453)
    tl.store(d_q_ptr + o[:, None] * DIM + d[None, :], acc.to(d_q_ptr.dtype.element_ty), mask=keep)


@triton.jit
def key_step(k, v, q_at, g_at, lse_at, delta_at, bias, members, low, high, p0, p1, p2, t0, t1, t2, n0, n1, n2, scale,
             d_k, d_v, WINDOW: tl.constexpr, STRIDE: tl.constexpr, CAUSAL: tl.constexpr, ACTIVE: tl.constexpr,
             TILE: tl.constexpr, DIM: tl.constexpr, DIM_V: tl.constexpr, BLOCK_D: tl.constexpr,
             BLOCK_DV: tl.constexpr, SLOTS: tl.constexpr, HAS_BIAS: tl.constexpr, MASKED: tl.constexpr,
             MASK_TYPE: tl.constexpr, PRECISION: tl.constexpr):  # fmt: skip
    """Add what the queries at positions t give to d_key and d_value."""
    d, dv = tl.arange(0, BLOCK_D), tl.arange(0, BLOCK_DV)
    there = (t0 < n0) & (t1 < n1) & (t2 < n2)
    if MASKED:
        q = tl.load(q_at, mask=there[:, None] & (d < DIM)[None, :], other=0.0)
        g = tl.load(g_at, mask=there[:, None] & (dv < DIM_V)[None, :], other=0.0)
        lse, delta = tl.load(lse_at, mask=there, other=0.0), tl.load(delta_at, mask=there, other=0.0)
    else:
        q = tl.load(q_at) if BLOCK_D == DIM else tl.load(q_at, mask=(d < DIM)[None, :], other=0.0)
        g = tl.load(g_at) if BLOCK_DV == DIM_V else tl.load(g_at, mask=(dv < DIM_V)[None, :], other=0.0)
        lse, delta = tl.load(lse_at), tl.load(delta_at)
    if SLOTS > 0:
        # A number for each column costs a thread 16 loads and pointers of a 64 x 64 tile; as a product it costs none.
        below = slot_values(lse * (-1.4426950408889634 / scale), TILE, ACTIVE, SLOTS, MASK_TYPE)
        if MASKED:
            below = below + slot_penalty(t0, t1, t2, there, low, high, TILE, ACTIVE, SLOTS, MASK_TYPE)
        s = tl.dot(members, below, input_precision=PRECISION)
        s = tl.dot(k, tl.trans(q), acc=s, input_precision=PRECISION) * scale
        slope = tl.dot(members, slot_values(-delta, TILE, ACTIVE, SLOTS, MASK_TYPE), input_precision=PRECISION)
        slope = tl.dot(v, tl.trans(g), acc=slope, input_precision=PRECISION)
    else:
        s = tl.dot(k, tl.trans(q), input_precision=PRECISION)
        if MASKED:
            ok = matters(p0, p1, p2, t0, t1, t2, n0, n1, n2, WINDOW, STRIDE, CAUSAL, ACTIVE, True)
            s = tl.where(ok, s, -1e30)
        s = s * scale - lse[None, :] * 1.4426950408889634
        slope = tl.dot(v, tl.trans(g), input_precision=PRECISION) - delta[None, :]
    if HAS_BIAS:
        pairs = bias_of_pairs(
            bias, t0[None, :], t1[None, :], t2[None, :], p0[:, None], p1[:, None], p2[:, None], WINDOW
        )
        s = s + pairs * 1.4426950408889634
    p = tl.exp2(s)
    d_v = tl.dot(p.to(g.dtype), g, acc=d_v, input_precision=PRECISION)
    d_k = tl.dot((p * slope).to(q.dtype), q, acc=d_k, input_precision=PRECISION)
    return d_k, d_v


@triton.jit
def neighborhood_bwd_key_kernel(
    q_ptr, k_ptr, v_ptr, bias_ptr, lse_ptr, d_out_ptr, delta_ptr, d_k_ptr, d_v_ptr,
    q_batch, q_token, q_head, k_batch, k_token, k_head, v_batch, v_token, v_head, g_batch, g_token, g_head,
    L0, L1, L2, heads, tiles, scale,
    WINDOW: tl.constexpr, STRIDE: tl.constexpr, DILATION: tl.constexpr, CAUSAL: tl.constexpr, ACTIVE: tl.constexpr,
    TILE: tl.constexpr, BOX: tl.constexpr, FLAT: tl.constexpr, BLOCK_N: tl.constexpr,
    DIM: tl.constexpr, DIM_V: tl.constexpr, BLOCK_D: tl.constexpr, BLOCK_DV: tl.constexpr, GROUP: tl.constexpr,
    SLOTS: tl.constexpr, HAS_BIAS: tl.constexpr, HEADS_FIRST: tl.constexpr, WIDE: tl.constexpr,
    MASK_TYPE: tl.constexpr, PRECISION: tl.constexpr,
):  # fmt: skip
    """Sum d_key and d_value of one tile of keys of one key head, over all query heads that share it."""
    BLOCK_M: tl.constexpr = TILE[0] * TILE[1] * TILE[2]
    pid = tl.program_id(0)
    kv_heads = heads // GROUP
    if HEADS_FIRST:
        kv_head, tile, batch = pid % kv_heads, pid // kv_heads % tiles, (pid // (kv_heads * tiles)).to(tl.int64)
    else:
        tile, kv_head, batch = pid % tiles, pid // tiles % kv_heads, (pid // (kv_heads * tiles)).to(tl.int64)
    r0, r1, r2, n0, n1, n2, a0, a1, a2 = locate(tile, L0, L1, L2, DILATION, TILE)
    if (a0 >= n0) | (a1 >= n1) | (a2 >= n2):
        return
    m0, m1, m2 = split(tl.arange(0, BLOCK_M), TILE[1], TILE[2])
    there = (a0 + m0 < n0) & (a1 + m1 < n1) & (a2 + m2 < n2)
    p0, p1, p2 = tl.minimum(a0 + m0, n0 - 1), tl.minimum(a1 + m1, n1 - 1), tl.minimum(a2 + m2, n2 - 1)
    token = token_number(p0, p1, p2, r0, r1, r2, L1, L2, DILATION).to(tl.int64)
    d, dv = tl.arange(0, BLOCK_D), tl.arange(0, BLOCK_DV)
    keep, keep_v = there[:, None] & (d < DIM)[None, :], there[:, None] & (dv < DIM_V)[None, :]
    k = tl.load(
        k_ptr + batch * k_batch + kv_head * k_head + token[:, None] * k_token + d[None, :], mask=keep, other=0.0
    )
    v = tl.load(
        v_ptr + batch * v_batch + kv_head * v_head + token[:, None] * v_token + dv[None, :], mask=keep_v, other=0.0
    )
    members, low, high = there, there, there
    if SLOTS > 0:
        members = slot_members(TILE, ACTIVE, SLOTS, MASK_TYPE)
        low, high = slot_ends(a0, a1, a2, n0, n1, n2, TILE, ACTIVE, SLOTS, WINDOW, STRIDE, CAUSAL, True)
    b0, e0, f0, g0 = reach(a0, n0, TILE[0], WINDOW[0], STRIDE[0], CAUSAL[0], True)
    b1, e1, f1, g1 = reach(a1, n1, TILE[1], WINDOW[1], STRIDE[1], CAUSAL[1], True)
    b2, e2, f2, g2 = reach(a2, n2, TILE[2], WINDOW[2], STRIDE[2], CAUSAL[2], True)
    d_k, d_v = tl.zeros([BLOCK_M, BLOCK_D], tl.float32), tl.zeros([BLOCK_M, BLOCK_DV], tl.float32)
    first = batch * L0 * L1 * L2 * heads
    c0, x0, f0 = full_range(b0, e0, f0, g0, BOX[0])
    c1, x1, f1 = full_range(b1, e1, f1, g1, BOX[1])
    c2, x2, f2 = full_range(b2, e2, f2, g2, BOX[2])
    full = f0 * f1 * f2
    for member in range(GROUP):
        head = kv_head * GROUP + member
        q_base, g_base = q_ptr + batch * q_batch + head * q_head, d_out_ptr + batch * g_batch + head * g_head
        lse_base, delta_base = lse_ptr + first + head, delta_ptr + first + head
        bias = bias_ptr + head * (2 * WINDOW[0] - 1) * (2 * WINDOW[1] - 1) * (2 * WINDOW[2] - 1)
        if FLAT:
            u1, u2 = e1 - b1, e2 - b2
            v1, v2 = reciprocal(u1), reciprocal(u2)
            for start in range(0, (e0 - b0) * u1 * u2, BLOCK_N):
                t0, t1, t2 = run_through(start + tl.arange(0, BLOCK_N), u1, u2, v1, v2)
                t0, t1, t2 = b0 + t0, b1 + t1, b2 + t2
                row = token_number(t0, t1, t2, r0, r1, r2, L1, L2, DILATION)
                if WIDE:
                    row = row.to(tl.int64)
                d_k, d_v = key_step(
                    k, v, q_base + row[:, None] * q_token + d[None, :], g_base + row[:, None] * g_token + dv[None, :],
                    lse_base + row * heads, delta_base + row * heads, bias, members, low, high, p0, p1, p2, t0, t1, t2,
                    n0, n1, n2, scale, d_k, d_v, WINDOW, STRIDE, CAUSAL, ACTIVE, TILE, DIM, DIM_V, BLOCK_D, BLOCK_DV,
                    SLOTS, HAS_BIAS, True, MASK_TYPE, PRECISION)  # fmt: skip
        else:
            t0, t1, t2 = split(tl.arange(0, BLOCK_N), BOX[1], BOX[2])
            t0, t1, t2 = b0 + t0, b1 + t1, b2 + t2
            row = token_number(t0, t1, t2, r0, r1, r2, L1, L2, DILATION)
            if WIDE:
                row = row.to(tl.int64)
            q_at, g_at = q_base + row[:, None] * q_token + d[None, :], g_base + row[:, None] * g_token + dv[None, :]
            lse_at, delta_at = lse_base + row * heads, delta_base + row * heads
            i0, i1, i2 = x0, x1, x2
            for _ in range(full):
                ahead = tiles_ahead(i0, i1, i2, L1, L2, BOX, DILATION, WIDE)
                d_k, d_v = key_step(
                    k, v, q_at + ahead * q_token, g_at + ahead * g_token, lse_at + ahead * heads,
                    delta_at + ahead * heads, bias, members, low, high, p0, p1, p2,
                    t0 + i0 * BOX[0], t1 + i1 * BOX[1], t2 + i2 * BOX[2], n0, n1, n2, scale, d_k, d_v,
                    WINDOW, STRIDE, CAUSAL, ACTIVE, TILE, DIM, DIM_V, BLOCK_D, BLOCK_DV, SLOTS, HAS_BIAS, False,
                    MASK_TYPE, PRECISION)  # fmt: skip
                i0, i1, i2 = next_tile(i0, i1, i2, x1, x2, f1, f2)
            for i in range(c0 * c1 * c2 - full):
                i0, i1, i2 = boundary_tile(i, c0, c1, c2, x0, x1, x2, f0, f1, f2)
                ahead = tiles_ahead(i0, i1, i2, L1, L2, BOX, DILATION, WIDE)
                d_k, d_v = key_step(
                    k, v, q_at + ahead * q_token, g_at + ahead * g_token, lse_at + ahead * heads,
                    delta_at + ahead * heads, bias, members, low, high, p0, p1, p2,
                    t0 + i0 * BOX[0], t1 + i1 * BOX[1], t2 + i2 * BOX[2], n0, n1, n2, scale, d_k, d_v,
                    WINDOW, STRIDE, CAUSAL, ACTIVE, TILE, DIM, DIM_V, BLOCK_D, BLOCK_DV, SLOTS, HAS_BIAS, True,
                    MASK_TYPE, PRECISION)  # fmt: skip
    d_k = d_k * (scale * 0.6931471805599453)
    o = (batch * L0 * L1 * L2 + token) * kv_heads + kv_head
    tl.store(d_k_ptr + o[:, None] * DIM + d[None, :], d_k.to(d_k_ptr.dtype.element_ty), mask=keep)
    tl.store(d_v_ptr + o[:, None] * DIM_V + dv[None, :], d_v.to(d_v_ptr.dtype.element_ty), mask=keep_v)

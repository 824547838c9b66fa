"""Forward kernel of neighborhood attention: one program for a tile of queries and a head, softmax in one pass.

Work of a program with M queries, N keys in the union of their windows: 4 M N dim operations and M N exponentials for
4 N dim bytes (16 bit), so M = 64 asks 64 operations of each byte of L2, and M = 128 twice that. Keys are walked in two
ways: small windows as one run over the union box (nothing but the last step is padded), large ones in tiles, of which
those that every query sees whole need no mask at all. Where a mask is needed it costs no arithmetic on scores: a
query's row of the scores starts as (its positions, one-hot) times (a penalty for each position and key), a product of
16 or 32 columns on the tensor cores; windows are products over axes, so this is exact.
"""

# Kernels have no types that mypy knows.
# mypy: disallow-untyped-defs=False

import triton
import triton.language as tl

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
    split,
    tiles_ahead,
    token_number,
)


@triton.jit
def masked_scores(left, right, members, low, high, p0, p1, p2, t0, t1, t2, there, n0, n1, n2, WINDOW: tl.constexpr,
                  STRIDE: tl.constexpr, CAUSAL: tl.constexpr, ACTIVE: tl.constexpr, TILE: tl.constexpr,
                  SLOTS: tl.constexpr, INVERSE: tl.constexpr, MASK_TYPE: tl.constexpr,
                  PRECISION: tl.constexpr):  # fmt: skip
    """Products of rows (positions) and candidates, hugely negative where they do not see each other."""
    if SLOTS > 0:
        penalty = slot_penalty(t0, t1, t2, there, low, high, TILE, ACTIVE, SLOTS, MASK_TYPE)
        s = tl.dot(members, penalty, input_precision=PRECISION)
        return tl.dot(left, tl.trans(right), acc=s, input_precision=PRECISION)
    s = tl.dot(left, tl.trans(right), input_precision=PRECISION)
    ok = matters(p0, p1, p2, t0, t1, t2, n0, n1, n2, WINDOW, STRIDE, CAUSAL, ACTIVE, INVERSE)
    return tl.where(ok, s, -1e30)


@triton.jit
def bias_of_pairs(bias, q0, q1, q2, k0, k1, k2, WINDOW: tl.constexpr):
    """Look up the bias of queries and keys, given as broadcastable positions; far pairs get anything."""
    i0 = tl.minimum(tl.maximum(k0 - q0 + (WINDOW[0] - 1), 0), 2 * WINDOW[0] - 2)
    i1 = tl.minimum(tl.maximum(k1 - q1 + (WINDOW[1] - 1), 0), 2 * WINDOW[1] - 2)
    i2 = tl.minimum(tl.maximum(k2 - q2 + (WINDOW[2] - 1), 0), 2 * WINDOW[2] - 2)
    return tl.load(bias + (i0 * (2 * WINDOW[1] - 1) + i1) * (2 * WINDOW[2] - 1) + i2).to(tl.float32)


@triton.jit
def softmax_step(s, v, acc, total, top, scale, SCALED: tl.constexpr, PRECISION: tl.constexpr):
    """Fold the scores of some keys into the running softmax. SCALED scores are in units of log 2 already."""
    if SCALED:
        new = tl.maximum(top, tl.max(s, 1))
        p = tl.exp2(s - new[:, None])
    else:
        new = tl.maximum(top, tl.max(s, 1) * scale)
        p = tl.exp2(s * scale - new[:, None])
    shrink = tl.exp2(top - new)
    total = total * shrink + tl.sum(p, 1)
    acc = acc * shrink[:, None]
    acc = tl.dot(p.to(v.dtype), v, acc=acc, input_precision=PRECISION)
    return acc, total, new


@triton.jit
def scores_of_candidates(q, k_at, bias, members, low, high, p0, p1, p2, t0, t1, t2, n0, n1, n2, scale,
                         WINDOW: tl.constexpr, STRIDE: tl.constexpr, CAUSAL: tl.constexpr, ACTIVE: tl.constexpr,
                         TILE: tl.constexpr, DIM: tl.constexpr, BLOCK_D: tl.constexpr, SLOTS: tl.constexpr,
                         HAS_BIAS: tl.constexpr, MASK_TYPE: tl.constexpr, PRECISION: tl.constexpr):  # fmt: skip
    """Masked scores of the keys at positions t; with a bias they are in units of log 2."""
    there = (t0 < n0) & (t1 < n1) & (t2 < n2)
    k = tl.load(k_at, mask=there[:, None] & (tl.arange(0, BLOCK_D) < DIM)[None, :], other=0.0)
    s = masked_scores(q, k, members, low, high, p0, p1, p2, t0, t1, t2, there, n0, n1, n2, WINDOW, STRIDE, CAUSAL,
                      ACTIVE, TILE, SLOTS, False, MASK_TYPE, PRECISION)  # fmt: skip
    if HAS_BIAS:
        pairs = bias_of_pairs(
            bias, p0[:, None], p1[:, None], p2[:, None], t0[None, :], t1[None, :], t2[None, :], WINDOW
        )
        s = s * scale + pairs * 1.4426950408889634
    return s


@triton.jit
def attend(q, k_at, v_at, bias, members, low, high, p0, p1, p2, t0, t1, t2, n0, n1, n2, scale, acc, total, top,
            WINDOW: tl.constexpr, STRIDE: tl.constexpr, CAUSAL: tl.constexpr, ACTIVE: tl.constexpr,
            TILE: tl.constexpr, DIM: tl.constexpr, DIM_V: tl.constexpr, BLOCK_D: tl.constexpr,
            BLOCK_DV: tl.constexpr, SLOTS: tl.constexpr, HAS_BIAS: tl.constexpr, MASKED: tl.constexpr,
            MASK_TYPE: tl.constexpr, PRECISION: tl.constexpr):  # fmt: skip
    """Attend to the keys at positions t, whose numbers are behind k_at and v_at."""
    d, dv = tl.arange(0, BLOCK_D), tl.arange(0, BLOCK_DV)
    if MASKED:
        s = scores_of_candidates(q, k_at, bias, members, low, high, p0, p1, p2, t0, t1, t2, n0, n1, n2, scale, WINDOW,
                                 STRIDE, CAUSAL, ACTIVE, TILE, DIM, BLOCK_D, SLOTS, HAS_BIAS, MASK_TYPE,
                                 PRECISION)  # fmt: skip
        there = (t0 < n0) & (t1 < n1) & (t2 < n2)
        v = tl.load(v_at, mask=there[:, None] & (dv < DIM_V)[None, :], other=0.0)
    else:
        k = tl.load(k_at) if BLOCK_D == DIM else tl.load(k_at, mask=(d < DIM)[None, :], other=0.0)
        s = tl.dot(q, tl.trans(k), input_precision=PRECISION)
        v = tl.load(v_at) if BLOCK_DV == DIM_V else tl.load(v_at, mask=(dv < DIM_V)[None, :], other=0.0)
        if HAS_BIAS:
            pairs = bias_of_pairs(
                bias, p0[:, None], p1[:, None], p2[:, None], t0[None, :], t1[None, :], t2[None, :], WINDOW
            )
            s = s * scale + pairs * 1.4426950408889634
    return softmax_step(s, v, acc, total, top, scale, HAS_BIAS, PRECISION)


@triton.jit
def neighborhood_fwd_kernel(
    q_ptr, k_ptr, v_ptr, bias_ptr, extra_k_ptr, extra_v_ptr, out_ptr, lse_ptr,
    q_batch, q_token, q_head, k_batch, k_token, k_head, v_batch, v_token, v_head,
    ek_batch, ek_token, ek_head, ev_batch, ev_token, ev_head,
    L0, L1, L2, heads, tiles, extra, scale,
    WINDOW: tl.constexpr, STRIDE: tl.constexpr, DILATION: tl.constexpr, CAUSAL: tl.constexpr, ACTIVE: tl.constexpr,
    TILE: tl.constexpr, BOX: tl.constexpr, FLAT: tl.constexpr, BLOCK_N: tl.constexpr,
    DIM: tl.constexpr, DIM_V: tl.constexpr, BLOCK_D: tl.constexpr, BLOCK_DV: tl.constexpr, GROUP: tl.constexpr,
    SLOTS: tl.constexpr, HAS_BIAS: tl.constexpr, HAS_EXTRA: tl.constexpr, HEADS_FIRST: tl.constexpr,
    WIDE: tl.constexpr, MASK_TYPE: tl.constexpr, PRECISION: tl.constexpr,
):  # fmt: skip
    """Attend from one tile of queries of one head, and write output and logsumexp."""
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
    q = tl.load(q_at, mask=there[:, None] & (d < DIM)[None, :], other=0.0)
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
    acc = tl.zeros([BLOCK_M, BLOCK_DV], tl.float32)
    # Far below any score and far above a masked one, which so weighs nothing even before the first key that is seen.
    total, top = tl.zeros([BLOCK_M], tl.float32), tl.full([BLOCK_M], -1e15, tl.float32)
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
            acc, total, top = attend(
                q, k_at, v_at, bias, members, low, high, p0, p1, p2, t0, t1, t2, n0, n1, n2, scale, acc, total, top,
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
            acc, total, top = attend(
                q, k_first + ahead * k_token, v_first + ahead * v_token, bias, members, low, high, p0, p1, p2,
                t0 + i0 * BOX[0], t1 + i1 * BOX[1], t2 + i2 * BOX[2], n0, n1, n2, scale, acc, total, top,
                WINDOW, STRIDE, CAUSAL, ACTIVE, TILE, DIM, DIM_V, BLOCK_D, BLOCK_DV, SLOTS, HAS_BIAS, False,
                MASK_TYPE, PRECISION)  # fmt: skip
            i0, i1, i2 = next_tile(i0, i1, i2, x1, x2, f1, f2)
        for i in range(c0 * c1 * c2 - full):
            i0, i1, i2 = boundary_tile(i, c0, c1, c2, x0, x1, x2, f0, f1, f2)
            ahead = tiles_ahead(i0, i1, i2, L1, L2, BOX, DILATION, WIDE)
            acc, total, top = attend(
                q, k_first + ahead * k_token, v_first + ahead * v_token, bias, members, low, high, p0, p1, p2,
                t0 + i0 * BOX[0], t1 + i1 * BOX[1], t2 + i2 * BOX[2], n0, n1, n2, scale, acc, total, top,
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
            s = tl.dot(q, tl.trans(k), input_precision=PRECISION)
            s = tl.where((e < extra)[None, :], s, -1e30)
            acc, total, top = softmax_step(s, v, acc, total, top, scale, False, PRECISION)
    acc = acc * (1.0 / total)[:, None]  # one division a row, not one an element
    o = (batch * L0 * L1 * L2 + token) * heads + head
    tl.store(
        out_ptr + o[:, None] * DIM_V + dv[None, :],
        acc.to(out_ptr.dtype.element_ty),
        mask=there[:, None] & (dv < DIM_V)[None, :],
    )
    tl.store(lse_ptr + o, (top + tl.log2(total)) * 0.6931471805599453, mask=there)

"""Kernel of d_key and d_value of neighborhood attention for Hopper GPUs and large windows, in Gluon.

Work of a program with M = 128 keys and N queries in the boxes that it walks: 4 products, 8 M N dim operations, M N
exponentials, and 4 N dim bytes of L2 (16 bit), so 256 operations a byte. A step of both consumers with 64 queries of
128 channels takes the tensor cores 2048 clocks, shared memory 1792 and the exponentials 512.

It is cut as the forward is: a producer warp fills a ring by TMA, and two consumer warpgroups own 64 keys each. Scores
and slopes are computed transposed, (keys, queries), so that they stay in registers as the left operands of the products
with d_out and queries, and both gradients are summed in registers: 128 of a thread's 240. For lack of others, the
producer leaves beside a box of queries what the consumers need to know about it: the logsumexp and delta of its
queries, where it lies, and which part sees it whole. The queries that see a key are known in closed form.
"""

# Kernels have no types that mypy knows.
# mypy: disallow-untyped-defs=False

from triton.experimental import gluon
from triton.experimental.gluon import language as gl
from triton.experimental.gluon.language.nvidia.hopper import (
    fence_async_shared,
    mbarrier,
    tma,
    warpgroup_mma,
    warpgroup_mma_wait,
)

from foveate.kernels.neighborhood.triton_gluon import (
    await_box,
    corner,
    give,
    hide,
    next_box,
    rows_at,
)


@gluon.jit
def first_query(t, n, W: gl.constexpr, S: gl.constexpr):
    """First query that sees the key at position t of n."""
    group = (gl.maximum(t - (W - 1), 0) + (W // 2 - S // 2 + S - 1)) // S
    return gl.where(t < W, 0, group * S)


@gluon.jit
def past_query(t, n, W: gl.constexpr, S: gl.constexpr):
    """One past the last query that sees the key at position t of n."""
    past = gl.minimum((t + (W // 2 - S // 2)) // S * S + S, n)
    return gl.where(t + W >= n, n, past)


@gluon.jit
def audience(a, n, SIDE: gl.constexpr, W: gl.constexpr, S: gl.constexpr):
    """Queries along an axis that see any of the keys a to a + SIDE - 1: the first, and one past the last."""
    return first_query(gl.minimum(a, n - 1), n, W, S), past_query(gl.minimum(a + SIDE, n) - 1, n, W, S)


@gluon.jit
def common(a, n, SIDE: gl.constexpr, W: gl.constexpr, S: gl.constexpr):
    """Queries along an axis that see all of the keys a to a + SIDE - 1: the first, and one past the last."""
    return first_query(gl.minimum(a + SIDE, n) - 1, n, W, S), past_query(gl.minimum(a, n - 1), n, W, S)


@gluon.jit
def numbers_of(lse_ptr, delta_ptr, batch, head, heads, t0, t1, t2, n0, L1, L2, BOX: gl.constexpr):
    """Load logsumexp, in units of log 2, and delta of a box of queries; zero outside the grid."""
    N: gl.constexpr = BOX[0] * BOX[1] * BOX[2]
    LAYOUT: gl.constexpr = gl.BlockedLayout([N // 32], [32], [1], [0])
    there, token = rows_at(t0, t1, t2, n0, L1, L2, BOX[0], BOX[1], BOX[2], LAYOUT)
    o = (batch.to(gl.int64) * n0 * L1 * L2 + token) * heads + head
    lse = gl.load(lse_ptr + o, mask=there, other=0.0) * 1.4426950408889634
    return lse, gl.load(delta_ptr + o, mask=there, other=0.0)


@gluon.jit
def produce_queries(
        q_desc, g_desc, lse_ptr, delta_ptr, q_ring, g_ring, lse_ring, delta_ring, word_ring, full, free,
        L0, L1, L2, heads, tiles, items,
        WINDOW: gl.constexpr, STRIDE: gl.constexpr, TILE: gl.constexpr, BOX: gl.constexpr, SPLIT: gl.constexpr,
        DIM: gl.constexpr, GROUP: gl.constexpr, STAGES: gl.constexpr, DEEP: gl.constexpr):  # fmt: skip
    """Load the boxes of queries of all items, d_out and the queries' numbers; say where they are and who sees them."""
    BYTES: gl.constexpr = BOX[0] * BOX[1] * BOX[2] * DIM * 4
    SUB0: gl.constexpr = TILE[0] // 2 if SPLIT == 0 else TILE[0]
    SUB1: gl.constexpr = TILE[1] // 2 if SPLIT == 1 else TILE[1]
    SUB2: gl.constexpr = TILE[2]
    word = gl.arange(0, 2, layout=gl.BlockedLayout([2], [32], [1], [0]))
    n0 = L0 if DEEP else 1
    use = 0
    for item in range(gl.program_id(0), items, gl.num_programs(0)):
        batch, kv_head, a0, a1, a2 = corner(item, L1, L2, heads // GROUP, tiles, TILE, DEEP)
        b0, e0 = audience(a0, n0, TILE[0], WINDOW[0], STRIDE[0])
        b1, e1 = audience(a1, L1, TILE[1], WINDOW[1], STRIDE[1])
        b2, e2 = audience(a2, L2, TILE[2], WINDOW[2], STRIDE[2])
        c0, c1, c2 = gl.cdiv(e0 - b0, BOX[0]), gl.cdiv(e1 - b1, BOX[1]), gl.cdiv(e2 - b2, BOX[2])
        # Along the split axis: what all keys of the first part, and of the second, are seen by.
        if SPLIT == 0:
            f, g = common(a1, L1, SUB1, WINDOW[1], STRIDE[1])
            x, y = common(a0, n0, SUB0, WINDOW[0], STRIDE[0])
            z, w = common(a0 + SUB0, n0, SUB0, WINDOW[0], STRIDE[0])
        else:
            f, g = common(a0, n0, SUB0, WINDOW[0], STRIDE[0])
            x, y = common(a1, L1, SUB1, WINDOW[1], STRIDE[1])
            z, w = common(a1 + SUB1, L1, SUB1, WINDOW[1], STRIDE[1])
        f2, g2 = common(a2, L2, SUB2, WINDOW[2], STRIDE[2])
        for member in range(GROUP):
            head = kv_head * GROUP + member
            t0, t1, t2 = b0, b1, b2
            lse, delta = numbers_of(lse_ptr, delta_ptr, batch, head, heads, t0, t1, t2, n0, L1, L2, BOX)
            for _ in range(c0 * c1 * c2):
                at = [batch, t0, t1, t2, head * DIM]
                slot = use % STAGES
                mbarrier.wait(free.index(slot), use // STAGES & 1 ^ 1)
                mbarrier.expect(full.index(slot), BYTES)
                tma.async_copy_global_to_shared(q_desc, at, full.index(slot), q_ring.index(slot))
                tma.async_copy_global_to_shared(g_desc, at, full.index(slot), g_ring.index(slot))
                lse_ring.index(slot).store(lse)
                delta_ring.index(slot).store(delta)
                inside = (t2 >= f2) & (t2 + BOX[2] <= g2)
                if SPLIT == 0:
                    inside = inside & (t1 >= f) & (t1 + BOX[1] <= g)
                    part0 = inside & (t0 >= x) & (t0 + BOX[0] <= y)
                    part1 = inside & (t0 >= z) & (t0 + BOX[0] <= w)
                else:
                    inside = inside & (t0 >= f) & (t0 + BOX[0] <= g)
                    part0 = inside & (t1 >= x) & (t1 + BOX[1] <= y)
                    part1 = inside & (t1 >= z) & (t1 + BOX[1] <= w)
                flags = part0.to(gl.int32) + 2 * part1.to(gl.int32)
                word_ring.index(slot).store(gl.where(word == 0, t1 * 65536 + t2, t0 * 4 + flags))
                mbarrier.arrive(full.index(slot), count=1)
                t0, t1, t2 = next_box(t0, t1, t2, b0, b1, b2, e0, e1, e2, BOX, SPLIT)
                # On the way while the next place is waited for.
                lse, delta = numbers_of(lse_ptr, delta_ptr, batch, head, heads, t0, t1, t2, n0, L1, L2, BOX)
                use += 1


@gluon.jit
def pass_over(use, boxes, full, free, STAGES: gl.constexpr):
    """Hand boxes back unread. They must have come first: a place must not be handed back twice in one round."""
    for _ in range(boxes):
        mbarrier.wait(full.index(use % STAGES), use // STAGES & 1)
        give(free, use, STAGES)
        use += 1
    return use


@gluon.jit
def bits_between(low, past, t, SIDE: gl.constexpr):
    """Which of the positions t to t + SIDE - 1 lie from low on and before past, as bits."""
    if SIDE == 1:
        return ((low <= t) & (t < past)).to(gl.int32)
    first = gl.minimum(gl.maximum(low - t, 0), SIDE)
    end = gl.minimum(gl.maximum(past - t, 0), SIDE)
    if SIDE == 32:
        one = gl.full([], 1, gl.int64)
        return ((one << end.to(gl.int64)) - (one << first.to(gl.int64))).to(gl.int32)
    return (1 << end) - (1 << first)


@gluon.jit
def ends(p, n, W: gl.constexpr, S: gl.constexpr):
    """Queries that see the keys at positions p, packed: the first, and in the upper half one past the last."""
    p = gl.minimum(p, n - 1)
    return first_query(p, n, W, S) + 65536 * past_query(p, n, W, S)


@gluon.jit
def bits(packed, t, SIDE: gl.constexpr):
    """Which of the positions t to t + SIDE - 1 lie between packed ends."""
    # Hidden, or the ends would be taken apart before the loop and kept in registers that it needs.
    packed = hide(packed)
    return bits_between(packed & 65535, packed >> 16, t, SIDE)


@gluon.jit
def mask(s, ends0, ends1, ends2, t0, t1, t2, BOX: gl.constexpr):
    """Make the scores (keys, queries) of queries that do not see a key hugely negative."""
    LAYOUT: gl.constexpr = s.type.layout
    ROWS: gl.constexpr = BOX[0] * BOX[1]
    w0, w1, inner = bits(ends0, t0, BOX[0]), bits(ends1, t1, BOX[1]), bits(ends2, t2, BOX[2])
    if BOX[0] == 1:
        outer = w0 * w1
    else:
        DEPTH: gl.constexpr = BOX[0]
        outer = gl.zeros_like(w1)
        for i in gl.static_range(DEPTH):
            outer = outer | ((((w0 >> i) & 1) * w1) << (i * BOX[1]))
    query = gl.arange(0, ROWS * BOX[2], layout=gl.SliceLayout(0, LAYOUT))
    seen = (inner[:, None] >> (query % BOX[2])[None, :]) & 1
    # Hidden from the compiler, which would choose twice for each score instead of once for each word.
    word = gl.inline_asm_elementwise("mov.b32 $0, $1;", "=r,r", [outer[:, None] * seen], gl.int32, is_pure=True, pack=1)
    return gl.where((word & (1 << (query // BOX[2]))[None, :]) != 0, s, -1e30)


@gluon.jit
def attended(s, ends0, ends1, ends2, word_ring, use, BOX: gl.constexpr, STAGES: gl.constexpr, PART: gl.constexpr):
    """Mask the scores of a box, unless its word says that all its queries see all keys of the part."""
    WORDS: gl.constexpr = gl.BlockedLayout([2], [32], [4], [0])
    words = word_ring.index(use % STAGES).load(WORDS)
    number = gl.arange(0, 2, layout=WORDS)
    second = gl.sum(gl.where(number == 1, words, 0), 0)
    if ((second >> PART) & 1) == 0:
        first = gl.sum(gl.where(number == 0, words, 0), 0)
        s = mask(s, ends0, ends1, ends2, second >> 2, first >> 16, first & 65535, BOX)
    return s


@gluon.jit
def weigh(s, lse_ring, use, scale, STAGES: gl.constexpr):
    """Turn scores (keys, queries) into probabilities."""
    lse = lse_ring.index(use % STAGES).load(gl.SliceLayout(0, s.type.layout))
    return gl.exp2(s * scale - lse[None, :])


@gluon.jit
def tilt(p, slope, delta_ring, use, STAGES: gl.constexpr):
    """Turn gradients of probabilities (keys, queries) into gradients of scores."""
    delta = delta_ring.index(use % STAGES).load(gl.SliceLayout(0, p.type.layout))
    return p * (slope - delta[None, :])


@gluon.jit
def place(ring, use, N: gl.constexpr, DIM: gl.constexpr, STAGES: gl.constexpr):
    """Return a box of the ring as a matrix (N, DIM) in shared memory."""
    return ring.index(use % STAGES).reshape([N, DIM])


@gluon.jit
def consume_queries(
        k_place, v_place, q_ring, g_ring, lse_ring, delta_ring, word_ring, full, free, k_ptr, v_ptr, d_k_ptr,
        d_v_ptr, k_batch, k_token, k_head, v_batch, v_token, v_head, L0, L1, L2, heads, tiles, items, scale,
        WINDOW: gl.constexpr, STRIDE: gl.constexpr, TILE: gl.constexpr, BOX: gl.constexpr, SPLIT: gl.constexpr,
        DIM: gl.constexpr, GROUP: gl.constexpr, STAGES: gl.constexpr, PARTS: gl.constexpr, PART: gl.constexpr,
        DEEP: gl.constexpr, OVERLAP: gl.constexpr):  # fmt: skip
    """Sum d_key and d_value of one part of the key tiles of all items of this program."""
    TYPE: gl.constexpr = k_place.dtype
    N: gl.constexpr = BOX[0] * BOX[1] * BOX[2]
    M: gl.constexpr = TILE[0] * TILE[1] * TILE[2] // PARTS
    SUB0: gl.constexpr = TILE[0] // PARTS if SPLIT == 0 else TILE[0]
    SUB1: gl.constexpr = TILE[1] // PARTS if SPLIT == 1 else TILE[1]
    SUB2: gl.constexpr = TILE[2]
    S_LAYOUT: gl.constexpr = gl.NVMMADistributedLayout([3, 0], [4, 1], [16, N, 16])
    O_LAYOUT: gl.constexpr = gl.NVMMADistributedLayout([3, 0], [4, 1], [16, DIM, 16])
    P_LAYOUT: gl.constexpr = gl.DotOperandLayout(0, O_LAYOUT, 2)
    IO: gl.constexpr = gl.BlockedLayout([1, 8], [32 // (DIM // 8), DIM // 8], [4, 1], [1, 0])
    IO_ROW: gl.constexpr = gl.SliceLayout(1, IO)
    channel = gl.arange(0, DIM, layout=gl.SliceLayout(0, IO))[None, :]
    row = gl.arange(0, M, layout=gl.SliceLayout(1, S_LAYOUT))
    n0 = L0 if DEEP else 1
    use = 0
    for item in range(gl.program_id(0), items, gl.num_programs(0)):
        batch, head, a0, a1, a2 = corner(item, L1, L2, heads // GROUP, tiles, TILE, DEEP)
        b0, e0 = audience(a0, n0, TILE[0], WINDOW[0], STRIDE[0])
        b1, e1 = audience(a1, L1, TILE[1], WINDOW[1], STRIDE[1])
        b2, e2 = audience(a2, L2, TILE[2], WINDOW[2], STRIDE[2])
        c0, c1, c2 = gl.cdiv(e0 - b0, BOX[0]), gl.cdiv(e1 - b1, BOX[1]), gl.cdiv(e2 - b2, BOX[2])
        if SPLIT == 0:
            a0 += PART * SUB0
        else:
            a1 += PART * SUB1
        u0, x0 = audience(a0, n0, SUB0, WINDOW[0], STRIDE[0])
        u1, x1 = audience(a1, L1, SUB1, WINDOW[1], STRIDE[1])
        if SPLIT == 0:
            first, past, slab = (u0 - b0) // BOX[0], gl.cdiv(x0 - b0, BOX[0]), c1 * c2
        else:
            first, past, slab = (u1 - b1) // BOX[1], gl.cdiv(x1 - b1, BOX[1]), c0 * c2
        start, stop = first * slab, past * slab
        ends0 = ends(a0 + row // (SUB1 * SUB2), n0, WINDOW[0], STRIDE[0])
        ends1 = ends(a1 + row // SUB2 % SUB1, L1, WINDOW[1], STRIDE[1])
        ends2 = ends(a2 + row % SUB2, L2, WINDOW[2], STRIDE[2])

        there, token = rows_at(a0, a1, a2, n0, L1, L2, SUB0, SUB1, SUB2, IO_ROW)
        k_at = k_ptr + batch.to(gl.int64) * k_batch + head.to(gl.int64) * k_head
        k_place.store(gl.load(k_at + token[:, None] * k_token + channel, mask=there[:, None], other=0.0))
        v_at = v_ptr + batch.to(gl.int64) * v_batch + head.to(gl.int64) * v_head
        v_place.store(gl.load(v_at + token[:, None] * v_token + channel, mask=there[:, None], other=0.0))
        fence_async_shared()

        d_k = gl.zeros([M, DIM], gl.float32, O_LAYOUT)
        d_v = gl.zeros([M, DIM], gl.float32, O_LAYOUT)
        none = gl.zeros([M, N], gl.float32, S_LAYOUT)
        for _ in range(GROUP):
            use = pass_over(use, start, full, free, STAGES)
            if OVERLAP:
                await_box(full, use, True, STAGES)
                q = place(q_ring, use, N, DIM, STAGES).permute([1, 0])
                s = warpgroup_mma_wait(0, deps=[warpgroup_mma(k_place, q, none, use_acc=False, is_async=True)])
                for n in range(start, stop):
                    q, g = place(q_ring, use, N, DIM, STAGES), place(g_ring, use, N, DIM, STAGES)
                    slope = warpgroup_mma(v_place, g.permute([1, 0]), none, use_acc=False, is_async=True)
                    s = attended(s, ends0, ends1, ends2, word_ring, use, BOX, STAGES, PART)
                    e = weigh(s, lse_ring, use, scale, STAGES)
                    p = gl.convert_layout(e.to(TYPE), P_LAYOUT)
                    await_box(full, use + 1, n + 1 < stop, STAGES)
                    slope = warpgroup_mma_wait(0, deps=[slope])
                    more_v = warpgroup_mma(p, g, d_v, is_async=True)
                    d_s = gl.convert_layout(tilt(e, slope, delta_ring, use, STAGES).to(TYPE), P_LAYOUT)
                    more_k = warpgroup_mma(d_s, q, d_k, is_async=True)
                    # After the last box this reads a place that nothing was waited for, and nobody reads the result.
                    q = place(q_ring, use + 1, N, DIM, STAGES).permute([1, 0])
                    scores = warpgroup_mma(k_place, q, none, use_acc=False, is_async=True)
                    # Left operands are named so that their registers are not given away before they have been read.
                    d_v, d_k, s, p, d_s = warpgroup_mma_wait(0, deps=[more_v, more_k, scores, p, d_s])
                    give(free, use, STAGES)
                    use += 1
            else:
                for _ in range(start, stop):
                    await_box(full, use, True, STAGES)
                    q, g = place(q_ring, use, N, DIM, STAGES), place(g_ring, use, N, DIM, STAGES)
                    scores = warpgroup_mma(k_place, q.permute([1, 0]), none, use_acc=False, is_async=True)
                    slope = warpgroup_mma(v_place, g.permute([1, 0]), none, use_acc=False, is_async=True)
                    s = warpgroup_mma_wait(1, deps=[scores])
                    s = attended(s, ends0, ends1, ends2, word_ring, use, BOX, STAGES, PART)
                    e = weigh(s, lse_ring, use, scale, STAGES)
                    p = gl.convert_layout(e.to(TYPE), P_LAYOUT)
                    slope = warpgroup_mma_wait(0, deps=[slope])
                    more_v = warpgroup_mma(p, g, d_v, is_async=True)
                    d_s = gl.convert_layout(tilt(e, slope, delta_ring, use, STAGES).to(TYPE), P_LAYOUT)
                    more_k = warpgroup_mma(d_s, q, d_k, is_async=True)
                    d_v, d_k, p, d_s = warpgroup_mma_wait(0, deps=[more_v, more_k, p, d_s])
                    give(free, use, STAGES)
                    use += 1
            use = pass_over(use, c0 * c1 * c2 - stop, full, free, STAGES)

        k_place.store((d_k * (scale * 0.6931471805599453)).to(TYPE))
        v_place.store(d_v.to(TYPE))
        # Worked out anew: the loop has no registers left for what it does not need.
        batch, head, a0, a1, a2 = corner(hide(item), L1, L2, heads // GROUP, tiles, TILE, DEEP)
        if SPLIT == 0:
            a0 += PART * SUB0
        else:
            a1 += PART * SUB1
        there, token = rows_at(a0, a1, a2, n0, L1, L2, SUB0, SUB1, SUB2, IO_ROW)
        o = (batch.to(gl.int64) * n0 * L1 * L2 + token) * (heads // GROUP) + head
        gl.store(d_k_ptr + o[:, None] * DIM + channel, k_place.load(IO), mask=there[:, None])
        gl.store(d_v_ptr + o[:, None] * DIM + channel, v_place.load(IO), mask=there[:, None])


@gluon.jit(do_not_specialize=["L0", "L1", "L2", "heads", "tiles", "items"])
def neighborhood_gluon_bwd_key_kernel(
    q_desc, g_desc, k_ptr, v_ptr, lse_ptr, delta_ptr, d_k_ptr, d_v_ptr,
    k_batch, k_token, k_head, v_batch, v_token, v_head, L0, L1, L2, heads, tiles, items, scale,
    WINDOW: gl.constexpr, STRIDE: gl.constexpr, TILE: gl.constexpr, BOX: gl.constexpr, SPLIT: gl.constexpr,
    DIM: gl.constexpr, GROUP: gl.constexpr, STAGES: gl.constexpr, PARTS: gl.constexpr, DEEP: gl.constexpr,
    OVERLAP: gl.constexpr, CONSUMER_REGISTERS: gl.constexpr, PRODUCER_REGISTERS: gl.constexpr,
):  # fmt: skip
    """Sum d_key and d_value of tiles of keys, over all query heads that share them."""
    TYPE: gl.constexpr = q_desc.dtype
    M: gl.constexpr = TILE[0] * TILE[1] * TILE[2] // PARTS
    N: gl.constexpr = BOX[0] * BOX[1] * BOX[2]
    SHAPE: gl.constexpr = q_desc.block_type.shape
    NUMBERS: gl.constexpr = gl.SwizzledSharedLayout(1, 1, 1, order=[0])
    k = gl.allocate_shared_memory(TYPE, [PARTS, M, DIM], gl.NVMMASharedLayout(128, 16, rank=2))
    v = gl.allocate_shared_memory(TYPE, [PARTS, M, DIM], gl.NVMMASharedLayout(128, 16, rank=2))
    qr = gl.allocate_shared_memory(TYPE, [STAGES] + SHAPE, q_desc.layout)  # noqa: RUF005
    gr = gl.allocate_shared_memory(TYPE, [STAGES] + SHAPE, g_desc.layout)  # noqa: RUF005
    lr = gl.allocate_shared_memory(gl.float32, [STAGES, N], NUMBERS)
    dr = gl.allocate_shared_memory(gl.float32, [STAGES, N], NUMBERS)
    wr = gl.allocate_shared_memory(gl.int32, [STAGES, 2], NUMBERS)
    full = gl.allocate_shared_memory(gl.int64, [STAGES, 1], mbarrier.MBarrierLayout())
    free = gl.allocate_shared_memory(gl.int64, [STAGES, 1], mbarrier.MBarrierLayout())
    for i in gl.static_range(STAGES):
        mbarrier.init(full.index(i), count=2)
        mbarrier.init(free.index(i), count=PARTS)
    fence_async_shared()
    # Constant tuples may stand in a call, not in a variable, so the arguments are written out for each role.
    gl.warp_specialize(
        [
            (consume_queries, (
                k.index(0), v.index(0), qr, gr, lr, dr, wr, full, free, k_ptr, v_ptr, d_k_ptr, d_v_ptr, k_batch,
                k_token, k_head, v_batch, v_token, v_head, L0, L1, L2, heads, tiles, items, scale, WINDOW, STRIDE, TILE,
                BOX, SPLIT, DIM, GROUP, STAGES, 2, 0, DEEP, OVERLAP)),
            (consume_queries, (
                k.index(1), v.index(1), qr, gr, lr, dr, wr, full, free, k_ptr, v_ptr, d_k_ptr, d_v_ptr, k_batch,
                k_token, k_head, v_batch, v_token, v_head, L0, L1, L2, heads, tiles, items, scale, WINDOW, STRIDE, TILE,
                BOX, SPLIT, DIM, GROUP, STAGES, 2, 1, DEEP, OVERLAP)),
            (produce_queries, (
                q_desc, g_desc, lse_ptr, delta_ptr, qr, gr, lr, dr, wr, full, free, L0, L1, L2, heads, tiles, items,
                WINDOW, STRIDE, TILE, BOX, SPLIT, DIM, GROUP, STAGES, DEEP)),
        ],
        [4, 1],
        [CONSUMER_REGISTERS, PRODUCER_REGISTERS],
    )  # fmt: skip

"""Forward kernel of neighborhood attention for Hopper GPUs and large windows, in Gluon: TMA, wgmma, three roles.

Work of a program with M = 128 queries and N keys in the boxes that it walks: 4 M N dim operations and M N exponentials
for 4 N dim bytes of L2 (16 bit), so 128 operations a byte: 700 TFLOP/s ask 5.5 TB/s. A box of 128 keys and 128
channels takes the tensor cores 2048 clocks and the exponentials 1024; with 64 channels both take 1024.

Schedule: one producer warp fills two rings of boxes (keys, values) by TMA, straight from the strided grids. Two or
three consumer warpgroups each own a part of the query tile, 64 rows; they meet only at the rings, so that one's
softmax runs beside another's products. Inside a warpgroup the scores of box n + 1 are issued, then the product of box
n's weights with its values, and the softmax of n + 1 runs while the latter is under way. Scores, weights and output
stay in registers. Boxes are walked row-major with the tile's split axis slowest, so the boxes that a part needs are one
run of the walk; it hands back the others unread. Boxes that all 64 rows see whole need no mask; for the others each row
has a word of bits along the last axis and one along the others, and a score costs one test of a bit.
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


@gluon.jit
def first_key(p, n, W: gl.constexpr, S: gl.constexpr):
    """First key that the query at position p of n sees."""
    leader = gl.minimum(p // S * S + S // 2, n - 1)
    return gl.minimum(gl.maximum(leader - W // 2, 0), n - W)


@gluon.jit
def span(a, n, SIDE: gl.constexpr, W: gl.constexpr, S: gl.constexpr):
    """Keys along an axis that the queries a to a + SIDE - 1 see: the first, and one past the last."""
    return first_key(gl.minimum(a, n - 1), n, W, S), first_key(gl.minimum(a + SIDE, n) - 1, n, W, S) + W


@gluon.jit
def corner(item, L1, L2, heads, tiles, TILE: gl.constexpr, DEEP: gl.constexpr):
    """Decode an item of work: batch, head, and the first position of the tile."""
    tile, head, batch = item % tiles, item // tiles % heads, item // (tiles * heads)
    tiles1, tiles2 = gl.cdiv(L1, TILE[1]), gl.cdiv(L2, TILE[2])
    a2 = tile % tiles2 * TILE[2]
    a1 = tile // tiles2 % tiles1 * TILE[1]
    a0 = tile // (tiles2 * tiles1) * TILE[0] if DEEP else gl.to_tensor(0)
    return batch, head, a0, a1, a2


@gluon.jit
def rows_at(a0, a1, a2, n0, L1, L2, SUB0: gl.constexpr, SUB1: gl.constexpr, SUB2: gl.constexpr, LAYOUT: gl.constexpr):
    """Which queries of a box exist, and their numbers in the grid."""
    row = gl.arange(0, SUB0 * SUB1 * SUB2, layout=LAYOUT)
    p0, p1, p2 = a0 + row // (SUB1 * SUB2), a1 + row // SUB2 % SUB1, a2 + row % SUB2
    return (p0 < n0) & (p1 < L1) & (p2 < L2), ((p0 * L1 + p1) * L2 + p2).to(gl.int64)


@gluon.jit
def hide(number):
    """Return the number, but let no compiler know that it is the same."""
    return gl.inline_asm_elementwise("mov.b32 $0, $1;", "=r,r", [number], gl.int32, is_pure=False, pack=1)


@gluon.jit
def next_box(t0, t1, t2, b0, b1, b2, e0, e1, e2, BOX: gl.constexpr, SPLIT: gl.constexpr):
    """Step to the box after the one at t among those that begin from b on and before e; the split axis is slowest."""
    t2 += BOX[2]
    row = t2 >= e2
    t2 = gl.where(row, b2, t2)
    if SPLIT == 0:
        t1 = gl.where(row, t1 + BOX[1], t1)
        slab = t1 >= e1
        t1 = gl.where(slab, b1, t1)
        t0 = gl.where(slab, t0 + BOX[0], t0)
    else:
        t0 = gl.where(row, t0 + BOX[0], t0)
        slab = t0 >= e0
        t0 = gl.where(slab, b0, t0)
        t1 = gl.where(slab, t1 + BOX[1], t1)
    return t0, t1, t2


@gluon.jit
def produce(k_desc, v_desc, k_ring, v_ring, k_full, v_full, k_free, v_free, L0, L1, L2, heads, tiles, items,
            WINDOW: gl.constexpr, STRIDE: gl.constexpr, TILE: gl.constexpr, BOX: gl.constexpr, SPLIT: gl.constexpr,
            DIM: gl.constexpr, GROUP: gl.constexpr, STAGES: gl.constexpr,
            DEEP: gl.constexpr):  # fmt: skip
    """Load the boxes of all items of this program, in the order in which the consumers walk them."""
    BYTES: gl.constexpr = BOX[0] * BOX[1] * BOX[2] * DIM * 2
    n0 = L0 if DEEP else 1
    use = 0
    for item in range(gl.program_id(0), items, gl.num_programs(0)):
        batch, head, a0, a1, a2 = corner(item, L1, L2, heads, tiles, TILE, DEEP)
        b0, e0 = span(a0, n0, TILE[0], WINDOW[0], STRIDE[0])
        b1, e1 = span(a1, L1, TILE[1], WINDOW[1], STRIDE[1])
        b2, e2 = span(a2, L2, TILE[2], WINDOW[2], STRIDE[2])
        c0, c1, c2 = gl.cdiv(e0 - b0, BOX[0]), gl.cdiv(e1 - b1, BOX[1]), gl.cdiv(e2 - b2, BOX[2])
        channel = head // GROUP * DIM
        t0, t1, t2 = b0, b1, b2
        for _ in range(c0 * c1 * c2):
            at = [batch, t0, t1, t2, channel]
            slot = use % STAGES
            phase = use // STAGES & 1
            mbarrier.wait(k_free.index(slot), phase ^ 1)
            mbarrier.expect(k_full.index(slot), BYTES)
            tma.async_copy_global_to_shared(k_desc, at, k_full.index(slot), k_ring.index(slot))
            mbarrier.wait(v_free.index(slot), phase ^ 1)
            mbarrier.expect(v_full.index(slot), BYTES)
            tma.async_copy_global_to_shared(v_desc, at, v_full.index(slot), v_ring.index(slot))
            t0, t1, t2 = next_box(t0, t1, t2, b0, b1, b2, e0, e1, e2, BOX, SPLIT)
            use += 1


@gluon.jit
def row_bits(low, t, W: gl.constexpr, SIDE: gl.constexpr):
    """Which of the keys t to t + SIDE - 1 lie in each row's window from low on, as bits."""
    if SIDE == 1:
        return ((low <= t) & (t < low + W)).to(gl.int32)
    if SIDE == 32:
        one = gl.full([], 1, gl.int64)
        first = gl.minimum(gl.maximum(low - t, 0), SIDE).to(gl.int64)
        past = gl.minimum(gl.maximum(low + W - t, 0), SIDE).to(gl.int64)
        return ((one << past) - (one << first)).to(gl.int32)
    first = gl.minimum(gl.maximum(low - t, 0), SIDE)
    past = gl.minimum(gl.maximum(low + W - t, 0), SIDE)
    return (1 << past) - (1 << first)


@gluon.jit
def mask(s, low0, low1, low2, t0, t1, t2, WINDOW: gl.constexpr, BOX: gl.constexpr):
    """Make the scores of unseen keys hugely negative; low0 to low2 are where the rows' windows begin."""
    LAYOUT: gl.constexpr = s.type.layout
    ROWS: gl.constexpr = BOX[0] * BOX[1]
    w1 = row_bits(low1, t1, WINDOW[1], BOX[1])
    if BOX[0] == 1:
        outer = gl.where((low0 <= t0) & (t0 < low0 + WINDOW[0]), w1, 0)
    else:
        DEPTH: gl.constexpr = BOX[0]
        outer = gl.zeros_like(w1)
        for i in gl.static_range(DEPTH):
            outer = outer | gl.where((low0 <= t0 + i) & (t0 + i < low0 + WINDOW[0]), w1 << (i * BOX[1]), 0)
    inner = row_bits(low2, t2, WINDOW[2], BOX[2])
    key = gl.arange(0, ROWS * BOX[2], layout=gl.SliceLayout(0, LAYOUT))
    seen = (inner[:, None] >> (key % BOX[2])[None, :]) & 1
    # Hidden from the compiler, which would choose twice for each score instead of once for each word.
    word = gl.inline_asm_elementwise("mov.b32 $0, $1;", "=r,r", [outer[:, None] * seen], gl.int32, is_pure=True, pack=1)
    return gl.where((word & (1 << (key // BOX[2]))[None, :]) != 0, s, -1e30)


@gluon.jit
def visible(s, low0, low1, low2, f0, f1, f2, g0, g1, g2, t0, t1, t2, WINDOW: gl.constexpr, BOX: gl.constexpr):
    """Mask the scores of the box at t, unless all rows see it whole: they do from f0 to g0 and so on."""
    whole = (t0 >= f0) & (t0 + BOX[0] <= g0) & (t1 >= f1) & (t1 + BOX[1] <= g1) & (t2 >= f2) & (t2 + BOX[2] <= g2)
    if not whole:
        s = mask(s, low0, low1, low2, t0, t1, t2, WINDOW, BOX)
    return s


@gluon.jit
def soften(s, total, top, scale):
    """Turn scores into weights, relative to the largest score so far, in units of log 2."""
    new = gl.maximum(top, gl.max(s, 1) * scale)
    e = gl.exp2(s * scale - new[:, None])
    shrink = gl.exp2(top - new)
    return e, total * shrink + gl.sum(e, 1), new, shrink


@gluon.jit
def await_box(full, use, wanted, STAGES: gl.constexpr):
    """Wait for a box, if wanted."""
    mbarrier.wait(full.index(use % STAGES), use // STAGES & 1, pred=wanted)


@gluon.jit
def box(ring, full, use, N: gl.constexpr, DIM: gl.constexpr, STAGES: gl.constexpr):
    """Wait for a box: keys or values (N, DIM) in shared memory."""
    mbarrier.wait(full.index(use % STAGES), use // STAGES & 1)
    return ring.index(use % STAGES).reshape([N, DIM])


@gluon.jit
def give(free, use, STAGES: gl.constexpr):
    """Hand a box back: all threads of the warpgroup have read it."""
    mbarrier.arrive(free.index(use % STAGES), count=1)


@gluon.jit
def pass_over(use, boxes, k_full, v_full, k_free, v_free, STAGES: gl.constexpr):
    """Hand boxes back unread. They must have come first: a place must not be handed back twice in one round."""
    for _ in range(boxes):
        mbarrier.wait(k_full.index(use % STAGES), use // STAGES & 1)
        give(k_free, use, STAGES)
        mbarrier.wait(v_full.index(use % STAGES), use // STAGES & 1)
        give(v_free, use, STAGES)
        use += 1
    return use


@gluon.jit
def consume(q_place, k_ring, v_ring, k_full, v_full, k_free, v_free, q_ptr, out_ptr, lse_ptr, q_batch, q_token, q_head,
            L0, L1, L2, heads, tiles, items, scale,
            WINDOW: gl.constexpr, STRIDE: gl.constexpr, TILE: gl.constexpr, BOX: gl.constexpr, SPLIT: gl.constexpr,
            DIM: gl.constexpr, STAGES: gl.constexpr, PARTS: gl.constexpr, PART: gl.constexpr, DEEP: gl.constexpr,
            OVERLAP: gl.constexpr):  # fmt: skip
    """Attend from one part of the query tiles of all items of this program."""
    TYPE: gl.constexpr = q_place.dtype
    N: gl.constexpr = BOX[0] * BOX[1] * BOX[2]
    M: gl.constexpr = TILE[0] * TILE[1] * TILE[2] // PARTS
    SUB0: gl.constexpr = TILE[0] // PARTS if SPLIT == 0 else TILE[0]
    SUB1: gl.constexpr = TILE[1] // PARTS if SPLIT == 1 else TILE[1]
    SUB2: gl.constexpr = TILE[2]
    S_LAYOUT: gl.constexpr = gl.NVMMADistributedLayout([3, 0], [4, 1], [16, N, 16])
    O_LAYOUT: gl.constexpr = gl.NVMMADistributedLayout([3, 0], [4, 1], [16, DIM, 16])
    P_LAYOUT: gl.constexpr = gl.DotOperandLayout(0, O_LAYOUT, 2)
    S_ROW: gl.constexpr = gl.SliceLayout(1, S_LAYOUT)
    O_ROW: gl.constexpr = gl.SliceLayout(1, O_LAYOUT)
    IO: gl.constexpr = gl.BlockedLayout([1, 8], [32 // (DIM // 8), DIM // 8], [4, 1], [1, 0])
    IO_ROW: gl.constexpr = gl.SliceLayout(1, IO)
    channel = gl.arange(0, DIM, layout=gl.SliceLayout(0, IO))[None, :]
    row = gl.arange(0, M, layout=S_ROW)
    n0 = L0 if DEEP else 1
    use = 0
    for item in range(gl.program_id(0), items, gl.num_programs(0)):
        batch, head, a0, a1, a2 = corner(item, L1, L2, heads, tiles, TILE, DEEP)
        b0, e0 = span(a0, n0, TILE[0], WINDOW[0], STRIDE[0])
        b1, e1 = span(a1, L1, TILE[1], WINDOW[1], STRIDE[1])
        b2, e2 = span(a2, L2, TILE[2], WINDOW[2], STRIDE[2])
        c0, c1, c2 = gl.cdiv(e0 - b0, BOX[0]), gl.cdiv(e1 - b1, BOX[1]), gl.cdiv(e2 - b2, BOX[2])
        if SPLIT == 0:
            a0 += PART * SUB0
        else:
            a1 += PART * SUB1
        # Every axis: what any row sees, and what all rows see.
        u0, x0 = span(a0, n0, SUB0, WINDOW[0], STRIDE[0])
        u1, x1 = span(a1, L1, SUB1, WINDOW[1], STRIDE[1])
        u2, x2 = span(a2, L2, SUB2, WINDOW[2], STRIDE[2])
        f0, g0 = x0 - WINDOW[0], u0 + WINDOW[0]
        f1, g1 = x1 - WINDOW[1], u1 + WINDOW[1]
        f2, g2 = x2 - WINDOW[2], u2 + WINDOW[2]
        t0, t1, t2 = b0, b1, b2
        if SPLIT == 0:
            first, past, slab = (u0 - b0) // BOX[0], gl.cdiv(x0 - b0, BOX[0]), c1 * c2
            t0 += first * BOX[0]
        else:
            first, past, slab = (u1 - b1) // BOX[1], gl.cdiv(x1 - b1, BOX[1]), c0 * c2
            t1 += first * BOX[1]
        start, stop = first * slab, past * slab
        p0 = gl.minimum(a0 + row // (SUB1 * SUB2), n0 - 1)
        p1 = gl.minimum(a1 + row // SUB2 % SUB1, L1 - 1)
        p2 = gl.minimum(a2 + row % SUB2, L2 - 1)
        low0 = first_key(p0, n0, WINDOW[0], STRIDE[0])
        low1 = first_key(p1, L1, WINDOW[1], STRIDE[1])
        low2 = first_key(p2, L2, WINDOW[2], STRIDE[2])

        there, token = rows_at(a0, a1, a2, n0, L1, L2, SUB0, SUB1, SUB2, IO_ROW)
        q_at = q_ptr + batch.to(gl.int64) * q_batch + head.to(gl.int64) * q_head
        q = gl.load(q_at + token[:, None] * q_token + channel, mask=there[:, None], other=0.0)
        q_place.store(q)
        fence_async_shared()

        use = pass_over(use, start, k_full, v_full, k_free, v_free, STAGES)
        # Far below any score and far above a masked one, which so weighs nothing even before the first key seen.
        top = gl.full([M], -1e15, gl.float32, S_ROW)
        total = gl.zeros([M], gl.float32, S_ROW)
        acc = gl.zeros([M, DIM], gl.float32, O_LAYOUT)
        none = gl.zeros([M, N], gl.float32, S_LAYOUT)
        if OVERLAP:
            k = box(k_ring, k_full, use, N, DIM, STAGES).permute([1, 0])
            s = warpgroup_mma_wait(0, deps=[warpgroup_mma(q_place, k, none, use_acc=False, is_async=True)])
            give(k_free, use, STAGES)
            s = visible(s, low0, low1, low2, f0, f1, f2, g0, g1, g2, t0, t1, t2, WINDOW, BOX)
            e, total, top, _ = soften(s, total, top, scale)
            p = gl.convert_layout(e.to(TYPE), P_LAYOUT)
            await_box(k_full, use + 1, start + 1 < stop, STAGES)
            t0, t1, t2 = next_box(t0, t1, t2, b0, b1, b2, e0, e1, e2, BOX, SPLIT)
            for n in range(start + 1, stop):
                k = k_ring.index((use + 1) % STAGES).reshape([N, DIM]).permute([1, 0])
                scores = warpgroup_mma(q_place, k, none, use_acc=False, is_async=True)
                product = warpgroup_mma(p, box(v_ring, v_full, use, N, DIM, STAGES), acc, is_async=True)
                s = warpgroup_mma_wait(1, deps=[scores])
                give(k_free, use + 1, STAGES)
                s = visible(s, low0, low1, low2, f0, f1, f2, g0, g1, g2, t0, t1, t2, WINDOW, BOX)
                e, total, top, shrink = soften(s, total, top, scale)
                # Waiting for the next keys here keeps ptxas from moving the wait for the product above the softmax.
                await_box(k_full, use + 2, n + 1 < stop, STAGES)
                # The weights are named so that their registers are not given away before the product has read them.
                acc, p = warpgroup_mma_wait(0, deps=[product, p])
                give(v_free, use, STAGES)
                acc = acc * gl.convert_layout(shrink, O_ROW)[:, None]
                p = gl.convert_layout(e.to(TYPE), P_LAYOUT)
                t0, t1, t2 = next_box(t0, t1, t2, b0, b1, b2, e0, e1, e2, BOX, SPLIT)
                use += 1
            product = warpgroup_mma(p, box(v_ring, v_full, use, N, DIM, STAGES), acc, is_async=True)
            acc = warpgroup_mma_wait(0, deps=[product])
            give(v_free, use, STAGES)
            use += 1
        else:
            for _ in range(start, stop):
                k = box(k_ring, k_full, use, N, DIM, STAGES).permute([1, 0])
                s = warpgroup_mma_wait(0, deps=[warpgroup_mma(q_place, k, none, use_acc=False, is_async=True)])
                give(k_free, use, STAGES)
                s = visible(s, low0, low1, low2, f0, f1, f2, g0, g1, g2, t0, t1, t2, WINDOW, BOX)
                e, total, top, shrink = soften(s, total, top, scale)
                acc = acc * gl.convert_layout(shrink, O_ROW)[:, None]
                p = gl.convert_layout(e.to(TYPE), P_LAYOUT)
                product = warpgroup_mma(p, box(v_ring, v_full, use, N, DIM, STAGES), acc, is_async=True)
                acc = warpgroup_mma_wait(0, deps=[product])
                give(v_free, use, STAGES)
                t0, t1, t2 = next_box(t0, t1, t2, b0, b1, b2, e0, e1, e2, BOX, SPLIT)
                use += 1
        use = pass_over(use, c0 * c1 * c2 - stop, k_full, v_full, k_free, v_free, STAGES)

        acc = acc / gl.convert_layout(total, O_ROW)[:, None]
        q_place.store(acc.to(TYPE))
        # Worked out anew: the loop has no registers left for what it does not need.
        batch, head, a0, a1, a2 = corner(hide(item), L1, L2, heads, tiles, TILE, DEEP)
        if SPLIT == 0:
            a0 += PART * SUB0
        else:
            a1 += PART * SUB1
        there, token = rows_at(a0, a1, a2, n0, L1, L2, SUB0, SUB1, SUB2, IO_ROW)
        o = (batch.to(gl.int64) * n0 * L1 * L2 + token) * heads + head
        gl.store(out_ptr + o[:, None] * DIM + channel, q_place.load(IO), mask=there[:, None])
        lse = gl.convert_layout((top + gl.log2(total)) * 0.6931471805599453, IO_ROW)
        gl.store(lse_ptr + o, lse, mask=there)


@gluon.jit(do_not_specialize=["L0", "L1", "L2", "heads", "tiles", "items"])
def neighborhood_gluon_fwd_kernel(
    k_desc, v_desc, q_ptr, out_ptr, lse_ptr, q_batch, q_token, q_head, L0, L1, L2, heads, tiles, items, scale,
    WINDOW: gl.constexpr, STRIDE: gl.constexpr, TILE: gl.constexpr, BOX: gl.constexpr, SPLIT: gl.constexpr,
    DIM: gl.constexpr, GROUP: gl.constexpr, STAGES: gl.constexpr, PARTS: gl.constexpr, DEEP: gl.constexpr,
    OVERLAP: gl.constexpr, CONSUMER_REGISTERS: gl.constexpr, PRODUCER_REGISTERS: gl.constexpr,
):  # fmt: skip
    """Attend from tiles of queries, and write output and logsumexp."""
    TYPE: gl.constexpr = k_desc.dtype
    M: gl.constexpr = TILE[0] * TILE[1] * TILE[2] // PARTS
    SHAPE: gl.constexpr = k_desc.block_type.shape
    q = gl.allocate_shared_memory(TYPE, [PARTS, M, DIM], gl.NVMMASharedLayout(128, 16, rank=2))
    kr = gl.allocate_shared_memory(TYPE, [STAGES] + SHAPE, k_desc.layout)  # noqa: RUF005
    vr = gl.allocate_shared_memory(TYPE, [STAGES] + SHAPE, v_desc.layout)  # noqa: RUF005
    k1 = gl.allocate_shared_memory(gl.int64, [STAGES, 1], mbarrier.MBarrierLayout())
    v1 = gl.allocate_shared_memory(gl.int64, [STAGES, 1], mbarrier.MBarrierLayout())
    k0 = gl.allocate_shared_memory(gl.int64, [STAGES, 1], mbarrier.MBarrierLayout())
    v0 = gl.allocate_shared_memory(gl.int64, [STAGES, 1], mbarrier.MBarrierLayout())
    for i in gl.static_range(STAGES):
        mbarrier.init(k1.index(i), count=1)
        mbarrier.init(v1.index(i), count=1)
        mbarrier.init(k0.index(i), count=PARTS)
        mbarrier.init(v0.index(i), count=PARTS)
    fence_async_shared()
    # Constant tuples may stand in a call, not in a variable, so the arguments are written out for each role.
    if PARTS == 2:
        gl.warp_specialize(
            [
                (consume, (
                    q.index(0), kr, vr, k1, v1, k0, v0, q_ptr, out_ptr, lse_ptr, q_batch, q_token, q_head, L0, L1, L2,
                    heads, tiles, items, scale, WINDOW, STRIDE, TILE, BOX, SPLIT, DIM, STAGES, 2, 0, DEEP, OVERLAP)),
                (consume, (
                    q.index(1), kr, vr, k1, v1, k0, v0, q_ptr, out_ptr, lse_ptr, q_batch, q_token, q_head, L0, L1, L2,
                    heads, tiles, items, scale, WINDOW, STRIDE, TILE, BOX, SPLIT, DIM, STAGES, 2, 1, DEEP, OVERLAP)),
                (produce, (
                    k_desc, v_desc, kr, vr, k1, v1, k0, v0, L0, L1, L2, heads, tiles, items, WINDOW, STRIDE, TILE, BOX,
                    SPLIT, DIM, GROUP, STAGES, DEEP)),
            ],
            [4, 1],
            [CONSUMER_REGISTERS, PRODUCER_REGISTERS],
        )  # fmt: skip
    else:
        gl.warp_specialize(
            [
                (consume, (
                    q.index(0), kr, vr, k1, v1, k0, v0, q_ptr, out_ptr, lse_ptr, q_batch, q_token, q_head, L0, L1, L2,
                    heads, tiles, items, scale, WINDOW, STRIDE, TILE, BOX, SPLIT, DIM, STAGES, 3, 0, DEEP, OVERLAP)),
                (consume, (
                    q.index(1), kr, vr, k1, v1, k0, v0, q_ptr, out_ptr, lse_ptr, q_batch, q_token, q_head, L0, L1, L2,
                    heads, tiles, items, scale, WINDOW, STRIDE, TILE, BOX, SPLIT, DIM, STAGES, 3, 1, DEEP, OVERLAP)),
                (consume, (
                    q.index(2), kr, vr, k1, v1, k0, v0, q_ptr, out_ptr, lse_ptr, q_batch, q_token, q_head, L0, L1, L2,
                    heads, tiles, items, scale, WINDOW, STRIDE, TILE, BOX, SPLIT, DIM, STAGES, 3, 2, DEEP, OVERLAP)),
                (produce, (
                    k_desc, v_desc, kr, vr, k1, v1, k0, v0, L0, L1, L2, heads, tiles, items, WINDOW, STRIDE, TILE, BOX,
                    SPLIT, DIM, GROUP, STAGES, DEEP)),
            ],
            [4, 4, 1],
            [CONSUMER_REGISTERS, CONSUMER_REGISTERS, PRODUCER_REGISTERS],
        )  # fmt: skip

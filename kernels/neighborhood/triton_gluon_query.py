"""Kernel of d_query and delta of neighborhood attention for Hopper GPUs and large windows, in Gluon.

Work of a program with M = 128 queries and N keys in the boxes that it walks: 3 products, 6 M N dim operations, M N
exponentials, and 4 N dim bytes of L2 (16 bit). A step of both consumers with 64 keys of 128 channels takes the tensor
cores 1536 clocks, shared memory 1280 and the exponentials 512.

Producer, rings and walk are those of the forward; queries and d_out of the tile stay in shared memory.
"""

# Kernels have no types that mypy knows.
# mypy: disallow-untyped-defs=False

from triton.experimental import gluon
from triton.experimental.gluon import language as gl
from triton.experimental.gluon.language.nvidia.hopper import (
    fence_async_shared,
    mbarrier,
    warpgroup_mma,
    warpgroup_mma_wait,
)

from foveate.kernels.neighborhood.triton_gluon import (
    await_box,
    corner,
    first_key,
    give,
    hide,
    next_box,
    pass_over,
    produce,
    rows_at,
    span,
    visible,
)
from foveate.kernels.neighborhood.triton_gluon_backward import place


@gluon.jit
def consume_keys(
        q_place, g_place, k_ring, v_ring, k_full, v_full, k_free, v_free, q_ptr, out_ptr, lse_ptr, g_ptr, d_lse_ptr,
        d_q_ptr, delta_ptr, q_batch, q_token, q_head, g_batch, g_token, g_head, L0, L1, L2, heads, tiles, items, scale,
        WINDOW: gl.constexpr, STRIDE: gl.constexpr, TILE: gl.constexpr, BOX: gl.constexpr, SPLIT: gl.constexpr,
        DIM: gl.constexpr, STAGES: gl.constexpr, PARTS: gl.constexpr, PART: gl.constexpr, DEEP: gl.constexpr,
        OVERLAP: gl.constexpr, HAS_D_LSE: gl.constexpr):  # fmt: skip
    """Sum d_query of one part of the query tiles of all items of this program, and write delta."""
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
        q_place.store(gl.load(q_at + token[:, None] * q_token + channel, mask=there[:, None], other=0.0))
        g_at = g_ptr + batch.to(gl.int64) * g_batch + head.to(gl.int64) * g_head
        g = gl.load(g_at + token[:, None] * g_token + channel, mask=there[:, None], other=0.0)
        g_place.store(g)
        fence_async_shared()
        o = (batch.to(gl.int64) * n0 * L1 * L2 + token) * heads + head
        out = gl.load(out_ptr + o[:, None] * DIM + channel, mask=there[:, None], other=0.0)
        delta = gl.sum(out.to(gl.float32) * g.to(gl.float32), 1)
        if HAS_D_LSE:
            delta = delta - gl.load(d_lse_ptr + o, mask=there, other=0.0)
        gl.store(delta_ptr + o, delta, mask=there)
        lse = gl.load(lse_ptr + o, mask=there, other=0.0) * 1.4426950408889634
        delta, lse = gl.convert_layout(delta, S_ROW)[:, None], gl.convert_layout(lse, S_ROW)[:, None]

        use = pass_over(use, start, k_full, v_full, k_free, v_free, STAGES)
        acc = gl.zeros([M, DIM], gl.float32, O_LAYOUT)
        none = gl.zeros([M, N], gl.float32, S_LAYOUT)
        if OVERLAP:
            # In turn: the scores of box n are known, and with those of n + 1 run the product of n - 1 and slopes of n.
            await_box(k_full, use, True, STAGES)
            k = place(k_ring, use, N, DIM, STAGES).permute([1, 0])
            scores = warpgroup_mma(q_place, k, none, use_acc=False, is_async=True)
            await_box(v_full, use, True, STAGES)
            v = place(v_ring, use, N, DIM, STAGES).permute([1, 0])
            slope = warpgroup_mma(g_place, v, none, use_acc=False, is_async=True)
            s, slope = warpgroup_mma_wait(0, deps=[scores, slope])
            give(v_free, use, STAGES)
            s = visible(s, low0, low1, low2, f0, f1, f2, g0, g1, g2, t0, t1, t2, WINDOW, BOX)
            d_s = gl.convert_layout((gl.exp2(s * scale - lse) * (slope - delta)).to(TYPE), P_LAYOUT)
            t0, t1, t2 = next_box(t0, t1, t2, b0, b1, b2, e0, e1, e2, BOX, SPLIT)
            await_box(k_full, use + 1, start + 1 < stop, STAGES)
            await_box(v_full, use + 1, start + 1 < stop, STAGES)
            k = place(k_ring, use + 1, N, DIM, STAGES).permute([1, 0])
            s = warpgroup_mma_wait(0, deps=[warpgroup_mma(q_place, k, none, use_acc=False, is_async=True)])
            for n in range(start + 1, stop):
                product = warpgroup_mma(d_s, place(k_ring, use, N, DIM, STAGES), acc, is_async=True)
                use += 1
                v = place(v_ring, use, N, DIM, STAGES).permute([1, 0])
                slope = warpgroup_mma(g_place, v, none, use_acc=False, is_async=True)
                await_box(k_full, use + 1, n + 1 < stop, STAGES)
                # After the last box this reads a place that nothing was waited for, and nobody reads the result.
                k = place(k_ring, use + 1, N, DIM, STAGES).permute([1, 0])
                scores = warpgroup_mma(q_place, k, none, use_acc=False, is_async=True)
                s = visible(s, low0, low1, low2, f0, f1, f2, g0, g1, g2, t0, t1, t2, WINDOW, BOX)
                e = gl.exp2(s * scale - lse)
                t0, t1, t2 = next_box(t0, t1, t2, b0, b1, b2, e0, e1, e2, BOX, SPLIT)
                # Waiting for the next values here keeps ptxas from moving the wait for slopes above the exponentials.
                await_box(v_full, use + 1, n + 1 < stop, STAGES)
                # The left operand is named so that its registers are not given away before it has been read.
                acc, slope, d_s = warpgroup_mma_wait(1, deps=[product, slope, d_s])
                give(k_free, use - 1, STAGES)
                give(v_free, use, STAGES)
                d_s = gl.convert_layout((e * (slope - delta)).to(TYPE), P_LAYOUT)
                s = warpgroup_mma_wait(0, deps=[scores])
            product = warpgroup_mma(d_s, place(k_ring, use, N, DIM, STAGES), acc, is_async=True)
            acc, d_s = warpgroup_mma_wait(0, deps=[product, d_s])
            give(k_free, use, STAGES)
            use += 1
        else:
            for _ in range(start, stop):
                await_box(k_full, use, True, STAGES)
                k = place(k_ring, use, N, DIM, STAGES)
                scores = warpgroup_mma(q_place, k.permute([1, 0]), none, use_acc=False, is_async=True)
                await_box(v_full, use, True, STAGES)
                v = place(v_ring, use, N, DIM, STAGES).permute([1, 0])
                slope = warpgroup_mma(g_place, v, none, use_acc=False, is_async=True)
                s = warpgroup_mma_wait(1, deps=[scores])
                s = visible(s, low0, low1, low2, f0, f1, f2, g0, g1, g2, t0, t1, t2, WINDOW, BOX)
                e = gl.exp2(s * scale - lse)
                slope = warpgroup_mma_wait(0, deps=[slope])
                give(v_free, use, STAGES)
                d_s = gl.convert_layout((e * (slope - delta)).to(TYPE), P_LAYOUT)
                product = warpgroup_mma(d_s, k, acc, is_async=True)
                acc, d_s = warpgroup_mma_wait(0, deps=[product, d_s])
                give(k_free, use, STAGES)
                t0, t1, t2 = next_box(t0, t1, t2, b0, b1, b2, e0, e1, e2, BOX, SPLIT)
                use += 1
        use = pass_over(use, c0 * c1 * c2 - stop, k_full, v_full, k_free, v_free, STAGES)

        q_place.store((acc * (scale * 0.6931471805599453)).to(TYPE))
        # Worked out anew: the loop has no registers left for what it does not need.
        batch, head, a0, a1, a2 = corner(hide(item), L1, L2, heads, tiles, TILE, DEEP)
        if SPLIT == 0:
            a0 += PART * SUB0
        else:
            a1 += PART * SUB1
        there, token = rows_at(a0, a1, a2, n0, L1, L2, SUB0, SUB1, SUB2, IO_ROW)
        o = (batch.to(gl.int64) * n0 * L1 * L2 + token) * heads + head
        gl.store(d_q_ptr + o[:, None] * DIM + channel, q_place.load(IO), mask=there[:, None])


@gluon.jit(do_not_specialize=["L0", "L1", "L2", "heads", "tiles", "items"])
def neighborhood_gluon_bwd_query_kernel(
    k_desc, v_desc, q_ptr, out_ptr, lse_ptr, g_ptr, d_lse_ptr, d_q_ptr, delta_ptr,
    q_batch, q_token, q_head, g_batch, g_token, g_head, L0, L1, L2, heads, tiles, items, scale,
    WINDOW: gl.constexpr, STRIDE: gl.constexpr, TILE: gl.constexpr, BOX: gl.constexpr, SPLIT: gl.constexpr,
    DIM: gl.constexpr, GROUP: gl.constexpr, STAGES: gl.constexpr, PARTS: gl.constexpr, DEEP: gl.constexpr,
    OVERLAP: gl.constexpr, CONSUMER_REGISTERS: gl.constexpr, PRODUCER_REGISTERS: gl.constexpr, HAS_D_LSE: gl.constexpr,
):  # fmt: skip
    """Sum d_query of tiles of queries, and write it and delta."""
    TYPE: gl.constexpr = k_desc.dtype
    M: gl.constexpr = TILE[0] * TILE[1] * TILE[2] // PARTS
    SHAPE: gl.constexpr = k_desc.block_type.shape
    q = gl.allocate_shared_memory(TYPE, [PARTS, M, DIM], gl.NVMMASharedLayout(128, 16, rank=2))
    g = gl.allocate_shared_memory(TYPE, [PARTS, M, DIM], gl.NVMMASharedLayout(128, 16, rank=2))
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
    gl.warp_specialize(
        [
            (consume_keys, (
                q.index(0), g.index(0), kr, vr, k1, v1, k0, v0, q_ptr, out_ptr, lse_ptr, g_ptr, d_lse_ptr, d_q_ptr,
                delta_ptr, q_batch, q_token, q_head, g_batch, g_token, g_head, L0, L1, L2, heads, tiles, items, scale,
                WINDOW, STRIDE, TILE, BOX, SPLIT, DIM, STAGES, 2, 0, DEEP, OVERLAP, HAS_D_LSE)),
            (consume_keys, (
                q.index(1), g.index(1), kr, vr, k1, v1, k0, v0, q_ptr, out_ptr, lse_ptr, g_ptr, d_lse_ptr, d_q_ptr,
                delta_ptr, q_batch, q_token, q_head, g_batch, g_token, g_head, L0, L1, L2, heads, tiles, items, scale,
                WINDOW, STRIDE, TILE, BOX, SPLIT, DIM, STAGES, 2, 1, DEEP, OVERLAP, HAS_D_LSE)),
            (produce, (
                k_desc, v_desc, kr, vr, k1, v1, k0, v0, L0, L1, L2, heads, tiles, items, WINDOW, STRIDE, TILE, BOX,
                SPLIT, DIM, GROUP, STAGES, DEEP)),
        ],
        [4, 1],
        [CONSUMER_REGISTERS, PRODUCER_REGISTERS],
    )  # fmt: skip

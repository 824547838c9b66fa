"""Block-sparse attention of small blocks in Triton: dense products over all keys, of which a mask keeps some.

A block of four tokens fills a quarter of the smallest product, and gathering its keys costs more than the products of
keys that it does not see. Here a tile holds many blocks; the blocks that a query sees are the bits of one number.
BiFormer's third stage at 224 pixels, batch 128: 196 keys instead of 64 for each query, 2.5 GFLOP forward, and a head's
keys and values, 25 KB, are read four times from the L2 cache instead of sixteen. Keys that a query does not see are
multiplied by 0, so a value that is no number spoils its whole item, as in any attention with a mask.
"""

# Kernels have no types that mypy knows.
# mypy: disallow-untyped-defs=False

import triton
import triton.language as tl

from foveate.kernels.routing.problem import BlockGrid
from foveate.kernels.routing.tiles import choose_dense, is_even_dense
from foveate.kernels.routing.triton_forward import _load, _place, case_signature, shapes


@triton.jit
def _blocks(tile, LENGTH: tl.constexpr, TOKENS: tl.constexpr):
    """Block within a tile, block, token, and whether there is such a place, for LENGTH places of a tile."""
    place = tl.arange(0, LENGTH)
    local = place // TOKENS
    return local, tile * (LENGTH // TOKENS) + local, place % TOKENS, local < LENGTH // TOKENS


@triton.jit
def _seen(index_rows, ok, ENTRIES: tl.constexpr, E: tl.constexpr, BLOCKS: tl.constexpr):
    """The blocks that each row lists, as bits of a number."""
    entry = tl.arange(0, E)
    ok = ok[:, None] & (entry < ENTRIES)[None, :]
    named = tl.load(index_rows[:, None] + entry[None, :], mask=ok, other=-1).to(tl.int64)
    live = (named >= 0) & (named < BLOCKS)
    bit = tl.full(named.shape, 1, tl.int64) << tl.where(live, named, 0)
    return tl.sum(tl.where(live, bit, 0), 1)


@triton.jit
def block_dense_fwd_kernel(
    q_ptr, k_ptr, v_ptr, index_ptr, weight_ptr, out_ptr, lse_ptr, scale, heads, group, index_heads,
    q_batch, q_0, q_1, q_2, q_head, k_batch, k_0, k_1, k_2, k_head, v_batch, v_0, v_1, v_2, v_head,
    QL0: tl.constexpr, QL1: tl.constexpr, QL2: tl.constexpr, QB0: tl.constexpr, QB1: tl.constexpr, QB2: tl.constexpr,
    KL0: tl.constexpr, KL1: tl.constexpr, KL2: tl.constexpr, KB0: tl.constexpr, KB1: tl.constexpr, KB2: tl.constexpr,
    ENTRIES: tl.constexpr, SPAN: tl.constexpr, DIM: tl.constexpr, DIM_V: tl.constexpr,
    D: tl.constexpr, DV: tl.constexpr, R: tl.constexpr, T: tl.constexpr, G: tl.constexpr, N: tl.constexpr,
    E: tl.constexpr, EVEN: tl.constexpr,
):  # fmt: skip
    """Output and logarithm of the denominator of one tile of queries of one head."""
    Q_BLOCKS: tl.constexpr = ((QL0 + QB0 - 1) // QB0) * ((QL1 + QB1 - 1) // QB1) * ((QL2 + QB2 - 1) // QB2)
    K_BLOCKS: tl.constexpr = ((KL0 + KB0 - 1) // KB0) * ((KL1 + KB1 - 1) // KB1) * ((KL2 + KB2 - 1) // KB2)
    TILES: tl.constexpr = (Q_BLOCKS + R // T - 1) // (R // T)
    program = tl.program_id(0)
    head, tile, item = program % heads, program // heads % TILES, (program // heads // TILES).to(tl.int64)
    _, block, token, ok = _blocks(tile, R, T)
    c0, c1, c2 = _place(block, token, QL1, QL2, QB0, QB1, QB2)
    ok = ok & (block < Q_BLOCKS) & (c0 < QL0) & (c1 < QL1) & (c2 < QL2)
    d, dv = tl.arange(0, D), tl.arange(0, DV)
    q_off = (c0 * q_0 + c1 * q_1 + c2 * q_2)[:, None] + d[None, :]
    q = tl.load(q_ptr + (item * q_batch + head * q_head) + q_off, mask=ok[:, None] & (d < DIM)[None, :], other=0.0)
    lists = index_ptr + (item * index_heads + tl.where(index_heads == 1, 0, head)) * (Q_BLOCKS * ENTRIES)
    seen = _seen(lists + block * ENTRIES, ok, ENTRIES, E, K_BLOCKS)
    k_base = k_ptr + (item * k_batch + head // group * k_head)
    v_base = v_ptr + (item * v_batch + head // group * v_head)
    factor = scale * 1.4426950408889634

    top = tl.full([R], float("-inf"), tl.float32)
    total = tl.zeros([R], tl.float32)
    acc = tl.zeros([R, DV], tl.float32)
    for step in range((K_BLOCKS + N // SPAN - 1) // (N // SPAN)):
        local, kb, k_token, live = _blocks(step, N, SPAN)
        k0, k1, k2 = _place(tl.minimum(kb, K_BLOCKS - 1), k_token, KL1, KL2, KB0, KB1, KB2)
        live = live & (kb < K_BLOCKS) & (k0 < KL0) & (k1 < KL1) & (k2 < KL2)
        k = _load(k_base + (k0 * k_0 + k1 * k_1 + k2 * k_2)[:, None] + d[None, :], live, d < DIM, EVEN)
        v = _load(v_base + (k0 * v_0 + k1 * v_1 + k2 * v_2)[:, None] + dv[None, :], live, dv < DIM_V, EVEN)
        word = (seen >> (step * (N // SPAN))).to(tl.int32)
        bit = 1 << local
        if not EVEN:
            bit = tl.where(live, bit, 0)
        scores = tl.dot(q, tl.trans(k), input_precision="ieee")
        scores = tl.where((word[:, None] & bit[None, :]) != 0, scores, float("-inf"))
        higher = tl.maximum(top, tl.max(scores, 1))
        safe = tl.where(higher == float("-inf"), 0.0, higher) * factor
        p = tl.exp2(scores * factor - safe[:, None])
        shrink = tl.exp2(top * factor - safe)
        total = total * shrink + tl.sum(p, 1)
        acc = acc * shrink[:, None] + tl.dot(p.to(v.dtype), v, input_precision="ieee")
        top = higher

    alone = total == 0.0
    total = tl.where(alone, 1.0, total)
    lse = tl.where(alone, float("-inf"), top * scale + tl.log(total))
    at = (c0 * QL1 + c1) * QL2 + c2
    first = item * (QL0 * QL1 * QL2) * heads + head
    tl.store(lse_ptr + first + at * heads, lse, mask=ok)
    out = acc * (1.0 / total)[:, None]
    out_off = (at * heads * DIM_V)[:, None] + dv[None, :]
    out_ok = ok[:, None] & (dv < DIM_V)[None, :]
    tl.store(out_ptr + first * DIM_V + out_off, out.to(out_ptr.dtype.element_ty), mask=out_ok)


@triton.jit
def block_dense_bwd_query_kernel(
    q_ptr, k_ptr, v_ptr, index_ptr, weight_ptr, out_ptr, grad_ptr, lse_ptr, grad_lse_ptr, row_ptr, grad_q_ptr,
    seen_ptr, scale, heads, group, index_heads, half,
    q_batch, q_0, q_1, q_2, q_head, k_batch, k_0, k_1, k_2, k_head, v_batch, v_0, v_1, v_2, v_head,
    QL0: tl.constexpr, QL1: tl.constexpr, QL2: tl.constexpr, QB0: tl.constexpr, QB1: tl.constexpr, QB2: tl.constexpr,
    KL0: tl.constexpr, KL1: tl.constexpr, KL2: tl.constexpr, KB0: tl.constexpr, KB1: tl.constexpr, KB2: tl.constexpr,
    ENTRIES: tl.constexpr, SPAN: tl.constexpr, DIM: tl.constexpr, DIM_V: tl.constexpr,
    D: tl.constexpr, DV: tl.constexpr, R: tl.constexpr, T: tl.constexpr, G: tl.constexpr, N: tl.constexpr,
    E: tl.constexpr, EVEN: tl.constexpr, HAS_GRAD_LSE: tl.constexpr,
):  # fmt: skip
    """Gradients of a tile of queries of one head, and what the key's kernel needs: rows, and seen blocks as bits."""
    Q_BLOCKS: tl.constexpr = ((QL0 + QB0 - 1) // QB0) * ((QL1 + QB1 - 1) // QB1) * ((QL2 + QB2 - 1) // QB2)
    K_BLOCKS: tl.constexpr = ((KL0 + KB0 - 1) // KB0) * ((KL1 + KB1 - 1) // KB1) * ((KL2 + KB2 - 1) // KB2)
    TILES: tl.constexpr = (Q_BLOCKS + R // T - 1) // (R // T)
    program = tl.program_id(0)
    head, tile, item = program % heads, program // heads % TILES, (program // heads // TILES).to(tl.int64)
    _, block, token, ok = _blocks(tile, R, T)
    c0, c1, c2 = _place(block, token, QL1, QL2, QB0, QB1, QB2)
    ok = ok & (block < Q_BLOCKS) & (c0 < QL0) & (c1 < QL1) & (c2 < QL2)
    d, dv = tl.arange(0, D), tl.arange(0, DV)
    q_off = (c0 * q_0 + c1 * q_1 + c2 * q_2)[:, None] + d[None, :]
    q_ok = ok[:, None] & (d < DIM)[None, :]
    q = tl.load(q_ptr + (item * q_batch + head * q_head) + q_off, mask=q_ok, other=0.0)
    at = (c0 * QL1 + c1) * QL2 + c2
    first = item * (QL0 * QL1 * QL2) * heads + head
    out_off = (at * heads * DIM_V)[:, None] + dv[None, :]
    out_ok = ok[:, None] & (dv < DIM_V)[None, :]
    grad = tl.load(grad_ptr + first * DIM_V + out_off, mask=out_ok, other=0.0)
    out = tl.load(out_ptr + first * DIM_V + out_off, mask=out_ok, other=0.0)
    delta = tl.sum(grad.to(tl.float32) * out.to(tl.float32), 1)
    if HAS_GRAD_LSE:
        delta -= tl.load(grad_lse_ptr + first + at * heads, mask=ok, other=0.0)
    lse = tl.load(lse_ptr + first + at * heads, mask=ok, other=float("inf"))
    lse = tl.where(lse == float("-inf"), float("inf"), lse) * 1.4426950408889634
    index_row = item * index_heads + tl.where(index_heads == 1, 0, head)
    seen = _seen(index_ptr + index_row * (Q_BLOCKS * ENTRIES) + block * ENTRIES, ok, ENTRIES, E, K_BLOCKS)
    row = (item * heads + head) * (Q_BLOCKS * T) + block * T + token
    exists = (tl.arange(0, R) < R // T * T) & (block < Q_BLOCKS)
    tl.store(row_ptr + row, delta, mask=exists)
    tl.store(row_ptr + half + row, lse, mask=exists)
    tl.store(seen_ptr + row, seen, mask=exists)
    k_base = k_ptr + (item * k_batch + head // group * k_head)
    v_base = v_ptr + (item * v_batch + head // group * v_head)
    factor = scale * 1.4426950408889634

    acc = tl.zeros([R, D], tl.float32)
    for step in range((K_BLOCKS + N // SPAN - 1) // (N // SPAN)):
        local, kb, k_token, live = _blocks(step, N, SPAN)
        k0, k1, k2 = _place(tl.minimum(kb, K_BLOCKS - 1), k_token, KL1, KL2, KB0, KB1, KB2)
        live = live & (kb < K_BLOCKS) & (k0 < KL0) & (k1 < KL1) & (k2 < KL2)
        k = _load(k_base + (k0 * k_0 + k1 * k_1 + k2 * k_2)[:, None] + d[None, :], live, d < DIM, EVEN)
        v = _load(v_base + (k0 * v_0 + k1 * v_1 + k2 * v_2)[:, None] + dv[None, :], live, dv < DIM_V, EVEN)
        word = (seen >> (step * (N // SPAN))).to(tl.int32)
        bit = 1 << local
        if not EVEN:
            bit = tl.where(live, bit, 0)
        scores = tl.dot(q, tl.trans(k), input_precision="ieee") * factor - lse[:, None]
        p = tl.exp2(tl.where((word[:, None] & bit[None, :]) != 0, scores, float("-inf")))
        ds = p * (tl.dot(grad, tl.trans(v), input_precision="ieee") - delta[:, None])
        acc += tl.dot(ds.to(k.dtype), k, input_precision="ieee")

    grad_q_off = (at * heads * DIM)[:, None] + d[None, :]
    tl.store(grad_q_ptr + first * DIM + grad_q_off, (acc * scale).to(grad_q_ptr.dtype.element_ty), mask=q_ok)


@triton.jit
def block_dense_bwd_key_kernel(
    q_ptr, k_ptr, v_ptr, seen_ptr, bound_ptr, weight_ptr, grad_ptr, row_ptr, grad_k_ptr, grad_v_ptr, scale,
    heads_kv, group, index_heads, half,
    q_batch, q_0, q_1, q_2, q_head, k_batch, k_0, k_1, k_2, k_head, v_batch, v_0, v_1, v_2, v_head,
    QL0: tl.constexpr, QL1: tl.constexpr, QL2: tl.constexpr, QB0: tl.constexpr, QB1: tl.constexpr, QB2: tl.constexpr,
    KL0: tl.constexpr, KL1: tl.constexpr, KL2: tl.constexpr, KB0: tl.constexpr, KB1: tl.constexpr, KB2: tl.constexpr,
    ENTRIES: tl.constexpr, SPAN: tl.constexpr, DIM: tl.constexpr, DIM_V: tl.constexpr,
    D: tl.constexpr, DV: tl.constexpr, R: tl.constexpr, T: tl.constexpr, G: tl.constexpr, N: tl.constexpr,
    E: tl.constexpr, EVEN: tl.constexpr,
):  # fmt: skip
    """Gradients of a tile of keys and values of one head; T and SPAN are tokens of a block of keys and of queries."""
    Q_BLOCKS: tl.constexpr = ((QL0 + QB0 - 1) // QB0) * ((QL1 + QB1 - 1) // QB1) * ((QL2 + QB2 - 1) // QB2)
    K_BLOCKS: tl.constexpr = ((KL0 + KB0 - 1) // KB0) * ((KL1 + KB1 - 1) // KB1) * ((KL2 + KB2 - 1) // KB2)
    TILES: tl.constexpr = (K_BLOCKS + R // T - 1) // (R // T)
    program = tl.program_id(0)
    head, tile, item = program % heads_kv, program // heads_kv % TILES, (program // heads_kv // TILES).to(tl.int64)
    local, block, token, ok = _blocks(tile, R, T)
    c0, c1, c2 = _place(block, token, KL1, KL2, KB0, KB1, KB2)
    ok = ok & (block < K_BLOCKS) & (c0 < KL0) & (c1 < KL1) & (c2 < KL2)
    bit = tl.where(ok, 1 << local, 0)
    d, dv = tl.arange(0, D), tl.arange(0, DV)
    k_ok, v_ok = ok[:, None] & (d < DIM)[None, :], ok[:, None] & (dv < DIM_V)[None, :]
    k_off = (c0 * k_0 + c1 * k_1 + c2 * k_2)[:, None] + d[None, :]
    v_off = (c0 * v_0 + c1 * v_1 + c2 * v_2)[:, None] + dv[None, :]
    k = tl.load(k_ptr + (item * k_batch + head * k_head) + k_off, mask=k_ok, other=0.0)
    v = tl.load(v_ptr + (item * v_batch + head * v_head) + v_off, mask=v_ok, other=0.0)
    heads = heads_kv * group
    factor = scale * 1.4426950408889634

    acc_k = tl.zeros([R, D], tl.float32)
    acc_v = tl.zeros([R, DV], tl.float32)
    for member in range(group):
        q_head_number = head * group + member
        q_base = q_ptr + (item * q_batch + q_head_number * q_head)
        first = item * (QL0 * QL1 * QL2) * heads + q_head_number
        rows = (item * heads + q_head_number) * (Q_BLOCKS * SPAN)
        grad_base, seen_base = grad_ptr + first * DIM_V, seen_ptr + rows
        delta_base, lse_base = row_ptr + rows, row_ptr + half + rows
        for step in range((Q_BLOCKS + N // SPAN - 1) // (N // SPAN)):
            _, qb, q_token, live = _blocks(step, N, SPAN)
            q0, q1, q2 = _place(tl.minimum(qb, Q_BLOCKS - 1), q_token, QL1, QL2, QB0, QB1, QB2)
            live = live & (qb < Q_BLOCKS) & (q0 < QL0) & (q1 < QL1) & (q2 < QL2)
            q = _load(q_base + (q0 * q_0 + q1 * q_1 + q2 * q_2)[:, None] + d[None, :], live, d < DIM, EVEN)
            at = (q0 * QL1 + q1) * QL2 + q2
            grad_off = (at * heads * DIM_V)[:, None] + dv[None, :]
            grad = _load(grad_base + grad_off, live, dv < DIM_V, EVEN)
            # Rows lie in the order of blocks.
            place = step * (N // SPAN * SPAN) + tl.arange(0, N)
            live = (tl.arange(0, N) < N // SPAN * SPAN) & (place < Q_BLOCKS * SPAN)
            delta = tl.load(delta_base + place, mask=live, other=0.0)
            lse = tl.load(lse_base + place, mask=live, other=float("inf"))
            seen = tl.load(seen_base + place, mask=live, other=0)
            word = (seen >> (tile * (R // T))).to(tl.int32)
            scores = tl.dot(k, tl.trans(q), input_precision="ieee") * factor - lse[None, :]
            p = tl.exp2(tl.where((bit[:, None] & word[None, :]) != 0, scores, float("-inf")))
            ds = p * (tl.dot(v, tl.trans(grad), input_precision="ieee") - delta[None, :])
            acc_v += tl.dot(p.to(grad.dtype), grad, input_precision="ieee")
            acc_k += tl.dot(ds.to(q.dtype), q, input_precision="ieee")

    at_k = (c0 * KL1 + c1) * KL2 + c2
    first_k = item * (KL0 * KL1 * KL2) * heads_kv + head
    out_k = (at_k * heads_kv * DIM)[:, None] + d[None, :]
    out_v = (at_k * heads_kv * DIM_V)[:, None] + dv[None, :]
    tl.store(grad_k_ptr + first_k * DIM + out_k, (acc_k * scale).to(grad_k_ptr.dtype.element_ty), mask=k_ok)
    tl.store(grad_v_ptr + first_k * DIM_V + out_v, acc_v.to(grad_v_ptr.dtype.element_ty), mask=v_ok)


def compile_cases() -> list[tuple]:
    """List what to compile without a device.

    Returns:
        Name, kernel, signature, constants and options of each case.
    """
    cases = []
    for name, dim, number in (("stage3", 32, "bf16"), ("float32", 64, "fp32")):
        grid = BlockGrid((14, 14), (2, 2))
        for kind, kernel, flags in (
            ("fwd", block_dense_fwd_kernel, ()),
            ("bwd_query", block_dense_bwd_query_kernel, (False,)),
            ("bwd_key", block_dense_bwd_key_kernel, ()),
        ):
            tiles = choose_dense({"fwd": "forward"}.get(kind, kind[4:]), grid, dim, dim, number == "fp32")
            values = (
                *shapes(grid, grid, 16, grid.tokens, dim, dim, tiles),
                16,
                is_even_dense(grid, dim, dim, tiles),
                *flags,
            )
            constants = dict(zip(kernel.arg_names[-len(values) :], values, strict=True))
            signature = case_signature(kernel.arg_names, number, constants)
            options = {"num_warps": tiles.warps, "num_stages": tiles.stages}
            cases.append((f"block_dense_{kind}_{name}", kernel, signature, constants, options))
    return cases

"""Block-sparse attention in Triton, backward: a kernel for the query's gradient, one for those of key and value.

Both compute the scores again from the saved logarithm of the denominator. The second walks through the queries that
picked a block of keys, found by inverting the index, so that nothing is added by two programs at once. BiFormer at 224
pixels, batch 128: 8.2, 4.1 and 2.1 GFLOP against 565, 283 and 141 MB moved in its three stages; memory decides.
"""

# Kernels have no types that mypy knows.
# mypy: disallow-untyped-defs=False

from dataclasses import dataclass
from functools import lru_cache
from math import prod
from typing import NamedTuple

import torch
import triton
import triton.language as tl
from torch import Tensor

from foveate.kernels.routing.problem import BlockGrid, Inputs
from foveate.kernels.routing.tiles import choose, choose_dense, is_even_dense, power, prefers_dense
from foveate.kernels.routing.triton_forward import (
    CASES,
    Sparsity,
    _load,
    _place,
    _rows,
    _streamed,
    case_signature,
    dense_rows,
    is_even,
    shapes,
    sparsity_of,
)
from foveate.kernels.routing.triton_launch import Launch, Layout, layout_of

# Entries of a batch item that one program of the inverting kernel looks through; sorting takes over above.
INVERT_ENTRIES = 4096


@triton.jit
def block_sparse_bwd_query_kernel(
    q_ptr, k_ptr, v_ptr, index_ptr, weight_ptr, out_ptr, grad_ptr, lse_ptr, grad_lse_ptr, row_ptr, grad_q_ptr,
    grad_w_ptr, scale, heads, group, index_heads, half,
    q_batch, q_0, q_1, q_2, q_head, k_batch, k_0, k_1, k_2, k_head, v_batch, v_0, v_1, v_2, v_head,
    QL0: tl.constexpr, QL1: tl.constexpr, QL2: tl.constexpr, QB0: tl.constexpr, QB1: tl.constexpr, QB2: tl.constexpr,
    KL0: tl.constexpr, KL1: tl.constexpr, KL2: tl.constexpr, KB0: tl.constexpr, KB1: tl.constexpr, KB2: tl.constexpr,
    ENTRIES: tl.constexpr, SPAN: tl.constexpr, DIM: tl.constexpr, DIM_V: tl.constexpr,
    D: tl.constexpr, DV: tl.constexpr, R: tl.constexpr, T: tl.constexpr, G: tl.constexpr, N: tl.constexpr,
    WEIGHTED: tl.constexpr, HOLES: tl.constexpr, EVEN: tl.constexpr, HAS_GRAD_LSE: tl.constexpr,
):  # fmt: skip
    """Gradients of a tile of queries, their share of the weights' gradients, and what the other kernel subtracts."""
    Q_BLOCKS: tl.constexpr = ((QL0 + QB0 - 1) // QB0) * ((QL1 + QB1 - 1) // QB1) * ((QL2 + QB2 - 1) // QB2)
    K_BLOCKS: tl.constexpr = ((KL0 + KB0 - 1) // KB0) * ((KL1 + KB1 - 1) // KB1) * ((KL2 + KB2 - 1) // KB2)
    first, head, token, rest, ok = _rows(tl.program_id(0), heads, QB0 * QB1 * QB2, R, T, G)
    item, block = (rest // Q_BLOCKS).to(tl.int64), rest % Q_BLOCKS
    c0, c1, c2 = _place(block, token, QL1, QL2, QB0, QB1, QB2)
    ok = ok & (c0 < QL0) & (c1 < QL1) & (c2 < QL2)
    d, dv = tl.arange(0, G * D), tl.arange(0, G * DV)
    d_ok = (d % D < DIM) & (first + d // D < heads)
    dv_ok = (dv % DV < DIM_V) & (first + dv // DV < heads)
    q_off = (c0 * q_0 + c1 * q_1 + c2 * q_2)[:, None] + ((first + d // D) * q_head + d % D)[None, :]
    q_ok = ok[:, None] & d_ok[None, :] & (head[:, None] == (d // D)[None, :])
    q = tl.load(q_ptr + item * q_batch + q_off, mask=q_ok, other=0.0)
    at = (c0 * QL1 + c1) * QL2 + c2
    items = item * (QL0 * QL1 * QL2) * heads
    out_off = (at * heads)[:, None] * DIM_V + ((first + dv // DV) * DIM_V + dv % DV)[None, :]
    out_ok = ok[:, None] & dv_ok[None, :] & (head[:, None] == (dv // DV)[None, :])
    grad = tl.load(grad_ptr + items * DIM_V + out_off, mask=out_ok, other=0.0)
    out = tl.load(out_ptr + items * DIM_V + out_off, mask=out_ok, other=0.0)
    delta = tl.sum(grad.to(tl.float32) * out.to(tl.float32), 1)
    row = items + at * heads + first + head
    if HAS_GRAD_LSE:
        delta -= tl.load(grad_lse_ptr + row, mask=ok, other=0.0)
    tl.store(row_ptr + row, delta, mask=ok)
    lse = tl.load(lse_ptr + row, mask=ok, other=float("inf"))
    lse = tl.where(lse == float("-inf"), float("inf"), lse) * 1.4426950408889634
    tl.store(row_ptr + half + row, lse, mask=ok)
    k_col = (first + d // D) // group * k_head + d % D
    v_col = (first + dv // DV) // group * v_head + dv % DV
    index_head = tl.where(index_heads == 1, 0, first)
    row_of_index = ((item * index_heads + index_head) * Q_BLOCKS + block) * ENTRIES
    k_base, v_base = k_ptr + item * k_batch, v_ptr + item * v_batch
    factor = scale * 1.4426950408889634

    acc = tl.zeros([R, G * D], tl.float32)
    for start in range(0, ENTRIES * SPAN, N):
        entry, kb, k_token, live = _streamed(
            index_ptr + row_of_index, start, N, ENTRIES, SPAN, KB0 * KB1 * KB2, K_BLOCKS, EVEN
        )
        k0, k1, k2 = _place(kb, k_token, KL1, KL2, KB0, KB1, KB2)
        if not EVEN:
            live = live & (k0 < KL0) & (k1 < KL1) & (k2 < KL2)
        run = True
        if HOLES:
            run = tl.max(live.to(tl.int32), 0) > 0
        if run:
            k_off = (k0 * k_0 + k1 * k_1 + k2 * k_2)[:, None] + k_col[None, :]
            k = _load(k_base + k_off, live, d_ok, EVEN)
            v_off = (k0 * v_0 + k1 * v_1 + k2 * v_2)[:, None] + v_col[None, :]
            v = _load(v_base + v_off, live, dv_ok, EVEN)
            raw = tl.dot(q, tl.trans(k), input_precision="ieee")
            raw_grad = tl.dot(grad, tl.trans(v), input_precision="ieee")
            if WEIGHTED:
                w = tl.load(weight_ptr + row_of_index + entry, mask=live, other=0.0).to(tl.float32)
                p = tl.exp2(raw * (w * factor)[None, :] - lse[:, None])
                if not EVEN:
                    p = tl.where(live[None, :], p, 0.0)
                ds = p * (raw_grad * w[None, :] - delta[:, None])
                share = tl.sum(ds * raw * scale + p * raw_grad, 0)
                W: tl.constexpr = min(SPAN, N)
                share = tl.sum(tl.reshape(share, [N // W, W]), 1)
                place = tl.program_id(0).to(tl.int64) * (ENTRIES * SPAN // W) + start // W + tl.arange(0, N // W)
                tl.store(grad_w_ptr + place, share, mask=start // W + tl.arange(0, N // W) < ENTRIES * SPAN // W)
                ds = ds * w[None, :]
            else:
                p = tl.exp2(raw * factor - lse[:, None])
                if not EVEN:
                    p = tl.where(live[None, :], p, 0.0)
                ds = p * (raw_grad - delta[:, None])
            acc += tl.dot(ds.to(k.dtype), k, input_precision="ieee")

    grad_q_off = (at * heads)[:, None] * DIM + ((first + d // D) * DIM + d % D)[None, :]
    tl.store(grad_q_ptr + items * DIM + grad_q_off, (acc * scale).to(grad_q_ptr.dtype.element_ty), mask=q_ok)


@triton.jit
def block_sparse_bwd_key_kernel(
    q_ptr, k_ptr, v_ptr, pair_ptr, bound_ptr, weight_ptr, grad_ptr, row_ptr, grad_k_ptr, grad_v_ptr, scale,
    heads_kv, group, index_heads, half,
    q_batch, q_0, q_1, q_2, q_head, k_batch, k_0, k_1, k_2, k_head, v_batch, v_0, v_1, v_2, v_head,
    QL0: tl.constexpr, QL1: tl.constexpr, QL2: tl.constexpr, QB0: tl.constexpr, QB1: tl.constexpr, QB2: tl.constexpr,
    KL0: tl.constexpr, KL1: tl.constexpr, KL2: tl.constexpr, KB0: tl.constexpr, KB1: tl.constexpr, KB2: tl.constexpr,
    ENTRIES: tl.constexpr, SPAN: tl.constexpr, DIM: tl.constexpr, DIM_V: tl.constexpr,
    D: tl.constexpr, DV: tl.constexpr, R: tl.constexpr, T: tl.constexpr, G: tl.constexpr, N: tl.constexpr,
    WEIGHTED: tl.constexpr, SORTED: tl.constexpr,
):  # fmt: skip
    """Gradients of a tile of keys and values."""
    Q_BLOCKS: tl.constexpr = ((QL0 + QB0 - 1) // QB0) * ((QL1 + QB1 - 1) // QB1) * ((QL2 + QB2 - 1) // QB2)
    K_BLOCKS: tl.constexpr = ((KL0 + KB0 - 1) // KB0) * ((KL1 + KB1 - 1) // KB1) * ((KL2 + KB2 - 1) // KB2)
    first, head, token, rest, ok = _rows(tl.program_id(0), heads_kv, KB0 * KB1 * KB2, R, T, G)
    item, block = (rest // K_BLOCKS).to(tl.int64), rest % K_BLOCKS
    c0, c1, c2 = _place(block, token, KL1, KL2, KB0, KB1, KB2)
    ok = ok & (c0 < KL0) & (c1 < KL1) & (c2 < KL2)
    d, dv = tl.arange(0, G * D), tl.arange(0, G * DV)
    d_ok = (d % D < DIM) & (first + d // D < heads_kv)
    dv_ok = (dv % DV < DIM_V) & (first + dv // DV < heads_kv)
    k_ok = ok[:, None] & d_ok[None, :] & (head[:, None] == (d // D)[None, :])
    v_ok = ok[:, None] & dv_ok[None, :] & (head[:, None] == (dv // DV)[None, :])
    k_off = (c0 * k_0 + c1 * k_1 + c2 * k_2)[:, None] + ((first + d // D) * k_head + d % D)[None, :]
    v_off = (c0 * v_0 + c1 * v_1 + c2 * v_2)[:, None] + ((first + dv // DV) * v_head + dv % DV)[None, :]
    k = tl.load(k_ptr + item * k_batch + k_off, mask=k_ok, other=0.0)
    v = tl.load(v_ptr + item * v_batch + v_off, mask=v_ok, other=0.0)
    heads = heads_kv * group
    items = item * (QL0 * QL1 * QL2) * heads
    q_base, grad_base = q_ptr + item * q_batch, grad_ptr + items * DIM_V
    delta_base, lse_base = row_ptr + items, row_ptr + half + items
    factor = scale * 1.4426950408889634

    acc_k = tl.zeros([R, G * D], tl.float32)
    acc_v = tl.zeros([R, G * DV], tl.float32)
    for member in range(group):
        index_head = tl.where(index_heads == 1, 0, first * group + member)
        index_row = item * index_heads + index_head
        if SORTED:
            begin = tl.load(bound_ptr + index_row * K_BLOCKS + block)
            pairs = pair_ptr + begin
            places = (tl.load(bound_ptr + index_row * K_BLOCKS + block + 1) - begin) * SPAN
        else:
            pairs = pair_ptr + (index_row * K_BLOCKS + block) * (Q_BLOCKS + 1) + 1
            places = tl.load(pairs - 1) * SPAN
        q_col = ((first + d // D) * group + member) * q_head + d % D
        grad_col = ((first + dv // DV) * group + member) * DIM_V + dv % DV
        head_row = (first + head) * group + member
        for start in range(0, places, N):
            position = start + tl.arange(0, N)
            q_token = position % SPAN
            live = (position < places) & (q_token < QB0 * QB1 * QB2)
            pair = tl.load(pairs + position // SPAN, mask=live, other=0)
            q0, q1, q2 = _place(pair // ENTRIES, q_token, QL1, QL2, QB0, QB1, QB2)
            live = live & (q0 < QL0) & (q1 < QL1) & (q2 < QL2)
            q_off = (q0 * q_0 + q1 * q_1 + q2 * q_2)[:, None] + q_col[None, :]
            q = tl.load(q_base + q_off, mask=live[:, None] & d_ok[None, :], other=0.0)
            at = (q0 * QL1 + q1) * QL2 + q2
            grad_off = (at * heads)[:, None] * DIM_V + grad_col[None, :]
            grad = tl.load(grad_base + grad_off, mask=live[:, None] & dv_ok[None, :], other=0.0)
            if G == 1:
                row = at * heads + (first * group + member)
                delta = tl.load(delta_base + row, mask=live, other=0.0)[None, :]
                lse = tl.load(lse_base + row, mask=live, other=float("inf"))[None, :]
            else:
                row = (at * heads)[None, :] + head_row[:, None]
                both = live[None, :] & ok[:, None]
                delta = tl.load(delta_base + row, mask=both, other=0.0)
                lse = tl.load(lse_base + row, mask=both, other=float("inf"))
            raw = tl.dot(k, tl.trans(q), input_precision="ieee")
            raw_grad = tl.dot(v, tl.trans(grad), input_precision="ieee")
            if WEIGHTED:
                w_at = index_row * (Q_BLOCKS * ENTRIES) + pair
                w = tl.load(weight_ptr + w_at, mask=live, other=0.0).to(tl.float32)[None, :]
                p = tl.exp2(raw * (w * factor) - lse) * w
                ds = p * (raw_grad * w - delta)
            else:
                p = tl.exp2(raw * factor - lse)
                ds = p * (raw_grad - delta)
            acc_v += tl.dot(p.to(grad.dtype), grad, input_precision="ieee")
            acc_k += tl.dot(ds.to(q.dtype), q, input_precision="ieee")

    at_k = (c0 * KL1 + c1) * KL2 + c2
    items_k = item * (KL0 * KL1 * KL2) * heads_kv
    out_k = (at_k * heads_kv)[:, None] * DIM + ((first + d // D) * DIM + d % D)[None, :]
    out_v = (at_k * heads_kv)[:, None] * DIM_V + ((first + dv // DV) * DIM_V + dv % DV)[None, :]
    tl.store(grad_k_ptr + items_k * DIM + out_k, (acc_k * scale).to(grad_k_ptr.dtype.element_ty), mask=k_ok)
    tl.store(grad_v_ptr + items_k * DIM_V + out_v, acc_v.to(grad_v_ptr.dtype.element_ty), mask=v_ok)


@triton.jit
def block_sparse_bwd_invert_kernel(
    index_ptr, pair_ptr, TOTAL: tl.constexpr, PADDED: tl.constexpr, Q_BLOCKS: tl.constexpr, BLOCKS: tl.constexpr,
):  # fmt: skip
    """Count the entries that name one key block, and collect them in order."""
    program = tl.program_id(0).to(tl.int64)
    wanted = (program % BLOCKS).to(tl.int32)
    place = tl.arange(0, PADDED)
    named = tl.load(index_ptr + program // BLOCKS * TOTAL + place, mask=place < TOTAL, other=-1).to(tl.int32)
    hit = (named == wanted).to(tl.int32)
    rank = tl.cumsum(hit, 0)
    row = pair_ptr + program * (Q_BLOCKS + 1)
    tl.store(row + rank, place, mask=hit > 0)
    tl.store(row, tl.sum(hit, 0))


class Inverse(NamedTuple):
    """Which entries name each key block, as their places in (query blocks, entries) of the item and head.

    Args:
        pairs: For each key block (batch * heads * blocks, 1 + query blocks), int32: how many, then their places; or,
            sorted, all places in a row.
        bounds: Sorted, where those of each key block begin, and the end; otherwise None.
    """

    pairs: Tensor
    bounds: Tensor | None


@lru_cache(maxsize=1024)
def prepare_inverse(
    index: tuple[int, ...], blocks: int, dtype: torch.dtype, device: torch.device
) -> tuple[Launch, tuple[int, int]] | None:
    """Work out how to invert an index.

    Args:
        index: Its shape (batch, heads, query blocks, entries).
        blocks: Number of key blocks.
        dtype: Of the index.
        device: Where it is.

    Returns:
        What takes index and pairs, and the shape of the pairs; or None when it takes sorting.
    """
    lists, per_group = index[0] * index[1] * blocks, index[2] * index[3]
    if not 0 < per_group <= INVERT_ENTRIES or blocks > 4 * INVERT_ENTRIES // index[2]:
        return None
    constants = (per_group, power(per_group), index[2], blocks)
    launch = Launch(block_sparse_bwd_invert_kernel, lists, (), constants, 4 if per_group > 512 else 1)
    return launch, (lists, index[2] + 1)


def invert(index: Tensor, blocks: int) -> Inverse:
    """Find which entries name each key block.

    Args:
        index: Key blocks (batch, heads, query blocks, entries), contiguous, none twice in a row of entries.
        blocks: Number of key blocks.

    Returns:
        The entries.
    """
    plan = prepare_inverse(index.shape, blocks, index.dtype, index.device)
    if plan is not None:
        pairs = torch.empty(plan[1], dtype=torch.int32, device=index.device)
        plan[0](index, pairs)
        return Inverse(pairs, None)
    groups, per_group = index.shape[0] * index.shape[1], index.shape[2] * index.shape[3]
    flat = index.reshape(groups, per_group).long()
    row = torch.arange(groups, device=index.device)[:, None] * blocks
    flat = torch.where((flat >= 0) & (flat < blocks), flat + row, groups * blocks).flatten()
    ordered, order = flat.sort(stable=True)
    bounds = torch.searchsorted(ordered, torch.arange(groups * blocks + 1, device=index.device))
    return Inverse((order % max(1, per_group)).to(torch.int32), bounds)


@dataclass(frozen=True)
class Gradients:
    """The kernels of a backward pass.

    Args:
        of_query: Takes query, key, value, index, weight, output, its gradient, logarithm of the denominator, its
            gradient, rows, gradient of the query, and shares of the weights or seen blocks. Rows are written,
            (2, batch, *spatial, heads): what to subtract from gradients of probabilities, and logarithms to base 2.
        of_key: Takes query, key, value, pairs or seen blocks, bounds, weight, gradient of the output, rows, gradients
            of key and value.
        shares: Shape of the shares of the weights (batch, blocks, tiles, head groups, entries, parts), float32.
        rows: Shape of the rows, float32.
        seen: Shape of the seen blocks as bits of each row, int64, which take the place of the inverse of the index; or
            None.
    """

    of_query: Launch
    of_key: Launch
    shares: tuple[int, ...]
    rows: tuple[int, ...]
    seen: tuple[int, ...] | None = None


@lru_cache(maxsize=1024)
def prepare(layout: Layout, sparsity: Sparsity, has_grad_lse: bool, is_sorted: bool) -> Gradients:
    """Work out the backward pass.

    Args:
        layout: Of query, key and value.
        sparsity: What attends to what.
        has_grad_lse: Whether the logarithm of the denominator has a gradient.
        is_sorted: Whether the inverse of the index comes from sorting.

    Returns:
        The kernels.
    """
    grid, grid_kv, entries, index_heads, _, weight_type, holes, scale = sparsity
    weighted = weight_type is not None
    batch, heads, dim = layout.query[0], *layout.query[-2:]
    heads_kv, dim_v = layout.value[-2:]
    wide, shared = layout.dtype == torch.float32, index_heads == 1
    rest = (heads // heads_kv, index_heads, prod(layout.query[:-1]), *layout.steps)
    if prefers_dense(grid, grid_kv, entries, max(dim, dim_v), weighted):
        return _prepare_dense(layout, sparsity, has_grad_lse)
    tiles = choose("query", grid, entries * grid_kv.tokens, dim, dim_v, heads, shared, wide)
    span = power(grid_kv.tokens) if weighted else grid_kv.tokens
    even = is_even((grid_kv, entries, span, dim, dim_v, heads), tiles, holes)
    cut = (-(-grid.tokens // tiles.tokens), -(-heads // tiles.heads))
    of_query = Launch(
        block_sparse_bwd_query_kernel,
        batch * grid.blocks * cut[0] * cut[1],
        (scale, heads, *rest),
        (*shapes(grid, grid_kv, entries, span, dim, dim_v, tiles), weighted, holes, even, has_grad_lse),
        tiles.warps,
        tiles.stages,
    )
    shares = (batch, grid.blocks, *cut, entries, span // min(span, tiles.columns))
    usual = -(-grid.blocks * entries // max(1, grid_kv.blocks)) * grid.tokens
    tiles = choose("key", grid_kv, usual, dim, dim_v, heads_kv, shared, wide)
    of_key = Launch(
        block_sparse_bwd_key_kernel,
        batch * grid_kv.blocks * -(-grid_kv.tokens // tiles.tokens) * -(-heads_kv // tiles.heads),
        (scale, heads_kv, *rest),
        (*shapes(grid, grid_kv, max(1, entries), grid.tokens, dim, dim_v, tiles), weighted, is_sorted),
        tiles.warps,
        tiles.stages,
    )
    return Gradients(of_query, of_key, shares, (2, *layout.query[:-1]))


def _prepare_dense(layout: Layout, sparsity: Sparsity, has_grad_lse: bool) -> Gradients:
    from foveate.kernels.routing.triton_dense import block_dense_bwd_key_kernel, block_dense_bwd_query_kernel

    grid, grid_kv, entries, index_heads, _, _, _, scale = sparsity
    batch, heads, dim = layout.query[0], *layout.query[-2:]
    heads_kv, dim_v = layout.value[-2:]
    wide = layout.dtype == torch.float32
    rows = batch * heads * grid.blocks * grid.tokens  # by item, head, block and token
    rest = (heads // heads_kv, index_heads, rows, *layout.steps)
    tiles = choose_dense("query", grid, dim, dim_v, wide)
    even = is_even_dense(grid_kv, dim, dim_v, tiles)
    of_query = Launch(
        block_dense_bwd_query_kernel,
        batch * heads * -(-grid.blocks // (tiles.rows // grid.tokens)),
        (scale, heads, *rest),
        (*shapes(grid, grid_kv, entries, grid_kv.tokens, dim, dim_v, tiles), power(entries), even, has_grad_lse),
        tiles.warps,
        tiles.stages,
    )
    tiles = choose_dense("key", grid_kv, dim, dim_v, wide)
    even = is_even_dense(grid, dim, dim_v, tiles)
    of_key = Launch(
        block_dense_bwd_key_kernel,
        batch * heads_kv * -(-grid_kv.blocks // (tiles.rows // grid_kv.tokens)),
        (scale, heads_kv, *rest),
        (*shapes(grid, grid_kv, entries, grid.tokens, dim, dim_v, tiles), power(entries), even),
        tiles.warps,
        tiles.stages,
    )
    return Gradients(of_query, of_key, (), (2, rows), (rows,))


def backward(
    grad_out: Tensor,
    grad_lse: Tensor | None,
    inputs: Inputs,
    out: Tensor,
    lse: Tensor,
    grid: BlockGrid,
    grid_kv: BlockGrid,
    scale: float,
    holes: bool,
) -> tuple[Tensor, Tensor, Tensor, Tensor | None]:
    """Compute gradients.

    Args:
        grad_out: Of the output.
        grad_lse: Of the logarithm of the denominator, or None.
        inputs: The tensors; index and weight are contiguous.
        out: What ``forward`` returned.
        lse: What ``forward`` returned.
        grid: Blocks of the query.
        grid_kv: Blocks of key and value.
        scale: Factor of the scores.
        holes: As in the forward pass.

    Returns:
        Gradients of query, key, value and weight (None without weight).
    """
    query, key, value = (dense_rows(tensor) for tensor in inputs[:3])
    index, weight = inputs.blocks, inputs.weight
    grad_out, out, lse = grad_out.contiguous(), out.contiguous(), lse.contiguous()
    grad_lse = None if grad_lse is None else grad_lse.contiguous()
    grad_q = torch.empty(query.shape, dtype=query.dtype, device=query.device)
    grad_k = torch.empty(key.shape, dtype=key.dtype, device=key.device)
    grad_v = torch.empty(value.shape, dtype=value.dtype, device=value.device)
    if query.shape[0] == 0:
        return grad_q, grad_k, grad_v, None if weight is None else torch.zeros_like(weight)
    is_sorted = prepare_inverse(index.shape, grid_kv.blocks, index.dtype, index.device) is None
    sparsity = sparsity_of(inputs, grid, grid_kv, scale, holes)
    plan = prepare(layout_of(query, key, value), sparsity, grad_lse is not None, is_sorted)
    shares = None if weight is None else torch.zeros(plan.shares, dtype=torch.float32, device=query.device)
    seen = lse if plan.seen is None else torch.empty(plan.seen, dtype=torch.int64, device=query.device)
    rows = torch.empty(plan.rows, dtype=torch.float32, device=query.device)
    factor = index if weight is None else weight
    plan.of_query(
        query, key, value, index, factor, out, grad_out, lse, lse if grad_lse is None else grad_lse, rows, grad_q,
        seen if shares is None else shares,
    )  # fmt: skip
    pairs, bounds = invert(index, grid_kv.blocks) if plan.seen is None else (seen, None)
    plan.of_key(query, key, value, pairs, pairs if bounds is None else bounds, factor, grad_out, rows, grad_k, grad_v)
    return grad_q, grad_k, grad_v, None if shares is None or weight is None else _gather_weights(shares, weight)


def _gather_weights(parts: Tensor, weight: Tensor) -> Tensor:
    """Add up what programs left, (batch, blocks, tiles, head groups, entries, parts), to the weights' shape."""
    if weight.shape[1] == 1:
        return parts.sum((2, 3, 5))[:, None].to(weight.dtype)
    return parts.sum((2, 5)).transpose(1, 2).contiguous().to(weight.dtype)  # one head a program


def compile_cases() -> list[tuple]:
    """List what to compile without a device.

    Returns:
        Name, kernel, signature, constants and options of each case.
    """
    cases = []
    for name, lengths, sizes, heads, dim, entries, weighted, number in CASES:
        grid = BlockGrid(lengths, sizes)
        kernels = (("query", block_sparse_bwd_query_kernel), ("key", block_sparse_bwd_key_kernel))
        for kind, kernel in kernels:
            tiles = choose(kind, grid, entries * grid.tokens, dim, dim, heads, True, number == "fp32")
            span = power(grid.tokens) if weighted and kind == "query" else grid.tokens
            holes = name.startswith("wide")
            even = is_even((grid, entries, span, dim, dim, heads), tiles, holes)
            flags = (weighted, holes, even, weighted) if kind == "query" else (weighted, False)
            values = (*shapes(grid, grid, entries, span, dim, dim, tiles), *flags)
            constants = dict(zip(kernel.arg_names[-len(values) :], values, strict=True))
            signature = case_signature(kernel.arg_names, number, constants)
            options = {"num_warps": tiles.warps, "num_stages": tiles.stages}
            cases.append((f"block_sparse_bwd_{kind}_{name}", kernel, signature, constants, options))
    constants = {"TOTAL": 784, "PADDED": 1024, "Q_BLOCKS": 49, "BLOCKS": 49}
    kernel = block_sparse_bwd_invert_kernel
    signature = case_signature(kernel.arg_names, "bf16", constants)
    return [*cases, ("block_sparse_bwd_invert", kernel, signature, constants, {"num_warps": 4, "num_stages": 2})]

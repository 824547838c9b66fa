"""Block-sparse attention in Triton, forward.

A program holds the queries of one block (or a tile of them) and walks through the tokens of its key blocks as if they
lay one after the other; small blocks share a step. BiFormer at 224 pixels (64 keys for each query, 32 channels, batch
128): 3.3, 1.6 and 0.8 GFLOP in its three stages against 205, 103 and 51 MB of query, key, value and output, so memory
decides; keys and values come from the L2 cache for all but the first block that reads them.
"""

# Kernels have no types that mypy knows.
# mypy: disallow-untyped-defs=False

from functools import lru_cache
from typing import NamedTuple

import torch
import triton
import triton.language as tl
from torch import Tensor

from foveate.kernels.routing.problem import BlockGrid, Inputs
from foveate.kernels.routing.tiles import Tiles, choose, choose_dense, is_even_dense, power, prefers_dense
from foveate.kernels.routing.triton_launch import Launch, Layout, layout_of


@triton.jit
def _place(block, token, L1: tl.constexpr, L2: tl.constexpr, B0: tl.constexpr, B1: tl.constexpr, B2: tl.constexpr):
    """Coordinates of a token of a block."""
    N1: tl.constexpr = (L1 + B1 - 1) // B1
    N2: tl.constexpr = (L2 + B2 - 1) // B2
    c0 = block // (N1 * N2) * B0 + token // (B1 * B2)
    c1 = block // N2 % N1 * B1 + token // B2 % B1
    c2 = block % N2 * B2 + token % B2
    return c0, c1, c2


@triton.jit
def _rows(program, heads, OWN: tl.constexpr, R: tl.constexpr, T: tl.constexpr, G: tl.constexpr):
    """What the rows of a program are: heads-major, tokens of one tile of one block."""
    tiles: tl.constexpr = (OWN + T - 1) // T
    groups = (heads + G - 1) // G
    row = tl.arange(0, R)
    head = row // T
    token = program // groups % tiles * T + row % T
    first = program % groups * G
    return first, head, token, program // groups // tiles, (head < G) & (token < OWN) & (first + head < heads)


@triton.jit
def _streamed(
    index_row, start, N: tl.constexpr, ENTRIES: tl.constexpr, SPAN: tl.constexpr, TOKENS: tl.constexpr,
    BLOCKS: tl.constexpr, EVEN: tl.constexpr,
):  # fmt: skip
    """Blocks and tokens of a step through the listed blocks, each of which takes SPAN places."""
    position = start + tl.arange(0, N)
    entry = position // SPAN
    token = position % SPAN
    ONE: tl.constexpr = EVEN and SPAN % N == 0
    live = token >= 0
    if ONE:  # all of the step lies in one block, whose number is read once
        block = tl.load(index_row + start // SPAN).to(tl.int32)
    elif EVEN:
        block = tl.load(index_row + entry).to(tl.int32)
    else:
        named = tl.load(index_row + entry, mask=entry < ENTRIES, other=-1).to(tl.int32)
        live = (named >= 0) & (named < BLOCKS) & (token < TOKENS)
        block = tl.where(live, named, 0)
    return entry, block, token, live


@triton.jit
def _load(pointers, live, ok, EVEN: tl.constexpr):
    """Channels of the tokens of a step; EVEN says that all of them are there."""
    if EVEN:
        return tl.load(pointers)
    return tl.load(pointers, mask=live[:, None] & ok[None, :], other=0.0)


@triton.jit
def block_sparse_fwd_kernel(
    q_ptr, k_ptr, v_ptr, index_ptr, weight_ptr, out_ptr, lse_ptr, scale, heads, group, index_heads,
    q_batch, q_0, q_1, q_2, q_head, k_batch, k_0, k_1, k_2, k_head, v_batch, v_0, v_1, v_2, v_head,
    QL0: tl.constexpr, QL1: tl.constexpr, QL2: tl.constexpr, QB0: tl.constexpr, QB1: tl.constexpr, QB2: tl.constexpr,
    KL0: tl.constexpr, KL1: tl.constexpr, KL2: tl.constexpr, KB0: tl.constexpr, KB1: tl.constexpr, KB2: tl.constexpr,
    ENTRIES: tl.constexpr, SPAN: tl.constexpr, DIM: tl.constexpr, DIM_V: tl.constexpr,
    D: tl.constexpr, DV: tl.constexpr, R: tl.constexpr, T: tl.constexpr, G: tl.constexpr, N: tl.constexpr,
    WEIGHTED: tl.constexpr, HOLES: tl.constexpr, EVEN: tl.constexpr,
):  # fmt: skip
    """Output and logarithm of the denominator of one tile of queries."""
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
    k_col = (first + d // D) // group * k_head + d % D
    v_col = (first + dv // DV) // group * v_head + dv % DV
    index_head = tl.where(index_heads == 1, 0, first)
    row_of_index = ((item * index_heads + index_head) * Q_BLOCKS + block) * ENTRIES
    k_base, v_base = k_ptr + item * k_batch, v_ptr + item * v_batch
    # Scores stay as the product gives them where the factor can go into the exponential's multiply-add.
    factor = scale * 1.4426950408889634
    unit = factor if not WEIGHTED else 1.0
    SINGLE: tl.constexpr = ENTRIES * SPAN <= N

    top = tl.full([R], float("-inf"), tl.float32)
    total = tl.zeros([R], tl.float32)
    acc = tl.zeros([R, G * DV], tl.float32)
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
            scores = tl.dot(q, tl.trans(k), input_precision="ieee")
            if WEIGHTED:
                w = tl.load(weight_ptr + row_of_index + entry, mask=live, other=0.0).to(tl.float32)
                scores = scores * factor * w[None, :]
            if not EVEN:
                scores = tl.where(live[None, :], scores, float("-inf"))
            higher = tl.max(scores, 1)
            if not SINGLE:
                higher = tl.maximum(top, higher)
            safe = higher
            if not EVEN:
                safe = tl.where(higher == float("-inf"), 0.0, higher)
            p = tl.exp2(scores * unit - (safe * unit)[:, None])
            if not SINGLE:
                shrink = tl.exp2((top - safe) * unit)
                total *= shrink
                acc *= shrink[:, None]
            total += tl.sum(p, 1)
            if WEIGHTED:
                p = p * w[None, :]
            acc += tl.dot(p.to(v.dtype), v, input_precision="ieee")
            top = higher

    alone = total == 0.0
    total = tl.where(alone, 1.0, total)
    acc = acc * (1.0 / total)[:, None]
    lse = tl.where(alone, float("-inf"), top * (unit * 0.6931471805599453) + tl.log(total))
    at = (c0 * QL1 + c1) * QL2 + c2
    items = item * (QL0 * QL1 * QL2) * heads
    tl.store(lse_ptr + items + at * heads + first + head, lse, mask=ok)
    out_off = (at * heads)[:, None] * DIM_V + ((first + dv // DV) * DIM_V + dv % DV)[None, :]
    out_ok = ok[:, None] & dv_ok[None, :] & (head[:, None] == (dv // DV)[None, :])
    tl.store(out_ptr + items * DIM_V + out_off, acc.to(out_ptr.dtype.element_ty), mask=out_ok)


def dense_rows(tensor: Tensor) -> Tensor:
    """Make the channels of a head lie side by side.

    Args:
        tensor: (..., dim).

    Returns:
        The tensor, or a contiguous copy.
    """
    return tensor if tensor.stride(-1) == 1 else tensor.contiguous()


def shapes(grid: BlockGrid, grid_kv: BlockGrid, entries: int, span: int, dim: int, dim_v: int, tiles: Tiles) -> tuple:
    """List the constants that all kernels of this operator take, in order.

    Args:
        grid: Blocks of the query.
        grid_kv: Blocks of key and value.
        entries: Key blocks of a query block.
        span: Places of a block that streams.
        dim: Channels of a head of query and key.
        dim_v: Channels of a head of the value.
        tiles: Tiles of the kernel.

    Returns:
        Grids, entries, span, channels, channels rounded up, and tiles.
    """
    padded = (max(16, power(dim)), max(16, power(dim_v)))
    cut = (tiles.rows, tiles.tokens, tiles.heads, tiles.columns)
    return (*grid.three, *grid_kv.three, entries, span, dim, dim_v, *padded, *cut)


def is_even(problem: tuple[BlockGrid, int, int, int, int, int], tiles: Tiles, holes: bool) -> bool:
    """Tell whether every place of every step is a real key with all its channels, so that no load needs a mask.

    Args:
        problem: Blocks of the key, entries, places of a block, channels of query and value, heads.
        tiles: Tiles of the kernel.
        holes: Whether entries may be no block.

    Returns:
        Whether all are there.
    """
    grid_kv, entries, span, dim, dim_v, heads = problem
    full = span == grid_kv.tokens and entries * span % tiles.columns == 0 and heads % tiles.heads == 0
    return full and not holes and not grid_kv.is_ragged and all(n >= 16 and n == power(n) for n in (dim, dim_v))


class Sparsity(NamedTuple):
    """What attends to what, but for the numbers of the blocks.

    Args:
        grid: Blocks of the query.
        grid_kv: Blocks of key and value.
        entries: Key blocks of a query block.
        index_heads: 1 or heads: how many lists of blocks an item has.
        index_type: Of the numbers of the blocks.
        weight_type: Of the factors of entries; None without factors.
        holes: Whether whole stretches of entries may be no block, so that looking for them pays.
        scale: Factor of the scores before the softmax, positive.
    """

    grid: BlockGrid
    grid_kv: BlockGrid
    entries: int
    index_heads: int
    index_type: torch.dtype
    weight_type: torch.dtype | None
    holes: bool
    scale: float


def sparsity_of(inputs: Inputs, grid: BlockGrid, grid_kv: BlockGrid, scale: float, holes: bool) -> Sparsity:
    """Describe what attends to what.

    Args:
        inputs: The tensors.
        grid: Blocks of the query.
        grid_kv: Blocks of key and value.
        scale: Factor of the scores before the softmax.
        holes: Whether whole stretches of entries may be no block.

    Returns:
        The description.
    """
    index, weight = inputs.blocks, inputs.weight
    factors = None if weight is None else weight.dtype
    return Sparsity(grid, grid_kv, index.shape[-1], index.shape[1], index.dtype, factors, holes, scale)


@lru_cache(maxsize=1024)
def prepare(layout: Layout, sparsity: Sparsity) -> Launch:
    """Work out the forward pass.

    Args:
        layout: Of query, key and value.
        sparsity: What attends to what.

    Returns:
        What takes query, key, value, index, weight (or anything), output and logarithm of the denominator.
    """
    grid, grid_kv, entries, index_heads, _, weight_type, holes, scale = sparsity
    batch, heads, dim = layout.query[0], *layout.query[-2:]
    heads_kv, dim_v = layout.value[-2:]
    wide = layout.dtype == torch.float32
    if prefers_dense(grid, grid_kv, entries, max(dim, dim_v), weight_type is not None):
        from foveate.kernels.routing.triton_dense import block_dense_fwd_kernel

        tiles = choose_dense("forward", grid, dim, dim_v, wide)
        return Launch(
            block_dense_fwd_kernel,
            batch * heads * -(-grid.blocks // (tiles.rows // grid.tokens)),
            (scale, heads, heads // heads_kv, index_heads, *layout.steps),
            (
                *shapes(grid, grid_kv, entries, grid_kv.tokens, dim, dim_v, tiles),
                power(entries),
                is_even_dense(grid_kv, dim, dim_v, tiles),
            ),
            tiles.warps,
            tiles.stages,
        )
    tiles = choose("forward", grid, entries * grid_kv.tokens, dim, dim_v, heads, index_heads == 1, wide)
    even = is_even((grid_kv, entries, grid_kv.tokens, dim, dim_v, heads), tiles, holes)
    return Launch(
        block_sparse_fwd_kernel,
        batch * grid.blocks * -(-grid.tokens // tiles.tokens) * -(-heads // tiles.heads),
        (scale, heads, heads // heads_kv, index_heads, *layout.steps),
        (*shapes(grid, grid_kv, entries, grid_kv.tokens, dim, dim_v, tiles), weight_type is not None, holes, even),
        tiles.warps,
        tiles.stages,
    )


def forward(inputs: Inputs, grid: BlockGrid, grid_kv: BlockGrid, scale: float, holes: bool) -> tuple[Tensor, Tensor]:
    """Attend; see ``reference.forward``.

    Args:
        inputs: The tensors; index and weight are contiguous.
        grid: Blocks of the query.
        grid_kv: Blocks of key and value.
        scale: Factor of the scores before the softmax.
        holes: Whether whole stretches of entries may be no block, so that looking for them pays.

    Returns:
        Output and logarithm of the softmax's denominator (float32), contiguous.
    """
    query, key, value = (dense_rows(tensor) for tensor in inputs[:3])
    index, weight = inputs.blocks, inputs.weight
    out = torch.empty((*query.shape[:-1], value.shape[-1]), dtype=query.dtype, device=query.device)
    lse = torch.empty(query.shape[:-1], dtype=torch.float32, device=query.device)
    launch = prepare(layout_of(query, key, value), sparsity_of(inputs, grid, grid_kv, scale, holes))
    launch(query, key, value, index, index if weight is None else weight, out, lse)
    return out, lse


# Name, grid, block of query and key, heads, dim, entries, weighted, float type.
CASES = (
    ("stage1", (56, 56), (8, 8), 2, 32, 1, False, "bf16"),
    ("stage2", (28, 28), (4, 4), 4, 32, 4, False, "bf16"),
    ("stage3", (14, 14), (2, 2), 8, 32, 16, False, "bf16"),
    ("stage3_soft", (14, 14), (2, 2), 8, 32, 16, True, "fp16"),
    ("wide_heads", (64, 64), (8, 8), 4, 128, 8, False, "bf16"),
    ("widest_heads", (64, 64), (4, 4), 1, 256, 8, False, "bf16"),
    ("float32", (30, 17), (5, 4), 3, 24, 6, True, "fp32"),
)


def case_signature(names: list[str], number: str, constants: dict) -> dict:
    """Give the arguments of a kernel their types for compiling without a device.

    Args:
        names: All its arguments.
        number: Type of the tensors of the caller, such as "bf16".
        constants: Those that are constant.

    Returns:
        Type of each argument.
    """
    kinds = {"index_ptr": "*i32", "pair_ptr": "*i32", "bound_ptr": "*i64", "seen_ptr": "*i64", "scale": "fp32"}
    kinds |= dict.fromkeys(("lse_ptr", "row_ptr", "grad_lse_ptr", "grad_w_ptr", "weight_ptr"), "*fp32")

    def kind(name: str) -> str:
        if name in constants:
            return "constexpr"
        return kinds.get(name, f"*{number}" if name.endswith("_ptr") else "i32")

    return {name: kind(name) for name in names}


def compile_cases() -> list[tuple]:
    """List what to compile without a device.

    Returns:
        Name, kernel, signature, constants and options of each case.
    """
    cases = []
    for name, lengths, sizes, heads, dim, entries, weighted, number in CASES:
        grid = BlockGrid(lengths, sizes)
        tiles = choose("forward", grid, entries * grid.tokens, dim, dim, heads, True, number == "fp32")
        holes = name.startswith("wide")
        even = is_even((grid, entries, grid.tokens, dim, dim, heads), tiles, holes)
        values = (*shapes(grid, grid, entries, grid.tokens, dim, dim, tiles), weighted, holes, even)
        names = block_sparse_fwd_kernel.arg_names
        constants = dict(zip(names[-len(values) :], values, strict=True))
        options = {"num_warps": tiles.warps, "num_stages": tiles.stages}
        signature = case_signature(names, number, constants)
        cases.append((f"block_sparse_fwd_{name}", block_sparse_fwd_kernel, signature, constants, options))
    return cases

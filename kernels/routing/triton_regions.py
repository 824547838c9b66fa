"""Routing in Triton: one kernel reads query and key once for the means of all regions, one takes the best regions.

BiFormer's first stage at 224 pixels and batch 128 reads 103 MB here; its products are 49 x 49 x 64 an image.
"""

# Kernels have no types that mypy knows.
# mypy: disallow-untyped-defs=False

from functools import lru_cache

import torch
import triton
import triton.language as tl
from torch import Tensor

from foveate.kernels.routing.problem import BlockGrid
from foveate.kernels.routing.tiles import power
from foveate.kernels.routing.triton_forward import _place, dense_rows
from foveate.kernels.routing.triton_launch import Launch, Layout, layout_of


@triton.jit
def _mean(
    base, block, channel, ok, s0, s1, s2, s_head,
    L0: tl.constexpr, L1: tl.constexpr, L2: tl.constexpr, B0: tl.constexpr, B1: tl.constexpr, B2: tl.constexpr,
    DIM: tl.constexpr, C: tl.constexpr, N: tl.constexpr,
):  # fmt: skip
    column = channel // DIM * s_head + channel % DIM
    total = tl.zeros([N, C], tl.float32)
    count = tl.zeros([N], tl.int32)
    for start in range(0, B0 * B1 * B2, N):
        token = start + tl.arange(0, N)
        c0, c1, c2 = _place(block, token, L1, L2, B0, B1, B2)
        live = (token < B0 * B1 * B2) & (c0 < L0) & (c1 < L1) & (c2 < L2)
        offset = (c0 * s0 + c1 * s1 + c2 * s2)[:, None] + column[None, :]
        total += tl.load(base + offset, mask=live[:, None] & ok[None, :], other=0.0).to(tl.float32)
        count += live.to(tl.int32)
    return tl.sum(total, 0) / tl.sum(count, 0).to(tl.float32)


@triton.jit
def region_mean_fwd_kernel(
    q_ptr, k_ptr, mean_ptr, q_batch, q_0, q_1, q_2, q_head, k_batch, k_0, k_1, k_2, k_head, half,
    QL0: tl.constexpr, QL1: tl.constexpr, QL2: tl.constexpr, QB0: tl.constexpr, QB1: tl.constexpr, QB2: tl.constexpr,
    KL0: tl.constexpr, KL1: tl.constexpr, KL2: tl.constexpr, KB0: tl.constexpr, KB1: tl.constexpr, KB2: tl.constexpr,
    CHANNELS: tl.constexpr, DIM: tl.constexpr, C: tl.constexpr, NQ: tl.constexpr, NK: tl.constexpr,
):  # fmt: skip
    """Means of one region of query and key, for some channels."""
    REGIONS: tl.constexpr = ((QL0 + QB0 - 1) // QB0) * ((QL1 + QB1 - 1) // QB1) * ((QL2 + QB2 - 1) // QB2)
    parts: tl.constexpr = (CHANNELS + C - 1) // C
    program = tl.program_id(0)
    channel = program % parts * C + tl.arange(0, C)
    ok = channel < CHANNELS
    item, block = (program // parts // REGIONS).to(tl.int64), program // parts % REGIONS
    row = (item * REGIONS + block) * CHANNELS + channel
    mean = _mean(
        q_ptr + item * q_batch, block, channel, ok, q_0, q_1, q_2, q_head, QL0, QL1, QL2, QB0, QB1, QB2, DIM, C, NQ
    )  # fmt: skip
    tl.store(mean_ptr + row, mean, mask=ok)
    mean = _mean(
        k_ptr + item * k_batch, block, channel, ok, k_0, k_1, k_2, k_head, KL0, KL1, KL2, KB0, KB1, KB2, DIM, C, NK
    )  # fmt: skip
    tl.store(mean_ptr + half + row, mean, mask=ok)


@triton.jit
def region_route_fwd_kernel(
    mean_ptr, index_ptr, logit_ptr, scale, half,
    CHANNELS: tl.constexpr, REGIONS: tl.constexpr, TOPK: tl.constexpr,
    R: tl.constexpr, N: tl.constexpr, C: tl.constexpr, LOGITS: tl.constexpr,
):  # fmt: skip
    """Best key regions of some query regions, one after the other; of equal ones the first."""
    tiles = tl.cdiv(REGIONS, R)
    item = (tl.program_id(0) // tiles).to(tl.int64)
    row = tl.program_id(0) % tiles * R + tl.arange(0, R)
    column = tl.arange(0, N)
    base = item * REGIONS * CHANNELS
    logits = tl.zeros([R, N], tl.float32)
    for start in range(0, CHANNELS, C):
        channel = start + tl.arange(0, C)
        q_ok = (row < REGIONS)[:, None] & (channel < CHANNELS)[None, :]
        k_ok = (column < REGIONS)[:, None] & (channel < CHANNELS)[None, :]
        q = tl.load(mean_ptr + base + row[:, None] * CHANNELS + channel[None, :], mask=q_ok, other=0.0)
        k = tl.load(mean_ptr + half + base + column[:, None] * CHANNELS + channel[None, :], mask=k_ok, other=0.0)
        logits += tl.dot(q * scale, tl.trans(k), input_precision="ieee")
    # As whole numbers of the same order, so that logits that are no numbers have a place too and no region comes twice.
    order = (logits + 0.0).to(tl.int32, bitcast=True)
    order = tl.maximum(tl.where(order < 0, order ^ 0x7FFFFFFF, order), -0x7FFFFFFF)
    gone = tl.full([R, N], -0x80000000, tl.int32)
    order = tl.where((column < REGIONS)[None, :], order, gone)
    out = (item * REGIONS + row) * TOPK
    for place in range(TOPK):
        best = tl.max(order, 1)
        where = tl.min(tl.where(order == best[:, None], column[None, :], N), 1)
        tl.store(index_ptr + out + place, where, mask=row < REGIONS)
        if LOGITS:
            logit = tl.where(best < 0, best ^ 0x7FFFFFFF, best).to(tl.float32, bitcast=True)
            tl.store(logit_ptr + out + place, logit, mask=row < REGIONS)
        order = tl.where(column[None, :] == where[:, None], gone, order)


def _mean_tiles(channels: int, tokens: int) -> tuple[int, int]:
    """Channels of a program and tokens of a step."""
    wide = min(power(channels), 128)
    return wide, max(1, min(power(tokens), 4096 // wide))


@lru_cache(maxsize=1024)
def prepare_means(layout: Layout, grid: BlockGrid, grid_kv: BlockGrid) -> tuple[Launch, tuple[int, ...]]:
    """Work out how to average query and key over as many regions.

    Args:
        layout: Of the tensors.
        grid: Regions of the query.
        grid_kv: Regions of the key, as many.

    Returns:
        What takes query, key and means; and the shape of the means (2, batch, regions, heads * dim), float32.
    """
    batch, heads, dim = layout.query[0], *layout.query[-2:]
    channels = heads * dim
    wide, step_q = _mean_tiles(channels, grid.tokens)
    launch = Launch(
        region_mean_fwd_kernel,
        batch * grid.blocks * -(-channels // wide),
        (*layout.steps[:10], batch * grid.blocks * channels),
        (*grid.three, *grid_kv.three, channels, dim, wide, step_q, _mean_tiles(channels, grid_kv.tokens)[1]),
        4 if wide * step_q >= 2048 else 1,
    )
    return launch, (2, batch, grid.blocks, channels)


@lru_cache(maxsize=1024)
def prepare_route(means: tuple[int, ...], topk: int, scale: float, logits: bool, device: torch.device) -> Launch:
    """Work out how to pick regions.

    Args:
        means: Shape of the means.
        topk: Key regions for each query region.
        scale: Factor of the logits.
        logits: Whether to write their logits too.
        device: Where they are.

    Returns:
        What takes means, index and logits (without ``logits`` anything).
    """
    _, batch, regions, channels = means
    constants = (channels, regions, topk, 16, max(16, power(regions)), 32, logits)
    numbers = (scale, batch * regions * channels)
    return Launch(region_route_fwd_kernel, batch * -(-regions // 16), numbers, constants, 4)


def route(
    query: Tensor, key: Tensor, grid: BlockGrid, grid_kv: BlockGrid, topk: int, scale: float
) -> tuple[Tensor, Tensor]:
    """Pick regions; see ``regions.route``.

    Args:
        query: (batch, *spatial, heads, dim).
        key: (batch, *spatial_kv, heads, dim).
        grid: Regions of the query.
        grid_kv: Regions of the key, as many, 512 at most.
        topk: Key regions for each query region.
        scale: Factor of the logits.

    Returns:
        Regions (batch, query regions, topk), int32, and their logits (float32).
    """
    query, key = dense_rows(query), dense_rows(key)
    average, shape = prepare_means(layout_of(query, key, key), grid, grid_kv)
    means = torch.empty(shape, dtype=torch.float32, device=query.device)
    average(query, key, means)
    index = torch.empty(shape[1], shape[2], topk, dtype=torch.int32, device=query.device)
    logits = torch.empty(index.shape, dtype=torch.float32, device=query.device)
    prepare_route(shape, topk, scale, True, query.device)(means, index, logits)
    return index, logits


def compile_cases() -> list[tuple]:
    """List what to compile without a device.

    Returns:
        Name, kernel, signature, constants and options of each case.
    """
    cases = []
    for side, size, heads, topk in ((56, 8, 2, 1), (28, 4, 4, 4), (14, 2, 8, 16)):
        grid = BlockGrid((side, side), (size, size))
        wide, step = _mean_tiles(heads * 32, grid.tokens)
        for kernel, values in (
            (region_mean_fwd_kernel, (*grid.three, *grid.three, heads * 32, 32, wide, step, step)),
            (region_route_fwd_kernel, (heads * 32, 49, topk, 16, 64, 32, False)),
        ):
            names = kernel.arg_names
            constants = dict(zip(names[-len(values) :], values, strict=True))
            floats = ("mean_ptr", "logit_ptr")
            kinds = {"q_ptr": "*bf16", "k_ptr": "*bf16", "index_ptr": "*i32", "scale": "fp32"}
            kinds |= dict.fromkeys(floats, "*fp32")
            signature = {name: "constexpr" if name in constants else kinds.get(name, "i32") for name in names}
            options = {"num_warps": 4, "num_stages": 2}
            cases.append((f"{kernel.fn.__name__}_{side}", kernel, signature, constants, options))
    return cases

"""What the public functions of this folder accept."""

from typing import Any

import torch
from torch import Tensor

from foveate.kernels.dispatch import autocast_dtype
from foveate.kernels.routing.problem import BlockGrid


def per_axis(name: str, value: object, rank: int) -> tuple[int, ...]:
    """Give each axis its number.

    Args:
        name: Of the argument, for messages.
        value: A whole number of 1 or more, or one for each axis.
        rank: Number of axes.

    Returns:
        As many numbers as axes.

    Raises:
        TypeError: Something is no whole number.
        ValueError: A number is below 1, or there are not as many as axes.
    """
    numbers: tuple[Any, ...] = tuple(value) if isinstance(value, (tuple, list)) else (value,) * rank
    if any(not isinstance(number, int) or isinstance(number, bool) for number in numbers):
        raise TypeError(f"{name} must be a whole number or one for each axis, got {value!r}")
    if len(numbers) != rank:
        raise ValueError(f"{name} must be one number or {rank}, one for each axis, got {value!r}")
    if any(number < 1 for number in numbers):
        raise ValueError(f"{name} must be at least 1 along each axis, got {value!r}")
    return numbers


def check_tensors(query: Tensor, key: Tensor, value: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Check query, key and value, and cast them where autocast is on.

    Args:
        query: (batch, *spatial, heads, dim).
        key: (batch, *spatial_kv, heads_kv, dim).
        value: (batch, *spatial_kv, heads_kv, dim_v).

    Returns:
        The three.

    Raises:
        TypeError: Something is no tensor of floating-point numbers, or types or devices differ.
        ValueError: Shapes do not fit.
    """
    named = {"query": query, "key": key, "value": value}
    for name, tensor in named.items():
        if not isinstance(tensor, Tensor) or not tensor.is_floating_point():
            what = str(tensor.dtype) if isinstance(tensor, Tensor) else type(tensor).__name__
            raise TypeError(f"{name} must be a tensor of floating-point numbers, got {what}")
    shapes = [tuple(tensor.shape) for tensor in named.values()]
    if any(len(shape) not in (4, 5, 6) or len(shape) != len(shapes[0]) for shape in shapes):
        raise ValueError(
            f"query, key and value must be (batch, 1 to 3 axes, heads, dim) with as many axes, got {shapes}"
        )
    if not query.shape[0] == key.shape[0] == value.shape[0]:
        raise ValueError(f"query, key and value must have one batch size, got shapes {shapes}")
    if key.shape[:-1] != value.shape[:-1] or key.shape[-1] != query.shape[-1]:
        raise ValueError(f"key must have the grid and heads of value and the channels of query, got shapes {shapes}")
    if any(side == 0 for shape in shapes for side in shape[1:]):
        raise ValueError(f"only the batch may be empty, got shapes {shapes}")
    if query.shape[-2] % key.shape[-2]:
        raise ValueError(f"heads of key must divide those of query, got {key.shape[-2]} and {query.shape[-2]}")
    if not query.device == key.device == value.device:
        raise TypeError(f"query, key and value must be on one device, got {[str(t.device) for t in named.values()]}")
    wanted = autocast_dtype(query.device)
    if wanted is not None:
        query, key, value = (tensor.to(wanted) for tensor in (query, key, value))
    if not query.dtype == key.dtype == value.dtype:
        raise TypeError(f"query, key and value must have one dtype, got {[str(t.dtype) for t in named.values()]}")
    return query, key, value


def region_grid(lengths: tuple[int, ...], counts: tuple[int, ...]) -> BlockGrid:
    """Cut axes into regions of equal size.

    Args:
        lengths: Tokens along each axis.
        counts: Regions along each axis.

    Returns:
        The grid.

    Raises:
        ValueError: Regions do not divide an axis.
    """
    if any(length % count for length, count in zip(lengths, counts, strict=True)):
        raise ValueError(f"regions must divide the grid, got {counts} for a grid of {lengths}: pad the grid")
    return BlockGrid(lengths, tuple(length // count for length, count in zip(lengths, counts, strict=True)))


def check_regions(query: Tensor, key: Tensor, regions: Any, topk: Any) -> tuple[BlockGrid, BlockGrid]:
    """Check how tokens are cut into regions, and how many of them a region attends to.

    Args:
        query: Query of the call.
        key: Key of the call.
        regions: Regions along each axis, one number or one for each.
        topk: Key regions of a query region.

    Returns:
        Regions of query and key.

    Raises:
        TypeError: Something is no whole number.
        ValueError: Regions do not divide an axis, or a number is out of range.
    """
    counts = per_axis("regions", regions, query.ndim - 3)
    grid, grid_kv = (region_grid(tuple(tensor.shape[1:-2]), counts) for tensor in (query, key))
    if isinstance(topk, bool) or not isinstance(topk, int):
        raise TypeError(f"topk must be a whole number, got {topk!r}")
    if not 1 <= topk <= grid_kv.blocks:
        raise ValueError(f"topk must lie between 1 and the {grid_kv.blocks} regions, got {topk}")
    return grid, grid_kv


def check_picks(
    query: Tensor, grid: BlockGrid, grid_kv: BlockGrid, index: Tensor | None, mask: Tensor | None, weight: Tensor | None
) -> Tensor:
    """Check which blocks see which, and list them.

    Args:
        query: Query of the call.
        grid: Blocks of the query.
        grid_kv: Blocks of the key.
        index: Blocks as a list, or None.
        mask: Blocks as a boolean mask, or None.
        weight: Factors of the list, or None.

    Returns:
        List (batch, 1 or heads, query blocks, entries) in which no block appears twice.

    Raises:
        TypeError: A dtype is wrong.
        ValueError: Shapes or numbers do not fit, or not exactly one of index and mask is given.
    """
    if (index is None) == (mask is None):
        raise ValueError("give exactly one of block_index and block_mask")
    heads = (1, query.shape[-2])
    if weight is not None and not isinstance(weight, Tensor):
        raise TypeError(f"block_weight must be a tensor, got {type(weight).__name__}: turn it into one")
    if mask is not None:
        if not isinstance(mask, Tensor) or mask.dtype != torch.bool:
            got = getattr(mask, "dtype", type(mask).__name__)
            raise TypeError(f"block_mask must be a boolean tensor, got {got}: turn it into one")
        wanted = (query.shape[0], query.shape[-2], grid.blocks, grid_kv.blocks)
        fits = (
            mask.ndim == 4
            and mask.shape[0] in (1, wanted[0])
            and mask.shape[1] in heads
            and mask.shape[2:] == wanted[2:]
        )
        if not fits:
            raise ValueError(f"block_mask must be {wanted}, or 1 in the first two places, got {tuple(mask.shape)}")
        if weight is not None:
            raise ValueError("block_weight goes with block_index, not with block_mask")
        mask = mask.to(query.device)
        # The blocks that are seen first, so that steps through the list end up empty together.
        seen, order = mask.sort(dim=-1, descending=True, stable=True)
        return order.masked_fill(~seen, -1).to(torch.int32).expand(query.shape[0], -1, -1, -1)
    if not isinstance(index, Tensor) or index.is_floating_point() or index.dtype == torch.bool or index.is_complex():
        raise TypeError(
            f"block_index must be a tensor of integers, got {getattr(index, 'dtype', type(index).__name__)}"
        )
    if (
        index.ndim != 4
        or index.shape[0] != query.shape[0]
        or index.shape[1] not in heads
        or index.shape[2] != grid.blocks
    ):
        wanted_text = f"({query.shape[0]}, 1 or {query.shape[-2]}, {grid.blocks}, entries)"
        raise ValueError(f"block_index must be {wanted_text} for this grid, got {tuple(index.shape)}")
    if weight is not None and (not weight.is_floating_point() or weight.shape != index.shape):
        got = f"{tuple(weight.shape)} {weight.dtype}"
        raise ValueError(
            f"block_weight must be floating-point and of block_index's shape {tuple(index.shape)}, got {got}"
        )
    index = index.to(query.device)
    if index.device.type == "cpu" and not torch.compiler.is_compiling() and index.numel():
        low, high = int(index.min()), int(index.max())
        if low < -1 or high >= grid_kv.blocks:
            raise ValueError(f"block_index must lie between -1 and {grid_kv.blocks - 1}, got {low} to {high}")
    return _without_repeats(index)


def _without_repeats(index: Tensor) -> Tensor:
    if index.shape[-1] < 2:
        return index
    ordered, order = index.sort(dim=-1, stable=True)
    repeats = torch.zeros_like(index, dtype=torch.bool).scatter(
        -1, order[..., 1:], ordered[..., 1:] == ordered[..., :-1]
    )
    return index.masked_fill(repeats, -1)


def logits_of_regions(routing: Tensor, query: Tensor, grid: BlockGrid, grid_kv: BlockGrid) -> Tensor:
    """Check logits of a routing.

    Args:
        routing: (batch, query regions, key regions), or (batch, 1 or heads, query regions, key regions).
        query: Query of the call.
        grid: Regions of the query.
        grid_kv: Regions of the key.

    Returns:
        The logits with an axis for heads.

    Raises:
        TypeError: They are no floating-point numbers.
        ValueError: The shape is wrong.
    """
    if not isinstance(routing, Tensor) or not routing.is_floating_point():
        raise TypeError(f"routing must be a tensor of floating-point logits, got {type(routing).__name__}")
    logits = routing[:, None] if routing.ndim == 3 else routing
    regions = (grid.blocks, grid_kv.blocks)
    if logits.ndim != 4 or logits.shape[0] != query.shape[0] or logits.shape[1] not in (1, query.shape[-2]):
        raise ValueError(f"routing must be (batch, {regions[0]}, {regions[1]}), got {tuple(routing.shape)}")
    if tuple(logits.shape[2:]) != regions:
        raise ValueError(f"routing must be (batch, {regions[0]}, {regions[1]}), got {tuple(routing.shape)}")
    return logits

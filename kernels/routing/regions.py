"""Routing: which key regions each query region attends to, by the products of their mean queries and keys."""

import torch
from torch import Tensor

from foveate.kernels.routing.problem import BlockGrid


def region_means(tensor: Tensor, grid: BlockGrid) -> Tensor:
    """Average the tokens of each region, all heads side by side; differentiable.

    Args:
        tensor: (batch, *spatial, heads, dim).
        grid: Regions of the spatial axes; a region that is cut short averages what it has.

    Returns:
        (batch, regions, heads * dim), float32 or wider.
    """
    wide = torch.promote_types(tensor.dtype, torch.float32)
    mean = tensor.flatten(-2).to(wide)
    for axis, (length, size) in enumerate(zip(grid.lengths, grid.sizes, strict=True), start=1):
        if length % size == 0:
            mean = mean.unflatten(axis, (length // size, size)).mean(axis + 1)
        else:
            parts = mean.split(size, axis)
            mean = torch.stack([part.mean(axis) for part in parts], axis)
    return mean.flatten(1, -2)


def pick_regions(logits: Tensor, topk: int) -> tuple[Tensor, Tensor]:
    """Pick the key regions of the highest logits.

    Args:
        logits: (batch, query regions, key regions).
        topk: How many.

    Returns:
        Regions (batch, query regions, topk), int64, the highest logit first, and their logits.
    """
    picked, index = logits.topk(topk, dim=-1)
    return index, picked


def route(
    query: Tensor, key: Tensor, grid: BlockGrid, grid_kv: BlockGrid, topk: int, scale: float
) -> tuple[Tensor, Tensor]:
    """Pick regions by the products of mean queries and mean keys.

    Args:
        query: (batch, *spatial, heads, dim).
        key: (batch, *spatial_kv, heads, dim).
        grid: Regions of the query.
        grid_kv: Regions of the key.
        topk: Key regions for each query region.
        scale: Factor of the logits.

    Returns:
        Regions (batch, query regions, topk), int64, and their logits.
    """
    logits = (region_means(query, grid) * scale) @ region_means(key, grid_kv).transpose(-1, -2)
    return pick_regions(logits, topk)

"""What a call of block-sparse attention asks for: blocks, tensors, and their description that backends decide by."""

from dataclasses import dataclass
from math import prod
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F


@dataclass(frozen=True)
class BlockGrid:
    """A grid of tokens cut into blocks, row-major; the last block of an axis may be shorter.

    Args:
        lengths: Tokens along each axis.
        sizes: Tokens of a block along each axis.
    """

    lengths: tuple[int, ...]
    sizes: tuple[int, ...]

    @property
    def counts(self) -> tuple[int, ...]:
        """Blocks along each axis."""
        return tuple(-(-length // size) for length, size in zip(self.lengths, self.sizes, strict=True))

    @property
    def blocks(self) -> int:
        """All blocks."""
        return prod(self.counts)

    @property
    def tokens(self) -> int:
        """Tokens of a block that is not cut short."""
        return prod(self.sizes)

    @property
    def is_ragged(self) -> bool:
        """Whether some block is cut short."""
        return any(length % size for length, size in zip(self.lengths, self.sizes, strict=True))

    @property
    def three(self) -> tuple[int, ...]:
        """Three lengths and three block sizes; axes that are missing stand in front with length 1."""
        missing = (1,) * (3 - len(self.lengths))
        return (*missing, *self.lengths, *missing, *self.sizes)


class Inputs(NamedTuple):
    """Tensors of a call.

    Args:
        query: (batch, *spatial, heads, dim).
        key: (batch, *spatial_kv, heads_kv, dim).
        value: (batch, *spatial_kv, heads_kv, dim_v).
        blocks: (batch, 1 or heads, query blocks, entries), integer; key blocks without repetition, whatever is no block
            counts as nothing.
        weight: Factors of key and value for each entry, of the same shape as ``blocks``, or None.
    """

    query: Tensor
    key: Tensor
    value: Tensor
    blocks: Tensor
    weight: Tensor | None = None


@dataclass(frozen=True)
class Problem:
    """Description of a call, without its numbers.

    Args:
        batch: Items.
        grid: Of the query.
        grid_kv: Of key and value.
        heads: Of the query.
        heads_kv: Of key and value; divides ``heads``.
        dim: Channels of a head of query and key.
        dim_v: Channels of a head of the value.
        dtype: Of query, key and value.
        device: Of all tensors.
        extent: Largest distance in memory between two numbers of one item of query, key, value or output, in numbers.
    """

    batch: int
    grid: BlockGrid
    grid_kv: BlockGrid
    heads: int
    heads_kv: int
    dim: int
    dim_v: int
    dtype: torch.dtype
    device: torch.device
    extent: int


def describe(inputs: Inputs, grid: BlockGrid, grid_kv: BlockGrid) -> Problem:
    """Describe a call.

    Args:
        inputs: Its tensors.
        grid: Blocks of the query.
        grid_kv: Blocks of key and value.

    Returns:
        The description.
    """
    query, key, value = inputs[:3]
    return Problem(
        batch=query.shape[0],
        grid=grid,
        grid_kv=grid_kv,
        heads=query.shape[-2],
        heads_kv=key.shape[-2],
        dim=query.shape[-1],
        dim_v=value.shape[-1],
        dtype=query.dtype,
        device=query.device,
        extent=max(_extent(query), _extent(key), _extent(value), prod(query.shape[1:-1]) * value.shape[-1]),
    )


def _extent(tensor: Tensor) -> int:
    return sum((size - 1) * step for size, step in zip(tensor.shape[1:], tensor.stride()[1:], strict=True))


def to_blocks(tensor: Tensor, grid: BlockGrid) -> Tensor:
    """Sort tokens by blocks.

    Args:
        tensor: (batch, *spatial, heads, dim).
        grid: Its blocks.

    Returns:
        (batch, heads, blocks, tokens, dim); what a short block lacks is 0.
    """
    rank = len(grid.lengths)
    if grid.is_ragged:
        missing = [c * s - n for c, s, n in zip(grid.counts, grid.sizes, grid.lengths, strict=True)]
        tensor = F.pad(tensor, [0, 0, 0, 0, *(side for m in reversed(missing) for side in (0, m))])
    pairs = [n for count, size in zip(grid.counts, grid.sizes, strict=True) for n in (count, size)]
    split = tensor.reshape(tensor.shape[0], *pairs, *tensor.shape[-2:])
    order = (0, 2 * rank + 1, *range(1, 2 * rank, 2), *range(2, 2 * rank + 1, 2), 2 * rank + 2)
    shape = (tensor.shape[0], tensor.shape[-2], grid.blocks, grid.tokens, tensor.shape[-1])
    return split.permute(order).reshape(shape)


def from_blocks(tensor: Tensor, grid: BlockGrid) -> Tensor:
    """Undo ``to_blocks``.

    Args:
        tensor: (batch, heads, blocks, tokens, dim).
        grid: The blocks.

    Returns:
        (batch, *spatial, heads, dim), contiguous.
    """
    rank = len(grid.lengths)
    split = tensor.reshape(tensor.shape[0], tensor.shape[1], *grid.counts, *grid.sizes, tensor.shape[-1])
    axes = [n for axis in range(rank) for n in (2 + axis, 2 + rank + axis)]
    padded = [c * s for c, s in zip(grid.counts, grid.sizes, strict=True)]
    out = split.permute(0, *axes, 1, 2 + 2 * rank).reshape(tensor.shape[0], *padded, tensor.shape[1], tensor.shape[-1])
    for axis, length in enumerate(grid.lengths, start=1):
        out = out.narrow(axis, 0, length)
    return out.contiguous()


def real_tokens(grid: BlockGrid, device: torch.device) -> Tensor:
    """Tell which tokens of the blocks are on the grid.

    Args:
        grid: The blocks.
        device: Where to put the answer.

    Returns:
        Boolean (blocks, tokens).
    """
    ones = torch.ones(1, *grid.lengths, 1, 1, device=device)
    return to_blocks(ones, grid)[0, 0, :, :, 0] > 0

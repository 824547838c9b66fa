"""Dynamic neighborhoods on a CPU: one row of positions at a time, as products with banded matrices.

Positions of a row share the rows of their windows, so the weights of a block of them form a matrix, block x keys,
whose band a strided view reaches without any index. The products run in BLAS; the largest thing beside the tensors
themselves is batch x groups x block x side x (block + side - 1) numbers.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

import torch
from torch import Tensor

from foveate.kernels.dynamic.problem import Inputs, window_axes, window_sides
from foveate.kernels.window import spans

# Wider blocks waste more products outside the band, narrower ones make more calls.
_BLOCK = 16


@dataclass(frozen=True)
class _Block:
    """Positions of one row from ``start`` to ``stop``, and the keys that they see.

    ``bands`` are runs of positions (first, one past the last, first key, keys to the right per position), counted from
    the start of the block.
    """

    row: int
    start: int
    stop: int
    top: int
    left: int
    right: int
    bands: tuple[tuple[int, int, int, int], ...]


@lru_cache(maxsize=256)
def _blocks(height: int, width: int, side: int) -> tuple[_Block, ...]:
    vertical, horizontal = (spans(axis)[2].tolist() for axis in window_axes((height, width), side))
    step = width if width <= 2 * side else max(_BLOCK, side)
    blocks = []
    for row in range(height):
        for start in range(0, width, step):
            firsts = horizontal[start : start + step]
            bands = tuple(_runs([first - firsts[0] for first in firsts]))
            blocks.append(_Block(row, start, start + len(firsts), vertical[row], firsts[0], firsts[-1] + side, bands))
    return tuple(blocks)


def _runs(firsts: list[int]) -> Iterator[tuple[int, int, int, int]]:
    """Split windows into runs whose first keys stay where they are or move by one."""
    start = 0
    while start < len(firsts):
        stop = start + 1
        slope = firsts[stop] - firsts[start] if stop < len(firsts) else 0
        while stop < len(firsts) and firsts[stop] - firsts[stop - 1] == slope:
            stop += 1
        yield start, stop, firsts[start], slope
        start = stop


def _band(matrix: Tensor, block: _Block, side: int) -> Iterator[tuple[slice, Tensor]]:
    """View the band of a contiguous matrix (items, positions, side, keys) as (items, run, side, side)."""
    items, positions, _, keys = matrix.shape
    for start, stop, first, slope in block.bands:
        sizes = (items, stop - start, side, side)
        strides = (positions * side * keys, side * keys + slope, keys, 1)
        offset = matrix.storage_offset() + start * side * keys + first
        yield slice(start, stop), matrix.as_strided(sizes, strides, offset)


def _weights(logits: Tensor, table: Tensor | None, block: _Block, side: int) -> tuple[Tensor, Tensor]:
    """Give softmax weights (batch, groups, positions, side, side) and log denominators (batch, groups, positions)."""
    scores = logits[:, :, :, block.row, block.start : block.stop]
    wide = torch.promote_types(scores.dtype, torch.float32)
    scores = scores.to(wide).transpose(2, 3).unflatten(3, (side, side))
    if table is not None:
        above = block.top - block.row + side - 1
        # One table row holds all windows of the block, each shifted by its position.
        rows = table[:, above : above + side].to(wide)
        scores = scores + rows[:, :, _table_columns(block, side)].permute(0, 2, 1, 3)
    lse = scores.flatten(3).logsumexp(3)
    return (scores - lse[..., None, None]).exp(), lse


@lru_cache(maxsize=4096)
def _table_columns(block: _Block, side: int) -> Tensor:
    """Columns of the bias table (positions, side) that the positions of a block use."""
    first = torch.tensor([first + slope * n for start, stop, first, slope in block.bands for n in range(stop - start)])
    own = torch.arange(block.stop - block.start)
    return (block.left - block.start + first - own + side - 1)[:, None] + torch.arange(side)


def _keys(value: Tensor, block: _Block, side: int) -> Tensor:
    """View or copy the keys of a block as (items, channels, side * keys), wide."""
    rows = value[:, :, :, block.top : block.top + side, block.left : block.right]
    return rows.to(torch.promote_types(value.dtype, torch.float32)).flatten(3).flatten(0, 1)


def forward(inputs: Inputs, small: int, large: int) -> tuple[Tensor, Tensor]:
    """Aggregate.

    Args:
        inputs: The tensors, on a CPU.
        small: Side of the first window.
        large: Side of the second window, or 0.

    Returns:
        Output of the value's shape, strides and type, and logarithms of the softmax's denominators
        (batch, sets, groups, height, width), float32 or wider.
    """
    logits, value = inputs.logits, inputs.value
    batch, sets, groups, _, height, width = value.shape
    out = torch.empty_like(value)
    wide = torch.promote_types(value.dtype, torch.float32)
    lse = torch.empty(batch, sets, groups, height, width, dtype=wide)
    if value.numel() == 0:
        return out, lse
    first = 0
    for number, side in enumerate(window_sides(small, large)):
        part = logits[:, :, first : first + side**2]
        first += side**2
        for block in _blocks(height, width, side):
            weights, denominator = _weights(part, inputs.tables[number], block, side)
            matrix = _spread(weights, block, side)
            result = _keys(value[:, number], block, side) @ matrix.flatten(2).mT
            row, span = block.row, slice(block.start, block.stop)
            out[:, number, :, :, row, span] = result.unflatten(0, (batch, groups)).to(value.dtype)
            lse[:, number, :, row, span] = denominator
    return out, lse


def _spread(weights: Tensor, block: _Block, side: int) -> Tensor:
    """Write weights (batch, groups, positions, side, side) into the band of (items, positions, side, keys)."""
    weights = weights.flatten(0, 1)
    matrix = weights.new_zeros(*weights.shape[:3], block.right - block.left)
    for run, band in _band(matrix, block, side):
        band.copy_(weights[:, run])
    return matrix


def backward(
    grad: Tensor, grad_lse: Tensor | None, inputs: Inputs, small: int, large: int
) -> tuple[Tensor, Tensor, list[Tensor]]:
    """Differentiate, computing the weights anew.

    Args:
        grad: Gradient of the output.
        grad_lse: Gradient of the logarithms, or None.
        inputs: The tensors of the forward pass.
        small: Side of the first window.
        large: Side of the second window, or 0.

    Returns:
        Gradients of the logits and of the value, and of both tables (empty where there is none).
    """
    logits, value = inputs.logits, inputs.value
    batch, _, groups, channels, height, width = value.shape
    wide = torch.promote_types(value.dtype, torch.float32)
    grad_logits, grad_value = torch.empty_like(logits), torch.empty_like(value)
    tables = [torch.zeros(0) if t is None else torch.zeros_like(t, dtype=wide) for t in inputs.tables]
    first = 0
    for number, side in enumerate(window_sides(small, large) if value.numel() else ()):
        chosen = slice(first, first + side**2)
        first += side**2
        total = torch.zeros(batch * groups, channels, height, width, dtype=wide)
        for block in _blocks(height, width, side):
            row, span = block.row, slice(block.start, block.stop)
            weights, _ = _weights(logits[:, :, chosen], inputs.tables[number], block, side)
            upstream = grad[:, number, :, :, row, span].to(wide).flatten(0, 1)
            matrix = _spread(weights, block, side)
            keys = upstream @ matrix.flatten(2)
            rows = slice(block.top, block.top + side)
            total[:, :, rows, block.left : block.right] += keys.unflatten(2, (side, block.right - block.left))
            slopes = (upstream.mT @ _keys(value[:, number], block, side)).view_as(matrix)
            change = torch.cat([band for _, band in _band(slopes, block, side)], dim=1).view_as(weights)
            mean = (weights * change).sum((3, 4), keepdim=True)
            if grad_lse is not None:
                mean = mean - grad_lse[:, number, :, row, span, None, None].to(wide)
            change = weights * (change - mean)
            grad_logits[:, :, chosen, row, span] = change.flatten(3).transpose(2, 3).to(logits.dtype)
            if inputs.tables[number] is not None:
                above = block.top - block.row + side - 1
                tables[number][:, above : above + side].index_add_(
                    2, _table_columns(block, side).flatten(), change.sum(0).transpose(1, 2).flatten(2)
                )
        grad_value[:, number] = total.view(batch, groups, channels, height, width).to(value.dtype)
    return grad_logits, grad_value, _cast_tables(tables, inputs)


def _cast_tables(tables: list[Tensor], inputs: Inputs) -> list[Tensor]:
    pairs = zip(tables, inputs.tables, strict=True)
    return [inputs.value.new_empty(0) if table is None else grad.to(table.dtype) for grad, table in pairs]

"""What the host writes down for the kernels of ``triton_table``: where tiles lie, and the penalties of their kinds."""

from functools import cache
from math import prod
from typing import Any

import torch
from torch import Tensor

from foveate.kernels.neighborhood.plan import Tiling, three
from foveate.kernels.window import Axis, spans

_MOST = 65535  # programs along the second and third axis of a launch
_MOST_KINDS = 64
_COLUMNS = 16


def chunks(tiling: Tiling) -> tuple[tuple[int, int], ...]:
    """Cut the candidates of a tile into steps: whole ones, then ever smaller ones for the rest.

    Args:
        tiling: The tiles.

    Returns:
        First candidate and number of candidates of each step, which are powers of two.
    """
    rest, start, found = -(-prod(tiling.union) // 16) * 16, 0, []
    while rest:
        size = min(tiling.block, 1 << (rest.bit_length() - 1))
        found.append((start, size))
        start, rest = start + size, rest - size
    return tuple(found)


@cache
def can_run(axes: tuple[Axis, ...], tiling: Tiling, items: int, inverse: bool) -> str:
    """Say why there are no tables for these tiles; an empty string means that there are.

    Args:
        axes: The problem's axes.
        tiling: The tiles.
        items: Items and heads of the call.
        inverse: Whether positions are keys and candidates the queries that see them.

    Returns:
        The reason.
    """
    padded = three(axes)
    if tiling.slots == 0:
        return "tables need a mask that is a product, got one by elements"
    if items > _MOST:
        return f"tables need {_MOST} items and heads at most, got {items}"
    if prod(tiling.union) > 1024:
        return f"tables need 1024 candidates a tile at most, got {prod(tiling.union)}"
    if any(axis.length // axis.dilation < side for axis, side in zip(padded, tiling.union, strict=True)):
        return f"tables need a grid that holds {tiling.union} candidates in every residue class, got {axes}"
    along = [_tiles(axis, *sides, inverse) for axis, *sides in zip(padded, tiling.tile, tiling.union, strict=True)]
    if prod(len(tiles) for tiles, _ in along) > _MOST:
        return f"tables need {_MOST} tiles at most, got {prod(len(tiles) for tiles, _ in along)}"
    if max(len(kinds) for _, kinds in along) > _MOST_KINDS:
        return f"tables need {_MOST_KINDS} kinds of tiles at most, got {max(len(kinds) for _, kinds in along)}"
    return ""


@cache
def _tiles(
    axis: Axis, side: int, union: int, inverse: bool
) -> tuple[tuple[tuple[int, int, int, int, int], ...], tuple[tuple[tuple[int, int], ...], ...]]:
    """List the tiles along an axis and the kinds among them.

    Args:
        axis: The axis.
        side: Positions of a tile.
        union: Candidates of a tile.
        inverse: As for ``can_run``.

    Returns:
        For each tile: residue class, first position, positions that exist, first candidate and kind; for each kind: the
        first and last candidate that matters to each position, counted from the first one of the box.
    """
    tiles: list[tuple[int, int, int, int, int]] = []
    kinds: dict[tuple[tuple[int, int], ...], int] = {}
    ends = [_ends(axis.of_class(residue), inverse) for residue in range(min(axis.dilation, axis.length))]
    for start in range(0, axis.of_class(0).length, side):
        for residue, matter in enumerate(ends):
            length = len(matter)
            if start >= length:
                continue
            mine = [matter[min(start + i, length - 1)] for i in range(side)]
            box = min(min(low for low, _ in mine), length - union)
            kind = tuple((low - box, high - box) for low, high in mine)
            tiles.append((residue, start, length - start, box, kinds.setdefault(kind, len(kinds))))
    return tuple(tiles), tuple(kinds)


def _ends(axis: Axis, inverse: bool) -> list[tuple[int, int]]:
    """Find the first and last candidate that matters to each position of an undilated axis."""
    _, _, first, last = spans(axis)
    if not inverse:
        return list(zip(first.tolist(), last.tolist(), strict=True))
    at = torch.arange(axis.length)
    low = at if axis.causal else torch.searchsorted(last, at)
    high = torch.searchsorted(first.contiguous(), at, right=True) - 1
    return list(zip(low.tolist(), high.tolist(), strict=True))


@cache
def tables(
    axes: tuple[Axis, ...], tiling: Tiling, inverse: bool, dtype: torch.dtype, device: torch.device
) -> tuple[Tensor, Tensor]:
    """Write the tables; they are kept for good, because CUDA graphs may hold their addresses.

    Args:
        axes: As for ``can_run``.
        tiling: As for ``can_run``.
        inverse: As for ``can_run``.
        dtype: Of the penalties.
        device: Where the kernels run.

    Returns:
        Tiles (tiles, 16): token of the first position, token of the first candidate, first rows of the penalties along
        axes 2, 1 and 0, positions that exist along each axis, first position, first candidate. Penalties (rows,
        candidates): 0 where the candidate matters to a position along an axis, hugely negative elsewhere.
    """
    padded, width = three(axes), sum(size for _, size in chunks(tiling))
    number = torch.arange(width)
    _, side1, side2 = tiling.union
    at = (number // (side1 * side2), number // side2 % side1, number % side2)
    outside = number >= prod(tiling.union)
    rows: list[Tensor] = []
    firsts: list[int] = []
    along: list[Tensor] = []
    for i, (axis, side, union) in enumerate(zip(padded, tiling.tile, tiling.union, strict=True)):
        tiles, kinds = _tiles(axis, side, union, inverse)
        firsts.append(sum(len(block) for block in rows))
        ends = torch.tensor(kinds).reshape(-1, 2)
        hidden = (at[i] < ends[:, :1]) | (at[i] > ends[:, 1:]) | outside
        rows.append(torch.where(hidden, -1e30, 0.0).to(dtype))
        along.append(torch.tensor(tiles))
    index = torch.cartesian_prod(*(torch.arange(len(tiles)) for tiles in along))
    columns = torch.stack([tiles[index[:, i]] for i, tiles in enumerate(along)], 1)
    residue, start, left, box, kind = columns.unbind(-1)
    lengths = torch.tensor([axis.length for axis in padded])
    dilation = torch.tensor([axis.dilation for axis in padded])
    pace = torch.stack([lengths[1] * lengths[2], lengths[2], torch.tensor(1)])
    entry = torch.zeros(len(index), _COLUMNS, dtype=torch.int32)
    entry[:, 0] = ((residue + start * dilation) * pace).sum(1)
    entry[:, 1] = ((residue + box * dilation) * pace).sum(1)
    penalty_row = torch.tensor(firsts) + kind * torch.tensor(tiling.tile)
    entry[:, 2:5] = penalty_row.flip(1)
    entry[:, 5:8], entry[:, 8:11], entry[:, 11:14] = left, start, box
    return entry.to(device), torch.cat(rows).contiguous().to(device)


def constants(axes: tuple[Axis, ...], tiling: Tiling) -> dict[str, Any]:
    """List what the kernels are compiled for, beside what all kernels are.

    Args:
        axes: As for ``can_run``.
        tiling: As for ``can_run``.

    Returns:
        Constants by name.
    """
    steps = chunks(tiling)
    full = sum(size == tiling.block for _, size in steps)
    return {
        "BOX": tiling.union,
        "CHUNK": tiling.block,
        "FULL": full,
        "STARTS": tuple(start for start, _ in steps[full:]),
        "SIZES": tuple(size for _, size in steps[full:]),
        "WIDTH": sum(size for _, size in steps),
        "EVEN": is_even(axes, tiling),
    }


@cache
def is_even(axes: tuple[Axis, ...], tiling: Tiling) -> bool:
    """Say whether no tile reaches over the edge of the grid.

    Args:
        axes: As for ``can_run``.
        tiling: As for ``can_run``.

    Returns:
        Whether tiles divide all residue classes.
    """
    return all(
        axis.length % axis.dilation == 0 and axis.of_class(0).length % side == 0
        for axis, side in zip(three(axes), tiling.tile, strict=True)
    )

"""How the cpu backend cuts a grid: tiles of queries with the box of keys that they see, or everything at once.

Along an axis, a residue class is cut into stretches of queries. Stretches whose windows look alike relative to their
first query share a shape and a mask; a ``Run`` is a product of such groups, so its tiles differ by their origins only.

Cost of forward and backward in nanoseconds of one core of a 2.6 GHz server, fitted to some 90 measurements of seven
shapes (error 9 %): 0.065 for a score's channel, its softmax counted as 37 channels; 2 for a number of a gathered key or
value, 2.5 for one of a query or output; 300,000 for a chunk's calls, a third of it for dense attention; 6 for a pair of
a mask too large to keep. Only ratios matter. On small grids dense attention wins although it computes more scores.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise, product
from math import prod

import torch
from torch import Tensor

from foveate.kernels.neighborhood.problem import Inputs, Problem
from foveate.kernels.window import Axis, spans

CHUNK_BYTES = 3 << 19
"""What a chunk of tiles gathers, at most, unless a single tile needs more."""

KEPT_PAIRS = 1 << 18
"""Largest mask that is kept for the next call, in pairs of a query and a key."""

_SCORE, _SOFTMAX, _KEY, _QUERY, _CALL, _MASK = 0.065, 37, 2.0, 2.5, 300_000.0, 6.0
_LARGEST_MASK = 1 << 20
_SIDES = (2, 4, 6, 8, 12, 16, 24, 32, 48, 64, 96, 128, 256)
_SMALLEST_SIDE = {1: 16, 2: 4, 3: 2}


@dataclass(frozen=True)
class Stretch:
    """What a stretch of consecutive queries of a residue class sees, relative to its first query.

    Args:
        first: First key of every query.
        last: Last key of every query.
        window: Of the axis.
    """

    first: tuple[int, ...]
    last: tuple[int, ...]
    window: int

    @property
    def keys(self) -> int:
        """Number of keys from the first that any query sees to the last."""
        return self.last[-1] + 1 - self.first[0]

    @property
    def is_full(self) -> bool:
        """Whether every query sees all of these keys."""
        return self.first[0] == self.first[-1] and self.last[0] == self.last[-1]


@dataclass(frozen=True)
class Run:
    """Tiles of one shape and mask.

    Args:
        stretches: What they see along each axis.
        query_origins: Flat index of the first query of each tile (tiles,).
        key_origins: Flat index of the first key of each tile (tiles,).
        query_offsets: Flat indices of a tile's queries, less its origin (queries,).
        key_offsets: Flat indices of a tile's keys, less its origin (keys,).
    """

    stretches: tuple[Stretch, ...]
    query_origins: Tensor
    key_origins: Tensor
    query_offsets: Tensor
    key_offsets: Tensor


_Group = tuple[Stretch, Tensor, Tensor]


def describe(inputs: Inputs, axes: tuple[Axis, ...]) -> Problem:
    """Describe a call.

    Args:
        inputs: Its tensors.
        axes: Its windows.

    Returns:
        The description.
    """
    query, key, value, bias, extra, _ = inputs
    return Problem(
        batch=query.shape[0],
        axes=axes,
        heads=query.shape[-2],
        heads_kv=key.shape[-2],
        dim=query.shape[-1],
        dim_v=value.shape[-1],
        dtype=query.dtype,
        device=query.device,
        has_bias=bias is not None,
        extra_tokens=0 if extra is None else extra.shape[1],
    )


@lru_cache(maxsize=64)
def plan(problem: Problem, way: str | None = None) -> tuple[Run, ...] | None:
    """Choose how to compute.

    Args:
        problem: The call.
        way: "tiles" or "dense" to have one of them; None takes the cheaper one.

    Returns:
        Runs of tiles, or None for dense attention over the whole grid.
    """
    if way == "dense":
        return None
    cost, groups = min(_cuts(problem), key=lambda cut: cut[0])
    tokens = prod(axis.length for axis in problem.axes)
    full = all(axis.is_dense and axis.dilation == 1 for axis in problem.axes)
    fits = _mask_numbers(problem, tokens, tokens, full) <= _LARGEST_MASK
    if way is None and fits and _cost(problem, problem.batch, tokens, tokens, full) + _CALL / 1.5 <= cost:
        return None
    return tuple(_run(problem.axes, choice) for choice in product(*groups))


def _cuts(problem: Problem) -> list[tuple[float, tuple[list[_Group], ...]]]:
    """Cut the axes in every sensible way, each with its cost; those with too large a mask cost infinitely more."""
    choices = [[_groups(axis, side) for side in _sides(axis, len(problem.axes))] for axis in problem.axes]
    cuts = []
    for groups in product(*choices):
        cost = 0.0
        for run in product(*groups):
            queries, keys = prod(len(part[0].first) for part in run), prod(part[0].keys for part in run)
            tiles, full = problem.batch * prod(len(part[1]) for part in run), all(part[0].is_full for part in run)
            cost += _cost(problem, tiles, queries, keys, full)
            chunks = [tiles / tiles_per_chunk(problem, queries, keys, backward) for backward in (False, True)]
            cost += _CALL * sum(max(count, 1.0) for count in chunks)
            if _mask_numbers(problem, queries, keys, full) > _LARGEST_MASK:
                cost += 1e15 * queries * keys
        cuts.append((cost, groups))
    return cuts


def _cost(problem: Problem, tiles: int, queries: int, keys: int, full: bool) -> float:
    keys += problem.extra_tokens
    channels = problem.dim + problem.dim_v
    scores = _SCORE * problem.heads * queries * keys * (channels + _SOFTMAX)
    moved = channels * (_KEY * problem.heads_kv * keys + _QUERY * problem.heads * queries)
    return tiles * (scores + moved) + (_MASK * queries * keys if queries * keys > KEPT_PAIRS and not full else 0.0)


def _mask_numbers(problem: Problem, queries: int, keys: int, full: bool) -> int:
    copies = problem.heads if problem.has_bias else 0 if full else problem.heads // problem.heads_kv
    return copies * queries * (keys + problem.extra_tokens)


def tiles_per_chunk(problem: Problem, queries: int, keys: int, backward: bool = False) -> int:
    """Count the tiles whose gathered numbers stay within ``CHUNK_BYTES``.

    Args:
        problem: The call.
        queries: Of a tile.
        keys: Of a tile, without the extra ones.
        backward: Whether their gradients need room too.

    Returns:
        1 or more.
    """
    keys += problem.extra_tokens
    numbers = (problem.dim + problem.dim_v) * (problem.heads_kv * keys + problem.heads * queries)
    return max(CHUNK_BYTES // (4 * numbers * (2 if backward else 1)), 1)


def _sides(axis: Axis, rank: int) -> list[int]:
    """List sides of tiles: whole stride groups, of much the same size all along the axis."""
    length = (axis.length - 1) // axis.dilation + 1
    sides = set()
    for wanted in (side for side in (*_SIDES, axis.window) if side >= _SMALLEST_SIDE[rank]):
        side = -(-length // -(-length // wanted))
        side = -(-side // axis.stride) * axis.stride
        if side <= max(4 * axis.window, 64):
            sides.add(min(side, length))
    return sorted(sides)


@lru_cache(maxsize=256)
def _groups(axis: Axis, side: int) -> list[_Group]:
    """Cut an axis, with the origins of the queries and keys of every kind of stretch."""
    found: dict[Stretch, tuple[list[Tensor], list[Tensor]]] = {}
    for residue in range(axis.dilation):
        _, _, *ends = (column.cpu() for column in spans(axis.of_class(residue)))
        length = len(ends[0])
        whole = length // side * side
        for start, stop, width in ((0, whole, side), (whole, length, length - whole)):
            if start < stop:
                origins = torch.arange(start, stop, width, device="cpu")
                rows = torch.cat([end[start:stop].view(-1, width) - origins[:, None] for end in ends], dim=1)
                for stretch, chosen in _alike(rows, axis.window):
                    queries, keys = found.setdefault(stretch, ([], []))
                    queries.append(residue + axis.dilation * origins[chosen])
                    keys.append(residue + axis.dilation * ends[0][origins[chosen]])
    return [(stretch, torch.cat(queries), torch.cat(keys)) for stretch, (queries, keys) in found.items()]


def _alike(rows: Tensor, window: int) -> Iterator[tuple[Stretch, slice]]:
    """List consecutive rows that say the same: first keys, then last keys."""
    changes = (rows[1:] != rows[:-1]).any(1).nonzero()[:, 0] + 1
    bounds = [0, *changes.tolist(), len(rows)]
    width = rows.shape[1] // 2
    for start, stop in pairwise(bounds):
        row = rows[start].tolist()
        yield Stretch(tuple(row[:width]), tuple(row[width:]), window), slice(start, stop)


def _run(axes: tuple[Axis, ...], groups: tuple[_Group, ...]) -> Run:
    columns = [torch.zeros(1, dtype=torch.long, device="cpu") for _ in range(4)]
    for axis, (stretch, queries, keys) in zip(axes, groups, strict=True):
        steps = [axis.dilation * torch.arange(size, device="cpu") for size in (len(stretch.first), stretch.keys)]
        for place, more in enumerate((queries, keys, *steps)):
            columns[place] = (columns[place][:, None] * axis.length + more).flatten()
    return Run(tuple(group[0] for group in groups), *columns)

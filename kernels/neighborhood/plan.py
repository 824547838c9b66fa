"""How the Triton kernels cut a problem into tiles: chosen once for a problem, from a table or by rule."""

import json
import os
from bisect import bisect_left, bisect_right
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files
from math import prod
from pathlib import Path

from foveate.kernels.window import Axis, spans

PASSES = ("forward", "query", "key")


@dataclass(frozen=True)
class Tiling:
    """Tiles of one kernel.

    Args:
        tile: Positions of a program along the three axes; powers of two, 16 positions or more.
        box: Candidates of a step along the three axes; unused when ``flat``.
        flat: Whether the candidates of a program, 1024 at most, are walked as one run.
        block: Candidates of a step; a power of two, 16 or more.
        warps: Warps of a program.
        stages: Steps whose loads are under way at once.
        heads_first: Whether neighboring programs work on the heads of a tile, or on the tiles of a head.
        slots: Columns of the product that masks; 0 masks element by element.
        registers: Most registers of a thread; None leaves it to the compiler.
        small: Whether the kernel for small windows is used, where a program goes through many items.
        unrolled: Whether that kernel unrolls the steps, and so masks once for all items.
        table: Whether the kernel that reads tiles and penalties from tables is used where it can run.
        union: Candidates of a program along the three axes, at most.
    """

    tile: tuple[int, int, int]
    box: tuple[int, int, int]
    flat: bool
    block: int
    warps: int = 4
    stages: int = 2
    heads_first: bool = True
    slots: int = 0
    registers: int | None = None
    small: bool = False
    unrolled: bool = True
    table: bool = False
    union: tuple[int, int, int] = (1, 1, 1)


def three(axes: tuple[Axis, ...]) -> tuple[Axis, Axis, Axis]:
    """Put axes of length 1 before the given ones until there are three."""
    first, second, third = (*(Axis(1, 1),) * (3 - len(axes)), *axes)
    return first, second, third


@lru_cache(maxsize=1024)
def largest_union(axis: Axis, tile: int, inverse: bool) -> int:
    """Count along an axis what matters to the positions of a tile, at most.

    Args:
        axis: The axis.
        tile: Positions of a tile.
        inverse: Whether positions are keys and what matters are the queries that see them.

    Returns:
        The largest number over all tiles of all residue classes.
    """
    largest = 0
    # Classes differ in length by one at most.
    for undilated in {axis.of_class(0), axis.of_class(axis.dilation - 1)}:
        _, _, first, last = (column.tolist() for column in spans(undilated))
        for start in range(0, undilated.length, tile):
            stop = min(start + tile, undilated.length) - 1
            low = bisect_left(last, start) if inverse else first[start]
            high = bisect_right(first, stop) - 1 if inverse else last[stop]
            if inverse and undilated.causal:
                low = start
            largest = max(largest, high - low + 1)
    return largest


@lru_cache(maxsize=1024)
def tiling_for(axes: tuple[Axis, ...], dim: int, kernel: str, architecture: str) -> Tiling:
    """Choose the tiles of a kernel.

    Args:
        axes: The problem's axes.
        dim: Channels of a head, the larger of key's and value's.
        kernel: forward, query or key: the forward kernel, or that of d_query, or that of d_key and d_value.
        architecture: Name of the table, such as sm90; without a table or an entry a rule decides.

    Returns:
        The tiles.
    """
    entry = tuned(architecture).get(signature(axes, dim, kernel))
    if entry is not None:
        return make_tiling(axes, kernel, **entry)
    return by_rule(axes, dim, kernel)


def by_rule(axes: tuple[Axis, ...], dim: int, kernel: str) -> Tiling:
    """Choose tiles without a table.

    Args:
        axes: As for ``tiling_for``.
        dim: As for ``tiling_for``.
        kernel: As for ``tiling_for``.

    Returns:
        The tiles.
    """
    large = prod(axis.window for axis in axes) >= 4096 and kernel == "forward"
    tile = {1: (1, 1, 128 if large else 64), 2: (1, 16 if large else 8, 8), 3: (4, 4, 8 if large else 4)}[len(axes)]
    return make_tiling(axes, kernel, tile, block=64 if dim <= 128 else 32, warps=8 if large else 4)


def make_tiling(
    axes: tuple[Axis, ...],
    kernel: str,
    tile: tuple[int, ...],
    *,
    block: int = 64,
    warps: int = 4,
    stages: int = 2,
    flat: bool | None = None,
    heads_first: bool | None = None,
    by_dot: bool | None = None,
    registers: int | None = None,
    small: bool = False,
    unrolled: bool = True,
    table: bool = False,
) -> Tiling:
    """Fit tiles to a problem.

    Args:
        axes: The problem's axes.
        kernel: As for ``tiling_for``.
        tile: Positions of a program along three axes; cut down where an axis is shorter.
        block: Candidates of a step.
        warps: Warps of a program.
        stages: Steps whose loads are under way at once.
        flat: Whether candidates are walked as one run; by default when there are no more than 1024.
        heads_first: Order of programs; by default heads first when a program has few candidates.
        by_dot: Whether the mask is a product; by default where there is more than one axis.
        registers: Most registers of a thread; None leaves it to the compiler.
        small: Whether to use the kernel for small windows.
        unrolled: Whether that kernel unrolls the steps.
        table: Whether to use the kernel that reads tables.

    Returns:
        The tiles.
    """
    padded = three(axes)
    lengths = [axis.of_class(0).length for axis in padded]
    fitted = [min(t, 1 << (n - 1).bit_length()) for t, n in zip(tile, lengths, strict=True)]
    while prod(fitted) < 16:
        fitted[2] *= 2
    unions = [largest_union(axis, t, kernel == "key") for axis, t in zip(padded, fitted, strict=True)]
    if flat is None:
        flat = prod(unions) <= 1024
    box = [1, 1, 1] if flat else _box_of(block, unions)
    active = fitted[2] + sum(t for t, axis in zip(fitted[:2], padded[:2], strict=True) if axis.length > 1)
    slots = max(16, 1 << (active - 1).bit_length())
    if by_dot is None:
        by_dot = sum(n > 1 for n in lengths) > 1
    if heads_first is None:
        heads_first = prod(unions) <= 1024
    return Tiling(
        tile=(fitted[0], fitted[1], fitted[2]),
        box=(box[0], box[1], box[2]),
        flat=flat,
        block=block,
        warps=warps,
        stages=stages,
        heads_first=heads_first,
        slots=slots if by_dot else 0,
        registers=registers,
        small=small,
        unrolled=unrolled,
        table=table,
        union=(unions[0], unions[1], unions[2]),
    )


def _box_of(block: int, unions: list[int]) -> list[int]:
    """Cut a step's candidates into the box that covers all in the fewest steps; of several, the most cubic one."""
    sides = [1 << i for i in range(block.bit_length())]
    boxes = [(a, b, block // (a * b)) for a in sides for b in sides if a * b <= block]

    def cost(box: tuple[int, int, int]) -> tuple[int, int]:
        return prod(-(-u // side) for u, side in zip(unions, box, strict=True)), sum(box)

    best = min(boxes, key=cost)
    return list(best)


def signature(axes: tuple[Axis, ...], dim: int, kernel: str) -> str:
    """Name a problem as the tables do: batch, heads and the size of large grids do not matter.

    Args:
        axes: As for ``tiling_for``.
        dim: As for ``tiling_for``.
        kernel: As for ``tiling_for``.

    Returns:
        Key of the table.
    """
    windows = "x".join(str(axis.window) for axis in axes)
    strides = "x".join(str(axis.stride) for axis in axes)
    short = "x".join(str(min(axis.of_class(0).length, 64)) for axis in axes)
    return f"{kernel} dim {dim} window {windows} stride {strides} grid {short}"


@lru_cache(maxsize=8)
def tuned(architecture: str) -> dict[str, dict]:
    """Read the tables of a GPU generation: the package's, and over it the user's own.

    Args:
        architecture: Such as sm90.

    Returns:
        Settings of ``make_tiling`` by ``signature``; empty when there is no table.
    """
    shipped = files("foveate.kernels.neighborhood") / "tuned" / f"{architecture}.json"
    table: dict[str, dict] = json.loads(shipped.read_text()) if shipped.is_file() else {}
    own = user_table(architecture)
    return table | (json.loads(own.read_text()) if own.is_file() else {})


def user_table(architecture: str) -> Path:
    """Name the file of the tiles that the user has tuned.

    Args:
        architecture: Such as sm90.

    Returns:
        A file below FOVEATE_CACHE, XDG_CACHE_HOME or ~/.cache, which need not exist.
    """
    default = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "foveate"
    return Path(os.environ.get("FOVEATE_CACHE") or default) / f"neighborhood-{architecture}.json"

"""How the kernels cut a map into tiles: which tile shapes waste least. Pure arithmetic, cached by shape."""

from dataclasses import dataclass
from functools import lru_cache

from foveate.kernels.window import Axis, spans

# Pairs of tile shapes are compared by products per program, plus what loading a tile's ends costs in the same unit.
LOAD = 8
STEP = 192
# Pairs of a position and a key in a tile, at most.
MOST = 512


@dataclass(frozen=True)
class Tiles:
    """Tile shapes of one window.

    Args:
        position: Rows and columns of positions in a tile.
        key: Rows and columns of keys in a tile.
        programs: Tiles that cover the map (of positions in the forward pass, of keys in the backward pass).
    """

    position: tuple[int, int]
    key: tuple[int, int]
    programs: int


@lru_cache(maxsize=1024)
def tiles(height: int, width: int, side: int, by_key: bool, rows_only: bool) -> Tiles:
    """Choose tile shapes.

    Args:
        height: Of the map.
        width: Of the map.
        side: Of the window.
        by_key: Whether a program owns a tile of keys and visits positions (backward), or the other way round.
        rows_only: Whether tiles of positions should be rows, because positions are what lies side by side in memory.

    Returns:
        The cheapest tiles.
    """
    best: tuple[float, Tiles] | None = None
    for position in _shapes():
        for key in _shapes():
            pairs = position[0] * position[1] * key[0] * key[1]
            if pairs > MOST or (rows_only and position[1] < min(16, _power_of_two(width))):
                continue
            own, other = (key, position) if by_key else (position, key)
            steps = [_steps(Axis(length, side), own[n], other[n], by_key) for n, length in enumerate((height, width))]
            # Rows and columns are independent, so the sum over tiles of products is the product of sums.
            visits = sum(steps[0]) * sum(steps[1])
            cost = visits * (pairs + LOAD * (position[0] * position[1] + key[0] * key[1]) + STEP)
            if best is None or cost < best[0]:
                best = cost, Tiles(position, key, len(steps[0]) * len(steps[1]))
    if best is None:
        raise RuntimeError(f"no tile shape fits a map of {height} x {width} and a window of {side}")
    return best[1]


def _shapes() -> list[tuple[int, int]]:
    """Tiles of 16 to 64 cells; a matrix product takes no fewer than 16."""
    return [(cells // width, width) for cells in (16, 32, 64) for width in (4, 8, 16, 32, 64) if width <= cells]


def _power_of_two(number: int) -> int:
    return 1 << (number - 1).bit_length()


@lru_cache(maxsize=4096)
def _steps(axis: Axis, own: int, other: int, by_key: bool) -> tuple[int, ...]:
    """Count, for each tile of one axis, the tiles of the other kind that it visits."""
    first = spans(axis)[2].tolist()
    counts = []
    for start in range(0, axis.length, own):
        stop = min(start + own, axis.length)
        if by_key:
            seen = [n for n, f in enumerate(first) if f < stop and f + axis.window > start]
            reach = seen[-1] + 1 - seen[0]
        else:
            reach = first[stop - 1] + axis.window - first[start]
        counts.append(-(-reach // other))
    return tuple(counts)

"""MultiMatch: shape, direction, length, position and duration of saccades, aligned."""

import heapq
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from foveate.scanpath.fixations import Scanpath
from foveate.scanpath.measures.grouping import Grouping, grouped
from foveate.scanpath.measures.pairs import check_pairs, each, equal_lengths

__all__ = ["Grouping", "MultiMatch", "multimatch", "multimatch_pairs"]

# A saccade as a row of numbers.
_X, _Y, _DX, _DY, _LENGTH, _ANGLE, _DURATION = range(7)


@dataclass(frozen=True)
class MultiMatch:
    """Five similarities of two scanpaths, 0 to 1; NaN where a path has fewer than three fixations.

    Args:
        shape: Of the saccades as vectors.
        direction: Of their directions.
        length: Of their lengths.
        position: Of where they begin.
        duration: Of the fixations that they begin at; NaN where durations were left out.
    """

    shape: float
    direction: float
    length: float
    position: float
    duration: float


def multimatch(
    human: Scanpath, model: Scanpath, *, grouping: Grouping | None = None, durations: bool = True
) -> MultiMatch:
    """Compare two scanpaths saccade by saccade along their best alignment.

    A path that keeps to one spot, or takes steps of a human size, reaches human similarity of shape and length: do not
    claim anything with these alone.

    Args:
        human: A scanpath; durations in seconds.
        model: Another one of a picture of the same size.
        grouping: Thresholds below which saccades are merged beforehand; None merges none.
        durations: False leaves durations out, for models without them.

    Returns:
        Five similarities. As published, all are NaN for a path of fewer than three fixations (some authors pad short
        paths with ones instead, which invents fixations in the picture's corner).

    Raises:
        ValueError: Pictures of unequal sizes, or no durations where they are needed.

    Source: Jarodzka, Holmqvist and Nystrom (2010) and Dewhurst and others (2012), as computed by multimatch_gaze
        0.1.3: medians along the cheapest path through the differences of saccades, the first of which is free.
    """
    return MultiMatch(*multimatch_pairs([human], [model], grouping=grouping, durations=durations)[0].tolist())


def multimatch_pairs(
    humans: Sequence[Scanpath],
    models: Sequence[Scanpath],
    *,
    grouping: Grouping | None = None,
    durations: bool = True,
) -> np.ndarray:
    """Compare many pairs as ``multimatch`` does.

    Args:
        humans: Scanpaths.
        models: As many.
        grouping: Thresholds below which saccades are merged beforehand.
        durations: False leaves durations out.

    Returns:
        (pairs, 5): shape, direction, length, position, duration.
    """
    check_pairs(humans, models, durations=durations or grouping is not None)
    answers = np.full((len(humans), 5), np.nan)
    enough = [i for i in range(len(humans)) if min(len(humans[i]), len(models[i])) >= 3]
    if not enough:
        return answers

    def saccades(path: Scanpath) -> np.ndarray:
        return _saccades(path, grouping, durations)

    firsts, seconds = (each([paths[i] for i in enough], saccades) for paths in (humans, models))
    differences = np.empty((len(enough), 5))
    for rows, first, second in equal_lengths(firsts, seconds):
        differences[rows] = _compare(first, second)
    diagonal = np.array([math.sqrt(humans[i].size[0] ** 2 + humans[i].size[1] ** 2) for i in enough])
    one = np.ones_like(diagonal)
    answers[enough] = 1 - differences / np.stack([2 * diagonal, math.pi * one, diagonal, diagonal, one], 1)
    return answers


def _saccades(path: Scanpath, grouping: Grouping | None, durations: bool) -> np.ndarray:
    """Begin, vector, length, direction (0 to two pi) and duration of every saccade, (saccades, 7)."""
    begin, vector = path.points[:-1], np.diff(path.points, axis=0)
    duration = path.duration if durations or grouping is not None else None
    if duration is None:
        duration = np.full(len(path), np.nan)
    if grouping is not None:
        begin, vector, duration = grouped(begin, vector, duration, grouping)
    angle = np.arctan2(vector[:, 1], vector[:, 0])
    angle = np.where(angle < 0, math.pi + (math.pi + angle), angle)
    if not durations:
        duration = np.full(len(duration), np.nan)
    length = np.sqrt(vector[:, 0] ** 2 + vector[:, 1] ** 2)
    return np.column_stack([begin, vector, length, angle, duration[: len(begin)]])


def _compare(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Medians of the five differences along the best alignment, (pairs, 5)."""
    a, b = first[:, :, None], second[:, None, :]
    cost = np.sqrt((a[..., _DX] - b[..., _DX]) ** 2 + (a[..., _DY] - b[..., _DY]) ** 2)
    angle = np.abs(a[..., _ANGLE] - b[..., _ANGLE])
    longer = np.maximum(a[..., _DURATION], b[..., _DURATION])
    every = [
        cost,
        np.where(angle > math.pi, 2 * math.pi - angle, angle),
        np.abs(a[..., _LENGTH] - b[..., _LENGTH]),
        np.sqrt((a[..., _X] - b[..., _X]) ** 2 + (a[..., _Y] - b[..., _Y]) ** 2),
        # Two fixations of no time at all do not differ.
        np.abs(a[..., _DURATION] - b[..., _DURATION]) / np.where(longer == 0, 1, longer),
    ]
    cells, count = _alignment(cost)
    along = np.stack([np.take_along_axis(each_one.reshape(len(cost), -1), cells, 1) for each_one in every], 1)
    beyond = np.arange(cells.shape[1]) >= count[:, None]
    return _medians(along, beyond, count)


def _medians(values: np.ndarray, beyond: np.ndarray, count: np.ndarray) -> np.ndarray:
    """Medians of rows (pairs, 5, steps) of which only the first ``count`` values hold."""
    ordered = np.sort(np.where(beyond[:, None], np.inf, values), axis=-1)
    low, high = (np.take_along_axis(ordered, middle[:, None, None], -1) for middle in ((count - 1) // 2, count // 2))
    median = ((low + high) / 2)[..., 0]
    # Infinity sorts before NaN, and a row of NaN has to stay one.
    return np.where(np.isnan(values).any(-1), np.nan, median)


def _alignment(cost: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Cheapest way from the first pair of saccades to the last one, right, down or both.

    Args:
        cost: What it costs to enter a cell, (pairs, n, m).

    Returns:
        Cells row * m + column of every way from its end to its begin, (pairs, n + m - 1), and how many of them count.
        Between ways of one cost: that of SciPy's Dijkstra, which visits the cell with the highest number first.
    """
    pairs, n, m = cost.shape
    reached = np.full((n + 1, m + 1, pairs), np.inf)
    came = np.zeros((n, m, pairs), np.int64)
    steps = np.array([1, m, m + 1])
    entering = np.ascontiguousarray(cost.transpose(1, 2, 0))
    for i in range(n):
        for j in range(m):
            ways = np.stack([reached[i + 1, j], reached[i, j + 1], reached[i, j]])
            choice = ways.argmin(0)
            came[i, j] = steps[choice]
            best = np.take_along_axis(ways, choice[None], 0)[0] + entering[i, j] if i or j else 0.0
            reached[i + 1, j + 1] = best
    cells = np.zeros((pairs, n + m - 1), np.int64)
    count = np.ones(pairs, np.int64)
    here = np.full(pairs, n * m - 1)
    table = came.reshape(n * m, pairs)
    everyone = np.arange(pairs)
    for step in range(n + m - 1):
        cells[:, step] = here
        count += here > 0
        here = np.where(here > 0, here - table[here, everyone], 0)
    # Where a step is free, which cells are waiting decides, and only the search itself knows.
    for pair in np.flatnonzero((cost.reshape(pairs, -1)[:, 1:] == 0).any(1)):
        way = _dijkstra(cost[pair])
        cells[pair, : len(way)], count[pair] = way, len(way)
    return cells, count


def _dijkstra(cost: np.ndarray) -> list[int]:
    """Cells of the cheapest way from its end to its begin, looked for as SciPy does."""
    n, m = cost.shape
    enter = cost.reshape(-1).tolist()
    reached, came = [math.inf] * (n * m), [0] * (n * m)
    reached[0] = 0.0
    waiting = [(0.0, 0)]
    while waiting:
        distance, negative = heapq.heappop(waiting)
        cell = -negative
        if distance > reached[cell]:
            continue
        i, j = divmod(cell, m)
        for down, right in ((0, 1), (1, 0), (1, 1)):
            if i + down < n and j + right < m:
                after = cell + down * m + right
                if distance + enter[after] < reached[after]:
                    reached[after], came[after] = distance + enter[after], cell
                    heapq.heappush(waiting, (reached[after], -after))
    way = [n * m - 1]
    while way[-1] != 0:
        way.append(came[way[-1]])
    return way

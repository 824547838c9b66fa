"""Searches that OAT has to beat: chance, the nearest, as one reads, and the steps that people take."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from foveate.scanpath.oat.layout import Layout
from foveate.scanpath.oat.training import SearchTrial

__all__ = ["WALKS", "StepStatistics", "Walk", "told_walk"]

#: Given objects, the target's number, the longest path and random numbers, a walk returns numbers of objects in order.
#: It ends at the target, or where it is longest.
Walk = Callable[[Layout, int, int, np.random.Generator], list[int]]


def random_walk(layout: Layout, target: int, most: int, random: np.random.Generator) -> list[int]:
    """Take any object at any time, also again; arguments as for ``Walk``."""
    return _until(random.integers(len(layout), size=most).tolist(), target, most)


def shuffled_walk(layout: Layout, target: int, most: int, random: np.random.Generator) -> list[int]:
    """Take any object, none twice; arguments as for ``Walk``."""
    return _until(random.permutation(len(layout)).tolist(), target, most)


def nearest_walk(layout: Layout, target: int, most: int, random: np.random.Generator) -> list[int]:
    """Begin in the middle and take the nearest object that was not visited; arguments as for ``Walk``.

    Chance decides between equals.
    """
    order: list[int] = []
    here, left = np.array(layout.size) / 2, np.ones(len(layout), dtype=bool)
    while left.any():
        distance = np.where(left, np.hypot(*(layout.centers - here).T), np.inf)
        nearest = np.flatnonzero(distance <= distance.min() * (1 + 1e-9))
        order.append(int(random.choice(nearest)))
        here, left[order[-1]] = layout.centers[order[-1]], False
    return _until(order, target, most)


def reading_walk(layout: Layout, target: int, most: int, random: np.random.Generator) -> list[int]:
    """Take row by row from the left top; arguments as for ``Walk``."""
    return _until(np.lexsort((layout.centers[:, 0], layout.places[:, 0])).tolist(), target, most)


#: Names to walks that need nothing but the layout.
WALKS: dict[str, Walk] = {
    "random": random_walk,
    "random, none twice": shuffled_walk,
    "nearest unvisited": nearest_walk,
    "reading order": reading_walk,
}


def told_walk(trials: Sequence[SearchTrial]) -> Walk:
    """Make a walk that is told as much as OAT: as long as people's paths, any objects, and the target at the end.

    Args:
        trials: Where lengths are drawn from.
    """
    lengths = [len(trial.objects) for trial in trials]

    def walk(layout: Layout, target: int, most: int, random: np.random.Generator) -> list[int]:
        length = min(int(random.choice(lengths)), most)
        return [*random.integers(len(layout), size=length - 1).tolist(), target]

    return walk


@dataclass(frozen=True, eq=False)
class StepStatistics:
    """How far people go from object to object, whatever they look for; a call is a walk that ends at the target.

    Args:
        first: (objects,) probabilities of the first object.
        steps: (2 rows - 1, 2 columns - 1) how often a step goes so many rows and columns; none in the middle.
    """

    first: np.ndarray
    steps: np.ndarray

    @classmethod
    def count(cls, trials: Sequence[SearchTrial], rows: int, columns: int) -> "StepStatistics":
        """Count first objects and steps; one is added to each, so that nothing is impossible.

        Args:
            trials: On evenly divided pictures.
            rows: Of objects.
            columns: Of objects.
        """
        first, steps = np.ones(rows * columns), np.ones((2 * rows - 1, 2 * columns - 1))
        for trial in trials:
            first[trial.objects[0]] += 1
            row, column = np.divmod(np.array(trial.objects), columns)
            np.add.at(steps, (np.diff(row) + rows - 1, np.diff(column) + columns - 1), 1)
        return cls(first / first.sum(), steps)

    def __call__(self, layout: Layout, target: int, most: int, random: np.random.Generator) -> list[int]:
        """Walk; see ``Walk``.

        Raises:
            ValueError: The layout has other rows and columns.
        """
        rows, columns = ((side + 1) // 2 for side in self.steps.shape)
        if (layout.rows, layout.columns) != (rows, columns) or len(layout) != len(self.first):
            raise ValueError(
                f"steps were counted on {rows} x {columns} objects, got {len(layout)} in {layout.rows} rows and "
                f"{layout.columns} columns: count them on such"
            )
        path = [int(random.choice(len(self.first), p=self.first))]
        while path[-1] != target and len(path) < most:
            row, column = (layout.places - layout.places[path[-1]]).T
            weights = self.steps[row + rows - 1, column + columns - 1]
            path.append(int(random.choice(len(weights), p=weights / weights.sum())))
        return path


def _until(order: list[int], target: int, most: int) -> list[int]:
    """Cut a path behind the target."""
    return order[: order.index(target) + 1][:most] if target in order else order[:most]

"""Windows of k successive fixations: how far each is from each, and how far the nearest is."""

from collections.abc import Callable, Iterator, Sequence
from itertools import islice

import numpy as np

from foveate.scanpath.fixations import Scanpath
from foveate.scanpath.measures.alignment import window_edit_distances
from foveate.scanpath.measures.labels import grid_labels
from foveate.scanpath.measures.pairs import check_pairs, each, point_distances, run_batches

__all__ = ["all_lengths", "edit_windows", "mean_windows", "nearest", "one_length", "root_windows"]

# From sequences (pairs, n, ...) and (pairs, m, ...) to distances (pairs, n - k + 1, m - k + 1) for k = 1, 2, ...
Windows = Callable[[np.ndarray, np.ndarray], Iterator[np.ndarray]]


def mean_windows(first: np.ndarray, second: np.ndarray) -> Iterator[np.ndarray]:
    """Yield for every k the sums of k distances, divided by k; ``first`` (pairs, n, 2), ``second`` (pairs, m, 2)."""
    for k, total in enumerate(_sums(point_distances(first, second)), 1):
        yield total / k


def root_windows(first: np.ndarray, second: np.ndarray) -> Iterator[np.ndarray]:
    """Yield for every k the roots of sums of k squared distances, divided by k; as for ``mean_windows``."""
    difference = first[:, :, None] - second[:, None]
    for k, total in enumerate(_sums((difference * difference).sum(-1)), 1):
        yield np.sqrt(total) / k


def edit_windows(first: np.ndarray, second: np.ndarray) -> Iterator[np.ndarray]:
    """Yield for every k the edits between windows of k symbols, by k; ``first`` (pairs, n), ``second`` (pairs, m)."""
    for k, distance in enumerate(window_edit_distances(first, second), 1):
        yield distance / k


def _sums(distance: np.ndarray) -> Iterator[np.ndarray]:
    """Add up k successive cells along the diagonals of (pairs, n, m)."""
    _, n, m = distance.shape
    total = distance
    yield total
    for k in range(2, min(n, m) + 1):
        total = total[:, :-1, :-1] + distance[:, k - 1 :, k - 1 :]
        yield total


def nearest(distance: np.ndarray, hausdorff: bool = False) -> np.ndarray:
    """Find the nearest human window of every window of the model.

    Args:
        distance: Between human windows and the model's, (pairs, human windows, model windows).
        hausdorff: Take the farthest of the nearest instead of their mean.

    Returns:
        (pairs,).
    """
    best = distance.min(1)
    if hausdorff:
        farthest: np.ndarray = best.max(1)
        return farthest
    return _mean(list(best.T))


def _mean(terms: list[np.ndarray]) -> np.ndarray:
    """Average one after the other: numpy's own sums round differently for one pair than for many."""
    total = terms[0]
    for term in terms[1:]:
        total = total + term
    return total / len(terms)


def one_length(
    humans: Sequence[Scanpath],
    models: Sequence[Scanpath],
    windows: Windows,
    k: int,
    hausdorff: bool = False,
    cells: int | None = None,
) -> np.ndarray:
    """Compare windows of one length.

    Args:
        humans: Human scanpaths.
        models: As many of a model.
        windows: How windows are compared.
        k: Fixations in a window.
        hausdorff: Take the farthest window instead of the mean.
        cells: Cells of a grid along each side, for strings; None compares places in pixels.

    Returns:
        (pairs,).

    Raises:
        ValueError: What ``check_pairs`` refuses, or windows that do not fit.
    """
    check_pairs(humans, models, inside=cells is not None)
    if k < 1:
        raise ValueError(f"k must be 1 fixation or more, got {k}")
    for number, (human, model) in enumerate(zip(humans, models, strict=True)):
        if min(len(human), len(model)) < k:
            where = f"pair {number}: " if len(humans) > 1 else ""
            raise ValueError(
                f"{where}windows of {k} fixations do not fit in scanpaths of {len(human)} and {len(model)}: "
                "take a smaller k or leave the pair out"
            )

    def programme(first: np.ndarray, second: np.ndarray) -> np.ndarray:
        return nearest(next(islice(windows(first, second), k - 1, None)), hausdorff)

    firsts, seconds = (_sequences(paths, cells) for paths in (humans, models))
    return run_batches(firsts, seconds, programme)


def all_lengths(
    humans: Sequence[Scanpath],
    models: Sequence[Scanpath],
    windows: Windows,
    score: Callable[[np.ndarray], np.ndarray] | None = None,
    cells: int | None = None,
) -> np.ndarray:
    """Average over all window lengths that fit.

    Args:
        humans: Human scanpaths.
        models: As many of a model.
        windows: How windows are compared.
        score: From the distance at a window length to what is averaged; None averages distances.
        cells: Cells of a grid along each side, for strings; None compares places, in longer sides of the picture.

    Returns:
        (pairs,).
    """
    check_pairs(humans, models, inside=cells is not None)

    def programme(first: np.ndarray, second: np.ndarray) -> np.ndarray:
        found = [nearest(distance) for distance in windows(first, second)]
        return _mean(found if score is None else [score(distance) for distance in found])

    firsts, seconds = (_sequences(paths, cells, scaled=True) for paths in (humans, models))
    return run_batches(firsts, seconds, programme)


def _sequences(paths: Sequence[Scanpath], cells: int | None, scaled: bool = False) -> list[np.ndarray]:
    def sequence(path: Scanpath) -> np.ndarray:
        if cells is not None:
            return grid_labels(path, cells)
        return path.points / max(path.size) if scaled else path.points

    return each(paths, sequence)

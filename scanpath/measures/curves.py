"""Scanpaths as curves of places: dynamic time warping, discrete Frechet and Hausdorff distance.

Plain definitions, in pixels: nobody in the field fixes how to normalise them. All three are symmetric.
"""

from collections.abc import Sequence

import numpy as np

from foveate.scanpath.fixations import Scanpath
from foveate.scanpath.measures.pairs import Programme, check_pairs, each, point_distances, run_batches

__all__ = ["dtw", "dtw_pairs", "frechet", "frechet_pairs", "hausdorff", "hausdorff_pairs"]


def dtw(human: Scanpath, model: Scanpath) -> float:
    """Sum distances along the best alignment, in which a fixation may be matched several times.

    Args:
        human: A scanpath.
        model: Another one of a picture of the same size.

    Returns:
        Pixels, 0 for equal paths; grows with their lengths.

    Raises:
        ValueError: Pictures of unequal sizes.

    Source: dynamic time warping, Sakoe and Chiba (1978), with equal weights and no window.
    """
    return float(dtw_pairs([human], [model])[0])


def dtw_pairs(humans: Sequence[Scanpath], models: Sequence[Scanpath]) -> np.ndarray:
    """Compare many pairs, arguments as for ``dtw``; (pairs,) pixels."""
    return _run(humans, models, lambda first, second: _cheapest(point_distances(first, second), np.add))


def frechet(human: Scanpath, model: Scanpath) -> float:
    """Find the shortest leash for two who walk the paths from fixation to fixation and never back.

    Args:
        human: A scanpath.
        model: Another one of a picture of the same size.

    Returns:
        Pixels, 0 for equal paths.

    Raises:
        ValueError: Pictures of unequal sizes.

    Source: discrete Frechet distance, Eiter and Mannila (1994).
    """
    return float(frechet_pairs([human], [model])[0])


def frechet_pairs(humans: Sequence[Scanpath], models: Sequence[Scanpath]) -> np.ndarray:
    """Compare many pairs, arguments as for ``frechet``; (pairs,) pixels."""
    return _run(humans, models, lambda first, second: _cheapest(point_distances(first, second), np.maximum))


def hausdorff(human: Scanpath, model: Scanpath) -> float:
    """Find the fixation of either path that is farthest from all of the other; their order does not count.

    Args:
        human: A scanpath.
        model: Another one of a picture of the same size.

    Returns:
        Pixels, 0 for paths of the same places.

    Raises:
        ValueError: Pictures of unequal sizes.
    """
    return float(hausdorff_pairs([human], [model])[0])


def hausdorff_pairs(humans: Sequence[Scanpath], models: Sequence[Scanpath]) -> np.ndarray:
    """Compare many pairs, arguments as for ``hausdorff``; (pairs,) pixels."""

    def programme(first: np.ndarray, second: np.ndarray) -> np.ndarray:
        distance = point_distances(first, second)
        result: np.ndarray = np.maximum(distance.min(2).max(1), distance.min(1).max(1))
        return result

    return _run(humans, models, programme)


def _run(humans: Sequence[Scanpath], models: Sequence[Scanpath], programme: Programme) -> np.ndarray:
    check_pairs(humans, models)
    firsts, seconds = (each(paths, lambda path: path.points) for paths in (humans, models))
    return run_batches(firsts, seconds, programme)


def _cheapest(distance: np.ndarray, combine: np.ufunc) -> np.ndarray:
    """Cost of the best way through distances (pairs, n, m), where steps are added up or the largest counts."""
    pairs, n, m = distance.shape
    cells = np.ascontiguousarray(distance.transpose(1, 2, 0))
    best = np.full((n + 1, m + 1, pairs), np.inf)
    best[0, 0] = 0
    for i in range(n):
        for j in range(m):
            before = np.minimum(np.minimum(best[i, j + 1], best[i + 1, j]), best[i, j])
            combine(before, cells[i, j], out=best[i + 1, j + 1])
    return best[-1, -1].copy()

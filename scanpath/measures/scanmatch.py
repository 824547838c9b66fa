"""ScanMatch: the best alignment of two scanpaths as strings of cells, where near cells nearly match."""

import math
from collections.abc import Sequence
from functools import lru_cache

import numpy as np

from foveate.scanpath.fixations import Scanpath
from foveate.scanpath.measures.alignment import needleman_wunsch
from foveate.scanpath.measures.pairs import check_pairs, each, run_batches

__all__ = ["repeats", "scanmatch", "scanmatch_pairs"]


def scanmatch(
    human: Scanpath,
    model: Scanpath,
    *,
    bins: tuple[int, int] = (16, 12),
    threshold: float = 3.5,
    bin_seconds: float | None = None,
) -> float:
    """Score how well two scanpaths align.

    Args:
        human: A scanpath.
        model: Another one of a picture of the same size; the score is symmetric.
        bins: Cells across and down. The field takes 16 x 12; FixaTons 14 x 8.
        threshold: Distance in cells from which on it does not pay to align two fixations.
        bin_seconds: None compares places only; otherwise a fixation counts once for each such time that it lasted,
            rounded half to even. The field takes 0.05.

    Returns:
        0 to 1; 1 for equal strings of cells.

    Raises:
        ValueError: Pictures of unequal sizes, fixations outside, or with ``bin_seconds`` no durations or none that
            fills half a bin.

    Source: Cristino, Mathot, Theeuwes and Gilchrist (2010), as computed by GazeParser: gap 0, divided by threshold and
        the longer string; places are cut to whole pixels before their cell is looked up. GazeParser moves fixations
        from outside onto the border, which ``Scanpath.clipped`` does.
    """
    return float(scanmatch_pairs([human], [model], bins=bins, threshold=threshold, bin_seconds=bin_seconds)[0])


def scanmatch_pairs(
    humans: Sequence[Scanpath],
    models: Sequence[Scanpath],
    *,
    bins: tuple[int, int] = (16, 12),
    threshold: float = 3.5,
    bin_seconds: float | None = None,
) -> np.ndarray:
    """Score many pairs as ``scanmatch`` does.

    Args:
        humans: Scanpaths.
        models: As many.
        bins: Cells across and down.
        threshold: Distance in cells from which on it does not pay to align two fixations.
        bin_seconds: Seconds that a fixation counts once for, or None.

    Returns:
        (pairs,) float64.
    """
    if len(bins) != 2 or min(bins) < 1:
        raise ValueError(f"bins must be two numbers of cells, across and down, each 1 or more, got {bins}")
    if not (math.isfinite(threshold) and threshold > 0):
        raise ValueError(f"threshold must be above 0 cells, got {threshold}")
    check_pairs(humans, models, durations=bin_seconds is not None, inside=True)

    def symbols(path: Scanpath) -> np.ndarray:
        width, height = path.size
        row, column = path.y.astype(int) * bins[1] // height, path.x.astype(int) * bins[0] // width
        cells = row * bins[0] + column
        if bin_seconds is None:
            return cells
        counts = np.rint(repeats(path, bin_seconds)).astype(int)
        if counts.sum() == 0:
            raise ValueError(
                f"no fixation of a scanpath of {len(path)} fills half a bin of {bin_seconds:g} s: leave it out or "
                "take shorter bins"
            )
        return np.repeat(cells, counts)

    scores = _substitutions(bins, threshold)

    def programme(first: np.ndarray, second: np.ndarray) -> np.ndarray:
        return needleman_wunsch(first, second, scores) / (threshold * max(first.shape[1], second.shape[1]))

    return run_batches(each(humans, symbols), each(models, symbols), programme)


def repeats(path: Scanpath, bin_seconds: float) -> np.ndarray:
    """Tell how many bins of time every fixation lasted, (fixations,) with fractions.

    Args:
        path: A scanpath with durations.
        bin_seconds: Length of a bin, seconds.
    """
    if path.duration is None:
        raise ValueError("the scanpath has no durations: compare it without them")
    if not (math.isfinite(bin_seconds) and bin_seconds > 0):
        raise ValueError(f"bin_seconds must be above 0 seconds, got {bin_seconds}")
    # Whole microseconds: 0.175 s are three and a half bins of 0.05 s, which their binary fractions are not.
    return np.rint(path.duration * 1e6) / max(round(bin_seconds * 1e6), 1)


@lru_cache(maxsize=16)
def _substitutions(bins: tuple[int, int], threshold: float) -> np.ndarray:
    """Score of aligning two cells: the threshold less their distance, (cells, cells)."""
    row, column = np.divmod(np.arange(bins[0] * bins[1]), bins[0])
    distance = np.sqrt((row[:, None] - row) ** 2 + (column[:, None] - column) ** 2)
    return threshold - distance

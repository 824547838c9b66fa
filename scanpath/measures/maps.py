"""Maps against fixations: NSS, areas under ROC curves, log-likelihood and information gain.

A map has one number for every pixel of the picture, and a fixation takes the value of the pixel it lies in. Functions
take one scanpath or all scanpaths on the picture; ``*_values`` answer for every fixation.
"""

import math
from collections.abc import Sequence

import numpy as np

from foveate.scanpath.fixations import Scanpath
from foveate.scanpath.measures.pairs import check_pairs

__all__ = [
    "auc_shuffled",
    "auc_unfixated",
    "auc_uniform",
    "auc_uniform_values",
    "information_gain",
    "information_gain_values",
    "log_density",
    "log_likelihood",
    "log_likelihood_values",
    "nss",
    "nss_values",
]

Paths = Scanpath | Sequence[Scanpath]


def log_density(saliency: np.ndarray, *, floor: float = 0.0) -> np.ndarray:
    """Turn a map of numbers of 0 or more into the logarithm of a density.

    Args:
        saliency: (height, width).
        floor: Added everywhere, so that no pixel is impossible.

    Returns:
        (height, width) nats; the densities of all pixels sum to 1.

    Raises:
        ValueError: Negative or no numbers, or nothing above 0.
    """
    values = _checked(saliency) + floor
    if values.min() < 0 or values.sum() == 0:
        raise ValueError(f"a density needs numbers of 0 or more that are not all 0, got a smallest of {values.min():g}")
    with np.errstate(divide="ignore"):
        result: np.ndarray = np.log(values / values.sum())
    return result


def nss(saliency: np.ndarray, paths: Paths) -> float:
    """Average the standardised map over fixations (normalised scanpath saliency).

    Args:
        saliency: (height, width) of the picture.
        paths: Scanpaths on it.

    Returns:
        Standard deviations above the map's mean; 0 is chance.

    Raises:
        ValueError: The map has another size than the picture, numbers that are not finite or all the same; a fixation
            outside.

    Source: Peters and others (2005), as computed by pysaliency: population standard deviation.
    """
    return float(nss_values(saliency, paths).mean())


def nss_values(saliency: np.ndarray, paths: Paths) -> np.ndarray:
    """Tell it of every fixation, (fixations,); arguments as for ``nss``."""
    values = _checked(saliency)
    spread = values.std()
    if spread == 0:
        raise ValueError("NSS of a constant map does not exist: leave the picture out")
    return (_at(values, paths) - values.mean()) / spread


def auc_uniform(saliency: np.ndarray, paths: Paths) -> float:
    """Tell how often a fixation has a larger value than a pixel of the picture; half for equal values.

    Args:
        saliency: (height, width) of the picture.
        paths: Scanpaths on it.

    Returns:
        0 to 1; 0.5 is chance.

    Raises:
        ValueError: The map has another size than the picture or numbers that are not finite; a fixation outside.

    Source: pysaliency's AUC against "uniform" nonfixations: all pixels, fixated ones included.
    """
    return float(auc_uniform_values(saliency, paths).mean())


def auc_uniform_values(saliency: np.ndarray, paths: Paths) -> np.ndarray:
    """Tell it of every fixation, (fixations,); arguments as for ``auc_uniform``."""
    values = _checked(saliency)
    return _above(_at(values, paths), values.reshape(-1))


def auc_unfixated(saliency: np.ndarray, paths: Paths) -> float:
    """Tell how often a fixation has a larger value than a pixel that nobody fixated; half for equal values.

    Args:
        saliency: (height, width) of the picture.
        paths: All scanpaths on it.

    Returns:
        0 to 1; 0.5 is chance.

    Raises:
        ValueError: As for ``auc_uniform``, or every pixel is fixated.
    """
    values = _checked(saliency)
    fixated = _at(values, paths)
    free = np.ones(values.shape, bool)
    free[_pixels(values, paths)] = False
    if not free.any():
        raise ValueError("every pixel is fixated and none is left to compare with: use auc_uniform")
    return float(_above(fixated, values[free]).mean())


def auc_shuffled(saliency: np.ndarray, paths: Paths, others: Sequence[Scanpath]) -> float:
    """Tell how often a fixation has a larger value than where people look in other pictures; half for equal values.

    Args:
        saliency: (height, width) of the picture.
        paths: Scanpaths on it.
        others: Scanpaths on other pictures; of other sizes, they are scaled to this one.

    Returns:
        0 to 1; 0.5 is chance. A map of the centre bias alone gets no more than that.

    Raises:
        ValueError: As for ``auc_uniform``, or there are no other scanpaths.

    Source: Zhang and others (2008), as computed by pysaliency.
    """
    values = _checked(saliency)
    if len(others) == 0:
        raise ValueError("shuffled AUC compares with fixations on other pictures: give scanpaths of one at least")
    size = (values.shape[1], values.shape[0])
    return float(_above(_at(values, paths), _at(values, [path.scaled(size) for path in others])).mean())


def log_likelihood(density: np.ndarray, paths: Paths) -> float:
    """Average the log density over fixations.

    Args:
        density: Logarithms of a density over the picture's pixels, (height, width) nats; see ``log_density``.
        paths: Scanpaths on it.

    Returns:
        Nats a fixation; minus infinity where a fixation was impossible.

    Raises:
        ValueError: Another size than the picture, no density, or a fixation outside.
    """
    return float(log_likelihood_values(density, paths).mean())


def log_likelihood_values(density: np.ndarray, paths: Paths) -> np.ndarray:
    """Tell it of every fixation, (fixations,) nats; arguments as for ``log_likelihood``."""
    return _at(_checked_density(density), paths)


def information_gain(density: np.ndarray, paths: Paths, *, baseline: np.ndarray | None = None) -> float:
    """Tell how much more a density says of fixations than a baseline.

    Args:
        density: Logarithms of a density over the picture's pixels, (height, width) nats.
        paths: Scanpaths on it.
        baseline: Such another, a centre bias for instance; None is the uniform density.

    Returns:
        Bits a fixation.

    Raises:
        ValueError: Another size than the picture, no density, or a fixation outside.

    Source: Kuemmerer, Wallis and Bethge (PNAS 2015).
    """
    return float(information_gain_values(density, paths, baseline=baseline).mean())


def information_gain_values(density: np.ndarray, paths: Paths, *, baseline: np.ndarray | None = None) -> np.ndarray:
    """Tell it of every fixation, (fixations,) bits; arguments as for ``information_gain``."""
    gained = log_likelihood_values(density, paths)
    known = -math.log(np.size(density)) if baseline is None else log_likelihood_values(baseline, paths)
    return (gained - known) / math.log(2)


def _checked(saliency: np.ndarray) -> np.ndarray:
    values = np.asarray(saliency, dtype=np.float64)
    if values.ndim != 2 or values.size == 0:
        raise ValueError(f"a map must have a height and a width, got shape {values.shape}")
    if not np.isfinite(values).all():
        raise ValueError("a map must be of finite numbers: replace NaN and infinity first")
    return values


def _checked_density(density: np.ndarray) -> np.ndarray:
    values = np.asarray(density, dtype=np.float64)
    if values.ndim != 2 or values.size == 0 or np.isnan(values).any():
        raise ValueError(f"a density must be numbers of a height and a width without NaN, got shape {values.shape}")
    total = float(np.exp(values).sum())
    if not abs(total - 1) < 1e-3:
        raise ValueError(f"the densities of all pixels must sum to 1, got {total:g}: give logarithms, see log_density")
    return values


def _pixels(values: np.ndarray, paths: Paths) -> tuple[np.ndarray, np.ndarray]:
    """Rows and columns of the pixels that were fixated."""
    every = [paths] if isinstance(paths, Scanpath) else list(paths)
    check_pairs(every, every, inside=True)
    for path in every:
        if path.size != (values.shape[1], values.shape[0]):
            raise ValueError(
                f"the map has {values.shape[1]}x{values.shape[0]} pixels and the picture {path.size[0]}x{path.size[1]}:"
                " scale the map, or the scanpath with Scanpath.scaled"
            )
    points = np.concatenate([path.points for path in every])
    return points[:, 1].astype(int), points[:, 0].astype(int)


def _at(values: np.ndarray, paths: Paths) -> np.ndarray:
    result: np.ndarray = values[_pixels(values, paths)]
    return result


def _above(values: np.ndarray, negatives: np.ndarray) -> np.ndarray:
    """Fraction of the negatives below each value, equal ones counted half: Mann and Whitney's statistic."""
    ordered = np.sort(negatives)
    below, upto = (np.searchsorted(ordered, values, side) for side in ("left", "right"))
    result: np.ndarray = (below + upto) / (2 * len(ordered))
    return result

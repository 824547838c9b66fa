"""How soon a searching eye finds its target."""

import math
from collections.abc import Sequence

import numpy as np

from foveate.scanpath.fixations import Scanpath

__all__ = [
    "cumulative_found",
    "first_on_target",
    "probability_mismatch",
    "scanpath_ratio",
    "search_efficiency",
    "target_fixation_auc",
]

Box = tuple[float, float, float, float]


def first_on_target(path: Scanpath, target: Box, *, margin: float = 0.0) -> int | None:
    """Find the fixation that reaches the target.

    Args:
        path: A scanpath that begins where the search began, usually at the picture's middle.
        target: Left, top, right, bottom of the target, pixels of the picture.
        margin: So far beside it still counts, pixels.

    Returns:
        The number of saccades before it: 0 for the first fixation; None when none reaches it.

    Raises:
        ValueError: The target has no width or no height.
    """
    left, top, right, bottom = _checked_box(target)
    on = (path.x >= left - margin) & (path.x <= right + margin) & (path.y >= top - margin) & (path.y <= bottom + margin)
    return int(on.argmax()) if on.any() else None


def cumulative_found(found: Sequence[int | None], *, saccades: int) -> np.ndarray:
    """Tell the fraction of searches that reached the target by every saccade.

    Args:
        found: Saccades that each search took (``first_on_target``); None for one that never got there.
        saccades: How many to look at.

    Returns:
        (saccades + 1,): after 0, 1, 2, ... saccades; never falls.

    Raises:
        ValueError: No search, or a number below 0.

    Source: search efficiency of Yang and others (CVPR 2020), also of Zhang and others (IVSN, 2018).
    """
    if len(found) == 0 or saccades < 0:
        raise ValueError(f"there must be one search at least and 0 saccades or more, got {len(found)} and {saccades}")
    needed = np.array([math.inf if number is None else number for number in found], dtype=np.float64)
    if not (needed >= 0).all():
        raise ValueError("numbers of saccades must be 0 or more; None is a search that failed")
    result: np.ndarray = (needed[:, None] <= np.arange(saccades + 1)).mean(0)
    return result


def target_fixation_auc(curve: np.ndarray) -> float:
    """Sum a cumulative curve (target-fixation-probability AUC).

    Args:
        curve: As ``cumulative_found`` returns it.

    Returns:
        0 to the number of points; a point for 0 saccades is 0 unless the search begins on the target.

    Source: TFP-AUC of Yang and others (CVPR 2020), who add up the points and divide by nothing.
    """
    return float(_checked_curve(curve).sum())


def probability_mismatch(model: np.ndarray, human: np.ndarray) -> float:
    """Sum the differences between two cumulative curves; 0 for equal ones.

    Args:
        model: As ``cumulative_found`` returns it.
        human: Of as many points.

    Source: Yang and others (CVPR 2020).
    """
    model, human = _checked_curve(model), _checked_curve(human)
    if len(model) != len(human):
        raise ValueError(f"curves must have the same number of points, got {len(model)} and {len(human)}")
    return float(np.abs(model - human).sum())


def scanpath_ratio(path: Scanpath, target: Box, *, margin: float = 0.0) -> float | None:
    """Divide the straight way to the target by the way that the eye took.

    Args:
        path: A scanpath that begins where the search began.
        target: Left, top, right, bottom of the target, pixels.
        margin: So far beside it still counts as reached, pixels.

    Returns:
        0 to 1, 1 for the straight way. None, as published scores leave such searches out, when the target is never
        reached or the first fixation is on it.

    Source: Yang and others (CVPR 2020): from the first fixation to the target's middle, by the length of the path up to
        the fixation that reaches it; at most 1.
    """
    reached = first_on_target(path, target, margin=margin)
    if not reached:
        return None
    left, top, right, bottom = target
    straight = math.hypot(path.x[0] - (left + right) / 2, path.y[0] - (top + bottom) / 2)
    return min(straight / float(path.saccades[:reached].sum()), 1.0)


def search_efficiency(paths: Sequence[Scanpath], targets: Sequence[Box], *, saccades: int) -> dict[str, float]:
    """Summarise searches.

    Args:
        paths: Scanpaths, each from where its search began.
        targets: Left, top, right, bottom of the targets, one a path.
        saccades: The longest search that counts.

    Returns:
        ``found`` (fraction within ``saccades``), ``saccades`` (mean of those found; NaN for none),
        ``target_fixation_auc``, and ``scanpath_ratio`` (mean of those that have one; NaN for none).
    """
    if len(paths) != len(targets):
        raise ValueError(f"every scanpath needs a target, got {len(paths)} and {len(targets)}")
    found = [first_on_target(path, target) for path, target in zip(paths, targets, strict=True)]
    curve = cumulative_found(found, saccades=saccades)
    within = [number is not None and number <= saccades for number in found]
    needed = [number for number, good in zip(found, within, strict=True) if good and number is not None]
    ratios = [scanpath_ratio(path, target) for path, target, good in zip(paths, targets, within, strict=True) if good]
    known = [ratio for ratio in ratios if ratio is not None]
    return {
        "found": float(curve[-1]),
        "saccades": float(np.mean(needed)) if needed else math.nan,
        "target_fixation_auc": target_fixation_auc(curve),
        "scanpath_ratio": float(np.mean(known)) if known else math.nan,
    }


def _checked_box(target: Box) -> Box:
    if len(target) != 4 or not (target[2] > target[0] and target[3] > target[1]):
        raise ValueError(f"a target must be left, top, right, bottom with some width and height, got {target}")
    return target


def _checked_curve(curve: np.ndarray) -> np.ndarray:
    values = np.asarray(curve, dtype=np.float64)
    if values.ndim != 1 or len(values) == 0 or not ((values >= 0) & (values <= 1)).all():
        raise ValueError(f"a curve must be fractions from 0 to 1, one point at least, got shape {values.shape}")
    return values

"""Fixations from the raw samples of MIT1003, by the rules of its authors' code and without MATLAB."""

from dataclasses import dataclass

import numpy as np

__all__ = ["Detection", "detect_fixations"]

_RATE = 240
# 6 degrees a second more within one sample, at 34 pixels a degree.
_THRESHOLD = 6 * 34.0
_WINDOW = 4
_SHORTEST = 12  # samples: 50 ms
_LONGEST_BRAKING = 25


@dataclass(frozen=True, eq=False)
class Detection:
    """Fixations of one recording.

    Args:
        x: (fixations,) median, pixels.
        y: (fixations,) median, pixels.
        start: (fixations,) seconds from the first sample.
        duration: (fixations,) seconds.
    """

    x: np.ndarray
    y: np.ndarray
    start: np.ndarray
    duration: np.ndarray


def detect_fixations(samples: np.ndarray) -> Detection:
    """Split a recording into fixations: what lies between saccades, which speed up and then brake.

    Args:
        samples: (samples, 2): x and y in pixels, 240 a second; NaN where the eye was lost.

    Returns:
        The fixations; all of the recording is one where no saccade is found.

    Raises:
        ValueError: The samples have another shape, or there are none.

    Source:
        Judd et al., "Learning to predict where humans look", ICCV 2009: the rules of checkFixations.m, restated. A
        saccade starts where smoothed speed rises by more than the threshold for three samples in a row, and ends where
        it stops falling by as much, within 25 samples. Fixations of 50 ms and less between two saccades, or at the
        end, belong to the saccade.
    """
    samples = np.asarray(samples, dtype=np.float64)
    if samples.ndim != 2 or samples.shape[1] < 2 or len(samples) == 0:
        raise ValueError(f"samples must be (samples, 2) with at least one, got shape {samples.shape}")
    places, count = samples[:, :2], len(samples)
    saccades = _saccades(_acceleration(places), count)
    bounds, begin = [], 0
    for start, end in saccades:
        if start > begin:
            bounds.append((begin, start))
        begin = end + 1
    if begin < count:
        bounds.append((begin, count))
    medians = np.array([np.nanmedian(places[a:b], axis=0) if np.isfinite(places[a:b]).any() else (np.nan, np.nan)
                        for a, b in bounds])  # fmt: skip
    starts, ends = np.array(bounds, dtype=np.float64).T
    return Detection(medians[:, 0], medians[:, 1], starts / _RATE, (ends - starts) / _RATE)


def _acceleration(places: np.ndarray) -> np.ndarray:
    """Change of speed between two windows of five samples, one sample apart; pixels a second."""
    count = len(places)
    steps = np.concatenate([[0.0], np.hypot(*np.diff(places, axis=0).T)])
    smooth = np.convolve(steps, np.full(_WINDOW, 1 / _WINDOW))[:count]
    acceleration = np.zeros(count)
    last = count - _WINDOW - 1  # windows reach five samples ahead
    if last > 1:
        acceleration[1:last] = (smooth[1 + _WINDOW + 1 : last + _WINDOW + 1] - smooth[1:last]) * _RATE / _WINDOW
    return acceleration


def _saccades(acceleration: np.ndarray, count: int) -> list[tuple[int, int]]:
    """First and last sample of each saccade."""
    fast = np.flatnonzero(acceleration > _THRESHOLD)
    if len(fast) < 3:
        return []
    runs = [run for run in np.split(fast, np.flatnonzero(np.diff(fast) > 1) + 1) if len(run) >= 3]
    moving = np.flatnonzero(acceleration != 0)
    found = []
    for run in runs:
        end = _braking(acceleration, int(run[-1]), count)
        if end is None and len(runs) == 1 and run[-1] == moving[-1]:
            end = count - 1  # the recording ends in it
        if end is not None:
            found.append((int(run[0]), end))
    merged: list[tuple[int, int]] = []
    for start, end in found:
        if merged and start - merged[-1][1] <= _SHORTEST:
            merged[-1] = merged[-1][0], end
        else:
            merged.append((start, end))
    if merged and count - 1 - merged[-1][1] <= _SHORTEST:
        merged[-1] = merged[-1][0], count - 1
    return merged


def _braking(acceleration: np.ndarray, end: int, count: int) -> int | None:
    """Last sample that brakes after the one numbered ``end``, if it comes soon."""
    for ahead in range(_LONGEST_BRAKING):
        here = end + 1 + ahead
        if ahead and here + 1 >= count - 1:
            return None
        if acceleration[here] < -_THRESHOLD and not acceleration[here + 1] < -_THRESHOLD:
            return here
    return None

"""MultiMatch's grouping: small and straight saccades are merged before scanpaths are compared."""

import math
from dataclasses import dataclass

import numpy as np

__all__ = ["Grouping", "grouped"]


@dataclass(frozen=True)
class Grouping:
    """Below which thresholds two saccades become one.

    Args:
        degrees: Turn between two saccades, degrees.
        seconds: Duration of a fixation on the way.
        pixels: Length of a saccade.

    Raises:
        ValueError: A threshold is below 0.
    """

    degrees: float
    seconds: float
    pixels: float

    def __post_init__(self) -> None:
        if not min(self.degrees, self.seconds, self.pixels) >= 0:
            raise ValueError(f"thresholds of a grouping must be 0 or more, got {self}")


def grouped(
    begin: np.ndarray, vector: np.ndarray, duration: np.ndarray, grouping: Grouping
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Merge saccades until nothing changes.

    Args:
        begin: Where saccades begin, (saccades, 2) pixels.
        vector: Where they go from there, (saccades, 2).
        duration: Of fixations, (saccades + 1,) seconds.
        grouping: Thresholds.

    Returns:
        The three of the simpler path. Durations of merged fixations are not added up. A single saccade of NaN where
        only one is left and it is short still: the published function fails there.

    Source: multimatch_gaze 0.1.3, with what is odd in it: a short last saccade replaces the merged one before it by
        the sum of the last two saccades, and leaves its duration in the list, which ends the search for more. Where
        that version fails by rounding in the angle between saccades along one line, the angle is rounded.
    """
    while True:
        count = len(duration)
        begin, vector, duration = _straight(begin, vector, duration, grouping)
        begin, vector, duration = _short(begin, vector, duration, grouping)
        if len(duration) == count:
            return begin, vector, duration


def _straight(
    begin: np.ndarray, vector: np.ndarray, duration: np.ndarray, grouping: Grouping
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Merge a saccade with the next one where they hardly turn at a short fixation."""
    places, vectors, durations = [], [], []
    i = 0
    while i < len(vector):
        places.append(begin[i])
        durations.append(duration[i])
        turn = _turn(vector[i], vector[i + 1]) if i + 1 < len(vector) else math.inf
        merge = turn < grouping.degrees and duration[i + 1] < grouping.seconds
        vectors.append(vector[i] + vector[i + 1] if merge else vector[i])
        i += 2 if merge else 1
    return np.array(places), np.array(vectors), np.array([*durations, duration[-1]])


def _short(
    begin: np.ndarray, vector: np.ndarray, duration: np.ndarray, grouping: Grouping
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Merge a short saccade beside a short fixation with the next one, the last one with the one before."""
    places: list[np.ndarray] = []
    vectors: list[np.ndarray] = []
    durations: list[float] = []
    last = len(vector) - 1
    i = 0
    while i <= last:
        around = duration[-2:] if i == last else duration[i : i + 2]
        short = math.sqrt(vector[i] @ vector[i]) < grouping.pixels and around.min() < grouping.seconds
        if short and last == 0:
            return np.full_like(begin, np.nan), np.full_like(vector, np.nan), np.full_like(duration[-2:], np.nan)
        if short and i == last and vectors:
            vectors[-1] = vector[-2] + vector[-1]
            durations.append(duration[i - 1])
            break
        places.append(begin[i])
        durations.append(duration[i])
        merge = short and i < last
        vectors.append(vector[i] + vector[i + 1] if merge else vector[i])
        i += 2 if merge else 1
    return np.array(places), np.array(vectors), np.array([*durations, duration[-1]])


def _turn(first: np.ndarray, second: np.ndarray) -> float:
    """Angle between two saccades, degrees; infinite where one of them goes nowhere."""
    lengths = math.sqrt(first @ first) * math.sqrt(second @ second)
    if lengths == 0:
        return math.inf
    return math.degrees(math.acos(max(-1.0, min(1.0, float(first @ second) / lengths))))

"""Two lists of scanpaths, checked, and sorted into arrays of equal lengths that one programme runs through."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from foveate.scanpath.fixations import Scanpath

# From sequences (pairs, n, ...) and (pairs, m, ...) to one answer a pair, (pairs, ...).
Programme = Callable[[np.ndarray, np.ndarray], np.ndarray]

# More pairs at once than this do not fit a processor's cache, and are slower, not faster.
_MOST_PAIRS = 1024


def check_pairs(
    firsts: Sequence[Scanpath], seconds: Sequence[Scanpath], durations: bool = False, inside: bool = False
) -> None:
    """Refuse scanpaths that cannot be compared.

    Args:
        firsts: Human scanpaths.
        seconds: As many of a model or of another human.
        durations: Every fixation needs a duration.
        inside: Every fixation has to lie on the picture.

    Raises:
        TypeError: Something else than a scanpath is among them.
        ValueError: Lists of unequal lengths or without a pair; pictures of unequal sizes; no durations; a fixation
            outside the picture.
    """
    if len(firsts) != len(seconds):
        raise ValueError(f"every first scanpath needs a second one, got {len(firsts)} and {len(seconds)}")
    if len(firsts) == 0:
        raise ValueError("there is no pair of scanpaths to compare: give one at least")
    passed: set[int] = set()
    for number, pair in enumerate(zip(firsts, seconds, strict=True)):
        for path in pair:
            if id(path) not in passed:
                _check_path(path, f"pair {number}: " if len(firsts) > 1 else "", durations, inside)
                passed.add(id(path))
        if pair[0].size != pair[1].size:
            raise ValueError(
                f"the scanpaths of pair {number} are of pictures of {_text(pair[0])} and {_text(pair[1])} pixels: "
                "scale one with Scanpath.scaled"
            )


def _text(path: Scanpath) -> str:
    return f"{path.size[0]}x{path.size[1]}"


def _check_path(path: Any, where: str, durations: bool, inside: bool) -> None:
    if not isinstance(path, Scanpath):
        raise TypeError(f"{where}a Scanpath is needed, got {type(path).__name__}: make one with Scanpath(x, y, size)")
    if durations and path.duration is None:
        raise ValueError(f"{where}this measure needs durations and the scanpath has none: use it without durations")
    if inside and not path.inside.all():
        lost = int(np.argmin(path.inside))
        raise ValueError(
            f"{where}fixation {lost} at ({path.x[lost]:g}, {path.y[lost]:g}) is outside the picture of {_text(path)} "
            "pixels: drop it, or move it in with Scanpath.clipped"
        )


def each(paths: Sequence[Scanpath], compute: Callable[[Scanpath], np.ndarray]) -> list[np.ndarray]:
    """``compute`` something of all ``paths``, once for one that is in many pairs."""
    known: dict[int, np.ndarray] = {}
    for path in paths:
        if id(path) not in known:
            known[id(path)] = compute(path)
    return [known[id(path)] for path in paths]


def equal_lengths(
    firsts: Sequence[np.ndarray], seconds: Sequence[np.ndarray]
) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """Sort pairs of sequences into groups of the same two lengths.

    Args:
        firsts: Arrays (length, ...), the lengths may differ.
        seconds: As many.

    Yields:
        Numbers of the pairs (pairs,), their first sequences (pairs, n, ...) and their second ones (pairs, m, ...).
    """
    lengths = np.array([[len(first), len(second)] for first, second in zip(firsts, seconds, strict=True)])
    order = np.lexsort((lengths[:, 1], lengths[:, 0]))
    changes = np.flatnonzero(np.diff(lengths[order], axis=0).any(1)) + 1
    for group in np.split(order, changes):
        for begin in range(0, len(group), _MOST_PAIRS):
            rows = group[begin : begin + _MOST_PAIRS]
            yield rows, np.stack([firsts[row] for row in rows]), np.stack([seconds[row] for row in rows])


def run_batches(firsts: Sequence[np.ndarray], seconds: Sequence[np.ndarray], programme: Programme) -> np.ndarray:
    """Run a batched programme over pairs of sequences of any lengths.

    Args:
        firsts: Arrays (length, ...).
        seconds: As many.
        programme: From (pairs, n, ...) and (pairs, m, ...) to one answer a pair, (pairs, ...).

    Returns:
        The answers in the order of the pairs, (pairs, ...) float64.
    """
    answers: np.ndarray | None = None
    for rows, first, second in equal_lengths(firsts, seconds):
        answer = programme(first, second)
        if answers is None:
            answers = np.empty((len(firsts), *answer.shape[1:]))
        answers[rows] = answer
    if answers is None:
        raise ValueError("there is no pair of sequences to compare: give one at least")
    return answers


def point_distances(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Tell the distances between all fixations: ``first`` (pairs, n, 2), ``second`` (pairs, m, 2); (pairs, n, m)."""
    x = first[:, :, None, 0] - second[:, None, :, 0]
    y = first[:, :, None, 1] - second[:, None, :, 1]
    return np.sqrt(x * x + y * y)

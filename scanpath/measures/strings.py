"""Scanpaths as strings: of grid cells, clusters, things in the picture or objects; edit distance and sequence score.

``sequence_score`` and the ``sed_*`` functions cut a picture into a grid. The ``label_*`` functions compare strings of
any integers: clusters (``cluster_labels``), things (``semantic_labels``) or objects on a shelf.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from foveate.scanpath.fixations import Scanpath
from foveate.scanpath.measures.alignment import damerau_levenshtein, levenshtein, needleman_wunsch
from foveate.scanpath.measures.labels import grid_labels, semantic_labels, timed_labels
from foveate.scanpath.measures.pairs import check_pairs, each, run_batches

__all__ = [
    "label_edit_distance",
    "label_edit_distance_pairs",
    "label_sequence_score",
    "label_sequence_score_pairs",
    "sed_fixatons",
    "sed_fixatons_pairs",
    "sed_vame",
    "sed_vame_pairs",
    "semantic_sequence_score",
    "sequence_score",
    "sequence_score_pairs",
]

Labels = Sequence[int] | np.ndarray


def sed_vame(human: Scanpath, model: Scanpath, *, cells: int = 5) -> float:
    """Count the edits between two scanpaths as strings of grid cells (string edit distance).

    Args:
        human: A scanpath.
        model: Another one of a picture of the same size; the distance is symmetric.
        cells: Cells of the grid along each side.

    Returns:
        0 for equal strings, at most the longer length. Not divided by anything: longer paths are farther.

    Raises:
        ValueError: Pictures of unequal sizes or smaller than the grid, fixations outside.

    Source: visual attention metrics of Chen, Jiang and Zhao (CVPR 2021): Levenshtein on 5 x 5 cells.
    """
    return float(sed_vame_pairs([human], [model], cells=cells)[0])


def sed_vame_pairs(humans: Sequence[Scanpath], models: Sequence[Scanpath], *, cells: int = 5) -> np.ndarray:
    """Compare many pairs, arguments as for ``sed_vame``; (pairs,)."""
    return label_edit_distance_pairs(*_grid_strings(humans, models, cells))


def sed_fixatons(human: Scanpath, model: Scanpath, *, cells: int = 4) -> float:
    """Count the edits between two scanpaths as strings of grid cells, where an exchange is one edit.

    Args:
        human: A scanpath.
        model: Another one of a picture of the same size; the distance is symmetric.
        cells: Cells of the grid along each side.

    Returns:
        0 for equal strings, at most the longer length.

    Raises:
        ValueError: Pictures of unequal sizes or smaller than the grid, fixations outside.

    Source: FixaTons (Zanca and others, 2018): the unrestricted Damerau-Levenshtein distance on 4 x 4 cells.
    """
    return float(sed_fixatons_pairs([human], [model], cells=cells)[0])


def sed_fixatons_pairs(humans: Sequence[Scanpath], models: Sequence[Scanpath], *, cells: int = 4) -> np.ndarray:
    """Compare many pairs, arguments as for ``sed_fixatons``; (pairs,)."""
    return label_edit_distance_pairs(*_grid_strings(humans, models, cells), exchanges=True)


def sequence_score(human: Scanpath, model: Scanpath, *, cells: int = 5) -> float:
    """Score the best alignment of two scanpaths as strings of grid cells.

    Args:
        human: A scanpath.
        model: Another one of a picture of the same size; the score is symmetric.
        cells: Cells of the grid along each side.

    Returns:
        0 to 1; 1 for equal strings.

    Raises:
        ValueError: Pictures of unequal sizes or smaller than the grid, fixations outside.

    Source: the sequence score of Borji and others (ICCV 2013), on grid cells instead of clusters; for clusters see
        ``label_sequence_score``.
    """
    return float(sequence_score_pairs([human], [model], cells=cells)[0])


def sequence_score_pairs(humans: Sequence[Scanpath], models: Sequence[Scanpath], *, cells: int = 5) -> np.ndarray:
    """Compare many pairs, arguments as for ``sequence_score``; (pairs,)."""
    return label_sequence_score_pairs(*_grid_strings(humans, models, cells))


def semantic_sequence_score(
    human: Scanpath, model: Scanpath, segmentation: np.ndarray, *, bin_seconds: float | None = None
) -> float:
    """Score the best alignment of two scanpaths as strings of the things they looked at.

    Args:
        human: A scanpath.
        model: Another one on the same picture; the score is symmetric.
        segmentation: What every pixel of the picture shows, (height, width) integers.
        bin_seconds: None compares things only; otherwise a fixation counts once for each such whole time.

    Returns:
        0 to 1; 1 for equal strings.

    Raises:
        ValueError: Pictures of unequal sizes, fixations outside, another size of the segmentation, or with
            ``bin_seconds`` no durations or none that fills a bin.

    Source: Yang and others (ECCV 2022). The edit distance of these strings (SemFED) is ``label_edit_distance`` of
        ``semantic_labels``.
    """
    check_pairs([human], [model], durations=bin_seconds is not None, inside=True)
    first, second = (semantic_labels(path, segmentation) for path in (human, model))
    if bin_seconds is not None:
        first = timed_labels(first, human, bin_seconds=bin_seconds)
        second = timed_labels(second, model, bin_seconds=bin_seconds)
    return label_sequence_score(first, second)


def label_sequence_score(first: Labels, second: Labels) -> float:
    """Score the best alignment of two strings: 1 a match, nothing for a mismatch or a gap, by the longer length.

    Args:
        first: Integers: clusters, things or objects in the order of fixations.
        second: Others.

    Returns:
        0 to 1.

    Raises:
        ValueError: A string is empty or not of integers.

    Source: sequence score (clusters), semantic sequence score (things; Yang and others, ECCV 2022) and the SS of OAT
        (objects; ECCV 2024). For the first fixations only see ``Scanpath.first``.
    """
    return float(label_sequence_score_pairs([first], [second])[0])


def label_sequence_score_pairs(firsts: Sequence[Labels], seconds: Sequence[Labels]) -> np.ndarray:
    """Compare many pairs, arguments as for ``label_sequence_score``; (pairs,)."""
    numbers, count = _numbered(firsts, seconds)
    match = np.eye(count)

    def programme(first: np.ndarray, second: np.ndarray) -> np.ndarray:
        return needleman_wunsch(first, second, match) / max(first.shape[1], second.shape[1])

    return run_batches(*numbers, programme)


def label_edit_distance(first: Labels, second: Labels, *, exchanges: bool = False) -> float:
    """Count the edits between two strings.

    Args:
        first: Integers: clusters, things or objects in the order of fixations.
        second: Others.
        exchanges: Count an exchange of two symbols as one edit (unrestricted Damerau-Levenshtein).

    Returns:
        0 for equal strings, at most the longer length.

    Raises:
        ValueError: A string is empty or not of integers.

    Source: Levenshtein (1966): the SED of clusters, the SemFED of things and the ED of OAT's objects.
    """
    return float(label_edit_distance_pairs([first], [second], exchanges=exchanges)[0])


def label_edit_distance_pairs(
    firsts: Sequence[Labels], seconds: Sequence[Labels], *, exchanges: bool = False
) -> np.ndarray:
    """Compare many pairs, arguments as for ``label_edit_distance``; (pairs,)."""
    numbers, _ = _numbered(firsts, seconds)
    return run_batches(*numbers, damerau_levenshtein if exchanges else levenshtein)


def _grid_strings(
    humans: Sequence[Scanpath], models: Sequence[Scanpath], cells: int
) -> tuple[list[np.ndarray], list[np.ndarray]]:
    check_pairs(humans, models, inside=True)

    def labels(path: Scanpath) -> np.ndarray:
        return grid_labels(path, cells)

    return each(humans, labels), each(models, labels)


def _numbered(
    firsts: Sequence[Labels], seconds: Sequence[Labels]
) -> tuple[tuple[list[np.ndarray], list[np.ndarray]], int]:
    """Number the symbols of strings from 0 on, and count them."""
    if len(firsts) != len(seconds) or len(firsts) == 0:
        raise ValueError(f"strings come in pairs, one at least, got {len(firsts)} and {len(seconds)}")
    strings: list[Any] = [np.asarray(string) for string in (*firsts, *seconds)]
    for number, string in enumerate(strings):
        if string.ndim != 1 or len(string) == 0 or string.dtype.kind not in "iu":
            raise ValueError(
                f"string {number % len(firsts)} must be one integer a fixation and not empty, got {string.dtype} "
                f"of shape {string.shape}"
            )
    symbols, numbers = np.unique(np.concatenate(strings), return_inverse=True)
    parts = np.split(numbers.reshape(-1), np.cumsum([len(string) for string in strings])[:-1])
    return (parts[: len(firsts)], parts[len(firsts) :]), len(symbols)

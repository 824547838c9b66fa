"""All headline measures of many pairs of scanpaths, with means and standard errors over pictures."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from foveate.errors import counted
from foveate.scanpath.fixations import Scanpath
from foveate.scanpath.measures.curves import dtw_pairs, frechet_pairs, hausdorff_pairs
from foveate.scanpath.measures.delays import sbtde_similarity_pairs, stde_fixatons_pairs
from foveate.scanpath.measures.multimatch import multimatch_pairs
from foveate.scanpath.measures.pairs import check_pairs
from foveate.scanpath.measures.scanmatch import scanmatch_pairs
from foveate.scanpath.measures.strings import sed_vame_pairs, sequence_score_pairs

__all__ = [
    "HEADLINE",
    "LOWER_IS_BETTER",
    "MEASURES",
    "TIMED",
    "Score",
    "ScoreTable",
    "average_pairs",
    "every_pair",
    "score_pairs",
    "score_table",
]

_MULTIMATCH = ("shape", "direction", "length", "position", "duration")

_SINGLE: dict[str, Callable[[Sequence[Scanpath], Sequence[Scanpath]], np.ndarray]] = {
    "scanmatch": scanmatch_pairs,
    "scanmatch_duration": lambda humans, models: scanmatch_pairs(humans, models, bin_seconds=0.05),
    "sbtde": sbtde_similarity_pairs,
    "sequence_score": sequence_score_pairs,
    "sed": sed_vame_pairs,
    "stde": stde_fixatons_pairs,
}
# In pixels, and so not to be averaged over pictures of unequal sizes without a thought: for who asks.
_CURVES = {"dtw": dtw_pairs, "frechet": frechet_pairs, "hausdorff": hausdorff_pairs}

#: Names of the measures, in the order of a table. STDE and MultiMatch's shape and length order baselines wrongly: a
#: path that keeps to the picture's middle reaches human values.
HEADLINE = (*_SINGLE, *(f"multimatch_{name}" for name in _MULTIMATCH))

#: All that can be asked for by name.
MEASURES = (*HEADLINE, *_CURVES)

#: Measures that only scanpaths with durations have.
TIMED = frozenset({"scanmatch_duration", "multimatch_duration"})

#: Distances; all others are similarities.
LOWER_IS_BETTER = frozenset({"sed", *_CURVES})


@dataclass(frozen=True)
class Score:
    """A mean over pictures.

    Args:
        mean: Mean over pictures of the mean over a picture's pairs.
        se: Standard error of that mean over pictures; NaN for a single picture.
        images: How many pictures had a value.
        pairs: How many pairs had one; MultiMatch has none for a path of fewer than three fixations.
    """

    mean: float
    se: float
    images: int
    pairs: int


@dataclass(frozen=True)
class ScoreTable:
    """Scores of one kind of scanpaths.

    Args:
        scores: Measure to its score.
        images: Pictures.
        pairs: Pairs of scanpaths.
    """

    scores: dict[str, Score]
    images: int
    pairs: int

    def to_dict(self) -> dict[str, dict[str, float | None]]:
        """Return plain data, measure to mean and standard error; None where there is no number."""
        return {name: {"mean": _number(score.mean), "se": _number(score.se)} for name, score in self.scores.items()}


def score_pairs(
    humans: Sequence[Scanpath], models: Sequence[Scanpath], *, measures: Sequence[str] | None = None
) -> dict[str, np.ndarray]:
    """Compute all headline measures of pairs of scanpaths.

    Args:
        humans: Human scanpaths, inside their pictures.
        models: As many of a model or of other humans.
        measures: Names out of ``MEASURES``; None takes all of ``HEADLINE`` that the scanpaths have (without ``TIMED``
            where durations are missing).

    Returns:
        Measure to (pairs,) float64.

    Raises:
        ValueError: An unknown measure, pictures of unequal sizes, fixations outside, no durations for a measure of
            ``TIMED`` that was asked for.
    """
    check_pairs(humans, models, inside=True)
    durations = all(path.duration is not None for path in (*humans, *models))
    names = [name for name in HEADLINE if durations or name not in TIMED] if measures is None else list(measures)
    unknown = [name for name in names if name not in MEASURES]
    if unknown:
        raise ValueError(f"there is no measure {unknown[0]!r}: use {', '.join(MEASURES)}")
    single = _SINGLE | _CURVES
    scores = {name: single[name](humans, models) for name in names if name in single}
    if any(name not in single for name in names):
        five = multimatch_pairs(humans, models, durations="multimatch_duration" in names)
        scores |= {f"multimatch_{name}": five[:, i] for i, name in enumerate(_MULTIMATCH)}
    return {name: scores[name] for name in names}


def score_table(
    humans: Sequence[Scanpath],
    models: Sequence[Scanpath],
    *,
    images: Sequence[str] | None = None,
    measures: Sequence[str] | None = None,
    best: bool = False,
) -> ScoreTable:
    """Average all headline measures over pictures.

    Args:
        humans: Human scanpaths, inside their pictures.
        models: As many of a model or of other humans; see ``every_pair``.
        images: The picture of every pair; None takes ``source`` of the first scanpaths.
        measures: Names out of ``MEASURES``; None takes all of ``HEADLINE`` that the scanpaths have.
        best: Compare every model's path with the human path nearest to it instead of with all of them.

    Returns:
        Means, and standard errors over pictures.

    Raises:
        ValueError: As for ``score_pairs``; not one picture a pair.
    """
    names = [path.source for path in humans] if images is None else list(images)
    if len(names) != len(humans):
        raise ValueError(f"every pair needs its picture, got {len(names)} for {counted(len(humans), 'pair')}")
    found = score_pairs(humans, models, measures=measures)
    if not best:
        return average_pairs(found, names)
    pictures, of_pair = np.unique(np.array(names, dtype=str), return_inverse=True)
    group = of_pair.reshape(-1)
    # A path is itself and its picture: a constant one may be used for all pictures.
    keys = [(picture, id(model)) for picture, model in zip(group.tolist(), models, strict=True)]
    _, first, path = np.unique(np.array(keys), axis=0, return_index=True, return_inverse=True)
    found = {name: _best(values, path.reshape(-1), name in LOWER_IS_BETTER) for name, values in found.items()}
    group = group[first]
    scores = {name: _score(values, group, len(pictures)) for name, values in found.items()}
    return ScoreTable(scores, len(pictures), len(humans))


def average_pairs(values: dict[str, np.ndarray], images: Sequence[str]) -> ScoreTable:
    """Average over the pairs of each picture, and then over pictures.

    Args:
        values: Measure to (pairs,); NaN where a pair has none.
        images: The picture of every pair.

    Returns:
        Means, and standard errors over pictures.
    """
    pictures, group = np.unique(np.array(images, dtype=str), return_inverse=True)
    scores = {name: _score(some, group.reshape(-1), len(pictures)) for name, some in values.items()}
    return ScoreTable(scores, len(pictures), len(images))


def every_pair(
    humans: Sequence[Scanpath], models: Sequence[Scanpath] | None = None
) -> tuple[list[Scanpath], list[Scanpath]]:
    """Pair scanpaths of the same picture.

    Args:
        humans: Human scanpaths with ``source`` set to their picture.
        models: A model's; None pairs every human with every other one (leave one out).

    Returns:
        First and second scanpaths.

    Raises:
        ValueError: Nothing can be paired.
    """
    of_picture: dict[str, list[Scanpath]] = {}
    for human in humans:
        of_picture.setdefault(human.source, []).append(human)
    pairs = [
        (human, model)
        for model in (humans if models is None else models)
        for human in of_picture.get(model.source, [])
        if human is not model
    ]
    if not pairs:
        raise ValueError("no two scanpaths are of the same picture: set source to the name of the picture in both")
    return [human for human, _ in pairs], [model for _, model in pairs]


def _score(values: np.ndarray, group: np.ndarray, pictures: int) -> Score:
    known = ~np.isnan(values)
    counts = np.bincount(group[known], minlength=pictures)
    sums = np.bincount(group[known], weights=values[known], minlength=pictures)
    means = sums[counts > 0] / counts[counts > 0]
    if len(means) == 0:
        return Score(math.nan, math.nan, 0, 0)
    error = float(means.std(ddof=1)) / math.sqrt(len(means)) if len(means) > 1 else math.nan
    return Score(float(means.mean()), error, len(means), int(known.sum()))


def _best(values: np.ndarray, path: np.ndarray, lower: bool) -> np.ndarray:
    """Keep the best value of every path; NaN only where all are."""
    best = np.full(int(path.max()) + 1, np.nan)
    (np.fmin if lower else np.fmax).at(best, path, values)
    return best


def _number(value: float) -> float | None:
    return value if math.isfinite(value) else None

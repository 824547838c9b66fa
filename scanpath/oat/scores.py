"""How well searches over objects are foretold: behaviour, likeness to people's paths, how soon targets are found."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields

import numpy as np

from foveate.scanpath.fixations import Scanpath
from foveate.scanpath.measures import (
    Behaviour,
    behaviour,
    behavioural_delta,
    label_edit_distance_pairs,
    label_sequence_score_pairs,
    multimatch_pairs,
    search_efficiency,
)
from foveate.scanpath.oat.layout import Layout
from foveate.scanpath.oat.training import SearchTrial

__all__ = ["SearchScores", "human_scores", "score_searches"]

_MULTIMATCH = ("shape", "direction", "length", "position")
_RESAMPLES = 1000
_NAMES = tuple(field.name for field in fields(Behaviour))


@dataclass(frozen=True)
class SearchScores:
    """Scores of one kind of searches. Each is a mean and its standard error over pictures.

    Args:
        behaviour: The five measures of behaviour; see ``measures.Behaviour``.
        delta: Behavioural delta to people; its error is that of resampled pictures.
        likeness: ``sequence_score`` and ``edit_distance`` of objects, ``multimatch_...`` of the objects' middles; each
            path with each of people's on its picture. NaN where fewer than two pictures have a number.
        efficiency: See ``measures.search_efficiency``; means only, of the objects' middles.
        paths: How many.
    """

    behaviour: dict[str, tuple[float, float]]
    delta: tuple[float, float]
    likeness: dict[str, tuple[float, float]]
    efficiency: dict[str, float]
    paths: int


def score_searches(
    humans: Sequence[SearchTrial], models: Sequence[SearchTrial], layout: Layout, *, most: int = 20, seed: int = 0
) -> SearchScores:
    """Score searches beside people's on the same pictures.

    Args:
        humans: People's.
        models: Others, on the same pictures; a picture may have any number.
        layout: Where the objects are, on all pictures.
        most: Saccades after which a search has failed, for the efficiency.
        seed: Of the resampling.

    Returns:
        Means over pictures, as each was seen by as many people.

    Raises:
        ValueError: Pictures differ, or are fewer than two.
    """
    pairs = [(h, m) for m in models for h in humans if h.picture == m.picture]
    theirs, ours = _by_picture(humans), _by_picture(models)
    if set(theirs) != set(ours):
        raise ValueError(f"people and model must have searched the same pictures, got {len(theirs)} and {len(ours)}")
    names = list(theirs)
    human_rows, rows = (np.array([_describe(found[name]).mean(0) for name in names]) for found in (theirs, ours))
    deltas = _resample(len(names), lambda some: _delta(rows[some], human_rows[some]), seed)
    return SearchScores(
        {name: _mean(column) for name, column in zip(_NAMES, rows.T, strict=True)},
        (_delta(rows, human_rows), float(deltas.std(ddof=1))),
        _likeness(pairs, layout),
        _efficiency(models, layout, most),
        len(models),
    )


def human_scores(humans: Sequence[SearchTrial], layout: Layout, *, most: int = 20) -> SearchScores:
    """Score people: each path beside those of the others on its picture.

    Args:
        humans: With observers; every observer at several pictures.
        layout: Where the objects are, on all pictures.
        most: As for ``score_searches``.

    Returns:
        Scores; ``delta`` is one observer's to all others, a mean over observers with its standard error.

    Raises:
        ValueError: There are fewer than two pictures or observers.
    """
    observers = sorted({trial.observer for trial in humans})
    if len(observers) < 2:
        raise ValueError(f"people are compared with each other: give at least two observers, got {len(observers)}")
    pairs = [(h, m) for m in humans for h in humans if h.picture == m.picture and h.observer != m.observer]
    rows = np.array([_describe(trials).mean(0) for trials in _by_picture(humans).values()])
    deltas = []
    for observer in observers:
        own, others = (
            _describe([trial for trial in humans if (trial.observer == observer) == mine]) for mine in (True, False)
        )
        deltas.append(_delta(own, others))
    return SearchScores(
        {name: _mean(column) for name, column in zip(_NAMES, rows.T, strict=True)},
        _mean(np.array(deltas)),
        _likeness(pairs, layout),
        _efficiency(humans, layout, most),
        len(humans),
    )


def _by_picture(trials: Sequence[SearchTrial]) -> dict[str, list[SearchTrial]]:
    found: dict[str, list[SearchTrial]] = {}
    for trial in trials:
        found.setdefault(trial.picture, []).append(trial)
    return found


def _describe(trials: Sequence[SearchTrial]) -> np.ndarray:
    """Return behaviour path by path (trials, 5)."""
    each = [behaviour([trial.objects], [trial.target]) for trial in trials]
    return np.array([[getattr(one, name) for name in _NAMES] for one in each])


def _delta(model: np.ndarray, human: np.ndarray) -> float:
    """Return the delta of the means of rows (rows, 5)."""
    return behavioural_delta(Behaviour(*model.mean(0).tolist()), Behaviour(*human.mean(0).tolist()))


def _likeness(pairs: Sequence[tuple[SearchTrial, SearchTrial]], layout: Layout) -> dict[str, tuple[float, float]]:
    humans, models = zip(*pairs, strict=True)
    strings = ([trial.objects for trial in humans], [trial.objects for trial in models])
    values = {
        "sequence_score": label_sequence_score_pairs(*strings),
        "edit_distance": label_edit_distance_pairs(*strings),
    }
    paths = ([_middles(trial, layout) for trial in humans], [_middles(trial, layout) for trial in models])
    four = multimatch_pairs(*paths, durations=False)
    values |= {f"multimatch_{name}": four[:, i] for i, name in enumerate(_MULTIMATCH)}
    picture = np.array([trial.picture for trial in humans])
    found = {}
    for name, column in values.items():
        # MultiMatch has no number for paths of fewer than three fixations.
        known = ~np.isnan(column)
        means = np.array([column[known & (picture == one)].mean() for one in np.unique(picture[known])])
        found[name] = _mean(means) if len(means) > 1 else (math.nan, math.nan)
    return found


def _efficiency(trials: Sequence[SearchTrial], layout: Layout, most: int) -> dict[str, float]:
    paths = [_middles(trial, layout) for trial in trials]
    boxes = [tuple(layout.boxes[trial.target].tolist()) for trial in trials]
    return search_efficiency(paths, boxes, saccades=most)


def _middles(trial: SearchTrial, layout: Layout) -> Scanpath:
    x, y = layout.centers[list(trial.objects)].T
    return Scanpath(x, y, layout.size)


def _mean(values: np.ndarray) -> tuple[float, float]:
    """Return mean and standard error."""
    if len(values) < 2:
        raise ValueError(f"a standard error needs at least two pictures, got {len(values)}")
    return float(values.mean()), float(values.std(ddof=1) / np.sqrt(len(values)))


def _resample(count: int, compute: Callable[[np.ndarray], float], seed: int) -> np.ndarray:
    random = np.random.default_rng(seed)
    return np.array([compute(random.integers(count, size=count)) for _ in range(_RESAMPLES)])

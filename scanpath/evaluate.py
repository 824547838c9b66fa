"""How well a model foresees scanpaths, beside everything it has to beat."""

import json
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from foveate.errors import counted, sentence
from foveate.scanpath.datasets.common import Viewing
from foveate.scanpath.fixations import Scanpath
from foveate.scanpath.ladder import RUNGS, Looks, baseline_names, baseline_paths, keep_inside, other_pictures
from foveate.scanpath.map_scores import MAP_MEASURES, map_scores
from foveate.scanpath.measures import LOWER_IS_BETTER, ScoreTable, average_pairs, every_pair, score_table
from foveate.scanpath.predicting import ScanpathModel

__all__ = ["NOTE", "GazeReport", "evaluate", "format_report", "write_report"]

NOTE = (
    "STDE and MultiMatch shape do not order models: a path that stays at the picture's middle reaches the level of "
    "people in them (OSIE: .908 against .910, and .948 against .940)"
)
# What a terminal has room for; the file holds all measures.
_SHOWN = ("scanmatch", "scanmatch_duration", "sbtde", "sequence_score", "sed", "stde", "multimatch_shape")
_MAP_TITLES = ("NSS", "AUC", "IG")
_TITLES = ("ScanMatch", "+ duration", "SBTDE", "SS", "SED", "STDE*", "MM shape*")


@dataclass(frozen=True, eq=False)
class GazeReport:
    """Scores of a model and of the ladder on a data set.

    Args:
        dataset: Name of the data set.
        model: Name of the model.
        trained: False for a model with random weights.
        images: Pictures that count.
        scanpaths: Human paths on them.
        count: Fixations of the paths that are made.
        seconds_per_path: Of the model, reading pictures excluded.
        ladder: Rung to its scores; rungs that the data set does not have are missing. Those with a map have the scores
            of ``map_scores.MAP_MEASURES`` too.
        settings: What else decides about the numbers.
        failures: A sentence for each picture that was left out.
    """

    dataset: str
    model: str
    trained: bool
    images: int
    scanpaths: int
    count: int
    seconds_per_path: float
    ladder: dict[str, ScoreTable]
    settings: dict[str, Any] = field(default_factory=dict)
    failures: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Return plain data: rung to measure to mean and standard error over pictures."""
        ladder = {name: table.to_dict() for name, table in self.ladder.items()}
        return {
            "images": self.images,
            "ladder": ladder,
            "model": ladder["model"],
            "schema": 1,
            "dataset": self.dataset,
            "model_name": self.model,
            "trained": self.trained,
            "scanpaths": self.scanpaths,
            "count": self.count,
            "seconds_per_path": round(self.seconds_per_path, 4),
            "lower_is_better": sorted(LOWER_IS_BETTER & set(ladder["model"])),
            "note": NOTE,
            "settings": self.settings,
            "failures": list(self.failures),
        }


def evaluate(
    model: ScanpathModel,
    viewings: Sequence[Viewing],
    *,
    dataset: str = "",
    count: int | None = None,
    draws: int = 5,
    seed: int = 0,
    with_task: bool = False,
    progress: Callable[[int], None] | None = None,
) -> GazeReport:
    """Let a model and all baselines look at pictures, and compare each path with those of all people.

    Args:
        model: See ``predicting.ScanpathModel``.
        viewings: Pictures and how people looked at them. Fixations outside a picture are left out.
        dataset: What to call them.
        count: Fixations of each path; None takes the median of people's.
        draws: Paths a picture for rungs that chance decides; more make their scores steadier.
        seed: Of all random numbers.
        with_task: Whether the model is told what people looked for, where all at a picture looked for the same.
        progress: Told how many pictures have been looked at.

    Returns:
        Scores, and which pictures were left out and why.

    Raises:
        ValueError: No picture can be used.
    """
    humans: Looks = []
    ours: list[Scanpath] = []
    rungs: dict[str, list[Scanpath]] = {name: [] for name in RUNGS}
    maps: dict[str, list[dict[str, float]]] = {}
    failures: list[str] = []
    everything = [path for viewing in viewings for path in viewing.scanpaths]
    lengths = [inside for path in everything if (inside := int(path.inside.sum()))]
    outside = sum(len(path) for path in everything) - sum(lengths)
    if not lengths:
        raise ValueError("there is no scanpath to compare with: give pictures that people looked at")
    length = int(np.median(lengths)) if count is None else count
    seconds = 0.0
    for number, viewing in enumerate(viewings):
        try:
            paths = keep_inside(viewing.scanpaths, viewing.name)
            if not paths:
                raise ValueError("nobody looked at the picture itself: leave it out")
            image = viewing.image()
            tasks = {path.task for path in viewing.scanpaths}
            task = tasks.pop() if with_task and len(tasks) == 1 else ""
            started = time.perf_counter()
            # Each picture its own numbers: errors of the mean would otherwise come out too small.
            path = model(image, count=length, task=task, seed=seed + number)
            seconds += time.perf_counter() - started
            # A model may look past the edge, and is then taken to look at the edge.
            ours.append(replace(path.scaled(viewing.size).clipped(), source=viewing.name))
            made = baseline_paths(image, viewing.size, viewing.name, count=length, draws=draws, seed=seed + number)
            for name, some in zip(baseline_names(), made, strict=True):
                rungs[name] += some
            for name, scores in map_scores(model, image, viewing.size, paths).items():
                maps.setdefault(name, []).append(scores)
            humans.append(paths)
        except (ValueError, OSError) as error:
            failures.append(f"{viewing.name}: {sentence(error)}")
        if progress is not None:
            progress(1)
    if not humans:
        raise ValueError(f"none of {counted(len(viewings), 'picture')} can be used, the first because of {failures[0]}")
    rungs["model"] = ours
    rungs["human, other image"] = [path for some in other_pictures(humans, draws=draws, seed=seed) for path in some]
    return GazeReport(
        dataset,
        model.name,
        model.trained,
        len(humans),
        sum(len(paths) for paths in humans),
        length,
        seconds / len(humans),
        _score(humans, rungs, maps),
        {"draws": draws, "seed": seed, "with_task": with_task, "fixations_outside": outside},
        tuple(failures),
    )


def _score(
    humans: Looks, rungs: dict[str, list[Scanpath]], maps: dict[str, list[dict[str, float]]]
) -> dict[str, ScoreTable]:
    everybody = [path for paths in humans for path in paths]
    tables = {}
    for name in RUNGS:
        if name == "other humans":
            if any(len(paths) > 1 for paths in humans):
                tables[name] = score_table(*every_pair(everybody))
        elif rungs[name]:
            tables[name] = score_table(*every_pair(everybody, rungs[name]))
            tables[name] = _with_maps(tables[name], maps.get(name, []))
    return tables


def _with_maps(table: ScoreTable, found: list[dict[str, float]]) -> ScoreTable:
    """Add the means over pictures of what ``map_scores`` told of each."""
    names = [name for name in MAP_MEASURES if any(name in scores for scores in found)]
    values = {name: np.array([scores.get(name, np.nan) for scores in found]) for name in names}
    return replace(table, scores=table.scores | average_pairs(values, [str(i) for i in range(len(found))]).scores)


def format_report(report: GazeReport) -> str:
    """Lay the scores out as a table.

    Args:
        report: What ``evaluate`` returned.

    Returns:
        Several lines: mean and standard error over pictures; a dash where a path has no durations.
    """
    untrained = "" if report.trained else ", untrained"
    lines = [
        f"{report.dataset or 'pictures'}: {counted(report.images, 'picture')}, "
        f"{counted(report.scanpaths, 'human scanpath')}, {counted(report.count, 'fixation')} each; "
        f"{report.model}{untrained}, {report.seconds_per_path:.3f} s a path",
    ]
    if outside := report.settings.get("fixations_outside"):
        lines.append(f"left out, outside their pictures: {counted(outside, 'fixation')}")
    lines += _rows(report, report.ladder, _SHOWN, _TITLES)
    lines.append("mean and standard error over pictures; the higher the better, but for SED")
    mapped = [name for name, table in report.ladder.items() if set(MAP_MEASURES) & set(table.scores)]
    lines += ["", *_rows(report, mapped, MAP_MEASURES, _MAP_TITLES)]
    lines.append("maps where there are any; IG in bits a fixation over the centre Gaussian, of maps that are densities")
    lines.append(f"* {NOTE}")
    return "\n".join(lines)


def _rows(report: GazeReport, names: Iterable[str], measures: Sequence[str], titles: Sequence[str]) -> list[str]:
    lines = [" ".join([f"{'':24}", *(f"{title:>12}" for title in titles)])]
    for name in names:
        label = f"model: {report.model}" if name == "model" else name
        cells = [_cell(report.ladder[name], measure) for measure in measures]
        lines.append(" ".join([f"{label:24}", *(f"{cell:>12}" for cell in cells)]))
    return lines


def _cell(table: ScoreTable, measure: str) -> str:
    score = table.scores.get(measure)
    if score is None or not np.isfinite(score.mean):
        return "-"
    digits = 2 if measure in LOWER_IS_BETTER else 3
    error = f"{score.se:.{digits}f}".lstrip("0") if np.isfinite(score.se) else "?"
    return f"{score.mean:.{digits}f}".replace("-0.", "-.").removeprefix("0") + f" ~{error}"


def write_report(report: GazeReport, file: str | Path) -> None:
    """Write the scores as JSON.

    Args:
        report: What ``evaluate`` returned.
        file: Where to; replaced where it exists.

    Raises:
        OSError: It cannot be written.
    """
    text = json.dumps(report.to_dict(), indent=2, ensure_ascii=False, allow_nan=False)
    Path(file).write_text(text + "\n", encoding="utf-8")

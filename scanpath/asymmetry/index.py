"""How lopsided a search is: slopes over set size, the index of a pair of tasks, and how sure it is."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from foveate.scanpath.asymmetry.experiments import EXPERIMENTS
from foveate.scanpath.asymmetry.human import HUMAN_REACTION_TIMES, PUBLISHED_INDICES, RT_INTERCEPT, RT_SLOPE

__all__ = ["AsymmetryResult", "asymmetry_index", "slopes_of_means"]

# Slopes of equal means come out at around 1e-14 and would pass for an asymmetry of 1.
_NOTHING = 1e-9


def slopes_of_means(set_sizes: Sequence[int], means: Any) -> np.ndarray:
    """Fit lines by least squares.

    Args:
        set_sizes: (sizes,): numbers of items.
        means: (..., sizes): mean of a score at each.

    Returns:
        (...): score for each further item.
    """
    centred = np.asarray(set_sizes, dtype=np.float64) - np.mean(set_sizes)
    return np.asarray(means, dtype=np.float64) @ centred / (centred @ centred)


def asymmetry_index(harder: Any, easier: Any) -> np.ndarray:
    """Compare the slopes of a pair of tasks.

    Args:
        harder: Slope of the task that people find harder, any shape.
        easier: Slope of the other, of the same shape and unit.

    Returns:
        (H - L) / (H + L) with slopes below 0 taken for 0: -1 to 1, above 0 where the model agrees with people; 0 where
        neither task takes longer with more items.

    Source:
        Gupta et al. (NeurIPS 2021), asymmetry index.
    """
    high, low = (np.maximum(np.asarray(slope, dtype=np.float64), 0) for slope in (harder, easier))
    total = high + low
    return np.where(total > _NOTHING, (high - low) / np.where(total > _NOTHING, total, 1), 0.0)


@dataclass(frozen=True, eq=False)
class AsymmetryResult:
    """What a model did in experiments.

    Args:
        model: Its name.
        saccades: By task, (set sizes, trials): saccades to the target; the set size where it was not found.
        found: By task, the share of trials in which the target was found, or empty where nobody knows.
        trained: False for a model with random weights, whose numbers mean nothing.
        samples: Bootstrap samples.
        seed: Of their random numbers.

    Raises:
        ValueError: No experiment has both its tasks, or a task has other set sizes.
    """

    model: str
    saccades: Mapping[str, np.ndarray]
    found: Mapping[str, float]
    trained: bool = True
    samples: int = 2000
    seed: int = 0

    def __post_init__(self) -> None:
        if not self.numbers:
            raise ValueError(f"no experiment has both its tasks among {sorted(self.saccades)}: run a pair at least")
        for experiment in EXPERIMENTS:
            for task in experiment.tasks:
                scores = self.saccades.get(task.name)
                if scores is None:
                    continue
                scores = np.asarray(scores)
                if scores.ndim != 2 or len(scores) != len(experiment.set_sizes) or scores.shape[1] == 0:
                    raise ValueError(
                        f"{task.name} needs {len(experiment.set_sizes)} set sizes with trials, got {scores.shape}"
                    )
                if not np.isfinite(scores).all():
                    raise ValueError(f"{task.name} has scores that are not numbers: leave those trials out")

    @property
    def numbers(self) -> list[int]:
        """Experiments that have both their tasks."""
        return [e.number for e in EXPERIMENTS if all(task.name in self.saccades for task in e.tasks)]

    @property
    def indices(self) -> dict[int, float]:
        """Asymmetry index by experiment, -1 to 1."""
        return {number: float(values[0]) for number, values in self._indices(0).items()}

    @property
    def mean_index(self) -> float:
        """Mean of the experiments' indices."""
        return float(np.mean(list(self.indices.values())))

    def intervals(self, confidence: float = 0.95) -> tuple[dict[int, tuple[float, float]], tuple[float, float]]:
        """Draw trials again and again within each set size, and see how far the indices move.

        Args:
            confidence: Share of the samples inside, 0 to 1.

        Returns:
            Lower and upper end by experiment, and those of the mean.
        """
        drawn = self._indices(self.samples)
        tails = [(1 - confidence) / 2, (1 + confidence) / 2]
        ends = {number: np.quantile(values[1:], tails) for number, values in drawn.items()}
        mean = np.quantile(np.mean([values[1:] for values in drawn.values()], 0), tails)
        return {n: (float(e[0]), float(e[1])) for n, e in ends.items()}, (float(mean[0]), float(mean[1]))

    def _indices(self, samples: int) -> dict[int, np.ndarray]:
        """Return the index of the trials as they are, then of so many samples."""
        random = np.random.default_rng(self.seed)
        indices = {}
        for experiment in EXPERIMENTS:
            if experiment.number not in self.numbers:
                continue
            slopes = []
            for task in (experiment.harder, experiment.easier):
                scores = np.asarray(self.saccades[task.name], dtype=np.float64)
                sizes, trials = scores.shape
                chosen = random.integers(trials, size=(samples, sizes, trials))
                drawn = np.take_along_axis(scores[None], chosen, 2).mean(2)
                means = np.concatenate([scores.mean(1)[None], drawn])
                slopes.append(RT_SLOPE * slopes_of_means(experiment.set_sizes, means))
            indices[experiment.number] = asymmetry_index(*slopes)
        return indices

    def to_dict(self) -> dict[str, Any]:
        """Return plain data: indices, intervals, and reaction times in milliseconds by task."""
        each, mean = self.intervals()
        tasks = {}
        for experiment in EXPERIMENTS:
            for task in experiment.tasks:
                if task.name not in self.saccades:
                    continue
                means = np.asarray(self.saccades[task.name], dtype=np.float64).mean(1)
                times = RT_SLOPE * means + RT_INTERCEPT
                tasks[task.name] = {
                    "title": task.title,
                    "set_sizes": list(experiment.set_sizes),
                    "trials": int(np.asarray(self.saccades[task.name]).shape[1]),
                    "mean_saccades": [round(float(v), 4) for v in means],
                    "reaction_time_ms": [round(float(v), 1) for v in times],
                    "slope_ms_per_item": round(float(slopes_of_means(experiment.set_sizes, times)), 3),
                    "human_reaction_time_ms": [round(v, 1) for v in HUMAN_REACTION_TIMES[task.name]],
                    **({"found": round(self.found[task.name], 4)} if task.name in self.found else {}),
                }
        experiments = [
            {
                "number": e.number,
                "title": e.title,
                "index": round(self.indices[e.number], 4),
                "interval_95": [round(v, 4) for v in each[e.number]],
                "human_index": PUBLISHED_INDICES["humans"][e.number - 1],
            }
            for e in EXPERIMENTS
            if e.number in self.numbers
        ]
        summary = {"index": round(self.mean_index, 4), "interval_95": [round(v, 4) for v in mean]}
        return {
            "schema": 1,
            "model": self.model,
            "trained": self.trained,
            "experiments": experiments,
            "mean": summary,
            "tasks": tasks,
        }

    def to_json(self) -> str:
        """Return ``to_dict`` as text."""
        return json.dumps(self.to_dict(), indent=2, ensure_ascii=False)

    def table(self) -> str:
        """Return a Markdown table of indices with intervals, beside people and published models."""
        each, mean = self.intervals()
        head = [f"{e.number} {e.title}" for e in EXPERIMENTS if e.number in self.numbers]
        lines = ["| model | " + " | ".join(head) + " | mean |", "|---" * (len(head) + 2) + "|"]
        cells = [f"{self.indices[n]:.2f} [{each[n][0]:.2f}, {each[n][1]:.2f}]" for n in self.numbers]
        label = self.model if self.trained else f"{self.model} (random weights)"
        lines.append(f"| {label} | " + " | ".join(cells) + f" | {self.mean_index:.2f} [{mean[0]:.2f}, {mean[1]:.2f}] |")
        for name, indices in PUBLISHED_INDICES.items():
            known = [indices[n - 1] for n in self.numbers]
            label = "humans" if name == "humans" else f"{name} (published)"
            lines.append(f"| {label} | " + " | ".join(f"{v:.2f}" for v in known) + f" | {np.mean(known):.2f} |")
        return "\n".join(lines)

"""Train the learned default for free viewing on OSIE, and measure it on pictures that it has not seen.

Nested folds by picture: the readout that scores a fold was trained on the others, and the walk is tuned on maps of the
others that were foretold by readouts without them. ``python scripts/train_priority.py DIR`` takes minutes on two cores.
"""

import argparse
import json
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from foveate.scanpath.datasets import Viewing, open_dataset
from foveate.scanpath.fixations import Scanpath
from foveate.scanpath.measures import scanmatch_pairs
from foveate.scanpath.priority import (
    WEIGHTS,
    GazeStatistics,
    Readout,
    Walk,
    load_backbone,
    map_grid,
    picture_features,
    save_priority,
    take_walk,
)

# Sigma of a fixation in the density that the readout learns, pixels of 800 x 600, and the pictures' own map.
SIGMA, GRID = 24.0, (30, 40)
# What is tried for each number of the walk, and for the length of the path.
CHOICES: dict[str, Sequence[float]] = {
    "recovery": (0.0, 0.1, 0.2, 0.3, 0.4),
    "inhibition": (0.02, 0.025, 0.03, 0.035, 0.04, 0.05, 0.06),
    "saccade_weight": (0.0, 0.125, 0.25, 0.5, 0.75),
    "first_weight": (0.0, 0.5, 1.0, 1.5, 2.0, 3.0),
    "count": (7, 8, 9, 10, 11),
}
_SACCADE_BINS, _ORDINALS = 40, 12
_REFERENCE_PAIRS, _PSEUDO_COUNT = 2000, 50.0


def read_features(viewings: Sequence[Viewing]) -> list[Tensor]:
    """Return levels of features of all pictures, (pictures, channels, height, width) in half precision."""
    backbone = load_backbone()
    with torch.inference_mode():
        features = [[f.half() for f in picture_features(backbone, viewing.image())] for viewing in viewings]
    return [torch.cat(level) for level in zip(*features, strict=True)]


def fixation_density(viewing: Viewing) -> Tensor:
    """Return the density of all observers' fixations, (rows, columns), sum 1."""
    rows, columns = GRID
    x = (np.arange(columns) + 0.5) * viewing.size[0] / columns
    y = (np.arange(rows) + 0.5) * viewing.size[1] / rows
    points = np.concatenate([path.points for path in viewing.scanpaths])
    across, down = (np.exp(-(((a - p[:, None]) / SIGMA) ** 2) / 2) for a, p in zip((x, y), points.T, strict=True))
    density = torch.from_numpy(down.T @ across).float()
    return density / density.sum()


def train_readout(features: list[Tensor], densities: Tensor, seed: int, steps: int = 150, batch: int = 40) -> Readout:
    """Minimise the divergence of the map from the density, with Adam."""
    torch.manual_seed(seed)
    readout = Readout()
    weights = [p for name, p in readout.named_parameters() if name.endswith("weight")]
    others = [p for name, p in readout.named_parameters() if not name.endswith("weight")]
    groups = [{"params": weights, "weight_decay": 0.1}, {"params": others, "weight_decay": 0.0}]
    optimizer = torch.optim.AdamW(groups, lr=3e-3)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    for _ in range(steps):
        rows = torch.randperm(len(densities))[:batch]
        maps = readout([level[rows].float() for level in features], GRID)
        loss = -(densities[rows] * maps).sum((1, 2)).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
    return readout.eval()


def foretell(readout: Readout, features: list[Tensor]) -> np.ndarray:
    """Return maps (pictures, rows, columns)."""
    with torch.inference_mode():
        return readout([level.float() for level in features], GRID).double().numpy()


def gaze_statistics(viewings: Sequence[Viewing], seed: int) -> GazeStatistics:
    """Count saccades, first fixations and durations."""
    random = np.random.default_rng(seed)
    saccades, apart, scale = [], [], np.array(viewings[0].size)
    diagonal = float(np.hypot(*scale))
    for viewing in viewings:
        points = np.concatenate([path.points for path in viewing.scanpaths])
        saccades += [path.saccades / diagonal for path in viewing.scanpaths]
        a, b = random.integers(len(points), size=(2, _REFERENCE_PAIRS))
        apart.append(np.hypot(*(points[a] - points[b])[a != b].T) / diagonal)
    edges = np.linspace(0, 1, _SACCADE_BINS + 1)
    made, chance = (np.histogram(np.concatenate(lengths), edges)[0].astype(float) for lengths in (saccades, apart))
    # One count a bin keeps the longest, which nobody makes, from the logarithm of nothing.
    chance = (chance + 1) / (chance + 1).sum()
    made = (made + _PSEUDO_COUNT * chance) / (made.sum() + _PSEUDO_COUNT)
    paths = [path for viewing in viewings for path in viewing.scanpaths]
    every = np.concatenate([path.points for path in paths]) / scale
    first = np.array([path.points[0] for path in paths]) / scale
    durations = [
        np.array([path.duration[i] for path in paths if path.duration is not None and len(path) > i])
        for i in range(_ORDINALS)
    ]
    return GazeStatistics(
        np.log(made / chance),
        np.array([first.mean(0), first.std(0)]),
        np.array([every.mean(0), every.std(0)]),
        np.array([some.mean() for some in durations]),
        float(np.concatenate([np.log(some) - np.log(some).mean() for some in durations]).std()),
    )


def score(
    maps: np.ndarray, viewings: Sequence[Viewing], statistics: GazeStatistics, walk: Walk, count: int
) -> np.ndarray:
    """Return ScanMatch without and with duration, every observer as reference, (pictures, 2)."""
    humans: list[Scanpath] = []
    models: list[Scanpath] = []
    ordinals = np.minimum(np.arange(count), _ORDINALS - 1)
    for log_priority, viewing in zip(maps, viewings, strict=True):
        x, y = (take_walk(log_priority, viewing.size, statistics, walk, count) * viewing.size).T
        humans += viewing.scanpaths
        models += [Scanpath(x, y, viewing.size, statistics.duration[ordinals])] * len(viewing.scanpaths)
    pairs = np.stack([scanmatch_pairs(humans, models, bin_seconds=seconds) for seconds in (None, 0.05)], 1)
    borders = np.cumsum([len(viewing.scanpaths) for viewing in viewings])[:-1]
    return np.array([some.mean(0) for some in np.split(pairs, borders)])


def tune(maps: np.ndarray, viewings: Sequence[Viewing], statistics: GazeStatistics) -> tuple[Walk, int]:
    """Try one number of the walk after the other, twice over, for the sum of both scores."""
    best: dict[str, float] = {
        "inhibition": 0.03,
        "recovery": 0.2,
        "saccade_weight": 0.0,
        "first_weight": 1.0,
        "count": 9,
    }

    def total(numbers: dict[str, float]) -> float:
        walk = Walk(**{name: value for name, value in numbers.items() if name != "count"})
        return float(score(maps, viewings, statistics, walk, int(numbers["count"])).mean(0).sum())

    for _ in range(2):
        for name, values in CHOICES.items():
            best = max(({**best, name: value} for value in values), key=total)
    count = int(best.pop("count"))
    return Walk(**best), count


def main() -> None:
    """Train, measure, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, help="folder of OSIE")
    parser.add_argument("--output", type=Path, default=WEIGHTS)
    parser.add_argument("--report", type=Path, help="JSON file for the scores of each fold")
    parser.add_argument("--folds", type=int, default=5)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    started = time.perf_counter()
    # Sizes of the packed form and of the published one are both 4:3.
    viewings = [
        replace(v, scanpaths=tuple(p.clipped() for p in v.scanpaths)) for v in open_dataset("osie", options.data)
    ]
    if any(map_grid(viewing.size) != GRID for viewing in viewings):
        raise ValueError(f"all pictures must be of 4:3, for a map of {GRID}: leave the others out")
    features, densities = read_features(viewings), torch.stack([fixation_density(viewing) for viewing in viewings])
    print(f"features of {len(viewings)} pictures after {time.perf_counter() - started:.0f} s", flush=True)
    order = np.random.default_rng(options.seed).permutation(len(viewings))
    fold = np.empty(len(viewings), dtype=int)
    fold[order] = np.arange(len(viewings)) % options.folds

    def without(*left_out: int) -> Readout:
        rows = np.flatnonzero(~np.isin(fold, left_out))
        return train_readout([level[rows] for level in features], densities[rows], options.seed)

    def maps_of(readout: Readout, number: int) -> np.ndarray:
        return foretell(readout, [level[fold == number] for level in features])

    report = measure(viewings, fold, options.folds, without, maps_of, options.seed)
    statistics = gaze_statistics(viewings, options.seed)
    facts = {
        "schema": "1",
        "data": f"OSIE (Xu et al. 2014), {len(viewings)} pictures, 15 observers, 3 s of free viewing",
        "terms": "OSIE: MIT, rights in its photographs unchecked; backbone: research only",
        "scores": json.dumps({key: report[key] for key in ("scanmatch", "scanmatch_duration", "count")}),
    }
    save_priority(options.output, without(), statistics, Walk(**report["walk"]), facts)
    print(f"{options.output.name}: {options.output.stat().st_size / 1e3:.0f} kB, {time.perf_counter() - started:.0f} s")
    if options.report:
        options.report.write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")


def measure(
    viewings: Sequence[Viewing],
    fold: np.ndarray,
    folds: int,
    without: Callable[..., Readout],
    maps_of: Callable[[Readout, int], np.ndarray],
    seed: int,
) -> dict[str, Any]:
    """Score every fold with what the others taught, and tune the walk of the final model on maps of unseen pictures.

    Args:
        viewings: Pictures and how people looked at them.
        fold: (pictures,) number of each.
        folds: How many.
        without: Trains a readout without folds.
        maps_of: Foretells the maps of a fold.
        seed: Of the statistics.

    Returns:
        Mean and standard error over pictures, scores of each fold, and the walk.
    """
    members = [[viewings[i] for i in np.flatnonzero(fold == k).tolist()] for k in range(folds)]
    inner: dict[tuple[int, int], np.ndarray] = {}
    for a, b in combinations(range(folds), 2):
        readout = without(a, b)
        # Of the maps of b by a readout that saw neither: fit to tune on when a is to be scored, and the other way.
        inner[a, b], inner[b, a] = maps_of(readout, b), maps_of(readout, a)
    scores, outer, rows = [], [], []
    for k in range(folds):
        others = [j for j in range(folds) if j != k]
        known = [viewing for j in others for viewing in members[j]]
        statistics = gaze_statistics(known, seed)
        walk, count = tune(np.concatenate([inner[k, j] for j in others]), known, statistics)
        outer.append(maps_of(without(k), k))
        scores.append(score(outer[k], members[k], statistics, walk, count))
        rows.append({"scores": scores[k].mean(0).tolist(), "count": count, "walk": vars(walk)})
        print(f"fold {k}: {scores[k].mean(0).round(4)}, {count} fixations, {walk}", flush=True)
    everything = np.concatenate(scores)
    mean, error = everything.mean(0), everything.std(0, ddof=1) / np.sqrt(len(everything))
    by_fold = np.array([row["scores"] for row in rows]).std(0, ddof=1) / np.sqrt(folds)
    print(f"unseen: {mean.round(4)}, se over pictures {error.round(4)}, over folds {by_fold.round(4)}", flush=True)
    everybody = [viewing for some in members for viewing in some]
    walk, count = tune(np.concatenate(outer), everybody, gaze_statistics(everybody, seed))
    names = ("scanmatch", "scanmatch_duration")
    return {
        **{
            name: {"mean": mean[i], "se": error[i], "se_folds": by_fold[i], "images": len(everything)}
            for i, name in enumerate(names)
        },
        "folds": rows,
        "walk": vars(walk),
        "count": count,
    }


if __name__ == "__main__":
    main()

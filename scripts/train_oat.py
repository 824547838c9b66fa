"""Train OAT on searches for one of 84 book covers, and measure it on collages that it has not seen.

``python scripts/train_oat.py DIR`` takes minutes on one core; DIR holds ``gaze.npz`` of the Amazon covers (CC BY-NC-SA
4.0: weights learned from it are for development and evaluation and must not be passed on with the package). There are
no pictures: the model knows places only. Every fold of collages is scored by a model that learned from the others.
"""

import argparse
import json
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from foveate.scanpath.datasets import open_dataset
from foveate.scanpath.oat import OAT, Layout, roll_out
from foveate.scanpath.oat.positions import position_table
from foveate.scanpath.oat.scores import SearchScores, human_scores, score_searches
from foveate.scanpath.oat.training import (
    SearchTrial,
    Training,
    mirrored,
    similarity,
    split_by_picture,
    teach,
    trials_of,
)
from foveate.scanpath.oat.walks import WALKS, StepStatistics, Walk, told_walk
from foveate.scanpath.oat.weights import save_oat

ROWS, COLUMNS, SIZE = 6, 14, (2560, 1600)
NETWORK: dict[str, Any] = {"channels": 64, "depth": 1, "appearance": 0, "feedforward": 128}
TRAINING = Training(epochs=40, learning_rate=1e-3, patience=10)
# Paths that are drawn for each of people's; of paths without chance there is one a collage.
DRAWS = 5
_STOP_BY = 0.15


def train(trials: Sequence[SearchTrial], seed: int) -> OAT:
    """Train on most of the collages, and stop by the others."""
    learn, stop = split_by_picture(trials, _STOP_BY, seed)
    torch.manual_seed(seed)
    table = position_table(COLUMNS, -(-NETWORK["channels"] // 3))
    model = OAT(ROWS, COLUMNS, table, **NETWORK)
    teach(model, [*learn, *mirrored(learn, COLUMNS)], stop, replace(TRAINING, seed=seed))
    return model.eval()


def look(model: OAT, trials: Sequence[SearchTrial], most: int, seed: int, **options: Any) -> list[SearchTrial]:
    """Let the model search for what people searched for; options are those of ``roll_out``."""
    targets = torch.tensor([trial.target for trial in trials])
    paths = roll_out(model, None, targets, most=most, seed=seed, **options)
    return [replace(trial, objects=tuple(path), observer="oat") for trial, path in zip(trials, paths, strict=True)]


def walk(take: Walk, trials: Sequence[SearchTrial], most: int, random: np.random.Generator) -> list[SearchTrial]:
    """Let a walk search for what people searched for."""
    layout = Layout.grid(ROWS, COLUMNS, SIZE)
    return [replace(t, objects=tuple(take(layout, t.target, most, random)), observer="walk") for t in trials]


def split_folds(trials: Sequence[SearchTrial], folds: int, seed: int) -> list[list[SearchTrial]]:
    """Deal collages out, each with all its trials."""
    names = sorted({trial.picture for trial in trials})
    order = np.random.default_rng(seed).permutation(len(names))
    fold = {names[i]: place % folds for place, i in enumerate(order.tolist())}
    return [[trial for trial in trials if fold[trial.picture] == k] for k in range(folds)]


def measure(trials: Sequence[SearchTrial], folds: int, seed: int) -> tuple[dict[str, SearchScores], list[float]]:
    """Search every collage with what was learned from the collages of other folds.

    Args:
        trials: People's.
        folds: How many.
        seed: Of all random numbers.

    Returns:
        Name to scores on all collages, and SIM of each fold.
    """
    found: dict[str, list[SearchTrial]] = {}
    similarities = []
    random = np.random.default_rng(seed)
    parts = split_folds(trials, folds, seed)
    for k, part in enumerate(parts):
        started = time.perf_counter()
        known = [trial for j, other in enumerate(parts) if j != k for trial in other]
        most = max(len(trial.objects) for trial in known)
        drawn, single = part * DRAWS, list({trial.picture: trial for trial in part}.values())
        model = train(known, seed)
        looks = {
            "oat, sampled": look(model, drawn, most, seed, sample=True),
            "oat, greedy": look(model, single, most, seed),
            "oat, 8 beams": look(model, single, most, seed, beams=8),
        }
        walks: dict[str, Callable[..., list[int]]] = {
            **WALKS,
            "steps of people": StepStatistics.count(known, ROWS, COLUMNS),
            "told: length and target": told_walk(known),
        }
        looks |= {name: walk(take, drawn, most, random) for name, take in walks.items()}
        for name, some in looks.items():
            found.setdefault(name, []).extend(some)
        similarities.append(similarity(model, part))
        print(f"fold {k}: SIM {similarities[-1]:.3f}, {time.perf_counter() - started:.0f} s", flush=True)
    layout = Layout.grid(ROWS, COLUMNS, SIZE)
    scores = {name: score_searches(trials, some, layout, seed=seed) for name, some in found.items()}
    return {"people": human_scores(trials, layout), **scores}, similarities


def print_scores(scores: dict[str, SearchScores]) -> None:
    """Print tables: behaviour with its delta, likeness, efficiency."""
    columns = [
        ("delta", lambda s: s.delta),
        *((name, lambda s, name=name: s.behaviour[name]) for name in next(iter(scores.values())).behaviour),
    ]
    _table("behaviour, mean (standard error over collages)", scores, columns)
    likeness = [(name, lambda s, name=name: s.likeness[name]) for name in next(iter(scores.values())).likeness]
    _table("likeness to people's paths", scores, likeness)
    efficiency = [(name, lambda s, name=name: (s.efficiency[name],)) for name in next(iter(scores.values())).efficiency]
    _table("search efficiency, 20 saccades", scores, efficiency)


def _table(title: str, scores: dict[str, SearchScores], columns: Sequence[tuple[str, Callable[..., Any]]]) -> None:
    heads = [name.replace("multimatch_", "mm ").replace("_", " ") for name, _ in columns]
    print(f"\n{title}\n| searches | {' | '.join(heads)} |\n|{' --- |' * (len(heads) + 1)}")
    for name, score in scores.items():
        cells = [" ".join([f"{v[0]:.3f}", *(f"({e:.3f})" for e in v[1:])]) for _, of in columns for v in [of(score)]]
        print(f"| {name} | {' | '.join(cells)} |", flush=True)


def main() -> None:
    """Train, measure, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, help="folder of the Amazon covers")
    parser.add_argument("--output", type=Path, default=Path("foveate-out/oat.safetensors"), help="%(default)s")
    parser.add_argument("--report", type=Path, help="JSON file for all scores")
    parser.add_argument("--folds", type=int, default=5)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    torch.set_num_threads(1)
    started = time.perf_counter()
    dataset = open_dataset("amazon", options.data)
    trials = trials_of(dataset, ROWS, COLUMNS)
    scores, similarities = measure(trials, options.folds, options.seed)
    print_scores(scores)
    error = float(np.std(similarities, ddof=1) / np.sqrt(len(similarities)))
    print(f"\nSIM, teacher forced: {np.mean(similarities):.3f} (se over folds {error:.3f})")
    facts = {
        "data": f"Amazon covers (Sattar et al. 2015), {len(dataset)} collages, {len(trials)} searches, no pictures",
        "terms": f"{dataset.terms}: for development and evaluation, not for redistribution",
    }
    save_oat(options.output, train(trials, options.seed), facts)
    print(f"{options.output}: {options.output.stat().st_size / 1e3:.0f} kB, {time.perf_counter() - started:.0f} s")
    if options.report:
        report = {"similarity": similarities, **{name: asdict(score) for name, score in scores.items()}}
        options.report.write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()

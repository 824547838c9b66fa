"""How near NeVA's scanpaths come to people's on OSIE, by task, eye and numbers: ScanMatch 16 x 12 without durations.

``python -P benchmarks/neva_quality.py OSIE --half tune`` compares choices on pictures of one half of the folder,
``--half report`` says what the chosen ones are worth on the other. Rows are named TASK, or TASK with changes:
``features0@64 sigma=.1 forgetting=0``. Tasks are class (cross entropy with the model's own label), belief (with all its
probabilities), pooled (cosine of the pooled features), features0 to features4 (of one stage) and pixels, at a side.
"""

import argparse
import ast
import json
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor

from foveate.scanpath.baselines import Centre, Saliency
from foveate.scanpath.datasets import osie
from foveate.scanpath.datasets.common import Viewing
from foveate.scanpath.fixations import Scanpath
from foveate.scanpath.ladder import keep_inside
from foveate.scanpath.measures import scanmatch_pairs
from foveate.scanpath.neva import NeVA, NevaSettings
from foveate.scanpath.task_models import Classifier, Reconstruction

EYE = "resnet18_ela_eye"
CHOSEN = ("features0@64", "features0@64 published=True", "class@64", "class@64 published=True", "pixels@64")
STUDIED = (
    *("pixels@64", "features0@64", "features1@64", "features2@64", "features3@64", "features4@64"),
    *("pooled@64", "belief@64", "class@64", "features0@160", "features1@160"),
    *(f"features0@64 sigma={sigma} forgetting={rest}" for sigma in (0.02, 0.05, 0.1, 0.2) for rest in (0, 0.5, 0.8)),
    *("features0@64 steps=10", "features0@64 steps=40", "features0@64 learning_rate=.05"),
    *("features0@64 blur_size=7 blur_sigma=1.5", "features0@64 blur_size=25 blur_sigma=6"),
)


class Belief(Classifier):
    """Cross entropy with all probabilities of the sharp picture."""

    def target(self, pictures: Tensor, words: Sequence[str]) -> Tensor:
        """Return the probabilities (batch, classes)."""
        return self.model(pictures).softmax(1)


class Pooled(Classifier):
    """One minus the cosine of the pooled features."""

    def target(self, pictures: Tensor, words: Sequence[str]) -> Tensor:
        """Return the features (batch, channels)."""
        return self.model.forward_head(self.model.forward_features(pictures), pre_logits=True)

    def loss(self, seen: Tensor, target: Tensor) -> Tensor:
        """Compare (batch,)."""
        return 1 - F.cosine_similarity(self.target(seen, ()), target, dim=1)


class Pixels(Reconstruction):
    """Mean square error of the pixels: no eye at all."""

    def _features(self, pictures: Tensor) -> Tensor:
        return pictures


def model_of(row: str) -> NeVA:
    """Make the model that the name of a row describes."""
    head, *changes = row.split()
    kind, side = head.split("@")[0], int(head.split("@")[1])
    task: Any
    if kind.startswith("features"):
        task = Reconstruction(EYE, side, int(kind[-1]))
    elif kind == "pixels":
        task = Pixels(EYE, side)
    else:
        task = {"class": Classifier, "belief": Belief, "pooled": Pooled}[kind](EYE)
        task.input_size = side
    settings = NevaSettings.free_viewing(side)
    numbers = {key: ast.literal_eval(value) for key, value in (change.split("=") for change in changes)}
    return NeVA(task, replace(settings, **numbers))


def score(paths: Sequence[Scanpath], viewings: Sequence[Viewing]) -> np.ndarray:
    """Return for each picture the mean over its people."""
    means = []
    for path, viewing in zip(paths, viewings, strict=True):
        humans = keep_inside(viewing.scanpaths, viewing.name)
        means.append(scanmatch_pairs(humans, [path.scaled(viewing.size).clipped()] * len(humans)).mean())
    return np.array(means)


def baselines(images: Sequence[Image.Image], viewings: Sequence[Viewing], count: int) -> dict[str, np.ndarray]:
    """Score what has to be beaten."""
    centre = [
        score([Centre()(image, count=count, seed=100 * i + draw) for i, image in enumerate(images)], viewings)
        for draw in range(5)
    ]
    eyes = {"spectral residual": Saliency(), "saliency x centre": Saliency(centred=True)}
    rows = {name: score([eye(image, count=count) for image in images], viewings) for name, eye in eyes.items()}
    return {"centre Gaussian": np.mean(centre, 0), **rows}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, help="folder of OSIE")
    parser.add_argument("--half", choices=["tune", "report"], default="tune")
    parser.add_argument("--rows", nargs="+", help="names; the chosen ones for the report, all studied ones otherwise")
    parser.add_argument("--pictures", type=int, default=40, help="evenly spread over the half")
    parser.add_argument("--fixations", type=int, default=9, help="9 is the median of people")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0], help="of the restarts; scores are averaged")
    args = parser.parse_args()
    half = osie.load(args.data).viewings[int(args.half == "report") :: 2]
    viewings = [half[i] for i in np.linspace(0, len(half) - 1, args.pictures).astype(int)]
    images = [viewing.image() for viewing in viewings]
    scores = baselines(images, viewings, args.fixations)
    torch.set_num_threads(1)
    for row in args.rows or (CHOSEN if args.half == "report" else STUDIED):
        model, started = model_of(row), time.process_time()
        # Each picture its own numbers: errors of the mean would otherwise come out too small.
        seeds = [[1000 * seed + i for i in range(len(images))] for seed in args.seeds]
        runs = [model.batch(images, count=args.fixations, seed=each) for each in seeds]
        taken = (time.process_time() - started) / len(images) / len(args.seeds)
        scores[row] = np.mean([score(paths, viewings) for paths in runs], 0)
        report(row, scores, taken)
    for name in list(scores)[:3]:
        report(name, scores)


def report(name: str, scores: dict[str, np.ndarray], taken: float | None = None) -> None:
    """Print a row: mean and standard error over pictures, and the same of the difference to the Gaussian."""
    count = len(scores[name]) ** 0.5
    above = scores[name] - scores["centre Gaussian"]
    row = {
        "row": name,
        "scanmatch": round(float(scores[name].mean()), 4),
        "se": round(float(scores[name].std(ddof=1) / count), 4),
        "above centre": round(float(above.mean()), 4),
        "se of that": round(float(above.std(ddof=1) / count), 4),
        "cpu seconds a path": None if taken is None else round(taken, 2),
    }
    print(json.dumps(row), flush=True)


if __name__ == "__main__":
    main()

"""Teach OAT to imitate recorded searches."""

import copy
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from foveate.scanpath.datasets.common import GazeDataset
from foveate.scanpath.oat.layout import Layout
from foveate.scanpath.oat.model import OAT

__all__ = [
    "SearchTrial",
    "Training",
    "encode_trials",
    "mirrored",
    "similarity",
    "split_by_picture",
    "teach",
    "trials_of",
]


@dataclass(frozen=True)
class SearchTrial:
    """One look for one object.

    Args:
        picture: Name of the picture.
        target: Number of the object looked for.
        objects: Numbers of the objects fixated, in order.
        observer: Who looked.
    """

    picture: str
    target: int
    objects: tuple[int, ...]
    observer: str = ""


@dataclass(frozen=True)
class Training:
    """Numbers of the training; the defaults are the authors'.

    Args:
        epochs: At most.
        batch_size: Paths of a step.
        learning_rate: Of Adam.
        patience: Epochs without a better loss on the held-out paths before it stops.
        clip: Largest norm of the gradient.
        seed: Of order and dropout.
    """

    epochs: int = 500
    batch_size: int = 20
    learning_rate: float = 1e-4
    patience: int = 30
    clip: float = 1.0
    seed: int = 1234


def trials_of(dataset: GazeDataset, rows: int, columns: int) -> list[SearchTrial]:
    """Turn recorded searches on evenly divided pictures into objects.

    Args:
        dataset: Each viewing with the target's box.
        rows: Of objects on every picture.
        columns: Of objects on every picture.

    Returns:
        A trial for each path; fixations off the picture count for the nearest object.
    """
    found = []
    for viewing in dataset:
        if viewing.target is None:
            raise ValueError(f"{viewing.name} has no target box: this is no search")
        layout = Layout.grid(rows, columns, viewing.size)
        left, top, right, bottom = viewing.target
        target = layout.object_at((left + right) / 2, (top + bottom) / 2)
        for path in viewing.scanpaths:
            objects = tuple(layout.object_at(place.x, place.y) for place in path)
            found.append(SearchTrial(viewing.name, target, objects, path.observer))
    return found


def mirrored(trials: Sequence[SearchTrial], columns: int) -> list[SearchTrial]:
    """Exchange left and right, which doubles the paths to learn from where people prefer neither side.

    Args:
        trials: On evenly divided pictures.
        columns: Of objects on every picture.

    Returns:
        As many trials of pictures of the same names.
    """

    def swap(number: int) -> int:
        return number - number % columns + columns - 1 - number % columns

    return [replace(t, target=swap(t.target), objects=tuple(map(swap, t.objects))) for t in trials]


def split_by_picture(
    trials: Sequence[SearchTrial], held: float = 0.2, seed: int = 0
) -> tuple[list[SearchTrial], list[SearchTrial]]:
    """Hold some pictures out, with all their trials: the authors split paths, so that pictures lie on both sides.

    Args:
        trials: Of several pictures.
        held: Share of the pictures that is held out, between 0 and 1.
        seed: Of the choice.

    Returns:
        Trials to learn from, and the others.
    """
    names = sorted({trial.picture for trial in trials})
    order = torch.randperm(len(names), generator=torch.Generator().manual_seed(seed)).tolist()
    out = {names[i] for i in order[: max(1, round(held * len(names)))]}
    return [t for t in trials if t.picture not in out], [t for t in trials if t.picture in out]


def encode_trials(model: OAT, trials: Sequence[SearchTrial]) -> tuple[Tensor, Tensor]:
    """Write trials as ids.

    Args:
        model: Whose ids they are.
        trials: At least one.

    Returns:
        Targets (trials,), and paths (trials, steps) with start and end, padded.
    """
    longest = max(len(trial.objects) for trial in trials) + 2
    ids = torch.full((len(trials), longest), model.padding)
    for row, trial in zip(ids, trials, strict=True):
        row[: len(trial.objects) + 2] = torch.tensor([model.start, *trial.objects, model.end])
    return torch.tensor([trial.target for trial in trials]), ids


@torch.no_grad()
def similarity(model: OAT, trials: Sequence[SearchTrial]) -> float:
    """Return the mean probability of the object that people went to next, the end included, given all before it.

    Args:
        model: In eval mode.
        trials: At least one.

    Returns:
        0 to 1.

    Source: "SIM" of OAT (ECCV 2024).
    """
    target, ids = (tensor.to(model.table.device) for tensor in encode_trials(model, trials))
    following = ids[:, 1:, None]
    chances = model(None, target, ids[:, :-1]).softmax(-1).gather(2, following)
    return float(chances[following != model.padding].mean())


def teach(
    model: OAT,
    trials: Sequence[SearchTrial],
    held: Sequence[SearchTrial],
    training: Training | None = None,
    report: Callable[[int, float, float], None] | None = None,
) -> list[float]:
    """Train on paths without pictures: places are all the model is told.

    Args:
        model: It keeps the weights of the epoch that was best on ``held``.
        trials: To learn from.
        held: To stop by.
        training: Numbers of the training.
        report: Told epoch, loss, and loss on ``held``.

    Returns:
        The loss on ``held`` after each epoch.

    Source: OAT, ECCV 2024; stopping looks at the loss here, and at the behavioural delta there.
    """
    numbers = training or Training()
    device = model.table.device
    generator = torch.Generator().manual_seed(numbers.seed)
    torch.manual_seed(numbers.seed)
    optimizer = torch.optim.Adam(model.parameters(), numbers.learning_rate)
    target, ids = (tensor.to(device) for tensor in encode_trials(model, trials))
    held_target, held_ids = (tensor.to(device) for tensor in encode_trials(model, held))
    best, kept, history = torch.inf, copy.deepcopy(model.state_dict()), []
    waited = 0
    for epoch in range(numbers.epochs):
        model.train()
        total = 0.0
        for rows in torch.randperm(len(ids), generator=generator).split(numbers.batch_size):
            # Few paths are as long as the longest of all.
            batch = ids[rows][:, : int((ids[rows] != model.padding).sum(1).max())]
            loss = model.loss(model(None, target[rows], batch[:, :-1]), batch[:, 1:])
            optimizer.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), numbers.clip)
            optimizer.step()
            total += float(loss.detach()) * len(rows)
        model.eval()
        with torch.no_grad():
            now = float(model.loss(model(None, held_target, held_ids[:, :-1]), held_ids[:, 1:]))
        history.append(now)
        if report is not None:
            report(epoch, total / len(ids), now)
        waited = 0 if now < best else waited + 1
        if now < best:
            best, kept = now, copy.deepcopy(model.state_dict())
        if waited >= numbers.patience:
            break
    model.load_state_dict(kept)
    model.trained = True
    return history

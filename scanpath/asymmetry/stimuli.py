"""Scenes of the six experiments, made by their rules: items in cells drawn at random, one of them the target."""

import io
from dataclasses import dataclass

import numpy as np
from PIL import Image

from foveate.scanpath.asymmetry.experiments import Experiment, Task, find_task
from foveate.scanpath.asymmetry.items import draw_items
from foveate.scanpath.search import Trial, grid_cells

__all__ = ["Stimuli", "make_stimuli"]

_JPEG_QUALITY = 95


@dataclass(frozen=True, eq=False)
class Stimuli:
    """Scenes of one task, in blocks of one set size.

    Args:
        task: Its name.
        scenes: (trials, side, side) uint8, grey.
        targets: (trials, item, item) uint8, grey.
        places: (trials, 4): left, top, right, bottom of the target's cell, pixels, the last two exclusive.
        set_sizes: (trials,): items in each scene.
        cells: (cells, 4): the bounding grid, as ``places``.
    """

    task: str
    scenes: np.ndarray
    targets: np.ndarray
    places: np.ndarray
    set_sizes: np.ndarray
    cells: np.ndarray

    def __len__(self) -> int:
        return len(self.scenes)

    def trials(self) -> list[Trial]:
        """Return the searches."""
        experiment, _ = find_task(self.task)
        return [
            Trial(
                np.broadcast_to(scene[..., None], (*scene.shape, 3)),
                np.broadcast_to(target[..., None], (*target.shape, 3)),
                self.cells,
                (int(place[0]), int(place[1]), int(place[2]), int(place[3])),
                experiment.steps,
                self.task,
            )
            for scene, target, place in zip(self.scenes, self.targets, self.places, strict=True)
        ]


def make_stimuli(task: str, *, trials: int = 0, seed: int = 0, jpeg: bool = True) -> Stimuli:
    """Make the scenes of a task.

    Args:
        task: Name, such as "curvature_curve_in_lines".
        trials: For each set size; 0 for as many as in the paper.
        seed: Of the random numbers; each task draws its own.
        jpeg: Whether scenes and targets are saved as JPEG and read again, as the published ones are.

    Returns:
        The scenes, in blocks of rising set size.

    Raises:
        ValueError: The task is unknown or the number of trials below 0.

    Source:
        Gupta et al. (NeurIPS 2021), rules of the published generators, with random numbers of our own.
    """
    experiment, details = find_task(task)
    if trials < 0:
        raise ValueError(f"trials must be 0 or more, got {trials}")
    count = trials or experiment.trials
    random = np.random.default_rng([seed, *task.encode()])
    sizes = np.repeat(experiment.set_sizes, count)
    rows = [_draw(experiment, details, int(size), random) for size in sizes]
    save = _through_jpeg if jpeg else np.asarray
    scenes, targets = np.stack([save(row[0]) for row in rows]), np.stack([save(row[1]) for row in rows])
    span = experiment.cell * experiment.grid
    cells = grid_cells((span, span), experiment.grid, experiment.grid)
    return Stimuli(task, scenes, targets, np.array([row[2] for row in rows]), sizes, cells)


def _draw(
    experiment: Experiment, task: Task, size: int, random: np.random.Generator
) -> tuple[np.ndarray, np.ndarray, tuple[int, int, int, int]]:
    """Draw one scene; the target is one of the items."""
    targets, others = draw_items(task.targets), draw_items(task.distractors)
    target = targets[random.integers(len(targets))]
    items = [target, *(others[i] for i in _choose(task, len(others), size - 1, random))]
    scene = np.full((experiment.field, experiment.field), experiment.background, np.uint8)
    cells = random.permutation(experiment.grid**2)[:size]
    place = (0, 0, 0, 0)
    for i, (cell, item) in enumerate(zip(cells, items, strict=True)):
        corner = np.array(divmod(int(cell), experiment.grid)) * experiment.cell
        top, left = (int(v) for v in corner + random.integers(experiment.jitter, size=2))
        scene[top : top + len(item), left : left + len(item)] = item
        if i == 0:
            y, x = (top, left) if experiment.target_moves_cell else (int(corner[0]), int(corner[1]))
            right, bottom = min(x + experiment.cell, len(scene)), min(y + experiment.cell, len(scene))
            place = (x, y, right, bottom)
    return scene, target, place


def _choose(task: Task, kinds: int, count: int, random: np.random.Generator) -> np.ndarray:
    """Choose distractors: bars of many tilts in whole rounds without repetition, rotations of one thing in turn."""
    if task.distractors.startswith("bars_but"):
        rounds = [random.permutation(kinds) for _ in range(-(-count // kinds))]
        return np.concatenate([*rounds, np.zeros(0, int)])[:count].astype(int)
    if task.distractors in ("arcs", "lines"):
        return np.arange(count) % kinds
    return random.integers(kinds, size=count)


def _through_jpeg(picture: np.ndarray) -> np.ndarray:
    stream = io.BytesIO()
    Image.fromarray(picture).save(stream, "JPEG", quality=_JPEG_QUALITY)
    return np.asarray(Image.open(stream))

"""Run a search model through the experiments."""

from collections.abc import Callable, Sequence

import numpy as np

from foveate.scanpath.asymmetry.experiments import EXPERIMENTS
from foveate.scanpath.asymmetry.index import AsymmetryResult
from foveate.scanpath.asymmetry.stimuli import Stimuli, make_stimuli
from foveate.scanpath.fixations import Scanpath
from foveate.scanpath.search import SearchModel, search_trials

__all__ = ["run_asymmetry", "run_task", "score_paths"]


def run_asymmetry(
    model: SearchModel,
    *,
    experiments: Sequence[int] = (1, 2, 3, 4, 5, 6),
    trials: int = 0,
    seed: int = 0,
    batch: int = 8,
    progress: Callable[[int], None] | None = None,
) -> AsymmetryResult:
    """Run a model through experiments whose scenes are made here.

    Args:
        model: What says where the target may be.
        experiments: Their numbers, 1 to 6.
        trials: For each set size; 0 for as many as in the paper: 1272 in all.
        seed: Of the scenes and of models that draw random numbers.
        batch: How many scenes the model sees at once.
        progress: Told how many trials have ended.

    Returns:
        Scores, indices and intervals.

    Raises:
        ValueError: A number names no experiment.
    """
    known = {experiment.number: experiment for experiment in EXPERIMENTS}
    wrong = [number for number in experiments if number not in known]
    if wrong or not experiments:
        raise ValueError(f"experiments must be some of 1 to 6, got {list(experiments)}")
    saccades, found = {}, {}
    for number in sorted(set(experiments)):
        for i, task in enumerate(known[number].tasks):
            stimuli = make_stimuli(task.name, trials=trials, seed=seed)
            # Each task its own numbers: a model that draws them would otherwise do alike in all.
            own = (seed * len(known) + number) * 2 + i
            paths = run_task(model, stimuli, seed=own, batch=batch, progress=progress)
            saccades[task.name], found[task.name] = score_paths(paths, stimuli)
    return AsymmetryResult(model.name, saccades, found, model.trained)


def run_task(
    model: SearchModel,
    stimuli: Stimuli,
    *,
    seed: int = 0,
    batch: int = 8,
    progress: Callable[[int], None] | None = None,
) -> list[Scanpath]:
    """Search all scenes of a task.

    Args:
        model: What says where the target may be.
        stimuli: The scenes.
        seed: For models that draw random numbers.
        batch: How many scenes the model sees at once.
        progress: Told how many trials have ended.

    Returns:
        A path for each scene.
    """
    experiment = next(e for e in EXPERIMENTS if stimuli.task in [task.name for task in e.tasks])
    return search_trials(model, stimuli.trials(), experiment.settings, batch=batch, seed=seed, progress=progress)


def score_paths(paths: Sequence[Scanpath], stimuli: Stimuli) -> tuple[np.ndarray, float]:
    """Count saccades to the target.

    Args:
        paths: One for each scene.
        stimuli: The scenes, as many of each set size.

    Returns:
        (set sizes, trials): saccades; the set size where the target was not found, or only at the very last step that
        is allowed, as the published evaluation counts. And the share of trials in which it was found by that count.
    """
    last = len(stimuli.cells)
    scores = np.array([path.details["saccades"] for path in paths], dtype=np.float64)
    found = np.array([bool(path.details["found"]) and path.details["saccades"] < last for path in paths])
    scores = np.where(found, scores, stimuli.set_sizes)
    return scores.reshape(len(np.unique(stimuli.set_sizes)), -1), float(found.mean())

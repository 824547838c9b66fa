"""What a model is compared with: chance, the middle, another picture's viewers, saliency, and other people."""

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
from PIL import Image

from foveate.scanpath.baselines import Centre, Saliency, Uniform
from foveate.scanpath.fixations import Scanpath, Size

__all__ = ["RUNGS", "Looks", "baseline_names", "baseline_paths", "keep_inside", "other_pictures"]

#: Names of the rungs in the order of a table, the lowest first.
RUNGS = (
    "uniform",
    "centre Gaussian",
    "human, other image",
    "spectral residual",
    "saliency x centre",
    "model",
    "other humans",
)

# Scanpaths of each picture, in the order of pictures.
Looks = list[list[Scanpath]]

# Rungs that chance decides need several paths a picture, those of saliency are the same each time.
_BASELINES: dict[str, tuple[Callable[..., Scanpath], bool]] = {
    "uniform": (Uniform(), True),
    "centre Gaussian": (Centre(), True),
    "spectral residual": (Saliency(), False),
    "saliency x centre": (Saliency(centred=True), False),
}


def baseline_paths(image: Image.Image, size: Size, name: str, *, count: int, draws: int, seed: int) -> Looks:
    """Look at a picture as the rungs that need no gaze do.

    Args:
        image: The picture.
        size: Width and height that people's fixations refer to, pixels.
        name: Of the picture.
        count: Fixations.
        draws: Paths of the rungs that chance decides.
        seed: Of the random numbers.

    Returns:
        Paths of each rung, in the order of ``RUNGS``, those without gaze only.
    """
    looks = []
    for model, random in _BASELINES.values():
        seeds = range(seed * draws, (seed + 1) * draws) if random else [seed]
        paths = (model(image, count=count, seed=each) for each in seeds)
        looks.append([replace(path.scaled(size), source=name) for path in paths])
    return looks


def baseline_names() -> tuple[str, ...]:
    """Return the rungs that ``baseline_paths`` makes, in its order."""
    return tuple(_BASELINES)


def other_pictures(humans: Looks, *, draws: int, seed: int) -> Looks:
    """Give each picture paths of people who looked at other ones.

    Args:
        humans: Paths for each picture; all have paths.
        draws: Paths for each picture.
        seed: Of the choice.

    Returns:
        Paths scaled to the size and signed with the name of the picture they are given to; none for a single picture.
    """
    random = np.random.default_rng(seed)
    given: Looks = []
    for i, own in enumerate(humans):
        paths = []
        for _ in range(draws if len(humans) > 1 else 0):
            others = humans[(i + int(random.integers(1, len(humans)))) % len(humans)]
            path = others[int(random.integers(len(others)))].scaled(own[0].size)
            paths.append(replace(path, source=own[0].source).clipped())
        given.append(paths)
    return given


def keep_inside(paths: Sequence[Scanpath], name: str) -> list[Scanpath]:
    """Leave out fixations outside the picture, and paths of which nothing remains.

    Args:
        paths: Human paths of a picture.
        name: Of the picture; the paths are signed with it.
    """
    kept = []
    for path in paths:
        inside = path.inside
        if not inside.any():
            continue
        times = {key: column[inside] for key in ("duration", "start") if (column := getattr(path, key)) is not None}
        kept.append(replace(path, x=path.x[inside], y=path.y[inside], source=name, **times))
    return kept

"""OSIE: 700 pictures with labelled objects, 15 observers, three seconds of free viewing (Xu et al. 2014)."""

import json
from pathlib import Path
from typing import Any

import numpy as np

from foveate.scanpath.datasets.common import GazeDataset, Source, Viewing, load_mat, load_npz, need, picture_size
from foveate.scanpath.fixations import Scanpath

__all__ = ["load"]

_TERMS = "MIT; the rights in the photographs were not checked"
_URL = "https://github.com/NUS-VIP/predicting-human-gaze-beyond-pixels"
_COLUMNS = ("image", "subject", "x", "y", "t")


def load(folder: Path) -> GazeDataset:
    """Read OSIE in either form, the published or the packed one.

    Published: ``data/eye/fixations.mat`` or ``fixations.mat``, and ``stimuli``; packed: ``fixations.npz``,
    ``meta.json`` and ``images``.

    Args:
        folder: Holds the files.

    Returns:
        The data set; places are in pixels of 800 x 600, also where pictures are stored smaller.

    Raises:
        FileNotFoundError: Neither form is there.
        ValueError: A file is damaged.
    """
    if (folder / "fixations.npz").is_file():
        return _packed(folder)
    for place in (folder / "fixations.mat", folder / "data" / "eye" / "fixations.mat"):
        if place.is_file():
            return _published(folder, place)
    need(folder, [Source("fixations.mat", f"{_URL}, data/eye", 3), Source("stimuli", f"{_URL}, data/stimuli", 200)])
    raise FileNotFoundError(2, "holds no fixations of OSIE", str(folder))


def _packed(folder: Path) -> GazeDataset:
    table = load_npz(folder / "fixations.npz", _COLUMNS)
    try:
        size = tuple(json.loads((folder / "meta.json").read_text())["original_size_wh"])
    except (OSError, KeyError, ValueError) as error:
        raise ValueError(f"{folder / 'meta.json'} is missing or damaged ({error}): fetch it again") from None
    viewings = []
    for image in np.unique(table["image"]):
        mine = {name: column[table["image"] == image] for name, column in table.items()}
        paths = []
        for subject in np.unique(mine["subject"]):
            rows = mine["subject"] == subject
            paths.append(
                Scanpath(
                    mine["x"][rows],
                    mine["y"][rows],
                    size,
                    mine["t"][rows] / 1000.0,
                    source=str(image),
                    observer=str(subject),
                )
            )
        picture = folder / "images" / f"{image}.jpg"
        viewings.append(Viewing(str(image), (size[0], size[1]), tuple(paths), picture if picture.is_file() else None))
    return GazeDataset("osie", tuple(viewings), _TERMS)


def _published(folder: Path, file: Path) -> GazeDataset:
    stimuli = next((p for p in (folder / "stimuli", folder / "data" / "stimuli") if p.is_dir()), folder / "stimuli")
    content = load_mat(file)
    viewings = []
    try:
        for cell in content["fixations"].ravel():
            record = cell[0, 0]
            name = str(np.asarray(record["img"]).ravel()[0])
            picture = stimuli / name
            size = (800, 600)
            if picture.is_file():
                size = picture_size(picture)
            paths = _published_paths(record["subjects"], size, Path(name).stem)
            viewings.append(Viewing(Path(name).stem, size, paths, picture if picture.is_file() else None))
    except (KeyError, IndexError, TypeError, AttributeError) as error:
        raise ValueError(f"{file} has another layout than OSIE's fixations.mat ({error}): fetch it again") from None
    return GazeDataset("osie", tuple(viewings), _TERMS)


def _published_paths(subjects: Any, size: tuple[int, int], source: str) -> tuple[Scanpath, ...]:
    paths = []
    for number, cell in enumerate(np.asarray(subjects).ravel(), start=1):
        look = cell[0, 0]
        x, y, duration = (np.asarray(look[key], dtype=np.float64).ravel() for key in ("fix_x", "fix_y", "fix_duration"))
        if len(x):
            paths.append(Scanpath(x, y, size, duration / 1000, source=source, observer=str(number)))
    return tuple(paths)

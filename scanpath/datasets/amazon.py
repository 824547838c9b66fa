"""Search for one of 84 book covers, six observers for each of 100 collages (Sattar et al. 2015)."""

from pathlib import Path

import numpy as np

from foveate.scanpath.datasets.common import GazeDataset, Source, Viewing, load_npz, need
from foveate.scanpath.fixations import Scanpath

__all__ = ["load"]

_URL = "https://github.com/DFKI-Interactive-Machine-Learning/STI-Dataset"


def load(folder: Path) -> GazeDataset:
    """Read the packed fixations, ``gaze.npz``; there are no pictures.

    Args:
        folder: Holds the file.

    Returns:
        The data set: a viewing for each collage, with the target's box.

    Raises:
        FileNotFoundError: The file is missing.
        ValueError: It is damaged.
    """
    need(folder, [Source("gaze.npz", _URL, 0.1)])
    table = load_npz(folder / "gaze.npz", ("images", "image", "subject", "x", "y"))
    viewings = []
    for number, width, height, left, top, right, bottom, target in table["images"].tolist():
        size, name, paths = (width, height), str(number), []
        for subject in np.unique(table["subject"][table["image"] == number]):
            rows = (table["image"] == number) & (table["subject"] == subject)
            x, y = table["x"][rows], table["y"][rows]
            task = f"cover {target}"
            paths.append(Scanpath(x, y, size, source=name, task=task, observer=str(subject)))
        viewings.append(Viewing(name, size, tuple(paths), None, (left, top, right, bottom)))
    return GazeDataset("amazon", tuple(viewings), "CC BY-NC-SA 4.0")

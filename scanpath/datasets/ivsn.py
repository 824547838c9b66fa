"""Search in object arrays, natural scenes and Waldo pictures, 15 observers and two models (Zhang et al. 2018)."""

from pathlib import Path

import numpy as np

from foveate.scanpath.datasets.common import GazeDataset, Source, Viewing, load_npz, need
from foveate.scanpath.fixations import Scanpath

__all__ = ["load"]

_SIZE = (1280, 1024)
_SETS = ("ObjArr", "NaturalDesign", "Waldo")
_URL = "https://github.com/kreimanlab/VisualSearchAsymmetry"


def load(folder: Path) -> GazeDataset:
    """Read the packed paths, ``search.npz``.

    Args:
        folder: Holds the file.

    Returns:
        The data set: a viewing for each trial, with the paths of people and of the models eccNET and IVSN; places are
        in pixels of 1280 x 1024, the first is the screen's middle. ``details`` of a path say whether it found its
        target.

    Raises:
        FileNotFoundError: The file is missing.
        ValueError: It is damaged.
    """
    need(folder, [Source("search.npz", _URL, 1)])
    who = ("human", "eccNET", "IVSN")
    keys = [f"{s}_{w}_{f}" for s in _SETS for w in who for f in ("fix", "n", "found")]
    table = load_npz(folder / "search.npz", [*keys, *(f"{s}_trials" for s in _SETS)])
    viewings = []
    for kind in _SETS:
        for row, trial in enumerate(table[f"{kind}_trials"]):
            source = f"{kind}/{int(trial)}"
            paths = []
            for name in who:
                fix, count, found = (table[f"{kind}_{name}_{f}"] for f in ("fix", "n", "found"))
                if name != "human":
                    fix, count, found = fix[None], count[None], found[None]
                for subject in range(len(fix)):
                    paths.append(
                        _scanpath(
                            fix[subject, row],
                            int(count[subject, row]),
                            bool(found[subject, row]),
                            kind,
                            source,
                            str(subject + 1) if name == "human" else name,
                        )
                    )
            viewings.append(Viewing(source, _SIZE, tuple(path for path in paths if path is not None)))
    return GazeDataset("ivsn", tuple(viewings), "research; ask the laboratory")


def _scanpath(fix: np.ndarray, count: int, found: bool, kind: str, source: str, observer: str) -> Scanpath | None:
    places = fix[:count].astype(np.float64)
    if not count:
        return None
    # Object arrays are x, y; the others row, column.
    x, y = places.T if kind == "ObjArr" else places.T[::-1]
    return Scanpath(x, y, _SIZE, source=source, task="search", observer=observer, details={"found": found})

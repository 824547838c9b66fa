"""COCO-Search18: looking for one of 18 kinds of things in COCO photographs, ten observers (Chen et al. 2021)."""

import json
from pathlib import Path
from typing import Any

import numpy as np

from foveate.scanpath.datasets.common import GazeDataset, Source, Viewing, need
from foveate.scanpath.fixations import Scanpath

__all__ = ["load"]

_SIZE = (1680, 1050)
_URL = "https://sites.google.com/view/cocosearch"


def load(folder: Path) -> GazeDataset:
    """Read the published JSON files, ``coco_search18_fixations_*.json``, and pictures below ``images`` where there are.

    Args:
        folder: Holds the files; pictures lie in ``images/TASK/NAME`` or ``images/NAME``.

    Returns:
        The data set: a viewing for each picture and task; places are in pixels of the screen, 1680 x 1050.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: A file is damaged or of another layout.
    """
    files = sorted(folder.glob("coco_search18_fixations_*.json"))
    if not files:
        need(folder, [Source("coco_search18_fixations_TP_train_split1.json", _URL, 15)])
    looks: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for file in files:
        try:
            for row in json.loads(file.read_text()):
                looks.setdefault((row["task"], row["name"]), []).append(row)
        except (ValueError, KeyError, TypeError) as error:
            raise ValueError(f"{file} is damaged or of another layout ({error!r}): fetch it again") from None
    viewings = []
    for (task, name), rows in looks.items():
        paths = [path for row in rows if (path := _scanpath(row, task, name)) is not None]
        box = next((row["bbox"] for row in rows if row.get("bbox")), None)
        target = None if box is None else (box[0], box[1], box[0] + box[2], box[1] + box[3])
        places = (folder / "images" / task / name, folder / "images" / name)
        picture = next((place for place in places if place.is_file()), None)
        viewings.append(Viewing(f"{task}/{name}", _SIZE, tuple(paths), picture, target))
    return GazeDataset("cocosearch", tuple(viewings), "research and education only")


def _scanpath(row: dict[str, Any], task: str, name: str) -> Scanpath | None:
    try:
        x, y, t = (np.asarray(row[key], dtype=np.float64) for key in ("X", "Y", "T"))
    except (KeyError, ValueError) as error:
        raise ValueError(f"a row of {task}/{name} has no X, Y or T ({error}): the file is not COCO-Search18") from None
    observer = str(row.get("subject", ""))
    who = f"the record of subject {observer or '?'} at {task}/{name}"
    if any(column.ndim != 1 for column in (x, y, t)) or not len(x) == len(y) == len(t):
        raise ValueError(f"{who} has {x.size} X, {y.size} Y and {t.size} T, where each needs as many: fetch it again")
    if not len(x):
        return None
    facts: dict[str, Any] = {key: row[key] for key in ("condition", "correct", "split") if key in row}
    try:
        return Scanpath(x, y, _SIZE, t / 1000, source=name, task=task, observer=observer, details=facts)
    except ValueError as error:
        raise ValueError(f"{who} cannot be used ({error}): fetch it again") from None

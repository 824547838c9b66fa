"""CapMIT1003: clicks on blurred MIT1003 pictures by people who describe them (Zanca et al. 2023)."""

import sqlite3
from pathlib import Path

import numpy as np

from foveate.scanpath.datasets.common import GazeDataset, Source, Viewing, need, picture_size
from foveate.scanpath.fixations import Scanpath

__all__ = ["load"]

_SOURCES = (
    Source("capmit1003.db", "https://github.com/mad-lab-fau/CapMIT1003"),
    Source("ALLSTIMULI", "http://people.csail.mit.edu/tjudd/WherePeopleLook/ALLSTIMULI.zip"),
)
_QUERY = """
SELECT images.img_path, captions.obs_uid, captions.caption, clicks.x, clicks.y, clicks.click_time, captions.start_time
FROM captions JOIN images ON captions.img_uid = images.img_uid JOIN clicks ON clicks.obs_uid = captions.obs_uid
ORDER BY images.img_path, captions.obs_uid, clicks.click_id
"""


def load(folder: Path) -> GazeDataset:
    """Read the database; the order of clicks is that of their numbers.

    Args:
        folder: Holds ``capmit1003.db`` and the pictures of MIT1003 in ``ALLSTIMULI``.

    Returns:
        The data set: a path for each caption, which is its task. Clicks have no duration.

    Raises:
        FileNotFoundError: A file is missing.
        ValueError: The database is damaged or of another layout.
    """
    need(folder, _SOURCES)
    try:
        with sqlite3.connect(f"file:{folder / 'capmit1003.db'}?mode=ro", uri=True) as database:
            rows = database.execute(_QUERY).fetchall()
    except sqlite3.Error as error:
        raise ValueError(f"{folder / 'capmit1003.db'} cannot be read ({error}): fetch it again") from None
    looks: dict[str, dict[str, list[tuple]]] = {}
    for row in rows:
        looks.setdefault(str(row[0]), {}).setdefault(str(row[1]), []).append(row)
    viewings = []
    for name, observers in looks.items():
        picture = folder / "ALLSTIMULI" / name
        need(folder, [Source(f"ALLSTIMULI/{name}", _SOURCES[1].url)])
        size = picture_size(picture)
        paths = [_scanpath(clicks, size, picture.stem, who) for who, clicks in observers.items()]
        viewings.append(Viewing(picture.stem, size, tuple(paths), picture))
    return GazeDataset("capmit1003", tuple(viewings), "research; the authors state no licence")


def _scanpath(clicks: list[tuple], size: tuple[int, int], source: str, observer: str) -> Scanpath:
    x, y = (np.array([click[i] for click in clicks], dtype=np.float64) for i in (3, 4))
    return Scanpath(x, y, size, source=source, task=str(clicks[0][2] or ""), observer=observer)

"""MIT1003: 1003 photographs, 15 observers, three seconds of free viewing each (Judd et al. 2009)."""

from pathlib import Path

import numpy as np

from foveate.scanpath.datasets.common import GazeDataset, Source, Viewing, check_md5, load_mat, need, picture_size
from foveate.scanpath.datasets.detection import Detection, detect_fixations
from foveate.scanpath.fixations import Scanpath

__all__ = ["MD5", "load", "read_recording"]

_URL = "http://people.csail.mit.edu/tjudd/WherePeopleLook/"
_SOURCES = (Source("ALLSTIMULI", f"{_URL}ALLSTIMULI.zip"), Source("DATA", f"{_URL}DATA.zip"))
# Of the archives, where they lie beside the folders.
MD5 = {"ALLSTIMULI.zip": "0d7df8b954ecba69b6796e77b9afe4b6", "DATA.zip": "ea19d74ad0a0144428c53e9d75c2d71c"}


def load(folder: Path, *, first_fixation: bool = False) -> GazeDataset:
    """Read the published files: ``ALLSTIMULI/*.jpeg`` and ``DATA/OBSERVER/*.mat``.

    Args:
        folder: Holds both folders; archives beside them are checked against the published MD5.
        first_fixation: Whether to keep the first fixation, which lies at the middle of the screen where everybody
            had to look before.

    Returns:
        The data set. Fixations outside their picture are left out, and so is who then has none.

    Raises:
        FileNotFoundError: A folder is missing.
        ValueError: An archive is not the published one, or all recordings are damaged; some are named in ``problems``.

    Source:
        Fixations are detected as the authors' code does; as in pysaliency those off the picture and the first are
        dropped. Where the first was off the picture nothing else is dropped in its place.
    """
    need(folder, _SOURCES)
    for name, wanted in MD5.items():
        if (folder / name).is_file():
            check_md5(folder / name, wanted)
    observers = sorted(path for path in (folder / "DATA").iterdir() if path.is_dir())
    pictures = sorted((folder / "ALLSTIMULI").glob("*.jpeg"))
    if not pictures or not observers:
        raise FileNotFoundError(2, "holds no pictures or no observers: unpack ALLSTIMULI.zip and DATA.zip", str(folder))
    viewings, problems = [], []
    for picture in pictures:
        size = picture_size(picture)
        paths = []
        for observer in observers:
            file = observer / f"{picture.stem}.mat"
            if not file.is_file():
                continue
            try:
                found = detect_fixations(read_recording(file))
            except ValueError as error:
                problems.append(f"{picture.stem}, observer {observer.name}: {error}")
                continue
            path = _scanpath(found, size, first_fixation, picture.stem, observer.name)
            if path is not None:
                paths.append(path)
        viewings.append(Viewing(picture.stem, size, tuple(paths), picture))
    if problems and not any(viewing.scanpaths for viewing in viewings):
        raise ValueError(problems[0])
    return GazeDataset("mit1003", tuple(viewings), "research; the authors state no licence", tuple(problems))


def read_recording(file: Path) -> np.ndarray:
    """Read the raw samples of one observer and picture.

    Args:
        file: A published ``.mat`` file; its variable is the file's name, cut to 63 letters.

    Returns:
        (samples, 2): x and y, pixels, 240 a second.

    Raises:
        ValueError: The file is damaged or of another layout.
    """
    content = load_mat(file)
    name = file.stem[:63]
    try:
        samples = np.asarray(content[name]["DATA"][0, 0]["eyeData"][0, 0], dtype=np.float64)
    except (KeyError, IndexError, TypeError, ValueError):
        raise ValueError(f"{file} has no {name}.DATA(1).eyeData: it is not a recording of MIT1003") from None
    return samples[:, :2]


def _scanpath(found: Detection, size: tuple[int, int], first: bool, source: str, observer: str) -> Scanpath | None:
    keep = (found.x > 0) & (found.x < size[0]) & (found.y > 0) & (found.y < size[1])
    if not first:
        keep[0] = False
    if not keep.any():
        return None
    x, y, duration, start = (column[keep] for column in (found.x, found.y, found.duration, found.start))
    return Scanpath(x, y, size, duration, start, source, observer=observer)

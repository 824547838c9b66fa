"""What all gaze data sets share: a picture with its scanpaths, and errors that say which file to fetch."""

import errno
import hashlib
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from foveate.scanpath.fixations import Scanpath
from foveate.vision.images import load_image

__all__ = ["GazeDataset", "Source", "Viewing", "check_md5", "load_mat", "need", "picture_size"]


@dataclass(frozen=True, eq=False)
class Viewing:
    """A picture and how people looked at it.

    Args:
        name: Of the picture.
        size: Width and height that fixations refer to, pixels.
        scanpaths: One for each look.
        path: File of the picture, which may be smaller than ``size``; None where there is none.
        target: Box of what was looked for: left, top, right, bottom, pixels; None in free viewing.
    """

    name: str
    size: tuple[int, int]
    scanpaths: tuple[Scanpath, ...]
    path: Path | None = None
    target: tuple[float, float, float, float] | None = None

    def image(self) -> Image.Image:
        """Load the picture, at the size it is stored.

        Raises:
            ValueError: The data set came without pictures.
        """
        if self.path is None:
            raise ValueError(f"there is no picture of {self.name} here: fetch the pictures of this data set")
        return load_image(self.path)


@dataclass(frozen=True, eq=False)
class GazeDataset:
    """Pictures and how people looked at them.

    Args:
        name: Of the data set.
        viewings: One for each picture (and task).
        terms: What may be done with it, in one line.
        problems: A sentence for each thing that was left out when it was read.
    """

    name: str
    viewings: tuple[Viewing, ...]
    terms: str
    problems: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.viewings)

    def __getitem__(self, index: int) -> Viewing:
        return self.viewings[index]

    def __iter__(self) -> Iterator[Viewing]:
        return iter(self.viewings)


@dataclass(frozen=True)
class Source:
    """A file of a data set.

    Args:
        name: Of the file or folder, relative to the data set's folder.
        url: Where from.
        megabytes: How large; 0 where nobody has measured.
    """

    name: str
    url: str
    megabytes: float = 0.0


def need(folder: Path, sources: Sequence[Source]) -> None:
    """Check that files are there.

    Args:
        folder: Where they should be.
        sources: What is needed.

    Raises:
        FileNotFoundError: Some are missing; it says which, where from, and how large they are.
    """
    missing = [source for source in sources if not (folder / source.name).exists()]
    if missing:
        facts = (
            f"{source.name} (from {source.url}{f', {source.megabytes:g} MB' if source.megabytes else ''})"
            for source in missing
        )
        raise FileNotFoundError(errno.ENOENT, f"is missing {'; '.join(facts)}: fetch and unpack it there", str(folder))


def picture_size(file: Path) -> tuple[int, int]:
    """Read width and height of a picture as ``load_image`` turns it, without decoding it.

    Raises:
        ValueError: It is no picture.
    """
    try:
        with Image.open(file) as image:
            width, height = image.size
            # Orientations 5 to 8 lie on their side.
            return (height, width) if image.getexif().get(0x0112, 1) in (5, 6, 7, 8) else (width, height)
    except (OSError, SyntaxError) as error:
        raise ValueError(f"{file.name} is no picture that can be read ({type(error).__name__}): save it anew") from None


def check_md5(file: Path, wanted: str) -> None:
    """Check that an archive is the published one.

    Args:
        file: The archive.
        wanted: Its published MD5, 32 hexadecimal digits.

    Raises:
        ValueError: Its MD5 is another one.
    """
    found = hashlib.md5(file.read_bytes(), usedforsecurity=False).hexdigest()
    if found != wanted:
        raise ValueError(f"{file} has MD5 {found}, published is {wanted}: fetch it again")


def load_mat(file: Path) -> dict[str, Any]:
    """Read a MATLAB file.

    Args:
        file: Of version 7 or older.

    Returns:
        Its variables by name.

    Raises:
        RuntimeError: SciPy is not installed.
        ValueError: The file is damaged.
    """
    try:
        from scipy.io import loadmat
        from scipy.io.matlab import MatReadError
    except ImportError:
        raise RuntimeError("MATLAB files need SciPy: pip install foveate[gaze]") from None
    try:
        found: dict[str, Any] = loadmat(str(file))
    except (MatReadError, ValueError, TypeError, NotImplementedError, OSError, EOFError, IndexError) as error:
        raise ValueError(f"{file} is no MATLAB file that can be read ({error}): fetch it again") from None
    return found


def load_npz(file: Path, keys: Sequence[str]) -> dict[str, np.ndarray]:
    """Read the arrays of a packed data set.

    Args:
        file: An ``.npz`` file.
        keys: Arrays to read.

    Returns:
        The arrays by name.

    Raises:
        ValueError: The file is damaged, or lacks an array.
    """
    try:
        # Opened here: numpy leaves a damaged file open.
        with file.open("rb") as stream, np.load(stream) as arrays:
            return {key: arrays[key] for key in keys}
    except KeyError as error:
        raise ValueError(f"{file} lacks the array {error}: it is not the packed data set") from None
    except (ValueError, OSError, EOFError, zipfile.BadZipFile) as error:
        raise ValueError(f"{file} is damaged ({error}): fetch it again") from None

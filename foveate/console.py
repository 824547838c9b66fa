"""What every verb shares: writing lines, one-sentence errors, finding input pictures. Imports nothing heavy."""

import glob
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

IMAGE_SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".bmp", ".gif", ".tif", ".tiff", ".ppm")
OK, FAILED, USAGE = 0, 1, 2


class UsageError(ValueError):
    """The command line asks for something that cannot be; the command ends with exit code 2."""


@dataclass(frozen=True)
class Input:
    """One picture a command is asked to look at.

    Args:
        label: What to call it in output: the path as given, or ``stdin``.
        path: The file; None for standard input.
        error: Why there is no picture; empty when there may be one.
    """

    label: str
    path: Path | None
    error: str = ""

    def source(self) -> Path | bytes:
        """Return what the image loader takes: the path, or the bytes of standard input."""
        return self.path if self.path is not None else sys.stdin.buffer.read()

    @property
    def stem(self) -> str:
        """Name for files made from this picture."""
        return self.path.stem if self.path is not None else "stdin"


def say(text: str) -> None:
    """Write one line to standard output at once, so that a pipe sees each answer when it is there."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def complain(text: str) -> None:
    """Write one line to standard error, under the name of the command."""
    sys.stderr.write(f"foveate: {text}\n")
    sys.stderr.flush()


def sentence(error: BaseException) -> str:
    """Turn an exception into one line without its type or trace."""
    if isinstance(error, OSError) and error.strerror:
        return f"{error.filename or 'a file'}: {error.strerror[0].lower()}{error.strerror[1:]}"
    return " ".join(str(error).split()) or type(error).__name__


def find_inputs(words: Sequence[str]) -> list[Input]:
    """Expand files, folders, patterns and ``-`` into pictures, in a stable order.

    Args:
        words: Paths as typed. A folder stands for the pictures right inside it.

    Returns:
        The pictures; words that lead to none come back as an ``Input`` with an error, so that a batch can go on.
    """
    found: list[Input] = []
    for word in words:
        path = Path(word)
        if word == "-":
            found.append(Input("stdin", None))
        elif path.is_dir():
            found += _in_folder(path) or [Input(word, path, _no_images(word))]
        elif path.exists() or not glob.has_magic(word):
            error = "" if path.exists() else f"{word}: no such file: give an image, a folder of images, a pattern or -"
            found.append(Input(word, path, error))
        else:
            matches = [Path(m) for m in sorted(glob.glob(word, recursive=True)) if Path(m).is_file()]
            none = Input(word, path, f"{word}: the pattern matches no file: check it, or name the files themselves")
            found += [Input(str(match), match) for match in matches] or [none]
    return found


def _in_folder(folder: Path) -> list[Input]:
    files = sorted(p for p in folder.iterdir() if p.suffix.lower() in IMAGE_SUFFIXES and p.is_file())
    return [Input(str(file), file) for file in files]


def _no_images(word: str) -> str:
    return f"{word}: the folder holds no image ({', '.join(IMAGE_SUFFIXES)}): give another folder or a file"


def output_folder(path: str) -> Path:
    """Make the folder results go to.

    Raises:
        UsageError: It cannot be made or written.
    """
    folder = Path(path)
    probe = folder / ".foveate-probe"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        probe.touch()
        probe.unlink()
    except OSError as error:
        raise UsageError(f"cannot write to --out {path} ({error.strerror}): name another folder") from error
    return folder

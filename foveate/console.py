"""What every verb shares: parsing, writing lines, one-sentence errors, finding pictures. Imports nothing heavy."""

import argparse
import glob
import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from foveate.errors import counted, sentence

if TYPE_CHECKING:
    from foveate.grounding.pointing import Pointer
    from foveate.scanpath.predicting import ScanpathModel

IMAGE_SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".bmp", ".gif", ".tif", ".tiff", ".ppm")
OK, FAILED, USAGE = 0, 1, 2


class UsageError(ValueError):
    """The command line asks for something that cannot be; the command ends with exit code 2."""


class Parser(argparse.ArgumentParser):
    """A parser that complains in one sentence, like the rest of the command."""

    def error(self, message: str) -> NoReturn:
        """Turn what argparse found into a ``UsageError``."""
        raise UsageError(f"{message}: see {self.prog} --help")


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
        return Path(self.label).stem


def say(text: str) -> None:
    """Write one line to standard output at once, so that a pipe sees each answer when it is there."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def complain(text: str) -> None:
    """Write one line to standard error, under the name of the command."""
    sys.stderr.write(f"foveate: {text}\n")
    sys.stderr.flush()


def whole_number(low: int, high: int | None = None) -> Callable[[str], int]:
    """Make the type of an option that takes a whole number.

    Args:
        low: Smallest number.
        high: Largest number; none by default.

    Returns:
        What argparse calls with the word.
    """
    span = f"at least {low}" if high is None else f"between {low} and {high}"

    def read(word: str) -> int:
        try:
            number = int(word)
        except ValueError:
            number = low - 1
        if number < low or (high is not None and number > high):
            raise argparse.ArgumentTypeError(f"it must be a whole number, {span}, got {word!r}")
        return number

    return read


def add_model_options(parser: argparse.ArgumentParser) -> None:
    """Add --model and --device, which read the same at every verb.

    Args:
        parser: Parser of the verb.
    """
    parser.add_argument(
        "--model",
        default="foveate-point-s",
        metavar="NAME|PATH",
        help="model name or .safetensors (default %(default)s)",
    )
    parser.add_argument("--device", metavar="NAME", help="cpu, cuda, cuda:1 ... (default: cuda if there is one)")


def add_table_options(parser: argparse.ArgumentParser, twice: bool = False) -> None:
    """Add --columns and --unit, for tables of fixations that call things otherwise.

    Args:
        parser: Parser of the verb.
        twice: Whether the verb has two tables; both options may then be given twice, and become lists.
    """
    more = "; of the first table, given twice of both" if twice else ""
    how: dict[str, Any] = {"action": "append", "default": []} if twice else {}
    parser.add_argument(
        "--columns",
        type=_columns,
        metavar="NAME=COLUMN,...",
        help=f"what the table calls image, x, y, observer, duration, start, task{more}",
        **how,
    )
    parser.add_argument("--unit", choices=("s", "ms"), help=f"of durations and starts (default s){more}", **how)


def _columns(word: str) -> dict[str, str]:
    """Read --columns."""
    found: dict[str, str] = {}
    for part in word.split(","):
        name, equals, column = (piece.strip() for piece in part.partition("="))
        if not (name and equals and column):
            raise argparse.ArgumentTypeError(f"it must be NAME=COLUMN, separated by commas, got {part!r}")
        if name in found:
            raise argparse.ArgumentTypeError(f"it names {name} twice: give each name one column")
        found[name] = column
    return found


def check_result_file(option: str, file: str | None) -> None:
    """Try where a result goes before the work is done.

    Args:
        option: Which names it.
        file: As typed; None where nobody asked for a file.

    Raises:
        UsageError: It cannot be written there.
    """
    if file is not None and (Path(file).is_dir() or not Path(file).resolve().parent.is_dir()):
        raise UsageError(f"{option} {file} must name a file in a folder that exists: make the folder first")
    if file is not None and not os.access(Path(file).resolve().parent, os.W_OK):
        raise UsageError(f"{option} {file} is in a folder that cannot be written: name another one")


def load_pointer(model: str, device: str | None) -> "Pointer":
    """Load the model that --model and --device name.

    Args:
        model: Name or weights file.
        device: cpu, cuda, cuda:N, mps or None.

    Returns:
        The model, ready to be asked.

    Raises:
        UsageError: Nobody knows that name, or the file is no such model.
        RuntimeError: The weights cannot be read or the device is not there.
    """
    from foveate.grounding.pointing import Pointer

    try:
        return Pointer(model, device)
    except ValueError as error:
        raise UsageError(str(error)) from error


def load_looker(model: str, device: str | None) -> "ScanpathModel":
    """Load the scanpath model that --model and --device name.

    Args:
        model: Name.
        device: cpu, cuda, cuda:N, mps or None.

    Returns:
        The model.

    Raises:
        UsageError: Nobody knows that name or device.
        RuntimeError: Weights or the device are not here.
    """
    from foveate.scanpath.predicting import load_model

    try:
        return load_model(model, device)
    except ValueError as error:
        raise UsageError(str(error)) from error


def find_inputs(words: Sequence[str]) -> list[Input]:
    """Expand files, folders, patterns and ``-`` into pictures, in a stable order.

    Args:
        words: Paths as typed. A folder stands for the pictures right inside it.

    Returns:
        The pictures; words that lead to none come back as an ``Input`` with an error, so that a batch can go on.
    """
    found: list[Input] = []
    for word in words:
        path, name = Path(word), _printable(word)
        if word == "-":
            found.append(Input("stdin", None))
        elif path.is_dir():
            missing = f"{name}: the folder holds no image ({', '.join(IMAGE_SUFFIXES)}): give another folder or a file"
            try:
                found += _in_folder(path) or [Input(name, path, missing)]
            except OSError as error:
                reason = (error.strerror or "unknown").lower()
                found.append(
                    Input(name, path, f"{name}: the folder cannot be read ({reason}): allow it, or leave it out")
                )
        elif path.exists():
            found.append(Input(name, path))
        elif glob.has_magic(word):
            matches = [Path(match) for match in sorted(glob.glob(word, recursive=True)) if Path(match).is_file()]
            missing = f"{name}: the pattern matches no file: check it, or name the files themselves"
            found += [Input(_printable(match), match) for match in matches] or [Input(name, path, missing)]
        else:
            missing = f"{name}: no such file: give an image, a folder of images, a pattern or -"
            found.append(Input(name, path, missing))
    return found


def output_folder(path: str, option: str = "--out") -> Path:
    """Make the folder results go to.

    Args:
        path: As typed.
        option: Which names it.

    Returns:
        The folder, which can be written.

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
        reason = (error.strerror or "unknown").lower()
        raise UsageError(f"cannot write to {option} {path} ({reason}): name another folder") from error
    return folder


def go_through(inputs: list[Input], look: Callable[[Input, str], None]) -> int:
    """Do something with every picture; go on past bad ones and name them at the end.

    Args:
        inputs: The pictures.
        look: Takes a picture and the name for its files, which none of the others has.

    Returns:
        Exit code: 1 when a picture failed.
    """
    failures: list[str] = []
    for item, stem in _named(inputs):
        try:
            if item.error:
                raise ValueError(item.error)
            look(item, stem)
        except BrokenPipeError:
            raise
        except (ValueError, TypeError, RuntimeError, OSError) as error:
            message = sentence(error)
            failures.append(message if item.label in message else f"{item.label}: {message}")
            complain(failures[-1])
    if failures and len(inputs) > 1:
        complain(f"{len(failures)} of {counted(len(inputs), 'input')} failed:")
        for message in failures:
            complain(f"  {message}")
    return FAILED if failures else OK


def _named(inputs: list[Input]) -> list[tuple[Input, str]]:
    """Give each picture a name for its files; never one name twice."""
    taken: set[str] = set()
    named = []
    for item in inputs:
        base = item.stem if item.stem not in taken else Path(item.label).name
        stem, number = base, 2
        while stem in taken:
            stem, number = f"{base}-{number}", number + 1
        taken.add(stem)
        named.append((item, stem))
    return named


def _in_folder(folder: Path) -> list[Input]:
    files = sorted(path for path in folder.iterdir() if path.suffix.lower() in IMAGE_SUFFIXES and path.is_file())
    return [Input(_printable(file), file) for file in files]


def _printable(path: str | Path) -> str:
    """A file name that can be printed and written as UTF-8, whatever bytes the file system has."""
    return os.fsencode(path).decode("utf-8", "replace")

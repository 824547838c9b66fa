"""Your own recordings: a folder of pictures and a table of fixations, CSV or parquet."""

import csv
import math
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

from foveate.errors import sentence
from foveate.scanpath.datasets.common import GazeDataset, Viewing, picture_size
from foveate.scanpath.fixations import Scanpath

__all__ = ["load"]

_OBSERVERS = ("observer", "subject", "participant")
_COLUMNS = ("image", "x", "y", "observer", "duration", "start", "task")
# Nobody rests for so long, and everybody for more milliseconds.
_LONGEST_SECONDS = 20.0

Row = dict[str, Any]


def load(folder: Path) -> GazeDataset:
    """Read ``fixations.csv`` or ``fixations.parquet`` and the pictures beside it or in ``images``.

    Args:
        folder: Holds the table. Its columns: ``image`` (file name), ``x`` and ``y`` (pixels of the picture), and where
            known ``observer`` (or subject, participant), ``duration`` and ``start`` (seconds), ``task``. Rows of a look
            are in order; rows without a place, such as blinks, are left out.

    Returns:
        The data set; its ``problems`` name what was left out, and columns that nobody reads.

    Raises:
        FileNotFoundError: There is no table.
        ValueError: It cannot be read, lacks a column, is in other units, or nothing in it can be used.
    """
    tables = (folder / f"fixations{end}" for end in (".csv", ".parquet"))
    table = next((table for table in tables if table.is_file()), None)
    if table is None:
        raise FileNotFoundError(2, "holds no fixations.csv and no fixations.parquet: write one", str(folder))
    rows, problems = _named(_parquet(table) if table.suffix == ".parquet" else _csv(table), table)
    looks: dict[str, dict[tuple[str, str], list[Row]]] = {}
    for row in rows:
        key = _text(row.get("observer")), _text(row.get("task"))
        looks.setdefault(_text(row["image"]), {}).setdefault(key, []).append(row)
    viewings = []
    for name, observers in looks.items():
        try:
            viewings.append(_viewing(folder, name, observers, problems))
        except (ValueError, OSError) as error:
            problems.append(f"{name}: {sentence(error)}")
    if not viewings:
        raise ValueError(f"{table} has nothing that can be used: {problems[-1] if problems else 'it has no rows'}")
    _check_units(viewings, table)
    return GazeDataset(folder.name, tuple(viewings), "your own", tuple(problems))


def _viewing(folder: Path, name: str, observers: dict[tuple[str, str], list[Row]], problems: list[str]) -> Viewing:
    """Collect the looks at one picture; those that cannot be used become problems."""
    picture = next((p for p in (folder / name, folder / "images" / name) if name and p.is_file()), None)
    if picture is None:
        raise ValueError("there is no such picture beside the table or in images/: put it there")
    size, paths, found = picture_size(picture), [], []
    for (who, task), rows in observers.items():
        try:
            path, lost = _scanpath(rows, size, name, who, task)
        except ValueError as error:
            found.append(f"observer {who!r}: {error}")
            continue
        if lost:
            found.append(f"observer {who!r}: {lost} of {len(rows)} rows have no place and are left out")
        paths.append(path)
    if not paths:
        raise ValueError(found[0] + (f" ({len(found) - 1} others like it)" if len(found) > 1 else ""))
    problems += [f"{name}, {problem}" for problem in found]
    return Viewing(name, size, tuple(paths), picture)


def _named(rows: list[Row], table: Path) -> tuple[list[Row], list[str]]:
    """Bring columns to their names, whatever their case, and say which nobody reads."""
    if not rows:
        raise ValueError(f"{table} has no rows: it needs one a fixation, with image, x and y")
    places: dict[str, str] = {}
    for column in filter(None, rows[0]):  # cells beyond the header are under None
        plain = str(column).strip().lower()
        plain = "observer" if plain in _OBSERVERS else plain
        if plain in _COLUMNS:
            places.setdefault(plain, column)
    missing = [name for name in ("image", "x", "y") if name not in places]
    if missing:
        found = ", ".join(map(str, filter(None, rows[0])))
        raise ValueError(f"{table} has no column {', '.join(missing)}, only {found}: it needs image, x and y")
    problems = []
    if "observer" not in places:
        problems.append(f"{table.name} has no column observer: all rows of a picture are taken for one look")
    unread = [str(column) for column in filter(None, rows[0]) if column not in places.values()]
    if unread:
        problems.append(f"{table.name}: nobody reads the columns {', '.join(unread)}")
    return [{name: row.get(column) for name, column in places.items()} for row in rows], problems


def _csv(file: Path) -> list[Row]:
    try:
        with file.open(newline="", encoding="utf-8-sig") as stream:
            first = stream.readline()
            stream.seek(0)
            # The separator is the one that the header has most of.
            separator = max(",;\t", key=first.count)
            return list(csv.DictReader(stream, delimiter=separator))
    except UnicodeDecodeError as error:
        raise ValueError(f"{file} is not UTF-8 (byte {error.start}): save it as UTF-8") from None
    except csv.Error as error:
        raise ValueError(f"{file} cannot be read as CSV ({error}): save it anew") from None


def _parquet(file: Path) -> list[Row]:
    try:
        pandas: Any = import_module("pandas")
        table = pandas.read_parquet(file)
    except ImportError:
        raise RuntimeError("parquet files need pandas and pyarrow: install them, or save as CSV") from None
    except (ValueError, OSError) as error:
        raise ValueError(f"{file} cannot be read as parquet ({error}): save it anew") from None
    rows: list[Row] = table.to_dict("records")
    return rows


def _text(value: Any) -> str:
    """Write a name down; parquet has numbers, and None or NaN for none."""
    missing = value is None or (isinstance(value, float) and math.isnan(value))
    return "" if missing else str(value).strip()


def _scanpath(rows: list[Row], size: tuple[int, int], source: str, observer: str, task: str) -> tuple[Scanpath, int]:
    """Make a path, and count the rows that have no place."""
    placed = [row for row in rows if _number(row["x"], "x") is not None and _number(row["y"], "y") is not None]
    if not placed:
        raise ValueError("no row has x and y")

    def column(name: str) -> np.ndarray | None:
        values = [_number(row.get(name), name) for row in placed]
        if all(value is None for value in values):
            return None
        if None in values:
            raise ValueError(f"{name} is missing in row {values.index(None) + 1} of {len(values)} that have a place")
        return np.array(values, dtype=np.float64)

    x, y, duration, start = (column(name) for name in ("x", "y", "duration", "start"))
    if duration is not None and duration.size and np.median(duration) > _LONGEST_SECONDS:
        raise ValueError(f"durations look like milliseconds (median {np.median(duration):g}): give seconds")
    if start is not None and (np.diff(start) < 0).any():
        raise ValueError("starts go back in time: put the rows of a look in order, and name each look's observer")
    return Scanpath(x, y, size, duration, start, source, task, observer), len(rows) - len(placed)  # type: ignore[arg-type]


def _number(value: Any, name: str) -> float | None:
    """Read a cell; None where it is empty or not a number by its own account."""
    text = _text(value)
    if text.lower() in ("", "nan", "na", "none", "null"):
        return None
    try:
        return float(text)
    except ValueError:
        raise ValueError(f"{name} is {text!r}, not a number") from None


def _check_units(viewings: list[Viewing], table: Path) -> None:
    """Refuse places that are parts of a picture."""
    furthest = max(float(np.abs(path.points).max()) for viewing in viewings for path in viewing.scanpaths)
    if furthest <= 1 and min(min(viewing.size) for viewing in viewings) > 8:
        raise ValueError(f"{table}: all places lie between 0 and 1: give pixels of the picture")

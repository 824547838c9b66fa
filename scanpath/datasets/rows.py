"""Tables of fixations, CSV or parquet: their rows, the names of their columns, and what a look's rows make."""

import csv
import math
from collections.abc import Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

from foveate.scanpath.fixations import Scanpath, Size

__all__ = [
    "COLUMNS",
    "UNITS",
    "Row",
    "check_places",
    "check_unit",
    "group_looks",
    "make_scanpath",
    "name_columns",
    "read_number",
    "read_rows",
]

#: What columns are called, but for a mapping that says otherwise.
COLUMNS = ("image", "x", "y", "observer", "duration", "start", "task")
#: Units of durations and starts, and how many of them are a second.
UNITS = {"s": 1.0, "ms": 1000.0}
_OBSERVERS = ("observer", "subject", "participant")
# Nobody rests for so long, and everybody for more milliseconds; nor for so short.
_LONGEST_SECONDS, _SHORTEST_SECONDS = 20.0, 0.005

Row = dict[str, Any]


def read_rows(file: Path) -> list[Row]:
    """Read a table.

    Args:
        file: Parquet by its ending, else CSV separated by commas, semicolons or tabs.

    Returns:
        A dictionary a row, column to cell.

    Raises:
        ValueError: It cannot be read or has no rows.
        RuntimeError: Parquet without pandas and pyarrow.
    """
    rows = _parquet(file) if file.suffix == ".parquet" else _csv(file)
    if not rows:
        raise ValueError(f"{file} has no rows: it needs one a fixation, with image, x and y")
    return rows


def name_columns(
    rows: list[Row], table: Path, columns: Mapping[str, str] | None = None, extra: Sequence[str] = ()
) -> tuple[list[Row], list[str]]:
    """Bring columns to their names, whatever their case, and say which nobody reads.

    Args:
        rows: Of the table, one at least.
        table: Its file, for messages.
        columns: Name to the column that has it, for tables that call things otherwise.
        extra: Names beside ``COLUMNS``.

    Returns:
        The rows by those names, and problems: a sentence each.

    Raises:
        ValueError: A name nobody knows, or a column that the table does not have.
    """
    known = (*COLUMNS, *extra)
    header = {str(column).strip(): column for column in filter(None, rows[0])}  # cells beyond it are under None
    places: dict[str, Any] = {}
    for name, column in (columns or {}).items():
        if name not in known:
            raise ValueError(f"columns names {name!r}, which nobody reads: name {', '.join(known)}")
        if column not in header:
            raise ValueError(
                f"{table} has no column {column!r} for {name}, only {', '.join(header)}: name one of these"
            )
        places[name] = header[column]
    mapped = set(places.values())
    for text, column in header.items():
        plain = "observer" if text.lower() in _OBSERVERS else text.lower()
        if plain in known and column not in mapped:
            places.setdefault(plain, column)
    missing = [name for name in ("image", "x", "y") if name not in places]
    if missing:
        raise ValueError(
            f"{table} has no column {', '.join(missing)}, only {', '.join(header)}: it needs image, x and y, "
            f"or say which they are with columns, such as {missing[0]}=NAME"
        )
    problems = []
    if "observer" not in places:
        problems.append(f"{table.name} has no column observer: all rows of a picture are taken for one look")
    unread = [text for text, column in header.items() if column not in places.values()]
    if unread:
        problems.append(f"{table.name}: nobody reads the columns {', '.join(unread)}")
    return [{name: row.get(column) for name, column in places.items()} for row in rows], problems


def group_looks(rows: list[Row]) -> dict[str, dict[tuple[str, str], list[Row]]]:
    """Sort rows by picture, and by observer and task."""
    looks: dict[str, dict[tuple[str, str], list[Row]]] = {}
    for row in rows:
        key = _text(row.get("observer")), _text(row.get("task"))
        looks.setdefault(_text(row["image"]), {}).setdefault(key, []).append(row)
    return looks


def make_scanpath(
    rows: list[Row], size: Size, source: str, observer: str, task: str, unit: str = "s"
) -> tuple[Scanpath, int]:
    """Make a path, and count the rows that have no place.

    Args:
        rows: Of one look, in order.
        size: Width and height of the picture, pixels.
        source: Name of the picture.
        observer: Who looked.
        task: What for.
        unit: Of durations and starts, one of ``UNITS``.

    Raises:
        ValueError: No row has a place, a cell is not a number, or times are in another unit.
    """
    placed = [row for row in rows if read_number(row["x"], "x") is not None and read_number(row["y"], "y") is not None]
    if not placed:
        raise ValueError("no row has x and y")

    def column(name: str) -> np.ndarray | None:
        values = [read_number(row.get(name), name) for row in placed]
        if all(value is None for value in values):
            return None
        if None in values:
            raise ValueError(f"{name} is missing in row {values.index(None) + 1} of {len(values)} that have a place")
        return np.array(values, dtype=np.float64)

    x, y, duration, start = (column(name) for name in ("x", "y", "duration", "start"))
    if duration is not None:
        duration = duration / check_unit(unit)
        _check_times("durations", duration, unit)
    if start is not None:
        start = start / check_unit(unit)
        if (np.diff(start) < 0).any():
            raise ValueError("starts go back in time: put the rows of a look in order, and name each look's observer")
        _check_times("gaps between starts", np.diff(start), unit)
    return Scanpath(x, y, size, duration, start, source, task, observer), len(rows) - len(placed)  # type: ignore[arg-type]


def check_places(paths: Sequence[Scanpath], table: Path) -> None:
    """Refuse places that are parts of a picture.

    Args:
        paths: All of the table.
        table: Its file, for the message.

    Raises:
        ValueError: All places lie between 0 and 1.
    """
    furthest = max(float(np.abs(path.points).max()) for path in paths)
    if furthest <= 1 and min(min(path.size) for path in paths) > 8:
        raise ValueError(f"{table}: all places lie between 0 and 1: give pixels of the picture")


def check_unit(unit: str) -> float:
    """Return how many of a unit are a second.

    Raises:
        ValueError: It is none of ``UNITS``.
    """
    if unit not in UNITS:
        raise ValueError(f"unit must be one of {', '.join(UNITS)}, got {unit!r}")
    return UNITS[unit]


def _check_times(what: str, seconds: np.ndarray, unit: str) -> None:
    """Refuse times that are a thousand times too long or too short for an eye."""
    middle = float(np.median(seconds)) if len(seconds) else 1.0
    if middle > _LONGEST_SECONDS and unit == "s":
        raise ValueError(f"{what} look like milliseconds (median {middle:g}): give seconds, or the unit ms")
    if 0 < middle < _SHORTEST_SECONDS and unit == "ms":
        raise ValueError(f"{what} look like seconds (median {1000 * middle:g}): the unit ms does not fit, say s")


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
        raise RuntimeError("parquet files need pandas and pyarrow: pip install foveate[gaze], or save as CSV") from None
    except (ValueError, OSError) as error:
        raise ValueError(f"{file} cannot be read as parquet ({error}): save it anew") from None
    rows: list[Row] = table.to_dict("records")
    return rows


def _text(value: Any) -> str:
    """Write a name down; parquet has numbers, and None or NaN for none."""
    missing = value is None or (isinstance(value, float) and math.isnan(value))
    return "" if missing else str(value).strip()


def read_number(value: Any, name: str) -> float | None:
    """Read a cell.

    Args:
        value: Of the cell.
        name: Of its column, for the message.

    Returns:
        The number; None where the cell is empty or not a number by its own account (EyeLink writes a dot).

    Raises:
        ValueError: It is text.
    """
    text = _text(value)
    if text.lower() in ("", ".", "nan", "na", "none", "null"):
        return None
    try:
        return float(text)
    except ValueError:
        raise ValueError(f"{name} is {text!r}, not a number") from None

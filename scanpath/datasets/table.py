"""Your own recordings: a folder of pictures and a table of fixations, CSV or parquet."""

from collections.abc import Mapping
from pathlib import Path

from foveate.errors import counted, sentence
from foveate.scanpath.datasets.common import GazeDataset, Viewing, picture_size
from foveate.scanpath.datasets.rows import (
    Row,
    check_places,
    check_unit,
    group_looks,
    make_scanpath,
    name_columns,
    read_rows,
)

__all__ = ["TABLES", "find_picture", "load"]

#: What the table of a folder may be called.
TABLES = ("fixations.csv", "fixations.parquet")


def load(folder: Path, *, columns: Mapping[str, str] | None = None, unit: str = "s") -> GazeDataset:
    """Read ``fixations.csv`` or ``fixations.parquet`` and the pictures beside it or in ``images``.

    Args:
        folder: Holds the table. Its columns: ``image`` (file name), ``x`` and ``y`` (pixels of the picture), and where
            known ``observer`` (or subject, participant), ``duration`` and ``start`` (seconds), ``task``. Rows of a look
            are in order; rows without a place, such as blinks, are left out.
        columns: For tables that call these otherwise, name to column: ``{"x": "CURRENT_FIX_X", ...}``.
        unit: Of durations and starts: ``s`` or ``ms``.

    Returns:
        The data set; its ``problems`` name what was left out, and columns that nobody reads.

    Raises:
        FileNotFoundError: There is no table.
        ValueError: It cannot be read, lacks a column, is in other units, or nothing in it can be used.
    """
    check_unit(unit)
    table = next((folder / name for name in TABLES if (folder / name).is_file()), None)
    if table is None:
        raise FileNotFoundError(2, "holds no fixations.csv and no fixations.parquet: write one", str(folder))
    rows, problems = name_columns(read_rows(table), table, columns)
    viewings = []
    for name, observers in group_looks(rows).items():
        try:
            viewings.append(_viewing(folder, name, observers, problems, unit))
        except (ValueError, OSError) as error:
            problems.append(f"{name}: {sentence(error)}")
    if not viewings:
        raise ValueError(f"{table} has nothing that can be used: {problems[-1]}")
    check_places([path for viewing in viewings for path in viewing.scanpaths], table)
    return GazeDataset(folder.name, tuple(viewings), "your own", tuple(problems))


def find_picture(folder: Path, name: str) -> Path | None:
    """Find the picture that a table names.

    Args:
        folder: Of the table; pictures lie in it or in ``images`` there.
        name: As the table has it.

    Returns:
        The file, or None where there is none.
    """
    return next((place for place in (folder / name, folder / "images" / name) if name and place.is_file()), None)


def _viewing(
    folder: Path, name: str, observers: dict[tuple[str, str], list[Row]], problems: list[str], unit: str
) -> Viewing:
    """Collect the looks at one picture; those that cannot be used become problems."""
    picture = find_picture(folder, name)
    if picture is None:
        raise ValueError("there is no such picture beside the table or in images/: put it there")
    size, paths, found = picture_size(picture), [], []
    for (who, task), rows in observers.items():
        try:
            path, lost = make_scanpath(rows, size, name, who, task, unit)
        except ValueError as error:
            found.append(f"observer {who!r}: {error}")
            continue
        if lost:
            left = "have no place and are" if lost > 1 else "has no place and is"
            found.append(f"observer {who!r}: {lost} of {counted(len(rows), 'row')} {left} left out")
        paths.append(path)
    if not paths:
        others = counted(len(found) - 1, "other")
        raise ValueError(found[0] + (f" ({others} like it)" if len(found) > 1 else ""))
    problems += [f"{name}, {problem}" for problem in found]
    return Viewing(name, size, tuple(paths), picture)

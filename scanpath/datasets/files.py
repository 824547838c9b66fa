"""Files of scanpaths: what ``foveate scanpath`` wrote, and tables of your own without their pictures."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from foveate.scanpath.datasets.common import picture_size
from foveate.scanpath.datasets.rows import (
    Row,
    check_places,
    check_unit,
    group_looks,
    make_scanpath,
    name_columns,
    read_number,
    read_rows,
)
from foveate.scanpath.datasets.table import TABLES, find_picture, load
from foveate.scanpath.fixations import Scanpath, Size

__all__ = ["ScanpathFile", "UnknownSizeError", "picture_name", "read_scanpaths"]

_WRITTEN = ".scanpath"
_SIZE = ("width", "height")
_PICTURES = (".png", ".jpg", ".jpeg", ".webp", ".bmp", ".gif", ".tif", ".tiff", ".ppm")


class UnknownSizeError(ValueError):
    """Nobody says how large a picture is."""


@dataclass(frozen=True, eq=False)
class ScanpathFile:
    """Scanpaths out of a file or a folder.

    Args:
        name: Of the file or folder, as given.
        scanpaths: ``source`` is their picture.
        problems: A sentence for each thing that was left out.
        unsized: Pictures left out because nobody says how large they are.
    """

    name: str
    scanpaths: tuple[Scanpath, ...]
    problems: tuple[str, ...] = ()
    unsized: tuple[str, ...] = ()

    def sizes(self) -> dict[str, Size]:
        """Return width and height of every picture, by its ``picture_name``."""
        return {picture_name(path.source): path.size for path in self.scanpaths}


def picture_name(source: str) -> str:
    """Return the name of a picture without its folder and ending."""
    path = Path(source)
    return path.stem if path.suffix.lower() in _PICTURES else path.name


def read_scanpaths(
    place: str | Path,
    *,
    columns: Mapping[str, str] | None = None,
    unit: str | None = None,
    sizes: Mapping[str, Size] | None = None,
) -> ScanpathFile:
    """Read scanpaths.

    Args:
        place: JSON of ``foveate scanpath`` (one path, a list of them, or one a line); a table, CSV or parquet, of the
            columns of ``table.load``, and ``width`` and ``height`` of the picture where its file is not beside the
            table or in ``images``; NAME.scanpath.csv of ``foveate scanpath``; or a folder of either.
        columns: Of a table: name to column, see ``table.load``; also ``width`` and ``height``.
        unit: Of a table's durations and starts: ``s`` or ``ms``; ``s`` by default.
        sizes: Width and height of pictures by ``picture_name``, for a file that does not say them; pictures that
            are not among them either are left out.

    Returns:
        The scanpaths, in the order of the file.

    Raises:
        ValueError: It cannot be read, lacks a column, is in other units, or nothing in it can be used.
        UnknownSizeError: Nobody says how large a picture is.
        FileNotFoundError: It is not there, or a folder without such files.
    """
    path = Path(place)
    check_unit(unit or "s")
    if path.is_dir() and any((path / name).is_file() for name in TABLES):
        data = load(path, columns=columns, unit=unit or "s")
        return ScanpathFile(str(place), tuple(p for viewing in data for p in viewing.scanpaths), data.problems)
    if not path.is_dir() and path.suffix.lower() not in (".json", ".jsonl"):
        return _table(path, str(place), columns, unit or "s", sizes)
    if columns or unit:
        raise ValueError(f"{place} is JSON, which has no columns and is in seconds: give columns and unit for tables")
    files = sorted(path.glob(f"*{_WRITTEN}.json")) if path.is_dir() else [path]
    if not files:
        wanted = f"no {' and no '.join(TABLES)} and no NAME{_WRITTEN}.json"
        raise FileNotFoundError(2, f"holds {wanted}: give what foveate scanpath wrote, or a table", str(place))
    return ScanpathFile(str(place), tuple(p for file in files for p in _json(file)))


def _json(file: Path) -> list[Scanpath]:
    try:
        text = file.read_text(encoding="utf-8")
        lines = text.splitlines()
        # One path a line, as --json prints them, is no JSON as a whole.
        by_line = len(lines) > 1 and all(line.startswith("{") and line.endswith("}") for line in lines if line.strip())
        data = [json.loads(line) for line in lines if line.strip()] if by_line else json.loads(text)
        paths = [Scanpath.from_dict(entry) for entry in (data if isinstance(data, list) else [data])]
    except ValueError as error:
        raise ValueError(f"{file} cannot be read ({error}): give what foveate scanpath writes") from None
    if not paths:
        raise ValueError(f"{file} holds no scanpath: give what foveate scanpath writes")
    return paths


def _table(
    file: Path, name: str, columns: Mapping[str, str] | None, unit: str, sizes: Mapping[str, Size] | None
) -> ScanpathFile:
    rows = read_rows(file)
    own = file.stem.removesuffix(_WRITTEN)
    # What foveate scanpath writes is of one picture, which its name tells.
    if own != file.stem and not any(str(column).strip().lower() == "image" for column in rows[0]):
        rows = [{"image": own, "observer": "", **row} for row in rows]
        rows = [{key: cell for key, cell in row.items() if key != "index"} for row in rows]
    rows, problems = name_columns(rows, file, columns, _SIZE)
    paths: list[Scanpath] = []
    unsized: list[str] = []
    for image, looks in group_looks(rows).items():
        size = _size(file, image, [row for some in looks.values() for row in some], sizes or {})
        if size is None:
            unsized.append(image)
            continue
        for (who, task), some in looks.items():
            try:
                path, lost = make_scanpath(some, size, image, who, task, unit)
            except ValueError as error:
                problems.append(f"{image}, observer {who!r}: {error}")
                continue
            paths.append(path)
            if lost:
                problems.append(f"{image}, observer {who!r}: rows without a place that are left out: {lost}")
    if unsized and (sizes is None or not paths):
        also = "" if sizes is None else ", and the other table has no such picture"
        raise UnknownSizeError(
            f"{file} does not say how large {unsized[0]} is{also}: add columns width and height, or put the picture "
            "beside the table"
        )
    if not paths:
        raise ValueError(f"{name} has nothing that can be used: {problems[-1]}")
    check_places(paths, file)
    return ScanpathFile(name, tuple(paths), tuple(problems), tuple(unsized))


def _size(file: Path, image: str, rows: list[Row], sizes: Mapping[str, Size]) -> Size | None:
    """Find how large a picture is: its rows, its file, the JSON beside a CSV, or who else knows; None for nobody."""
    told = {size for row in rows if (size := _told_size(file, image, row)) is not None}
    if len(told) > 1:
        one, other = (f"{width}x{height}" for width, height in sorted(told)[:2])
        raise ValueError(f"{file}: rows of {image} say {one} and {other} pixels: give each picture one size")
    if told:
        return told.pop()
    if (picture := find_picture(file.parent, image)) is not None:
        return picture_size(picture)
    beside = file.with_name(f"{image}{_WRITTEN}.json")
    if beside.is_file():
        return _json(beside)[0].size
    return sizes.get(picture_name(image))


def _told_size(file: Path, image: str, row: Row) -> Size | None:
    """Read width and height of a row; None where it leaves one of them out."""
    try:
        width, height = (read_number(row.get(name), name) for name in _SIZE)
        return None if width is None or height is None else (int(width), int(height))
    except (ValueError, OverflowError) as error:
        raise ValueError(f"{file}: the size of {image} cannot be read ({error}): give whole pixels") from None

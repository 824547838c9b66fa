"""Your own recordings: a folder of pictures and a table of fixations, CSV or parquet; and pysaliency both ways."""

import csv
from collections.abc import Iterable
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from foveate.scanpath.datasets.common import GazeDataset, Source, Viewing, need
from foveate.scanpath.fixations import Scanpath

__all__ = ["from_pysaliency", "load", "to_pysaliency"]


def load(folder: Path) -> GazeDataset:
    """Read ``fixations.csv`` or ``fixations.parquet`` and the pictures beside it or in ``images``.

    Args:
        folder: Holds the table. Its columns: ``image`` (file name), ``x`` and ``y`` (pixels of the picture), and where
            known ``observer``, ``duration`` and ``start`` (seconds), ``task``. Rows of a look are in order.

    Returns:
        The data set.

    Raises:
        FileNotFoundError: There is no table, or a picture is missing.
        ValueError: A column is missing, or a number is none.
    """
    tables = (folder / f"fixations{end}" for end in (".csv", ".parquet"))
    table = next((table for table in tables if table.is_file()), None)
    if table is None:
        need(folder, [Source("fixations.csv", "your own recordings")])
        raise FileNotFoundError(2, "holds no fixations.csv", str(folder))
    rows = _parquet(table) if table.suffix == ".parquet" else _csv(table)
    looks: dict[str, dict[tuple[str, str], list[dict[str, Any]]]] = {}
    for row in rows:
        key = str(row.get("observer") or ""), str(row.get("task") or "")
        looks.setdefault(str(row["image"]), {}).setdefault(key, []).append(row)
    viewings = []
    for name, observers in looks.items():
        picture = next((p for p in (folder / name, folder / "images" / name) if p.is_file()), None)
        if picture is None:
            need(folder, [Source(name, f"named in {table.name}")])
            continue
        with Image.open(picture) as image:
            size = image.size
        paths = tuple(_scanpath(rows, size, name, who, task) for (who, task), rows in observers.items())
        viewings.append(Viewing(name, size, paths, picture))
    return GazeDataset(folder.name, tuple(viewings), "your own")


def _csv(file: Path) -> list[dict[str, Any]]:
    with file.open(newline="", encoding="utf-8-sig") as stream:
        reader = csv.DictReader(stream)
        missing = {"image", "x", "y"} - set(reader.fieldnames or ())
        if missing:
            raise ValueError(f"{file} has no column {', '.join(sorted(missing))}: it needs image, x and y")
        return list(reader)


def _parquet(file: Path) -> list[dict[str, Any]]:
    try:
        pandas: Any = import_module("pandas")
    except ImportError:
        raise RuntimeError("parquet files need pandas and pyarrow: install them, or save as CSV") from None
    table = pandas.read_parquet(file)
    missing = {"image", "x", "y"} - set(table.columns)
    if missing:
        raise ValueError(f"{file} has no column {', '.join(sorted(missing))}: it needs image, x and y")
    rows: list[dict[str, Any]] = table.to_dict("records")
    return rows


def _scanpath(rows: list[dict[str, Any]], size: tuple[int, int], source: str, observer: str, task: str) -> Scanpath:
    def column(name: str) -> np.ndarray | None:
        values = [row.get(name) for row in rows]
        if all(value in (None, "") for value in values):
            return None
        try:
            return np.array([float(value) for value in values])  # type: ignore[arg-type]
        except (TypeError, ValueError):
            raise ValueError(f"{name} of {source}, observer {observer!r}, is not a number in every row") from None

    x, y = column("x"), column("y")
    if x is None or y is None:
        raise ValueError(f"{source}, observer {observer!r}, has no x and y")
    return Scanpath(x, y, size, column("duration"), column("start"), source, task, observer)


def from_pysaliency(stimuli: Any, fixations: Any, name: str = "pysaliency") -> GazeDataset:
    """Take over a data set of pysaliency.

    Args:
        stimuli: Stimuli or FileStimuli.
        fixations: Scanpaths (called FixationTrains up to 0.2): with ``train_xs``, ``train_ys``, ``train_ts``,
            ``train_ns`` and ``train_subjects``, or the same names with ``scanpaths``.
        name: Of the data set.

    Returns:
        The data set; times are starts, durations are unknown unless the fixations say them.
    """
    columns = [_column(fixations, key) for key in ("xs", "ys", "ts", "ns", "subjects")]
    files = getattr(stimuli, "filenames", None)
    paths: dict[int, list[Scanpath]] = {}
    for x, y, t, n, subject in zip(*columns, strict=True):
        seen = np.isfinite(np.asarray(x, dtype=np.float64))
        height, width = stimuli.sizes[int(n)][:2]
        x, y, t = (np.asarray(c, dtype=np.float64)[seen] for c in (x, y, t))
        if seen.any():
            path = Scanpath(x, y, (int(width), int(height)), start=t, source=str(int(n)), observer=str(subject))
            paths.setdefault(int(n), []).append(path)
    viewings = [
        Viewing(str(n), found[0].size, tuple(found), Path(files[n]) if files is not None else None)
        for n, found in sorted(paths.items())
    ]
    return GazeDataset(name, tuple(viewings), "as the source says")


def _column(fixations: Any, key: str) -> Iterable[Any]:
    trains = getattr(fixations, f"train_{key}", None)
    if trains is not None:
        return list(trains)
    lines = getattr(fixations, "scanpaths", None)
    if lines is None:
        raise TypeError(f"fixations must be pysaliency's FixationTrains or Scanpaths, got {type(fixations).__name__}")
    names = {"ns": "n", "subjects": "subject"}
    return list(getattr(lines, names.get(key, key)))


def to_pysaliency(dataset: GazeDataset) -> tuple[Any, Any]:
    """Make a data set one of pysaliency.

    Args:
        dataset: With pictures.

    Returns:
        FileStimuli and fixations; subjects are numbered in the order in which they first come.

    Raises:
        RuntimeError: pysaliency is not installed.
    """
    try:
        pysaliency: Any = import_module("pysaliency")
    except ImportError:
        raise RuntimeError("this needs pysaliency: pip install pysaliency") from None
    known: dict[str, int] = {}
    columns: dict[str, list[Any]] = {key: [] for key in ("xs", "ys", "ts", "ns", "subjects")}
    for number, viewing in enumerate(dataset):
        for path in viewing.scanpaths:
            start = path.start if path.start is not None else np.arange(len(path), dtype=np.float64)
            subject = known.setdefault(path.observer, len(known))
            values = (path.x, path.y, start, number, subject)
            for key, value in zip(columns, values, strict=True):
                columns[key].append(value)
    missing = [viewing.name for viewing in dataset if viewing.path is None]
    if missing:
        raise ValueError(f"pysaliency needs the pictures, and there is none of {missing[0]}")
    stimuli = pysaliency.FileStimuli([str(viewing.path) for viewing in dataset])
    make = getattr(pysaliency, "FixationTrains", None) or pysaliency.ScanpathFixations
    return stimuli, make.from_fixation_trains(*columns.values())

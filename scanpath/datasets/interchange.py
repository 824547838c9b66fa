"""Data sets of pysaliency, both ways."""

from collections.abc import Iterable
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

from foveate.scanpath.datasets.common import GazeDataset, Viewing
from foveate.scanpath.fixations import Scanpath

__all__ = ["from_pysaliency", "to_pysaliency"]


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

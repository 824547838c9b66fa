"""Recorded gaze: data sets that were published, and folders of your own."""

from collections.abc import Mapping
from pathlib import Path

from foveate.scanpath.datasets.common import GazeDataset, Viewing

__all__ = ["DATASETS", "GazeDataset", "Viewing", "open_dataset"]

# Name -> module, which is opened when it is asked for.
DATASETS = {
    "mit1003": "mit1003",
    "capmit1003": "capmit1003",
    "osie": "osie",
    "cocosearch": "cocosearch",
    "ivsn": "ivsn",
    "amazon": "amazon",
    "folder": "table",
}


def open_dataset(
    name: str, folder: str | Path, *, columns: Mapping[str, str] | None = None, unit: str | None = None
) -> GazeDataset:
    """Open a data set that lies on this machine.

    Args:
        name: One of ``DATASETS``; ``folder`` stands for pictures with a table of fixations.
        folder: Where its files are.
        columns: Of ``folder`` only: what the table calls things, ``{"x": "CURRENT_FIX_X", ...}``; see ``table.load``.
        unit: Of ``folder`` only: of durations and starts, ``s`` or ``ms``; ``s`` by default.

    Returns:
        The data set: a sequence of pictures and how people looked at them.

    Raises:
        ValueError: Nobody knows the name, a file is damaged, or columns or a unit for another data set than ``folder``.
        FileNotFoundError: Files are missing; it says which, where from, and how large they are.
    """
    from importlib import import_module

    if name not in DATASETS:
        raise ValueError(f"data sets are {', '.join(DATASETS)}, got {name!r}")
    if name != "folder" and (columns or unit):
        raise ValueError(f"columns and unit are for tables of your own (folder), and {name} is read as published")
    module = import_module(f"foveate.scanpath.datasets.{DATASETS[name]}")
    options = {"columns": columns, "unit": unit or "s"} if name == "folder" else {}
    opened: GazeDataset = module.load(Path(folder), **options)
    return opened

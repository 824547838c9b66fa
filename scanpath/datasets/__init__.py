"""Recorded gaze: data sets that were published, and folders of your own."""

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


def open_dataset(name: str, folder: str | Path) -> GazeDataset:
    """Open a data set that lies on this machine.

    Args:
        name: One of ``DATASETS``; ``folder`` stands for pictures with a table of fixations.
        folder: Where its files are.

    Returns:
        The data set: a sequence of pictures and how people looked at them.

    Raises:
        ValueError: Nobody knows the name, or a file is damaged.
        FileNotFoundError: Files are missing; it says which, where from, and how large they are.
    """
    from importlib import import_module

    if name not in DATASETS:
        raise ValueError(f"data sets are {', '.join(DATASETS)}, got {name!r}")
    module = import_module(f"foveate.scanpath.datasets.{DATASETS[name]}")
    opened: GazeDataset = module.load(Path(folder))
    return opened

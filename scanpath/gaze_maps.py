"""Where a model expects fixations, as a map of the picture: for a file, and for NSS, AUC and information gain."""

from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from foveate.scanpath.fixations import Size
from foveate.scanpath.predicting import DEFAULT, ScanpathModel, load_model
from foveate.vision.images import load_image

__all__ = ["MAP_SUFFIXES", "has_map", "is_density", "priority_map", "resize_map", "save_map"]

#: Endings that ``save_map`` knows.
MAP_SUFFIXES = (".png", ".npy")


def has_map(model: ScanpathModel) -> bool:
    """Tell whether a model has a map: a density, or saliency that is none."""
    return hasattr(model, "density") or hasattr(model, "saliency")


def is_density(model: ScanpathModel) -> bool:
    """Tell whether a model's map says how likely a place is; saliency only says which place is more so."""
    return hasattr(model, "density")


def priority_map(
    image: Any, *, model: str | ScanpathModel = DEFAULT, size: Size | None = None, device: str | None = None
) -> np.ndarray:
    """Say how likely an eye rests at each pixel of a picture.

    Args:
        image: Whatever ``foveate.vision.load_image`` takes.
        model: A name for ``load_model``, or a model: ``priority``, or a baseline, of whose saliency the sum is made 1.
        size: Width and height of the map; those of the picture by default.
        device: Where a model given by name runs.

    Returns:
        (height, width) float32, one number for each pixel of the picture, 0 or more; they sum to 1. Of ``priority``
        it is smooth: the model has 30 x 40 cells for a picture of 4:3.

    Raises:
        ValueError: The picture cannot be used, or the model has no map.
        RuntimeError: Weights are not here.
        OSError: The file cannot be read.
    """
    eye: Any = load_model(model, device) if isinstance(model, str) else model
    if not has_map(eye):
        raise ValueError(f"{eye.name} makes paths without a map: take priority, centre, spectral or saliency-centre")
    picture = load_image(image)
    cells = eye.density(picture) if is_density(eye) else eye.saliency(picture)
    return resize_map(cells, size or picture.size).astype(np.float32)


def resize_map(cells: np.ndarray, size: Size) -> np.ndarray:
    """Stretch a map over a picture.

    Args:
        cells: (rows, columns) over the whole picture, 0 or more.
        size: Width and height of the picture, pixels.

    Returns:
        (height, width) float64; bilinear between the middles of cells, and the sum is 1.
    """
    # Of a picture of millions of pixels, numbers that sum to 1 are small; the highest is 1 until the end.
    scaled = Image.fromarray((cells / cells.max()).astype(np.float32)) if cells.max() > 0 else None
    if scaled is None:
        return np.full((size[1], size[0]), 1 / (size[0] * size[1]))
    values = np.asarray(scaled.resize(size, Image.Resampling.BILINEAR), dtype=np.float64)
    result: np.ndarray = values / values.sum()
    return result


def save_map(density: np.ndarray, file: str | Path) -> Path:
    """Write a map.

    Args:
        density: (height, width), 0 or more.
        file: ``.npy`` keeps float32 as it is. ``.png`` is for looking at: 8 bits of grey, divided by the largest
            number, which the file's Description notes.

    Returns:
        The file.

    Raises:
        ValueError: Another ending.
        OSError: The file cannot be written.
    """
    path = Path(file)
    if path.suffix.lower() not in MAP_SUFFIXES:
        raise ValueError(f"a map is written as {' or '.join(MAP_SUFFIXES)}, got {path.name}: give it one of these")
    if path.suffix.lower() == ".npy":
        np.save(path, density.astype(np.float32))
        return path
    largest = float(density.max())
    note = PngInfo()
    note.add_text("Description", f"gaze density divided by its largest value, {largest:.6g}, and multiplied by 255")
    grey = np.rint(density / largest * 255) if largest > 0 else np.zeros_like(density)
    Image.fromarray(grey.astype(np.uint8)).save(path, pnginfo=note)
    return path

"""Elements of a screen as objects to look at: what stands out from a plain background, without learning."""

import numpy as np
from PIL import Image

__all__ = ["find_elements"]

# Cells along the longer side, in which edges that are close to each other count as one thing.
_CELLS = 160
# Of 255: what a neighbouring pixel must differ by to be an edge.
_EDGE = 24
# Share of the picture above which a box is a window or a photograph of everything, and no element of it.
_LARGEST = 0.25


def find_elements(image: Image.Image, most: int = 100) -> np.ndarray:
    """Find buttons, icons, words and other things on a screen: groups of edges with plain background around.

    Args:
        image: A screenshot; photographs have edges everywhere, and a grid suits them better.
        most: Elements at most, the largest.

    Returns:
        Boxes (elements, 4): left, top, right, bottom, pixels, row by row; (0, 4) for a picture without any.
    """
    pixels = np.asarray(image.convert("RGB"), dtype=np.int16)
    columns, rows = image.size
    edge = np.zeros((rows, columns), dtype=bool)
    edge[:, 1:] |= np.abs(np.diff(pixels, axis=1)).max(2) > _EDGE
    edge[1:] |= np.abs(np.diff(pixels, axis=0)).max(2) > _EDGE
    y, x = np.nonzero(edge)
    if not len(y):
        return np.zeros((0, 4))
    cell = max(2, round(max(image.size) / _CELLS))
    taken = np.zeros((rows // cell + 1, columns // cell + 1), dtype=bool)
    taken[y // cell, x // cell] = True
    group = _connect(taken)[y // cell, x // cell]
    names, group = np.unique(group, return_inverse=True)
    boxes = np.empty((len(names), 4))
    for column, places in enumerate((x, y)):
        low, high = np.full(len(names), np.inf), np.full(len(names), -np.inf)
        np.minimum.at(low, group, places)
        np.maximum.at(high, group, places)
        # An edge is marked on the pixel after it, so that the last mark is already outside the thing.
        boxes[:, column], boxes[:, column + 2] = low, np.maximum(high, low + 1)
    width, height = (boxes[:, 2:] - boxes[:, :2]).T
    kept = (np.minimum(width, height) >= cell / 2) & (width * height <= _LARGEST * edge.size)
    boxes, area = boxes[kept], (width * height)[kept]
    boxes = boxes[np.argsort(-area, kind="stable")[:most]]
    return boxes[np.lexsort((boxes[:, 0], boxes[:, 1]))]


def _connect(taken: np.ndarray) -> np.ndarray:
    """Give cells that touch, also at corners, the same number; 0 for cells that are not taken."""
    numbers = np.where(taken, np.arange(1, taken.size + 1).reshape(taken.shape), 0)
    while True:
        wide = np.pad(numbers, 1)
        rows, columns = taken.shape
        near = [wide[i : i + rows, j : j + columns] for i in range(3) for j in range(3)]
        spread = np.where(taken, np.max(near, axis=0), 0)
        if (spread == numbers).all():
            return numbers
        numbers = spread

"""Objects on a picture: a shelf's grid, or boxes from anywhere put into rows and columns."""

from dataclasses import dataclass

import numpy as np

__all__ = ["Layout"]


@dataclass(frozen=True, eq=False)
class Layout:
    """Where objects are.

    Args:
        boxes: (objects, 4): left, top, right, bottom, pixels of the picture.
        places: (objects, 2): row and column, whole numbers from 0.
        size: Width and height of the picture, pixels.

    Raises:
        ValueError: There are no objects, shapes do not fit, or a box is reversed or not finite.
    """

    boxes: np.ndarray
    places: np.ndarray
    size: tuple[int, int]

    def __post_init__(self) -> None:
        boxes, places = np.asarray(self.boxes, dtype=np.float64), np.asarray(self.places, dtype=np.int64)
        if boxes.ndim != 2 or boxes.shape[1:] != (4,) or not len(boxes):
            raise ValueError(f"boxes must be (objects, 4) with at least one, got shape {boxes.shape}")
        if places.shape != (len(boxes), 2):
            raise ValueError(f"places must be ({len(boxes)}, 2), a row and a column each, got shape {places.shape}")
        wrong = ~np.isfinite(boxes).all(1) | (boxes[:, 2] < boxes[:, 0]) | (boxes[:, 3] < boxes[:, 1])
        if wrong.any():
            first = int(np.argmax(wrong))
            raise ValueError(
                f"box {first} must be left <= right, top <= bottom and finite, got {boxes[first].tolist()}"
            )
        object.__setattr__(self, "boxes", boxes)
        object.__setattr__(self, "places", places)

    def __len__(self) -> int:
        return len(self.boxes)

    @property
    def rows(self) -> int:
        """Rows there are."""
        return int(self.places[:, 0].max()) + 1

    @property
    def columns(self) -> int:
        """Columns there are."""
        return int(self.places[:, 1].max()) + 1

    @property
    def centers(self) -> np.ndarray:
        """Middles of the boxes (objects, 2): x, y, pixels."""
        return (self.boxes[:, :2] + self.boxes[:, 2:]) / 2

    @classmethod
    def grid(cls, rows: int, columns: int, size: tuple[int, int]) -> "Layout":
        """Divide a picture evenly; objects count row by row from the left top."""
        if rows < 1 or columns < 1:
            raise ValueError(f"a grid needs at least one row and one column, got {rows} and {columns}")
        row, column = np.divmod(np.arange(rows * columns), columns)
        width, height = size[0] / columns, size[1] / rows
        boxes = np.stack([column * width, row * height, (column + 1) * width, (row + 1) * height], 1)
        return cls(boxes, np.stack([row, column], 1), size)

    @classmethod
    def from_boxes(cls, boxes: np.ndarray, size: tuple[int, int], most: tuple[int, int] = (14, 14)) -> "Layout":
        """Put boxes into rows and columns: centres closer than half a typical box share one.

        Args:
            boxes: (objects, 4): left, top, right, bottom, pixels. They are cut at the edges of the picture.
            size: Width and height of the picture, pixels.
            most: Rows and columns at most, such as a model learned; more are scaled down to them, and objects may then
                share a cell.

        Raises:
            ValueError: There are no boxes, or one lies off the picture, is reversed or not finite.
        """
        boxes = np.asarray(boxes, dtype=np.float64)
        if boxes.size == 0:
            raise ValueError("there are no boxes: give at least one")
        boxes = cls(boxes, np.zeros((len(boxes), 2)), size).boxes
        off = (boxes[:, :2] >= size).any(1) | (boxes[:, 2:] < 0).any(1)
        if off.any():
            first = int(np.argmax(off))
            raise ValueError(f"box {first} lies off the picture of {size}: {boxes[first].tolist()}, leave it out")
        boxes = np.clip(boxes, 0, [*size, *size])
        places = []
        for low, limit in zip((1, 0), most, strict=True):
            middle, extent = (boxes[:, low] + boxes[:, low + 2]) / 2, boxes[:, low + 2] - boxes[:, low]
            order = np.argsort(middle, kind="stable")
            gap = np.diff(middle[order]) > max(np.median(extent) / 2, 1e-9)
            line = np.empty(len(boxes), dtype=np.int64)
            line[order] = np.concatenate([[0], np.cumsum(gap)])
            places.append(line * (limit - 1) // line.max() if line.max() >= limit else line)
        return cls(boxes, np.stack(places, 1), size)

    def object_at(self, x: float, y: float) -> int:
        """Return the object under a point, or the one whose box is nearest."""
        dx = np.maximum(np.maximum(self.boxes[:, 0] - x, x - self.boxes[:, 2]), 0)
        dy = np.maximum(np.maximum(self.boxes[:, 1] - y, y - self.boxes[:, 3]), 0)
        return int(np.argmin(np.hypot(dx, dy)))

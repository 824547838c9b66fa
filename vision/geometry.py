"""Points and boxes that carry their frame: pixels of the original picture, or fractions of it."""

from dataclasses import dataclass
from typing import Literal

Frame = Literal["pixels", "fractions"]
Size = tuple[int, int]


def _check_frame(frame: str) -> None:
    if frame not in ("pixels", "fractions"):
        raise ValueError(f"frame must be 'pixels' or 'fractions', got {frame!r}")


def _check_size(size: Size) -> None:
    if len(size) != 2 or min(size) <= 0:
        raise ValueError(f"size must be (width, height), both above 0, got {size}")


@dataclass(frozen=True)
class Point:
    """A place on a picture.

    Args:
        x: From the left edge.
        y: From the top edge.
        frame: "pixels" of the original picture, or "fractions" of its width and height (0 to 1).
    """

    x: float
    y: float
    frame: Frame = "pixels"

    def __post_init__(self) -> None:
        _check_frame(self.frame)

    def to_pixels(self, size: Size) -> "Point":
        """Return the place in pixels of a picture of ``size`` (width, height)."""
        _check_size(size)
        return self if self.frame == "pixels" else Point(self.x * size[0], self.y * size[1])

    def to_fractions(self, size: Size) -> "Point":
        """Return the place in fractions of a picture of ``size`` (width, height)."""
        _check_size(size)
        return self if self.frame == "fractions" else Point(self.x / size[0], self.y / size[1], "fractions")


@dataclass(frozen=True)
class Box:
    """An upright rectangle on a picture.

    Args:
        left: From the left edge.
        top: From the top edge.
        right: From the left edge; at least ``left``.
        bottom: From the top edge; at least ``top``.
        frame: "pixels" of the original picture, or "fractions" of its width and height (0 to 1).

    Raises:
        ValueError: The sides are reversed or the frame is unknown.
    """

    left: float
    top: float
    right: float
    bottom: float
    frame: Frame = "pixels"

    def __post_init__(self) -> None:
        _check_frame(self.frame)
        if not (self.left <= self.right and self.top <= self.bottom):
            raise ValueError(
                f"a box needs left <= right and top <= bottom, got {self.as_tuple()}: swap the reversed sides"
            )

    @classmethod
    def from_xywh(cls, x: float, y: float, width: float, height: float, frame: Frame = "pixels") -> "Box":
        """Build a box from its left top corner and its size."""
        return cls(x, y, x + width, y + height, frame)

    @property
    def width(self) -> float:
        """Extent from left to right."""
        return self.right - self.left

    @property
    def height(self) -> float:
        """Extent from top to bottom."""
        return self.bottom - self.top

    @property
    def area(self) -> float:
        """Width times height."""
        return self.width * self.height

    @property
    def center(self) -> Point:
        """The middle."""
        return Point((self.left + self.right) / 2, (self.top + self.bottom) / 2, self.frame)

    def as_tuple(self) -> tuple[float, float, float, float]:
        """Return left, top, right, bottom."""
        return self.left, self.top, self.right, self.bottom

    def contains(self, point: Point) -> bool:
        """Whether a point lies inside; borders belong to the box, as in the ScreenSpot measures."""
        self._same_frame(point)
        return self.left <= point.x <= self.right and self.top <= point.y <= self.bottom

    def iou(self, other: "Box") -> float:
        """Share of the common area in the joint area, 0 to 1; 0 for two empty boxes."""
        self._same_frame(other)
        width = min(self.right, other.right) - max(self.left, other.left)
        height = min(self.bottom, other.bottom) - max(self.top, other.top)
        common = max(width, 0.0) * max(height, 0.0)
        joint = self.area + other.area - common
        return common / joint if joint > 0 else 0.0

    def clip(self, size: Size) -> "Box":
        """Cut to a picture of ``size`` (width, height in pixels)."""
        _check_size(size)
        right, bottom = (float(size[0]), float(size[1])) if self.frame == "pixels" else (1.0, 1.0)

        def inside(value: float, end: float) -> float:
            return min(max(value, 0.0), end)

        sides = (
            inside(self.left, right),
            inside(self.top, bottom),
            inside(self.right, right),
            inside(self.bottom, bottom),
        )
        return Box(*sides, self.frame)

    def to_pixels(self, size: Size) -> "Box":
        """Return the box in pixels of a picture of ``size`` (width, height)."""
        _check_size(size)
        if self.frame == "pixels":
            return self
        return Box(self.left * size[0], self.top * size[1], self.right * size[0], self.bottom * size[1])

    def to_fractions(self, size: Size) -> "Box":
        """Return the box in fractions of a picture of ``size`` (width, height)."""
        _check_size(size)
        if self.frame == "fractions":
            return self
        return Box(self.left / size[0], self.top / size[1], self.right / size[0], self.bottom / size[1], "fractions")

    def _same_frame(self, other: "Point | Box") -> None:
        if other.frame != self.frame:
            raise ValueError(
                f"cannot mix frames {self.frame} and {other.frame}: convert one with to_pixels or to_fractions"
            )

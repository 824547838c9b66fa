"""Where an eye rested, for how long, and how many pixels are a degree of it."""

import csv
import io
import json
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from foveate.errors import counted

Size = tuple[int, int]


@dataclass(frozen=True)
class Fixation:
    """One rest of the eye.

    Args:
        x: From the left edge of the original picture, pixels.
        y: From its top edge, pixels.
        duration: Seconds; None where nobody knows.
    """

    x: float
    y: float
    duration: float | None = None


@dataclass(frozen=True, eq=False)
class Scanpath:
    """The fixations of one look at a picture, in order.

    Args:
        x: (fixations,) pixels of the original picture from its left edge.
        y: (fixations,) pixels from its top edge.
        size: Width and height of the picture, pixels.
        duration: (fixations,) seconds, or None where nobody knows.
        start: (fixations,) seconds from the onset of the picture, or None.
        source: What the picture is called.
        task: What was looked for; empty in free viewing.
        observer: Who looked: a person's or a model's name.
        trained: False for a model with random weights, whose path means nothing.
        details: Anything else worth keeping; JSON values.

    Raises:
        ValueError: No fixation, numbers that are not finite, durations below 0, or columns of unequal lengths.
    """

    x: np.ndarray
    y: np.ndarray
    size: Size
    duration: np.ndarray | None = None
    start: np.ndarray | None = None
    source: str = ""
    task: str = ""
    observer: str = ""
    trained: bool = True
    details: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if len(self.size) != 2 or min(self.size) < 1:
            raise ValueError(f"size must be (width, height) in pixels, both at least 1, got {self.size}")
        object.__setattr__(self, "size", (int(self.size[0]), int(self.size[1])))
        columns = {"x": self.x, "y": self.y, "duration": self.duration, "start": self.start}
        length = len(np.atleast_1d(np.asarray(self.x)))
        for name, column in columns.items():
            if column is None:
                continue
            numbers = np.array(column, dtype=np.float64)
            if numbers.ndim != 1:
                raise ValueError(f"{name} must be one number a fixation, got an array of shape {numbers.shape}")
            if len(numbers) != length:
                raise ValueError(
                    f"{name} has {counted(len(numbers), 'number')} for {counted(length, 'fixation')}: give one for each"
                )
            if not np.isfinite(numbers).all():
                first = int(np.argmin(np.isfinite(numbers)))
                raise ValueError(f"{name} of fixation {first} is {numbers[first]}: drop fixations without a place")
            numbers.setflags(write=False)
            object.__setattr__(self, name, numbers)
        if length == 0:
            raise ValueError("a scanpath needs at least one fixation: leave out observers who saw nothing")
        if self.duration is not None and (self.duration < 0).any():
            raise ValueError(f"durations must be 0 seconds or more, got {self.duration.min():g}")

    @classmethod
    def from_fixations(cls, fixations: Sequence[Fixation], size: Size, **facts: Any) -> "Scanpath":
        """Collect single fixations.

        Args:
            fixations: In order; either all have a duration or none has.
            size: Width and height of the picture, pixels.
            **facts: Other arguments of the class.
        """
        durations = [fixation.duration for fixation in fixations]
        known = [duration is not None for duration in durations]
        if any(known) and not all(known):
            raise ValueError(
                f"fixation {known.index(False)} has no duration while others have: give all of them one, or none"
            )
        return cls(
            np.array([fixation.x for fixation in fixations]),
            np.array([fixation.y for fixation in fixations]),
            size,
            np.array(durations, dtype=np.float64) if all(known) and known else None,
            **facts,
        )

    def __len__(self) -> int:
        return len(self.x)

    def __iter__(self) -> Iterator[Fixation]:
        for i in range(len(self)):
            yield self[i]

    def __getitem__(self, index: int) -> Fixation:
        duration = None if self.duration is None else float(self.duration[index])
        return Fixation(float(self.x[index]), float(self.y[index]), duration)

    @property
    def points(self) -> np.ndarray:
        """Places (fixations, 2): x, y in pixels."""
        return np.stack([self.x, self.y], 1)

    @property
    def saccades(self) -> np.ndarray:
        """Lengths of the jumps (fixations - 1,), pixels."""
        return np.hypot(np.diff(self.x), np.diff(self.y))

    @property
    def inside(self) -> np.ndarray:
        """Which fixations lie on the picture (fixations,), true or false."""
        width, height = self.size
        return (self.x >= 0) & (self.x < width) & (self.y >= 0) & (self.y < height)

    def clipped(self) -> "Scanpath":
        """Return the path with every fixation moved onto the picture, to the middle of its outermost pixels at most."""
        width, height = self.size
        return replace(self, x=np.clip(self.x, 0, width - 1), y=np.clip(self.y, 0, height - 1))

    def scaled(self, size: Size) -> "Scanpath":
        """Return the path as it would be on the picture resized.

        Args:
            size: New width and height, pixels; the aspect may change.
        """
        return replace(self, x=self.x * size[0] / self.size[0], y=self.y * size[1] / self.size[1], size=size)

    def first(self, count: int) -> "Scanpath":
        """Return the path of the first fixations, ``count`` at most."""
        if count < 1:
            raise ValueError(f"count must be at least 1, got {count}")
        cut = {name: column[:count] for name in ("duration", "start") if (column := getattr(self, name)) is not None}
        return replace(self, x=self.x[:count], y=self.y[:count], **cut)

    def in_degrees(self, geometry: "ViewingGeometry") -> np.ndarray:
        """Return places in degrees of visual angle from the picture's middle, (fixations, 2): right, down."""
        middle = np.array(self.size) / 2
        return geometry.degrees(self.points - middle)

    def to_dict(self) -> dict[str, Any]:
        """Return plain data: places in pixels of the original picture, times in seconds."""
        rows = []
        for i, fixation in enumerate(self):
            row: dict[str, Any] = {"index": i + 1, "x": round(fixation.x, 2), "y": round(fixation.y, 2)}
            if fixation.duration is not None:
                row["duration"] = round(fixation.duration, 4)
            if self.start is not None:
                row["start"] = round(float(self.start[i]), 4)
            rows.append(row)
        facts = {"source": self.source, "task": self.task, "observer": self.observer, "trained": self.trained}
        image = {"width": self.size[0], "height": self.size[1]}
        more = {"details": self.details} if self.details else {}
        return {"schema": 1, **facts, "image": image, "fixations": rows, **more}

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> "Scanpath":
        """Read what ``to_dict`` wrote.

        Args:
            data: Plain data.

        Raises:
            ValueError: It is something else.
        """
        try:
            rows, size = data["fixations"], (data["image"]["width"], data["image"]["height"])
            columns: dict[str, Any] = {
                name: np.array([row[name] for row in rows], dtype=np.float64)
                for name in ("duration", "start")
                if rows and all(name in row for row in rows)
            }
            x, y = (np.array([row[name] for row in rows], dtype=np.float64) for name in ("x", "y"))
        except (KeyError, TypeError) as error:
            reason = f"{type(error).__name__}: {error}"
            raise ValueError(f"this is no scanpath ({reason}): give what to_dict wrote") from None
        names = ("source", "task", "observer", "trained", "details")
        return cls(x, y, size, **columns, **{name: data[name] for name in names if name in data})

    @classmethod
    def from_json(cls, text: str) -> "Scanpath":
        """Read what ``to_json`` wrote, such as the file that ``foveate scanpath`` leaves.

        Args:
            text: JSON.

        Raises:
            ValueError: It is something else.
        """
        return cls.from_dict(json.loads(text))

    def to_json(self) -> str:
        """Return ``to_dict`` as text."""
        return json.dumps(self.to_dict(), indent=2, ensure_ascii=False)

    def to_csv(self) -> str:
        """Return a table with a line for each fixation: pixels, seconds."""
        stream = io.StringIO()
        columns = ["index", "x", "y", *(n for n in ("duration", "start") if getattr(self, n) is not None)]
        writer = csv.DictWriter(stream, columns, lineterminator="\n")
        writer.writeheader()
        writer.writerows(self.to_dict()["fixations"])
        return stream.getvalue()


@dataclass(frozen=True)
class ViewingGeometry:
    """How a picture stood before an eye.

    Args:
        pixels_per_degree: Pixels of the original picture that one degree of visual angle covers at its middle.

    Raises:
        ValueError: The number is not above 0.
    """

    pixels_per_degree: float

    def __post_init__(self) -> None:
        if not (math.isfinite(self.pixels_per_degree) and self.pixels_per_degree > 0):
            raise ValueError(f"pixels_per_degree must be a number above 0, got {self.pixels_per_degree}")

    @classmethod
    def from_screen(cls, width_pixels: float, width_cm: float, distance_cm: float) -> "ViewingGeometry":
        """Work it out from a screen.

        Args:
            width_pixels: Pixels of the original picture along some line of the screen.
            width_cm: Length of that line, centimetres.
            distance_cm: From the eye to the screen, centimetres.
        """
        if min(width_pixels, width_cm, distance_cm) <= 0:
            raise ValueError(f"all must be above 0, got {width_pixels} pixels, {width_cm} cm and {distance_cm} cm")
        return cls(2 * distance_cm * math.tan(math.radians(0.5)) * width_pixels / width_cm)

    def degrees(self, pixels: float | np.ndarray) -> Any:
        """Turn lengths in pixels into degrees of visual angle."""
        return pixels / self.pixels_per_degree

    def pixels(self, degrees: float | np.ndarray) -> Any:
        """Turn degrees of visual angle into pixels."""
        return degrees * self.pixels_per_degree

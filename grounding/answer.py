"""What pointing answers: the click, its region, and everything needed to draw and save it."""

import html
import io
import json
from base64 import b64encode
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

import foveate
from foveate.vision.draw import draw_box, draw_heatmap, draw_point
from foveate.vision.geometry import Box, Point

SCHEMA = 1


@dataclass(frozen=True)
class PointedRegion:
    """One connected place the model looked at.

    Args:
        point: Attention-weighted centre, pixels of the original picture.
        box: Smallest box around the region's cells, pixels.
        confidence: Share of all attention that lies in the region, 0 to 1.
        score: What regions are sorted by: the highest attention of a cell, as in V2P (arXiv 2508.13634).
    """

    point: Point
    box: Box
    confidence: float
    score: float

    def to_dict(self) -> dict[str, Any]:
        """Return plain numbers, rounded to what they are worth."""
        return {
            "point": [round(self.point.x, 1), round(self.point.y, 1)],
            "box": [round(v, 1) for v in self.box.as_tuple()],
            "confidence": round(self.confidence, 4),
            "score": round(self.score, 6),
        }


@dataclass(frozen=True)
class Failure:
    """A question of a batch that could not be answered.

    Args:
        source: What the picture is called.
        instruction: The sentence.
        error: One sentence.
    """

    source: str
    instruction: str
    error: str


@dataclass(frozen=True)
class Pointing:
    """Where to click, and why.

    Args:
        point: The click, pixels of the original picture.
        box: Box of the best region, pixels: what the model took for the target, often a little larger or smaller.
        confidence: Share of all attention that lies in the best region, 0 to 1. Not a calibrated probability.
        regions: All regions, best first.
        heatmap: Attention on the stride-8 grid, (rows, columns) float32, sums to 1.
        size: Width and height of the original picture, pixels.
        instruction: The sentence.
        seconds: Time for this answer; sentences asked together share the time of encoding the picture.
        model: Name or weights file.
        trained: False when the weights are random, and the click means nothing.
        source: What the picture is called.
        image: The original picture, RGB.
        heat_extent: Width and height that the heatmap covers, pixels; its last cells may reach over the edge.
    """

    point: Point
    box: Box
    confidence: float
    regions: tuple[PointedRegion, ...]
    heatmap: np.ndarray = field(repr=False, compare=False)
    size: tuple[int, int]
    instruction: str
    seconds: float = field(compare=False)
    model: str
    trained: bool
    source: str
    image: Image.Image = field(repr=False, compare=False)
    heat_extent: tuple[float, float] = field(repr=False)

    @property
    def click(self) -> tuple[int, int]:
        """The pixel to click, whole numbers inside the picture."""
        return int(self.point.x), int(self.point.y)

    @property
    def fraction(self) -> tuple[float, float]:
        """The click in fractions of the picture, 0 to 1."""
        return self.point.x / self.size[0], self.point.y / self.size[1]

    def draw(self, top: int = 1, heatmap: bool = False) -> Image.Image:
        """Draw the answer on a copy of the picture.

        Args:
            top: Regions to draw, at least 1.
            heatmap: Draw the attention under them.

        Returns:
            RGB picture of the original's size; it says so when the model is untrained.
        """
        picture = draw_heatmap(self.image, self.heatmap, self.heat_extent) if heatmap else self.image
        for rank, region in reversed(list(enumerate(self.regions[1:top], start=2))):
            picture = draw_box(picture, region.box, str(rank))
        note = "" if self.trained else "untrained: "
        return draw_point(draw_box(picture, self.box), self.point, f"{note}{self.instruction}")

    def save(self, path: str | Path, top: int = 1, heatmap: bool = False) -> Path:
        """Write the drawn picture, and the answer as JSON beside it.

        Args:
            path: File for the picture, such as ``shot.point.png``.
            top: Regions to draw and to write.
            heatmap: Draw the attention, and write it as ``.npy`` beside.

        Returns:
            The path of the picture.
        """
        target = Path(path)
        target.parent.mkdir(parents=True, exist_ok=True)
        self.draw(top, heatmap).save(target)
        if heatmap:
            np.save(target.with_suffix(".npy"), self.heatmap)
        # The JSON comes last and whole: where it is, the answer is complete.
        draft = target.with_suffix(".json.tmp")
        draft.write_text(json.dumps(self.to_dict(top), indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
        draft.replace(target.with_suffix(".json"))
        return target

    def to_dict(self, top: int | None = None) -> dict[str, Any]:
        """Return the answer as plain data.

        Args:
            top: Regions to keep; all by default.

        Returns:
            What JSON can hold; places in pixels of the original picture, left, top, right, bottom for boxes.
        """
        return {
            "schema": SCHEMA,
            "tool": f"foveate {foveate.__version__} point",
            "source": self.source,
            "instruction": self.instruction,
            "image": {"width": self.size[0], "height": self.size[1]},
            "point": [round(self.point.x, 1), round(self.point.y, 1)],
            "fraction": [round(v, 5) for v in self.fraction],
            "box": [round(v, 1) for v in self.box.as_tuple()],
            "confidence": round(self.confidence, 4),
            "regions_found": len(self.regions),
            "regions": [region.to_dict() for region in self.regions[:top]],
            "seconds": round(self.seconds, 3),
            "model": self.model,
            "trained": self.trained,
        }

    def _repr_html_(self) -> str:
        """Show the picture and one line in a notebook."""
        stream = io.BytesIO()
        self.draw().save(stream, "PNG")
        x, y = self.click
        line = f"{html.escape(self.instruction)} &rarr; ({x}, {y}), confidence {self.confidence:.2f}"
        source = f"data:image/png;base64,{b64encode(stream.getvalue()).decode()}"
        return f'<figure><img style="max-width:100%" src="{source}"><figcaption>{line}</figcaption></figure>'

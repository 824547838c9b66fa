"""Fit a picture to the grid of a pointer, and carry places on that grid back to the picture."""

from dataclasses import dataclass

import numpy as np
import torch
from PIL import Image

MULTIPLE = 32
MAX_PIXELS = 2_100_000
MIN_SIDE = 16
MAX_ASPECT = 50
RESIZE = f"at most {MAX_PIXELS / 1e6:.1f} megapixels (antialiased bicubic), edges repeated to multiples of {MULTIPLE}"


@dataclass(frozen=True)
class Canvas:
    """A picture made ready for the network.

    Args:
        pixels: RGB, 0 to 1, (1, 3, height, width); sides are multiples of 32.
        size: Width and height of the original picture, pixels.
        inner: Width and height of the picture on the canvas; the rest is padding at the right and bottom.
    """

    pixels: torch.Tensor
    size: tuple[int, int]
    inner: tuple[int, int]

    def grid(self, stride: int) -> tuple[int, int]:
        """Columns and rows of cells that show some of the picture."""
        return -(-self.inner[0] // stride), -(-self.inner[1] // stride)

    def to_picture(self, x: float, y: float, stride: int) -> tuple[float, float]:
        """Carry a place in fractions of the grid to pixels of the original, kept inside the picture.

        The last column and row of cells may reach over the edge, so a fraction of the grid is not one of the picture.
        """
        columns, rows = self.grid(stride)
        width, height = self.size
        left = x * columns * stride / self.inner[0] * width
        top = y * rows * stride / self.inner[1] * height
        return min(max(left, 0.0), float(width)), min(max(top, 0.0), float(height))


def prepare(image: Image.Image, max_pixels: int = MAX_PIXELS) -> Canvas:
    """Fit a picture to the network.

    Args:
        image: RGB picture.
        max_pixels: A larger picture is made smaller, keeping its shape.

    Returns:
        The canvas.

    Raises:
        ValueError: The picture is smaller than 16 pixels or more than 50 times as long as wide.
    """
    width, height = image.size
    if min(width, height) < MIN_SIDE:
        raise ValueError(f"the picture is {width}x{height}: pointing needs at least {MIN_SIDE} pixels on each side")
    if max(width, height) > MAX_ASPECT * min(width, height):
        raise ValueError(
            f"the picture is {width}x{height}: one side may be {MAX_ASPECT} times the other at most, crop it"
        )
    inner = (width, height)
    if width * height > max_pixels:
        scale = (max_pixels / (width * height)) ** 0.5
        inner = (max(MIN_SIDE, int(width * scale)), max(MIN_SIDE, int(height * scale)))
        image = image.resize(inner, Image.Resampling.BICUBIC)
    right, bottom = -inner[0] % MULTIPLE, -inner[1] % MULTIPLE
    array = np.pad(np.asarray(image, dtype=np.uint8), ((0, bottom), (0, right), (0, 0)), mode="edge")
    pixels = torch.from_numpy(array).permute(2, 0, 1)[None].float().div_(255)
    return Canvas(pixels, (width, height), inner)

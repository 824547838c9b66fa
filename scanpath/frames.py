"""From a picture of any size to the square that a task model sees, and places on it back to pixels of the picture."""

from dataclasses import dataclass

import numpy as np
import torch
from PIL import Image
from torch import Tensor

__all__ = ["Frame", "crop_to_square", "fit_into_square"]


@dataclass(frozen=True, eq=False)
class Frame:
    """A square view of a picture.

    Args:
        pixels: (3, side, side), 0 to 1.
        origin: Where the square's left top corner lies, x and y in pixels of the picture; below 0 in padding.
        scale: Pixels of the picture that one pixel of the square covers, along x and y.
        bounds: Largest row and column, 0 to 1, that lie on the picture; the same beyond the middle the other way.
    """

    pixels: Tensor
    origin: tuple[float, float]
    scale: tuple[float, float]
    bounds: tuple[float, float] = (1.0, 1.0)

    def to_pixels(self, points: Tensor) -> tuple[Tensor, Tensor]:
        """Map places on the square to the picture.

        Args:
            points: (..., 2): row and column, -1 at the middle of the first pixel and 1 at that of the last.

        Returns:
            x and y, pixels of the picture.
        """
        side = self.pixels.shape[-1]
        # The middle of pixel 0 lies half a pixel from the edge.
        places = ((points.double() + 1) / 2 * (side - 1) + 0.5).flip(-1)
        moved = places * torch.tensor(self.scale, dtype=torch.float64)
        moved = moved + torch.tensor(self.origin, dtype=torch.float64) - 0.5
        return moved[..., 0], moved[..., 1]


def crop_to_square(image: Image.Image, side: int, fill: tuple[float, float, float]) -> Frame:
    """Resize the shorter side and cut the middle out, as CLIP does; margins are not seen.

    Args:
        image: RGB.
        side: Of the square, pixels.
        fill: Not used: nothing is padded.
    """
    short = min(image.size)
    width, height = (max(side, int(side * length / short)) for length in image.size)
    left, top = round((width - side) / 2), round((height - side) / 2)
    cut = image.resize((width, height), Image.Resampling.BICUBIC).crop((left, top, left + side, top + side))
    scale = image.size[0] / width, image.size[1] / height
    return Frame(_tensor(cut), (left * scale[0], top * scale[1]), scale)


def fit_into_square(image: Image.Image, side: int, fill: tuple[float, float, float]) -> Frame:
    """Resize the longer side and pad the other, so that all of the picture is seen at its own aspect.

    Args:
        image: RGB.
        side: Of the square, pixels.
        fill: Colour of the padding, 0 to 1.
    """
    long = max(image.size)
    width, height = (max(1, round(side * length / long)) for length in image.size)
    left, top = (side - width) // 2, (side - height) // 2
    square = Image.new("RGB", (side, side), tuple(round(255 * value) for value in fill))
    square.paste(image.resize((width, height), Image.Resampling.BICUBIC), (left, top))
    scale = image.size[0] / width, image.size[1] / height
    reach = [min(1.0, (length - 1) / (side - 1)) if side > 1 else 1.0 for length in (height, width)]
    return Frame(_tensor(square), (-left * scale[0], -top * scale[1]), scale, (reach[0], reach[1]))


def _tensor(image: Image.Image) -> Tensor:
    return torch.from_numpy(np.array(image.convert("RGB"))).permute(2, 0, 1).float() / 255

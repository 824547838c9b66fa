"""How objects look: they are cut out of the picture, and a small network embeds the crops."""

import math

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor, nn

from foveate.scanpath.oat.layout import Layout

__all__ = ["CropEmbedding", "object_crops"]


def object_crops(image: Image.Image, layout: Layout, size: tuple[int, int]) -> Tensor:
    """Cut the objects out.

    Args:
        image: What is looked at.
        layout: Its objects.
        size: Height and width of each crop, pixels.

    Returns:
        (objects, height, width, 3), the darkest value of each is 0 and the lightest 1.

    Source: OAT (ECCV 2024), its own pictures.
    """
    picture, crops = image.convert("RGB"), []
    width, height = picture.size
    for box in layout.boxes.tolist():
        # A pixel is left of boxes without extent, and of those beside the picture.
        left, top = min(max(box[0], 0), width - 1), min(max(box[1], 0), height - 1)
        right, bottom = max(min(box[2], width), left + 1), max(min(box[3], height), top + 1)
        crop = picture.resize(size[::-1], Image.Resampling.BILINEAR, box=(left, top, right, bottom))
        pixels = np.asarray(crop, dtype=np.float32)
        low, high = pixels.min(), pixels.max()
        crops.append((pixels - low) / max(float(high - low), 1.0))
    return torch.from_numpy(np.stack(crops))


class CropEmbedding(nn.Module):
    """Two convolutions, a fixed or pyramid pooling, a projection.

    Args:
        levels: Of the pyramid pooling; 0 for fixed pooling.
        crop: Height and width of crops, pixels.
        channels: Of the result.

    Source: OAT, ECCV 2024.
    """

    def __init__(self, levels: int, crop: tuple[int, int], channels: int) -> None:
        super().__init__()
        self.levels = levels
        self.cnn1 = nn.Sequential(nn.Conv2d(3, 16, 5), nn.ReLU(), nn.MaxPool2d(5))
        self.cnn2 = nn.Sequential(nn.Conv2d(16, 32, 3), nn.ReLU())
        height, width = ((((side - 4) // 5) - 2) // 3 for side in crop)
        features = 32 * (sum(4**level for level in range(levels)) if levels else height * width)
        self.fc = nn.Linear(features, channels)

    def forward(self, crops: Tensor) -> Tensor:
        """Embed (crops, 3, height, width) as (crops, channels)."""
        x = self.cnn2(self.cnn1(crops))
        if not self.levels:
            return self.fc(F.max_pool2d(x, 3).flatten(1))
        return self.fc(torch.cat([_pool(x, 2**level).flatten(1) for level in range(self.levels)], 1))


def _pool(x: Tensor, parts: int) -> Tensor:
    """Maximum over ``parts`` by ``parts`` equal fields; zeros fill the map up, half before and half after."""
    kernel = [math.ceil(side / parts) for side in x.shape[-2:]]
    more = [k * parts - side for k, side in zip(kernel, x.shape[-2:], strict=True)]
    top, left = more[0] // 2, more[1] // 2
    return F.max_pool2d(F.pad(x, (left, more[1] - left, top, more[0] - top)), kernel)

"""Top-down modulation: where in maps of a scene the maps of a target are, sharpened and brought to the scene's size."""

import math
from collections.abc import Sequence
from functools import lru_cache
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor

__all__ = ["correlate", "enlarge_by_area", "gaussian_blur", "merge_layers", "sharpen"]

# OpenCV's own kernels for a standard deviation of 0.
_SMALL_KERNELS = {
    1: (1.0,),
    3: (0.25, 0.5, 0.25),
    5: (0.0625, 0.25, 0.375, 0.25, 0.0625),
    7: (0.03125, 0.109375, 0.21875, 0.28125, 0.21875, 0.109375, 0.03125),
}


def correlate(maps: Tensor, kernels: Tensor) -> Tensor:
    """Cross-correlate each scene with its own target, zeros around.

    Args:
        maps: (batch, channels, height, width).
        kernels: (batch, channels, kernel height, kernel width).

    Returns:
        (batch, height, width). Of an even kernel, the smaller part lies before the pixel.
    """
    batch, channels = maps.shape[:2]
    rows, columns = kernels.shape[-2:]
    top, left = (rows - 1) // 2, (columns - 1) // 2
    padded = F.pad(maps, (left, columns - 1 - left, top, rows - 1 - top))
    joined = padded.reshape(1, batch * channels, *padded.shape[-2:])
    return F.conv2d(joined, kernels, groups=batch)[0]


def merge_layers(responses: Sequence[Tensor], weighting: Literal["strongest", "equal"]) -> Tensor:
    """Bring the responses of layers to the range 0 to 1 each and add them with weights.

    Args:
        responses: For each layer (batch, height, width).
        weighting: "strongest" weighs layers by their highest response, "equal" all alike.

    Returns:
        (batch, height, width), 0 to 1.
    """
    stacked = torch.stack(list(responses), 1)
    low, high = stacked.amin((2, 3), keepdim=True), stacked.amax((2, 3), keepdim=True)
    weights = high if weighting == "strongest" else torch.ones_like(high)
    # A layer that answers the same everywhere says nothing, and must not divide by 0.
    scaled = (stacked - low) / (high - low).clamp_min(torch.finfo(stacked.dtype).tiny)
    total = weights.sum(1, keepdim=True)
    shares = torch.where(total == 0, 1 / len(responses), weights / total)
    return (scaled * shares).sum(1)


def gaussian_blur(maps: Tensor, side: int, sigma: float) -> Tensor:
    """Blur as OpenCV's GaussianBlur does, mirrored at borders without repeating the outermost pixel.

    Args:
        maps: (batch, height, width).
        side: Of the kernel, pixels; odd.
        sigma: Standard deviation, pixels; 0 for OpenCV's own kernel of that side.
    """
    if sigma <= 0 and side in _SMALL_KERNELS:
        kernel = torch.tensor(_SMALL_KERNELS[side], dtype=torch.float64)
    else:
        width = sigma if sigma > 0 else 0.3 * ((side - 1) * 0.5 - 1) + 0.8
        kernel = torch.exp(-((torch.arange(side, dtype=torch.float64) - side // 2) ** 2) / (2 * width**2))
        kernel = kernel / kernel.sum()
    weights = kernel.to(maps)
    half = side // 2
    padded = F.pad(maps[:, None], (half, half, half, half), mode="reflect")
    return F.conv2d(F.conv2d(padded, weights.view(1, 1, 1, -1)), weights.view(1, 1, -1, 1))[:, 0]


def sharpen(maps: Tensor, contrast: tuple[tuple[int, float], tuple[int, float]]) -> Tensor:
    """Add the difference of two blurs, three times.

    Args:
        maps: (batch, height, width).
        contrast: Side and standard deviation of either Gaussian, pixels.
    """
    narrow, wide = contrast
    for _ in range(3):
        maps = maps + gaussian_blur(maps, *narrow) - gaussian_blur(maps, *wide)
    return maps


def enlarge_by_area(maps: Tensor, height: int, width: int) -> Tensor:
    """Enlarge as OpenCV's INTER_AREA does: whole factors repeat pixels, others mix two where a block ends.

    Args:
        maps: (batch, rows, columns).
        height: Wanted rows, as many as there are or more.
        width: Wanted columns.
    """
    rows, columns = (_area_weights(n, m).to(maps) for n, m in zip(maps.shape[-2:], (height, width), strict=True))
    return rows @ (maps @ columns.T)


@lru_cache(maxsize=64)
def _area_weights(source: int, wanted: int) -> Tensor:
    """Which pixels of the source each wanted pixel mixes, (wanted, source)."""
    if wanted < source:
        raise ValueError(f"a map of {source} pixels cannot be enlarged to {wanted}")
    factor = wanted / source
    weights = torch.zeros(wanted, source)
    for i in range(wanted):
        first = min(math.floor(i * (source / wanted)), source - 1)
        share = (i + 1) - (first + 1) * factor
        share = 0.0 if share <= 0 else share - math.floor(share)
        weights[i, first] += 1 - share
        weights[i, min(first + 1, source - 1)] += share
    return weights

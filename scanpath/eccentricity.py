"""Pooling whose windows grow with the distance from where the eye looks, as receptive fields do."""

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

__all__ = ["EccentricPool2d", "Kind", "Rings", "eccentric_rings", "pool_same"]

Kind = Literal["avg", "max"]


@dataclass(frozen=True, eq=False)
class Rings:
    """Which window each place of a pooled map uses.

    Args:
        index: (side, side): number of the ring that each place lies in, 0 at the fovea.
        windows: Side of the window of each ring, pixels of the layer's input.
        radii: Outer radius of each ring, pixels of the pooled map; the last ring has no end.
    """

    index: Tensor
    windows: tuple[int, ...]
    radii: tuple[int, ...]


@lru_cache(maxsize=64)
def eccentric_rings(
    side: int,
    slope: float,
    pixels_per_degree: float,
    fovea: float = 4.0,
    ring_width: float = 1.0,
    smallest: int = 2,
) -> Rings:
    """Divide a square map into rings around its middle.

    Args:
        side: Of the pooled map, pixels.
        slope: Pixels that a window gains for each pixel of the input away from the fovea's edge.
        pixels_per_degree: Of the layer's input.
        fovea: Diameter of the fovea on the pooled map, degrees; the published files halve it once for the radius and
            count it in pixels of the pooled map, so it reaches ``fovea`` degrees away from the middle.
        ring_width: Of each further ring, degrees.
        smallest: Window of the fovea, pixels of the input.

    Returns:
        The rings. A map that lies wholly in the fovea has one.

    Source:
        Gupta et al., "Visual search asymmetry: deep nets and humans share similar inherent biases" (NeurIPS 2021),
        and its published layer: radii are halved and rounded half to even for every stride. Deviation: a ring is at
        least one pixel wide, where the published layer would never end.
    """
    first = round(fovea * pixels_per_degree / 2)
    step = max(1, round(ring_width * pixels_per_degree / 2))
    index = torch.zeros(side, side, dtype=torch.long)
    if first > side / 2:
        return Rings(index, (smallest,), (first,))
    radii = [first]
    while radii[-1] + step < side / 2:
        radii.append(radii[-1] + step)
    radii.append(radii[-1] + step)
    middle = side // 2
    squares = (torch.arange(side) - middle) ** 2
    distance = squares[:, None] + squares[None]
    for radius in radii[:-1]:
        index += distance >= radius**2
    windows = tuple(smallest + round(slope * (2 * radius - fovea * pixels_per_degree)) for radius in radii)
    return Rings(index, windows, tuple(radii))


def pool_same(maps: Tensor, window: int, stride: int, kind: Kind = "avg") -> Tensor:
    """Pool with padding such that the output has one pixel for each stride begun.

    Args:
        maps: (batch, channels, height, width).
        window: Side of the window, pixels.
        stride: Pixels.
        kind: "avg" divides by the pixels that lie on the map; "max" ignores the others.

    Returns:
        (batch, channels, ceil(height / stride), ceil(width / stride)).
    """
    height, width = maps.shape[-2:]
    top, bottom = _padding(height, window, stride)
    left, right = _padding(width, window, stride)
    padding = (left, right, top, bottom)
    if kind == "max":
        return F.max_pool2d(F.pad(maps, padding, value=-math.inf), window, stride)
    pooled = F.avg_pool2d(F.pad(maps, padding), window, stride)
    if not any(padding):
        return pooled
    rows, columns = (_shares(n, window, stride, maps) for n in (height, width))
    return pooled / (rows[:, None] * columns[None])


def _padding(length: int, window: int, stride: int) -> tuple[int, int]:
    """Zeros before and after, as TensorFlow's 'same' places them."""
    total = max((math.ceil(length / stride) - 1) * stride + window - length, 0)
    return total // 2, total - total // 2


def _shares(length: int, window: int, stride: int, like: Tensor) -> Tensor:
    """How much of each window along an axis lies on the map, above 0 and at most 1."""
    ones = F.pad(like.new_ones(1, 1, length), _padding(length, window, stride))
    return F.avg_pool1d(ones, window, stride).flatten()


class EccentricPool2d(nn.Module):
    """Eccentricity-dependent pooling: a small window in the middle, larger ones in rings around it.

    Args:
        slope: Growth of windows, see ``eccentric_rings``; 0 gives plain pooling.
        pixels_per_degree: Of the layer's input.
        kind: "avg" or "max".
        stride: Pixels.
        smallest: Window of the fovea, pixels.
        fovea: Degrees, see ``eccentric_rings``.
        ring_width: Degrees.

    Raises:
        ValueError: A length or the slope lies outside its range, or the kind is unknown.
    """

    def __init__(
        self,
        slope: float,
        pixels_per_degree: float,
        kind: Kind = "avg",
        *,
        stride: int = 2,
        smallest: int = 2,
        fovea: float = 4.0,
        ring_width: float = 1.0,
    ) -> None:
        super().__init__()
        if kind not in ("avg", "max"):
            raise ValueError(f"kind must be 'avg' or 'max', got {kind!r}")
        if min(pixels_per_degree, stride, smallest, fovea, ring_width) <= 0 or slope < 0:
            raise ValueError(
                f"lengths must be above 0 and the slope 0 or more, got slope {slope}, pixels_per_degree "
                f"{pixels_per_degree}, stride {stride}, smallest {smallest}, fovea {fovea}, ring_width {ring_width}"
            )
        self.slope, self.pixels_per_degree, self.kind = slope, pixels_per_degree, kind
        self.stride, self.smallest, self.fovea, self.ring_width = stride, smallest, fovea, ring_width
        self._known: dict[tuple[int, torch.device], tuple[Tensor, Tensor]] = {}

    def rings(self, side: int) -> Rings:
        """Return the rings for a square input of ``side`` pixels."""
        pooled = math.ceil(side / self.stride)
        return eccentric_rings(pooled, self.slope, self.pixels_per_degree, self.fovea, self.ring_width, self.smallest)

    def forward(self, maps: Tensor) -> Tensor:
        """Pool maps (batch, channels, height, width) to a square; a map that is none is padded with zeros to one."""
        height, width = maps.shape[-2:]
        side = max(height, width)
        if height != width:
            above, left = (side - height) // 2, (side - width) // 2
            maps = F.pad(maps, (left, side - width - left, above, side - height - above))
        if len(set(self.rings(side).windows)) == 1:
            return pool_same(maps, self.rings(side).windows[0], self.stride, self.kind)
        return self._average(maps) if self.kind == "avg" else self._maximum(maps)

    def _average(self, maps: Tensor) -> Tensor:
        """Average over any window by four look-ups in sums from the left top corner."""
        side = maps.shape[-1]
        corners, count = self._corners(side, maps.device)
        # Sums of a whole map and their small differences need double precision.
        sums = F.pad(maps.double().cumsum(2).cumsum(3), (1, 0, 1, 0)).flatten(2)
        total = sums.index_select(2, corners[0])
        total.sub_(sums.index_select(2, corners[1])).sub_(sums.index_select(2, corners[2]))
        total.add_(sums.index_select(2, corners[3])).div_(count)
        pooled = math.ceil(side / self.stride)
        return total.to(maps.dtype).unflatten(2, (pooled, pooled))

    def _maximum(self, maps: Tensor) -> Tensor:
        rings = self.rings(maps.shape[-1])
        index = rings.index.to(maps.device)
        pooled = pool_same(maps, rings.windows[0], self.stride, "max")
        for window in sorted(set(rings.windows[1:]) - {rings.windows[0]}):
            numbers = [i for i, other in enumerate(rings.windows) if other == window]
            # Windows grow outwards, so the rings of one window follow one another.
            here = (index >= numbers[0]) & (index <= numbers[-1])
            pooled = torch.where(here, pool_same(maps, window, self.stride, "max"), pooled)
        return pooled

    def _corners(self, side: int, device: torch.device) -> tuple[Tensor, Tensor]:
        """Return where the sums of each pixel's window are, (4, pixels), and how many pixels the window has."""
        key = side, device
        if key not in self._known:
            rings = self.rings(side)
            windows = torch.tensor(rings.windows)
            before = torch.tensor([_padding(side, window, self.stride)[0] for window in rings.windows])
            starts = torch.arange(len(rings.index)) * self.stride
            first_row, first_column = starts[:, None] - before[rings.index], starts - before[rings.index]
            last_row, last_column = first_row + windows[rings.index], first_column + windows[rings.index]
            top, left, bottom, right = (
                edge.clamp(0, side).flatten() for edge in (first_row, first_column, last_row, last_column)
            )
            row = side + 1
            corners = torch.stack([bottom * row + right, top * row + right, bottom * row + left, top * row + left])
            count = (bottom - top) * (right - left)
            self._known[key] = corners.to(device), count.to(device)
        return self._known[key]

    def extra_repr(self) -> str:
        """Name the settings in the module's text."""
        return f"{self.kind}, slope={self.slope}, pixels_per_degree={self.pixels_per_degree}, stride={self.stride}"

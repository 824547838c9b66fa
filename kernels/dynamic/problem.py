"""What a call of dynamic neighborhoods asks for: its tensors, and their description that backends decide by."""

from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from foveate.kernels.window import Axis


class Inputs(NamedTuple):
    """Tensors of a call.

    Args:
        logits: (batch, groups, small^2 + large^2, height, width), the small window first, each window row by row.
        value: (batch, sets, groups, channels, height, width); one set for each window.
        small_bias: (groups, 2 * small - 1, 2 * small - 1), or None.
        large_bias: (groups, 2 * large - 1, 2 * large - 1), or None.
    """

    logits: Tensor
    value: Tensor
    small_bias: Tensor | None = None
    large_bias: Tensor | None = None

    @property
    def tables(self) -> tuple[Tensor | None, Tensor | None]:
        """Both bias tables, the small one first."""
        return self.small_bias, self.large_bias


@dataclass(frozen=True)
class Problem:
    """Description of a call, without its numbers: what decides which backends can run.

    Args:
        many_channels: Whether a group of one set has more than 128 channels.
        dtype: Of logits and value.
        device: Of all tensors.
    """

    many_channels: bool
    dtype: torch.dtype
    device: torch.device


def window_sides(small: int, large: int | None) -> tuple[int, ...]:
    """List the sides of the windows.

    Args:
        small: Side of the first window.
        large: Side of the second one; 0 or None when there is none.

    Returns:
        One side for each set of the value.
    """
    return (small, large) if large else (small,)


def window_axes(spatial: tuple[int, int], side: int) -> tuple[Axis, Axis]:
    """Describe both axes of a square window.

    Args:
        spatial: Height and width of the map.
        side: Of the window, odd, not above either of them.

    Returns:
        The vertical and the horizontal axis.
    """
    return Axis(spatial[0], side), Axis(spatial[1], side)

"""ELA: efficient local attention along rows and columns (arXiv 2403.01123)."""

import math
from collections.abc import Mapping
from typing import Any, TypeVar

from torch import Tensor, nn

__all__ = ["EfficientLocalAttention", "ela_keys"]

# Size: kernel of the convolution, channels that it mixes, groups of the normalization.
_SIZES = {"t": (5, 1, 32), "b": (7, 1, 16), "s": (5, 8, 16), "l": (7, 8, 16)}

Value = TypeVar("Value")


class EfficientLocalAttention(nn.Module):
    """Scale a map by what its rows and its columns hold on average.

    Means over the width and over the height go through the same convolution along the axis that is left, the same
    group normalization and a sigmoid; the two results multiply the input.

    Args:
        channels: In and out.
        size: "t" (kernel 5, one channel a group, 32 normalization groups) and "b" (7, 1, 16) for small networks, "s"
            (5, 8, 16) for deeper and "l" (7, 8, 16) for large ones.
        device: Where the parameters are made.
        dtype: Their type.

    Raises:
        ValueError: There is no such size.

    Source: arXiv 2403.01123, figure 2 and its four sizes. The authors have released no code: the published copies
    that agree with each other were followed. Ours: where groups do not divide the channels, their greatest common
    divisor is taken (32 groups of 144 channels become 16; 8 channels a group of 28 become 4).
    """

    def __init__(self, channels: int, size: str = "b", device: Any = None, dtype: Any = None) -> None:
        super().__init__()
        if size not in _SIZES:
            raise ValueError(f"ELA has the sizes {', '.join(_SIZES)}, got {size!r}: choose one of them")
        kernel, mixed, norm_groups = _SIZES[size]
        dd = {"device": device, "dtype": dtype}
        groups = channels // math.gcd(mixed, channels)
        self.conv = nn.Conv1d(channels, channels, kernel, padding=kernel // 2, groups=groups, bias=False, **dd)
        self.gn = nn.GroupNorm(math.gcd(norm_groups, channels), channels, **dd)

    def forward(self, x: Tensor) -> Tensor:
        """Scale (batch, channels, height, width); the shape stays."""
        rows = self.gn(self.conv(x.mean(3))).sigmoid().unsqueeze(3)
        columns = self.gn(self.conv(x.mean(2))).sigmoid().unsqueeze(2)
        return x * rows * columns


def ela_keys(state: Mapping[str, Value]) -> dict[str, Value]:
    """Give the keys of published copies, which say ``con1`` and ``GN``, the names used here.

    Args:
        state: State dict of an ELA module, or of a model with some; keys with our names stay as they are.

    Returns:
        The same values under ``conv`` and ``gn``.
    """
    names = {"con1": "conv", "GN": "gn"}
    return {".".join(names.get(part, part) for part in key.split(".")): value for key, value in state.items()}

"""ULSAM: one attention map for each of several groups of channels (WACV 2020, arXiv 2006.15102)."""

from typing import Any

import torch
from torch import Tensor, nn

__all__ = ["ULSAM", "SubSpace"]

# PyTorch's meaning: running statistics are a tenth old and nine tenths the last batch, as the authors train.
_MOMENTUM = 0.9


class SubSpace(nn.Module):
    """Attend to one group of channels: a map that sums to 1 over all positions scales them, and is added to 1.

    A depthwise and a pointwise 1 x 1 convolution, each normalized and rectified, with a 3 x 3 max-pooling between
    them, make the map.

    Args:
        channels: Channels of the group.
        device: Where the parameters are made.
        dtype: Their type.

    Source: arXiv 2006.15102, section 3, in the order of the authors' code; normalization follows each convolution.
    """

    def __init__(self, channels: int, device: Any = None, dtype: Any = None) -> None:
        super().__init__()
        dd = {"device": device, "dtype": dtype}
        self.conv_dws = nn.Conv2d(channels, channels, 1, groups=channels, **dd)
        self.bn_dws = nn.BatchNorm2d(channels, momentum=_MOMENTUM, **dd)
        self.pool = nn.MaxPool2d(3, stride=1, padding=1)
        self.conv_point = nn.Conv2d(channels, 1, 1, **dd)
        self.bn_point = nn.BatchNorm2d(1, momentum=_MOMENTUM, **dd)

    def forward(self, x: Tensor) -> Tensor:
        """Scale (batch, channels, height, width) by one plus the map."""
        scores = self.pool(torch.relu(self.bn_dws(self.conv_dws(x))))
        scores = torch.relu(self.bn_point(self.conv_point(scores)))
        attention = scores.flatten(2).softmax(-1).view_as(scores)
        return attention * x + x


class ULSAM(nn.Module):
    """Ultra-lightweight subspace attention: split the channels into groups and let each attend on its own.

    Without BatchNorm and biases it has two parameters a channel, and as many multiply-adds a position.

    Args:
        channels: In and out.
        num_splits: Groups; they divide the channels. The paper has 1, 2, 4, 8 and 16.
        device: Where the parameters are made.
        dtype: Their type.

    Raises:
        ValueError: ``num_splits`` does not divide the channels.

    Source: arXiv 2006.15102, section 3. The authors' code also takes output channels and the size of the map, without
    using them; they are left out. Keys are those of the authors' code.
    """

    def __init__(self, channels: int, num_splits: int = 4, device: Any = None, dtype: Any = None) -> None:
        super().__init__()
        if num_splits < 1 or channels % num_splits:
            raise ValueError(f"{channels} channels cannot be split into {num_splits} equal groups: choose a divisor")
        self.channels, self.num_splits = channels, num_splits
        group = channels // num_splits
        self.subspaces = nn.ModuleList(SubSpace(group, device=device, dtype=dtype) for _ in range(num_splits))

    def forward(self, x: Tensor) -> Tensor:
        """Attend within (batch, channels, height, width); the shape stays."""
        groups = x.chunk(self.num_splits, dim=1)
        return torch.cat([subspace(groups[i]) for i, subspace in enumerate(self.subspaces)], dim=1)

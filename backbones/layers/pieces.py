"""Small modules of OverLoCK's blocks that timm has under other keys or in another form. All take NCHW maps."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class ChannelScale(nn.Conv2d):
    """Layer scale that also shifts: a depthwise 1 x 1 convolution.

    Args:
        channels: In and out.
        init: First value of every weight; the shift starts at 0.
    """

    def __init__(self, channels: int, init: float = 1.0) -> None:
        super().__init__(channels, channels, kernel_size=1, groups=channels)
        nn.init.constant_(self.weight, init)
        nn.init.zeros_(self.bias)  # type: ignore[arg-type]

    def forward(self, x: Tensor) -> Tensor:
        """Scale and shift each channel."""
        # A pointwise expression fuses with its neighbors; a depthwise convolution does not.
        return x * self.weight.view(1, -1, 1, 1) + self.bias.view(1, -1, 1, 1)  # type: ignore[union-attr]


class ResidualDepthwise(nn.Conv2d):
    """Depthwise convolution added to its input.

    Args:
        channels: In and out.
        kernel_size: Side of the kernel, odd.
    """

    def __init__(self, channels: int, kernel_size: int = 3) -> None:
        super().__init__(channels, channels, kernel_size, padding=kernel_size // 2, groups=channels)

    def forward(self, x: Tensor) -> Tensor:
        """Add the convolution to the input."""
        return x + super().forward(x)


class ResponseNorm(nn.Module):
    """Global response normalization (ConvNeXt V2) with OverLoCK's parameter names; the norm is taken in float32.

    Args:
        channels: In and out.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.gamma = nn.Parameter(torch.zeros(1, channels, 1, 1))
        self.beta = nn.Parameter(torch.zeros(1, channels, 1, 1))

    def forward(self, x: Tensor) -> Tensor:
        """Scale each channel by its norm over the map relative to the mean norm of all channels."""
        wide = torch.promote_types(x.dtype, torch.float32)
        strength = torch.linalg.vector_norm(x, dim=(2, 3), keepdim=True, dtype=wide)
        relative = strength / (strength.mean(dim=1, keepdim=True) + 1e-6)
        return (self.gamma * relative + 1).to(x.dtype) * x + self.beta.to(x.dtype)


class SqueezeGate(nn.Module):
    """Squeeze and excitation with biases, GELU and at least 16 inner channels.

    Args:
        channels: In and out.
        reduction: Divides the channels inside.
    """

    def __init__(self, channels: int, reduction: int = 8) -> None:
        super().__init__()
        inner = max(16, channels // reduction)
        self.proj = nn.Sequential(
            nn.AdaptiveAvgPool2d(1),
            nn.Conv2d(channels, inner, kernel_size=1),
            nn.GELU(),
            nn.Conv2d(inner, channels, kernel_size=1),
            nn.Sigmoid(),
        )

    def forward(self, x: Tensor) -> Tensor:
        """Multiply each channel by a gate made of all channels' means."""
        return x * self.proj(x)


class ConvMlp(nn.Sequential):
    """Expand, GELU, residual depthwise convolution, response norm, project; all on maps.

    Args:
        channels: In and out.
        hidden: Channels inside.
    """

    def __init__(self, channels: int, hidden: int) -> None:
        super().__init__(
            nn.Conv2d(channels, hidden, kernel_size=1),
            nn.GELU(),
            ResidualDepthwise(hidden),
            ResponseNorm(hidden),
            nn.Conv2d(hidden, channels, kernel_size=1),
        )


def conv_norm(channels_in: int, channels_out: int) -> nn.Sequential:
    """Build a 1 x 1 convolution without bias and a batch norm.

    Args:
        channels_in: Channels of the input.
        channels_out: Channels of the output.

    Returns:
        The two, numbered 0 and 1.
    """
    return nn.Sequential(nn.Conv2d(channels_in, channels_out, kernel_size=1, bias=False), nn.BatchNorm2d(channels_out))


def enlarge(x: Tensor, side: int) -> Tensor:
    """Resize a map whose shorter side is below a window's, so that the shorter side becomes the window's.

    Args:
        x: (batch, channels, height, width).
        side: Of the window.

    Returns:
        The map, bilinearly enlarged; unchanged when it is large enough.
    """
    height, width = x.shape[-2:]
    if min(height, width) >= side:
        return x
    # The longer side is truncated in floating point, as the published models do.
    longer = int(side / min(height, width) * max(height, width))
    size = (side, max(side, longer)) if height < width else (max(side, longer), side)
    return F.interpolate(x, size=size, mode="bilinear", align_corners=False)

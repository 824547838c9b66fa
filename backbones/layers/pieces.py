"""Small modules of OverLoCK's blocks that timm has under other keys or in another form. All take NCHW maps."""

from typing import Any

import torch
from timm.models import register_notrace_module
from torch import Tensor, nn
from torch.nn import functional as F


class ChannelScale(nn.Conv2d):
    """Layer scale that also shifts: a depthwise 1 x 1 convolution.

    Args:
        channels: In and out.
        init: First value of every weight; the shift starts at 0.
        device: Of the parameters.
        dtype: Of the parameters.
    """

    def __init__(self, channels: int, init: float = 1.0, device: Any = None, dtype: Any = None) -> None:
        super().__init__(channels, channels, kernel_size=1, groups=channels, device=device, dtype=dtype)
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
        device: Of the parameters.
        dtype: Of the parameters.
    """

    def __init__(self, channels: int, kernel_size: int = 3, device: Any = None, dtype: Any = None) -> None:
        padding = kernel_size // 2
        super().__init__(channels, channels, kernel_size, padding=padding, groups=channels, device=device, dtype=dtype)

    def forward(self, x: Tensor) -> Tensor:
        """Add the convolution to the input."""
        return x + super().forward(x)


@register_notrace_module
class ResponseNorm(nn.Module):
    """Global response normalization (ConvNeXt V2) with OverLoCK's parameter names; the norm is taken in float32.

    Args:
        channels: In and out.
        device: Of the parameters.
        dtype: Of the parameters.
    """

    def __init__(self, channels: int, device: Any = None, dtype: Any = None) -> None:
        super().__init__()
        self.gamma = nn.Parameter(torch.zeros(1, channels, 1, 1, device=device, dtype=dtype))
        self.beta = nn.Parameter(torch.zeros(1, channels, 1, 1, device=device, dtype=dtype))

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
        device: Of the parameters.
        dtype: Of the parameters.
    """

    def __init__(self, channels: int, reduction: int = 8, device: Any = None, dtype: Any = None) -> None:
        super().__init__()
        dd = {"device": device, "dtype": dtype}
        inner = max(16, channels // reduction)
        self.proj = nn.Sequential(
            nn.AdaptiveAvgPool2d(1),
            nn.Conv2d(channels, inner, kernel_size=1, **dd),
            nn.GELU(),
            nn.Conv2d(inner, channels, kernel_size=1, **dd),
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
        device: Of the parameters.
        dtype: Of the parameters.
    """

    def __init__(self, channels: int, hidden: int, device: Any = None, dtype: Any = None) -> None:
        dd: dict[str, Any] = {"device": device, "dtype": dtype}
        super().__init__(
            nn.Conv2d(channels, hidden, kernel_size=1, **dd),
            nn.GELU(),
            ResidualDepthwise(hidden, **dd),
            ResponseNorm(hidden, **dd),
            nn.Conv2d(hidden, channels, kernel_size=1, **dd),
        )


def conv_norm(
    channels_in: int,
    channels_out: int,
    kernel_size: int = 1,
    stride: int = 1,
    device: Any = None,
    dtype: Any = None,
) -> nn.Sequential:
    """Build a convolution without bias that keeps the map's size but for its stride, and a batch norm.

    Args:
        channels_in: Channels of the input.
        channels_out: Channels of the output.
        kernel_size: Side of the kernel, odd.
        stride: Of the convolution.
        device: Of the parameters.
        dtype: Of the parameters.

    Returns:
        The two, numbered 0 and 1.
    """
    dd = {"device": device, "dtype": dtype}
    padding = kernel_size // 2
    return nn.Sequential(
        nn.Conv2d(channels_in, channels_out, kernel_size, stride, padding, bias=False, **dd),
        nn.BatchNorm2d(channels_out, **dd),
    )


def conv_stem(in_chans: int, dim: int, device: Any = None, dtype: Any = None) -> nn.Sequential:
    """Build what brings the picture to stride 4: four convolutions of 3 by 3 with batch norms, GELU in between.

    Args:
        in_chans: Channels of the picture.
        dim: Channels of the map; half of them after the first two convolutions.
        device: Of the parameters.
        dtype: Of the parameters.

    Returns:
        The layers, numbered 0 to 10.
    """
    dd: dict[str, Any] = {"device": device, "dtype": dtype}
    half = dim // 2
    return nn.Sequential(
        *conv_norm(in_chans, half, 3, 2, **dd), nn.GELU(),
        *conv_norm(half, half, 3, **dd), nn.GELU(),
        *conv_norm(half, dim, 3, 2, **dd), nn.GELU(),
        *conv_norm(dim, dim, 3, **dd),
    )  # fmt: skip


class ContextDownsample(nn.Module):
    """Halve a map and its context.

    Args:
        dim: Channels of the map.
        wider: Channels of the new map.
        context: Channels of the context, which keeps them.
        device: Of the parameters.
        dtype: Of the parameters.
    """

    def __init__(self, dim: int, wider: int, context: int, device: Any = None, dtype: Any = None) -> None:
        super().__init__()
        self.x_proj = conv_norm(dim, wider, 3, 2, device=device, dtype=dtype)
        self.h_proj = conv_norm(context, context, 3, 2, device=device, dtype=dtype)

    def forward(self, x: Tensor, context: Tensor) -> tuple[Tensor, Tensor]:
        """Bring both, (batch, channels, height, width), to (batch, channels, height / 2, width / 2), rounded up."""
        return self.x_proj(x), self.h_proj(context)


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

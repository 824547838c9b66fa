"""OverLoCK's plain block: large depthwise kernels, a gate and a convolutional MLP in one residual branch."""

from typing import Any

from timm.layers import DropPath, LayerNorm2d
from torch import Tensor, nn

from foveate.backbones.layers.pieces import ChannelScale, ResidualDepthwise, ResponseNorm, SqueezeGate
from foveate.backbones.layers.reparam import DilatedReparam


class RepConvBlock(nn.Module):
    """Block of OverLoCK's base and overview stages.

    Args:
        dim: Channels in and out.
        kernel_size: Side of the large kernel.
        mlp_ratio: Channels inside the MLP, relative to ``dim``.
        ls_init_value: First value of the layer scale; None leaves it out.
        res_scale: Scale the identity instead of the branch.
        drop_path: Probability of dropping the branch in training.
        merged: Build the large kernel without its branches.
        device: Of the parameters.
        dtype: Of the parameters.

    Source: Lou and Yu, OverLoCK (2025).
    """

    def __init__(
        self,
        dim: int,
        kernel_size: int = 7,
        mlp_ratio: float = 4.0,
        ls_init_value: float | None = None,
        res_scale: bool = False,
        drop_path: float = 0.0,
        merged: bool = False,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__()
        dd: dict[str, Any] = {"device": device, "dtype": dtype}
        hidden = int(dim * mlp_ratio)
        self.res_scale = res_scale
        self.dwconv = ResidualDepthwise(dim, **dd)
        self.proj = nn.Sequential(
            LayerNorm2d(dim, **dd),
            DilatedReparam(dim, kernel_size, merged, **dd),
            nn.BatchNorm2d(dim, **dd),
            SqueezeGate(dim, **dd),
            nn.Conv2d(dim, hidden, kernel_size=1, **dd),
            nn.GELU(),
            ResidualDepthwise(hidden, **dd),
            ResponseNorm(hidden, **dd),
            nn.Conv2d(hidden, dim, kernel_size=1, **dd),
            DropPath(drop_path) if drop_path > 0 else nn.Identity(),
        )
        self.ls = nn.Identity() if ls_init_value is None else ChannelScale(dim, ls_init_value, **dd)

    def forward(self, x: Tensor) -> Tensor:
        """Transform a map (batch, dim, height, width)."""
        x = self.dwconv(x)
        if self.res_scale:
            return self.ls(x) + self.proj(x)
        # No slice of the modules: a tracer does not know it.
        branch = x
        for layer in list(self.proj)[:-1]:
            branch = layer(branch)
        return x + self.proj[-1](self.ls(branch))

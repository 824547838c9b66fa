"""OverLoCK's plain block: large depthwise kernels, a gate and a convolutional MLP in one residual branch."""

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
    ) -> None:
        super().__init__()
        hidden = int(dim * mlp_ratio)
        self.res_scale = res_scale
        self.dwconv = ResidualDepthwise(dim)
        self.proj = nn.Sequential(
            LayerNorm2d(dim),
            DilatedReparam(dim, kernel_size, merged),
            nn.BatchNorm2d(dim),
            SqueezeGate(dim),
            nn.Conv2d(dim, hidden, kernel_size=1),
            nn.GELU(),
            ResidualDepthwise(hidden),
            ResponseNorm(hidden),
            nn.Conv2d(hidden, dim, kernel_size=1),
            DropPath(drop_path) if drop_path > 0 else nn.Identity(),
        )
        self.ls = nn.Identity() if ls_init_value is None else ChannelScale(dim, ls_init_value)

    def forward(self, x: Tensor) -> Tensor:
        """Transform a map (batch, dim, height, width)."""
        x = self.dwconv(x)
        if self.res_scale:
            return self.ls(x) + self.proj(x)
        return x + self.proj[-1](self.ls(self.proj[:-1](x)))

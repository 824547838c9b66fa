"""OverLoCK's dynamic blocks: every position's kernels come from its affinities to a 7 x 7 summary of the picture."""

from typing import Any

import torch
from timm.layers import DropPath, LayerNorm2d
from timm.models import register_notrace_module
from torch import Tensor, nn
from torch.nn import functional as F

from foveate.backbones.layers.pieces import (
    ChannelScale,
    ConvMlp,
    ResidualDepthwise,
    ResponseNorm,
    SqueezeGate,
    conv_norm,
    enlarge,
)
from foveate.backbones.layers.portable import portable
from foveate.backbones.layers.reparam import DilatedReparam
from foveate.kernels.dynamic.op import dynamic_neighborhood

_SUMMARY = 7


def affinity_logits(query: Tensor, key: Tensor, projection: nn.Conv2d, groups: int) -> Tensor:
    """Turn queries and the summary's keys into the logits of every position's kernels.

    The published order is affinities (49 for each position), then a 1 x 1 convolution of them. Both are linear, so the
    convolution is applied to the keys instead: one product per position, no affinities in memory, and logits whose
    window axis has stride 1, which the kernels read fastest.

    Args:
        query: (batch, channels, height, width), scaled.
        key: (batch, channels, 7, 7).
        projection: Convolution from 49 affinities to the logits of a position.
        groups: That share the channels.

    Returns:
        (batch, groups, logits, height, width).
    """
    height, width = query.shape[-2:]
    query = query.unflatten(1, (groups, -1)).flatten(3)
    key = key.unflatten(1, (groups, -1)).flatten(3)
    mixed = key @ projection.weight.flatten(1).to(key.dtype).mT
    # The bias rides along as a channel whose query is 1: adding it afterwards would pass over all logits again. Zeros
    # fill up to a multiple of 8 channels, which tensor cores want.
    extra = 8 - query.shape[2] % 8
    bias = projection.bias.to(key.dtype).expand(*mixed.shape[:2], 1, -1)  # type: ignore[union-attr]
    mixed = F.pad(torch.cat([mixed, bias], dim=2), (0, 0, 0, extra - 1))
    ones = F.pad(torch.ones_like(query[:, :, :1]), (0, 0, 0, extra - 1))
    logits = torch.cat([query, ones], dim=2).mT @ mixed
    return logits.unflatten(2, (height, width)).permute(0, 1, 4, 2, 3)


class _DynamicBlock(nn.Module):
    """What the stand-alone block and the one with a context share.

    Args:
        dim: Channels of the mixed map.
        width: Channels of the residual stream.
        context: Channels that keys are made of.
        hidden: Channels inside the MLP.
        kernel_size: Side of the large window.
        smk_size: Side of the small window.
        num_heads: Pairs of groups.
        ls_init_value: First value of the layer scales; None leaves them out.
        res_scale: Scale the identity instead of the branches.
        drop_path: Probability of dropping a branch in training.
        merged: Build the large kernel without its branches.
        backend: Of the kernel; None takes the first that can run.
        device: Of the parameters.
        dtype: Of the parameters.
    """

    def __init__(
        self,
        dim: int,
        width: int,
        context: int,
        hidden: int,
        kernel_size: int,
        smk_size: int,
        num_heads: int,
        ls_init_value: float | None,
        res_scale: bool,
        drop_path: float,
        merged: bool,
        backend: str | None,
        device: Any,
        dtype: Any,
    ) -> None:
        super().__init__()
        dd: dict[str, Any] = {"device": device, "dtype": dtype}
        self.groups = 2 * num_heads
        if dim % (2 * self.groups):
            raise ValueError(f"dim must be divisible by 4 * num_heads, got {dim} and {num_heads}: use fewer heads")
        self.kernel_size, self.smk_size = kernel_size, smk_size
        self.scale = (dim // self.groups) ** -0.5
        self.res_scale, self.backend = res_scale, backend
        self.rpb1 = nn.Parameter(torch.zeros(self.groups, 2 * smk_size - 1, 2 * smk_size - 1, **dd))
        self.rpb2 = nn.Parameter(torch.zeros(self.groups, 2 * kernel_size - 1, 2 * kernel_size - 1, **dd))
        self.dwconv1, self.norm1 = ResidualDepthwise(width, **dd), LayerNorm2d(width, **dd)
        self.weight_query = conv_norm(dim, dim // 2, **dd)
        self.weight_key = nn.Sequential(nn.AdaptiveAvgPool2d(_SUMMARY), *conv_norm(context, dim // 2, **dd))
        self.weight_proj = nn.Conv2d(_SUMMARY**2, smk_size**2 + kernel_size**2, kernel_size=1, **dd)
        self.lepe = nn.Sequential(DilatedReparam(dim, kernel_size, merged, **dd), nn.BatchNorm2d(dim, **dd))
        self.se_layer = SqueezeGate(dim, **dd)
        self.gate = nn.Sequential(*conv_norm(dim, dim, **dd), nn.SiLU())
        self.proj = nn.Sequential(nn.BatchNorm2d(dim, **dd), nn.Conv2d(dim, width, kernel_size=1, **dd))
        self.dwconv2, self.norm2 = ResidualDepthwise(width, **dd), LayerNorm2d(width, **dd)
        self.mlp = ConvMlp(width, hidden, **dd)
        self.ls1, self.ls2 = (
            nn.Identity() if ls_init_value is None else ChannelScale(width, ls_init_value, **dd) for _ in range(2)
        )
        self.drop_path = DropPath(drop_path) if drop_path > 0 else nn.Identity()

    def _mix(self, query: Tensor, key: Tensor, value: Tensor) -> Tensor:
        """Aggregate the value (batch, dim, height, width) with kernels made of query and key maps."""
        query = self.weight_query(query) * self.scale
        logits = affinity_logits(query, self.weight_key(key), self.weight_proj, self.groups)
        out = dynamic_neighborhood(
            logits,
            value.unflatten(1, (2, self.groups, -1)).to(logits.dtype),
            self.smk_size,
            self.kernel_size,
            small_bias=self.rpb1,
            large_bias=self.rpb2,
            backend=portable(self.backend),
        )
        return out.flatten(1, 3)

    def _finish(self, identity: Tensor, mixed: Tensor, lepe: Tensor, gate: Tensor) -> Tensor:
        """Gate and project the mixed map, add it to the stream, and apply the MLP."""
        branch = self.proj(gate * self.se_layer(mixed + lepe))
        x = self.dwconv2(self._add(identity, branch, self.ls1))
        return self._add(x, self.mlp(self.norm2(x)), self.ls2)

    def _add(self, identity: Tensor, branch: Tensor, scale: nn.Module) -> Tensor:
        if self.res_scale:
            return scale(identity) + self.drop_path(branch)
        return identity + self.drop_path(scale(branch))


def _restore(x: Tensor, size: torch.Size) -> Tensor:
    """Bring an enlarged map back to its size by averaging."""
    return x if x.shape[-2:] == size else F.adaptive_avg_pool2d(x, (size[0], size[1]))


@register_notrace_module
class ContMixBlock(_DynamicBlock):
    """Stand-alone ContMix block: the picture's own summary makes the kernels.

    Args:
        dim: Channels in and out, divisible by 4 * ``num_heads``.
        kernel_size: Side of the large window and of the large static kernel.
        smk_size: Side of the small window.
        num_heads: Pairs of groups.
        mlp_ratio: Channels inside the MLP, relative to ``dim``.
        ls_init_value: First value of the layer scales; None leaves them out.
        res_scale: Scale the identity instead of the branches.
        drop_path: Probability of dropping a branch in training.
        merged: Build the large static kernel without its branches.
        backend: As in ``dynamic_neighborhood``.
        device: Of the parameters.
        dtype: Of the parameters.

    Source: Lou and Yu, OverLoCK (2025).
    """

    def __init__(
        self,
        dim: int,
        kernel_size: int = 7,
        smk_size: int = 5,
        num_heads: int = 2,
        mlp_ratio: float = 4.0,
        ls_init_value: float | None = None,
        res_scale: bool = False,
        drop_path: float = 0.0,
        merged: bool = False,
        backend: str | None = None,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        dd: dict[str, Any] = {"device": device, "dtype": dtype}
        hidden = int(dim * mlp_ratio)
        super().__init__(
            dim, dim, dim, hidden, kernel_size, smk_size, num_heads, ls_init_value, res_scale,
            drop_path, merged, backend, **dd,
        )  # fmt: skip
        self.weight_value = conv_norm(dim, dim, **dd)
        self.fusion_proj = conv_norm(dim, dim, **dd)
        nn.init.trunc_normal_(self.rpb1, std=0.02)
        nn.init.trunc_normal_(self.rpb2, std=0.02)

    def forward(self, x: Tensor) -> Tensor:
        """Transform a map (batch, dim, height, width)."""
        identity = self.dwconv1(x)
        x = self.norm1(identity)
        large = enlarge(x, self.kernel_size)
        mixed = _restore(self._mix(large, large, self.weight_value(large)), x.shape[-2:])
        return self._finish(identity, self.fusion_proj(mixed), self.lepe(x), self.gate(x))


@register_notrace_module
class DynamicConvBlock(_DynamicBlock):
    """Block of OverLoCK's focus stages: a context map makes the kernels, and travels along.

    Args:
        dim: Channels of the map, divisible by 4 * ``num_heads``.
        ctx_dim: Channels of the overview stage; a quarter of them is the context's width.
        kernel_size: Side of the large window and of the large static kernel.
        smk_size: Side of the small window.
        num_heads: Pairs of groups.
        mlp_ratio: Channels inside the MLP, relative to ``dim``.
        ls_init_value: First value of the layer scales; None leaves them out.
        res_scale: Scale the identity instead of the branches.
        drop_path: Probability of dropping a branch in training.
        is_first: Take the context as it comes, without adding the original one.
        is_last: Return map and context as one tensor.
        merged: Build the large static kernel without its branches.
        backend: As in ``dynamic_neighborhood``.
        device: Of the parameters.
        dtype: Of the parameters.

    Source: Lou and Yu, OverLoCK (2025).
    """

    def __init__(
        self,
        dim: int,
        ctx_dim: int,
        kernel_size: int = 7,
        smk_size: int = 5,
        num_heads: int = 2,
        mlp_ratio: float = 4.0,
        ls_init_value: float | None = None,
        res_scale: bool = False,
        drop_path: float = 0.0,
        is_first: bool = False,
        is_last: bool = False,
        merged: bool = False,
        backend: str | None = None,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        dd: dict[str, Any] = {"device": device, "dtype": dtype}
        context, hidden = ctx_dim // 4, int(dim * mlp_ratio)
        width = dim + context
        super().__init__(
            dim, width, context, hidden, kernel_size, smk_size, num_heads, ls_init_value, res_scale,
            drop_path, merged, backend, **dd,
        )  # fmt: skip
        self.dim, self.is_last = dim, is_last
        if not is_first:
            self.x_scale, self.h_scale = ChannelScale(context, **dd), ChannelScale(context, **dd)
        self.is_first = is_first
        self.fusion = nn.Sequential(
            nn.Conv2d(width, width, kernel_size=3, padding=1, groups=width, **dd),
            nn.BatchNorm2d(width, **dd),
            nn.GELU(),
            nn.Conv2d(width, dim, kernel_size=1, **dd),
            ResponseNorm(dim, **dd),
        )
        self.dyconv_proj = conv_norm(dim, dim, **dd)

    def forward(self, x: Tensor, h_x: Tensor, h_r: Tensor) -> Tensor | tuple[Tensor, Tensor]:
        """Transform a map and its context.

        Args:
            x: Map (batch, dim, height, width).
            h_x: Context as the block before left it (batch, ctx_dim / 4, height, width).
            h_r: Context as the overview stage made it, of the same shape.

        Returns:
            The new map and context; the last block returns them joined (batch, dim + ctx_dim / 4, height, width).
        """
        if not self.is_first:
            h_x = self.x_scale(h_x) + self.h_scale(h_r)
        identity = self.dwconv1(torch.cat([x, h_x], dim=1))
        stream = self.norm1(identity)
        x = self.fusion(stream)
        query, key = enlarge(stream, self.kernel_size).split([self.dim, h_x.shape[1]], dim=1)
        mixed = _restore(self._mix(query, key, enlarge(x, self.kernel_size)), x.shape[-2:])
        out = self._finish(identity, self.dyconv_proj(mixed), self.lepe(x), self.gate(x))
        return out if self.is_last else (out[:, : self.dim], out[:, self.dim :])

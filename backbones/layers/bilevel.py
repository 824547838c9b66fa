"""Bi-level routing attention of BiFormer in both of its layouts, and the plain attention of its last stage.

Source: Zhu et al., BiFormer: Vision Transformer with Bi-Level Routing Attention, CVPR 2023. Parameters have the names
of the published weights.
"""

from collections.abc import Callable
from typing import Any, cast

from timm.models import register_notrace_module
from torch import Tensor, nn
from torch.nn import functional as F

from foveate.backbones.layers.portable import portable
from foveate.kernels.routing.op import routed_attention
from foveate.kernels.routing.problem import BlockGrid
from foveate.kernels.routing.regions import region_means

# How the keys and values of a region become fewer: to a fixed size, or by a fixed ratio.
POOLS: dict[str, Callable[..., Tensor]] = {
    "ada_avgpool": F.adaptive_avg_pool2d,
    "ada_maxpool": F.adaptive_max_pool2d,
    "avgpool": F.avg_pool2d,
    "maxpool": F.max_pool2d,
}


class _Projection(nn.Module):
    """Query, key and value of every token, in one product; only its weights' name needs a module of its own."""

    def __init__(self, dim: int, qk_dim: int, device: Any, dtype: Any) -> None:
        super().__init__()
        self.qkv = nn.Linear(dim, 2 * qk_dim + dim, device=device, dtype=dtype)

    def forward(self, x: Tensor) -> Tensor:
        return self.qkv(x)


class _Router(nn.Module):
    """Embeds the mean query and the mean key of a region alike."""

    def __init__(self, dim: int, device: Any, dtype: Any) -> None:
        super().__init__()
        self.emb = nn.Linear(dim, dim, device=device, dtype=dtype)

    def forward(self, x: Tensor) -> Tensor:
        return self.emb(x)


def _local(dim: int, kernel: int, device: Any, dtype: Any) -> nn.Conv2d | None:
    """Depthwise convolution that adds local position to the value; None for kernel 0."""
    if not kernel:
        return None
    return nn.Conv2d(dim, dim, kernel, padding=kernel // 2, groups=dim, device=device, dtype=dtype)


def _route(heads: list[Tensor], regions: int | tuple[int, ...], topk: int, **options: Any) -> Tensor:
    return cast(Tensor, routed_attention(heads[0], heads[1], heads[2], regions, topk, **options))


def _check_heads(dim: int, qk_dim: int, heads: int) -> None:
    if dim % heads or qk_dim % heads:
        raise ValueError(f"num_heads must divide dim and qk_dim, got {heads} for {dim} and {qk_dim}")


@register_notrace_module
class BiLevelRoutingAttention(nn.Module):
    """Attention of regions to the regions that fit them best, channels last.

    Keys are state_dict names of the published weights: ``qkv.qkv``, ``wo``, ``lepe`` and ``router.emb``.

    Args:
        dim: Channels.
        num_heads: Heads; divides ``dim`` and ``qk_dim``.
        regions: Regions along each side.
        topk: Regions that each region attends to.
        qk_dim: Channels of query and key; ``dim`` when None.
        qk_scale: Factor of the scores and of the routing; qk_dim ** -0.5 when None (all heads together, as published).
        downsample: How the keys and values of a region become fewer: identity, ada_avgpool, ada_maxpool, avgpool or
            maxpool. Routing looks at all of them.
        downsample_size: Side of what is left of a region for ada_avgpool and ada_maxpool, or the ratio of avgpool and
            maxpool.
        lepe_kernel: Side of the depthwise convolution of the value that is added to the output; 0 for none.
        project: Whether a linear layer follows.
        auto_pad: Whether to add zeros at bottom and right until ``regions`` divides the sides. They count as tokens.
        soft: Whether keys and values are multiplied by the softmax of the chosen logits of the routing.
        differentiable: Whether gradients flow through these factors; needs ``soft``.
        learned_routing: Whether mean queries and keys pass a linear layer first; needs ``differentiable``.
        backend: Of ``routed_attention``.
        device: Of the parameters.
        dtype: Of the parameters.
    """

    def __init__(
        self,
        dim: int,
        num_heads: int = 8,
        regions: int = 7,
        topk: int = 4,
        *,
        qk_dim: int | None = None,
        qk_scale: float | None = None,
        downsample: str = "identity",
        downsample_size: int = 4,
        lepe_kernel: int = 5,
        project: bool = True,
        auto_pad: bool = False,
        soft: bool = False,
        differentiable: bool = False,
        learned_routing: bool = False,
        backend: str | None = None,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__()
        dd = {"device": device, "dtype": dtype}
        self.qk_dim = dim if qk_dim is None else qk_dim
        _check_heads(dim, self.qk_dim, num_heads)
        if downsample not in ("identity", *POOLS):
            raise ValueError(f"downsample must be one of identity, {', '.join(POOLS)}, got {downsample!r}")
        if differentiable and not soft:
            raise ValueError("differentiable routing needs soft: which regions are chosen carries no gradient")
        if learned_routing and not differentiable:
            raise ValueError("learned_routing needs differentiable: its layer would never learn")
        self.dim, self.num_heads, self.regions, self.topk = dim, num_heads, regions, topk
        self.scale = self.qk_dim**-0.5 if qk_scale is None else qk_scale
        is_ratio = downsample in ("avgpool", "maxpool")
        self.downsample = "identity" if is_ratio and downsample_size <= 1 else downsample
        self.downsample_size = downsample_size
        self.auto_pad, self.soft, self.differentiable, self.backend = auto_pad, soft, differentiable, backend
        self.qkv = _Projection(dim, self.qk_dim, **dd)
        self.lepe = _local(dim, lepe_kernel, **dd)
        self.wo = nn.Linear(dim, dim, **dd) if project else nn.Identity()
        self.router = _Router(self.qk_dim, **dd) if learned_routing else None

    def forward(self, x: Tensor) -> Tensor:
        """Mix the tokens.

        Args:
            x: (batch, height, width, dim); both sides divide by ``regions`` unless ``auto_pad``.

        Returns:
            The same shape.
        """
        height, width = x.shape[1:3]
        down, right = -height % self.regions, -width % self.regions
        if down or right:
            if not self.auto_pad:
                raise ValueError(
                    f"sides must divide by the {self.regions} regions, got {height} x {width}: set auto_pad, or resize"
                )
            x = F.pad(x, (0, 0, 0, right, 0, down))
        qkv = self.qkv(x)
        query, key, value = qkv.split([self.qk_dim, self.qk_dim, self.dim], dim=-1)
        routing = self._routing(query, key)
        keys = (key, value)
        if self.downsample != "identity":
            keys = self._pooled(qkv[..., self.qk_dim :]).split([self.qk_dim, self.dim], dim=-1)
        heads = [tensor.unflatten(-1, (self.num_heads, -1)) for tensor in (query, *keys)]
        out = _route(
            heads,
            self.regions,
            self.topk,
            scale=self.scale,
            routing_scale=self.scale,
            routing=routing,
            soft=self.soft,
            backend=portable(self.backend),
        )
        out = out.flatten(-2)
        if self.lepe is not None:
            out = out + self.lepe(value.permute(0, 3, 1, 2)).permute(0, 2, 3, 1)
        return self.wo(out)[:, :height, :width]

    def _routing(self, query: Tensor, key: Tensor) -> Tensor | None:
        """Logits where ``routed_attention`` cannot find them itself."""
        if self.downsample == "identity" and not self.differentiable:
            return None
        grid = BlockGrid(
            (query.shape[1], query.shape[2]), (query.shape[1] // self.regions, query.shape[2] // self.regions)
        )
        if not self.differentiable:
            query, key = query.detach(), key.detach()
        means = [region_means(tensor.unflatten(-1, (self.num_heads, -1)), grid) for tensor in (query, key)]
        if self.router is not None:
            means = [self.router(mean) for mean in means]
        return (means[0] * self.scale) @ means[1].transpose(-1, -2)

    def _pooled(self, kv: Tensor) -> Tensor:
        """Pool each region of (batch, height, width, channels), and put regions back side by side."""
        batch, height, width, channels = kv.shape
        sides = (height // self.regions, width // self.regions)
        if self.downsample in ("avgpool", "maxpool") and min(sides) < self.downsample_size:
            raise ValueError(f"a region of {sides[0]} x {sides[1]} cannot shrink by {self.downsample_size}")
        split = kv.reshape(batch, self.regions, sides[0], self.regions, sides[1], channels)
        split = split.permute(0, 1, 3, 5, 2, 4).reshape(-1, channels, *sides)
        pooled = POOLS[self.downsample](split, self.downsample_size)
        pooled = pooled.reshape(batch, self.regions, self.regions, channels, *pooled.shape[-2:])
        height, width = self.regions * pooled.shape[-2], self.regions * pooled.shape[-1]
        return pooled.permute(0, 1, 4, 2, 5, 3).reshape(batch, height, width, channels)


@register_notrace_module
class BiLevelRoutingAttention2d(nn.Module):
    """Attention of regions to the regions that fit them best, channels first.

    Differs from ``BiLevelRoutingAttention`` where regions do not divide the map: their sides are rounded down, so there
    may be more of them, and what they lack are keys of zeros that take part. Keys of the state dict: ``qkv_linear``,
    ``output_linear`` and ``lepe``.

    Args:
        dim: Channels.
        num_heads: Heads; divides ``dim``.
        regions: Regions along each side, at least; a side with fewer tokens has a region for each.
        topk: Regions that each region attends to; all where there are fewer.
        qk_scale: Factor of the scores; dim ** -0.5 when None (of all heads together, as published).
        lepe_kernel: Side of the depthwise convolution of the value that is added to the output; 0 for none.
        backend: Of ``routed_attention``.
        device: Of the parameters.
        dtype: Of the parameters.
    """

    def __init__(
        self,
        dim: int,
        num_heads: int = 8,
        regions: int = 7,
        topk: int = 4,
        *,
        qk_scale: float | None = None,
        lepe_kernel: int = 5,
        backend: str | None = None,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__()
        dd = {"device": device, "dtype": dtype}
        _check_heads(dim, dim, num_heads)
        self.num_heads, self.regions, self.topk, self.backend = num_heads, regions, topk, backend
        self.scale = dim**-0.5 if qk_scale is None else qk_scale
        self.qkv_linear = nn.Conv2d(dim, 3 * dim, 1, **dd)
        self.lepe = _local(dim, lepe_kernel, **dd)
        self.output_linear = nn.Conv2d(dim, dim, 1, **dd)

    def forward(self, x: Tensor) -> Tensor:
        """Mix the tokens.

        Args:
            x: (batch, dim, height, width).

        Returns:
            The same shape.
        """
        # int, since a tracer has tensors for sizes.
        height, width = (int(side) for side in x.shape[2:])
        # The published code fails where there are fewer tokens than regions.
        grid = BlockGrid((height, width), (max(height // self.regions, 1), max(width // self.regions, 1)))
        query, key, value = self.qkv_linear(x).chunk(3, dim=1)
        heads = [t.permute(0, 2, 3, 1).unflatten(-1, (self.num_heads, -1)) for t in (query, key, value)]
        routing = None
        if grid.is_ragged:
            means = [region_means(tensor.detach(), grid) for tensor in heads[:2]]
            routing = means[0] @ means[1].transpose(-1, -2)
            down, right = (-side % size for side, size in zip(grid.lengths, grid.sizes, strict=True))
            heads = [F.pad(tensor, (0, 0, 0, 0, 0, right, 0, down)) for tensor in heads]
        out = _route(
            heads,
            grid.counts,
            min(self.topk, grid.blocks),
            scale=self.scale,
            routing=routing,
            backend=portable(self.backend),
        )
        out = out[:, :height, :width].flatten(-2).permute(0, 3, 1, 2)
        if self.lepe is not None:
            out = out + self.lepe(value)
        return self.output_linear(out)


class AttentionLePE(nn.Module):
    """Attention among all tokens, channels last, with a depthwise convolution of its input added.

    Args:
        dim: Channels.
        num_heads: Heads; divides ``dim``.
        qkv_bias: Whether query, key and value have a bias.
        qk_scale: Factor of the scores; (dim / num_heads) ** -0.5 when None.
        lepe_kernel: Side of the convolution; 0 for none.
        device: Of the parameters.
        dtype: Of the parameters.
    """

    def __init__(
        self,
        dim: int,
        num_heads: int = 8,
        *,
        qkv_bias: bool = False,
        qk_scale: float | None = None,
        lepe_kernel: int = 5,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__()
        dd = {"device": device, "dtype": dtype}
        _check_heads(dim, dim, num_heads)
        self.num_heads, self.scale = num_heads, qk_scale
        self.qkv = nn.Linear(dim, 3 * dim, bias=qkv_bias, **dd)
        self.lepe = _local(dim, lepe_kernel, **dd)
        self.proj = nn.Linear(dim, dim, **dd)

    def forward(self, x: Tensor) -> Tensor:
        """Mix the tokens.

        Args:
            x: (batch, height, width, dim).

        Returns:
            The same shape.
        """
        qkv = self.qkv(x).flatten(1, 2).unflatten(-1, (3, self.num_heads, -1))
        out = _attend_to_all(qkv, self.scale).view_as(x)
        if self.lepe is not None:
            out = out + self.lepe(x.permute(0, 3, 1, 2)).permute(0, 2, 3, 1)
        return self.proj(out)


class AttentionLePE2d(nn.Module):
    """Attention among all tokens, channels first, with a depthwise convolution of the value added.

    Args:
        dim: Channels.
        num_heads: Heads; divides ``dim``.
        qkv_bias: Whether query, key and value have a bias.
        qk_scale: Factor of the scores; (dim / num_heads) ** -0.5 when None.
        lepe_kernel: Side of the convolution; 0 for none.
        device: Of the parameters.
        dtype: Of the parameters.
    """

    def __init__(
        self,
        dim: int,
        num_heads: int = 8,
        *,
        qkv_bias: bool = False,
        qk_scale: float | None = None,
        lepe_kernel: int = 5,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__()
        dd = {"device": device, "dtype": dtype}
        _check_heads(dim, dim, num_heads)
        self.num_heads, self.scale = num_heads, qk_scale
        self.qkv = nn.Conv2d(dim, 3 * dim, 1, bias=qkv_bias, **dd)
        self.lepe = _local(dim, lepe_kernel, **dd)
        self.proj = nn.Conv2d(dim, dim, 1, **dd)

    def forward(self, x: Tensor) -> Tensor:
        """Mix the tokens.

        Args:
            x: (batch, dim, height, width).

        Returns:
            The same shape.
        """
        qkv = self.qkv(x)
        tokens = qkv.flatten(2).transpose(1, 2).unflatten(-1, (3, self.num_heads, -1))
        out = _attend_to_all(tokens, self.scale).transpose(1, 2).reshape(x.shape)
        if self.lepe is not None:
            out = out + self.lepe(qkv.chunk(3, dim=1)[2])
        return self.proj(out)


def _attend_to_all(qkv: Tensor, scale: float | None) -> Tensor:
    """Attend with (batch, tokens, 3, heads, channels of a head); returns (batch, tokens, heads * channels)."""
    query, key, value = qkv.permute(2, 0, 3, 1, 4).unbind(0)
    return F.scaled_dot_product_attention(query, key, value, scale=scale).transpose(1, 2).flatten(2)


def routed_state_to_2d(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """Rename weights of ``BiLevelRoutingAttention`` for ``BiLevelRoutingAttention2d``, which then answers alike.

    Args:
        state: Of an attention with projection, and without downsampling, soft routing or a router.

    Returns:
        The state under the other names; matrices get two axes of length 1.
    """
    names = {"qkv.qkv": "qkv_linear", "wo": "output_linear", "lepe": "lepe"}
    new = {}
    for key, tensor in state.items():
        module, leaf = key.rsplit(".", 1)
        if module not in names:
            raise ValueError(f"{key} has no place there: only {', '.join(names)} can be renamed")
        new[f"{names[module]}.{leaf}"] = tensor[..., None, None] if tensor.ndim == 2 else tensor
    return new

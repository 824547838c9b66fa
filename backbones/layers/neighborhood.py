"""Neighborhood attention as a module: projections around ``foveate.kernels.neighborhood_attention``.

Parameters are named as in NATTEN (qkv, proj) and as in the models of NAT and DiNAT (rpb), so their weights load.
"""

from collections.abc import Callable
from typing import Any, cast

import torch
import torch.nn.functional as F
from timm.models import register_notrace_module
from torch import Tensor, nn

from foveate.backbones.layers.portable import portable
from foveate.kernels.neighborhood.op import neighborhood_attention

Rotary = Callable[[Tensor], Tensor]


class _NeighborhoodAttention(nn.Module):
    """Neighborhood attention over ``rank`` axes; the subclasses say which."""

    rank: int

    def __init__(
        self,
        embed_dim: int,
        num_heads: int,
        kernel_size: int | tuple[int, ...],
        stride: int | tuple[int, ...] = 1,
        dilation: int | tuple[int, ...] | None = 1,
        is_causal: bool | tuple[bool, ...] = False,
        qkv_bias: bool = True,
        qk_scale: float | None = None,
        proj_drop: float = 0.0,
        *,
        rel_pos_bias: bool = False,
        qk_norm: bool = False,
        norm_layer: Callable[..., nn.Module] = nn.LayerNorm,
        pad_input: bool = False,
        backend: str | None = None,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__()
        dd = {"device": device, "dtype": dtype}
        if num_heads < 1 or embed_dim % num_heads:
            raise ValueError(f"num_heads must divide embed_dim, got {num_heads} heads for {embed_dim} channels")
        self.num_heads, self.head_dim = num_heads, embed_dim // num_heads
        self.kernel_size = self._per_axis("kernel_size", kernel_size)
        self.dilation = self._per_axis("dilation", 1 if dilation is None else dilation)
        self.stride, self.is_causal = stride, is_causal
        self.scale, self.pad_input, self.backend = qk_scale, pad_input, backend
        self.qkv = nn.Linear(embed_dim, 3 * embed_dim, bias=qkv_bias, **dd)
        self.q_norm = norm_layer(self.head_dim, **dd) if qk_norm else nn.Identity()
        self.k_norm = norm_layer(self.head_dim, **dd) if qk_norm else nn.Identity()
        self.rpb: nn.Parameter | None = None
        if rel_pos_bias:
            self.rpb = nn.Parameter(torch.empty(num_heads, *(2 * size - 1 for size in self.kernel_size), **dd))
            nn.init.trunc_normal_(self.rpb, std=0.02)
        self.proj = nn.Linear(embed_dim, embed_dim, **dd)
        self.proj_drop = nn.Dropout(proj_drop)

    def forward(self, x: Tensor, extra_tokens: Tensor | None = None, rotary: Rotary | None = None) -> Tensor:
        """Attend.

        Args:
            x: (batch, *spatial, embed_dim).
            extra_tokens: (batch, tokens, embed_dim) that every query sees beside its window, such as registers; they
                go through the same projection, are normed but not rotated, and are not updated.
            rotary: Applied to queries and keys of the grid, (batch, *spatial, heads, head_dim), after their norms.

        Returns:
            (batch, *spatial, embed_dim).

        Raises:
            ValueError: Shapes do not fit; without ``pad_input``, also when window times dilation exceeds an axis.
        """
        channels = self.qkv.in_features
        if x.ndim != self.rank + 2 or x.shape[-1] != channels:
            axes = ", ".join(("depth", "height", "width")[3 - self.rank :]) if self.rank > 1 else "length"
            raise ValueError(f"{type(self).__name__} takes (batch, {axes}, {channels}), got {tuple(x.shape)}")
        spatial = x.shape[1:-1]
        if self.pad_input:
            x = self._pad(x)
        # Views of one projection: the kernels read them with their strides, so nothing is copied.
        query, key, value = self.qkv(x).unflatten(-1, (3, self.num_heads, self.head_dim)).unbind(-3)
        query, key = self.q_norm(query), self.k_norm(key)
        if rotary is not None:
            query, key = rotary(query), rotary(key)
        extra_keys, extra_values = (None, None) if extra_tokens is None else self._extra(extra_tokens)
        window, bias = self._window(spatial)
        attended = neighborhood_attention(
            query,
            key,
            value,
            window,
            stride=self.stride,
            dilation=self.dilation,
            causal=self.is_causal,
            scale=self.scale,
            rel_pos_bias=bias,
            extra_keys=extra_keys,
            extra_values=extra_values,
            backend=portable(self.backend),
        )
        out = cast(Tensor, attended)
        if self.pad_input:
            kept = (slice(None), *(slice(length) for length in spatial))
            out = out[kept]
        return self.proj_drop(self.proj(out.flatten(-2)))

    def extra_repr(self) -> str:
        """Tell the window."""
        return (
            f"num_heads={self.num_heads}, kernel_size={self.kernel_size}, stride={self.stride}, "
            f"dilation={self.dilation}, is_causal={self.is_causal}"
        )

    @torch.jit.ignore
    def no_weight_decay(self) -> set[str]:
        """Return names of the parameters that weight decay leaves alone."""
        return {"rpb"}

    def _per_axis(self, name: str, value: int | tuple[int, ...]) -> tuple[int, ...]:
        numbers = tuple(value) if isinstance(value, (tuple, list)) else (value,) * self.rank
        if len(numbers) != self.rank or not all(isinstance(n, int) and n >= 1 for n in numbers):
            raise ValueError(f"{name} must be a whole number of 1 or more, or {self.rank} of them, got {value!r}")
        return numbers

    def _window(self, spatial: torch.Size) -> tuple[tuple[int, ...], Tensor | None]:
        """Window over a grid, and the biases of its positions; a subclass may make them depend on the grid."""
        return self.kernel_size, self.rpb

    def _pad(self, x: Tensor) -> Tensor:
        """Append zeros to axes that are shorter than the window; they are seen like all tokens, as in NAT and DiNAT."""
        pads = [0, 0]
        for length, size, step in [*zip(x.shape[1:-1], self.kernel_size, self.dilation, strict=True)][::-1]:
            pads += [0, max(size * step - length, 0)]
        return F.pad(x, pads) if any(pads) else x

    def _extra(self, tokens: Tensor) -> tuple[Tensor, Tensor]:
        channels = self.qkv.in_features
        bias = None if self.qkv.bias is None else self.qkv.bias[channels:]
        both = F.linear(tokens, self.qkv.weight[channels:], bias)
        key, value = both.unflatten(-1, (2, self.num_heads, self.head_dim)).unbind(-3)
        return self.k_norm(key), value


# A tracer sees one call: what is padded depends on sizes.
@register_notrace_module
class NeighborhoodAttention1D(_NeighborhoodAttention):
    """Neighborhood attention over sequences (batch, length, embed_dim).

    Args:
        embed_dim: Channels.
        num_heads: Heads; they divide the channels.
        kernel_size: Keys that a query sees along each axis, itself included.
        stride: Neighboring queries that share a window, from 1 to ``kernel_size``.
        dilation: Distance between two keys of a window; None stands for 1.
        is_causal: Whether keys after the query are hidden.
        qkv_bias: Whether the first projection has a bias.
        qk_scale: Factor of the scores; None stands for head_dim ** -0.5.
        proj_drop: Dropout of the output, a probability.
        rel_pos_bias: Add a learned bias for each head and relative position (parameter ``rpb``), as in NAT and DiNAT.
        qk_norm: Norm queries and keys of each head.
        norm_layer: Their norm; called with the channels of a head, device and dtype.
        pad_input: Append zeros to axes shorter than the window times the dilation, and crop afterwards, as the models
            of NAT and DiNAT do; they are seen like all tokens. Without it such inputs are refused.
        backend: As for ``neighborhood_attention``.
        device: Of the parameters.
        dtype: Of the parameters.
    """

    rank = 1


@register_notrace_module
class NeighborhoodAttention2D(_NeighborhoodAttention):
    """Neighborhood attention over grids (batch, height, width, embed_dim).

    Arguments as for ``NeighborhoodAttention1D``; numbers can be one for both axes or one for each.
    """

    rank = 2


@register_notrace_module
class NeighborhoodAttention3D(_NeighborhoodAttention):
    """Neighborhood attention over volumes (batch, depth, height, width, embed_dim).

    Arguments as for ``NeighborhoodAttention1D``; numbers can be one for all axes or one for each.
    """

    rank = 3

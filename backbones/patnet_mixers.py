"""What PATNet is made of: partial convolution beside gates and attention (arXiv 2503.03148), and blocks of them."""

import math
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from timm.layers import DropPath, LayerNorm2d
from timm.models import checkpoint_seq, register_notrace_module
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval, fuse_conv_bn_weights

__all__ = [
    "BiasedAttention",
    "Block",
    "GaussianGate",
    "PartialMixer",
    "PatchEmbed",
    "PatchMerging",
    "Pointwise",
    "RelativeBias",
    "SpatialGate",
    "Stage",
]

_ALPHA, _BETA, _GAMMA = 20.0, 40.0, 160.0
# Below this side, in pixels, the last stage has no cell, or the one before no deviation over its cells.
_LEAST_SIDE = 32
relu = partial(nn.ReLU, inplace=True)


def fuse_norm(module: nn.Module, convolution: str, norm: str) -> None:
    """Take a batch norm into the convolution before it, in place; for inference.

    Args:
        module: Parent of both; nothing happens where the norm is gone already.
        convolution: Name of the convolution.
        norm: Name of the norm; an identity takes its place.

    Raises:
        RuntimeError: The norm is in training mode, where it has no fixed numbers.
    """
    first, second = module.get_submodule(convolution), module.get_submodule(norm)
    if not isinstance(first, nn.Conv2d) or not isinstance(second, nn.BatchNorm2d):
        return
    if second.training:
        raise RuntimeError("batch norms can only be fused in eval mode: call model.eval() first")
    setattr(module, convolution, fuse_conv_bn_eval(first, second))
    setattr(module, norm, nn.Identity())


def _mix_channels(x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    """Convolve with kernels of one cell."""
    # oneDNN, which torch asks on a CPU with more than one thread, takes up to five times as long as the product of
    # matrices that this is, as it brings kernels into another order first.
    if not (x.is_cpu and x.shape[0] == 1 and x.dtype == torch.float32 and x.is_contiguous()):
        return F.conv2d(x, weight, bias)
    cells = x.flatten(2)[0]
    mixed = weight.flatten(1) @ cells if bias is None else torch.addmm(bias[:, None], weight.flatten(1), cells)
    return mixed.view(1, -1, x.shape[2], x.shape[3])


# Its branch depends on the tensor, which symbolic tracing does not know.
torch.fx.wrap("_mix_channels")


class Pointwise(nn.Conv2d):
    """Convolution of 1 by 1, quick on a CPU for one picture too.

    Args:
        in_channels: Channels of the input.
        out_channels: Channels of the output.
        bias: Whether there is one.
    """

    def __init__(
        self, in_channels: int, out_channels: int, bias: bool = False, device: Any = None, dtype: Any = None
    ) -> None:
        super().__init__(in_channels, out_channels, 1, bias=bias, device=device, dtype=dtype)

    def forward(self, x: Tensor) -> Tensor:
        """Mix the channels of (batch, in_channels, height, width)."""
        return _mix_channels(x, self.weight, self.bias)


class GaussianGate(nn.Module):
    """Weigh channels by their mean and standard deviation over the map.

    Args:
        dim: Channels.

    Source: PATNet, PAT_ch; the authors' code has no bottleneck here. Maps of one cell have no standard deviation.
    """

    def __init__(self, dim: int, device: Any = None, dtype: Any = None) -> None:
        super().__init__()
        dd = {"device": device, "dtype": dtype}
        self.cfc1 = nn.Conv2d(dim, dim, (1, 2), bias=False, **dd)
        self.bn = nn.BatchNorm2d(dim, **dd)

    def forward(self, x: Tensor) -> Tensor:
        """Gate (batch, dim, height, width)."""
        flat = x.flatten(2)
        mean = flat.mean(2, keepdim=True)
        # Tensor.std goes over a map on a CPU cell by cell, and takes ten times as long as these passes. A sum of
        # squares has no room in half precision.
        wide = torch.promote_types(x.dtype, torch.float32)
        distance = torch.linalg.vector_norm(flat - mean, dim=2, keepdim=True, dtype=wide)
        deviation = (distance * (flat.shape[2] - 1) ** -0.5).to(x.dtype)
        # The kernel is as large as what it sees, so that a product does for the convolution.
        statistics = torch.cat([mean, deviation], 2).flatten(1)
        mixed = F.linear(statistics, self.cfc1.weight.flatten(1), self.cfc1.bias)
        return x * F.hardsigmoid(self.bn(mixed[..., None, None]))

    def reparameterize(self) -> None:
        """Take the norm into the convolution, in place; for inference."""
        fuse_norm(self, "cfc1", "bn")


class RelativeBias(nn.Module):
    """Bias of attention logits by the rounded distance of two cells, in 81 buckets.

    Args:
        heads: Attention heads.

    Source: iRPE (arXiv 2107.14222), bias mode, Euclidean method, with PATNet's alpha 20, beta 40, gamma 160.
    """

    def __init__(self, heads: int, device: Any = None, dtype: Any = None) -> None:
        super().__init__()
        self.lookup_table_bias = nn.Parameter(torch.zeros(heads, 2 * int(_BETA) + 1, device=device, dtype=dtype))

    def forward(self, height: int, width: int) -> Tensor:
        """Return the bias of every pair of cells, (1, heads, height * width, height * width)."""
        table = self.lookup_table_bias
        # Distances depend on offsets only: the table is looked up once an offset, not once a pair.
        rows = torch.arange(1 - height, height, device=table.device, dtype=torch.float32)
        columns = torch.arange(1 - width, width, device=table.device, dtype=torch.float32)
        distance = (rows[:, None] ** 2 + columns**2).sqrt().round()
        if (height - 1) ** 2 + (width - 1) ** 2 > _ALPHA**2:
            far = _ALPHA + (distance.clamp(min=1) / _ALPHA).log() / math.log(_GAMMA / _ALPHA) * (_BETA - _ALPHA)
            distance = torch.where(distance <= _ALPHA, distance, far.round().clamp(max=_BETA))
        bucket = distance.long() + int(_BETA)
        # A window of all keys slides over the offsets: the last query's comes first.
        pairs = table[:, bucket].unfold(1, height, 1).unfold(2, width, 1).flip(1, 2)
        return pairs.reshape(1, table.shape[0], height * width, height * width)


@register_notrace_module
class BiasedAttention(nn.Module):
    """Self-attention over all cells with a relative bias.

    Args:
        dim: Channels.
        heads: Attention heads.
        dropout: Dropout of attention and output while training.

    Raises:
        ValueError: The heads do not divide the channels.

    Source: PATNet, PAT_sf. The authors' code scales queries in place; this one does not.
    """

    def __init__(self, dim: int, heads: int, dropout: float = 0.1, device: Any = None, dtype: Any = None) -> None:
        super().__init__()
        dd = {"device": device, "dtype": dtype}
        if dim % heads:
            raise ValueError(f"heads must divide the channels that attend, got {heads} for {dim}")
        self.heads = heads
        self.dropout = dropout
        self.qkv = nn.Linear(dim, 3 * dim, bias=False, **dd)
        self.proj = nn.Linear(dim, dim, **dd)
        self.rpe_k = RelativeBias(heads, **dd)

    def forward(self, x: Tensor) -> Tensor:
        """Attend over (batch, dim, height, width)."""
        batch, dim, height, width = x.shape
        tokens = x.flatten(2).transpose(1, 2)
        q, k, v = self.qkv(tokens).view(batch, height * width, 3, self.heads, dim // self.heads).permute(2, 0, 3, 1, 4)
        bias = self.rpe_k(height, width).to(q.dtype)
        dropout = self.dropout if self.training else 0.0
        out = F.scaled_dot_product_attention(q, k, v, attn_mask=bias, dropout_p=dropout)
        out = out.transpose(1, 2)
        if torch.onnx.is_in_onnx_export():
            # The attention that ONNX makes of this has another memory order.
            out = out.clone(memory_format=torch.contiguous_format)
        out = self.proj(out.reshape(batch, height * width, dim))
        out = F.dropout(out, self.dropout, self.training)
        return out.transpose(1, 2).reshape(batch, dim, height, width)


class PartialMixer(nn.Module):
    """Convolve the first quarter of the channels; gate, attend over or keep the others.

    Args:
        dim: Channels.
        kind: "conv" keeps the others, "se" gates them (PAT_ch), "self" attends over them (PAT_sf).
        n_div: One part in so many is convolved.
        heads: Attention heads of "self".
        dropout: Dropout of "self".

    Raises:
        ValueError: There is no such kind.

    Source: PATNet, sections 3.2 and 3.4; the norm follows on PAT_ch's gate, and comes before PAT_sf's attention.
    """

    def __init__(
        self,
        dim: int,
        kind: str,
        n_div: int = 4,
        heads: int = 4,
        dropout: float = 0.1,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__()
        dd = {"device": device, "dtype": dtype}
        if kind not in ("conv", "se", "self"):
            raise ValueError(f"kind must be conv, se or self, got {kind!r}")
        self.sizes = (dim // n_div, dim - dim // n_div)
        self.kind = kind
        self.partial_conv3 = nn.Conv2d(self.sizes[0], self.sizes[0], 3, padding=1, bias=False, **dd)
        if kind == "se":
            self.attn: nn.Module = GaussianGate(self.sizes[1], **dd)
            self.norm: nn.Module = nn.BatchNorm2d(self.sizes[1], **dd)
        elif kind == "self":
            self.norm = LayerNorm2d(self.sizes[1], eps=1e-6, **dd)
            self.attn = BiasedAttention(self.sizes[1], heads, dropout, **dd)

    def forward(self, x: Tensor) -> Tensor:
        """Mix (batch, dim, height, width)."""
        near, rest = x.split(self.sizes, 1)
        if self.kind == "se":
            rest = self.norm(self.attn(rest))
        elif self.kind == "self":
            rest = self.attn(self.norm(rest))
        return torch.cat([self.partial_conv3(near), rest], 1)


class SpatialGate(nn.Module):
    """Gate the first half of the channels by one map, convolve the last half (PAT_sp).

    Args:
        dim: Channels.

    Source: PATNet; batch norm comes before the convolution, as in the authors' code.
    """

    def __init__(self, dim: int, device: Any = None, dtype: Any = None) -> None:
        super().__init__()
        dd = {"device": device, "dtype": dtype}
        convolved = dim // 2
        self.sizes = (dim - convolved, convolved)
        self.conv: nn.Module = Pointwise(convolved, convolved, **dd)
        self.conv_attn = Pointwise(self.sizes[0], 1, **dd)
        self.norm = nn.BatchNorm2d(self.sizes[0], **dd)
        self.norm2: nn.Module = nn.BatchNorm2d(convolved, **dd)

    def forward(self, x: Tensor) -> Tensor:
        """Gate (batch, dim, height, width)."""
        gated, rest = x.split(self.sizes, 1)
        gated = self.norm(gated * F.hardsigmoid(self.conv_attn(gated)))
        return torch.cat([gated, self.conv(self.norm2(rest))], 1)

    @torch.no_grad()
    def merge_into(self, before: nn.Conv2d) -> nn.Conv2d:
        """Move the second half's norm and convolution into the convolution before, in place; for inference.

        Args:
            before: 1 x 1 convolution without bias that makes this module's input.

        Returns:
            What takes its place; ``before`` where nothing is left to move.

        Raises:
            RuntimeError: The norm is in training mode.

        Source: PATNet: both are linear in the channels, so W' = C diag(s) W and b' = C t, where the norm is s x + t.
        """
        norm, first = self.norm2, self.sizes[0]
        if not isinstance(norm, nn.BatchNorm2d) or not isinstance(self.conv, nn.Conv2d):
            return before
        if norm.training or norm.running_mean is None or norm.running_var is None:
            raise RuntimeError("PAT_sp can only be merged in eval mode: call model.eval() first")
        weight, bias = fuse_conv_bn_weights(
            before.weight[first:], None, norm.running_mean, norm.running_var, norm.eps, norm.weight, norm.bias
        )
        kernel = self.conv.weight.flatten(1)
        merged = Pointwise(before.in_channels, before.out_channels, bias=True).to(before.weight).eval()
        merged.weight.copy_(torch.cat([before.weight[:first], (kernel @ weight.flatten(1))[..., None, None]]))
        merged.bias = nn.Parameter(torch.cat([torch.zeros_like(self.norm.weight), kernel @ bias]))
        self.norm2, self.conv = nn.Identity(), nn.Identity()
        return merged


class Block(nn.Module):
    """Partial mixer and a two-layer perceptron; one residual, or two in the stage that attends.

    Args:
        dim: Channels.
        kind: Kind of the mixer.
        two_residuals: Whether mixer and perceptron have a residual each.
        spatial: Whether PAT_sp ends the perceptron.
        drop_path: Rate of dropped branches.
        layer_scale: Start value of a scale a channel; 0 for none.

    Source: the authors' code; where there are two residuals, only the perceptron's branch is ever dropped.
    """

    def __init__(
        self,
        dim: int,
        kind: str,
        two_residuals: bool,
        n_div: int = 4,
        mlp_ratio: float = 2.0,
        spatial: bool = True,
        heads: int = 4,
        attn_drop: float = 0.1,
        drop_path: float = 0.0,
        layer_scale: float = 0.0,
        act_layer: Callable[..., nn.Module] = relu,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__()
        dd = {"device": device, "dtype": dtype}
        hidden = int(dim * mlp_ratio)
        self.two_residuals = two_residuals
        self.spatial_mixing = PartialMixer(dim, kind, n_div, heads, attn_drop, **dd)
        layers = [
            Pointwise(dim, hidden, **dd),
            nn.BatchNorm2d(hidden, **dd),
            act_layer(),
            Pointwise(hidden, dim, **dd),
        ]
        self.mlp = nn.Sequential(*layers, *([SpatialGate(dim, **dd)] if spatial else []))
        self.drop_path = DropPath(drop_path) if drop_path > 0 else nn.Identity()
        self.layer_scale = nn.Parameter(torch.full((dim,), layer_scale, **dd)) if layer_scale > 0 else None

    def forward(self, x: Tensor) -> Tensor:
        """Process (batch, dim, height, width)."""
        mixed = self.spatial_mixing(x)
        if self.two_residuals:
            x = mixed = x + mixed
        branch = self.mlp(mixed)
        if self.layer_scale is not None:
            branch = branch * self.layer_scale[:, None, None]
        return x + self.drop_path(branch)

    def reparameterize(self) -> None:
        """Take norms and PAT_sp's convolution into the convolutions before them, in place; for inference."""
        fuse_norm(self.mlp, "0", "1")
        gate, projection = self.mlp[-1], self.mlp[3]
        if isinstance(gate, SpatialGate) and isinstance(projection, nn.Conv2d):
            self.mlp[3] = gate.merge_into(projection)


class Stage(nn.Module):
    """Blocks of one resolution."""

    def __init__(self, blocks: Sequence[nn.Module]) -> None:
        super().__init__()
        self.blocks = nn.Sequential(*blocks)
        self.grad_checkpointing = False

    def forward(self, x: Tensor) -> Tensor:
        """Process (batch, dim, height, width)."""
        if self.grad_checkpointing and not torch.jit.is_scripting():  # type: ignore[attr-defined]
            return checkpoint_seq(self.blocks, x)
        return self.blocks(x)


class PatchEmbed(nn.Module):
    """Cut the picture into patches of 4 by 4 pixels."""

    def __init__(self, in_chans: int, dim: int, device: Any = None, dtype: Any = None) -> None:
        super().__init__()
        self.proj = nn.Conv2d(in_chans, dim, 4, 4, bias=False, device=device, dtype=dtype)
        self.norm = nn.BatchNorm2d(dim, device=device, dtype=dtype)

    def forward(self, x: Tensor) -> Tensor:
        """Embed (batch, in_chans, height, width)."""
        return self.norm(self.proj(_at_least(x, _LEAST_SIDE)))

    def reparameterize(self) -> None:
        """Take the norm into the convolution, in place; for inference."""
        fuse_norm(self, "proj", "norm")


class PatchMerging(nn.Module):
    """Halve the resolution and double the channels."""

    def __init__(self, dim: int, device: Any = None, dtype: Any = None) -> None:
        super().__init__()
        self.reduction = nn.Conv2d(dim, 2 * dim, 2, 2, bias=False, device=device, dtype=dtype)
        self.norm = nn.BatchNorm2d(2 * dim, device=device, dtype=dtype)

    def forward(self, x: Tensor) -> Tensor:
        """Merge (batch, dim, height, width)."""
        return self.norm(self.reduction(x))

    def reparameterize(self) -> None:
        """Take the norm into the convolution, in place; for inference."""
        fuse_norm(self, "reduction", "norm")


def _at_least(x: Tensor, side: int) -> Tensor:
    """Fill pictures up with zeros at the right and bottom, to the side that they need."""
    height, width = x.shape[-2:]
    return F.pad(x, (0, max(0, side - width), 0, max(0, side - height))) if min(height, width) < side else x


# Its branch depends on sizes, which symbolic tracing does not know.
torch.fx.wrap("_at_least")

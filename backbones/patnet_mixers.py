"""How PATNet mixes places: partial convolution beside gates and attention (arXiv 2503.03148)."""

from typing import Any

import torch
import torch.nn.functional as F
from timm.layers import LayerNorm2d
from torch import Tensor, nn

_ALPHA, _BETA, _GAMMA = 20.0, 40.0, 160.0


class GaussianGate(nn.Module):
    """Weigh channels by their mean and standard deviation over the map.

    Args:
        dim: Channels.

    Source: PATNet, PAT_ch; the authors' code has no bottleneck here.
    """

    def __init__(self, dim: int, device: Any = None, dtype: Any = None) -> None:
        super().__init__()
        dd = {"device": device, "dtype": dtype}
        self.cfc1 = nn.Conv2d(dim, dim, (1, 2), bias=False, **dd)
        self.bn = nn.BatchNorm2d(dim, **dd)

    def forward(self, x: Tensor) -> Tensor:
        """Gate (batch, dim, height, width)."""
        flat = x.flatten(2)
        statistics = torch.stack([flat.mean(2), flat.std(2)], -1).unsqueeze(2)
        return x * F.hardsigmoid(self.bn(self.cfc1(statistics)))


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
        distance = (rows[:, None] ** 2 + columns[None] ** 2).sqrt().round()
        far = (
            _ALPHA + (distance.clamp(min=1) / _ALPHA).log() / (torch.tensor(_GAMMA / _ALPHA).log()) * (_BETA - _ALPHA)
        ).round()
        bucket = torch.where(distance <= _ALPHA, distance, far.clamp(max=_BETA)).long() + int(_BETA)
        by_offset = table[:, bucket]
        row, column = torch.arange(height, device=table.device), torch.arange(width, device=table.device)
        row_offset = (row[:, None] - row[None] + height - 1)[:, None, :, None]
        column_offset = (column[:, None] - column[None] + width - 1)[None, :, None, :]
        pairs = by_offset[:, row_offset, column_offset]
        return pairs.reshape(1, table.shape[0], height * width, height * width)


class BiasedAttention(nn.Module):
    """Self-attention over all cells with a relative bias.

    Args:
        dim: Channels.
        heads: Attention heads.
        dropout: Dropout of attention and output while training.
    """

    def __init__(self, dim: int, heads: int, dropout: float = 0.1, device: Any = None, dtype: Any = None) -> None:
        super().__init__()
        dd = {"device": device, "dtype": dtype}
        self.heads = heads
        self.dropout = dropout
        self.qkv = nn.Linear(dim, 3 * dim, bias=False, **dd)
        self.proj = nn.Linear(dim, dim, **dd)
        self.rpe_k = RelativeBias(heads, **dd)

    def forward(self, x: Tensor) -> Tensor:
        """Attend over (batch, dim, height, width)."""
        batch, dim, height, width = x.shape
        tokens = x.flatten(2).transpose(1, 2)
        q, k, v = self.qkv(tokens).view(batch, -1, 3, self.heads, dim // self.heads).permute(2, 0, 3, 1, 4)
        bias = self.rpe_k(height, width).to(q.dtype)
        dropout = self.dropout if self.training else 0.0
        out = F.scaled_dot_product_attention(q, k, v, attn_mask=bias, dropout_p=dropout)
        out = self.proj(out.transpose(1, 2).reshape(batch, -1, dim))
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
        self.conv = nn.Conv2d(convolved, convolved, 1, bias=False, **dd)
        self.conv_attn = nn.Conv2d(self.sizes[0], 1, 1, bias=False, **dd)
        self.norm = nn.BatchNorm2d(self.sizes[0], **dd)
        self.norm2 = nn.BatchNorm2d(convolved, **dd)

    def forward(self, x: Tensor) -> Tensor:
        """Gate (batch, dim, height, width)."""
        gated, rest = x.split(self.sizes, 1)
        gated = self.norm(gated * F.hardsigmoid(self.conv_attn(gated)))
        return torch.cat([gated, self.conv(self.norm2(rest))], 1)

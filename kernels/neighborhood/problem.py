"""What a call of neighborhood attention asks for: its tensors, and their description that backends decide by."""

from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from foveate.kernels.window import Axis


class Inputs(NamedTuple):
    """Tensors of a call; the gradients of a call have the same shape.

    Args:
        query: (batch, *spatial, heads, dim).
        key: (batch, *spatial, heads_kv, dim).
        value: (batch, *spatial, heads_kv, dim_v).
        bias: (heads, 2 * window - 1 along each axis), or None.
        extra_key: (batch, tokens, heads_kv, dim), or None.
        extra_value: (batch, tokens, heads_kv, dim_v), or None.
    """

    query: Tensor
    key: Tensor
    value: Tensor
    bias: Tensor | None = None
    extra_key: Tensor | None = None
    extra_value: Tensor | None = None


@dataclass(frozen=True)
class Problem:
    """Description of a call, without its numbers.

    Args:
        batch: Items.
        axes: One for each spatial axis.
        heads: Of the query.
        heads_kv: Of key and value; divides ``heads``.
        dim: Channels of a head of query and key.
        dim_v: Channels of a head of the value.
        dtype: Of all tensors.
        device: Of all tensors.
        has_bias: Whether there is a relative position bias.
        extra_tokens: Keys that every query sees beside its window.
    """

    batch: int
    axes: tuple[Axis, ...]
    heads: int
    heads_kv: int
    dim: int
    dim_v: int
    dtype: torch.dtype
    device: torch.device
    has_bias: bool = False
    extra_tokens: int = 0

"""Multiply-adds of a model, those inside the attention kernels too; nothing is computed, so any size is quick."""

from collections.abc import Sequence
from math import prod
from typing import Any

import torch
from torch import nn
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

# They put the operators into torch's registry.
import foveate.kernels.dynamic.op
import foveate.kernels.neighborhood.op
import foveate.kernels.routing.op  # noqa: F401

__all__ = ["count_macs"]


def count_macs(model: nn.Module, input_size: Sequence[int]) -> int:
    """Count the multiplications that a picture costs, each with its addition.

    Products of matrices, convolutions and attention count; norms, activations and pooling do not.

    Args:
        model: In eval mode, on any device, ``"meta"`` too: its numbers are not read.
        input_size: Shape of the picture (channels, height, width).

    Returns:
        Multiply-adds of one picture; papers often call them FLOPs.
    """
    tensors = dict(model.named_parameters()) | dict(model.named_buffers())
    with (
        FakeTensorMode(),
        torch.no_grad(),
        # torch counts no flash attention on a CPU; this backend is made of products, which it counts.
        sdpa_kernel(SDPBackend.MATH),
        FlopCounterMode(display=False, custom_mapping=_FORMULAS) as counter,
    ):
        state = {name: torch.empty(tensor.shape, dtype=tensor.dtype) for name, tensor in tensors.items()}
        torch.func.functional_call(model, state, (torch.empty(1, *input_size),))
    return counter.get_total_flops() // 2


# torch hands shapes to these in place of tensors, and counts multiplication and addition apart.
Shape = tuple[int, ...]


def _neighborhood(query: Shape, key: Shape, value: Shape, *rest: Any, **_: Any) -> int:
    extra_key, window = rest[1], rest[3]
    seen = prod(window) + (extra_key[1] if extra_key is not None else 0)
    return 2 * prod(query[:-1]) * seen * (query[-1] + value[-1])


def _block_sparse(query: Shape, key: Shape, value: Shape, index: Shape, *rest: Any, **_: Any) -> int:
    block_size_kv = rest[2]
    return 2 * prod(query[:-1]) * index[-1] * prod(block_size_kv) * (query[-1] + value[-1])


def _dynamic(logits: Shape, value: Shape, *_: Any, **__: Any) -> int:
    # Each half of the channels has a window of its own; the logits hold both windows one after the other.
    return 2 * prod(logits) * value[3]


_FORMULAS = {
    torch.ops.foveate.neighborhood_forward: _neighborhood,
    torch.ops.foveate.block_sparse_attention: _block_sparse,
    torch.ops.foveate.dynamic_neighborhood: _dynamic,
}

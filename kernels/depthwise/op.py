"""Depthwise convolution with a large kernel: by torch, or on tensor cores."""

from math import prod
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F
from torch.utils.flop_counter import register_flop_formula

from foveate.kernels.dispatch import triton_missing

__all__ = ["large_depthwise"]

_BACKENDS = ("reference", "triton")


def large_depthwise(x: Tensor, kernel: Tensor, bias: Tensor | None = None, *, backend: str = "reference") -> Tensor:
    """Convolve each channel with its own kernel; the map keeps its size.

    Args:
        x: (batch, channels, height, width).
        kernel: (channels, 1, side, side) of the same type, side odd.
        bias: (channels), or None.
        backend: "reference" is torch's. "triton" takes half precision on a CUDA device; nothing chooses it by itself,
            because it has been compared in Triton's interpreter and compiled, but not been timed on a GPU.

    Returns:
        As ``x``. Differentiable; where gradients are asked for, torch does all of it.

    Raises:
        ValueError: There is no such backend, or it cannot run this.
    """
    if backend not in _BACKENDS:
        raise ValueError(f"backend is one of {', '.join(_BACKENDS)}, got {backend!r}: choose one of them")
    tracked = torch.is_grad_enabled() and any(t is not None and t.requires_grad for t in (x, kernel, bias))
    if backend == "reference" or tracked:
        return F.conv2d(x, kernel, bias, padding=kernel.shape[-1] // 2, groups=kernel.shape[0])
    if x.dtype not in (torch.float16, torch.bfloat16) or kernel.dtype != x.dtype:
        raise ValueError(f"backend 'triton' takes one half-precision type, got {x.dtype} and {kernel.dtype}: cast them")
    reason = triton_missing(x.device, x.dtype)
    if reason:
        raise ValueError(f"backend 'triton' cannot run: {reason}")
    return _on_tensor_cores(x, kernel, bias)


@torch.library.custom_op("foveate::large_depthwise", mutates_args=())
def _on_tensor_cores(x: Tensor, kernel: Tensor, bias: Tensor | None) -> Tensor:
    from foveate.kernels.depthwise import triton_forward

    return triton_forward.forward(x, kernel, bias)


@_on_tensor_cores.register_fake
def _(x: Tensor, kernel: Tensor, bias: Tensor | None) -> Tensor:
    return torch.empty_like(x)


@register_flop_formula(torch.ops.foveate.large_depthwise)
def _flops(x: tuple[int, ...], kernel: tuple[int, ...], *_: Any, **__: Any) -> int:
    return 2 * prod(x) * prod(kernel[-2:])

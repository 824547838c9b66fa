"""Depthwise convolution with a large kernel: by torch, or on tensor cores."""

from dataclasses import dataclass
from math import prod
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F
from torch.utils.flop_counter import register_flop_formula

from foveate.kernels.dispatch import Backend, autocast_dtype, is_plain_call, overridable, pick, triton_missing

__all__ = ["large_depthwise"]


# On an H200, kernels of 7 x 7 on maps as small take 0.19 ms on tensor cores and 0.14 by torch, larger ones a sixth to
# a half of torch's time (benchmarks/kernels_depthwise.py).
_LARGE = 9


@dataclass(frozen=True)
class _Problem:
    device: torch.device
    dtype: torch.dtype


@overridable
def large_depthwise(x: Tensor, kernel: Tensor, bias: Tensor | None = None, *, backend: str | None = None) -> Tensor:
    """Convolve each channel with its own kernel; the map keeps its size.

    Args:
        x: (batch, channels, height, width).
        kernel: (channels, 1, side, side) of the same type, side odd. Under autocast, all three are cast as torch does.
        bias: (channels) of the same type, or None.
        backend: "triton", which takes half precision on a GPU, or "reference", which is torch's; None takes the first
            that can run, and torch's for sides below 9, where it is faster.

    Returns:
        As ``x``. Differentiable; twice with torch's.

    Raises:
        TypeError: The tensors are of several types.
        ValueError: There is no such backend, or shapes do not fit.
        RuntimeError: The backend asked for cannot run this.
    """
    _check_kinds(x, kernel, bias)
    wanted = autocast_dtype(x.device)
    if wanted is not None:
        x, kernel, bias = x.to(wanted), kernel.to(wanted), None if bias is None else bias.to(wanted)
    _check(x, kernel, bias)
    if backend is None and kernel.shape[-1] < _LARGE:
        backend = "reference"
    if _choose(str(x.device), x.dtype, backend) == "reference":
        return F.conv2d(x, kernel, bias, padding=kernel.shape[-1] // 2, groups=kernel.shape[0])
    tensors = (x, kernel, bias)
    learns = torch.is_grad_enabled() and any(t is not None and t.requires_grad for t in tensors)
    if learns or not is_plain_call(*tensors):
        return _on_tensor_cores(x, kernel, bias)
    return _convolve(x, kernel, bias)


def _check_kinds(x: Tensor, kernel: Tensor, bias: Tensor | None) -> None:
    tensors = (x, kernel) if bias is None else (x, kernel, bias)
    if not all(isinstance(t, Tensor) and t.is_floating_point() for t in tensors):
        kinds = ", ".join(str(getattr(t, "dtype", type(t).__name__)) for t in tensors)
        raise TypeError(f"x, kernel and bias must be floating-point tensors, got {kinds}: turn them into such")
    if len({t.device for t in tensors}) > 1:
        places = ", ".join(str(t.device) for t in tensors)
        raise ValueError(f"x, kernel and bias must be on one device, got {places}: move them")


def _check(x: Tensor, kernel: Tensor, bias: Tensor | None) -> None:
    if len({t.dtype for t in (x, kernel, bias) if t is not None}) > 1:
        kinds = ", ".join(str(t.dtype) for t in (x, kernel, bias) if t is not None)
        raise TypeError(f"x, kernel and bias must be of one type, got {kinds}: cast them")
    if x.dim() != 4:
        raise ValueError(f"x must be (batch, channels, height, width), got {tuple(x.shape)}: reshape it")
    side = kernel.shape[-1] if kernel.dim() else 0
    if tuple(kernel.shape) != (x.shape[1], 1, side, side) or side % 2 == 0:
        raise ValueError(
            f"kernel must be ({x.shape[1]}, 1, side, side) with an odd side for {x.shape[1]} channels, got "
            f"{tuple(kernel.shape)}: give each channel one square kernel"
        )
    if bias is not None and tuple(bias.shape) != (x.shape[1],):
        raise ValueError(f"bias must be ({x.shape[1]},), got {tuple(bias.shape)}: give each channel one number")


def _triton_missing(problem: _Problem) -> str:
    if problem.dtype not in (torch.float16, torch.bfloat16):
        return f"the kernels take half precision, got {problem.dtype}"
    return triton_missing(problem.device, problem.dtype)


BACKENDS: tuple[Backend[_Problem], ...] = (
    Backend("triton", _triton_missing),
    Backend("reference", lambda problem: ""),
)


# A tracer cannot look for packages; it takes the answer as it is.
@torch.compiler.assume_constant_result
def _choose(device: str, dtype: torch.dtype, backend: str | None) -> str:
    return pick(BACKENDS, _Problem(torch.device(device), dtype), backend)


def _convolve(x: Tensor, kernel: Tensor, bias: Tensor | None) -> Tensor:
    from foveate.kernels.depthwise import triton_forward

    return triton_forward.forward(x, kernel, bias)


_on_tensor_cores = torch.library.custom_op("foveate::large_depthwise", _convolve, mutates_args=())


@_on_tensor_cores.register_fake
def _(x: Tensor, kernel: Tensor, bias: Tensor | None) -> Tensor:
    return torch.empty_like(x)


@torch.library.custom_op("foveate::large_depthwise_kernel_gradient", mutates_args=())
def _kernel_gradient(x: Tensor, grad: Tensor, side: int) -> Tensor:
    from foveate.kernels.depthwise import triton_backward

    return triton_backward.kernel_gradient(x, grad, side)


@_kernel_gradient.register_fake
def _(x: Tensor, grad: Tensor, side: int) -> Tensor:
    return x.new_empty((x.shape[1], 1, side, side))


def _setup_context(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
    x, kernel, _ = inputs
    ctx.save_for_backward(x, kernel)


def _differentiate(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
    x, kernel = ctx.saved_tensors
    wanted_x, wanted_kernel, wanted_bias = ctx.needs_input_grad
    return (
        _on_tensor_cores(grad, kernel.flip(-2, -1), None) if wanted_x else None,
        _kernel_gradient(x, grad, kernel.shape[-1]) if wanted_kernel else None,
        grad.sum((0, 2, 3)) if wanted_bias else None,
    )


_on_tensor_cores.register_autograd(_differentiate, setup_context=_setup_context)


@register_flop_formula(torch.ops.foveate.large_depthwise)
def _flops(x: tuple[int, ...], kernel: tuple[int, ...], *_: Any, **__: Any) -> int:
    return 2 * prod(x) * prod(kernel[-2:])


@register_flop_formula(torch.ops.foveate.large_depthwise_kernel_gradient)
def _gradient_flops(x: tuple[int, ...], grad: tuple[int, ...], side: int, *_: Any, **__: Any) -> int:
    return 2 * prod(x) * side**2

"""Neighborhood attention: the function to call, its checks, and the operators that torch sees."""

import math
from collections.abc import Callable
from types import ModuleType
from typing import Any

import torch
from torch import Tensor

from foveate.kernels.dispatch import Backend, pick, triton_missing
from foveate.kernels.neighborhood import cpu, reference
from foveate.kernels.neighborhood.problem import Inputs, Problem, describe
from foveate.kernels.window import Axis, check_axes

# Shared memory and registers of a program hold a head of this size, and no larger.
_LARGEST_DIM = 256


def _triton_can_run(problem: Problem) -> str:
    reason = triton_missing(problem.device, problem.dtype)
    if not reason and max(problem.dim, problem.dim_v) > _LARGEST_DIM:
        reason = f"Triton kernels take heads of {_LARGEST_DIM} channels at most, got {max(problem.dim, problem.dim_v)}"
    return reason


BACKENDS: tuple[Backend[Problem], ...] = (
    Backend("triton", _triton_can_run),
    Backend("cpu", cpu.can_run),
    Backend("reference", lambda problem: ""),
)


def neighborhood_attention(
    q: Tensor,
    k: Tensor,
    v: Tensor,
    window: int | tuple[int, ...],
    *,
    stride: int | tuple[int, ...] = 1,
    dilation: int | tuple[int, ...] = 1,
    causal: bool | tuple[bool, ...] = False,
    scale: float | None = None,
    rel_pos_bias: Tensor | None = None,
    extra_keys: Tensor | None = None,
    extra_values: Tensor | None = None,
    return_lse: bool = False,
    backend: str | None = None,
) -> Tensor | tuple[Tensor, Tensor]:
    """Let every query attend to a window of keys around it.

    The window slides inwards at the border, so a query that is not causal always sees as many keys as the window has.
    All results are differentiable, the logsumexp too, in the same order of summation every time.

    Args:
        q: Queries (batch, *spatial, heads, dim) with 1 to 3 spatial axes; views of a projection are read in place.
        k: Keys (batch, *spatial, heads_kv, dim), where ``heads_kv`` divides heads.
        v: Values (batch, *spatial, heads_kv, dim_v).
        window: Keys along each axis, from 1 to length / dilation; one number stands for all axes.
        stride: Neighboring queries that share their leader's window, from 1 to window.
        dilation: Distance between two keys of a window.
        causal: Whether keys after the query are hidden, for all axes or for each.
        scale: Positive factor of the scores; None for dim ** -0.5.
        rel_pos_bias: Added to the scores before the softmax (heads, 2 * window - 1 along each axis), looked up at
            key - query, in dilated steps, plus window - 1.
        extra_keys: Keys that every query sees beside its window (batch, tokens, heads_kv, dim).
        extra_values: Their values (batch, tokens, heads_kv, dim_v).
        return_lse: Whether to return the logarithm of the softmax's denominator too.
        backend: triton, cpu or reference; None for the best that can run.

    Returns:
        Output (batch, *spatial, heads, dim_v) in the type of ``q``; with ``return_lse`` also the natural logarithm of
        the sum of exponentiated scores (batch, *spatial, heads), float32 or wider.

    Raises:
        TypeError: An argument is of the wrong type, or tensors differ in type.
        ValueError: Shapes do not fit, or a number is out of range.
        RuntimeError: The backend asked for cannot run this.

    Source:
        Hassani et al., "Generalized Neighborhood Attention", 2025; windows as in NATTEN 0.21, which refuses windows
        of 1. The bias is that of Hassani et al., "Neighborhood Attention Transformer", CVPR 2023.
    """
    inputs = Inputs(*_autocast(q, k, v, rel_pos_bias, extra_keys, extra_values))
    axes = _check(inputs, window, stride, dilation, causal)
    if scale is None:
        scale = q.shape[-1] ** -0.5
    if not (isinstance(scale, (int, float)) and 0 < scale < math.inf):
        raise ValueError(f"scale must be a positive number, got {scale!r}: leave it out for dim ** -0.5")
    chosen = pick(BACKENDS, describe(inputs, axes), backend)
    if q.numel() == 0 or v.numel() == 0:
        chosen = "reference"
    if chosen == "reference":
        out, lse = reference.forward(inputs, axes, float(scale))
    else:
        out, lse = _forward(*inputs, *_numbers(axes), float(scale), chosen)
    return (out, lse) if return_lse else out


def _autocast(*tensors: Tensor | None) -> list[Tensor | None]:
    """Cast as autocast asks, as for torch's own attention."""
    kind = next(tensor for tensor in tensors if tensor is not None).device.type
    if not torch.is_autocast_enabled(kind):
        return list(tensors)
    dtype = torch.get_autocast_dtype(kind)
    return [t.to(dtype) if t is not None and t.dtype in (torch.float32, torch.float16) else t for t in tensors]


def _check(inputs: Inputs, window: Any, stride: Any, dilation: Any, causal: Any) -> tuple[Axis, ...]:
    q, k, v, bias, extra_k, extra_v = inputs
    if not 4 <= q.dim() <= 6:
        raise ValueError(
            f"q must be (batch, *spatial, heads, dim) with 1 to 3 spatial axes, got shape {tuple(q.shape)}: "
            "put heads before dim, and unsqueeze a missing batch"
        )
    for name, tensor in (("k", k), ("v", v)):
        if tensor.shape[:-2] != q.shape[:-2]:
            raise ValueError(f"{name} must have the batch and grid of q, {tuple(q.shape[:-2])}, got {tuple(tensor.shape)}")
    if k.shape[-1] != q.shape[-1]:
        raise ValueError(f"q and k must have equal head dims, got {q.shape[-1]} and {k.shape[-1]}")
    if k.shape[-2] != v.shape[-2] or k.shape[-2] == 0 or q.shape[-2] % k.shape[-2]:
        raise ValueError(
            f"k and v must have the same number of heads, one that divides those of q, got {k.shape[-2]} and "
            f"{v.shape[-2]} for {q.shape[-2]}"
        )
    axes = check_axes(tuple(q.shape[1:-2]), window, stride, dilation, causal)
    if (extra_k is None) != (extra_v is None):
        raise ValueError("extra_keys and extra_values must come together: one of them is missing")
    if extra_k is not None and extra_v is not None:
        wanted = ((q.shape[0], extra_k.shape[1], *k.shape[-2:]), (q.shape[0], extra_k.shape[1], *v.shape[-2:]))
        if (tuple(extra_k.shape), tuple(extra_v.shape)) != wanted:
            raise ValueError(
                f"extra_keys and extra_values must be (batch, tokens, heads_kv, dim), here {wanted[0]} and {wanted[1]}, "
                f"got {tuple(extra_k.shape)} and {tuple(extra_v.shape)}"
            )
    if bias is not None and tuple(bias.shape) != (q.shape[-2], *(2 * axis.window - 1 for axis in axes)):
        wanted_bias = (q.shape[-2], *(2 * axis.window - 1 for axis in axes))
        raise ValueError(f"rel_pos_bias must be (heads, 2 * window - 1, ...), here {wanted_bias}, got {tuple(bias.shape)}")
    names = ("q", "k", "v", "rel_pos_bias", "extra_keys", "extra_values")
    for name, tensor in zip(names, inputs, strict=True):
        if tensor is not None and (tensor.device != q.device):
            raise ValueError(f"all tensors must be on one device, got q on {q.device} and {name} on {tensor.device}")
        if tensor is not None and not tensor.is_floating_point():
            raise TypeError(f"{name} must be floating point, got {tensor.dtype}")
        if tensor is not None and tensor.dtype != q.dtype and name != "rel_pos_bias":
            raise TypeError(f"all tensors must have one type, got {q.dtype} for q and {tensor.dtype} for {name}")
    return axes


def _numbers(axes: tuple[Axis, ...]) -> tuple[list[int], list[int], list[int], list[bool]]:
    return (
        [axis.window for axis in axes],
        [axis.stride for axis in axes],
        [axis.dilation for axis in axes],
        [axis.causal for axis in axes],
    )


def _axes(q: Tensor, window: list[int], stride: list[int], dilation: list[int], causal: list[bool]) -> tuple[Axis, ...]:
    return tuple(Axis(*numbers) for numbers in zip(q.shape[1:-2], window, stride, dilation, causal, strict=True))


def _module(backend: str) -> ModuleType:
    if backend == "cpu":
        return cpu
    from foveate.kernels.neighborhood import triton_launch

    return triton_launch


@torch.library.custom_op("foveate::neighborhood_forward", mutates_args=())
def _forward(
    q: Tensor,
    k: Tensor,
    v: Tensor,
    bias: Tensor | None,
    extra_k: Tensor | None,
    extra_v: Tensor | None,
    window: list[int],
    stride: list[int],
    dilation: list[int],
    causal: list[bool],
    scale: float,
    backend: str,
) -> tuple[Tensor, Tensor]:
    axes = _axes(q, window, stride, dilation, causal)
    return _module(backend).forward(Inputs(q, k, v, bias, extra_k, extra_v), axes, scale)


@_forward.register_fake
def _(q: Tensor, k: Tensor, v: Tensor, *rest: Any) -> tuple[Tensor, Tensor]:
    wide = torch.promote_types(q.dtype, torch.float32)
    return q.new_empty(*q.shape[:-1], v.shape[-1]), q.new_empty(q.shape[:-1], dtype=wide)


@torch.library.custom_op("foveate::neighborhood_backward", mutates_args=())
def _backward(
    q: Tensor,
    k: Tensor,
    v: Tensor,
    bias: Tensor | None,
    extra_k: Tensor | None,
    extra_v: Tensor | None,
    out: Tensor,
    lse: Tensor,
    d_out: Tensor,
    d_lse: Tensor | None,
    window: list[int],
    stride: list[int],
    dilation: list[int],
    causal: list[bool],
    scale: float,
    backend: str,
) -> list[Tensor]:
    axes = _axes(q, window, stride, dilation, causal)
    inputs = Inputs(q, k, v, bias, extra_k, extra_v)
    found = _module(backend).backward(inputs, out, lse, d_out, d_lse, axes, scale)
    return [gradient for gradient in found if gradient is not None]


@_backward.register_fake
def _(*arguments: Any) -> list[Tensor]:
    return [torch.empty(t.shape, dtype=t.dtype, device=t.device) for t in arguments[:6] if t is not None]


def _save(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, Tensor]) -> None:
    ctx.save_for_backward(*inputs[:6], *output)
    ctx.numbers = inputs[6:]
    ctx.set_materialize_grads(False)


def _differentiate(ctx: Any, d_out: Tensor | None, d_lse: Tensor | None) -> tuple[Any, ...]:
    *inputs, out, lse = ctx.saved_tensors
    if d_out is None and d_lse is None:
        return (None,) * (6 + len(ctx.numbers))
    if d_out is None:
        d_out = torch.zeros_like(out)
    found = iter(_backward(*inputs, out, lse, d_out, d_lse, *ctx.numbers))
    return (*(None if tensor is None else next(found) for tensor in inputs), *(None,) * len(ctx.numbers))


_forward.register_autograd(_differentiate, setup_context=_save)


def _over_batches(info: Any, in_dims: tuple[Any, ...], *arguments: Any) -> tuple[tuple[Tensor, Tensor], tuple[int, int]]:
    """Run a vmapped call as one call of a larger batch."""
    if in_dims[3] is not None:
        raise RuntimeError("vmap over rel_pos_bias is not possible: call the function once for each bias")
    tensors = [_into_batch(t, d, info.batch_size) for t, d in zip(arguments[:6], in_dims[:6], strict=True)]
    tensors[3] = arguments[3]
    out, lse = _forward(*tensors, *arguments[6:])
    return (out.unflatten(0, (info.batch_size, -1)), lse.unflatten(0, (info.batch_size, -1))), (0, 0)


def _into_batch(tensor: Tensor | None, dim: int | None, size: int) -> Tensor | None:
    if tensor is None:
        return None
    moved = tensor.expand(size, *tensor.shape) if dim is None else tensor.movedim(dim, 0)
    return moved.flatten(0, 1)


_register: Callable[..., Any] = _forward.register_vmap
_register(_over_batches)

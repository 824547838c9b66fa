"""Neighborhood attention: the function to call, its checks, and the operators that torch sees."""

import math
import operator
from collections.abc import Callable
from functools import lru_cache
from types import ModuleType
from typing import Any

import torch
from torch import Tensor

from foveate.kernels.dispatch import Backend, autocast_dtype, is_plain_call, overridable, pick, triton_missing
from foveate.kernels.neighborhood import cpu, reference
from foveate.kernels.neighborhood.problem import Inputs, Problem
from foveate.kernels.window import Axis, check_axes

# Shared memory and registers of a program hold a head of this size, and no larger.
_LARGEST_DIM = 256


def _triton_can_run(problem: Problem) -> str:
    reason = triton_missing(problem.device, problem.dtype)
    if not reason and problem.has_bias:
        from foveate.kernels.neighborhood import triton_bias

        reason = triton_bias.can_run(problem.axes)
    if not reason and max(problem.dim, problem.dim_v) > _LARGEST_DIM:
        reason = f"Triton kernels take heads of {_LARGEST_DIM} channels at most"
    return reason


BACKENDS: tuple[Backend[Problem], ...] = (
    Backend("triton", _triton_can_run),
    Backend("cpu", cpu.can_run),
    Backend("reference", lambda problem: ""),
)


@overridable
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
    if not all(isinstance(tensor, Tensor) for tensor in (q, k, v)):
        raise TypeError(
            f"q, k and v must be tensors, got {type(q).__name__}, {type(k).__name__} and {type(v).__name__}"
        )
    for name, tensor in (("rel_pos_bias", rel_pos_bias), ("extra_keys", extra_keys), ("extra_values", extra_values)):
        if not (tensor is None or isinstance(tensor, Tensor)):
            raise TypeError(f"{name} must be a tensor or None, got {type(tensor).__name__}: turn it into one")
    inputs = _autocast(Inputs(q, k, v, rel_pos_bias, extra_keys, extra_values))
    plain = is_plain_call(*inputs)
    mark = _mark(inputs, window, stride, dilation, causal, scale, backend) if plain else None
    plan = _PLANS.get(mark)
    if plan is not None:
        if torch.is_grad_enabled() and any(t is not None and t.requires_grad for t in inputs):
            out, lse = _Planned.apply(*inputs[:4], plan)
        else:
            out, lse = plan.forward(inputs)
        return (out, lse) if return_lse else out
    if scale is None:
        # int, since a tracer has tensors for sizes.
        scale = max(int(q.shape[-1]), 1) ** -0.5
    if isinstance(scale, bool) or not (isinstance(scale, (int, float)) and 0 < scale < math.inf):
        raise ValueError(f"scale must be a positive number, got {scale!r}: leave it out for dim ** -0.5")
    numbers = (_frozen(window), _frozen(stride), _frozen(dilation), _frozen(causal))
    known = plain and all(isinstance(number, (int, tuple)) for number in numbers)  # a set could not be looked up
    axes, chosen = (_resolve_again if known else _resolve)(_facts(inputs), *numbers, backend)
    if chosen == "triton" and mark is not None:
        if len(_PLANS) >= _MOST_PLANS:
            _PLANS.clear()
        _PLANS[mark] = _module(chosen).Plan(inputs, axes, float(scale))
    if chosen == "cpu" and plain and not return_lse:
        quick = cpu.attend_plainly(inputs, axes, float(scale))
        if quick is not None:
            return quick
    if chosen == "reference":
        out, lse = reference.forward(inputs, axes, float(scale))
    elif plain and torch.is_grad_enabled() and any(t is not None and t.requires_grad for t in inputs):
        out, lse = _Attention.apply(*inputs, axes, float(scale), chosen)
    elif plain:
        out, lse = _module(chosen).forward(inputs, axes, float(scale))
    else:
        out, lse = _forward(*inputs, *_numbers(axes), float(scale), chosen)
    return (out, lse) if return_lse else out


class _Attention(torch.autograd.Function):
    """The same as the operator below, for plain tensors: torch's registry takes longer than a small kernel."""

    @staticmethod
    def forward(ctx: Any, *arguments: Any) -> tuple[Tensor, Tensor]:
        *inputs, axes, scale, backend = arguments
        out, lse = _module(backend).forward(Inputs(*inputs), axes, scale)
        ctx.save_for_backward(*inputs, out, lse)
        ctx.rest = axes, scale, backend
        ctx.set_materialize_grads(False)
        return out, lse

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, d_out: Tensor | None, d_lse: Tensor | None) -> tuple[Any, ...]:
        *inputs, out, lse = ctx.saved_tensors
        axes, scale, backend = ctx.rest
        if d_out is None and d_lse is None:
            return (None,) * 9
        d_out = torch.zeros_like(out) if d_out is None else d_out
        return (*_module(backend).backward(Inputs(*inputs), out, lse, d_out, d_lse, axes, scale), None, None, None)


class _Planned(torch.autograd.Function):
    """The same once more, for calls like one before: nothing is looked up, nor is a missing gradient filled in."""

    @staticmethod
    def forward(ctx: Any, *arguments: Any) -> tuple[Tensor, Tensor]:
        *inputs, plan = arguments
        out, lse = plan.forward(Inputs(*inputs))
        ctx.save_for_backward(*inputs, out, lse)
        ctx.plan = plan
        ctx.set_materialize_grads(False)
        return out, lse

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, d_out: Tensor | None, d_lse: Tensor | None) -> tuple[Any, ...]:
        *inputs, out, lse = ctx.saved_tensors
        if d_out is None and d_lse is None:
            return None, None, None, None, None
        d_out = torch.zeros_like(out) if d_out is None else d_out
        return (*ctx.plan.backward(Inputs(*inputs), out, lse, d_out, d_lse)[:4], None)


_PLANS: dict[Any, Any] = {}
_MOST_PLANS = 1024


def _mark(
    inputs: Inputs, window: Any, stride: Any, dilation: Any, causal: Any, scale: Any, backend: str | None
) -> tuple[Any, ...] | None:
    """Name a call by all that its plan depends on; None for those that are looked at anew each time."""
    q, k, v, bias, extra_k, extra_v = inputs
    if extra_k is not None or extra_v is not None or (scale is not None and type(scale) is not float):
        return None
    # 1 equals True and 7.0 equals 7 in a dict, and neither may pass for the other.
    if not all(type(number) in (int, tuple) for number in (window, stride, dilation)) or type(causal) is int:
        return None
    table = None if bias is None else (bias.shape, bias.dtype, bias.device)
    return (
        q.shape, q.stride(), k.shape, k.stride(), v.shape, v.stride(), q.dtype, k.dtype, v.dtype, q.device, k.device,
        v.device, table, window, stride, dilation, causal, scale, backend,
    )  # fmt: skip


Facts = tuple[tuple[tuple[int, ...], torch.dtype, torch.device] | None, ...]


def _facts(inputs: Inputs) -> Facts:
    """List shape, type and device of each tensor."""
    return tuple(None if t is None else (tuple(t.shape), t.dtype, t.device) for t in inputs)


def _frozen(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


def _resolve(
    facts: Facts, window: Any, stride: Any, dilation: Any, causal: Any, backend: str | None
) -> tuple[tuple[Axis, ...], str]:
    """Check a call and choose its backend."""
    axes = _check(facts, window, stride, dilation, causal)
    query, key, value, bias, _, _ = facts
    if query is None or key is None or value is None:  # the caller has looked
        raise TypeError("q, k and v must be tensors, got None")
    # Neither the grid nor the heads decide anything, so that a compiler need not know them. The comparison is spelled
    # out, as it may be no answer to a compiler yet.
    wide = True if max(query[0][-1], value[0][-1]) > _LARGEST_DIM else False  # noqa: SIM210
    # A window as large as the grid is no number to a compiler before it is asked for one.
    windows = tuple(operator.index(axis.window) for axis in axes)
    chosen = _choose(windows, wide, query[1], str(query[2]), bias is not None, backend)
    return axes, "reference" if math.prod(query[0]) == 0 or math.prod(value[0]) == 0 else chosen


# A compiler cannot look for packages or ask for devices; it takes the answer as it is.
@torch.compiler.assume_constant_result
def _choose(
    windows: tuple[int, ...], wide: bool, dtype: torch.dtype, device: str, has_bias: bool, backend: str | None
) -> str:
    axes, dim = tuple(Axis(window, window) for window in windows), _LARGEST_DIM + wide
    return pick(BACKENDS, Problem(1, axes, 1, 1, dim, dim, dtype, torch.device(device), has_bias), backend)


# Typed, since 7.0 equals 7 and 1 equals True, and neither may pass for the other.
_resolve_again = lru_cache(maxsize=1024, typed=True)(_resolve)


def _autocast(inputs: Inputs) -> Inputs:
    """Cast as autocast asks, as for torch's own attention; the bias stays as it is."""
    dtype = autocast_dtype(inputs.query.device)
    if dtype is None:
        return inputs
    cast = [t.to(dtype) if t is not None and t.is_floating_point() and t.dtype != torch.float64 else t for t in inputs]
    return Inputs(cast[0], cast[1], cast[2], inputs.bias, cast[4], cast[5])  # type: ignore[arg-type]


def _check(facts: Facts, window: Any, stride: Any, dilation: Any, causal: Any) -> tuple[Axis, ...]:
    names = ("q", "k", "v", "rel_pos_bias", "extra_keys", "extra_values")
    shapes = [() if fact is None else fact[0] for fact in facts]
    q, k, v, bias, extra_k, extra_v = shapes
    if not 4 <= len(q) <= 6:
        raise ValueError(
            f"q must be (batch, *spatial, heads, dim) with 1 to 3 spatial axes, got shape {q}: "
            "put heads before dim, and unsqueeze a missing batch"
        )
    for name, shape in (("k", k), ("v", v)):
        if shape[:-2] != q[:-2]:
            raise ValueError(f"{name} must have the batch and grid of q, {q[:-2]}, got shape {shape}")
    if q[-1] == 0 or v[-1] == 0:
        raise ValueError(f"heads must have one channel or more, got {q[-1]} for q and {v[-1]} for v")
    if k[-1] != q[-1]:
        raise ValueError(f"q and k must have equal head dims, got {q[-1]} and {k[-1]}")
    if k[-2] != v[-2] or k[-2] == 0 or q[-2] % k[-2]:
        raise ValueError(
            f"k and v must have the same number of heads, one that divides the {q[-2]} of q, got {k[-2]} and {v[-2]}"
        )
    axes = check_axes(q[1:-2], window, stride, dilation, causal)
    if (facts[4] is None) != (facts[5] is None):
        raise ValueError("extra_keys and extra_values must come together: one of them is missing")
    if facts[4] is not None:
        wanted = ((q[0], extra_k[1], *k[-2:]), (q[0], extra_k[1], *v[-2:])) if len(extra_k) == 4 else ((), ())
        if (extra_k, extra_v) != wanted:
            raise ValueError(
                f"extra_keys and extra_values must be (batch, tokens, heads_kv, dim), here ({q[0]}, tokens, {k[-2]}, "
                f"{k[-1]} and {v[-1]}), got {extra_k} and {extra_v}"
            )
    wanted_bias = (q[-2], *(2 * axis.window - 1 for axis in axes))
    if facts[3] is not None and bias != wanted_bias:
        raise ValueError(f"rel_pos_bias must be (heads, 2 * window - 1, ...), here {wanted_bias}, got {bias}")
    _, dtype, device = facts[0] or ((), None, None)
    for name, fact in zip(names, facts, strict=True):
        if fact is not None and fact[2] != device:
            raise ValueError(f"all tensors must be on one device, got q on {device} and {name} on {fact[2]}")
        if fact is not None and not fact[1].is_floating_point:
            raise TypeError(f"{name} must be floating point, got {fact[1]}")
        if fact is not None and fact[1] != dtype and name != "rel_pos_bias":
            raise TypeError(f"all tensors must have one type, got {dtype} for q and {fact[1]} for {name}")
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


def _over_batches(
    info: Any, in_dims: tuple[Any, ...], *arguments: Any
) -> tuple[tuple[Tensor, Tensor], tuple[int, int]]:
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

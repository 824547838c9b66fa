"""Neighborhood attention on a CPU: tiles of queries with a halo of keys, or dense attention on small grids.

A tile gathers the box of keys that its queries see, once for all of them, and attends under a mask; a few tiles at a
time, so that what they gather stays in cache. Backward does the same and adds the gradients of the boxes up. Memory
beside inputs and outputs depends on the windows, not on the grid. Results are the same on every run.
"""

from functools import lru_cache
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.utils.weak import WeakIdKeyDictionary

from foveate.kernels.neighborhood import cpu_tiles
from foveate.kernels.neighborhood.cpu_block import attend, attend_backward
from foveate.kernels.neighborhood.cpu_masks import Masks
from foveate.kernels.neighborhood.cpu_plan import describe, plan
from foveate.kernels.neighborhood.problem import Inputs, Problem
from foveate.kernels.window import Axis

_DTYPES = (torch.float32, torch.float64, torch.bfloat16, torch.float16)


def can_run(problem: Problem) -> str:
    """Say why this backend cannot run a call.

    Args:
        problem: The call.

    Returns:
        The reason, or an empty string.
    """
    if problem.device.type != "cpu":
        return f"it takes tensors on the CPU, got {problem.device.type}"
    if problem.dtype not in _DTYPES:
        return f"it takes float32, float64, bfloat16 and float16, got {problem.dtype}"
    return ""


def forward(inputs: Inputs, axes: tuple[Axis, ...], scale: float, way: str | None = None) -> tuple[Tensor, Tensor]:
    """Attend.

    Args:
        inputs: The tensors.
        axes: Windows along each axis.
        scale: Factor of the scores before the softmax.
        way: "tiles" or "dense"; None takes the cheaper one.

    Returns:
        Output (batch, *spatial, heads, dim_v) and logarithm of the softmax's denominator (batch, *spatial, heads),
        float32 or wider.
    """
    problem = describe(inputs, axes)
    shape = inputs.query.shape[:-1]
    wide = torch.promote_types(problem.dtype, torch.float32)
    if not inputs.query.numel():
        return inputs.query.new_empty(*shape, problem.dim_v), inputs.query.new_empty(shape, dtype=wide)
    runs, masks = plan(problem, way), Masks(problem, inputs.bias)
    if runs is not None:
        out, lse = cpu_tiles.forward(inputs, problem, runs, masks, scale)
    else:
        out, lse = attend(*_tokens(inputs, len(axes)), masks.of(axes), scale)
    return out.reshape(*shape, problem.dim_v).contiguous(), lse.reshape(shape).contiguous()


def backward(
    inputs: Inputs,
    out: Tensor,
    lse: Tensor,
    d_out: Tensor,
    d_lse: Tensor | None,
    axes: tuple[Axis, ...],
    scale: float,
    way: str | None = None,
) -> Inputs:
    """Differentiate ``forward``.

    Args:
        inputs: As there.
        out: Its first output.
        lse: Its second output.
        d_out: Gradient of the first output.
        d_lse: Gradient of the second output; None for zero.
        axes: As there.
        scale: As there.
        way: As there.

    Returns:
        Gradients of the inputs; None where there was no input.
    """
    problem = describe(inputs, axes)
    if not inputs.query.numel():
        return _like(inputs, [None if tensor is None else torch.zeros_like(tensor) for tensor in inputs])
    if d_lse is not None and not bool(d_lse.any()):
        d_lse = None
    runs, masks = plan(problem, way), Masks(problem, inputs.bias)
    results = out, lse, d_out, d_lse
    if runs is not None:
        d_query, d_key, d_value = cpu_tiles.backward(inputs, results, problem, runs, masks, scale)
    else:
        first, second, third = (tensor.contiguous().flatten(1, len(axes)) for tensor in results[:3])
        flat = first, second, third, None if d_lse is None else d_lse.flatten(1, len(axes))
        tokens = _tokens(inputs, len(axes))
        d_query, d_key, d_value, d_scores = attend_backward(*tokens, flat, masks.of(axes), scale, problem.has_bias)
        masks.collect(axes, d_scores)
    count = inputs.key.shape[1:-2].numel()
    grads = [d_query, d_key[:, :count], d_value[:, :count], masks.bias_gradient(), d_key[:, count:], d_value[:, count:]]
    return _like(inputs, grads)


def _like(inputs: Inputs, grads: list[Tensor | None]) -> Inputs:
    """Give gradients the types and shapes of the inputs, and no gradient to what is missing."""
    pairs = zip(inputs, grads, strict=True)
    done = [None if a is None or b is None else b.to(a.dtype).reshape(a.shape).contiguous() for a, b in pairs]
    query, key, value = (tensor for tensor in done[:3] if tensor is not None)
    # The gradients of extra keys are cut out of those of all keys, and results of an operator must not share memory.
    extra = [None if tensor is None else tensor.clone() for tensor in done[4:]]
    return Inputs(query, key, value, done[3], *extra)


def attend_plainly(inputs: Inputs, axes: tuple[Axis, ...], scale: float) -> Tensor | None:
    """Attend by torch's own attention, where that is the quickest and can be left to autograd.

    On small grids the work is less than what it costs to go through an operator of our own.

    Args:
        inputs: The tensors.
        axes: Windows along each axis.
        scale: Factor of the scores before the softmax.

    Returns:
        Output (batch, *spatial, heads, dim_v), differentiable; None where ``forward`` is the way to go.
    """
    query, key, value, bias, extra_key, _ = inputs
    tokens = 0 if extra_key is None else extra_key.shape[1]
    known = (axes, query.shape, key.shape[-2], value.shape[-1], query.dtype, bias is not None, tokens)
    if torch.compiler.is_compiling() or not query.numel() or not _is_plain(*known):
        return None
    if bias is None and extra_key is None:
        mask = _plain_mask(*known)
    else:
        mask = _biased_mask(inputs, axes, known)
    query, key, value = (tensor.transpose(1, 2) for tensor in _tokens(inputs, len(axes)))
    out = F.scaled_dot_product_attention(query, key, value, mask, scale=scale)
    return out.transpose(1, 2).reshape(inputs.query.shape)


def _problem(
    axes: tuple[Axis, ...], shape: torch.Size, heads_kv: int, dim_v: int, dtype: torch.dtype, biased: bool, extra: int
) -> Problem:
    device = torch.device("cpu")
    return Problem(shape[0], axes, shape[-2], heads_kv, shape[-1], dim_v, dtype, device, biased, extra)


@lru_cache(maxsize=1024)
def _is_plain(*known: Any) -> bool:
    problem = _problem(*known)
    return problem.heads == problem.heads_kv and problem.dim == problem.dim_v and plan(problem) is None


@lru_cache(maxsize=16)
def _plain_mask(*known: Any) -> Tensor | None:
    problem = _problem(*known)
    mask = Masks(problem, None).of(problem.axes)
    return None if mask is None else mask[None].to(problem.dtype)


# Masks of biases that training is not about to change: bias -> what it was made for, its values then, mask.
_KEPT: WeakIdKeyDictionary = WeakIdKeyDictionary()
_MOST_KEPT = 2**20


def _biased_mask(inputs: Inputs, axes: tuple[Axis, ...], known: tuple[Any, ...]) -> Tensor | None:
    """Make the mask, which takes a fifth of a small call, or find that of the same bias with the same values."""
    bias = inputs.bias
    keep = bias is not None and not torch.is_grad_enabled()
    kept = _KEPT.get(bias) if keep else None
    if bias is not None and kept is not None and kept[0] == known and torch.equal(kept[1], bias):
        return kept[2]
    mask = Masks(describe(inputs, axes), bias).of(axes)
    mask = None if mask is None else mask[None].to(inputs.query.dtype)
    if bias is not None and keep and mask is not None and mask.numel() <= _MOST_KEPT:
        _KEPT[bias] = known, bias.clone(), mask
    return mask


def _tokens(inputs: Inputs, rank: int) -> tuple[Tensor, Tensor, Tensor]:
    """Flatten the grid, and put the extra keys after the others."""
    flat = [tensor.flatten(1, rank) for tensor in inputs[:3]]
    query, key, value = (tensor if tensor.is_contiguous() else _regular(tensor) for tensor in flat)
    if inputs.extra_key is not None and inputs.extra_value is not None:
        key, value = torch.cat([key, inputs.extra_key], dim=1), torch.cat([value, inputs.extra_value], dim=1)
    return query, key, value


def _regular(tensor: Tensor) -> Tensor:
    """Copy a view that a matrix product cannot read."""
    readable = tensor.stride(-1) == 1 and min(tensor.stride()) > 0 and tensor.stride(1) >= tensor.shape[-1]
    return tensor if readable else tensor.contiguous()

"""Neighborhood attention on a CPU: tiles of queries with a halo of keys, or dense attention on small grids.

A tile gathers the box of keys that its queries see, once for all of them, and attends under a mask; a few tiles at a
time, so that what they gather stays in cache. Backward does the same and adds the gradients of the boxes up. Memory
beside inputs and outputs depends on the windows, not on the grid. Results are the same on every run.
"""

import torch
from torch import Tensor

from foveate.kernels.neighborhood import cpu_tiles
from foveate.kernels.neighborhood.cpu_block import attend, attend_backward
from foveate.kernels.neighborhood.cpu_masks import Masks
from foveate.kernels.neighborhood.cpu_plan import plan
from foveate.kernels.neighborhood.problem import Inputs, Problem, describe
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
        return Inputs(*(None if tensor is None else torch.zeros_like(tensor) for tensor in inputs))
    if d_lse is not None and not bool(d_lse.any()):
        d_lse = None
    runs, masks = plan(problem, way), Masks(problem, inputs.bias)
    results = out, lse, d_out, d_lse
    if runs is not None:
        d_query, d_key, d_value = cpu_tiles.backward(inputs, results, problem, runs, masks, scale)
    else:
        flat = [None if tensor is None else tensor.contiguous().flatten(1, len(axes)) for tensor in results]
        tokens = _tokens(inputs, len(axes))
        d_query, d_key, d_value, d_scores = attend_backward(*tokens, flat, masks.of(axes), scale, problem.has_bias)
        masks.collect(axes, d_scores)
    count = inputs.key.shape[1:-2].numel()
    grads = [d_query, d_key[:, :count], d_value[:, :count], masks.bias_gradient(), d_key[:, count:], d_value[:, count:]]
    return Inputs(
        *(
            None if tensor is None or grad is None else grad.to(tensor.dtype).reshape(tensor.shape).contiguous()
            for tensor, grad in zip(inputs, grads, strict=True)
        )
    )


def _tokens(inputs: Inputs, rank: int) -> tuple[Tensor, Tensor, Tensor]:
    """Flatten the grid, and put the extra keys after the others."""
    query, key, value = (_regular(tensor.flatten(1, rank)) for tensor in inputs[:3])
    if inputs.extra_key is not None and inputs.extra_value is not None:
        key, value = torch.cat([key, inputs.extra_key], dim=1), torch.cat([value, inputs.extra_value], dim=1)
    return query, key, value


def _regular(tensor: Tensor) -> Tensor:
    """Copy a view that a matrix product cannot read."""
    readable = tensor.stride(-1) == 1 and min(tensor.stride()) > 0 and tensor.stride(1) >= tensor.shape[-1]
    return tensor if readable else tensor.contiguous()

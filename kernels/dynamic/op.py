"""Dynamic neighborhoods: every position's own kernels, made of its logits, applied to the window around it."""

from typing import Any

import torch
from torch import Tensor

from foveate.kernels.dispatch import Backend, autocast_dtype, overridable, pick, triton_missing
from foveate.kernels.dynamic import reference, row_blocks
from foveate.kernels.dynamic.problem import Inputs, Problem
from foveate.kernels.window import check_axes


@overridable
def dynamic_neighborhood(
    logits: Tensor,
    value: Tensor,
    small: int,
    large: int | None = None,
    *,
    small_bias: Tensor | None = None,
    large_bias: Tensor | None = None,
    backend: str | None = None,
) -> Tensor:
    """Aggregate windows of the value with softmax weights that the caller's logits give.

    Every position sees ``small`` x ``small`` positions around it in the first half of the channels, and ``large`` x
    ``large`` in the second half. Windows shift inwards at borders, so they are always full. Each window's softmax is
    its own. This is the mixer of OverLoCK (ContMix) without its projections.

    All tensors may be views with any strides: a feature map (batch, channels, height, width) becomes the value by
    ``unflatten(1, (2, groups, -1))``. The kernels run fastest on logits whose axis 2 has stride 1, the transposed
    result of a product (positions, channels) x (channels, windows).

    Args:
        logits: (batch, groups, small^2 + large^2, height, width): weights of the small window first, each window row by
            row, any float type.
        value: (batch, sets, groups, channels, height, width) of the same type; sets is 2, or 1 without ``large``.
        small: Side of the window of the first half, odd, from 1 to the shorter side of the map.
        large: Side of the window of the second half, likewise; None when there is one window only.
        small_bias: Added to the logits by relative position: (groups, 2 * small - 1, 2 * small - 1), cell
            (dy + small - 1, dx + small - 1) for the neighbor at (dy, dx). Any float type; autocast leaves it alone.
        large_bias: The same for the large window.
        backend: "triton", "cpu" or "reference"; None takes the first that can run.

    Returns:
        Tensor of the value's shape, type and memory order. Differentiable in logits, value and biases; twice with the
        reference.

    Raises:
        TypeError: Types or kinds of arguments do not fit.
        ValueError: Shapes or sides do not fit.
        RuntimeError: The backend asked for cannot run this.

    Source: Lou and Yu, OverLoCK (2025); windows as in neighborhood attention (Hassani et al., 2023).
    """
    if not (isinstance(logits, Tensor) and isinstance(value, Tensor)):
        raise TypeError(
            f"logits and value must be tensors, got {type(logits).__name__} and {type(value).__name__}: "
            "turn arrays into tensors first"
        )
    wanted = autocast_dtype(value.device)
    if wanted is not None:
        logits, value = logits.to(wanted), value.to(wanted)
    _check_tensors(logits, value)
    sides = _check_sides(small, large, value)
    _check_shapes(logits, value, sides)
    for name, table, side in (("small_bias", small_bias, small), ("large_bias", large_bias, large or 0)):
        _check_table(name, table, side, value)
    # Spelled out for the compiler, to which a comparison of sizes may be no answer yet.
    many_channels = True if value.shape[3] > 128 else False  # noqa: SIM210
    chosen = _choose(str(value.device), value.dtype, many_channels, backend)
    if chosen == "reference":
        return reference.forward(Inputs(logits, value, small_bias, large_bias), small, large or 0)
    return _forward(logits, value, small_bias, large_bias, small, large or 0, chosen)[0]


def _check_tensors(logits: Tensor, value: Tensor) -> None:
    if logits.dtype != value.dtype or not value.is_floating_point():
        raise TypeError(f"logits and value must be of one float type, got {logits.dtype} and {value.dtype}: cast one")
    if logits.device != value.device:
        raise ValueError(f"logits and value must be on one device, got {logits.device} and {value.device}: move one")
    if logits.dim() != 5 or value.dim() != 6:
        raise ValueError(
            "logits must be (batch, groups, windows, height, width) and value (batch, sets, groups, channels, height, "
            f"width), got {tuple(logits.shape)} and {tuple(value.shape)}: unflatten the channels"
        )


def _check_sides(small: int, large: int | None, value: Tensor) -> tuple[int, ...]:
    sides = (small,) if large is None else (small, large)
    for side in sides:
        check_axes(tuple(value.shape[-2:]), side)
        if side % 2 == 0:
            raise ValueError(f"windows must have an odd side, got {side}: take {side - 1} or {side + 1}")
    return sides


def _check_shapes(logits: Tensor, value: Tensor, sides: tuple[int, ...]) -> None:
    batch, sets, groups, channels, height, width = value.shape
    if sets != len(sides):
        raise ValueError(f"value must have one set for each of {len(sides)} windows, got {sets}: see unflatten")
    if groups < 1 or channels < 1:
        raise ValueError(f"value must have at least one group and one channel, got {tuple(value.shape)}: use more")
    wanted = (batch, groups, sum(side**2 for side in sides), height, width)
    if tuple(logits.shape) != wanted:
        raise ValueError(
            f"logits must be {wanted} for a value of {tuple(value.shape)} and windows of {sides}, got "
            f"{tuple(logits.shape)}: use one logit for each cell of each window"
        )


def _check_table(name: str, table: Tensor | None, side: int, value: Tensor) -> None:
    if table is None:
        return
    if not isinstance(table, Tensor) or not table.is_floating_point():
        raise TypeError(f"{name} must be a float tensor or None, got {getattr(table, 'dtype', type(table).__name__)}")
    wanted = (value.shape[2], 2 * side - 1, 2 * side - 1)
    if side == 0 or tuple(table.shape) != wanted:
        allowed = f"{wanted}" if side else "None without a large window"
        raise ValueError(f"{name} must be {allowed}, got {tuple(table.shape)}: leave it out or reshape it")
    if table.device != value.device:
        raise ValueError(f"{name} must be on {value.device} like the value, got {table.device}: move it")


def _cpu_missing(problem: Problem) -> str:
    return "" if problem.device.type == "cpu" else f"it takes tensors on a CPU, got {problem.device}"


def _triton_missing(problem: Problem) -> str:
    if problem.many_channels:
        return "the kernels take up to 128 channels in a group"
    return triton_missing(problem.device, problem.dtype)


BACKENDS: tuple[Backend[Problem], ...] = (
    # The interpreter shows that kernels are right; it is no way to run them.
    Backend("triton", _triton_missing),
    Backend("cpu", _cpu_missing),
    Backend("reference", lambda problem: ""),
)


# A tracer cannot look for packages; it takes the answer as it is.
@torch.compiler.assume_constant_result
def _choose(device: str, dtype: torch.dtype, many_channels: bool, backend: str | None) -> str:
    return pick(BACKENDS, Problem(many_channels, dtype, torch.device(device)), backend)


@torch.library.custom_op("foveate::dynamic_neighborhood", mutates_args=())
def _forward(
    logits: Tensor,
    value: Tensor,
    small_bias: Tensor | None,
    large_bias: Tensor | None,
    small: int,
    large: int,
    backend: str,
) -> tuple[Tensor, Tensor]:
    inputs = Inputs(logits, value, small_bias, large_bias)
    if backend == "cpu":
        return row_blocks.forward(inputs, small, large)
    from foveate.kernels.dynamic import triton_forward

    return triton_forward.forward(inputs, small, large)


@_forward.register_fake
def _(
    logits: Tensor,
    value: Tensor,
    small_bias: Tensor | None,
    large_bias: Tensor | None,
    small: int,
    large: int,
    backend: str,
) -> tuple[Tensor, Tensor]:
    shape = (*value.shape[:3], *value.shape[4:])
    return torch.empty_like(value), value.new_empty(shape, dtype=torch.promote_types(value.dtype, torch.float32))


@torch.library.custom_op("foveate::dynamic_neighborhood_backward", mutates_args=())
def _backward(
    grad: Tensor,
    grad_lse: Tensor | None,
    logits: Tensor,
    value: Tensor,
    small_bias: Tensor | None,
    large_bias: Tensor | None,
    out: Tensor,
    lse: Tensor,
    small: int,
    large: int,
    backend: str,
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    inputs = Inputs(logits, value, small_bias, large_bias)
    if backend == "cpu":
        grad_logits, grad_value, tables = row_blocks.backward(grad, grad_lse, inputs, small, large)
    else:
        from foveate.kernels.dynamic import triton_backward

        grad_logits, grad_value, tables = triton_backward.backward(grad, grad_lse, inputs, out, lse, small, large)
    return grad_logits, grad_value, tables[0], tables[1]


@_backward.register_fake
def _(
    grad: Tensor,
    grad_lse: Tensor | None,
    logits: Tensor,
    value: Tensor,
    small_bias: Tensor | None,
    large_bias: Tensor | None,
    out: Tensor,
    lse: Tensor,
    small: int,
    large: int,
    backend: str,
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    tables = [value.new_empty(0) if table is None else torch.empty_like(table) for table in (small_bias, large_bias)]
    return torch.empty_like(logits), torch.empty_like(value), tables[0], tables[1]


def _setup_context(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, Tensor]) -> None:
    logits, value, small_bias, large_bias, ctx.small, ctx.large, ctx.backend = inputs
    ctx.save_for_backward(logits, value, small_bias, large_bias, *output)
    ctx.set_materialize_grads(False)


def _differentiate(ctx: Any, grad: Tensor | None, grad_lse: Tensor | None) -> tuple[Any, ...]:
    logits, value, small_bias, large_bias, out, lse = ctx.saved_tensors
    if grad is None and grad_lse is None:
        return (None,) * 7
    grad = torch.zeros_like(value) if grad is None else grad
    found = _backward(
        grad, grad_lse, logits, value, small_bias, large_bias, out, lse, ctx.small, ctx.large, ctx.backend
    )
    tables = [None if table is None else g for g, table in zip(found[2:], (small_bias, large_bias), strict=True)]
    return found[0], found[1], *tables, None, None, None


_forward.register_autograd(_differentiate, setup_context=_setup_context)

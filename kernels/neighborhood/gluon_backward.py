"""Start the Gluon kernels of neighborhood attention's backward: which calls they take, and how they are cut.

Importing this asks for neither CUDA nor Triton: Gluon is loaded when a call is run.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import lru_cache
from math import prod
from typing import Any

import torch
from torch import Tensor

from foveate.kernels.neighborhood import gluon_forward
from foveate.kernels.neighborhood.gluon_forward import Schedule
from foveate.kernels.neighborhood.plan import largest_union, signature, three, tuned
from foveate.kernels.neighborhood.problem import Inputs, Problem
from foveate.kernels.window import Axis

_LOG2_E = 1.4426950408889634
# Windows of fewer keys are quicker with the smaller tiles of the Triton kernels.
_LEAST_KEYS = 1024
# Shared memory of a program on Hopper, less what barriers and numbers of queries take.
_SHARED_BYTES = 224 * 1024
# Two positions share a word of 32 bits, one of them signed.
_LONGEST = 2**15 - 1


def can_run(problem: Problem) -> str:
    """Say why these kernels cannot run a call.

    Args:
        problem: Description of the call.

    Returns:
        The reason, or an empty string.
    """
    reason = gluon_forward.can_run(problem)
    if not reason and any(axis.length > _LONGEST for axis in problem.axes):
        return f"the Gluon backward kernels take axes of up to {_LONGEST} tokens"
    return reason


@lru_cache(maxsize=256)
def chosen_schedule(axes: tuple[Axis, ...], dim: int, kernel: str) -> Schedule | None:
    """Decide whether a kernel is worth it, and how it cuts the problem.

    Args:
        axes: The problem's axes.
        dim: Channels of a head.
        kernel: query or key: the kernel of d_query, or that of d_key and d_value.

    Returns:
        The schedule, from the package's table or by rule; None where windows are too small for tiles of 128 rows.
    """
    entry = tuned("sm90").get(signature(axes, dim, f"hopper {kernel}"))
    if entry is not None:
        fields = {name: tuple(value) if isinstance(value, list) else value for name, value in entry.items()}
        box = fields.pop("box", None)
        schedule = schedule_for(axes, dim, kernel, **fields, **({"block": prod(box)} if box else {}))
        return replace(schedule, box=box or schedule.box)
    if prod(axis.window for axis in axes) < _LEAST_KEYS:
        return None
    return schedule_for(axes, dim, kernel)


@lru_cache(maxsize=256)
def schedule_for(
    axes: tuple[Axis, ...],
    dim: int,
    kernel: str,
    tile: tuple[int, int, int] | None = None,
    block: int = 64,
    **rest: Any,
) -> Schedule:
    """Choose tiles by rule.

    Args:
        axes: The problem's axes, two or three.
        dim: Channels of a head, 64 or 128.
        kernel: query or key; tiles of the latter hold keys, and its boxes queries.
        tile: Rows of a program along three axes, 128 of them; None takes 16 x 8 or 4 x 4 x 8.
        block: Candidates of a step, 64 or 128.
        rest: Other fields of ``Schedule``.

    Returns:
        The schedule.
    """
    tile = tile or ((1, 16, 8) if len(axes) == 2 else (4, 4, 8))
    split = 0 if tile[0] > 1 else 1
    inverse = kernel == "key"
    padded = three(axes)
    part = [t // 2 if i == split else t for i, t in enumerate(tile)]
    unions = [largest_union(axis, t, inverse) for axis, t in zip(padded, part, strict=True)]
    ahead = largest_union(padded[split], tile[split], inverse) - unions[split]

    def steps(box: tuple[int, int, int]) -> int:
        counts = [-(-u // side) for u, side in zip(unions, box, strict=True)]
        second = -(-(ahead + unions[split]) // box[split]) - ahead // box[split]
        return prod(counts) // counts[split] * (counts[split] + second)

    sides = (1, 2, 4, 8, 16, 32)
    boxes = [(a, b, c) for a in sides for b in sides for c in sides if a * b * c == block and a * b <= 32]
    best = min(boxes, key=lambda box: (steps(box), sum(box)))
    stages = max(2, min(4, (_SHARED_BYTES - 4 * prod(tile) * dim) // (4 * block * dim)))
    # A producer of 24 registers leaves 240 to either consumer, too few for d_query's steps to overlap.
    chosen = {"stages": stages, "consumer_registers": 240, "producer_registers": 24, "overlap": inverse}
    return Schedule(tile, best, **(chosen | rest))


def query_gradient(
    inputs: Inputs,
    out: Tensor,
    lse: Tensor,
    d_out: Tensor,
    d_lse: Tensor | None,
    axes: tuple[Axis, ...],
    scale: float,
    schedule: Schedule | None = None,
) -> tuple[Tensor, Tensor]:
    """Compute the gradient of the query.

    Args:
        inputs: The tensors of the call, on a Hopper GPU; such that ``can_run`` has nothing against them.
        out: Its output.
        lse: Its logsumexp.
        d_out: Gradient of the output.
        d_lse: Gradient of the logsumexp, or None for zero.
        axes: Windows along each axis.
        scale: Factor of the scores.
        schedule: What to use instead of the chosen one.

    Returns:
        The gradient, and delta = sum(out * d_out) - d_lse (batch, *spatial, heads), which ``key_gradient`` needs.
    """
    device = inputs.query.device
    if device.index != torch.cuda.current_device():
        with torch.cuda.device(device):
            return query_gradient(inputs, out, lse, d_out, d_lse, axes, scale, schedule)
    rows = gluon_forward.evenly_spaced(inputs.query), gluon_forward.evenly_spaced(d_out)
    call = _look_up("query", inputs, rows, axes, schedule, d_lse is not None)
    d_query = torch.empty(inputs.query.shape, dtype=inputs.query.dtype, device=device)
    delta = torch.empty(lse.shape, dtype=torch.float32, device=device)
    lse = _packed(lse)
    d_lse = lse if d_lse is None else _packed(d_lse)
    call((inputs.key, inputs.value), (rows[0], _packed(out), lse, rows[1], d_lse, d_query, delta), scale)
    return d_query, delta


def key_gradient(
    inputs: Inputs,
    lse: Tensor,
    delta: Tensor,
    d_out: Tensor,
    axes: tuple[Axis, ...],
    scale: float,
    schedule: Schedule | None = None,
) -> tuple[Tensor, Tensor]:
    """Compute the gradients of key and value.

    Args:
        inputs: As for ``query_gradient``.
        lse: As for ``query_gradient``.
        delta: What ``query_gradient`` returned.
        d_out: As for ``query_gradient``.
        axes: As for ``query_gradient``.
        scale: As for ``query_gradient``.
        schedule: What to use instead of the chosen one.

    Returns:
        Both gradients.
    """
    device = inputs.query.device
    if device.index != torch.cuda.current_device():
        with torch.cuda.device(device):
            return key_gradient(inputs, lse, delta, d_out, axes, scale, schedule)
    rows = gluon_forward.evenly_spaced(inputs.key), gluon_forward.evenly_spaced(inputs.value)
    call = _look_up("key", inputs, rows, axes, schedule, False)
    d_key = torch.empty(inputs.key.shape, dtype=inputs.key.dtype, device=device)
    d_value = torch.empty(inputs.value.shape, dtype=inputs.value.dtype, device=device)
    call((inputs.query, d_out), (*rows, _packed(lse), _packed(delta), d_key, d_value), scale)
    return d_key, d_value


@dataclass
class _Call:
    """A kernel with all that does not change from call to call.

    Args:
        kernel: query or key.
        programs: How many are started.
        numbers: Integer arguments, between the pointers and the scale.
        constants: What the kernel is compiled for.
        box: Tokens of a load along three axes.
        start: What to start, once it is compiled.
    """

    kernel: str
    programs: int
    numbers: tuple[int, ...]
    constants: dict[str, Any]
    box: tuple[int, int, int]
    start: Callable[..., None] | None = None

    def __call__(self, grids: tuple[Tensor, Tensor], pointers: tuple[Tensor, ...], scale: float) -> None:
        described = gluon_forward.describe(grids[0], self.box), gluon_forward.describe(grids[1], self.box)
        if self.start is not None:  # addresses as numbers: of a tensor, Triton asks the driver what it is
            addresses = [tensor.data_ptr() for tensor in pointers]
            device = pointers[0].device.index
            self.start(device, *described, *addresses, *self.numbers, scale * _LOG2_E, *self.constants.values())
        else:
            compiled = compile_and_start(self, (*described, *pointers), scale)
            self.start = gluon_forward.starter(compiled, (self.programs, 1, 1))


_CALLS: dict[tuple[Any, ...], _Call] = {}
_MOST_CALLS = 1024


def _look_up(
    kernel: str,
    inputs: Inputs,
    rows: tuple[Tensor, Tensor],
    axes: tuple[Axis, ...],
    schedule: Schedule | None,
    has_d_lse: bool,
) -> _Call:
    """Find what was worked out for tensors of these shapes and strides, or work it out; rows are read without TMA."""
    query, key = inputs.query, inputs.key
    mark = (
        kernel, has_d_lse, axes, schedule, query.shape, key.shape, rows[0].stride(), rows[1].stride(), query.dtype,
        query.device,
    )  # fmt: skip
    call = _CALLS.get(mark)
    if call is None:
        if len(_CALLS) >= _MOST_CALLS:
            _CALLS.clear()
        schedule = schedule or chosen_schedule(axes, query.shape[-1], kernel)
        schedule = schedule or schedule_for(axes, query.shape[-1], kernel)
        call = _CALLS[mark] = prepare(kernel, inputs, rows, axes, schedule, has_d_lse)
    return call


def prepare(
    kernel: str,
    inputs: Inputs,
    rows: tuple[Tensor, Tensor],
    axes: tuple[Axis, ...],
    schedule: Schedule,
    has_d_lse: bool,
) -> _Call:
    """Work out programs, numbers and constants of a call.

    Args:
        kernel: query or key.
        inputs: The tensors of the call.
        rows: What is read without TMA: query and d_out, or key and value.
        axes: Windows along each axis.
        schedule: How to cut it; two consumers.
        has_d_lse: Whether the logsumexp has a gradient.

    Returns:
        The call, not compiled yet.

    Raises:
        ValueError: The schedule asks for more consumers than two, or has too few stages.
    """
    if schedule.parts != 2:
        raise ValueError(f"the Gluon backward kernels have 2 consumers, got parts={schedule.parts}; leave it out")
    if kernel == "query" and schedule.overlap and schedule.stages < 3:
        # A consumer would hold two boxes while it waits for a third.
        raise ValueError(f"d_query that overlaps steps needs 3 stages or more, got {schedule.stages}: overlap=False")
    batch, heads, dim = inputs.query.shape[0], *inputs.query.shape[-2:]
    kv_heads = inputs.key.shape[-2]
    padded = three(axes)
    tiles = prod(-(-axis.length // t) for axis, t in zip(padded, schedule.tile, strict=True))
    items = tiles * batch * (kv_heads if kernel == "key" else heads)
    most = gluon_forward.multiprocessors(inputs.query.device.index or 0) if schedule.persistent else items
    constants = gluon_forward.constants(axes, dim, heads // kv_heads, schedule)
    if kernel == "query":
        constants["HAS_D_LSE"] = has_d_lse
    strides = [step for t in rows for step in (t.stride(0), t.stride(-3), t.stride(-2))]
    return _Call(
        kernel=kernel,
        programs=min(items, most),
        numbers=(*strides, *(axis.length for axis in padded), heads, tiles, items),
        constants=constants,
        box=schedule.box,
    )


def compile_and_start(call: _Call, pointers: tuple[Any, ...], scale: float, warmup: bool = False) -> Any:
    """Start a kernel by way of Triton's compiler.

    Args:
        call: What ``prepare`` returned.
        pointers: Both descriptors, then the tensors.
        scale: Factor of the scores.
        warmup: Whether to compile only.

    Returns:
        The compiled kernel.
    """
    kernel: Any
    if call.kernel == "key":
        from foveate.kernels.neighborhood.triton_gluon_backward import neighborhood_gluon_bwd_key_kernel as kernel
    else:
        from foveate.kernels.neighborhood.triton_gluon_query import neighborhood_gluon_bwd_query_kernel as kernel
    arguments = (*pointers, *call.numbers, scale * _LOG2_E)
    grid = (call.programs, 1, 1)
    if warmup:
        return kernel.warmup(*arguments, **call.constants, num_warps=4, grid=grid)
    return kernel[grid](*arguments, **call.constants, num_warps=4)


def _packed(tensor: Tensor) -> Tensor:
    """Return the tensor if it is contiguous and begins at a multiple of 16 bytes, else a copy."""
    good = tensor.is_contiguous() and tensor.data_ptr() % 16 == 0
    return tensor if good else tensor.clone(memory_format=torch.contiguous_format)

"""Start the Gluon kernel of neighborhood attention: which calls it takes, how it is cut, and what TMA is told.

Importing this asks for neither CUDA nor Triton: Gluon is loaded when a call is run.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import lru_cache
from math import prod
from typing import Any

import torch
from torch import Tensor

from foveate.kernels.dispatch import triton_interpreted, triton_missing
from foveate.kernels.neighborhood.plan import largest_union, signature, three, tuned
from foveate.kernels.neighborhood.problem import Inputs, Problem
from foveate.kernels.window import Axis

_LOG2_E = 1.4426950408889634
# Windows of fewer keys are quicker with the smaller tiles of the Triton kernel.
_LEAST_KEYS = 1024
# Shared memory of a program on Hopper.
_SHARED_BYTES = 227 * 1024


@dataclass(frozen=True)
class Schedule:
    """How the kernel cuts a problem and what it overlaps.

    Args:
        tile: Queries of a program along three axes; as many parts along ``split`` as there are consumers, of 64 or 128
            queries and powers of two.
        box: Keys of a step along three axes; powers of two, 64 or 128 of them.
        stages: Boxes of keys, and of values, that shared memory holds.
        overlap: Whether a warpgroup runs its softmax beside its own products too.
        persistent: Whether a program of each multiprocessor goes through many tiles, loading ahead over their ends.
        parts: Consumer warpgroups that share the tile, 2 or 3.
        consumer_registers: Registers of a thread of each consumer but the first, which gets what is left.
        producer_registers: Registers of a thread of the producer.
    """

    tile: tuple[int, int, int]
    box: tuple[int, int, int]
    stages: int = 2
    overlap: bool = True
    persistent: bool = False
    parts: int = 2
    consumer_registers: int = 232
    producer_registers: int = 40

    @property
    def split(self) -> int:
        """Axis along which the consumers share the tile."""
        return 0 if self.tile[0] > 1 else 1


def can_run(problem: Problem) -> str:
    """Say why this kernel cannot run a call.

    Args:
        problem: Description of the call.

    Returns:
        The reason, or an empty string.
    """
    reason = triton_missing(problem.device, problem.dtype)
    if reason:
        return reason
    if triton_interpreted():
        return "Triton's interpreter does not know Gluon"
    if _capability(problem.device.index or 0) != (9, 0):
        return "the Gluon kernel is for GPUs of compute capability 9.0 (Hopper)"
    if problem.dtype not in (torch.float16, torch.bfloat16):
        return f"the Gluon kernel takes float16 and bfloat16, got {problem.dtype}"
    if problem.dim != problem.dim_v or problem.dim not in (64, 128):
        return f"the Gluon kernel takes equal head dims of 64 or 128, got {problem.dim} and {problem.dim_v}"
    if problem.has_bias or problem.extra_tokens:
        return "the Gluon kernel knows neither bias nor extra keys"
    if any(axis.causal or axis.dilation > 1 for axis in problem.axes):
        return "the Gluon kernel knows neither causal axes nor dilation"
    if len(problem.axes) < 2 or problem.axes[-2].length < 2:
        return "the Gluon kernel needs two axes or more"
    return ""


@lru_cache(maxsize=256)
def chosen_schedule(axes: tuple[Axis, ...], dim: int) -> Schedule | None:
    """Decide whether the kernel is worth it, and how it cuts the problem.

    Args:
        axes: The problem's axes.
        dim: Channels of a head.

    Returns:
        The schedule, from the package's table or by rule; None where windows are too small for tiles of 128 queries.
    """
    entry = tuned("sm90").get(signature(axes, dim, "hopper forward"))
    if entry is not None:
        fields = {name: tuple(value) if isinstance(value, list) else value for name, value in entry.items()}
        box = fields.pop("box", None)
        schedule = schedule_for(axes, dim, **fields, **({"block": prod(box)} if box else {}))
        return replace(schedule, box=box or schedule.box)
    if prod(axis.window for axis in axes) < _LEAST_KEYS:
        return None
    if dim == 64 and len(axes) == 2:
        return schedule_for(axes, dim, (1, 24, 8), 64, parts=3, persistent=True)
    return schedule_for(axes, dim)


@lru_cache(maxsize=64)
def _capability(index: int) -> tuple[int, int]:
    return torch.cuda.get_device_capability(index)


@lru_cache(maxsize=64)
def multiprocessors(index: int) -> int:
    """Count the multiprocessors of a GPU."""
    return torch.cuda.get_device_properties(index).multi_processor_count


@lru_cache(maxsize=256)
def schedule_for(
    axes: tuple[Axis, ...], dim: int, tile: tuple[int, int, int] | None = None, block: int | None = None, **rest: Any
) -> Schedule:
    """Choose tiles by rule.

    Args:
        axes: The problem's axes, two or three.
        dim: Channels of a head, 64 or 128.
        tile: Queries of a program along three axes; None takes 16 x 8 or 4 x 4 x 8.
        block: Keys of a step, 64 or 128; None takes what makes the least work.
        rest: Other fields of ``Schedule``.

    Returns:
        The schedule.
    """
    tile = tile or ((1, 16, 8) if len(axes) == 2 else (4, 4, 8))
    split = 0 if tile[0] > 1 else 1
    parts = rest.get("parts", 2)
    part = [t // parts if i == split else t for i, t in enumerate(tile)]
    padded = three(axes)
    unions = [largest_union(axis, t, False) for axis, t in zip(padded, part, strict=True)]
    ahead = (largest_union(padded[split], tile[split], False) - unions[split]) // (parts - 1)

    def steps(box: tuple[int, int, int]) -> int:
        counts = [-(-u // side) for u, side in zip(unions, box, strict=True)]
        starts = [i * ahead for i in range(parts)]
        rows = sum(-(-(start + unions[split]) // box[split]) - start // box[split] for start in starts)
        return prod(counts) // counts[split] * rows

    sizes = (block,) if block else (64, 128)
    sides = (1, 2, 4, 8, 16, 32)
    boxes = [(a, b, c) for a in sides for b in sides for c in sides if a * b * c in sizes and a * b <= 32]
    # Small boxes cost a step's fixed time more often: they have to save a tenth of the work.
    best = min(boxes, key=lambda box: (steps(box) * prod(box) * (1.1 if prod(box) == 64 else 1.0), sum(box)))
    place = prod(tile) * dim * 2
    stages = max(2, min(4, (_SHARED_BYTES - 1024 - place) // (4 * prod(best) * dim)))
    if parts == 3:  # a thread has 128 registers on average, instead of 168
        rest = {"consumer_registers": 160, "producer_registers": 32} | rest
    return Schedule(tile, best, **({"stages": stages} | rest))


def forward(
    inputs: Inputs, axes: tuple[Axis, ...], scale: float, schedule: Schedule | None = None
) -> tuple[Tensor, Tensor]:
    """Attend; see ``reference.forward``.

    Args:
        inputs: The tensors, on a Hopper GPU; such that ``can_run`` has nothing against them.
        axes: Windows along each axis.
        scale: Factor of the scores.
        schedule: What to use instead of the chosen one.

    Returns:
        Output and logsumexp.
    """
    query, key, value = inputs.query, inputs.key, inputs.value
    device = query.device
    if device.index != torch.cuda.current_device():
        with torch.cuda.device(device):
            return forward(inputs, axes, scale, schedule)
    query = evenly_spaced(query)
    mark = (query.shape, key.shape, query.stride(), query.dtype, device, axes, schedule)
    call = _CALLS.get(mark)
    if call is None:
        if len(_CALLS) >= _MOST_CALLS:
            _CALLS.clear()
        call = _CALLS[mark] = _prepare(inputs, axes, schedule or schedule_for(axes, query.shape[-1]))
    out = torch.empty(query.shape, dtype=query.dtype, device=device)
    lse = torch.empty(query.shape[:-1], dtype=torch.float32, device=device)
    grids = describe(key, call.box), describe(value, call.box)
    if call.start is not None:  # addresses as numbers: of a tensor, Triton asks the driver what it is
        addresses = query.data_ptr(), out.data_ptr(), lse.data_ptr()
        call.start(device.index, *grids, *addresses, *call.numbers, scale * _LOG2_E, *call.constants.values())
    else:
        compiled = compile_and_start(call, (*grids, query, out, lse), scale)
        call.start = starter(compiled, (call.programs, 1, 1))
    return out, lse


@dataclass
class _Call:
    """What is worked out once for calls of the same shapes and strides."""

    programs: int
    numbers: tuple[int, ...]
    constants: dict[str, Any]
    box: tuple[int, int, int]
    start: Callable[..., None] | None = None


_CALLS: dict[tuple[Any, ...], _Call] = {}
_MOST_CALLS = 1024


def _prepare(inputs: Inputs, axes: tuple[Axis, ...], schedule: Schedule) -> _Call:
    """Work out grid, numbers and constants of a call."""
    query = evenly_spaced(inputs.query)
    batch, heads, dim = query.shape[0], *query.shape[-2:]
    padded = three(axes)
    tiles = prod(-(-axis.length // t) for axis, t in zip(padded, schedule.tile, strict=True))
    items = tiles * heads * batch
    return _Call(
        programs=min(items, multiprocessors(query.device.index or 0)) if schedule.persistent else items,
        numbers=(
            *(query.stride(0), query.stride(-3), query.stride(-2)),
            *(axis.length for axis in padded),
            *(heads, tiles, items),
        ),
        constants=constants(axes, dim, heads // inputs.key.shape[-2], schedule),
        box=schedule.box,
    )


def compile_and_start(call: _Call, pointers: tuple[Any, ...], scale: float, warmup: bool = False) -> Any:
    """Start the kernel by way of Triton's compiler.

    Args:
        call: What ``_prepare`` returned.
        pointers: Descriptors of keys and values, then query, output and logsumexp.
        scale: Factor of the scores.
        warmup: Whether to compile only.

    Returns:
        The compiled kernel.
    """
    from foveate.kernels.neighborhood.triton_gluon import neighborhood_gluon_fwd_kernel as kernel

    arguments = (*pointers, *call.numbers, scale * _LOG2_E)
    grid = (call.programs, 1, 1)
    if warmup:
        return kernel.warmup(*arguments, **call.constants, num_warps=4, grid=grid)
    return kernel[grid](*arguments, **call.constants, num_warps=4)


def starter(compiled: Any, grid: tuple[int, int, int]) -> Callable[..., None]:
    """Start a compiled kernel without the hooks and metadata of Triton's profiler.

    Args:
        compiled: The kernel.
        grid: Numbers of programs.

    Returns:
        A function of the device's number and the kernel's arguments.
    """
    import triton

    launcher, function, packed = compiled.run, compiled.function, compiled.packed_metadata
    stream_of = triton.runtime.driver.active.get_current_stream

    def start(device: int, *arguments: Any) -> None:
        launcher(*grid, stream_of(device), function, packed, None, None, None, *arguments)

    return start


def constants(axes: tuple[Axis, ...], dim: int, group: int, schedule: Schedule) -> dict[str, Any]:
    """List what the kernel is compiled for.

    Args:
        axes: The problem's axes.
        dim: Channels of a head.
        group: Heads of the query for each head of the keys.
        schedule: The schedule.

    Returns:
        Constants of the kernel by name.
    """
    padded = three(axes)
    return {
        "WINDOW": tuple(axis.window for axis in padded),
        "STRIDE": tuple(axis.stride for axis in padded),
        "TILE": schedule.tile,
        "BOX": schedule.box,
        "SPLIT": schedule.split,
        "DIM": dim,
        "GROUP": group,
        "STAGES": schedule.stages,
        "PARTS": schedule.parts,
        "DEEP": padded[0].length > 1,
        "OVERLAP": schedule.overlap,
        "CONSUMER_REGISTERS": schedule.consumer_registers,
        "PRODUCER_REGISTERS": schedule.producer_registers,
    }


def describe(tensor: Tensor, box: tuple[int, int, int]) -> Any:
    """Describe a grid of keys or values to TMA: batch, three axes, and the channels of all heads as one.

    Args:
        tensor: (batch, *spatial, heads, dim); copied where TMA could not read it.
        box: Tokens of a load along three axes.

    Returns:
        The descriptor.
    """
    from triton.experimental.gluon.language import NVMMASharedLayout
    from triton.experimental.gluon.nvidia.hopper import TensorDescriptor

    heads, dim = tensor.shape[-2:]
    steps = tensor.stride()
    packed = steps[-1] == 1 and (heads == 1 or steps[-2] == dim) and tensor.data_ptr() % 16 == 0
    if not packed or any(step % 8 or step <= 0 for step, n in zip(steps[:-2], tensor.shape[:-2], strict=True) if n > 1):
        tensor = tensor.clone(memory_format=torch.contiguous_format)
        steps = tensor.stride()
    absent = 5 - (tensor.dim() - 1)
    shape = (tensor.shape[0], *(1,) * absent, *tensor.shape[1:-2], heads * dim)
    # An axis of length 1 may have any stride, of which TMA wants a valid one.
    strides = (steps[0], *(0,) * absent, *steps[1:-2], 1)
    valid = [step if n > 1 else heads * dim for step, n in zip(strides[:-1], shape[:-1], strict=True)]
    layout = NVMMASharedLayout(128, 16, rank=5)
    return TensorDescriptor(tensor, list(shape), [*valid, 1], [1, *box, dim], layout)


def evenly_spaced(tensor: Tensor) -> Tensor:
    """Copy a tensor unless one stride leads through all tokens and rows can be read 16 bytes at a time.

    Args:
        tensor: (batch, *spatial, heads, dim).

    Returns:
        The tensor or its copy.
    """
    stride, shape = tensor.stride(), tensor.shape
    wrong = stride[-1] != 1 or tensor.data_ptr() % 16 != 0 or any(step % 8 for step in stride[:-1])
    for i in range(1, tensor.dim() - 3):
        wrong = wrong or (stride[i] != stride[i + 1] * shape[i + 1] and shape[i] != 1)
    return tensor.clone(memory_format=torch.contiguous_format) if wrong else tensor

"""Start the Triton kernels of neighborhood attention: strides, tiles, and outputs that nobody has to initialise.

A small problem takes the GPU less time than Python needs to bind fifty arguments, so what a call looks like is worked
out once: ``_Call`` remembers grid, numbers, constants and the compiled kernel.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from math import prod
from typing import Any

import torch
import triton
import triton.language as tl
from torch import Tensor

from foveate.kernels.dispatch import triton_interpreted
from foveate.kernels.neighborhood import gluon_backward, gluon_forward, triton_table_maps
from foveate.kernels.neighborhood.plan import Tiling, three, tiling_for
from foveate.kernels.neighborhood.problem import Inputs, Problem
from foveate.kernels.neighborhood.triton_backward import neighborhood_bwd_key_kernel, neighborhood_bwd_query_kernel
from foveate.kernels.neighborhood.triton_forward import neighborhood_fwd_kernel
from foveate.kernels.neighborhood.triton_small import (
    neighborhood_small_bwd_key_kernel,
    neighborhood_small_bwd_query_kernel,
    neighborhood_small_fwd_kernel,
)
from foveate.kernels.neighborhood.triton_table import neighborhood_table_fwd_kernel
from foveate.kernels.neighborhood.triton_table_backward import (
    neighborhood_table_bwd_key_kernel,
    neighborhood_table_bwd_query_kernel,
)
from foveate.kernels.window import Axis

_LOG2_E = 1.4426950408889634
# For small windows: sixteen programs for every multiprocessor of a large GPU, before a program goes through many items.
_PROGRAMS = 16 * 132
_MOST_ITEMS = 16
_KERNELS = {
    ("forward", "plain"): neighborhood_fwd_kernel,
    ("forward", "small"): neighborhood_small_fwd_kernel,
    ("forward", "table"): neighborhood_table_fwd_kernel,
    ("query", "plain"): neighborhood_bwd_query_kernel,
    ("query", "small"): neighborhood_small_bwd_query_kernel,
    ("query", "table"): neighborhood_table_bwd_query_kernel,
    ("key", "plain"): neighborhood_bwd_key_kernel,
    ("key", "small"): neighborhood_small_bwd_key_kernel,
    ("key", "table"): neighborhood_table_bwd_key_kernel,
}


def forward(
    inputs: Inputs, axes: tuple[Axis, ...], scale: float, tiling: Tiling | None = None
) -> tuple[Tensor, Tensor]:
    """Attend; see ``reference.forward``.

    Args:
        inputs: The tensors, on a CUDA device.
        axes: Windows along each axis.
        scale: Factor of the scores.
        tiling: Tiles to use instead of the chosen ones.

    Returns:
        Output and logsumexp.
    """
    schedule = _hopper_schedule(inputs, axes, "forward") if tiling is None else None
    if schedule is not None:
        return gluon_forward.forward(inputs, axes, scale, schedule)
    return _forward(_look_up("forward", inputs, (), axes, (), tiling), inputs, scale)


def _hopper_schedule(inputs: Inputs, axes: tuple[Axis, ...], kernel: str) -> gluon_forward.Schedule | None:
    """Say how a kernel for Hopper and large windows would do it; None where it cannot or should not."""
    query, key, value, bias, extra_key, _ = inputs
    if bias is not None or extra_key is not None:
        return None
    numbers = query.shape[-2], key.shape[-2], query.shape[-1], value.shape[-1]
    return _known_schedule(kernel, axes, numbers, query.dtype, query.device)


@lru_cache(maxsize=1024)
def _known_schedule(
    kernel: str, axes: tuple[Axis, ...], numbers: tuple[int, int, int, int], dtype: torch.dtype, device: torch.device
) -> gluon_forward.Schedule | None:
    problem = Problem(1, axes, *numbers, dtype, device)
    if kernel == "forward":
        return None if gluon_forward.can_run(problem) else gluon_forward.chosen_schedule(axes, numbers[2])
    return None if gluon_backward.can_run(problem) else gluon_backward.chosen_schedule(axes, numbers[2], kernel)


def _forward(call: "_Call", inputs: Inputs, scale: float) -> tuple[Tensor, Tensor]:
    query, key, value, bias, extra_key, extra_value = call.arrange(inputs)
    out = torch.empty(call.out_shape, dtype=query.dtype, device=query.device)
    lse = torch.empty(call.out_shape[:-1], dtype=torch.float32, device=query.device)
    extra = call.extra(extra_key, extra_value)
    call((query, key, value, bias, *extra, out, lse), scale)
    return out, lse


def backward(
    inputs: Inputs,
    out: Tensor,
    lse: Tensor,
    d_out: Tensor,
    d_lse: Tensor | None,
    axes: tuple[Axis, ...],
    scale: float,
) -> Inputs:
    """Differentiate; every gradient is summed in one fixed order.

    Args:
        inputs: The tensors of the call.
        out: Its output.
        lse: Its logsumexp.
        d_out: Gradient of the output.
        d_lse: Gradient of the logsumexp, or None for zero.
        axes: Windows along each axis.
        scale: Factor of the scores.

    Returns:
        Gradients, None where an input is None.
    """
    d_query, delta = query_gradient(inputs, out, lse, d_out, d_lse, axes, scale)
    d_key, d_value = key_gradient(inputs, lse, delta, d_out, axes, scale)
    d_bias = d_extra_key = d_extra_value = None
    if inputs.bias is not None:
        from foveate.kernels.neighborhood.triton_bias import bias_gradient

        d_bias = bias_gradient(inputs, lse, delta, d_out, axes, scale)
    if inputs.extra_key is not None:
        from foveate.kernels.neighborhood.triton_extra import extra_gradient

        d_extra_key, d_extra_value = extra_gradient(inputs, lse, delta, d_out, axes, scale)
    return Inputs(d_query, d_key, d_value, d_bias, d_extra_key, d_extra_value)


def query_gradient(
    inputs: Inputs,
    out: Tensor,
    lse: Tensor,
    d_out: Tensor,
    d_lse: Tensor | None,
    axes: tuple[Axis, ...],
    scale: float,
    tiling: Tiling | None = None,
) -> tuple[Tensor, Tensor]:
    """Compute the gradient of the query.

    Args:
        inputs: As for ``backward``.
        out: As for ``backward``.
        lse: As for ``backward``.
        d_out: As for ``backward``.
        d_lse: As for ``backward``.
        axes: As for ``backward``.
        scale: As for ``backward``.
        tiling: Tiles to use instead of the chosen ones.

    Returns:
        The gradient, and delta = sum(out * d_out) - d_lse (batch, *spatial, heads), which the other gradients need.
    """
    schedule = _hopper_schedule(inputs, axes, "query") if tiling is None else None
    if schedule is not None:
        return gluon_backward.query_gradient(inputs, out, lse, d_out, d_lse, axes, scale, schedule)
    call = _look_up("query", inputs, (d_out,), axes, (("HAS_D_LSE", d_lse is not None),), tiling)
    return _query_gradient(call, inputs, out, lse, d_out, d_lse, scale)


def _query_gradient(
    call: "_Call", inputs: Inputs, out: Tensor, lse: Tensor, d_out: Tensor, d_lse: Tensor | None, scale: float
) -> tuple[Tensor, Tensor]:
    query, key, value, bias, extra_key, extra_value = call.arrange(inputs)
    d_query = torch.empty(query.shape, dtype=query.dtype, device=query.device)
    delta = torch.empty_like(lse)
    extra = call.extra(extra_key, extra_value)
    d_lse = lse if d_lse is None else d_lse.contiguous()
    call((query, key, value, bias, *extra, out, lse, call.rows(d_out), d_lse, d_query, delta), scale)
    return d_query, delta


def key_gradient(
    inputs: Inputs,
    lse: Tensor,
    delta: Tensor,
    d_out: Tensor,
    axes: tuple[Axis, ...],
    scale: float,
    tiling: Tiling | None = None,
) -> tuple[Tensor, Tensor]:
    """Compute the gradients of key and value.

    Args:
        inputs: As for ``backward``.
        lse: As for ``backward``.
        delta: What ``query_gradient`` returned.
        d_out: As for ``backward``.
        axes: As for ``backward``.
        scale: As for ``backward``.
        tiling: Tiles to use instead of the chosen ones.

    Returns:
        Both gradients.
    """
    schedule = _hopper_schedule(inputs, axes, "key") if tiling is None else None
    if schedule is not None:
        return gluon_backward.key_gradient(inputs, lse, delta, d_out, axes, scale, schedule)
    return _key_gradient(_look_up("key", inputs, (d_out,), axes, (), tiling), inputs, lse, delta, d_out, scale)


def _key_gradient(
    call: "_Call", inputs: Inputs, lse: Tensor, delta: Tensor, d_out: Tensor, scale: float
) -> tuple[Tensor, Tensor]:
    query, key, value, bias, _, _ = call.arrange(inputs)
    d_key = torch.empty(key.shape, dtype=key.dtype, device=key.device)
    d_value = torch.empty(value.shape, dtype=value.dtype, device=value.device)
    call((query, key, value, bias, *call.tables, lse, call.rows(d_out), delta, d_key, d_value), scale)
    return d_key, d_value


class Plan:
    """All that calls with tensors of the same shapes and strides share, so that one look-up finds it.

    Args:
        inputs: Tensors of a call.
        axes: Windows along each axis.
        scale: Factor of the scores.
    """

    def __init__(self, inputs: Inputs, axes: tuple[Axis, ...], scale: float) -> None:
        self.axes, self.scale = axes, scale
        self._schedule = _hopper_schedule(inputs, axes, "forward")
        self._first = None if self._schedule else _look_up("forward", inputs, (), axes, (), None)
        self._later: tuple[_Call, _Call] | None = None

    def forward(self, inputs: Inputs) -> tuple[Tensor, Tensor]:
        """Attend; see ``forward``."""
        if self._first is None:
            return gluon_forward.forward(inputs, self.axes, self.scale, self._schedule)
        return _forward(self._first, inputs, self.scale)

    def backward(self, inputs: Inputs, out: Tensor, lse: Tensor, d_out: Tensor, d_lse: Tensor | None) -> Inputs:
        """Differentiate; see ``backward``."""
        plain = d_lse is None and inputs.bias is None and inputs.extra_key is None and d_out.is_contiguous()
        if not plain or _hopper_schedule(inputs, self.axes, "key") is not None:
            return backward(inputs, out, lse, d_out, d_lse, self.axes, self.scale)
        if self._later is None:
            query = _look_up("query", inputs, (d_out,), self.axes, (("HAS_D_LSE", False),), None)
            self._later = query, _look_up("key", inputs, (d_out,), self.axes, (), None)
        d_query, delta = _query_gradient(self._later[0], inputs, out, lse, d_out, None, self.scale)
        return Inputs(d_query, *_key_gradient(self._later[1], inputs, lse, delta, d_out, self.scale))


@dataclass
class _Call:
    """A kernel with all that does not change from call to call.

    Args:
        kernel: The Triton function.
        grid: Programs.
        numbers: Integer arguments, between the pointers and the scale.
        constants: Arguments the kernel is compiled for.
        options: Warps, stages, registers.
        out_shape: Shape of the output.
        way: plain, small or table; only the plain kernels know extra keys.
        rank: Spatial axes.
        copies: Whether some tensor has to be copied to have evenly spaced tokens.
        tables: What kernels that read tables are given.
        compiled: What to start, by whether all pointers are multiples of 16.
        rest: The constants' values, once there is something to start.
    """

    kernel: Any
    grid: tuple[int, int, int]
    numbers: tuple[int, ...]
    constants: dict[str, Any]
    options: dict[str, int]
    out_shape: tuple[int, ...]
    way: str
    rank: int
    copies: bool
    tables: tuple[Tensor, ...] = ()
    compiled: dict[bool, Any] = field(default_factory=dict)
    rest: tuple[Any, ...] = ()

    def arrange(self, inputs: Inputs) -> tuple[Tensor, ...]:
        """Return the inputs as the kernel reads them; absent ones become any tensor."""
        query, key, value, bias, extra_key, extra_value = inputs
        if self.copies:
            query, key, value = (_rows(tensor, self.rank) for tensor in (query, key, value))
        bias = query if bias is None else bias.contiguous()
        if extra_key is None or extra_value is None:
            return query, key, value, bias, query, query
        return query, key, value, bias, _unit(extra_key), _unit(extra_value)

    def extra(self, *tokens: Tensor) -> tuple[Tensor, ...]:
        """Return what the kernel reads after the bias: extra keys and values, or tables, or nothing."""
        return tokens if self.way == "plain" else self.tables

    def rows(self, tensor: Tensor) -> Tensor:
        """Return a tensor like the output, with evenly spaced tokens."""
        return _rows(tensor, self.rank) if self.copies else tensor

    def __call__(self, pointers: Sequence[Tensor], scale: float) -> None:
        device = pointers[0].device
        if device.type == "cuda" and device.index != torch.cuda.current_device():
            with torch.cuda.device(device):
                return self(pointers, scale)
        addresses, bits = [], 0
        for tensor in pointers:
            address = tensor.data_ptr()
            addresses.append(address)
            bits |= address
        start = self.compiled.get(bits % 16 == 0)
        if start is not None:  # addresses as numbers: of a tensor, Triton asks the driver what it is
            start(device.index, *addresses, *self.numbers, scale * _LOG2_E, *self.rest)
            return None
        compiled = self.kernel[self.grid](*pointers, *self.numbers, scale * _LOG2_E, **self.constants, **self.options)
        if compiled is not None:  # the interpreter compiles nothing
            self.rest = tuple(self.constants.values())
            self.compiled[bits % 16 == 0] = _starter(compiled, self.grid)
        return None


def _starter(compiled: Any, grid: tuple[int, int, int]) -> Callable[..., None]:
    """Start a compiled kernel without the hooks and metadata of Triton's profiler, which cost as much as the launch."""
    launcher, function, packed = compiled.run, compiled.function, compiled.packed_metadata
    stream_of = triton.runtime.driver.active.get_current_stream

    def start(device: int, *arguments: Any) -> None:
        launcher(*grid, stream_of(device), function, packed, None, None, None, *arguments)

    return start


_CALLS: dict[tuple[Any, ...], _Call] = {}
_MOST_CALLS = 4096


def _look_up(
    kernel: str,
    inputs: Inputs,
    more: tuple[Tensor, ...],
    axes: tuple[Axis, ...],
    flags: tuple[tuple[str, bool], ...],
    tiling: Tiling | None,
) -> _Call:
    """Find what was worked out for tensors of these shapes and strides, or work it out."""
    query, key, value, bias, extra_key, extra_value = inputs
    mark = (
        kernel, axes, flags, tiling, query.shape, key.shape, value.shape, query.stride(), key.stride(), value.stride(),
        query.dtype, query.device, None if bias is None else bias.dtype,
        None if extra_key is None or extra_value is None
        else (extra_key.shape, extra_key.stride(), extra_value.stride()),
        more[0].stride() if more else None,
    )  # fmt: skip
    call = _CALLS.get(mark)
    if call is None:
        if len(_CALLS) >= _MOST_CALLS:
            _CALLS.clear()
        call = _CALLS[mark] = _prepare(kernel, inputs, more, axes, dict(flags), tiling)
    return call


def _prepare(
    kernel: str,
    inputs: Inputs,
    more: tuple[Tensor, ...],
    axes: tuple[Axis, ...],
    flags: dict[str, bool],
    tiling: Tiling | None,
) -> _Call:
    query, key, value, bias, extra_key, extra_value = inputs
    batch, heads, dim = query.shape[0], *query.shape[-2:]
    kv_heads, dim_v = value.shape[-2:]
    strided = [query, key, value]
    rows = [_rows(tensor, len(axes)) for tensor in (*strided, *more)]
    copies = any(new is not old for new, old in zip(rows, (*strided, *more), strict=True))
    wide = any(tensor.numel() and _reach(tensor) >= 2**31 for tensor in rows)
    tiling = tiling or tiling_for(axes, max(dim, dim_v), kernel, architecture(query.device))
    way = _way_of(tiling, axes, kernel, extra_key is not None or wide, batch * heads)
    padded = three(axes)
    counts = [axis.dilation * -(-axis.of_class(0).length // t) for axis, t in zip(padded, tiling.tile, strict=True)]
    tiles, items = prod(counts), batch * (kv_heads if kernel == "key" else heads)
    constants: dict[str, Any] = {
        "WINDOW": tuple(axis.window for axis in padded),
        "STRIDE": tuple(axis.stride for axis in padded),
        "DILATION": tuple(axis.dilation for axis in padded),
        "CAUSAL": tuple(axis.causal for axis in padded),
        "ACTIVE": tuple(axis.length > 1 for axis in padded),
        "TILE": tiling.tile,
        "DIM": dim,
        "DIM_V": dim_v,
        "BLOCK_D": max(16, triton.next_power_of_2(dim)),
        "BLOCK_DV": max(16, triton.next_power_of_2(dim_v)),
        "GROUP": heads // kv_heads,
        "SLOTS": tiling.slots,
        "HAS_BIAS": bias is not None,
        "HAS_EXTRA": extra_key is not None,
        "WIDE": wide,
        "MASK_TYPE": tl.float32 if triton_interpreted() or query.dtype == torch.float32 else tl.bfloat16,
        "PRECISION": "ieee" if query.dtype == torch.float32 else "tf32",
        **flags,
    }
    lengths = tuple(axis.length for axis in padded)
    spread = rows[:3]
    tables: tuple[Tensor, ...] = ()
    if way == "table":
        mask_type = torch.float32 if constants["MASK_TYPE"] == tl.float32 else torch.bfloat16
        tables = triton_table_maps.tables(axes, tiling, kernel == "key", mask_type, query.device)
        constants |= triton_table_maps.constants(axes, tiling)
        constants["HEADS_FIRST"] = tiling.heads_first
        tiles = len(tables[0])
        grid = (items, tiles, 1) if tiling.heads_first else (tiles, items, 1)
        tail: tuple[int, ...] = (*lengths, heads)
    elif way == "small":
        constants |= _chunks(tiling, tiles, items)
        grid = (tiles * -(-items // constants["PER_PROGRAM"]), 1, 1)
        tail = (*lengths, heads, tiles, items)
    else:
        constants |= {"BOX": tiling.box, "FLAT": tiling.flat, "BLOCK_N": tiling.block}
        constants["HEADS_FIRST"] = tiling.heads_first
        grid, tail = (tiles * items, 1, 1), (*lengths, heads, tiles)
        if kernel != "key":
            absent = extra_key is None or extra_value is None
            spread += [query, query] if absent else [_unit(extra_key), _unit(extra_value)]  # type: ignore[arg-type]
            tail = (*tail, 0 if extra_key is None else extra_key.shape[1])
    strides = [step for t in (*spread, *rows[3:]) for step in (t.stride(0), t.stride(-3), t.stride(-2))]
    function = _KERNELS[kernel, way]
    options = {"num_warps": tiling.warps, "num_stages": tiling.stages}
    if tiling.registers is not None and not triton_interpreted():
        options["maxnreg"] = tiling.registers
    return _Call(
        kernel=function,
        grid=grid,
        numbers=(*strides, *tail),
        constants={name: constants[name] for name in function.arg_names if name in constants},
        options=options,
        out_shape=(*query.shape[:-1], dim_v),
        way=way,
        rank=len(axes),
        copies=copies,
        tables=tables,
    )


def _way_of(tiling: Tiling, axes: tuple[Axis, ...], kernel: str, plainly: bool, items: int) -> str:
    """Choose among the kernels: plain ones take everything."""
    if plainly:
        return "plain"
    # Tables are copied from the host, which a capture of a CUDA graph that comes before any other call forbids.
    capturing = torch.cuda.is_available() and torch.cuda.is_current_stream_capturing()
    if tiling.table and not capturing and triton_table_maps.can_run(axes, tiling, items, kernel == "key") == "":
        return "table"
    return "small" if tiling.small else "plain"


def _chunks(tiling: Tiling, tiles: int, items: int) -> dict[str, Any]:
    """Cut the candidates of a tile into unrolled chunks, and share items out among programs."""
    candidates = prod(tiling.union)
    chunks = -(-candidates // tiling.block)
    rest = candidates - (chunks - 1) * tiling.block
    return {
        "BOX": tiling.union,
        "CHUNK": tiling.block,
        "CHUNKS": chunks,
        "TAIL": min(tiling.block, max(16, triton.next_power_of_2(rest))),
        "UNROLLED": tiling.unrolled,
        "PER_PROGRAM": max(1, min(_MOST_ITEMS, items, tiles * items // _PROGRAMS)),
    }


@lru_cache(maxsize=64)
def _architecture(index: int) -> str:
    major, minor = torch.cuda.get_device_capability(index)
    return f"sm{major}{minor}"


def architecture(device: torch.device) -> str:
    """Name the GPU generation, such as sm90; ``none`` for the interpreter."""
    return _architecture(device.index or 0) if device.type == "cuda" else "none"


def _rows(tensor: Tensor, rank: int) -> Tensor:
    """Return the tensor if its tokens are evenly spaced and its channels adjacent, a copy otherwise.

    ``contiguous`` would do nothing about odd strides of axes of length 1, which the kernels do read.
    """
    stride, shape = tensor.stride(), tensor.shape
    if stride[-1] != 1:
        return tensor.clone(memory_format=torch.contiguous_format)
    for i in range(1, rank):
        if stride[i] != stride[i + 1] * shape[i + 1] and shape[i] != 1:
            return tensor.clone(memory_format=torch.contiguous_format)
    return tensor


def _unit(tensor: Tensor) -> Tensor:
    return tensor if tensor.stride(-1) == 1 else tensor.contiguous()


def _reach(tensor: Tensor) -> int:
    """Elements from the first of an item to its last."""
    return sum((size - 1) * step for size, step in zip(tensor.shape[1:], tensor.stride()[1:], strict=True))

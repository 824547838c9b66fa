"""Start the Triton kernels of neighborhood attention: strides, tiles, and outputs that nobody has to initialise.

A small problem takes the GPU less time than Python needs to bind fifty arguments, so what a call looks like is worked
out once: ``_prepare`` remembers grid, numbers, constants and the compiled kernel.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from math import prod
from typing import Any

import torch
import triton
import triton.language as tl
from torch import Tensor

from foveate.kernels.dispatch import triton_interpreted
from foveate.kernels.neighborhood.plan import Tiling, three, tiling_for
from foveate.kernels.neighborhood.problem import Inputs
from foveate.kernels.neighborhood.triton_backward import neighborhood_bwd_key_kernel, neighborhood_bwd_query_kernel
from foveate.kernels.neighborhood.triton_forward import neighborhood_fwd_kernel
from foveate.kernels.neighborhood.triton_small import (
    neighborhood_small_bwd_key_kernel,
    neighborhood_small_bwd_query_kernel,
    neighborhood_small_fwd_kernel,
)
from foveate.kernels.window import Axis

_LOG2_E = 1.4426950408889634
_KERNELS = {
    ("forward", False): neighborhood_fwd_kernel,
    ("forward", True): neighborhood_small_fwd_kernel,
    ("query", False): neighborhood_bwd_query_kernel,
    ("query", True): neighborhood_small_bwd_query_kernel,
    ("key", False): neighborhood_bwd_key_kernel,
    ("key", True): neighborhood_small_bwd_key_kernel,
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
    query, key, value, bias, extra_key, extra_value = _evenly_spaced(inputs, len(axes))
    shape = query.shape[:-1]
    out = torch.empty(*shape, value.shape[-1], dtype=query.dtype, device=query.device)
    lse = torch.empty(shape, dtype=torch.float32, device=query.device)
    strided, numbers = [query, key, value], []
    pointers = [query, key, value, query if bias is None else bias]
    small = _is_small("forward", axes, query, value, extra_key, tiling)
    if not small:
        extra = [query if tensor is None else tensor for tensor in (extra_key, extra_value)]
        strided, pointers, numbers = [*strided, *extra], [*pointers, *extra], [_extra_tokens(extra_key)]
    flags = {"HAS_BIAS": bias is not None}
    if not small:
        flags["HAS_EXTRA"] = extra_key is not None
    call = _prepare("forward", axes, _facts(query, key, value, strided), tuple(numbers), tuple(flags.items()), tiling)
    call([*pointers, out, lse], scale)
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
    query, key, value, bias, extra_key, extra_value = _evenly_spaced(inputs, len(axes))
    d_out = _rows(d_out, len(axes))
    d_query = torch.empty(query.shape, dtype=query.dtype, device=query.device)
    delta = torch.empty_like(lse)
    small = _is_small("query", axes, query, value, extra_key, tiling)
    strided, numbers = [query, key, value], []
    pointers = [query, key, value, query if bias is None else bias]
    flags = {"HAS_BIAS": bias is not None, "HAS_D_LSE": d_lse is not None}
    if not small:
        extra = [query if tensor is None else tensor for tensor in (extra_key, extra_value)]
        strided, pointers, numbers = [*strided, *extra], [*pointers, *extra], [_extra_tokens(extra_key)]
        flags["HAS_EXTRA"] = extra_key is not None
    facts = _facts(query, key, value, [*strided, d_out])
    call = _prepare("query", axes, facts, tuple(numbers), tuple(flags.items()), tiling)
    call([*pointers, out, lse, d_out, lse if d_lse is None else d_lse.contiguous(), d_query, delta], scale)
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
    query, key, value, bias, _, _ = _evenly_spaced(inputs, len(axes))
    d_out = _rows(d_out, len(axes))
    d_key, d_value = (torch.empty(t.shape, dtype=t.dtype, device=t.device) for t in (key, value))
    facts = _facts(query, key, value, [query, key, value, d_out])
    call = _prepare("key", axes, facts, (), (("HAS_BIAS", bias is not None),), tiling)
    call([query, key, value, query if bias is None else bias, lse, d_out, delta, d_key, d_value], scale)
    return d_key, d_value


@dataclass
class _Call:
    """A kernel with all that does not change from call to call.

    Args:
        kernel: The Triton function.
        grid: Programs.
        numbers: Integer arguments, between the pointers and the scale.
        constants: Arguments the kernel is compiled for.
        options: Warps, stages, registers.
        compiled: What to start, by whether all pointers are multiples of 16.
    """

    kernel: Any
    grid: tuple[int, int, int]
    numbers: tuple[int, ...]
    constants: dict[str, Any]
    options: dict[str, int]
    compiled: dict[bool, Any] = field(default_factory=dict)

    def __call__(self, pointers: Sequence[Tensor], scale: float) -> None:
        device = pointers[0].device
        if device.type == "cuda" and device.index != torch.cuda.current_device():
            with torch.cuda.device(device):
                return self(pointers, scale)
        aligned = not any(tensor.data_ptr() & 15 for tensor in pointers)
        run = self.compiled.get(aligned)
        if run is not None:
            run(*pointers, *self.numbers, scale * _LOG2_E, *self.constants.values())
            return None
        compiled = self.kernel[self.grid](*pointers, *self.numbers, scale * _LOG2_E, **self.constants, **self.options)
        if compiled is not None:  # the interpreter compiles nothing
            self.compiled[aligned] = compiled[self.grid]
        return None


Facts = tuple[tuple[int, ...], tuple[int, ...], int, torch.dtype, torch.device, tuple[int, ...], bool]


def _facts(query: Tensor, key: Tensor, value: Tensor, strided: Sequence[Tensor]) -> Facts:
    """What a call's compilation depends on: sizes, type, device, strides, and whether offsets need 64 bits."""
    strides: list[int] = []
    wide = False
    for tensor in strided:
        stride = tensor.stride()
        strides += (stride[0], stride[-3], stride[-2])
        wide = wide or (tensor.numel() >= 2**31 // 4 and _reach(tensor) >= 2**31)
    return (
        tuple(query.shape),
        tuple(key.shape),
        value.shape[-1],
        query.dtype,
        query.device,
        tuple(strides),
        wide,
    )


@lru_cache(maxsize=4096)
def _prepare(
    kernel: str,
    axes: tuple[Axis, ...],
    facts: Facts,
    numbers: tuple[int, ...],
    flags: tuple[tuple[str, bool], ...],
    tiling: Tiling | None,
) -> _Call:
    shape, key_shape, dim_v, dtype, device, strides, wide = facts
    batch, heads, dim, kv_heads = shape[0], shape[-2], shape[-1], key_shape[-2]
    tiling = tiling or tiling_for(axes, max(dim, dim_v), kernel, architecture(device))
    small = tiling.small and dict(flags).get("HAS_EXTRA", False) is False and not wide
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
        **dict(flags),
        "MASK_TYPE": tl.float32 if triton_interpreted() or dtype == torch.float32 else tl.bfloat16,
        "PRECISION": "ieee" if dtype == torch.float32 else "tf32",
    }
    programs = tiles * items
    if small:
        candidates = prod(tiling.union)
        chunks = -(-candidates // tiling.block)
        rest = candidates - (chunks - 1) * tiling.block
        # Sixteen programs for every multiprocessor of a large GPU, and up to sixteen items for each.
        each = max(1, min(16, items, tiles * items // (16 * 132)))
        programs = tiles * -(-items // each)
        constants |= {
            "BOX": tiling.union,
            "CHUNK": tiling.block,
            "CHUNKS": chunks,
            "TAIL": min(tiling.block, max(16, triton.next_power_of_2(rest))),
            "PER_PROGRAM": each,
        }
        numbers = (*strides, *(axis.length for axis in padded), heads, tiles, items)
    else:
        constants |= {
            "BOX": tiling.box,
            "FLAT": tiling.flat,
            "BLOCK_N": tiling.block,
            "HEADS_FIRST": tiling.heads_first,
            "WIDE": wide,
        }
        numbers = (*strides, *(axis.length for axis in padded), heads, tiles, *numbers)
    function = _KERNELS[kernel, small]
    options = {"num_warps": tiling.warps, "num_stages": tiling.stages}
    if tiling.registers is not None and not triton_interpreted():
        options["maxnreg"] = tiling.registers
    ordered = {name: constants[name] for name in function.arg_names if name in constants}
    return _Call(function, (programs, 1, 1), numbers, ordered, options)


def _is_small(
    kernel: str, axes: tuple[Axis, ...], query: Tensor, value: Tensor, extra: Tensor | None, tiling: Tiling | None
) -> bool:
    if extra is not None or query.numel() >= 2**31 // 4:
        return False
    dim = max(query.shape[-1], value.shape[-1])
    return (tiling or tiling_for(axes, dim, kernel, architecture(query.device))).small


@lru_cache(maxsize=64)
def _architecture(index: int) -> str:
    major, minor = torch.cuda.get_device_capability(index)
    return f"sm{major}{minor}"


def architecture(device: torch.device) -> str:
    """Name the GPU generation, such as sm90; ``none`` for the interpreter."""
    return _architecture(device.index or 0) if device.type == "cuda" else "none"


def _evenly_spaced(inputs: Inputs, rank: int) -> list[Any]:
    query, key, value, bias, extra_key, extra_value = inputs
    rows = [_rows(tensor, rank) for tensor in (query, key, value)]
    extra = [None if t is None or t.stride(-1) == 1 else t.contiguous() for t in (extra_key, extra_value)]
    extra = [new if new is not None else old for new, old in zip(extra, (extra_key, extra_value), strict=True)]
    return [*rows, None if bias is None else bias.contiguous(), *extra]


def _rows(tensor: Tensor, rank: int) -> Tensor:
    """Return the tensor if its tokens are evenly spaced and its channels adjacent, a copy otherwise."""
    stride, shape = tensor.stride(), tensor.shape
    if stride[-1] != 1:
        return tensor.contiguous()
    for i in range(1, rank):
        if stride[i] != stride[i + 1] * shape[i + 1] and shape[i] != 1:
            return tensor.contiguous()
    return tensor


def _extra_tokens(extra: Tensor | None) -> int:
    return 0 if extra is None else extra.shape[1]


def _reach(tensor: Tensor) -> int:
    """Elements from the first of an item to its last."""
    return sum((size - 1) * step for size, step in zip(tensor.shape[1:], tensor.stride()[1:], strict=True))

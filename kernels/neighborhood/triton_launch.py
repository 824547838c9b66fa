"""Start the Triton kernels of neighborhood attention: strides, tiles, and outputs that nobody has to initialise."""

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
from foveate.kernels.window import Axis

_LOG2_E = 1.4426950408889634


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
    query, key, value, bias, extra_key, extra_value = inputs
    query, key, value = (_rows(tensor, len(axes)) for tensor in (query, key, value))
    batch, *_, heads, dim = query.shape
    dim_v = value.shape[-1]
    out = torch.empty(*query.shape[:-1], dim_v, dtype=query.dtype, device=query.device)
    lse = torch.empty(query.shape[:-1], dtype=torch.float32, device=query.device)
    tiling = tiling or tiling_for(axes, max(dim, dim_v), "forward", architecture(query.device))
    extra = [query if tensor is None else _unit(tensor) for tensor in (extra_key, extra_value)]
    tiles = _tiles(axes, tiling)
    with _on(query.device):
        neighborhood_fwd_kernel[(batch * heads * tiles,)](
            query, key, value, query if bias is None else bias.contiguous(), *extra, out, lse,
            *_strides(query), *_strides(key), *_strides(value), *_strides(extra[0]), *_strides(extra[1]),
            *(axis.length for axis in three(axes)), heads, tiles, 0 if extra_key is None else extra_key.shape[1],
            scale * _LOG2_E,
            **_constants(axes, tiling, dim, dim_v, heads // key.shape[-2], query.dtype, (query, key, value)),
            HAS_BIAS=bias is not None, HAS_EXTRA=extra_key is not None,
            num_warps=tiling.warps, num_stages=tiling.stages,
        )  # fmt: skip
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
    query, key, value, bias, extra_key, extra_value = inputs
    query, key, value, d_out = (_rows(tensor, len(axes)) for tensor in (query, key, value, d_out))
    batch, *_, heads, dim = query.shape
    dim_v = value.shape[-1]
    d_query = torch.empty(query.shape, dtype=query.dtype, device=query.device)
    delta = torch.empty_like(lse)
    tiling = tiling or tiling_for(axes, max(dim, dim_v), "query", architecture(query.device))
    extra = [query if tensor is None else _unit(tensor) for tensor in (extra_key, extra_value)]
    d_lse = None if d_lse is None else d_lse.contiguous()
    tiles = _tiles(axes, tiling)
    with _on(query.device):
        neighborhood_bwd_query_kernel[(batch * heads * tiles,)](
            query, key, value, query if bias is None else bias.contiguous(), *extra,
            out, lse, d_out, lse if d_lse is None else d_lse, d_query, delta,
            *_strides(query), *_strides(key), *_strides(value), *_strides(extra[0]), *_strides(extra[1]),
            *_strides(d_out), *(axis.length for axis in three(axes)), heads, tiles,
            0 if extra_key is None else extra_key.shape[1], scale * _LOG2_E,
            **_constants(axes, tiling, dim, dim_v, heads // key.shape[-2], query.dtype, (query, key, value, d_out)),
            HAS_BIAS=bias is not None, HAS_EXTRA=extra_key is not None, HAS_D_LSE=d_lse is not None,
            num_warps=tiling.warps, num_stages=tiling.stages,
        )  # fmt: skip
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
    query, key, value, bias = inputs[:4]
    query, key, value, d_out = (_rows(tensor, len(axes)) for tensor in (query, key, value, d_out))
    batch, *_, heads, dim = query.shape
    kv_heads, dim_v = value.shape[-2:]
    d_key, d_value = (torch.empty(t.shape, dtype=t.dtype, device=t.device) for t in (key, value))
    tiling = tiling or tiling_for(axes, max(dim, dim_v), "key", architecture(query.device))
    tiles = _tiles(axes, tiling)
    with _on(query.device):
        neighborhood_bwd_key_kernel[(batch * kv_heads * tiles,)](
            query, key, value, query if bias is None else bias.contiguous(), lse, d_out, delta, d_key, d_value,
            *_strides(query), *_strides(key), *_strides(value), *_strides(d_out),
            *(axis.length for axis in three(axes)), heads, tiles, scale * _LOG2_E,
            **_constants(axes, tiling, dim, dim_v, heads // kv_heads, query.dtype, (query, key, value, d_out)),
            HAS_BIAS=bias is not None, num_warps=tiling.warps, num_stages=tiling.stages,
        )  # fmt: skip
    return d_key, d_value


@lru_cache(maxsize=64)
def _architecture(index: int) -> str:
    major, minor = torch.cuda.get_device_capability(index)
    return f"sm{major}{minor}"


def architecture(device: torch.device) -> str:
    """Name the GPU generation, such as sm90; ``none`` for the interpreter."""
    return _architecture(device.index or 0) if device.type == "cuda" else "none"


def _constants(axes, tiling: Tiling, dim: int, dim_v: int, group: int, dtype, touched) -> dict[str, Any]:  # type: ignore[no-untyped-def]
    """Arguments that a kernel is compiled for."""
    wide = any(tensor.numel() and tensor[0].numel() and _reach(tensor) >= 2**31 for tensor in touched)
    return {
        **_fixed(axes, tiling, dim, dim_v),
        "GROUP": group,
        "WIDE": wide,
        "MASK_TYPE": tl.float32 if triton_interpreted() else tl.bfloat16,
        "PRECISION": "ieee" if dtype == torch.float32 else "tf32",
    }


@lru_cache(maxsize=1024)
def _fixed(axes: tuple[Axis, ...], tiling: Tiling, dim: int, dim_v: int) -> dict[str, Any]:
    padded = three(axes)
    return {
        "WINDOW": tuple(axis.window for axis in padded),
        "STRIDE": tuple(axis.stride for axis in padded),
        "DILATION": tuple(axis.dilation for axis in padded),
        "CAUSAL": tuple(axis.causal for axis in padded),
        "ACTIVE": tuple(axis.length > 1 for axis in padded),
        "TILE": tiling.tile,
        "BOX": tiling.box,
        "FLAT": tiling.flat,
        "BLOCK_N": tiling.block,
        "DIM": dim,
        "DIM_V": dim_v,
        "BLOCK_D": max(16, triton.next_power_of_2(dim)),
        "BLOCK_DV": max(16, triton.next_power_of_2(dim_v)),
        "SLOTS": tiling.slots,
        "HEADS_FIRST": tiling.heads_first,
    }


@lru_cache(maxsize=1024)
def _tiles(axes: tuple[Axis, ...], tiling: Tiling) -> int:
    """Tiles of all residue classes; classes that are one shorter may leave some of them empty."""
    counts = [axis.dilation * -(-axis.of_class(0).length // t) for axis, t in zip(three(axes), tiling.tile, strict=True)]
    return prod(counts)


def _rows(tensor: Tensor, rank: int) -> Tensor:
    """Return the tensor if its tokens are evenly spaced and its channels adjacent, a copy otherwise."""
    stride, shape = tensor.stride(), tensor.shape
    even = all(stride[i] == stride[i + 1] * shape[i + 1] or shape[i] == 1 for i in range(1, rank))
    return tensor if even and stride[-1] == 1 else tensor.contiguous()


def _unit(tensor: Tensor) -> Tensor:
    return tensor if tensor.stride(-1) == 1 else tensor.contiguous()


def _strides(tensor: Tensor) -> tuple[int, int, int]:
    """Strides of items, tokens and heads."""
    stride = tensor.stride()
    return stride[0], stride[-3], stride[-2]


def _reach(tensor: Tensor) -> int:
    """Elements from the first of an item to its last."""
    return sum((size - 1) * step for size, step in zip(tensor.shape[1:], tensor.stride()[1:], strict=True))


def _on(device: torch.device) -> Any:
    return torch.cuda.device(device) if device.type == "cuda" else _Nothing()


class _Nothing:
    def __enter__(self) -> None: ...

    def __exit__(self, *error: object) -> None: ...

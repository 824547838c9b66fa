"""The functions of NATTEN 0.21, with its names and the order of its arguments: change the import, keep the call.

What differs: windows of 1 are allowed, everything runs on a CPU too, the gradient of the logsumexp is exact, and the
logsumexp can be had everywhere. Arguments that only tune NATTEN's kernels are taken and ignored.
"""

from collections.abc import Mapping
from typing import Any

from torch import Tensor

from foveate.kernels.neighborhood.op import neighborhood_attention

_LAYOUTS = ("length", "height, width", "depth, height, width")
_THEIR_BACKENDS = ("blackwell-fna", "hopper-fna", "cutlass-fna", "flex-fna")

Sizes = int | tuple[int, ...]
Flags = bool | tuple[bool, ...]


def na1d(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    kernel_size: Sizes,
    stride: Sizes = 1,
    dilation: Sizes = 1,
    is_causal: Flags = False,
    scale: float | None = None,
    additional_keys: Tensor | None = None,
    additional_values: Tensor | None = None,
    attention_kwargs: Mapping[str, Any] | None = None,
    backend: str | None = None,
    q_tile_shape: tuple[int, ...] | None = None,
    kv_tile_shape: tuple[int, ...] | None = None,
    backward_q_tile_shape: tuple[int, ...] | None = None,
    backward_kv_tile_shape: tuple[int, ...] | None = None,
    backward_kv_splits: Sizes | None = None,
    backward_use_pt_reduction: bool = False,
    run_persistent_kernel: bool = True,
    kernel_schedule: str | None = None,
    torch_compile: bool = False,
    return_lse: bool = False,
) -> Tensor | tuple[Tensor, Tensor]:
    """Attend along one axis, called as NATTEN's function of this name.

    Args:
        query: (batch, length, heads, dim).
        key: (batch, length, heads_kv, dim); ``heads`` is a multiple of ``heads_kv``.
        value: (batch, length, heads_kv, dim_v).
        kernel_size: Keys that a query sees along each axis.
        stride: Neighboring queries that share a window.
        dilation: Distance between two keys of a window.
        is_causal: Whether keys after the query are hidden.
        scale: Factor of the scores; None, and also 0 as in NATTEN, stands for dim ** -0.5.
        additional_keys: (batch, tokens, heads_kv, dim) that every query sees, or None.
        additional_values: (batch, tokens, heads_kv, dim_v), or None.
        attention_kwargs: Ignored: it tunes the attention that NATTEN falls back to.
        backend: A backend of ``neighborhood_attention``; one of NATTEN's (blackwell-fna, hopper-fna, cutlass-fna,
            flex-fna) has one chosen, like None.
        q_tile_shape: Ignored: tiles are chosen for the problem, like all that follow up to ``torch_compile``.
        kv_tile_shape: Ignored.
        backward_q_tile_shape: Ignored.
        backward_kv_tile_shape: Ignored.
        backward_kv_splits: Ignored.
        backward_use_pt_reduction: Ignored.
        run_persistent_kernel: Ignored.
        kernel_schedule: Ignored.
        torch_compile: Ignored; the function can be compiled by the caller.
        return_lse: Whether to return the logsumexp too.

    Returns:
        Output (batch, length, heads, dim_v); with ``return_lse`` also the natural logarithm of the softmax's
        denominator (batch, length, heads), float32 or wider.

    Raises:
        TypeError: A number has the wrong type.
        ValueError: Shapes do not fit, or a number is out of its range.
    """
    tensors = (query, key, value, additional_keys, additional_values)
    return _attend(1, tensors, kernel_size, stride, dilation, is_causal, scale, backend, return_lse)


def na2d(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    kernel_size: Sizes,
    stride: Sizes = 1,
    dilation: Sizes = 1,
    is_causal: Flags = False,
    scale: float | None = None,
    additional_keys: Tensor | None = None,
    additional_values: Tensor | None = None,
    attention_kwargs: Mapping[str, Any] | None = None,
    backend: str | None = None,
    q_tile_shape: tuple[int, ...] | None = None,
    kv_tile_shape: tuple[int, ...] | None = None,
    backward_q_tile_shape: tuple[int, ...] | None = None,
    backward_kv_tile_shape: tuple[int, ...] | None = None,
    backward_kv_splits: Sizes | None = None,
    backward_use_pt_reduction: bool = False,
    run_persistent_kernel: bool = True,
    kernel_schedule: str | None = None,
    torch_compile: bool = False,
    return_lse: bool = False,
) -> Tensor | tuple[Tensor, Tensor]:
    """Attend along two axes: (batch, height, width, heads, dim).

    Everything else as for ``na1d``; numbers can be one for both axes or one for each.
    """
    tensors = (query, key, value, additional_keys, additional_values)
    return _attend(2, tensors, kernel_size, stride, dilation, is_causal, scale, backend, return_lse)


def na3d(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    kernel_size: Sizes,
    stride: Sizes = 1,
    dilation: Sizes = 1,
    is_causal: Flags = False,
    scale: float | None = None,
    additional_keys: Tensor | None = None,
    additional_values: Tensor | None = None,
    attention_kwargs: Mapping[str, Any] | None = None,
    backend: str | None = None,
    q_tile_shape: tuple[int, ...] | None = None,
    kv_tile_shape: tuple[int, ...] | None = None,
    backward_q_tile_shape: tuple[int, ...] | None = None,
    backward_kv_tile_shape: tuple[int, ...] | None = None,
    backward_kv_splits: Sizes | None = None,
    backward_use_pt_reduction: bool = False,
    run_persistent_kernel: bool = True,
    kernel_schedule: str | None = None,
    torch_compile: bool = False,
    return_lse: bool = False,
) -> Tensor | tuple[Tensor, Tensor]:
    """Attend along three axes: (batch, depth, height, width, heads, dim).

    Everything else as for ``na1d``; numbers can be one for all axes or one for each.
    """
    tensors = (query, key, value, additional_keys, additional_values)
    return _attend(3, tensors, kernel_size, stride, dilation, is_causal, scale, backend, return_lse)


def _attend(
    rank: int,
    tensors: tuple[Tensor, Tensor, Tensor, Tensor | None, Tensor | None],
    kernel_size: Sizes,
    stride: Sizes,
    dilation: Sizes,
    is_causal: Flags,
    scale: float | None,
    backend: str | None,
    return_lse: bool,
) -> Tensor | tuple[Tensor, Tensor]:
    query, key, value, additional_keys, additional_values = tensors
    for name, tensor in (("query", query), ("key", key), ("value", value)):
        if not isinstance(tensor, Tensor):
            raise TypeError(f"na{rank}d takes a {name} that is a tensor, got {type(tensor).__name__}")
        if tensor.ndim != rank + 3:
            fitting = f": use na{tensor.ndim - 3}d for it" if 4 <= tensor.ndim <= 6 else ""
            raise ValueError(
                f"na{rank}d takes a {name} (batch, {_LAYOUTS[rank - 1]}, heads, dim), heads last but one, got "
                f"{tensor.ndim} axes {tuple(tensor.shape)}{fitting}"
            )
    return neighborhood_attention(
        query,
        key,
        value,
        kernel_size,
        stride=stride,
        dilation=dilation,
        causal=is_causal,
        scale=scale or None,
        extra_keys=additional_keys,
        extra_values=additional_values,
        return_lse=return_lse,
        backend=None if backend in _THEIR_BACKENDS else backend,
    )

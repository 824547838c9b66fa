"""Attention between blocks of tokens: ``block_sparse_attention`` gets the blocks, ``routed_attention`` finds them.

Layout (batch, *spatial, heads, dim) with 1 to 3 spatial axes. Nothing of the size queries times keys is kept, and keys
are not gathered on a GPU.
"""

import math
from dataclasses import replace
from functools import lru_cache
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from foveate.kernels.dispatch import Backend, autocast_dtype, is_plain_call, overridable, pick, triton_missing
from foveate.kernels.routing import chunked, reference
from foveate.kernels.routing import regions as torch_regions
from foveate.kernels.routing.checks import check_picks, check_regions, check_tensors, logits_of_regions, per_axis
from foveate.kernels.routing.problem import BlockGrid, Inputs, Problem, describe

if TYPE_CHECKING:
    from foveate.kernels.routing.triton_routed import Plan

_HAS_TRITON = find_spec("triton") is not None


def _triton_can_run(problem: Problem) -> str:
    reason = triton_missing(problem.device, problem.dtype)
    if reason:
        return reason
    if max(problem.dim, problem.dim_v) > 256:
        return f"its kernels take heads of up to 256 channels, got {problem.dim} and {problem.dim_v}"
    if problem.extent >= 2**31:
        return f"its kernels count to 2^31 within an item, got {problem.extent} numbers"
    return ""


# Key regions that the Triton kernel of the routing compares at once.
MOST_REGIONS = 512
BACKENDS: tuple[Backend[Problem], ...] = (
    Backend("triton", _triton_can_run),
    Backend("cpu", lambda problem: ""),
    Backend("reference", lambda problem: ""),
)


@overridable
def block_sparse_attention(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    block_index: Tensor | None = None,
    *,
    block_mask: Tensor | None = None,
    block_weight: Tensor | None = None,
    block_size: int | tuple[int, ...],
    block_size_kv: int | tuple[int, ...] | None = None,
    scale: float | None = None,
    return_lse: bool = False,
    backend: str | None = None,
) -> Tensor | tuple[Tensor, Tensor]:
    """Attend from each block of queries to the blocks of keys that are listed for it.

    Both grids are cut into blocks, numbered row by row; the last block of an axis may be shorter. Queries that see no
    key give 0, and -inf as the logarithm of their denominator.

    Args:
        query: (batch, *spatial, heads, dim).
        key: (batch, *spatial_kv, heads_kv, dim); ``heads_kv`` divides ``heads``.
        value: (batch, *spatial_kv, heads_kv, dim_v).
        block_index: Numbers of key blocks (batch, 1 or heads, query blocks, entries), integer. -1 is no block. A block
            that is listed more than once counts once, with the first weight. A number that is no block is an error on
            a CPU and counts as -1 on a GPU, which is not asked.
        block_mask: Instead of ``block_index``: boolean (1 or batch, 1 or heads, query blocks, key blocks), True where a
            block is seen.
        block_weight: Factors of key and value for each entry of ``block_index``, of its shape; with a gradient.
        block_size: Query tokens of a block, one number or one for each axis.
        block_size_kv: Key tokens of a block; like ``block_size`` when None.
        scale: Positive factor of the scores; dim ** -0.5 when None.
        return_lse: Whether to return the logarithm of the softmax's denominator too.
        backend: "triton", "cpu" or "reference"; None takes the first that can run.

    Returns:
        Output (batch, *spatial, heads, dim_v); with ``return_lse`` also the natural logarithm of the denominator
        (batch, *spatial, heads), float32 or wider, differentiable.

    Raises:
        TypeError: An argument has the wrong type.
        ValueError: Shapes do not fit, or not exactly one of ``block_index`` and ``block_mask`` is given.
        RuntimeError: The backend asked for cannot run this.
    """
    query, key, value = check_tensors(query, key, value)
    rank = query.ndim - 3
    grid = _grid(tuple(query.shape[1:-2]), per_axis("block_size", block_size, rank))
    sizes_kv = block_size if block_size_kv is None else block_size_kv
    grid_kv = _grid(tuple(key.shape[1:-2]), per_axis("block_size_kv", sizes_kv, rank))
    index = check_picks(query, grid, grid_kv, block_index, block_mask, block_weight)
    inputs = Inputs(query, key, value, index, block_weight)
    name = _choose(inputs, grid, grid_kv, backend)
    return _run(inputs, grid, grid_kv, scale, True, return_lse, name)


@overridable
def routed_attention(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    regions: int | tuple[int, ...],
    topk: int,
    *,
    scale: float | None = None,
    routing_scale: float | None = None,
    routing: Tensor | None = None,
    soft: bool = False,
    return_lse: bool = False,
    return_routing: bool = False,
    backend: str | None = None,
) -> Tensor | tuple[Tensor, ...]:
    """Attend from each region of queries to the regions of keys that fit it best (BiFormer's bi-level routing).

    Query and key are averaged over each region, heads side by side; a query region sees the ``topk`` key regions whose
    mean keys have the largest products with its mean query. No gradient flows through this choice.

    Args:
        query: (batch, *spatial, heads, dim).
        key: (batch, *spatial_kv, heads_kv, dim); its grid may be coarser than the query's.
        value: (batch, *spatial_kv, heads_kv, dim_v).
        regions: Regions along each axis, one number or one for each; they divide the axes of both grids.
        topk: Key regions of a query region, from 1 to all.
        scale: Positive factor of the scores; dim ** -0.5 when None.
        routing_scale: Factor of the routing's logits, which matters when ``soft``; (heads * dim) ** -0.5 when None.
        routing: Logits to use instead: (batch, query regions, key regions), or (batch, 1 or heads, query regions, key
            regions). When ``soft``, gradients flow into them.
        soft: Whether to multiply key and value of each chosen region by the softmax of the chosen logits.
        return_lse: Whether to return the logarithm of the softmax's denominator too.
        return_routing: Whether to return the chosen regions too.
        backend: "triton", "cpu" or "reference"; None takes the first that can run.

    Returns:
        Output (batch, *spatial, heads, dim_v); then, where asked for, the logarithm of the denominator (batch,
        *spatial, heads), and the chosen regions (batch, 1 or heads, query regions, topk), int64.

    Raises:
        TypeError: An argument has the wrong type.
        ValueError: Shapes do not fit, or ``topk`` is out of range.
        RuntimeError: The backend asked for cannot run this.
    """
    if routing is None and not soft and is_plain_call(query, key, value):
        plan = _find_plan(query, key, value, regions, topk, scale, routing_scale, backend)
        if plan is not None:
            return _run_plan(plan, query, key, value, return_lse, return_routing)
    query, key, value = check_tensors(query, key, value)
    grid, grid_kv = check_regions(query, key, regions, topk)
    name = _choose(Inputs(query, key, value, query), grid, grid_kv, backend)
    if routing is not None:
        logits = logits_of_regions(routing, query, grid, grid_kv)
        index, picked = torch_regions.pick_regions(logits, topk)
    else:
        index, picked = (tensor[:, None] for tensor in _route(query, key, grid, grid_kv, topk, routing_scale, name))
    weight = picked.softmax(-1) if soft else None
    result = _run(Inputs(query, key, value, index, weight), grid, grid_kv, scale, False, return_lse, name)
    if not return_routing:
        return result
    parts = result if isinstance(result, tuple) else (result,)
    return (*parts, index.long())


def _find_plan(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    regions: int | tuple[int, ...],
    topk: int,
    scale: float | None,
    routing_scale: float | None,
    backend: str | None,
) -> "Plan | None":
    """Find what was worked out for tensors like these; None when they have to go the long way."""
    if autocast_dtype(query.device) not in (None, query.dtype):
        return None
    if not (query.dtype == key.dtype == value.dtype and query.device == key.device == value.device):
        return None
    if type(topk) is not int or type(scale) not in _NUMBERS or type(routing_scale) not in _NUMBERS:
        return None
    if type(regions) is not int:
        regions = per_axis("regions", regions, query.ndim - 3)
    layout = (query.shape, key.shape, value.shape, query.stride(), key.stride(), value.stride())
    return _make_plan(*layout, query.dtype, query.device, regions, topk, scale, routing_scale, backend)


_NUMBERS = (type(None), float, int)


# Typed, since 2.0 equals 2 and 1 equals True, and neither may pass for the other.
@lru_cache(maxsize=1024, typed=True)
def _make_plan(*facts: Any) -> "Plan | None":
    """Check a call by the layout of its tensors and by its other arguments."""
    shapes, steps = facts[:3], facts[3:6]
    dtype, device, regions, topk, scale, routing_scale, backend = facts[6:]
    tensors = [torch.empty_strided(a, b, dtype=dtype, device="meta") for a, b in zip(shapes, steps, strict=True)]
    query, key, value = check_tensors(*tensors)
    grid, grid_kv = check_regions(query, key, regions, topk)
    problem = replace(describe(Inputs(query, key, value, query), grid, grid_kv), device=device)
    if pick(BACKENDS, problem, backend) != "triton":
        return None
    factor = _routing_scale(query, key, routing_scale)
    if query.shape[0] == 0 or grid_kv.blocks > MOST_REGIONS or any(step[-1] != 1 for step in steps):
        return None
    from foveate.kernels.routing.triton_launch import Layout
    from foveate.kernels.routing.triton_routed import Plan

    scale = _scale_of_scores(query, scale)
    return Plan(Layout(*facts[:8]), grid, grid_kv, topk, scale, factor)


def _run_plan(
    plan: "Plan", query: Tensor, key: Tensor, value: Tensor, return_lse: bool, return_routing: bool
) -> Tensor | tuple[Tensor, ...]:
    if torch.is_grad_enabled() and (query.requires_grad or key.requires_grad or value.requires_grad):
        from foveate.kernels.routing.triton_routed import Routed

        out, lse, index = Routed.apply(query, key, value, plan)
    else:
        out, lse, index = plan.forward(query, key, value)
    if return_routing:
        return (out, lse, index.long()) if return_lse else (out, index.long())
    return (out, lse) if return_lse else out


def _choose(inputs: Inputs, grid: BlockGrid, grid_kv: BlockGrid, backend: str | None) -> str:
    if not torch.compiler.is_compiling():
        return pick(BACKENDS, describe(inputs, grid, grid_kv), backend)
    # Looking for packages and devices cannot be traced, so a wrong wish fails when the operator runs.
    if backend is not None and backend not in ("triton", "cpu", "reference"):
        raise ValueError(f"backend must be triton, cpu, reference or None, got {backend!r}")
    fits = inputs.query.dtype in (torch.float16, torch.bfloat16, torch.float32) and inputs.query.device.type == "cuda"
    small = max(inputs.query.shape[-1], inputs.value.shape[-1]) <= 256
    return backend or ("triton" if _HAS_TRITON and fits and small else "cpu")


def _routing_scale(query: Tensor, key: Tensor, scale: float | None) -> float:
    if query.shape[-2] != key.shape[-2]:
        raise ValueError(
            f"routing by means needs as many heads in key as in query, got {key.shape[-2]} and {query.shape[-2]}: "
            "give the logits as routing"
        )
    if scale is None:
        return float((query.shape[-2] * query.shape[-1]) ** -0.5)
    if isinstance(scale, bool) or not isinstance(scale, (int, float)):
        raise TypeError(f"routing_scale must be a number, got {scale!r}: leave it out for (heads * dim) ** -0.5")
    return float(scale)


def _route(
    query: Tensor, key: Tensor, grid: BlockGrid, grid_kv: BlockGrid, topk: int, scale: float | None, backend: str
) -> tuple[Tensor, Tensor]:
    factor = _routing_scale(query, key, scale)
    query, key = query.detach(), key.detach()
    if backend == "triton" and grid_kv.blocks <= MOST_REGIONS:
        route = _route_now if is_plain_call(query, key) else _route_op
        return route(query, key, list(grid.sizes), list(grid_kv.sizes), topk, factor)
    return torch_regions.route(query, key, grid, grid_kv, topk, factor)


def _scale_of_scores(query: Tensor, scale: float | None) -> float:
    if scale is None:
        return float(query.shape[-1] ** -0.5)
    if isinstance(scale, bool) or not isinstance(scale, (int, float)):
        raise TypeError(f"scale must be a number, got {scale!r}: leave it out for dim ** -0.5")
    if not (torch.compiler.is_compiling() or 0 < scale < math.inf):
        raise ValueError(f"scale must be a positive number, got {scale!r}: leave it out for dim ** -0.5")
    return float(scale)


def _run(
    inputs: Inputs,
    grid: BlockGrid,
    grid_kv: BlockGrid,
    scale: float | None,
    holes: bool,
    return_lse: bool,
    backend: str,
) -> Tensor | tuple[Tensor, Tensor]:
    factor = _scale_of_scores(inputs.query, scale)
    if backend == "reference":
        out, lse = reference.forward(inputs, grid, grid_kv, factor)
    else:
        learns = torch.is_grad_enabled() and any(t is not None and t.requires_grad for t in inputs)
        attend = _attend if learns or not is_plain_call(*inputs) else _attend_now
        out, lse = attend(*inputs, list(grid.sizes), list(grid_kv.sizes), factor, holes, backend)
    return (out, lse) if return_lse else out


@lru_cache(maxsize=1024)
def _cached_grid(lengths: tuple[int, ...], sizes: tuple[int, ...]) -> BlockGrid:
    return BlockGrid(lengths, tuple(min(size, length) for size, length in zip(sizes, lengths, strict=True)))


def _grid(lengths: tuple[int, ...], sizes: tuple[int, ...]) -> BlockGrid:
    # A tracer would warn about the cache.
    return (_cached_grid.__wrapped__ if torch.compiler.is_compiling() else _cached_grid)(lengths, sizes)


def _grids(query: Tensor, key: Tensor, block_size: list[int], block_size_kv: list[int]) -> tuple[BlockGrid, BlockGrid]:
    return (
        _cached_grid(tuple(query.shape[1:-2]), tuple(block_size)),
        _cached_grid(tuple(key.shape[1:-2]), tuple(block_size_kv)),
    )


def _attend_now(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    index: Tensor,
    weight: Tensor | None,
    block_size: list[int],
    block_size_kv: list[int],
    scale: float,
    holes: bool,
    backend: str,
) -> tuple[Tensor, Tensor]:
    grids = _grids(query, key, block_size, block_size_kv)
    if backend == "cpu":
        return chunked.forward(Inputs(query, key, value, index, weight), *grids, scale)
    from foveate.kernels.routing import triton_forward

    flat = Inputs(query, key, value, index.contiguous(), None if weight is None else weight.contiguous())
    return triton_forward.forward(flat, *grids, scale, holes)


_attend = torch.library.custom_op("foveate::block_sparse_attention", _attend_now, mutates_args=())


@_attend.register_fake
def _(query, key, value, index, weight, block_size, block_size_kv, scale, holes, backend):  # type: ignore[no-untyped-def]
    wide = torch.promote_types(query.dtype, torch.float32)
    shape = query.shape[:-1]
    return query.new_empty(*shape, value.shape[-1]), query.new_empty(shape, dtype=wide)


@torch.library.custom_op("foveate::block_sparse_attention_backward", mutates_args=())
def _attend_backward(
    grad_out: Tensor,
    grad_lse: Tensor | None,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    index: Tensor,
    weight: Tensor | None,
    out: Tensor,
    lse: Tensor,
    block_size: list[int],
    block_size_kv: list[int],
    scale: float,
    holes: bool,
    backend: str,
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    grids = _grids(query, key, block_size, block_size_kv)
    if backend == "cpu":
        inputs = Inputs(query, key, value, index, weight)
        *grads, grad_w = chunked.backward(grad_out, grad_lse, inputs, out, lse, *grids, scale)
    else:
        from foveate.kernels.routing import triton_backward

        inputs = Inputs(query, key, value, index.contiguous(), None if weight is None else weight.contiguous())
        *grads, grad_w = triton_backward.backward(grad_out, grad_lse, inputs, out, lse, *grids, scale, holes)
    return grads[0], grads[1], grads[2], query.new_empty(0) if grad_w is None else grad_w


@_attend_backward.register_fake
def _(grad_out, grad_lse, query, key, value, index, weight, *rest):  # type: ignore[no-untyped-def]
    grads = [tensor.new_empty(tensor.shape) for tensor in (query, key, value)]
    return (*grads, query.new_empty(0) if weight is None else weight.new_empty(weight.shape))


def _save(ctx, inputs, output):  # type: ignore[no-untyped-def]
    ctx.save_for_backward(*inputs[:5], *output)
    ctx.rest = inputs[5:]
    ctx.set_materialize_grads(False)


def _differentiate(ctx, grad_out, grad_lse):  # type: ignore[no-untyped-def]
    query, key, value, index, weight, out, lse = ctx.saved_tensors
    nothing = (None,) * len(ctx.rest)
    if grad_out is None and grad_lse is None:
        return (None,) * 5 + nothing
    grad = torch.zeros_like(out) if grad_out is None else grad_out
    grads = _attend_backward(grad, grad_lse, query, key, value, index, weight, out, lse, *ctx.rest)
    return (*grads[:3], None, None if weight is None else grads[3], *nothing)


_attend.register_autograd(_differentiate, setup_context=_save)


def _route_now(
    query: Tensor, key: Tensor, region_size: list[int], region_size_kv: list[int], topk: int, scale: float
) -> tuple[Tensor, Tensor]:
    from foveate.kernels.routing import triton_regions

    return triton_regions.route(query, key, *_grids(query, key, region_size, region_size_kv), topk, scale)


_route_op = torch.library.custom_op("foveate::route_regions", _route_now, mutates_args=())


@_route_op.register_fake
def _(query, key, region_size, region_size_kv, topk, scale):  # type: ignore[no-untyped-def]
    blocks = 1
    for length, size in zip(query.shape[1:-2], region_size, strict=True):
        blocks = blocks * (length // size)
    shape = (query.shape[0], blocks, topk)
    return query.new_empty(shape, dtype=torch.int32), query.new_empty(shape, dtype=torch.float32)

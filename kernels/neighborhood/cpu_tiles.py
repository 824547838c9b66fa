"""Tiles of the cpu backend: gather a chunk of them, attend, put the results back in place."""

from collections.abc import Iterator
from math import prod

import torch
from torch import Tensor

from foveate.kernels.neighborhood.cpu_block import Results, attend, attend_backward
from foveate.kernels.neighborhood.cpu_masks import Masks
from foveate.kernels.neighborhood.cpu_plan import Run, tiles_per_chunk
from foveate.kernels.neighborhood.problem import Inputs, Problem


def forward(
    inputs: Inputs, problem: Problem, runs: tuple[Run, ...], masks: Masks, scale: float
) -> tuple[Tensor, Tensor]:
    """Attend tile by tile.

    Args:
        inputs: The tensors.
        problem: Their description.
        runs: Tiles that hold every query once.
        masks: Of the call.
        scale: Factor of the scores.

    Returns:
        Output (batch * tokens, heads * dim_v) and logarithm of the softmax's denominator (batch * tokens, heads).
    """
    query, key, value = _rows(inputs)
    out = query.new_empty(len(query), problem.heads * problem.dim_v)
    lse = query.new_empty(len(query), problem.heads, dtype=masks.dtype)
    for run in runs:
        mask = masks.of(run.stretches)
        for queries, keys in _chunks(problem, run, backward=False):
            tile = _tile(query, key, value, queries, keys, problem)
            part, part_lse = attend(*tile, mask, scale)
            out.index_copy_(0, queries.flatten(), part.reshape(-1, out.shape[1]))
            lse.index_copy_(0, queries.flatten(), part_lse.reshape(-1, problem.heads))
    return out, lse


def backward(
    inputs: Inputs,
    results: Results,
    problem: Problem,
    runs: tuple[Run, ...],
    masks: Masks,
    scale: float,
) -> tuple[Tensor, Tensor, Tensor]:
    """Differentiate ``forward`` tile by tile.

    Args:
        inputs: As there.
        results: Both outputs (batch, *spatial, heads, ...) and their gradients; the last may be None for zero.
        problem: As there.
        runs: As there.
        masks: As there; collects the gradient of the bias.
        scale: As there.

    Returns:
        Gradients of query (batch, tokens, heads * dim), key and value (batch, tokens + extra, heads_kv * dim or dim_v).
    """
    query, key, value = _rows(inputs)
    out, lse, d_out = (tensor.reshape(len(query), -1) for tensor in results[:3])
    d_lse = None if results[3] is None else results[3].reshape(len(query), -1)
    d_query = torch.empty_like(query, memory_format=torch.contiguous_format)
    d_key, d_value = (torch.zeros(tensor.shape, dtype=masks.dtype, device=tensor.device) for tensor in (key, value))
    for run in runs:
        mask, d_scores = masks.of(run.stretches), None
        for queries, keys in _chunks(problem, run, backward=True):
            tile = _tile(query, key, value, queries, keys, problem)
            ends = (
                _gather(out, queries, problem.heads),
                _gather(lse, queries, problem.heads)[..., 0],
                _gather(d_out, queries, problem.heads),
                None if d_lse is None else _gather(d_lse, queries, problem.heads)[..., 0],
            )
            d_q, d_k, d_v, part = attend_backward(*tile, ends, mask, scale, problem.has_bias)
            d_query.index_copy_(0, queries.flatten(), d_q.reshape(-1, d_query.shape[1]).to(d_query.dtype))
            d_key.index_add_(0, keys.flatten(), d_k.reshape(-1, d_key.shape[1]).to(d_key.dtype))
            d_value.index_add_(0, keys.flatten(), d_v.reshape(-1, d_value.shape[1]).to(d_value.dtype))
            d_scores = part if d_scores is None or part is None else d_scores.add_(part)
        masks.collect(run.stretches, d_scores)
    d_key, d_value = (_regroup(tensor, problem) for tensor in (d_key, d_value))
    return d_query, d_key, d_value


def _rows(inputs: Inputs) -> tuple[Tensor, Tensor, Tensor]:
    """Put tokens of all items below each other, extra keys after all others; a view where strides allow."""
    query, key, value = (tensor.reshape(-1, tensor.shape[-2] * tensor.shape[-1]) for tensor in inputs[:3])
    if inputs.extra_key is not None and inputs.extra_value is not None:
        key = torch.cat([key, inputs.extra_key.reshape(-1, key.shape[1])])
        value = torch.cat([value, inputs.extra_value.reshape(-1, value.shape[1])])
    return query, key, value


def _regroup(rows: Tensor, problem: Problem) -> Tensor:
    """Undo ``_rows``: (batch, tokens + extra, channels)."""
    own = problem.batch * prod(axis.length for axis in problem.axes)
    parts = [part.view(problem.batch, -1, rows.shape[1]) for part in rows.split([own, len(rows) - own])]
    return torch.cat(parts, dim=1) if problem.extra_tokens else parts[0]


def _chunks(problem: Problem, run: Run, backward: bool) -> Iterator[tuple[Tensor, Tensor]]:
    """List the rows of a few tiles at a time, of all items: queries (tiles, queries), keys (tiles, keys + extra)."""
    tokens = prod(axis.length for axis in problem.axes)
    item = torch.arange(problem.batch, device="cpu").repeat_interleave(len(run.query_origins))
    starts = [origins.repeat(problem.batch) + item * tokens for origins in (run.query_origins, run.key_origins)]
    extra = problem.batch * tokens + item * problem.extra_tokens
    most = tiles_per_chunk(problem, len(run.query_offsets), len(run.key_offsets), backward)
    size = -(-len(item) // -(-len(item) // most))
    for start in range(0, len(item), size):
        chunk = slice(start, start + size)
        queries, keys = starts[0][chunk, None] + run.query_offsets, starts[1][chunk, None] + run.key_offsets
        if problem.extra_tokens:
            more = extra[chunk, None] + torch.arange(problem.extra_tokens, device="cpu")
            keys = torch.cat([keys, more], dim=1)
        yield queries, keys


def _tile(
    query: Tensor, key: Tensor, value: Tensor, queries: Tensor, keys: Tensor, problem: Problem
) -> tuple[Tensor, Tensor, Tensor]:
    return (
        _gather(query, queries, problem.heads),
        _gather(key, keys, problem.heads_kv),
        _gather(value, keys, problem.heads_kv),
    )


def _gather(rows: Tensor, index: Tensor, heads: int) -> Tensor:
    return rows.index_select(0, index.flatten()).view(*index.shape, heads, -1)

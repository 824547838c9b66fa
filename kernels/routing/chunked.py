"""Block-sparse attention in torch over chunks of query blocks: batched products, memory linear in the tokens.

Gathers the keys of a few query blocks at a time, so that what it gathers stays in the cache of a CPU. The backward pass
computes the scores again. Runs on any device; its sums are in a fixed order on a CPU.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from foveate.kernels.routing.problem import BlockGrid, Inputs, from_blocks, real_tokens, to_blocks

# Numbers that a chunk may gather, and that its scores may hold: 1 to 4 MiB of a cache.
CHUNK_NUMBERS = 2**19


@dataclass(frozen=True)
class _Work:
    """A call, sorted by blocks: rows are (batch, head, query block), key blocks (batch, head of key, key block)."""

    query: Tensor  # rows, tokens, dim
    key: Tensor  # key blocks, tokens, dim
    value: Tensor
    pick: Tensor  # rows, entries: key block
    seen: Tensor | None  # rows, entries * tokens
    factor: Tensor | None  # rows, entries
    scale: float

    def chunks(self) -> Iterator[tuple[slice, slice]]:
        """Cut the rows, and the tokens of a row where a single row is too much."""
        tokens = self.query.shape[1]
        keys = self.pick.shape[1] * self.key.shape[1]
        channels = self.key.shape[2] + self.value.shape[2]
        rows = max(1, CHUNK_NUMBERS // max(1, keys * max(channels, tokens)))
        step = tokens if rows > 1 else max(1, min(tokens, CHUNK_NUMBERS // max(1, keys)))
        for start in range(0, self.query.shape[0], rows):
            for token in range(0, tokens, step):
                yield slice(start, start + rows), slice(token, token + step)

    def gather(self, tensor: Tensor, rows: slice) -> Tensor:
        """Collect blocks of key or value: rows, entries, tokens, channels."""
        pick = self.pick[rows]
        return tensor.index_select(0, pick.flatten()).view(*pick.shape, *tensor.shape[1:])

    def scaled(self, picked: Tensor, rows: slice) -> Tensor:
        """Multiply entries by their factors, and join them: rows, keys, channels."""
        if self.factor is not None:
            picked = picked * self.factor[rows, :, None, None]
        return picked.flatten(1, 2)

    def scores(self, query: Tensor, key: Tensor, rows: slice) -> Tensor:
        """Compute the scores: rows, tokens, keys."""
        scores = torch.bmm(query, key.transpose(1, 2)).mul_(self.scale)
        if self.seen is not None:
            scores.masked_fill_(~self.seen[rows, None], float("-inf"))
        return scores


def forward(inputs: Inputs, grid: BlockGrid, grid_kv: BlockGrid, scale: float) -> tuple[Tensor, Tensor]:
    """Attend; see ``reference.forward``.

    Args:
        inputs: The tensors.
        grid: Blocks of the query.
        grid_kv: Blocks of key and value.
        scale: Factor of the scores before the softmax.

    Returns:
        Output and logarithm of the softmax's denominator.
    """
    work = _sort(inputs, grid, grid_kv, scale)
    out = work.query.new_zeros(*work.query.shape[:2], work.value.shape[2])
    lse = work.query.new_full(work.query.shape[:2], float("-inf"))
    for rows, tokens in work.chunks() if work.pick.shape[1] else ():
        key, value = (work.scaled(work.gather(tensor, rows), rows) for tensor in (work.key, work.value))
        scores = work.scores(work.query[rows, tokens], key, rows)
        top = scores.amax(-1, keepdim=True).clamp_(min=torch.finfo(scores.dtype).min)
        weights = scores.sub_(top).exp_()
        total = weights.sum(-1, keepdim=True)
        lse[rows, tokens] = (total.log() + top)[..., 0]
        out[rows, tokens] = torch.bmm(weights, value).div_(total.clamp_(min=torch.finfo(total.dtype).tiny))
    batch, heads = inputs.query.shape[0], inputs.query.shape[-2]
    shape = (batch, heads, grid.blocks, grid.tokens)
    out, lse = out.view(*shape, work.value.shape[2]), lse.view(*shape, 1)
    return from_blocks(out, grid).to(inputs.query.dtype), from_blocks(lse, grid)[..., 0].contiguous()


def backward(
    grad_out: Tensor,
    grad_lse: Tensor | None,
    inputs: Inputs,
    out: Tensor,
    lse: Tensor,
    grid: BlockGrid,
    grid_kv: BlockGrid,
    scale: float,
) -> tuple[Tensor, Tensor, Tensor, Tensor | None]:
    """Compute gradients.

    Args:
        grad_out: Of the output.
        grad_lse: Of the logarithm of the denominator, or None.
        inputs: The tensors.
        out: What ``forward`` returned.
        lse: What ``forward`` returned.
        grid: Blocks of the query.
        grid_kv: Blocks of key and value.
        scale: Factor of the scores.

    Returns:
        Gradients of query, key, value and weight (None without weight).
    """
    work = _sort(inputs, grid, grid_kv, scale)
    wide = work.query.dtype
    delta = (grad_out.to(wide) * out.to(wide)).sum(-1, keepdim=True)
    if grad_lse is not None:
        delta = delta - grad_lse[..., None].to(wide)
    lse = torch.where(lse == float("-inf"), float("inf"), lse)  # exp(-inf - inf) is 0, exp(-inf + inf) nothing
    delta, lse, grad_out = (
        to_blocks(tensor.to(wide), grid).flatten(0, 2) for tensor in (delta, lse[..., None], grad_out)
    )
    grad_q, grad_k, grad_v = (torch.zeros_like(tensor) for tensor in (work.query, work.key, work.value))
    grad_w = None if work.factor is None else torch.zeros_like(work.factor)
    for rows, tokens in work.chunks() if work.pick.shape[1] else ():
        raw_k, raw_v = work.gather(work.key, rows), work.gather(work.value, rows)
        key, value = work.scaled(raw_k, rows), work.scaled(raw_v, rows)
        query, grad = work.query[rows, tokens], grad_out[rows, tokens]
        weights = work.scores(query, key, rows).sub_(lse[rows, tokens]).exp_()
        grad_value = torch.bmm(weights.transpose(1, 2), grad).view_as(raw_v)
        grad_score = torch.bmm(grad, value.transpose(1, 2)).sub_(delta[rows, tokens]).mul_(weights).mul_(scale)
        grad_q[rows, tokens] = torch.bmm(grad_score, key)
        grad_key = torch.bmm(grad_score.transpose(1, 2), query).view_as(raw_k)
        if grad_w is not None and work.factor is not None:
            grad_w[rows] += (grad_key * raw_k).sum((2, 3)) + (grad_value * raw_v).sum((2, 3))
            factor = work.factor[rows, :, None, None]
            grad_key, grad_value = grad_key * factor, grad_value * factor
        pick = work.pick[rows].flatten()
        grad_k.index_add_(0, pick, grad_key.flatten(0, 1))
        grad_v.index_add_(0, pick, grad_value.flatten(0, 1))
    return _unsort(inputs, (grad_q, grad_k, grad_v, grad_w), grid, grid_kv)


def _sort(inputs: Inputs, grid: BlockGrid, grid_kv: BlockGrid, scale: float) -> _Work:
    query, key, value, index, weight = inputs
    wide = torch.promote_types(query.dtype, torch.float32)
    batch, heads, heads_kv = query.shape[0], query.shape[-2], key.shape[-2]
    index = index.long().expand(-1, heads, -1, -1)
    seen = (index >= 0) & (index < grid_kv.blocks)
    is_full = bool(seen.all())
    owner = torch.arange(batch, device=index.device)[:, None] * heads_kv
    owner = owner + torch.arange(heads, device=index.device) // (heads // heads_kv)
    pick = (owner[:, :, None, None] * grid_kv.blocks + index.where(seen, 0)).flatten(0, 2)
    seen_keys = None
    if grid_kv.is_ragged or not is_full:
        real = real_tokens(grid_kv, index.device)[pick % max(1, grid_kv.blocks)]
        seen_keys = (real & seen.flatten(0, 2)[..., None]).flatten(1)
    return _Work(
        query=to_blocks(query.to(wide), grid).flatten(0, 2),
        key=to_blocks(key.to(wide), grid_kv).flatten(0, 2),
        value=to_blocks(value.to(wide), grid_kv).flatten(0, 2),
        pick=pick,
        seen=seen_keys,
        factor=None if weight is None else weight.to(wide).expand(-1, heads, -1, -1).flatten(0, 2),
        scale=scale,
    )


def _unsort(
    inputs: Inputs, grads: tuple[Tensor, Tensor, Tensor, Tensor | None], grid: BlockGrid, grid_kv: BlockGrid
) -> tuple[Tensor, Tensor, Tensor, Tensor | None]:
    query, key, value, _, weight = inputs
    back = []
    for grad, tensor, blocks in zip(grads[:3], (query, key, value), (grid, grid_kv, grid_kv), strict=True):
        shape = (tensor.shape[0], tensor.shape[-2], blocks.blocks, blocks.tokens, tensor.shape[-1])
        back.append(from_blocks(grad.view(shape), blocks).to(tensor.dtype))
    grad_w = grads[3]
    if grad_w is not None and weight is not None:
        grad_w = grad_w.view(weight.shape[0], query.shape[-2], *weight.shape[2:])
        grad_w = (grad_w.sum(1, keepdim=True) if weight.shape[1] == 1 else grad_w).to(weight.dtype)
    return back[0], back[1], back[2], grad_w

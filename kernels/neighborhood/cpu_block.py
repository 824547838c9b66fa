"""Attention of blocks of queries to blocks of keys on a CPU, forward and backward.

Torch's flash attention for CPUs does the work where it can: it returns the logarithm of the softmax's denominator and
has a backward. Plain matrix products stand in where it cannot (value channels that differ from key channels, gradients
of scores or of that logarithm).
"""

import torch
from torch import Tensor

Results = tuple[Tensor, Tensor, Tensor, Tensor | None]


def _fold(tensor: Tensor, heads_kv: int) -> Tensor:
    """Put the query heads that share a key head below each other: (blocks, heads_kv, group * queries, dim)."""
    if tensor.shape[2] == heads_kv:
        return tensor.transpose(1, 2)
    return tensor.unflatten(2, (heads_kv, -1)).permute(0, 2, 3, 1, 4).flatten(2, 3)


def _unfold(tensor: Tensor, heads: int) -> Tensor:
    """Undo ``_fold``: (blocks, queries, heads, dim)."""
    group = heads // tensor.shape[1]
    if group == 1:
        return tensor.transpose(1, 2)
    return tensor.unflatten(2, (group, -1)).permute(0, 3, 1, 2, 4).flatten(2, 3)


def _has_flash(query: Tensor, value: Tensor) -> bool:
    known = hasattr(torch.ops.aten, "_scaled_dot_product_flash_attention_for_cpu_backward")
    return known and query.shape[-1] == value.shape[-1]


def attend(query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None, scale: float) -> tuple[Tensor, Tensor]:
    """Attend within each block.

    Args:
        query: (blocks, queries, heads, dim); its last stride is 1, as of all tensors here.
        key: (blocks, keys, heads_kv, dim).
        value: (blocks, keys, heads_kv, dim_v).
        mask: Added to the scores (1 or heads_kv, heads / heads_kv * queries, keys), float32 or wider, or None.
        scale: Factor of the scores before the mask.

    Returns:
        Output (blocks, queries, heads, dim_v) in the type of the query, and logarithm of the softmax's denominator
        (blocks, queries, heads), float32 or wider.
    """
    heads, heads_kv = query.shape[2], key.shape[2]
    q, k, v = _fold(query, heads_kv), key.transpose(1, 2), value.transpose(1, 2)
    if _has_flash(query, value):
        out, lse = torch.ops.aten._scaled_dot_product_flash_attention_for_cpu(
            q, k, v, 0.0, False, attn_mask=None if mask is None else mask[None], scale=scale
        )
        return _unfold(out, heads), _unfold(lse[..., None], heads)[..., 0]
    wide = torch.promote_types(query.dtype, torch.float32)
    scores = _scores(q.to(wide), k.to(wide), mask, scale)
    top = scores.amax(-1, keepdim=True)
    weights = scores.softmax(-1)
    lse = top.sub_(weights.amax(-1, keepdim=True).log_())
    return _unfold((weights @ v.to(wide)).to(query.dtype), heads), _unfold(lse, heads)[..., 0]


def attend_backward(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    results: Results,
    mask: Tensor | None,
    scale: float,
    wants_scores: bool,
) -> tuple[Tensor, Tensor, Tensor, Tensor | None]:
    """Differentiate ``attend``.

    Args:
        query: As there.
        key: As there.
        value: As there.
        results: Its two outputs and their gradients; the last may be None for zero.
        mask: As there.
        scale: As there.
        wants_scores: Whether the gradient of the scores is wanted, too.

    Returns:
        Gradients of query, key and value, float32 or wider where that is at no cost, and of the scores
        (heads_kv, heads / heads_kv * queries, keys), summed over blocks.
    """
    out, lse, d_out, d_lse = results
    heads, heads_kv = query.shape[2], key.shape[2]
    q, grad = _fold(query, heads_kv), _fold(d_out, heads_kv)
    k, v = key.transpose(1, 2), value.transpose(1, 2)
    if _has_flash(query, value) and d_lse is None and not wants_scores:
        rest = _fold(out, heads_kv), _fold(lse[..., None], heads_kv)[..., 0]
        d_q, d_k, d_v = torch.ops.aten._scaled_dot_product_flash_attention_for_cpu_backward(
            grad, q, k, v, *rest, 0.0, False, attn_mask=None if mask is None else mask[None], scale=scale
        )
        return _unfold(d_q, heads), d_k.transpose(1, 2), d_v.transpose(1, 2), None
    wide = torch.promote_types(query.dtype, torch.float32)
    q, k, v, grad = (tensor.to(wide) for tensor in (q, k, v, grad))
    delta = torch.linalg.vecdot(out.to(wide), d_out.to(wide))
    delta = _fold((delta if d_lse is None else delta - d_lse)[..., None], heads_kv)
    weights = _scores(q, k, mask, scale).softmax(-1)
    d_v = weights.mT @ grad
    d_scores = (grad @ v.mT).sub_(delta).mul_(weights)
    d_q, d_k = (d_scores @ k).mul_(scale), (d_scores.mT @ q).mul_(scale)
    summed = d_scores.sum(0) if wants_scores else None
    return _unfold(d_q, heads), d_k.transpose(1, 2), d_v.transpose(1, 2), summed


def _scores(query: Tensor, key: Tensor, mask: Tensor | None, scale: float) -> Tensor:
    scores = (query @ key.mT).mul_(scale)
    return scores if mask is None else scores.add_(mask)

"""Neighborhood attention in plain torch: gather every query's keys, softmax, sum. Slow, readable, right; the oracle."""

import torch
from torch import Tensor

from foveate.kernels.neighborhood.problem import Inputs
from foveate.kernels.window import Axis, neighbors


def forward(inputs: Inputs, axes: tuple[Axis, ...], scale: float) -> tuple[Tensor, Tensor]:
    """Attend by gathering; differentiable by autograd as often as wanted.

    Args:
        inputs: The tensors.
        axes: Windows along each axis.
        scale: Factor of the scores before the softmax.

    Returns:
        Output (batch, *spatial, heads, dim_v) and the natural logarithm of the softmax's denominator
        (batch, *spatial, heads), float32 or wider.
    """
    query, key, value, bias, extra_key, extra_value = inputs
    wide = torch.promote_types(query.dtype, torch.float32)
    group = query.shape[-2] // key.shape[-2]
    flat = [_flatten(tensor, len(axes)).to(wide) for tensor in (query, key, value)]
    q, (k, v) = flat[0], (tensor.repeat_interleave(group, dim=2) for tensor in flat[1:])
    index, seen = _product(axes)
    index, seen = index.to(q.device), seen.to(q.device)
    scores = scale * torch.einsum("bnhd,bnkhd->bnhk", q, k[:, index])
    if bias is not None:
        scores = scores + _bias_of_pairs(bias.to(wide), axes).transpose(0, 1)
    scores = scores.masked_fill(~seen[:, None], float("-inf"))
    if extra_key is not None and extra_value is not None:
        more = [tensor.to(wide).repeat_interleave(group, dim=2) for tensor in (extra_key, extra_value)]
        scores = torch.cat([scores, scale * torch.einsum("bnhd,bkhd->bnhk", q, more[0])], dim=-1)
    lse = scores.logsumexp(-1)
    weights = (scores - lse[..., None]).exp()
    own = index.shape[1]
    out = torch.einsum("bnhk,bnkhd->bnhd", weights[..., :own], v[:, index])
    if extra_key is not None and extra_value is not None:
        out = out + torch.einsum("bnhk,bkhd->bnhd", weights[..., own:], more[1])
    shape = query.shape[:-1]
    return out.to(query.dtype).reshape(*shape, v.shape[-1]), lse.reshape(shape)


def _flatten(tensor: Tensor, rank: int) -> Tensor:
    return tensor.flatten(1, rank)


def _product(axes: tuple[Axis, ...]) -> tuple[Tensor, Tensor]:
    """List flat key indices (tokens, keys) and whether they are seen, over the product of the axes."""
    index, seen = torch.zeros(1, 1, dtype=torch.long), torch.ones(1, 1, dtype=torch.bool)
    for axis in axes:
        keys, shown = neighbors(axis)
        index = index[:, None, :, None] * axis.length + keys[None, :, None, :]
        seen = seen[:, None, :, None] & shown[None, :, None, :]
        index, seen = index.flatten(0, 1).flatten(1, 2), seen.flatten(0, 1).flatten(1, 2)
    return index, seen


def _bias_of_pairs(bias: Tensor, axes: tuple[Axis, ...]) -> Tensor:
    """Look up the bias (heads, tokens, keys): along each axis at key - query, in dilated steps, plus window - 1."""
    flat = torch.zeros(1, 1, dtype=torch.long)
    for axis in axes:
        keys, _ = neighbors(axis)
        step = (keys - torch.arange(axis.length)[:, None]) // axis.dilation + axis.window - 1
        flat = flat[:, None, :, None] * (2 * axis.window - 1) + step[None, :, None, :]
        flat = flat.flatten(0, 1).flatten(1, 2)
    return bias.flatten(1)[:, flat.to(bias.device)]

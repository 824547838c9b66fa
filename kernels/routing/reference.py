"""Block-sparse attention in plain torch: gather the keys of every query block. Slow, readable, right; the oracle."""

import torch
from torch import Tensor

from foveate.kernels.routing.problem import BlockGrid, Inputs, from_blocks, real_tokens, to_blocks


def forward(inputs: Inputs, grid: BlockGrid, grid_kv: BlockGrid, scale: float) -> tuple[Tensor, Tensor]:
    """Attend by gathering; differentiable by autograd as often as wanted.

    Args:
        inputs: The tensors.
        grid: Blocks of the query.
        grid_kv: Blocks of key and value.
        scale: Factor of the scores before the softmax.

    Returns:
        Output (batch, *spatial, heads, dim_v) and the natural logarithm of the softmax's denominator
        (batch, *spatial, heads), float32 or wider.
    """
    query, key, value, index, weight = inputs
    wide = torch.promote_types(query.dtype, torch.float32)
    batch, heads = query.shape[0], query.shape[-2]
    group = heads // key.shape[-2]
    q = to_blocks(query.to(wide), grid)
    k, v = (to_blocks(tensor.to(wide), grid_kv).repeat_interleave(group, dim=1) for tensor in (key, value))
    index = index.long().expand(-1, heads, -1, -1)
    is_block = (index >= 0) & (index < grid_kv.blocks)
    index = index.where(is_block, 0)
    item = torch.arange(batch, device=index.device)[:, None, None, None]
    head = torch.arange(heads, device=index.device)[:, None, None]
    picked_k, picked_v = k[item, head, index], v[item, head, index]  # batch, heads, blocks, entries, tokens, dim
    if weight is not None:
        factor = weight.to(wide)[..., None, None]
        picked_k, picked_v = picked_k * factor, picked_v * factor
    seen = is_block[..., None] & real_tokens(grid_kv, index.device)[index]
    k, v, seen = picked_k.flatten(3, 4), picked_v.flatten(3, 4), seen.flatten(3)[:, :, :, None]
    nothing = ~seen.any(-1, keepdim=True)
    scores = scale * q @ k.transpose(-1, -2)
    scores = scores.masked_fill(~seen & ~nothing, float("-inf"))  # rows of -inf alone have no gradient
    lse = scores.logsumexp(-1, keepdim=True)
    weights = (scores - lse).exp().masked_fill(~seen, 0)
    out = from_blocks(weights @ v, grid).to(query.dtype)
    return out, from_blocks(lse.masked_fill(nothing, float("-inf")), grid)[..., 0]

"""What the cpu backend adds to scores: minus infinity where a query may not see a key, and the bias of what it sees."""

from functools import lru_cache
from math import prod

import torch
from torch import Tensor

from foveate.kernels.neighborhood.cpu_plan import KEPT_PAIRS, Stretch
from foveate.kernels.neighborhood.problem import Problem
from foveate.kernels.window import Axis, spans

Parts = tuple[Stretch, ...] | tuple[Axis, ...]
"""Stretches of a tile, or the axes of the whole grid."""


class Masks:
    """Masks of one call, and the gradient of its bias.

    Args:
        problem: The call.
        bias: Its bias, or None.
    """

    def __init__(self, problem: Problem, bias: Tensor | None) -> None:
        self.problem = problem
        self.dtype = torch.promote_types(problem.dtype, torch.float32)
        self.table: Tensor | None = None
        self.gradient: Tensor | None = None
        if bias is not None:
            ends = torch.tensor([float("-inf"), 0.0], dtype=self.dtype, device=bias.device)
            self.table = torch.cat([bias.flatten(1).to(self.dtype), ends.expand(len(bias), 2)], dim=1)

    def of(self, parts: Parts) -> Tensor | None:
        """Make what is added to scores.

        Args:
            parts: Of what.

        Returns:
            (1 or heads_kv, heads / heads_kv * queries, keys + extra), or None for nothing.
        """
        heads, heads_kv, extra = self.problem.heads, self.problem.heads_kv, self.problem.extra_tokens
        if self.table is None:
            return hidden_mask(parts, extra, heads // heads_kv, self.dtype)
        index = bias_index(parts, extra)
        return self.table.index_select(1, index.flatten()).view(heads_kv, -1, index.shape[1])

    def collect(self, parts: Parts, d_scores: Tensor | None) -> None:
        """Add to the gradient of the bias.

        Args:
            parts: Of what.
            d_scores: Gradient of the scores, shaped like their mask; None adds nothing.
        """
        if self.table is None or d_scores is None:
            return
        if self.gradient is None:
            self.gradient = self.table.new_zeros(self.table.shape[1], self.table.shape[0])
        index = bias_index(parts, self.problem.extra_tokens)
        self.gradient.index_add_(0, index.flatten(), d_scores.reshape(self.problem.heads, -1).t())

    def bias_gradient(self) -> Tensor | None:
        """Return the gradient of the flattened bias (heads, offsets), or None without a bias."""
        return None if self.gradient is None else self.gradient[:-2].t()


def hidden_mask(parts: Parts, extra_tokens: int, group: int, dtype: torch.dtype) -> Tensor | None:
    """Make the mask that hides what no query may see.

    Args:
        parts: Stretches of a tile, or the axes of the whole grid.
        extra_tokens: Keys after these, which everybody sees.
        group: How often to repeat the queries.
        dtype: Of the mask.

    Returns:
        0 or minus infinity (1, group * queries, keys + extra); None if nothing is hidden.
    """
    if all(part.is_full if isinstance(part, Stretch) else part.is_dense and part.dilation == 1 for part in parts):
        return None
    make = _small_hidden_mask if group * _pairs(parts) <= KEPT_PAIRS else _hidden_mask
    return make(parts, extra_tokens, group, dtype)


def _hidden_mask(parts: Parts, extra_tokens: int, group: int, dtype: torch.dtype) -> Tensor:
    _, seen = _pairs_of_product(parts)
    with torch.inference_mode(False):
        mask = torch.zeros(1, len(seen), seen.shape[1] + extra_tokens, dtype=dtype, device="cpu")
        mask[0, :, : seen.shape[1]].masked_fill_(~seen, float("-inf"))
        return mask.repeat(1, group, 1)


def bias_index(parts: Parts, extra_tokens: int) -> Tensor:
    """Find the bias of each pair of a query and a key.

    Args:
        parts: Stretches of a tile, or the axes of the whole grid.
        extra_tokens: Keys after these, which everybody sees.

    Returns:
        Index (queries, keys + extra) into the flattened bias; hidden pairs have the one after its end, extra keys the
        next.
    """
    return (_small_bias_index if _pairs(parts) <= KEPT_PAIRS else _bias_index)(parts, extra_tokens)


def _bias_index(parts: Parts, extra_tokens: int) -> Tensor:
    with torch.inference_mode(False):
        index, seen = _pairs_of_product(parts)
        size = prod(2 * part.window - 1 for part in parts)
        extra = index.new_full((len(index), extra_tokens), size + 1)
        return torch.cat([index.masked_fill_(~seen, size), extra], dim=1)


_small_hidden_mask = lru_cache(maxsize=64)(_hidden_mask)
_small_bias_index = lru_cache(maxsize=64)(_bias_index)


def _pairs(parts: Parts) -> int:
    return prod(len(part.first) * part.keys if isinstance(part, Stretch) else part.length**2 for part in parts)


def _pairs_of_product(parts: Parts) -> tuple[Tensor, Tensor]:
    """Bias index and visibility of each pair (queries, keys), over the product of the axes."""
    index = torch.zeros(1, 1, dtype=torch.long, device="cpu")
    seen = torch.ones(1, 1, dtype=torch.bool, device="cpu")
    for part in parts:
        step, shown = _steps(part)
        index = index[:, None, :, None] * (2 * part.window - 1) + step[None, :, None, :]
        seen = seen[:, None, :, None] & shown[None, :, None, :]
        index, seen = index.flatten(0, 1).flatten(1, 2), seen.flatten(0, 1).flatten(1, 2)
    return index, seen


def _steps(part: Stretch | Axis) -> tuple[Tensor, Tensor]:
    """Along one axis: place of each pair in the bias, and whether the query sees the key."""
    if isinstance(part, Stretch):
        first, last = (torch.tensor(column, device="cpu")[:, None] for column in (part.first, part.last))
        query = torch.arange(len(part.first), device="cpu")[:, None]
        key = torch.arange(part.keys, device="cpu") + first[0]
        return key - query + part.window - 1, (key >= first) & (key <= last)
    residue, position, first, last = (column.cpu() for column in spans(part))
    shown = (position >= first[:, None]) & (position <= last[:, None]) & (residue == residue[:, None])
    return position - position[:, None] + part.window - 1, shown

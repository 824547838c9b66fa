"""Routed attention of plain tensors in three kernels forward and three backward, with all else worked out before.

The same kernels as those behind the operators that torch sees, without its registry and without repeated checks.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch
from torch import Tensor

from foveate.kernels.routing.problem import BlockGrid
from foveate.kernels.routing.triton_backward import Gradients, invert, prepare_inverse
from foveate.kernels.routing.triton_backward import prepare as prepare_backward
from foveate.kernels.routing.triton_forward import Sparsity
from foveate.kernels.routing.triton_forward import prepare as prepare_forward
from foveate.kernels.routing.triton_launch import Launch, Layout
from foveate.kernels.routing.triton_regions import prepare_means, prepare_route


@dataclass(frozen=True)
class Plan:
    """All that routed attention does for tensors of one layout, whose batch is not empty.

    Args:
        layout: Of query, key and value.
        grid: Regions of the query.
        grid_kv: Regions of the key.
        topk: Key regions of a query region.
        scale: Factor of the scores.
        routing_scale: Factor of the routing's logits.
    """

    layout: Layout
    grid: BlockGrid
    grid_kv: BlockGrid
    topk: int
    scale: float
    routing_scale: float

    @cached_property
    def index_shape(self) -> tuple[int, ...]:
        """Shape of the chosen regions, with an axis for heads."""
        return self.layout.query[0], 1, self.grid.blocks, self.topk

    @cached_property
    def out_shape(self) -> tuple[int, ...]:
        """Shape of the output."""
        return (*self.layout.query[:-1], self.layout.value[-1])

    @cached_property
    def sparsity(self) -> Sparsity:
        """What attends to what."""
        return Sparsity(self.grid, self.grid_kv, self.topk, 1, torch.int32, None, False, self.scale)

    @cached_property
    def means(self) -> tuple[Launch, tuple[int, ...]]:
        """First kernel, and the shape of what it writes."""
        return prepare_means(self.layout, self.grid, self.grid_kv)

    @cached_property
    def route(self) -> Launch:
        """Second kernel."""
        return prepare_route(self.means[1], self.topk, self.routing_scale, False, self.layout.device)

    @cached_property
    def attend(self) -> Launch:
        """Third kernel."""
        return prepare_forward(self.layout, self.sparsity)

    @cached_property
    def is_sorted(self) -> bool:
        """Whether inverting the index takes sorting."""
        return prepare_inverse(self.index_shape, self.grid_kv.blocks, torch.int32, self.layout.device) is None

    @cached_property
    def gradients(self) -> Gradients:
        """Kernels of the backward pass."""
        return prepare_backward(self.layout, self.sparsity, False, self.is_sorted)

    @cached_property
    def gradients_of_both(self) -> Gradients:
        """The same, for a logarithm of the denominator that has a gradient."""
        return prepare_backward(self.layout, self.sparsity, True, self.is_sorted)

    def forward(self, query: Tensor, key: Tensor, value: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Route and attend.

        Args:
            query: As in the layout.
            key: As in the layout.
            value: As in the layout.

        Returns:
            Output, logarithm of the denominator (float32), and chosen regions (batch, 1, query regions, topk), int32.
        """
        device = self.layout.device
        average, shape = self.means
        means = torch.empty(shape, dtype=torch.float32, device=device)
        average(query, key, means)
        index = torch.empty(self.index_shape, dtype=torch.int32, device=device)
        self.route(means, index, means)
        out = torch.empty(self.out_shape, dtype=self.layout.dtype, device=device)
        lse = torch.empty(self.out_shape[:-1], dtype=torch.float32, device=device)
        self.attend(query, key, value, index, index, out, lse)
        return out, lse, index

    def backward(
        self, tensors: tuple[Tensor, ...], grad_out: Tensor, grad_lse: Tensor | None
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Compute gradients.

        Args:
            tensors: Query, key, value, and what ``forward`` returned.
            grad_out: Of the output, contiguous.
            grad_lse: Of the logarithm of the denominator, contiguous, or None.

        Returns:
            Gradients of query, key and value.
        """
        query, key, value, out, lse, index = tensors
        layout = self.layout
        device, dtype = layout.device, layout.dtype
        plan = self.gradients if grad_lse is None else self.gradients_of_both
        seen = lse if plan.seen is None else torch.empty(plan.seen, dtype=torch.int64, device=device)
        grad_q = torch.empty(layout.query, dtype=dtype, device=device)
        rows = torch.empty(plan.rows, dtype=torch.float32, device=device)
        plan.of_query(
            query, key, value, index, index, out, grad_out, lse, lse if grad_lse is None else grad_lse, rows, grad_q,
            seen,
        )  # fmt: skip
        pairs, bounds = invert(index, self.grid_kv.blocks) if plan.seen is None else (seen, None)
        grad_k = torch.empty(layout.key, dtype=dtype, device=device)
        grad_v = torch.empty(layout.value, dtype=dtype, device=device)
        plan.of_key(
            query, key, value, pairs, pairs if bounds is None else bounds, index, grad_out, rows, grad_k, grad_v
        )
        return grad_q, grad_k, grad_v


class Routed(torch.autograd.Function):
    """Routed attention with gradients, for plain tensors: torch's registry takes longer than a small kernel."""

    @staticmethod
    def forward(ctx: Any, query: Tensor, key: Tensor, value: Tensor, plan: Plan) -> tuple[Tensor, Tensor, Tensor]:
        """Route and attend; see ``Plan.forward``."""
        out, lse, index = plan.forward(query, key, value)
        ctx.save_for_backward(query, key, value, out, lse, index)
        ctx.plan = plan
        ctx.set_materialize_grads(False)
        ctx.mark_non_differentiable(index)
        return out, lse, index

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(
        ctx: Any, grad_out: Tensor | None, grad_lse: Tensor | None, _: None
    ) -> tuple[Tensor | None, Tensor | None, Tensor | None, None]:
        """Differentiate; see ``Plan.backward``."""
        if grad_out is None and grad_lse is None:
            return None, None, None, None
        tensors = ctx.saved_tensors
        grad_out = torch.zeros_like(tensors[3]) if grad_out is None else grad_out.contiguous()
        return *ctx.plan.backward(tensors, grad_out, None if grad_lse is None else grad_lse.contiguous()), None

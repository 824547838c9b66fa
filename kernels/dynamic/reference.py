"""Dynamic neighborhoods in plain torch: gather every position's neighborhood, softmax, sum. Slow, readable, right."""

import torch
from torch import Tensor

from foveate.kernels.dynamic.problem import Inputs, window_axes, window_sides
from foveate.kernels.window import neighbors


def forward(inputs: Inputs, small: int, large: int) -> Tensor:
    """Aggregate by gathering; differentiable by autograd as often as wanted.

    Args:
        inputs: The tensors.
        small: Side of the first window.
        large: Side of the second window, or 0.

    Returns:
        Tensor of the value's shape and type.
    """
    sides = window_sides(small, large)
    parts = inputs.logits.split([side**2 for side in sides], dim=2)
    pairs = zip(sides, parts, inputs.value.unbind(1), inputs.tables[: len(sides)], strict=True)
    return torch.stack([_aggregate(*pair) for pair in pairs], dim=1)


def _aggregate(side: int, logits: Tensor, value: Tensor, table: Tensor | None) -> Tensor:
    """Apply one window: logits (batch, groups, side^2, height, width), value (batch, groups, channels, ...)."""
    wide = torch.promote_types(value.dtype, torch.float32)
    height, width = value.shape[-2:]
    rows, columns = (neighbors(axis)[0] for axis in window_axes((height, width), side))
    scores = logits.to(wide).flatten(3)
    if table is not None:
        above = rows - torch.arange(height)[:, None] + side - 1
        beside = columns - torch.arange(width)[:, None] + side - 1
        scores = scores + table.to(wide).flatten(1)[:, _pairs(above, beside, 2 * side - 1).to(table.device)]
    index = _pairs(rows, columns, width).to(value.device)
    gathered = value.to(wide).flatten(3)[..., index]
    out = torch.einsum("bgtn,bgctn->bgcn", scores.softmax(2), gathered)
    return out.unflatten(3, (height, width)).to(value.dtype)


def _pairs(vertical: Tensor, horizontal: Tensor, stride: int) -> Tensor:
    """Join indices (height, side) and (width, side) to flat ones (side^2, height * width)."""
    index = vertical[:, None, :, None] * stride + horizontal[None, :, None, :]
    return index.flatten(2).flatten(0, 1).T

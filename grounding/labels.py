"""Which patches a pointer should look at: binary, centre and Gaussian labels of a box on a grid."""

import torch
from torch import Tensor

PATCH = 28


def _edges(cells: int, patch: float) -> Tensor:
    return torch.arange(cells + 1, dtype=torch.float64) * patch


def _pixels(boxes: Tensor, grid: tuple[int, int], patch: float) -> Tensor:
    """Boxes in pixels of the grid, cut to it; (boxes, 4) float64."""
    boxes = torch.as_tensor(boxes, dtype=torch.float64).reshape(-1, 4)
    size = torch.tensor([grid[0] * patch, grid[1] * patch] * 2, dtype=torch.float64)
    return torch.minimum((boxes * size).clamp(min=0), size)


def binary_labels(boxes: Tensor, grid: tuple[int, int], patch: float = PATCH) -> Tensor:
    """Mark every patch that a box overlaps.

    Args:
        boxes: Left, top, right, bottom in fractions of the picture, (boxes, 4).
        grid: Columns and rows of patches.
        patch: Side of a patch, pixels.

    Returns:
        1 where the overlap has an area, else 0; (boxes, rows * columns) float32, row by row.

    Source: GUI-Actor (arXiv 2506.03143), label_style "all".
    """
    low_x, low_y, high_x, high_y = _pixels(boxes, grid, patch).unbind(1)
    across, down = _edges(grid[0], patch), _edges(grid[1], patch)
    x = (across[1:] > low_x[:, None]) & (across[:-1] < high_x[:, None])
    y = (down[1:] > low_y[:, None]) & (down[:-1] < high_y[:, None])
    return (y[:, :, None] & x[:, None, :]).flatten(1).float()


def center_labels(boxes: Tensor, grid: tuple[int, int], patch: float = PATCH) -> Tensor:
    """Mark the one patch that holds a box's centre; arguments and shape as in ``binary_labels``.

    Source: V2P (arXiv 2508.13634), label_style "center"; patches are half-open.
    """
    pixels = _pixels(boxes, grid, patch)
    x = ((pixels[:, 0] + pixels[:, 2]) / 2 / patch).floor().clamp(max=grid[0] - 1).long()
    y = ((pixels[:, 1] + pixels[:, 3]) / 2 / patch).floor().clamp(max=grid[1] - 1).long()
    labels = torch.zeros(len(pixels), grid[0] * grid[1])
    return labels.scatter_(1, (y * grid[0] + x)[:, None], 1.0)


def gaussian_labels(boxes: Tensor, grid: tuple[int, int], sigma_factor: float = 1.0, patch: float = PATCH) -> Tensor:
    """Give each patch the mass that a Gaussian at the box's centre has in the patch's part of the box.

    Args:
        boxes: Left, top, right, bottom in fractions of the picture, (boxes, 4).
        grid: Columns and rows of patches.
        sigma_factor: Side of the box over sigma, above 0; the authors' scripts train with 1, their default is 4.1325.
        patch: Side of a patch, pixels.

    Returns:
        Mass, 0 to 1, not normalised; (boxes, rows * columns) float32. A box without area gets a centre label, where
        the authors' code divides by zero.

    Source: V2P (arXiv 2508.13634), Fitts-Gaussian labels.
    """
    if sigma_factor <= 0:
        raise ValueError(f"sigma_factor must be above 0, got {sigma_factor}")
    pixels = _pixels(boxes, grid, patch)
    masses = []
    for low, high, cells in ((pixels[:, 1], pixels[:, 3], grid[1]), (pixels[:, 0], pixels[:, 2], grid[0])):
        sigma = ((high - low) / sigma_factor).clamp(min=1e-9)[:, None]
        edges = torch.minimum(torch.maximum(_edges(cells, patch), low[:, None]), high[:, None])
        masses.append(torch.special.ndtr((edges - ((low + high) / 2)[:, None]) / sigma).diff(dim=1))
    labels = (masses[0][:, :, None] * masses[1][:, None, :]).flatten(1).float()
    empty = (pixels[:, 2] <= pixels[:, 0]) | (pixels[:, 3] <= pixels[:, 1])
    return torch.where(empty[:, None], center_labels(boxes, grid, patch), labels)

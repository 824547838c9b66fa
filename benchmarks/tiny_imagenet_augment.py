"""Augmentations for batches on the GPU: crops, one random change a picture, erased boxes, mixed pictures and labels."""

import math
from collections.abc import Callable
from functools import lru_cache

import torch
import torch.nn.functional as F
from torch import Tensor

MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


@lru_cache
def _channels(values: tuple[float, ...], device: torch.device) -> Tensor:
    """Put a number a channel on the device once: copying it in every step would wait for the GPU."""
    return torch.tensor(values, device=device)[:, None, None]


def normalize(x: Tensor) -> Tensor:
    """Take ImageNet's mean off pictures in [0, 1], (batch, 3, height, width), and divide by its deviation."""
    return ((x - _channels(MEAN, x.device)) / _channels(STD, x.device)).contiguous(memory_format=torch.channels_last)


def plain(pictures: Tensor, size: int) -> Tensor:
    """Enlarge uint8 pictures (batch, 3, height, width) to ``size`` and normalize, as measuring does."""
    x = pictures.float() / 255
    if x.shape[-1] != size or x.shape[-2] != size:
        x = F.interpolate(x, size=(size, size), mode="bilinear", antialias=True, align_corners=False)
    return normalize(x)


def _uniform(count: int, low: float, high: float, device: torch.device) -> Tensor:
    return torch.empty(count, device=device).uniform_(low, high)


def _signed(count: int, low: float, high: float, device: torch.device) -> Tensor:
    return _uniform(count, low, high, device) * (torch.randint(0, 2, (count,), device=device) * 2 - 1)


def _gray(x: Tensor) -> Tensor:
    return (x * _channels((0.299, 0.587, 0.114), x.device)).sum(1, keepdim=True)


def _blend(x: Tensor, other: Tensor) -> Tensor:
    """Move pictures away from or towards others by a random factor in 0.1 to 1.9."""
    factor = (1 + _signed(len(x), 0.0, 0.9, x.device))[:, None, None, None]
    return (other + factor * (x - other)).clamp(0, 1)


def _brightness(x: Tensor) -> Tensor:
    return _blend(x, torch.zeros_like(x))


def _contrast(x: Tensor) -> Tensor:
    return _blend(x, _gray(x).mean((2, 3), keepdim=True))


def _saturation(x: Tensor) -> Tensor:
    return _blend(x, _gray(x))


def _sharpness(x: Tensor) -> Tensor:
    return _blend(x, F.avg_pool2d(F.pad(x, (1, 1, 1, 1), mode="replicate"), 3, 1))


def _posterize(x: Tensor) -> Tensor:
    levels = 2.0 ** torch.randint(2, 8, (len(x), 1, 1, 1), device=x.device)
    return (x * levels).floor().div(levels).clamp(0, 1)


def _solarize(x: Tensor) -> Tensor:
    return torch.where(x > _uniform(len(x), 0.0, 1.0, x.device)[:, None, None, None], 1 - x, x)


def _autocontrast(x: Tensor) -> Tensor:
    low, high = x.amin((2, 3), keepdim=True), x.amax((2, 3), keepdim=True)
    return (x - low) / (high - low).clamp(min=1 / 255)


COLORS: tuple[Callable[[Tensor], Tensor], ...] = (
    _brightness, _contrast, _saturation, _sharpness, _posterize, _solarize, _autocontrast,
)  # fmt: skip
# Largest shears as ratios, turns in radians, shifts in half sides.
GEOMETRY = {"shear_x": 0.6, "shear_y": 0.6, "turn": math.radians(60), "shift_x": 0.4, "shift_y": 0.4}
KINDS = 1 + len(COLORS) + len(GEOMETRY)


def change_colors(x: Tensor) -> Tensor:
    """Change the colours of a part of a batch, pictures in [0, 1]; a batch is in random order, so its parts are too.

    Source: Müller and Hutter, "TrivialAugment", 2021: one operation of random strength a picture. Equalizing is left
    out, and the other parts of the batch are for `transforms`.
    """
    parts = list(x.tensor_split(KINDS))
    for place, change in enumerate(COLORS):
        if len(parts[place]):
            parts[place] = change(parts[place])
    return torch.cat(parts)


def transforms(count: int, scale: tuple[float, float], change: bool, device: torch.device) -> Tensor:
    """Draw one affine map a picture: random resized crop, mirror, and for some parts a shear, turn or shift.

    Args:
        count: Pictures.
        scale: Smallest and largest part of the area that a crop takes.
        change: Whether parts of the batch are sheared, turned or shifted.
        device: Of the result.

    Returns:
        (count, 2, 3), for `torch.nn.functional.affine_grid`.
    """
    area = _uniform(count, *scale, device)
    ratio = _uniform(count, math.log(3 / 4), math.log(4 / 3), device).exp()
    width, height = (area * ratio).sqrt().clamp(max=1), (area / ratio).sqrt().clamp(max=1)
    theta = torch.zeros(count, 3, 3, device=device)
    theta[:, 0, 0] = width * (torch.randint(0, 2, (count,), device=device) * 2 - 1)
    theta[:, 1, 1] = height
    theta[:, 0, 2] = _uniform(count, -1, 1, device) * (1 - width)
    theta[:, 1, 2] = _uniform(count, -1, 1, device) * (1 - height)
    theta[:, 2, 2] = 1
    if not change:
        return theta[:, :2]
    warp = torch.eye(3, device=device).repeat(count, 1, 1)
    # The parts after those that `change_colors` takes.
    for place, part in enumerate(warp.tensor_split(KINDS)[len(COLORS) : len(COLORS) + len(GEOMETRY)]):
        _warp(part, list(GEOMETRY)[place])
    return (warp @ theta)[:, :2]


def _warp(part: Tensor, kind: str) -> None:
    amount = _signed(len(part), 0.0, GEOMETRY[kind], part.device)
    if kind == "turn":
        part[:, 0, 0] = part[:, 1, 1] = amount.cos()
        part[:, 0, 1], part[:, 1, 0] = -amount.sin(), amount.sin()
    elif kind.startswith("shear"):
        row = 0 if kind == "shear_x" else 1
        part[:, row, 1 - row] = amount
    else:
        part[:, 0 if kind == "shift_x" else 1, 2] = amount


def boxes(area: Tensor, height: int, width: int) -> Tensor:
    """Draw one box a picture.

    Args:
        area: Part of the picture that a box covers, (batch,).
        height: Of the pictures.
        width: Of the pictures.

    Returns:
        Whether each pixel lies in its picture's box, (batch, 1, height, width). Boxes are cut off at the border.
    """
    count, device = len(area), area.device
    ratio = _uniform(count, math.log(1 / 2), math.log(2), device).exp()
    half_x, half_y = (area * ratio).sqrt() * width / 2, (area / ratio).sqrt() * height / 2
    center_x, center_y = _uniform(count, 0, width, device), _uniform(count, 0, height, device)
    columns, rows = torch.arange(width, device=device) + 0.5, torch.arange(height, device=device) + 0.5
    inside_x = (columns[None] - center_x[:, None]).abs() <= half_x[:, None]
    inside_y = (rows[None] - center_y[:, None]).abs() <= half_y[:, None]
    return (inside_y[:, :, None] & inside_x[:, None, :])[:, None]


def augment(pictures: Tensor, size: int, scale: tuple[float, float], change: bool, erase: float) -> Tensor:
    """Draw one random view a picture.

    Args:
        pictures: uint8 (batch, 3, height, width), in random order.
        size: Height and width of the views.
        scale: Smallest and largest part of the area that a crop takes.
        change: Whether each picture's colours or shape change too.
        erase: Probability that a box is painted over.

    Returns:
        Normalized views (batch, 3, size, size), float32.
    """
    x = pictures.float() / 255
    if change:
        x = change_colors(x)
    theta = transforms(len(x), scale, change, x.device)
    grid = F.affine_grid(theta, [len(x), 3, size, size], align_corners=False)
    x = normalize(F.grid_sample(x, grid, mode="bilinear", padding_mode="reflection", align_corners=False))
    if erase > 0:
        count = len(x)
        mask = boxes(_uniform(count, 0.02, 1 / 3, x.device), size, size)
        mask &= (torch.rand(count, device=x.device) < erase)[:, None, None, None]
        x = torch.where(mask, torch.randn(count, 3, 1, 1, device=x.device), x)
    return x.contiguous(memory_format=torch.channels_last)


def mix(x: Tensor, targets: Tensor, mixup: float, cutmix: float, probability: float) -> tuple[Tensor, Tensor]:
    """Mix pictures with others of the batch; each is blended, or gets another's box, half and half, or stays.

    Args:
        x: Views (batch, 3, height, width).
        targets: Probabilities of classes (batch, classes).
        mixup: Alpha of the beta distribution of blends; 0 for none.
        cutmix: Alpha of that of boxes; 0 for none.
        probability: That a picture is mixed.

    Returns:
        Views and targets.

    Source: Zhang et al., "mixup", 2018; Yun et al., "CutMix", 2019. Both within one batch, chosen for each picture.
    """
    if probability <= 0 or (mixup <= 0 and cutmix <= 0):
        return x, targets
    count, device = len(x), x.device
    own = torch.ones(count, 1, *x.shape[2:], device=device)
    chosen = torch.rand(count, device=device)
    share = 1.0 if mixup <= 0 else 0.0 if cutmix <= 0 else 0.5
    if cutmix > 0:
        area = 1 - _beta(cutmix, count, device)
        cut = boxes(area, *x.shape[2:]) & (chosen < share * probability)[:, None, None, None]
        own = own.masked_fill(cut, 0)
    if mixup > 0:
        blended = (chosen >= share * probability) & (chosen < probability)
        own = torch.where(blended[:, None, None, None], _beta(mixup, count, device)[:, None, None, None], own)
    other = torch.randperm(count, device=device)
    part = own.mean((1, 2, 3))[:, None]
    mixed = (x * own + x[other] * (1 - own)).contiguous(memory_format=torch.channels_last)
    return mixed, targets * part + targets[other] * (1 - part)


def _beta(alpha: float, count: int, device: torch.device) -> Tensor:
    concentration = torch.full((count,), alpha, device=device)
    return torch.distributions.Beta(concentration, concentration, validate_args=False).sample()

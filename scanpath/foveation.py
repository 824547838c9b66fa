"""What an eye perceives: sharp where it rests and rested, blurred elsewhere (NeVA's retina)."""

from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

__all__ = ["Foveation", "blur", "fovea"]


def blur(picture: Tensor, size: int, sigma: float) -> Tensor:
    """Blur with a Gaussian, rows and columns one after the other.

    Args:
        picture: (batch, channels, height, width).
        size: Side of the kernel, pixels; odd.
        sigma: Standard deviation, pixels.

    Returns:
        Of the same shape; the border is reflected.

    Raises:
        ValueError: ``size`` is even or reaches over the picture, or ``sigma`` is not above 0.
    """
    if size < 1 or size % 2 == 0 or size // 2 >= min(picture.shape[-2:]):
        raise ValueError(
            f"size must be odd and at most twice the shorter side of the picture, got {size} for "
            f"{picture.shape[-1]}x{picture.shape[-2]} pixels"
        )
    if not sigma > 0:
        raise ValueError(f"sigma must be above 0 pixels, got {sigma}")
    half, channels = size // 2, picture.shape[1]
    steps = torch.arange(size, device=picture.device, dtype=torch.float32) - half
    weight = torch.exp(-steps.square() / (2 * sigma**2))
    weight = (weight / weight.sum()).to(picture.dtype).expand(channels, 1, size)
    padded = F.pad(picture, (half, half, half, half), mode="reflect")
    rows = F.conv2d(padded, weight[:, :, None, :], groups=channels)
    return F.conv2d(rows, weight[:, :, :, None], groups=channels)


def fovea(points: Tensor, shape: Sequence[int], sigma: float) -> Tensor:
    """Say how sharply every place is seen from a fixation.

    Args:
        points: (batch, 2): row and column, -1 at the first pixel and 1 at the last.
        shape: Height and width of the picture, pixels.
        sigma: Falls to 1/e at the root of this distance, in half sides of the picture.

    Returns:
        (batch, 1, height, width), 0 to 1.

    Source: NeVA (arXiv 2204.09404); the exponent is divided by sigma, not by twice its square.
    """
    rows, columns = _profiles(points, shape, sigma)
    return (rows[:, :, None] * columns[:, None, :])[:, None]


def _profiles(points: Tensor, shape: Sequence[int], sigma: float) -> tuple[Tensor, Tensor]:
    """Split the mask, which is a product, into what depends on rows and on columns."""
    found = []
    for axis, length in enumerate(shape):
        places = torch.linspace(-1, 1, length, device=points.device, dtype=points.dtype)
        found.append(torch.exp(-(places - points[:, axis, None]).square() / sigma))
    return found[0], found[1]


def _inside(bounds: Tensor, shape: Sequence[int]) -> Tensor:
    """Mark the pixels within bounds (batch, 2) by 1, others by 0: (batch, 1, height, width)."""
    found = []
    for axis, length in enumerate(shape):
        places = torch.linspace(-1, 1, length, device=bounds.device, dtype=bounds.dtype)
        found.append((places.abs() <= bounds[:, axis, None] + 0.5 / max(length - 1, 1)).to(bounds.dtype))
    return (found[0][:, :, None] * found[1][:, None, :])[:, None]


class _Perceive(torch.autograd.Function):
    """Mix sharp and blurred in one pass; the gradient of the fixation is two sums, and no mask is kept for it."""

    @staticmethod
    def forward(ctx: Any, points: Tensor, sharp: Tensor, change: Tensor, memory: Tensor, sigma: float) -> Tensor:
        rows, columns = _profiles(points, sharp.shape[-2:], sigma)
        ctx.save_for_backward(points, change, memory, rows, columns)
        ctx.sigma = sigma
        unseen = (1 - memory[:, 0] - rows[:, :, None] * columns[:, None, :]).clamp_(0, 1)
        return torch.addcmul(sharp, change, unseen[:, None].to(change.dtype))

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None, None, None, None]:
        points, change, memory, rows, columns = ctx.saved_tensors
        mask = rows[:, :, None] * columns[:, None, :]
        unseen = 1 - memory[:, 0] - mask
        # Where all is seen, or nothing, a small step of the eye changes nothing.
        moving = (unseen >= 0) & (unseen <= 1)
        pull = (gradient * change).sum(1).to(points.dtype) * mask * moving
        steps = []
        for axis, length in enumerate(mask.shape[1:]):
            places = torch.linspace(-1, 1, length, device=points.device, dtype=points.dtype)
            weight = 2 * (places - points[:, axis, None]) / ctx.sigma
            steps.append(-(pull.sum(2 - axis) * weight).sum(1))
        return torch.stack(steps, 1), None, None, None, None


class Foveation:
    """A batch of pictures and what has been seen of them.

    The blurred pictures are made once: a step of the eye only mixes.

    Args:
        pictures: (batch, channels, height, width), as the task model takes them.
        sigma: Of the fovea, see ``fovea``.
        blur_size: Side of the kernel that blurs, pixels; odd.
        blur_sigma: Standard deviation of that kernel, pixels.
        forgetting: What remains of the seen after each fixation, 0 to 1.
        bounds: (batch, 2): largest row and column, 0 to 1, that are no padding; None where there is none. Padding stays
            as it is, and is not mixed into the picture: the eye would be drawn to the edge between them.
    """

    def __init__(
        self,
        pictures: Tensor,
        sigma: float = 0.2,
        blur_size: int = 41,
        blur_sigma: float = 10.0,
        forgetting: float = 0.0,
        bounds: Tensor | None = None,
    ) -> None:
        self.sharp, self.sigma, self.forgetting = pictures, sigma, forgetting
        if bounds is None:
            self.change = blur(pictures, blur_size, blur_sigma) - pictures
        else:
            inside = _inside(bounds.to(pictures), pictures.shape[-2:])
            weight = blur(inside, blur_size, blur_sigma).clamp_min(1e-6)
            self.change = (blur(pictures * inside, blur_size, blur_sigma) / weight - pictures) * inside
        self.memory = torch.zeros(len(pictures), 1, *pictures.shape[-2:], device=pictures.device)

    def perceive(self, points: Tensor, which: Tensor | None = None) -> Tensor:
        """Return what is perceived from fixations, differentiable with respect to them.

        Args:
            points: (n, 2): row and column.
            which: (n,) number of the picture that each looks at, of the same one many times or of none; None for one
                fixation on each picture.

        Returns:
            (n, channels, height, width).
        """
        sharp, change, memory = self.sharp, self.change, self.memory
        if which is not None:
            sharp, change, memory = sharp[which], change[which], memory[which]
        return _Perceive.apply(points, sharp, change, memory, self.sigma)

    def remember(self, points: Tensor) -> None:
        """Keep what the fixations (batch, 2) have shown."""
        self.memory = self.forgetting * self.memory + fovea(points, self.sharp.shape[-2:], self.sigma)

"""NeVA and NevaClip: look where looking helps a task model most, one fixation after the other, by gradient."""

from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass

import torch
from PIL import Image
from torch import Tensor

from foveate.scanpath.fixations import Scanpath
from foveate.scanpath.foveation import Foveation
from foveate.scanpath.frames import Frame, crop_to_square, fit_into_square
from foveate.scanpath.task_models import TaskModel

__all__ = ["NeVA", "NevaSettings", "Search", "search_fixations"]


@dataclass(frozen=True)
class NevaSettings:
    """Numbers of the algorithm; the defaults are those of NevaClip.

    Args:
        steps: Steps of the optimisation for each fixation.
        learning_rate: Length of a step along each axis, in half sides of the picture.
        sigma: Of the fovea, see ``foveation.fovea``.
        blur_size: Side of the kernel that blurs, pixels of the task model's input; odd.
        blur_sigma: Its standard deviation, pixels.
        forgetting: What remains of the seen after each fixation, 0 to 1.
        random_restarts: Whether a step that helped nothing is followed by one from a random place, and not from nearby.
        published: Whether to keep the published file's ways: the place stored is one step past the best one, places
            may leave the picture, and the margins of pictures that are not square are never seen.
    """

    steps: int = 20
    learning_rate: float = 0.1
    sigma: float = 0.2
    blur_size: int = 41
    blur_sigma: float = 10.0
    forgetting: float = 0.0
    random_restarts: bool = True
    published: bool = False


@dataclass(frozen=True, eq=False)
class Search:
    """What the optimisation found.

    Args:
        points: (batch, fixations, 2): row and column, -1 at the first pixel of the input and 1 at the last.
        losses: (batch, fixations): the task's loss at the best place.
        memory: (batch, 1, height, width): what was seen in the end.
    """

    points: Tensor
    losses: Tensor
    memory: Tensor


def search_fixations(
    loss_of: Callable[[Tensor], Tensor],
    pictures: Tensor,
    count: int,
    settings: NevaSettings,
    draw: Callable[[int], Tensor],
    bounds: Tensor | None = None,
) -> Search:
    """Find fixations that lower a loss.

    Args:
        loss_of: Maps perceived pictures (batch, 3, height, width) to a loss for each, (batch,).
        pictures: (batch, 3, height, width), normalised as the task model wants them.
        count: Fixations.
        settings: Numbers of the algorithm.
        draw: Returns so many pairs of uniform numbers, (n, 2), at least 0 and below 1.
        bounds: (batch, 2): largest row and column, between 0 and 1, that fixations may have; None for all of the input.

    Returns:
        Fixations, their losses and what was seen.

    Source:
        Schwinn et al., "Behind the machine's gaze" (NeVA), and Zanca et al., "Contrastive language-image pretrained
        models are zero-shot human scanpath predictors" (NevaClip). Deviations: see ``NevaSettings.published``.
    """
    eye = Foveation(pictures, settings.sigma, settings.blur_size, settings.blur_sigma, settings.forgetting)
    limits = torch.ones(len(pictures), 2, device=pictures.device) if bounds is None else bounds.to(pictures.device)
    points, losses = [], []
    for _ in range(count):
        best, loss = _next_fixation(loss_of, eye, settings, draw, limits)
        eye.remember(best)
        points.append(best)
        losses.append(loss)
    return Search(torch.stack(points, 1), torch.stack(losses, 1), eye.memory)


def _next_fixation(
    loss_of: Callable[[Tensor], Tensor],
    eye: Foveation,
    settings: NevaSettings,
    draw: Callable[[int], Tensor],
    limits: Tensor,
) -> tuple[Tensor, Tensor]:
    """Search one fixation by steps along the sign of the gradient."""
    place = torch.zeros_like(limits)
    best, lowest = place.clone(), torch.full((len(place),), torch.inf, device=place.device)
    for _ in range(settings.steps):
        asked = place.clone().requires_grad_()
        with torch.enable_grad():
            loss = loss_of(eye.perceive(asked)).float()
            (gradient,) = torch.autograd.grad(loss.mean(), asked)
        place = place - settings.learning_rate * gradient.sign()
        improved = loss.detach() < lowest
        lowest = torch.where(improved, loss.detach(), lowest)
        best = torch.where(improved[:, None], place if settings.published else asked.detach(), best)
        failed = (~improved).nonzero().flatten()
        if len(failed):
            numbers = draw(len(failed)).to(place)
            if settings.random_restarts:
                span = 1 if settings.published else limits[failed]
                place[failed] = (2 * numbers - 1) * span
            else:
                place[failed] = place[failed] + (numbers - 0.5) * settings.learning_rate
        if not settings.published:
            place = torch.minimum(torch.maximum(place, -limits), limits)
    return best, lowest


class NeVA:
    """Scanpaths of a task model: a classifier that confirms its first impression, or a text that is looked for.

    Args:
        task: The task model.
        settings: Numbers of the algorithm.
        name: What its paths are signed with.
        batch_size: Pictures that are optimised at once.
        mixed_precision: Whether the task model runs in half precision on a GPU.
    """

    def __init__(
        self,
        task: TaskModel,
        settings: NevaSettings | None = None,
        name: str = "neva",
        batch_size: int = 16,
        mixed_precision: bool = True,
    ) -> None:
        self.task, self.settings, self.name = task, settings or NevaSettings(), name
        self.batch_size, self.mixed_precision = batch_size, mixed_precision

    @property
    def trained(self) -> bool:
        """Whether the task model has learned anything."""
        return self.task.trained

    def __call__(self, image: Image.Image, *, count: int = 10, task: str = "", seed: int = 0) -> Scanpath:
        """Look at a picture; see ``batch``."""
        return self.batch([image], count=count, tasks=[task], seed=seed)[0]

    def batch(
        self,
        images: Sequence[Image.Image],
        *,
        count: int = 10,
        tasks: Sequence[str] | None = None,
        seed: int = 0,
    ) -> list[Scanpath]:
        """Look at pictures.

        Args:
            images: RGB, of any size and aspect.
            count: Fixations of each path, at least 1.
            tasks: What to look for in each, where the task model reads text; "" for free viewing.
            seed: Of the random restarts; a path depends on it and on the pictures of its batch.

        Returns:
            Paths in pixels of the pictures, without durations: the algorithm knows no time.

        Raises:
            ValueError: ``count`` is below 1, there are as many tasks as pictures, or the task model reads no text.
        """
        if count < 1:
            raise ValueError(f"count must be at least 1 fixation, got {count}")
        words = [""] * len(images) if tasks is None else list(tasks)
        if len(words) != len(images):
            raise ValueError(f"there must be a task for every picture, got {len(words)} for {len(images)}")
        paths: list[Scanpath] = []
        for start in range(0, len(images), self.batch_size):
            chunk = slice(start, start + self.batch_size)
            paths += self._look(list(images[chunk]), words[chunk], count, seed)
        return paths

    def _look(self, images: list[Image.Image], words: list[str], count: int, seed: int) -> list[Scanpath]:
        task, side = self.task, self.task.input_size
        place = crop_to_square if self.settings.published else fit_into_square
        frames: list[Frame] = [place(image, side, task.fill) for image in images]
        pictures = task.normalize(torch.stack([frame.pixels for frame in frames]))
        generator = torch.Generator().manual_seed(seed)
        half = torch.autocast("cuda") if self.mixed_precision and pictures.is_cuda else nullcontext()
        with torch.no_grad(), half:
            target = task.target(pictures, words)
            bounds = torch.tensor([frame.bounds for frame in frames])
            found = search_fixations(
                lambda seen: task.loss(seen, target),
                pictures,
                count,
                self.settings,
                lambda n: torch.rand(n, 2, generator=generator),
                bounds,
            )
        paths = []
        for image, frame, points, text in zip(images, frames, found.points.cpu(), words, strict=True):
            x, y = frame.to_pixels(points)
            path = Scanpath(x.numpy(), y.numpy(), image.size, task=text, observer=self.name, trained=self.trained)
            paths.append(path if self.settings.published else path.clipped())
        return paths

"""NeVA and NevaClip: look where looking helps a task model most, one fixation after the other, by gradient."""

from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor

from foveate.scanpath.fixations import Scanpath
from foveate.scanpath.foveation import Foveation
from foveate.scanpath.frames import Frame, crop_to_square, fit_into_square
from foveate.scanpath.task_models import TaskModel

__all__ = ["NeVA", "NevaSettings", "Search", "search_fixations"]

LossOf = Callable[[Tensor, Tensor], Tensor]
Draw = Callable[[Tensor], Tensor]
# Perceived pictures that the task model sees at once when restarts are tried: on a CPU, few stay in its caches.
_VIEWS, _VIEWS_CPU = 256, 16


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
            may leave the picture, the margins of pictures that are not square are never seen, and pictures of a batch
            share the random numbers.
    """

    steps: int = 20
    learning_rate: float = 0.1
    sigma: float = 0.2
    blur_size: int = 41
    blur_sigma: float = 10.0
    forgetting: float = 0.0
    random_restarts: bool = True
    published: bool = False

    @classmethod
    def free_viewing(cls, side: int) -> "NevaSettings":
        """Return numbers for ``Reconstruction``, chosen on one half of OSIE; see ``benchmarks/neva.md``.

        A fovea half as wide as NevaClip's, and half of what was seen remains.

        Args:
            side: Of the task model's input, pixels; the blur of NevaClip, made for 224, is scaled to it.
        """
        return cls(sigma=0.05, forgetting=0.5, blur_size=2 * round(20 * side / 224) + 1, blur_sigma=10 * side / 224)


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
    loss_of: LossOf,
    pictures: Tensor,
    count: int,
    settings: NevaSettings,
    draw: Draw,
    bounds: Tensor | None = None,
) -> Search:
    """Find fixations that lower a loss.

    Args:
        loss_of: Maps perceived pictures (n, 3, height, width), and the numbers (n,) within the batch of the pictures
            that they show, to a loss for each, (n,).
        pictures: (batch, 3, height, width), normalised as the task model wants them.
        count: Fixations.
        settings: Numbers of the algorithm.
        draw: Returns two uniform numbers, at least 0 and below 1, for each of the numbers (n,) of pictures, (n, 2).
        bounds: (batch, 2): largest row and column, between 0 and 1, that fixations may have; None for all of the input.

    Returns:
        Fixations, their losses and what was seen.

    Source:
        Schwinn et al., "Behind the machine's gaze" (NeVA), and Zanca et al., "Contrastive language-image pretrained
        models are zero-shot human scanpath predictors" (NevaClip). Deviations: see ``NevaSettings.published``.
    """
    padding = None if settings.published else bounds
    eye = Foveation(pictures, settings.sigma, settings.blur_size, settings.blur_sigma, settings.forgetting, padding)
    limits = torch.ones(len(pictures), 2, device=pictures.device) if bounds is None else bounds.to(pictures.device)
    # The published file draws only when a step fails, and for all pictures from one source.
    ahead = settings.random_restarts and not settings.published
    search = _search_ahead if ahead else _search_in_turn
    points, losses = [], []
    for _ in range(count):
        best, loss = search(loss_of, eye, settings, draw, limits)
        eye.remember(best)
        points.append(best)
        losses.append(loss)
    return Search(torch.stack(points, 1), torch.stack(losses, 1), eye.memory)


def _search_in_turn(
    loss_of: LossOf, eye: Foveation, settings: NevaSettings, draw: Draw, limits: Tensor
) -> tuple[Tensor, Tensor]:
    """Search one fixation by steps along the sign of the gradient, one after the other."""
    place, everything = torch.zeros_like(limits), torch.arange(len(limits), device=limits.device)
    best, lowest = place.clone(), torch.full((len(place),), torch.inf, device=place.device)
    for _ in range(settings.steps):
        asked = place.clone().requires_grad_()
        with torch.enable_grad():
            loss = loss_of(eye.perceive(asked), everything).float()
            (gradient,) = torch.autograd.grad(loss.mean(), asked)
        place = place - settings.learning_rate * gradient.sign()
        improved = loss.detach() < lowest
        lowest = torch.where(improved, loss.detach(), lowest)
        best = torch.where(improved[:, None], place if settings.published else asked.detach(), best)
        failed = (~improved).nonzero().flatten()
        if len(failed):
            numbers = draw(failed).to(place)
            if settings.random_restarts:
                place[failed] = 2 * numbers - 1
            else:
                place[failed] = place[failed] + (numbers - 0.5) * settings.learning_rate
        if not settings.published:
            place = _within(place, limits)
    return best, lowest


def _search_ahead(
    loss_of: LossOf, eye: Foveation, settings: NevaSettings, draw: Draw, limits: Tensor
) -> tuple[Tensor, Tensor]:
    """Search one fixation with the same steps, those at restarts all at once.

    Where a restart leads does not depend on what was seen before, and one that improves nothing needs no gradient: only
    improvements and the steps that follow them have to wait for each other.
    """
    everything = torch.arange(len(limits), device=limits.device)
    # The first step improves on nothing, and the second follows its gradient.
    spare = max(settings.steps - 2, 0)
    places = torch.stack([*((2 * draw(everything).to(limits) - 1) * limits for _ in range(spare)), limits], 1)
    with torch.no_grad():
        foreseen = _losses(loss_of, eye, places[:, :spare])
    # A restart that always pays ends each row; nobody has a step left when it is reached.
    foreseen = F.pad(foreseen, (0, 1), value=-torch.inf)
    order = torch.arange(spare + 1, device=limits.device)
    place, used, left = torch.zeros_like(limits), torch.zeros_like(everything), everything * 0 + settings.steps
    best, lowest = place.clone(), torch.full((len(place),), torch.inf, device=place.device)
    while len(going := (left > 0).nonzero().flatten()):
        asked = place[going].requires_grad_()
        with torch.enable_grad():
            loss = loss_of(eye.perceive(asked, going), going).float()
            total = loss.sum()
        left[going] -= 1
        improved = loss < lowest[going]
        better, failed = going[improved], going[~improved]
        if len(better):
            (gradient,) = torch.autograd.grad(total, asked)
            lowest[better], best[better] = loss.detach()[improved], place[better]
            place[better] = _within(place[better] - settings.learning_rate * gradient[improved].sign(), limits[better])
        if len(failed):
            pays = (foreseen[failed] < lowest[failed, None]) & (order >= used[failed, None])
            following = torch.where(pays, order, spare).amin(1)
            left[failed] -= following - used[failed]
            used[failed], place[failed] = following + 1, places[failed, following]
    return best, lowest


def _losses(loss_of: LossOf, eye: Foveation, places: Tensor) -> Tensor:
    """Work out the losses at places (batch, n, 2): (batch, n)."""
    batch, each = places.shape[:2]
    if not each:
        return places.new_zeros(batch, 0)
    which = torch.arange(batch, device=places.device).repeat_interleave(each)
    views = _VIEWS_CPU if places.device.type == "cpu" else _VIEWS
    parts = zip(places.flatten(0, 1).split(views), which.split(views), strict=True)
    found = [loss_of(eye.perceive(points, numbers), numbers).float() for points, numbers in parts]
    return torch.cat(found).view(batch, each)


def _within(places: Tensor, limits: Tensor) -> Tensor:
    return torch.minimum(torch.maximum(places, -limits), limits)


class NeVA:
    """Scanpaths of a task: to confirm a class, to bring back what a sharp picture looks like, or to find a text.

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
        seed: int | Sequence[int] = 0,
    ) -> list[Scanpath]:
        """Look at pictures.

        Args:
            images: RGB, of any size and aspect.
            count: Fixations of each path, at least 1.
            tasks: What to look for in each, where the task model reads text; "" for free viewing.
            seed: Of the random restarts, for all pictures or for each. A path does not depend on the other pictures;
                with ``published`` settings it does, and the first seed of a batch counts.

        Returns:
            Paths in pixels of the pictures, without durations: the algorithm knows no time.

        Raises:
            TypeError: A picture is no PIL image.
            ValueError: ``count`` is below 1, there are not as many tasks or seeds as pictures, or the task model reads
                no text.
        """
        if count < 1:
            raise ValueError(f"count must be at least 1 fixation, got {count}")
        for number, image in enumerate(images):
            if not isinstance(image, Image.Image):
                raise TypeError(
                    f"picture {number} must be a PIL image, got {type(image).__name__}: open it with vision.load_image"
                )
        words = [""] * len(images) if tasks is None else list(tasks)
        if len(words) != len(images):
            raise ValueError(f"there must be a task for every picture, got {len(words)} for {len(images)}")
        seeds = list(seed) if isinstance(seed, Sequence) else [seed] * len(images)
        if len(seeds) != len(images):
            raise ValueError(f"there must be one seed or one for every picture, got {len(seeds)} for {len(images)}")
        paths: list[Scanpath] = []
        for start in range(0, len(images), self.batch_size):
            chunk = slice(start, start + self.batch_size)
            paths += self._look(list(images[chunk]), words[chunk], count, seeds[chunk])
        return paths

    def _look(self, images: list[Image.Image], words: list[str], count: int, seeds: list[int]) -> list[Scanpath]:
        task, side = self.task, self.task.input_size
        place = crop_to_square if self.settings.published else fit_into_square
        frames: list[Frame] = [place(image, side, task.fill) for image in images]
        pictures = task.normalize(torch.stack([frame.pixels for frame in frames]))
        half = torch.autocast("cuda") if self.mixed_precision and pictures.is_cuda else nullcontext()
        with torch.no_grad(), half:
            target = task.target(pictures, words)
            bounds = torch.tensor([frame.bounds for frame in frames])
            found = search_fixations(
                lambda seen, which: task.loss(seen, target[which]),
                pictures,
                count,
                self.settings,
                _source_of_numbers(seeds, shared=self.settings.published),
                bounds,
            )
        paths = []
        for image, frame, points, text in zip(images, frames, found.points.cpu(), words, strict=True):
            x, y = frame.to_pixels(points)
            path = Scanpath(x.numpy(), y.numpy(), image.size, task=text, observer=self.name, trained=self.trained)
            paths.append(path if self.settings.published else path.clipped())
        return paths


def _source_of_numbers(seeds: list[int], shared: bool) -> Draw:
    """Return what draws; unless it is shared, what a picture gets depends on no other picture."""
    generators = [torch.Generator().manual_seed(seed) for seed in seeds]

    def draw(which: Tensor) -> Tensor:
        if shared:
            return torch.rand(len(which), 2, generator=generators[0])
        return torch.stack([torch.rand(2, generator=generators[i]) for i in which.tolist()])

    return draw

"""OAT as a scanpath model: a picture, its objects, and which of them is looked for."""

import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from PIL import Image

from foveate.errors import counted
from foveate.scanpath.fixations import Scanpath
from foveate.scanpath.oat.appearance import object_crops
from foveate.scanpath.oat.layout import Layout
from foveate.scanpath.oat.model import OAT
from foveate.scanpath.oat.rollout import search_path

__all__ = ["ObjectSearch", "find_target"]

#: Returns boxes (objects, 4) of a picture: left, top, right, bottom, pixels.
Objects = Callable[[Image.Image], Any]
#: Returns the place x, y in pixels that words mean on a picture.
Find = Callable[[Image.Image, str], tuple[float, float]]

_NUMBER = r"\s*([-+]?\d+(?:\.\d+)?)\s*"
_PLACE = re.compile(rf"{_NUMBER},{_NUMBER}(?:,{_NUMBER},{_NUMBER})?")
_OBJECT = re.compile(r"(?:object\s*)?#?(\d+)", re.IGNORECASE)
_HOW = "object N, a place X,Y or a box LEFT,TOP,RIGHT,BOTTOM in pixels"


class ObjectSearch:
    """Look for one object among others.

    Args:
        model: The network.
        objects: Rows and columns of an even grid, or what finds the boxes of a picture: ``elements.find_elements`` for
            screens, or any other detector. None takes the grid that the model was made for.
        find: What knows the place that words mean: any model that grounds text. OAT reads no words, it has to be told
            where the target is; without ``find`` a task names an object or a place (``find_target``).
        sample: Whether steps are drawn from their probabilities, as people vary; the likeliest are taken otherwise,
            whatever the seed.
    """

    name = "oat"

    def __init__(
        self,
        model: OAT,
        *,
        objects: tuple[int, int] | Objects | None = None,
        find: Find | None = None,
        sample: bool = True,
    ) -> None:
        self.model, self.find, self.sample = model.eval(), find, sample
        self.objects = (model.rows, model.columns) if objects is None else objects

    @property
    def trained(self) -> bool:
        """False when the weights are random."""
        return self.model.trained

    def layout(self, image: Image.Image) -> Layout:
        """Say where the objects of a picture are.

        Raises:
            ValueError: No box was found, or one is not as it should be.
        """
        if isinstance(self.objects, tuple):
            return Layout.grid(*self.objects, image.size)
        # Beyond the grid that it learned, a model has codes of places but does not know what to do with them.
        return Layout.from_boxes(self.objects(image), image.size, (self.model.rows, self.model.columns))

    def __call__(self, image: Image.Image, *, count: int = 10, task: str = "", seed: int = 0) -> Scanpath:
        """Search a picture.

        Args:
            image: Of any size and aspect.
            count: Fixations at most, at least 1: a search ends when the model takes the target for found.
            task: What is looked for; see ``find_target``.
            seed: Of the random numbers.

        Returns:
            The path over middles of objects, in pixels, without durations. ``details`` has the objects' numbers in
            order, the target's number, whether it was reached last, and the boxes.

        Raises:
            ValueError: ``count`` is below 1, there are no objects, or the task names none of them.
        """
        if count < 1:
            raise ValueError(f"count must be at least 1 fixation, got {count}")
        layout = self.layout(image)
        target = find_target(image, layout, task, self.find)
        crops = object_crops(image, layout, self.model.crop) if self.model.looks else None
        crops = crops if crops is None else crops.to(self.model.table.device)
        path = search_path(self.model, layout, target, crops, most=count, sample=self.sample, seed=seed)
        details = {**path.details, "boxes": np.round(layout.boxes, 1).tolist()}
        return replace(path, task=task, observer=self.name, details=details)

    def batch(
        self, images: Sequence[Image.Image], *, count: int = 10, tasks: Sequence[str], seed: int = 0
    ) -> list[Scanpath]:
        """Search pictures one after the other, with one task each.

        Raises:
            ValueError: There are not as many tasks as pictures.
        """
        if len(tasks) != len(images):
            raise ValueError(f"every picture needs one task, got {len(tasks)} for {counted(len(images), 'picture')}")
        return [self(image, count=count, task=task, seed=seed) for image, task in zip(images, tasks, strict=True)]


def find_target(image: Image.Image, layout: Layout, task: str, find: Find | None = None) -> int:
    """Work out which object a task means.

    Args:
        image: What is looked at.
        layout: Its objects.
        task: ``7`` or ``object 7`` (from 0, row by row on a grid), ``X,Y`` for what lies there, or
            ``LEFT,TOP,RIGHT,BOTTOM`` for what lies in the middle of that box, pixels. Anything else are words.
        find: What knows the place that words mean.

    Returns:
        Number of the object.

    Raises:
        ValueError: The task is empty, names no object or a place off the picture, or has words and nobody reads them.
    """
    task = task.strip()
    if not task:
        raise ValueError(f"oat searches and has to be told for what: give as task {_HOW}")
    if match := _OBJECT.fullmatch(task):
        number = int(match[1])
        if number >= len(layout):
            raise ValueError(f"there are objects 0 to {len(layout) - 1}, got {task!r}: name one of them")
        return number
    if match := _PLACE.fullmatch(task):
        numbers = [float(number) for number in match.groups() if number is not None]
        x, y = numbers[:2] if len(numbers) == 2 else ((numbers[0] + numbers[2]) / 2, (numbers[1] + numbers[3]) / 2)
    elif find is None:
        raise ValueError(f"oat reads no words by itself, got {task!r}: give as task {_HOW}")
    else:
        x, y = find(image, task)
    width, height = layout.size
    if not (0 <= x < width and 0 <= y < height):
        raise ValueError(f"{task!r} lies at ({x:g}, {y:g}), off the picture of {width}x{height} pixels")
    return layout.object_at(x, y)

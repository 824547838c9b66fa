"""One call from a picture to a scanpath, and the models that answer it."""

from collections.abc import Callable
from dataclasses import replace
from functools import lru_cache
from numbers import Integral
from pathlib import Path
from typing import Any, Protocol

import timm
import torch
from PIL import Image

from foveate.scanpath import EYE
from foveate.scanpath.baselines import BASELINES
from foveate.scanpath.fixations import Scanpath
from foveate.vision.draw import draw_scanpath
from foveate.vision.images import load_image

__all__ = ["DEFAULT", "MODELS", "ScanpathModel", "load_model", "predict", "save_scanpath"]

DEFAULT = "priority"


class ScanpathModel(Protocol):
    """Whatever looks at a picture.

    Attributes:
        name: What its paths are signed with.
        trained: False when its weights are random.
    """

    @property
    def name(self) -> str:
        """What its paths are signed with."""
        ...

    @property
    def trained(self) -> bool:
        """False when its weights are random."""
        ...

    def __call__(self, image: Image.Image, *, count: int = 10, task: str = "", seed: int = 0) -> Scanpath:
        """Look at a picture; the path is in pixels of it."""
        ...


def _load_priority(device: str, part: str) -> ScanpathModel:
    """Open the model that learned free viewing from people."""
    from foveate.scanpath.priority import load_priority

    return load_priority(device=device)


def _load_neva(device: str, part: str) -> ScanpathModel:
    """Open NeVA: with a classifier of timm if one is named, else with what the packaged backbone's features tell."""
    from foveate.scanpath.neva import NeVA, NevaSettings
    from foveate.scanpath.task_models import Classifier, Reconstruction

    if part:
        import foveate.backbones  # noqa: F401 (registers the names)

        if ":" not in part and not timm.is_model(part.partition(".")[0]):
            raise ValueError(f"timm has no model {part!r}: give one of timm.list_models(), or local-dir:FOLDER")
        return NeVA(Classifier(part, pretrained=True, device=device))
    return NeVA(Reconstruction(EYE, device=device), NevaSettings.free_viewing(64))


def _load_nevaclip(device: str, part: str) -> ScanpathModel:
    """Open NevaClip with a folder or a name of the hub."""
    from foveate.scanpath.neva import NeVA
    from foveate.scanpath.task_models import ImageText

    return NeVA(ImageText(part or "openai/clip-vit-base-patch32", device), name="nevaclip")


def _load_oat(device: str, part: str) -> ScanpathModel:
    """Open OAT with a file that its training wrote; none comes with the package, whose data may not be given on."""
    from foveate.scanpath.oat import load_oat

    return load_oat(device, part)


def _baseline(name: str) -> Callable[[str, str], ScanpathModel]:
    def load(device: str, part: str) -> ScanpathModel:
        return BASELINES[name]()

    return load


#: Names to what loads them, given a device and what follows the colon of a name.
MODELS: dict[str, Callable[[str, str], ScanpathModel]] = {
    "priority": _load_priority,
    "neva": _load_neva,
    "nevaclip": _load_nevaclip,
    "oat": _load_oat,
    **{name: _baseline(name) for name in BASELINES},
}
_WITH_PART = ("neva", "nevaclip", "oat")


@lru_cache(maxsize=4)
def load_model(name: str = DEFAULT, device: str | None = None) -> ScanpathModel:
    """Load a model, or take it from those loaded before.

    Args:
        name: One of ``MODELS``; ``neva:NAME`` takes a classifier of timm, ``nevaclip:FOLDER`` an image-text model.
        device: cpu, cuda, cuda:1 ...; cuda if there is one by default.

    Returns:
        The model.

    Raises:
        ValueError: Nobody knows the name or the device.
        RuntimeError: Weights or the device are not here.
    """
    head, _, part = name.partition(":")
    if head not in MODELS or (part and head not in _WITH_PART):
        known = ", ".join(MODELS)
        raise ValueError(f"scanpath models are {known}, neva:TIMM-NAME, nevaclip:FOLDER and oat:FILE, got {name!r}")
    return MODELS[head](_device(device), part)


def predict(
    image: Any,
    *,
    model: str | ScanpathModel = DEFAULT,
    count: int = 10,
    task: str = "",
    seed: int = 0,
    device: str | None = None,
) -> Scanpath:
    """Say where an eye would rest on a picture, in order.

    Args:
        image: Whatever ``foveate.vision.load_image`` takes.
        model: A name for ``load_model``, or a model.
        count: Fixations, at least 1.
        task: What is looked for, where the model reads words; empty for free viewing.
        seed: Of the random numbers.
        device: Where a model given by name runs.

    Returns:
        The path in pixels of the picture; ``source`` names the file it came from.

    Raises:
        TypeError: The count, the seed or the task is of the wrong type.
        ValueError: The picture, the model, the count or the task cannot be used.
        RuntimeError: Weights are not here.
        OSError: The file cannot be read.
    """
    for name, number, least in (("count", count, 1), ("seed", seed, 0)):
        if not isinstance(number, Integral) or isinstance(number, bool):
            raise TypeError(f"{name} must be a whole number, got {number!r}")
        if number < least:
            raise ValueError(f"{name} must be at least {least}{' fixation' if least else ''}, got {number}")
    if not isinstance(task, str):
        raise TypeError(f"task must be text, empty for free viewing, got {task!r}")
    eye = load_model(model, device) if isinstance(model, str) else model
    path = eye(load_image(image), count=count, task=" ".join(task.split()), seed=seed)
    if isinstance(image, (str, Path)):
        return replace(path, source=str(image))
    return path


def save_scanpath(path: Scanpath, picture: Image.Image, stem: str | Path) -> Path:
    """Write a path as a drawing, as JSON and as a table.

    Args:
        path: The fixations.
        picture: What was looked at, at the size that the path refers to.
        stem: Files are called this and ``.scanpath.png``, ``.scanpath.json`` and ``.scanpath.csv``.

    Returns:
        The drawing's file.

    Raises:
        ValueError: The picture has another size than the path's.
        OSError: A file cannot be written.
    """
    if picture.size != path.size:
        raise ValueError(
            f"the path is of a picture of {path.size} pixels, got one of {picture.size}: use Scanpath.scaled"
        )
    drawing = Path(f"{stem}.scanpath.png")
    drawing.with_suffix(".json").write_text(path.to_json() + "\n", encoding="utf-8")
    drawing.with_suffix(".csv").write_text(path.to_csv(), encoding="utf-8")
    draw_scanpath(picture, path.points, path.duration).save(drawing)
    return drawing


def _device(name: str | None) -> str:
    if name is None:
        return "cuda" if torch.cuda.is_available() else "cpu"
    kind, _, number = name.partition(":")
    if kind not in ("cpu", "cuda", "mps") or (number and not number.isdigit()):
        raise ValueError(f"unknown device {name!r}: it must be cpu, cuda, cuda:N or mps")
    if kind == "cuda" and int(number or 0) >= (count := torch.cuda.device_count()):
        raise RuntimeError(f"device {name} is not there ({count} CUDA devices found): use cpu")
    return name

"""Point at what a sentence names: ``foveate.point``, its answer, and the object for many questions."""

import functools
import hashlib
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

from foveate.errors import sentence
from foveate.grounding.answer import Failure, PointedRegion, Pointing
from foveate.grounding.canvas import MAX_PIXELS, RESIZE, Canvas, prepare
from foveate.grounding.regions import extract_regions
from foveate.vision.geometry import Box, Point
from foveate.vision.images import load_image

__all__ = ["Failure", "Look", "PointedRegion", "Pointer", "Pointing", "point"]

# Sentences matched at once: each holds some 60 MB of maps for a 2-megapixel picture.
_CHUNK = 4


@dataclass(frozen=True)
class Look:
    """A picture that was encoded once and can be asked many things.

    Args:
        image: The original picture, RGB.
        canvas: How it was fitted to the network, without its pixels.
        features: What the model made of it.
        label: What the picture is called.
        seconds: Time that reading and encoding took.
    """

    image: Image.Image
    canvas: Canvas
    features: Any
    label: str
    seconds: float

    @property
    def size(self) -> tuple[int, int]:
        """Width and height of the original picture, pixels."""
        return self.canvas.size


class Pointer:
    """Answer many questions with one loaded model.

    Args:
        model: Name of a packaged model, path of a weights file, or a model itself (``stride``, ``encode_image``,
            ``map_logits`` as in ``foveate.grounding.model.PointModel``).
        device: ``cpu``, ``cuda``, ``cuda:1``...; by default cuda when there is one.

    Raises:
        ValueError: The name, the file or the device is not known.
        RuntimeError: The weights cannot be read or the device is not there.
    """

    prompt = "the instruction as given, whitespace squeezed"
    resize = RESIZE

    def __init__(self, model: str | Path | torch.nn.Module = "foveate-point-s", device: str | None = None) -> None:
        self.device = _device(device)
        self.model: Any
        if isinstance(model, torch.nn.Module):
            self.model, self.model_name = model.to(self.device).eval(), _name_of(model)
            self._weights: Path | None = None
        else:
            from foveate.backbones.folding import fold_batch_norms
            from foveate.grounding.model import find_weights, load_point_model

            self._weights, self.model_name = find_weights(str(model)), str(model)
            loaded = fold_batch_norms(load_point_model(str(model), self.device))
            # Convolutions on a CPU run a tenth faster with channels last.
            self.model = loaded.to(memory_format=torch.channels_last)
        self.trained = bool(getattr(self.model, "trained", True))

    def __call__(self, image: Any, instruction: str) -> Pointing:
        """Point at what ``instruction`` names on ``image``; see ``point``."""
        return self.many(image, [instruction])[0]

    def many(self, image: Any, instructions: Sequence[str], label: str | None = None) -> list[Pointing]:
        """Ask several things about one picture, which is encoded once.

        Args:
            image: Whatever ``foveate.vision.images.load_image`` takes.
            instructions: The sentences, none empty.
            label: What to call the picture in the answers; its path by default.

        Returns:
            One answer each, in order.
        """
        texts = _check(instructions)
        return self.ask(self.look(image, label), texts)

    def batch(self, items: Iterable[tuple[Any, str]]) -> Iterator[Pointing | Failure]:
        """Answer pairs of picture and sentence one after the other; a bad pair yields a ``Failure``.

        Args:
            items: The pairs. Neighbours that share a picture share its encoding.

        Yields:
            One answer or failure for each pair, in order, as soon as it is there.
        """
        last: tuple[Any, Look] | None = None
        for image, instruction in items:
            try:
                texts = _check([instruction])
                if last is None or not _same(last[0], image):
                    last = None
                    last = (image, self.look(image))
                yield self.ask(last[1], texts)[0]
            except (ValueError, TypeError, RuntimeError, OSError) as error:
                yield Failure(_label(image), str(instruction), sentence(error))

    @torch.inference_mode()
    def look(self, image: Any, label: str | None = None) -> Look:
        """Read and encode a picture.

        Raises:
            ValueError: It is no picture, or too small or too long to point at.
        """
        start = time.perf_counter()
        picture = load_image(image)
        canvas = prepare(picture, MAX_PIXELS)
        features = self.model.encode_image(canvas.pixels.to(self.device))
        bare = Canvas(torch.empty(0), canvas.size, canvas.inner)
        return Look(picture, bare, features, label or _label(image), time.perf_counter() - start)

    @torch.inference_mode()
    def ask(self, look: Look, instructions: Sequence[str]) -> list[Pointing]:
        """Ask a picture that was encoded before.

        Args:
            look: From ``look``.
            instructions: The sentences, none empty.

        Returns:
            One answer each; their ``seconds`` share the time of encoding equally.
        """
        texts = _check(instructions)
        answers = []
        for begin in range(0, len(texts), _CHUNK):
            chunk = texts[begin : begin + _CHUNK]
            start = time.perf_counter()
            logits = self.model.map_logits(look.features, [chunk])[0].float().cpu()
            maps = [_attention(one, look.canvas, self.model.stride) for one in logits]
            found = [_regions(attention, look.canvas, self.model.stride) for attention in maps]
            seconds = (time.perf_counter() - start) / len(chunk) + look.seconds / len(texts)
            answers += [
                self._answer(look, text, attention, regions, seconds)
                for text, attention, regions in zip(chunk, maps, found, strict=True)
            ]
        return answers

    def _answer(
        self, look: Look, text: str, attention: np.ndarray, regions: tuple[PointedRegion, ...], seconds: float
    ) -> Pointing:
        return Pointing(
            point=regions[0].point,
            box=regions[0].box,
            confidence=regions[0].confidence,
            regions=regions,
            heatmap=attention,
            size=look.size,
            instruction=text,
            seconds=seconds,
            model=self.model_name,
            trained=self.trained,
            source=look.label,
            image=look.image,
            heat_extent=_extent(look.canvas, self.model.stride),
        )

    def weights_sha256(self) -> str | None:
        """Checksum of the weights file; None for a model that was given as an object."""
        return hashlib.sha256(self._weights.read_bytes()).hexdigest() if self._weights else None


def point(image: Any, instruction: str, model: str = "foveate-point-s", device: str | None = None) -> Pointing:
    """Point at what a sentence names.

    Args:
        image: Path, bytes, PIL image, array or tensor; see ``foveate.vision.images.load_image``.
        instruction: What to click, such as ``"save the file"``.
        model: Name or weights file; it is loaded once for a process.
        device: ``cpu``, ``cuda``...; by default cuda when there is one.

    Returns:
        The click in pixels of the original picture, its region, confidence and heatmap.

    Raises:
        ValueError: The picture, the instruction, the model or the device cannot be used.
        RuntimeError: The weights cannot be read or the device is not there.
    """
    _check([instruction])
    return _cached_pointer(str(model), device)(image, instruction)


@functools.lru_cache(maxsize=2)
def _cached_pointer(model: str, device: str | None) -> Pointer:
    return Pointer(model, device)


def _check(instructions: Sequence[str]) -> list[str]:
    if isinstance(instructions, str):
        raise TypeError("instructions must be a list of sentences, got one text: pass [text]")
    for text in instructions:
        if not isinstance(text, str):
            raise TypeError(f"an instruction must be a text, got {type(text).__name__}")
        if not text.strip():
            raise ValueError('the instruction is empty: say what to click, such as "save the file"')
    if not instructions:
        raise ValueError("there is no instruction: pass at least one sentence")
    return [" ".join(text.split()) for text in instructions]


def _device(name: str | None) -> torch.device:
    if name is None:
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    kind, _, number = str(name).partition(":")
    if kind not in ("cpu", "cuda", "mps") or (number and not number.isdigit()):
        raise ValueError(f"unknown device {str(name)!r}: it must be cpu, cuda, cuda:N or mps")
    if kind == "cuda" and int(number or 0) >= (count := torch.cuda.device_count()):
        raise RuntimeError(f"device {name} is not there ({count} CUDA devices found): use cpu")
    if kind == "mps" and not torch.backends.mps.is_available():
        raise RuntimeError("device mps is not there: use cpu")
    return torch.device(str(name))


def _attention(logits: torch.Tensor, canvas: Canvas, stride: int) -> np.ndarray:
    """Softmax over the cells that show some of the picture, (rows, columns) float32."""
    columns, rows = canvas.grid(stride)
    valid = logits[:rows, :columns].contiguous()
    return torch.softmax(valid.flatten(), 0).view(rows, columns).numpy()


def _regions(attention: np.ndarray, canvas: Canvas, stride: int) -> tuple[PointedRegion, ...]:
    rows, columns = attention.shape
    mass = attention.ravel()
    found = []
    for region in extract_regions(torch.from_numpy(mass), (columns, rows)):
        x, y = canvas.to_picture(region.point.x, region.point.y, stride)
        left, top = canvas.to_picture(region.box.left, region.box.top, stride)
        right, bottom = canvas.to_picture(region.box.right, region.box.bottom, stride)
        # A click is a pixel: the last one lies at size - 1.
        here = Point(min(x, canvas.size[0] - 1), min(y, canvas.size[1] - 1))
        confidence = float(mass[list(region.patches)].sum())
        found.append(PointedRegion(here, Box(left, top, right, bottom), confidence, region.score))
    return tuple(found)


def _extent(canvas: Canvas, stride: int) -> tuple[float, float]:
    """Width and height of the heatmap in pixels of the original; a last cell may reach over the edge."""
    columns, rows = canvas.grid(stride)
    return columns * stride * canvas.size[0] / canvas.inner[0], rows * stride * canvas.size[1] / canvas.inner[1]


def _name_of(model: torch.nn.Module) -> str:
    return str(getattr(getattr(model, "config", None), "name", type(model).__name__))


def _label(image: Any) -> str:
    return str(image) if isinstance(image, (str, Path)) else type(image).__name__


def _same(first: Any, second: Any) -> bool:
    paths = isinstance(first, (str, Path)) and isinstance(second, (str, Path))
    return str(first) == str(second) if paths else first is second

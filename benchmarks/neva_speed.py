"""NeVA as it stands in the formula against ours, at the same numbers: milliseconds a scanpath, and the same fixations?

``python -P benchmarks/neva_speed.py`` on a CPU, and on a GPU where there is one; ``--json FILE`` keeps the numbers.

``formula``: one picture after the other, the whole Gaussian blur and a gradient at every step. ``blurred once`` is the
same as the published file does it. Both draw the numbers that ours draw. ``task model`` is what the task model alone
takes for the pictures that each way shows it, and so the floor of that way. On a machine that others use as well,
``--threads 1 --clock cpu`` counts the time that this process got.
"""

import argparse
import copy
import datetime
import json
import platform
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor

from foveate.scanpath.fixations import Scanpath
from foveate.scanpath.frames import fit_into_square
from foveate.scanpath.neva import NeVA, NevaSettings
from foveate.scanpath.task_models import Classifier, Reconstruction, TaskModel

Clock = Callable[[], float]
EYE = "resnet18_ela_eye"


def made_pictures(count: int) -> list[Image.Image]:
    """Make pictures with soft ground and a few sharp things on it."""
    pictures = []
    for seed in range(count):
        random = np.random.default_rng(seed)
        ground = Image.fromarray(random.integers(0, 255, (6, 8, 3), dtype=np.uint8))
        pixels = np.array(ground.resize((512, 384), Image.Resampling.BICUBIC))
        for _ in range(5):
            x, y = int(random.integers(0, 440)), int(random.integers(0, 320))
            pixels[y : y + 60, x : x + 70] = random.integers(0, 255, (60, 70, 3), dtype=np.uint8)
        pictures.append(Image.fromarray(pixels))
    return pictures


def gaussian(size: int, sigma: float, like: Tensor) -> Tensor:
    """Return the kernel of the blur, one for each of three channels."""
    steps = torch.arange(size, device=like.device, dtype=like.dtype) - size // 2
    line = torch.exp(-steps.square() / (2 * sigma**2))
    line = line / line.sum()
    return (line[:, None] * line).expand(3, 1, size, size)


def blurred(picture: Tensor, settings: NevaSettings) -> Tensor:
    """Blur by one convolution with the whole kernel, as published."""
    half = settings.blur_size // 2
    padded = F.pad(picture, (half, half, half, half), mode="reflect")
    return F.conv2d(padded, gaussian(settings.blur_size, settings.blur_sigma, picture), groups=3)


def softened(picture: Tensor, bounds: tuple[float, float], settings: NevaSettings) -> Callable[[], Tensor]:
    """Return what blurs a picture within its bounds, padding apart; weights of the borders are worked out before."""
    side = picture.shape[-1]
    line = torch.linspace(-1, 1, side, device=picture.device, dtype=picture.dtype).abs()
    rows, columns = ((line <= bound + 0.5 / (side - 1)).to(picture) for bound in bounds)
    inside = rows[:, None] * columns
    weight = blurred(inside.expand(1, 3, side, side), settings).clamp_min(1e-6)
    return lambda: torch.where(inside > 0, blurred(picture * inside, settings) / weight, picture)


def mask(place: Tensor, side: int, sigma: float) -> Tensor:
    """Return the fovea over the whole grid."""
    line = torch.linspace(-1, 1, side, device=place.device, dtype=place.dtype)
    rows, columns = torch.meshgrid(line, line, indexing="ij")
    square = (rows - place[:, 0, None, None]) ** 2 + (columns - place[:, 1, None, None]) ** 2
    return torch.exp(-square / sigma)[:, None]


def formula(
    task: TaskModel, settings: NevaSettings, image: Image.Image, count: int, seed: int, blur_once: bool
) -> Scanpath:
    """Look at one picture step by step, corrected like ours (see ``NevaSettings.published``)."""
    frame = fit_into_square(image, task.input_size, task.fill)
    x = task.normalize(frame.pixels[None]).contiguous()
    target = task.target(x, [""])
    generator = torch.Generator().manual_seed(seed)
    limits = torch.tensor([frame.bounds]).to(x)
    blur = softened(x, frame.bounds, settings)
    memory, points, once = torch.zeros_like(x[:, :1]), [], blur()
    for _ in range(count):
        restarts = iter([torch.rand(2, generator=generator) for _ in range(settings.steps - 2)])
        place, best, lowest = torch.zeros_like(limits), torch.zeros_like(limits), float("inf")
        for _ in range(settings.steps):
            place = place.detach().requires_grad_()
            soft = once if blur_once else blur()
            blind = torch.clip(1 - (memory + mask(place, task.input_size, settings.sigma)), 0, 1)
            loss = task.loss(x + (soft - x) * blind, target).mean()
            (gradient,) = torch.autograd.grad(loss, place)
            if loss.item() < lowest:
                best, lowest = place.detach(), loss.item()
                moved = place.detach() - settings.learning_rate * gradient.sign()
                place = torch.minimum(torch.maximum(moved, -limits), limits)
            else:
                place = (2 * next(restarts, torch.zeros(2)).to(x)[None] - 1) * limits
        memory = settings.forgetting * memory + mask(best, task.input_size, settings.sigma)
        points.append(best[0])
    columns, rows = frame.to_pixels(torch.stack(points).cpu())
    return Scanpath(columns.numpy(), rows.numpy(), image.size).clipped()


class Counted:
    """A task model that counts the batches that it is shown, with and without a gradient to come."""

    def __init__(self, task: Any) -> None:
        self.task = task
        self.input_size, self.fill, self.trained = task.input_size, task.fill, task.trained
        self.seen: dict[tuple[int, bool], int] = {}

    def normalize(self, pictures: Tensor) -> Tensor:
        """Pass on."""
        return self.task.normalize(pictures)

    def target(self, pictures: Tensor, words: Sequence[str]) -> Tensor:
        """Pass on."""
        return self.task.target(pictures, words)

    def loss(self, seen: Tensor, target: Tensor) -> Tensor:
        """Count, and pass on."""
        key = len(seen), seen.requires_grad
        self.seen[key] = self.seen.get(key, 0) + 1
        return self.task.loss(seen, target)


def channels_last(model: torch.nn.Module) -> bool:
    """Say whether a model's convolutions have the channels of a pixel side by side."""
    return any(w.dim() == 4 and w.shape[1] > 1 and w.stride(1) == 1 for w in model.parameters())


def task_seconds(task: Any, seen: dict[tuple[int, bool], int], device: str, clock: Clock) -> float:
    """Measure what the task model alone takes for the batches that were counted."""
    total = 0.0
    layout = torch.channels_last if channels_last(task.model) else torch.contiguous_format
    for (size, with_gradient), times in seen.items():
        made = task.normalize(torch.rand(size, 3, task.input_size, task.input_size))
        pictures = made.contiguous(memory_format=layout).requires_grad_(with_gradient)
        with torch.no_grad():
            target = task.target(pictures, [""] * size)

        def once(pictures: Tensor = pictures, target: Tensor = target, gradient: bool = with_gradient) -> None:
            with torch.set_grad_enabled(gradient):
                loss = task.loss(pictures, target).sum()
            if gradient:
                torch.autograd.grad(loss, pictures)

        once()
        total += times * min(seconds(once, device, clock)[0] for _ in range(3))
    return total


def seconds(work: Callable[[], Any], device: str, clock: Clock) -> tuple[float, Any]:
    """Return the time that some work takes, and its result."""
    if device == "cuda":
        torch.cuda.synchronize()
    started = clock()
    result = work()
    if device == "cuda":
        torch.cuda.synchronize()
    return clock() - started, result


def compare(
    name: str, task: Any, settings: NevaSettings, device: str, args: argparse.Namespace
) -> list[dict[str, Any]]:
    """Time all ways on the same pictures, and measure how far their fixations lie from those of the formula."""
    clock = time.process_time if args.clock == "cpu" and device == "cpu" else time.perf_counter
    many = made_pictures(args.batch)
    few, count = many[: args.pictures], args.fixations
    counted, plain = Counted(task), Counted(copy.deepcopy(task))
    # The formula knows no better layout of memory either.
    plain.task.model.to(memory_format=torch.contiguous_format)

    def ours(images: list[Image.Image], half: bool, size: int) -> list[Scanpath]:
        return NeVA(counted, settings, batch_size=size, mixed_precision=half).batch(images, count=count)

    ways: dict[str, tuple[list[Image.Image], Callable[[], list[Scanpath]]]] = {
        "formula": (few, lambda: [formula(plain, settings, image, count, 0, False) for image in few]),
        "formula, blurred once": (few, lambda: [formula(plain, settings, image, count, 0, True) for image in few]),
        "ours, one picture": (few, lambda: ours(few, False, 1)),
        f"ours, {len(many)} pictures": (many, lambda: ours(many, False, len(many))),
    }
    if device == "cuda":
        ways[f"ours, {len(many)} pictures, half precision"] = (many, lambda: ours(many, True, len(many)))
    best, found, views = dict.fromkeys(ways, float("inf")), {}, {}
    ours(few[:1], False, 1)  # warms up
    for _ in range(args.rounds):
        for way, (images, work) in ways.items():
            counted.seen, plain.seen = {}, {}
            taken, found[way] = seconds(work, device, clock)
            best[way], views[way] = min(best[way], taken / len(images)), {**counted.seen, **plain.seen}
    rows = []
    for way, (images, _) in ways.items():
        wanted, got = (np.stack([path.points for path in found[which][: len(few)]]) for which in ("formula", way))
        off = np.abs(got - wanted).max(-1)
        row: dict[str, Any] = {"device": device, "task": name, "way": way, "ms": round(1000 * best[way], 2)}
        row["times faster"] = round(best["formula"] / best[way], 2)
        row["times faster than blurred once"] = round(best["formula, blurred once"] / best[way], 2)
        row["equal fixations"] = round(float((off < args.tolerance).mean()), 4)
        row["farthest, pixels"] = round(float(off.max()), 4)
        row["looks"] = round(sum(size * n for (size, _), n in views[way].items()) / len(images), 1)
        gradients = sum(size * n for (size, gradient), n in views[way].items() if gradient)
        row["with gradient"] = round(gradients / len(images), 1)
        if "half" not in way:
            alone = plain.task if way.startswith("formula") else task
            row["task model, ms"] = round(1000 * task_seconds(alone, views[way], device, clock) / len(images), 2)
        rows.append(row)
    return rows


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--devices", nargs="+", default=["cpu", *(["cuda"] if torch.cuda.is_available() else [])])
    parser.add_argument("--tasks", nargs="+", default=["classifier", "reconstruction"])
    parser.add_argument("--pictures", type=int, default=2, help="that the formula looks at")
    parser.add_argument("--batch", type=int, default=16, help="pictures that ours looks at together")
    parser.add_argument("--fixations", type=int, default=10)
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--clock", choices=["wall", "cpu"], default="wall", help="cpu: time that this process got")
    parser.add_argument("--tolerance", type=float, default=0.05, help="pixels of the picture that count as equal")
    parser.add_argument("--json", type=Path)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    # Convolutions of 10 bits would let ways that are equal part where two losses are nearly so.
    torch.backends.cudnn.allow_tf32 = False
    rows = []
    for device in args.devices:
        tasks: dict[str, tuple[Any, NevaSettings]] = {
            "classifier": (Classifier(EYE, device=device), NevaSettings()),
            "reconstruction": (Reconstruction(EYE, device=device), NevaSettings.free_viewing(64)),
        }
        for name in args.tasks:
            rows += compare(name, *tasks[name], device, args)
            for row in rows[-5:]:
                if row["task"] == name and row["device"] == device:
                    print(json.dumps(row), flush=True)
    machine = torch.cuda.get_device_name() if torch.cuda.is_available() else platform.processor()
    facts = {
        "date": datetime.date.today().isoformat(),
        "machine": machine,
        "torch": torch.__version__,
        "threads": args.threads,
        "clock": args.clock,
        "command": " ".join(sys.argv[1:]),
    }
    if args.json:
        args.json.write_text(json.dumps({**facts, "rows": rows}, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()

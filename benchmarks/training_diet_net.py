"""The network of benchmarks/training_diet.py, what it is fed, and its training."""

import argparse
import json
import math
import time
from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from tiny_imagenet_augment import normalize, plain
from tiny_imagenet_data import load_split, prepare
from tiny_imagenet_train import Recipe, Schedule, Trainer, autocast
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

# What a network is trained on; random weights see nothing.
DIETS = ("upright", "rotated", "lines")
UNTRAINED = "untrained"
CLASSES = 200
# The paper's lines are 5 pixels wide, every 50 pixels, on pictures of 224.
LINE_WIDTH, LINE_PERIOD = 5 / 224, 50 / 224


class SmallVgg(nn.Module):
    """VGG's kind in small: 3x3 convolutions in five blocks, between which plain 2x2 pools shrink the maps.

    Args:
        widths: Channels of the blocks.
        depths: Convolutions of the blocks.
        classes: How many there are.
    """

    def __init__(
        self,
        widths: Sequence[int] = (32, 64, 96, 96, 128),
        depths: Sequence[int] = (1, 2, 2, 2, 2),
        classes: int = CLASSES,
    ) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        # timm's way to say where the maps are: the last layer before each pool.
        self.feature_info: list[dict[str, Any]] = []
        channels = 3
        for block, (width, depth) in enumerate(zip(widths, depths, strict=True)):
            if block:
                layers.append(nn.MaxPool2d(2))
            for _ in range(depth):
                layers += [nn.Conv2d(channels, width, 3, padding=1, bias=False), nn.BatchNorm2d(width), nn.ReLU(True)]
                channels = width
            module = f"features.{len(layers) - 1}"
            self.feature_info.append({"module": module, "num_chs": width, "reduction": 2**block})
        self.features = nn.Sequential(*layers)
        self.head = nn.Linear(channels, classes)
        for layer in layers:
            if isinstance(layer, nn.Conv2d):
                nn.init.kaiming_normal_(layer.weight, mode="fan_out", nonlinearity="relu")

    def forward_features(self, x: Tensor) -> Tensor:
        """Return the last block's maps, (batch, channels, height / 16, width / 16)."""
        return self.features(x)

    def forward(self, x: Tensor) -> Tensor:
        """Return a number for each class."""
        return self.head(self.forward_features(x).mean((2, 3)))


def untrained(seed: int, widths: Sequence[int]) -> SmallVgg:
    """Make the network that all diets of a seed begin with."""
    torch.manual_seed(seed)
    return SmallVgg(widths)


def fold_norms(model: SmallVgg) -> SmallVgg:
    """Put batch norms into the convolutions before them, which saves a search a third of its memory traffic."""
    layers = model.eval().features
    for i in range(1, len(layers)):
        conv, norm = layers[i - 1], layers[i]
        if isinstance(conv, nn.Conv2d) and isinstance(norm, nn.BatchNorm2d):
            layers[i - 1], layers[i] = fuse_conv_bn_eval(conv, norm), nn.Identity()
    return model


def line_ink(side: int, phases: Tensor) -> Tensor:
    """Work out how black straight lines along an axis make its pixels.

    Args:
        side: Pixels.
        phases: Where the first line begins, as a part of the period, (batch,).

    Returns:
        (batch, side): 0 to 1, the part of a pixel that lies in a line.
    """
    width, period = LINE_WIDTH * side, LINE_PERIOD * side
    start = (torch.arange(side, device=phases.device) - phases[:, None] * period) % period
    in_this = (torch.minimum(start + 1, start.new_tensor(width)) - start).clamp(min=0)
    return (in_this + (start + 1 - period).clamp(min=0, max=width)).clamp(max=1)


def serve(views: Tensor, diet: str, phases: Tensor | None = None) -> Tensor:
    """Turn normalized views into those of a diet.

    Args:
        views: (batch, 3, side, side), upright.
        diet: One of `DIETS`. "rotated" turns finished views by 90 degrees, mirrored ones too, so that what was above
            is always left. "lines" draws black lines along both axes, as the paper's relative to the side.
        phases: Where lines begin, (batch, 2), 0 to 1; None for anywhere.

    Raises:
        ValueError: The diet is unknown.
    """
    if diet == "upright":
        return views
    if diet == "rotated":
        return views.rot90(1, (2, 3)).contiguous(memory_format=torch.channels_last)
    if diet != "lines":
        raise ValueError(f"no diet is called {diet!r}: choose among {', '.join(DIETS)}")
    count, side = len(views), views.shape[-1]
    phases = torch.rand(count, 2, device=views.device) if phases is None else phases
    across, down = line_ink(side, phases[:, 0]), line_ink(side, phases[:, 1])
    ink = 1 - (1 - down[:, None, :, None]) * (1 - across[:, None, None, :])
    black = normalize(torch.zeros(1, 3, 1, 1, device=views.device))
    return torch.lerp(views, black, ink).contiguous(memory_format=torch.channels_last)


class DietTrainer(Trainer):
    """A network in training on a diet; seeds tell networks apart, and all diets of a seed draw the same views."""

    def __init__(self, diet: str, widths: Sequence[int], recipe: Recipe, pictures: Tensor, labels: Tensor) -> None:
        self.diet = diet
        super().__init__(untrained(recipe.seed, widths), recipe, pictures, labels, CLASSES)

    def draw(self, size: int, progress: float) -> tuple[Tensor, Tensor]:
        """Return views of the diet and targets."""
        torch.manual_seed(self.recipe.seed * 1_000_003 + self.steps)
        views, targets = super().draw(size, progress)
        return serve(views, self.diet), targets


def train_together(trainers: Sequence[DietTrainer], reserve: float = 5.0, every: float = 30.0) -> dict[str, Any]:
    """Train networks in turns, a step each, so that all see as many pictures however fast the card is.

    Args:
        trainers: The networks, with recipes that differ in their seed only.
        reserve: Seconds of the schedule left for measuring.
        every: Seconds between printed lines.

    Returns:
        Steps, epochs and seconds of each network, and pictures a second of all.
    """
    first = trainers[0]
    schedule = Schedule(first.recipe, first.epoch_steps, 0.0, 0.0, reserve)
    begun, told, steps, seen = time.perf_counter(), time.perf_counter(), 0, 0
    while (progress := schedule.at(steps)) < 1:
        for trainer in trainers:
            trainer.step(progress)
        steps += 1
        seen += len(trainers) * min(first.recipe.batch, len(first.labels))
        if first.device.type == "cuda":
            # Steps that only wait in the queue must not count as done.
            torch.cuda.synchronize()
        if time.perf_counter() - told > every:
            told = time.perf_counter()
            losses = {t.diet: round(t.loss.item(), 3) for t in trainers if t.recipe.seed == first.recipe.seed}
            print(f"{100 * progress:.0f} %, {seen / (told - begun):.0f} pictures/s, loss {losses}", flush=True)
    seconds = time.perf_counter() - begun
    return {
        "steps": steps,
        "epochs": round(steps / first.epoch_steps, 2),
        "seconds": round(seconds, 1),
        "pictures_per_second": round(seen / max(seconds, 1e-9)),
    }


@torch.inference_mode()
def top1(model: nn.Module, pictures: Tensor, labels: Tensor, size: int, diet: str) -> float:
    """Return the accuracy in percent on uint8 pictures (count, 3, height, width) served as a diet."""
    model.eval()
    hits = 0
    for start in range(0, len(labels), 500):
        views = plain(pictures[start : start + 500], size)
        # The paper's first line begins 45 of 50 pixels from the corner.
        phases = torch.full((len(views), 2), 0.9, device=views.device)
        with autocast(pictures.device):
            logits = model(serve(views, diet, phases))
        hits += int((logits.argmax(1) == labels[start : start + 500]).sum())
    return 100 * hits / len(labels)


def save_network(model: nn.Module, path: Path, facts: dict[str, Any]) -> int:
    """Write weights in half precision, with facts beside them.

    Returns:
        Bytes of the file.

    Raises:
        RuntimeError: Training broke down.
    """
    state = {key: value.detach().cpu() for key, value in model.state_dict().items()}
    state = {key: value.half() if value.is_floating_point() else value for key, value in state.items()}
    if not all(math.isfinite(float(value.float().abs().max())) for value in state.values()):
        raise RuntimeError(f"the weights for {path.name} are not finite: take a lower learning rate")
    save_file({key: value.contiguous() for key, value in state.items()}, path, {k: str(v) for k, v in facts.items()})
    return path.stat().st_size


def load_network(path: Path) -> tuple[SmallVgg, dict[str, str]]:
    """Read a network of `save_network` and its facts."""
    with safe_open(path, "pt") as file:
        facts = dict(file.metadata())
    state = {key: value.float() if value.is_floating_point() else value for key, value in load_file(path).items()}
    model = SmallVgg([int(width) for width in facts["widths"].split()])
    model.load_state_dict(state)
    return model.eval(), facts


def device_of(name: str) -> torch.device:
    """Open the device to compute on; empty for a GPU where there is one."""
    device = torch.device(name or ("cuda" if torch.cuda.is_available() else "cpu"))
    if device.type == "cuda":
        torch.set_float32_matmul_precision("high")
    return device


def card_of(device: torch.device) -> str:
    """Say what computes."""
    return torch.cuda.get_device_name(device) if device.type == "cuda" else "CPU"


def train(arguments: argparse.Namespace) -> None:
    """Train a network for every diet and seed, and write each with its accuracy."""
    device = device_of(arguments.device)
    if arguments.data:
        print(f"pictures in the cache: {prepare(arguments.data, arguments.cache)}", flush=True)
    if device.type == "cuda":
        torch.backends.cudnn.benchmark = True
    pictures, labels = load_split(arguments.cache, "train", device)
    checked, answers = load_split(arguments.cache, "val", device)
    if arguments.pictures:
        pictures, labels = pictures[: arguments.pictures], labels[: arguments.pictures]
        checked, answers = checked[: arguments.pictures], answers[: arguments.pictures]
    settings = {field.name: getattr(arguments, field.name) for field in fields(Recipe) if field.name in arguments}
    # No change of colours or shape: solarizing and turning would take from a diet what is to be studied.
    fixed = {"change": False, "erase": 0.0, "mix": 0.0, "compile": "none"}
    trainers = [
        DietTrainer(diet, arguments.widths, Recipe(**{**settings, **fixed, "seed": seed}), pictures, labels)
        for seed in range(arguments.seeds)
        for diet in DIETS
    ]
    pace = train_together(trainers)
    arguments.out.mkdir(parents=True, exist_ok=True)
    rows, size = [], arguments.size
    for trainer in trainers:
        path = arguments.out / f"{trainer.diet}-{trainer.recipe.seed}.safetensors"
        own = top1(trainer.averaged, checked, answers, size, trainer.diet)
        facts = {
            "diet": trainer.diet,
            "seed": trainer.recipe.seed,
            "widths": " ".join(map(str, arguments.widths)),
            "top1": round(own, 2),
            "top1_upright": round(top1(trainer.averaged, checked, answers, size, "upright"), 2),
        }
        rows.append({**facts, "bytes": save_network(trainer.averaged, path, facts)})
        print(json.dumps(rows[-1]), flush=True)
    report = {"device": card_of(device), "torch": torch.__version__, "pictures": len(labels), **pace}
    report |= {"recipe": settings | fixed, "networks": rows}
    (arguments.out / "training.json").write_text(json.dumps(report, indent=1) + "\n")
    print(json.dumps({"bytes": sum(row["bytes"] for row in rows), **pace}), flush=True)

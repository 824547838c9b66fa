"""The training recipe of benchmarks/tiny_imagenet.py: one model, one GPU, pictures that already lie on it."""

import ast
import contextlib
import math
import time
from copy import deepcopy
from dataclasses import asdict, dataclass, replace
from typing import Any

import timm
import torch
import torch.nn.functional as F
from timm.optim import create_optimizer_v2
from tiny_imagenet_augment import augment, mix, plain
from torch import Tensor, nn

from foveate.backbones.macs import count_macs


@dataclass(frozen=True)
class Recipe:
    """How a model is trained; the same for all models of a table.

    Attributes:
        size: Side that pictures of 64 pixels are enlarged to, on the GPU.
        low_size: Smaller side for the first part of the training; 0 for none.
        low_until: Part of the training that sees ``low_size``.
        epochs: Passes over the pictures; 0 for as many as the minutes allow.
        minutes: Wall time of the whole schedule, compiling and measuring included; 0 for no limit.
        batch: Pictures a step.
        opt: Optimizer, a name of timm.
        lr: Peak learning rate.
        weight_decay: Decay of weights that are matrices.
        warmup: Part of the training in which the learning rate rises.
        clip: Largest norm of the gradient; 0 for none.
        smoothing: Part of a label spread over all classes.
        mixup: Alpha of blends.
        cutmix: Alpha of boxes.
        mix: Probability that a picture is mixed.
        mix_until: Part of the training after which none is mixed.
        scale: Smallest part of the area that a crop takes.
        change: Whether a random colour change or warp is applied to each picture.
        erase: Probability of an erased box.
        ema: Horizon of the average of weights, as a part of the training.
        distill: Part of the target that comes from teachers, if there are any.
        compile: Mode of torch.compile, or "none".
        seed: Of weights and of everything drawn.
    """

    size: int = 128
    low_size: int = 0
    low_until: float = 0.6
    epochs: float = 8.0
    minutes: float = 0.0
    batch: int = 512
    opt: str = "adamw"
    lr: float = 2e-3
    weight_decay: float = 0.05
    warmup: float = 0.06
    clip: float = 3.0
    smoothing: float = 0.1
    mixup: float = 0.4
    cutmix: float = 1.0
    mix: float = 0.5
    mix_until: float = 0.9
    scale: float = 0.35
    change: bool = True
    erase: float = 0.2
    ema: float = 0.02
    distill: float = 0.7
    compile: str = "default"
    seed: int = 0


def parse_model(text: str) -> tuple[str, dict[str, Any]]:
    """Split ``patnet_t0:drop_path_rate=0.05,attn_drop=0`` into timm's name and keyword arguments."""
    name, _, rest = text.partition(":")
    call = ast.parse(f"f({rest})", mode="eval").body
    words = call.keywords if isinstance(call, ast.Call) else []
    values = {
        str(word.arg): word.value.id if isinstance(word.value, ast.Name) else ast.literal_eval(word.value)
        for word in words
    }
    return name, values


def build(text: str, classes: int) -> nn.Module:
    """Create an untrained model from its name and arguments."""
    name, arguments = parse_model(text)
    return timm.create_model(name, num_classes=classes, **arguments)


def count(model: nn.Module, size: int) -> tuple[int, int]:
    """Return parameters, and multiply-adds of one picture."""
    return sum(parameter.numel() for parameter in model.parameters()), count_macs(model.eval(), (3, size, size))


def autocast(device: torch.device) -> Any:
    """Compute in bfloat16 on a GPU; a CPU would only be slower."""
    return torch.autocast("cuda", torch.bfloat16) if device.type == "cuda" else contextlib.nullcontext()


def learning_rate(recipe: Recipe, progress: float) -> float:
    """Rise linearly, then fall along a cosine to a hundredth of the peak."""
    if progress < recipe.warmup:
        return recipe.lr * (0.01 + 0.99 * progress / recipe.warmup)
    fall = min((progress - recipe.warmup) / max(1 - recipe.warmup, 1e-6), 1.0)
    return recipe.lr * (0.01 + 0.99 * (1 + math.cos(math.pi * fall)) / 2)


class Trainer:
    """A model in training.

    Args:
        model: Untrained, or a copy of what a state will be loaded into.
        recipe: How to train.
        pictures: uint8 (count, 3, 64, 64), on the device to train on.
        labels: int64 (count,).
        classes: How many there are.
        teachers: Trained models whose answers are part of the targets.
    """

    def __init__(
        self,
        model: nn.Module,
        recipe: Recipe,
        pictures: Tensor,
        labels: Tensor,
        classes: int,
        teachers: list[nn.Module] | None = None,
    ) -> None:
        self.recipe, self.pictures, self.labels, self.classes = recipe, pictures, labels, classes
        self.device = pictures.device
        self.model = self._place(model)
        self.averaged = deepcopy(self.model).eval().requires_grad_(False)
        self.compiled = self._compile(self.model)
        self.teachers = [self._compile(self._place(teacher)) for teacher in teachers or []]
        fused = {"fused": True} if recipe.opt == "adamw" and self.device.type == "cuda" else {}
        self.optimizer = create_optimizer_v2(
            self.model, opt=recipe.opt, lr=recipe.lr, weight_decay=recipe.weight_decay, **fused
        )
        self.steps, self.progress = 0, 0.0
        self.order = torch.empty(0, dtype=torch.long, device=self.device)
        self.loss = torch.zeros((), device=self.device)
        pairs = list(zip(self.averaged.state_dict().values(), self.model.state_dict().values(), strict=True))
        pairs = [(mean, new) for mean, new in pairs if mean.is_floating_point()]
        self.means, self.news = [mean for mean, _ in pairs], [new for _, new in pairs]

    def _place(self, module: nn.Module) -> nn.Module:
        return module.to(device=self.device).to(memory_format=torch.channels_last)

    def _compile(self, module: nn.Module) -> nn.Module:
        mode = self.recipe.compile
        return module if mode == "none" else torch.compile(module, mode=mode, dynamic=False)  # type: ignore[return-value]

    @property
    def epoch_steps(self) -> int:
        """Steps in one pass."""
        return max(1, len(self.labels) // self.recipe.batch)

    def size_at(self, progress: float) -> int:
        """Return the side of the pictures at a part of the training."""
        return self.recipe.low_size if self.recipe.low_size and progress < self.recipe.low_until else self.recipe.size

    def draw(self, size: int, progress: float) -> tuple[Tensor, Tensor]:
        """Return views and targets of the next batch."""
        recipe = self.recipe
        batch = min(recipe.batch, len(self.labels))
        if len(self.order) < batch:
            self.order = torch.randperm(len(self.labels), device=self.device)
        index, self.order = self.order[:batch], self.order[batch:]
        views = augment(self.pictures[index], size, (recipe.scale, 1.0), recipe.change, recipe.erase)
        targets = F.one_hot(self.labels[index], self.classes).float()
        targets = targets * (1 - recipe.smoothing) + recipe.smoothing / self.classes
        chance = recipe.mix if progress < recipe.mix_until else 0.0
        return mix(views, targets, recipe.mixup, recipe.cutmix, chance)

    def backward(self, size: int, progress: float) -> None:
        """Draw a batch and add its gradients."""
        self.model.train()
        views, targets = self.draw(size, progress)
        with autocast(self.device):
            if self.teachers:
                with torch.no_grad():
                    answers = [teacher(views).float().softmax(1) for teacher in self.teachers]
                taught = torch.stack(answers).mean(0)
                targets = targets * (1 - self.recipe.distill) + taught * self.recipe.distill
            logits = self.compiled(views)
        loss = -(targets * logits.float().log_softmax(1)).sum(1).mean()
        loss.backward()
        self.loss = loss.detach()

    def step(self, progress: float) -> None:
        """Take one step of the optimizer at a part of the training, 0 to 1."""
        for group in self.optimizer.param_groups:
            group["lr"] = learning_rate(self.recipe, progress) * group.get("lr_scale", 1.0)
        self.backward(self.size_at(progress), progress)
        if self.recipe.clip > 0:
            nn.utils.clip_grad_norm_(self.model.parameters(), self.recipe.clip)
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)
        self.steps += 1
        self.progress = progress
        # The horizon follows from how many steps the whole training will have at this pace.
        horizon = max(10.0, self.recipe.ema * self.steps / max(progress, 1e-3))
        with torch.no_grad():
            torch._foreach_lerp_(self.means, self.news, 1 / horizon)

    def warm_up(self) -> str:
        """Compile for every size, and leave weights, statistics and random numbers as they were.

        Returns:
            Why the model is trained without being compiled; empty if it is compiled, or was never to be.
        """
        before = {key: value.clone() for key, value in self.model.state_dict().items()}
        failure = ""
        try:
            self._try_sizes()
        except Exception as error:
            if self.compiled is self.model:
                raise
            failure = f"{type(error).__name__}: {error}"[:300]
            self.compiled = self.model
            self._try_sizes()
        self.optimizer.zero_grad(set_to_none=True)
        self.model.load_state_dict(before)
        self.order = self.order[:0]
        torch.manual_seed(self.recipe.seed)
        return failure

    def _try_sizes(self) -> None:
        for size in sorted({self.size_at(0.0), self.size_at(1.0)}):
            for _ in range(2):
                self.backward(size, 0.0)

    def state(self) -> dict[str, Any]:
        """Return all that going on needs."""
        parts = {"model": self.model, "averaged": self.averaged, "optimizer": self.optimizer}
        state: dict[str, Any] = {name: part.state_dict() for name, part in parts.items()}
        return {**state, "steps": self.steps, "progress": self.progress, "recipe": asdict(self.recipe)}

    def load(self, state: dict[str, Any]) -> None:
        """Go on from a state.

        Raises:
            ValueError: It is of another recipe.
        """
        if replace(self.recipe, minutes=0, compile="") != replace(Recipe(**state["recipe"]), minutes=0, compile=""):
            raise ValueError("the state is of another recipe: name another folder by --state, or begin anew by --fresh")
        self.model.load_state_dict(state["model"])
        self.averaged.load_state_dict(state["averaged"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.steps, self.progress = state["steps"], state["progress"]
        torch.manual_seed(self.recipe.seed + self.steps)


@torch.inference_mode()
def accuracy(
    model: nn.Module, pictures: Tensor, labels: Tensor, size: int, mirror: bool = False, exact: bool = False
) -> tuple[float, float]:
    """Return top-1 and top-5 accuracy in percent.

    Args:
        model: To measure.
        pictures: uint8 (count, 3, height, width).
        labels: int64 (count,).
        size: Side that pictures are enlarged to.
        mirror: Whether to add the answers for mirrored pictures.
        exact: Whether to compute in float32.
    """
    model.eval()
    hits = []
    for start in range(0, len(labels), 500):
        views = plain(pictures[start : start + 500], size)
        with contextlib.nullcontext() if exact else autocast(pictures.device):
            logits = model(views).float()
            if mirror:
                logits = logits + model(views.flip(3)).float()
        best = logits.topk(min(5, logits.shape[1])).indices
        hits.append(best == labels[start : start + 500, None])
    hit = torch.cat(hits).float()
    return 100 * hit[:, 0].mean().item(), 100 * hit.sum(1).mean().item()


class Schedule:
    """How much of the training has passed, by steps, by time, or by whichever is further.

    Args:
        recipe: Epochs and minutes of the whole training.
        epoch_steps: Steps of an epoch.
        seconds: Spent in earlier parts and on starting this one.
        progress: Reached in earlier parts.
        reserve: Seconds left for measuring at the end.
    """

    def __init__(self, recipe: Recipe, epoch_steps: int, seconds: float, progress: float, reserve: float) -> None:
        if recipe.epochs <= 0 and recipe.minutes <= 0:
            raise ValueError("epochs and minutes are both 0: one of them has to end the training")
        self.total = recipe.epochs * epoch_steps
        self.left = max(recipe.minutes * 60 - seconds - reserve, 1.0) if recipe.minutes > 0 else math.inf
        self.begun, self.first = time.perf_counter(), progress

    def at(self, steps: int) -> float:
        """Return the part of the training that lies before a step, 0 to 1."""
        by_time = self.first + (1 - self.first) * (time.perf_counter() - self.begun) / self.left
        return min(1.0, max(by_time, steps / self.total if self.total else 0.0))

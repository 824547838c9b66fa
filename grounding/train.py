"""Train the pointer: ``python -m foveate.grounding.train``; also under ``accelerate launch`` or ``torchrun``."""

import argparse
import json
import logging
import math
import os
import random
import shlex
import sys
import time
from collections import Counter
from functools import partial
from pathlib import Path
from typing import cast

import torch
import torch.distributed as dist
from safetensors.torch import load_file
from tokenizers import Tokenizer
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn
from tqdm import tqdm

from foveate.grounding.card import write_card
from foveate.grounding.model import PointConfig, PointModel, save_point_model
from foveate.grounding.objective import Objective
from foveate.grounding.synthetic.drawn import draw_screen
from foveate.grounding.synthetic.icons import IconAtlas
from foveate.grounding.synthetic.loader import Batches, Plan, StoredScreen, unpack_shards
from foveate.grounding.synthetic.screens import Screen
from foveate.grounding.text import from_teacher

log = logging.getLogger("foveate.train")
_ATLAS: dict[str, IconAtlas] = {}


def draw_from_atlas(path: str, rng: random.Random, size: tuple[int, int]) -> Screen:
    """Draw a screen with the icons and fonts of an atlas, which each worker loads once.

    Args:
        path: Folder of the atlas.
        rng: Source of all choices.
        size: Width and height in pixels.

    Returns:
        A new screen.
    """
    if path not in _ATLAS:
        _ATLAS[path] = IconAtlas.load(Path(path))
    return draw_screen(rng, _ATLAS[path], size)


def augment(pixels: Tensor, generator: torch.Generator | None = None) -> Tensor:
    """Vary brightness, contrast and colours of pictures, and turn a few into negatives.

    Args:
        pixels: (batch, 3, height, width), 0 to 1.
        generator: Source of randomness on the same device.

    Returns:
        Same shape, 0 to 1.
    """
    count, device = len(pixels), pixels.device

    def draw(*shape: int) -> Tensor:
        return torch.rand(count, *shape, 1, 1, device=device, generator=generator)

    mixing = torch.eye(3, device=device) + (draw(9)[..., 0, 0].view(count, 3, 3) - 0.5) * 0.3 * (draw(1)[..., 0] < 0.5)
    mixing = mixing / mixing.sum(2, keepdim=True)
    pixels = torch.einsum("nij,njhw->nihw", mixing, pixels)
    pixels = torch.where(draw(1) < 0.06, 1 - pixels, pixels)
    pixels = (pixels - 0.5) * (0.75 + 0.5 * draw(1)) + 0.5 + (draw(1) - 0.5) * 0.2
    noise = torch.randn(pixels.shape, device=device, generator=generator) * 0.02 * draw(1) * (draw(1) < 0.3)
    return (pixels + noise).clamp(0, 1)


def parameter_groups(model: nn.Module, rate: float, decay: float) -> list[dict]:
    """Split parameters: no decay for vectors, a third of the rate for the text layers that start trained.

    Args:
        model: The objective.
        rate: Learning rate.
        decay: Weight decay of matrices.

    Returns:
        Groups for an optimizer; "initial_lr" keeps the rate that the schedule scales.
    """
    groups: dict[tuple[float, float], list[Tensor]] = {}
    for name, value in model.named_parameters():
        if value.requires_grad:
            slow = ".text." in name and "spelling" not in name
            groups.setdefault((rate / 3 if slow else rate, decay if value.ndim > 1 else 0.0), []).append(value)
    return [{"params": p, "lr": r, "initial_lr": r, "weight_decay": d} for (r, d), p in groups.items()]


def rate_at(step: int, warmup: int, progress: float) -> float:
    """Share of the full learning rate: linear up over the first steps, cosine down to one hundredth.

    Args:
        step: Steps done.
        warmup: Steps of the rise, at least 1.
        progress: How far the whole run is, 0 to 1.

    Returns:
        Factor on the learning rate, 0 to 1.
    """
    return min(1.0, (step + 1) / warmup) * (0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * min(1.0, progress))))


def split_shards(folder: Path) -> tuple[list[Path], list[Path]]:
    """Keep the last shard of every maker for measuring; train on the others."""
    train, held_out = [], []
    for maker in sorted(p for p in folder.iterdir() if p.is_dir() and p.name not in ("atlas", "teacher")):
        shards = sorted(maker.glob("*.zip"))
        if shards:
            held_out.append(shards[-1])
            train += shards[:-1]
    return train, held_out


def build_objective(teacher_folder: Path, config: PointConfig) -> Objective:
    """Build an untrained pointer whose text side starts from the teacher's first, middle and last layers.

    Args:
        teacher_folder: Written by ``scripts/prepare_teacher.py``.
        config: Sizes of the pointer.

    Returns:
        The pointer with everything that only training needs.
    """
    pieces = (teacher_folder / "vocab.txt").read_text().splitlines()
    state = load_file(teacher_folder / "teacher.safetensors")
    model = PointModel(config, pieces)
    chosen = [round(i * 5 / (config.text_depth - 1)) for i in range(config.text_depth)]
    model.text = from_teacher(state, pieces, chosen)
    return Objective(model, from_teacher(state, pieces, range(6)))


@torch.no_grad()
def measure(
    objective: Objective, batches: dict[str, list[dict[str, Tensor]]], device: torch.device
) -> dict[str, float]:
    """Share of sentences whose best cell lies in the target, for every maker and kind.

    Args:
        objective: What is trained.
        batches: From ``held_out_batches``.
        device: Where the objective is.

    Returns:
        "MAKER_text" and "MAKER_icon", 0 to 1.
    """
    was_training = objective.training
    objective.eval()
    # Held-out batches have other shapes than training ones: compiling for them would cost more than it saves.
    torch.compiler.set_stance("force_eager")
    scores = {}
    for maker, listed in batches.items():
        hits, icons, weights = [], [], []
        for batch in listed:
            moved = to_device(batch, device)
            with torch.autocast(device.type, torch.bfloat16, enabled=device.type == "cuda"):
                hits.append(objective(moved)["hit"].cpu())
            icons.append(batch["icon"])
            weights.append(batch["weight"] > 0)
        hit, icon, used = torch.cat(hits), torch.cat(icons), torch.cat(weights)
        scores[f"{maker}_text"] = hit[used & ~icon].mean().item()
        scores[f"{maker}_icon"] = hit[used & icon].mean().item()
    torch.compiler.set_stance("default")
    objective.train(was_training)
    return scores


def to_device(batch: dict[str, Tensor], device: torch.device) -> dict[str, Tensor]:
    """Move a batch and turn its pixels into 0 to 1.

    Args:
        batch: Of the loader, stacked.
        device: Where to.
    """
    moved = {key: value.to(device, non_blocking=True) for key, value in batch.items()}
    moved["pixels"] = moved["pixels"].to(memory_format=torch.channels_last).float() / 255
    return moved


def held_out_batches(
    screens: list[StoredScreen], pixels: Path, atlas: Path | None, tokenizer: Tokenizer, plan: Plan, count: int
) -> dict[str, list[dict[str, Tensor]]]:
    """Make the same measuring batches every time.

    Args:
        screens: Held out from training.
        pixels: File of their pixels.
        atlas: Folder of icons and fonts; None leaves drawn screens out.
        tokenizer: Of the text encoder.
        plan: Sizes and counts; crops are not zoomed here.
        count: Batches of 16 crops a maker.

    Returns:
        A list of batches for every maker.
    """
    draw = partial(draw_from_atlas, str(atlas)) if atlas else None
    makers = sorted({s.source.split("/")[0] for s in screens}) + (["drawn"] if atlas else [])
    made = {}
    for maker in makers:
        one = Plan(plan.width, plan.height, plan.sentences, plan.words, (1.0, 1.0), ((maker, 1.0),))
        stream = iter(Batches(screens, pixels, draw, one, tokenizer, 16, seed=-1))
        made[maker] = [next(stream) for _ in range(count)]
    return made


class Run:
    """One process of a training run that can be cut and taken up again.

    Args:
        arguments: Of the command line.
    """

    def __init__(self, arguments: argparse.Namespace) -> None:
        self.arguments = arguments
        self.world = int(os.environ.get("WORLD_SIZE", "1"))
        self.rank = int(os.environ.get("RANK", "0"))
        self.device = torch.device(f"cuda:{os.environ.get('LOCAL_RANK', '0')}" if torch.cuda.is_available() else "cpu")
        if self.world > 1:
            dist.init_process_group("nccl" if self.device.type == "cuda" else "gloo")
        if self.device.type == "cuda":
            torch.cuda.set_device(self.device)
            torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = True
        torch.manual_seed(arguments.seed)
        self.out: Path = arguments.out
        self.out.mkdir(parents=True, exist_ok=True)
        self.atlas: Path | None = arguments.data / "atlas" if (arguments.data / "atlas").is_dir() else None
        self.objective = build_objective(arguments.data / "teacher", PointConfig()).to(self.device)
        self.objective = self.objective.to(memory_format=torch.channels_last)
        self.average = AveragedModel(self.objective.model, multi_avg_fn=get_ema_multi_avg_fn(arguments.average))
        groups = parameter_groups(self.objective, arguments.rate, arguments.decay)
        self.optimizer = torch.optim.AdamW(groups, betas=(0.9, 0.98), fused=self.device.type == "cuda")
        self.step = 0
        self.spent = 0.0
        self.parts: dict[str, str] = {}
        self.sources: dict[str, int] = {}
        self.resume()

    @property
    def state_path(self) -> Path:
        """Where the run is kept between parts."""
        return self.out / "state.pt"

    def resume(self) -> None:
        """Take up the run where its last part ended; or start from given weights."""
        if self.state_path.exists():
            state = torch.load(self.state_path, map_location=self.device, weights_only=True)
            self.objective.load_state_dict(state["objective"])
            self.average.load_state_dict(state["average"])
            self.optimizer.load_state_dict(state["optimizer"])
            self.step, self.spent, self.parts = state["step"], state["spent"], state["parts"]
            log.info("resumed at step %d", self.step)
        elif self.arguments.init:
            weights = {k: v.float() for k, v in load_file(self.arguments.init).items()}
            self.objective.model.load_state_dict(weights)
            self.average.module.load_state_dict(weights)
            log.info("started from %s", self.arguments.init.name)

    def save(self, scores: dict[str, float]) -> None:
        """Keep the state of the run, and the averaged weights as safetensors."""
        if self.rank:
            return
        state = {
            "objective": self.objective.state_dict(),
            "average": self.average.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "step": self.step,
            "spent": self.spent,
            "parts": self.parts,
        }
        torch.save(state, self.state_path.with_suffix(".part"))
        self.state_path.with_suffix(".part").replace(self.state_path)
        facts = {
            "steps": self.step,
            "batch": self.arguments.batch * self.world,
            "processes": self.world,
            "minutes": round(self.spent / 60, 1),
            "held_out": scores,
            "seed": self.arguments.seed,
            "device": f"{self.world} x {self._device_name()}",
            "screens": self.sources,
            "commands": self.parts,
        }
        save_point_model(cast(PointModel, self.average.module), self.out / "foveate-point-s.safetensors", facts)

    def _device_name(self) -> str:
        return torch.cuda.get_device_name(self.device) if self.device.type == "cuda" else "CPU"

    def train(self) -> None:
        """Train until the steps or the minutes are used up, then measure and save."""
        arguments = self.arguments
        started = time.monotonic()
        plan = Plan(width=arguments.size[0], height=arguments.size[1], sentences=arguments.sentences)
        train, held_out = split_shards(arguments.data)
        cache = arguments.cache or self.out / "cache"
        screens = unpack_shards(train, cache / "train") if self.rank == 0 else []
        kept = unpack_shards(held_out, cache / "held-out") if self.rank == 0 else []
        if self.world > 1:
            dist.barrier()
            screens, kept = (
                screens or unpack_shards(train, cache / "train"),
                kept or unpack_shards(held_out, cache / "held-out"),
            )
        self.sources = dict(Counter(screen.source.split("/")[0] for screen in screens))
        self.parts[f"{len(self.parts) + 1}, from step {self.step}"] = shlex.join(
            ["foveate.grounding.train", *sys.argv[1:]]
        )
        tokenizer = self.objective.model.text.tokenizer
        draw = partial(draw_from_atlas, str(self.atlas)) if self.atlas else None
        os.environ["TOKENIZERS_PARALLELISM"] = "false"
        stream = Batches(
            screens, cache / "train" / "pixels.bin", draw, plan, tokenizer, arguments.batch,
            seed=arguments.seed * 1_000_003 + self.step * 1009 + self.rank,
        )  # fmt: skip
        loader = torch.utils.data.DataLoader(
            stream, batch_size=None, num_workers=arguments.workers, pin_memory=self.device.type == "cuda",
            prefetch_factor=3 if arguments.workers else None,
        )  # fmt: skip
        batches = iter(loader)
        checks = held_out_batches(
            kept, cache / "held-out" / "pixels.bin", self.atlas, tokenizer, plan, arguments.check_batches
        )
        log.info(
            "%d screens to learn from, %d held out, ready after %.0f s",
            len(screens),
            len(kept),
            time.monotonic() - started,
        )
        network: nn.Module = self.objective
        if self.world > 1:
            devices = [self.device.index] if self.device.type == "cuda" else None
            # Each process keeps its own batch statistics; those of the first one are saved.
            network = nn.parallel.DistributedDataParallel(network, device_ids=devices, broadcast_buffers=False)
        if arguments.compile:
            self.objective.model.encode_image = torch.compile(self.objective.model.encode_image)  # type: ignore[method-assign]
            self.objective.model.maps = torch.compile(self.objective.model.maps)  # type: ignore[method-assign]
        network.train()
        progress = tqdm(total=arguments.steps, initial=self.step, disable=None, desc="steps")
        before, begun = self.spent, time.monotonic()
        first = marked = self.step
        marked_at, share = begun, 0.0
        while self.step < arguments.steps:
            # Every process must come here at the same steps.
            if self.step % 10 == 0 or self.step == first:
                self.spent = before + time.monotonic() - begun
                share = self.agree(max(self.step / arguments.steps, self.spent / (60 * arguments.total_minutes)))
                part = self.agree((time.monotonic() - started) / (60 * arguments.minutes))
                if share >= 1 or part >= 1:
                    break
            batch = to_device(next(batches), self.device)
            batch["pixels"] = augment(batch["pixels"])
            for group in self.optimizer.param_groups:
                group["lr"] = group["initial_lr"] * rate_at(self.step, arguments.warmup, share)
            with torch.autocast(self.device.type, torch.bfloat16, enabled=self.device.type == "cuda"):
                answer = network(batch)
            self.optimizer.zero_grad(set_to_none=True)
            answer["loss"].backward()
            nn.utils.clip_grad_norm_(network.parameters(), 2.0)
            self.optimizer.step()
            self.average.update_parameters(self.objective.model)
            self.step += 1
            progress.update()
            if self.step % arguments.log_every == 0 and self.rank == 0:
                passed = time.monotonic() - marked_at
                parts = {k: round(v.mean().item(), 4) for k, v in answer.items()}
                speed = (self.step - marked) * arguments.batch * self.world / passed
                row = {
                    "step": self.step,
                    "seconds": round(self.spent),
                    "share": round(share, 4),
                    "crops_per_s": round(speed),
                }
                self.write({**row, **parts})
                marked, marked_at = self.step, time.monotonic()
            if self.step % arguments.check_every == 0 and self.rank == 0:
                self.write({"step": self.step, "held_out": self.check(checks)})
                self.save({})
        progress.close()
        scores = self.check(checks) if self.rank == 0 else {}
        self.write({"step": self.step, "held_out": scores})
        self.save(scores)
        if self.rank == 0:
            write_card(self.out / "foveate-point-s.safetensors")
        if self.world > 1:
            dist.destroy_process_group()

    def agree(self, value: float) -> float:
        """Take the first process's word on how far the run is, so that all processes end at the same step."""
        if self.world == 1:
            return value
        shared = torch.tensor([value], device=self.device)
        dist.broadcast(shared, 0)
        return shared.item()

    def check(self, checks: dict[str, list[dict[str, Tensor]]]) -> dict[str, float]:
        """Measure the averaged weights."""
        weights = {k: v.clone() for k, v in self.objective.model.state_dict().items()}
        self.objective.model.load_state_dict(self.average.module.state_dict())
        scores = measure(self.objective, checks, self.device)
        self.objective.model.load_state_dict(weights)
        return {k: round(v, 4) for k, v in scores.items()}

    def write(self, row: dict) -> None:
        """Log a row and append it to log.jsonl."""
        if self.rank == 0:
            log.info("%s", json.dumps(row))
            with open(self.out / "log.jsonl", "a") as file:
                file.write(json.dumps(row) + "\n")


def parse() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="python -m foveate.grounding.train", description=__doc__)
    parser.add_argument(
        "--data", type=Path, default=Path("shards"), help="folder with teacher, atlas and one folder of shards a maker"
    )
    parser.add_argument(
        "--out", type=Path, default=Path("runs/point"), help="folder of the run; taken up again when it holds one"
    )
    parser.add_argument("--cache", type=Path, help="folder for decoded screens, best in memory; default OUT/cache")
    parser.add_argument("--init", type=Path, help="weights to start from instead of the teacher alone")
    parser.add_argument("--steps", type=int, default=20000, help="steps of the whole run")
    parser.add_argument("--minutes", type=float, default=1e9, help="end this part of the run after so many minutes")
    parser.add_argument(
        "--total-minutes",
        type=float,
        default=1e9,
        help="end the whole run after so many minutes of training, if the steps are not used up before",
    )
    parser.add_argument(
        "--size", type=int, nargs=2, default=(768, 512), metavar=("WIDTH", "HEIGHT"), help="crop in pixels"
    )
    parser.add_argument("--sentences", type=int, default=12, help="sentences a crop")
    parser.add_argument("--batch", type=int, default=64, help="crops a step and process")
    parser.add_argument("--rate", type=float, default=1.2e-3, help="learning rate")
    parser.add_argument("--decay", type=float, default=0.05, help="weight decay")
    parser.add_argument("--average", type=float, default=0.999, help="decay of the averaged weights")
    parser.add_argument("--warmup", type=int, default=300, help="steps of rising learning rate")
    parser.add_argument(
        "--workers", type=int, default=max(1, (os.cpu_count() or 2) - 1), help="processes that make batches"
    )
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--compile", action="store_true", help="compile the network first (a minute)")
    parser.add_argument("--log-every", type=int, default=50)
    parser.add_argument("--check-every", type=int, default=1000)
    parser.add_argument("--check-batches", type=int, default=8, help="held-out batches of 16 crops a maker")
    return parser.parse_args()


def main() -> None:
    """Train from the command line."""
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    Run(parse()).train()


if __name__ == "__main__":
    main()

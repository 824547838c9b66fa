"""Train small backbones on 64 x 64 pictures of 200 classes, all by one recipe, and see what their features are worth.

    export PYTHONPATH=benchmarks
    python -P benchmarks/tiny_imagenet.py pack --data DIR --into .carry_1 .carry_2 .carry_3
    python -P benchmarks/tiny_imagenet.py prepare --data .carry_1 --cache /tmp/tiny
    python -P benchmarks/tiny_imagenet.py measure --models patnet_t1 resnet18 --out runs/tiny
    python -P benchmarks/tiny_imagenet.py train --models patnet_t1 resnet18 --cache /tmp/tiny --out runs/tiny
    python -P benchmarks/tiny_imagenet.py probe --models patnet_t1 --weights FILE --photos DIR --out runs/tiny

Pictures are enlarged to 128 pixels on the GPU for every model: a stem of stride 4 then leaves maps of 32, 16, 8 and 4
cells, so that official architectures stay as they are. Several models train at once, each in a process of its own.
Results are lines of JSON in OUT/results.jsonl, written as they are reached; so a run that is cut off has reported.
A training goes on from its folder of states when it is started again.

The pictures may not be given on, and weights trained on them are for research only.
"""

import argparse
import importlib
import json
import multiprocessing
import os
import sys
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor, as_completed
from copy import deepcopy
from dataclasses import asdict, fields
from functools import partial
from pathlib import Path
from threading import BrokenBarrierError
from typing import Any

import torch
from probes import linear_probe, nearest_neighbors, pooled_features, settle_norms
from safetensors.torch import load_file, save_file
from tiny_imagenet_augment import plain
from tiny_imagenet_data import find_tars, load_photos, load_split, pack, prepare
from tiny_imagenet_train import Recipe, Schedule, Trainer, accuracy, autocast, build, count
from torch import Tensor, nn

CLASSES = 200


def slug(text: str) -> str:
    """Make a model's name and arguments a file name."""
    return "".join(letter if letter.isalnum() or letter in "_." else "-" for letter in text)


def report(arguments: argparse.Namespace, line: dict[str, Any]) -> None:
    """Add a line to the results, in one write, as processes share the file."""
    arguments.out.mkdir(parents=True, exist_ok=True)
    with (arguments.out / "results.jsonl").open("a") as stream:
        stream.write(json.dumps(line) + "\n")


def recipe_of(arguments: argparse.Namespace) -> Recipe:
    """Return the recipe that the command line asks for."""
    return Recipe(**{field.name: getattr(arguments, field.name) for field in fields(Recipe)})


def start(arguments: argparse.Namespace, seed: int) -> torch.device:
    """Open the families, seed, and return the device."""
    for module in arguments.modules:
        importlib.import_module(module)
    if arguments.threads:
        torch.set_num_threads(arguments.threads)
    torch.manual_seed(seed)
    device = torch.device(arguments.device or ("cuda" if torch.cuda.is_available() else "cpu"))
    if device.type == "cuda":
        torch.backends.cudnn.benchmark = True
        torch.set_float32_matmul_precision("high")
    return device


def load_weights(text: str, file: Path) -> nn.Module:
    """Create a model with trained weights."""
    model = build(text, CLASSES)
    state = load_file(file)
    model.load_state_dict({key: value.float() if value.is_floating_point() else value for key, value in state.items()})
    return model


def save_weights(model: nn.Module, file: Path) -> None:
    """Write weights in half precision."""
    state = model.state_dict()
    half = {key: value.half() if value.is_floating_point() else value for key, value in state.items()}
    file.parent.mkdir(parents=True, exist_ok=True)
    partial = file.with_suffix(".partial")
    save_file({key: value.cpu().contiguous() for key, value in half.items()}, partial)
    os.replace(partial, file)


def train_one(text: str, arguments: argparse.Namespace) -> dict[str, Any]:
    """Train one model, or go on with it, until its schedule or this part of it ends.

    Args:
        text: Name and arguments of the model.
        arguments: Of the command line.

    Returns:
        What was reached.
    """
    begun = time.perf_counter()
    recipe = recipe_of(arguments)
    device = start(arguments, recipe.seed)
    pictures, labels = load_split(arguments.cache, "train", device)
    val, val_labels = load_split(arguments.cache, "val", device)
    model = build(text, CLASSES)
    parameters, macs = count(model, recipe.size)
    teachers = [load_weights(*_named_file(teacher)).eval().requires_grad_(False) for teacher in arguments.teachers]
    trainer = Trainer(model, recipe, pictures, labels, CLASSES, teachers)
    failure = trainer.warm_up()
    state_file = arguments.state / f"{slug(text)}.s{recipe.seed}.pt"
    spent = 0.0
    if state_file.exists() and not arguments.fresh:
        state = torch.load(state_file, map_location=device, weights_only=True)
        trainer.load(state)
        spent = state["seconds"]
    started = time.perf_counter() - begun
    schedule = Schedule(recipe, trainer.epoch_steps, spent + started, trainer.progress, arguments.reserve)
    part_ends = begun + arguments.part_minutes * 60 - arguments.reserve if arguments.part_minutes else float("inf")
    first_steps, first = trainer.steps, time.perf_counter()
    look = (int(trainer.progress * arguments.looks) + 1) / arguments.looks
    result: dict[str, Any] = {
        "model": text,
        "seed": recipe.seed,
        "pictures": len(labels),
        "parameters": parameters,
        "macs": macs,
        "start_seconds": round(started, 1),
        "teachers": arguments.teachers,
        "compiled": failure or recipe.compile,
    }

    def reached(final: bool) -> dict[str, Any]:
        """Measure the averaged weights, and keep what going on needs."""
        trained = (trainer.steps - first_steps) * min(recipe.batch, len(labels))
        if device.type == "cuda":
            torch.cuda.synchronize()
        pace = trained / max(time.perf_counter() - first, 1e-9)
        top1, top5 = accuracy(trainer.averaged, val, val_labels, recipe.size)
        line = {
            **result,
            "progress": round(trainer.progress, 4),
            "epochs": round(trainer.steps * recipe.batch / len(labels), 2),
            "seconds": round(spent + time.perf_counter() - begun, 1),
            "train_per_second": round(pace),
            "loss": round(trainer.loss.item(), 4),
            "top1": round(top1, 2),
            "top5": round(top5, 2),
        }
        if arguments.export and (final or trainer.progress >= 0.5):
            save_weights(trainer.averaged, arguments.out / f"{slug(text)}.safetensors")
        arguments.state.mkdir(parents=True, exist_ok=True)
        partial = state_file.with_suffix(".partial")
        torch.save({**trainer.state(), "seconds": spent + time.perf_counter() - begun}, partial)
        os.replace(partial, state_file)
        return line

    while (progress := schedule.at(trainer.steps)) < 1 and time.perf_counter() < part_ends:
        trainer.step(progress)
        if progress >= look:
            look = (int(progress * arguments.looks) + 1) / arguments.looks
            line = reached(final=False)
            report(arguments, line)
            print(f"{text}: {100 * progress:.0f} % {line['train_per_second']}/s {line['top1']} %", flush=True)
    if progress >= 1:
        trainer.progress = 1.0
    line = {**reached(final=True), "final": progress >= 1, "recipe": asdict(recipe)}
    save_weights(trainer.averaged, arguments.state / f"{slug(text)}.s{recipe.seed}.safetensors")
    line.update(_final_numbers(trainer, val, val_labels))
    report(arguments, line)
    return line


def _named_file(text: str) -> tuple[str, Path]:
    name, _, file = text.rpartition("=")
    return name, Path(file)


def _final_numbers(trainer: Trainer, val: Tensor, labels: Tensor) -> dict[str, float]:
    """Measure the weights as they are saved, in float32, and other ways to use them."""
    size = trainer.recipe.size
    half = deepcopy(trainer.averaged).half().float()
    larger = size * 5 // 4  # crops show things larger than measuring does, and more pixels make up for it
    found = {
        "top1_saved": accuracy(half, val, labels, size, exact=True)[0],
        "top1_mirrored": accuracy(half, val, labels, size, mirror=True, exact=True)[0],
        f"top1_at_{larger}": accuracy(half, val, labels, larger, exact=True)[0],
        "top1_last": accuracy(trainer.model, val, labels, size)[0],
    }
    return {name: round(value, 2) for name, value in found.items()}


_meet: Any = None
_alone: Any = None


def _share(meet: Any, alone: Any) -> None:
    """Give a worker the barrier at which all have compiled, and the lock of the GPU."""
    global _meet, _alone
    _meet, _alone = meet, alone


def _pace(run: Callable[[], None], batch: int, device: torch.device, seconds: float) -> int:
    """Return pictures a second."""

    def wait() -> None:
        if device.type == "cuda":
            torch.cuda.synchronize()

    run()
    wait()
    begun, runs = time.perf_counter(), 0
    while (passed := time.perf_counter() - begun) < seconds or runs < 2:
        for _ in range(2):
            run()
        runs += 2
        wait()
    return round(runs * batch / passed)


def measure_one(text: str, arguments: argparse.Namespace) -> dict[str, Any]:
    """Measure pictures a second of one model: training steps and answers, eager and compiled, on random pictures.

    All models compile at the same time; then one after the other has the GPU to itself.
    """
    begun = time.perf_counter()
    recipe = recipe_of(arguments)
    device = start(arguments, recipe.seed)
    pictures = torch.randint(0, 256, (2 * recipe.batch, 3, 64, 64), dtype=torch.uint8, device=device)
    labels = torch.randint(0, CLASSES, (2 * recipe.batch,), device=device)
    line: dict[str, Any] = {"model": text, "batch": recipe.batch}
    try:
        model = build(text, CLASSES)
        line["parameters"], line["macs"] = count(model, recipe.size)
        trainer = Trainer(model, recipe, pictures, labels, CLASSES)
        line["compiled"] = trainer.warm_up() or recipe.compile
        views = plain(pictures[: recipe.batch], recipe.size)

        def answer(network: nn.Module) -> None:
            network.eval()
            with torch.inference_mode(), autocast(device):
                network(views)

        answer(trainer.compiled)
        answer(trainer.model)
        line["compile_seconds"] = round(time.perf_counter() - begun, 1)
        if device.type == "cuda":
            torch.cuda.empty_cache()  # the others need it now
    except BaseException:
        if _meet is not None:
            _meet.abort()  # the others need not wait for this one
        raise
    if _meet is not None:
        try:
            _meet.wait(arguments.patience)
        except BrokenBarrierError:
            line["alone"] = False
    with _alone:
        for size in sorted({trainer.size_at(0.0), trainer.size_at(1.0)}):
            progress = 1.0 if size == recipe.size else 0.0
            step = partial(trainer.step, progress)
            line[f"train_{size}"] = _pace(step, recipe.batch, device, arguments.seconds)
        line["answer"] = _pace(lambda: answer(trainer.compiled), recipe.batch, device, arguments.seconds)
        if trainer.compiled is not trainer.model:
            compiled, trainer.compiled = trainer.compiled, trainer.model
            line["train_eager"] = _pace(lambda: trainer.step(1.0), recipe.batch, device, arguments.seconds)
            line["answer_eager"] = _pace(lambda: answer(trainer.model), recipe.batch, device, arguments.seconds)
            trainer.compiled = compiled
        if device.type == "cuda":
            line["memory_gib"] = round(torch.cuda.max_memory_allocated() / 2**30, 1)
            line["device"] = torch.cuda.get_device_name()
            torch.cuda.empty_cache()
    report(arguments, line)
    return line


def probe_one(text: str, arguments: argparse.Namespace) -> dict[str, Any]:
    """Probe pooled features on photos of another data set: trained, with random weights, and the pixels themselves."""
    recipe = recipe_of(arguments)
    device = start(arguments, recipe.seed)
    photos, labels = zip(*(load_photos(arguments.photos, split) for split in ("train", "val")), strict=True)
    line: dict[str, Any] = {"model": text, "weights": arguments.weights.name, "photos": [len(part) for part in photos]}
    kinds = {"trained": load_weights(text, arguments.weights), "random": build(text, CLASSES)}
    for model in kinds.values():
        model.to(device).reset_classifier(0)  # type: ignore[operator]
    views = [[plain(part.to(device), recipe.size) for part in split.split(250)] for split in photos]
    settle_norms(kinds["random"], views[0])
    pixels = [plain(split, 32).flatten(1) for split in photos]
    features = {key: [pooled_features(model, split) for split in views] for key, model in kinds.items()}
    for key, (train, val) in {**features, "pixels": pixels}.items():
        line[f"linear_{key}"] = round(linear_probe(train, labels[0], val, labels[1], recipe.seed), 2)
        line[f"neighbors_{key}"] = round(nearest_neighbors(train, labels[0], val, labels[1]), 2)
    line["gain"] = round(line["linear_trained"] - line["linear_random"], 2)
    report(arguments, line)
    return line


def run_all(work: Callable[..., dict[str, Any]], arguments: argparse.Namespace) -> list[dict[str, Any]]:
    """Do the work for all models, each in its own process; what one fails at, the others do not notice."""
    models, found = arguments.models, []
    together = min(len(models), arguments.at_once or len(models))
    context = multiprocessing.get_context("spawn")
    meet = context.Barrier(len(models)) if work is measure_one and together == len(models) else None
    with ProcessPoolExecutor(together, context, _share, (meet, context.Lock())) as pool:
        futures = {pool.submit(work, text, arguments): text for text in models}
        for future in as_completed(futures):
            try:
                line = future.result()
            except Exception as error:
                trace = str(error.__cause__ or error).splitlines()[-10:]  # the worker's own
                line = {"model": futures[future], "error": f"{type(error).__name__}: {error}"[:500], "trace": trace}
                report(arguments, line)
            print(json.dumps({key: value for key, value in line.items() if key != "recipe"}), flush=True)
            found.append(line)
    return found


def parse(words: list[str]) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("verb", choices=("pack", "prepare", "measure", "train", "probe"))
    parser.add_argument("--data", type=Path, nargs="*", default=[], help="folders of tars; those that miss are passed")
    parser.add_argument("--into", type=Path, nargs="*", default=[], help="folders to spread the sheets over")
    parser.add_argument("--cache", type=Path, default=Path("runs/tiny_cache"), help="folder of decoded pictures")
    parser.add_argument("--expect", type=int, default=50_000, help="training pictures that must be there")
    parser.add_argument("--models", nargs="*", default=[], help="names of timm, as NAME or NAME:key=value,key=value")
    parser.add_argument("--modules", nargs="*", default=["foveate.backbones"], help="to import first")
    parser.add_argument("--teachers", nargs="*", default=[], help="trained models, as NAME=FILE")
    parser.add_argument("--out", type=Path, default=Path("runs/tiny"), help="folder of results")
    parser.add_argument("--state", type=Path, default=Path("runs/tiny_state"), help="folder of what going on needs")
    parser.add_argument("--fresh", action="store_true", help="begin anew")
    parser.add_argument("--export", action="store_true", help="write weights to the folder of results")
    parser.add_argument("--weights", type=Path, help="trained weights to probe")
    parser.add_argument("--photos", type=Path, help="folder of labelled photos to probe on")
    parser.add_argument("--part-minutes", type=float, default=0, help="end this part of the training by then")
    parser.add_argument("--reserve", type=float, default=15, help="seconds kept for the last measurement")
    parser.add_argument("--looks", type=int, default=10, help="measurements in the course of a training")
    parser.add_argument("--at-once", type=int, default=0, help="processes; 0 for one a model")
    parser.add_argument("--seconds", type=float, default=1.0, help="of each timing")
    parser.add_argument("--patience", type=float, default=240, help="seconds that measuring waits for all to compile")
    parser.add_argument("--threads", type=int, default=0, help="of torch on the CPU")
    parser.add_argument("--device", help="cuda or cpu")
    for field in fields(Recipe):
        name, default = f"--{field.name.replace('_', '-')}", field.default
        if isinstance(default, bool):
            parser.add_argument(name, action=argparse.BooleanOptionalAction, default=default, help="see Recipe")
        else:
            parser.add_argument(name, type=type(default), default=default, help="see Recipe")
    arguments = parser.parse_args(words)
    if arguments.verb == "probe" and not (arguments.weights and arguments.photos and len(arguments.models) == 1):
        parser.error("probe takes one model, its --weights and --photos")
    return arguments


def main(words: list[str]) -> int:
    """Do what the command line says; return 0 if all models came through."""
    arguments = parse(words)
    if arguments.verb == "pack":
        sizes = pack(arguments.data, arguments.into)
        print(json.dumps({str(folder): size for folder, size in zip(arguments.into, sizes, strict=True)}))
        return 0
    if arguments.verb in ("prepare", "train"):
        begun = time.perf_counter()
        counts = prepare(arguments.data, arguments.cache)
        tars = len(find_tars(arguments.data))
        print(json.dumps({**counts, "tars": tars, "seconds": round(time.perf_counter() - begun, 1)}), flush=True)
        if arguments.verb == "train" and counts["train"] < arguments.expect:
            print(f"{counts['train']} training pictures are there, {arguments.expect} are expected: see --expect")
            return 1
    work = {"measure": measure_one, "train": train_one, "probe": probe_one}.get(arguments.verb)
    return int(any("error" in line for line in run_all(work, arguments))) if work else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

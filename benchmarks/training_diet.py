"""Does what a network was trained on decide which way its visual search is asymmetric? See training_diet.md.

    export PYTHONPATH=benchmarks
    python -P benchmarks/training_diet.py train --data DIR --cache /tmp/tiny --out runs/diet
    python -P benchmarks/training_diet.py search --networks runs/diet --json runs/diet.json

`train` makes one small network for each diet and seed. `search` gives each an eye that loses detail away from the
fixation (eccNET), runs the six experiments of search asymmetry with it, and writes indices of the diets with intervals
over networks and trials. Both take --quick, which only shows that everything runs.

The pictures may not be given on, and weights trained on them are for research only.
"""

import argparse
import json
import multiprocessing
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path
from typing import Any

import numpy as np
import torch
from training_diet_net import DIETS, UNTRAINED, card_of, device_of, fold_norms, load_network, train, untrained

from foveate.scanpath.asymmetry import EXPERIMENTS, AsymmetryResult, asymmetry_index, run_asymmetry
from foveate.scanpath.asymmetry.human import PUBLISHED_INDICES, RT_SLOPE
from foveate.scanpath.asymmetry.index import slopes_of_means
from foveate.scanpath.eccentric_cnn import TimmEccNet
from foveate.scanpath.search_models import NetworkSearch

# Saccades of networks: diet, seed, task -> (set sizes, trials).
Scores = Mapping[str, Mapping[int, Mapping[str, np.ndarray]]]
PUBLISHED = {
    "upright": "eccNET",
    "rotated": "eccNET, rotated ImageNet",
    "lines": "eccNET, straight lines added",
}
# What --quick changes.
QUICK: dict[str, dict[str, Any]] = {
    "train": {"seeds": 2, "minutes": 0.0, "epochs": 1.0, "batch": 64, "pictures": 256, "size": 64, "low_size": 0}
    | {"widths": (8, 8, 8, 8, 8)},
    "search": {"experiments": [2], "trials": 2, "samples": 200},
}


def run_network(path: Path, diet: str, number: int, arguments: argparse.Namespace) -> dict[str, Any]:
    """Run network ``number`` through the experiments; the scenes are those of its seed, the same for all diets."""
    begun = time.perf_counter()
    device = device_of(arguments.device)
    if device.type == "cuda":
        if device.index is None:
            device = torch.device("cuda", number % torch.cuda.device_count())
        # Many processes share the cores, and the GPU does the work.
        torch.set_num_threads(1)
    model, facts = load_network(path)
    seed = int(facts["seed"])
    if diet == UNTRAINED:
        model = untrained(seed, [int(width) for width in facts["widths"].split()])
    eye = TimmEccNet(fold_norms(model), trained=diet != UNTRAINED, reductions=(4, 8, 16))
    search = NetworkSearch(eye, str(device))
    search.name = f"{diet} {seed}"
    result = run_asymmetry(
        search, experiments=arguments.experiments, trials=arguments.trials, seed=seed, batch=arguments.batch
    )
    known = {} if diet == UNTRAINED else {key: float(facts[key]) for key in ("top1", "top1_upright")}
    found = {task: round(share, 4) for task, share in result.found.items()}
    saccades = {task: scores.astype(int).tolist() for task, scores in result.saccades.items()}
    seconds = round(time.perf_counter() - begun, 1)
    return {"diet": diet, "seed": seed, **known, "seconds": seconds, "found": found, "saccades": saccades}


def draw_slopes(scores: Scores, samples: int, seed: int = 0) -> dict[str, dict[str, np.ndarray]]:
    """Bootstrap networks, and within each its trials.

    Args:
        scores: Of networks, all diets with the same seeds and tasks.
        samples: How often to draw.
        seed: Of the random numbers.

    Returns:
        By diet and task (1 + samples, seeds): milliseconds for each further item; the first row as measured. All diets
        have the same draws, as they have the same seeds and scenes, so their differences may be taken row by row.
    """
    random = np.random.default_rng(seed)
    diets, seeds = list(scores), sorted(next(iter(scores.values())))
    networks = random.integers(len(seeds), size=(1 + samples, len(seeds)))
    networks[0] = np.arange(len(seeds))
    slopes: dict[str, dict[str, np.ndarray]] = {diet: {} for diet in diets}
    for experiment in EXPERIMENTS:
        for task in experiment.tasks:
            if task.name not in scores[diets[0]][seeds[0]]:
                continue
            sizes, trials = np.shape(scores[diets[0]][seeds[0]][task.name])
            drawn = random.integers(trials, size=(*networks.shape, sizes, trials))
            drawn[0] = np.arange(trials)
            places = networks[:, :, None, None], np.arange(sizes)[:, None], drawn
            for diet in diets:
                stacked = np.stack([scores[diet][s][task.name] for s in seeds]).astype(np.float64)
                means = stacked[places].mean(3)
                slopes[diet][task.name] = RT_SLOPE * slopes_of_means(experiment.set_sizes, means)
    return slopes


def spread(values: np.ndarray) -> dict[str, Any]:
    """Return the measured value of ``draw_slopes``' rows (1 + samples, seeds), its interval and its sign."""
    means = values.mean(1)
    low, high = np.quantile(means[1:], [0.025, 0.975])
    sign = "+" if low > 0 else "-" if high < 0 else "?"
    return {"value": round(float(means[0]), 4), "interval_95": [round(float(v), 4) for v in (low, high)], "sign": sign}


def summarize(scores: Scores, samples: int) -> dict[str, Any]:
    """Compare diets.

    Args:
        scores: Of networks, all diets with the same seeds and tasks.
        samples: Of the bootstrap.

    Returns:
        By diet and experiment: the asymmetry index, mean of networks; the difference of slopes that it comes from,
        which does not saturate; and the index upright minus the diet's.
    """
    slopes = draw_slopes(scores, samples)
    tasks = next(iter(slopes.values()))
    experiments = [e for e in EXPERIMENTS if all(task.name in tasks for task in e.tasks)]
    indices = {
        diet: {str(e.number): asymmetry_index(own[e.harder.name], own[e.easier.name]) for e in experiments}
        for diet, own in slopes.items()
    }
    for own in indices.values():
        own["mean"] = np.mean(list(own.values()), 0)
    summary: dict[str, Any] = {"seeds": sorted(next(iter(scores.values()))), "samples": samples, "diets": {}}
    for diet, own in indices.items():
        rows: dict[str, Any] = {}
        for key, values in own.items():
            rows[key] = {**spread(values), "networks": [round(float(v), 4) for v in values[0]]}
            if "upright" in indices and diet != "upright":
                rows[key]["upright_minus_this"] = spread(indices["upright"][key] - values)
        for e in experiments:
            hard, easy = slopes[diet][e.harder.name], slopes[diet][e.easier.name]
            rows[str(e.number)] |= {"title": e.title, "slope_difference_ms": spread(hard - easy)}
            rows[str(e.number)]["slopes_ms"] = {"harder": spread(hard), "easier": spread(easy)}
        summary["diets"][diet] = rows
    return summary


def tables(summary: dict[str, Any]) -> str:
    """Return Markdown tables: indices, their signs beside people's and the paper's, and slopes."""
    diets = summary["diets"]
    keys = list(next(iter(diets.values())))
    titles = [f"{key} {next(iter(diets.values()))[key].get('title', '')}".strip() for key in keys]
    numbers = [int(key) for key in keys if key != "mean"]

    def text(cell: dict[str, Any], digits: int = 2) -> str:
        low, high = cell["interval_95"]
        return f"{cell['value']:.{digits}f} [{low:.{digits}f}, {high:.{digits}f}]"

    def row(label: str, cells: Sequence[str]) -> str:
        return f"| {label} | " + " | ".join(cells) + " |"

    def published(name: str) -> list[str]:
        values = [PUBLISHED_INDICES[name][number - 1] for number in numbers]
        return [f"{value:+.2f}" for value in [*values, float(np.mean(values))]]

    head = [row("", titles), "|---" * (len(titles) + 1) + "|"]
    lines = ["Asymmetry index, 95 % intervals:", "", *head]
    lines += [row(diet, [text(own[key]) for key in keys]) for diet, own in diets.items()]
    lines += [row(label, published(label)) for label in ("humans", *PUBLISHED.values())]
    lines += ["", "Polarity: sign of the interval (? where it holds 0), and networks with an index above 0:", "", *head]
    for diet, own in diets.items():
        counts = [f"{sum(v > 0 for v in own[key]['networks'])}/{len(own[key]['networks'])}" for key in keys]
        lines.append(row(diet, [f"{own[key]['sign']} {count}" for key, count in zip(keys, counts, strict=True)]))
    lines += ["", "Index, upright minus the diet:", "", *head]
    for diet, own in diets.items():
        if all("upright_minus_this" in own[key] for key in keys):
            lines.append(row(diet, [text(own[key]["upright_minus_this"]) for key in keys]))
    lines += ["", "Slope of the task harder for people minus that of the easier, ms an item:", "", *head]
    for diet, own in diets.items():
        cells = [text(own[key]["slope_difference_ms"], 0) for key in keys if key != "mean"]
        lines.append(row(diet, [*cells, ""]))
    return "\n".join(lines)


def search(arguments: argparse.Namespace) -> None:
    """Run all networks and write what is known after each, so that a run that is cut off has reported."""
    paths = sorted(arguments.networks.glob("*-*.safetensors"), key=lambda path: path.stem.rsplit("-", 1)[::-1])
    if not paths:
        raise ValueError(f"{arguments.networks} has no networks: make them by `train --out {arguments.networks}`")
    jobs = [(path, path.stem.rsplit("-", 1)[0]) for path in paths]
    # Random weights are those that the networks of a seed began with, so any file of the seed will do.
    jobs += [(path, UNTRAINED) for path, diet in jobs if diet == "upright"]
    jobs.sort(key=lambda job: int(job[0].stem.rsplit("-", 1)[1]))
    device = device_of(arguments.device)
    training = arguments.networks / "training.json"
    report: dict[str, Any] = {
        "schema": 1,
        "device": card_of(device),
        "torch": torch.__version__,
        "trials": arguments.trials,
        "training": json.loads(training.read_text()) if training.exists() else None,
        "published": {name: list(values) for name, values in PUBLISHED_INDICES.items()},
        "networks": [],
    }
    workers = arguments.jobs or (8 if device.type == "cuda" else 1)
    if workers == 1:
        for number, job in enumerate(jobs):
            add_network(report, run_network(*job, number, arguments), arguments)
    else:
        with ProcessPoolExecutor(workers, multiprocessing.get_context("spawn")) as pool:
            futures = [pool.submit(run_network, *job, number, arguments) for number, job in enumerate(jobs)]
            for future in as_completed(futures):
                add_network(report, future.result(), arguments)
    print(tables(report["summary"]) if "summary" in report else "no seed has all diets", flush=True)


def add_network(report: dict[str, Any], network: dict[str, Any], arguments: argparse.Namespace) -> None:
    """Add a network to the report, and the summary of all seeds that are complete."""
    report["networks"].append(network)
    scores: dict[str, dict[int, dict[str, np.ndarray]]] = {diet: {} for diet in (*DIETS, UNTRAINED)}
    for one in report["networks"]:
        arrays = {task: np.array(rows) for task, rows in one["saccades"].items()}
        scores[one["diet"]][one["seed"]] = arrays
    complete = set.intersection(*(set(own) for own in scores.values()))
    if complete:
        whole = {diet: {s: own[s] for s in sorted(complete)} for diet, own in scores.items()}
        report["summary"] = summarize(whole, arguments.samples)
    arguments.json.parent.mkdir(parents=True, exist_ok=True)
    arguments.json.write_text(json.dumps(report) + "\n")
    own = AsymmetryResult("", scores[network["diet"]][network["seed"]], {}, samples=2)
    indices = {number: round(value, 2) + 0.0 for number, value in own.indices.items()}
    print(f"{network['diet']} {network['seed']}: {network['seconds']} s, indices {indices}", flush=True)


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    verbs = parser.add_subparsers(dest="verb", required=True)
    one = verbs.add_parser("train", help="train a network for each diet and seed")
    one.add_argument("--data", type=Path, nargs="*", default=[], help="folders of tars that the cache may lack")
    one.add_argument("--cache", type=Path, required=True, help="folder of decoded pictures")
    one.add_argument("--out", type=Path, required=True, help="folder of the networks")
    one.add_argument("--seeds", type=int, default=4, help="networks of each diet")
    one.add_argument("--minutes", type=float, default=5.0, help="wall time of the whole training; 0 for no limit")
    one.add_argument("--epochs", type=float, default=0.0, help="passes over the pictures; 0 for as many as time allows")
    one.add_argument("--batch", type=int, default=512, help="pictures a step")
    one.add_argument("--lr", type=float, default=2e-3, help="peak learning rate")
    one.add_argument("--size", type=int, default=96, help="side that pictures are enlarged to")
    one.add_argument("--low-size", type=int, default=64, help="smaller side for the first part; 0 for none")
    one.add_argument("--low-until", type=float, default=0.6, help="part of the training that sees it")
    one.add_argument("--pictures", type=int, default=0, help="use only so many; 0 for all")
    one.add_argument("--widths", type=int, nargs=5, default=(32, 64, 96, 96, 128), help="channels of the blocks")
    two = verbs.add_parser("search", help="run the six experiments with each network")
    two.add_argument("--networks", type=Path, required=True, help="folder that train wrote")
    two.add_argument("--json", type=Path, required=True, help="file to write")
    two.add_argument("--experiments", type=int, nargs="+", default=[1, 2, 3, 4, 5, 6], help="1 to 6")
    two.add_argument("--trials", type=int, default=0, help="for each set size; 0 for as many as in the paper")
    two.add_argument("--batch", type=int, default=8, help="scenes that a network sees at once")
    two.add_argument("--samples", type=int, default=4000, help="of the bootstrap")
    two.add_argument(
        "--jobs", type=int, default=0, help="networks at a time, each a process, over all GPUs; 0: 8 with GPUs, 1 else"
    )
    for verb in (one, two):
        verb.add_argument("--device", default="", help="where to compute; empty for a GPU where there is one")
        verb.add_argument("--quick", action="store_true", help="tiny, to see that it runs")
    one.set_defaults(run=train)
    two.set_defaults(run=search)
    arguments = parser.parse_args()
    if arguments.quick:
        vars(arguments).update(QUICK[arguments.verb])
    arguments.run(arguments)


if __name__ == "__main__":
    main()

"""``foveate asymmetry``: whether a model, like people, finds A among B sooner than B among A, in six experiments."""

import argparse
import json
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from foveate.cli_search import load_searcher
from foveate.console import FAILED, OK, UsageError, complain, output_folder, say, whole_number
from foveate.errors import sentence

if TYPE_CHECKING:
    from foveate.scanpath.asymmetry import AsymmetryResult, Experiment
    from foveate.scanpath.search import SearchModel

_MODELS = """models:
  eccnet, eccnet:NAME   a network that loses detail away from where it looks: torchvision's VGG16 where its weights
                        are in PyTorch's cache, else resnet18_ela_eye; NAME is a CNN of timm
  plain, plain:NAME     the same network, as sharp everywhere
  pixel                 the target's pixels laid over the scene
  chance                any place is as good as another

experiments:
  1 curvature   2 lighting   3 intersection   4 L and T   5, 6 orientation among one kind, and among many

With the default of 3 trials all six take several minutes of one CPU core, as many as in the paper more than an hour.
Results are written after each experiment, those with small scenes first.
"""


def add_parser(verbs: Any) -> None:
    """Add the verb to the parsers of the command.

    Args:
        verbs: Subparsers of the command.
    """
    parser = verbs.add_parser(
        "asymmetry",
        help="run six experiments on search asymmetry",
        description="Let a model search scenes of six experiments, and compare how much longer it takes with more\n"
        "items in either role. Prints a table of asymmetry indices with 95 % bootstrap intervals, beside people and\n"
        "published models, and writes asymmetry.md, asymmetry.png and asymmetry.json.",
        epilog=_MODELS,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("--model", default="eccnet", metavar="NAME", help="see below (default %(default)s)")
    add("--untrained", action="store_true", help="random weights, which mean nothing")
    add("--experiments", nargs="+", type=whole_number(1, 6), default=[1, 2, 3, 4, 5, 6], metavar="E",
        help="numbers (default: all six)")  # fmt: skip
    add("--trials", type=whole_number(0), default=3, metavar="N",
        help="for each task and number of items; 0 for those of the paper, 30 or 36 (default %(default)s)")  # fmt: skip
    add("--seed", type=whole_number(0), default=0, metavar="S", help="of scenes and models (default %(default)s)")
    add("--out", default="foveate-out/asymmetry", metavar="DIR", help="folder for results (default %(default)s)")
    add("--json", metavar="FILE", help="write the numbers here (default: asymmetry.json in --out)")
    add("--device", metavar="NAME", help="cpu, cuda, cuda:1 ... (default: cuda if there is one)")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Run the experiments, the quick ones first; go on past one that fails and name it at the end.

    Args:
        args: As ``add_parser`` describes them.

    Returns:
        Exit code: 1 when an experiment failed.

    Raises:
        UsageError: The words cannot be understood.
    """
    folder = output_folder(args.out)
    numbers = Path(args.json) if args.json else folder / "asymmetry.json"
    if numbers.is_dir() or not numbers.resolve().parent.is_dir():
        raise UsageError(f"--json {args.json} must name a file in a folder that exists: make the folder first")
    model = load_searcher(args.model, args.device, untrained=args.untrained, seed=args.seed)
    from foveate.scanpath.asymmetry import EXPERIMENTS

    chosen = sorted((e for e in EXPERIMENTS if e.number in args.experiments), key=lambda e: e.field)
    result: AsymmetryResult | None = None
    failures = []
    for experiment in chosen:
        try:
            result = _merged(result, _run_one(model, experiment, args))
            _write(result, folder, numbers, args.seed)
        except (ValueError, TypeError, RuntimeError, OSError) as error:
            failures.append(f"experiment {experiment.number}: {sentence(error)}")
            complain(failures[-1])
    if result is not None:
        say(result.table())
        say(_trials(result))
        say(f"{folder / 'asymmetry.png'}  {folder / 'asymmetry.md'}  {numbers}")
    if failures and len(chosen) > 1:
        complain(f"{len(failures)} of {len(chosen)} experiments failed:")
        for message in failures:
            complain(f"  {message}")
    return FAILED if failures else OK


def _run_one(model: "SearchModel", experiment: "Experiment", args: argparse.Namespace) -> "AsymmetryResult":
    """Run one experiment and say how it went."""
    from tqdm import tqdm

    from foveate.scanpath.asymmetry import run_asymmetry

    began = time.perf_counter()
    total = 2 * len(experiment.set_sizes) * (args.trials or experiment.trials)
    name = f"experiment {experiment.number}"
    with tqdm(total=total, desc=name, unit="trial", disable=None, leave=False) as bar:
        result = run_asymmetry(
            model, experiments=[experiment.number], trials=args.trials, seed=args.seed, progress=bar.update
        )
    complain(
        f"{name} ({experiment.title}): index {result.mean_index:.2f}, {total} trials, "
        f"{time.perf_counter() - began:.0f} s"
    )
    return result


def _merged(so_far: "AsymmetryResult | None", more: "AsymmetryResult") -> "AsymmetryResult":
    from dataclasses import replace

    if so_far is None:
        return more
    return replace(more, saccades={**so_far.saccades, **more.saccades}, found={**so_far.found, **more.found})


def _write(result: "AsymmetryResult", folder: Path, numbers: Path, seed: int) -> None:
    """Write what is known, after each experiment: a long run that is stopped leaves something."""
    from foveate.scanpath.asymmetry import draw_asymmetry

    data = {**result.to_dict(), "seed": seed}
    numbers.write_text(json.dumps(data, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    (folder / "asymmetry.md").write_text(f"{result.table()}\n\n{_trials(result)}\n", encoding="utf-8")
    draw_asymmetry(result).save(folder / "asymmetry.png")


def _trials(result: "AsymmetryResult") -> str:
    """Say how many trials an index rests on."""
    from foveate.scanpath.asymmetry import EXPERIMENTS

    shown = [e for e in EXPERIMENTS if e.number in result.numbers]
    each = {e.number: result.saccades[e.harder.name].shape[1] for e in shown}
    total = sum(result.saccades[task.name].size for e in shown for task in e.tasks)
    fewer = any(each[e.number] < e.trials for e in shown)
    counts = " or ".join(str(count) for count in sorted(set(each.values())))
    text = f"{total} trials, {counts} for each task and number of items"
    if not fewer:
        return f"{text}."
    return f"{text}; the paper has 30 or 36 (--trials 0), and intervals of fewer than ten mean little."

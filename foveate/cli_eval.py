"""``foveate eval``: how often the click lands in the box, or how alike scanpaths are, beside trivial baselines."""

import argparse
from dataclasses import replace
from pathlib import Path
from typing import Any

import foveate
from foveate.cli_scanpath import DEFAULT
from foveate.console import (
    FAILED,
    OK,
    UsageError,
    add_model_options,
    add_table_options,
    check_result_file,
    complain,
    load_looker,
    load_pointer,
    say,
    whole_number,
)
from foveate.errors import counted

# Data sets of gaze and what they are.
GAZE = {
    "mit1003": "1003 photographs, free viewing",
    "osie": "700 pictures with objects, free viewing",
    "capmit1003": "MIT1003, clicks of people who describe it",
    "cocosearch": "COCO photographs, search for one of 18 things",
    "folder": "pictures of your own, with a table of fixations",
}


def add_parser(verbs: Any) -> None:
    """Add the verb to the parsers of the command.

    Args:
        verbs: Subparsers of the command.
    """
    evaluate = verbs.add_parser("eval", help="measure a model on annotated pictures")
    suites = evaluate.add_subparsers(title="suites", metavar="SUITE", dest="suite", required=True)
    parser = suites.add_parser(
        "grounding",
        help="click accuracy on ScreenSpot-v2-style annotations",
        description="Accuracy by platform and kind of target, with a 95 % interval and the baselines.",
    )
    parser.add_argument("--annotations", nargs="+", required=True, metavar="FILE", help="ScreenSpot-v2-style JSON")
    parser.add_argument("--images", required=True, metavar="DIR", help="folder of the pictures")
    parser.add_argument("--json", metavar="FILE", help="write the result here; answers so far go to FILE.partial.jsonl")
    parser.add_argument("--resume", action="store_true", help="go on from FILE.partial.jsonl of an interrupted run")
    parser.add_argument("--limit", type=whole_number(1), metavar="N", help="the first N samples only")
    add_model_options(parser)
    parser.set_defaults(run=run)
    for name, text in GAZE.items():
        _add_gaze(suites, name, text)


def _add_gaze(suites: Any, name: str, text: str) -> None:
    parser = suites.add_parser(
        name,
        help=f"scanpaths of people on {text}",
        description=f"Compare a model's scanpaths with those of people on {text}: ScanMatch, SBTDE, sequence score "
        "and string edit distance, with standard errors over pictures, beside what is trivial and other people.",
    )
    add = parser.add_argument
    layout = "folder of the data set as it was published"
    if name == "folder":
        layout = "folder with pictures and fixations.csv: image, x, y (pixels), observer, duration, start (seconds)"
    add("--data", required=True, metavar="DIR", help=layout)
    add("--model", default=DEFAULT, metavar="NAME", help="a model of `foveate scanpath --help` (default %(default)s)")
    add("--device", metavar="NAME", help="cpu, cuda, cuda:1 ... (default: cuda if there is one)")
    add("--n", type=whole_number(1), metavar="N", help="fixations of each path (default: the median of people's)")
    add("--seed", type=whole_number(0), default=0, metavar="S", help="of all random numbers (default %(default)s)")
    add("--tell-task", action="store_true", help="tell the model what people looked for")
    add("--json", metavar="FILE", help="write the result here")
    add("--limit", type=whole_number(1), metavar="N", help="the first N pictures only")
    parser.set_defaults(run=run_gaze, dataset=name, columns=None, unit=None)
    if name == "folder":
        add_table_options(parser)


def run(args: argparse.Namespace) -> int:
    """Measure, print the table, write the result file.

    Args:
        args: As ``add_parser`` describes them.

    Returns:
        Exit code: 1 when pictures failed.

    Raises:
        UsageError: The options or the annotations cannot be used.
    """
    from foveate.grounding.screenspot import load_samples

    if args.resume and args.json is None:
        raise UsageError("--resume needs --json FILE: answers so far are kept beside that file")
    if not Path(args.images).is_dir():
        raise UsageError(f"--images {args.images} is no folder: give the folder that holds the annotated pictures")
    check_result_file("--json", args.json)
    try:
        samples = load_samples(args.annotations)[: args.limit]
    except ValueError as error:
        raise UsageError(str(error)) from error
    pointer = load_pointer(args.model, args.device)
    from foveate.grounding.evaluate import evaluate, format_report, write_result

    partial = Path(f"{args.json}.partial.jsonl") if args.json else None
    report = evaluate(pointer, samples, args.annotations, args.images, partial=partial, resume=args.resume)
    say(format_report(report))
    if args.json:
        write_result(report, args.json)
        say(f"result -> {args.json}")
    for failure in report.failures:
        complain(failure)
    if report.failures:
        complain(f"{counted(len(report.failures), 'picture')} failed: samples of such pictures count as misses")
    return FAILED if report.failures else OK


def run_gaze(args: argparse.Namespace) -> int:
    """Compare scanpaths with those of people, print the ladder, write the result file.

    Args:
        args: As ``add_parser`` describes them.

    Returns:
        Exit code: 1 when pictures failed.

    Raises:
        UsageError: The options cannot be used.
    """
    if not Path(args.data).is_dir():
        raise UsageError(f"--data {args.data} is no folder: give the folder that holds {args.dataset}")
    check_result_file("--json", args.json)
    from tqdm import tqdm

    from foveate.scanpath.datasets import open_dataset
    from foveate.scanpath.evaluate import evaluate, format_report, write_report

    model = load_looker(args.model, args.device)
    dataset = open_dataset(args.dataset, args.data, columns=args.columns, unit=args.unit)
    for problem in dataset.problems:
        complain(problem)
    viewings = dataset.viewings[: args.limit]
    with tqdm(total=len(viewings), unit="picture", disable=None, leave=False) as bar:
        report = evaluate(
            model,
            viewings,
            dataset=args.dataset,
            count=args.n,
            seed=args.seed,
            with_task=args.tell_task,
            progress=bar.update,
        )
    known = args.dataset in getattr(model, "trained_on", ())
    facts = {"limit": args.limit, "version": foveate.__version__, "trained_on_this": known}
    report = replace(report, settings={**report.settings, **facts})
    say(format_report(report))
    if known:
        say(f"{report.model} was trained on {args.dataset} and its score is too good: see its card for unseen pictures")
    if args.json:
        write_report(report, args.json)
        say(f"result -> {args.json}")
    for failure in report.failures:
        complain(failure)
    if report.failures:
        complain(f"{len(report.failures)} of {counted(len(viewings), 'picture')} failed, left out of the scores")
    return FAILED if report.failures else OK

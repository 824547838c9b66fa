"""``foveate eval grounding``: how often the click lands in the box, beside trivial baselines."""

import argparse
from pathlib import Path
from typing import Any

from foveate.console import FAILED, OK, UsageError, add_model_options, complain, load_pointer, say, whole_number


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
        description="Accuracy by platform and kind of target, with a 95 %% interval and the baselines.",
    )
    parser.add_argument("--annotations", nargs="+", required=True, metavar="FILE", help="ScreenSpot-v2-style JSON")
    parser.add_argument("--images", required=True, metavar="DIR", help="folder of the pictures")
    parser.add_argument("--json", metavar="FILE", help="write the result here; answers so far go to FILE.partial.jsonl")
    parser.add_argument("--resume", action="store_true", help="go on from FILE.partial.jsonl of an interrupted run")
    parser.add_argument("--limit", type=whole_number(1), metavar="N", help="the first N samples only")
    add_model_options(parser)
    parser.set_defaults(run=run)


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
    if args.json is not None and (Path(args.json).is_dir() or not Path(args.json).resolve().parent.is_dir()):
        raise UsageError(f"--json {args.json} must name a file in a folder that exists: make the folder first")
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
        complain(f"{len(report.failures)} pictures failed, and their samples count as misses")
    return FAILED if report.failures else OK

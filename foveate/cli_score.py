"""``foveate score``: how alike two tables of scanpaths are."""

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from foveate.console import OK, UsageError, add_table_options, check_result_file, complain, say
from foveate.errors import counted

if TYPE_CHECKING:
    from foveate.scanpath.comparing import Comparison

# Pictures of one table only that a terminal is told; files name them all.
_NAMED = 10
_NOTES = """tables:
  what foveate scanpath writes: NAME.scanpath.json, the lines of --json, NAME.scanpath.csv, or the folder of them
  your own: CSV or parquet with image, x, y (pixels), and where known observer, duration, start (seconds), task;
  the size of the pictures comes from columns width and height, the pictures beside the table, or the other table

measures:
  scanmatch, scanmatch_duration, sbtde, sequence_score, sed, stde, multimatch (five parts, each of which can be named:
  multimatch_shape ...); in pixels, and only when asked for: dtw, frechet, hausdorff

examples:
  foveate score people.csv foveate-out/scanpath --measures scanmatch,multimatch
  foveate score gaze.csv model.jsonl --unit ms --columns image=IMAGE,x=CURRENT_FIX_X,y=CURRENT_FIX_Y
"""


def add_parser(verbs: Any) -> None:
    """Add the verb to the parsers of the command.

    Args:
        verbs: Subparsers of the command.
    """
    parser = verbs.add_parser(
        "score",
        help="compare two tables of scanpaths",
        description="Compare every scanpath of one table with every one of another on the same picture. Prints means\n"
        "and standard errors over pictures.",
        epilog=_NOTES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("first", metavar="TABLE", help="scanpaths, of people for instance")
    add("second", metavar="TABLE", help="others, of a model for instance")
    add("--measures", metavar="NAMES", help="separated by commas, see below (default: all that are not in pixels)")
    add("--json", metavar="FILE", help="write means, standard errors and the means of each picture here")
    add("--csv", metavar="FILE", help="write the values of each pair here")
    add_table_options(parser, twice=True)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Compare, print the scores, write the files.

    Args:
        args: As ``add_parser`` describes them.

    Returns:
        Exit code.

    Raises:
        UsageError: The options cannot be used.
    """
    check_result_file("--json", args.json)
    check_result_file("--csv", args.csv)
    _keep_apart(args)
    names = [name.strip() for name in args.measures.split(",") if name.strip()] if args.measures else None
    if args.measures is not None and not names:
        raise UsageError("--measures names no measure: give names separated by commas")
    for option, given in (("--columns", args.columns), ("--unit", args.unit)):
        if len(given) > 2:
            raise UsageError(f"{option} is for two tables and was given {len(given)} times: give it twice at most")
    from foveate.scanpath.comparing import compare_files
    from foveate.scanpath.measures import MEASURES

    unknown = [name for name in names or () if name not in (*MEASURES, "multimatch")]
    if unknown:
        raise UsageError(f"there is no measure {unknown[0]!r}: use multimatch, {', '.join(MEASURES)}")
    columns, units = ([*given, None, None][:2] for given in (args.columns, args.unit))
    found = compare_files(args.first, args.second, measures=names, columns=columns, units=units)
    for problem in found.problems:
        complain(problem)
    _show(found, args.first, args.second)
    if args.json:
        text = json.dumps(found.to_dict(), indent=2, ensure_ascii=False, allow_nan=False)
        Path(args.json).write_text(text + "\n", encoding="utf-8")
        say(f"scores -> {args.json}")
    if args.csv:
        Path(args.csv).write_text(found.to_csv(), encoding="utf-8")
        say(f"pairs -> {args.csv}")
    return OK


def _keep_apart(args: argparse.Namespace) -> None:
    """Refuse to write over a table, or one result over the other.

    Raises:
        UsageError: A result has the file of something else.
    """
    taken = [Path(table).resolve() for table in (args.first, args.second)]
    for option, file in (("--json", args.json), ("--csv", args.csv)):
        if file is None:
            continue
        if Path(file).resolve() in taken:
            raise UsageError(f"{option} {file} would write over a table or the other result: name another file")
        taken.append(Path(file).resolve())


def _show(found: "Comparison", first: str, second: str) -> None:
    from foveate.scanpath.measures import LOWER_IS_BETTER

    say(f"{counted(found.scores.images, 'picture')} in both, {counted(found.scores.pairs, 'pair')} of scanpaths")
    lists = ((f"only in {first}", found.only_first), (f"only in {second}", found.only_second))
    for what, names in (*lists, ("in both, but nothing to compare", found.unpaired)):
        if names:
            more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
            say(f"{what}: {', '.join(names[:_NAMED])}{more}")
    if found.outside:
        say(f"left out, outside the picture: {counted(found.outside, 'fixation')}")
    for name, score in found.scores.scores.items():
        if not score.images:
            say(f"{name:22}        -            no pair has it")
            continue
        error = f"{score.se:.4f}" if score.images > 1 else "?"  # one picture has no spread
        lower = "  the lower the better" if name in LOWER_IS_BETTER else ""
        say(f"{name:22} {score.mean:9.4f} +- {error:8} {counted(score.images, 'picture')}{lower}")
    say("mean +- standard error over pictures")

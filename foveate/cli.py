"""The command ``foveate``: one verb a job. Nothing here or in the parsers imports torch, so ``--help`` is quick."""

import argparse
import json
import os
import sys
from collections.abc import Sequence

import foveate
from foveate import cli_asymmetry, cli_bench, cli_eval, cli_models, cli_point, cli_scanpath, cli_score, cli_search
from foveate.console import FAILED, OK, USAGE, Parser, UsageError, complain, say, whole_number
from foveate.errors import sentence

_EXAMPLES = """examples:
  foveate point --example mail "reply"              a picture that comes with the package
  foveate point shot.png "save the file"            one picture, one sentence
  foveate point shots/ "close" --out clicks         every picture of a folder
  foveate point shot.png --instructions tasks.txt   many sentences, the picture is read once
  foveate scanpath photo.jpg                        where an eye would rest, in order
  foveate search mug.png kitchen.jpg                the way of an eye to the mug
  foveate demo                                      the same as a web page
"""


def build_parser() -> argparse.ArgumentParser:
    """Describe the whole command line."""
    parser = Parser(
        prog="foveate",
        description="Machines that look: say what to click, get the point on the screen.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"foveate {foveate.__version__}")
    verbs = parser.add_subparsers(title="verbs", metavar="VERB", dest="verb", required=True)
    cli_point.add_parser(verbs)
    cli_scanpath.add_parser(verbs)
    cli_search.add_parser(verbs)
    cli_score.add_parser(verbs)
    cli_asymmetry.add_parser(verbs)
    cli_eval.add_parser(verbs)
    cli_bench.add_parser(verbs)
    cli_models.add_parser(verbs)
    doctor = verbs.add_parser("doctor", help="say what this machine has and what is missing")
    doctor.add_argument("--json", action="store_true", help="print JSON")
    doctor.set_defaults(run=run_doctor)
    demo = verbs.add_parser("demo", help="open the web page (needs the extra demos)")
    demo.add_argument("--host", default="127.0.0.1", help="address to listen on (default %(default)s: this machine)")
    demo.add_argument("--port", type=whole_number(1, 65535), help="port (default: the first free one from 7860)")
    demo.add_argument("--model", default="foveate-point-s", help="name or weights file (default %(default)s)")
    demo.set_defaults(run=run_demo)
    return parser


def run_doctor(args: argparse.Namespace) -> int:
    """Print what was found.

    Args:
        args: With ``json``.

    Returns:
        Exit code: 1 when pointing cannot work here.
    """
    from foveate.doctor import examine

    findings = examine()
    if args.json:
        say(json.dumps([finding.to_dict() for finding in findings], indent=2))
    else:
        for finding in findings:
            say(f"{finding.status:8} {finding.name:18} {finding.text}")
    return FAILED if any(finding.status == "missing" for finding in findings) else OK


def run_demo(args: argparse.Namespace) -> int:
    """Serve the web page until interrupted.

    Args:
        args: With ``host``, ``port`` and ``model``.

    Returns:
        Exit code.
    """
    from foveate.demos.app import launch

    try:
        launch(args.host, args.port, args.model)
    except ValueError as error:  # a model that nobody knows is a matter of the command line
        raise UsageError(str(error)) from error
    return OK


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command line.

    Args:
        argv: The words after ``foveate``; those of the process by default.

    Returns:
        0 when all went right, 1 when something failed, 2 when the command line itself is wrong.
    """
    try:
        args = build_parser().parse_args(argv)
        return int(args.run(args))
    except SystemExit as end:  # --help and --version end so
        return int(end.code or 0)
    except UsageError as error:
        complain(sentence(error))
        return USAGE
    except BrokenPipeError:  # whoever read the output, such as head, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return FAILED
    except (ValueError, TypeError, RuntimeError, OSError) as error:
        complain(sentence(error))
        return FAILED
    except KeyboardInterrupt:
        complain("stopped")
        return 130


if __name__ == "__main__":
    sys.exit(main())

"""``foveate scanpath``: pictures in, numbered fixations out."""

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from foveate.console import FAILED, OK, Input, UsageError, complain, find_inputs, output_folder, say, whole_number
from foveate.errors import sentence

if TYPE_CHECKING:
    from foveate.scanpath.predicting import ScanpathModel

# That of the room, which must not be opened for the sake of --help.
DEFAULT = "saliency-centre"
_MODELS = """models:
  neva, neva:NAME    what confirms the class a classifier of timm gives; NAME is one of timm's
  nevaclip           what brings the picture closer to the words of --task (needs transformers); :FOLDER or :NAME
  saliency-centre    spectral residual, nearer the middle more likely
  spectral, centre, uniform
"""


def add_parser(verbs: Any) -> None:
    """Add the verb to the parsers of the command.

    Args:
        verbs: Subparsers of the command.
    """
    parser = verbs.add_parser(
        "scanpath",
        help="say where an eye would rest, in order",
        description="Foretell the fixations of an eye on a picture. Prints them in pixels of the picture and writes "
        "NAME.scanpath.png, NAME.scanpath.json and NAME.scanpath.csv.",
        epilog=_MODELS,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("images", nargs="+", metavar="IMAGE", help="files, folders, patterns or -")
    add("--task", default="", metavar="WORDS", help="what is looked for, where the model reads words")
    add("--n", type=whole_number(1, 1000), default=10, metavar="N", help="fixations (default %(default)s)")
    add("--model", default=DEFAULT, metavar="NAME", help="see below (default %(default)s)")
    add("--seed", type=whole_number(0), default=0, metavar="S", help="of the random numbers (default %(default)s)")
    add("--out", default="foveate-out/scanpath", metavar="DIR", help="folder for results (default %(default)s)")
    add("--json", action="store_true", help="print one JSON object a line instead of text")
    add("--device", metavar="NAME", help="cpu, cuda, cuda:1 ... (default: cuda if there is one)")
    parser.set_defaults(run=run)


def load_looker(model: str, device: str | None) -> "ScanpathModel":
    """Load the scanpath model that --model and --device name.

    Args:
        model: Name.
        device: cpu, cuda, cuda:N, mps or None.

    Returns:
        The model.

    Raises:
        UsageError: Nobody knows that name or device.
        RuntimeError: Weights or the device are not here.
    """
    from foveate.scanpath.predicting import load_model

    try:
        return load_model(model, device)
    except ValueError as error:
        raise UsageError(str(error)) from error


def run(args: argparse.Namespace) -> int:
    """Look at all pictures; go on past bad ones and name them at the end.

    Args:
        args: As ``add_parser`` describes them.

    Returns:
        Exit code: 1 when a picture failed.

    Raises:
        UsageError: The words cannot be understood.
    """
    if args.images.count("-") > 1:
        raise UsageError("- (standard input) can be given once only: name the other pictures")
    inputs = find_inputs(args.images)
    folder = output_folder(args.out)
    model = load_looker(args.model, args.device)
    failures: list[str] = []
    for item, stem in _name_outputs(inputs):
        try:
            if item.error:
                raise ValueError(item.error)
            _look(model, item, folder / stem, args)
        except BrokenPipeError:
            raise
        except (ValueError, TypeError, RuntimeError, OSError) as error:
            message = sentence(error)
            failures.append(message if item.label in message else f"{item.label}: {message}")
            complain(failures[-1])
    if failures and len(inputs) > 1:
        complain(f"{len(failures)} of {len(inputs)} inputs failed:")
        for message in failures:
            complain(f"  {message}")
    return FAILED if failures else OK


def _name_outputs(inputs: list[Input]) -> list[tuple[Input, str]]:
    """Give each picture a name for its files; never one name twice."""
    taken: set[str] = set()
    named = []
    for item in inputs:
        base = item.stem if item.stem not in taken else Path(item.label).name
        stem, number = base, 2
        while stem in taken:
            stem, number = f"{base}-{number}", number + 1
        taken.add(stem)
        named.append((item, stem))
    return named


def _look(model: "ScanpathModel", item: Input, stem: Path, args: argparse.Namespace) -> None:
    """Look at one picture; the answer is on disk before it is printed."""
    from dataclasses import replace

    from foveate.scanpath.predicting import predict, save_scanpath
    from foveate.vision import load_image

    picture = load_image(item.source())
    path = replace(predict(picture, model=model, count=args.n, task=args.task, seed=args.seed), source=item.label)
    drawing = save_scanpath(path, picture, stem)
    if args.json:
        say(json.dumps(path.to_dict(), ensure_ascii=False))
        return
    places = "  ".join(f"{i}:({fixation.x:.0f}, {fixation.y:.0f})" for i, fixation in enumerate(path, start=1))
    untrained = "" if path.trained else "  untrained"
    say(f"{item.label}  {places}  {path.observer}{untrained}  {drawing}")

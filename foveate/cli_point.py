"""``foveate point``: pictures and sentences in, clicks out."""

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from foveate.console import (
    Input,
    UsageError,
    add_model_options,
    find_inputs,
    go_through,
    load_pointer,
    output_folder,
    say,
    whole_number,
)

if TYPE_CHECKING:
    from foveate.grounding.pointing import Pointer, Pointing


def add_parser(verbs: Any) -> None:
    """Add the verb to the parsers of the command.

    Args:
        verbs: Subparsers of the command.
    """
    parser = verbs.add_parser(
        "point",
        help="say what to click, get the point",
        usage='foveate point IMAGE... "instruction" [options]\n'
        "       foveate point IMAGE... --instructions FILE [options]\n"
        '       foveate point --example NAME ["instruction"] [options]',
        description="Find the place on a screenshot that a sentence names. Prints the point in pixels of the picture "
        "and writes NAME.point.png and NAME.point.json.",
    )
    add = parser.add_argument
    add("words", nargs="*", metavar="IMAGE", help="files, folders, patterns or -; then the sentence")
    add("--example", metavar="NAME", help="a picture of the package instead: mail, settings or files")
    add("--instructions", metavar="FILE", help="text file with one sentence a line, instead of the last word")
    add("--out", default="foveate-out/point", metavar="DIR", help="folder for results (default %(default)s)")
    add("--json", action="store_true", help="print one JSON object a line instead of text")
    add("--top", type=whole_number(1), default=1, metavar="K", help="keep the K best regions (default %(default)s)")
    add("--heatmap", action="store_true", help="draw the attention too and save it as NAME.point.npy")
    add("--resume", action="store_true", help="skip answers that --out holds already")
    add_model_options(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Answer all sentences for all pictures; go on past bad pictures and name them at the end.

    Args:
        args: As ``add_parser`` describes them.

    Returns:
        Exit code: 1 when a picture failed.

    Raises:
        UsageError: The words cannot be understood.
    """
    inputs, instructions = _questions(args)
    folder = output_folder(args.out)
    # Nothing is loaded where no picture is there.
    pointer = load_pointer(args.model, args.device) if any(not item.error for item in inputs) else None

    def answer(item: Input, stem: str) -> None:
        count = len(instructions)
        stems = [folder / (stem if count == 1 else f"{stem}.{i + 1}") for i in range(count)]
        _answer(pointer, item, stems, instructions, args)  # type: ignore[arg-type]

    return go_through(inputs, answer)


def _questions(args: argparse.Namespace) -> tuple[list[Input], list[str]]:
    """Tell pictures from sentences."""
    words, examples, own = list(args.words), [], ""
    if args.example is not None:
        from foveate.vision.examples import find_example

        try:
            example = find_example(args.example)
        except ValueError as error:
            raise UsageError(str(error)) from error
        examples, own = [Input(example.path.name, example.path)], example.instruction
    if args.instructions is not None:
        instructions = _read_instructions(Path(args.instructions))
    elif words:
        instructions = [_check_instruction(words.pop())]
    else:
        instructions = [own]
    if words.count("-") > 1:
        raise UsageError("- (standard input) can be given once only: name the other pictures")
    if not words and not examples:
        raise UsageError('an image and a sentence are both needed: foveate point IMAGE... "instruction"')
    return examples + find_inputs(words), instructions


def _check_instruction(text: str) -> str:
    if not text.strip():
        raise UsageError('the instruction is empty: say what to click, such as "save the file"')
    if Path(text).is_file():
        raise UsageError(f'{text} is a file, and the last word must be the instruction: add "what to click"')
    return text.strip()


def _read_instructions(path: Path) -> list[str]:
    try:
        lines = [line.strip() for line in path.read_text(encoding="utf-8-sig").splitlines()]
    except OSError as error:
        reason = (error.strerror or "unknown").lower()
        raise UsageError(f"cannot read --instructions {path} ({reason}): give a text file") from error
    except UnicodeDecodeError as error:
        raise UsageError(f"--instructions {path} is no UTF-8 text: write one sentence a line in UTF-8") from error
    sentences = [line for line in lines if line]
    if not sentences:
        raise UsageError(f"--instructions {path} holds no sentence: write one a line")
    return sentences


def _answer(
    pointer: "Pointer", item: Input, stems: list[Path], instructions: list[str], args: argparse.Namespace
) -> None:
    """Answer all sentences for one picture; each answer is on disk before it is printed."""
    todo = []
    for stem, text in zip(stems, instructions, strict=True):
        done = _done_before(stem, item, text, pointer.model_name, args) if args.resume else None
        if done is None:
            todo.append((stem, text))
        else:
            say(json.dumps(done) if args.json else f'{item.label}  "{text}" -> done before  {stem}.point.png')
    if not todo:
        return
    answers = pointer.many(item.source(), [text for _, text in todo], label=item.label)
    for (stem, _), answer in zip(todo, answers, strict=True):
        path = answer.save(f"{stem}.point.png", top=args.top, heatmap=args.heatmap)
        say(json.dumps(answer.to_dict(args.top)) if args.json else _line(answer, item.label, path, args.top))


def _line(answer: "Pointing", label: str, path: Path, top: int) -> str:
    x, y = answer.click
    note = "" if answer.trained else "  untrained"
    confidence = f"confidence {answer.confidence:.2f}{note}"
    line = f'{label}  "{answer.instruction}" -> ({x}, {y})  {confidence}  {answer.seconds:.2f} s  {path}'
    for rank, region in enumerate(answer.regions[1:top], start=2):
        line += f"\n  {rank}. ({int(region.point.x)}, {int(region.point.y)})  confidence {region.confidence:.2f}"
    return line


def _done_before(stem: Path, item: Input, text: str, model: str, args: argparse.Namespace) -> dict[str, Any] | None:
    """Read the whole answer to this very question if it lies there; anything unreadable counts as not done."""
    file = Path(f"{stem}.point.json")
    try:
        old = json.loads(file.read_text(encoding="utf-8"))
        same = (old["source"], old["instruction"], old["model"]) == (item.label, " ".join(text.split()), model)
        enough = len(old["regions"]) == min(args.top, old["regions_found"])
        newer = item.path is not None and item.path.stat().st_mtime <= file.stat().st_mtime
    except (OSError, ValueError, TypeError, KeyError):
        return None
    suffixes = (".png", ".npy") if args.heatmap else (".png",)
    complete = all(file.with_suffix(suffix).is_file() for suffix in suffixes)
    return old if same and enough and newer and complete else None

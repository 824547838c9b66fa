"""``foveate point``: pictures and sentences in, clicks out."""

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from foveate.console import FAILED, OK, Input, UsageError, complain, find_inputs, output_folder, say, sentence

if TYPE_CHECKING:
    from foveate.grounding.pointing import Pointer, Pointing


def add_parser(verbs: Any) -> None:
    """Add the verb to the parsers of the command."""
    parser = verbs.add_parser(
        "point",
        help="say what to click, get the point",
        usage='foveate point IMAGE... "instruction" [options]\n'
        "       foveate point IMAGE... --instructions FILE [options]",
        description="Find the place on a screenshot that a sentence names. Prints the point in pixels of the picture "
        "and writes NAME.point.png and NAME.point.json.",
    )
    parser.add_argument("words", nargs="+", metavar="IMAGE", help="files, folders, patterns or -; then the sentence")
    parser.add_argument("--instructions", metavar="FILE", help="text file with one sentence a line, instead of the last word")
    parser.add_argument("--out", default="foveate-out/point", metavar="DIR", help="folder for results (default %(default)s)")
    parser.add_argument("--json", action="store_true", help="print one JSON object a line instead of text")
    parser.add_argument("--top", type=int, default=1, metavar="K", help="keep the K best regions (default %(default)s)")
    parser.add_argument("--heatmap", action="store_true", help="draw the attention too and save it as NAME.point.npy")
    parser.add_argument("--model", default="foveate-point-s", metavar="NAME|PATH", help="default %(default)s")
    parser.add_argument("--device", metavar="NAME", help="cpu, cuda, cuda:1 ... (default: cuda if there is one)")
    parser.add_argument("--resume", action="store_true", help="skip answers that --out holds already")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Answer all sentences for all pictures; go on past bad pictures and name them at the end."""
    words, instructions = _instructions(args)
    if args.top < 1:
        raise UsageError(f"--top must be at least 1, got {args.top}")
    if words.count("-") > 1:
        raise UsageError("- (standard input) can be given once only")
    inputs = find_inputs(words)
    folder = output_folder(args.out)
    failures = [item.error for item in inputs if item.error]
    for message in failures:
        complain(message)
    todo = [(item, names) for item, names in _name_outputs(inputs, len(instructions)) if not item.error]
    pointer = _load(args.model, args.device) if todo else None
    for item, names in todo:
        try:
            _answer(pointer, item, [folder / name for name in names], instructions, args)
        except (ValueError, TypeError, RuntimeError, OSError) as error:
            message = sentence(error)
            failures.append(message if item.label in message else f"{item.label}: {message}")
            complain(failures[-1])
    if len(failures) > 0 and len(inputs) > 1:
        complain(f"{len(failures)} of {len(inputs)} inputs failed:")
        for message in failures:
            complain(f"  {message}")
    return FAILED if failures else OK


def _instructions(args: argparse.Namespace) -> tuple[list[str], list[str]]:
    """Tell pictures from sentences."""
    if args.instructions is not None:
        path = Path(args.instructions)
        try:
            lines = [line.strip() for line in path.read_text(encoding="utf-8-sig").splitlines()]
        except OSError as error:
            raise UsageError(f"cannot read --instructions {path} ({error.strerror}): give a text file") from error
        except UnicodeDecodeError as error:
            raise UsageError(f"--instructions {path} is no UTF-8 text: save it as UTF-8, one sentence a line") from error
        sentences = [line for line in lines if line]
        if not sentences:
            raise UsageError(f"--instructions {path} holds no sentence: write one a line")
        return args.words, sentences
    *words, last = args.words
    if not words:
        raise UsageError(f'{last!r} is an image or a sentence, and both are needed: foveate point IMAGE... "instruction"')
    if not last.strip():
        raise UsageError('the instruction is empty: say what to click, such as "save the file"')
    if Path(last).is_file():
        raise UsageError(f'the last word must be the instruction, and {last} is a file: add one, such as "save the file"')
    return words, [last.strip()]


def _name_outputs(inputs: list[Input], count: int) -> list[tuple[Input, list[str]]]:
    """Give each answer a file name: NAME, or NAME.2 for the second sentence; never one name twice."""
    taken: set[str] = set()
    named = []
    for item in inputs:
        stem = item.stem
        if stem in taken and item.path is not None:
            stem = item.path.name
        base, number = stem, 2
        while stem in taken:
            stem, number = f"{base}-{number}", number + 1
        taken.add(stem)
        named.append((item, [stem if count == 1 else f"{stem}.{i + 1}" for i in range(count)]))
    return named


def _load(model: str, device: str | None) -> "Pointer":
    from foveate.grounding.pointing import Pointer

    try:
        return Pointer(model, device)
    except ValueError as error:  # a name that nobody knows is a matter of the command line
        raise UsageError(str(error)) from error


def _answer(pointer: "Pointer", item: Input, stems: list[Path], instructions: list[str], args: argparse.Namespace) -> None:
    """Answer all sentences for one picture, writing each answer before the next is reported."""
    pairs = list(zip(stems, instructions, strict=True))
    done = {stem for stem, text in pairs if args.resume and _is_done(stem, item, text, pointer.model_name)}
    for stem, text in pairs:
        if stem in done and not args.json:
            say(f'{item.label}  "{text}" -> done before  {stem}.point.png')
        elif stem in done:
            say(json.dumps(json.loads(Path(f"{stem}.point.json").read_text(encoding="utf-8"))))
    todo = [(stem, text) for stem, text in pairs if stem not in done]
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
        line += f"\n  {rank}. ({region.point.x:.0f}, {region.point.y:.0f})  confidence {region.confidence:.2f}"
    return line


def _is_done(stem: Path, item: Input, text: str, model: str) -> bool:
    """Whether a whole answer to this very question lies there; anything unreadable counts as not done."""
    try:
        old = json.loads(Path(f"{stem}.point.json").read_text(encoding="utf-8"))
        picture_stays = item.path is not None and item.path.stat().st_mtime <= Path(f"{stem}.point.json").stat().st_mtime
    except (OSError, ValueError):
        return False
    same = isinstance(old, dict) and (old.get("source"), old.get("instruction"), old.get("model")) == (item.label, text, model)
    return same and picture_stays and Path(f"{stem}.point.png").is_file()

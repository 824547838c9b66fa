"""``foveate scanpath``: pictures in, numbered fixations out."""

import argparse
import json
import math
import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from foveate.console import (
    Input,
    UsageError,
    check_result_file,
    complain,
    find_inputs,
    go_through,
    load_looker,
    output_folder,
    say,
    whole_number,
)

if TYPE_CHECKING:
    from PIL import Image

    from foveate.scanpath.predicting import ScanpathModel

# That of the room, which must not be opened for the sake of --help.
DEFAULT = "priority"
# Models that read --task.
_READERS = ("nevaclip", "oat")
#: Files that are read as videos.
VIDEO_SUFFIXES = (".mp4", ".m4v", ".mov", ".avi", ".webm", ".mkv", ".mpg", ".mpeg", ".ogv")
_MODELS = """models:
  priority           learned from where people looked at photographs (the default)
  neva               what tells most of the picture to an eye that sees sharply only where it looks
  neva:NAME          what confirms the class that a classifier of timm gives
  nevaclip           what brings the picture closer to the words of --task (needs transformers); :FOLDER or :NAME
  oat:FILE           which object is looked at next on the way to the one of --task: "object 3", "X,Y" or "L,T,R,B"
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
        description="Foretell the fixations of an eye on a picture. Prints them in pixels of the picture and writes\n"
        "NAME.scanpath.png, NAME.scanpath.json and NAME.scanpath.csv. Of a video, frames are looked at one by one,\n"
        "each named with its time (needs OpenCV).",
        epilog=_MODELS,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("images", nargs="+", metavar="IMAGE", help="files, videos, folders, patterns or -")
    add("--every", type=_seconds, default=1.0, metavar="SEC", help="between frames of a video (default %(default)g)")
    add("--task", default="", metavar="WORDS", help="what is looked for, where the model reads words")
    add("--n", type=whole_number(1, 1000), default=10, metavar="N", help="fixations (default %(default)s)")
    add("--model", default=DEFAULT, metavar="NAME", help="see below (default %(default)s)")
    add("--seed", type=whole_number(0), default=0, metavar="S", help="of the random numbers (default %(default)s)")
    add("--out", default="foveate-out/scanpath", metavar="DIR", help="folder for results (default %(default)s)")
    add("--map", metavar="FILE|DIR", help="also write where fixations are likely: of one picture FILE.png (grey, "
        "divided by its largest value) or FILE.npy (density, height x width); or a folder for both")  # fmt: skip
    add("--json", action="store_true", help="print one JSON object a line instead of text")
    add("--device", metavar="NAME", help="cpu, cuda, cuda:1 ... (default: cuda if there is one)")
    parser.set_defaults(run=run)


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
    if args.task.strip() and args.model.partition(":")[0] not in _READERS:
        complain(f"{args.model} reads no words, --task is only noted: {' and '.join(_READERS)} read them")

    args.map = _map_place(args.map, inputs, model)

    def look(item: Input, stem: str) -> None:
        _look_at(model, item, folder / stem, args)

    return go_through(inputs, look)


def _map_place(word: str | None, inputs: list[Input], model: "ScanpathModel") -> Path | None:
    """Try where --map goes: a file for one picture, or a folder, which is made.

    Raises:
        UsageError: It cannot be written, is of another kind, or the model has no map.
    """
    if word is None:
        return None
    from foveate.scanpath.gaze_maps import MAP_SUFFIXES, has_map

    if not has_map(model):
        raise UsageError(f"{model.name} makes paths without a map: leave --map out, or take the model {DEFAULT}")
    place = Path(word)
    if place.is_dir() or not place.suffix:
        output_folder(word, "--map")
        complain("maps as PNG are divided by their largest value; NPY keeps the density itself")
        return place
    if place.suffix.lower() not in MAP_SUFFIXES:
        raise UsageError(f"--map {word} must end in {' or '.join(MAP_SUFFIXES)}, or name a folder")
    if len(inputs) > 1 or (inputs[0].path and inputs[0].path.suffix.lower() in VIDEO_SUFFIXES):
        raise UsageError(f"--map {word} is one file, and there may be several pictures: name a folder")
    check_result_file("--map", word)
    if place.suffix.lower() == ".png":
        complain(f"{word} is divided by its largest value: a name that ends in .npy keeps the density itself")
    return place


def _write_maps(model: "ScanpathModel", picture: "Image.Image", place: Path, name: str) -> None:
    """Write the map of a picture: to the file, or twice to the folder."""
    from foveate.scanpath.gaze_maps import MAP_SUFFIXES, priority_map, save_map

    density = priority_map(picture, model=model)
    files = [place / f"{name}.map{end}" for end in MAP_SUFFIXES] if place.is_dir() else [place]
    for file in files:
        save_map(density, file)


def _look_at(model: "ScanpathModel", item: Input, stem: Path, args: argparse.Namespace) -> None:
    """Look at a picture, or at the frames of a video."""
    from foveate.vision import load_image

    if item.path is None or item.path.suffix.lower() not in VIDEO_SUFFIXES:
        _look(model, load_image(item.source()), item.label, stem, args)
        return
    for seconds, frame in sample_frames(item.path, args.every):
        # Leading zeros, so that a folder lists frames in their order.
        name = stem.with_name(f"{stem.name}-{seconds:08.2f}s")
        _look(model, frame, f"{item.label}@{seconds:.2f}s", name, args, {"seconds": round(seconds, 3)})


def sample_frames(video: Path, every: float) -> Iterator[tuple[float, "Image.Image"]]:
    """Take frames out of a video.

    Args:
        video: The file.
        every: Seconds between frames.

    Yields:
        When a frame is shown, seconds from the start, and the frame: the first one, and then always the first one
        after ``every`` more seconds.

    Raises:
        RuntimeError: OpenCV is not installed.
        ValueError: It is no video, or ends before it should.
        OSError: The file cannot be read.
    """
    try:
        import cv2
    except ImportError:
        raise RuntimeError(f'{video} is a video, which needs OpenCV: pip install "foveate[video]"') from None
    from PIL import Image

    with video.open("rb"):  # OpenCV does not say why it opens no file
        pass
    os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")  # what FFmpeg writes about a damaged file
    capture = cv2.VideoCapture(str(video))
    try:
        total, rate = capture.get(cv2.CAP_PROP_FRAME_COUNT), capture.get(cv2.CAP_PROP_FPS)
        number, due, seconds = 0, 0, 0.0
        while capture.grab():
            # Frames of a video need not be shown for equally long; where no times are told, the rate has to do.
            told = capture.get(cv2.CAP_PROP_POS_MSEC) / 1000
            seconds = told if told > 0 or rate <= 0 else number / rate
            number += 1
            if seconds < due * every - 1e-6:
                continue
            ok, pixels = capture.retrieve()
            if not ok:
                raise ValueError(f"{video} is damaged at {seconds:.2f} seconds: save or copy it again")
            yield seconds, Image.fromarray(pixels[..., ::-1].copy())
            due = math.floor(seconds / every + 1e-6) + 1
    finally:
        capture.release()
    if number == 0:
        raise ValueError(f"{video} is not a video that can be read: give MP4, MOV, AVI, WebM or MKV")
    # Containers estimate their frames by the length, and the last frame may be shown for long.
    length = total / rate if rate > 0 else 0.0
    if number < 0.9 * total and seconds < 0.9 * length - 1:
        raise ValueError(f"{video} stops at {seconds:.2f} of {length:.2f} seconds: save or copy it again")


def _seconds(word: str) -> float:
    """Read --every."""
    try:
        number = float(word)
    except ValueError:
        number = math.nan
    if not 0.01 <= number < math.inf:
        raise argparse.ArgumentTypeError(f"it must be a number of seconds, at least 0.01, got {word!r}")
    return number


def _look(
    model: "ScanpathModel",
    picture: "Image.Image",
    label: str,
    stem: Path,
    args: argparse.Namespace,
    details: dict[str, Any] | None = None,
) -> None:
    """Look at one picture; the answer is on disk before it is printed."""
    from dataclasses import replace

    from foveate.scanpath.predicting import predict, save_scanpath

    path = predict(picture, model=model, count=args.n, task=args.task, seed=args.seed)
    path = replace(path, source=label, details={**path.details, **(details or {})})
    drawing = save_scanpath(path, picture, stem)
    if args.map is not None:
        _write_maps(model, picture, args.map, stem.name)
    if args.json:
        say(json.dumps(path.to_dict(), ensure_ascii=False))
        return
    places = "  ".join(f"{i}:({int(fixation.x)}, {int(fixation.y)})" for i, fixation in enumerate(path, start=1))
    untrained = "" if path.trained else "  untrained"
    say(f"{label}  {places}  {path.observer}{untrained}  {drawing}")

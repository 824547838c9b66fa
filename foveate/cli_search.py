"""``foveate search``: a picture of something and a scene in, the way of an eye to it out."""

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from foveate.console import (
    Input,
    UsageError,
    complain,
    find_inputs,
    go_through,
    load_looker,
    output_folder,
    say,
    whole_number,
)
from foveate.errors import sentence

if TYPE_CHECKING:
    from PIL import Image

    from foveate.scanpath.eccnet import EccNet
    from foveate.scanpath.search import SearchModel

# Looks where VGG16's weights are not here: that of the room, which must not be opened for the sake of --help.
FALLBACK = "resnet18_ela_eye"
_MODELS = ("eccnet", "plain", "pixel", "chance")
#: Fewer pixels of a target than that say little to a network that halves pictures four times.
_LEAST = 8
_NOTES = """The eye is eccNET: a network whose pooling windows grow away from where it looks. It is torchvision's VGG16
where its weights are in PyTorch's cache, and resnet18_ela_eye, which comes with the suite, where they are not; the
output says which one ran. The first fixation is in the middle of the scene.

examples:
  foveate search mug.png kitchen.jpg
  foveate search mug.png kitchen.jpg --target-box 310 120 372 190   ends at the mug, and says how soon
  foveate search mug.png rooms/ --n 8 --json                        every picture of a folder
"""


def add_parser(verbs: Any) -> None:
    """Add the verb to the parsers of the command.

    Args:
        verbs: Subparsers of the command.
    """
    parser = verbs.add_parser(
        "search",
        help="look for a picture in another",
        description="Look for what one picture shows in others, fixation after fixation. Prints the fixations in\n"
        "pixels of the scene and writes SCENE.scanpath.png, SCENE.scanpath.json and SCENE.scanpath.csv.",
        epilog=_NOTES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("target", metavar="TARGET", help="picture of what is looked for, at the size it has in the scene")
    add("scenes", nargs="+", metavar="SCENE", help="files, folders, patterns or -")
    add("--n", type=whole_number(2, 1000), default=20, metavar="COUNT", help="most fixations (default %(default)s)")
    add("--target-box", nargs=4, type=whole_number(0), metavar=("X0", "Y0", "X1", "Y1"),
        help="where the target is, pixels of the scene, the last two exclusive: the search ends there")  # fmt: skip
    add("--backbone", default="", metavar="NAME", help="a CNN of timm as the eye (default: see below)")
    add("--untrained", action="store_true", help="random weights, which find nothing but by chance")
    add("--side", type=whole_number(64, 2048), default=512, metavar="PIXELS",
        help="larger scenes are made smaller, and the target with them (default %(default)s)")  # fmt: skip
    add("--seed", type=whole_number(0), default=0, metavar="S", help="of the random numbers (default %(default)s)")
    add("--out", default="foveate-out/search", metavar="DIR", help="folder for results (default %(default)s)")
    add("--json", action="store_true", help="print one JSON object a line instead of text")
    add("--device", metavar="NAME", help="cpu, cuda, cuda:1 ... (default: cuda if there is one)")
    parser.set_defaults(run=run)


def load_searcher(name: str, device: str | None = None, *, untrained: bool = False, seed: int = 0) -> "SearchModel":
    """Load a model of visual search.

    Args:
        name: ``eccnet``, the same network without eccentricity as ``plain``, either with ``:NAME`` of a CNN of timm;
            ``pixel`` or ``chance``.
        device: cpu, cuda, cuda:N, mps or None.
        untrained: Whether a network has random weights.
        seed: Of random weights.

    Returns:
        The model.

    Raises:
        UsageError: Nobody knows that name or device.
        RuntimeError: Weights or the device are not here.
    """
    head, _, eye = name.partition(":")
    network = head in ("eccnet", "plain")
    if head not in _MODELS or (":" in name and not (network and eye)):
        raise UsageError(
            f"models of search are {', '.join(_MODELS)}, eccnet:TIMM-NAME and plain:TIMM-NAME, got {name!r}"
        )
    if untrained and not network:
        raise UsageError(f"--untrained is for networks, and {head} has no weights: leave it out")
    # Those without a network say themselves whether a device can be.
    load_looker("uniform", device)
    import torch

    from foveate.scanpath.search_models import ChanceSearch, NetworkSearch, PixelSearch

    if not network:
        return PixelSearch() if head == "pixel" else ChanceSearch()
    where = device or ("cuda" if torch.cuda.is_available() else "cpu")
    return NetworkSearch(_open_network(eye, head == "eccnet", untrained, seed), where)


def _open_network(eye: str, eccentric: bool, untrained: bool, seed: int) -> "EccNet":
    import timm
    import torch

    from foveate.scanpath.eccentric_cnn import TimmEccNet, open_eccnet
    from foveate.scanpath.eccnet import find_vgg16_weights

    # The suite's own names are known by now; one with a colon says where else timm is to look.
    if eye and ":" not in eye and not timm.is_model(eye):
        raise UsageError(f"timm knows no model {eye!r}: foveate models and timm.list_models() name those there are")
    if not eye and (untrained or find_vgg16_weights() is None):
        eye = FALLBACK
        if not untrained:
            complain(f"no VGG16 weights are in PyTorch's cache: {FALLBACK} looks in their place")
    try:
        if untrained:
            with torch.random.fork_rng(devices=[]):
                torch.manual_seed(seed)
                return TimmEccNet(eye, pretrained=False, eccentric=eccentric)
        return open_eccnet(eye, eccentric=eccentric)
    except ValueError as error:
        raise UsageError(str(error)) from error
    except (OSError, RuntimeError) as error:
        way = "choose another one, or add --untrained for random weights"
        raise RuntimeError(f"{eye or 'VGG16'} cannot look ({sentence(error).rstrip('.')}): {way}") from error


def run(args: argparse.Namespace) -> int:
    """Search all scenes; go on past bad ones and name them at the end.

    Args:
        args: As ``add_parser`` describes them.

    Returns:
        Exit code: 1 when a scene failed.

    Raises:
        UsageError: The words cannot be understood.
        ValueError: The target is no picture.
    """
    from foveate.vision import load_image

    if [args.target, *args.scenes].count("-") > 1:
        raise UsageError("- (standard input) can be given once only: name the other pictures")
    box = args.target_box
    if box and not (box[0] < box[2] and box[1] < box[3]):
        raise UsageError(f"--target-box needs X0 < X1 and Y0 < Y1, got {' '.join(map(str, box))}")
    scenes, targets = find_inputs(args.scenes), find_inputs([args.target])
    if len(targets) > 1:
        raise UsageError(f"TARGET must be one picture, and {args.target} stands for {len(targets)}: name one of them")
    if box and len(scenes) > 1:
        raise UsageError(f"--target-box says where the target is in one scene, got {len(scenes)}: search one at a time")
    folder = output_folder(args.out)
    if targets[0].error:
        raise ValueError(targets[0].error)
    target = load_image(targets[0].source())
    model = load_searcher(f"eccnet:{args.backbone}" if args.backbone else "eccnet", args.device,
                          untrained=args.untrained, seed=args.seed)  # fmt: skip

    def look(item: Input, stem: str) -> None:
        _search(model, target, targets[0].label, item, folder / stem, args)

    return go_through(scenes, look)


def _search(
    model: "SearchModel", target: "Image.Image", label: str, item: Input, stem: Path, args: argparse.Namespace
) -> None:
    """Search one scene; the answer is on disk before it is printed."""
    from dataclasses import replace

    from foveate.scanpath.predicting import save_scanpath
    from foveate.scanpath.search import search
    from foveate.vision import Box, draw_box, load_image

    scene = load_image(item.source())
    small, wanted, place = _fit(scene, target, args.target_box, args.side)
    path = search(model, wanted, small, place=place, count=args.n, seed=args.seed).scaled(scene.size)
    details = {**path.details, "target": label, "searched_size": list(small.size)}
    if args.target_box:
        details["target_box"] = args.target_box
    path = replace(path, source=item.label, details=details)
    shown = draw_box(scene, Box(*args.target_box), "target") if args.target_box else scene
    drawing = save_scanpath(path, shown, stem)
    if args.json:
        say(json.dumps(path.to_dict(), ensure_ascii=False))
        return
    places = "  ".join(f"{i}:({int(fixation.x)}, {int(fixation.y)})" for i, fixation in enumerate(path, start=1))
    number = path.details["saccades"]
    saccades = f"{number} saccade{'' if number == 1 else 's'}"
    ends = {None: "", True: f"  found after {saccades}", False: f"  not found in {saccades}"}
    untrained = "" if path.trained else "  untrained"
    say(f"{item.label}  {places}{ends[path.details['found']]}  {path.observer}{untrained}  {drawing}")


def _fit(
    scene: "Image.Image", target: "Image.Image", box: list[int] | None, side: int
) -> tuple["Image.Image", "Image.Image", tuple[int, int, int, int] | None]:
    """Make a large scene smaller, and what belongs to it; the box grows to whole pixels.

    Raises:
        ValueError: The target is larger than the scene or too small, or the box does not lie on the scene.
    """
    from math import ceil, floor

    from PIL.Image import Resampling

    (width, height), (across, down) = scene.size, target.size
    if across > width or down > height:
        raise ValueError(
            f"the target is {across}x{down} pixels and the scene {width}x{height}: "
            "give the target at the size it has in the scene"
        )
    if box and (box[2] > width or box[3] > height):
        raise ValueError(
            f"--target-box {' '.join(map(str, box))} reaches beyond the scene of {width}x{height} pixels: "
            "give the place in pixels of the scene"
        )
    scale = min(1.0, side / max(scene.size))
    sizes = [(max(1, round(w * scale)), max(1, round(h * scale))) for w, h in (scene.size, target.size)]
    if min(sizes[1]) < _LEAST:
        way = "give a --side of more pixels" if scale < 1 else "give more of it"
        raise ValueError(f"the target has {sizes[1][0]}x{sizes[1][1]} pixels when searched, {_LEAST} are needed: {way}")
    if scale == 1:
        return scene, target, (box[0], box[1], box[2], box[3]) if box else None
    small, wanted = (p.resize(s, Resampling.LANCZOS) for p, s in zip((scene, target), sizes, strict=True))
    if not box:
        return small, wanted, None
    place = floor(box[0] * scale), floor(box[1] * scale), ceil(box[2] * scale), ceil(box[3] * scale)
    return small, wanted, place

"""Windows of real toolkits (GTK 3, Qt 5, Tk) with generated content as training screens; the command line makes shards.

Renderers run under the system's Python on one virtual display: they draw a described window and tell the boxes of its
widgets; here the picture is taken, what is covered is dropped, and a background is put behind the windows.
"""

import argparse
import json
import logging
import os
import random
import select
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import IO, Any

import numpy as np
from faker import Faker
from PIL import Image, ImageGrab
from tqdm import tqdm

from foveate.grounding.synthetic.screens import Box, Element, Screen, Word, write_shard
from foveate.grounding.synthetic.toolkit_looks import background, choose_look
from foveate.grounding.synthetic.toolkit_programs import describe

log = logging.getLogger(__name__)
TOOLKITS = (("gtk3", 0.5), ("qt5", 0.35), ("tk", 0.15))
_MODULES = {"gtk3": "toolkit_gtk", "qt5": "toolkit_qt", "tk": "toolkit_tk"}
# The system's Python cannot import this package: it gets empty packages that know the folder, and runs the renderer.
_BOOT = """
import runpy, sys, types
for name in ("foveate", "foveate.grounding", "foveate.grounding.synthetic"):
    sys.modules[name] = types.ModuleType(name)
    sys.modules[name].__path__ = [sys.argv[1]]
runpy.run_module("foveate.grounding.synthetic." + sys.argv[2], run_name="__main__")
"""
_SYSTEM_PYTHON = "/usr/bin/python3"
_WAIT_SECONDS = 25.0


def keep_uncovered(facts: dict[str, Any], size: tuple[int, int]) -> tuple[tuple[Element, ...], tuple[Word, ...]]:
    """Drop what lies under a higher window or off the screen.

    Args:
        facts: "rects" of the windows, lowest first; "elements" with "box" and "layer"; "words" as
            [left, top, right, bottom, text, layer].
        size: Width and height of the screen in pixels.

    Returns:
        Elements and words that can be seen.
    """
    rects = facts["rects"]
    elements = []
    for one in facts["elements"]:
        fields = dict(one)
        layer, box = fields.pop("layer"), tuple(float(v) for v in fields.pop("box"))
        shown = _inside(box, size)
        if shown and not any(_share(box, r) > 0.08 for r in rects[layer + 1 :]):
            fields["name"] = " ".join(fields["name"].split())
            elements.append(Element(box=shown, **fields))
    words = []
    for left, top, right, bottom, text, layer in facts["words"]:
        box = (float(left), float(top), float(right), float(bottom))
        if _inside(box, size) == box and not any(_share(box, r) > 0 for r in rects[layer + 1 :]):
            words.append(Word(box, text))
    return tuple(elements), tuple(words)


def has_ink(image: Image.Image, box: Box, contrast: int = 16) -> bool:
    """Tell whether something is drawn inside a box: grey icons can vanish on a ground of their own colour.

    Args:
        image: Picture of the screen.
        box: Left, top, right, bottom in pixels; three pixels inside its border do not count.
        contrast: Smallest difference of brightness, 0 to 255.

    Returns:
        True when the brightest and the darkest pixel differ by at least ``contrast``.
    """
    inner = (round(box[0]) + 3, round(box[1]) + 3, round(box[2]) - 3, round(box[3]) - 3)
    if inner[2] <= inner[0] or inner[3] <= inner[1]:
        return True
    pixels = np.asarray(image.crop(inner).convert("L"))
    return int(pixels.max()) - int(pixels.min()) >= contrast


def _share(box: Sequence[float], rect: Sequence[float]) -> float:
    width = min(box[2], rect[2]) - max(box[0], rect[0])
    height = min(box[3], rect[3]) - max(box[1], rect[1])
    return max(width, 0.0) * max(height, 0.0) / max((box[2] - box[0]) * (box[3] - box[1]), 1.0)


def _inside(box: Sequence[float], size: tuple[int, int]) -> Box | None:
    shown = (max(box[0], 0.0), max(box[1], 0.0), min(box[2], float(size[0])), min(box[3], float(size[1])))
    small = shown[2] - shown[0] < 3 or shown[3] - shown[1] < 3
    return (
        None
        if small or (shown[2] - shown[0]) * (shown[3] - shown[1]) < 0.7 * (box[2] - box[0]) * (box[3] - box[1])
        else shown
    )


class Display:
    """A virtual X display of 1920 by 1080 pixels; use it in a with statement."""

    def __enter__(self) -> "Display":
        if shutil.which("Xvfb") is None:
            raise RuntimeError("Xvfb is missing; install what scripts/fetch_toolkits.sh lists")
        command = ["Xvfb", "-displayfd", "1", "-screen", "0", "1920x1080x24", "-nolisten", "tcp", "-dpi", "96"]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        if self.process.stdout is None:
            raise RuntimeError("the virtual display gave no output; start it again")
        self.name = ":" + self.process.stdout.readline().strip()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.process.terminate()
        self.process.wait()

    def grab(self, size: tuple[int, int]) -> Image.Image:
        """Take the picture of the upper left part of the display."""
        return ImageGrab.grab(bbox=(0, 0, *size), xdisplay=self.name)


class Renderer:
    """A running renderer of one toolkit on a display."""

    def __init__(self, toolkit: str, display: Display) -> None:
        command = [_SYSTEM_PYTHON, "-B", "-c", _BOOT, str(Path(__file__).parent), _MODULES[toolkit]]
        settings = {k: v for k, v in os.environ.items() if not k.startswith(("PYTHON", "GTK_", "QT_"))}
        settings |= {
            "DISPLAY": display.name,
            "NO_AT_BRIDGE": "1",
            "GDK_BACKEND": "x11",
            "QT_QPA_PLATFORM": "xcb",
            "LIBGL_ALWAYS_SOFTWARE": "1",
            "XDG_CURRENT_DESKTOP": "",
        }
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=settings
        )

    def draw(self, scene: dict[str, Any], look: dict[str, Any]) -> dict[str, Any] | None:
        """Draw a scene and get what is on it; None when the renderer broke."""
        source, sink = self._pipes()
        try:
            sink.write(json.dumps({"scene": scene, "look": look}).encode() + b"\n")
            sink.flush()
        except BrokenPipeError:
            return None
        ready, _, _ = select.select([source], [], [], _WAIT_SECONDS)
        line = source.readline() if ready else b""
        return json.loads(line) if line.startswith(b"{") else None

    def _pipes(self) -> tuple[IO[bytes], IO[bytes]]:
        if self.process.stdout is None or self.process.stdin is None:
            raise RuntimeError("the renderer has no pipes; start it anew")
        return self.process.stdout, self.process.stdin

    def stop(self) -> None:
        """End the renderer."""
        self.process.kill()
        self.process.wait()


class Studio:
    """Draws screens by number, with a renderer for each toolkit that is started when needed.

    Args:
        seed: Seed of the whole set.
        display: Where windows are shown.
        toolkits: Toolkits and their shares.
    """

    def __init__(self, seed: int, display: Display, toolkits: Sequence[tuple[str, float]] = TOOLKITS) -> None:
        self.seed, self.display, self.toolkits = seed, display, toolkits
        self.fake = Faker()
        self.renderers: dict[str, Renderer] = {}

    def plan(self, index: int) -> tuple[str, dict[str, Any], random.Random]:
        """Choose toolkit and look of a screen."""
        rng = random.Random(f"{self.seed}/look/{index}")
        toolkit = rng.choices([t for t, _ in self.toolkits], [s for _, s in self.toolkits])[0]
        return toolkit, choose_look(rng, toolkit), rng

    def screen(self, index: int) -> Screen | None:
        """Draw one screen; None when its renderer broke, which is then started anew for the next one."""
        toolkit, look, rng = self.plan(index)
        scene = describe(self.seed, index, self.fake)
        if toolkit not in self.renderers:
            self.renderers[toolkit] = Renderer(toolkit, self.display)
        renderer = self.renderers[toolkit]
        facts = renderer.draw(scene, look)
        if facts is None:
            log.warning("screen %d could not be drawn with %s (%s)", index, toolkit, look["name"])
            renderer.stop()
            del self.renderers[toolkit]
            return None
        size = (scene["size"][0], scene["size"][1])
        shot = self.display.grab(size)
        image = background(rng, size)
        for left, top, right, bottom in facts["rects"]:
            area = (max(0, left), max(0, top), min(size[0], right), min(size[1], bottom))
            if area[2] > area[0] and area[3] > area[1]:
                image.paste(shot.crop(area), area[:2])
        elements, words = keep_uncovered(facts, size)
        elements = tuple(e for e in elements if e.kind == "text" or has_ink(shot, e.box))
        return Screen(image, elements, words, f"toolkit/{toolkit}-{look['name']}")

    def shard(self, indices: Sequence[int]) -> dict[str, Screen]:
        """Draw several screens, those of one look together, and give them back in their order."""
        order = sorted(indices, key=lambda i: (self.plan(i)[0], self.plan(i)[1]["name"]))
        made = {
            i: screen
            for i in tqdm(order, leave=False, unit="screen")
            if (screen := self.screen(i)) is not None and screen.elements
        }
        return {f"toolkit-{self.seed}-{i:06}": made[i] for i in indices if i in made}

    def close(self) -> None:
        """End all renderers."""
        for renderer in self.renderers.values():
            renderer.stop()
        self.renderers = {}


def main() -> None:
    """Make shards from the command line; those that exist are kept."""
    parser = argparse.ArgumentParser(description="Draw windows of real toolkits with generated content into shards.")
    parser.add_argument("--out", type=Path, required=True, help="folder of the shards")
    parser.add_argument("--count", type=int, required=True, help="screens in all")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--per-shard", type=int, default=100)
    parser.add_argument("--quality", type=int, default=75, help="WebP quality, 1 to 100")
    parser.add_argument("--toolkit", choices=tuple(_MODULES), help="one toolkit only")
    given = parser.parse_args()
    logging.basicConfig(level=logging.INFO)
    given.out.mkdir(parents=True, exist_ok=True)
    toolkits = ((given.toolkit, 1.0),) if given.toolkit else TOOLKITS
    with Display() as display:
        studio = Studio(given.seed, display, toolkits)
        for first in tqdm(range(0, given.count, given.per_shard), unit="shard"):
            path = given.out / f"{given.toolkit or 'toolkit'}-{given.seed}-{first // given.per_shard:04}.zip"
            if not path.exists():
                write_shard(path, studio.shard(range(first, min(first + given.per_shard, given.count))), given.quality)
        studio.close()


if __name__ == "__main__":
    main()

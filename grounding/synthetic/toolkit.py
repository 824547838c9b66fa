"""Windows of real toolkits (GTK 3, Qt 5, Tk) with generated content as training screens; the command line makes shards.

Renderers run as scripts under the system's Python on one virtual display: they draw a described window and tell the boxes
of its widgets; here the picture is taken, what is covered is dropped, and a background is put behind the windows.
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

from faker import Faker
from PIL import Image, ImageDraw, ImageFilter, ImageGrab
from tqdm import tqdm

from foveate.grounding.synthetic.screens import Box, Element, Screen, Word, write_shard
from foveate.grounding.synthetic.toolkit_programs import describe

log = logging.getLogger(__name__)
TOOLKITS = (("gtk3", 0.5), ("qt5", 0.35), ("tk", 0.15))
_SCRIPTS = {"gtk3": "toolkit_gtk.py", "qt5": "toolkit_qt.py", "tk": "toolkit_tk.py"}
_SYSTEM_PYTHON = "/usr/bin/python3"
_WAIT_SECONDS = 25.0
_GTK_LIGHT = ("Adwaita", "Arc", "Arc-Darker", "Arc-Lighter", "Numix", "Greybird", "Greybird-bright", "Materia", "Materia-light-compact", "Breeze", "Bluebird",
              "HighContrast", "Menta", "TraditionalOk", "TraditionalGreen", "BlueMenta", "Yaru", "Orchis", "Orchis-Light-Compact", "ContrastHigh", "Raleigh")  # fmt: skip
_GTK_DARK = ("Adwaita-dark", "Arc-Dark", "Materia-dark", "Breeze-Dark", "Blackbird", "BlackMATE", "Greybird-dark", "HighContrastInverse", "Orchis-Dark", "Yaru-dark")
_ICONS_LIGHT = ("Adwaita", "Papirus", "Numix", "Tango", "elementary-xfce", "oxygen", "breeze", "gnome", "mate", "Faenza", "nuoveXT2", "Papirus-Light", "menta", "Yaru", "elementary", "bloom", "HighContrast")
_ICONS_DARK = ("Adwaita", "Papirus-Dark", "elementary-xfce-dark", "oxygen", "breeze-dark", "gnome", "mate", "Faenza-Dark", "bloom-dark", "Tango", "Yaru")
_ICONS_PNG = ("Tango", "gnome", "mate", "oxygen", "nuoveXT2", "elementary-xfce", "Faenza", "menta")
_FONTS = ("Cantarell", "DejaVu Sans", "Noto Sans", "Open Sans", "Liberation Sans", "Roboto", "Lato", "Inter", "Oxygen", "FreeSans", "Droid Sans", "Sans")
_QT_STYLES = ("Fusion", "Fusion", "Fusion", "Windows", "Breeze", "Breeze", "Oxygen", "cleanlooks", "plastique", "motif", "Adwaita", "kvantum")
_QT_PALETTES = ("", "", "#efefef", "#e8e4dc", "#dfe6ee", "#f6f6f6", "#2b2b2b", "#31363b", "#232629", "#3c3f41", "#1e2430")
_TK_THEMES = ("clam", "clam", "alt", "default", "classic")
_TK_COLORS = ("", "", "#dcdad5", "#eceff4", "#f0f0f0", "#d9d9d9", "#e4e9f2", "#2e3440", "#33393b", "#3b3b3b", "#464646")


def choose_look(rng: random.Random, toolkit: str) -> dict[str, Any]:
    """Choose how windows look.

    Args:
        rng: Source of all choices.
        toolkit: "gtk3", "qt5" or "tk".

    Returns:
        What the toolkit's renderer understands, with the "name" of the look and whether it is "dark".
    """
    size = rng.choice((8, 9, 9, 10, 10, 10, 11, 11, 12, 13))
    font = rng.choice(_FONTS)
    if toolkit == "gtk3":
        dark = rng.random() < 0.3
        theme = rng.choice(installed(_GTK_DARK if dark else _GTK_LIGHT, "/usr/share/themes"))
        icons = rng.choice(installed(_ICONS_DARK if dark else _ICONS_LIGHT, "/usr/share/icons"))
        buttons = rng.choice(("menu:minimize,maximize,close", ":minimize,maximize,close", "close,minimize,maximize:", ":close", ":minimize,close"))
        settings = {"gtk-theme-name": theme, "gtk-icon-theme-name": icons, "gtk-font-name": f"{font} {size}", "gtk-decoration-layout": buttons}
        return {"name": theme, "dark": dark, "settings": settings, "spare": rng.choice(("breeze-dark", "oxygen") if dark else ("breeze", "oxygen", "Papirus")), "symbolic": icons in ("Adwaita", "Yaru") and rng.random() < 0.7}
    if toolkit == "qt5":
        color = rng.choice(_QT_PALETTES)
        style = rng.choice(_QT_STYLES)
        color = "" if style == "kvantum" else color  # Kvantum's own colours do not mix with a palette's.
        dark = bool(color) and is_dark(color)
        icons = rng.choice(installed(_ICONS_DARK if dark else _ICONS_LIGHT, "/usr/share/icons"))
        return {"name": style, "dark": dark, "color": color, "icons": icons, "font": font, "size": size, "accent": rng.choice(("#308cc6", "#3daee9", "#4a90d9", "#87a556", "#d2691e", "#8e44ad"))}
    color = rng.choice(_TK_COLORS)
    dark = bool(color) and is_dark(color)
    icons = rng.choice(installed(_ICONS_PNG, "/usr/share/icons"))
    return {"name": rng.choice(_TK_THEMES), "dark": dark, "color": color, "icons": icons, "font": font, "size": size, "accent": rng.choice(("#4a6984", "#3584e4", "#5e81ac", "#2a6496"))}


def is_dark(color: str) -> bool:
    """Tell whether white letters suit a colour written as #rrggbb."""
    return sum(int(color[i : i + 2], 16) for i in (1, 3, 5)) < 3 * 110


def installed(names: Sequence[str], folder: str) -> tuple[str, ...]:
    """Keep the themes whose folder exists; all of them where none does."""
    return tuple(n for n in names if Path(folder, n).is_dir()) or tuple(names)


def background(rng: random.Random, size: tuple[int, int]) -> Image.Image:
    """Paint a desktop's background: plain, blended, or picture-like."""
    kind = rng.choice(("plain", "blend", "picture", "picture"))
    colors = [tuple(rng.randrange(20, 235) for _ in range(3)) for _ in range(2)]
    if kind == "plain":
        return Image.new("RGB", size, colors[0])
    corners = Image.new("RGB", (2, 2))
    corners.putdata([colors[0], colors[rng.randrange(2)], colors[rng.randrange(2)], colors[1]])
    image = corners.resize(size, Image.Resampling.BICUBIC)
    if kind == "picture":
        draw = ImageDraw.Draw(image)
        for _ in range(rng.randint(4, 14)):
            x, y, r = rng.randrange(size[0]), rng.randrange(size[1]), rng.randint(30, size[1] // 2)
            draw.ellipse((x - r, y - r // 2, x + r, y + r // 2), fill=tuple(rng.randrange(20, 235) for _ in range(3)))
        image = image.filter(ImageFilter.GaussianBlur(rng.choice((2, 12, 40))))
    return image


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


def _share(box: Sequence[float], rect: Sequence[float]) -> float:
    width = min(box[2], rect[2]) - max(box[0], rect[0])
    height = min(box[3], rect[3]) - max(box[1], rect[1])
    return max(width, 0.0) * max(height, 0.0) / max((box[2] - box[0]) * (box[3] - box[1]), 1.0)


def _inside(box: Sequence[float], size: tuple[int, int]) -> Box | None:
    shown = (max(box[0], 0.0), max(box[1], 0.0), min(box[2], float(size[0])), min(box[3], float(size[1])))
    small = shown[2] - shown[0] < 3 or shown[3] - shown[1] < 3
    return None if small or (shown[2] - shown[0]) * (shown[3] - shown[1]) < 0.7 * (box[2] - box[0]) * (box[3] - box[1]) else shown


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

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.process.terminate()
        self.process.wait()

    def grab(self, size: tuple[int, int]) -> Image.Image:
        """Take the picture of the upper left part of the display."""
        return ImageGrab.grab(bbox=(0, 0, *size), xdisplay=self.name)


class Renderer:
    """A running renderer of one toolkit on a display."""

    def __init__(self, toolkit: str, display: Display) -> None:
        script = Path(__file__).with_name(_SCRIPTS[toolkit])
        settings = {k: v for k, v in os.environ.items() if not k.startswith(("PYTHON", "GTK_", "QT_"))}
        settings |= {"DISPLAY": display.name, "NO_AT_BRIDGE": "1", "GDK_BACKEND": "x11", "QT_QPA_PLATFORM": "xcb", "LIBGL_ALWAYS_SOFTWARE": "1", "XDG_CURRENT_DESKTOP": ""}
        self.process = subprocess.Popen([_SYSTEM_PYTHON, str(script)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=settings)

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
        renderer = self.renderers.setdefault(toolkit, Renderer(toolkit, self.display)) if toolkit not in self.renderers else self.renderers[toolkit]
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
        return Screen(image, elements, words, f"toolkit/{toolkit}-{look['name']}")

    def shard(self, indices: Sequence[int]) -> dict[str, Screen]:
        """Draw several screens, those of one look together, and give them back in their order."""
        order = sorted(indices, key=lambda i: (self.plan(i)[0], self.plan(i)[1]["name"]))
        made = {i: screen for i in tqdm(order, leave=False, unit="screen") if (screen := self.screen(i)) is not None and screen.elements}
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
    parser.add_argument("--toolkit", choices=tuple(_SCRIPTS), help="one toolkit only")
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

"""Screens as training data: a picture, the elements on it, the words on it, and shards that hold many of them."""

import io
import json
import zipfile
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from PIL import Image

Box = tuple[float, float, float, float]


@dataclass(frozen=True)
class Element:
    """One thing that can be pointed at.

    Args:
        box: Left, top, right, bottom in pixels of the screen.
        name: Accessible name; never empty.
        role: button, link, menuitem, tab, checkbox, radio, switch, field, combobox, slider, listitem, treeitem,
            cell, image, heading or label.
        kind: "text" when the name (or most of it) can be read inside the box, else "icon".
        concept: For pictures, the icon's name in its set, such as "trash-2"; empty when unknown.
        label: Text beside the element that names it, such as a field's caption.
        row: Text that tells the element's row or list item from the others.
        section: Title of the panel, dialog, toolbar or menu around it.
        state: checked, selected, expanded, disabled or empty.
        description: Tooltip or longer description.
    """

    box: Box
    name: str
    role: str
    kind: str
    concept: str = ""
    label: str = ""
    row: str = ""
    section: str = ""
    state: str = ""
    description: str = ""


@dataclass(frozen=True)
class Word:
    """A word drawn on the screen and the box around its letters, in pixels."""

    box: Box
    text: str


@dataclass(frozen=True)
class Screen:
    """A picture of a screen with what is on it; ``source`` names the maker, such as "web/tabler" or "desktop/qt5"."""

    image: Image.Image
    elements: tuple[Element, ...]
    words: tuple[Word, ...]
    source: str


def write_shard(path: str | Path, screens: dict[str, Screen], quality: int = 70) -> None:
    """Write screens to one zip file: NAME.webp and NAME.json each.

    Args:
        path: Shard to write; replaced whole when it exists.
        screens: Screens by name; the name tells seed and maker.
        quality: WebP quality, 1 to 100; 101 is lossless.
    """
    path = Path(path)
    part = path.with_suffix(".part")
    with zipfile.ZipFile(part, "w", zipfile.ZIP_STORED) as archive:
        for name, screen in screens.items():
            data = io.BytesIO()
            screen.image.convert("RGB").save(data, "WEBP", quality=min(quality, 100), lossless=quality > 100, method=4)
            archive.writestr(f"{name}.webp", data.getvalue())
            facts = {
                "source": screen.source,
                "elements": [{k: v for k, v in asdict(e).items() if v != ""} for e in screen.elements],
                "words": [[*[round(v) for v in w.box], w.text] for w in screen.words],
            }
            archive.writestr(f"{name}.json", json.dumps(facts, separators=(",", ":")), zipfile.ZIP_DEFLATED)
    part.replace(path)


def read_screen(archive: zipfile.ZipFile, name: str) -> Screen:
    """Read one screen of an open shard."""
    facts = json.loads(archive.read(f"{name}.json"))
    image = Image.open(io.BytesIO(archive.read(f"{name}.webp"))).convert("RGB")
    elements = tuple(Element(**{**e, "box": tuple(e["box"])}) for e in facts["elements"])
    words = tuple(Word((w[0], w[1], w[2], w[3]), w[4]) for w in facts["words"])
    return Screen(image, elements, words, facts["source"])


def read_shard(path: str | Path) -> Iterator[tuple[str, Screen]]:
    """Read the screens of a shard in the order they were written, as (name, screen)."""
    with zipfile.ZipFile(path) as archive:
        for info in archive.infolist():
            if info.filename.endswith(".json"):
                name = info.filename.removesuffix(".json")
                yield name, read_screen(archive, name)

"""Icons and fonts in one small folder, for screens that are drawn while training.

Pack it with ``python -m foveate.grounding.synthetic.icons --out FOLDER --npm FOLDER --themes FOLDER --fonts FOLDER``.
"""

import argparse
import io
import json
import random
import zipfile
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

import numpy as np
from PIL import Image, ImageFont

from foveate.grounding.synthetic.drawn_text import Letters
from foveate.grounding.synthetic.language import concept_of, concepts

PACKED = "icons.zip"
COLUMNS = 32


@dataclass(frozen=True)
class Icon:
    """One icon of a set.

    Args:
        stem: Its name in the set, such as "trash-2" or "document-save".
        concept: What it stands for in ``language.concepts``; empty when unknown.
        place: Set and position in the set.
    """

    stem: str
    concept: str
    place: tuple[int, int]

    def name(self, rng: random.Random) -> str:
        """Name the icon as a program would: a short name of its concept, or its own name in plain words."""
        if self.concept and rng.random() < 0.85:
            return rng.choice(concepts()[self.concept][0])
        words = self.stem.replace("-", " ").replace("_", " ").split()
        return " ".join(words).capitalize() or "Icon"


@dataclass(frozen=True)
class IconSet:
    """Icons drawn in one manner; ``mono`` ones are masks to be filled with any colour."""

    name: str
    mono: bool
    icons: tuple[Icon, ...]
    known: dict[str, tuple[Icon, ...]] = field(repr=False)


@dataclass(frozen=True)
class Face:
    """A font family: its kind is sans, serif or mono; ``bold`` may be the regular file again."""

    name: str
    kind: str
    regular: str
    bold: str


class IconAtlas:
    """Icons and fonts in memory.

    Args:
        sets: The icon sets.
        pixels: For each set, size -> (icons, size, size) alpha masks or (icons, size, size, 4) pictures, uint8.
        faces: Font families; may be empty, then the imaging library's own font is used.
    """

    def __init__(
        self, sets: tuple[IconSet, ...], pixels: list[dict[int, np.ndarray]], faces: tuple[Face, ...] = ()
    ) -> None:
        if not sets or any(not s.icons for s in sets):
            raise ValueError("an atlas needs at least one icon in every set; pack it from folders that hold icons")
        self.sets, self.pixels, self.faces = sets, pixels, faces
        self.letters = lru_cache(maxsize=1024)(self._letters)
        self.picture = lru_cache(maxsize=8192)(self._picture)

    @classmethod
    def load(cls, folder: str | Path) -> "IconAtlas":
        """Read an atlas.

        Args:
            folder: Folder that the packing command wrote.

        Returns:
            The atlas with all icons decoded.

        Raises:
            ValueError: The folder holds no packed icons.
        """
        folder = Path(folder)
        if not (folder / PACKED).exists():
            raise ValueError(f"{folder} holds no {PACKED}; write it with python -m foveate.grounding.synthetic.icons")
        sets, pixels = [], []
        with zipfile.ZipFile(folder / PACKED) as archive:
            for number, facts in enumerate(json.loads(archive.read("index.json"))):
                icons = tuple(Icon(s, concept_of(s) or "", (number, i)) for i, s in enumerate(facts["stems"]))
                sets.append(IconSet(facts["name"], facts["mono"], icons, by_concept(icons)))
                sheets = {}
                for size in facts["sizes"]:
                    data = archive.read(f"{facts['name']}.{size}.webp")
                    sheets[size] = cut_sheet(Image.open(io.BytesIO(data)), size, len(icons), facts["mono"])
                pixels.append(sheets)
        return cls(tuple(sets), pixels, find_faces(folder / "fonts"))

    def _letters(self, path: str, size: int, crisp: bool = False) -> Letters:
        """Letters of a font file at a size in pixels; of the imaging library's own font when the path is empty."""
        if path:
            return Letters(ImageFont.truetype(path, size, layout_engine=ImageFont.Layout.BASIC), crisp)
        font = ImageFont.load_default(size)
        if not isinstance(font, ImageFont.FreeTypeFont):
            raise RuntimeError("the imaging library lacks FreeType; install one with it or give the atlas fonts")
        return Letters(font, crisp)

    def _picture(self, icon: Icon, size: int) -> Image.Image:
        """Picture of an icon at a size in pixels: mode L (mask) or RGBA."""
        size = max(size, 1)
        sheets = self.pixels[icon.place[0]]
        best = min((s for s in sheets if s >= size), default=max(sheets))
        picture = Image.fromarray(sheets[best][icon.place[1]])
        if best == size:
            return picture
        if picture.mode == "RGBA":
            return (
                picture.convert("RGBa")
                .resize((size, size), Image.Resampling.BOX if best >= 2 * size else Image.Resampling.BICUBIC)
                .convert("RGBA")
            )
        return picture.resize((size, size), Image.Resampling.BICUBIC)


def by_concept(icons: tuple[Icon, ...]) -> dict[str, tuple[Icon, ...]]:
    """Group the icons whose concept is known by it."""
    groups: dict[str, list[Icon]] = {}
    for icon in icons:
        if icon.concept:
            groups.setdefault(icon.concept, []).append(icon)
    return {concept: tuple(members) for concept, members in groups.items()}


def cut_sheet(sheet: Image.Image, size: int, count: int, mono: bool) -> np.ndarray:
    """Cut a sheet of icons, ``COLUMNS`` a row, into single ones.

    Args:
        sheet: The sheet.
        size: Side of an icon in pixels.
        count: Icons on the sheet.
        mono: The sheet shows alpha masks in grey.

    Returns:
        (count, size, size) uint8 masks, or (count, size, size, 4) uint8 pictures.
    """
    pixels = np.asarray(sheet.convert("L" if mono else "RGBA"))
    rows = -(-count // COLUMNS)
    tiles = pixels.reshape(rows, size, COLUMNS, size, -1).swapaxes(1, 2).reshape(rows * COLUMNS, size, size, -1)[:count]
    return np.ascontiguousarray(tiles[..., 0] if mono else tiles)


def find_faces(folder: Path) -> tuple[Face, ...]:
    """List the font families of a folder whose files are named KIND.NAME.regular.ttf and KIND.NAME.bold.ttf."""
    faces = []
    for regular in sorted(folder.glob("*.regular.ttf")):
        kind, name, *_ = regular.name.split(".")
        bold = regular.with_name(f"{kind}.{name}.bold.ttf")
        faces.append(Face(name, kind, str(regular), str(bold if bold.exists() else regular)))
    return tuple(faces)


def main() -> None:
    """Pack an atlas from folders of icons and fonts."""
    from foveate.grounding.synthetic.icons_pack import pack_atlas

    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--out", type=Path, required=True, help="folder to write")
    parser.add_argument("--npm", type=Path, help="node_modules with icon sets")
    parser.add_argument("--themes", type=Path, help="folder of desktop icon themes")
    parser.add_argument("--fonts", type=Path, help="folder of TrueType fonts")
    parser.add_argument("--workers", type=int, default=2, help="processes that rasterise")
    arguments = parser.parse_args()
    pack_atlas(arguments.out, arguments.npm, arguments.themes, arguments.fonts, arguments.workers)


if __name__ == "__main__":
    main()

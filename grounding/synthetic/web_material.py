"""Material of web screens: style sheets of CSS kits, icon sets read by name, and pages that come with packages."""

import random
import re
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

from foveate.grounding.synthetic.language import concept_of, concepts

# Name, folder, pattern of files, and what precedes or follows the icon's name in the file's stem.
_ICON_SETS: tuple[tuple[str, str, str, str], ...] = (
    ("bootstrap-icons", "bootstrap-icons/icons", "*.svg", ""),
    ("tabler", "@tabler/icons/icons/outline", "*.svg", ""),
    ("tabler-filled", "@tabler/icons/icons/filled", "*.svg", ""),
    ("lucide", "lucide-static/icons", "*.svg", ""),
    ("remix-line", "remixicon/icons", "*/*-line.svg", "-line$"),
    ("remix-fill", "remixicon/icons", "*/*-fill.svg", "-fill$"),
    ("mdi", "@mdi/svg/svg", "*.svg", ""),
    ("ionicons", "ionicons/dist/svg", "*.svg", ""),
    ("boxicons", "boxicons/svg/regular", "*.svg", "^bx-"),
    ("boxicons-solid", "boxicons/svg/solid", "*.svg", "^bxs-"),
    ("octicons", "@primer/octicons/build/svg", "*-16.svg", "-16$"),
    ("feather", "feather-icons/dist/icons", "*.svg", ""),
    ("fontawesome", "@fortawesome/fontawesome-free/svgs/solid", "*.svg", ""),
    ("material", "@material-design-icons/svg/filled", "*.svg", ""),
    ("material-outlined", "@material-design-icons/svg/outlined", "*.svg", ""),
    ("material-round", "@material-design-icons/svg/round", "*.svg", ""),
    ("phosphor", "@phosphor-icons/core/assets/regular", "*.svg", ""),
    ("phosphor-bold", "@phosphor-icons/core/assets/bold", "*.svg", "-bold$"),
    ("phosphor-duotone", "@phosphor-icons/core/assets/duotone", "*.svg", "-duotone$"),
    ("phosphor-fill", "@phosphor-icons/core/assets/fill", "*.svg", "-fill$"),
    ("fluent", "@fluentui/svg-icons/icons", "*_20_regular.svg", "_20_regular$"),
    ("fluent-filled", "@fluentui/svg-icons/icons", "*_20_filled.svg", "_20_filled$"),
    ("heroicons", "heroicons/24/outline", "*.svg", ""),
    ("heroicons-solid", "heroicons/24/solid", "*.svg", ""),
    ("heroicons-small", "heroicons/16/solid", "*.svg", ""),
    ("iconoir", "iconoir/icons/regular", "*.svg", ""),
    ("carbon", "@carbon/icons/svg/32", "*.svg", ""),
)

# Signs of companies whose names read like something else.
_BRANDS = {("iconoir", "x"), ("iconoir", "threads"), ("bootstrap-icons", "threads")}


@dataclass(frozen=True)
class Icon:
    """An icon to put into a page: its name in the set, words for it, and markup of an inline picture."""

    stem: str
    name: str
    svg: str


@dataclass
class IconSet:
    """Icons of one set by concept of ``language.concepts`` and by name."""

    name: str
    by_concept: dict[str, list[tuple[str, Path]]] = field(default_factory=dict)
    rest: list[tuple[str, Path]] = field(default_factory=list)

    def pick(self, rng: random.Random, concept: str = "") -> Icon | None:
        """Pick an icon.

        Args:
            rng: Source of all choices.
            concept: Concept it has to show; empty for any.

        Returns:
            The icon, or None when the set has none for the concept.
        """
        if concept:
            found = self.by_concept.get(concept)
            if not found:
                return None
            stem, path = found[0] if rng.random() < 0.6 else rng.choice(found[:6])
        elif self.rest and rng.random() < 0.25:
            stem, path = rng.choice(self.rest)
        else:
            stem, path = rng.choice(self.by_concept[rng.choice(sorted(self.by_concept))])
        known = concept_of(stem)
        name = rng.choice(concepts()[known][0]) if known and rng.random() < 0.8 else human_name(stem)
        return Icon(stem, name, inline_svg(path, stem))


def human_name(stem: str) -> str:
    """Turn an icon's file name into words: "trash-2" becomes "Trash"."""
    words = [w for w in re.split(r"[-_]+", stem) if w and not w.isdigit() and w not in ("fill", "outline", "filled")]
    return " ".join(words).capitalize() or stem


@lru_cache(maxsize=8192)
def inline_svg(path: Path, stem: str) -> str:
    """Read an SVG file as markup that takes its size and colour from the text around it."""
    text = path.read_text(encoding="utf-8")
    text = re.sub(r"<\?xml.*?\?>|<!--.*?-->|<title>.*?</title>|<!DOCTYPE.*?>", "", text, flags=re.S).strip()
    head, _, body = text.partition(">")
    head = re.sub(r'\s(width|height|class|id|style|aria-hidden|data-slot|role)="[^"]*"', "", head)
    if "fill=" not in head and "stroke=" not in head:
        head += ' fill="currentColor"'
    text = re.sub(r'(fill|stroke)="(#[0-9a-fA-F]{3,8}|black)"', r'\1="currentColor"', f"{head}>{body}")
    text = re.sub(r"\s+", " ", text)
    return text.replace("<svg", f'<svg class="x-icon" data-icon="{stem}" aria-hidden="true"', 1)


@dataclass
class Material:
    """Everything that lies in the folder of installed packages.

    Args:
        root: Folder that holds node_modules.
        icon_sets: Icon sets found there.
    """

    root: Path
    icon_sets: list[IconSet]

    def css(self, *names: str) -> str:
        """Join style sheets, given by path in node_modules, without anything that would be fetched."""
        return "\n".join(_clean_css(self.root / "node_modules" / name) for name in names)

    def file(self, name: str) -> Path:
        """Path of a file or folder in node_modules."""
        return self.root / "node_modules" / name


@lru_cache(maxsize=4)
def load_material(root: Path) -> Material:
    """Find the icon sets under a folder of installed packages.

    Args:
        root: Folder in which scripts/fetch_web_material.sh ran its installation.

    Raises:
        ValueError: If no icon set is there.
    """
    sets = []
    for name, folder, pattern, affix in _ICON_SETS:
        found = IconSet(name)
        for path in sorted((root / "node_modules" / folder).glob(pattern)):
            stem = re.sub(affix, "", path.stem).replace("_", "-").replace("--", "-").lower() if affix else path.stem
            stem = stem.replace("_", "-").replace("--", "-").lower()
            if (name, stem) in _BRANDS:
                continue
            concept = concept_of(stem)
            if concept:
                found.by_concept.setdefault(concept, []).append((stem, path))
            else:
                found.rest.append((stem, path))
        for entries in found.by_concept.values():
            entries.sort(key=lambda e: len(e[0]))
        if len(found.by_concept) > 40:
            sets.append(found)
    if not sets:
        raise ValueError(f"{root} holds no icon sets: run scripts/fetch_web_material.sh, or give its folder")
    return Material(root, sets)


@lru_cache(maxsize=64)
def _clean_css(path: Path) -> str:
    text = path.read_text(encoding="utf-8")
    text = re.sub(r"/\*.*?\*/", "", text, flags=re.S)
    text = re.sub(r"@font-face\s*\{[^}]*\}", "", text)
    text = re.sub(r"@import[^;]*;", "", text)
    text = re.sub(r"@charset[^;]*;", "", text)
    text = re.sub(r"url\(\s*(?!['\"]?(data:|#))[^)]*\)", "none", text)
    # Pages are captured at once: anything that moves would be caught on its way.
    return text.replace("</style", "")

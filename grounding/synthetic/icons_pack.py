"""Packing an icon atlas: rasterise icon sets and themes, choose a mixture of known and other icons, shrink fonts."""

import io
import json
import logging
import random
import re
import zipfile
from collections.abc import Iterable
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path

import numpy as np
from PIL import Image

from foveate.grounding.synthetic.icons import COLUMNS, PACKED
from foveate.grounding.synthetic.language import concept_of

log = logging.getLogger("foveate.icons")
MONO_SIZES, COLOUR_SIZES = (24, 48), (16, 24, 48)
_LEAST_THEME = 20
# Set name -> where its files lie below node_modules.
WEB_SETS = {
    "bootstrap": "bootstrap-icons/icons/*.svg",
    "tabler": "@tabler/icons/icons/outline/*.svg",
    "tabler-filled": "@tabler/icons/icons/filled/*.svg",
    "lucide": "lucide-static/icons/*.svg",
    "feather": "feather-icons/dist/icons/*.svg",
    "remix-line": "remixicon/icons/*/*-line.svg",
    "remix-fill": "remixicon/icons/*/*-fill.svg",
    "mdi": "@mdi/svg/svg/*.svg",
    "ionicons": "ionicons/dist/svg/*-outline.svg",
    "ionicons-sharp": "ionicons/dist/svg/*-sharp.svg",
    "boxicons": "boxicons/svg/regular/*.svg",
    "boxicons-solid": "boxicons/svg/solid/*.svg",
    "octicons": "@primer/octicons/build/svg/*-24.svg",
    "fontawesome": "@fortawesome/fontawesome-free/svgs/solid/*.svg",
    "fontawesome-regular": "@fortawesome/fontawesome-free/svgs/regular/*.svg",
    "material": "@material-design-icons/svg/filled/*.svg",
    "material-outlined": "@material-design-icons/svg/outlined/*.svg",
    "material-sharp": "@material-design-icons/svg/sharp/*.svg",
    "material-two-tone": "@material-design-icons/svg/two-tone/*.svg",
    "phosphor": "@phosphor-icons/core/assets/regular/*.svg",
    "phosphor-bold": "@phosphor-icons/core/assets/bold/*.svg",
    "phosphor-fill": "@phosphor-icons/core/assets/fill/*.svg",
    "phosphor-thin": "@phosphor-icons/core/assets/thin/*.svg",
    "phosphor-duotone": "@phosphor-icons/core/assets/duotone/*.svg",
    "fluent": "@fluentui/svg-icons/icons/*_24_regular.svg",
    "fluent-filled": "@fluentui/svg-icons/icons/*_24_filled.svg",
    "hero-outline": "heroicons/24/outline/*.svg",
    "hero-solid": "heroicons/24/solid/*.svg",
    "iconoir": "iconoir/icons/regular/*.svg",
    "carbon": "@carbon/icons/svg/32/*.svg",
    "uswds": "@uswds/uswds/dist/img/usa-icons/*.svg",
}
THEMES = (
    "Adwaita",
    "Papirus",
    "Papirus-Dark",
    "Tango",
    "breeze",
    "oxygen",
    "gnome",
    "mate",
    "menta",
    "elementary",
    "elementary-xfce",
    "elementary-xfce-dark",
    "Numix",
    "Numix-Circle",
    "Faenza",
    "Humanity",
    "suru",
    "bloom",
    "nuoveXT2",
    "Yaru",
    "Obsidian",
    "deepin",
)
_PLACES = "actions|apps|places|devices|mimetypes|mimes|status|categories|panel|preferences|emblems|legacy"
# Windows of these programs measure the trained model, so even their icons stay out.
_KEPT_OUT = re.compile(
    r"abiword|audacity|d-feet|evince|featherpad|filezilla|galculator|geany|gedit|gimp|gnumeric|gucharmap|hexchat|inkscape|"
    r"\bkate\b|libreoffice|ooo|meld|mousepad|pidgin|rhythmbox|seahorse|shotwell|simple-scan|thunar|transmission|"
    r"xfce4-settings|xournal|jupyter"
)
_FACES = (
    ("sans", "dejavu", "DejaVuSans"),
    ("sans", "liberation", "LiberationSans-Regular"),
    ("sans", "roboto", "Roboto-Regular"),
    ("sans", "opensans", "OpenSans-Regular"),
    ("sans", "lato", "Lato-Regular"),
    ("sans", "noto", "NotoSans-Regular"),
    ("sans", "inter", "Inter-Regular"),
    ("sans", "cantarell", "Cantarell-Regular"),
    ("sans", "droid", "DroidSansFallback"),
    ("sans", "carlito", "Carlito-Regular"),
    ("sans", "arimo", "Arimo-Regular"),
    ("sans", "freesans", "FreeSans"),
    ("sans", "oxygen", "Oxygen-Sans"),
    ("sans", "quicksand", "Quicksand-Regular"),
    ("sans", "comfortaa", "Comfortaa-Regular"),
    ("sans", "vera", "Vera"),
    ("sans", "ubuntu", "Ubuntu-R"),
    ("sans", "condensed", "RobotoCondensed-Regular"),
    ("sans", "narrow", "LiberationSansNarrow-Regular"),
    ("sans", "display", "NotoSansDisplay-Regular"),
    ("serif", "tinos", "LiberationSerif-Regular"),
    ("serif", "dejavuserif", "DejaVuSerif"),
    ("serif", "notoserif", "NotoSerif-Regular"),
    ("mono", "dejavumono", "DejaVuSansMono"),
    ("mono", "liberationmono", "LiberationMono-Regular"),
    ("mono", "hack", "Hack-Regular"),
    ("mono", "fira", "FiraCode-Regular"),
    ("mono", "notomono", "NotoSansMono-Regular"),
    ("mono", "freemono", "FreeMono"),
)
_LATIN = (
    "".join(map(chr, (*range(32, 127), *range(160, 384))))
    + "\u2013\u2014\u2018\u2019\u201c\u201d•…\u2039\u203a€™←↑→↓▸▾▲▼✓✕\u00d7"
)


def pack_atlas(
    out: Path,
    npm: Path | None,
    themes: Path | None,
    fonts: Path | None,
    workers: int = 2,
    seed: int = 0,
    least: int = 60,
) -> None:
    """Write an atlas folder.

    Args:
        out: Folder to write.
        npm: node_modules with the icon sets of the web, or None.
        themes: Folder of desktop icon themes, or None.
        fonts: Folder of TrueType fonts, or None.
        workers: Processes that rasterise.
        seed: Which icons are chosen.
        least: Sets with fewer icons are left out.

    Raises:
        ValueError: No icons were found.
    """
    rng = random.Random(seed)
    sets = {**(web_sets(npm) if npm else {}), **(theme_sets(themes) if themes else {})}
    out.mkdir(parents=True, exist_ok=True)
    index = []
    with zipfile.ZipFile(out / PACKED, "w", zipfile.ZIP_STORED) as archive, ProcessPoolExecutor(workers) as pool:
        for name, (mono, files) in sorted(sets.items()):
            sizes = MONO_SIZES if mono else COLOUR_SIZES
            good = []
            # Coloured themes hold many icons of one colour, which are turned down: more are tried than kept.
            for stems, keep in choose(files, rng, 220, 130, spare=1 if mono else 3):
                drawn = pool.map(partial(rasterise, sizes=sizes, mono=mono), [files[s] for s in stems], chunksize=16)
                good += [(s, d) for s, d in zip(stems, drawn, strict=True) if d is not None][:keep]
            # A screen takes all its icons from one set, which has to hold enough of them.
            if len(good) < least:
                continue
            for number, size in enumerate(sizes):
                archive.writestr(f"{name}.{size}.webp", encode(np.stack([d[number] for _, d in good]), mono))
            index.append({"name": name, "mono": mono, "sizes": sizes, "stems": [s for s, _ in good]})
            log.info("%s: %d icons of %d", name, len(good), len(files))
        archive.writestr("index.json", json.dumps(index), zipfile.ZIP_DEFLATED)
    if not index:
        raise ValueError(f"no icons below {npm} or {themes}; install them with scripts/fetch_icons.sh")
    if fonts:
        pack_fonts(fonts, out / "fonts")


def web_sets(npm: Path) -> dict[str, tuple[bool, dict[str, dict[int, Path]]]]:
    """Find the icon sets of the web: set -> (mono, stem -> size -> file)."""
    found = {}
    for name, pattern in WEB_SETS.items():
        files = {clean_stem(path.stem): {48: path} for path in sorted(npm.glob(pattern))}
        if files:
            found[name] = (True, files)
    return found


def theme_sets(folder: Path) -> dict[str, tuple[bool, dict[str, dict[int, Path]]]]:
    """Find desktop themes: the coloured icons of each, and its symbolic ones as a set of their own."""
    found = {}
    for theme in THEMES:
        plain: dict[str, dict[int, Path]] = {}
        symbolic: dict[str, dict[int, Path]] = {}
        for path in sorted((folder / theme).rglob("*")):
            if path.suffix not in (".png", ".svg") or "@" in str(path) or _KEPT_OUT.search(path.stem.lower()):
                continue
            place = str(path.relative_to(folder / theme).parent)
            if not re.search(rf"\b({_PLACES})\b", place):
                continue
            size = re.search(r"\b(\d+)(x\d+)?\b", place)
            sort = symbolic if path.stem.endswith("-symbolic") or "symbolic" in place else plain
            sort.setdefault(clean_stem(path.stem), {}).setdefault(int(size[1]) if size else 64, path)
        for name, mono, files in ((theme.lower(), False, plain), (f"{theme.lower()}-symbolic", True, symbolic)):
            if len(files) >= _LEAST_THEME:
                found[name] = (mono, _without_copies(files))
    return found


def _without_copies(files: dict[str, dict[int, Path]]) -> dict[str, dict[int, Path]]:
    """Drop links to icons that are there under another name; names with a known concept win."""
    kept: dict[str, dict[int, Path]] = {}
    seen: set[Path] = set()
    for stem in sorted(files, key=lambda s: (concept_of(s) is None, s)):
        real = files[stem][max(files[stem])].resolve()
        if real not in seen and real.exists():
            seen.add(real)
            kept[stem] = files[stem]
    return kept


def clean_stem(stem: str) -> str:
    """Strip what tells size, weight or toolkit from a file name: "delete_24_regular" becomes "delete"."""
    stem = stem.lower().replace("_", "-").removesuffix("-symbolic")
    stem = re.sub(
        r"-(24|20|16)-(regular|filled)$|-(line|fill|filled|outline|sharp|bold|thin|duotone)$|-(16|24)$", "", stem
    )
    return re.sub(r"^(bx|bxs|gtk|gnome|xfce|mate|org\.\w+\.|stock)-(?=\w)", "", stem)


def choose(
    files: Iterable[str], rng: random.Random, known: int, others: int, spare: int = 1
) -> list[tuple[list[str], int]]:
    """Choose icons so that most have a known concept and many concepts appear.

    Args:
        files: Stems of the icons.
        rng: Source of all choices.
        known: Icons with a known concept to keep.
        others: Other icons to keep when there are as many known ones as wanted.
        spare: How many times more to try.

    Returns:
        The stems to try with how many to keep of them, for known icons and for others.
    """
    groups: dict[str, list[str]] = {}
    rest = []
    for stem in sorted(files):
        concept = concept_of(stem)
        groups.setdefault(concept, []).append(stem) if concept else rest.append(stem)
    # The shortest name of a concept is the plainest picture of it.
    ranked = [sorted(g, key=lambda s: (len(s), s)) for g in groups.values()]
    picked: list[str] = []
    for depth in range(3 * spare):
        layer = [g[depth] for g in ranked if len(g) > depth]
        rng.shuffle(layer)
        picked += layer
    rest = [s for s in rest if len(s) <= 28]
    share = max(12, round(min(known, len(picked)) * others / known))
    return [(picked[: known * spare], known), (rng.sample(rest, min(share * spare, len(rest))), share)]


def rasterise(files: dict[int, Path], sizes: tuple[int, ...], mono: bool) -> list[np.ndarray] | None:
    """Draw an icon at several sizes.

    Args:
        files: Size the file was drawn for -> file (SVG or PNG).
        sizes: Sides of the pictures in pixels.
        mono: Keep alpha only.

    Returns:
        (size, size) or (size, size, 4) uint8 for every size, or None when the icon cannot be drawn or shows nothing.
    """
    made = []
    for size in sizes:
        near = min(files, key=lambda s: (abs(s - size) > 4, s < size, abs(s - size)))
        try:
            picture = _draw(files[near], size)
        except (ValueError, OSError):
            return None
        pixels = np.asarray(picture)
        cover = pixels[..., 3].mean() / 255
        if not 0.02 < cover < (0.8 if mono else 1.01):
            return None
        solid = pixels[..., :3][pixels[..., 3] > 128].astype(int)
        if not mono and (len(solid) < 8 or np.ptp(solid, axis=0).max() < 24):
            return None
        made.append(pixels[..., 3] if mono else pixels)
    return made


def _draw(path: Path, size: int) -> Image.Image:
    if path.suffix == ".svg":
        import resvg_py

        text = path.read_text(encoding="utf-8", errors="ignore")
        data = bytes(resvg_py.svg_to_bytes(svg_string=text, width=size, height=size, skip_system_fonts=True))
        picture = Image.open(io.BytesIO(data)).convert("RGBA")
    else:
        picture = Image.open(path).convert("RGBA")
    if picture.size == (size, size):
        return picture
    if max(picture.size) > size:
        picture.thumbnail((size, size), Image.Resampling.LANCZOS)
    # Icons of 22 pixels on 24, as toolkits do: centred, not blown up.
    elif max(picture.size) < 0.85 * size:
        picture = picture.resize((size, size), Image.Resampling.BICUBIC)
    full = Image.new("RGBA", (size, size))
    full.paste(picture, ((size - picture.width) // 2, (size - picture.height) // 2))
    return full


def encode(icons: np.ndarray, mono: bool) -> bytes:
    """Put icons on one sheet and code it: masks without loss in 16 levels, small pictures without loss."""
    count, size = icons.shape[:2]
    rows = -(-count // COLUMNS)
    tiles = np.zeros((rows * COLUMNS, *icons.shape[1:]), np.uint8)
    tiles[:count] = (icons.astype(np.uint16) + 8) // 17 * 17 if mono else icons
    grid = tiles.reshape(rows, COLUMNS, size, size, -1).swapaxes(1, 2).reshape(rows * size, COLUMNS * size, -1)
    data = io.BytesIO()
    if mono:
        Image.fromarray(grid[..., 0]).convert("RGB").save(data, "WEBP", lossless=True, quality=80, method=5)
    elif size <= 16:
        Image.fromarray(grid).save(data, "WEBP", lossless=True, quality=80, method=5)
    else:
        Image.fromarray(grid).save(data, "WEBP", quality=82, alpha_quality=90, method=5)
    return data.getvalue()


def pack_fonts(fonts: Path, out: Path) -> None:
    """Copy the fonts that are there, cut down to Latin letters."""
    from fontTools import subset

    out.mkdir(parents=True, exist_ok=True)
    logging.getLogger("fontTools").setLevel(logging.ERROR)
    files = {path.stem: path for path in sorted(fonts.rglob("*")) if path.suffix in (".ttf", ".otf")}
    for kind, name, stem in _FACES:
        for weight, source in (("regular", _first(files, (stem,))), ("bold", _first(files, _bold_names(stem)))):
            if source is None:
                continue
            options = subset.Options(hinting=True, layout_features=["kern"], name_IDs=[1, 2], notdef_outline=True)
            font = subset.load_font(str(source), options)
            cutter = subset.Subsetter(options)
            cutter.populate(text=_LATIN)
            cutter.subset(font)
            subset.save_font(font, str(out / f"{kind}.{name}.{weight}.ttf"), options)


def _bold_names(stem: str) -> tuple[str, ...]:
    base = stem.removesuffix("-Regular").removesuffix("-R")
    return (f"{base}-Bold", f"{base}-B", f"{base}Bold", f"{base}Bd", f"{stem}-Bold")


def _first(files: dict[str, Path], names: Iterable[str]) -> Path | None:
    return next((files[n] for n in names if n in files), None)

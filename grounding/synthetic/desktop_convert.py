"""Turns raw captures of desktop programs into screens: visible elements, words proved by their ink, no repeats."""

import json
import logging
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from PIL import Image, ImageFont

from foveate.grounding.synthetic.desktop_elements import Scene, Thing, clean_name, intersect, things
from foveate.grounding.synthetic.desktop_ink import fit_words, font_of
from foveate.grounding.synthetic.language import concept_of
from foveate.grounding.synthetic.screens import Box, Element, Screen, Word

logger = logging.getLogger(__name__)

# A letter that no alphabet holds: marks ink that may be text, so that training does not take it for empty ground.
UNREAD = "\u25a1"
_READABLE = (
    "button",
    "menuitem",
    "tab",
    "checkbox",
    "radio",
    "link",
    "cell",
    "listitem",
    "treeitem",
    "heading",
    "label",
)
_CAPTIONED = ("field", "combobox", "slider", "switch")
_LISTED = ("cell", "listitem", "treeitem")
_CHANGED = 12
_FEWEST = 8


@dataclass(frozen=True)
class Verdict:
    """What became of a raw capture.

    Args:
        screen: The screen, or None when it was refused.
        reason: Why it was refused; empty when it was not.
        checked: Texts that were looked for in the ink.
        fitting: Those that were found.
    """

    screen: Screen | None
    reason: str
    checked: int
    fitting: int


@dataclass(frozen=True)
class _View:
    grey: np.ndarray
    font: ImageFont.FreeTypeFont
    changed: np.ndarray | None
    scene: Scene


def convert_capture(path: Path, source: str, font: ImageFont.FreeTypeFont) -> Verdict:
    """Turn one raw capture into a screen.

    Args:
        path: NNN.json with NNN.png beside it.
        source: Source of the screen, such as "desktop/pluma".
        font: Font that the program was told to use.

    Returns:
        The screen with its elements and words, or the reason why it is no good.
    """
    facts = json.loads(path.read_text(encoding="utf-8"))
    image = Image.open(path.with_suffix(".png")).convert("RGB")
    grey = np.asarray(image.convert("L"))
    after = path.with_suffix(".after.png")
    changed = None
    if after.exists():
        later = np.asarray(Image.open(after).convert("L"))
        changed = np.abs(later.astype(np.int16) - grey) > _CHANGED
        if changed.mean() > 0.06:
            return Verdict(None, "moving", 0, 0)
    view = _View(grey, font, changed, Scene(facts))
    found = [t for t in things(view.scene) if not _moving(view, t.box)]
    elements, words, checked, fitting = [], _own_words(view), 0, 0
    for thing in found:
        element, fitted, was_checked = _element(view, thing)
        checked += was_checked
        fitting += was_checked and bool(fitted)
        if element is not None:
            elements.append(element)
        words += fitted
    words += _titles(view)
    words = _distinct(words)
    words += unread_ink(grey, [w.box for w in words], [e.box for e in elements if e.kind == "icon"])
    if len(elements) < _FEWEST:
        return Verdict(None, "few elements", checked, fitting)
    blank = sum(t.role != "field" and not _has_ink(view, t.box) for t in found)
    if blank > 3 and blank > 0.2 * len(found):
        return Verdict(None, "elements that show nothing", checked, fitting)
    if checked >= 6 and fitting < 0.4 * checked:
        return Verdict(None, "texts not where they are said to be", checked, fitting)
    return Verdict(Screen(image, tuple(elements), tuple(words), source), "", checked, fitting)


def _moving(view: _View, box: Box) -> bool:
    if view.changed is None:
        return False
    left, top, right, bottom = (round(v) for v in box)
    part = view.changed[max(top, 0) : bottom, max(left, 0) : right]
    return bool(part.size and part.mean() > 0.02)


def _element(view: _View, thing: Thing) -> tuple[Element | None, list[Word], bool]:
    """Make an element; with the words found in its box, and whether they were looked for in earnest."""
    node = view.scene.nodes[thing.index]
    width, height = thing.box[2] - thing.box[0], thing.box[3] - thing.box[1]
    shown = thing.content if thing.role in ("field", "combobox") else thing.name
    if thing.role == "combobox" and not thing.content:
        shown = clean_name(node["name"])
    texts = shown.split()
    tree = view.scene.tree_of(thing.index)
    has_own = bool(node.get("words")) and tree is None
    expected = view.font.getlength(shown) if shown else 0.0
    single = height < 3.8 * view.font.size and len(texts) <= 14
    fitted: list[Word] = []
    tried = False
    if texts and single and not has_own and thing.role in (*_READABLE, *_CAPTIONED):
        area = thing.box
        if tree is not None:
            # Cells of trees are told too far right by the room of their expander.
            area = (max(area[0] - 90, tree[0]), area[1], area[2], area[3])
        boxes = fit_words(view.grey, area, texts, view.font)
        if boxes is not None and tree is not None:
            thing = replace(thing, box=(max(0.0, boxes[0][0] - 3), area[1], area[2], area[3]))
        if boxes is None and thing.role in ("button", "tab") and height > 2.2 * view.font.size:
            # The text of tall buttons stands below their picture.
            low = (thing.box[0], thing.box[1] + 0.5 * height, thing.box[2], thing.box[3])
            boxes = fit_words(view.grey, low, texts, view.font)
        tried = thing.role in ("menuitem", "tab", "checkbox", "radio", "heading", "label") and expected < 0.9 * width
        fitted = [Word(b, t) for b, t in zip(boxes, texts, strict=True)] if boxes else []
    kind = _kind(thing, bool(fitted) or (has_own and _has_ink(view, thing.box)), expected, width, height)
    unproved = kind == "text" and not fitted and not has_own
    if unproved and (
        thing.role == "label" or (thing.role in _LISTED and (expected < 0.85 * width or not single or tree))
    ):
        # Lists may lie under other things of their own window, and say nothing of it.
        return None, [], tried
    if thing.role != "field" and not _has_ink(view, thing.box):
        return None, [], tried
    concept = ""
    if kind == "icon":
        slug = re.sub(r"[^a-z0-9]+", "-", thing.name.lower()).strip("-")
        concept = slug if concept_of(slug) else ""
    # Tool buttons that stay down are told as check boxes; real check boxes have no picture of that size.
    pressed = kind == "icon" and thing.role in ("checkbox", "radio") and min(width, height) >= 26
    element = Element(
        box=thing.box,
        name=thing.name,
        role="button" if pressed else thing.role,
        kind=kind,
        concept=concept,
        label=thing.label,
        row=thing.row,
        section=thing.section,
        state=thing.state,
        description=thing.description,
    )
    return element, fitted, tried


def _kind(thing: Thing, read: bool, expected: float, width: float, height: float) -> str:
    """Tell whether the name can be read inside the box."""
    if thing.role in _CAPTIONED:
        return "text" if read and thing.content == thing.name else "icon"
    if read:
        return "text"
    if thing.role in ("menuitem", "link", "heading", "label", "cell", "listitem", "treeitem"):
        return "text" if expected < 1.6 * width else "icon"
    if thing.role == "image":
        return "text" if height > 56 and expected < 2.2 * width else "icon"
    return "text" if width > 1.25 * height + 12 and expected < 1.1 * width else "icon"


def _has_ink(view: _View, box: Box) -> bool:
    left, top, right, bottom = (max(0, round(v)) for v in box)
    part = view.grey[top:bottom, left:right]
    return bool(part.size) and int(part.max()) - int(part.min()) > 20


def _own_words(view: _View) -> list[Word]:
    """Take the words that the toolkit places itself, where they are in sight and ink is there."""
    found = []
    for i, node in enumerate(view.scene.nodes):
        clip = intersect(node["box"], view.scene.clips[i]) if node["box"] and node.get("words") else None
        if clip is None or view.scene.tree_of(i) is not None:
            continue
        limit = clip[2] + 1
        cut = {round(w[1]) for w in node["words"] if w[2] > limit}
        for left, top, right, bottom, text in node["words"]:
            # An ellipsis replaces the end of a line that is too long.
            room = 3.0 * view.font.size if round(top) in cut else 0.0
            inside = left >= clip[0] - 1 and right <= limit - room and top >= clip[1] - 2 and bottom <= clip[3] + 2
            box = (float(left), float(top), float(right), float(bottom))
            if inside and bottom - top < 90 and view.scene.shows(i, box) and not _moving(view, box):
                tight = _tight(view, box, text)
                if tight is not None:
                    found.append(Word(tight, text))
    return found


def _tight(view: _View, box: Box, text: str) -> Box | None:
    """Cut a word's box to its ink; None when the ink does not look like a whole word."""
    left, top, right, bottom = (max(0, round(v)) for v in box)
    margin = min(2, left)
    part = view.grey[top:bottom, left - margin : right + 2].astype(np.int16)
    if part.shape[0] < 4 or part.shape[1] < 6 or int(part.max()) - int(part.min()) < 30:
        return None
    ground = np.median(part)
    ink = np.abs(part - ground) > 0.4 * np.abs(part - ground).max()
    # Boxes that are off by some letters, as in the rows of trees, cut through ink at their sides.
    if ink[:, :margin].any() or ink[:, -1:].any() or ink.mean() > 0.6:
        return None
    columns, rows = np.flatnonzero(ink.any(0)), np.flatnonzero(ink.any(1))
    width = right - left
    if not len(columns) or (len(text) > 2 and columns[-1] - columns[0] + 1 < 0.75 * width - 3):
        return None
    start = left - margin
    return (start + columns[0] - 1.0, top + rows[0] - 1.0, start + columns[-1] + 2.0, top + rows[-1] + 2.0)


def _titles(view: _View) -> list[Word]:
    """Find the words of window titles in the frames that the window manager draws."""
    found = []
    for i, node in enumerate(view.scene.nodes):
        owner = view.scene.owner(i) if node["parent"] < 0 and node["name"] else None
        if owner is None:
            continue
        window = view.scene.windows[owner]
        frame, client = window["frame"], window["client"]
        bar = (float(frame[0]), float(frame[1]), float(frame[2]), float(client[1]))
        if bar[3] - bar[1] < 12 or not view.scene.shows(i, bar):
            continue
        texts = clean_name(node["name"]).split()
        boxes = fit_words(view.grey, bar, texts, view.font) if len(texts) <= 12 else None
        found += [Word(b, t) for b, t in zip(boxes, texts, strict=True)] if boxes else []
    return found


def unread_ink(grey: np.ndarray, read: Sequence[Box], pictures: Sequence[Box]) -> list[Word]:
    """Mark ink that is neither a word that was read nor a known picture.

    Args:
        grey: (height, width) uint8 grey values of the screen.
        read: Boxes of the words that are known, in pixels.
        pictures: Boxes of icons, in pixels.

    Returns:
        Stripes of 8 pixels' height with the text ``UNREAD``.
    """
    rows, columns = grey.shape[0] // 8, grey.shape[1] // 8
    cells = grey[: rows * 8, : columns * 8].reshape(rows, 8, columns, 8)
    busy = cells.max((1, 3)).astype(np.int16) - cells.min((1, 3)) > 24
    for left, top, right, bottom in (*read, *pictures):
        busy[int(top // 8) : int(-(-bottom // 8)), int(left // 8) : int(-(-right // 8))] = False
    found = []
    for row in np.flatnonzero(busy.any(1)):
        places = np.flatnonzero(busy[row])
        breaks = np.flatnonzero(np.diff(places) > 3)
        for first, last in zip(places[[0, *(breaks + 1)]], places[[*breaks, -1]], strict=True):
            found.append(Word((first * 8.0, row * 8.0, last * 8.0 + 8, row * 8.0 + 8), UNREAD))
    return found


def _distinct(words: list[Word]) -> list[Word]:
    kept: list[Word] = []
    for word in words:
        if not any(intersect(word.box, other.box) and _same_place(word.box, other.box) for other in kept):
            kept.append(word)
    return kept


def _same_place(a: Box, b: Box) -> bool:
    common = intersect(a, b)
    if common is None:
        return False
    smaller = min((a[2] - a[0]) * (a[3] - a[1]), (b[2] - b[0]) * (b[3] - b[1]))
    return (common[2] - common[0]) * (common[3] - common[1]) > 0.4 * smaller


def convert_run(folder: Path, most: int = 24) -> tuple[dict[str, Screen], dict[str, int]]:
    """Turn the captures of one program's run into screens that differ.

    Args:
        folder: Folder of ``run_program``, with run.json.
        most: Most screens to keep of one run.

    Returns:
        Screens by name, and how many captures were kept or refused for each reason.
    """
    chosen = json.loads((folder / "run.json").read_text(encoding="utf-8"))
    font = font_of(chosen["look"]["font"], chosen["look"]["points"])
    screens: dict[str, Screen] = {}
    greys: list[np.ndarray] = []
    counts: dict[str, int] = {}
    for path in sorted(folder.glob("[0-9]*.json")):
        if len(screens) >= most:
            break
        try:
            verdict = convert_capture(path, f"desktop/{chosen['program']}", font)
        except (OSError, ValueError) as error:
            logger.warning("capture %s left out: %s", path, error)
            continue
        reason = verdict.reason or "kept"
        if verdict.screen is not None:
            grey = np.asarray(verdict.screen.image.convert("L")).astype(np.int16)
            if any((np.abs(grey - other) > _CHANGED).mean() < 0.004 for other in greys):
                reason = "repeated"
            else:
                greys.append(grey)
                screens[f"{folder.name}-{path.stem}"] = verdict.screen
        counts[reason] = counts.get(reason, 0) + 1
        counts["checked"] = counts.get("checked", 0) + verdict.checked
        counts["fitting"] = counts.get("fitting", 0) + verdict.fitting
    return screens, counts

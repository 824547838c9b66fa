"""Sentences that ask for elements: verbatim names, verbs, paraphrases, icon intents, positions, rows and sections."""

import random
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files
from itertools import pairwise

from foveate.grounding.synthetic.screens import Box, Element

_COMMAND_TABLES = ("commands.tsv", "commands_desktop.tsv", "commands_web.tsv")


@dataclass(frozen=True)
class Instruction:
    """A sentence and the elements that answer it.

    Args:
        text: The sentence.
        targets: Indices of every element that is a right answer.
        kind: "text" or "icon".
    """

    text: str
    targets: tuple[int, ...]
    kind: str


def normalise_label(text: str) -> str:
    """Lower a label and strip mnemonics, colons, dots and doubled blanks, so that equal labels compare equal."""
    text = re.sub(r"\(_?\w\)$|_(?=\w)", "", text)
    return re.sub(r"\s+", " ", text).strip(" .:…*>\u203a»").lower()


@lru_cache(maxsize=1)
def concepts() -> dict[str, tuple[tuple[str, ...], tuple[str, ...]]]:
    """Icon concepts: name -> (short names, intents)."""
    table = {}
    for line in _data("concepts.tsv"):
        concept, _, names, intents = line.split("\t")
        table[concept] = (tuple(names.split(";")), tuple(intents.split(";")))
    return table


@lru_cache(maxsize=1)
def commands() -> dict[str, tuple[str, ...]]:
    """Normalised labels of user interfaces -> ways to ask for them in other words, merged over all tables."""
    table: dict[str, tuple[str, ...]] = {}
    for label, intents in _command_rows():
        key = normalise_label(label)
        table[key] = tuple(dict.fromkeys((*table.get(key, ()), *intents)))
    return table


@lru_cache(maxsize=1)
def command_labels() -> tuple[str, ...]:
    """Labels as they are written on screens, each once."""
    first: dict[str, str] = {}
    for label, _ in _command_rows():
        first.setdefault(normalise_label(label), label)
    return tuple(first.values())


def _command_rows() -> list[tuple[str, tuple[str, ...]]]:
    rows = []
    for name in _COMMAND_TABLES:
        for line in _data(name):
            label, intents = line.split("\t")
            rows.append((label, tuple(intents.split(";"))))
    return rows


def _data(name: str) -> list[str]:
    text = (files("foveate.grounding.synthetic") / "data" / name).read_text(encoding="utf-8")
    return [line for line in text.splitlines() if line.strip()]


@lru_cache(maxsize=1)
def _stems() -> dict[str, str]:
    table: dict[str, str] = {}
    for line in _data("concepts.tsv"):
        concept, stems, *_ = line.split("\t")
        for stem in stems.split(","):
            table.setdefault(stem, concept)
    return table


@lru_cache(maxsize=65536)
def concept_of(icon: str) -> str | None:
    """Find the concept that an icon's file name stands for.

    Args:
        icon: Stem of the file, such as "trash-2-fill" or "document-save-symbolic".

    Returns:
        Name of the concept, or None.
    """
    stem = (
        icon.lower()
        .replace("_", "-")
        .replace("--", "-")
        .removeprefix("bx-")
        .removeprefix("bxs-")
        .removeprefix("icon-")
        .removeprefix("gtk-")
    )
    table = _stems()
    while True:
        if stem in table:
            return table[stem]
        short = re.sub(
            r"-(fill|filled|outline|outlined|symbolic|line|solid|regular|round|rounded|sharp|rtl|ltr|variant|simple|alt|bold|thin|light|duotone|color|circle|square|box|\d+)$",
            "",
            stem,
        )
        if short == stem or not short:
            return None
        stem = short


@lru_cache(maxsize=1)
def _phrases() -> dict[str, tuple[str, ...]]:
    """Role -> ways to ask for an element of it, with {} for its name; "anywhere" fits all, "polite" wraps a request."""
    rows = (line.split("\t") for line in _data("phrases.tsv"))
    return {role: tuple(phrases.split(";")) for role, phrases in rows}


@lru_cache(maxsize=1)
def _synonyms() -> dict[str, tuple[str, ...]]:
    table: dict[str, tuple[str, ...]] = {}
    for group in _data("synonyms.txt"):
        words = group.split()
        for word in words:
            table.setdefault(word, tuple(w for w in words if w != word))
    return table


def instructions(
    elements: Sequence[Element], size: tuple[int, int], rng: random.Random, count: int, view: Box | None = None
) -> list[Instruction]:
    """Draw sentences about a screen.

    Args:
        elements: What is on the screen.
        size: Width and height of the screen in pixels.
        rng: Source of all choices.
        count: Sentences to draw.
        view: Part of the screen that is shown; default all of it. Positions are told within it.

    Returns:
        At most ``count`` sentences, fewer when nothing can be asked for; the elements they mean lie in the view.
    """
    view = view or (0.0, 0.0, float(size[0]), float(size[1]))
    shown = [i for i, e in enumerate(elements) if _visible(e.box, view) and e.name]
    if not shown:
        return []
    twins = _twins(elements, shown)
    weights = [_weight(elements[i], len(twins[i])) for i in shown]
    by_kind = {
        k: [(i, w) for i, w in zip(shown, weights, strict=True) if elements[i].kind == k] for k in ("icon", "text")
    }
    made = []
    for _ in range(count):
        pool = by_kind["icon" if rng.random() < 0.55 else "text"] or by_kind["icon"] or by_kind["text"]
        index = rng.choices([i for i, _ in pool], [w for _, w in pool])[0]
        made.append(_ask(elements, index, twins[index], shown, view, rng))
    return made


def _visible(box: Box, view: Box) -> bool:
    width = min(box[2], view[2]) - max(box[0], view[0])
    height = min(box[3], view[3]) - max(box[1], view[1])
    area = (box[2] - box[0]) * (box[3] - box[1])
    if width <= 2 or height <= 2 or area <= 0 or width * height < 0.5 * area:
        return False
    return (box[2] - box[0]) * (box[3] - box[1]) < 0.4 * (view[2] - view[0]) * (view[3] - view[1])


def _twins(elements: Sequence[Element], shown: Sequence[int]) -> dict[int, list[int]]:
    """Group elements that a plain sentence cannot tell apart: same label, or icons and words for the same concept."""
    names: dict[str, list[int]] = {}
    meanings: dict[str, list[int]] = {}
    for i in shown:
        names.setdefault(_identity(elements[i]), []).append(i)
        meaning = _meaning(elements[i])
        if meaning:
            meanings.setdefault(meaning, []).append(i)
    return {i: sorted({*names[_identity(elements[i])], *meanings.get(_meaning(elements[i]) or "", ())}) for i in shown}


def _meaning(element: Element) -> str | None:
    return (concept_of(element.concept) if element.concept else None) or _named().get(normalise_label(element.name))


@lru_cache(maxsize=1)
def _named() -> dict[str, str]:
    table: dict[str, str] = {}
    for concept, (names, _) in concepts().items():
        for name in names:
            table.setdefault(normalise_label(name), concept)
    return table


def _identity(element: Element) -> str:
    return (
        normalise_label(element.label or element.name)
        if element.role in ("field", "combobox")
        else normalise_label(element.name)
    )


def _weight(element: Element, twins: int) -> float:
    area = max(16.0, (element.box[2] - element.box[0]) * (element.box[3] - element.box[1]))
    plain = 0.35 if element.role in ("cell", "label", "heading") else 1.0
    return plain * area**-0.25 / twins


def _ask(
    elements: Sequence[Element], index: int, twins: list[int], shown: list[int], view: Box, rng: random.Random
) -> Instruction:
    element = elements[index]
    text, targets = _core(element, rng), tuple(twins)
    pick = rng.random()
    if element.row and (len(twins) > 1 or pick < 0.1) and rng.random() < 0.8:
        mates = tuple(i for i in twins if elements[i].row == element.row)
        if len(mates) < len(twins) or len(twins) == 1:
            row = _shorten(element.row, rng)
            text, targets = (
                rng.choice(("{} of {}", "{} for {}", "{} in the row of {}", "{} - {}", "{} next to {}")).format(
                    text, row
                ),
                mates,
            )
    elif element.section and (pick < 0.07 or (len(twins) > 1 and pick < 0.4)):
        mates = tuple(i for i in twins if elements[i].section == element.section)
        place = _shorten(element.section, rng)
        text, targets = (
            rng.choice(("{} in {}", "{} in the {} section", "{} under {}", "{} in the {} panel", "{}: {}")).format(
                text, place
            ),
            mates,
        )
    elif len(twins) > 1 and pick < 0.75:
        told = _ordinal(elements, index, twins, text, rng)
        if told:
            text, targets = told, (index,)
    elif pick < 0.17:
        text, targets = _position(elements, index, twins, shown, view, text, rng)
    return Instruction(_finish(text, rng), targets, element.kind)


def _core(element: Element, rng: random.Random) -> str:
    """Say what is wanted, without telling twins apart."""
    name = element.name
    concept = concept_of(element.concept) if element.concept else None
    pick = rng.random()
    if element.kind == "icon" and concept and pick < 0.6:
        names, intents = concepts()[concept]
        if pick < 0.38:
            return rng.choice(intents)
        return _with_verb(rng.choice(names), element.role, rng)
    if element.description and pick < 0.15:
        return _shorten(element.description, rng)
    if element.role in ("field", "combobox", "slider", "checkbox", "radio", "switch") and element.label:
        name = element.label
    known = commands().get(normalise_label(name))
    if known and rng.random() < 0.42:
        return rng.choice(known)
    name = _shorten(name, rng)
    if rng.random() < 0.2:
        name = _reword(name, rng)
    return _with_verb(name, element.role, rng)


def _with_verb(name: str, role: str, rng: random.Random) -> str:
    pick = rng.random()
    if pick < 0.3:
        return name
    if pick < 0.9:
        return rng.choice(_phrases().get(role, _phrases()["anywhere"])).format(name)
    return rng.choice(_phrases()["anywhere"]).format(name)


def _shorten(name: str, rng: random.Random) -> str:
    """Take a natural part of a long name, and sometimes of a shorter one."""
    name = re.sub(r"\s+", " ", name).strip()
    words = name.split(" ")
    if len(words) > 8:
        first = re.split(r"[.,;:!?(\u2013|]\s?", name)[0].split(" ")
        words = first if 1 < len(first) <= 8 else words[: rng.randint(3, 7)]
    elif len(words) > 3 and rng.random() < 0.25:
        start = rng.randrange(len(words) - 1)
        words = words[start : start + rng.randint(2, 4)]
    return " ".join(words).strip(" .:…,;")


def _reword(name: str, rng: random.Random) -> str:
    """Put synonyms in the place of known words."""
    words = []
    for word in name.split(" "):
        plain = word.lower().strip(".,:;()")
        known = _synonyms().get(plain) or _synonyms().get(plain.removesuffix("s"))
        words.append(rng.choice(known) if known and rng.random() < 0.8 else word)
    return " ".join(words)


def _ordinal(elements: Sequence[Element], index: int, twins: list[int], text: str, rng: random.Random) -> str | None:
    """Count twins from the top or the left, where they stand in one column or row."""
    boxes = [elements[i].box for i in twins]
    for axis, first, last in ((1, "top", "bottom"), (0, "left", "right")):
        other = 1 - axis
        spread = max(b[other] for b in boxes) - min(b[other] for b in boxes)
        starts = sorted(b[axis] for b in boxes)
        if spread > 12 or any(b - a < 4 for a, b in pairwise(starts)):
            continue
        rank = starts.index(elements[index].box[axis])
        if rank == len(starts) - 1 and rng.random() < 0.6:
            return rng.choice((f"the last {text}", f"{text}, the {last}most one", f"{text} at the {last}"))
        if rank < 5:
            number = ("first", "second", "third", "fourth", "fifth")[rank]
            extra = f" from the {first}" if rng.random() < 0.4 else ""
            return rng.choice(
                (
                    f"the {number} {text}{extra}",
                    f"{text}, {number} one{extra}",
                    f"{text} in the {number} {'row' if axis else 'place'}",
                )
            )
    return None


def _position(
    elements: Sequence[Element],
    index: int,
    twins: list[int],
    shown: list[int],
    view: Box,
    text: str,
    rng: random.Random,
) -> tuple[str, tuple[int, ...]]:
    """Add where the element is: a part of the view, or its neighbour."""
    box = elements[index].box
    x = ((box[0] + box[2]) / 2 - view[0]) / (view[2] - view[0])
    y = ((box[1] + box[3]) / 2 - view[1]) / (view[3] - view[1])
    if rng.random() < 0.5:
        neighbour = _neighbour(elements, index, shown, rng)
        if neighbour:
            side, other = neighbour
            name = _shorten(elements[other].name, rng)
            what = (
                rng.choice(("the icon", "the button", "the thing"))
                if elements[index].kind == "icon" and rng.random() < 0.5
                else text
            )
            return f"{what} {side} {name}", (index,)
    vertical = rng.choice(("top", "upper")) if y < 0.25 else rng.choice(("bottom", "lower")) if y > 0.75 else ""
    horizontal = "left" if x < 0.25 else "right" if x > 0.75 else ""
    place = " ".join(p for p in (vertical, horizontal) if p)
    if not place:
        return text, tuple(twins)
    mates = [i for i in twins if _region(elements[i].box, view) == (y < 0.25, y > 0.75, x < 0.25, x > 0.75)]
    form = rng.choice(
        (
            "{} at the {}",
            "{} in the {} part",
            "{} on the {}",
            "{} ({})",
            "{} in the {} corner" if vertical and horizontal else "{} at the {} side",
        )
    )
    return form.format(text, place), tuple(mates)


def _region(box: Box, view: Box) -> tuple[bool, bool, bool, bool]:
    x = ((box[0] + box[2]) / 2 - view[0]) / (view[2] - view[0])
    y = ((box[1] + box[3]) / 2 - view[1]) / (view[3] - view[1])
    return y < 0.25, y > 0.75, x < 0.25, x > 0.75


def _neighbour(elements: Sequence[Element], index: int, shown: list[int], rng: random.Random) -> tuple[str, int] | None:
    """Find an element right beside, above or below this one, whose nearest in that direction this one is."""
    left, top, right, bottom = elements[index].box
    found = []
    for other in shown:
        box = elements[other].box
        if other == index or not elements[other].name:
            continue
        level = min(bottom, box[3]) - max(top, box[1]) > 0.6 * min(bottom - top, box[3] - box[1])
        stacked = min(right, box[2]) - max(left, box[0]) > 0.6 * min(right - left, box[2] - box[0])
        if level and 0 <= left - box[2] < 24:
            found.append((rng.choice(("right of", "to the right of", "after", "next to")), other))
        elif level and 0 <= box[0] - right < 24:
            found.append((rng.choice(("left of", "to the left of", "before", "next to")), other))
        elif stacked and 0 <= top - box[3] < 20:
            found.append((rng.choice(("below", "under", "beneath")), other))
        elif stacked and 0 <= box[1] - bottom < 20:
            found.append((rng.choice(("above", "over")), other))
    return rng.choice(found) if found else None


def _finish(text: str, rng: random.Random) -> str:
    """Vary politeness, articles, case and, rarely, spelling."""
    if rng.random() < 0.05:
        text = rng.choice(_phrases()["polite"]).format(text)
    if rng.random() < 0.15:
        text = re.sub(r"\b(the|a|an|my) ", "", text)
    pick = rng.random()
    if pick < 0.45:
        text = text.lower()
    elif pick < 0.75:
        text = text[:1].upper() + text[1:]
    if rng.random() < 0.012 and len(text) > 5:
        spot = rng.randrange(1, len(text) - 2)
        text = text[:spot] + text[spot + 1] + text[spot] + text[spot + 2 :]
    return text

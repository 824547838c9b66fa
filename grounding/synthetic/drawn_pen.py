"""A pen that paints the parts of a screen and writes down what it painted: elements and words with their boxes."""

import random
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
from PIL import Image, ImageDraw

from foveate.grounding.synthetic import drawn_words
from foveate.grounding.synthetic.drawn_style import Color, Style, brightness, ink_on, mix, shift, vivid
from foveate.grounding.synthetic.drawn_text import Letters
from foveate.grounding.synthetic.icons import Icon, IconAtlas
from foveate.grounding.synthetic.language import concepts
from foveate.grounding.synthetic.screens import Element, Word

Area = tuple[int, int, int, int]
"""Left, top, right, bottom in whole pixels."""


def inset(box: Area, x: int, y: int | None = None) -> Area:
    """Take a margin off an area."""
    y = x if y is None else y
    return box[0] + x, box[1] + y, box[2] - x, box[3] - y


def split_top(box: Area, height: int) -> tuple[Area, Area]:
    """Cut an area into its uppermost part and the rest."""
    at = min(box[1] + height, box[3])
    return (box[0], box[1], box[2], at), (box[0], at, box[2], box[3])


def split_bottom(box: Area, height: int) -> tuple[Area, Area]:
    """Cut an area into its lowest part and the rest."""
    at = max(box[3] - height, box[1])
    return (box[0], at, box[2], box[3]), (box[0], box[1], box[2], at)


def split_left(box: Area, width: int) -> tuple[Area, Area]:
    """Cut an area into its left part and the rest."""
    at = min(box[0] + width, box[2])
    return (box[0], box[1], at, box[3]), (at, box[1], box[2], box[3])


def split_right(box: Area, width: int) -> tuple[Area, Area]:
    """Cut an area into its right part and the rest."""
    at = max(box[2] - width, box[0])
    return (at, box[1], box[2], box[3]), (box[0], box[1], at, box[3])


class Pen:
    """Paints on one picture in one style.

    Args:
        rng: Source of all choices.
        atlas: Icons and fonts.
        style: Look of the screen.
        size: Width and height of the picture in pixels.
    """

    def __init__(self, rng: random.Random, atlas: IconAtlas, style: Style, size: tuple[int, int]) -> None:
        self.rng, self.atlas, self.style, self.size = rng, atlas, style, size
        self.image = Image.new("RGB", size, style.window)
        self.draw = ImageDraw.Draw(self.image)
        self.elements: list[Element] = []
        self.words: list[Word] = []
        self.domain = rng.randrange(drawn_words.DOMAINS)
        self._section: list[str] = []
        self._decks: dict[int, list[Icon]] = {}

    def fill(self, box: Area, color: Color, outline: Color | None = None, radius: int = 0, width: int = 1) -> None:
        """Fill an area, with an edge when ``outline`` is given; areas without room are left out."""
        left, top, right, bottom = box
        if right - left < 1 or bottom - top < 1:
            return
        radius = min(radius, (right - left) // 2 - 1, (bottom - top) // 2 - 1)
        edges = (left, top, right - 1, bottom - 1)
        if radius > 0:
            self.draw.rounded_rectangle(edges, radius, color, outline, width)
        else:
            self.draw.rectangle(edges, color, outline, width)

    def frame(self, box: Area, color: Color, radius: int = 0) -> None:
        """Draw the edge of an area."""
        left, top, right, bottom = box
        if right - left > 2 and bottom - top > 2:
            if radius > 1 and min(right - left, bottom - top) > 2 * radius + 2:
                self.draw.rounded_rectangle((left, top, right - 1, bottom - 1), radius, None, color)
            else:
                self.draw.rectangle((left, top, right - 1, bottom - 1), None, color)

    def bevel(self, box: Area, fill: Color | None = None, sunken: bool = False) -> None:
        """Fill an area with classic edges."""
        if fill:
            self.fill(box, fill)
        light, dark = shift(fill or self.style.window, 60), shift(fill or self.style.window, -80)
        if sunken:
            light, dark = dark, light
        left, top, right, bottom = box[0], box[1], box[2] - 1, box[3] - 1
        if right > left and bottom > top:
            self.draw.line((left, bottom, left, top, right, top), light)
            self.draw.line((left, bottom, right, bottom, right, top), dark)

    def shade(self, box: Area, top: Color, bottom: Color) -> None:
        """Fill an area with colours from top to bottom."""
        left, upper, right, lower = box
        for y in range(upper, lower):
            self.draw.line((left, y, right - 1, y), mix(top, bottom, (y - upper) / max(1, lower - upper)))

    def line(self, x1: int, y1: int, x2: int, y2: int, color: Color | None = None) -> None:
        """Draw a line one pixel wide."""
        self.draw.line((x1, y1, x2, y2), color or self.style.border)

    def arrow(self, x: int, y: int, side: str, color: Color | None = None, size: int = 4) -> None:
        """Draw a small arrow head around a point; ``side`` is down, up, left or right."""
        s, h = size, max(2, size // 2 + 1)
        points = {
            "down": ((x - s, y - h + 1), (x + s, y - h + 1), (x, y + h)),
            "up": ((x - s, y + h - 1), (x + s, y + h - 1), (x, y - h)),
            "right": ((x - h + 1, y - s), (x - h + 1, y + s), (x + h, y)),
            "left": ((x + h - 1, y - s), (x + h - 1, y + s), (x - h, y)),
        }[side]
        if self.style.family in ("flat", "material", "bootstrap", "win10", "macos"):
            self.draw.line((points[0], points[2], points[1]), color or self.style.text)
        else:
            self.draw.polygon(points, color or self.style.text)

    def length(self, text: str, size: int | None = None, bold: bool = False, code: bool = False) -> int:
        """Width of a text in pixels."""
        return self._letters(size, bold, code).length(text)

    def text(
        self,
        box: Area,
        text: str,
        align: str = "left",
        color: Color | None = None,
        size: int | None = None,
        bold: bool = False,
        code: bool = False,
    ) -> Area:
        """Write a line of text into an area, in its middle from top to bottom, cut with dots when it is too long.

        Args:
            box: Where; nothing is written outside it.
            text: What.
            align: left, center or right.
            color: Colour; default the style's.
            size: Size in pixels; default the style's.
            bold: Use the bold font.
            code: Use the font of program text.

        Returns:
            Area of the line; without width when nothing was written.
        """
        letters = self._letters(size, bold, code)
        shown = letters.fit(text, min(box[2], self.size[0]) - max(box[0], 0)) if text else ""
        middle = (box[1] + box[3]) / 2
        if not shown.strip() or middle < 4 or middle > self.size[1] - 4:
            return box[0], box[1], box[0], box[3]
        width = letters.length(shown)
        x = box[0] if align == "left" else box[2] - width if align == "right" else (box[0] + box[2] - width) // 2
        baseline = round(middle + letters.size * 0.36)
        mask, left, top, words = letters.render(shown)
        self.draw.bitmap((x + left, baseline + top), mask, color or self.style.text)
        for word, spot in words:
            area = (x + spot[0], baseline + spot[1], x + spot[2], baseline + spot[3])
            if area[0] >= 0 and area[1] >= 0 and area[2] <= self.size[0] and area[3] <= self.size[1]:
                self.words.append(Word(tuple(map(float, area)), word))  # type: ignore[arg-type]
        return x, round(baseline - letters.size * 0.8), x + width, round(baseline + letters.size * 0.25)

    def _letters(self, size: int | None, bold: bool, code: bool) -> Letters:
        face = self.style.code if code else self.style.face
        return self.atlas.letters(
            face.bold if bold else face.regular, max(7, size or self.style.size), self.style.crisp
        )

    def pick(self, things: bool = False, known: float = 0.75) -> Icon:
        """Take the next icon of the screen's set; concepts come up evenly and icons seldom twice.

        Args:
            things: Of the set for files and programs.
            known: Share of icons whose concept is known.
        """
        number = self.style.things if things else self.style.icons
        if not self._decks.get(number):
            chosen = self.atlas.sets[number]
            count = min(len(chosen.icons), 90)
            names = self.rng.sample(sorted(chosen.known), min(len(chosen.known), round(count * known)))
            deck = [self.rng.choice(chosen.known[n]) for n in names]
            deck += self.rng.sample(chosen.icons, max(count - len(deck), 1))
            self.rng.shuffle(deck)
            self._decks[number] = deck
        return self._decks[number].pop()

    def find(self, concept: str) -> Icon | None:
        """Find an icon for a concept in the screen's set."""
        known = self.atlas.sets[self.style.icons].known.get(concept)
        return self.rng.choice(known) if known else None

    def item(self, matching: float = 0.5) -> tuple[str, Icon | None]:
        """Draw a label and, where the label names the icon's concept, an icon."""
        if self.rng.random() < matching:
            icon = self.pick(known=0.95)
            if icon.concept:
                return self.rng.choice(concepts()[icon.concept][0]), icon
        return drawn_words.label(self.rng, self.domain), None

    def icon(
        self,
        x: int,
        y: int,
        size: int,
        icon: Icon,
        color: Color | None = None,
        ground: Color | None = None,
        dim: bool = False,
    ) -> None:
        """Draw an icon.

        Args:
            x: Left edge in pixels.
            y: Upper edge in pixels.
            size: Side in pixels.
            icon: Which.
            color: Colour of one-colour icons; default by the style.
            ground: Colour below, to stay readable on it.
            dim: Draw it pale, as disabled ones are.
        """
        if size < 4:
            return
        picture = self.atlas.picture(icon, size)
        ground = ground or self.style.window
        if picture.mode == "L":
            if color is None:
                tint = self.style.tint
                color = (
                    vivid(self.rng) if tint == "vivid" else self.style.accent if tint == "accent" else ink_on(ground)
                )
                if tint == "text" and abs(brightness(self.style.text) - brightness(ground)) > 90:
                    color = self.style.text
                elif abs(brightness(color) - brightness(ground)) < 70:
                    color = ink_on(ground)
            self.draw.bitmap((x, y), picture, mix(color, ground, 0.65) if dim else color)
            return
        if dim:
            pale = picture.convert("LA").convert("RGBA")
            pale.putalpha(picture.getchannel("A").point(lambda v: v * 2 // 5))
            picture = pale
        self.image.paste(picture, (x, y), picture)

    def picture(self, box: Area, noise: int = 6) -> None:
        """Fill an area with something like a photo: soft clouds of colour."""
        width, height = box[2] - box[0], box[3] - box[1]
        if width < 2 or height < 2:
            return
        source = np.random.default_rng(self.rng.getrandbits(32))
        cells = source.integers(0, 256, (max(2, noise // 2 + 1), noise, 3), dtype=np.uint8)
        tone = np.array(vivid(self.rng), np.float32)
        cells = (cells * self.rng.uniform(0.2, 0.9) + tone * 0.5).clip(0, 255).astype(np.uint8)
        method = self.rng.choice((Image.Resampling.BICUBIC, Image.Resampling.BILINEAR, Image.Resampling.BICUBIC))
        self.image.paste(Image.fromarray(cells).resize((width, height), method), box[:2])

    @contextmanager
    def section(self, name: str) -> Iterator[None]:
        """Elements added meanwhile belong to the section of this name; an empty name keeps the outer one."""
        self._section.append(name or (self._section[-1] if self._section else ""))
        yield
        self._section.pop()

    def add(
        self,
        box: Area,
        name: str,
        role: str,
        kind: str = "text",
        icon: Icon | None = None,
        label: str = "",
        row: str = "",
        state: str = "",
        description: str = "",
    ) -> None:
        """Write down an element; it is clipped to the picture and left out when little of it is inside."""
        left, top, right, bottom = max(box[0], 0), max(box[1], 0), min(box[2], self.size[0]), min(box[3], self.size[1])
        area = (box[2] - box[0]) * (box[3] - box[1])
        name = name.strip()
        if right - left < 5 or bottom - top < 5 or (right - left) * (bottom - top) < 0.6 * area or not name:
            return
        inner = (float(left), float(top), float(right), float(bottom))
        section = self._section[-1] if self._section else ""
        # A picture beside an unrelated text says nothing about what the element does.
        told = icon and (kind == "icon" or (icon.concept and name in concepts()[icon.concept][0]))
        concept = icon.stem if icon and told else ""
        self.elements.append(Element(inner, name, role, kind, concept, label, row, section, state, description))

    def cover(self, box: Area) -> None:
        """Forget what lies under an area that is about to be painted over."""

        def free(other: tuple[float, float, float, float], share: float) -> bool:
            width = min(box[2], other[2]) - max(box[0], other[0])
            height = min(box[3], other[3]) - max(box[1], other[1])
            if width <= 0 or height <= 0:
                return True
            return width * height < share * (other[2] - other[0]) * (other[3] - other[1])

        # A text is hidden with less than a picture.
        self.elements = [e for e in self.elements if free(e.box, 0.25 if e.kind == "icon" else 0.06)]
        self.words = [w for w in self.words if free(w.box, 0.02)]

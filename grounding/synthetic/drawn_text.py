"""Fast text: letters are rendered once for a font and size and then put together."""

import math
from typing import NamedTuple

import numpy as np
from PIL import Image, ImageDraw, ImageFont


class Glyph(NamedTuple):
    """A letter: how far it moves the pen, its coverage (height, width) uint8, and where that lies from the pen."""

    advance: int
    mask: np.ndarray
    left: int
    top: int


class Letters:
    """The letters of a font at one size.

    Args:
        font: The font at its size.
        crisp: Render without grey edges.
    """

    def __init__(self, font: ImageFont.FreeTypeFont, crisp: bool = False) -> None:
        self.font, self.crisp, self.size = font, crisp, int(font.size)
        self._glyphs: dict[str, Glyph] = {}

    def glyph(self, letter: str) -> Glyph:
        """The letter, rendered when it is asked for the first time."""
        known = self._glyphs.get(letter)
        if known is not None:
            return known
        box = self.font.getbbox(letter, anchor="ls")
        # Fractions of the box would be cut off: it is widened to whole pixels.
        left, top, right, bottom = (math.floor(box[0]), math.floor(box[1]), math.ceil(box[2]), math.ceil(box[3]))
        image = Image.new("L", (max(1, right - left), max(1, bottom - top)))
        draw = ImageDraw.Draw(image)
        draw.fontmode = "1" if self.crisp else "L"
        draw.text((-left, -top), letter, 255, self.font, anchor="ls")
        made = Glyph(round(self.font.getlength(letter)), np.array(image), left, top)
        self._glyphs[letter] = made
        return made

    def length(self, text: str) -> int:
        """Width of a text in pixels."""
        known = self._glyphs
        return sum((known.get(c) or self.glyph(c)).advance for c in text)

    def fit(self, text: str, room: int) -> str:
        """Cut a text with dots so that it fits into some pixels; empty when not even three letters fit."""
        if self.length(text) <= room:
            return text
        room -= self.glyph("…").advance
        keep = 0
        for letter in text:
            room -= self.glyph(letter).advance
            if room < 0:
                break
            keep += 1
        shown = text[:keep].rstrip()
        return shown + "…" if len(shown) > 2 else ""

    def render(self, text: str) -> tuple[Image.Image, int, int, list[tuple[str, tuple[int, int, int, int]]]]:
        """Render a line.

        Args:
            text: The line; not empty.

        Returns:
            Its coverage as a picture of mode L, where that lies from the start of the base line, and the words with the
            boxes of their letters (left, top, right, bottom) from the same point.
        """
        placed, words, x = [], [], 0
        word, box = "", (0, 0, 0, 0)
        for letter in text + " ":
            if letter == " ":
                if word and box[2] > box[0]:
                    words.append((word, box))
                word = ""
                x += self.glyph(" ").advance
                continue
            advance, mask, left, top = self.glyph(letter)
            edges = (x + left, top, x + left + mask.shape[1], top + mask.shape[0])
            if word:
                box = (min(box[0], edges[0]), min(box[1], edges[1]), max(box[2], edges[2]), max(box[3], edges[3]))
            else:
                box = edges
            word += letter
            placed.append((mask, edges))
            x += advance
        if not placed:
            return Image.new("L", (1, 1)), 0, 0, []
        left, top = min(e[0] for _, e in placed), min(e[1] for _, e in placed)
        line = np.zeros((max(e[3] for _, e in placed) - top, max(e[2] for _, e in placed) - left), np.uint8)
        for mask, edges in placed:
            part = line[edges[1] - top : edges[3] - top, edges[0] - left : edges[2] - left]
            np.maximum(part, mask, out=part)
        return Image.fromarray(line), left, top, words

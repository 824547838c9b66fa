"""Find words in pixels: which ink inside a box is the text that is said to stand there, and where each word lies."""

import subprocess
from collections.abc import Sequence
from functools import lru_cache

import numpy as np
from PIL import ImageFont

from foveate.grounding.synthetic.screens import Box


@lru_cache(maxsize=256)
def font_of(family: str, points: int) -> ImageFont.FreeTypeFont:
    """Load the installed font that stands for a family, at the size that a screen of 96 dpi gives it."""
    asked = subprocess.run(["fc-match", "-f", "%{file}", family], capture_output=True, text=True, check=True)
    return ImageFont.truetype(asked.stdout.strip(), round(points * 96 / 72))


def ink_of(pixels: np.ndarray) -> np.ndarray:
    """Tell ink from ground, row by row, so that shaded buttons have no ink of their own.

    Args:
        pixels: (height, width) uint8 grey values.

    Returns:
        (height, width) bool; all false where nothing stands out.
    """
    grey = pixels.astype(np.int16)
    ground = np.median(grey, axis=1, keepdims=True)
    far = np.abs(grey - ground)
    strongest = int(far.max(initial=0))
    if strongest < 24:
        return np.zeros(pixels.shape, bool)
    return far > max(14, 0.35 * strongest)


def _runs(ink: np.ndarray, gap: int) -> list[tuple[int, int]]:
    """List the stretches of columns with ink as (first, end), joining those less than ``gap`` apart."""
    places = np.flatnonzero(ink.any(axis=0))
    if not len(places):
        return []
    breaks = np.flatnonzero(np.diff(places) > gap)
    starts = np.concatenate(([places[0]], places[breaks + 1]))
    ends = np.concatenate((places[breaks], [places[-1]])) + 1
    return list(zip(starts.tolist(), ends.tolist(), strict=True))


def fit_words(
    grey: np.ndarray, box: Box, words: Sequence[str], font: ImageFont.FreeTypeFont, inset: int = 2
) -> list[Box] | None:
    """Find a line of words inside a box by the widths that the font gives them.

    Args:
        grey: (height, width) uint8 grey values of the screen.
        box: Where the line stands, in pixels.
        words: The words from left to right.
        font: Font of the program; bold and slightly other sizes are found too.
        inset: Pixels of the box's border that are left out.

    Returns:
        A box for each word, or None when the ink does not look like these words.
    """
    left, top, right, bottom = (round(v) for v in box)
    left, top = max(left + inset, 0), max(top + inset, 0)
    part = grey[top : bottom - inset, left : right - inset]
    if not words or part.shape[0] < 6 or part.shape[1] < 4 or part.shape[0] > 90:
        return None
    expected = np.array([font.getlength(w) for w in words])
    if expected.sum() > 1.25 * part.shape[1] + 4 or expected.min() < 1:
        return None
    ink = ink_of(part)
    size = font.size
    best: tuple[float, list[tuple[int, int]]] | None = None
    for gap in sorted({max(2, round(size * share)) for share in (0.14, 0.18, 0.22, 0.27)}):
        runs = _runs(ink, gap)
        for first in range(len(runs) - len(words) + 1):
            chosen = runs[first : first + len(words)]
            error = _misfit(chosen, expected, size) if _apart(runs, first, len(words), size) else None
            better = error is not None and (best is None or error < best[0])
            if error is not None and better and _low_enough(ink, chosen, size) and _lettered(ink, chosen, words):
                best = error, chosen
    if best is None:
        return None
    found: list[Box] = []
    for first, end in best[1]:
        rows = np.flatnonzero(ink[:, first:end].any(1))
        found.append((left + first - 1.0, top + rows[0] - 1.0, left + end + 1.0, top + rows[-1] + 2.0))
    return found


def _apart(runs: list[tuple[int, int]], first: int, count: int, size: float) -> bool:
    """Tell whether some runs keep a word's distance to the ink on both sides."""
    room = max(3.0, 0.22 * size)
    before = first == 0 or runs[first][0] - runs[first - 1][1] >= room
    end = first + count
    return before and (end == len(runs) or runs[end][0] - runs[end - 1][1] >= room)


def _misfit(runs: list[tuple[int, int]], expected: np.ndarray, size: float) -> float | None:
    widths = np.array([end - first for first, end in runs])
    # Glyphs have about a pixel and a half of empty room at their sides.
    ratio = (widths + 1.5) / expected
    common = float((widths + 1.5).sum() / expected.sum())
    slack = 0.07 + 3.0 / expected
    if not 0.86 <= common <= 1.22 or bool((np.abs(ratio / common - 1) > slack).any()):
        return None
    gaps = [runs[k + 1][0] - runs[k][1] for k in range(len(runs) - 1)]
    if gaps and (max(gaps) > size * 0.75 or min(gaps) < 2):
        return None
    return float(np.abs(ratio / common - 1).mean() + 0.3 * abs(common - 1))


def _low_enough(ink: np.ndarray, runs: list[tuple[int, int]], size: float) -> bool:
    part = ink[:, runs[0][0] : runs[-1][1]]
    rows = np.flatnonzero(part.any(1))
    height = rows[-1] - rows[0] + 1
    return bool(0.38 * size <= height <= 1.2 * size and 0.06 < part[rows[0] : rows[-1] + 1].mean() < 0.62)


def _lettered(ink: np.ndarray, runs: list[tuple[int, int]], words: Sequence[str]) -> bool:
    """Tell whether the ink falls apart into letters, as a picture does not."""
    pieces = sum(len(_runs(ink[:, first:end], 1)) for first, end in runs)
    letters = sum(len(w) for w in words)
    fewest = 0.35 * letters if letters > 2 else letters
    return pieces >= fewest

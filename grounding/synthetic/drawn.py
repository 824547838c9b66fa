"""Screens drawn while training: windows, pages, phones, desktops, dialogs, tools and panels, different each time."""

import random
from collections.abc import Callable

from foveate.grounding.synthetic import drawn_windows as windows
from foveate.grounding.synthetic.drawn_bars import palette, tool_bar
from foveate.grounding.synthetic.drawn_pen import Area, Pen, split_left, split_top
from foveate.grounding.synthetic.drawn_style import draw_style
from foveate.grounding.synthetic.icons import IconAtlas
from foveate.grounding.synthetic.screens import Screen


def draw_screen(rng: random.Random, atlas: IconAtlas, size: tuple[int, int]) -> Screen:
    """Draw a screen.

    Args:
        rng: Source of all choices; the same state gives the same screen.
        atlas: Icons and fonts.
        size: Width and height in pixels, at least 200 by 150.

    Returns:
        The screen; its source is "drawn/" and the kind of screen.

    Raises:
        ValueError: The size is smaller than a window.
    """
    if size[0] < 200 or size[1] < 150:
        raise ValueError(f"a drawn screen needs at least 200 by 150 pixels, got {size[0]} by {size[1]}")
    kind = rng.choices([k for k, _, _ in KINDS], [w for _, w, _ in KINDS])[0]
    pen = Pen(rng, atlas, draw_style(rng, atlas), size)
    next(maker for name, _, maker in KINDS if name == kind)(pen, (0, 0, *size))
    _extras(pen)
    return Screen(pen.image, tuple(pen.elements), tuple(pen.words), f"drawn/{kind}")


def _extras(pen: Pen) -> None:
    """Open a menu, a dialog or a notice over some screens."""
    rng, (width, height) = pen.rng, pen.size
    roll = rng.random()
    if roll < 0.12:
        windows.menu(pen, rng.randrange(width), rng.randrange(height))
    elif roll < 0.2 and width > 400 and height > 320:
        wide, high = rng.randrange(280, min(560, width - 40)), rng.randrange(160, min(440, height - 40))
        left, top = rng.randint(10, width - wide - 10), rng.randint(10, height - high - 10)
        windows.dialog(pen, (left, top, left + wide, top + high))
    elif roll < 0.26:
        windows.toast(pen, (0, 0, width, height))


def _window(pen: Pen, box: Area) -> None:
    windows.window(pen, box, pen.rng.random() < 0.8)


def _phones(pen: Pen, box: Area) -> None:
    while box[2] - box[0] > 60:
        part, box = split_left(box, pen.rng.randrange(300, 420))
        if box[2] - box[0] < 260:
            part, box = (part[0], part[1], box[2], part[3]), (box[2], box[1], box[2], box[3])
        windows.phone(pen, part)


def _tools(pen: Pen, box: Area) -> None:
    """Tool bars over tool bars, as programs for drawing and building have them, or a wall of icons."""
    rng, style = pen.rng, pen.style
    for _ in range(rng.randint(2, 6)):
        bar, box = split_top(box, style.icon + rng.choice((8, 12, 18)))
        tool_bar(pen, bar, rng.choice(("", "Standard", "Formatting", "Drawing")))
    if rng.random() < 0.25:
        palette(pen, box)
    else:
        windows.fill(pen, box)


def _panels(pen: Pen, box: Area) -> None:
    windows.fill(pen, box)


KINDS: tuple[tuple[str, float, Callable[[Pen, Area], None]], ...] = (
    ("window", 0.4, _window),
    ("page", 0.24, windows.page),
    ("panels", 0.12, _panels),
    ("desktop", 0.1, windows.desktop),
    ("phone", 0.08, _phones),
    ("tools", 0.06, _tools),
)

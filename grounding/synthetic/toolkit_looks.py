"""How windows of real toolkits look: themes, colours, icons and fonts, and the desktop behind them."""

import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from PIL import Image, ImageDraw, ImageFilter

from foveate.grounding.synthetic.toolkit_labels import words

_QT_PALETTES = (
    "",
    "",
    "#efefef",
    "#e8e4dc",
    "#dfe6ee",
    "#f6f6f6",
    "#2b2b2b",
    "#31363b",
    "#232629",
    "#3c3f41",
    "#1e2430",
)
_TK_COLORS = ("", "", "#dcdad5", "#eceff4", "#f0f0f0", "#d9d9d9", "#e4e9f2", "#2e3440", "#33393b", "#3b3b3b", "#464646")


def choose_look(rng: random.Random, toolkit: str) -> dict[str, Any]:
    """Choose how windows look.

    Args:
        rng: Source of all choices.
        toolkit: "gtk3", "qt5" or "tk".

    Returns:
        What the toolkit's renderer understands, with the "name" of the look and whether it is "dark".
    """
    size = rng.choice((8, 9, 9, 10, 10, 10, 11, 11, 12, 13))
    font = rng.choice(words("fonts"))
    if toolkit == "gtk3":
        dark = rng.random() < 0.3
        theme = rng.choice(installed(words("gtk_dark") if dark else words("gtk_light"), "/usr/share/themes"))
        icons = rng.choice(installed(words("icons_dark") if dark else words("icons_light"), "/usr/share/icons"))
        buttons = rng.choice(
            (
                "menu:minimize,maximize,close",
                ":minimize,maximize,close",
                "close,minimize,maximize:",
                ":close",
                ":minimize,close",
            )
        )
        settings = {
            "gtk-theme-name": theme,
            "gtk-icon-theme-name": icons,
            "gtk-font-name": f"{font} {size}",
            "gtk-decoration-layout": buttons,
        }
        return {
            "name": theme,
            "dark": dark,
            "settings": settings,
            "spare": rng.choice(("breeze-dark", "oxygen") if dark else ("breeze", "oxygen", "Papirus")),
            "symbolic": icons in ("Adwaita", "Yaru") and rng.random() < 0.7,
        }
    if toolkit == "qt5":
        color = rng.choice(_QT_PALETTES)
        style = rng.choice(words("qt_styles"))
        color = "" if style == "kvantum" else color  # Kvantum's own colours do not mix with a palette's.
        dark = bool(color) and is_dark(color)
        icons = rng.choice(installed(words("icons_dark") if dark else words("icons_light"), "/usr/share/icons"))
        return {
            "name": style,
            "dark": dark,
            "color": color,
            "icons": icons,
            "font": font,
            "size": size,
            "accent": rng.choice(("#308cc6", "#3daee9", "#4a90d9", "#87a556", "#d2691e", "#8e44ad")),
        }
    color = rng.choice(_TK_COLORS)
    dark = bool(color) and is_dark(color)
    icons = rng.choice(installed(words("icons_png"), "/usr/share/icons"))
    return {
        "name": rng.choice(words("tk_themes")),
        "dark": dark,
        "color": color,
        "icons": icons,
        "font": font,
        "size": size,
        "accent": rng.choice(("#4a6984", "#3584e4", "#5e81ac", "#2a6496")),
    }


def is_dark(color: str) -> bool:
    """Tell whether white letters suit a colour written as #rrggbb."""
    return sum(int(color[i : i + 2], 16) for i in (1, 3, 5)) < 3 * 110


def installed(names: Sequence[str], folder: str) -> tuple[str, ...]:
    """Keep the themes whose folder exists; all of them where none does."""
    return tuple(n for n in names if Path(folder, n).is_dir()) or tuple(names)


def background(rng: random.Random, size: tuple[int, int]) -> Image.Image:
    """Paint a desktop's background: plain, blended, or picture-like."""
    kind = rng.choice(("plain", "blend", "picture", "picture"))
    colors = [tuple(rng.randrange(20, 235) for _ in range(3)) for _ in range(2)]
    if kind == "plain":
        return Image.new("RGB", size, colors[0])
    corners = Image.new("RGB", (2, 2))
    corners.putdata([colors[0], colors[rng.randrange(2)], colors[rng.randrange(2)], colors[1]])
    image = corners.resize(size, Image.Resampling.BICUBIC)
    if kind == "picture":
        draw = ImageDraw.Draw(image)
        for _ in range(rng.randint(4, 14)):
            x, y, r = rng.randrange(size[0]), rng.randrange(size[1]), rng.randint(30, size[1] // 2)
            draw.ellipse((x - r, y - r // 2, x + r, y + r // 2), fill=tuple(rng.randrange(20, 235) for _ in range(3)))
        image = image.filter(ImageFilter.GaussianBlur(rng.choice((2, 12, 40))))
    return image

"""How a drawn screen looks: colours, fonts, sizes, edges and icons of toolkits from Windows 95 to the flat web."""

import colorsys
import random
from dataclasses import dataclass

from foveate.grounding.synthetic.icons import Face, IconAtlas

Color = tuple[int, int, int]
FAMILIES = ("win95", "xp", "win7", "win10", "gtk2", "gtk3", "qt", "motif", "macos", "material", "flat", "bootstrap")
_WEIGHTS = (1.0, 1.0, 0.8, 1.4, 1.2, 1.5, 1.4, 0.5, 1.2, 1.4, 1.8, 1.4)
_PLAIN = Face("plain", "sans", "", "")


@dataclass(frozen=True)
class Style:
    """Everything that a screen's parts share.

    Args:
        family: Toolkit it resembles; one of ``FAMILIES``.
        dark: Light text on dark ground.
        window: Ground of bars, panels and dialogs.
        surface: Ground of lists, fields and pages.
        text: Colour of text on window and surface.
        muted: Colour of secondary and disabled text.
        border: Colour of lines.
        accent: Colour of selections and primary buttons.
        on_accent: Colour of text on the accent.
        header: Ground of title bars.
        on_header: Colour of text on title bars.
        button: Ground of buttons.
        face: Fonts of the interface.
        code: Fonts of program text.
        size: Size of text in pixels.
        radius: Corners of buttons and fields in pixels.
        bevel: Classic edges, light above and dark below.
        gradient: Buttons and bars shade from top to bottom.
        crisp: Letters without grey edges.
        pad: Space between parts in pixels.
        row: Height of a row of a list in pixels.
        icon: Side of a tool bar's icons in pixels.
        icons: Number of the icon set of commands.
        things: Number of the icon set of files and programs.
        tint: Colouring of one-colour icons: text, accent or vivid.
    """

    family: str
    dark: bool
    window: Color
    surface: Color
    text: Color
    muted: Color
    border: Color
    accent: Color
    on_accent: Color
    header: Color
    on_header: Color
    button: Color
    face: Face
    code: Face
    size: int
    radius: int
    bevel: bool
    gradient: bool
    crisp: bool
    pad: int
    row: int
    icon: int
    icons: int
    things: int
    tint: str


def mix(a: Color, b: Color, share: float) -> Color:
    """Go from one colour towards another by a share of 0 to 1."""
    return (
        round(a[0] + (b[0] - a[0]) * share),
        round(a[1] + (b[1] - a[1]) * share),
        round(a[2] + (b[2] - a[2]) * share),
    )


def shift(color: Color, amount: int) -> Color:
    """Make a colour lighter or darker by an amount of -255 to 255."""
    return tuple(max(0, min(255, v + amount)) for v in color)  # type: ignore[return-value]


def brightness(color: Color) -> float:
    """Perceived brightness, 0 to 255."""
    return 0.3 * color[0] + 0.59 * color[1] + 0.11 * color[2]


def ink_on(ground: Color) -> Color:
    """Black or white, whichever is easier to read on a ground."""
    return (255, 255, 255) if brightness(ground) < 150 else (20, 20, 20)


def vivid(rng: random.Random, light: float | None = None) -> Color:
    """A saturated colour; ``light`` is its value, 0 to 1."""
    value = rng.uniform(0.45, 0.95) if light is None else light
    red, green, blue = colorsys.hsv_to_rgb(rng.random(), rng.uniform(0.5, 1.0), value)
    return round(red * 255), round(green * 255), round(blue * 255)


def tinted_grey(rng: random.Random, level: int, strength: float = 0.06) -> Color:
    """A grey of a level of 0 to 255 with a breath of colour."""
    hue = rng.choice((0.58, 0.6, 0.1, rng.random()))
    red, green, blue = colorsys.hsv_to_rgb(hue, rng.uniform(0, strength), 1.0)
    return round(level * red), round(level * green), round(level * blue)


def draw_style(rng: random.Random, atlas: IconAtlas) -> Style:
    """Draw a style.

    Args:
        rng: Source of all choices.
        atlas: Its fonts and icon sets are chosen from.

    Returns:
        A style whose text can be read on its grounds.
    """
    family = rng.choices(FAMILIES, _WEIGHTS)[0]
    classic = family in ("win95", "motif", "xp", "gtk2")
    dark = rng.random() < (0.05 if classic else 0.3)
    window, surface = _grounds(family, dark, rng)
    text = (
        shift((0, 0, 0), rng.choice((0, 20, 40, 60)))
        if not dark
        else shift((255, 255, 255), -rng.choice((0, 15, 35, 60)))
    )
    if rng.random() < 0.08:
        text = mix(text, surface, 0.3)
    accent = _accent(family, rng)
    header = accent if rng.random() < 0.35 or family in ("win95", "xp", "material") else window
    if rng.random() < 0.2:
        header = tinted_grey(rng, rng.randrange(25, 70), 0.4)
    faces = [f for f in atlas.faces if f.kind == "sans"] or [_PLAIN]
    codes = [f for f in atlas.faces if f.kind == "mono"] or [_PLAIN]
    serifs = [f for f in atlas.faces if f.kind == "serif"] or faces
    face = rng.choice(serifs if rng.random() < 0.04 else codes if rng.random() < 0.03 else faces)
    size = rng.choices((9, 10, 11, 12, 13, 14, 15, 16, 18, 20), (1, 2, 6, 7, 8, 6, 3, 3, 1, 0.6))[0]
    coloured = [i for i, s in enumerate(atlas.sets) if not s.mono]
    mono = [i for i, s in enumerate(atlas.sets) if s.mono]
    wants_colour = rng.random() < (0.8 if classic or family in ("win7", "qt") else 0.25)
    icons = rng.choice((coloured if wants_colour else mono) or coloured or mono)
    things = rng.choice(coloured) if coloured and rng.random() < 0.75 else icons
    radius = {"win95": 0, "motif": 0, "win10": 0, "xp": 3, "win7": 3}.get(family, rng.choice((0, 2, 3, 4, 6, 8, 12)))
    roomy = family in ("material", "flat", "bootstrap", "gtk3")
    return Style(
        family=family,
        dark=dark,
        window=window,
        surface=surface,
        text=text,
        muted=mix(text, surface, rng.uniform(0.35, 0.6)),
        border=mix(window, text, rng.uniform(0.1, 0.4)),
        accent=accent,
        on_accent=ink_on(accent),
        header=header,
        on_header=ink_on(header),
        button=mix(window, (255, 255, 255), rng.uniform(0.0, 0.5)) if not dark else shift(window, rng.randrange(8, 40)),
        face=face,
        code=rng.choice(codes),
        size=size,
        radius=radius,
        bevel=family in ("win95", "motif") or (family == "gtk2" and rng.random() < 0.4),
        gradient=family in ("xp", "win7", "macos", "gtk2", "qt") and rng.random() < 0.7,
        crisp=family in ("win95", "motif", "xp") and rng.random() < 0.6,
        pad=rng.choice((6, 8, 10, 14)) if roomy else rng.choice((3, 4, 6, 8)),
        row=size + (rng.choice((10, 14, 18, 24)) if roomy and rng.random() < 0.7 else rng.choice((5, 7, 9, 12))),
        icon=rng.choices((14, 16, 18, 20, 22, 24, 28, 32), (1, 7, 2, 3, 4, 6, 1, 2))[0],
        icons=icons,
        things=things,
        tint=rng.choices(("text", "accent", "vivid"), (0.75, 0.13, 0.12))[0],
    )


def _grounds(family: str, dark: bool, rng: random.Random) -> tuple[Color, Color]:
    if dark:
        level = rng.randrange(18, 70)
        window = tinted_grey(rng, level, 0.3)
        return window, shift(window, rng.choice((-14, -8, 8, 14)))
    if family in ("win95", "motif"):
        window = rng.choice(((192, 192, 192), (212, 208, 200), tinted_grey(rng, rng.randrange(160, 215), 0.15)))
    elif family == "xp":
        window = (236, 233, 216)
    elif family in ("material", "flat", "bootstrap"):
        window = rng.choice(((255, 255, 255), (248, 249, 250), tinted_grey(rng, rng.randrange(236, 254))))
    else:
        window = tinted_grey(rng, rng.randrange(222, 250), 0.04)
    surface = (255, 255, 255) if rng.random() < 0.8 else tinted_grey(rng, rng.randrange(240, 256))
    return window, surface


def _accent(family: str, rng: random.Random) -> Color:
    usual: dict[str, Color] = {
        "win95": (0, 0, 128),
        "xp": (49, 106, 197),
        "win7": (51, 153, 255),
        "win10": (0, 120, 215),
        "gtk3": (53, 132, 228),
        "qt": (61, 174, 233),
        "macos": (10, 122, 255),
        "bootstrap": (13, 110, 253),
    }
    return usual[family] if family in usual and rng.random() < 0.55 else vivid(rng)

"""Looks of desktop programs: themes, icon sets, fonts, sizes and window frames, written as settings of a fresh home."""

import random
from dataclasses import dataclass
from pathlib import Path
from xml.sax.saxutils import escape

from PIL import Image

from foveate.grounding.synthetic.desktop_programs import Program

SIZES = ((1280, 800), (1366, 768), (1600, 900), (1024, 768), (1920, 1080), (1280, 1024), (1440, 900))
_GTK3 = [
    "Adwaita",
    "Adwaita",
    "Adwaita-dark",
    "Arc",
    "Arc-Dark",
    "Arc-Darker",
    "Numix",
    "Greybird",
    "Greybird-dark",
    "Materia",
    "Materia-compact",
    "Materia-dark",
    "Breeze",
    "Breeze-Dark",
    "Blackbird",
    "Bluebird",
    "HighContrast",
    "Orchis",
    "Orchis-Dark-Compact",
    "Menta",
    "TraditionalOk",
    "BlackMATE",
    "YaruOk",
    "YaruGreen",
    "Blue-Submarine",
    "GreenLaguna",
]
_GTK2 = [
    "Clearlooks",
    "Adwaita",
    "Arc",
    "Arc-Dark",
    "Numix",
    "Greybird",
    "Breeze",
    "Blackbird",
    "Industrial",
    "Mist",
    "ThinIce",
    "Redmond",
    "Raleigh",
    "Crux",
    "MurrinaCandido",
    "MurrinaBlue",
    "MurrinaElement",
    "MurrinaDark",
    "Murrine-Light",
    "TraditionalOk",
    "Menta",
    "YaruOk",
    "Bluebird",
    "Shiny",
]
_ICONS = [
    "Papirus",
    "Papirus-Dark",
    "Numix",
    "Tango",
    "elementary",
    "elementary-xfce",
    "oxygen",
    "Adwaita",
    "breeze",
    "gnome",
    "mate",
    "menta",
    "Obsidian",
    "suru",
    "bloom",
    "bloom-classic",
    "nuoveXT2",
    "Numix-Circle",
    "matefaenza",
    "HighContrast",
    "Adwaita",
    "Papirus",
    "gnome",
]
_DARK_ICONS = [
    "Papirus-Dark",
    "Adwaita",
    "breeze-dark",
    "Numix",
    "elementary-xfce-dark",
    "bloom-dark",
    "Obsidian",
    "oxygen",
    "gnome",
]
_QT_STYLES = [
    "Fusion",
    "Fusion",
    "Breeze",
    "Windows",
    "Oxygen",
    "kvantum",
    "kvantum",
    "Adwaita",
    "Adwaita-Dark",
    "Plastique",
    "Cleanlooks",
]
_KVANTUM = [
    "KvAdapta",
    "KvAdaptaDark",
    "KvAmbiance",
    "KvArc",
    "KvArcDark",
    "KvCurvesLight",
    "KvFlat",
    "KvFlatLight",
    "KvGnome",
    "KvGnomeDark",
    "KvGray",
    "KvMojave",
    "KvMojaveLight",
    "KvOxygen",
    "KvRoughGlass",
    "KvSimplicity",
    "KvSimplicityDark",
    "KvYaru",
    "KvBeige",
]
_QT_COLORS = ["airy", "darker", "dusk", "ia_ora", "sand", "simple", "waves"]
_FONTS = [
    "DejaVu Sans",
    "Liberation Sans",
    "Roboto",
    "Ubuntu",
    "Cantarell",
    "Open Sans",
    "Lato",
    "FreeSans",
    "Inter",
    "Noto Sans",
    "Oxygen-Sans",
    "Quicksand",
    "Bitstream Vera Sans",
    "DejaVu Sans Condensed",
    "Noto Serif",
]
_FRAMES = [
    "Clearlooks",
    "Clearlooks-3.4",
    "Clearlooks-Olive",
    "Breeze-ob",
    "Greybird",
    "Greybird-dark",
    "Numix",
    "Onyx",
    "Natura",
    "Bear2",
    "Mikachu",
    "KvArc",
    "KvArcDark",
    "KvGnome",
    "KvMojave",
    "KvYaru",
    "KvAdapta",
    "TraditionalOk",
    "YaruOk",
    "Nightmare",
    "Orangine",
]


@dataclass(frozen=True)
class Look:
    """How a program is shown.

    Args:
        size: Width and height of the screen in pixels.
        maximised: Whether windows fill the screen.
        theme: GTK theme or Qt style.
        icons: Icon set.
        font: Font family.
        points: Font size in points, 8 to 14.
        frame: Window frame theme of the window manager.
        background: Two colours of the background.
        variant: Palette of the Qt style or theme of Kvantum; "dark" or "" for GTK.
    """

    size: tuple[int, int]
    maximised: bool
    theme: str
    icons: str
    font: str
    points: int
    frame: str
    background: tuple[tuple[int, int, int], tuple[int, int, int]]
    variant: str


def choose_look(program: Program, rng: random.Random) -> Look:
    """Draw a look for a program from what is installed."""
    variant = ""
    if program.toolkit == "qt5":
        theme = rng.choice(_QT_STYLES)
        variant = rng.choice(_KVANTUM) if theme == "kvantum" else rng.choice(("", "", *_QT_COLORS))
    else:
        theme = rng.choice(_installed("themes", _GTK2 if program.toolkit == "gtk2" else _GTK3))
    dark = any(word in f"{theme} {variant}".lower() for word in ("dark", "black", "inverse", "dusk"))
    colors = [rng.randrange(256) for _ in range(6)]
    return Look(
        size=rng.choice(SIZES),
        maximised=rng.random() < 0.55,
        theme=theme,
        icons=rng.choice(_installed("icons", _DARK_ICONS if dark else _ICONS)),
        font=rng.choice(_FONTS),
        points=rng.choice((8, 9, 9, 10, 10, 10, 11, 11, 12, 13)),
        frame=rng.choice(_installed("themes", _FRAMES)),
        background=((colors[0], colors[1], colors[2]), (colors[3], colors[4], colors[5])),
        variant=variant,
    )


def _installed(kind: str, names: list[str]) -> list[str]:
    return [n for n in names if (Path("/usr/share") / kind / n).exists()] or names[:1]


def write_settings(home: Path, look: Look) -> dict[str, str]:
    """Write a look as the settings of a home folder.

    Args:
        home: Home of the program; must exist.
        look: What to set.

    Returns:
        Environment variables that the program needs.
    """
    config = home / ".config"
    dark = "dark" in look.theme.lower()
    font = f"{look.font} {look.points}"
    _write(
        config / "gtk-3.0/settings.ini",
        f"[Settings]\ngtk-theme-name={look.theme}\ngtk-icon-theme-name={look.icons}\ngtk-font-name={font}\n"
        f"gtk-application-prefer-dark-theme={int(dark)}\ngtk-cursor-blink=0\ngtk-enable-animations=0\n"
        "gtk-menu-images=1\ngtk-button-images=1\ngtk-recent-files-enabled=0\n",
    )
    _write(
        home / ".gtkrc-2.0",
        f'gtk-theme-name="{look.theme}"\ngtk-icon-theme-name="{look.icons}"\ngtk-font-name="{font}"\n'
        "gtk-cursor-blink=0\ngtk-menu-images=1\ngtk-button-images=1\n",
    )
    colors = f"/usr/share/qt5ct/colors/{look.variant}.conf"
    family = f'"{look.font},{look.points},-1,5,50,0,0,0,0,0"'
    _write(
        config / "qt5ct/qt5ct.conf",
        f"[Appearance]\ncustom_palette={str(look.variant in _QT_COLORS).lower()}\ncolor_scheme_path={colors}\n"
        f"icon_theme={look.icons}\nstyle={look.theme}\n\n[Fonts]\nfixed={family}\ngeneral={family}\n\n"
        "[Interface]\ncursor_flash_time=0\nmenus_have_icons=true\n",
    )
    _write(config / "Kvantum/kvantum.kvconfig", f"[General]\ntheme={look.variant or 'KvArc'}\n")
    scheme = "BreezeDark" if dark else "BreezeLight"
    _write(
        config / "kdeglobals",
        f"[General]\nColorScheme={scheme}\n[Icons]\nTheme={look.icons}\n[KDE]\nCursorBlinkRate=0\n",
    )
    _write(home / "keyfile", _desktop_keys(look, font))
    _write(config / "openbox/rc.xml", _window_manager(look))
    wallpaper(look).save(home / "background.png")
    gtk2 = "gail:atk-bridge"
    return {"QT_QPA_PLATFORMTHEME": "qt5ct", "GTK_MODULES": gtk2, "GTK_THEME": ""}


def _write(path: Path, content: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content, encoding="utf-8")


def _desktop_keys(look: Look, font: str) -> str:
    common = (
        f"gtk-theme='{look.theme}'\nicon-theme='{look.icons}'\nfont-name='{font}'\ndocument-font-name='{font}'\n"
        f"cursor-blink=false\n"
    )
    return (
        f"[org/gnome/desktop/interface]\n{common}toolkit-accessibility=true\nenable-animations=false\n\n"
        f"[org/mate/desktop/interface]\n{common}menus-have-icons=true\nbuttons-have-icons=true\n"
    )


def _window_manager(look: Look) -> str:
    fill = "<maximized>yes</maximized>" if look.maximised else "<maximized>no</maximized>"
    font = escape(look.font)
    places = "".join(
        f'<font place="{p}"><name>{font}</name><size>{look.points}</size><weight>bold</weight></font>'
        for p in ("ActiveWindow", "InactiveWindow")
    )
    return (
        '<?xml version="1.0"?><openbox_config xmlns="http://openbox.org/3.4/rc">'
        f"<theme><name>{escape(look.frame)}</name>{places}</theme>"
        "<desktops><number>1</number><popupTime>0</popupTime></desktops>"
        "<focus><focusNew>yes</focusNew></focus><placement><policy>Smart</policy></placement>"
        '<keyboard><keybind key="A-F4"><action name="Close"/></keybind></keyboard>'
        '<mouse><context name="Client"><mousebind button="Left" action="Press"><action name="Focus"/>'
        '<action name="Raise"/></mousebind></context></mouse>'
        f'<applications><application type="normal">{fill}</application></applications></openbox_config>'
    )


def wallpaper(look: Look) -> Image.Image:
    """Paint the background: a gradient between the look's two colours."""
    first, second = (Image.new("RGB", look.size, color) for color in look.background)
    return Image.composite(first, second, Image.linear_gradient("L").resize(look.size))

"""Pages that come with packages, made self-contained, with their labels and colours varied."""
# ruff: noqa: E501  (markup and style sheets keep their long lines)

import random
import re
from functools import lru_cache
from html import escape
from pathlib import Path

from foveate.grounding.synthetic.web_kits import Kit
from foveate.grounding.synthetic.web_look import LAYOUT, choose_font
from foveate.grounding.synthetic.web_material import Material, inline_svg
from foveate.grounding.synthetic.web_widgets import Widgets

# Package, folder of pages, style sheets for pages that name none, how often.
_SOURCES: tuple[tuple[str, str, tuple[str, ...], int], ...] = (
    *((f"startbootstrap-{n}", "", (), 3) for n in ("sb-admin-2", "sb-admin")),
    *((f"startbootstrap-{n}", "", (), 2) for n in ("agency", "creative", "freelancer", "clean-blog", "grayscale", "landing-page", "new-age", "resume", "stylish-portfolio")),
    ("uikit", "tests", ("uikit/dist/css/uikit.min.css",), 1),
    ("foundation-sites", "test/visual", ("foundation-sites/dist/css/foundation.min.css",), 1),
)  # fmt: skip


@lru_cache(maxsize=2)
def _listed(root: Path) -> tuple[tuple[str, Path, tuple[str, ...]], ...]:
    found = []
    for package, folder, css, share in _SOURCES:
        base = root / "node_modules" / package
        for path in sorted((base / folder).rglob("*.html")):
            if "node_modules" in path.relative_to(base).parts or path.stat().st_size < 1500:
                continue
            found += [(package, path, css)] * share
    return tuple(found)


def templates(material: Material) -> tuple[tuple[str, Path, tuple[str, ...]], ...]:
    """Pages found in the material as (package, path, style sheets); those that are worth more appear several times."""
    return _listed(material.root)


def template_page(rng: random.Random, material: Material, entry: tuple[str, Path, tuple[str, ...]]) -> tuple[str, str]:
    """Make a packaged page self-contained and vary it.

    Args:
        rng: Source of all choices.
        material: Where icons and style sheets lie.
        entry: One of ``templates``.

    Returns:
        HTML document, and source of the screen.
    """
    package, path, css = entry
    text = path.read_text(encoding="utf-8", errors="replace")
    sheets = list(css)
    root = material.root / "node_modules"
    for link in re.findall(r"<link[^>]*href=[\"']([^\"']+\.css)[\"']", text):
        target = (path.parent / link).resolve()
        if target.exists() and target.is_relative_to(root.resolve()) and "fontawesome" not in link:
            sheets.append(str(target.relative_to(root.resolve())))
    text = re.sub(
        r"<script\b.*?</script>|<noscript\b.*?</noscript>|<link\b[^>]*>|<iframe\b.*?</iframe>", "", text, flags=re.S
    )
    widgets = Widgets(rng, Kit(package), material)
    text = _icons(text, material)
    text = re.sub(r"\{\{.*?\}\}|\{%.*?%\}", "", text, flags=re.S)
    text = re.sub(r"<img\b([^>]*)>", lambda m: _image(m.group(1), widgets), text)
    text = re.sub(r"url\(\s*&?[^)]*\)", "none", text)
    share = rng.choice((0.0, 0.4, 0.8))
    text = re.sub(
        r"(<(?:a|button|h[1-6]|label|th|td|option|span)\b[^>]*>)([^<>{}]{2,60})(</)",
        lambda m: _relabel(m, rng, widgets, share),
        text,
    )
    turn = f"html{{filter:hue-rotate({rng.randrange(360)}deg)}}" if rng.random() < 0.6 else ""
    font = (
        f"body,button,input,select,h1,h2,h3,h4,a{{font-family:{choose_font(rng)}!important}}"
        if rng.random() < 0.6
        else ""
    )
    layout = "\n".join(line for line in LAYOUT.splitlines() if line.startswith((".x-icon", "*,", "html")))
    style = f"<style>{material.css(*sheets)}</style><style>:root{{--accent:#36c}}{layout}{turn}{font}.x-pic{{max-width:100%}}</style>"
    style += "<style>.collapse:not(.show){visibility:visible}.masthead{background-color:#445}</style>"
    text = re.sub(r"</head>", lambda _: f"{style}</head>", text, count=1) if "</head>" in text else style + text
    return text, f"web/{package}"


def _relabel(match: re.Match[str], rng: random.Random, widgets: Widgets, share: float) -> str:
    head, text, tail = match.groups()
    if rng.random() > share or not re.search(r"[A-Za-z]{2}", text):
        return match.group(0)
    tag = re.match(r"<(\w+)", head)
    kind = tag.group(1) if tag else ""
    if kind in ("th", "label"):
        fresh = rng.choice((*widgets.domain.columns, *widgets.domain.fields))
    elif kind == "td":
        fresh = widgets.sample(rng.choice(widgets.domain.columns))
    elif kind.startswith("h"):
        fresh = rng.choice((*widgets.domain.things, *widgets.domain.pages, widgets.english.bs().capitalize()))
    elif kind == "a":
        fresh = rng.choice((*widgets.domain.pages, *widgets.domain.things, widgets.action()))
    else:
        fresh = widgets.action()
    return f"{head}{escape(fresh)}{tail}"


def _image(attributes: str, widgets: Widgets) -> str:
    alt = re.search(r'alt="([^"]*)"', attributes)
    kept = re.search(r'class="([^"]*)"', attributes)
    sized = re.search(r'width="(\d+)"', attributes)
    made = widgets.picture(0.62, "" if alt is None or alt.group(1) in ("...", "") else alt.group(1))
    width = f"width:{sized.group(1)}px;" if sized else "min-width:32px;"
    return made.replace('class="x-pic" style="', f'class="{kept.group(1) if kept else ""}" style="{width}')


def _icons(text: str, material: Material) -> str:
    """Put inline pictures where a page expects an icon font or a script's icons."""

    def awesome(match: re.Match[str]) -> str:
        for stem in re.findall(r"fa-([a-z0-9-]+)", match.group(1)):
            path = material.file(f"@fortawesome/fontawesome-free/svgs/solid/{stem}.svg")
            brand = material.file(f"@fortawesome/fontawesome-free/svgs/brands/{stem}.svg")
            if path.exists() or brand.exists():
                return inline_svg(path if path.exists() else brand, stem)
        return ""

    def bootstrap(match: re.Match[str]) -> str:
        path = material.file(f"bootstrap-icons/icons/{match.group(1)}.svg")
        return inline_svg(path, match.group(1)) if path.exists() else ""

    def uikit(match: re.Match[str]) -> str:
        path = material.file(f"uikit/src/images/icons/{match.group(3)}.svg")
        return match.group(1) + (inline_svg(path, match.group(3)) if path.exists() else "")

    text = re.sub(r'<i class="((?:fa|fas|far|fab|fa-solid|fa-brands)\b[^"]*)"[^>]*></i>', awesome, text)
    text = re.sub(r'<i class="bi[ -][^"]*?bi-([a-z0-9-]+)[^"]*"[^>]*></i>', bootstrap, text)
    return re.sub(r'(<(?:a|span|button)\b[^>]*\buk-icon="(icon: ?)?([a-z0-9-]+)[^"]*"[^>]*>)(?=</)', uikit, text)

"""Generated style sheets: the layout every page needs, and a drawn look for each component that a kit lacks."""
# ruff: noqa: E501  (markup and style sheets keep their long lines)

import colorsys
import random
import subprocess
from functools import lru_cache

from foveate.grounding.synthetic.web_kits import Kit

_UNSUITED = (
    "emoji",
    "symbol",
    "math",
    "z003",
    "d050000l",
    "dingbat",
    "icon",
    "music",
    "sans symbols",
    "sign",
    "last resort",
)
LAYOUT = """
*,*::before,*::after{animation:none!important;transition:none!important;caret-color:transparent!important}
html{scroll-behavior:auto!important}
body{min-height:100vh;overflow-x:hidden}
.x-icon{width:1.2em;height:1.2em;display:inline-block;vertical-align:-.2em;flex:none}
.ionicon{stroke:currentColor}.ionicon-fill-none{fill:none}.ionicon-stroke-width{stroke-width:32px}
.x-row{display:flex;align-items:center;gap:var(--gap);flex-wrap:wrap}.x-row.x-tight{gap:calc(var(--gap)/3)}.x-nowrap{flex-wrap:nowrap}
.x-col{display:flex;flex-direction:column;gap:var(--gap)}.x-between{justify-content:space-between}.x-end{justify-content:flex-end}
.x-center{justify-content:center}.x-grow{flex:1 1 0;min-width:0}.x-grid{display:grid;gap:var(--gap)}.x-start{align-items:flex-start}
.x-app{display:flex;min-height:100vh;align-items:stretch}.x-main{flex:1 1 0;min-width:0;padding:var(--pad)}
.x-bar{display:flex;align-items:center;gap:var(--gap);padding:calc(var(--pad)/2) var(--pad)}
.x-side{flex:none;padding:calc(var(--pad)/2);display:flex;flex-direction:column;gap:2px}
.x-over{position:absolute;z-index:1050;display:block;margin:0}.x-shade{position:fixed;inset:0;z-index:1040;background:rgba(0,0,0,.45)}
.x-dialog{position:fixed!important;z-index:1060;left:50%!important;top:12%;right:auto!important;bottom:auto!important;
 transform:translateX(-50%)!important;display:block!important;max-height:80vh;overflow:hidden;margin:0!important;opacity:1!important;visibility:visible!important}
.x-avatar{display:inline-flex;align-items:center;justify-content:center;width:2.2em;height:2.2em;border-radius:var(--round);color:#fff;font-size:.85em;flex:none;overflow:hidden}
.x-pic{display:block;width:100%;object-fit:cover}.x-clip{overflow:hidden;text-overflow:ellipsis;white-space:nowrap}
.x-muted{opacity:.7}.x-smalltext{font-size:.86em}.x-bold{font-weight:600}
.x-field{margin:0 0 calc(var(--gap)*.9);min-width:0}.x-field label{display:block}.x-field>input,.x-field>select,.x-field>textarea{width:100%;box-sizing:border-box;max-width:none}
.x-checkline{display:flex;align-items:center;gap:.5em;margin:0 0 .5em}.x-checkline input{margin:0;flex:none}
.x-sidelink{display:flex;align-items:center;gap:.7em;text-decoration:none;color:inherit;padding:var(--itempad) .7em}
.x-table{width:100%}.x-table td,.x-table th{text-align:left}.x-nolist{list-style:none;padding:0;margin:0}
svg text{fill:currentColor}
.x-head .x-ghost,.x-side .x-ghost{background-color:transparent!important;color:inherit!important}
"""


def _hex(hue: float, light: float, saturation: float) -> str:
    return "#" + "".join(f"{round(255 * v):02x}" for v in colorsys.hls_to_rgb(hue % 1.0, light, saturation))


def luminance(colour: str) -> float:
    """Relative luminance of a colour such as "#3366cc", 0 (black) to 1 (white)."""
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [v / 12.92 if v <= 0.04045 else ((v + 0.055) / 1.055) ** 2.4 for v in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def ink_on(colour: str) -> str:
    """White on dark and middling colours, as most pages have it, else black."""
    return "#ffffff" if luminance(colour) < 0.36 else "#111111"


@lru_cache(maxsize=1)
def fonts() -> tuple[str, ...]:
    """Families of the installed fonts that have Latin letters, in order."""
    try:
        made = subprocess.run(["fc-list", ":lang=en", "family"], capture_output=True, text=True, check=True).stdout
    except (OSError, subprocess.CalledProcessError):
        return ("sans-serif", "serif")
    families = {line.split(",")[0].strip() for line in made.splitlines()}
    good = sorted(f for f in families if f and not any(u in f.lower() for u in _UNSUITED))
    latin = [
        f
        for f in good
        if not f.startswith("Noto ") or f in ("Noto Sans", "Noto Serif", "Noto Sans Display", "Noto Sans Mono")
    ]
    return tuple(latin) or ("sans-serif", "serif")


def choose_font(rng: random.Random) -> str:
    """Draw a font family; those that look like the web's usual ones more often."""
    usual = [
        f
        for f in fonts()
        if f
        in (
            "Inter",
            "Roboto",
            "Open Sans",
            "Lato",
            "Noto Sans",
            "Liberation Sans",
            "DejaVu Sans",
            "Carlito",
            "Cantarell",
            "Oxygen",
        )
    ]
    pool = usual if usual and rng.random() < 0.65 else fonts()
    return f'"{rng.choice(pool)}", sans-serif'


def variables(rng: random.Random, kit: Kit) -> dict[str, str]:
    """Draw sizes and colours of a page as CSS variables."""
    hue = rng.random()
    accent = _hex(hue, rng.uniform(0.28, 0.6), rng.uniform(0.35, 0.95))
    tint = rng.choice((0.0, 0.0, 0.06, 0.15, 0.3))
    if kit.dark:
        back = _hex(hue + rng.choice((0, 0.5)), rng.uniform(0.03, 0.16), tint)
        panel, text = _hex(hue, rng.uniform(0.1, 0.22), tint), _hex(hue, rng.uniform(0.8, 0.97), tint)
        accent = _hex(hue, rng.uniform(0.5, 0.7), rng.uniform(0.4, 0.9))
    else:
        back = _hex(hue + rng.choice((0, 0.5)), rng.choice((1.0, 0.98, 0.96, 0.93)), tint)
        panel, text = _hex(hue, rng.choice((1.0, 1.0, 0.99, 0.95)), tint), _hex(hue, rng.uniform(0.05, 0.28), tint)
    head = rng.choice((panel, panel, accent, _hex(hue, 0.16, 0.3), back))
    side = rng.choice((panel, back, _hex(hue, 0.15, 0.25), _hex(hue, 0.2, 0.1), accent))
    gap = rng.choice((6, 8, 10, 12, 16, 20))
    return {
        "bg": back, "panel": panel, "fg": text, "accent": accent, "on": ink_on(accent), "head": head, "headfg": ink_on(head),
        "side": side, "sidefg": ink_on(side), "line": f"color-mix(in srgb, {text} {rng.choice((10, 16, 25, 45))}%, transparent)",
        "soft": f"color-mix(in srgb, {accent} {rng.choice((10, 16, 24))}%, {panel})", "gap": f"{gap}px", "pad": f"{rng.choice((8, 12, 16, 24, 32))}px",
        "itempad": f"{rng.choice((3, 5, 7, 9, 12))}px", "radius": f"{rng.choice((0, 0, 2, 3, 4, 6, 8, 10, 14, 20))}px",
        "round": rng.choice(("50%", "50%", "4px", "25%")), "size": f"{rng.choice((12, 13, 13, 14, 14, 15, 16, 16))}px", "font": choose_font(rng),
    }  # fmt: skip


def look_css(rng: random.Random, kit: Kit, skip: frozenset[str]) -> str:
    """Draw the style of components.

    Args:
        rng: Source of all choices.
        kit: Look that the style completes.
        skip: Components that the kit draws itself.

    Returns:
        A style sheet.
    """
    rules = {**_controls(rng), **_surfaces(rng), **_navigation(rng)}
    if kit.name in ("plain", "pico", "water", "sakura", "mvp", "milligram", "pure"):
        skip = skip | {"button", "primary", "danger", "input", "select", "table", "check", "radio"}
    if kit.name == "plain":
        skip = skip | {"ghost", "switch", "tab"}
    return "\n".join(css for key, css in rules.items() if key not in skip)


def _controls(rng: random.Random) -> dict[str, str]:
    shadow = rng.choice(
        (
            "none",
            "none",
            "0 1px 2px rgba(0,0,0,.2)",
            "inset 0 -2px 0 rgba(0,0,0,.2)",
            "2px 2px 0 var(--fg)",
            "0 4px 10px rgba(0,0,0,.15)",
        )
    )
    pad = rng.choice(("2px 8px", "4px 10px", "6px 14px", "8px 18px", "10px 22px"))
    form = f"border-radius:{rng.choice(('var(--radius)', 'var(--radius)', '999px'))};padding:{pad};font:inherit;cursor:pointer;text-decoration:none;display:inline-flex;align-items:center;gap:.45em;line-height:1.3;box-shadow:{shadow};{rng.choice(('', '', '', 'text-transform:uppercase;letter-spacing:.05em;font-size:.86em;', 'font-weight:600;'))}"
    plain = rng.choice(
        (
            "background:var(--panel);color:var(--fg);border:1px solid var(--line)",
            "background:var(--soft);color:var(--fg);border:1px solid transparent",
            "background:transparent;color:var(--fg);border:2px solid var(--fg)",
            "background:linear-gradient(#fdfdfd,#dcdcdc);color:#222;border:1px solid #a8a8a8",
        )
    )
    strong = rng.choice(
        (
            "background:var(--accent)",
            "background:var(--accent)",
            "background:linear-gradient(color-mix(in srgb,var(--accent) 75%,white),var(--accent))",
            "background:linear-gradient(90deg,var(--accent),color-mix(in srgb,var(--accent) 70%,black))",
        )
    )
    field = rng.choice(
        (
            "border:1px solid var(--line);background:var(--panel)",
            "border:1px solid var(--line);background:var(--panel)",
            "border:none;border-bottom:2px solid var(--line);background:transparent;border-radius:0",
            "border:1px solid transparent;background:color-mix(in srgb,var(--fg) 9%,var(--panel))",
            "border:2px solid var(--fg);background:var(--panel)",
        )
    )
    size = f"padding:{rng.choice(('3px 6px', '5px 9px', '8px 12px', '11px 14px'))};border-radius:var(--radius);font:inherit;color:var(--fg)"
    knob = rng.choice((34, 40, 46))
    return {
        "button": f".x-button{{{form}{plain}}}",
        "primary": f".x-primary{{{form}{strong};color:var(--on);border:1px solid transparent}}",
        "danger": f".x-danger{{{form}{rng.choice(('background:#c62828;color:#fff;border:1px solid #c62828', 'background:transparent;color:#d03a3a;border:1px solid currentColor'))}}}",
        "ghost": f".x-ghost{{{rng.choice(('border:none', 'border:none', 'border:1px solid var(--line)'))};background:{rng.choice(('none', 'none', 'color-mix(in srgb,var(--fg) 8%,transparent)'))};color:{rng.choice(('inherit', 'inherit', 'var(--accent)'))};padding:{rng.choice((3, 5, 7))}px;border-radius:{rng.choice(('var(--radius)', '50%'))};font:inherit;cursor:pointer;display:inline-flex;align-items:center;gap:.4em}}",
        "input": f".x-input,.x-textarea{{{size};{field}}}",
        "select": f".x-select{{{size};{field}}}",
        "check": f".x-check,.x-radio{{accent-color:var(--accent);width:{rng.choice((13, 15, 16, 18, 20))}px;aspect-ratio:1}}",
        "switch": f".x-switch{{appearance:none;-webkit-appearance:none;position:relative;flex:none;width:{knob}px;height:{knob // 2 + 2}px;border-radius:99px;border:1px solid var(--line);background:color-mix(in srgb,var(--fg) 30%,var(--panel));padding:0;margin:0;cursor:pointer}}.x-switch::after{{content:'';position:absolute;top:2px;left:2px;bottom:2px;aspect-ratio:1;border-radius:50%;background:#fff}}.x-switch:checked,.x-switch[aria-checked=true]{{background:var(--accent)}}.x-switch:checked::after,.x-switch[aria-checked=true]::after{{left:auto;right:2px}}",
        "label": f".x-label{{margin-bottom:.25em;{rng.choice(('', 'font-weight:600', 'font-size:.86em', 'text-transform:uppercase;font-size:.75em;letter-spacing:.05em', 'opacity:.75'))}}}",
        "link": f".x-link{{color:{rng.choice(('var(--accent)', 'var(--accent)', 'inherit'))};text-decoration:{rng.choice(('none', 'underline'))}}}",
    }  # fmt: skip


def _surfaces(rng: random.Random) -> dict[str, str]:
    shadow = rng.choice(("none", "0 1px 3px rgba(0,0,0,.15)", "0 8px 24px rgba(0,0,0,.12)", "4px 4px 0 var(--line)"))
    edge = rng.choice(("1px solid var(--line)", "1px solid var(--line)", "none", "2px solid var(--line)"))
    card = f"background:var(--panel);color:var(--fg);border:{edge};border-radius:var(--radius);box-shadow:{shadow}"
    cell = f"padding:{rng.choice((2, 4, 6, 8, 11, 14))}px {rng.choice((6, 8, 12, 16))}px"
    rows = rng.choice(
        (
            "border-bottom:1px solid var(--line)",
            "border:1px solid var(--line)",
            "border-bottom:1px solid var(--line)",
            "border:none",
        )
    )
    stripes = rng.choice(
        ("", ".x-table tbody tr:nth-child(even){background:color-mix(in srgb,var(--fg) 5%,transparent)}")
    )
    top = rng.choice(
        (
            "font-weight:600",
            "font-size:.78em;text-transform:uppercase;opacity:.75",
            "background:var(--soft)",
            "background:var(--accent);color:var(--on)",
            "border-bottom:2px solid var(--fg)",
        )
    )
    pill = rng.choice(("999px", "3px", "0", "var(--radius)"))
    raised = "background:var(--panel);color:var(--fg);border:1px solid var(--line);border-radius:var(--radius);box-shadow:0 10px 30px rgba(0,0,0,.28)"
    return {
        "card": f".x-card{{{card};padding:{'0' if rng.random() < 0.2 else 'calc(var(--pad)*.8)'};min-width:0}}",
        "card_header": f".x-card_header{{padding:calc(var(--pad)*.5);margin-bottom:.5em;{rng.choice(('border-bottom:1px solid var(--line)', 'font-weight:600', 'background:var(--soft)'))}}}",
        "card_body": ".x-card_body{padding:calc(var(--pad)*.5)}",
        "table": f".x-table{{border-collapse:collapse;width:100%}}.x-table td,.x-table th{{{cell};{rows}}}.x-table th{{{top}}}{stripes}",
        "badge": f".x-badge{{display:inline-block;padding:1px 8px;border-radius:{pill};font-size:.8em;{rng.choice(('background:var(--soft);color:var(--fg)', 'background:var(--accent);color:var(--on)', 'border:1px solid currentColor', 'background:color-mix(in srgb,var(--fg) 14%,transparent)'))}}}",
        "list": ".x-list{list-style:none;margin:0;padding:0}",
        "item": f".x-item{{padding:var(--itempad) .8em;display:flex;align-items:center;gap:.7em;{rng.choice(('border-bottom:1px solid var(--line)', 'border-radius:var(--radius)', 'border:1px solid var(--line);border-radius:var(--radius);margin-bottom:4px'))};color:inherit;text-decoration:none;min-width:0}}.x-item.x-active{{background:var(--soft)}}",
        "alert": f".x-alert{{padding:.7em 1em;border-radius:var(--radius);background:{rng.choice(('#fff3cd', '#d1ecf1', '#e2f6e5', '#fde2e2'))};color:#2b2b2b;border:1px solid rgba(0,0,0,.12)}}",
        "modal": f".x-modal{{{raised};padding:calc(var(--pad)*.8)}}",
        "modal_header": ".x-modal_header{display:flex;justify-content:space-between;align-items:center;padding-bottom:.6em}",
        "modal_body": ".x-modal_body{padding:.5em 0}",
        "modal_footer": ".x-modal_footer{display:flex;justify-content:flex-end;gap:.6em;padding-top:.6em}",
        "menu": f".x-menu{{{raised};padding:4px;min-width:150px;list-style:none}}",
        "menuitem": ".x-menuitem{display:flex;align-items:center;gap:.6em;padding:var(--itempad) .8em;color:inherit;text-decoration:none;border-radius:calc(var(--radius)/2);background:none;border:none;width:100%;text-align:left;font:inherit;white-space:nowrap}.x-menuitem:first-child{background:color-mix(in srgb,var(--fg) 8%,transparent)}",
        "progress": ".x-progress{height:.6em;background:color-mix(in srgb,var(--fg) 15%,transparent);border-radius:99px;overflow:hidden}",
        "bar": ".x-bar2{height:100%;background:var(--accent)}",
        "tip": ".x-tip{position:absolute;z-index:1070;padding:3px 8px;border-radius:4px;background:#222;color:#fff;font-size:12px;pointer-events:none;white-space:nowrap}",
    }  # fmt: skip


def _navigation(rng: random.Random) -> dict[str, str]:
    active = rng.choice(
        (
            "background:var(--soft);color:var(--fg)",
            "background:var(--accent);color:var(--on)",
            "border-left:3px solid var(--accent);font-weight:600",
            "font-weight:700",
        )
    )
    tab = rng.choice(
        (
            "border-bottom:2px solid transparent",
            "border:1px solid transparent;border-bottom:none;border-radius:var(--radius) var(--radius) 0 0",
            "border-radius:999px",
            "border:1px solid var(--line)",
        )
    )
    chosen = rng.choice(
        (
            "border-bottom:2px solid var(--accent);color:var(--accent)",
            "background:var(--panel);border-color:var(--line)",
            "background:var(--accent);color:var(--on)",
            "background:var(--soft)",
        )
    )
    page = rng.choice(
        ("border:1px solid var(--line)", "border:none", "background:color-mix(in srgb,var(--fg) 8%,transparent)")
    )
    return {
        "head": f".x-head{{background:var(--head);color:var(--headfg);{rng.choice(('border-bottom:1px solid var(--line)', 'box-shadow:0 1px 4px rgba(0,0,0,.2)', ''))}}}",
        "side": f".x-side{{background:var(--side);color:var(--sidefg);{rng.choice(('border-right:1px solid var(--line)', ''))}}}",
        "sidelink": f".x-sidelink{{border-radius:{rng.choice(('var(--radius)', '0', '999px'))}}}.x-sidelink.x-active{{{active}}}",
        "tabs": f".x-tabs{{display:flex;gap:{rng.choice((0, 2, 8, 16))}px;flex-wrap:wrap;{rng.choice(('border-bottom:1px solid var(--line)', ''))}}}",
        "tab": f".x-tab{{padding:{rng.choice((4, 7, 10))}px {rng.choice((8, 12, 18))}px;{tab};color:inherit;text-decoration:none;background:none;font:inherit;cursor:pointer}}.x-tab.x-active{{{chosen}}}",
        "pages": ".x-pages{display:flex;list-style:none;padding:0;margin:0;gap:3px;flex-wrap:wrap}",
        "page": f".x-page{{display:inline-flex;min-width:1.9em;justify-content:center;padding:3px 6px;{page};border-radius:var(--radius);text-decoration:none;color:inherit}}.x-page.x-active{{background:var(--accent);color:var(--on)}}",
    }  # fmt: skip

"""Bars around a window's content: titles, menus, tools, tabs, addresses, status lines, docks and tool palettes."""

from foveate.grounding.synthetic import drawn_words
from foveate.grounding.synthetic.drawn_controls import button, button_width, combo, entry, icon_button, icon_is_coloured
from foveate.grounding.synthetic.drawn_pen import Area, Pen, inset, split_left, split_right
from foveate.grounding.synthetic.drawn_style import Color, ink_on, mix, shift, vivid
from foveate.grounding.synthetic.icons import Icon

_MAC = (("Close", (255, 95, 87)), ("Minimize", (254, 188, 46)), ("Zoom", (40, 200, 64)))


def ground(pen: Pen, box: Area, color: Color | None = None) -> None:
    """Paint the ground of a bar, with a line or a shade as the style has it."""
    color = color or pen.style.window
    if pen.style.gradient and box[3] - box[1] < 70:
        pen.shade(box, shift(color, 8), shift(color, -10))
    else:
        pen.fill(box, color)
    if pen.rng.random() < 0.7:
        pen.line(box[0], box[3] - 1, box[2] - 1, box[3] - 1)


def title_bar(pen: Pen, box: Area, text: str) -> None:
    """Draw a title bar with its buttons."""
    style, height = pen.style, box[3] - box[1]
    if style.gradient or style.family in ("win95", "xp"):
        pen.shade(box, shift(style.header, 25), shift(style.header, -15))
    else:
        pen.fill(box, style.header)
    inner = inset(box, 6, 0)
    if style.family == "macos":
        x = box[0] + 10
        for name, color in _MAC:
            y = box[1] + height // 2 - 6
            pen.draw.ellipse((x, y, x + 11, y + 11), color)
            pen.add((x - 1, y - 1, x + 13, y + 13), name, "button", "icon")
            x += 20
        inner = (x, inner[1], inner[2], inner[3])
    else:
        inner = _window_buttons(pen, inner)
        if style.family not in ("gtk3",):
            side = min(16, height - 4)
            part, inner = split_left(inner, side + 6)
            pen.icon(part[0], (box[1] + box[3] - side) // 2, side, pen.pick(things=True), None, style.header)
    align = "center" if style.family in ("macos", "gtk3", "qt") or pen.rng.random() < 0.15 else "left"
    pen.text(inner, text, align, style.on_header, bold=style.family in ("win95", "xp", "gtk2", "gtk3"))


def _window_buttons(pen: Pen, box: Area) -> Area:
    """Draw close, maximise and minimise at the right end of a title bar; returns what is left of it."""
    style, ink = pen.style, pen.style.on_header
    height = box[3] - box[1]
    width = {"win10": 40, "win7": 28}.get(style.family, max(18, height - 6))
    kept = ("Close", "Maximize", "Minimize")[: pen.rng.choice((3, 3, 3, 1, 2))]
    for name in kept:
        part, box = split_right(box, width)
        spot = part if style.family == "win10" else inset(part, 1, max(1, (height - 20) // 2))
        if style.bevel or style.family == "xp":
            color = (200, 70, 40) if name == "Close" and style.family == "xp" else style.window
            pen.bevel(spot, color)
            ink = ink_on(color)
        elif style.family == "win7" and name == "Close":
            pen.fill(spot, (199, 80, 80), style.border, 2)
        elif style.family == "gtk3" and pen.rng.random() < 0.5:
            pen.draw.ellipse(inset(spot, 1), mix(style.header, ink, 0.15))
        x, y = (part[0] + part[2]) // 2, (part[1] + part[3]) // 2
        if name == "Close":
            pen.draw.line((x - 4, y - 4, x + 4, y + 4), ink, 1 + (style.family in ("win95", "xp")))
            pen.draw.line((x - 4, y + 4, x + 4, y - 4), ink, 1 + (style.family in ("win95", "xp")))
        elif name == "Maximize":
            pen.frame((x - 5, y - 5, x + 5, y + 5), ink)
        else:
            pen.line(x - 4, y + 3, x + 4, y + 3, ink)
        pen.add(spot, name, "button", "icon")
    return box[0], box[1], box[2] - 4, box[3]


def menu_bar(pen: Pen, box: Area, titles: list[str], opened: int = -1) -> list[Area]:
    """Draw a menu bar and return where its titles are."""
    style = pen.style
    ground(pen, box)
    x, places = box[0] + pen.rng.choice((0, 4, 8)), []
    gap = pen.rng.choice((7, 9, 12))
    for number, text in enumerate(titles):
        width = pen.length(text) + 2 * gap
        if x + width > box[2]:
            break
        spot = (x, box[1], x + width, box[3])
        if number == opened:
            pen.fill(spot, style.accent)
        pen.text(spot, text, "center", style.on_accent if number == opened else None)
        pen.add(spot, text, "menuitem", state="expanded" if number == opened else "")
        places.append(spot)
        x += width
    return places


def tool_bar(pen: Pen, box: Area, name: str = "") -> None:
    """Draw a tool bar across an area: icon buttons in groups, some with texts, boxes and fields between."""
    style, rng = pen.style, pen.rng
    ground(pen, box)
    height = box[3] - box[1]
    framed = rng.random() < 0.18
    texts = rng.choices(("none", "beside", "below"), (0.72, 0.2, 0.08))[0]
    if texts == "below" and height < style.icon + style.size + 8:
        texts = "none"
    side = min(style.icon, height - 6)
    step = side + rng.choice((4, 6, 8, 10, 14))
    x, y = box[0] + rng.choice((3, 6, 10)), box[1]
    end = box[2] - 4 if rng.random() < 0.35 else box[0] + round((box[2] - box[0]) * rng.uniform(0.3, 0.95))
    if style.bevel and rng.random() < 0.6:
        pen.line(x, y + 3, x, box[3] - 4, shift(style.window, 50))
        x += 5
    gap = rng.choice((0, 1, 2, 4))
    with pen.section(name):
        while x + step < end:
            roll = rng.random()
            spot = (x, y + max(1, (height - step) // 2), x + step, y + max(1, (height - step) // 2) + step)
            if roll < 0.1:
                if rng.random() < 0.7:
                    pen.line(x + 3, y + 5, x + 3, box[3] - 6)
                x += rng.choice((7, 9, 14))
                continue
            if roll < 0.13 and box[2] - x > 140:
                width = rng.randrange(60, 120)
                combo(pen, (x + 3, y + 4, x + width, box[3] - 4), "", drawn_words.value(rng))
                x += width + 6
                continue
            x = _tool(pen, spot, texts, framed, box) + gap


def _tool(pen: Pen, spot: Area, texts: str, framed: bool, box: Area) -> int:
    """Draw one tool, with its text beside or below; returns its right end."""
    style = pen.style
    if texts == "none" or (texts == "beside" and pen.rng.random() < 0.4):
        icon_button(pen, spot, pen.pick(), framed, min(style.icon, spot[3] - spot[1] - 2))
        if pen.rng.random() < 0.04:
            pen.arrow(spot[2] + 5, (spot[1] + spot[3]) // 2, "down", size=2)
            return spot[2] + 10
        return spot[2]
    text, icon = pen.item(1.0)
    icon = icon or pen.pick()
    if texts == "beside":
        right = spot[2] + pen.length(text) + 6
        if right < box[2] - 2:
            pen.icon(spot[0] + 2, (spot[1] + spot[3] - style.icon) // 2, style.icon, icon)
            pen.text((spot[0] + style.icon + 6, spot[1], right, spot[3]), text)
            pen.add((spot[0], spot[1], right, spot[3]), text, "button", "text", icon)
        return right
    width = max(spot[2] - spot[0], pen.length(text) + 8)
    area = (spot[0], box[1] + 2, spot[0] + width, box[3] - 2)
    if area[2] < box[2] - 2:
        pen.icon((area[0] + area[2] - style.icon) // 2, area[1] + 2, style.icon, icon)
        pen.text((area[0], area[3] - style.size - 6, area[2], area[3] - 1), text, "center")
        pen.add(area, text, "button", "text", icon)
    return area[2]


def palette(pen: Pen, box: Area, name: str = "") -> None:
    """Fill an area with a grid of tool buttons."""
    style, rng = pen.style, pen.rng
    pen.fill(box, style.window)
    side = style.icon
    step = side + rng.choice((4, 6, 8, 12))
    columns, rows = max(1, min(rng.randint(2, 10), (box[2] - box[0] - 4) // step)), (box[3] - box[1] - 6) // step
    rows = min(rows, max(2, 48 // columns))
    framed = rng.random() < 0.2
    filled = rng.randint(max(1, rows // 3), max(1, rows))
    with pen.section(name):
        for row in range(filled):
            for column in range(columns):
                if rng.random() < 0.96:
                    x, y = box[0] + 3 + column * step, box[1] + 4 + row * step
                    icon_button(pen, (x, y, x + step, y + step), pen.pick(), framed, side)
    rest = (box[0] + 4, box[1] + 10 + filled * step, box[2] - 4, box[3])
    if rest[3] - rest[1] > 44 and rng.random() < 0.6:
        low, high = vivid(rng), vivid(rng)
        middle = (rest[0] + rest[2]) // 2
        for spot, color, text in (
            ((middle - 6, rest[1] + 12, middle + 16, rest[1] + 34), low, "Background color"),
            ((middle - 18, rest[1], middle + 4, rest[1] + 22), high, "Foreground color"),
        ):
            pen.fill(spot, color, style.border)
            pen.add(spot, text, "button", "icon")


def tab_bar(pen: Pen, box: Area, titles: list[str], icons: bool = False, closable: bool = False) -> None:
    """Draw tabs; the first or another one is selected."""
    style, rng = pen.style, pen.rng
    underline = style.family in ("material", "flat", "gtk3") or rng.random() < 0.2
    pen.fill(box, style.window)
    pen.line(box[0], box[3] - 1, box[2] - 1, box[3] - 1)
    chosen, x = rng.randrange(len(titles)), box[0] + rng.choice((0, 4, 8))
    for number, name in enumerate(titles):
        text, icon = pen.item(0.6) if icons else (name, None)
        icon = icon or (pen.pick() if icons else None)
        width = pen.length(text) + 2 * style.pad + 8 + (style.size + 8 if icons else 0) + (18 if closable else 0)
        if x + width > box[2]:
            break
        spot, on = (x, box[1] + 2, x + width, box[3]), number == chosen
        fill = style.surface if on else mix(style.window, style.text, 0.06)
        if underline:
            fill = style.window
            if on:
                pen.fill((x, box[3] - 3, x + width, box[3]), style.accent)
        elif style.bevel:
            pen.bevel(spot, style.window if not on else shift(style.window, 8))
        else:
            pen.fill(spot, fill, style.border, min(style.radius, 6))
        inner = inset(spot, style.pad + 2, 0)
        if icon:
            side = style.size + 3
            part, inner = split_left(inner, side + 4)
            pen.icon(part[0], (spot[1] + spot[3] - side) // 2, side, icon, None, fill)
        if closable:
            part, inner = split_right(inner, 16)
            cross = part[0] + 8, (spot[1] + spot[3]) // 2
            pen.draw.line((cross[0] - 3, cross[1] - 3, cross[0] + 3, cross[1] + 3), style.muted)
            pen.draw.line((cross[0] - 3, cross[1] + 3, cross[0] + 3, cross[1] - 3), style.muted)
            pen.add((cross[0] - 8, cross[1] - 8, cross[0] + 8, cross[1] + 8), "Close tab", "button", "icon", row=text)
        color = style.accent if underline and on and rng.random() < 0.5 else None
        pen.text(inner, text, "center", color)
        pen.add((spot[0], spot[1], inner[2], spot[3]), text, "tab", "text", icon, state="selected" if on else "")
        x += width + rng.choice((0, 0, 1, 2))
    if closable and x + 26 < box[2]:
        plus = (x + 4, box[1] + 4, x + 24, box[3] - 3)
        middle = (plus[0] + plus[2]) // 2, (plus[1] + plus[3]) // 2
        pen.line(middle[0] - 4, middle[1], middle[0] + 4, middle[1], style.text)
        pen.line(middle[0], middle[1] - 4, middle[0], middle[1] + 4, style.text)
        pen.add(plus, "New tab", "button", "icon")


def status_bar(pen: Pen, box: Area) -> None:
    """Draw a status line with some fields and small icons."""
    style, rng = pen.style, pen.rng
    colour = style.accent if rng.random() < 0.1 else style.window
    ink = ink_on(colour) if colour == style.accent else style.text
    ground(pen, box, colour)
    pen.line(box[0], box[1], box[2] - 1, box[1])
    x, size = box[0] + 6, max(9, style.size - rng.choice((0, 1, 2)))
    right = box[2] - 6
    while right - x > 200 and rng.random() < 0.7:
        if rng.random() < 0.5:
            text = rng.choice((drawn_words.number, drawn_words.value, drawn_words.date))(rng)
            width = pen.length(text, size) + 14
            spot = (right - width, box[1], right, box[3])
            pen.text(spot, text, "center", ink, size)
            pen.add(spot, text, "label")
        else:
            width = 24
            side = min(16, box[3] - box[1] - 2)
            icon_button(pen, (right - width, box[1], right, box[3]), pen.pick(), side=side, ground=colour)
        right -= width
        pen.line(right, box[1] + 3, right, box[3] - 3)
    text = rng.choice(
        (lambda r: "Ready", lambda r: f"{r.randrange(99)} items selected", lambda r: drawn_words.sentence(r, 4))
    )(rng)
    written = pen.text((x, box[1], right - 8, box[3]), text, "left", ink, size)
    pen.add((written[0], box[1], written[2], box[3]), text, "label")


def address_bar(pen: Pen, box: Area) -> None:
    """Draw a browser's row: back, forward, reload, the address, and buttons at its right."""
    style, rng = pen.style, pen.rng
    ground(pen, box)
    height, x = box[3] - box[1], box[0] + 4
    side = min(style.icon, height - 8, 24)
    for concept in rng.choice(
        (("back", "forward", "refresh", "home"), ("back", "forward", "refresh"), ("sidebar", "back", "forward"))
    ):
        icon = pen.find(concept) or pen.pick()
        icon_button(pen, (x, box[1] + 2, x + height - 4, box[3] - 2), icon, side=side)
        x += height - 2
    right = box[2] - 4
    for _ in range(rng.randint(1, 5)):
        icon_button(pen, (right - height + 4, box[1] + 2, right, box[3] - 2), pen.pick(), side=side)
        right -= height - 2
    if right - x < 80:
        return
    address = drawn_words.url(rng)
    field = (x + 4, box[1] + 4, right - 6, box[3] - 4)
    pen.fill(
        field, style.surface, style.border if rng.random() < 0.6 else None, rng.choice((style.radius, height // 2))
    )
    inner = inset(field, 10, 0)
    for concept in rng.choice(((), ("lock",), ("search",), ("shield", "lock"))):
        icon = pen.find(concept) or pen.pick()
        part, inner = split_left(inner, 22)
        icon_button(pen, part, icon, side=min(16, side), ground=style.surface)
    if rng.random() < 0.5:
        part, inner = split_right(inner, 22)
        icon_button(pen, part, pen.find("star") or pen.pick(), side=min(16, side), ground=style.surface)
    pen.text(inner, address)
    pen.add(
        (inner[0] - 2, field[1], inner[2] + 2, field[3]), "Address and search bar", "field", "icon", label="Address"
    )


def nav_bar(pen: Pen, box: Area, colour: Color | None = None) -> None:
    """Draw a page's head: brand, links, a search field, icon buttons and a picture of the user."""
    style, rng = pen.style, pen.rng
    colour = colour or rng.choice((style.window, style.accent, style.header))
    ink = style.text if colour == style.window else ink_on(colour)
    ground(pen, box, colour)
    height, side = box[3] - box[1], min(24, style.icon + 2)
    x, right = box[0] + style.pad + 4, box[2] - style.pad
    if rng.random() < 0.4:
        icon = pen.find("menu") or pen.pick()
        icon_button(
            pen,
            (x, box[1] + 4, x + side + 10, box[3] - 4),
            icon,
            side=side,
            ground=colour,
            color=_ink_for(pen, icon, ink),
        )
        x += side + 16
    brand = drawn_words.made_up(rng).capitalize()
    written = pen.text(
        (x, box[1], x + 160, box[3]), brand, "left", ink, min(style.size + rng.choice((2, 4, 6)), height - 8), True
    )
    pen.add((written[0], written[1] - 2, written[2], written[3] + 2), brand, "link")
    x = written[2] + 18
    for _ in range(rng.randint(1, 5)):
        icon = pen.pick()
        pen_color = _ink_for(pen, icon, ink)
        icon_button(
            pen, (right - side - 10, box[1] + 4, right, box[3] - 4), icon, side=side, ground=colour, color=pen_color
        )
        if rng.random() < 0.15:
            pen.draw.ellipse((right - 12, box[1] + 6, right - 4, box[1] + 14), (220, 50, 60))
        right -= side + rng.choice((12, 16))
    if right - x > 260 and rng.random() < 0.6:
        field = (right - rng.randrange(130, 220), box[1] + 6, right - 6, box[3] - 6)
        entry(
            pen,
            field,
            "Search",
            hint=rng.choice(("Search", "Search...", "Type to search", "Find products")),
            icon=pen.find("search"),
        )
        right = field[0] - 10
    while right - x > 60:
        text = drawn_words.title(rng)
        width = pen.length(text) + 18
        if x + width > right:
            break
        pen.text((x, box[1], x + width, box[3]), text, "center", ink)
        pen.add((x, box[1] + 6, x + width, box[3] - 6), text, "link")
        x += width


def _ink_for(pen: Pen, icon: Icon, ink: Color) -> Color | None:
    return None if icon_is_coloured(pen, icon) else ink


def breadcrumb(pen: Pen, box: Area) -> None:
    """Draw a path of links, or of buttons as file managers do."""
    style, rng = pen.style, pen.rng
    x, boxed = box[0] + 6, rng.random() < 0.4
    if rng.random() < 0.4:
        icon = pen.find("home") or pen.pick()
        icon_button(pen, (x, box[1] + 2, x + box[3] - box[1] - 2, box[3] - 2), icon, boxed, min(16, style.icon))
        x += box[3] - box[1] + 4
    for _ in range(rng.randint(2, 5)):
        text = drawn_words.folder_name(rng) if boxed else drawn_words.title(rng)
        width = pen.length(text) + (2 * style.pad + 4 if boxed else 6)
        if x + width > box[2] - 10:
            break
        if boxed:
            button(pen, (x, box[1] + 2, x + width, box[3] - 2), text)
        else:
            pen.text((x, box[1], x + width, box[3]), text, "center", style.accent if rng.random() < 0.5 else None)
            pen.add((x, box[1] + 2, x + width, box[3] - 2), text, "link")
        x += width
        if not boxed:
            pen.arrow(x + 6, (box[1] + box[3]) // 2, "right", style.muted, 3)
            x += 14


def pagination(pen: Pen, box: Area) -> None:
    """Draw numbers of pages between arrows."""
    style, rng = pen.style, pen.rng
    step, current = box[3] - box[1], rng.randint(1, 6)
    x, words = box[0], rng.random() < 0.5
    parts = ["Previous", *map(str, range(max(1, current - 2), current + 4)), "Next"]
    for text in parts:
        plain = text in ("Previous", "Next") and not words
        width = button_width(pen, text) if len(text) > 2 and words else step
        if x + width > box[2]:
            break
        spot, on = (x, box[1], x + width, box[3]), text == str(current)
        pen.fill(spot, style.accent if on else style.surface, style.border, style.radius)
        if plain:
            pen.arrow(
                (spot[0] + spot[2]) // 2, (spot[1] + spot[3]) // 2, "left" if text == "Previous" else "right", size=3
            )
        else:
            pen.text(spot, text, "center", style.on_accent if on else None)
        name = text if not text.isdigit() else f"Page {text}" if rng.random() < 0.3 else text
        pen.add(spot, name, "link", "icon" if plain else "text", state="selected" if on else "")
        x += width + (0 if style.radius == 0 else 2)


def dock(pen: Pen, box: Area) -> None:
    """Draw a row or column of programs."""
    style, rng = pen.style, pen.rng
    pen.fill(box, mix(style.header, (30, 30, 40), rng.random()), None, rng.choice((0, 12)))
    across = box[2] - box[0] > box[3] - box[1]
    thick = box[3] - box[1] if across else box[2] - box[0]
    side, step = max(12, min(48, thick - 10)), thick + rng.choice((-4, 0, 6))
    at, end = (box[0], box[2]) if across else (box[1], box[3])
    at += 6
    with pen.section("Dock"):
        while at + step < end:
            spot = (at, box[1], at + step, box[3]) if across else (box[0], at, box[2], at + step)
            icon = pen.pick(things=True)
            icon_button(pen, spot, icon, side=side, ground=style.header)
            at += step


def task_bar(pen: Pen, box: Area) -> None:
    """Draw a desktop's panel: start, windows, tray and clock."""
    style, rng = pen.style, pen.rng
    colour = rng.choice((style.window, style.header, (28, 28, 34)))
    ink = ink_on(colour)
    ground(pen, box, colour)
    height, side = box[3] - box[1], min(24, box[3] - box[1] - 6)
    x, right = box[0] + 2, box[2] - 4
    if rng.random() < 0.6:
        text = rng.choice(("Start", "Applications", "Menu", "Activities"))
        width = pen.length(text, bold=True) + side + 16
        pen.icon(x + 4, box[1] + (height - side) // 2, side, pen.pick(things=True), None, colour)
        pen.text((x + side + 8, box[1], x + width, box[3]), text, "left", ink, bold=True)
        pen.add((x, box[1], x + width, box[3]), text, "button")
        x += width + 4
    clock = f"{rng.randrange(24):02d}:{rng.randrange(60):02d}" if rng.random() < 0.6 else drawn_words.date(rng)
    width = pen.length(clock) + 12
    pen.text((right - width, box[1], right, box[3]), clock, "center", ink)
    pen.add((right - width, box[1], right, box[3]), clock, "label")
    right -= width
    for _ in range(rng.randint(2, 6)):
        icon_button(pen, (right - 22, box[1], right, box[3]), pen.pick(), side=min(16, side), ground=colour)
        right -= 22
    wide = rng.random() < 0.5
    while x + (130 if wide else height) < right - 30 and rng.random() < 0.9:
        if not wide:
            icon_button(pen, (x, box[1], x + height + 4, box[3]), pen.pick(things=True), side=side, ground=colour)
            x += height + 4
            continue
        spot, text = (x, box[1] + 2, x + 126, box[3] - 2), drawn_words.title(rng)
        fill = mix(colour, ink, rng.choice((0.06, 0.15)))
        pen.bevel(spot, fill) if style.bevel else pen.fill(spot, fill, None, style.radius)
        pen.icon(x + 5, box[1] + (height - 16) // 2, 16, pen.pick(things=True), None, fill)
        pen.text((x + 26, spot[1], spot[2] - 4, spot[3]), text, "left", ink_on(fill))
        pen.add(spot, text, "button")
        x += 130

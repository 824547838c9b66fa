"""Whole windows, pages, phones, desktops and dialogs put together from bars and panels."""

from collections.abc import Callable

from foveate.grounding.synthetic import drawn_bars as bars
from foveate.grounding.synthetic import drawn_panels as panels
from foveate.grounding.synthetic import drawn_rows as rows
from foveate.grounding.synthetic import drawn_scenes as scenes
from foveate.grounding.synthetic import drawn_words
from foveate.grounding.synthetic.drawn_controls import entry, icon_button
from foveate.grounding.synthetic.drawn_pen import Area, Pen, inset, split_bottom, split_left, split_right, split_top
from foveate.grounding.synthetic.drawn_style import ink_on, mix, vivid

Panel = Callable[[Pen, Area], None]
# Panel, weight, least width and height.
_PANELS: tuple[tuple[Panel, float, int, int], ...] = (
    (rows.tree, 1.2, 110, 100),
    (rows.listing, 2.2, 120, 70),
    (rows.table, 2.4, 260, 90),
    (panels.form, 2.6, 170, 110),
    (panels.icon_grid, 2.0, 130, 90),
    (rows.messages, 0.9, 220, 100),
    (rows.settings, 1.3, 240, 100),
    (panels.cards, 1.5, 160, 100),
    (scenes.calendar, 0.7, 170, 150),
    (scenes.calculator, 0.5, 150, 170),
    (scenes.player, 1.0, 220, 66),
    (scenes.sign_in, 0.5, 220, 260),
    (scenes.code, 0.7, 200, 80),
    (scenes.terminal, 0.3, 200, 80),
    (scenes.scenery, 0.8, 120, 90),
    (scenes.town_map, 0.4, 200, 150),
    (scenes.chart, 0.5, 150, 110),
    (scenes.article, 1.0, 180, 90),
    (scenes.gallery, 0.5, 180, 120),
    (scenes.swatches, 0.15, 70, 60),
    (bars.palette, 0.7, 40, 60),
)


def fill(pen: Pen, box: Area, depth: int = 0) -> None:
    """Fill an area: cut it in two while it is large, else give it a panel that fits, often with bars over it."""
    rng, style = pen.rng, pen.style
    width, height = box[2] - box[0], box[3] - box[1]
    if width < 24 or height < 24:
        pen.fill(box, style.window)
        return
    if depth < 3 and width > 420 and rng.random() < (0.75 if depth == 0 else 0.4):
        share = rng.choice((rng.uniform(0.18, 0.35), rng.uniform(0.4, 0.8)))
        left, right = split_left(box, round(width * share))
        fill(pen, left, depth + 1)
        fill(pen, right, depth + 1)
        pen.line(right[0], right[1], right[0], right[3] - 1)
        return
    if depth < 3 and height > 320 and rng.random() < 0.4:
        upper, lower = split_top(box, round(height * rng.uniform(0.3, 0.7)))
        fill(pen, upper, depth + 1)
        fill(pen, lower, depth + 1)
        pen.line(lower[0], lower[1], lower[2] - 1, lower[1])
        return
    name = drawn_words.title(rng)
    box = _bars_above(pen, box, name)
    with pen.section(name):
        panel(pen, box)


def _bars_above(pen: Pen, box: Area, name: str) -> Area:
    rng, style = pen.rng, pen.style
    if box[2] - box[0] > 90 and rng.random() < 0.35:
        box = panels.heading(pen, box, name, min(rng.choice((0, 0, 1, 2, 3, 5)), (box[2] - box[0] - 90) // 26))
    elif box[2] - box[0] > 180 and rng.random() < 0.3:
        tabs, box = split_top(box, style.row + 6)
        titles = [drawn_words.title(rng) for _ in range(rng.randint(2, 6))]
        bars.tab_bar(pen, tabs, titles, rng.random() < 0.3, rng.random() < 0.3)
    if box[3] - box[1] > 130 and rng.random() < 0.25:
        bar, box = split_top(box, style.icon + rng.choice((10, 14)))
        bars.tool_bar(pen, bar, name)
    elif box[3] - box[1] > 130 and box[2] - box[0] > 150 and rng.random() < 0.25:
        bar, box = split_top(box, style.row + 8)
        panels.search_row(pen, bar)
    elif box[2] - box[0] > 220 and rng.random() < 0.12:
        bar, box = split_top(box, style.row + 4)
        pen.fill(bar, style.window)
        bars.breadcrumb(pen, bar)
    return box


def panel(pen: Pen, box: Area) -> None:
    """Fill an area with one panel that fits."""
    fitting = [(p, w) for p, w, x, y in _PANELS if box[2] - box[0] >= x and box[3] - box[1] >= y]
    if not fitting:
        bars.palette(pen, box)
        return
    pen.rng.choices([p for p, _ in fitting], [w for _, w in fitting])[0](pen, box)


def window(pen: Pen, box: Area, framed: bool = True) -> None:
    """Draw a program's window: title, menus, tools, content, status."""
    rng, style = pen.rng, pen.style
    pen.cover(box)
    pen.fill(box, style.window)
    content = box
    name = (
        drawn_words.title(rng)
        if rng.random() < 0.5
        else f"{drawn_words.file_name(rng)} - {drawn_words.made_up(rng).capitalize()}"
    )
    if framed:
        bar, content = split_top(content, max(20, style.size + rng.choice((10, 14, 18, 26))))
        bars.title_bar(pen, bar, name)
    places: list[Area] = []
    opened = -1
    if rng.random() < 0.65:
        bar, content = split_top(content, style.size + rng.choice((8, 10, 14)))
        titles = drawn_words.menu_bar(rng, rng.randint(3, 10))
        opened = rng.randrange(len(titles)) if rng.random() < 0.35 else -1
        places = bars.menu_bar(pen, bar, titles, opened)
    for _ in range(rng.choice((0, 0, 1, 1, 1, 1, 2, 2, 3))):
        bar, content = split_top(content, style.icon + rng.choice((8, 12, 16, style.size + 16)))
        bars.tool_bar(pen, bar, rng.choice(("", "Toolbar", drawn_words.title(rng))))
    if rng.random() < 0.12:
        bar, content = split_top(content, 3 * style.icon + style.size + 26)
        ribbon(pen, bar)
    if rng.random() < 0.55:
        bar, content = split_bottom(content, style.size + rng.choice((8, 12)))
        bars.status_bar(pen, bar)
    if rng.random() < 0.25 and content[2] - content[0] > 300:
        part, content = rng.choice((split_left, split_right))(content, rng.randint(1, 3) * (style.icon + 10) + 8)
        bars.palette(pen, part, rng.choice(("Toolbox", "Tools", "")))
    fill(pen, content)
    if framed:
        pen.frame(box, style.border)
    if 0 <= opened < len(places):
        menu(pen, places[opened][0], places[opened][3])


def ribbon(pen: Pen, box: Area) -> None:
    """Draw groups of large and small buttons with the groups' names below."""
    rng, style = pen.rng, pen.style
    bars.ground(pen, box)
    x = box[0] + 4
    while x < box[2] - 90:
        name, start, size = drawn_words.title(rng), x, max(9, style.size - 2)
        bottom = box[3] - size - 6
        with pen.section(name):
            for _ in range(rng.randint(0, 2)):
                text, icon = pen.item(1.0)
                icon = icon or pen.pick()
                side = min(32, bottom - box[1] - style.size - 10)
                width = max(side + 10, pen.length(text, size) + 8)
                if x + width < box[2]:
                    spot = (x, box[1] + 2, x + width, bottom)
                    pen.icon((x + x + width - side) // 2, box[1] + 5, side, icon)
                    pen.text((x, box[1] + side + 6, x + width, bottom), text, "center", size=size)
                    pen.add(spot, text, "button", "text", icon)
                    x += width
            step = (bottom - box[1] - 4) // 3
            side = min(style.icon, step - 2, 16)
            for _ in range(rng.randint(1, 4)):
                for row in range(3):
                    spot = (x, box[1] + 3 + row * step, x + side + 8, box[1] + 3 + (row + 1) * step)
                    if spot[2] < box[2] - 2 and side > 8:
                        icon_button(pen, spot, pen.pick(), side=side)
                x += side + 10
        pen.text((start, bottom, x, box[3] - 1), name, "center", style.muted, size)
        x += 8
        pen.line(x - 4, box[1] + 4, x - 4, box[3] - 5)


def menu(pen: Pen, left: int, top: int) -> None:
    """Draw an open menu with icons, keys, marks and arrows of further menus."""
    rng, style = pen.rng, pen.style
    lines: list[tuple[str, object] | None] = []
    for _ in range(rng.randint(5, 18)):
        lines.append(None if lines and lines[-1] and rng.random() < 0.15 else pen.item(0.55))
    height = style.row - rng.choice((0, 2))
    with_icons, with_keys = rng.random() < 0.6, rng.random() < 0.6
    widest = max((pen.length(r[0]) for r in lines if r), default=60)
    width = widest + (28 if with_icons else 12) + (pen.length("Shift+Ctrl+W") + 16 if with_keys else 30)
    total = sum(height if r else 7 for r in lines) + 6
    left, top = max(0, min(left, pen.size[0] - width - 2)), max(0, min(top, pen.size[1] - total - 2))
    box = (left, top, left + width, top + total)
    pen.cover(box)
    shadow = mix(style.border, (0, 0, 0), 0.3)
    pen.fill((left + 2, top + 2, left + width + 3, top + total + 3), shadow)
    ground = style.surface if rng.random() < 0.5 else style.window
    pen.bevel(box, ground) if style.bevel else pen.fill(box, ground, style.border, min(style.radius, 6))
    y, chosen = top + 3, rng.randrange(20)
    for number, row in enumerate(lines):
        if row is None:
            pen.line(left + 4, y + 3, left + width - 5, y + 3)
            y += 7
            continue
        text, icon = row
        spot, on, disabled = (left + 2, y, left + width - 2, y + height), number == chosen, rng.random() < 0.1
        fill_color = style.accent if on and not disabled else ground
        if on and not disabled:
            pen.fill(spot, fill_color)
        ink = style.muted if disabled else style.on_accent if fill_color == style.accent else style.text
        x, mark = left + 8, rng.random()
        if with_icons:
            side = min(16, height - 2)
            if icon is not None:
                pen.icon(x - 2, y + (height - side) // 2, side, icon, None, fill_color, disabled)  # type: ignore[arg-type]
            elif mark < 0.12:
                pen.draw.line((x, y + height // 2, x + 4, y + height // 2 + 4, x + 10, y + height // 2 - 5), ink, 2)
            x += 22
        shown = text + ("..." if rng.random() < 0.15 else "")
        pen.text((x, y, left + width - 4, y + height), shown, "left", ink)
        if rng.random() < 0.12:
            pen.arrow(left + width - 10, y + height // 2, "right", ink, 3)
        elif with_keys and rng.random() < 0.6:
            pen.text(
                (left + width // 2, y, left + width - 8, y + height),
                drawn_words.shortcut(rng),
                "right",
                mix(ink, fill_color, 0.3),
            )
        state = "disabled" if disabled else "selected" if on else ""
        pen.add(spot, text, "menuitem", "text", icon if with_icons else None, state=state)  # type: ignore[arg-type]
        y += height


def dialog(pen: Pen, box: Area) -> None:
    """Draw a dialog over whatever lies below: a question, a form, or a panel with buttons."""
    rng, style = pen.rng, pen.style
    pen.cover(box)
    pen.fill((box[0] + 3, box[1] + 3, box[2] + 4, box[3] + 4), mix(style.border, (0, 0, 0), 0.4), None, style.radius)
    pen.fill(box, style.window, style.border, style.radius)
    name = drawn_words.title(rng)
    bar, content = split_top(inset(box, 1), max(22, style.size + 14))
    bars.title_bar(pen, bar, name)
    with pen.section(name):
        buttons, content = split_bottom(inset(content, style.pad, 4), style.row + 10)
        if rng.random() < 0.4:
            lines = content
            if rng.random() < 0.7:
                part, lines = split_left(content, 60)
                icon = pen.pick(things=rng.random() < 0.6)
                pen.icon(part[0] + 6, part[1] + 8, 40, icon)
            if rng.random() < 0.7:
                lines = split_top(lines, rng.randint(1, 4) * (style.size + 7) + 10)[0]
            for y in range(lines[1] + 8, lines[3] - style.size, style.size + 7):
                pen.text((lines[0], y, lines[2], y + style.size + 6), drawn_words.sentence(rng, 7))
        elif rng.random() < 0.6:
            panels.form(pen, content, buttons=False)
        else:
            panel(pen, content)
        panels.button_row(pen, buttons)


def page(pen: Pen, box: Area) -> None:
    """Draw a page: browser rows in some cases, a head, a side list, and content below headings."""
    rng, style = pen.rng, pen.style
    pen.fill(box, style.surface)
    content = box
    if rng.random() < 0.35:
        bar, content = split_top(content, style.size + 18)
        titles = [drawn_words.title(rng) for _ in range(rng.randint(1, 6))]
        bars.tab_bar(pen, bar, titles, rng.random() < 0.7, True)
        bar, content = split_top(content, rng.randrange(34, 44))
        bars.address_bar(pen, bar)
    bar, content = split_top(content, rng.randrange(38, 62))
    bars.nav_bar(pen, bar)
    if rng.random() < 0.6 and content[2] - content[0] > 400:
        side, content = split_left(content, rng.choice((48, rng.randrange(140, 220), rng.randrange(140, 220))))
        side_bar(pen, side)
    if rng.random() < 0.5:
        line, content = split_top(content, style.row + 12)
        pen.fill(line, style.window)
        panels.heading(pen, inset(line, 8, 0), drawn_words.title(rng), rng.randrange(5))
    fill(pen, content, 0 if rng.random() < 0.7 else 1)
    if rng.random() < 0.15:
        x, y = content[2] - 70, content[3] - 70
        spot = (x, y, x + 48, y + 48)
        pen.cover(spot)
        pen.draw.ellipse((x, y, x + 47, y + 47), style.accent)
        icon_button(pen, spot, pen.find("add") or pen.pick(), side=24, ground=style.accent)


def side_bar(pen: Pen, box: Area) -> None:
    """Draw a column of icons with texts, or of icons alone when it is narrow."""
    rng, style = pen.rng, pen.style
    ground = rng.choice(
        (style.window, mix(style.window, style.text, 0.06), style.header, mix(style.accent, (0, 0, 0), 0.6))
    )
    ink = style.text if ground == style.window else ink_on(ground)
    pen.fill(box, ground)
    narrow, row = box[2] - box[0] < 90, style.row + rng.choice((6, 10, 16))
    chosen, y = rng.randrange(8), box[1] + 8
    for number in range((box[3] - y) // row):
        if not narrow and rng.random() < 0.08:
            text = drawn_words.title(rng).upper()
            pen.add(
                pen.text(
                    (box[0] + 10, y, box[2] - 4, y + row), text, "left", mix(ink, ground, 0.4), max(9, style.size - 2)
                ),
                text,
                "label",
            )
            y += row
            continue
        spot, on = (box[0] + 4, y, box[2] - 4, y + row - 2), number == chosen
        fill_color = style.accent if on else ground
        if on:
            pen.fill(spot, fill_color, None, style.radius)
        if narrow:
            icon_button(pen, spot, pen.pick(), side=min(24, row - 6, style.icon + 4), ground=fill_color, role="link")
        else:
            text, icon = pen.item(0.45)
            icon = icon or pen.pick()
            side = min(20, row - 4)
            pen.icon(spot[0] + 6, y + (row - side) // 2 - 1, side, icon, None, fill_color)
            pen.text((spot[0] + side + 14, y, spot[2] - 4, y + row - 2), text, "left", style.on_accent if on else ink)
            pen.add(spot, text, "link", "text", icon, state="selected" if on else "")
        y += row


def phone(pen: Pen, box: Area) -> None:
    """Draw a phone's screen: status line, bar of the program, content and buttons at the bottom."""
    rng, style = pen.rng, pen.style
    pen.fill(box, style.surface)
    line, content = split_top(box, 22)
    pen.fill(line, style.header)
    pen.text(inset(line, 8, 0), f"{rng.randrange(24)}:{rng.randrange(60):02d}", "left", style.on_header, 11)
    right = line[2] - 6
    for concept in ("battery", "wifi", "antenna"):
        icon = pen.find(concept)
        if icon:
            pen.icon(right - 16, line[1] + 4, 14, icon, None, style.header)
            right -= 18
    bar, content = split_top(content, 48)
    pen.fill(bar, style.header)
    back = pen.find(rng.choice(("back", "menu"))) or pen.pick()
    icon_button(pen, (bar[0] + 4, bar[1] + 4, bar[0] + 44, bar[3] - 4), back, side=24, ground=style.header)
    right = bar[2] - 4
    for _ in range(rng.randint(0, 3)):
        icon_button(pen, (right - 40, bar[1] + 4, right, bar[3] - 4), pen.pick(), side=24, ground=style.header)
        right -= 40
    text = drawn_words.title(rng)
    pen.add(
        pen.text((bar[0] + 52, bar[1], right, bar[3]), text, "left", style.on_header, style.size + 4, True),
        text,
        "heading",
    )
    bottom, content = split_bottom(content, 56)
    pen.fill(bottom, style.window)
    pen.line(bottom[0], bottom[1], bottom[2], bottom[1])
    count = rng.randint(3, 5)
    step, named, chosen = (bottom[2] - bottom[0]) // count, rng.random() < 0.6, rng.randrange(count)
    for number in range(count):
        spot = (bottom[0] + number * step, bottom[1] + 1, bottom[0] + (number + 1) * step, bottom[3])
        text, icon = pen.item(1.0)
        icon = icon or pen.pick()
        if not named:
            icon_button(
                pen,
                inset(spot, max(0, (step - 56) // 2), 2),
                icon,
                side=24,
                color=style.accent if number == chosen else None,
                role="tab",
            )
            continue
        pen.icon((spot[0] + spot[2] - 22) // 2, spot[1] + 7, 22, icon, style.accent if number == chosen else None)
        pen.text((spot[0] + 2, spot[3] - 20, spot[2] - 2, spot[3] - 4), text, "center", size=10)
        pen.add(spot, text, "tab", "text", icon, state="selected" if number == chosen else "")
    if rng.random() < 0.4:
        line, content = split_top(content, 46)
        entry(
            pen,
            inset(line, 10, 5),
            "Search",
            hint=rng.choice(("Search", "Search contacts", "Where to?")),
            icon=pen.find("search"),
        )
    if rng.random() < 0.15:
        keys, content = split_bottom(content, 170)
        scenes.keyboard(pen, keys)
    rng.choice(
        (rows.listing, rows.settings, rows.messages, panels.icon_grid, panels.cards, scenes.article, panels.form)
    )(pen, content)


def desktop(pen: Pen, box: Area) -> None:
    """Draw a desktop: wallpaper, icons, a panel or dock, and windows over it."""
    rng = pen.rng
    pen.picture(box, rng.choice((2, 3, 5))) if rng.random() < 0.6 else pen.fill(box, vivid(rng, 0.5))
    content = box
    for _ in range(rng.choice((1, 1, 2))):
        thick = rng.choice((24, 28, 34, 40, 48))
        bar, content = rng.choice((split_top, split_bottom, split_bottom, split_bottom))(content, thick)
        rng.choice((bars.task_bar, bars.task_bar, bars.dock))(pen, bar)
    if rng.random() < 0.3:
        bar, content = rng.choice((split_left, split_right))(content, rng.choice((40, 56, 68)))
        bars.dock(pen, bar)
    with pen.section("Desktop"):
        panels.icon_grid(pen, split_left(content, rng.randrange(90, 420))[0], bare=True)
    for _ in range(rng.choice((0, 1, 1, 2))):
        width = round((content[2] - content[0]) * rng.uniform(0.45, 0.85))
        height = round((content[3] - content[1]) * rng.uniform(0.45, 0.9))
        left, top = rng.randint(content[0], content[2] - width), rng.randint(content[1], content[3] - height)
        window(pen, (left, top, left + width, top + height))


def toast(pen: Pen, box: Area) -> None:
    """Draw a notice in a corner."""
    rng, style = pen.rng, pen.style
    width, height = min(box[2] - box[0] - 20, rng.randrange(200, 320)), rng.randrange(44, 90)
    left, top = rng.choice((box[0] + 10, box[2] - width - 10)), rng.choice((box[1] + 10, box[3] - height - 10))
    spot = (left, top, left + width, top + height)
    ground = rng.choice((style.window, style.surface, (40, 40, 44), vivid(rng)))
    pen.cover(spot)
    pen.fill(spot, ground, style.border, style.radius)
    ink, inner = ink_on(ground), inset(spot, 8, 4)
    with pen.section("Notification"):
        part, inner = split_right(inner, 26)
        icon_button(
            pen, (part[0], part[1], part[2], part[1] + 26), pen.find("close") or pen.pick(), side=14, ground=ground
        )
        part, inner = split_left(inner, 34)
        pen.icon(part[0], (spot[1] + spot[3]) // 2 - 12, 24, pen.pick(), None, ground)
        text = drawn_words.title(rng)
        pen.add(pen.text(split_top(inner, style.size + 8)[0], text, "left", ink, bold=True), text, "label")
        pen.text((inner[0], inner[1] + style.size + 8, inner[2], inner[3]), drawn_words.sentence(rng, 6), "left", ink)

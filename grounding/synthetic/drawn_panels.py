"""Panels of other shapes: headings, forms, rows of buttons, icon grids, cards and search rows."""

from foveate.grounding.synthetic import drawn_words
from foveate.grounding.synthetic.drawn_controls import (
    button,
    button_width,
    captioned,
    check,
    combo,
    entry,
    icon_button,
)
from foveate.grounding.synthetic.drawn_pen import Area, Pen, inset, split_bottom, split_left, split_right, split_top
from foveate.grounding.synthetic.drawn_style import mix, vivid
from foveate.grounding.synthetic.icons import Icon


def heading(pen: Pen, box: Area, text: str, tools: int = 0) -> Area:
    """Draw a panel's title with a few icon buttons at its right; returns the area below."""
    style, rng = pen.style, pen.rng
    bar, rest = split_top(box, style.size + rng.choice((8, 12, 16)))
    if rng.random() < 0.5:
        pen.fill(bar, mix(style.window, style.text, rng.choice((0.0, 0.06, 0.12))))
    inner = inset(bar, style.pad, 0)
    side = min(16, style.icon, bar[3] - bar[1] - 4)
    with pen.section(text):
        for _ in range(tools):
            part, inner = split_right(inner, side + 8)
            icon_button(pen, part, pen.pick(), side=side)
    written = pen.text(inner, text, bold=rng.random() < 0.6)
    pen.add((written[0], bar[1], written[2], bar[3]), text, "heading")
    return rest


def form(pen: Pen, box: Area, buttons: bool = True) -> None:
    """Fill an area with captions and controls, in group boxes in many cases, and often with buttons below."""
    style, rng = pen.style, pen.rng
    pen.fill(box, style.window)
    area = inset(box, style.pad + 2)
    if buttons and rng.random() < 0.55:
        buttons_area, area = split_bottom(area, style.row + 8)
        button_row(pen, buttons_area)
    columns = 2 if area[2] - area[0] > 430 and rng.random() < 0.6 else 1
    width = (area[2] - area[0]) // columns
    for column in range(columns):
        part = (area[0] + column * width, area[1], area[0] + (column + 1) * width - (10 if columns > 1 else 0), area[3])
        while part[3] - part[1] > 2 * style.row:
            height = min(part[3] - part[1], rng.randrange(3, 9) * (style.row + style.pad))
            group, part = split_top(part, height)
            _group(pen, group, grouped=rng.random() < 0.6)


def _group(pen: Pen, box: Area, grouped: bool) -> None:
    style, rng = pen.style, pen.rng
    name = drawn_words.title(rng) if grouped else ""
    inner = box
    if grouped:
        top = box[1] + style.size // 2 + 2
        if rng.random() < 0.65:
            edge = (box[0], top, box[2], box[3] - 4)
            pen.frame(edge, style.border, style.radius)
            length = pen.length(name, bold=True)
            pen.fill((box[0] + 8, box[1], box[0] + 16 + length, top + style.size // 2 + 2), style.window)
        written = pen.text((box[0] + 12, box[1], box[2], top + style.size // 2 + 2), name, bold=rng.random() < 0.6)
        pen.add(written, name, "heading")
        inner = (box[0] + 10, top + style.size // 2 + 4, box[2] - 10, box[3] - 8)
    above = rng.random() < 0.35
    caption_width = max(70, (inner[2] - inner[0]) * 2 // 5) if inner[2] - inner[0] > 190 else 80
    right_aligned = rng.random() < 0.3
    with pen.section(name):
        while inner[3] - inner[1] >= style.row + (style.size + 5 if above else 0):
            if rng.random() < 0.38:
                line, inner = split_top(inner, style.row)
                _choices(pen, line)
            else:
                label = drawn_words.caption(rng)
                shown = label + (":" if rng.random() < 0.4 else " *" if rng.random() < 0.06 else "")
                if above:
                    head, inner = split_top(inner, style.size + 5)
                    pen.text(head, shown, size=max(9, style.size - 1))
                    line, inner = split_top(inner, style.row)
                    if line[2] - line[0] > 360 and rng.random() < 0.7:
                        line = (line[0], line[1], line[0] + rng.randrange(180, 360), line[3])
                else:
                    line, inner = split_top(inner, style.row)
                    head, line = split_left(line, caption_width)
                    pen.text((head[0], head[1], head[2] - 6, head[3]), shown, "right" if right_aligned else "left")
                if line[2] - line[0] > 60:
                    captioned(pen, (line[0], line[1] + 1, min(line[2], line[0] + 420), line[3] - 1), label)
            inner = (inner[0], inner[1] + style.pad // 2 + 1, inner[2], inner[3])


def _choices(pen: Pen, line: Area) -> None:
    """Draw one box to tick, or a row of radio buttons."""
    rng = pen.rng
    if rng.random() < 0.7:
        check(pen, line, drawn_words.option(rng))
        return
    x, on = line[0], rng.randrange(3)
    for number in range(rng.randint(2, 4)):
        text = drawn_words.pick(rng, "values")
        if x + pen.length(text) + 30 > line[2]:
            break
        x = check(pen, (x, line[1], line[2], line[3]), text, radio=True, on=number == on) + 14


def button_row(pen: Pen, box: Area) -> None:
    """Draw the buttons below a form or a dialog."""
    rng = pen.rng
    texts = rng.choice(
        (
            ["OK", "Cancel"],
            ["Cancel", "OK"],
            ["Yes", "No"],
            ["Save", "Discard", "Cancel"],
            ["Close"],
            ["OK", "Cancel", "Apply"],
            ["Back", "Next", "Cancel"],
            ["Help", "OK", "Cancel"],
            ["Submit"],
            ["Save changes", "Reset"],
            None,
        )
    )
    texts = texts or [drawn_words.label(rng, pen.domain) for _ in range(rng.randint(1, 3))]
    icons, first = rng.random() < 0.2, rng.choice((0, len(texts) - 1, 99))
    left_aligned = rng.random() < 0.35
    widths = [max(button_width(pen, t, pen.pick() if icons else None), rng.choice((0, 70))) for t in texts]
    x = box[0] if left_aligned else max(box[0], box[2] - sum(widths) - 6 * (len(texts) - 1))
    for number, (text, width) in enumerate(zip(texts, widths, strict=True)):
        if x + width > box[2] + 2:
            break
        button(pen, (x, box[1] + 3, x + width, box[3] - 2), text, number == first, pen.pick() if icons else None)
        x += width + 6


def icon_grid(pen: Pen, box: Area, bare: bool = False) -> None:
    """Fill an area with icons over their names: files, programs or settings."""
    style, rng = pen.style, pen.rng
    if not bare:
        pen.fill(box, style.surface)
    side = rng.choice((24, 32, 32, 48, 48, 64))
    width, height = side + rng.choice((30, 44, 60)), side + style.size + rng.choice((16, 22, 30))
    kind = rng.choice(("files", "programs", "settings", "none"))
    chosen = rng.randrange(30)
    folder = pen.find("folder") or pen.pick(things=True)
    columns = max(1, (box[2] - box[0] - 8) // width)
    total = columns * ((box[3] - box[1] - 6) // height)
    for number in range(total if rng.random() < 0.7 else max(1, total * 2 // 3)):
        x, y = box[0] + 4 + number % columns * width, box[1] + 6 + number // columns * height
        spot, on = (x + 2, y, x + width - 2, y + height - 4), number == chosen
        fill = mix(style.surface, style.accent, 0.3) if on else style.surface
        if on:
            pen.fill(spot, fill, style.accent, style.radius)
        icon = folder if kind == "files" and rng.random() < 0.4 else pen.pick(things=kind in ("files", "programs"))
        text = drawn_words.folder_name(rng) if icon is folder else drawn_words.file_name(rng)
        if kind == "programs" or kind == "settings":
            text = icon.name(rng) if icon.concept else drawn_words.title(rng)
        pen.icon(x + (width - side) // 2, y + 4, side, icon, None, fill)
        if kind == "none" and rng.random() < 0.85:
            pen.add(
                (x + (width - side) // 2 - 2, y + 2, x + (width + side) // 2 + 2, y + side + 6),
                icon.name(rng),
                "image",
                "icon",
                icon,
            )
            continue
        white = (255, 255, 255) if bare else None
        pen.text(
            (x + 3, y + side + 5, x + width - 3, y + side + style.size + 11), text, "center", white, min(style.size, 13)
        )
        pen.add(spot, text, "listitem", "text", icon, state="selected" if on else "")


def cards(pen: Pen, box: Area) -> None:
    """Fill an area with cards: products, numbers or articles with pictures and buttons."""
    style, rng = pen.style, pen.rng
    pen.fill(box, mix(style.window, style.text, 0.04))
    columns = max(1, (box[2] - box[0]) // rng.randrange(140, 260))
    width, height = (box[2] - box[0] - 8) // columns, rng.randrange(90, 230)
    kind = rng.choice(("product", "number", "tool")) if height > 120 else rng.choice(("number", "tool"))
    ends = [pen.pick(known=0.95) for _ in range(rng.randint(1, 4))]
    for y in range(box[1] + 6, box[3] - height // 2, height):
        for column in range(columns):
            card = (
                box[0] + 6 + column * width,
                y,
                box[0] + column * width + width - 2,
                min(y + height - 8, box[3] - 2),
            )
            pen.fill(card, style.surface, style.border if rng.random() < 0.7 else None, style.radius)
            _card(pen, inset(card, 8), kind, ends)


def _card(pen: Pen, box: Area, kind: str, ends: list[Icon]) -> None:
    style, rng = pen.style, pen.rng
    name = (
        drawn_words.label(rng, pen.domain)
        if kind != "product"
        else f"{drawn_words.made_up(rng).capitalize()} {drawn_words.pick(rng, 'nouns')}"
    )
    if box[3] - box[1] < 30 or box[2] - box[0] < 60:
        return
    if kind == "product" and box[3] - box[1] > 90:
        shown, box = split_top(box, (box[3] - box[1]) // 2)
        pen.picture(shown, rng.choice((3, 6, 12)))
        pen.add(shown, name, "image", "icon")
    elif kind == "number" and rng.random() < 0.7:
        side = min(40, box[3] - box[1])
        part, box = split_left(box, side + 8)
        icon = pen.pick()
        color = vivid(rng)
        pen.fill((part[0], part[1], part[0] + side, part[1] + side), color, None, style.radius)
        pen.icon(part[0] + side // 4, part[1] + side // 4, side // 2, icon, None, color)
    line, rest = split_top(box, style.size + 8)
    written = pen.text(line, name, bold=rng.random() < 0.6)
    pen.add(written, name, rng.choice(("link", "heading")))
    tools, rest = split_bottom(rest, min(rest[3] - rest[1], style.icon + 10))
    if rest[3] - rest[1] > style.size:
        second = (
            drawn_words.money(rng)
            if kind == "product"
            else drawn_words.number(rng)
            if kind == "number"
            else drawn_words.sentence(rng, 6)
        )
        pen.text(split_top(rest, style.size + 8)[0], second, "left", style.muted)
    if rng.random() < 0.4 and tools[3] - tools[1] > 15:
        text = rng.choice(("Add to cart", "Details", "Open", "Buy now", "View", "Edit", drawn_words.label(rng)))
        width = button_width(pen, text)
        if width + 40 < tools[2] - tools[0]:
            button(pen, (tools[0], tools[1], tools[0] + width, tools[3]), text, rng.random() < 0.6, row=name)
            tools = (tools[0] + width + 4, tools[1], tools[2], tools[3])
    for icon in ends:
        part, tools = split_right(tools, style.icon + 8)
        if part[2] - part[0] > style.icon + 4 and tools[2] > tools[0]:
            icon_button(pen, part, icon, ground=style.surface, row=name)


def search_row(pen: Pen, box: Area) -> None:
    """Draw a row above a list: a search field, a choice and icon buttons."""
    style, rng = pen.style, pen.rng
    pen.fill(box, style.window)
    inner = inset(box, 4, 3)
    for _ in range(rng.randint(0, 4)):
        part, inner = split_right(inner, inner[3] - inner[1] + 4)
        icon_button(pen, part, pen.pick(), rng.random() < 0.3, min(style.icon, 20))
    if inner[2] - inner[0] > 260 and rng.random() < 0.5:
        part, inner = split_right(inner, 110)
        combo(
            pen, inset(part, 3, 0), rng.choice(("Filter", "Sort by", "Status", "View")), drawn_words.pick(rng, "values")
        )
    if inner[2] - inner[0] > 60:
        entry(
            pen,
            inner,
            "Search",
            hint=rng.choice(("Search", "Filter", "Search...", "Find in list", "Quick filter")),
            icon=pen.find("search"),
        )

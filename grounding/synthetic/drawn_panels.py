"""Panels that fill an area with rows and columns: trees, lists, tables, forms, icon grids, messages, settings, cards."""

from foveate.grounding.synthetic import drawn_words
from foveate.grounding.synthetic.drawn_controls import (
    avatar,
    button,
    button_width,
    captioned,
    check,
    combo,
    entry,
    icon_button,
    icon_is_coloured,
    mark_sign,
    slider,
    switch,
)
from foveate.grounding.synthetic.drawn_pen import Area, Pen, inset, split_bottom, split_left, split_right, split_top
from foveate.grounding.synthetic.drawn_style import mix, vivid


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


def tree(pen: Pen, box: Area) -> None:
    """Fill an area with a tree of folders or objects."""
    style, rng = pen.style, pen.rng
    pen.fill(box, style.surface, style.border if rng.random() < 0.4 else None)
    depth, y, arrows = 0, box[1] + 3, rng.random() < 0.7
    icons, names = rng.random() < 0.8, rng.choice((drawn_words.folder_name, drawn_words.file_name, drawn_words.title))
    folder, leaf = pen.find("folder") or pen.pick(things=True), pen.pick(things=True)
    chosen = rng.randrange(12)
    for number in range((box[3] - y) // style.row):
        if rng.random() < 0.06 and number > 4:
            break
        spot, has_children = (box[0] + 1, y, box[2] - 1, y + style.row), rng.random() < 0.4
        x = box[0] + 6 + depth * rng.choice((14, 16, 16))
        on = number == chosen
        fill = style.accent if on else style.surface
        if on:
            pen.fill(spot, fill)
        ink, text = style.on_accent if on else style.text, names(rng)
        opened = has_children and rng.random() < 0.6
        if arrows:
            if has_children:
                pen.arrow(x + 5, y + style.row // 2, "down" if opened else "right", ink, 3)
                if rng.random() < 0.5:
                    name = "Collapse" if opened else "Expand"
                    pen.add((x - 2, y, x + 13, y + style.row), name, "button", "icon", row=text)
            x += 15
        icon = None
        if icons:
            icon = rng.choice((folder if has_children else leaf, pen.pick(things=True)))
            side = min(16, style.row - 2)
            pen.icon(x, y + (style.row - side) // 2, side, icon, None, fill)
            x += side + 5
        written = pen.text((x, y, box[2] - 4, y + style.row), text, "left", ink)
        state = "selected" if on else "expanded" if opened else ""
        if written[2] > written[0]:
            whole = rng.random() < 0.6
            area = (box[0] + 1, y, box[2] - 1, y + style.row) if whole else (x - 22, y, written[2] + 3, y + style.row)
            pen.add(area, text, "treeitem", state=state)
        depth = min(4, depth + 1) if opened else max(0, depth - rng.choice((0, 0, 0, 1, 2)))
        y += style.row


def listing(pen: Pen, box: Area, plain: bool = False) -> None:
    """Fill an area with rows of an icon, a text, sometimes a second line, and small buttons at the end."""
    style, rng = pen.style, pen.rng
    if not plain:
        pen.fill(box, style.surface, style.border if rng.random() < 0.4 else None, style.radius)
    double = rng.random() < 0.35
    row = style.row + (style.size + 8 if double else rng.choice((0, 0, 6, 10)))
    side = min(row - 4, rng.choice((16, 20, 24, 32)) if not double else rng.choice((24, 32, 36)))
    lead = rng.choices(("icon", "avatar", "check", "none"), (0.55, 0.15, 0.12, 0.18))[0]
    ends = [pen.pick() for _ in range(rng.choice((0, 0, 0, 0, 1, 2)))]
    badge, lines = rng.random() < 0.25, rng.random() < 0.4
    names = rng.choice(
        (drawn_words.label, drawn_words.title, drawn_words.file_name, drawn_words.person, drawn_words.city)
    )
    chosen, y = rng.randrange(15), box[1] + rng.choice((0, 2, 6))
    for number in range((box[3] - y) // row):
        spot, text, on = (box[0] + 1, y, box[2] - 1, y + row), names(rng), number == chosen
        fill = mix(style.surface, style.accent, rng.choice((0.15, 1.0))) if on else style.surface
        if on:
            pen.fill(spot, fill)
        ink = style.on_accent if fill == style.accent else style.text
        inner, icon = inset(spot, style.pad + 2, 0), None
        if lead != "none":
            part, inner = split_left(inner, side + 8)
            top = y + (row - side) // 2
            if lead == "icon":
                icon = pen.pick(things=rng.random() < 0.5)
                color = None if icon_is_coloured(pen, icon) or rng.random() < 0.7 else ink
                pen.icon(part[0], top, side, icon, color, fill)
            elif lead == "avatar":
                avatar(pen, part[0], top, side, text)
            else:
                mark = (part[0], y + row // 2 - 7, part[0] + 14, y + row // 2 + 7)
                mark_sign(pen, mark, False, rng.random() < 0.3)
                pen.add(inset(mark, -1), "Select", "checkbox", "icon", row=text)
        for end in ends:
            part, inner = split_right(inner, max(22, style.icon + 4))
            icon_button(
                pen, (part[0], y + 2, part[2], y + row - 2), end, side=min(style.icon, 18), ground=fill, row=text
            )
        if badge and rng.random() < 0.5:
            part, inner = split_right(inner, 30)
            pen.text(part, str(rng.randrange(1, 200)), "right", style.muted)
        upper = (inner[0], y, inner[2], y + row // 2 + 2) if double else (inner[0], y, inner[2], y + row)
        written = pen.text(upper, text, "left", ink, bold=double and rng.random() < 0.4)
        if double:
            second = (inner[0], y + row // 2, inner[2], y + row - 2)
            pen.text(second, drawn_words.sentence(rng, 5), "left", mix(ink, fill, 0.4), max(9, style.size - 1))
        if icon and icon.concept and rng.random() < 0.1 and not ends:
            pen.add((spot[0] + 4, y, spot[0] + side + 14, y + row), icon.name(rng), "image", "icon", icon, row=text)
        if written[2] > written[0]:
            pen.add((spot[0], y, inner[2], y + row), text, "listitem", state="selected" if on else "")
        y += row
        if lines:
            pen.line(box[0] + 2, y - 1, box[2] - 3, y - 1, mix(style.border, style.surface, 0.5))


def table(pen: Pen, box: Area) -> None:
    """Fill an area with a table that has headers, and in many cases boxes to tick and buttons in every row."""
    style, rng = pen.style, pen.rng
    pen.fill(box, style.surface, style.border if rng.random() < 0.6 else None)
    kinds = (drawn_words.person, drawn_words.file_name, drawn_words.date, drawn_words.money, drawn_words.number,
             drawn_words.value, drawn_words.city, drawn_words.email, drawn_words.label)  # fmt: skip
    count = max(2, min(7, (box[2] - box[0]) // rng.randrange(85, 150)))
    columns = [rng.choice(kinds[:2]), *(rng.choice(kinds) for _ in range(count - 1))]
    ticks = 24 if rng.random() < 0.3 else 0
    actions = [pen.pick(known=0.95) for _ in range(rng.choice((0, 0, 0, 1, 2, 3)))]
    step = rng.choice((20, 24, 28))
    room = box[2] - box[0] - ticks - len(actions) * step - 8
    weights = [rng.uniform(0.7, 1.6) for _ in columns]
    edges = [box[0] + ticks + 4]
    for weight in weights:
        edges.append(edges[-1] + round(room * weight / sum(weights)))
    row = style.row + rng.choice((0, 2, 6))
    head, rest = split_top(box, row)
    pen.fill(inset(head, 1), mix(style.window, style.text, rng.choice((0.02, 0.08, 0.14))))
    sorted_by = rng.randrange(count * 2)
    for number, (left, right) in enumerate(zip(edges, edges[1:], strict=False)):
        text = drawn_words.caption(rng)
        pen.text((left + 4, head[1], right - 14, head[3]), text, bold=rng.random() < 0.5)
        if number == sorted_by:
            pen.arrow(right - 8, (head[1] + head[3]) // 2, rng.choice(("up", "down")), size=3)
        pen.add((left, head[1], right, head[3]), text, "heading")
        if style.bevel or rng.random() < 0.3:
            pen.line(right, head[1] + 1, right, head[3] - 1)
    if actions and rng.random() < 0.5:
        pen.text((edges[-1] + 4, head[1], box[2] - 2, head[3]), "Actions")
    stripes, lines, chosen = rng.random() < 0.4, rng.random() < 0.6, rng.randrange(20)
    for number in range((rest[3] - rest[1]) // row):
        y, on = rest[1] + number * row, number == chosen
        fill = style.accent if on else mix(style.surface, style.text, 0.05) if stripes and number % 2 else style.surface
        pen.fill((box[0] + 1, y, box[2] - 1, y + row), fill)
        ink = style.on_accent if on else style.text
        key = ""
        for place, (left, right) in enumerate(zip(edges, edges[1:], strict=False)):
            text = columns[place](rng)
            key = key or text
            numeric = columns[place] in (drawn_words.money, drawn_words.number)
            x = left + 4
            if place == 0 and columns[0] is drawn_words.file_name and row >= 18:
                icon = pen.pick(things=True)
                pen.icon(x, y + (row - 16) // 2, 16, icon, None, fill)
                x += 21
            pen.text((x, y, right - 4, y + row), text, "right" if numeric else "left", ink)
            pen.add((left, y, right, y + row), text, "cell", row=key if place else "", state="selected" if on else "")
        if ticks:
            mark = (box[0] + 7, y + row // 2 - 7, box[0] + 21, y + row // 2 + 7)
            mark_sign(pen, mark, False, rng.random() < 0.2)
            pen.add(inset(mark, -1), "Select row", "checkbox", "icon", row=key)
        for place, icon in enumerate(actions):
            spot = (edges[-1] + 4 + place * step, y + 1, edges[-1] + 4 + (place + 1) * step, y + row - 1)
            icon_button(pen, spot, icon, side=min(16, row - 4), ground=fill, row=key)
        if lines:
            pen.line(box[0] + 1, y + row - 1, box[2] - 2, y + row - 1, mix(style.border, style.surface, 0.4))


def form(pen: Pen, box: Area) -> None:
    """Fill an area with captions and controls, in group boxes in many cases, and buttons below."""
    style, rng = pen.style, pen.rng
    pen.fill(box, style.window)
    area = inset(box, style.pad + 2)
    if rng.random() < 0.55:
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
    texts = rng.choice((["OK", "Cancel"], ["Cancel", "OK"], ["Yes", "No"], ["Save", "Discard", "Cancel"], ["Close"], ["OK", "Cancel", "Apply"],
                        ["Back", "Next", "Cancel"], ["Help", "OK", "Cancel"], ["Submit"], ["Save changes", "Reset"], None))  # fmt: skip
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


def messages(pen: Pen, box: Area) -> None:
    """Fill an area with mails or a chat."""
    style, rng = pen.style, pen.rng
    pen.fill(box, style.surface)
    height = 2 * style.size + rng.choice((14, 20, 26))
    side = min(height - 10, 40)
    marks = [pen.find(c) for c in ("star", "attach", "flag", "trash", "archive", "reply")]
    ends = [m or pen.pick() for m in rng.sample(marks, rng.randint(0, 3))]
    for y in range(box[1], box[3] - height, height):
        name, fill = drawn_words.person(rng), style.surface
        if rng.random() < 0.12:
            fill = mix(style.surface, style.accent, 0.2)
            pen.fill((box[0], y, box[2], y + height), fill)
        avatar(pen, box[0] + 8, y + (height - side) // 2, side, name)
        inner = (box[0] + side + 16, y + 3, box[2] - 8, y + height - 3)
        when, rest = split_right(inner, 80)
        pen.text(
            (when[0], y + 3, when[2], y + height // 2),
            drawn_words.date(rng),
            "right",
            style.muted,
            max(9, style.size - 2),
        )
        for place, icon in enumerate(ends):
            x = box[2] - 8 - (place + 1) * 24
            icon_button(
                pen, (x, y + height // 2, x + 24, y + height - 2), icon, side=min(16, style.icon), ground=fill, row=name
            )
        unread = rng.random() < 0.4
        pen.text((rest[0], y + 2, rest[2] - 4, y + height // 2 + 1), name, bold=unread)
        subject = drawn_words.sentence(rng, rng.randint(3, 9))
        pen.text((rest[0], y + height // 2 - 1, rest[2] - 4, y + height - 3), subject, "left", style.muted)
        pen.add((box[0], y, rest[2], y + height), name, "listitem", row=subject)
        pen.line(box[0], y + height - 1, box[2], y + height - 1, mix(style.border, style.surface, 0.6))


def settings(pen: Pen, box: Area) -> None:
    """Fill an area with settings: a text at the left and a switch, a choice or a slider at the right."""
    style, rng = pen.style, pen.rng
    pen.fill(box, style.window)
    area, height = inset(box, style.pad), style.row + rng.choice((6, 12, 20))
    lead = rng.random() < 0.5
    with pen.section(drawn_words.title(rng) if rng.random() < 0.5 else ""):
        for y in range(area[1], area[3] - height, height + 1):
            text, line = drawn_words.option(rng), (area[0], y, area[2], y + height)
            pen.fill(line, style.surface)
            inner = inset(line, 8, 0)
            if lead:
                part, inner = split_left(inner, 28)
                pen.icon(part[0], y + (height - 20) // 2, 20, pen.pick(things=rng.random() < 0.3), None, style.surface)
            pen.text((inner[0], y, inner[2] - 130, y + height), text)
            middle, roll = y + height // 2, rng.random()
            if roll < 0.55:
                switch(pen, (inner[2] - 36, middle - 9, inner[2], middle + 9), text)
            elif roll < 0.7:
                combo(pen, (inner[2] - 120, middle - 12, inner[2], middle + 12), text, drawn_words.pick(rng, "values"))
            elif roll < 0.8:
                slider(pen, (inner[2] - 120, y, inner[2], y + height), text)
            elif roll < 0.9:
                icon_button(
                    pen,
                    (inner[2] - 28, middle - 12, inner[2], middle + 12),
                    pen.pick(),
                    side=16,
                    ground=style.surface,
                    row=text,
                )
            else:
                pen.arrow(inner[2] - 8, middle, "right", style.muted)
                pen.add(line, text, "listitem")
            if rng.random() < 0.4:
                pen.line(line[0], y + height, line[2], y + height)


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


def _card(pen: Pen, box: Area, kind: str, ends: list) -> None:
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

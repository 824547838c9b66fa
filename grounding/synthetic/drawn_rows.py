"""Panels of rows: trees, lists, tables, messages and settings."""

from itertools import pairwise

from foveate.grounding.synthetic import drawn_words
from foveate.grounding.synthetic.drawn_controls import (
    avatar,
    combo,
    icon_button,
    icon_is_coloured,
    mark_sign,
    slider,
    switch,
)
from foveate.grounding.synthetic.drawn_pen import Area, Pen, inset, split_left, split_right, split_top
from foveate.grounding.synthetic.drawn_style import mix


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
    kinds = (
        drawn_words.person,
        drawn_words.file_name,
        drawn_words.date,
        drawn_words.money,
        drawn_words.number,
        drawn_words.value,
        drawn_words.city,
        drawn_words.email,
        drawn_words.label,
    )
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
    for number, (left, right) in enumerate(pairwise(edges)):
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
        for place, (left, right) in enumerate(pairwise(edges)):
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

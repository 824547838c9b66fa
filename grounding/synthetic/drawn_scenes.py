"""Panels with a shape of their own: calendars, calculators, players, code, maps, charts, articles and the like."""

import math

from foveate.grounding.synthetic import drawn_words
from foveate.grounding.synthetic.drawn_bars import pagination
from foveate.grounding.synthetic.drawn_controls import avatar, button, check, entry, face, icon_button, slider
from foveate.grounding.synthetic.drawn_pen import Area, Pen, inset, split_bottom, split_left, split_right, split_top
from foveate.grounding.synthetic.drawn_style import ink_on, mix, tinted_grey, vivid

_COLOURS = {
    "Black": (0, 0, 0),
    "White": (255, 255, 255),
    "Red": (255, 0, 0),
    "Green": (0, 160, 0),
    "Blue": (0, 0, 255),
    "Yellow": (255, 240, 0),
    "Orange": (255, 150, 0),
    "Purple": (128, 0, 128),
    "Pink": (255, 150, 190),
    "Brown": (130, 70, 20),
    "Grey": (128, 128, 128),
    "Cyan": (0, 220, 220),
    "Magenta": (255, 0, 255),
    "Navy": (0, 0, 100),
    "Lime": (120, 255, 0),
    "Maroon": (120, 0, 0),
}


def calendar(pen: Pen, box: Area) -> None:
    """Draw a month with arrows to turn pages, and events when there is room."""
    style, rng = pen.style, pen.rng
    pen.fill(box, style.surface)
    head, body = split_top(box, style.row + 6)
    text = f"{drawn_words.month(rng)} {rng.randint(1998, 2030)}"
    for title, side in (("Previous month", "left"), ("Next month", "right")):
        part = split_left(head, 26)[0] if side == "left" else split_right(head, 26)[0]
        pen.arrow((part[0] + part[2]) // 2, (part[1] + part[3]) // 2, side)
        pen.add(part, title, "button", "icon")
    pen.add(pen.text(inset(head, 28, 0), text, "center", bold=True), text, "heading")
    step, row = (body[2] - body[0]) // 7, (body[3] - body[1]) // 7
    if step < 18 or row < style.size + 2:
        return
    days = drawn_words.weekdays(3 if step > 34 else 2 if step > 22 else 1)
    first, today, roomy = rng.randrange(7), rng.randrange(31), row > 44 and step > 60
    for column, name in enumerate(days):
        pen.text(
            (body[0] + column * step, body[1], body[0] + (column + 1) * step, body[1] + row),
            name,
            "center",
            style.muted,
        )
    for day in range(rng.choice((28, 30, 31))):
        x, y = body[0] + (first + day) % 7 * step, body[1] + (1 + (first + day) // 7) * row
        spot, number = (x, y, x + step, y + row), str(day + 1)
        if roomy:
            pen.frame((x, y, x + step + 1, y + row + 1), mix(style.border, style.surface, 0.4))
            pen.text((x + 4, y + 2, x + step - 4, y + style.size + 6), number, rng.choice(("left", "left", "right")))
            if rng.random() < 0.3:
                event = (x + 2, y + style.size + 8, x + step - 2, y + 2 * style.size + 13)
                color, what = vivid(rng), drawn_words.label(rng)
                if event[3] < y + row:
                    pen.fill(event, color, None, min(style.radius, 4))
                    pen.text(inset(event, 3, 0), what, "left", ink_on(color), max(9, style.size - 2))
                    pen.add(event, what, "button", row=f"{number} {text}")
        else:
            if day == today:
                pen.fill(inset(spot, 2), style.accent, None, min(style.radius, row // 2))
            pen.text(spot, number, "center", style.on_accent if day == today else None)
        pen.add(spot, number, "cell", state="selected" if day == today else "")


def calculator(pen: Pen, box: Area) -> None:
    """Draw a number pad with a display."""
    style, rng = pen.style, pen.rng
    pen.fill(box, style.window)
    display, body = split_top(inset(box, 4), max(style.row + 8, (box[3] - box[1]) // 6))
    pen.fill(display, style.surface, style.border)
    pen.text(inset(display, 6, 0), drawn_words.number(rng), "right", size=min(24, display[3] - display[1] - 4))
    plain = ["7", "8", "9", "÷", "4", "5", "6", "\u00d7", "1", "2", "3", "-", "0", ".", "=", "+"]
    science = ["sin", "cos", "tan", "√", "ln", "log", "x²", "(", ")", "π", "MC", "MR", "M+", "CE", "C", "%"]
    columns = 4 if body[2] - body[0] < 320 or rng.random() < 0.5 else 6
    keys = plain if columns == 4 else rng.sample(science, 8) + plain
    if columns == 4 and rng.random() < 0.6:
        keys = [*rng.sample(science, 4), *keys]
    rows = math.ceil(len(keys) / columns)
    width, height = (body[2] - body[0]) // columns, min(64, (body[3] - body[1] - 4) // rows)
    if height < 16:
        return
    names = {
        "÷": "Divide",
        "\u00d7": "Multiply",
        "-": "Subtract",
        "+": "Add",
        "=": "Equals",
        "√": "Square root",
        "%": "Percent",
        "C": "Clear",
    }
    for number, key in enumerate(keys):
        x, y = body[0] + number % columns * width, body[1] + 4 + number // columns * height
        spot = (x + 1, y + 1, x + width - 1, y + height - 1)
        fill = style.accent if key == "=" else mix(style.button, style.text, 0.0 if key.isdigit() else 0.1)
        face(pen, spot, fill)
        pen.text(spot, key, "center", ink_on(fill), min(style.size + 3, height - 6))
        pen.add(spot, names.get(key, key) if rng.random() < 0.7 else key, "button", "icon" if key in names else "text")


def player(pen: Pen, box: Area) -> None:
    """Draw the controls of a music or film player, with a picture above when there is room."""
    style, rng = pen.style, pen.rng
    ground = style.window if rng.random() < 0.6 else tinted_grey(rng, rng.randrange(10, 50), 0.4)
    pen.fill(box, ground)
    bar, rest = split_bottom(box, 64)
    if rest[3] - rest[1] > 60:
        pen.picture(inset(rest, rng.choice((0, 12))), rng.choice((4, 8, 16)))
    ink = style.text if ground == style.window else ink_on(ground)
    line, tools = split_top(bar, 22)
    for text, align in (
        (f"{rng.randrange(9)}:{rng.randrange(60):02d}", "left"),
        (f"{rng.randint(9, 20)}:{rng.randrange(60):02d}", "right"),
    ):
        pen.text(inset(line, 8, 0), text, align, ink)
    slider(pen, (line[0] + 52, line[1], line[2] - 52, line[3]), rng.choice(("Seek", "Position", "Progress")))
    concepts = [
        "shuffle",
        "previous_track",
        "seek_back",
        "play",
        "pause",
        "stop",
        "seek_forward",
        "next_track",
        "repeat",
        "record",
    ]
    shown = [c for c in concepts if rng.random() < 0.7][: max(1, (tools[2] - tools[0]) // 34)]
    step, side = 34, rng.choice((16, 20, 24))
    x = (tools[0] + tools[2] - len(shown) * step) // 2 if rng.random() < 0.6 else tools[0] + 8
    for concept in shown:
        icon = pen.find(concept) or pen.pick()
        icon_button(pen, (x, tools[1] + 2, x + step, tools[3] - 2), icon, False, side, ground)
        x += step
    right = tools[2] - 6
    for concept in ("fullscreen", "volume", "equalizer", "playlist", "subtitles", "cast_screen"):
        if right - x > 70 and rng.random() < 0.6:
            icon_button(
                pen,
                (right - 28, tools[1] + 2, right, tools[3] - 2),
                pen.find(concept) or pen.pick(),
                False,
                min(side, 20),
                ground,
            )
            right -= 30


def sign_in(pen: Pen, box: Area) -> None:
    """Draw a box to sign in or to register."""
    style, rng = pen.style, pen.rng
    pen.fill(box, mix(style.window, style.text, 0.06))
    width, height = min(box[2] - box[0] - 8, rng.randrange(220, 360)), min(box[3] - box[1] - 8, rng.randrange(260, 400))
    left, top = (box[0] + box[2] - width) // 2, (box[1] + box[3] - height) // 2
    card = (left, top, left + width, top + height)
    pen.fill(card, style.surface, style.border, style.radius)
    title = rng.choice(("Sign in", "Log in", "Welcome back", "Create account", "Register", "Reset password"))
    head, body = split_top(inset(card, 16, 10), style.size + 22)
    pen.add(pen.text(head, title, rng.choice(("left", "center")), size=style.size + 5, bold=True), title, "heading")
    with pen.section(title):
        for label in rng.sample(
            ("Email", "Password", "Username", "Full name", "Confirm password", "Phone"), rng.randint(2, 4)
        ):
            if body[3] - body[1] < 2 * style.row + 30:
                break
            inside = rng.random() < 0.5
            if not inside:
                line, body = split_top(body, style.size + 5)
                pen.text(line, label)
            line, body = split_top(body, style.row + 4)
            hint = label if inside else ""
            entry(
                pen,
                line,
                label,
                rng.choice(("", "••••••")) if not inside else "",
                hint,
                pen.pick() if rng.random() < 0.4 else None,
            )
            body = (body[0], body[1] + 8, body[2], body[3])
        if body[3] - body[1] > 2 * style.row + 12:
            line, body = split_top(body, style.row)
            check(
                pen,
                (line[0], line[1], (line[0] + line[2]) // 2 + 20, line[3]),
                rng.choice(("Remember me", "Keep me signed in", "I agree to the terms")),
            )
        line, body = split_top(body, style.row + 6)
        button(pen, line, rng.choice((title, "Continue", "Submit", "Next")), True)
        if body[3] - body[1] > style.row + 10:
            line, body = split_top((body[0], body[1] + 6, body[2], body[3]), style.row)
            text = rng.choice(("Forgot password?", "Create an account", "Already have an account?", "Need help?"))
            pen.add(pen.text(line, text, "center", style.accent), text, "link")
        x = body[0]
        for _ in range(rng.choice((0, 3, 4))):
            if body[3] - body[1] > 34 and x + 36 < body[2]:
                icon_button(pen, (x, body[1] + 4, x + 30, body[1] + 34), pen.pick(things=True), True, 20, style.surface)
                x += 38


def code(pen: Pen, box: Area) -> None:
    """Fill an area with program text, its line numbers and colours."""
    style, rng = pen.style, pen.rng
    dark = style.dark or rng.random() < 0.4
    ground = tinted_grey(rng, rng.randrange(20, 50), 0.3) if dark else style.surface
    pen.fill(box, ground)
    ink = (215, 215, 215) if dark else (30, 30, 30)
    size = rng.choice((10, 11, 12, 13, 14))
    inks = [mix(ink, vivid(rng), 0.6) for _ in range(4)] + [ink] * 4
    gutter, body = split_left(box, 3 * size)
    number = rng.randrange(300)
    for y in range(box[1] + 2, box[3] - size - 6, round(size * 1.4)):
        number += 1
        pen.text(
            (gutter[0], y, gutter[2] - 8, y + size + 4), str(number), "right", mix(ink, ground, 0.5), size, code=True
        )
        line = drawn_words.code_line(rng)
        indent = len(line) - len(line.lstrip())
        if line:
            pen.text(
                (body[0] + indent * size // 2, y, body[2] - 4, y + size + 4),
                line.strip(),
                "left",
                rng.choice(inks),
                size,
                code=True,
            )


def terminal(pen: Pen, box: Area) -> None:
    """Fill an area with lines of a terminal."""
    rng = pen.rng
    ground = rng.choice(((0, 0, 0), (48, 10, 36), (30, 30, 30), (0, 43, 54), (253, 246, 227)))
    pen.fill(box, ground)
    ink = rng.choice((ink_on(ground), (0, 220, 60) if sum(ground) < 300 else (40, 60, 70)))
    size = rng.choice((10, 11, 12, 13))
    for y in range(box[1] + 3, box[3] - size - 6, size + 4):
        pen.text((box[0] + 4, y, box[2] - 4, y + size + 4), drawn_words.shell_line(rng), "left", ink, size, code=True)


def scenery(pen: Pen, box: Area) -> None:
    """Fill an area with a picture as image programs show: on grey ground, sometimes selected with handles."""
    style, rng = pen.style, pen.rng
    pen.fill(box, mix(style.window, (90, 90, 90), rng.random()))
    inner = inset(box, (box[2] - box[0]) * rng.randrange(0, 25) // 100, (box[3] - box[1]) * rng.randrange(0, 25) // 100)
    pen.picture(inner, rng.choice((3, 5, 9, 20, 40)))
    for _ in range(rng.randrange(12)):
        x, y = rng.randint(inner[0], inner[2]), rng.randint(inner[1], inner[3])
        spot = (x, y, min(inner[2], x + rng.randrange(4, 120)), min(inner[3], y + rng.randrange(4, 120)))
        color = vivid(rng)
        if spot[2] > spot[0] and spot[3] > spot[1]:
            rng.choice((pen.draw.ellipse, pen.draw.rectangle, lambda b, c: pen.draw.line(b, c, 3)))(spot, color)
    if rng.random() < 0.2:
        for x in (inner[0], (inner[0] + inner[2]) // 2, inner[2]):
            for y in (inner[1], (inner[1] + inner[3]) // 2, inner[3]):
                pen.fill((x - 3, y - 3, x + 4, y + 4), (255, 255, 255), (0, 0, 0))


def town_map(pen: Pen, box: Area) -> None:
    """Fill an area with streets, names and pins, and buttons to zoom."""
    style, rng = pen.style, pen.rng
    land = (238, 234, 226) if not style.dark else (38, 42, 52)
    pen.fill(box, land)
    for _ in range(rng.randrange(4, 10)):
        x, y = rng.randint(box[0], box[2]), rng.randint(box[1], box[3])
        area = (x, y, min(box[2], x + rng.randrange(30, 140)), min(box[3], y + rng.randrange(20, 110)))
        pen.fill(area, mix(land, rng.choice(((150, 200, 130), (160, 200, 240), (200, 190, 180))), 0.7))
    road = mix(land, (255, 255, 255), 0.9) if not style.dark else (70, 76, 90)
    for _ in range(rng.randrange(8, 20)):
        x, y, across = rng.randint(box[0], box[2]), rng.randint(box[1], box[3]), rng.random() < 0.5
        ends = (box[0], y, box[2] - 1, y) if across else (x, box[1], x, box[3] - 1)
        pen.draw.line(ends, road, rng.choice((2, 3, 5, 7)))
    for _ in range(rng.randrange(3, 9)):
        x, y = rng.randint(box[0], box[2]), rng.randint(box[1], max(box[1], box[3] - 20))
        text = drawn_words.city(rng)
        written = pen.text((x, y, box[2] - 4, y + 16), text, size=rng.choice((9, 10, 12)))
        if rng.random() < 0.4:
            pen.add(written, text, "label")
    x = box[2] - 34
    for place, concept in enumerate(("zoom_in", "zoom_out", "location", "layers")[: rng.randint(2, 4)]):
        spot = (x, box[1] + 8 + place * 32, x + 28, box[1] + 36 + place * 32)
        if spot[3] < box[3]:
            icon_button(pen, spot, pen.find(concept) or pen.pick(), True, 18)


def chart(pen: Pen, box: Area) -> None:
    """Fill an area with bars or a curve, with axes and a legend."""
    style, rng = pen.style, pen.rng
    pen.fill(box, style.surface, style.border if rng.random() < 0.5 else None, style.radius)
    head, body = split_top(inset(box, 8), style.size + 12)
    text = drawn_words.title(rng)
    part, head = split_right(head, 26)
    icon_button(pen, part, pen.find("more") or pen.pick(), side=16, ground=style.surface, row=text)
    pen.add(pen.text(head, text, bold=True), text, "heading")
    legend, body = split_bottom(body, style.size + 8)
    count = rng.randrange(4, 14)
    step = max(4, (body[2] - body[0]) // count)
    heights = [rng.uniform(0.1, 1.0) * (body[3] - body[1]) for _ in range(count)]
    color, last = vivid(rng), None
    for y in range(body[1], body[3], 30):
        pen.line(body[0], y, body[2], y, mix(style.border, style.surface, 0.7))
    bars = rng.random() < 0.5
    for number, height in enumerate(heights):
        x, y = body[0] + number * step, round(body[3] - height)
        if bars:
            pen.fill((x + 2, y, x + step - 2, body[3]), color)
        elif last:
            pen.draw.line((*last, x, y), color, 2)
        last = (x, y)
        pen.text(
            (x, legend[1], x + step, legend[3]),
            drawn_words.month(rng)[:3],
            "center",
            style.muted,
            max(8, style.size - 3),
        )


def article(pen: Pen, box: Area) -> None:
    """Fill an area with headings, paragraphs and links of a page or a document."""
    style, rng = pen.style, pen.rng
    pen.fill(box, style.surface)
    body = inset(box, style.pad + 8, 6)
    if body[2] - body[0] > 620:
        body = inset(body, rng.randrange(0, 120), 0)
    while body[3] - body[1] > 2 * style.size:
        roll = rng.random()
        if roll < 0.25:
            size = style.size + rng.choice((3, 6, 10))
            line, body = split_top(body, size + 12)
            text = (
                drawn_words.sentence(rng, rng.randint(2, 6)).rstrip(".!?")
                if rng.random() < 0.7
                else drawn_words.title(rng)
            )
            pen.add(pen.text(line, text, size=size, bold=rng.random() < 0.7), text, rng.choice(("heading", "link")))
        elif roll < 0.7:
            for _ in range(rng.randint(2, 5)):
                if body[3] - body[1] < style.size + 6:
                    return
                line, body = split_top(body, style.size + 6)
                pen.text(
                    (line[0], line[1], line[2], line[3]),
                    drawn_words.sentence(rng, (line[2] - line[0]) // (style.size * 3)),
                )
            body = (body[0], body[1] + 8, body[2], body[3])
        elif roll < 0.8:
            line, body = split_top(body, style.size + 10)
            text = rng.choice(("Read more", "Continue reading", drawn_words.label(rng), drawn_words.title(rng)))
            written = pen.text(line, text, "left", style.accent)
            pen.line(written[0], written[3], written[2], written[3], style.accent)
            pen.add(written, text, "link")
        elif roll < 0.86 and body[3] - body[1] > 100:
            line, body = split_top(body, rng.randrange(60, 100))
            pen.picture((line[0], line[1], min(line[2], line[0] + 260), line[3] - 6), 7)
        elif roll < 0.89 and body[2] - body[0] > 200:
            line, body = split_top(body, style.row + 8)
            pagination(pen, (line[0], line[1] + 4, line[2], line[3] - 4))
        else:
            line, body = split_top(body, style.icon + 14)
            x, name = line[0], drawn_words.person(rng)
            avatar(pen, x, line[1] + 2, style.icon + 8, name)
            x += style.icon + 16
            pen.add(pen.text((x, line[1], x + 120, line[3]), name), name, "link")
            for _ in range(rng.randint(2, 5)):
                x += style.icon + 12
                if x + 120 < line[2]:
                    icon_button(
                        pen,
                        (x + 90, line[1] + 2, x + 98 + style.icon, line[3] - 2),
                        pen.pick(),
                        ground=style.surface,
                        row=name,
                    )


def gallery(pen: Pen, box: Area) -> None:
    """Fill an area with pictures and their names, with icon buttons over some of them."""
    style, rng = pen.style, pen.rng
    pen.fill(box, style.surface)
    side = rng.randrange(80, 150)
    height = side * 3 // 4 + style.size + 10
    for y in range(box[1] + 6, box[3] - height, height + 4):
        for x in range(box[0] + 6, box[2] - side, side + 8):
            spot, text = (x, y, x + side, y + side * 3 // 4), drawn_words.file_name(rng)
            pen.picture(spot, rng.choice((2, 4, 8)))
            if rng.random() < 0.3:
                shown = (x + side - 26, y + 4, x + side - 4, y + 26)
                pen.fill(shown, style.window, None, 6)
                icon_button(pen, shown, pen.pick(), side=16, row=text)
            pen.text((x, spot[3] + 2, x + side, y + height), text, "center")
            pen.add((x, y, x + side, y + height), text, "image")


def swatches(pen: Pen, box: Area) -> None:
    """Fill an area with colours to choose from, the plain ones known by name."""
    style, rng = pen.style, pen.rng
    pen.fill(box, style.window)
    side, gap = rng.randrange(14, 30), rng.choice((0, 1, 2, 4))
    colours = list(_COLOURS.items())
    for y in range(box[1] + 4, min(box[3] - side, box[1] + 8 * side), side + gap):
        for x in range(box[0] + 4, box[2] - side, side + gap):
            spot = (x, y, x + side, y + side)
            if colours and rng.random() < 0.4:
                name, color = colours.pop(rng.randrange(len(colours)))
                pen.add(spot, name, "button", "icon")
            else:
                color = vivid(rng)
            pen.fill(spot, color, style.border if gap else None)


def keyboard(pen: Pen, box: Area) -> None:
    """Draw the keys of a screen keyboard."""
    style, rng = pen.style, pen.rng
    pen.fill(box, mix(style.window, style.text, 0.12))
    rows = ["qwertyuiop", "asdfghjkl", "zxcvbnm"] if rng.random() < 0.8 else ["1234567890", "@#$%&-+()", "*\"':;!?"]
    if rng.random() < 0.4:
        rows = [row.upper() for row in rows]
    height, width = (box[3] - box[1] - 6) // 4, (box[2] - box[0]) // 10
    if width < 12:
        return
    for number, row in enumerate(rows):
        x = (box[0] + box[2] - len(row) * width) // 2
        for letter in row:
            y = box[1] + 4 + number * height
            spot = (x + 2, y + 2, x + width - 2, y + height - 3)
            pen.fill(spot, style.button, None, min(6, style.radius))
            pen.text(spot, letter, "center", ink_on(style.button), min(20, height - 8))
            pen.add(spot, letter, "button")
            x += width
    y = box[1] + 4 + 3 * height
    for concept, left, right in (("keyboard", 0.0, 0.14), ("emoji", 0.14, 0.26), ("enter", 0.84, 1.0)):
        spot = (box[0] + round(left * 10 * width), y, box[0] + round(right * 10 * width), box[3] - 2)
        icon_button(pen, spot, pen.find(concept) or pen.pick(), side=18, ground=style.window)
    space = (box[0] + round(2.8 * width), y + 2, box[0] + round(8.2 * width), box[3] - 4)
    pen.fill(space, style.button, None, min(6, style.radius))
    pen.add(space, "Space", "button", "icon")

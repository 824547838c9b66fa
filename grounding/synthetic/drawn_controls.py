"""Single controls: buttons, fields, boxes to tick, sliders and their captions."""

from foveate.grounding.synthetic import drawn_words
from foveate.grounding.synthetic.drawn_pen import Area, Pen, inset, split_left, split_right
from foveate.grounding.synthetic.drawn_style import Color, ink_on, mix, shift, vivid
from foveate.grounding.synthetic.icons import Icon


def face(pen: Pen, box: Area, fill: Color, pressed: bool = False) -> None:
    """Paint the ground of a button."""
    style = pen.style
    if style.bevel:
        pen.bevel(box, fill, pressed)
    elif style.gradient:
        pen.shade(inset(box, 1), shift(fill, 14), shift(fill, -18))
        pen.frame(box, shift(style.border, -20), style.radius)
    elif style.family in ("material", "flat"):
        pen.fill(box, fill, None, style.radius)
    else:
        pen.fill(box, fill, style.border, style.radius)


def button_width(pen: Pen, text: str, icon: Icon | None = None) -> int:
    """Natural width of a button in pixels."""
    return pen.length(text) + 2 * pen.style.pad + 10 + (pen.style.size + 8 if icon else 0)


def button(
    pen: Pen, box: Area, text: str, primary: bool = False, icon: Icon | None = None, row: str = "", plain: bool = False
) -> None:
    """Draw a push button with a text, with an icon before it when one is given."""
    style = pen.style
    fill = style.accent if primary else style.button
    disabled = not primary and pen.rng.random() < 0.06
    ink = style.on_accent if primary else ink_on(fill) if abs(sum(fill) - sum(style.text)) < 200 else style.text
    if plain:
        fill, ink = style.window, style.accent if pen.rng.random() < 0.5 else style.text
    else:
        face(pen, box, fill)
    if disabled:
        ink = mix(ink, fill, 0.6)
    inner = inset(box, 4, 0)
    if icon:
        side = min(style.size + 4, box[3] - box[1] - 4)
        start = max(inner[0], (box[0] + box[2] - pen.length(text) - side - 5) // 2)
        pen.icon(
            start,
            (box[1] + box[3] - side) // 2,
            side,
            icon,
            None if icon_is_coloured(pen, icon) else ink,
            fill,
            disabled,
        )
        pen.text((start + side + 5, box[1], inner[2], box[3]), text, "left", ink)
    else:
        pen.text(inner, text, "center", ink, bold=pen.rng.random() < 0.08)
    pen.add(box, text, "button", "text", icon, row=row, state="disabled" if disabled else "")


def icon_is_coloured(pen: Pen, icon: Icon) -> bool:
    """Tell whether an icon brings its own colours."""
    return not pen.atlas.sets[icon.place[0]].mono


def icon_button(
    pen: Pen,
    box: Area,
    icon: Icon,
    framed: bool = False,
    side: int = 0,
    ground: Color | None = None,
    row: str = "",
    color: Color | None = None,
    role: str = "button",
) -> None:
    """Draw a button that shows only an icon.

    Args:
        pen: Paints.
        box: The button.
        icon: What it shows.
        framed: Draw the button's edge and ground.
        side: Side of the icon in pixels; default the style's.
        ground: Colour below.
        row: Row of a table it belongs to.
        color: Colour of the icon.
        role: Role of the element.
    """
    style = pen.style
    side = min(side or style.icon, box[2] - box[0], box[3] - box[1])
    if side < 8:
        return
    ground = ground or style.window
    roll = pen.rng.random()
    state = "disabled" if roll < 0.07 else "selected" if roll > 0.95 else ""
    if framed:
        face(pen, box, style.button, state == "selected")
        ground = style.button
    elif state == "selected":
        ground = mix(ground, style.accent, 0.3)
        pen.fill(box, ground, style.border, style.radius)
    x, y = (box[0] + box[2] - side) // 2, (box[1] + box[3] - side) // 2
    pen.icon(x, y, side, icon, color, ground, state == "disabled")
    pen.add(box, icon.name(pen.rng), role, "icon", icon, row=row, state=state)


def entry(pen: Pen, box: Area, label: str, text: str = "", hint: str = "", icon: Icon | None = None) -> None:
    """Draw a text field; its name stands inside only as a hint."""
    style = pen.style
    if style.bevel:
        pen.bevel(box, style.surface, sunken=True)
    elif style.family == "material" and pen.rng.random() < 0.5:
        pen.line(box[0], box[3] - 1, box[2], box[3] - 1)
    else:
        pen.fill(box, style.surface, style.border, style.radius)
    inner = inset(box, style.pad, 1)
    if icon:
        side = min(style.size + 2, box[3] - box[1] - 4)
        part, inner = split_left(inner, side + 6)
        pen.icon(part[0], (box[1] + box[3] - side) // 2, side, icon, style.muted, style.surface)
    if text or hint:
        pen.text(inner, text or hint, "left", style.text if text else style.muted)
    pen.add(box, hint or label, "field", "text" if hint and not text else "icon", label=label)


def combo(pen: Pen, box: Area, label: str, text: str) -> None:
    """Draw a box that opens a list of choices."""
    style = pen.style
    if style.bevel:
        pen.bevel(box, style.surface, sunken=True)
        knob, _ = split_right(inset(box, 2), box[3] - box[1] - 6)
        pen.bevel(knob, style.window)
    else:
        face(pen, box, style.button if pen.rng.random() < 0.6 else style.surface)
        knob, _ = split_right(box, min(20, box[3] - box[1]))
    pen.arrow((knob[0] + knob[2]) // 2, (box[1] + box[3]) // 2, "down", size=3)
    pen.text((box[0] + style.pad, box[1], knob[0] - 2, box[3]), text)
    pen.add(box, label or text, "combobox", "icon" if label else "text", label=label)


def spin(pen: Pen, box: Area, label: str) -> None:
    """Draw a field for a number with two small buttons."""
    style, room = pen.style, 16 if pen.rng.random() < 0.6 else 2 * (box[3] - box[1])
    knobs, field = split_right(box, room)
    pen.fill(box, style.surface, style.border, style.radius)
    pen.text(
        inset(field, style.pad, 0),
        str(pen.rng.randrange(10 ** pen.rng.randint(1, 4))),
        pen.rng.choice(("left", "right")),
    )
    pen.add(field, label, "field", "icon", label=label)
    if room == 16:
        middle = (box[1] + box[3]) // 2
        pen.line(knobs[0], box[1] + 2, knobs[0], box[3] - 3)
        pen.arrow((knobs[0] + knobs[2]) // 2, (box[1] + middle) // 2, "up", size=2)
        pen.arrow((knobs[0] + knobs[2]) // 2, (box[3] + middle) // 2, "down", size=2)
        return
    for name, part in zip(("Decrease", "Increase"), split_left(knobs, room // 2), strict=True):
        x, y = (part[0] + part[2]) // 2, (part[1] + part[3]) // 2
        pen.line(part[0], box[1] + 2, part[0], box[3] - 3)
        pen.line(x - 4, y, x + 4, y, style.text)
        if name == "Increase":
            pen.line(x, y - 4, x, y + 4, style.text)
        pen.add(part, f"{name} {label}" if pen.rng.random() < 0.5 else name, "button", "icon", row=label)


def check(pen: Pen, box: Area, text: str, radio: bool = False, on: bool | None = None) -> int:
    """Draw a box to tick or a radio button with its text at the left of an area.

    Returns:
        Right end in pixels.
    """
    style, on = pen.style, pen.rng.random() < 0.5 if on is None else on
    side = min(max(11, style.size + pen.rng.choice((-1, 0, 2))), 20)
    y = (box[1] + box[3] - side) // 2
    mark = (box[0], y, box[0] + side, y + side)
    mark_sign(pen, mark, radio, on)
    written = pen.text((box[0] + side + 6, box[1], box[2], box[3]), text)
    role, state = "radio" if radio else "checkbox", "checked" if on else ""
    whole = pen.rng.random() < 0.65 and written[2] > written[0]
    if whole:
        pen.add(
            (box[0], min(mark[1], written[1]) - 1, written[2] + 2, max(mark[3], written[3]) + 1),
            text,
            role,
            state=state,
        )
    elif written[2] > written[0]:
        pen.add(inset(mark, -1), text, role, "icon", label=text, state=state)
    return max(written[2], mark[2])


def mark_sign(pen: Pen, mark: Area, radio: bool, on: bool) -> None:
    """Paint the square or the circle of a choice."""
    style = pen.style
    filled = on and style.family in ("gtk3", "material", "flat", "bootstrap", "macos")
    ground = style.accent if filled else style.surface
    ink = style.on_accent if filled else style.text
    edges = (mark[0], mark[1], mark[2] - 1, mark[3] - 1)
    third = max(2, (mark[2] - mark[0]) // 4)
    if radio:
        pen.draw.ellipse(edges, ground, style.accent if filled else mix(style.border, style.text, 0.3))
        if on:
            pen.draw.ellipse((edges[0] + third, edges[1] + third, edges[2] - third, edges[3] - third), ink)
        return
    if style.bevel:
        pen.bevel(mark, ground, sunken=True)
    else:
        pen.fill(mark, ground, style.accent if filled else mix(style.border, style.text, 0.3), min(style.radius, 4))
    if on:
        x, y, size = mark[0], mark[1], mark[2] - mark[0]
        points = (x + size * 0.22, y + size * 0.5, x + size * 0.42, y + size * 0.72, x + size * 0.78, y + size * 0.28)
        pen.draw.line(points, ink, 2)


def switch(pen: Pen, box: Area, text: str, row: str = "") -> None:
    """Draw a switch that fills an area of about two to one."""
    style, on = pen.style, pen.rng.random() < 0.5
    height = box[3] - box[1]
    ground = style.accent if on else mix(style.window, style.text, 0.25)
    pen.fill(
        box, ground, style.border if pen.rng.random() < 0.3 else None, height // 2 if style.family != "win95" else 0
    )
    margin = 2 if pen.rng.random() < 0.7 else -1
    knob = height - 2 * margin
    x = box[2] - margin - knob if on else box[0] + margin
    pen.draw.ellipse(
        (x, box[1] + margin, x + knob - 1, box[1] + margin + knob - 1),
        (255, 255, 255) if on else style.surface,
        style.border,
    )
    pen.add(inset(box, -1), text, "switch", "icon", label=text, row=row, state="checked" if on else "")


def slider(pen: Pen, box: Area, label: str) -> None:
    """Draw a slider along an area."""
    style, share = pen.style, pen.rng.random()
    y = (box[1] + box[3]) // 2
    x = round(box[0] + 6 + share * max(0, box[2] - box[0] - 12))
    thick = pen.rng.choice((2, 3, 4, 6))
    pen.fill(
        (box[0], y - thick // 2, box[2], y - thick // 2 + thick), mix(style.window, style.text, 0.22), None, thick // 2
    )
    pen.fill((box[0], y - thick // 2, x, y - thick // 2 + thick), style.accent, None, thick // 2)
    if style.bevel or pen.rng.random() < 0.2:
        face(pen, (x - 5, y - 9, x + 5, y + 9), style.button)
    else:
        pen.draw.ellipse(
            (x - 6, y - 6, x + 6, y + 6), style.accent if pen.rng.random() < 0.5 else style.button, style.border
        )
    pen.add((box[0], y - 10, box[2], y + 10), label, "slider", "icon", label=label)


def avatar(pen: Pen, x: int, y: int, side: int, name: str) -> None:
    """Paint a round or square picture of a person, or the initials."""
    box = (x, y, x + side, y + side)
    if pen.rng.random() < 0.35:
        pen.picture(box, 3)
        return
    color = vivid(pen.rng)
    if pen.rng.random() < 0.75:
        pen.draw.ellipse((x, y, x + side - 1, y + side - 1), color)
    else:
        pen.fill(box, color, None, pen.style.radius)
    initials = "".join(w[0] for w in name.split()[:2]).upper()
    pen.text(inset(box, 1), initials, "center", ink_on(color), max(8, side * 2 // 5))


def captioned(pen: Pen, box: Area, label: str) -> None:
    """Draw a control that a caption names: a field, a choice, a number or a slider."""
    roll = pen.rng.random()
    if roll < 0.45:
        text = drawn_words.value(pen.rng) if pen.rng.random() < 0.5 else ""
        hint = (
            ""
            if text or pen.rng.random() < 0.7
            else pen.rng.choice((label, f"Enter {label.lower()}", drawn_words.value(pen.rng)))
        )
        entry(pen, box, label, text, hint, pen.pick() if pen.rng.random() < 0.08 else None)
    elif roll < 0.72:
        combo(pen, box, label, drawn_words.value(pen.rng))
    elif roll < 0.85:
        spin(pen, box, label)
    elif roll < 0.95:
        slider(pen, box, label)
    else:
        switch(pen, (box[0], (box[1] + box[3]) // 2 - 9, box[0] + 34, (box[1] + box[3]) // 2 + 9), label)

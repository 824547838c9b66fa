"""The middle of a window for each kind of desktop program: documents, code, pictures, settings, and all the others."""

from collections.abc import Callable

from foveate.grounding.synthetic.toolkit_content import Maker
from foveate.grounding.synthetic.toolkit_labels import Node, page_of, settings_pages, toolbar_commands, words
from foveate.grounding.synthetic.toolkit_media import (
    agenda,
    chat,
    compose,
    contacts,
    downloads,
    filer,
    mail,
    music,
    photos,
    transfer,
    vault,
)


def editor(make: Maker) -> Node:
    """Open files in tabs around a text, often with a bar to search."""
    text = make.text(make.rng.choice(("prose", "codelines")), 60, label="Document")
    page = make.vbox(text)
    titles = make.rng.sample(words("code"), make.rng.randint(1, 4))
    parts: list[Node] = [make.tabs(titles, page, closable=make.rng.random() < 0.5)]
    if make.rng.random() < 0.5:
        parts.append(make.finder())
    body = make.vbox(*parts)
    if make.rng.random() < 0.4:
        return make.panes(make.panel("Documents", make.sidebar("files", "Documents")), {**body, "expand": True}, 180)
    return body


def ide(make: Maker) -> Node:
    """A tree of files, code in tabs, and a console below."""
    rng = make.rng
    rows: list[Node] = [
        {
            "cells": [folder],
            "icon": "folder",
            "children": [
                {"cells": [f], "icon": "text-x-generic"} for f in rng.sample(words("code"), rng.randint(2, 5))
            ],
        }
        for folder in rng.sample(("src", "include", "tests", "docs", "data", "scripts", "lib"), 4)
    ]
    tree = {"t": "tree", "columns": ["Project"], "rows": rows, "headers": False, "selected": 1}
    code = make.tabs(
        rng.sample(words("code"), rng.randint(2, 5)),
        make.vbox(make.text("codelines", 60, label="Source")),
        closable=True,
    )
    low = make.tabs(
        rng.sample(("Console", "Problems", "Search Results", "Terminal", "Messages", "Compiler", "Tasks"), 3),
        make.vbox(make.text("shell", 14, label="Console")),
    )
    middle = make.panes(code, low, -rng.randint(130, 220), "v")
    symbols = {
        "t": "tree",
        "columns": ["Symbols"],
        "rows": [{"cells": [s], "icon": ""} for s in rng.sample(words("symbols"), 9)],
        "headers": rng.random() < 0.5,
    }
    side = (
        make.tabs(("Files", "Symbols"), make.vbox({**tree, "expand": True}))
        if rng.random() < 0.5
        else make.panel("Project", tree)
    )
    body = make.panes(side, middle, rng.randint(160, 260))
    return make.panes(body, make.panel("Outline", symbols), -180) if rng.random() < 0.35 else body


def writer(make: Maker) -> Node:
    """A page under a ruler, sometimes with a panel of styles."""
    page = {"t": "canvas", "kind": "page", "lines": make.lines("prose", 26), "expand": True, "label": "Page"}
    body = make.vbox({"t": "canvas", "kind": "ruler", "label": "Ruler", "height": 22}, page)
    if make.rng.random() < 0.5:
        styles = {"t": "list", "items": [{"label": s, "icon": ""} for s in words("styles")], "selected": 1}
        side = make.vbox(
            make.panel("Styles", styles), make.panel("Properties", make.form(page_of("Grid and Guides"), 3, 5))
        )
        for child in side["children"]:
            child["expand"] = True
        return make.panes({**body, "expand": True}, side, -230)
    return body


def sheet(make: Maker) -> Node:
    """A grid of cells with a formula bar above and sheets below."""
    rng = make.rng
    heads = ["", *"ABCDEFGHIJKLMN"[: rng.randint(6, 14)]]
    topics = [rng.choice(("Date", "Name", "Amount", "Status", "City", "Size", "Due", "Year")) for _ in heads[1:]]
    rows: list[Node] = [{"cells": ["1", *topics], "icon": ""}]
    for number in range(2, 42):
        rows.append({"cells": [str(number), *(make.cell(t) if rng.random() < 0.6 else "" for t in topics)], "icon": ""})
    grid = {
        "t": "tree",
        "columns": heads,
        "rows": rows,
        "headers": True,
        "lines": True,
        "expand": True,
        "selected": 3,
        "section": "Sheet",
    }
    bar = make.hbox(
        {**make.entry("Name Box", "B4"), "width": 80},
        make.icon_button("dialog-cancel"),
        make.icon_button("dialog-ok-apply"),
        {**make.entry("Formula", "=SUM(B2:B9)"), "expand": True},
        pad=2,
        spacing=3,
    )
    return make.vbox(
        {**bar, "section": "Formula Bar"},
        make.tabs([f"Sheet{i + 1}" for i in range(rng.randint(1, 4))], make.vbox(grid), side="bottom"),
    )


def table(make: Maker) -> Node:
    """A table, sometimes between categories and details."""
    rng = make.rng
    body: Node = make.vbox(make.table())
    if rng.random() < 0.4:
        body = make.panes(
            {**body, "expand": True},
            make.tabs(("Details", "Description", "Files"), make.vbox(make.form(page_of("General"), 3, 6), pad=8)),
            -190,
            "v",
        )
    if rng.random() < 0.6:
        body = make.panes(
            make.panel(
                rng.choice(("Categories", "Groups", "Filter")),
                make.sidebar(rng.choice(("groups", "places")), "Categories"),
            ),
            {**body, "expand": True},
            190,
        )
    return body


def paint(make: Maker) -> Node:
    """Tools at the left, a picture, and docks at the right."""
    rng = make.rng
    tools = [
        make.tool(c)
        for c in rng.sample(
            [c for c in toolbar_commands() if c.group in ("draw", "draw", "image")], rng.randint(10, 20)
        )
    ]
    box = {
        "t": "toolgrid",
        "items": tools,
        "columns": rng.choice((1, 2, 2, 3, 4)),
        "size": rng.choice((16, 22, 24)),
        "section": "Toolbox",
    }
    left = make.vbox(box, {**make.panel("Tool Options", make.form(page_of("Tool Options"), 3, 7)), "expand": True})
    if rng.random() < 0.4:
        left = make.vbox(box)
    picture = make.vbox({"t": "canvas", "kind": "picture", "expand": True, "label": "Canvas"})
    docks = []
    for title in rng.sample(words("panels"), 2):
        rows = [
            {"cells": [n], "icon": rng.choice(("layer-visible-on", "image-x-generic"))}
            for n in rng.sample(words("layers"), rng.randint(3, 7))
        ]
        content = make.vbox(
            {"t": "tree", "columns": [title], "rows": rows, "headers": False, "selected": 0, "expand": True},
            make.hbox(
                *(make.icon_button(i) for i in ("list-add", "go-up", "go-down", "edit-copy", "user-trash")), pad=2
            ),
        )
        docks.append({**make.panel(title, content), "expand": True})
    docks.insert(
        1, make.tabs(rng.sample(words("panels"), 3), make.vbox(make.form(page_of("Tool Options"), 2, 4), pad=4))
    )
    middle = make.panes(picture, make.vbox(*docks), -rng.randint(210, 270))
    return make.hbox({**left, "width": 0 if len(left["children"]) == 1 else 210}, middle)


def settings(make: Maker) -> Node:
    """Categories beside a page of switches, lists and sliders."""
    pages = make.some(settings_pages(), 7, 22)
    title, _, items = current = make.rng.choice(pages)
    categories = {
        "t": "list",
        "items": [{"label": p[0], "icon": p[1]} for p in pages],
        "selected": pages.index(current),
        "section": "Categories",
    }
    page: Node = {
        **make.vbox({"t": "label", "label": title, "heading": True}, make.form(items, 5, 11), pad=14, spacing=10),
        "section": title,
    }
    if make.rng.random() < 0.4:
        page = make.tabs(
            (title, *make.rng.sample([p[0] for p in settings_pages() if p[0] != title], 2)), page, current=0
        )
        page["current"] = 0
    if make.rng.random() < 0.15:
        return make.vbox(
            {
                "t": "icons",
                "items": categories["items"],
                "size": 48,
                "expand": True,
                "section": "All Settings",
                "selected": 0,
            }
        )
    buttons = make.hbox(
        {"t": "spring", "expand": True},
        *(make.button(b) for b in make.some(("Help", "Reset", "Defaults", "Apply", "Cancel", "Close", "OK"), 2, 4)),
        pad=8,
        spacing=6,
    )
    return make.vbox(make.panes(categories, {**page, "expand": True}, make.rng.randint(170, 240)), buttons)


def calculator(make: Maker) -> Node:
    """Keys under a display, with a history at the side."""
    keys = make.rng.choice(words("keys")).split("|")
    grid = {"t": "keys", "rows_of_keys": [row.split() for row in keys], "expand": True, "section": "Keys"}
    modes = make.hbox(
        *(
            {"t": "radio", "label": n, "on": i == 0, "first": i == 0, "group": "Angle"}
            for i, n in enumerate(("Degrees", "Radians", "Gradians"))
        ),
        spacing=8,
    )
    left = make.vbox(
        {**make.entry("Display", f"{make.rng.random() * 1000:.4f}"), "big": True}, modes, grid, pad=8, spacing=6
    )
    return make.panes({**left, "expand": True}, make.panel("History", make.table(("Value", "Comment"), 14)), -260)


def terminal(make: Maker) -> Node:
    """A dark console, sometimes in tabs."""
    text = make.text("shell", 60, label="Terminal", dark=make.rng.random() < 0.8)
    return (
        make.tabs(
            [f"user@{make.fake.domain_word()}: ~" for _ in range(make.rng.randint(2, 4))],
            make.vbox(text),
            closable=True,
        )
        if make.rng.random() < 0.6
        else make.vbox(text)
    )


def monitor(make: Maker) -> Node:
    """Processes, or bars of the load."""
    if make.rng.random() < 0.3:
        bars = [
            make.group(t, make.vbox({"t": "canvas", "kind": "chart", "height": 90, "label": t + " chart"}, pad=4))
            for t in ("CPU History", "Memory History", "Network History")
        ]
        return make.tabs(("Processes", "Resources", "File Systems"), make.vbox(*bars, pad=8, spacing=6))
    low = make.hbox(
        {"t": "check", "label": "Show all processes", "on": True},
        {"t": "spring", "expand": True},
        make.button("End Process"),
        pad=6,
    )
    return make.tabs(
        ("Processes", "Resources", "File Systems"),
        make.vbox(make.table(("Process Name", "User", "% CPU", "ID", "Memory"), 50), low),
    )


def viewer(make: Maker) -> Node:
    """A picture or a page with thumbnails or contents at the side."""
    canvas = make.vbox(
        {
            "t": "canvas",
            "kind": make.rng.choice(("page", "picture")),
            "lines": make.lines("prose", 24),
            "expand": True,
            "label": "Page",
        }
    )
    if make.rng.random() < 0.5:
        side: Node = {
            "t": "icons",
            "items": [{"label": str(i + 1), "icon": "text-x-generic"} for i in range(9)],
            "size": 64,
            "selected": 0,
        }
        return make.panes(make.panel("Thumbnails", side), canvas, 170)
    rows: list[Node] = [
        {
            "cells": [f"{i + 1} {make.fake.catch_phrase()}"],
            "icon": "",
            "children": [{"cells": [make.fake.bs()], "icon": ""}] if i % 3 == 0 else [],
        }
        for i in range(9)
    ]
    return make.panes(
        make.panel("Contents", {"t": "tree", "columns": ["Contents"], "rows": rows, "headers": False, "selected": 2}),
        canvas,
        220,
    )


BODIES: dict[str, Callable[[Maker], Node]] = {
    body.__name__: body
    for body in (
        editor,
        ide,
        writer,
        sheet,
        table,
        paint,
        settings,
        calculator,
        terminal,
        monitor,
        viewer,
        mail,
        compose,
        filer,
        music,
        photos,
        vault,
        transfer,
        downloads,
        agenda,
        chat,
        contacts,
    )
}

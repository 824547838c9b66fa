"""Whole windows of generated desktop programs: which parts stand where, and what is open on top."""

import random
from collections.abc import Callable
from typing import Any

from faker import Faker

from foveate.grounding.synthetic.toolkit_content import (
    _SIZE_WEIGHTS,
    PROGRAMS,
    SIZES,
    Maker,
    Node,
    Program,
    annotate,
    parse_menu,
    settings_pages,
    toolbar_commands,
    words,
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
        {"cells": [folder], "icon": "folder", "children": [{"cells": [f], "icon": "text-x-generic"} for f in rng.sample(words("code"), rng.randint(2, 5))]}
        for folder in rng.sample(("src", "include", "tests", "docs", "data", "scripts", "lib"), 4)
    ]
    tree = {"t": "tree", "columns": ["Project"], "rows": rows, "headers": False, "selected": 1}
    code = make.tabs(rng.sample(words("code"), rng.randint(2, 5)), make.vbox(make.text("codelines", 60, label="Source")), closable=True)
    low = make.tabs(rng.sample(("Console", "Problems", "Search Results", "Terminal", "Messages", "Compiler", "Tasks"), 3), make.vbox(make.text("shell", 14, label="Console")))
    middle = make.panes(code, low, -rng.randint(130, 220), "v")
    symbols = {"t": "tree", "columns": ["Symbols"], "rows": [{"cells": [s], "icon": ""} for s in rng.sample(words("symbols"), 9)], "headers": rng.random() < 0.5}
    side = make.tabs(("Files", "Symbols"), make.vbox({**tree, "expand": True})) if rng.random() < 0.5 else make.panel("Project", tree)
    body = make.panes(side, middle, rng.randint(160, 260))
    return make.panes(body, make.panel("Outline", symbols), -180) if rng.random() < 0.35 else body


def writer(make: Maker) -> Node:
    """A page under a ruler, sometimes with a panel of styles."""
    page = {"t": "canvas", "kind": "page", "lines": make.lines("prose", 26), "expand": True, "label": "Page"}
    body = make.vbox({"t": "canvas", "kind": "ruler", "label": "Ruler", "height": 22}, page)
    if make.rng.random() < 0.5:
        styles = {"t": "list", "items": [{"label": s, "icon": ""} for s in words("styles")], "selected": 1}
        side = make.vbox(make.panel("Styles", styles), make.panel("Properties", make.form(_page("Grid and Guides"), 3, 5)))
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
    grid = {"t": "tree", "columns": heads, "rows": rows, "headers": True, "lines": True, "expand": True, "selected": 3, "section": "Sheet"}
    bar = make.hbox({**make.entry("Name Box", "B4"), "width": 80}, make.icon_button("dialog-cancel"), make.icon_button("dialog-ok-apply"), {**make.entry("Formula", "=SUM(B2:B9)"), "expand": True}, pad=2, spacing=3)
    return make.vbox({**bar, "section": "Formula Bar"}, make.tabs([f"Sheet{i + 1}" for i in range(rng.randint(1, 4))], make.vbox(grid), side="bottom"))


def table(make: Maker) -> Node:
    """A table, sometimes between categories and details."""
    rng = make.rng
    body: Node = make.vbox(make.table())
    if rng.random() < 0.4:
        body = make.panes({**body, "expand": True}, make.tabs(("Details", "Description", "Files"), make.vbox(make.form(_page("General"), 3, 6), pad=8)), -190, "v")
    if rng.random() < 0.6:
        body = make.panes(make.panel(rng.choice(("Categories", "Groups", "Filter")), make.sidebar(rng.choice(("groups", "places")), "Categories")), {**body, "expand": True}, 190)
    return body


def paint(make: Maker) -> Node:
    """Tools at the left, a picture, and docks at the right."""
    rng = make.rng
    tools = [make.tool(c) for c in rng.sample([c for c in toolbar_commands() if c.group in ("draw", "draw", "image")], rng.randint(10, 20))]
    box = {"t": "toolgrid", "items": tools, "columns": rng.choice((1, 2, 2, 3, 4)), "size": rng.choice((16, 22, 24)), "section": "Toolbox"}
    left = make.vbox(box, {**make.panel("Tool Options", make.form(_page("Tool Options"), 3, 7)), "expand": True})
    if rng.random() < 0.4:
        left = make.vbox(box)
    picture = make.vbox({"t": "canvas", "kind": "picture", "expand": True, "label": "Canvas"})
    docks = []
    for title in rng.sample(words("panels"), 2):
        rows = [{"cells": [n], "icon": rng.choice(("layer-visible-on", "image-x-generic"))} for n in rng.sample(words("layers"), rng.randint(3, 7))]
        content = make.vbox({"t": "tree", "columns": [title], "rows": rows, "headers": False, "selected": 0, "expand": True},
                            make.hbox(*(make.icon_button(i) for i in ("list-add", "go-up", "go-down", "edit-copy", "user-trash")), pad=2))  # fmt: skip
        docks.append({**make.panel(title, content), "expand": True})
    docks.insert(1, make.tabs(rng.sample(words("panels"), 3), make.vbox(make.form(_page("Tool Options"), 2, 4), pad=4)))
    middle = make.panes(picture, make.vbox(*docks), -rng.randint(210, 270))
    return make.hbox({**left, "width": 0 if len(left["children"]) == 1 else 210}, middle)


def mail(make: Maker) -> Node:
    """Folders, messages, and the message that is being read."""
    folders = make.panel("Folders", make.sidebar("mailboxes", "Folders"))
    messages = make.vbox(make.table(("Subject", "From", "Date")))
    head = make.vbox(*({"t": "label", "label": f"{k}: {v}"} for k, v in (("From", make.fake.name()), ("Subject", make.cell("Subject")))), pad=6)
    reader = make.vbox(head, make.text("prose", 20, label="Message"))
    if make.rng.random() < 0.5:
        return make.panes(folders, make.panes(messages, reader, -280, "v"), 190)
    return make.panes(folders, make.panes(messages, reader, -380), 180)


def compose(make: Maker) -> Node:
    """Address fields above a letter."""
    rows = [[{"t": "label", "label": f"{f}:"}, {"t": "entry", "label": f, "text": make.value("email") if f != "Subject" else make.cell(f)}] for f in ("To", "Cc", "Subject")]
    return make.vbox({"t": "form", "rows": rows}, make.text("prose", 24, label="Message body"), pad=6, spacing=6)


def filer(make: Maker) -> Node:
    """Places beside files as icons or as a list."""
    rng = make.rng
    places = make.sidebar("places", "Places")
    items = [dict(zip(("label", "icon"), f.split("="), strict=True)) for f in make.some(words("files"), 10, 34)]
    if rng.random() < 0.6:
        view: Node = {"t": "icons", "items": items, "size": rng.choice((32, 48, 48, 64)), "expand": True, "section": "Files", "selected": rng.randrange(len(items))}
    else:
        rows = [{"cells": [i["label"], make.cell("Size"), rng.choice(("Document", "Folder", "Image")), make.cell("Date")], "icon": i["icon"]} for i in items]
        view = {"t": "tree", "columns": ["Name", "Size", "Type", "Modified"], "rows": rows, "headers": True, "expand": True, "selected": 2}
    path = make.hbox(*(make.button(p) for p in ("home", "user", rng.choice(("Documents", "Pictures", "Projects")))), pad=3)
    right = make.vbox(*([{**path, "section": "Path"}] if rng.random() < 0.5 else []), view)
    return make.panes(places, {**right, "expand": True}, rng.randint(150, 220))


def music(make: Maker) -> Node:
    """Sources, songs and a player."""
    rng = make.rng
    player = make.hbox(*(make.icon_button(i) for i in ("media-skip-backward", "media-playback-start", "media-playback-stop", "media-skip-forward")),
                       {"t": "slider", "label": "Position", "value": rng.random(), "expand": True}, {"t": "label", "label": "1:42 / 4:05"},
                       make.icon_button("media-playlist-shuffle"), make.icon_button("media-playlist-repeat"), make.icon_button("audio-volume-high"),
                       {"t": "slider", "label": "Volume", "value": rng.random(), "width": 90}, pad=6, spacing=4)  # fmt: skip
    songs = make.vbox({**make.entry("Search the library"), "pad": 4}, make.table(("Title", "Artist", "Album", "Time"), 60))
    body = make.panes(make.panel("Sources", make.sidebar("sources", "Sources")), {**songs, "expand": True}, 180)
    if rng.random() < 0.4:
        queue = make.panel("Play Queue", {"t": "list", "items": [{"label": s, "icon": "audio-x-generic"} for s in rng.sample(words("songs"), 10)], "selected": 0})
        body = make.panes(body, queue, -190)
    bar = {**player, "section": "Player"}
    return make.vbox(bar, body) if rng.random() < 0.5 else make.vbox(body, bar)


def photos(make: Maker) -> Node:
    """Events beside thumbnails."""
    rng = make.rng
    pictures = [{"label": f"IMG_{rng.randint(1000, 9999)}.jpg", "icon": "image-x-generic"} for _ in range(rng.randint(8, 30))]
    view = {"t": "icons", "items": pictures, "size": rng.choice((64, 96)), "expand": True, "section": "Photos", "pictures": True, "selected": 1}
    details = make.vbox(make.form(("entry:Title", "entry:Date taken", "entry:Camera", "spin:Rating", "check:Flagged", "entry:Tags"), 3, 6), pad=8)
    body = make.panes(make.sidebar("events", "Library"), make.vbox(view), 190)
    return make.panes(body, make.panel("Properties", details), -250) if rng.random() < 0.4 else body


def vault(make: Maker) -> Node:
    """Groups of passwords, entries, and the entry being shown."""
    body: Node = make.vbox(make.table(("Title", "User name", "URL", "Modified")))
    if make.rng.random() < 0.6:
        fields = ("entry:Title", "entry:User name", "entry:Password", "entry:Website", "check:Expires", "text:Notes", "combo:Icon=Key,World,Mail,Bank")
        body = make.panes({**body, "expand": True}, make.vbox(make.form(fields, 4, 6), make.hbox(make.button("OK"), make.button("Cancel"), pad=6, spacing=6)), -250, "v")
    return make.panes(make.sidebar("groups", "Groups"), body, 180)


def transfer(make: Maker) -> Node:
    """Two folders side by side, with a queue below."""
    quick = make.hbox(*(n for f, w in (("Host", 160), ("User name", 110), ("Password", 110), ("Port", 60)) for n in ({"t": "label", "label": f + ":"}, {"t": "entry", "label": f, "text": make.value(f), "width": w})), make.button("Quickconnect"), pad=4, spacing=4)
    sides = [make.panel(t, make.vbox({**make.entry("Path", f"/home/{make.fake.user_name()}/{t.split()[0].lower()}")}, make.table(("Name", "Size", "Modified"), 25))) for t in ("Local Site", "Remote Site")]
    queue = make.tabs(("Queued files", "Failed transfers", "Successful transfers"), make.vbox(make.table(("File", "Direction", "Remote file", "Size"), 8)), side="bottom")
    return make.vbox({**quick, "section": "Quickconnect"}, make.panes(make.panes(sides[0], sides[1], 480), queue, -190, "v"))


def settings(make: Maker) -> Node:
    """Categories beside a page of switches, lists and sliders."""
    pages = make.some(settings_pages(), 7, 22)
    title, _, items = current = make.rng.choice(pages)
    categories = {"t": "list", "items": [{"label": p[0], "icon": p[1]} for p in pages], "selected": pages.index(current), "section": "Categories"}
    page: Node = {**make.vbox({"t": "label", "label": title, "heading": True}, make.form(items, 5, 11), pad=14, spacing=10), "section": title}
    if make.rng.random() < 0.4:
        page = make.tabs((title, *make.rng.sample([p[0] for p in settings_pages() if p[0] != title], 2)), page, current=0)
        page["current"] = 0
    if make.rng.random() < 0.15:
        return make.vbox({"t": "icons", "items": categories["items"], "size": 48, "expand": True, "section": "All Settings", "selected": 0})
    buttons = make.hbox({"t": "spring", "expand": True}, *(make.button(b) for b in make.some(("Help", "Reset", "Defaults", "Apply", "Cancel", "Close", "OK"), 2, 4)), pad=8, spacing=6)
    return make.vbox(make.panes(categories, {**page, "expand": True}, make.rng.randint(170, 240)), buttons)


def calculator(make: Maker) -> Node:
    """Keys under a display, with a history at the side."""
    keys = make.rng.choice((
        ("7 8 9 ÷ C", "4 5 6 × (", "1 2 3 − )", "0 . % + ="),
        ("MC MR MS M+ M−", "7 8 9 / √", "4 5 6 * x²", "1 2 3 - 1/x", "0 . ± + ="),
        ("sin cos tan ln log", "x² x³ xʸ π e", "7 8 9 ÷ (", "4 5 6 × )", "1 2 3 − !", "0 . Exp + ="),
        ("A B C D E F", "7 8 9 AND OR XOR", "4 5 6 << >> NOT", "1 2 3 + - Mod", "0 . = * / CE"),
    ))  # fmt: skip
    grid = {"t": "keys", "rows_of_keys": [row.split() for row in keys], "expand": True, "section": "Keys"}
    modes = make.hbox(*({"t": "radio", "label": n, "on": i == 0, "first": i == 0, "group": "Angle"} for i, n in enumerate(("Degrees", "Radians", "Gradians"))), spacing=8)
    left = make.vbox({**make.entry("Display", f"{make.rng.random() * 1000:.4f}"), "big": True}, modes, grid, pad=8, spacing=6)
    return make.panes({**left, "expand": True}, make.panel("History", make.table(("Value", "Comment"), 14)), -260)


def terminal(make: Maker) -> Node:
    """A dark console, sometimes in tabs."""
    text = make.text("shell", 60, label="Terminal", dark=make.rng.random() < 0.8)
    return make.tabs([f"user@{make.fake.domain_word()}: ~" for _ in range(make.rng.randint(2, 4))], make.vbox(text), closable=True) if make.rng.random() < 0.6 else make.vbox(text)


def downloads(make: Maker) -> Node:
    """Downloads with bars, and details of one of them."""
    cards = []
    for _ in range(make.rng.randint(3, 7)):
        name = make.rng.choice(words("files")).split("=")[0]
        buttons = [{**make.icon_button(i), "row": name} for i in ("media-playback-pause", "process-stop", "folder-open")]
        cards.append(make.hbox({"t": "label", "label": name, "width": 150}, {"t": "progress", "value": make.rng.random(), "label": name, "expand": True}, {"t": "label", "label": make.cell("speed")}, *buttons, pad=4, spacing=6))
    top = make.vbox(*cards, {"t": "spring", "expand": True})
    sub = make.tabs(("General", "Trackers", "Peers", "Files", "Options"), make.vbox(make.form(_page("Downloads"), 3, 6), pad=8))
    return make.panes(make.sidebar("places", "Filter", 4, 7), make.panes(top, sub, -220, "v"), 160)


def agenda(make: Maker) -> Node:
    """A month, a list of calendars, and appointments."""
    names = make.hbox(*(make.button(n, on=i == 1) for i, n in enumerate(("Day", "Week", "Month", "Year"))), {"t": "spring", "expand": True}, make.icon_button("go-previous"), make.button("Today"), make.icon_button("go-next"), pad=4)
    checks = make.vbox(*({"t": "check", "label": n, "on": make.rng.random() < 0.7} for n in ("Personal", "Work", "Birthdays", "Holidays", "School")), pad=6)
    left = make.vbox({"t": "calendar", "label": "Month"}, make.group("Calendars", checks), {"t": "spring", "expand": True})
    return make.panes(left, make.vbox({**names, "section": "View"}, make.table(("Time", "Subject", "Status", "City"), 30)), 230)


def chat(make: Maker) -> Node:
    """People, a conversation and a field to write."""
    rows = [f"<{make.fake.first_name()}> {make.fake.sentence(make.rng.randint(3, 10))}" for _ in range(26)]
    log = {"t": "text", "lines": rows, "mono": False, "label": "Conversation", "expand": True, "bare": True}
    write = make.hbox({**make.entry("Type a message"), "expand": True}, make.icon_button("face-smile"), make.icon_button("mail-attachment"), make.button("Send", "mail-send"), pad=4, spacing=4)
    people = {"t": "list", "items": [{"label": make.fake.name(), "icon": make.rng.choice(("user-available", "user-away", "user-offline"))} for _ in range(12)], "selected": 2}
    body = make.panes(make.sidebar("chats", "Rooms"), make.vbox(log, {**write, "section": "Message"}), 160)
    return make.panes(body, make.panel("Members", people), -180) if make.rng.random() < 0.6 else body


def monitor(make: Maker) -> Node:
    """Processes, or bars of the load."""
    if make.rng.random() < 0.3:
        bars = [make.group(t, make.vbox({"t": "canvas", "kind": "chart", "height": 90, "label": t + " chart"}, pad=4)) for t in ("CPU History", "Memory History", "Network History")]
        return make.tabs(("Processes", "Resources", "File Systems"), make.vbox(*bars, pad=8, spacing=6))
    low = make.hbox({"t": "check", "label": "Show all processes", "on": True}, {"t": "spring", "expand": True}, make.button("End Process"), pad=6)
    return make.tabs(("Processes", "Resources", "File Systems"), make.vbox(make.table(("Process Name", "User", "% CPU", "ID", "Memory"), 50), low))


def viewer(make: Maker) -> Node:
    """A picture or a page with thumbnails or contents at the side."""
    canvas = make.vbox({"t": "canvas", "kind": make.rng.choice(("page", "picture")), "lines": make.lines("prose", 24), "expand": True, "label": "Page"})
    if make.rng.random() < 0.5:
        side: Node = {"t": "icons", "items": [{"label": str(i + 1), "icon": "text-x-generic"} for i in range(9)], "size": 64, "selected": 0}
        return make.panes(make.panel("Thumbnails", side), canvas, 170)
    rows: list[Node] = [{"cells": [f"{i + 1} {make.fake.catch_phrase()}"], "icon": "", "children": [{"cells": [make.fake.bs()], "icon": ""}] if i % 3 == 0 else []} for i in range(9)]
    return make.panes(make.panel("Contents", {"t": "tree", "columns": ["Contents"], "rows": rows, "headers": False, "selected": 2}), canvas, 220)


def contacts(make: Maker) -> Node:
    """People in a list and one of them in fields."""
    fields = tuple(f"entry:{f}" for f in ("First name", "Last name", "Street", "City", "Postal code", "Country", "Phone", "Email", "Company", "Website"))
    card = make.vbox(make.form(fields, 5, 9), {"t": "spring", "expand": True}, make.hbox(make.button("Save", "document-save"), make.button("Revert"), spacing=6), pad=10, spacing=6)
    return make.panes(make.vbox(make.entry("Search contacts"), make.table(("Name", "Phone", "Email"), 30)), make.tabs(("Contact", "Home", "Work", "Notes"), card), -380)


BODIES: dict[str, Callable[[Maker], Node]] = {
    f.__name__: f for f in (editor, ide, writer, sheet, table, paint, mail, compose, filer, music, photos, vault, transfer, settings, calculator, terminal,
                            downloads, agenda, chat, monitor, viewer, contacts)
}  # fmt: skip


def _page(title: str) -> tuple[str, ...]:
    return next(items for name, _, items in settings_pages() if name == title)


def dialog(make: Maker) -> Node:
    """A small window on top: a question, a form, preferences in tabs, or a choice of files."""
    rng = make.rng
    kind = rng.choice(("ask", "ask", "form", "form", "tabs", "tabs", "file", "wizard"))
    title, message, names = rng.choice(words("dialogs")).split("=")
    buttons = names.split(",")
    width, height = rng.randint(360, 520), 0
    if kind == "ask":
        parts = [make.hbox({"t": "picture", "icon": rng.choice(("dialog-warning", "dialog-question", "dialog-information", "dialog-error")), "size": 48}, {**make.vbox({"t": "label", "label": title, "heading": True}, {"t": "label", "label": message, "wrap": 40}, spacing=6), "expand": True}, spacing=12)]
        if rng.random() < 0.4:
            parts.append({"t": "check", "label": rng.choice(words("options")), "on": rng.random() < 0.5})
        title = title if rng.random() < 0.6 else rng.choice(("Question", "Warning", "Confirm", "Information"))
    elif kind == "form":
        title = rng.choice(("New Image", "Properties", "Export", "Find and Replace", "New Entry", "Page Setup", "Add Account", "Scale", "Connect to Server", "Event", "Insert Table"))
        rows = [[{"t": "label", "label": f + ":"}, {"t": "entry", "label": f, "text": make.value(f)} if rng.random() < 0.7 else {"t": "spin", "label": f, "value": rng.choice((1, 10, 72, 640))}] for f in make.some(words("fields"), 2, 6)]
        parts = [{"t": "form", "rows": [*rows, *([{"t": "check", "label": o, "on": rng.random() < 0.5}] for o in make.some(words("options"), 0, 4))]}]
        buttons = list(rng.choice((("OK", "Cancel"), ("Apply", "OK", "Cancel"), ("Create", "Cancel"), ("Close", "Help"), ("Find Next", "Replace", "Close"))))
    elif kind == "tabs":
        pages = [make.settings_page() for _ in range(rng.randint(2, 5))]
        titles = list(dict.fromkeys(t for t, _ in pages))
        current = rng.choice(pages)
        notebook = make.tabs(titles, {**current[1], "section": current[0]})
        notebook["current"] = titles.index(current[0])
        parts, title, buttons, width = [notebook], "Preferences", list(rng.choice((("Close", "Help"), ("OK", "Cancel", "Apply")))), rng.randint(480, 620)
    elif kind == "file":
        title = rng.choice(("Open File", "Save As", "Select Folder", "Choose a Picture"))
        body = filer(make)
        parts = [*([make.hbox({"t": "label", "label": "Name:"}, {"t": "entry", "label": "Name", "text": make.fake.file_name(), "expand": True}, spacing=6)] if title == "Save As" else []), body]
        buttons, width, height = ["Save" if title == "Save As" else "Open", "Cancel"], rng.randint(560, 720), rng.randint(360, 460)
    else:
        title = rng.choice(("Setup Assistant", "Import Wizard", "New Account"))
        _, page = make.settings_page()
        steps = make.vbox(*({"t": "label", "label": f"{i + 1}. {s}"} for i, s in enumerate(("Welcome", "Location", "Options", "Summary"))), spacing=8, pad=10)
        parts, buttons, width = [make.hbox(steps, {**page, "expand": True}, spacing=8)], ["Back", "Next", "Cancel"], rng.randint(520, 640)
    icons = {"OK": "dialog-ok-apply", "Cancel": "dialog-cancel", "Save": "document-save", "Open": "document-open", "Close": "window-close", "Help": "help-contents"}
    show = rng.random() < 0.3
    row = [make.button(b, icons.get(b, "") if show else "") for b in (buttons if rng.random() < 0.5 else reversed(buttons))]
    parts[-1] = {**parts[-1], "expand": True}
    root = make.vbox(*parts, make.hbox({"t": "spring", "expand": True}, *row, spacing=6), pad=12, spacing=12)
    return {"title": title, "root": {**root, "section": title}, "width": width, "height": height, "x": rng.uniform(0.3, 0.7), "y": rng.uniform(0.25, 0.75)}


def describe(seed: int, index: int, fake: Faker) -> dict[str, Any]:
    """Describe one screen.

    Args:
        seed: Seed of the whole set.
        index: Number of the screen.
        fake: Source of names and prose; it is seeded anew here.

    Returns:
        A dictionary that survives JSON: size, window (x, y, width, height, title, bar), header, menubar, bars, body,
        status, and overlay (kind "", menu, context, combo or dialog).
    """
    rng = random.Random(f"{seed}/{index}")
    fake.seed_instance(rng.randrange(2**31))
    make = Maker(rng, fake)
    program = rng.choice(PROGRAMS)
    size = rng.choices(SIZES, _SIZE_WEIGHTS)[0]
    full = rng.random() < 0.45
    width, height = size if full else (round(size[0] * rng.uniform(0.7, 0.97)), round(size[1] * rng.uniform(0.72, 0.96)))
    name = rng.choice(("Untitled", make.fake.file_name(), make.fake.catch_phrase(), program.title))
    header = rng.random() < 0.2
    body = BODIES[program.body](make)
    body["expand"] = True
    titles = program.menus.split()
    overlay = _overlay(make, titles, header)
    scene: dict[str, Any] = {
        "size": size,
        "window": {"x": 0 if full else rng.randint(0, size[0] - width), "y": 0 if full else rng.randint(0, size[1] - height), "width": width, "height": height,
                   "title": f"{name} - {program.title}" if rng.random() < 0.7 else program.title, "bar": "header" if header else rng.choice(("title", "title", "none"))},
        "header": [*make.toolbar(program.tools.split("|")[0] or "nav")["items"][:7], {"t": "spring"}, make.icon_button("edit-find"), {"t": "iconbutton", "icon": "open-menu", "label": "Main Menu", "tip": "Application menu"}] if header else [],
        "menubar": [] if header else titles,
        "bars": _bars(make, program, header),
        "body": body,
        "status": _status(make) if rng.random() < 0.75 else [],
        "overlay": overlay,
        "combo": rng.random(),
    }  # fmt: skip
    for node in (*scene["bars"], scene["body"], *scene["header"], *scene["status"]):
        annotate(node)
    if overlay["kind"] == "dialog":
        annotate(overlay["root"])
    return scene


def _bars(make: Maker, program: Program, header: bool) -> list[Node]:
    groups = [g for g in program.tools.split("|") if g][1 if header else 0 :]
    names = ("Main Toolbar", "Second Toolbar") if len(groups) > 1 else ("Toolbar",)
    return [make.toolbar(g, name) for g, name in zip(groups, names, strict=False)]


def _status(make: Maker) -> list[Node]:
    texts = make.some((f"{make.rng.randint(2, 400)} items", "Ready", f"Line {make.rng.randint(1, 300)}, Column {make.rng.randint(1, 80)}", "UTF-8", "INS", f"{make.rng.randint(1, 90)}.{make.rng.randint(0, 9)} GB free", f"Page {make.rng.randint(1, 9)} of 9", "100 %", "English (USA)", "Connected", "Modified"), 1, 5)  # fmt: skip
    return [{"t": "label", "label": t} for t in texts]


def _overlay(make: Maker, titles: list[str], header: bool) -> dict[str, Any]:
    rng = make.rng
    kind = rng.choices(("", "menu", "context", "combo", "dialog"), (0.58, 0.15, 0.07, 0.05, 0.15))[0]
    if kind == "menu":
        index = rng.randrange(len(titles))
        items = make.menu("File" if header else titles[index])
        parents = [i for i, node in enumerate(items) if node.get("items") and not node.get("off")]
        return {"kind": kind, "index": index, "title": "Main Menu" if header else titles[index], "items": items, "sub": rng.choice(parents) if parents and rng.random() < 0.5 else -1}
    if kind == "context":
        some = make.some(words("context"), 5, 13)
        tidy = [s for n, s in enumerate(some) if s != "-" or (0 < n < len(some) - 1 and some[n + 1] != "-")]
        return {"kind": kind, "title": "Context menu", "items": parse_menu(tidy), "sub": -1, "x": rng.uniform(0.2, 0.75), "y": rng.uniform(0.2, 0.6)}
    if kind == "dialog":
        return {"kind": kind, **dialog(make)}
    return {"kind": kind}

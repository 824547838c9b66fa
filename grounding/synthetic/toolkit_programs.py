"""Whole windows of generated desktop programs: which parts stand where, and what is open on top."""

import random
from dataclasses import dataclass
from typing import Any

from faker import Faker

from foveate.grounding.synthetic.toolkit_bodies import BODIES
from foveate.grounding.synthetic.toolkit_content import Maker, annotate
from foveate.grounding.synthetic.toolkit_labels import Node, parse_menu, words
from foveate.grounding.synthetic.toolkit_media import filer

SIZES = (
    (800, 600),
    (1024, 768),
    (1152, 864),
    (1280, 720),
    (1280, 800),
    (1280, 1024),
    (1366, 768),
    (1440, 900),
    (1600, 900),
    (1680, 1050),
    (1920, 1080),
)
_SIZE_WEIGHTS = (1, 3, 2, 2, 4, 2, 4, 2, 2, 1, 2)


@dataclass(frozen=True)
class Program:
    """A kind of program.

    Args:
        title: End of the window's title.
        menus: Titles of its menus.
        tools: Toolbar groups by bar: bars split by "|", groups by blanks.
        body: Name of the function that makes the middle of the window.
    """

    title: str
    menus: str
    tools: str
    body: str


PROGRAMS = (
    Program("Text Editor", "File Edit View Search Tools Document Help", "file edit search", "editor"),
    Program("Code Editor", "File Edit View Project Build Debug Tools Help", "file dev edit|vcs dev", "ide"),
    Program("Workbench", "File Edit Search View Build Debug Window Help", "file edit dev vcs", "ide"),
    Program(
        "Writer",
        "File Edit View Insert Format Table Tools Help",
        "file edit insert zoom|format align format2 align2",
        "writer",
    ),
    Program("Document", "File Edit View Insert Layout Tools Help", "file edit tools|format align", "writer"),
    Program(
        "Spreadsheet", "File Edit View Insert Format Sheet Data Help", "file edit table|format align table", "sheet"
    ),
    Program("Ledger", "File Edit View Data Tools Help", "file list table", "table"),
    Program("Image Editor", "File Edit Select View Image Layer Colors Filters Help", "file edit zoom image", "paint"),
    Program("Drawing", "File Edit View Layer Format Filters Help", "file edit object zoom|draw", "paint"),
    Program("Mail", "File Edit View Message Mailbox Tools Help", "mail mail2 search", "mail"),
    Program("Compose Message", "File Edit View Insert Format Help", "compose edit|format align2", "compose"),
    Program("File Manager", "File Edit View Go Bookmarks Help", "nav fmview fm search", "filer"),
    Program("Files", "File Edit View Go Tools Help", "nav fmview", "filer"),
    Program("Music Player", "File Edit View Playback Playlist Track Help", "media media2 search", "music"),
    Program("Photos", "File Edit View Photo Tags Help", "photo image zoom", "photos"),
    Program("Passwords", "File Groups Entries Tools View Help", "pass list search", "vault"),
    Program("File Transfer", "File Edit View Transfer Server Bookmarks Help", "net nav download", "transfer"),
    Program("Settings", "File Edit View Help", "nav config", "settings"),
    Program("Control Center", "File View Settings Help", "config search", "settings"),
    Program("Calculator", "File Edit Mode Help", "", "calculator"),
    Program("Terminal", "File Edit View Terminal Tabs Help", "tab edit", "terminal"),
    Program("Downloads", "File Edit View Download Tools Help", "download net order list", "downloads"),
    Program("Calendar", "File Edit View Calendar Tools Help", "calendar nav", "agenda"),
    Program("Tasks", "File Edit View Tools Help", "list order filter", "table"),
    Program("Messenger", "Conversation Contacts Accounts Tools Help", "chat contacts", "chat"),
    Program("System Monitor", "File Edit View Process Help", "info filter", "monitor"),
    Program("Document Viewer", "File Edit View Go Bookmarks Help", "page zoom file", "viewer"),
    Program("Package Manager", "File Edit View Settings Help", "archive search", "table"),
    Program("Archive Manager", "Archive Edit View Help", "archive nav", "table"),
    Program("Address Book", "File Edit View Contacts Help", "contacts edit mail", "contacts"),
    Program("News Reader", "File Edit View Feeds Go Help", "feed nav bookmark", "mail"),
    Program("Disk Utility", "File View Settings Help", "disk list", "settings"),
    Program("Bibliography", "File Edit View Search Tools Help", "file list search", "table"),
    Program("Board Game", "Game View Settings Help", "game edit", "viewer"),
)


def dialog(make: Maker) -> Node:
    """A small window on top: a question, a form, preferences in tabs, or a choice of files."""
    rng = make.rng
    kind = rng.choice(("ask", "ask", "form", "form", "tabs", "tabs", "file", "wizard"))
    title, message, names = rng.choice(words("dialogs")).split("=")
    buttons = names.split(",")
    width, height = rng.randint(360, 520), 0
    if kind == "ask":
        parts = [
            make.hbox(
                {
                    "t": "picture",
                    "icon": rng.choice(("dialog-warning", "dialog-question", "dialog-information", "dialog-error")),
                    "size": 48,
                },
                {
                    **make.vbox(
                        {"t": "label", "label": title, "heading": True},
                        {"t": "label", "label": message, "wrap": 40},
                        spacing=6,
                    ),
                    "expand": True,
                },
                spacing=12,
            )
        ]
        if rng.random() < 0.4:
            parts.append({"t": "check", "label": rng.choice(words("options")), "on": rng.random() < 0.5})
        title = title if rng.random() < 0.6 else rng.choice(("Question", "Warning", "Confirm", "Information"))
    elif kind == "form":
        title = rng.choice(
            (
                "New Image",
                "Properties",
                "Export",
                "Find and Replace",
                "New Entry",
                "Page Setup",
                "Add Account",
                "Scale",
                "Connect to Server",
                "Event",
                "Insert Table",
            )
        )
        rows = [
            [
                {"t": "label", "label": f + ":"},
                {"t": "entry", "label": f, "text": make.value(f)}
                if rng.random() < 0.7
                else {"t": "spin", "label": f, "value": rng.choice((1, 10, 72, 640))},
            ]
            for f in make.some(words("fields"), 2, 6)
        ]
        parts = [
            {
                "t": "form",
                "rows": [
                    *rows,
                    *(
                        [{"t": "check", "label": o, "on": rng.random() < 0.5}]
                        for o in make.some(words("options"), 0, 4)
                    ),
                ],
            }
        ]
        buttons = list(
            rng.choice(
                (
                    ("OK", "Cancel"),
                    ("Apply", "OK", "Cancel"),
                    ("Create", "Cancel"),
                    ("Close", "Help"),
                    ("Find Next", "Replace", "Close"),
                )
            )
        )
    elif kind == "tabs":
        pages = [make.settings_page() for _ in range(rng.randint(2, 5))]
        titles = list(dict.fromkeys(t for t, _ in pages))
        current = rng.choice(pages)
        notebook = make.tabs(titles, {**current[1], "section": current[0]})
        notebook["current"] = titles.index(current[0])
        parts, title, buttons, width = (
            [notebook],
            "Preferences",
            list(rng.choice((("Close", "Help"), ("OK", "Cancel", "Apply")))),
            rng.randint(480, 620),
        )
    elif kind == "file":
        title = rng.choice(("Open File", "Save As", "Select Folder", "Choose a Picture"))
        body = filer(make)
        parts = [
            *(
                [
                    make.hbox(
                        {"t": "label", "label": "Name:"},
                        {"t": "entry", "label": "Name", "text": make.fake.file_name(), "expand": True},
                        spacing=6,
                    )
                ]
                if title == "Save As"
                else []
            ),
            body,
        ]
        buttons, width, height = (
            ["Save" if title == "Save As" else "Open", "Cancel"],
            rng.randint(560, 720),
            rng.randint(360, 460),
        )
    else:
        title = rng.choice(("Setup Assistant", "Import Wizard", "New Account"))
        _, page = make.settings_page()
        steps = make.vbox(
            *(
                {"t": "label", "label": f"{i + 1}. {s}"}
                for i, s in enumerate(("Welcome", "Location", "Options", "Summary"))
            ),
            spacing=8,
            pad=10,
        )
        parts, buttons, width = (
            [make.hbox(steps, {**page, "expand": True}, spacing=8)],
            ["Back", "Next", "Cancel"],
            rng.randint(520, 640),
        )
    icons = {
        "OK": "dialog-ok-apply",
        "Cancel": "dialog-cancel",
        "Save": "document-save",
        "Open": "document-open",
        "Close": "window-close",
        "Help": "help-contents",
    }
    show = rng.random() < 0.3
    row = [
        make.button(b, icons.get(b, "") if show else "") for b in (buttons if rng.random() < 0.5 else reversed(buttons))
    ]
    parts[-1] = {**parts[-1], "expand": True}
    root = make.vbox(*parts, make.hbox({"t": "spring", "expand": True}, *row, spacing=6), pad=12, spacing=12)
    return {
        "title": title,
        "root": {**root, "section": title},
        "width": width,
        "height": height,
        "x": rng.uniform(0.3, 0.7),
        "y": rng.uniform(0.25, 0.75),
    }


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
    width, height = (
        size if full else (round(size[0] * rng.uniform(0.7, 0.97)), round(size[1] * rng.uniform(0.72, 0.96)))
    )
    name = rng.choice(("Untitled", make.fake.file_name(), make.fake.catch_phrase(), program.title))
    header = rng.random() < 0.2
    body = BODIES[program.body](make)
    body["expand"] = True
    titles = program.menus.split()
    overlay = _overlay(make, titles, header)
    scene: dict[str, Any] = {
        "size": size,
        "window": {
            "x": 0 if full else rng.randint(0, size[0] - width),
            "y": 0 if full else rng.randint(0, size[1] - height),
            "width": width,
            "height": height,
            "title": f"{name} - {program.title}" if rng.random() < 0.7 else program.title,
            "bar": "header" if header else rng.choice(("title", "title", "none")),
        },
        "header": [
            *make.toolbar(program.tools.split("|")[0] or "nav")["items"][:7],
            {"t": "spring"},
            make.icon_button("edit-find"),
            {"t": "iconbutton", "icon": "open-menu", "label": "Main Menu", "tip": "Application menu"},
        ]
        if header
        else [],
        "menubar": [] if header else titles,
        "bars": _bars(make, program, header),
        "body": body,
        "status": _status(make) if rng.random() < 0.75 else [],
        "overlay": overlay,
        "combo": rng.random(),
    }
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
    texts = make.some(
        (
            f"{make.rng.randint(2, 400)} items",
            "Ready",
            f"Line {make.rng.randint(1, 300)}, Column {make.rng.randint(1, 80)}",
            "UTF-8",
            "INS",
            f"{make.rng.randint(1, 90)}.{make.rng.randint(0, 9)} GB free",
            f"Page {make.rng.randint(1, 9)} of 9",
            "100 %",
            "English (USA)",
            "Connected",
            "Modified",
        ),
        1,
        5,
    )
    return [{"t": "label", "label": t} for t in texts]


def _overlay(make: Maker, titles: list[str], header: bool) -> dict[str, Any]:
    rng = make.rng
    kind = rng.choices(("", "menu", "context", "combo", "dialog"), (0.58, 0.15, 0.07, 0.05, 0.15))[0]
    if kind == "menu":
        index = rng.randrange(len(titles))
        items = make.menu("File" if header else titles[index])
        parents = [i for i, node in enumerate(items) if node.get("items") and not node.get("off")]
        return {
            "kind": kind,
            "index": index,
            "title": "Main Menu" if header else titles[index],
            "items": items,
            "sub": rng.choice(parents) if parents and rng.random() < 0.5 else -1,
        }
    if kind == "context":
        some = make.some(words("context"), 5, 13)
        tidy = [s for n, s in enumerate(some) if s != "-" or (0 < n < len(some) - 1 and some[n + 1] != "-")]
        return {
            "kind": kind,
            "title": "Context menu",
            "items": parse_menu(tidy),
            "sub": -1,
            "x": rng.uniform(0.2, 0.75),
            "y": rng.uniform(0.2, 0.6),
        }
    if kind == "dialog":
        return {"kind": kind, **dialog(make)}
    return {"kind": kind}

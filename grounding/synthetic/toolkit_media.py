"""The middle of a window for programs that hold mail, files, music, pictures, people and dates."""

from foveate.grounding.synthetic.toolkit_content import Maker
from foveate.grounding.synthetic.toolkit_labels import Node, page_of, words


def mail(make: Maker) -> Node:
    """Folders, messages, and the message that is being read."""
    folders = make.panel("Folders", make.sidebar("mailboxes", "Folders"))
    messages = make.vbox(make.table(("Subject", "From", "Date")))
    head = make.vbox(
        *(
            {"t": "label", "label": f"{k}: {v}"}
            for k, v in (("From", make.fake.name()), ("Subject", make.cell("Subject")))
        ),
        pad=6,
    )
    reader = make.vbox(head, make.text("prose", 20, label="Message"))
    if make.rng.random() < 0.5:
        return make.panes(folders, make.panes(messages, reader, -280, "v"), 190)
    return make.panes(folders, make.panes(messages, reader, -380), 180)


def compose(make: Maker) -> Node:
    """Address fields above a letter."""
    rows = [
        [
            {"t": "label", "label": f"{f}:"},
            {"t": "entry", "label": f, "text": make.value("email") if f != "Subject" else make.cell(f)},
        ]
        for f in ("To", "Cc", "Subject")
    ]
    return make.vbox({"t": "form", "rows": rows}, make.text("prose", 24, label="Message body"), pad=6, spacing=6)


def filer(make: Maker) -> Node:
    """Places beside files as icons or as a list."""
    rng = make.rng
    places = make.sidebar("places", "Places")
    items = [dict(zip(("label", "icon"), f.split("="), strict=True)) for f in make.some(words("files"), 10, 34)]
    if rng.random() < 0.6:
        view: Node = {
            "t": "icons",
            "items": items,
            "size": rng.choice((32, 48, 48, 64)),
            "expand": True,
            "section": "Files",
            "selected": rng.randrange(len(items)),
        }
    else:
        rows = [
            {
                "cells": [
                    i["label"],
                    make.cell("Size"),
                    rng.choice(("Document", "Folder", "Image")),
                    make.cell("Date"),
                ],
                "icon": i["icon"],
            }
            for i in items
        ]
        view = {
            "t": "tree",
            "columns": ["Name", "Size", "Type", "Modified"],
            "rows": rows,
            "headers": True,
            "expand": True,
            "selected": 2,
        }
    path = make.hbox(
        *(make.button(p) for p in ("home", "user", rng.choice(("Documents", "Pictures", "Projects")))), pad=3
    )
    right = make.vbox(*([{**path, "section": "Path"}] if rng.random() < 0.5 else []), view)
    return make.panes(places, {**right, "expand": True}, rng.randint(150, 220))


def music(make: Maker) -> Node:
    """Sources, songs and a player."""
    rng = make.rng
    player = make.hbox(
        *(
            make.icon_button(i)
            for i in ("media-skip-backward", "media-playback-start", "media-playback-stop", "media-skip-forward")
        ),
        {"t": "slider", "label": "Position", "value": rng.random(), "expand": True},
        {"t": "label", "label": "1:42 / 4:05"},
        make.icon_button("media-playlist-shuffle"),
        make.icon_button("media-playlist-repeat"),
        make.icon_button("audio-volume-high"),
        {"t": "slider", "label": "Volume", "value": rng.random(), "width": 90},
        pad=6,
        spacing=4,
    )
    songs = make.vbox(
        {**make.entry("Search the library"), "pad": 4}, make.table(("Title", "Artist", "Album", "Time"), 60)
    )
    body = make.panes(make.panel("Sources", make.sidebar("sources", "Sources")), {**songs, "expand": True}, 180)
    if rng.random() < 0.4:
        queue = make.panel(
            "Play Queue",
            {
                "t": "list",
                "items": [{"label": s, "icon": "audio-x-generic"} for s in rng.sample(words("songs"), 10)],
                "selected": 0,
            },
        )
        body = make.panes(body, queue, -190)
    bar = {**player, "section": "Player"}
    return make.vbox(bar, body) if rng.random() < 0.5 else make.vbox(body, bar)


def photos(make: Maker) -> Node:
    """Events beside thumbnails."""
    rng = make.rng
    pictures = [
        {"label": f"IMG_{rng.randint(1000, 9999)}.jpg", "icon": "image-x-generic"} for _ in range(rng.randint(8, 30))
    ]
    view = {
        "t": "icons",
        "items": pictures,
        "size": rng.choice((64, 96)),
        "expand": True,
        "section": "Photos",
        "pictures": True,
        "selected": 1,
    }
    details = make.vbox(
        make.form(
            ("entry:Title", "entry:Date taken", "entry:Camera", "spin:Rating", "check:Flagged", "entry:Tags"), 3, 6
        ),
        pad=8,
    )
    body = make.panes(make.sidebar("events", "Library"), make.vbox(view), 190)
    return make.panes(body, make.panel("Properties", details), -250) if rng.random() < 0.4 else body


def vault(make: Maker) -> Node:
    """Groups of passwords, entries, and the entry being shown."""
    body: Node = make.vbox(make.table(("Title", "User name", "URL", "Modified")))
    if make.rng.random() < 0.6:
        fields = (
            "entry:Title",
            "entry:User name",
            "entry:Password",
            "entry:Website",
            "check:Expires",
            "text:Notes",
            "combo:Icon=Key,World,Mail,Bank",
        )
        body = make.panes(
            {**body, "expand": True},
            make.vbox(make.form(fields, 4, 6), make.hbox(make.button("OK"), make.button("Cancel"), pad=6, spacing=6)),
            -250,
            "v",
        )
    return make.panes(make.sidebar("groups", "Groups"), body, 180)


def transfer(make: Maker) -> Node:
    """Two folders side by side, with a queue below."""
    quick = make.hbox(
        *(
            n
            for f, w in (("Host", 160), ("User name", 110), ("Password", 110), ("Port", 60))
            for n in ({"t": "label", "label": f + ":"}, {"t": "entry", "label": f, "text": make.value(f), "width": w})
        ),
        make.button("Quickconnect"),
        pad=4,
        spacing=4,
    )
    sides = [
        make.panel(
            t,
            make.vbox(
                {**make.entry("Path", f"/srv/{make.fake.user_name()}/{t.split()[0].lower()}")},
                make.table(("Name", "Size", "Modified"), 25),
            ),
        )
        for t in ("Local Site", "Remote Site")
    ]
    queue = make.tabs(
        ("Queued files", "Failed transfers", "Successful transfers"),
        make.vbox(make.table(("File", "Direction", "Remote file", "Size"), 8)),
        side="bottom",
    )
    return make.vbox(
        {**quick, "section": "Quickconnect"}, make.panes(make.panes(sides[0], sides[1], 480), queue, -190, "v")
    )


def downloads(make: Maker) -> Node:
    """Downloads with bars, and details of one of them."""
    cards = []
    for _ in range(make.rng.randint(3, 7)):
        name = make.rng.choice(words("files")).split("=")[0]
        buttons = [
            {**make.icon_button(i), "row": name} for i in ("media-playback-pause", "process-stop", "folder-open")
        ]
        cards.append(
            make.hbox(
                {"t": "label", "label": name, "width": 150},
                {"t": "progress", "value": make.rng.random(), "label": name, "expand": True},
                {"t": "label", "label": make.cell("speed")},
                *buttons,
                pad=4,
                spacing=6,
            )
        )
    top = make.vbox(*cards, {"t": "spring", "expand": True})
    sub = make.tabs(
        ("General", "Trackers", "Peers", "Files", "Options"), make.vbox(make.form(page_of("Downloads"), 3, 6), pad=8)
    )
    return make.panes(make.sidebar("places", "Filter", 4, 7), make.panes(top, sub, -220, "v"), 160)


def agenda(make: Maker) -> Node:
    """A month, a list of calendars, and appointments."""
    names = make.hbox(
        *(make.button(n, on=i == 1) for i, n in enumerate(("Day", "Week", "Month", "Year"))),
        {"t": "spring", "expand": True},
        make.icon_button("go-previous"),
        make.button("Today"),
        make.icon_button("go-next"),
        pad=4,
    )
    checks = make.vbox(
        *(
            {"t": "check", "label": n, "on": make.rng.random() < 0.7}
            for n in ("Personal", "Work", "Birthdays", "Holidays", "School")
        ),
        pad=6,
    )
    left = make.vbox(
        {"t": "calendar", "label": "Month"}, make.group("Calendars", checks), {"t": "spring", "expand": True}
    )
    return make.panes(
        left, make.vbox({**names, "section": "View"}, make.table(("Time", "Subject", "Status", "City"), 30)), 230
    )


def chat(make: Maker) -> Node:
    """People, a conversation and a field to write."""
    rows = [f"<{make.fake.first_name()}> {make.fake.sentence(make.rng.randint(3, 10))}" for _ in range(26)]
    log = {"t": "text", "lines": rows, "mono": False, "label": "Conversation", "expand": True, "bare": True}
    write = make.hbox(
        {**make.entry("Type a message"), "expand": True},
        make.icon_button("face-smile"),
        make.icon_button("mail-attachment"),
        make.button("Send", "mail-send"),
        pad=4,
        spacing=4,
    )
    people = {
        "t": "list",
        "items": [
            {"label": make.fake.name(), "icon": make.rng.choice(("user-available", "user-away", "user-offline"))}
            for _ in range(12)
        ],
        "selected": 2,
    }
    body = make.panes(make.sidebar("chats", "Rooms"), make.vbox(log, {**write, "section": "Message"}), 160)
    return make.panes(body, make.panel("Members", people), -180) if make.rng.random() < 0.6 else body


def contacts(make: Maker) -> Node:
    """People in a list and one of them in fields."""
    fields = tuple(
        f"entry:{f}"
        for f in (
            "First name",
            "Last name",
            "Street",
            "City",
            "Postal code",
            "Country",
            "Phone",
            "Email",
            "Company",
            "Website",
        )
    )
    card = make.vbox(
        make.form(fields, 5, 9),
        {"t": "spring", "expand": True},
        make.hbox(make.button("Save", "document-save"), make.button("Revert"), spacing=6),
        pad=10,
        spacing=6,
    )
    return make.panes(
        make.vbox(make.entry("Search contacts"), make.table(("Name", "Phone", "Email"), 30)),
        make.tabs(("Contact", "Home", "Work", "Notes"), card),
        -380,
    )

"""Makes the parts of generated desktop windows, told without any toolkit: nested dictionaries of widgets."""

import random
from collections.abc import Callable, Sequence
from typing import Any

from faker import Faker

from foveate.grounding.synthetic.language import command_labels
from foveate.grounding.synthetic.toolkit_labels import (
    Command,
    Node,
    menus,
    parse_menu,
    settings_pages,
    toolbar_commands,
    words,
)

_CONTAINERS = ("children", "items")


class Maker:
    """Makes the parts of one window.

    Args:
        rng: Source of all choices.
        fake: Seeded source of names and prose.
    """

    def __init__(self, rng: random.Random, fake: Faker) -> None:
        self.rng, self.fake = rng, fake

    def some(self, items: Sequence[Any], low: int, high: int) -> list[Any]:
        """Sample between ``low`` and ``high`` items, in their own order."""
        count = min(len(items), self.rng.randint(low, high))
        return [items[i] for i in sorted(self.rng.sample(range(len(items)), count))]

    def vbox(self, *children: Node, pad: int = 0, spacing: int = 0) -> Node:
        """Stack children; those with a true "expand" take the room."""
        return {"t": "box", "dir": "v", "children": list(children), "pad": pad, "spacing": spacing}

    def hbox(self, *children: Node, pad: int = 0, spacing: int = 0) -> Node:
        """Put children side by side."""
        return {"t": "box", "dir": "h", "children": list(children), "pad": pad, "spacing": spacing}

    def panes(self, first: Node, second: Node, size: int, direction: str = "h") -> Node:
        """Two parts with a movable border; ``size`` of the first in pixels, of the second when negative."""
        return {"t": "panes", "dir": direction, "children": [first, second], "size": size, "expand": True}

    def panel(self, title: str, child: Node) -> Node:
        """A docked panel with a title."""
        child["expand"] = True
        return {"t": "panel", "title": title, "children": [child], "section": title}

    def group(self, title: str, child: Node) -> Node:
        """A frame with a title."""
        return {"t": "group", "title": title, "children": [child], "section": title}

    def tool(self, command: Command) -> Node:
        """A toolbar button."""
        node: Node = {"t": "tool", "icon": command.icon, "label": command.label}
        if self.rng.random() < 0.6:
            node["tip"] = command.tip
        if self.rng.random() < 0.12:
            node["off"] = True
        if command.group in ("format", "align", "draw", "fmview") and self.rng.random() < 0.2:
            node["on"] = True
        return node

    def toolbar(self, groups: str, title: str = "") -> Node:
        """A toolbar from groups of commands, sometimes with a field or a list on it."""
        items: list[Node] = []
        for group in groups.split():
            found = [c for c in toolbar_commands() if c.group == group]
            if items:
                items.append({"t": "sep"})
            if group == "search" or (group == "nav" and self.rng.random() < 0.4):
                items.append(
                    self.entry(
                        "Search" if group == "search" else "Location",
                        "" if group == "search" else "/srv/files/Documents",
                    )
                )
            if group == "format" and self.rng.random() < 0.7:
                items.append(self.combo("Paragraph Style", words("styles"), bare=True))
                items.append(
                    self.combo(
                        "Font Name", ("Sans", "Serif", "Liberation Serif", "DejaVu Sans", "Cantarell"), bare=True
                    )
                )
            if group == "zoom" and self.rng.random() < 0.4:
                items.append(self.combo("Zoom", ("100 %", "50 %", "75 %", "150 %", "Fit Width"), bare=True))
            items += [self.tool(c) for c in self.some(found, min(len(found), 3), 14)]
        return {
            "t": "toolbar",
            "items": items,
            "section": title or "Toolbar",
            "size": self.rng.choice((16, 16, 22, 24, 24, 32)),
            "mode": self.rng.choice(("icons", "icons", "icons", "icons", "icons", "beside", "below")),
        }

    def button(self, label: str, icon: str = "", **more: Any) -> Node:
        """A push button."""
        return {"t": "button", "label": label, "icon": icon, **more}

    def icon_button(self, name: str) -> Node:
        """A small button that shows the icon of the named command only."""
        command = next((c for c in toolbar_commands() if c.icon == name), None) or self.rng.choice(toolbar_commands())
        return {"t": "iconbutton", "icon": command.icon, "label": command.label, "tip": command.tip}

    def entry(self, label: str, text: str = "") -> Node:
        """A text field; ``label`` is shown in it while it is empty."""
        return {"t": "entry", "label": label, "text": text, "bare": True}

    def combo(self, label: str, options: Sequence[str], bare: bool = False) -> Node:
        """A drop-down list."""
        return {
            "t": "combo",
            "label": label,
            "options": list(options),
            "active": self.rng.randrange(len(options)),
            "bare": bare,
        }

    def value(self, label: str) -> str:
        """Text that fits a field's label."""
        name = label.lower()
        fake = self.fake
        table: dict[str, Callable[[], Any]] = {
            "name": fake.name,
            "city": fake.city,
            "street": fake.street_address,
            "country": fake.country,
            "phone": fake.phone_number,
            "email": fake.email,
            "company": fake.company,
            "address": fake.ipv4,
            "host": fake.domain_name,
            "server": fake.domain_name,
            "password": lambda: "••••••••",
            "folder": lambda: "/srv/files/" + fake.word(),
            "date": fake.date,
            "website": fake.url,
            "code": fake.postcode,
            "dns": fake.ipv4,
            "gateway": fake.ipv4,
            "title": lambda: self.rng.choice(words("songs")),
        }
        found = next((make for key, make in table.items() if key in name), None)
        return str(found() if found else self.fake.word()) if self.rng.random() < 0.7 else ""

    def setting(self, text: str) -> list[Node]:
        """Parse one written setting into the nodes of a form's row: a label and a widget, or one widget."""
        kind, _, rest = text.partition(":")
        label, _, options = rest.partition("=")
        on = self.rng.random() < 0.5
        off = self.rng.random() < 0.08
        shared: Node = {"label": label, "off": off}
        if kind == "check":
            return [{"t": "check", "on": on, **shared}]
        if kind == "button":
            return [{"t": "button", "icon": "", **shared}]
        if kind == "radio":
            names = options.split(",")
            chosen = self.rng.randrange(len(names))
            radios = [
                {"t": "radio", "label": n, "on": i == chosen, "first": i == 0, "group": label}
                for i, n in enumerate(names)
            ]
            return [
                {"t": "label", "label": label + ":"},
                {"t": "box", "dir": "v", "children": radios, "pad": 0, "spacing": 2, "section": label},
            ]
        widget: Node = {"t": kind, **shared, "on": on}
        if kind == "combo":
            widget.update(self.combo(label, options.split(",")), off=off)
        elif kind == "slider":
            widget["value"] = self.rng.random()
        elif kind == "spin":
            widget["value"] = self.rng.choice((1, 2, 4, 5, 8, 10, 15, 30, 60, 72, 100, 300, 1080))
        elif kind == "entry":
            widget["text"] = self.value(label)
        elif kind == "text":
            widget["lines"] = self.fake.text(90).split("\n")
        return [{"t": "label", "label": label + (":" if self.rng.random() < 0.7 else "")}, widget]

    def form(self, items: Sequence[str], low: int = 3, high: int = 10) -> Node:
        """Rows of settings, labels at the left."""
        return {"t": "form", "rows": [self.setting(text) for text in self.some(items, low, high)]}

    def settings_page(self) -> tuple[str, Node]:
        """A random page of settings, as title and node, sometimes in framed groups."""
        title, _, items = self.rng.choice(settings_pages())
        if self.rng.random() < 0.4 and len(items) > 5:
            half = len(items) // 2
            other = self.rng.choice(("Options", "More", "Behavior", "Defaults", "Details"))
            return title, self.vbox(
                self.group(title, self.form(items[:half], 3, 6)),
                self.group(other, self.form(items[half:], 3, 6)),
                pad=10,
                spacing=8,
            )
        return title, self.vbox(self.form(items), pad=12, spacing=6)

    def sidebar(self, kind: str, title: str, low: int = 5, high: int = 14) -> Node:
        """A list of places with icons."""
        items = [
            dict(zip(("label", "icon"), text.split("="), strict=True)) for text in self.some(words(kind), low, high)
        ]
        return {
            "t": self.rng.choice(("list", "list", "tree")),
            "items": items,
            "section": title,
            "selected": self.rng.randrange(len(items)),
        } | self._as_tree(items, title)

    def _as_tree(self, items: list[Node], title: str) -> Node:
        rows = [{"cells": [i["label"]], "icon": i["icon"]} for i in items]
        if len(rows) > 5 and self.rng.random() < 0.5:
            rows[0]["children"] = rows[1:4]
            del rows[1:4]
        return {"columns": [title], "rows": rows, "headers": self.rng.random() < 0.4}

    def tabs(self, titles: Sequence[str], child: Node, **more: Any) -> Node:
        """A notebook that shows ``child`` on its current page."""
        return {
            "t": "tabs",
            "titles": list(titles),
            "current": self.rng.randrange(len(titles)),
            "children": [child],
            "expand": True,
            **more,
        }

    def table(self, columns: Sequence[str] | None = None, rows: int = 40) -> Node:
        """A list with columns and likely cells."""
        columns = columns or self.rng.choice(words("headings")).split(",")
        body = []
        for _ in range(self.rng.randint(4, rows)):
            body.append(
                {
                    "cells": [self.cell(c) for c in columns],
                    "icon": self.rng.choice(("", "text-x-generic")) if "Size" in columns else "",
                }
            )
        return {
            "t": "tree",
            "columns": list(columns),
            "rows": body,
            "headers": True,
            "selected": self.rng.randrange(len(body)),
            "expand": True,
            "section": "",
            "lines": self.rng.random() < 0.3,
        }

    def cell(self, column: str) -> str:
        """Likely text of a cell under a heading."""
        rng, fake, name = self.rng, self.fake, column.lower()
        if "subject" in name or "task" in name or "description" in name or "comment" in name:
            return str(rng.choice(words("topics")))
        if name in ("title", "album"):
            return str(rng.choice(words("songs")))
        if name in ("from", "author", "user", "user name", "artist"):
            return str(fake.name() if name != "user" else rng.choice(("root", "user", "daemon")))
        if name in ("size", "memory", "amount"):
            return f"{rng.uniform(1, 900):.1f} {rng.choice(('KB', 'MB', 'MiB')) if name != 'amount' else '€'}"
        if name in ("date", "modified", "due", "updated", "year"):
            return str(fake.date_this_decade()) if name != "year" else str(rng.randint(1970, 2024))
        if name in ("time", "speed"):
            return f"{rng.randint(1, 9)}:{rng.randint(0, 59):02}" if name == "time" else f"{rng.randint(3, 900)} KB/s"
        if name in ("name", "file", "remote file"):
            return str(rng.choice(words("files")).split("=")[0]) if rng.random() < 0.7 else str(fake.name())
        table = {
            "type": "Folder,Text,Image,Archive",
            "priority": "High,Normal,Low",
            "status": "Done,Open,Paused,Waiting,Running",
            "direction": "-->,<--",
            "state": "open,closed,listening",
            "protocol": "tcp,udp",
            "process name": "bash,cron,dbus-daemon,firefox,sshd,systemd,Xorg,python3,cupsd,rsyslogd,pulseaudio",
            "feed": "Daily News,Science Weekly,Local Weather,Open Source Blog,Comics,Cooking",
        }
        if name in table:
            return str(rng.choice(table[name].split(",")))
        makers: dict[str, Callable[[], Any]] = {
            "email": fake.email,
            "url": fake.url,
            "phone": fake.phone_number,
            "city": fake.city,
            "host": fake.domain_name,
        }
        if name in makers:
            return str(makers[name]())
        if name in ("version", "% cpu", "id", "port", "done", "unread"):
            return f"{rng.randint(0, 9)}.{rng.randint(0, 20)}" if name == "version" else f"{rng.randint(0, 100)}"
        return str(fake.word())

    def lines(self, kind: str, count: int) -> list[str]:
        """Lines of prose, code or a terminal."""
        if kind == "prose":
            made: list[str] = []
            while len(made) < count:
                made += [self.fake.sentence(self.rng.randint(6, 14)), *([""] if self.rng.random() < 0.3 else [])]
            return made[:count]
        return [self.rng.choice(words(kind)) for _ in range(count)]

    def text(self, kind: str = "prose", count: int = 40, **more: Any) -> Node:
        """A text area."""
        return {
            "t": "text",
            "lines": self.lines(kind, count),
            "mono": kind != "prose",
            "label": more.pop("label", "Text"),
            "expand": True,
            "bare": True,
            **more,
        }

    def finder(self) -> Node:
        """A bar to find, and sometimes to replace."""
        row = [
            {"t": "label", "label": "Find:"},
            {**self.entry("Find", self.fake.word()), "expand": True},
            self.icon_button("go-up"),
            self.icon_button("go-down"),
        ]
        if self.rng.random() < 0.6:
            row += [
                {"t": "label", "label": "Replace with:"},
                {**self.entry("Replace with"), "expand": True},
                self.button("Replace"),
                self.button("Replace All"),
            ]
        row += [
            {"t": "check", "label": o, "on": self.rng.random() < 0.5} for o in self.some(words("options")[:4], 0, 2)
        ]
        return {**self.hbox(*row, pad=4, spacing=4), "section": "Find"}

    def menu(self, title: str) -> list[Node]:
        """A menu, thinned out, with a few other labels mixed in."""
        items = [i for i in menus()[title] if i == "-" or self.rng.random() < 0.75]
        if self.rng.random() < 0.4:
            for label in self.rng.sample(command_labels(), 2):
                if len(label) < 32:
                    items.insert(
                        self.rng.randrange(len(items) + 1), label.replace(">", "").replace("|", "").replace(",", "")
                    )
        tidy = [i for n, i in enumerate(items) if i != "-" or (0 < n < len(items) - 1 and items[n + 1] != "-")]
        nodes = parse_menu(tidy)
        for node in nodes:
            node["off"] = self.rng.random() < 0.12
        return nodes


def annotate(node: Node, section: str = "") -> None:
    """Hand sections down to everything inside a group, toolbar, panel or page that names one."""
    own = node.get("section") or section
    node["section"] = own
    for key in _CONTAINERS:
        for child in node.get(key, ()):
            if isinstance(child, dict):
                annotate(child, own)
    for row in node.get("rows", ()):
        if isinstance(row, list):
            for child in row:
                annotate(child, own)

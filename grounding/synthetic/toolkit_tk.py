"""Draws described windows with Tk and ttk: one JSON line in, one JSON line of facts out, the picture stays on the X display.

Run by the system's Python, which has the toolkit's bindings but not this package: standard library only.
"""

import json
import os
import sys
import tkinter as tk
from collections.abc import Callable
from functools import lru_cache
from tkinter import font as tkfont
from tkinter import ttk
from typing import Any

Node = dict[str, Any]
TITLE_BUTTONS = (("Minimize", "–"), ("Maximize", "□"), ("Close", "✕"))


@lru_cache(maxsize=None)
def icon_files(theme: str) -> dict[str, dict[int, str]]:
    """Find the PNG files of an icon theme: name -> size in pixels -> file."""
    found: dict[str, dict[int, str]] = {}
    for folder, _, names in os.walk(f"/usr/share/icons/{theme}"):
        sizes = [part.split("x")[0] for part in folder.split("/") if part.split("x")[0].isdigit()]
        for name in names if sizes else ():
            if name.endswith(".png"):
                found.setdefault(name[:-4], {})[int(sizes[0])] = os.path.join(folder, name)
    return found


class Stage:
    """The hidden root window and what is on the display."""

    def __init__(self) -> None:
        self.root = tk.Tk()
        self.root.withdraw()
        self.style = ttk.Style(self.root)
        self.windows: list[tk.Toplevel] = []
        self.menus: list[tk.Menu] = []
        self.clear()

    def clear(self) -> None:
        """Forget everything that is shown."""
        for menu in reversed(self.menus):
            menu.unpost()
        for window in reversed(self.windows):
            window.destroy()
        self.windows, self.menus = [], []
        self.marks: list[tuple[tk.Misc, Callable[[], tuple[int, int, int, int] | None], Node]] = []
        self.texts: list[tuple[tk.Misc, Callable[[], list[tuple[float, float, str]]], Any]] = []
        self.pictures: list[tk.PhotoImage] = []
        self.combos: list[ttk.Combobox] = []
        self.variables: list[Any] = []
        self.groups: dict[str, tk.StringVar] = {}

    def mark(self, widget: tk.Misc, name: str, role: str, kind: str, node: Node | None = None, box: Any = None, **facts: str) -> None:
        """Remember that a widget, or a box inside it, is an element."""
        node = node or {}
        found: Node = {"name": name, "role": role, "kind": kind, "section": node.get("section", ""), "row": node.get("row", ""), "description": node.get("tip", "")}
        found["state"] = "disabled" if node.get("off") else "checked" if node.get("on") else ""
        found.update(facts)
        self.marks.append((widget, box or (lambda: (0, 0, widget.winfo_width(), widget.winfo_height())), found))

    def words(self, widget: tk.Misc, text: str, place: Callable[[], tuple[float, float]], font: Any = None) -> None:
        """Remember a text whose upper left corner ``place`` gives, in pixels of the widget."""
        self.texts.append((widget, lambda: [(*place(), text)], font or self.font))

    def icon(self, name: str, size: int = 16) -> tk.PhotoImage | None:
        """Load an icon in about the wanted size."""
        files = icon_files(self.look["icons"]).get(name) or icon_files("oxygen").get(name)
        if not name or not files:
            return None
        near = min(files, key=lambda s: abs(s - size))
        if abs(near - size) > max(10, size // 2):
            return None
        try:
            picture = tk.PhotoImage(master=self.root, file=files[near])
        except tk.TclError:
            return None
        self.pictures.append(picture)
        return picture

    def build(self, node: Node, parent: tk.Misc) -> Any:
        """Make the widget of a node inside another one."""
        return getattr(self, "make_" + node["t"])(node, parent)

    def make_box(self, node: Node, parent: tk.Misc) -> Any:
        """Children in a row or a column."""
        frame = ttk.Frame(parent, padding=node["pad"])
        for child in node["children"]:
            widget = self.build(child, frame)
            grow = bool(child.get("expand"))
            if node["dir"] == "v":
                widget.pack(side="top", fill="both" if grow else "x", expand=grow, pady=node["spacing"] // 2)
            else:
                widget.pack(side="left", fill="both" if grow else "y" if child["t"] in ("box", "panes", "panel", "sep") else "x", expand=grow, padx=max(1, node["spacing"] // 2))
        return frame

    def make_panes(self, node: Node, parent: tk.Misc) -> Any:
        """Two parts; the border does not move here."""
        frame = ttk.Frame(parent)
        flat = node["dir"] == "h"
        size = abs(node["size"])
        small, large = (0, 1) if node["size"] > 0 else (1, 0)
        holder = ttk.Frame(frame, **({"width": size} if flat else {"height": size}))
        holder.pack_propagate(False)
        side = ("left", "right") if flat else ("top", "bottom")
        holder.pack(side=side[small], fill="y" if flat else "x", padx=2 if flat else 0, pady=0 if flat else 2)
        self.build(node["children"][small], holder).pack(fill="both", expand=True)
        rest = ttk.Frame(frame, width=10, height=10)
        rest.pack_propagate(False)
        rest.pack(side=side[large], fill="both", expand=True)
        self.build(node["children"][large], rest).pack(fill="both", expand=True)
        return frame

    def make_panel(self, node: Node, parent: tk.Misc) -> Any:
        """A titled part."""
        frame = ttk.Frame(parent)
        self.make_label({"label": node["title"]}, frame).pack(fill="x", padx=3, pady=2)
        self.build(node["children"][0], frame).pack(fill="both", expand=True)
        return frame

    def make_group(self, node: Node, parent: tk.Misc) -> Any:
        """A titled frame."""
        frame = ttk.LabelFrame(parent, labelwidget=self.make_label({"label": node["title"]}, parent))
        self.build(node["children"][0], frame).pack(fill="both", expand=True, padx=4, pady=4)
        return frame

    def make_toolbar(self, node: Node, parent: tk.Misc) -> Any:
        """A row of icons."""
        bar = ttk.Frame(parent, padding=2, relief="raised" if node["size"] == 16 else "flat")
        for item in node["items"]:
            if item["t"] == "sep":
                ttk.Separator(bar, orient="vertical").pack(side="left", fill="y", padx=4, pady=2)
            elif item["t"] != "tool":
                self.build({**item, "chars": 14}, bar).pack(side="left", padx=3)
            elif self.icon(item["icon"], node["size"]):
                self.make_iconbutton({**item, "size": node["size"]}, bar).pack(side="left")
        return bar

    def make_toolgrid(self, node: Node, parent: tk.Misc) -> Any:
        """A palette of tools."""
        frame = ttk.Frame(parent, padding=2)
        items = [i for i in node["items"] if self.icon(i["icon"], node["size"])]
        for number, item in enumerate(items):
            self.make_iconbutton({**item, "size": node["size"]}, frame).grid(row=number // node["columns"], column=number % node["columns"])
        return frame

    def make_iconbutton(self, node: Node, parent: tk.Misc) -> Any:
        """A button with an icon only."""
        picture = self.icon(node["icon"], node.get("size", 16))
        if picture is None:
            return self.make_button({**node, "icon": ""}, parent)
        button = ttk.Button(parent, image=picture, style="Toolbutton", takefocus=False)
        button.state(["disabled"] if node.get("off") else ["selected"] if node.get("on") else [])
        self.mark(button, node["label"], "button", "icon", node, concept=node["icon"])
        return button

    make_tool = make_iconbutton

    def make_button(self, node: Node, parent: tk.Misc) -> Any:
        """A labelled button."""
        button = ttk.Button(parent, text=node["label"], width=max(len(node["label"]), 3) if len(node["label"]) < 9 else len(node["label"]) + 1, takefocus=False)
        button.state(["disabled"] if node.get("off") else [])
        self.mark(button, node["label"], "button", "text", node)
        text = node["label"]
        self.words(button, text, lambda: ((button.winfo_width() - self.font.measure(text)) / 2, (button.winfo_height() - self.height) / 2))
        return button

    def make_spring(self, node: Node, parent: tk.Misc) -> Any:
        """Empty room."""
        return ttk.Frame(parent)

    def make_label(self, node: Node, parent: tk.Misc) -> Any:
        """Fixed text."""
        font = self.big if node.get("heading") else self.font
        text = node["label"]
        label = ttk.Label(parent, text=text, anchor="w", padding=0, font=font, wraplength=0)
        if node.get("heading"):
            self.mark(label, text, "heading", "text", node)
        self.words(label, text, lambda: (0, (label.winfo_height() - font.metrics("linespace")) / 2), font)
        return label

    def make_picture(self, node: Node, parent: tk.Misc) -> Any:
        """A large icon."""
        picture = self.icon(node["icon"], node["size"]) or self.icon("dialog-information", node["size"])
        return ttk.Label(parent, image=picture) if picture else ttk.Frame(parent)

    def field(self, widget: Any, font: Any = None) -> None:
        """Remember the words of a field that can tell where its letters stand."""

        def place() -> list[tuple[float, float, str]]:
            found, start = [], 0
            for word in widget.get().split(" "):
                box = widget.bbox(start)
                if word and box:
                    found.append((float(box[0]), float(box[1]), word))
                start += len(word) + 1
            return found

        self.texts.append((widget, place, font or self.font))

    def make_entry(self, node: Node, parent: tk.Misc) -> Any:
        """A text field."""
        entry = ttk.Entry(parent, width=node.get("chars", max(8, node.get("width", 160) // 9)), font=self.font)
        entry.insert(0, node.get("text", ""))
        if node.get("off"):
            entry.state(["disabled"])
        self.mark(entry, node["label"], "field", "icon" if node.get("bare") else "text", node, label="" if node.get("bare") else node["label"])
        self.field(entry)
        return entry

    def make_combo(self, node: Node, parent: tk.Misc) -> Any:
        """A drop-down list."""
        combo = ttk.Combobox(parent, values=node["options"], width=node.get("chars", 16), font=self.font, takefocus=False)
        combo.set(node["options"][node["active"]])
        combo.state(["disabled"] if node.get("off") else [])
        self.combos.append(combo)
        self.mark(combo, node["label"], "combobox", "icon" if node.get("bare") else "text", node, label="" if node.get("bare") else node["label"], state="")
        self.field(combo)
        return combo

    def choice(self, widget: Any, node: Node, role: str) -> Any:
        """Finish a box or a circle with text beside it."""
        text = node["label"]
        widget.state(["!alternate", "disabled"] if node.get("off") else ["!alternate"])
        self.mark(widget, text, role, "text", node, label="")
        self.words(widget, text, lambda: (widget.winfo_reqwidth() - self.font.measure(text) - 2, (widget.winfo_height() - self.height) / 2))
        return widget

    def make_check(self, node: Node, parent: tk.Misc) -> Any:
        """A box to tick."""
        variable = tk.BooleanVar(self.root, bool(node["on"]))
        self.variables.append(variable)
        return self.choice(ttk.Checkbutton(parent, text=node["label"], variable=variable, takefocus=False), node, "checkbox")

    def make_radio(self, node: Node, parent: tk.Misc) -> Any:
        """One of several choices."""
        variable = self.groups.setdefault(node["group"], tk.StringVar(self.root))
        if node["on"]:
            variable.set(node["label"])
        return self.choice(ttk.Radiobutton(parent, text=node["label"], value=node["label"], variable=variable, takefocus=False), node, "radio")

    def make_switch(self, node: Node, parent: tk.Misc) -> Any:
        """A box to tick beside its caption; the toolkit has no switches."""
        variable = tk.BooleanVar(self.root, bool(node["on"]))
        self.variables.append(variable)
        check = ttk.Checkbutton(parent, variable=variable, takefocus=False)
        check.state(["!alternate"])
        self.mark(check, node["label"], "checkbox", "icon", node, label=node["label"])
        return check

    def make_slider(self, node: Node, parent: tk.Misc) -> Any:
        """A slider."""
        scale = ttk.Scale(parent, from_=0, to=100, value=node["value"] * 100, length=node.get("width", 130))
        self.mark(scale, node["label"], "slider", "icon", node, label=node["label"], state="")
        return scale

    def make_spin(self, node: Node, parent: tk.Misc) -> Any:
        """A number with arrows."""
        spin = ttk.Spinbox(parent, from_=0, to=2000, width=7, font=self.font)
        spin.set(node["value"])
        self.mark(spin, node["label"], "field", "text", node, label=node["label"], state="")
        self.field(spin)
        return spin

    def make_progress(self, node: Node, parent: tk.Misc) -> Any:
        """A bar that fills."""
        return ttk.Progressbar(parent, value=node["value"] * 100)

    def make_text(self, node: Node, parent: tk.Misc) -> Any:
        """A text area."""
        font = self.mono if node.get("mono") else self.font
        colors = {"background": "#1c1f22", "foreground": "#d6dde0"} if node.get("dark") else {"background": self.base, "foreground": self.ink}
        view = tk.Text(parent, font=font, width=20, height=4, wrap="none" if node.get("mono") else "word", borderwidth=1, insertwidth=0, highlightthickness=0, **colors)
        view.insert("1.0", "\n".join(node["lines"]))
        self.mark(view, node["label"], "field", "icon", node, label="" if node.get("bare") else node["label"], state="")

        def place() -> list[tuple[float, float, str]]:
            found = []
            for row, line in enumerate(node["lines"], 1):
                start = 0
                for word in line.split(" "):
                    box = view.bbox(f"{row}.{start}") if word else None
                    if box:
                        found.append((float(box[0]), float(box[1]), word))
                    start += len(word) + 1
            return found

        self.texts.append((view, place, font))
        return view

    def make_form(self, node: Node, parent: tk.Misc) -> Any:
        """Labels beside fields."""
        frame = ttk.Frame(parent, padding=4)
        for number, row in enumerate(node["rows"]):
            for column, child in enumerate(row):
                wide = child["t"] in ("entry", "text")
                self.build(child, frame).grid(row=number, column=column, columnspan=1 if len(row) > 1 else 2, sticky="ew" if wide else "w", padx=4, pady=3)
        frame.columnconfigure(1, weight=1)
        return frame

    def make_keys(self, node: Node, parent: tk.Misc) -> Any:
        """The keys of a calculator."""
        frame = ttk.Frame(parent)
        for y, row in enumerate(node["rows_of_keys"]):
            frame.rowconfigure(y, weight=1)
            for x, key in enumerate(row):
                frame.columnconfigure(x, weight=1)
                self.make_button({"label": key, "section": node.get("section", "")}, frame).grid(row=y, column=x, sticky="nsew", padx=2, pady=2)
        return frame

    def make_canvas(self, node: Node, parent: tk.Misc) -> Any:
        """Shapes without words."""
        canvas = tk.Canvas(parent, background={"picture": "#8c8c8c", "page": "#b4b4b4", "ruler": "#ededed", "chart": "#181818"}[node["kind"]], height=node.get("height", 60), width=60, highlightthickness=0)
        if node["kind"] == "page":
            canvas.create_rectangle(90, 16, 560, 1500, fill="white", outline="#888")
        elif node["kind"] == "picture":
            for i in range(9):
                x, y, r = 100 + i * 53 % 97 * 6, 80 + i * 31 % 67 * 7, 30 + i * 14
                canvas.create_oval(x - r, y - r, x + r, y + r, fill=f"#{50 + i * 20:02x}{190 - i * 15:02x}{80 + i * 37 % 120:02x}")
        elif node["kind"] == "ruler":
            for x in range(0, 1900, 8):
                canvas.create_line(x, 22 - (9 if x % 40 == 0 else 4), x, 22)
        else:
            canvas.create_line([v for i in range(60) for v in (i * 16, 15 + i * i * 17 % 61)], fill="#3fd060")
        return canvas

    def make_calendar(self, node: Node, parent: tk.Misc) -> Any:
        """A month as a grid of small buttons."""
        frame = ttk.Frame(parent)
        for day in range(1, 31):
            self.make_label({"label": str(day)}, frame).grid(row=day // 7, column=day % 7, padx=5, pady=3)
        return frame

    def make_tabs(self, node: Node, parent: tk.Misc) -> Any:
        """A notebook; where its tabs stand is found by asking pixel by pixel."""
        book = ttk.Notebook(parent, takefocus=False)
        for number, title in enumerate(node["titles"]):
            page = ttk.Frame(book)
            book.add(page, text=title)
            if number == node["current"]:
                page.pack_propagate(False)
                page.configure(width=60, height=140 if not node.get("expand") else 200)
                inner = self.build(node["children"][0], page)
                inner.pack(fill="both", expand=True)
                page.pack_propagate(True)
        book.select(node["current"])
        for number, title in enumerate(node["titles"]):
            self.mark(book, title, "tab", "text", node, box=lambda n=number: tab_box(book, n), state="selected" if number == node["current"] else "")

            def place(number: int = number, title: str = title) -> list[tuple[float, float, str]]:
                box = tab_box(book, number)
                return self.centered(box, title)

            self.texts.append((book, place, self.font))
        return book

    def make_list(self, node: Node, parent: tk.Misc) -> Any:
        """A list with icons."""
        rows = [{"cells": [i["label"]], "icon": i.get("icon", "")} for i in node["items"]]
        return self.make_tree({**node, "columns": [node.get("section", "")], "rows": rows, "headers": False}, parent)

    def make_icons(self, node: Node, parent: tk.Misc) -> Any:
        """Files as icons."""
        frame = tk.Frame(parent, background=self.base, width=100, height=100)
        frame.grid_propagate(False)
        for number, item in enumerate(node["items"]):
            picture = self.icon(item["icon"], node["size"]) or self.icon("text-x-generic", node["size"]) or ""
            text = item["label"]
            label = tk.Label(frame, text=text, image=picture, compound="top", background=self.base, foreground=self.ink, font=self.font, padx=4, pady=4, borderwidth=0)
            label.grid(row=number // 6, column=number % 6, padx=6, pady=6)
            self.mark(label, text, "listitem", "text", node, concept=item["icon"], state="")
            self.words(label, text, lambda w=label, t=text: ((w.winfo_width() - self.font.measure(t)) / 2, w.winfo_height() - self.height - 4))
        return frame

    def make_tree(self, node: Node, parent: tk.Misc) -> Any:
        """A tree or a table."""
        columns = node["columns"]
        names = [str(i) for i in range(1, len(columns))]
        tree = ttk.Treeview(parent, columns=names, show="tree headings" if node["headers"] else "tree", height=3, takefocus=False)
        for number, title in enumerate(columns):
            name = f"#{number}"
            longest = max((self.font.measure(r["cells"][number]) for r in node["rows"]), default=40)
            tree.heading(name, text=title, anchor="center")
            tree.column(name, width=min(260, max(longest + (50 if number == 0 else 16), self.font.measure(title) + 20)), stretch=number == len(columns) - 1)
            if node["headers"] and title:
                self.mark(tree, title, "heading", "text", node, box=lambda n=number: heading_box(tree, n), state="")
                self.texts.append((tree, lambda n=number, t=title: self.centered(heading_box(tree, n), t), self.font))
        nested = any(r.get("children") for r in node["rows"])
        chosen: list[str] = []

        def fill(parent_id: str, rows: list[Node], depth: int) -> None:
            for row in rows:
                picture = self.icon(row.get("icon", ""), 16)
                spot = tree.insert(parent_id, "end", text=row["cells"][0], values=row["cells"][1:], open=True, **({"image": picture} if picture else {}))
                chosen.append(spot)
                lead = next((c for c in row["cells"] if len(c) > 2), "")
                for number, text in enumerate(row["cells"]):
                    if not text:
                        continue
                    role = "cell" if len(columns) > 1 else "treeitem" if nested else "listitem"
                    shown = lead if lead != text and len(columns) > 1 else ""
                    self.mark(tree, text, role, "text", node, box=lambda s=spot, n=number: cell_box(tree, s, n), row=shown, state="")
                    if text:
                        self.texts.append((tree, lambda s=spot, n=number, t=text: self.cell_text(tree, s, n, t), self.font))
                fill(spot, row.get("children", []), depth + 1)

        fill("", node["rows"], 0)
        if node.get("selected") is not None:
            tree.selection_set(chosen[min(node["selected"], len(chosen) - 1)])
        return tree

    def centered(self, box: tuple[int, int, int, int] | None, text: str) -> list[tuple[float, float, str]]:
        """Tell where a text stands that is centred in a box."""
        if not box or self.font.measure(text) > box[2] - box[0] - 6:
            return []
        return [((box[0] + box[2] - self.font.measure(text)) / 2, (box[1] + box[3] - self.height) / 2, text)]

    def cell_text(self, tree: ttk.Treeview, spot: str, number: int, text: str) -> list[tuple[float, float, str]]:
        """Tell where the text of a cell stands."""
        box = cell_box(tree, spot, number)
        if not box or self.font.measure(text) > box[2] - box[0] - 8:
            return []
        if number == 0:
            middle = (box[1] + box[3]) // 2
            start = next((x for x in range(box[0], box[2]) if "text" in tree.identify_element(x, middle)), None)
            return [] if start is None or start + self.font.measure(text) > box[2] else [(start, (box[1] + box[3] - self.height) / 2, text)]
        return [(box[0] + 4, (box[1] + box[3] - self.height) / 2, text)]

    def draw(self, scene: Node, look: Node) -> Node:
        """Show one scene and tell what is on it."""
        self.clear()
        self.root.update()
        self.dress(look)
        facts, overlay = scene["window"], scene["overlay"]
        window, column = self.new_window(facts["title"], facts["bar"])
        bar, opened = ttk.Frame(column), None
        for number, title in enumerate(scene["menubar"]):
            entry = tk.Label(bar, text=title, font=self.font, padx=7, pady=3, background=self.ground, foreground=self.ink, borderwidth=0)
            entry.pack(side="left")
            chosen = overlay["kind"] == "menu" and overlay["index"] == number
            if chosen:
                opened = entry
                entry.configure(background=look["accent"], foreground="#ffffff")
            self.mark(entry, title, "menuitem", "text", {"section": "Menu bar"}, state="expanded" if chosen else "")
            self.words(entry, title, lambda e=entry: (7, (e.winfo_height() - self.height) / 2))
        if scene["menubar"]:
            bar.pack(fill="x")
        if scene["header"]:
            self.make_toolbar({"items": [i for i in scene["header"] if i["t"] != "spring"], "size": 22}, column).pack(fill="x")
        for node in scene["bars"]:
            self.build(node, column).pack(fill="x")
        if scene["status"]:
            status = ttk.Frame(column, relief="sunken", padding=2)
            status.pack(side="bottom", fill="x")
            for node in scene["status"]:
                self.build(node, status).pack(side="left", padx=8)
        self.build(scene["body"], column).pack(fill="both", expand=True)
        window.geometry(f"{facts['width']}x{facts['height']}+{facts['x']}+{facts['y']}")
        self.show(window)
        self.open_overlay(scene, window, opened)
        return self.collect(scene)

    def dress(self, look: Node) -> None:
        """Set theme, colours and fonts."""
        self.look = look
        self.style.theme_use(look["name"])
        self.ground = look["color"] or {"clam": "#dcdad5"}.get(look["name"], "#d9d9d9")
        self.ink = "#e8e8e8" if look["dark"] else "#101010"
        self.base = "#26292c" if look["dark"] else "#ffffff"
        self.font = tkfont.Font(self.root, family=look["font"], size=look["size"])
        self.big = tkfont.Font(self.root, family=look["font"], size=look["size"] + 3, weight="bold")
        self.mono = tkfont.Font(self.root, family="DejaVu Sans Mono", size=look["size"])
        self.height = self.font.metrics("linespace")
        self.style.configure(".", background=self.ground, foreground=self.ink, font=self.font, fieldbackground=self.base, troughcolor=self.ground)
        self.style.configure("Treeview", background=self.base, foreground=self.ink, fieldbackground=self.base, rowheight=self.height + 4, font=self.font)
        self.style.configure("Heading", font=self.font)
        self.style.map("TNotebook.Tab", background=[("selected", self.base), ("!selected", self.ground)])
        self.style.map("Treeview", background=[("selected", look["accent"])], foreground=[("selected", "#ffffff")])
        for name in ("TEntry", "TCombobox", "TSpinbox"):
            self.style.map(name, fieldbackground=[("readonly", self.base)], foreground=[("disabled", "#888888")])
        self.style.map(".", background=[], foreground=[("disabled", "#8c8c8c")])

    def new_window(self, title: str, bar: str) -> tuple[tk.Toplevel, Any]:
        """Make a window without a frame, with a title bar of its own."""
        window = tk.Toplevel(self.root, background=self.ground, borderwidth=1, relief="raised")
        window.overrideredirect(True)
        window.withdraw()
        self.windows.append(window)
        if bar != "none":
            strip = tk.Frame(window, background=self.look["accent"])
            strip.pack(fill="x")
            label = tk.Label(strip, text=title, font=self.font, background=self.look["accent"], foreground="#ffffff", padx=6, pady=4, borderwidth=0, anchor="w")
            label.pack(side="left")
            self.words(label, title, lambda: (6, (label.winfo_height() - self.height) / 2))
            for name, sign in reversed(TITLE_BUTTONS):
                button = tk.Label(strip, text=sign, font=self.font, background=self.look["accent"], foreground="#ffffff", padx=7, pady=4, borderwidth=0)
                button.pack(side="right")
                self.mark(button, name, "button", "icon", {"section": "Title bar"}, concept="window-" + name.lower())
        column = ttk.Frame(window)
        column.pack(fill="both", expand=True)
        return window, column

    def show(self, window: tk.Toplevel) -> None:
        """Put a window on the display and wait until it is drawn."""
        window.deiconify()
        window.lift()
        for _ in range(3):
            self.root.update()
            self.root.after(12)
        self.root.update()

    def menu_of(self, parent: tk.Misc, items: list[Node], title: str) -> tk.Menu:
        """Make a menu and mark its items."""
        menu = tk.Menu(parent, tearoff=False, font=self.font, background=self.ground, foreground=self.ink, activebackground=self.look["accent"], activeforeground="#ffffff", borderwidth=1, activeborderwidth=1)
        for item in items:
            number = menu.index("end") + 1 if menu.index("end") is not None else 0
            if item["t"] == "sep":
                menu.add_separator()
                continue
            label, state = item["label"], "disabled" if item.get("off") else "normal"
            if item.get("items"):
                menu.add_cascade(label=label, state=state, menu=self.menu_of(menu, item["items"], label))
            else:
                menu.add_command(label=label, state=state, accelerator=item.get("accel", ""))
            self.mark(menu, label, "menuitem", "text", {"section": title, "off": item.get("off")}, box=lambda n=number: entry_box(menu, n))

            def place(number: int = number, label: str = label) -> list[tuple[float, float, str]]:
                box = entry_box(menu, number)
                return [(box[0] + MENU_INDENT, (box[1] + box[3] - self.height) / 2, label)] if box else []

            self.texts.append((menu, place, self.font))
        return menu

    def open_overlay(self, scene: Node, window: tk.Toplevel, opened: Any) -> None:
        """Open the menu, list or dialog of a scene."""
        overlay = scene["overlay"]
        kind = overlay["kind"]
        if kind == "dialog":
            top, column = self.new_window(overlay["title"], "title")
            self.build(overlay["root"], column).pack(fill="both", expand=True)
            self.root.update_idletasks()
            width, height = max(overlay["width"], top.winfo_reqwidth()), max(overlay["height"], top.winfo_reqheight())
            left = max(0, min(round(overlay["x"] * scene["size"][0] - width / 2), scene["size"][0] - width))
            above = max(0, min(round(overlay["y"] * scene["size"][1] - height / 2), scene["size"][1] - height))
            top.geometry(f"{width}x{height}+{left}+{above}")
            self.show(top)
            return
        shown = [c for c in self.combos if c.winfo_viewable() and self.cut(c, (0, 0, c.winfo_width(), c.winfo_height()))]
        if kind == "combo" and shown:
            combo = shown[int(scene["combo"] * len(shown))]
            menu = self.menu_of(window, [{"t": "item", "label": o} for o in combo.cget("values")], "List")
            x, y = combo.winfo_rootx(), combo.winfo_rooty() + combo.winfo_height()
        elif kind == "menu" and opened is not None:
            menu = self.menu_of(window, overlay["items"], overlay["title"])
            x, y = opened.winfo_rootx(), opened.winfo_rooty() + opened.winfo_height()
        elif kind in ("menu", "context"):
            menu = self.menu_of(window, overlay["items"], overlay["title"])
            x, y = window.winfo_rootx() + int(overlay.get("x", 0.6) * window.winfo_width()), window.winfo_rooty() + int(overlay.get("y", 0.1) * window.winfo_height())
        else:
            return
        menu.post(x, y)
        self.menus.append(menu)
        self.root.update()
        if overlay.get("sub", -1) >= 0:
            menu.activate(overlay["sub"])
            menu.tk.call(menu, "postcascade", overlay["sub"])
            self.menus.append(menu.nametowidget(menu.entrycget(overlay["sub"], "menu")))
        for _ in range(3):
            self.root.update()
            self.root.after(12)

    def cut(self, widget: tk.Misc, box: tuple[float, float, float, float]) -> list[float] | None:
        """Cut a box of a widget by everything around it; in pixels of the screen, None when mostly hidden."""
        x, y = widget.winfo_rootx(), widget.winfo_rooty()
        made = [box[0] + x, box[1] + y, box[2] + x, box[3] + y]
        area = (box[2] - box[0]) * (box[3] - box[1])
        parent: Any = widget
        while parent is not None and parent is not self.root:
            left, top = parent.winfo_rootx(), parent.winfo_rooty()
            made = [max(made[0], left), max(made[1], top), min(made[2], left + parent.winfo_width()), min(made[3], top + parent.winfo_height())]
            parent = None if isinstance(parent, (tk.Toplevel, tk.Menu)) else parent.master
        if made[2] - made[0] < 4 or made[3] - made[1] < 4 or (made[2] - made[0]) * (made[3] - made[1]) < 0.7 * area:
            return None
        return made

    def collect(self, scene: Node) -> Node:
        """Tell boxes and words of every window, lowest first."""
        tops: list[Any] = [*self.windows, *(m for m in self.menus if m.winfo_viewable())]
        rects = [[t.winfo_rootx(), t.winfo_rooty(), t.winfo_rootx() + t.winfo_width(), t.winfo_rooty() + t.winfo_height()] for t in tops]
        answer: Node = {"elements": [], "words": [], "rects": rects}
        for widget, place, facts in self.marks:
            layer = self.layer(widget, tops)
            if layer is None or not widget.winfo_viewable():
                continue
            box = place()
            shown = self.cut(widget, box) if box else None
            if shown and facts["name"].strip():
                answer["elements"].append({"box": shown, "layer": layer, **facts})
        for widget, spots, font in self.texts:
            layer = self.layer(widget, tops)
            if layer is None or not widget.winfo_viewable():
                continue
            for x, y, text in spots():
                start = 0
                for word in text.split(" "):
                    left, right = x + font.measure(text[:start]), x + font.measure(text[: start + len(word)])
                    shown = self.cut(widget, (left, y, right, y + font.metrics("linespace"))) if word else None
                    if shown and shown[2] - shown[0] >= right - left - 1 and shown[3] - shown[1] > font.metrics("linespace") - 3:
                        answer["words"].append([*shown, word, layer])
                    start += len(word) + 1
        return answer

    def layer(self, widget: tk.Misc, tops: list[Any]) -> int | None:
        """Number of the window that a widget belongs to; None when it is not shown."""
        top = widget if isinstance(widget, tk.Menu) else widget.winfo_toplevel()
        return tops.index(top) if top in tops else None


MENU_INDENT = 6


def tab_box(book: ttk.Notebook, number: int) -> tuple[int, int, int, int] | None:
    """Find a tab's box by asking what lies at each pixel of the row."""
    for y in (14, book.winfo_height() - 14):
        spots = [x for x in range(0, book.winfo_width(), 2) if str(book.tk.call(book, "identify", "tab", x, y)) == str(number)]
        if spots:
            rows = [r for r in range(0, 60) if str(book.tk.call(book, "identify", "tab", (spots[0] + spots[-1]) // 2, r)) == str(number)]
            return (spots[0], rows[0], spots[-1] + 2, rows[-1] + 1) if rows else None
    return None


def heading_box(tree: ttk.Treeview, number: int) -> tuple[int, int, int, int] | None:
    """Find a heading's box from the widths of the columns."""
    count = len(tree.cget("columns")) + 1
    left = sum(int(tree.column(f"#{i}", "width")) for i in range(min(number, count)))
    rows = [y for y in range(0, 60) if tree.identify_region(left + 8, y) == "heading"]
    return (left, rows[0], left + int(tree.column(f"#{number}", "width")), rows[-1] + 1) if rows else None


def cell_box(tree: ttk.Treeview, spot: str, number: int) -> tuple[int, int, int, int] | None:
    """Find a cell's box; None when it is scrolled away."""
    box = tree.bbox(spot, f"#{number}")
    if not box or box[1] + box[3] > tree.winfo_height() - 4:
        return None
    return (box[0], box[1], box[0] + box[2], box[1] + box[3])


def entry_box(menu: tk.Menu, number: int) -> tuple[int, int, int, int] | None:
    """Find the box of a menu's item."""
    top = menu.yposition(number)
    last = menu.index("end")
    end = menu.yposition(number + 1) if last is not None and number < last else menu.winfo_height() - 2
    return (1, top, menu.winfo_width() - 1, end)


def main() -> None:
    """Draw scenes until the input ends."""
    stage = Stage()
    for line in sys.stdin:
        request = json.loads(line)
        answer = stage.draw(request["scene"], request["look"])
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()

"""Makes Tk and ttk widgets of described parts and remembers which of them are elements."""

import os
import tkinter as tk
from functools import cache
from tkinter import font as tkfont
from tkinter import ttk
from typing import Any

Node = dict[str, Any]


@cache
def icon_files(theme: str) -> dict[str, dict[int, str]]:
    """Find the PNG files of an icon theme: name -> size in pixels -> file."""
    found: dict[str, dict[int, str]] = {}
    for folder, _, names in os.walk(f"/usr/share/icons/{theme}"):
        sizes = [part.split("x")[0] for part in folder.split("/") if part.split("x")[0].isdigit()]
        for name in names if sizes else ():
            if name.endswith(".png"):
                found.setdefault(name[:-4], {})[int(sizes[0])] = os.path.join(folder, name)
    return found


class Widgets:
    """What was made for the window on the display, and the plain widgets."""

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
        self.marks: list[tuple[tk.Misc, Any, Node]] = []
        self.texts: list[tuple[tk.Misc, Any, Any]] = []
        self.pictures: list[tk.PhotoImage] = []
        self.combos: list[ttk.Combobox] = []
        self.variables: list[Any] = []
        self.groups: dict[str, tk.StringVar] = {}

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
        self.style.configure(
            ".",
            background=self.ground,
            foreground=self.ink,
            font=self.font,
            fieldbackground=self.base,
            troughcolor=self.ground,
        )
        self.style.configure(
            "Treeview",
            background=self.base,
            foreground=self.ink,
            fieldbackground=self.base,
            rowheight=self.height + 4,
            font=self.font,
        )
        self.style.configure("Heading", font=self.font)
        self.style.map("TNotebook.Tab", background=[("selected", self.base), ("!selected", self.ground)])
        self.style.map("Treeview", background=[("selected", look["accent"])], foreground=[("selected", "#ffffff")])
        for name in ("TEntry", "TCombobox", "TSpinbox"):
            self.style.map(name, fieldbackground=[("readonly", self.base)], foreground=[("disabled", "#888888")])
        self.style.map(".", background=[], foreground=[("disabled", "#8c8c8c")])

    def mark(
        self, widget: tk.Misc, name: str, role: str, kind: str, node: Node | None = None, box: Any = None, **facts: str
    ) -> None:
        """Remember that a widget, or a box inside it, is an element."""
        node = node or {}
        found: Node = {
            "name": name,
            "role": role,
            "kind": kind,
            "section": node.get("section", ""),
            "row": node.get("row", ""),
            "description": node.get("tip", ""),
        }
        found["state"] = "disabled" if node.get("off") else "checked" if node.get("on") else ""
        found.update(facts)
        self.marks.append((widget, box or (lambda: (0, 0, widget.winfo_width(), widget.winfo_height())), found))

    def words(self, widget: tk.Misc, text: str, place: Any, font: Any = None) -> None:
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
                widget.pack(
                    side="left",
                    fill="both" if grow else "y" if child["t"] in ("box", "panes", "panel", "sep") else "x",
                    expand=grow,
                    padx=max(1, node["spacing"] // 2),
                )
        return frame

    def make_panes(self, node: Node, parent: tk.Misc) -> Any:
        """Two parts; the border does not move here."""
        frame = ttk.Frame(parent)
        flat = node["dir"] == "h"
        size = abs(node["size"])
        small, large = (0, 1) if node["size"] > 0 else (1, 0)
        holder = ttk.Frame(frame, **({"width": size} if flat else {"height": size}))
        holder.pack_propagate(False)
        side: Any = ("left", "right") if flat else ("top", "bottom")
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
            self.make_iconbutton({**item, "size": node["size"]}, frame).grid(
                row=number // node["columns"], column=number % node["columns"]
            )
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
        button = ttk.Button(
            parent,
            text=node["label"],
            width=max(len(node["label"]), 3) if len(node["label"]) < 9 else len(node["label"]) + 1,
            takefocus=False,
        )
        button.state(["disabled"] if node.get("off") else [])
        self.mark(button, node["label"], "button", "text", node)
        text = node["label"]
        self.words(
            button,
            text,
            lambda: ((button.winfo_width() - self.font.measure(text)) / 2, (button.winfo_height() - self.height) / 2),
        )
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
        self.mark(
            entry,
            node["label"],
            "field",
            "icon" if node.get("bare") else "text",
            node,
            label="" if node.get("bare") else node["label"],
        )
        self.field(entry)
        return entry

    def make_combo(self, node: Node, parent: tk.Misc) -> Any:
        """A drop-down list."""
        combo = ttk.Combobox(
            parent, values=node["options"], width=node.get("chars", 16), font=self.font, takefocus=False
        )
        combo.set(node["options"][node["active"]])
        combo.state(["disabled"] if node.get("off") else [])
        self.combos.append(combo)
        self.mark(
            combo,
            node["label"],
            "combobox",
            "icon" if node.get("bare") else "text",
            node,
            label="" if node.get("bare") else node["label"],
            state="",
        )
        self.field(combo)
        return combo

    def choice(self, widget: Any, node: Node, role: str) -> Any:
        """Finish a box or a circle with text beside it."""
        text = node["label"]
        widget.state(["!alternate", "disabled"] if node.get("off") else ["!alternate"])
        self.mark(widget, text, role, "text", node, label="")
        self.words(
            widget,
            text,
            lambda: (widget.winfo_reqwidth() - self.font.measure(text) - 2, (widget.winfo_height() - self.height) / 2),
        )
        return widget

    def make_check(self, node: Node, parent: tk.Misc) -> Any:
        """A box to tick."""
        variable = tk.BooleanVar(self.root, bool(node["on"]))
        self.variables.append(variable)
        return self.choice(
            ttk.Checkbutton(parent, text=node["label"], variable=variable, takefocus=False), node, "checkbox"
        )

    def make_radio(self, node: Node, parent: tk.Misc) -> Any:
        """One of several choices."""
        variable = self.groups.setdefault(node["group"], tk.StringVar(self.root))
        if node["on"]:
            variable.set(node["label"])
        return self.choice(
            ttk.Radiobutton(parent, text=node["label"], value=node["label"], variable=variable, takefocus=False),
            node,
            "radio",
        )

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
        colors: Node = (
            {"background": "#1c1f22", "foreground": "#d6dde0"}
            if node.get("dark")
            else {"background": self.base, "foreground": self.ink}
        )
        view = tk.Text(
            parent,
            font=font,
            width=20,
            height=4,
            wrap="none" if node.get("mono") else "word",
            borderwidth=1,
            insertwidth=0,
            highlightthickness=0,
            **colors,
        )
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
                self.build(child, frame).grid(
                    row=number,
                    column=column,
                    columnspan=1 if len(row) > 1 else 2,
                    sticky="ew" if wide else "w",
                    padx=4,
                    pady=3,
                )
        frame.columnconfigure(1, weight=1)
        return frame

    def make_keys(self, node: Node, parent: tk.Misc) -> Any:
        """The keys of a calculator."""
        frame = ttk.Frame(parent)
        for y, row in enumerate(node["rows_of_keys"]):
            frame.rowconfigure(y, weight=1)
            for x, key in enumerate(row):
                frame.columnconfigure(x, weight=1)
                self.make_button({"label": key, "section": node.get("section", "")}, frame).grid(
                    row=y, column=x, sticky="nsew", padx=2, pady=2
                )
        return frame

    def make_canvas(self, node: Node, parent: tk.Misc) -> Any:
        """Shapes without words."""
        canvas = tk.Canvas(
            parent,
            background={"picture": "#8c8c8c", "page": "#b4b4b4", "ruler": "#ededed", "chart": "#181818"}[node["kind"]],
            height=node.get("height", 60),
            width=60,
            highlightthickness=0,
        )
        if node["kind"] == "page":
            canvas.create_rectangle(90, 16, 560, 1500, fill="white", outline="#888")
        elif node["kind"] == "picture":
            for i in range(9):
                x, y, r = 100 + i * 53 % 97 * 6, 80 + i * 31 % 67 * 7, 30 + i * 14
                canvas.create_oval(
                    x - r, y - r, x + r, y + r, fill=f"#{50 + i * 20:02x}{190 - i * 15:02x}{80 + i * 37 % 120:02x}"
                )
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

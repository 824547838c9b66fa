"""Draws described windows with Tk: one JSON line in, one JSON line of facts out; the picture stays on the display.

Run by the system's Python, which has the toolkit's bindings but no other packages: standard library only.
"""

import json
import sys
import time
import tkinter as tk
from tkinter import ttk
from typing import Any

from foveate.grounding.synthetic.toolkit_tk_lists import Lists
from foveate.grounding.synthetic.toolkit_tk_widgets import Node

TITLE_BUTTONS = (("Minimize", "\u2013"), ("Maximize", "□"), ("Close", "✕"))
MENU_INDENT = 6


class Stage(Lists):
    """The hidden root window and what is on the display."""

    def draw(self, scene: Node, look: Node) -> Node:
        """Show one scene and tell what is on it."""
        self.clear()
        self.root.update()
        self.dress(look)
        facts, overlay = scene["window"], scene["overlay"]
        window, column = self.new_window(facts["title"], facts["bar"])
        bar, opened = ttk.Frame(column), None
        for number, title in enumerate(scene["menubar"]):
            entry = tk.Label(
                bar,
                text=title,
                font=self.font,
                padx=7,
                pady=3,
                background=self.ground,
                foreground=self.ink,
                borderwidth=0,
            )
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
            self.make_toolbar({"items": [i for i in scene["header"] if i["t"] != "spring"], "size": 22}, column).pack(
                fill="x"
            )
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

    def new_window(self, title: str, bar: str) -> tuple[tk.Toplevel, Any]:
        """Make a window without a frame, with a title bar of its own."""
        window = tk.Toplevel(self.root, background=self.ground, borderwidth=1, relief="raised")
        window.overrideredirect(True)
        window.withdraw()
        self.windows.append(window)
        if bar != "none":
            strip = tk.Frame(window, background=self.look["accent"])
            strip.pack(fill="x")
            label = tk.Label(
                strip,
                text=title,
                font=self.font,
                background=self.look["accent"],
                foreground="#ffffff",
                padx=6,
                pady=4,
                borderwidth=0,
                anchor="w",
            )
            label.pack(side="left")
            self.words(label, title, lambda: (6, (label.winfo_height() - self.height) / 2))
            for name, sign in reversed(TITLE_BUTTONS):
                button = tk.Label(
                    strip,
                    text=sign,
                    font=self.font,
                    background=self.look["accent"],
                    foreground="#ffffff",
                    padx=7,
                    pady=4,
                    borderwidth=0,
                )
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
            time.sleep(0.012)
        self.root.update()

    def menu_of(self, parent: tk.Misc, items: list[Node], title: str) -> tk.Menu:
        """Make a menu and mark its items."""
        menu = tk.Menu(
            parent,
            tearoff=False,
            font=self.font,
            background=self.ground,
            foreground=self.ink,
            activebackground=self.look["accent"],
            activeforeground="#ffffff",
            borderwidth=1,
            activeborderwidth=1,
        )
        for item in items:
            last = menu.index("end")
            number = 0 if last is None else last + 1
            if item["t"] == "sep":
                menu.add_separator()
                continue
            label: str = item["label"]
            state: Any = "disabled" if item.get("off") else "normal"
            if item.get("items"):
                menu.add_cascade(label=label, state=state, menu=self.menu_of(menu, item["items"], label))
            else:
                menu.add_command(label=label, state=state, accelerator=item.get("accel", ""))
            self.mark(
                menu,
                label,
                "menuitem",
                "text",
                {"section": title, "off": item.get("off")},
                box=lambda n=number: entry_box(menu, n),
            )

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
        shown = [
            c for c in self.combos if c.winfo_viewable() and self.cut(c, (0, 0, c.winfo_width(), c.winfo_height()))
        ]
        if kind == "combo" and shown:
            combo = shown[int(scene["combo"] * len(shown))]
            menu = self.menu_of(window, [{"t": "item", "label": o} for o in combo.cget("values")], "List")
            x, y = combo.winfo_rootx(), combo.winfo_rooty() + combo.winfo_height()
        elif kind == "menu" and opened is not None:
            menu = self.menu_of(window, overlay["items"], overlay["title"])
            x, y = opened.winfo_rootx(), opened.winfo_rooty() + opened.winfo_height()
        elif kind in ("menu", "context"):
            menu = self.menu_of(window, overlay["items"], overlay["title"])
            x, y = (
                window.winfo_rootx() + int(overlay.get("x", 0.6) * window.winfo_width()),
                window.winfo_rooty() + int(overlay.get("y", 0.1) * window.winfo_height()),
            )
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
            time.sleep(0.012)

    def cut(self, widget: tk.Misc, box: tuple[float, float, float, float]) -> list[float] | None:
        """Cut a box of a widget by everything around it; in pixels of the screen, None when mostly hidden."""
        x, y = widget.winfo_rootx(), widget.winfo_rooty()
        made = [box[0] + x, box[1] + y, box[2] + x, box[3] + y]
        area = (box[2] - box[0]) * (box[3] - box[1])
        parent: Any = widget
        while parent is not None and parent is not self.root:
            left, top = parent.winfo_rootx(), parent.winfo_rooty()
            made = [
                max(made[0], left),
                max(made[1], top),
                min(made[2], left + parent.winfo_width()),
                min(made[3], top + parent.winfo_height()),
            ]
            parent = None if isinstance(parent, (tk.Toplevel, tk.Menu)) else parent.master
        if made[2] - made[0] < 4 or made[3] - made[1] < 4 or (made[2] - made[0]) * (made[3] - made[1]) < 0.7 * area:
            return None
        return made

    def collect(self, scene: Node) -> Node:
        """Tell boxes and words of every window, lowest first."""
        tops: list[Any] = [*self.windows, *(m for m in self.menus if m.winfo_viewable())]
        rects = [
            [t.winfo_rootx(), t.winfo_rooty(), t.winfo_rootx() + t.winfo_width(), t.winfo_rooty() + t.winfo_height()]
            for t in tops
        ]
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
                    if (
                        shown
                        and shown[2] - shown[0] >= right - left - 1
                        and shown[3] - shown[1] > font.metrics("linespace") - 3
                    ):
                        answer["words"].append([*shown, word, layer])
                    start += len(word) + 1
        return answer

    def layer(self, widget: tk.Misc, tops: list[Any]) -> int | None:
        """Number of the window that a widget belongs to; None when it is not shown."""
        top = widget if isinstance(widget, tk.Menu) else widget.winfo_toplevel()
        return tops.index(top) if top in tops else None


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

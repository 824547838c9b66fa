"""Makes the notebooks, lists and tables of Tk, whose parts are found by asking for their places."""

import tkinter as tk
from tkinter import ttk
from typing import Any

from foveate.grounding.synthetic.toolkit_tk_widgets import Node, Widgets


class Lists(Widgets):
    """Widgets with many parts."""

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
            self.mark(
                book,
                title,
                "tab",
                "text",
                node,
                box=lambda n=number: tab_box(book, n),
                state="selected" if number == node["current"] else "",
            )

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
            label = tk.Label(
                frame,
                text=text,
                image=picture,
                compound="top",
                background=self.base,
                foreground=self.ink,
                font=self.font,
                padx=4,
                pady=4,
                borderwidth=0,
            )
            label.grid(row=number // 6, column=number % 6, padx=6, pady=6)
            self.mark(label, text, "listitem", "text", node, concept=item["icon"], state="")
            self.words(
                label,
                text,
                lambda w=label, t=text: (
                    (w.winfo_width() - self.font.measure(t)) / 2,
                    w.winfo_height() - self.height - 4,
                ),
            )
        return frame

    def make_tree(self, node: Node, parent: tk.Misc) -> Any:
        """A tree or a table."""
        columns = node["columns"]
        names = [str(i) for i in range(1, len(columns))]
        tree = ttk.Treeview(
            parent, columns=names, show="tree headings" if node["headers"] else "tree", height=3, takefocus=False
        )
        for number, title in enumerate(columns):
            name = f"#{number}"
            longest = max((self.font.measure(r["cells"][number]) for r in node["rows"]), default=40)
            tree.heading(name, text=title, anchor="center")
            tree.column(
                name,
                width=min(260, max(longest + (50 if number == 0 else 16), self.font.measure(title) + 20)),
                stretch=number == len(columns) - 1,
            )
            if node["headers"] and title:
                self.mark(tree, title, "heading", "text", node, box=lambda n=number: heading_box(tree, n), state="")
                self.texts.append((tree, lambda n=number, t=title: self.centered(heading_box(tree, n), t), self.font))
        nested = any(r.get("children") for r in node["rows"])
        chosen: list[str] = []

        def fill(parent_id: str, rows: list[Node], depth: int) -> None:
            for row in rows:
                picture = self.icon(row.get("icon", ""), 16)
                spot = tree.insert(
                    parent_id,
                    "end",
                    text=row["cells"][0],
                    values=row["cells"][1:],
                    open=True,
                    image=picture or "",
                )
                chosen.append(spot)
                lead = next((c for c in row["cells"] if len(c) > 2), "")
                for number, text in enumerate(row["cells"]):
                    if not text:
                        continue
                    role = "cell" if len(columns) > 1 else "treeitem" if nested else "listitem"
                    shown = lead if lead != text and len(columns) > 1 else ""
                    self.mark(
                        tree,
                        text,
                        role,
                        "text",
                        node,
                        box=lambda s=spot, n=number: cell_box(tree, s, n),
                        row=shown,
                        state="",
                    )
                    if text:
                        self.texts.append(
                            (tree, lambda s=spot, n=number, t=text: self.cell_text(tree, s, n, t), self.font)
                        )
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
            return (
                []
                if start is None or start + self.font.measure(text) > box[2]
                else [(start, (box[1] + box[3] - self.height) / 2, text)]
            )
        return [(box[0] + 4, (box[1] + box[3] - self.height) / 2, text)]


def tab_box(book: ttk.Notebook, number: int) -> tuple[int, int, int, int] | None:
    """Find a tab's box by asking what lies at each pixel of the row."""
    for y in (14, book.winfo_height() - 14):
        spots = [
            x
            for x in range(0, book.winfo_width(), 2)
            if str(book.tk.call(book, "identify", "tab", x, y)) == str(number)
        ]
        if spots:
            rows = [
                r
                for r in range(60)
                if str(book.tk.call(book, "identify", "tab", (spots[0] + spots[-1]) // 2, r)) == str(number)
            ]
            return (spots[0], rows[0], spots[-1] + 2, rows[-1] + 1) if rows else None
    return None


def heading_box(tree: ttk.Treeview, number: int) -> tuple[int, int, int, int] | None:
    """Find a heading's box from the widths of the columns."""
    count = len(tree.cget("columns")) + 1
    left = sum(int(tree.column(f"#{i}", "width")) for i in range(min(number, count)))
    rows = [y for y in range(60) if tree.identify_region(left + 8, y) == "heading"]
    return (left, rows[0], left + int(tree.column(f"#{number}", "width")), rows[-1] + 1) if rows else None


def cell_box(tree: ttk.Treeview, spot: str, number: int) -> tuple[int, int, int, int] | None:
    """Find a cell's box; None when it is scrolled away."""
    box = tree.bbox(spot, f"#{number}")
    if not box or box[1] + box[3] > tree.winfo_height() - 4:
        return None
    return (box[0], box[1], box[0] + box[2], box[1] + box[3])

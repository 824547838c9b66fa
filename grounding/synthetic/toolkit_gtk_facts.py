"""Reads the boxes of elements and words off shown GTK 3 windows."""

from typing import Any

import gi

gi.require_version("Gtk", "3.0")
gi.require_version("Gdk", "3.0")
from gi.repository import Gtk, Pango  # noqa: E402

from foveate.grounding.synthetic.toolkit_gtk_widgets import Node, Renderer  # noqa: E402

TITLE_BUTTONS = {"close": "Close", "minimize": "Minimize", "maximize": "Maximize"}


class Facts:
    """Reads boxes and words off the shown windows."""

    def __init__(self, renderer: Renderer, window: Gtk.Widget, layer: int) -> None:
        self.renderer, self.window, self.layer = renderer, window, layer
        _, self.x, self.y = window.get_window().get_origin()
        self.elements: list[Node] = []
        self.words: list[list[Any]] = []

    def visible(self, widget: Gtk.Widget) -> tuple[float, float, float, float] | None:
        """Box of a widget on the screen, cut by everything around it."""
        if not widget.get_mapped() or not widget.get_child_visible():
            return None
        spot = widget.translate_coordinates(self.window, 0, 0)
        if spot is None:
            return None
        left, top = spot
        box = [left, top, left + widget.get_allocated_width(), top + widget.get_allocated_height()]
        return self.cut(box, widget)

    def cut(self, box: list[float], widget: Gtk.Widget) -> tuple[float, float, float, float] | None:
        """Cut a box, in coordinates of the window, by the widget's ancestors; shift it to the screen."""
        area = (box[2] - box[0]) * (box[3] - box[1])
        parent = widget
        while parent is not None:
            spot = parent.translate_coordinates(self.window, 0, 0)
            if spot and parent is not self.window:
                box = [
                    max(box[0], spot[0]),
                    max(box[1], spot[1]),
                    min(box[2], spot[0] + parent.get_allocated_width()),
                    min(box[3], spot[1] + parent.get_allocated_height()),
                ]
            parent = parent.get_parent()
        if box[2] - box[0] < 4 or box[3] - box[1] < 4 or (box[2] - box[0]) * (box[3] - box[1]) < 0.7 * area:
            return None
        return (box[0] + self.x, box[1] + self.y, box[2] + self.x, box[3] + self.y)

    def add(self, box: tuple[float, float, float, float] | None, facts: Node) -> None:
        """Keep an element that can be seen."""
        if box and facts["name"].strip():
            self.elements.append({"box": box, "layer": self.layer, **facts})

    def layout(self, layout: Pango.Layout, x: float, y: float, widget: Gtk.Widget) -> None:
        """Keep the words of a layout whose origin lies at x, y of the window."""
        text = layout.get_text()
        data = text.encode()
        start = 0
        for word in text.split(" "):
            for part in word.split("\n"):
                size = len(part.encode())
                if part.strip() and start + size <= len(data):
                    first, last = layout.index_to_pos(start), layout.index_to_pos(start + size)
                    left, right = first.x / Pango.SCALE, last.x / Pango.SCALE
                    top = first.y / Pango.SCALE
                    if right > left and first.y == last.y:
                        box = self.cut([x + left, y + top, x + right, y + top + first.height / Pango.SCALE], widget)
                        if box:
                            self.words.append([*box, part, self.layer])
                start += size + 1

    def walk(self, widget: Gtk.Widget) -> None:
        """Read words, rows and title buttons of everything inside a widget."""
        if not widget.get_mapped():
            return
        if isinstance(widget, Gtk.Label):
            layout = widget.get_layout()
            x, y = widget.get_layout_offsets()
            allocation = widget.get_allocation()
            spot = widget.translate_coordinates(self.window, 0, 0)
            if spot and not layout.is_ellipsized():
                self.layout(layout, spot[0] + x - allocation.x, spot[1] + y - allocation.y, widget)
        elif isinstance(widget, Gtk.Entry):
            x, y = widget.get_layout_offsets()
            spot = widget.translate_coordinates(self.window, 0, 0)
            if spot:
                self.layout(widget.get_layout(), spot[0] + x, spot[1] + y, widget)
        elif isinstance(widget, Gtk.TextView):
            self.text_view(widget)
        elif isinstance(widget, Gtk.CellView):
            self.cell_view(widget)
        elif isinstance(widget, Gtk.TreeView):
            self.tree(widget)
        elif isinstance(widget, Gtk.Button) and widget.get_style_context().has_class("titlebutton"):
            name = next((n for c, n in TITLE_BUTTONS.items() if widget.get_style_context().has_class(c)), "")
            self.add(
                self.visible(widget),
                {
                    "name": name,
                    "role": "button",
                    "kind": "icon",
                    "concept": "window-" + name.lower(),
                    "section": "Title bar",
                },
            )
        if isinstance(widget, Gtk.Container) and not isinstance(widget, Gtk.TextView):
            widget.forall(self.walk)

    def cell_view(self, view: Gtk.CellView) -> None:
        """Read the word that a drop-down list shows."""
        combo = view.get_ancestor(Gtk.ComboBox)
        text = combo.get_active_text() if isinstance(combo, Gtk.ComboBoxText) else None
        spot = view.translate_coordinates(self.window, 0, 0)
        if not text or not spot:
            return
        layout = view.create_pango_layout(text)
        width, height = layout.get_pixel_size()
        if width <= view.get_allocated_width():
            self.layout(layout, spot[0] + 2, spot[1] + (view.get_allocated_height() - height) / 2, view)

    def text_view(self, view: Gtk.TextView) -> None:
        """Read the words of a text area."""
        buffer = view.get_buffer()
        area = view.get_visible_rect()
        spot = buffer.get_start_iter()
        while spot.forward_word_end():
            start = spot.copy()
            start.backward_word_start()
            first, last = view.get_iter_location(start), view.get_iter_location(spot)
            if first.y > area.y + area.height:
                break
            if first.y != last.y:
                continue
            x, y = view.buffer_to_window_coords(Gtk.TextWindowType.WIDGET, first.x, first.y)
            origin = view.translate_coordinates(self.window, 0, 0)
            box = self.cut(
                [origin[0] + x, origin[1] + y, origin[0] + x + last.x - first.x, origin[1] + y + first.height], view
            )
            if box:
                self.words.append([*box, start.get_text(spot), self.layer])

    def tree(self, tree: Gtk.TreeView) -> None:
        """Read the cells of a tree or a table."""
        node, store = tree.node, tree.get_model()
        columns = tree.get_columns()
        area = tree.get_visible_rect()
        origin = tree.translate_coordinates(self.window, 0, 0)
        _, head = tree.convert_bin_window_to_widget_coords(0, 0)
        if node["headers"]:
            for column, title in zip(columns, node["columns"], strict=True):
                if title.strip():
                    self.add(
                        self.visible(column.get_button()),
                        {"name": title, "role": "heading", "kind": "text", "section": node.get("section", "")},
                    )
        plain = len(columns) == 1
        chosen = tree.get_selection().get_selected_rows()[1]

        def visit(model: Gtk.TreeModel, path: Gtk.TreePath, spot: Gtk.TreeIter) -> bool:
            place = tree.get_background_area(path, columns[0])
            if place.y + place.height <= 0 or place.y >= area.height or place.height == 0:
                return place.y > area.height
            lead = next((model[path][i] for i in range(1, len(columns) + 1) if len(model[path][i]) > 2), "")
            for number, column in enumerate(columns):
                text = model[path][number + 1]
                place = tree.get_background_area(path, column)
                x, y = tree.convert_bin_window_to_widget_coords(place.x, place.y)
                y = place.y + head
                if not text:
                    continue
                box = self.cut(
                    [origin[0] + x, origin[1] + y, origin[0] + x + place.width, origin[1] + y + place.height], tree
                )
                role = (
                    ("treeitem" if node["rows"] and any(r.get("children") for r in node["rows"]) else "listitem")
                    if plain
                    else "cell"
                )
                facts = {
                    "name": text,
                    "role": role,
                    "kind": "text",
                    "section": node.get("section", ""),
                    "row": lead if lead != text and not plain else "",
                    "state": "selected" if path in chosen else "",
                }
                self.add(box, facts)
                self.cell_words(tree, path, column, text, origin, head)
            return False

        store.foreach(visit)

    def cell_words(
        self,
        tree: Gtk.TreeView,
        path: Gtk.TreePath,
        column: Gtk.TreeViewColumn,
        text: str,
        origin: tuple[int, int],
        head: int,
    ) -> None:
        """Read the words of one cell."""
        renderer = column.get_cells()[-1]
        column.cell_set_cell_data(tree.get_model(), tree.get_model().get_iter(path), False, False)
        cell = tree.get_cell_area(path, column)
        offset, width = column.cell_get_position(renderer)
        pad_x, _ = renderer.get_padding()
        layout = tree.create_pango_layout(text)
        w, h = layout.get_pixel_size()
        if w > width - pad_x or w > cell.width:
            return
        x, _ = tree.convert_bin_window_to_widget_coords(cell.x, cell.y)
        self.layout(layout, origin[0] + x + offset + pad_x, origin[1] + head + cell.y + (cell.height - h) / 2, tree)

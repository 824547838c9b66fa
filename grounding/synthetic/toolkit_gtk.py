"""Draws described windows with GTK 3: one JSON line in, one JSON line of facts out, the picture stays on the X display.

Run by the system's Python, which has the toolkit's bindings but not this package: standard library and gi only.
"""

import json
import sys
import time
from typing import Any

import gi

gi.require_version("Gtk", "3.0")
gi.require_version("Gdk", "3.0")
from gi.repository import Gdk, GLib, Gtk, Pango  # noqa: E402

Node = dict[str, Any]
MODES = {"icons": Gtk.ToolbarStyle.ICONS, "beside": Gtk.ToolbarStyle.BOTH_HORIZ, "below": Gtk.ToolbarStyle.BOTH}
SIDES = {"top": Gtk.PositionType.TOP, "bottom": Gtk.PositionType.BOTTOM, "left": Gtk.PositionType.LEFT}
TITLE_BUTTONS = {"close": "Close", "minimize": "Minimize", "maximize": "Maximize"}


def clean(text: str) -> str:
    """Drop the mnemonic's underscore."""
    return text.replace("_", "")


class Renderer:
    """Keeps what is on the display and what was marked on it."""

    def __init__(self) -> None:
        self.settings = Gtk.Settings.get_default()
        self.settings.set_property("gtk-enable-animations", False)
        self.settings.set_property("gtk-cursor-blink", False)
        self.theme = Gtk.IconTheme.get_default()
        self.spare = Gtk.IconTheme()
        self.windows: list[Gtk.Widget] = []
        self.marks: list[tuple[Gtk.Widget, Node]] = []
        self.combos: list[Gtk.Widget] = []
        self.radios: dict[str, Gtk.RadioButton] = {}
        self.look: Node = {}
        self.bar: Gtk.MenuBar | None = None
        self.menus: list[Gtk.Menu] = []

    def mark(self, widget: Gtk.Widget, name: str, role: str, kind: str, node: Node | None = None, **facts: str) -> None:
        """Remember that a widget is an element."""
        node = node or {}
        states = ("disabled",) if node.get("off") else ("checked",) if node.get("on") else ()
        found: Node = {"name": clean(name), "role": role, "kind": kind, "section": node.get("section", ""), "row": node.get("row", "")}
        found["description"] = node.get("tip", "")
        found["state"] = states[0] if states else ""
        found.update(facts)
        self.marks.append((widget, found))
        if node.get("off"):
            widget.set_sensitive(False)
        if node.get("tip"):
            widget.set_tooltip_text(node["tip"])

    def icon(self, name: str) -> str:
        """Find the name under which the theme has an icon; empty when it has none."""
        short = self.look.get("symbolic", False)
        for one in ((name + "-symbolic", name) if short else (name, name + "-symbolic")):
            if name and self.theme.has_icon(one):
                return one
        return name if name and self.spare.has_icon(name) else ""

    def image(self, name: str, size: int) -> Gtk.Image:
        """A picture from the icon theme in pixels."""
        if not self.theme.has_icon(self.icon(name)) and name:
            try:
                return Gtk.Image.new_from_pixbuf(self.spare.load_icon(name, size, Gtk.IconLookupFlags.FORCE_SIZE))
            except GLib.Error:
                name = "text-x-generic"
        image = Gtk.Image.new_from_icon_name(self.icon(name), Gtk.IconSize.MENU)
        image.set_pixel_size(size)
        return image

    def build(self, node: Node) -> Gtk.Widget:
        """Make the widget of a node."""
        widget = getattr(self, "make_" + node["t"])(node)
        if node.get("width"):
            widget.set_size_request(node["width"], -1)
        return widget

    def scrolled(self, widget: Gtk.Widget, natural: bool = False) -> Gtk.ScrolledWindow:
        """Wrap a widget so that it may be larger than its room."""
        area = Gtk.ScrolledWindow()
        if natural:
            area.set_propagate_natural_height(True)
            area.set_propagate_natural_width(True)
        else:
            area.set_shadow_type(Gtk.ShadowType.IN)
        area.set_overlay_scrolling(False)
        area.add(widget)
        return area

    def make_box(self, node: Node) -> Gtk.Widget:
        """Children in a row or a column."""
        box = Gtk.Box(orientation=Gtk.Orientation.VERTICAL if node["dir"] == "v" else Gtk.Orientation.HORIZONTAL, spacing=node["spacing"])
        box.set_border_width(node["pad"])
        for child in node["children"]:
            widget = self.build(child)
            if node["dir"] == "h" and child["t"] in ("button", "iconbutton", "switch", "combo", "entry", "progress", "check"):
                widget.set_valign(Gtk.Align.CENTER)
            box.pack_start(widget, child.get("expand", False), True, 0)
        return box

    def make_panes(self, node: Node) -> Gtk.Widget:
        """Two parts with a movable border."""
        flat = node["dir"] == "h"
        paned = Gtk.Paned(orientation=Gtk.Orientation.HORIZONTAL if flat else Gtk.Orientation.VERTICAL)
        paned.pack1(self.build(node["children"][0]), node["size"] < 0, flat)
        paned.pack2(self.build(node["children"][1]), node["size"] > 0, flat)
        if node["size"] > 0:
            paned.set_position(node["size"])
        else:
            part = paned.get_child2()
            part.set_size_request(-node["size"], -1) if flat else part.set_size_request(-1, -node["size"])
        return paned

    def make_panel(self, node: Node) -> Gtk.Widget:
        """A titled dock."""
        box = Gtk.Box(orientation=Gtk.Orientation.VERTICAL)
        bar = Gtk.Box()
        label = Gtk.Label(label=node["title"], xalign=0)
        label.set_property("margin", 3)
        label.set_ellipsize(Pango.EllipsizeMode.END)
        bar.pack_start(label, True, True, 2)
        button = Gtk.Button.new_from_icon_name("window-close-symbolic", Gtk.IconSize.MENU)
        button.set_relief(Gtk.ReliefStyle.NONE)
        self.mark(button, "Close", "button", "icon", node, concept="window-close", section=node["title"])
        bar.pack_end(button, False, False, 0)
        box.pack_start(bar, False, False, 0)
        box.pack_start(self.build(node["children"][0]), True, True, 0)
        return box

    def make_group(self, node: Node) -> Gtk.Widget:
        """A titled frame."""
        frame = Gtk.Frame(label=node["title"])
        frame.add(self.build(node["children"][0]))
        return frame

    def make_toolbar(self, node: Node) -> Gtk.Widget:
        """A toolbar of theme icons."""
        bar = Gtk.Toolbar()
        bar.set_style(MODES[node["mode"]])
        for item in node["items"]:
            if item["t"] == "tool" and not self.icon(item["icon"]):
                continue
            bar.insert(self.tool_item(item, node), -1)
        return bar

    def tool_item(self, item: Node, bar: Node) -> Gtk.ToolItem:
        """One thing on a toolbar."""
        if item["t"] == "sep":
            return Gtk.SeparatorToolItem()
        if item["t"] != "tool":
            holder = Gtk.ToolItem()
            holder.set_border_width(2)
            holder.add(self.build(item))
            return holder
        label = item["label"]
        found = self.icon(item["icon"])
        tool = Gtk.ToggleToolButton() if "on" in item else Gtk.ToolButton()
        tool.set_label(label)
        if found:
            tool.set_icon_widget(self.image(item["icon"], bar["size"]))
        if item.get("on"):
            tool.set_active(True)
        shown = bar["mode"] == "below" or not found
        if bar["mode"] == "beside" and len(label) % 3 == 0:
            tool.set_is_important(True)
            shown = True
        self.mark(tool, label, "button", "text" if shown else "icon", item, concept=item["icon"] if found else "")
        return tool

    def make_toolgrid(self, node: Node) -> Gtk.Widget:
        """A palette of tools."""
        grid = Gtk.Grid()
        grid.set_border_width(3)
        for number, item in enumerate(node["items"]):
            button = Gtk.ToggleButton() if item.get("on") else Gtk.Button()
            button.set_relief(Gtk.ReliefStyle.NONE)
            found = self.icon(item["icon"])
            if not found:
                continue
            button.set_image(self.image(item["icon"], node["size"]))
            if item.get("on"):
                button.set_active(True)
            self.mark(button, item["label"], "button", "icon", item, concept=item["icon"])
            grid.attach(button, number % node["columns"], number // node["columns"], 1, 1)
        return grid

    def make_iconbutton(self, node: Node) -> Gtk.Widget:
        """A button with an icon only."""
        found = self.icon(node["icon"])
        if not found:
            return self.make_button({**node, "icon": ""})
        button = Gtk.Button()
        button.set_image(self.image(node["icon"], 16))
        self.mark(button, node["label"], "button", "icon", node, concept=node["icon"])
        return button

    make_tool = make_iconbutton

    def make_button(self, node: Node) -> Gtk.Widget:
        """A labelled button."""
        button = Gtk.Button(label=node["label"])
        found = self.icon(node["icon"]) if node.get("icon") else ""
        if found:
            button.set_image(self.image(node["icon"], 16))
            button.set_always_show_image(True)
        self.mark(button, node["label"], "button", "text", node, concept=node["icon"] if found else "")
        return button

    def make_sep(self, node: Node) -> Gtk.Widget:
        """A thin line."""
        return Gtk.Separator(orientation=Gtk.Orientation.VERTICAL)

    def make_spring(self, node: Node) -> Gtk.Widget:
        """Empty room."""
        return Gtk.Box()

    def make_label(self, node: Node) -> Gtk.Widget:
        """Fixed text."""
        label = Gtk.Label(label=node["label"], xalign=0)
        if node.get("wrap"):
            label.set_line_wrap(True)
            label.set_max_width_chars(node["wrap"])
        if node.get("heading"):
            attributes = Pango.AttrList()
            attributes.insert(Pango.attr_weight_new(Pango.Weight.BOLD))
            attributes.insert(Pango.attr_scale_new(1.2))
            label.set_attributes(attributes)
            self.mark(label, node["label"], "heading", "text", node)
        return label

    def make_picture(self, node: Node) -> Gtk.Widget:
        """A large icon."""
        return self.image(node["icon"], node["size"])

    def make_entry(self, node: Node) -> Gtk.Widget:
        """A text field."""
        entry = Gtk.Entry()
        entry.set_text(node.get("text", ""))
        shown = node.get("bare") and not node.get("text")
        if shown:
            entry.set_placeholder_text(node["label"])
        if node.get("label", "").startswith("Search"):
            entry.set_icon_from_icon_name(Gtk.EntryIconPosition.PRIMARY, "edit-find-symbolic")
        self.mark(entry, node["label"], "field", "text" if shown or not node.get("bare") else "icon", node, label="" if node.get("bare") else node["label"])
        return entry

    def make_combo(self, node: Node) -> Gtk.Widget:
        """A drop-down list."""
        combo = Gtk.ComboBoxText()
        for option in node["options"]:
            combo.append_text(option)
        combo.set_active(node["active"])
        combo.options = node["options"]
        self.combos.append(combo)
        self.mark(combo, node["label"], "combobox", "icon" if node.get("bare") else "text", node, label="" if node.get("bare") else node["label"], state="")
        return combo

    def make_check(self, node: Node) -> Gtk.Widget:
        """A box to tick."""
        check = Gtk.CheckButton(label=node["label"])
        check.set_active(node["on"])
        self.mark(check, node["label"], "checkbox", "text", node)
        return check

    def make_radio(self, node: Node) -> Gtk.Widget:
        """One of several choices."""
        leader = None if node["first"] else self.radios.get(node["group"])
        radio = Gtk.RadioButton.new_with_label_from_widget(leader, node["label"])
        self.radios[node["group"]] = radio
        radio.set_active(bool(node["on"]))
        self.mark(radio, node["label"], "radio", "text", node, label="")
        return radio

    def make_switch(self, node: Node) -> Gtk.Widget:
        """An on-off switch."""
        switch = Gtk.Switch()
        switch.set_active(node["on"])
        switch.set_halign(Gtk.Align.START)
        switch.set_valign(Gtk.Align.CENTER)
        self.mark(switch, node["label"], "switch", "icon", node, label=node["label"])
        return switch

    def make_slider(self, node: Node) -> Gtk.Widget:
        """A slider."""
        scale = Gtk.Scale.new_with_range(Gtk.Orientation.HORIZONTAL, 0, 100, 1)
        scale.set_value(node["value"] * 100)
        scale.set_draw_value(False)
        scale.set_size_request(110, -1)
        self.mark(scale, node["label"], "slider", "icon", node, label=node["label"], state="")
        return scale

    def make_spin(self, node: Node) -> Gtk.Widget:
        """A number with arrows."""
        spin = Gtk.SpinButton.new_with_range(0, 2000, 1)
        spin.set_value(node["value"])
        spin.set_halign(Gtk.Align.START)
        self.mark(spin, node["label"], "field", "text", node, label=node["label"], state="")
        return spin

    def make_progress(self, node: Node) -> Gtk.Widget:
        """A bar that fills."""
        bar = Gtk.ProgressBar()
        bar.set_fraction(node["value"])
        return bar

    def make_text(self, node: Node) -> Gtk.Widget:
        """A text area."""
        view = Gtk.TextView()
        view.get_buffer().set_text("\n".join(node["lines"]))
        view.set_monospace(bool(node.get("mono")))
        view.set_left_margin(4)
        view.set_cursor_visible(False)
        if not node.get("mono"):
            view.set_wrap_mode(Gtk.WrapMode.WORD)
        if node.get("dark"):
            provider = Gtk.CssProvider()
            provider.load_from_data(b"textview text { background-color: #1c1f22; color: #d6dde0; }")
            view.get_style_context().add_provider(provider, Gtk.STYLE_PROVIDER_PRIORITY_USER)
        area = self.scrolled(view)
        area.set_size_request(160, 60)
        self.mark(area, node["label"], "field", "icon", node, label="" if node.get("bare") else node["label"], state="")
        return area

    def make_form(self, node: Node) -> Gtk.Widget:
        """Labels beside fields."""
        grid = Gtk.Grid(column_spacing=10, row_spacing=6)
        for number, row in enumerate(node["rows"]):
            for column, child in enumerate(row):
                widget = self.build(child)
                if child["t"] in ("entry", "slider", "combo", "text"):
                    widget.set_hexpand(child["t"] != "combo")
                if child["t"] == "button":
                    widget.set_halign(Gtk.Align.START)
                grid.attach(widget, column, number, 1 if len(row) > 1 else 2, 1)
        return self.scrolled(grid, natural=True)

    def make_keys(self, node: Node) -> Gtk.Widget:
        """The keys of a calculator."""
        grid = Gtk.Grid(column_spacing=3, row_spacing=3, row_homogeneous=True, column_homogeneous=True)
        for y, row in enumerate(node["rows_of_keys"]):
            for x, key in enumerate(row):
                button = self.make_button({"t": "button", "label": key, "section": node.get("section", "")})
                button.set_vexpand(True)
                button.set_hexpand(True)
                grid.attach(button, x, y, 1, 1)
        return grid

    def make_calendar(self, node: Node) -> Gtk.Widget:
        """A month."""
        return Gtk.Calendar()

    def make_tabs(self, node: Node) -> Gtk.Widget:
        """A notebook."""
        book = Gtk.Notebook()
        book.set_tab_pos(SIDES[node.get("side", "top")])
        book.set_scrollable(True)
        for number, title in enumerate(node["titles"]):
            current = number == node["current"]
            tab = Gtk.Box(spacing=6)
            tab.pack_start(Gtk.Label(label=title), True, True, 0)
            if node.get("closable"):
                close = Gtk.Button.new_from_icon_name("window-close-symbolic", Gtk.IconSize.MENU)
                close.set_relief(Gtk.ReliefStyle.NONE)
                self.mark(close, "Close", "button", "icon", node, concept="window-close", row=title, state="", description="Close tab")
                tab.pack_start(close, False, False, 0)
            tab.show_all()
            book.append_page(self.build(node["children"][0]) if current else Gtk.Box(), tab)
            self.mark(tab, title, "tab", "text", node, state="selected" if current else "")
        book.show_all()
        book.set_current_page(node["current"])
        return book

    def make_list(self, node: Node) -> Gtk.Widget:
        """A list with icons."""
        box = Gtk.ListBox()
        for number, item in enumerate(node["items"]):
            row, line = Gtk.ListBoxRow(), Gtk.Box(spacing=6)
            line.set_border_width(4)
            if item.get("icon"):
                line.pack_start(self.image(item["icon"], 16), False, False, 0)
            line.pack_start(Gtk.Label(label=item["label"], xalign=0), False, False, 0)
            row.add(line)
            box.add(row)
            chosen = number == node.get("selected")
            self.mark(row, item["label"], "listitem", "text", node, concept=item.get("icon", ""), state="selected" if chosen else "")
            if chosen:
                box.select_row(row)
        return self.scrolled(box)

    def make_icons(self, node: Node) -> Gtk.Widget:
        """Files as icons."""
        flow = Gtk.FlowBox(max_children_per_line=14, homogeneous=True, column_spacing=6, row_spacing=6)
        flow.set_valign(Gtk.Align.START)
        for number, item in enumerate(node["items"]):
            box = Gtk.Box(orientation=Gtk.Orientation.VERTICAL, spacing=3)
            box.pack_start(self.image(item["icon"], node["size"]), False, False, 0)
            box.pack_start(Gtk.Label(label=item["label"]), False, False, 0)
            child = Gtk.FlowBoxChild()
            child.add(box)
            flow.add(child)
            chosen = number == node.get("selected")
            self.mark(child, item["label"], "listitem", "text", node, concept=item["icon"], state="selected" if chosen else "")
            if chosen:
                flow.select_child(child)
        return self.scrolled(flow)

    def make_tree(self, node: Node) -> Gtk.Widget:
        """A tree or a table."""
        columns = node["columns"]
        store = Gtk.TreeStore(str, *[str] * len(columns))

        def fill(parent: Gtk.TreeIter | None, rows: list[Node]) -> None:
            for row in rows:
                spot = store.append(parent, [self.icon(row.get("icon", "")) or None, *row["cells"]])
                fill(spot, row.get("children", []))

        fill(None, node["rows"])
        tree = Gtk.TreeView(model=store)
        for number, title in enumerate(columns):
            column = Gtk.TreeViewColumn(title.replace("_", "__"))
            if number == 0 and any(r.get("icon") for r in node["rows"]):
                picture = Gtk.CellRendererPixbuf()
                column.pack_start(picture, False)
                column.add_attribute(picture, "icon-name", 0)
            text = Gtk.CellRendererText()
            column.pack_start(text, True)
            column.add_attribute(text, "text", number + 1)
            column.set_resizable(True)
            tree.append_column(column)
        tree.set_headers_visible(bool(node["headers"]))
        tree.set_show_expanders(any(r.get("children") for r in node["rows"]))
        if node.get("lines"):
            tree.set_grid_lines(Gtk.TreeViewGridLines.BOTH)
        tree.expand_all()
        if node.get("selected") is not None:
            tree.get_selection().select_path(Gtk.TreePath.new_from_indices([min(node["selected"], len(node["rows"]) - 1)]))
        tree.node = node
        return self.scrolled(tree)

    def make_canvas(self, node: Node) -> Gtk.Widget:
        """A picture, a page, a ruler or a chart."""
        area = Gtk.DrawingArea()
        area.set_size_request(60, node.get("height", 60))
        area.connect("draw", self.draw, node)
        return area

    def draw(self, area: Gtk.DrawingArea, context: Any, node: Node) -> None:
        """Paint a canvas; no words are told for it, so that it carries shapes only."""
        width, height = area.get_allocated_width(), area.get_allocated_height()
        grey = {"picture": 0.55, "page": 0.7, "ruler": 0.92, "chart": 0.1}[node["kind"]]
        context.set_source_rgb(grey, grey, grey)
        context.paint()
        if node["kind"] == "page":
            context.set_source_rgb(1, 1, 1)
            context.rectangle(width * 0.12, 16, width * 0.76, height)
            context.fill()
        elif node["kind"] == "picture":
            for i in range(9):
                context.set_source_rgba(0.2 + i * 0.08, 0.75 - i * 0.06, 0.3 + (i * 37 % 10) / 20, 0.8)
                context.arc(width * (i * 53 % 97) / 97, height * (0.2 + (i * 31 % 67) / 90), height * (0.08 + i * 0.03), 0, 6.3)
                context.fill()
        elif node["kind"] == "ruler":
            context.set_source_rgb(0.3, 0.3, 0.3)
            for x in range(0, width, 8):
                context.rectangle(x, height - (9 if x % 40 == 0 else 4), 1, 9)
            context.fill()
        else:
            for color, step in (((0.2, 0.9, 0.3), 17), ((0.9, 0.6, 0.1), 29)):
                context.set_source_rgb(*color)
                for i in range(60):
                    context.line_to(width * i / 59, height * (0.2 + (i * i * step % 61) / 100))
                context.stroke()


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
                box = [max(box[0], spot[0]), max(box[1], spot[1]), min(box[2], spot[0] + parent.get_allocated_width()), min(box[3], spot[1] + parent.get_allocated_height())]
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
            self.add(self.visible(widget), {"name": name, "role": "button", "kind": "icon", "concept": "window-" + name.lower(), "section": "Title bar"})
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
            box = self.cut([origin[0] + x, origin[1] + y, origin[0] + x + last.x - first.x, origin[1] + y + first.height], view)
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
                    self.add(self.visible(column.get_button()), {"name": title, "role": "heading", "kind": "text", "section": node.get("section", "")})
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
                box = self.cut([origin[0] + x, origin[1] + y, origin[0] + x + place.width, origin[1] + y + place.height], tree)
                role = ("treeitem" if node["rows"] and any(r.get("children") for r in node["rows"]) else "listitem") if plain else "cell"
                facts = {"name": text, "role": role, "kind": "text", "section": node.get("section", ""), "row": lead if lead != text and not plain else "", "state": "selected" if path in chosen else ""}
                self.add(box, facts)
                self.cell_words(tree, path, column, text, origin, head)
            return False

        store.foreach(visit)

    def cell_words(self, tree: Gtk.TreeView, path: Gtk.TreePath, column: Gtk.TreeViewColumn, text: str, origin: tuple[int, int], head: int) -> None:
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


def pump(seconds: float) -> None:
    """Let the toolkit work until nothing is left to do, for at least some time."""
    end = time.monotonic() + seconds
    while time.monotonic() < end or Gtk.events_pending():
        Gtk.main_iteration_do(False)
        if not Gtk.events_pending():
            time.sleep(0.004)
        if time.monotonic() > end + 3:
            break
    Gdk.Display.get_default().sync()


def title_bar(renderer: Renderer, window: Gtk.Window, title: str, kind: str, items: list[Node]) -> None:
    """Give a window a bar with its title, drawn by the toolkit."""
    if kind == "none":
        window.set_decorated(False)
        return
    bar = Gtk.HeaderBar(show_close_button=True, title=title, has_subtitle=False)
    if kind == "title":
        bar.get_style_context().add_class("default-decoration")
    at_end = False
    for item in items:
        if item["t"] == "spring":
            at_end = True
        elif item["t"] != "sep":
            widget = renderer.build({**item, "t": "iconbutton" if item["t"] == "tool" else item["t"]})
            (bar.pack_end if at_end else bar.pack_start)(widget)
    window.set_titlebar(bar)


def fill_menu(renderer: Renderer, menu: Gtk.Menu, items: list[Node], title: str) -> list[Gtk.MenuItem]:
    """Put items into a menu and mark them."""
    made = []
    group = Gtk.AccelGroup()
    menu.set_accel_group(group)
    for item in items:
        if item["t"] == "sep":
            entry = Gtk.SeparatorMenuItem()
        else:
            entry = Gtk.CheckMenuItem(label=item["label"]) if item.get("check") else Gtk.MenuItem(label=item["label"])
            if item.get("check"):
                entry.set_active(True)
            key, modifiers = Gtk.accelerator_parse(accelerator(item.get("accel", "")))
            if key:
                entry.add_accelerator("activate", group, key, modifiers, Gtk.AccelFlags.VISIBLE)
            renderer.mark(entry, item["label"], "menuitem", "text", {"section": title, "off": item.get("off")}, state="checked" if item.get("check") else "")
            if item.get("items"):
                inner = Gtk.Menu()
                fill_menu(renderer, inner, item["items"], item["label"])
                entry.set_submenu(inner)
        menu.append(entry)
        made.append(entry)
    menu.show_all()
    return made


def accelerator(text: str) -> str:
    """Turn "Ctrl+Shift+S" into the toolkit's spelling."""
    parts = text.split("+")
    if not text or not parts[-1]:
        return ""
    key = {"Space": "space", "Del": "Delete"}.get(parts[-1], parts[-1])
    return "".join({"Ctrl": "<Control>", "Shift": "<Shift>", "Alt": "<Alt>"}.get(p, "") for p in parts[:-1]) + key


def draw_scene(renderer: Renderer, scene: Node, look: Node) -> Node:
    """Show one scene and tell what is on it."""
    if renderer.bar is not None:
        renderer.bar.cancel()
    for menu in reversed(renderer.menus):
        if menu.get_mapped():
            menu.popdown()
    pump(0.01)
    for window in reversed(renderer.windows):
        window.destroy()
    renderer.windows, renderer.marks, renderer.combos, renderer.menus, renderer.radios, renderer.look = [], [], [], [], {}, look
    pump(0.01)
    for key, value in look["settings"].items():
        if renderer.settings.get_property(key) != value:
            renderer.settings.set_property(key, value)
    renderer.spare.set_custom_theme(look["spare"])
    facts = scene["window"]
    window = Gtk.Window()
    renderer.windows.append(window)
    title_bar(renderer, window, facts["title"], facts["bar"], scene["header"])
    column = Gtk.Box(orientation=Gtk.Orientation.VERTICAL)
    overlay = scene["overlay"]
    bar, opened = Gtk.MenuBar(), None
    renderer.bar = bar
    for number, title in enumerate(scene["menubar"]):
        item = Gtk.MenuItem(label=title)
        menu = Gtk.Menu()
        item.set_submenu(menu)
        bar.append(item)
        chosen = overlay["kind"] == "menu" and overlay["index"] == number
        if chosen:
            opened = (item, menu, fill_menu(renderer, menu, overlay["items"], title))
        renderer.mark(item, title, "menuitem", "text", section="Menu bar", state="expanded" if chosen else "")
    if scene["menubar"]:
        column.pack_start(bar, False, False, 0)
    for node in scene["bars"]:
        column.pack_start(renderer.build(node), False, False, 0)
    column.pack_start(renderer.build(scene["body"]), True, True, 0)
    if scene["status"]:
        status = Gtk.Box(spacing=16)
        status.set_border_width(3)
        for node in scene["status"]:
            status.pack_start(renderer.build(node), False, False, 4)
        column.pack_start(status, False, False, 0)
    window.add(column)
    place(window, facts["x"], facts["y"], facts["width"], facts["height"])
    open_overlay(renderer, scene, window, opened)
    return collect(renderer, scene)


def place(window: Gtk.Window, x: int, y: int, width: int, height: int) -> None:
    """Show a window at a place."""
    window.set_default_size(width, height)
    window.move(x, y)
    window.show_all()
    window.move(x, y)
    pump(0.05)
    window.get_window().focus(0)
    pump(0.04)


def open_overlay(renderer: Renderer, scene: Node, window: Gtk.Window, opened: Any) -> None:
    """Open the menu, list or dialog of a scene."""
    overlay = scene["overlay"]
    kind = overlay["kind"]
    if kind == "dialog":
        top = Gtk.Window()
        top.set_transient_for(window)
        title_bar(renderer, top, overlay["title"], "title" if scene["window"]["bar"] != "none" or len(overlay["title"]) % 2 else "none", [])
        top.add(renderer.build(overlay["root"]))
        renderer.windows.append(top)
        place(top, 0, 0, overlay["width"], overlay["height"] or -1)
        width, height = top.get_size()
        left = max(0, min(round(overlay["x"] * scene["size"][0] - width / 2), scene["size"][0] - width))
        above = max(0, min(round(overlay["y"] * scene["size"][1] - height / 2), scene["size"][1] - height))
        top.move(left, above)
        pump(0.05)
        return
    if kind == "menu" and opened:
        item, menu, entries = opened
        item.emit("activate-item")
        pump(0.06)
        if not menu.get_mapped():
            menu.popup_at_widget(item, Gdk.Gravity.SOUTH_WEST, Gdk.Gravity.NORTH_WEST, None)
        item.set_state_flags(Gtk.StateFlags.PRELIGHT, False)
    elif kind in ("menu", "context"):
        menu = Gtk.Menu()
        menu.attach_to_widget(window, None)
        entries = fill_menu(renderer, menu, overlay["items"], overlay["title"])
        area = Gdk.Rectangle()
        area.x, area.y = round(overlay.get("x", 0.6) * window.get_size()[0]), round(overlay.get("y", 0.07) * window.get_size()[1])
        area.width = area.height = 1
        menu.popup_at_rect(window.get_window(), area, Gdk.Gravity.SOUTH_WEST, Gdk.Gravity.NORTH_WEST, None)
    elif kind == "combo" and (shown := [c for c in renderer.combos if c.get_mapped() and c.get_sensitive()]):
        combo = shown[int(scene["combo"] * len(shown))]
        menu = Gtk.Menu()
        menu.attach_to_widget(combo, None)
        entries = fill_menu(renderer, menu, [{"t": "item", "label": o} for o in combo.options], "List")
        menu.set_size_request(combo.get_allocated_width(), -1)
        menu.popup_at_widget(combo, Gdk.Gravity.SOUTH_WEST, Gdk.Gravity.NORTH_WEST, None)
    else:
        return
    renderer.menus.append(menu)
    pump(0.08)
    if overlay.get("sub", -1) >= 0 and menu.get_mapped():
        entries[overlay["sub"]].emit("activate-item")
        inner = entries[overlay["sub"]].get_submenu()
        renderer.menus.append(inner)
        pump(0.1)


def collect(renderer: Renderer, scene: Node) -> Node:
    """Tell boxes and words of every window, lowest first."""
    tops = [*renderer.windows, *(menu.get_toplevel() for menu in renderer.menus if menu.get_mapped())]
    answer: Node = {"elements": [], "words": [], "rects": []}
    for layer, top in enumerate(tops):
        facts = Facts(renderer, top, layer)
        answer["rects"].append([facts.x, facts.y, facts.x + top.get_allocated_width(), facts.y + top.get_allocated_height()])
        for widget, one in renderer.marks:
            if widget.get_toplevel() is top:
                facts.add(facts.visible(widget), one)
        facts.walk(top)
        answer["elements"] += facts.elements
        answer["words"] += facts.words
    return answer


def main() -> None:
    """Draw scenes until the input ends."""
    renderer = Renderer()
    for line in sys.stdin:
        request = json.loads(line)
        answer = draw_scene(renderer, request["scene"], request["look"])
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()

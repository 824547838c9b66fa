"""Makes GTK 3 widgets of described parts and remembers which of them are elements."""

from typing import Any

import gi

gi.require_version("Gtk", "3.0")
gi.require_version("Gdk", "3.0")
from gi.repository import GLib, Gtk, Pango  # noqa: E402

from foveate.grounding.synthetic.toolkit_gtk_canvas import draw_canvas  # noqa: E402

Node = dict[str, Any]
MODES = {"icons": Gtk.ToolbarStyle.ICONS, "beside": Gtk.ToolbarStyle.BOTH_HORIZ, "below": Gtk.ToolbarStyle.BOTH}
SIDES = {"top": Gtk.PositionType.TOP, "bottom": Gtk.PositionType.BOTTOM, "left": Gtk.PositionType.LEFT}


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
        found: Node = {
            "name": clean(name),
            "role": role,
            "kind": kind,
            "section": node.get("section", ""),
            "row": node.get("row", ""),
        }
        found["description"] = node.get("tip", "")
        found["state"] = "disabled" if node.get("off") else "checked" if node.get("on") else ""
        found.update(facts)
        self.marks.append((widget, found))
        if node.get("off"):
            widget.set_sensitive(False)
        if node.get("tip"):
            widget.set_tooltip_text(node["tip"])

    def icon(self, name: str) -> str:
        """Find the name under which the theme has an icon; empty when it has none."""
        short = self.look.get("symbolic", False)
        for one in (name + "-symbolic", name) if short else (name, name + "-symbolic"):
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
        box = Gtk.Box(
            orientation=Gtk.Orientation.VERTICAL if node["dir"] == "v" else Gtk.Orientation.HORIZONTAL,
            spacing=node["spacing"],
        )
        box.set_border_width(node["pad"])
        for child in node["children"]:
            widget = self.build(child)
            if node["dir"] == "h" and child["t"] in (
                "button",
                "iconbutton",
                "switch",
                "combo",
                "entry",
                "progress",
                "check",
            ):
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
        button = Gtk.Button(image=self.image(node["icon"], 16))
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
        self.mark(
            entry,
            node["label"],
            "field",
            "text" if shown or not node.get("bare") else "icon",
            node,
            label="" if node.get("bare") else node["label"],
        )
        return entry

    def make_combo(self, node: Node) -> Gtk.Widget:
        """A drop-down list."""
        combo = Gtk.ComboBoxText()
        for option in node["options"]:
            combo.append_text(option)
        combo.set_active(node["active"])
        combo.options = node["options"]
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
                self.mark(
                    close,
                    "Close",
                    "button",
                    "icon",
                    node,
                    concept="window-close",
                    row=title,
                    state="",
                    description="Close tab",
                )
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
            self.mark(
                row,
                item["label"],
                "listitem",
                "text",
                node,
                concept=item.get("icon", ""),
                state="selected" if chosen else "",
            )
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
            self.mark(
                child, item["label"], "listitem", "text", node, concept=item["icon"], state="selected" if chosen else ""
            )
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
            tree.get_selection().select_path(
                Gtk.TreePath.new_from_indices([min(node["selected"], len(node["rows"]) - 1)])
            )
        tree.node = node
        return self.scrolled(tree)

    def make_canvas(self, node: Node) -> Gtk.Widget:
        """A picture, a page, a ruler or a chart."""
        area = Gtk.DrawingArea()
        area.set_size_request(60, node.get("height", 60))
        area.connect("draw", draw_canvas, node)
        return area

"""Makes Qt 5 widgets of described parts and remembers which of them are elements."""

from typing import Any

from PyQt5 import QtGui, QtWidgets
from PyQt5.QtCore import QRect, QSize, Qt

from foveate.grounding.synthetic.toolkit_qt_canvas import Canvas

Node = dict[str, Any]
MODES = {"icons": Qt.ToolButtonIconOnly, "beside": Qt.ToolButtonTextBesideIcon, "below": Qt.ToolButtonTextUnderIcon}


class Builder:
    """Makes widgets of nodes and remembers which of them are elements."""

    def __init__(self, look: Node) -> None:
        self.look = look
        self.marks: list[tuple[Any, Node]] = []
        self.combos: list[Any] = []
        self.groups: dict[str, Any] = {}

    def mark(self, widget: Any, name: str, role: str, kind: str, node: Node | None = None, **facts: str) -> None:
        """Remember that a widget, or a function that gives a box, is an element."""
        node = node or {}
        found: Node = {
            "name": name.replace("&", ""),
            "role": role,
            "kind": kind,
            "section": node.get("section", ""),
            "row": node.get("row", ""),
        }
        found["description"] = node.get("tip", "")
        found["state"] = "disabled" if node.get("off") else "checked" if node.get("on") else ""
        found.update(facts)
        self.marks.append((widget, found))
        if isinstance(widget, QtWidgets.QWidget):
            widget.setEnabled(not node.get("off"))
            widget.setToolTip(node.get("tip", ""))

    def icon(self, name: str) -> QtGui.QIcon:
        """Icon of the theme; null when neither the theme nor its fallback has it."""
        return QtGui.QIcon.fromTheme(name) if name else QtGui.QIcon()

    def build(self, node: Node) -> Any:
        """Make the widget of a node."""
        widget = getattr(self, "make_" + node["t"])(node)
        if node.get("width"):
            widget.setFixedWidth(node["width"])
        return widget

    def make_box(self, node: Node) -> Any:
        """Children in a row or a column."""
        holder = QtWidgets.QWidget()
        layout = QtWidgets.QVBoxLayout(holder) if node["dir"] == "v" else QtWidgets.QHBoxLayout(holder)
        layout.setContentsMargins(*[node["pad"]] * 4)
        layout.setSpacing(node["spacing"])
        for child in node["children"]:
            layout.addWidget(self.build(child), 1 if child.get("expand") else 0)
        if node["dir"] == "v" and not any(c.get("expand") for c in node["children"]):
            layout.addStretch(1)
        return holder

    def make_panes(self, node: Node) -> Any:
        """Two parts with a movable border."""
        flat = node["dir"] == "h"
        splitter = QtWidgets.QSplitter(Qt.Horizontal if flat else Qt.Vertical)
        size = abs(node["size"])
        for child in node["children"]:
            splitter.addWidget(self.build(child))
        splitter.setSizes([size, 4000] if node["size"] > 0 else [4000, size])
        small = splitter.widget(0 if node["size"] > 0 else 1)
        if flat:
            small.setFixedWidth(max(size, 120))
        else:
            small.setFixedHeight(max(size, 90))
        return splitter

    def make_panel(self, node: Node) -> Any:
        """A titled dock."""
        holder = QtWidgets.QWidget()
        layout = QtWidgets.QVBoxLayout(holder)
        layout.setContentsMargins(2, 2, 2, 2)
        layout.setSpacing(2)
        bar = QtWidgets.QHBoxLayout()
        bar.addWidget(QtWidgets.QLabel(node["title"]), 1)
        for name, picture in (
            ("Float", QtWidgets.QStyle.SP_TitleBarNormalButton),
            ("Close", QtWidgets.QStyle.SP_DockWidgetCloseButton),
        ):
            button = QtWidgets.QToolButton()
            button.setAutoRaise(True)
            button.setIcon(button.style().standardIcon(picture))
            button.setIconSize(QSize(12, 12))
            bar.addWidget(button)
            self.mark(
                button,
                name,
                "button",
                "icon",
                {"section": node["title"]},
                concept="window-close" if name == "Close" else "window-restore",
            )
        layout.addLayout(bar)
        layout.addWidget(self.build(node["children"][0]), 1)
        return holder

    def make_group(self, node: Node) -> Any:
        """A titled frame."""
        box = QtWidgets.QGroupBox(node["title"])
        layout = QtWidgets.QVBoxLayout(box)
        layout.addWidget(self.build(node["children"][0]))
        return box

    def make_toolbar(self, node: Node) -> Any:
        """A toolbar of theme icons."""
        bar = QtWidgets.QToolBar()
        bar.setIconSize(QSize(node["size"], node["size"]))
        bar.setToolButtonStyle(MODES[node["mode"]])
        for item in node["items"]:
            if item["t"] == "sep":
                bar.addSeparator()
            elif item["t"] != "tool":
                widget = self.build(item)
                widget.setMaximumWidth(200)
                bar.addWidget(widget)
            elif not self.icon(item["icon"]).isNull():
                action = bar.addAction(self.icon(item["icon"]), item["label"])
                action.setEnabled(not item.get("off"))
                action.setCheckable(bool(item.get("on")))
                action.setChecked(bool(item.get("on")))
                self.mark(
                    bar.widgetForAction(action),
                    item["label"],
                    "button",
                    "icon" if node["mode"] == "icons" else "text",
                    item,
                    concept=item["icon"],
                )
        return bar

    def make_toolgrid(self, node: Node) -> Any:
        """A palette of tools."""
        holder = QtWidgets.QWidget()
        grid = QtWidgets.QGridLayout(holder)
        grid.setSpacing(1)
        grid.setContentsMargins(3, 3, 3, 3)
        items = [i for i in node["items"] if not self.icon(i["icon"]).isNull()]
        for number, item in enumerate(items):
            button = self.make_iconbutton({**item, "size": node["size"]})
            button.setAutoRaise(True)
            grid.addWidget(button, number // node["columns"], number % node["columns"])
        grid.setRowStretch(99, 1)
        grid.setColumnStretch(9, 1)
        return holder

    def make_iconbutton(self, node: Node) -> Any:
        """A button with an icon only."""
        icon = self.icon(node["icon"])
        if icon.isNull():
            return self.make_button({**node, "icon": ""})
        button = QtWidgets.QToolButton()
        button.setIcon(icon)
        button.setIconSize(QSize(node.get("size", 16), node.get("size", 16)))
        button.setCheckable(bool(node.get("on")))
        button.setChecked(bool(node.get("on")))
        self.mark(button, node["label"], "button", "icon", node, concept=node["icon"])
        return button

    make_tool = make_iconbutton

    def make_button(self, node: Node) -> Any:
        """A labelled button."""
        button = QtWidgets.QPushButton(node["label"].replace("&", "&&"))
        if node.get("icon") and not self.icon(node["icon"]).isNull():
            button.setIcon(self.icon(node["icon"]))
        self.mark(
            button,
            node["label"],
            "button",
            "text",
            node,
            concept=node.get("icon", ""),
            state="disabled" if node.get("off") else "",
        )
        return button

    def make_spring(self, node: Node) -> Any:
        """Empty room."""
        return QtWidgets.QWidget()

    def make_label(self, node: Node) -> Any:
        """Fixed text."""
        label = QtWidgets.QLabel(node["label"])
        label.setTextFormat(Qt.PlainText)
        if node.get("wrap"):
            label.setWordWrap(True)
        if node.get("heading"):
            font = label.font()
            font.setBold(True)
            font.setPointSizeF(font.pointSizeF() * 1.2)
            label.setFont(font)
            self.mark(label, node["label"], "heading", "text", node)
        return label

    def make_picture(self, node: Node) -> Any:
        """A large icon."""
        label = QtWidgets.QLabel()
        label.setPixmap(self.icon(node["icon"]).pixmap(node["size"], node["size"]))
        label.setFixedWidth(node["size"] + 4)
        return label

    def make_entry(self, node: Node) -> Any:
        """A text field."""
        entry = QtWidgets.QLineEdit(node.get("text", ""))
        shown = node.get("bare") and not node.get("text")
        if shown:
            entry.setPlaceholderText(node["label"])
        self.mark(
            entry,
            node["label"],
            "field",
            "text" if shown or not node.get("bare") else "icon",
            node,
            label="" if node.get("bare") else node["label"],
        )
        return entry

    def make_combo(self, node: Node) -> Any:
        """A drop-down list."""
        combo = QtWidgets.QComboBox()
        combo.addItems(node["options"])
        combo.setCurrentIndex(node["active"])
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

    def make_check(self, node: Node) -> Any:
        """A box to tick."""
        check = QtWidgets.QCheckBox(node["label"])
        check.setChecked(bool(node["on"]))
        self.mark(check, node["label"], "checkbox", "text", node)
        return check

    def make_radio(self, node: Node) -> Any:
        """One of several choices."""
        radio = QtWidgets.QRadioButton(node["label"])
        group = self.groups.setdefault(node["group"], QtWidgets.QButtonGroup())
        group.addButton(radio)
        radio.setChecked(bool(node["on"]))
        self.mark(radio, node["label"], "radio", "text", node, label="")
        return radio

    def make_switch(self, node: Node) -> Any:
        """A box to tick, beside its caption; the toolkit has no switches."""
        check = QtWidgets.QCheckBox()
        check.setChecked(bool(node["on"]))
        check.setSizePolicy(QtWidgets.QSizePolicy.Fixed, QtWidgets.QSizePolicy.Fixed)
        self.mark(check, node["label"], "checkbox", "icon", node, label=node["label"])
        return check

    def make_slider(self, node: Node) -> Any:
        """A slider."""
        slider = QtWidgets.QSlider(Qt.Horizontal)
        slider.setRange(0, 100)
        slider.setValue(int(node["value"] * 100))
        self.mark(slider, node["label"], "slider", "icon", node, label=node["label"], state="")
        return slider

    def make_spin(self, node: Node) -> Any:
        """A number with arrows."""
        spin = QtWidgets.QSpinBox()
        spin.setRange(0, 2000)
        spin.setValue(int(node["value"]))
        spin.setMaximumWidth(120)
        self.mark(spin, node["label"], "field", "text", node, label=node["label"], state="")
        return spin

    def make_progress(self, node: Node) -> Any:
        """A bar that fills."""
        bar = QtWidgets.QProgressBar()
        bar.setValue(int(node["value"] * 100))
        return bar

    def make_text(self, node: Node) -> Any:
        """A text area."""
        view = QtWidgets.QPlainTextEdit("\n".join(node["lines"]))
        if node.get("mono"):
            view.setFont(QtGui.QFont("DejaVu Sans Mono", self.look["size"]))
            view.setLineWrapMode(QtWidgets.QPlainTextEdit.NoWrap)
        if node.get("dark"):
            palette = view.palette()
            palette.setColor(QtGui.QPalette.Base, QtGui.QColor("#1c1f22"))
            palette.setColor(QtGui.QPalette.Text, QtGui.QColor("#d6dde0"))
            view.setPalette(palette)
        view.setMinimumHeight(50)
        self.mark(view, node["label"], "field", "icon", node, label="" if node.get("bare") else node["label"], state="")
        return view

    def make_form(self, node: Node) -> Any:
        """Labels beside fields, in an area that scrolls."""
        holder = QtWidgets.QWidget()
        form = QtWidgets.QGridLayout(holder)
        form.setContentsMargins(4, 4, 4, 4)
        for number, row in enumerate(node["rows"]):
            for column, child in enumerate(row):
                form.addWidget(
                    self.build(child),
                    number,
                    column,
                    1,
                    1 if len(row) > 1 else 2,
                    *([Qt.AlignLeft] if child["t"] in ("button", "combo") else []),
                )
        form.setColumnStretch(1, 1)
        form.setRowStretch(99, 1)
        area = QtWidgets.QScrollArea()
        area.setWidgetResizable(True)
        area.setFrameShape(QtWidgets.QFrame.NoFrame)
        area.setWidget(holder)
        area.setMinimumHeight(min(holder.sizeHint().height() + 6, 300))
        return area

    def make_keys(self, node: Node) -> Any:
        """The keys of a calculator."""
        holder = QtWidgets.QWidget()
        grid = QtWidgets.QGridLayout(holder)
        for y, row in enumerate(node["rows_of_keys"]):
            for x, key in enumerate(row):
                button = self.make_button({"t": "button", "label": key, "section": node.get("section", "")})
                button.setSizePolicy(QtWidgets.QSizePolicy.Expanding, QtWidgets.QSizePolicy.Expanding)
                button.setMinimumWidth(20)
                grid.addWidget(button, y, x)
        return holder

    def make_calendar(self, node: Node) -> Any:
        """A month."""
        return QtWidgets.QCalendarWidget()

    def make_canvas(self, node: Node) -> Any:
        """A picture or a page."""
        return Canvas(node)

    def make_tabs(self, node: Node) -> Any:
        """A notebook."""
        book = QtWidgets.QTabWidget()
        side = node.get("side", "top")
        book.setTabPosition(QtWidgets.QTabWidget.South if side == "bottom" else QtWidgets.QTabWidget.North)
        book.setTabsClosable(bool(node.get("closable")))
        bar = book.tabBar()
        for number, title in enumerate(node["titles"]):
            current = number == node["current"]
            book.addTab(self.build(node["children"][0]) if current else QtWidgets.QWidget(), title)
            self.mark(
                (bar, lambda n=number: bar.tabRect(n)), title, "tab", "text", node, state="selected" if current else ""
            )
            close = bar.tabButton(number, QtWidgets.QTabBar.RightSide)
            if close is not None:
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
        book.setCurrentIndex(node["current"])
        return book

    def make_list(self, node: Node) -> Any:
        """A list with icons."""
        view = QtWidgets.QListWidget()
        view.setIconSize(QSize(16, 16))
        return self.fill_list(view, node)

    def make_icons(self, node: Node) -> Any:
        """Files as icons."""
        view = QtWidgets.QListWidget()
        view.setViewMode(QtWidgets.QListView.IconMode)
        view.setResizeMode(QtWidgets.QListView.Adjust)
        view.setIconSize(QSize(node["size"], node["size"]))
        view.setGridSize(QSize(node["size"] + 60, node["size"] + 34))
        return self.fill_list(view, node)

    def fill_list(self, view: Any, node: Node) -> Any:
        """Put items into a list and mark them."""
        for number, item in enumerate(node["items"]):
            row = QtWidgets.QListWidgetItem(self.icon(item.get("icon", "")), item["label"])
            view.addItem(row)
            chosen = number == node.get("selected")
            self.mark(
                (view.viewport(), lambda r=row: view.visualItemRect(r)),
                item["label"],
                "listitem",
                "text",
                node,
                concept=item.get("icon", ""),
                state="selected" if chosen else "",
            )
            if chosen:
                view.setCurrentItem(row)
        return view

    def make_tree(self, node: Node) -> Any:
        """A tree or a table."""
        tree = QtWidgets.QTreeWidget()
        columns = node["columns"]
        tree.setColumnCount(len(columns))
        tree.setHeaderLabels(columns)
        tree.setHeaderHidden(not node["headers"])
        tree.setRootIsDecorated(any(r.get("children") for r in node["rows"]))
        tree.setAlternatingRowColors(bool(node.get("lines")))
        nested = any(r.get("children") for r in node["rows"])

        def fill(parent: Any, rows: list[Node]) -> None:
            for row in rows:
                item = QtWidgets.QTreeWidgetItem(parent, row["cells"])
                item.setIcon(0, self.icon(row.get("icon", "")))
                lead = next((c for c in row["cells"] if len(c) > 2), "")
                for number, text in enumerate(row["cells"]):
                    if text:
                        role = "cell" if len(columns) > 1 else "treeitem" if nested else "listitem"
                        facts = {"row": lead if lead != text and len(columns) > 1 else ""}
                        self.mark(
                            (tree.viewport(), lambda i=item, n=number: tree.visualRect(tree.indexFromItem(i, n))),
                            text,
                            role,
                            "text",
                            node,
                            state="",
                            **facts,
                        )
                fill(item, row.get("children", []))

        fill(tree, node["rows"])
        tree.expandAll()
        head = tree.header()
        for number, title in enumerate(columns):
            tree.resizeColumnToContents(number)
            if node["headers"] and title:
                self.mark(
                    (
                        head.viewport(),
                        lambda n=number: QRect(head.sectionViewportPosition(n), 0, head.sectionSize(n), head.height()),
                    ),
                    title,
                    "heading",
                    "text",
                    node,
                    state="",
                )
        if node.get("selected") is not None:
            tree.setCurrentItem(tree.topLevelItem(min(node["selected"], len(node["rows"]) - 1)))
        return tree

"""Draws described windows with Qt 5: one JSON line in, one JSON line of facts out, the picture stays on the X display.

Run by the system's Python, which has the toolkit's bindings but not this package: standard library and PyQt5 only. Words come
from painting every widget a second time onto a device that draws nothing and notes each text with its place.
"""

import json
import random
import sys
import time
from typing import Any

from PyQt5 import QtCore, QtGui, QtWidgets
from PyQt5.QtCore import QPoint, QRect, QSize, Qt

Node = dict[str, Any]
MODES = {"icons": Qt.ToolButtonIconOnly, "beside": Qt.ToolButtonTextBesideIcon, "below": Qt.ToolButtonTextUnderIcon}
TITLE_BUTTONS = (("Minimize", "–"), ("Maximize", "□"), ("Close", "✕"))
LIMIT = 2**31 - 1


class TextEngine(QtGui.QPaintEngine):
    """Notes text instead of painting."""

    def __init__(self) -> None:
        super().__init__(QtGui.QPaintEngine.PaintEngineFeatures(QtGui.QPaintEngine.AllFeatures))
        self.items: list[tuple[float, float, str, float, float, float, Any]] = []

    def begin(self, device: Any) -> bool:
        """Accept any painter."""
        return True

    def end(self) -> bool:
        """Accept the end."""
        return True

    def type(self) -> Any:
        """Name the kind of engine."""
        return QtGui.QPaintEngine.User

    def ignore(self, *arguments: Any) -> None:
        """Paint nothing."""

    updateState = drawPixmap = drawImage = drawPath = drawPolygon = drawRects = drawLines = ignore  # noqa: N815
    drawEllipse = drawPoints = drawTiledPixmap = ignore  # noqa: N815

    def drawTextItem(self, point: Any, item: Any) -> None:  # noqa: N802
        """Note one run of text."""
        spot = self.painter().deviceTransform().map(point)
        self.items.append((spot.x(), spot.y(), item.text(), item.width(), item.ascent(), item.descent(), QtGui.QFontMetricsF(item.font())))


class TextDevice(QtGui.QPaintDevice):
    """A device that only notes text."""

    def __init__(self, size: QSize) -> None:
        super().__init__()
        self.size, self.engine = size, TextEngine()

    def paintEngine(self) -> TextEngine:  # noqa: N802
        """Give the engine that notes text."""
        return self.engine

    def metric(self, which: Any) -> int:
        """Tell sizes at 96 dots an inch."""
        device = QtGui.QPaintDevice
        table = {device.PdmWidth: self.size.width(), device.PdmHeight: self.size.height(), device.PdmDepth: 32, device.PdmNumColors: LIMIT, device.PdmDevicePixelRatio: 1}
        return table.get(which, 65536 if which == device.PdmDevicePixelRatioScaled else 96)


class Canvas(QtWidgets.QWidget):
    """A picture, a page, a ruler or a chart."""

    def __init__(self, node: Node) -> None:
        super().__init__()
        self.node = node
        if node.get("height"):
            self.setFixedHeight(node["height"])
        self.setMinimumSize(40, 20)

    def paintEvent(self, event: Any) -> None:  # noqa: N802
        """Paint shapes without words."""
        painter = QtGui.QPainter(self)
        width, height, kind = self.width(), self.height(), self.node["kind"]
        painter.fillRect(self.rect(), QtGui.QColor({"picture": "#8c8c8c", "page": "#b4b4b4", "ruler": "#ededed", "chart": "#181818"}[kind]))
        if kind == "page":
            painter.fillRect(int(width * 0.12), 16, int(width * 0.76), height, QtGui.QColor("white"))
        elif kind == "picture":
            for i in range(9):
                painter.setBrush(QtGui.QColor(50 + i * 20, 190 - i * 15, 80 + i * 37 % 120))
                radius = int(height * (0.08 + i * 0.03))
                painter.drawEllipse(QPoint(width * (i * 53 % 97) // 97, int(height * (0.2 + (i * 31 % 67) / 90))), radius, radius)
        elif kind == "ruler":
            for x in range(0, width, 8):
                painter.drawLine(x, height - (9 if x % 40 == 0 else 4), x, height)
        else:
            painter.setPen(QtGui.QColor("#3fd060"))
            painter.drawPolyline(QtGui.QPolygon([QPoint(width * i // 59, int(height * (0.2 + (i * i * 17 % 61) / 100))) for i in range(60)]))


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
        found: Node = {"name": name.replace("&", ""), "role": role, "kind": kind, "section": node.get("section", ""), "row": node.get("row", "")}
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
        for name, picture in (("Float", QtWidgets.QStyle.SP_TitleBarNormalButton), ("Close", QtWidgets.QStyle.SP_DockWidgetCloseButton)):
            button = QtWidgets.QToolButton()
            button.setAutoRaise(True)
            button.setIcon(button.style().standardIcon(picture))
            button.setIconSize(QSize(12, 12))
            bar.addWidget(button)
            self.mark(button, name, "button", "icon", {"section": node["title"]}, concept="window-close" if name == "Close" else "window-restore")
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
                self.mark(bar.widgetForAction(action), item["label"], "button", "icon" if node["mode"] == "icons" else "text", item, concept=item["icon"])
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
        self.mark(button, node["label"], "button", "text", node, concept=node.get("icon", ""), state="disabled" if node.get("off") else "")
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
        self.mark(entry, node["label"], "field", "text" if shown or not node.get("bare") else "icon", node, label="" if node.get("bare") else node["label"])
        return entry

    def make_combo(self, node: Node) -> Any:
        """A drop-down list."""
        combo = QtWidgets.QComboBox()
        combo.addItems(node["options"])
        combo.setCurrentIndex(node["active"])
        self.combos.append(combo)
        self.mark(combo, node["label"], "combobox", "icon" if node.get("bare") else "text", node, label="" if node.get("bare") else node["label"], state="")
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
                form.addWidget(self.build(child), number, column, 1, 1 if len(row) > 1 else 2, *([Qt.AlignLeft] if child["t"] in ("button", "combo") else []))
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
            self.mark((bar, lambda n=number: bar.tabRect(n)), title, "tab", "text", node, state="selected" if current else "")
            close = bar.tabButton(number, QtWidgets.QTabBar.RightSide)
            if close is not None:
                self.mark(close, "Close", "button", "icon", node, concept="window-close", row=title, state="", description="Close tab")
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
            self.mark((view.viewport(), lambda r=row: view.visualItemRect(r)), item["label"], "listitem", "text", node, concept=item.get("icon", ""), state="selected" if chosen else "")
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
                        self.mark((tree.viewport(), lambda i=item, n=number: tree.visualRect(tree.indexFromItem(i, n))), text, role, "text", node, state="", **facts)
                fill(item, row.get("children", []))

        fill(tree, node["rows"])
        tree.expandAll()
        head = tree.header()
        for number, title in enumerate(columns):
            tree.resizeColumnToContents(number)
            if node["headers"] and title:
                self.mark((head.viewport(), lambda n=number: QRect(head.sectionViewportPosition(n), 0, head.sectionSize(n), head.height())), title, "heading", "text", node, state="")
        if node.get("selected") is not None:
            tree.setCurrentItem(tree.topLevelItem(min(node["selected"], len(node["rows"]) - 1)))
        return tree


def pump(seconds: float) -> None:
    """Let the toolkit work for some time."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        QtWidgets.QApplication.processEvents()
        QtWidgets.QApplication.sendPostedEvents(None, QtCore.QEvent.DeferredDelete)
        time.sleep(0.005)


def visible(widget: Any, rect: QRect) -> list[int] | None:
    """Cut a box of a widget by the widget and everything around it; in pixels of the screen, None when mostly hidden."""
    if not widget.isVisible():
        return None
    origin = widget.mapToGlobal(QPoint(0, 0))
    box = rect.translated(origin)
    area = box.width() * box.height()
    parent = widget
    while parent is not None:
        box = box.intersected(QRect(parent.mapToGlobal(QPoint(0, 0)), parent.size()))
        parent = None if parent.isWindow() else parent.parentWidget()
    if box.width() < 4 or box.height() < 4 or box.width() * box.height() < 0.7 * area:
        return None
    return [box.x(), box.y(), box.x() + box.width(), box.y() + box.height()]


def read_words(window: Any, layer: int) -> list[list[Any]]:
    """Read the words of every widget of a window."""
    made: list[list[Any]] = []
    for widget in [window, *window.findChildren(QtWidgets.QWidget)]:
        if not widget.isVisible() or widget.window() is not window or widget.width() < 3 or widget.height() < 3:
            continue
        device = TextDevice(widget.size())
        widget.render(device, QPoint(), QtGui.QRegion(), QtWidgets.QWidget.RenderFlags())
        for x, y, text, _, ascent, descent, metrics in joined(device.engine.items):
            start = 0
            for word in text.split(" "):
                if word.strip(" \t…"):
                    left, right = x + metrics.horizontalAdvance(text[:start]), x + metrics.horizontalAdvance(text[: start + len(word)])
                    rect = QtCore.QRectF(left, y - ascent, right - left, ascent + descent).toAlignedRect()
                    box = visible(widget, rect)
                    if box and box[2] - box[0] >= rect.width() - 2:
                        made.append([*box, word, layer])
                start += len(word) + 1
    return made


def joined(items: list[Any]) -> list[Any]:
    """Join runs that an underlined letter parted, and drop runs that were painted twice."""
    made: list[Any] = []
    for item in items:
        last = made[-1] if made else None
        if last and abs(last[1] - item[1]) < 1 and abs(last[0] + last[3] - item[0]) < 1.5:
            made[-1] = (last[0], last[1], last[2] + item[2], last[3] + item[3], *last[4:])
        elif not (last and last[2] == item[2] and abs(last[0] - item[0]) < 3 and abs(last[1] - item[1]) < 3):
            made.append(item)
    return made


def palette_of(look: Node) -> QtGui.QPalette:
    """Colours of a look."""
    if not look["color"]:
        return QtWidgets.QApplication.style().standardPalette()
    color = QtGui.QColor(look["color"])
    palette = QtGui.QPalette(color, color)
    palette.setColor(QtGui.QPalette.Highlight, QtGui.QColor(look["accent"]))
    if look["dark"]:
        palette.setColor(QtGui.QPalette.Base, color.darker(125))
        palette.setColor(QtGui.QPalette.AlternateBase, color.darker(112))
        for role in (QtGui.QPalette.Text, QtGui.QPalette.WindowText, QtGui.QPalette.ButtonText):
            palette.setColor(role, QtGui.QColor("#e6e6e6"))
            palette.setColor(QtGui.QPalette.Disabled, role, QtGui.QColor("#8a8a8a"))
    return palette


def title_bar(builder: Builder, layout: Any, title: str, kind: str, items: list[Node], rng: random.Random) -> None:
    """Put a title bar on top, as a window manager or a program with a header would draw it."""
    if kind == "none":
        return
    bar = QtWidgets.QWidget()
    bar.setAutoFillBackground(True)
    color = rng.choice(("", builder.look["accent"], "#2f343f", "#d8d8d8"))
    if color:
        palette = bar.palette()
        palette.setColor(QtGui.QPalette.Window, QtGui.QColor(color))
        for role in (QtGui.QPalette.WindowText, QtGui.QPalette.ButtonText):
            palette.setColor(role, QtGui.QColor("#202020" if color == "#d8d8d8" else "#ffffff"))
        bar.setPalette(palette)
    row = QtWidgets.QHBoxLayout(bar)
    row.setContentsMargins(6, 3, 4, 3)
    row.setSpacing(4)
    label = QtWidgets.QLabel(title)
    label.setAlignment(rng.choice((Qt.AlignLeft, Qt.AlignCenter)) | Qt.AlignVCenter)
    label.setMinimumWidth(20)
    placed = False
    for item in [i for i in items if i["t"] != "sep"]:
        if item["t"] == "spring":
            row.addWidget(label, 1)
            placed = True
            continue
        row.addWidget(builder.build({**item, "t": "iconbutton"} if item["t"] == "tool" else item))
    if not placed:
        row.addWidget(label, 1)
    for name, sign in TITLE_BUTTONS:
        button = QtWidgets.QToolButton()
        button.setAutoRaise(True)
        button.setText(sign)
        builder.mark(button, name, "button", "icon", {"section": "Title bar"}, concept="window-" + name.lower())
        row.addWidget(button)
    layout.addWidget(bar)


def fill_menu(builder: Builder, menu: Any, items: list[Node], title: str) -> list[Any]:
    """Put items into a menu and mark them."""
    made = []
    for item in items:
        if item["t"] == "sep":
            made.append(menu.addSeparator())
            continue
        label = item["label"]
        if item.get("items"):
            inner = menu.addMenu(label)
            fill_menu(builder, inner, item["items"], label)
            action = inner.menuAction()
        else:
            action = menu.addAction(label + ("\t" + item["accel"] if item.get("accel") else ""))
        if item.get("check"):
            action.setCheckable(True)
            action.setChecked(True)
        action.setEnabled(not item.get("off"))
        state = "disabled" if item.get("off") else "checked" if item.get("check") else ""
        builder.mark((menu, lambda a=action: menu.actionGeometry(a)), label, "menuitem", "text", {"section": title}, state=state)
        made.append(action)
    return made


class Stage:
    """What is on the display at the moment."""

    def __init__(self) -> None:
        self.windows: list[Any] = []
        self.popups: list[Any] = []

    def clear(self) -> None:
        """Take everything away."""
        for popup in reversed(self.popups):
            popup.close()
        for window in reversed(self.windows):
            window.hide()
            window.deleteLater()
        self.windows, self.popups = [], []
        pump(0.01)

    def draw(self, scene: Node, look: Node) -> Node:
        """Show one scene and tell what is on it."""
        self.clear()
        app = QtWidgets.QApplication.instance()
        app.setStyle(look["name"])
        app.setPalette(palette_of(look))
        app.setFont(QtGui.QFont(look["font"], look["size"]))
        QtGui.QIcon.setThemeName(look["icons"])
        QtGui.QIcon.setFallbackThemeName("breeze-dark" if look["dark"] else "breeze")
        builder = Builder(look)
        facts, overlay = scene["window"], scene["overlay"]
        rng = random.Random(facts["title"])
        window, layout = self.new_window()
        title_bar(builder, layout, facts["title"], facts["bar"], scene["header"], rng)
        opened = self.menu_bar(builder, layout, scene)
        for node in (*scene["bars"], scene["body"]):
            layout.addWidget(builder.build(node), 1 if node is scene["body"] else 0)
        if scene["status"]:
            status = QtWidgets.QStatusBar()
            for node in scene["status"]:
                status.addWidget(builder.build(node))
            layout.addWidget(status)
        window.setGeometry(facts["x"], facts["y"], facts["width"], facts["height"])
        window.show()
        app.setActiveWindow(window)
        pump(0.06)
        self.open_overlay(builder, scene, opened, rng)
        return self.collect(builder)

    def new_window(self) -> tuple[Any, Any]:
        """Make an empty window without a frame."""
        window = QtWidgets.QWidget(None, Qt.Window | Qt.FramelessWindowHint | Qt.X11BypassWindowManagerHint)
        layout = QtWidgets.QVBoxLayout(window)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(0)
        self.windows.append(window)
        return window, layout

    def menu_bar(self, builder: Builder, layout: Any, scene: Node) -> Any:
        """Add the menu bar; give bar, action and items of the menu to open."""
        if not scene["menubar"]:
            return None
        bar, opened, overlay = QtWidgets.QMenuBar(), None, scene["overlay"]
        for number, title in enumerate(scene["menubar"]):
            menu = bar.addMenu(f"&{title}")
            chosen = overlay["kind"] == "menu" and overlay["index"] == number
            if chosen:
                opened = (bar, menu, fill_menu(builder, menu, overlay["items"], title))
            builder.mark((bar, lambda m=menu: bar.actionGeometry(m.menuAction())), title, "menuitem", "text", {"section": "Menu bar"}, state="expanded" if chosen else "")
        layout.addWidget(bar)
        return opened

    def open_overlay(self, builder: Builder, scene: Node, opened: Any, rng: random.Random) -> None:
        """Open the menu, list or dialog of a scene."""
        overlay, window = scene["overlay"], self.windows[0]
        kind = overlay["kind"]
        if kind == "dialog":
            self.open_dialog(builder, scene, rng)
        elif kind == "combo" and (shown := [c for c in builder.combos if visible(c, c.rect()) and c.isEnabled()]):
            combo = shown[int(scene["combo"] * len(shown))]
            combo.showPopup()
            view = combo.view()
            self.popups.append(view.window())
            for number in range(combo.count()):
                place = (view.viewport(), lambda v=view, c=combo, n=number: v.visualRect(c.model().index(n, 0)))
                builder.mark(place, combo.itemText(number), "menuitem", "text", {"section": "List"}, state="selected" if number == combo.currentIndex() else "")
        elif kind in ("menu", "context"):
            if opened:
                bar, menu, actions = opened
                bar.setActiveAction(menu.menuAction())
            else:
                menu = QtWidgets.QMenu(window)
                actions = fill_menu(builder, menu, overlay["items"], overlay["title"])
                menu.popup(window.mapToGlobal(QPoint(int(overlay.get("x", 0.6) * window.width()), int(overlay.get("y", 0.07) * window.height()))))
            self.popups.append(menu)
            pump(0.05)
            if overlay["sub"] >= 0:
                menu.setActiveAction(actions[overlay["sub"]])
                self.popups.append(actions[overlay["sub"]].menu())
        pump(0.08)

    def open_dialog(self, builder: Builder, scene: Node, rng: random.Random) -> None:
        """Open a dialog above the window."""
        overlay = scene["overlay"]
        dialog, layout = self.new_window()
        title_bar(builder, layout, overlay["title"], "none" if scene["window"]["bar"] == "none" and len(overlay["title"]) % 2 else "title", [], rng)
        layout.addWidget(builder.build(overlay["root"]), 1)
        hint = dialog.sizeHint()
        width, height = max(overlay["width"], hint.width()), max(overlay["height"], min(hint.height(), 520))
        left = max(0, min(round(overlay["x"] * scene["size"][0] - width / 2), scene["size"][0] - width))
        top = max(0, min(round(overlay["y"] * scene["size"][1] - height / 2), scene["size"][1] - height))
        dialog.setGeometry(left, top, width, height)
        dialog.show()
        dialog.raise_()
        QtWidgets.QApplication.setActiveWindow(dialog)

    def collect(self, builder: Builder) -> Node:
        """Tell boxes and words of every window, lowest first."""
        tops = [*self.windows, *(p for p in self.popups if p is not None and p.isVisible())]
        answer: Node = {"elements": [], "words": [], "rects": []}
        for layer, top in enumerate(tops):
            corner = top.mapToGlobal(QPoint(0, 0))
            answer["rects"].append([corner.x(), corner.y(), corner.x() + top.width(), corner.y() + top.height()])
            answer["words"] += read_words(top, layer)
        for place, facts in builder.marks:
            widget, rect = (place[0], place[1]()) if isinstance(place, tuple) else (place, place.rect())
            if widget.window() in tops and (box := visible(widget, rect)) and facts["name"].strip():
                answer["elements"].append({"box": box, "layer": tops.index(widget.window()), **facts})
        return answer


def main() -> None:
    """Draw scenes until the input ends."""
    app = QtWidgets.QApplication(sys.argv[:1])
    app.setCursorFlashTime(0)
    app.setQuitOnLastWindowClosed(False)
    for effect in (Qt.UI_AnimateMenu, Qt.UI_AnimateCombo, Qt.UI_FadeMenu, Qt.UI_AnimateTooltip):
        app.setEffectEnabled(effect, False)
    stage = Stage()
    for line in sys.stdin:
        request = json.loads(line)
        answer = stage.draw(request["scene"], request["look"])
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()

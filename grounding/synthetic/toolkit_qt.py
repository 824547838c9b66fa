"""Draws described windows with Qt 5: one JSON line in, one JSON line of facts out; the picture stays on the display.

Run by the system's Python, which has the toolkit's bindings but no other packages: standard library and PyQt5 only.
"""

import json
import random
import sys
import time
from typing import Any

from PyQt5 import QtCore, QtGui, QtWidgets
from PyQt5.QtCore import QPoint, Qt

from foveate.grounding.synthetic.toolkit_qt_facts import read_words, visible
from foveate.grounding.synthetic.toolkit_qt_widgets import Builder, Node

TITLE_BUTTONS = (("Minimize", "\u2013"), ("Maximize", "□"), ("Close", "✕"))


def pump(seconds: float) -> None:
    """Let the toolkit work for some time."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        QtWidgets.QApplication.processEvents()
        QtWidgets.QApplication.sendPostedEvents(None, QtCore.QEvent.DeferredDelete)
        time.sleep(0.005)


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
        builder.mark(
            (menu, lambda a=action: menu.actionGeometry(a)), label, "menuitem", "text", {"section": title}, state=state
        )
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
        facts = scene["window"]
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
            builder.mark(
                (bar, lambda m=menu: bar.actionGeometry(m.menuAction())),
                title,
                "menuitem",
                "text",
                {"section": "Menu bar"},
                state="expanded" if chosen else "",
            )
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
                builder.mark(
                    place,
                    combo.itemText(number),
                    "menuitem",
                    "text",
                    {"section": "List"},
                    state="selected" if number == combo.currentIndex() else "",
                )
        elif kind in ("menu", "context"):
            if opened:
                bar, menu, actions = opened
                bar.setActiveAction(menu.menuAction())
            else:
                menu = QtWidgets.QMenu(window)
                actions = fill_menu(builder, menu, overlay["items"], overlay["title"])
                menu.popup(
                    window.mapToGlobal(
                        QPoint(
                            int(overlay.get("x", 0.6) * window.width()), int(overlay.get("y", 0.07) * window.height())
                        )
                    )
                )
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
        title_bar(
            builder,
            layout,
            overlay["title"],
            "none" if scene["window"]["bar"] == "none" and len(overlay["title"]) % 2 else "title",
            [],
            rng,
        )
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

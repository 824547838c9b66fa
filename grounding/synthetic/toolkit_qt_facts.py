"""Reads the boxes of widgets and words off shown Qt 5 windows.

Words come from painting every widget a second time onto a device that draws nothing and notes each text with its place.
"""

from typing import Any

from PyQt5 import QtCore, QtGui, QtWidgets
from PyQt5.QtCore import QPoint, QRect, QSize

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
        self.items.append(
            (
                spot.x(),
                spot.y(),
                item.text(),
                item.width(),
                item.ascent(),
                item.descent(),
                QtGui.QFontMetricsF(item.font()),
            )
        )


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
        table = {
            device.PdmWidth: self.size.width(),
            device.PdmHeight: self.size.height(),
            device.PdmDepth: 32,
            device.PdmNumColors: LIMIT,
            device.PdmDevicePixelRatio: 1,
        }
        return table.get(which, 65536 if which == device.PdmDevicePixelRatioScaled else 96)


def visible(widget: Any, rect: QRect) -> list[int] | None:
    """Cut a box by its widget and everything around that; in pixels of the screen, None when mostly hidden."""
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
                    left, right = (
                        x + metrics.horizontalAdvance(text[:start]),
                        x + metrics.horizontalAdvance(text[: start + len(word)]),
                    )
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

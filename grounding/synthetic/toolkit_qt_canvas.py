"""Paints what stands where a program shows a picture, a page, a ruler or a chart, with Qt 5."""

from typing import Any

from PyQt5 import QtGui, QtWidgets
from PyQt5.QtCore import QPoint

Node = dict[str, Any]


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
        painter.fillRect(
            self.rect(),
            QtGui.QColor({"picture": "#8c8c8c", "page": "#b4b4b4", "ruler": "#ededed", "chart": "#181818"}[kind]),
        )
        if kind == "page":
            painter.fillRect(int(width * 0.12), 16, int(width * 0.76), height, QtGui.QColor("white"))
        elif kind == "picture":
            for i in range(9):
                painter.setBrush(QtGui.QColor(50 + i * 20, 190 - i * 15, 80 + i * 37 % 120))
                radius = int(height * (0.08 + i * 0.03))
                painter.drawEllipse(
                    QPoint(width * (i * 53 % 97) // 97, int(height * (0.2 + (i * 31 % 67) / 90))), radius, radius
                )
        elif kind == "ruler":
            for x in range(0, width, 8):
                painter.drawLine(x, height - (9 if x % 40 == 0 else 4), x, height)
        else:
            painter.setPen(QtGui.QColor("#3fd060"))
            painter.drawPolyline(
                QtGui.QPolygon(
                    [QPoint(width * i // 59, int(height * (0.2 + (i * i * 17 % 61) / 100))) for i in range(60)]
                )
            )

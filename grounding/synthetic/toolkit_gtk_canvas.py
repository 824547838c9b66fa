"""Paints what stands where a program shows a picture, a page, a ruler or a chart, with GTK 3."""

from typing import Any

import gi

gi.require_version("Gtk", "3.0")
from gi.repository import Gtk  # noqa: E402

Node = dict[str, Any]


def draw_canvas(area: Gtk.DrawingArea, context: Any, node: Node) -> None:
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
            context.arc(
                width * (i * 53 % 97) / 97, height * (0.2 + (i * 31 % 67) / 90), height * (0.08 + i * 0.03), 0, 6.3
            )
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

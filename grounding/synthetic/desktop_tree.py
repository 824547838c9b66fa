"""What a running desktop shows, as plain data: X windows in stacking order, accessible objects, and the picture.

Runs under the system's Python, whose GObject introspection reaches AT-SPI; it needs nothing else of this package.
"""

import ctypes
import re
import time
from typing import Any

import gi

gi.require_version("Atspi", "2.0")
gi.require_version("Gdk", "3.0")
from gi.repository import Atspi, Gdk, GdkPixbuf, GLib  # noqa: E402

_STATES = (
    "SHOWING VISIBLE CHECKED SELECTED EXPANDED EXPANDABLE SENSITIVE ENABLED FOCUSED "
    "EDITABLE MODAL ACTIVE PRESSED MANAGES_DESCENDANTS MULTI_LINE"
)
_STATE_TYPES = {name: getattr(Atspi.StateType, name) for name in _STATES.split()}
_TABLES = ("table", "tree table", "tree", "list", "list box", "layered pane", "icon view")
_LABELLED = (
    "text",
    "entry",
    "password text",
    "spin button",
    "combo box",
    "slider",
    "toggle button",
    "switch",
    "list box",
)
_WORDY = frozenset(
    (
        "label",
        "text",
        "entry",
        "paragraph",
        "heading",
        "link",
        "document text",
        "push button",
        "check box",
        "radio button",
        "page tab",
        "menu",
        "menu item",
        "check menu item",
        "radio menu item",
        "table cell",
        "list item",
        "icon",
        "terminal",
        "table column header",
        "tree item",
        "spin button",
    )
)
_UNUSABLE = GLib.Error


class _Attributes(ctypes.Structure):
    """XWindowAttributes of Xlib."""

    _fields_ = (
        ("x", ctypes.c_int),
        ("y", ctypes.c_int),
        ("width", ctypes.c_int),
        ("height", ctypes.c_int),
        ("border_and_depth", ctypes.c_int * 2),
        ("visual", ctypes.c_void_p),
        ("root", ctypes.c_ulong),
        ("class_and_gravity", ctypes.c_int * 4),
        ("planes_and_pixel", ctypes.c_ulong * 2),
        ("save_under", ctypes.c_int),
        ("colormap", ctypes.c_ulong),
        ("installed", ctypes.c_int),
        ("map_state", ctypes.c_int),
        ("masks", ctypes.c_long * 3),
        ("override", ctypes.c_int),
        ("screen", ctypes.c_void_p),
    )


class Display:
    """The X display: its top-level windows and its picture."""

    def __init__(self) -> None:
        self.x11 = ctypes.CDLL("libX11.so.6")
        self.x11.XOpenDisplay.restype = ctypes.c_void_p
        self.x11.XDefaultRootWindow.restype = ctypes.c_ulong
        self.x11.XInternAtom.restype = ctypes.c_ulong
        # A window may vanish between two questions; Xlib would end the process.
        handler = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p)
        self._ignore = handler(lambda *_: 0)
        self.x11.XSetErrorHandler(self._ignore)
        self.handle = ctypes.c_void_p(self.x11.XOpenDisplay(None))
        if not self.handle:
            raise RuntimeError("no X display could be opened: set DISPLAY to a running X server")
        self.root = ctypes.c_ulong(self.x11.XDefaultRootWindow(self.handle))
        self.screen = Gdk.get_default_root_window()

    def _family(self, window: int) -> tuple[int, list[int]]:
        root, parent = ctypes.c_ulong(), ctypes.c_ulong()
        children, count = ctypes.POINTER(ctypes.c_ulong)(), ctypes.c_uint()
        done = self.x11.XQueryTree(
            self.handle,
            ctypes.c_ulong(window),
            ctypes.byref(root),
            ctypes.byref(parent),
            ctypes.byref(children),
            ctypes.byref(count),
        )
        if not done:
            return 0, []
        found = [children[i] for i in range(count.value)]
        if found:
            self.x11.XFree(children)
        return parent.value, found

    def _clients(self) -> list[int]:
        atom = ctypes.c_ulong(self.x11.XInternAtom(self.handle, b"_NET_CLIENT_LIST_STACKING", 0))
        kind, form, count, left = ctypes.c_ulong(), ctypes.c_int(), ctypes.c_ulong(), ctypes.c_ulong()
        data = ctypes.POINTER(ctypes.c_ulong)()
        zero, many = ctypes.c_long(0), ctypes.c_long(1024)
        outputs = [ctypes.byref(v) for v in (kind, form, count, left, data)]
        self.x11.XGetWindowProperty(self.handle, self.root, atom, zero, many, 0, ctypes.c_ulong(0), *outputs)
        return [data[i] for i in range(count.value)] if data else []

    def _box(self, window: int) -> tuple[int, int, int, int, bool] | None:
        facts = _Attributes()
        if not self.x11.XGetWindowAttributes(self.handle, ctypes.c_ulong(window), ctypes.byref(facts)):
            return None
        x, y, child = ctypes.c_int(), ctypes.c_int(), ctypes.c_ulong()
        self.x11.XTranslateCoordinates(
            self.handle, ctypes.c_ulong(window), self.root, 0, 0, ctypes.byref(x), ctypes.byref(y), ctypes.byref(child)
        )
        return x.value, y.value, x.value + facts.width, y.value + facts.height, facts.map_state == 2

    def windows(self) -> list[dict[str, Any]]:
        """List the viewable top-level windows.

        Returns:
            From bottom to top: "frame" and "client" boxes in pixels, "popup" true for those without a frame.
        """
        owners = {}
        for client in self._clients():
            window, parent = client, self._family(client)[0]
            while parent and parent != self.root.value:
                window, parent = parent, self._family(parent)[0]
            owners[window] = client
        found = []
        for window in self._family(self.root.value)[1]:
            box = self._box(window)
            if box is None or not box[4] or box[2] - box[0] < 8 or box[3] - box[1] < 8:
                continue
            inner = self._box(owners[window]) if window in owners else None
            found.append({"frame": box[:4], "client": (inner or box)[:4], "popup": window not in owners, "id": window})
        return found

    def picture(self) -> GdkPixbuf.Pixbuf:
        """Take the picture of the whole screen."""
        return Gdk.pixbuf_get_from_window(self.screen, 0, 0, self.screen.get_width(), self.screen.get_height())


def pump(seconds: float) -> None:
    """Let AT-SPI handle its events for a while."""
    context = GLib.MainContext.default()
    end = time.monotonic() + seconds
    while True:
        while context.iteration(False):
            pass
        if time.monotonic() >= end:
            return
        time.sleep(0.02)


def applications() -> list[Any]:
    """List the accessible applications that have windows."""
    desktop = Atspi.get_desktop(0)
    desktop.clear_cache()
    found = []
    for i in range(desktop.get_child_count()):
        try:
            app = desktop.get_child_at_index(i)
            if app is not None and app.get_child_count() > 0:
                found.append(app)
        except _UNUSABLE:
            continue
    return found


def states_of(node: Any) -> set[str]:
    """Read the states of an accessible object, by name."""
    held = node.get_state_set()
    return {name for name, kind in _STATE_TYPES.items() if held.contains(kind)}


def extents_of(node: Any) -> tuple[int, int, int, int] | None:
    """Read the box of an accessible object on the screen."""
    component = node.get_component_iface()
    if component is None:
        return None
    box = component.get_extents(Atspi.CoordType.SCREEN)
    return box.x, box.y, box.x + box.width, box.y + box.height


class Reader:
    """Reads accessible trees within a limit of time and size.

    Args:
        size: Width and height of the screen in pixels.
        seconds: Time limit of one reading.
        limit: Most nodes of one reading.
    """

    def __init__(self, size: tuple[int, int], seconds: float = 7.0, limit: int = 2500) -> None:
        self.size, self.seconds, self.limit = size, seconds, limit
        self.nodes: list[dict[str, Any]] = []
        self.handles: list[Any] = []
        self.complete = True
        self.words = 0

    def read(self) -> list[dict[str, Any]]:
        """Read all applications; ``handles`` then holds their accessible objects in the same order."""
        self.nodes, self.handles, self.complete, self.words = [], [], True, 0
        self._end = time.monotonic() + self.seconds
        for app in applications():
            try:
                app.clear_cache()
                for i in range(app.get_child_count()):
                    window = app.get_child_at_index(i)
                    if window is not None:
                        self._visit(window, -1, 0)
            except _UNUSABLE:
                continue
        return self.nodes

    def _visit(self, node: Any, parent: int, depth: int) -> None:
        if len(self.nodes) >= self.limit or time.monotonic() > self._end or depth > 60:
            self.complete = False
            return
        try:
            facts = self._facts(node, parent)
        except _UNUSABLE:
            return
        if facts is None:
            return
        index = len(self.nodes)
        self.nodes.append(facts)
        self.handles.append(node)
        try:
            children = self._children(node, facts)
        except _UNUSABLE:
            return
        for child in children:
            if child is not None:
                self._visit(child, index, depth + 1)

    def _facts(self, node: Any, parent: int) -> dict[str, Any] | None:
        states = states_of(node)
        role = node.get_role_name()
        # An opened menu's parent counts as showing; closed ones keep their items out.
        if "SHOWING" not in states and not (parent < 0 and "VISIBLE" in states):
            return None
        box = extents_of(node)
        facts: dict[str, Any] = {
            "parent": parent,
            "role": role,
            "name": node.get_name() or "",
            "description": node.get_description() or "",
            "states": sorted(states),
            "box": box,
        }
        if box is None:
            return facts
        if role in _LABELLED:
            facts["label"] = self._label(node)
        inside = box[2] > 0 and box[3] > 0 and box[0] < self.size[0] and box[1] < self.size[1]
        if inside and role in _WORDY and self.words < 500:
            facts.update(_text_of(node, box, role))
            self.words += len(facts.get("words", ()))
        return facts

    def _label(self, node: Any) -> str:
        for relation in node.get_relation_set():
            if relation.get_relation_type() == Atspi.RelationType.LABELLED_BY and relation.get_n_targets() > 0:
                return relation.get_target(0).get_name() or ""
        return ""

    def _children(self, node: Any, facts: dict[str, Any]) -> list[Any]:
        count = node.get_child_count()
        if count <= 150 or facts["role"] not in _TABLES:
            return [node.get_child_at_index(i) for i in range(min(count, 400))]
        # Long lists answer for rows far outside the view: ask which ones stand at the visible ends.
        component = node.get_component_iface()
        left, top, right, bottom = facts["box"]
        bottom, right = min(bottom, self.size[1]), min(right, self.size[0])
        indices = []
        for y in (top + 6, top + 30, top + 60, bottom - 60, bottom - 30, bottom - 8):
            for x in (left + 8, right - 24):
                found = component.get_accessible_at_point(x, y, Atspi.CoordType.SCREEN)
                if found is not None:
                    indices.append(found.get_index_in_parent())
        indices = [i for i in indices if 0 <= i < count]
        if not indices:
            return [node.get_child_at_index(i) for i in range(120)]
        first, last = max(0, min(indices) - 12), min(count, max(indices) + 12)
        return [node.get_child_at_index(i) for i in range(first, min(last, first + 700))]


def _text_of(node: Any, box: tuple[int, int, int, int], role: str) -> dict[str, Any]:
    text = node.get_text_iface()
    if text is None:
        return {}
    count = text.get_character_count()
    if count <= 0 or role == "password text":
        return {"text": ""}
    first, last = 0, count
    if count > 600:
        first = text.get_offset_at_point(box[0] + 6, max(box[1], 0) + 6, Atspi.CoordType.SCREEN)
        last = text.get_offset_at_point(box[2] - 24, box[3] - 8, Atspi.CoordType.SCREEN)
        first = max(0, first)
        last = min(count, last if last > first else first + 600, first + 2500)
    content = text.get_text(first, last)
    words = []
    for match in list(re.finditer(r"\S+", content))[:200]:
        place = text.get_range_extents(first + match.start(), first + match.end(), Atspi.CoordType.SCREEN)
        if place.width > 2 and place.height > 4:
            words.append([place.x, place.y, place.x + place.width, place.y + place.height, match.group()])
    return {"text": content[:200], "words": words}

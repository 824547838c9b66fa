"""From the accessible objects of a desktop to the elements that can be seen: roles, hidden ones, rows and sections."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from foveate.grounding.synthetic.screens import Box

ROLES = {
    **dict.fromkeys(("push button", "button", "toggle button", "menu button", "push button menu"), "button"),
    **dict.fromkeys(("menu", "menu item", "check menu item", "radio menu item", "tearoff menu item"), "menuitem"),
    **dict.fromkeys(("text", "entry", "password text", "spin button", "date editor"), "field"),
    **dict.fromkeys(("table column header", "table row header", "column header", "heading"), "heading"),
    **dict.fromkeys(("table cell", "table row"), "cell"),
    **dict.fromkeys(("label", "static", "caption", "status bar"), "label"),
    **dict.fromkeys(("icon", "image"), "image"),
    "check box": "checkbox",
    "radio button": "radio",
    "page tab": "tab",
    "combo box": "combobox",
    "slider": "slider",
    "scale": "slider",
    "list item": "listitem",
    "tree item": "treeitem",
    "link": "link",
    "switch": "switch",
    "toggle switch": "switch",
}
_CLIPPING = ("scroll pane", "viewport", "table", "tree table", "list", "list box", "tree", "icon view", "layered pane")
_POPUP_ROLES = ("menu", "popup menu", "tool tip")
_HOLDERS = (
    "push button",
    "toggle button",
    "button",
    "menu button",
    "text",
    "entry",
    "combo box",
    "icon",
    "image",
    "label",
)
_SECTIONS = (
    "panel",
    "dialog",
    "alert",
    "tool bar",
    "menu",
    "popup menu",
    "page tab",
    "grouping",
    "file chooser",
    "filler",
)


@dataclass(frozen=True)
class Thing:
    """A visible accessible object.

    Args:
        index: Its place among the nodes read.
        box: Its visible part in pixels.
        role: Role of an ``Element``.
        name: What it is called; never empty.
        label: Caption that names it.
        row: First text of its table row.
        section: Name of what it lies in.
        state: checked, selected, expanded, disabled or empty.
        description: Its tooltip.
        content: Text typed into it or shown by it.
    """

    index: int
    box: Box
    role: str
    name: str
    label: str
    row: str
    section: str
    state: str
    description: str
    content: str


class Scene:
    """A reading of a desktop.

    Args:
        facts: What the driver wrote: "windows" from bottom to top, "nodes" with parents, "size".
    """

    def __init__(self, facts: dict[str, Any]) -> None:
        self.nodes: list[dict[str, Any]] = facts["nodes"]
        self.windows: list[dict[str, Any]] = facts["windows"]
        self.size = (float(facts["size"][0]), float(facts["size"][1]))
        self.tops: list[int] = []
        self.clips: list[Box] = []
        self.floating: list[bool] = []
        self._owners: dict[int, int | None] = {}
        for i in range(len(self.nodes)):
            self._place(i)
        self.overlays = self._find_overlays()

    def _place(self, i: int) -> None:
        node = self.nodes[i]
        parent = node["parent"]
        screen = (0.0, 0.0, *self.size)
        if parent < 0:
            self.tops.append(i)
            self.clips.append(screen)
            self.floating.append(node["role"] in ("window", *_POPUP_ROLES))
            return
        above = self.nodes[parent]
        self.tops.append(self.tops[parent])
        # A menu's items lie in a window of their own: nothing that holds the menu cuts them off.
        items = ROLES.get(node["role"]) == "menuitem" and above["role"] not in ("menu bar", "tool bar")
        lifted = above["role"] in _POPUP_ROLES or items
        clip = screen if lifted else self.clips[parent]
        if above["role"] in _CLIPPING and above["box"]:
            clip = intersect(clip, above["box"]) or (0.0, 0.0, 0.0, 0.0)
        self.clips.append(clip)
        self.floating.append(self.floating[parent] or lifted)

    def owner(self, i: int) -> int | None:
        """Find the window (its place in ``windows``) that shows a node's top-level object."""
        top = self.tops[i]
        if top not in self._owners:
            box = self.nodes[top]["box"]
            scores = [(overlap_ratio(w["client"], box), k) for k, w in enumerate(self.windows)] if box else []
            best = max(scores, default=(0.0, 0))
            self._owners[top] = best[1] if best[0] > 0.5 else None
        return self._owners[top]

    def window_at(self, x: float, y: float) -> int | None:
        """Find the topmost window at a point, as its place in ``windows``."""
        for k in range(len(self.windows) - 1, -1, -1):
            if contains(self.windows[k]["frame"], x, y):
                return k
        return None

    def shows(self, i: int, box: Box) -> bool:
        """Tell whether a node's box is in sight: not under menus, dialogs, popovers or other windows."""
        points = [(box[0] + (box[2] - box[0]) * fx, box[1] + (box[3] - box[1]) * fy) for fx in _GRID for fy in _GRID]
        seen = [self._shown_at(i, x, y) for x, y in points]
        return seen[len(seen) // 2] and sum(seen) >= 7

    def _shown_at(self, i: int, x: float, y: float) -> bool:
        k = self.window_at(x, y)
        if k is None:
            return False
        for holder, box in self.overlays:
            if contains(box, x, y) and self.tops[holder] == self.tops[i] and not self._inside(i, holder):
                return self.floating[i]
        if self.windows[k]["popup"]:
            return self.floating[i] or self.owner(i) == k
        return not self.floating[i] and self.owner(i) == k

    def _inside(self, i: int, holder: int) -> bool:
        while i >= 0:
            if i == holder:
                return True
            i = self.nodes[i]["parent"]
        return False

    def tree_of(self, i: int) -> Box | None:
        """Find the box of the tree whose cell a node is; None for cells of plain tables and for other nodes."""
        if self.nodes[i]["role"] != "table cell":
            return None
        parent = self.nodes[i]["parent"]
        while parent >= 0 and self.nodes[parent]["role"] == "table cell":
            parent = self.nodes[parent]["parent"]
        nested = (
            parent >= 0 and self.nodes[parent]["role"] in ("tree table", "tree") and bool(self.nodes[parent]["box"])
        )
        return intersect(self.nodes[parent]["box"], (0, 0, *self.size)) if nested else None

    def _find_overlays(self) -> list[tuple[int, Box]]:
        """Find popovers, drawn over their own window: objects that stick out of the button that holds them."""
        found = []
        for i, node in enumerate(self.nodes):
            parent = node["parent"]
            if parent < 0 or not node["box"] or not self.nodes[parent]["box"] or self.floating[i]:
                continue
            box, outer = node["box"], self.nodes[parent]["box"]
            if node["role"] not in ("panel", "popup menu", "menu", "filler", "window", "unknown", "popover"):
                continue
            small = outer[3] - outer[1] < 64 and self.nodes[parent]["role"] in _HOLDERS
            out = box[3] > outer[3] + 20 or box[1] < outer[1] - 20
            if small and out and box[2] - box[0] > 40 and box[3] - box[1] > 24:
                found.append((i, box))
        return found


_GRID = (0.12, 0.5, 0.88)


def contains(box: Sequence[float], x: float, y: float) -> bool:
    """Tell whether a point lies in a box."""
    return bool(box[0] <= x < box[2] and box[1] <= y < box[3])


def intersect(a: Sequence[float], b: Sequence[float]) -> Box | None:
    """Cut two boxes; None when they do not meet."""
    left, top, right, bottom = max(a[0], b[0]), max(a[1], b[1]), min(a[2], b[2]), min(a[3], b[3])
    return (float(left), float(top), float(right), float(bottom)) if left < right and top < bottom else None


def area(box: Sequence[float]) -> float:
    """Area of a box in square pixels."""
    return float(max(0.0, box[2] - box[0]) * max(0.0, box[3] - box[1]))


def overlap_ratio(a: Sequence[float], b: Sequence[float]) -> float:
    """Intersection over union of two boxes."""
    common = intersect(a, b)
    shared = area(common) if common else 0.0
    return shared / max(1.0, area(a) + area(b) - shared)


def clean_name(text: str) -> str:
    """Strip markup, mnemonics, shortcuts after a tab and doubled blanks from a name."""
    text = re.sub(r"<[^<>]{1,60}>", " ", text.split("\t")[0])
    text = re.sub(r"&(?=\w)|\ufffc", "", text.replace("&&", "\0")).replace("\0", "&")
    return re.sub(r"\s+", " ", text).strip()


def things(scene: Scene) -> list[Thing]:
    """List what can be seen and named.

    Args:
        scene: A reading of a desktop.

    Returns:
        Things in the order of the reading; boxes are cut to what is in sight.
    """
    found = []
    rows, inner = _rows(scene), _inner_labels(scene)
    for i, node in enumerate(scene.nodes):
        role = ROLES.get(node["role"])
        if role is None or not node["box"] or "SHOWING" not in node["states"]:
            continue
        box = intersect(node["box"], scene.clips[i])
        if box is None or area(box) < 0.6 * area(node["box"]) or min(box[2] - box[0], box[3] - box[1]) < 6:
            continue
        if role in ("checkbox", "radio") and box[3] - box[1] > 64:
            # A group box that can be switched on: its box holds all that it groups.
            continue
        if area(box) > 0.4 * scene.size[0] * scene.size[1] or not scene.shows(i, box):
            continue
        thing = _describe(scene, i, box, role, rows.get(i, ""), inner.get(i, ""))
        if thing is not None:
            found.append(thing)
    return _without_doubles(scene, found)


def _describe(scene: Scene, i: int, box: Box, role: str, row: str, inner: str) -> Thing | None:
    node = scene.nodes[i]
    content = clean_name(node.get("text", "")[:120])
    label = clean_name(node.get("label", ""))
    name = clean_name(node["name"])
    description = clean_name(node["description"])
    if role == "image" and re.fullmatch(r"(?i)image|icon|", name):
        name = ""
    if not name:
        if role in ("field", "combobox", "slider"):
            name = label or description or (content if "MULTI_LINE" not in node["states"] else "")
        else:
            name = content or inner or description
    if not name or len(name) > 90 or (not re.search(r"\w", name) and role != "button" and len(name) > 3):
        return None
    return Thing(
        index=i,
        box=box,
        role=role,
        name=name,
        label=label if label != name or role in ("field", "combobox", "slider") else "",
        row=row if row != name else "",
        section=_section(scene, i, name),
        state=_state(node, role),
        description=description if description.lower() != name.lower() and len(description) < 90 else "",
        content=content,
    )


def _section(scene: Scene, i: int, name: str) -> str:
    parent = scene.nodes[i]["parent"]
    while parent >= 0:
        node = scene.nodes[parent]
        title = clean_name(node["name"])
        if node["role"] in _SECTIONS and title and title != name and len(title) < 50:
            return title
        parent = node["parent"]
    return ""


def _state(node: dict[str, Any], role: str) -> str:
    states = node["states"]
    if "CHECKED" in states or (role in ("button", "switch") and "PRESSED" in states):
        return "checked"
    if "SELECTED" in states and role in ("tab", "listitem", "treeitem", "cell", "image"):
        return "selected"
    if "EXPANDED" in states and role in ("treeitem", "cell", "combobox"):
        return "expanded"
    if "SENSITIVE" not in states and "ENABLED" not in states:
        return "disabled"
    return ""


def _inner_labels(scene: Scene) -> dict[int, str]:
    """Give list items and controls without a name of their own the first text that they hold."""
    found: dict[int, str] = {}
    for node in scene.nodes:
        text = clean_name(node["name"] or node.get("text", "")[:120]) if node["role"] in ("label", "static") else ""
        parent = node["parent"] if text else -1
        for _ in range(6):
            if parent < 0:
                break
            outer = scene.nodes[parent]
            if ROLES.get(outer["role"]) in ("listitem", "treeitem", "button", "tab", "checkbox", "radio"):
                if not clean_name(outer["name"]):
                    found.setdefault(parent, text)
                break
            parent = outer["parent"]
    return found


def _rows(scene: Scene) -> dict[int, str]:
    """Give the cells of tables the first text of their row."""
    tables: dict[tuple[int, int], list[int]] = {}
    for i, node in enumerate(scene.nodes):
        if node["role"] == "table cell" and node["box"]:
            tables.setdefault((node["parent"], node["box"][1]), []).append(i)
    rows = {}
    for members in tables.values():
        members.sort(key=lambda i: scene.nodes[i]["box"][0])
        texts = [clean_name(scene.nodes[i]["name"] or scene.nodes[i].get("text", "")) for i in members]
        named = [t for t in texts if re.search(r"[^\W\d]", t) and len(t) < 60]
        if len(members) > 1 and named:
            rows.update(dict.fromkeys(members, named[0]))
    return rows


def _without_doubles(scene: Scene, found: list[Thing]) -> list[Thing]:
    """Drop labels and pictures that only repeat the control or the cell they lie in."""
    kept = []
    by_index = {t.index: t for t in found}
    for thing in found:
        parent = scene.nodes[thing.index]["parent"]
        repeated = False
        for _ in range(4):
            outer = by_index.get(parent)
            if outer is not None and (outer.name == thing.name or thing.role in ("label", "image")):
                repeated = outer.role != "label" and area(outer.box) < 60000
                break
            if parent < 0:
                break
            parent = scene.nodes[parent]["parent"]
        if not repeated:
            kept.append(thing)
    return kept

"""Draws described windows with GTK 3: one JSON line in, one JSON line of facts out; the picture stays on the display.

Run by the system's Python, which has the toolkit's bindings but no other packages: standard library and gi only.
"""

import json
import sys
import time
from typing import Any

import gi

gi.require_version("Gtk", "3.0")
gi.require_version("Gdk", "3.0")
from gi.repository import Gdk, Gtk  # noqa: E402

from foveate.grounding.synthetic.toolkit_gtk_facts import Facts  # noqa: E402
from foveate.grounding.synthetic.toolkit_gtk_widgets import Node, Renderer  # noqa: E402


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
            renderer.mark(
                entry,
                item["label"],
                "menuitem",
                "text",
                {"section": title, "off": item.get("off")},
                state="checked" if item.get("check") else "",
            )
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
    renderer.windows, renderer.marks, renderer.combos, renderer.menus, renderer.radios, renderer.look = (
        [],
        [],
        [],
        [],
        {},
        look,
    )
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
        title_bar(
            renderer,
            top,
            overlay["title"],
            "title" if scene["window"]["bar"] != "none" or len(overlay["title"]) % 2 else "none",
            [],
        )
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
        area.x, area.y = (
            round(overlay.get("x", 0.6) * window.get_size()[0]),
            round(overlay.get("y", 0.07) * window.get_size()[1]),
        )
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
        answer["rects"].append(
            [facts.x, facts.y, facts.x + top.get_allocated_width(), facts.y + top.get_allocated_height()]
        )
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

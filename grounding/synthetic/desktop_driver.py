"""Drives one desktop program and writes what it shows: windows, menus, dialogs and their pages.

Runs under the system's Python inside a D-Bus session of its own, given a job file; ``desktop`` starts it.
"""

import json
import os
import random
import re
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from gi.repository import GdkPixbuf, GLib

from foveate.grounding.synthetic.desktop_tree import Display, Reader, pump

_RISKY = re.compile(
    r"quit|exit|close|delete|remove|trash|shut ?down|log ?out|reboot|fullscreen|full screen|minimi[sz]e|hide|donate|"
    r"web ?site|online|report|homepage|bug|contents|documentation|handbook|translate|send|suspend|erase|format|reset|"
    r"undecorat|screenshot|record|scan\b|lock|uninstall|purge|mount",
    re.I,
)
_DIALOG = re.compile(
    r"preference|propert|setting|about|option|configur|plugin|find|search|replace|open|save as|export|import|new|add|"
    r"insert|go to|shortcut|columns|page setup|statistic|manage|edit|custom|info|font|filter|sort|rename|create|view|"
    r"toolbar|account|bookmark|theme|encoding|convert|select|tip|credit|tools?\b",
    re.I,
)
_DISMISS = ("Cancel", "Close", "No", "OK", "Ok", "Dismiss", "_Cancel", "_Close", "Finish", "Got it", "Skip", "Later")
_ITEMS = ("menu item", "menu")


class Driver:
    """Opens what a program can show and records each state once.

    Args:
        job: commands, size, out, seconds and seed.
    """

    def __init__(self, job: dict[str, Any]) -> None:
        self.job = job
        self.out = Path(job["out"])
        self.rng = random.Random(job["seed"])
        self.display = Display()
        self.size = (int(job["size"][0]), int(job["size"][1]))
        self.reader = Reader(self.size)
        self.end = time.monotonic() + float(job["seconds"])
        self.children: list[subprocess.Popen[bytes]] = []
        self.taken = 0
        self.last = b""

    def spent(self) -> bool:
        """Tell whether the job's time is over."""
        return time.monotonic() > self.end

    def start(self, command: str) -> subprocess.Popen[bytes]:
        """Start a program that is ended with the job."""
        log = open(self.out / "log.txt", "ab")  # noqa: SIM115
        child = subprocess.Popen(
            shlex.split(command), stdout=log, stderr=log, stdin=subprocess.DEVNULL, start_new_session=True
        )
        self.children.append(child)
        return child

    def key(self, *keys: str) -> None:
        """Press keys, such as "Escape" or "alt+f"."""
        subprocess.run(["xdotool", "key", "--clearmodifiers", *keys], check=False, timeout=5)

    def click(self, x: float, y: float) -> None:
        """Click the left mouse button and move the pointer out of the way."""
        subprocess.run(["xdotool", "mousemove", str(int(x)), str(int(y)), "click", "1"], check=False, timeout=5)

    def park(self) -> None:
        """Move the pointer to a corner, where it points at nothing."""
        subprocess.run(["xdotool", "mousemove", str(self.size[0] - 1), str(self.size[1] - 1)], check=False, timeout=5)

    def settle(self, seconds: float) -> GdkPixbuf.Pixbuf:
        """Wait until two pictures in a row are the same, at most some seconds."""
        end = time.monotonic() + seconds
        before = self.display.picture()
        while True:
            pump(0.25)
            after = self.display.picture()
            if after.get_pixels() == before.get_pixels() or time.monotonic() > end:
                return after
            before = after

    def capture(self, what: str, wait: float = 2.0) -> list[dict[str, Any]]:
        """Record the present state.

        Args:
            what: How it was reached.
            wait: Longest time to wait until the picture is still, in seconds.

        Returns:
            The nodes read; ``reader.handles`` holds their objects.
        """
        picture = self.settle(wait)
        nodes = self.reader.read()
        windows = self.display.windows()
        after = self.display.picture()
        pixels = picture.get_pixels()
        if pixels == self.last or not nodes:
            return nodes
        self.last = pixels
        stem = self.out / f"{self.taken:03d}"
        picture.savev(f"{stem}.png", "png", ["compression"], ["1"])
        if after.get_pixels() != pixels:
            after.savev(f"{stem}.after.png", "png", ["compression"], ["1"])
        facts = {"what": what, "windows": windows, "nodes": nodes, "size": self.size, "complete": self.reader.complete}
        part = Path(f"{stem}.part")
        part.write_text(json.dumps(facts))
        part.rename(f"{stem}.json")
        self.taken += 1
        return nodes

    def act(self, handle: Any) -> bool:
        """Do an accessible object's first action."""
        try:
            action = handle.get_action_iface()
            if action is None or action.get_n_actions() < 1:
                return False
            return bool(action.do_action(0))
        except GLib.Error:
            # The answer comes late when the action opens a modal dialog.
            return True

    def find(self, roles: tuple[str, ...], within: int = -1) -> list[int]:
        """List the indices of the nodes read that have one of the roles and lie inside a node."""
        found = []
        for i, node in enumerate(self.reader.nodes):
            if node["role"] not in roles or not node["box"]:
                continue
            parent = node["parent"]
            while parent not in (-1, within):
                parent = self.reader.nodes[parent]["parent"]
            if within == -1 or parent == within:
                found.append(i)
        return found

    def tops(self) -> int:
        """Count the windows that have a frame."""
        return sum(not w["popup"] for w in self.display.windows())

    def popups(self) -> int:
        """Count the windows without a frame, such as menus."""
        return sum(w["popup"] for w in self.display.windows())

    def dismiss(self, wanted: int) -> None:
        """Close menus and dialogs until no more than ``wanted`` windows are left."""
        for attempt in range(5):
            if self.popups():
                self.key("Escape")
                pump(0.2)
            if self.tops() <= wanted:
                return
            if attempt == 2:
                self.reader.read()
                buttons = [i for i in self.find(("push button", "button")) if self.reader.nodes[i]["name"] in _DISMISS]
                if buttons:
                    self.act(self.reader.handles[buttons[-1]])
            else:
                self.key("Escape" if attempt < 2 else "alt+F4")
            pump(0.5)

    def run(self) -> None:
        """Start the programs and go through their windows, menus, dialogs and pages."""
        self.park()
        for command in self.job["before"]:
            self.start(command)
        pump(0.4)
        for command in self.job["commands"]:
            self.start(command)
            self._await_window()
        self.settle(4.0)
        self.dismiss_tips()
        nodes = self.capture("start", 3.0)
        if len(nodes) < 8:
            self.settle(3.0)
            nodes = self.capture("start again")
        if len(nodes) < 8:
            return
        base = self.tops()
        steps = [self.menus, self.pages, self.dialogs, self.buttons]
        for step in steps:
            if self.spent() or self.tops() == 0:
                return
            step(base)
            self.dismiss(base)

    def dismiss_tips(self) -> None:
        """Record and close a start-up dialog that lies over the main window."""
        if self.tops() > len(self.job["commands"]):
            self.capture("welcome", 2.0)
            self.dismiss(len(self.job["commands"]))
            self.settle(1.0)

    def _await_window(self) -> None:
        end = time.monotonic() + 15
        before = self.tops()
        while time.monotonic() < end and self.tops() <= before:
            pump(0.3)
        pump(1.0)

    def menus(self, base: int) -> None:
        """Open the menus of the menu bar and some of their submenus; keep the items that open dialogs."""
        self.items: list[tuple[str, Any]] = []
        self.reader.read()
        bars = self.find(("menu bar",))
        tops = [i for bar in bars for i in self.find(_ITEMS, bar) if self.reader.nodes[i]["parent"] == bar]
        opened = [(self.reader.nodes[i]["name"], self.reader.handles[i], self.reader.nodes[i]["box"]) for i in tops]
        self.rng.shuffle(opened)
        for name, _, box in opened[:6]:
            if self.spent():
                return
            self.click((box[0] + box[2]) / 2, (box[1] + box[3]) / 2)
            pump(0.3)
            if not self.popups():
                self.key("Escape")
                continue
            self.capture(f"menu {name}", 1.0)
            self._note_items()
            if self.rng.random() < 0.5:
                self._submenu()
            self.key("Escape", "Escape", "Escape")
            pump(0.2)
            self.dismiss(base)

    def _note_items(self) -> None:
        for i in self.find(("menu item",)):
            node = self.reader.nodes[i]
            name = node["name"]
            if "SENSITIVE" not in node["states"] or not name or _RISKY.search(name):
                continue
            if name.endswith(("…", "...")) or _DIALOG.search(name):
                self.items.append((name, self.reader.handles[i]))

    def _submenu(self) -> None:
        nodes = self.reader.nodes
        inner = [
            i for i in self.find(("menu",)) if nodes[i]["parent"] >= 0 and nodes[nodes[i]["parent"]]["role"] == "menu"
        ]
        if not inner:
            return
        box = nodes[self.rng.choice(inner)]["box"]
        subprocess.run(
            ["xdotool", "mousemove", str((box[0] + box[2]) // 2), str((box[1] + box[3]) // 2)], check=False, timeout=5
        )
        pump(0.5)
        self.capture("submenu", 1.0)
        self._note_items()

    def pages(self, base: int) -> None:
        """Turn the pages of tab rows in the topmost window."""
        self.reader.read()
        found = self.find(("page tab",))
        tabs = [self.reader.nodes[i] for i in found if "SELECTED" not in self.reader.nodes[i]["states"]]
        self.rng.shuffle(tabs)
        for tab in tabs[:5]:
            if self.spent():
                return
            box = tab["box"]
            if box[0] < 0 or box[1] < 0 or box[2] > self.size[0] or box[3] > self.size[1] or box[2] - box[0] < 8:
                continue
            self.click((box[0] + box[2]) / 2, (box[1] + box[3]) / 2)
            self.park()
            self.capture(f"page {tab['name']}", 1.2)

    def dialogs(self, base: int) -> None:
        """Activate menu items that open dialogs; record the dialogs and their pages."""
        items = list({name: (name, handle) for name, handle in getattr(self, "items", [])}.values())
        self.rng.shuffle(items)
        items.sort(key=lambda item: not re.search(r"preference|setting|propert|configur|option", item[0], re.I))
        for name, handle in items[:14]:
            if self.spent() or self.tops() == 0:
                return
            before = self.tops()
            self.act(handle)
            pump(0.7)
            self.park()
            self.capture(f"item {name}", 2.0)
            if self.tops() > before:
                self.pages(base)
                if self.rng.random() < 0.4:
                    self.choices()
            self.dismiss(base)
            pump(0.2)

    def choices(self) -> None:
        """Open one drop-down list of what was read last."""
        self.reader.read()
        found = [i for i in self.find(("combo box",)) if "SENSITIVE" in self.reader.nodes[i]["states"]]
        if not found:
            return
        box = self.reader.nodes[self.rng.choice(found)]["box"]
        self.click(box[2] - 10, (box[1] + box[3]) / 2)
        pump(0.4)
        if self.popups():
            self.capture("choices", 1.0)
            self.key("Escape")
            pump(0.2)

    def buttons(self, base: int) -> None:
        """Press buttons that open menus, popovers or dialogs, and rows of side lists."""
        self.reader.read()
        pool = []
        for i in self.find(
            ("toggle button", "push button", "button", "list item", "tree item", "table cell", "menu button")
        ):
            node = self.reader.nodes[i]
            box = node["box"]
            if "SENSITIVE" not in node["states"] or _RISKY.search(f"{node['name']} {node['description']}"):
                continue
            if box[0] < 0 or box[1] < 0 or box[2] > self.size[0] or box[3] > self.size[1] or box[2] - box[0] < 8:
                continue
            pool.append((node["role"] in ("list item", "tree item", "table cell"), box, node["name"]))
        self.rng.shuffle(pool)
        lists = [p for p in pool if p[0]][:5]
        plain = [p for p in pool if not p[0]][:8]
        for _, box, name in plain + lists:
            if self.spent() or self.tops() == 0:
                return
            self.click((box[0] + box[2]) / 2, (box[1] + box[3]) / 2)
            pump(0.4)
            self.park()
            self.capture(f"press {name}", 1.5)
            if self.popups() or self.tops() > base:
                self.dismiss(base)

    def close(self) -> None:
        """End the programs that the job started."""
        for child in self.children:
            for sign in (signal.SIGTERM, signal.SIGKILL):
                try:
                    os.killpg(child.pid, sign)
                except ProcessLookupError:
                    break
                time.sleep(0.1)


def main() -> None:
    """Run the job whose file is the first argument."""
    driver = Driver(json.loads(Path(sys.argv[1]).read_text()))
    try:
        driver.run()
    finally:
        driver.close()


if __name__ == "__main__":
    main()

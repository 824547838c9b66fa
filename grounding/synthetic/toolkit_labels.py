"""Labels of desktop programs: commands with icons, menus, settings, and lists of texts by kind."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from importlib.resources import files
from typing import Any

Node = dict[str, Any]


@dataclass(frozen=True)
class Command:
    """A command with its icon's name, its label, a longer wording, and the toolbar group that it belongs to."""

    icon: str
    label: str
    tip: str
    group: str


@lru_cache(maxsize=1)
def toolbar_commands() -> tuple[Command, ...]:
    """Commands that have a theme icon."""
    return tuple(Command(*line.split("\t")) for line in _lines("toolkit_commands.tsv"))


@lru_cache(maxsize=1)
def menus() -> dict[str, tuple[str, ...]]:
    """Menus by title: items in writing order, "-" between groups."""
    pairs = (line.split("\t") for line in _lines("toolkit_menus.tsv"))
    return {title: tuple(items.split(";")) for title, items in pairs}


@lru_cache(maxsize=1)
def settings_pages() -> tuple[tuple[str, str, tuple[str, ...]], ...]:
    """Pages of settings: title, icon, settings such as "combo:Theme=Light,Dark"."""
    rows = (line.split("\t") for line in _lines("toolkit_settings.tsv"))
    return tuple((title, icon, tuple(items.split(";"))) for title, icon, items in rows)


@cache
def words(kind: str) -> tuple[str, ...]:
    """List of texts of one kind, such as "places"."""
    table = dict(line.split("\t") for line in _lines("toolkit_words.tsv"))
    return tuple(table[kind].split(";"))


def _lines(name: str) -> list[str]:
    text = (files("foveate.grounding.synthetic") / "data" / name).read_text(encoding="utf-8")
    return [line for line in text.splitlines() if line.strip()]


def parse_menu(items: Sequence[str]) -> list[Node]:
    """Turn written menu items into nodes.

    Args:
        items: "-" for a line; "#Name" for a checked item; "Name|Ctrl+N"; "Name>First,Second" for a submenu.

    Returns:
        Dictionaries with t ("item" or "sep"), label, accel, check, items.
    """
    made: list[Node] = []
    for item in items:
        if item == "-":
            made.append({"t": "sep"})
            continue
        label, _, sub = item.partition(">")
        label, _, accel = label.partition("|")
        node: Node = {"t": "item", "label": label.lstrip("#"), "accel": accel, "check": item.startswith("#")}
        if sub:
            node["items"] = parse_menu(sub.split(","))
        made.append(node)
    return made


def page_of(title: str) -> tuple[str, ...]:
    """Settings of the page with this title."""
    return next(items for name, _, items in settings_pages() if name == title)

"""Words that stand on web pages: what kinds of sites list, do and ask for."""

from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files


@dataclass(frozen=True)
class Domain:
    """What one kind of site talks about; every list has at least four entries."""

    name: str
    things: tuple[str, ...]
    pages: tuple[str, ...]
    columns: tuple[str, ...]
    states: tuple[str, ...]
    fields: tuple[str, ...]
    actions: tuple[str, ...]


def _lines(name: str) -> list[list[str]]:
    text = (files("foveate.grounding.synthetic") / "data" / name).read_text(encoding="utf-8")
    return [line.split("\t") for line in text.splitlines() if line.strip()]


@lru_cache(maxsize=1)
def domains() -> tuple[Domain, ...]:
    """All kinds of sites."""
    return tuple(Domain(name, *(tuple(part.split(",")) for part in parts)) for name, *parts in _lines("web_sites.tsv"))


_LABELS = {name: tuple(labels.split("|")) for name, labels in _lines("web_labels.tsv")}
SETTINGS = _LABELS["settings"]
SETTING_PAGES = _LABELS["setting_pages"]
FIELDS = _LABELS["fields"]
CHOICES = _LABELS["choices"]
TABS = _LABELS["tabs"]
ACTIONS = _LABELS["actions"]
SITE_LINKS = _LABELS["site_links"]
PRODUCTS = _LABELS["products"]
FILES = _LABELS["files"]

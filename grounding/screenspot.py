"""ScreenSpot-v2-style annotations: which picture, which sentence, which box."""

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

PLATFORMS = ("desktop", "mobile", "web")
KINDS = ("text", "icon")
# Domain of a sample by the name of its source; the last four are the web sites of ScreenSpot.
_SOURCES = {
    **dict.fromkeys(("desktop", "pc", "windows", "linux", "macos", "mac"), "desktop"),
    **dict.fromkeys(("mobile", "ios", "android"), "mobile"),
    **dict.fromkeys(("web", "tool", "shop", "gitlab", "forum"), "web"),
}


@dataclass(frozen=True)
class Sample:
    """One question of a benchmark.

    Args:
        image: File name inside the picture folder.
        box: Target in pixels of the picture: left, top, right, bottom.
        instruction: What to click.
        platform: desktop, mobile or web.
        kind: text or icon.
        where: Annotation file and entry, for messages and for resuming.
    """

    image: str
    box: tuple[float, float, float, float]
    instruction: str
    platform: str
    kind: str
    where: str

    def contains(self, x: float, y: float) -> bool:
        """Whether a point in pixels lies in the box; the borders belong to it."""
        left, top, right, bottom = self.box
        return left <= x <= right and top <= y <= bottom


def load_samples(files: Sequence[str | Path]) -> list[Sample]:
    """Read annotation files.

    Args:
        files: JSON lists of objects with img_filename, bbox ([x, y, width, height] in pixels), instruction,
            data_type (text or icon), data_source, and optionally platform.

    Returns:
        All samples, in order.

    Raises:
        ValueError: A file cannot be read or an entry has another format; the message names both.

    Source: the files of OS-Copilot/ScreenSpot-v2.
    """
    samples: list[Sample] = []
    for file in files:
        path = Path(file)
        try:
            entries = json.loads(path.read_text(encoding="utf-8"))
        except OSError as error:
            raise ValueError(f"cannot read the annotations {path} ({error.strerror}): give a JSON file") from error
        except ValueError as error:
            raise ValueError(f"{path} is no JSON ({error}): give ScreenSpot-v2-style annotations") from error
        if not isinstance(entries, list) or not entries:
            what = "an empty list" if entries == [] else f"a {type(entries).__name__}"
            raise ValueError(
                f"{path} holds {what}: annotations are a list of objects with img_filename, bbox, instruction"
            )
        samples += [_read(entry, path, number) for number, entry in enumerate(entries)]
    return samples


def _read(entry: Any, path: Path, number: int) -> Sample:
    where = f"{path} entry {number}"
    if not isinstance(entry, dict):
        raise ValueError(f"{where} is a {type(entry).__name__}: each entry must be an object")
    for key in ("img_filename", "instruction", "data_type"):
        if not isinstance(entry.get(key), str) or not entry[key].strip():
            raise ValueError(f"{where} has no {key}: it must be a text that is not empty")
    if entry["data_type"] not in KINDS:
        raise ValueError(f"{where} has data_type {entry['data_type']!r}: it must be text or icon")
    box = _box(entry.get("bbox"), where)
    return Sample(
        entry["img_filename"], box, entry["instruction"], _platform(entry, path, where), entry["data_type"], where
    )


def _box(value: Any, where: str) -> tuple[float, float, float, float]:
    numbers = isinstance(value, list) and len(value) == 4 and all(type(v) in (int, float) for v in value)
    if not numbers or not all(math.isfinite(v) for v in value):
        raise ValueError(f"{where} has bbox {value!r}: it must be [x, y, width, height] in pixels")
    x, y, width, height = map(float, value)
    if width <= 0 or height <= 0:
        raise ValueError(f"{where} has bbox {value}: width and height must be above 0")
    if max(value) <= 1:
        raise ValueError(
            f"{where} has bbox {value}, which looks like fractions: it must be [x, y, width, height] in pixels"
        )
    return x, y, x + width, y + height


def _platform(entry: dict[str, Any], path: Path, where: str) -> str:
    """Take the domain from the annotation file's name first: data_source says shop for some phones and desktops."""
    named = set(path.stem.lower().replace("-", "_").split("_")) & set(PLATFORMS)
    if len(named) == 1:
        return named.pop()
    hints = (entry.get("platform"), entry["img_filename"].split("_")[0], entry.get("data_source"))
    for hint in hints:
        if isinstance(hint, str) and hint.lower() in _SOURCES:
            return _SOURCES[hint.lower()]
    known = ", ".join(_SOURCES)
    raise ValueError(
        f"{where} has no known platform: name the file like screenspot_web_v2.json or set data_source to one of {known}"
    )

"""foveate: machines that look. Pointing on screens, attention backbones for timm, scanpaths."""

import importlib
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from foveate.grounding.pointing import Pointer, Pointing, point

__version__ = "0.1.0"
__all__ = [
    "Pointer",
    "Pointing",
    "__version__",
    "backbones",
    "demos",
    "grounding",
    "kernels",
    "point",
    "scanpath",
    "vision",
]

_ROOMS = ("kernels", "vision", "backbones", "grounding", "scanpath", "demos")
_POINTING = ("point", "Pointer", "Pointing")

# A checkout has the rooms beside this folder, an installed package inside it. Python started at the root of a checkout
# finds this folder before the installed one, and would find no rooms.
if not Path(__file__).with_name("vision").is_dir():
    __path__.append(str(Path(__file__).parents[1]))


def __getattr__(name: str) -> ModuleType | Any:
    """Import a room or a front-door name when it is first asked for, so that ``import foveate`` costs nothing."""
    if name in _ROOMS:
        return importlib.import_module(f"foveate.{name}")
    if name in _POINTING:
        return getattr(importlib.import_module("foveate.grounding.pointing"), name)
    raise AttributeError(f"module 'foveate' has no attribute {name!r}: it has {', '.join(__all__)}")


def __dir__() -> list[str]:
    return sorted(__all__)

"""foveate: machines that look. Backbones for timm, pointing on screens, attention kernels."""

import importlib
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from foveate.grounding.pointing import Pointer, Pointing, point

__version__ = "0.1.0"
__all__ = ["Pointer", "Pointing", "__version__", "backbones", "demos", "grounding", "point", "vision"]

_ROOMS = ("vision", "backbones", "grounding", "demos")
_NAMES = {"point": "foveate.grounding.pointing", "Pointer": "foveate.grounding.pointing", "Pointing": "foveate.grounding.pointing"}


def __getattr__(name: str) -> ModuleType | Any:
    """Import a room or a front-door name when it is first asked for, so that ``import foveate`` costs nothing."""
    if name in _ROOMS:
        return importlib.import_module(f"foveate.{name}")
    if name in _NAMES:
        return getattr(importlib.import_module(_NAMES[name]), name)
    raise AttributeError(f"module 'foveate' has no attribute {name!r}: it has {', '.join(__all__)}")


def __dir__() -> list[str]:
    return sorted(__all__)

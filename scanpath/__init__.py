"""From a picture to fixations, and measures of them. The room itself can be called: ``foveate.scanpath(image)``."""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from foveate.scanpath.fixations import Fixation, Scanpath, ViewingGeometry

__all__ = ["Fixation", "Scanpath", "ViewingGeometry"]

_PLACES = {"Fixation": "fixations", "Scanpath": "fixations", "ViewingGeometry": "fixations"}


def __getattr__(name: str) -> Any:
    """Import a name when it is first asked for."""
    if name in _PLACES:
        return getattr(importlib.import_module(f"foveate.scanpath.{_PLACES[name]}"), name)
    raise AttributeError(f"module 'foveate.scanpath' has no attribute {name!r}: it has {', '.join(__all__)}")

"""From a picture to fixations, and measures of them. The room itself can be called: ``foveate.scanpath(image)``."""

import importlib
import sys
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from foveate.scanpath.comparing import compare_files, compare_scanpaths
    from foveate.scanpath.fixations import Fixation, Scanpath, ViewingGeometry
    from foveate.scanpath.gaze_maps import priority_map, save_map
    from foveate.scanpath.predicting import MODELS, load_model, predict, save_scanpath

__all__ = [
    "EYE",
    "MODELS",
    "Fixation",
    "Scanpath",
    "ViewingGeometry",
    "compare_files",
    "compare_scanpaths",
    "load_model",
    "predict",
    "priority_map",
    "save_map",
    "save_scanpath",
]

#: The backbone with weights in the package, through which the models of this room look.
EYE = "resnet18_ela_eye"

_PLACES = {
    "Fixation": "fixations",
    "Scanpath": "fixations",
    "ViewingGeometry": "fixations",
    "compare_files": "comparing",
    "compare_scanpaths": "comparing",
    "MODELS": "predicting",
    "load_model": "predicting",
    "predict": "predicting",
    "priority_map": "gaze_maps",
    "save_map": "gaze_maps",
    "save_scanpath": "predicting",
}


class _Room(ModuleType):
    """A module that can be called."""

    def __call__(self, image: Any, **options: Any) -> "Scanpath":
        """Say where an eye would rest on a picture; see ``predicting.predict``."""
        from foveate.scanpath.predicting import predict

        return predict(image, **options)


def __getattr__(name: str) -> Any:
    """Import a name when it is first asked for."""
    if name in _PLACES:
        return getattr(importlib.import_module(f"foveate.scanpath.{_PLACES[name]}"), name)
    raise AttributeError(f"module 'foveate.scanpath' has no attribute {name!r}: it has {', '.join(__all__)}")


sys.modules[__name__].__class__ = _Room

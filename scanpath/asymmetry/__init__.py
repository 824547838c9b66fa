"""Search asymmetry: A among B is easier to find than B among A. Six experiments for any search model."""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from foveate.scanpath.asymmetry.experiments import EXPERIMENTS, Experiment, Task
    from foveate.scanpath.asymmetry.figure import draw_asymmetry
    from foveate.scanpath.asymmetry.index import AsymmetryResult, asymmetry_index
    from foveate.scanpath.asymmetry.run import run_asymmetry
    from foveate.scanpath.asymmetry.stimuli import Stimuli, make_stimuli

__all__ = [
    "EXPERIMENTS",
    "AsymmetryResult",
    "Experiment",
    "Stimuli",
    "Task",
    "asymmetry_index",
    "draw_asymmetry",
    "make_stimuli",
    "run_asymmetry",
]

_PLACES = {
    "EXPERIMENTS": "experiments",
    "Experiment": "experiments",
    "Task": "experiments",
    "draw_asymmetry": "figure",
    "AsymmetryResult": "index",
    "asymmetry_index": "index",
    "run_asymmetry": "run",
    "Stimuli": "stimuli",
    "make_stimuli": "stimuli",
}


def __getattr__(name: str) -> Any:
    """Import a name when it is first asked for."""
    if name in _PLACES:
        return getattr(importlib.import_module(f"foveate.scanpath.asymmetry.{_PLACES[name]}"), name)
    raise AttributeError(f"module 'foveate.scanpath.asymmetry' has no attribute {name!r}: it has {', '.join(__all__)}")

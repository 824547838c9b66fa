"""OAT: which object an eye goes to next, among objects of which one is looked for."""

from foveate.scanpath.oat.layout import Layout
from foveate.scanpath.oat.model import OAT
from foveate.scanpath.oat.rollout import roll_out, search_path

__all__ = ["OAT", "Layout", "roll_out", "search_path"]

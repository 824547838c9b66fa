"""OAT: which object an eye goes to next, among objects of which one is looked for."""

from foveate.scanpath.oat.elements import find_elements
from foveate.scanpath.oat.layout import Layout
from foveate.scanpath.oat.model import OAT
from foveate.scanpath.oat.rollout import roll_out, search_path
from foveate.scanpath.oat.searching import ObjectSearch
from foveate.scanpath.oat.weights import load_oat

__all__ = ["OAT", "Layout", "ObjectSearch", "find_elements", "load_oat", "roll_out", "search_path"]

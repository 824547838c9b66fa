"""What every room above sees the world with: pictures, geometry, drawing, examples."""

from foveate.vision.draw import draw_box, draw_heatmap, draw_point, draw_scanpath
from foveate.vision.examples import EXAMPLES, Example, find_example
from foveate.vision.geometry import Box, Point
from foveate.vision.images import load_image

__all__ = [
    "EXAMPLES",
    "Box",
    "Example",
    "Point",
    "draw_box",
    "draw_heatmap",
    "draw_point",
    "draw_scanpath",
    "find_example",
    "load_image",
]

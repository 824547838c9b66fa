"""Bitmaps of the items: arcs, lines, shaded discs, crosses, Ls, Ts and bars; 30 pixels are one degree."""

from functools import lru_cache

import numpy as np

__all__ = ["draw_items"]

_ROTATIONS = (45, 90, 135, 180)  # degrees, clockwise
_TILTS = (80, 60, 40, -20, -40, -60, -80)  # degrees clockwise from upright
_TILTED = 20


@lru_cache(maxsize=32)
def draw_items(kind: str) -> tuple[np.ndarray, ...]:
    """Draw the items of a kind.

    Args:
        kind: "arcs", "lines", "disc_up", "disc_down", "disc_left", "disc_right", "crosses", "non_crosses", "Ls", "Ts",
            "bar_upright", "bar_tilted", "bars_but_upright" or "bars_but_tilted".

    Returns:
        Square uint8 bitmaps, background included; they are shared, so copy before writing.

    Raises:
        ValueError: The kind is unknown.

    Source:
        Gupta et al. (NeurIPS 2021), rules of the published generators. Deviations: own antialiasing; arcs are 6.8
        pixels thick, as the published drawing comes out, where its setting says 5.
    """
    tilts = {
        "bar_upright": (0,),
        "bar_tilted": (_TILTED,),
        "bars_but_upright": (*_TILTS, _TILTED),
        "bars_but_tilted": (*_TILTS, 0),
    }
    if kind in tilts:
        items = [255 - _bar(69, 60, 9, angle) for angle in tilts[kind]]
    elif kind == "lines":
        items = [_bar(48, 36, 6, 90 + angle) for angle in _ROTATIONS]
    elif kind == "arcs":
        items = [_arc(48, 30, 1.3, 6.8, angle) for angle in _ROTATIONS]
    elif kind.startswith("disc_"):
        items = [_disc(31, kind.removeprefix("disc_"))]
    elif kind in ("crosses", "non_crosses", "Ls", "Ts"):
        items = _poses(_strokes(kind))
    else:
        raise ValueError(f"no items are called {kind!r}: see draw_items for the kinds")
    for item in items:
        item.setflags(write=False)
    return tuple(items)


def _coverage(distance: np.ndarray) -> np.ndarray:
    """Shade pixels by how much of them lies inside, given how far outside their middles lie."""
    return np.rint(255 * np.clip(0.5 - distance, 0, 1)).astype(np.uint8)


def _bar(side: int, length: int, width: int, angle: float) -> np.ndarray:
    """Draw a white bar on black, turned clockwise from upright."""
    y, x = np.mgrid[:side, :side] + 0.5 - side / 2
    turn = np.radians(angle)
    along, across = y * np.cos(turn) - x * np.sin(turn), y * np.sin(turn) + x * np.cos(turn)
    # Upright, it starts on whole pixels, so that its edges are sharp.
    along, across = along + side / 2 - (side - length) // 2, across + side / 2 - (side - width) // 2
    return _coverage(np.maximum(abs(along - length / 2) - length / 2, abs(across - width / 2) - width / 2))


def _arc(side: int, radius: float, extent: float, width: float, angle: float) -> np.ndarray:
    """Draw a white arc with round ends, bulging down and then turned clockwise."""
    y, x = np.mgrid[:side, :side] + 0.5 - side / 2
    turn = np.radians(angle)
    # The arc's own axes: its bulge points along +v. Its height lies around the middle of the bitmap.
    u, v = x * np.cos(turn) + y * np.sin(turn), y * np.cos(turn) - x * np.sin(turn)
    v = v + radius - (radius - radius * np.cos(extent / 2)) / 2
    direction = np.clip(np.arctan2(u, v), -extent / 2, extent / 2)
    distance = np.hypot(u - radius * np.sin(direction), v - radius * np.cos(direction))
    return _coverage(distance - width / 2)


def _disc(side: int, bright: str) -> np.ndarray:
    """Draw a disc shaded in 15 steps of grey, 0 to 238, on grey 27."""
    shades = 238 - 17 * np.clip((np.arange(side) - 1) // 2, 0, 14)
    rows = np.repeat(shades[:, None], side, 1)
    rows = {"up": rows, "down": rows[::-1], "left": rows.T, "right": rows.T[:, ::-1]}[bright]
    places = np.arange(side) - side // 2
    inside = places[:, None] ** 2 + places[None] ** 2 < (side // 2) ** 2
    return np.where(inside, rows, 27).astype(np.uint8)


def _strokes(kind: str) -> np.ndarray:
    """Draw black strokes of 5.5 x 0.55 degrees on white, in their first pose."""
    side, edge, length, weight = 177, 6, 165, 16.5
    end = edge + length
    item = np.full((side, side), 255, np.uint8)
    middle = int(edge + length / 2 - weight / 2)
    stem = middle, middle + int(weight)
    upper = int(edge + 3 * weight), int(edge + 4 * weight)
    lower = int(edge + 6 * weight), int(edge + 7 * weight)
    if kind == "Ls":
        item[edge:end, edge : edge + int(weight)] = 0
        item[end - int(np.ceil(weight)) : end, edge:end] = 0
        return item
    item[edge:end, stem[0] : stem[1]] = 0
    if kind == "crosses":
        item[upper[0] : upper[1], edge:end] = 0
    elif kind == "non_crosses":
        item[upper[0] : upper[1], edge : stem[1]] = 0
        item[lower[0] : lower[1], stem[0] : end] = 0
    else:
        item[edge : edge + int(weight), edge:end] = 0
    return item


def _poses(item: np.ndarray) -> list[np.ndarray]:
    flipped = item[::-1]
    return [np.ascontiguousarray(pose) for pose in (item, flipped, item.T, flipped.T)]

"""Marks on pictures: points, boxes, heatmaps and scanpaths, readable on dark and light, safe for colour-blind eyes."""

from typing import TypeVar

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from foveate.vision.geometry import Box, Point

Picture = TypeVar("Picture", Image.Image, np.ndarray)
Color = tuple[int, int, int]

# Orange and blue stay apart for every common kind of colour blindness (Okabe and Ito 2008).
ORANGE, BLUE = (230, 159, 0), (0, 114, 178)
_DARK, _LIGHT = (20, 20, 20), (255, 255, 255)
# A fixation of this many seconds gets a circle of the usual size.
_USUAL = 0.25
# Anchors of a map from dark blue over grey to yellow whose lightness rises evenly, like cividis.
_HEAT = np.array([(0, 32, 76), (45, 67, 108), (99, 102, 112), (150, 142, 118), (207, 187, 105), (255, 233, 69)], float)


def draw_point(picture: Picture, point: Point, label: str = "", color: Color = ORANGE) -> Picture:
    """Draw a ring with a cross at a point.

    Args:
        picture: PIL image, or (height, width, 3) uint8 array.
        point: In pixels or fractions.
        label: Text beside it, on the side where it fits; cut when it is wider than the picture.
        color: RGB, 0 to 255.

    Returns:
        A new picture of the kind that came.
    """
    image = _open(picture)
    place, unit = point.to_pixels(image.size), _unit(image)
    pen, radius = ImageDraw.Draw(image), 9 * unit
    # The same mark three times, each thinner: dark and light rims let the colour stand out on any ground.
    for ink, width in ((_DARK, 6), (_LIGHT, 4), (color, 2)):
        line = max(1, round(width * unit))
        grown = radius + line / 2
        pen.ellipse((place.x - grown, place.y - grown, place.x + grown, place.y + grown), outline=ink, width=line)
        for dx, dy in ((1, 0), (-1, 0), (0, 1), (0, -1)):
            near, far = 0.45 * radius, 1.9 * radius
            ends = (place.x + dx * near, place.y + dy * near, place.x + dx * far, place.y + dy * far)
            pen.line(ends, fill=ink, width=max(1, round((width - 1) * unit)))
    if label:
        reach = 2.2 * radius
        _write(image, label, Box(place.x - reach, place.y - reach, place.x + reach, place.y + reach))
    return _close(picture, image)


def draw_box(picture: Picture, box: Box, label: str = "", color: Color = BLUE) -> Picture:
    """Draw the outline of a box.

    Args:
        picture: PIL image, or (height, width, 3) uint8 array.
        box: In pixels or fractions.
        label: Text beside it, on the side where it fits; cut when it is wider than the picture.
        color: RGB, 0 to 255.

    Returns:
        A new picture of the kind that came.
    """
    image = _open(picture)
    box, unit = box.to_pixels(image.size), _unit(image)
    left, top, right, bottom = box.as_tuple()
    pen = ImageDraw.Draw(image)
    for ink, width, grow in ((_DARK, 4, 3), (_LIGHT, 3, 2), (color, 2, 1)):
        g = grow * unit
        pen.rectangle((left - g, top - g, right + g, bottom + g), outline=ink, width=max(1, round(width * unit / 2)))
    if label:
        _write(image, label, box)
    return _close(picture, image)


def draw_heatmap(
    picture: Picture, heat: np.ndarray, extent: tuple[float, float] | None = None, strength: float = 0.65
) -> Picture:
    """Lay a map over a picture; the more, the brighter and the less transparent.

    Args:
        picture: PIL image, or (height, width, 3) uint8 array.
        heat: (rows, columns), non-negative; scaled by its largest value.
        extent: Width and height in pixels that the map covers from the left top corner; default the picture.
        strength: Opacity of the largest value, 0 to 1.

    Returns:
        A new picture of the kind that came.

    Raises:
        ValueError: ``heat`` is no map of finite, non-negative values.
    """
    if heat.ndim != 2 or 0 in heat.shape or not np.isfinite(heat).all() or heat.min() < 0:
        raise ValueError(f"a heatmap must be (rows, columns), finite and not negative, got shape {heat.shape}")
    image = _open(picture)
    across, down = extent or image.size
    # The square root keeps weak places visible beside a sharp peak.
    values = np.sqrt(heat / max(float(heat.max()), 1e-12)).astype(np.float32)
    layer = Image.fromarray(values).resize((max(1, round(across)), max(1, round(down))), Image.Resampling.BICUBIC)
    share = np.clip(np.asarray(layer.crop((0, 0, image.width, image.height))), 0, 1)[..., None]
    steps = share[..., 0] * (len(_HEAT) - 1)
    colors = np.stack([np.interp(steps, range(len(_HEAT)), _HEAT[:, channel]) for channel in range(3)], -1)
    mixed = np.asarray(image) * (1 - strength * share) + colors * strength * share
    return _close(picture, Image.fromarray(np.rint(mixed).astype(np.uint8)))


def draw_scanpath(picture: Picture, points: np.ndarray, durations: np.ndarray | None = None) -> Picture:
    """Draw fixations as numbered circles, joined by lines; the first is orange, the others are blue.

    Args:
        picture: PIL image, or (height, width, 3) uint8 array.
        points: (fixations, 2): x and y in pixels.
        durations: (fixations,) seconds: the longer, the larger the circle in area; None draws all alike.

    Returns:
        A new picture of the kind that came.

    Raises:
        ValueError: Shapes do not match, a number is not finite, or a duration is below 0.
    """
    places = np.asarray(points, dtype=np.float64)
    if places.ndim != 2 or places.shape[1] != 2 or len(places) == 0 or not np.isfinite(places).all():
        raise ValueError(f"points must be (fixations, 2), finite, at least one, got shape {places.shape}")
    seconds = np.full(len(places), _USUAL) if durations is None else np.asarray(durations, dtype=np.float64)
    if seconds.shape != (len(places),) or not np.isfinite(seconds).all() or seconds.min() < 0:
        raise ValueError(f"durations must be {len(places)} finite numbers, 0 or more, got shape {seconds.shape}")
    image = _open(picture)
    unit = _unit(image)
    # On a small picture circles must leave something of it to see.
    usual = min(13 * unit, min(image.size) / 8)
    radii = usual * np.sqrt(np.clip(seconds / _USUAL, 0.3, 4))
    for ink, width in ((_DARK, 5), (_LIGHT, 3.5), (BLUE, 2)):
        line = [tuple(place) for place in places.tolist()]
        ImageDraw.Draw(image).line(line, fill=ink, width=max(1, round(width * unit)), joint="curve")
    # The last first: where circles overlap, the earlier one stays whole.
    for number in range(len(places), 0, -1):
        image = _draw_fixation(image, places[number - 1], float(radii[number - 1]), number)
    return _close(picture, image)


def _draw_fixation(image: Image.Image, place: np.ndarray, radius: float, number: int) -> Image.Image:
    """Lay a circle that can be seen through over the picture, with rims and its number."""
    layer, unit = Image.new("RGBA", image.size), _unit(image)
    pen, color = ImageDraw.Draw(layer), ORANGE if number == 1 else BLUE
    x, y = (float(v) for v in place)
    for ink, width in ((_DARK, 2.5), (_LIGHT, 1.5)):
        grown = radius + width * unit
        pen.ellipse((x - grown, y - grown, x + grown, y + grown), fill=(*ink, 255))
    # Drawing replaces what lies under it in the layer: here the picture shows through again.
    pen.ellipse((x - radius, y - radius, x + radius, y + radius), fill=(*color, 190))
    font = ImageFont.load_default(size=max(7, min(1.15 * radius, 13 * unit)))
    ink = _DARK if number == 1 else _LIGHT
    pen.text((x, y), str(number), font=font, fill=(*ink, 255), anchor="mm")
    return Image.alpha_composite(image.convert("RGBA"), layer).convert("RGB")


def _open(picture: Image.Image | np.ndarray) -> Image.Image:
    """Copy what came into a PIL image."""
    if isinstance(picture, Image.Image):
        return picture.convert("RGB").copy()
    if isinstance(picture, np.ndarray) and picture.ndim == 3 and picture.shape[2] == 3 and picture.dtype == np.uint8:
        return Image.fromarray(picture).copy()
    raise TypeError(f"can draw on a PIL image or a (height, width, 3) uint8 array, got {type(picture).__name__}")


def _close(picture: Picture, drawn: Image.Image) -> Picture:
    """Turn the drawing into the kind of picture that came."""
    return drawn if isinstance(picture, Image.Image) else np.asarray(drawn).copy()


def _unit(image: Image.Image) -> float:
    """Width of a thin line that is seen at the picture's size, pixels."""
    return max(1.0, min(image.size) / 400)


def _write(image: Image.Image, text: str, around: Box) -> None:
    """Write light text on a dark plate right above or below a place, beside it where possible."""
    pen, gap = ImageDraw.Draw(image), 4
    font = ImageFont.load_default(size=max(11, round(12 * _unit(image))))
    while len(text) > 4 and pen.textlength(text, font=font) > image.width - 2 * gap:
        text = f"{text[:-4]}..."
    left, top, right, bottom = pen.textbbox((0, 0), text, font=font)
    width, height = right - left, bottom - top
    fits_right = around.right + width + gap <= image.width
    x = around.right if fits_right else max(gap, around.left - width)
    y = around.top - height - gap
    if y < gap:
        y = min(around.bottom + gap, max(gap, image.height - height - gap))
    pen.rectangle((x - gap, y - gap, x + width + gap, y + height + gap), fill=_DARK)
    pen.text((x - left, y - top), text, font=font, fill=_LIGHT)

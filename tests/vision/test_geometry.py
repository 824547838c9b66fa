"""Points and boxes, in pixels and in fractions."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from foveate.vision import Box, Point

sides = st.floats(0, 1000)
boxes = st.builds(lambda x, y, w, h: Box.from_xywh(x, y, w, h), sides, sides, sides, sides)


def test_frames_convert() -> None:
    box = Box.from_xywh(10, 20, 30, 40)
    assert box.to_fractions((100, 200)).as_tuple() == (0.1, 0.1, 0.4, 0.3)
    assert box.to_fractions((100, 200)).frame == "fractions"
    assert box.to_pixels((7, 7)) is box
    assert Point(50, 50).to_fractions((100, 200)) == Point(0.5, 0.25, "fractions")
    assert Point(0.5, 0.25, "fractions").to_pixels((100, 200)) == Point(50, 50)


def test_box_measures() -> None:
    box = Box(10, 20, 40, 60)
    assert (box.width, box.height, box.area) == (30, 40, 1200)
    assert box.center == Point(25, 40)


@pytest.mark.parametrize(("x", "inside"), [(9.9, False), (10, True), (40, True), (40.1, False)])
def test_borders_belong_to_a_box(x: float, inside: bool) -> None:
    assert Box(10, 20, 40, 60).contains(Point(x, 60)) is inside


def test_clip_cuts_in_the_box_s_own_frame() -> None:
    assert Box(-5, 0, 50, 60).clip((20, 30)).as_tuple() == (0, 0, 20, 30)
    assert Box(-0.5, 0, 5, 0.5, "fractions").clip((20, 30)).as_tuple() == (0, 0, 1, 0.5)


@given(boxes, boxes)
def test_iou_is_symmetric_and_a_share(one: Box, other: Box) -> None:
    assert 0 <= one.iou(other) <= 1 + 1e-9
    assert one.iou(other) == other.iou(one)


@given(boxes)
def test_frames_round_trip(box: Box) -> None:
    back = box.to_fractions((640, 480)).to_pixels((640, 480))
    assert all(math.isclose(a, b, abs_tol=1e-6) for a, b in zip(back.as_tuple(), box.as_tuple(), strict=True))


def test_iou_of_known_boxes() -> None:
    assert Box(0, 0, 2, 2).iou(Box(1, 0, 3, 2)) == pytest.approx(1 / 3)
    assert Box(0, 0, 0, 0).iou(Box(0, 0, 0, 0)) == 0


def test_wrong_geometry_is_one_sentence() -> None:
    with pytest.raises(ValueError, match="cannot mix frames pixels and fractions"):
        Box(0, 0, 1, 1).contains(Point(0.2, 0.2, "fractions"))
    with pytest.raises(ValueError, match="cannot mix frames"):
        Box(0, 0, 1, 1).iou(Box(0, 0, 1, 1, "fractions"))
    with pytest.raises(ValueError, match="left <= right"):
        Box(5, 0, 1, 1)
    with pytest.raises(ValueError, match="left <= right"):
        Box(math.nan, 0, 1, 1)
    with pytest.raises(ValueError, match="frame must be"):
        Point(0, 0, "percent")
    with pytest.raises(ValueError, match="size must be"):
        Point(0, 0).to_fractions((0, 5))

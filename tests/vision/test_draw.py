"""Marks on pictures."""

import numpy as np
import pytest
from PIL import Image

from foveate.vision import Box, Point, draw_box, draw_heatmap, draw_point, draw_scanpath

MARKS = {
    "point": lambda picture: draw_point(picture, Point(0.5, 0.5, "fractions"), "here"),
    "box": lambda picture: draw_box(picture, Box(20, 20, 60, 60), "this"),
    "heatmap": lambda picture: draw_heatmap(picture, np.eye(9)),
    "scanpath": lambda picture: draw_scanpath(picture, np.array([[20, 20], [90, 60]])),
}


@pytest.mark.parametrize("mark", MARKS)
def test_the_kind_that_came_goes_and_the_original_stays(mark: str) -> None:
    image = Image.new("RGB", (120, 90), "gray")
    array = np.asarray(image).copy()
    drawn, drawn_array = MARKS[mark](image), MARKS[mark](array)
    assert isinstance(drawn, Image.Image)
    assert isinstance(drawn_array, np.ndarray)
    assert drawn_array.dtype == np.uint8
    np.testing.assert_array_equal(np.asarray(drawn), drawn_array)
    assert (drawn_array != array).any()
    assert (array == 128).all()
    assert (np.asarray(image) == 128).all()


@pytest.mark.parametrize("mark", ["point", "box", "scanpath"])
@pytest.mark.parametrize("ground", ["black", "white", "#e69f00", "#0072b2"])
def test_marks_stand_out_on_any_ground(mark: str, ground: str) -> None:
    image = Image.new("RGB", (120, 90), ground)
    before = np.asarray(image.convert("L")).astype(int)
    after = np.asarray(MARKS[mark](image).convert("L")).astype(int)
    assert (abs(after - before) > 90).sum() > 50


def test_a_heatmap_is_strongest_where_the_map_is() -> None:
    heat = np.zeros((6, 8))
    heat[4, 6] = 1
    drawn = draw_heatmap(np.zeros((60, 80, 3), np.uint8), heat)
    row, column = np.unravel_index(drawn.sum(2).argmax(), (60, 80))
    assert (row // 10, column // 10) == (4, 6)
    assert drawn[:20, :30].sum() == 0


def test_a_heatmap_may_reach_over_the_edge() -> None:
    heat = np.zeros((2, 2))
    heat[0, 1] = 1
    drawn = draw_heatmap(np.zeros((10, 10, 3), np.uint8), heat, extent=(40, 20))
    assert drawn.shape == (10, 10, 3)
    assert drawn.sum() == 0


def test_a_map_without_attention_changes_nothing() -> None:
    picture = np.full((10, 10, 3), 77, np.uint8)
    np.testing.assert_array_equal(draw_heatmap(picture, np.zeros((3, 3))), picture)


@pytest.mark.parametrize("place", [(0, 0), (119, 0), (0, 89), (119, 89)])
def test_labels_stay_in_the_picture_at_every_corner(place: tuple[int, int]) -> None:
    image = Image.new("RGB", (120, 90), "white")
    plain = np.asarray(draw_point(image, Point(*place))).astype(int)
    labelled = np.asarray(draw_point(image, Point(*place), "ok")).astype(int)
    assert (abs(labelled - plain).max(2) > 100).sum() > 100


def test_a_label_wider_than_the_picture_is_cut() -> None:
    image = Image.new("RGB", (120, 90), "white")
    drawn = np.asarray(draw_point(image, Point(60, 80), "a very long instruction " * 20))
    assert (drawn[:, 0] > 200).any()
    assert (drawn[:, -1] > 200).any()


def test_what_cannot_be_drawn_on_is_an_error() -> None:
    with pytest.raises(TypeError, match="can draw on"):
        draw_box(np.zeros((4, 4)), Box(0, 0, 1, 1))
    for heat in (np.zeros(3), np.zeros((0, 3)), np.full((2, 2), np.nan), np.full((2, 2), -1.0)):
        with pytest.raises(ValueError, match="finite and not negative"):
            draw_heatmap(np.zeros((4, 4, 3), np.uint8), heat)


@pytest.mark.parametrize("size", [(24, 16), (400, 300), (3000, 2000)])
def test_a_longer_fixation_has_a_larger_circle_at_any_size(size: tuple[int, int]) -> None:
    picture = np.full((size[1], size[0], 3), 128, np.uint8)
    middle = np.array([[size[0] / 2, size[1] / 2]])
    short, usual, long = ((draw_scanpath(picture, middle, np.array([t])) != 128).any(2).sum() for t in (0.1, 0.25, 0.9))
    assert short < usual < long < 0.5 * size[0] * size[1]


def test_fixations_are_joined_and_may_lie_outside() -> None:
    picture = np.full((100, 200, 3), 128, np.uint8)
    drawn = draw_scanpath(picture, np.array([[20, 50], [180, 50], [500, 50]]))
    assert (drawn[50, 60:140] != 128).any(1).all()
    assert (drawn[:20] == 128).all()


@pytest.mark.parametrize(
    ("points", "durations", "message"),
    [
        (np.zeros((0, 2)), None, "points must be"),
        (np.zeros(4), None, "points must be"),
        (np.array([[1, np.nan]]), None, "points must be"),
        (np.zeros((2, 2)), np.zeros(3), "durations must be 2 finite numbers"),
        (np.zeros((2, 2)), np.array([0.1, -1]), "durations must be 2 finite numbers"),
    ],
)
def test_a_scanpath_that_cannot_be_drawn(points: np.ndarray, durations: np.ndarray | None, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        draw_scanpath(np.zeros((10, 10, 3), np.uint8), points, durations)

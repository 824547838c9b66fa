"""Scanpaths keep units, order and honesty."""

import numpy as np
import pytest

from foveate.scanpath import Fixation, Scanpath, ViewingGeometry


def path(**facts) -> Scanpath:
    return Scanpath(np.array([10.0, 50.5, 99.0]), np.array([5.0, 20.0, 40.0]), (100, 50), **facts)


def test_a_path_is_a_sequence_of_fixations() -> None:
    look = path(duration=[0.2, 0.3, 0.1])
    assert len(look) == 3
    assert look[1] == Fixation(50.5, 20.0, 0.3)
    assert [f.x for f in look] == [10.0, 50.5, 99.0]
    assert look.saccades.tolist() == pytest.approx([np.hypot(40.5, 15), np.hypot(48.5, 20)])
    assert look.first(2).points.tolist() == [[10.0, 5.0], [50.5, 20.0]]
    assert look.scaled((200, 50)).x.tolist() == [20.0, 101.0, 198.0]


def test_json_and_csv_come_back() -> None:
    look = path(duration=[0.2, 0.3, 0.1], start=[0.0, 0.25, 0.6], source="a.png", task="find it", observer="me")
    again = Scanpath.from_json(look.to_json())
    assert again.to_dict() == look.to_dict()
    lines = look.to_csv().splitlines()
    assert lines[0] == "index,x,y,duration,start"
    assert lines[2] == "2,50.5,20.0,0.3,0.25"


def test_single_fixations_are_collected() -> None:
    look = Scanpath.from_fixations([Fixation(1, 2), Fixation(3, 4)], (10, 10), observer="x")
    assert look.duration is None
    assert look.observer == "x"
    with pytest.raises(ValueError, match="fixation 1 has no duration"):
        Scanpath.from_fixations([Fixation(1, 2, 0.1), Fixation(3, 4)], (10, 10))


def test_outside_is_known_and_can_be_moved_in() -> None:
    look = Scanpath([-3.0, 100.0], [10.0, 49.0], (100, 50))
    assert look.inside.tolist() == [False, False]
    assert look.clipped().inside.all()
    assert look.clipped().x.tolist() == [0.0, 99.0]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (([], [], (10, 10)), "at least one fixation"),
        (([1.0, np.nan], [1.0, 2.0], (10, 10)), "x of fixation 1 is nan"),
        (([1.0], [1.0, 2.0], (10, 10)), "y has 2 numbers for 1 fixation:"),
        (([1.0], [1.0], (10, 0)), "both at least 1"),
        (([1.0], [1.0], (10, 10), [-0.1]), "0 seconds or more"),
        (([[1.0]], [[1.0]], (10, 10)), "shape"),
    ],
)
def test_bad_paths_are_refused(arguments: tuple, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Scanpath(*arguments)


def test_degrees_need_a_geometry() -> None:
    geometry = ViewingGeometry.from_screen(width_pixels=1000, width_cm=40, distance_cm=60)
    assert geometry.pixels_per_degree == pytest.approx(26.18, abs=0.01)
    assert geometry.pixels(geometry.degrees(55.0)) == pytest.approx(55.0)
    middle = Scanpath([50.0], [25.0], (100, 50))
    assert middle.in_degrees(geometry).tolist() == [[0.0, 0.0]]
    with pytest.raises(ValueError, match="above 0"):
        ViewingGeometry(0)


@pytest.mark.parametrize(
    "data", [{}, {"fixations": [], "image": {}}, {"fixations": [{}], "image": {"width": 1, "height": 1}}, []]
)
def test_other_data_are_no_scanpath(data) -> None:
    with pytest.raises(ValueError, match=r"this is no scanpath .*: give what to_dict wrote"):
        Scanpath.from_dict(data)

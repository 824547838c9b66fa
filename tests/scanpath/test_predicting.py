"""One call from a picture to a scanpath, and the baselines."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import foveate
from foveate.scanpath.baselines import BASELINES, CENTRE_MEAN, CENTRE_SD, draw_durations, spectral_residual
from foveate.scanpath.fixations import Scanpath
from foveate.scanpath.predicting import load_model, predict, save_scanpath
from foveate.vision import load_image


@pytest.mark.parametrize("name", BASELINES)
@pytest.mark.parametrize("size", [(200, 120), (40, 400), (3, 2)])
def test_baselines_look_at_pictures_of_any_shape(name: str, size: tuple[int, int]) -> None:
    image = Image.effect_noise(size, 50).convert("RGB")
    path = predict(image, model=name, count=7, seed=3)
    assert (len(path), path.size, path.observer) == (7, size, name)
    assert path.inside.all()
    assert path.duration is not None
    assert (path.duration > 0).all()
    again = predict(image, model=name, count=7, seed=3)
    np.testing.assert_array_equal(again.points, path.points)
    np.testing.assert_array_equal(again.duration, path.duration)
    assert (predict(image, model=name, count=7, seed=4).duration != path.duration).any()


def test_saliency_goes_to_what_is_different_and_not_back() -> None:
    image = Image.new("RGB", (320, 240), "gray")
    image.paste("white", (240, 40, 260, 60))
    first, second = (path[i] for path in [predict(image, model="spectral", count=2)] for i in (0, 1))
    assert np.hypot(first.x - 250, first.y - 50) < 20
    assert np.hypot(second.x - first.x, second.y - first.y) > 10


def test_the_middle_draws_near_where_there_are_two_things() -> None:
    image = Image.new("RGB", (320, 240), "gray")
    image.paste("white", (5, 5, 25, 25))
    image.paste("white", (150, 105, 170, 125))
    first = predict(image, model="saliency-centre", count=1)[0]
    assert np.hypot(first.x - 160, first.y - 115) < 30


def test_a_flat_picture_has_no_saliency_but_a_path() -> None:
    image = Image.new("RGB", (64, 48), "black")
    assert np.isfinite(spectral_residual(image)).all()
    assert predict(image, model="spectral", count=3).inside.all()


def test_draws_have_the_stated_distribution() -> None:
    path = predict(Image.new("RGB", (1000, 1000)), model="centre", count=20_000)
    # Places outside are drawn anew, which narrows the spread a little.
    np.testing.assert_allclose(path.points.mean(0) / 1000, CENTRE_MEAN, atol=0.01)
    np.testing.assert_allclose(path.points.std(0) / 1000, CENTRE_SD, atol=0.02)
    durations = draw_durations(20_000, np.random.default_rng(0))
    assert abs(np.median(durations) - 0.185) < 0.005
    assert durations.min() >= 0.02
    assert durations.max() <= 2


def test_the_room_can_be_called(shot: Path) -> None:
    path = foveate.scanpath(shot, model="saliency-centre", count=4)
    assert isinstance(path, foveate.scanpath.Scanpath)
    assert (len(path), path.size, path.source) == (4, (200, 120), str(shot))
    array = np.asarray(load_image(shot))
    np.testing.assert_array_equal(foveate.scanpath(array, model="saliency-centre", count=4).points, path.points)


def test_a_model_is_loaded_once_and_may_be_given() -> None:
    assert load_model("centre", "cpu") is load_model("centre", "cpu")

    class Corner:
        name, trained = "corner", False

        def __call__(self, image: Image.Image, *, count: int = 10, task: str = "", seed: int = 0) -> Scanpath:
            return Scanpath(np.zeros(count), np.zeros(count), image.size, task=task, observer=self.name, trained=False)

    path = predict(Image.new("RGB", (9, 9)), model=Corner(), count=2, task="  a   cup ")
    assert (path.task, path.trained, len(path)) == ("a cup", False, 2)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"model": "nobody"}, r"scanpath models are priority.*got 'nobody'"),
        ({"model": "centre:part"}, "got 'centre:part'"),
        ({"model": "neva:foo"}, "timm has no model 'foo': give one of"),
        ({"model": "centre", "count": 0}, "count must be at least 1 fixation, got 0"),
        ({"model": "uniform", "seed": -1}, "seed must be at least 0, got -1"),
        ({"model": "centre", "device": "tpu"}, "unknown device 'tpu'"),
    ],
)
def test_what_cannot_be_is_one_sentence(options: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        predict(Image.new("RGB", (20, 20)), **options)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"count": "3"}, "count must be a whole number, got '3'"),
        ({"count": 2.5}, r"count must be a whole number, got 2\.5"),
        ({"seed": None}, "seed must be a whole number, got None"),
        ({"task": None}, "task must be text, empty for free viewing, got None"),
    ],
)
def test_wrong_types_are_one_sentence(options: dict, message: str) -> None:
    with pytest.raises(TypeError, match=message):
        predict(Image.new("RGB", (20, 20)), model="centre", **options)


def test_a_device_that_is_not_there() -> None:
    with pytest.raises(RuntimeError, match=r"device cuda:99 is not there .*: use cpu"):
        load_model("centre", "cuda:99")


def test_an_answer_is_saved_three_ways(shot: Path, tmp_path: Path) -> None:
    picture = load_image(shot)
    path = predict(picture, model="centre", count=5)
    drawing = save_scanpath(path, picture, tmp_path / "look")
    assert drawing == tmp_path / "look.scanpath.png"
    assert load_image(drawing).size == (200, 120)
    assert (np.asarray(load_image(drawing)) != np.asarray(picture)).any()
    read = Scanpath.from_dict(json.loads((tmp_path / "look.scanpath.json").read_text()))
    np.testing.assert_allclose(read.points, path.points, atol=0.006)
    rows = (tmp_path / "look.scanpath.csv").read_text().splitlines()
    assert rows[0] == "index,x,y,duration"
    assert len(rows) == 6
    with pytest.raises(ValueError, match="got one of"):
        save_scanpath(path, picture.resize((20, 20)), tmp_path / "other")

"""The learned default for free viewing: its map, its walk and its file."""

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import save_file

from foveate.scanpath.baselines import Saliency
from foveate.scanpath.datasets import open_dataset
from foveate.scanpath.gaze_maps import priority_map, save_map
from foveate.scanpath.measures import scanmatch_pairs
from foveate.scanpath.priority import (
    WEIGHTS,
    GazeStatistics,
    Priority,
    Readout,
    Walk,
    load_priority,
    map_grid,
    save_priority,
    take_walk,
)
from tests.conftest import reference_folder, skip_unless_ci

OSIE = reference_folder().parent / "data" / "osie"
SAME = np.array([[0.5, 0.5], [0.2, 0.2]])
FLAT = GazeStatistics(np.zeros(10), SAME, SAME, np.array([0.2, 0.3]), 0.5)


@pytest.fixture(scope="module")
def model() -> Priority:
    return load_priority()


@pytest.fixture(scope="module")
def picture() -> Image.Image:
    image = Image.effect_noise((320, 240), 30).convert("RGB")
    image.paste("red", (220, 60, 260, 100))
    return image


@pytest.mark.parametrize("size", [(320, 240), (40, 400), (900, 30), (3, 2), (1, 1)])
def test_pictures_of_any_shape(model: Priority, size: tuple[int, int]) -> None:
    path = model(Image.effect_noise(size, 50).convert("RGB"), count=14, task="free", seed=3)
    assert (len(path), path.size, path.observer, path.task, path.trained) == (14, size, "priority", "free", True)
    assert path.inside.all()
    assert path.duration is not None
    assert ((path.duration > 0.1) & (path.duration < 0.4)).all()


def test_maps_are_probabilities(model: Priority, picture: Image.Image) -> None:
    log_priority = model.log_priority(picture)
    assert log_priority.shape == map_grid(picture.size) == (30, 40)
    assert np.exp(log_priority).sum() == pytest.approx(1, abs=1e-5)
    assert map_grid((600, 800)) == (40, 30)
    # Beyond 4:1 the picture is squeezed: the backbone's work stays the same.
    assert map_grid((4000, 10)) == map_grid((4000, 1000))


def test_the_map_of_a_picture_s_pixels(model: Priority, picture: Image.Image, tmp_path: Path) -> None:
    density = priority_map(picture)
    assert (density.shape, density.dtype) == ((240, 320), np.float32)
    assert density.min() > 0
    assert density.sum() == pytest.approx(1, abs=1e-4)
    # A cell of 8 x 8 pixels has about what the model gives it.
    cells = density.reshape(30, 8, 40, 8).sum((1, 3))
    assert np.corrcoef(cells.ravel(), np.exp(model.log_priority(picture)).ravel())[0, 1] > 0.98
    assert np.unravel_index(cells.argmax(), cells.shape) == np.unravel_index(
        model.log_priority(picture).argmax(), cells.shape
    )
    np.testing.assert_array_equal(np.load(save_map(density, tmp_path / "a.npy")), density)
    assert priority_map(picture, size=(40, 30)).shape == (30, 40)
    assert priority_map(Image.new("RGB", (1, 1))).tolist() == [[1.0]]
    with pytest.raises(ValueError, match=r"a map is written as .png or .npy, got a.tiff"):
        save_map(density, tmp_path / "a.tiff")
    with pytest.raises(ValueError, match="corner makes paths without a map: take priority, centre"):
        priority_map(picture, model=SimpleNamespace(name="corner"))  # type: ignore[arg-type]


@pytest.mark.parametrize("name", ["uniform", "centre", "spectral", "saliency-centre"])
def test_baselines_have_maps(name: str, picture: Image.Image) -> None:
    density = priority_map(picture, model=name)
    assert density.sum() == pytest.approx(1, abs=1e-4)
    middle, corner = density[100:140, 140:180].mean(), density[:20, :20].mean()
    assert (middle > corner) == (name in ("centre", "saliency-centre")) or name == "spectral"


def test_only_temperature_reads_the_seed(picture: Image.Image) -> None:
    cold, warm = load_priority(), load_priority(temperature=1.0)
    np.testing.assert_array_equal(cold(picture, seed=0).points, cold(picture, seed=1).points)
    np.testing.assert_array_equal(warm(picture, seed=5).points, warm(picture, seed=5).points)
    np.testing.assert_array_equal(warm(picture, seed=5).duration, warm(picture, seed=5).duration)
    assert (warm(picture, seed=5).points != warm(picture, seed=6).points).any()
    assert (warm(picture, seed=5).duration != warm(picture, seed=6).duration).any()


def test_batches_hold_what_each_picture_has_alone(model: Priority, picture: Image.Image) -> None:
    pictures = [picture, picture.resize((100, 200))]
    together = model.batch(pictures, count=4, tasks=["", "b"])
    assert [path.task for path in together] == ["", "b"]
    for path, image in zip(together, pictures, strict=True):
        np.testing.assert_array_equal(path.points, model(image, count=4).points)
    with pytest.raises(ValueError, match="one task, got 1 for 2"):
        model.batch(pictures, tasks=["a"])


def test_the_walk_takes_peaks_in_order() -> None:
    log_priority = np.full((6, 8), -5.0)
    log_priority[1, 2], log_priority[4, 6], log_priority[5, 0] = 0, -1, -2
    walk = Walk(inhibition=0.03, recovery=0.0, saccade_weight=0.0, first_weight=0.0)
    places = take_walk(log_priority, (800, 600), FLAT, walk, 3)
    np.testing.assert_allclose(places, [[2.5 / 8, 1.5 / 6], [6.5 / 8, 4.5 / 6], [0.5 / 8, 5.5 / 6]])


def test_inhibition_fades_only_as_it_is_told() -> None:
    log_priority = np.zeros((4, 5))
    log_priority[2, 3] = 3
    never = take_walk(log_priority, (500, 400), FLAT, Walk(0.01, 0.0, 0.0, 0.0), 20)
    assert len(np.unique(never, axis=0)) == 20
    # All is forgotten but the hole at the last place: the eye goes to and fro.
    at_once = take_walk(log_priority, (500, 400), FLAT, Walk(0.01, 1.0, 0.0, 0.0), 5)
    np.testing.assert_allclose(at_once[::2], [[3.5 / 5, 2.5 / 4]] * 3)
    assert (at_once[1::2] != at_once[0]).any(1).all()


def test_saccades_and_first_looks_draw_the_eye() -> None:
    x, y = (np.arange(40) + 0.5) / 40, (np.arange(30) + 0.5) / 30
    # Where the map is that of all fixations, the ratio of both densities turns it into that of first ones.
    log_priority = -(((x - 0.5) / 0.2) ** 2 + ((y - 0.5) / 0.2)[:, None] ** 2) / 2
    eye = replace(FLAT, first=np.array([[0.3, 0.6], [0.1, 0.1]]))
    place = take_walk(log_priority, (800, 600), eye, Walk(first_weight=1.0), 1)[0]
    assert (np.abs(place - (0.3, 0.6)) <= (0.5 / 40 + 1e-9, 0.5 / 30 + 1e-9)).all()
    # Jumps of half a diagonal are the most common.
    eye = replace(FLAT, saccade=-((((np.arange(10) + 0.5) / 10 - 0.55) / 0.1) ** 2))
    places = take_walk(np.zeros((30, 40)), (800, 600), eye, Walk(0.03, 0.2, 5.0, 0.0), 4) * (800, 600)
    np.testing.assert_allclose(np.hypot(*np.diff(places, axis=0).T) / 1000, 0.55, atol=0.02)


def test_distances_are_those_of_the_picture() -> None:
    log_priority = np.full((20, 20), -9.0)
    log_priority[0, 0], log_priority[19, 0], log_priority[0, 5] = 0, -0.1, -0.5
    # 95 pixels down are under the inhibition of 100, 250 to the right are not.
    places = take_walk(log_priority, (1000, 100), FLAT, Walk(0.1, 0.0, 0.0, 0.0), 2)
    np.testing.assert_allclose(places[1], [5.5 / 20, 0.5 / 20])


def test_files_return_what_was_written(tmp_path: Path, picture: Image.Image) -> None:
    torch.manual_seed(0)
    readout, walk = Readout(), Walk(0.05, 0.1, 0.2, 0.3)
    statistics = replace(FLAT, saccade=np.linspace(1, -1, 10))
    save_priority(tmp_path / "new" / "a.safetensors", readout, statistics, walk, {"data": "none"})
    again = load_priority(tmp_path / "new" / "a.safetensors")
    assert again.walk == walk
    np.testing.assert_array_equal(again.statistics.saccade, statistics.saccade)
    raw = Priority(readout, statistics, walk, trained=False)(picture)
    assert not raw.trained
    np.testing.assert_array_equal(raw.points, again(picture).points)


def test_the_weights_are_small() -> None:
    assert WEIGHTS.stat().st_size <= 2_000_000


def test_bad_input_is_one_clear_error(tmp_path: Path, model: Priority, picture: Image.Image) -> None:
    with pytest.raises(ValueError, match="count must be at least 1 fixation, got 0"):
        model(picture, count=0)
    for temperature in (-1.0, float("nan")):
        with pytest.raises(ValueError, match="temperature must be 0 or more"):
            load_priority(temperature=temperature)
    with pytest.raises(ValueError, match="source of random numbers"):
        take_walk(np.zeros((2, 2)), (20, 20), FLAT, Walk(), 1, temperature=1.0)
    with pytest.raises(RuntimeError, match="cannot be read as weights"):
        load_priority(tmp_path / "missing.safetensors")
    (tmp_path / "cut.safetensors").write_bytes(WEIGHTS.read_bytes()[:1000])
    with pytest.raises(RuntimeError, match="cannot be read as weights"):
        load_priority(tmp_path / "cut.safetensors")
    save_file({"a": torch.zeros(1)}, str(tmp_path / "other.safetensors"))
    with pytest.raises(RuntimeError, match="of another model"):
        load_priority(tmp_path / "other.safetensors")


def test_pictures_reach_the_backbone_as_in_training(model: Priority) -> None:
    if not OSIE.is_dir():
        skip_unless_ci("osie is not here")
    # These pictures were trained on: the test finds a broken pipeline, the model card says how good the model is.
    scores = []
    for viewing in list(open_dataset("osie", OSIE))[::35]:
        humans, image = [path.clipped() for path in viewing.scanpaths], viewing.image()
        paths = [eye(image, count=9).scaled(viewing.size) for eye in (model, Saliency(centred=True))]
        scores.append([scanmatch_pairs(humans, [path] * len(humans)).mean() for path in paths])
    ours, saliency = np.mean(scores, 0)
    assert ours > saliency + 0.05

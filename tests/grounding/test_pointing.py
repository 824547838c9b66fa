"""Pointing: from the map to a click in pixels of the picture that came."""

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import foveate
from foveate.grounding.answer import Failure
from foveate.grounding.canvas import prepare
from foveate.grounding.pointing import Pointer
from foveate.vision import Point, load_image


class Finder(torch.nn.Module):
    """Stands in for a model: looks at the cells that are red (for "red") or blue."""

    stride = 8

    def __init__(self) -> None:
        super().__init__()
        self.encoded = 0

    def encode_image(self, pixels: torch.Tensor) -> torch.Tensor:
        self.encoded += 1
        return torch.nn.functional.avg_pool2d(pixels, 8)

    def map_logits(self, features: torch.Tensor, texts: list[list[str]]) -> list[torch.Tensor]:
        channels = {"red": (0, 2), "blue": (2, 0)}
        return [
            torch.stack([60 * (features[i, channels[t][0]] - features[i, channels[t][1]]) for t in sentences])
            for i, sentences in enumerate(texts)
        ]


@pytest.fixture
def pointer() -> Pointer:
    return Pointer(Finder(), "cpu")


def screen(size: tuple[int, int], box: tuple[int, int, int, int], color: str = "red") -> Image.Image:
    image = Image.new("RGB", size, "gray")
    image.paste(color, box)
    return image


@pytest.mark.parametrize(
    ("size", "box"),
    [
        ((320, 200), (64, 40, 104, 56)),
        ((331, 207), (290, 180, 330, 207)),  # at the edge, sizes that are no multiples of anything
        ((207, 331), (0, 0, 40, 40)),
        ((3000, 1500), (2000, 800, 2300, 900)),  # made smaller
        ((17, 500), (0, 200, 17, 300)),
    ],
)
def test_the_click_lies_in_the_box_whatever_the_size(size: tuple, box: tuple, pointer: Pointer) -> None:
    answer = pointer(screen(size, box), "red")
    left, top, right, bottom = box
    assert left <= answer.point.x <= right
    assert top <= answer.point.y <= bottom
    assert (answer.click[0], answer.click[1]) == (int(answer.point.x), int(answer.point.y))
    assert answer.fraction == (answer.point.x / size[0], answer.point.y / size[1])
    assert answer.box.contains(answer.point)
    assert answer.size == size
    reach = 8 * max(1, size[0] / prepare(screen(size, box)).inner[0])
    assert np.abs(np.array(answer.box.as_tuple()) - box).max() <= reach + 1e-6
    assert answer.heatmap.sum() == pytest.approx(1, abs=1e-4)
    assert answer.confidence > 0.9


def test_two_places_give_two_regions_the_stronger_first(pointer: Pointer) -> None:
    image = screen((320, 200), (40, 40, 80, 80))
    image.paste((253, 0, 0), (200, 120, 240, 160))
    answer = pointer(image, "red")
    assert len(answer.regions) == 2
    assert answer.regions[0].box.contains(Point(60, 60))
    assert answer.regions[1].box.contains(Point(220, 140))
    assert answer.regions[0].score >= answer.regions[1].score
    assert sum(region.confidence for region in answer.regions) == pytest.approx(1, abs=0.01)


def test_many_sentences_encode_the_picture_once(pointer: Pointer) -> None:
    image = screen((320, 200), (40, 40, 80, 80))
    image.paste("blue", (200, 120, 240, 160))
    answers = pointer.many(image, ["red", " blue", "red", "blue", "red"])
    assert pointer.model.encoded == 1
    assert [a.instruction for a in answers] == ["red", "blue", "red", "blue", "red"]
    assert answers[0].box.contains(Point(60, 60))
    assert answers[1].box.contains(Point(220, 140))
    assert answers[0] == dataclasses.replace(answers[2])


def test_a_batch_shares_pictures_and_goes_on_past_failures(pointer: Pointer, tmp_path: Path) -> None:
    image, path = screen((320, 200), (40, 40, 80, 80)), tmp_path / "a.png"
    image.save(path)
    items = [(path, "red"), (str(path), "blue"), (tmp_path / "no.png", "red"), (image, ""), (image, "red")]
    results = list(pointer.batch(items))
    assert pointer.model.encoded == 2
    assert [type(result) for result in results] == [type(results[0])] * 2 + [Failure] * 2 + [type(results[0])]
    assert results[2].error == f"{tmp_path / 'no.png'}: no such file, check the path"
    assert "the instruction is empty" in results[3].error
    assert results[4].box.contains(Point(60, 60))


def test_an_answer_draws_saves_and_shows_itself(pointer: Pointer, tmp_path: Path) -> None:
    image = screen((320, 200), (64, 40, 104, 56))
    answer = pointer.many(image, ["red"], label="<screen>")[0]
    untouched = np.asarray(image).copy()
    plain, heated = np.asarray(answer.draw()), np.asarray(answer.draw(top=3, heatmap=True))
    assert plain.shape == heated.shape == (200, 320, 3)
    assert (plain != untouched).any()
    assert (plain != heated).any()
    np.testing.assert_array_equal(np.asarray(image), untouched)

    path = answer.save(tmp_path / "new" / "shot.point.png", heatmap=True)
    assert load_image(path).size == (320, 200)
    assert json.loads(path.with_suffix(".json").read_text()) == answer.to_dict(top=1)
    np.testing.assert_array_equal(np.load(path.with_suffix(".npy")), answer.heatmap)
    assert sorted(p.suffix for p in path.parent.iterdir()) == [".json", ".npy", ".png"]
    assert "data:image/png;base64," in answer._repr_html_()
    assert answer.source == "<screen>"
    with pytest.raises(dataclasses.FrozenInstanceError):
        answer.confidence = 1.0


def test_an_answer_as_a_dict(pointer: Pointer) -> None:
    answer = pointer(screen((320, 200), (64, 40, 104, 56)), "red").to_dict()
    assert list(answer) == [
        *("schema", "tool", "source", "instruction", "image", "point", "fraction", "box", "confidence"),
        *("regions_found", "regions", "seconds", "model", "trained"),
    ]
    assert answer["tool"] == f"foveate {foveate.__version__} point"
    assert answer["regions"][0]["point"] == answer["point"]
    assert json.loads(json.dumps(answer)) == answer


def test_the_front_door_loads_a_model_once(tiny_weights: Path, shot: Path) -> None:
    first = foveate.point(shot, "open", model=tiny_weights, device="cpu")
    second = foveate.point(np.asarray(load_image(shot)), "open", model=str(tiny_weights), device="cpu")
    assert first.point == second.point
    assert isinstance(first, foveate.Pointing)
    assert not first.trained
    from foveate.grounding.pointing import _cached_pointer

    assert _cached_pointer.cache_info().currsize == 1


def test_answers_do_not_depend_on_what_is_asked_beside(tiny_pointer: Pointer, shot: Path) -> None:
    alone = tiny_pointer(shot, "open")
    beside = tiny_pointer.many(shot, ["save", "close it", "a", "b", "open"])[-1]
    np.testing.assert_allclose(alone.heatmap, beside.heatmap, atol=1e-6)
    assert alone.point.x == pytest.approx(beside.point.x, abs=1e-2)


@pytest.mark.parametrize(
    ("instructions", "error", "message"),
    [
        ("open", TypeError, "must be a list of sentences"),
        ([], ValueError, "there is no instruction"),
        (["open", 3], TypeError, "must be a text, got int"),
        (["open", "\n "], ValueError, "the instruction is empty"),
    ],
)
def test_wrong_instructions_are_one_sentence(instructions, error, message: str, pointer: Pointer) -> None:
    with pytest.raises(error, match=message):
        pointer.many(screen((320, 200), (0, 0, 9, 9)), instructions)
    assert pointer.model.encoded == 0


@pytest.mark.parametrize(
    ("device", "error", "message"),
    [
        ("gpu", ValueError, "unknown device 'gpu'"),
        ("cuda:x", ValueError, "unknown device"),
        ("cuda:99", RuntimeError, r"not there \(\d+ CUDA devices found\)"),
    ],
)
def test_wrong_devices_are_one_sentence(device: str, error, message: str) -> None:
    with pytest.raises(error, match=message):
        Pointer(Finder(), device)

import random
from itertools import islice
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image, ImageDraw

from foveate.grounding.synthetic.loader import IGNORE, LETTERS, Batches, Plan, letter_grid, unpack_shards
from foveate.grounding.synthetic.screens import Element, Screen, Word, write_shard
from foveate.grounding.text import build_tokenizer

ALPHABET = "abcdefghijklmnopqrstuvwxyz"
PIECES = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", *ALPHABET, *(f"##{c}" for c in ALPHABET)]


def make_screen(number: int, size: tuple[int, int] = (640, 400)) -> Screen:
    image = Image.new("RGB", size, (10 * number, 90, 120))
    ImageDraw.Draw(image).rectangle((100, 100, 180, 130), fill="white")
    elements = (
        Element((100, 100, 180, 130), "Save", "button", "text"),
        Element((300, 200, 324, 224), "Delete", "button", "icon", concept="trash"),
    )
    return Screen(image, elements, (Word((110, 106, 150, 122), "Save"),), f"web/{number}")


@pytest.fixture
def shards(tmp_path: Path) -> list[Path]:
    paths = [tmp_path / f"{i}.zip" for i in range(2)]
    for i, path in enumerate(paths):
        write_shard(path, {f"s{i}{j}": make_screen(2 * i + j) for j in range(2)}, quality=101)
    return paths


def test_unpacked_pixels_are_those_of_the_screens_in_order(shards: list[Path], tmp_path: Path) -> None:
    screens = unpack_shards(shards, tmp_path / "cache", workers=1)
    assert [s.source for s in screens] == ["web/0", "web/1", "web/2", "web/3"]
    memory = np.fromfile(tmp_path / "cache" / "pixels.bin", np.uint8)
    for number, stored in enumerate(screens):
        pixels = memory[stored.offset : stored.offset + 640 * 400 * 3].reshape(400, 640, 3)
        np.testing.assert_array_equal(pixels, np.asarray(make_screen(number).image))
    assert unpack_shards(shards, tmp_path / "cache", workers=1) == screens


def test_batches_repeat_with_the_seed_and_boxes_lie_in_the_crop(shards: list[Path], tmp_path: Path) -> None:
    screens = unpack_shards(shards, tmp_path / "cache", workers=1)
    plan = Plan(256, 192, sentences=3, words=2)

    def first(seed: int) -> dict[str, torch.Tensor]:
        pixels = tmp_path / "cache" / "pixels.bin"
        return next(islice(iter(Batches(screens, pixels, None, plan, build_tokenizer(PIECES), 4, seed)), 1))

    batch = first(3)
    assert batch["pixels"].shape == (4, 3, 192, 256)
    assert batch["weight"].sum() > 0
    boxes = batch["boxes"][batch["weight"] > 0]
    assert boxes.min() >= 0
    assert boxes[..., 2].max() <= 256
    assert boxes[..., 3].max() <= 192
    assert all(torch.equal(value, first(3)[key]) for key, value in batch.items())
    assert not torch.equal(batch["pixels"], first(4)["pixels"])


def test_letters_stand_where_the_word_stands() -> None:
    grid = letter_grid([((16.0, 8.0, 48.0, 16.0), "aaaa"), ((64.0, 8.0, 72.0, 16.0), "□")], 96, 24)
    assert grid.shape == (3, 24)
    assert (grid[1, 4:12] == LETTERS.index("a") + 1).all()
    assert (grid[1, 16:18] == IGNORE).all()
    assert grid[0].max() == grid[2].max() == 0


def test_a_failing_drawer_is_passed_over(shards: list[Path], tmp_path: Path) -> None:
    calls = []

    def draw(rng: random.Random, size: tuple[int, int]) -> Screen:
        calls.append(size)
        if len(calls) < 3:
            raise IndexError("no icon")
        return make_screen(5, size)

    plan = Plan(256, 192, sentences=2, words=1, mix=(("drawn", 1.0),))
    batches = Batches([], tmp_path / "none.bin", draw, plan, build_tokenizer(PIECES), 1, 0)
    assert next(iter(batches))["pixels"].shape == (1, 3, 192, 256)
    assert len(calls) >= 3

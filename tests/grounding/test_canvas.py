"""Pictures on the grid, and places carried back."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from foveate.grounding.canvas import MAX_PIXELS, MULTIPLE, prepare


@given(st.integers(16, 400), st.integers(16, 400))
@settings(max_examples=30, deadline=None)
def test_sides_become_multiples_and_corners_come_back(width: int, height: int) -> None:
    canvas = prepare(Image.new("RGB", (width, height)), max_pixels=40_000)
    _, _, rows, columns = canvas.pixels.shape
    assert rows % MULTIPLE == columns % MULTIPLE == 0
    assert canvas.inner[0] * canvas.inner[1] <= max(40_000, 16 * max(canvas.inner))
    assert canvas.size == (width, height)
    assert canvas.to_picture(0, 0, 8) == (0, 0)
    assert canvas.to_picture(1, 1, 8) == (width, height)


def test_a_place_in_the_middle_of_a_cell_comes_back() -> None:
    canvas = prepare(Image.new("RGB", (100, 60)))
    assert canvas.grid(8) == (13, 8)
    assert canvas.to_picture(2.5 / 13, 1.5 / 8, 8) == pytest.approx((20, 12))


def test_large_pictures_are_made_smaller_and_keep_their_shape() -> None:
    canvas = prepare(Image.new("RGB", (3840, 2160)))
    width, height = canvas.inner
    assert 0.97 * MAX_PIXELS < width * height <= MAX_PIXELS
    assert width / height == pytest.approx(16 / 9, rel=1e-2)


def test_edges_are_repeated_not_blackened() -> None:
    canvas = prepare(Image.new("RGB", (33, 17), "white"))
    assert canvas.pixels.min() == 1
    assert canvas.pixels.shape == (1, 3, 32, 64)
    noise = np.random.default_rng(0).integers(0, 256, (17, 33, 3), dtype=np.uint8)
    pixels = prepare(Image.fromarray(noise)).pixels[0].permute(1, 2, 0).numpy()
    np.testing.assert_allclose(pixels[:17, :33], noise / 255, atol=1e-6)


@pytest.mark.parametrize(("size", "message"), [((15, 40), "at least 16"), ((20, 1100), "50 times the other")])
def test_pictures_that_cannot_be_pointed_at(size: tuple[int, int], message: str) -> None:
    with pytest.raises(ValueError, match=f"{size[0]}x{size[1]}.*{message}"):
        prepare(Image.new("RGB", size))

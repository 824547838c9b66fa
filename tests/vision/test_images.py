"""Pictures from every source, and from none."""

import io

import numpy as np
import pytest
import torch
from PIL import Image

from foveate.vision import load_image


def png(image: Image.Image, kind: str = "PNG", **options) -> bytes:
    data = io.BytesIO()
    image.save(data, kind, **options)
    return data.getvalue()


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "I;16", "CMYK"])
def test_every_mode_becomes_rgb(mode: str) -> None:
    image = Image.new("I;16", (5, 4), 65535) if mode == "I;16" else Image.new("RGB", (5, 4), "white").convert(mode)
    kind = "TIFF" if mode == "CMYK" else "PNG"
    loaded = load_image(png(image, kind))
    assert loaded.mode == "RGB"
    assert loaded.size == (5, 4)
    assert loaded.getpixel((0, 0)) == (255, 255, 255)


def test_transparency_lies_on_white() -> None:
    assert load_image(png(Image.new("RGBA", (2, 2), (255, 0, 0, 0)))).getpixel((0, 0)) == (255, 255, 255)
    palette = Image.new("P", (2, 2), 0)
    palette.putpalette([10, 20, 30] + [0] * 765)
    assert load_image(png(palette, transparency=0)).getpixel((0, 0)) == (255, 255, 255)


@pytest.mark.parametrize(
    ("most", "grey"),
    [(1023, 255), (4095, 255), (65535, 255), (512, 128), (2048, 128), (4096, 16), (5140, 20), (200, 50)],
)
def test_16_bit_grey_is_scaled_by_10_12_or_16_bits(tmp_path, most: int, grey: int) -> None:
    values = np.linspace(0, most, 20).reshape(4, 5).astype(np.uint16)
    path = tmp_path / "grey.png"
    Image.fromarray(values).save(path)
    assert load_image(path).getpixel((4, 3)) == (grey, grey, grey)
    assert load_image(path).getpixel((0, 0)) == (0, 0, 0)


@pytest.mark.parametrize(("values", "grey"), [([[0.5]], 128), ([[128.0]], 128)])
def test_float_pictures_are_scaled_by_the_range_they_fit(values: list, grey: int) -> None:
    assert load_image(Image.fromarray(np.array(values, np.float32))).getpixel((0, 0)) == (grey, grey, grey)


@pytest.mark.parametrize(("orientation", "corner"), [(1, (0, 0)), (3, (5, 1)), (6, (1, 0)), (8, (0, 5))])
def test_exif_orientation_is_applied(orientation: int, corner: tuple[int, int]) -> None:
    image = Image.new("RGB", (6, 2), "white")
    image.putpixel((0, 0), (0, 0, 0))
    exif = Image.Exif()
    exif[0x0112] = orientation
    data = png(image, exif=exif)
    for source in (data, Image.open(io.BytesIO(data))):
        assert load_image(source).getpixel(corner) == (0, 0, 0)


def test_arrays_and_tensors_scale_to_8_bits() -> None:
    assert load_image(np.full((4, 5), 128, np.uint8)).getpixel((0, 0)) == (128, 128, 128)
    assert load_image(np.full((4, 5, 1), 128, np.uint8)).getpixel((0, 0)) == (128, 128, 128)
    assert load_image(np.full((4, 5, 3), 0.5, np.float32)).getpixel((0, 0)) == (128, 128, 128)
    assert load_image(np.full((4, 5), 65535, np.uint16)).getpixel((0, 0)) == (255, 255, 255)
    assert load_image(np.full((4, 5), 65535, ">u2")).getpixel((0, 0)) == (255, 255, 255)
    assert load_image(np.ones((4, 5), bool)).getpixel((0, 0)) == (255, 255, 255)
    assert load_image(np.zeros((4, 5, 4), np.uint8)).getpixel((0, 0)) == (255, 255, 255)
    assert load_image(torch.ones(3, 4, 5)).size == (5, 4)
    assert load_image(torch.zeros(1, 3, 4, 5, requires_grad=True)).size == (5, 4)
    assert load_image(torch.full((4, 5), 7, dtype=torch.uint8)).getpixel((0, 0)) == (7, 7, 7)


def test_every_kind_of_source(tmp_path) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(png(Image.new("RGB", (3, 3))))
    with path.open("rb") as file, Image.open(path) as image:
        for source in (path, str(path), path.read_bytes(), memoryview(path.read_bytes()), file, image):
            assert load_image(source).size == (3, 3)


def test_the_picture_that_came_is_not_shared() -> None:
    source = Image.new("RGB", (3, 3))
    load_image(source).putpixel((0, 0), (9, 9, 9))
    assert source.getpixel((0, 0)) == (0, 0, 0)


@pytest.mark.parametrize(
    ("source", "message"),
    [
        (b"", "empty"),
        (b"hello", "not an image"),
        (png(Image.effect_noise((64, 64), 90))[:900], "damaged or cut short"),
        (np.zeros((2, 2, 7), np.uint8), "array must be"),
        (np.zeros((0, 2), np.uint8), "no pixels"),
        (np.full((2, 2), 7.0), "0 to 1"),
        (np.full((2, 2), np.nan), "0 to 1"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "not an image"),
        (torch.zeros(2, 3, 4, 5), "tensor must be"),
    ],
)
def test_bad_pictures_are_one_sentence(source, message: str) -> None:
    with pytest.raises(ValueError, match=message) as error:
        load_image(source)
    assert "\n" not in str(error.value)


def test_a_truncated_picture_that_was_opened_but_not_read() -> None:
    data = png(Image.effect_noise((64, 64), 90))[:900]
    with pytest.raises(ValueError, match="cut short"):
        load_image(Image.open(io.BytesIO(data)))


def test_bombs_are_stopped_before_decoding() -> None:
    with pytest.raises(ValueError, match="4000x3000 pixels, above the limit of 1 million"):
        load_image(png(Image.new("1", (4000, 3000))), max_pixels=1_000_000)
    with pytest.raises(ValueError, match="above the limit of 100 million"):
        load_image(png(Image.new("1", (20000, 20000))))
    with pytest.raises(ValueError, match="above the limit"):
        load_image(np.zeros((40, 30), np.uint8), max_pixels=1000)


def test_missing_files_folders_and_odd_types(tmp_path) -> None:
    with pytest.raises(FileNotFoundError, match="no such file"):
        load_image(tmp_path / "nothing.png")
    with pytest.raises(IsADirectoryError, match="folder"):
        load_image(tmp_path)
    with pytest.raises(TypeError, match="cannot load"):
        load_image(3)
    with pytest.raises(TypeError, match="binary mode"):
        load_image(io.StringIO("x"))
    with pytest.raises(TypeError, match="got int64"):
        load_image(np.zeros((2, 2), np.int64))

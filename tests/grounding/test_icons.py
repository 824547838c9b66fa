import io
import random
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw

from foveate.grounding.synthetic.icons import COLUMNS, IconAtlas, cut_sheet
from foveate.grounding.synthetic.icons_pack import choose, clean_stem, encode, pack_atlas

KNOWN = ("edit-delete", "document-save", "document-open", "edit-find", "edit-copy", "edit-paste", "go-next", "go-home")


def make_theme(folder: Path) -> None:
    """Draw a theme of coloured icons at 16, 24 and 48 pixels, and symbolic copies of them."""
    names = [*KNOWN, "qux-blarg", "zorb-plim", "wug-one", "wug-two"]
    for size in (16, 24, 48):
        place = folder / "Tango" / f"{size}x{size}" / "actions"
        place.mkdir(parents=True)
        for number, name in enumerate(names):
            image = Image.new("RGBA", (size, size))
            draw = ImageDraw.Draw(image)
            draw.rectangle((1, 1, size // 2, size - 2), (200, 10 * number, 40, 255))
            draw.ellipse((size // 2, size // 2, size - 2, size - 3), (10, 90, 20 * number, 255))
            image.save(place / f"{name}.png")
            image.save(place / f"{name}-symbolic.png")


@pytest.fixture(scope="module")
def packed(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("icons")
    make_theme(folder / "themes")
    patch = pytest.MonkeyPatch()
    patch.setattr("foveate.grounding.synthetic.icons_pack._LEAST_THEME", 5)
    pack_atlas(folder / "atlas", None, folder / "themes", None, workers=1, least=5)
    patch.undo()
    return folder / "atlas"


def test_round_trip(packed: Path) -> None:
    atlas = IconAtlas.load(packed)
    assert [(s.name, s.mono) for s in atlas.sets] == [("tango", False), ("tango-symbolic", True)]
    for chosen in atlas.sets:
        assert {i.stem for i in chosen.icons} >= set(KNOWN)
        assert all(i.concept for i in chosen.icons if i.stem in KNOWN)
    drawn = next(i for i in atlas.sets[0].icons if i.stem == "edit-delete")
    picture = atlas.picture(drawn, 16)
    assert picture.mode == "RGBA"
    red, _, blue, alpha = picture.getpixel((4, 8))
    assert alpha == 255
    assert abs(red - 200) < 12
    assert abs(blue - 40) < 12
    assert picture.getpixel((0, 0))[3] == 0


@pytest.mark.parametrize("size", [12, 16, 20, 32, 64])
def test_every_size_can_be_had(packed: Path, size: int) -> None:
    atlas = IconAtlas.load(packed)
    for chosen, mode in zip(atlas.sets, ("RGBA", "L"), strict=True):
        picture = atlas.picture(chosen.icons[0], size)
        assert (picture.size, picture.mode) == ((size, size), mode)
        assert np.asarray(picture).max() > 128


def test_names_of_icons(packed: Path) -> None:
    icons = {i.stem: i for i in IconAtlas.load(packed).sets[0].icons}
    rng = random.Random(0)
    assert icons["zorb-plim"].name(rng) == "Zorb plim"
    assert {icons["edit-delete"].name(rng) for _ in range(30)} >= {"Delete"}


def test_letters_without_fonts(packed: Path) -> None:
    letters = IconAtlas.load(packed).letters("", 12, False)
    mask, _, _, words = letters.render("Open file")
    assert [w for w, _ in words] == ["Open", "file"]
    assert np.asarray(mask).max() > 100
    assert words[0][1][2] <= words[1][1][0]
    assert letters.length(letters.fit("a very long line of text", 60)) <= 60
    assert letters.fit("wide", 3) == ""


def test_masks_survive_coding() -> None:
    source = np.random.default_rng(0).integers(0, 16, (COLUMNS + 3, 24, 24)).astype(np.uint8) * 17
    with Image.open(io.BytesIO(encode(source, mono=True))) as sheet:
        assert np.array_equal(cut_sheet(sheet, 24, len(source), mono=True), source)


def test_choice_mixes_known_and_others() -> None:
    stems = [*KNOWN, *(f"zz-{i}" for i in range(200))]
    (known, keep), (others, keep_others) = choose(stems, random.Random(0), 6, 3)
    assert keep == 6
    assert len(known) == 6
    assert set(known) <= set(KNOWN)
    assert len(others) == keep_others
    assert not set(others) & set(KNOWN)


@pytest.mark.parametrize(
    ("stem", "clean"),
    [
        ("delete_24_regular", "delete"),
        ("trash-bold", "trash"),
        ("document-save-symbolic", "document-save"),
        ("bx-home", "home"),
    ],
)
def test_clean_stem(stem: str, clean: str) -> None:
    assert clean_stem(stem) == clean


def test_missing_atlas_is_told(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"icons\.zip"):
        IconAtlas.load(tmp_path)
    with pytest.raises(ValueError, match="no icons"):
        pack_atlas(tmp_path / "out", None, tmp_path, None, workers=1)

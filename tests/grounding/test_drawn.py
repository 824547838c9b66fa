import random
from collections import Counter

import numpy as np
import pytest
from PIL import Image, ImageDraw

from foveate.grounding.synthetic.drawn import KINDS, draw_screen
from foveate.grounding.synthetic.drawn_controls import icon_button
from foveate.grounding.synthetic.drawn_pen import Pen
from foveate.grounding.synthetic.drawn_style import FAMILIES, brightness, draw_style
from foveate.grounding.synthetic.icons import Icon, IconAtlas, IconSet, by_concept
from foveate.grounding.synthetic.language import concept_of, concepts, instructions

SIZE = (860, 560)


def make_atlas() -> IconAtlas:
    """A one-colour and a coloured set with an icon for each of sixty concepts, and ten without."""
    stems = [*list(concepts())[:60], *(f"zorb-{i}" for i in range(10))]
    sets, pixels = [], []
    for number, mono in enumerate((True, False)):
        icons = tuple(Icon(s, concept_of(s) or "", (number, i)) for i, s in enumerate(stems))
        sets.append(IconSet(f"set{number}", mono, icons, by_concept(icons)))
        sheets = {}
        for size in (16, 24, 48):
            tiles = []
            for i in range(len(stems)):
                image = Image.new("RGBA", (size, size))
                ImageDraw.Draw(image).polygon(
                    ((1, 1), (size - 2, i % size), (i * 7 % size, size - 2)), (i * 3, 90, 200, 255)
                )
                tiles.append(np.asarray(image)[..., 3] if mono else np.asarray(image))
            sheets[size] = np.stack(tiles)
        pixels.append(sheets)
    return IconAtlas(tuple(sets), pixels)


@pytest.fixture(scope="module")
def atlas() -> IconAtlas:
    return make_atlas()


@pytest.fixture(scope="module")
def screens(atlas: IconAtlas) -> list:
    return [draw_screen(random.Random(seed), atlas, SIZE) for seed in range(40)]


def test_same_seed_same_screen(atlas: IconAtlas) -> None:
    # Caches of the atlas are warm the second time: they must not change anything.
    for seed in (3, 4, 5):
        first, second = (draw_screen(random.Random(seed), atlas, SIZE) for _ in range(2))
        assert first.elements == second.elements
        assert first.words == second.words
        assert np.array_equal(np.asarray(first.image), np.asarray(second.image))
    third = draw_screen(random.Random(5), make_atlas(), SIZE)
    assert np.array_equal(np.asarray(third.image), np.asarray(second.image))


def test_elements_lie_inside(screens: list) -> None:
    for screen in screens:
        assert screen.image.size == SIZE
        for element in screen.elements:
            left, top, right, bottom = element.box
            assert 0 <= left < right <= SIZE[0]
            assert 0 <= top < bottom <= SIZE[1]
            assert element.name.strip()
            assert element.kind in ("text", "icon")


def test_words_lie_inside(screens: list) -> None:
    for screen in screens:
        for word in screen.words:
            left, top, right, bottom = word.box
            assert 0 <= left < right <= SIZE[0]
            assert 0 <= top < bottom <= SIZE[1]
            assert word.text
            assert " " not in word.text


def test_words_are_where_the_ink_is(screens: list) -> None:
    """Inside almost every word's box the picture is not plain."""
    plain = total = 0
    for screen in screens[:15]:
        grey = np.asarray(screen.image.convert("L")).astype(int)
        for word in screen.words:
            left, top, right, bottom = (round(v) for v in word.box)
            plain += np.ptp(grey[top:bottom, left:right]) < 12
            total += 1
    assert total > 200
    assert plain < 0.03 * total


def test_kinds_are_balanced(screens: list) -> None:
    kinds = Counter(e.kind for s in screens for e in s.elements)
    assert kinds["icon"] > 0.25 * sum(kinds.values())
    assert kinds["text"] > 0.25 * sum(kinds.values())
    roles = {e.role for s in screens for e in s.elements}
    assert roles >= {
        "button",
        "link",
        "menuitem",
        "tab",
        "checkbox",
        "field",
        "combobox",
        "listitem",
        "cell",
        "heading",
    }
    assert {s.source for s in screens} <= {f"drawn/{k}" for k, _, _ in KINDS}
    assert len({s.source for s in screens}) >= 4


def test_most_screens_have_much_to_point_at(screens: list) -> None:
    counts = sorted(len(s.elements) for s in screens)
    assert counts[0] >= 3
    assert counts[len(counts) // 2] >= 30


def test_sentences_can_be_made(screens: list) -> None:
    for number, screen in enumerate(screens):
        made = instructions(screen.elements, SIZE, random.Random(number), 8)
        assert len(made) == 8
        assert all(i.text.strip() and i.targets for i in made)


def test_truncated_text_has_no_words_of_the_rest(atlas: IconAtlas) -> None:
    pen = Pen(random.Random(0), atlas, draw_style(random.Random(0), atlas), SIZE)
    spot = pen.text((10, 10, 90, 40), "A long line of words that cannot all be shown here")
    assert spot[2] <= 90
    assert pen.words[-1].text.endswith("…")
    assert pen.text((10, 10, 14, 40), "wide")[2] == 10


def test_cover_forgets_what_is_hidden(atlas: IconAtlas) -> None:
    pen = Pen(random.Random(0), atlas, draw_style(random.Random(0), atlas), SIZE)
    pen.add((10, 10, 60, 30), "Below", "button")
    pen.add((100, 10, 160, 30), "Beside", "button")
    pen.text((10, 10, 60, 30), "Below")
    pen.cover((0, 0, 80, 80))
    assert [e.name for e in pen.elements] == ["Beside"]
    assert pen.words == []


def test_styles_can_be_read(atlas: IconAtlas) -> None:
    styles = [draw_style(random.Random(seed), atlas) for seed in range(200)]
    assert {s.family for s in styles} == set(FAMILIES)
    for style in styles:
        assert abs(brightness(style.text) - brightness(style.surface)) > 70
        assert abs(brightness(style.text) - brightness(style.window)) > 60
        assert abs(brightness(style.on_accent) - brightness(style.accent)) > 60


def test_tiny_sizes_are_refused(atlas: IconAtlas) -> None:
    with pytest.raises(ValueError, match="at least 200 by 150"):
        draw_screen(random.Random(0), atlas, (100, 100))


@pytest.mark.parametrize("size", [(200, 150), (390, 844), (1600, 300)])
def test_odd_sizes_work(atlas: IconAtlas, size: tuple[int, int]) -> None:
    for seed in range(25):
        assert draw_screen(random.Random(seed), atlas, size).image.size == size


def test_icons_without_room_are_left_out(atlas: IconAtlas) -> None:
    pen = Pen(random.Random(0), atlas, draw_style(random.Random(0), atlas), SIZE)
    icon_button(pen, (10, 10, 40, 14), pen.pick())
    assert pen.elements == []
    icon_button(pen, (10, 10, 40, 40), pen.pick())
    assert [e.kind for e in pen.elements] == ["icon"]

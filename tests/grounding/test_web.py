"""Drawn web pages: the same seed gives the same page, and captured boxes lie on what they name."""

import os
import random
from pathlib import Path

import numpy as np
import pytest

from foveate.grounding.synthetic.language import instructions
from foveate.grounding.synthetic.web_kits import make_kit
from foveate.grounding.synthetic.web_look import ink_on, look_css, luminance
from foveate.grounding.synthetic.web_words import ACTIONS, domains

pytest.importorskip("playwright", reason="playwright is not installed")
pytest.importorskip("faker", reason="faker is not installed")

from foveate.grounding.synthetic import web

MATERIAL = Path(os.environ.get("FOVEATE_WEB_MATERIAL", Path(__file__).parents[2] / ".cache" / "web"))
needs_material = pytest.mark.skipif(
    not (MATERIAL / "node_modules").exists(), reason="no CSS kits here: run scripts/fetch_web_material.sh"
)
needs_browser = pytest.mark.skipif(web.find_browser() is None, reason="Chromium is not installed")


def test_domains_have_words_for_every_purpose() -> None:
    assert len(domains()) > 20
    assert all(len(d.pages) > 8 and len(d.columns) >= 4 and len(d.states) >= 4 for d in domains())
    assert len(set(ACTIONS)) > 100


def test_ink_reads_on_its_ground() -> None:
    for colour in ("#ffffff", "#000000", "#3366cc", "#ffcc00", "#808080"):
        light, dark = sorted((luminance(colour), luminance(ink_on(colour))), reverse=True)
        assert (light + 0.05) / (dark + 0.05) > 3.0


def test_unknown_kit_is_refused() -> None:
    with pytest.raises(ValueError, match="no kit is called"):
        make_kit("nosuchkit", random.Random(0), dark=False)


def test_look_leaves_out_what_the_kit_draws() -> None:
    kit = make_kit("bootstrap", random.Random(0), dark=False)
    css = look_css(random.Random(0), kit, frozenset(kit.classes))
    assert ".x-table{" not in css
    assert ".x-sidelink{" in css


@needs_material
def test_a_seed_decides_the_page() -> None:
    assert web.draft(7, MATERIAL) == web.draft(7, MATERIAL)
    assert web.draft(7, MATERIAL).html != web.draft(8, MATERIAL).html


@needs_material
@needs_browser
@pytest.mark.browser
def test_captured_boxes_lie_on_the_picture() -> None:
    screens = dict(web.make_screens(range(6), MATERIAL, tabs=1))
    assert len(screens) >= 3
    for name, screen in screens.items():
        assert name.startswith("web-")
        assert len(screen.elements) >= 6
        pixels = np.asarray(screen.image.convert("L"), dtype=float)
        for element in screen.elements:
            left, top, right, bottom = element.box
            assert -0.5 <= left < right <= screen.image.width + 0.5
            assert -0.5 <= top < bottom <= screen.image.height + 0.5
        flat = [
            word.text
            for word in screen.words
            if pixels[int(word.box[1]) : int(word.box[3]) + 1, int(word.box[0]) : int(word.box[2]) + 1].std() < 2
        ]
        assert len(flat) <= 0.03 * len(screen.words), flat
        asked = instructions(screen.elements, screen.image.size, random.Random(0), 5)
        assert asked
        assert all(i.targets for i in asked)

import json
import random

import pytest

pytest.importorskip("faker")

from faker import Faker
from PIL import Image, ImageDraw

from foveate.grounding.synthetic.toolkit import has_ink, keep_uncovered
from foveate.grounding.synthetic.toolkit_bodies import BODIES
from foveate.grounding.synthetic.toolkit_content import Maker, annotate
from foveate.grounding.synthetic.toolkit_labels import (
    menus,
    page_of,
    parse_menu,
    settings_pages,
    toolbar_commands,
    words,
)
from foveate.grounding.synthetic.toolkit_looks import background, choose_look, installed, is_dark
from foveate.grounding.synthetic.toolkit_programs import PROGRAMS, describe

KEYS = {"children", "items"}


def every_node(node):
    yield node
    for key in KEYS:
        for child in node.get(key, ()):
            if isinstance(child, dict) and "t" in child:
                yield from every_node(child)
    for row in node.get("rows", ()):
        if isinstance(row, list):
            for child in row:
                yield from every_node(child)


def test_parse_menu_reads_every_spelling():
    items = parse_menu(["New|Ctrl+N", "-", "#Toolbar", "Zoom>50 %,100 %"])
    assert [i["t"] for i in items] == ["item", "sep", "item", "item"]
    assert (items[0]["label"], items[0]["accel"]) == ("New", "Ctrl+N")
    assert (items[2]["label"], items[2]["check"]) == ("Toolbar", True)
    assert [i["label"] for i in items[3]["items"]] == ["50 %", "100 %"]


def test_every_program_has_known_menus_tools_and_body():
    groups = {c.group for c in toolbar_commands()}
    for program in PROGRAMS:
        assert set(program.menus.split()) <= set(menus()), program.title
        assert set(program.tools.replace("|", " ").split()) <= groups, program.title
        assert program.body in BODIES


def test_there_are_many_commands_with_one_icon_each():
    commands = toolbar_commands()
    assert len({c.icon for c in commands}) >= 150
    assert all(c.icon and c.label and c.tip and c.group for c in commands)


def test_settings_have_known_kinds():
    for title, _, items in settings_pages():
        assert {i.split(":")[0] for i in items} <= {
            "check",
            "switch",
            "combo",
            "radio",
            "slider",
            "spin",
            "entry",
            "button",
            "text",
        }
        assert page_of(title) == items


def test_annotate_hands_sections_down_but_not_over_own_ones():
    inner = {"t": "group", "title": "B", "section": "B", "children": [{"t": "button", "label": "x"}]}
    outer = {
        "t": "box",
        "section": "A",
        "children": [{"t": "button", "label": "y"}, inner],
        "rows": [[{"t": "label", "label": "z"}]],
    }
    annotate(outer)
    assert outer["children"][0]["section"] == "A"
    assert inner["children"][0]["section"] == "B"
    assert outer["rows"][0][0]["section"] == "A"


def test_describe_is_decided_by_seed_and_number():
    fake = Faker()
    first = json.dumps(describe(3, 5, fake))
    describe(3, 6, fake)
    assert json.dumps(describe(3, 5, fake)) == first
    assert json.dumps(describe(4, 5, fake)) != first


def test_descriptions_are_whole():
    fake = Faker()
    kinds = set()
    for index in range(60):
        scene = describe(1, index, fake)
        window = scene["window"]
        assert window["x"] + window["width"] <= scene["size"][0]
        assert window["y"] + window["height"] <= scene["size"][1]
        kinds.add(scene["overlay"]["kind"])
        nodes = list(every_node(scene["body"]))
        assert len(nodes) > 1
        assert all("section" in n for n in nodes)
        for tree in (n for n in nodes if n["t"] == "tree"):
            assert all(len(row["cells"]) == len(tree["columns"]) for row in tree["rows"])
    assert kinds == {"", "menu", "context", "combo", "dialog"}


@pytest.mark.parametrize("name", sorted(BODIES))
def test_every_body_can_be_written_as_json(name):
    fake = Faker()
    for seed in range(4):
        fake.seed_instance(seed)
        assert json.loads(json.dumps(BODIES[name](Maker(random.Random(seed), fake))))["t"]


def test_covered_elements_are_dropped():
    plain = {"name": "a", "role": "button", "kind": "text"}
    facts = {
        "rects": [[0, 0, 200, 100], [100, 0, 200, 100]],
        "elements": [
            {"box": [10, 10, 40, 30], "layer": 0, **plain},
            {"box": [90, 10, 130, 30], "layer": 0, **plain},
            {"box": [110, 10, 140, 30], "layer": 1, **plain},
            {"box": [190, 10, 240, 30], "layer": 1, **plain},
        ],
        "words": [
            [10, 10, 30, 20, "in", 0],
            [95, 10, 105, 20, "under", 0],
            [120, 10, 140, 20, "on", 1],
            [190, 10, 210, 20, "off", 1],
        ],
    }
    elements, found = keep_uncovered(facts, (200, 100))
    assert [e.box for e in elements] == [(10, 10, 40, 30), (110, 10, 140, 30)]
    assert [w.text for w in found] == ["in", "on"]


def test_ink_is_found_inside_the_border_only():
    image = Image.new("RGB", (40, 40), "#ddd")
    ImageDraw.Draw(image).rectangle((5, 5, 34, 34), outline="black")
    assert not has_ink(image, (5, 5, 35, 35))
    ImageDraw.Draw(image).line((15, 15, 20, 20), fill="black")
    assert has_ink(image, (5, 5, 35, 35))


def test_looks_and_backgrounds():
    rng = random.Random(0)
    for toolkit in ("gtk3", "qt5", "tk"):
        looks = [choose_look(rng, toolkit) for _ in range(40)]
        assert len({look["name"] for look in looks}) >= 4
        assert {look["dark"] for look in looks} == {True, False}
    assert is_dark("#202428")
    assert not is_dark("#e0e0e0")
    assert background(rng, (64, 48)).size == (64, 48)


def test_installed_keeps_folders_that_exist(tmp_path):
    (tmp_path / "Arc").mkdir()
    assert installed(("Arc", "Numix"), str(tmp_path)) == ("Arc",)
    assert installed(("Numix",), str(tmp_path)) == ("Numix",)


def test_theme_lists_have_no_blanks():
    for kind in ("gtk_light", "gtk_dark", "icons_light", "icons_dark", "icons_png", "qt_styles", "tk_themes"):
        assert words(kind)
        assert all(name and " " not in name and not name.endswith("-") for name in words(kind))

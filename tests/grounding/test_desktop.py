import random
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFont

from foveate.grounding.synthetic.desktop import deal, plan_runs
from foveate.grounding.synthetic.desktop_convert import UNREAD, unread_ink
from foveate.grounding.synthetic.desktop_elements import Scene, clean_name, intersect, overlap_ratio, things
from foveate.grounding.synthetic.desktop_ink import fit_words, ink_of
from foveate.grounding.synthetic.desktop_looks import choose_look, write_settings
from foveate.grounding.synthetic.desktop_programs import _PROGRAMS, KEEP_OUT, Program, sample_files

SHOWN = ["ENABLED", "SENSITIVE", "SHOWING", "VISIBLE"]


def node(role: str, name: str, box: tuple[int, int, int, int], parent: int, **more: object) -> dict[str, object]:
    facts = {"role": role, "name": name, "description": "", "box": list(box), "parent": parent, "states": SHOWN}
    return {**facts, **more}


def window(box: tuple[int, int, int, int], popup: bool = False) -> dict[str, object]:
    return {"frame": list(box), "client": list(box), "popup": popup, "id": 1}


def scene(nodes: list[dict[str, object]], windows: list[dict[str, object]] | None = None) -> Scene:
    return Scene({"nodes": nodes, "windows": windows or [window((0, 0, 800, 600))], "size": [800, 600]})


FRAME = node("frame", "Window", (0, 0, 800, 600), -1)


@pytest.mark.parametrize(
    ("role", "wanted"),
    [
        ("push button", "button"),
        ("spin button", "field"),
        ("table cell", "cell"),
        ("entry", "field"),
        ("page tab", "tab"),
        ("combo box", "combobox"),
    ],
)
def test_roles_are_mapped(role: str, wanted: str) -> None:
    (thing,) = things(scene([FRAME, node(role, "Save", (10, 10, 60, 40), 0)]))
    assert (thing.role, thing.name, thing.box) == (wanted, "Save", (10.0, 10.0, 60.0, 40.0))


def test_nameless_and_hidden_nodes_are_left_out() -> None:
    nodes = [
        FRAME,
        node("push button", "", (10, 10, 60, 40), 0),
        node("push button", "Away", (10, 50, 60, 80), 0, states=["ENABLED", "VISIBLE"]),
        node("push button", "Off", (900, 10, 960, 40), 0),
        node("push button", "Here", (10, 90, 60, 120), 0),
    ]
    assert [t.name for t in things(scene(nodes))] == ["Here"]


def test_lower_window_is_covered_by_dialog() -> None:
    nodes = [
        FRAME,
        node("push button", "Below", (300, 300, 360, 330), 0),
        node("push button", "Beside", (10, 10, 60, 40), 0),
        node("dialog", "Options", (200, 200, 600, 400), -1),
        node("push button", "Apply", (310, 300, 370, 330), 3),
    ]
    found = things(scene(nodes, [window((0, 0, 800, 600)), window((200, 200, 600, 400))]))
    assert [t.name for t in found] == ["Beside", "Apply"]
    assert found[1].section == "Options"


def test_menu_items_show_only_in_popups() -> None:
    nodes = [
        FRAME,
        node("menu bar", "", (0, 0, 800, 24), 0),
        node("menu", "File", (0, 0, 40, 24), 1),
        node("menu item", "Open", (0, 24, 160, 50), 2),
        node("push button", "Covered", (20, 30, 80, 48), 0),
    ]
    opened = [window((0, 0, 800, 600)), window((0, 24, 160, 300), popup=True)]
    assert [t.name for t in things(scene(nodes, opened))] == ["File", "Open"]
    assert [t.name for t in things(scene(nodes))] == ["File", "Covered"]


def test_popover_covers_its_own_window() -> None:
    nodes = [
        FRAME,
        node("toggle button", "Menu", (700, 0, 740, 40), 0),
        node("panel", "", (560, 44, 780, 300), 1),
        node("push button", "Inside", (570, 50, 770, 80), 2),
        node("push button", "Under", (600, 100, 700, 130), 0),
    ]
    assert [t.name for t in things(scene(nodes))] == ["Menu", "Inside"]


def test_scrolled_out_rows_are_left_out_and_rows_are_named() -> None:
    nodes = [
        FRAME,
        node("scroll pane", "", (0, 100, 400, 200), 0),
        node("table", "", (0, 100, 400, 900), 1),
        node("table cell", "Anna", (0, 100, 200, 130), 2),
        node("table cell", "12", (200, 100, 400, 130), 2),
        node("table cell", "Hugo", (0, 190, 200, 220), 2),
    ]
    found = things(scene(nodes))
    assert [(t.name, t.row) for t in found] == [("Anna", ""), ("12", "Anna")]


def test_group_box_is_no_check_box() -> None:
    assert things(scene([FRAME, node("check box", "Details", (10, 10, 400, 200), 0)])) == []


def test_cells_know_their_tree() -> None:
    nodes = [
        FRAME,
        node("tree table", "", (0, 0, 200, 400), 0),
        node("table cell", "Home", (40, 10, 190, 30), 1),
        node("table", "", (300, 0, 500, 400), 0),
        node("table cell", "Size", (310, 10, 490, 30), 3),
    ]
    assert scene(nodes).tree_of(2) == (0.0, 0.0, 200.0, 400.0)
    assert scene(nodes).tree_of(4) is None


def test_names_are_cleaned() -> None:
    assert clean_name("<b>&Open</b>  File\tCtrl+O") == "Open File"
    assert clean_name("Save && Close") == "Save & Close"


def test_boxes_meet() -> None:
    assert intersect((0, 0, 10, 10), (5, 5, 20, 20)) == (5.0, 5.0, 10.0, 10.0)
    assert intersect((0, 0, 10, 10), (10, 0, 20, 10)) is None
    assert overlap_ratio((0, 0, 10, 10), (0, 0, 10, 5)) == pytest.approx(0.5)


def draw_text(text: str) -> tuple[np.ndarray, ImageFont.FreeTypeFont]:
    font = ImageFont.load_default(14)
    if not isinstance(font, ImageFont.FreeTypeFont):
        pytest.skip("Pillow was built without FreeType")
    image = Image.new("L", (200, 30), 230)
    ImageDraw.Draw(image).text((40, 6), text, fill=20, font=font)
    return np.asarray(image), font


def test_words_are_found_in_ink() -> None:
    grey, font = draw_text("Open folder")
    boxes = fit_words(grey, (0, 0, 200, 30), ["Open", "folder"], font)
    assert boxes is not None
    assert boxes[0][0] == pytest.approx(40, abs=3)
    assert boxes[1][0] == pytest.approx(40 + font.getlength("Open "), abs=3)
    assert boxes[1][2] == pytest.approx(40 + font.getlength("Open folder"), abs=3)


@pytest.mark.parametrize("words", [["Preferences"], ["Open", "file", "manager"], ["O"]])
def test_other_words_are_not_found(words: list[str]) -> None:
    grey, font = draw_text("Open folder")
    assert fit_words(grey, (0, 0, 200, 30), words, font) is None


def test_picture_is_no_word() -> None:
    _, font = draw_text("x")
    grey = np.full((30, 60), 230, np.uint8)
    grey[9:20, 20 : 20 + round(font.getlength("Love"))] = 30
    assert fit_words(grey, (0, 0, 60, 30), ["Love"], font) is None


def test_shading_is_no_ink() -> None:
    shade = np.repeat(np.linspace(120, 250, 30).astype(np.uint8)[:, None], 60, axis=1)
    assert not ink_of(shade).any()


def test_unread_ink_is_marked_outside_words_and_pictures() -> None:
    grey = np.full((64, 160), 240, np.uint8)
    for left in (8, 64, 120):
        grey[10:14, left + 2 : left + 18] = 0
    (mark,) = unread_ink(grey, [(8.0, 8.0, 32.0, 16.0)], [(64.0, 8.0, 88.0, 16.0)])
    assert mark.text == UNREAD
    assert mark.box == (120.0, 8.0, 144.0, 16.0)


def test_list_items_take_the_text_they_hold() -> None:
    nodes = [
        FRAME,
        node("list item", "", (0, 0, 200, 30), 0, description="All about sound"),
        node("label", "Volume", (10, 5, 100, 25), 1),
    ]
    (thing,) = things(scene(nodes))
    assert (thing.role, thing.name, thing.description) == ("listitem", "Volume", "All about sound")


def test_keep_out_programs_are_not_listed() -> None:
    commands = {
        word for line in _PROGRAMS.split("\n") if line for word in (line.split("|")[0], line.split("|")[2].split()[0])
    }
    assert not commands & KEEP_OUT


def test_last_shard_takes_whole_runs() -> None:
    names = [f"{program}-0-{k:03d}" for program in "abcdefghij" for k in range(7)]
    parts = deal(names, 15, 3)
    assert sorted(name for part in parts for name in part) == names
    assert all(len(part) <= 15 for part in parts)
    held = {name.rsplit("-", 1)[0] for name in parts[-1]}
    assert len(held) == 2
    assert not held & {name.rsplit("-", 1)[0] for part in parts[:-1] for name in part}


def test_runs_are_planned_alike_for_a_seed() -> None:
    programs = [Program(n, "gtk3", n) for n in "abcdef"]
    first = plan_runs(programs, 2, 5)
    assert first == plan_runs(programs, 2, 5)
    assert first != plan_runs(programs, 2, 6)
    assert sorted(p.name for p, r in first if r == 1) == list("abcdef")


def test_samples_and_settings_are_written(tmp_path: Path) -> None:
    files = sample_files(tmp_path / "Documents", random.Random(1))
    assert all(Path(path).exists() for path in files.values())
    look = choose_look(Program("x", "gtk3", "x"), random.Random(2))
    assert look == choose_look(Program("x", "gtk3", "x"), random.Random(2))
    write_settings(tmp_path, look)
    assert f"gtk-theme-name={look.theme}" in (tmp_path / ".config/gtk-3.0/settings.ini").read_text()
    with Image.open(tmp_path / "background.png") as picture:
        assert picture.size == look.size

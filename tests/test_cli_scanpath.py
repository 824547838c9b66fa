"""``foveate scanpath`` from the words to the files."""

import io
import json
import shutil
import sys
from pathlib import Path

import pytest

from foveate.cli import main
from foveate.cli_scanpath import DEFAULT
from foveate.scanpath import predicting
from foveate.vision import load_image


@pytest.fixture
def look(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    """Run ``foveate scanpath`` with a model without weights; gives code, lines of output, and errors."""
    monkeypatch.chdir(tmp_path)

    def run(*words: str) -> tuple[int, list[str], str]:
        code = main(["scanpath", "--model", "saliency-centre", *words])
        shown = capsys.readouterr()
        return code, shown.out.splitlines(), shown.err

    return run


def test_one_picture(look, shot: Path) -> None:
    code, lines, errors = look("shot.png", "--n", "4")
    assert (code, errors, len(lines)) == (0, "", 1)
    assert lines[0].startswith("shot.png  1:(")
    assert "  4:(" in lines[0]
    assert lines[0].endswith("saliency-centre  foveate-out/scanpath/shot.scanpath.png")
    folder = Path("foveate-out/scanpath")
    assert load_image(folder / "shot.scanpath.png").size == (200, 120)
    answer = json.loads((folder / "shot.scanpath.json").read_text())
    assert answer["image"] == {"width": 200, "height": 120}
    assert answer["source"] == "shot.png"
    assert all(0 <= row["x"] < 200 and 0 <= row["y"] < 120 and row["duration"] > 0 for row in answer["fixations"])
    assert len((folder / "shot.scanpath.csv").read_text().splitlines()) == 5


def test_json_and_a_seed(look, shot: Path) -> None:
    words = ("shot.png", "--json", "--model", "uniform", "--task", " a  cup ", "--out", "other")
    first, again, other = (look(*words, "--seed", seed)[1] for seed in ("1", "1", "2"))
    assert first == again != other
    assert json.loads(first[0])["task"] == "a cup"
    assert Path("other/shot.scanpath.png").is_file()


def test_a_folder_goes_on_past_a_bad_file(look, shot: Path) -> None:
    for name in ("a.png", "c.png"):
        shutil.copy(shot, _folder() / name)
    (_folder() / "b.png").write_text("no picture")
    code, lines, errors = look("pictures", "missing.png")
    assert code == 1
    assert [line.split()[0] for line in lines] == ["pictures/a.png", "pictures/c.png"]
    assert "pictures/b.png is not an image" in errors
    assert "2 of 4 inputs failed" in errors
    assert sorted(path.name for path in Path("foveate-out/scanpath").glob("*.png")) == [
        "a.scanpath.png",
        "c.scanpath.png",
    ]


def test_no_file_is_written_twice(look, shot: Path) -> None:
    shutil.copy(shot, _folder() / "shot.png")
    code, lines, _ = look("shot.png", "pictures/shot.png", "pictures/shot.png")
    assert code == 0
    assert len({line.split()[-1] for line in lines}) == 3


def test_standard_input(look, shot: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(shot.read_bytes())))
    code, lines, _ = look("-")
    assert code == 0
    assert lines[0].endswith("foveate-out/scanpath/stdin.scanpath.png")


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (["shot.png", "--model", "nobody"], 2, "scanpath models are neva"),
        (["shot.png", "--n", "0"], 2, "whole number, between 1 and 1000, got '0'"),
        (["shot.png", "--device", "tpu"], 2, "unknown device 'tpu'"),
        (["-", "-"], 2, "- (standard input) can be given once only"),
        (["none.png"], 1, "none.png: no such file"),
        ([], 2, "required: IMAGE"),
    ],
)
def test_what_cannot_be_is_one_sentence(look, shot: Path, words: list[str], code: int, message: str) -> None:
    assert shot.is_file()
    ended, lines, errors = look(*words)
    assert (ended, lines) == (code, [])
    assert message in errors
    assert len(errors.splitlines()) == 1


def test_the_default_is_that_of_the_room() -> None:
    assert predicting.DEFAULT == DEFAULT
    assert DEFAULT in predicting.MODELS


def _folder() -> Path:
    folder = Path("pictures")
    folder.mkdir(exist_ok=True)
    return folder

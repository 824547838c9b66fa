"""``foveate point`` from the words to the files."""

import io
import json
import os
import re
import shutil
from pathlib import Path

import numpy as np
import pytest

from foveate.cli import main
from foveate.grounding.pointing import Pointer
from foveate.vision import load_image

LINE = re.compile(
    r'^(?P<label>.+)  "(?P<text>.+)" -> \((\d+), (\d+)\)  confidence [01]\.\d\d.*  \d+\.\d\d s  (?P<file>.+)$'
)


@pytest.fixture
def ask(tiny_pointer: Pointer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    """Run ``foveate point`` with the tiny model in an empty folder; gives code, lines of output, and errors."""
    monkeypatch.setattr("foveate.cli_point.load_pointer", lambda model, device: tiny_pointer)
    monkeypatch.chdir(tmp_path)

    def run(*words: str) -> tuple[int, list[str], str]:
        code = main(["point", *words])
        shown = capsys.readouterr()
        return code, shown.out.splitlines(), shown.err

    return run


def test_one_picture_and_one_sentence(ask, shot: Path) -> None:
    code, lines, errors = ask("shot.png", "  open the   file ")
    assert (code, errors) == (0, "")
    (line,) = lines
    match = LINE.match(line)
    assert match is not None
    assert match["text"] == "open the file"
    assert "untrained" in line
    assert match["file"] == "foveate-out/point/shot.point.png"
    assert load_image(match["file"]).size == (200, 120)
    answer = json.loads(Path("foveate-out/point/shot.point.json").read_text())
    assert [int(v) for v in answer["point"]] == [int(match[3]), int(match[4])]
    assert answer["image"] == {"width": 200, "height": 120}
    assert 0 <= answer["point"][0] < 200
    assert 0 <= answer["point"][1] < 120
    assert not answer["trained"]
    assert not list(Path("foveate-out").rglob("*.npy"))


def test_an_example_brings_its_picture_and_its_sentence(ask) -> None:
    code, lines, _ = ask("--example", "mail")
    assert code == 0
    assert lines[0].startswith('mail.png  "reply to the message" -> (')
    code, lines, _ = ask("--example", "mail", "archive it")
    assert lines[0].startswith('mail.png  "archive it" -> (')


def test_json_top_and_heatmap(ask, shot: Path) -> None:
    code, lines, _ = ask("shot.png", "open", "--json", "--top", "2", "--heatmap", "--out", "here/there")
    assert code == 0
    (line,) = lines
    answer = json.loads(line)
    assert answer["source"] == "shot.png"
    assert 1 <= len(answer["regions"]) == min(2, answer["regions_found"])
    heat = np.load("here/there/shot.point.npy")
    assert heat.shape == (15, 25)
    assert heat.sum() == pytest.approx(1, abs=1e-4)
    assert answer == json.loads(Path("here/there/shot.point.json").read_text())


def test_top_regions_are_listed(ask, shot: Path) -> None:
    _, lines, _ = ask("shot.png", "open", "--top", "9", "--json")
    found = len(json.loads(lines[0])["regions"])
    _, lines, _ = ask("shot.png", "open", "--top", "9")
    assert len(lines) == found
    assert all(re.match(r"^  \d\. \(\d+, \d+\)  confidence", line) for line in lines[1:])


def test_folders_patterns_and_several_files(ask, shot: Path, tmp_path: Path) -> None:
    (tmp_path / "more").mkdir()
    for name in ("b.png", "a.PNG"):
        shutil.copy(shot, tmp_path / "more" / name)
    (tmp_path / "more" / "notes.txt").write_text("no picture")
    for words, labels in (
        (["**/*.png"], ["more/b.png", "shot.png"]),
        (["more"], ["more/a.PNG", "more/b.png"]),
        (["more/*.png", "shot.png"], ["more/b.png", "shot.png"]),
    ):
        code, lines, errors = ask(*words, "open")
        assert (code, errors) == (0, "")
        assert [line.split("  ")[0] for line in lines] == labels


def test_the_same_name_twice_gives_two_files(ask, shot: Path, tmp_path: Path) -> None:
    (tmp_path / "more").mkdir()
    shutil.copy(shot, tmp_path / "more" / "shot.png")
    shutil.copy(shot, tmp_path / "more" / "shot.jpg")
    code, lines, _ = ask("shot.png", "more", "open")
    assert code == 0
    files = [line.split("  ")[-1] for line in lines]
    assert len(set(files)) == 3
    assert all(Path(file).is_file() for file in files)


def test_a_picture_on_standard_input(ask, shot: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", type("Stdin", (), {"buffer": io.BytesIO(shot.read_bytes())}))
    code, lines, _ = ask("-", "open")
    assert code == 0
    assert lines[0].startswith('stdin  "open" -> (')
    assert Path("foveate-out/point/stdin.point.png").is_file()


def test_many_sentences_from_a_file(ask, shot: Path, tmp_path: Path) -> None:
    (tmp_path / "tasks.txt").write_text("\ufeffopen\n\n  save it  \nclose\n", encoding="utf-8")
    code, lines, _ = ask("shot.png", "--instructions", "tasks.txt")
    assert code == 0
    assert [LINE.match(line)["text"] for line in lines] == ["open", "save it", "close"]
    assert sorted(path.name for path in Path("foveate-out/point").glob("*.json")) == [
        f"shot.{i}.point.json" for i in (1, 2, 3)
    ]


def test_a_batch_goes_on_past_bad_files_and_names_them_at_the_end(ask, shot: Path, tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(b"")
    (tmp_path / "z.png").write_bytes(shot.read_bytes()[:200])
    code, lines, errors = ask("a.png", "missing.png", "shot.png", "z.png", "open")
    assert code == 1
    assert [line.split("  ")[0] for line in lines] == ["shot.png"]
    assert Path("foveate-out/point/shot.point.json").is_file()
    end = errors.splitlines()[-4:]
    assert end[0] == "foveate: 3 of 4 inputs failed:"
    assert {re.match(r"foveate:   (\S+\.png)", line)[1] for line in end[1:]} == {"a.png", "missing.png", "z.png"}


def test_resume_skips_whole_answers_and_redoes_the_rest(ask, shot: Path, tmp_path: Path) -> None:
    shutil.copy(shot, tmp_path / "b.png")
    ask("shot.png", "open")
    before = Path("foveate-out/point/shot.point.png").stat().st_mtime_ns
    code, lines, _ = ask("shot.png", "b.png", "open", "--resume")
    assert code == 0
    assert lines[0] == 'shot.png  "open" -> done before  foveate-out/point/shot.point.png'
    assert LINE.match(lines[1])
    assert Path("foveate-out/point/shot.point.png").stat().st_mtime_ns == before
    _, lines, _ = ask("shot.png", "open", "--resume", "--json")
    assert json.loads(lines[0])["instruction"] == "open"


@pytest.mark.parametrize("change", ["sentence", "heatmap", "picture", "broken", "no picture", "top"])
def test_resume_asks_again_when_the_answer_is_not_the_one(change: str, ask, shot: Path) -> None:
    ask("shot.png", "open")
    out = Path("foveate-out/point")
    words = ["shot.png", "open", "--resume"]
    if change == "sentence":
        words[1] = "close"
    elif change == "heatmap":
        words.append("--heatmap")
    elif change == "picture":
        later = (out / "shot.point.json").stat().st_mtime + 5
        os.utime(shot, (later, later))
    elif change == "broken":
        (out / "shot.point.json").write_text('{"source": "sho')
    elif change == "no picture":
        (out / "shot.point.png").unlink()
    else:
        answer = json.loads((out / "shot.point.json").read_text())
        (out / "shot.point.json").write_text(json.dumps(answer | {"regions_found": 3}))
        words += ["--top", "2"]
    code, lines, _ = ask(*words)
    assert code == 0
    assert "done before" not in lines[0]
    assert LINE.match(lines[0])


def test_an_interrupt_keeps_what_is_done(ask, shot: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.copy(shot, tmp_path / "b.png")
    many, asked = Pointer.many, []

    def interrupted(self: Pointer, image: object, *arguments: object, **named: object):
        asked.append(image)
        if len(asked) == 2:
            raise KeyboardInterrupt
        return many(self, image, *arguments, **named)

    monkeypatch.setattr(Pointer, "many", interrupted)
    code, _, errors = ask("b.png", "shot.png", "open")
    assert code == 130
    assert errors == "foveate: stopped\n"
    assert json.loads(Path("foveate-out/point/b.point.json").read_text())["source"] == "b.png"
    assert not Path("foveate-out/point/shot.point.json").exists()


def test_file_names_that_are_no_text(ask, shot: Path, tmp_path: Path) -> None:
    odd = tmp_path / b"caf\xe9.png".decode("utf-8", "surrogateescape")
    shutil.copy(shot, odd)
    code, lines, errors = ask(str(tmp_path), "open", "--out", "out")
    assert (code, errors) == (0, "")
    assert len(lines) == 2

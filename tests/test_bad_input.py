"""What can be wrong with a command line or its files: each ends with its code and one sentence, never a trace."""

import io
import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from PIL import Image
from safetensors.torch import save_file

from foveate.cli import main

GOOD = {"img_filename": "shot.png", "bbox": [20, 20, 70, 30], "instruction": "open", "data_type": "text"}
GOOD |= {"data_source": "web"}


def png(size: tuple[int, int], mode: str = "RGB") -> bytes:
    data = io.BytesIO()
    Image.new(mode, size).save(data, "PNG")
    return data.getvalue()


def annotated(**change: object) -> bytes:
    return json.dumps([GOOD | change]).encode()


# A file of the folder the command runs in, made when its name is among the words.
FILES: dict[str, Callable[[], bytes]] = {
    "empty.png": lambda: b"",
    "text.png": lambda: b"this is no picture",
    "cut.png": lambda: png((300, 200))[:120],
    "dot.png": lambda: png((1, 1)),
    "long.png": lambda: png((20000, 100)),
    "bomb.png": lambda: png((12000, 12000), "1"),
    "huge-bomb.png": lambda: png((20000, 20000), "1"),
    "vector.png": lambda: b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n",
    "none.txt": lambda: b"\n  \n",
    "latin.txt": lambda: b"caf\xe9",
    "broken.safetensors": lambda: b"\x10\0\0\0\0\0\0\0{}",
    "a-file": lambda: b"",
    "good.json": annotated,
    "not.json": lambda: b"[{]",
    "object.json": lambda: b'{"a": 1}',
    "list.json": lambda: b"[]",
    "numbers.json": lambda: b"[1]",
    "no-box.json": lambda: json.dumps([{k: v for k, v in GOOD.items() if k != "bbox"}]).encode(),
    "three.json": lambda: annotated(bbox=[1, 2, 3]),
    "negative.json": lambda: annotated(bbox=[5, 5, -3, 4]),
    "words.json": lambda: annotated(bbox=["1", 2, 3, 4]),
    "fractions.json": lambda: annotated(bbox=[0.1, 0.1, 0.2, 0.2]),
    "outside.json": lambda: annotated(bbox=[5000, 5, 30, 30]),
    "no-sentence.json": lambda: annotated(instruction=" "),
    "kind.json": lambda: annotated(data_type="photo"),
    "source.json": lambda: annotated(data_source="moon"),
    "lost.json": lambda: annotated(img_filename="lost.png"),
    "bad-picture.json": lambda: annotated(img_filename="empty.png"),
    "other.json": lambda: b'[{"a": 1}]',
    "result.json.partial.jsonl": lambda: b'{"data_sha256": "of something else"}\n',
}
POINT: list[tuple[str, int, str]] = [
    ("point missing.png open", 1, r"missing\.png: no such file: give an image"),
    ("point *.gif open", 1, r"\*\.gif: the pattern matches no file"),
    ("point folder open", 1, r"folder: the folder holds no image \(\.png"),
    ("point text.png open", 1, r"text\.png is not an image that can be read: give PNG"),
    ("point vector.png open", 1, r"vector\.png is not an image that can be read"),
    ("point empty.png open", 1, r"empty\.png is empty \(0 bytes\): give an image file"),
    ("point cut.png open", 1, r"cut\.png is damaged or cut short \(.*\): save or copy it again"),
    ("point dot.png open", 1, r"dot\.png: the picture is 1x1: pointing needs at least 16 pixels on each side"),
    ("point long.png open", 1, r"long\.png: the picture is 20000x100: one side may be 50 times the other"),
    ("point bomb.png open", 1, r"bomb\.png has 12000x12000 pixels, above the limit of 100 million pixels"),
    ("point huge-bomb.png open", 1, r"huge-bomb\.png is far above the limit of 100 million pixels: make it smaller"),
    ("point shot.png ''", 2, r"the instruction is empty: say what to click"),
    ("point shot.png '  '", 2, r"the instruction is empty: say what to click"),
    ("point shot.png", 2, r"shot\.png is a file, and the last word must be the instruction"),
    ("point open", 2, r"an image and a sentence are both needed: foveate point IMAGE"),
    ("point", 2, r"an image and a sentence are both needed"),
    ("point - - open", 2, r"- \(standard input\) can be given once only"),
    ("point --example cat open", 2, r"no example 'cat': there are mail, settings, files"),
    ("point shot.png open --model broken.safetensors", 1, r"cannot read the weights broken\.safetensors \(.*\):"),
    ("point shot.png open --model other.safetensors", 2, r"other\.safetensors is no pointer \(.*\): it must say"),
    ("point shot.png open --model no/such.safetensors", 2, r"no weights file at no/such\.safetensors: give a"),
    ("point shot.png open --model gpt", 2, r"unknown model 'gpt': packaged models are"),
    ("point shot.png open --device tpu", 2, r"unknown device 'tpu': it must be cpu, cuda, cuda:N or mps"),
    ("point shot.png open --device cuda:77", 1, r"device cuda:77 is not there \(\d+ CUDA devices found\): use cpu"),
    ("point shot.png --instructions none.txt", 2, r"--instructions none\.txt holds no sentence: write one a line"),
    ("point shot.png --instructions missing.txt", 2, r"cannot read --instructions missing\.txt \(no such file.*\)"),
    ("point shot.png --instructions latin.txt", 2, r"--instructions latin\.txt is no UTF-8 text"),
    ("point shot.png open --top 0", 2, r"argument --top: it must be a whole number, at least 1, got '0'"),
    ("point shot.png open --top x", 2, r"argument --top: it must be a whole number, at least 1, got 'x'"),
    ("point shot.png open --out a-file", 2, r"cannot write to --out a-file \(file exists\): name another folder"),
    ("point shot.png open --out a-file/in", 2, r"cannot write to --out a-file/in \(not a directory\)"),
    ("point shot.png open --colour", 2, r"unrecognized arguments: --colour: see foveate --help"),
]
EVAL: list[tuple[str, int, str]] = [
    ("--annotations missing.json", 2, r"cannot read the annotations missing\.json \(No such file or directory\)"),
    ("--annotations not.json", 2, r"not\.json is no JSON \(.*\): give ScreenSpot-v2-style annotations"),
    ("--annotations object.json", 2, r"object\.json holds a dict: annotations are a list of objects"),
    ("--annotations list.json", 2, r"list\.json holds an empty list: annotations are a list of objects"),
    ("--annotations numbers.json", 2, r"numbers\.json entry 0 is a int: each entry must be an object"),
    ("--annotations no-box.json", 2, r"no-box\.json entry 0 has bbox None: it must be \[x, y, width, height\]"),
    ("--annotations three.json", 2, r"three\.json entry 0 has bbox \[1, 2, 3\]: it must be \[x, y, width, height\]"),
    ("--annotations words.json", 2, r"words\.json entry 0 has bbox \['1', 2, 3, 4\]: it must be"),
    ("--annotations negative.json", 2, r"negative\.json entry 0 has bbox .*: width and height must be above 0"),
    ("--annotations fractions.json", 2, r"fractions\.json entry 0 has bbox .*, which looks like fractions"),
    ("--annotations outside.json", 1, r"outside\.json entry 0 has its box outside the 200x120 picture"),
    ("--annotations no-sentence.json", 2, r"no-sentence\.json entry 0 has no instruction: it must be a text"),
    ("--annotations kind.json", 2, r"kind\.json entry 0 has data_type 'photo': it must be text or icon"),
    ("--annotations source.json", 2, r"source\.json entry 0 has no known platform: name the file like"),
    ("--annotations lost.json", 1, r"lost\.png: no such file, check the path"),
    ("--annotations bad-picture.json", 1, r"empty\.png is empty \(0 bytes\)"),
    ("--annotations good.json --images nowhere", 2, r"--images nowhere is no folder: give the folder"),
    ("--annotations good.json --limit 0", 2, r"argument --limit: it must be a whole number, at least 1, got '0'"),
    ("--annotations good.json --resume", 2, r"--resume needs --json FILE"),
    ("--annotations good.json --json nowhere/r.json", 2, r"--json nowhere/r\.json must name a file in a folder that"),
    ("--annotations good.json --json result.json --resume", 1, r"belongs to other data or another model: remove it"),
    ("--annotations good.json --model gpt", 2, r"unknown model 'gpt': packaged models are"),
]
OTHER: list[tuple[str, int, str]] = [
    ("", 2, r"the following arguments are required: VERB: see foveate --help"),
    ("look shot.png", 2, r"invalid choice: 'look' \(choose from .*point.*\): see foveate --help"),
    ("eval", 2, r"the following arguments are required: SUITE: see foveate eval --help"),
    ("eval grounding", 2, r"the following arguments are required: --annotations, --images"),
    ("demo --port 99999", 2, r"argument --port: it must be a whole number, between 1 and 65535, got '99999'"),
    ("demo --port x", 2, r"argument --port: it must be a whole number, between 1 and 65535, got 'x'"),
    ("demo --model gpt", 2, r"unknown model 'gpt': packaged models are"),
]


@pytest.fixture
def folder(tmp_path: Path, shot: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "folder").mkdir()
    return tmp_path


def check(words: str, code: int, message: str, capsys: pytest.CaptureFixture[str]) -> None:
    import shlex

    split = shlex.split(words)
    for name, make in FILES.items():
        if name in words or any(
            part in name for part in [*split, *(f"{word}.partial.jsonl" for word in split if word)]
        ):
            Path(name).write_bytes(make())
    if "bad-picture.json" in split:
        Path("empty.png").write_bytes(b"")
    if "other.safetensors" in split:
        save_file({"a": torch.zeros(1)}, "other.safetensors")
    assert main(split) == code
    errors = capsys.readouterr().err.splitlines()
    assert re.search(message, errors[0]), errors
    assert all(line.startswith("foveate: ") for line in errors if "picture/s" not in line and "pictures:" not in line)
    assert not any(re.search(r"Traceback|[a-z]Error\b", line) for line in errors)


@pytest.mark.parametrize(("words", "code", "message"), POINT, ids=[row[0] for row in POINT])
def test_point(words: str, code: int, message: str, folder: Path, tiny_weights: Path, capsys) -> None:
    model = "" if "--model" in words else f" --model {tiny_weights}"
    check(words + model, code, message, capsys)


@pytest.mark.parametrize(("words", "code", "message"), EVAL, ids=[row[0] for row in EVAL])
def test_eval(words: str, code: int, message: str, folder: Path, tiny_weights: Path, capsys) -> None:
    model = "" if "--model" in words else f" --model {tiny_weights}"
    images = "" if "--images" in words else " --images ."
    check(f"eval grounding {words}{images}{model}", code, message, capsys)


@pytest.mark.parametrize(("words", "code", "message"), OTHER, ids=[row[0] or "nothing" for row in OTHER])
def test_other_verbs(words: str, code: int, message: str, folder: Path, capsys) -> None:
    check(words, code, message, capsys)


def test_a_missing_extra_is_named(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    check("demo", 1, r'the web page needs gradio: pip install "foveate\[demos\]"', capsys)


def test_the_table_is_long_enough() -> None:
    assert len(POINT) + len(EVAL) + len(OTHER) >= 25

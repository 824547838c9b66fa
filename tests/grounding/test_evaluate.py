"""Counting clicks: cells, intervals, baselines, going on after an interruption."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from foveate.cli import main
from foveate.grounding.evaluate import evaluate, wilson
from foveate.grounding.pointing import Pointer
from foveate.grounding.screenspot import load_samples

KEYS = [
    "samples",
    "overall",
    "cells",
    "baselines",
    "ms_per_image",
    "model",
    "prompt",
    "resize",
    "data_sha256",
    "versions",
]


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Four questions on two pictures of 200x120; the whole picture is the target of the first two."""
    for name in ("a.png", "b.png"):
        Image.effect_noise((200, 120), 80).save(tmp_path / name)
    rows = [
        ("a.png", [0, 0, 200, 120], "open", "text", "web"),
        ("b.png", [0, 0, 200, 120], "save", "icon", "web"),
        ("b.png", [90, 50, 20, 20], "close", "icon", "ios"),
        ("b.png", [0, 0, 1, 2], "close", "text", "ios"),
    ]
    fields = ("img_filename", "bbox", "instruction", "data_type", "data_source")
    path = tmp_path / "dev.json"
    path.write_text(json.dumps([dict(zip(fields, row, strict=True)) for row in rows]))
    return path


def run(data: Path, weights: Path, *words: str) -> int:
    command = ["eval", "grounding", "--annotations", str(data), "--images", str(data.parent)]
    return main([*command, "--model", str(weights), "--device", "cpu", *words])


def test_the_result_file(data: Path, tiny_weights: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = data.parent / "result.json"
    assert run(data, tiny_weights, "--json", str(file)) == 0
    result = json.loads(file.read_text())
    assert list(result) == KEYS
    assert result["samples"] == 4
    assert set(result["overall"]) == {"micro", "macro", "ci95", "hit_at_3"}
    assert set(result["cells"]) == {"mobile/text", "mobile/icon", "web/text", "web/icon"}
    assert result["cells"]["web/text"]["accuracy"] == result["cells"]["web/icon"]["accuracy"] == 1
    assert result["cells"]["web/icon"]["samples"] == 1
    hits = [cell["accuracy"] for cell in result["cells"].values()]
    assert result["overall"]["micro"] == result["overall"]["macro"] == np.mean(hits)
    assert result["overall"]["ci95"] == list(wilson(round(sum(hits)), 4))
    assert result["baselines"]["screen_centre"] == 0.75
    assert result["baselines"]["random_point"] == pytest.approx((1 + 1 + 400 / 24000 + 2 / 24000) / 4)
    assert result["ms_per_image"] > 0
    assert len(result["data_sha256"]) == 64
    assert {"python", "foveate", "torch", "timm"} <= set(result["versions"])
    shown = capsys.readouterr().out
    assert "overall, micro" in shown
    assert "overall, macro" in shown
    assert not list(data.parent.glob("*.partial.jsonl"))


def test_limit_asks_the_first_questions_only(data: Path, tiny_weights: Path) -> None:
    file = data.parent / "result.json"
    assert run(data, tiny_weights, "--json", str(file), "--limit", "1") == 0
    assert json.loads(file.read_text())["samples"] == 1


def test_bad_pictures_count_as_misses_and_are_named(data: Path, tiny_weights: Path, capsys) -> None:
    (data.parent / "a.png").write_bytes(b"rubbish")
    file = data.parent / "result.json"
    assert run(data, tiny_weights, "--json", str(file)) == 1
    errors = capsys.readouterr().err
    assert "a.png is not an image" in errors
    assert "1 picture failed: samples of such pictures count as misses" in errors
    result = json.loads(file.read_text())
    assert result["samples"] == 4
    assert result["cells"]["web/text"]["accuracy"] == 0
    assert Path(f"{file}.partial.jsonl").is_file()
    Image.effect_noise((200, 120), 80).save(data.parent / "a.png")
    assert run(data, tiny_weights, "--json", str(file)) == 0
    assert not Path(f"{file}.partial.jsonl").exists()


@pytest.mark.parametrize("cut", [False, True], ids=["whole lines", "a line cut in half"])
def test_an_interrupted_run_goes_on_where_it_was(cut: bool, data: Path, tiny_weights: Path, monkeypatch) -> None:
    pointer = Pointer(tiny_weights, "cpu")
    samples, partial = load_samples([data]), data.parent / "r.partial.jsonl"
    look, seen = Pointer.look, []

    def looking(self: Pointer, image: Path, label: str | None = None):
        if len(seen) == 1:
            raise KeyboardInterrupt
        seen.append(image.name)
        return look(self, image, label)

    monkeypatch.setattr(Pointer, "look", looking)
    with pytest.raises(KeyboardInterrupt):
        evaluate(pointer, samples, [data], data.parent, partial)
    assert len(partial.read_text().splitlines()) == 2
    if cut:
        partial.write_text(partial.read_text() + '["dev.json ent')
    monkeypatch.setattr(Pointer, "look", lambda self, image, label=None: seen.append(image.name) or look(self, image))
    report = evaluate(pointer, samples, [data], data.parent, partial, resume=True)
    assert seen == ["a.png", "b.png"]
    whole = evaluate(pointer, samples, [data], data.parent)
    for key in ("samples", "overall", "cells", "baselines", "data_sha256"):
        assert report.result[key] == whole.result[key]


def test_a_partial_file_of_other_data_is_refused(data: Path, tiny_pointer: Pointer) -> None:
    partial = data.parent / "r.partial.jsonl"
    for text in ("", "rubbish", '{"data_sha256": "other"}\n'):
        partial.write_text(text)
        with pytest.raises(ValueError, match="belongs to other data"):
            evaluate(tiny_pointer, load_samples([data]), [data], data.parent, partial, resume=True)


def test_no_samples_is_an_error(data: Path, tiny_pointer: Pointer) -> None:
    with pytest.raises(ValueError, match="there are no samples"):
        evaluate(tiny_pointer, [], [data], data.parent)


def test_the_data_checksum_sees_annotations_and_pictures(data: Path, tiny_pointer: Pointer) -> None:
    def digest() -> str:
        return evaluate(tiny_pointer, load_samples([data])[:1], [data], data.parent).result["data_sha256"]

    first = digest()
    assert digest() == first
    Image.effect_noise((200, 120), 10).save(data.parent / "b.png")  # not in use
    assert digest() == first
    Image.effect_noise((200, 120), 10).save(data.parent / "a.png")
    assert digest() != first


@pytest.mark.parametrize(
    ("hits", "total", "low", "high"), [(0, 10, 0.0, 0.2775), (5, 10, 0.2366, 0.7634), (10, 10, 0.7225, 1.0)]
)
def test_wilson_interval_of_known_values(hits: int, total: int, low: float, high: float) -> None:
    assert wilson(hits, total) == pytest.approx((low, high), abs=1e-4)


@pytest.mark.parametrize(("hits", "total"), [(0, 0), (3, 2), (-1, 2)])
def test_wilson_refuses_what_is_no_share(hits: int, total: int) -> None:
    with pytest.raises(ValueError, match="between 0 and total"):
        wilson(hits, total)

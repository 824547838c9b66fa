"""``foveate asymmetry`` from the words to the table and the figure."""

import json
from pathlib import Path

import pytest

from foveate.cli import main
from foveate.scanpath import asymmetry
from foveate.scanpath.asymmetry import EXPERIMENTS, run_asymmetry
from foveate.scanpath.search_models import ChanceSearch
from foveate.vision import load_image


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    """Run ``foveate asymmetry``; gives code, lines of output, and errors."""
    monkeypatch.chdir(tmp_path)

    def call(*words: str) -> tuple[int, list[str], str]:
        code = main(["asymmetry", *words])
        shown = capsys.readouterr()
        return code, shown.out.splitlines(), shown.err

    return call


def test_table_figure_and_numbers(run) -> None:
    code, lines, errors = run("--model", "chance", "--experiments", "5", "2", "--trials", "2", "--seed", "4")
    assert code == 0
    # The quick one first, each told when it ends.
    told = [line.split(":")[1].split("(")[0].strip() for line in errors.splitlines()]
    assert told == ["experiment 2", "experiment 5"]
    rows = [line.split("|")[1].strip() for line in lines if line.startswith("|")]
    assert rows[0] == "model"
    assert rows[2:5] == ["chance", "humans", "eccNET (published)"]
    assert "chance (published)" in rows
    assert lines[0].split("|")[2:4] == [" 2 Lighting direction ", " 5 Orientation, one kind of distractor "]
    assert lines[-2].startswith("28 trials, 2 for each task and number of items; the paper has 30 or 36")
    folder = Path("foveate-out/asymmetry")
    assert lines[-1].split() == [str(folder / f"asymmetry.{end}") for end in ("png", "md", "json")]
    assert (folder / "asymmetry.md").read_text().splitlines()[:3] == lines[:3]
    width, height = load_image(folder / "asymmetry.png").size
    assert width >= 760
    assert height > 400
    answer = json.loads((folder / "asymmetry.json").read_text())
    assert (answer["model"], answer["trained"], answer["seed"]) == ("chance", True, 4)
    known = run_asymmetry(ChanceSearch(), experiments=[2, 5], trials=2, seed=4)
    assert [e["index"] for e in answer["experiments"]] == [round(v, 4) for v in known.indices.values()]
    assert answer["experiments"] == known.to_dict()["experiments"], "intervals as in one run"
    assert answer["tasks"]["categorization_homo_t0"]["trials"] == 2


def test_as_many_trials_as_the_paper(run) -> None:
    code, lines, _ = run("--model", "chance", "--experiments", "2", "--trials", "0", "--json", "numbers.json")
    assert code == 0
    assert lines[-2] == "180 trials, 30 for each task and number of items."
    assert json.loads(Path("numbers.json").read_text())["mean"]["index"] <= 1
    assert not Path("foveate-out/asymmetry/asymmetry.json").exists()


def test_a_network_without_training_says_so(run) -> None:
    words = ("--experiments", "2", "--trials", "1", "--model", "eccnet:mobilenetv3_small_050", "--untrained")
    code, lines, _ = run(*words)
    assert code == 0
    assert lines[2].startswith("| eccnet(mobilenetv3_small_050) (random weights) | ")
    assert json.loads(Path("foveate-out/asymmetry/asymmetry.json").read_text())["trained"] is False


def test_an_experiment_that_fails_is_named_and_the_others_go_on(run, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail_at_five(model: ChanceSearch, **options):
        if options["experiments"] == [5]:
            raise RuntimeError("not enough memory:\n you tried")
        return run_asymmetry(model, **options)

    monkeypatch.setattr(asymmetry, "run_asymmetry", fail_at_five, raising=False)
    code, lines, errors = run("--model", "chance", "--experiments", "2", "5", "6", "--trials", "1")
    assert code == 1
    assert "experiment 5: not enough memory: you tried" in errors
    assert "1 of 3 experiments failed" in errors
    assert [part.strip()[:1] for part in lines[0].split("|")[2:4]] == ["2", "6"]
    code, lines, errors = run("--model", "chance", "--experiments", "5")
    assert (code, lines) == (1, [])
    assert len(errors.splitlines()) == 1


def test_six_experiments_are_the_default(run, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def note(model: ChanceSearch, **options):
        asked.append((options["experiments"][0], options["trials"]))
        raise RuntimeError("enough")

    monkeypatch.setattr(asymmetry, "run_asymmetry", note, raising=False)
    assert run("--model", "chance")[0] == 1
    assert sorted(asked) == [(e.number, 3) for e in EXPERIMENTS]
    assert asked[0][0] == 2, "the smallest scenes first"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--model", "nobody"], "models of search are eccnet, plain, pixel, chance"),
        (["--model", "chance", "--untrained"], "--untrained is for networks, and chance has no weights"),
        (["--experiments", "7"], "whole number, between 1 and 6, got '7'"),
        (["--trials", "-1"], "whole number, at least 0, got '-1'"),
        (["--model", "chance", "--json", "nowhere/a.json"], "--json nowhere/a.json must name a file in a folder"),
        (["--model", "chance", "--device", "tpu"], "unknown device 'tpu'"),
        (["--model", "eccnet:nobody"], "timm knows no model 'nobody'"),
    ],
)
def test_what_cannot_be_is_one_sentence(run, words: list[str], message: str) -> None:
    code, lines, errors = run(*words)
    assert (code, lines) == (2, [])
    assert message in errors
    assert len(errors.splitlines()) == 1


def test_help_fits_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["asymmetry", "--help"]) == 0
    shown = capsys.readouterr().out
    assert "95 % bootstrap" in shown
    assert max(len(line) for line in shown.splitlines()) <= 120

"""The command as a whole: help without anything heavy, the small verbs, and how it ends."""

import json
import os
import re
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

import foveate
from foveate.cli import build_parser, main
from foveate.errors import sentence
from foveate.vision import EXAMPLES

HEAVY = ("torch", "timm", "cv2", "gradio", "transformers", "numpy", "PIL")
# Beside this Python, which need not be the first one on PATH.
SCRIPT = str(Path(sysconfig.get_path("scripts")) / "foveate")
VERBS = ("point", "scanpath", "search", "score", "asymmetry", "eval", "bench", "models", "doctor", "demo")


@pytest.mark.parametrize(
    "words",
    [
        ["--help"],
        ["--version"],
        *([verb, "--help"] for verb in VERBS),
        ["eval", "grounding", "--help"],
        ["eval", "osie", "--help"],
        ["models"],
        [],
    ],
    ids=" ".join,
)
def test_help_imports_nothing_heavy(words: list[str]) -> None:
    code = (
        "import sys; from foveate.cli import main; code = main(sys.argv[1:]);"
        f"print('heavy:', *[name for name in {HEAVY} if name in sys.modules]); sys.exit(code)"
    )
    done = subprocess.run([sys.executable, "-P", "-c", code, *words], capture_output=True, text=True, check=False)
    assert done.returncode == (0 if words else 2), done.stderr
    assert done.stdout.splitlines()[-1].strip() == "heavy:"


@pytest.mark.parametrize("command", [[SCRIPT], [sys.executable, "-m", "foveate"]], ids=["script", "module"])
def test_the_command_says_its_version(command: list[str]) -> None:
    done = subprocess.run([*command, "--version"], capture_output=True, text=True, check=True)
    assert done.stdout == f"foveate {foveate.__version__}\n"


def test_help_names_every_verb_and_example(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--help"]) == 0
    shown = capsys.readouterr().out
    assert all(re.search(rf"^ +{verb}\b", shown, re.M) for verb in VERBS)
    assert main(["point", "--help"]) == 0
    shown = capsys.readouterr().out
    assert all(example.name in shown for example in EXAMPLES)


def test_the_examples_of_help_parse(capsys: pytest.CaptureFixture[str]) -> None:
    import shlex

    epilog = str(build_parser().epilog)
    lines = [line.split("   ")[0] for line in epilog.splitlines() if line.startswith("  foveate")]
    assert len(lines) >= 4
    for line in lines:
        _, *words = shlex.split(line.strip())
        assert build_parser().parse_args(words).verb == words[0]


def test_doctor_says_what_is_there_and_fails_when_pointing_cannot_work(capsys: pytest.CaptureFixture[str]) -> None:
    code = main(["doctor", "--json"])
    findings = {finding["name"]: finding for finding in json.loads(capsys.readouterr().out)}
    assert {"foveate", "torch", "cpu", "memory", "foveate-point-s", "chromium", "Xvfb"} <= set(findings)
    assert findings["torch"]["status"] == "ok"
    assert code == int(any(finding["status"] == "missing" for finding in findings.values()))
    assert main(["doctor"]) == code
    assert re.search(r"^ok +torch +\d", capsys.readouterr().out, re.M)


def test_doctor_names_the_way_out_for_a_missing_package(monkeypatch: pytest.MonkeyPatch) -> None:
    from foveate import doctor

    monkeypatch.setattr(doctor, "NEEDED", ("no-such-package",))
    monkeypatch.setattr(doctor, "OPTIONAL", {"no-such-extra": "demos"})
    found = {finding.name: finding for finding in doctor.examine()}
    assert found["no-such-package"].status == "missing"
    assert found["no-such-package"].text.endswith("pip install no-such-package")
    assert found["no-such-extra"].status == "optional"
    assert 'pip install "foveate[demos]"' in found["no-such-extra"].text


@pytest.mark.parametrize(("count", "words"), [(1, "1 core for this process"), (2, "2 cores for this process")])
def test_doctor_counts_in_words(monkeypatch: pytest.MonkeyPatch, count: int, words: str) -> None:
    from foveate import doctor

    monkeypatch.setattr("foveate.grounding.catalog.cpu_count", lambda: count)
    (cores,) = (finding for finding in doctor.examine() if finding.name == "cpu")
    assert cores.text.startswith(f"{words}, torch uses ")


def test_errors_become_one_line() -> None:
    assert sentence(ValueError("one\n  two")) == "one two"
    assert sentence(RuntimeError()) == "RuntimeError"
    assert sentence(FileNotFoundError(2, "No such file", "a.png")) == "a.png: no such file"


def test_an_interrupt_ends_quietly(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def interrupt(_: object) -> int:
        raise KeyboardInterrupt

    monkeypatch.setattr("foveate.cli_models.run", interrupt)
    assert main(["models"]) == 130
    assert capsys.readouterr().err == "foveate: stopped\n"


def test_a_reader_that_has_seen_enough_is_no_error() -> None:
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run([SCRIPT, "models"], stdout=writer, stderr=subprocess.PIPE, text=True, check=False)
    os.close(writer)
    assert done.returncode == 1
    assert done.stderr == ""


def test_names_of_the_front_door() -> None:
    assert set(dir(foveate)) == set(foveate.__all__)
    assert foveate.vision.Box(0, 0, 1, 1).area == 1
    with pytest.raises(AttributeError, match="has no attribute 'look'"):
        foveate.look  # noqa: B018

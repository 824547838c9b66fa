"""What the README promises: its two commands, and a right click on every packaged example."""

import json
import re
import shlex
from pathlib import Path

import pytest

from foveate.cli import build_parser, main
from foveate.grounding.catalog import MODELS
from foveate.vision import EXAMPLES, Point

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text()
COMMANDS = re.findall(r"```bash\n(.*?)\n```", README, re.S)[:2]

needs_weights = pytest.mark.skipif(not MODELS[0].path.is_file(), reason=f"{MODELS[0].path.name} is not trained yet")


def test_two_commands_do_all_the_set_up_and_ci_runs_both() -> None:
    first, second = COMMANDS
    install, point = first.split(" && ")
    assert install == "pip install ."
    assert second == 'pip install -e ".[test]" && pytest'
    ci = (ROOT / ".ci" / "run").read_text()
    assert point.removeprefix("foveate ") in ci
    assert 'pip install --quiet -e ".[test]"' in ci
    assert "-m pytest\n" in ci


def test_every_foveate_command_of_the_readme_parses() -> None:
    lines = re.findall(r"^(?:pip install \. && )?foveate (.+)$", README, re.M)
    assert len(lines) >= 5
    for line in lines:
        words = shlex.split(line.split("  #")[0])
        assert build_parser().parse_args(words).verb == words[0]


def test_pictures_and_files_of_the_readme_exist() -> None:
    links = [link for link in re.findall(r"\]\(([^)#]+)\)", README) if not link.startswith("http")]
    assert links
    missing = [link for link in links if not (ROOT / link).exists()]
    assert not missing or not MODELS[0].path.is_file()


@needs_weights
def test_no_number_is_left_open() -> None:
    assert not re.findall(r"\bOPEN_[A-Z_]+", README)


@needs_weights
@pytest.mark.parametrize("name", [example.name for example in EXAMPLES])
def test_the_click_is_right_on_every_packaged_example(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (example,) = [example for example in EXAMPLES if example.name == name]
    monkeypatch.chdir(tmp_path)
    assert main(["point", "--example", name, "--json"]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert answer["trained"]
    point = Point(*answer["point"])
    assert any(box.contains(point) for box in example.targets), f"{point} is not in {example.targets}"
    assert (tmp_path / "foveate-out" / "point" / f"{name}.point.png").is_file()


@needs_weights
def test_the_readme_s_first_command_points_at_its_example(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    words = shlex.split(COMMANDS[0].split(" && foveate ")[1])
    assert main(words) == 0
    x, y = map(int, re.search(r"-> \((\d+), (\d+)\)", capsys.readouterr().out).groups())
    (example,) = [example for example in EXAMPLES if example.name == words[words.index("--example") + 1]]
    assert any(box.contains(Point(x, y)) for box in example.targets)

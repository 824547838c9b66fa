"""``foveate models``: both kinds of models, one family, and what scripts read."""

import json
import subprocess
import sys
import time

import pytest

from foveate.cli import main


def rows(capsys: pytest.CaptureFixture[str], *words: str) -> list[dict]:
    assert main(["models", "--json", *words]) == 0
    return json.loads(capsys.readouterr().out)


def test_the_table_has_both_kinds_of_models(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["models"]) == 0
    header, *lines = capsys.readouterr().out.splitlines()
    assert header.split() == ["name", "family", "parameters", "MACs", "pixels", "top-1", "licence", "weights"]
    found = {line.split()[0]: line for line in lines}
    assert len(found) == len(lines)
    assert found["foveate-point-s"].split()[1] == "point"
    assert found["dinat_large_384"].split() == [
        "dinat_large_384", "nat", "200.9", "M", "89.51", "G", "384", "87.4", "MIT", "official",
    ]  # fmt: skip
    assert found["patnet_t2"].endswith("none")
    assert all(not line.endswith(" ") for line in lines)


def test_columns_stand_below_their_titles(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["models"]) == 0
    header, *lines = capsys.readouterr().out.splitlines()
    start = header.index("licence")
    assert {line[start:].split()[0] for line in lines} <= {"MIT", "Apache-2.0", "Research-only"}
    assert all(line[start - 1] == " " for line in lines)


def test_a_family_alone(capsys: pytest.CaptureFixture[str]) -> None:
    found = rows(capsys, "--family", "biformer")
    assert {row["family"] for row in found} == {"biformer"}
    assert "biformer_stl_nchw" in {row["name"] for row in found}
    assert [row["name"] for row in rows(capsys, "--family", "point")] == ["foveate-point-s"]
    everything = rows(capsys)
    assert len({row["name"] for row in everything}) == len(everything)
    assert sum(len(rows(capsys, "--family", family)) for family in {row["family"] for row in everything}) == len(
        everything
    )


def test_a_wrong_family_names_the_right_ones(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["models", "--family", "resnet"]) == 2
    error = capsys.readouterr().err
    assert error.startswith("foveate: --family resnet is no family: use one of point, biformer, ")
    assert error.count("\n") == 1


def test_json_holds_what_is_known(capsys: pytest.CaptureFixture[str]) -> None:
    found = {row["name"]: row for row in rows(capsys)}
    assert found["nat_mini"] == {
        "name": "nat_mini",
        "task": "backbone",
        "family": "nat",
        "parameters": 19_984_174,
        "macs": 2_694_812_672,
        "top1": 81.8,
        "size": 224,
        "weights": "official",
        "url": "https://shi-labs.com/projects/nat/checkpoints/CLS/nat_mini.pth",
        "licence": "MIT",
        "source": "https://github.com/SHI-Labs/Neighborhood-Attention-Transformer",
        "reconstruction": False,
        "note": "",
    }
    pointing = found["foveate-point-s"]
    assert pointing["task"] == pointing["family"] == "point"
    assert pointing["licence"] == "Apache-2.0"
    assert pointing["weights"] in ("packaged", "missing")


def test_the_answer_comes_at_once_and_without_torch() -> None:
    code = (
        "import sys; from foveate.cli import main; code = main(['models', '--json']);"
        "heavy = [name for name in ('torch', 'timm', 'numpy') if name in sys.modules]; sys.exit(code or len(heavy))"
    )
    start = time.monotonic()
    done = subprocess.run([sys.executable, "-P", "-c", code], capture_output=True, text=True, check=False)
    assert time.monotonic() - start < 3
    assert done.returncode == 0
    assert len(json.loads(done.stdout)) > 10

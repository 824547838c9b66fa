"""What is known of models without loading them."""

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from foveate.grounding.catalog import MODELS, ModelEntry, cpu_count, read_weights_info


def test_the_header_tells_size_and_facts(tmp_path: Path) -> None:
    path = tmp_path / "a.safetensors"
    save_file({"a": torch.zeros(3, 4), "b": torch.zeros(5).half()}, path, {"facts": json.dumps({"steps": 7})})
    info = read_weights_info(path)
    assert info.parameters == 17
    assert info.megabytes == path.stat().st_size / 1e6
    assert info.facts == {"steps": 7}


@pytest.mark.parametrize(
    "content", [b"", b"abc", b"\xff" * 80, b"\x02\0\0\0\0\0\0\0[]", b'\x09\0\0\0\0\0\0\0{"a": 3} ']
)
def test_other_files_are_one_sentence(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "a.safetensors").write_bytes(content)
    with pytest.raises(ValueError, match=r"cannot read the weights a\.safetensors \(.*\): install"):
        read_weights_info(tmp_path / "a.safetensors")


def test_a_file_cut_short_is_noticed(tmp_path: Path) -> None:
    path = tmp_path / "a.safetensors"
    save_file({"a": torch.zeros(100)}, path)
    path.write_bytes(path.read_bytes()[:-8])
    with pytest.raises(ValueError, match=r"have \d+ bytes, not \d+"):
        read_weights_info(path)


def test_rows_say_whether_weights_are_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "x.safetensors"
    monkeypatch.setattr(ModelEntry, "path", property(lambda self: path))
    assert MODELS[0].to_dict()["weights"] == "missing"
    path.write_bytes(b"rubbish")
    assert MODELS[0].to_dict()["weights"] == "unreadable"
    save_file({"a": torch.zeros(3)}, path)
    row = MODELS[0].to_dict()
    assert (row["weights"], row["parameters"]) == ("packaged", 3)


def test_the_process_has_cores() -> None:
    assert cpu_count() >= 1

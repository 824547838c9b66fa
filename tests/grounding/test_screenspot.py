"""Annotations; the many wrong ones are in test_bad_input."""

import json
from pathlib import Path

import pytest

from foveate.grounding.screenspot import load_samples

ENTRY = {"img_filename": "a.png", "bbox": [10, 20, 30, 40], "instruction": "open", "data_type": "icon"}


def write(path: Path, *changes: dict) -> Path:
    path.write_text(json.dumps([ENTRY | change for change in changes]))
    return path


def test_boxes_become_corners_and_borders_belong_to_them(tmp_path: Path) -> None:
    (sample,) = load_samples([write(tmp_path / "a.json", {"data_source": "windows"})])
    assert sample.box == (10, 20, 40, 60)
    assert (sample.image, sample.instruction, sample.platform, sample.kind) == ("a.png", "open", "desktop", "icon")
    assert sample.contains(10, 20)
    assert sample.contains(40, 60)
    assert not sample.contains(40.01, 60)
    assert sample.where == f"{tmp_path / 'a.json'} entry 0"


@pytest.mark.parametrize(
    ("file", "change", "platform"),
    [
        ("screenspot_mobile_v2.json", {"data_source": "shop"}, "mobile"),
        ("dev.json", {"platform": "web", "data_source": "windows"}, "web"),
        ("dev.json", {"img_filename": "pc_1.png"}, "desktop"),
        ("dev.json", {"data_source": "gitlab"}, "web"),
        ("dev.json", {"data_source": "iOS"}, "mobile"),
        ("web-mobile.json", {"data_source": "linux"}, "desktop"),
    ],
)
def test_the_platform_comes_from_what_is_surest(file: str, change: dict, platform: str, tmp_path: Path) -> None:
    (sample,) = load_samples([write(tmp_path / file, change)])
    assert sample.platform == platform


def test_several_files_in_order(tmp_path: Path) -> None:
    first = write(tmp_path / "a.json", {"data_source": "web"}, {"data_source": "web", "instruction": "close"})
    (tmp_path / "more").mkdir()
    second = write(tmp_path / "more" / "a.json", {"data_source": "ios"})
    samples = load_samples([first, second])
    assert [sample.instruction for sample in samples] == ["open", "close", "open"]
    assert len({sample.where for sample in samples}) == 3

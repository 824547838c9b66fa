"""``foveate scanpath`` from the words to the files."""

import io
import json
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from foveate.cli import main
from foveate.cli_scanpath import DEFAULT, sample_frames
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
        (["shot.png", "--model", "nobody"], 2, "scanpath models are priority, neva"),
        (["shot.png", "--n", "0"], 2, "whole number, between 1 and 1000, got '0'"),
        (["shot.png", "--device", "tpu"], 2, "unknown device 'tpu'"),
        (["-", "-"], 2, "- (standard input) can be given once only"),
        (["none.png"], 1, "none.png: no such file"),
        (["shot.png", "--every", "0"], 2, "number of seconds, at least 0.01, got '0'"),
        (["shot.png", "--every", "often"], 2, "number of seconds, at least 0.01, got 'often'"),
        ([], 2, "required: IMAGE"),
    ],
)
def test_what_cannot_be_is_one_sentence(look, shot: Path, words: list[str], code: int, message: str) -> None:
    assert shot.is_file()
    ended, lines, errors = look(*words)
    assert (ended, lines) == (code, [])
    assert message in errors
    assert len(errors.splitlines()) == 1


class Reel:
    """What OpenCV makes of a video: red in RGB, with times of frames as told, in milliseconds."""

    CAP_PROP_FRAME_COUNT, CAP_PROP_FPS, CAP_PROP_POS_MSEC = range(3)

    def __init__(self, times: list[float], rate: float, announced: float) -> None:
        self.times, self.facts, self.shown, self.released = times, {0: announced, 1: rate}, -1, 0

    def VideoCapture(self, name: str) -> "Reel":  # noqa: N802 (OpenCV's name)
        self.shown = -1
        return self

    def get(self, key: int) -> float:
        return self.facts[key] if key in self.facts else self.times[self.shown]

    def grab(self) -> bool:
        self.shown += 1
        return self.shown < len(self.times)

    def retrieve(self) -> tuple[bool, np.ndarray]:
        pixels = np.zeros((30, 40, 3), np.uint8)
        pixels[..., 2] = 200 + self.shown
        return True, pixels

    def release(self) -> None:
        self.released += 1


def _play(monkeypatch: pytest.MonkeyPatch, times: list[float], rate: float = 10, announced: float = 0) -> Reel:
    reel = Reel(times, rate, announced)
    monkeypatch.setitem(sys.modules, "cv2", reel)
    return reel


def test_a_video_gives_a_path_for_each_sampled_frame(look, shot: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Path("clip.mp4").touch()
    reel = _play(monkeypatch, [100.0 * i for i in range(26)], announced=26)
    code, lines, errors = look("clip.mp4", "shot.png", "--n", "3", "--out", "frames")
    assert (code, errors) == (0, "")
    assert reel.released == 1
    assert [line.split()[0] for line in lines] == ["clip.mp4@0.00s", "clip.mp4@1.00s", "clip.mp4@2.00s", "shot.png"]
    names = ["clip-00000.00s", "clip-00001.00s", "clip-00002.00s", "shot"]
    assert sorted(p.name for p in Path("frames").glob("*.png")) == [f"{name}.scanpath.png" for name in names]
    assert len((Path("frames") / "clip-00001.00s.scanpath.csv").read_text().splitlines()) == 4
    answer = json.loads((Path("frames") / "clip-00002.00s.scanpath.json").read_text())
    assert answer["image"] == {"width": 40, "height": 30}
    assert (answer["source"], answer["details"]) == ("clip.mp4@2.00s", {"seconds": 2.0})


@pytest.mark.parametrize(
    ("times", "every", "expected"),
    [
        ([0, 370, 740, 1110, 1480, 2900, 3300], 1.0, [0, 1.11, 2.9, 3.3]),  # frames of unequal length
        ([0, 0, 0, 0, 0, 0], 0.2, [0, 0.2, 0.4]),  # nobody tells times: by the rate
        ([0, 100, 200, 300], 0.01, [0, 0.1, 0.2, 0.3]),
        ([0, 100, 200, 300], 60.0, [0]),
    ],
)
def test_frames_are_the_first_after_each_step(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, times: list[float], every: float, expected: list[float]
) -> None:
    (tmp_path / "clip.avi").touch()
    _play(monkeypatch, times)
    frames = list(sample_frames(tmp_path / "clip.avi", every))
    assert [seconds for seconds, _ in frames] == pytest.approx(expected)
    assert frames[0][1].getpixel((5, 5)) == (200, 0, 0)


@pytest.mark.parametrize(
    ("times", "announced", "message"),
    [
        ([], 0, "clip.mkv is not a video that can be read: give MP4"),
        ([0, 100, 200], 50, "clip.mkv stops at 0.20 of 5.00 seconds"),
    ],
)
def test_a_bad_video_is_named_and_the_batch_goes_on(
    look, shot: Path, monkeypatch: pytest.MonkeyPatch, times: list[float], announced: float, message: str
) -> None:
    Path("clip.mkv").touch()
    _play(monkeypatch, times, announced=announced)
    code, lines, errors = look("clip.mkv", "shot.png")
    assert code == 1
    assert message in errors.splitlines()[0]
    assert "1 of 2 inputs failed" in errors
    assert lines[-1].startswith("shot.png")


def test_a_video_without_opencv_names_the_extra(look, shot: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "cv2", None)
    Path("clip.webm").touch()
    code, lines, errors = look("clip.webm", "shot.png")
    assert code == 1
    assert errors.splitlines()[0].endswith('clip.webm is a video, which needs OpenCV: pip install "foveate[video]"')
    assert [line.split()[0] for line in lines] == ["shot.png"]


def test_opencv_reads_what_opencv_wrote(tmp_path: Path) -> None:
    cv2 = pytest.importorskip("cv2", reason="OpenCV is not here: pip install foveate[video]")
    path = tmp_path / "clip.avi"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*"MJPG"), 10, (64, 48))
    for i in range(25):
        writer.write(np.full((48, 64, 3), (10, 10, 10 * i), np.uint8))  # ever more red
    writer.release()
    frames = list(sample_frames(path, 1.0))
    assert [seconds for seconds, _ in frames] == pytest.approx([0, 1, 2])
    assert [frame.size for _, frame in frames] == [(64, 48)] * 3
    assert [frame.getpixel((32, 24))[0] for _, frame in frames] == pytest.approx([0, 100, 200], abs=12)


def test_the_default_is_that_of_the_room() -> None:
    assert predicting.DEFAULT == DEFAULT
    assert DEFAULT in predicting.MODELS


def _folder() -> Path:
    folder = Path("pictures")
    folder.mkdir(exist_ok=True)
    return folder


def test_words_that_nobody_reads_are_said(look, shot: Path) -> None:
    code, lines, errors = look("shot.png", "--task", "a dog")
    assert (code, len(lines)) == (0, 1)
    assert "saliency-centre reads no words, --task is only noted: nevaclip and oat read them" in errors


def test_a_folder_that_cannot_be_read_stops_nobody(look, shot: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (shot.parent / "closed").mkdir()
    listed = Path.iterdir

    def refuse(folder: Path):
        if folder.name == "closed":
            raise PermissionError(13, "Permission denied", str(folder))
        return listed(folder)

    monkeypatch.setattr(Path, "iterdir", refuse)
    code, lines, errors = look("closed", "shot.png")
    assert code == 1
    assert len(lines) == 1
    assert "closed: the folder cannot be read (permission denied): allow it, or leave it out" in errors


def test_the_map_of_a_picture_is_a_file(look, shot: Path) -> None:
    code, _, errors = look("shot.png", "--map", "where.npy")
    assert (code, errors) == (0, "")
    density = np.load("where.npy")
    assert (density.shape, density.dtype) == ((120, 200), np.float32)
    assert density.sum() == pytest.approx(1, abs=1e-4)
    code, _, errors = look("shot.png", "--map", "where.PNG")
    assert "where.PNG is divided by its largest value" in errors
    with Image.open("where.PNG") as image:
        assert (image.mode, image.size, image.getextrema()[1]) == ("L", (200, 120), 255)
        assert f"its largest value, {density.max():.4}"[:-1] in image.text["Description"]
        np.testing.assert_allclose(np.asarray(image), density / density.max() * 255, atol=0.51)


def test_maps_of_pictures_are_a_folder(look, shot: Path) -> None:
    shutil.copy(shot, _folder() / "b.png")
    code, lines, errors = look("shot.png", "pictures", "--map", "maps")
    assert (code, len(lines), len(errors.splitlines())) == (0, 2, 1)
    assert sorted(path.name for path in Path("maps").iterdir()) == [
        f"{name}.map.{end}" for name in ("b", "shot") for end in ("npy", "png")
    ]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["shot.png", "shot.png", "--map", "a.npy"], "--map a.npy is one file, and there may be several pictures"),
        (["clip.mp4", "--map", "a.npy"], "--map a.npy is one file, and there may be several pictures"),
        (["shot.png", "--map", "a.jpg"], "--map a.jpg must end in .png or .npy, or name a folder"),
        (["shot.png", "--map", "no/a.png"], "--map no/a.png must name a file in a folder that exists"),
        (["shot.png", "--map", "shot.png/a"], "cannot write to --map shot.png/a"),
        (["shot.png", "--model", "neva", "--map", "a.png"], "neva makes paths without a map: leave --map out"),
    ],
)
def test_a_map_that_cannot_be_written_is_said_before_the_work(look, shot: Path, words: list[str], message: str) -> None:
    Path("clip.mp4").touch()
    code, lines, errors = look(*words)
    assert (code, lines) == (2, [])
    assert message in errors
    assert not list(Path("foveate-out/scanpath").iterdir())

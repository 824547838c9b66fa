"""Data sets are read from files of the published layouts, made here, and from the real ones where they are."""

import csv
import json
import sqlite3
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from scipy.io import savemat

from foveate.scanpath.datasets import DATASETS, Viewing, open_dataset
from foveate.scanpath.datasets.common import load_npz
from foveate.scanpath.datasets.detection import detect_fixations
from foveate.scanpath.datasets.interchange import from_pysaliency
from foveate.scanpath.datasets.mit1003 import read_recording
from tests.conftest import reference_folder, skip_unless_ci

DATA = reference_folder().parent / "data"


def picture(path: Path, size: tuple[int, int] = (400, 300)) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size, "grey").save(path)
    return path


def recording(places: list[tuple[float, float]], rest: int = 60, jump: int = 8, rng: int = 0) -> np.ndarray:
    """Samples of an eye that rests at places and jumps between them, smoothly."""
    noise = np.random.default_rng(rng)
    parts = []
    for number, place in enumerate(places):
        parts.append(np.tile(place, (rest, 1)).astype(float))
        if number + 1 < len(places):
            ease = (1 - np.cos(np.linspace(0, np.pi, jump + 2)[1:-1])) / 2
            parts.append(np.array(place) + ease[:, None] * (np.array(places[number + 1]) - np.array(place)))
    samples = np.concatenate(parts)
    return samples + noise.normal(0, 0.05, samples.shape)


def save_recording(file: Path, samples: np.ndarray) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    savemat(file, {file.stem[:63]: {"DATA": {"eyeData": samples}}})


def test_an_eye_that_rests_and_jumps() -> None:
    places = [(200.0, 150.0), (340.0, 60.0), (80.0, 250.0)]
    found = detect_fixations(recording(places))
    assert len(found.x) == 3
    np.testing.assert_allclose(np.stack([found.x, found.y], 1), places, atol=1.0)
    assert found.start[0] == 0
    np.testing.assert_allclose(found.duration, 60 / 240, atol=12 / 240)
    assert np.all(np.diff(found.start) > 0)


def test_short_rests_belong_to_the_saccade() -> None:
    samples = np.concatenate(
        [recording([(100, 100), (200, 100)], rest=60)[:68], recording([(200, 100), (380, 200)], rest=7)[:-7],
         np.tile((380.0, 200.0), (60, 1))]
    )  # fmt: skip
    found = detect_fixations(samples)
    np.testing.assert_allclose(found.x, [100, 380], atol=1.5)


def test_an_eye_that_never_moves_is_one_fixation() -> None:
    found = detect_fixations(np.tile((10.0, 20.0), (100, 1)))
    assert (found.x.tolist(), found.y.tolist()) == ([10.0], [20.0])
    assert found.duration[0] == pytest.approx(100 / 240)
    with pytest.raises(ValueError, match="samples must be"):
        detect_fixations(np.zeros((0, 2)))


def test_mit1003(tmp_path: Path) -> None:
    long_name = "i" + "x" * 70
    for name in ("i101", long_name):
        picture(tmp_path / "ALLSTIMULI" / f"{name}.jpeg")
        for observer in ("ajs", "hp"):
            save_recording(
                tmp_path / "DATA" / observer / f"{name}.mat", recording([(200, 150), (350, 40), (60, 250), (500, 100)])
            )
    dataset = open_dataset("mit1003", tmp_path)
    assert [viewing.name for viewing in dataset] == ["i101", long_name]
    first = dataset[0]
    assert first.size == (400, 300)
    assert first.image().size == (400, 300)
    assert [path.observer for path in first.scanpaths] == ["ajs", "hp"]
    # The first fixation and the one off the picture are left out.
    np.testing.assert_allclose(first.scanpaths[0].points, [(350, 40), (60, 250)], atol=1.5)
    assert first.scanpaths[0].duration is not None
    from foveate.scanpath.datasets.mit1003 import load

    kept = load(tmp_path, first_fixation=True)[0].scanpaths[0]
    assert kept.points[0] == pytest.approx((200, 150), abs=1.5)


def test_mit1003_says_what_is_wrong(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"missing ALLSTIMULI .*ALLSTIMULI.zip.*DATA"):
        open_dataset("mit1003", tmp_path)
    picture(tmp_path / "ALLSTIMULI" / "i1.jpeg")
    (tmp_path / "DATA" / "hp").mkdir(parents=True)
    broken = tmp_path / "DATA" / "hp" / "i1.mat"
    broken.write_bytes(b"MATLAB 5.0 MAT-file, cut short")
    with pytest.raises(ValueError, match="no MATLAB file that can be read"):
        open_dataset("mit1003", tmp_path)
    savemat(broken, {"other": 3})
    with pytest.raises(ValueError, match="not a recording of MIT1003"):
        read_recording(broken)
    (tmp_path / "DATA.zip").write_bytes(b"no archive")
    with pytest.raises(ValueError, match="published is ea19d74a"):
        open_dataset("mit1003", tmp_path)


def test_capmit1003(tmp_path: Path) -> None:
    picture(tmp_path / "ALLSTIMULI" / "i101.jpeg")
    with sqlite3.connect(tmp_path / "capmit1003.db") as database:
        database.executescript(
            """
            CREATE TABLE captions(obs_uid, usr_uid, start_time, caption, img_uid);
            CREATE TABLE images(img_uid, img_path);
            CREATE TABLE clicks(click_id, obs_uid, x, y, click_time);
            INSERT INTO images VALUES ('m', 'i101.jpeg');
            INSERT INTO captions VALUES ('o1', 'u', 0, 'a dog', 'm'), ('o2', 'v', 0, 'a cat', 'm');
            INSERT INTO clicks VALUES (3, 'o1', 30, 31, 2), (1, 'o1', 10, 11, 1), (2, 'o2', 20, 21, 1);
            """
        )
    dataset = open_dataset("capmit1003", tmp_path)
    assert len(dataset) == 1
    assert [(path.observer, path.task) for path in dataset[0].scanpaths] == [("o1", "a dog"), ("o2", "a cat")]
    assert dataset[0].scanpaths[0].points.tolist() == [[10, 11], [30, 31]]  # in the order of click numbers
    (tmp_path / "capmit1003.db").write_bytes(b"SQLite format 3\0 but no more")
    with pytest.raises(ValueError, match="cannot be read"):
        open_dataset("capmit1003", tmp_path)


def test_osie_as_published(tmp_path: Path) -> None:
    picture(tmp_path / "stimuli" / "1001.jpg", (800, 600))
    look = {"fix_x": [[1.0, 2.0]], "fix_y": [[3.0, 4.0]], "fix_duration": [[200, 300]]}
    empty = {"fix_x": np.zeros((0, 0)), "fix_y": np.zeros((0, 0)), "fix_duration": np.zeros((0, 0))}
    subjects = np.empty((1, 2), dtype=object)
    subjects[0, :] = [look, empty]
    cells = np.empty((1, 1), dtype=object)
    cells[0, 0] = {"img": "1001.jpg", "subjects": subjects}
    savemat(tmp_path / "fixations.mat", {"fixations": cells})
    viewing = open_dataset("osie", tmp_path)[0]
    assert (viewing.name, viewing.size, len(viewing.scanpaths)) == ("1001", (800, 600), 1)
    assert viewing.scanpaths[0].duration is not None
    assert viewing.scanpaths[0].duration.tolist() == [0.2, 0.3]
    savemat(tmp_path / "fixations.mat", {"fixations": np.zeros((2, 2))})
    with pytest.raises(ValueError, match="another layout"):
        open_dataset("osie", tmp_path)


def test_cocosearch(tmp_path: Path) -> None:
    row = {
        "name": "000001.jpg", "subject": 2, "task": "cup", "condition": "present", "bbox": [10, 20, 30, 40],
        "X": [840.0, 100.5], "Y": [525.0, 60.0], "T": [100, 250], "length": 2, "correct": 1, "split": "train",
    }  # fmt: skip
    file = tmp_path / "coco_search18_fixations_TP_train_split1.json"
    file.write_text(json.dumps([row, row | {"subject": 3, "X": [], "Y": [], "T": []}]))
    viewing = open_dataset("cocosearch", tmp_path)[0]
    assert viewing.target == (10, 20, 40, 60)
    assert len(viewing.scanpaths) == 1
    path = viewing.scanpaths[0]
    assert (path.task, path.observer, path.size, path.details["correct"]) == ("cup", "2", (1680, 1050), 1)
    assert path.duration is not None
    assert path.duration.tolist() == [0.1, 0.25]
    with pytest.raises(ValueError, match="no picture of cup/000001"):
        viewing.image()
    for change, message in (
        ({"Y": [525.0]}, "the record of subject 2 at cup/000001.jpg has 2 X, 1 Y and 2 T, where each needs as many"),
        ({"T": [100, 250, 9]}, "the record of subject 2 at cup/000001.jpg has 2 X, 2 Y and 3 T"),
        ({"X": [], "T": []}, "has 0 X, 2 Y and 0 T"),
        ({"X": 840.0}, "has 1 X, 2 Y and 2 T"),
        ({"T": [100, -5]}, "subject 2 at cup/000001.jpg cannot be used .durations must be 0 seconds or more"),
    ):
        file.write_text(json.dumps([row | change]))
        with pytest.raises(ValueError, match=message) as caught:
            open_dataset("cocosearch", tmp_path)
        assert "\n" not in str(caught.value)
    file.write_text("[{}]")
    with pytest.raises(ValueError, match="another layout"):
        open_dataset("cocosearch", tmp_path)


def test_a_folder_of_your_own(tmp_path: Path) -> None:
    picture(tmp_path / "images" / "a.png")
    with (tmp_path / "fixations.csv").open("w", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(["image", "observer", "x", "y", "duration"])
        writer.writerows([["a.png", "me", 1, 2, 0.2], ["a.png", "me", 3, 4, 0.3], ["a.png", "you", 5, 6, 0.1]])
    viewing = open_dataset("folder", tmp_path)[0]
    assert [path.observer for path in viewing.scanpaths] == ["me", "you"]
    assert viewing.scanpaths[0].points.tolist() == [[1, 2], [3, 4]]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("image,x\na.png,1\n", "no column y, only image, x"),
        ("", "has no rows"),
        ("image,x,y\n", "has no rows"),
        ("image,x,y\na.png,1,left\n", "y is 'left', not a number"),
        ("image,x,y\nb.png,1,2\n", r"b\.png: there is no such picture"),
        ("image,x,y\nbad.png,1,2\n", r"bad\.png is no picture that can be read"),
        ("image,x,y\na.png,.1,.2\na.png,.9,1\n", "all places lie between 0 and 1: give pixels"),
        ("image,x,y,duration\na.png,1,2,180\na.png,1,2,250\n", "look like milliseconds .median 215."),
        ("image,x,y,start\na.png,1,2,0.5\na.png,1,2,0.1\n", "starts go back in time"),
        ("image,x,y,duration\na.png,1,2,.2\na.png,1,2,\n", "duration is missing in row 2 of 2"),
        ("image,x,y\na.png,,\n", "no row has x and y"),
    ],
)
def test_a_table_that_cannot_be_used_is_one_sentence(tmp_path: Path, text: str, message: str) -> None:
    picture(tmp_path / "a.png")
    (tmp_path / "bad.png").write_text("no picture")
    (tmp_path / "fixations.csv").write_text(text)
    with pytest.raises(ValueError, match=message) as caught:
        open_dataset("folder", tmp_path)
    assert "\n" not in str(caught.value)


def test_a_table_survives_bad_rows_and_names_them(tmp_path: Path) -> None:
    picture(tmp_path / "a.png")
    lines = ["Image;X;Y;Subject;pupil", "a.png;1;2;me;3", "a.png;;;me;3", "a.png;3;4;me;3", "a.png;5;six;you;3"]
    (tmp_path / "fixations.csv").write_text("\n".join([*lines, "b.png;1;1;me;3"]))
    dataset = open_dataset("folder", tmp_path)
    assert [path.observer for path in dataset[0].scanpaths] == ["me"]
    assert dataset[0].scanpaths[0].points.tolist() == [[1, 2], [3, 4]]
    assert dataset.problems == (
        "fixations.csv: nobody reads the columns pupil",
        "a.png, observer 'me': 1 of 3 rows has no place and is left out",
        "a.png, observer 'you': y is 'six', not a number",
        "b.png: there is no such picture beside the table or in images/: put it there",
    )
    (tmp_path / "fixations.csv").write_text("image,x,y\na.png,1,2\n")
    assert "no column observer" in open_dataset("folder", tmp_path).problems[0]
    (tmp_path / "fixations.csv").write_bytes("image,x,y\né.png,1,2\n".encode("latin-1"))
    with pytest.raises(ValueError, match=r"is not UTF-8 \(byte 10\): save it as UTF-8"):
        open_dataset("folder", tmp_path)


def test_parquet_says_what_csv_says(tmp_path: Path) -> None:
    pandas = pytest.importorskip("pandas")
    pytest.importorskip("pyarrow")
    picture(tmp_path / "a.png")
    rows = {
        "image": ["a.png"] * 3,
        "x": [1.5, 20, 3],
        "y": [4, 5, 6],
        "observer": [1, 1, 2],
        "duration": [0.2, 0.3, 0.1],
    }
    table = pandas.DataFrame(rows)
    found = []
    for name, save in (("fixations.csv", table.to_csv), ("fixations.parquet", table.to_parquet)):
        save(tmp_path / name, index=False)
        (viewing,) = open_dataset("folder", tmp_path)
        found.append([(p.observer, p.points.tolist(), p.duration.tolist()) for p in viewing.scanpaths])
        (tmp_path / name).unlink()
    assert found[0] == found[1] == [("1", [[1.5, 4], [20, 5]], [0.2, 0.3]), ("2", [[3, 6]], [0.1])]
    (tmp_path / "fixations.parquet").write_bytes(b"PAR1 no more")
    with pytest.raises(ValueError, match="cannot be read as parquet"):
        open_dataset("folder", tmp_path)


EYELINK = """RECORDING_SESSION_LABEL\tIMG\tCURRENT_FIX_X\tCURRENT_FIX_Y\tCURRENT_FIX_DURATION\tCURRENT_FIX_START
s1\ta.png\t10.5\t20.5\t212\t4
s1\ta.png\t.\t.\t90\t230
s1\ta.png\t30\t40\t180\t340
"""
EYELINK_COLUMNS = {
    "image": "IMG", "x": "CURRENT_FIX_X", "y": "CURRENT_FIX_Y", "observer": "RECORDING_SESSION_LABEL",
    "duration": "CURRENT_FIX_DURATION", "start": "CURRENT_FIX_START",
}  # fmt: skip


def test_columns_of_other_names_and_milliseconds(tmp_path: Path) -> None:
    picture(tmp_path / "a.png")
    (tmp_path / "fixations.csv").write_text(EYELINK)
    (viewing,) = open_dataset("folder", tmp_path, columns=EYELINK_COLUMNS, unit="ms")
    (path,) = viewing.scanpaths
    assert (path.observer, path.points.tolist()) == ("s1", [[10.5, 20.5], [30, 40]])
    assert path.duration is not None
    assert path.start is not None
    assert (path.duration.tolist(), path.start.tolist()) == ([0.212, 0.18], [0.004, 0.34])


def test_names_of_eye_trackers_are_not_guessed(tmp_path: Path) -> None:
    picture(tmp_path / "a.png")
    (tmp_path / "fixations.csv").write_text(EYELINK)
    header = "RECORDING_SESSION_LABEL, IMG, CURRENT_FIX_X, CURRENT_FIX_Y, CURRENT_FIX_DURATION, CURRENT_FIX_START"
    for columns, unit, message in (
        (None, None, f"no column image, x, y, only {header}: it needs image, x and y, or say which they are"),
        (EYELINK_COLUMNS | {"x": "FIX_X"}, "ms", f"no column 'FIX_X' for x, only {header}: name one of these"),
        (EYELINK_COLUMNS | {"pupil": "IMG"}, "ms", "columns names 'pupil', which nobody reads: name image, x, y"),
        (EYELINK_COLUMNS, "min", "unit must be one of s, ms, got 'min'"),
        (EYELINK_COLUMNS, None, "durations look like milliseconds .median 196.: give seconds, or the unit ms"),
    ):
        with pytest.raises(ValueError, match=message):
            open_dataset("folder", tmp_path, columns=columns, unit=unit)
    with pytest.raises(ValueError, match=r"for tables of your own .folder., and osie is read as published"):
        open_dataset("osie", tmp_path, unit="ms")


def test_a_mapped_column_hides_one_that_has_the_name(tmp_path: Path) -> None:
    picture(tmp_path / "a.png")
    (tmp_path / "fixations.csv").write_text("image,x,y,px,py\na.png,1,2,30,40\na.png,1,2,50,60\n")
    dataset = open_dataset("folder", tmp_path, columns={"x": "px", "y": "py"})
    assert dataset[0].scanpaths[0].points.tolist() == [[30, 40], [50, 60]]
    assert "fixations.csv: nobody reads the columns x, y" in dataset.problems


@pytest.mark.parametrize(
    ("rows", "unit", "message"),
    [
        ("a.png,1,2,.2,0\na.png,1,2,.3,1", "ms", "durations look like seconds .median 0.25.: the unit ms does not fit"),
        ("a.png,1,2,,0\na.png,1,2,,250", "s", "gaps between starts look like milliseconds .median 250."),
    ],
)
def test_times_in_the_other_unit_are_refused(tmp_path: Path, rows: str, unit: str, message: str) -> None:
    picture(tmp_path / "a.png")
    (tmp_path / "fixations.csv").write_text(f"image,x,y,duration,start\n{rows}\n")
    with pytest.raises(ValueError, match=message):
        open_dataset("folder", tmp_path, unit=unit)


def test_pictures_that_lie_on_their_side(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.new("RGB", (40, 30)).save(tmp_path / "a.jpg", exif=exif)
    (tmp_path / "fixations.csv").write_text("image,x,y,observer\na.jpg,20,38,me\n")
    (viewing,) = open_dataset("folder", tmp_path)
    assert viewing.size == viewing.image().size == (30, 40)


def test_a_packed_file_that_is_cut(tmp_path: Path) -> None:
    (tmp_path / "a.npz").write_bytes(b"PK\x03\x04 and nothing more")
    with pytest.raises(ValueError, match=r"a\.npz is damaged"):
        load_npz(tmp_path / "a.npz", ["x"])


def test_pysaliency_comes_in() -> None:
    class Trains:
        train_xs = np.array([[1.0, 2.0, np.nan], [3.0, 4.0, 5.0]])
        train_ys = np.array([[1.5, 2.5, np.nan], [3.5, 4.5, 5.5]])
        train_ts = np.array([[0.0, 0.3, np.nan], [0.0, 0.2, 0.4]])
        train_ns = np.array([1, 0])
        train_subjects = np.array([7, 8])

    class Stimuli:
        sizes = ((30, 40), (50, 60))

    dataset = from_pysaliency(Stimuli(), Trains())
    assert [viewing.size for viewing in dataset] == [(40, 30), (60, 50)]
    assert dataset[1].scanpaths[0].points.tolist() == [[1.0, 1.5], [2.0, 2.5]]
    assert dataset[0].scanpaths[0].observer == "8"
    with pytest.raises(TypeError, match="FixationTrains or Scanpaths"):
        from_pysaliency(Stimuli(), object())


def test_unknown_names_and_missing_files(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="data sets are mit1003"):
        open_dataset("salicon", tmp_path)
    for name in DATASETS:
        with pytest.raises(FileNotFoundError, match=r"missing|holds no"):
            open_dataset(name, tmp_path)
    with pytest.raises(ValueError, match="no picture"):
        Viewing("x", (1, 1), ()).image()


@pytest.mark.parametrize(
    ("name", "folder", "pictures", "fixations"),
    [("osie", "osie", 350, 49116), ("amazon", "amazon_covers", 70, 6306), ("ivsn", "ivsn", 427, None)],
)
def test_the_real_ones(name: str, folder: str, pictures: int, fixations: int | None) -> None:
    if not (DATA / folder).is_dir():
        skip_unless_ci(f"{folder} is not here")
    dataset = open_dataset(name, DATA / folder)
    assert len(dataset) == pictures
    count = sum(len(path) for viewing in dataset for path in viewing.scanpaths)
    assert fixations is None or count == fixations
    if name == "osie":
        assert all(path.inside.all() for viewing in dataset for path in viewing.scanpaths)
        assert dataset[0].image().size == (512, 384)
    if name == "ivsn":
        found = [
            p.details["found"]
            for v in dataset
            for p in v.scanpaths
            if v.name.startswith("ObjArr") and p.observer.isdigit()
        ]
        assert np.mean(found) == pytest.approx(0.932, abs=0.01)

"""Two tables of scanpaths beside each other, from lists and from files of every layout."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from foveate.cli import main
from foveate.scanpath import Scanpath, compare_files, compare_scanpaths, save_scanpath
from foveate.scanpath.datasets.files import read_scanpaths
from foveate.scanpath.measures import HEADLINE, TIMED, scanmatch, score_table

SIZE = (200, 120)
PEOPLE = "image,observer,x,y,duration,width,height"


def path(source: str, observer: str = "", rng: int = 0, count: int = 5, **facts) -> Scanpath:
    places = np.random.default_rng(rng).uniform(1, (SIZE[0] - 1, SIZE[1] - 1), (count, 2))
    return Scanpath(*places.T, SIZE, np.full(count, 0.2), source=source, observer=observer, **facts)


def test_every_path_with_every_other_on_its_picture() -> None:
    first = [path("a.png", "p", 1), path("a.png", "q", 2), path("b.png", "p", 3), path("only.png", "p", 4)]
    second = [path("set/a.jpg", "m", 5), path("set/b.jpg", "m", 6), path("set/b.jpg", "n", 7), path("new.png", "m", 8)]
    found = compare_scanpaths(first, second)
    assert found.pairs == (("a.png", "p", "m"), ("a.png", "q", "m"), ("b.png", "p", "m"), ("b.png", "p", "n"))
    assert (found.scores.images, found.scores.pairs) == (2, 4)
    assert (found.only_first, found.only_second, found.unpaired) == (("only.png",), ("new.png",), ())
    wanted = [scanmatch(a, b) for a, b in ((first[0], second[0]), (first[1], second[0]))]
    np.testing.assert_allclose(found.values["scanmatch"][:2], wanted)
    assert set(found.values) == set(HEADLINE)
    data = found.to_dict()
    assert data["by_image"]["a.png"]["scanmatch"] == pytest.approx(np.mean(wanted))
    means = [data["by_image"][name]["scanmatch"] for name in ("a.png", "b.png")]
    assert data["measures"]["scanmatch"] == pytest.approx(
        {"mean": np.mean(means), "se": abs(means[0] - means[1]) / 2}  # the standard error of two numbers
    )
    rows = found.to_csv().splitlines()
    assert rows[0] == ",".join(["image", "first", "second", *HEADLINE])
    assert rows[3].startswith("b.png,p,m,")


def test_names_that_fall_together_are_compared_as_they_stand() -> None:
    first = [path("cup/1.jpg", rng=1), path("fork/1.jpg", rng=2)]
    found = compare_scanpaths(first, [path("fork/1.jpg", rng=2)], measures=["sed"])
    assert (found.pairs, found.only_first) == ((("fork/1.jpg", "", ""),), ("cup/1.jpg",))
    assert found.values["sed"].tolist() == [0]


def test_tasks_are_not_mixed() -> None:
    first = [path("a", "p", 1, task="cup"), path("a", "q", 2, task="fork"), path("b", "p", 3, task="cup")]
    second = [path("a", "m", 4, task="cup"), path("b", "m", 5, task="fork")]
    found = compare_scanpaths(first, second)
    assert (found.pairs, found.unpaired) == ((("a", "p", "m"),), ("b",))
    free = [replace(some, task="") for some in second]
    assert len(compare_scanpaths(first, free).pairs) == 3


def test_measures_can_be_chosen() -> None:
    first, second = [path("a", rng=1)], [path("a", rng=2)]
    chosen = compare_scanpaths(first, second, measures=["dtw", "multimatch", "sed"]).values
    parts = [name for name in HEADLINE if name.startswith("multimatch")]
    assert list(chosen) == ["dtw", *parts, "sed"]
    timeless = [replace(second[0], duration=None)]
    assert set(compare_scanpaths(first, timeless, measures=["multimatch"]).values) == set(parts) - TIMED
    assert set(compare_scanpaths(first, timeless).values) == set(HEADLINE) - TIMED
    with pytest.raises(ValueError, match="there is no measure 'nss'"):
        compare_scanpaths(first, second, measures=["nss"])
    with pytest.raises(ValueError, match="needs durations"):
        compare_scanpaths(first, timeless, measures=["scanmatch_duration"])
    assert score_table(first, second, measures=["dtw"]).scores["dtw"].mean == chosen["dtw"][0]


def test_what_cannot_be_compared_is_one_sentence() -> None:
    with pytest.raises(ValueError, match=r"have no picture in common \(a in one, b in the other\)"):
        compare_scanpaths([path("a.png")], [path("b.png")])
    with pytest.raises(ValueError, match="picture a has 200x120 pixels in the first table and 400x240 in the second"):
        compare_scanpaths([path("a")], [path("a").scaled((400, 240))])
    with pytest.raises(ValueError, match="tasks differ or all fixations lie outside"):
        compare_scanpaths([path("a", task="cup")], [path("a", task="fork")])
    away = Scanpath(np.array([5.0, 500]), np.array([5.0, 5]), SIZE, source="a")
    assert compare_scanpaths([away], [path("a")]).outside == 1


def test_files_of_every_layout_say_the_same(tmp_path: Path) -> None:
    picture = Image.new("RGB", SIZE)
    paths = [replace(path(f"shots/{name}.png", "model", rng), trained=True) for rng, name in enumerate("ab")]
    (tmp_path / "out").mkdir()
    for some, name in zip(paths, "ab", strict=True):
        save_scanpath(some, picture, tmp_path / "out" / name)
    (tmp_path / "all.jsonl").write_text("".join(json.dumps(some.to_dict()) + "\n" for some in paths))
    (tmp_path / "all.json").write_text(json.dumps([some.to_dict() for some in paths], indent=1))
    lines = [f"{Path(some.source).name},model,{f.x:.2f},{f.y:.2f},{f.duration},200,120" for some in paths for f in some]
    (tmp_path / "all.csv").write_text("\n".join([PEOPLE, *lines]))
    for name in ("out", "all.jsonl", "all.json", "all.csv"):
        read = read_scanpaths(tmp_path / name)
        assert [Path(some.source).name for some in read.scanpaths] == ["a.png", "b.png"], name
        np.testing.assert_allclose(read.scanpaths[1].points, paths[1].points, atol=0.006)
        assert (read.scanpaths[1].size, read.scanpaths[1].observer, read.problems) == (SIZE, "model", ())
        assert compare_files(tmp_path / name, tmp_path / "all.json", measures=["sed"]).scores.scores["sed"].mean == 0
    (one,) = read_scanpaths(tmp_path / "out" / "a.scanpath.csv").scanpaths
    assert (one.source, one.size, len(one)) == ("a", SIZE, 5)
    (tmp_path / "out" / "a.scanpath.json").unlink()
    assert compare_files(tmp_path / "out" / "a.scanpath.csv", tmp_path / "all.csv").scores.images == 1


def test_sizes_come_from_pictures_or_from_the_other_table(tmp_path: Path) -> None:
    (tmp_path / "mine.csv").write_text("image,x,y\na.png,10,20\na.png,30,40\na.png,50,50\nz.png,1,1\n")
    (tmp_path / "other.json").write_text(path("a.png").to_json())
    for words in (("mine.csv", "other.json"), ("other.json", "mine.csv")):
        found = compare_files(*(tmp_path / word for word in words))
        assert (found.scores.images, found.only_first + found.only_second) == (1, ("z.png",))
    with pytest.raises(ValueError, match=r"does not say how large a\.png is: add columns width and height, or put"):
        compare_files(tmp_path / "mine.csv", tmp_path / "mine.csv")
    for name in ("a.png", "z.png"):
        Image.new("RGB", SIZE).save(tmp_path / name)
    assert compare_files(tmp_path / "mine.csv", tmp_path / "mine.csv").scores.images == 2


@pytest.fixture
def score(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    """Run ``foveate score`` beside two tables."""
    monkeypatch.chdir(tmp_path)
    rows = ["a.png,p,10,20,.2,200,120", "a.png,q,50,60,.2,200,120", "b.png,p,5,5,.1,200,120"]
    Path("people.csv").write_text("\n".join([PEOPLE, *rows]))
    Path("eye.csv").write_text("IMG,GX,GY,DUR\na.jpg,12,22,210\na.jpg,.,.,180\nc.jpg,1,1,100\n")
    Path("large.csv").write_text(f"{PEOPLE}\na.png,p,10,20,.2,400,240\n")
    Path("far.csv").write_text(f"{PEOPLE}\nx.png,p,10,20,.2,400,240\n")
    Path("bad.json").write_text('{"a": 1}')
    Path("BAD.JSON").write_text('{"a": 1}')
    Path("two.csv").write_text(f"{PEOPLE}\na.png,p,10,20,.2,200,120\na.png,q,10,20,.2,400,240\n")
    Path("wide.csv").write_text(f"{PEOPLE}\na.png,p,10,20,.2,wide,120\n")
    Path("inf.csv").write_text(f"{PEOPLE}\na.png,p,10,20,.2,inf,120\n")

    def run(*words: str) -> tuple[int, str, str]:
        code = main(["score", *words])
        shown = capsys.readouterr()
        return code, shown.out, shown.err

    return run


def test_the_verb_compares_a_table_of_other_words(score) -> None:
    words = ("--unit", "ms", "--columns", "image=IMG,x=GX,y=GY,duration=DUR", "--measures", "scanmatch,sed")
    code, out, err = score("eye.csv", "people.csv", *words, "--json", "r.json", "--csv", "r.csv")
    assert code == 0
    lines = out.splitlines()
    assert lines[:3] == [
        "1 picture in both, 2 pairs of scanpaths",
        "only in eye.csv: c.jpg",
        "only in people.csv: b.png",
    ]
    assert lines[3].split()[0::2] == ["scanmatch", "+-", "1"]
    assert "the lower the better" in lines[4]
    assert "a.jpg, observer '': rows without a place that are left out: 1" in err
    data = json.loads(Path("r.json").read_text())
    assert (data["images"], data["pairs"], set(data["measures"])) == (1, 2, {"scanmatch", "sed"})
    assert data["measures"]["sed"]["se"] is None
    assert len(Path("r.csv").read_text().splitlines()) == 3


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        ("people.csv far.csv", 1, "people.csv and far.csv have no picture in common (a, b in one, x in the other)"),
        ("people.csv large.csv", 1, "a has 200x120 pixels in people.csv and 400x240 in large.csv"),
        ("people.csv eye.csv", 1, "eye.csv has no column image, x, y, only IMG, GX, GY, DUR: it needs image, x and y"),
        ("people.csv none.csv", 1, "none.csv: no such file"),
        ("people.csv bad.json", 1, "bad.json cannot be read (this is no scanpath"),
        ("people.csv BAD.JSON", 1, "BAD.JSON cannot be read (this is no scanpath"),
        ("people.csv two.csv", 1, "two.csv: rows of a.png say 200x120 and 400x240 pixels: give each picture one size"),
        ("people.csv wide.csv", 1, "wide.csv: the size of a.png cannot be read (width is 'wide', not a number)"),
        ("people.csv inf.csv", 1, "inf.csv: the size of a.png cannot be read"),
        ("people.csv people.csv --json r --csv r", 2, "--csv r would write over a table or the other result"),
        ("bad.json people.csv --unit ms", 1, "bad.json is JSON, which has no columns and is in seconds"),
        ("people.csv people.csv --measures nss", 2, "there is no measure 'nss': use multimatch, scanmatch"),
        ("people.csv people.csv --measures ,", 2, "--measures names no measure"),
        ("people.csv people.csv --csv no/r.csv", 2, "--csv no/r.csv must name a file in a folder that exists"),
        ("people.csv people.csv --unit min", 2, "argument --unit: invalid choice: 'min'"),
        ("people.csv people.csv --columns x", 2, "it must be NAME=COLUMN, separated by commas, got 'x'"),
        ("people.csv people.csv --columns x=a,x=b", 2, "it names x twice"),
        ("people.csv people.csv --unit s --unit s --unit s", 2, "--unit is for two tables and was given 3 times"),
        ("eye.csv people.csv --columns x=CURRENT_FIX_X", 1, "no column 'CURRENT_FIX_X' for x, only IMG, GX, GY, DUR"),
        ("eye.csv people.csv --columns pupil=DUR", 1, "columns names 'pupil', which nobody reads: name image, x, y"),
    ],
)
def test_what_the_verb_cannot_do_is_one_sentence(score, words: str, code: int, message: str) -> None:
    ended, out, err = score(*words.split())
    assert (ended, out) == (code, "")
    assert message in err
    assert len(err.splitlines()) == 1


@pytest.mark.parametrize("option", ["--json", "--csv"])
def test_a_result_never_writes_over_a_table(score, option: str) -> None:
    before = Path("people.csv").read_text()
    code, out, err = score("people.csv", "people.csv", option, "./people.csv")
    assert (code, out) == (2, "")
    assert f"{option} ./people.csv would write over a table" in err
    assert Path("people.csv").read_text() == before

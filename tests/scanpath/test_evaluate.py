"""The ladder on pictures made here, and on OSIE where it is."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from foveate.cli import main
from foveate.scanpath.baselines import Centre, Saliency
from foveate.scanpath.datasets import Viewing, open_dataset
from foveate.scanpath.evaluate import evaluate, format_report, write_report
from foveate.scanpath.fixations import Scanpath
from foveate.scanpath.gaze_maps import resize_map
from foveate.scanpath.ladder import RUNGS, keep_inside, other_pictures
from foveate.scanpath.map_scores import map_scores
from foveate.scanpath.measures import HEADLINE, TIMED, auc_uniform, information_gain, log_density, nss
from tests.conftest import reference_folder, skip_unless_ci

OSIE = reference_folder().parent / "data" / "osie"


class Watcher:
    """Looks as the people did who made the pictures below: at the white square; knows no time."""

    name, trained = "watcher", True

    def __call__(self, image: Image.Image, *, count: int = 10, task: str = "", seed: int = 0) -> Scanpath:
        rows, columns = np.nonzero(np.asarray(image.convert("L")) > 200)
        return Scanpath(np.full(count, columns.mean()), np.full(count, rows.mean()), image.size, observer=self.name)


@pytest.fixture
def viewings(tmp_path: Path) -> list[Viewing]:
    """Six pictures, stored at half size, with three people each who look at their white square."""
    random = np.random.default_rng(0)
    made = []
    for number in range(6):
        corner = random.integers(10, (170, 120))
        image = Image.new("RGB", (200, 150), "gray")
        image.paste("white", (*corner.tolist(), *(corner + 20).tolist()))
        file = tmp_path / f"{number}.png"
        image.save(file)
        paths = []
        for person in range(3):
            places = 2 * (corner + 10) + random.normal(0, 8, (5, 2))
            paths.append(Scanpath(*places.T, (400, 300), np.full(5, 0.2), source="?", observer=str(person)))
        made.append(Viewing(str(number), (400, 300), tuple(paths), file))
    return made


def test_the_ladder_has_every_rung_and_a_perfect_model_is_at_its_top(viewings: list[Viewing], tmp_path: Path) -> None:
    report = evaluate(Watcher(), viewings, dataset="squares")
    assert tuple(report.ladder) == RUNGS
    assert (report.images, report.scanpaths, report.count, report.failures) == (6, 18, 5, ())
    score = {name: table.scores["scanmatch"].mean for name, table in report.ladder.items()}
    assert score["model"] > 0.8
    assert score["model"] > max(score[name] for name in RUNGS[:3]) + 0.3  # these do not look at the picture
    assert score["model"] > max(score[name] for name in RUNGS[3:5]) + 0.1
    assert score["other humans"] > score["human, other image"] + 0.3

    write_report(report, tmp_path / "result.json")
    data = json.loads((tmp_path / "result.json").read_text())
    assert data["images"] == 6
    assert set(data["ladder"]) == set(RUNGS)
    assert set(data["ladder"]["uniform"]) == {*HEADLINE, "auc", "information_gain"}
    assert set(data["ladder"]["saliency x centre"]) == {*HEADLINE, "nss", "auc"}
    assert set(data["ladder"]["other humans"]) == set(HEADLINE)
    assert set(data["model"]) == set(HEADLINE) - TIMED
    assert data["model"]["scanmatch"] == pytest.approx(
        {"mean": score["model"], "se": report.ladder["model"].scores["scanmatch"].se}
    )
    assert "STDE" in data["note"]
    text = format_report(report)
    assert "model: watcher" in text
    assert text.splitlines()[-1].startswith("* STDE and MultiMatch shape do not order models")


class Mapper(Watcher):
    """Has a map too: the white square, and a little of everything."""

    def density(self, image: Image.Image) -> np.ndarray:
        values = (np.asarray(image.convert("L")) > 200) + 0.001
        return values / values.sum()


def test_a_model_with_a_map_is_measured_by_it(viewings: list[Viewing], tmp_path: Path) -> None:
    report = evaluate(Mapper(), viewings)
    write_report(report, tmp_path / "result.json")
    data = json.loads((tmp_path / "result.json").read_text())
    assert data["model"] == data["ladder"]["model"]
    assert set(data["model"]) == {*HEADLINE, "nss", "auc", "information_gain"} - TIMED
    assert data["model"]["nss"]["mean"] > 3
    assert data["model"]["auc"]["mean"] > 0.9
    assert data["model"]["information_gain"]["mean"] > 2
    assert data["ladder"]["centre Gaussian"]["information_gain"]["mean"] == pytest.approx(0, abs=1e-9)
    assert data["ladder"]["uniform"]["auc"]["mean"] == 0.5
    lines = format_report(report).splitlines()
    first = next(i for i, line in enumerate(lines) if line.split() == ["NSS", "AUC", "IG"])
    assert [line.rsplit(None, 6)[0] for line in lines[first + 1 : first + 6]][-1] == "model: watcher"


def test_numbers_of_maps_are_those_of_the_measures(viewings: list[Viewing]) -> None:
    paths, image = list(viewings[0].scanpaths), viewings[0].image()
    found = map_scores(Mapper(), image, (400, 300), paths)
    values = resize_map(Mapper().density(image), (400, 300))
    prior = log_density(resize_map(Centre().density(image), (400, 300)))
    assert found["model"] == pytest.approx(
        {
            "nss": nss(values, paths),
            "auc": auc_uniform(values, paths),
            "information_gain": information_gain(log_density(values), paths, baseline=prior),
        }
    )
    assert "model" not in map_scores(Watcher(), image, (400, 300), paths)
    # Pictures of many pixels are made smaller, and the numbers stay.
    large = map_scores(Mapper(), image, (4000, 3000), [path.scaled((4000, 3000)) for path in paths])
    assert large["model"]["information_gain"] == pytest.approx(found["model"]["information_gain"], abs=0.3)


def test_numbers_depend_on_the_seed_only(viewings: list[Viewing]) -> None:
    one, same, other = (evaluate(Saliency(), viewings[:3], seed=seed).to_dict()["ladder"] for seed in (1, 1, 2))
    assert one == same
    assert one["uniform"] != other["uniform"]
    assert one["model"] == one["spectral residual"]


def test_a_bad_picture_is_named_and_the_others_count(viewings: list[Viewing]) -> None:
    assert viewings[2].path is not None
    viewings[2].path.write_text("no picture")
    viewings[4] = Viewing("4", (400, 300), viewings[4].scanpaths)
    report = evaluate(Watcher(), viewings)
    assert report.images == 4
    assert [failure.split(":")[0] for failure in report.failures] == ["2", "4"]
    with pytest.raises(ValueError, match=r"none of 1 picture can be used, .*4: there is no picture"):
        evaluate(Watcher(), viewings[4:5])
    with pytest.raises(ValueError, match="there is no scanpath to compare with"):
        evaluate(Watcher(), [])


def test_one_picture_and_one_person_leave_rungs_out(viewings: list[Viewing]) -> None:
    alone = Viewing("0", (400, 300), viewings[0].scanpaths[:1], viewings[0].path)
    report = evaluate(Watcher(), [alone])
    assert set(RUNGS) - set(report.ladder) == {"human, other image", "other humans"}
    assert report.to_dict()["model"]["scanmatch"]["se"] is None
    assert "?" in format_report(report)


def test_fixations_outside_are_left_out() -> None:
    path = Scanpath(np.array([5.0, 50, 5]), np.array([5.0, 5, -1]), (20, 20), np.array([0.1, 0.2, 0.3]))
    away = Scanpath(np.array([50.0]), np.array([5.0]), (20, 20))
    (kept,) = keep_inside([path, away], "name")
    assert (kept.x.tolist(), kept.duration.tolist(), kept.source) == ([5], [0.1], "name")  # type: ignore[union-attr]


def test_other_pictures_are_never_the_own_one() -> None:
    humans = [[Scanpath(np.full(2, i), np.full(2, i), (100, 100), source=str(i))] for i in range(4)]
    for i, paths in enumerate(other_pictures(humans, draws=20, seed=0)):
        assert {path.source for path in paths} == {str(i)}
        assert {int(path.x[0]) for path in paths} == {0, 1, 2, 3} - {i}


def test_the_words_of_the_task_reach_the_model(viewings: list[Viewing]) -> None:
    heard = []

    class Listener(Watcher):
        def __call__(self, image: Image.Image, *, count: int = 10, task: str = "", seed: int = 0) -> Scanpath:
            heard.append(task)
            return super().__call__(image, count=count)

    paths = [Scanpath(path.x, path.y, path.size, task="cup") for path in viewings[0].scanpaths]
    seen = [Viewing("0", (400, 300), tuple(paths), viewings[0].path)]
    evaluate(Listener(), seen)
    evaluate(Listener(), seen, with_task=True)
    assert heard == ["", "cup"]


def test_osie_gives_the_reference_ladder() -> None:
    if not OSIE.is_dir():
        skip_unless_ci("OSIE is not here")
    wanted = json.loads((OSIE / "ladder.json").read_text())
    column = {"scanmatch": "scanmatch", "sbtde": "sbtde", "sed": "sed", "sequence_score": "seqscore"}
    rows = {
        "uniform": "random uniform",
        "centre Gaussian": "centre gaussian",
        "human, other image": "human, other image",
        "saliency x centre": "spectral*centre WTA+IOR",
    }
    ladder = evaluate(Saliency(centred=True), open_dataset("osie", OSIE).viewings[:40]).ladder
    for name, row in rows.items():
        for measure, key in column.items():
            score = ladder[name].scores[measure]
            reference = wanted["mean"][row][wanted["columns"].index(key)]
            # Other pictures and other random numbers: four standard errors of the smaller sample.
            assert abs(score.mean - reference) < 4 * score.se, (name, measure, score)
    order = [ladder[name].scores["scanmatch"].mean for name in ("uniform", "centre Gaussian", "saliency x centre")]
    assert order == sorted(order)
    assert ladder["other humans"].scores["scanmatch"].mean > order[-1] + 0.05


def folder_of(viewings: list[Viewing], folder: Path) -> Path:
    """Write the plain layout: pictures and a table."""
    rows = ["image,observer,x,y,duration"]
    for viewing in viewings:
        with Image.open(str(viewing.path)) as image:
            image.resize(viewing.size).save(folder / f"{viewing.name}.png")
        for path in viewing.scanpaths:
            rows += [f"{viewing.name}.png,{path.observer},{f.x:.2f},{f.y:.2f},{f.duration}" for f in path]
    (folder / "fixations.csv").write_text("\n".join(rows) + "\n")
    return folder


def test_the_verb_prints_the_ladder(
    viewings: list[Viewing], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "set"
    folder.mkdir()
    words = ["eval", "folder", "--data", str(folder_of(viewings, folder)), "--model", "saliency-centre"]
    result = tmp_path / "result.json"
    assert main([*words, "--limit", "4", "--json", str(result)]) == 0
    shown = capsys.readouterr().out
    assert "folder: 4 pictures, 12 human scanpaths" in shown
    assert all(name in shown for name in RUNGS if name != "model")
    written = json.loads(result.read_text())
    assert written["images"] == 4
    assert written["settings"]["limit"] == 4
    assert written["settings"]["trained_on_this"] is False
    table = (folder / "fixations.csv").read_text()
    (folder / "fixations.csv").write_text(
        table.replace("image,observer,x,y", "IMG,SUBJ,GX,GY").replace(",0.2\n", ",200\n")
    )
    assert main([*words, "--limit", "4"]) == 1
    assert "no column image, x, y, only IMG, SUBJ, GX, GY, duration" in capsys.readouterr().err
    mapping = ["--columns", "image=IMG,observer=SUBJ,x=GX,y=GY", "--unit", "ms", "--json", str(result)]
    assert main([*words, "--limit", "4", *mapping]) == 0
    assert json.loads(result.read_text())["ladder"] == written["ladder"]


def test_the_verb_names_what_is_left_out(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Image.new("RGB", (200, 150), "gray").save(tmp_path / "a.png")
    rows = ["image,observer,x,y", "a.png,me,10,20", "a.png,me,400,20", "a.png,you,30,40", "b.png,me,1,2"]
    (tmp_path / "fixations.csv").write_text("\n".join(rows))
    assert main(["eval", "folder", "--data", str(tmp_path), "--model", "centre"]) == 0
    shown = capsys.readouterr()
    assert "left out, outside their pictures: 1 fixation\n" in shown.out
    assert "folder: 1 picture, 2 human scanpaths, 1 fixation each" in shown.out
    assert "b.png: there is no such picture" in shown.err


def test_the_verb_says_when_a_model_has_seen_the_pictures(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from foveate.scanpath import predicting

    Image.new("RGB", (200, 150), "gray").save(tmp_path / "a.png")
    (tmp_path / "fixations.csv").write_text("image,observer,x,y\na.png,me,10,20\na.png,you,30,40")
    monkeypatch.setattr(predicting.load_model("centre", "cpu"), "trained_on", ("folder",), raising=False)
    assert main(["eval", "folder", "--data", str(tmp_path), "--model", "centre", "--device", "cpu"]) == 0
    assert "centre was trained on folder and its score is too good" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (["osie", "--data", "nowhere"], 2, "--data nowhere is no folder: give the folder that holds osie"),
        (["osie", "--data", ".", "--json", "no/where.json"], 2, "--json no/where.json must name a file in a folder"),
        (["osie", "--data", ".", "--model", "nobody"], 2, "scanpath models are priority"),
        (["osie", "--data", ".", "--model", "centre"], 1, "is missing fixations.mat"),
        (["mit1003", "--data", ".", "--model", "centre"], 1, "is missing ALLSTIMULI"),
    ],
)
def test_what_cannot_be_is_one_sentence(
    words: list[str],
    code: int,
    message: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["eval", *words]) == code
    assert message in capsys.readouterr().err

"""OAT as a scanpath model, what it learns from, and what it is measured by."""

import importlib.util
from dataclasses import astuple
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import torch
from PIL import Image, ImageDraw
from safetensors.torch import save_file

from foveate.scanpath.datasets import open_dataset
from foveate.scanpath.measures import behaviour
from foveate.scanpath.oat import OAT, Layout, ObjectSearch, load_oat
from foveate.scanpath.oat.appearance import object_crops
from foveate.scanpath.oat.elements import find_elements
from foveate.scanpath.oat.positions import position_table
from foveate.scanpath.oat.scores import human_scores, score_searches
from foveate.scanpath.oat.searching import find_target
from foveate.scanpath.oat.training import SearchTrial, mirrored, similarity, trials_of
from foveate.scanpath.oat.walks import WALKS, StepStatistics, told_walk
from foveate.scanpath.oat.weights import read_oat, save_oat
from foveate.scanpath.predicting import predict
from foveate.vision import load_image
from tests.conftest import reference_folder, skip_unless_ci

AMAZON = reference_folder().parent / "data" / "amazon_covers"
GRID = Layout.grid(6, 14, (2560, 1600))


def tiny(rows: int = 3, columns: int = 4, appearance: int = 0) -> OAT:
    torch.manual_seed(1)
    return OAT(
        rows, columns, position_table(5, 11), channels=32 + appearance, depth=1, appearance=appearance, feedforward=16
    ).eval()


@pytest.fixture(scope="module")
def script() -> ModuleType:
    path = Path(__file__).parents[2] / "scripts" / "train_oat.py"
    spec = importlib.util.spec_from_file_location("train_oat", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def people() -> list[SearchTrial]:
    """Searches of all people at the collages that are here."""
    if not (AMAZON / "gaze.npz").exists():
        skip_unless_ci("the gaze on Amazon covers is not here: set FOVEATE_REFERENCE to the folder beside data")
    return trials_of(open_dataset("amazon", AMAZON), 6, 14)


@pytest.mark.parametrize("size", [(320, 240), (40, 400), (5, 3)])
@pytest.mark.parametrize("sample", [True, False])
def test_pictures_of_any_shape(size: tuple[int, int], sample: bool) -> None:
    path = predict(Image.new("RGB", size), model=ObjectSearch(tiny(), sample=sample), count=4, task="object 7", seed=3)
    assert 1 <= len(path) <= 4
    assert (path.size, path.observer, path.task, path.trained) == (size, "oat", "object 7", False)
    assert path.inside.all()
    boxes = np.array(path.details["boxes"])[path.details["objects"]]
    np.testing.assert_allclose(path.points, (boxes[:, :2] + boxes[:, 2:]) / 2, atol=0.06)
    assert path.to_json()


def test_only_draws_read_the_seed() -> None:
    image = Image.new("RGB", (90, 60))

    def look(seed: int, sample: bool) -> list[int]:
        return ObjectSearch(tiny(), sample=sample)(image, count=8, task="3", seed=seed).details["objects"]

    assert look(0, False) == look(1, False)
    assert look(5, True) == look(5, True)
    assert any(look(5, True) != look(seed, True) for seed in (6, 7, 8))


def test_objects_come_from_a_grid_or_a_detector() -> None:
    image = Image.new("RGB", (100, 80))
    boxes = [[60, 2, 100, 22], [0, 0, 40, 20], [3, 50, 40, 70]]
    found = ObjectSearch(tiny(), objects=lambda picture: boxes)
    path = found(image, count=6, task="10,60")
    assert path.details["target"] == 2
    assert path.details["boxes"] == boxes
    middles = {(80.0, 12.0), (20.0, 10.0), (21.5, 60.0)}
    assert {tuple(point) for point in path.points.tolist()} <= middles
    assert len(ObjectSearch(tiny(), objects=(2, 5)).layout(image)) == 10
    assert len(ObjectSearch(tiny()).layout(image)) == 12
    with pytest.raises(ValueError, match="there are no boxes"):
        ObjectSearch(tiny(), objects=lambda picture: [])(image, task="0")
    # More rows than the model learned are scaled down to them.
    many = [[0, 10 * i, 5, 10 * i + 4] for i in range(8)]
    scaled = ObjectSearch(tiny(), objects=lambda picture: many).layout(image)
    assert scaled.places[:, 0].tolist() == [0, 0, 0, 0, 1, 1, 1, 2]


def test_elements_of_a_screen(shot: Path) -> None:
    picture = load_image(shot)
    boxes = find_elements(picture)
    np.testing.assert_allclose(boxes, [[20, 20, 91, 51], [110, 70, 181, 101]], atol=1)
    path = ObjectSearch(tiny(), objects=find_elements)(picture, task="150,90")
    assert path.details["target"] == 1
    # Words are one thing, nearer than what is not part of them, and a frame around everything is none.
    page = Image.new("RGB", (640, 400), "white")
    pen = ImageDraw.Draw(page)
    pen.rectangle((5, 5, 630, 390), outline="black")
    pen.text((40, 50), "Send the letter", fill="black")
    pen.text((40, 200), "Cancel", fill="black")
    found = find_elements(page)
    assert len(found) == 2
    assert (np.abs(found[:, :2] - [[40, 50], [40, 200]]) < 6).all()
    assert len(find_elements(page, most=1)) == 1
    with pytest.raises(ValueError, match="there are no boxes"):
        ObjectSearch(tiny(), objects=find_elements)(Image.new("RGB", (50, 50)), task="0")


@pytest.mark.parametrize(
    ("task", "target"),
    [("5", 5), ("object 11", 11), ("#0", 0), (" Object #3 ", 3), ("95, 5", 3), ("0,0,10.5,79", 4), ("the lamp", 7)],
)
def test_targets_are_objects_places_or_words(task: str, target: int) -> None:
    asked: list[str] = []

    def find(image: Image.Image, words: str) -> tuple[float, float]:
        asked.append(words)
        return 90.0, 40.0

    layout = Layout.grid(3, 4, (100, 80))
    assert find_target(Image.new("RGB", (100, 80)), layout, task, find) == target
    assert asked == (["the lamp"] if target == 7 else [])


@pytest.mark.parametrize(
    ("task", "message"),
    [
        ("", "oat searches and has to be told for what"),
        ("a red cup", "reads no words by itself, got 'a red cup': give as task object N"),
        ("12", "objects 0 to 11, got '12'"),
        ("100,5", "off the picture of 100x80 pixels"),
        ("-3,5", "off the picture"),
        ("1,2,3", "reads no words"),
    ],
)
def test_tasks_that_name_nothing_are_one_sentence(task: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        predict(Image.new("RGB", (100, 80)), model=ObjectSearch(tiny()), task=task)
    with pytest.raises(ValueError, match="count must be at least 1"):
        ObjectSearch(tiny())(Image.new("RGB", (100, 80)), count=0, task="1")


def test_batches_hold_what_each_picture_has_alone() -> None:
    model, images = ObjectSearch(tiny()), [Image.new("RGB", (40, 30)), Image.new("RGB", (20, 90))]
    together = model.batch(images, count=5, tasks=["1", "2"], seed=4)
    for path, image, task in zip(together, images, ("1", "2"), strict=True):
        np.testing.assert_array_equal(path.points, model(image, count=5, task=task, seed=4).points)
    with pytest.raises(ValueError, match="one task, got 1 for 2"):
        model.batch(images, tasks=["1"])


def test_a_model_with_appearance_sees_the_objects(tmp_path: Path) -> None:
    image = Image.new("RGB", (40, 30), "black")
    image.paste("white", (20, 0, 40, 10))
    layout = Layout(np.array([[15, 0, 25, 10], [0, 0, 0, 0], [50, 40, 60, 50.0]]), np.zeros((3, 2)), (40, 30))
    crops = object_crops(image, layout, (150, 93))
    assert crops.shape == (3, 150, 93, 3)
    assert (crops[0].min(), crops[0].max()) == (0, 1)
    assert crops[0, 20:130, :30].max() < 0.1
    assert crops[0, 20:130, -30:].min() > 0.9
    model = ObjectSearch(tiny(appearance=16))
    assert model(image, count=3, task="2").inside.all()
    save_oat(tmp_path / "oat.safetensors", model.model)
    again = load_oat("cpu", tmp_path / "oat.safetensors")
    np.testing.assert_array_equal(again(image, task="2", seed=1).points, model(image, task="2", seed=1).points)


def test_files_return_what_was_written(tmp_path: Path) -> None:
    model, file = tiny(), tmp_path / "new" / "oat.safetensors"
    model.trained = True
    save_oat(file, model, {"terms": "none"})
    again = load_oat("cpu", file)
    assert again.trained
    ids, target = torch.tensor([[model.start, 1, 5]]), torch.tensor([5])
    assert (again.model(None, target, ids) == model(None, target, ids)).all()
    save_oat(file, tiny())
    assert not read_oat(file).trained
    with pytest.raises(RuntimeError, match=r"no weights of OAT come with the package.*train_oat"):
        load_oat()
    with pytest.raises(RuntimeError, match=r"cannot be read as weights of OAT"):
        load_oat("cpu", tmp_path / "missing.safetensors")
    (tmp_path / "cut.safetensors").write_bytes(file.read_bytes()[:500])
    with pytest.raises(RuntimeError, match="cannot be read as weights of OAT"):
        load_oat("cpu", tmp_path / "cut.safetensors")
    save_file({"a": torch.zeros(1)}, str(tmp_path / "other.safetensors"))
    with pytest.raises(RuntimeError, match="weights of another model"):
        load_oat("cpu", tmp_path / "other.safetensors")


def test_mirrors() -> None:
    trial = SearchTrial("a", 14, (0, 27, 6), "x")
    assert mirrored([trial], 14) == [SearchTrial("a", 27, (13, 14, 7), "x")]
    assert mirrored(mirrored([trial], 14), 14) == [trial]


def test_similarity_is_the_chance_of_what_people_did() -> None:
    model = tiny()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.zero_()
    # All 12 objects, the end and padding are equally likely then.
    trials = [SearchTrial("a", 3, (1, 3)), SearchTrial("b", 0, (5, 6, 7, 0))]
    assert similarity(model, trials) == pytest.approx(1 / 14)


@pytest.mark.parametrize("name", WALKS)
def test_walks_end_at_the_target_or_at_their_longest(name: str) -> None:
    random = np.random.default_rng(0)
    for target in (0, 40, 83):
        path = WALKS[name](GRID, target, 2000, random)
        assert path.index(target) == len(path) - 1
        assert len(WALKS[name](GRID, target, 1, random)) == 1
        if name != "random":
            assert len(set(path)) == len(path)


def test_walks_go_where_they_say() -> None:
    random = np.random.default_rng(0)
    assert WALKS["reading order"](GRID, 16, 99, random) == list(range(17))
    near = WALKS["nearest unvisited"](GRID, 0, 99, random)
    assert near[0] in {34, 35, 48, 49}
    # Columns are closer to each other than rows.
    assert np.abs(np.diff(GRID.places[near[:7]], axis=0)).tolist() == [[0, 1]] * 6
    trials = [SearchTrial("a", 3, (1, 2, 3)), SearchTrial("a", 3, (5,))]
    assert {len(told_walk(trials)(GRID, 9, 99, random)) for _ in range(30)} == {1, 3}
    assert told_walk(trials)(GRID, 9, 99, random)[-1] == 9


def test_steps_are_counted() -> None:
    trials = [SearchTrial("a", 5, (0, 1, 5))] * 500
    steps = StepStatistics.count(trials, 2, 4)
    assert steps.first[0] == pytest.approx(501 / 508)
    assert steps.steps[1, 4] == steps.steps[2, 3] == 501
    layout, random = Layout.grid(2, 4, (80, 40)), np.random.default_rng(0)
    paths = [tuple(steps(layout, 5, 20, random)) for _ in range(50)]
    assert sum(path[:2] in {(0, 1), (0, 4)} for path in paths) > 40
    with pytest.raises(ValueError, match="counted on 2 x 4 objects"):
        steps(GRID, 5, 20, random)


def test_scores_of_paths_that_can_be_counted() -> None:
    ways = (("1", (0, 0, 1, 0, 3)), ("2", (0, 1, 1, 0, 2, 0, 3, 3, 0, 3)))
    people = [SearchTrial(picture, 3, way, observer) for picture in "ab" for observer, way in ways]
    layout = Layout.grid(2, 4, (80, 40))
    same = score_searches(people, people, layout)
    assert (same.delta, same.paths) == ((0.0, 0.0), 4)
    # 4 of 10 objects are in both ways, in order: 0, 1, 0, 3.
    assert same.likeness["sequence_score"] == (pytest.approx((1 + 0.4) / 2), 0.0)
    assert same.likeness["edit_distance"][0] == pytest.approx(6 / 2)
    assert same.behaviour["correct"] == (1.0, 0.0)
    assert same.behaviour["length"] == (7.5, 0.0)
    assert (same.efficiency["found"], same.efficiency["saccades"]) == (1, 5)
    others = human_scores(people, layout)
    assert others.likeness["sequence_score"][0] == pytest.approx(0.4)
    assert others.delta[0] > 0.2
    at_once = [SearchTrial(picture, 3, (3,), "oat") for picture in "ab"]
    scored = score_searches(people, at_once, layout)
    # Visits: 3 and 4 for the first time; stays: 1 and 2; returns: 1 and 4.
    search, stays, returns = (3 / 5 + 4 / 10) / 2, (1 / 5 + 2 / 10) / 2, (1 / 5 + 4 / 10) / 2
    assert same.behaviour["search"][0] == pytest.approx(search)
    assert same.behaviour["refixation"][0] == pytest.approx(stays)
    assert same.behaviour["revisit"][0] == pytest.approx(returns)
    assert scored.delta[0] == pytest.approx((0 + 6.5 / 7.5 + (1 - search) / search + 1 + 1) / 5)
    # MultiMatch has no number for a single fixation, and says so.
    assert np.isnan(scored.likeness["multimatch_shape"][0])
    with pytest.raises(ValueError, match="same pictures, got 2 and 1"):
        score_searches(people, at_once[:1], layout)
    with pytest.raises(ValueError, match="at least two observers"):
        human_scores(people[:1], layout)


def test_people_are_as_published(people: list[SearchTrial]) -> None:
    found = behaviour([trial.objects for trial in people], [trial.target for trial in people])
    assert len(people) == 420
    # What was published of these collages, divided evenly, has three digits.
    assert [round(value, 3) for value in astuple(found)] == [0.840, 15.014, 0.779, 0.168, 0.053]


def test_the_script_trains_measures_and_writes(
    script: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows, random = [], np.random.default_rng(0)
    targets = random.permutation(84)[:8]
    boxes = GRID.boxes[targets]
    images = np.array([[i, 2560, 1600, *box, t] for i, (t, box) in enumerate(zip(targets, boxes, strict=True))])
    for image, target in enumerate(targets):
        for subject in (1, 2):
            for number in [30, 30, *random.integers(84, size=3), 30, target]:
                rows.append((image, subject, *GRID.centers[number]))
    image, subject, x, y = np.array(rows).T
    np.savez(tmp_path / "gaze.npz", images=images.astype(int), image=image, subject=subject, x=x, y=y)
    output, report = tmp_path / "oat.safetensors", tmp_path / "report.json"
    monkeypatch.setattr(script, "TRAINING", script.replace(script.TRAINING, epochs=2))
    options = ["--folds", "2", "--output", str(output), "--report", str(report)]
    monkeypatch.setattr("sys.argv", ["train_oat", str(tmp_path), *options])
    monkeypatch.setattr(torch, "set_num_threads", lambda count: None)
    script.main()
    printed = capsys.readouterr().out
    for name in ("people", "oat, sampled", "nearest unvisited", "reading order", "SIM, teacher forced"):
        assert name in printed
    assert report.exists()
    model = load_oat("cpu", output)
    assert model.trained
    assert model(Image.new("RGB", (200, 100)), task="object 80").inside.all()


def test_folds_share_no_collage(script: ModuleType) -> None:
    trials = [SearchTrial(str(picture), 1, (1,), str(o)) for picture in range(11) for o in range(3)]
    parts = script.split_folds(trials, 3, 0)
    names = [{trial.picture for trial in part} for part in parts]
    assert sum(map(len, names)) == len(set.union(*names)) == 11
    assert sum(map(len, parts)) == 33


def test_it_learns_from_people(script: ModuleType, people: list[SearchTrial], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(script, "TRAINING", script.replace(script.TRAINING, epochs=1, batch_size=10))
    held, learn = people[:60], people[60:240]
    # Every object, the end and padding are as likely as another to who knows nothing.
    assert similarity(script.train(learn, 0), held) > 2 / 86

"""The six experiments: scenes by the published rules, indices of the published trials, and whole runs."""

import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import torch

from foveate.scanpath import Scanpath
from foveate.scanpath.asymmetry import (
    EXPERIMENTS,
    AsymmetryResult,
    asymmetry_index,
    draw_asymmetry,
    make_stimuli,
    run_asymmetry,
)
from foveate.scanpath.asymmetry.experiments import find_task
from foveate.scanpath.asymmetry.human import HUMAN_REACTION_TIMES, PUBLISHED_INDICES, human_slopes
from foveate.scanpath.asymmetry.index import slopes_of_means
from foveate.scanpath.asymmetry.items import draw_items
from foveate.scanpath.asymmetry.run import score_paths
from foveate.scanpath.eccentric_cnn import TimmEccNet
from foveate.scanpath.search import Attend, SearchSettings, Trial
from foveate.scanpath.search_models import ChanceSearch, NetworkSearch, PixelSearch
from tests.conftest import reference_folder, skip_unless_ci

TASKS = [task.name for experiment in EXPERIMENTS for task in experiment.tasks]
# What the published tables call the models whose indices the report keeps.
PUBLISHED = {
    "eccNET": "eccNET",
    "eccNET_noecc": "no eccentricity",
    "eccNET_0_0_1": "eccNET, last layer",
    "IVSN": "IVSN",
    "eccNET_Rot90": "eccNET, rotated ImageNet",
    "chance": "chance",
    "pixelMatch": "pixel match",
}


@pytest.fixture(scope="module")
def published(golden: ModuleType) -> dict:
    return json.loads((reference_folder() / "asymmetry" / "asymmetry.json").read_text())


@pytest.fixture(scope="module")
def results(published: dict) -> dict[str, AsymmetryResult]:
    found = {}
    with np.load(reference_folder() / "asymmetry" / "trials.npz") as trials:
        for model in PUBLISHED:
            saccades = {}
            for task in TASKS:
                sizes = find_task(task)[0].set_sizes
                saccades[task] = trials[f"{model}__{task}__saccades"].reshape(len(sizes), -1)
            found[model] = AsymmetryResult(model, saccades, {}, samples=4000)
    return found


@pytest.fixture(scope="module")
def stimuli_folder() -> Path:
    folder = reference_folder().parent / "data" / "asymmetry_stimuli"
    if not folder.is_dir():
        skip_unless_ci("the published generators' stimuli are not here")
    return folder


@pytest.mark.parametrize("model", PUBLISHED)
def test_indices_of_published_trials(published: dict, results: dict[str, AsymmetryResult], model: str) -> None:
    known, result = published["models"][model], results[model]
    assert list(result.indices.values()) == pytest.approx(known["asymmetry_index"], abs=1e-12)
    assert result.mean_index == pytest.approx(known["mean_asymmetry_index"], abs=1e-12)
    assert [round(v, 3) for v in result.indices.values()] == pytest.approx(PUBLISHED_INDICES[PUBLISHED[model]])
    slopes = {name: task["slope_ms_per_item"] for name, task in result.to_dict()["tasks"].items()}
    assert slopes == pytest.approx(known["slopes_ms_per_item"], abs=6e-4)
    _, mean = result.intervals()
    # The ends of an interval from samples scatter themselves; pixel match is found at once and has few values.
    assert mean == pytest.approx(known["bootstrap_95"]["mean"], abs=0.1 if model == "pixelMatch" else 0.03)


def test_people(published: dict) -> None:
    for name, task in published["tasks"].items():
        assert HUMAN_REACTION_TIMES[name] == pytest.approx(task["human_rt_ms"])
        assert human_slopes()[name] == pytest.approx(task["human_slope_ms_per_item"])
        assert list(find_task(name)[0].set_sizes) == task["set_sizes"]
        assert find_task(name)[0].trials == task["trials_per_set_size"]
    for experiment, known in zip(EXPERIMENTS, published["experiments"], strict=True):
        assert experiment.harder.name == known["harder_for_humans"]
        assert {task.name for task in experiment.tasks} == set(known["pair"])
    assert PUBLISHED_INDICES["humans"] == pytest.approx(published["human_asymmetry_index"], abs=6e-4)


def test_slope_and_index() -> None:
    assert slopes_of_means((1, 2, 4), (10, 12, 16)) == pytest.approx(2)
    index = asymmetry_index([3, 1, -2, 0, -1, 1e-14], [1, 3, 5, 0, -3, 0])
    assert index.tolist() == [0.5, -0.5, -1, 0, 0, 0]


@pytest.mark.parametrize("name", TASKS)
def test_scenes_have_the_statistics_of_the_published_generators(stimuli_folder: Path, name: str) -> None:
    experiment, _ = find_task(name)
    with np.load(stimuli_folder / f"{name}.npz") as known, np.load(stimuli_folder / "cells_and_items.npz") as more:
        scenes, targets, places = known["stimuli"], known["targets"], known["target_cell"]
        cells = more[f"cells_{name.split('_', maxsplit=1)[0] if 'dir' not in name else 'lightning_dir'}"]
    ours = make_stimuli(name, jpeg=False)
    assert ours.scenes.shape == scenes.shape
    assert ours.targets.shape == targets.shape
    assert ours.cells.tolist() == [[left, top, right + 1, bottom + 1] for top, bottom, left, right in cells.tolist()]
    assert ours.scenes[0, -1, -1] == scenes[0, -1, -1] == experiment.background
    assert (ours.scenes.min(), ours.scenes.max()) == (scenes.min(), scenes.max())
    # Items in cells: where ink is.
    for pictures in (ours.scenes, scenes):
        inked = np.array([[(p[t:b, x:r] != p[-1, -1]).any() for x, t, r, b in ours.cells] for p in pictures])
        if name.startswith("lightning"):
            # Discs do not fill their bitmap, so none reaches beyond its cell.
            assert experiment.jitter + experiment.item <= experiment.cell
        assert inked.sum(1).tolist() == ours.set_sizes.tolist()
        # Every cell is used about as often as any other: five standard deviations of a binomial.
        share = inked.mean()
        assert abs(inked.mean(0) - share).max() < 5 * np.sqrt(share * (1 - share) / len(inked)) + 1e-9
    # Amount of ink for each item.
    amounts = [
        (abs(p.astype(float) - p[0, -1, -1]).sum((1, 2)) / ours.set_sizes / 255).mean() for p in (ours.scenes, scenes)
    ]
    assert amounts[0] == pytest.approx(amounts[1], rel=0.02)
    sides = {(int(b - t), int(r - x)) for x, t, r, b in ours.places if r < experiment.field and b < experiment.field}
    known_sides = {(b - t + 1, r - x + 1) for t, b, x, r in places.tolist() if max(r, b) < experiment.field - 1}
    assert sides == known_sides == {(experiment.cell, experiment.cell)}


@pytest.mark.parametrize("name", ["lightning_dir_top_down", "categorization_hetero_t0", "intersection_Ls"])
def test_items_start_anywhere_in_their_cells(stimuli_folder: Path, name: str) -> None:
    experiment, _ = find_task(name)
    ours = make_stimuli(name, jpeg=False)
    with np.load(stimuli_folder / f"{name}.npz") as known:
        theirs = known["stimuli"], known["targets"]
    for scenes, targets in ((ours.scenes, ours.targets), theirs):
        starts: Counter[int] = Counter()
        for scene, target in zip(scenes[:60], targets[:60], strict=True):
            starts.update(_starts(scene, target, ours.cells, experiment.jitter + 3))
        assert min(starts) == 0
        assert max(starts) == experiment.jitter - 1
        mean = sum(start * count for start, count in starts.items()) / sum(starts.values())
        spread = experiment.jitter / np.sqrt(12 * sum(starts.values()))
        assert abs(mean - (experiment.jitter - 1) / 2) < 4 * spread


def _starts(scene: np.ndarray, target: np.ndarray, cells: np.ndarray, reach: int) -> list[int]:
    """Find the bitmap in a cell, and return its offsets down and across."""
    side = len(target)
    for left, top, _, _ in cells:
        for down in range(reach):
            for across in range(reach):
                patch = scene[top + down : top + down + side, left + across : left + across + side]
                if patch.shape == target.shape and (patch == target).all():
                    return [down, across]
    return []


@pytest.mark.parametrize(
    ("key", "kinds", "overlap"),
    [
        ("intersection_cross", ("crosses",), 1.0),
        ("intersection_non_cross", ("non_crosses",), 1.0),
        ("intersection_Ls", ("Ls",), 1.0),
        ("intersection_Ts", ("Ts",), 1.0),
        ("lighting_dir_target", ("disc_up", "disc_left"), 1.0),
        ("lighting_dir_distractor", ("disc_down", "disc_right"), 1.0),
        ("categorization_targets", ("bar_upright", "bar_tilted"), 0.95),
        ("curvature_curve", ("arcs",), 0.7),
        ("curvature_line", ("lines",), 0.6),
    ],
)
def test_items_are_drawn_by_the_rules(stimuli_folder: Path, key: str, kinds: Sequence[str], overlap: float) -> None:
    with np.load(stimuli_folder / "cells_and_items.npz") as known:
        theirs = known[f"items_{key}"]
    ours = [item for kind in kinds for item in draw_items(kind)]
    assert len(ours) == len(theirs)
    for item, other in zip(ours, theirs, strict=True):
        ink, known_ink = (abs(i.astype(float) - float(i[0, 0])) for i in (item, other))
        assert item[0, 0] == other[0, 0]
        assert ink.sum() == pytest.approx(known_ink.sum(), rel=0.02)
        assert np.minimum(ink, known_ink).sum() / np.maximum(ink, known_ink).sum() >= overlap


def test_scenes_are_repeatable_and_saved_as_jpeg() -> None:
    first, again = (make_stimuli("curvature_line_in_curves", trials=2, seed=3) for _ in range(2))
    assert np.array_equal(first.scenes, again.scenes)
    assert not np.array_equal(first.scenes, make_stimuli("curvature_line_in_curves", trials=2, seed=4).scenes)
    clean = make_stimuli("curvature_line_in_curves", trials=2, seed=3, jpeg=False)
    difference = abs(first.scenes.astype(int) - clean.scenes)
    assert 0 < difference.max() < 60
    assert len(first) == 6


def test_many_tilts_come_once_before_any_comes_again() -> None:
    upright = draw_items("bars_but_upright")
    stimuli = make_stimuli("categorization_hetero_t0", trials=3, jpeg=False)
    for scene in stimuli.scenes[-3:]:
        patches = [_kind(scene, cell, upright) for cell in stimuli.cells]
        counts = Counter(kind for kind in patches if kind >= 0)
        assert sum(counts.values()) == 11
        assert len(counts) == 8
        assert max(counts.values()) == 2


def _kind(scene: np.ndarray, cell: np.ndarray, items: Sequence[np.ndarray]) -> int:
    for number, item in enumerate(items):
        if _starts(scene, item, cell[None], 16):
            return number
    return -1


class Knowing:
    """A model that looks at so many wrong cells before the target's: more among more items, in one task of a pair."""

    name, trained = "knowing", True

    def begin(self, trials: Sequence[Trial], settings: SearchSettings, seed: int) -> Attend:
        hard = find_task(trials[0].name)[0].harder.name == trials[0].name
        looks = [0] * len(trials)

        def attend(numbers: Sequence[int], fixations: np.ndarray, scenes: np.ndarray) -> np.ndarray:
            maps = np.full(scenes.shape[:3], 1e-3, np.float32)
            for i, number in enumerate(numbers):
                block = number * 4 // len(trials)
                left, top, right, bottom = trials[number].place or (0, 0, 0, 0)
                maps[i, top + 20 : bottom - 20, left + 20 : right - 20] = 1 if looks[number] >= block * hard else 1e-6
                looks[number] += 1
            return maps

        return attend


def test_a_run_counts_saccades() -> None:
    result = run_asymmetry(Knowing(), experiments=[5], trials=3)
    assert result.numbers == [5]
    assert result.saccades["categorization_homo_t0"].tolist() == [[1] * 3, [2] * 3, [3] * 3, [4] * 3]
    assert result.saccades["categorization_homo_t20"].tolist() == [[1] * 3] * 4
    assert result.indices == {5: 1.0}
    assert result.intervals() == ({5: (1.0, 1.0)}, (1.0, 1.0))
    assert result.found == {"categorization_homo_t0": 1.0, "categorization_homo_t20": 1.0}


def test_the_last_step_counts_as_lost() -> None:
    stimuli = make_stimuli("intersection_Ls", trials=1, jpeg=False)
    details = [{"found": True, "saccades": 9}, {"found": True, "saccades": 8}, {"found": False, "saccades": 9}]
    paths = [Scanpath([0.0], [0.0], (615, 615), details=facts) for facts in details]
    scores, found = score_paths(paths, stimuli)
    assert scores.tolist() == [[3], [8], [9]]
    assert found == pytest.approx(1 / 3)


def test_a_small_network_runs_and_reports() -> None:
    torch.manual_seed(0)
    model = NetworkSearch(TimmEccNet("mobilenetv3_small_050", pretrained=False))
    result = run_asymmetry(model, experiments=[2], trials=1)
    assert not result.trained
    assert "random weights" in result.table()
    data = json.loads(result.to_json())
    assert [entry["number"] for entry in data["experiments"]] == [2]
    task = data["tasks"]["lightning_dir_top_down"]
    assert len(task["mean_saccades"]) == 3
    assert task["reaction_time_ms"][0] == pytest.approx(252.359 * task["mean_saccades"][0] + 376.271, abs=0.1)
    figure = np.asarray(draw_asymmetry(result))
    assert figure.shape[2] == 3
    assert len(np.unique(figure.reshape(-1, 3), axis=0)) > 10


def test_pixels_need_one_saccade() -> None:
    result = run_asymmetry(PixelSearch(), experiments=[5], trials=2)
    assert all((scores == 1).all() for scores in result.saccades.values())
    assert result.mean_index == 0


def test_chance_finds_as_much_as_the_published_one(results: dict[str, AsymmetryResult]) -> None:
    result = run_asymmetry(ChanceSearch(), trials=30)
    with np.load(reference_folder() / "asymmetry" / "trials.npz") as trials:
        for number in range(4):
            names = [task.name for task in EXPERIMENTS[number].tasks]
            ours = np.mean([result.found[name] for name in names])
            theirs = np.mean([trials[f"chance__{name}__found"].mean() for name in names])
            # Standard error of a difference of two shares of some 180 trials, three times.
            assert abs(ours - theirs) < 3 * np.sqrt(2 * 0.75 * 0.25 / 180)
    low, high = result.intervals()[1]
    assert low < 0 < high


def test_the_table_names_people_and_published_models(results: dict[str, AsymmetryResult]) -> None:
    lines = results["eccNET"].table().splitlines()
    assert lines[2].startswith("| eccNET | 1.00 [1.00, 1.00] |")
    assert "0.51 [0.4" in lines[2]
    assert lines[3] == "| humans | 0.81 | 0.70 | 0.36 | 0.40 | 0.61 | 0.50 | 0.56 |"
    assert len(lines) == 3 + len(PUBLISHED_INDICES)


def test_bad_input_is_refused() -> None:
    with pytest.raises(ValueError, match="no task is called"):
        make_stimuli("pop out")
    with pytest.raises(ValueError, match="trials must be"):
        make_stimuli("intersection_Ls", trials=-1)
    with pytest.raises(ValueError, match="some of 1 to 6"):
        run_asymmetry(ChanceSearch(), experiments=[7])
    with pytest.raises(ValueError, match="run a pair"):
        AsymmetryResult("x", {"intersection_Ls": np.ones((3, 2))}, {})
    pair = {"intersection_Ls": np.ones((3, 2)), "intersection_Ts": np.ones((2, 2))}
    with pytest.raises(ValueError, match="3 set sizes"):
        AsymmetryResult("x", pair, {})
    with pytest.raises(ValueError, match="not numbers"):
        AsymmetryResult("x", {**pair, "intersection_Ts": np.full((3, 2), np.nan)}, {})
    with pytest.raises(ValueError, match="no items are called"):
        draw_items("stars")

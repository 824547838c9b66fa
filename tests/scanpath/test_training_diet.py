"""The training-diet study of search asymmetry on pictures made here: diets, networks, statistics and the command."""

import argparse
import importlib
import json
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import torch

from foveate.scanpath.asymmetry import EXPERIMENTS, AsymmetryResult
from foveate.scanpath.eccentric_cnn import TimmEccNet
from foveate.scanpath.eccentricity import EccentricPool2d

BENCHMARKS = Path(__file__).resolve().parents[2] / "benchmarks"
WIDTHS = (4, 4, 4, 4, 4)


@pytest.fixture(scope="module")
def study() -> ModuleType:
    """Give the command's module, which lies in no package."""
    sys.path.insert(0, str(BENCHMARKS))
    try:
        return importlib.import_module("training_diet")
    finally:
        sys.path.remove(str(BENCHMARKS))


@pytest.fixture(scope="module")
def net(study: ModuleType) -> ModuleType:
    return sys.modules["training_diet_net"]


def made_scores(study: ModuleType, slopes: dict[str, tuple[float, float]], seeds: int = 3, trials: int = 20) -> dict:
    """Make saccades of the second experiment whose slopes are known, easier and harder."""
    random = np.random.default_rng(0)
    experiment = EXPERIMENTS[1]
    scores: dict = {}
    for diet, pair in slopes.items():
        scores[diet] = {}
        for seed in range(seeds):
            scores[diet][seed] = {}
            for task, slope in zip(experiment.tasks, pair, strict=True):
                means = 1 + slope * np.array(experiment.set_sizes)[:, None]
                scores[diet][seed][task.name] = means + random.normal(0, 0.1, (len(means), trials))
    return scores


def test_rotated_views_are_the_upright_ones_turned(net: ModuleType) -> None:
    views = torch.rand(2, 3, 8, 8)
    assert net.serve(views, "upright") is views
    turned = net.serve(views, "rotated")
    torch.testing.assert_close(turned[..., 0], views[:, :, 0].flip(-1), rtol=0, atol=0)  # what was above is left
    with pytest.raises(ValueError, match="sideways"):
        net.serve(views, "sideways")


def test_lines_lie_where_the_paper_has_them(net: ModuleType) -> None:
    ink = net.line_ink(224, torch.tensor([0.9]))[0]
    assert ink.nonzero().flatten().tolist() == [x for first in (45, 95, 145, 195) for x in range(first, first + 5)]
    small = net.line_ink(64, torch.linspace(0, 1, 9))
    assert small.min() >= 0
    assert small.max() <= 1
    # A tenth of each axis is ink, more or less by the line that the border cuts.
    assert small.mean(1).numpy() == pytest.approx(np.full(9, 0.1), abs=0.02)
    views = net.serve(torch.ones(1, 3, 224, 224), "lines", torch.tensor([[0.9, 0.0]]))
    assert (views[0, 0, :, 45] < -2).all()
    assert (views[0, 0, 0] < -2).all()
    assert views[0, 0, 20, 20] == 1


def test_all_diets_of_a_seed_draw_the_same_views(net: ModuleType) -> None:
    pictures = torch.randint(0, 256, (40, 3, 64, 64), dtype=torch.uint8)
    recipe = net.Recipe(size=32, epochs=1, batch=16, change=False, erase=0.0, mix=0.0, compile="none", seed=3)
    made = [net.DietTrainer(diet, WIDTHS, recipe, pictures, torch.arange(40)) for diet in ("upright", "rotated")]
    for step in range(3):
        (upright, labels), (rotated, same) = (trainer.draw(32, 0.0) for trainer in made)
        torch.testing.assert_close(rotated, upright.rot90(1, (2, 3)), rtol=0, atol=0)
        assert torch.equal(labels, same)
        for trainer in made:
            trainer.steps = step + 1


def test_a_network_is_written_read_and_folded(net: ModuleType, tmp_path: Path) -> None:
    model = net.untrained(5, WIDTHS)
    model.train()(torch.randn(8, 3, 32, 32))
    path = tmp_path / "lines-5.safetensors"
    size = net.save_network(model, path, {"diet": "lines", "seed": 5, "widths": "4 4 4 4 4"})
    assert size == path.stat().st_size
    read, facts = net.load_network(path)
    assert (facts["diet"], facts["seed"]) == ("lines", "5")
    views = torch.randn(2, 3, 64, 64)
    expected = model.eval()(views)
    torch.testing.assert_close(read(views), expected, rtol=0, atol=5e-3)  # half precision
    exact = net.untrained(5, WIDTHS)
    exact.load_state_dict(model.state_dict())
    torch.testing.assert_close(net.fold_norms(exact)(views), expected, rtol=1e-4, atol=1e-5)
    with torch.no_grad():
        model.head.weight.fill_(torch.nan)
    with pytest.raises(RuntimeError, match="not finite"):
        net.save_network(model, path, {})


def test_the_whole_of_a_network_is_small_enough_to_travel(net: ModuleType) -> None:
    parameters = sum(p.numel() for p in net.SmallVgg().parameters())
    assert 2 * parameters * 12 < 16 * 2**20


def test_eccnet_swaps_the_pools_of_the_network(net: ModuleType) -> None:
    eye = TimmEccNet(net.fold_norms(net.untrained(0, WIDTHS)), trained=False)
    assert eye.reductions == (4, 8, 16)
    slopes = [m.slope for m in eye.net.modules() if isinstance(m, EccentricPool2d)]
    assert slopes == [0.0, 0.0, 0.07, 0.16]
    pictures = eye.prepare(torch.randint(0, 256, (1, 3, 96, 96)))
    assert [maps.shape[-2:] for maps in eye.stimulus_maps(pictures)] == [(6, 6)] * 3
    assert [maps.shape[-2:] for maps in eye.target_maps(pictures)] == [(3, 3)] * 3


def test_polarity_is_told_with_intervals(study: ModuleType) -> None:
    scores = made_scores(study, {"upright": (0.1, 0.3), "rotated": (0.3, 0.1), "lines": (0.2, 0.2)})
    summary = study.summarize(scores, 500)
    rows = {diet: own["2"] for diet, own in summary["diets"].items()}
    assert [rows[diet]["sign"] for diet in ("upright", "rotated", "lines")] == ["+", "-", "?"]
    assert rows["upright"]["value"] == pytest.approx(0.5, abs=0.02)
    assert len(rows["upright"]["networks"]) == 3
    low, high = rows["rotated"]["upright_minus_this"]["interval_95"]
    assert 0.9 < low < rows["rotated"]["upright_minus_this"]["value"] < high < 1.1
    assert rows["upright"]["slope_difference_ms"]["value"] == pytest.approx(252.359 * 0.2, rel=0.05)
    assert summary["diets"]["upright"]["mean"]["value"] == rows["upright"]["value"]
    text = study.tables(summary)
    assert "| upright | + 3/3 | + 3/3 |" in text
    assert "| eccNET, rotated ImageNet | -1.00 | -1.00 |" in text


def test_one_network_alone_has_the_index_of_the_room(study: ModuleType) -> None:
    scores = made_scores(study, {"upright": (0.1, 0.3)}, seeds=1)
    room = AsymmetryResult("", scores["upright"][0], {}, samples=4000)
    row = study.summarize(scores, 4000)["diets"]["upright"]["2"]
    assert row["value"] == pytest.approx(room.indices[2], abs=1e-4)
    assert row["interval_95"] == pytest.approx(room.intervals()[0][2], abs=0.01)


def test_networks_that_differ_widen_the_interval(study: ModuleType) -> None:
    alike = made_scores(study, {"upright": (0.2, 0.2)})
    differing = {"upright": {**alike["upright"], 2: made_scores(study, {"upright": (0.0, 0.4)})["upright"][2]}}
    widths = [np.ptp(study.summarize(s, 500)["diets"]["upright"]["2"]["interval_95"]) for s in (alike, differing)]
    assert widths[1] > 3 * widths[0]


def test_train_and_search_from_the_command_line(
    study: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    random = np.random.default_rng(0)
    for split, count in (("train", 64), ("val", 32)):
        np.save(tmp_path / f"{split}--a.pictures.npy", random.integers(0, 256, (count, 3, 64, 64), dtype=np.uint8))
        np.save(tmp_path / f"{split}--a.labels.npy", random.integers(0, 200, count))
    quick = {**study.QUICK["train"], "seeds": 1, "widths": (2, 2, 2, 2, 2)}
    monkeypatch.setattr(study, "QUICK", {"train": quick, "search": {**study.QUICK["search"], "trials": 1}})
    out, file = tmp_path / "diet", tmp_path / "diet.json"

    def run(*words: str) -> None:
        monkeypatch.setattr(sys, "argv", ["training_diet.py", *words, "--quick", "--device", "cpu"])
        study.main()

    with pytest.raises(ValueError, match="no networks"):
        run("search", "--networks", str(out), "--json", str(file))
    run("train", "--cache", str(tmp_path), "--out", str(out))
    training = json.loads((out / "training.json").read_text())
    assert [(row["diet"], row["seed"]) for row in training["networks"]] == [(diet, 0) for diet in study.DIETS]
    run("search", "--networks", str(out), "--json", str(file))
    report = json.loads(file.read_text())
    assert report["training"] == training
    assert report["summary"]["seeds"] == [0]
    assert set(report["summary"]["diets"]) == {*study.DIETS, "untrained"}
    assert sorted(network["diet"] for network in report["networks"]) == sorted((*study.DIETS, "untrained"))
    for network in report["networks"]:
        assert np.shape(network["saccades"]["lightning_dir_top_down"]) == (3, 1)
    assert "Index, upright minus the diet" in capsys.readouterr().out


def test_seeds_that_lack_a_diet_wait(study: ModuleType, tmp_path: Path) -> None:
    arguments = argparse.Namespace(samples=50, json=tmp_path / "diet.json")
    report: dict = {"networks": []}
    scores = made_scores(study, dict.fromkeys((*study.DIETS, "untrained"), (0.1, 0.3)), seeds=2, trials=4)
    for diet in scores:
        for seed in (0, 1):
            if (diet, seed) != ("lines", 1):
                saccades = {task: rows.tolist() for task, rows in scores[diet][seed].items()}
                network = {"diet": diet, "seed": seed, "seconds": 0.0, "saccades": saccades}
                study.add_network(report, network, arguments)
    assert json.loads(arguments.json.read_text())["summary"]["seeds"] == [0]

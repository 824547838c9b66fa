"""OAT: the published network to the number, and what it is used for."""

import numpy as np
import pytest
import torch

from foveate.scanpath.datasets import GazeDataset, Viewing
from foveate.scanpath.fixations import Scanpath
from foveate.scanpath.oat import OAT, Layout, roll_out, search_path
from foveate.scanpath.oat.positions import likeness, position_codes, position_table
from foveate.scanpath.oat.training import Training, encode_trials, split_by_picture, teach, trials_of

CASES = {
    "yogurt": {"rows": 3, "columns": 9},
    "wine": {"rows": 2, "columns": 11},
    "wine_spp3_onehead": {"rows": 2, "columns": 11, "spp": 3, "heads": 1, "crop": (96, 60)},
}


def small(rows: int = 2, columns: int = 3, **facts) -> OAT:
    torch.manual_seed(0)
    return OAT(rows, columns, torch.randn(5, 86), depth=1, **facts).eval()


@pytest.mark.parametrize("case", CASES)
def test_it_answers_as_published(case: str, golden) -> None:
    spec, wanted = golden.load(f"oat/{case}"), golden.outputs(f"oat/{case}")
    model = OAT(table=wanted["pe_table"], **CASES[case]).eval()
    model.load_published(golden.fill_state(spec))
    assert sum(p.numel() for p in model.parameters()) == spec["params"]
    crops = golden.make_input(spec, "images")
    ids, target = wanted["sequence"].T.long(), wanted["source"][-1].long()
    with torch.inference_mode():
        looks = model.appearance(crops, len(target))
        places = model.places(ids[:, :-1], target)
        torch.testing.assert_close(places.transpose(0, 1), wanted["decoder_position_input"])
        logits = model(crops, target, ids[:, :-1])
        std = wanted["logits"].std()
        assert (logits.transpose(0, 1) - wanted["logits"]).abs().max() <= 1e-4 * std
        torch.testing.assert_close(model.loss(logits, ids[:, 1:]), wanted["loss"][0], rtol=1e-5, atol=1e-5)
        path = roll_out(model, crops[:1], target[:1], most=12)[0]
    assert path == wanted["greedy_scanpath"].int().tolist()
    assert looks.shape == (len(target), model.objects + 1, 256)


@pytest.mark.parametrize("size", [(3, 9, 18_271_744), (2, 11, 18_269_179), (6, 14, 18_300_985)])
def test_it_has_as_many_parameters_as_published(size: tuple[int, int, int]) -> None:
    with torch.device("meta"):
        model = OAT(size[0], size[1], torch.empty(14, 86))
    assert sum(parameter.numel() for parameter in model.parameters()) == size[2]


def test_positions_are_as_alike_as_they_are_close() -> None:
    table = position_table(14)
    norms = table.norm(dim=1)
    torch.testing.assert_close(table @ table.T / (norms[:, None] * norms), likeness(14, 2.0).float(), atol=1e-5, rtol=0)
    torch.testing.assert_close(norms, torch.full((14,), 9.0))
    with pytest.raises(ValueError, match="1 to 86 rows"):
        position_table(87)
    codes = position_codes(table, torch.tensor([[1.5, 2.0, 0.0], [15.0, 16.0, 1.0]]))
    torch.testing.assert_close(codes[0], torch.cat([table[1], table[2], table[0]])[:256])
    assert codes[1, :172].abs().max() == 0


def test_paths_end_and_obey() -> None:
    model = small()
    target = torch.tensor([4, 1])
    for options in ({}, {"sample": True, "seed": 3}, {"beams": 3}):
        paths = roll_out(model, None, target, most=6, **options)
        assert all(1 <= len(path) <= 6 and max(path) < model.objects for path in paths)
    assert roll_out(model, None, target, sample=True, seed=1) == roll_out(model, None, target, sample=True, seed=1)
    with pytest.raises(ValueError, match="objects 0 to 5"):
        roll_out(model, None, torch.tensor([6]))
    with pytest.raises(ValueError, match="only single paths"):
        roll_out(model, None, target, sample=True, beams=2)


def test_a_beam_is_never_less_likely_than_greedy() -> None:
    model = small(2, 4)

    def chance(path: list[int], target: int) -> float:
        ids = torch.tensor([[model.start, *path, model.end]])
        goal = torch.tensor([target])
        with torch.no_grad():
            logits = model(None, goal, ids[:, :-1])[..., : model.objects + 1].clone()
        logits[:, 0, model.end] = -torch.inf
        logs = logits.log_softmax(-1)
        return float(logs[0].gather(1, ids[0, 1:, None]).sum())

    for target in range(8):
        greedy = roll_out(model, None, torch.tensor([target]), most=5)[0]
        beam = roll_out(model, None, torch.tensor([target]), most=5, beams=8)[0]
        if len(greedy) < 5 and len(beam) < 5:
            assert chance(beam, target) >= chance(greedy, target) - 1e-5


def test_layouts() -> None:
    grid = Layout.grid(2, 3, (300, 100))
    assert (len(grid), grid.rows, grid.columns) == (6, 2, 3)
    assert grid.centers[4].tolist() == [150, 75]
    assert grid.object_at(299, 99) == 5
    assert grid.object_at(-20, 0) == 0
    loose = Layout.from_boxes(np.array([[0, 0, 40, 20], [60, 2, 100, 22], [3, 50, 40, 70]]), (100, 80))
    assert loose.places.tolist() == [[0, 0], [0, 1], [1, 0]]
    with pytest.raises(ValueError, match="no boxes"):
        Layout.from_boxes(np.zeros((0, 4)), (10, 10))
    assert Layout.from_boxes(np.array([[-5, 0, 5, 5], [8, 8, 30, 9]]), (10, 10)).centers.tolist() == [
        [2.5, 2.5],
        [9, 8.5],
    ]
    for boxes, message in (
        ([[0, 0, 5, 5], [10, 2, 12, 3]], r"box 1 lies off the picture of \(10, 10\)"),
        ([[0, 0, np.nan, 5]], "box 0 must be"),
        ([[0, 0, 5]], "with at least one, got shape"),
    ):
        with pytest.raises(ValueError, match=message):
            Layout.from_boxes(np.array(boxes), (10, 10))
    with pytest.raises(ValueError, match="box 0 must be"):
        Layout(np.array([[5, 0, 1, 1.0]]), np.array([[0, 0]]), (10, 10))


def test_a_path_over_a_shelf() -> None:
    path = search_path(small(), Layout.grid(2, 3, (300, 100)), 4, most=5)
    assert path.details["target"] == 4
    assert path.details["found"] == (path.details["objects"][-1] == 4)
    assert not path.trained
    assert path.inside.all()
    with pytest.raises(ValueError, match="objects 0 to 5"):
        search_path(small(), Layout.grid(2, 3, (300, 100)), 6)


def test_one_network_knows_many_layouts() -> None:
    model = small()
    grid = Layout.grid(2, 3, (300, 100))
    ids, target = torch.tensor([[model.start, 1, 5]]), torch.tensor([5])
    same = model.on(grid)
    assert (same(None, target, ids) == model(None, target, ids)).all()
    # Cells may be empty; what is not there is neither seen nor pointed at.
    few = Layout(grid.boxes[[0, 1, 5]], grid.places[[0, 1, 5]], grid.size)
    other = model.on(few)
    assert other(None, torch.tensor([2]), torch.tensor([[other.start, 1, 2]])).shape == (1, 3, 5)
    assert other.places(torch.tensor([[other.start, 1, 2]]), torch.tensor([2]))[0].tolist() == [
        [1, 1.5, 0],
        [0, 1, 0],
        [1, 2, 1],
    ]
    assert model.objects == 6
    assert model.cells.shape == (9, 2)
    assert other.readout.weight is model.readout.weight
    path = search_path(model, Layout.grid(5, 4, (300, 100)), 19, most=5)
    assert path.inside.all()
    with pytest.raises(ValueError, match=r"knows 5 rows and columns at most.*6 rows"):
        search_path(model, Layout.grid(6, 3, (300, 100)), 4)


def test_a_model_may_know_places_only() -> None:
    torch.manual_seed(0)
    model = OAT(2, 3, torch.randn(3, 11), channels=32, depth=1, appearance=0, feedforward=16).eval()
    assert not [name for name in model.state_dict() if name.startswith("cnn")]
    assert roll_out(model, None, torch.tensor([3, 0]), most=4)
    with pytest.raises(ValueError, match="reads no crops"):
        roll_out(model, torch.zeros(1, 6, 150, 93, 3), torch.tensor([3]))


def test_it_learns_to_imitate() -> None:
    size, viewings = (300, 200), []
    layout = Layout.grid(2, 3, size)
    for number in range(12):
        target = number % 6
        way = layout.centers[[(target + 1) % 6, target]]
        box = tuple(layout.boxes[target])
        paths = tuple(Scanpath(way[:, 0], way[:, 1], size, observer=str(i)) for i in range(2))
        viewings.append(Viewing(str(number), size, paths, None, box))
    trials = trials_of(GazeDataset("made up", tuple(viewings), ""), 2, 3)
    assert trials[0].objects == (1, 0)
    train, held = split_by_picture(trials, 0.25)
    assert not {t.picture for t in train} & {t.picture for t in held}
    assert len(train) + len(held) == 24
    model = small(dropout=0.0)
    target, ids = encode_trials(model, trials[:1])
    assert ids.tolist() == [[model.start, 1, 0, model.end]]
    history = teach(model, trials, trials, Training(epochs=15, batch_size=8, learning_rate=5e-4))
    assert history[-1] < 0.3 * history[0]
    paths = roll_out(model, None, torch.arange(6))
    assert paths == [[(t + 1) % 6, t] for t in range(6)]
    assert model.trained

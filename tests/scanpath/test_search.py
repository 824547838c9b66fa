"""Visual search looks where the published one looks, stops at the target, and takes any picture."""

from collections.abc import Sequence
from types import ModuleType

import numpy as np
import pytest
import torch
from PIL import Image

from foveate.scanpath.eccentric_cnn import TimmEccNet
from foveate.scanpath.eccnet import VggEccNet
from foveate.scanpath.modulation import correlate, enlarge_by_area, gaussian_blur, merge_layers
from foveate.scanpath.search import Attend, SearchSettings, Trial, grid_cells, search, search_trials
from foveate.scanpath.search_models import ChanceSearch, NetworkSearch, PixelSearch

MODELS = {
    "eccnet": (True, (3, 4, 5)),
    "eccnet_0_0_1": (True, (5,)),
    "ivsn": (False, (5,)),
    "noecc": (False, (3, 4, 5)),
}
SETTINGS = {
    "search_bars": SearchSettings(((3, 1.0), (5, 3.0)), "strongest", background=0),
    "search_ring": SearchSettings(((3, 0.0), (5, 1.0)), "equal", background=0),
}


@pytest.mark.parametrize("name", ["search_bars", "search_ring"])
def test_whole_trials_are_those_published(golden: ModuleType, name: str) -> None:
    answers = golden.outputs(f"eccnet/{name}")
    state = golden.fill_state(golden.load(f"eccnet/{name}"))
    scene, target = (
        np.repeat(answers[key].numpy().astype(np.uint8)[..., None], 3, 2) for key in ("stimulus_image", "target_image")
    )
    rows, columns = np.nonzero(answers["target_mask"].numpy())
    place = int(columns.min()), int(rows.min()), int(columns.max()) + 1, int(rows.max()) + 1
    trial = Trial(scene, target, grid_cells((192, 192), 4, 4), place, 17)
    for label, (eccentric, layers) in MODELS.items():
        model = NetworkSearch(VggEccNet(state, eccentric=eccentric, layers=layers))
        first: list[np.ndarray] = []
        path = search_trials(Watched(model, first), [trial], SETTINGS[name])[0]
        known = answers[f"{label}_fixations"].numpy()
        assert np.stack([path.y, path.x], 1).tolist() == known.tolist(), label
        assert path.details == {"found": True, "saccades": len(known) - 1}
        # The published map covers the whole field, the scene being in its middle, every sixth pixel.
        field = np.zeros((512, 512), np.float32)
        field[160:352, 160:352] = first[0]
        np.testing.assert_allclose(field[::6, ::6], answers[f"{label}_attention_0"].numpy(), rtol=0, atol=1e-5)


class Watched:
    """A model whose first map is kept."""

    def __init__(self, model: NetworkSearch, kept: list[np.ndarray]) -> None:
        self.model, self.kept = model, kept
        self.name, self.trained = model.name, model.trained

    def begin(self, trials: Sequence[Trial], settings: SearchSettings, seed: int) -> Attend:
        attend = self.model.begin(trials, settings, seed)

        def watched(numbers: Sequence[int], fixations: np.ndarray, scenes: np.ndarray) -> np.ndarray:
            maps = attend(numbers, fixations, scenes)
            self.kept.append(maps[0])
            return maps

        return watched


class Ramp:
    """Attention that rises to the right and down: a model whose path can be told."""

    name, trained = "ramp", True

    def begin(self, trials: Sequence[Trial], settings: SearchSettings, seed: int) -> Attend:
        def attend(numbers: Sequence[int], fixations: np.ndarray, scenes: np.ndarray) -> np.ndarray:
            height, width = scenes.shape[1:3]
            ramp = np.arange(1, height * width + 1, dtype=np.float32).reshape(height, width)
            return np.repeat(ramp[None], len(scenes), 0)

        return attend


def picture(width: int, height: int) -> np.ndarray:
    return np.full((height, width, 3), 200, np.uint8)


def test_cells_are_visited_once_and_the_path_ends_at_the_target() -> None:
    trial = Trial(picture(60, 40), picture(8, 8), grid_cells((60, 40), 3, 2), (0, 20, 20, 40), 7)
    path = search_trials(Ramp(), [trial])[0]
    assert path.points.tolist() == [[30, 20], [59, 39], [39, 39], [19, 39]]
    assert path.details == {"found": True, "saccades": 3}
    never = Trial(picture(60, 40), picture(8, 8), grid_cells((60, 40), 3, 2), (50, 0, 60, 1), 4)
    lost = search_trials(Ramp(), [never])[0]
    assert lost.details == {"found": False, "saccades": 3}


def test_without_cells_a_square_is_inhibited() -> None:
    path = search(Ramp(), picture(8, 8), picture(200, 150), count=4, settings=SearchSettings(inhibited=64))
    assert path.points.tolist() == [[100, 75], [199, 149], [166, 149], [133, 149]]
    assert path.details["found"] is None
    assert path.size == (200, 150)
    seen = search(Ramp(), picture(8, 8), picture(200, 150), place=(95, 70, 105, 80))
    assert seen.details == {"found": True, "saccades": 0}


def test_trials_of_many_sizes_keep_their_order() -> None:
    sizes = [(60, 40), (50, 50), (60, 40), (50, 50)]
    trials = [Trial(picture(*size), picture(8, 8), count=2 + i, name=str(i)) for i, size in enumerate(sizes)]
    told: list[int] = []
    settings = SearchSettings(inhibited=4)
    paths = search_trials(Ramp(), trials, settings, batch=1, progress=told.append)
    assert [path.source for path in paths] == ["0", "1", "2", "3"]
    assert [path.size for path in paths] == sizes
    assert [len(path) for path in paths] == [2, 3, 4, 5]
    assert sum(told) == 4


def test_pixels_find_their_own_copy() -> None:
    random = np.random.default_rng(0)
    scene = random.integers(0, 256, (90, 130, 3)).astype(np.uint8)
    target = scene[50:70, 80:104]
    path = search(PixelSearch(), target, scene, place=(80, 50, 104, 70), settings=SearchSettings(inhibited=10))
    assert path.details == {"found": True, "saccades": 1}
    assert abs(path.x[1] - 91) <= 3
    assert abs(path.y[1] - 59) <= 3


def test_chance_is_repeatable_and_stays_in_cells() -> None:
    trial = Trial(picture(60, 40), picture(8, 8), grid_cells((60, 40), 3, 2)[::2], None, 4)
    paths = [search_trials(ChanceSearch(forgets=False), [trial], seed=seed)[0].points.tolist() for seed in (1, 1, 2)]
    assert paths[0] == paths[1] != paths[2]
    cells = {(x // 20, y // 20) for x, y in paths[0][1:]}
    assert cells == {(0, 0), (2, 0), (1, 1)}


def test_chance_that_forgets_looks_again() -> None:
    trial = Trial(picture(60, 40), picture(8, 8), grid_cells((60, 40), 3, 2), None, 40)
    path = search_trials(ChanceSearch(), [trial], seed=1)[0]
    assert len(path) == 40
    assert len({(x // 20, y // 20) for x, y in path.points.tolist()}) == 6


@pytest.mark.parametrize("eccentric", [True, False])
def test_any_network_searches_any_picture(eccentric: bool) -> None:
    torch.manual_seed(0)
    model = NetworkSearch(TimmEccNet("mobilenetv3_small_050", pretrained=False, eccentric=eccentric))
    scene = Image.effect_noise((210, 90), 90).convert("RGB")
    path = search(model, scene.crop((20, 20, 60, 52)), scene, count=4)
    assert path.size == (210, 90)
    assert len(path) == 4
    assert path.inside.all()
    assert path.points[0].tolist() == [105, 45]
    assert not path.trained
    assert path.points.tolist() == search(model, scene.crop((20, 20, 60, 52)), scene, count=4).points.tolist()


def test_batches_answer_as_single_scenes() -> None:
    torch.manual_seed(0)
    model = NetworkSearch(TimmEccNet("mobilenetv3_small_050", pretrained=False))
    random = np.random.default_rng(0)
    scenes = random.integers(0, 256, (3, 80, 80, 3)).astype(np.uint8)
    trials = [Trial(scene, scene[10:42, 10 + i : 42 + i], count=3) for i, scene in enumerate(scenes)]
    attend = model.begin(trials, SearchSettings(), 0)
    fixations = np.array([(40, 40), (10, 70), (79, 0)])
    together = attend([0, 1, 2], fixations, scenes)
    for i in range(3):
        alone = attend([i], fixations[i : i + 1], scenes[i : i + 1])[0]
        np.testing.assert_allclose(together[i], alone, atol=1e-4 * together.max())


def test_modulation() -> None:
    maps = torch.zeros(2, 1, 5, 5)
    maps[0, 0, 2, 2], maps[1, 0, 1, 3] = 1, 2
    kernel = torch.tensor([[1.0, 2.0], [3.0, 4.0]]).repeat(2, 1, 1, 1)
    found = correlate(maps, kernel)
    assert found[0, 1:3, 1:3].tolist() == [[4, 3], [2, 1]]
    assert found[1, 0:2, 2:4].tolist() == [[8, 6], [4, 2]]
    merged = merge_layers([torch.tensor([[[0.0, 2.0]]]), torch.tensor([[[6.0, 0.0]]])], "strongest")
    assert merged.flatten().tolist() == pytest.approx([0.75, 0.25])
    silent = merge_layers([torch.zeros(1, 2, 2)], "strongest")
    assert silent.flatten().tolist() == [0, 0, 0, 0]


def test_blur_and_enlargement_are_those_of_opencv() -> None:
    point = torch.zeros(1, 7, 7)
    point[0, 3, 3] = 1
    # Rows of what OpenCV answers: its own kernel at a deviation of 0, a computed one otherwise.
    assert gaussian_blur(point, 3, 0)[0, 3, 2:5].tolist() == [0.125, 0.25, 0.125]
    assert gaussian_blur(point, 3, 1.0)[0].sum(0)[2:5].tolist() == pytest.approx([0.27406862, 0.45186276, 0.27406862])
    edge = gaussian_blur(torch.tensor([[[0.0, 1, 0], [0, 1, 0], [0, 1, 0]]]), 3, 0)
    assert edge[0, 0].tolist() == [0.5, 0.5, 0.5]
    whole = enlarge_by_area(torch.tensor([[[1.0, 2.0]]]), 2, 4)
    assert whole.tolist() == [[[1, 1, 2, 2], [1, 1, 2, 2]]]
    mixed = enlarge_by_area(torch.tensor([[[0.0, 1.0]]]), 1, 5)
    assert mixed[0, 0].tolist() == pytest.approx([0, 0, 0.5, 1, 1])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((picture(9, 9)[..., 0], picture(3, 3)), "scene must be uint8"),
        ((picture(9, 9), picture(3, 3).astype(float)), "target must be uint8"),
        ((picture(9, 9), picture(3, 3), np.zeros((0, 4), int)), "at least one"),
        ((picture(9, 9), picture(3, 3), None, (5, 5, 5, 6)), "with pixels between"),
        ((picture(9, 9), picture(3, 3), None, None, 1), "at least 2"),
    ],
)
def test_bad_trials_are_refused(arguments: tuple, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Trial(*arguments)


def test_bad_settings_are_refused() -> None:
    with pytest.raises(ValueError, match="weighting must be"):
        SearchSettings(weighting="nl")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="odd sides"):
        SearchSettings(contrast=((4, 1.0), (5, 1.0)))
    with pytest.raises(ValueError, match="cannot be divided"):
        grid_cells((3, 3), 6, 6)
    with pytest.raises(ValueError, match="batch must be"):
        search_trials(Ramp(), [], batch=0)

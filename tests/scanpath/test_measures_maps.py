"""Maps and conditional densities against fixations, as pysaliency computes them."""

import math
from types import ModuleType

import numpy as np
import pytest

from foveate.scanpath import Scanpath
from foveate.scanpath import measures as m


@pytest.fixture(scope="module")
def saliency(golden: ModuleType) -> tuple[list[np.ndarray], list[Scanpath], dict[str, np.ndarray]]:
    answers = {name: value.numpy() for name, value in golden.outputs("metrics/saliency").items()}
    maps = [answers[f"map{i}"] for i in range(3)]
    paths = []
    for i, one in enumerate(maps):
        here = answers["fix_image"] == i
        paths.append(Scanpath(answers["fix_x"][here], answers["fix_y"][here], (one.shape[1], one.shape[0])))
    return maps, paths, answers


def test_published_numbers_of_every_fixation(saliency: tuple) -> None:
    maps, paths, answers = saliency
    densities = [m.log_density(one, floor=0.05) for one in maps]
    both = list(zip(maps, paths, strict=True))
    np.testing.assert_allclose(
        np.concatenate([m.nss_values(one, path) for one, path in both]), answers["NSS_per_fixation"], rtol=1e-13
    )
    np.testing.assert_allclose(
        np.concatenate([m.auc_uniform_values(one, path) for one, path in both]),
        answers["AUC_uniform_per_fixation"],
        rtol=1e-13,
    )
    likelihoods = [m.log_likelihood_values(*pair) for pair in zip(densities, paths, strict=True)]
    np.testing.assert_allclose(np.concatenate(likelihoods), answers["loglikelihood_per_fixation_nats"], rtol=1e-13)


def test_published_means(saliency: tuple) -> None:
    maps, paths, answers = saliency
    densities = [m.log_density(one, floor=0.05) for one in maps]
    both = list(zip(maps, paths, strict=True))
    uniform = [m.auc_uniform(one, path) for one, path in both]
    shuffled = [m.auc_shuffled(maps[i], paths[i], paths[:i] + paths[i + 1 :]) for i in range(3)]
    gains = [m.information_gain_values(*pair) for pair in zip(densities, paths, strict=True)]
    np.testing.assert_allclose(uniform, answers["AUC_uniform_per_image"], rtol=1e-13)
    np.testing.assert_allclose(shuffled, answers["AUC_shuffled_per_image"], rtol=1e-13)
    by_image, by_fixation = (
        answers[f"information_gain_uniform_bits_average_{name}"][0] for name in ("images", "fixations")
    )
    assert np.mean([gain.mean() for gain in gains]) == pytest.approx(by_image, rel=1e-12)
    assert np.concatenate(gains).mean() == pytest.approx(by_fixation, rel=1e-12)


def test_small_maps_by_hand() -> None:
    grid = np.array([[0.0, 1.0], [1.0, 2.0]])
    best, worst = Scanpath([1.9], [1.0], (2, 2)), Scanpath([0.0], [0.9], (2, 2))
    assert m.nss(grid, best) == pytest.approx(1 / math.sqrt(0.5))
    # The fixated pixel itself is among the negatives of the uniform kind, and counts half.
    assert m.auc_uniform(grid, best) == 3.5 / 4
    assert m.auc_unfixated(grid, best) == 1
    assert m.auc_unfixated(grid, worst) == 0
    assert m.auc_unfixated(grid, [best, worst]) == 0.5
    assert m.auc_uniform(grid, Scanpath([1.0], [0.0], (2, 2))) == 0.5
    assert m.information_gain(m.log_density(grid), best) == pytest.approx(1)
    assert m.information_gain(m.log_density(grid), worst) == -math.inf
    assert m.information_gain(m.log_density(grid), best, baseline=m.log_density(grid)) == 0


def test_next_fixations_are_scored_one_by_one() -> None:
    path = Scanpath([0.0, 3.0, 1.0], [0.0, 2.0, 1.0], (4, 3))
    generator = np.random.default_rng(0)
    maps = [generator.random((3, 4)) for _ in range(2)]
    densities = [m.log_density(one) for one in maps]
    scores = m.next_fixation(densities, path)
    later = [Scanpath([3.0], [2.0], (4, 3)), Scanpath([1.0], [1.0], (4, 3))]
    assert scores.nss == pytest.approx([m.nss(*pair) for pair in zip(maps, later, strict=True)])
    assert scores.auc == pytest.approx([m.auc_uniform(*pair) for pair in zip(maps, later, strict=True)])
    expected = [math.log2(12 * one[y, x] / one.sum()) for one, (y, x) in zip(maps, [(2, 3), (1, 1)], strict=True)]
    assert scores.information_gain == pytest.approx(expected)
    assert scores.mean()["information_gain"] == pytest.approx(np.mean(expected))
    # An impossible fixation costs something finite with HAT's epsilon.
    never = m.log_density(np.eye(3, 4))
    with_epsilon = m.next_fixation([never], path.first(2), epsilon=2.2e-16)
    assert with_epsilon.information_gain[0] == pytest.approx(math.log2(2.2e-16 / (1 / 12 + 2.2e-16)))
    assert m.next_fixation([never], path.first(2)).information_gain[0] == -math.inf
    assert m.next_fixation([densities[0]], path.first(2), baseline=densities[0]).information_gain[0] == 0


GRID = np.arange(12.0).reshape(3, 4)
PATH = Scanpath([0.0, 3.0], [0.0, 2.0], (4, 3))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: m.nss(np.ones((3, 4)), PATH), "constant map"),
        (lambda: m.nss(GRID.T, PATH), "the map has 3x4 pixels and the picture 4x3"),
        (lambda: m.nss(GRID[0], PATH), "a height and a width"),
        (lambda: m.auc_uniform(np.where(GRID > 3, np.nan, GRID), PATH), "finite"),
        (lambda: m.auc_uniform(GRID, Scanpath([4.0], [0.0], (4, 3))), "outside the picture"),
        (lambda: m.auc_shuffled(GRID, PATH, []), "other pictures"),
        (lambda: m.auc_unfixated(GRID[:1, :1], Scanpath([0.0], [0.0], (1, 1))), "every pixel is fixated"),
        (lambda: m.log_likelihood(GRID, PATH), "must sum to 1"),
        (lambda: m.log_density(GRID - 1), "0 or more"),
        (lambda: m.log_density(GRID * 0), "0 or more"),
        (lambda: m.next_fixation([], PATH), "one density for each"),
        (lambda: m.next_fixation([m.log_density(GRID)] * 3, PATH), "got 3 for 2 fixations"),
        (lambda: m.next_fixation([m.log_density(GRID)], PATH, epsilon=-1), "epsilon"),
    ],
)
def test_bad_maps_are_refused(call, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        call()

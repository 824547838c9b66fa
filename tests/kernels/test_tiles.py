"""Tiles: the package's tables, a user's own, the rule, and tuning where there is nothing to tune."""

import json
from collections.abc import Iterator
from math import prod
from pathlib import Path

import pytest
import torch

from foveate.kernels.neighborhood import plan, tune
from foveate.kernels.neighborhood.problem import Inputs
from foveate.kernels.window import check_axes


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Keep the tables of this machine's user out of the tests, and those of the tests out of the cache."""
    monkeypatch.setenv("FOVEATE_CACHE", str(tmp_path))
    for cache in (plan.tuned, plan.tiling_for):
        cache.cache_clear()
    yield tmp_path
    for cache in (plan.tuned, plan.tiling_for):
        cache.cache_clear()


def test_every_entry_of_a_shipped_table_makes_tiles() -> None:
    # Those of the Gluon kernel have a test of their own.
    table = {key: setting for key, setting in plan.tuned("sm90").items() if not key.startswith("hopper")}
    assert {key.split()[0] for key in table} == set(plan.PASSES)
    for key, setting in table.items():
        kernel, _, _, _, window, _, stride, _, grid = key.split()
        sides = [[int(n) for n in word.split("x")] for word in (grid, window, stride)]
        axes = check_axes(tuple(max(side, w) for side, w in zip(*sides[:2], strict=True)), *map(tuple, sides[1:]))
        tiling = plan.make_tiling(axes, kernel, **setting)
        assert prod(tiling.tile) >= 16
        assert tiling.flat or prod(tiling.box) == tiling.block


def test_a_users_table_comes_before_the_package(own_cache: Path) -> None:
    axes = check_axes((56, 56), 7)
    before = plan.tiling_for(axes, 32, "forward", "sm90")
    setting = {"tile": [1, 4, 8], "block": 16, "warps": 1, "stages": 4}
    tune._save(plan.user_table("sm90"), {plan.signature(axes, 32, "forward"): setting})
    plan.tuned.cache_clear()
    plan.tiling_for.cache_clear()
    after = plan.tiling_for(axes, 32, "forward", "sm90")
    assert after != before
    assert (after.tile, after.block, after.warps, after.stages) == ((1, 4, 8), 16, 1, 4)
    assert [path.name for path in own_cache.iterdir()] == ["neighborhood-sm90.json"]
    tune._save(plan.user_table("sm90"), {"another": setting})
    assert set(json.loads(plan.user_table("sm90").read_text())) == {plan.signature(axes, 32, "forward"), "another"}


def test_a_gpu_without_a_table_gets_the_rule() -> None:
    axes = check_axes((20, 30), (5, 7))
    assert plan.tuned("sm12") == {}
    assert plan.tiling_for(axes, 64, "key", "sm12") == plan.by_rule(axes, 64, "key")


@pytest.mark.parametrize(("grid", "window"), [((4000,), 65), ((56, 56), 7), ((64, 64), 33), ((8, 16, 16), 5)])
def test_candidates_fit_their_problem(grid: tuple[int, ...], window: int) -> None:
    axes = check_axes(grid, window)
    settings = tune.candidates(axes, 64)
    tilings = {plan.make_tiling(axes, kernel, **setting) for setting in settings for kernel in plan.PASSES}
    assert len(tilings) >= 8
    assert all(prod(tiling.tile) >= 16 for tiling in tilings)


def test_tuning_needs_a_gpu() -> None:
    q, k, v = torch.randn(3, 1, 9, 9, 2, 16)
    with pytest.raises(RuntimeError, match="CUDA device, got cpu"):
        tune.tune(Inputs(q, k, v), check_axes((9, 9), 3))

"""timm's FasterNet against what its authors' code answers: the control beside PATNet has to be the published one."""

import re
from pathlib import Path
from types import ModuleType

import pytest
import torch
from torch import Tensor, nn

from tests.backbones.official import assert_close, load

CASES = {
    "t0_224": "fasternet_t0",
    "t0_192x256": "fasternet_t0",
    "t2_224": "fasternet_t2",
    "m_224": "fasternet_m",
    "l_224": "fasternet_l",
}


def timm_keys(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """Name the authors' tensors as timm does, which loads no files of theirs."""

    def rename(key: str) -> str:
        key = re.sub(r"^stages\.([135])\.", lambda match: f"stages.{(int(match[1]) + 1) // 2}.downsample.", key)
        key = re.sub(r"^stages\.([0246])\.blocks", lambda match: f"stages.{int(match[1]) // 2}.blocks", key)
        return re.sub(r"^head\.", "classifier.", re.sub(r"^avgpool_pre_head\.1\.", "conv_head.", key))

    return {rename(key): value for key, value in state.items()}


@pytest.mark.parametrize("case", CASES)
def test_models_answer_as_published(case: str, golden: ModuleType, tmp_path: Path) -> None:
    spec, wanted = golden.load(f"fasternet/{case}"), golden.outputs(f"fasternet/{case}")
    model = load(CASES[case], timm_keys(golden.fill_state(spec)), tmp_path)
    assert sum(p.numel() for p in model.parameters()) == spec["params"]
    with torch.inference_mode():
        final, stages = model.forward_intermediates(golden.make_input(spec))
        logits = model.forward_head(final)
    assert_close(logits, wanted["logits"])
    for number, step in enumerate((4, 2, 2, 1)):
        assert_close(stages[number][:, :8, ::step, ::step], wanted[f"stage{number}"])


def test_dense_pyramid_is_as_published(golden: ModuleType, tmp_path: Path) -> None:
    spec, wanted = golden.load("fasternet/t0_forkfeat_320x256"), golden.outputs("fasternet/t0_forkfeat_320x256")
    state = golden.fill_state(spec)
    norms = {key: state.pop(key) for key in list(state) if key.startswith("norm")}
    model = load("fasternet_t0", timm_keys(state), tmp_path, features_only=True)
    with torch.inference_mode():
        pyramid = model(golden.make_input(spec))
    assert len(pyramid) == len(wanted) == 4
    for number, step in enumerate((8, 4, 2, 1)):
        # timm's model has no norms of the maps.
        mean, variance, weight, bias = (
            norms[f"norm{2 * number}.{name}"] for name in ("running_mean", "running_var", "weight", "bias")
        )
        normed = nn.functional.batch_norm(pyramid[number], mean, variance, weight, bias)
        assert_close(normed[:, :8, ::step, ::step], wanted[f"f{number}"])

"""PATNet against what the authors' code answers."""

from pathlib import Path
from types import ModuleType

import pytest
import torch

import foveate.backbones  # noqa: F401
from foveate.backbones.patnet_mixers import GaussianGate, PartialMixer, SpatialGate
from tests.backbones.official import assert_close, load

MODELS = {
    "m_224": ("patnet_m", {}),
    "t0_repo_cfg_224": ("patnet_t0", {}),
    "t0_spatial_224": ("patnet_t0", {"spatial_attn": True}),
    "t0_spatial_256x192": ("patnet_t0", {"spatial_attn": True}),
    "t1_224": ("patnet_t1", {}),
    "t1_layerscale_224": ("patnet_t1", {"layer_scale": 1e-5}),
    "t1_pconv_only_224": ("patnet_t1", {"channel_attn": False, "spatial_attn": False}),
    "t2_224": ("patnet_t2", {}),
    "t2_6heads_224": ("patnet_t2", {"heads": 6}),
}
MODULES = {
    "mod_pat_ch": lambda: PartialMixer(32, "se"),
    "mod_pat_sf": lambda: PartialMixer(64, "self"),
    "mod_pat_sf_large": lambda: PartialMixer(64, "self"),
    "mod_pat_sp": lambda: SpatialGate(32),
    "mod_srm": lambda: GaussianGate(24),
}


@pytest.mark.parametrize("case", MODULES)
def test_modules_answer_as_published(case: str, golden: ModuleType) -> None:
    spec = golden.load(f"patnet/{case}")
    module = MODULES[case]().eval()
    module.load_state_dict(golden.fill_state(spec), strict=False)
    with torch.inference_mode():
        assert_close(module(golden.make_input(spec)), golden.outputs(f"patnet/{case}")["y"])


@pytest.mark.parametrize("case", MODELS)
def test_models_answer_as_published(case: str, golden: ModuleType, tmp_path: Path) -> None:
    name, arguments = MODELS[case]
    spec, wanted = golden.load(f"patnet/{case}"), golden.outputs(f"patnet/{case}")
    model = load(name, {"state_dict": golden.fill_state(spec)}, tmp_path, **arguments)
    assert sum(p.numel() for p in model.parameters()) == spec["params"]
    with torch.inference_mode():
        final, stages = model.forward_intermediates(golden.make_input(spec))
        logits = model.forward_head(final)
    assert wanted.keys() == {"logits", "stage0", "stage1", "stage2", "stage3"}
    assert_close(logits, wanted["logits"])
    for number, step in enumerate((4, 2, 2, 1)):
        assert_close(stages[number][:, :8, ::step, ::step], wanted[f"stage{number}"])


def test_dense_pyramid_is_as_published(golden: ModuleType, tmp_path: Path) -> None:
    spec, wanted = golden.load("patnet/t0_forkfeat_320x256"), golden.outputs("patnet/t0_forkfeat_320x256")
    file = {"state_dict": {f"backbone.{key}": value for key, value in golden.fill_state(spec).items()}}
    file["state_dict"]["decode_head.conv_seg.weight"] = torch.zeros(3, 64, 1, 1)
    with pytest.raises(RuntimeError, match="out_norms=True"):
        load("patnet_t0", file, tmp_path, spatial_attn=True, features_only=True)
    model = load("patnet_t0", file, tmp_path, spatial_attn=True, out_norms=True, features_only=True)
    assert sum(p.numel() for p in model.parameters()) == spec["params"]
    with torch.inference_mode():
        pyramid = model(golden.make_input(spec))
    assert len(pyramid) == len(wanted) == 4
    for number, step in enumerate((8, 4, 2, 1)):
        assert_close(pyramid[number][:, :8, ::step, ::step], wanted[f"f{number}"])

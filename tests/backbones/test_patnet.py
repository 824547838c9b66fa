"""PATNet against what the authors' code answers."""

import pytest
import timm
import torch

import foveate.backbones  # noqa: F401
from foveate.backbones.patnet_mixers import GaussianGate, PartialMixer, SpatialGate

MODELS = {
    "m_224": ("patnet_m", {}),
    "t0_forkfeat_320x256": ("patnet_t0", {"spatial_attn": True}),
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


def assert_close(ours: torch.Tensor, golden: torch.Tensor) -> None:
    assert ours.shape == golden.shape
    assert (ours - golden).abs().max() <= 1e-4 * golden.std().clamp(min=1e-3) + 1e-6


@pytest.mark.parametrize("case", MODULES)
def test_modules_answer_as_published(case: str, golden) -> None:
    spec = golden.load(f"patnet/{case}")
    module = MODULES[case]().eval()
    module.load_state_dict(golden.fill_state(spec), strict=False)
    with torch.inference_mode():
        assert_close(module(golden.make_input(spec)), golden.outputs(f"patnet/{case}")["y"])


@pytest.mark.parametrize("case", MODELS)
def test_models_answer_as_published(case: str, golden, tmp_path) -> None:
    name, arguments = MODELS[case]
    spec = golden.load(f"patnet/{case}")
    state = golden.fill_state(spec)
    dense = {key: state.pop(key) for key in list(state) if key.startswith("norm")}
    if "head.weight" not in state:
        model = timm.create_model(name, num_classes=0, **arguments).eval()
        missing, unexpected = model.load_state_dict(state, strict=False)
        assert not unexpected
        assert all(k.startswith("avgpool_pre_head") or k.endswith("num_batches_tracked") for k in missing)
    else:
        torch.save({"state_dict": state}, tmp_path / "weights.pth")
        model = timm.create_model(
            name, pretrained=True, pretrained_cfg_overlay={"file": str(tmp_path / "weights.pth")}, **arguments
        ).eval()
    wanted = golden.outputs(f"patnet/{case}")
    x = golden.make_input(spec)
    with torch.inference_mode():
        _, stages = model.forward_intermediates(x)
        if dense:
            for number, stage in enumerate(stages):
                norm = torch.nn.BatchNorm2d(stage.shape[1]).eval()
                norm.load_state_dict(
                    {k.split(".")[1]: v for k, v in dense.items() if k.startswith(f"norm{2 * number}.")}, strict=False
                )
                step = (8, 4, 2, 1)[number]
                assert_close(norm(stage)[:, :8, ::step, ::step], wanted[f"f{number}"])
            return
        for number, step in enumerate((4, 2, 2, 1)):
            if f"stage{number}" in wanted:
                assert_close(stages[number][:, :8, ::step, ::step], wanted[f"stage{number}"])
        assert_close(model(x), wanted["logits"] if "logits" in wanted else wanted["y"])

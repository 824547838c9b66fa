"""DiNAT, DiNAT_s and the isotropic models against what the authors' code and transformers answer."""

from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import timm
import torch
from torch import nn

import foveate.backbones.dinat_s
import foveate.backbones.nat  # noqa: F401
from foveate.backbones.nat_isotropic import FullAttention2D
from tests.backbones.official import assert_close, load

CASES = {
    "mini_160x200": "dinat_mini",
    "mini_224": "dinat_mini",
    "mini_288x352": "dinat_mini",
    "tiny_224": "dinat_tiny",
    "small_224": "dinat_small",
    "s_tiny_224": "dinat_s_tiny",
    "s_tiny_250x302": "dinat_s_tiny",
    "s_small_224": "dinat_s_small",
    "iso_nat_small_224": "nat_isotropic_small",
    "iso_dinat_small_224": "dinat_isotropic_small",
    "iso_vitrpb_small_224": "vitrpb_small",
}
LARGE = {"large_224": "dinat_large", "large_384": "dinat_large_384"}
TRANSFORMERS: dict[str, tuple[str, dict[str, Any]]] = {
    "hf_mini_224": ("dinat_mini", {}),
    "hf_small_like_ls_192x256": ("nat_small", {"depths": (3, 4, 6, 5)}),
}
PARAMETERS = {
    "dinat_mini": 19_984_174,
    "dinat_tiny": 27_901_582,
    "dinat_small": 50_719_681,
    "dinat_base": 89_769_652,
    "dinat_large": 200_943_514,
    "dinat_large_384": 200_943_514,
    "dinat_large_384_11x11": 201_144_250,
    "dinat_s_tiny": 28_288_354,
    "dinat_s_small": 49_606_258,
    "dinat_s_base": 87_768_224,
    "dinat_s_large": 196_532_476,
    "dinat_s_large_384": 196_532_476,
    "nat_isotropic_small": 21_999_736,
    "nat_isotropic_base": 86_465_800,
    "dinat_isotropic_small": 21_999_736,
    "dinat_isotropic_base": 86_465_800,
    "vitrpb_small": 22_080_376,
}
ADE = [[1, 16, 1], [1, 4, 1, 8], [1, 2, 1, 3, 1, 4], [1, 2, 1, 2, 1]]


def check(case: str, name: str, golden: ModuleType, folder: Path) -> None:
    spec, wanted = golden.load(f"dinat/{case}"), golden.outputs(f"dinat/{case}")
    model = load(name, golden.fill_state(spec), folder)
    assert sum(p.numel() for p in model.parameters()) == spec["params"]
    kind = "layer" if case.startswith("iso") else "stage"
    with torch.inference_mode():
        final, stages = model.forward_intermediates(golden.make_input(spec))
        found = {f"{kind}{number}": stage[:, :8] for number, stage in enumerate(stages)}
        found |= {"pooled": model.forward_head(final, pre_logits=True), "logits": model.forward_head(final)}
    assert len(wanted) >= 5
    for name, tensor in wanted.items():
        assert_close(found[name], tensor)


@pytest.mark.parametrize("case", CASES)
def test_models_answer_as_published(case: str, golden: ModuleType, tmp_path: Path) -> None:
    check(case, CASES[case], golden, tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("case", LARGE)
def test_large_models_answer_as_published(case: str, golden: ModuleType, tmp_path: Path) -> None:
    check(case, LARGE[case], golden, tmp_path)


@pytest.mark.parametrize("case", TRANSFORMERS)
def test_checkpoints_of_transformers_load(case: str, golden: ModuleType, tmp_path: Path) -> None:
    spec, wanted = golden.load(f"dinat/{case}"), golden.outputs(f"dinat/{case}")
    name, arguments = TRANSFORMERS[case]
    model = load(name, golden.fill_state(spec), tmp_path, **arguments)
    assert sum(p.numel() for p in model.parameters()) == spec["params"]
    with torch.inference_mode():
        final, (last,) = model.forward_intermediates(golden.make_input(spec), indices=1)
        logits = model.forward_head(final)
    assert_close(logits, wanted["logits"])
    assert_close(last[:, :8], wanted["hidden_last"])


def test_dense_predictors_answer_as_published(golden: ModuleType, tmp_path: Path) -> None:
    case = "dinat/mini_dense_ade_dilations_512"
    spec, wanted = golden.load(case), golden.outputs(case)
    state = {f"backbone.{key}": value for key, value in golden.fill_state(spec).items()}
    state["decode_head.conv_seg.weight"] = torch.zeros(150, 512, 1, 1)
    model = load("dinat_mini", {"state_dict": state}, tmp_path, dilations=ADE, out_norms=True, features_only=True)
    assert sum(p.numel() for p in model.parameters()) == spec["params"]
    with torch.inference_mode():
        maps = model(golden.make_input(spec))
    assert len(maps) == len(wanted) == 4
    for number, tensor in enumerate(maps):
        assert_close(tensor[:, :8], wanted[f"out{number}"])


def test_gradients_are_as_published(golden: ModuleType, tmp_path: Path) -> None:
    spec, wanted = golden.load("dinat/mini_grad_224x256"), golden.outputs("dinat/mini_grad_224x256")
    model = load("dinat_mini", golden.fill_state(spec), tmp_path)
    x = golden.make_input(spec).requires_grad_()
    logits = model(x)
    (logits * golden.make_input(spec, "probe")).sum().backward()
    assert_close(logits.detach(), wanted.pop("logits"))
    assert_close(x.grad, wanted.pop("grad_x"), 1e-3)
    assert len(wanted) == 7
    parameters = dict(model.named_parameters())
    for name, tensor in wanted.items():
        gradient = parameters[name.removeprefix("grad:")].grad
        assert_close(gradient if gradient.ndim == 1 else gradient[:16], tensor, 1e-3)


@pytest.mark.parametrize("name", PARAMETERS)
def test_parameters_are_as_many_as_published(name: str) -> None:
    assert sum(p.numel() for p in timm.create_model(name, device="meta").parameters()) == PARAMETERS[name]


def test_default_dilations() -> None:
    def of(name: str) -> list[list[int]]:
        model = timm.create_model(name, device="meta")
        return [[block.attn.dilation[0] for block in stage.blocks] for stage in model.stages]

    assert of("dinat_tiny") == [[1, 8, 1], [1, 4] * 2, [1, 2] * 9, [1] * 5]
    assert of("dinat_large_384") == [[1, 13, 1], [1, 6] * 2, [1, 3] * 9, [1] * 5]
    assert of("dinat_large_384_11x11") == of("dinat_tiny")
    assert of("dinat_s_tiny") == [[1, 8], [1, 4], [1, 2] * 3, [1, 1]]
    assert of("dinat_s_large_384") == [[1, 13], [1, 6], [1, 3] * 9, [1, 1]]
    layers = timm.create_model("dinat_isotropic_small", device="meta").layers
    assert [layer.attn.dilation[0] for layer in layers] == [1, 2] * 6


def test_a_checkpoint_of_transformers_that_misses_a_key_is_refused_by_name(golden: ModuleType, tmp_path: Path) -> None:
    state = golden.fill_state(golden.load("dinat/hf_mini_224"))
    del state["dinat.encoder.levels.1.layers.2.attention.self.key.bias"]
    with pytest.raises(RuntimeError, match=r"missing levels\.1\.blocks\.2\.attn\.qkv\.bias, unexpected .*query\.bias"):
        load("dinat_mini", state, tmp_path)


def test_the_index_in_checkpoints_of_the_plain_transformer_is_not_needed(tmp_path: Path) -> None:
    arguments = {"embed_dim": 32, "depth": 2, "num_heads": 2}
    source = timm.create_model("vitrpb_small", **arguments)
    index = {f"layers.{i}.attn.relative_position_index": torch.zeros(196, 196, dtype=torch.int64) for i in (0, 1)}
    model = load("vitrpb_small", {**source.state_dict(), **index}, tmp_path, **arguments)
    assert all(torch.equal(value, source.state_dict()[key]) for key, value in model.state_dict().items())


@pytest.mark.parametrize("grid", [(4, 4), (3, 4), (2, 1)])
def test_full_attention_on_grids_up_to_its_table(grid: tuple[int, int]) -> None:
    torch.manual_seed(0)
    module = FullAttention2D(16, 2, 4, rel_pos_bias=True, pad_input=True)
    nn.init.normal_(module.rpb)
    x = torch.randn(2, *grid, 16)
    query, key, value = module.qkv(x.flatten(1, 2)).unflatten(-1, (3, 2, 8)).permute(2, 0, 3, 1, 4)
    row, column = (axis.flatten() for axis in torch.meshgrid(*map(torch.arange, grid), indexing="ij"))
    bias = module.rpb[:, row - row[:, None] + 3, column - column[:, None] + 3]
    mixed = nn.functional.scaled_dot_product_attention(query, key, value, bias)
    torch.testing.assert_close(module(x), module.proj(mixed.transpose(1, 2).flatten(2)).view_as(x))
    module(x).sum().backward()
    assert module.rpb.grad.ndim == 3


def test_full_attention_on_larger_grids_sees_as_far_as_its_table() -> None:
    module = FullAttention2D(16, 2, 4, rel_pos_bias=True)
    x = torch.randn(1, 4, 6, 16, requires_grad=True)
    module(x)[0, :, 0].sum().backward()
    assert x.grad[0, :, :4].abs().amin(dim=-1).gt(0).all()
    assert x.grad[0, :, 4:].eq(0).all()


@pytest.mark.parametrize("name", ["dinat_s_tiny", "nat_isotropic_small", "dinat_isotropic_small", "vitrpb_small"])
@pytest.mark.parametrize("size", [(1, 1), (33, 250), (100, 31)])
def test_any_size_of_picture(name: str, size: tuple[int, int]) -> None:
    model = timm.create_model(name, num_classes=5, embed_dim=24, num_heads=(1, 2, 4, 8) if "_s_" in name else 2).eval()
    with torch.inference_mode():
        final, stages = model.forward_intermediates(torch.randn(1, 3, *size))
    for info, stage in zip(model.feature_info, stages, strict=True):
        assert stage.shape[1:] == (info["num_chs"], *(-(-side // info["reduction"]) for side in size))
    assert final.isfinite().all()


def test_isotropic_features_are_those_of_three_layers() -> None:
    model = timm.create_model("nat_isotropic_small", features_only=True, embed_dim=24, num_heads=2)
    maps = model(torch.zeros(1, 3, 64, 32))
    assert [tuple(tensor.shape) for tensor in maps] == [(1, 24, 4, 2)] * 3
    assert model.feature_info.reduction() == [16, 16, 16]


def test_official_files() -> None:
    home = "https://shi-labs.com/projects/"
    files = {
        "nat_mini": "nat/checkpoints/CLS/nat_mini.pth",
        "dinat_base": "dinat/checkpoints/imagenet1k/dinat_base_in1k_224.pth",
        "dinat_large": "dinat/checkpoints/imagenet1k/dinat_large_in22k_in1k_224.pth",
        "dinat_large_384_11x11": "dinat/checkpoints/imagenet1k/dinat_large_in22k_in1k_384_11x11.pth",
        "dinat_large_21k_11x11": "dinat/checkpoints/imagenet22k/dinat_large_in22k_224_11x11interp.pth",
        "dinat_s_large_384": "dinat/checkpoints/imagenet1k/dinat_s_large_in1k_384.pth",
        "vitrpb_base": "dinat/checkpoints/isotropic/vitrpb_base_in1k_224.pth",
    }
    for name, file in files.items():
        config = timm.get_pretrained_cfg(name)
        assert (config.url, config.crop_pct) == (f"{home}{file}", 1.0 if "384" in name else 0.875)
    assert timm.get_pretrained_cfg("dinat_mini.in1k_hf").hf_hub_id == "shi-labs/dinat-mini-in1k-224"

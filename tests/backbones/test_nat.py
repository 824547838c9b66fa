"""NAT against what the authors' code answers, and what its models do beside that."""

from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import timm
import torch
from torch import nn

import foveate.backbones.nat  # noqa: F401
from foveate.backbones.layers.neighborhood import NeighborhoodAttention2D
from foveate.backbones.nat_base import spread_dilations
from tests.backbones.official import assert_close, load

CASES = {
    "mini_200x264": "nat_mini",
    "mini_224": "nat_mini",
    "mini_96x160": "nat_mini",
    "tiny_224": "nat_tiny",
    "small_224": "nat_small",
}
PARAMETERS = {
    "nat_mini": 19_984_174,
    "nat_tiny": 27_901_582,
    "nat_small": 50_743_297,
    "nat_base": 89_769_652,
}
SMALL = {"embed_dim": 32, "depths": (1, 1, 1, 1), "num_heads": (1, 2, 4, 8)}


def small(**arguments: Any) -> nn.Module:
    torch.manual_seed(0)
    return timm.create_model("nat_mini", **{**SMALL, **arguments}).eval()


@pytest.mark.parametrize("case", CASES)
def test_models_answer_as_published(case: str, golden: ModuleType, tmp_path: Path) -> None:
    spec, wanted = golden.load(f"nat/{case}"), golden.outputs(f"nat/{case}")
    model = load(CASES[case], golden.fill_state(spec), tmp_path)
    assert sum(p.numel() for p in model.parameters()) == spec["params"]
    with torch.inference_mode():
        final, stages = model.forward_intermediates(golden.make_input(spec))
        found = {f"stage{number}": stage[:, :8] for number, stage in enumerate(stages)}
        found |= {"pooled": model.forward_head(final, pre_logits=True), "logits": model.forward_head(final)}
    assert set(found) == set(wanted)
    for name, tensor in wanted.items():
        assert_close(found[name], tensor)


def test_dense_predictors_answer_as_published(golden: ModuleType, tmp_path: Path) -> None:
    spec, wanted = golden.load("nat/mini_dense_256x320"), golden.outputs("nat/mini_dense_256x320")
    model = load("nat_mini", golden.fill_state(spec), tmp_path, out_norms=True, features_only=True)
    assert sum(p.numel() for p in model.parameters()) == spec["params"]
    with torch.inference_mode():
        maps = model(golden.make_input(spec))
    assert len(maps) == len(wanted) == 4
    for number, tensor in enumerate(maps):
        assert_close(tensor[:, :8], wanted[f"out{number}"])


def test_gradients_are_as_published(golden: ModuleType, tmp_path: Path) -> None:
    spec, wanted = golden.load("nat/mini_grad_112x144"), golden.outputs("nat/mini_grad_112x144")
    model = load("nat_mini", golden.fill_state(spec), tmp_path)
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
    model = timm.create_model(name, device="meta")
    assert sum(p.numel() for p in model.parameters()) == PARAMETERS[name]
    assert ("levels.0.blocks.0.gamma1" in model.state_dict()) == (name in ("nat_small", "nat_base"))


@pytest.mark.parametrize("wrapper", ["", "model", "state_dict", "module.", "state_dict_ema", "backbone."])
def test_wrapped_checkpoints_load(wrapper: str, tmp_path: Path) -> None:
    source = small()
    state: Any = source.state_dict()
    if wrapper.endswith("."):
        state = {f"{wrapper}{key}": value for key, value in state.items()}
    elif wrapper:
        state = {wrapper: state, "epoch": 7}
    model = load("nat_mini", state, tmp_path, **SMALL)
    assert all(torch.equal(value, source.state_dict()[key]) for key, value in model.state_dict().items())


def test_a_checkpoint_that_does_not_fit_is_refused_by_name(tmp_path: Path) -> None:
    state = small().state_dict()
    bias = state.pop("levels.2.blocks.0.attn.rpb")
    with pytest.raises(RuntimeError, match=r"missing levels\.2\.blocks\.0\.attn\.rpb, unexpected nothing"):
        load("nat_mini", state, tmp_path, **SMALL)
    state |= {"levels.2.blocks.0.attn.rpb": bias, "levels.2.blocks.0.gamma1": bias}
    with pytest.raises(RuntimeError, match=r"missing nothing, unexpected levels\.2\.blocks\.0\.gamma1"):
        load("nat_mini", state, tmp_path, **SMALL)
    del state["levels.2.blocks.0.gamma1"]
    with pytest.raises(RuntimeError, match="create the model with 1 heads there and kernel_size=7"):
        load("nat_mini", state, tmp_path, **SMALL, kernel_size=11)


def test_a_classifier_starts_a_dense_predictor(tmp_path: Path) -> None:
    classifier = small()
    with torch.no_grad():
        classifier.norm.weight.fill_(3.0)
    dense = load("nat_mini", classifier.state_dict(), tmp_path, **SMALL, out_norms=True, features_only=True)
    x = torch.randn(1, 3, 64, 96)
    maps, plain = dense(x), classifier.forward_intermediates(x, intermediates_only=True)
    for found, stage in zip(maps, plain, strict=True):
        torch.testing.assert_close(
            found, nn.functional.layer_norm(stage.movedim(1, -1), stage.shape[1:2]).movedim(-1, 1)
        )


@pytest.mark.parametrize("size", [(1, 1), (33, 250), (100, 31)])
def test_any_size_of_picture(size: tuple[int, int]) -> None:
    model = small(num_classes=5)
    with torch.inference_mode():
        final, stages = model.forward_intermediates(torch.randn(2, 3, *size))
    sides = [tuple(-(-side // 2**power) for side in size) for power in (2, 3, 4, 5)]
    assert [tuple(stage.shape[2:]) for stage in stages] == sides
    assert final.isfinite().all()


def test_dilations_change_the_answer_and_not_the_weights() -> None:
    x = torch.randn(1, 3, 64, 64)
    plain = small()
    dilated = small(dilations=[[2], [1], [1], [1]])
    dilated.load_state_dict(plain.state_dict())
    assert not torch.allclose(plain(x), dilated(x))
    assert [m.dilation for m in dilated.modules() if isinstance(m, NeighborhoodAttention2D)] == [(2, 2), *[(1, 1)] * 3]


def test_a_list_of_dilations_is_repeated_or_refused() -> None:
    assert spread_dilations(None, (1, 2)) == [[1], [1, 1]]
    assert spread_dilations([[1, 8, 1], [1, 2]], (3, 6)) == [[1, 8, 1], [1, 2, 1, 2, 1, 2]]
    for wrong in ([[1, 8, 1]], [[1, 8], [1, 2]], [[], [1]]):
        with pytest.raises(ValueError, match=r"a list for each of the stages of \(3, 6\) blocks"):
            spread_dilations(wrong, (3, 6))


def test_layer_scales_and_dropped_branches() -> None:
    model = small(layer_scale=0.0)
    x = torch.randn(1, 8, 8, 32)
    torch.testing.assert_close(model.levels[0](x), x)
    deep = timm.create_model("nat_small", depths=(1, 1, 2, 1), device="meta")
    rates = [
        block.drop_path.drop_prob
        for level in deep.levels
        for block in level.blocks
        if hasattr(block.drop_path, "drop_prob")
    ]
    assert rates == pytest.approx([0.075, 0.15, 0.225, 0.3])


def test_outputs_in_each_layout_and_without_pooling() -> None:
    model, x = small(num_classes=5), torch.randn(1, 3, 64, 96)
    with torch.inference_mode():
        final, rows = model.forward_intermediates(x, indices=[1, -1], norm=True, output_fmt="NHWC")
        early, _ = model.forward_intermediates(x, indices=[1], stop_early=True)
        assert torch.equal(final, model.forward_features(x))
        assert torch.equal(rows[1], final)
        assert torch.equal(early, rows[0])
        model.reset_classifier(7, "")
        assert model(x).shape == (1, 2, 3, 7)
        model.reset_classifier(7, "catavgmax")
        assert model(x).shape == (1, 7)
    with pytest.raises(ValueError, match="output_fmt must be NCHW or NHWC"):
        model.forward_intermediates(x, output_fmt="NLC")


def test_layers_are_grouped_for_layer_wise_rates() -> None:
    model = small(depths=(1, 2, 1, 1))
    assert model.no_weight_decay() == {name for name in model.state_dict() if name.endswith("rpb")}
    from timm.models import group_parameters

    groups = group_parameters(model, model.group_matcher())
    where = {name: number for number, names in groups.items() for name in names}
    assert where["patch_embed.proj.0.weight"] == 0
    assert where["levels.1.downsample.norm.weight"] == where["levels.1.blocks.1.attn.rpb"] == 3
    assert where["norm.weight"] == where["levels.3.blocks.0.attn.rpb"] == 5
    assert where["head.weight"] == 6


def test_pruned_models_keep_no_parameter_that_is_not_used() -> None:
    model = small(out_norms=True, num_classes=0)
    features = model.forward_intermediates(torch.zeros(1, 3, 64, 64), [0, 2], intermediates_only=True)
    assert model.prune_intermediate_layers([0, 2]) == [0, 2]
    again = model.forward_intermediates(torch.zeros(1, 3, 64, 64), [0, 2], intermediates_only=True)
    assert all(torch.equal(one, other) for one, other in zip(features, again, strict=True))
    sum(feature.square().sum() for feature in again).backward()
    assert all(parameter.grad is not None for parameter in model.parameters())

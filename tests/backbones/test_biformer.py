"""BiFormer against what the authors' code answers, and what its models do beside that."""

from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import timm
import torch
from timm.optim import param_groups_layer_decay
from torch import Tensor, nn

import foveate.backbones.biformer  # noqa: F401
from foveate.backbones.layers.bilevel import BiLevelRoutingAttention
from foveate.kernels import routed_attention
from tests.backbones.official import assert_close, load

CASES = {
    "tiny_224": "biformer_tiny",
    "tiny_224x336": "biformer_tiny",
    "tiny_autopad_256x200": "biformer_tiny",
    "small_224": "biformer_small",
    "base_224": "biformer_base",
    "stl_224": "biformer_stl",
    "stl_nchw_224": "biformer_stl_nchw",
    "stl_nchw_256x320": "biformer_stl_nchw",
}
PARAMETERS = {
    "biformer_tiny": 13_142_760,
    "biformer_small": 25_536_232,
    "biformer_base": 56_804_968,
    "biformer_stl": 28_372_552,
    "biformer_stl_nchw": 28_372_552,
}
WRAPPERS = {
    "bare": lambda state: state,
    "model": lambda state: {"model": state, "epoch": 300},
    "module": lambda state: {"state_dict": {f"module.{key}": value for key, value in state.items()}},
    "ema": lambda state: {
        "model": {key: torch.zeros_like(value) for key, value in state.items()},
        "model_ema": state,
    },
}
SMALL = {"depths": (1, 1, 1, 1), "dims": (32, 32, 64, 64), "num_classes": 5}


def small(name: str = "biformer_tiny", **arguments: Any) -> nn.Module:
    torch.manual_seed(0)
    return timm.create_model(name, **{**SMALL, **arguments}).eval()


def chosen_regions(model: nn.Module, x: Tensor) -> tuple[Tensor, list[Tensor]]:
    """Final features, and the regions that each routed attention attends to, sorted."""
    found: list[Tensor] = []

    def record(module: nn.Module, inputs: tuple[Tensor]) -> None:
        parts = module.qkv(inputs[0]).chunk(3, dim=-1)
        heads = [part.unflatten(-1, (module.num_heads, -1)) for part in parts]
        index = routed_attention(*heads, module.regions, module.topk, return_routing=True)[1]
        found.append(index[:, 0].sort(dim=-1).values)

    attentions = [module for module in model.modules() if isinstance(module, BiLevelRoutingAttention)]
    hooks = [attention.register_forward_pre_hook(record) for attention in attentions]
    final = model.forward_features(x)
    for hook in hooks:
        hook.remove()
    return final, found


@pytest.mark.parametrize("case", CASES)
def test_models_answer_as_published(case: str, golden: ModuleType, tmp_path: Path) -> None:
    spec, wanted = golden.load(f"biformer/{case}"), golden.outputs(f"biformer/{case}")
    model = load(CASES[case], {"model": golden.fill_state(spec)}, tmp_path)
    assert sum(p.numel() for p in model.parameters()) == spec["params"]
    with torch.inference_mode():
        final, stages = model.forward_intermediates(golden.make_input(spec))
        found = {f"stage{number}": stage[:, :8] for number, stage in enumerate(stages)}
        found |= {"features": final[:, :8], "logits": model.forward_head(final)}
    assert found.keys() == {key for key in wanted if not key.startswith("route_")}
    for key, ours in found.items():
        assert_close(ours, wanted[key])


def test_regions_are_chosen_as_published(golden: ModuleType, tmp_path: Path) -> None:
    spec, wanted = golden.load("biformer/tiny_224"), golden.outputs("biformer/tiny_224")
    model = load("biformer_tiny", golden.fill_state(spec), tmp_path)
    with torch.inference_mode():
        _, found = chosen_regions(model, golden.make_input(spec))
    assert len(found) == sum(key.startswith("route_idx") for key in wanted) == 12
    for number, index in enumerate(found):
        clear = wanted[f"route_gap{number}"] > 1e-5
        assert clear.float().mean() > 0.9
        assert torch.equal(index[clear], wanted[f"route_idx{number}"].long()[clear])


def test_gradients_are_as_published(golden: ModuleType, tmp_path: Path) -> None:
    spec, wanted = golden.load("biformer/tiny_grad_224"), golden.outputs("biformer/tiny_grad_224")
    model = load("biformer_tiny", {"model": golden.fill_state(spec)}, tmp_path)
    x = golden.make_input(spec).requires_grad_()
    logits = model(x)
    (logits * golden.make_input(spec, "probe")).sum().backward()
    assert_close(logits.detach(), wanted.pop("logits"))
    assert_close(x.grad, wanted.pop("grad_x"), 1e-3)
    parameters = dict(model.named_parameters())
    for key, gradient in wanted.items():
        ours = parameters[key.removeprefix("grad:")].grad
        assert_close(ours if ours.ndim == 1 else ours[:16], gradient, 1e-3)


def test_dense_pyramid_is_as_published(golden: ModuleType, tmp_path: Path) -> None:
    case = "biformer/tiny_dense_nwin8_256x320"
    spec, wanted = golden.load(case), golden.outputs(case)
    state = golden.fill_state(spec)
    file = {"state_dict": {f"backbone.{key}": value for key, value in state.items()}}
    file["state_dict"]["decode_head.conv_seg.weight"] = torch.zeros(3, 64, 1, 1)
    with pytest.raises(RuntimeError, match="out_norms=True"):
        load("biformer_tiny", file, tmp_path, features_only=True)
    model = load("biformer_tiny", file, tmp_path, features_only=True, out_norms=True, n_win=8)
    assert sum(p.numel() for p in model.parameters()) == spec["params"]
    with torch.inference_mode():
        pyramid = model(golden.make_input(spec))
    assert len(pyramid) == len(wanted) == 4
    for number, ours in enumerate(pyramid):
        assert_close(ours[:, :8], wanted[f"out{number}"])
    backbone = load("biformer_tiny", file, tmp_path, num_classes=0, out_norms=True, n_win=8)
    assert torch.equal(backbone.extra_norms[3].weight, state["extra_norms.3.weight"])


@pytest.mark.parametrize("name", PARAMETERS)
def test_parameters_are_as_many_as_published(name: str) -> None:
    model = timm.create_model(name, device="meta")
    assert sum(p.numel() for p in model.parameters()) == PARAMETERS[name]


@pytest.mark.parametrize("wrapper", WRAPPERS)
def test_wrapped_checkpoints_load(wrapper: str, tmp_path: Path) -> None:
    state = small().state_dict()
    loaded = load("biformer_tiny", WRAPPERS[wrapper](state), tmp_path, **SMALL).state_dict()
    # The classifier has other classes than the published one, so that timm leaves it out.
    assert all(torch.equal(loaded[key], value) for key, value in state.items() if not key.startswith("head."))


def test_lost_and_foreign_keys_are_named(tmp_path: Path) -> None:
    state = small().state_dict()
    lost = {key: value for key, value in state.items() if key != "stages.2.0.attn.wo.bias"}
    with pytest.raises(RuntimeError, match=r"missing stages\.2\.0\.attn\.wo\.bias"):
        load("biformer_tiny", lost, tmp_path, **SMALL)
    with pytest.raises(RuntimeError, match=r"unexpected stages\.0\.0\.foreign"):
        load("biformer_tiny", {**state, "stages.0.0.foreign": torch.zeros(1)}, tmp_path, **SMALL)


def test_a_classifier_starts_a_dense_predictor(tmp_path: Path) -> None:
    state = small().state_dict()
    model = load("biformer_tiny", state, tmp_path, **SMALL, out_norms=True, features_only=True)
    loaded = model.state_dict()
    assert torch.equal(loaded["model.stages.3.0.mlp.3.weight"], state["stages.3.0.mlp.3.weight"])
    features = model(torch.randn(1, 3, 64, 64))
    for feature in features:
        # Fresh norms: no mean, deviation 1.
        torch.testing.assert_close(feature.mean(1), torch.zeros_like(feature[:, 0]), atol=1e-4, rtol=0)


@pytest.mark.parametrize("size", [(1, 1), (33, 97), (225, 30)])
@pytest.mark.parametrize("name", ["biformer_tiny", "biformer_stl", "biformer_stl_nchw"])
def test_any_size_works(name: str, size: tuple[int, int]) -> None:
    model = small(name)
    with torch.inference_mode():
        final, stages = model.forward_intermediates(torch.randn(2, 3, *size))
        assert model.forward_head(final).isfinite().all()
    for stage, info in zip(stages, model.feature_info, strict=True):
        sides = [-(-side // info["reduction"]) if name == "biformer_tiny" else max(side // info["reduction"], 1)
                 for side in size]  # fmt: skip
        assert stage.shape == (2, info["num_chs"], *sides)


def test_without_padding_odd_sizes_are_an_error() -> None:
    model = small(auto_pad=False)
    assert torch.equal(model(x := torch.randn(1, 3, 112, 224)), small()(x))
    with pytest.raises(ValueError, match="auto_pad"):
        model(torch.randn(1, 3, 128, 128))


def test_blocks_follow_their_options() -> None:
    x = torch.randn(1, 32, 4, 6)
    for channels_first in (False, True):
        name = "biformer_stl_nchw" if channels_first else "biformer_stl"
        block = small(name, layer_scale_init_value=0.5, pre_norm=False, n_win=2).stages[0].blocks[0]

        def apply(layer: nn.Module, x: Tensor, channels_first: bool = channels_first) -> Tensor:
            return layer(x) if channels_first else layer(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)

        y = apply(block.norm1, x + 0.5 * apply(block.attn, x))
        torch.testing.assert_close(block(x), apply(block.norm2, y + 0.5 * apply(block.mlp, y)))


def test_layer_scales_and_position_can_be_left_out() -> None:
    names = {name.split(".", 3)[-1].split(".")[0] for name in small(pos_kernel=0, lepe_kernel=0).state_dict()}
    assert not names & {"pos_embed", "lepe", "gamma1"}
    assert small(layer_scale_init_value=1e-5).stages[0][0].gamma1.unique().item() == pytest.approx(1e-5)


def test_routing_options_reach_the_attention() -> None:
    options = {"soft": True, "differentiable": True, "learned_routing": True, "backend": "cpu"}
    model = small(routing=options, topks=(2, 3, -1, -2), n_win=2)
    assert model.stages[1][0].attn.topk == 3
    model(torch.randn(1, 3, 64, 64)).sum().backward()
    assert model.stages[0][0].attn.router.emb.weight.grad.abs().max() > 0
    assert not any("lepe" in name for name in model.stages[2].state_dict())
    assert any("lepe" in name for name in model.stages[3].state_dict())


def test_layers_of_layer_decay_follow_depth() -> None:
    model = small(out_norms=True)
    groups = param_groups_layer_decay(model, layer_decay=0.5)
    scale_of = {id(p): group["lr_scale"] for group in groups for p in group["params"]}
    scales = {name: scale_of[id(p)] for name, p in model.named_parameters()}
    assert scales["downsample_layers.0.0.weight"] == 0.5**5
    assert scales["stages.0.0.norm1.weight"] == scales["extra_norms.0.weight"] == 0.5**4
    assert scales["downsample_layers.3.0.weight"] == scales["stages.3.0.norm1.weight"] == 0.5
    assert scales["head.weight"] == 1


def test_pruned_models_keep_their_norms() -> None:
    model, x = small(out_norms=True), torch.randn(1, 3, 64, 64)
    before = model.forward_intermediates(x, indices=[1], intermediates_only=True)[0]
    assert model.prune_intermediate_layers([1]) == [1]
    assert len(model.stages) == len(model.downsample_layers) == 2
    assert torch.equal(model(x), before)


@pytest.mark.parametrize("name", ["biformer_tiny", "biformer_stl_nchw"])
def test_models_compile_and_export_in_one_piece(name: str) -> None:
    torch._dynamo.reset()
    model, x = small(name), torch.randn(1, 3, 100, 64)
    with torch.no_grad():
        wanted = model(x)
        torch.testing.assert_close(torch.compile(model, backend="aot_eager", fullgraph=True)(x), wanted)
        torch.testing.assert_close(torch.export.export(model, (x,)).module()(x), wanted)


def test_bad_arguments_are_named() -> None:
    with pytest.raises(ValueError, match="topks"):
        small(topks=(0, 4, 16, -2))
    with pytest.raises(ValueError, match="head_dim"):
        small(head_dim=24)
    with pytest.raises(ValueError, match="equally long"):
        small(depths=(1, 1))
    with pytest.raises(ValueError, match="output_fmt"):
        small().forward_intermediates(torch.randn(1, 3, 64, 64), output_fmt="NHWC")

"""OverLoCK against what the authors' code answers, and what its models do beside that."""

from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import timm
import torch
from timm.models import save_for_hf
from timm.optim import param_groups_layer_decay
from timm.utils.model import reparameterize_model
from torch import Tensor, nn

import foveate.backbones.overlock  # noqa: F401
from tests.backbones.official import assert_close, load

CASES = {
    "xt_224": "overlock_xt",
    "xt_160x224": "overlock_xt",
    "xt_256x320": "overlock_xt",
    "t_224": "overlock_tiny",
    "s_224": "overlock_small",
}
# With the auxiliary head: as trained, and merged.
PARAMETERS = {
    "overlock_xt": (17_307_272, 16_791_384),
    "overlock_tiny": (34_990_472, 33_981_064),
    "overlock_small": (58_309_772, None),
    "overlock_base": (98_012_968, None),
}
WRAPPERS = {
    "bare": lambda state: state,
    "model": lambda state: {"model": state, "epoch": 300},
    "module": lambda state: {"state_dict": {f"module.{key}": value for key, value in state.items()}},
    "ema": lambda state: {
        "state_dict": {key: torch.zeros_like(value) for key, value in state.items()},
        "state_dict_ema": state,
    },
}
SMALL = {
    "depths": (1, 1, 1, 1),
    "sub_depths": (2, 2),
    "dims": (16, 16, 32, 32),
    "kernel_sizes": (7, 5, 7, 5),
    "sub_num_heads": (1, 2),
    "num_classes": 5,
}


def small(**arguments: Any) -> nn.Module:
    torch.manual_seed(0)
    return timm.create_model("overlock_xt", **{**SMALL, **arguments}).eval()


def moved(model: nn.Module) -> nn.Module:
    """Give running statistics, response norms and position biases numbers that count."""
    torch.manual_seed(1)
    with torch.no_grad():
        for name, tensor in model.state_dict().items():
            if name.endswith(("running_var", "gamma")):
                tensor.uniform_(0.5, 1.5)
            elif name.endswith(("running_mean", "beta", "rpb1", "rpb2")):
                tensor.normal_()
    return model


def answers(model: nn.Module, x: Tensor) -> dict[str, Tensor]:
    """What the golden cases hold: first channels of maps, and logits."""
    found: dict[str, Tensor] = {}
    blocks = {"base": model.blocks3[-1], "ctx": model.blocks4[-1]}
    hooks = [
        block.register_forward_hook(lambda module, inputs, output, key=key: found.update({key: output[:, :8]}))
        for key, block in blocks.items()
    ]
    with torch.inference_mode():
        final, stages = model.forward_intermediates(x)
        found |= {"s1": stages[0][:, :8], "s2": stages[1][:, :8], "out": final[:, :8]}
        width = model.blocks3[0].dwconv.in_channels
        found |= {"focus3": stages[2][:, :8], "focus3_ctx": stages[2][:, width : width + 8]}
        found["logits"] = model.forward_head(final)
    for hook in hooks:
        hook.remove()
    return found


def count(model: nn.Module) -> int:
    return sum(parameter.numel() for parameter in model.parameters())


@pytest.mark.parametrize("case", [*list(CASES)[:-1], pytest.param("s_224", marks=pytest.mark.slow)])
def test_models_answer_as_published(case: str, golden: ModuleType, tmp_path: Path) -> None:
    spec, wanted = golden.load(f"overlock/{case}"), golden.outputs(f"overlock/{case}")
    model = load(CASES[case], golden.fill_state(spec), tmp_path)
    found = answers(model, golden.make_input(spec))
    assert found.keys() == wanted.keys() - {"aux", "logits_merged"}
    for key, ours in found.items():
        assert_close(ours, wanted[key])


def test_the_deploy_layout_answers_as_published(golden: ModuleType, tmp_path: Path) -> None:
    spec, wanted = golden.load("overlock/xt_reparam_224"), golden.outputs("overlock/xt_reparam_224")
    state = golden.fill_state(spec)
    with pytest.raises(RuntimeError, match="deploy=True"):
        load("overlock_xt", state, tmp_path)
    model = load("overlock_xt", state, tmp_path, deploy=True)
    found = answers(model, golden.make_input(spec))
    assert found.keys() == wanted.keys() - {"aux"}
    for key, ours in found.items():
        assert_close(ours, wanted[key])


def test_merged_and_auxiliary_logits_are_as_published(golden: ModuleType, tmp_path: Path) -> None:
    spec, wanted = golden.load("overlock/xt_224"), golden.outputs("overlock/xt_224")
    state, x = golden.fill_state(spec), golden.make_input(spec)
    model = load("overlock_xt", state, tmp_path, aux_head=True)
    assert count(model) == spec["params"]
    assert model.reparameterize() is model
    overview: list[Tensor] = []
    model.blocks4[-1].register_forward_hook(lambda module, inputs, output: overview.append(output))
    with torch.inference_mode():
        assert_close(model(x), wanted["logits_merged"])
        assert_close(model.aux_head(overview[0]).flatten(1), wanted["aux"])
    merged = model.state_dict()
    loaded = load("overlock_xt", state, tmp_path, aux_head=True, deploy=True).state_dict()
    assert loaded.keys() == merged.keys()
    assert all(torch.equal(loaded[key], value) for key, value in merged.items())


def test_gradients_are_as_published(golden: ModuleType, tmp_path: Path) -> None:
    spec, wanted = golden.load("overlock/xt_grad_224x256"), golden.outputs("overlock/xt_grad_224x256")
    model = load("overlock_xt", golden.fill_state(spec), tmp_path)
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
    case = "overlock/xt_dense_256x320"
    spec, wanted = golden.load(case), golden.outputs(case)
    state = golden.fill_state(spec)
    file = {"state_dict": {f"backbone.{key}": value for key, value in state.items()}}
    file["state_dict"]["decode_head.conv_seg.weight"] = torch.zeros(3, 64, 1, 1)
    with pytest.raises(RuntimeError, match="out_norms=True"):
        load("overlock_xt", file, tmp_path, features_only=True)
    model = load("overlock_xt", file, tmp_path, features_only=True, out_norms=True)
    assert count(model) == spec["params"]
    assert model.feature_info.channels() == [56, 112, 256 + 84, 336 + 84]
    with torch.inference_mode():
        pyramid = model(golden.make_input(spec))
    assert len(pyramid) == len(wanted) == 4
    for number, ours in enumerate(pyramid):
        assert_close(ours[:, :8], wanted[f"out{number}"])


@pytest.mark.parametrize("name", PARAMETERS)
def test_parameters_are_as_many_as_published(name: str) -> None:
    trained, deployed = PARAMETERS[name]
    model = timm.create_model(name, device="meta", aux_head=True).eval()
    assert count(model) == trained
    assert all(parameter.is_meta for parameter in model.parameters())
    assert deployed in (None, count(model.reparameterize()))
    assert all(parameter.is_meta for parameter in model.parameters())


@pytest.mark.parametrize("wrapper", WRAPPERS)
def test_wrapped_checkpoints_load(wrapper: str, tmp_path: Path) -> None:
    state = moved(small(aux_head=True)).state_dict()
    loaded = load("overlock_xt", WRAPPERS[wrapper](state), tmp_path, **SMALL).state_dict()
    # The classifier has other classes than the published one, so that timm leaves it out.
    assert {key for key in state if not key.startswith("aux_head.")} == loaded.keys()
    assert all(torch.equal(value, state[key]) for key, value in loaded.items() if not key.startswith("head.4."))


def test_lost_and_foreign_keys_are_named(tmp_path: Path) -> None:
    state = small().state_dict()
    lost = {key: value for key, value in state.items() if key != "sub_blocks3.1.x_scale.bias"}
    with pytest.raises(RuntimeError, match=r"missing sub_blocks3\.1\.x_scale\.bias"):
        load("overlock_xt", lost, tmp_path, **SMALL)
    with pytest.raises(RuntimeError, match=r"unexpected blocks1\.0\.foreign"):
        load("overlock_xt", {**state, "blocks1.0.foreign": torch.zeros(1)}, tmp_path, **SMALL)
    branch = "blocks1.0.proj.1.dil_bn_k3_2.running_var"
    lost = {key: value for key, value in state.items() if key != branch}
    for deploy in (False, True):
        with pytest.raises(RuntimeError, match=branch):
            load("overlock_xt", lost, tmp_path, deploy=deploy, **SMALL)


def test_an_auxiliary_head_answers_in_training_alone(tmp_path: Path) -> None:
    model = small(aux_head=True)
    x = torch.randn(2, 3, 64, 64)
    assert model(x).shape == (2, 5)
    both = model.train()(x)
    assert both.keys() == {"main", "aux"}
    (both["main"].sum() + 0.4 * both["aux"].square().sum()).backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in model.parameters())
    model.reset_classifier(7)
    assert {key: tuple(logits.shape) for key, logits in model(x).items()} == {"main": (2, 7), "aux": (2, 7)}
    assert small().train()(x).shape == (2, 5)
    # Other classes, or no such head in the file: it starts anew, without an error.
    state = moved(small(aux_head=True)).state_dict()
    loaded = load("overlock_xt", state, tmp_path, aux_head=True, **{**SMALL, "num_classes": 3})
    assert torch.equal(loaded.aux_head[0].running_mean, state["aux_head.0.running_mean"])
    assert loaded.aux_head[2].weight.shape[0] == 3
    bare = {key: value for key, value in state.items() if not key.startswith("aux_head.")}
    loaded = load("overlock_xt", bare, tmp_path, aux_head=True, **SMALL)
    assert loaded.aux_head[0].running_mean.abs().max() == 0


def test_a_classifier_starts_a_dense_predictor(tmp_path: Path) -> None:
    state = moved(small()).state_dict()
    model = load("overlock_xt", state, tmp_path, **SMALL, out_norms=True, features_only=True)
    loaded = model.state_dict()
    key = "sub_blocks4.1.mlp.4.weight"
    assert torch.equal(loaded[f"model.{key}"], state[key])
    assert not any(".head." in key for key in loaded)
    for feature in model(torch.randn(1, 3, 64, 64)):
        # Fresh norms: no mean, deviation 1.
        torch.testing.assert_close(feature.mean(1), torch.zeros_like(feature[:, 0]), atol=1e-4, rtol=0)


@pytest.mark.parametrize("way", ["method", "timm", "features"])
def test_models_merge_in_each_way(way: str) -> None:
    model, x = moved(small(features_only=way == "features")), torch.randn(1, 3, 80, 64)
    with torch.inference_mode():
        before = model(x)
        merged = model.reparameterize() if way == "method" else reparameterize_model(model)
        after = merged(x)
    for ours, wanted in zip([*after], [*before], strict=True):
        torch.testing.assert_close(ours, wanted, atol=1e-4, rtol=1e-4)
    assert not any("dil_" in key for key in merged.state_dict())
    assert (merged is model) == (way == "method")


def test_merging_waits_for_eval_mode() -> None:
    with pytest.raises(RuntimeError, match=r"eval\(\)"):
        small().train().reparameterize()


@pytest.mark.parametrize("merge", [False, True])
def test_saved_models_come_back(merge: bool, tmp_path: Path) -> None:
    model, x = moved(small()), torch.randn(1, 3, 64, 64)
    if merge:
        model.reparameterize()
    save_for_hf(model, tmp_path, safe_serialization=True)
    again = timm.create_model(f"local-dir:{tmp_path}", pretrained=True).eval()
    assert again.state_dict().keys() == model.state_dict().keys()
    with torch.inference_mode():
        assert torch.equal(again(x), model(x))


@pytest.mark.parametrize("size", [(1, 1), (33, 97), (225, 30)])
def test_any_size_works(size: tuple[int, int]) -> None:
    model = moved(small())
    with torch.inference_mode():
        final, stages = model.forward_intermediates(torch.randn(2, 3, *size))
        assert model.forward_head(final).isfinite().all()
    for stage, info in zip(stages, model.feature_info, strict=True):
        assert stage.shape == (2, info["num_chs"], *(-(-side // info["reduction"]) for side in size))


def test_layers_of_layer_decay_follow_the_flow() -> None:
    model = small(out_norms=True)
    groups = param_groups_layer_decay(model, layer_decay=0.5)
    scale_of = {id(p): group["lr_scale"] for group in groups for p in group["params"]}
    scales = {name: scale_of[id(p)] for name, p in model.named_parameters()}
    # The stem, four stages of one block, two focus stages of two, the head.
    assert scales["patch_embed1.0.weight"] == 0.5**9
    assert scales["blocks1.0.dwconv.weight"] == scales["extra_norm.0.weight"] == 0.5**8
    assert scales["patch_embed4.0.weight"] == scales["blocks4.0.dwconv.weight"] == 0.5**5
    assert scales["high_level_proj.weight"] == scales["sub_blocks3.0.rpb1"] == 0.5**4
    assert scales["extra_norm.2.weight"] == scales["sub_blocks3.1.rpb1"] == 0.5**3
    assert scales["patch_embedx.h_proj.0.weight"] == scales["sub_blocks4.0.rpb1"] == 0.5**2
    assert scales["sub_blocks4.1.rpb1"] == scales["extra_norm.3.weight"] == 0.5
    assert scales["head.4.weight"] == 1
    decay_free = model.no_weight_decay()
    assert decay_free == {f"sub_blocks{s}.{b}.rpb{i}" for s in (3, 4) for b in (0, 1) for i in (1, 2)}


def test_coarse_layers_are_stages() -> None:
    model = small(out_norms=True)
    groups = timm.models.group_parameters(model, model.group_matcher(coarse=True))
    names = [{name.split(".")[0] for name in names} for names in groups.values()]
    assert names[0] == {"patch_embed1"}
    assert [group & {f"blocks{i}" for i in range(1, 5)} for group in names[1:5]] == [
        {f"blocks{i}"} for i in range(1, 5)
    ]
    assert names[5] == {"high_level_proj", "sub_blocks3", "extra_norm"}
    assert names[6] == {"patch_embedx", "sub_blocks4", "extra_norm"}
    assert names[7] == {"head"}


@pytest.mark.parametrize("last", range(4))
def test_pruned_models_keep_their_maps(last: int) -> None:
    model, x = moved(small(out_norms=True, aux_head=True)), torch.randn(1, 3, 64, 64)
    with torch.inference_mode():
        before = model.forward_intermediates(x, indices=[last], stop_early=True, intermediates_only=True)[0]
        assert model.prune_intermediate_layers([last]) == [last]
        assert torch.equal(model(x), before)
    assert hasattr(model, "sub_blocks4") == (last == 3)
    assert hasattr(model, "blocks3") == (last >= 2)
    assert hasattr(model, "blocks2") == (last >= 1)
    assert not any(key.startswith(("head.", "aux_head.")) for key in model.state_dict())


def test_checkpointing_changes_no_gradient() -> None:
    x, gradients = torch.randn(2, 3, 64, 64), []
    for enable in (False, True):
        model = moved(small())
        model.set_grad_checkpointing(enable)
        model(x).square().sum().backward()
        gradients.append(model.patch_embed1[0].weight.grad)
    torch.testing.assert_close(gradients[1], gradients[0])


def test_layer_scales_start_at_one_and_convolutions_narrow() -> None:
    model = small()
    assert model.sub_blocks3[1].x_scale.weight.unique().item() == model.blocks4[0].ls.weight.unique().item() == 1
    assert isinstance(model.blocks1[0].ls, nn.Identity)
    assert 0.01 < model.head[0].weight.std() < 0.03


def test_models_run_under_autocast() -> None:
    model, x = moved(small()), torch.randn(2, 3, 64, 64)
    with torch.no_grad():
        wanted = model(x)
        with torch.autocast("cpu", torch.bfloat16):
            ours = model(x)
    assert ours.dtype == torch.bfloat16
    assert (ours.float() - wanted).abs().max() <= 0.05 * wanted.abs().max()


@pytest.mark.slow
def test_models_compile_and_export_in_one_piece() -> None:
    torch._dynamo.reset()
    model, x = moved(small(sub_depths=(1, 1))), torch.randn(1, 3, 100, 64)
    with torch.no_grad():
        wanted = model(x)
        torch.testing.assert_close(torch.compile(model, backend="aot_eager", fullgraph=True)(x), wanted)
        torch.testing.assert_close(torch.export.export(model, (x,)).module()(x), wanted)


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ({"depths": (1, 1)}, "4 values"),
        ({"sub_num_heads": (1,)}, "2 values"),
        ({"sub_depths": (0, 1)}, "at least one block"),
        ({"dims": (16, 16, 32, 30)}, "divisible by 4"),
    ],
)
def test_bad_arguments_are_named(arguments: dict[str, Any], text: str) -> None:
    with pytest.raises(ValueError, match=text):
        small(**arguments)


def test_other_orders_are_refused() -> None:
    with pytest.raises(ValueError, match="output_fmt"):
        small().forward_intermediates(torch.randn(1, 3, 64, 64), output_fmt="NHWC")

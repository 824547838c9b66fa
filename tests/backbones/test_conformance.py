"""What timm asks of a model, asked of every family: its interface, its heads, its features, its training."""

import copy
import re
from functools import lru_cache
from typing import Any

import pytest
import timm
import torch
from timm.models import create_feature_extractor, get_graph_node_names, group_parameters
from timm.optim import param_groups_layer_decay
from torch import Tensor, nn

import foveate.backbones

SIZE = 64
# Nothing can be left out of blocks without a residual.
WITHOUT_RESIDUALS = ("mobilenetv1_",)


def create(name: str, **kwargs: Any) -> nn.Module:
    """Make a model whose numbers are the same each time."""
    torch.manual_seed(0)
    return timm.create_model(name, **kwargs)


@lru_cache(maxsize=2)
def shared(name: str) -> nn.Module:
    """A model in eval mode that tests may ask but not change."""
    return create(name, num_classes=10).eval()


def pictures(batch: int = 2, channels: int = 3, height: int = SIZE, width: int = SIZE) -> Tensor:
    return torch.randn(batch, channels, height, width, generator=torch.Generator().manual_seed(1))


def nchw(x: Tensor, model: nn.Module) -> Tensor:
    return x.permute(0, 3, 1, 2) if getattr(model, "output_fmt", "NCHW") == "NHWC" else x


def assert_near(ours: Tensor, other: Tensor, rtol: float = 1e-4) -> None:
    assert ours.shape == other.shape
    assert (ours - other).abs().max() <= rtol * other.abs().max() + 1e-6


def width_of(classifier: nn.Module) -> int:
    """Classes that a classifier, linear or a convolution, tells apart."""
    return classifier.weight.shape[0]


def test_every_module_that_registers_models_is_a_family(registered_families: set[str]) -> None:
    assert set(foveate.backbones.FAMILIES) == registered_families


def test_forward_and_backward_reach_every_parameter(representative: str) -> None:
    model = create(representative, num_classes=42, drop_path_rate=0.0).train()
    out = model(pictures())
    assert out.shape == (2, 42)
    assert out.isfinite().all()
    out.square().sum().backward()
    unused = [name for name, parameter in model.named_parameters() if parameter.grad is None]
    assert not unused
    assert all(parameter.grad.isfinite().all() for parameter in model.parameters())


@torch.inference_mode()
def test_eval_is_deterministic_and_pictures_do_not_mix(representative: str) -> None:
    model, x = shared(representative), pictures()
    first = model(x)
    assert torch.equal(first, model(x))
    assert_near(model(x[1:]), first[1:])
    assert not torch.equal(first[0], first[1])


@torch.inference_mode()
def test_forward_is_head_of_features(representative: str) -> None:
    model, x = shared(representative), pictures()
    features = model.forward_features(x)
    assert nchw(features, model).shape[1] == model.num_features
    assert torch.equal(model(x), model.forward_head(features))
    assert model.forward_head(features, pre_logits=True).shape == (2, model.head_hidden_size)


@torch.inference_mode()
def test_classifiers_come_and_go(representative: str) -> None:
    model, x = create(representative, num_classes=10).eval(), pictures()
    assert model.num_classes == width_of(model.get_classifier()) == 10
    before = model.forward_head(model.forward_features(x), pre_logits=True)
    model.reset_classifier(7)
    assert model.num_classes == width_of(model.get_classifier()) == 7
    assert model(x).shape == (2, 7)
    model.reset_classifier(0)
    assert model.num_classes == 0
    assert torch.equal(model(x), before)
    model.reset_classifier(0, "")
    assert model(x).ndim == 4
    model.reset_classifier(5, "avg")
    assert model(x).shape == (2, 5)


@torch.inference_mode()
def test_models_without_classifier_and_pooling(representative: str) -> None:
    x = pictures()
    assert create(representative, num_classes=0).eval()(x).shape == (2, shared(representative).head_hidden_size)
    unpooled = create(representative, num_classes=0, global_pool="").eval()
    out = unpooled(x)
    assert out.ndim == 4
    grid = nchw(out, unpooled).shape[-2:]
    assert grid == nchw(unpooled.forward_features(x), unpooled).shape[-2:]


@torch.inference_mode()
def test_intermediates_are_those_of_the_forward_pass(representative: str) -> None:
    model, x = shared(representative), pictures()
    final, maps = model.forward_intermediates(x)
    assert torch.equal(final, model.forward_features(x))
    assert len(maps) == len(model.feature_info)
    reductions = [info["reduction"] for info in _infos(model)]
    assert reductions == sorted(reductions)
    for feature, info in zip(maps, _infos(model), strict=True):
        assert feature.shape == (2, info["num_chs"], SIZE // info["reduction"], SIZE // info["reduction"])


@torch.inference_mode()
def test_intermediates_can_be_chosen(representative: str) -> None:
    model, x = shared(representative), pictures()
    final, maps = model.forward_intermediates(x)
    for indices, wanted in ((2, maps[-2:]), ([0, -1], [maps[0], maps[-1]]), ([1], [maps[1]]), (None, maps)):
        again, chosen = model.forward_intermediates(x, indices)
        assert torch.equal(again, final)
        assert len(chosen) == len(wanted)
        assert all(torch.equal(a, b) for a, b in zip(chosen, wanted, strict=True))
    only = model.forward_intermediates(x, [0, 1], stop_early=True, intermediates_only=True)
    assert isinstance(only, list)
    assert all(torch.equal(a, b) for a, b in zip(only, maps[:2], strict=True))
    early, _ = model.forward_intermediates(x, [0, 1], stop_early=True)
    assert nchw(early, model).shape == maps[1].shape
    normed = model.forward_intermediates(x, norm=True, intermediates_only=True)
    assert [feature.shape for feature in normed] == [feature.shape for feature in maps]
    assert all(feature.isfinite().all() for feature in normed)


@torch.inference_mode()
def test_intermediates_refuse_what_they_cannot_give(representative: str) -> None:
    model, x = shared(representative), pictures(1)
    other = ["NLC", "NHWC"][: 2 - (getattr(model, "output_fmt", "NCHW") == "NHWC")]
    for output_fmt in other:
        with pytest.raises((ValueError, AssertionError)):
            model.forward_intermediates(x, output_fmt=output_fmt)
    for indices in ([len(model.feature_info)], len(model.feature_info) + 1):
        with pytest.raises((ValueError, AssertionError)):
            model.forward_intermediates(x, indices)
    if len(other) == 1:
        _, channels_last = model.forward_intermediates(x, output_fmt="NHWC")
        _, channels_first = model.forward_intermediates(x)
        assert all(torch.equal(a.permute(0, 3, 1, 2), b) for a, b in zip(channels_last, channels_first, strict=True))


@torch.inference_mode()
@pytest.mark.parametrize("index", [0, 1, -1])
def test_pruned_models_give_the_same_features(representative: str, index: int) -> None:
    model, x = create(representative, num_classes=10).eval(), pictures()
    wanted = model.forward_intermediates(x, [index], intermediates_only=True)
    parameters = sum(p.numel() for p in model.parameters())
    kept = model.prune_intermediate_layers([index])
    assert kept == [index % len(shared(representative).feature_info)]
    assert sum(p.numel() for p in model.parameters()) < parameters
    (found,) = model.forward_intermediates(x, kept, intermediates_only=True)
    assert torch.equal(found, wanted[0])


@torch.inference_mode()
def test_pruning_can_leave_the_head(representative: str) -> None:
    model, x = create(representative, num_classes=10).eval(), pictures()
    wanted = model(x)
    model.prune_intermediate_layers(1, prune_norm=False, prune_head=False)
    assert torch.equal(model(x), wanted)


@torch.inference_mode()
def test_features_only_is_a_pyramid(representative: str) -> None:
    model, x = create(representative, features_only=True).eval(), pictures()
    channels, reductions = model.feature_info.channels(), model.feature_info.reduction()
    assert len(channels) >= 3
    assert reductions == sorted(reductions)
    maps = model(x)
    assert [feature.shape for feature in maps] == [
        (2, width, SIZE // reduction, SIZE // reduction) for width, reduction in zip(channels, reductions, strict=True)
    ]
    for out_indices in ((0,), (1, 2), (-1,)):
        part = create(representative, features_only=True, out_indices=out_indices).eval()
        assert part.feature_info.channels() == [channels[i] for i in out_indices]
        found = part(x)
        assert [feature.shape for feature in found] == [maps[i].shape for i in out_indices]


@torch.inference_mode()
@pytest.mark.parametrize("channels", [1, 4])
def test_pictures_of_other_channels(representative: str, channels: int) -> None:
    model = create(representative, num_classes=10, in_chans=channels).eval()
    assert model(pictures(channels=channels)).shape == (2, 10)


@pytest.mark.parametrize("rates", [{"drop_rate": 0.5}, {"drop_path_rate": 0.5}], ids=lambda rates: next(iter(rates)))
def test_drop_rates_work_in_training_alone(representative: str, rates: dict[str, float]) -> None:
    off = {"drop_rate": 0.0, "drop_path_rate": 0.0}
    model, x = create(representative, num_classes=10, **{**off, **rates}).train(), pictures()
    for module in model.modules():
        if isinstance(module, nn.Dropout):
            module.eval()  # what is left to chance is the rate alone
        if isinstance(module, nn.BatchNorm2d):
            nn.init.ones_(module.weight)  # some begin with 0, where a branch is worth nothing
    constant = "drop_path_rate" in rates and representative.startswith(WITHOUT_RESIDUALS)
    with torch.no_grad():
        assert torch.equal(model(x), model(x)) == constant
        model.eval()
        assert torch.equal(model(x), model(x))


@torch.inference_mode()
@pytest.mark.parametrize(("height", "width"), [(57, 83), (32, 32), (40, 100)])
def test_pictures_of_any_size(representative: str, height: int, width: int) -> None:
    model = shared(representative)
    x = pictures(1, 3, height, width)
    out = model(x)
    assert out.shape == (1, 10)
    assert out.isfinite().all()
    for feature, info in zip(model.forward_intermediates(x)[1], _infos(model), strict=True):
        for side, length in zip(feature.shape[-2:], (height, width), strict=True):
            assert length // info["reduction"] <= side <= -(-length // info["reduction"])
            assert side >= 1


def test_checkpointing_changes_no_number(representative: str) -> None:
    model, x = create(representative, num_classes=10, drop_path_rate=0.0).train(), pictures()
    found = []
    for enable in (False, True):
        copied = copy.deepcopy(model)
        copied.set_grad_checkpointing(enable)
        torch.manual_seed(2)
        leaf = x.clone().requires_grad_()
        out = copied(leaf)
        out.square().sum().backward()
        found.append((out.detach(), leaf.grad, next(copied.parameters()).grad))
    for plain, saving in zip(*found, strict=True):
        assert_near(saving, plain)


def test_groups_hold_every_parameter(representative: str) -> None:
    model = create(representative, num_classes=10)
    names = {name for name, _ in model.named_parameters()}
    for coarse in (False, True):
        groups = group_parameters(model, model.group_matcher(coarse=coarse))
        grouped = [name for group in groups.values() for name in group]
        assert sorted(grouped) == sorted(names)
        assert len(groups) >= 3
    assert model.no_weight_decay() <= names
    # What the matcher does not know goes with the classifier, where nothing of the trunk may end.
    trunk = create(representative, num_classes=10)
    trunk.prune_intermediate_layers(1, prune_norm=False, prune_head=True)
    known = [re.compile(pattern) for pattern in _patterns(model.group_matcher(coarse=False))]
    assert not [name for name, _ in trunk.named_parameters() if not any(regex.match(name) for regex in known)]


def _patterns(groups: dict[str, Any]) -> list[str]:
    found = []
    for patterns in groups.values():
        entries = [patterns] if isinstance(patterns, str) else patterns
        found += [entry if isinstance(entry, str) else entry[0] for entry in entries]
    return found


def test_layers_learn_at_rates_of_their_own(representative: str) -> None:
    model = create(representative, num_classes=10)
    groups = param_groups_layer_decay(model, 0.05, model.no_weight_decay(), layer_decay=0.5)
    assert sum(len(group["params"]) for group in groups) == len(list(model.parameters()))
    scale = {id(parameter): group["lr_scale"] for group in groups for parameter in group["params"]}
    decay = {id(parameter): group["weight_decay"] for group in groups for parameter in group["params"]}
    state = dict(model.named_parameters())
    cfg = model.pretrained_cfg
    assert scale[id(state[f"{cfg['first_conv']}.weight"])] == min(scale.values())
    assert scale[id(state[f"{cfg['classifier']}.weight"])] == max(scale.values()) == 1
    assert all(decay[id(state[name])] == 0 for name in model.no_weight_decay())


def test_every_variant_describes_itself(variant: str) -> None:
    model = timm.create_model(variant, device="meta")
    assert all(tensor.is_meta for tensor in (*model.parameters(), *model.buffers()))
    cfg, state = model.pretrained_cfg, model.state_dict()
    assert state[f"{cfg['first_conv']}.weight"].shape[1] == cfg["input_size"][0] == 3
    assert state[f"{cfg['classifier']}.weight"].shape[0] == cfg["num_classes"] == model.num_classes
    assert len(cfg["mean"]) == len(cfg["std"]) == 3
    assert 0.8 <= cfg["crop_pct"] <= 1
    assert cfg["interpolation"] in ("bicubic", "bilinear")
    assert cfg["license"] in ("mit", "apache-2.0", "research-only")
    assert re.fullmatch(r"arXiv:\d{4}\.\d{5}", cfg["paper_ids"])
    assert cfg["origin_url"].startswith("https://")
    assert cfg["architecture"] == variant
    infos = _infos(model)
    assert [info["reduction"] for info in infos] == sorted(info["reduction"] for info in infos)
    assert all(side == size // infos[-1]["reduction"] for side, size in zip(cfg["pool_size"], cfg["input_size"][1:]))  # noqa: B905
    assert model.head_hidden_size > 0
    assert model.num_features > 0
    assert timm.models.model_entrypoint(variant).__doc__


@torch.inference_mode()
def test_pool_size_is_that_of_the_features(representative: str) -> None:
    model = shared(representative)
    cfg = model.pretrained_cfg
    features = nchw(model.forward_features(torch.zeros(1, *cfg["input_size"])), model)
    assert features.shape == (1, model.num_features, *cfg["pool_size"])


@torch.inference_mode()
def test_models_made_on_meta_work_once_they_have_numbers(representative: str) -> None:
    wanted = shared(representative)
    model = timm.create_model(representative, num_classes=10, device="meta").eval().to_empty(device="cpu")
    for module in model.modules():
        if hasattr(module, "init_non_persistent_buffers"):
            module.init_non_persistent_buffers()
    model.load_state_dict(wanted.state_dict())
    assert torch.equal(model(pictures()), wanted(pictures()))


@torch.inference_mode()
def test_models_in_bfloat16(representative: str) -> None:
    model = create(representative, num_classes=10, dtype=torch.bfloat16).eval()
    floats = [tensor for tensor in (*model.parameters(), *model.buffers()) if tensor.is_floating_point()]
    assert {tensor.dtype for tensor in floats} == {torch.bfloat16}
    out = model(pictures().bfloat16())
    assert out.dtype == torch.bfloat16
    assert out.isfinite().all()
    model.reset_classifier(5)
    assert model.get_classifier().weight.dtype == torch.bfloat16


def _infos(model: nn.Module) -> list[dict[str, Any]]:
    """Dicts of feature_info, which timm's own trunks keep in a list too."""
    return list(model.feature_info)


@torch.inference_mode()
def test_shapes_are_known_without_numbers(representative: str) -> None:
    out = timm.create_model(representative, device="meta").eval()(torch.empty(2, 3, 64, 96, device="meta"))
    assert tuple(out.shape) == (2, 1000)


@torch.inference_mode()
def test_an_empty_batch_is_no_error(representative: str) -> None:
    assert shared(representative)(torch.empty(0, 3, SIZE, SIZE)).shape == (0, 10)


@torch.inference_mode()
@pytest.mark.filterwarnings("ignore")
def test_traced_models_answer_alike(representative: str) -> None:
    model, x = shared(representative), pictures()
    traced = torch.jit.trace(model, x, check_trace=False)
    assert_near(traced(x), model(x))


@torch.inference_mode()
@pytest.mark.filterwarnings("ignore")
def test_nodes_of_the_graph_can_be_extracted(representative: str) -> None:
    model, x = shared(representative), pictures()
    _, nodes = get_graph_node_names(model)
    extractor = create_feature_extractor(model, return_nodes={nodes[-1]: "out"}).eval()
    assert_near(extractor(x)["out"], model(x))


@pytest.mark.filterwarnings("ignore")
def test_compiled_models_take_one_size_after_another(representative: str) -> None:
    model = shared(representative)
    torch.compiler.reset()
    compiled = torch.compile(model, fullgraph=True, backend="eager")
    with torch.no_grad():
        for side in (64, 96):
            x = torch.randn(1, 3, side, side)
            assert_near(compiled(x), model(x))

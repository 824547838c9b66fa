"""Inserting attention into networks of timm."""

import copy

import pytest
import timm
import torch
from timm.layers import EcaModule
from timm.optim import param_groups_layer_decay
from torch import Tensor, nn

from foveate.backbones.insertion import attach_attention, insert_attention
from foveate.backbones.layers.ela import EfficientLocalAttention
from foveate.backbones.layers.ulsam import ULSAM


class Scale(nn.Module):
    """Attention that can be told from none: multiplies by a number."""

    def __init__(self, channels: int, factor: float = 2.0) -> None:
        super().__init__()
        self.factor = nn.Parameter(torch.full((channels, 1, 1), factor))

    def forward(self, x: Tensor) -> Tensor:
        return x * self.factor


def neutral(channels: int) -> Scale:
    return Scale(channels, 1.0)


@pytest.mark.parametrize(
    ("name", "places", "channels"),
    [
        ("resnet18", ["layer*.*.se"], [64, 64, 128, 128, 256, 256, 512, 512]),
        ("resnet18", ["layer1.0.bn2", "layer3"], [64, 256]),
        ("mobilenetv2_050", ["blocks.0.0.se", "blocks.1.0.bn3", "blocks.6"], [16, 16, 160]),
        ("mobilenetv3_small_050", ["blocks.1.0.conv_dw"], [40]),
        ("efficientnet_b0", ["conv_head", "blocks.2.1"], [1280, 40]),
        ("regnetx_002", ["s2.b1", "s3.b1.conv3.bn"], [56, 152]),
        ("convnext_atto", ["stages.1"], [80]),
        ("densenet121", ["features.transition1"], [128]),
    ],
)
def test_channels_are_found_and_a_neutral_module_changes_nothing(
    name: str, places: list[str], channels: list[int]
) -> None:
    torch.manual_seed(0)
    model = timm.create_model(name, num_classes=5).eval()
    plain = copy.deepcopy(model)
    found: list[int] = []

    def make(width: int) -> nn.Module:
        found.append(width)
        return neutral(width)

    assert insert_attention(model, make, places) is model
    assert found == channels
    assert sum(isinstance(module, Scale) for module in model.modules()) == len(channels)
    x = torch.randn(1, 3, 64, 64)
    with torch.no_grad():
        assert torch.equal(model(x), plain(x))


@pytest.mark.parametrize("place", ["layer2.0.bn2", "layer2.0.se", "layer2", "layer2.0", "bn1"])
def test_the_module_acts_where_it_is_put(place: str) -> None:
    model = timm.create_model("resnet18", zero_init_last=False).eval()
    plain = copy.deepcopy(model)
    insert_attention(model, Scale, [place])
    x = torch.randn(1, 3, 64, 64)
    seen = {}
    target = "layer2.0.bn2" if place == "layer2.0.se" else place
    plain.get_submodule(target).register_forward_hook(lambda *a: seen.update(before=a[2].clone()))
    model.get_submodule(place).register_forward_hook(lambda *a: seen.update(after=a[2].clone()))
    with torch.no_grad():
        plain(x)
        model(x)
    assert torch.allclose(seen["after"], 2 * seen["before"], atol=1e-5)


@pytest.mark.parametrize(("place", "kept"), [("layer1.0.se", True), ("layer1", True), ("layer1.0.bn2", False)])
def test_keys_of_the_trunk(place: str, kept: bool) -> None:
    model = timm.create_model("resnet18")
    before = set(model.state_dict())
    insert_attention(model, Scale, [place])
    assert (before <= set(model.state_dict())) == kept
    if not kept:
        assert "layer1.0.bn2.0.weight" in model.state_dict()


def test_places_inside_each_other() -> None:
    model = timm.create_model("resnet18").eval()
    insert_attention(model, neutral, ["layer1", "layer1.0", "layer1.0.bn2", "layer1.0.bn2"])
    assert sum(isinstance(module, Scale) for module in model.modules()) == 3
    assert model(torch.randn(1, 3, 64, 64)).shape == (1, 1000)


@pytest.mark.parametrize(
    ("name", "arguments", "places"),
    [
        ("resnet18", {}, ["layer1.0.bn2", "layer2", "act1"]),
        ("resnet18", {"feature_cls": "getter"}, ["model.layer1.0.se", "model.layer2"]),
        ("mobilenetv2_050", {}, ["blocks.1", "blocks.4.0.se"]),
        ("efficientnet_b0", {"feature_cls": "getter"}, ["model.blocks.1"]),
        ("regnetx_002", {"in_chans": 1}, ["s2"]),
        ("mobilenetv2_050", {"in_chans": 1}, ["blocks.2.0"]),
    ],
)
def test_feature_pyramids(name: str, arguments: dict, places: list[str]) -> None:
    model = timm.create_model(name, features_only=True, **arguments).eval()
    plain = copy.deepcopy(model)
    insert_attention(model, Scale, places)
    x = torch.randn(1, arguments.get("in_chans", 3), 64, 64)
    with torch.no_grad():
        features, before = model(x), plain(x)
    assert [f.shape for f in features] == [f.shape for f in before]
    assert [f.shape[1] for f in features] == model.feature_info.channels()
    assert not torch.allclose(features[-1], before[-1])


def test_the_contract_of_timm_stays() -> None:
    model = timm.create_model("mobilenetv2_050", num_classes=5)
    insert_attention(model, lambda width: ULSAM(width, 4), ["blocks.6", "blocks.3.1"])
    model.eval()
    x = torch.randn(1, 3, 64, 64)
    with torch.no_grad():
        final, features = model.forward_intermediates(x)
        assert torch.equal(final, model.forward_features(x))
        assert [f.shape[1] for f in features] == [info["num_chs"] for info in model.feature_info]
        assert torch.equal(features[-1], model.blocks(model.bn1(model.conv_stem(x))))
        wanted = model(x)
        model.set_grad_checkpointing()
        assert torch.allclose(model(x), wanted, atol=1e-5)
    model.train()(torch.randn(2, 3, 64, 64)).sum().backward()
    assert all(p.grad is not None for p in model.parameters())
    groups = param_groups_layer_decay(model)
    assert sum(len(group["params"]) for group in groups) == len(list(model.parameters()))
    model.reset_classifier(0)
    assert model.eval()(x).shape == (1, 1280)


def test_the_run_for_channels_leaves_the_model_alone() -> None:
    model = timm.create_model("resnet18").train()
    model.layer1.eval()
    state = {key: value.clone() for key, value in model.state_dict().items()}
    modes = {name: module.training for name, module in model.named_modules()}
    insert_attention(model, EfficientLocalAttention, ["layer1.0.se"])
    assert all(torch.equal(model.state_dict()[key], value) for key, value in state.items())
    assert all(model.get_submodule(name).training == mode for name, mode in modes.items())
    assert model.layer1[0].se.training
    assert not any(module._forward_hooks for module in model.modules())


@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16])
def test_inserted_modules_have_the_type_and_device_of_the_model(dtype: torch.dtype) -> None:
    model = timm.create_model("resnet18", device="meta", dtype=dtype)
    insert_attention(model, EcaModule, ["layer*.*.se"])
    assert {p.dtype for p in model.parameters()} == {dtype}
    assert {p.device.type for p in model.parameters()} == {"meta"}


@pytest.mark.parametrize(
    ("name", "place", "message"),
    [
        ("resnet18", "layer1.0.bn3", "no module 'layer1.0.bn3': did you mean layer1.0.bn2"),
        ("resnet18", "zzzzzzzz", "see model.named_modules"),
        ("resnet18", "layer*.bn2", r"no module 'layer\*.bn2'"),
        ("resnet18", "fc", r"fc must give maps of 4 dimensions, got \(2, 1000\)"),
        ("mobilenetv2_050", "blocks", "blocks holds the stages of the model"),
        ("convnext_atto", "stages", "stages holds the stages of the model"),
    ],
)
def test_impossible_places_are_named(name: str, place: str, message: str) -> None:
    model = timm.create_model(name, device="meta")
    keys = set(model.state_dict())
    with pytest.raises(ValueError, match=message):
        insert_attention(model, Scale, [place])
    assert set(model.state_dict()) == keys
    assert not any(isinstance(module, Scale) for module in model.modules())


def test_one_bad_place_leaves_the_good_one_alone() -> None:
    model = timm.create_model("resnet18", device="meta")
    with pytest.raises(ValueError, match="no module 'layer9'"):
        insert_attention(model, Scale, ["layer1.0.se", "layer9"])
    assert model.layer1[0].se is None
    with pytest.raises(ValueError, match="fc must give maps"):
        insert_attention(model, Scale, ["layer1.0.se", "fc"])
    assert model.layer1[0].se is None


def test_a_hooked_place_is_refused() -> None:
    model = timm.create_model("resnet18", device="meta")
    model.layer1[0].register_forward_hook(lambda *a: None)
    with pytest.raises(ValueError, match="has hooks"):
        insert_attention(model, Scale, ["layer1.0"])


def test_wrong_types() -> None:
    model = timm.create_model("resnet18", device="meta")
    with pytest.raises(TypeError, match="write \\['layer1'\\]"):
        insert_attention(model, Scale, "layer1")
    with pytest.raises(TypeError, match="must return a module, got int for layer1"):
        insert_attention(model, lambda width: width, ["layer1"])  # type: ignore[arg-type, return-value]


def test_a_list_of_modules_is_refused() -> None:
    model = nn.Module()
    model.parts = nn.ModuleList([nn.Conv2d(3, 4, 1)])
    with pytest.raises(ValueError, match="parts is a list of modules"):
        attach_attention(model, "parts", nn.Identity())


def test_one_module_goes_to_one_place() -> None:
    model = timm.create_model("resnet18", device="meta")
    with pytest.raises(ValueError, match="pattern of 8 places"):
        attach_attention(model, "layer*.*.se", nn.Identity())
    attach_attention(model, "layer1.0.se", Scale(64))
    assert isinstance(model.layer1[0].se, Scale)


@pytest.mark.filterwarnings("ignore:`torch.jit.script` is deprecated:FutureWarning")
@pytest.mark.slow
def test_inserted_networks_compile_export_and_script() -> None:
    model = timm.create_model("resnet18", num_classes=5).eval()
    insert_attention(model, EfficientLocalAttention, ["layer1.0.bn2", "layer2", "layer3.0.se"])
    x = torch.randn(1, 3, 64, 64)
    with torch.no_grad():
        wanted = model(x)
        assert torch.allclose(torch.export.export(model, (x,)).module()(x), wanted, atol=1e-5)
        assert torch.allclose(torch.compile(model, fullgraph=True, backend="eager")(x), wanted, atol=1e-5)
        assert torch.allclose(torch.jit.script(model)(x), wanted, atol=1e-5)

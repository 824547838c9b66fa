"""ELA against what published copies of the module answer, and its classifiers against counted parameters."""

import pytest
import timm
import torch

import foveate.backbones.ela  # noqa: F401
from foveate.backbones.layers.ela import EfficientLocalAttention, ela_keys

# Case: size, channels, and every how many channels the answer has.
CASES = {
    "b_c64": ("b", 64, 2),
    "l_c256_14x20": ("l", 256, 8),
    "l_c64": ("l", 64, 2),
    "s_c256_14x20": ("s", 256, 8),
    "t_c256_14x20": ("t", 256, 8),
    "t_c64": ("t", 64, 2),
}
PARAMETERS = {
    "resnet18_ela_t": 11_702_952,
    "resnet18_ela_b": 11_706_792,
    "resnet18_ela_s": 11_770_152,
    "resnet18_ela_l": 11_800_872,
    "resnet50_ela_t": 25_662_760,
    "resnet50_ela_b": 25_692_968,
    "resnet50_ela_s": 26_191_400,
    "resnet50_ela_l": 26_433_064,
    "mobilenetv2_ela_t": 3_554_824,
    "mobilenetv2_ela_b": 3_569_096,
    "mobilenetv2_ela_s": 3_804_584,
    "mobilenetv2_ela_l": 3_918_760,
}
# MobileNetV2 with the attention after the projection.
NARROW = {"t": 3_515_400, "b": 3_518_408, "s": 3_568_040, "l": 3_592_104}


@pytest.mark.parametrize("case", CASES)
def test_module_answers_as_published(case: str, golden) -> None:
    size, channels, step = CASES[case]
    spec = golden.load(f"ela/{case}")
    module = EfficientLocalAttention(channels, size).eval()
    assert sum(p.numel() for p in module.parameters()) == spec["params"]
    module.load_state_dict(ela_keys(golden.fill_state(spec)))
    with torch.inference_mode():
        ours = module(golden.make_input(spec))[:, ::step]
    wanted = golden.outputs(f"ela/{case}")["y"]
    assert ours.shape == wanted.shape
    assert (ours - wanted).abs().max() <= 1e-4 * wanted.std()


def test_own_keys_stay() -> None:
    state = EfficientLocalAttention(16).state_dict()
    assert ela_keys(state).keys() == state.keys()


@pytest.mark.parametrize(
    ("size", "channels", "groups", "norm_groups"),
    [("t", 144, 144, 16), ("t", 24, 24, 8), ("b", 24, 24, 8), ("s", 24, 3, 8), ("l", 28, 7, 4), ("s", 64, 8, 16)],
)
def test_groups_fit_any_width(size: str, channels: int, groups: int, norm_groups: int) -> None:
    module = EfficientLocalAttention(channels, size)
    assert (module.conv.groups, module.gn.num_groups) == (groups, norm_groups)
    assert module(torch.randn(2, channels, 3, 5)).shape == (2, channels, 3, 5)


def test_rows_and_columns_are_symmetric() -> None:
    module = EfficientLocalAttention(32, "s")
    x = torch.randn(2, 32, 6, 9)
    assert torch.allclose(module(x.mT), module(x).mT, atol=1e-6)


def test_unknown_size_and_position() -> None:
    with pytest.raises(ValueError, match="sizes t, b, s, l, got 'xl'"):
        EfficientLocalAttention(32, "xl")
    with pytest.raises(ValueError, match="one of pre_project, post_project, got 'first'"):
        timm.create_model("mobilenetv2_ela_b", position="first", device="meta")


@pytest.mark.parametrize("name", PARAMETERS)
def test_parameters(name: str) -> None:
    model = timm.create_model(name, device="meta")
    assert sum(p.numel() for p in model.parameters()) == PARAMETERS[name]


@pytest.mark.parametrize("size", NARROW)
def test_parameters_after_the_projection(size: str) -> None:
    model = timm.create_model(f"mobilenetv2_ela_{size}", position="post_project", device="meta")
    assert sum(p.numel() for p in model.parameters()) == NARROW[size]


@pytest.mark.parametrize(("name", "position"), [("resnet18_ela_t", None), ("mobilenetv2_ela_b", "post_project")])
@pytest.mark.parametrize("size", [(33, 64), (97, 130)])
def test_odd_sizes(name: str, position: str | None, size: tuple[int, int]) -> None:
    model = timm.create_model(name, num_classes=3, position=position).eval()
    with torch.inference_mode():
        final, features = model.forward_intermediates(torch.randn(1, 3, *size))
        logits = model.forward_head(final)
    assert logits.shape == (1, 3)
    assert logits.isfinite().all()
    assert [f.shape[1] for f in features] == [info["num_chs"] for info in model.feature_info]


def wrappers(state: dict[str, torch.Tensor]) -> dict[str, dict]:
    return {
        "bare": state,
        "model": {"model": state, "epoch": 3},
        "state_dict": {"state_dict": state},
        "module": {"state_dict": {f"module.{key}": value for key, value in state.items()}},
        "ema": {"state_dict": {key: value * 0 for key, value in state.items()}, "state_dict_ema": state},
    }


@pytest.fixture(scope="module")
def source() -> dict[str, torch.Tensor]:
    """Weights of a small model."""
    return timm.create_model("mobilenetv2_ela_b").state_dict()


@pytest.mark.parametrize("wrapper", ["bare", "model", "state_dict", "module", "ema"])
def test_checkpoints_load_in_any_wrapper(wrapper: str, source: dict[str, torch.Tensor], tmp_path) -> None:
    state = {key.replace(".conv.", ".con1.").replace(".gn.", ".GN."): value for key, value in source.items()}
    assert state.keys() != source.keys()
    torch.save(wrappers(state)[wrapper], tmp_path / "w.pth")
    overlay = {"file": str(tmp_path / "w.pth")}
    model = timm.create_model("mobilenetv2_ela_b", pretrained=True, pretrained_cfg_overlay=overlay)
    for key, value in source.items():
        assert torch.equal(model.state_dict()[key], value)


@pytest.mark.parametrize("change", ["missing", "unexpected"])
def test_a_wrong_checkpoint_names_the_key(change: str, tmp_path) -> None:
    state = timm.create_model("resnet18_ela_b").state_dict()
    key = "layer2.1.se.gn.bias"
    if change == "missing":
        del state[key]
    else:
        key = "layer2.1.se.second.weight"
        state[key] = torch.zeros(1)
    torch.save(state, tmp_path / "w.pth")
    overlay = {"file": str(tmp_path / "w.pth")}
    with pytest.raises(RuntimeError, match=f"{change} {key}"):
        timm.create_model("resnet18_ela_b", pretrained=True, pretrained_cfg_overlay=overlay)


@pytest.mark.parametrize(("name", "trunk"), [("resnet18_ela_b", "resnet18"), ("mobilenetv2_ela_t", "mobilenetv2_100")])
def test_trunk_takes_timm_weights(name: str, trunk: str) -> None:
    missing, unexpected = timm.create_model(name).load_state_dict(timm.create_model(trunk).state_dict(), strict=False)
    assert not unexpected
    assert missing
    assert all(".se." in key for key in missing)


@pytest.mark.filterwarnings("ignore:`torch.jit.script` is deprecated:FutureWarning")
def test_module_is_exported_compiled_and_scripted() -> None:
    module = EfficientLocalAttention(32, "s").eval()
    x = torch.randn(1, 32, 7, 9)
    with torch.no_grad():
        wanted = module(x)
        assert torch.equal(torch.export.export(module, (x,)).module()(x), wanted)
        assert torch.equal(torch.compile(module, fullgraph=True, backend="eager")(x), wanted)
        assert torch.equal(torch.jit.script(module)(x), wanted)

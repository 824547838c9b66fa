"""LightNet's layers against the first author's later code; the classifier is a reconstruction without goldens."""

import pytest
import timm
import torch
from torch import Tensor, nn

import foveate.backbones.lightnet  # noqa: F401
from foveate.backbones.layers.lightnet import (
    TPE,
    LightNetAttention,
    MdTPE,
    additive_decay,
    decayed_scan,
    lrpe,
    md_lrpe,
    rotate,
)

MODULES = {
    "tpe_d64_h4": lambda: TPE(64, 4),
    "md_tpe_d64_h4_6x10": lambda: MdTPE(64, 4),
    "xmixers_attn_nolrpe": lambda: LightNetAttention(64, 4, causal=True),
}


def assert_close(ours: Tensor, golden: Tensor) -> None:
    assert ours.shape == golden.shape
    assert (ours - golden).abs().max() <= 1e-4 * golden.std()


@pytest.mark.parametrize("case", MODULES)
def test_modules_answer_as_published(case: str, golden) -> None:
    spec = golden.load(f"lightnet/{case}")
    module: nn.Module = MODULES[case]().eval()
    module.load_state_dict(golden.fill_state(spec))
    with torch.inference_mode():
        assert_close(module(golden.make_input(spec)), golden.outputs(f"lightnet/{case}")["y"])


def test_causal_attention_with_angles_answers_as_published(golden) -> None:
    spec = golden.load("lightnet/xmixers_attn_scalar")
    module = LightNetAttention(64, 4, causal=True, scalar_decay=True).eval()
    module.load_state_dict(golden.fill_state(spec))
    x, wanted = golden.make_input(spec), golden.outputs("lightnet/xmixers_attn_scalar")["y"]
    with torch.inference_mode():
        assert_close(module(x, *lrpe(x.shape[1], 16)), wanted)
        # A token sees none that come later.
        assert_close(module(x[:, :20], *lrpe(20, 16)), wanted[:, :20])
        assert (module(x) - wanted).abs().max() > 0.1 * wanted.std()


def test_angles_turn_as_published(golden) -> None:
    spec = golden.load("lightnet/md_lrpe_hd32_h4_6x10")
    x = golden.make_input(spec).transpose(1, 2)
    turned = rotate(x, *md_lrpe(6, 10, 4, 32)).transpose(1, 2)
    assert_close(turned, golden.outputs("lightnet/md_lrpe_hd32_h4_6x10")["y"])


def test_the_recurrence_is_a_running_softmax(golden) -> None:
    spec = golden.load("lightnet/recurrence")
    q, k, v = (golden.make_input(spec, name) for name in "qkv")
    wanted = golden.outputs("lightnet/recurrence")
    weights, log_decay = additive_decay(k)
    for chunk in (1, 5, 16, 64):
        assert_close(decayed_scan(q, weights, v, log_decay, chunk), wanted["causal"])
    state = torch.einsum("bnhd,bnhe->bhde", k.softmax(1), v)
    assert_close(torch.einsum("bnhd,bhde->bnhe", q, state), wanted["noncausal"])


def test_angles_and_heads_have_to_fit() -> None:
    with pytest.raises(ValueError, match="divide the channels"):
        LightNetAttention(10, 4)
    with pytest.raises(ValueError, match="needs causal=True"):
        LightNetAttention(16, 4, scalar_decay=True)
    with pytest.raises(ValueError, match="takes no angles"):
        LightNetAttention(16, 4, causal=True)(torch.randn(1, 4, 16), *md_lrpe(2, 2, 4, 4))


def test_a_classifier_sees_pictures_of_any_size() -> None:
    torch.manual_seed(0)
    model = timm.create_model("lightnet_tiny", num_classes=7).eval()
    with torch.inference_mode():
        for size in ((64, 64), (80, 48)):
            assert model(torch.randn(1, 3, *size)).shape == (1, 7)
    order = torch.randn(1, 3, 64, 64)
    with torch.inference_mode():
        assert not torch.allclose(model(order), model(order.flip(3)), atol=1e-5), "positions do not matter"

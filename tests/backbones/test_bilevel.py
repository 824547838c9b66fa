"""Attention modules of BiFormer against what the authors' code answers, and against each other."""

import pytest
import torch
from torch import nn

from foveate.backbones.layers.bilevel import (
    AttentionLePE,
    AttentionLePE2d,
    BiLevelRoutingAttention,
    BiLevelRoutingAttention2d,
    routed_state_to_2d,
)

LEGACY = {
    "base": {},
    "rect": {},
    "topk1": {"topk": 1},
    "topk_all": {"topk": 16},
    "autopad": {"auto_pad": True},
    "ada_avgpool": {"downsample": "ada_avgpool", "downsample_size": 2},
    "ada_maxpool": {"downsample": "ada_maxpool", "downsample_size": 2},
    "avgpool": {"downsample": "avgpool", "downsample_size": 2},
    "maxpool": {"downsample": "maxpool", "downsample_size": 2},
    "no_wo": {"project": False},
    "nolepe": {"lepe_kernel": 0},
    "qkdim": {"qk_dim": 16},
    "scale": {"qk_scale": 0.5},
    "soft": {"soft": True, "differentiable": True},
    "soft_nodiff": {"soft": True},
    "param_routing_soft": {"soft": True, "differentiable": True, "learned_routing": True},
}
CHANNELS_FIRST = {"nchw_base": {}, "nchw_odd": {}, "nchw_tall": {"regions": 7, "topk": 4}}


def assert_answers(module: nn.Module, case: str, golden) -> None:
    """Compare the output and every recorded gradient with the golden case, after a strict load of its weights."""
    spec, wanted = golden.load(case), golden.outputs(case)
    module.load_state_dict(golden.fill_state(spec), strict=True)
    x = golden.make_input(spec).requires_grad_()
    out = module(x)
    (out * golden.make_input(spec, "probe")).sum().backward()
    parameters = dict(module.named_parameters())
    ours = {"out": out, "grad_x": x.grad}
    ours |= {key: parameters[key.removeprefix("grad:")].grad for key in wanted if key.startswith("grad:")}
    assert ours.keys() == wanted.keys()
    for key, tensor in wanted.items():
        assert ours[key].shape == tensor.shape, key
        # Steep softmaxes of float32 numbers: gradients of the published code are off by as much.
        allowed = (2e-5 if key == "out" else 1e-4) * tensor.std().clamp(min=1)
        assert (ours[key] - tensor).abs().max() <= allowed, key


@pytest.mark.parametrize("backend", ["reference", "cpu"])
@pytest.mark.parametrize("case", LEGACY)
def test_routing_attention_answers_as_published(case: str, backend: str, golden) -> None:
    options = {"num_heads": 2, "regions": 4, "topk": 3, **LEGACY[case]}
    assert_answers(BiLevelRoutingAttention(32, backend=backend, **options), f"ops/bra_{case}", golden)


@pytest.mark.parametrize("backend", ["reference", "cpu"])
@pytest.mark.parametrize("case", CHANNELS_FIRST)
def test_channels_first_answers_as_published(case: str, backend: str, golden) -> None:
    options = {"num_heads": 2, "regions": 4, "topk": 3, **CHANNELS_FIRST[case]}
    assert_answers(BiLevelRoutingAttention2d(32, backend=backend, **options), f"ops/bra_{case}", golden)


@pytest.mark.parametrize(("case", "module"), [("attn_lepe", AttentionLePE), ("attn_lepe_nchw", AttentionLePE2d)])
def test_attention_among_all_answers_as_published(case: str, module: type[nn.Module], golden) -> None:
    assert_answers(module(64), f"ops/{case}", golden)


def test_both_layouts_agree_after_renaming() -> None:
    torch.manual_seed(0)
    last = BiLevelRoutingAttention(16, 2, regions=2, topk=2)
    first = BiLevelRoutingAttention2d(16, 2, regions=2, topk=2)
    first.load_state_dict(routed_state_to_2d(last.state_dict()), strict=True)
    x = torch.randn(2, 6, 8, 16)
    torch.testing.assert_close(first(x.permute(0, 3, 1, 2)).permute(0, 2, 3, 1), last(x))
    router = BiLevelRoutingAttention(16, 2, soft=True, differentiable=True, learned_routing=True)
    with pytest.raises(ValueError, match=r"router\.emb"):
        routed_state_to_2d(router.state_dict())


def test_only_soft_differentiable_routing_reaches_the_router() -> None:
    torch.manual_seed(0)
    module = BiLevelRoutingAttention(
        16,
        2,
        2,
        2,
        soft=True,
        differentiable=True,
        learned_routing=True,
        downsample="maxpool",
        downsample_size=2,
    )
    module(torch.randn(2, 8, 8, 16)).square().sum().backward()
    assert all(p.grad is not None and p.grad.abs().max() > 0 for n, p in module.named_parameters() if "bias" not in n)


def test_modules_compile_in_one_piece() -> None:
    torch._dynamo.reset()
    torch.manual_seed(0)
    module = BiLevelRoutingAttention(16, 2, regions=2, topk=2, auto_pad=True).eval()
    x = torch.randn(1, 5, 6, 16)
    torch.testing.assert_close(torch.compile(module, backend="aot_eager", fullgraph=True)(x), module(x))


def test_bad_arguments_are_named() -> None:
    with pytest.raises(ValueError, match="num_heads"):
        BiLevelRoutingAttention(16, 3)
    with pytest.raises(ValueError, match="downsample"):
        BiLevelRoutingAttention(16, 2, downsample="conv")
    with pytest.raises(ValueError, match="soft"):
        BiLevelRoutingAttention(16, 2, differentiable=True)
    with pytest.raises(ValueError, match="learned_routing"):
        BiLevelRoutingAttention(16, 2, soft=True, learned_routing=True)
    with pytest.raises(ValueError, match="auto_pad"):
        BiLevelRoutingAttention(16, 2, regions=4)(torch.randn(1, 8, 6, 16))
    with pytest.raises(ValueError, match="shrink"):
        BiLevelRoutingAttention(16, 2, regions=4, downsample="avgpool")(torch.randn(1, 8, 8, 16))


def test_fewer_tokens_than_regions_attend_to_all_of_them() -> None:
    torch.manual_seed(0)
    module = BiLevelRoutingAttention2d(16, 2, regions=7, topk=16)
    x = torch.randn(1, 16, 3, 5)
    single = BiLevelRoutingAttention2d(16, 2, regions=1, topk=1)
    single.load_state_dict(module.state_dict(), strict=True)
    torch.testing.assert_close(module(x), single(x))

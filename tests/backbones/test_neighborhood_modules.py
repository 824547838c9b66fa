"""Neighborhood attention modules against NATTEN's and those of NAT and DiNAT, and what they add."""

import pytest
import torch
from torch import nn

from foveate.backbones.layers import neighborhood
from foveate.backbones.layers.neighborhood import (
    NeighborhoodAttention1D,
    NeighborhoodAttention2D,
    NeighborhoodAttention3D,
)

NATTEN = {
    "module1d_k9_s3_d2_causal": lambda: NeighborhoodAttention1D(64, 2, 9, 3, 2, True),
    "module2d_k7": lambda: NeighborhoodAttention2D(64, 2, 7),
    "module3d_k3x4x5": lambda: NeighborhoodAttention3D(64, 2, (3, 4, 5), (1, 2, 1), qkv_bias=False, qk_scale=0.3),
}
LEGACY = {
    "na1d_module_k5_d2_pad": lambda: NeighborhoodAttention1D(32, 2, 5, dilation=2, rel_pos_bias=True, pad_input=True),
    "na_module_k7_d1": lambda: NeighborhoodAttention2D(32, 2, 7, dilation=None, rel_pos_bias=True, pad_input=True),
    "na_module_k7_d2_pad": lambda: NeighborhoodAttention2D(32, 2, 7, dilation=2, rel_pos_bias=True, pad_input=True),
}


@pytest.mark.parametrize("case", NATTEN)
def test_modules_answer_as_natten(case: str, golden) -> None:
    spec = golden.load(f"gna/{case}")
    module = NATTEN[case]().eval()
    assert sum(p.numel() for p in module.parameters()) == spec["params"]
    module.load_state_dict(golden.fill_state(spec))
    with torch.inference_mode():
        found = module(golden.make_input(spec))
    torch.testing.assert_close(found, golden.outputs(f"gna/{case}")["y"], atol=2e-5, rtol=0)


@pytest.mark.parametrize("case", LEGACY)
def test_modules_answer_as_nat_and_dinat(case: str, golden) -> None:
    spec, wanted = golden.load(f"ops/{case}"), golden.outputs(f"ops/{case}")
    module = LEGACY[case]()
    module.load_state_dict(golden.fill_state(spec))
    x = golden.make_input(spec).requires_grad_()
    out = module(x)
    (out * golden.make_input(spec, "probe")).sum().backward()
    found = {"out": out.detach(), "grad_x": x.grad}
    found |= {f"grad:{name}": parameter.grad for name, parameter in module.named_parameters()}
    assert len(wanted) >= 5
    for name, tensor in wanted.items():
        scale = tensor.std().clamp(min=1).item()
        torch.testing.assert_close(
            found[name], tensor, atol=2e-5 * scale, rtol=0, msg=lambda text, n=name: f"{n}: {text}"
        )


def test_queries_keys_and_values_are_views_of_the_projection(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = {}

    def spy(query, key, value, window, **rest):
        seen.update(query=query, key=key, value=value)
        return torch.zeros_like(query)

    monkeypatch.setattr(neighborhood, "neighborhood_attention", spy)
    NeighborhoodAttention2D(32, 2, 3)(torch.randn(2, 5, 6, 32))
    storages = {tensor.untyped_storage().data_ptr() for tensor in seen.values()}
    assert len(storages) == 1
    assert all(tensor.stride() == (5 * 6 * 96, 6 * 96, 96, 16, 1) for tensor in seen.values())
    assert [tensor.storage_offset() for tensor in seen.values()] == [0, 32, 64]


def test_input_smaller_than_the_window_is_refused_or_padded() -> None:
    x = torch.randn(1, 4, 9, 16)
    with pytest.raises(ValueError, match="window times dilation must not exceed"):
        NeighborhoodAttention2D(16, 2, 5)(x)
    padding = NeighborhoodAttention2D(16, 2, 5, pad_input=True)
    assert padding(x).shape == x.shape
    plain = NeighborhoodAttention2D(16, 2, 5)
    plain.load_state_dict(padding.state_dict())
    large = torch.randn(1, 6, 9, 16)
    assert torch.equal(padding(large), plain(large))
    torch.testing.assert_close(padding(x), plain(nn.functional.pad(x, (0, 0, 0, 0, 0, 1)))[:, :4])


def test_the_bias_starts_small_and_bends_the_answer() -> None:
    torch.manual_seed(0)
    module = NeighborhoodAttention2D(32, 4, (7, 5), rel_pos_bias=True)
    assert list(module.state_dict()) == ["rpb", "qkv.weight", "qkv.bias", "proj.weight", "proj.bias"]
    assert module.rpb is not None
    assert module.rpb.shape == (4, 13, 9)
    assert 0.015 < module.rpb.std().item() < 0.025
    assert module.no_weight_decay() == {"rpb"}
    x = torch.randn(1, 8, 8, 32)
    before = module(x)
    with torch.no_grad():
        module.rpb[:, 6, 4] += 50.0  # every query looks at itself
    own = module.proj(module.qkv(x)[..., 64:])
    torch.testing.assert_close(module(x), own, atol=1e-5, rtol=0)
    assert not torch.allclose(before, own, atol=1e-3)


def test_norms_make_the_length_of_queries_and_keys_irrelevant() -> None:
    torch.manual_seed(0)
    module = NeighborhoodAttention1D(16, 2, 3, qk_norm=True, norm_layer=nn.RMSNorm, qkv_bias=False)
    assert set(module.state_dict()) == {"q_norm.weight", "k_norm.weight", "qkv.weight", "proj.weight", "proj.bias"}
    x = torch.randn(2, 7, 16)
    before = module(x)
    with torch.no_grad():
        module.qkv.weight[:32] *= 3.0
    torch.testing.assert_close(module(x), before, atol=1e-5, rtol=1e-5)


def test_rotary_sees_queries_and_keys_of_the_grid() -> None:
    module = NeighborhoodAttention2D(16, 2, 3)
    x, shapes = torch.randn(2, 4, 5, 16), []

    def flip(tensor: torch.Tensor) -> torch.Tensor:
        shapes.append(tuple(tensor.shape))
        return -tensor

    torch.testing.assert_close(module(x, rotary=flip), module(x))  # both change sign, so no score does
    assert shapes == [(2, 4, 5, 2, 8)] * 2
    assert not torch.allclose(module(x, rotary=lambda tensor: 3 * tensor), module(x), atol=1e-4)


def test_extra_tokens_are_seen_by_every_query() -> None:
    torch.manual_seed(0)
    module = NeighborhoodAttention1D(16, 2, 5, qk_norm=True)
    x, extra = torch.randn(2, 5, 16), torch.randn(2, 3, 16)
    # A window as long as the axis: the same as attention over a longer sequence, asked at its first five tokens.
    joined = NeighborhoodAttention1D(16, 2, 8, qk_norm=True)
    joined.load_state_dict(module.state_dict())
    torch.testing.assert_close(module(x, extra), joined(torch.cat([x, extra], dim=1))[:, :5], atol=1e-5, rtol=1e-5)
    unbiased = NeighborhoodAttention1D(16, 2, 5, qkv_bias=False)
    assert unbiased(x, extra[:, :1]).shape == x.shape


def test_backend_and_dropout_are_passed_on() -> None:
    x = torch.randn(1, 6, 16)
    module = NeighborhoodAttention1D(16, 2, 3, backend="reference")
    other = NeighborhoodAttention1D(16, 2, 3)
    other.load_state_dict(module.state_dict())
    torch.testing.assert_close(module(x), other(x), atol=1e-5, rtol=0)
    with pytest.raises(ValueError, match="backend must be"):
        NeighborhoodAttention1D(16, 2, 3, backend="nothing")(x)
    assert torch.equal(NeighborhoodAttention1D(16, 2, 3, proj_drop=1.0)(x), torch.zeros_like(x))


def test_autocast_and_half_modules_keep_one_type() -> None:
    torch.manual_seed(0)
    module = NeighborhoodAttention2D(16, 2, 3, rel_pos_bias=True, qk_norm=True)
    x, extra = torch.randn(1, 4, 4, 16), torch.randn(1, 2, 16)
    exact = module(x, extra)
    with torch.autocast("cpu", torch.bfloat16):
        out = module(x, extra)
    assert out.dtype == torch.bfloat16
    torch.testing.assert_close(out.float(), exact, atol=3e-2, rtol=0)
    out.float().sum().backward()
    assert module.rpb is not None
    assert module.rpb.grad is not None
    assert module.rpb.grad.dtype == torch.float32
    half = module.bfloat16()(x.bfloat16(), extra.bfloat16())
    torch.testing.assert_close(half.float(), exact, atol=5e-2, rtol=0)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: NeighborhoodAttention2D(30, 4, 3), "num_heads must divide embed_dim"),
        (lambda: NeighborhoodAttention2D(32, 0, 3), "num_heads must divide embed_dim"),
        (lambda: NeighborhoodAttention2D(32, 4, (3, 3, 3)), "kernel_size must be"),
        (lambda: NeighborhoodAttention2D(32, 4, 3, dilation=0), "dilation must be"),
        (lambda: NeighborhoodAttention2D(32, 4, 3)(torch.zeros(1, 8, 32)), r"takes \(batch, height, width, 32\)"),
        (lambda: NeighborhoodAttention1D(32, 4, 3)(torch.zeros(1, 8, 16)), r"takes \(batch, length, 32\)"),
        (lambda: NeighborhoodAttention3D(32, 4, 3)(torch.zeros(1, 8, 32)), r"\(batch, depth, height, width, 32\)"),
    ],
)
def test_bad_arguments(make, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        make()

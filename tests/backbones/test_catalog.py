"""The table of backbones against the models themselves, and against what their authors publish."""

import importlib

import pytest
import timm
import torch

from foveate.backbones import FAMILIES
from foveate.backbones.catalog import BACKBONES, BackboneEntry
from foveate.backbones.macs import count_macs
from foveate.kernels import dynamic_neighborhood, neighborhood_attention, routed_attention

ENTRIES = {entry.name: entry for entry in BACKBONES}
# As the authors round them: millions of parameters, giga-multiply-adds at the model's size.
PUBLISHED = {
    "biformer_tiny": (13.1, 2.2),
    "biformer_small": (25.5, 4.5),
    "biformer_base": (56.8, 9.8),
    "biformer_stl": (28.4, 4.6),
    "biformer_stl_nchw": (28.4, 4.6),
    "nat_mini": (20, 2.7),
    "nat_tiny": (28, 4.3),
    "nat_small": (51, 7.8),
    "nat_base": (90, 13.7),
    "dinat_mini": (20, 2.7),
    "dinat_tiny": (28, 4.3),
    "dinat_small": (51, 7.8),
    "dinat_base": (90, 13.7),
    "dinat_large": (200, 30.6),
    "dinat_large_384": (200, 89.7),
    "dinat_large_384_11x11": (200, 92.4),
    "dinat_s_tiny": (28, 4.5),
    "dinat_s_small": (50, 8.7),
    "dinat_s_base": (88, 15.4),
    "dinat_s_large": (197, 34.5),
    "dinat_s_large_384": (197, 101.5),
    "nat_isotropic_small": (22, 4.3),
    "nat_isotropic_base": (86, 16.9),
    "vitrpb_small": (None, 4.6),
    "vitrpb_base": (None, 17.5),
    # Without the branches of large kernels, which merge after training.
    "overlock_xt": (16, 2.6),
    "overlock_tiny": (33, 5.5),
    "overlock_small": (56, 9.7),
    "overlock_base": (95, 16.7),
    "mobilenetv1_ulsam_r11_g4": (3.9, 0.517),
    "mobilenetv1_ulsam_r11_g4_075": (2.4, 0.296),
    "mobilenetv1_ulsam_r11_g4_050": (1.2, 0.136),
}


def cheapest(family: str) -> BackboneEntry:
    return min((entry for entry in BACKBONES if entry.family == family), key=lambda entry: entry.macs)


def test_every_registered_model_has_one_row() -> None:
    assert len(ENTRIES) == len(BACKBONES)
    assert {entry.family for entry in BACKBONES} == set(FAMILIES)
    for family in FAMILIES:
        registered = timm.list_models(module=family)
        assert sorted(entry.name for entry in BACKBONES if entry.family == family) == sorted(registered)


@pytest.mark.parametrize("name", ENTRIES)
def test_rows_say_what_the_models_are(name: str) -> None:
    entry = ENTRIES[name]
    importlib.import_module(f"foveate.backbones.{entry.family}")
    model = timm.create_model(name, device="meta")
    cfg = model.pretrained_cfg
    assert entry.parameters == sum(parameter.numel() for parameter in model.parameters())
    assert (3, entry.size, entry.size) == cfg["input_size"]
    assert entry.licence.lower() == cfg["license"]
    assert entry.source == cfg["origin_url"]
    assert entry.url == (cfg.get("url") or "")
    assert entry.weights in ("official", "packaged", "offline", "none")
    assert (entry.weights == "official") == bool(entry.url)
    assert (entry.weights == "packaged") == bool(cfg.get("file"))


@pytest.mark.parametrize("family", sorted({entry.family for entry in BACKBONES}))
def test_multiply_adds_of_the_cheapest_model_of_a_family(family: str) -> None:
    check_macs(cheapest(family).name)


@pytest.mark.slow
@pytest.mark.parametrize("name", ENTRIES)
def test_multiply_adds_of_all_models(name: str) -> None:
    check_macs(name)


def check_macs(name: str) -> None:
    importlib.import_module(f"foveate.backbones.{ENTRIES[name].family}")
    model = timm.create_model(name, device="meta").eval()
    assert ENTRIES[name].macs == count_macs(model, model.pretrained_cfg["input_size"])


@pytest.mark.parametrize("name", PUBLISHED)
def test_counts_are_those_that_the_authors_publish(name: str) -> None:
    parameters, macs = PUBLISHED[name]
    entry = ENTRIES[name]
    counted = entry.parameters, entry.macs
    if entry.family == "overlock":
        model = timm.create_model(name, device="meta", deploy=True).eval()
        counted = sum(parameter.numel() for parameter in model.parameters()), count_macs(model, (3, 224, 224))
        assert f"{counted[0] / 1e6:.1f} M parameters" in entry.note
        # In eval mode, branches run as one kernel before they are merged as well.
        assert counted[1] == entry.macs
    # The authors of DiNAT count norms too, half a percent; those of OverLoCK are off by up to 2 percent, both ways.
    share = 0.02 if entry.family == "overlock" else 0.006
    assert counted[1] == pytest.approx(macs * 1e9, rel=share, abs=0.05e9 if macs > 1 else 0.5e6)
    if parameters is not None:
        # Those of ULSAM count 0.1 M less than the layers have.
        assert counted[0] == pytest.approx(parameters * 1e6, rel=0.006, abs=0.1e6 if macs < 1 else 0.5e6)


class Attention(torch.nn.Module):
    """A kernel alone, so that what it counts can be worked out by hand."""

    def __init__(self, call) -> None:
        super().__init__()
        self.call = call

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.call(x[:, :, None])


def test_kernels_count_what_their_windows_hold() -> None:
    def neighborhood(x):  # 12 x 20 tokens, 2 heads of 16 channels
        q = x.expand(1, 32, 1, 12, 20).reshape(1, 2, 16, 12, 20).permute(0, 3, 4, 1, 2)
        extra = q[:, :4, 0]
        return neighborhood_attention(q, q, q, (3, 5), extra_keys=extra, extra_values=extra)

    assert count_macs(Attention(neighborhood), (1, 12, 20)) == 12 * 20 * 2 * (3 * 5 + 4) * 16 * 2

    def routed(x):
        q = x.expand(1, 32, 1, 12, 20).reshape(1, 2, 16, 12, 20).permute(0, 3, 4, 1, 2)
        return routed_attention(q, q, q, (3, 4), 3, routing=torch.ones(1, 12, 12))

    assert count_macs(Attention(routed), (1, 12, 20)) == 12 * 20 * 2 * (3 * 4 * 5) * 16 * 2

    def dynamic(x):
        value = x.expand(1, 16, 1, 12, 20).reshape(1, 2, 2, 4, 12, 20)
        logits = x.expand(1, 2 * (9 + 25), 1, 12, 20).reshape(1, 2, 34, 12, 20)
        return dynamic_neighborhood(logits, value, 3, 5)

    assert count_macs(Attention(dynamic), (1, 12, 20)) == 12 * 20 * 2 * 4 * (9 + 25)


def test_attention_among_all_tokens_counts_like_products() -> None:
    def among_all(x):
        q = x.expand(1, 32, 1, 12, 20).reshape(1, 2, 16, 240).transpose(-1, -2)
        return torch.nn.functional.scaled_dot_product_attention(q, q, q)

    assert count_macs(Attention(among_all), (1, 12, 20)) == 240 * 240 * 32 * 2

"""Eccentric pooling and the networks made of it answer as the published ones, and any CNN can be made eccentric."""

import ast
import re
from pathlib import Path
from types import ModuleType

import pytest
import torch
from torch import nn

from foveate.scanpath.eccentric_cnn import TimmEccNet, open_eccnet
from foveate.scanpath.eccentricity import EccentricPool2d, eccentric_rings, pool_same
from foveate.scanpath.eccnet import VggEccNet, find_vgg16_weights, layer_degrees, layer_slope

POOLS = (
    "pool3_avg",
    "pool3_small",
    "pool4_avg",
    "pool4_max_nonsquare",
    "pool5_avg",
    "pool5_avg_tall",
    "pool_stride1",
)


@pytest.mark.parametrize("name", POOLS)
def test_pooling_answers_as_published(golden: ModuleType, name: str) -> None:
    case = f"eccnet/{name}"
    spec, answers = golden.load(case), golden.outputs(case)
    settings = ast.literal_eval(re.search(r"arguments (\{.*?\})", spec["notes"]).group(1))
    pool = EccentricPool2d(
        settings["ecc_slope"],
        settings["deg2px"],
        settings["pool_type"],
        stride=settings["stride"],
        smallest=settings["rf_min"],
        fovea=settings["fovea_size"],
        ring_width=settings["rf_quant"],
    )
    maps = golden.make_input(spec)
    rings = pool.rings(max(maps.shape[-2:]))
    assert torch.equal(rings.index.float(), answers["ring_index"])
    assert rings.windows == tuple(answers["rf_sizes"].int().tolist())
    assert [2 * radius for radius in rings.radii] == answers["ecc_border"].int().tolist()
    torch.testing.assert_close(pool(maps), answers["y"], rtol=0, atol=1e-6)


def test_features_are_those_of_the_published_networks(golden: ModuleType) -> None:
    spec, answers = golden.load("eccnet/vgg_features"), golden.outputs("eccnet/vgg_features")
    state = golden.fill_state(spec)
    for name, eccentric in (("eccnet", True), ("vgg", False)):
        network = VggEccNet(state, eccentric=eccentric)
        for role, look in (("stimulus", network.stimulus_maps), ("target", network.target_maps)):
            for layer, maps in zip((3, 4, 5), look(golden.make_input(spec, role) * 64), strict=True):
                known = answers[f"{name}_{role}_{layer}"]
                assert (maps[:, :16] - known).abs().max() / known.abs().max() < 1e-5
                means = answers[f"{name}_{role}_{layer}_mean"]
                assert (maps.mean((2, 3)) - means).abs().max() / means.abs().max() < 1e-5


def test_windows_of_every_published_layer() -> None:
    assert [layer_degrees(2**i) for i in range(5)] == [30, 15, 8, 4, 2]
    assert [layer_slope(2**i) for i in range(5)] == [0, 0, 0.07, 0.16, 0.32]
    assert eccentric_rings(31, 0.32, 2).windows == (2, 3, 3, 4, 5, 5, 6, 6, 7, 8, 8, 9, 10)


def test_a_stride_of_one_keeps_the_fovea_and_blurs_the_rest() -> None:
    pool = EccentricPool2d(0.1, 4, stride=1, smallest=1, fovea=4, ring_width=1)
    maps = torch.rand(2, 3, 48, 48, generator=torch.Generator().manual_seed(0))
    pooled = pool(maps)
    fovea = pool.rings(48).index == 0
    torch.testing.assert_close(pooled[..., fovea], maps[..., fovea])
    assert pooled[..., ~fovea].std() < 0.8 * maps[..., ~fovea].std()
    torch.testing.assert_close(pool(torch.ones(1, 1, 48, 48)), torch.ones(1, 1, 48, 48))


def test_averages_leave_out_what_lies_beyond_the_map() -> None:
    maps = torch.arange(9.0).view(1, 1, 3, 3)
    assert pool_same(maps, 2, 2).flatten().tolist() == [2.0, 3.5, 6.5, 8.0]
    assert pool_same(maps, 2, 2, "max").flatten().tolist() == [4.0, 5.0, 7.0, 8.0]


class Plain(nn.Module):
    """Two convolutions with a pool between, with timm's facts about itself."""

    feature_info = (
        {"num_chs": 4, "reduction": 1, "module": "first"},
        {"num_chs": 4, "reduction": 2, "module": "second"},
        {"num_chs": 8, "reduction": 4, "module": "third"},
    )
    pretrained_cfg = {"mean": (0.5, 0.5, 0.5), "std": (0.5, 0.5, 0.5), "input_size": (3, 64, 64)}  # noqa: RUF012

    def __init__(self) -> None:
        super().__init__()
        self.first, self.one = nn.Conv2d(3, 4, 3, padding=1), nn.MaxPool2d(2, 2)
        self.second, self.two = nn.Conv2d(4, 4, 3, padding=1), nn.MaxPool2d(2)
        self.third = nn.Conv2d(4, 8, 3, padding=1)

    def forward_features(self, pictures: torch.Tensor) -> torch.Tensor:
        return self.third(self.two(self.second(self.one(self.first(pictures)))))


def test_plain_pools_are_swapped() -> None:
    network = TimmEccNet(Plain(), reductions=(2, 4), trained=False)
    assert isinstance(network.net.one, EccentricPool2d)
    assert isinstance(network.net.two, EccentricPool2d)
    assert not network.trained
    seen = network.stimulus_maps(network.prepare(torch.zeros(1, 3, 64, 64)))
    assert [tuple(maps.shape) for maps in seen] == [(1, 4, 16, 16), (1, 8, 16, 16)]
    plain = TimmEccNet(Plain(), reductions=(2, 4), eccentric=False)
    assert isinstance(plain.net.one, nn.MaxPool2d)


def test_a_vgg_of_timm_becomes_eccnet() -> None:
    import timm

    torch.manual_seed(0)
    net = timm.create_model("vgg16", num_classes=0)
    state = {key: value for key, value in net.state_dict().items() if key.startswith("features.")}
    pictures = torch.randint(0, 256, (1, 3, 200, 200), generator=torch.Generator().manual_seed(1))
    own = VggEccNet(state, preprocessing="torch")
    other = TimmEccNet(net)
    for ours, theirs in zip(
        own.stimulus_maps(own.prepare(pictures)), other.stimulus_maps(other.prepare(pictures)), strict=True
    ):
        torch.testing.assert_close(ours, theirs, rtol=1e-5, atol=1e-5 * float(theirs.abs().max()))


@pytest.mark.parametrize("name", ["mobilenetv3_small_050", "patnet_t0"])
def test_strided_networks_see_less_away_from_the_fixation(name: str) -> None:
    torch.manual_seed(0)
    network = TimmEccNet(name, pretrained=False)
    assert not network.trained
    side = 640
    noise = torch.randint(0, 256, (1, 3, side, side), generator=torch.Generator().manual_seed(0))
    seen = network.stimulus_maps(network.prepare(noise))
    assert len({maps.shape[-2:] for maps in seen}) == 1
    deepest = seen[-1]
    assert deepest.shape[-1] == side // 16
    middle = deepest[..., 17:23, 17:23].std((2, 3)).mean()
    border = deepest[..., 3:9, 3:9].std((2, 3)).mean()
    assert border < 0.9 * middle
    targets = network.target_maps(network.prepare(noise[..., :48, :48]))
    assert all(min(maps.shape[-2:]) >= 1 for maps in targets)


def test_bad_settings_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ValueError, match="kind must be"):
        EccentricPool2d(0.1, 8, "median")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="above 0"):
        EccentricPool2d(0.1, 0)
    with pytest.raises(ValueError, match="some of 3, 4 and 5"):
        VggEccNet(layers=(2,))
    with pytest.raises(ValueError, match="weights lack features"):
        VggEccNet({})
    with pytest.raises(ValueError, match="choose among them"):
        TimmEccNet("mobilenetv3_small_050", pretrained=False, reductions=(3,))
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    with pytest.raises(RuntimeError, match="no VGG16 weights are here"):
        open_eccnet()
    with pytest.raises(RuntimeError, match="does not exist"):
        open_eccnet(weights=tmp_path / "none.pth")


def test_weights_on_disk_are_found_and_opened(tmp_path: Path) -> None:
    torch.manual_seed(0)
    state = VggEccNet().state_dict()
    assert find_vgg16_weights(tmp_path) is None
    torch.save(state, tmp_path / "vgg16-397923af.pth")
    assert find_vgg16_weights(tmp_path) == tmp_path / "vgg16-397923af.pth"
    network = open_eccnet(weights=tmp_path / "vgg16-397923af.pth")
    assert network.trained
    white = network.prepare(torch.full((1, 3, 2, 2), 255.0))
    assert white[0, :, 0, 0].tolist() == pytest.approx([2.2489, 2.4286, 2.64], abs=1e-3)

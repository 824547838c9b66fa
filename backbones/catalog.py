"""The backbones as a table, known without importing torch: the command ``foveate models`` reads this.

Parameters and multiply-adds are counted (``foveate.backbones.macs``); accuracies are those that the authors publish for
their own weights. The tests compare every row with the model that timm builds by its name.
"""

from dataclasses import dataclass
from typing import Any

__all__ = ["BACKBONES", "BackboneEntry"]


@dataclass(frozen=True)
class BackboneEntry:
    """A backbone that ``timm.create_model`` builds by name.

    Args:
        name: The name.
        family: Module of ``foveate.backbones`` that registers it.
        parameters: All of them, the classifier's too.
        macs: Multiply-adds of one picture.
        top1: Published accuracy on ImageNet-1k at ``size``, percent; None where there is none of a single model.
        size: Side of the picture, in pixels.
        weights: "official" where the authors' are at ``url``; "offline" where the authors published some that no
            address leads to any more, so that a file has to be given; "packaged" where ours come with the package;
            "none" otherwise.
        url: The authors' file, or empty.
        licence: Of the weights; where there are none, of the code they would come from.
        source: Where the model comes from.
        reconstruction: Whether this is made from a description, since the authors published no code of the model.
        note: What to know beside; empty for nothing.
    """

    name: str
    family: str
    parameters: int
    macs: int
    top1: float | None
    size: int = 224
    weights: str = "none"
    url: str = ""
    licence: str = "MIT"
    source: str = ""
    reconstruction: bool = False
    note: str = ""

    def to_dict(self) -> dict[str, Any]:
        """Return the row of the table."""
        return {"name": self.name, "task": "backbone", **vars(self)}


def _biformer(name: str, parameters: int, macs: int, top1: float) -> BackboneEntry:
    return BackboneEntry(
        name, "biformer", parameters, macs, top1, weights="offline", source="https://github.com/rayleizhu/BiFormer"
    )


def _patnet(
    name: str, parameters: int, macs: int, top1: float | None = None, note: str = "", weights: str = "none"
) -> BackboneEntry:
    source = "https://github.com/haiduo/PartialNet"
    return BackboneEntry(name, "patnet", parameters, macs, top1, weights=weights, source=source, note=note)


def _nat(
    name: str, family: str, parameters: int, macs: int, top1: float | None, file: str, size: int = 224, note: str = ""
) -> BackboneEntry:
    url = f"https://shi-labs.com/projects/{file}"
    source = "https://github.com/SHI-Labs/Neighborhood-Attention-Transformer"
    return BackboneEntry(name, family, parameters, macs, top1, size, "official", url, source=source, note=note)


def _overlock(name: str, letter: str, parameters: int, macs: int, top1: float, merged: str) -> BackboneEntry:
    url = f"https://github.com/LMMMEng/OverLoCK/releases/download/v1/overlock_{letter}_in1k_224.pth"
    return BackboneEntry(
        f"overlock_{name}", "overlock", parameters, macs, top1, weights="official", url=url, licence="Apache-2.0",
        source="https://github.com/LMMMEng/OverLoCK", note=f"{merged} parameters once reparameterized",
    )  # fmt: skip


def _ulsam(name: str, parameters: int, macs: int, top1: float | None = None, note: str = "") -> BackboneEntry:
    return BackboneEntry(
        f"mobilenet{name}", "ulsam", parameters, macs, top1, licence="Apache-2.0",
        source="https://github.com/Nandan91/ULSAM", reconstruction=True, note=note,
    )  # fmt: skip


def _ela(name: str, parameters: int, macs: int) -> BackboneEntry:
    source = "https://arxiv.org/abs/2403.01123"
    return BackboneEntry(name, "ela", parameters, macs, None, licence="Apache-2.0", source=source, reconstruction=True)


def _lightnet(name: str, parameters: int, macs: int) -> BackboneEntry:
    source, licence = "https://arxiv.org/abs/2405.21022", "Apache-2.0"
    return BackboneEntry(name, "lightnet", parameters, macs, None, licence=licence, source=source, reconstruction=True)


_22K = "trained on ImageNet-22k"
_FIRST_22K = "trained on ImageNet-22k first"
_THEIR_FILE = "depths of the authors' configuration"
_PAPER = "parameters of the paper"
_FIGURE = "accuracy read off the authors' figure"
_SAME_SHAPE = "accuracy published for one of several blocks of this shape"
_1K, _ISO = "dinat/checkpoints/imagenet1k", "dinat/checkpoints/isotropic"
_NAT = "nat/checkpoints/CLS"
_DINAT_22K = "dinat/checkpoints/imagenet22k/dinat_large_in22k_224"

BACKBONES = (
    _biformer("biformer_tiny", 13_142_760, 2_215_901_568, 81.4),
    _biformer("biformer_small", 25_536_232, 4_463_629_568, 83.8),
    _biformer("biformer_base", 56_804_968, 9_758_990_208, 84.3),
    _biformer("biformer_stl", 28_372_552, 4_573_874_496, 82.7),
    _biformer("biformer_stl_nchw", 28_372_552, 4_573_874_496, 82.7),
    _nat("nat_mini", "nat", 19_984_174, 2_694_812_672, 81.8, f"{_NAT}/nat_mini.pth"),
    _nat("nat_tiny", "nat", 27_901_582, 4_295_226_368, 83.2, f"{_NAT}/nat_tiny.pth"),
    _nat("nat_small", "nat", 50_743_297, 7_772_302_848, 83.7, f"{_NAT}/nat_small.pth"),
    _nat("nat_base", "nat", 89_769_652, 13_677_094_912, 84.3, f"{_NAT}/nat_base.pth"),
    _nat("dinat_mini", "nat", 19_984_174, 2_694_812_672, 81.8, f"{_1K}/dinat_mini_in1k_224.pth"),
    _nat("dinat_tiny", "nat", 27_901_582, 4_295_226_368, 82.7, f"{_1K}/dinat_tiny_in1k_224.pth"),
    _nat("dinat_small", "nat", 50_719_681, 7_772_302_848, 83.8, f"{_1K}/dinat_small_in1k_224.pth"),
    _nat("dinat_base", "nat", 89_769_652, 13_677_094_912, 84.4, f"{_1K}/dinat_base_in1k_224.pth"),
    _nat(
        "dinat_large", "nat", 200_943_514, 30_457_715_712, 86.6, f"{_1K}/dinat_large_in22k_in1k_224.pth",
        note=_FIRST_22K,
    ),
    _nat(
        "dinat_large_384", "nat", 200_943_514, 89_505_411_072, 87.4, f"{_1K}/dinat_large_in22k_in1k_384.pth", 384,
        _FIRST_22K,
    ),
    _nat(
        "dinat_large_384_11x11", "nat", 201_144_250, 92_085_301_248, 87.5,
        f"{_1K}/dinat_large_in22k_in1k_384_11x11.pth", 384, _FIRST_22K,
    ),
    _nat("dinat_large_21k", "nat", 232_976_131, 30_489_727_488, None, f"{_DINAT_22K}.pth", note=_22K),
    _nat(
        "dinat_large_21k_11x11", "nat", 233_176_867, 41_074_708_992, None, f"{_DINAT_22K}_11x11interp.pth", note=_22K
    ),
    _nat("dinat_s_tiny", "dinat_s", 28_288_354, 4_490_566_656, 81.8, f"{_1K}/dinat_s_tiny_in1k_224.pth"),
    _nat("dinat_s_small", "dinat_s", 49_606_258, 8_740_875_264, 83.5, f"{_1K}/dinat_s_small_in1k_224.pth"),
    _nat("dinat_s_base", "dinat_s", 87_768_224, 15_430_946_816, 83.8, f"{_1K}/dinat_s_base_in1k_224.pth"),
    _nat(
        "dinat_s_large", "dinat_s", 196_532_476, 34_475_759_616, 86.5, f"{_1K}/dinat_s_large_in1k_224.pth",
        note=_FIRST_22K,
    ),
    _nat(
        "dinat_s_large_384", "dinat_s", 196_532_476, 101_313_540_096, 87.4, f"{_1K}/dinat_s_large_in1k_384.pth", 384,
        _FIRST_22K,
    ),
    _nat(
        "dinat_s_large_21k", "dinat_s", 228_565_093, 34_507_771_392, None,
        "dinat/checkpoints/imagenet22k/dinat_s_large_in22k_224.pth", note=_22K,
    ),
    *(
        _nat(name, "nat_isotropic", parameters, macs, top1, f"{_ISO}/{name}_in1k_224.pth")
        for name, parameters, macs, top1 in (
            ("nat_isotropic_small", 21_999_736, 4_308_495_360, 80.0),
            ("nat_isotropic_base", 86_465_800, 16_940_587_008, 81.6),
            ("dinat_isotropic_small", 21_999_736, 4_308_495_360, 80.8),
            ("dinat_isotropic_base", 86_465_800, 16_940_587_008, 82.1),
            ("vitrpb_small", 22_080_376, 4_574_026_752, 81.2),
            ("vitrpb_base", 86_627_080, 17_471_649_792, 82.5),
        )
    ),
    _overlock("xt", "xt", 16_969_600, 2_651_795_656, 82.7, "16.5 M"),
    _overlock("tiny", "t", 34_476_448, 5_549_076_736, 84.2, "33.5 M"),
    _overlock("small", "s", 57_795_748, 9_557_617_280, 84.8, "56.2 M"),
    _overlock("base", "b", 97_434_816, 16_856_346_944, 85.1, "94.9 M"),
    _patnet("patnet_t0", 3_486_160, 232_612_736, None, f"{_THEIR_FILE}; 73.9 is this or patnet_t0_2264", "offline"),
    _patnet("patnet_t0_2264", 4_298_456, 275_013_376, None, f"{_PAPER}; 73.9 is this or patnet_t0"),
    _patnet("patnet_t1", 6_144_552, 540_339_488, None, f"{_THEIR_FILE}; 78.1 is this or patnet_t1_2264", "offline"),
    _patnet("patnet_t1_2264", 7_807_464, 610_367_552, None, f"{_PAPER}; 78.1 is this or patnet_t1"),
    _patnet("patnet_t2", 12_650_424, 1_078_046_720, 80.2),
    _patnet("patnet_s", 28_975_704, 2_828_254_208, 82.1, _FIGURE),
    _patnet("patnet_m", 61_366_776, 6_995_578_880, 83.1, _FIGURE),
    _patnet("patnet_l", 104_465_336, 12_465_844_480, 83.9, _FIGURE),
    _patnet("patnet_screen", 10_801_648, 1_642_138_624, None, "ours: what the pointing models see with"),
    _ulsam("v1_ulsam_g4", 4_234_548, 568_941_056),
    _ulsam("v1_ulsam_i13_g4", 4_237_108, 568_840_704),
    _ulsam("v1_ulsam_r11_g4", 3_965_748, 516_657_664, 70.43, _SAME_SHAPE),
    _ulsam("v1_ulsam_r11_g4_075", 2_435_044, 295_972_224, 67.81, _SAME_SHAPE),
    _ulsam("v1_ulsam_r11_g4_050", 1_264_020, 136_300_800, 63.25, _SAME_SHAPE),
    _ulsam("v2_ulsam_g4", 3_506_484, 300_805_632, 71.64),
    _ulsam("v2_ulsam_r13_g4", 3_387_092, 278_119_808),
    _ulsam("v2_ulsam_r16_g4", 3_185_684, 285_313_792),
    _ulsam("v2_ulsam_r10_13_g4", 3_333_152, 267_833_728),
    _ulsam("v2_ulsam_r15_16_g4", 2_866_496, 269_853_312, 70.74, _SAME_SHAPE),
    _ulsam("v2_ulsam_r13_16_g4", 3_067_904, 262_659_328, 71.52, _SAME_SHAPE),
    _ulsam("v2_ulsam_r12_13_15_16_g4", 2_630_936, 224_544_384, 69.72, _SAME_SHAPE),
    _ela("resnet18_ela_t", 11_702_952, 1_814_360_064),
    _ela("resnet18_ela_b", 11_706_792, 1_814_474_752),
    _ela("resnet18_ela_s", 11_770_152, 1_816_367_104),
    _ela("resnet18_ela_l", 11_800_872, 1_817_284_608),
    BackboneEntry(
        "resnet18_ela_eye", "ela", 5_886_088, 757_286_400, None, 160, "packaged", licence="Research-only",
        source="https://arxiv.org/abs/2403.01123", note="ours: 200 classes of Tiny ImageNet", reconstruction=True,
    ),
    _ela("resnet50_ela_t", 25_662_760, 4_091_478_016),
    _ela("resnet50_ela_b", 25_692_968, 4_092_395_520),
    _ela("resnet50_ela_s", 26_191_400, 4_107_534_336),
    _ela("resnet50_ela_l", 26_433_064, 4_114_874_368),
    _ela("mobilenetv2_ela_t", 3_554_824, 301_737_472),
    _ela("mobilenetv2_ela_b", 3_569_096, 302_122_752),
    _ela("mobilenetv2_ela_s", 3_804_584, 308_479_872),
    _ela("mobilenetv2_ela_l", 3_918_760, 311_562_112),
    _lightnet("lightnet_tiny", 6_025_774, 1_200_652_800),
    _lightnet("lightnet_small", 22_814_836, 4_511_106_048),
    _lightnet("lightnet_base", 88_685_824, 17_461_413_888),
)  # fmt: skip

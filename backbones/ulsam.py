"""MobileNets with ULSAM, inserted or in place of whole blocks (WACV 2020, arXiv 2006.15102): reconstructions.

The authors released the module alone. Their tables of parameters and multiply-adds say which kind of block it replaces
or follows, but not which of several blocks of the same shape: the last ones are taken. Nor is their way of training
known, and there are no weights. The trunks are timm's and keep its keys, so that timm's weights load into them with
``strict=False``.

Blocks are numbered as in the paper: 1 to 13 in MobileNetV1 (6 to 11 give 512 channels), 1 to 17 in MobileNetV2 (7 to
10 give 64 channels, 11 to 13 give 96, 14 to 16 give 160, 17 gives 320).
"""

from collections.abc import Sequence
from functools import partial
from typing import Any

import torch
from timm.models import build_model_with_cfg, generate_default_cfgs, register_model
from timm.models._efficientnet_builder import decode_arch_def, round_channels
from timm.models.efficientnet import EfficientNet
from torch import Tensor, nn

from foveate.backbones.checkpoint import fit_state
from foveate.backbones.insertion import attach_attention
from foveate.backbones.layers.ulsam import ULSAM

__all__ = ["MobileNetULSAM"]

_V1 = (
    ["dsa_r1_k3_s1_c64"],
    ["dsa_r2_k3_s2_c128"],
    ["dsa_r2_k3_s2_c256"],
    ["dsa_r6_k3_s2_c512"],
    ["dsa_r2_k3_s2_c1024"],
)
_V2 = (
    ["ds_r1_k3_s1_c16"],
    ["ir_r2_k3_s2_e6_c24"],
    ["ir_r3_k3_s2_e6_c32"],
    ["ir_r4_k3_s2_e6_c64"],
    ["ir_r3_k3_s1_e6_c96"],
    ["ir_r3_k3_s2_e6_c160"],
    ["ir_r1_k3_s1_e6_c320"],
)


class _Block(ULSAM):
    """ULSAM as a block of timm's EfficientNet, which asks its blocks for their width."""

    def feature_info(self, location: str) -> dict[str, Any]:
        """Describe the output as timm's blocks do; it is the same at every location."""
        return {"module": "", "num_chs": self.channels}


class MobileNetULSAM(EfficientNet):
    """MobileNetV1 or V2 as timm builds them, with ULSAM.

    Args:
        insert: Numbers of the blocks that ULSAM follows, from 1.
        replace: Numbers of the blocks that it replaces, which must keep resolution and channels.
        num_splits: Groups of channels; the paper has 1, 2, 4, 8 and 16.
        device: Where the parameters are made.
        dtype: Their type.
        **kwargs: Of timm's ``EfficientNet``. MobileNetV1 has no residual branches for ``drop_path_rate`` to drop.

    Raises:
        ValueError: There is no such block, it changes the shape, or the groups do not divide its channels.

    Source: arXiv 2006.15102, section 4; a reconstruction (see the module).
    """

    def __init__(
        self,
        *,
        insert: Sequence[int] = (),
        replace: Sequence[int] = (),
        num_splits: int = 4,
        device: Any = None,
        dtype: Any = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(device=device, dtype=dtype, **kwargs)
        make = partial(_Block, num_splits=num_splits, device=device, dtype=dtype)
        places = [(i, j) for i, stage in enumerate(self.blocks) for j in range(len(stage))]
        for number in (*insert, *replace):
            if not 1 <= number <= len(places):
                raise ValueError(f"the model has the blocks 1 to {len(places)}, got {number}: choose among them")
        blocks = [self.blocks[i][j] for i, j in places]
        for number in replace:
            i, j = places[number - 1]
            width, before = _width(blocks[number - 1]), _width(blocks[number - 2]) if number > 1 else 0
            if width != before or blocks[number - 1].conv_dw.stride != (1, 1):
                raise ValueError(f"block {number} changes the shape, which ULSAM keeps: replace another one")
            self.blocks[i][j] = make(width)
        for number in insert:
            i, j = places[number - 1]
            last = j + 1 == sum(stage == i for stage, _ in places)
            attach_attention(self, f"blocks.{i}" if last else f"blocks.{i}.{j}", make(_width(blocks[number - 1])))

    @torch.jit.ignore
    def no_weight_decay(self) -> set[str]:
        """Name the parameters that weight decay should leave alone: none."""
        return set()


def _width(block: nn.Module) -> int:
    """Output channels of a block of timm's."""
    return block.feature_info("bottleneck")["num_chs"]  # type: ignore[operator]


def _filter(state: dict[str, Tensor], model: nn.Module) -> dict[str, Tensor]:
    return fit_state(state, model)


def _cfg(**kwargs: Any) -> dict[str, Any]:
    return {
        "url": "",
        "num_classes": 1000,
        "input_size": (3, 224, 224),
        "pool_size": (7, 7),
        "crop_pct": 0.875,
        "interpolation": "bilinear",
        "mean": (0.485, 0.456, 0.406),
        "std": (0.229, 0.224, 0.225),
        "first_conv": "conv_stem",
        "classifier": "classifier",
        "license": "apache-2.0",
        "paper_ids": "arXiv:2006.15102",
        "origin_url": "https://github.com/Nandan91/ULSAM",
        **kwargs,
    }


_NAMES = (
    *("mobilenetv1_ulsam_g4", "mobilenetv1_ulsam_i13_g4", "mobilenetv1_ulsam_r11_g4"),
    *("mobilenetv1_ulsam_r11_g4_075", "mobilenetv1_ulsam_r11_g4_050"),
    *("mobilenetv2_ulsam_g4", "mobilenetv2_ulsam_r13_g4", "mobilenetv2_ulsam_r16_g4", "mobilenetv2_ulsam_r10_13_g4"),
    *("mobilenetv2_ulsam_r15_16_g4", "mobilenetv2_ulsam_r13_16_g4", "mobilenetv2_ulsam_r12_13_15_16_g4"),
)
default_cfgs = generate_default_cfgs({f"{name}.untrained": _cfg() for name in _NAMES})


def _create(variant: str, pretrained: bool, version: int, width: float = 1.0, **kwargs: Any) -> MobileNetULSAM:
    """Build a MobileNet as timm's own functions do, but of our class."""
    arguments: dict[str, Any] = {
        "block_args": decode_arch_def(_V1 if version == 1 else _V2),
        "num_features": 0 if version == 1 else 1280,
        "round_chs_fn": partial(round_channels, multiplier=width),
        "act_layer": nn.ReLU6,
    }
    return build_model_with_cfg(
        MobileNetULSAM,
        variant,
        pretrained,
        pretrained_filter_fn=_filter,
        feature_cfg={"out_indices": (0, 1, 2, 3, 4), "feature_cls": "getter"},
        **{**arguments, **kwargs},
    )


@register_model
def mobilenetv1_ulsam_g4(pretrained: bool = False, **kwargs: Any) -> MobileNetULSAM:
    """MobileNetV1, ULSAM after block 11 (512 channels): 4.2 M parameters, 569 M multiply-adds."""
    return _create("mobilenetv1_ulsam_g4", pretrained, 1, **{"insert": (11,), **kwargs})


@register_model
def mobilenetv1_ulsam_i13_g4(pretrained: bool = False, **kwargs: Any) -> MobileNetULSAM:
    """MobileNetV1, ULSAM after block 13 (1024 channels): 4.2 M parameters, 569 M multiply-adds."""
    return _create("mobilenetv1_ulsam_i13_g4", pretrained, 1, **{"insert": (13,), **kwargs})


@register_model
def mobilenetv1_ulsam_r11_g4(pretrained: bool = False, **kwargs: Any) -> MobileNetULSAM:
    """MobileNetV1, ULSAM for block 11: 4.0 M parameters, 517 M multiply-adds."""
    return _create("mobilenetv1_ulsam_r11_g4", pretrained, 1, **{"replace": (11,), **kwargs})


@register_model
def mobilenetv1_ulsam_r11_g4_075(pretrained: bool = False, **kwargs: Any) -> MobileNetULSAM:
    """MobileNetV1 at three quarters of the width, ULSAM for block 11: 2.4 M parameters, 296 M multiply-adds."""
    return _create("mobilenetv1_ulsam_r11_g4_075", pretrained, 1, 0.75, **{"replace": (11,), **kwargs})


@register_model
def mobilenetv1_ulsam_r11_g4_050(pretrained: bool = False, **kwargs: Any) -> MobileNetULSAM:
    """MobileNetV1 at half the width, ULSAM for block 11: 1.3 M parameters, 136 M multiply-adds."""
    return _create("mobilenetv1_ulsam_r11_g4_050", pretrained, 1, 0.5, **{"replace": (11,), **kwargs})


@register_model
def mobilenetv2_ulsam_g4(pretrained: bool = False, **kwargs: Any) -> MobileNetULSAM:
    """MobileNetV2, ULSAM after block 17: 3.5 M parameters, 301 M multiply-adds."""
    return _create("mobilenetv2_ulsam_g4", pretrained, 2, **{"insert": (17,), **kwargs})


@register_model
def mobilenetv2_ulsam_r13_g4(pretrained: bool = False, **kwargs: Any) -> MobileNetULSAM:
    """MobileNetV2, ULSAM for block 13: 3.4 M parameters, 278 M multiply-adds."""
    return _create("mobilenetv2_ulsam_r13_g4", pretrained, 2, **{"replace": (13,), **kwargs})


@register_model
def mobilenetv2_ulsam_r16_g4(pretrained: bool = False, **kwargs: Any) -> MobileNetULSAM:
    """MobileNetV2, ULSAM for block 16: 3.2 M parameters, 285 M multiply-adds."""
    return _create("mobilenetv2_ulsam_r16_g4", pretrained, 2, **{"replace": (16,), **kwargs})


@register_model
def mobilenetv2_ulsam_r10_13_g4(pretrained: bool = False, **kwargs: Any) -> MobileNetULSAM:
    """MobileNetV2, ULSAM for blocks 10 and 13: 3.3 M parameters, 268 M multiply-adds."""
    return _create("mobilenetv2_ulsam_r10_13_g4", pretrained, 2, **{"replace": (10, 13), **kwargs})


@register_model
def mobilenetv2_ulsam_r15_16_g4(pretrained: bool = False, **kwargs: Any) -> MobileNetULSAM:
    """MobileNetV2, ULSAM for blocks 15 and 16: 2.9 M parameters, 270 M multiply-adds."""
    return _create("mobilenetv2_ulsam_r15_16_g4", pretrained, 2, **{"replace": (15, 16), **kwargs})


@register_model
def mobilenetv2_ulsam_r13_16_g4(pretrained: bool = False, **kwargs: Any) -> MobileNetULSAM:
    """MobileNetV2, ULSAM for blocks 13 and 16, the paper's main result: 3.1 M parameters, 263 M multiply-adds."""
    return _create("mobilenetv2_ulsam_r13_16_g4", pretrained, 2, **{"replace": (13, 16), **kwargs})


@register_model
def mobilenetv2_ulsam_r12_13_15_16_g4(pretrained: bool = False, **kwargs: Any) -> MobileNetULSAM:
    """MobileNetV2, ULSAM for blocks 12, 13, 15 and 16: 2.6 M parameters, 225 M multiply-adds."""
    return _create("mobilenetv2_ulsam_r12_13_15_16_g4", pretrained, 2, **{"replace": (12, 13, 15, 16), **kwargs})

"""ResNet and MobileNetV2 with efficient local attention in every block (arXiv 2403.01123): reconstructions.

No code or weights were released. The attention follows published copies that agree with each other; where it sits in
the classifiers is ours: at the end of a ResNet block's branch, before the addition, as squeeze and excitation does,
and after the depthwise convolution of an inverted residual, as coordinate attention does. The trunks are timm's and
keep its keys, so that timm's weights load into them with ``strict=False``.
"""

from functools import partial
from importlib.resources import files
from typing import Any

import torch
from timm.models import build_model_with_cfg, generate_default_cfgs, register_model
from timm.models._efficientnet_builder import decode_arch_def
from timm.models.efficientnet import EfficientNet
from timm.models.resnet import BasicBlock, Bottleneck, ResNet
from torch import Tensor, nn

from foveate.backbones.checkpoint import fit_state
from foveate.backbones.insertion import attach_attention
from foveate.backbones.layers.ela import EfficientLocalAttention, ela_keys

__all__ = ["MobileNetV2ELA", "ResNetELA"]

_POSITIONS = ("pre_project", "post_project")


class ResNetELA(ResNet):
    """ResNet with ELA at the end of every block's branch.

    Args:
        ela: Size of the attention: "t", "b", "s" or "l".
        device: Where the parameters are made.
        dtype: Their type.
        **kwargs: Of timm's ``ResNet``.

    Source: arXiv 2403.01123; a reconstruction (see the module).
    """

    def __init__(self, *, ela: str = "b", device: Any = None, dtype: Any = None, **kwargs: Any) -> None:
        attention = partial(EfficientLocalAttention, size=ela)
        kwargs["block_args"] = {**(kwargs.get("block_args") or {}), "attn_layer": attention}
        super().__init__(device=device, dtype=dtype, **kwargs)

    @torch.jit.ignore
    def no_weight_decay(self) -> set[str]:
        """Name the parameters that weight decay should leave alone: none."""
        return set()


class MobileNetV2ELA(EfficientNet):
    """MobileNetV2 with ELA in every block.

    Args:
        ela: Size of the attention: "t", "b", "s" or "l".
        position: "pre_project" for after the depthwise convolution, at the block's expanded width; "post_project"
            for after the projection, before the addition.
        device: Where the parameters are made.
        dtype: Their type.
        **kwargs: Of timm's ``EfficientNet``.

    Raises:
        ValueError: There is no such position.

    Source: arXiv 2403.01123; a reconstruction (see the module).
    """

    def __init__(
        self, *, ela: str = "b", position: str = "pre_project", device: Any = None, dtype: Any = None, **kwargs: Any
    ) -> None:
        if position not in _POSITIONS:
            raise ValueError(f"position is one of {', '.join(_POSITIONS)}, got {position!r}: choose one of them")
        super().__init__(device=device, dtype=dtype, **kwargs)
        make = partial(EfficientLocalAttention, size=ela, device=device, dtype=dtype)
        for i, stage in enumerate(self.blocks):
            for j, block in enumerate(stage):
                # The first block has no expansion: its projection is its only pointwise convolution.
                project, norm = (block.conv_pwl, "bn3") if hasattr(block, "conv_pwl") else (block.conv_pw, "bn2")
                if position == "pre_project":
                    attach_attention(self, f"blocks.{i}.{j}.se", make(project.in_channels))
                else:
                    attach_attention(self, f"blocks.{i}.{j}.{norm}", make(project.out_channels))

    @torch.jit.ignore
    def no_weight_decay(self) -> set[str]:
        """Name the parameters that weight decay should leave alone: none."""
        return set()


def _filter(state: dict[str, Tensor], model: nn.Module) -> dict[str, Tensor]:
    return fit_state(state, model, rename=ela_keys)


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
        "license": "apache-2.0",
        "paper_ids": "arXiv:2403.01123",
        "origin_url": "https://arxiv.org/abs/2403.01123",
        **kwargs,
    }


_RESNET = _cfg(first_conv="conv1", classifier="fc")
_MOBILENET = _cfg(first_conv="conv_stem", classifier="classifier")
_EYE = {
    **_RESNET,
    # Comes with the package. The pictures it has seen are ImageNet's: for research only.
    "file": str(files("foveate.backbones") / "weights" / "resnet18_ela.tin200.safetensors"),
    "num_classes": 200,
    "input_size": (3, 160, 160),
    "pool_size": (5, 5),
    "crop_pct": 1.0,
    "license": "research-only",
}
default_cfgs = generate_default_cfgs(
    {
        f"{trunk}_ela_{size}.untrained": cfg
        for trunk, cfg in (("resnet18", _RESNET), ("resnet50", _RESNET), ("mobilenetv2", _MOBILENET))
        for size in "tbsl"
    }
    | {"resnet18_ela_eye.tin200": _EYE}
)


def _resnet18(size: str, pretrained: bool, **kwargs: Any) -> ResNetELA:
    arguments = {"block": BasicBlock, "layers": (2, 2, 2, 2), "ela": size}
    variant = f"resnet18_ela_{size}"
    return build_model_with_cfg(ResNetELA, variant, pretrained, pretrained_filter_fn=_filter, **{**arguments, **kwargs})


def _resnet50(size: str, pretrained: bool, **kwargs: Any) -> ResNetELA:
    arguments = {"block": Bottleneck, "layers": (3, 4, 6, 3), "ela": size}
    variant = f"resnet50_ela_{size}"
    return build_model_with_cfg(ResNetELA, variant, pretrained, pretrained_filter_fn=_filter, **{**arguments, **kwargs})


def _mobilenetv2(size: str, pretrained: bool, **kwargs: Any) -> MobileNetV2ELA:
    stages = (
        ["ds_r1_k3_s1_c16"],
        ["ir_r2_k3_s2_e6_c24"],
        ["ir_r3_k3_s2_e6_c32"],
        ["ir_r4_k3_s2_e6_c64"],
        ["ir_r3_k3_s1_e6_c96"],
        ["ir_r3_k3_s2_e6_c160"],
        ["ir_r1_k3_s1_e6_c320"],
    )
    arguments = {"block_args": decode_arch_def(stages), "num_features": 1280, "act_layer": nn.ReLU6, "ela": size}
    return build_model_with_cfg(
        MobileNetV2ELA,
        f"mobilenetv2_ela_{size}",
        pretrained,
        pretrained_filter_fn=_filter,
        feature_cfg={"out_indices": (0, 1, 2, 3, 4), "feature_cls": "getter"},
        **{**arguments, **kwargs},
    )


@register_model
def resnet18_ela_t(pretrained: bool = False, **kwargs: Any) -> ResNetELA:
    """ResNet-18 with ELA-T: 11.70 M parameters."""
    return _resnet18("t", pretrained, **kwargs)


@register_model
def resnet18_ela_b(pretrained: bool = False, **kwargs: Any) -> ResNetELA:
    """ResNet-18 with ELA-B: 11.71 M parameters."""
    return _resnet18("b", pretrained, **kwargs)


@register_model
def resnet18_ela_s(pretrained: bool = False, **kwargs: Any) -> ResNetELA:
    """ResNet-18 with ELA-S: 11.77 M parameters."""
    return _resnet18("s", pretrained, **kwargs)


@register_model
def resnet18_ela_l(pretrained: bool = False, **kwargs: Any) -> ResNetELA:
    """ResNet-18 with ELA-L: 11.80 M parameters."""
    return _resnet18("l", pretrained, **kwargs)


@register_model
def resnet18_ela_eye(pretrained: bool = False, **kwargs: Any) -> ResNetELA:
    """ResNet-18 with ELA-T and fewer channels, with weights in the package: the eye of the scanpath models."""
    arguments = {"block": BasicBlock, "layers": (2, 2, 2, 2), "channels": (64, 128, 224, 320), "ela": "t"}
    return build_model_with_cfg(
        ResNetELA, "resnet18_ela_eye", pretrained, pretrained_filter_fn=_filter, **{**arguments, **kwargs}
    )


@register_model
def resnet50_ela_t(pretrained: bool = False, **kwargs: Any) -> ResNetELA:
    """ResNet-50 with ELA-T: 25.66 M parameters."""
    return _resnet50("t", pretrained, **kwargs)


@register_model
def resnet50_ela_b(pretrained: bool = False, **kwargs: Any) -> ResNetELA:
    """ResNet-50 with ELA-B: 25.69 M parameters."""
    return _resnet50("b", pretrained, **kwargs)


@register_model
def resnet50_ela_s(pretrained: bool = False, **kwargs: Any) -> ResNetELA:
    """ResNet-50 with ELA-S: 26.19 M parameters."""
    return _resnet50("s", pretrained, **kwargs)


@register_model
def resnet50_ela_l(pretrained: bool = False, **kwargs: Any) -> ResNetELA:
    """ResNet-50 with ELA-L: 26.43 M parameters."""
    return _resnet50("l", pretrained, **kwargs)


@register_model
def mobilenetv2_ela_t(pretrained: bool = False, **kwargs: Any) -> MobileNetV2ELA:
    """MobileNetV2 with ELA-T: 3.55 M parameters."""
    return _mobilenetv2("t", pretrained, **kwargs)


@register_model
def mobilenetv2_ela_b(pretrained: bool = False, **kwargs: Any) -> MobileNetV2ELA:
    """MobileNetV2 with ELA-B: 3.57 M parameters."""
    return _mobilenetv2("b", pretrained, **kwargs)


@register_model
def mobilenetv2_ela_s(pretrained: bool = False, **kwargs: Any) -> MobileNetV2ELA:
    """MobileNetV2 with ELA-S: 3.80 M parameters."""
    return _mobilenetv2("s", pretrained, **kwargs)


@register_model
def mobilenetv2_ela_l(pretrained: bool = False, **kwargs: Any) -> MobileNetV2ELA:
    """MobileNetV2 with ELA-L: 3.92 M parameters."""
    return _mobilenetv2("l", pretrained, **kwargs)

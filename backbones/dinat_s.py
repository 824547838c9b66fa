"""DiNAT_s (arXiv 2209.15001): Swin's layout with dilated neighborhood attention in place of shifted windows."""

from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from timm.layers import calculate_drop_path_rates
from timm.models import build_model_with_cfg, generate_default_cfgs, register_model
from torch import Tensor, nn

from foveate.backbones.nat_base import Block, NeighborhoodTransformer, PatchEmbed, Stage, spread_dilations
from foveate.backbones.nat_checkpoint import fit_nat_state

__all__ = ["DiNATs"]


class PatchMerging(nn.Module):
    """Halve the resolution and double the channels: four neighbors side by side, a norm, a projection."""

    def __init__(self, dim: int, device: Any = None, dtype: Any = None) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(4 * dim, device=device, dtype=dtype)
        self.reduction = nn.Linear(4 * dim, 2 * dim, bias=False, device=device, dtype=dtype)

    def forward(self, x: Tensor) -> Tensor:
        """Bring (batch, height, width, dim) to (batch, height / 2, width / 2, 2 * dim), sizes rounded up."""
        height, width = x.shape[1:3]
        x = F.pad(x, (0, 0, 0, width % 2, 0, height % 2))
        x = torch.cat([x[:, row::2, column::2] for column in (0, 1) for row in (0, 1)], dim=-1)
        return self.reduction(self.norm(x))


class DiNATs(NeighborhoodTransformer):
    """Dilated neighborhood attention transformer in Swin's layout.

    Args:
        in_chans: Channels of the picture.
        num_classes: Classes; 0 leaves the classifier out.
        global_pool: "avg" or another kind that timm knows, or "" for unpooled output.
        embed_dim: Channels of the first stage; every later stage has twice as many.
        depths: Blocks of each stage.
        num_heads: Heads of each stage.
        kernel_size: Side of the attention's window, in tokens.
        dilations: For each stage the distances between two tokens of a window in its blocks; a list shorter than the
            stage is repeated. None for 1 throughout. Weights do not depend on them.
        mlp_ratio: Hidden width of the perceptrons over their channels.
        qkv_bias: Whether queries, keys and values have a bias.
        out_norms: Norm the map of every stage by a norm of its own, as the authors' dense predictors do; their
            checkpoints need it.
        drop_rate: Dropout before the classifier, a probability.
        proj_drop_rate: Dropout in the blocks, a probability.
        drop_path_rate: Rate of dropped branches in the last block.
        device: Of the parameters.
        dtype: Of the parameters.

    Source:
        Hassani and Shi, "Dilated Neighborhood Attention Transformer", 2022. Maps smaller than a window are padded with
        zeros that are attended to, as in the authors' modules of the time.
    """

    stage_name = "layers"

    def __init__(
        self,
        in_chans: int = 3,
        num_classes: int = 1000,
        global_pool: str = "avg",
        embed_dim: int = 96,
        depths: Sequence[int] = (2, 2, 6, 2),
        num_heads: Sequence[int] = (3, 6, 12, 24),
        kernel_size: int = 7,
        dilations: Sequence[Sequence[int]] | None = None,
        mlp_ratio: float = 4.0,
        qkv_bias: bool = True,
        out_norms: bool = False,
        drop_rate: float = 0.0,
        proj_drop_rate: float = 0.0,
        drop_path_rate: float = 0.0,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__(num_classes, global_pool, drop_rate, out_norms)
        dd = {"device": device, "dtype": dtype}
        self.patch_embed = PatchEmbed(in_chans, embed_dim, 4, **dd)
        rates = calculate_drop_path_rates(drop_path_rate, list(depths), stagewise=True)
        steps = spread_dilations(dilations, depths)
        self.layers = nn.ModuleList()
        self.feature_info = []
        for number, depth in enumerate(depths):
            dim = embed_dim * 2**number
            blocks = [
                Block(
                    dim, num_heads[number], kernel_size, steps[number][i], mlp_ratio, qkv_bias, proj_drop_rate,
                    rates[number][i], **dd,
                )
                for i in range(depth)
            ]  # fmt: skip
            self.layers.append(Stage(blocks, PatchMerging(dim, **dd) if number < len(depths) - 1 else None))
            self.feature_info.append({"num_chs": dim, "reduction": 4 * 2**number, "module": f"layers.{number}"})
        self._finish(**dd)


def _cfg(file: str, size: int = 224, **kwargs: Any) -> dict[str, Any]:
    return {
        "url": f"https://shi-labs.com/projects/dinat/checkpoints/{file}",
        "num_classes": 1000,
        "input_size": (3, size, size),
        "pool_size": (size // 32, size // 32),
        "crop_pct": 0.875 if size == 224 else 1.0,
        "interpolation": "bicubic",
        "mean": (0.485, 0.456, 0.406),
        "std": (0.229, 0.224, 0.225),
        "first_conv": "patch_embed.proj",
        "classifier": "head",
        "license": "mit",
        "paper_ids": "arXiv:2209.15001",
        "origin_url": "https://github.com/SHI-Labs/Neighborhood-Attention-Transformer",
        **kwargs,
    }


# The class count of the 22k file is not documented; 21841 is that of other models trained on it.
default_cfgs = generate_default_cfgs(
    {
        "dinat_s_tiny.in1k": _cfg("imagenet1k/dinat_s_tiny_in1k_224.pth"),
        "dinat_s_small.in1k": _cfg("imagenet1k/dinat_s_small_in1k_224.pth"),
        "dinat_s_base.in1k": _cfg("imagenet1k/dinat_s_base_in1k_224.pth"),
        "dinat_s_large.in22k_ft_in1k": _cfg("imagenet1k/dinat_s_large_in1k_224.pth"),
        "dinat_s_large_384.in22k_ft_in1k": _cfg("imagenet1k/dinat_s_large_in1k_384.pth", 384),
        "dinat_s_large_21k.in22k": _cfg("imagenet22k/dinat_s_large_in22k_224.pth", num_classes=21841),
    }
)

_TINY = {"embed_dim": 96, "depths": (2, 2, 6, 2), "num_heads": (3, 6, 12, 24)}
_SMALL = {**_TINY, "depths": (2, 2, 18, 2)}
_BASE = {"embed_dim": 128, "depths": (2, 2, 18, 2), "num_heads": (4, 8, 16, 32)}
_LARGE = {"embed_dim": 192, "depths": (2, 2, 18, 2), "num_heads": (6, 12, 24, 48)}
_DILATIONS = ((1, 8), (1, 4), (1, 2), (1,))
_DILATIONS_384 = ((1, 13), (1, 6), (1, 3), (1,))


def _create(variant: str, pretrained: bool = False, **kwargs: Any) -> DiNATs:
    return build_model_with_cfg(
        DiNATs,
        variant,
        pretrained,
        pretrained_filter_fn=fit_nat_state,
        feature_cfg={"out_indices": (0, 1, 2, 3), "feature_cls": "getter"},
        **kwargs,
    )


@register_model
def dinat_s_tiny(pretrained: bool = False, **kwargs: Any) -> DiNATs:
    """DiNAT_s-Tiny: 96 channels, 2-2-6-2 blocks."""
    return _create("dinat_s_tiny", pretrained, **{**_TINY, "dilations": _DILATIONS, "drop_path_rate": 0.2, **kwargs})


@register_model
def dinat_s_small(pretrained: bool = False, **kwargs: Any) -> DiNATs:
    """DiNAT_s-Small: 96 channels, 2-2-18-2 blocks."""
    return _create("dinat_s_small", pretrained, **{**_SMALL, "dilations": _DILATIONS, "drop_path_rate": 0.3, **kwargs})


@register_model
def dinat_s_base(pretrained: bool = False, **kwargs: Any) -> DiNATs:
    """DiNAT_s-Base: 128 channels, 2-2-18-2 blocks."""
    return _create("dinat_s_base", pretrained, **{**_BASE, "dilations": _DILATIONS, "drop_path_rate": 0.5, **kwargs})


@register_model
def dinat_s_large(pretrained: bool = False, **kwargs: Any) -> DiNATs:
    """DiNAT_s-Large: 192 channels, 2-2-18-2 blocks."""
    return _create("dinat_s_large", pretrained, **{**_LARGE, "dilations": _DILATIONS, "drop_path_rate": 0.35, **kwargs})


@register_model
def dinat_s_large_384(pretrained: bool = False, **kwargs: Any) -> DiNATs:
    """DiNAT_s-Large with dilations for 384 pixels."""
    return _create(
        "dinat_s_large_384", pretrained, **{**_LARGE, "dilations": _DILATIONS_384, "drop_path_rate": 0.35, **kwargs}
    )


@register_model
def dinat_s_large_21k(pretrained: bool = False, **kwargs: Any) -> DiNATs:
    """DiNAT_s-Large as trained on ImageNet-22k."""
    return _create(
        "dinat_s_large_21k", pretrained, **{**_LARGE, "dilations": _DILATIONS, "drop_path_rate": 0.2, **kwargs}
    )

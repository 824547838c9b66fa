"""NAT (arXiv 2204.07143, CVPR 2023) and DiNAT (arXiv 2209.15001): neighborhood attention after a convolutional stem."""

from collections.abc import Sequence
from typing import Any

from timm.layers import calculate_drop_path_rates
from timm.models import build_model_with_cfg, generate_default_cfgs, register_model
from torch import Tensor, nn

from foveate.backbones.nat_base import Block, NeighborhoodTransformer, Stage, spread_dilations
from foveate.backbones.nat_checkpoint import fit_nat_state

__all__ = ["NAT"]


class ConvTokenizer(nn.Module):
    """Two convolutions of stride 2, with nothing between them, and a norm."""

    def __init__(self, in_chans: int, dim: int, device: Any = None, dtype: Any = None) -> None:
        super().__init__()
        dd = {"device": device, "dtype": dtype}
        self.proj = nn.Sequential(nn.Conv2d(in_chans, dim // 2, 3, 2, 1, **dd), nn.Conv2d(dim // 2, dim, 3, 2, 1, **dd))
        self.norm = nn.LayerNorm(dim, **dd)

    def forward(self, x: Tensor) -> Tensor:
        """Embed (batch, in_chans, height, width) as (batch, height / 4, width / 4, dim), sizes rounded up."""
        return self.norm(self.proj(x).permute(0, 2, 3, 1))


class ConvDownsampler(nn.Module):
    """Halve the resolution and double the channels: a convolution, then a norm."""

    def __init__(self, dim: int, device: Any = None, dtype: Any = None) -> None:
        super().__init__()
        self.reduction = nn.Conv2d(dim, 2 * dim, 3, 2, 1, bias=False, device=device, dtype=dtype)
        self.norm = nn.LayerNorm(2 * dim, device=device, dtype=dtype)

    def forward(self, x: Tensor) -> Tensor:
        """Bring (batch, height, width, dim) to (batch, height / 2, width / 2, 2 * dim), sizes rounded up."""
        return self.norm(self.reduction(x.permute(0, 3, 1, 2)).permute(0, 2, 3, 1))


class NAT(NeighborhoodTransformer):
    """Neighborhood attention transformer; with dilations, DiNAT.

    Args:
        in_chans: Channels of the picture.
        num_classes: Classes; 0 leaves the classifier out.
        global_pool: "avg" or another kind that timm knows, or "" for unpooled output.
        embed_dim: Channels of the first stage; every later stage has twice as many.
        depths: Blocks of each stage.
        num_heads: Heads of each stage.
        kernel_size: Side of the attention's window, in tokens.
        dilations: For each stage the distances between two tokens of a window in its blocks; a list shorter than the
            stage is repeated. None for 1 throughout, which is NAT. Weights do not depend on them.
        mlp_ratio: Hidden width of the perceptrons over their channels.
        qkv_bias: Whether queries, keys and values have a bias.
        layer_scale: Start value of a scale a channel; None for none.
        out_norms: Norm the map of every stage by a norm of its own, as the authors' dense predictors do; their
            checkpoints need it.
        drop_rate: Dropout before the classifier, a probability.
        proj_drop_rate: Dropout in the blocks, a probability.
        drop_path_rate: Rate of dropped branches in the last block.
        device: Of the parameters.
        dtype: Of the parameters.

    Source:
        Hassani et al., "Neighborhood Attention Transformer", CVPR 2023; Hassani and Shi, "Dilated Neighborhood
        Attention Transformer", 2022. Maps smaller than a window are padded with zeros that are attended to, as in the
        authors' modules of the time.
    """

    def __init__(
        self,
        in_chans: int = 3,
        num_classes: int = 1000,
        global_pool: str = "avg",
        embed_dim: int = 64,
        depths: Sequence[int] = (3, 4, 6, 5),
        num_heads: Sequence[int] = (2, 4, 8, 16),
        kernel_size: int = 7,
        dilations: Sequence[Sequence[int]] | None = None,
        mlp_ratio: float = 3.0,
        qkv_bias: bool = True,
        layer_scale: float | None = None,
        out_norms: bool = False,
        drop_rate: float = 0.0,
        proj_drop_rate: float = 0.0,
        drop_path_rate: float = 0.0,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__(num_classes, global_pool, drop_rate, out_norms)
        dd = {"device": device, "dtype": dtype}
        self.patch_embed = ConvTokenizer(in_chans, embed_dim, **dd)
        rates = calculate_drop_path_rates(drop_path_rate, list(depths), stagewise=True)
        steps = spread_dilations(dilations, depths)
        self.levels = nn.ModuleList()
        self.feature_info = []
        for number, depth in enumerate(depths):
            dim = embed_dim * 2**number
            blocks = [
                Block(
                    dim, num_heads[number], kernel_size, steps[number][i], mlp_ratio, qkv_bias, proj_drop_rate,
                    rates[number][i], layer_scale, **dd,
                )
                for i in range(depth)
            ]  # fmt: skip
            self.levels.append(Stage(blocks, ConvDownsampler(dim, **dd) if number < len(depths) - 1 else None))
            self.feature_info.append({"num_chs": dim, "reduction": 4 * 2**number, "module": f"levels.{number}"})
        self._finish(**dd)


_NAT = "https://shi-labs.com/projects/nat/checkpoints/CLS/"
_DINAT = "https://shi-labs.com/projects/dinat/checkpoints/"


def _cfg(url: str = "", size: int = 224, **kwargs: Any) -> dict[str, Any]:
    return {
        "url": url,
        "num_classes": 1000,
        "input_size": (3, size, size),
        "pool_size": (size // 32, size // 32),
        "crop_pct": 0.875 if size == 224 else 1.0,
        "interpolation": "bicubic",
        "mean": (0.485, 0.456, 0.406),
        "std": (0.229, 0.224, 0.225),
        "first_conv": "patch_embed.proj.0",
        "classifier": "head",
        "license": "mit",
        "paper_ids": "arXiv:2209.15001" if "dinat" in url + kwargs.get("hf_hub_id", "") else "arXiv:2204.07143",
        "origin_url": "https://github.com/SHI-Labs/Neighborhood-Attention-Transformer",
        **kwargs,
    }


# Tags ending in _hf are the same weights on the Hugging Face hub. The class count of the 22k files is not documented;
# 21841 is that of other models trained on it.
default_cfgs = generate_default_cfgs(
    {
        **{f"nat_{size}.in1k": _cfg(f"{_NAT}nat_{size}.pth") for size in ("mini", "tiny", "small", "base")},
        **{
            f"dinat_{size}.in1k": _cfg(f"{_DINAT}imagenet1k/dinat_{size}_in1k_224.pth")
            for size in ("mini", "tiny", "small", "base")
        },
        "dinat_mini.in1k_hf": _cfg(hf_hub_id="shi-labs/dinat-mini-in1k-224"),
        "dinat_large.in22k_ft_in1k": _cfg(f"{_DINAT}imagenet1k/dinat_large_in22k_in1k_224.pth"),
        "dinat_large.in22k_ft_in1k_hf": _cfg(hf_hub_id="shi-labs/dinat-large-in22k-in1k-224"),
        "dinat_large_384.in22k_ft_in1k": _cfg(f"{_DINAT}imagenet1k/dinat_large_in22k_in1k_384.pth", 384),
        "dinat_large_384.in22k_ft_in1k_hf": _cfg(hf_hub_id="shi-labs/dinat-large-in22k-in1k-384", size=384),
        "dinat_large_384_11x11.in22k_ft_in1k": _cfg(f"{_DINAT}imagenet1k/dinat_large_in22k_in1k_384_11x11.pth", 384),
        "dinat_large_384_11x11.in22k_ft_in1k_hf": _cfg(hf_hub_id="shi-labs/dinat-large-11x11-in22k-in1k-384", size=384),
        "dinat_large_21k.in22k": _cfg(f"{_DINAT}imagenet22k/dinat_large_in22k_224.pth", num_classes=21841),
        "dinat_large_21k_11x11.in22k": _cfg(
            f"{_DINAT}imagenet22k/dinat_large_in22k_224_11x11interp.pth", num_classes=21841
        ),
    }
)

_MINI = {"embed_dim": 64, "depths": (3, 4, 6, 5), "num_heads": (2, 4, 8, 16), "mlp_ratio": 3.0}
_TINY = {**_MINI, "depths": (3, 4, 18, 5)}
_SMALL = {"embed_dim": 96, "depths": (3, 4, 18, 5), "num_heads": (3, 6, 12, 24), "mlp_ratio": 2.0}
_BASE = {"embed_dim": 128, "depths": (3, 4, 18, 5), "num_heads": (4, 8, 16, 32), "mlp_ratio": 2.0}
_LARGE = {"embed_dim": 192, "depths": (3, 4, 18, 5), "num_heads": (6, 12, 24, 48), "mlp_ratio": 2.0}
_DILATIONS = ((1, 8, 1), (1, 4), (1, 2), (1,))
_DILATIONS_384 = ((1, 13, 1), (1, 6), (1, 3), (1,))


def _create(variant: str, pretrained: bool = False, **kwargs: Any) -> NAT:
    return build_model_with_cfg(
        NAT,
        variant,
        pretrained,
        pretrained_filter_fn=fit_nat_state,
        feature_cfg={"out_indices": (0, 1, 2, 3), "feature_cls": "getter"},
        **kwargs,
    )


@register_model
def nat_mini(pretrained: bool = False, **kwargs: Any) -> NAT:
    """NAT-Mini: 64 channels, 3-4-6-5 blocks."""
    return _create("nat_mini", pretrained, **{**_MINI, "drop_path_rate": 0.2, **kwargs})


@register_model
def nat_tiny(pretrained: bool = False, **kwargs: Any) -> NAT:
    """NAT-Tiny: 64 channels, 3-4-18-5 blocks."""
    return _create("nat_tiny", pretrained, **{**_TINY, "drop_path_rate": 0.2, **kwargs})


@register_model
def nat_small(pretrained: bool = False, **kwargs: Any) -> NAT:
    """NAT-Small: 96 channels, 3-4-18-5 blocks, layer scales."""
    return _create("nat_small", pretrained, **{**_SMALL, "layer_scale": 1e-5, "drop_path_rate": 0.3, **kwargs})


@register_model
def nat_base(pretrained: bool = False, **kwargs: Any) -> NAT:
    """NAT-Base: 128 channels, 3-4-18-5 blocks, layer scales."""
    return _create("nat_base", pretrained, **{**_BASE, "layer_scale": 1e-5, "drop_path_rate": 0.5, **kwargs})


@register_model
def dinat_mini(pretrained: bool = False, **kwargs: Any) -> NAT:
    """DiNAT-Mini: NAT-Mini with dilations for 224 pixels."""
    return _create("dinat_mini", pretrained, **{**_MINI, "dilations": _DILATIONS, "drop_path_rate": 0.2, **kwargs})


@register_model
def dinat_tiny(pretrained: bool = False, **kwargs: Any) -> NAT:
    """DiNAT-Tiny: NAT-Tiny with dilations for 224 pixels."""
    return _create("dinat_tiny", pretrained, **{**_TINY, "dilations": _DILATIONS, "drop_path_rate": 0.2, **kwargs})


@register_model
def dinat_small(pretrained: bool = False, **kwargs: Any) -> NAT:
    """DiNAT-Small: NAT-Small with dilations for 224 pixels, but without layer scales."""
    return _create("dinat_small", pretrained, **{**_SMALL, "dilations": _DILATIONS, "drop_path_rate": 0.3, **kwargs})


@register_model
def dinat_base(pretrained: bool = False, **kwargs: Any) -> NAT:
    """DiNAT-Base: NAT-Base with dilations for 224 pixels."""
    return _create(
        "dinat_base",
        pretrained,
        **{**_BASE, "dilations": _DILATIONS, "layer_scale": 1e-5, "drop_path_rate": 0.5, **kwargs},
    )


@register_model
def dinat_large(pretrained: bool = False, **kwargs: Any) -> NAT:
    """DiNAT-Large: 192 channels, 3-4-18-5 blocks, dilations for 224 pixels."""
    return _create("dinat_large", pretrained, **{**_LARGE, "dilations": _DILATIONS, "drop_path_rate": 0.35, **kwargs})


@register_model
def dinat_large_384(pretrained: bool = False, **kwargs: Any) -> NAT:
    """DiNAT-Large with dilations for 384 pixels."""
    return _create(
        "dinat_large_384", pretrained, **{**_LARGE, "dilations": _DILATIONS_384, "drop_path_rate": 0.35, **kwargs}
    )


@register_model
def dinat_large_384_11x11(pretrained: bool = False, **kwargs: Any) -> NAT:
    """DiNAT-Large with windows of 11 by 11, for 384 pixels."""
    return _create(
        "dinat_large_384_11x11",
        pretrained,
        **{**_LARGE, "kernel_size": 11, "dilations": _DILATIONS, "drop_path_rate": 0.35, **kwargs},
    )


@register_model
def dinat_large_21k(pretrained: bool = False, **kwargs: Any) -> NAT:
    """DiNAT-Large as trained on ImageNet-22k."""
    return _create(
        "dinat_large_21k", pretrained, **{**_LARGE, "dilations": _DILATIONS, "drop_path_rate": 0.2, **kwargs}
    )


@register_model
def dinat_large_21k_11x11(pretrained: bool = False, **kwargs: Any) -> NAT:
    """DiNAT-Large as trained on ImageNet-22k, biases resized to windows of 11 by 11."""
    return _create(
        "dinat_large_21k_11x11",
        pretrained,
        **{**_LARGE, "kernel_size": 11, "dilations": _DILATIONS, "drop_path_rate": 0.2, **kwargs},
    )

"""Isotropic NAT and DiNAT (arXiv 2209.15001): one resolution, and the plain transformer they are compared with."""

from collections.abc import Callable
from typing import Any

import torch
from timm.layers import calculate_drop_path_rates
from timm.models import build_model_with_cfg, generate_default_cfgs, register_model, register_notrace_module
from torch import Tensor, nn

from foveate.backbones.layers.neighborhood import NeighborhoodAttention2D
from foveate.backbones.nat_base import Block, NeighborhoodTransformer, PatchEmbed, spread_dilations
from foveate.backbones.nat_checkpoint import fit_nat_state

__all__ = ["IsotropicNAT"]


@register_notrace_module
class FullAttention2D(NeighborhoodAttention2D):
    """Attention to all tokens of a grid, with a bias for each relative position.

    It is neighborhood attention whose window is the grid. A smaller grid uses the middle of the table; on a grid larger
    than ``kernel_size`` a token sees as many neighbors as the table knows.

    Arguments as for ``NeighborhoodAttention2D``; ``kernel_size`` is the side of the grid that the table is made for.
    """

    def _pad(self, x: Tensor) -> Tensor:
        """Leave the grid as it is: the window shrinks instead."""
        return x

    def _window(self, spatial: torch.Size) -> tuple[tuple[int, ...], Tensor | None]:
        window = tuple(min(size, length) for size, length in zip(self.kernel_size, spatial, strict=True))
        if self.rpb is None:
            return window, None
        rows, columns = (
            slice(size - seen, size + seen - 1) for size, seen in zip(self.kernel_size, window, strict=True)
        )
        return window, self.rpb[:, rows, columns]


class IsotropicNAT(NeighborhoodTransformer):
    """Neighborhood attention transformer of one resolution, patches of 16 pixels.

    Args:
        in_chans: Channels of the picture.
        num_classes: Classes; 0 leaves the classifier out.
        global_pool: "avg" or another kind that timm knows, or "" for unpooled output.
        embed_dim: Channels.
        depth: Blocks.
        num_heads: Heads.
        kernel_size: Side of the attention's window, in tokens.
        dilations: Distances between two tokens of a window in the blocks; a list shorter than the depth is repeated.
            None for 1 throughout.
        full_attention: Whether every token sees all tokens, on grids up to ``kernel_size``.
        mlp_ratio: Hidden width of the perceptrons over their channels.
        qkv_bias: Whether queries, keys and values have a bias.
        drop_rate: Dropout before the classifier, a probability.
        proj_drop_rate: Dropout in the blocks, a probability.
        drop_path_rate: Rate of dropped branches in the last block.
        device: Of the parameters.
        dtype: Of the parameters.

    Source:
        Hassani and Shi, "Dilated Neighborhood Attention Transformer", 2022. The authors' models take 224 pixels only.
    """

    stage_name = "layers"

    def __init__(
        self,
        in_chans: int = 3,
        num_classes: int = 1000,
        global_pool: str = "avg",
        embed_dim: int = 384,
        depth: int = 12,
        num_heads: int = 12,
        kernel_size: int = 7,
        dilations: tuple[int, ...] | list[int] | None = None,
        full_attention: bool = False,
        mlp_ratio: float = 4.0,
        qkv_bias: bool = True,
        drop_rate: float = 0.0,
        proj_drop_rate: float = 0.0,
        drop_path_rate: float = 0.0,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__(num_classes, global_pool, drop_rate, out_norms=False)
        dd = {"device": device, "dtype": dtype}
        self.patch_embed = PatchEmbed(in_chans, embed_dim, 16, **dd)
        rates = calculate_drop_path_rates(drop_path_rate, depth)
        (steps,) = spread_dilations(None if dilations is None else (dilations,), (depth,))
        attention: Callable[..., nn.Module] = FullAttention2D if full_attention else NeighborhoodAttention2D
        self.layers = nn.ModuleList(
            Block(
                embed_dim, num_heads, kernel_size, step, mlp_ratio, qkv_bias, proj_drop_rate, rate,
                attn_layer=attention, **dd,
            )
            for step, rate in zip(steps, rates, strict=True)
        )  # fmt: skip
        self.feature_info = [{"num_chs": embed_dim, "reduction": 16, "module": f"layers.{i}"} for i in range(depth)]
        self._finish(**dd)

    @torch.jit.ignore
    def group_matcher(self, coarse: bool = False) -> dict[str, Any]:
        """Say which parameters form a layer, for layer-wise learning rates."""
        return {"stem": r"^patch_embed", "blocks": [(r"^layers\.(\d+)", None), (r"^norm", (99999,))]}


def _cfg(name: str) -> dict[str, Any]:
    return {
        "url": f"https://shi-labs.com/projects/dinat/checkpoints/isotropic/{name}_in1k_224.pth",
        "num_classes": 1000,
        "input_size": (3, 224, 224),
        "pool_size": (14, 14),
        "crop_pct": 0.875,
        "interpolation": "bicubic",
        "mean": (0.485, 0.456, 0.406),
        "std": (0.229, 0.224, 0.225),
        "first_conv": "patch_embed.proj",
        "classifier": "head",
        "license": "mit",
        "paper_ids": "arXiv:2209.15001",
        "origin_url": "https://github.com/SHI-Labs/Neighborhood-Attention-Transformer",
    }


default_cfgs = generate_default_cfgs(
    {
        f"{name}_{size}.in1k": _cfg(f"{name}_{size}")
        for name in ("nat_isotropic", "dinat_isotropic", "vitrpb")
        for size in ("small", "base")
    }
)

_SMALL = {"embed_dim": 384, "num_heads": 12, "drop_path_rate": 0.1}
_BASE = {"embed_dim": 768, "num_heads": 24, "drop_path_rate": 0.4}


def _create(variant: str, pretrained: bool = False, **kwargs: Any) -> IsotropicNAT:
    return build_model_with_cfg(
        IsotropicNAT,
        variant,
        pretrained,
        pretrained_filter_fn=fit_nat_state,
        feature_cfg={"out_indices": (3, 7, 11), "feature_cls": "getter"},
        **kwargs,
    )


@register_model
def nat_isotropic_small(pretrained: bool = False, **kwargs: Any) -> IsotropicNAT:
    """Isotropic NAT, small: 384 channels."""
    return _create("nat_isotropic_small", pretrained, **{**_SMALL, **kwargs})


@register_model
def nat_isotropic_base(pretrained: bool = False, **kwargs: Any) -> IsotropicNAT:
    """Isotropic NAT, base: 768 channels."""
    return _create("nat_isotropic_base", pretrained, **{**_BASE, **kwargs})


@register_model
def dinat_isotropic_small(pretrained: bool = False, **kwargs: Any) -> IsotropicNAT:
    """Isotropic DiNAT, small: 384 channels."""
    return _create("dinat_isotropic_small", pretrained, **{**_SMALL, "dilations": (1, 2), **kwargs})


@register_model
def dinat_isotropic_base(pretrained: bool = False, **kwargs: Any) -> IsotropicNAT:
    """Isotropic DiNAT, base: 768 channels."""
    return _create("dinat_isotropic_base", pretrained, **{**_BASE, "dilations": (1, 2), **kwargs})


@register_model
def vitrpb_small(pretrained: bool = False, **kwargs: Any) -> IsotropicNAT:
    """Plain transformer with relative position biases, small: 384 channels."""
    return _create("vitrpb_small", pretrained, **{**_SMALL, "kernel_size": 14, "full_attention": True, **kwargs})


@register_model
def vitrpb_base(pretrained: bool = False, **kwargs: Any) -> IsotropicNAT:
    """Plain transformer with relative position biases, base: 768 channels."""
    return _create("vitrpb_base", pretrained, **{**_BASE, "kernel_size": 14, "full_attention": True, **kwargs})

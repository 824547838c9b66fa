"""LightNet for pictures: linear attention that reads all tokens once (arXiv 2405.21022); a reconstruction."""

from collections.abc import Mapping
from typing import Any

import torch
import torch.nn.functional as F
from timm.layers import DropPath, PatchEmbed, SelectAdaptivePool2d, SwiGLU, calculate_drop_path_rates, trunc_normal_
from timm.models import build_model_with_cfg, checkpoint, generate_default_cfgs, register_model
from torch import Tensor, nn

from foveate.backbones.checkpoint import fit_state, take_indices
from foveate.backbones.layers.lightnet import LightNetAttention, MdTPE, md_lrpe

__all__ = ["LightNet"]

_EPS = 1e-5


class Block(nn.Module):
    """LightNet's attention and a gated perceptron, each after a norm and beside a residual.

    Args:
        dim: Channels.
        heads: Attention heads.
        mlp_ratio: Hidden width of the perceptron over dim.
        drop_path: Rate of dropped branches.
    """

    def __init__(
        self,
        dim: int,
        heads: int,
        mlp_ratio: float = 8 / 3,
        drop_path: float = 0.0,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__()
        dd: dict[str, Any] = {"device": device, "dtype": dtype}
        self.norm1 = nn.RMSNorm(dim, eps=_EPS, **dd)
        self.attn = LightNetAttention(dim, heads, **dd)
        self.norm2 = nn.RMSNorm(dim, eps=_EPS, **dd)
        self.mlp = SwiGLU(dim, int(dim * mlp_ratio), bias=False, **dd)
        self.drop_path = DropPath(drop_path) if drop_path > 0 else nn.Identity()

    def forward(self, x: Tensor, cosines: Tensor | None = None, sines: Tensor | None = None) -> Tensor:
        """Process (batch, tokens, dim); the angles are for the attention."""
        x = x + self.drop_path(self.attn(self.norm1(x), cosines, sines))
        return x + self.drop_path(self.mlp(self.norm2(x)))


class LightNet(nn.Module):
    """LightNet as a classifier of pictures, in the frame of DeiT without a class token.

    The authors have published neither code nor weights of their classifier: the layers are those of the first author's
    later libraries, and the frame, the widths and the positions' residual are a reconstruction, as is what accuracy it
    reaches. There is nothing tied to the picture's size: any size works.

    Args:
        in_chans: Channels of the picture.
        num_classes: Classes; 0 leaves the classifier out.
        global_pool: "avg" or another kind that timm knows, or "" for unpooled output.
        patch_size: Side of a patch, in pixels; zeros fill up the last ones.
        embed_dim: Channels.
        depth: Blocks.
        num_heads: Heads of the attention and of the positions.
        mlp_ratio: Hidden width of the perceptrons over their channels.
        md_tpe: Whether tokens learn their place from sums along both axes (MD-TPE) before the blocks.
        tpe_residual: Whether those sums are added to the tokens, rather than taking their place as in the authors'
            language models.
        md_lrpe: Whether queries and keys turn with their place (MD-LRPE).
        drop_rate: Dropout before the classifier, a probability.
        drop_path_rate: Rate of dropped branches in the last block.
        device: Of the parameters.
        dtype: Of the parameters.

    Raises:
        ValueError: Heads do not divide the channels into multiples of 4.

    Source:
        Qin et al., "You Only Scan Once: Efficient Multi-dimension Sequential Modeling with LightNet", 2024.
    """

    output_fmt = "NHWC"

    def __init__(
        self,
        in_chans: int = 3,
        num_classes: int = 1000,
        global_pool: str = "avg",
        patch_size: int = 16,
        embed_dim: int = 192,
        depth: int = 12,
        num_heads: int = 3,
        mlp_ratio: float = 8 / 3,
        md_tpe: bool = True,
        tpe_residual: bool = True,
        md_lrpe: bool = True,
        drop_rate: float = 0.0,
        drop_path_rate: float = 0.0,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__()
        dd: dict[str, Any] = {"device": device, "dtype": dtype}
        if embed_dim % (4 * num_heads):
            raise ValueError(f"num_heads must divide embed_dim into multiples of 4, got {num_heads} for {embed_dim}")
        self.num_classes, self.global_pool, self.drop_rate = num_classes, global_pool, drop_rate
        self.num_heads, self.tpe_residual, self.md_lrpe = num_heads, tpe_residual, md_lrpe
        self.num_features = self.head_hidden_size = embed_dim
        self.grad_checkpointing = False
        self.patch_embed = PatchEmbed(
            None, patch_size, in_chans, embed_dim, output_fmt="NHWC", bias=False, strict_img_size=False,
            dynamic_img_pad=True, **dd,
        )  # fmt: skip
        self.position = MdTPE(embed_dim, num_heads, **dd) if md_tpe else None
        rates = calculate_drop_path_rates(drop_path_rate, depth)
        self.blocks = nn.ModuleList(Block(embed_dim, num_heads, mlp_ratio, rate, **dd) for rate in rates)
        self.feature_info = [
            {"num_chs": embed_dim, "reduction": patch_size, "module": f"blocks.{i}"} for i in range(depth)
        ]
        self.norm: nn.Module = nn.RMSNorm(embed_dim, eps=_EPS, **dd)
        self._set_head(**dd)
        self.apply(_init)

    @torch.jit.ignore
    def group_matcher(self, coarse: bool = False) -> dict[str, Any]:
        """Say which parameters form a layer, for layer-wise learning rates."""
        return {"stem": r"^(?:patch_embed|position)", "blocks": [(r"^blocks\.(\d+)", None), (r"^norm", (99999,))]}

    @torch.jit.ignore
    def no_weight_decay(self) -> set[str]:
        """Name the parameters that weight decay should leave alone: those of the positions' sums."""
        return {name for name, _ in self.named_parameters() if name.endswith((".q", ".k", ".log_decay"))}

    @torch.jit.ignore
    def set_grad_checkpointing(self, enable: bool = True) -> None:
        """Trade time for memory while training."""
        self.grad_checkpointing = enable

    @torch.jit.ignore
    def get_classifier(self) -> nn.Module:
        """Return the classifier."""
        return self.head

    def reset_classifier(self, num_classes: int, global_pool: str | None = None) -> None:
        """Put a new classifier in place.

        Args:
            num_classes: Classes; 0 leaves it out.
            global_pool: New kind of pooling; None keeps the old.
        """
        self.num_classes = num_classes
        self.global_pool = self.global_pool if global_pool is None else global_pool
        weight = next(self.parameters())
        self._set_head(weight.device, weight.dtype)

    def _set_head(self, device: Any, dtype: Any) -> None:
        self.pool = SelectAdaptivePool2d(pool_type=self.global_pool, flatten=bool(self.global_pool), input_fmt="NHWC")
        width = self.num_features * self.pool.feat_mult()
        self.head: nn.Module = nn.Identity()
        if self.num_classes > 0:
            self.head = nn.Linear(width, self.num_classes, device=device, dtype=dtype)
            _init(self.head)

    def forward_intermediates(
        self,
        x: Tensor,
        indices: int | list[int] | None = None,
        norm: bool = False,
        stop_early: bool = False,
        output_fmt: str = "NCHW",
        intermediates_only: bool = False,
    ) -> list[Tensor] | tuple[Tensor, list[Tensor]]:
        """Return features after several blocks.

        Args:
            x: (batch, in_chans, height, width).
            indices: Blocks to take; an int takes the last so many, None all.
            norm: Whether features are normed, as the final ones are.
            stop_early: Whether to stop after the last block wanted.
            output_fmt: "NCHW" or "NHWC".
            intermediates_only: Whether to leave the final features out.

        Returns:
            Features after the blocks wanted; unless ``intermediates_only``, final ones (NHWC) before them.

        Raises:
            ValueError: ``output_fmt`` is another one, or a block does not exist.
        """
        if output_fmt not in ("NCHW", "NHWC"):
            raise ValueError(
                f"output_fmt must be NCHW or NHWC, got {output_fmt!r}: permute the result for another order"
            )
        wanted, last = take_indices(len(self.blocks), indices)
        features = []
        tokens, grid, cosines, sines = self._embed(x)
        for number in range((last if stop_early else len(self.blocks) - 1) + 1):
            tokens = self._block(number, tokens, cosines, sines)
            if number in wanted:
                feature = (self.norm(tokens) if norm else tokens).unflatten(1, grid)
                features.append(feature.permute(0, 3, 1, 2) if output_fmt == "NCHW" else feature)
        return features if intermediates_only else (self.norm(tokens).unflatten(1, grid), features)

    def _embed(self, x: Tensor) -> tuple[Tensor, tuple[int, int], Tensor | None, Tensor | None]:
        """Make tokens that know their place, and say how they lie and how queries and keys turn."""
        x = self.patch_embed(x)
        height, width = x.shape[1], x.shape[2]
        if self.position is not None:
            place = self.position(x)
            x = x + place if self.tpe_residual else place
        tokens = x.flatten(1, 2)
        if not self.md_lrpe:
            return tokens, (height, width), None, None
        head_dim = self.num_features // self.num_heads
        return tokens, (height, width), *md_lrpe(height, width, self.num_heads, head_dim, x.device)

    def _block(self, number: int, tokens: Tensor, cosines: Tensor | None, sines: Tensor | None) -> Tensor:
        if self.grad_checkpointing:
            return checkpoint(self.blocks[number], tokens, cosines, sines)
        return self.blocks[number](tokens, cosines, sines)

    def prune_intermediate_layers(
        self, indices: int | list[int] | None = 1, prune_norm: bool = False, prune_head: bool = True
    ) -> list[int]:
        """Drop the blocks after the last one wanted, and the head.

        Args:
            indices: Blocks that stay of use.
            prune_norm: Whether the norm before the classifier goes.
            prune_head: Whether the classifier goes; it does when the last block goes.

        Returns:
            The blocks as a list of numbers.
        """
        wanted, last = take_indices(len(self.blocks), indices)
        shortened = last < len(self.blocks) - 1
        self.blocks = self.blocks[: last + 1]
        if prune_norm:
            self.norm = nn.Identity()
        if prune_head or shortened:
            self.reset_classifier(0, "")
        return wanted

    def forward_features(self, x: Tensor) -> Tensor:
        """Return the last block's map, normed, (batch, height / 16, width / 16, num_features)."""
        tokens, grid, cosines, sines = self._embed(x)
        for number in range(len(self.blocks)):
            tokens = self._block(number, tokens, cosines, sines)
        return self.norm(tokens).unflatten(1, grid)

    def forward_head(self, x: Tensor, pre_logits: bool = False) -> Tensor:
        """Pool and classify a map.

        Args:
            x: From ``forward_features``.
            pre_logits: Whether to stop before the classifier.

        Returns:
            (batch, num_classes), or (batch, height, width, num_classes) where nothing is pooled; channels in place of
            classes with ``pre_logits`` and where there are none.
        """
        x = F.dropout(self.pool(x), self.drop_rate, self.training)
        return x if pre_logits else self.head(x)

    def forward(self, x: Tensor) -> Tensor:
        """Classify pictures, (batch, in_chans, height, width)."""
        return self.forward_head(self.forward_features(x))


def _init(module: nn.Module) -> None:
    """Initialise as DeiT does: linear weights from a narrow normal, no biases; convolutions as torch does."""
    if isinstance(module, nn.Linear):
        trunc_normal_(module.weight, std=0.02)
        if module.bias is not None:
            nn.init.zeros_(module.bias)


def _filter(state: Mapping[str, Any], model: LightNet) -> dict[str, Tensor]:
    """Take weights out of the wrappers of training scripts."""
    return fit_state(state, model)


def _cfg() -> dict[str, Any]:
    return {
        # There are no official weights, nor code: the licence is that of this reconstruction.
        "url": "",
        "num_classes": 1000,
        "input_size": (3, 224, 224),
        "pool_size": (14, 14),
        "crop_pct": 0.875,
        "interpolation": "bicubic",
        "mean": (0.485, 0.456, 0.406),
        "std": (0.229, 0.224, 0.225),
        "first_conv": "patch_embed.proj",
        "classifier": "head",
        "license": "apache-2.0",
        "paper_ids": "arXiv:2405.21022",
        "origin_url": "https://arxiv.org/abs/2405.21022",
    }


default_cfgs = generate_default_cfgs({f"lightnet_{name}.untrained": _cfg() for name in ("tiny", "small", "base")})


def _create(variant: str, pretrained: bool = False, **kwargs: Any) -> LightNet:
    return build_model_with_cfg(
        LightNet,
        variant,
        pretrained,
        pretrained_filter_fn=_filter,
        feature_cfg={"out_indices": (3, 7, 11), "feature_cls": "getter"},
        **kwargs,
    )


@register_model
def lightnet_tiny(pretrained: bool = False, **kwargs: Any) -> LightNet:
    """LightNet-T, reconstructed: 192 channels, 12 blocks."""
    return _create("lightnet_tiny", pretrained, **kwargs)


@register_model
def lightnet_small(pretrained: bool = False, **kwargs: Any) -> LightNet:
    """LightNet-S, reconstructed: 384 channels, 12 blocks."""
    return _create("lightnet_small", pretrained, **{"embed_dim": 384, "num_heads": 6, **kwargs})


@register_model
def lightnet_base(pretrained: bool = False, **kwargs: Any) -> LightNet:
    """LightNet-B, reconstructed: 768 channels, 12 blocks."""
    return _create("lightnet_base", pretrained, **{"embed_dim": 768, "num_heads": 12, **kwargs})

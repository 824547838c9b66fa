"""What NAT, DiNAT, DiNAT_s and the isotropic models share: their block, and what timm asks of a model."""

from collections.abc import Callable, Sequence
from typing import Any, cast

import torch
import torch.nn.functional as F
from timm.layers import DropPath, Mlp, SelectAdaptivePool2d, trunc_normal_
from timm.models import checkpoint
from torch import Tensor, nn

from foveate.backbones.checkpoint import take_indices
from foveate.backbones.layers.neighborhood import NeighborhoodAttention2D

__all__ = ["Block", "NeighborhoodTransformer", "PatchEmbed", "Stage", "spread_dilations"]


class Block(nn.Module):
    """Neighborhood attention and a perceptron, each after a norm and beside a residual.

    Args:
        dim: Channels.
        num_heads: Heads of the attention.
        kernel_size: Side of its window, in tokens.
        dilation: Distance between two tokens of a window.
        mlp_ratio: Hidden width of the perceptron over dim.
        qkv_bias: Whether queries, keys and values have a bias.
        proj_drop: Dropout after the projections, a probability.
        drop_path: Rate of dropped branches.
        layer_scale: Start value of a scale a channel; None for none.
        attn_layer: The attention; called as ``NeighborhoodAttention2D``.
    """

    def __init__(
        self,
        dim: int,
        num_heads: int,
        kernel_size: int = 7,
        dilation: int = 1,
        mlp_ratio: float = 3.0,
        qkv_bias: bool = True,
        proj_drop: float = 0.0,
        drop_path: float = 0.0,
        layer_scale: float | None = None,
        attn_layer: Callable[..., nn.Module] = NeighborhoodAttention2D,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__()
        dd = {"device": device, "dtype": dtype}
        self.grad_checkpointing = False
        self.norm1 = nn.LayerNorm(dim, **dd)
        self.attn = attn_layer(
            dim, num_heads, kernel_size, dilation=dilation, qkv_bias=qkv_bias, proj_drop=proj_drop,
            rel_pos_bias=True, pad_input=True, **dd,
        )  # fmt: skip
        self.norm2 = nn.LayerNorm(dim, **dd)
        self.mlp = Mlp(dim, int(dim * mlp_ratio), drop=proj_drop, **dd)
        self.drop_path = DropPath(drop_path) if drop_path > 0 else nn.Identity()
        self.gamma1 = nn.Parameter(torch.full((dim,), layer_scale, **dd)) if layer_scale is not None else None
        self.gamma2 = nn.Parameter(torch.full((dim,), layer_scale, **dd)) if layer_scale is not None else None

    def forward(self, x: Tensor) -> Tensor:
        """Process (batch, height, width, dim)."""
        if self.grad_checkpointing and not torch.jit.is_scripting():  # type: ignore[attr-defined]
            return checkpoint(self._process, x)
        return self._process(x)

    def _process(self, x: Tensor) -> Tensor:
        attended = self.attn(self.norm1(x))
        x = x + self.drop_path(attended if self.gamma1 is None else self.gamma1 * attended)
        expanded = self.mlp(self.norm2(x))
        return x + self.drop_path(expanded if self.gamma2 is None else self.gamma2 * expanded)


class Stage(nn.Module):
    """Blocks of one resolution, and the way to the next.

    Args:
        blocks: They process (batch, height, width, channels).
        downsample: Halves the resolution; the model calls it, after it has taken what the blocks gave. None for none.
    """

    def __init__(self, blocks: Sequence[nn.Module], downsample: nn.Module | None = None) -> None:
        super().__init__()
        self.blocks = nn.Sequential(*blocks)
        self.downsample = downsample

    def forward(self, x: Tensor) -> Tensor:
        """Process (batch, height, width, channels) at one resolution."""
        return self.blocks(x)


class PatchEmbed(nn.Module):
    """Cut the picture into square patches; zeros fill up what is left over at the right and bottom.

    Args:
        in_chans: Channels of the picture.
        dim: Channels of a patch.
        patch_size: Side of a patch, in pixels.
    """

    def __init__(self, in_chans: int, dim: int, patch_size: int, device: Any = None, dtype: Any = None) -> None:
        super().__init__()
        self.patch_size = patch_size
        self.proj = nn.Conv2d(in_chans, dim, patch_size, patch_size, device=device, dtype=dtype)
        self.norm = nn.LayerNorm(dim, device=device, dtype=dtype)

    def forward(self, x: Tensor) -> Tensor:
        """Embed (batch, in_chans, height, width) as (batch, height / patch_size, width / patch_size, dim)."""
        height, width = x.shape[-2:]
        x = F.pad(x, (0, -width % self.patch_size, 0, -height % self.patch_size))
        return self.norm(self.proj(x).permute(0, 2, 3, 1))


class NeighborhoodTransformer(nn.Module):
    """Stages of attending blocks between a patch embedding and a classifier; maps are (batch, height, width, channels).

    A subclass sets ``patch_embed``, ``feature_info`` and its stages, and calls ``_finish``.

    Args:
        num_classes: Classes; 0 leaves the classifier out.
        global_pool: "avg" or another kind that timm knows, or "" for unpooled output.
        drop_rate: Dropout before the classifier, a probability.
        out_norms: Norm the map of every stage, each with a norm of its own (``norm0``, ``norm1``, ...), as the authors'
            dense predictors do, in place of the one norm before the classifier.
    """

    output_fmt = "NHWC"
    stage_name = "levels"
    patch_embed: nn.Module
    feature_info: list[dict[str, Any]]

    def __init__(self, num_classes: int, global_pool: str, drop_rate: float, out_norms: bool) -> None:
        super().__init__()
        self.num_classes, self.global_pool, self.drop_rate = num_classes, global_pool, drop_rate
        self.out_norms = out_norms
        self.grad_checkpointing = False

    def _finish(self, device: Any, dtype: Any) -> None:
        """Add the norms and the classifier, and initialise."""
        self.num_features = self.head_hidden_size = self.feature_info[-1]["num_chs"]
        if self.out_norms:
            for number, info in enumerate(self.feature_info):
                self.add_module(f"norm{number}", nn.LayerNorm(info["num_chs"], device=device, dtype=dtype))
        self.norm = nn.Identity() if self.out_norms else nn.LayerNorm(self.num_features, device=device, dtype=dtype)
        self._set_head(device, dtype)
        self.apply(_init)

    @property
    def stages(self) -> nn.ModuleList:
        """What features are taken after, under the authors' name."""
        return cast(nn.ModuleList, getattr(self, self.stage_name))

    @torch.jit.ignore
    def group_matcher(self, coarse: bool = False) -> dict[str, Any]:
        """Say which parameters form a layer, for layer-wise learning rates."""
        name = self.stage_name
        fine = [
            (rf"^{name}\.(\d+)\.blocks\.(\d+)", None),
            # It comes after the blocks of its stage, and belongs to the last one of them.
            (rf"^{name}\.(\d+)\.downsample", (99999,)),
            (r"^norm", (99999,)),
        ]
        return {"stem": r"^patch_embed", "blocks": rf"^{name}\.(\d+)" if coarse else fine}

    @torch.jit.ignore
    def no_weight_decay(self) -> set[str]:
        """Name the parameters that weight decay should leave alone: position biases."""
        return {name for name, _ in self.named_parameters() if "rpb" in name}

    @torch.jit.ignore
    def set_grad_checkpointing(self, enable: bool = True) -> None:
        """Trade time for memory while training."""
        self.grad_checkpointing = enable
        for module in self.modules():
            if isinstance(module, Block):
                module.grad_checkpointing = enable

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
        pooled = bool(self.global_pool)
        self.pool = SelectAdaptivePool2d(pool_type=self.global_pool, flatten=pooled, input_fmt="NHWC")
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
        """Return features of several stages.

        Args:
            x: (batch, in_chans, height, width).
            indices: Stages to take; an int takes the last so many, None all.
            norm: Whether the last stage's features are normed, as the final ones are; with ``out_norms`` all are.
            stop_early: Whether to stop after the last stage wanted.
            output_fmt: "NCHW" or "NHWC".
            intermediates_only: Whether to leave the final features out.

        Returns:
            Features of the stages wanted; unless ``intermediates_only``, final ones (NHWC) before them.

        Raises:
            ValueError: ``output_fmt`` is another one, or a stage does not exist.
        """
        if output_fmt not in ("NCHW", "NHWC"):
            raise ValueError(
                f"output_fmt must be NCHW or NHWC, got {output_fmt!r}: permute the result for another order"
            )
        wanted, last = take_indices(len(self.stages), indices)
        end = len(self.stages) - 1
        features = []
        x = self.patch_embed(x)
        for number in range((last if stop_early else end) + 1):
            x = self._stage(x, number)
            if number in wanted:
                feature = self._normed(x, number) if norm or self.out_norms else x
                features.append(feature.permute(0, 3, 1, 2) if output_fmt == "NCHW" else feature)
        if intermediates_only:
            return features
        return self._normed(x, number), features

    def _stage(self, x: Tensor, number: int) -> Tensor:
        """Bring the map of one stage to the resolution of the next, and process it there."""
        previous = self.stages[number - 1] if number else None
        if isinstance(previous, Stage) and previous.downsample is not None:
            x = previous.downsample(x)
        return self.stages[number](x)

    def _normed(self, x: Tensor, number: int) -> Tensor:
        """Norm the map of a stage, where there is a norm for it."""
        if self.out_norms:
            return getattr(self, f"norm{number}")(x)
        return self.norm(x) if number == len(self.stages) - 1 else x

    def prune_intermediate_layers(
        self, indices: int | list[int] | None = 1, prune_norm: bool = False, prune_head: bool = True
    ) -> list[int]:
        """Drop the stages after the last one wanted, the norms of maps that are not, and the head.

        Args:
            indices: Stages that stay of use.
            prune_norm: Whether the norm before the classifier goes; it does when the last stage goes.
            prune_head: Whether the classifier goes; it does when the last stage goes.

        Returns:
            The stages as a list of numbers.
        """
        wanted, last = take_indices(len(self.stages), indices)
        shortened = last < len(self.stages) - 1
        if self.out_norms:
            for number in {*range(len(self.stages))} - {*wanted}:
                self.add_module(f"norm{number}", nn.Identity())
        if prune_norm or shortened:
            self.norm = nn.Identity()
        del self.stages[last + 1 :]
        stage = self.stages[last]
        if isinstance(stage, Stage):
            stage.downsample = None
        self.num_features = self.head_hidden_size = self.feature_info[last]["num_chs"]
        if prune_head or shortened:
            self.reset_classifier(0, "")
        return wanted

    def forward_features(self, x: Tensor) -> Tensor:
        """Return the last stage's map, normed, (batch, height, width, num_features)."""
        x = self.patch_embed(x)
        for number in range(len(self.stages)):
            x = self._stage(x, number)
        return self._normed(x, len(self.stages) - 1)

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


def spread_dilations(dilations: Sequence[Sequence[int]] | None, depths: Sequence[int]) -> list[list[int]]:
    """Give every block its dilation.

    Args:
        dilations: For each stage those of its blocks; fewer are repeated, so one model's serve a deeper one. None
            stands for 1 throughout.
        depths: Blocks of each stage.

    Returns:
        Dilations of all blocks of each stage.

    Raises:
        ValueError: There are not as many lists as stages, or a list's length does not divide the depth.
    """
    if dilations is None:
        return [[1] * depth for depth in depths]
    fits = len(dilations) == len(depths)
    if not fits or any(not row or depth % len(row) for row, depth in zip(dilations, depths, strict=True)):
        raise ValueError(
            f"dilations must be a list for each of the stages of {tuple(depths)} blocks, as long or a whole fraction "
            f"of it, got {dilations}"
        )
    return [[*row] * (depth // len(row)) for row, depth in zip(dilations, depths, strict=True)]


def _init(module: nn.Module) -> None:
    """Initialise as the authors do: linear weights from a narrow normal, no biases; convolutions as torch does."""
    if isinstance(module, nn.Linear):
        trunc_normal_(module.weight, std=0.02)
        if module.bias is not None:
            nn.init.zeros_(module.bias)

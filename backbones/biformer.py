"""BiFormer: regions attend to the regions that fit them best (arXiv 2303.08810, CVPR 2023)."""

from collections import OrderedDict
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

import torch
import torch.nn.functional as F
from timm.layers import DropPath, LayerNorm2d, SelectAdaptivePool2d, calculate_drop_path_rates, trunc_normal_
from timm.models import (
    build_model_with_cfg,
    checkpoint,
    generate_default_cfgs,
    register_model,
    register_notrace_module,
)
from torch import Tensor, nn

from foveate.backbones.checkpoint import fit_state, take_indices
from foveate.backbones.layers.bilevel import (
    AttentionLePE,
    AttentionLePE2d,
    BiLevelRoutingAttention,
    BiLevelRoutingAttention2d,
)

__all__ = ["BiFormer"]


class Block(nn.Module):
    """Position by a depthwise convolution, then attention and a perceptron, each with a norm and beside a residual.

    Args:
        attn: Attention; takes and gives (batch, height, width, dim), or (batch, dim, height, width) if
            ``channels_first``.
        dim: Channels.
        mlp_ratio: Hidden width of the perceptron over dim.
        pos_kernel: Side of the depthwise convolution; 0 for none.
        drop_path: Rate of dropped branches.
        layer_scale: Start value of a scale a channel; none if it is not positive.
        pre_norm: Whether the norms come before attention and perceptron; after the residuals otherwise.
        channels_first: Whether attention, perceptron and norms work on (batch, dim, height, width).
        spare: Whether the perceptron has an empty place after its first layer, for the sake of its weights' names.
        device: Of the parameters.
        dtype: Of the parameters.
    """

    def __init__(
        self,
        attn: nn.Module,
        dim: int,
        mlp_ratio: float = 3.0,
        pos_kernel: int = 3,
        drop_path: float = 0.0,
        layer_scale: float = -1.0,
        pre_norm: bool = True,
        channels_first: bool = False,
        spare: bool = True,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__()
        dd = {"device": device, "dtype": dtype}
        self.pre_norm, self.channels_first, self.grad_checkpointing = pre_norm, channels_first, False
        self.pos_embed: nn.Module | None = None
        if pos_kernel:
            self.pos_embed = nn.Conv2d(dim, dim, pos_kernel, padding=pos_kernel // 2, groups=dim, **dd)
        norm = LayerNorm2d if channels_first else nn.LayerNorm
        self.norm1 = norm(dim, eps=1e-6, **dd)
        self.attn = attn
        self.norm2 = norm(dim, eps=1e-6, **dd)
        hidden = int(dim * mlp_ratio)
        layers: list[nn.Module] = [nn.Linear(dim, hidden, **dd), nn.GELU(), nn.Linear(hidden, dim, **dd)]
        if channels_first:
            layers = [nn.Conv2d(dim, hidden, 1, **dd), nn.GELU(), nn.Conv2d(hidden, dim, 1, **dd)]
        self.mlp = nn.Sequential(layers[0], *([nn.Identity()] if spare else []), *layers[1:])
        self.drop_path = DropPath(drop_path) if drop_path > 0 else nn.Identity()
        self.gamma1 = nn.Parameter(torch.full((dim,), layer_scale, **dd)) if layer_scale > 0 else None
        self.gamma2 = nn.Parameter(torch.full((dim,), layer_scale, **dd)) if layer_scale > 0 else None

    def forward(self, x: Tensor) -> Tensor:
        """Process (batch, dim, height, width); fastest where that is channels last in memory."""
        return checkpoint(self._process, x) if self.grad_checkpointing else self._process(x)

    def _process(self, x: Tensor) -> Tensor:
        if self.pos_embed is not None:
            x = x + self.pos_embed(x)
        if not self.channels_first:
            x = x.permute(0, 2, 3, 1)
        x = self._add(x, self.attn, self.norm1, self.gamma1)
        x = self._add(x, self.mlp, self.norm2, self.gamma2)
        return x if self.channels_first else x.permute(0, 3, 1, 2)

    def _add(self, x: Tensor, layer: nn.Module, norm: nn.Module, gamma: Tensor | None) -> Tensor:
        branch = layer(norm(x) if self.pre_norm else x)
        if gamma is not None:
            branch = branch * (gamma[:, None, None] if self.channels_first else gamma)
        x = x + self.drop_path(branch)
        return x if self.pre_norm else norm(x)


@register_notrace_module
class PatchConv2d(nn.Conv2d):
    """Convolution of patches side by side; zeros fill a map that is smaller than one patch."""

    def __init__(self, channels: int, dim: int, size: int, device: Any = None, dtype: Any = None) -> None:
        super().__init__(channels, dim, size, size, device=device, dtype=dtype)

    def forward(self, input: Tensor) -> Tensor:
        """Bring (batch, channels, height, width) to (batch, dim, height / size, width / size), rounded down."""
        height, width = input.shape[-2:]
        down, right = max(self.kernel_size[0] - height, 0), max(self.kernel_size[1] - width, 0)
        return super().forward(F.pad(input, (0, right, 0, down)) if down or right else input)


class BiFormer(nn.Module):
    """Transformer of bi-level routing attention; maps are (batch, channels, height, width).

    Pictures of any size work. Stages that route cut their map into ``n_win`` by ``n_win`` regions; where that does not
    come out even, the map is padded with zeros inside the attention, which count as tokens (``auto_pad``). The authors'
    classifiers were trained without, and stop with a failed assertion at sizes that are not multiples of 16 ``n_win``
    pixels (112; 384 fails); ``auto_pad=False`` gives a ValueError there. Their dense predictors pad.

    Args:
        in_chans: Channels of the picture.
        num_classes: Classes; 0 leaves the classifier out.
        global_pool: "avg" or another kind that timm knows, or "" for unpooled output.
        depths: Blocks of each stage.
        dims: Channels of each stage.
        head_dim: Channels of a head where attention is routed; plain attention has 8 heads.
        mlp_ratio: Hidden width of the perceptrons over their channels.
        n_win: Regions along each side of a map; the authors take 7 for 224 pixels, 8 for crops of 512 pixels and 16
            for COCO.
        topks: For each stage how many regions a region attends to. -1 stands for attention among all tokens, -2 for
            the same with a depthwise convolution of its input added.
        auto_pad: Whether maps are padded that do not divide into regions.
        pos_kernel: Side of the depthwise convolution that begins each block; 0 for none.
        lepe_kernel: Side of the depthwise convolution beside the attention; 0 for none.
        layer_scale_init_value: Start value of a scale a channel; none if it is not positive.
        pre_norm: Whether norms come before attention and perceptron; after the residuals otherwise.
        routing: More arguments of ``BiLevelRoutingAttention``, such as ``{"soft": True}``.
        swin_layout: Patches side by side in place of overlapping convolutions, as in Swin; what is left over at the
            right and bottom is cut off.
        channels_first: Attention of regions that need not be equal (``BiLevelRoutingAttention2d``), which pads nothing
            before; -1 and -2 in ``topks`` both stand for attention among all with a convolution of the value.
        out_norms: Norm the map of every stage by a norm of its own (``extra_norms``), as the authors' dense predictors
            do, in place of the one norm before the classifier; their checkpoints need it. Maps go on to the next stage
            without.
        drop_rate: Dropout before the classifier, a probability.
        drop_path_rate: Rate of dropped branches in the last block.
        device: Of the parameters.
        dtype: Of the parameters.

    Raises:
        ValueError: Arguments do not fit together.

    Source:
        Zhu et al., "BiFormer: Vision Transformer with Bi-Level Routing Attention", CVPR 2023. Numbers are those of the
        authors' code, which differs from the paper: attention is scaled by all channels and not by those of a head.
    """

    def __init__(
        self,
        in_chans: int = 3,
        num_classes: int = 1000,
        global_pool: str = "avg",
        depths: Sequence[int] = (2, 2, 8, 2),
        dims: Sequence[int] = (64, 128, 256, 512),
        head_dim: int = 32,
        mlp_ratio: float = 3.0,
        n_win: int = 7,
        topks: Sequence[int] = (1, 4, 16, -2),
        auto_pad: bool = True,
        pos_kernel: int = 3,
        lepe_kernel: int = 5,
        layer_scale_init_value: float = -1.0,
        pre_norm: bool = True,
        routing: dict[str, Any] | None = None,
        swin_layout: bool = False,
        channels_first: bool = False,
        out_norms: bool = False,
        drop_rate: float = 0.0,
        drop_path_rate: float = 0.0,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__()
        dd: dict[str, Any] = {"device": device, "dtype": dtype}
        if not len(depths) == len(dims) == len(topks):
            raise ValueError(f"depths, dims and topks must be equally long, got {depths}, {dims} and {topks}")
        self.num_classes, self.global_pool, self.drop_rate = num_classes, global_pool, drop_rate
        self.out_norms, self.grad_checkpointing = out_norms, False
        self.num_features = self.head_hidden_size = dims[-1]
        self.downsample_layers = _downsample_layers(in_chans, dims, swin_layout, dd)
        rates = calculate_drop_path_rates(drop_path_rate, list(depths), stagewise=True)
        options = {"lepe_kernel": lepe_kernel, **({} if channels_first else {"auto_pad": auto_pad}), **(routing or {})}
        self.stages = nn.ModuleList()
        self.feature_info = []
        for number, (dim, topk) in enumerate(zip(dims, topks, strict=True)):
            blocks = [
                Block(
                    _attention(dim, topk, n_win, head_dim, channels_first, options, dd), dim, mlp_ratio, pos_kernel,
                    rate, layer_scale_init_value, pre_norm, channels_first, spare=not swin_layout, **dd,
                )
                for rate in rates[number]
            ]  # fmt: skip
            stage = nn.Sequential(*blocks)
            # The authors' two files name blocks differently.
            self.stages.append(nn.Sequential(OrderedDict(blocks=stage)) if swin_layout else stage)
            self.feature_info.append({"num_chs": dim, "reduction": 4 * 2**number, "module": f"stages.{number}"})
        if out_norms:
            self.extra_norms = nn.ModuleList(LayerNorm2d(dim, eps=1e-6, **dd) for dim in dims)
        self.norm = nn.Identity() if out_norms else nn.BatchNorm2d(dims[-1], **dd)
        self._set_head(**dd)
        self.apply(_init)

    @torch.jit.ignore
    def group_matcher(self, coarse: bool = False) -> dict[str, Any]:
        """Say which parameters form a layer, for layer-wise learning rates."""
        names = "stages|downsample_layers|extra_norms"
        fine = [
            (r"^stages\.(\d+)\.(?:blocks\.)?(\d+)", None),
            # It comes before the first block of its stage, and belongs to it.
            (r"^downsample_layers\.(\d+)", (0,)),
            (r"^extra_norms\.(\d+)", (99999,)),
            (r"^norm", (99999,)),
        ]
        return {"stem": r"^downsample_layers\.0", "blocks": rf"^(?:{names})\.(\d+)" if coarse else fine}

    @torch.jit.ignore
    def no_weight_decay(self) -> set[str]:
        """Name the parameters that weight decay should leave alone; none here that is no vector."""
        return set()

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
        self.pool = SelectAdaptivePool2d(pool_type=self.global_pool, flatten=bool(self.global_pool))
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
            output_fmt: Only "NCHW".
            intermediates_only: Whether to leave the final features out.

        Returns:
            Features of the stages wanted; unless ``intermediates_only``, final ones before them.

        Raises:
            ValueError: ``output_fmt`` is another one, or a stage does not exist.
        """
        if output_fmt != "NCHW":
            raise ValueError(f"output_fmt must be NCHW, got {output_fmt!r}: permute the result for another order")
        wanted, last = take_indices(len(self.stages), indices)
        features = []
        for number in range(last + 1 if stop_early else len(self.stages)):
            x = self._stage(x, number)
            if number in wanted:
                features.append(self._normed(x, number) if norm or self.out_norms else x)
        return features if intermediates_only else (self._normed(x, number), features)

    def _stage(self, x: Tensor, number: int) -> Tensor:
        # Attention works on channels last: in memory too, every permutation of a block is free.
        return self.stages[number](self.downsample_layers[number](x).contiguous(memory_format=torch.channels_last))

    def _normed(self, x: Tensor, number: int) -> Tensor:
        """Norm the map of a stage, where there is a norm for it."""
        if self.out_norms:
            return self.extra_norms[number](x)
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
            kept = [norm if i in wanted else nn.Identity() for i, norm in enumerate(self.extra_norms)]
            self.extra_norms = nn.ModuleList(kept[: last + 1])
        if prune_norm or shortened:
            self.norm = nn.Identity()
        self.stages, self.downsample_layers = self.stages[: last + 1], self.downsample_layers[: last + 1]
        self.num_features = self.head_hidden_size = self.feature_info[last]["num_chs"]
        if prune_head or shortened:
            self.reset_classifier(0, "")
        return wanted

    def forward_features(self, x: Tensor) -> Tensor:
        """Return the last stage's map, normed, (batch, num_features, height / 32, width / 32)."""
        for number in range(len(self.stages)):
            x = self._stage(x, number)
        return self._normed(x, len(self.stages) - 1)

    def forward_head(self, x: Tensor, pre_logits: bool = False) -> Tensor:
        """Pool and classify a map.

        Args:
            x: From ``forward_features``.
            pre_logits: Whether to stop before the classifier.

        Returns:
            (batch, num_classes), or (batch, num_classes, height, width) where nothing is pooled; channels in place of
            classes with ``pre_logits`` and where there are none.
        """
        x = F.dropout(self.pool(x), self.drop_rate, self.training)
        if pre_logits:
            return x
        return self.head(x) if self.global_pool else self.head(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)

    def forward(self, x: Tensor) -> Tensor:
        """Classify pictures, (batch, in_chans, height, width)."""
        return self.forward_head(self.forward_features(x))


def _downsample_layers(in_chans: int, dims: Sequence[int], swin_layout: bool, dd: dict[str, Any]) -> nn.ModuleList:
    """Make what brings the picture to the first stage, and each stage's map to the next."""
    first, half = dims[0], dims[0] // 2
    stem: list[nn.Module]
    steps: list[list[nn.Module]]
    if swin_layout:
        stem = [PatchConv2d(in_chans, first, 4, **dd), nn.BatchNorm2d(first, **dd)]
        steps = [[nn.BatchNorm2d(dim, **dd), PatchConv2d(dim, wider, 2, **dd)] for dim, wider in pairwise(dims)]
    else:
        halvings = [
            [nn.Conv2d(dim, wider, 3, 2, 1, **dd), nn.BatchNorm2d(wider, **dd)]
            for dim, wider in pairwise((in_chans, half, *dims))
        ]
        stem, steps = [*halvings[0], nn.GELU(), *halvings[1]], halvings[2:]
    return nn.ModuleList(nn.Sequential(*layers) for layers in (stem, *steps))


def _attention(
    dim: int, topk: int, n_win: int, head_dim: int, channels_first: bool, options: dict[str, Any], dd: dict[str, Any]
) -> nn.Module:
    """Make the attention that an entry of ``topks`` stands for."""
    if topk > 0:
        if dim % head_dim:
            raise ValueError(f"head_dim must divide the channels of a stage that routes, got {head_dim} for {dim}")
        layer = BiLevelRoutingAttention2d if channels_first else BiLevelRoutingAttention
        return layer(dim, dim // head_dim, n_win, topk, **options, **dd)
    if topk not in (-1, -2):
        raise ValueError(f"topks must be 1 or more, or -1 or -2 for attention among all tokens, got {topk}")
    if channels_first:
        return AttentionLePE2d(dim, lepe_kernel=options["lepe_kernel"], **dd)
    return AttentionLePE(dim, lepe_kernel=options["lepe_kernel"] if topk == -2 else 0, **dd)


def _init(module: nn.Module) -> None:
    """Initialise as the authors do: linear weights from a narrow normal, no biases; convolutions as torch does."""
    if isinstance(module, nn.Linear):
        trunc_normal_(module.weight, std=0.02)
        if module.bias is not None:
            nn.init.zeros_(module.bias)


def _filter(state: Mapping[str, Any], model: BiFormer) -> dict[str, Tensor]:
    """Take official keys as they are; a classifier's weights start a dense predictor with norms of its own."""

    def rename(found: dict[str, Tensor]) -> dict[str, Tensor]:
        has_norms = any(key.startswith("extra_norms.") for key in found)
        if has_norms and not model.out_norms:
            raise RuntimeError(
                "the checkpoint has a norm for each stage (extra_norms), as dense predictors do: create the model with "
                "out_norms=True, and features_only=True or num_classes=0"
            )
        if has_norms or not model.out_norms or "norm.weight" not in found:
            return found
        own = {key: value for key, value in model.state_dict().items() if key.startswith("extra_norms.")}
        return {key: value for key, value in found.items() if not key.startswith("norm.")} | own

    return fit_state(state, model, rename=rename)


def _cfg() -> dict[str, Any]:
    return {
        # The authors' links are dead, and there is no other official place: give a file.
        "url": "",
        "num_classes": 1000,
        "input_size": (3, 224, 224),
        "pool_size": (7, 7),
        "crop_pct": 0.875,
        "interpolation": "bicubic",
        "mean": (0.485, 0.456, 0.406),
        "std": (0.229, 0.224, 0.225),
        "first_conv": "downsample_layers.0.0",
        "classifier": "head",
        "license": "mit",
        "paper_ids": "arXiv:2303.08810",
        "origin_url": "https://github.com/rayleizhu/BiFormer",
    }


default_cfgs = generate_default_cfgs(
    {f"biformer_{name}.in1k": _cfg() for name in ("tiny", "small", "base", "stl", "stl_nchw")}
)


def _create(variant: str, pretrained: bool = False, **kwargs: Any) -> BiFormer:
    return build_model_with_cfg(
        BiFormer,
        variant,
        pretrained,
        pretrained_filter_fn=_filter,
        feature_cfg={"out_indices": (0, 1, 2, 3), "feature_cls": "getter"},
        **kwargs,
    )


_STL = {"depths": (2, 2, 6, 2), "dims": (96, 192, 384, 768), "mlp_ratio": 4.0, "pos_kernel": 0, "swin_layout": True}


@register_model
def biformer_tiny(pretrained: bool = False, **kwargs: Any) -> BiFormer:
    """BiFormer-T: 64 channels, 2-2-8-2 blocks."""
    return _create("biformer_tiny", pretrained, **kwargs)


@register_model
def biformer_small(pretrained: bool = False, **kwargs: Any) -> BiFormer:
    """BiFormer-S: 64 channels, 4-4-18-4 blocks."""
    return _create("biformer_small", pretrained, **{"depths": (4, 4, 18, 4), **kwargs})


@register_model
def biformer_base(pretrained: bool = False, **kwargs: Any) -> BiFormer:
    """BiFormer-B: 96 channels, 4-4-18-4 blocks."""
    arguments = {"depths": (4, 4, 18, 4), "dims": (96, 192, 384, 768)}
    return _create("biformer_base", pretrained, **{**arguments, **kwargs})


@register_model
def biformer_stl(pretrained: bool = False, **kwargs: Any) -> BiFormer:
    """BiFormer-STL: bi-level routing attention in the layout of Swin-T; 96 channels, 2-2-6-2 blocks."""
    return _create("biformer_stl", pretrained, **{**_STL, **kwargs})


@register_model
def biformer_stl_nchw(pretrained: bool = False, **kwargs: Any) -> BiFormer:
    """BiFormer-STL with channels first, trained by itself: odd regions and the last stage's attention differ."""
    arguments = {**_STL, "topks": (1, 4, 16, -1), "channels_first": True}
    return _create("biformer_stl_nchw", pretrained, **{**arguments, **kwargs})

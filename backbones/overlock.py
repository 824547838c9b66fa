"""OverLoCK: an overview of the picture makes the kernels of a closer look (arXiv 2502.20087, CVPR 2025)."""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from timm.layers import LayerNorm2d, SelectAdaptivePool2d, calculate_drop_path_rates, trunc_normal_
from timm.models import build_model_with_cfg, checkpoint, generate_default_cfgs, register_model
from torch import Tensor, nn

from foveate.backbones.checkpoint import fit_state, take_indices
from foveate.backbones.layers.contmix import DynamicConvBlock
from foveate.backbones.layers.pieces import ChannelScale, ContextDownsample, conv_norm, conv_stem
from foveate.backbones.layers.reparam import fit_branches, reparameterize
from foveate.backbones.layers.repconv import RepConvBlock

__all__ = ["OverLoCK"]


class OverLoCK(nn.Module):
    """Overview-first, look-closely-next network; maps are (batch, channels, height, width).

    Three stages of plain blocks (the base) lead to stride 16. From there an overview goes to stride 32 and makes a
    context, by which two focus stages of dynamic blocks at strides 16 and 32 look at the base once more. The pyramid is
    made of the first two stages and of the focus stages, whose maps have the context's channels beside their own.
    Pictures of any size work.

    In training mode, a model with an auxiliary head gives a dict of ``main`` and ``aux`` logits, of which the authors
    weigh the second by 0.4; in eval mode it gives the main logits alone.

    ``reparameterize`` merges the branches of the large kernels, for faster inference at the same numbers; timm's
    ``reparameterize_model`` does so too. Weights saved after that load into a model made with ``deploy=True``.

    Args:
        in_chans: Channels of the picture.
        num_classes: Classes; 0 leaves the classifier out.
        global_pool: "avg" or another kind that timm knows, or "" for unpooled output.
        depths: Blocks of the three stages of the base and of the overview.
        sub_depths: Blocks of the two focus stages.
        dims: Channels of the four stages; a quarter of the last is the context's width.
        kernel_sizes: Sides of the large kernels of the four stages; those of the focus stages are the last two.
        sub_num_heads: Pairs of groups in the focus stages.
        mlp_ratio: Hidden width of the plain blocks over their channels.
        sub_mlp_ratio: The same of the dynamic blocks.
        smk_size: Side of the small window of the dynamic blocks.
        layer_scale_init_values: Start value of the layer scales of each stage; None leaves them out.
        res_scale: Whether the layer scales are on the residual path instead of on the branches.
        head_dim: Channels before the classifier.
        aux_head: Whether to add the auxiliary head on the overview, for training.
        deploy: Make the large kernels without their branches. Checkpoints with branches are merged while loading.
        out_norms: Norm the map of every stage by a norm of its own (``extra_norm``), as the authors' dense predictors
            do, in place of the projection before the classifier; their checkpoints need it. The second stage's map
            goes on to the third with its norm, other maps go on without.
        drop_rate: Dropout before the classifier, a probability.
        drop_path_rate: Rate of dropped branches in the last block.
        device: Of the parameters.
        dtype: Of the parameters.

    Raises:
        ValueError: Arguments do not fit together.

    Source:
        Lou and Yu, "OverLoCK: An Overview-first-Look-Closely-next ConvNet with Context-Mixing Dynamic Kernels", CVPR
        2025. Response norms and softmax are taken in float32 under autocast, where the authors' code can overflow.
    """

    def __init__(
        self,
        in_chans: int = 3,
        num_classes: int = 1000,
        global_pool: str = "avg",
        depths: Sequence[int] = (2, 2, 3, 2),
        sub_depths: Sequence[int] = (6, 2),
        dims: Sequence[int] = (56, 112, 256, 336),
        kernel_sizes: Sequence[int] = (17, 15, 13, 7),
        sub_num_heads: Sequence[int] = (4, 6),
        mlp_ratio: float = 4.0,
        sub_mlp_ratio: float = 3.0,
        smk_size: int = 5,
        layer_scale_init_values: Sequence[float | None] = (None, None, 1.0, 1.0),
        res_scale: bool = True,
        head_dim: int = 1024,
        aux_head: bool = False,
        deploy: bool = False,
        out_norms: bool = False,
        drop_rate: float = 0.0,
        drop_path_rate: float = 0.0,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__()
        dd: dict[str, Any] = {"device": device, "dtype": dtype}
        _check(dims, sub_depths, (depths, dims, kernel_sizes, layer_scale_init_values), (sub_depths, sub_num_heads))
        self.num_classes, self.global_pool, self.drop_rate = num_classes, global_pool, drop_rate
        self.out_norms, self.grad_checkpointing = out_norms, False
        context = dims[3] // 4
        widths = (dims[0], dims[1], dims[2] + context, dims[3] + context)
        modules = ("blocks1", "blocks2", "sub_blocks3", "sub_blocks4")
        self.feature_info = [
            {"num_chs": width, "reduction": 4 * 2**number, "module": module}
            for number, (width, module) in enumerate(zip(widths, modules, strict=True))
        ]
        self.num_features = widths[3]

        rates = calculate_drop_path_rates(drop_path_rate, [*depths, *sub_depths], stagewise=True)

        def plain(stage: int) -> nn.ModuleList:
            make = partial(
                RepConvBlock, dims[stage], kernel_sizes[stage], mlp_ratio, layer_scale_init_values[stage], res_scale,
                merged=deploy, **dd,
            )  # fmt: skip
            return nn.ModuleList(make(drop_path=rate) for rate in rates[stage])

        def dynamic(stage: int) -> nn.ModuleList:
            make = partial(
                DynamicConvBlock, dims[stage], dims[3], kernel_sizes[stage], smk_size, sub_num_heads[stage - 2],
                sub_mlp_ratio, layer_scale_init_values[stage], res_scale, merged=deploy, **dd,
            )  # fmt: skip
            last = len(rates[stage + 2]) - 1
            return nn.ModuleList(
                make(drop_path=rate, is_first=stage == 2 and number == 0, is_last=stage == 3 and number == last)
                for number, rate in enumerate(rates[stage + 2])
            )

        self.patch_embed1 = conv_stem(in_chans, dims[0], **dd)
        self.blocks1 = plain(0)
        self.patch_embed2 = conv_norm(dims[0], dims[1], 3, 2, **dd)
        self.blocks2 = plain(1)
        self.patch_embed3 = conv_norm(dims[1], dims[2], 3, 2, **dd)
        self.blocks3 = plain(2)
        self.patch_embed4 = conv_norm(dims[2], dims[3], 3, 2, **dd)
        self.blocks4 = plain(3)
        self.high_level_proj = nn.Conv2d(dims[3], context, 1, **dd)
        self.sub_blocks3 = dynamic(2)
        self.patch_embedx = ContextDownsample(dims[2], dims[3], context, **dd)
        self.sub_blocks4 = dynamic(3)
        if out_norms:
            self.extra_norm = nn.ModuleList(LayerNorm2d(width, **dd) for width in widths)
        self.head_hidden_size = self.num_features if out_norms else head_dim
        # Numbers are the published keys: 3 is the pooling and 4 the classifier, or 2 the auxiliary one.
        self.head = nn.Sequential(*(nn.Identity() for _ in range(5)))
        if not out_norms:
            self.head[0], self.head[1] = conv_norm(self.num_features, head_dim, **dd)
            self.head[2] = nn.SiLU()
        self.aux_head: nn.Sequential | None = None
        if aux_head:
            self.aux_head = nn.Sequential(nn.BatchNorm2d(dims[3], **dd), nn.AdaptiveAvgPool2d(1), nn.Identity())
        self._set_classifiers(**dd)
        self.apply(_init)

    @torch.jit.ignore
    def group_matcher(self, coarse: bool = False) -> dict[str, Any]:
        """Say which parameters form a layer, for layer-wise learning rates."""
        block = "" if coarse else r"\.(\d+)"
        # What comes before the first block of a stage belongs to it, and norms to the last one.
        first, last = ((), ()) if coarse else ((0,), (99999,))
        base = [
            (rf"^blocks(\d){block}", None),
            (r"^patch_embed(\d)", first or None),
            (r"^extra_norm\.0", (1, *last)),
            (r"^extra_norm\.1", (2, *last)),
        ]
        focus = [
            (rf"^sub_blocks(\d){block}", None),
            (r"^high_level_proj", (3, *first)),
            (r"^patch_embedx", (4, *first)),
            (r"^extra_norm\.2", (3, *last)),
            (r"^extra_norm\.3", (4, *last)),
        ]
        return {"stem": r"^patch_embed1", "base": base, "focus": focus}

    @torch.jit.ignore
    def no_weight_decay(self) -> set[str]:
        """Name the parameters that weight decay should leave alone: position biases."""
        return {name for name, _ in self.named_parameters() if "rpb" in name}

    @torch.jit.ignore
    def set_grad_checkpointing(self, enable: bool = True) -> None:
        """Trade time for memory while training."""
        self.grad_checkpointing = enable

    @torch.jit.ignore
    def get_classifier(self) -> nn.Module:
        """Return the classifier, a convolution of 1 by 1."""
        return self.head[4]

    def reset_classifier(self, num_classes: int, global_pool: str | None = None) -> None:
        """Put a new classifier in place, and a new auxiliary one where there is one.

        Args:
            num_classes: Classes; 0 leaves it out.
            global_pool: New kind of pooling; None keeps the old.
        """
        self.num_classes = num_classes
        self.global_pool = self.global_pool if global_pool is None else global_pool
        weight = next(self.parameters())
        self._set_classifiers(weight.device, weight.dtype)

    def _set_classifiers(self, device: Any, dtype: Any) -> None:
        self.head[3] = pool = SelectAdaptivePool2d(pool_type=self.global_pool)

        def classifier(width: int) -> nn.Module:
            if self.num_classes <= 0:
                return nn.Identity()
            layer = nn.Conv2d(width, self.num_classes, 1, device=device, dtype=dtype)
            _init(layer)
            return layer

        self.head[4] = classifier(self.head_hidden_size * pool.feat_mult())
        if self.aux_head is not None:
            self.aux_head[2] = classifier(self.high_level_proj.in_channels)

    @torch.jit.ignore
    def reparameterize(self) -> "OverLoCK":
        """Merge the branches of the large kernels, in place; for inference.

        Returns:
            The model, which has the keys of one made with ``deploy=True``.

        Raises:
            RuntimeError: The model is in training mode.
        """
        reparameterize(self)
        # timm writes these arguments beside saved weights, to make the model that they fit.
        self._model_args = {**getattr(self, "_model_args", {}), "deploy": True}
        return self

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
            norm: Kept for timm's interface: with ``out_norms`` all features are normed, without none are.
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
        wanted, last = take_indices(self._count(), indices)
        maps, _ = self._maps(x, last + 1 if stop_early else self._count())
        features = [x for number, x in enumerate(maps) if number in wanted]
        return features if intermediates_only else (maps[-1], features)

    def _count(self) -> int:
        """Count the stages that are left after pruning."""
        return sum(hasattr(self, str(info["module"])) for info in self.feature_info)

    def _maps(self, x: Tensor, count: int) -> tuple[list[Tensor], Tensor | None]:
        """Process the first stages; return the map of each, and the overview if there are three or more."""
        x = self._through(self.blocks1, self.patch_embed1(x))
        maps = [self._normed(x, 0)]
        if count > 1:
            x = self._through(self.blocks2, self.patch_embed2(x))
            maps.append(self._normed(x, 1))
        if count < 3:
            return maps, None
        # The authors' dense predictors go on with the norm here, and only here.
        base = self._through(self.blocks3, self.patch_embed3(maps[1]))
        overview = self._through(self.blocks4, self.patch_embed4(base))
        small = self.high_level_proj(overview)
        # With channels last, as torch's kernel for small maps on a GPU is 30 times slower.
        large = F.interpolate(
            small.contiguous(memory_format=torch.channels_last), size=base.shape[-2:], mode="bilinear"
        ).contiguous()
        x, context = base, large
        for block in self.sub_blocks3:
            x, context = self._call(block, x, context, large)
        maps.append(self._normed(torch.cat([x, context], dim=1), 2))
        if count == 4:
            x, context = self.patch_embedx(x, context)
            for block in list(self.sub_blocks4)[:-1]:
                x, context = self._call(block, x, context, small)
            maps.append(self._normed(self._call(self.sub_blocks4[-1], x, context, small), 3))
        return maps, overview

    def _through(self, blocks: nn.ModuleList, x: Tensor) -> Tensor:
        for block in blocks:
            x = self._call(block, x)
        return x

    def _call(self, block: nn.Module, *maps: Tensor) -> Any:
        return checkpoint(block, *maps) if self.grad_checkpointing else block(*maps)

    def _normed(self, x: Tensor, number: int) -> Tensor:
        """Norm the map of a stage, where there is a norm for it."""
        return self.extra_norm[number](x) if self.out_norms else x

    def prune_intermediate_layers(
        self, indices: int | list[int] | None = 1, prune_norm: bool = False, prune_head: bool = True
    ) -> list[int]:
        """Drop the stages after the last one wanted, the norms of maps that are not, and the heads.

        Args:
            indices: Stages that stay of use.
            prune_norm: Kept for timm's interface; there is no norm before the head.
            prune_head: Whether the heads go; they do when the last stage goes.

        Returns:
            The stages as a list of numbers.
        """
        wanted, last = take_indices(self._count(), indices)
        shortened = last < self._count() - 1
        if self.out_norms:
            used = {*wanted, 1}
            kept = [norm if i in used else nn.Identity() for i, norm in enumerate(self.extra_norm)]
            self.extra_norm = nn.ModuleList(kept[: last + 1])
        dropped = ["patch_embedx", "sub_blocks4"] if last < 3 else []
        if last < 2:
            dropped += ["patch_embed3", "blocks3", "patch_embed4", "blocks4", "high_level_proj", "sub_blocks3"]
        if last < 1:
            dropped += ["patch_embed2", "blocks2"]
        for name in dropped:
            if hasattr(self, name):
                delattr(self, name)
        if prune_head or shortened:
            self.num_features = self.head_hidden_size = self.feature_info[last]["num_chs"]
            self.head, self.aux_head = nn.Sequential(*(nn.Identity() for _ in range(5))), None
            self.reset_classifier(0, "")
        return wanted

    def forward_features(self, x: Tensor) -> Tensor:
        """Return the last stage's map, (batch, num_features, height / 32, width / 32)."""
        return self._maps(x, self._count())[0][-1]

    def forward_head(self, x: Tensor, pre_logits: bool = False) -> Tensor:
        """Project, pool and classify a map.

        Args:
            x: From ``forward_features``.
            pre_logits: Whether to stop before the classifier.

        Returns:
            (batch, num_classes), or (batch, num_classes, height, width) where nothing is pooled; channels in place of
            classes with ``pre_logits`` and where there are none.
        """
        for layer in list(self.head)[:-1]:
            x = layer(x)
        x = F.dropout(x, self.drop_rate, self.training)
        x = x if pre_logits else self.head[4](x)
        return x.flatten(1) if self.global_pool else x

    def forward(self, x: Tensor) -> Tensor | dict[str, Tensor]:
        """Classify pictures.

        Args:
            x: (batch, in_chans, height, width).

        Returns:
            Logits (batch, num_classes); in training mode with an auxiliary head ``{"main": logits, "aux": logits}``.
        """
        maps, overview = self._maps(x, self._count())
        logits = self.forward_head(maps[-1])
        if self.training and self.aux_head is not None:
            return {"main": logits, "aux": self.aux_head(overview).flatten(1)}
        return logits


def _check(dims: Sequence[int], sub_depths: Sequence[int], fours: Any, twos: Any) -> None:
    if any(len(values) != 4 for values in fours):
        raise ValueError(
            f"depths, dims, kernel_sizes and layer_scale_init_values must have 4 values, one a stage, got {fours}"
        )
    if any(len(values) != 2 for values in twos):
        raise ValueError(f"sub_depths and sub_num_heads must have 2 values, one for each focus stage, got {twos}")
    if min(sub_depths) < 1:
        raise ValueError(f"each focus stage needs at least one block, got sub_depths of {sub_depths}")
    if dims[3] % 4:
        raise ValueError(f"the last of dims must be divisible by 4, got {dims[3]}: the context takes a quarter")


def _init(module: nn.Module) -> None:
    """Initialise as the authors do: convolutions from a narrow normal, no biases; layer scales as they are."""
    if isinstance(module, nn.Conv2d) and not isinstance(module, ChannelScale):
        trunc_normal_(module.weight, std=0.02)
        if module.bias is not None:
            nn.init.zeros_(module.bias)


def _filter(state: Mapping[str, Any], model: OverLoCK) -> dict[str, Tensor]:
    """Take official keys as they are, with what belongs to heads, norms and branches that the model does without."""

    def rename(found: dict[str, Tensor]) -> dict[str, Tensor]:
        found = _with_norms(fit_branches(found, model), model)
        return found if model.aux_head is None else _with_aux_head(found, model.aux_head)

    return fit_state(state, model, rename=rename, drop=() if model.aux_head is not None else ("aux_head.",))


def _with_norms(state: dict[str, Tensor], model: OverLoCK) -> dict[str, Tensor]:
    """Let a classifier's weights start a dense predictor, with norms of its own in place of the head."""
    has_norms = any(key.startswith("extra_norm.") for key in state)
    if has_norms and not model.out_norms:
        raise RuntimeError(
            "the checkpoint has a norm for each stage (extra_norm), as dense predictors do: create the model with "
            "out_norms=True, and features_only=True or num_classes=0"
        )
    if has_norms or not model.out_norms:
        return state
    own = {key: value for key, value in model.state_dict().items() if key.startswith("extra_norm.")}
    return {key: value for key, value in state.items() if not key.startswith("head.")} | own


def _with_aux_head(state: dict[str, Tensor], aux_head: nn.Sequential) -> dict[str, Tensor]:
    """Leave the auxiliary head as it is where there are no weights for it, or its classifier for other classes."""
    own = {f"aux_head.{key}": value for key, value in aux_head.state_dict().items()}
    absent = own.keys().isdisjoint(state)
    fresh = {
        key: value
        for key, value in own.items()
        if absent or (key.startswith("aux_head.2.") and key in state and state[key].shape != value.shape)
    }
    return {**state, **fresh}


_RELEASE = "https://github.com/LMMMEng/OverLoCK/releases/download/v1/"


def _cfg(size: str, crop_pct: float) -> dict[str, Any]:
    return {
        "url": f"{_RELEASE}overlock_{size}_in1k_224.pth",
        "num_classes": 1000,
        "input_size": (3, 224, 224),
        "pool_size": (7, 7),
        "crop_pct": crop_pct,
        "interpolation": "bicubic",
        "mean": (0.485, 0.456, 0.406),
        "std": (0.229, 0.224, 0.225),
        "first_conv": "patch_embed1.0",
        "classifier": "head.4",
        "license": "apache-2.0",
        "paper_ids": "arXiv:2502.20087",
        "origin_url": "https://github.com/LMMMEng/OverLoCK",
    }


default_cfgs = generate_default_cfgs(
    {
        "overlock_xt.in1k": _cfg("xt", 0.925),
        "overlock_tiny.in1k": _cfg("t", 0.95),
        "overlock_small.in1k": _cfg("s", 0.95),
        "overlock_base.in1k": _cfg("b", 0.975),
    }
)


def _create(variant: str, pretrained: bool = False, **kwargs: Any) -> OverLoCK:
    return build_model_with_cfg(
        OverLoCK,
        variant,
        pretrained,
        pretrained_filter_fn=_filter,
        feature_cfg={"out_indices": (0, 1, 2, 3), "feature_cls": "getter"},
        **kwargs,
    )


@register_model
def overlock_xt(pretrained: bool = False, **kwargs: Any) -> OverLoCK:
    """OverLoCK-XT: 56 channels, 2-2-3-2 blocks, 6-2 in the focus stages."""
    arguments = {"dims": (56, 112, 256, 336), "depths": (2, 2, 3, 2), "sub_depths": (6, 2), "sub_num_heads": (4, 6)}
    return _create("overlock_xt", pretrained, **{**arguments, "drop_path_rate": 0.1, **kwargs})


@register_model
def overlock_tiny(pretrained: bool = False, **kwargs: Any) -> OverLoCK:
    """OverLoCK-T: 64 channels, 4-4-6-2 blocks, 12-2 in the focus stages."""
    arguments = {"dims": (64, 128, 256, 512), "depths": (4, 4, 6, 2), "sub_depths": (12, 2), "sub_num_heads": (4, 8)}
    return _create("overlock_tiny", pretrained, **{**arguments, "drop_path_rate": 0.15, **kwargs})


@register_model
def overlock_small(pretrained: bool = False, **kwargs: Any) -> OverLoCK:
    """OverLoCK-S: 64 channels, 6-6-8-3 blocks, 16-3 in the focus stages."""
    arguments = {"dims": (64, 128, 320, 512), "depths": (6, 6, 8, 3), "sub_depths": (16, 3), "sub_num_heads": (8, 16)}
    return _create("overlock_small", pretrained, **{**arguments, "drop_path_rate": 0.4, **kwargs})


@register_model
def overlock_base(pretrained: bool = False, **kwargs: Any) -> OverLoCK:
    """OverLoCK-B: 80 channels, 8-8-10-4 blocks, 20-4 in the focus stages."""
    arguments = {"dims": (80, 160, 384, 576), "depths": (8, 8, 10, 4), "sub_depths": (20, 4), "sub_num_heads": (6, 9)}
    return _create("overlock_base", pretrained, **{**arguments, "drop_path_rate": 0.5, **kwargs})

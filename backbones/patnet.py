"""PATNet: partial convolution on some channels, visual attention on the others (arXiv 2503.03148, AAAI 2026)."""

import re
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from timm.layers import SelectAdaptivePool2d, calculate_drop_path_rates, trunc_normal_
from timm.models import (
    build_model_with_cfg,
    generate_default_cfgs,
    register_model,
    register_model_deprecations,
)
from torch import Tensor, nn

from foveate.backbones.checkpoint import fit_state, take_indices
from foveate.backbones.patnet_mixers import Block, PatchEmbed, PatchMerging, Stage, relu

__all__ = ["PATNet"]


class PATNet(nn.Module):
    """Partial attention network.

    ``timm.utils.reparameterize_model(model)`` returns a copy for inference, without the norms that convolutions can
    take in, and with PAT_sp's convolution merged as in the paper.

    Args:
        in_chans: Channels of the picture.
        num_classes: Classes; 0 leaves the classifier out.
        global_pool: "avg", or "" for unpooled output.
        dim: Channels of the first stage; every later stage has twice as many.
        depths: Blocks a stage.
        n_div: One part of the channels in so many is convolved.
        mlp_ratio: Hidden width of the perceptrons over dim.
        channel_attn: Whether stages 1 to 3 gate channels (PAT_ch) and the last stage attends (PAT_sf).
        last_attn: Whether the last stage attends; default as ``channel_attn``.
        spatial_attn: Whether perceptrons end in PAT_sp.
        heads: Attention heads of the last stage.
        attn_drop: Dropout in the last stage's attention.
        act_layer: Activation.
        head_dim: Channels before the classifier.
        drop_rate: Dropout before the classifier.
        drop_path_rate: Rate of dropped branches in the last block.
        layer_scale: Start value of scales a channel; 0 for none.
        out_norms: Norm the map of every stage, each with a norm of its own, as the authors' dense predictors do, in
            place of the projection before the classifier.
        device: Of the parameters.
        dtype: Of the parameters.

    Source:
        Huang et al., "Partial Channel Network" (arXiv 2502.01303) and arXiv 2503.03148. Where paper and code differ,
        numbers are those of the authors' code: the last stage has two residuals, and four heads. Sizes that 32 does
        not divide lose their last rows and columns, as there; sides below 32 pixels are filled up with zeros.
    """

    def __init__(
        self,
        in_chans: int = 3,
        num_classes: int = 1000,
        global_pool: str = "avg",
        dim: int = 64,
        depths: Sequence[int] = (2, 2, 6, 4),
        n_div: int = 4,
        mlp_ratio: float = 2.0,
        channel_attn: bool = True,
        last_attn: bool | None = None,
        spatial_attn: bool = True,
        heads: int = 4,
        attn_drop: float = 0.1,
        act_layer: Callable[..., nn.Module] = relu,
        head_dim: int = 1280,
        drop_rate: float = 0.0,
        drop_path_rate: float = 0.0,
        layer_scale: float = 0.0,
        out_norms: bool = False,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__()
        dd: dict[str, Any] = {"device": device, "dtype": dtype}
        self.num_classes, self.drop_rate, self.out_norms = num_classes, drop_rate, out_norms
        self.grad_checkpointing = False
        self.patch_embed = PatchEmbed(in_chans, dim, **dd)
        last_attn = channel_attn if last_attn is None else last_attn
        rates = calculate_drop_path_rates(drop_path_rate, list(depths), stagewise=True)
        stages: list[nn.Module] = []
        self.feature_info = []
        for number, depth in enumerate(depths):
            last = number == len(depths) - 1
            kind = ("self" if last_attn else "conv") if last else ("se" if channel_attn else "conv")
            make = partial(
                Block, dim * 2**number, kind, last, n_div, mlp_ratio, spatial_attn, heads, attn_drop,
                layer_scale=layer_scale, act_layer=act_layer, **dd,
            )  # fmt: skip
            if number:
                stages.append(PatchMerging(dim * 2 ** (number - 1), **dd))
            stages.append(Stage([make(drop_path=rates[number][i]) for i in range(depth)]))
            self.feature_info.append(
                {"num_chs": dim * 2**number, "reduction": 4 * 2**number, "module": f"stages.{2 * number}"}
            )
        self.stages = nn.Sequential(*stages)
        self.num_features = dim * 2 ** (len(depths) - 1)
        self.head_hidden_size = self.num_features if out_norms else head_dim
        dims = [info["num_chs"] for info in self.feature_info]
        self.norms = nn.ModuleList(nn.BatchNorm2d(dim, **dd) if out_norms else nn.Identity() for dim in dims)
        projection = [nn.Identity(), nn.Conv2d(self.num_features, head_dim, 1, bias=False, **dd), act_layer()]
        self.avgpool_pre_head = nn.Sequential(*([] if out_norms else projection))
        self._set_head(global_pool, **dd)
        self.apply(_init)

    @torch.jit.ignore
    def group_matcher(self, coarse: bool = False) -> dict[str, Any]:
        """Say which parameters form a layer, for layer-wise learning rates."""
        fine = [
            (r"^stages\.(\d+)\.blocks\.(\d+)", None),
            (r"^stages\.(\d+)\.(?:reduction|norm)", (0,)),
            (r"^(?:norms|avgpool_pre_head)", (99999,)),
        ]
        return {"stem": r"^patch_embed", "blocks": r"^stages\.(\d+)" if coarse else fine}

    @torch.jit.ignore
    def no_weight_decay(self) -> set[str]:
        """Name the parameters that weight decay should leave alone: position tables."""
        return {name for name, _ in self.named_parameters() if "lookup_table" in name}

    @torch.jit.ignore
    def set_grad_checkpointing(self, enable: bool = True) -> None:
        """Trade time for memory while training."""
        self.grad_checkpointing = enable
        for stage in self.stages:
            if isinstance(stage, Stage):
                stage.grad_checkpointing = enable

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
        weight = next(self.parameters())
        self._set_head(self.global_pool if global_pool is None else global_pool, weight.device, weight.dtype)

    def _set_head(self, global_pool: str, device: Any, dtype: Any) -> None:
        self.global_pool = global_pool
        self.pool = SelectAdaptivePool2d(pool_type=global_pool)
        if self.pool.feat_mult() != 1:
            raise ValueError(
                f"global_pool must keep the number of channels (avg, max, avgmax or ''), got {global_pool!r}"
            )
        self.head: nn.Module = nn.Identity()
        if self.num_classes > 0:
            self.head = nn.Linear(self.head_hidden_size, self.num_classes, device=device, dtype=dtype)
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
            norm: Kept for timm's interface; features are normed where ``out_norms`` is.
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
        count = (len(self.stages) + 1) // 2
        wanted, last = take_indices(count, indices)
        features = []
        x = self.patch_embed(x)
        for number in range(last + 1 if stop_early else count):
            x = self._stage(x, number)
            if number in wanted:
                features.append(self.norms[number](x))
        return features if intermediates_only else (self.norms[number](x), features)

    def _stage(self, x: Tensor, number: int) -> Tensor:
        """Bring the map of one stage to the resolution of the next, and process it there."""
        return self.stages[2 * number](self.stages[2 * number - 1](x) if number else x)

    def prune_intermediate_layers(
        self, indices: int | list[int] | None = 1, prune_norm: bool = False, prune_head: bool = True
    ) -> list[int]:
        """Drop the stages after the last one wanted, the norms of maps that are not, and the head.

        Args:
            indices: Stages that stay of use.
            prune_norm: Kept for timm's interface.
            prune_head: Whether the classifier goes; it does when the last stage goes.

        Returns:
            The stages as a list of numbers.
        """
        count = (len(self.stages) + 1) // 2
        wanted, last = take_indices(count, indices)
        kept = [norm if number in wanted else nn.Identity() for number, norm in enumerate(self.norms)]
        self.norms = nn.ModuleList(kept[: last + 1])
        self.stages = self.stages[: 2 * last + 1]
        if prune_head or last < count - 1:
            self.num_features = self.head_hidden_size = self.feature_info[last]["num_chs"]
            self.avgpool_pre_head = nn.Sequential()
            self.reset_classifier(0, "")
        return wanted

    def forward_features(self, x: Tensor) -> Tensor:
        """Return the last stage's map, (batch, num_features, height / 32, width / 32)."""
        return self.norms[-1](self.stages(self.patch_embed(x)))

    def forward_head(self, x: Tensor, pre_logits: bool = False) -> Tensor:
        """Pool and classify a map.

        Args:
            x: From ``forward_features``.
            pre_logits: Whether to stop before the classifier.

        Returns:
            (batch, num_classes), or (batch, num_classes, height, width) where nothing is pooled; ``head_hidden_size``
            in place of classes with ``pre_logits`` and where there are none.
        """
        x = self.avgpool_pre_head(self.pool(x))
        x = F.dropout(x.flatten(1) if self.global_pool else x, self.drop_rate, self.training)
        if pre_logits:
            return x
        return self.head(x) if self.global_pool else self.head(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)

    def forward(self, x: Tensor) -> Tensor:
        """Classify pictures, (batch, in_chans, height, width)."""
        return self.forward_head(self.forward_features(x))


def _init(module: nn.Module) -> None:
    """Initialise as the authors do: weights from a narrow normal, no biases."""
    if isinstance(module, nn.Conv2d | nn.Linear):
        trunc_normal_(module.weight, std=0.02)
        if module.bias is not None:
            nn.init.zeros_(module.bias)


def _filter(state: Mapping[str, Any], model: PATNet) -> dict[str, Tensor]:
    """Take official keys as they are; a classifier's weights start a dense predictor with norms of its own."""

    def rename(found: dict[str, Tensor]) -> dict[str, Tensor]:
        own = model.state_dict()
        theirs, ours = _arguments(found), _arguments(own)
        if theirs != ours and theirs["dim"]:
            raise RuntimeError(f"the checkpoint is of a PATNet with {theirs}, and this model has {ours}: create it so")
        found = {re.sub(r"^norm(\d)\.", lambda match: f"norms.{int(match[1]) // 2}.", key): found[key] for key in found}
        has_norms = any(key.startswith("norms.") for key in found)
        if has_norms and not model.out_norms:
            raise RuntimeError(
                "the checkpoint has a norm for each stage (norm0, norm2, ...), as dense predictors do: create the "
                "model with out_norms=True, and features_only=True or num_classes=0"
            )
        if has_norms or not model.out_norms:
            return found
        head = ("avgpool_pre_head.", "head.")
        fresh = {key: value for key, value in own.items() if key.startswith("norms.")}
        return {key: value for key, value in found.items() if not key.startswith(head)} | fresh

    return fit_state(state, model, rename=rename)


def _arguments(state: Mapping[str, Tensor]) -> dict[str, Any]:
    """Say which of ``PATNet``'s arguments the keys and shapes of weights imply."""
    blocks = {match.groups() for key in state if (match := re.match(r"stages\.(\d+)\.blocks\.(\d+)\.", key))}
    stages = [stage for stage, _ in blocks]
    width = state.get("patch_embed.proj.weight")
    tables = [value.shape[0] for key, value in state.items() if key.endswith("lookup_table_bias")]
    return {
        "dim": None if width is None else width.shape[0],
        "depths": tuple(stages.count(stage) for stage in sorted({*stages}, key=int)),
        "channel_attn": any(".attn.cfc1." in key for key in state),
        "spatial_attn": any(".conv_attn." in key for key in state),
        "heads": tables[0] if tables else None,
    }


def _cfg() -> dict[str, Any]:
    return {
        # The authors have published no weights at a place that lasts: give a file.
        "url": "",
        "num_classes": 1000,
        "input_size": (3, 224, 224),
        "pool_size": (7, 7),
        "crop_pct": 0.9,
        "interpolation": "bicubic",
        "mean": (0.485, 0.456, 0.406),
        "std": (0.229, 0.224, 0.225),
        "first_conv": "patch_embed.proj",
        "classifier": "head",
        "license": "mit",
        "paper_ids": "arXiv:2503.03148",
        "origin_url": "https://github.com/haiduo/PartialNet",
    }


_NAMES = ("t0", "t1", "t2", "s", "m", "l", "t0_2264", "t1_2264", "screen")
default_cfgs = generate_default_cfgs({f"patnet_{name}.untrained": _cfg() for name in _NAMES})


def _create(variant: str, pretrained: bool = False, **kwargs: Any) -> PATNet:
    return build_model_with_cfg(
        PATNet,
        variant,
        pretrained,
        pretrained_filter_fn=_filter,
        feature_cfg={"out_indices": (0, 1, 2, 3), "feature_cls": "getter"},
        **kwargs,
    )


@register_model
def patnet_t0(pretrained: bool = False, **kwargs: Any) -> PATNet:
    """PATNet-T0 as in the authors' file: dim 32, depths 1-2-8-2, no PAT_sp."""
    arguments = {"dim": 32, "depths": (1, 2, 8, 2), "act_layer": nn.GELU, "spatial_attn": False}
    return _create("patnet_t0", pretrained, **{**arguments, **kwargs})


@register_model
def patnet_t1(pretrained: bool = False, **kwargs: Any) -> PATNet:
    """PATNet-T1 as in the authors' file: dim 48, depths 1-2-8-2."""
    arguments = {"dim": 48, "depths": (1, 2, 8, 2), "act_layer": nn.GELU, "drop_path_rate": 0.02}
    return _create("patnet_t1", pretrained, **{**arguments, **kwargs})


@register_model
def patnet_t2(pretrained: bool = False, **kwargs: Any) -> PATNet:
    """PATNet-T2: dim 64, depths 2-2-6-4."""
    arguments = {"dim": 64, "depths": (2, 2, 6, 4), "drop_path_rate": 0.05}
    return _create("patnet_t2", pretrained, **{**arguments, **kwargs})


@register_model
def patnet_s(pretrained: bool = False, **kwargs: Any) -> PATNet:
    """PATNet-S: dim 96, depths 2-2-9-4."""
    arguments = {"dim": 96, "depths": (2, 2, 9, 4), "drop_path_rate": 0.1}
    return _create("patnet_s", pretrained, **{**arguments, **kwargs})


@register_model
def patnet_m(pretrained: bool = False, **kwargs: Any) -> PATNet:
    """PATNet-M: dim 128, depths 2-3-16-4."""
    arguments = {"dim": 128, "depths": (2, 3, 16, 4), "drop_path_rate": 0.2}
    return _create("patnet_m", pretrained, **{**arguments, **kwargs})


@register_model
def patnet_l(pretrained: bool = False, **kwargs: Any) -> PATNet:
    """PATNet-L: dim 160, depths 2-3-20-4."""
    arguments = {"dim": 160, "depths": (2, 3, 20, 4), "drop_path_rate": 0.3}
    return _create("patnet_l", pretrained, **{**arguments, **kwargs})


@register_model
def patnet_t0_2264(pretrained: bool = False, **kwargs: Any) -> PATNet:
    """PATNet-T0 at the paper's size: dim 32, depths 2-2-6-4, with PAT_sp."""
    arguments = {"dim": 32, "depths": (2, 2, 6, 4), "act_layer": nn.GELU}
    return _create("patnet_t0_2264", pretrained, **{**arguments, **kwargs})


@register_model
def patnet_t1_2264(pretrained: bool = False, **kwargs: Any) -> PATNet:
    """PATNet-T1 at the paper's size: dim 48, depths 2-2-6-4."""
    arguments = {"dim": 48, "depths": (2, 2, 6, 4), "act_layer": nn.GELU, "drop_path_rate": 0.02}
    return _create("patnet_t1_2264", pretrained, **{**arguments, **kwargs})


@register_model
def patnet_screen(pretrained: bool = False, **kwargs: Any) -> PATNet:
    """PATNet for dense work on screens: no statistics over the whole map, so that crops and full screens agree."""
    arguments = {
        "dim": 64,
        "depths": (2, 6, 9, 2),
        "n_div": 2,
        "channel_attn": False,
        "last_attn": True,
        "spatial_attn": False,
        "attn_drop": 0.0,
    }
    return _create("patnet_screen", pretrained, **{**arguments, **kwargs})


# The name of the authors' repository; timm says on use which name is current.
register_model_deprecations(
    __name__, {f"partialnet_{name}": f"patnet_{name}" for name in ("t0", "t1", "t2", "s", "m", "l")}
)

"""PATNet: partial convolution on some channels, visual attention on the others (arXiv 2503.03148, AAAI 2026)."""

from collections.abc import Sequence
from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from timm.layers import DropPath, SelectAdaptivePool2d, calculate_drop_path_rates, trunc_normal_
from timm.models import build_model_with_cfg, checkpoint_seq, generate_default_cfgs, register_model
from torch import Tensor, nn

from foveate.backbones.patnet_mixers import PartialMixer, SpatialGate

__all__ = ["PATNet"]


class Block(nn.Module):
    """Partial mixer and a two-layer perceptron; one residual, or two in the stage that attends.

    Args:
        dim: Channels.
        kind: Kind of the mixer.
        two_residuals: Whether mixer and perceptron have a residual each.
        spatial: Whether PAT_sp ends the perceptron.
        drop_path: Rate of dropped branches.
        layer_scale: Start value of a scale a channel; 0 for none.
    """

    def __init__(
        self,
        dim: int,
        kind: str,
        two_residuals: bool,
        n_div: int = 4,
        mlp_ratio: float = 2.0,
        spatial: bool = True,
        heads: int = 4,
        attn_drop: float = 0.1,
        drop_path: float = 0.0,
        layer_scale: float = 0.0,
        act_layer: type[nn.Module] = nn.ReLU,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__()
        dd = {"device": device, "dtype": dtype}
        hidden = int(dim * mlp_ratio)
        self.two_residuals = two_residuals
        self.spatial_mixing = PartialMixer(dim, kind, n_div, heads, attn_drop, **dd)
        layers = [
            nn.Conv2d(dim, hidden, 1, bias=False, **dd),
            nn.BatchNorm2d(hidden, **dd),
            act_layer(),
            nn.Conv2d(hidden, dim, 1, bias=False, **dd),
        ]
        self.mlp = nn.Sequential(*layers, *([SpatialGate(dim, **dd)] if spatial else []))
        self.drop_path = DropPath(drop_path) if drop_path > 0 else nn.Identity()
        self.layer_scale = nn.Parameter(torch.full((dim,), layer_scale, **dd)) if layer_scale > 0 else None

    def forward(self, x: Tensor) -> Tensor:
        """Process (batch, dim, height, width)."""
        mixed = self.spatial_mixing(x)
        if self.two_residuals:
            x = mixed = x + mixed
        branch = self.mlp(mixed)
        if self.layer_scale is not None:
            branch = branch * self.layer_scale[:, None, None]
        return x + self.drop_path(branch)


class Stage(nn.Module):
    """Blocks of one resolution."""

    def __init__(self, blocks: Sequence[nn.Module]) -> None:
        super().__init__()
        self.blocks = nn.Sequential(*blocks)
        self.grad_checkpointing = False

    def forward(self, x: Tensor) -> Tensor:
        """Process (batch, dim, height, width)."""
        if self.grad_checkpointing and not torch.jit.is_scripting():  # type: ignore[attr-defined]
            return checkpoint_seq(self.blocks, x)
        return self.blocks(x)


class PatchEmbed(nn.Module):
    """Cut the picture into patches of 4 by 4 pixels."""

    def __init__(self, in_chans: int, dim: int, device: Any = None, dtype: Any = None) -> None:
        super().__init__()
        self.proj = nn.Conv2d(in_chans, dim, 4, 4, bias=False, device=device, dtype=dtype)
        self.norm = nn.BatchNorm2d(dim, device=device, dtype=dtype)

    def forward(self, x: Tensor) -> Tensor:
        """Embed (batch, in_chans, height, width)."""
        return self.norm(self.proj(x))


class PatchMerging(nn.Module):
    """Halve the resolution and double the channels."""

    def __init__(self, dim: int, device: Any = None, dtype: Any = None) -> None:
        super().__init__()
        self.reduction = nn.Conv2d(dim, 2 * dim, 2, 2, bias=False, device=device, dtype=dtype)
        self.norm = nn.BatchNorm2d(2 * dim, device=device, dtype=dtype)

    def forward(self, x: Tensor) -> Tensor:
        """Merge (batch, dim, height, width)."""
        return self.norm(self.reduction(x))


class PATNet(nn.Module):
    """Partial attention network.

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

    Source: arXiv 2503.03148; the last stage's two residuals follow the authors' code.
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
        act_layer: type[nn.Module] = nn.ReLU,
        head_dim: int = 1280,
        drop_rate: float = 0.0,
        drop_path_rate: float = 0.0,
        layer_scale: float = 0.0,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__()
        dd = {"device": device, "dtype": dtype}
        self.num_classes, self.global_pool, self.drop_rate = num_classes, global_pool, drop_rate
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
        self.head_hidden_size = head_dim
        self.pool = SelectAdaptivePool2d(pool_type=global_pool)
        self.avgpool_pre_head = nn.Sequential(
            nn.Identity(), nn.Conv2d(self.num_features, head_dim, 1, bias=False, **dd), act_layer()
        )
        self.head = nn.Linear(head_dim, num_classes, **dd) if num_classes > 0 else nn.Identity()
        self.apply(_init)

    @torch.jit.ignore
    def group_matcher(self, coarse: bool = False) -> dict[str, Any]:
        """Say which parameters form a layer, for layer-wise learning rates."""
        blocks = (
            r"^stages\.(\d+)" if coarse else [(r"^stages\.(\d+)\.blocks\.(\d+)", None), (r"^stages\.(\d+)\.[rn]", (0,))]
        )
        return {"stem": r"^patch_embed", "blocks": blocks}

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
        if global_pool is not None:
            self.global_pool = global_pool
            self.pool = SelectAdaptivePool2d(pool_type=global_pool)
        weight = next(self.parameters())
        dd: dict[str, Any] = {"device": weight.device, "dtype": weight.dtype}
        self.head = nn.Linear(self.head_hidden_size, num_classes, **dd) if num_classes > 0 else nn.Identity()

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
            norm: Kept for timm's interface; there is no final norm.
            stop_early: Whether to stop after the last stage wanted.
            output_fmt: Only "NCHW".
            intermediates_only: Whether to leave the final features out.

        Raises:
            ValueError: ``output_fmt`` is another one.
        """
        if output_fmt != "NCHW":
            raise ValueError(f"output_fmt must be NCHW, got {output_fmt!r}: permute the result for another order")
        wanted, last = _indices(len(self.feature_info), indices)
        features = []
        x = self.patch_embed(x)
        stages = self.stages[: 2 * last + 1] if stop_early else self.stages
        for number, stage in enumerate(stages):
            x = stage(x)
            if number % 2 == 0 and number // 2 in wanted:
                features.append(x)
        return features if intermediates_only else (x, features)

    def prune_intermediate_layers(
        self, indices: int | list[int] | None = 1, prune_norm: bool = False, prune_head: bool = True
    ) -> list[int]:
        """Drop the stages after the last one wanted, and the head.

        Args:
            indices: Stages that stay of use.
            prune_norm: Kept for timm's interface.
            prune_head: Whether the classifier goes.

        Returns:
            The stages as a list of numbers.
        """
        wanted, last = _indices(len(self.feature_info), indices)
        self.stages = self.stages[: 2 * last + 1]
        if prune_head:
            self.reset_classifier(0, "")
            self.avgpool_pre_head = nn.Sequential(nn.Identity(), nn.Identity(), nn.Identity())
        return wanted

    def forward_features(self, x: Tensor) -> Tensor:
        """Return the last stage's map, (batch, num_features, height / 32, width / 32)."""
        return self.stages(self.patch_embed(x))

    def forward_head(self, x: Tensor, pre_logits: bool = False) -> Tensor:
        """Pool and classify a map.

        Args:
            x: From ``forward_features``.
            pre_logits: Whether to stop before the classifier.
        """
        x = self.avgpool_pre_head(self.pool(x) if self.global_pool else x)
        if not self.global_pool:
            return x
        x = F.dropout(x.flatten(1), self.drop_rate, self.training)
        return x if pre_logits else self.head(x)

    def forward(self, x: Tensor) -> Tensor:
        """Classify pictures, (batch, in_chans, height, width)."""
        return self.forward_head(self.forward_features(x))


def _init(module: nn.Module) -> None:
    """Initialise as the authors do: weights from a narrow normal, no biases."""
    if isinstance(module, nn.Conv2d | nn.Linear):
        trunc_normal_(module.weight, std=0.02)
        if module.bias is not None:
            nn.init.zeros_(module.bias)


def _indices(count: int, indices: int | list[int] | None) -> tuple[list[int], int]:
    """Normalise a choice of stages to sorted-as-given numbers, and the last of them."""
    if indices is None:
        wanted = list(range(count))
    elif isinstance(indices, int):
        wanted = list(range(count - indices, count))
    else:
        wanted = [i % count if -count <= i < count else i for i in indices]
    if any(not 0 <= i < count for i in wanted):
        raise ValueError(f"stages must lie in 0 to {count - 1}, got {indices}")
    return wanted, max(wanted)


def _filter(state: dict[str, Tensor], model: nn.Module) -> dict[str, Tensor]:
    """Take official keys as they are, out of the wrappers they may come in."""
    for wrapper in ("state_dict", "model"):
        state = state.get(wrapper, state)  # type: ignore[assignment]
    return {key.removeprefix("module.").removeprefix("model."): value for key, value in state.items()}


def _cfg(**kwargs: Any) -> dict[str, Any]:
    return {
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
        **kwargs,
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

"""Any CNN of timm as an eye that loses detail away from the fixation, and the choice of an eye."""

import warnings
from collections.abc import Sequence
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import timm
import torch
from torch import Tensor, nn

import foveate.backbones  # noqa: F401 (registers the suite's names with timm)
from foveate.scanpath.eccentricity import EccentricPool2d
from foveate.scanpath.eccnet import (
    EccNet,
    VggEccNet,
    find_vgg16_weights,
    layer_degrees,
    layer_slope,
    plain_or_eccentric,
)

__all__ = ["TimmEccNet", "open_eccnet"]


class TimmEccNet(EccNet):
    """Any CNN of timm, or a backbone of this suite, made eccentric.

    A network whose maps only plain 2x2 pools shrink (VGG's kind) has them swapped for eccentric ones. Any other keeps
    its own layers; between them, maps are averaged over windows that are one pixel in the fovea and grow outside.

    Args:
        model: Name of a timm model, or the model.
        pretrained: Whether to load the weights of a name; random ones are for tests.
        eccentric: Whether windows grow with eccentricity.
        reductions: Which layers are compared; empty for the last three that are at most 16 times smaller.
        trained: Whether the weights of a given model mean something.

    Raises:
        ValueError: The model has no layers of those reductions.
        RuntimeError: A layer answers something else than one map.
    """

    def __init__(
        self,
        model: str | nn.Module,
        *,
        pretrained: bool = True,
        eccentric: bool = True,
        reductions: Sequence[int] = (),
        trained: bool = True,
    ) -> None:
        net: Any = timm.create_model(model, pretrained=pretrained) if isinstance(model, str) else model
        name = model if isinstance(model, str) else type(model).__name__.lower()
        facts = timm.data.resolve_data_config(model=net)
        layers = _last_of_each_reduction(net, name)
        chosen = sorted(reductions) or [r for r in layers if 4 <= r <= 16][-3:]
        missing = [r for r in chosen if r not in layers]
        if missing or not chosen:
            raise ValueError(f"{name} has layers of reductions {sorted(layers)}, asked for {chosen}: choose among them")
        mean, std = ([255 * float(value) for value in facts[key]] for key in ("mean", "std"))
        known = pretrained if isinstance(model, str) else trained
        label = f"{'eccnet' if eccentric else 'plain'}({name})"
        # Networks differ in how they round odd sides; at a multiple of the stride they agree.
        super().__init__(label, known, eccentric, chosen, mean, std, multiple=max(chosen))
        self.net = net
        self.pools = nn.ModuleDict({str(r): plain_or_eccentric(r, eccentric) for r in chosen})
        self._maps: dict[int, Tensor] = {}
        swapped = self._swap_pools() if eccentric else False
        for reduction, (path, width) in layers.items():
            if reduction > max(chosen):
                continue
            blur = self._blur(reduction) if eccentric and not swapped and reduction >= 4 else None
            net.get_submodule(path).register_forward_hook(self._keep(reduction, width, blur))
        self.eval().requires_grad_(False)

    def _swap_pools(self) -> bool:
        """Swap plain pools if nothing else shrinks maps."""
        if any(isinstance(m, nn.Conv2d) and max(m.stride) > 1 for m in self.net.modules()):
            return False
        plain = [path for path, module in self.net.named_modules() if _is_plain_pool(module)]
        for i, path in enumerate(plain):
            self.net.set_submodule(path, plain_or_eccentric(2**i, True))
        return bool(plain)

    @staticmethod
    def _blur(reduction: int) -> EccentricPool2d:
        # Radii are halved for every stride, so at stride 1 the fovea is given twice and the slope half.
        return EccentricPool2d(
            layer_slope(reduction) / 2, layer_degrees(reduction), stride=1, smallest=1, fovea=8.0, ring_width=2.0
        )

    def _keep(self, reduction: int, width: int, blur: EccentricPool2d | None) -> Any:
        def hook(module: nn.Module, inputs: Any, output: Any) -> Any:
            if not isinstance(output, Tensor) or output.ndim != 4:
                raise RuntimeError(f"the layer of reduction {reduction} answers no map: choose a CNN")
            last = output.shape[1] != width and output.shape[3] == width
            maps = output.permute(0, 3, 1, 2) if last else output
            self._maps[reduction] = maps
            if blur is None or reduction == max(self.reductions):
                return None
            height, length = maps.shape[-2:]
            if height != length:
                side = max(height, length)
                top, left = (side - height) // 2, (side - length) // 2
                blurred = blur(maps)[..., top : top + height, left : left + length]
            else:
                blurred = blur(maps)
            return blurred.permute(0, 2, 3, 1) if last else blurred

        return hook

    def _layers(self, prepared: Tensor) -> list[tuple[Tensor, int, nn.Module]]:
        self._maps.clear()
        try:
            self.net.forward_features(prepared)
        except AssertionError as error:  # timm's transformers take one size of picture
            height, width = prepared.shape[-2:]
            reason = str(error).rstrip(".")
            raise RuntimeError(f"{self.name} cannot see {width}x{height} pixels ({reason}): choose a CNN") from None
        maps = dict(self._maps)
        self._maps.clear()
        return [(maps[r], r, self.pools[str(r)]) for r in self.reductions]


def _last_of_each_reduction(net: Any, name: str) -> dict[int, tuple[str, int]]:
    """Return, for each reduction, the path and the channels of the last layer that has it."""
    facts = getattr(net, "feature_info", None)
    if not facts:
        raise ValueError(f"{name} does not say where its maps are (feature_info): take another timm model")
    entries = facts.get_dicts() if hasattr(facts, "get_dicts") else facts
    return {int(entry["reduction"]): (entry["module"], int(entry["num_chs"])) for entry in entries}


def _is_plain_pool(module: nn.Module) -> bool:
    if not isinstance(module, (nn.MaxPool2d, nn.AvgPool2d)):
        return False
    sides = (module.kernel_size, module.stride, module.padding)
    return [s if isinstance(s, int) else s[0] for s in sides] == [2, 2, 0]


def open_eccnet(
    eye: str = "",
    *,
    weights: str | Path | None = None,
    fallback: str = "",
    eccentric: bool = True,
    device: str = "cpu",
) -> EccNet:
    """Open the best network that is here.

    Args:
        eye: Name of a timm model to use; empty for VGG16.
        weights: File of VGG16 weights; None for the one in PyTorch's cache.
        fallback: Name of a timm model to use, with a warning, where there are no VGG16 weights; empty to fail then.
        eccentric: Whether pooling is eccentric.
        device: Where it runs.

    Raises:
        RuntimeError: No eye was named and there are no VGG16 weights, or they cannot be read.
    """
    if eye:
        return TimmEccNet(eye, eccentric=eccentric).to(device)
    path = Path(weights) if weights is not None else find_vgg16_weights()
    if path is not None and path.exists():
        try:
            state = torch.load(path, map_location="cpu", weights_only=True)
        except (RuntimeError, EOFError, UnpicklingError) as error:
            reason = str(error).splitlines()[0] if str(error) else type(error).__name__
            raise RuntimeError(f"cannot read the weights {path} ({reason}): fetch them once more") from error
        caffe = "amdegroot" in path.name
        return VggEccNet(state, eccentric=eccentric, preprocessing="caffe_rgb" if caffe else "torch").to(device)
    if weights is not None:
        raise RuntimeError(f"{weights} does not exist: give a file of torchvision's VGG16 weights")
    missing = (
        "no VGG16 weights are here (vgg16_features-amdegroot-88682ab5.pth or vgg16-397923af.pth in "
        f"{Path(torch.hub.get_dir()) / 'checkpoints'})"
    )
    if not fallback:
        raise RuntimeError(f"{missing}: fetch them once with torchvision, or name a timm model as the eye")
    warnings.warn(f"{missing}: {fallback} looks in their place", stacklevel=2)
    return TimmEccNet(fallback, eccentric=eccentric).to(device)

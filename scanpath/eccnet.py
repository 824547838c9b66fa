"""Networks that compare a target with a scene under an eye's loss of detail away from the fixation: eccNET and kin."""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from foveate.scanpath.eccentricity import EccentricPool2d, Kind, pool_same

__all__ = ["EccNet", "VggEccNet", "find_vgg16_weights", "layer_degrees", "layer_slope", "plain_or_eccentric"]

PIXELS_PER_DEGREE = 30.0
_CONVOLUTIONS = ((0, 2), (5, 7), (10, 12, 14), (17, 19, 21), (24, 26, 28))
_CHANNELS = (64, 128, 256, 512, 512)
# Written by the authors as so many pixels of one degree, times 0.02.
_SLOPES = {1: 0.0, 2: 0.0, 4: 0.07, 8: 0.16, 16: 0.32}
_VGG_FILES = {"vgg16_features-amdegroot-*.pth": "caffe", "vgg16-*.pth": "torch"}


def layer_slope(reduction: int) -> float:
    """Return how fast windows grow in a layer whose input is ``reduction`` times smaller than the picture."""
    return _SLOPES.get(reduction, 0.02 * reduction)


def layer_degrees(reduction: int) -> int:
    """Return pixels per degree of a layer's input, rounded half to even; at least 1."""
    return max(1, round(PIXELS_PER_DEGREE / reduction))


class _PlainPool2d(nn.Module):
    """Pooling 2x2, the same everywhere."""

    def __init__(self, kind: Kind) -> None:
        super().__init__()
        self.kind = kind

    def forward(self, maps: Tensor) -> Tensor:
        return pool_same(maps, 2, 2, self.kind)


def plain_or_eccentric(reduction: int, eccentric: bool) -> nn.Module:
    """Make the pooling that halves a map ``reduction`` times smaller than the picture.

    Args:
        reduction: 1, 2, 4, ...
        eccentric: Whether it averages over windows that grow with eccentricity, or takes the maximum of 2x2 pixels.
    """
    if eccentric:
        return EccentricPool2d(layer_slope(reduction), layer_degrees(reduction), "avg")
    return _PlainPool2d("max")


class EccNet(nn.Module):
    """What all of them share: maps of a scene at one stride, and of a target at twice that stride.

    Args:
        name: What to call it.
        trained: False when its weights are random.
        eccentric: Whether windows grow with eccentricity.
        reductions: Of the compared layers: how many times smaller than the picture their maps are.
        mean: Taken off red, green and blue, 0 to 255.
        std: They are then divided by it.
        reversed_channels: Whether the network takes blue first.
        multiple: Half the side of a field of view is made a multiple of this, pixels.

    Source:
        Gupta et al. (NeurIPS 2021). Each layer is compared before its own pooling, so only the poolings below it
        make it eccentric; targets go through the layer's own pooling too.
    """

    def __init__(
        self,
        name: str,
        trained: bool,
        eccentric: bool,
        reductions: Sequence[int],
        mean: Sequence[float],
        std: Sequence[float],
        reversed_channels: bool = False,
        multiple: int = 1,
    ) -> None:
        super().__init__()
        self.name, self.trained, self.eccentric = name, trained, eccentric
        self.kind: Kind = "avg" if eccentric else "max"
        self.reductions, self.multiple = tuple(reductions), multiple
        self._reversed = reversed_channels
        self._mean: Tensor
        self._std: Tensor
        self.register_buffer("_mean", torch.tensor(mean).view(1, 3, 1, 1).float(), persistent=False)
        self.register_buffer("_std", torch.tensor(std).view(1, 3, 1, 1).float(), persistent=False)

    def prepare(self, pictures: Tensor) -> Tensor:
        """Bring RGB pictures (batch, 3, height, width), 0 to 255, to the network's device, scale and channel order."""
        scaled = (pictures.to(self._mean.device).float() - self._mean) / self._std
        return scaled.flip(1) if self._reversed else scaled

    def stimulus_maps(self, prepared: Tensor) -> list[Tensor]:
        """Return a map for each compared layer, all (batch, channels, height / stride, width / stride)."""
        return [self._shrink(maps, reduction) for maps, reduction, _ in self._layers(prepared)]

    def target_maps(self, prepared: Tensor) -> list[Tensor]:
        """Return a map for each compared layer, pooled once more than those of a scene."""
        return [self._shrink(pool(maps), reduction) for maps, reduction, pool in self._layers(prepared)]

    def _layers(self, prepared: Tensor) -> list[tuple[Tensor, int, nn.Module]]:
        """Return the compared maps, how much smaller than the picture they are, and the pooling that follows each."""
        raise NotImplementedError

    def _shrink(self, maps: Tensor, reduction: int) -> Tensor:
        for _ in range(round(math.log2(max(self.reductions) / reduction))):
            maps = pool_same(maps, 2, 2, self.kind)
        return maps


class VggEccNet(EccNet):
    """VGG16's convolutions with eccentric pooling (eccNET), or without (IVSN).

    Args:
        state: Weights under torchvision's names, ``features.N.weight``; None for random ones, which are for tests.
        eccentric: Whether pooling is eccentric and by average; otherwise it is plain and takes the maximum.
        layers: Which of the third, fourth and fifth block are compared.
        preprocessing: "caffe" for weights of the VGG authors (0 to 255, blue first), "caffe_rgb" for the same with
            red first as torchvision keeps them, "torch" for weights trained by torchvision.
        name: What to call it; empty for a name made of the settings.

    Raises:
        ValueError: A layer is unknown, or weights are missing or of other shapes.
    """

    def __init__(
        self,
        state: Mapping[str, Tensor] | None = None,
        *,
        eccentric: bool = True,
        layers: Sequence[int] = (3, 4, 5),
        preprocessing: Literal["caffe", "caffe_rgb", "torch"] = "caffe",
        name: str = "",
    ) -> None:
        if not layers or not set(layers) <= {3, 4, 5}:
            raise ValueError(f"layers must be some of 3, 4 and 5, got {tuple(layers)}")
        caffe = preprocessing != "torch"
        mean = (123.68, 116.779, 103.939) if caffe else (123.675, 116.28, 103.53)
        super().__init__(
            name or ("eccnet" if eccentric else "vgg16") + "_" + "".join(str(layer) for layer in sorted(layers)),
            state is not None,
            eccentric,
            [2 ** (layer - 1) for layer in sorted(layers)],
            mean,
            (1.0, 1.0, 1.0) if caffe else (58.395, 57.12, 57.375),
            preprocessing == "caffe",
        )
        self.features = nn.ModuleDict()
        channels = 3
        for numbers, width in zip(_CONVOLUTIONS, _CHANNELS, strict=True):
            for number in numbers:
                self.features[str(number)] = nn.Conv2d(channels, width, 3, padding=1)
                channels = width
        self.pools = nn.ModuleList(plain_or_eccentric(2**block, eccentric) for block in range(5))
        if state is not None:
            self._load(state)
        self.eval().requires_grad_(False)

    def _load(self, state: Mapping[str, Tensor]) -> None:
        own = self.state_dict()
        wrong = [key for key, value in own.items() if key not in state or state[key].shape != value.shape]
        if wrong:
            raise ValueError(f"the weights lack {wrong[0]} in its shape: give those of torchvision's vgg16")
        self.load_state_dict({key: state[key] for key in own})

    def _layers(self, prepared: Tensor) -> list[tuple[Tensor, int, nn.Module]]:
        found, maps = [], prepared
        for block, numbers in enumerate(_CONVOLUTIONS):
            for number in numbers:
                maps = F.relu(self.features[str(number)](maps))
            reduction = 2**block
            if reduction in self.reductions and reduction >= 4:
                found.append((maps, reduction, self.pools[block]))
            if reduction == max(self.reductions):
                break
            maps = self.pools[block](maps)
        return found


def find_vgg16_weights(folder: str | Path | None = None) -> Path | None:
    """Look for VGG16 weights that torchvision has fetched before.

    Args:
        folder: Where to look; None for PyTorch's own cache.

    Returns:
        The file, the VGG authors' own weights first; None where there is none.
    """
    place = Path(folder) if folder is not None else Path(torch.hub.get_dir()) / "checkpoints"
    for pattern in _VGG_FILES:
        for path in sorted(place.glob(pattern)):
            return path
    return None

"""What says where a target may be: a network's features, plain pixels, or chance."""

import math
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from foveate.scanpath.eccnet import EccNet
from foveate.scanpath.modulation import correlate, enlarge_by_area, gaussian_blur, merge_layers, sharpen
from foveate.scanpath.search import Attend, SearchSettings, Trial

__all__ = ["ChanceSearch", "NetworkSearch", "PixelSearch"]

_SMOOTH = 80


class NetworkSearch:
    """A network sees the scene from the fixation and compares it with the target (eccNET, IVSN).

    Args:
        network: Gives maps of scenes and targets.
        device: Where it runs; empty for where it is.

    Source:
        Gupta et al. (NeurIPS 2021), published search loop.
    """

    def __init__(self, network: EccNet, device: str = "") -> None:
        self.network = network.to(device) if device else network
        self.name, self.trained = network.name, network.trained

    def begin(self, trials: Sequence[Trial], settings: SearchSettings, seed: int) -> Attend:
        """See the targets; each then meets the scene at every fixation."""
        pictures = np.stack([trial.target for trial in trials])
        distinct, which = np.unique(pictures, axis=0, return_inverse=True)
        with torch.inference_mode():
            targets = self.network.target_maps(self.network.prepare(_channels_first(distinct)))
        which = which.reshape(-1)

        def attend(numbers: Sequence[int], fixations: np.ndarray, scenes: np.ndarray) -> np.ndarray:
            chosen = which[list(numbers)]
            return self.attend([maps[chosen] for maps in targets], fixations, scenes, settings)

        return attend

    def attend(
        self, targets: Sequence[Tensor], fixations: np.ndarray, scenes: np.ndarray, settings: SearchSettings
    ) -> np.ndarray:
        """Work out attention over scenes, each seen from a fixation.

        Args:
            targets: Maps of the targets, for each layer (batch, channels, rows, columns).
            fixations: (batch, 2): row and column, pixels of the scene.
            scenes: (batch, height, width, 3) uint8.
            settings: Numbers of the search.

        Returns:
            (batch, height, width), 0 or more; 0 at the field's lowest.
        """
        height, width = scenes.shape[1:3]
        reach = max(height, width) + settings.rim
        half = math.ceil(reach / self.network.multiple) * self.network.multiple
        fields = np.full((len(scenes), 2 * half, 2 * half, 3), settings.background, np.uint8)
        for field, scene, (row, column) in zip(fields, scenes, fixations, strict=True):
            field[half - row : half - row + height, half - column : half - column + width] = scene
        places = zip(self.field_attention(targets, fields, settings), fixations.tolist(), strict=True)
        seen = [m[half - r : half - r + height, half - c : half - c + width] for m, (r, c) in places]
        return torch.stack(seen).cpu().numpy()

    def field_attention(self, targets: Sequence[Tensor], fields: np.ndarray, settings: SearchSettings) -> Tensor:
        """Work out attention over whole fields of view.

        Args:
            targets: Maps of the targets, for each layer (batch, channels, rows, columns).
            fields: (batch, side, side, 3) uint8, the fixation in the middle.
            settings: Numbers of the search.

        Returns:
            (batch, side, side), 0 or more.
        """
        with torch.inference_mode():
            seen = self.network.stimulus_maps(self.network.prepare(_channels_first(fields)))
            responses = [correlate(maps, kernels) for maps, kernels in zip(seen, targets, strict=True)]
            merged = sharpen(merge_layers(responses, settings.weighting), settings.contrast)
            merged = enlarge_by_area(merged, *fields.shape[1:3])
            return merged - merged.amin((1, 2), keepdim=True)


class PixelSearch:
    """The target's pixels are laid over the scene; what is seen does not depend on the fixation.

    Source:
        Gupta et al. (NeurIPS 2021): correlation of pixels without their mean colours, blurred 7x7 with deviation 3.
    """

    name = "pixel match"
    trained = True

    def begin(self, trials: Sequence[Trial], settings: SearchSettings, seed: int) -> Attend:
        """Correlate each scene with its target."""
        found = [_pixel_response(trial.scene, trial.target) for trial in trials]

        def attend(numbers: Sequence[int], fixations: np.ndarray, scenes: np.ndarray) -> np.ndarray:
            return np.stack([found[i] for i in numbers])

        return attend


class ChanceSearch:
    """Any place is as good as another.

    Args:
        forgets: Whether it looks again where it looked. The published one seems to: the share of targets that it finds
            in its tables is that of places drawn anew each time.
    """

    name = "chance"
    trained = True

    def __init__(self, forgets: bool = True) -> None:
        self.forgets = forgets

    def begin(self, trials: Sequence[Trial], settings: SearchSettings, seed: int) -> Attend:
        """Start the random numbers."""
        random = np.random.default_rng(seed)

        def attend(numbers: Sequence[int], fixations: np.ndarray, scenes: np.ndarray) -> np.ndarray:
            # Above 0, so that the highest is never a place that was looked at.
            return 1 - random.random(scenes.shape[:3], dtype=np.float32)

        return attend


def _channels_first(pictures: np.ndarray) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(pictures)).permute(0, 3, 1, 2)


def _pixel_response(scene: np.ndarray, target: np.ndarray) -> np.ndarray:
    """Correlate by Fourier transforms, since targets are large."""
    mean = np.array([123.68, 116.779, 103.939])
    picture, kernel = (torch.from_numpy(p - mean).permute(2, 0, 1) for p in (scene, target))
    height, width = scene.shape[:2]
    rows, columns = target.shape[:2]
    # Transforms of lengths with small factors are several times faster than of any others.
    whole = [math.ceil((a + b - 1) / _SMOOTH) * _SMOOTH for a, b in ((height, rows), (width, columns))]
    product = torch.fft.rfft2(picture, whole) * torch.fft.rfft2(kernel, whole).conj()
    response = torch.fft.irfft2(product.sum(0), whole)
    top, left = (rows - 1) // 2, (columns - 1) // 2
    response = response.roll((top, left), (0, 1))[:height, :width]
    blurred = gaussian_blur(response[None], 7, 3.0)[0]
    return (blurred - blurred.min()).float().numpy()

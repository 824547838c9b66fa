"""Free viewing as it was learned from people: where a small readout of the eye's backbone expects looks, and a walk.

The map is log P(place | picture): features of a backbone, two 1x1 convolutions, a blur and a Gaussian of the middle
(as DeepGaze II has them; Kümmerer, Wallis, Gatys and Bethge, ICCV 2017). The
walk takes the highest place again and again (winner take all), with what people's saccades and first looks add to the
map, and with inhibition of return that fades.
"""

import json
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import timm
import torch
import torch.nn.functional as F
from PIL import Image
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from foveate.errors import counted
from foveate.scanpath import EYE
from foveate.scanpath.fixations import Scanpath, Size

__all__ = [
    "BACKBONE",
    "GazeStatistics",
    "Priority",
    "Readout",
    "Walk",
    "load_backbone",
    "load_priority",
    "map_grid",
    "picture_features",
    "save_priority",
    "take_walk",
]

BACKBONE = EYE
WEIGHTS = Path(__file__).parent / "weights" / "priority.safetensors"
# The backbone's four stages (its stem is left out), their channels, and those between the readout's two convolutions.
_LEVELS, _CHANNELS, _HIDDEN = (1, 2, 3, 4), (64, 128, 224, 320), 16
# Pixels that the backbone sees, of a picture of any shape up to 4:1, and sides of its coarsest cells and of the map's.
_AREA, _MOST_ASPECT, _STRIDE, _CELL = 512 * 384, 4.0, 32, 12.8


class Readout(nn.Module):
    """Turn features into log P(place | picture).

    Args:
        channels: Of each level of features.
        hidden: Channels between the two convolutions.
        dropout: Share of feature channels left out in training.
    """

    def __init__(self, channels: Sequence[int] = _CHANNELS, hidden: int = _HIDDEN, dropout: float = 0.3) -> None:
        super().__init__()
        self.normalize = nn.ModuleList(nn.BatchNorm2d(c, affine=False, momentum=None) for c in channels)
        self.project = nn.ModuleList(nn.Conv2d(c, hidden, 1, bias=False) for c in channels)
        self.bias = nn.Parameter(torch.zeros(hidden))
        self.combine = nn.Conv2d(hidden, 1, 1, bias=False)
        self.dropout = nn.Dropout2d(dropout)
        # Fractions of the picture: x, y, and the logarithms of the standard deviations.
        self.centre = nn.Parameter(torch.tensor([0.5, 0.5, math.log(0.2), math.log(0.2)]))
        # Sigma of the blur, cells.
        self.blur = nn.Parameter(torch.tensor(1.0))

    def forward(self, features: Sequence[Tensor], grid: tuple[int, int]) -> Tensor:
        """Return log probabilities.

        Args:
            features: Levels (batch, channels, height, width).
            grid: Rows and columns of the map.

        Returns:
            (batch, rows, columns); the exponentials of each map sum to 1.
        """
        levels = zip(features, self.normalize, self.project, strict=True)
        # A 1x1 convolution and an interpolation may change places, and few channels are cheaper to interpolate.
        parts = [
            F.interpolate(project(self.dropout(normalize(level))), grid, mode="bilinear", align_corners=False)
            for level, normalize, project in levels
        ]
        hidden = F.softplus(torch.stack(parts).sum(0) + self.bias.view(1, -1, 1, 1))
        logits = self._blurred(self.combine(hidden))[:, 0] + self.log_centre(grid)
        return F.log_softmax(logits.flatten(1), 1).view_as(logits)

    def log_centre(self, grid: tuple[int, int]) -> Tensor:
        """Return the Gaussian of the middle (rows, columns), a logarithm up to a constant."""
        rows, columns = grid
        x = (torch.arange(columns, device=self.centre.device) + 0.5) / columns
        y = (torch.arange(rows, device=self.centre.device) + 0.5) / rows
        x, y = (x - self.centre[0]) / self.centre[2].exp(), (y - self.centre[1]) / self.centre[3].exp()
        return -(x**2 + y[:, None] ** 2) / 2

    def _blurred(self, maps: Tensor) -> Tensor:
        """Blur maps (batch, 1, rows, columns); the border is repeated."""
        kernel = torch.exp(-((torch.arange(-4, 5, device=maps.device) / self.blur) ** 2) / 2)
        kernel = kernel / kernel.sum()
        maps = F.conv2d(F.pad(maps, (4, 4, 0, 0), mode="replicate"), kernel.view(1, 1, 1, -1))
        return F.conv2d(F.pad(maps, (0, 0, 4, 4), mode="replicate"), kernel.view(1, 1, -1, 1))


@dataclass(frozen=True, eq=False)
class GazeStatistics:
    """What people do whatever the picture.

    Args:
        saccade: (bins,) log of how much more often saccades of a length are than two independent looks at one picture
            so far apart; bins of equal width from 0 to the diagonal.
        first: (2, 2) mean and standard deviation of first fixations, x and y, fractions of the picture.
        every: (2, 2) the same of all fixations.
        duration: (ordinals,) mean seconds of the first, second ... fixation; the last holds for later ones too.
        log_duration_sd: Standard deviation of the logarithms of durations.
    """

    saccade: np.ndarray
    first: np.ndarray
    every: np.ndarray
    duration: np.ndarray
    log_duration_sd: float


@dataclass(frozen=True)
class Walk:
    """How a map becomes a path.

    Args:
        inhibition: Sigma of what is not looked at again, fraction of the picture's diagonal.
        recovery: Share of the inhibition (a logarithm) that is forgotten with each fixation, 0 to 1.
        saccade_weight: Of the lengths of people's saccades, beside the map's 1.
        first_weight: Of where people look first, for the first fixation.
    """

    inhibition: float = 0.03
    recovery: float = 0.2
    saccade_weight: float = 0.0
    first_weight: float = 1.0


class Priority:
    """The learned default for free viewing.

    Args:
        readout: Turns features into a map.
        statistics: What people do whatever the picture.
        walk: How a map becomes a path.
        trained: False when the readout's weights are random.
        temperature: 0 takes the highest place and mean durations, whatever the seed. 1 draws places from the map, and
            durations as they vary between people; in between, paths vary less.
        device: Where backbone and readout run.

    Raises:
        ValueError: The temperature is below 0.
        RuntimeError: The backbone's weights are not here.
    """

    name = "priority"
    #: Data sets whose people taught it.
    trained_on = ("osie",)

    def __init__(
        self,
        readout: Readout,
        statistics: GazeStatistics,
        walk: Walk,
        *,
        trained: bool = True,
        temperature: float = 0.0,
        device: str = "cpu",
    ) -> None:
        if not (math.isfinite(temperature) and temperature >= 0):
            raise ValueError(f"temperature must be 0 or more, got {temperature}")
        self.backbone = load_backbone(device)
        self.readout = readout.to(device).eval().requires_grad_(False)
        self.statistics, self.walk, self.trained, self.temperature = statistics, walk, trained, temperature

    def log_priority(self, image: Image.Image) -> np.ndarray:
        """Return log P(place | picture), (rows, columns) over the whole picture; the exponentials sum to 1."""
        with torch.inference_mode():
            features = picture_features(self.backbone, image)
            return self.readout(features, map_grid(image.size))[0].double().cpu().numpy()

    def density(self, image: Image.Image) -> np.ndarray:
        """Return P(place | picture), (rows, columns) over the whole picture; see ``gaze_maps.priority_map``."""
        return np.exp(self.log_priority(image))

    def __call__(self, image: Image.Image, *, count: int = 10, task: str = "", seed: int = 0) -> Scanpath:
        """Look at a picture.

        Args:
            image: Of any size and aspect.
            count: Fixations, at least 1.
            task: Noted in the path; the model knows free viewing only.
            seed: Of the random numbers, which a temperature of 0 does not use.

        Returns:
            The path in pixels of the picture, with durations in seconds.

        Raises:
            ValueError: ``count`` is below 1.
        """
        if count < 1:
            raise ValueError(f"count must be at least 1 fixation, got {count}")
        random = np.random.default_rng(seed)
        places = take_walk(
            self.log_priority(image), image.size, self.statistics, self.walk, count, self.temperature, random
        )
        ordinals = np.minimum(np.arange(count), len(self.statistics.duration) - 1)
        spread = self.temperature * self.statistics.log_duration_sd
        # A log-normal's mean lies above its median: taking that back leaves the mean as it is at any temperature.
        noise = np.exp(spread * random.standard_normal(count) - spread**2 / 2)
        x, y = (places * image.size).T
        return Scanpath(
            x,
            y,
            image.size,
            self.statistics.duration[ordinals] * noise,
            task=task,
            observer=self.name,
            trained=self.trained,
        )

    def batch(
        self,
        images: Sequence[Image.Image],
        *,
        count: int = 10,
        tasks: Sequence[str] | None = None,
        seed: int = 0,
    ) -> list[Scanpath]:
        """Look at pictures, one after the other: each path is the one that its picture has alone.

        Args:
            images: Of any sizes.
            count: Fixations of each path.
            tasks: One for each picture, noted in the paths.
            seed: Of the random numbers of each path.

        Raises:
            ValueError: ``count`` is below 1, or there are not as many tasks as pictures.
        """
        words = [""] * len(images) if tasks is None else list(tasks)
        if len(words) != len(images):
            raise ValueError(f"every picture needs one task, got {len(words)} for {counted(len(images), 'picture')}")
        pairs = zip(images, words, strict=True)
        return [self(image, count=count, task=task, seed=seed) for image, task in pairs]


def take_walk(
    log_priority: np.ndarray,
    size: Size,
    statistics: GazeStatistics,
    walk: Walk,
    count: int,
    temperature: float = 0.0,
    random: np.random.Generator | None = None,
) -> np.ndarray:
    """Go from place to place.

    Args:
        log_priority: (rows, columns) log P(place | picture).
        size: Width and height of the picture, pixels: distances are those of the picture.
        statistics: What people do whatever the picture.
        walk: Weights of all that.
        count: Fixations.
        temperature: Of Gumbel noise on the logarithms; with it the highest place is a draw from their softmax.
        random: Source of the noise; needed above a temperature of 0.

    Returns:
        (count, 2) x, y, fractions of the picture: middles of cells.
    """
    rows, columns = log_priority.shape
    y, x = np.meshgrid((np.arange(rows) + 0.5) / rows, (np.arange(columns) + 0.5) / columns, indexing="ij")
    # In diagonals of the picture.
    across, down = np.array(size) / math.hypot(*size)
    lengths = (np.arange(len(statistics.saccade)) + 0.5) / len(statistics.saccade)
    bias = walk.first_weight * (_log_gaussian(x, y, statistics.first) - _log_gaussian(x, y, statistics.every))
    inhibited = np.zeros_like(log_priority)
    places = np.empty((count, 2))
    for i in range(count):
        total = log_priority + bias + inhibited
        if temperature > 0:
            if random is None:
                raise ValueError("a temperature above 0 needs a source of random numbers")
            total = total + temperature * random.gumbel(size=total.shape)
        cell = np.unravel_index(int(total.argmax()), total.shape)
        places[i] = x[cell], y[cell]
        distance = np.hypot((x - x[cell]) * across, (y - y[cell]) * down)
        bias = walk.saccade_weight * np.interp(distance, lengths, statistics.saccade)
        # The place itself would be forbidden for good, and recovery never begin, if its logarithm had no floor.
        hole = np.log(1 - np.exp(-((distance / walk.inhibition) ** 2) / 2) + 1e-6)
        inhibited = (1 - walk.recovery) * inhibited + hole
    return places


def picture_features(backbone: Any, image: Image.Image) -> list[Tensor]:
    """Look at a whole picture with the backbone.

    Args:
        backbone: What ``load_backbone`` returned.
        image: Of any size and aspect; beyond 4:1 it is squeezed.

    Returns:
        Levels (1, channels, height, width), none finer than the map.
    """
    width, height = _input_size(image.size)
    resized = np.array(image.convert("RGB").resize((width, height), Image.Resampling.BICUBIC))
    device = next(backbone.parameters()).device
    mean, std = (torch.tensor(backbone.pretrained_cfg[key]).view(3, 1, 1) for key in ("mean", "std"))
    pixels = (torch.from_numpy(resized).permute(2, 0, 1) / 255 - mean) / std
    rows, columns = map_grid(image.size)
    levels = backbone.forward_intermediates(pixels[None].to(device), indices=_LEVELS, intermediates_only=True)
    return [F.adaptive_avg_pool2d(f, (min(f.shape[2], rows), min(f.shape[3], columns))) for f in levels]


def map_grid(size: Size) -> tuple[int, int]:
    """Return rows and columns of the map of a picture: 30 and 40 for 4:3."""
    width, height = _input_size(size)
    return round(height / _CELL), round(width / _CELL)


def load_backbone(device: str = "cpu") -> Any:
    """Open the backbone, whose weights come with the package (research only)."""
    import foveate.backbones  # noqa: F401 (registers the name)

    return timm.create_model(BACKBONE, pretrained=True, num_classes=0).to(device).eval().requires_grad_(False)


def load_priority(path: str | Path = WEIGHTS, *, temperature: float = 0.0, device: str = "cpu") -> Priority:
    """Open the trained model.

    Args:
        path: File of weights; by default the one that comes with the package.
        temperature: See ``Priority``.
        device: cpu, cuda, ...

    Raises:
        RuntimeError: The file is missing, damaged, or of another model.
    """
    try:
        with safe_open(str(path), "pt") as file:
            facts = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (not a dict)
        numbers = {
            name.removeprefix("gaze."): tensors.pop(name).numpy() for name in list(tensors) if name.startswith("gaze.")
        }
        statistics = GazeStatistics(**{**numbers, "log_duration_sd": float(numbers["log_duration_sd"])})
        walk = Walk(**json.loads(facts["walk"]))
        readout = Readout()
        readout.load_state_dict(tensors)
    except (OSError, SafetensorError) as error:
        raise RuntimeError(f"{path} cannot be read as weights ({error}): install the package anew") from None
    except (KeyError, TypeError, ValueError, RuntimeError):
        raise RuntimeError(f"{path} holds the weights of another model: give what save_priority wrote") from None
    return Priority(readout, statistics, walk, temperature=temperature, device=device)


def save_priority(
    path: str | Path, readout: Readout, statistics: GazeStatistics, walk: Walk, facts: dict[str, str]
) -> None:
    """Write a model.

    Args:
        path: File, replaced where it exists.
        readout: Turns features into a map; the backbone is not written.
        statistics: What people do whatever the picture.
        walk: How a map becomes a path.
        facts: Where it comes from: text that is kept in the file's header.
    """
    gaze = {f"gaze.{name}": torch.tensor(value, dtype=torch.float64) for name, value in vars(statistics).items()}
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    state = {name: tensor.contiguous() for name, tensor in readout.state_dict().items()}
    save_file({**state, **gaze}, str(path), {**facts, "backbone": BACKBONE, "walk": json.dumps(asdict(walk))})


def _input_size(size: Size) -> Size:
    """Return width and height for the backbone: the picture's aspect, one area, multiples of its coarsest cell."""
    aspect = min(max(size[0] / size[1], 1 / _MOST_ASPECT), _MOST_ASPECT)
    width, height = math.sqrt(_AREA * aspect), math.sqrt(_AREA / aspect)
    return _STRIDE * round(width / _STRIDE), _STRIDE * round(height / _STRIDE)


def _log_gaussian(x: np.ndarray, y: np.ndarray, moments: np.ndarray) -> np.ndarray:
    """Return a logarithm up to a constant; ``moments`` (2, 2) are means and standard deviations of x and y."""
    mean, sd = moments
    return -(((x - mean[0]) / sd[0]) ** 2 + ((y - mean[1]) / sd[1]) ** 2) / 2

"""What every model has to beat: chance, the middle of the picture, and saliency without learning."""

import math
from collections.abc import Callable

import numpy as np
from PIL import Image

from foveate.scanpath.fixations import Scanpath, Size

__all__ = ["BASELINES", "Centre", "Saliency", "Uniform", "draw_durations", "spectral_residual"]

# Of all fixations of 15 observers on 350 pictures of OSIE: means and standard deviations, fractions of the picture.
CENTRE_MEAN, CENTRE_SD = (0.503, 0.474), (0.212, 0.198)
# Of the logarithm of their durations in seconds: the median is 0.185 s.
LOG_DURATION_MEAN, LOG_DURATION_SD = -1.687, 0.563
# Sigma of what is not looked at again, fraction of the picture's diagonal: 60 pixels of 800 x 600.
INHIBITION = 0.06
# Longer side of the map of saliency, cells.
_CELLS = 64


class Uniform:
    """Any place is as good as another."""

    name = "uniform"
    trained = True

    def __call__(self, image: Image.Image, *, count: int = 10, task: str = "", seed: int = 0) -> Scanpath:
        """Draw places over the whole picture; ``task`` is not read."""
        random = np.random.default_rng(seed)
        return _scanpath(random.random((_check(count), 2)), image.size, random, task, self.name)

    def density(self, image: Image.Image) -> np.ndarray:
        """Return the same everywhere, (1, 1)."""
        return np.ones((1, 1))


class Centre:
    """Places from a Gaussian in the middle, with the mean and the spread of people (OSIE)."""

    name = "centre"
    trained = True

    def __call__(self, image: Image.Image, *, count: int = 10, task: str = "", seed: int = 0) -> Scanpath:
        """Draw places, those outside the picture anew; ``task`` is not read."""
        random = np.random.default_rng(seed)
        places = random.normal(CENTRE_MEAN, CENTRE_SD, (_check(count), 2))
        while (outside := ((places < 0) | (places >= 1)).any(1)).any():
            places[outside] = random.normal(CENTRE_MEAN, CENTRE_SD, (int(outside.sum()), 2))
        return _scanpath(places, image.size, random, task, self.name)

    def density(self, image: Image.Image) -> np.ndarray:
        """Return the Gaussian, cut off at the edges, (rows, columns) over the whole picture; the sum is 1."""
        values = _middle(*_cells(image.size))
        result: np.ndarray = values / values.sum()
        return result


class Saliency:
    """Spectral residual: the eye goes where the picture surprises most, and not back.

    Args:
        centred: Whether to multiply saliency by the Gaussian of ``Centre``.
    """

    trained = True

    def __init__(self, centred: bool = False) -> None:
        self.centred = centred
        self.name = "saliency-centre" if centred else "spectral"

    def saliency(self, image: Image.Image) -> np.ndarray:
        """Return the map, (rows, columns) over the whole picture, 0 or more; which is no density."""
        found = spectral_residual(image)
        return found * _middle(*found.shape) if self.centred else found

    def __call__(self, image: Image.Image, *, count: int = 10, task: str = "", seed: int = 0) -> Scanpath:
        """Take the highest place again and again; ``seed`` draws the durations only and ``task`` is not read."""
        priority = self.saliency(image)
        rows, columns = priority.shape
        y, x = (np.arange(rows) + 0.5) / rows, (np.arange(columns) + 0.5) / columns
        # Distances are those of the picture: cells need not be square.
        width, height = image.size
        sigma = INHIBITION * math.hypot(width, height)
        places = []
        for _ in range(_check(count)):
            row, column = np.unravel_index(int(priority.argmax()), priority.shape)
            places.append((x[column], y[row]))
            square = ((x - x[column]) * width) ** 2 + (((y - y[row]) * height) ** 2)[:, None]
            priority = priority * (1 - np.exp(-square / (2 * sigma**2)))
        return _scanpath(np.array(places), image.size, np.random.default_rng(seed), task, self.name)


#: Names of the baselines to what makes them.
BASELINES: dict[str, Callable[[], Uniform | Centre | Saliency]] = {
    "uniform": Uniform,
    "centre": Centre,
    "spectral": Saliency,
    "saliency-centre": lambda: Saliency(centred=True),
}


def spectral_residual(image: Image.Image) -> np.ndarray:
    """Work out saliency from the amplitudes of a picture that are not as its neighbouring frequencies foretell.

    Args:
        image: Any size.

    Returns:
        (rows, columns), 0 or more; the longer side is 64.

    Source:
        Hou and Zhang, "Saliency detection: a spectral residual approach" (CVPR 2007): log amplitude less its 3x3 mean,
        the square of the inverse transform, blurred with sigma 2.5 cells. Deviation: 1 is added to amplitudes, which
        are hundreds in photographs.
    """
    rows, columns = _cells(image.size)
    grey = np.asarray(image.convert("L").resize((columns, rows), Image.Resampling.BILINEAR), dtype=np.float64)
    spectrum = np.fft.fft2(grey)
    # Drawings have frequencies without any amplitude; they would stand out if their logarithms fell without end.
    logarithm = np.log1p(np.abs(spectrum))
    residual = logarithm - _filter(logarithm, np.ones(3) / 3)
    surprise = np.abs(np.fft.ifft2(np.exp(residual + 1j * np.angle(spectrum)))) ** 2
    offsets = np.arange(-10, 11)
    kernel = np.exp(-((offsets / 2.5) ** 2) / 2)
    return _filter(surprise, kernel / kernel.sum())


def draw_durations(count: int, random: np.random.Generator) -> np.ndarray:
    """Draw durations as people have them: log-normal, with a median of 0.185 s.

    Args:
        count: How many.
        random: Source of random numbers.

    Returns:
        (count,) seconds, between 0.02 and 2.
    """
    return np.clip(random.lognormal(LOG_DURATION_MEAN, LOG_DURATION_SD, count), 0.02, 2.0)


def _cells(size: Size) -> tuple[int, int]:
    """Return rows and columns of a map over a picture."""
    shrink = _CELLS / max(size)
    return max(4, round(size[1] * shrink)), max(4, round(size[0] * shrink))


def _middle(rows: int, columns: int) -> np.ndarray:
    """Return the Gaussian of ``Centre`` at the middles of cells, (rows, columns); 1 at its peak."""
    y, x = (np.arange(rows) + 0.5) / rows, (np.arange(columns) + 0.5) / columns
    across, down = (
        np.exp(-(((axis - mean) / sd) ** 2) / 2) for axis, mean, sd in zip((x, y), CENTRE_MEAN, CENTRE_SD, strict=True)
    )
    result: np.ndarray = down[:, None] * across
    return result


def _check(count: int) -> int:
    if count < 1:
        raise ValueError(f"count must be at least 1 fixation, got {count}")
    return count


def _scanpath(places: np.ndarray, size: Size, random: np.random.Generator, task: str, name: str) -> Scanpath:
    """Turn fractions of the picture (count, 2) into pixels, and add durations."""
    x, y = (places * size).T
    return Scanpath(x, y, size, draw_durations(len(places), random), task=task, observer=name)


def _filter(values: np.ndarray, kernel: np.ndarray) -> np.ndarray:
    """Filter rows, then columns; the border is mirrored."""
    half = len(kernel) // 2
    for axis in (0, 1):
        pad = [(half, half) if i == axis else (0, 0) for i in (0, 1)]
        padded = np.pad(values, pad, mode="symmetric")
        values = np.apply_along_axis(np.convolve, axis, padded, kernel, mode="valid")
    return values

"""Maps of the rungs of a ladder against fixations of people: NSS, AUC and information gain."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from PIL import Image

from foveate.scanpath.baselines import Centre, Saliency, Uniform
from foveate.scanpath.fixations import Scanpath, Size
from foveate.scanpath.gaze_maps import has_map, is_density, resize_map
from foveate.scanpath.measures import auc_uniform_values, information_gain_values, log_density, nss_values
from foveate.scanpath.predicting import ScanpathModel

__all__ = ["MAP_MEASURES", "map_scores"]

#: Names of the measures, in the order of a table. Information gain is in bits a fixation over the centre Gaussian.
MAP_MEASURES = ("nss", "auc", "information_gain")
# Maps have some dozens of cells a side: larger pictures would only cost time.
_LONGEST = 1024

_BASELINES: dict[str, Any] = {
    "uniform": Uniform(),
    "centre Gaussian": Centre(),
    "spectral residual": Saliency(),
    "saliency x centre": Saliency(centred=True),
}


def map_scores(
    model: ScanpathModel, image: Image.Image, size: Size, paths: Sequence[Scanpath]
) -> dict[str, dict[str, float]]:
    """Compare the maps of the rungs that have one with where people looked.

    Args:
        model: That of the rung ``model``.
        image: The picture.
        size: Width and height that the fixations refer to, pixels.
        paths: Of all people, inside the picture.

    Returns:
        Rung to measure to its mean over all fixations. A map that is the same everywhere has no NSS, and saliency,
        which is no density, has no information gain: those are missing.
    """
    shrink = min(1.0, _LONGEST / max(size))
    small = max(1, round(size[0] * shrink)), max(1, round(size[1] * shrink))
    looks = [path.scaled(small).clipped() for path in paths]
    prior = log_density(resize_map(Centre().density(image), small))
    models = _BASELINES | ({"model": model} if has_map(model) else {})
    return {name: _scores(each, image, small, looks, prior) for name, each in models.items()}


def _scores(model: Any, image: Image.Image, size: Size, looks: list[Scanpath], prior: np.ndarray) -> dict[str, float]:
    dense = is_density(model)
    values = resize_map(model.density(image) if dense else model.saliency(image), size)
    scores = {"auc": float(auc_uniform_values(values, looks).mean())}
    if not math.isclose(values.min(), values.max()):
        scores["nss"] = float(nss_values(values, looks).mean())
    if dense:
        scores["information_gain"] = float(information_gain_values(log_density(values), looks, baseline=prior).mean())
    return {name: scores[name] for name in MAP_MEASURES if name in scores}

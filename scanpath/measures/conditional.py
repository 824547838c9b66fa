"""How well a model foresees the next fixation, given the fixations before it."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from foveate.errors import counted
from foveate.scanpath.fixations import Scanpath
from foveate.scanpath.measures.maps import (
    auc_uniform_values,
    information_gain_values,
    log_likelihood_values,
    nss_values,
)

__all__ = ["NextFixationScores", "next_fixation"]


@dataclass(frozen=True)
class NextFixationScores:
    """Scores of single fixations, arrays (fixations,); their ``mean()`` is what is reported.

    Args:
        nss: Standard deviations above the mean of the density, not of its logarithm.
        auc: 0 to 1, all pixels as negatives.
        log_likelihood: Nats.
        information_gain: Bits over the baseline.
    """

    nss: np.ndarray
    auc: np.ndarray
    log_likelihood: np.ndarray
    information_gain: np.ndarray

    def mean(self) -> dict[str, float]:
        """Average every score over fixations."""
        return {name: float(getattr(self, name).mean()) for name in self.__dataclass_fields__}


def next_fixation(
    densities: Sequence[np.ndarray],
    path: Scanpath,
    *,
    baseline: np.ndarray | None = None,
    epsilon: float = 0.0,
) -> NextFixationScores:
    """Score the maps that a model makes of where the eye goes next.

    Args:
        densities: Logarithms of the conditional densities, each (height, width) nats. The last belongs to the path's
            last fixation, so a list one shorter than the path leaves out the first fixation, which the picture's onset
            decides.
        path: The human scanpath that the model was told, step by step.
        baseline: Logarithm of a density that knows neither picture nor path; None is the uniform one.
        epsilon: Added to both densities inside the logarithms of the information gain, so that an impossible fixation
            costs something finite. HAT takes 2.2e-16; pysaliency none.

    Returns:
        Scores of the fixations that there are densities for.

    Raises:
        ValueError: No densities or more than fixations, of another size than the picture, constant ones (no NSS), or a
            fixation outside.

    Source: pysaliency's conditional_log_density, and the conditional NSS, AUC and information gain of HAT (CVPR 2024).
    """
    if not 1 <= len(densities) <= len(path):
        raise ValueError(
            f"there must be one density for each of the last fixations, got {len(densities)} for "
            f"{counted(len(path), 'fixation')}"
        )
    if not epsilon >= 0:
        raise ValueError(f"epsilon must be 0 or more, got {epsilon}")
    rows: list[tuple[float, float, float, float]] = []
    for density, x, y in zip(densities, path.x[-len(densities) :], path.y[-len(densities) :], strict=True):
        one = Scanpath(np.array([x]), np.array([y]), path.size)
        likelihood = float(log_likelihood_values(density, one)[0])
        probability = np.exp(np.asarray(density, dtype=np.float64))
        if epsilon:
            known = 1 / probability.size if baseline is None else math.exp(log_likelihood_values(baseline, one)[0])
            gain = math.log2((math.exp(likelihood) + epsilon) / (known + epsilon))
        else:
            gain = float(information_gain_values(density, one, baseline=baseline)[0])
        rows.append(
            (float(nss_values(probability, one)[0]), float(auc_uniform_values(probability, one)[0]), likelihood, gain)
        )
    return NextFixationScores(*np.array(rows).T)

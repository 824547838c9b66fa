"""Time-delay embeddings: every window of k fixations of a model is compared with the nearest human one.

Two groups publish different numbers under one name; each is here under its own. All are asymmetric: the model's
windows look for human ones.
"""

from collections.abc import Sequence

import numpy as np

from foveate.scanpath.fixations import Scanpath
from foveate.scanpath.measures.windows import all_lengths, edit_windows, mean_windows, one_length, root_windows

__all__ = [
    "sbtde_fixatons",
    "sbtde_fixatons_pairs",
    "sbtde_similarity",
    "sbtde_similarity_pairs",
    "stde_fixatons",
    "stde_fixatons_pairs",
    "stde_vame",
    "stde_vame_pairs",
    "stded_vame",
    "stded_vame_pairs",
    "tde_fixatons",
    "tde_fixatons_pairs",
    "tde_vame",
    "tde_vame_pairs",
]


def tde_fixatons(human: Scanpath, model: Scanpath, *, k: int, hausdorff: bool = False) -> float:
    """Tell how far windows of k fixations of a model are from the nearest human ones.

    Args:
        human: A human scanpath.
        model: A model's, of a picture of the same size. Exchanging the two changes the result.
        k: Fixations in a window.
        hausdorff: Take the farthest window instead of the mean.

    Returns:
        Pixels, 0 or more.

    Raises:
        ValueError: Pictures of unequal sizes, or a path of fewer than k fixations.

    Source: FixaTons (Zanca and others, 2018): the root of the sum of squared distances in a window, divided by k.
    """
    return float(tde_fixatons_pairs([human], [model], k=k, hausdorff=hausdorff)[0])


def tde_fixatons_pairs(
    humans: Sequence[Scanpath], models: Sequence[Scanpath], *, k: int, hausdorff: bool = False
) -> np.ndarray:
    """Compare many pairs, arguments as for ``tde_fixatons``; (pairs,) pixels."""
    return one_length(humans, models, root_windows, k, hausdorff)


def tde_vame(human: Scanpath, model: Scanpath, *, k: int, hausdorff: bool = False) -> float:
    """Tell how far windows of k fixations of a model are from the nearest human ones.

    Args:
        human: A human scanpath.
        model: A model's, of a picture of the same size. Exchanging the two changes the result.
        k: Fixations in a window.
        hausdorff: Take the farthest window instead of the mean.

    Returns:
        Pixels, 0 or more.

    Raises:
        ValueError: Pictures of unequal sizes, or a path of fewer than k fixations.

    Source: visual attention metrics of Chen, Jiang and Zhao (CVPR 2021): the sum of distances, divided by k.
    """
    return float(tde_vame_pairs([human], [model], k=k, hausdorff=hausdorff)[0])


def tde_vame_pairs(
    humans: Sequence[Scanpath], models: Sequence[Scanpath], *, k: int, hausdorff: bool = False
) -> np.ndarray:
    """Compare many pairs, arguments as for ``tde_vame``; (pairs,) pixels."""
    return one_length(humans, models, mean_windows, k, hausdorff)


def sbtde_fixatons(human: Scanpath, model: Scanpath, *, k: int, cells: int = 4, hausdorff: bool = False) -> float:
    """Tell how many edits windows of k fixations of a model are from the nearest human ones, on a grid.

    Args:
        human: A human scanpath.
        model: A model's, of a picture of the same size. Exchanging the two changes the result.
        k: Fixations in a window.
        cells: Cells of the grid along each side.
        hausdorff: Take the farthest window instead of the mean.

    Returns:
        0 to 1: edits (an exchange is one) divided by k.

    Raises:
        ValueError: Pictures of unequal sizes, fixations outside, or a path of fewer than k fixations.

    Source: FixaTons and NevaClip (string-based time-delay embedding).
    """
    return float(sbtde_fixatons_pairs([human], [model], k=k, cells=cells, hausdorff=hausdorff)[0])


def sbtde_fixatons_pairs(
    humans: Sequence[Scanpath], models: Sequence[Scanpath], *, k: int, cells: int = 4, hausdorff: bool = False
) -> np.ndarray:
    """Compare many pairs, arguments as for ``sbtde_fixatons``; (pairs,)."""
    return one_length(humans, models, edit_windows, k, hausdorff, cells)


def stde_fixatons(human: Scanpath, model: Scanpath) -> float:
    """Score windows of all lengths together (scaled time-delay embedding).

    Keeping to the picture's middle reaches human values here: do not claim anything with this alone.

    Args:
        human: A human scanpath.
        model: A model's, of a picture of the same size. Exchanging the two changes the result.

    Returns:
        0 to 1, 1 for equal paths: the mean over k = 1 ... the shorter length of exp(-TDE), places divided by the longer
        side of the picture.

    Source: FixaTons; see ``tde_fixatons``.
    """
    return float(stde_fixatons_pairs([human], [model])[0])


def stde_fixatons_pairs(humans: Sequence[Scanpath], models: Sequence[Scanpath]) -> np.ndarray:
    """Compare many pairs, arguments as for ``stde_fixatons``; (pairs,)."""
    return all_lengths(humans, models, root_windows, lambda distance: np.exp(-distance))


def stde_vame(human: Scanpath, model: Scanpath) -> float:
    """Score with the windows of ``tde_vame``, 0 to 1, 1 for equal paths; arguments as for ``stde_fixatons``.

    Source: visual attention metrics of Chen, Jiang and Zhao (CVPR 2021).
    """
    return float(stde_vame_pairs([human], [model])[0])


def stde_vame_pairs(humans: Sequence[Scanpath], models: Sequence[Scanpath]) -> np.ndarray:
    """Compare many pairs, arguments as for ``stde_vame``; (pairs,)."""
    return all_lengths(humans, models, mean_windows, lambda distance: np.exp(-distance))


def stded_vame(human: Scanpath, model: Scanpath) -> float:
    """Tell the mean over k of TDE itself; 0 for equal paths.

    Arguments as for ``stde_fixatons``; places are divided by the longer side of the picture.

    Source: visual attention metrics of Chen, Jiang and Zhao (CVPR 2021), the distance beside ``stde_vame``.
    """
    return float(stded_vame_pairs([human], [model])[0])


def stded_vame_pairs(humans: Sequence[Scanpath], models: Sequence[Scanpath]) -> np.ndarray:
    """Compare many pairs, arguments as for ``stded_vame``; (pairs,)."""
    return all_lengths(humans, models, mean_windows)


def sbtde_similarity(human: Scanpath, model: Scanpath, *, cells: int = 4) -> float:
    """Score windows of all lengths together as strings of grid cells.

    Args:
        human: A human scanpath.
        model: A model's, of a picture of the same size. Exchanging the two changes the result.
        cells: Cells of the grid along each side.

    Returns:
        0 to 1, 1 for equal strings: 1 less the mean of ``sbtde_fixatons`` over k = 1 ... the shorter length.

    Raises:
        ValueError: Pictures of unequal sizes, or fixations outside.

    Source: NevaClip's string-based time-delay embedding; which k its authors average is not published.
    """
    return float(sbtde_similarity_pairs([human], [model], cells=cells)[0])


def sbtde_similarity_pairs(humans: Sequence[Scanpath], models: Sequence[Scanpath], *, cells: int = 4) -> np.ndarray:
    """Compare many pairs, arguments as for ``sbtde_similarity``; (pairs,)."""
    return 1 - all_lengths(humans, models, edit_windows, cells=cells)

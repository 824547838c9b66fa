"""From fixations to symbols: cells of a grid, clusters of fixations, things in the picture, bins of time."""

import math
from collections.abc import Sequence

import numpy as np

from foveate.errors import counted
from foveate.scanpath.fixations import Scanpath
from foveate.scanpath.measures.pairs import check_pairs
from foveate.scanpath.measures.scanmatch import repeats

__all__ = ["cluster_labels", "grid_labels", "mean_shift", "semantic_labels", "timed_labels"]


def grid_labels(path: Scanpath, cells: int) -> np.ndarray:
    """Number the grid cells that were fixated.

    Args:
        path: A scanpath inside its picture.
        cells: Cells of the grid along each side.

    Returns:
        Row * cells + column, (fixations,) int64.

    Raises:
        ValueError: The picture is smaller than the grid, or a fixation lies outside.

    Source: as published (FixaTons, and Chen and others), a cell is the whole number of pixels below side / cells. Where
        the side does not divide, the last pixels count as the first cell of the next row.
    """
    check_pairs([path], [path], inside=True)
    if not 1 <= cells <= min(path.size):
        raise ValueError(f"a grid needs 1 to {min(path.size)} cells along each side of this picture, got {cells}")
    width, height = (side // cells for side in path.size)
    return (path.y // height).astype(np.int64) * cells + (path.x // width).astype(np.int64)


def mean_shift(paths: Sequence[Scanpath], *, bandwidth: float, rounds: int = 300) -> np.ndarray:
    """Find the clusters of human fixations on one picture.

    Args:
        paths: Scanpaths of one picture.
        bandwidth: Radius within which fixations pull, pixels.
        rounds: At most so many shifts.

    Returns:
        Centres (clusters, 2): x, y in pixels, the most visited first.

    Raises:
        ValueError: No scanpath, pictures of unequal sizes, or a bandwidth not above 0.

    Source: Comaniciu and Meer (2002) with a flat kernel, from every fixation; of centres within one bandwidth the one
        with the most fixations remains. The sequence score of COCO-Search18 ships its clusters instead.
    """
    if not (math.isfinite(bandwidth) and bandwidth > 0):
        raise ValueError(f"bandwidth must be above 0 pixels, got {bandwidth}")
    check_pairs(paths, [paths[0]] * len(paths) if len(paths) else paths)
    points = np.concatenate([path.points for path in paths])
    centres = points.copy()
    for _ in range(rounds):
        near = _distances(centres, points) <= bandwidth
        moved = near @ points / near.sum(1, keepdims=True)
        still = np.abs(moved - centres).max() < 1e-3 * bandwidth
        centres = moved
        if still:
            break
    weight = (_distances(centres, points) <= bandwidth).sum(1)
    # Equal centres reached from many fixations have to come out in one order on every machine.
    kept: list[np.ndarray] = []
    for index in np.lexsort((centres[:, 1], centres[:, 0], -weight)):
        if all(np.hypot(*(centres[index] - other)) > bandwidth for other in kept):
            kept.append(centres[index])
    return np.stack(kept)


def cluster_labels(path: Scanpath, centres: np.ndarray) -> np.ndarray:
    """Number the cluster that every fixation is nearest to.

    Args:
        path: A scanpath.
        centres: (clusters, 2): x, y in pixels of the same picture.

    Returns:
        (fixations,) int64.
    """
    centres = np.asarray(centres, dtype=np.float64)
    if centres.ndim != 2 or centres.shape[1] != 2 or len(centres) == 0 or not np.isfinite(centres).all():
        raise ValueError(f"centres must be x and y of one cluster or more, (clusters, 2), got shape {centres.shape}")
    return _distances(path.points, centres).argmin(1)


def semantic_labels(path: Scanpath, segmentation: np.ndarray) -> np.ndarray:
    """Look up what was fixated.

    Args:
        path: A scanpath inside its picture.
        segmentation: What every pixel of the picture shows, (height, width) integers.

    Returns:
        (fixations,) int64.

    Raises:
        ValueError: Another size than the picture's, no integers, or a fixation outside.
    """
    check_pairs([path], [path], inside=True)
    segmentation = np.asarray(segmentation)
    if segmentation.shape != path.size[::-1] or segmentation.dtype.kind not in "iu":
        raise ValueError(
            f"segmentation must be integers of the picture's shape {path.size[::-1]} (height, width), got "
            f"{segmentation.dtype} of {segmentation.shape}: scale it without interpolation, or the scanpath"
        )
    return segmentation[path.y.astype(int), path.x.astype(int)].astype(np.int64)


def timed_labels(labels: np.ndarray, path: Scanpath, *, bin_seconds: float = 0.05) -> np.ndarray:
    """Repeat every symbol for as many whole bins of time as its fixation lasted.

    Args:
        labels: (fixations,) integers.
        path: The scanpath they belong to, with durations.
        bin_seconds: Length of a bin, seconds.

    Returns:
        (bins,) integers. A fixation shorter than one bin disappears.

    Raises:
        ValueError: No durations, another number of symbols than of fixations, or nothing is left.

    Source: the timed sequence scores of Gazeformer (CVPR 2023): bins of 50 ms, rounded down (ScanMatch rounds).
    """
    if len(labels) != len(path):
        raise ValueError(f"every fixation needs one symbol, got {len(labels)} for {counted(len(path), 'fixation')}")
    counts = np.floor(repeats(path, bin_seconds)).astype(int)
    if counts.sum() == 0:
        raise ValueError(f"no fixation lasts a bin of {bin_seconds:g} s: leave the scanpath out or take shorter bins")
    return np.repeat(np.asarray(labels), counts)


def _distances(points: np.ndarray, others: np.ndarray) -> np.ndarray:
    difference = points[:, None] - others
    return np.hypot(difference[..., 0], difference[..., 1])

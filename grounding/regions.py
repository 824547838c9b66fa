"""From an attention map to places: connected regions of strong attention, as GUI-Actor and V2P find them."""

from collections import deque
from dataclasses import dataclass
from typing import Literal

import numpy as np
from torch import Tensor

from foveate.vision.geometry import Box, Point


@dataclass(frozen=True)
class Region:
    """A connected region of strong attention.

    Args:
        point: Where to click, in fractions of the grid.
        box: Around the region's patches, in fractions of the grid.
        score: Rank value: mean attention (GUI-Actor) or largest attention (V2P) of its patches.
        patches: Flat indices, y * columns + x, in the order they were found.
    """

    point: Point
    box: Box
    score: float
    patches: tuple[int, ...]


def extract_regions(
    attention: Tensor,
    grid: tuple[int, int],
    *,
    threshold: float = 0.3,
    scoring: Literal["v2p", "gui_actor"] = "v2p",
    point: Literal["weighted", "rect_center"] = "weighted",
) -> tuple[Region, ...]:
    """Find the regions of an attention map, best first.

    Args:
        attention: Row-major attention of the patches, (rows * columns,), not negative.
        grid: Columns and rows.
        threshold: Patches above this share of the largest attention are kept.
        scoring: "v2p" ranks by the largest attention of a region, "gui_actor" by the mean.
        point: "weighted" mean of patch centres, or "rect_center", the mean of distinct columns and rows.

    Returns:
        4-connected regions; at least one.

    Raises:
        ValueError: The map does not fit the grid, is not finite, or holds no attention at all.

    Source: GUI-Actor (arXiv 2506.03143) and V2P (arXiv 2508.13634), inference code.
    """
    columns, rows = grid
    values = attention.detach().float().cpu().numpy().reshape(-1)
    if values.size != columns * rows:
        raise ValueError(f"attention has {values.size} values, and the grid of {columns}x{rows} needs {columns * rows}")
    if not np.isfinite(values).all() or values.max() <= 0:
        raise ValueError("attention must be finite and positive somewhere: a map of zeros or NaN names no place")
    kept = values > np.float32(values.max() * threshold)
    found = [_describe(patches, values, columns, rows, scoring, point) for patches in _connect(kept, columns)]
    return tuple(sorted(found, key=lambda region: -region.score))


def verifier_candidates(
    attention: Tensor, grid: tuple[int, int], threshold: float = 0.2, most: int = 20
) -> list[Point]:
    """List the places GUI-Actor's verifier looks at: regions of the strongest patches, then these patches one by one.

    Args:
        attention: Row-major attention of the patches, (rows * columns,).
        grid: Columns and rows.
        threshold: Patches above this share of the largest attention are kept.
        most: At most so many patches.

    Returns:
        Points in fractions of the grid: regions by their mean attention, then patches.

    Source: GUI-Actor (arXiv 2506.03143), verifier code.
    """
    columns, rows = grid
    values = attention.detach().float().cpu().numpy().reshape(-1)
    strong = np.flatnonzero(values > values.max() * threshold).tolist()
    if len(strong) > most:  # only then does the authors' code put the strongest first
        strong = np.argsort(-values, kind="stable")[:most].tolist()
    kept = np.zeros(values.size, bool)
    kept[strong] = True
    regions = [_describe(p, values, columns, rows, "gui_actor", "weighted") for p in _connect(kept, columns)]
    points = [region.point for region in sorted(regions, key=lambda region: -region.score)]
    return points + [Point((i % columns + 0.5) / columns, (i // columns + 0.5) / rows, "fractions") for i in strong]


def _connect(kept: np.ndarray, columns: int) -> list[list[int]]:
    """Group kept patches that share an edge, seeded row by row."""
    open_patches = dict.fromkeys(np.flatnonzero(kept).tolist())
    groups = []
    while open_patches:
        seed = next(iter(open_patches))
        del open_patches[seed]
        group, queue = [seed], deque([seed])
        while queue:
            patch = queue.popleft()
            x = patch % columns
            near = (patch - columns, patch + columns, patch - 1 if x else -1, patch + 1 if x < columns - 1 else -1)
            for other in near:
                if other in open_patches:
                    del open_patches[other]
                    group.append(other)
                    queue.append(other)
        groups.append(group)
    return groups


def _describe(patches: list[int], values: np.ndarray, columns: int, rows: int, scoring: str, point: str) -> Region:
    index = np.array(patches)
    x, y, weight = index % columns, index // columns, values[index].astype(np.float64)
    if point == "weighted":
        total = weight.sum()
        place = Point(
            float(((x + 0.5) / columns * weight).sum() / total),
            float(((y + 0.5) / rows * weight).sum() / total),
            "fractions",
        )
    else:
        place = Point(
            float((np.unique(x) + 0.5).mean() / columns), float((np.unique(y) + 0.5).mean() / rows), "fractions"
        )
    box = Box(
        float(x.min() / columns),
        float(y.min() / rows),
        float((x.max() + 1) / columns),
        float((y.max() + 1) / rows),
        "fractions",
    )
    score = float(weight.max() if scoring == "v2p" else weight.mean())
    return Region(place, box, score, tuple(patches))

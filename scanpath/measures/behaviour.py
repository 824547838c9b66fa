"""How people go through objects on a shelf: OAT's behavioural measures of paths of object numbers."""

from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np

__all__ = ["Behaviour", "behaviour", "behavioural_delta", "object_labels"]

ObjectPath = Sequence[int] | np.ndarray


@dataclass(frozen=True)
class Behaviour:
    """Means over paths of objects.

    Args:
        correct: Fraction of paths whose last object is the target.
        length: Objects in a path.
        search: Fraction of fixations that go to an object for the first time.
        refixation: Fraction of fixations that stay on their object.
        revisit: Fraction of fixations that return to an object. The three fractions sum to 1.
    """

    correct: float
    length: float
    search: float
    refixation: float
    revisit: float


def behaviour(paths: Sequence[ObjectPath], targets: Sequence[int]) -> Behaviour:
    """Describe paths of objects.

    Args:
        paths: Numbers of fixated objects, in order.
        targets: Number of the object that was looked for, one a path.

    Returns:
        Means over the paths; every path weighs the same.

    Raises:
        ValueError: No path, an empty path, or not as many targets as paths.

    Source: OAT (ECCV 2024). A run of fixations on an object counts once as a first or a later visit, what stays within
        it as refixation.
    """
    if len(paths) == 0 or len(paths) != len(targets):
        raise ValueError(f"every path needs a target, one path at least, got {len(paths)} and {len(targets)}")
    rows = []
    for number, (path, target) in enumerate(zip(paths, targets, strict=True)):
        objects = np.asarray(path)
        if objects.ndim != 1 or len(objects) == 0:
            raise ValueError(f"path {number} must be one object or more, got shape {objects.shape}: leave it out")
        runs = 1 + int((objects[1:] != objects[:-1]).sum())
        first = len(np.unique(objects))
        length = len(objects)
        fractions = (first / length, (length - runs) / length, (runs - first) / length)
        rows.append((float(objects[-1] == target), float(length), *fractions))
    return Behaviour(*np.mean(rows, axis=0).tolist())


def behavioural_delta(model: Behaviour, human: Behaviour) -> float:
    """Tell how far a model's behaviour is from the human one.

    Args:
        model: Of a model's paths.
        human: Of human paths on the same pictures.

    Returns:
        0 for the same behaviour: the mean over the five of |model - human| / human.

    Raises:
        ValueError: A human mean is 0, by which nothing can be divided.

    Source: OAT (ECCV 2024), "delta".
    """
    names = [field.name for field in fields(Behaviour)]
    zero = [name for name in names if getattr(human, name) == 0]
    if zero:
        raise ValueError(f"the human mean of {' and '.join(zero)} is 0 and cannot be divided by: add more paths")
    relative = [abs(getattr(model, name) - getattr(human, name)) / getattr(human, name) for name in names]
    return float(np.mean(relative))


def object_labels(points: np.ndarray, boxes: np.ndarray) -> np.ndarray:
    """Number the object that every fixation lies on, or is nearest to.

    Args:
        points: Places (fixations, 2): x, y in pixels (``Scanpath.points``).
        boxes: (objects, 4): left, top, right, bottom in pixels.

    Returns:
        (fixations,) int64; between overlapping boxes the one whose middle is nearer.
    """
    points, boxes = np.asarray(points, dtype=np.float64), np.asarray(boxes, dtype=np.float64)
    if boxes.ndim != 2 or boxes.shape[1] != 4 or len(boxes) == 0 or (boxes[:, 2:] <= boxes[:, :2]).any():
        raise ValueError(f"boxes must be (objects, 4) of left, top, right, bottom, got shape {boxes.shape}")
    beyond = np.maximum(boxes[:, :2] - points[:, None], points[:, None] - boxes[:, 2:]).clip(0)
    outside = np.hypot(beyond[..., 0], beyond[..., 1])
    offset = points[:, None] - (boxes[:, :2] + boxes[:, 2:]) / 2
    middle = np.hypot(offset[..., 0], offset[..., 1])
    return np.where(outside == outside.min(1, keepdims=True), middle, np.inf).argmin(1)

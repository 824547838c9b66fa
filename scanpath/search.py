"""Visual search: look for a target in a scene, fixation after fixation, with inhibition of return."""

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Protocol

import numpy as np

from foveate.scanpath.fixations import Scanpath
from foveate.vision.images import load_image

__all__ = ["Attend", "SearchModel", "SearchSettings", "Trial", "grid_cells", "search", "search_trials"]

# A target counts as found within this square around a fixation: 5 pixels before it, 4 after.
_REACH = 5


@dataclass(frozen=True)
class SearchSettings:
    """Numbers of the search; the defaults are those for natural scenes.

    Args:
        contrast: Two Gaussians, each (side of the kernel, standard deviation; 0 for OpenCV's own kernel of that side):
            their difference is added to the map three times, which sharpens it.
        weighting: "strongest" weighs layers by their highest response to the target, "equal" all alike.
        background: Grey around the scene and over what was seen, 0 to 255.
        rim: Of the field around what the scene can reach, pixels; nothing is found there.
        inhibited: Side of the square that is not looked at again, pixels; with cells, the cell is that.
    """

    contrast: tuple[tuple[int, float], tuple[int, float]] = ((3, 0.0), (5, 1.0))
    weighting: Literal["strongest", "equal"] = "equal"
    background: int = 128
    rim: int = 64
    inhibited: int = 64

    def __post_init__(self) -> None:
        if self.weighting not in ("strongest", "equal"):
            raise ValueError(f"weighting must be 'strongest' or 'equal', got {self.weighting!r}")
        if any(side < 1 or side % 2 == 0 or sigma < 0 for side, sigma in self.contrast):
            raise ValueError(f"kernels need odd sides and a deviation of 0 or more, got {self.contrast}")
        if not 0 <= self.background <= 255 or self.rim < 0 or self.inhibited < 1:
            raise ValueError(
                f"background must lie in 0 to 255, rim be 0 or more and inhibited above 0, got {self.background}, "
                f"{self.rim} and {self.inhibited}"
            )


@dataclass(frozen=True, eq=False)
class Trial:
    """One search.

    Args:
        scene: (height, width, 3) uint8.
        target: (height, width, 3) uint8: what is looked for.
        cells: (cells, 4): left, top, right and bottom of places where things can be, pixels, the last two exclusive.
            The eye looks only there, and at each once. None for anywhere.
        place: Left, top, right and bottom of the target in the scene; None where nobody knows.
        count: Most fixations, the first in the middle included.
        name: What the scene is called.

    Raises:
        ValueError: A shape is wrong or the place has no pixels.
    """

    scene: np.ndarray
    target: np.ndarray
    cells: np.ndarray | None = None
    place: tuple[int, int, int, int] | None = None
    count: int = 20
    name: str = ""

    def __post_init__(self) -> None:
        for label, picture in (("scene", self.scene), ("target", self.target)):
            if picture.ndim != 3 or picture.shape[2] != 3 or picture.dtype != np.uint8 or picture.size == 0:
                raise ValueError(
                    f"{label} must be uint8 (height, width, 3), got {picture.dtype} of shape {picture.shape}"
                )
        if self.cells is not None and (self.cells.ndim != 2 or self.cells.shape[1] != 4 or len(self.cells) == 0):
            raise ValueError(f"cells must be (cells, 4) with at least one, got shape {self.cells.shape}")
        if self.place is not None and not (self.place[0] < self.place[2] and self.place[1] < self.place[3]):
            raise ValueError(f"place must be left, top, right, bottom with pixels between, got {self.place}")
        if self.count < 2:
            raise ValueError(f"count must be at least 2, the first fixation being in the middle, got {self.count}")


# Numbers of trials, fixations (trials, 2) as row and column, scenes with the seen erased; answers attention (trials,
# height, width), 0 or more.
Attend = Callable[[Sequence[int], np.ndarray, np.ndarray], np.ndarray]


class SearchModel(Protocol):
    """Whatever says where a target may be.

    Attributes:
        name: What it is called.
        trained: False when its weights are random.

    A model that has an attribute ``forgets`` that is true may look again where it looked.
    """

    name: str
    trained: bool

    def begin(self, trials: Sequence[Trial], settings: SearchSettings, seed: int) -> Attend:
        """Get ready for trials whose scenes have one size, and targets too.

        Args:
            trials: The searches.
            settings: Numbers of the search.
            seed: For models that draw random numbers.

        Returns:
            A function from numbers of trials, fixations and scenes to attention.
        """
        ...


def search(
    model: SearchModel,
    target_image: Any,
    scene_image: Any,
    *,
    cells: np.ndarray | None = None,
    place: tuple[int, int, int, int] | None = None,
    count: int = 20,
    settings: SearchSettings | None = None,
    seed: int = 0,
) -> Scanpath:
    """Look for a target in a scene.

    Args:
        model: What says where the target may be, such as ``search_models.NetworkSearch``.
        target_image: Picture of the target, at the size it has in the scene: anything ``load_image`` takes.
        scene_image: Picture to search.
        cells: Bounding grid, (cells, 4): left, top, right and bottom in pixels; None for anywhere.
        place: Left, top, right and bottom of the target in the scene, if known: the search ends there.
        count: Most fixations, the first in the middle included.
        settings: Numbers of the search; None for those of natural scenes.
        seed: For models that draw random numbers.

    Returns:
        The path. Its ``details`` say ``found`` (None if nobody knows the place) and the number of ``saccades``.
    """
    scene, target = (np.asarray(load_image(source)) for source in (scene_image, target_image))
    name = str(scene_image) if isinstance(scene_image, (str, Path)) else ""
    trial = Trial(scene, target, cells, place, count, name)
    return search_trials(model, [trial], settings or SearchSettings(), seed=seed)[0]


def search_trials(
    model: SearchModel,
    trials: Sequence[Trial],
    settings: SearchSettings | None = None,
    *,
    batch: int = 8,
    seed: int = 0,
    progress: Callable[[int], None] | None = None,
) -> list[Scanpath]:
    """Run searches, many at a time.

    Args:
        model: What says where the target may be.
        trials: The searches; sizes may differ.
        settings: Numbers of the search.
        batch: How many scenes the model sees at once.
        seed: For models that draw random numbers.
        progress: Told how many trials have ended.

    Returns:
        A path for each trial, in order.

    Source:
        Gupta et al. (NeurIPS 2021), published search loop. Deviation: a field reaches as far as the longer side of
        the scene, where the published one goes by its height.
    """
    settings = settings or SearchSettings()
    if batch < 1:
        raise ValueError(f"batch must be at least 1, got {batch}")
    groups: dict[tuple[int, ...], list[int]] = defaultdict(list)
    for i, trial in enumerate(trials):
        groups[trial.scene.shape + trial.target.shape].append(i)
    paths: list[Scanpath | None] = [None] * len(trials)
    for numbers in groups.values():
        runs = [_Run(trials[i], settings, bool(getattr(model, "forgets", False))) for i in numbers]
        attend = model.begin([trials[i] for i in numbers], settings, seed)
        waiting = [i for i, run in enumerate(runs) if not run.ended]
        if progress is not None and len(waiting) < len(runs):
            progress(len(runs) - len(waiting))
        while waiting:
            for start in range(0, len(waiting), batch):
                some = waiting[start : start + batch]
                fixations = np.array([runs[i].fixations[-1] for i in some])
                maps = attend(some, fixations, np.stack([runs[i].canvas for i in some]))
                for i, attention in zip(some, maps, strict=True):
                    runs[i].look(attention)
            ended = [i for i in waiting if runs[i].ended]
            waiting = [i for i in waiting if not runs[i].ended]
            if progress is not None and ended:
                progress(len(ended))
        for i, run in zip(numbers, runs, strict=True):
            paths[i] = run.path(model)
    return [path for path in paths if path is not None]


class _Run:
    """A trial under way."""

    def __init__(self, trial: Trial, settings: SearchSettings, forgets: bool) -> None:
        self.trial, self.settings, self.forgets = trial, settings, forgets
        height, width = trial.scene.shape[:2]
        self.canvas = trial.scene.copy()
        self.fixations = [(height // 2, width // 2)]
        self.found = False
        self.cells = [] if trial.cells is None else [tuple(int(v) for v in cell) for cell in trial.cells]
        self.allowed = np.full((height, width), 1.0 if trial.cells is None else 0.0, np.float32)
        for left, top, right, bottom in self.cells:
            self.allowed[max(top, 0) : bottom, max(left, 0) : right] += 1
        if trial.cells is None:
            # Anywhere: the start is tested and inhibited as any other fixation. In a grid it is neither.
            self._arrive()

    @property
    def ended(self) -> bool:
        return self.found or len(self.fixations) >= self.trial.count or not self.allowed.any()

    def look(self, attention: np.ndarray) -> None:
        """Go where attention is highest; of equals to the first, row by row."""
        masked = attention * self.allowed
        row, column = np.unravel_index(int(masked.argmax()), masked.shape)
        self.fixations.append((int(row), int(column)))
        self._arrive()

    def _arrive(self) -> None:
        row, column = self.fixations[-1]
        if self.trial.place is not None:
            left, top, right, bottom = self.trial.place
            below, beyond = row - _REACH < bottom, column - _REACH < right
            self.found = bool(below and beyond and row + _REACH > top and column + _REACH > left)
        if self.forgets:
            return
        if self.trial.cells is None:
            side = self.settings.inhibited
            left, top = column - side // 2, row - side // 2
            self._erase(left, top, left + side, top + side)
            return
        for i, (left, top, right, bottom) in enumerate(self.cells):
            if left <= column < right and top <= row < bottom:
                self._erase(left, top, right, bottom)
                del self.cells[i]
                return

    def _erase(self, left: int, top: int, right: int, bottom: int) -> None:
        area = slice(max(top, 0), max(bottom, 0)), slice(max(left, 0), max(right, 0))
        self.canvas[area] = self.settings.background
        self.allowed[area] = 0

    def path(self, model: SearchModel) -> Scanpath:
        rows, columns = np.array(self.fixations, dtype=np.float64).T
        details = {
            "found": None if self.trial.place is None else self.found,
            "saccades": len(self.fixations) - 1,
        }
        height, width = self.trial.scene.shape[:2]
        return Scanpath(
            columns,
            rows,
            (width, height),
            source=self.trial.name,
            task="search",
            observer=model.name,
            trained=model.trained,
            details=details,
        )


def grid_cells(size: tuple[int, int], columns: int, rows: int) -> np.ndarray:
    """Divide a scene into cells.

    Args:
        size: Width and height, pixels.
        columns: Cells across.
        rows: Cells down.

    Returns:
        (rows * columns, 4): left, top, right, bottom, row by row; all of one size, what is left over belongs to none.
    """
    width, height = size[0] // columns, size[1] // rows
    if min(width, height) < 1:
        raise ValueError(f"a scene of {size[0]}x{size[1]} pixels cannot be divided into {columns}x{rows} cells")
    corners = [(c * width, r * height) for r in range(rows) for c in range(columns)]
    return np.array([(x, y, x + width, y + height) for x, y in corners])

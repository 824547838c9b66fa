"""The six experiments: what is looked for among what, on which fields, with how many items."""

from dataclasses import dataclass

from foveate.scanpath.search import SearchSettings

__all__ = ["EXPERIMENTS", "PIXELS_PER_DEGREE", "Experiment", "Task", "find_task"]

PIXELS_PER_DEGREE = 30


@dataclass(frozen=True)
class Task:
    """One kind of target among one kind of distractors.

    Args:
        name: As in the published tables.
        title: For people.
        targets: Items a target is drawn from, see ``items``.
        distractors: Items the others are drawn from.
    """

    name: str
    title: str
    targets: str
    distractors: str


@dataclass(frozen=True)
class Experiment:
    """A pair of tasks that differ in which item is the target.

    Args:
        number: 1 to 6.
        title: For people.
        field_degrees: Side of the scene, degrees; 30 pixels are one.
        grid: Cells across and down.
        item_degrees: Side of an item's bitmap, degrees.
        background: Grey, 0 to 255.
        set_sizes: Numbers of items.
        trials: For each set size.
        contrast: See ``search.SearchSettings``.
        easier: The task that people find easier.
        harder: The other.
        target_moves_cell: Whether the target's region starts where the item does, and not where its cell does.
    """

    number: int
    title: str
    field_degrees: float
    grid: int
    item_degrees: float
    background: int
    set_sizes: tuple[int, ...]
    trials: int
    contrast: tuple[tuple[int, float], tuple[int, float]]
    easier: Task
    harder: Task
    target_moves_cell: bool = False

    @property
    def field(self) -> int:
        """Side of the scene, pixels."""
        return round(self.field_degrees * PIXELS_PER_DEGREE)

    @property
    def cell(self) -> int:
        """Side of a cell, pixels."""
        return int(self.field_degrees / self.grid * PIXELS_PER_DEGREE)

    @property
    def item(self) -> int:
        """Side of an item's bitmap, pixels."""
        return int(self.item_degrees * PIXELS_PER_DEGREE)

    @property
    def jitter(self) -> int:
        """In how many places along an axis an item may start in its cell, pixels."""
        return int((self.field_degrees / self.grid - self.item_degrees) * PIXELS_PER_DEGREE)

    @property
    def tasks(self) -> tuple[Task, Task]:
        """Both tasks, the easier first."""
        return self.easier, self.harder

    @property
    def steps(self) -> int:
        """Most fixations: one for each cell, and the first."""
        return self.grid**2 + 1

    @property
    def settings(self) -> SearchSettings:
        """Numbers of the search."""
        return SearchSettings(contrast=self.contrast, weighting="strongest", background=self.background)


_LINES, _CROSSES = ((3, 1.0), (5, 3.0)), ((5, 3.0), (7, 5.0))

EXPERIMENTS: tuple[Experiment, ...] = (
    Experiment(
        1, "Curvature", 11.3, 6, 1.6, 0, (8, 16, 32), 30, _LINES,
        Task("curvature_curve_in_lines", "arc among lines", "arcs", "lines"),
        Task("curvature_line_in_curves", "line among arcs", "lines", "arcs"),
    ),
    Experiment(
        2, "Lighting direction", 6.6, 4, 31 / 30, 27, (1, 6, 12), 30, ((3, 0.0), (5, 1.0)),
        Task("lightning_dir_top_down", "lit from above or below", "disc_up", "disc_down"),
        Task("lightning_dir_left_right", "lit from a side", "disc_left", "disc_right"),
        target_moves_cell=True,
    ),
    Experiment(
        3, "Intersection", 20.5, 3, 5.9, 255, (3, 6, 9), 36, _CROSSES,
        Task("intersection_non_cross", "not crossing among crossing", "non_crosses", "crosses"),
        Task("intersection_cross", "crossing among not crossing", "crosses", "non_crosses"),
    ),
    Experiment(
        4, "L and T", 20.5, 3, 5.9, 255, (3, 6, 9), 36, _CROSSES,
        Task("intersection_Ts", "T among L", "Ts", "Ls"),
        Task("intersection_Ls", "L among T", "Ls", "Ts"),
    ),
    Experiment(
        5, "Orientation, one kind of distractor", 11.3, 4, 2.3, 255, (1, 4, 8, 12), 30, _LINES,
        Task("categorization_homo_t20", "tilted among upright", "bar_tilted", "bar_upright"),
        Task("categorization_homo_t0", "upright among tilted", "bar_upright", "bar_tilted"),
    ),
    Experiment(
        6, "Orientation, many kinds of distractors", 11.3, 4, 2.3, 255, (1, 4, 8, 12), 30, _LINES,
        Task("categorization_hetero_t0", "upright among tilts", "bar_upright", "bars_but_upright"),
        Task("categorization_hetero_t20", "tilted among tilts", "bar_tilted", "bars_but_tilted"),
    ),
)  # fmt: skip


def find_task(name: str) -> tuple[Experiment, Task]:
    """Return a task by its name, and its experiment.

    Raises:
        ValueError: There is no such task.
    """
    for experiment in EXPERIMENTS:
        for task in experiment.tasks:
            if task.name == name:
                return experiment, task
    names = ", ".join(task.name for experiment in EXPERIMENTS for task in experiment.tasks)
    raise ValueError(f"no task is called {name!r}: there are {names}")

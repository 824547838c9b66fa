"""The figure of a result: reaction times over set size, and the index of each experiment with its interval."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from foveate.scanpath.asymmetry.experiments import EXPERIMENTS, Experiment
from foveate.scanpath.asymmetry.human import HUMAN_REACTION_TIMES, PUBLISHED_INDICES, RT_INTERCEPT, RT_SLOPE
from foveate.scanpath.asymmetry.index import AsymmetryResult

__all__ = ["draw_asymmetry"]

_INK, _GRID, _PAPER = "#222222", "#dddddd", "#ffffff"
_HARDER, _EASIER, _MODEL, _PEOPLE = "#c0392b", "#1f6fb2", "#555555", "#e08e0b"
_PANEL = (300, 220)
_MARGIN = 58


@dataclass(frozen=True)
class _Axes:
    """A rectangle on the figure and the ranges it shows."""

    pen: ImageDraw.ImageDraw
    box: tuple[float, float, float, float]
    x_range: tuple[float, float]
    y_range: tuple[float, float]

    def at(self, x: float, y: float) -> tuple[float, float]:
        left, top, right, bottom = self.box
        across = (x - self.x_range[0]) / (self.x_range[1] - self.x_range[0])
        up = (y - self.y_range[0]) / (self.y_range[1] - self.y_range[0])
        return left + across * (right - left), bottom - up * (bottom - top)

    def rule(self, values: Sequence[float], text: str) -> None:
        """Draw horizontal lines with their values at the left."""
        for value in values:
            start, end = self.at(self.x_range[0], value), self.at(self.x_range[1], value)
            self.pen.line([start, end], fill=_GRID)
            self.pen.text((start[0] - 6, start[1]), text.format(value), fill=_INK, anchor="rm", font=_font(12))

    def line(self, xs: Sequence[float], ys: Sequence[float], colour: str, dashed: bool) -> None:
        points = [self.at(x, y) for x, y in zip(xs, ys, strict=True)]
        for start, end in pairwise(points):
            steps = max(1, round(float(np.hypot(end[0] - start[0], end[1] - start[1])) / 5)) if dashed else 1
            stops = np.linspace(start, end, steps + 1)
            for i in range(0, steps, 2):
                self.pen.line([tuple(stops[i]), tuple(stops[i + 1])], fill=colour, width=2)
        for x, y in points:
            self.pen.ellipse((x - 3, y - 3, x + 3, y + 3), fill=_PAPER if dashed else colour, outline=colour)


def draw_asymmetry(result: AsymmetryResult) -> Image.Image:
    """Draw reaction times of model and people by set size, and below them the indices.

    Args:
        result: Of a model.

    Returns:
        RGB picture.
    """
    shown = [e for e in EXPERIMENTS if e.number in result.numbers]
    columns = min(3, len(shown))
    rows = -(-len(shown) // columns)
    width = max(columns * (_PANEL[0] + _MARGIN) + 30, 760)
    height = 60 + rows * (_PANEL[1] + 70) + 300
    figure = Image.new("RGB", (width, height), _PAPER)
    pen = ImageDraw.Draw(figure)
    title = f"Search asymmetry: {result.model}" + ("" if result.trained else " (random weights: means nothing)")
    pen.text((20, 14), title, fill=_INK, font=_font(20))
    legend = (
        "reaction time in ms by number of items; solid: model, dashed: people; red: harder for people, blue: easier"
    )
    pen.text((20, 42), legend, fill=_INK, font=_font(12))
    for i, experiment in enumerate(shown):
        left = _MARGIN + (i % columns) * (_PANEL[0] + _MARGIN)
        top = 90 + (i // columns) * (_PANEL[1] + 70)
        _draw_times(pen, (left, top, left + _PANEL[0], top + _PANEL[1]), experiment, result)
    top = 100 + rows * (_PANEL[1] + 70)
    _draw_indices(pen, (_MARGIN, top, width - 30, height - 60), shown, result)
    return figure


def _draw_times(
    pen: ImageDraw.ImageDraw, box: tuple[float, float, float, float], experiment: Experiment, result: AsymmetryResult
) -> None:
    model = {
        task.name: RT_SLOPE * np.asarray(result.saccades[task.name], dtype=np.float64).mean(1) + RT_INTERCEPT
        for task in experiment.tasks
    }
    people = {task.name: HUMAN_REACTION_TIMES[task.name] for task in experiment.tasks}
    most = max(max(values) for times in (model, people) for values in times.values())
    step = 500 if most > 1000 else 200
    top = float(np.ceil(most / step) * step)
    axes = _Axes(pen, box, (0, experiment.set_sizes[-1] + 1), (0, top))
    axes.rule(np.arange(0, top + 1, step).tolist(), "{:.0f}")
    pen.text((box[0], box[1] - 8), f"{experiment.number}  {experiment.title}", fill=_INK, anchor="ls", font=_font(14))
    for size in experiment.set_sizes:
        pen.text((axes.at(size, 0)[0], box[3] + 6), str(size), fill=_INK, anchor="mt", font=_font(12))
    for task, colour in ((experiment.harder, _HARDER), (experiment.easier, _EASIER)):
        axes.line(experiment.set_sizes, model[task.name].tolist(), colour, dashed=False)
        axes.line(experiment.set_sizes, people[task.name], colour, dashed=True)


def _draw_indices(
    pen: ImageDraw.ImageDraw,
    box: tuple[float, float, float, float],
    shown: Sequence[Experiment],
    result: AsymmetryResult,
) -> None:
    each, mean = result.intervals()
    human = [PUBLISHED_INDICES["humans"][e.number - 1] for e in shown]
    values = [*result.indices.values(), result.mean_index]
    bounds = [*each.values(), mean]
    labels = [*(f"experiment {e.number}" for e in shown), "mean"]
    axes = _Axes(pen, box, (0, len(labels)), (-1.1, 1.1))
    axes.rule([-1, -0.5, 0, 0.5, 1], "{:.1f}")
    heading = "asymmetry index with 95 % bootstrap interval; grey: model, orange: people; above 0: as people"
    pen.text((box[0], box[1] - 8), heading, fill=_INK, anchor="ls", font=_font(14))
    for i, (label, value, (low, high)) in enumerate(zip(labels, values, bounds, strict=True)):
        corners = [axes.at(i + 0.2, max(value, 0)), axes.at(i + 0.5, min(value, 0))]
        pen.rectangle([*corners[0], *corners[1]], fill=_MODEL)
        pen.line([axes.at(i + 0.35, low), axes.at(i + 0.35, high)], fill=_INK, width=3)
        person = [*human, float(np.mean(human))][i]
        corners = [axes.at(i + 0.52, max(person, 0)), axes.at(i + 0.8, min(person, 0))]
        pen.rectangle([*corners[0], *corners[1]], fill=_PEOPLE)
        pen.text((axes.at(i + 0.5, 0)[0], box[3] + 8), label, fill=_INK, anchor="mt", font=_font(13))
    pen.line([axes.at(0, 0), axes.at(len(labels), 0)], fill=_INK)


def _font(size: int) -> ImageFont.ImageFont | ImageFont.FreeTypeFont:
    return ImageFont.load_default(size)

"""Two tables of scanpaths beside each other: picture by picture, and every path of one with every path of the other."""

import csv
import io
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from foveate.scanpath.datasets.files import ScanpathFile, UnknownSizeError, picture_name, read_scanpaths
from foveate.scanpath.fixations import Scanpath
from foveate.scanpath.ladder import keep_inside
from foveate.scanpath.measures import HEADLINE, LOWER_IS_BETTER, TIMED, ScoreTable, average_pairs, score_pairs

__all__ = ["Comparison", "compare_files", "compare_scanpaths"]

_MULTIMATCH = "multimatch"


@dataclass(frozen=True, eq=False)
class Comparison:
    """How alike the scanpaths of two tables are.

    Args:
        scores: Means over pictures of the means over their pairs, and standard errors over pictures.
        pairs: Picture, observer in the first table and observer in the second, of every pair.
        values: Measure to (pairs,); NaN where a pair has none.
        only_first: Pictures that only the first table has.
        only_second: Pictures that only the second one has.
        unpaired: Pictures in both that have no pair: looked at for different tasks, or never inside the picture.
        outside: Fixations that lie outside their pictures and are left out.
        problems: A sentence for each thing that was left out when files were read.
    """

    scores: ScoreTable
    pairs: tuple[tuple[str, str, str], ...]
    values: dict[str, np.ndarray]
    only_first: tuple[str, ...] = ()
    only_second: tuple[str, ...] = ()
    unpaired: tuple[str, ...] = ()
    outside: int = 0
    problems: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Return plain data: measure to mean and standard error, and each picture's means."""
        return {
            "schema": 1,
            "images": self.scores.images,
            "pairs": self.scores.pairs,
            "measures": self.scores.to_dict(),
            "lower_is_better": sorted(LOWER_IS_BETTER & set(self.values)),
            "by_image": self._by_image(),
            "only_first": list(self.only_first),
            "only_second": list(self.only_second),
            "unpaired": list(self.unpaired),
            "fixations_outside": self.outside,
        }

    def to_csv(self) -> str:
        """Return a table with a line for each pair: image, first, second (their observers) and all measures."""
        stream = io.StringIO()
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(["image", "first", "second", *self.values])
        for number, names in enumerate(self.pairs):
            numbers = (float(column[number]) for column in self.values.values())
            writer.writerow([*names, *("" if np.isnan(value) else f"{value:.6g}" for value in numbers)])
        return stream.getvalue()

    def _by_image(self) -> dict[str, dict[str, float | None]]:
        images = np.array([image for image, _, _ in self.pairs])
        return {
            str(image): {
                name: float(known.mean()) if len(known := some[~np.isnan(some)]) else None
                for name, column in self.values.items()
                for some in [column[images == image]]
            }
            for image in dict.fromkeys(images.tolist())
        }


def compare_scanpaths(
    first: Sequence[Scanpath],
    second: Sequence[Scanpath],
    *,
    measures: Sequence[str] | None = None,
    names: tuple[str, str] = ("the first table", "the second table"),
) -> Comparison:
    """Compare every path of one list with every path of another on the same picture.

    Pictures are the same when their names are, without folder and ending; where that would make one picture of two
    in a list, as they stand. The answer calls them as the first list does. Paths with tasks are compared with those of
    the same task, and with those that have none.

    Args:
        first: Scanpaths with ``source`` set to their picture, of people for instance.
        second: Others, of a model for instance.
        measures: Names out of ``measures.MEASURES``, and ``multimatch`` for all parts of it that the scanpaths have;
            None takes all of ``measures.HEADLINE`` that they have.
        names: What to call the lists in messages.

    Returns:
        Scores, and which pictures were left out.

    Raises:
        ValueError: No picture in common, no pair, a picture of unequal sizes, an unknown measure, or one that needs
            durations where there are none.
    """
    ours, theirs = _by_picture(first, second)
    common = [key for key in ours if key in theirs]
    if not common:
        raise ValueError(
            f"{names[0]} and {names[1]} have no picture in common ({_some(ours)} in one, {_some(theirs)} in the "
            "other): give both the same names of pictures"
        )
    pairs: list[tuple[Scanpath, Scanpath]] = []
    images: list[str] = []
    for key in common:
        _same_size(key, ours[key], theirs[key], names)
        label = ours[key][0].source
        kept = [keep_inside(paths, label) for paths in (ours[key], theirs[key])]
        found = [(a, b) for a in kept[0] for b in kept[1] if not (a.task and b.task) or a.task == b.task]
        pairs += found
        images += [label] * len(found)
    if not pairs:
        raise ValueError(
            f"no scanpath of {names[0]} can be compared with one of {names[1]}: on the pictures in both, tasks differ "
            "or all fixations lie outside"
        )
    humans, models = [a for a, _ in pairs], [b for _, b in pairs]
    values = score_pairs(humans, models, measures=_spelled_out(measures, [*humans, *models]))
    compared = (path for key in common for path in (*ours[key], *theirs[key]))
    return Comparison(
        average_pairs(values, images),
        tuple((image, a.observer, b.observer) for image, (a, b) in zip(images, pairs, strict=True)),
        values,
        tuple(paths[0].source for key, paths in ours.items() if key not in theirs),
        tuple(paths[0].source for key, paths in theirs.items() if key not in ours),
        tuple(label for key in common if (label := ours[key][0].source) not in images),
        sum(int((~path.inside).sum()) for path in compared),
    )


def compare_files(
    first: str | Path,
    second: str | Path,
    *,
    measures: Sequence[str] | None = None,
    columns: Sequence[Mapping[str, str] | None] = (None, None),
    units: Sequence[str | None] = (None, None),
) -> Comparison:
    """Compare the scanpaths of two files; see ``compare_scanpaths`` and ``datasets.files.read_scanpaths``.

    Args:
        first: CSV, parquet, JSON or a folder.
        second: Another one.
        measures: As for ``compare_scanpaths``.
        columns: For each table, name to column.
        units: For each table, of durations and starts: ``s`` or ``ms``.

    Returns:
        Scores, and which pictures were left out.

    Raises:
        ValueError: As for ``compare_scanpaths`` and ``read_scanpaths``.
        FileNotFoundError: A file is missing.
    """
    one, other = _read(first, second, columns, units)
    found = compare_scanpaths(one.scanpaths, other.scanpaths, measures=measures, names=(one.name, other.name))
    return replace(
        found,
        only_first=found.only_first + one.unsized,
        only_second=found.only_second + other.unsized,
        problems=one.problems + other.problems,
    )


def _read(
    first: str | Path,
    second: str | Path,
    columns: Sequence[Mapping[str, str] | None],
    units: Sequence[str | None],
) -> tuple[ScanpathFile, ScanpathFile]:
    """Read two files of scanpaths; a table that does not say how large its pictures are takes it from the other."""
    try:
        one = read_scanpaths(first, columns=columns[0], unit=units[0])
    except UnknownSizeError as unknown:
        try:
            other = read_scanpaths(second, columns=columns[1], unit=units[1])
        except UnknownSizeError:
            raise unknown from None
        return read_scanpaths(first, columns=columns[0], unit=units[0], sizes=other.sizes()), other
    return one, read_scanpaths(second, columns=columns[1], unit=units[1], sizes=one.sizes())


def _by_picture(*tables: Sequence[Scanpath]) -> list[dict[str, list[Scanpath]]]:
    """Sort paths by picture, under the shortest name that keeps each table's pictures apart."""
    sources = [dict.fromkeys(path.source for path in table) for table in tables]
    clash = any(max(Counter(map(picture_name, some)).values(), default=1) > 1 for some in sources)
    found: list[dict[str, list[Scanpath]]] = []
    for table in tables:
        pictures: dict[str, list[Scanpath]] = {}
        for path in table:
            pictures.setdefault(path.source if clash else picture_name(path.source), []).append(path)
        found.append(pictures)
    return found


def _same_size(key: str, ours: list[Scanpath], theirs: list[Scanpath], names: tuple[str, str]) -> None:
    seen = [(path.size, name) for paths, name in ((ours, names[0]), (theirs, names[1])) for path in paths]
    size, name = seen[0]
    for other, place in seen:
        if other != size:
            raise ValueError(
                f"picture {key} has {size[0]}x{size[1]} pixels in {name} and {other[0]}x{other[1]} in {place}: "
                "bring both to one size, for instance with Scanpath.scaled"
            )


def _spelled_out(measures: Sequence[str] | None, paths: Sequence[Scanpath]) -> list[str] | None:
    """Write ``multimatch`` as the names of its parts."""
    if measures is None:
        return None
    timed = all(path.duration is not None for path in paths)
    parts = [name for name in HEADLINE if name.startswith(f"{_MULTIMATCH}_") and (timed or name not in TIMED)]
    return list(dict.fromkeys(part for name in measures for part in (parts if name == _MULTIMATCH else [name])))


def _some(names: Iterable[str]) -> str:
    few = list(names)
    return ", ".join(few[:3]) + (" ..." if len(few) > 3 else "")

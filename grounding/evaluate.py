"""Measure a pointer on annotated screens: accuracy by cell, intervals, baselines, time."""

import hashlib
import json
import math
import platform
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from foveate.errors import sentence
from foveate.grounding.pointing import Pointer
from foveate.grounding.screenspot import KINDS, PLATFORMS, Sample

PACKAGES = ("foveate", "torch", "timm", "numpy", "pillow", "safetensors")


@dataclass(frozen=True)
class Score:
    """What became of one sample.

    Args:
        sample: The question.
        hit: Whether the click lies in the box.
        hit3: Whether one of the first three regions' points does.
        centre: Whether the centre of the screen does.
        chance: Probability that a uniformly random point does.
        ms: Milliseconds for a picture and one sentence; None when the picture failed.
    """

    sample: Sample
    hit: bool
    hit3: bool
    centre: bool
    chance: float
    ms: float | None


@dataclass(frozen=True)
class Report:
    """A whole measurement.

    Args:
        result: What goes into the result file.
        macro_ci95: Bootstrap interval of the macro average, by picture.
        failures: Pictures that could not be used, one sentence each; their samples count as misses.
    """

    result: dict[str, Any]
    macro_ci95: tuple[float, float]
    failures: tuple[str, ...]


def wilson(hits: int, total: int, z: float = 1.959964) -> tuple[float, float]:
    """Interval of a share.

    Args:
        hits: Successes.
        total: Trials, at least 1.
        z: Normal quantile; the default gives 95 %.

    Returns:
        Lower and upper end, 0 to 1.

    Source: Wilson 1927, the score interval without continuity correction.
    """
    if total < 1 or not 0 <= hits <= total:
        raise ValueError(f"hits must lie between 0 and total, and total be at least 1, got {hits} of {total}")
    share, z2 = hits / total, z * z / total
    middle = share + z2 / 2
    half = z * math.sqrt(share * (1 - share) / total + z2 / (4 * total))
    return max(0.0, (middle - half) / (1 + z2)), min(1.0, (middle + half) / (1 + z2))


def evaluate(
    pointer: Pointer,
    samples: Sequence[Sample],
    annotations: Sequence[str | Path],
    images: str | Path,
    partial: Path | None = None,
    resume: bool = False,
) -> Report:
    """Ask every question and count.

    Args:
        pointer: The model.
        samples: From ``load_samples``.
        annotations: The files they came from, for the checksum.
        images: Folder of the pictures; each is encoded once for all its sentences.
        partial: File that keeps the scores as they come; removed at the end.
        resume: Take over what ``partial`` holds already.

    Returns:
        The measurement.

    Raises:
        ValueError: No samples, or ``partial`` belongs to other data or another model.
    """
    if not samples:
        raise ValueError("there are no samples to measure on: give annotations with at least one entry")
    folder = Path(images)
    groups: dict[str, list[Sample]] = {}
    for sample in samples:
        groups.setdefault(sample.image, []).append(sample)
    digest = checksum(annotations, [folder / name for name in groups])
    key = {"data_sha256": digest, "model": pointer.model_name, "weights_sha256": pointer.weights_sha256() or ""}
    scores = _read_partial(partial, key, samples) if resume else {}
    append = _open_partial(partial, key, scores.values())
    failures = []
    for name, group in tqdm(groups.items(), desc="pictures", unit="picture", disable=None):
        todo = [sample for sample in group if sample.where not in scores]
        if not todo:
            continue
        try:
            fresh = _score_picture(pointer, folder / name, todo)
        except (ValueError, TypeError, RuntimeError, OSError) as error:
            message = sentence(error)
            failures.append(message if name in message else f"{name}: {message}")
            fresh = [Score(sample, False, False, False, 0.0, None) for sample in todo]
        else:
            append(fresh)
        scores.update({score.sample.where: score for score in fresh})
    report = summarise([scores[sample.where] for sample in samples], pointer, digest, failures)
    if partial is not None and not failures:
        partial.unlink(missing_ok=True)
    return report


def _score_picture(pointer: Pointer, path: Path, group: Sequence[Sample]) -> list[Score]:
    start = time.perf_counter()
    look = pointer.look(path)
    looked = time.perf_counter()
    width, height = look.size
    for sample in group:
        x, y = (sample.box[0] + sample.box[2]) / 2, (sample.box[1] + sample.box[3]) / 2
        if not (0 <= x <= width and 0 <= y <= height):
            raise ValueError(
                f"{sample.where} has its box outside the {width}x{height} picture: bbox is [x, y, width, height]"
            )
    answers = pointer.ask(look, [sample.instruction for sample in group])
    ms = 1000 * (looked - start + (time.perf_counter() - looked) / len(group))
    scores = []
    for sample, answer in zip(group, answers, strict=True):
        hits = [sample.contains(region.point.x, region.point.y) for region in answer.regions[:3]]
        left, top, right, bottom = sample.box
        inside = (min(right, width) - max(left, 0)) * (min(bottom, height) - max(top, 0))
        centre = sample.contains(width / 2, height / 2)
        scores.append(Score(sample, hits[0], any(hits), centre, inside / (width * height), ms))
    return scores


def summarise(scores: Sequence[Score], pointer: Pointer, digest: str, failures: Sequence[str] = ()) -> Report:
    """Count scores.

    Args:
        scores: One for each sample, at least one.
        pointer: The model they came from.
        digest: Checksum of the data.
        failures: Pictures that could not be used.

    Returns:
        The measurement.
    """
    cells = {}
    for where in PLATFORMS:
        for kind in KINDS:
            part = [s for s in scores if (s.sample.platform, s.sample.kind) == (where, kind)]
            if part:
                cells[f"{where}/{kind}"] = _cell(part)
    timed = {s.sample.image: s.ms for s in scores if s.ms is not None}
    whole = _cell(scores)
    result = {
        "samples": len(scores),
        "overall": {
            "micro": whole["accuracy"],
            "macro": _mean(cell["accuracy"] for cell in cells.values()),
            "ci95": whole["ci95"],
            "hit_at_3": whole["hit_at_3"],
        },
        "cells": cells,
        "baselines": {"screen_centre": whole["screen_centre"], "random_point": whole["random_point"]},
        "ms_per_image": _mean(timed.values()) if timed else None,
        "model": pointer.model_name,
        "prompt": pointer.prompt,
        "resize": pointer.resize,
        "data_sha256": digest,
        "versions": {"python": platform.python_version(), **{name: _version(name) for name in PACKAGES}},
    }
    return Report(result, _bootstrap_macro(scores), tuple(failures))


def _cell(scores: Sequence[Score]) -> dict[str, Any]:
    hits = sum(score.hit for score in scores)
    return {
        "samples": len(scores),
        "accuracy": hits / len(scores),
        "ci95": list(wilson(hits, len(scores))),
        "hit_at_3": _mean(score.hit3 for score in scores),
        "screen_centre": _mean(score.centre for score in scores),
        "random_point": _mean(score.chance for score in scores),
    }


def _bootstrap_macro(scores: Sequence[Score], rounds: int = 1000) -> tuple[float, float]:
    """Draw pictures, not samples: sentences about one picture are right and wrong together."""
    pictures = {name: i for i, name in enumerate(dict.fromkeys(s.sample.image for s in scores))}
    kinds = {cell: i for i, cell in enumerate(dict.fromkeys((s.sample.platform, s.sample.kind) for s in scores))}
    counts = np.zeros((len(pictures), len(kinds), 2))
    for s in scores:
        counts[pictures[s.sample.image], kinds[s.sample.platform, s.sample.kind]] += (s.hit, 1)
    weights = np.random.default_rng(0).multinomial(len(pictures), np.full(len(pictures), 1 / len(pictures)), rounds)
    drawn = np.einsum("rp,pcv->rcv", weights, counts)
    share = np.where(drawn[..., 1] > 0, drawn[..., 0] / np.maximum(drawn[..., 1], 1), np.nan)
    low, high = np.nanquantile(np.nanmean(share, axis=1), (0.025, 0.975))
    return float(low), float(high)


def format_report(report: Report) -> str:
    """Set a measurement as a table for the terminal.

    Args:
        report: From ``evaluate``.

    Returns:
        Lines of text.
    """
    result, rows = report.result, []
    rows.append(f"{'':14} {'samples':>7} {'accuracy':>9} {'95 %':>13} {'hit@3':>7} {'centre':>7} {'random':>7}")
    whole = {
        "samples": result["samples"],
        "accuracy": result["overall"]["micro"],
        **result["overall"],
        **result["baselines"],
    }
    for name, cell in [*result["cells"].items(), ("overall, micro", whole)]:
        low, high = cell["ci95"]
        rows.append(
            f"{name:14} {cell['samples']:7} {100 * cell['accuracy']:9.1f} {100 * low:6.1f}-{100 * high:<6.1f} "
            f"{100 * cell['hit_at_3']:7.1f} {100 * cell['screen_centre']:7.1f} {100 * cell['random_point']:7.2f}"
        )
    low, high = report.macro_ci95
    rows.append(
        f"{'overall, macro':14} {'':7} {100 * result['overall']['macro']:9.1f} {100 * low:6.1f}-{100 * high:<6.1f}"
    )
    speed = (
        f"{result['ms_per_image']:.0f} ms a picture with one sentence"
        if result["ms_per_image"]
        else "no picture measured"
    )
    rows.append(f"model {result['model']}, {speed}")
    return "\n".join(rows)


def write_result(report: Report, path: str | Path) -> None:
    """Write the result file, whole or not at all.

    Args:
        report: From ``evaluate``.
        path: JSON file.
    """
    target, draft = Path(path), Path(f"{path}.tmp")
    draft.write_text(json.dumps(report.result, indent=2) + "\n", encoding="utf-8")
    draft.replace(target)


def checksum(annotations: Iterable[str | Path], images: Iterable[Path]) -> str:
    """Compute a checksum of the data that a result was measured on.

    Args:
        annotations: The annotation files, in order.
        images: The pictures in use.

    Returns:
        SHA-256 over names and contents; a missing picture adds its name only.
    """
    digest = hashlib.sha256()
    for file in [*map(Path, annotations), *sorted(images)]:
        digest.update(file.name.encode())
        if file.is_file():
            digest.update(file.read_bytes())
    return digest.hexdigest()


def _read_partial(path: Path | None, key: dict[str, str], samples: Sequence[Sample]) -> dict[str, Score]:
    """Take over the scores of an interrupted run; a line cut in half is the end of it."""
    if path is None or not path.is_file():
        return {}
    first, *lines = path.read_text(encoding="utf-8").splitlines() or [""]
    if first != json.dumps(key):
        raise ValueError(f"{path} belongs to other data or another model: remove it, or leave out --resume")
    known = {sample.where: sample for sample in samples}
    scores = {}
    for line in lines:
        try:
            where, *rest = json.loads(line)
            scores[where] = Score(known[where], *rest)
        except (ValueError, TypeError, KeyError):
            break
    return scores


def _open_partial(path: Path | None, key: dict[str, str], scores: Iterable[Score]) -> Callable[[Iterable[Score]], None]:
    """Start the file of scores so far with those that are known; return what adds more."""

    def append(more: Iterable[Score]) -> None:
        if path is not None:
            rows = [json.dumps([s.sample.where, s.hit, s.hit3, s.centre, s.chance, s.ms]) for s in more]
            with path.open("a", encoding="utf-8") as file:
                file.writelines(f"{row}\n" for row in rows)

    if path is not None:
        path.write_text(json.dumps(key) + "\n", encoding="utf-8")
    append(scores)
    return append


def _mean(values: Iterable[float]) -> float:
    numbers = list(values)
    return float(sum(numbers) / len(numbers))


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "unknown"

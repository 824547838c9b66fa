"""Let OAT look: greedy, sampled, or the likeliest whole path."""

import torch
from torch import Tensor

from foveate.scanpath.fixations import Scanpath
from foveate.scanpath.oat.layout import Layout
from foveate.scanpath.oat.model import OAT

__all__ = ["roll_out", "search_path"]


@torch.no_grad()
def roll_out(
    model: OAT,
    crops: Tensor | None,
    target: Tensor,
    *,
    most: int = 20,
    sample: bool = False,
    beams: int = 1,
    seed: int = 0,
) -> list[list[int]]:
    """Generate paths.

    Args:
        model: In eval mode.
        crops: As for ``OAT.appearance``.
        target: (batch,) ids of what is looked for.
        most: Objects of a path, at most.
        sample: Whether to draw each step from its probabilities; the likeliest is taken otherwise.
        beams: Paths kept beside each other while the likeliest whole one is sought; 1 for greedy.
        seed: Of the drawing.

    Returns:
        Ids of the objects of each path, at least one; the end is cut off.

    Raises:
        ValueError: ``most`` or ``beams`` is below 1, beams are to be sampled, or a target is no object.

    Source: OAT, ECCV 2024: the first step cannot end a path. Beams are an addition.
    """
    if most < 1 or beams < 1 or (sample and beams > 1):
        raise ValueError(f"most and beams must be at least 1 and only single paths are drawn, got {most} and {beams}")
    if not ((target >= 0) & (target < model.objects)).all():
        raise ValueError(f"targets must be objects 0 to {model.objects - 1}, got {target.tolist()}")
    generator = torch.Generator().manual_seed(seed)
    looks = model.appearance(crops, len(target))
    memory = model.encode(looks, target)
    if beams > 1:
        return [
            _beam(model, memory[:, i : i + 1], looks[i : i + 1], target[i : i + 1], most, beams)
            for i in range(len(target))
        ]
    ids = target.new_full((len(target), 1), model.start)
    for step in range(most):
        chances = _next(model, memory, looks, ids, target, step).exp()
        drawn = torch.multinomial(chances.cpu(), 1, generator=generator) if sample else chances.argmax(1, keepdim=True)
        ids = torch.cat([ids, drawn.to(ids)], 1)
        if (ids == model.end).any(1).all():
            break
    return [_cut(path, model.end) for path in ids[:, 1:].tolist()]


def _next(model: OAT, memory: Tensor, looks: Tensor, ids: Tensor, target: Tensor, step: int) -> Tensor:
    """Log-probabilities of what comes next (batch, P + 1): padding never, the end not at once."""
    logits = model.decode(memory, looks, ids, target)[:, -1, : model.objects + 1]
    if step == 0:
        logits[:, model.end] = -torch.inf
    return logits.log_softmax(-1)


def _beam(model: OAT, memory: Tensor, looks: Tensor, target: Tensor, most: int, beams: int) -> list[int]:
    """Find the likeliest path among those kept."""
    paths, scores = target.new_full((1, 1), model.start), memory.new_zeros(1)
    ended: list[tuple[float, list[int]]] = []
    for step in range(most):
        count = len(paths)
        chances = _next(
            model, memory.expand(-1, count, -1), looks.expand(count, -1, -1), paths, target.expand(count), step
        )
        total = (scores[:, None] + chances).flatten()
        best = total.topk(min(2 * beams, len(total)))
        ids = best.indices % chances.shape[1]
        longer = torch.cat([paths[best.indices // chances.shape[1]], ids[:, None].to(paths)], 1)
        done = ids == model.end
        ended += [(float(s), p[1:-1].tolist()) for s, p in zip(best.values[done], longer[done], strict=True)]
        paths, scores = longer[~done][:beams], best.values[~done][:beams]
        if ended and max(score for score, _ in ended) >= float(scores.max()):
            break
    return max([*ended, (float(scores[0]), paths[0, 1:].tolist())])[1]


def _cut(path: list[int], end: int) -> list[int]:
    return path[: path.index(end)] if end in path else path


def search_path(
    model: OAT,
    layout: Layout,
    target: int,
    crops: Tensor | None = None,
    *,
    most: int = 20,
    sample: bool = False,
    beams: int = 1,
    seed: int = 0,
) -> Scanpath:
    """Look for one object among others.

    Args:
        model: Made for any layout.
        layout: Where the objects are.
        target: Number of the object that is looked for.
        crops: (P, height, width, 3) of the objects, or None.
        most: As for ``roll_out``.
        sample: As for ``roll_out``.
        beams: As for ``roll_out``.
        seed: As for ``roll_out``.

    Returns:
        Path over the middles of the objects; ``details`` name them, and say whether the last is the target.

    Raises:
        ValueError: The layout has more rows or columns than the model knows, or the target is none of its objects.
    """
    model = model.on(layout)
    model.eval()
    given = None if crops is None else crops[None]
    ids = roll_out(
        model,
        given,
        torch.tensor([target], device=model.table.device),
        most=most,
        sample=sample,
        beams=beams,
        seed=seed,
    )[0]
    x, y = layout.centers[ids].T
    details = {"objects": ids, "target": target, "found": ids[-1] == target}
    return Scanpath(x, y, layout.size, task="search", observer="oat", trained=model.trained, details=details)

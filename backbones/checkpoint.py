"""Official checkpoints as they are published: out of their wrappers, under our keys, and none of them silently lost."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from torch import Tensor, nn

__all__ = ["fit_state", "take_indices"]

# Where training scripts put the weights; averaged ones are what their authors report.
_WRAPPERS = ("state_dict_ema", "model_ema", "ema", "state_dict", "model", "module")
# What wrappers of modules put before every key.
_PREFIXES = ("module.", "model.", "backbone.")


def fit_state(
    state: Mapping[str, Any],
    model: nn.Module,
    *,
    rename: Callable[[dict[str, Tensor]], dict[str, Tensor]] | None = None,
    drop: Sequence[str] = (),
    optional: Sequence[str] = (),
) -> dict[str, Tensor]:
    """Make a published state dict one that the model takes whole.

    A file of a dense predictor, whose keys begin with ``backbone.``, gives its backbone; its other heads stay out.

    Args:
        state: What ``torch.load`` gave: a state dict, bare or wrapped as training scripts do.
        model: The model to load into, registered with timm.
        rename: Translates the keys of another library, after wrappers and prefixes are gone.
        drop: Beginnings of keys that the model does without, such as an auxiliary head.
        optional: Beginnings of keys that may be missing, beside those of the classifier.

    Returns:
        State dict whose keys are those of the model, but for the classifier's where there is another or none.

    Raises:
        RuntimeError: Keys are missing, or left over; both are named.
    """
    found = _unwrapped(state)
    if rename is not None:
        found = rename(found)
    found = {key: value for key, value in found.items() if not key.startswith(tuple(drop))} if drop else found
    classifier = (getattr(model, "pretrained_cfg", None) or {}).get("classifier") or ()
    heads = (classifier,) if isinstance(classifier, str) else tuple(classifier)
    spared = (*(f"{head}." for head in heads), *optional)
    wanted = {key for key in model.state_dict() if not key.endswith("num_batches_tracked")}
    missing = sorted(key for key in wanted - found.keys() if not key.startswith(spared or ("\0",)))
    left = {key for key in found.keys() - wanted if not key.endswith("num_batches_tracked")}
    unexpected = sorted(key for key in left if not key.startswith(spared or ("\0",)))
    if missing or unexpected:
        raise RuntimeError(
            f"the checkpoint is not one of this model: {_named('missing', missing)}, "
            f"{_named('unexpected', unexpected)}; create the model whose weights these are"
        )
    return found


def _unwrapped(state: Mapping[str, Any]) -> dict[str, Tensor]:
    """Take the tensors out of dicts around them, and common prefixes off their keys."""
    inner = next((state[name] for name in _WRAPPERS if isinstance(state.get(name), Mapping)), None)
    if inner is not None:
        return _unwrapped(inner)
    tensors = {key: value for key, value in state.items() if isinstance(value, Tensor)}
    for prefix in _PREFIXES:
        # A dense predictor has heads beside its backbone; other wrappers are around everything.
        begins = [key.startswith(prefix) for key in tensors]
        if begins and (all(begins) or (prefix == "backbone." and any(begins))):
            stripped = {key.removeprefix(prefix): value for key, value in tensors.items() if key.startswith(prefix)}
            return _unwrapped(stripped)
    return tensors


def _named(what: str, keys: list[str], most: int = 8) -> str:
    more = f" and {len(keys) - most} more" if len(keys) > most else ""
    return f"{what} {', '.join(keys[:most]) or 'nothing'}{more}"


def take_indices(count: int, indices: int | Sequence[int] | None) -> tuple[list[int], int]:
    """Normalise a choice of stages, as timm's models take it.

    Args:
        count: Stages there are.
        indices: Their numbers, negative ones from the end; an int takes the last so many, None all.

    Returns:
        The numbers in the order given, and the largest of them.

    Raises:
        ValueError: A stage does not exist.
    """
    if indices is None:
        wanted = list(range(count))
    elif isinstance(indices, int):
        if not 1 <= indices <= count:
            raise ValueError(f"1 to {count} stages can be taken, got {indices}")
        wanted = list(range(count - indices, count))
    else:
        wanted = [index + count if index < 0 else index for index in indices]
    if not wanted or any(not 0 <= index < count for index in wanted):
        raise ValueError(f"stages must lie in 0 to {count - 1}, or count from the end, got {indices}")
    return wanted, max(wanted)

"""Put an attention module into a convolutional network of timm, at places given by name."""

import difflib
from collections.abc import Callable, Sequence
from fnmatch import fnmatchcase

import torch
from torch import Tensor, nn
from torch.func import functional_call

__all__ = ["attach_attention", "insert_attention"]

# Attributes where timm's blocks have room for an attention module; they are None or Identity when there is none.
_SLOTS = ("se", "attn", "attn_last")


def insert_attention(model: nn.Module, make: Callable[[int], nn.Module], places: Sequence[str]) -> nn.Module:
    """Insert an attention module after, or in, each of several modules of a network.

    Works on models from ``timm.create_model``, with ``features_only=True`` too. Load pretrained weights first: the
    keys of a module that gets wrapped change (see ``attach_attention``). For example, for ELA in every block of
    ResNet-50::

        insert_attention(model, EfficientLocalAttention, ["layer*.*.se"])

    Args:
        model: The network; it is changed. Its modules give maps, (batch, channels, height, width).
        make: Makes a module that keeps the shape of such maps, from their number of channels.
        places: Names as in ``model.named_modules()``, or of an empty slot for attention such as ``layer1.0.se``. A
            part between dots may be a pattern: ``layer*.*.bn3`` is every bn3 of a ResNet's blocks.

    Returns:
        The model.

    Raises:
        ValueError: A place does not exist, gives no map or cannot be extended; the model is unchanged then.
        TypeError: ``make`` gives something that is no module.

    Source: ours; the papers insert by hand.
    """
    if isinstance(places, str):
        raise TypeError(f"places must be a list of names, got the text {places!r}: write [{places!r}]")
    names = _expand(model, places)
    for name in names:
        _check(model, name)
    channels = _channels(model, names)
    weight = next(model.parameters())
    modules = {name: make(channels[name]) for name in names}
    for name, module in modules.items():
        if not isinstance(module, nn.Module):
            raise TypeError(f"make must return a module, got {type(module).__name__} for {name}: return an nn.Module")
        modules[name] = module.to(weight.device, weight.dtype).train(model.training)
    # A module is wrapped after those inside it, whose names would change.
    for name in sorted(names, key=lambda name: -name.count(".")):
        attach_attention(model, name, modules[name])
    return model


def attach_attention(model: nn.Module, place: str, attention: nn.Module) -> None:
    """Insert one module at one place.

    - A slot for attention (``se``, ``attn``) that is empty is filled: no other key changes.
    - To an ``nn.Sequential``, such as a stage, the module is appended: no other key changes.
    - Anything else becomes ``nn.Sequential(place, attention)``: keys of the place gain a ``0``.

    Args:
        model: The network; it is changed.
        place: Name as in ``model.named_modules()``, or of an empty slot.
        attention: The module; takes the place's output and keeps its shape.

    Raises:
        ValueError: The place does not exist, is a pattern or cannot be extended.
    """
    names = _expand(model, [place])
    if names != [place]:
        raise ValueError(f"{place!r} is a pattern of {len(names)} places: name one, or use insert_attention")
    _check(model, place)
    parent, leaf = _split(model, place)
    module = getattr(parent, leaf)
    if leaf in _SLOTS and (module is None or isinstance(module, nn.Identity)):
        setattr(parent, leaf, attention)
    elif type(module) is nn.Sequential:
        module.append(attention)
    else:
        setattr(parent, leaf, nn.Sequential(module, attention))


def _split(model: nn.Module, place: str) -> tuple[nn.Module, str]:
    """Return the module that holds a place, and the attribute it is."""
    parent, _, leaf = place.rpartition(".")
    return model.get_submodule(parent), leaf


def _expand(model: nn.Module, places: Sequence[str]) -> list[str]:
    """Write patterns out as names, each once."""
    known = []
    for name, module in model.named_modules():
        known += [name] if name else []
        # timm leaves an empty slot as a plain attribute that is None, which is no submodule.
        known += [f"{name}.{slot}".lstrip(".") for slot in _SLOTS if getattr(module, slot, 0) is None]
    found: dict[str, None] = {}
    for place in places:
        matches = [name for name in known if _matches(name, place)]
        if not matches:
            close = difflib.get_close_matches(place, known, n=3)
            hint = f"did you mean {', '.join(close)}" if close else "see model.named_modules() for the names"
            raise ValueError(f"{type(model).__name__} has no module {place!r}: {hint}")
        found.update(dict.fromkeys(matches))
    return list(found)


def _matches(name: str, pattern: str) -> bool:
    parts, wanted = name.split("."), pattern.split(".")
    return len(parts) == len(wanted) and all(fnmatchcase(a, b) for a, b in zip(parts, wanted, strict=True))


def _check(model: nn.Module, name: str) -> None:
    """Refuse places where another module would change what the model counts or records."""
    parent, leaf = _split(model, name)
    module = getattr(parent, leaf)
    info = getattr(model, "feature_info", [])
    stages = [entry.get("module", "") for entry in getattr(info, "info", info)]
    if type(module) in (nn.ModuleList, nn.ModuleDict):
        raise ValueError(f"{name} is a list of modules, whose output is not its own: name one of them")
    if any(stage.rpartition(".")[0] == name for stage in stages):
        raise ValueError(f"{name} holds the stages of the model, which it counts: name its last one instead")
    if module is not None and type(module) is not nn.Sequential and module._forward_hooks:
        raise ValueError(
            f"{name} has hooks, which would miss the attention: create the model with feature_cls='getter'"
        )


@torch.no_grad()
def _channels(model: nn.Module, names: Sequence[str]) -> dict[str, int]:
    """Find the channels of places by a run without numbers: on the meta device, with the model left as it is."""
    shapes: dict[str, tuple[int, ...]] = {}
    empty = [name for name in names if getattr(*_split(model, name)) is None]
    for name in empty:
        setattr(*_split(model, name), nn.Identity())

    def record(name: str) -> Callable[[nn.Module, tuple[Tensor, ...], Tensor], None]:
        def hook(module: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
            shapes[name] = tuple(output.shape) if isinstance(output, Tensor) else ()

        return hook

    hooks = [model.get_submodule(name).register_forward_hook(record(name)) for name in names]
    tensors = {**dict(model.named_parameters()), **dict(model.named_buffers())}
    try:
        # Two pictures, for a BatchNorm that trains on maps of one position has nothing to norm in one.
        picture = torch.empty(2, *_input_size(model), device="meta", dtype=next(model.parameters()).dtype)
        functional_call(model, {key: tensor.to("meta") for key, tensor in tensors.items()}, (picture,))
    finally:
        for hook in hooks:
            hook.remove()
        for name in empty:
            parent, leaf = _split(model, name)
            delattr(parent, leaf)
            setattr(parent, leaf, None)
    for name in names:
        if len(shapes.get(name, ())) != 4:
            got = shapes[name] or "something else" if name in shapes else "nothing, as it is not called"
            raise ValueError(f"{name} must give maps of 4 dimensions, got {got}: name a module that gives maps")
    return {name: shapes[name][1] for name in names}


def _input_size(model: nn.Module) -> tuple[int, int, int]:
    """Say what pictures a model takes; wrappers for features do not know their channels, but have the first layer."""
    config = getattr(model, "pretrained_cfg", None) or {}
    channels, height, width = config.get("input_size", (3, 224, 224))
    first = dict(model.named_modules()).get(str(config.get("first_conv")))
    channels = getattr(model, "in_chans", getattr(first, "in_channels", channels))
    return channels, height, width

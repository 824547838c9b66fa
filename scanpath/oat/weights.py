"""Files of OAT's weights: one tensor file that also says which network they are of."""

import json
from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from foveate.scanpath.oat.model import OAT
from foveate.scanpath.oat.searching import Find, Objects, ObjectSearch

__all__ = ["load_oat", "read_oat", "save_oat"]

_TABLE = "position_table"
_HOW = "train them with scripts/train_oat.py, and give oat:FILE"


def save_oat(path: str | Path, model: OAT, facts: Mapping[str, str] | None = None) -> None:
    """Write a model.

    Args:
        path: File, replaced where it exists; its folder is made.
        model: The network.
        facts: Where it comes from and on which terms: text that is kept in the file's header.
    """
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    state = {name: tensor.cpu().contiguous() for name, tensor in model.state_dict().items()}
    header = {**(facts or {}), "network": json.dumps(model.options), "trained": json.dumps(model.trained)}
    save_file({**state, _TABLE: model.table.cpu().contiguous()}, str(path), header)


def read_oat(path: str | Path, device: str = "cpu") -> OAT:
    """Read a model, in eval mode.

    Args:
        path: What ``save_oat`` wrote.
        device: cpu, cuda, ...

    Raises:
        RuntimeError: The file is missing, damaged, or of another model.
    """
    try:
        with safe_open(str(path), "pt") as file:
            header = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (not a dict)
    except (OSError, SafetensorError) as error:
        raise RuntimeError(f"{path} cannot be read as weights of OAT ({error}): {_HOW}") from None
    try:
        options = json.loads(header["network"])
        model = OAT(table=tensors.pop(_TABLE), **{**options, "crop": tuple(options["crop"])})
        model.load_state_dict(tensors)
        model.trained = json.loads(header["trained"]) is True
    except (KeyError, TypeError, ValueError, RuntimeError):
        raise RuntimeError(f"{path} holds the weights of another model: {_HOW}") from None
    return model.to(torch.device(device)).eval()


def load_oat(
    device: str = "cpu",
    path: str | Path = "",
    *,
    objects: tuple[int, int] | Objects | None = None,
    find: Find | None = None,
    sample: bool = True,
) -> ObjectSearch:
    """Open OAT as a scanpath model.

    Args:
        device: cpu, cuda, ...
        path: File of weights.
        objects: See ``ObjectSearch``.
        find: See ``ObjectSearch``.
        sample: See ``ObjectSearch``.

    Raises:
        RuntimeError: There is no file, or it is none of OAT. No weights come with the package: the gaze they are
            learned from (Amazon covers, CC BY-NC-SA 4.0) must not be passed on under its licence.
    """
    if not str(path):
        raise RuntimeError(f"no weights of OAT come with the package (its gaze data are CC BY-NC-SA): {_HOW}")
    return ObjectSearch(read_oat(path, device), objects=objects, find=find, sample=sample)

"""Checkpoints of NAT and DiNAT: the authors' files, those of dense predictors, and those on the Hugging Face hub."""

import re
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from foveate.backbones.checkpoint import fit_state

__all__ = ["fit_nat_state"]

# Names of transformers, and ours; applied one after the other.
_TRANSFORMERS = tuple(
    (re.compile(theirs), ours)
    for theirs, ours in (
        (r"^(?:dinat|nat)\.", ""),
        (r"^embeddings\.patch_embeddings\.projection\.", "patch_embed.proj."),
        (r"^embeddings\.norm\.", "patch_embed.norm."),
        (r"^encoder\.levels\.(\d+)\.layers\.", r"levels.\1.blocks."),
        (r"^encoder\.", ""),
        (r"\.layernorm_before\.", ".norm1."),
        (r"\.layernorm_after\.", ".norm2."),
        (r"\.attention\.self\.", ".attn."),
        (r"\.attention\.output\.dense\.", ".attn.proj."),
        (r"\.intermediate\.dense\.", ".mlp.fc1."),
        (r"\.output\.dense\.", ".mlp.fc2."),
        (r"^layernorm\.", "norm."),
        (r"^classifier\.", "head."),
    )
)


def fit_nat_state(state: Mapping[str, Any], model: nn.Module) -> dict[str, Tensor]:
    """Make a published state dict one that a model of this family takes whole.

    Args:
        state: What ``torch.load`` gave: the authors' keys or those of transformers, bare or wrapped.
        model: The model to load into. Where it norms the map of each stage (``out_norms``) and the file is that of a
            classifier, those norms stay as they are, since dense predictors start so too.

    Returns:
        State dict with the model's keys.

    Raises:
        RuntimeError: Keys are missing or left over, or the windows are of another size.
    """

    def rename(found: dict[str, Tensor]) -> dict[str, Tensor]:
        if any("encoder.levels." in key for key in found):
            found = _from_transformers(found)
        # Where a pair of patches looks its bias up follows from the grid.
        found = {key: value for key, value in found.items() if not key.endswith(".relative_position_index")}
        return _with_fresh_norms(found, model) if getattr(model, "out_norms", False) else found

    fitted = fit_state(state, model, rename=rename)
    own = model.state_dict()
    for key, value in fitted.items():
        if key.endswith(".rpb") and key in own and value.shape != own[key].shape:
            raise RuntimeError(
                f"{key} is {tuple(value.shape)} in the checkpoint and {tuple(own[key].shape)} in the model: "
                f"create the model with {value.shape[0]} heads there and kernel_size={(value.shape[-1] + 1) // 2}"
            )
    return fitted


def _from_transformers(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Give keys of transformers the authors' names, and join what it splits."""
    renamed: dict[str, Tensor] = {}
    for name, value in state.items():
        for theirs, ours in _TRANSFORMERS:
            name = theirs.sub(ours, name)
        if name.endswith(".layer_scale_parameters"):
            block = name.removesuffix("layer_scale_parameters")
            renamed[f"{block}gamma1"], renamed[f"{block}gamma2"] = value.unbind()
        else:
            renamed[name] = value
    for name in [name for name in renamed if ".attn.query." in name]:
        parts = [name.replace(".query.", f".{part}.") for part in ("query", "key", "value")]
        # One that is missing is left to the check of keys, which names it.
        if all(part in renamed for part in parts):
            renamed[name.replace(".query.", ".qkv.")] = torch.cat([renamed.pop(part) for part in parts])
    return renamed


def _with_fresh_norms(state: dict[str, Tensor], model: nn.Module) -> dict[str, Tensor]:
    """Let a classifier's weights start a dense predictor: without the last norm, with the model's own norms."""
    norm = re.compile(r"norm\d+\.")
    if "norm.weight" not in state or any(norm.match(key) for key in state):
        return state
    own = {key: value for key, value in model.state_dict().items() if norm.match(key)}
    return {key: value for key, value in state.items() if not key.startswith("norm.")} | own

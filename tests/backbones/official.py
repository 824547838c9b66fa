"""What tests of all families do with the authors' files and with what their code answered."""

from pathlib import Path
from typing import Any

import timm
import torch
from torch import Tensor, nn


def assert_close(ours: Tensor, golden: Tensor, tolerance: float = 1e-4) -> None:
    """Compare with what the authors' code answered, to a part of its standard deviation."""
    assert ours.shape == golden.shape
    assert (ours - golden).abs().max() <= tolerance * golden.std()


def load(name: str, state: Any, folder: Path, **arguments: Any) -> nn.Module:
    """Create a model with the weights of a file, as users do."""
    path = folder / "weights.pth"
    torch.save(state, path)
    try:
        model = timm.create_model(name, pretrained=True, pretrained_cfg_overlay={"file": str(path)}, **arguments)
    finally:
        path.unlink()
    return model.eval()

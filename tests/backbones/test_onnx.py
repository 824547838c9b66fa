"""Models leave for ONNX without any operator of this package, and answer there as here."""

from pathlib import Path
from typing import Any

import pytest
import timm
import torch
from torch import nn

import foveate.backbones.biformer
import foveate.backbones.dinat_s
import foveate.backbones.ela
import foveate.backbones.lightnet
import foveate.backbones.nat
import foveate.backbones.overlock
import foveate.backbones.patnet
import foveate.backbones.ulsam  # noqa: F401

# Small models of every kind of attention: arguments, and the side of the picture.
MODELS: dict[str, tuple[dict[str, Any], int]] = {
    "biformer_tiny": ({"depths": (1, 1, 1, 1), "dims": (32, 32, 64, 64)}, 112),
    "biformer_stl_nchw": ({"depths": (1, 1, 1, 1), "dims": (32, 32, 64, 64)}, 72),
    "dinat_mini": ({"depths": (1, 1, 1, 1), "embed_dim": 32, "dilations": [[2], [1], [1], [1]]}, 64),
    "lightnet_tiny": ({"depth": 2}, 64),
    "nat_mini": ({"depths": (1, 1, 1, 1), "embed_dim": 32}, 64),
    "overlock_xt": (
        {
            "depths": (1, 1, 1, 1),
            "sub_depths": (2, 2),
            "dims": (16, 16, 32, 32),
            "kernel_sizes": (7, 5, 7, 5),
            "sub_num_heads": (1, 2),
        },
        64,
    ),
    "patnet_t0": ({"depths": (1, 1, 1, 1), "spatial_attn": True}, 64),
    "resnet18_ela_b": ({}, 64),
    "mobilenetv1_ulsam_r11_g4_050": ({}, 64),
}
FUSED = ("biformer_tiny", "biformer_stl_nchw", "dinat_mini", "nat_mini", "overlock_xt")


def make(name: str) -> tuple[nn.Module, torch.Tensor]:
    """Small model, and a picture."""
    arguments, side = MODELS[name]
    torch.manual_seed(0)
    return timm.create_model(name, num_classes=5, **arguments).eval(), torch.randn(1, 3, side, side)


def operators(model: nn.Module, x: torch.Tensor) -> set[str]:
    """Namespaces of the operators that an exported model calls."""
    graph = torch.export.export(model, (x,)).graph
    return {str(node.target).partition(".")[0] for node in graph.nodes if node.op == "call_function"}


@pytest.mark.parametrize("name", FUSED)
def test_attention_is_plain_torch_inside_an_export_to_onnx(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    model, x = make(name)
    with torch.no_grad():
        assert "foveate" in operators(model, x)
        monkeypatch.setattr(torch.onnx, "is_in_onnx_export", lambda: True)
        assert operators(model, x) <= {"aten", "<built-in function getitem>"}


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", MODELS)
def test_models_answer_in_onnx_as_here(name: str, tmp_path: Path) -> None:
    for package in ("onnx", "onnxscript"):
        pytest.importorskip(package, reason=f"exports to ONNX need {package}")
    runtime = pytest.importorskip("onnxruntime", reason="ONNX models run in onnxruntime")
    model, x = make(name)
    program = torch.onnx.export(model, (x,), dynamo=True, verbose=False)
    assert program is not None
    program.save(tmp_path / "model.onnx")
    (found,) = runtime.InferenceSession(tmp_path / "model.onnx").run(None, {"x": x.numpy()})
    with torch.no_grad():
        wanted = model(x)
    assert (torch.from_numpy(found) - wanted).abs().max() <= 1e-4 * wanted.std()

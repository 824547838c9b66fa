"""Every family under the tools around a model: checkpoints, the Hugging Face format, compilers and exporters."""

import copy
from pathlib import Path
from typing import Any

import pytest
import timm
import torch
from safetensors.torch import load_file
from timm.models import save_for_hf
from torch import Tensor, nn

SIZE = 64


def create(name: str, **kwargs: Any) -> nn.Module:
    """Make a model in eval mode whose numbers are the same each time."""
    torch.manual_seed(0)
    return timm.create_model(name, **kwargs).eval()


def pictures(batch: int = 2) -> Tensor:
    return torch.randn(batch, 3, SIZE, SIZE, generator=torch.Generator().manual_seed(1))


def assert_near(ours: Tensor, other: Tensor, rtol: float = 1e-5) -> None:
    assert ours.shape == other.shape
    assert (ours - other).abs().max() <= rtol * other.abs().max()


def save(model: nn.Module, folder: Path) -> dict[str, str]:
    """Save weights; returns how timm is told to load them."""
    torch.save(model.state_dict(), folder / "weights.pth")
    return {"file": str(folder / "weights.pth")}


@torch.inference_mode()
def test_a_file_loads_whole(representative: str, tmp_path: Path) -> None:
    model = create(representative, num_classes=10)
    overlay = {**save(model, tmp_path), "num_classes": 10}
    torch.manual_seed(1)
    again = timm.create_model(representative, pretrained=True, pretrained_cfg_overlay=overlay).eval()
    assert all(torch.equal(value, again.state_dict()[key]) for key, value in model.state_dict().items())
    assert torch.equal(again(pictures()), model(pictures()))


@torch.inference_mode()
def test_a_file_starts_other_classes_and_channels(representative: str, tmp_path: Path) -> None:
    model = create(representative)
    overlay = save(model, tmp_path)
    gray = pictures()[:, :1]
    wanted = model.forward_features(gray.expand(-1, 3, -1, -1))
    torch.manual_seed(1)
    arguments = {"pretrained": True, "pretrained_cfg_overlay": overlay}
    other = timm.create_model(representative, num_classes=5, in_chans=1, **arguments).eval()
    assert_near(other.forward_features(gray), wanted, 1e-4)
    assert other(gray).shape == (2, 5)


@torch.inference_mode()
def test_a_file_starts_a_pyramid(representative: str, tmp_path: Path) -> None:
    model = create(representative)
    overlay = save(model, tmp_path)
    torch.manual_seed(1)
    arguments = {"pretrained": True, "pretrained_cfg_overlay": overlay}
    pyramid = timm.create_model(representative, features_only=True, **arguments).eval()
    indices = list(pyramid.feature_info.out_indices)
    wanted = model.forward_intermediates(pictures(), indices, intermediates_only=True)
    assert all(torch.equal(a, b) for a, b in zip(pyramid(pictures()), wanted, strict=True))


@torch.inference_mode()
def test_the_hugging_face_format_brings_all_back(representative: str, tmp_path: Path) -> None:
    model = create(representative, num_classes=10)
    save_for_hf(model, str(tmp_path), model_args={"num_classes": 10}, safe_serialization=True)
    assert set(load_file(tmp_path / "model.safetensors")) == set(model.state_dict())
    torch.manual_seed(1)
    again = timm.create_model(f"local-dir:{tmp_path}", pretrained=True).eval()
    assert type(again) is type(model)
    assert again.num_classes == 10
    assert torch.equal(again(pictures()), model(pictures()))


def test_checkpoints_hold_parameters_and_statistics_alone(representative: str) -> None:
    model = create(representative, device="meta")
    statistics = ("running_mean", "running_var", "num_batches_tracked")
    others = set(model.state_dict()) - {name for name, _ in model.named_parameters()}
    assert {key for key in others if not key.endswith(statistics)} == set()


@torch.inference_mode()
def test_copies_are_whole_and_apart(representative: str) -> None:
    model = create(representative, num_classes=10)
    wanted = model(pictures())
    copied = copy.deepcopy(model)
    for parameter in model.parameters():
        parameter.zero_()
    assert torch.equal(copied(pictures()), wanted)


@torch.inference_mode()
def test_compile_takes_the_whole_model(representative: str) -> None:
    torch.compiler.reset()
    model = create(representative, num_classes=10)
    compiled = torch.compile(model, backend="eager", fullgraph=True)
    assert_near(compiled(pictures()), model(pictures()))


@pytest.mark.slow
def test_compiled_models_learn_alike(representative: str) -> None:
    torch.compiler.reset()
    model = create(representative, num_classes=10, drop_path_rate=0.0)  # in eval mode, where nothing is left to chance
    parameter = next(model.parameters())
    found = []
    for forward in (model, torch.compile(model, backend="aot_eager", fullgraph=True)):
        parameter.grad = None
        forward(pictures()).square().sum().backward()
        found.append(parameter.grad)
    assert_near(found[1], found[0], 1e-4)


@torch.inference_mode()
def test_export_takes_the_whole_model(representative: str) -> None:
    model = create(representative, num_classes=10)
    batch = torch.export.Dim("batch", min=2, max=64)
    program = torch.export.export(model, (pictures(),), dynamic_shapes=({0: batch},))
    assert_near(program.module()(pictures(3)), model(pictures(3)))

"""What several tests need: golden answers of published implementations, a tiny model, a screenshot."""

import importlib.util
import os
import shutil
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

# Each worker has a core: more threads than that only wait for one another.
if "PYTEST_XDIST_WORKER" in os.environ:
    os.environ.setdefault("OMP_NUM_THREADS", "1")

# Without a GPU, Triton's kernels run in its interpreter, which has to be said before anything imports triton.
if not Path("/dev/nvidia0").exists() and shutil.which("nvidia-smi") is None:
    os.environ.setdefault("TRITON_INTERPRET", "1")
    os.environ.setdefault("TRITON_DEFAULT_FP_FUSION", "1")

import pytest
from PIL import Image, ImageDraw

if TYPE_CHECKING:
    from foveate.grounding.pointing import Pointer


def reference_folder() -> Path:
    """Folder of golden cases: FOVEATE_REFERENCE, or beside the checkout."""
    return Path(os.environ.get("FOVEATE_REFERENCE", Path(__file__).parents[2] / "shared" / "reference"))


def skip_unless_ci(reason: str) -> None:
    """Skip a test whose tools are not here; in CI, which has to have them, fail it."""
    if os.environ.get("CI"):
        pytest.fail(f"{reason} (CI needs it)")
    pytest.skip(reason)


@pytest.fixture(scope="session")
def golden() -> ModuleType:
    """Module that reads golden cases."""
    path = reference_folder() / "golden.py"
    if not path.exists():
        skip_unless_ci("the golden cases are not here: set FOVEATE_REFERENCE to their folder")
    spec = importlib.util.spec_from_file_location("foveate_golden", path)
    if spec is None or spec.loader is None:
        pytest.fail(f"{path.name} cannot be imported")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def tiny_weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Weights file of a small pointer with random weights, which loads and answers in no time."""
    import torch

    from foveate.grounding.model import PointConfig, PointModel, save_point_model

    torch.manual_seed(0)
    pieces = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", *"abcdefghijklmnopqrstuvwxyz", "save", "open", "close"]
    config = PointConfig(
        name="tiny", backbone="patnet_t0", neck_dim=48, match_dim=32, fuse_depth=1, text_dim=48, text_depth=1
    )
    path = tmp_path_factory.mktemp("weights") / "tiny.safetensors"
    save_point_model(PointModel(config, pieces), path)
    return path


@pytest.fixture(scope="session")
def tiny_pointer(tiny_weights: Path) -> "Pointer":
    """The small pointer, loaded."""
    from foveate.grounding.pointing import Pointer

    return Pointer(tiny_weights, "cpu")


@pytest.fixture
def shot(tmp_path: Path) -> Path:
    """A small picture with two buttons."""
    image = Image.new("RGB", (200, 120), "white")
    pen = ImageDraw.Draw(image)
    pen.rectangle((20, 20, 90, 50), fill="#1a64c8")
    pen.rectangle((110, 70, 180, 100), fill="#444444")
    path = tmp_path / "shot.png"
    image.save(path)
    return path

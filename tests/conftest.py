"""What several tests need: the golden answers of published implementations, where the folder is there."""

import importlib.util
import os
from pathlib import Path
from types import ModuleType

import pytest


def reference_folder() -> Path:
    """Folder of golden cases: FOVEATE_REFERENCE, or beside the checkout."""
    return Path(os.environ.get("FOVEATE_REFERENCE", Path(__file__).parents[2] / "shared" / "reference"))


@pytest.fixture(scope="session")
def golden() -> ModuleType:
    """Module that reads golden cases; its absence skips a test, but is a failure in CI, which has the folder."""
    path = reference_folder() / "golden.py"
    if not path.exists():
        if os.environ.get("CI") == "true":
            pytest.fail("the golden cases are missing in CI: set FOVEATE_REFERENCE to their folder")
        pytest.skip("the golden cases are not here: set FOVEATE_REFERENCE to their folder")
    spec = importlib.util.spec_from_file_location("foveate_golden", path)
    if spec is None or spec.loader is None:
        pytest.fail(f"{path.name} cannot be imported")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module

"""The models that the conformance tests ask, found by the modules that register them."""

import importlib
import pkgutil
from functools import lru_cache

import pytest

# Models of another class, or with other layers, than their family's smallest one.
ALSO = ("biformer_stl_nchw", "resnet18_ela_t", "vitrpb_small")


@lru_cache(maxsize=1)
def registered() -> dict[str, list[str]]:
    """Names of all models, by the module that registers them."""
    import timm

    import foveate.backbones

    modules = [name for _, name, is_package in pkgutil.iter_modules(foveate.backbones.__path__) if not is_package]
    for name in modules:
        importlib.import_module(f"foveate.backbones.{name}")
    return {name: timm.list_models(module=name) for name in modules if timm.list_models(module=name)}


def smallest(names: list[str]) -> str:
    """Name of the model with the fewest parameters."""
    import timm

    from foveate.backbones.catalog import BACKBONES

    known = {entry.name: entry.parameters for entry in BACKBONES}

    def parameters(name: str) -> int:
        return known.get(name) or sum(p.numel() for p in timm.create_model(name, device="meta").parameters())

    return min(names, key=parameters)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Give ``representative`` the smallest model of every family, and ``variant`` every model there is."""
    if "representative" in metafunc.fixturenames:
        names = [smallest(names) for names in registered().values()]
        metafunc.parametrize("representative", sorted({*names, *ALSO}))
    if "variant" in metafunc.fixturenames:
        metafunc.parametrize("variant", sorted(name for names in registered().values() for name in names))


@pytest.fixture
def registered_families() -> set[str]:
    """Modules of the room that register models."""
    return set(registered())

"""Backbones registered with timm: ``import foveate.backbones``, then ``timm.create_model``."""

from foveate.backbones import biformer, dinat_s, nat, nat_isotropic, patnet

__all__ = ["FAMILIES"]

# Modules that register models, by the names that ``timm.list_models(module=...)`` takes.
FAMILIES = ("biformer", "patnet", "nat", "dinat_s", "nat_isotropic")
_MODULES = (biformer, patnet, nat, dinat_s, nat_isotropic)

"""Backbones registered with timm: ``import foveate.backbones``, then ``timm.create_model``."""

from foveate.backbones import dinat_s, nat, nat_isotropic, patnet

__all__ = ["FAMILIES"]

# Modules that register models, by the names that ``timm.list_models(module=...)`` takes.
FAMILIES = ("patnet", "nat", "dinat_s", "nat_isotropic")
_MODULES = (patnet, nat, dinat_s, nat_isotropic)

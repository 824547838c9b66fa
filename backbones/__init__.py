"""Backbones registered with timm: ``import foveate.backbones``, then ``timm.create_model``."""

from foveate.backbones import biformer, dinat_s, ela, lightnet, nat, nat_isotropic, overlock, patnet, ulsam

__all__ = ["FAMILIES"]

# Modules that register models, by the names that ``timm.list_models(module=...)`` takes.
FAMILIES = ("biformer", "nat", "dinat_s", "nat_isotropic", "overlock", "patnet", "ulsam", "ela", "lightnet")
_MODULES = (biformer, nat, dinat_s, nat_isotropic, overlock, patnet, ulsam, ela, lightnet)

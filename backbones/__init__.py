"""Backbones registered with timm: ``import foveate.backbones``, then ``timm.create_model``."""

from foveate.backbones import patnet

__all__ = ["patnet"]

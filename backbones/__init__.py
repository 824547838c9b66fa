"""Backbones registered with timm: ``import foveate.backbones``, then ``timm.create_model``."""

"""Attention kernels: functions on tensors, differentiable, with a plain oracle beside each."""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from foveate.kernels.cost_model import simulate
    from foveate.kernels.depthwise.op import large_depthwise
    from foveate.kernels.dynamic.op import dynamic_neighborhood
    from foveate.kernels.neighborhood.merge import merge_attentions
    from foveate.kernels.neighborhood.natten import na1d, na2d, na3d
    from foveate.kernels.neighborhood.op import neighborhood_attention
    from foveate.kernels.routing.op import block_sparse_attention, routed_attention

__all__ = [
    "block_sparse_attention",
    "dynamic_neighborhood",
    "large_depthwise",
    "merge_attentions",
    "na1d",
    "na2d",
    "na3d",
    "neighborhood_attention",
    "routed_attention",
    "simulate",
]

# transformers imports a folder named kernels that it finds on sys.path, so nothing here may be slow or fail.
_HOME = {
    "block_sparse_attention": "routing.op",
    "dynamic_neighborhood": "dynamic.op",
    "large_depthwise": "depthwise.op",
    "merge_attentions": "neighborhood.merge",
    "na1d": "neighborhood.natten",
    "na2d": "neighborhood.natten",
    "na3d": "neighborhood.natten",
    "neighborhood_attention": "neighborhood.op",
    "routed_attention": "routing.op",
    "simulate": "cost_model",
}


def __getattr__(name: str) -> Any:
    """Import a function when it is first asked for."""
    if name not in _HOME:
        raise AttributeError(f"module 'foveate.kernels' has no attribute {name!r}: it has {', '.join(__all__)}")
    return getattr(importlib.import_module(f"foveate.kernels.{_HOME[name]}"), name)


def __dir__() -> list[str]:
    return sorted(__all__)

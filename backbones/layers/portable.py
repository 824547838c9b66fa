"""Exports that know none of this package's operators."""

import torch

__all__ = ["portable"]


def portable(backend: str | None) -> str | None:
    """Choose the backend of an attention module: plain torch while a model is traced or exported to ONNX.

    Args:
        backend: That the module has otherwise.

    Returns:
        "reference" inside ``torch.onnx.export``, since ONNX has operators of its own only, and ``torch.jit.trace``,
        which knows no lists of bools; ``backend`` elsewhere.
    """
    elsewhere = torch.onnx.is_in_onnx_export() or torch.jit.is_tracing()  # type: ignore[attr-defined]
    return "reference" if elsewhere else backend

"""Losses of a pointer: agreement with the labels, and attention kept off the background."""

import torch
from torch import Tensor


def pointer_loss(attention: Tensor, labels: Tensor) -> Tensor:
    """Divergence of the attention from the normalised labels.

    Args:
        attention: Rows that sum to 1, (pointers, patches).
        labels: Not negative, same shape; a row of zeros adds nothing.

    Returns:
        KL(labels / sum || attention), summed over patches, mean over pointers.

    Source: GUI-Actor (arXiv 2506.03143), eq. of the action loss.
    """
    target = labels / (labels.sum(-1, keepdim=True) + 1e-8)
    log_attention = attention.clamp(min=torch.finfo(attention.dtype).tiny).log()
    return (torch.special.xlogy(target, target) - target * log_attention).sum() / len(attention)


def suppression_loss(attention: Tensor, labels: Tensor) -> Tensor:
    """Attention that falls on patches without a label: mean over pointers, 0 to 1.

    Args:
        attention: Rows that sum to 1, (pointers, patches).
        labels: Not negative, same shape.

    Source: V2P (arXiv 2508.13634), background suppression.
    """
    return (attention * (labels == 0)).sum(-1).mean()


def v2p_loss(attention: Tensor, labels: Tensor) -> Tensor:
    """Divergence plus suppression, both with weight 1; arguments as in ``pointer_loss``.

    Source: V2P (arXiv 2508.13634).
    """
    return pointer_loss(attention, labels) + suppression_loss(attention, labels)

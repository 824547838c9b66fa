"""Fold batch norms into the convolutions before them, for faster inference at the same numbers."""

import copy
from itertools import pairwise

from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

# Attribute pairs of modules that are no Sequential: the second follows directly on the first.
_PAIRS = (("proj", "norm"), ("reduction", "norm"))


def fold_batch_norms(module: nn.Module) -> nn.Module:
    """Return a copy in which every convolution that a batch norm follows has taken it in.

    Args:
        module: In eval mode: running statistics are taken as they are.

    Returns:
        A module for inference alone: its state keys are other ones.

    Raises:
        ValueError: The module is in training mode.

    Source: the usual identity, w' = w g / s and b' = (b - m) g / s + beta with s = sqrt(var + eps).
    """
    if module.training:
        raise ValueError("batch norms can only be folded in eval mode: call module.eval() first")
    folded = copy.deepcopy(module)
    for child in list(folded.modules()):
        if isinstance(child, nn.Sequential):
            names = list(child._modules)
            pairs = list(pairwise(names))
        else:
            pairs = [pair for pair in _PAIRS if all(hasattr(child, name) for name in pair)]
        for first, second in pairs:
            convolution, norm = getattr(child, first), getattr(child, second)
            if isinstance(convolution, nn.Conv2d) and isinstance(norm, nn.BatchNorm2d):
                setattr(child, first, fuse_conv_bn_eval(convolution, norm))
                setattr(child, second, nn.Identity())
    return folded

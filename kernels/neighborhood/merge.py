"""Join attention over parts of the keys into attention over all of them."""

from collections.abc import Sequence

import torch
from torch import Tensor


def merge_attentions(
    outputs: Sequence[Tensor],
    lse_tensors: Sequence[Tensor],
    torch_compile: bool = False,
    use_autograd_fix: bool = True,
) -> tuple[Tensor, Tensor]:
    """Merge what the same queries got from disjoint sets of keys, as if one softmax went over all of them.

    Gradients are those of the formula, for the outputs and for the logsumexps, whatever computed the parts; so the
    parts must pass on the gradient of their logsumexp, as ``neighborhood_attention`` does.

    Args:
        outputs: Two or more tensors (..., heads, dim) of one shape and type.
        lse_tensors: Their natural logarithms of the softmax's denominator, (..., heads); minus infinity where a query
            saw nothing of a part.
        torch_compile: Taken for NATTEN's sake, and ignored.
        use_autograd_fix: Taken for NATTEN's sake, and ignored: NATTEN overwrites saved tensors of the parts to get
            their gradients, and there is nothing to mend here.

    Returns:
        Merged output, of the parts' type, and merged logsumexp, float32 or wider.

    Raises:
        TypeError: The parts are no lists of tensors, or of several types.
        ValueError: There are fewer than two parts, or shapes differ.
    """
    _check(outputs, lse_tensors)
    wide = torch.promote_types(outputs[0].dtype, torch.float32)
    lses = [lse.to(torch.promote_types(lse.dtype, wide)) for lse in lse_tensors]
    top = torch.stack([lse.detach() for lse in lses]).amax(0)
    # A query that saw nothing at all has no maximum; its output is 0 and its logsumexp minus infinity.
    top = top.masked_fill(top == float("-inf"), 0.0)
    weights = [(lse - top).exp() for lse in lses]
    total = _sum(weights)
    merged = _sum([weight[..., None] * output.to(wide) for weight, output in zip(weights, outputs, strict=True)])
    nothing = total == 0
    total = total.masked_fill(nothing, 1.0)
    lse = (total.log() + top).masked_fill(nothing, float("-inf"))
    return (merged / total[..., None]).to(outputs[0].dtype), lse


def _sum(parts: list[Tensor]) -> Tensor:
    total = parts[0]
    for part in parts[1:]:
        total = total + part
    return total


def _check(outputs: Sequence[Tensor], lses: Sequence[Tensor]) -> None:
    if not isinstance(outputs, (list, tuple)) or not isinstance(lses, (list, tuple)):
        raise TypeError(
            f"outputs and logsumexps must be lists of tensors, got {type(outputs).__name__} and {type(lses).__name__}"
        )
    if len(outputs) < 2 or len(outputs) != len(lses):
        raise ValueError(
            f"merging takes two or more outputs and as many logsumexps, got {len(outputs)} and {len(lses)}: "
            "ask each part for its logsumexp with return_lse=True"
        )
    strange = [type(part).__name__ for part in (*outputs, *lses) if not isinstance(part, Tensor)]
    if strange:
        raise TypeError(f"outputs and logsumexps must be tensors, got {', '.join(strange)}: pass lists of tensors")
    shape, dtype = outputs[0].shape, outputs[0].dtype
    for output, lse in zip(outputs, lses, strict=True):
        if output.shape != shape or lse.shape != shape[:-1]:
            raise ValueError(
                f"all outputs must have one shape (..., heads, dim) and their logsumexps (..., heads), got "
                f"{tuple(output.shape)} and {tuple(lse.shape)} beside {tuple(shape)}"
            )
        if output.dtype != dtype:
            raise TypeError(f"all outputs must have one type, got {output.dtype} beside {dtype}: cast them first")

"""Depthwise large-kernel convolution that trains as several dilated ones and runs as one."""

from typing import Any

import torch
from timm.models import register_notrace_module
from torch import Tensor, nn

from foveate.backbones.layers.portable import portable
from foveate.kernels.depthwise.op import large_depthwise

# Kernel size and dilation of the branches beside the large kernel.
BRANCHES = {
    19: ((5, 1), (7, 1), (9, 1), (9, 2), (3, 4), (3, 5), (3, 7)),
    17: ((5, 1), (7, 1), (9, 2), (3, 4), (3, 5), (3, 7)),
    15: ((5, 1), (7, 1), (7, 2), (3, 3), (3, 5), (3, 7)),
    13: ((5, 1), (7, 1), (7, 2), (3, 3), (3, 4), (3, 5)),
    11: ((5, 1), (7, 1), (5, 2), (3, 3), (3, 4), (3, 5)),
    9: ((5, 1), (7, 1), (5, 2), (3, 3), (3, 4)),
    7: ((5, 1), (3, 1), (3, 2), (3, 3)),
    5: ((3, 1), (3, 2)),
}


@register_notrace_module
class DilatedReparam(nn.Module):
    """Sum of a large depthwise convolution and of small dilated ones, each with its batch norm.

    Where no batch norm takes statistics of the batch, all of them run as one convolution. Its kernel is summed up anew
    in every pass, which costs little, follows the parameters whatever changes them, and gives them their gradients.
    Where a module inside is watched by hooks, or is another one than those built here, all run one by one.

    Args:
        channels: In and out.
        kernel_size: Side of the large kernel, one of ``BRANCHES``.
        merged: Build the single convolution that ``reparameterize`` leaves, for weights that were saved so.
        device: Of the parameters.
        dtype: Of the parameters.

    The attribute ``backend`` is that of ``large_depthwise``; None takes the first that can run.

    Raises:
        ValueError: There are no branches for the kernel size.

    Source: UniRepLKNet (Ding et al., 2024), with the branches of OverLoCK (Lou and Yu, 2025).
    """

    def __init__(
        self, channels: int, kernel_size: int, merged: bool = False, device: Any = None, dtype: Any = None
    ) -> None:
        super().__init__()
        dd = {"device": device, "dtype": dtype}
        if kernel_size not in BRANCHES:
            raise ValueError(f"kernel_size must be one of {sorted(BRANCHES)}, got {kernel_size}: choose the nearest")
        self.kernel_size = kernel_size
        self.backend: str | None = None
        self.lk_origin = _depthwise(channels, kernel_size, bias=merged, **dd)
        self.branches = () if merged else BRANCHES[kernel_size]
        if merged:
            return
        self.origin_bn = nn.BatchNorm2d(channels, **dd)
        for size, dilation in self.branches:
            self.add_module(f"dil_conv_k{size}_{dilation}", _depthwise(channels, size, dilation, **dd))
            self.add_module(f"dil_bn_k{size}_{dilation}", nn.BatchNorm2d(channels, **dd))

    @property
    def is_merged(self) -> bool:
        """Whether only the single convolution is left."""
        return not self.branches

    def forward(self, x: Tensor) -> Tensor:
        """Convolve, keeping the size of the map."""
        origin = self.lk_origin
        if self.is_merged:
            return self._large(x)
        pairs = self._pairs()
        if all(_is_untouched(module) for pair in pairs for module in pair) and not any(n.training for _, n in pairs):
            kernel, bias = self.merge(torch.promote_types(origin.weight.dtype, torch.float32))
            kernel, bias = kernel.to(origin.weight.dtype), bias.to(origin.weight.dtype)
            return large_depthwise(x, kernel, bias, backend=portable(self.backend))
        out = self.origin_bn(self._large(x))
        for conv, norm in pairs[1:]:
            out = out + norm(conv(x))
        return out

    def _large(self, x: Tensor) -> Tensor:
        """Apply the large kernel, past the module unless somebody watches it."""
        origin = self.lk_origin
        if not _is_untouched(origin):
            return origin(x)
        return large_depthwise(x, origin.weight, origin.bias, backend=portable(self.backend))

    def _pairs(self) -> list[tuple[Any, Any]]:
        pairs: list[tuple[Any, Any]] = [(self.lk_origin, self.origin_bn)]
        names = [f"k{size}_{dilation}" for size, dilation in self.branches]
        return pairs + [(self.get_submodule(f"dil_conv_{n}"), self.get_submodule(f"dil_bn_{n}")) for n in names]

    def merge(self, dtype: torch.dtype) -> tuple[Tensor, Tensor]:
        """Sum all branches up to one kernel, with the running statistics of their norms; differentiable.

        Args:
            dtype: To add in.

        Returns:
            Kernel (channels, 1, kernel_size, kernel_size) and bias (channels), both of that type.
        """
        pairs = self._pairs()
        scale = torch.stack([norm.weight for _, norm in pairs]).to(dtype)
        shift = torch.stack([norm.bias for _, norm in pairs]).to(dtype)
        mean = torch.stack([norm.running_mean for _, norm in pairs]).to(dtype)
        scale = scale * torch.stack([norm.running_var.to(dtype) + norm.eps for _, norm in pairs]).rsqrt()
        kernel = self.lk_origin.weight * scale[0, :, None, None, None]
        for (conv, _), factor in zip(pairs[1:], scale[1:], strict=True):
            step = conv.dilation[0]
            edge = (self.kernel_size - step * (conv.kernel_size[0] - 1) - 1) // 2
            taps = slice(edge, self.kernel_size - edge, step)
            kernel[..., taps, taps] += conv.weight * factor[:, None, None, None]
        return kernel, (shift - mean * scale).sum(0)

    @torch.no_grad()
    def reparameterize(self) -> None:
        """Merge all branches into the large kernel, in place; for inference.

        Raises:
            RuntimeError: The module is in training mode, where batch norms have no fixed numbers.
        """
        if self.is_merged:
            return
        if self.training:
            raise RuntimeError("branches can only be merged in eval mode: call eval() first")
        # In float64, so that many branches add up without loss.
        kernel, bias = self.merge(torch.float64)
        place: dict[str, Any] = {"device": kernel.device, "dtype": self.lk_origin.weight.dtype}
        merged = _depthwise(kernel.shape[0], self.kernel_size, bias=True, **place)
        merged.weight.copy_(kernel)
        merged.bias.copy_(bias)  # type: ignore[union-attr]
        self.lk_origin = merged.eval()
        for size, dilation in self.branches:
            delattr(self, f"dil_conv_k{size}_{dilation}")
            delattr(self, f"dil_bn_k{size}_{dilation}")
        del self.origin_bn
        self.branches = ()


def _depthwise(channels: int, size: int, dilation: int = 1, bias: bool = False, **dd: Any) -> nn.Conv2d:
    padding = dilation * (size - 1) // 2
    return nn.Conv2d(channels, channels, size, padding=padding, dilation=dilation, groups=channels, bias=bias, **dd)


def _is_untouched(module: nn.Module) -> bool:
    """Tell whether a module is a convolution or a norm as built here, and nobody watches its passes."""
    watched = module._forward_hooks or module._forward_pre_hooks or module._backward_hooks or module._backward_pre_hooks
    return type(module) in (nn.Conv2d, nn.BatchNorm2d) and not watched and "forward" not in module.__dict__


def reparameterize(module: nn.Module) -> nn.Module:
    """Merge the branches of all ``DilatedReparam`` inside a module, in place.

    Args:
        module: Any module in eval mode.

    Returns:
        The same module.
    """
    for child in module.modules():
        if isinstance(child, DilatedReparam):
            child.reparameterize()
    return module


def fit_branches(state: dict[str, Tensor], model: nn.Module) -> dict[str, Tensor]:
    """Merge the branches of a state dict wherever the model to load it has merged ones.

    Args:
        state: With the model's keys, but for those of branches.
        model: Any module.

    Returns:
        State dict in the model's layout.

    Raises:
        RuntimeError: The state dict is merged and the model is not, or keys of a branch are missing.
    """
    state = dict(state)
    for name, module in model.named_modules():
        if not isinstance(module, DilatedReparam):
            continue
        merged = f"{name}.lk_origin.bias" in state
        if merged and not module.is_merged:
            raise RuntimeError(
                "the checkpoint is in the deploy layout, its large kernels have no branches: create the model with "
                "deploy=True, or load the file that was saved before merging"
            )
        if module.is_merged and not merged:
            _merge_keys(state, name, module)
    return state


def _merge_keys(state: dict[str, Tensor], name: str, module: DilatedReparam) -> None:
    """Replace the keys of one module's branches by those of its single convolution."""
    twin = DilatedReparam(module.lk_origin.weight.shape[0], module.kernel_size).eval()
    counters = [key for key in twin.state_dict() if key.endswith("num_batches_tracked")]
    keys = [key for key in twin.state_dict() if key not in counters]
    missing = [f"{name}.{key}" for key in keys if f"{name}.{key}" not in state]
    if missing:
        raise RuntimeError(
            f"the checkpoint has no {', '.join(missing)}: it needs all branches of a kernel to merge them"
        )
    twin.load_state_dict({key: state.pop(f"{name}.{key}") for key in keys}, strict=False)
    for key in counters:
        state.pop(f"{name}.{key}", None)
    twin.reparameterize()
    state.update({f"{name}.{key}": value for key, value in twin.state_dict().items()})

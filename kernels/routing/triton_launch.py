"""Start a Triton kernel whose grid, numbers and constants are known from shapes alone.

A small problem takes the GPU less time than Triton's front end needs to bind fifty arguments, so a call is bound once:
``Launch`` remembers the compiled kernel and starts it directly.
"""

from dataclasses import dataclass, field
from typing import Any, NamedTuple

import torch
from torch import Tensor


class Layout(NamedTuple):
    """How query, key and value lie in memory: all that plans of this operator are looked up by.

    Args:
        query: Shape (batch, *spatial, heads, dim).
        key: Shape (batch, *spatial_kv, heads_kv, dim).
        value: Shape (batch, *spatial_kv, heads_kv, dim_v).
        query_strides: Strides of the query; the last is 1.
        key_strides: Strides of the key; the last is 1.
        value_strides: Strides of the value; the last is 1.
        dtype: Of all three.
        device: Of all three.
    """

    query: tuple[int, ...]
    key: tuple[int, ...]
    value: tuple[int, ...]
    query_strides: tuple[int, ...]
    key_strides: tuple[int, ...]
    value_strides: tuple[int, ...]
    dtype: torch.dtype
    device: torch.device

    @property
    def steps(self) -> tuple[int, ...]:
        """Strides of batch, three spatial axes and heads, for each of the three tensors; 0 for missing axes."""
        return tuple(
            step
            for batch, *spatial, head, _ in (self.query_strides, self.key_strides, self.value_strides)
            for step in (batch, *(0,) * (3 - len(spatial)), *spatial, head)
        )


def layout_of(query: Tensor, key: Tensor, value: Tensor) -> Layout:
    """Describe three tensors.

    Args:
        query: (batch, *spatial, heads, dim).
        key: (batch, *spatial_kv, heads_kv, dim).
        value: (batch, *spatial_kv, heads_kv, dim_v).

    Returns:
        Their layout.
    """
    return Layout(
        query.shape, key.shape, value.shape, query.stride(), key.stride(), value.stride(), query.dtype, query.device
    )


@dataclass
class Launch:
    """A kernel with all that does not change from call to call; its arguments are pointers, numbers, constants.

    Pointers must always be of the same types and on the same device.

    Args:
        kernel: The Triton function.
        programs: How many to start.
        numbers: Arguments after the pointers.
        constants: Arguments after the numbers, for which the kernel is compiled.
        warps: Warps of a program.
        stages: Steps whose loads are under way at once.
        compiled: What to start, by whether all pointers are multiples of 16.
    """

    kernel: Any
    programs: int
    numbers: tuple[int | float, ...]
    constants: tuple[Any, ...]
    warps: int
    stages: int = 2
    compiled: dict[bool, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._rest = (*self.numbers, *self.constants)

    def __call__(self, *tensors: Tensor) -> None:
        """Start the kernel.

        Args:
            tensors: What its pointers point to, all on one device.
        """
        device = tensors[0].device
        if device.type == "cuda" and device.index != torch.cuda.current_device():
            with torch.cuda.device(device):
                return self(*tensors)
        addresses = [tensor.data_ptr() for tensor in tensors]
        together = 0
        for address in addresses:
            together |= address
        run = self.compiled.get(together & 15 == 0)
        if run is not None:
            run(*addresses, *self._rest)
        elif self.programs:
            grid = (self.programs, 1, 1)
            built = self.kernel[grid](*tensors, *self._rest, num_warps=self.warps, num_stages=self.stages)
            if built is not None:  # the interpreter compiles nothing
                self.compiled[together & 15 == 0] = built[grid]
        return None

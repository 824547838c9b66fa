"""Which keys a query sees: windows, strides, dilation and causality along each axis.

Axes are independent: a query attends to the product of what it sees along each of them. A dilation d splits an axis
into d residue classes (indices r, r + d, r + 2d, ...) that never meet, so everything below speaks of positions inside
one class. Source: Generalized Neighborhood Attention as NATTEN 0.21 has it; the tests compare its windows.
"""

import operator
from dataclasses import dataclass
from functools import lru_cache

import torch
from torch import Tensor


@dataclass(frozen=True)
class Axis:
    """One spatial axis.

    Args:
        length: Tokens along the axis.
        window: Keys that a query sees, itself included; fewer at the beginning of a causal axis.
        stride: Neighboring queries that share the window of their group's leader.
        dilation: Distance between two keys of a window.
        causal: No key after the query.
    """

    length: int
    window: int
    stride: int = 1
    dilation: int = 1
    causal: bool = False

    def __hash__(self) -> int:
        # Axes are part of every key that a prepared kernel is looked up by, so their hash is kept.
        if "_hash" not in self.__dict__:
            numbers = (self.length, self.window, self.stride, self.dilation, self.causal)
            object.__setattr__(self, "_hash", hash(numbers))
        return int(self.__dict__["_hash"])

    @property
    def is_dense(self) -> bool:
        """Whether every query sees every key."""
        return self.window == self.length and not self.causal

    def of_class(self, residue: int) -> "Axis":
        """Return the undilated axis of one residue class, from 0 to ``dilation`` - 1."""
        length = (self.length - residue + self.dilation - 1) // self.dilation
        return Axis(length, self.window, self.stride, 1, self.causal)


def check_axes(
    spatial: tuple[int, ...],
    window: int | tuple[int, ...],
    stride: int | tuple[int, ...] = 1,
    dilation: int | tuple[int, ...] = 1,
    causal: bool | tuple[bool, ...] = False,
) -> tuple[Axis, ...]:
    """Give each axis its window.

    Args:
        spatial: Lengths of the 1 to 3 axes.
        window: Keys a query sees along each axis, from 1 to length / dilation. One number stands for all axes.
        stride: From 1 to window.
        dilation: 1 or more.
        causal: Whether keys after the query are hidden.

    Returns:
        One ``Axis`` for each length.

    Raises:
        TypeError: Something is not a whole number, or ``causal`` no bool.
        ValueError: A number is out of its range, or there are not as many as axes.
    """
    windows = _per_axis("window", window, len(spatial), int)
    strides = _per_axis("stride", stride, len(spatial), int)
    dilations = _per_axis("dilation", dilation, len(spatial), int)
    flags = _per_axis("causal", causal, len(spatial), bool)
    for length, w, s, d in zip(spatial, windows, strides, dilations, strict=True):
        if w < 1:
            raise ValueError(f"window must be at least 1 along each axis, got {windows}")
        if not 1 <= s <= w:
            raise ValueError(f"stride must lie between 1 and the window, got stride {strides} for window {windows}")
        if d < 1:
            raise ValueError(f"dilation must be at least 1 along each axis, got {dilations}")
        if w * d > length:
            raise ValueError(
                f"window times dilation must not exceed the axis, got {windows} times {dilations} on a grid of "
                f"{tuple(spatial)}: use a smaller window, or pad the grid"
            )
    return tuple(Axis(*numbers) for numbers in zip(spatial, windows, strides, dilations, flags, strict=True))


def _per_axis(name: str, value: object, rank: int, kind: type) -> tuple:
    numbers = tuple(value) if isinstance(value, (tuple, list)) else (value,) * rank
    if kind is int:
        numbers = tuple(_whole(n) for n in numbers)
    wrong = [n for n in numbers if not isinstance(n, kind) or (kind is int and isinstance(n, bool))]
    if wrong:
        what = "a whole number" if kind is int else "True or False"
        raise TypeError(f"{name} must be {what} or one for each axis, got {value!r}")
    if len(numbers) != rank:
        raise ValueError(f"{name} must be one number or {rank}, one for each axis, got {value!r}")
    return numbers


def _whole(number: object) -> object:
    """Turn whole numbers of other libraries, and those that a tracer has for sizes, into Python's."""
    if isinstance(number, int) or not hasattr(number, "__index__"):
        return number
    try:
        return operator.index(number)
    except TypeError:
        return number


def spans(axis: Axis) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Find what every query of an axis sees.

    Args:
        axis: The axis.

    Returns:
        Four integer tensors (length,): residue class, position inside the class, first and last key position inside
        the class.
    """
    index = torch.arange(axis.length)
    residue, position = index % axis.dilation, index // axis.dilation
    count = (axis.length - residue + axis.dilation - 1) // axis.dilation
    group = position // axis.stride * axis.stride
    if axis.causal:
        leader = torch.minimum(group + axis.stride - 1, count - 1)
        return residue, position, (leader - axis.window + 1).clamp(min=0), position
    leader = torch.minimum(group + axis.stride // 2, count - 1)
    first = torch.minimum((leader - axis.window // 2).clamp(min=0), count - axis.window)
    return residue, position, first, first + axis.window - 1


def neighbors(axis: Axis) -> tuple[Tensor, Tensor]:
    """List the keys of every query along one axis.

    Args:
        axis: The axis.

    Returns:
        Key indices (length, window), and whether each of them is seen (length, window); hidden ones repeat the last
        key that is seen.
    """
    residue, _, first, last = spans(axis)
    key = first[:, None] + torch.arange(axis.window)
    return residue[:, None] + axis.dilation * torch.minimum(key, last[:, None]), key <= last[:, None]


@lru_cache(maxsize=4096)
def visible(axis: Axis, start: int, stop: int) -> tuple[int, int, int, int]:
    """Bound the keys of a run of queries of an undilated axis.

    Args:
        axis: An axis of dilation 1.
        start: First query.
        stop: One past the last query.

    Returns:
        First key and one past the last key that any of them sees; then first and one past the last that all see (an
        empty range when there is none).
    """
    _, _, first, last = _undilated_spans(axis)
    return first[start], last[stop - 1] + 1, first[stop - 1], last[start] + 1


@lru_cache(maxsize=256)
def _undilated_spans(axis: Axis) -> tuple[list[int], ...]:
    return tuple(column.tolist() for column in spans(axis))

"""How many tiles a tiled kernel visits for a window, how many of them need no mask, and how long that takes at least.

The model counts key tiles that each query tile visits, at a fixed cost for a tile, and nothing else: no launch, no
latency, no cache. Waste, tile speedup and speedup by FLOPs are defined as the properties of ``Simulation`` say.
"""

from dataclasses import dataclass
from functools import lru_cache
from itertools import product
from math import prod

import torch

from foveate.kernels.window import Axis, check_axes, spans, visible


@dataclass(frozen=True)
class Simulation:
    """What a kernel of given tiles does for one batch item and head.

    Args:
        axes: The windows.
        q_tile: Queries of a tile along each axis.
        kv_tile: Keys of a tile along each axis.
        flattened: Whether a query tile's keys are walked as one run.
        q_tiles: Query tiles, of all residue classes of the dilation.
        visited: Key tiles that are visited, summed over query tiles.
        full: Those of them whose every key is seen by every query of the tile, so that nothing is masked.
        dense: Key tiles that dense attention inside each residue class would visit.
        useful: Pairs of a query and a key that it sees.
        dense_pairs: Pairs of a query and any key of its residue class.
    """

    axes: tuple[Axis, ...]
    q_tile: tuple[int, ...]
    kv_tile: tuple[int, ...]
    flattened: bool
    q_tiles: int
    visited: int
    full: int
    dense: int
    useful: int
    dense_pairs: int

    @property
    def boundary(self) -> int:
        """Visited tiles that need a mask."""
        return self.visited - self.full

    @property
    def computed(self) -> int:
        """Pairs whose score is computed, padding and masked ones included."""
        return self.visited * prod(self.q_tile) * prod(self.kv_tile)

    @property
    def waste(self) -> float:
        """Computed pairs for each useful one, 1 or more."""
        return self.computed / self.useful

    @property
    def tile_speedup(self) -> float:
        """Tiles of dense attention for each visited one: what this tiling can gain over dense attention.

        With dilation, dense attention inside residue classes; over the whole grid it is prod(dilation) times as much.
        """
        return self.dense / self.visited

    @property
    def flop_speedup(self) -> float:
        """Pairs of dense attention for each useful one: the bound of ``tile_speedup``, but for padding."""
        return self.dense_pairs / self.useful

    @property
    def perfectly_sparse(self) -> bool:
        """Whether no visited tile needs a mask."""
        return self.boundary == 0


def simulate(
    spatial: tuple[int, ...],
    window: int | tuple[int, ...],
    *,
    stride: int | tuple[int, ...] = 1,
    dilation: int | tuple[int, ...] = 1,
    causal: bool | tuple[bool, ...] = False,
    q_tile: int | tuple[int, ...],
    kv_tile: int | tuple[int, ...],
    flattened: bool = False,
    aligned: bool = True,
) -> Simulation:
    """Count tiles.

    Args:
        spatial: Lengths of the 1 to 3 axes.
        window: Keys a query sees along each axis; as for ``neighborhood_attention``, like the next three.
        stride: Neighboring queries that share a window.
        dilation: Distance between two keys of a window.
        causal: Whether keys after the query are hidden.
        q_tile: Queries of a tile along each axis, 1 or more.
        kv_tile: Keys of a tile along each axis, 1 or more.
        flattened: Walk the box of keys that a query tile sees as one run, in chunks of prod(kv_tile), and mask every
            chunk: how the Triton kernels of this package do small windows.
        aligned: Whether key tiles lie on a grid that begins at the first token (NATTEN), or begin at the first key
            that the query tile sees (the Triton kernels of this package). Nothing to a flattened walk.

    Returns:
        The counts.

    Raises:
        TypeError: Something is not a whole number, or ``causal`` no bool.
        ValueError: A number is out of its range.

    >>> found = simulate((256, 256), 80, stride=16, q_tile=(16, 8), kv_tile=(16, 8))
    >>> round(found.flop_speedup, 2), round(found.tile_speedup, 2), found.perfectly_sparse
    (10.24, 10.24, True)
    """
    axes = check_axes(tuple(spatial), window, stride, dilation, causal)
    q_sizes, kv_sizes = _tile_sizes("q_tile", q_tile, len(axes)), _tile_sizes("kv_tile", kv_tile, len(axes))
    q_tiles = visited = full = dense = 0
    # Residue classes of an axis differ in length by one at most, so few combinations are to be counted.
    for classes in product(*(_classes(axis) for axis in axes)):
        times = prod(count for _, count in classes)
        lines = [axis for axis, _ in classes]
        lengths = [axis.length for axis in lines]
        rows = prod(_ceil_div(n, t) for n, t in zip(lengths, q_sizes, strict=True))
        q_tiles += times * rows
        if flattened:
            visited += times * _count_chunks(lines, q_sizes, prod(kv_sizes))
            dense += times * rows * _ceil_div(prod(lengths), prod(kv_sizes))
            continue
        counts = [_count_tiles(*line, aligned) for line in zip(lines, q_sizes, kv_sizes, strict=True)]
        visited += times * prod(count[0] for count in counts)
        full += times * prod(count[1] for count in counts)
        dense += times * rows * prod(_ceil_div(n, t) for n, t in zip(lengths, kv_sizes, strict=True))
    return Simulation(
        axes=axes,
        q_tile=q_sizes,
        kv_tile=kv_sizes,
        flattened=flattened,
        q_tiles=q_tiles,
        visited=visited,
        full=full,
        dense=dense,
        useful=prod(_pairs(axis) for axis in axes),
        dense_pairs=prod(sum(count * line.length**2 for line, count in _classes(axis)) for axis in axes),
    )


def _tile_sizes(name: str, value: int | tuple[int, ...], rank: int) -> tuple[int, ...]:
    sizes = tuple(value) if isinstance(value, (tuple, list)) else (value,) * rank
    if len(sizes) != rank or not all(isinstance(n, int) and not isinstance(n, bool) and n >= 1 for n in sizes):
        raise ValueError(
            f"{name} must be a whole number of 1 or more, or {rank} of them, one for each axis, got {value!r}"
        )
    return sizes


def _ceil_div(number: int, size: int) -> int:
    return -(-number // size)


@lru_cache(maxsize=256)
def _classes(axis: Axis) -> tuple[tuple[Axis, int], ...]:
    """Undilated axes of the residue classes, and how many classes are like that."""
    longer = axis.length % axis.dilation
    found = [(axis.of_class(0), longer), (axis.of_class(axis.dilation - 1), axis.dilation - longer)]
    return tuple((line, count) for line, count in found if count)


@lru_cache(maxsize=256)
def _pairs(axis: Axis) -> int:
    """Count query-key pairs along one axis."""
    _, _, first, last = spans(axis)
    return int((last - first + 1).sum())


@lru_cache(maxsize=256)
def _reaches(axis: Axis, tile: int) -> tuple[tuple[int, int, int, int], ...]:
    """Bounds of the keys that any query, and that all queries of each tile see, along an undilated axis."""
    starts = range(0, axis.length, tile)
    return tuple(visible(axis, start, min(start + tile, axis.length)) for start in starts)


def _count_tiles(axis: Axis, q_size: int, kv_size: int, aligned: bool) -> tuple[int, int]:
    """Visited and full key tiles along one undilated axis."""
    visited = full = 0
    for low, high, inner_low, inner_high in _reaches(axis, q_size):
        origin = 0 if aligned else low
        visited += (high - 1 - origin) // kv_size - (low - origin) // kv_size + 1
        full += max((inner_high - origin) // kv_size - _ceil_div(inner_low - origin, kv_size), 0)
    return visited, full


def _count_chunks(axes: list[Axis], q_sizes: tuple[int, ...], chunk: int) -> int:
    """Chunks that all query tiles walk when each one's box of keys is one run."""
    sizes = []
    for axis, q_size in zip(axes, q_sizes, strict=True):
        widths = [high - low for low, high, _, _ in _reaches(axis, q_size)]
        sizes.append([(width, widths.count(width)) for width in set(widths)])
    boxes = product(*sizes)
    return sum(prod(n for _, n in box) * _ceil_div(prod(width for width, _ in box), chunk) for box in boxes)


@dataclass(frozen=True)
class Machine:
    """Rates of a device.

    Args:
        name: What it is called.
        flops: Of matrix products of 16-bit numbers, a second.
        flops_float32: Of matrix products of float32 that keep all its bits, a second.
        bandwidth: Bytes of main memory, a second.
        exp_rate: Exponentials a second.
    """

    name: str
    flops: float
    flops_float32: float
    bandwidth: float
    exp_rate: float


# Data sheets of the SXM cards, dense rates (NVIDIA: "H100 Tensor Core GPU" and "H200 Tensor Core GPU", 2023 to 2024,
# "A100 80GB", 2021). Exponentials: 16 a clock and multiprocessor (CUDA programming guide, throughput of arithmetic
# instructions) at the boost clock: 132 x 16 x 1.98 GHz and 108 x 16 x 1.41 GHz.
MACHINES = {
    "a100": Machine("a100", 312e12, 19.5e12, 2.039e12, 2.44e12),
    "h100": Machine("h100", 989e12, 67e12, 3.35e12, 4.18e12),
    "h200": Machine("h200", 989e12, 67e12, 4.8e12, 4.18e12),
}


@dataclass(frozen=True)
class Roofline:
    """Seconds that each part of a machine needs at least; they can overlap, so the longest is the bound.

    Args:
        products: Seconds of matrix products.
        memory: Seconds of reading the inputs and writing the outputs once.
        exponentials: Seconds of exponentials.
    """

    products: float
    memory: float
    exponentials: float

    @property
    def seconds(self) -> float:
        """The bound."""
        return max(self.products, self.memory, self.exponentials)

    @property
    def limit(self) -> str:
        """What the bound comes from: products, memory or exponentials."""
        return max(("products", "memory", "exponentials"), key=lambda part: float(getattr(self, part)))


def roofline(
    simulation: Simulation,
    machine: Machine,
    *,
    batch: int,
    heads: int,
    dim: int,
    dim_v: int | None = None,
    heads_kv: int | None = None,
    dtype: torch.dtype = torch.bfloat16,
    backward: bool = False,
    two_passes: bool = False,
    useful_only: bool = False,
) -> Roofline:
    """Bound the time of a kernel.

    Args:
        simulation: Its tiles.
        machine: Where it runs.
        batch: Items.
        heads: Of the query.
        dim: Channels of a head.
        dim_v: Channels of a head of the value; ``dim`` by default.
        heads_kv: Heads of key and value; ``heads`` by default.
        dtype: Of the tensors.
        backward: The gradient instead of the forward pass.
        two_passes: Whether the gradient of the query is computed apart from those of key and value, with the scores
            computed twice: what a deterministic kernel does.
        useful_only: Count useful pairs only, as if tiles cost nothing: the bound of any kernel.

    Returns:
        The seconds of each part.
    """
    dim_v, heads_kv = dim_v or dim, heads_kv or heads
    tokens = batch * prod(axis.length for axis in simulation.axes)
    pairs = batch * heads * (simulation.useful if useful_only else simulation.computed)
    again = int(two_passes and backward)
    # Forward: scores and output. Backward: scores, and gradients of the weights, value, key and query.
    products = (3 + again) * dim + (2 + again) * dim_v if backward else dim + dim_v
    numbers = tokens * (heads + heads_kv) * (dim + dim_v) * (2 if backward else 1)
    rows = tokens * heads * (2 if backward else 1)  # logsumexp, and the sum of output times its gradient
    return Roofline(
        products=2 * pairs * products / (machine.flops if dtype.itemsize <= 2 else machine.flops_float32),
        memory=(numbers * dtype.itemsize + rows * 4) / machine.bandwidth,
        exponentials=pairs * (1 + again) / machine.exp_rate,
    )

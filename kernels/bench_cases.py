"""Cases to time, how to time them, and what to expect: bounds from rates that are measured here, and from tiles."""

import platform
import statistics
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any, NamedTuple

import torch

from foveate.kernels.bench_peers import Call
from foveate.kernels.cost_model import MACHINES, Machine, Simulation, roofline, simulate
from foveate.kernels.neighborhood.plan import tiling_for
from foveate.kernels.window import check_axes

FORWARD, BOTH = "forward", "forward+backward"


@dataclass(frozen=True)
class Shape:
    """One case to time.

    Args:
        name: What to call it.
        batch: Items.
        spatial: Lengths of the axes.
        heads: Heads.
        dim: Channels of a head.
        window: Keys a query sees; one number for all axes or one for each, like the next two.
        dilation: Distance between two keys of a window.
        stride: Neighboring queries that share a window.
    """

    name: str
    batch: int
    spatial: tuple[int, ...]
    heads: int
    dim: int
    window: int | tuple[int, ...]
    dilation: int | tuple[int, ...] = 1
    stride: int | tuple[int, ...] = 1

    def call(self) -> Call:
        """Return what contenders get to know.

        Raises:
            ValueError: The window does not fit the grid.
        """
        axes = check_axes(self.spatial, self.window, self.stride, self.dilation)
        return Call(self.batch, axes, self.heads, self.dim)


# Backbones at 224 pixels, large grids, and a picture and a video generator, each with and without stride.
SHAPES = {
    shape.name: shape
    for shape in (
        Shape("nat_s1", 128, (56, 56), 2, 32, 7),
        Shape("nat_s2", 128, (28, 28), 4, 32, 7),
        Shape("nat_s3", 128, (14, 14), 8, 32, 7),
        Shape("dinat_s1", 128, (56, 56), 2, 32, 7, dilation=8),
        Shape("k13_128", 8, (128, 128), 8, 64, 13),
        Shape("k7_256", 2, (256, 256), 8, 64, 7),
        Shape("k33_256", 2, (256, 256), 8, 64, 33),
        Shape("k13d8_256", 2, (256, 256), 8, 64, 13, dilation=8),
        Shape("flux_na", 1, (256, 256), 24, 128, 80),
        Shape("flux_gna", 1, (256, 256), 24, 128, 80, stride=16),
        Shape("video_na", 1, (30, 48, 80), 24, 128, (18, 24, 24)),
        Shape("video_gna", 1, (30, 48, 80), 24, 128, (18, 24, 24), stride=(16, 8, 8)),
    )
}
CPU_SHAPES = {
    shape.name: shape
    for shape in (
        Shape("cpu_56", 1, (56, 56), 2, 32, 7),
        Shape("cpu_28", 1, (28, 28), 4, 32, 7),
        Shape("cpu_14", 1, (14, 14), 8, 32, 7),
        Shape("cpu_7", 1, (7, 7), 16, 32, 7),
        Shape("cpu_64_k13", 1, (64, 64), 4, 64, 13),
    )
}


def default_shapes(device: torch.device) -> list[Shape]:
    """Return the shapes to time when none is named: large ones on a GPU, small ones on a CPU.

    Args:
        device: Where.
    """
    return list((SHAPES if device.type == "cuda" else CPU_SHAPES).values())


class Timing(NamedTuple):
    """Milliseconds of one run.

    Args:
        median: What it usually takes.
        fastest: What it takes when nothing disturbs it.
    """

    median: float
    fastest: float


def timed(run: Callable[[], object], device: torch.device, seconds: float = 0.25, least: int = 5) -> Timing:
    """Time something, with cold caches on a GPU.

    Args:
        run: What to time; called three times before.
        device: Where it runs.
        seconds: About how long to go on.
        least: How many times to run it at least, unless one run takes a second; 200 times at most.

    Returns:
        Median and shortest time.
    """
    cuda = device.type == "cuda"
    for _ in range(2):
        run()
    started = _now(device)
    run()
    once = _now(device) - started
    flush = torch.empty(96 << 20, dtype=torch.int8, device=device) if cuda else None
    times = []
    least = least if once < 1 else 2
    for _ in range(max(least, min(200, int(seconds / max(once, 1e-5))))):
        if flush is None:
            started = time.perf_counter()
            run()
            times.append((time.perf_counter() - started) * 1e3)
            continue
        flush.zero_()
        first, last = torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True)
        first.record()
        run()
        last.record()
        torch.cuda.synchronize(device)
        times.append(first.elapsed_time(last))
    return Timing(statistics.median(times), min(times))


def _now(device: torch.device) -> float:
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return time.perf_counter()


def device_name(device: torch.device) -> str:
    """Name a device.

    Args:
        device: A CPU or GPU.

    Returns:
        The card's name; for a CPU its architecture and the number of threads.
    """
    if device.type == "cuda":
        return str(torch.cuda.get_device_name(device))
    return f"{platform.machine()} CPU, {torch.get_num_threads()} threads"


def measure_machine(device: torch.device, dtype: torch.dtype, quick: bool = False) -> Machine:
    """Measure the rates of a machine, so that bounds are those of this one.

    Args:
        device: Which.
        dtype: Type of matrix products.
        quick: Take smaller arrays and less time.

    Returns:
        Rates: of a large matrix product in ``dtype``, of a large copy, and of exponentials (on a GPU 16 a clock and
        multiprocessor, which no measurement of torch can show).
    """
    cuda = device.type == "cuda"
    side, size = (8192, 1 << 30) if cuda else (1024, 1 << 25)
    side, size, seconds = (side // 4, size // 4, 0.02) if quick else (side, size, 0.25)
    a, b = (torch.randn(side, side, device=device, dtype=dtype) for _ in range(2))
    flops = 2 * side**3 / timed(lambda: a @ b, device, seconds, least=30).fastest * 1e3
    source = torch.ones(size, dtype=torch.int8, device=device)
    target = torch.empty_like(source)
    bandwidth = 2 * size / timed(lambda: target.copy_(source), device, seconds, least=30).fastest * 1e3
    name = device_name(device)
    if cuda:
        known = next((machine for key, machine in MACHINES.items() if key in name.lower()), None)
        exps = known.exp_rate if known else torch.cuda.get_device_properties(device).multi_processor_count * 16 * 1.5e9
    else:
        numbers = torch.randn(1 << 16)
        exps = numbers.numel() / timed(numbers.exp, device, seconds, least=30).fastest * 1e3
    return Machine(f"{name}, measured", flops, flops, bandwidth, exps)


@dataclass(frozen=True)
class Estimate:
    """What to expect of one kind of work.

    Args:
        work: forward, or forward+backward.
        bound: Milliseconds that no kernel can beat.
        bound_limit: What the bound comes from: products, memory or exponentials.
        predicted: Milliseconds at least with this package's tiles.
        predicted_limit: What that comes from.
        waste: Scores computed for each useful one.
        q_tile: Queries of a tile along each axis.
        kv_tile: Keys of a step along each axis.
        flattened: Whether keys are walked as one run.
    """

    work: str
    bound: float
    bound_limit: str
    predicted: float
    predicted_limit: str
    waste: float
    q_tile: tuple[int, ...]
    kv_tile: tuple[int, ...]
    flattened: bool

    def to_dict(self) -> dict[str, Any]:
        """Return the fields."""
        return asdict(self)


def simulation_of(shape: Shape, device: torch.device) -> Simulation:
    """Count the tiles that this package's kernel takes for a shape.

    Args:
        shape: The case.
        device: A GPU: the Triton kernels' tiles; else tiles of 8 along each axis with exactly the keys they see.

    Returns:
        The counts.
    """
    simulated = partial(simulate, shape.spatial, shape.window, stride=shape.stride, dilation=shape.dilation)
    rank, axes = len(shape.spatial), shape.call().axes
    if device.type != "cuda":
        q_tile = tuple(min(8, axis.of_class(0).length) for axis in axes)
        return simulated(q_tile=q_tile, kv_tile=1, flattened=True)
    major, minor = torch.cuda.get_device_capability(device)
    tiling = tiling_for(axes, shape.dim, "forward", f"sm{major}{minor}")
    kv_tile = (1,) * (rank - 1) + (tiling.block,) if tiling.flat else tiling.box[-rank:]
    return simulated(q_tile=tiling.tile[-rank:], kv_tile=kv_tile, flattened=tiling.flat, aligned=False)


def estimate(shape: Shape, machine: Machine, device: torch.device, dtype: torch.dtype, work: str) -> Estimate:
    """Say what a shape can take.

    Args:
        shape: The case.
        machine: Its rates.
        device: Where it runs.
        dtype: Of the tensors.
        work: forward, or forward+backward: bounds of both are added up.

    Returns:
        Bound and prediction.
    """
    found = simulation_of(shape, device)
    line = partial(roofline, found, machine, batch=shape.batch, heads=shape.heads, dim=shape.dim, dtype=dtype)
    bounds, predictions = [line(useful_only=True)], [line()]
    if work == BOTH:
        bounds.append(line(useful_only=True, backward=True))
        predictions.append(line(backward=True, two_passes=device.type == "cuda"))
    return Estimate(
        work=work,
        bound=sum(part.seconds for part in bounds) * 1e3,
        bound_limit=bounds[-1].limit,
        predicted=sum(part.seconds for part in predictions) * 1e3,
        predicted_limit=predictions[-1].limit,
        waste=found.waste,
        q_tile=found.q_tile,
        kv_tile=found.kv_tile,
        flattened=found.flattened,
    )

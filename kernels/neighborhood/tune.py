"""Time tiles on the GPU at hand and remember the best: for GPUs and problems that the package's tables do not know.

Call ``tune(Inputs(q, k, v), axes)`` once, and every later process finds the tiles in the user's cache.
"""

import json
import os
import statistics
from collections.abc import Callable
from math import prod
from pathlib import Path
from typing import Any

import torch

from foveate.kernels.neighborhood import plan
from foveate.kernels.neighborhood.problem import Inputs
from foveate.kernels.window import Axis


def candidates(axes: tuple[Axis, ...], dim: int) -> list[dict[str, Any]]:
    """List settings of ``plan.make_tiling`` worth a try.

    Args:
        axes: The problem's axes.
        dim: Channels of a head.

    Returns:
        Settings; which of them fit the chip shows when they run.
    """
    square = {1: (1, 1, 64), 2: (1, 8, 8), 3: (4, 4, 4)}[len(axes)]
    long = {1: (1, 1, 128), 2: (1, 16, 8), 3: (4, 4, 8)}[len(axes)]
    blocks = (32, 64) if dim <= 128 else (32,)
    found: list[dict[str, Any]] = []
    for block in blocks:
        for stages in (2, 3):
            found += [
                {"tile": square, "block": block, "stages": stages, "registers": most} for most in (None, 168, 128)
            ]
            found.append({"tile": long, "block": block, "stages": stages, "warps": 8})
    unions = [plan.largest_union(axis, side, False) for axis, side in zip(plan.three(axes), square, strict=True)]
    if len(axes) > 1 and prod(unions) <= 1024 and dim <= 64:
        table = {"tile": square, "stages": 2, "table": True}
        found += [table | {"block": block, "registers": most} for block, most in ((64, 168), (64, 128), (128, None))]
        found.append(table | {"block": 32, "stages": 3})
    if max(unions) <= 16 and dim <= 64:
        found += [{"tile": square, "block": block, "stages": 2, "small": True} for block in (64, 128)]
    return found


def tune(inputs: Inputs, axes: tuple[Axis, ...], scale: float = 0.125, *, save: bool = True) -> dict[str, Any]:
    """Time every candidate on these tensors and keep the best of each kernel.

    Args:
        inputs: Tensors of a typical call, on a CUDA device; extra keys are left out.
        axes: Its windows.
        scale: Factor of the scores; does not matter for time.
        save: Whether to write the winners to ``plan.user_table``, where ``plan.tiling_for`` finds them.

    Returns:
        Settings by problem and kernel, as in the tables.

    Raises:
        RuntimeError: The tensors are not on a CUDA device.
    """
    query = inputs.query
    if query.device.type != "cuda":
        raise RuntimeError(f"tuning needs tensors on a CUDA device, got {query.device}: other devices have no tiles")
    from foveate.kernels.neighborhood import triton_launch

    plainly = Inputs(*inputs[:4])
    dim = max(query.shape[-1], inputs.value.shape[-1])
    grad = torch.randn(*query.shape[:-1], inputs.value.shape[-1], device=query.device, dtype=query.dtype)
    lse = torch.zeros(query.shape[:-1], device=query.device)
    runs: dict[str, Callable[[plan.Tiling], Any]] = {
        "forward": lambda t: triton_launch.forward(plainly, axes, scale, t),
        "query": lambda t: triton_launch.query_gradient(plainly, grad, lse, grad, None, axes, scale, t),
        "key": lambda t: triton_launch.key_gradient(plainly, lse, lse, grad, axes, scale, t),
    }
    table: dict[str, Any] = {}
    for kernel, run in runs.items():
        timed: list[tuple[float, int, dict[str, Any]]] = []
        for setting in candidates(axes, dim):
            try:
                tiling = plan.make_tiling(axes, kernel, **setting)
                timed.append((_milliseconds(run, tiling), len(timed), setting))
            except Exception as error:  # what does not fit is out of the race, and nothing else may hide here
                if "out of resource" not in str(error):
                    raise
        if timed:
            table[plan.signature(axes, dim, kernel)] = min(timed)[2]
    if save:
        _save(plan.user_table(triton_launch.architecture(query.device)), table)
        plan.tuned.cache_clear()
        plan.tiling_for.cache_clear()
    return table


def _save(path: Path, table: dict[str, Any]) -> None:
    known = json.loads(path.read_text()) if path.is_file() else {}
    path.parent.mkdir(parents=True, exist_ok=True)
    # Another process may read or write at the same time: a file is whole or not there.
    partial = path.with_suffix(f".{os.getpid()}")
    partial.write_text(json.dumps(known | table, indent=1, sort_keys=True))
    partial.replace(path)


def _milliseconds(run: Callable[[plan.Tiling], Any], tiling: plan.Tiling) -> float:
    times = []
    for _ in range(7):
        first, last = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        first.record()
        run(tiling)
        last.record()
        torch.cuda.synchronize()
        times.append(first.elapsed_time(last))
    return statistics.median(times[2:])

"""The kernel for Hopper and large windows: when it is chosen, how it cuts, and that it compiles without a GPU."""

import os
import subprocess
import sys
from math import prod

import pytest
import torch

from foveate.kernels.neighborhood import gluon_backward, gluon_forward, plan
from foveate.kernels.neighborhood.problem import Problem
from foveate.kernels.window import check_axes

COMPILE = """
import sys
from triton import compile
from triton.backends.compiler import GPUTarget
from triton.experimental.gluon import language as gl
from triton.experimental.gluon._runtime import GluonASTSource
from foveate.kernels.neighborhood import gluon_backward, gluon_forward
from foveate.kernels.neighborhood.triton_gluon import neighborhood_gluon_fwd_kernel
from foveate.kernels.neighborhood.triton_gluon_backward import neighborhood_gluon_bwd_key_kernel
from foveate.kernels.neighborhood.triton_gluon_query import neighborhood_gluon_bwd_query_kernel
from foveate.kernels.window import check_axes

flat, video = (256, 256), (30, 48, 80)
jobs = [
    (neighborhood_gluon_fwd_kernel, "forward", flat, 80, 16, 128),
    (neighborhood_gluon_fwd_kernel, "forward", video, (18, 24, 24), 1, 128),
    (neighborhood_gluon_fwd_kernel, "forward", flat, 33, 1, 64),
    (neighborhood_gluon_bwd_key_kernel, "key", flat, 80, 16, 128),
    (neighborhood_gluon_bwd_key_kernel, "key", flat, 33, 1, 64),
    (neighborhood_gluon_bwd_query_kernel, "query", flat, 80, 16, 128),
]
for kernel, name, grid, window, stride, dim in jobs:
    axes = check_axes(grid, window, stride)
    chosen = gluon_forward.chosen_schedule if name == "forward" else gluon_backward.chosen_schedule
    schedule = chosen(axes, dim) if name == "forward" else chosen(axes, dim, name)
    constants = gluon_forward.constants(axes, dim, 1, schedule)
    if name == "query":
        constants["HAS_D_LSE"] = False
    box = ", ".join(map(str, (1, *schedule.box, dim)))
    grids = f"tensordesc<bf16[{box}],{gl.NVMMASharedLayout(128, 16, rank=5)!r}>"
    signature, attrs = {}, {}
    for i, word in enumerate(kernel.arg_names):
        kind = "*fp32" if "lse" in word or "delta" in word else "*bf16"
        signature[word] = (
            "constexpr" if word in constants else grids if word.endswith("_desc") else kind if word.endswith("_ptr")
            else "fp32" if word == "scale" else "i32"
        )
        if word.endswith(("_ptr", "_batch", "_token", "_head")):
            attrs[(i,)] = [["tt.divisibility", 16]]
    source = GluonASTSource(fn=kernel, signature=signature, constexprs=constants, attrs=attrs)
    built = compile(source, target=GPUTarget("cuda", 90, 32), options={"num_warps": 4})
    print(built.metadata.shared, built.asm["ptx"].count("wgmma.mma_async"))
"""


def problem(**facts) -> Problem:
    given = {
        "batch": 1, "axes": check_axes((64, 64), 40), "heads": 2, "heads_kv": 2, "dim": 128, "dim_v": 128,
        "dtype": torch.bfloat16, "device": torch.device("cuda"),
    }  # fmt: skip
    return Problem(**(given | facts))


@pytest.fixture
def hopper(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gluon_forward, "triton_missing", lambda device, dtype: "")
    monkeypatch.setattr(gluon_forward, "triton_interpreted", lambda: False)
    monkeypatch.setattr(gluon_forward, "_capability", lambda index: (9, 0))


def test_it_takes_what_it_can(hopper: None) -> None:
    assert gluon_forward.can_run(problem()) == ""
    assert gluon_forward.can_run(problem(axes=check_axes((8, 16, 16), 8), heads=4, dim=64, dim_v=64)) == ""


@pytest.mark.parametrize(
    ("facts", "reason"),
    [
        ({"dtype": torch.float32}, "float16 and bfloat16"),
        ({"dim": 96, "dim_v": 96}, "64 or 128"),
        ({"dim_v": 64}, "equal head dims"),
        ({"has_bias": True}, "neither bias"),
        ({"extra_tokens": 3}, "extra keys"),
        ({"axes": check_axes((64, 64), 40, causal=(True, False))}, "causal"),
        ({"axes": check_axes((64, 64), 20, dilation=2)}, "dilation"),
        ({"axes": check_axes((4000,), 1000)}, "two axes"),
    ],
)
def test_it_says_what_it_cannot(hopper: None, facts: dict, reason: str) -> None:
    assert reason in gluon_forward.can_run(problem(**facts))


def test_backward_takes_what_forward_does_on_shorter_axes(hopper: None) -> None:
    assert gluon_backward.can_run(problem()) == ""
    assert "neither bias" in gluon_backward.can_run(problem(has_bias=True))
    assert "32767" in gluon_backward.can_run(problem(axes=check_axes((40000, 64), 40)))


@pytest.mark.parametrize("kernel", ["key", "query"])
@pytest.mark.parametrize("dim", [64, 128])
def test_backward_schedules_fit(kernel: str, dim: int) -> None:
    for grid, window, stride in (((256, 256), 80, 16), ((30, 48, 80), (18, 24, 24), 1), ((40, 90), (33, 40), 5)):
        schedule = gluon_backward.chosen_schedule(check_axes(grid, window, stride), dim, kernel)
        assert schedule is not None
        assert prod(schedule.tile) == 128
        ring = 2 * schedule.stages * prod(schedule.box) * dim * 2
        assert ring + 2 * prod(schedule.tile) * dim * 2 <= 227 * 1024
    assert gluon_backward.chosen_schedule(check_axes((56, 56), 7), dim, kernel) is None


def test_elsewhere_it_cannot() -> None:
    assert gluon_forward.can_run(problem(device=torch.device("cpu")))


def test_small_windows_are_left_to_the_other_kernel() -> None:
    assert gluon_forward.chosen_schedule(check_axes((56, 56), 7), 64) is None
    assert gluon_forward.chosen_schedule(check_axes((60, 60), 31), 128) is None


@pytest.mark.parametrize("dim", [64, 128])
@pytest.mark.parametrize(
    ("grid", "window", "stride"),
    [((256, 256), 80, 1), ((256, 256), 80, 16), ((30, 48, 80), (18, 24, 24), (16, 8, 8)), ((40, 90), (33, 40), 5)],
)
def test_schedules_fit(grid: tuple[int, ...], window: int, stride: int, dim: int) -> None:
    schedule = gluon_forward.chosen_schedule(check_axes(grid, window, stride), dim)
    assert schedule is not None
    assert prod(schedule.box) in (64, 128)
    assert prod(schedule.tile) == 64 * schedule.parts
    assert schedule.tile[schedule.split] % schedule.parts == 0
    ring = 2 * schedule.stages * prod(schedule.box) * dim * 2
    assert ring + prod(schedule.tile) * dim * 2 <= 227 * 1024


def test_the_table_is_used() -> None:
    axes = check_axes((30, 48, 80), (18, 24, 24), (16, 8, 8))
    entry = plan.tuned("sm90")[plan.signature(axes, 128, "hopper forward")]
    schedule = gluon_forward.chosen_schedule(axes, 128)
    assert schedule is not None
    assert schedule.tile == tuple(entry["tile"]) == (2, 8, 8)


@pytest.mark.slow
def test_it_compiles_for_a_gpu_that_is_not_here() -> None:
    pytest.importorskip("triton.experimental.gluon")
    environment = {key: value for key, value in os.environ.items() if not key.startswith("TRITON_")}
    command = [sys.executable, "-W", "ignore", "-c", COMPILE]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=280)
    assert done.returncode == 0, done.stderr[-3000:]
    rows = [[int(word) for word in line.split()] for line in done.stdout.splitlines()]
    assert len(rows) == 6
    assert all(shared <= 227 * 1024 and products > 0 for shared, products in rows)

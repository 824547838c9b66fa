"""The Gluon kernels for Hopper give the reference's numbers when their source is run step by step, without a GPU."""

import importlib
import inspect
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from types import ModuleType
from typing import Any, NamedTuple

import pytest
import torch
from torch import Tensor

from foveate.kernels.neighborhood import gluon_backward, gluon_forward, reference
from foveate.kernels.neighborhood.gluon_forward import Schedule
from foveate.kernels.neighborhood.problem import Inputs
from foveate.kernels.window import Axis, check_axes
from tests.kernels.gluon_emulator import DeadlockError, Emulator, Kernel, install, tensor

DIM = 8
SCALE = DIM**-0.5


@dataclass(frozen=True)
class Grid:
    """A small problem; packed means that query, key and value are views of one tensor."""

    spatial: tuple[int, ...]
    window: tuple[int, ...]
    stride: tuple[int, ...] | int = 1
    batch: int = 1
    heads: int = 2
    heads_kv: int = 1
    packed: bool = False

    @property
    def axes(self) -> tuple[Axis, ...]:
        return check_axes(self.spatial, self.window, self.stride)


# No length is a multiple of the tiles' or the boxes' sides.
FLAT = Grid((20, 23), (9, 11))
STRIDED = Grid((26, 21), (16, 12), (4, 8), batch=2, heads_kv=2, packed=True)
WHOLE = Grid((19, 17), (19, 13), (5, 1), heads=1)
DENSE = Grid((26, 17), (13, 17), heads=1)
VIDEO = Grid((9, 6, 10), (5, 5, 8), (1, 4, 8), heads=3, packed=True)
WIDE = Grid((3, 6, 43), (2, 5, 35))
DEEP = Grid((9, 11, 6), (7, 9, 5), heads=1)

# Tile, box and the rest; persistent programs are three.
FORWARD = [
    (FLAT, Schedule((1, 16, 8), (1, 8, 8))),
    (FLAT, Schedule((1, 16, 8), (1, 8, 16), overlap=False)),
    (STRIDED, Schedule((1, 16, 8), (1, 16, 8), persistent=True)),
    (STRIDED, Schedule((1, 8, 16), (1, 4, 16), stages=3, overlap=False, persistent=True)),
    (FLAT, Schedule((1, 24, 8), (1, 8, 8), parts=3)),
    (WHOLE, Schedule((1, 24, 8), (1, 16, 4), stages=4, persistent=True, parts=3)),
    (VIDEO, Schedule((4, 4, 8), (2, 4, 8), persistent=True)),
    (VIDEO, Schedule((4, 4, 8), (1, 8, 8), stages=3, overlap=False)),
    (VIDEO, Schedule((6, 4, 8), (4, 4, 4), parts=3, persistent=True)),
    (WIDE, Schedule((1, 8, 16), (1, 2, 32))),
    (WIDE, Schedule((2, 4, 16), (2, 1, 32), overlap=False)),
    (DEEP, Schedule((4, 8, 4), (4, 8, 2), stages=3, persistent=True)),
]
QUERY = [
    (FLAT, Schedule((1, 16, 8), (1, 8, 8), overlap=False), True),
    (FLAT, Schedule((1, 16, 8), (1, 8, 8), stages=3), False),
    (STRIDED, Schedule((1, 16, 8), (1, 8, 16), overlap=False, persistent=True), False),
    (STRIDED, Schedule((1, 8, 16), (1, 4, 16), stages=4, persistent=True), True),
    (WHOLE, Schedule((1, 16, 8), (1, 16, 4), stages=3), True),
    (VIDEO, Schedule((4, 4, 8), (2, 4, 8), stages=4, persistent=True), True),
    (VIDEO, Schedule((2, 8, 8), (1, 8, 16), overlap=False), False),
    (WIDE, Schedule((1, 8, 16), (1, 2, 32), stages=3), False),
    (DEEP, Schedule((4, 8, 4), (4, 8, 4), stages=3, persistent=True), True),
]
KEY = [
    (FLAT, Schedule((1, 16, 8), (1, 8, 8))),
    (FLAT, Schedule((1, 16, 8), (1, 8, 16), overlap=False)),
    (STRIDED, Schedule((1, 16, 8), (1, 16, 8), persistent=True)),
    (STRIDED, Schedule((1, 8, 16), (1, 4, 16), stages=3, overlap=False, persistent=True)),
    (WHOLE, Schedule((1, 16, 8), (1, 16, 4), stages=4)),
    (DENSE, Schedule((1, 16, 8), (1, 4, 16))),
    (VIDEO, Schedule((4, 4, 8), (2, 4, 8), persistent=True)),
    (VIDEO, Schedule((4, 4, 8), (1, 8, 8), stages=3, overlap=False)),
    (WIDE, Schedule((1, 8, 16), (1, 2, 32))),
    (WIDE, Schedule((2, 4, 16), (1, 4, 32), overlap=False)),
    (DEEP, Schedule((4, 8, 4), (4, 8, 2), stages=3, persistent=True)),
]


class Answers(NamedTuple):
    """Tensors of a call, and what the reference makes of them in float64."""

    inputs: Inputs
    d_out: Tensor
    d_lse: Tensor | None
    out: Tensor
    lse: Tensor
    delta: Tensor
    gradients: tuple[Tensor, ...]


@lru_cache(maxsize=16)
def answers(grid: Grid, has_d_lse: bool = True) -> Answers:
    """Draw the tensors of a problem and compute what is right."""
    random = torch.Generator().manual_seed(len(grid.spatial))
    heads = (grid.heads, grid.heads_kv, grid.heads_kv)

    def draw(*shape: int) -> Tensor:
        return torch.randn(shape, generator=random)

    if grid.packed:
        query, key, value = draw(grid.batch, *grid.spatial, sum(heads), DIM).split(heads, -2)
        d_out = draw(grid.batch, grid.heads, *grid.spatial, DIM).movedim(1, -2)
    else:
        query, key, value = (draw(grid.batch, *grid.spatial, n, DIM) for n in heads)
        d_out = draw(*query.shape)
    inputs = Inputs(query, key, value)
    d_lse = draw(*query.shape[:-1])
    exact = Inputs(*(x.double().requires_grad_() for x in (query, key, value)))
    out, lse = reference.forward(exact, grid.axes, SCALE)
    given = d_out.double(), d_lse.double() * has_d_lse
    gradients = torch.autograd.grad([out, lse], list(exact[:3]), given)
    delta = (out * given[0]).sum(-1) - given[1]
    return Answers(inputs, d_out, d_lse if has_d_lse else None, out.detach(), lse.detach(), delta.detach(), gradients)


@pytest.fixture
def emulator(monkeypatch: pytest.MonkeyPatch) -> Iterator[Emulator]:
    """The emulated GPU; memory that torch.empty returns holds NaN."""
    pytest.importorskip(
        "triton.experimental.gluon.language.nvidia.hopper", reason="this Triton has no Gluon for Hopper"
    )
    before = torch.are_deterministic_algorithms_enabled()
    gpu = install(monkeypatch, multiprocessors=3)
    torch.use_deterministic_algorithms(True)
    yield gpu
    torch.use_deterministic_algorithms(before)


def assert_near(got: Tensor, exact: Tensor) -> None:
    torch.testing.assert_close(got.double(), exact, rtol=1e-5, atol=5e-6)


def check_forward(grid: Grid, schedule: Schedule) -> None:
    right = answers(grid)
    out, lse = gluon_forward.forward(right.inputs, grid.axes, SCALE, schedule)
    assert_near(out, right.out)
    assert_near(lse, right.lse)


def check_query(grid: Grid, schedule: Schedule, has_d_lse: bool = True) -> None:
    right = answers(grid, has_d_lse)
    given = right.out.float(), right.lse.float(), right.d_out, right.d_lse
    d_query, delta = gluon_backward.query_gradient(right.inputs, *given, grid.axes, SCALE, schedule)
    assert_near(delta, right.delta)
    assert_near(d_query, right.gradients[0])


def check_key(grid: Grid, schedule: Schedule) -> None:
    right = answers(grid)
    given = right.lse.float(), right.delta.float(), right.d_out
    d_key, d_value = gluon_backward.key_gradient(right.inputs, *given, grid.axes, SCALE, schedule)
    assert_near(d_key, right.gradients[1])
    assert_near(d_value, right.gradients[2])


def name(value: object) -> str:
    """Name grids and schedules in the tests' names."""
    if isinstance(value, Grid):
        return "x".join(map(str, value.spatial))
    if isinstance(value, Schedule):
        words = ["x".join(map(str, sides)) for sides in (value.tile, value.box)] + [f"{value.stages}stages"]
        return "-".join(words + [word for word in ("overlap", "persistent") if getattr(value, word)])
    return "d_lse" if value else "no_d_lse"


@pytest.mark.parametrize(("grid", "schedule"), FORWARD, ids=name)
def test_output_and_logsumexp(emulator: Emulator, grid: Grid, schedule: Schedule) -> None:
    check_forward(grid, schedule)


@pytest.mark.parametrize(("grid", "schedule", "has_d_lse"), QUERY, ids=name)
def test_query_gradient_and_delta(emulator: Emulator, grid: Grid, schedule: Schedule, has_d_lse: bool) -> None:
    check_query(grid, schedule, has_d_lse)


@pytest.mark.parametrize(("grid", "schedule"), KEY, ids=name)
def test_key_and_value_gradients(emulator: Emulator, grid: Grid, schedule: Schedule) -> None:
    check_key(grid, schedule)


def test_views_of_a_packed_tensor_are_read_in_place(emulator: Emulator) -> None:
    inputs = answers(VIDEO).inputs
    assert not inputs.key.is_contiguous()
    assert gluon_forward.evenly_spaced(inputs.query) is inputs.query
    assert gluon_forward.describe(inputs.key, (2, 4, 8)).base is inputs.key


def test_integers_are_those_of_the_gpu() -> None:
    assert (tensor(-7, "int32") // 2, tensor(-7, "int32") % 2) == (-3, -1)
    assert tensor(1, "int32") << 31 == -(2**31)
    with pytest.raises(ValueError, match="32 bits is shifted by 32"):
        tensor(1, "int32") << 32
    number = other = tensor(1, "int32")
    number += 1
    assert (number, other) == (2, 1)


def test_the_emulator_knows_no_names_that_gluon_lacks(emulator: Emulator) -> None:
    gluon = "triton.experimental.gluon.language"
    hopper = importlib.import_module(f"{gluon}.nvidia.hopper")
    names = emulator.names()
    pairs = [(names.pop("gl"), importlib.import_module(gluon))]
    pairs += [(names[part], getattr(hopper, part)) for part in ("mbarrier", "tma")]
    assert [name for fake, real in pairs for name in vars(fake) if not hasattr(real, name)] == []
    assert [name for name in names if not hasattr(hopper, name)] == []


def test_a_deadlock_says_who_waits(emulator: Emulator, monkeypatch: pytest.MonkeyPatch) -> None:
    change(monkeypatch, "consume", "give(k_free, use, STAGES)", "pass")
    with pytest.raises(DeadlockError, match=r"produce 2 waits for phase 0 to end, of which 2 arrivals"):
        check_forward(FLAT, Schedule((1, 16, 8), (1, 8, 8), overlap=False))


WAIT, GIVE, INDENT = "acc, p = warpgroup_mma_wait(0, deps=[product, p])", "give(v_free, use, STAGES)", "\n" + 16 * " "
# What the tests above have to notice: in which test, in which function, what stands there, and what would be wrong.
WRONG = [
    ("forward", "row_bits", "low + W - t", "low + W + 1 - t"),
    ("forward", "visible", "t0 + BOX[0] <= g0", "t0 + BOX[0] <= g0 + 1"),
    ("forward", "next_box", "t0 + BOX[0], t0)", "t0 + BOX[0] + 1, t0)"),
    ("forward", "produce", "phase = use // STAGES & 1", "phase = 0"),
    ("forward", "produce", "mbarrier.wait(k_free.index(slot), phase ^ 1)", "pass"),
    ("forward", "box", "mbarrier.wait(full.index(use % STAGES), use // STAGES & 1)", "pass"),
    ("forward", "consume", "fence_async_shared()", "pass"),
    ("forward", "consume", "mma_wait(1, deps=[scores])", "mma_wait(2, deps=[scores])"),
    ("forward", "consume", WAIT + INDENT + GIVE, GIVE + INDENT + WAIT),
    ("forward", "consume", "gl.store(lse_ptr + o,", "gl.store(lse_ptr + o * 0,"),
    ("forward", "neighborhood_gluon_fwd_kernel", "init(v0.index(i), count=PARTS)", "init(v0.index(i), count=1)"),
    ("query", "consume_keys", "token[:, None] * g_token", "token[:, None] * q_token"),
    ("query", "consume_keys", "delta = delta - gl", "delta = delta + gl"),
    ("query", "consume_keys", "give(k_free, use - 1, STAGES)", "give(k_free, use, STAGES)"),
    ("key", "past_query", "(W // 2 - S // 2)", "(W // 2 - S // 2 - 1)"),
    ("key", "produce_queries", "* DIM * 4", "* DIM * 2"),
    ("key", "attended", "second >> PART", "second >> (1 - PART)"),
    ("key", "consume_queries", "await_box(full, use + 1, n + 1 < stop, STAGES)", "pass"),
    ("key", "consume_queries", "for _ in range(GROUP)", "for _ in range(1)"),
]


@pytest.mark.parametrize(("kernel", "function", "old", "new"), WRONG)
def test_a_wrong_kernel_is_noticed(
    emulator: Emulator, monkeypatch: pytest.MonkeyPatch, kernel: str, function: str, old: str, new: str
) -> None:
    check = {"forward": check_forward, "query": check_query, "key": check_key}[kernel]
    change(monkeypatch, function, old, new)
    with pytest.raises((AssertionError, IndexError, RuntimeError)):
        check(VIDEO, Schedule((4, 4, 8), (2, 4, 8), stages=3, persistent=True))


def change(patch: pytest.MonkeyPatch, function: str, old: str, new: str) -> None:
    """Change a function of the kernels, in memory, wherever it is used."""
    parts = ("triton_gluon", "triton_gluon_backward", "triton_gluon_query")
    modules = [importlib.import_module(f"foveate.kernels.neighborhood.{part}") for part in parts]
    users: list[ModuleType] = [module for module in modules if hasattr(module, function)]
    present = getattr(users[0], function)
    source = inspect.getsource(present.function if isinstance(present, Kernel) else present)
    assert old in source, f"{function} no longer says {old!r}: choose another error"
    made: dict[str, Any] = {}
    exec(source[source.index("def ") :].replace(old, new), vars(users[0]), made)
    if isinstance(present, Kernel):
        present.function = made[function]
        return
    for module in users:
        patch.setattr(module, function, made[function])

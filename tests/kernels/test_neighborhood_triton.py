"""The Triton kernels of neighborhood attention against the reference in float64, interpreted or on a GPU."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import product
from math import prod
from typing import Any

import pytest
import torch
from torch import Tensor

from foveate.kernels.dispatch import triton_missing
from foveate.kernels.neighborhood import plan, reference
from foveate.kernels.neighborhood.plan import make_tiling
from foveate.kernels.neighborhood.problem import Inputs
from foveate.kernels.window import Axis, check_axes, spans

triton = pytest.importorskip("triton")
DEVICE = torch.device("cuda" if torch.cuda.is_available() else "cpu")
pytestmark = pytest.mark.skipif(triton_missing(DEVICE, torch.float32) != "", reason="no GPU, and no interpreter")
PASSES = ("forward", "query", "key")


@dataclass(frozen=True)
class Setting:
    """A call to compare.

    Args:
        grid: Lengths of the axes.
        options: What ``check_axes`` takes beside them.
        heads: Of the query.
        heads_kv: Of key and value.
        dims: Channels of a head of key and of value.
        bias: Whether there is a bias.
        extra: Extra tokens.
        tile: Tile of all three kernels.
        batch: Items.
    """

    grid: tuple[int, ...]
    options: dict[str, Any]
    heads: int = 1
    heads_kv: int = 1
    dims: tuple[int, int] = (8, 8)
    bias: bool = False
    extra: int = 0
    tile: tuple[int, int, int] = (1, 4, 4)
    batch: int = 1

    @property
    def axes(self) -> tuple[Axis, ...]:
        """Windows."""
        return check_axes(self.grid, **self.options)


SETTINGS = {
    "line": Setting((37,), {"window": 7}, dims=(16, 16), tile=(1, 1, 16)),
    "line_with_all": Setting(
        (21,), {"window": 4, "stride": 3, "dilation": 2, "causal": True}, heads=4, heads_kv=2, dims=(5, 19), bias=True,
        extra=3, tile=(1, 1, 16),
    ),
    "grid": Setting((9, 11), {"window": (5, 4)}, dims=(12, 8)),
    "strided": Setting((10, 9), {"window": (6, 5), "stride": (4, 2)}, bias=True, extra=17, tile=(1, 4, 8)),
    "dilated": Setting((5, 7), {"window": 2, "dilation": (2, 3)}, batch=2, tile=(1, 8, 2)),
    "causal": Setting((6, 10), {"window": (3, 5), "stride": (1, 2), "causal": (True, False)}, bias=True),
    "blocked": Setting((8, 12), {"window": 4, "stride": 4}, dims=(20, 5)),
    "dense": Setting((5, 6), {"window": (5, 6)}, heads_kv=2, heads=2),
    "volume": Setting((3, 5, 4), {"window": (2, 3, 3), "causal": (True, False, False)}, bias=True, tile=(2, 2, 4)),
    "strip": Setting((1, 23), {"window": (1, 6)}, tile=(1, 1, 16)),
    "column": Setting((19, 1), {"window": (5, 1)}, tile=(1, 16, 1), bias=True),
    # Whole tiles, with corners, borders and an interior; and tiles that reach over the edge in some classes only.
    "even": Setting((12, 12), {"window": 3}, dims=(16, 8), batch=2),
    "uneven": Setting((9, 23), {"window": (4, 3), "dilation": (1, 3), "stride": (2, 1)}, bias=True, batch=2),
}  # fmt: skip
WAYS: dict[str, dict[str, Any]] = {
    "run, product": {"flat": True, "by_dot": True},
    "run, elements": {"flat": True, "by_dot": False},
    "tiles, product": {"flat": False, "by_dot": True},
    "tiles, elements": {"flat": False, "by_dot": False},
    "small, product": {"small": True, "by_dot": True},
    "small, elements": {"small": True, "by_dot": False},
    "table": {"table": True, "by_dot": True},
}


def draw(setting: Setting, dtype: torch.dtype = torch.float32) -> Inputs:
    """Draw the tensors of a call, each number exact in ``dtype``."""
    generator = torch.Generator().manual_seed(0)
    shape, (dim, dim_v), kv = (setting.batch, *setting.grid), setting.dims, setting.heads_kv
    shapes: list[tuple[int, ...] | None] = [(*shape, setting.heads, dim), (*shape, kv, dim), (*shape, kv, dim_v)]
    shapes.append((setting.heads, *(2 * axis.window - 1 for axis in setting.axes)) if setting.bias else None)
    shapes += [(setting.batch, setting.extra, kv, d) if setting.extra else None for d in (dim, dim_v)]
    return Inputs(*(None if s is None else torch.randn(s, generator=generator).to(dtype) for s in shapes))


def poisoned(tensor: Tensor | None) -> Tensor | None:
    """Move to the device, into memory that is NaN before, after and between rows."""
    if tensor is None:
        return None
    padded = torch.full((*tensor.shape[:-1], tensor.shape[-1] + 3), float("nan"), dtype=tensor.dtype)
    padded[..., 1:-2] = tensor
    around = torch.full((2 * 64 * 64 + padded.numel(),), float("nan"), dtype=tensor.dtype)
    around[64 * 64 : -64 * 64] = padded.flatten()
    return around.to(DEVICE)[64 * 64 : -64 * 64].view(padded.shape)[..., 1:-2]


@contextmanager
def nothing_is_zero_by_chance() -> Iterator[None]:
    """Fill what torch.empty returns with NaN."""
    torch.use_deterministic_algorithms(True)
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(False)


def errors(setting: Setting, way: dict[str, Any], dtype: torch.dtype = torch.float32) -> dict[str, float]:
    """Compare output, logsumexp and all gradients with the reference in float64."""
    from foveate.kernels.neighborhood import triton_launch as launch

    inputs, axes, scale = draw(setting, dtype), setting.axes, 0.4
    leaves = Inputs(*(None if t is None else t.double().requires_grad_() for t in inputs))
    out, lse = reference.forward(leaves, axes, scale)
    generator = torch.Generator().manual_seed(1)
    d_out, d_lse = torch.randn(out.shape, generator=generator).to(dtype), torch.randn(lse.shape, generator=generator)
    torch.autograd.backward([out, lse], [d_out.double(), d_lse.double()])
    mine = Inputs(*(poisoned(tensor) for tensor in inputs))
    g, g_lse = poisoned(d_out), d_lse.to(DEVICE)
    assert g is not None
    tilings = [make_tiling(axes, name, setting.tile, block=16, stages=1, **way) for name in PASSES]
    with nothing_is_zero_by_chance():
        my_out, my_lse = launch.forward(mine, axes, scale, tilings[0])
        d_query, delta = launch.query_gradient(mine, my_out, my_lse, g, g_lse, axes, scale, tilings[1])
        d_key, d_value = launch.key_gradient(mine, my_lse, delta, g, axes, scale, tilings[2])
    pairs = {"out": (my_out, out), "lse": (my_lse, lse)}
    names = ("query", "key", "value")
    pairs |= {n: (d, t.grad) for n, d, t in zip(names, (d_query, d_key, d_value), leaves[:3], strict=True)}
    assert all(got.shape == wanted.shape for got, wanted in pairs.values())
    return {name: float((got.cpu().double() - wanted).detach().abs().max()) for name, (got, wanted) in pairs.items()}


def every_way() -> list[Any]:
    """Every setting in every way; each third pair is quick enough for every day."""
    pairs = []
    for (i, name), (j, way) in product(enumerate(SETTINGS), enumerate(WAYS)):
        # The kernels for small windows and those that read tables take no extra keys.
        if not (SETTINGS[name].extra and ({"small", "table"} & WAYS[way].keys())):
            pairs.append(pytest.param(name, way, marks=() if (i + j) % 3 == 0 else pytest.mark.slow))
    return pairs


@pytest.mark.parametrize(("name", "way"), every_way())
def test_agrees_with_the_reference(name: str, way: str) -> None:
    found = errors(SETTINGS[name], WAYS[way])
    assert max(found.values()) < 2e-5, found


@pytest.mark.parametrize(
    ("name", "way"),
    [
        ("line", "run, product"),
        ("line", "tiles, product"),
        ("grid", "small, product"),
        ("even", "table"),
    ],
)
def test_agrees_in_half_precision(name: str, way: str) -> None:
    found = errors(SETTINGS[name], WAYS[way], torch.float16)
    assert found["lse"] < 2e-3, found
    assert max(found.values()) < 1e-2, found


@pytest.mark.parametrize("name", [name for name, setting in SETTINGS.items() if setting.bias or setting.extra])
def test_gradients_of_bias_and_extra_keys(name: str) -> None:
    from foveate.kernels.neighborhood.triton_bias import bias_gradient
    from foveate.kernels.neighborhood.triton_extra import extra_gradient

    setting, scale = SETTINGS[name], 0.4
    inputs, axes = draw(setting), setting.axes
    leaves = Inputs(*(None if t is None else t.double().requires_grad_() for t in inputs))
    out, lse = reference.forward(leaves, axes, scale)
    d_out, d_lse = torch.randn(out.shape), torch.randn(lse.shape)
    torch.autograd.backward([out, lse], [d_out.double(), d_lse.double()])
    delta = ((out * d_out).sum(-1) - d_lse).detach()
    mine, g = Inputs(*(poisoned(tensor) for tensor in inputs)), poisoned(d_out)
    lse, delta = (tensor.detach().float().to(DEVICE) for tensor in (lse, delta))
    with nothing_is_zero_by_chance():
        if leaves.bias is not None:
            d_bias = bias_gradient(mine, lse, delta, g, axes, scale, parts=2)
            torch.testing.assert_close(d_bias.cpu().double(), leaves.bias.grad, atol=2e-5, rtol=0)
        if leaves.extra_key is not None:
            for runs in (1, 2):
                found = extra_gradient(mine, lse, delta, g, axes, scale, runs=runs)
                for got, leaf in zip(found, leaves[4:], strict=True):
                    torch.testing.assert_close(got.cpu().double(), leaf.grad, atol=2e-5, rtol=0)


def test_a_bias_of_a_large_window_goes_through_many_steps() -> None:
    from foveate.kernels.neighborhood.triton_bias import bias_gradient, can_run

    axes, scale = check_axes((19, 20), (13, 15)), 0.4
    setting = Setting((19, 20), {"window": (13, 15)}, bias=True)
    inputs = draw(setting)
    leaves = Inputs(*(None if t is None else t.double().requires_grad_() for t in inputs))
    out, lse = reference.forward(leaves, axes, scale)
    d_out = torch.randn(out.shape)
    out.backward(d_out.double())
    delta = (out * d_out).sum(-1)
    moved = [tensor.detach().float().to(DEVICE) for tensor in (lse, delta, d_out)]
    mine = Inputs(*(None if t is None else t.to(DEVICE) for t in inputs))
    assert leaves.bias is not None
    torch.testing.assert_close(
        bias_gradient(mine, *moved, axes, scale).cpu().double(), leaves.bias.grad, atol=5e-5, rtol=0
    )
    assert can_run(axes) == ""
    assert can_run(check_axes((600, 600), 600)).endswith("got 1437601")


def test_two_backwards_agree_to_the_bit() -> None:
    from foveate.kernels.neighborhood import triton_launch as launch

    setting = SETTINGS["line_with_all"]
    inputs = Inputs(*(None if t is None else t.to(DEVICE) for t in draw(setting)))
    out, lse = launch.forward(inputs, setting.axes, 0.4)
    first, second = (launch.backward(inputs, out, lse, out, lse, setting.axes, 0.4) for _ in range(2))
    assert all(a is not None and b is not None and torch.equal(a, b) for a, b in zip(first, second, strict=True))


@pytest.mark.parametrize("grid", [(7, 1), (3, 7, 1), (3, 1, 7), (1, 7)])
def test_strides_of_axes_of_length_one_do_not_matter(grid: tuple[int, ...]) -> None:
    from foveate.kernels.neighborhood import triton_launch as launch

    at = grid.index(1) + 1
    other = at - 1 if at > 1 else at + 1
    shape = [2, *grid, 1, 8]
    shape[at], shape[other] = shape[other], shape[at]
    view = torch.randn(shape).transpose(at, other)
    axes = check_axes(grid, tuple(min(n, 3) for n in grid))
    inputs = Inputs(view.to(DEVICE), view.to(DEVICE), view.to(DEVICE))
    out, lse = launch.forward(inputs, axes, 0.4)
    wanted, wanted_lse = reference.forward(Inputs(view, view, view), axes, 0.4)
    torch.testing.assert_close(out.cpu(), wanted)
    torch.testing.assert_close(lse.cpu(), wanted_lse)


def seen_by(axis: Axis) -> Tensor:
    """Which keys every query of an undilated axis sees."""
    _, _, first, last = spans(axis)
    key = torch.arange(axis.length)
    return (key >= first[:, None]) & (key <= last[:, None])


LINES = [
    Axis(length, window, stride, 1, causal)
    for length in (1, 2, 5, 8, 13)
    for window in range(1, length + 1)
    for stride in range(1, window + 1)
    for causal in (False, True)
]


def test_who_sees_a_key_is_known_in_closed_form() -> None:
    import triton.language as tl

    from foveate.kernels.neighborhood.triton_geometry import first_key, first_query, last_key, last_query

    @triton.jit
    def ends_kernel(out_ptr, n, W: tl.constexpr, S: tl.constexpr, CAUSAL: tl.constexpr):  # type: ignore[no-untyped-def]
        p = tl.arange(0, 16)
        tl.store(out_ptr + p, first_key(p, n, W, S, CAUSAL))
        tl.store(out_ptr + 16 + p, last_key(p, n, W, S, CAUSAL))
        tl.store(out_ptr + 32 + p, first_query(p, n, W, S, CAUSAL))
        tl.store(out_ptr + 48 + p, last_query(p, n, W, S, CAUSAL))

    ends_kernel.fn.__globals__.update(
        first_key=first_key, last_key=last_key, first_query=first_query, last_query=last_query, tl=tl
    )
    for axis in LINES:
        got = torch.zeros(4, 16, dtype=torch.int32, device=DEVICE)
        ends_kernel[(1,)](got, axis.length, axis.window, axis.stride, axis.causal)
        seen = seen_by(axis)
        keys = [[int(row.nonzero().min()), int(row.nonzero().max())] for row in seen]
        queries = [[int(row.nonzero().min()), int(row.nonzero().max())] for row in seen.T]
        wanted = torch.cat([torch.tensor(keys).T, torch.tensor(queries).T])
        assert torch.equal(got[:, : axis.length].cpu().long(), wanted), axis


def test_the_largest_union_is_that_of_brute_force() -> None:
    for axis, tile in product(LINES, (1, 2, 4, 16)):
        seen = seen_by(axis)
        for inverse in (False, True):
            table = seen.T if inverse else seen
            largest = 0
            for start in range(0, axis.length, tile):
                columns = table[start : start + tile].any(0).nonzero()
                largest = max(largest, int(columns.max() - columns.min()) + 1)
            assert plan.largest_union(axis, tile, inverse) == largest, (axis, tile, inverse)


@pytest.mark.parametrize("inverse", [False, True])
@pytest.mark.parametrize("name", ["even", "uneven", "causal", "volume", "column", "line"])
def test_tables_say_who_sees_whom(name: str, inverse: bool) -> None:
    """Every position of every tile finds the tokens it should in its box, and no others."""
    from foveate.kernels.neighborhood import triton_table_maps as maps

    setting = SETTINGS[name]
    kernel = "key" if inverse else "forward"
    tiling = make_tiling(setting.axes, kernel, setting.tile, block=32, table=True, by_dot=True)
    assert maps.can_run(setting.axes, tiling, 1, inverse) == ""
    tiles, penalties = maps.tables(setting.axes, tiling, inverse, torch.float32, torch.device("cpu"))
    axes = plan.three(setting.axes)
    seen = torch.ones(1, 1, dtype=torch.bool)
    for axis in axes:
        residue, _, first, last = spans(axis)
        place = torch.arange(axis.length)
        position = (place // axis.dilation)[None, :]
        own = (residue[:, None] == residue[None, :]) & (position >= first[:, None]) & (position <= last[:, None])
        seen = (seen[:, None, :, None] & own[None, :, None, :]).flatten(0, 1).flatten(1, 2)
    found = torch.zeros(seen.shape, dtype=torch.long)

    def tokens(first: int, box: tuple[int, ...]) -> Tensor:
        steps = [torch.arange(side) * axis.dilation for side, axis in zip(box, axes, strict=True)]
        plane = (steps[0] * axes[1].length)[:, None, None] + steps[1][None, :, None]
        return first + (plane * axes[2].length + steps[2]).flatten()

    for entry in tiles.tolist():
        candidates = tokens(entry[1], tiling.union)
        assert 0 <= int(candidates.min()) <= int(candidates.max()) < prod(axis.length for axis in axes)
        for m0, m1, m2 in product(*(range(min(t, n)) for t, n in zip(tiling.tile, entry[5:8], strict=True))):
            rows = [penalties[entry[2] + m2], penalties[entry[3] + m1], penalties[entry[4] + m0]]
            mine = torch.stack(rows).sum(0)[: len(candidates)] == 0
            token = entry[0] + (m0 * axes[0].dilation * axes[1].length + m1 * axes[1].dilation) * axes[2].length
            found[token + m2 * axes[2].dilation, candidates[mine]] += 1
    assert torch.equal(found, (seen.T if inverse else seen).long())


def test_where_there_are_no_tables() -> None:
    from foveate.kernels.neighborhood.triton_table_maps import can_run

    axes = check_axes((40, 40), 7)
    tiling = make_tiling(axes, "forward", (1, 8, 8), table=True)
    assert can_run(axes, tiling, 1, False) == ""
    assert can_run(axes, tiling, 65536, False).endswith("got 65536")
    by_elements = make_tiling(axes, "forward", (1, 8, 8), table=True, by_dot=False)
    assert "by elements" in can_run(axes, by_elements, 1, False)
    wide = check_axes((80, 80), 33)
    assert can_run(wide, make_tiling(wide, "forward", (1, 8, 8), table=True), 1, False).endswith("got 1600")
    short = check_axes((15, 15), 7, dilation=2)  # a class of 8 and one of 7, which does not hold the box of the other
    assert "every residue class" in can_run(short, make_tiling(short, "forward", (1, 8, 8), table=True), 1, False)
    large = check_axes((2048, 2048), 3)
    found = can_run(large, make_tiling(large, "forward", (1, 4, 4), table=True), 1, False)
    assert found.endswith("65535 tiles at most, got 262144")


def test_what_has_no_tables_runs_without() -> None:
    from foveate.kernels.neighborhood import triton_launch as launch

    for name in ("strided", "dense"):  # extra keys; and a tile that is larger than the grid
        setting = SETTINGS[name]
        inputs = draw(setting)
        mine = Inputs(*(None if tensor is None else tensor.to(DEVICE) for tensor in inputs))
        tiling = make_tiling(setting.axes, "forward", setting.tile, block=16, table=True)
        out, _ = launch.forward(mine, setting.axes, 0.4, tiling)
        wanted, _ = reference.forward(inputs, setting.axes, 0.4)
        torch.testing.assert_close(out.cpu(), wanted, atol=2e-5, rtol=0)


def test_the_largest_union_is_that_of_the_longest_class() -> None:
    axis = Axis(23, 4, 2, 3)
    classes = [axis.of_class(residue) for residue in range(3)]
    for tile, inverse in product((1, 2, 4), (False, True)):
        assert plan.largest_union(axis, tile, inverse) == max(plan.largest_union(c, tile, inverse) for c in classes)


@pytest.mark.parametrize("dim", [16, 64, 128, 256])
def test_tilings_fit_their_problem(dim: int) -> None:
    for setting in SETTINGS.values():
        for name in PASSES:
            tiling = plan.tiling_for(setting.axes, dim, name, "none")
            assert prod(tiling.tile) >= 16
            assert tiling.block >= 16
            assert not tiling.flat or prod(tiling.union) <= 1024
            assert tiling.slots == 0 or tiling.slots >= sum(tiling.tile[3 - len(setting.grid) :])

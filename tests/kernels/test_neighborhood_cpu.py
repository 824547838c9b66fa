"""The cpu backend of neighborhood attention: its numbers against the gathering reference, and what it needs."""

from collections.abc import Iterator
from itertools import product
from typing import Any

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from foveate.kernels import neighborhood_attention
from foveate.kernels.neighborhood import cpu, cpu_plan, reference
from foveate.kernels.neighborhood.problem import Inputs, Problem
from foveate.kernels.window import Axis, check_axes

WAYS = ["tiles", "dense"]


def make(
    axes: tuple[Axis, ...],
    batch: int = 2,
    heads: int = 2,
    heads_kv: int | None = None,
    dim: int = 5,
    dim_v: int | None = None,
    bias: bool = False,
    extra: int = 0,
    dtype: torch.dtype = torch.float64,
) -> Inputs:
    """Draw the tensors of a call."""
    random = torch.Generator().manual_seed(0)
    spatial = [axis.length for axis in axes]
    heads_kv, dim_v = heads_kv or heads, dim_v or dim
    shapes: list[tuple[int, ...] | None] = [
        (batch, *spatial, heads, dim),
        (batch, *spatial, heads_kv, dim),
        (batch, *spatial, heads_kv, dim_v),
        (heads, *(2 * axis.window - 1 for axis in axes)) if bias else None,
        (batch, extra, heads_kv, dim) if extra else None,
        (batch, extra, heads_kv, dim_v) if extra else None,
    ]
    return Inputs(*(None if s is None else torch.randn(s, generator=random, dtype=dtype) for s in shapes))


def expected(inputs: Inputs, axes: tuple[Axis, ...], scale: float, with_lse: bool) -> tuple[list[Tensor], Inputs]:
    """Answer by the reference in float64: output, its logarithm, gradients that arrive at both; and all gradients."""
    leaves = Inputs(*(None if tensor is None else tensor.detach().double().requires_grad_() for tensor in inputs))
    out, lse = reference.forward(leaves, axes, scale)
    random = torch.Generator().manual_seed(1)
    d_out, d_lse = (torch.randn(tensor.shape, generator=random, dtype=torch.float64) for tensor in (out, lse))
    present = [tensor for tensor in leaves if tensor is not None]
    loss = (out * d_out).sum() + ((lse * d_lse).sum() if with_lse else 0)
    found = iter(torch.autograd.grad(loss, present))
    grads = Inputs(*(None if tensor is None else next(found) for tensor in leaves))
    return [out.detach(), lse.detach(), d_out, d_lse if with_lse else torch.zeros_like(d_lse)], grads


def worst_error(
    inputs: Inputs, axes: tuple[Axis, ...], way: str | None, scale: float = 0.3, with_lse: bool = True
) -> float:
    """Compare output, logarithm and all gradients with the reference, each relative to its largest number over 1."""
    (out, lse, d_out, d_lse), grads = expected(inputs, axes, scale, with_lse)
    my_out, my_lse = cpu.forward(inputs, axes, scale, way)
    dtype = inputs.query.dtype
    mine = cpu.backward(inputs, my_out, my_lse, d_out.to(dtype), d_lse.to(my_lse.dtype), axes, scale, way)
    assert my_out.dtype == dtype
    assert my_lse.dtype == torch.promote_types(dtype, torch.float32)
    pairs = [(my_out, out), (my_lse, lse)]
    for my_grad, grad, tensor in zip(mine, grads, inputs, strict=True):
        assert (my_grad is None) == (grad is None)
        if my_grad is not None and grad is not None and tensor is not None:
            assert my_grad.dtype == dtype
            assert my_grad.is_contiguous()
            pairs.append((my_grad, grad))
    for got, want in pairs:
        assert got.shape == want.shape
    pairs = [(got.double(), want) for got, want in pairs if want.numel()]
    return max((float((got - want).abs().max() / want.abs().max().clamp(min=1)) for got, want in pairs), default=0.0)


CASES: dict[str, tuple[tuple[Any, ...], dict[str, Any]]] = {
    "line": (((23,), 5), {}),
    "line-even": (((24,), 6, 2), {"heads": 3}),
    "line-one": (((9,), 1), {}),
    "line-causal": (((40,), 9, 3, 2, True), {"extra": 3}),
    "line-full": (((12,), 12), {"bias": True}),
    "line-full-causal": (((70,), 70, 1, 1, True), {}),
    "square": (((15, 17), 5), {"bias": True}),
    "square-even": (((13, 10), (4, 6), (2, 3)), {"extra": 2}),
    "square-blocked": (((12, 8), 4, 4), {"bias": True, "extra": 1}),
    "square-blocked-ragged": (((11, 9), 4, 4), {}),
    "square-dilated": (((17, 13), 3, (2, 1), (4, 3)), {"bias": True}),
    "square-causal": (((9, 14), (3, 5), (1, 3), (2, 1), (False, True)), {"bias": True, "extra": 4}),
    "square-grouped": (((12, 9), 5), {"heads": 6, "heads_kv": 2, "bias": True, "extra": 2}),
    "square-one-kv-head": (((12, 9), 5), {"heads": 4, "heads_kv": 1, "dim_v": 7}),
    "square-wide-value": (((10, 10), 3), {"dim": 1, "dim_v": 9}),
    "cube": (((5, 6, 7), (3, 2, 5)), {"bias": True}),
    "cube-all": (((6, 5, 9), (3, 4, 2), (2, 1, 2), (1, 1, 4), (True, False, True)), {"heads": 4, "heads_kv": 2}),
    "empty": (((6, 6), 3), {"batch": 0, "bias": True, "extra": 2}),
}


@pytest.mark.parametrize("way", [*WAYS, None])
@pytest.mark.parametrize("case", CASES)
def test_agrees_with_reference(case: str, way: str | None) -> None:
    """Output, logarithm and every gradient are right to float64, whichever way they are computed."""
    arguments, sizes = CASES[case]
    axes = check_axes(*arguments)
    assert worst_error(make(axes, **sizes), axes, way) < 1e-11


@pytest.mark.parametrize("with_lse", [True, False])
@pytest.mark.parametrize("way", WAYS)
def test_large_blocks_agree_with_reference(way: str, with_lse: bool) -> None:
    """So do blocks large enough for torch's own attention, with and without a gradient of the logarithm."""
    axes = check_axes((30, 26), 7)
    for sizes in ({"heads": 4}, {"heads": 4, "heads_kv": 2, "extra": 5}, {"heads": 2, "bias": True}):
        assert worst_error(make(axes, **sizes), axes, way, with_lse=with_lse) < 1e-11


def test_long_runs_of_hidden_keys() -> None:
    """A query whose first hundreds of keys are hidden gets no NaN out of a softmax over minus infinity."""
    axes = check_axes((1500,), 700, causal=True)
    for way in WAYS:
        assert worst_error(make(axes, batch=1, heads=1), axes, way, with_lse=False) < 1e-11


@st.composite
def problems(draw: st.DrawFn) -> tuple[Inputs, tuple[Axis, ...]]:
    """Draw any call that the argument rules allow."""
    axes = []
    for _ in range(draw(st.integers(1, 3))):
        window, dilation = draw(st.integers(1, 5)), draw(st.integers(1, 3))
        length = window * dilation + draw(st.integers(0, 6))
        axes.append(Axis(length, window, draw(st.integers(1, window)), dilation, draw(st.booleans())))
    heads_kv, group = draw(st.integers(1, 2)), draw(st.integers(1, 3))
    dim, dim_v = draw(st.integers(1, 6)), draw(st.integers(1, 6))
    batch, extra = draw(st.integers(1, 2)), draw(st.integers(0, 3))
    inputs = make(tuple(axes), batch, heads_kv * group, heads_kv, dim, dim_v, draw(st.booleans()), extra)
    return inputs, tuple(axes)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow], derandomize=True)
@given(problem=problems(), way=st.sampled_from(WAYS))
def test_agrees_with_reference_on_anything(problem: tuple[Inputs, tuple[Axis, ...]], way: str) -> None:
    """Random windows, strides, dilations, heads and extras give the reference's numbers."""
    inputs, axes = problem
    assert worst_error(inputs, axes, way) < 1e-11


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float32, 2e-6), (torch.bfloat16, 1e-2), (torch.float16, 2e-3)])
@pytest.mark.parametrize("way", WAYS)
def test_narrow_types(dtype: torch.dtype, tolerance: float, way: str) -> None:
    """Narrow types lose no more than rounding."""
    axes = check_axes((16, 18), 5)
    for sizes in ({}, {"dim_v": 12, "bias": True}):
        inputs = make(axes, heads=4, dim=16, dtype=dtype, **sizes)
        assert worst_error(inputs, axes, way, scale=0.25) < tolerance


@pytest.mark.parametrize("budget", [1, 20_000, 1 << 30])
def test_chunks(budget: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """One tile at a time, a few, or all: the numbers stay."""
    monkeypatch.setattr(cpu_plan, "CHUNK_BYTES", budget)
    axes = check_axes((21, 19), 3, dilation=(1, 2))
    assert worst_error(make(axes, batch=3, bias=True, extra=2), axes, "tiles") < 1e-11


@pytest.mark.parametrize("way", WAYS)
def test_strided_inputs(way: str) -> None:
    """Views into a projection, transposed and expanded tensors are read right."""
    axes = check_axes((14, 12), 5)
    random = torch.Generator().manual_seed(2)
    qkv = torch.randn(2, 14, 12, 3, 4, 8, generator=random, dtype=torch.float64)
    assert worst_error(Inputs(*qkv.unbind(3)), axes, way) < 1e-11
    turned = torch.randn(8, 4, 12, 14, 2, generator=random, dtype=torch.float64).permute(4, 3, 2, 1, 0)
    spread = torch.randn(8, generator=random, dtype=torch.float64).expand(2, 14, 12, 4, 8)
    assert worst_error(Inputs(turned, qkv[..., 1, :, :], spread), axes, way) < 1e-11


@pytest.fixture
def poisoned() -> Iterator[None]:
    """Fill every new tensor with NaN."""
    before = torch.utils.deterministic.fill_uninitialized_memory
    torch.use_deterministic_algorithms(True)
    torch.utils.deterministic.fill_uninitialized_memory = True
    yield
    torch.use_deterministic_algorithms(False)
    torch.utils.deterministic.fill_uninitialized_memory = before


@pytest.mark.usefixtures("poisoned")
@pytest.mark.parametrize("way", WAYS)
def test_reads_nothing_that_was_not_written(way: str) -> None:
    """Memory full of NaN does not show in any result."""
    assert torch.empty(3).isnan().all()
    axes = check_axes((15, 17), 4, dilation=(2, 1))
    assert worst_error(make(axes, bias=True, extra=2), axes, way) < 1e-11


@pytest.mark.parametrize("way", WAYS)
def test_repeats_itself(way: str) -> None:
    """Two runs give the same bits."""
    axes = check_axes((25, 25), 5)
    inputs = make(axes, heads=4, dim=16, dtype=torch.float32)
    out, lse = cpu.forward(inputs, axes, 0.25, way)
    first, second = (cpu.backward(inputs, out, lse, out, None, axes, 0.25, way) for _ in range(2))
    assert torch.equal(out, cpu.forward(inputs, axes, 0.25, way)[0])
    assert all(torch.equal(a, b) for a, b in zip(first[:3], second[:3], strict=True) if a is not None and b is not None)


class Largest(TorchDispatchMode):
    """Remember the largest memory that any operator returned."""

    numbers = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Run an operator and look at what it returns."""
        result = func(*args, **(kwargs or {}))
        for tensor in result if isinstance(result, (tuple, list)) else [result]:
            if isinstance(tensor, Tensor):
                self.numbers = max(self.numbers, tensor.untyped_storage().nbytes() // tensor.element_size())
        return result


@pytest.mark.parametrize(("side", "window"), [(64, 7), (128, 7), (64, 13)])
def test_memory_grows_with_the_grid_alone(side: int, window: int) -> None:
    """No tensor is larger than the input, or than a chunk: nothing of tokens times window."""
    axes = check_axes((side, side), window)
    inputs = make(axes, batch=1, heads=2, dim=8, dtype=torch.float32)
    cpu_plan.plan(cpu_plan.describe(inputs, axes))
    with Largest() as seen:
        out, lse = cpu.forward(inputs, axes, 0.3)
        cpu.backward(inputs, out, lse, out, lse, axes, 0.3)
    assert inputs.query.numel() <= seen.numbers <= max(inputs.query.numel(), cpu_plan.CHUNK_BYTES)


def test_tiles_hold_every_query_once_and_all_its_keys() -> None:
    """Whatever the plan, its tiles are a partition of the grid."""
    for length, window, stride, dilation in product((20, 31), (3, 6), (1, 3), (1, 3)):
        axes = check_axes((length, 19), window, stride, dilation)
        runs = cpu_plan.plan(cpu_plan.describe(make(axes, batch=1), axes), "tiles")
        assert runs is not None
        found = torch.cat([(run.query_origins[:, None] + run.query_offsets).flatten() for run in runs])
        assert torch.equal(found.sort().values, torch.arange(length * 19))
        assert all(int((run.key_origins[:, None] + run.key_offsets).max()) < length * 19 for run in runs)


def test_small_grids_are_dense_and_large_ones_tiled() -> None:
    """The cost model takes dense attention at 14 x 14, and tiles at 56 x 56."""

    def tiled(side: int, heads: int) -> bool:
        axes = check_axes((side, side), 7)
        return cpu_plan.plan(cpu_plan.describe(make(axes, batch=1, heads=heads, dim=32), axes)) is not None

    assert not tiled(7, 16)
    assert not tiled(14, 8)
    assert tiled(56, 2)
    assert tiled(128, 2)


@pytest.mark.parametrize("sizes", [{}, {"bias": True, "extra": 3}])
def test_plain_attention_on_small_grids(sizes: dict[str, Any]) -> None:
    """Small grids can be left to autograd; large ones, and heads that share keys, cannot."""
    axes = check_axes((9, 10), (5, 3), dilation=(1, 2))
    inputs = make(axes, **sizes)
    (out, _, d_out, _), grads = expected(inputs, axes, 0.3, with_lse=False)
    leaves = Inputs(*(None if tensor is None else tensor.requires_grad_() for tensor in inputs))
    mine = cpu.attend_plainly(leaves, axes, 0.3)
    assert mine is not None
    assert float((mine.detach() - out).abs().max()) < 1e-12
    present = [tensor for tensor in leaves if tensor is not None]
    wanted = [grad for grad in grads if grad is not None]
    for got, want in zip(torch.autograd.grad(mine, present, d_out), wanted, strict=True):
        assert float((got - want).abs().max()) < 1e-11
    assert cpu.attend_plainly(make(axes, heads=4, heads_kv=2), axes, 0.3) is None
    large = check_axes((64, 64), 5)
    assert cpu.attend_plainly(make(large), large, 0.3) is None


def test_says_what_it_cannot_run() -> None:
    """Other devices and types are refused with a reason."""
    axes = check_axes((8,), 3)
    numbers: dict[str, Any] = {"batch": 1, "axes": axes, "heads": 1, "heads_kv": 1, "dim": 4, "dim_v": 4}
    cuda = Problem(dtype=torch.float32, device=torch.device("cuda"), **numbers)
    whole = Problem(dtype=torch.int32, device=torch.device("cpu"), **numbers)
    fine = Problem(dtype=torch.bfloat16, device=torch.device("cpu"), **numbers)
    assert "CPU" in cpu.can_run(cuda)
    assert "int32" in cpu.can_run(whole)
    assert cpu.can_run(fine) == ""


def test_a_kept_mask_follows_its_bias() -> None:
    q, k, v = (torch.randn(1, 7, 7, 2, 8) for _ in range(3))
    bias = torch.randn(2, 13, 13)
    with torch.inference_mode():
        first = neighborhood_attention(q, k, v, 7, rel_pos_bias=bias, backend="cpu")
        assert torch.equal(neighborhood_attention(q, k, v, 7, rel_pos_bias=bias, backend="cpu"), first)
    bias.data.mul_(2)  # which counts no version up
    with torch.no_grad():
        found = neighborhood_attention(q, k, v, 7, rel_pos_bias=bias, backend="cpu")
        wanted = neighborhood_attention(q, k, v, 7, rel_pos_bias=bias, backend="reference")
    assert not torch.allclose(found, first, atol=1e-3)
    torch.testing.assert_close(found, wanted, atol=1e-5, rtol=1e-5)
    bias.requires_grad_()
    neighborhood_attention(q, k, v, 7, rel_pos_bias=bias, backend="cpu").sum().backward()
    assert bias.grad is not None

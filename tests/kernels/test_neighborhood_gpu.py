"""Neighborhood attention on a GPU: precision of all types, huge tensors, CUDA graphs, the same bits on every run."""

from typing import Any

import pytest
import torch
from torch import Tensor

from foveate.kernels.neighborhood.op import neighborhood_attention
from foveate.kernels.neighborhood.problem import Inputs
from foveate.kernels.window import check_axes

pytestmark = [pytest.mark.gpu, pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")]

# Largest error of output, logsumexp and gradients at unit variance.
ALLOWED = {
    torch.bfloat16: (1e-2, 5e-3, 6e-2),
    torch.float16: (2e-3, 2e-3, 1e-2),
    torch.float32: (2e-5, 2e-5, 2e-4),
}
CASES: dict[str, tuple[tuple[int, ...], dict[str, Any], dict[str, Any]]] = {
    "nat": ((56, 56), {"window": 7}, {"batch": 3, "dim": 32}),
    "nat_with_bias": ((28, 28), {"window": 7}, {"batch": 9, "dim": 32, "bias": True}),
    "many_items": ((14, 14), {"window": 7}, {"batch": 300, "dim": 32, "heads": 8}),
    "all_of_it": ((7, 7), {"window": 7}, {"batch": 5, "dim": 32, "bias": True}),
    # What kernels that read tables take: tiles that fit the grid, and tiles that reach over its edges.
    "middle": ((64, 72), {"window": 13}, {"batch": 2}),
    "middle_uneven": ((65, 70), {"window": 7}, {"bias": True}),
    "dilated": ((57, 55), {"window": 7, "dilation": (8, 3)}, {"dim": 32, "bias": True}),
    "strided": ((64, 48), {"window": (16, 12), "stride": (8, 3)}, {"dim": 64, "heads": 4, "group": 4}),
    "large": ((40, 44), {"window": 33}, {"dim": 128}),
    "causal": ((40, 44), {"window": (9, 10), "stride": (2, 5), "causal": (True, False)}, {"dim": 64, "bias": True}),
    "line": ((1000,), {"window": 129}, {"dim": 64, "extra": 5}),
    "causal_line": ((999,), {"window": 64, "stride": 16, "dilation": 3, "causal": True}, {"dim": 80}),
    "volume": ((8, 15, 17), {"window": (3, 5, 7)}, {"dim": 64, "bias": True}),
    "text_beside_video": (
        (6, 16, 20), {"window": (4, 8, 8), "stride": (1, 4, 4)}, {"dim": 128, "extra": 77, "group": 2},
    ),
    "odd_dims": ((20, 21), {"window": 5}, {"dim": 20, "dim_v": 44, "bias": True, "extra": 3}),
    # With "large", what kernels for Hopper take: windows of a thousand keys and more.
    "large_strided": ((44, 40), {"window": (36, 32), "stride": (12, 8)}, {"dim": 64, "group": 2}),
    "large_volume": ((8, 16, 20), {"window": (8, 12, 12), "stride": (1, 4, 4)}, {"dim": 64}),
    "wide": ((14, 14), {"window": 7}, {"dim": 256, "bias": True}),
    "one_sees_itself": ((9, 9), {"window": 1}, {"dim": 16}),
}  # fmt: skip


def draw(
    grid: tuple[int, ...],
    options: dict[str, Any],
    dtype: torch.dtype,
    batch: int = 1,
    dim: int = 64,
    dim_v: int | None = None,
    heads: int = 2,
    group: int = 1,
    bias: bool = False,
    extra: int = 0,
) -> dict[str, Tensor]:
    """Draw the tensors of a call, each number exact in ``dtype``."""
    generator = torch.Generator("cuda").manual_seed(0)
    window = options["window"] if isinstance(options["window"], tuple) else (options["window"],) * len(grid)
    dim_v, kv = dim_v or dim, heads // group
    shapes = {"q": (batch, *grid, heads, dim), "k": (batch, *grid, kv, dim), "v": (batch, *grid, kv, dim_v)}
    if bias:
        shapes["rel_pos_bias"] = (heads, *(2 * w - 1 for w in window))
    if extra:
        shapes |= {"extra_keys": (batch, extra, kv, dim), "extra_values": (batch, extra, kv, dim_v)}
    return {k: torch.randn(s, generator=generator, device="cuda").to(dtype) for k, s in shapes.items()}


def answers(tensors: dict[str, Tensor], options: dict[str, Any], backend: str) -> dict[str, Tensor]:
    """Output, logsumexp and all gradients."""
    leaves = {key: tensor.detach().requires_grad_() for key, tensor in tensors.items()}
    out, lse = neighborhood_attention(**leaves, **options, return_lse=True, backend=backend)
    generator = torch.Generator("cuda").manual_seed(1)
    probe, lse_probe = (torch.randn(t.shape, generator=generator, device="cuda").bfloat16() for t in (out, lse))
    loss = (out * probe.to(out.dtype)).sum() + (lse * lse_probe.to(lse.dtype)).sum()
    grads = torch.autograd.grad(loss, list(leaves.values()))
    return {"out": out.detach(), "lse": lse.detach(), **dict(zip(leaves, grads, strict=True))}


@pytest.mark.parametrize("dtype", ALLOWED, ids=str)
@pytest.mark.parametrize("name", CASES)
def test_agrees_with_the_reference(name: str, dtype: torch.dtype) -> None:
    grid, options, numbers = CASES[name]
    tensors = draw(grid, options, dtype, **numbers)
    few = {key: t if key == "rel_pos_bias" else t[:9] for key, t in tensors.items()}
    wanted = answers({key: tensor.double() for key, tensor in few.items()}, options, "reference")
    found = answers(few, options, "triton")
    allowed = dict(zip(("out", "lse"), ALLOWED[dtype], strict=False))
    for key, tensor in found.items():
        assert tensor.isfinite().all(), key
        error = float((tensor.double() - wanted[key]).abs().max())
        # A bias gathers from all queries, extra keys too: errors are relative to what they sum to.
        size = max(1.0, float(wanted[key].abs().max())) if key not in allowed else 1.0
        assert error <= allowed.get(key, ALLOWED[dtype][2]) * size, (key, error, size)
    if few["q"].shape != tensors["q"].shape:
        whole = answers(tensors, options, "triton")
        torch.testing.assert_close(whole["out"][:9], found["out"])
        assert all(tensor.isfinite().all() for tensor in whole.values())


@pytest.mark.parametrize("group", [1, 7])
def test_programs_of_small_windows_go_through_many_items(group: int) -> None:
    """As many items as make a program take several of them, and one that does not divide by how many."""
    from foveate.kernels.neighborhood import triton_launch as launch
    from foveate.kernels.neighborhood.plan import make_tiling

    tensors = draw((14, 15), {"window": 7}, torch.float16, batch=601, dim=32, heads=7, group=group, bias=True)
    inputs, axes = Inputs(*tensors.values()), check_axes((14, 15), 7)
    probe, results = torch.randn_like(tensors["q"]), []
    for small in (True, False):
        passes = ("forward", "query", "key")
        tiling = {name: make_tiling(axes, name, (1, 8, 8), block=64, small=small) for name in passes}
        out, lse = launch.forward(inputs, axes, 0.2, tiling["forward"])
        d_query, delta = launch.query_gradient(inputs, out, lse, probe, lse, axes, 0.2, tiling["query"])
        d_key, d_value = launch.key_gradient(inputs, lse, delta, probe, axes, 0.2, tiling["key"])
        results.append((out, lse, delta, d_query, d_key, d_value))
    for got, wanted in zip(*results, strict=True):
        torch.testing.assert_close(got, wanted, atol=5e-3, rtol=5e-3)


@pytest.mark.parametrize(
    "name", ["nat_with_bias", "many_items", "text_beside_video", "dilated", "large", "large_volume"]
)
def test_three_backwards_agree_to_the_bit(name: str) -> None:
    grid, options, numbers = CASES[name]
    tensors = draw(grid, options, torch.bfloat16, **numbers)
    first, *others = (answers(tensors, options, "triton") for _ in range(3))
    for other in others:
        assert [key for key in first if not torch.equal(first[key], other[key])] == []


def test_runs_where_only_deterministic_algorithms_may() -> None:
    grid, options, numbers = CASES["nat_with_bias"]
    tensors = draw(grid, options, torch.bfloat16, **numbers)
    free = answers(tensors, options, "triton")
    torch.use_deterministic_algorithms(True)
    try:
        strict = answers(tensors, options, "triton")
    finally:
        torch.use_deterministic_algorithms(False)
    assert all(torch.equal(free[key], strict[key]) for key in free)


@pytest.mark.parametrize("window", [3, 13])
def test_views_are_read_in_place(window: int) -> None:
    packed = draw((30, 34), {"window": 3}, torch.bfloat16, heads=6, dim=32)["q"].unflatten(-2, (3, 2))
    views = dict(zip("qkv", packed.unbind(-3), strict=True))
    assert not views["q"].is_contiguous()
    copies = {key: tensor.contiguous() for key, tensor in views.items()}
    found = answers(views, {"window": window}, "triton")
    wanted = answers(copies, {"window": window}, "triton")
    assert all(torch.equal(found[key], wanted[key]) for key in wanted)
    turned = {key: tensor.contiguous().transpose(1, 2) for key, tensor in views.items()}
    found = answers(turned, {"window": window}, "triton")
    wanted = answers({key: t.contiguous() for key, t in turned.items()}, {"window": window}, "triton")
    assert all(torch.equal(found[key], wanted[key]) for key in wanted)


def test_memory_that_is_not_aligned() -> None:
    storage = torch.randn(3 * 2 * 9 * 9 * 2 * 20 + 1, device="cuda").half()
    whole = storage[1:].view(3, 2, 9, 9, 2, 20)
    views = dict(zip("qkv", (t[..., 1:18] for t in whole), strict=True))
    found = answers(views, {"window": 3}, "triton")
    wanted = answers({key: t.contiguous() for key, t in views.items()}, {"window": 3}, "triton")
    torch.testing.assert_close(found, wanted)
    # And aligned memory after it, for the same shapes.
    again = answers({key: t.clone() for key, t in views.items()}, {"window": 3}, "triton")
    torch.testing.assert_close(again, wanted)


def test_the_type_of_a_bias_may_change_between_calls() -> None:
    tensors = draw((14, 14), {"window": 7}, torch.bfloat16, dim=32, bias=True)
    for dtype in (torch.bfloat16, torch.float32, torch.bfloat16):
        bias = tensors["rel_pos_bias"].to(dtype)
        found = answers({**tensors, "rel_pos_bias": bias}, {"window": 7}, "triton")
        wanted = answers({key: t.double() for key, t in tensors.items()}, {"window": 7}, "reference")
        assert found["rel_pos_bias"].dtype == dtype
        torch.testing.assert_close(found["out"].double(), wanted["out"], atol=1e-2, rtol=0)
        torch.testing.assert_close(found["lse"].double(), wanted["lse"], atol=5e-3, rtol=0)


@pytest.mark.parametrize("window", [7, 33])
def test_is_captured_in_a_cuda_graph(window: int) -> None:
    options = {"window": window}
    leaves = {k: t.requires_grad_() for k, t in draw((48, 48), options, torch.bfloat16, batch=2, dim=64).items()}
    probe = torch.randn_like(leaves["q"])

    def step() -> tuple[Tensor, ...]:
        out = neighborhood_attention(**leaves, **options, backend="triton")
        # Detached, or the leaves' nodes would live on with the stream of the capture, and PyTorch warn of that.
        return (out.detach(), *torch.autograd.grad(out, list(leaves.values()), probe))

    side = torch.cuda.Stream()
    side.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(side):
        for _ in range(3):
            step()
    torch.cuda.current_stream().wait_stream(side)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        captured = step()
    with torch.no_grad():
        leaves["q"].copy_(torch.randn_like(leaves["q"]))
    graph.replay()
    torch.cuda.synchronize()
    assert all(torch.equal(a, b) for a, b in zip(captured, step(), strict=True))


@pytest.mark.filterwarnings("ignore")
def test_compiles_with_inductor() -> None:
    tensors = draw((28, 28), {"window": 7}, torch.bfloat16, batch=2, dim=32)

    def attend(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        out = neighborhood_attention(q * 2, k, v, 7)
        assert isinstance(out, Tensor)
        return out + 1

    fast = torch.compile(attend, fullgraph=True)
    torch.testing.assert_close(fast(*tensors.values()), attend(*tensors.values()), atol=2e-2, rtol=2e-2)


def need_memory(gigabytes: float) -> None:
    free, _ = torch.cuda.mem_get_info()
    if free < gigabytes * 2**30:
        pytest.skip(f"needs {gigabytes} GiB of free GPU memory")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("batch", "grid", "window"),
    [(20, (1024, 1024), 5), (1, (4608, 4608), 5), (1, (4608, 4608), (5, 33)), (1, (64, 512, 672), 3)],
)
def test_more_than_two_billion_numbers(batch: int, grid: tuple[int, ...], window: int | tuple[int, ...]) -> None:
    """Numbers at the far end are those of a small call on a piece of the grid."""
    need_memory(60)
    shape = (batch, *grid, 2, 52)
    assert torch.Size(shape).numel() > 2**31
    generator = torch.Generator("cuda").manual_seed(0)
    tensors = [torch.randn(shape, generator=generator, device="cuda", dtype=torch.bfloat16) for _ in range(3)]
    leaves = [tensor.requires_grad_() for tensor in tensors]
    out = neighborhood_attention(*leaves, window, backend="triton")
    assert isinstance(out, Tensor)
    probe = torch.ones((), device="cuda", dtype=torch.bfloat16).expand(out.shape)
    grads = torch.autograd.grad(out, leaves, probe)
    # The border of the piece reaches no further than what is not compared.
    rows, keep = (96, 40) if len(grid) == 2 else (12, 6)
    axes = 2 if len(grid) == 2 else 1
    piece = [
        tensor[(slice(-1, None), *(slice(-rows, None),) * axes)].detach().clone().requires_grad_() for tensor in leaves
    ]
    small = neighborhood_attention(*piece, window, backend="triton")
    assert isinstance(small, Tensor)
    wanted = torch.autograd.grad(small, piece, torch.ones_like(small))
    corner = (slice(-1, None), *(slice(-keep, None),) * axes)
    for got, want in zip((out, *grads), (small, *wanted), strict=True):
        torch.testing.assert_close(got[corner], want[corner], atol=2e-2, rtol=2e-2)


@pytest.mark.slow
def test_a_few_channels_of_a_wide_projection_that_spans_two_billion_numbers() -> None:
    need_memory(12)
    wide = torch.randn(1, 600_000, 4096, device="cuda", dtype=torch.bfloat16)
    views = [wide[..., start : start + 64].unflatten(-1, (1, 64)) for start in (0, 64, 128)]
    out = neighborhood_attention(*views, 9, backend="triton")
    copies = [tensor[:, -2000:].contiguous() for tensor in views]
    small = neighborhood_attention(*copies, 9, backend="triton")
    assert isinstance(out, Tensor)
    assert isinstance(small, Tensor)
    # Offsets of 64 bits have tiles of their own, which add in another order.
    torch.testing.assert_close(out[:, -1000:], small[:, -1000:], atol=5e-3, rtol=2e-2)

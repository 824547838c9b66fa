"""The function neighborhood_attention: its checks, its derivatives, and how it lives with the rest of torch."""

import importlib.util
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.nn import functional as F

from foveate.kernels.neighborhood import op
from foveate.kernels.neighborhood.op import neighborhood_attention

ROOT = Path(__file__).parents[2]
HERE = ["reference", "cpu"]


def draw(*shape: int, seed: int = 0, dtype: torch.dtype = torch.float32) -> Tensor:
    generator = torch.Generator().manual_seed(seed + sum(shape))
    return torch.randn(shape, generator=generator, dtype=torch.float64).to(dtype)


def qkv(*shape: int, dtype: torch.dtype = torch.float32) -> list[Tensor]:
    return [draw(*shape, seed=seed, dtype=dtype) for seed in range(3)]


def call(backend: str | None, **options: Any) -> Callable[..., Any]:
    """Name the optional tensors, so that a function of tensors alone is left."""
    names = ["rel_pos_bias", "extra_keys", "extra_values"]

    def attend(q: Tensor, k: Tensor, v: Tensor, *rest: Tensor) -> Any:
        return neighborhood_attention(q, k, v, **options, **dict(zip(names, rest, strict=False)), backend=backend)

    return attend


Q = draw(1, 6, 7, 2, 8)
BAD: list[tuple[dict[str, Any], type[Exception], str]] = [
    ({"q": draw(6, 7, 8)}, ValueError, "q must be (batch, *spatial, heads, dim) with 1 to 3 spatial axes, got"),
    ({"q": draw(1, 2, 2, 2, 2, 2, 8)}, ValueError, "1 to 3 spatial axes"),
    ({"k": draw(1, 6, 6, 2, 8)}, ValueError, "k must have the batch and grid of q, (1, 6, 7), got shape (1, 6,"),
    ({"v": draw(2, 6, 7, 2, 8)}, ValueError, "v must have the batch and grid of q"),
    ({"k": draw(1, 6, 7, 2, 4)}, ValueError, "q and k must have equal head dims, got 8 and 4"),
    ({"k": draw(1, 6, 7, 1, 8)}, ValueError, "k and v must have the same number of heads"),
    ({"q": draw(1, 6, 7, 3, 8)}, ValueError, "one that divides the 3 of q, got 2 and 2"),
    ({"window": (3,)}, ValueError, "window must be one number or 2, one for each axis, got (3,)"),
    ({"window": 0}, ValueError, "window must be at least 1 along each axis, got (0, 0)"),
    ({"window": 3.0}, TypeError, "window must be a whole number or one for each axis, got 3.0"),
    ({"window": True}, TypeError, "window must be a whole number"),
    ({"window": (3, 8)}, ValueError, "window times dilation must not exceed the axis, got (3, 8) times (1, 1)"),
    ({"dilation": 3}, ValueError, "use a smaller window, or pad the grid"),
    ({"dilation": 0}, ValueError, "dilation must be at least 1 along each axis, got (0, 0)"),
    ({"stride": 4}, ValueError, "stride must lie between 1 and the window, got stride (4, 4) for window (3, 3)"),
    ({"stride": 0}, ValueError, "stride must lie between 1 and the window"),
    ({"causal": 1}, TypeError, "causal must be True or False or one for each axis, got 1"),
    ({"causal": (True,)}, ValueError, "causal must be one number or 2"),
    ({"scale": 0.0}, ValueError, "scale must be a positive number, got 0.0: leave it out for dim ** -0.5"),
    ({"scale": float("nan")}, ValueError, "scale must be a positive number, got nan"),
    ({"scale": "big"}, ValueError, "scale must be a positive number, got 'big'"),
    ({"rel_pos_bias": draw(2, 3, 3)}, ValueError, "rel_pos_bias must be (heads, 2 * window - 1, ...), here (2, 5, 5),"),
    ({"rel_pos_bias": torch.ones(2, 5, 5, dtype=torch.int)}, TypeError, "rel_pos_bias must be floating point"),
    ({"extra_keys": draw(1, 4, 2, 8)}, ValueError, "extra_keys and extra_values must come together"),
    ({"extra_keys": draw(1, 4, 2, 8), "extra_values": draw(1, 5, 2, 8)}, ValueError, "here (1, tokens, 2, 8 and 8)"),
    ({"k": draw(1, 6, 7, 2, 8, dtype=torch.float64)}, TypeError, "got torch.float32 for q and torch.float64 for k"),
    ({"k": torch.ones(1, 6, 7, 2, 8, dtype=torch.long)}, TypeError, "k must be floating point, got torch.int64"),
    ({"v": torch.empty(1, 6, 7, 2, 8, device="meta")}, ValueError, "must be on one device, got q on cpu and v on meta"),
    ({"extra_keys": draw(3), "extra_values": draw(3)}, ValueError, "must be (batch, tokens, heads_kv, dim), here"),
    ({"backend": "cuda"}, ValueError, "backend must be one of triton, cpu, reference or None, got 'cuda'"),
]  # fmt: skip


@pytest.mark.parametrize(("change", "error", "message"), BAD)
def test_a_bad_argument_is_told(change: dict[str, Any], error: type[Exception], message: str) -> None:
    arguments: dict[str, Any] = {"q": Q, "k": Q, "v": Q, "window": 3, **change}
    with pytest.raises(error, match=re.escape(message)) as raised:
        neighborhood_attention(**arguments)
    assert "\n" not in str(raised.value)


def test_backends_are_chosen_by_what_can_run(monkeypatch: pytest.MonkeyPatch) -> None:
    taken = []
    choose = op.pick

    def watch(*arguments: Any) -> str:
        taken.append(choose(*arguments))
        return taken[-1]

    monkeypatch.setattr(op, "pick", watch)
    monkeypatch.setattr(op, "BACKENDS", tuple(b for b in op.BACKENDS if b.name != "triton"))
    # A shape of its own, since answers are remembered.
    x = draw(1, 6, 13, 1, 2)
    neighborhood_attention(x, x, x, 3)
    neighborhood_attention(x, x, x, 3, backend="reference")
    assert taken == ["cpu", "reference"]


def test_a_backend_that_cannot_run_says_why() -> None:
    x = draw(1, 6, 2, 8, dtype=torch.float64)
    with pytest.raises(RuntimeError, match=r"backend .triton. cannot run this: .*float64; leave backend out") as raised:
        neighborhood_attention(x, x, x, 3, backend="triton")
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize("backend", HERE)
def test_autocast_casts_as_for_torchs_own_attention(backend: str) -> None:
    bias, extra = draw(2, 5, 5), draw(1, 3, 2, 8)
    with torch.autocast("cpu", torch.bfloat16):
        out, lse = neighborhood_attention(
            Q, Q.bfloat16(), Q, 3, rel_pos_bias=bias, extra_keys=extra, extra_values=extra, return_lse=True,
            backend=backend,
        )  # fmt: skip
    assert (out.dtype, lse.dtype) == (torch.bfloat16, torch.float32)
    exact = neighborhood_attention(Q, Q, Q, 3, rel_pos_bias=bias, extra_keys=extra, extra_values=extra)
    torch.testing.assert_close(out.float(), exact, atol=5e-2, rtol=0)


@pytest.mark.parametrize("backend", [*HERE, None])
def test_an_empty_batch_stays_empty(backend: str | None) -> None:
    q, k, v = (torch.empty(0, 6, 7, 2, 8).requires_grad_() for _ in range(3))
    bias = draw(2, 5, 5).requires_grad_()
    out, lse = neighborhood_attention(q, k, v, 3, rel_pos_bias=bias, return_lse=True, backend=backend)
    assert (out.shape, lse.shape) == ((0, 6, 7, 2, 8), (0, 6, 7, 2))
    out.sum().backward()
    assert q.grad is not None
    assert q.grad.shape == q.shape
    assert bias.grad is not None
    assert not bias.grad.any()


def test_no_extra_keys_are_as_none() -> None:
    extra = torch.empty(1, 0, 2, 8)
    for backend in HERE:
        out = neighborhood_attention(Q, Q, Q, 3, extra_keys=extra, extra_values=extra, backend=backend)
        torch.testing.assert_close(out, neighborhood_attention(Q, Q, Q, 3, backend="reference"))


@pytest.mark.parametrize("backend", HERE)
def test_views_of_a_projection_are_read_in_place(backend: str) -> None:
    packed = draw(2, 6, 7, 3, 2, 8).requires_grad_()
    window = (3, 5)
    out = neighborhood_attention(*packed.unbind(3), window, backend=backend)
    out.square().sum().backward()
    got, packed.grad = packed.grad, None
    whole = neighborhood_attention(*(t.contiguous() for t in packed.unbind(3)), window, backend="reference")
    whole.square().sum().backward()
    torch.testing.assert_close(out, whole)
    torch.testing.assert_close(got, packed.grad)
    # Heads before the grid, seen through a view, and a grid that lies transposed.
    for view in (draw(2, 2, 6, 7, 8).movedim(1, -2), draw(2, 7, 6, 2, 8).transpose(1, 2), draw(2, 6, 7, 8, 2).mT):
        mine = neighborhood_attention(view, view, view, window, backend=backend)
        copy = view.contiguous()
        torch.testing.assert_close(mine, neighborhood_attention(copy, copy, copy, window, backend="reference"))


@pytest.mark.parametrize("backend", HERE)
def test_a_window_of_one_sees_itself(backend: str) -> None:
    q, k, v = qkv(2, 4, 5, 2, 8)
    out, lse = neighborhood_attention(q, k, v, 1, return_lse=True, backend=backend)
    torch.testing.assert_close(out, v)
    torch.testing.assert_close(lse, (q * k).sum(-1) * 8**-0.5)


@pytest.mark.parametrize("backend", HERE)
@pytest.mark.parametrize(("grid", "causal"), [((12,), False), ((12,), True), ((4, 5), False), ((2, 3, 4), False)])
def test_a_window_of_all_is_plain_attention(backend: str, grid: tuple[int, ...], causal: bool) -> None:
    q, k, v = qkv(2, *grid, 2, 8)
    out = neighborhood_attention(q, k, v, grid, causal=causal, backend=backend)
    flat = (tensor.flatten(1, -3).transpose(1, 2) for tensor in (q, k, v))
    plain = F.scaled_dot_product_attention(*flat, is_causal=causal).transpose(1, 2)
    torch.testing.assert_close(out, plain.reshape(out.shape))


@pytest.mark.parametrize("backend", HERE)
def test_heads_share_keys_in_groups(backend: str) -> None:
    q, k, v = draw(1, 5, 6, 6, 7), draw(1, 5, 6, 2, 7, seed=1), draw(1, 5, 6, 2, 3, seed=2)
    out = neighborhood_attention(q, k, v, 3, backend=backend)
    repeated = (tensor.repeat_interleave(3, dim=-2) for tensor in (k, v))
    assert out.shape == (1, 5, 6, 6, 3)
    torch.testing.assert_close(out, neighborhood_attention(q, *repeated, 3, backend="reference"))


GRADIENTS: list[tuple[tuple[int, ...], dict[str, Any], int]] = [
    ((6,), {"window": 3, "stride": 2, "causal": True}, 2),
    ((4, 5), {"window": (2, 3), "dilation": (2, 1)}, 0),
    ((2, 3, 3), {"window": (1, 2, 3), "causal": (False, True, False)}, 1),
]


DEFAULTS = {"window": 1, "stride": 1, "dilation": 1, "causal": False}


@pytest.mark.parametrize("backend", HERE)
@pytest.mark.parametrize(("grid", "options", "extra"), GRADIENTS)
def test_gradients_are_exact_also_of_the_logsumexp(
    grid: tuple[int, ...], options: dict[str, Any], extra: int, backend: str
) -> None:
    window = options["window"] if isinstance(options["window"], tuple) else (options["window"],)
    shapes = [(1, *grid, 2, 3), (1, *grid, 1, 3), (1, *grid, 1, 2), (2, *(2 * w - 1 for w in window))]
    shapes += [(1, extra, 1, 3), (1, extra, 1, 2)] if extra else []
    leaves = [draw(*shape, seed=i, dtype=torch.float64).requires_grad_() for i, shape in enumerate(shapes)]
    attend = call(backend, return_lse=True, **options)
    assert torch.autograd.gradcheck(attend, leaves, fast_mode=True)
    assert torch.autograd.gradcheck(lambda *tensors: attend(*tensors)[1], leaves, fast_mode=True)


@pytest.mark.parametrize(("grid", "options", "extra"), GRADIENTS)
def test_gradients_are_exact_through_the_registry_of_torch(
    grid: tuple[int, ...], options: dict[str, Any], extra: int
) -> None:
    window, stride, dilation, causal = (
        list(value) if isinstance(value, tuple) else [value] * len(grid)
        for value in (options.get(key, default) for key, default in DEFAULTS.items())
    )
    leaves = [tensor.requires_grad_() for tensor in qkv(1, *grid, 1, 3, dtype=torch.float64)]
    leaves.append(draw(1, *(2 * w - 1 for w in window), dtype=torch.float64).requires_grad_())
    leaves += [draw(1, extra, 1, 3, seed=i, dtype=torch.float64).requires_grad_() for i in range(2 if extra else 0)]

    def attend(*tensors: Tensor) -> Any:
        rest = (*tensors, *(None,) * (6 - len(tensors)))
        return torch.ops.foveate.neighborhood_forward(*rest, window, stride, dilation, causal, 0.5, "cpu")

    assert torch.autograd.gradcheck(attend, leaves, fast_mode=True)


def test_the_reference_is_twice_differentiable() -> None:
    leaves = [tensor.requires_grad_() for tensor in qkv(1, 5, 2, 3, dtype=torch.float64)]
    leaves.append(draw(2, 5, dtype=torch.float64).requires_grad_())
    assert torch.autograd.gradgradcheck(call("reference", window=3), leaves, fast_mode=True)


@pytest.mark.parametrize("needed", range(6))
def test_only_what_is_asked_for_gets_a_gradient(needed: int) -> None:
    tensors = [*qkv(1, 6, 2, 4), draw(2, 5), draw(1, 2, 2, 4), draw(1, 2, 2, 4, seed=1)]
    tensors[needed].requires_grad_()
    call("cpu", window=3)(*tensors).sum().backward()
    got, tensors[needed].grad = tensors[needed].grad, None
    call("reference", window=3)(*tensors).sum().backward()
    torch.testing.assert_close(got, tensors[needed].grad)
    assert [tensor.grad is not None for tensor in tensors] == [i == needed for i in range(6)]


@pytest.mark.parametrize("backend", HERE)
def test_two_runs_agree_to_the_bit(backend: str) -> None:
    runs = []
    for _ in range(2):
        leaves = [tensor.requires_grad_() for tensor in (*qkv(2, 9, 11, 2, 8), draw(2, 9, 9), draw(2, 3, 2, 8))]
        out, lse = call(backend, window=5, stride=2, return_lse=True)(*leaves, leaves[-1])
        runs.append((out, lse, *torch.autograd.grad(out.square().sum() + lse.sum(), leaves)))
    assert all(torch.equal(a, b) for a, b in zip(*runs, strict=True))


SAMPLES: list[tuple[tuple[int, ...], list[int], list[int], list[int], list[bool], bool, int]] = [
    ((7,), [3], [1], [1], [False], False, 0),
    ((9,), [4], [2], [2], [True], True, 2),
    ((4, 5), [3, 2], [1, 2], [1, 1], [False, False], True, 0),
    ((2, 3, 4), [2, 2, 3], [1, 1, 1], [1, 1, 1], [True, False, False], False, 3),
]


@pytest.mark.parametrize("sample", SAMPLES)
@pytest.mark.filterwarnings("ignore")
def test_torch_finds_the_operator_sound(sample: tuple[Any, ...]) -> None:
    grid, window, stride, dilation, causal, bias, extra = sample
    tensors: list[Tensor | None] = [
        *qkv(1, *grid, 2, 4),
        draw(2, *(2 * w - 1 for w in window)) if bias else None,
        draw(1, extra, 2, 4) if extra else None,
        draw(1, extra, 2, 4, seed=1) if extra else None,
    ]
    leaves = [None if tensor is None else tensor.requires_grad_() for tensor in tensors]
    results = torch.library.opcheck(
        torch.ops.foveate.neighborhood_forward.default, (*leaves, window, stride, dilation, causal, 0.5, "cpu")
    )
    assert set(results.values()) == {"SUCCESS"}


class Block(nn.Module):
    """A module around the operator."""

    def __init__(self) -> None:
        super().__init__()
        self.qkv = nn.Linear(8, 24)
        self.bias = nn.Parameter(draw(2, 5, 5))

    def forward(self, x: Tensor) -> Tensor:
        q, k, v = self.qkv(x).unflatten(-1, (3, 2, 4)).unbind(-3)
        out = neighborhood_attention(q, k, v, 3, rel_pos_bias=self.bias, backend="cpu")
        assert isinstance(out, Tensor)
        return out.flatten(-2)


@pytest.mark.filterwarnings("ignore")
def test_compiles_as_one_graph() -> None:
    torch.manual_seed(0)
    block, x = Block(), draw(2, 6, 5, 8)
    fast = torch.compile(block, backend="aot_eager", fullgraph=True)
    torch.testing.assert_close(fast(x), block(x))
    fast(x).square().sum().backward()
    got = [parameter.grad for parameter in block.parameters()]
    block.zero_grad()
    block(x).square().sum().backward()
    # Uncompiled, a grid as small as this is left to torch's own attention, which adds in another order.
    torch.testing.assert_close(got, [parameter.grad for parameter in block.parameters()], atol=1e-5, rtol=1e-4)


@pytest.mark.filterwarnings("ignore")
def test_exports() -> None:
    block, x = Block().eval(), draw(2, 6, 5, 8)
    program = torch.export.export(block, (x,))
    assert any("neighborhood_forward" in str(node.target) for node in program.graph.nodes)
    torch.testing.assert_close(program.module()(x), block(x))


@pytest.mark.filterwarnings("ignore")
def test_is_traced_as_one_operator() -> None:
    from torch.fx.experimental.proxy_tensor import make_fx

    q, k, v = qkv(1, 6, 5, 2, 4)
    graph = make_fx(call("cpu", window=3))(q, k, v)
    assert any("neighborhood_forward" in str(node.target) for node in graph.graph.nodes)
    torch.testing.assert_close(graph(q, k, v), call("cpu", window=3)(q, k, v))


@pytest.mark.parametrize("backend", HERE)
def test_vmap_is_a_loop(backend: str) -> None:
    q, k, v = draw(3, 2, 6, 2, 4), draw(2, 3, 6, 2, 4, seed=1), draw(2, 6, 2, 4, seed=2)
    attend = call(backend, window=3)
    out = torch.vmap(attend, in_dims=(0, 1, None))(q, k, v)
    loop = torch.stack([attend(q[i], k[:, i], v) for i in range(3)])
    torch.testing.assert_close(out, loop)


def test_vmap_over_the_bias_is_refused() -> None:
    q, k, v = qkv(1, 6, 2, 4)
    with pytest.raises(RuntimeError, match="vmap over rel_pos_bias is not possible"):
        torch.vmap(call("cpu", window=3), in_dims=(None, None, None, 0))(q, k, v, draw(3, 2, 5))


def run_python(code: str) -> str:
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=240
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout.strip()


def test_more_calls_of_one_shape_do_not_forget_the_types_of_numbers() -> None:
    x = draw(1, 4, 1, 2)
    neighborhood_attention(x, x, x, 1)
    for window in (1.0, True):
        with pytest.raises(TypeError, match="window must be a whole number"):
            neighborhood_attention(x, x, x, window)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="causal must be True or False"):
        neighborhood_attention(x, x, x, 1, causal=0)  # type: ignore[arg-type]


def test_needs_no_triton_and_no_cuda() -> None:
    code = """
import sys
sys.modules["triton"] = None
import torch
torch.cuda.is_available = None
from foveate.kernels import neighborhood_attention
x = torch.ones(1, 5, 1, 4)
print(neighborhood_attention(x, x, x, 3).sum().item(), [m for m in sys.modules if "triton_" in m and "foveate" in m])
"""
    assert run_python(code) == "20.0 []"


def test_the_room_hides_no_package_from_transformers() -> None:
    if importlib.util.find_spec("transformers") is None:
        pytest.skip("transformers is not installed")
    code = "import transformers.models.clip.modeling_clip as m; print(m.CLIPModel.__name__)"
    assert run_python(code) == "CLIPModel"


@st.composite
def problems(draw_one: st.DrawFn) -> tuple[list[tuple[int, ...]], dict[str, Any]]:
    """Draw shapes of the tensors and the numbers of a call."""
    rank = draw_one(st.integers(1, 3))
    axes = []
    for _ in range(rank):
        dilation, window = draw_one(st.integers(1, 3)), draw_one(st.integers(1, 5))
        length = draw_one(st.integers(window * dilation, window * dilation + (9, 6, 3)[rank - 1]))
        axes.append((length, window, draw_one(st.integers(1, window)), dilation, draw_one(st.booleans())))
    grid, window, stride, dilation, causal = zip(*axes, strict=True)
    batch, kv_heads, group, extra = (draw_one(st.integers(low, 2)) for low in (1, 1, 1, 0))
    dim, dim_v = draw_one(st.integers(1, 5)), draw_one(st.integers(1, 5))
    shapes = [(batch, *grid, kv_heads * group, dim), (batch, *grid, kv_heads, dim), (batch, *grid, kv_heads, dim_v)]
    if draw_one(st.booleans()):
        shapes.append((kv_heads * group, *(2 * w - 1 for w in window)))
        if extra:
            shapes += [(batch, extra, kv_heads, dim), (batch, extra, kv_heads, dim_v)]
    return shapes, {"window": window, "stride": stride, "dilation": dilation, "causal": causal}


@settings(max_examples=60, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
@given(problems())
def test_cpu_agrees_with_the_reference(problem: tuple[list[tuple[int, ...]], dict[str, Any]]) -> None:
    shapes, options = problem
    found = []
    for backend in HERE:
        leaves = [draw(*shape, seed=i, dtype=torch.float64).requires_grad_() for i, shape in enumerate(shapes)]
        out, lse = call(backend, return_lse=True, **options)(*leaves)
        found.append((out, lse, *torch.autograd.grad(out.square().sum() + lse.square().sum(), leaves)))
    for got, wanted in zip(*found, strict=True):
        torch.testing.assert_close(got, wanted, atol=1e-10, rtol=1e-8)

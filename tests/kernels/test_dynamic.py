"""Dynamic neighborhoods: published answers, one backend against another, gradients, every way to call them wrong."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from foveate.kernels.dispatch import triton_interpreted
from foveate.kernels.dynamic.op import dynamic_neighborhood
from foveate.kernels.dynamic.tiling import tiles
from foveate.kernels.window import Axis, neighbors

# Batch, groups, channels, height, width, small side, large side.
SHAPES = [(1, 2, 3, 7, 7, 5, 7), (2, 1, 4, 9, 6, 5, 3), (1, 2, 3, 7, 8, 3, None), (1, 1, 2, 1, 20, 1, None)]
CUDA = torch.cuda.is_available()
triton_here = pytest.mark.skipif(not (CUDA or triton_interpreted()), reason="neither a GPU nor Triton's interpreter")


def device_of(backend: str) -> str:
    return "cuda" if CUDA and backend == "triton" else "cpu"


def make(
    shape: tuple, dtype: torch.dtype = torch.float64, bias: bool = True, seed: int = 0, device: str = "cpu"
) -> list[Tensor | None]:
    """Logits, value and both tables, all leaves that ask for gradients."""
    batch, groups, channels, height, width, small, large = shape
    sets = 1 if large is None else 2
    logits = small**2 + (large or 0) ** 2
    generator = torch.Generator().manual_seed(seed)

    def fill(*size: int) -> Tensor:
        numbers = torch.randn(size, generator=generator, dtype=torch.float64)
        return numbers.to(device, dtype).requires_grad_()

    tables = [fill(groups, 2 * side - 1, 2 * side - 1) if bias and side else None for side in (small, large)]
    return [fill(batch, groups, logits, height, width), fill(batch, sets, groups, channels, height, width), *tables]


def call(tensors: list[Tensor | None], shape: tuple, backend: str | None) -> Tensor:
    return dynamic_neighborhood(
        tensors[0], tensors[1], *shape[5:], small_bias=tensors[2], large_bias=tensors[3], backend=backend
    )


def answers(tensors: list[Tensor | None], shape: tuple, backend: str) -> list[Tensor]:
    """Output and gradients of a fixed weighting of it."""
    out = call(tensors, shape, backend)
    probe = torch.randn(out.shape, generator=torch.Generator().manual_seed(9), dtype=torch.float64).to(out)
    return [out, *torch.autograd.grad((out * probe).sum(), [t for t in tensors if t is not None])]


def assert_same(ours: list[Tensor], wanted: list[Tensor], atol: float) -> None:
    for one, other in zip(ours, wanted, strict=True):
        torch.testing.assert_close(one.cpu().double(), other.double(), atol=atol, rtol=atol)


@pytest.mark.parametrize("backend", ["reference", "cpu"])
@pytest.mark.parametrize(("case", "side"), [("k5_9x12", 5), ("k7_7x7", 7), ("k13_14x15", 13)])
def test_answers_as_published(case: str, side: int, backend: str, golden) -> None:
    spec, wanted = golden.load(f"ops/na2d_av_{case}"), golden.outputs(f"ops/na2d_av_{case}")
    weights, value = (golden.make_input(spec, name).requires_grad_() for name in "wv")
    out = dynamic_neighborhood(
        weights.permute(0, 1, 4, 2, 3), value.permute(0, 1, 4, 2, 3).unsqueeze(1), side, backend=backend
    )
    out = out.squeeze(1).permute(0, 1, 3, 4, 2)
    (out * golden.make_input(spec, "probe")).sum().backward()
    for ours, name in ((out, "out"), (weights.grad, "grad_w"), (value.grad, "grad_v")):
        torch.testing.assert_close(ours, wanted[name], atol=2e-5, rtol=0)


def test_the_reference_does_what_the_words_say() -> None:
    shape = (1, 1, 1, 5, 6, 3, 5)
    tensors = make(shape)
    out = call(tensors, shape, "reference")
    logits, value = (tensor.detach() for tensor in tensors[:2])
    first = 0
    for number, side in enumerate((3, 5)):
        rows, columns = neighbors(Axis(5, side))[0], neighbors(Axis(6, side))[0]
        for y, x in ((0, 0), (2, 3), (4, 5), (1, 4)):
            scores, seen = [], []
            for place in range(side**2):
                row, column = int(rows[y, place // side]), int(columns[x, place % side])
                bias = tensors[2 + number].detach()[0, row - y + side - 1, column - x + side - 1]
                scores.append(logits[0, 0, first + place, y, x] + bias)
                seen.append(value[0, number, 0, 0, row, column])
            wanted = (torch.stack(scores).softmax(0) * torch.stack(seen)).sum()
            torch.testing.assert_close(out[0, number, 0, 0, y, x].detach(), wanted)
        first += side**2


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("shape", [*SHAPES, (2, 2, 3, 6, 23, 3, 5)])
def test_the_cpu_backend_agrees(shape: tuple, bias: bool) -> None:
    tensors = make(shape, bias=bias)
    assert_same(answers(tensors, shape, "cpu"), answers(tensors, shape, "reference"), 1e-12)


@triton_here
@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("shape", SHAPES)
def test_the_triton_backend_agrees(shape: tuple, bias: bool) -> None:
    wanted = answers(make(shape, bias=bias), shape, "reference")
    ours = answers(make(shape, torch.float32, bias, device=device_of("triton")), shape, "triton")
    assert_same(ours, wanted, 5e-6)


@triton_here
def test_half_precision_stays_near() -> None:
    shape = SHAPES[0]
    wanted = answers(make(shape), shape, "reference")
    assert_same(answers(make(shape, torch.float16, device=device_of("triton")), shape, "triton"), wanted, 1e-2)
    assert_same(answers(make(shape, torch.float16), shape, "cpu"), wanted, 1e-2)


@pytest.mark.parametrize("backend", ["reference", "cpu"])
@pytest.mark.parametrize("shape", [(1, 1, 2, 3, 4, 3, 1), (2, 1, 1, 3, 5, 3, None)])
def test_gradients_are_differences(shape: tuple, backend: str) -> None:
    tensors = make(shape)
    given_ones = [tensor for tensor in tensors if tensor is not None]

    def function(*parts: Tensor) -> Tensor:
        return call([*parts, *[None] * (4 - len(parts))], shape, backend)

    assert torch.autograd.gradcheck(function, given_ones)
    if backend == "reference":
        assert torch.autograd.gradgradcheck(function, given_ones)


@pytest.mark.parametrize("backend", ["cpu", pytest.param("triton", marks=triton_here)])
def test_the_gradient_of_the_logarithm_is_exact(backend: str) -> None:
    shape = (1, 1, 2, 5, 4, 3, None)
    tensors = make(shape, torch.float32, device=device_of(backend))
    _, lse = torch.ops.foveate.dynamic_neighborhood(*tensors, 3, 0, backend)
    probe = torch.randn(lse.shape, generator=torch.Generator().manual_seed(1)).to(lse)
    ours = torch.autograd.grad((lse * probe).sum(), [tensors[0], tensors[2]])
    # The logarithm of the sum is what softmax leaves out: log softmax of the first logit is logit - lse.
    rows, columns = neighbors(Axis(5, 3))[0], neighbors(Axis(4, 3))[0]
    above, beside = rows - torch.arange(5)[:, None] + 2, columns - torch.arange(4)[:, None] + 2
    bias = tensors[2][:, above.T[:, None, :, None], beside.T[None, :, None, :]].flatten(1, 2)
    wanted = (tensors[0] + bias).logsumexp(2)[:, None]
    torch.testing.assert_close(lse, wanted, atol=1e-5, rtol=1e-5)
    assert_same(list(ours), list(torch.autograd.grad((wanted * probe).sum(), [tensors[0], tensors[2]])), 1e-5)


@settings(max_examples=40, deadline=None)
@given(st.data())
def test_random_problems_agree(data: st.DataObject) -> None:
    height, width = data.draw(st.integers(1, 12)), data.draw(st.integers(1, 40))
    odd = st.integers(0, (min(height, width) - 1) // 2).map(lambda half: 2 * half + 1)
    shape = (
        *(data.draw(st.integers(1, 3)) for _ in range(3)),
        height,
        width,
        data.draw(odd),
        data.draw(st.none() | odd),
    )
    tensors = make(shape, bias=data.draw(st.booleans()), seed=data.draw(st.integers(0, 99)))
    assert_same(answers(tensors, shape, "cpu"), answers(tensors, shape, "reference"), 1e-11)


def layouts(tensors: list[Tensor | None], poison: float) -> list[Tensor | None]:
    """Put every tensor inside a larger poisoned one, with its axes in another order in memory."""
    inside = []
    for tensor in tensors:
        if tensor is None:
            inside.append(None)
            continue
        order = [0, *range(2, tensor.dim()), 1]
        room = torch.full([tensor.shape[n] + 2 for n in order], poison, dtype=tensor.dtype, device=tensor.device)
        room = room.permute([order.index(n) for n in range(tensor.dim())])
        for axis, size in enumerate(tensor.shape):
            room = room.narrow(axis, 1, size)
        inside.append(room.copy_(tensor.detach()).requires_grad_())
    return inside


@pytest.mark.parametrize("backend", ["cpu", pytest.param("triton", marks=triton_here)])
def test_views_among_nans_give_the_same(backend: str) -> None:
    shape = (2, 1, 2, 4, 5, 3, 1)
    tensors = make(shape, torch.float32, device=device_of(backend))
    views = layouts(tensors, float("nan"))
    assert not any(view.is_contiguous() for view in views[:2])
    assert_same(answers(views, shape, backend), [t.cpu() for t in answers(tensors, shape, backend)], 1e-6)


@pytest.mark.parametrize("backend", ["cpu", pytest.param("triton", marks=triton_here)])
def test_the_output_keeps_the_memory_order_of_the_value(backend: str) -> None:
    shape = (1, 2, 3, 5, 6, 3, 1)
    logits, value, *tables = make(shape, torch.float32, device=device_of(backend))
    feature_map = value.detach().flatten(1, 3).contiguous(memory_format=torch.channels_last)
    view = feature_map.unflatten(1, (2, 2, 3))
    out = call([logits, view, *tables], shape, backend)
    assert out.stride() == view.stride()
    torch.testing.assert_close(out, call([logits, value, *tables], shape, backend), atol=1e-6, rtol=1e-6)


@pytest.mark.parametrize("backend", ["reference", "cpu", pytest.param("triton", marks=triton_here)])
def test_an_empty_batch_gives_an_empty_answer(backend: str) -> None:
    shape = (0, 2, 3, 7, 7, 3, 5)
    out, *grads = answers(make(shape, torch.float32, device=device_of(backend)), shape, backend)
    assert out.shape == (0, 2, 2, 3, 7, 7)
    assert grads[0].shape == (0, 2, 34, 7, 7)
    assert grads[2].abs().sum() == 0


def test_logits_far_apart_neither_overflow_nor_vanish() -> None:
    shape = (1, 1, 2, 5, 5, 3, 5)
    tensors = make(shape, torch.float32)
    tensors[0] = (tensors[0].detach() * 1e4).requires_grad_()
    wanted = answers(tensors, shape, "reference")
    assert_same(answers(tensors, shape, "cpu"), wanted, 1e-3)
    if triton_interpreted():
        assert_same(answers(tensors, shape, "triton"), wanted, 1e-3)


@pytest.mark.parametrize("backend", ["cpu", pytest.param("triton", marks=triton_here)])
def test_gradients_repeat_to_the_bit(backend: str) -> None:
    shape = (2, 1, 2, 4, 5, 3, 1)
    tensors = make(shape, torch.float32, device=device_of(backend))
    pairs = zip(answers(tensors, shape, backend), answers(tensors, shape, backend), strict=True)
    assert all(torch.equal(one, other) for one, other in pairs)


def test_one_set_can_do_without_gradients() -> None:
    shape = SHAPES[0]
    logits, value, small_bias, large_bias = make(shape)
    tensors = [logits.detach(), value, small_bias.detach(), large_bias]
    call(tensors, shape, "cpu").sum().backward()
    assert logits.grad is None
    assert large_bias.grad is not None


# The checker itself looks at gradients of tensors that are no leaves.
@pytest.mark.filterwarnings("ignore:The .grad attribute of a Tensor")
@pytest.mark.parametrize("backend", ["cpu", pytest.param("triton", marks=triton_here)])
def test_torch_accepts_the_operator(backend: str) -> None:
    shape = (1, 1, 2, 3, 4, 1, 3)
    tensors = make(shape, torch.float32, device=device_of(backend))
    torch.library.opcheck(torch.ops.foveate.dynamic_neighborhood.default, (*tensors, 1, 3, backend))


@pytest.mark.parametrize("backend", ["reference", "cpu", None])
def test_a_graph_holds_it_whole(backend: str | None) -> None:
    shape = (1, 2, 2, 5, 6, 3, 5)
    tensors = make(shape, torch.float32)

    @torch.compile(backend="aot_eager", fullgraph=True)
    def compiled(*parts: Tensor) -> Tensor:
        return call(list(parts), shape, backend).square()

    wanted = call(tensors, shape, "reference").square()
    ours = compiled(*tensors)
    grads = [torch.autograd.grad(out.sum(), tensors) for out in (ours, wanted)]
    assert_same([ours, *grads[0]], [wanted, *grads[1]], 1e-5)


def test_autocast_narrows_logits_and_value_only() -> None:
    shape = SHAPES[0]
    tensors = make(shape, torch.float32)
    with torch.autocast("cpu", torch.bfloat16):
        out = call(tensors, shape, "cpu")
    assert out.dtype == torch.bfloat16
    out.sum().backward()
    assert [tensor.grad.dtype for tensor in tensors] == [torch.float32] * 4
    assert_same([out], [call(tensors, shape, "reference")], 5e-2)


def test_tiles_cover_maps_of_any_size() -> None:
    for height, width, side in ((1, 1, 1), (7, 7, 7), (14, 14, 13), (5, 300, 5), (64, 64, 13)):
        for by_key in (True, False):
            for rows_only in (True, False):
                found = tiles(height, width, side, by_key, rows_only)
                own = found.key if by_key else found.position
                assert found.programs == -(-height // own[0]) * -(-width // own[1])
                assert found.position[0] * found.position[1] >= 16 <= found.key[0] * found.key[1]


SHAPE = (1, 2, 3, 5, 6, 3, 5)


@pytest.mark.parametrize(
    ("change", "error", "text"),
    [
        ({"logits": [1.0]}, TypeError, "must be tensors"),
        ({"value": torch.zeros(1, 2, 2, 3, 5, 6).half()}, TypeError, "of one float type"),
        ({"value": torch.zeros(2, 3, 5, 6)}, ValueError, "unflatten the channels"),
        ({"value": torch.zeros(1, 2, 2, 0, 5, 6)}, ValueError, "at least one group"),
        ({"value": torch.zeros(1, 1, 2, 3, 5, 6)}, ValueError, "one set for each"),
        ({"logits": torch.zeros(1, 2, 33, 5, 6)}, ValueError, "one logit for each cell"),
        ({"small": 4}, ValueError, "odd side, got 4"),
        ({"large": 7}, ValueError, "must not exceed the axis"),
        ({"large": 5.0}, TypeError, "whole number"),
        ({"small": 0}, ValueError, "at least 1"),
        ({"small_bias": torch.zeros(2, 5, 4)}, ValueError, r"small_bias must be \(2, 5, 5\)"),
        ({"large_bias": torch.zeros(2, 9, 9).int()}, TypeError, "large_bias must be a float tensor"),
        ({"backend": "cuda"}, ValueError, "backend must be one of"),
    ],
)
def test_wrong_calls_are_explained(change: dict, error: type[Exception], text: str) -> None:
    logits, value, *_ = make(SHAPE, torch.float32)
    arguments = {"logits": logits, "value": value, "small": 3, "large": 5} | change
    with pytest.raises(error, match=text):
        dynamic_neighborhood(**arguments)


def test_a_table_without_its_window_is_refused() -> None:
    logits, value, *_ = make((1, 2, 3, 5, 6, 3, None), torch.float32)
    with pytest.raises(ValueError, match="None without a large window"):
        dynamic_neighborhood(logits, value, 3, large_bias=torch.zeros(2, 9, 9))


def test_a_backend_that_cannot_says_why() -> None:
    with pytest.raises(RuntimeError, match="float64"):
        call(make(SHAPE), SHAPE, "triton")

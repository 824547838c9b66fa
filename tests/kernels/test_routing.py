"""Block-sparse and routed attention: backends against each other, against autograd, and against published answers."""

import itertools
import warnings
from typing import NamedTuple

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from foveate.kernels.dispatch import triton_missing
from foveate.kernels.routing import chunked
from foveate.kernels.routing.op import block_sparse_attention, routed_attention
from foveate.kernels.routing.problem import BlockGrid, to_blocks

DEVICE = torch.device("cuda" if torch.cuda.is_available() else "cpu")
needs_triton = pytest.mark.skipif(
    bool(triton_missing(DEVICE, torch.float32)), reason=triton_missing(DEVICE, torch.float32) or "it runs"
)


class Case(NamedTuple):
    lengths: tuple[int, ...]
    lengths_kv: tuple[int, ...]
    size: tuple[int, ...]
    size_kv: tuple[int, ...]
    heads: int = 2
    heads_kv: int = 2
    dim: int = 16
    dim_v: int = 16
    entries: int = 2
    per_head: bool = False
    weighted: bool = False
    holes: bool = True
    batch: int = 2


CASES = {
    "even": Case((8, 8), (8, 8), (4, 4), (4, 4), dim=32, dim_v=32, holes=False),
    "ragged": Case((5, 7), (5, 6), (2, 4), (2, 3), 3, 3, 12, 20, 3, weighted=True, batch=1),
    "few_tokens": Case((6, 4), (6, 4), (2, 2), (2, 2), 8, 8, 32, 32, 4, weighted=True, holes=False, batch=1),
    "one_token": Case((4, 3), (4, 3), (1, 1), (1, 1), 5, 5, 16, 16, 5, batch=1),
    "shared_keys": Case((6, 4), (6, 4), (2, 2), (2, 2), 4, 2, entries=4),
    "volume": Case((3, 4, 4), (3, 2, 4), (2, 2, 3), (2, 2, 3), 4, 2, entries=3, per_head=True, weighted=True, batch=1),
    "line": Case((40,), (45,), (18,), (23,), 2, 1, entries=2, weighted=True),
    "small_blocks": Case((7, 6), (5, 6), (2, 2), (2, 3), 4, 2, 12, 20, 3, per_head=True),
    "all_blocks": Case((6, 6), (6, 6), (3, 3), (3, 3), entries=4, holes=False, batch=1),
}
SMALL = Case((4, 2), (2, 2), (2, 2), (1, 2), 2, 1, entries=1)


def make(case: Case, seed: int = 0) -> dict[str, Tensor]:
    torch.manual_seed(seed)
    blocks = BlockGrid(case.lengths, case.size).blocks
    blocks_kv = BlockGrid(case.lengths_kv, case.size_kv).blocks
    heads = case.heads if case.per_head else 1
    index = torch.rand(case.batch, heads, blocks, blocks_kv).argsort(-1)[..., : case.entries]
    if case.holes:
        index = index.masked_fill(torch.rand(index.shape) < 0.3, -1)
        index[:, :, 0] = -1
    tensors = {
        "query": torch.randn(case.batch, *case.lengths, case.heads, case.dim),
        "key": torch.randn(case.batch, *case.lengths_kv, case.heads_kv, case.dim),
        "value": torch.randn(case.batch, *case.lengths_kv, case.heads_kv, case.dim_v),
        "block_index": index,
    }
    if case.weighted:
        tensors["block_weight"] = torch.rand(index.shape) + 0.5
    return {name: tensor.to(DEVICE) for name, tensor in tensors.items()}


def finite(tensor: Tensor) -> Tensor:
    return tensor.masked_fill(tensor == float("-inf"), 0)


def answers(case: Case, tensors: dict[str, Tensor], backend: str, dtype: torch.dtype) -> dict[str, Tensor]:
    """Output, logarithm of the denominator, and gradients of a sum of both."""
    own = {
        name: t.detach().clone() if name == "block_index" else t.detach().to(dtype).clone().requires_grad_()
        for name, t in tensors.items()
    }
    query, key, value = own["query"], own["key"], own["value"]
    out, lse = block_sparse_attention(
        query,
        key,
        value,
        own["block_index"],
        block_weight=own.get("block_weight"),
        block_size=case.size,
        block_size_kv=case.size_kv,
        return_lse=True,
        backend=backend,
    )
    torch.manual_seed(1)
    probes = [torch.randn(t.shape).to(DEVICE) for t in (out, lse)]
    ((out.double() * probes[0]).sum() + (finite(lse).double() * probes[1]).sum()).backward()
    grads = {f"grad_{name}": t.grad.detach() for name, t in own.items() if t.grad is not None}
    return {"out": out.detach(), "lse": lse.detach(), **grads}


def assert_alike(ours: dict[str, Tensor], oracle: dict[str, Tensor], atol: float) -> None:
    assert ours.keys() == oracle.keys()
    for name, wanted in oracle.items():
        torch.testing.assert_close(
            ours[name].double(), wanted.double(), atol=atol, rtol=atol, msg=lambda m, n=name: f"{n}: {m}"
        )


@pytest.mark.parametrize("name", CASES)
def test_reference_is_masked_attention(name: str) -> None:
    case = CASES[name]
    tensors = make(case)
    query, key, value, index = (tensors[n].double() for n in ("query", "key", "value", "block_index"))
    grid, grid_kv = BlockGrid(case.lengths, case.size), BlockGrid(case.lengths_kv, case.size_kv)
    weight = tensors.get("block_weight", torch.ones_like(index)).double()
    factor = torch.zeros(*index.shape[:3], grid_kv.blocks + 1, dtype=torch.double, device=DEVICE)
    factor.scatter_(-1, index.long().where(index >= 0, grid_kv.blocks), weight)

    def block_of(g: BlockGrid) -> Tensor:
        number = torch.zeros(1, dtype=torch.long)
        for length, size, count in zip(g.lengths, g.sizes, g.counts, strict=True):
            number = (number[:, None] * count + torch.arange(length) // size).flatten()
        return number.to(DEVICE)

    pairs = factor[:, :, block_of(grid)][..., block_of(grid_kv)]  # batch, heads, queries, keys
    q, k, v = (t.flatten(1, -3).transpose(1, 2) for t in (query, key, value))
    k, v = (t.repeat_interleave(case.heads // case.heads_kv, 1) for t in (k, v))
    scores = (case.dim**-0.5 * pairs * (q @ k.transpose(-1, -2))).masked_fill(pairs == 0, float("-inf"))
    wanted = (scores.softmax(-1).nan_to_num(0) * pairs) @ v
    ours = answers(case, tensors, "reference", torch.float64)
    torch.testing.assert_close(ours["out"].flatten(1, -3).transpose(1, 2), wanted)
    torch.testing.assert_close(ours["lse"].flatten(1, -2).transpose(1, 2), scores.logsumexp(-1))


@pytest.mark.parametrize("numbers", [2**19, 2000])
@pytest.mark.parametrize("name", CASES)
def test_chunks_answer_like_the_reference(name: str, numbers: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chunked, "CHUNK_NUMBERS", numbers)
    case, tensors = CASES[name], make(CASES[name])
    oracle = answers(case, tensors, "reference", torch.float64)
    assert_alike(answers(case, tensors, "cpu", torch.float64), oracle, 1e-10)


@needs_triton
@pytest.mark.parametrize("name", CASES)
def test_triton_answers_like_the_reference(name: str) -> None:
    case, tensors = CASES[name], make(CASES[name])
    oracle = answers(case, tensors, "reference", torch.float64)
    assert_alike(answers(case, tensors, "triton", torch.float32), oracle, 2e-5)


@needs_triton
@pytest.mark.parametrize("name", ["even", "few_tokens"])
def test_triton_answers_in_half_precision(name: str) -> None:
    case, tensors = CASES[name], make(CASES[name])
    oracle = answers(case, tensors, "reference", torch.float64)
    assert_alike(answers(case, tensors, "triton", torch.float16), oracle, 1e-2)


@needs_triton
@pytest.mark.parametrize("name", ["shared_keys", "small_blocks"])
def test_gathering_answers_like_dense_products(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    from foveate.kernels.routing import triton_backward, triton_forward

    case, tensors = CASES[name], make(CASES[name])
    dense = answers(case, tensors, "triton", torch.float32)
    for module in (triton_forward, triton_backward):
        assert module.prefers_dense(BlockGrid((14, 14), (2, 2)), BlockGrid((14, 14), (2, 2)), 16, 32, False)
        monkeypatch.setattr(module, "prefers_dense", lambda *_: False)
        module.prepare.cache_clear()
    gathered = answers(case, tensors, "triton", torch.float32)
    triton_forward.prepare.cache_clear()
    triton_backward.prepare.cache_clear()
    assert_alike(gathered, dense, 2e-5)


@needs_triton
@pytest.mark.parametrize("heads", [2, 4])
@pytest.mark.parametrize("topk", [1, 3])
def test_plain_tensors_take_a_direct_way_to_the_same_bits(
    topk: int, heads: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    from foveate.kernels.routing import op

    torch.manual_seed(0)
    qkv = torch.randn(1, 6, 6, 3, heads, 16, device=DEVICE)
    probes = torch.randn(1, 6, 6, heads, 16, device=DEVICE), torch.randn(1, 6, 6, heads, device=DEVICE)
    options = {"return_lse": True, "return_routing": True, "backend": "triton"}

    def results() -> list[Tensor]:
        found = []
        for count in (1, 2):
            own = qkv.clone().requires_grad_()
            out, lse, index = routed_attention(*own.unbind(3), 3, topk, **options)
            loss = sum((t * probe).sum() for t, probe in zip((out, lse)[:count], probes, strict=False))
            found += [out, lse, index, *torch.autograd.grad(loss, own)]
        with torch.no_grad():
            return found + list(routed_attention(*qkv.unbind(3), 3, topk, **options))

    asked = []
    find = op._find_plan
    monkeypatch.setattr(op, "_find_plan", lambda *a: asked.append(find(*a)) or asked[-1])
    direct = results()
    assert len(asked) == 3
    assert all(plan is asked[0] and plan is not None for plan in asked)
    monkeypatch.setattr(op, "is_plain_call", lambda *tensors: False)
    for ours, theirs in zip(direct, results(), strict=True):
        assert ours.dtype == theirs.dtype
        assert torch.equal(ours, theirs)
    assert len(asked) == 3


@needs_triton
@pytest.mark.filterwarnings("ignore::RuntimeWarning")  # of the interpreter, about numbers that are none
def test_no_region_is_chosen_twice() -> None:
    tokens = torch.randn(1, 6, 6, 2, 16, device=DEVICE)
    tokens[:, :2, :2] = float("nan")
    tokens[:, 2:4, :2] = float("inf")
    _, index = routed_attention(tokens, tokens, tokens, 3, 4, return_routing=True, backend="triton")
    assert ((index >= 0) & (index < 9)).all()
    assert (index.sort(-1).values.diff(dim=-1) > 0).all()
    alike = torch.ones_like(tokens)
    _, index = routed_attention(alike, alike, alike, 3, 4, return_routing=True, backend="triton")
    assert (index == torch.arange(4, device=DEVICE)).all()


@needs_triton
def test_a_plan_does_not_outlive_its_layout() -> None:
    torch.manual_seed(0)
    tokens = torch.randn(3, 1, 6, 6, 2, 16, device=DEVICE)
    options = {"return_routing": True, "backend": "triton"}
    routed_attention(*tokens, 3, 2, **options)
    turned, index_turned = routed_attention(*tokens.transpose(2, 3), 3, 2, **options)
    oracle, wanted = routed_attention(*tokens.transpose(2, 3), 3, 2, backend="reference", return_routing=True)
    torch.testing.assert_close(turned, oracle, atol=2e-6, rtol=1e-5)
    assert (index_turned.sort(-1).values == wanted.sort(-1).values).all()
    for wrong in (3.0, True, (3.0, 3)):
        with pytest.raises(TypeError, match="whole number"):
            routed_attention(*tokens, wrong, 2, **options)
    with pytest.raises(TypeError, match="topk"):
        routed_attention(*tokens, 3, 2.0, **options)


@needs_triton
def test_triton_inverts_an_index_by_sorting_too(monkeypatch: pytest.MonkeyPatch) -> None:
    from foveate.kernels.routing import triton_backward

    tensors = make(CASES["ragged"])
    index = tensors["block_index"].contiguous()
    blocks = BlockGrid(CASES["ragged"].lengths_kv, CASES["ragged"].size_kv).blocks

    def lists() -> list[list[int]]:
        pairs, bounds = (None if t is None else t.tolist() for t in triton_backward.invert(index, blocks))
        if bounds is None:
            return [row[1 : 1 + row[0]] for row in pairs]
        return [pairs[a:b] for a, b in itertools.pairwise(bounds)]

    by_kernel = lists()
    monkeypatch.setattr(triton_backward, "INVERT_ENTRIES", 0)
    triton_backward.prepare_inverse.cache_clear()
    assert lists() == by_kernel
    triton_backward.prepare_inverse.cache_clear()
    flat = index.flatten(2).tolist()
    assert by_kernel == [[n for n, b in enumerate(row[0]) if b == block] for row in flat for block in range(blocks)]


@pytest.mark.parametrize("backend", ["reference", "cpu"])
@pytest.mark.parametrize("weighted", [False, True])
def test_gradients_are_those_of_finite_differences(backend: str, weighted: bool) -> None:
    case = Case((3, 4), (3, 3), (2, 2), (2, 2), 2, 1, 3, 2, 2, weighted=weighted, batch=1)
    tensors = make(case)
    names = ["query", "key", "value", *(["block_weight"] if weighted else [])]
    values = [tensors[name].double().requires_grad_() for name in names]

    def function(*arguments: Tensor) -> tuple[Tensor, ...]:
        given = dict(zip(names, arguments, strict=True))
        out, lse = block_sparse_attention(
            given["query"],
            given["key"],
            given["value"],
            tensors["block_index"],
            block_weight=given.get("block_weight"),
            block_size=case.size,
            block_size_kv=case.size_kv,
            return_lse=True,
            backend=backend,
        )
        return out, finite(lse)

    assert torch.autograd.gradcheck(function, values)
    if backend == "reference":
        assert torch.autograd.gradgradcheck(lambda *a: function(*a)[0], values)


@st.composite
def problems(draw: st.DrawFn) -> Case:
    rank = draw(st.integers(1, 3))
    most = (16, 7, 4)[rank - 1]

    def per_axis(top: int) -> tuple[int, ...]:
        return tuple(draw(st.integers(1, top)) for _ in range(rank))

    heads_kv = draw(st.integers(1, 3))
    lengths_kv, size_kv = per_axis(most), per_axis(4)
    return Case(
        per_axis(most),
        lengths_kv,
        per_axis(4),
        size_kv,
        heads_kv * draw(st.integers(1, 2)),
        heads_kv,
        draw(st.integers(1, 9)),
        draw(st.integers(1, 9)),
        draw(st.integers(0, BlockGrid(lengths_kv, size_kv).blocks)),
        *(draw(st.booleans()) for _ in range(3)),
        draw(st.integers(0, 2)),
    )


@settings(max_examples=40, deadline=None)
@given(case=problems(), seed=st.integers(0, 99))
def test_random_problems(case: Case, seed: int) -> None:
    tensors = make(case, seed)
    oracle = answers(case, tensors, "reference", torch.float64)
    assert_alike(answers(case, tensors, "cpu", torch.float64), oracle, 1e-9)


@pytest.mark.parametrize("backend", ["reference", "cpu", pytest.param("triton", marks=needs_triton)])
def test_a_mask_lists_blocks(backend: str) -> None:
    torch.manual_seed(0)
    query, key, value = torch.randn(3, 2, 6, 5, 2, 16, device=DEVICE).unbind(0)
    mask = torch.rand(1, 2, 9, 9, device=DEVICE) < 0.4
    mask[:, :, 3] = False
    index = torch.arange(9, device=DEVICE).where(mask, -1).expand(2, -1, -1, -1)
    options = {"block_size": 2, "return_lse": True, "backend": backend}
    by_mask = block_sparse_attention(query, key, value, block_mask=mask, **options)
    by_index = block_sparse_attention(query, key, value, index, **options)
    torch.testing.assert_close(by_mask, by_index)
    blind = to_blocks(by_mask[0], BlockGrid((6, 5), (2, 2)))[:, :, 3]
    assert (blind == 0).all()
    assert (to_blocks(by_mask[1][..., None], BlockGrid((6, 5), (2, 2)))[:, :, 3, 0] == float("-inf")).all()


def test_repeated_blocks_count_once() -> None:
    torch.manual_seed(0)
    query, key, value = torch.randn(3, 1, 8, 1, 4).unbind(0)
    index = torch.tensor([[2, 0, 2, 2], [1, 1, -1, -1]]).view(1, 1, 2, 4)
    weight = torch.rand(1, 1, 2, 4)
    once = torch.tensor([[2, 0], [1, -1]]).view(1, 1, 2, 2)
    sizes = {"block_size": 4, "block_size_kv": 2}
    torch.testing.assert_close(
        block_sparse_attention(query, key, value, index, block_weight=weight, **sizes),
        block_sparse_attention(query, key, value, once, block_weight=weight[..., :2].contiguous(), **sizes),
    )


@pytest.mark.parametrize("backend", ["cpu", pytest.param("triton", marks=needs_triton)])
def test_nothing_is_read_before_it_is_written(backend: str) -> None:
    case = SMALL._replace(lengths=(3, 3), weighted=True, batch=1)
    tensors = make(case)
    oracle = answers(case, tensors, "reference", torch.float64)
    before = torch.utils.deterministic.fill_uninitialized_memory
    try:
        torch.use_deterministic_algorithms(True, warn_only=True)
        torch.utils.deterministic.fill_uninitialized_memory = True
        ours = answers(case, tensors, backend, torch.float32)
    finally:
        torch.use_deterministic_algorithms(False)
        torch.utils.deterministic.fill_uninitialized_memory = before
    assert_alike(ours, oracle, 2e-5)


@pytest.mark.parametrize("backend", ["reference", "cpu", pytest.param("triton", marks=needs_triton)])
def test_views_and_empty_batches(backend: str) -> None:
    torch.manual_seed(0)
    qkv = torch.randn(2, 6, 4, 3, 2, 16, device=DEVICE, requires_grad=True)
    views = qkv.unbind(3)
    copies = [t.detach().clone().requires_grad_() for t in views]
    out = routed_attention(*views, 2, 2, backend=backend)
    plain = routed_attention(*copies, 2, 2, backend=backend)
    torch.testing.assert_close(out, plain)
    assert out.is_contiguous()
    probe = torch.randn_like(out).transpose(0, 1).contiguous().transpose(0, 1)
    (out * probe).sum().backward()
    (plain * probe).sum().backward()
    torch.testing.assert_close(qkv.grad, torch.stack([t.grad for t in copies], 3))

    empty = [t[:0].detach().requires_grad_() for t in copies]
    out, index = routed_attention(*empty, 2, 2, soft=True, return_routing=True, backend=backend)
    assert out.shape == (0, 6, 4, 2, 16)
    assert index.shape == (0, 1, 4, 2)
    out.sum().backward()
    assert empty[1].grad.shape == empty[1].shape


@pytest.mark.parametrize("backend", ["reference", "cpu", pytest.param("triton", marks=needs_triton)])
@pytest.mark.parametrize("soft", [False, True])
def test_routing_picks_the_best_regions(backend: str, soft: bool) -> None:
    torch.manual_seed(0)
    query, value = torch.randn(2, 2, 6, 9, 3, 16, device=DEVICE).unbind(0)
    key, value = torch.randn(2, 6, 6, 3, 16, device=DEVICE), value[:, :, :6]
    out, index = routed_attention(
        query, key, value, 3, 4, soft=soft, routing_scale=0.5, return_routing=True, backend=backend
    )
    means = [t.unflatten(2, (3, -1)).unflatten(1, (3, -1)).mean((2, 4)).flatten(1, 2).flatten(2) for t in (query, key)]
    logits, wanted = (0.5 * means[0] @ means[1].transpose(1, 2)).topk(4)
    assert (index == wanted[:, None]).all()
    weight = logits.softmax(-1)[:, None] if soft else None
    options = {"block_size": (2, 3), "block_size_kv": (2, 2), "backend": "reference"}
    plain = block_sparse_attention(query, key, value, index, block_weight=weight, **options)
    torch.testing.assert_close(out, plain, atol=2e-6, rtol=1e-5)


@pytest.mark.parametrize("backend", ["reference", "cpu", pytest.param("triton", marks=needs_triton)])
def test_soft_routing_teaches_the_logits(backend: str) -> None:
    torch.manual_seed(0)
    query, key, value = torch.randn(3, 1, 8, 2, 16, device=DEVICE).unbind(0)
    logits = torch.randn(1, 4, 4, device=DEVICE, requires_grad=True)
    oracle = logits.detach().clone().requires_grad_()
    for tensor, name in ((logits, backend), (oracle, "reference")):
        routed_attention(query, key, value, 4, 2, routing=tensor, soft=True, backend=name).square().sum().backward()
    assert oracle.grad.abs().max() > 1e-3
    torch.testing.assert_close(logits.grad, oracle.grad, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("backend", ["cpu", pytest.param("triton", marks=needs_triton)])
@pytest.mark.parametrize("soft", [False, True])
def test_routed_gradients_agree(backend: str, soft: bool) -> None:
    torch.manual_seed(0)
    tensors = torch.randn(3, 1, 8, 8, 2, 16, device=DEVICE)
    grads = []
    for name in ("reference", backend):
        own = [t.clone().requires_grad_() for t in tensors]
        routed_attention(*own, 2, 2, soft=soft, backend=name).square().sum().backward()
        grads.append([t.grad for t in own])
    torch.testing.assert_close(grads[1], grads[0], atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("backend", ["cpu", pytest.param("triton", marks=needs_triton)])
@pytest.mark.parametrize("weighted", [False, True])
def test_operators_are_sound(weighted: bool, backend: str) -> None:
    case = SMALL._replace(weighted=weighted, batch=1)
    tensors = make(case)
    floats = [tensors[n].requires_grad_() for n in ("query", "key", "value")]
    weight = tensors.get("block_weight")
    if weight is not None:
        weight.requires_grad_()
    sizes = (list(case.size), list(case.size_kv))
    arguments = (*floats, tensors["block_index"], weight, *sizes, 0.25, True, backend)
    with warnings.catch_warnings():  # it looks at gradients of its own copies
        warnings.simplefilter("ignore")
        results = torch.library.opcheck(torch.ops.foveate.block_sparse_attention.default, arguments)
    assert set(results.values()) == {"SUCCESS"}


@needs_triton
def test_routing_operator_is_sound() -> None:
    tokens = torch.randn(1, 4, 6, 2, 16, device=DEVICE)
    results = torch.library.opcheck(torch.ops.foveate.route_regions.default, (tokens, tokens, [2, 3], [2, 3], 2, 0.5))
    assert set(results.values()) == {"SUCCESS"}


@pytest.mark.parametrize("backend", ["reference", "cpu", pytest.param("triton", marks=needs_triton)])
def test_compiles_in_one_piece(backend: str) -> None:
    torch._dynamo.reset()
    torch.manual_seed(0)
    query, key, value = torch.randn(3, 1, 6, 4, 2, 8, device=DEVICE).unbind(0)
    index = torch.tensor([[0, 1], [1, 3], [5, -1], [2, 2], [3, 0], [4, 1]], device=DEVICE).view(1, 1, 6, 2)

    def both(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        routed = routed_attention(q, k, v, 2, 2, soft=True, backend=backend)
        return routed + block_sparse_attention(q, k, v, index, block_size=2, backend=backend)

    compiled = torch.compile(both, backend="aot_eager", fullgraph=True)
    plain = [t.clone().requires_grad_() for t in (query, key, value)]
    traced = [t.clone().requires_grad_() for t in (query, key, value)]
    out = both(*plain)
    torch.testing.assert_close(compiled(*traced), out)
    out.square().sum().backward()
    compiled(*traced).square().sum().backward()
    for one, other in zip(plain, traced, strict=True):
        torch.testing.assert_close(one.grad, other.grad)

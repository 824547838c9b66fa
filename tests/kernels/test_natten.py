"""NATTEN's functions under their own names, and the merge of attention over parts of the keys."""

import inspect

import pytest
import torch
from torch import Tensor

from foveate.kernels.neighborhood.merge import merge_attentions
from foveate.kernels.neighborhood.natten import na1d, na2d, na3d
from foveate.kernels.neighborhood.op import neighborhood_attention
from foveate.kernels.window import Axis, spans

FUNCTIONS = {1: na1d, 2: na2d, 3: na3d}
ARGUMENTS = [
    "query", "key", "value", "kernel_size", "stride", "dilation", "is_causal", "scale", "additional_keys",
    "additional_values", "attention_kwargs", "backend", "q_tile_shape", "kv_tile_shape", "backward_q_tile_shape",
    "backward_kv_tile_shape", "backward_kv_splits", "backward_use_pt_reduction", "run_persistent_kernel",
    "kernel_schedule", "torch_compile", "return_lse",
]  # fmt: skip
CASES = ["na1d_k8_s3_even", "na1d_causal_k10_s3_d2", "na2d_k7_d2_15x18", "na2d_addkv7", "na2d_gqa_4_2", "na2d_scale",
         "na2d_causal_tf_k5x6_s1x4", "na3d_k4x4x6_s2x1x3_d1x2x1", "na3d_addkv5"]  # fmt: skip


def tensors(rank: int, heads: int = 2, dim: int = 8, side: int = 6) -> list[Tensor]:
    generator = torch.Generator().manual_seed(rank)
    return [torch.randn(1, *(side,) * rank, heads, dim, generator=generator) for _ in range(3)]


@pytest.mark.parametrize("rank", FUNCTIONS)
def test_arguments_stand_where_natten_has_them(rank: int) -> None:
    parameters = inspect.signature(FUNCTIONS[rank]).parameters
    assert list(parameters) == ARGUMENTS
    defaults = [parameter.default for parameter in parameters.values()][4:]
    assert defaults == [1, 1, False, *(None,) * 10, False, True, None, False, False]


@pytest.mark.parametrize("case", CASES)
def test_answers_as_natten(case: str, golden) -> None:
    spec, wanted = golden.load(f"gna/{case}"), golden.outputs(f"gna/{case}")
    made = {name: golden.make_input(spec, name).requires_grad_() for name in spec["inputs"] if name != "d_out"}
    op = spec["op"]
    out, lse = FUNCTIONS[len(op["kernel_size"])](
        made["q"], made["k"], made["v"], tuple(op["kernel_size"]), tuple(op["stride"]), tuple(op["dilation"]),
        tuple(op["is_causal"]), op["scale"], made.get("add_k"), made.get("add_v"), return_lse=True,
    )  # fmt: skip
    out.backward(golden.make_input(spec, "d_out"))
    found = {"out": out, "lse": lse} | {f"d_{name}": tensor.grad for name, tensor in made.items()}
    assert set(found) == set(wanted)
    for name, tensor in wanted.items():
        torch.testing.assert_close(
            found[name].detach(), tensor, atol=2e-5, rtol=0, msg=lambda text, n=name: f"{n}: {text}"
        )


@pytest.mark.parametrize("backend", ["blackwell-fna", "hopper-fna", "cutlass-fna", "flex-fna", None])
def test_their_backends_stand_for_a_choice_of_ours(backend: str | None) -> None:
    query, key, value = tensors(2)
    plain = neighborhood_attention(query, key, value, 3)
    assert torch.equal(na2d(query, key, value, 3, backend=backend), plain)


def test_other_backends_are_ours() -> None:
    query, key, value = tensors(1)
    out = na1d(query, key, value, 3, backend="reference")
    torch.testing.assert_close(out, na1d(query, key, value, 3), atol=2e-6, rtol=0)
    with pytest.raises(ValueError, match="backend must be"):
        na1d(query, key, value, 3, backend="dreadnought-fna")


def test_arguments_that_tune_change_nothing() -> None:
    query, key, value = tensors(2)
    tuned = na2d(
        query, key, value, 3, attention_kwargs={"backend": "cutlass-fmha"}, q_tile_shape=(8, 8), kv_tile_shape=(8, 8),
        backward_q_tile_shape=(8, 8), backward_kv_tile_shape=(8, 8), backward_kv_splits=(1, 1), torch_compile=True,
        backward_use_pt_reduction=True, run_persistent_kernel=False, kernel_schedule="coop",
    )  # fmt: skip
    assert torch.equal(tuned, na2d(query, key, value, 3))


def test_a_scale_of_zero_stands_for_none() -> None:
    query, key, value = tensors(1)
    assert torch.equal(na1d(query, key, value, 3, scale=0), na1d(query, key, value, 3))
    assert not torch.allclose(na1d(query, key, value, 3, scale=1e-6), na1d(query, key, value, 3), atol=1e-3)


@pytest.mark.parametrize(("rank", "given"), [(1, 2), (2, 1), (2, 3), (3, 2)])
def test_a_wrong_rank_names_the_right_function(rank: int, given: int) -> None:
    with pytest.raises(ValueError, match=f"na{rank}d takes a query .*: use na{given}d"):
        FUNCTIONS[rank](*tensors(given), 3)


def test_a_flat_tensor_is_told_the_layout() -> None:
    query = torch.zeros(2, 16, 32)
    with pytest.raises(ValueError, match=r"\(batch, height, width, heads, dim\), heads last but one, got 3 axes"):
        na2d(query, query, query, 3)


@pytest.mark.parametrize("case", ["windows1d", "windows1d_random"])
def test_windows_are_those_of_natten(case: str, golden) -> None:
    wanted = golden.outputs(f"gna/{case}")
    assert len(wanted) >= 12
    for name, table in wanted.items():
        length, window, stride, dilation, causal = (int(word[1:]) for word in name.split("_"))
        residue, _, first, last = spans(Axis(length, window, stride, dilation, bool(causal)))
        found = torch.stack([residue + dilation * first, residue + dilation * last, last - first + 1])
        assert torch.equal(found, table.to(found.dtype)), name


def parts(*shape: int, count: int = 3, dtype: torch.dtype = torch.float64) -> tuple[list[Tensor], list[Tensor]]:
    generator = torch.Generator().manual_seed(0)
    outputs = [torch.randn(*shape, generator=generator, dtype=dtype) for _ in range(count)]
    return outputs, [torch.randn(*shape[:-1], generator=generator, dtype=dtype) for _ in range(count)]


def test_merging_answers_as_natten(golden) -> None:
    spec, wanted = golden.load("gna/merge3"), golden.outputs("gna/merge3")
    made = [[golden.make_input(spec, f"{letter}{i}") for i in range(3)] for letter in "ol"]
    out, lse = merge_attentions(*made)
    torch.testing.assert_close(out, wanted["out"], atol=2e-6, rtol=0)
    torch.testing.assert_close(lse, wanted["lse"], atol=2e-6, rtol=0)


@pytest.mark.parametrize("count", [2, 3])
def test_merging_has_the_gradient_of_its_formula(count: int) -> None:
    outputs, lses = parts(2, 3, 2, 4, count=count)
    leaves = [tensor.requires_grad_() for tensor in (*outputs, *lses)]
    assert torch.autograd.gradcheck(lambda *given: merge_attentions(given[:count], given[count:]), leaves)
    assert torch.autograd.gradgradcheck(lambda *given: merge_attentions(given[:count], given[count:])[0], leaves)


def test_merged_parts_are_attention_over_all_keys() -> None:
    generator = torch.Generator().manual_seed(0)
    query, key, value, more_key, more_value = (
        torch.randn(1, n, 2, 8, generator=generator, dtype=torch.float64, requires_grad=True) for n in (9, 9, 9, 4, 4)
    )
    whole = neighborhood_attention(
        query, key, value, 3, extra_keys=more_key, extra_values=more_value, return_lse=True, backend="reference"
    )
    near = neighborhood_attention(query, key, value, 3, return_lse=True, backend="reference")
    scores = torch.einsum("bnhd,bkhd->bnhk", query, more_key) * 8**-0.5
    far = torch.einsum("bnhk,bkhd->bnhd", scores.softmax(-1), more_value), scores.logsumexp(-1)
    merged = merge_attentions([near[0], far[0]], [near[1], far[1]])
    leaves = (query, key, value, more_key, more_value)
    for ours, theirs in zip(merged, whole, strict=True):
        torch.testing.assert_close(ours, theirs)
        weights = torch.linspace(-1, 1, ours.numel(), dtype=ours.dtype).view_as(ours)
        for a, b in zip(*(torch.autograd.grad((x * weights).sum(), leaves, retain_graph=True, allow_unused=True)
                          for x in (ours, theirs)), strict=True):  # fmt: skip
            torch.testing.assert_close(torch.zeros(()) if a is None else a, torch.zeros(()) if b is None else b)


@pytest.mark.parametrize("shape", [(5, 3), (2, 5, 3), (1, 2, 3, 2, 4), (1, 2, 2, 2, 2, 4)])
def test_merging_takes_any_rank_and_no_order_matters(shape: tuple[int, ...]) -> None:
    outputs, lses = parts(*shape)
    out, lse = merge_attentions(outputs, lses)
    again, lse_again = merge_attentions(outputs[::-1], lses[::-1])
    torch.testing.assert_close(out, again)
    torch.testing.assert_close(lse, lse_again)
    torch.testing.assert_close(lse, torch.stack(lses).logsumexp(0))


def test_merging_counts_in_float32_and_keeps_the_type() -> None:
    outputs, lses = parts(3, 2, 4, count=2, dtype=torch.float32)
    halves = [output.bfloat16() for output in outputs]
    out, lse = merge_attentions(halves, lses)
    assert (out.dtype, lse.dtype) == (torch.bfloat16, torch.float32)
    exact, _ = merge_attentions([half.double() for half in halves], [lse.double() for lse in lses])
    assert torch.equal(out, exact.bfloat16())


def test_parts_that_a_query_saw_nothing_of() -> None:
    outputs, lses = parts(4, 1, 2, count=2)
    lses[0][0], lses[0][1], lses[1][1], lses[1][2] = -torch.inf, -torch.inf, -torch.inf, 200.0
    leaves = [tensor.requires_grad_() for tensor in (*outputs, *lses)]
    out, lse = merge_attentions(leaves[:2], leaves[2:])
    torch.testing.assert_close(out[0], outputs[1][0])
    assert torch.equal(out[1], torch.zeros_like(out[1]))
    assert lse[1].item() == -torch.inf
    torch.testing.assert_close(out[2], outputs[1][2])
    for gradient in torch.autograd.grad(out.sum() + lse[[0, 2, 3]].sum(), leaves):
        assert gradient.isfinite().all()


@pytest.mark.parametrize(
    ("change", "error", "words"),
    [
        (lambda o, lse: (o[:1], lse[:1]), ValueError, "two or more"),
        (lambda o, lse: (o, lse[:2]), ValueError, "as many logsumexps"),
        (lambda o, lse: ([o[0], o[1][:1], o[2]], lse), ValueError, "one shape"),
        (lambda o, lse: (o, [lse[0], lse[1][..., None], lse[2]]), ValueError, "logsumexps"),
        (lambda o, lse: ([o[0], o[1].float(), o[2]], lse), TypeError, "one type"),
    ],
)
def test_parts_that_do_not_fit(change, error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        merge_attentions(*change(*parts(2, 2, 4)))

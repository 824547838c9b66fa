"""The public functions under a compiler that knows no sizes, and on the meta device."""

from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor
from torch._dynamo.testing import CompileCounter

from foveate.kernels import (
    dynamic_neighborhood,
    large_depthwise,
    merge_attentions,
    na2d,
    neighborhood_attention,
    routed_attention,
)


def neighborhood(x: Tensor) -> Tensor:
    out = neighborhood_attention(x, x, x, 3)
    assert isinstance(out, Tensor)
    return out


def dynamic(x: Tensor) -> Tensor:
    value = x.permute(0, 4, 3, 1, 2).unflatten(1, (2, 1, 4)).flatten(3, 4)
    logits = value[:, 0, :, :1].expand(-1, -1, 34, -1, -1)
    return dynamic_neighborhood(logits, value, 3, 5)


def depthwise(x: Tensor) -> Tensor:
    return large_depthwise(x.flatten(3).permute(0, 3, 1, 2), torch.ones(16, 1, 9, 9).to(x.device))


def routed(x: Tensor) -> Tensor:
    out = routed_attention(x, x, x, 2, 2)
    assert isinstance(out, Tensor)
    return out


@pytest.mark.parametrize("function", [neighborhood, dynamic, depthwise])
def test_two_graphs_do_for_all_sizes(function: Callable[[Tensor], Tensor]) -> None:
    torch.compiler.reset()
    counter = CompileCounter()
    compiled = torch.compile(function, fullgraph=True, backend=counter, dynamic=True)
    for grid in ((9, 8), (11, 12), (13, 7), (10, 10), (24, 9), (8, 31)):
        x = torch.randn(2, *grid, 2, 8)
        torch.testing.assert_close(compiled(x), function(x))
    assert counter.frame_count <= 2


@pytest.mark.parametrize("function", [neighborhood, dynamic, depthwise, routed])
def test_shapes_are_known_without_numbers(function: Callable[[Tensor], Tensor]) -> None:
    x = torch.randn(2, 8, 12, 2, 8)
    assert function(x.to("meta")).shape == function(x).shape


def test_whole_numbers_of_other_libraries() -> None:
    x = torch.randn(1, 6, 7, 2, 8)
    found = neighborhood_attention(x, x, x, np.int64(3), dilation=(torch.tensor(2), 1))  # type: ignore[arg-type]
    torch.testing.assert_close(found, neighborhood_attention(x, x, x, 3, dilation=(2, 1)))
    with pytest.raises(TypeError, match="window must be a whole number"):
        neighborhood_attention(x, x, x, torch.tensor(3.0))  # type: ignore[arg-type]


def test_large_depthwise_refuses_what_its_siblings_refuse() -> None:
    x, kernel = torch.randn(1, 2, 12, 12), torch.randn(2, 1, 9, 9)
    with pytest.raises(ValueError, match="must be on one device, got cpu, meta: move them"):
        large_depthwise(x, kernel.to("meta"))
    with pytest.raises(TypeError, match=r"floating-point tensors, got torch\.int64, torch\.int64"):
        large_depthwise(x.long(), kernel.long())
    with pytest.raises(TypeError, match=r"floating-point tensors, got torch\.float32, NoneType"):
        large_depthwise(x, None)  # type: ignore[arg-type]


def test_autocast_casts_before_types_are_compared() -> None:
    logits, value = torch.randn(1, 2, 34, 6, 6), torch.randn(1, 2, 2, 4, 6, 6, dtype=torch.bfloat16)
    with torch.autocast("cpu", torch.bfloat16):
        assert dynamic_neighborhood(logits, value, 3, 5).dtype == torch.bfloat16


class Attends(torch.nn.Module):
    """Calls one public function."""

    def __init__(self, function: Callable[..., Tensor], *rest: int) -> None:
        super().__init__()
        self.function, self.rest = function, rest

    def forward(self, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        return self.function(q, k, v, *self.rest) * 2


@pytest.mark.parametrize(("function", "rest"), [(neighborhood_attention, (3,)), (routed_attention, (2, 2))])
def test_fx_records_one_call(function: Callable[..., Tensor], rest: tuple[int, ...]) -> None:
    module = Attends(function, *rest)
    traced = torch.fx.symbolic_trace(module)
    assert next(node.target for node in traced.graph.nodes if node.op == "call_function") is function
    q, k, v = torch.randn(3, 2, 6, 8, 2, 8)
    assert torch.equal(traced(q, k, v), module(q, k, v))


@pytest.mark.parametrize("function", [dynamic, depthwise])
def test_fx_traces_other_operators(function: Callable[[Tensor], Tensor]) -> None:
    x = torch.randn(2, 8, 12, 2, 8)
    assert torch.equal(torch.fx.symbolic_trace(function)(x), function(x))


X = torch.randn(1, 6, 7, 2, 8)
WRONG: dict[str, tuple[type[Exception], str, Callable[[], object]]] = {
    "bias": (TypeError, "rel_pos_bias must be a tensor", lambda: neighborhood_attention(X, X, X, 3, rel_pos_bias=[1])),
    "scale": (ValueError, "scale must be a positive", lambda: neighborhood_attention(X, X, X, 3, scale=True)),
    "channels": (ValueError, "one channel or more", lambda: neighborhood_attention(*[X[..., :0]] * 3, 3)),
    "query": (TypeError, "na2d takes a query that is a tensor, got NoneType", lambda: na2d(None, X, X, 3)),
    "parts": (TypeError, "must be lists of tensors, got NoneType", lambda: merge_attentions(None, None)),
    "numbers": (TypeError, "must be tensors, got int, int", lambda: merge_attentions([1, 2], [X, X])),
}  # fmt: skip


@pytest.mark.parametrize("name", WRONG)
def test_wrong_arguments_are_one_sentence(name: str) -> None:
    kind, message, call = WRONG[name]
    with pytest.raises(kind, match=message) as caught:
        call()
    assert "\n" not in str(caught.value)

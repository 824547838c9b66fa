"""Routing: parts that stand alone, what published regional attention answers, and arguments that cannot be."""

import itertools
from collections.abc import Callable

import pytest
import torch

from foveate.kernels.dispatch import triton_missing
from foveate.kernels.routing.op import block_sparse_attention, routed_attention
from foveate.kernels.routing.problem import BlockGrid, from_blocks, to_blocks
from foveate.kernels.routing.regions import region_means

DEVICE = torch.device("cuda" if torch.cuda.is_available() else "cpu")
needs_triton = pytest.mark.skipif(
    bool(triton_missing(DEVICE, torch.float32)), reason=triton_missing(DEVICE, torch.float32) or "it runs"
)


def test_means_of_short_regions() -> None:
    tokens = torch.randn(2, 7, 5, 2, 3)
    means = region_means(tokens, BlockGrid((7, 5), (3, 2)))
    boxes = itertools.product((slice(0, 3), slice(3, 6), slice(6, 7)), (slice(0, 2), slice(2, 4), slice(4, 5)))
    torch.testing.assert_close(means, torch.stack([tokens[:, a, b].mean((1, 2)).flatten(1) for a, b in boxes], 1))


def test_blocks_come_back() -> None:
    tokens = torch.randn(2, 3, 7, 5, 2, 3)
    grid = BlockGrid((3, 7, 5), (2, 3, 2))
    blocks = to_blocks(tokens, grid)
    assert blocks.shape == (2, 2, 18, 12, 3)
    assert torch.equal(from_blocks(blocks, grid), tokens)


@pytest.mark.parametrize("backend", ["reference", "cpu", pytest.param("triton", marks=needs_triton)])
def test_published_regional_attention(backend: str, golden) -> None:
    spec, wanted = golden.load("ops/rrsda_16x12"), golden.outputs("ops/rrsda_16x12")
    names = ("q", "k", "v")
    items = slice(0, 1) if backend == "triton" else slice(None)  # its interpreter takes seconds
    maps = [golden.make_input(spec, name)[items].to(DEVICE).requires_grad_() for name in names]
    tokens = [t.permute(0, 2, 3, 1).unflatten(-1, (2, -1)) for t in maps]
    score = golden.make_input(spec, "score")[items].to(DEVICE)
    by_logits = routed_attention(*tokens, (4, 4), 3, scale=0.25, routing=score, backend=backend)
    index = score.topk(3).indices
    out = block_sparse_attention(*tokens, index, block_size=(4, 3), scale=0.25, backend=backend)
    torch.testing.assert_close(by_logits, out)
    out = out.flatten(-2).permute(0, 3, 1, 2)
    (out * golden.make_input(spec, "probe")[items].to(DEVICE)).sum().backward()
    for ours, name in [(out, "out"), *zip((t.grad for t in maps), ("grad_q", "grad_k", "grad_v"), strict=True)]:
        assert (ours.cpu() - wanted[name][items]).abs().max() <= 2e-5


def test_autocast_decides_the_type() -> None:
    query, key, value = torch.randn(3, 1, 8, 1, 4).unbind(0)
    with torch.autocast("cpu", torch.bfloat16):
        assert routed_attention(query, key, value, 2, 1).dtype == torch.bfloat16
    with torch.autocast("cpu", torch.bfloat16, enabled=False):
        assert routed_attention(query, key, value, 2, 1).dtype == torch.float32


Q = torch.randn(2, 6, 4, 4, 8)
INDEX = torch.zeros(2, 1, 6, 2, dtype=torch.long)
BAD: dict[str, tuple[type[Exception], str, Callable[[], object]]] = {
    "neither": (ValueError, "exactly one", lambda: block_sparse_attention(Q, Q, Q, block_size=2)),
    "size": (ValueError, "at least 1", lambda: block_sparse_attention(Q, Q, Q, INDEX, block_size=0)),
    "size_type": (TypeError, "whole number", lambda: block_sparse_attention(Q, Q, Q, INDEX, block_size=2.0)),
    "size_count": (ValueError, "one for each axis", lambda: block_sparse_attention(Q, Q, Q, INDEX, block_size=(2,))),
    "blocks": (ValueError, "for this grid", lambda: block_sparse_attention(Q, Q, Q, INDEX, block_size=3)),
    "range": (ValueError, "between -1 and 5", lambda: block_sparse_attention(Q, Q, Q, INDEX + 6, block_size=2)),
    "float": (TypeError, "integers", lambda: block_sparse_attention(Q, Q, Q, INDEX.float(), block_size=2)),
    "weight": (
        ValueError,
        "shape",
        lambda: block_sparse_attention(Q, Q, Q, INDEX, block_weight=torch.ones(2, 1, 6, 1), block_size=2),
    ),
    "mask": (
        ValueError,
        "block_mask",
        lambda: block_sparse_attention(Q, Q, Q, block_mask=torch.ones(2, 1, 6, 5, dtype=torch.bool), block_size=2),
    ),
    "mask_list": (TypeError, "got list", lambda: block_sparse_attention(Q, Q, Q, block_mask=[[True]], block_size=2)),
    "scale_text": (TypeError, "scale must be a number, got 'x'", lambda: routed_attention(Q, Q, Q, 2, 2, scale="x")),
    "routing_scale": (TypeError, "routing_scale must be", lambda: routed_attention(Q, Q, Q, 2, 2, routing_scale="x")),
    "mask_type": (TypeError, "boolean", lambda: block_sparse_attention(Q, Q, Q, block_mask=INDEX, block_size=2)),
    "rank": (ValueError, "1 to 3 axes", lambda: routed_attention(Q[:, 0, 0], Q[:, 0, 0], Q[:, 0, 0], 1, 1)),
    "heads": (ValueError, "divide", lambda: routed_attention(Q, Q[..., :3, :], Q[..., :3, :], 2, 1)),
    "few_heads": (ValueError, "as routing", lambda: routed_attention(Q, Q[..., :2, :], Q[..., :2, :], 2, 1)),
    "batch": (ValueError, "batch size", lambda: routed_attention(Q, Q[:1], Q[:1], 2, 1)),
    "grid": (ValueError, "grid and heads", lambda: routed_attention(Q, Q, Q[:, :2], 2, 1)),
    "dtype": (TypeError, "one dtype", lambda: routed_attention(Q, Q, Q.double(), 2, 1)),
    "integers": (TypeError, "floating-point", lambda: routed_attention(Q.int(), Q, Q, 2, 1)),
    "regions": (ValueError, "pad the grid", lambda: routed_attention(Q, Q, Q, 4, 1)),
    "topk": (ValueError, "between 1 and the 4", lambda: routed_attention(Q, Q, Q, 2, 5)),
    "topk_type": (TypeError, "topk", lambda: routed_attention(Q, Q, Q, 2, 1.0)),
    "routing": (ValueError, "routing must be", lambda: routed_attention(Q, Q, Q, 2, 1, routing=torch.ones(2, 4, 5))),
    "scale": (ValueError, "positive", lambda: routed_attention(Q, Q, Q, 2, 1, scale=-1.0)),
    "backend": (ValueError, "backend must be", lambda: routed_attention(Q, Q, Q, 2, 1, backend="cuda")),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_arguments_are_named(name: str) -> None:
    kind, words, call = BAD[name]
    with pytest.raises(kind, match=words):
        call()


@needs_triton
def test_triton_says_what_it_cannot() -> None:
    with pytest.raises(RuntimeError, match="float64"):
        routed_attention(Q.double(), Q.double(), Q.double(), 2, 1, backend="triton")
    wide = torch.randn(1, 4, 1, 300, device=DEVICE)
    with pytest.raises(RuntimeError, match="256 channels"):
        routed_attention(wide, wide, wide, 2, 1, backend="triton")

"""What other libraries do for the same window, or for dense attention over the same grid."""

import itertools
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from importlib import import_module
from importlib.util import find_spec
from math import prod

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.nn.attention import SDPBackend, sdpa_kernel

from foveate.kernels.window import Axis, spans, visible

Attend = Callable[[Tensor, Tensor, Tensor], Tensor]


@dataclass(frozen=True)
class Call:
    """What a contender gets to know before it sees tensors.

    Args:
        batch: Items.
        axes: Windows along each axis.
        heads: Heads.
        dim: Channels of a head.
    """

    batch: int
    axes: tuple[Axis, ...]
    heads: int
    dim: int

    @property
    def tokens(self) -> int:
        """Tokens of an item."""
        return prod(axis.length for axis in self.axes)

    @property
    def pairs(self) -> int:
        """Pairs of a query and a key that it sees, of one item and head."""
        return prod(int((last - first + 1).sum()) for _, _, first, last in map(spans, self.axes))


@dataclass(frozen=True)
class Contender:
    """Somebody to time.

    Args:
        name: What to call it.
        make: Gets it ready; returns a function of query, key and value (batch, *spatial, heads, dim).
        exact: Whether it answers the same question, so that answers can be compared.
        bytes_needed: How much memory it needs beside its inputs, when that can be too much.
    """

    name: str
    make: Callable[[], Attend]
    exact: bool
    bytes_needed: Callable[[Call], int] | None = None


# Dense attention knows no windows: it is what a window has to beat.
_DENSE = {
    "sdpa-cudnn": SDPBackend.CUDNN_ATTENTION,
    "sdpa-flash": SDPBackend.FLASH_ATTENTION,
    "sdpa-efficient": SDPBackend.EFFICIENT_ATTENTION,
    "sdpa-math": SDPBackend.MATH,
}
_NATTEN = {"natten-hopper": "hopper-fna", "natten-cutlass": "cutlass-fna"}
PEERS = (*_DENSE, *_NATTEN, "flex", "flex-kernel")


def peers_of(call: Call, device: torch.device, quick: bool) -> list[Contender]:
    """List the peers of one case.

    Args:
        call: The case.
        device: Where it runs.
        quick: Leave out those that have to be compiled first.

    Returns:
        Peers, whether or not they can run: asked for their function they raise an error that says why they cannot.
    """
    dense = all(axis.is_dense for axis in call.axes)
    found = [
        Contender(
            name, partial(_dense, call, device, backend), dense, _score_bytes if backend == SDPBackend.MATH else None
        )
        for name, backend in _DENSE.items()
    ]
    if device.type == "cuda":
        found += [Contender(name, partial(_natten, call, backend), True) for name, backend in _NATTEN.items()]
    if not quick:
        flex = _Flex(call, device)
        found += [Contender("flex", flex.make, True), Contender("flex-kernel", flex.make_without_permutation, False)]
    return found


def _score_bytes(call: Call) -> int:
    return 3 * 4 * call.batch * call.heads * call.tokens**2


def _dense(call: Call, device: torch.device, backend: SDPBackend) -> Attend:
    work = 4 * call.batch * call.heads * call.tokens**2 * call.dim
    if work > (3e14 if device.type == "cuda" else 3e12):
        raise RuntimeError(
            f"dense attention over {call.tokens} tokens takes {work / 1e12:.0f} TFLOP: too long to wait for"
        )

    def attend(query: Tensor, key: Tensor, value: Tensor) -> Tensor:
        rank = len(call.axes)
        q, k, v = (tensor.flatten(1, rank).transpose(1, 2) for tensor in (query, key, value))
        with sdpa_kernel(backend):
            out = F.scaled_dot_product_attention(q, k, v)
        return out.transpose(1, 2).reshape(query.shape)

    return attend


def natten_version() -> str | None:
    """Return NATTEN's version; None when it is not installed, or cannot be imported."""
    if find_spec("natten") is None:
        return None
    try:
        return str(import_module("natten").__version__)
    except (ImportError, OSError, RuntimeError):
        return None


def _natten(call: Call, backend: str) -> Attend:
    if natten_version() is None:
        raise RuntimeError("natten is not installed, or cannot be imported")
    natten = import_module("natten")
    if not getattr(natten, "HAS_LIBNATTEN", False):
        raise RuntimeError("this natten was built without its kernels")
    function = getattr(natten, f"na{len(call.axes)}d")
    keywords = {
        "kernel_size": tuple(axis.window for axis in call.axes),
        "stride": tuple(axis.stride for axis in call.axes),
        "dilation": tuple(axis.dilation for axis in call.axes),
        "backend": backend,
    }
    return lambda query, key, value: function(query, key, value, **keywords)


class _Flex:
    """Compiled FlexAttention over tokens that are put in the order of multi-dimensional tiles first.

    One block of its mask is one tile; which blocks are visited, and which need no mask, is known for each axis alone.
    """

    def __init__(self, call: Call, device: torch.device) -> None:
        self.call, self.device = call, device
        self.axes = [axis.of_class(0) for axis in call.axes]
        self.tile = {1: (64,), 2: (8, 8), 3: (4, 4, 4)}[len(call.axes)]
        self.counts = [-(-axis.length // t) for axis, t in zip(self.axes, self.tile, strict=True)]
        self.compiled: Attend | None = None

    def make(self) -> Attend:
        """Attend, permutation included."""
        attend = self._compile()

        def permuted(query: Tensor, key: Tensor, value: Tensor) -> Tensor:
            out = attend(*(self.permute(tensor) for tensor in (query, key, value)))
            return self.restore(out, query.shape)

        return permuted

    def make_without_permutation(self) -> Attend:
        """Attend over tokens as if they lay in the order of tiles already: the time is right, the answer is not."""
        attend = self._compile()
        size = (self.call.batch * prod(axis.dilation for axis in self.call.axes), -1, self.call.heads, self.call.dim)
        padded = prod(self.counts) * prod(self.tile)
        if padded * size[0] != self.call.batch * self.call.tokens:
            raise RuntimeError("the grid is no multiple of the tile, so tokens cannot lie in the order of tiles")

        def in_place(query: Tensor, key: Tensor, value: Tensor) -> Tensor:
            out = attend(*(tensor.reshape(size).transpose(1, 2) for tensor in (query, key, value)))
            return out.transpose(1, 2).reshape(query.shape)

        return in_place

    def _compile(self) -> Attend:
        if any(axis.length % axis.dilation for axis in self.call.axes):
            raise RuntimeError("this peer folds dilation into the batch, so dilation has to divide the axis")
        if self.compiled is None:
            from torch.nn.attention.flex_attention import flex_attention

            torch._dynamo.reset()
            options = {"BLOCK_M": 64, "BLOCK_N": 64, "BLOCK_M1": 32, "BLOCK_N1": 64, "BLOCK_M2": 64, "BLOCK_N2": 32}
            self.compiled = partial(
                torch.compile(flex_attention, dynamic=False),
                block_mask=self.block_mask(),
                kernel_options=options if self.device.type == "cuda" else None,
            )
        return self.compiled

    def block_mask(self) -> "torch.nn.attention.flex_attention.BlockMask":
        """Say which tiles each tile of queries visits."""
        from torch.nn.attention.flex_attention import BlockMask

        visited, full = (torch.ones(1, 1, dtype=torch.int32) for _ in range(2))
        for axis, size, count in zip(self.axes, self.tile, self.counts, strict=True):
            starts = [i * size for i in range(count)]
            reach = torch.tensor([visible(axis, start, min(start + size, axis.length)) for start in starts])
            low, high, inner_low, inner_high = (column[:, None] for column in reach.unbind(1))
            begin = torch.tensor(starts)[None]
            visited = torch.kron(visited, ((begin < high) & (begin + size > low)).int())
            full = torch.kron(full, ((begin >= inner_low) & (begin + size <= inner_high)).int())
        some, whole = (_block_list(mask, self.device) for mask in (visited - full, full))
        size = prod(self.tile)
        return BlockMask.from_kv_blocks(*some, *whole, BLOCK_SIZE=(size, size), mask_mod=self._is_seen)

    def _is_seen(self, batch: Tensor, head: Tensor, query: Tensor, key: Tensor) -> Tensor:
        seen = None
        for axis, p, t in zip(self.axes, self._coordinates(query), self._coordinates(key), strict=True):
            p = p.clamp(max=axis.length - 1)
            leader = (p // axis.stride * axis.stride + axis.stride // 2).clamp(max=axis.length - 1)
            first = (leader - axis.window // 2).clamp(0, axis.length - axis.window)
            here = (t >= first) & (t < first + axis.window)
            seen = here if seen is None else seen & here
        return torch.ones_like(query, dtype=torch.bool) if seen is None else seen

    def _coordinates(self, number: Tensor) -> list[Tensor]:
        block, inside = number // prod(self.tile), number % prod(self.tile)
        found = []
        for size, count in zip(reversed(self.tile), reversed(self.counts), strict=True):
            found.append(block % count * size + inside % size)
            block, inside = block // count, inside // size
        return found[::-1]

    def permute(self, x: Tensor) -> Tensor:
        """Order tokens by tiles: (batch, *spatial, heads, dim) to (batch * classes, heads, tiles * tile, dim)."""
        rank, (batch, heads, dim) = len(self.axes), (x.shape[0], *x.shape[-2:])
        dilation = [axis.dilation for axis in self.call.axes]
        x = x.reshape(
            batch, *itertools.chain(*zip([axis.length for axis in self.axes], dilation, strict=True)), heads, dim
        )
        x = x.permute(0, *range(2, 2 * rank + 1, 2), *range(1, 2 * rank, 2), -2, -1).flatten(0, rank)
        pads = [n * t - axis.length for n, t, axis in zip(self.counts, self.tile, self.axes, strict=True)]
        if any(pads):
            x = F.pad(x, [0, 0, 0, 0, *itertools.chain(*((0, pad) for pad in reversed(pads)))])
        x = x.reshape(-1, *itertools.chain(*zip(self.counts, self.tile, strict=True)), heads, dim)
        order = (0, x.ndim - 2, *range(1, 2 * rank, 2), *range(2, 2 * rank + 1, 2), x.ndim - 1)
        return x.permute(order).flatten(2, -2)

    def restore(self, x: Tensor, shape: torch.Size) -> Tensor:
        """Undo ``permute``."""
        rank, heads, dim = len(self.axes), shape[-2], shape[-1]
        x = x.unflatten(2, (*self.counts, *self.tile))
        x = x.permute(0, *itertools.chain(*((2 + i, 2 + rank + i) for i in range(rank))), 1, x.ndim - 1)
        x = x.reshape(-1, *(n * t for n, t in zip(self.counts, self.tile, strict=True)), heads, dim)
        kept = (slice(None), *(slice(axis.length) for axis in self.axes))
        x = x[kept]
        dilation = [axis.dilation for axis in self.call.axes]
        x = x.reshape(shape[0], *dilation, *(axis.length for axis in self.axes), heads, dim)
        order = (0, *itertools.chain(*((1 + rank + i, 1 + i) for i in range(rank))), x.ndim - 2, x.ndim - 1)
        return x.permute(order).reshape(shape)


def _block_list(mask: Tensor, device: torch.device) -> tuple[Tensor, Tensor]:
    """Turn a mask of tiles into how many each row visits, and which ones come first."""
    mask = mask.to(device)
    order = mask.to(torch.int8).argsort(dim=-1, descending=True, stable=True)
    return mask.sum(-1, dtype=torch.int32)[None, None], order.int()[None, None]

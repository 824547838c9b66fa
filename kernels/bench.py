"""Time neighborhood attention on this machine, and what others do for the same window, shape by shape."""

import platform
import re
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from importlib import import_module
from typing import Any, cast

import torch
from torch import Tensor

from foveate.kernels.bench_cases import BOTH, FORWARD, Shape, timed
from foveate.kernels.bench_peers import Attend, Call, Contender, natten_version, peers_of
from foveate.kernels.neighborhood import op, reference
from foveate.kernels.neighborhood.problem import Inputs

BACKENDS = tuple(backend.name for backend in op.BACKENDS)


@dataclass(frozen=True)
class Row:
    """One measurement, or the reason why there is none.

    Args:
        name: Backend or peer.
        work: forward, or forward+backward.
        milliseconds: Median time; None when it did not run.
        fastest: Shortest time, also in milliseconds: the better measure on a machine that others use too.
        tflops: Useful operations at the median time, in 1e12 a second: 4 for each channel and visible pair, and 2.5
            times as many backward.
        error: Largest absolute difference to the oracle in float64, of the output, or of the gradients; on as many
            heads of the first item as fit into memory. None when not compared: dense attention answers otherwise.
        reason: Why it did not run.
    """

    name: str
    work: str
    milliseconds: float | None = None
    fastest: float | None = None
    tflops: float | None = None
    error: float | None = None
    reason: str = ""

    def to_dict(self) -> dict[str, Any]:
        """Return the fields."""
        return asdict(self)


def contenders(shape: Shape, device: torch.device, *, quick: bool = False, only: Sequence[str] = ()) -> list[Contender]:
    """List who can be timed.

    Args:
        shape: The case.
        device: Where.
        quick: Leave out what has to be compiled first for long.
        only: Names to keep; all by default.

    Returns:
        Backends of this package, then peers.
    """
    ours = [Contender(name, partial(_ours, shape, name), True, _reference_bytes if name == "reference" else None)
            for name in BACKENDS]  # fmt: skip
    found = ours + peers_of(shape.call(), device, quick)
    return [contender for contender in found if not only or contender.name in only]


def _ours(shape: Shape, backend: str) -> Attend:
    def attend(query: Tensor, key: Tensor, value: Tensor) -> Tensor:
        out = op.neighborhood_attention(
            query, key, value, shape.window, stride=shape.stride, dilation=shape.dilation, backend=backend
        )
        return cast(Tensor, out)

    return attend


def _reference_bytes(call: Call) -> int:
    """Gathered keys and values, and some arrays of scores, in float32."""
    return call.batch * call.heads * call.pairs * (2 * call.dim + 3) * 4


def measure(
    shape: Shape, device: torch.device, dtype: torch.dtype, *, backward: bool, quick: bool, only: Sequence[str] = ()
) -> Iterator[Row]:
    """Time everybody on one shape.

    Args:
        shape: The case.
        device: Where.
        dtype: Of the tensors.
        backward: Time forward and backward together, too.
        quick: Measure for a shorter time, and leave out what has to be compiled first for long.
        only: Names of backends and peers to time; all by default.

    Yields:
        One row for each contender and kind of work, as soon as it is known.
    """
    call = shape.call()
    generator = torch.Generator(device).manual_seed(0)
    size = (shape.batch, *shape.spatial, shape.heads, shape.dim)
    inputs = [torch.randn(size, generator=generator, device=device, dtype=dtype) for _ in range(3)]
    weights = torch.randn(size, generator=generator, device=device, dtype=dtype)
    oracle = _Oracle(call, inputs, weights)
    for contender in contenders(shape, device, quick=quick, only=only):
        for work in (FORWARD, BOTH) if backward else (FORWARD,):
            row = _row(contender, call, inputs, weights, work, 0.02 if quick else 0.25, oracle)
            yield row
            if row.milliseconds is None:
                break


def _row(
    contender: Contender,
    call: Call,
    inputs: list[Tensor],
    weights: Tensor,
    work: str,
    seconds: float,
    oracle: "_Oracle",
) -> Row:
    device, gradient = inputs[0].device, work == BOTH
    try:
        reason = _too_large(contender, call, device, gradient)
        if reason:
            return Row(contender.name, work, reason=reason)
        attend = contender.make()
        leaves = [tensor.detach().requires_grad_(gradient) for tensor in inputs]

        def run() -> tuple[Tensor, ...]:
            out = attend(*leaves)
            return torch.autograd.grad(out, leaves, weights) if gradient else (out,)

        with torch.set_grad_enabled(gradient):
            error = oracle.error(run(), gradient) if contender.exact else None
            times = timed(run, device, seconds)
    # A peer can fail in ways of its own, such as an error of a compiler; it is a line of the table then.
    except Exception as failure:
        if device.type == "cuda":
            torch.cuda.empty_cache()
        words = str(failure).strip().splitlines() or [type(failure).__name__]
        # Of our own sentence about a backend, only the reason is news beside the backend's name.
        reason = re.sub(r"^backend '.*' cannot run this: (.*); leave backend out.*$", r"\1", words[0])
        return Row(contender.name, work, reason=reason[:200])
    useful = 4 * call.batch * call.heads * call.pairs * call.dim * (3.5 if gradient else 1)
    return Row(contender.name, work, times.median, times.fastest, useful / times.median / 1e9, error)


def _too_large(contender: Contender, call: Call, device: torch.device, gradient: bool) -> str:
    if contender.bytes_needed is None:
        return ""
    needed = contender.bytes_needed(call) * (2 if gradient else 1)
    room = _room(device)
    return f"needs about {needed / 1e9:.1f} GB, and {room / 1e9:.1f} GB are set aside for it" if needed > room else ""


def _room(device: torch.device) -> int:
    return torch.cuda.mem_get_info(device)[0] // 2 if device.type == "cuda" else 2 << 30


class _Oracle:
    """The right answer in float64, worked out once, for as many heads of the first item as fit."""

    def __init__(self, call: Call, inputs: list[Tensor], weights: Tensor) -> None:
        self.call, self.inputs, self.weights = call, inputs, weights
        one_head = call.pairs * (2 * call.dim + 3) * 8 * 2
        self.heads = min(call.heads, _room(inputs[0].device) // max(one_head, 1))
        self.answers: dict[bool, list[Tensor]] = {}

    def error(self, found: tuple[Tensor, ...], gradient: bool) -> float | None:
        """Compare an output, or the gradients of query, key and value."""
        if self.heads == 0:
            return None
        if gradient not in self.answers:
            self.answers[gradient] = self._answer(gradient)
        pairs = zip(found, self.answers[gradient], strict=True)
        return max((self._part(ours).double() - right).abs().max().item() for ours, right in pairs)

    def _part(self, tensor: Tensor) -> Tensor:
        return tensor.detach()[:1, ..., : self.heads, :]

    def _answer(self, gradient: bool) -> list[Tensor]:
        leaves = [self._part(tensor).double().requires_grad_(gradient) for tensor in self.inputs]
        out, _ = reference.forward(Inputs(*leaves), self.call.axes, self.call.dim**-0.5)
        if not gradient:
            return [out]
        return list(torch.autograd.grad(out, leaves, self._part(self.weights).double()))


def versions() -> dict[str, str | None]:
    """Return the versions of what takes part: Python, torch, CUDA, triton, natten; None for what is not there."""
    try:
        triton_version = str(import_module("triton").__version__)
    except ImportError:
        triton_version = None
    return {
        "python": platform.python_version(),
        "torch": str(torch.__version__),
        "cuda": torch.version.cuda,
        "triton": triton_version,
        "natten": natten_version(),
    }

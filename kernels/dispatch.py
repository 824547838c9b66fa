"""Which backend answers, and why another one cannot.

A backend of an operator is a module that holds functions on tensors; here it is a name and a question. The question
gets the operator's own description of a call and answers with a reason, or with an empty string when it can.
"""

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache, wraps
from importlib.util import find_spec
from typing import Any, Generic, TypeVar, cast

import torch
from torch import Tensor
from torch.overrides import handle_torch_function, has_torch_function

Problem = TypeVar("Problem")


@dataclass(frozen=True)
class Backend(Generic[Problem]):
    """One way to compute an operator.

    Args:
        name: What ``backend=`` calls it.
        can_run: Takes the description of a call; returns the reason why it cannot run, or an empty string.
    """

    name: str
    can_run: Callable[[Problem], str]


def pick(backends: Sequence[Backend[Problem]], problem: Problem, wanted: str | None) -> str:
    """Choose a backend.

    Args:
        backends: All backends of the operator, the best first.
        problem: Description of the call.
        wanted: Name that the caller asks for; None takes the first that can run.

    Returns:
        The name.

    Raises:
        ValueError: There is no backend of that name.
        RuntimeError: The backend asked for cannot run this call, or none can.
    """
    names = ", ".join(backend.name for backend in backends)
    if wanted is not None:
        for backend in backends:
            if backend.name == wanted:
                reason = backend.can_run(problem)
                if reason:
                    raise RuntimeError(
                        f"backend {wanted!r} cannot run this: {reason}; leave backend out to have one chosen"
                    )
                return wanted
        raise ValueError(f"backend must be one of {names} or None, got {wanted!r}")
    reasons = []
    for backend in backends:
        slow = backend.name == "triton" and triton_interpreted()
        reason = "Triton's interpreter is for tests only" if slow else backend.can_run(problem)
        if not reason:
            return backend.name
        reasons.append(f"{backend.name}: {reason}")
    raise RuntimeError(f"no backend can run this ({'; '.join(reasons)})")


@lru_cache(maxsize=1)
def triton_interpreted() -> bool:
    """Tell whether Triton kernels run in its interpreter, on a CPU (``TRITON_INTERPRET=1``, read once)."""
    return os.environ.get("TRITON_INTERPRET", "0").lower() in ("1", "true", "on", "yes")


@lru_cache(maxsize=256)
def triton_missing(device: torch.device, dtype: torch.dtype) -> str:
    """Say why a Triton kernel cannot run on tensors like these.

    Args:
        device: Where the tensors are.
        dtype: Their type.

    Returns:
        The reason, or an empty string.
    """
    if dtype not in (torch.float16, torch.bfloat16, torch.float32):
        return f"Triton kernels take float16, bfloat16 and float32, got {dtype}"
    if find_spec("triton") is None:
        return "triton is not installed"
    if triton_interpreted():
        return "Triton's interpreter gets bfloat16 wrong" if dtype == torch.bfloat16 else ""
    if device.type != "cuda":
        return f"Triton kernels need a CUDA device, got tensors on {device.type}"
    if _capability(device.index or 0) < (8, 0):
        return "Triton kernels need a GPU of compute capability 8.0 (Ampere) or newer"
    return ""


Function = TypeVar("Function", bound=Callable[..., Any])


def overridable(function: Function) -> Function:
    """Let arguments that stand for tensors answer for a function: ``torch.fx`` then records one call of it.

    Args:
        function: Takes tensors first.

    Returns:
        The function, which asks ``__torch_function__`` of its arguments as torch's own do.
    """

    @wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        if has_torch_function(args) or (kwargs and has_torch_function(tuple(kwargs.values()))):
            return handle_torch_function(call, (*args, *kwargs.values()), *args, **kwargs)
        return function(*args, **kwargs)

    return cast(Function, call)


def autocast_dtype(device: torch.device) -> torch.dtype | None:
    """Say what autocast turns tensors into.

    Args:
        device: Where the tensors are.

    Returns:
        The type, or None where autocast is off or, as on the meta device, unknown.
    """
    if device.type == "meta" or not torch.is_autocast_enabled(device.type):
        return None
    return torch.get_autocast_dtype(device.type)


def is_plain_call(*tensors: Tensor | None) -> bool:
    """Tell whether nobody watches: no compiler, tracer, transform, mode or tensor subclass, nor the meta device.

    Then an operator may start its kernels without going through torch's registry, which costs more time than a small
    kernel does.

    Args:
        tensors: Arguments of the call; None counts as plain.

    Returns:
        True when that is certain.
    """
    if torch.compiler.is_compiling() or torch._C._get_tracing_state() is not None or _watchers() > 0:
        return False
    return all(t is None or (type(t) in _PLAIN and not t.is_meta and not _is_wrapped(t)) for t in tensors)


_PLAIN = (Tensor, torch.nn.Parameter)
# Both are internal to torch; a version without them counts as watched.
_watchers: Callable[[], int] = getattr(torch._C, "_len_torch_dispatch_stack", lambda: 1)
_is_wrapped: Callable[[Tensor], bool] = getattr(
    getattr(torch._C, "_functorch", None), "is_functorch_wrapped_tensor", lambda tensor: True
)


@lru_cache(maxsize=64)
def _capability(index: int) -> tuple[int, int]:
    return torch.cuda.get_device_capability(index)

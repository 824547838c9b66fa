"""Gradients of the keys and values that every query sees: one program for a tile of them and a run of queries.

A program with E extra tokens does 8 E dim operations for 4 dim bytes of each query (16 bit). Extra tokens are few, so
the queries are cut into runs to fill the device; every run has its own partial sums, which torch adds up in one order.
"""

# Kernels have no types that mypy knows.
# mypy: disallow-untyped-defs=False

from contextlib import AbstractContextManager, nullcontext
from functools import lru_cache
from itertools import pairwise
from math import prod
from typing import Any

import torch
import triton
import triton.language as tl
from torch import Tensor

from foveate.kernels.neighborhood.problem import Inputs
from foveate.kernels.window import Axis

# Programs that fill a device, and queries that are worth one.
_PROGRAMS, _FEWEST_QUERIES = 512, 1024


def extra_gradient(
    inputs: Inputs,
    lse: Tensor,
    delta: Tensor,
    d_out: Tensor,
    axes: tuple[Axis, ...],
    scale: float,
    runs: int | None = None,
) -> tuple[Tensor, Tensor]:
    """Compute the gradients of the extra keys and values.

    Args:
        inputs: The tensors of the call; extra keys and values are among them.
        lse: Its logsumexp (batch, *spatial, heads).
        delta: sum(out * d_out) - d_lse (batch, *spatial, heads), float32.
        d_out: Gradient of the output.
        axes: Windows along each axis.
        scale: Factor of the scores.
        runs: Into how many runs the queries are cut; None for what fills a device.

    Returns:
        Gradient of the extra keys (batch, tokens, heads_kv, dim), and of their values (batch, tokens, heads_kv, dim_v).

    Raises:
        ValueError: There are no extra keys or values.
    """
    extra_key, extra_value = inputs.extra_key, inputs.extra_value
    if extra_key is None or extra_value is None:
        raise ValueError("the gradient of extra keys needs a call with extra keys and values, got None")
    (query, q_strides), (d_out, g_strides) = (evenly_spaced(tensor, len(axes)) for tensor in (inputs.query, d_out))
    (extra_key, k_strides), (extra_value, v_strides) = (evenly_spaced(tensor, 1) for tensor in (extra_key, extra_value))
    batch, extra, kv_heads, dim = extra_key.shape
    heads, dim_v = query.shape[-2], extra_value.shape[-1]
    constants = _constants(extra, dim, dim_v, heads // kv_heads, query.dtype == torch.float32)
    tiles, tokens = triton.cdiv(extra, constants["BLOCK_E"]), prod(axis.length for axis in axes)
    if runs is None:
        runs = max(1, min(_PROGRAMS // max(1, batch * kv_heads * tiles), tokens // _FEWEST_QUERIES))
    length = triton.cdiv(triton.cdiv(tokens, runs), constants["BLOCK_N"]) * constants["BLOCK_N"]
    runs = triton.cdiv(tokens, length)
    d_key = torch.empty(runs, *extra_key.shape, dtype=torch.float32, device=query.device)
    d_value = torch.empty(runs, *extra_value.shape, dtype=torch.float32, device=query.device)
    if extra:
        with on_device(query.device):
            neighborhood_bwd_extra_kernel[(batch * kv_heads * tiles * runs,)](
                query, extra_key, extra_value, lse, delta, d_out, d_key, d_value,
                *q_strides, *k_strides, *v_strides, *g_strides,
                batch, kv_heads, tiles, extra, tokens, length, scale * 1.4426950408889634,
                **constants, **_options(constants),
            )  # fmt: skip
    return d_key.sum(0).to(extra_key.dtype), d_value.sum(0).to(extra_value.dtype)


def evenly_spaced(tensor: Tensor, rank: int) -> tuple[Tensor, tuple[int, int, int]]:
    """Copy a tensor unless its tokens are evenly spaced and its channels adjacent.

    Args:
        tensor: (batch, *spatial, heads, dim).
        rank: Spatial axes.

    Returns:
        The tensor or its copy, and the strides of its items, tokens and heads.
    """
    shape, stride = tensor.shape, tensor.stride()
    # An axis of length 1 is never stepped along, and its stride may be anything.
    long = [i for i in range(1, rank + 1) if shape[i] > 1]
    even = all(stride[i] == stride[j] * shape[j] for i, j in pairwise(long))
    if not even or stride[-1] != 1:
        tensor = tensor.clone(memory_format=torch.contiguous_format)
        stride = tensor.stride()
    return tensor, (stride[0], stride[long[-1]] if long else 0, stride[-2])


def on_device(device: torch.device) -> AbstractContextManager[object]:
    """Make a device current.

    Args:
        device: A CUDA device, or the CPU for the interpreter.

    Returns:
        What to enter.
    """
    return torch.cuda.device(device) if device.type == "cuda" else nullcontext()


def compile_cases() -> list[tuple]:
    """List what to compile without a device.

    Returns:
        Name, kernel, signature, constants and options of each case.
    """
    kernel, cases = neighborhood_bwd_extra_kernel, []
    for extra, dim, group in ((7, 32, 1), (77, 64, 1), (256, 128, 4), (16, 256, 1)):
        constants = _constants(extra, dim, dim, group, False)
        kinds = dict.fromkeys(("q_ptr", "extra_k_ptr", "extra_v_ptr", "d_out_ptr"), "*bf16")
        kinds |= dict.fromkeys(("lse_ptr", "delta_ptr", "d_k_ptr", "d_v_ptr"), "*fp32") | {"scale": "fp32"}
        signature = {n: "constexpr" if n in constants else kinds.get(n, "i32") for n in kernel.arg_names}
        cases.append((f"extra_{extra}_dim{dim}", kernel, signature, constants, _options(constants)))
    return cases


def _options(constants: dict[str, Any]) -> dict[str, int]:
    return {"num_warps": 8 if constants["BLOCK_E"] >= 64 or constants["BLOCK_D"] >= 128 else 4, "num_stages": 2}


@lru_cache(maxsize=256)
def _constants(extra: int, dim: int, dim_v: int, group: int, exact: bool) -> dict[str, Any]:
    wide = max(dim, dim_v)
    return {
        "BLOCK_E": min(64 if wide <= 64 else 32, max(16, triton.next_power_of_2(extra))),
        "BLOCK_N": 64 if wide <= 128 else 32,
        "DIM": dim,
        "DIM_V": dim_v,
        "BLOCK_D": max(16, triton.next_power_of_2(dim)),
        "BLOCK_DV": max(16, triton.next_power_of_2(dim_v)),
        "GROUP": group,
        "PRECISION": "ieee" if exact else "tf32",
    }


@triton.jit
def neighborhood_bwd_extra_kernel(
    q_ptr, extra_k_ptr, extra_v_ptr, lse_ptr, delta_ptr, d_out_ptr, d_k_ptr, d_v_ptr,
    q_batch, q_token, q_head, ek_batch, ek_token, ek_head, ev_batch, ev_token, ev_head, g_batch, g_token, g_head,
    items, kv_heads, tiles, extra, tokens, length, scale,
    BLOCK_E: tl.constexpr, BLOCK_N: tl.constexpr, DIM: tl.constexpr, DIM_V: tl.constexpr,
    BLOCK_D: tl.constexpr, BLOCK_DV: tl.constexpr, GROUP: tl.constexpr, PRECISION: tl.constexpr,
):  # fmt: skip
    """Sum the gradients of a tile of extra tokens over a run of queries and the heads of their group."""
    pid = tl.program_id(0)
    kv_head, tile = pid % kv_heads, pid // kv_heads % tiles
    batch = (pid // (kv_heads * tiles) % items).to(tl.int64)
    run = (pid // (kv_heads * tiles * items)).to(tl.int64)
    heads = kv_heads * GROUP
    e = tile * BLOCK_E + tl.arange(0, BLOCK_E)
    d, dv = tl.arange(0, BLOCK_D), tl.arange(0, BLOCK_DV)
    keep, keep_v = (e < extra)[:, None] & (d < DIM)[None, :], (e < extra)[:, None] & (dv < DIM_V)[None, :]
    k_at = extra_k_ptr + batch * ek_batch + kv_head * ek_head + e[:, None] * ek_token + d[None, :]
    v_at = extra_v_ptr + batch * ev_batch + kv_head * ev_head + e[:, None] * ev_token + dv[None, :]
    k, v = tl.load(k_at, mask=keep, other=0.0), tl.load(v_at, mask=keep_v, other=0.0)
    d_k, d_v = tl.zeros([BLOCK_E, BLOCK_D], tl.float32), tl.zeros([BLOCK_E, BLOCK_DV], tl.float32)
    for member in range(GROUP):
        head = kv_head * GROUP + member
        q_base, g_base = q_ptr + batch * q_batch + head * q_head, d_out_ptr + batch * g_batch + head * g_head
        lse_base, delta_base = lse_ptr + batch * tokens * heads + head, delta_ptr + batch * tokens * heads + head
        for start in range(0, length, BLOCK_N):
            row = run * length + start + tl.arange(0, BLOCK_N)
            there = row < tokens
            q_at, g_at = q_base + row[:, None] * q_token + d[None, :], g_base + row[:, None] * g_token + dv[None, :]
            q = tl.load(q_at, mask=there[:, None] & (d < DIM)[None, :], other=0.0)
            g = tl.load(g_at, mask=there[:, None] & (dv < DIM_V)[None, :], other=0.0)
            lse = tl.load(lse_base + row * heads, mask=there, other=0.0) * 1.4426950408889634
            delta = tl.load(delta_base + row * heads, mask=there, other=0.0)
            s = tl.dot(k, tl.trans(q), input_precision=PRECISION) * scale
            p = tl.where(there[None, :], tl.exp2(s - lse[None, :]), 0.0)
            d_v = tl.dot(p.to(g.dtype), g, acc=d_v, input_precision=PRECISION)
            slope = p * (tl.dot(v, tl.trans(g), input_precision=PRECISION) - delta[None, :])
            d_k = tl.dot(slope.to(q.dtype), q, acc=d_k, input_precision=PRECISION)
    o = ((run * items + batch) * extra + e) * kv_heads + kv_head
    tl.store(d_k_ptr + o[:, None] * DIM + d[None, :], d_k * (scale * 0.6931471805599453), mask=keep)
    tl.store(d_v_ptr + o[:, None] * DIM_V + dv[None, :], d_v, mask=keep_v)

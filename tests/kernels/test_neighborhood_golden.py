"""Neighborhood attention against answers of published implementations: NATTEN 0.21.7 and 0.17.5, gradients included."""

import re
from dataclasses import dataclass
from types import ModuleType

import pytest
import torch
from torch import Tensor

from foveate.kernels.dispatch import triton_missing
from foveate.kernels.neighborhood.op import neighborhood_attention
from foveate.kernels.window import Axis, spans

# gna: heads after the grid, or before it for those with a bias.
GNA = [
    "na1d_blocked_k8_s8_ragged", "na1d_causal_k10_s3_d2", "na1d_causal_k8", "na1d_even_k6", "na1d_full_causal",
    "na1d_k5_d3", "na1d_k7", "na1d_k8_s3_even", "na1d_k9_s4", "na1d_mqa", "na2d_addkv7", "na2d_blocked_k8_s8_16x24",
    "na2d_causal_tf_k5x6_s1x4", "na2d_causal_tt_k4_s2_d2", "na2d_dv64", "na2d_even_k4x6_s2x3", "na2d_gqa_4_2",
    "na2d_halo_k12_s8_20x24", "na2d_k3x5_d2x1", "na2d_k7_14x14", "na2d_k7_d2_15x18", "na2d_k7_full_7x7", "na2d_scale",
    "na3d_addkv5", "na3d_causal_tff_k3x4x4", "na3d_k3x5x5", "na3d_k4x4x6_s2x1x3_d1x2x1",
    "rpb1d_k5_d2", "rpb2d_k3x5_d3x2", "rpb2d_k5_d2_13x11", "rpb2d_k7_14x14", "rpb2d_k7_7x7",
]  # fmt: skip
# ops: heads before the grid.
OPS = [
    "na1d_k11_d3_33_rpb", "na1d_k13_d4_64_rpb", "na1d_k3_d1_16", "na1d_k3_d1_16_rpb", "na1d_k5_d2_21_rpb",
    "na1d_k7_d1_7_rpb", "na1d_k7_d4_31_rpb", "na1d_k9_d3_40", "na1d_v017_20_k5_d1_c1", "na1d_v017_31_k7_d3_c1",
    "na2d_k11_d1_13x12_rpb", "na2d_k11_d2_23x22_rpb", "na2d_k13_d1_17x14_rpb", "na2d_k13_d2_26x27",
    "na2d_k3_d1_3x3_rpb", "na2d_k3_d1_9x11", "na2d_k3_d1_9x11_rpb", "na2d_k3_d2_7x9_rpb", "na2d_k3_d5_16x15_rpb",
    "na2d_k5_d1_12x10_rpb", "na2d_k5_d2_10x12_rpb", "na2d_k5_d3_15x17_rpb", "na2d_k7_d1_14x9", "na2d_k7_d1_14x9_rpb",
    "na2d_k7_d1_7x7_rpb", "na2d_k7_d2_15x19_rpb", "na2d_k7_d4_29x30", "na2d_k9_d1_11x16_rpb",
    "na2d_v017_12x13_k3x7_d2x1_c0x1", "na2d_v017_14x15_k5_d2_c1x0", "na2d_v017_16x9_k5x3_d3x2_c0",
    "na2d_v017_7x7_k7_d1_c1", "na2d_v017_9x11_k3_d1_c1", "na3d_v017_5x8x9_k3_d1_c1x0x0",
    "na3d_v017_6x7x10_k3x3x5_d2x1x2_c0",
]  # fmt: skip
# The interpreter takes a second or more for each of the others.
# A quarter to half a minute each in the interpreter, and nothing in them that smaller cases have not.
TOO_LARGE = {
    "ops/na2d_k11_d2_23x22_rpb", "ops/na2d_k13_d1_17x14_rpb", "ops/na2d_k13_d2_26x27", "ops/na2d_k3_d5_16x15_rpb",
    "ops/na2d_k5_d3_15x17_rpb", "ops/na2d_k7_d2_15x19_rpb", "ops/na2d_k7_d4_29x30",
}  # fmt: skip
QUICK = [
    "gna/na1d_even_k6", "gna/na1d_k8_s3_even", "gna/na1d_causal_k10_s3_d2", "gna/na1d_mqa", "gna/na2d_k7_full_7x7",
    "gna/na2d_k3x5_d2x1", "gna/na3d_addkv5", "gna/rpb1d_k5_d2", "ops/na1d_k3_d1_16", "ops/na1d_v017_20_k5_d1_c1",
    "ops/na2d_k3_d1_3x3_rpb", "ops/na2d_v017_7x7_k7_d1_c1",
]  # fmt: skip
EVERY = [*(f"gna/{name}" for name in GNA), *(f"ops/{name}" for name in OPS)]
NUMBERS = ["q", "k", "v", "rpb", "add_k", "add_v"]


@dataclass
class Case:
    """A recorded call.

    Args:
        inputs: Leaves by name.
        windows: Window, stride, dilation and causality of each axis.
        scale: Factor of the scores.
        probe: Gradient that arrives at the output.
        wanted: Recorded answers, heads after the grid.
    """

    inputs: dict[str, Tensor]
    windows: tuple[tuple[int, ...], tuple[int, ...], tuple[int, ...], tuple[bool, ...]]
    scale: float
    probe: Tensor
    wanted: dict[str, Tensor]


def numbers(text: str, rank: int) -> tuple[int, ...]:
    """Read "3" or "3x5" for all axes."""
    found = tuple(int(part) for part in text.split("x"))
    return found if len(found) == rank else found * rank


def read(golden: ModuleType, name: str) -> Case:
    """Load a case and put its heads after the grid."""
    spec, wanted = golden.load(name), golden.outputs(name)
    rank = len(spec["inputs"]["q"]) - 3
    heads_first = name.startswith(("ops", "gna/rpb"))
    if "op" in spec:
        op = spec["op"]
        windows = tuple(op["kernel_size"]), tuple(op["stride"]), tuple(op["dilation"]), tuple(op["is_causal"])
        scale = op["scale"]
    else:
        window, dilation = (numbers(re.findall(rf"_{key}([\dx]+)", name)[0], rank) for key in "kd")
        causal = numbers((re.findall(r"_c([\dx]+)", name) or ["0"])[0], rank)
        windows = window, (1,) * rank, dilation, tuple(flag == 1 for flag in causal)
        scale = spec["inputs"]["q"][-1] ** -0.5

    def place(key: str, tensor: Tensor) -> Tensor:
        moves = heads_first and tensor.dim() == rank + 3 and "rpb" not in key
        return tensor.movedim(1, -2) if moves else tensor

    tensors = {key: place(key, golden.make_input(spec, key)) for key in spec["inputs"]}
    probe = tensors.pop("probe") if "probe" in tensors else tensors.pop("d_out")
    answers = {key.replace("grad_", "d_"): place(key, tensor) for key, tensor in wanted.items()}
    return Case(tensors, windows, scale, probe, answers)


def worst_error(case: Case, backend: str) -> float:
    """Compare output, logsumexp and all gradients with what was recorded."""
    leaves = {key: tensor.clone().requires_grad_() for key, tensor in case.inputs.items()}
    window, stride, dilation, causal = case.windows
    out, lse = neighborhood_attention(
        *(leaves[key] for key in "qkv"), window, stride=stride, dilation=dilation, causal=causal, scale=case.scale,
        rel_pos_bias=leaves.get("rpb"), extra_keys=leaves.get("add_k"), extra_values=leaves.get("add_v"),
        return_lse=True, backend=backend,
    )  # fmt: skip
    grads = torch.autograd.grad(out, list(leaves.values()), case.probe)
    found = {"out": out, "lse": lse, **{f"d_{key}": grad for key, grad in zip(leaves, grads, strict=True)}}
    compared = [key for key in case.wanted if key in found]
    assert {f"d_{key}" for key in leaves} <= set(compared)
    assert all(found[key].shape == case.wanted[key].shape for key in compared)
    return max(float((found[key] - case.wanted[key]).detach().abs().max()) for key in compared)


def test_the_lists_are_complete(golden: ModuleType) -> None:
    there = [name.removeprefix("gna/") for name in golden.cases("gna")]
    assert sorted(GNA) == [name for name in there if name.startswith(("na", "rpb"))]
    there = [name.removeprefix("ops/") for name in golden.cases("ops") if re.match(r"ops/na[123]d_", name)]
    assert sorted(OPS) == [name for name in there if "_av" not in name and "_module" not in name]


@pytest.mark.parametrize("backend", ["reference", "cpu"])
@pytest.mark.parametrize("name", EVERY)
def test_agrees(name: str, backend: str, golden: ModuleType) -> None:
    assert worst_error(read(golden, name), backend) <= 2e-5


@pytest.mark.parametrize(
    "name", [pytest.param(n, marks=() if n in QUICK else pytest.mark.slow) for n in EVERY if n not in TOO_LARGE]
)
def test_triton_agrees(name: str, golden: ModuleType) -> None:
    if triton_missing(torch.device("cpu"), torch.float32):
        pytest.skip("Triton's interpreter is not on")
    assert worst_error(read(golden, name), "triton") <= 2e-5


def test_bias_is_part_of_the_recorded_scores(golden: ModuleType) -> None:
    compared = 0
    for name in EVERY:
        case = read(golden, name)
        scores = case.wanted.get("attn_logits", case.wanted.get("scores"))
        if scores is None or scores.shape[:-1] != case.inputs["q"].shape[:-1]:
            continue
        window, stride, dilation, causal = case.windows
        _, lse = neighborhood_attention(
            *(case.inputs[key] for key in "qkv"), window, stride=stride, dilation=dilation, causal=causal,
            scale=case.scale, rel_pos_bias=case.inputs.get("rpb"), return_lse=True, backend="reference",
        )  # fmt: skip
        torch.testing.assert_close(lse, scores.logsumexp(-1), atol=2e-5, rtol=0)
        compared += 1
    assert compared >= 10


@pytest.mark.parametrize("name", ["windows1d", "windows1d_random"])
def test_windows_are_those_of_natten(name: str, golden: ModuleType) -> None:
    tables = golden.outputs(f"gna/{name}")
    assert len(tables) > 10
    for key, table in tables.items():
        length, window, stride, dilation, causal = (int(part) for part in re.findall(r"\d+", key))
        residue, _, first, last = spans(Axis(length, window, stride, dilation, causal == 1))
        expected = torch.stack([residue + dilation * first, residue + dilation * last, last - first + 1])
        assert torch.equal(expected, table.long()), key

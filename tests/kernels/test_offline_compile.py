"""Every Triton kernel compiles for GPUs that are not here, and fits their shared memory."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

SHARED_MEMORY = {80: 163 * 1024, 90: 227 * 1024, 100: 227 * 1024}
ROOM = Path(__file__).parents[2] / "kernels"
FILES = sorted(ROOM.rglob("triton_*.py"))
MODULES = [f"{path.parent.name}.{path.stem}" for path in FILES if "def compile_cases(" in path.read_text()]
COMPILE = """
import sys
from triton import compile
from triton.backends.compiler import GPUTarget
from triton.compiler import ASTSource

def build(name, kernel, signature, constants, options, capability):
    even = ("_ptr", "_batch", "_token", "_head")
    attrs = {
        (i,): [["tt.divisibility", 16]]
        for i, key in enumerate(kernel.arg_names) if signature[key] != "constexpr" and key.endswith(even)
    }
    source = ASTSource(fn=kernel, signature=signature, constexprs=constants, attrs=attrs)
    built = compile(source, target=GPUTarget("cuda", capability, 32), options=options)
    print(name, built.metadata.shared, flush=True)
"""
OF_MODULE = """
import importlib
module = importlib.import_module(sys.argv[1])
for case in module.compile_cases():
    build(*case, int(sys.argv[2]))
"""
OF_NEIGHBORHOOD = """
import torch
from foveate.kernels.neighborhood import triton_launch as launch
from foveate.kernels.neighborhood.plan import make_tiling, tiling_for
from foveate.kernels.neighborhood.problem import Inputs
from foveate.kernels.window import check_axes

dtype, capability = getattr(torch, sys.argv[1]), int(sys.argv[2])
SHORT = {torch.bfloat16: "*bf16", torch.float16: "*fp16", torch.float32: "*fp32", torch.int32: "*i32"}
CASES = [
    ((1024,), 129, 1, 1, 64, 1, False, False),
    ((56, 56), 7, 1, 1, 32, 1, False, False),
    ((56, 56), 7, 1, 4, 32, 1, True, False),
    ((64, 64), 13, 4, 1, 64, 4, False, True),
    ((128, 128), 80, 16, 1, 128, 1, False, False),
    ((30, 48, 80), (18, 24, 24), 1, 1, 128, 1, False, False),
    ((14, 14), 7, 1, 1, 256, 1, False, False),
]

class Recorder:
    "Stands in for a kernel; compiles what it is called with."

    def __init__(self, kernel):
        self.kernel, self.arg_names = kernel, kernel.arg_names

    def __getitem__(self, grid):
        return self.record

    def record(self, *arguments, **named):
        names = self.kernel.arg_names
        constants = {key: value for key, value in named.items() if key in names}
        options = {key: value for key, value in named.items() if key not in names}
        signature = dict.fromkeys(names, "constexpr")
        for key, value in zip(names, arguments):
            plain = "i32" if isinstance(value, int) else "fp32"
            signature[key] = SHORT[value.dtype] if isinstance(value, torch.Tensor) else plain
        assert reads_tables == ("penalty_ptr" in names), title
        build(title, self.kernel, signature, constants, options, capability)

def meta(*shape, dtype=dtype):
    return torch.empty(shape, dtype=dtype, device="meta")

for key, kernel in launch._KERNELS.items():
    launch._KERNELS[key] = Recorder(kernel)
for grid, window, stride, dilation, dim, group, bias, extra in CASES:
    axes = check_axes(grid, window, stride, dilation)
    query, key = meta(2, *grid, 4, dim), meta(2, *grid, 4 // group, dim)
    tables = meta(4, *(2 * axis.window - 1 for axis in axes)) if bias else None
    tokens = meta(2, 77, 4 // group, dim) if extra else None
    inputs, lse = Inputs(query, key, key, tables, tokens, tokens), meta(*query.shape[:-1], dtype=torch.float32)
    chosen = {name: tiling_for(axes, dim, name, f"sm{capability}") for name in ("forward", "query", "key")}
    ways = [chosen]
    if window == 7 and dim <= 64:
        ways.append({n: make_tiling(axes, n, t.tile, block=t.block, small=True) for n, t in chosen.items()})
        ways.append({n: make_tiling(axes, n, (1, 8, 8), block=64, table=True) for n in chosen})
    for number, tilings in enumerate(ways):
        where = f"{grid}_{window}_{dilation}_{number}".replace(" ", "")
        title, reads_tables = f"forward_{where}", tilings["forward"].table
        launch.forward(inputs, axes, 0.1, tilings["forward"])
        title, reads_tables = f"query_{where}", tilings["query"].table
        launch.query_gradient(inputs, query, lse, query, lse if bias else None, axes, 0.1, tilings["query"])
        title, reads_tables = f"key_{where}", tilings["key"].table
        launch.key_gradient(inputs, lse, lse, query, axes, 0.1, tilings["key"])
"""


def shared_memory(code: str, *arguments: str) -> dict[str, int]:
    """Compile in a process that does not interpret; bytes of shared memory by kernel."""
    environment = {key: value for key, value in os.environ.items() if not key.startswith("TRITON_")}
    command = [sys.executable, "-W", "ignore", "-c", COMPILE + code, *arguments]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=1500)
    assert done.returncode == 0, f"{done.stdout[-500:]}\n{done.stderr[-3000:]}"
    lines = (line.split() for line in done.stdout.splitlines())
    return {name: int(size) for name, size in lines}


@pytest.mark.slow
@pytest.mark.timeout(1500)
@pytest.mark.parametrize(
    ("dtype", "capability"), [*(("bfloat16", capability) for capability in SHARED_MEMORY), ("float16", 90)]
)
def test_neighborhood_compiles(dtype: str, capability: int) -> None:
    pytest.importorskip("triton")
    sizes = shared_memory(OF_NEIGHBORHOOD, dtype, str(capability))
    assert len(sizes) == 3 * 11
    assert {name: size for name, size in sizes.items() if size > SHARED_MEMORY[capability]} == {}


@pytest.mark.slow
@pytest.mark.timeout(1500)
@pytest.mark.parametrize("capability", SHARED_MEMORY)
@pytest.mark.parametrize("module", MODULES)
def test_kernels_of_a_module_compile(module: str, capability: int) -> None:
    pytest.importorskip("triton")
    sizes = shared_memory(OF_MODULE, f"foveate.kernels.{module}", str(capability))
    assert sizes
    assert {name: size for name, size in sizes.items() if size > SHARED_MEMORY[capability]} == {}


def test_every_file_with_kernels_is_compiled() -> None:
    assert len(MODULES) >= 2
    for path in FILES:
        defines = any(line.startswith("def ") and "_kernel(" in line for line in path.read_text().splitlines())
        # Some kernels of neighborhood attention have tests of their own, here and in test_hopper.
        gluon = ("triton_gluon", "triton_gluon_backward", "triton_gluon_query")
        tables = ("triton_table", "triton_table_backward")
        stems = ("triton_forward", "triton_backward", "triton_small", *tables, *gluon)
        own = path.parent.name == "neighborhood" and path.stem in stems
        assert not defines or own or f"{path.parent.name}.{path.stem}" in MODULES, path

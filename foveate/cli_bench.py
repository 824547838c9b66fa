"""``foveate bench kernels``: measured times of neighborhood attention beside bounds, predictions and peers."""

import argparse
import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from foveate.console import FAILED, OK, UsageError, complain, say, whole_number

if TYPE_CHECKING:
    import torch

    from foveate.kernels.bench import Row
    from foveate.kernels.bench_cases import Estimate, Shape
    from foveate.kernels.cost_model import Machine

_DTYPES = ("float16", "bfloat16", "float32")
_OF_A_GRID = ("heads", "dim", "window", "dilation", "stride")
_EXAMPLES = """examples:
  foveate bench kernels                                      the shapes that fit this machine
  foveate bench kernels --shape nat_s1 k13_128 --backward    two of them, with gradients
  foveate bench kernels --grid 56x56 --heads 2 --dim 32 --window 7 --batch 128
  foveate bench kernels --quick --only triton sdpa-flash --json times.json
"""


def add_parser(verbs: Any) -> None:
    """Add the verb to the parsers of the command.

    Args:
        verbs: Subparsers of the command.
    """
    bench = verbs.add_parser("bench", help="measure how fast this machine is")
    suites = bench.add_subparsers(title="suites", metavar="SUITE", dest="suite", required=True)
    parser = suites.add_parser(
        "kernels",
        help="neighborhood attention: every backend, and peers that are installed",
        description="Bound, prediction and measured time of neighborhood attention, backend by backend, and of peers.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--shape", nargs="+", default=[], metavar="NAME", help="named shapes; a wrong name lists them")
    parser.add_argument("--grid", type=_sizes, metavar="HxW", help="a shape of your own instead: 1 to 3 axes")
    parser.add_argument("--heads", type=whole_number(1), help="heads of the grid (default 4)")
    parser.add_argument("--dim", type=whole_number(1), help="channels of a head of the grid (default 32)")
    parser.add_argument("--window", type=_sizes, metavar="N|NxN", help="window of the grid (default 7)")
    parser.add_argument("--dilation", type=_sizes, metavar="N|NxN", help="dilation of the grid (default 1)")
    parser.add_argument("--stride", type=_sizes, metavar="N|NxN", help="stride of the grid (default 1)")
    parser.add_argument("--batch", type=whole_number(1), help="items (default 1, or what the named shape has)")
    parser.add_argument("--dtype", choices=_DTYPES, help="default: bfloat16 on a GPU, float32 on a CPU")
    parser.add_argument("--device", metavar="NAME", help="cpu, cuda, cuda:1 ... (default: cuda if there is one)")
    parser.add_argument("--backward", action="store_true", help="time forward and backward together, too")
    parser.add_argument("--only", nargs="+", default=[], metavar="NAME", help="time these backends and peers only")
    parser.add_argument("--quick", action="store_true", help="measure for a short time, compile no peer")
    parser.add_argument("--json", metavar="FILE", help="write everything here, after every shape")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Time, print a table for each shape, write the result file.

    Args:
        args: As ``add_parser`` describes them.

    Returns:
        Exit code: 1 when there is a shape that nothing could be timed on.

    Raises:
        UsageError: The options contradict each other or name nothing that is known.
        RuntimeError: The device is not there.
    """
    if args.json is not None and (Path(args.json).is_dir() or not Path(args.json).resolve().parent.is_dir()):
        raise UsageError(f"--json {args.json} must name a file in a folder that exists: make the folder first")
    import torch

    from foveate.kernels.bench import measure, versions
    from foveate.kernels.bench_cases import BOTH, FORWARD, estimate, measure_machine

    device = _device(args.device)
    shapes = _shapes(args, device)
    _check_names(args.only)
    dtype = getattr(torch, args.dtype or ("bfloat16" if device.type == "cuda" else "float32"))
    machine = measure_machine(device, dtype, args.quick)
    say(_machine_line(machine, dtype))
    report: dict[str, Any] = {"versions": versions(), "dtype": str(dtype).removeprefix("torch."), "quick": args.quick}
    report |= {"device": str(device), "machine": vars(machine), "shapes": []}
    silent = []
    for shape in shapes:
        estimates = [estimate(shape, machine, device, dtype, work) for work in (FORWARD, BOTH)[: 1 + args.backward]]
        say(_shape_lines(shape, estimates))
        rows = []
        for row in measure(shape, device, dtype, backward=args.backward, quick=args.quick, only=args.only):
            rows.append(row)
            say(_row_line(row))
        report["shapes"].append(
            vars(shape) | {"estimates": [e.to_dict() for e in estimates], "rows": [r.to_dict() for r in rows]}
        )
        if args.json:
            Path(args.json).write_text(json.dumps(report, indent=2) + "\n")
        if all(row.milliseconds is None for row in rows):
            silent.append(shape.name)
    if args.json:
        say(f"result -> {args.json}")
    if silent:
        complain(f"nothing could be timed on {', '.join(silent)}: the lines above say why")
    return FAILED if silent else OK


def _sizes(word: str) -> tuple[int, ...]:
    if not re.fullmatch(r"[1-9]\d{0,6}(x[1-9]\d{0,6}){0,2}", word):
        raise argparse.ArgumentTypeError(f"it must be 1 to 3 whole numbers joined by x, such as 56x56, got {word!r}")
    return tuple(int(number) for number in word.split("x"))


def _device(name: str | None) -> "torch.device":
    import torch

    try:
        device = torch.device(name or ("cuda" if torch.cuda.is_available() else "cpu"))
    except RuntimeError as error:
        raise UsageError(f"--device {name} is none that torch knows: use cpu, cuda or cuda:1") from error
    if device.type not in ("cpu", "cuda"):
        raise UsageError(f"--device {name} cannot be timed here: use cpu, cuda or cuda:1")
    if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        raise RuntimeError(
            f"there is no device {device}: torch sees {torch.cuda.device_count()} GPUs; use --device cpu"
        )
    if device.type == "cuda":
        torch.cuda.set_device(device)  # events of a clock belong to the current device
    return device


def _shapes(args: argparse.Namespace, device: "torch.device") -> "list[Shape]":
    from dataclasses import replace

    from foveate.kernels.bench_cases import CPU_SHAPES, SHAPES, Shape, default_shapes

    if args.grid is None:
        given = [name for name in _OF_A_GRID if getattr(args, name) is not None]
        if given:
            raise UsageError(f"--{given[0]} describes a grid of your own: give --grid too, such as --grid 56x56")
        known = SHAPES | CPU_SHAPES
        unknown = [name for name in args.shape if name not in known]
        if unknown:
            raise UsageError(f"--shape {unknown[0]} is no name of a shape: use one of {', '.join(known)}")
        found = [known[name] for name in args.shape] or default_shapes(device)
        return [replace(shape, batch=args.batch) for shape in found] if args.batch else found
    if args.shape:
        raise UsageError("--shape and --grid exclude each other: leave one of them out")
    name = "x".join(map(str, args.grid))
    sizes = {
        key: _one(getattr(args, key) or (default,)) for key, default in (("window", 7), ("dilation", 1), ("stride", 1))
    }
    shape = Shape(name, args.batch or 1, args.grid, args.heads or 4, args.dim or 32, **sizes)
    try:
        shape.call()
    except ValueError as error:
        raise UsageError(str(error)) from error
    return [shape]


def _one(sizes: tuple[int, ...]) -> int | tuple[int, ...]:
    return sizes[0] if len(sizes) == 1 else sizes


def _check_names(names: list[str]) -> None:
    from foveate.kernels.bench import BACKENDS
    from foveate.kernels.bench_peers import PEERS

    unknown = [name for name in names if name not in (*BACKENDS, *PEERS)]
    if unknown:
        raise UsageError(f"--only {unknown[0]} is nobody to time: use some of {', '.join((*BACKENDS, *PEERS))}")


def _machine_line(machine: "Machine", dtype: "torch.dtype") -> str:
    kind = str(dtype).removeprefix("torch.")
    return (
        f"{machine.name}: {machine.flops / 1e12:.3g} TFLOP/s in {kind} products, "
        f"{machine.bandwidth / 1e9:.4g} GB/s, {machine.exp_rate / 1e9:.3g} G exponentials/s"
    )


def _shape_lines(shape: "Shape", estimates: "list[Estimate]") -> str:
    def joined(sizes: int | tuple[int, ...]) -> str:
        return "x".join(map(str, sizes)) if isinstance(sizes, tuple) else str(sizes)

    lines = [
        f"\n{shape.name}: {shape.batch} x {joined(shape.spatial)}, {shape.heads} heads of {shape.dim}, "
        f"window {joined(shape.window)}, dilation {joined(shape.dilation)}, stride {joined(shape.stride)}"
    ]
    for e in estimates:
        walk = "in one run" if e.flattened else f"by {joined(e.kv_tile)}"
        lines.append(
            f"  {e.work}: bound {e.bound:.4g} ms ({e.bound_limit}); tiles of {joined(e.q_tile)} queries, keys {walk}, "
            f"waste {e.waste:.2f}: at least {e.predicted:.4g} ms ({e.predicted_limit})"
        )
    return "\n".join(lines)


def _row_line(row: "Row") -> str:
    if row.milliseconds is None:
        return f"  {row.name:15} {row.work:16}          -  {row.reason}"
    error = "" if row.error is None else f"  error {row.error:.1e}"
    times = f"{row.milliseconds:10.4f} ms (fastest {row.fastest:.4f})"
    return f"  {row.name:15} {row.work:16} {times:38} {row.tflops:9.3g} TFLOP/s{error}"

"""Neighborhood attention on a CPU against gathering, dense attention and FlexAttention; time and memory by size.

``python -P benchmarks/kernels_cpu.py --json docs/neighborhood_cpu.json --plot docs/neighborhood_cpu.svg``

Every time is the best of several rounds, in which the ways take turns. On a machine that others use as well,
``--threads 1 --clock cpu`` counts the time that this process got.
"""

import argparse
import datetime
import json
import platform
import subprocess
import sys
import time
from collections.abc import Callable
from itertools import product
from math import ceil, floor, log10
from pathlib import Path
from typing import Any, cast

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.nn.attention.flex_attention import create_block_mask, flex_attention

from foveate.kernels import neighborhood_attention
from foveate.kernels.window import Axis, neighbors, spans

Way = Callable[[Tensor, Tensor, Tensor], Tensor]

SHAPES = {  # batch, side, heads, dim, window
    "56x56 h2 d32 w7": (1, 56, 2, 32, 7),
    "28x28 h4 d32 w7": (1, 28, 4, 32, 7),
    "14x14 h8 d32 w7": (1, 14, 8, 32, 7),
    "7x7 h16 d32 w7": (1, 7, 16, 32, 7),
    "16 x 14x14 h8 d32 w7": (16, 14, 8, 32, 7),
    "4 x 56x56 h2 d32 w7": (4, 56, 2, 32, 7),
    "128x128 h2 d32 w7": (1, 128, 2, 32, 7),
    "64x64 h4 d64 w13": (1, 64, 4, 64, 13),
}
SIDES = (28, 40, 56, 80, 128, 256, 512)
LARGEST_NAIVE, LARGEST_DENSE = 128**2, 80**2
COLORS = {"ours": "#1565c0", "gather": "#c62828", "dense": "#6a8f2f"}


def ways_of(side: int, window: int, flex: bool, log: Callable[[str], None], only: str = "") -> dict[str, Way]:
    """Make the ways to compute a grid, or one of them, with whatever can be prepared once."""
    tokens, axis = side * side, Axis(side, window)
    ways: dict[str, Way] = {"ours": lambda q, k, v: neighborhood_attention(q, k, v, window, backend="cpu")}
    first, last = spans(axis)[2:]
    seen = (torch.arange(side) >= first[:, None]) & (torch.arange(side) <= last[:, None])
    if tokens <= LARGEST_NAIVE and only in ("", "gather"):
        ways["gather"] = gather_way(axis)
    if tokens <= LARGEST_DENSE and only in ("", "dense"):
        pairs = (seen[:, None, :, None] & seen[None, :, None, :]).reshape(tokens, tokens)
        mask = torch.zeros(tokens, tokens).masked_fill_(~pairs, float("-inf"))

        def dense(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
            out = F.scaled_dot_product_attention(*(x.flatten(1, 2).transpose(1, 2) for x in (q, k, v)), mask)
            return out.transpose(1, 2).reshape(q.shape)  # the layout that came in, as a network needs it

        ways["dense"] = dense
    if flex:
        try:
            ways["flex"] = flex_way(side, first, last)
        except Exception as error:
            log(f"no FlexAttention: {type(error).__name__}: {str(error).splitlines()[0]}")
    return ways


def gather_way(axis: Axis) -> Way:
    """Gather the keys and values of every query."""
    keys, _ = neighbors(axis)
    index = (keys[:, None, :, None] * axis.length + keys[None, :, None, :]).reshape(axis.length**2, -1)

    def gather(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        q, k, v = (x.flatten(1, 2) for x in (q, k, v))
        scores = torch.einsum("bnhd,bnkhd->bnhk", q * q.shape[-1] ** -0.5, k[:, index])
        return torch.einsum("bnhk,bnkhd->bnhd", scores.softmax(-1), v[:, index])

    return gather


def flex_way(side: int, first: Tensor, last: Tensor) -> Way:
    """Compile FlexAttention under a block mask of 128 x 128."""

    def mask(b: Tensor, h: Tensor, q: Tensor, k: Tensor) -> Tensor:
        qy, qx, ky, kx = q // side, q % side, k // side, k % side
        return (ky >= first[qy]) & (ky <= last[qy]) & (kx >= first[qx]) & (kx <= last[qx])

    blocks = create_block_mask(mask, None, None, side**2, side**2, device="cpu", BLOCK_SIZE=128)
    torch._dynamo.reset()
    compiled = torch.compile(flex_attention, dynamic=False)

    def flex(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        result = compiled(*(x.flatten(1, 2).transpose(1, 2) for x in (q, k, v)), block_mask=blocks)
        return cast(Tensor, result)

    flex(*(torch.randn(1, side, side, 1, 32) for _ in range(3)))
    return flex


def best_times(calls: dict[str, Callable[[], Any]], rounds: int, clock: Callable[[], float]) -> dict[str, float]:
    """Let calls take turns; milliseconds of the best round of each."""
    counts, best = {}, dict.fromkeys(calls, float("inf"))
    for name, call in calls.items():
        call()
        start = clock()
        call()
        counts[name] = max(1, min(50, int(0.1 / max(clock() - start, 1e-5))))
    for _, (name, call) in product(range(rounds), calls.items()):
        start = clock()
        for _ in range(counts[name]):
            call()
        best[name] = min(best[name], (clock() - start) / counts[name] * 1e3)
    return best


def measure(shape: tuple[int, ...], args: argparse.Namespace, flex: bool) -> dict[str, dict[str, float]]:
    """Time forward, and forward with backward, of every way."""
    batch, side, heads, dim, window = shape
    random = torch.Generator().manual_seed(0)
    q, k, v = (torch.randn(batch, side, side, heads, dim, generator=random) for _ in range(3))
    leaves = [tensor.clone().requires_grad_() for tensor in (q, k, v)]
    ways = ways_of(side, window, flex, lambda text: print(text, file=sys.stderr))
    d_out = {name: torch.randn_like(way(q, k, v)) for name, way in ways.items()}
    clock = time.perf_counter if args.clock == "wall" else time.process_time

    def train(name: str, way: Way) -> Callable[[], Any]:
        return lambda: torch.autograd.grad(way(*leaves), leaves, d_out[name])

    def infer(way: Way) -> Callable[[], Any]:
        return lambda: way(q, k, v)

    forward = best_times({name: infer(way) for name, way in ways.items()}, args.rounds, clock)
    calls = {name: train(name, way) for name, way in ways.items() if name != "flex"}
    return {"forward": forward, "training": best_times(calls, args.rounds, clock)}


def print_table(name: str, times: dict[str, dict[str, float]]) -> None:
    """Print milliseconds, and how often ours goes into them."""
    for what, row in times.items():
        cells = "  ".join(f"{way} {ms:9.3f} ({ms / row['ours']:5.2f}x)" for way, ms in row.items())
        print(f"{name:22s} {what:9s} {cells}", flush=True)


def peak_memory(side: int, name: str) -> float:
    """Megabytes that forward and backward of a way need beside the inputs, in a process of its own."""
    command = [sys.executable, "-P", __file__, "--memory-of", name, "--side", str(side)]
    return float(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def own_peak_memory(side: int, name: str) -> float:
    """Megabytes by which this process grows, after a small call that loads what torch needs."""

    def call(length: int) -> float:
        leaves = [torch.randn(1, length, length, 2, 32).requires_grad_() for _ in range(3)]
        Path("/proc/self/clear_refs").write_text("5")
        before = status("VmRSS")
        way = ways_of(length, 7, False, print, name)[name]
        out = way(*leaves)
        torch.autograd.grad(out, leaves, torch.ones_like(out))
        return (status("VmHWM") - before) / 1024

    call(8)
    return call(side)


def status(field: str) -> float:
    """Read a size of this process in kilobytes (Linux)."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return float(next(line for line in lines if line.startswith(field)).split()[1])


def growth(args: argparse.Namespace) -> list[dict[str, Any]]:
    """Time and memory of training steps on larger and larger grids."""
    rows: list[dict[str, Any]] = []
    for side in SIDES:
        times = measure((1, side, 2, 32, 7), args, flex=False)["training"]
        for name, ms in times.items():
            rows.append({"way": name, "tokens": side * side, "ms": ms, "mb": peak_memory(side, name)})
            print(f"{name:8s} {side:4d}x{side:<4d} {ms:10.2f} ms {rows[-1]['mb']:9.1f} MB", flush=True)
    return rows


def plot(rows: list[dict[str, Any]], title: str) -> str:
    """Draw time and memory against tokens, both axes logarithmic, as SVG."""
    parts = [
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 900 400" font-family="sans-serif" font-size="13">'
        f'<rect width="900" height="400" fill="white"/><text x="450" y="24" text-anchor="middle">{title}</text>'
    ]
    for panel, (field, label) in enumerate((("ms", "forward + backward, ms"), ("mb", "peak memory beside inputs, MB"))):
        parts.append(panel_of([row for row in rows if row[field] > 0], field, label, 70 + 440 * panel))
    return "\n".join([*parts, "</svg>\n"])


def panel_of(rows: list[dict[str, Any]], field: str, label: str, left: int) -> str:
    """Draw one of its two halves."""
    low, high = floor(min(log10(row[field]) for row in rows)), ceil(max(log10(row[field]) for row in rows))

    def place(tokens: float, value: float) -> tuple[float, float]:
        return left + 350 * (log10(tokens) - 2.8) / 2.7, 350 - 290 * (log10(value) - low) / (high - low)

    parts = [f'<text x="{left}" y="50" fill="#444">{label}</text>']
    for power in range(low, high + 1):
        y = place(1000, 10**power)[1]
        parts.append(f'<path d="M{left} {y:.1f}h350" stroke="#ddd"/><text x="{left - 6}" y="{y + 4:.1f}" ')
        parts.append(f'text-anchor="end" fill="#444">{10**power:g}</text>')
    for side in (28, 56, 128, 256, 512):
        x = place(side * side, 10**low)[0]
        parts.append(f'<text x="{x:.1f}" y="370" text-anchor="middle" fill="#444">{side}²</text>')
    for number, (name, color) in enumerate(COLORS.items()):
        points = [place(row["tokens"], row[field]) for row in rows if row["way"] == name]
        line = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
        parts.append(f'<polyline points="{line}" fill="none" stroke="{color}" stroke-width="2"/>')
        parts += [f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" fill="{color}"/>' for x, y in points]
        parts.append(f'<text x="{left + 270}" y="{300 + 16 * number}" fill="{color}">{name}</text>')
    return "\n".join(parts)


def machine() -> dict[str, Any]:
    """Describe what was measured on."""
    info = Path("/proc/cpuinfo")
    names = [line.split(":")[1].strip() for line in info.read_text().splitlines() if line.startswith("model name")]
    return {
        "cpu": names[0] if names else platform.processor(),
        "cores": len(names),
        "torch": torch.__version__,
        "date": datetime.date.today().isoformat(),
    }


def main() -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--clock", choices=["wall", "cpu"], default="wall", help="cpu needs --threads 1 to be fair")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--only", default="", help="only shapes whose name holds this")
    parser.add_argument("--no-flex", action="store_true", help="leave compiled FlexAttention out")
    parser.add_argument("--json", type=Path, help="write the numbers here")
    parser.add_argument("--plot", type=Path, help="draw growth with the grid here")
    parser.add_argument("--memory-of", help=argparse.SUPPRESS)
    parser.add_argument("--side", type=int, default=28, help=argparse.SUPPRESS)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    if args.memory_of:
        print(own_peak_memory(args.side, args.memory_of))
        return
    record: dict[str, Any] = {"machine": machine(), "threads": args.threads, "clock": args.clock, "shapes": {}}
    print(json.dumps(record["machine"]))
    for name, shape in SHAPES.items():
        if args.only in name:
            record["shapes"][name] = measure(shape, args, flex=not args.no_flex)
            print_table(name, record["shapes"][name])
    if args.plot:
        record["growth"] = growth(args)
        clock = f"{args.threads} thread{'s' * (args.threads > 1)}, {args.clock} time"
        title = f"Neighborhood attention, window 7x7, 2 heads of 32, {record['machine']['cpu']}, {clock}"
        args.plot.write_text(plot(record["growth"], title), encoding="utf-8")
    if args.json:
        args.json.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()

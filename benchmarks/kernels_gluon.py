"""Check the Gluon kernel of neighborhood attention on a Hopper GPU, and time it beside the Triton kernel.

    python -P benchmarks/kernels_gluon.py [--only s2d,flux_na] [--processes 12] [--timeout 20]

All kernels are compiled first, by several processes that start none of them. Then a worker runs one configuration after
the other; the parent kills it when one takes too long (HANG), and starts another with the next configuration. Errors
are the largest absolute ones: of output and logsumexp against the Triton kernel, and of the output against float32, for
the Gluon and the Triton kernel. TFLOP/s count the windows' keys only. The first row to look at is the first one: it is
the plainest configuration on a small grid.
"""

import argparse
import json
import math
import multiprocessing
import os
import queue
import statistics
import subprocess
import sys
import threading
import time

import torch

from foveate.kernels.neighborhood import gluon_forward
from foveate.kernels.neighborhood.problem import Inputs
from foveate.kernels.window import check_axes, spans

# batch, grid, heads, heads of keys, dim, window, stride, type, whether q, k and v are views of one tensor
CASES = {
    "s2d": (2, (33, 40), 4, 2, 64, (16, 16), (4, 8), "bfloat16", False),
    "s2d_view": (1, (37, 29), 3, 3, 128, (20, 21), (5, 3), "bfloat16", True),
    "s2d_three": (1, (45, 40), 2, 2, 64, (16, 17), 1, "float16", False),
    "s3d": (2, (9, 12, 20), 2, 1, 128, (5, 7, 9), 1, "float16", False),
    "s3d_wide": (1, (12, 20, 40), 2, 2, 64, (5, 7, 33), (2, 1, 4), "bfloat16", True),
    "flux_na": (1, (256, 256), 24, 24, 128, (80, 80), 1, "bfloat16", False),
    "flux_gna": (1, (256, 256), 24, 24, 128, (80, 80), 16, "bfloat16", False),
    "video_na": (1, (30, 48, 80), 24, 24, 128, (18, 24, 24), 1, "bfloat16", False),
    "video_gna": (1, (30, 48, 80), 24, 24, 128, (18, 24, 24), (16, 8, 8), "bfloat16", False),
    "k33_256": (2, (256, 256), 8, 8, 64, (33, 33), 1, "bfloat16", False),
}
# Arguments of gluon_forward.schedule_for; a box stands for that of the rule.
SETTINGS: dict[str, list[dict]] = {
    "s2d": [{"overlap": False, "stages": 2}, {}, {"persistent": True, "stages": 2}],
    "s2d_view": [{}, {"tile": (1, 8, 16), "block": 64}],
    "s2d_three": [{"tile": (1, 24, 8), "parts": 3}],
    "s3d": [{}, {"tile": (2, 8, 8), "persistent": True}],
    "s3d_wide": [{"box": (1, 4, 32)}, {"box": (4, 4, 8)}],
    "flux_na": [
        {},
        {"persistent": True},
        {"box": (1, 16, 8)},
        {"stages": 2},
        {"block": 64},
        {"overlap": False},
        {"tile": (1, 8, 16), "box": (1, 16, 8)},
    ],
    "flux_gna": [{}, {"persistent": True}, {"box": (1, 16, 8)}, {"block": 64}],
    "video_na": [{}, {"persistent": True}, {"block": 64}, {"box": (1, 8, 16)}, {"tile": (8, 4, 4)}],
    "video_gna": [{}, {"persistent": True}, {"block": 64}, {"tile": (2, 8, 8)}],
    "k33_256": [
        {},
        {"persistent": True},
        {"block": 128},
        {"block": 128, "persistent": True},
        {"tile": (1, 16, 16), "block": 64},
        {"tile": (1, 24, 8), "parts": 3, "block": 64},
        {"tile": (1, 24, 8), "parts": 3, "block": 64, "persistent": True},
    ],
}
JOBS = [(case, setting) for case, settings in SETTINGS.items() for setting in settings]


def problem(case: str, device: str) -> tuple:
    """Make the tensors of a case; on ``cpu`` they stand for others of the same shape and are left empty."""
    batch, grid, heads, heads_kv, dim, window, stride, name, view = CASES[case]
    dtype = getattr(torch, name)
    torch.manual_seed(0)
    make = torch.randn if device == "cuda" else torch.empty
    if view:
        q, k, v = make(batch, *grid, 3, heads, dim, device=device, dtype=dtype).unbind(-3)
    else:
        q = make(batch, *grid, heads, dim, device=device, dtype=dtype)
        k, v = (make(batch, *grid, heads_kv, dim, device=device, dtype=dtype) for _ in range(2))
    return Inputs(q, k, v), check_axes(grid, window, stride), dim**-0.5


def schedule(case: str, setting: dict) -> gluon_forward.Schedule:
    """Choose the schedule of a setting."""
    _, grid, _, _, dim, window, stride, *_ = CASES[case]
    rest = {key: value for key, value in setting.items() if key != "box"}
    if "box" in setting:
        rest["block"] = math.prod(setting["box"])
    chosen = gluon_forward.schedule_for(check_axes(grid, window, stride), dim, **rest)
    return gluon_forward.Schedule(**(vars(chosen) | {"box": setting.get("box", chosen.box)}))


def compile_one(job: int) -> str:
    """Compile a configuration without starting it; return what went wrong."""
    case, setting = JOBS[job]
    try:
        inputs, axes, scale = problem(case, "cpu")
        call = gluon_forward._prepare(inputs, axes, schedule(case, setting))
        grids = gluon_forward.describe(inputs.key, call.box), gluon_forward.describe(inputs.value, call.box)
        out = torch.empty_like(inputs.query)
        gluon_forward.compile_and_start(call, (*grids, inputs.query, out, torch.empty(8)), scale, warmup=True)
    except Exception as error:
        return f"{type(error).__name__}: " + " / ".join(str(error).strip().splitlines()[-6:])[:600]
    return ""


def warm_triton(case: str) -> None:
    """Leave what the Triton kernel needs in the compiler's cache."""
    from foveate.kernels.neighborhood import triton_launch

    triton_launch.forward(*problem(case, "cuda"))
    torch.cuda.synchronize()


def sample(inputs: Inputs, axes: tuple, scale: float, count: int = 24) -> tuple:
    """Attend in float32 from the corners and some other queries: their places, and output (count, heads, dim)."""
    q, k, v = inputs[:3]
    generator = torch.Generator().manual_seed(1)
    places = [(0, *(0 for _ in axes)), (q.shape[0] - 1, *(axis.length - 1 for axis in axes))]
    while len(places) < count:
        places.append(tuple(int(torch.randint(n, (1,), generator=generator)) for n in q.shape[:-2]))
    bounds = [spans(axis) for axis in axes]
    group, outs, lses = q.shape[-2] // k.shape[-2], [], []
    for batch, *place in places:
        box = tuple(slice(int(b[2][p]), int(b[3][p]) + 1) for b, p in zip(bounds, place, strict=True))
        keys, values = (t[batch][box].flatten(0, len(axes) - 1).float().repeat_interleave(group, 1) for t in (k, v))
        scores = torch.einsum("hd,khd->hk", q[(batch, *place)].float(), keys) * scale
        outs.append(torch.einsum("hk,khd->hd", scores.softmax(-1), values))
        lses.append(scores.logsumexp(-1))
    return places, torch.stack(outs), torch.stack(lses)


def milliseconds(run, budget: float = 0.08) -> float:  # type: ignore[no-untyped-def]
    """Median of runs with a cold L2."""
    run()
    torch.cuda.synchronize()
    start = time.perf_counter()
    run()
    torch.cuda.synchronize()
    count = max(5, min(40, int(budget / max(time.perf_counter() - start, 1e-5))))
    cache = torch.empty(96 * 2**20, dtype=torch.int8, device="cuda")
    times = []
    for _ in range(count):
        cache.zero_()
        first, last = torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True)
        first.record()
        run()
        last.record()
        torch.cuda.synchronize()
        times.append(first.elapsed_time(last))
    return statistics.median(times)


def compare(case: str) -> dict:
    """Run the Triton kernel and the float32 reference of a case."""
    from foveate.kernels.neighborhood import triton_launch

    inputs, axes, scale = problem(case, "cuda")
    out, lse = triton_launch.forward(inputs, axes, scale)
    known = {"inputs": inputs, "axes": axes, "scale": scale, "out": out, "lse": lse}
    small = case.startswith("s")
    places, exact, exact_lse = sample(inputs, axes, scale, 96 if small else 24)
    known |= {"pick": lambda t: torch.stack([t[p] for p in places]).float(), "exact": exact, "exact_lse": exact_lse}
    known["ms"] = math.nan if small else milliseconds(lambda: triton_launch.forward(inputs, axes, scale))
    known["triton_error"] = (known["pick"](out) - exact).abs().max().item()
    return known


def work(jobs: list[int]) -> None:
    """Run configurations, one line of JSON each; stop at the first that fails, since the device may be unusable."""
    known, name = {}, ""
    for job in jobs:
        case, setting = JOBS[job]
        row: dict = {"job": job}
        try:
            if case != name:
                known, name = {}, case
                torch.cuda.empty_cache()
                known = compare(case)
            chosen = schedule(case, setting)

            def run(known: dict = known, chosen: gluon_forward.Schedule = chosen) -> tuple:
                return gluon_forward.forward(known["inputs"], known["axes"], known["scale"], chosen)

            out, lse = run()
            torch.cuda.synchronize()
            row["out"] = (out.float() - known["out"].float()).abs().max().item()
            row["lse"] = (lse - known["lse"]).abs().max().item()
            row["exact"] = (known["pick"](out) - known["exact"]).abs().max().item()
            row["exact_lse"] = (known["pick"](lse) - known["exact_lse"]).abs().max().item()
            row["finite"] = bool(out.isfinite().all() and lse.isfinite().all())
            again, _ = run()
            row["same"] = bool((again == out).all())
            row |= {"triton": known["triton_error"], "triton_ms": known["ms"], "ms": milliseconds(run)}
            del out, lse, again
        except Exception as error:
            row["error"] = f"{type(error).__name__}: " + " / ".join(str(error).strip().splitlines()[:4])[:500]
        print(json.dumps(row), flush=True)
        if "error" in row:
            return


def show(job: int, row: dict) -> None:
    """Print a row."""
    case, setting = JOBS[job]
    chosen = schedule(case, setting)
    title = f"{case:10s} {'x'.join(map(str, chosen.tile)):8s} {'x'.join(map(str, chosen.box)):7s} st{chosen.stages}"
    title += f" parts{chosen.parts}{' overlap' if chosen.overlap else '        '}"
    title += f"{' persistent' if chosen.persistent else '           '}"
    if "error" in row:
        print(f"{title} FAILED {row['error']}", flush=True)
        return
    batch, grid, heads, _, dim, window, *_ = CASES[case]
    flop = 4.0 * batch * math.prod(grid) * heads * math.prod(window) * dim
    good = row["finite"] and row["same"] and row["exact"] <= 2 * row["triton"] + 1e-3 and row["exact_lse"] < 5e-3
    good = good and row["out"] < 0.04 and row["lse"] < 5e-3
    print(
        f"{title} {'ok ' if good else 'BAD'} {row['ms']:8.3f} ms {flop / row['ms'] / 1e9:4.0f} TFLOP/s | triton "
        f"{row['triton_ms']:7.3f} ms | to triton {row['out']:.1e} lse {row['lse']:.1e} | to float32 {row['exact']:.1e} "
        f"(triton {row['triton']:.1e}) lse {row['exact_lse']:.1e}"
        f"{'' if row['same'] else ' DIFFERS FROM RUN TO RUN'}{'' if row['finite'] else ' NOT FINITE'}",
        flush=True,
    )


def supervise(jobs: list[int], timeout: float) -> None:
    """Run configurations in a worker that is killed when one of them hangs."""
    waiting = list(jobs)
    while waiting:
        command = [sys.executable, "-P", __file__, "--worker", ",".join(map(str, waiting))]
        worker = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        lines: queue.Queue[str | None] = queue.Queue()
        errors: list[str] = []

        def listen(stream=worker.stdout, lines: queue.Queue = lines) -> None:  # type: ignore[no-untyped-def]
            for line in stream:
                lines.put(line)
            lines.put(None)

        def overhear(stream=worker.stderr, errors: list = errors) -> None:  # type: ignore[no-untyped-def]
            errors.extend(stream)

        threads = [threading.Thread(target=target, daemon=True) for target in (listen, overhear)]
        for thread in threads:
            thread.start()
        fresh = True  # the first configuration pays for the imports
        while waiting:
            try:
                line = lines.get(timeout=timeout + (25 if fresh else 0))
            except queue.Empty:
                show(waiting.pop(0), {"error": "HANG: killed"})
                break
            if line is None:
                show(waiting.pop(0), {"error": "worker died: " + " / ".join(e.strip() for e in errors[-4:])[:500]})
                break
            if not line.startswith("{"):
                continue
            row = json.loads(line)
            show(waiting.pop(0), row)
            fresh = False
            if "error" in row:
                break
        worker.kill()
        worker.wait()


def main() -> None:
    """Compile, check and time."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", default=",".join(CASES))
    parser.add_argument("--processes", type=int, default=12)
    parser.add_argument("--timeout", type=float, default=20.0)
    parser.add_argument("--worker")
    args = parser.parse_args()
    if args.worker:
        work([int(job) for job in args.worker.split(",")])
        return
    jobs = [i for i, (case, _) in enumerate(JOBS) if case in args.only.split(",")]
    start = time.time()
    with multiprocessing.get_context("spawn").Pool(min(args.processes, len(jobs))) as pool:
        others = pool.map_async(warm_triton, sorted({JOBS[job][0] for job in jobs}), chunksize=1)
        found = pool.map_async(compile_one, jobs, chunksize=1).get(timeout=120)
        others.get(timeout=120)
    print(f"compiled in {time.time() - start:.0f} s", flush=True)
    for job, reason in zip(jobs, found, strict=True):
        if reason:
            show(job, {"error": "to compile: " + reason})
    supervise([job for job, reason in zip(jobs, found, strict=True) if not reason], args.timeout)
    print(f"total {time.time() - start:.0f} s")


if __name__ == "__main__":
    os.environ.setdefault("TRITON_CACHE_DIR", "/tmp/triton-cache")
    main()

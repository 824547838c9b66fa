"""Check the Gluon backward kernels of neighborhood attention on a Hopper GPU, and time them beside the Triton kernels.

    python -P benchmarks/kernels_gluon_backward.py [--only s2d,flux_na] [--kernel key] [--processes 12] [--timeout 20]

All kernels are compiled first, by several processes that start none of them. Then a worker runs one configuration after
the other; the parent kills it when one takes too long (HANG), and starts another with the next configuration. Errors
are the largest absolute ones, as parts of the largest gradient: to the plain Triton kernels, and on small grids to
autograd of the float32 reference, of the Gluon and of the plain kernel. For query these are d_query and delta, for key
d_key and d_value. TFLOP/s count the windows' keys only.
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

from foveate.kernels.neighborhood import gluon_backward, reference
from foveate.kernels.neighborhood.gluon_forward import Schedule, describe
from foveate.kernels.neighborhood.plan import tiling_for
from foveate.kernels.neighborhood.problem import Inputs
from foveate.kernels.window import check_axes

# batch, grid, heads, heads of keys, dim, window, stride, type, whether q, k and v are views of one tensor
CASES = {
    "s2d": (2, (33, 40), 4, 2, 64, (16, 16), (4, 8), "bfloat16", False),
    "s2d_view": (1, (37, 29), 3, 3, 128, (20, 21), (5, 3), "bfloat16", True),
    "s3d": (2, (9, 12, 20), 2, 1, 128, (5, 7, 9), 1, "float16", False),
    "s3d_wide": (1, (12, 20, 40), 2, 2, 64, (5, 7, 33), (2, 1, 4), "bfloat16", True),
    "flux_gna": (1, (256, 256), 24, 24, 128, (80, 80), 16, "bfloat16", False),
    "flux_na": (1, (256, 256), 24, 24, 128, (80, 80), 1, "bfloat16", False),
    "video_gna": (1, (30, 48, 80), 24, 24, 128, (18, 24, 24), (16, 8, 8), "bfloat16", False),
    "video_na": (1, (30, 48, 80), 24, 24, 128, (18, 24, 24), 1, "bfloat16", False),
    "k33_256": (2, (256, 256), 8, 8, 64, (33, 33), 1, "bfloat16", False),
}
PLAIN: dict = {"overlap": True}
STEPWISE: dict = {"overlap": False}
LARGE: dict = {"overlap": False, "block": 128}
# Arguments of gluon_backward.schedule_for; a box stands for that of the rule.
SETTINGS: dict[tuple[str, str], list[dict]] = {
    ("s2d", "key"): [STEPWISE, PLAIN, {"persistent": True, "stages": 2}],
    ("s2d", "query"): [STEPWISE, PLAIN, {"persistent": True, "stages": 3}],
    ("s2d_view", "key"): [PLAIN, {"tile": (1, 8, 16), "box": (1, 4, 16), "overlap": False}],
    ("s2d_view", "query"): [PLAIN, LARGE],
    ("s3d", "key"): [PLAIN, {"tile": (2, 8, 8), "persistent": True, "overlap": False}],
    ("s3d", "query"): [PLAIN, {"tile": (2, 8, 8), "persistent": True, "overlap": False}],
    ("s3d_wide", "key"): [{"box": (1, 2, 32)}],
    ("s3d_wide", "query"): [{"box": (1, 2, 32)}],
    ("flux_gna", "key"): [PLAIN, STEPWISE, {"persistent": True}, {"box": (1, 16, 4)}, {"tile": (1, 8, 16)}],
    ("flux_gna", "query"): [PLAIN, STEPWISE, {"persistent": True}, LARGE],
    ("flux_na", "key"): [PLAIN, STEPWISE, {"persistent": True}, {"overlap": False, "stages": 3}],
    ("flux_na", "query"): [PLAIN, STEPWISE, {"persistent": True}, LARGE],
    ("video_gna", "key"): [PLAIN, STEPWISE, {"tile": (2, 8, 8)}, {"tile": (2, 8, 8), "overlap": False}],
    ("video_gna", "query"): [PLAIN, STEPWISE, {"tile": (2, 8, 8)}, LARGE],
    ("video_na", "key"): [PLAIN, STEPWISE, {"tile": (2, 8, 8), "overlap": False}],
    ("video_na", "query"): [PLAIN, STEPWISE, LARGE],
    ("k33_256", "key"): [PLAIN, STEPWISE, {"persistent": True}],
    ("k33_256", "query"): [PLAIN, STEPWISE, {"persistent": True}, LARGE],
}
JOBS = [(case, kernel, setting) for (case, kernel), settings in SETTINGS.items() for setting in settings]
PRODUCTS = {"query": 3, "key": 4}


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
    d_out = make(batch, *grid, heads, dim, device=device, dtype=dtype)
    d_lse = make(batch, *grid, heads, device=device) if case.startswith("s") else None
    return Inputs(q, k, v), d_out, d_lse, check_axes(grid, window, stride), dim**-0.5


def schedule(job: int) -> Schedule:
    """Choose the schedule of a setting."""
    case, kernel, setting = JOBS[job]
    _, grid, _, _, dim, window, stride, *_ = CASES[case]
    rest = {key: value for key, value in setting.items() if key != "box"}
    if "box" in setting:
        rest["block"] = math.prod(setting["box"])
    chosen = gluon_backward.schedule_for(check_axes(grid, window, stride), dim, kernel, **rest)
    return Schedule(**(vars(chosen) | {"box": setting.get("box", chosen.box)}))


def compile_one(job: int) -> str:
    """Compile a configuration without starting it; return what went wrong."""
    case, kernel, _ = JOBS[job]
    try:
        inputs, d_out, d_lse, axes, scale = problem(case, "cpu")
        rows = (inputs.query, d_out) if kernel == "query" else (inputs.key, inputs.value)
        call = gluon_backward.prepare(kernel, inputs, rows, axes, schedule(job), d_lse is not None)
        grids = (inputs.key, inputs.value) if kernel == "query" else (inputs.query, d_out)
        numbers, like = torch.empty(8), torch.empty(8, dtype=d_out.dtype)
        pointers: tuple = (*rows, numbers, numbers, like, like)
        if kernel == "query":
            pointers = (rows[0], like, numbers, rows[1], numbers, like, numbers)
        described = (describe(grids[0], call.box), describe(grids[1], call.box))
        gluon_backward.compile_and_start(call, (*described, *pointers), scale, warmup=True)
    except Exception as error:
        return f"{type(error).__name__}: " + " / ".join(str(error).strip().splitlines()[-6:])[:600]
    return ""


def plain(case: str) -> dict:
    """Run the plain Triton kernels of a case, and the float32 reference of a small one."""
    from foveate.kernels.neighborhood import triton_launch

    inputs, d_out, d_lse, axes, scale = problem(case, "cuda")
    out, lse = triton_launch.forward(inputs, axes, scale)
    tilings = {kernel: tiling_for(axes, inputs.query.shape[-1], kernel, "sm90") for kernel in PRODUCTS}
    known: dict = {"arguments": (inputs, out, lse, d_out, d_lse, axes, scale)}

    def query() -> tuple:
        return triton_launch.query_gradient(inputs, out, lse, d_out, d_lse, axes, scale, tilings["query"])

    known["query"] = query()
    known["delta"] = known["query"][1]

    def key() -> tuple:
        return triton_launch.key_gradient(inputs, lse, known["delta"], d_out, axes, scale, tilings["key"])

    known["key"] = key()
    known["run"] = {"query": query, "key": key}
    if case.startswith("s"):
        leaves = [tensor.float().requires_grad_() for tensor in inputs[:3]]
        exact, exact_lse = reference.forward(Inputs(*leaves), axes, scale)
        grads = torch.autograd.grad([exact, exact_lse], leaves, [d_out.float(), d_lse])
        known["exact query"] = grads[0], (exact * d_out.float()).sum(-1).detach() - d_lse
        known["exact key"] = grads[1], grads[2]
    return known


def warm_triton(case: str) -> None:
    """Leave what the plain kernels need in the compiler's cache."""
    plain(case)
    torch.cuda.synchronize()


def distances(found: tuple, others: tuple) -> list[float]:
    """Largest differences, as parts of the largest number."""
    pairs = [(f.float(), o.float()) for f, o in zip(found, others, strict=True)]
    return [((f - o).abs().max() / o.abs().max().clamp_min(1e-9)).item() for f, o in pairs]


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


def work(jobs: list[int]) -> None:
    """Run configurations, one line of JSON each; stop at the first that fails, since the device may be unusable."""
    known, name, times = {}, "", {}
    for job in jobs:
        case, kernel, _ = JOBS[job]
        row: dict = {"job": job}
        try:
            if case != name:
                known, name, times = {}, case, {}
                torch.cuda.empty_cache()
                known = plain(case)
            if kernel not in times:
                times[kernel] = math.nan if case.startswith("s") else milliseconds(known["run"][kernel])
            chosen = schedule(job)

            def run(known: dict = known, kernel: str = kernel, chosen: Schedule = chosen) -> tuple:
                inputs, out, lse, d_out, d_lse, axes, scale = known["arguments"]
                if kernel == "query":
                    return gluon_backward.query_gradient(inputs, out, lse, d_out, d_lse, axes, scale, chosen)
                return gluon_backward.key_gradient(inputs, lse, known["delta"], d_out, axes, scale, chosen)

            found = run()
            torch.cuda.synchronize()
            row["to plain"] = distances(found, known[kernel])
            if case.startswith("s"):
                row["exact"] = distances(found, known[f"exact {kernel}"])
                row["plain exact"] = distances(known[kernel], known[f"exact {kernel}"])
            row["finite"] = all(bool(tensor.isfinite().all()) for tensor in found)
            row["same"] = all(bool((a == b).all()) for a, b in zip(run(), found, strict=True))
            del found
            row |= {"plain_ms": times[kernel], "ms": milliseconds(run)}
        except Exception as error:
            row["error"] = f"{type(error).__name__}: " + " / ".join(str(error).strip().splitlines()[:4])[:500]
        print(json.dumps(row), flush=True)
        if "error" in row:
            return


def show(job: int, row: dict) -> None:
    """Print a row."""
    case, kernel, _ = JOBS[job]
    chosen = schedule(job)
    title = f"{case:9s} {kernel:5s} {'x'.join(map(str, chosen.tile)):6s} {'x'.join(map(str, chosen.box)):6s} "
    title += f"st{chosen.stages} {'overlap' if chosen.overlap else '       '} {'pers' if chosen.persistent else '    '}"
    if "error" in row:
        print(f"{title} FAILED {row['error']}", flush=True)
        return
    batch, grid, heads, _, dim, window, *_ = CASES[case]
    flop = 2.0 * PRODUCTS[kernel] * batch * math.prod(grid) * heads * math.prod(window) * dim
    good = row["finite"] and row["same"] and max(row["to plain"]) < 2e-2
    errors = "to plain " + " ".join(f"{e:.1e}" for e in row["to plain"])
    if "exact" in row:
        good = good and all(e <= 2 * p + 2e-3 for e, p in zip(row["exact"], row["plain exact"], strict=True))
        errors += " | to float32 " + " ".join(f"{e:.1e}" for e in row["exact"])
        errors += " (plain " + " ".join(f"{e:.1e}" for e in row["plain exact"]) + ")"
    print(
        f"{title} {'ok ' if good else 'BAD'} {row['ms']:8.3f} ms {flop / row['ms'] / 1e9:4.0f} TFLOP/s | plain "
        f"{row['plain_ms']:7.3f} ms | {errors}"
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
    parser.add_argument("--kernel", default="key,query")
    parser.add_argument("--processes", type=int, default=12)
    parser.add_argument("--timeout", type=float, default=20.0)
    parser.add_argument("--worker")
    args = parser.parse_args()
    if args.worker:
        work([int(job) for job in args.worker.split(",")])
        return
    jobs = [i for i, (case, kernel, _) in enumerate(JOBS) if case in args.only.split(",") and kernel in args.kernel]
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

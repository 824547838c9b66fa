"""Inference speed of the families' models beside their own plain-torch path, on a GPU or a CPU, in one run.

    python -P benchmarks/backbones_speed.py --device cuda --json result.json
    python -P benchmarks/backbones_speed.py --device cpu --threads 2

The plain path is the same model with every attention module set to the backend "reference"; all else, convolutions
too, is the same in both, so that the ratio is that of attention within the whole. On a GPU: bfloat16, batches of 128 at
224, eager and compiled; on a CPU: float32, one picture. patnet_t2 has no fused operator and is compared with timm's
fasternet_t2, by multiply-adds where sizes differ. OverLoCK's large kernels run merged in both paths, on tensor cores in
the fused one; ``--merged`` merges their weights before, as for deployment. ``--apart`` adds a path "apart", in which
attention is plain and every branch is a convolution and a norm of torch, as the authors train it. ``--ways fused``
leaves the plain path out: compiling that of OverLoCK takes minutes.
"""

import argparse
import json
import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import timm
import torch
from timm.utils.model import reparameterize_model
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

import foveate.backbones  # noqa: F401
from foveate.backbones.layers.reparam import DilatedReparam

MODELS = ("nat_tiny", "biformer_small", "overlock_tiny", "patnet_t2", "fasternet_t2")


def use_backend(model: nn.Module, backend: str | None) -> int:
    """Set the backend of every attention module, and count them."""
    found = [module for module in model.modules() if hasattr(module, "backend")]
    for module in found:
        module.backend = backend  # type: ignore[assignment]
    return len(found)


@contextmanager
def branches_apart(model: nn.Module) -> Iterator[int]:
    """Run the branches of OverLoCK's large kernels one by one, as watched modules do, and count the kernels."""
    kernels = [module for module in model.modules() if isinstance(module, DilatedReparam)]
    hooks = [kernel.lk_origin.register_forward_hook(lambda module, inputs, output: None) for kernel in kernels]
    try:
        yield len(kernels)
    finally:
        for hook in hooks:
            hook.remove()


def seconds(run: Callable[[], object], device: str, budget: float) -> float:
    """Median time of a run."""

    def once() -> float:
        start = time.perf_counter()
        run()
        if device == "cuda":
            torch.cuda.synchronize()
        return time.perf_counter() - start

    for _ in range(2):
        once()
    count = max(5, min(50, int(budget / once())))
    return statistics.median(once() for _ in range(count))


def multiply_adds(model: nn.Module, x: torch.Tensor) -> float:
    """Count multiply-adds for one picture, attention as plain products."""
    with FlopCounterMode(display=False) as counter, torch.inference_mode():
        model(x[:1])
    return counter.get_total_flops() / 2


def measure(
    name: str, device: str, budget: float, compiled: bool, apart: bool, merged: bool, wanted: str
) -> dict[str, object]:
    """Time one model in the ways wanted."""
    dtype = torch.bfloat16 if device == "cuda" else torch.float32
    batch = 128 if device == "cuda" else 1
    torch.manual_seed(0)
    model = timm.create_model(name).eval().to(device, dtype)
    if merged:
        model = reparameterize_model(model)
    x = torch.randn(batch, 3, 224, 224, device=device, dtype=dtype)
    row: dict[str, object] = {"model": name, "batch": batch, "device": device, "merged": merged}
    fused = use_backend(model, "reference") > 0
    row["multiply-adds"] = multiply_adds(model, x)
    ways = {"plain": "reference", "fused": None} if fused else {"eager": None}
    with torch.inference_mode():
        for way, backend in ways.items():
            if fused and way not in wanted.split(","):
                continue
            use_backend(model, backend)
            row[way] = batch / seconds(lambda: model(x), device, budget)
            if compiled:
                torch._dynamo.reset()
                quick = torch.compile(model)
                row[f"{way} compiled"] = batch / seconds(lambda quick=quick: quick(x), device, budget)  # type: ignore[misc]
        if apart:
            use_backend(model, "reference")
            with branches_apart(model) as count:
                if count:
                    row["apart"] = batch / seconds(lambda: model(x), device, budget)
    if "fused" in row and "plain" in row:
        row["fused / plain"] = row["fused"] / row["plain"]  # type: ignore[operator]
    return row


def in_turns(rounds: int) -> None:
    """Time PATNet beside FasterNet on a CPU, in turns, by the time of all threads: others may use the machine."""
    model = timm.create_model("patnet_t2").eval()
    models = {
        "fasternet_t2": timm.create_model("fasternet_t2").eval(),
        "patnet_t2": model,
        "patnet_t2 reparameterized": reparameterize_model(model),
    }
    x = torch.randn(1, 3, 224, 224)
    works = {name: multiply_adds(model, x) for name, model in models.items()}
    # What the reparameterized model computes is what the other one stands for.
    works["patnet_t2 reparameterized"] = works["patnet_t2"]
    times: dict[str, list[float]] = {name: [] for name in models}
    with torch.inference_mode():
        for number in range(rounds + 3):
            for name, network in models.items():
                start = time.process_time()
                network(x)
                if number >= 3:
                    times[name].append(time.process_time() - start)
    speeds = {name: works[name] / statistics.median(times[name]) for name in models}
    for name, speed in speeds.items():
        milliseconds = statistics.median(times[name]) * 1e3
        print(
            f"{name:26} {milliseconds:6.1f} ms, {speed / speeds['fasternet_t2']:.2f} of fasternet_t2 by multiply-adds"
        )


def main() -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--threads", type=int)
    parser.add_argument("--models", "--only", default=",".join(MODELS), help="names, with commas between")
    parser.add_argument("--budget", type=float, default=2.0, help="seconds of runs for each number")
    parser.add_argument("--eager", action="store_true", help="leave compiled models out")
    parser.add_argument("--apart", action="store_true", help="time OverLoCK with its branches one by one as well")
    parser.add_argument("--merged", action="store_true", help="merge the branches of large kernels before")
    parser.add_argument("--ways", default="plain,fused", help="plain, fused or both with a comma between")
    parser.add_argument("--turns", type=int, help="only time PATNet and FasterNet on a CPU, so many rounds in turns")
    parser.add_argument("--json", type=Path)
    args = parser.parse_args()
    if args.threads:
        torch.set_num_threads(args.threads)
    if args.turns:
        in_turns(args.turns)
        return
    rows = []
    for name in args.models.split(","):
        compiled = not args.eager and args.device == "cuda"
        rows.append(measure(name, args.device, args.budget, compiled, args.apart, args.merged, args.ways))
        print(json.dumps({k: round(v, 2) if isinstance(v, float) else v for k, v in rows[-1].items()}), flush=True)
        if args.json:
            where = torch.cuda.get_device_name() if args.device == "cuda" else f"CPU, {torch.get_num_threads()} threads"
            facts = {"on": where, "torch": torch.__version__, "date": time.strftime("%Y-%m-%d")}
            args.json.write_text(json.dumps(facts | {"rows": rows}, indent=1) + "\n")


if __name__ == "__main__":
    main()

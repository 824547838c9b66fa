"""Time one click on a 1280x800 screenshot with the model loaded: ``python -P benchmarks/point_latency.py``."""

import argparse
import json
import platform
import resource
import statistics
import time

import torch

import foveate
from foveate.vision.examples import find_example


def main() -> None:
    """Print the median, the extremes and the peak memory as JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--repeats", type=int, default=15)
    parser.add_argument("--model", default="foveate-point-s")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    pointer = foveate.Pointer(arguments.model, "cpu")
    example = find_example("mail")
    seconds = []
    for _ in range(arguments.repeats + 1):
        start = time.perf_counter()
        pointer(example.path, example.instruction)
        seconds.append(time.perf_counter() - start)
    result = {
        "median_s": round(statistics.median(seconds[1:]), 3),
        "min_s": round(min(seconds[1:]), 3),
        "max_s": round(max(seconds[1:]), 3),
        "peak_rss_gb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6, 2),
        "threads": arguments.threads,
        "torch": torch.__version__,
        "machine": platform.machine(),
    }
    print(json.dumps(result))


if __name__ == "__main__":
    main()

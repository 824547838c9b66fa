"""Captures real desktop programs for training: runs them in many looks and writes shards of screens.

Use: ``python -m foveate.grounding.synthetic.desktop --out shards/desktop --rounds 2 --seed 1 --minutes 60``. Programs,
themes, icon sets and fonts come from ``scripts/fetch_desktop_programs.sh``; each run gets an X server of its own.
"""

import argparse
import json
import logging
import random
import shutil
import time
from collections.abc import Sequence
from pathlib import Path

from tqdm import tqdm

from foveate.grounding.synthetic.desktop_convert import convert_run
from foveate.grounding.synthetic.desktop_programs import Program, all_programs
from foveate.grounding.synthetic.desktop_run import run_program
from foveate.grounding.synthetic.screens import Screen, write_shard

logger = logging.getLogger(__name__)

_EMPTY = 4


def plan_runs(programs: Sequence[Program], rounds: int, seed: int) -> list[tuple[Program, int]]:
    """Order the runs: every program once in each round, in another order each time.

    Args:
        programs: What can be run.
        rounds: Runs of each program, each in another look.
        seed: Decides the order.

    Returns:
        (program, round) pairs.
    """
    order = []
    for number in range(rounds):
        row = list(programs)
        random.Random(f"{seed}/{number}").shuffle(row)
        order += [(program, number) for program in row]
    return order


def is_silent(raw: Path, program: Program) -> bool:
    """Tell whether an earlier round of a program ran and had nothing to read."""
    for facts in raw.glob(f"{program.name}-[0-9]*/run.json"):
        captures = [p for p in facts.parent.glob("[0-9]*.json") if p.stat().st_size > 4000]
        if len(captures) >= _EMPTY:
            return False
    return any(raw.glob(f"{program.name}-[0-9]*/run.json"))


def capture_programs(
    raw: Path, rounds: int, seed: int, minutes: float, seconds: float = 24.0, display: int = 95
) -> list[Path]:
    """Run programs until the time is over; runs that are done already are kept.

    Args:
        raw: Folder of the raw captures.
        rounds: Runs of each program.
        seed: Decides order, looks, files and steps.
        minutes: Time to spend.
        seconds: Time of one run's steps.
        display: Number of the X display.

    Returns:
        Folders of the finished runs.
    """
    end = time.monotonic() + 60 * minutes
    runs = plan_runs(all_programs(), rounds, seed)
    for program, number in tqdm(runs, desc="programs"):
        folder = raw / f"{program.name}-{number}"
        if (folder / "run.json").exists() or (number > 0 and is_silent(raw, program)):
            continue
        if time.monotonic() > end:
            break
        try:
            run_program(program, f"{seed}/{number}", folder, display, seconds)
        except (OSError, RuntimeError) as error:
            logger.warning("%s left out in round %d: %s", program.name, number, error)
    return sorted(path.parent for path in raw.glob("*/run.json"))


def deal(names: Sequence[str], size: int, seed: int) -> list[list[str]]:
    """Deal screens to shards: mixed, but whole runs in the last one.

    Args:
        names: RUN-NUMBER of each screen.
        size: Most screens of a shard.
        seed: Decides how they are mixed.

    Returns:
        Names by shard.
    """
    rng = random.Random(seed)
    runs: dict[str, list[str]] = {}
    for name in names:
        runs.setdefault(name.rsplit("-", 1)[0], []).append(name)
    order = sorted(runs)
    rng.shuffle(order)
    last: list[str] = []
    for run in order:
        if len(last) + len(runs[run]) <= min(size, len(names) // 4):
            last += runs[run]
    others = sorted(set(names) - set(last))
    rng.shuffle(others)
    rng.shuffle(last)
    shards = -(-len(others) // size)
    return [others[k::shards] for k in range(shards)] + ([last] if last else [])


def write_screens(folders: Sequence[Path], out: Path, seed: int, size: int = 60, most: int = 24) -> dict[str, int]:
    """Convert finished runs and write their screens, mixed, into shards.

    The last shard takes whole runs, so that it can be held out: no other shard shows the same window in the same look.

    Args:
        folders: Folders of ``run_program``.
        out: Folder of the shards; those of an earlier call are replaced.
        seed: Decides how screens are mixed.
        size: Most screens of a shard.
        most: Most screens of one run.

    Returns:
        Screens kept of each program.
    """
    out.mkdir(parents=True, exist_ok=True)
    screens: dict[str, Screen] = {}
    kept: dict[str, int] = {}
    report = []
    for folder in tqdm(folders, desc="runs"):
        made, counts = convert_run(folder, most)
        screens.update(made)
        program = json.loads((folder / "run.json").read_text(encoding="utf-8"))["program"]
        kept[program] = kept.get(program, 0) + len(made)
        report.append({"run": folder.name, **counts})
    parts = deal(sorted(screens), size, seed)
    for old in out.glob("desktop-*.zip"):
        old.unlink()
    for number, names in enumerate(parts):
        write_shard(out / f"desktop-{number:03d}.zip", {n: screens[n] for n in names}, quality=75)
    (out / "report.json").write_text(json.dumps(report, indent=0), encoding="utf-8")
    return kept


def main(arguments: Sequence[str] | None = None) -> None:
    """Capture and convert, from the command line."""
    parser = argparse.ArgumentParser(prog="desktop", description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--out", type=Path, required=True, help="folder of the shards")
    parser.add_argument("--raw", type=Path, help="folder of the raw captures; default raw beside the shards")
    parser.add_argument("--rounds", type=int, default=2, help="runs of each program, each in another look")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--minutes", type=float, default=60.0, help="time for running programs; 0 only converts")
    parser.add_argument("--seconds", type=float, default=24.0, help="time for the steps of one run")
    parser.add_argument("--display", type=int, default=95, help="number of the X display to start")
    chosen = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO)
    if not shutil.which("Xvfb"):
        raise RuntimeError("no Xvfb was found: install the packages of scripts/fetch_desktop_programs.sh")
    raw = chosen.raw or chosen.out / "raw"
    folders = capture_programs(raw, chosen.rounds, chosen.seed, chosen.minutes, chosen.seconds, chosen.display)
    kept = write_screens(folders, chosen.out, chosen.seed)
    logger.info("%d screens of %d programs", sum(kept.values()), sum(n > 0 for n in kept.values()))


if __name__ == "__main__":
    main()

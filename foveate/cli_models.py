"""``foveate models``: all models with their size, accuracy, licence and weights, from tables that need no torch."""

import argparse
import json
import runpy
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from foveate.console import OK, UsageError, say

# The family of models that answer a verb, in place of one that timm builds.
_POINTING = "point"
_EXAMPLES = """examples:
  foveate models                    everything
  foveate models --family nat       one family
  foveate models --json             with addresses, sources and notes

weights:
  packaged   come with foveate
  official   the authors' file, which timm.create_model(NAME, pretrained=True) fetches
  offline    once published, but no address leads there now: give your file,
             pretrained=True, pretrained_cfg_overlay={"file": PATH}
  none       the authors published none
"""


def add_parser(verbs: Any) -> None:
    """Add the verb to the parsers of the command.

    Args:
        verbs: Subparsers of the command.
    """
    parser = verbs.add_parser(
        "models",
        help="list the models: size, accuracy, licence, and where weights are",
        description="Models that point, and backbones that timm.create_model builds after import foveate.backbones.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--family", metavar="NAME", help="only these; a wrong name lists them")
    parser.add_argument("--json", action="store_true", help="print JSON with all that is known")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Print the table.

    Args:
        args: With ``family`` and ``json``.

    Returns:
        Exit code.

    Raises:
        UsageError: There is no such family.
    """
    rows = _pointing_rows() + _backbone_rows()
    families = list(dict.fromkeys(row["family"] for row in rows))
    if args.family is not None:
        if args.family not in families:
            raise UsageError(f"--family {args.family} is no family: use one of {', '.join(families)}")
        rows = [row for row in rows if row["family"] == args.family]
    say(json.dumps(rows, indent=2) if args.json else _table(rows))
    return OK


def _pointing_rows() -> list[dict[str, Any]]:
    from foveate.grounding.catalog import MODELS

    return [{"family": _POINTING, **entry.to_dict()} for entry in MODELS]


def _backbone_rows() -> list[dict[str, Any]]:
    """Read the table of the room backbones alone: to import the room is to register its models, which takes torch."""
    room = find_spec("foveate.backbones")
    if room is None or not room.submodule_search_locations:
        raise RuntimeError("the room foveate.backbones is not here: install foveate again")
    table = runpy.run_path(str(Path(room.submodule_search_locations[0]) / "catalog.py"))
    return [entry.to_dict() for entry in table["BACKBONES"]]


_HEADER = ("name", "family", "parameters", "MACs", "pixels", "top-1", "licence", "weights")
_RIGHT = ("parameters", "MACs", "pixels", "top-1")


def _table(rows: list[dict[str, Any]]) -> str:
    lines = [_HEADER, *(_cells(row) for row in rows)]
    widths = [max(len(line[i]) for line in lines) for i in range(len(_HEADER))]
    return "\n".join(
        "  ".join(
            cell.rjust(width) if title in _RIGHT else cell.ljust(width)
            for title, cell, width in zip(_HEADER, line, widths, strict=True)
        ).rstrip()
        for line in lines
    )


def _cells(row: dict[str, Any]) -> tuple[str, ...]:
    weights = str(row["weights"])
    if row.get("megabytes"):
        weights += f", {row['megabytes']:.1f} MB"
    if row.get("reconstruction"):
        weights += ", reconstruction"
    return (
        row["name"],
        row["family"],
        f"{row['parameters'] / 1e6:.1f} M" if row["parameters"] else "-",
        f"{row['macs'] / 1e9:.2f} G" if row.get("macs") else "-",
        str(row.get("size") or "-"),
        str(row.get("top1") or "-"),
        row["licence"],
        weights,
    )

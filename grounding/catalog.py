"""The models of this room, known without importing torch: the command ``foveate models`` reads this."""

import json
import os
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

# A safetensors header is JSON after its length in 8 bytes; a longer one than this is not ours.
_LONGEST_HEADER = 50_000_000


@dataclass(frozen=True)
class WeightsInfo:
    """What the header of a safetensors file says.

    Args:
        parameters: Numbers stored.
        megabytes: Size of the file, 1e6 bytes.
        facts: What training wrote into it; empty when nothing.
    """

    parameters: int
    megabytes: float
    facts: dict[str, Any]


@dataclass(frozen=True)
class ModelEntry:
    """A model that can be asked for by name.

    Args:
        name: What ``--model`` takes.
        task: The verb it answers.
        licence: Licence of the weights.
        about: One sentence.
    """

    name: str
    task: str
    licence: str
    about: str

    @property
    def path(self) -> Path:
        """Where the packaged weights lie, whether they are there or not."""
        return Path(str(files("foveate.grounding"))) / "weights" / f"{self.name}.safetensors"

    def to_dict(self) -> dict[str, Any]:
        """Return the row of the table; weights is packaged, missing or unreadable."""
        row: dict[str, Any] = {"name": self.name, "task": self.task, "licence": self.licence, "about": self.about}
        row |= {"parameters": None, "megabytes": None, "facts": {}, "weights": "missing"}
        if self.path.is_file():
            try:
                info = read_weights_info(self.path)
            except ValueError:
                return row | {"weights": "unreadable"}
            row |= {
                "parameters": info.parameters,
                "megabytes": info.megabytes,
                "facts": info.facts,
                "weights": "packaged",
            }
        return row


MODELS = (
    ModelEntry(
        "foveate-point-s",
        "point",
        "Apache-2.0",
        "Points at what a sentence names on a screenshot; comes with the package and runs on a CPU.",
    ),
)


def read_weights_info(path: str | Path) -> WeightsInfo:
    """Read the header of a safetensors file.

    Args:
        path: The file.

    Returns:
        Counts, size and facts.

    Raises:
        ValueError: The file cannot be read or is cut short.
    """
    file = Path(path)
    try:
        size = file.stat().st_size
        with file.open("rb") as stream:
            length = int.from_bytes(stream.read(8), "little")
            if not 2 <= length <= min(size - 8, _LONGEST_HEADER):
                raise ValueError("the header has an impossible length")
            header = json.loads(stream.read(length))
        notes = header.pop("__metadata__", {})
        facts = json.loads(notes.get("facts", "{}"))
        end = max((entry["data_offsets"][1] for entry in header.values()), default=0)
        counts = [_product(entry["shape"]) for entry in header.values()]
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise ValueError(f"cannot read the weights {file.name} ({error}): install or train them again") from error
    if size != 8 + length + end:
        raise ValueError(
            f"the weights {file.name} have {size} bytes, not {8 + length + end}: install or train them again"
        )
    return WeightsInfo(sum(counts), size / 1e6, facts if isinstance(facts, dict) else {})


def _product(shape: list[int]) -> int:
    count = 1
    for side in shape:
        count *= side
    return count


def cpu_count() -> int:
    """Cores this process may use, which a container can make fewer than the machine has."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1

"""The example screenshots of the package, drawn by ourselves and free to use (CC0)."""

from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

from foveate.vision.geometry import Box


@dataclass(frozen=True)
class Example:
    """A packaged screenshot with something to look for on it.

    Args:
        name: What the command line calls it.
        instruction: What to click.
        targets: Boxes in which a click is right, pixels.
    """

    name: str
    instruction: str
    targets: tuple[Box, ...]

    @property
    def path(self) -> Path:
        """The picture, 1280x800 PNG."""
        return Path(str(files("foveate.vision"))) / "data" / f"{self.name}.png"


EXAMPLES = (
    Example("mail", "reply to the message", (Box(632, 580, 742, 614), Box(618, 66, 650, 94))),
    Example("settings", "save the changes", (Box(1124, 690, 1240, 724),)),
    Example("files", "delete the selected file", (Box(526, 12, 554, 40),)),
)


def find_example(name: str) -> Example:
    """Find a packaged example.

    Args:
        name: mail, settings or files.

    Returns:
        The example.

    Raises:
        ValueError: There is no such example.
    """
    for example in EXAMPLES:
        if example.name == name:
            return example
    raise ValueError(f"no example {name!r}: there are {', '.join(example.name for example in EXAMPLES)}")

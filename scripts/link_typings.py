"""Link the rooms under typings/foveate/, where mypy and pyright look for them.

The rooms lie at the root of the repository and import as foveate.ROOM, a mapping that type checkers do not see.
"""

from pathlib import Path

root = Path(__file__).resolve().parents[1]
farm = root / "typings" / "foveate"
farm.mkdir(parents=True, exist_ok=True)
for old in farm.iterdir():
    old.unlink()
door = [path for path in (root / "foveate").iterdir() if path.suffix in {".py", ".typed"}]
rooms = [path.parent for path in root.glob("*/__init__.py") if path.parent.name != "foveate"]
for target in door + rooms:
    # Relative links, so that the checkout can move.
    (farm / target.name).symlink_to(Path("../..") / target.relative_to(root))

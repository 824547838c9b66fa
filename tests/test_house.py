"""The house itself: which room may use which, what the package holds, and that everything public says what it takes."""

import ast
import doctest
import importlib
import os
import pkgutil
import re
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
import setuptools.config.pyprojecttoml

ROOT = Path(__file__).resolve().parents[1]
# What each room may import of foveate, beside itself. errors is the one module of the front door that rooms share.
MAY_USE = {
    "kernels": {"errors"},
    "vision": {"errors"},
    "backbones": {"errors", "kernels", "vision"},
    "grounding": {"errors", "vision", "backbones"},
    "scanpath": {"errors", "vision", "backbones"},
    "demos": {"errors", "kernels", "vision", "backbones", "grounding", "scanpath"},
}
ROOMS = tuple(MAY_USE)


def sources(folder: str) -> list[Path]:
    return sorted((ROOT / folder).rglob("*.py"))


def imported(tree: ast.AST) -> Iterator[str]:
    """Names of all modules that a tree imports, at any depth."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"relative import in line {node.lineno}"
            yield str(node.module)
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def rooms_in(tree: ast.AST) -> set[str]:
    """Parts of foveate that a tree imports; the package itself and its front-door names count as none."""
    parts = {name.split(".")[1] for name in imported(tree) if name.startswith("foveate.")}
    return parts & {*ROOMS, "tests", *(path.stem for path in sources("foveate"))}


def test_the_table_names_every_room() -> None:
    found = {path.parent.name for path in ROOT.glob("*/__init__.py")} - {"foveate"}
    assert found == set(ROOMS)


@pytest.mark.parametrize("path", [p for room in ROOMS for p in sources(room)], ids=lambda p: str(p.relative_to(ROOT)))
def test_rooms_use_only_rooms_below(path: Path) -> None:
    room = path.relative_to(ROOT).parts[0]
    tree = ast.parse(path.read_text())
    assert rooms_in(tree) <= MAY_USE[room] | {room}
    bare = {name.split(".")[0] for name in imported(tree)}
    assert not bare & {*ROOMS, "tests"}, "rooms import as foveate.ROOM"


@pytest.mark.parametrize("path", sources("foveate"), ids=lambda p: p.name)
def test_the_front_door_opens_rooms_only_when_asked(path: Path) -> None:
    tree = ast.parse(path.read_text())
    for node in list(ast.walk(tree)):
        typing_only = isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"
        if isinstance(node, ast.FunctionDef) or typing_only:
            node.body = []
    assert not rooms_in(tree) & {*ROOMS}
    assert not {name.split(".")[0] for name in imported(tree)} & {"torch", "numpy", "timm", "PIL", "gradio"}


def test_pyproject_lists_every_package_of_the_tree() -> None:
    tool = setuptools.config.pyprojecttoml.load_file(ROOT / "pyproject.toml")["tool"]["setuptools"]
    folders = {
        "foveate" if folder == "foveate" else f"foveate.{folder.replace('/', '.')}": folder
        for room in ("foveate", *ROOMS)
        for folder in (str(p.parent.relative_to(ROOT)) for p in (ROOT / room).rglob("__init__.py"))
    }
    assert tool["package-dir"] == folders
    assert sorted(tool["packages"]) == sorted(folders)
    for path in (path for room in ROOMS for path in sources(room)):
        assert (path.parent / "__init__.py").exists(), f"{path.parent} needs an __init__.py to be packaged"
    for package, patterns in tool["package-data"].items():
        for pattern in patterns:
            optional = pattern == "weights/*"  # they come with a release
            assert optional or list((ROOT / folders[package]).glob(pattern)), f"{package}: {pattern} matches nothing"


def test_doctor_looks_at_every_dependency() -> None:
    from foveate.doctor import NEEDED, OPTIONAL

    project = setuptools.config.pyprojecttoml.load_file(ROOT / "pyproject.toml")["project"]
    assert {re.split(r"[<>=]", line)[0] for line in project["dependencies"]} == set(NEEDED)
    for name, extra in OPTIONAL.items():
        assert any(line.startswith(name) for line in project["optional-dependencies"][extra])


def test_what_rooms_import_at_once_is_declared() -> None:
    project = setuptools.config.pyprojecttoml.load_file(ROOT / "pyproject.toml")["project"]
    names = {"pillow": "PIL"}
    declared = {names.get(word, word) for word in (re.split(r"[<>=]", line)[0] for line in project["dependencies"])}
    # The data engine, training and the page are started on purpose and have extras of their own.
    files = [path for room in ("foveate", *ROOMS) for path in sources(room) if "synthetic" not in path.parts]
    for path in (path for path in files if path.name != "train.py" and "demos" not in path.parts):
        tops = [node for node in ast.parse(path.read_text()).body if isinstance(node, (ast.Import, ast.ImportFrom))]
        wanted = {name.split(".")[0] for node in tops for name in imported(node)}
        if path.name.startswith("triton_"):  # opened only where triton came with torch
            wanted -= {"triton"}
        assert wanted - sys.stdlib_module_names - {"foveate"} <= declared, path


def test_a_checkout_works_without_being_installed() -> None:
    # Python started at the root finds the folder foveate first, whatever is installed.
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONSAFEPATH"}
    code = (
        "import sys; sys.meta_path = [f for f in sys.meta_path if 'editable' not in repr(f)]; "
        "import foveate; print(foveate.vision.__file__, 'torch' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, env=environment, capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == [str(ROOT / "vision" / "__init__.py"), "False"]


def public_functions(tree: ast.Module) -> Iterator[tuple[str, ast.FunctionDef, bool]]:
    """Public functions and methods of public classes; the last says whether it is a method."""
    for node in tree.body:
        if isinstance(node, ast.FunctionDef) and not node.name.startswith("_"):
            yield node.name, node, False
        elif isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
            for method in node.body:
                if isinstance(method, ast.FunctionDef) and not method.name.startswith("_"):
                    yield f"{node.name}.{method.name}", method, True


@pytest.mark.parametrize(
    "path", [p for room in ("foveate", *ROOMS) for p in sources(room)], ids=lambda p: str(p.relative_to(ROOT))
)
def test_public_names_say_what_they_take(path: Path) -> None:
    tree = ast.parse(path.read_text())
    assert ast.get_docstring(tree), f"{path} has no docstring"
    for node in tree.body:
        if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
            assert ast.get_docstring(node), f"{path}: {node.name} has no docstring"
    for name, node, is_method in public_functions(tree):
        text = ast.get_docstring(node)
        assert text, f"{path}: {name} has no docstring"
        taken = [a.arg for a in (*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs)]
        # One sentence can hold one argument, and the parts of the data engine are nobody's interface.
        if is_method or len(taken) < 2 or "synthetic" in path.parts or node.decorator_list:
            continue
        elsewhere = re.search(r"\bas (in|for) ``", text)
        assert elsewhere or all(re.search(rf"^ +{arg}:|``{arg}``", text, re.M) for arg in taken), f"{path}: {name}"


def test_examples_in_docstrings_are_true() -> None:
    failed = tried = 0
    for room in ROOMS:
        module = importlib.import_module(f"foveate.{room}")
        names = [name for _, name, _ in pkgutil.walk_packages(module.__path__, f"foveate.{room}.")]
        for name in names:
            path = ROOT.joinpath(*name.split(".")[1:]).with_suffix(".py")
            if path.exists() and ">>> " in path.read_text():
                result = doctest.testmod(importlib.import_module(name))
                failed, tried = failed + result.failed, tried + result.attempted
    assert failed == 0, f"{failed} of {tried} examples"


@pytest.mark.slow
def test_the_wheel_holds_the_rooms_and_nothing_else(tmp_path: Path) -> None:
    build = [sys.executable, "-P", "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation"]
    copy = tmp_path / "tree"
    copy.mkdir()
    # A copy, so that leftovers of other builds cannot slip in, nor this build disturb an editable install.
    tracked = [*ROOT.glob("*.md"), ROOT / "pyproject.toml", ROOT / "LICENSE"]
    tracked += [p for room in ("foveate", *ROOMS) for p in (ROOT / room).rglob("*") if p.is_file()]
    for path in (p for p in tracked if "__pycache__" not in p.parts):
        target = copy / path.relative_to(ROOT)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.symlink_to(path)
    subprocess.run([*build, "--wheel-dir", str(tmp_path), str(copy)], check=True, capture_output=True)
    (wheel,) = tmp_path.glob("*.whl")
    held = {name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name}
    wanted = {f"foveate/{path.relative_to(ROOT)}" for room in ROOMS for path in sources(room)}
    wanted |= {str(path.relative_to(ROOT)) for path in (ROOT / "foveate").iterdir() if path.is_file()}
    data = (
        ("vision", "data"),
        ("backbones", "weights"),
        ("kernels/neighborhood", "tuned"),
        ("grounding", "weights"),
        ("grounding/synthetic", "data"),
        ("scanpath", "weights"),
    )
    for room, folder in data:
        wanted |= {f"foveate/{p.relative_to(ROOT)}" for p in (ROOT / room / folder).glob("*") if p.is_file()}
    assert held == wanted

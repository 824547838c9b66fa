"""What the room's front door hands out."""

import subprocess
import sys

import foveate.kernels


def test_every_public_name_is_a_function_at_the_first_import() -> None:
    """A module of a function's name would hide it, and only in a process that imports it afresh."""
    names = foveate.kernels.__all__
    code = f"from foveate.kernels import {', '.join(names)}; print([callable(f) for f in ({', '.join(names)})])"
    done = subprocess.run([sys.executable, "-P", "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == str([True] * len(names))

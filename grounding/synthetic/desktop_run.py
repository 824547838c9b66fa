"""Runs one program on a display of its own: X server, D-Bus session, window manager and the driver."""

import contextlib
import json
import os
import random
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path

from foveate.grounding.synthetic.desktop_looks import choose_look, write_settings
from foveate.grounding.synthetic.desktop_programs import Program, sample_files

# The system's Python cannot import this package: it gets empty packages that know the folders, and runs the driver.
_BOOT = """
import runpy, sys, types
for name, folder in zip(("foveate", "foveate.grounding", "foveate.grounding.synthetic"), sys.argv[2:5]):
    package = types.ModuleType(name)
    package.__path__ = [folder]
    sys.modules[name] = package
runpy.run_module("foveate.grounding.synthetic.desktop_driver", run_name="__main__")
"""
_BESIDE = ("l3afpad", "mate-calc", "lxtask", "speedcrunch", "xfce4-appfinder", "mate-terminal")


def run_program(program: Program, seed: str, folder: Path, display: int, seconds: float = 60.0) -> dict[str, object]:
    """Run a program once and leave its raw captures in a folder.

    Args:
        program: What to run.
        seed: Decides look, files and the order of steps.
        folder: Where NNN.png and NNN.json go; made new.
        display: Number of the X display to start.
        seconds: Time for the steps, without starting and ending.

    Returns:
        What was chosen, as plain data.
    """
    rng = random.Random(f"{seed}/{program.name}")
    look = choose_look(program, rng)
    folder = folder.resolve()
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    with tempfile.TemporaryDirectory(prefix="home-") as name:
        home = Path(name) / rng.choice(("anna", "jonas", "office", "maria", "user", "sam"))
        home.mkdir()
        extra = write_settings(home, look)
        files = sample_files(home / rng.choice(("Documents", "Projects", "Notes")), rng)
        commands = [program.command.format(**files)]
        if not look.maximised and rng.random() < 0.4:
            commands.insert(0, rng.choice(_BESIDE))
        job = {
            "commands": commands,
            "before": ["openbox", f"feh --no-fehbg --bg-scale {home / 'background.png'}"],
            "size": look.size,
            "out": str(folder),
            "seconds": seconds,
            "seed": f"{seed}/{program.name}",
        }
        (home / "job.json").write_text(json.dumps(job))
        with _server(display, look.size):
            _drive(home, _environment(home, display, program, extra), folder, seconds)
    chosen: dict[str, object] = {"program": program.name, "toolkit": program.toolkit, "seed": seed, "look": vars(look)}
    (folder / "run.json").write_text(json.dumps(chosen))
    return chosen


class _server:  # noqa: N801
    """An X server that lives as long as the block."""

    def __init__(self, display: int, size: tuple[int, int]) -> None:
        screen = f"{size[0]}x{size[1]}x24"
        self.command = ["Xvfb", f":{display}", "-screen", "0", screen, "-dpi", "96", "-nolisten", "tcp", "-noreset"]
        self.socket = Path(f"/tmp/.X11-unix/X{display}")

    def __enter__(self) -> None:
        if self.socket.exists():
            raise ValueError(f"{self.socket} exists, so another X server has this display: choose a free number")
        self.process = subprocess.Popen(self.command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        end = time.monotonic() + 10
        while not self.socket.exists():
            if time.monotonic() > end or self.process.poll() is not None:
                self.process.kill()
                raise RuntimeError(f"no X server came up with {self.command}: choose a display number that is free")
            time.sleep(0.05)

    def __exit__(self, *_: object) -> None:
        self.process.terminate()
        try:
            self.process.wait(5)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


def _environment(home: Path, display: int, program: Program, extra: dict[str, str]) -> dict[str, str]:
    runtime = home / ".runtime"
    runtime.mkdir(mode=0o700)
    values = {
        "HOME": str(home),
        "USER": home.name,
        "LOGNAME": home.name,
        "PATH": "/usr/local/sbin:/usr/sbin:/usr/bin:/sbin:/bin:/usr/games",
        "DISPLAY": f":{display}",
        "XDG_RUNTIME_DIR": str(runtime),
        "XDG_CURRENT_DESKTOP": "KDE" if program.name in ("gwenview", "kolourpaint", "krusader") else "MATE",
        "LANG": "C.UTF-8",
        "GDK_BACKEND": "x11",
        "QT_QPA_PLATFORM": "xcb",
        "QT_LINUX_ACCESSIBILITY_ALWAYS_ON": "1",
        "QT_ACCESSIBILITY": "1",
        "LIBGL_ALWAYS_SOFTWARE": "1",
        "GTK_OVERLAY_SCROLLING": "0",
        "NO_AT_BRIDGE": "0",
        "WEBKIT_DISABLE_COMPOSITING_MODE": "1",
        "WEBKIT_FORCE_SANDBOX": "0",
    }
    values.update({k: v for k, v in extra.items() if v})
    return values


def _drive(home: Path, environment: dict[str, str], folder: Path, seconds: float) -> None:
    synthetic = Path(__file__).resolve().parent
    script = home / "drive.sh"
    root = synthetic.parents[1]
    script.write_text(
        f"dconf load / < '{home / 'keyfile'}'\n"
        f"exec /usr/bin/python3 -c '{_BOOT.replace(chr(39), chr(34))}' '{home / 'job.json'}' "
        f"'{root}' '{synthetic.parent}' '{synthetic}'\n"
    )
    with open(folder / "log.txt", "ab") as log:
        child = subprocess.Popen(
            ["dbus-run-session", "--", "bash", str(script)],
            env=environment,
            cwd=home,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
        try:
            child.wait(seconds + 60)
        except subprocess.TimeoutExpired:
            pass
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(child.pid, signal.SIGKILL)
            child.wait()

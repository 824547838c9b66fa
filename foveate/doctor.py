"""``foveate doctor``: what this machine has, what is missing, and the way out."""

import importlib
import os
import platform
import shutil
import sys
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, version

import foveate
from foveate.errors import counted

NEEDED = ("torch", "torchvision", "timm", "numpy", "pillow", "safetensors", "tokenizers", "tqdm")
OPTIONAL = {
    "gradio": "demos",
    "scipy": "gaze",
    "opencv-python-headless": "video",
    "accelerate": "train",
    "playwright": "train",
}


@dataclass(frozen=True)
class Finding:
    """One line of the examination.

    Args:
        name: What was looked at.
        status: ok, optional (absent, and some verbs need it) or missing (pointing cannot work).
        text: What was found, and the way out when something is absent.
    """

    name: str
    status: str
    text: str

    def to_dict(self) -> dict[str, str]:
        """Return the fields."""
        return asdict(self)


def examine() -> list[Finding]:
    """Look at versions, devices, memory, weights and optional tools; imports torch, downloads nothing."""
    findings = [Finding("foveate", "ok", f"{foveate.__version__}, Python {platform.python_version()}, {sys.platform}")]
    findings += [_package(name, None) for name in NEEDED]
    findings += [_package(name, extra) for name, extra in OPTIONAL.items()]
    findings += [*_devices(), _memory(), *_weights(), *_tools()]
    return findings


def _package(name: str, extra: str | None) -> Finding:
    try:
        return Finding(name, "ok", version(name))
    except PackageNotFoundError:
        if extra:
            return Finding(name, "optional", f'not installed: pip install "foveate[{extra}]"')
        return Finding(name, "missing", f"not installed: pip install {name}")


def _devices() -> list[Finding]:
    try:
        torch = importlib.import_module("torch")
    except (ImportError, OSError) as error:
        return [Finding("device", "missing", f"torch cannot be imported ({error}): install it again")]
    from foveate.grounding.catalog import cpu_count

    threads = counted(torch.get_num_threads(), "thread")
    cores = Finding("cpu", "ok", f"{counted(cpu_count(), 'core')} for this process, torch uses {threads}")
    if not torch.cuda.is_available():
        return [cores, Finding("gpu", "optional", "none that torch can use: pointing runs on the CPU")]
    names = [torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())]
    return [cores, Finding("gpu", "ok", f"{', '.join(names)} (CUDA {torch.version.cuda}): used by default")]


def _memory() -> Finding:
    try:
        pages, size = os.sysconf("SC_AVPHYS_PAGES"), os.sysconf("SC_PAGE_SIZE")
    except (ValueError, OSError, AttributeError):
        return Finding("memory", "ok", "this system does not tell")
    free = pages * size / 1e9
    advice = "" if free >= 1.5 else ": pointing needs about 1.5 GB, close something"
    return Finding("memory", "ok" if free >= 1.5 else "optional", f"{free:.1f} GB free{advice}")


def _weights() -> list[Finding]:
    from foveate.grounding.catalog import MODELS, read_weights_info

    findings = []
    for entry in MODELS:
        if not entry.path.is_file():
            text = "weights are not in the package: install foveate again, or pass --model PATH"
            findings.append(Finding(entry.name, "missing", text))
            continue
        try:
            info = read_weights_info(entry.path)
        except ValueError as error:
            findings.append(Finding(entry.name, "missing", str(error)))
        else:
            size = f"{info.parameters / 1e6:.1f} M parameters, {info.megabytes:.1f} MB"
            findings.append(Finding(entry.name, "ok", f"weights in place, {size}, {entry.licence}"))
    return findings


def _tools() -> list[Finding]:
    """Programs that only the data engine and the browser test start."""
    findings = []
    for name, use in (("chromium", "rendering training pages and the browser test"), ("Xvfb", "capturing programs")):
        found = shutil.which(name)
        text = found or f"not found, and only {use} needs it: install the system package {name.lower()}"
        findings.append(Finding(name, "ok" if found else "optional", text))
    return findings

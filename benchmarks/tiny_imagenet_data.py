"""Small pictures for benchmarks/tiny_imagenet.py: sheets are read once and kept as bytes on the GPU.

The pictures are for research only and are no part of the project. A tar holds sheets of 8 x 8 tiles of 64 x 64 pixels,
``NNNNNN.webp``, and their labels, ``NNNNNN.cls``; one for training is named ``train-*.tar``, one for measuring
``val*.tar``. A tar of another name may hold both in folders of such names, which is what `pack` makes.
"""

import io
import multiprocessing
import os
import tarfile
from collections.abc import Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np
import torch
from PIL import Image

TILE, GRID = 64, 8
_SPLITS = ("train", "val")


def find_tars(folders: Iterable[Path]) -> list[Path]:
    """Return the tars of all folders, each name once."""
    found = {path.name: path for folder in folders for path in sorted(Path(folder).glob("*.tar"))}
    return [found[name] for name in sorted(found)]


def read_samples(path: Path, ending: str = ".webp") -> dict[str, tuple[bytes, bytes]]:
    """Return picture and labels of every sample, encoded, by a name that begins with train or val."""
    files: dict[str, bytes] = {}
    with tarfile.open(path) as archive:
        for member in archive:
            stream = archive.extractfile(member)
            if stream is not None:
                name = member.name.removeprefix("./")
                files[name if "/" in name else f"{path.stem}/{name}"] = stream.read()
    keys = sorted(name.removesuffix(ending) for name in files if name.endswith(ending))
    return {key: (files[key + ending], files[key + ".cls"]) for key in keys}


def decode_sheets(samples: Sequence[tuple[bytes, bytes]]) -> tuple[np.ndarray, np.ndarray]:
    """Cut sheets into pictures, uint8 (count, 3, 64, 64), and return their labels, int64 (count,)."""
    pictures, labels = [], []
    for picture, text in samples:
        label = np.array(text.split(), dtype=np.int64)
        sheet = np.asarray(Image.open(io.BytesIO(picture)).convert("RGB"))
        tiles = sheet.reshape(GRID, TILE, GRID, TILE, 3).transpose(0, 2, 4, 1, 3).reshape(-1, 3, TILE, TILE)
        pictures.append(tiles[: len(label)])
        labels.append(label)
    return np.concatenate(pictures), np.concatenate(labels)


def prepare(folders: Iterable[Path], cache: Path, processes: int | None = None) -> dict[str, int]:
    """Decode every tar that the cache lacks.

    Args:
        folders: Where tars lie.
        cache: Folder of decoded arrays.
        processes: At work; None for one a core, up to 16.

    Returns:
        Pictures now in the cache, by split.
    """
    cache.mkdir(parents=True, exist_ok=True)
    processes = processes or min(16, os.cpu_count() or 1)
    for path in find_tars(folders):
        done = cache / f"{path.stem}.done"
        if done.exists():
            continue
        samples = read_samples(path)
        for split in _SPLITS:
            own = [sample for key, sample in samples.items() if key.startswith(split)]
            if own:
                pictures, labels = _decode_together(own, processes)
                np.save(cache / f"{split}--{path.stem}.labels.npy", labels)
                np.save(cache / f"{split}--{path.stem}.pictures.npy", pictures)
        done.touch()
    return {split: sum(len(np.load(path)) for path in cache.glob(f"{split}--*.labels.npy")) for split in _SPLITS}


def _decode_together(samples: list[tuple[bytes, bytes]], processes: int) -> tuple[np.ndarray, np.ndarray]:
    if processes == 1:
        return decode_sheets(samples)
    parts = [samples[i : i + 8] for i in range(0, len(samples), 8)]
    # Forked, as a fresh interpreter would import torch first; nothing here has touched the GPU yet.
    with ProcessPoolExecutor(processes, multiprocessing.get_context("fork")) as pool:
        decoded = list(pool.map(decode_sheets, parts))
    return np.concatenate([part[0] for part in decoded]), np.concatenate([part[1] for part in decoded])


def load_split(cache: Path, split: str, device: torch.device) -> tuple[torch.Tensor, torch.Tensor]:
    """Return pictures, uint8 (count, 3, 64, 64), and labels, int64 (count,), of the cache on a device.

    Raises:
        ValueError: The cache has none.
    """
    names = sorted(path.name.removesuffix(".labels.npy") for path in cache.glob(f"{split}--*.labels.npy"))
    if not names:
        raise ValueError(f"{cache} has no pictures of {split}: name folders with tars by --data")
    pictures = np.concatenate([np.load(cache / f"{name}.pictures.npy") for name in names])
    labels = np.concatenate([np.load(cache / f"{name}.labels.npy") for name in names])
    return torch.from_numpy(pictures).to(device), torch.from_numpy(labels).to(device)


def pack(folders: Iterable[Path], out: Sequence[Path], prefix: str = "part") -> list[int]:
    """Spread all sheets evenly over folders, one tar each, so that each can travel alone.

    Returns:
        Bytes of the tars.
    """
    samples = {key: sample for path in find_tars(folders) for key, sample in read_samples(path).items()}
    sizes = []
    for number, folder in enumerate(out):
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / f"{prefix}-{number}.tar"
        with tarfile.open(path, "w") as archive:
            for key in list(samples)[number :: len(out)]:
                for ending, content in zip((".webp", ".cls"), samples[key], strict=True):
                    member = tarfile.TarInfo(key + ending)
                    member.size = len(content)
                    archive.addfile(member, io.BytesIO(content))
        sizes.append(path.stat().st_size)
    return sizes


def load_photos(folder: Path, split: str, side: int = TILE) -> tuple[torch.Tensor, torch.Tensor]:
    """Read a tar of single photos (``NNNNNN.webp``, ``NNNNNN.cls``), each cut to its central square.

    Args:
        folder: Where ``train-*.tar`` and ``val*.tar`` lie.
        split: train or val.
        side: Height and width to shrink to.

    Returns:
        Pictures, uint8 (count, 3, side, side), and labels, int64 (count,).

    Raises:
        ValueError: There is no such tar.
    """
    pictures, labels = [], []
    for path in sorted(folder.glob(f"{split}*.tar")):
        for picture, label in read_samples(path).values():
            photo = Image.open(io.BytesIO(picture)).convert("RGB")
            short = min(photo.size)
            left, top = (photo.width - short) // 2, (photo.height - short) // 2
            square = photo.resize((side, side), Image.Resampling.BICUBIC, (left, top, left + short, top + short))
            pictures.append(np.asarray(square).transpose(2, 0, 1))
            labels.append(int(label))
    if not pictures:
        raise ValueError(f"{folder} has no {split}*.tar: name the folder that holds them")
    return torch.from_numpy(np.stack(pictures)), torch.tensor(labels)

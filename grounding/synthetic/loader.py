"""From shards and drawn screens to training batches: crops at several scales, sentences, words and letters."""

import logging
import os
import pickle
import random
import zipfile
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from tokenizers import Tokenizer
from torch import Tensor

from foveate.grounding.synthetic.language import instructions
from foveate.grounding.synthetic.screens import Box, Element, Screen, Word, read_screen
from foveate.grounding.text import tokenize

log = logging.getLogger("foveate.data")
LETTERS = "abcdefghijklmnopqrstuvwxyz0123456789.,:;!?-_/@#$%&*+='\"()[]<>"
IGNORE = 255
MAX_BOXES = 4
_NARROW = set("iljtfrI1.,:;!|'()[]/-")
_WIDE = set("mwMWQO@%&")
_LETTER_NUMBER = {c: i + 1 for i, c in enumerate(LETTERS)}


@dataclass(frozen=True)
class Plan:
    """How samples are cut from screens.

    Args:
        width: Width of a crop in pixels; a multiple of 32.
        height: Height of a crop in pixels; a multiple of 32.
        sentences: Sentences a crop.
        words: Single words a crop, read from its text.
        scales: Smallest and largest zoom; half the crops are not zoomed.
        mix: Share of each source by the first part of its name; sources that are not there leave theirs to the others.
    """

    width: int = 768
    height: int = 512
    sentences: int = 12
    words: int = 10
    scales: tuple[float, float] = (0.7, 1.5)
    mix: tuple[tuple[str, float], ...] = (("web", 0.3), ("desktop", 0.2), ("toolkit", 0.2), ("drawn", 0.3))


@dataclass(frozen=True)
class StoredScreen:
    """A screen whose pixels lie in a file at an offset, so that all workers share them."""

    offset: int
    width: int
    height: int
    elements: tuple[Element, ...]
    words: tuple[Word, ...]
    source: str


def _measure(path: Path) -> list[tuple[Path, str, int, int]]:
    """Sizes of a shard's screens, without decoding them."""
    found = []
    with zipfile.ZipFile(path) as archive:
        for info in archive.infolist():
            if info.filename.endswith(".webp"):
                with archive.open(info) as file, Image.open(file) as image:
                    found.append((path, info.filename.removesuffix(".webp"), *image.size))
    return found


def _decode(task: tuple[Path, str, int, int, int, Path]) -> StoredScreen:
    """Write one screen's pixels where they belong, so that no pixel passes between processes."""
    path, name, width, height, offset, target = task
    with zipfile.ZipFile(path) as archive:
        screen = read_screen(archive, name)
    with open(target, "r+b") as file:
        file.seek(offset)
        file.write(np.ascontiguousarray(np.asarray(screen.image)).data)
    return StoredScreen(offset, width, height, screen.elements, screen.words, screen.source)


def unpack_shards(shards: Sequence[Path], folder: Path, workers: int | None = None) -> list[StoredScreen]:
    """Decode shards once into one raw file that workers map into memory.

    Args:
        shards: Zip files of ``write_shard``.
        folder: Where pixels.bin and index.pkl go; reused when they hold the same shards.
        workers: Processes; default all cores.

    Returns:
        The screens in order.
    """
    folder.mkdir(parents=True, exist_ok=True)
    names = [(path.name, path.stat().st_size) for path in shards]
    index = folder / "index.pkl"
    if index.exists():
        kept, screens = pickle.loads(index.read_bytes())
        if kept == names:
            return screens
    target, offset, tasks = folder / "pixels.bin", 0, []
    with ProcessPoolExecutor(workers or os.cpu_count()) as pool:
        for sizes in pool.map(_measure, shards):
            for path, name, width, height in sizes:
                tasks.append((path, name, width, height, offset, target))
                offset += width * height * 3
        with open(target, "wb") as file:
            file.truncate(offset)
        screens = list(pool.map(_decode, tasks, chunksize=16))
    index.write_bytes(pickle.dumps((names, screens)))
    return screens


def letter_grid(words: Sequence[tuple[Box, str]], width: int, height: int) -> np.ndarray:
    """Number the letter that each cell of 4 by 8 pixels shows; letters get typical widths inside their word's box.

    Args:
        words: Boxes in pixels of the crop, with texts.
        width: Width of the crop in pixels.
        height: Height of the crop in pixels.

    Returns:
        (height / 8, width / 4) uint8: 0 no text, 1.. the place in ``LETTERS`` plus one, 255 not known.
    """
    grid = np.zeros((height // 8, width // 4), np.uint8)
    for (left, top, right, bottom), text in words:
        first, last = max(int(left // 4), 0), min(int(-(-right // 4)), grid.shape[1])
        upper, lower = max(int(top // 8), 0), min(int(-(-bottom // 8)), grid.shape[0])
        if first >= last or upper >= lower:
            continue
        shares = np.cumsum([0.55 if c in _NARROW else 1.5 if c in _WIDE else 1.0 for c in text])
        ends = left + (right - left) * shares / shares[-1]
        centers = (np.arange(first, last) + 0.5) * 4
        numbers = np.array([_LETTER_NUMBER.get(c, IGNORE) for c in text.lower()], np.uint8)
        row = numbers[np.minimum(np.searchsorted(ends, centers), len(text) - 1)]
        row = np.where((centers < left) | (centers > right), IGNORE, row)
        # Ascenders and descenders leave the outer rows half empty: they are not counted either way.
        middle = np.abs((np.arange(upper, lower) + 0.5) * 8 - (top + bottom) / 2) <= max(4.0, (bottom - top) * 0.3)
        grid[upper:lower, first:last] = np.where(middle[:, None], row, IGNORE)
    return grid


def cut(
    pixels: np.ndarray,
    elements: Sequence[Element],
    words: Sequence[Word],
    plan: Plan,
    tokenizer: Tokenizer,
    rng: random.Random,
) -> dict[str, Tensor] | None:
    """Cut one training sample from a screen.

    Args:
        pixels: (height, width, 3) uint8.
        elements: What can be pointed at.
        words: What can be read.
        plan: Sizes and counts.
        tokenizer: Of the text encoder.
        rng: Source of all choices.

    Returns:
        pixels (3, height, width) uint8; ids (sentences, pieces); boxes (sentences, MAX_BOXES, 4) in crop pixels, zeros
        where unused; weight (sentences,); icon (sentences,) bool; word_ids, word_boxes, word_weight; letters. None when
        the crop shows nothing to point at.
    """
    scale = 1.0 if rng.random() < 0.5 else rng.uniform(*plan.scales)
    wanted = (plan.width / scale, plan.height / scale)
    anchor = rng.choice(elements).box if elements else (0.0, 0.0, 1.0, 1.0)
    origin = []
    for axis, side in enumerate((pixels.shape[1], pixels.shape[0])):
        room = side - wanted[axis]
        middle = (anchor[axis] + anchor[axis + 2]) / 2
        low, high = max(0.0, middle - wanted[axis] + 8), min(max(room, 0.0), middle - 8)
        origin.append(
            float(round(rng.uniform(low, high))) if room > 0 and low < high else max(0.0, min(low, room)) // 1
        )
    left, top = origin
    view = (left, top, min(left + wanted[0], pixels.shape[1]), min(top + wanted[1], pixels.shape[0]))
    asked = instructions(elements, (pixels.shape[1], pixels.shape[0]), rng, plan.sentences, view)
    if not asked:
        return None

    def place(box: Box) -> Box:
        x1, y1, x2, y2 = ((v - o) * scale for v, o in zip(box, (left, top, left, top), strict=True))
        return (max(x1, 0.0), max(y1, 0.0), min(x2, float(plan.width)), min(y2, float(plan.height)))

    part = Image.fromarray(pixels[int(top) : int(view[3]), int(left) : int(view[2])])
    if scale != 1.0:
        method = rng.choice((Image.Resampling.BILINEAR, Image.Resampling.BICUBIC, Image.Resampling.LANCZOS))
        part = part.resize((max(1, round(part.width * scale)), max(1, round(part.height * scale))), method)
    canvas = np.full((plan.height, plan.width, 3), rng.randrange(256), np.uint8)
    shown = np.asarray(part)[: plan.height, : plan.width]
    canvas[: shown.shape[0], : shown.shape[1]] = shown

    seen = [
        (place(w.box), w.text)
        for w in words
        if w.box[0] < view[2] and w.box[2] > view[0] and w.box[1] < view[3] and w.box[3] > view[1]
    ]
    seen = [(b, t) for b, t in seen if b[2] - b[0] >= 3 and b[3] - b[1] >= 4 and t.strip()]
    readable = [(b, t.strip(".,:;!?()[]\"'")) for b, t in seen]
    readable = [(b, t) for b, t in readable if sum(c.isalnum() for c in t) >= 2]
    chosen = rng.sample(readable, min(plan.words, len(readable)))
    boxes = torch.zeros(plan.sentences, MAX_BOXES, 4)
    weight, icon = torch.zeros(plan.sentences), torch.zeros(plan.sentences, dtype=torch.bool)
    for row, one in enumerate(asked[: plan.sentences]):
        targets = rng.sample(one.targets, min(len(one.targets), MAX_BOXES))
        boxes[row, : len(targets)] = torch.tensor([place(elements[t].box) for t in targets])
        weight[row] = 1.0 if len(one.targets) <= MAX_BOXES else 0.0
        icon[row] = one.kind == "icon"
    word_boxes, word_weight = torch.zeros(plan.words, 4), torch.zeros(plan.words)
    if chosen:
        word_boxes[: len(chosen)] = torch.tensor([b for b, _ in chosen])
        word_weight[: len(chosen)] = 1.0
    texts = [one.text for one in asked[: plan.sentences]]
    names = [t for _, t in chosen]
    return {
        "pixels": torch.from_numpy(canvas.transpose(2, 0, 1).copy()),
        "ids": tokenize(tokenizer, texts + [""] * (plan.sentences - len(texts))),
        "boxes": boxes,
        "weight": weight,
        "icon": icon,
        "word_ids": tokenize(tokenizer, names + [""] * (plan.words - len(names))),
        "word_boxes": word_boxes,
        "word_weight": word_weight,
        "letters": torch.from_numpy(letter_grid(seen, plan.width, plan.height)),
    }


class Batches(torch.utils.data.IterableDataset):
    """Endless batches, each worker with a random stream of its own.

    Args:
        screens: Unpacked screens.
        pixels: File that holds their pixels.
        draw: Draws a new screen from a random source and a size (width, height); None leaves drawn screens out.
        plan: How samples are cut.
        tokenizer: Of the text encoder.
        batch: Samples a batch.
        seed: Seed of the stream; give another one for each process and each resumed run.
    """

    def __init__(
        self,
        screens: Sequence[StoredScreen],
        pixels: Path,
        draw: Callable[[random.Random, tuple[int, int]], Screen] | None,
        plan: Plan,
        tokenizer: Tokenizer,
        batch: int,
        seed: int,
    ) -> None:
        super().__init__()
        self.by_maker: dict[str, list[StoredScreen]] = {}
        for screen in screens:
            if screen.elements:
                self.by_maker.setdefault(screen.source.split("/")[0], []).append(screen)
        self.pixels, self.draw, self.plan, self.tokenizer = pixels, draw, plan, tokenizer
        self.batch, self.seed = batch, seed

    def sample(self, rng: random.Random, memory: np.ndarray | None) -> dict[str, Tensor]:
        """Make one sample, trying again where a crop shows nothing."""
        makers = [(m, s) for m, s in self.plan.mix if m in self.by_maker or (m == "drawn" and self.draw)]
        while True:
            maker = rng.choices([m for m, _ in makers], [s for _, s in makers])[0]
            if maker == "drawn" and self.draw:
                try:
                    screen = self.draw(rng, self._drawn_size(rng))
                except (ValueError, ArithmeticError, LookupError, OSError):
                    # One screen in a million must not end a run of hours.
                    log.warning("a drawn screen failed and is left out", exc_info=True)
                    continue
                pixels, elements, words = np.asarray(screen.image.convert("RGB")), screen.elements, screen.words
            else:
                stored = rng.choice(self.by_maker[maker])
                if memory is None:
                    raise RuntimeError(
                        f"stored screens need their pixels: give the file that unpack_shards wrote, got {self.pixels}"
                    )
                count = stored.height * stored.width * 3
                pixels = memory[stored.offset : stored.offset + count].reshape(stored.height, stored.width, 3)
                elements, words = stored.elements, stored.words
            made = cut(pixels, elements, words, self.plan, self.tokenizer, rng) if elements else None
            if made is not None:
                return made

    def _drawn_size(self, rng: random.Random) -> tuple[int, int]:
        scale = rng.uniform(1.0, 1.3)
        return round(self.plan.width * scale), round(self.plan.height * scale)

    def __iter__(self) -> Iterator[dict[str, Tensor]]:
        info = torch.utils.data.get_worker_info()
        rng = random.Random(f"{self.seed}/{info.id if info else 0}")
        memory = np.memmap(self.pixels, np.uint8, "r") if self.pixels.exists() and self.pixels.stat().st_size else None
        while True:
            samples = [self.sample(rng, memory) for _ in range(self.batch)]
            yield {key: torch.stack([s[key] for s in samples]) for key in samples[0]}

"""Screens of drawn web pages, captured in headless Chromium with the boxes of everything on them."""

import argparse
import asyncio
import base64
import io
import logging
import random
import shutil
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PIL import Image
from playwright.async_api import Browser, Page, async_playwright
from playwright.async_api import Error as PlaywrightError
from tqdm import tqdm

from foveate.grounding.synthetic.screens import Element, Screen, Word, write_shard
from foveate.grounding.synthetic.web_extract import ADAPT, EXTRACT
from foveate.grounding.synthetic.web_kits import PHONE_KITS, choose_kit
from foveate.grounding.synthetic.web_material import load_material
from foveate.grounding.synthetic.web_pages import compose
from foveate.grounding.synthetic.web_templates import template_page, templates

_LOG = logging.getLogger(__name__)
_FLAGS = [
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update"),
    *("--disable-sync", "--no-first-run", "--hide-scrollbars", "--font-render-hinting=none"),
]
_VIEWS = (
    ((1280, 800), 5), ((1366, 768), 5), ((1440, 900), 5), ((1536, 864), 4), ((1024, 768), 4), ((1600, 900), 3),
    ((1920, 1080), 2), ((1920, 1200), 1), ((1180, 820), 2), ((820, 1180), 1),
    ((390, 844), 1.5), ((412, 915), 1), ((360, 780), 1),
)  # fmt: skip


@dataclass(frozen=True)
class Draft:
    """A page before it is captured: its document, view in CSS pixels, pixels a CSS pixel, and scroll from 0 to 1."""

    html: str
    width: int
    height: int
    scale: float
    scroll: float
    source: str
    adapt: bool


def draft(seed: int, material: Path) -> Draft:
    """Compose the page of a seed.

    Args:
        seed: Decides everything about the page.
        material: Folder of installed packages.

    Returns:
        The page, ready to be captured.
    """
    rng = random.Random(f"web/{seed}")
    loaded = load_material(material)
    kit = choose_kit(rng)
    width, height = rng.choices([v for v, _ in _VIEWS], [w for _, w in _VIEWS])[0]
    if kit.name in PHONE_KITS and rng.random() < 0.8:
        width, height = rng.choice(((390, 844), (412, 915), (360, 780)))
    scale = rng.choices((1.0, 1.25, 1.5, 2.0), (84, 6, 6, 4))[0] if width > 700 else rng.choice((1.0, 1.0, 1.5, 2.0))
    if width > 700:
        width, height = round(min(width, 1920 / scale)), round(min(height, 1200 / scale))
    scroll = rng.random() if rng.random() < 0.25 else 0.0
    known = templates(loaded)
    if known and rng.random() < 0.16:
        html, source = template_page(rng, loaded, rng.choice(known))
        return Draft(html, width, height, scale, rng.random() if rng.random() < 0.6 else 0.0, source, True)
    html = compose(rng, kit, loaded, width)
    return Draft(html, width, height, scale, scroll, f"web/{kit.name}", kit.name not in ("custom",))


def build_screen(facts: dict[str, Any], image: Image.Image, page: Draft, rng: random.Random) -> Screen:
    """Turn what a page reports into a screen.

    Args:
        facts: Elements and words with boxes in CSS pixels.
        image: Picture of the view.
        page: The page that was captured.
        rng: Chooses which of the things that are only read are kept.

    Returns:
        The screen, boxes in pixels of the picture.
    """
    scale, elements = page.scale, []
    for fact in facts["elements"]:
        if fact.pop("passive") and rng.random() > 0.45:
            continue
        box = tuple(round(v * scale, 1) for v in fact.pop("box"))
        if not fact["name"] or box[2] - box[0] < 6 or box[3] - box[1] < 6:
            continue
        if fact["row"] == fact["name"]:
            fact["row"] = ""
        elements.append(Element(box=(box[0], box[1], box[2], box[3]), **fact))
    words = [Word((w[0] * scale, w[1] * scale, w[2] * scale, w[3] * scale), w[4]) for w in facts["words"]]
    return Screen(image, tuple(elements), tuple(words), page.source)


async def _capture(tab: Page, page: Draft) -> tuple[dict[str, Any], Image.Image]:
    session = await tab.context.new_cdp_session(tab)
    try:
        metrics = {"width": page.width, "height": page.height, "deviceScaleFactor": page.scale, "mobile": False}
        await session.send("Emulation.setDeviceMetricsOverride", metrics)
        await tab.set_content(page.html, wait_until="domcontentloaded")
        if page.adapt:
            await tab.evaluate(ADAPT)
        await tab.evaluate(
            "async share => { await document.fonts.ready;"
            " scrollTo(0, share * Math.max(0, document.documentElement.scrollHeight - innerHeight));"
            " await Promise.all([...document.images].map(i => i.decode().catch(() => 0))); }",
            page.scroll,
        )
        facts = await tab.evaluate(EXTRACT)
        shot = await session.send("Page.captureScreenshot", {"format": "png", "optimizeForSpeed": True})
        image = Image.open(io.BytesIO(base64.b64decode(shot["data"]))).convert("RGB")
    finally:
        await session.detach()
    return facts, image


async def _work(browser: Browser, seeds: list[int], material: Path, found: dict[int, Screen]) -> None:
    context = await browser.new_context()
    await context.route("**/*", lambda route: route.abort())
    tab = await context.new_page()
    tab.set_default_timeout(20000)
    while seeds:
        seed = seeds.pop(0)
        page = draft(seed, material)
        try:
            facts, image = await _capture(tab, page)
        except PlaywrightError as error:
            _LOG.warning("page %d was left out: %s", seed, str(error).splitlines()[0])
            await tab.close()
            tab = await context.new_page()
            tab.set_default_timeout(20000)
            continue
        screen = build_screen(facts, image, page, random.Random(f"web/kept/{seed}"))
        if len(screen.elements) >= 6:
            found[seed] = screen
    await context.close()


async def _capture_all(seeds: list[int], material: Path, tabs: int, browser_path: str) -> dict[int, Screen]:
    found: dict[int, Screen] = {}
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=browser_path, args=_FLAGS, headless=True)
        left = list(seeds)
        await asyncio.gather(*(_work(browser, left, material, found) for _ in range(tabs)))
        await browser.close()
    return found


def find_browser() -> str | None:
    """Path of an installed Chromium, or None."""
    return shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")


def make_screens(
    seeds: Iterable[int], material: Path, tabs: int = 2, batch: int = 100, browser: str | None = None
) -> Iterator[tuple[str, Screen]]:
    """Compose and capture pages.

    Args:
        seeds: One page for each; the same seed gives the same page with the same material and fonts.
        material: Folder in which scripts/fetch_web_material.sh ran its installation.
        tabs: Pages captured at a time.
        batch: Pages after which the browser is started afresh.
        browser: Path of Chromium; default the installed one.

    Yields:
        (name, screen) in the order of the seeds, names like "web-000123"; pages with hardly anything
        on them are left out.

    Raises:
        RuntimeError: If no Chromium is installed.
    """
    browser = browser or find_browser()
    if browser is None:
        raise RuntimeError("no Chromium was found: install it (package chromium), or give its path")
    pending = list(seeds)
    for start in range(0, len(pending), batch):
        part = pending[start : start + batch]
        found = asyncio.run(_capture_all(part, material, tabs, browser))
        for seed in part:
            if seed in found:
                yield f"web-{seed:06d}", found[seed]


def main(arguments: list[str] | None = None) -> None:
    """Write shards of captured pages; shards that exist are skipped."""
    parser = argparse.ArgumentParser(description="Capture drawn web pages as training screens.")
    parser.add_argument("--material", type=Path, default=Path(".cache/web"), help="folder of installed packages")
    parser.add_argument("--out", type=Path, default=Path("shards/web"), help="folder of the shards")
    parser.add_argument("--count", type=int, default=300, help="pages in all")
    parser.add_argument("--seed", type=int, default=0, help="seed of the first page")
    parser.add_argument("--per-shard", type=int, default=100, help="pages a shard")
    parser.add_argument("--quality", type=int, default=60, help="WebP quality, 1 to 100")
    parser.add_argument("--tabs", type=int, default=2, help="pages captured at a time")
    options = parser.parse_args(arguments)
    options.out.mkdir(parents=True, exist_ok=True)
    with tqdm(total=options.count, unit="page") as bar:
        for start in range(options.seed, options.seed + options.count, options.per_shard):
            seeds = range(start, min(start + options.per_shard, options.seed + options.count))
            path = options.out / f"web-{start:06d}.zip"
            if not path.exists():
                screens = dict(make_screens(seeds, options.material, options.tabs, options.per_shard))
                write_shard(path, screens, options.quality)
            bar.update(len(seeds))


if __name__ == "__main__":
    main()

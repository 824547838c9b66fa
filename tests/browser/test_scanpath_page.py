"""The page *Scanpath*, once from end to end in headless Chromium."""

import functools
import gc
import importlib.util
import os
import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

pytestmark = [
    pytest.mark.browser,
    pytest.mark.slow,
    # gradio and its server leave event loops and sockets to the garbage collector.
    pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::UserWarning"),
]

NEEDS = {
    "chromium": shutil.which("chromium"),
    "gradio": importlib.util.find_spec("gradio"),
    "playwright": importlib.util.find_spec("playwright"),
}


@pytest.fixture
def serve(tiny_weights: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., str]]:
    """Start the page with a small pointer and with looking that needs no weights."""
    missing = [name for name, found in NEEDS.items() if not found]
    if missing:
        reason = f"{' and '.join(missing)} not found: apt-get install chromium, pip install 'foveate[test]'"
        (pytest.fail if os.environ.get("CI") else pytest.skip)(reason)
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path / "gradio"))
    monkeypatch.setattr("foveate.demos.scanpath.DEFAULT", "saliency-centre")
    from foveate.demos.app import launch

    yield functools.partial(launch, model=str(tiny_weights), block=False)
    import gradio

    gradio.close_all(verbose=False)
    gc.collect()


def test_upload_look_and_step(serve: Callable[..., str], shot: Path, tmp_path: Path) -> None:
    from playwright.sync_api import expect, sync_playwright

    page_url = serve()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=NEEDS["chromium"], args=["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
        )
        page = browser.new_page(viewport={"width": 1400, "height": 1000})
        page.set_default_timeout(60_000)
        page.goto(page_url)
        page.get_by_role("tab", name="Scanpath").click()
        page.locator("#scan-go").click()
        expect(page.get_by_text("there is no picture: upload one").first).to_be_visible()

        page.locator("#scan-picture input[type=file]").set_input_files(shot)
        expect(page.locator("#scan-picture img")).to_be_visible()
        page.locator("#scan-go").click()
        expect(page.locator("#scan-result img")).to_be_visible()
        expect(page.locator("#scan-line")).to_contain_text(re.compile(r"10 fixations, \d\.\d s"))
        expect(page.locator("#scan-table")).to_contain_text(re.compile(r"\b0\.\d\d\b"))
        whole = page.locator("#scan-result img").get_attribute("src")
        slider = page.locator("#scan-step input[type=range]")
        slider.focus()
        slider.press("Home")
        slider.dispatch_event("pointerup")
        page.wait_for_function("old => document.querySelector('#scan-result img')?.src !== old", arg=whole)
        stepped = page.locator("#scan-result img").get_attribute("src")
        page.screenshot(path=os.environ.get("FOVEATE_SCREENSHOT", tmp_path / "page.png"), full_page=True)
        browser.close()
    assert stepped != whole

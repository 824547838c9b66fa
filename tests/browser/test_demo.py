"""The web page, once from end to end in headless Chromium."""

import importlib.util
import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

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
def page_url(tiny_weights: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    missing = [name for name, found in NEEDS.items() if not found]
    if missing:
        reason = f"{' and '.join(missing)} not found: apt-get install chromium, pip install 'foveate[test]'"
        (pytest.fail if os.environ.get("CI") else pytest.skip)(reason)
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path / "gradio"))
    monkeypatch.setenv("GRADIO_ANALYTICS_ENABLED", "True")  # the app itself has to switch it off
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    from foveate.demos.app import launch

    yield launch(model=str(tiny_weights), block=False)
    import gradio

    gradio.close_all(verbose=False)


def test_upload_sentence_click_and_heatmap(page_url: str, shot: Path, tmp_path: Path) -> None:
    from playwright.sync_api import expect, sync_playwright

    assert os.environ["GRADIO_ANALYTICS_ENABLED"] == "False"
    asked: list[str] = []
    arguments = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=NEEDS["chromium"], args=arguments)
        page = browser.new_page(viewport={"width": 1400, "height": 1000})
        page.set_default_timeout(60_000)
        page.on("request", lambda request: asked.append(request.url))
        page.goto(page_url)

        page.locator("#go").click()
        expect(page.get_by_text("there is no screenshot: upload one")).to_be_visible()

        page.locator("#screenshot input[type=file]").set_input_files(shot)
        expect(page.locator("#screenshot img")).to_be_visible()
        page.locator("#instruction textarea, #instruction input").first.fill("open the file")
        page.locator("#go").click()
        expect(page.locator("#result img")).to_be_visible(timeout=60_000)
        expect(page.locator("#click")).to_contain_text(re.compile(r"Click at \d+, \d+"))
        size = page.locator("#result img").evaluate("image => [image.naturalWidth, image.naturalHeight]")
        first_row = page.locator("#regions tbody tr").first.inner_text().split()
        drawn = page.locator("#result img").evaluate(COLOURS)
        plain = page.locator("#screenshot img").evaluate(COLOURS)

        page.locator("#examples tbody tr, #examples button.gallery-item").first.click()
        expect(page.locator("#instruction textarea, #instruction input").first).to_have_value("reply to the message")
        page.locator("#instruction textarea, #instruction input").first.press("Enter")
        wide = "() => document.querySelector('#result img')?.naturalWidth === 1280"
        page.wait_for_function(wide)
        page.screenshot(path=os.environ.get("FOVEATE_SCREENSHOT", tmp_path / "page.png"), full_page=True)
        browser.close()

    assert size == [200, 120]
    assert first_row[0] == "1"
    assert drawn > plain + 100  # the heatmap and the mark bring many colours that the flat picture has not
    hosts = {urlsplit(url).hostname for url in asked if not url.startswith(("data:", "blob:"))}
    assert hosts == {"127.0.0.1"}


COLOURS = """image => {
  const canvas = document.createElement('canvas');
  canvas.width = image.naturalWidth; canvas.height = image.naturalHeight;
  const context = canvas.getContext('2d');
  context.drawImage(image, 0, 0);
  return new Set(new Uint32Array(context.getImageData(0, 0, canvas.width, canvas.height).data.buffer)).size;
}"""

"""The web page, once from end to end in headless Chromium."""

import functools
import gc
import importlib.util
import os
import re
import shutil
import socket
from collections.abc import Callable, Iterator
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
def serve(tiny_weights: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., str]]:
    """Start the page with the tiny model; stops it and collects its garbage afterwards."""
    missing = [name for name, found in NEEDS.items() if not found]
    if missing:
        reason = f"{' and '.join(missing)} not found: apt-get install chromium, pip install 'foveate[test]'"
        (pytest.fail if os.environ.get("CI") else pytest.skip)(reason)
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path / "gradio"))
    monkeypatch.setenv("GRADIO_ANALYTICS_ENABLED", "True")  # the app itself has to switch it off
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    from foveate.demos.app import launch

    yield functools.partial(launch, model=str(tiny_weights), block=False)
    import gradio

    gradio.close_all(verbose=False)
    gc.collect()


def test_a_taken_port_is_one_sentence(serve: Callable[..., str]) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(RuntimeError, match=rf"cannot be served on 127\.0\.0\.1:{port} .*: choose another --port"):
            serve(port=port)


def test_upload_sentence_click_and_heatmap(serve: Callable[..., str], shot: Path, tmp_path: Path) -> None:
    from playwright.sync_api import expect, sync_playwright

    page_url = serve()
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
        expect(page.get_by_text("there is no screenshot: upload one").first).to_be_visible()

        page.locator("#screenshot input[type=file]").set_input_files(shot)
        expect(page.locator("#screenshot img")).to_be_visible()
        page.locator("#instruction textarea, #instruction input").first.fill("open the file")
        page.locator("#go").click()
        expect(page.locator("#result img")).to_be_visible(timeout=60_000)
        expect(page.locator("#click")).to_contain_text(re.compile(r"Click at \d+, \d+"))
        size = page.locator("#result img").evaluate("image => [image.naturalWidth, image.naturalHeight]")
        expect(page.locator("#regions")).to_contain_text(re.compile(r"\b[01]\.\d{3}\b"))
        drawn = page.locator("#result img").evaluate(COLOURS)
        plain = page.locator("#screenshot img").evaluate(COLOURS)

        page.locator("#examples button").first.click()
        expect(page.locator("#instruction textarea, #instruction input").first).to_have_value("reply to the message")
        # The sentence may be there before the picture is.
        wide = "id => document.querySelector(`#${id} img`)?.naturalWidth === 1280"
        page.wait_for_function(wide, arg="screenshot")
        page.wait_for_timeout(500)
        page.locator("#instruction textarea, #instruction input").first.press("Enter")
        page.wait_for_function(wide, arg="result")
        page.screenshot(path=os.environ.get("FOVEATE_SCREENSHOT", tmp_path / "page.png"), full_page=True)
        browser.close()

    assert size == [200, 120]
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


def test_an_address_of_another_machine_is_refused_at_once() -> None:
    from foveate.demos.app import launch

    with pytest.raises(RuntimeError, match=r"cannot be served on 192\.0\.2\.1 .*: choose another --host"):
        launch(host="192.0.2.1")

"""The web page ``foveate demo``: local, without analytics, and only as heavy as gradio when it is asked for."""

import importlib.util
import os
import socket
from typing import TYPE_CHECKING

import foveate

if TYPE_CHECKING:
    import gradio as gr

_TITLE = """# foveate
Say what to click on a screenshot, or see where an eye would rest. Models run on this machine, and nothing leaves it."""
_CSS = """
.gradio-container > main { width: 100%; max-width: 1480px; margin: 0 auto; }
#click { min-height: 4.5em; }
"""


def build(model: str = "foveate-point-s") -> "gr.Blocks":
    """Load the model and lay out the app without starting it.

    Args:
        model: Name or weights file of the model that answers.

    Returns:
        The app, to launch or to mount.

    Raises:
        RuntimeError: gradio is not installed, or the weights cannot be read.
        ValueError: There is no such model.
    """
    if importlib.util.find_spec("gradio") is None:
        raise RuntimeError('the web page needs gradio: pip install "foveate[demos]"')
    pointer = foveate.Pointer(model)
    # gradio reads this once, when it is imported.
    os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"
    import gradio as gr

    from foveate.demos import point, scanpath

    with gr.Blocks(title="foveate", analytics_enabled=False, fill_width=True, delete_cache=(3600, 3600)) as app:
        gr.Markdown(_TITLE)
        with gr.Tab("Point"):
            point.add_page(pointer)
        with gr.Tab("Scanpath"):
            scanpath.add_page()
    return app


def launch(host: str = "127.0.0.1", port: int | None = None, model: str = "foveate-point-s", block: bool = True) -> str:
    """Serve the app.

    Args:
        host: Address to listen on; the default keeps it on this machine.
        port: Port; the first free one from 7860 by default.
        model: Name or weights file of the model that answers; it is loaded before the page opens.
        block: Wait until interrupted.

    Returns:
        The address of the page.

    Raises:
        RuntimeError: gradio is not installed, the weights cannot be read, or the port is taken.
        ValueError: There is no such model.
    """
    _check_host(host)
    app = build(model).queue(max_size=20)
    import gradio as gr

    try:
        _, url, _ = app.launch(
            server_name=host,
            server_port=port,
            share=False,
            max_file_size="20mb",
            footer_links=["api"],
            # Fonts of the system: gradio's themes name Google's otherwise.
            theme=gr.themes.Soft(
                primary_hue="blue",
                neutral_hue="slate",
                font=["system-ui", "sans-serif"],
                font_mono=["ui-monospace", "monospace"],
            ),
            css=_CSS,
            ssr_mode=False,
            prevent_thread_lock=True,
            quiet=not block,
        )
    except OSError as error:
        where = f"{host}:{port}" if port else f"{host}, ports 7860 to 7959"
        raise RuntimeError(f"the page cannot be served on {where} ({error}): choose another --port") from error
    if block:
        app.block_thread()
    return str(url)


def _check_host(host: str) -> None:
    """Fail at once where no port of an address can be listened on: gradio would try a hundred."""
    try:
        with socket.create_server((host, 0)):
            pass
    except OSError as error:
        raise RuntimeError(f"the page cannot be served on {host} ({error}): choose another --host") from error

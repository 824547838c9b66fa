"""The page that looks: a picture in, numbered fixations and how long each lasts out."""

from typing import Any

import gradio as gr
from PIL import Image

from foveate.errors import counted, sentence
from foveate.scanpath.fixations import Scanpath
from foveate.scanpath.predicting import DEFAULT, MODELS, predict
from foveate.vision import EXAMPLES, draw_scanpath, load_image

_HEADER = ["fixation", "x", "y", "seconds"]
_SOURCES: list[Any] = ["upload", "clipboard"]
_BARE: dict[str, Any] = {"show_label": False, "buttons": ["download", "fullscreen"]}


def add_page() -> None:
    """Lay the page out inside the ``gr.Blocks`` that is open; a model is loaded when it is first asked for."""

    def look(image: str | None, model: str, task: str, count: int) -> tuple[Any, ...]:
        """Say where an eye would rest on a picture, in order.

        Args:
            image: File of the picture.
            model: Name of the model.
            task: What is looked for, where the model reads words; empty for free viewing.
            count: Fixations.
        """
        if image is None:
            raise gr.Error("there is no picture: upload one or choose an example", print_exception=False)
        try:
            path = predict(image, model=model, task=task, count=int(count))
        except (ValueError, RuntimeError, OSError) as error:
            raise gr.Error(sentence(error), print_exception=False) from error
        slider = gr.Slider(1, max(2, len(path)), value=len(path), step=1, interactive=True)
        return _draw(image, path, len(path)), _line(path), _rows(path), slider, path.to_dict()

    def step(image: str | None, answer: dict[str, Any] | None, last: int) -> Image.Image | None:
        """Draw the first fixations only."""
        if image is None or answer is None or answer["source"] != image:
            return None
        return _draw(image, Scanpath.from_dict(answer), int(last))

    answer = gr.State()
    with gr.Row():
        with gr.Column(scale=2, min_width=360):
            image = gr.Image(
                type="filepath", image_mode=None, sources=_SOURCES, elem_id="scan-picture", **_BARE, height=330
            )
            task = gr.Textbox(label="What is looked for (nevaclip only)", placeholder="nothing", elem_id="scan-task")
            names = [name for name in MODELS if name != "oat"]  # which takes a file that its user trained
            model = gr.Dropdown(names, value=DEFAULT, label="Model", elem_id="scan-model")
            count = gr.Slider(1, 20, value=10, step=1, label="Fixations", elem_id="scan-count")
            go = gr.Button("Look", variant="primary", elem_id="scan-go")
            names = [example.name for example in EXAMPLES]
            gr.Examples([[str(e.path)] for e in EXAMPLES], [image], elem_id="scan-examples", example_labels=names)
        with gr.Column(scale=3, min_width=480):
            result = gr.Image(format="png", interactive=False, elem_id="scan-result", **_BARE, height=540)
            last = gr.Slider(1, 10, value=10, step=1, label="Up to fixation", interactive=False, elem_id="scan-step")
            line = gr.Markdown("Choose a picture and press Look.", elem_id="scan-line")
            table = gr.Dataframe(headers=_HEADER, label="Fixations", interactive=False, elem_id="scan-table")
    asked, answered = [image, model, task, count], [result, line, table, last, answer]
    go.click(look, asked, answered, api_name="scanpath", concurrency_id="look", concurrency_limit=1)
    last.release(step, [image, answer, last], result, api_visibility="private", show_progress="hidden")


def _draw(image: str, path: Scanpath, last: int) -> Image.Image:
    shown = path.first(last)
    return draw_scanpath(load_image(image), shown.points, shown.duration)


def _line(path: Scanpath) -> str:
    note = "" if path.trained else ", untrained"
    seconds = "no durations" if path.duration is None else f"{path.duration.sum():.1f} s"
    return f"### {counted(len(path), 'fixation')}, {seconds}\n{path.observer}{note}"


def _rows(path: Scanpath) -> list[list[Any]]:
    """Lay out the table."""
    rows = enumerate(path, start=1)
    return [[i, int(f.x), int(f.y), "" if f.duration is None else f"{f.duration:.2f}"] for i, f in rows]

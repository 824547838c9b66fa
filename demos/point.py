"""The page that points: a screenshot and a sentence in, a click and what the model looked at out."""

from typing import Any

import gradio as gr
from PIL import Image

import foveate
from foveate.errors import sentence
from foveate.vision.examples import EXAMPLES

_HEADER = ["rank", "x", "y", "confidence"]
_SOURCES: list[Any] = ["upload", "clipboard"]
_BARE: dict[str, Any] = {"show_label": False, "buttons": ["download", "fullscreen"]}


def add_page(pointer: foveate.Pointer) -> None:
    """Lay the page out inside the ``gr.Blocks`` that is open.

    Args:
        pointer: The model that answers.
    """

    def point(image: str | None, instruction: str) -> tuple[Image.Image, str, list[list[Any]]]:
        """Find where to click on a screenshot.

        Args:
            image: File of the screenshot.
            instruction: What to click, such as "save the file".
        """
        if image is None:
            raise gr.Error("there is no screenshot: upload one or choose an example", print_exception=False)
        try:
            answer = pointer(image, instruction)
        except (ValueError, RuntimeError, OSError) as error:
            raise gr.Error(sentence(error), print_exception=False) from error
        x, y = answer.click
        line = f"### Click at {x}, {y}\nconfidence {answer.confidence:.2f}, {answer.seconds:.2f} s"
        best = enumerate(answer.regions[:5], 1)
        rows = [[rank, int(one.point.x), int(one.point.y), f"{one.confidence:.3f}"] for rank, one in best]
        return answer.draw(top=3, heatmap=True), line, rows

    with gr.Row():
        with gr.Column(scale=2, min_width=360):
            # The path as it is: the library reads pictures more carefully than the page would.
            image = gr.Image(
                type="filepath", image_mode=None, sources=_SOURCES, elem_id="screenshot", **_BARE, height=330
            )
            instruction = gr.Textbox(label="What to click", placeholder="save the file", elem_id="instruction")
            go = gr.Button("Point", variant="primary", elem_id="go")
            examples = [[str(example.path), example.instruction] for example in EXAMPLES]
            names = [f"{example.name}: {example.instruction}" for example in EXAMPLES]
            gr.Examples(examples, [image, instruction], elem_id="examples", example_labels=names)
        with gr.Column(scale=3, min_width=480):
            result = gr.Image(format="png", interactive=False, elem_id="result", **_BARE, height=540)
            line = gr.Markdown("Choose a screenshot, say what to click, and press Point.", elem_id="click")
            table = gr.Dataframe(headers=_HEADER, label="Top regions", interactive=False, elem_id="regions")
    asked, answered = [image, instruction], [result, line, table]
    go.click(point, asked, answered, api_name="point", concurrency_id="model", concurrency_limit=1)
    instruction.submit(point, asked, answered, api_visibility="private", concurrency_id="model")

"""The page that points: a screenshot and a sentence in, a click and what the model looked at out."""

from typing import Any

import gradio as gr
from PIL import Image

import foveate
from foveate.vision.examples import EXAMPLES

_HEADER = ["rank", "x", "y", "confidence"]


def add_page(model: str = "foveate-point-s") -> None:
    """Lay the page out inside the ``gr.Blocks`` that is open.

    Args:
        model: Name or weights file of the model that answers.
    """
    pointer = foveate.Pointer(model)

    def point(image: Image.Image | None, instruction: str) -> tuple[Image.Image, str, list[list[Any]]]:
        """Find where to click on a screenshot.

        Args:
            image: The screenshot.
            instruction: What to click, such as "save the file".
        """
        if image is None:
            raise gr.Error("there is no screenshot: upload one or choose an example")
        try:
            answer = pointer(image, instruction)
        except (ValueError, RuntimeError) as error:
            raise gr.Error(str(error)) from error
        x, y = answer.click
        line = f"### Click at {x}, {y}\nconfidence {answer.confidence:.2f}, {answer.seconds:.2f} s"
        rows = [
            [i, *map(round, (r.point.x, r.point.y)), f"{r.confidence:.3f}"] for i, r in enumerate(answer.regions, 1)
        ]
        return answer.draw(top=3, heatmap=True), line, rows[:5]

    with gr.Row():
        with gr.Column(scale=2):
            image = gr.Image(type="pil", label="Screenshot", elem_id="screenshot", sources=["upload", "clipboard"])
            instruction = gr.Textbox(label="What to click", placeholder="save the file", elem_id="instruction")
            go = gr.Button("Point", variant="primary", elem_id="go")
            examples = [[str(example.path), example.instruction] for example in EXAMPLES]
            gr.Examples(examples, [image, instruction], elem_id="examples", label="Examples")
        with gr.Column(scale=3):
            result = gr.Image(label="Click and attention", elem_id="result", format="png", interactive=False)
            line = gr.Markdown("Choose a screenshot, say what to click, and press Point.", elem_id="click")
            table = gr.Dataframe(headers=_HEADER, label="Top regions", elem_id="regions", interactive=False)
    asked, answered = [image, instruction], [result, line, table]
    go.click(point, asked, answered, api_name="point", concurrency_id="model", concurrency_limit=1)
    instruction.submit(point, asked, answered, api_visibility="private", concurrency_id="model")

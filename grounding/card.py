"""Model cards: what a pointer was trained on, how, how well it does and what it cannot do."""

import argparse
import json
from pathlib import Path
from typing import Any

from foveate.grounding.model import load_point_model, read_facts

_TEXT = """# {name}

Points at what an English sentence names on a screenshot.
{parameters:.1f} M parameters, {megabytes:.1f} MB (fp16), Apache-2.0.

## Training

{steps} steps on {device} ({batch} crops a step), {minutes} minutes, seed {seed}.
Started from random image weights; the sentence encoder started from layers of all-MiniLM-L6-v2 (Apache-2.0), which was
also its teacher.

| part | command |
| --- | --- |
{commands}

| source of screens | screens |
| --- | --- |
{screens}

Web pages wear CSS kits, templates and icon sets of the npm registry; desktop programs are Debian 12 packages captured
with their accessibility boxes; toolkit windows are GTK 3, Qt 5 and Tk with made-up content; screens drawn while
training come on top and never repeat. The scripts `scripts/fetch_*.sh` list every kit, program, theme and font. No
program and no page that gui-real shows was used: CONTRIBUTING.md has the list of what is kept out.

## Scores

Best cell inside the target, on screens of the makers that were kept out of training:

| source | text | icon |
| --- | --- | --- |
{held_out}

{real}

## Limits

English only; one click for one sentence; nothing that is not visible. Small targets on large screens and requests that
share no word with what stands on the screen are weakest. Phones and games are hardly among the training screens. The
confidence orders answers and is no calibrated probability. Let a person confirm what cannot be undone.
"""


def _table(facts: dict[str, Any], key: str) -> str:
    return "\n".join(f"| {name} | {value} |" for name, value in facts.get(key, {}).items()) or "| not recorded | |"


def _held_out(scores: dict[str, float]) -> str:
    makers = list(dict.fromkeys(name.rsplit("_", 1)[0] for name in scores))
    rows = [f"| {m} | {scores[f'{m}_text']:.3f} | {scores[f'{m}_icon']:.3f} |" for m in makers]
    return "\n".join(rows) or "| not measured | | |"


def _real(result: dict[str, Any] | None) -> str:
    if result is None:
        return "Not measured on real screens yet: `foveate eval grounding --json result.json` does."
    overall = result["overall"]
    low, high = overall["ci95"]
    head = (
        f"gui-real, {result['samples']} questions on real screens: {overall['micro']:.1%} of the clicks lie in the box "
        f"(95 %: {low:.1%} to {high:.1%}),\n{overall['hit_at_3']:.1%} with the first three regions."
    )
    rows = [
        f"| {name} | {cell['samples']} | {cell['accuracy']:.3f} |"
        for name, cell in result["cells"].items()
        if cell["samples"]
    ]
    return "\n".join((head, "", "| platform and kind | questions | accuracy |", "| --- | --- | --- |", *rows))


def write_card(weights: str | Path, result: dict[str, Any] | None = None) -> Path:
    """Write the card of a pointer beside its weights.

    Args:
        weights: A file that ``save_point_model`` wrote.
        result: Of ``foveate eval grounding --json``, if there is one.

    Returns:
        The card, NAME.md.
    """
    path = Path(weights)
    facts = {"steps": 0, "batch": 0, "minutes": 0, "seed": 0, "device": "one device", **read_facts(path)}
    model = load_point_model(str(path))
    text = _TEXT.format(
        name=model.config.name,
        parameters=sum(p.numel() for p in model.parameters()) / 1e6,
        megabytes=path.stat().st_size / 1e6,
        commands=_table(facts, "commands"),
        screens=_table(facts, "screens"),
        held_out=_held_out(facts.get("held_out", {})),
        real=_real(result),
        **{key: facts[key] for key in ("steps", "batch", "minutes", "seed", "device")},
    )
    card = path.with_suffix(".md")
    card.write_text(text, encoding="utf-8")
    return card


def main() -> None:
    """Write a card from the command line."""
    parser = argparse.ArgumentParser(prog="python -m foveate.grounding.card", description=__doc__)
    parser.add_argument("weights", type=Path)
    parser.add_argument("--result", type=Path, help="result file of foveate eval grounding")
    arguments = parser.parse_args()
    result = json.loads(arguments.result.read_text()) if arguments.result else None
    write_card(arguments.weights, result)


if __name__ == "__main__":
    main()

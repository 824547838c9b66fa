import shutil
from pathlib import Path

from foveate.grounding.card import write_card


def test_a_card_says_what_was_measured_and_what_was_not(tiny_weights: Path, tmp_path: Path) -> None:
    weights = Path(shutil.copy(tiny_weights, tmp_path / "mine.safetensors"))
    card = write_card(weights)
    assert card == tmp_path / "mine.md"
    assert "Not measured on real screens yet" in card.read_text()
    cells = {"desktop/text": {"samples": 4, "accuracy": 0.75}, "mobile/icon": {"samples": 0, "accuracy": None}}
    overall = {"micro": 0.75, "ci95": [0.3, 0.95], "hit_at_3": 1.0}
    text = write_card(weights, {"samples": 4, "overall": overall, "cells": cells}).read_text()
    assert "75.0% of the clicks lie in the box" in text
    assert "| desktop/text | 4 | 0.750 |" in text
    assert "mobile" not in text


def test_the_packaged_card_matches_its_weights() -> None:
    from foveate.grounding.catalog import MODELS
    from foveate.grounding.model import read_facts

    facts = read_facts(MODELS[0].path)
    card = MODELS[0].path.with_suffix(".md").read_text()
    assert str(facts["steps"]) in card
    assert all(f"{score:.3f}" in card for score in facts["held_out"].values())

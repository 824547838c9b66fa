"""The V2P parts against what the published code answers, and where that code has no answer."""

import ast
import re

import numpy as np
import pytest
import torch

from foveate.grounding.labels import binary_labels, center_labels, gaussian_labels
from foveate.grounding.losses import pointer_loss, suppression_loss, v2p_loss
from foveate.grounding.pointer_head import PointerHead
from foveate.grounding.regions import extract_regions, verifier_candidates


def boxes_and_grid(notes: str) -> tuple[torch.Tensor, tuple[int, int]]:
    """Read the boxes and the grid that a case's notes name."""
    boxes = re.search(r"\(x1,y1,x2,y2 in 0..1\) (\[\[.*?\]\])", notes)
    grid = re.search(r"grid of (\d+)x(\d+) patches", notes)
    assert boxes is not None
    assert grid is not None
    return torch.tensor(ast.literal_eval(boxes[1])), (int(grid[1]), int(grid[2]))


def test_every_case_is_of_a_kind_that_is_compared(golden) -> None:
    kinds = {case.removeprefix("v2p/").split("_")[0] for case in golden.cases("v2p")}
    assert kinds == {"head", "regions"}


def test_heads_labels_and_losses_agree_with_the_published_code(golden) -> None:
    cases = [case for case in golden.cases("v2p") if case.startswith("v2p/head")]
    assert len(cases) >= 2
    for case in cases:
        spec, wanted = golden.load(case), golden.outputs(case)
        boxes, grid = boxes_and_grid(spec["notes"])
        state = golden.fill_state(spec)
        head = PointerHead(state["layer_norm.weight"].numel()).eval()
        head.load_state_dict(state)
        with torch.inference_mode():
            attention, _ = head(golden.make_input(spec, "enc"), golden.make_input(spec, "dec"))
        torch.testing.assert_close(attention, wanted["attn"], atol=1e-5, rtol=1e-5)
        labels = {"binary": binary_labels(boxes, grid), "center": center_labels(boxes, grid)}
        labels |= {f"gauss_{str(f).replace('.', '_')}": gaussian_labels(boxes, grid, f) for f in (1.0, 2.0, 4.1325)}
        for name, ours in labels.items():
            torch.testing.assert_close(ours, wanted[f"labels_{name}"], atol=1e-5, rtol=1e-4)
            torch.testing.assert_close(v2p_loss(attention, ours), wanted[f"loss_v2p_{name}"], atol=1e-5, rtol=1e-5)
        ours = pointer_loss(attention, labels["binary"])
        torch.testing.assert_close(ours, wanted["loss_gui_actor"], atol=1e-5, rtol=1e-5)


def test_regions_agree_with_the_published_code(golden) -> None:
    cases = [case for case in golden.cases("v2p") if case.startswith("v2p/regions")]
    assert len(cases) >= 2
    for case in cases:
        columns, rows = map(int, case.rsplit("_", 1)[1].split("x"))
        wanted = golden.outputs(case)
        attention = wanted["attn"][0]
        for scoring in ("gui_actor", "v2p"):
            for suffix, point in (("", "weighted"), ("_rect", "rect_center")):
                name = f"{scoring}{suffix}"
                found = extract_regions(attention, (columns, rows), scoring=scoring, point=point)
                assert [len(r.patches) for r in found] == wanted[f"{name}_sizes"].int().tolist()
                places = np.array([(r.point.x, r.point.y) for r in found])
                np.testing.assert_allclose(places, wanted[f"{name}_centers"].numpy(), atol=1e-6)
                np.testing.assert_allclose(places[0], wanted[f"{name}_best"].numpy(), atol=1e-6)
                np.testing.assert_allclose([r.score for r in found], wanted[f"{name}_scores"].numpy(), rtol=1e-5)
        candidates = np.array([(p.x, p.y) for p in verifier_candidates(attention, (columns, rows))])
        np.testing.assert_allclose(candidates, wanted["verifier_candidates"].numpy(), atol=1e-6)


def test_a_box_without_area_gets_a_finite_label() -> None:
    labels = gaussian_labels(torch.tensor([[0.5, 0.5, 0.5, 0.5]]), (8, 8))
    assert labels.sum() == 1
    attention = torch.full((1, 64), 1 / 64, requires_grad=True)
    v2p_loss(attention, labels).backward()
    assert torch.isfinite(attention.grad).all()


def test_a_row_without_labels_adds_no_divergence_and_all_its_mass_is_background() -> None:
    attention = torch.full((1, 4), 0.25)
    assert pointer_loss(attention, torch.zeros(1, 4)) == 0
    assert suppression_loss(attention, torch.zeros(1, 4)) == pytest.approx(1.0)


def test_gaussian_labels_sum_to_the_mass_inside_the_box() -> None:
    labels = gaussian_labels(torch.tensor([[0.1, 0.2, 0.7, 0.9]]), (20, 20), sigma_factor=2.0)
    inside = float(torch.erf(torch.tensor(1 / 2**0.5)))
    assert labels.sum() == pytest.approx(inside**2, abs=1e-5)


@pytest.mark.parametrize("values", [torch.zeros(12), torch.full((12,), torch.nan)])
def test_a_map_that_names_no_place_is_an_error(values: torch.Tensor) -> None:
    with pytest.raises(ValueError, match="finite and positive"):
        extract_regions(values, (4, 3))


def test_regions_do_not_wrap_around_the_edges() -> None:
    values = torch.zeros(12)
    values[[3, 4]] = 0.5  # the end of the first row and the start of the second
    assert len(extract_regions(values, (4, 3))) == 2

"""What the pointer learns from: the V2P loss on its maps, and reading tasks beside it."""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from foveate.grounding.model import STRIDE, PointModel
from foveate.grounding.synthetic.loader import IGNORE, LETTERS
from foveate.grounding.text import TextEncoder, TextFeatures


@dataclass(frozen=True)
class Weights:
    """Weights of the parts of the objective.

    Args:
        direct: V2P loss of the direct map alone.
        mass: -log of the attention inside the target, beside the V2P loss of the full map.
        match: Contrast of targets and words with all sentences and words of the batch.
        letters: Naming the letter at every cell.
        teacher: Distance of sentence vectors from the teacher's.
    """

    direct: float = 0.3
    mass: float = 0.5
    match: float = 0.3
    letters: float = 0.5
    teacher: float = 1.0


def box_shares(boxes: Tensor, height: int, width: int, sigma_factor: float | None = None) -> Tensor:
    """Share of each box that falls into each cell, flat or as the mass of a centred Gaussian.

    Args:
        boxes: (..., 4) left, top, right, bottom in cells; an empty box gives zeros.
        height: Cells from top to bottom.
        width: Cells from left to right.
        sigma_factor: Box side over the Gaussian's sigma; None is flat.

    Returns:
        (..., height, width), 0 to 1.

    Source: V2P (arXiv 2508.13634), Fitts-Gaussian labels; the flat form is an area average.
    """
    axes = []
    for low, high, cells in ((boxes[..., 1], boxes[..., 3], height), (boxes[..., 0], boxes[..., 2], width)):
        edges = torch.arange(cells + 1, device=boxes.device, dtype=boxes.dtype)
        edges = torch.minimum(torch.maximum(edges, low[..., None]), high[..., None])
        side = (high - low).clamp(min=1e-3)[..., None]
        if sigma_factor is None:
            level = edges / side
        else:
            level = torch.special.ndtr((edges - ((low + high) / 2)[..., None]) * sigma_factor / side)
        axes.append(level.diff(dim=-1))
    return axes[0][..., :, None] * axes[1][..., None, :]


def map_loss(logits: Tensor, labels: Tensor, inside: Tensor, weight: Tensor, mass: float) -> Tensor:
    """V2P loss of maps: KL to the labels plus the attention outside the targets, and -log of the attention inside.

    Args:
        logits: (sentences, height, width).
        labels: Non-negative, same shape.
        inside: 1 where a target reaches, same shape.
        weight: Weight of each sentence, (sentences,).
        mass: Weight of the last part.

    Returns:
        Weighted mean over sentences.

    Source: V2P (arXiv 2508.13634); the mass part is ours.
    """
    log_attention = logits.flatten(1).log_softmax(1)
    target = labels.flatten(1) / labels.flatten(1).sum(1, keepdim=True).clamp(min=1e-8)
    divergence = (torch.special.xlogy(target, target) - target * log_attention).sum(1)
    within = (log_attention.exp() * inside.flatten(1)).sum(1)
    loss = divergence + (1 - within) - mass * within.clamp(min=1e-6).log()
    return (loss * weight).sum() / weight.sum().clamp(min=1)


class Objective(nn.Module):
    """A pointer with the heads and the teacher that only training needs.

    Args:
        model: The pointer.
        teacher: Sentence encoder with the same pieces, or None.
        weights: Weights of the parts.
        sigma_factor: Of the Gaussian labels.
    """

    def __init__(
        self,
        model: PointModel,
        teacher: TextEncoder | None = None,
        weights: Weights | None = None,
        sigma_factor: float = 2.0,
    ) -> None:
        super().__init__()
        self.model = model
        self.letters = nn.Conv2d(model.config.neck_dim, 2 * (len(LETTERS) + 1), 1)
        self.teacher = teacher.requires_grad_(False) if teacher is not None else None
        self.weights = weights or Weights()
        self.sigma_factor = sigma_factor

    def forward(self, batch: dict[str, Tensor]) -> dict[str, Tensor]:
        """Compute every part of the loss on a batch of the loader.

        Args:
            batch: As ``loader.cut`` makes it, with pixels in 0 to 1, stacked.

        Returns:
            "loss" and its parts, and "hit": whether the map's best cell lies in a target, (batch, sentences).
        """
        model, weights = self.model, self.weights
        samples, sentences = batch["ids"].shape[:2]
        words = batch["word_ids"].shape[1]
        image = model.encode_image(batch["pixels"])
        ids = torch.cat([batch["ids"].flatten(0, 1), batch["word_ids"].flatten(0, 1)])
        text = model.encode_text(ids)
        count = samples * sentences
        asked = TextFeatures(text.states[:count], text.mask[:count], text.pooled[:count])
        full, direct = model.maps(image, asked)

        height, width = image.place.shape[2:]
        cells = batch["boxes"] / STRIDE
        used = (cells[..., 2] > cells[..., 0])[..., None, None]
        with torch.autocast(full.device.type, enabled=False):
            labels = (box_shares(cells, height, width, self.sigma_factor) * used).sum(2).flatten(0, 1)
            inside = ((box_shares(cells, height, width) * used).sum(2) > 0).flatten(0, 1).to(full.dtype)
            weight = batch["weight"].flatten()
            parts = {
                "map": map_loss(full, labels, inside, weight, weights.mass),
                "direct": map_loss(direct, labels, inside, weight, weights.mass),
                "match": self._match(image.place, text, batch, samples, words),
            }
        parts["letters"] = self._name_letters(image.fine, batch["letters"])
        if self.teacher is not None:
            with torch.no_grad():
                known = self.teacher(ids).pooled
            parts["teacher"] = 1 - F.cosine_similarity(text.pooled.float(), known.float(), dim=1).mean()
        loss = parts["map"] + sum(getattr(weights, name) * part for name, part in parts.items() if name != "map")
        best = full.detach().flatten(1).argmax(1, keepdim=True)
        hit = inside.flatten(1).gather(1, best)[:, 0].view(samples, sentences)
        return {"loss": loss, "hit": hit, **{name: part.detach() for name, part in parts.items()}}

    def _match(self, place: Tensor, text: TextFeatures, batch: dict[str, Tensor], samples: int, words: int) -> Tensor:
        """InfoNCE between what boxes show and what sentences and words say, over the whole batch, both ways."""
        boxes = torch.cat([batch["boxes"][:, :, 0], batch["word_boxes"]], 1) / STRIDE
        shares = box_shares(boxes, *place.shape[2:]).flatten(2)
        shares = shares / shares.sum(2, keepdim=True).clamp(min=1e-6)
        shown = F.normalize(shares @ place.flatten(2).transpose(1, 2), dim=2)
        vectors = self.model.sentence_vectors(text)
        count = samples * (boxes.shape[1] - words)
        said = torch.cat(
            [vectors[:count].view(samples, -1, vectors.shape[1]), vectors[count:].view(samples, words, -1)], 1
        )
        ids = torch.cat([batch["ids"], batch["word_ids"]], 1).flatten(0, 1)
        single = (batch["boxes"][:, :, 1, 2] == 0).to(shown.dtype) * batch["weight"]
        keep = torch.cat([single, batch["word_weight"]], 1).flatten() > 0
        shown, said, ids = shown.flatten(0, 1)[keep], said.flatten(0, 1)[keep], ids[keep]
        logits = shown @ said.T * self.model.direct_scale.exp()
        code = (ids * torch.arange(1, ids.shape[1] + 1, device=ids.device) * 7919).sum(1)
        twin = (code[:, None] == code[None]) & ~torch.eye(len(code), dtype=torch.bool, device=code.device)
        logits = logits.masked_fill(twin, -1e4)
        index = torch.arange(len(code), device=code.device)
        return (F.cross_entropy(logits, index) + F.cross_entropy(logits.T, index)) / 2

    def _name_letters(self, fine: Tensor, letters: Tensor) -> Tensor:
        """Cross-entropy of the letter at each 4x8 cell; empty cells count a tenth, as there are far more of them."""
        batch, _, height, width = fine.shape
        logits = (
            self.letters(fine)
            .view(batch, 2, -1, height, width)
            .permute(0, 2, 3, 4, 1)
            .reshape(batch, -1, height, 2 * width)
        )
        classes = logits.shape[1]
        balance = torch.ones(classes, device=fine.device)
        balance[0] = 0.1
        return F.cross_entropy(logits.float(), letters.long(), weight=balance, ignore_index=IGNORE)

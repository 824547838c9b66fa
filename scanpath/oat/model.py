"""The network of OAT: objects are encoded once, the path so far is decoded, and a pointer names the next object."""

import copy
import math
from collections.abc import Mapping
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from foveate.scanpath.oat.appearance import CropEmbedding
from foveate.scanpath.oat.layout import Layout
from foveate.scanpath.oat.positions import position_codes

__all__ = ["OAT"]


class _Pointer(nn.Module):
    """One head of the pointer."""

    def __init__(self, channels: int, key_channels: int) -> None:
        super().__init__()
        self.decode_fc = nn.Linear(channels, key_channels)
        self.encode_fc = nn.Linear(channels, key_channels)


class OAT(nn.Module):
    """Object-level attention transformer.

    Ids: objects are 0 to P - 1 row by row; P ends a path, P + 1 pads it and P + 2 starts it. The token after the
    objects is the target; pointing at it, id P, ends the path.

    Args:
        rows: Of the grid of objects.
        columns: Of the grid of objects.
        table: (count, code) position table, see ``positions.position_table``; 86 channels a code as published.
        spp: Levels of the pyramid pooling of crops; 0 for fixed pooling, which needs crops of ``crop``.
        heads: Of the pointer.
        crop: Height and width of crops, pixels.
        channels: Of a token; those that are not appearance are position.
        depth: Layers of the encoder, and of the decoder.
        dropout: In training.
        appearance: Channels of how an object looks; 0 makes a model that reads no crops.
        feedforward: Channels between the two linear layers of each block.

    Source:
        OAT, ECCV 2024. As there the model is told where the target is: it imitates the way to it.
    """

    table: Tensor
    cells: Tensor

    def __init__(
        self,
        rows: int,
        columns: int,
        table: Tensor,
        spp: int = 0,
        heads: int = 2,
        crop: tuple[int, int] = (150, 93),
        channels: int = 512,
        depth: int = 4,
        dropout: float = 0.1,
        appearance: int = 256,
        feedforward: int = 512,
    ) -> None:
        super().__init__()
        self.rows, self.columns, self.objects, self.crop = rows, columns, rows * columns, crop
        self.channels, self.looks, self.trained = channels, appearance, False
        #: Arguments that make this network again, but for the table; plain data.
        self.options: dict[str, Any] = {
            "rows": rows,
            "columns": columns,
            "spp": spp,
            "heads": heads,
            "crop": list(crop),
            "channels": channels,
            "depth": depth,
            "dropout": dropout,
            "appearance": appearance,
            "feedforward": feedforward,
        }
        self.register_buffer("table", table.float(), persistent=False)
        # The ids after the objects' fall into the row below the grid, as published.
        ids = torch.arange(self.objects + 3)
        self.register_buffer("cells", torch.stack([ids // columns, ids % columns], 1), persistent=False)
        block: dict[str, Any] = {"dim_feedforward": feedforward, "dropout": dropout}
        self.transformer_encoder = nn.TransformerEncoder(
            nn.TransformerEncoderLayer(channels, 4, **block), depth, enable_nested_tensor=False
        )
        self.transformer_decoder = nn.TransformerDecoder(nn.TransformerDecoderLayer(channels, 4, **block), depth)
        self.generator = nn.Linear(channels, self.objects + 2)  # in published files, and without use
        self.cnn_embedding = CropEmbedding(spp, crop, appearance) if appearance else None
        self.LinearEmbedding = nn.Linear(3, 256)  # the same
        self.cross_attentions = nn.ModuleList([_Pointer(channels, channels) for _ in range(heads)])
        self.readout = nn.Linear(heads, 1)
        self.dropout = nn.Dropout(dropout)
        for parameter in self.parameters():
            if parameter.dim() > 1:
                nn.init.xavier_uniform_(parameter)

    @property
    def end(self) -> int:
        """Id that ends a path."""
        return self.objects

    @property
    def padding(self) -> int:
        """Id that fills paths up."""
        return self.objects + 1

    @property
    def start(self) -> int:
        """Id that starts a path."""
        return self.objects + 2

    def on(self, layout: Layout) -> "OAT":
        """Return the same network, with shared weights, for the objects of another layout.

        Args:
            layout: Its rows and columns must be in the position table; cells may be empty, or hold several objects.

        Raises:
            ValueError: It has more rows or columns than the table.
        """
        if max(layout.rows, layout.columns) > len(self.table):
            raise ValueError(
                f"the model knows {len(self.table)} rows and columns at most, the layout has {layout.rows} rows and "
                f"{layout.columns} columns: use Layout.from_boxes, which scales them down"
            )
        other = copy.copy(self)
        below = torch.tensor([[layout.rows, column] for column in range(3)])
        cells = torch.cat([torch.from_numpy(layout.places), below]).to(self.cells)
        # A plain copy shares the table of buffers with the original, not only what is in it.
        other._buffers = {**self._buffers, "cells": cells}
        other.rows, other.columns, other.objects = layout.rows, layout.columns, len(layout)
        return other

    def load_published(self, state: Mapping[str, Any]) -> None:
        """Load a published state dict; its step encoding, which is computed here, may be in it.

        Raises:
            RuntimeError: Keys are missing or left over.
        """
        tensors = {k: v for k, v in state.items() if not k.endswith("pos_embedding")}
        self.load_state_dict(tensors)
        self.trained = True

    def appearance(self, crops: Tensor | None, batch: int) -> Tensor:
        """Embed the objects' crops, and one of ones for the ids without a crop.

        Args:
            crops: (batch, P, height, width, 3), or None where there are no pictures: then all look the same.
            batch: Paths.

        Returns:
            (batch, P + 1, channels of appearance).

        Raises:
            ValueError: There are crops, and the model reads none.
        """
        if crops is None:
            return self.table.new_zeros(batch, self.objects + 1, self.looks)
        if self.cnn_embedding is None:
            raise ValueError("this model knows places only and reads no crops: leave them out")
        found = self.cnn_embedding(crops.flatten(0, 1).permute(0, 3, 1, 2)).unflatten(0, (batch, self.objects))
        ones = self.cnn_embedding(crops.new_ones(1, 3, *crops.shape[2:4]))
        return torch.cat([found, ones.expand(batch, 1, -1)], 1)

    def places(self, ids: Tensor, target: Tensor) -> Tensor:
        """Say where tokens of a path lie: (batch, steps, 3) row, column, whether it is the target."""
        found = torch.cat([self.cells[ids], (ids == target[:, None])[..., None]], -1).float()
        start = found.new_tensor([self.rows / 2, self.columns / 2, 0])
        return torch.where((ids == self.start)[..., None], start, found)

    def encode(self, looks: Tensor, target: Tensor) -> Tensor:
        """Encode the objects and the target.

        Args:
            looks: From ``appearance``.
            target: (batch,) ids.

        Returns:
            (P + 1, batch, channels).
        """
        ids = torch.arange(self.objects, device=target.device).expand(len(target), -1)
        places = self.places(ids, target.new_full((len(target),), -1))
        mine = self.places(target[:, None], target)
        seen = torch.cat([looks[:, : self.objects], looks[torch.arange(len(target)), target][:, None]], 1)
        codes = position_codes(self.table, torch.cat([places, mine], 1), self.channels - self.looks)
        return self.transformer_encoder(torch.cat([seen, codes], -1).transpose(0, 1))

    def decode(self, memory: Tensor, looks: Tensor, ids: Tensor, target: Tensor) -> Tensor:
        """Score the next object after each step of a path.

        Args:
            memory: From ``encode``.
            looks: From ``appearance``.
            ids: (batch, steps): the path so far, beginning with the start.
            target: (batch,) ids.

        Returns:
            Logits (batch, steps, P + 2): objects, the end, padding.
        """
        steps = ids.shape[1]
        seen = looks.gather(1, ids.clamp(max=self.objects)[..., None].expand(-1, -1, self.looks))
        codes = position_codes(self.table, self.places(ids, target), self.channels - self.looks)
        tokens = torch.cat([seen, codes], -1)
        tokens = self.dropout(tokens + _step_codes(steps, self.channels, tokens.device)).transpose(0, 1)
        future = nn.Transformer.generate_square_subsequent_mask(steps, device=ids.device)
        padded = torch.zeros(ids.shape, device=ids.device).masked_fill(ids == self.padding, -torch.inf)
        found = self.transformer_decoder(tokens, memory, tgt_mask=future, tgt_key_padding_mask=padded)
        scores = []
        for pointer in self.cross_attentions:
            keys, queries = pointer.encode_fc(memory), pointer.decode_fc(found)  # type: ignore[operator]
            logits = torch.einsum("sbc,pbc->bsp", queries, keys)
            scores.append(F.pad(logits, (0, 1)) / math.sqrt(keys.shape[-1]))
        if len(scores) == 1:
            return scores[0]
        return self.readout(torch.stack(scores, -1))[..., 0]

    def forward(self, crops: Tensor | None, target: Tensor, ids: Tensor) -> Tensor:
        """Score every step of given paths; see ``decode``."""
        looks = self.appearance(crops, len(target))
        return self.decode(self.encode(looks, target), looks, ids, target)

    def loss(self, logits: Tensor, following: Tensor) -> Tensor:
        """Cross entropy of (batch, steps, P + 2) against the ids that followed (batch, steps), without padding."""
        return F.cross_entropy(logits.flatten(0, 1), following.flatten(), ignore_index=self.padding)


def _step_codes(steps: int, channels: int, device: torch.device) -> Tensor:
    """Sines at even channels and cosines at odd ones (steps, channels)."""
    place = torch.arange(steps, device=device, dtype=torch.float32)[:, None]
    rate = torch.exp(torch.arange(0, channels, 2, device=device) * (-math.log(10000.0) / channels))
    return torch.stack([torch.sin(place * rate), torch.cos(place * rate)], -1).flatten(1)

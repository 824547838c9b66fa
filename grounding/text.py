"""The pointer's text side: wordpieces of a sentence, and a small transformer that also reads how they are spelled."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

import torch
from tokenizers import Tokenizer
from tokenizers.models import WordPiece
from tokenizers.normalizers import BertNormalizer
from tokenizers.pre_tokenizers import BertPreTokenizer
from torch import Tensor, nn

MAX_PIECES = 24
_LETTERS = "abcdefghijklmnopqrstuvwxyz0123456789.,:;!?-_/\\@#$%&*+='\"()[]<>|~^`{}"
_SPELLED = 12


@dataclass(frozen=True)
class TextFeatures:
    """What a batch of sentences became.

    Args:
        states: One vector a piece, (sentences, pieces, dim).
        mask: True where a piece is, (sentences, pieces).
        pooled: Mean of the states, (sentences, dim).
    """

    states: Tensor
    mask: Tensor
    pooled: Tensor


def build_tokenizer(pieces: Sequence[str]) -> Tokenizer:
    """Build the lower-casing wordpiece tokenizer over a list of pieces.

    Args:
        pieces: Wordpieces in the order of their ids; [PAD], [UNK], [CLS] and [SEP] come first, in this order.

    Returns:
        Tokenizer that yields piece ids without special ones.
    """
    vocabulary = {piece: index for index, piece in enumerate(pieces)}
    tokenizer = Tokenizer(WordPiece(vocabulary, unk_token="[UNK]", max_input_chars_per_word=64))
    tokenizer.normalizer = BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = BertPreTokenizer()
    return tokenizer


def tokenize(tokenizer: Tokenizer, sentences: Sequence[str], length: int = MAX_PIECES) -> Tensor:
    """Turn sentences into rows of piece ids: [CLS], the pieces (cut where too long), [SEP], then zeros.

    Args:
        tokenizer: From ``build_tokenizer``.
        sentences: Any text; case does not matter.
        length: Pieces a row.

    Returns:
        (sentences, length) int64.
    """
    rows = torch.zeros(len(sentences), length, dtype=torch.int64)
    for row, encoding in zip(rows, tokenizer.encode_batch(list(sentences), add_special_tokens=False), strict=True):
        ids = [2, *encoding.ids[: length - 2], 3]
        row[: len(ids)] = torch.tensor(ids)
    return rows


def spell(pieces: Sequence[str]) -> Tensor:
    """Spell every piece: (pieces, 12) letter numbers from 1; 0 where nothing stands, 2 before a word's later part."""
    table = torch.zeros(len(pieces), _SPELLED, dtype=torch.uint8)
    for row, piece in zip(table, pieces, strict=True):
        later = piece.startswith("##")
        text = "" if piece.startswith("[") and len(piece) > 1 else piece.removeprefix("##")
        letters = [2 if later else 1] + [_LETTERS.find(c) + 3 for c in text.lower()]
        row[: min(len(letters), _SPELLED)] = torch.tensor(letters[:_SPELLED], dtype=torch.uint8)
    return table


class Spelling(nn.Module):
    """Turn spelled letters into one vector a piece, so that rare and made-up words still have a look.

    Args:
        spelled: Table from ``spell``, (pieces, letters).
        dim: Width of the vectors.
    """

    spelled: Tensor

    def __init__(self, spelled: Tensor, dim: int) -> None:
        super().__init__()
        self.register_buffer("spelled", spelled, persistent=False)
        self.letters = nn.Embedding(len(_LETTERS) + 3, 64, padding_idx=0)
        self.read = nn.Sequential(
            nn.Conv1d(64, 192, 3, padding=1), nn.ReLU(), nn.Conv1d(192, 192, 3, padding=1), nn.ReLU()
        )
        self.proj = nn.Linear(192, dim)
        # Nothing is added at first, so that training starts from the teacher's word vectors as they are.
        nn.init.zeros_(self.proj.weight)
        nn.init.zeros_(self.proj.bias)

    def forward(self, ids: Tensor) -> Tensor:
        """Read the pieces ``ids`` (any shape) into vectors (..., dim)."""
        unique, inverse = torch.unique(ids, return_inverse=True)
        letters = self.letters(self.spelled[unique].long()).transpose(1, 2)
        return self.proj(self.read(letters).amax(2))[inverse]


class TextEncoder(nn.Module):
    """A few BERT layers over wordpieces plus their spelling.

    Args:
        pieces: The wordpieces, in the order of their ids.
        dim: Width.
        depth: Layers.
        heads: Attention heads.

    Source: architecture of all-MiniLM-L6-v2 (Apache-2.0) with fewer layers and pieces; spelling is our addition.
    """

    def __init__(self, pieces: Sequence[str], dim: int = 384, depth: int = 3, heads: int = 12) -> None:
        super().__init__()
        self.pieces = tuple(pieces)
        self.tokenizer = build_tokenizer(pieces)
        self.words = nn.Embedding(len(pieces), dim, padding_idx=0)
        self.positions = nn.Parameter(torch.zeros(MAX_PIECES, dim))
        self.spelling = Spelling(spell(pieces), dim)
        self.norm = nn.LayerNorm(dim, eps=1e-12)
        self.layers = nn.ModuleList(
            nn.TransformerEncoderLayer(
                dim, heads, 4 * dim, dropout=0.0, activation="gelu", layer_norm_eps=1e-12, batch_first=True
            )
            for _ in range(depth)
        )
        nn.init.normal_(self.words.weight, std=0.02)
        nn.init.normal_(self.positions, std=0.02)

    def forward(self, ids: Tensor) -> TextFeatures:
        """Encode rows of piece ids, (sentences, pieces), zeros at the end."""
        mask = ids > 0
        states = self.norm(self.words(ids) + self.positions[: ids.shape[1]] + self.spelling(ids))
        for layer in self.layers:
            states = layer(states, src_key_padding_mask=~mask)
        weights = mask.unsqueeze(2).to(states.dtype)
        pooled = (states * weights).sum(1) / weights.sum(1).clamp(min=1)
        return TextFeatures(states, mask, pooled)

    def tokenize(self, sentences: Sequence[str]) -> Tensor:
        """Turn sentences into piece ids for ``forward``."""
        return tokenize(self.tokenizer, sentences)


def from_teacher(
    state: dict[str, Tensor], pieces: Sequence[str], layers: Sequence[int], dim: int = 384, heads: int = 12
) -> TextEncoder:
    """Start a text encoder from chosen layers of a MiniLM-style teacher; all layers give the teacher itself.

    Args:
        state: Tensors under the names of the published BERT layout, words cut to ``pieces``.
        pieces: The wordpieces.
        layers: Numbers of the teacher's layers to take, in order.
        dim: Width of the teacher.
        heads: Attention heads of the teacher.

    Returns:
        A float32 encoder.

    Source: DistilBERT (arXiv 1910.01108) starts its student from every other layer in the same way.
    """
    state = {key: value.float() for key, value in state.items()}
    encoder = TextEncoder(pieces, dim, len(layers), heads)
    with torch.no_grad():
        encoder.words.weight.copy_(state["embeddings.word_embeddings.weight"])
        kind = state["embeddings.token_type_embeddings.weight"][0]
        encoder.positions.copy_(state["embeddings.position_embeddings.weight"][:MAX_PIECES] + kind)
    named: dict[str, nn.Module] = {"embeddings.LayerNorm": encoder.norm}
    for child, number in zip(encoder.layers, layers, strict=True):
        layer = cast(nn.TransformerEncoderLayer, child)
        prefix = f"encoder.layer.{number}"
        named[f"{prefix}.attention.output.dense"] = layer.self_attn.out_proj
        named[f"{prefix}.attention.output.LayerNorm"] = layer.norm1
        named[f"{prefix}.intermediate.dense"] = layer.linear1
        named[f"{prefix}.output.dense"] = layer.linear2
        named[f"{prefix}.output.LayerNorm"] = layer.norm2
        for part in ("weight", "bias"):
            joined = torch.cat([state[f"{prefix}.attention.self.{name}.{part}"] for name in ("query", "key", "value")])
            getattr(layer.self_attn, f"in_proj_{part}").data.copy_(joined)
    for key, module in named.items():
        module.load_state_dict({part: state[f"{key}.{part}"] for part in ("weight", "bias")})
    return encoder

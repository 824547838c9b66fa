"""The pointer head of GUI-Actor and V2P: which visual token does a pointer token mean."""

from torch import Tensor, nn


class PointerHead(nn.Module):
    """Match pointer states with visual tokens that have seen each other.

    Args:
        dim: Width of both, which is the language model's.
        heads: Heads of the self-attention among visual tokens.
        dropout: Dropout of that attention while training.

    Source: GUI-Actor (arXiv 2506.03143); V2P (arXiv 2508.13634) uses it unchanged. Names of the parameters are the
        published checkpoints'.
    """

    def __init__(self, dim: int, heads: int = 8, dropout: float = 0.1) -> None:
        super().__init__()
        self.projection_enc = nn.Sequential(nn.Linear(dim, dim), nn.GELU(), nn.Linear(dim, dim))
        self.projection_dec = nn.Sequential(nn.Linear(dim, dim), nn.GELU(), nn.Linear(dim, dim))
        self.self_attention = nn.MultiheadAttention(dim, heads, dropout=dropout, batch_first=True)
        self.layer_norm = nn.LayerNorm(dim)

    def forward(self, visual: Tensor, pointers: Tensor) -> tuple[Tensor, Tensor]:
        """Compare pointer states with visual tokens of one picture.

        Args:
            visual: Embeddings of the picture's tokens, (tokens, dim).
            pointers: States at the pointer tokens, (pointers, dim).

        Returns:
            Attention and logits, each (pointers, tokens).
        """
        batch = visual[None]
        mixed = self.self_attention(batch, batch, batch, need_weights=False)[0][0]
        keys = self.projection_enc(self.layer_norm(visual + mixed))
        logits = self.projection_dec(pointers) @ keys.T / visual.shape[-1] ** 0.5
        return logits.softmax(-1), logits

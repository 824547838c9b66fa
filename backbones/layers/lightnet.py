"""The layers of LightNet (arXiv 2405.21022): attention that sums over all tokens once, and positions on two axes."""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

__all__ = ["TPE", "LightNetAttention", "MdTPE", "additive_decay", "decayed_scan", "lrpe", "md_lrpe", "rotate"]

_EPS = 1e-5


def additive_decay(logits: Tensor, empty: bool = True) -> tuple[Tensor, Tensor]:
    """Turn logits into the weights of a running softmax along the tokens, in float32 or wider.

    Args:
        logits: (batch, tokens, ...).
        empty: Whether the sum of exponentials begins empty; otherwise it begins at 1, as if a token with logit 0 and
            value 0 had come first.

    Returns:
        Weight of each token at the time it comes, and the logarithm of what earlier weights are multiplied by then.

    Source: z_t = log sum of exp(k_s) for s <= t; the weight is exp(k_t - z_t), the decay exp(z_(t-1) - z_t).
    """
    logits = logits.to(torch.promote_types(logits.dtype, torch.float32))
    if empty:
        total = logits.logcumsumexp(1)
        # Before the first token there is nothing that could decay.
        return (logits - total).exp(), -total.diff(dim=1, prepend=total[:, :1])
    total = torch.cat([torch.zeros_like(logits[:, :1]), logits], 1).logcumsumexp(1)
    return (logits - total[:, 1:]).exp(), -total.diff(dim=1)


def decayed_scan(q: Tensor, k: Tensor, v: Tensor, log_decay: Tensor, chunk: int = 16) -> Tensor:
    """Read a state that decays and collects a key and a value at every token.

    Args:
        q: (batch, tokens, heads, width).
        k: As ``q``.
        v: (batch, tokens, heads, value width).
        log_decay: As ``q``, or with width 1: what the state is multiplied by before a token, as logarithms up to 0.
        chunk: Tokens that are worked on at once; a matter of speed and memory alone.

    Returns:
        (batch, tokens, heads, value width).

    Source: S_t = diag(exp g_t) S_(t-1) + k_t v_t^T, o_t = S_t^T q_t. In a chunk only differences of summed g occur that
    are not above 0, so nothing overflows.
    """
    wide = log_decay.dtype
    state = torch.zeros(q.shape[0], q.shape[2], q.shape[3], v.shape[3], dtype=wide, device=q.device)
    outputs = []
    for queries, keys, values, decays in zip(*(x.to(wide).split(chunk, 1) for x in (q, k, v, log_decay)), strict=True):
        summed = decays.expand_as(keys).cumsum(1)
        length = keys.shape[1]
        past = torch.ones(length, length, dtype=torch.bool, device=q.device).tril()[None, :, :, None, None]
        since = (summed[:, :, None] - summed[:, None]).masked_fill(~past, -torch.inf).exp()
        scores = torch.einsum("bthd,bshd,btshd->bhts", queries, keys, since)
        outputs.append(
            torch.einsum("bhts,bshe->bthe", scores, values)
            + torch.einsum("bthd,bhde->bthe", queries * summed.exp(), state)
        )
        left = summed[:, -1:]
        added = torch.einsum("bshd,bshe->bhde", keys * (left - summed).exp(), values)
        state = state * left.exp().transpose(1, 2).transpose(2, 3) + added
    return torch.cat(outputs, 1).to(v.dtype)


def md_lrpe(height: int, width: int, heads: int, head_dim: int, device: Any = None) -> tuple[Tensor, Tensor]:
    """Angles by which queries and keys of a grid turn, so that their products know offsets along both axes.

    Args:
        height: Rows of the grid.
        width: Columns of the grid.
        heads: Attention heads; frequencies run on from one to the next.
        head_dim: Channels of a head, a multiple of 4.
        device: Of the result.

    Returns:
        Cosines and sines, both (height * width, heads, head_dim / 2).

    Source: MD-LRPE of the first author's ``vector-quantize``, type 1. The first half of the angles follows the row,
    the second the column, both with the head's first head_dim / 4 frequencies.
    """
    steps = torch.arange(heads * head_dim // 2, device=device, dtype=torch.float32)
    frequencies = (10000.0 ** (-2 * steps / (heads * head_dim))).view(heads, -1)[:, : head_dim // 4]
    rows = torch.arange(height, device=device, dtype=torch.float32)[:, None, None, None] * frequencies
    columns = torch.arange(width, device=device, dtype=torch.float32)[:, None, None] * frequencies
    shape = (height, width, heads, head_dim // 4)
    angles = torch.cat([rows.expand(shape), columns.expand(shape)], -1).flatten(0, 1)
    return angles.cos(), angles.sin()


def lrpe(tokens: int, head_dim: int, device: Any = None) -> tuple[Tensor, Tensor]:
    """Angles by which queries and keys of a sequence turn; the same for every head.

    Args:
        tokens: Length of the sequence.
        head_dim: Channels of a head, a multiple of 2.
        device: Of the result.

    Returns:
        Cosines and sines, both (tokens, 1, head_dim / 2).

    Source: LRPE of the first author's ``xmixers``, type 1.
    """
    steps = torch.arange(head_dim // 2, device=device, dtype=torch.float32)
    angles = torch.arange(tokens, device=device, dtype=torch.float32)[:, None] * 10000.0 ** (-2 * steps / head_dim)
    return angles.cos()[:, None], angles.sin()[:, None]


def rotate(x: Tensor, cosines: Tensor, sines: Tensor, halves: bool = False) -> Tensor:
    """Turn channels as pairs.

    Args:
        x: (batch, tokens, heads, head_dim).
        cosines: (tokens, heads, head_dim / 2), or 1 in place of heads.
        sines: As ``cosines``.
        halves: Whether a channel of the first half pairs with one of the second, instead of with its neighbor.

    Returns:
        As ``x``.
    """
    pairs = x.unflatten(-1, (2, -1) if halves else (-1, 2))
    axis = -2 if halves else -1
    first, second = pairs.unbind(axis)
    cosines, sines = cosines.to(x.dtype), sines.to(x.dtype)
    return torch.stack([first * cosines - second * sines, first * sines + second * cosines], axis).flatten(-2)


class TPE(nn.Module):
    """Tell tokens their place by a decaying sum over those before them.

    Args:
        dim: Channels.
        heads: Groups of channels; each has a decay.

    Raises:
        ValueError: The heads do not divide the channels.

    Source: TPE of the first author's ``xmixers``: all channels of a head share the product of q and k. Weights of pairs
    of tokens are made at once here, as an axis of a picture is short.
    """

    def __init__(self, dim: int, heads: int, device: Any = None, dtype: Any = None) -> None:
        super().__init__()
        dd = {"device": device, "dtype": dtype}
        if dim % heads:
            raise ValueError(f"heads must divide the channels, got {heads} for {dim}")
        self.heads = heads
        self.q = nn.Parameter(torch.ones(dim, **dd))
        self.k = nn.Parameter(torch.ones(dim, **dd))
        self.log_decay = nn.Parameter(torch.zeros(heads, **dd))
        self.norm = nn.RMSNorm(dim, eps=_EPS, **dd)
        self.o_proj = nn.Linear(dim, dim, bias=False, **dd)

    def forward(self, x: Tensor) -> Tensor:
        """Sum along the tokens of (batch, tokens, dim)."""
        steps = torch.arange(x.shape[1], device=x.device)
        distance = steps[:, None] - steps
        decayed = (F.logsigmoid(self.log_decay.float())[:, None, None] * distance.clamp(min=0)).exp().tril()
        strength = (self.q * self.k).view(self.heads, -1).sum(-1, dtype=torch.float32)
        weights = (strength[:, None, None] * decayed).to(x.dtype)
        summed = torch.einsum("hts,bshe->bthe", weights, x.unflatten(-1, (self.heads, -1)))
        return self.o_proj(self.norm(summed.flatten(2)))


class MdTPE(nn.Module):
    """Tell tokens of a grid their place by sums along each of its axes, in one direction.

    Args:
        dim: Channels.
        heads: Groups of channels; each has a decay.

    Source: MD-TPE, formed as in the first author's ``xmixers``.
    """

    def __init__(self, dim: int, heads: int, device: Any = None, dtype: Any = None) -> None:
        super().__init__()
        self.tpes = nn.ModuleList(TPE(dim, heads, device, dtype) for _ in range(2))

    def forward(self, x: Tensor) -> Tensor:
        """Return the sums along the columns and the rows of (batch, height, width, dim), added up."""
        batch, height, width, dim = x.shape
        along = self.tpes[0](x.reshape(batch * height, width, dim)).view(batch, height, width, dim)
        down = self.tpes[1](x.transpose(1, 2).reshape(batch * width, height, dim)).view(batch, width, height, dim)
        return along + down.transpose(1, 2)


class LightNetAttention(nn.Module):
    """Linear attention whose keys are a softmax over the tokens; its cost grows with their number, not its square.

    Args:
        dim: Channels.
        heads: Attention heads.
        causal: Whether a token sees only those before it and itself, as in language; pictures are read once as a whole.
        scalar_decay: Whether the channels of a head decay alike, by a projection of their own; for the causal form.

    Raises:
        ValueError: The heads do not divide the channels, or ``scalar_decay`` comes without ``causal``.

    Source: arXiv 2405.21022. Activations and the gate, which comes before the norm, are those of the first author's
    ``xmixers``; the running sum of the causal form begins at 1, as there. With ``scalar_decay`` keys pass a SiLU,
    instead of being weighed by the sum, and halves of the channels turn as pairs, as there too.
    """

    def __init__(
        self,
        dim: int,
        heads: int,
        causal: bool = False,
        scalar_decay: bool = False,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__()
        dd = {"device": device, "dtype": dtype}
        if dim % heads:
            raise ValueError(f"heads must divide the channels, got {heads} for {dim}")
        if scalar_decay and not causal:
            raise ValueError("scalar_decay needs causal=True: a state that is read once does not decay")
        self.heads, self.causal = heads, causal
        self.q_proj = nn.Linear(dim, dim, bias=False, **dd)
        self.k_proj = nn.Linear(dim, dim, bias=False, **dd)
        self.v_proj = nn.Linear(dim, dim, bias=False, **dd)
        self.f_proj = nn.Linear(dim, heads, bias=False, **dd) if scalar_decay else None
        gate_dim = dim // heads
        self.output_gate = nn.Sequential(
            nn.Linear(dim, gate_dim, bias=False, **dd), nn.Linear(gate_dim, dim, bias=False, **dd)
        )
        self.norm = nn.RMSNorm(dim, eps=_EPS, **dd)
        self.o_proj = nn.Linear(dim, dim, bias=False, **dd)

    def forward(self, x: Tensor, cosines: Tensor | None = None, sines: Tensor | None = None) -> Tensor:
        """Attend over tokens.

        Args:
            x: (batch, tokens, dim).
            cosines: Of ``md_lrpe``, or of ``lrpe`` for the causal form, to turn queries and keys; None leaves them.
                Not where single channels decay.
            sines: As ``cosines``.

        Returns:
            As ``x``.

        Raises:
            ValueError: Angles are given where single channels decay.
        """
        q, k, v = self.heads_of(F.silu(self.q_proj(x))), self.heads_of(self.k_proj(x)), self.heads_of(self.v_proj(x))
        if self.causal and self.f_proj is not None:
            _, log_decay = additive_decay(self.f_proj(x)[..., None], empty=False)
            k = F.silu(k)
            if cosines is not None and sines is not None:
                q, k = rotate(q, cosines, sines, halves=True), rotate(k, cosines, sines, halves=True)
            return self.finish(decayed_scan(q, k, v, log_decay), x)
        if self.causal:
            if cosines is not None:
                raise ValueError(
                    "causal attention takes no angles where single channels decay: leave them out, or set scalar_decay"
                )
            weights, log_decay = additive_decay(k, empty=False)
            return self.finish(decayed_scan(q, weights, v, log_decay), x)
        k = k.softmax(1)
        if cosines is not None and sines is not None:
            q, k = rotate(q, cosines, sines), rotate(k, cosines, sines)
        state = torch.einsum("bnhd,bnhe->bhde", k, v.to(k.dtype))
        return self.finish(torch.einsum("bnhd,bhde->bnhe", q.to(k.dtype), state), x)

    def heads_of(self, x: Tensor) -> Tensor:
        """Part the channels of (batch, tokens, dim) into heads."""
        return x.unflatten(-1, (self.heads, -1))

    def finish(self, mixed: Tensor, x: Tensor) -> Tensor:
        """Gate, norm and project what attention found.

        Args:
            mixed: (batch, tokens, heads, head_dim).
            x: What attention was given, (batch, tokens, dim).

        Returns:
            As ``x``.
        """
        return self.o_proj(self.norm(mixed.flatten(2) * self.output_gate(x).sigmoid()))

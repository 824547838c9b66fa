"""Codes of rows and columns whose likeness falls with distance (the paper's position table)."""

import torch
from torch import Tensor

__all__ = ["likeness", "position_codes", "position_table"]

_SPARE = 4  # Ids of the start, the end and padding point to rows beyond the table.


def likeness(count: int, sigma: float) -> Tensor:
    """Say what the cosine of two codes should be.

    Args:
        count: Rows of the table.
        sigma: How fast likeness falls, in rows.

    Returns:
        (count, count), 1 on the diagonal, float64.
    """
    places = torch.arange(count, dtype=torch.float64)
    return torch.exp(-(places[:, None] - places).square() / (2 * sigma**2))


def position_table(count: int, channels: int = 86, sigma: float = 2.0, norm: float = 9.0, seed: int = 0) -> Tensor:
    """Make a table of codes.

    Args:
        count: Rows: the larger side of the grid, ``channels`` at most.
        channels: Of a code.
        sigma: How fast likeness falls, in rows.
        norm: Length of every code.
        seed: Of the rotation; all rotations are equally good.

    Returns:
        Table (count, channels), float32.

    Raises:
        ValueError: There are more rows than channels.

    Source:
        OAT (ECCV 2024), distance-based position encoding. The authors descend on the error of the cosines for 10,000
        steps and end within 5e-4; a root of the matrix of cosines has no error. Their codes are 5.9 to 8.9 long, by the
        accident of their start.
    """
    if not 1 <= count <= channels:
        raise ValueError(f"a table has 1 to {channels} rows, as many as channels at most, got {count}")
    values, vectors = torch.linalg.eigh(likeness(count, sigma))
    root = vectors * values.clamp(min=0).sqrt()
    generator = torch.Generator().manual_seed(seed)
    turned, _ = torch.linalg.qr(torch.randn(channels, count, generator=generator, dtype=torch.float64))
    return (norm * torch.nn.functional.normalize(root @ turned.T)).float()


def position_codes(table: Tensor, places: Tensor, channels: int = 256) -> Tensor:
    """Look codes up and put them side by side.

    Args:
        table: (count, code).
        places: (..., 3): row, column and whether it is the target; cut to whole numbers. Up to four beyond the table
            give zeros.
        channels: Of the result; the last ones are cut.

    Returns:
        (..., channels).
    """
    longer = torch.cat([table, table.new_zeros(_SPARE, table.shape[1])])
    codes = longer[places.long().clamp(0, len(longer) - 1)]
    return codes.flatten(-2)[..., :channels]

"""How block-sparse attention is cut into programs of a GPU. Everything to tune is here."""

from dataclasses import dataclass
from functools import lru_cache

from foveate.kernels.routing.problem import BlockGrid


@dataclass(frozen=True)
class Tiles:
    """Tiles of one kernel: its own rows stay in registers, the tokens of the other side stream past them.

    Args:
        rows: Own rows, 16 at least: heads times tokens, rounded up.
        tokens: Own tokens of a program, of one block.
        heads: Heads of a program; more than one where the tokens of a block cannot fill 16 rows.
        columns: Tokens of the other side in a step.
        warps: Warps of a program.
        stages: Steps whose loads are under way at once.
    """

    rows: int
    tokens: int
    heads: int
    columns: int
    warps: int
    stages: int


def power(number: int) -> int:
    """Round up to a power of two.

    Args:
        number: 1 or more.

    Returns:
        The power.
    """
    return 1 << (number - 1).bit_length()


# Tiles that measurements found better than the rule below: by kernel, tokens of an own block, streamed tokens, channels
# (the more of query and value), and whether numbers are float32. Kernels of dense products are "dense forward" and so
# on, with 0 streamed tokens.
TUNED: dict[tuple[str, int, int, int, bool], Tiles] = {}


@lru_cache(maxsize=1024)
def choose(
    kind: str, own: BlockGrid, streamed: int, dim: int, dim_v: int, heads: int, share_heads: bool, wide: bool
) -> Tiles:
    """Choose the tiles of a kernel.

    Args:
        kind: "forward", "query" or "key": which kernel.
        own: Blocks of the side that stays.
        streamed: Tokens of the other side that a block usually meets.
        dim: Channels of a head of query and key.
        dim_v: Channels of a head of the value.
        heads: Heads of the side that stays.
        share_heads: Whether heads may share a program: they have the same blocks.
        wide: Whether numbers are float32.

    Returns:
        The tiles.
    """
    tuned = TUNED.get((kind, own.tokens, streamed, max(dim, dim_v), wide))
    if tuned is not None and (share_heads or tuned.heads == 1):
        return tuned
    channels = max(16, power(max(dim, dim_v)))
    largest = 64 if channels <= 64 and not (wide and kind == "key") else 32 if channels <= 128 else 16
    tokens = min(power(own.tokens), largest)
    together = 1
    if share_heads and kind != "key":
        # Heads side by side make a product of block-diagonal queries: the multiplications of padding to 16 rows, but
        # one softmax and loads of whole rows of channels. The key's kernel would need a number of the softmax for each
        # head and query then, and spills registers.
        together = max(1, min(16 // tokens, 128 // channels, power(heads)))
    rows = max(16, together * tokens)
    step = 32 if wide or channels > (64 if kind == "key" else 128) else 64
    if kind == "key" and channels > 128:
        step = 16
    warps, stages = 4, 2
    if channels <= 64 and not wide:
        if kind == "key":
            # Narrow steps without loads ahead: a key's list is short, and twice the registers halve the programs.
            step, warps, stages = 32, rows // 16, 1
        elif rows <= 32:
            warps = 1 if rows * channels * together <= 512 else 2
    return Tiles(rows, tokens, together, min(step, max(16, power(max(1, streamed)))), warps, stages)


def prefers_dense(grid: BlockGrid, grid_kv: BlockGrid, entries: int, dim: int, weighted: bool) -> bool:
    """Tell whether products over all keys are cheaper than gathering the keys of each block.

    Args:
        grid: Blocks of the query.
        grid_kv: Blocks of key and value.
        entries: Key blocks of a query block.
        dim: Channels of a head, the more of query and value.
        weighted: Whether entries have factors.

    Returns:
        Whether they are, and a tile's blocks fit the bits of a number.
    """
    small = grid.tokens < 16 and 2 <= grid_kv.tokens < 16 and grid_kv.blocks <= 64
    return small and not weighted and dim <= 64 and 0 < grid_kv.blocks <= 4 * entries


@lru_cache(maxsize=1024)
def choose_dense(kind: str, own: BlockGrid, dim: int, dim_v: int, wide: bool) -> Tiles:
    """Choose the tiles of a kernel that goes through all keys, or all queries.

    Args:
        kind: "forward", "query" or "key": which kernel.
        own: Blocks of the side that stays.
        dim: Channels of a head of query and key.
        dim_v: Channels of a head of the value.
        wide: Whether numbers are float32.

    Returns:
        The tiles; ``tokens`` are those of a block here.
    """
    tuned = TUNED.get((f"dense {kind}", own.tokens, 0, max(dim, dim_v), wide))
    if tuned is not None:
        return tuned
    largest = 32 if wide else 64
    rows = min(largest, max(16, power(own.blocks * own.tokens)))
    narrow = wide or kind == "key"
    return Tiles(rows, own.tokens, 1, 32 if narrow else 64, 4 if rows > 32 else 2, 1 if kind == "key" else 2)


def is_even_dense(streamed: BlockGrid, dim: int, dim_v: int, tiles: Tiles) -> bool:
    """Tell whether every place of a step is a token with all its channels, but for blocks after the last.

    Args:
        streamed: Blocks of the side that streams.
        dim: Channels of a head of query and key.
        dim_v: Channels of a head of the value.
        tiles: Tiles of the kernel.

    Returns:
        Whether they are, so that no load needs a mask.
    """
    full = not streamed.is_ragged and tiles.columns % streamed.tokens == 0
    return full and all(n >= 16 and n == power(n) for n in (dim, dim_v))

"""What the Triton kernels share: which tile a program works on, what its rows see, and who sees its keys.

Grids have three axes here; missing ones come first with length 1. Positions count inside a residue class of the
dilation, and a token's number is what it is in the whole grid.
"""

# Kernels have no types that mypy knows.
# mypy: disallow-untyped-defs=False

import triton
import triton.language as tl


@triton.jit
def first_key(p, n, W: tl.constexpr, S: tl.constexpr, CAUSAL: tl.constexpr):
    """First key that the query at position p sees; n is the length of its class."""
    group = p // S * S
    if CAUSAL:
        return tl.maximum(tl.minimum(group + (S - 1), n - 1) - (W - 1), 0)
    return tl.minimum(tl.maximum(tl.minimum(group + S // 2, n - 1) - W // 2, 0), n - W)


@triton.jit
def last_key(p, n, W: tl.constexpr, S: tl.constexpr, CAUSAL: tl.constexpr):
    """Last key that the query at position p sees."""
    if CAUSAL:
        return p
    return first_key(p, n, W, S, CAUSAL) + (W - 1)


@triton.jit
def first_query(t, n, W: tl.constexpr, S: tl.constexpr, CAUSAL: tl.constexpr):
    """First query that sees the key at position t."""
    if CAUSAL:
        return t
    group = (tl.maximum(t - (W - 1), 0) + (W // 2 - S // 2 + S - 1)) // S
    return tl.where(t < W, 0, group * S)


@triton.jit
def last_query(t, n, W: tl.constexpr, S: tl.constexpr, CAUSAL: tl.constexpr):
    """Last query that sees the key at position t."""
    if CAUSAL:
        last = tl.minimum((t + (W - S)) // S * S + (S - 1), n - 1)
        return tl.where(t + W >= n, n - 1, last)
    last = tl.minimum((t + (W // 2 - S // 2)) // S * S + (S - 1), n - 1)
    return tl.where(t + W >= n, n - 1, last)


@triton.jit
def low_end(p, n, W: tl.constexpr, S: tl.constexpr, CAUSAL: tl.constexpr, INVERSE: tl.constexpr):
    """First position that matters to p: a key for a query, a query for a key."""
    if INVERSE:
        return first_query(p, n, W, S, CAUSAL)
    return first_key(p, n, W, S, CAUSAL)


@triton.jit
def high_end(p, n, W: tl.constexpr, S: tl.constexpr, CAUSAL: tl.constexpr, INVERSE: tl.constexpr):
    """Last position that matters to p."""
    if INVERSE:
        return last_query(p, n, W, S, CAUSAL)
    return last_key(p, n, W, S, CAUSAL)


@triton.jit
def locate(tile, L0, L1, L2, DILATION: tl.constexpr, TILE: tl.constexpr):
    """Decode a tile's number: residue classes, class lengths and first positions along the three axes."""
    r2 = tile % DILATION[2]
    tile = tile // DILATION[2]
    r1 = tile % DILATION[1]
    tile = tile // DILATION[1]
    r0 = tile % DILATION[0]
    tile = tile // DILATION[0]
    n0 = (L0 - r0 + (DILATION[0] - 1)) // DILATION[0]
    n1 = (L1 - r1 + (DILATION[1] - 1)) // DILATION[1]
    n2 = (L2 - r2 + (DILATION[2] - 1)) // DILATION[2]
    tiles1 = tl.cdiv(tl.cdiv(L1, DILATION[1]), TILE[1])
    tiles2 = tl.cdiv(tl.cdiv(L2, DILATION[2]), TILE[2])
    a2 = tile % tiles2 * TILE[2]
    tile = tile // tiles2
    a1 = tile % tiles1 * TILE[1]
    a0 = tile // tiles1 * TILE[0]
    return r0, r1, r2, n0, n1, n2, a0, a1, a2


@triton.jit
def split(i, SIZE1: tl.constexpr, SIZE2: tl.constexpr):
    """Decode a row-major number inside a box."""
    return i // (SIZE1 * SIZE2), i // SIZE2 % SIZE1, i % SIZE2


@triton.jit
def reciprocal(size):
    """Factor that divides numbers below 1024 by size: multiply, then drop 20 bits."""
    return ((1 << 20) + size - 1) // size


@triton.jit
def run_through(j, size1, size2, inverse1, inverse2):
    """Decode the number j below 1024 of a candidate inside a box whose size only the program knows."""
    row = (j * inverse2) >> 20
    plane = (row * inverse1) >> 20
    return plane, row - plane * size1, j - row * size2


@triton.jit
def token_number(p0, p1, p2, r0, r1, r2, L1, L2, DILATION: tl.constexpr):
    """Number in the grid of a position in its class."""
    y = (r0 + p0 * DILATION[0]) * L1 + r1 + p1 * DILATION[1]
    return y * L2 + r2 + p2 * DILATION[2]


@triton.jit
def reach(a, n, TILE: tl.constexpr, W: tl.constexpr, S: tl.constexpr, CAUSAL: tl.constexpr, INVERSE: tl.constexpr):
    """Bounds along an axis for the positions a to a + TILE - 1.

    Returns the first that matters to any and one past the last; the first that matters to all and one past the last.
    """
    z = tl.minimum(a + TILE, n) - 1
    low, high = low_end(a, n, W, S, CAUSAL, INVERSE), high_end(z, n, W, S, CAUSAL, INVERSE) + 1
    return low, high, low_end(z, n, W, S, CAUSAL, INVERSE), high_end(a, n, W, S, CAUSAL, INVERSE) + 1


@triton.jit
def full_range(low, high, inner_low, inner_high, STEP: tl.constexpr):
    """Count the tiles along an axis, and find which of them everybody sees whole: count, first full one, full ones."""
    count = tl.cdiv(high - low, STEP)
    first = tl.cdiv(inner_low - low, STEP)
    full = tl.maximum((inner_high - low) // STEP - first, 0)
    return count, first, full


@triton.jit
def next_tile(i0, i1, i2, x1, x2, f1, f2):
    """Step to the next full tile, row-major; f1 x f2 of them from x1, x2 on in each slab."""
    i2 = i2 + 1
    row = i2 == x2 + f2
    i2 = tl.where(row, x2, i2)
    i1 = tl.where(row, i1 + 1, i1)
    slab = i1 == x1 + f1
    return tl.where(slab, i0 + 1, i0), tl.where(slab, x1, i1), i2


@triton.jit
def tiles_ahead(i0, i1, i2, L1, L2, BOX: tl.constexpr, DILATION: tl.constexpr, WIDE: tl.constexpr):
    """Tokens between a tile of candidates and the one numbered i0, i1, i2 after it along the axes."""
    ahead = (i0 * (BOX[0] * DILATION[0]) * L1 + i1 * (BOX[1] * DILATION[1])) * L2 + i2 * (BOX[2] * DILATION[2])
    if WIDE:
        ahead = ahead.to(tl.int64)
    return ahead


@triton.jit
def boundary_tile(i, c0, c1, c2, x0, x1, x2, f0, f1, f2):
    """Decode the number of a tile that is not full: whole slabs outside, then rows, then what is left in full rows."""
    slab = c1 * c2
    outside = (c0 - f0) * slab
    rows = f0 * (c1 - f1) * c2
    j = i - outside
    k = j - rows
    s0 = i // slab
    s0 = s0 + tl.where(s0 >= x0, f0, 0)
    s1 = i % slab // c2
    width1 = tl.maximum((c1 - f1) * c2, 1)
    r0 = x0 + j // width1
    r1 = j % width1 // c2
    r1 = r1 + tl.where(r1 >= x1, f1, 0)
    width2 = tl.maximum(c2 - f2, 1)
    plane = tl.maximum(f1, 1) * width2
    k0 = x0 + k // plane
    k1 = x1 + k % plane // width2
    k2 = k % width2
    k2 = k2 + tl.where(k2 >= x2, f2, 0)
    i0 = tl.where(i < outside, s0, tl.where(j < rows, r0, k0))
    i1 = tl.where(i < outside, s1, tl.where(j < rows, r1, k1))
    i2 = tl.where(k < 0, tl.where(i < outside, i, j) % c2, k2)
    return i0, i1, i2


@triton.jit
def slot_ends(a0, a1, a2, n0, n1, n2, TILE: tl.constexpr, ACTIVE: tl.constexpr, SLOTS: tl.constexpr,
              WINDOW: tl.constexpr, STRIDE: tl.constexpr, CAUSAL: tl.constexpr, INVERSE: tl.constexpr):  # fmt: skip
    """Ends of what matters along the axis of each slot."""
    START1: tl.constexpr = TILE[2]
    START0: tl.constexpr = TILE[2] + (TILE[1] if ACTIVE[1] else 0)
    slot = tl.arange(0, SLOTS)
    p2 = tl.minimum(a2 + slot, n2 - 1)
    low = low_end(p2, n2, WINDOW[2], STRIDE[2], CAUSAL[2], INVERSE)
    high = high_end(p2, n2, WINDOW[2], STRIDE[2], CAUSAL[2], INVERSE)
    if ACTIVE[1]:
        p1 = tl.minimum(a1 + tl.maximum(slot - START1, 0), n1 - 1)
        low = tl.where(slot >= START1, low_end(p1, n1, WINDOW[1], STRIDE[1], CAUSAL[1], INVERSE), low)
        high = tl.where(slot >= START1, high_end(p1, n1, WINDOW[1], STRIDE[1], CAUSAL[1], INVERSE), high)
    if ACTIVE[0]:
        p0 = tl.minimum(a0 + tl.maximum(slot - START0, 0), n0 - 1)
        low = tl.where(slot >= START0, low_end(p0, n0, WINDOW[0], STRIDE[0], CAUSAL[0], INVERSE), low)
        high = tl.where(slot >= START0, high_end(p0, n0, WINDOW[0], STRIDE[0], CAUSAL[0], INVERSE), high)
    return low, high


@triton.jit
def slot_members(TILE: tl.constexpr, ACTIVE: tl.constexpr, SLOTS: tl.constexpr, TYPE: tl.constexpr):
    """One-hot rows (positions of a tile, slots): which slot a position takes along each axis.

    The slots of a tile are its positions along axis 2, then axis 1, then axis 0; axes of length 1 have none.
    """
    START1: tl.constexpr = TILE[2]
    START0: tl.constexpr = TILE[2] + (TILE[1] if ACTIVE[1] else 0)
    m0, m1, m2 = split(tl.arange(0, TILE[0] * TILE[1] * TILE[2]), TILE[1], TILE[2])
    slot = tl.arange(0, SLOTS)[None, :]
    mine = slot == m2[:, None]
    if ACTIVE[1]:
        mine = mine | (slot == m1[:, None] + START1)
    if ACTIVE[0]:
        mine = mine | (slot == m0[:, None] + START0)
    return tl.where(mine, 1.0, 0.0).to(TYPE)


@triton.jit
def slot_penalty(t0, t1, t2, there, low, high, TILE: tl.constexpr, ACTIVE: tl.constexpr, SLOTS: tl.constexpr,
                 TYPE: tl.constexpr):  # fmt: skip
    """Penalty (slots, candidates): 0 where the candidate matters along the slot's axis, hugely negative elsewhere."""
    START1: tl.constexpr = TILE[2]
    START0: tl.constexpr = TILE[2] + (TILE[1] if ACTIVE[1] else 0)
    slot = tl.arange(0, SLOTS)[:, None]
    # A candidate outside the grid is before every window.
    t = tl.where(there, t2, -1)[None, :]
    if ACTIVE[1]:
        t = tl.where(slot >= START1, t1[None, :], t)
    if ACTIVE[0]:
        t = tl.where(slot >= START0, t0[None, :], t)
    return tl.where((t >= low[:, None]) & (t <= high[:, None]), 0.0, -1e30).to(TYPE)


@triton.jit
def slot_values(x, TILE: tl.constexpr, ACTIVE: tl.constexpr, SLOTS: tl.constexpr, TYPE: tl.constexpr):
    """Split a number for each candidate over the slots (slots, candidates), so that members times this gives it back.

    A row of members has a one among the slots of each active axis: the number rounded to TYPE goes to those of the
    last axis, and the rounded rest to those of the one before, together 16 bits of it if TYPE has 8.
    """
    START1: tl.constexpr = TILE[2]
    START0: tl.constexpr = TILE[2] + (TILE[1] if ACTIVE[1] else 0)
    SECOND: tl.constexpr = START0 if ACTIVE[1] else SLOTS
    slot = tl.arange(0, SLOTS)[:, None]
    rounded = x.to(TYPE)
    rest = (x - rounded.to(tl.float32)).to(TYPE)
    return tl.where(slot < START1, rounded[None, :], tl.where(slot < SECOND, rest[None, :], 0.0).to(TYPE))


@triton.jit
def matters(p0, p1, p2, t0, t1, t2, n0, n1, n2, WINDOW: tl.constexpr, STRIDE: tl.constexpr, CAUSAL: tl.constexpr,
            ACTIVE: tl.constexpr, INVERSE: tl.constexpr):  # fmt: skip
    """Whether the candidates t matter to the positions p: (positions, candidates), element by element."""
    low = low_end(p2, n2, WINDOW[2], STRIDE[2], CAUSAL[2], INVERSE)
    high = high_end(p2, n2, WINDOW[2], STRIDE[2], CAUSAL[2], INVERSE)
    ok = (t2[None, :] >= low[:, None]) & (t2[None, :] <= high[:, None]) & ((t0 < n0) & (t1 < n1))[None, :]
    if ACTIVE[1]:
        low = low_end(p1, n1, WINDOW[1], STRIDE[1], CAUSAL[1], INVERSE)
        high = high_end(p1, n1, WINDOW[1], STRIDE[1], CAUSAL[1], INVERSE)
        ok = ok & (t1[None, :] >= low[:, None]) & (t1[None, :] <= high[:, None])
    if ACTIVE[0]:
        low = low_end(p0, n0, WINDOW[0], STRIDE[0], CAUSAL[0], INVERSE)
        high = high_end(p0, n0, WINDOW[0], STRIDE[0], CAUSAL[0], INVERSE)
        ok = ok & (t0[None, :] >= low[:, None]) & (t0[None, :] <= high[:, None])
    return ok

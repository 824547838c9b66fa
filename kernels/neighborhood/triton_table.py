"""Forward kernel for small and middle windows that looks up what the other kernels compute for every tile.

With windows of 7 x 7 to 13 x 13, finding out where a tile lies and who sees whom takes more instructions than the
softmax. All of it repeats: along an axis there are only a few kinds of tiles (two or three at each border and one
between), and a tile is named by a kind for each axis. So the host writes two tables once (``triton_table_maps``): where
each tile and its box of candidates start, and the penalties of each kind, which go from L2 to the product that masks
without being touched. The box always lies inside the grid, so nothing that is read needs a check.
"""

# Kernels have no types that mypy knows.
# mypy: disallow-untyped-defs=False, disable-error-code="assignment, has-type"

import triton
import triton.language as tl

from foveate.kernels.neighborhood.triton_forward import bias_of_pairs, softmax_step
from foveate.kernels.neighborhood.triton_geometry import slot_members, split


@triton.jit
def table_tile(map_ptr, tile, L1, L2, TILE: tl.constexpr, DILATION: tl.constexpr, EVEN: tl.constexpr):
    """Look up a tile: the tokens of its positions, which of them exist, and the first token of its box."""
    entry = map_ptr + tile * 16
    m0, m1, m2 = split(tl.arange(0, TILE[0] * TILE[1] * TILE[2]), TILE[1], TILE[2])
    there = m2 >= 0
    if not EVEN:
        l0, l1, l2 = tl.load(entry + 5), tl.load(entry + 6), tl.load(entry + 7)
        there = (m0 < l0) & (m1 < l1) & (m2 < l2)
        m0, m1, m2 = tl.minimum(m0, l0 - 1), tl.minimum(m1, l1 - 1), tl.minimum(m2, l2 - 1)
    ahead = (m0 * DILATION[0] * L1 + m1 * DILATION[1]) * L2 + m2 * DILATION[2]
    return tl.load(entry) + ahead, there, tl.load(entry + 1)


@triton.jit
def table_rows(map_ptr, tile, TILE: tl.constexpr, ACTIVE: tl.constexpr, SLOTS: tl.constexpr):
    """Rows of the penalties, one for each slot; slots that nobody uses get any row."""
    START1: tl.constexpr = TILE[2]
    START0: tl.constexpr = TILE[2] + (TILE[1] if ACTIVE[1] else 0)
    slot, entry = tl.arange(0, SLOTS), map_ptr + tile * 16
    row = tl.load(entry + 2) + tl.minimum(slot, TILE[2] - 1)
    if ACTIVE[1]:
        row = tl.where(slot >= START1, tl.load(entry + 3) + tl.minimum(slot - START1, TILE[1] - 1), row)
    if ACTIVE[0]:
        row = tl.where(slot >= START0, tl.load(entry + 4) + tl.minimum(slot - START0, TILE[0] - 1), row)
    return row


@triton.jit
def table_positions(map_ptr, tile, START: tl.constexpr):
    """Positions of a tile (START 8) or the corner of its box (START 11), for a bias only."""
    entry = map_ptr + tile * 16 + START
    return tl.load(entry), tl.load(entry + 1), tl.load(entry + 2)


@triton.jit
def box_tokens(j, L1, L2, BOX: tl.constexpr, DILATION: tl.constexpr, END: tl.constexpr):
    """Tokens between the first candidate of a box and those numbered j < END, row-major; past the last, to it."""
    COUNT: tl.constexpr = BOX[0] * BOX[1] * BOX[2]
    if END > COUNT:
        j = tl.minimum(j, COUNT - 1)
    # For numbers below 1024 this is a division in two instructions.
    row = (j * (((1 << 20) + BOX[2] - 1) // BOX[2])) >> 20
    ahead = row * (DILATION[1] * L2) + (j - row * BOX[2]) * DILATION[2]
    if BOX[0] > 1:
        plane = (row * (((1 << 20) + BOX[1] - 1) // BOX[1])) >> 20
        ahead += plane * (DILATION[0] * L1 * L2 - BOX[1] * DILATION[1] * L2)
    return ahead


@triton.jit
def box_offsets(j, pace, L1, L2, BOX: tl.constexpr, DILATION: tl.constexpr, END: tl.constexpr, BLOCK_D: tl.constexpr):
    """Elements (candidates, channels) between the first candidate of a box and those numbered j < END, pace apart."""
    return box_tokens(j, L1, L2, BOX, DILATION, END)[:, None] * pace + tl.arange(0, BLOCK_D)[None, :]


@triton.jit
def load_rows(at, DIM: tl.constexpr, BLOCK_D: tl.constexpr):
    """Load rows of DIM channels, padded with zeros."""
    return tl.load(at) if BLOCK_D == DIM else tl.load(at, mask=(tl.arange(0, BLOCK_D) < DIM)[None, :], other=0.0)


@triton.jit
def load_there(at, there, DIM: tl.constexpr, BLOCK_D: tl.constexpr, EVEN: tl.constexpr):
    """Load the rows of a tile's positions, of which all exist if EVEN."""
    if EVEN:
        return load_rows(at, DIM, BLOCK_D)
    return tl.load(at, mask=there[:, None] & (tl.arange(0, BLOCK_D) < DIM)[None, :], other=0.0)


@triton.jit
def store_there(at, rows, there, DIM: tl.constexpr, BLOCK_D: tl.constexpr, EVEN: tl.constexpr):
    """Store the rows of a tile's positions, of which all exist if EVEN."""
    if EVEN and BLOCK_D == DIM:
        tl.store(at, rows.to(at.dtype.element_ty))
    else:
        keep = there[:, None] & (tl.arange(0, BLOCK_D) < DIM)[None, :]
        tl.store(at, rows.to(at.dtype.element_ty), mask=keep)


@triton.jit
def table_bias(bias, map_ptr, tile, j, WINDOW: tl.constexpr, TILE: tl.constexpr, BOX: tl.constexpr,
               INVERSE: tl.constexpr):  # fmt: skip
    """Look up the bias of the positions of a tile and the candidates j, in units of log 2."""
    a0, a1, a2 = table_positions(map_ptr, tile, 8)
    b0, b1, b2 = table_positions(map_ptr, tile, 11)
    m0, m1, m2 = split(tl.arange(0, TILE[0] * TILE[1] * TILE[2])[:, None], TILE[1], TILE[2])
    t0, t1, t2 = split(j[None, :], BOX[1], BOX[2])
    if INVERSE:
        pairs = bias_of_pairs(bias, b0 + t0, b1 + t1, b2 + t2, a0 + m0, a1 + m1, a2 + m2, WINDOW)
    else:
        pairs = bias_of_pairs(bias, a0 + m0, a1 + m1, a2 + m2, b0 + t0, b1 + t1, b2 + t2, WINDOW)
    return pairs * 1.4426950408889634


@triton.jit
def table_scores(q, k, penalty, members, bias, map_ptr, tile, j, scale, WINDOW: tl.constexpr, TILE: tl.constexpr,
                 BOX: tl.constexpr, HAS_BIAS: tl.constexpr, PRECISION: tl.constexpr):  # fmt: skip
    """Masked scores of the candidates j; with a bias they are in units of log 2."""
    s = tl.dot(members, penalty, input_precision=PRECISION)
    s = tl.dot(q, tl.trans(k), acc=s, input_precision=PRECISION)
    if HAS_BIAS:
        s = s * scale + table_bias(bias, map_ptr, tile, j, WINDOW, TILE, BOX, False)
    return s


@triton.jit
def table_attend(q, k_base, v_base, k_token, v_token, penalties, members, bias, map_ptr, tile, j, L1, L2, scale, acc,
                 total, top, WINDOW: tl.constexpr, DILATION: tl.constexpr, TILE: tl.constexpr, BOX: tl.constexpr,
                 DIM: tl.constexpr, DIM_V: tl.constexpr, BLOCK_D: tl.constexpr, BLOCK_DV: tl.constexpr,
                 HAS_BIAS: tl.constexpr, END: tl.constexpr, PRECISION: tl.constexpr):  # fmt: skip
    """Attend to the candidates j."""
    k = load_rows(k_base + box_offsets(j, k_token, L1, L2, BOX, DILATION, END, BLOCK_D), DIM, BLOCK_D)
    v = load_rows(v_base + box_offsets(j, v_token, L1, L2, BOX, DILATION, END, BLOCK_DV), DIM_V, BLOCK_DV)
    s = table_scores(q, k, tl.load(penalties + j[None, :]), members, bias, map_ptr, tile, j, scale, WINDOW, TILE, BOX,
                     HAS_BIAS, PRECISION)  # fmt: skip
    return softmax_step(s, v, acc, total, top, scale, HAS_BIAS, PRECISION)


@triton.jit
def neighborhood_table_fwd_kernel(
    q_ptr, k_ptr, v_ptr, bias_ptr, map_ptr, penalty_ptr, out_ptr, lse_ptr,
    q_batch, q_token, q_head, k_batch, k_token, k_head, v_batch, v_token, v_head,
    L0, L1, L2, heads, scale,
    WINDOW: tl.constexpr, DILATION: tl.constexpr, ACTIVE: tl.constexpr,
    TILE: tl.constexpr, BOX: tl.constexpr, CHUNK: tl.constexpr, FULL: tl.constexpr, STARTS: tl.constexpr,
    SIZES: tl.constexpr, WIDTH: tl.constexpr, EVEN: tl.constexpr,
    DIM: tl.constexpr, DIM_V: tl.constexpr, BLOCK_D: tl.constexpr, BLOCK_DV: tl.constexpr, GROUP: tl.constexpr,
    SLOTS: tl.constexpr, HAS_BIAS: tl.constexpr, HEADS_FIRST: tl.constexpr, PRECISION: tl.constexpr,
):  # fmt: skip
    """Attend from one tile of queries of one item and head, and write output and logsumexp."""
    BLOCK_M: tl.constexpr = TILE[0] * TILE[1] * TILE[2]
    tile, item = tl.program_id(1 if HEADS_FIRST else 0), tl.program_id(0 if HEADS_FIRST else 1)
    token, there, first = table_tile(map_ptr, tile, L1, L2, TILE, DILATION, EVEN)
    d, dv = tl.arange(0, BLOCK_D), tl.arange(0, BLOCK_DV)
    members = slot_members(TILE, ACTIVE, SLOTS, penalty_ptr.dtype.element_ty)
    penalties = penalty_ptr + table_rows(map_ptr, tile, TILE, ACTIVE, SLOTS)[:, None] * WIDTH
    batch, head = (item // heads).to(tl.int64), item % heads
    q_at = q_ptr + batch * q_batch + head * q_head + (token[:, None] * q_token + d[None, :])
    q = load_there(q_at, there, DIM, BLOCK_D, EVEN)
    k_base = k_ptr + batch * k_batch + (head // GROUP) * k_head + first * k_token
    v_base = v_ptr + batch * v_batch + (head // GROUP) * v_head + first * v_token
    bias = bias_ptr + head * (2 * WINDOW[0] - 1) * (2 * WINDOW[1] - 1) * (2 * WINDOW[2] - 1)
    acc = tl.zeros([BLOCK_M, BLOCK_DV], tl.float32)
    total, top = tl.zeros([BLOCK_M], tl.float32), tl.full([BLOCK_M], -1e15, tl.float32)
    for c in range(FULL):
        j = c * CHUNK + tl.arange(0, CHUNK)
        acc, total, top = table_attend(
            q, k_base, v_base, k_token, v_token, penalties, members, bias, map_ptr, tile, j, L1, L2, scale,
            acc, total, top, WINDOW, DILATION, TILE, BOX, DIM, DIM_V, BLOCK_D, BLOCK_DV, HAS_BIAS,
            FULL * CHUNK, PRECISION)  # fmt: skip
    for c in tl.static_range(len(SIZES)):
        j = STARTS[c] + tl.arange(0, SIZES[c])
        acc, total, top = table_attend(
            q, k_base, v_base, k_token, v_token, penalties, members, bias, map_ptr, tile, j, L1, L2, scale,
            acc, total, top, WINDOW, DILATION, TILE, BOX, DIM, DIM_V, BLOCK_D, BLOCK_DV, HAS_BIAS,
            STARTS[c] + SIZES[c], PRECISION)  # fmt: skip
    acc = acc * (1.0 / total)[:, None]  # one division a row, not one an element
    o = (batch * L0 * L1 * L2 + token) * heads + head
    store_there(out_ptr + o[:, None] * DIM_V + dv[None, :], acc, there, DIM_V, BLOCK_DV, EVEN)
    tl.store(lse_ptr + o, (top + tl.log2(total)) * 0.6931471805599453, mask=there)

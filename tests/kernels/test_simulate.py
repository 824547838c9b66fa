"""The cost model: published cases, our table, and counting by hand."""

import itertools
from math import prod

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from foveate.kernels.cost_model import MACHINES, Machine, Simulation, roofline, simulate
from foveate.kernels.window import Axis, spans

# grid, window, stride, speedup by FLOPs, {(query tile, key tile): (waste, tile speedup)}
TABLE = [
    ((56, 56), (7, 7), 1, 64.00, {"8x8/8x8": (9.62, 6.65), "8x8/16x8": (13.17, 5.55), "16x8/16x8": (20.26, 4.13),
                                  "4x16/4x16": (10.66, 7.84)}),
    ((28, 28), (7, 7), 1, 16.00, {"8x8/8x8": (10.66, 2.56), "8x8/16x8": (12.79, 2.13), "16x8/16x8": (17.06, 1.60)}),
    ((14, 14), (7, 7), 1, 4.00, {"8x8/8x8": (6.82, 1.00)}),
    ((128, 128), (13, 13), 1, 96.95, {"8x8/8x8": (3.13, 30.97), "8x8/16x8": (4.08, 23.74), "16x8/16x8": (5.99, 16.19)}),
    ((256, 256), (33, 33), 1, 60.18, {"8x8/8x8": (1.47, 40.96), "16x8/16x8": (1.76, 34.13),
                                      "16x16/16x8": (2.07, 29.05)}),
    ((32, 32), (13, 13), 1, 6.06, {"8x8/8x8": (2.37, 2.56), "8x8/16x8": (2.84, 2.13)}),
    ((256, 256), (80, 80), 1, 10.24, {"8x8/8x8": (1.14, 8.96), "16x8/16x8": (1.36, 7.51), "16x16/16x8": (1.45, 7.06)}),
    ((256, 256), (80, 80), 16, 10.24, {"8x8/8x8": (1, 10.24), "16x8/16x8": (1, 10.24), "16x16/16x8": (1, 10.24)}),
    ((30, 48, 80), (18, 24, 24), 1, 11.11, {"4x4x4/4x4x4": (1.54, 8.20), "4x4x8/4x4x8": (2.02, 6.24),
                                            "2x8x8/2x8x8": (2.04, 5.44)}),
    ((30, 48, 80), (18, 24, 24), (16, 8, 8), 11.11, {"4x4x8/4x4x8": (1.19, 10.67), "2x8x8/2x8x8": (1.00, 11.11)}),
    ((32768,), (2048,), 1, 16.00, {"128/128": (1.06, 15.11)}),
    ((32768,), (2048,), 256, 16.00, {"128/128": (1.00, 16.00)}),
    ((32768,), (2048,), 2048, 16.00, {"128/128": (1.00, 16.00)}),
]  # fmt: skip


def read(tile: str) -> tuple[int, ...]:
    return tuple(int(n) for n in tile.split("x"))


@pytest.mark.parametrize(
    ("grid", "window", "stride", "flops", "tiles", "numbers"),
    [(*row[:4], tiles, numbers) for row in TABLE for tiles, numbers in row[4].items()],
)
def test_table(grid, window, stride, flops: float, tiles: str, numbers: tuple[float, float]) -> None:
    queries, keys = (read(tile) for tile in tiles.split("/"))
    found = simulate(grid, window, stride=stride, q_tile=queries, kv_tile=keys)
    assert found.flop_speedup == pytest.approx(flops, abs=0.0051)
    assert found.waste == pytest.approx(numbers[0], abs=0.0051)
    assert found.tile_speedup == pytest.approx(numbers[1], abs=0.0051)


def test_dilation_counts_like_its_residue_classes() -> None:
    whole = simulate((256, 256), 13, dilation=8, q_tile=8, kv_tile=8)
    part = simulate((32, 32), 13, q_tile=8, kv_tile=8)
    assert (whole.waste, whole.tile_speedup, whole.flop_speedup) == (part.waste, part.tile_speedup, part.flop_speedup)
    assert (whole.visited, whole.full, whole.q_tiles) == (64 * part.visited, 64 * part.full, 64 * part.q_tiles)


@pytest.mark.parametrize(("stride", "perfect"), [(1, False), (16, False), (128, False), (256, True), (2048, True)])
def test_perfect_sparsity_begins_where_natten_says(stride: int, perfect: bool) -> None:
    assert simulate((32768,), 2048, stride=stride, q_tile=128, kv_tile=128).perfectly_sparse is perfect


@pytest.mark.parametrize(
    ("grid", "window", "stride", "tile", "speedup"),
    [((256, 256), 80, 16, (16, 8), 10.24), ((30, 48, 80), (18, 24, 24), (16, 8, 8), (2, 8, 8), 11.11)],
)
def test_published_speedups_are_reached_whole(grid, window, stride, tile, speedup: float) -> None:
    found = simulate(grid, window, stride=stride, q_tile=tile, kv_tile=tile)
    assert found.perfectly_sparse
    assert found.boundary == 0
    assert found.waste == 1
    assert found.tile_speedup == found.flop_speedup == pytest.approx(speedup, abs=0.0051)


def by_hand(axes: tuple[Axis, ...], q_tile: tuple[int, ...], kv_tile: tuple[int, ...], mode: str) -> tuple[int, ...]:
    """Visited and full tiles, query tiles, useful pairs, from what each query sees."""
    visited = full = q_tiles = useful = 0
    for residues in itertools.product(*(range(axis.dilation) for axis in axes)):
        lines = [axis.of_class(residue) for axis, residue in zip(axes, residues, strict=True)]
        columns = [[column.tolist() for column in spans(line)[2:]] for line in lines]
        for corner in itertools.product(*(range(0, x.length, t) for x, t in zip(lines, q_tile, strict=True))):
            q_tiles += 1
            runs = [range(a, min(a + t, x.length)) for a, t, x in zip(corner, q_tile, lines, strict=True)]
            seen = [[set(range(c[0][i], c[1][i] + 1)) for i in run] for c, run in zip(columns, runs, strict=True)]
            useful += prod(sum(len(keys) for keys in axis) for axis in seen)
            union = [set().union(*axis) for axis in seen]
            common = [set.intersection(*axis) for axis in seen]
            if mode == "flattened":
                visited += -(-prod(max(u) - min(u) + 1 for u in union) // prod(kv_tile))
                continue
            origin = [0 if mode == "aligned" else min(u) for u in union]
            tiles = [sorted({(t - o) // size for t in range(min(u), max(u) + 1)})
                     for u, o, size in zip(union, origin, kv_tile, strict=True)]  # fmt: skip
            for tile in itertools.product(*tiles):
                visited += 1
                keys = [set(range(o + i * s, o + i * s + s)) for i, o, s in zip(tile, origin, kv_tile, strict=True)]
                full += all(k <= c for k, c in zip(keys, common, strict=True))
    return visited, full, q_tiles, useful


@st.composite
def problems(draw: st.DrawFn) -> tuple[tuple[Axis, ...], tuple[int, ...], tuple[int, ...]]:
    axes, q_tile, kv_tile = [], [], []
    for _ in range(draw(st.integers(1, 2))):
        length = draw(st.integers(1, 17))
        dilation = draw(st.integers(1, min(3, length)))
        window = draw(st.integers(1, length // dilation))
        axes.append(Axis(length, window, draw(st.integers(1, window)), dilation, draw(st.booleans())))
        q_tile.append(draw(st.integers(1, 5)))
        kv_tile.append(draw(st.integers(1, 5)))
    return tuple(axes), tuple(q_tile), tuple(kv_tile)


def run(axes: tuple[Axis, ...], q_tile: tuple[int, ...], kv_tile: tuple[int, ...], mode: str) -> Simulation:
    return simulate(
        tuple(axis.length for axis in axes),
        tuple(axis.window for axis in axes),
        stride=tuple(axis.stride for axis in axes),
        dilation=tuple(axis.dilation for axis in axes),
        causal=tuple(axis.causal for axis in axes),
        q_tile=q_tile,
        kv_tile=kv_tile,
        flattened=mode == "flattened",
        aligned=mode == "aligned",
    )


@settings(max_examples=150, deadline=None)
@given(problems(), st.sampled_from(["aligned", "from the first key", "flattened"]))
def test_counts_are_those_of_the_windows(problem, mode: str) -> None:
    found = run(*problem, mode)
    assert (found.visited, found.full, found.q_tiles, found.useful) == by_hand(*problem, mode)
    assert found.waste >= 1
    if found.perfectly_sparse and found.visited:
        assert found.visited == found.full


def test_a_window_as_long_as_the_axis_is_dense() -> None:
    found = simulate((16, 16), 16, q_tile=8, kv_tile=8)
    assert (found.tile_speedup, found.flop_speedup, found.waste, found.perfectly_sparse) == (1, 1, 1, True)


def test_a_flattened_walk_computes_less_for_small_windows() -> None:
    boxes = simulate((56, 56), 7, q_tile=8, kv_tile=8)
    run = simulate((56, 56), 7, q_tile=8, kv_tile=8, flattened=True)
    # 8 queries see 14 keys along an axis, 11 at a border: 25 boxes of 196 keys, 20 of 154, 4 of 121.
    assert run.visited == 25 * 4 + 20 * 3 + 4 * 2
    assert run.visited < boxes.visited
    assert run.full == 0


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"q_tile": 0, "kv_tile": 8}, "q_tile must be"),
        ({"q_tile": 8, "kv_tile": (8, 8, 8)}, "kv_tile must be"),
        ({"q_tile": 8, "kv_tile": 8, "stride": 9}, "stride must lie"),
    ],
)
def test_bad_arguments(arguments: dict, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        simulate((16, 16), 7, **arguments)


RATES = Machine("anchors", 790e12, 60e12, 4.3e12, 4.2e12)
# grid, window, batch, heads, dim, microseconds forward (products, memory), backward (products, memory)
BOUNDS = [
    ((56, 56), 7, 128, 2, 32, (6, 49), (16, 97)),
    ((28, 28), 7, 128, 4, 32, (3, 24), (8, 49)),
    ((128, 128), 13, 8, 8, 64, (57, 126), (144, 252)),
    ((256, 256), 33, 2, 8, 64, (370, 126), (925, 252)),
    ((256, 256), 80, 1, 24, 128, (6524, 376), (16310, 752)),
    ((30, 48, 80), (18, 24, 24), 1, 24, 128, (18578, 661), (46445, 1322)),
]


@pytest.mark.parametrize(("grid", "window", "batch", "heads", "dim", "forward", "backward"), BOUNDS)
def test_bounds(grid, window, batch: int, heads: int, dim: int, forward, backward) -> None:
    found = simulate(grid, window, q_tile=8, kv_tile=8)
    for is_backward, (products, memory) in ((False, forward), (True, backward)):
        line = roofline(found, RATES, batch=batch, heads=heads, dim=dim, backward=is_backward, useful_only=True)
        assert line.products * 1e6 == pytest.approx(products, abs=0.6)
        assert line.memory * 1e6 == pytest.approx(memory, abs=0.6)
        assert line.limit == ("products" if products > memory else "memory")
        assert line.seconds == max(line.products, line.memory)


@pytest.mark.parametrize(
    ("q_tile", "kv_tile", "products", "exponentials"),
    [((4, 4), (4, 4), 17, 25), ((4, 8), (4, 8), 32, 48), ((8, 8), (8, 8), 61, 91), ((8, 8), (16, 8), 84, 124)],
)
def test_tiles_cost_products_and_exponentials(q_tile, kv_tile, products: int, exponentials: int) -> None:
    line = roofline(simulate((56, 56), 7, q_tile=q_tile, kv_tile=kv_tile), RATES, batch=128, heads=2, dim=32)
    assert line.products * 1e6 == pytest.approx(products, abs=0.6)
    assert line.exponentials * 1e6 == pytest.approx(exponentials, abs=1)


def test_what_changes_a_bound() -> None:
    found = simulate((64,), 9, q_tile=16, kv_tile=16)
    base = {"batch": 2, "heads": 4, "dim": 32}
    once = roofline(found, RATES, **base, backward=True)
    twice = roofline(found, RATES, **base, backward=True, two_passes=True)
    assert twice.products == pytest.approx(once.products * 7 / 5)
    assert twice.exponentials == 2 * once.exponentials
    grouped = roofline(found, RATES, **base, heads_kv=1)
    assert grouped.memory < roofline(found, RATES, **base).memory
    wide = roofline(found, RATES, **base, dtype=torch.float32)
    assert wide.products == pytest.approx(roofline(found, RATES, **base).products * 790 / 60)
    assert set(MACHINES) == {"a100", "h100", "h200"}
    assert all(machine.flops > machine.flops_float32 for machine in MACHINES.values())

"""What holds for all scanpaths: bounds, identity, symmetry, shifts, and batches that agree with single pairs."""

from functools import cache

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from foveate.scanpath import Scanpath
from foveate.scanpath import measures as m

SIZE = (640, 480)
# The last tenths of a pixel stay free, so that a shift back does not leave the picture.
X, Y = st.integers(0, 6390), st.integers(0, 4790)
FIXATIONS = st.lists(st.tuples(X, Y, st.integers(50, 900)), min_size=1, max_size=9)
STRINGS = st.lists(st.integers(0, 3), min_size=1, max_size=8)


def look(rows: list[tuple[int, int, int]]) -> Scanpath:
    x, y, milliseconds = np.array(rows, float).T
    return Scanpath(x / 10, y / 10, SIZE, milliseconds / 1000)


PATHS = FIXATIONS.map(look)
SIMILARITIES = {
    "scanmatch": m.scanmatch_pairs,
    "scanmatch_duration": lambda a, b: m.scanmatch_pairs(a, b, bin_seconds=0.05),
    "sequence_score": m.sequence_score_pairs,
    "sbtde": m.sbtde_similarity_pairs,
    "stde_fixatons": m.stde_fixatons_pairs,
    "stde_vame": m.stde_vame_pairs,
}
DISTANCES = {
    "sed_vame": m.sed_vame_pairs,
    "sed_fixatons": m.sed_fixatons_pairs,
    "stded_vame": m.stded_vame_pairs,
    "tde_fixatons": lambda a, b: m.tde_fixatons_pairs(a, b, k=1),
    "tde_vame": lambda a, b: m.tde_vame_pairs(a, b, k=1, hausdorff=True),
    "sbtde_fixatons": lambda a, b: m.sbtde_fixatons_pairs(a, b, k=1),
    "dtw": m.dtw_pairs,
    "frechet": m.frechet_pairs,
    "hausdorff": m.hausdorff_pairs,
}
SYMMETRIC = {
    "scanmatch",
    "scanmatch_duration",
    "sequence_score",
    "sed_vame",
    "sed_fixatons",
    "dtw",
    "frechet",
    "hausdorff",
}
ANYWHERE = {"stde_fixatons", "stde_vame", "stded_vame", "tde_fixatons", "tde_vame", "dtw", "frechet", "hausdorff"}
ALL = SIMILARITIES | DISTANCES


@pytest.mark.parametrize("name", ALL)
@settings(deadline=None, max_examples=40)
@given(first=PATHS, second=PATHS)
def test_bounds_identity_and_symmetry(name: str, first: Scanpath, second: Scanpath) -> None:
    there, back, itself = ALL[name]([first, second, first], [second, first, first])
    if name in SIMILARITIES:
        assert itself == pytest.approx(1, abs=1e-12)
        assert 0 <= there <= 1 + 1e-12
    else:
        assert itself == 0
        assert there >= 0
    if name.startswith("sed"):
        assert abs(len(first) - len(second)) <= there <= max(len(first), len(second))
    if name in SYMMETRIC:
        assert there == pytest.approx(back, rel=1e-12, abs=1e-12)


@pytest.mark.parametrize("name", sorted(ANYWHERE))
@settings(deadline=None, max_examples=25)
@given(first=PATHS, second=PATHS, right=st.integers(-300, 300), down=st.integers(-300, 300))
def test_a_common_shift_changes_no_distance(
    name: str, first: Scanpath, second: Scanpath, right: int, down: int
) -> None:
    moved = [Scanpath(path.x + right, path.y + down, SIZE, path.duration) for path in (first, second)]
    before, after = ALL[name]([first, moved[0]], [second, moved[1]])
    assert after == pytest.approx(before, rel=1e-9, abs=1e-9)


@settings(deadline=None, max_examples=40)
@given(first=PATHS, second=PATHS)
def test_multimatch_is_bounded_and_perfect_for_a_path_itself(first: Scanpath, second: Scanpath) -> None:
    there, itself = m.multimatch_pairs([first, first], [second, first])
    if len(first) < 3:
        assert np.isnan(itself).all()
    else:
        assert (itself == 1).all()
    assert np.isnan(there).all() == (min(len(first), len(second)) < 3)
    # A saccade in the picture is at most a diagonal long, so that no difference is above two.
    assert np.isnan(there).all() or (there.min() >= -1e-12 and there.max() <= 1)


@settings(deadline=None, max_examples=25)
@given(paths=st.lists(st.tuples(PATHS, PATHS), min_size=1, max_size=6))
def test_a_batch_answers_what_single_pairs_do(paths: list[tuple[Scanpath, Scanpath]]) -> None:
    humans, models = ([pair[i] for pair in paths] for i in (0, 1))
    for name, measure in ALL.items():
        together = measure(humans, models)
        alone = [measure([human], [model])[0] for human, model in paths]
        assert together.tolist() == alone, name
    five = m.multimatch_pairs(humans, models)
    for row, human, model in zip(five, humans, models, strict=True):
        one = m.multimatch(human, model)
        np.testing.assert_array_equal(row, [one.shape, one.direction, one.length, one.position, one.duration])


@settings(deadline=None, max_examples=200)
@given(first=STRINGS, second=STRINGS)
def test_strings_agree_with_their_definitions(first: list[int], second: list[int]) -> None:
    assert m.label_edit_distance(first, second) == edits(tuple(first), tuple(second))
    assert m.label_edit_distance(first, second, exchanges=True) == unrestricted(first, second)
    longest = common(tuple(first), tuple(second))
    assert m.label_sequence_score(first, second) == longest / max(len(first), len(second))


@cache
def edits(a: tuple, b: tuple) -> int:
    if not a or not b:
        return len(a) + len(b)
    return min(edits(a[1:], b) + 1, edits(a, b[1:]) + 1, edits(a[1:], b[1:]) + (a[0] != b[0]))


@cache
def common(a: tuple, b: tuple) -> int:
    if not a or not b:
        return 0
    return max(common(a[1:], b), common(a, b[1:]), common(a[1:], b[1:]) + (a[0] == b[0]))


def unrestricted(a: list[int], b: list[int]) -> int:
    """Edits with exchanges over gaps, all cells looked at: slow and plain."""
    table = {(i, j): i + j for i in range(len(a) + 1) for j in range(len(b) + 1) if i == 0 or j == 0}
    for i in range(1, len(a) + 1):
        for j in range(1, len(b) + 1):
            ways = [table[i - 1, j] + 1, table[i, j - 1] + 1, table[i - 1, j - 1] + (a[i - 1] != b[j - 1])]
            ways += [
                table[p - 1, q - 1] + (i - p - 1) + 1 + (j - q - 1)
                for p in range(1, i)
                for q in range(1, j)
                if a[p - 1] == b[j - 1] and a[i - 1] == b[q - 1]
            ]
            table[i, j] = min(ways)
    return table[len(a), len(b)]


def test_numbers_stay_when_a_picture_is_scaled() -> None:
    first, second = (look([(10 + 50 * i, 4000 - 300 * i, 200), (6000, 10 * i, 300)]) for i in (2, 7))
    for name in ("sequence_score", "stde_fixatons", "stde_vame", "sed_vame", "sbtde"):
        double = [path.scaled((1280, 960)) for path in (first, second)]
        before, after = ALL[name]([first], [second])[0], ALL[name]([double[0]], [double[1]])[0]
        assert before == pytest.approx(after, rel=1e-12)

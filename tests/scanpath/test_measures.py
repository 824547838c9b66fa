"""The measures of two scanpaths give the published numbers, and refuse what they cannot compare."""

import math
from types import ModuleType

import numpy as np
import pytest

from foveate.scanpath import Scanpath
from foveate.scanpath import measures as m

COLUMNS = {
    "scanmatch_nodur_16x12": lambda a, b: m.scanmatch_pairs(a, b),
    "scanmatch_dur50_16x12": lambda a, b: m.scanmatch_pairs(a, b, bin_seconds=0.05),
    "scanmatch_nodur_14x8": lambda a, b: m.scanmatch_pairs(a, b, bins=(14, 8)),
    "scanmatch_nodur_320x240": lambda a, b: m.scanmatch_pairs(small(a), small(b)),
    "scanmatch_dur50_320x240": lambda a, b: m.scanmatch_pairs(small(a), small(b), bin_seconds=0.05),
    "sed_vame_5x5": m.sed_vame_pairs,
    "sed_fixatons_4x4": m.sed_fixatons_pairs,
    "tde_fixatons_k1": lambda a, b: m.tde_fixatons_pairs(a, b, k=1),
    "tde_fixatons_k2": lambda a, b: m.tde_fixatons_pairs(a, b, k=2),
    "tde_fixatons_k3": lambda a, b: m.tde_fixatons_pairs(a, b, k=3),
    "tde_fixatons_k3_hausdorff": lambda a, b: m.tde_fixatons_pairs(a, b, k=3, hausdorff=True),
    "tde_vame_k1": lambda a, b: m.tde_vame_pairs(a, b, k=1),
    "tde_vame_k2": lambda a, b: m.tde_vame_pairs(a, b, k=2),
    "tde_vame_k3": lambda a, b: m.tde_vame_pairs(a, b, k=3),
    "sbtde_fixatons_k1": lambda a, b: m.sbtde_fixatons_pairs(a, b, k=1),
    "sbtde_fixatons_k2": lambda a, b: m.sbtde_fixatons_pairs(a, b, k=2),
    "sbtde_fixatons_k3": lambda a, b: m.sbtde_fixatons_pairs(a, b, k=3),
    "stde_fixatons": m.stde_fixatons_pairs,
    "stde_vame": m.stde_vame_pairs,
    "stded_vame": m.stded_vame_pairs,
    "sequence_score_5x5": m.sequence_score_pairs,
}
FIVE = ("shape", "direction", "length", "position", "duration")


def small(paths: list[Scanpath]) -> list[Scanpath]:
    return [path.scaled((320, 240)) for path in paths]


def cut(rows: np.ndarray, lengths: np.ndarray) -> list[Scanpath]:
    parts = np.split(rows.astype(np.float64), np.cumsum(lengths)[:-1])
    return [Scanpath(part[:, 0], part[:, 1], (800, 600), part[:, 2] / 1000) for part in parts]


@pytest.fixture(scope="module")
def pairs(golden: ModuleType) -> tuple[list[Scanpath], list[Scanpath], dict[str, np.ndarray]]:
    case, answers = golden.load("metrics/pairs"), golden.outputs("metrics/pairs")
    humans, models = (cut(answers[name].numpy(), answers[f"{name}_len"].numpy()) for name in "ab")
    return humans, models, dict(zip(case["columns"], answers["values"].numpy().T, strict=True))


def test_every_column_is_compared(pairs: tuple) -> None:
    both = {f"multimatch_{group}{name}" for group in ("", "grouped_") for name in FIVE}
    assert set(COLUMNS) | both == set(pairs[2])


@pytest.mark.parametrize("column", COLUMNS)
def test_published_numbers(pairs: tuple, column: str) -> None:
    humans, models, values = pairs
    # Windows of k fixations do not fit in shorter paths; the reference has no number there either.
    known = np.flatnonzero(~np.isnan(values[column]))
    k = int(column.partition("_k")[2][:1] or 1)
    assert known.tolist() == [i for i in range(len(humans)) if min(len(humans[i]), len(models[i])) >= k]
    answer = COLUMNS[column]([humans[i] for i in known], [models[i] for i in known])
    if column == "sequence_score_5x5":  # the reference divides in single precision
        assert (answer.astype(np.float32) == values[column].astype(np.float32)).all()
    else:
        np.testing.assert_allclose(answer, values[column][known], rtol=1e-14, atol=1e-14)


@pytest.mark.parametrize("group", ["", "grouped_"])
def test_published_multimatch(pairs: tuple, group: str) -> None:
    humans, models, values = pairs
    grouping = m.Grouping(degrees=30, seconds=0.3, pixels=100) if group else None
    answer = m.multimatch_pairs(humans, models, grouping=grouping)
    expected = np.stack([values[f"multimatch_{group}{name}"] for name in FIVE], 1)
    np.testing.assert_allclose(answer, expected, rtol=1e-14, atol=0, equal_nan=True)
    assert not np.isnan(answer[:3]).any()


def test_multimatch_without_durations() -> None:
    look = Scanpath([1, 50, 90, 20], [5, 40, 10, 10], (100, 50))
    with pytest.raises(ValueError, match="needs durations"):
        m.multimatch(look, look)
    result = m.multimatch(look, look, durations=False)
    assert (result.shape, result.direction, result.length, result.position) == (1, 1, 1, 1)
    assert math.isnan(result.duration)
    assert math.isnan(m.multimatch(look.first(2), look, durations=False).shape)


TIES = [
    # Human and model as x, y and tenths of a second, and multimatch_gaze's answer. In the first pair two ways cost the
    # same; in the second some steps cost nothing.
    (
        [[50, 40, 1], [10, 10, 4], [10, 40, 4], [90, 40, 2], [90, 10, 1]],
        [[10, 10, 3], [50, 10, 1], [90, 40, 3]],
        [0.7269514461590395, 0.5, 0.8211145618000169, 0.5527864045000421, 0.29166666666666663],
    ),
    (
        [[90, 10, 3], [10, 10, 3], [10, 10, 1], [90, 40, 2], [50, 10, 1]],
        [[10, 10, 1], [50, 40, 1], [10, 40, 4], [10, 40, 4], [10, 40, 4]],
        [0.7763932022500211, 0.20483276469913347, 0.6422291236000337, 0.5527864045000421, 0.33333333333333337],
    ),
]


@pytest.mark.parametrize(("first", "second", "expected"), TIES)
def test_multimatch_takes_the_published_way_between_equal_ones(first: list, second: list, expected: list) -> None:
    human, model = (
        Scanpath(*np.array(rows, float).T[:2], (100, 50), np.array(rows)[:, 2] / 10) for rows in (first, second)
    )
    np.testing.assert_allclose(m.multimatch_pairs([human], [model])[0], expected, rtol=1e-14)


def test_multimatch_has_no_number_where_grouping_leaves_one_short_saccade() -> None:
    look = Scanpath([10, 12, 15, 20], [10, 11, 12, 10], (100, 50), [0.1, 0.1, 0.1, 0.1])
    assert np.isnan(m.multimatch_pairs([look], [look], grouping=m.Grouping(30, 0.3, 100))).all()
    assert (m.multimatch_pairs([look], [look]) == 1).all()


def test_durations_are_whole_microseconds() -> None:
    # 0.175 / 0.05 is below 3.5 in binary; half a bin more has to round to the even 4.
    long, short = (Scanpath([10.0], [10.0], (100, 100), [seconds]) for seconds in (0.175, 0.15))
    assert m.scanmatch(long, short, bin_seconds=0.05) == 0.75


def test_a_side_that_the_grid_does_not_divide_spills_over() -> None:
    corner = Scanpath([102.0], [0.0], (103, 100))
    assert m.grid_labels(corner, 5).tolist() == [5]
    assert m.grid_labels(Scanpath([0.0], [20.0], (103, 100)), 5).tolist() == [5]


def test_dtw_frechet_and_hausdorff_by_hand() -> None:
    first = Scanpath([0, 3, 6], [0, 0, 0], (100, 100))
    second = Scanpath([0, 6], [4, 0], (100, 100))
    # 4 for the first pair; the middle one is 3 from the last and 5 from the first.
    assert m.dtw(first, second) == 4 + 3 + 0
    assert m.frechet(first, second) == 4
    assert m.hausdorff(first, second) == 4
    assert m.hausdorff(first, Scanpath([6, 3, 0], [0, 0, 0], (100, 100))) == 0
    assert m.frechet(first, Scanpath([6, 3, 0], [0, 0, 0], (100, 100))) == 6


LOOK = Scanpath([10.0, 50.0, 90.0], [10.0, 25.0, 40.0], (100, 50), [0.2, 0.3, 0.1])
BAD = {
    "scale one": (LOOK, LOOK.scaled((200, 100))),
    r"fixation 1 at \(101, 5\) is outside the picture of 100x50": (LOOK, Scanpath([1, 101], [5, 5], (100, 50))),
    "a Scanpath is needed, got ndarray": (LOOK, LOOK.points),
}
EVERY = (m.scanmatch, m.sed_vame, m.sed_fixatons, m.sequence_score, m.sbtde_similarity)
ANYWHERE = (m.multimatch, m.stde_fixatons, m.stde_vame, m.stded_vame, m.dtw, m.frechet, m.hausdorff)


# Distances need no picture, and go on outside of it.
REFUSED = [(f, text) for f in (*EVERY, *ANYWHERE) for text in BAD if "outside" not in text or f in EVERY]


@pytest.mark.parametrize(("measure", "message"), REFUSED)
def test_bad_pairs_are_refused(measure, message: str) -> None:
    with pytest.raises((ValueError, TypeError), match=message):
        measure(*BAD[message])


def test_other_bad_arguments_are_refused() -> None:
    plain = Scanpath(LOOK.x, LOOK.y, LOOK.size)
    blink = Scanpath([5.0], [5.0], (100, 50), [0.02])
    with pytest.raises(ValueError, match="needs durations"):
        m.scanmatch(plain, LOOK, bin_seconds=0.05)
    with pytest.raises(ValueError, match="fills half a bin"):
        m.scanmatch(LOOK, blink, bin_seconds=0.05)
    with pytest.raises(ValueError, match="bin_seconds must be above 0"):
        m.scanmatch(LOOK, LOOK, bin_seconds=0)
    with pytest.raises(ValueError, match="two numbers of cells"):
        m.scanmatch(LOOK, LOOK, bins=(0, 3))
    with pytest.raises(ValueError, match="threshold"):
        m.scanmatch(LOOK, LOOK, threshold=0)
    with pytest.raises(ValueError, match="pair 1: windows of 2 fixations do not fit"):
        m.tde_vame_pairs([LOOK, LOOK], [LOOK, blink], k=2)
    with pytest.raises(ValueError, match="k must be 1"):
        m.tde_fixatons(LOOK, LOOK, k=0)
    with pytest.raises(ValueError, match="1 to 50 cells"):
        m.sed_vame(LOOK, LOOK, cells=51)
    with pytest.raises(ValueError, match="there is no pair"):
        m.dtw_pairs([], [])
    with pytest.raises(ValueError, match="got 2 and 1"):
        m.scanmatch_pairs([LOOK, LOOK], [LOOK])
    with pytest.raises(ValueError, match="0 or more"):
        m.Grouping(-1, 0, 0)

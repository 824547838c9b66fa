"""Dynamic programmes over many pairs of sequences at once.

Each works row by row: what comes from the row above is one operation on arrays, and the chain along the row is a
running maximum or minimum.
"""

from collections.abc import Iterator

import numpy as np

__all__ = ["damerau_levenshtein", "levenshtein", "needleman_wunsch", "window_edit_distances"]


def needleman_wunsch(first: np.ndarray, second: np.ndarray, scores: np.ndarray) -> np.ndarray:
    """Score the best alignments in which a gap costs nothing.

    Args:
        first: Symbols (pairs, n), integers from 0.
        second: Symbols (pairs, m).
        scores: What it brings to align two symbols, (symbols, symbols).

    Returns:
        (pairs,) float64. With free gaps the last cell of the table is also its largest.

    Source: Needleman and Wunsch (1970).
    """
    # Pairs lie along the last axis, so that the running maximum is a step for all pairs at once.
    columns = np.ascontiguousarray(second.T)
    best = np.zeros((second.shape[1] + 1, len(second)))
    for row in np.ascontiguousarray(first.T):
        np.maximum(best[1:], best[:-1] + scores[row, columns], out=best[1:])
        np.maximum.accumulate(best, axis=0, out=best)
    return best[-1].copy()


def levenshtein(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Count the fewest insertions, deletions and substitutions that turn one sequence into the other.

    Args:
        first: Symbols (pairs, n), integers.
        second: Symbols (pairs, m).

    Returns:
        (pairs,) float64.

    Source: Levenshtein (1966).
    """
    steps = np.arange(second.shape[1] + 1, dtype=np.int32)
    row = np.broadcast_to(steps, (len(second), len(steps)))
    for i in range(first.shape[1]):
        substituted = row[:, :-1] + (first[:, i, None] != second)
        row = row + 1
        row[:, 1:] = np.minimum(row[:, 1:], substituted)
        row = _insertions(row, steps)
    return row[:, -1].astype(np.float64)


def damerau_levenshtein(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Count as ``levenshtein`` does, where exchanging two symbols is one step, also with others between them.

    Args:
        first: Symbols (pairs, n), integers.
        second: Symbols (pairs, m).

    Returns:
        (pairs,) float64.

    Source: Lowrance and Wagner (1975), the unrestricted distance; symbols between the two are deleted or inserted.
    """
    return _damerau_table(first, second)[-1][:, -1].astype(np.float64)


def _insertions(row: np.ndarray, steps: np.ndarray) -> np.ndarray:
    """Let every cell of a row be reached from its left: min over k of row[k] + (j - k)."""
    result: np.ndarray = np.minimum.accumulate(row - steps, axis=1) + steps
    return result


def _damerau_table(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Distances of all beginnings of the sequences, (n + 1, pairs, m + 1)."""
    (pairs, n), m = first.shape, second.shape[1]
    steps = np.arange(m + 1, dtype=np.int16)
    table = np.empty((n + 1, pairs, m + 1), np.int16)
    table[0] = steps
    cells = table.reshape(-1)
    across = np.arange(pairs, dtype=np.int32)[:, None] * (m + 1)
    # For every column, the last row above whose symbol is the column's; counted from 1, 0 is none.
    above = np.zeros((pairs, m), np.int16)
    for i in range(1, n + 1):
        equal = first[:, i - 1, None] == second
        row = table[i - 1] + np.int16(1)
        np.minimum(row[:, 1:], table[i - 1][:, :-1] + ~equal, out=row[:, 1:])
        # For every column, the last column to its left whose symbol is the row's.
        left = np.zeros((pairs, m), np.int16)
        np.maximum.accumulate(np.where(equal, steps[1:], 0)[:, :-1], axis=1, out=left[:, 1:])
        possible = (above > 0) & (left > 0)
        if possible.any():
            before = (above - 1).clip(0).astype(np.int32) * (pairs * (m + 1)) + across + (left - 1).clip(0)
            exchanged = cells[before] + (i - above) + (steps[1:] - left) - 1
            np.minimum(row[:, 1:], exchanged, out=row[:, 1:], where=possible)
        table[i] = _insertions(row, steps)
        above[equal] = i
    return table


def window_edit_distances(first: np.ndarray, second: np.ndarray) -> Iterator[np.ndarray]:
    """Compare all windows of k symbols of one sequence with all of the other, for every k.

    A table of the distances of two suffixes has those of all windows that begin where they do on its diagonal, so that
    one table a pair of beginnings serves every k.

    Args:
        first: Symbols (pairs, n), integers.
        second: Symbols (pairs, m).

    Yields:
        For k = 1, 2, ... min(n, m): unrestricted Damerau-Levenshtein distances (pairs, n - k + 1, m - k + 1).
    """
    (pairs, n), m = first.shape, second.shape[1]
    shortest = min(n, m)
    windows = [np.empty((pairs, n - k + 1, m - k + 1), np.int16) for k in range(1, shortest + 1)]
    for length in range(1, shortest + 1):
        starts = [(s, t) for s in range(n) for t in range(m) if min(n - s, m - t) == length]
        suffixes = np.concatenate([first[:, s : s + length] for s, _ in starts])
        others = np.concatenate([second[:, t : t + length] for _, t in starts])
        table = _damerau_table(suffixes, others)
        rows, columns = np.array(starts).T
        for k in range(1, length + 1):
            windows[k - 1][:, rows, columns] = table[k, :, k].reshape(len(starts), pairs).T
    yield from windows

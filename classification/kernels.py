"""Loops over a block of similarities, compiled by numba.

They release the global interpreter lock, so threads run side by side. All of them are in this file,
because numba's cache on disk watches only the file of the compiled function.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from lowlabel.processes.compiled import compiled, compiled_sum

Array = NDArray[Any]

_STRIP = np.uintp(64)  # similarities whose largest is compared before they are looked at one by one
_BINS = 256  # of the histogram that finds the k-th largest
_CHUNK = 512  # train rows that stay in a core's cache while all queries read theirs


@compiled
def collect(
    block: Array,
    scale: Array,
    first: int,
    k: int,
    margin: float,
    values: Array,
    rows: Array,
    counts: Array,
) -> None:
    """Adds the columns of a block to the candidates of each of its rows.

    A column is a candidate unless k others are larger by more than `margin`. Candidates lie in
    `values` and `rows` [B, capacity + 1], their number in `counts`. The last value of a row is the
    smallest that a candidate can have. A row with more candidates than its capacity gets -1.

    Args:
        block: Similarities, float32 [B, T], before they are scaled.
        scale: Factor of each column, float32 [T].
        first: Train row of the first column.
        k: Number of neighbours.
        margin: Twice the most that a similarity can be wrong by.
        values: Similarities of the candidates, float32.
        rows: Train rows of the candidates, int32.
        counts: Number of candidates of each row, int64 [B].
    """
    capacity = values.shape[1] - 1
    columns = np.uintp(block.shape[1])
    for i in range(np.uintp(block.shape[0])):
        count = counts[i]
        if count < 0:
            continue
        lowest = values[i, capacity]
        for start in range(np.uintp(0), columns, _STRIP):
            stop = min(start + _STRIP, columns)
            reached = False
            for j in range(start, stop):
                reached |= block[i, j] * scale[j] >= lowest
            if not reached:
                continue
            if count + np.int64(_STRIP) > capacity:
                count, lowest = _keep_best(values[i], rows[i], count, k, margin)
                if count + np.int64(_STRIP) > capacity:
                    count = -1
                    break
            for j in range(start, stop):
                similarity = block[i, j] * scale[j]
                if similarity >= lowest:
                    values[i, count] = similarity
                    rows[i, count] = first + np.int64(j)
                    count += 1
        if count >= 2 * k:
            count, lowest = _keep_best(values[i], rows[i], count, k, margin)
        counts[i] = count
        values[i, capacity] = lowest


@compiled
def _keep_best(
    values: Array, rows: Array, count: int, k: int, margin: float
) -> tuple[int, np.float32]:
    """Drops candidates that k others exceed by more than the margin; their number and the bound."""
    if count < k:
        return count, values[len(values) - 1]
    lowest = np.float32(_kth_largest(values[:count], k) - margin)
    kept = 0
    for j in range(count):  # without a branch: which are kept cannot be foreseen
        value = values[j]
        values[kept] = value
        rows[kept] = rows[j]
        kept += value >= lowest
    return kept, lowest


@compiled
def _kth_largest(values: Array, k: int) -> Any:
    """The k-th largest value, or one below it that few others separate from it.

    A histogram takes no guess at each value, as a partition does to a processor.
    """
    low, high = values.min(), values.max()
    width = np.float64(high) - np.float64(low)
    if width == 0:
        return low
    scale = (_BINS - 1) / width
    histogram = np.zeros(_BINS, np.int32)
    for value in values:
        histogram[np.uintp((value - low) * scale)] += 1
    reached, place = 0, _BINS
    while reached < k:
        place -= 1
        reached += histogram[place]
    if reached > k + k // 4 + 8:  # most values lie in a few bins
        return np.partition(values, len(values) - k)[len(values) - k]
    least = high
    for value in values:
        least = min(least, value if np.uintp((value - low) * scale) >= place else high)
    return least


@compiled
def prune(values: Array, rows: Array, counts: Array, k: int, margin: float) -> None:
    """Drops what later columns made no candidate; see `collect`, whose arguments these are."""
    for i in range(np.uintp(len(counts))):
        if counts[i] > k:
            counts[i], _ = _keep_best(values[i], rows[i], counts[i], k, margin)


@compiled
def exact_keys(
    queries: Array,
    train: Array,
    query_norm: Array,
    train_norm: Array,
    places: Array,
    rows: Array,
    counts: Array,
    grid: float,
    row_bits: int,
    found: Array,
) -> None:
    """Sorts candidates by float64 cosine on a grid, then by row; writes the k largest keys.

    Args:
        queries: Test embeddings, float64 [B, D].
        train: Table of train embeddings [T, D].
        query_norm: L2 norms of `queries`, float64 [B].
        train_norm: L2 norms of the train images, float64 [N].
        places: The row of `train` of each train image, int64 [N].
        rows: Train rows of candidates, ascending [B, …].
        counts: Number of candidates [B]; a row with fewer than k is left alone.
        grid: Steps of the grid in a cosine of 1.
        row_bits: Bits of a key that hold the row.
        found: Keys, int64 [B, k], written.
    """
    most, k = (1 << row_bits) - 1, found.shape[1]
    tests = np.uintp(len(counts))
    keys = np.empty((tests, max(counts.max(), 0)), np.int64)
    done = np.zeros(tests, np.int64)
    for chunk in range(0, len(train_norm), _CHUNK):
        for i in range(tests):
            j = done[i]
            while j < counts[i] and rows[i, j] < chunk + _CHUNK:
                row = np.uintp(rows[i, j])
                product = _dot(queries, i, train, np.uintp(places[row]))
                cosine = product / (query_norm[i] * train_norm[row])
                keys[i, j] = (np.int64(np.rint(cosine * grid)) << row_bits) | (most - np.int64(row))
                j += 1
            done[i] = j
    for i in range(tests):
        if counts[i] >= k:
            ordered = np.sort(keys[i, : counts[i]])
            for j in range(k):
                found[i, j] = ordered[len(ordered) - 1 - j]


@compiled_sum
def _dot(a: Array, i: Any, b: Array, j: Any) -> float:
    total = 0.0
    for d in range(np.uintp(a.shape[1])):
        total += a[i, d] * np.float64(b[j, d])
    return total

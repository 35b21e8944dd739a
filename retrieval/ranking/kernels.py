"""Loops that compare a block of similarities with positives, compiled by numba.

They release the global interpreter lock, so threads run side by side. Two habits keep them fast:
indices that cannot be negative are unsigned, or the compiler reads every value by a gather that
allows for wrapping around; and arrays are indexed in place, because each view of one costs atomic
operations. All of them are in this file, because numba's cache on disk watches only the file of
the compiled function.
"""

from collections.abc import Callable
from typing import Any, NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from lowlabel.processes.compiled import compiled, compiled_sum

_TILE = 128  # similarities compared with one positive after the other
_STRIP = 32  # columns transposed at once: 128 bytes of each row
_SQUARE = 16  # side of the squares transposed one by one: a cache line
_STAGGER = 16  # padding of those rows, since a power of two would put them in one cache set
_CELLS = 1024  # cells of the look-up in excess of the positives, so most hold one or none
_WAITING = 2**13  # doubtful comparisons collected before they are settled

F = TypeVar("F", bound=Callable[..., Any])
Array = NDArray[Any]
Scalar = Any  # a numpy number to the compiler


class Job(NamedTuple):  # keep the name: caches on disk contain it and fail to load without it
    """What blocks are compared with.

    Features, 1 / norms and the row at each place of both sides; the start and stop of each query's
    class in the gallery; the positives of the queries from `begin` on (`Positives`); and the
    counts to add to. Within `doubt_from` to `doubt_to` of a positive's cosine a block decides
    nothing, unless it is `exact`. Cosines equal up to `tie` are decided by `policy`: 1 counts the
    negative, -1 does not, 0 does if its row is the lower one. Negatives before a query's best
    positive are listed in `rivals`, as places of query and image [2, n], from `listed_now[0]` on,
    until `listed` has `most_rivals` of the query.
    """

    queries: Array
    gallery: Array
    query_scale: Array
    gallery_scale: Array
    query_row: Array
    gallery_row: Array
    start: Array
    stop: Array
    begin: int
    offsets: Array
    cosine: Array
    row: Array
    counts: Array
    doubt_from: float
    doubt_to: float
    tie: float
    policy: int
    exact: bool
    most_rivals: int
    listed: Array
    rivals: Array
    listed_now: Array


class _Doubts(NamedTuple):
    """Comparisons of a gallery image with positive k of a query that a block cannot decide."""

    query: Array
    k: Array
    place: Array
    value: Array


def _inner(function: F) -> F:
    """Compiles a function that only compiled functions call, in less time."""
    return compiled(function, no_cpython_wrapper=True, no_cfunc_wrapper=True)


def _inner_sum(function: F) -> F:
    return compiled_sum(function, no_cpython_wrapper=True)


@compiled
def pair_cosines(query_rows: Array, gallery_rows: Array, job: Job) -> Array:
    """Computes float64 cosines of pairs of rows."""
    cosines = np.empty(query_rows.size, np.float64)
    for i in range(query_rows.size):
        cosines[i] = _cosine(query_rows[i], gallery_rows[i], job)
    return cosines


@compiled
def row_norms(features: Array) -> Array:
    """Computes L2 norms of rows, in float64."""
    norms = np.empty(features.shape[0], np.float64)
    for i in range(np.uintp(features.shape[0])):
        norms[i] = np.sqrt(_dot(features, i, features, i))
    return norms


@compiled
def scaled_rows(features: Array, rows: Array, scale: Array, out: Array) -> None:
    """Writes some rows, each multiplied in float64 by its scale, to `out` [n, D]."""
    for i in range(np.uintp(rows.size)):
        row = np.uintp(rows[i])
        for d in range(np.uintp(features.shape[1])):
            out[i, d] = features[row, d] * scale[row]


@compiled
def count_by_tiles(
    block: Array, turned: bool, begin: int, end: int, first_query: int, first_place: int, job: Job
) -> None:
    """Adds to the counts of the block's queries `begin` to `end`, which have few positives.

    The block is [queries, gallery], or [gallery, queries] if `turned`. Tiles of a query's row are
    compared with one positive after the other, from the lowest on, until nothing in the tile
    reaches the positive. It is one function because a call for each row would cost too much.
    """
    rows, length = _rows(block, turned)
    doubts, waiting, listing = _no_doubts(), 0, job.most_rivals > 0
    for i in range(begin, end):
        if turned and (i - begin) % _STRIP == 0:
            _turn(block, i, rows)
        r, query = (i - begin) % _STRIP if turned else i, first_query + i
        first, last, parts = _bounds(query, first_place, length, job)
        for left, right in parts:
            for start in range(left, right, _TILE):
                stop = min(start + _TILE, right)
                for k in range(last - 1, first - 1, -1):
                    low = rows.dtype.type(job.cosine[k] + job.doubt_from)
                    high = rows.dtype.type(job.cosine[k] + job.doubt_to)
                    if stop - start == _TILE:  # a loop of known length is unrolled
                        possible, sure = _tally(rows, r, start, _TILE, low, high)
                    else:
                        possible, sure = _tally(rows, r, start, stop - start, low, high)
                    if possible == 0:
                        break
                    job.counts[k] += sure
                    room = listing and job.listed[query - job.begin] < job.most_rivals
                    if k == first and sure > 0 and room:
                        _list_rivals(rows, r, start, stop, high, query, first_place, job)
                    if possible > sure:
                        if waiting + _TILE > _WAITING:
                            waiting = _settle(doubts, waiting, job)
                        found = _collect(rows, r, start, stop, low, high, doubts, waiting)
                        _note(doubts, waiting, found, query, k, first_place)
                        waiting = found
    _settle(doubts, waiting, job)


@compiled
def count_by_look_up(
    block: Array, turned: bool, begin: int, end: int, first_query: int, first_place: int, job: Job
) -> None:
    """Does the same for queries with many positives: looks up the place of each value."""
    rows, length = _rows(block, turned)
    doubts, waiting, listing = _no_doubts(), 0, job.most_rivals > 0
    for i in range(begin, end):
        if turned and (i - begin) % _STRIP == 0:
            _turn(block, i, rows)
        r, query = (i - begin) % _STRIP if turned else i, first_query + i
        first, last, parts = _bounds(query, first_place, length, job)
        low = (job.cosine[first:last] + job.doubt_from).astype(rows.dtype)
        high = (job.cosine[first:last] + job.doubt_to).astype(rows.dtype)
        firsts, scale = _index(high)
        bins = np.zeros(low.size + 1, np.int32)
        for left, right in parts:
            for j in range(left, right):
                k = _first_below(high, firsts, scale, rows[r, j])
                bins[k] += 1
                if k == 0 and listing and job.listed[query - job.begin] < job.most_rivals:
                    _list_rival(query, first_place + j, job)
                while k > 0 and rows[r, j] >= low[k - 1]:
                    k -= 1
                    if waiting == _WAITING:
                        waiting = _settle(doubts, waiting, job)
                    doubts.place[waiting], doubts.value[waiting] = j, rows[r, j]
                    _note(doubts, waiting, waiting + 1, query, first + k, first_place)
                    waiting += 1
        above = 0
        for k in range(low.size):
            above += bins[k]
            job.counts[first + k] += above
    _settle(doubts, waiting, job)


@_inner
def _rows(block: Array, turned: bool) -> tuple[Array, int]:
    """Returns the array that rows of queries are read from, and their length."""
    if not turned:
        return block, block.shape[1]
    return np.empty((_STRIP, block.shape[0] + _STAGGER), block.dtype), block.shape[0]


@_inner
def _turn(block: Array, left: int, rows: Array) -> None:
    """Writes the columns of the block from `left` on as rows, square by square."""
    height, width = block.shape[0], min(_STRIP, block.shape[1] - left)
    even = height // _SQUARE * _SQUARE if width == _STRIP else 0
    first, side = np.uintp(left), np.uintp(_SQUARE)
    for top in range(np.uintp(0), np.uintp(even), side):
        for across in range(np.uintp(0), np.uintp(_STRIP), side):
            for c in range(across, across + side):
                for r in range(top, top + side):
                    rows[c, r] = block[r, first + c]
    for r in range(np.uintp(even), np.uintp(height)):
        for c in range(np.uintp(width)):
            rows[c, r] = block[r, first + c]


@_inner
def _bounds(
    query: int, first_place: int, length: int, job: Job
) -> tuple[int, int, tuple[tuple[int, int], tuple[int, int]]]:
    """Returns a query's first positive, the end of its positives, and its row without its class."""
    first, last = job.offsets[query - job.begin], job.offsets[query - job.begin + 1]
    own_class = min(max(job.start[query] - first_place, 0), length)
    next_class = min(max(job.stop[query] - first_place, 0), length)
    return first, last, ((0, own_class), (next_class, length))


@_inner
def _tally(
    rows: Array, r: int, start: int, number: int, low: float, high: float
) -> tuple[Scalar, Scalar]:
    """Counts the values from `start` on that are at least `low`, and those above `high`."""
    first, possible, sure = np.uintp(start), np.int32(0), np.int32(0)
    for j in range(np.uintp(number)):
        value = rows[r, first + j]
        possible = np.int32(possible + np.int32(value >= low))
        sure = np.int32(sure + np.int32(value > high))
    return possible, sure


@_inner
def _index(falling: Array) -> tuple[Array, Scalar]:
    """Divides the range of `falling` into equal cells: the first in each, and cells per unit."""
    cells = np.uintp(falling.size + _CELLS)
    span = falling[0] - falling[falling.size - 1]
    scale = falling.dtype.type(cells) / span if span > 0 else falling.dtype.type(0)
    firsts = np.empty(cells + np.uintp(1), np.uint32)
    filled = np.uintp(0)
    for k in range(np.uintp(falling.size)):
        cell = _cell(falling[k], falling[0], scale, cells)
        while filled <= cell:
            firsts[filled] = k
            filled += np.uintp(1)
    while filled <= cells:
        firsts[filled] = falling.size
        filled += np.uintp(1)
    return firsts, scale


@_inner
def _cell(value: Scalar, top: Scalar, scale: Scalar, cells: Scalar) -> Scalar:
    """Returns a cell that never falls as the value falls, so only one cell must be searched."""
    return np.uintp(min(max((top - value) * scale, 0.0), np.float64(cells - np.uintp(1))))


@_inner
def _first_below(falling: Array, firsts: Array, scale: Scalar, value: Scalar) -> Scalar:
    """Finds the first entry of `falling` below `value`."""
    cell = _cell(value, falling[0], scale, np.uintp(firsts.size - 1))
    first: Scalar = firsts[cell]
    end: Scalar = firsts[cell + np.uintp(1)]
    while first < end:
        middle = np.uint32((first + end) >> np.uint32(1))
        if value > falling[middle]:
            end = middle
        else:
            first = np.uint32(middle + np.uint32(1))
    return np.int64(first)


@_inner
def _no_doubts() -> _Doubts:
    return _Doubts(
        np.empty(_WAITING, np.int64),
        np.empty(_WAITING, np.int64),
        np.empty(_WAITING, np.int64),
        np.empty(_WAITING, np.float64),
    )


@_inner
def _collect(
    rows: Array, r: int, start: int, stop: int, low: float, high: float, doubts: _Doubts, i: int
) -> Scalar:
    """Stores the values from `low` to `high` as doubts from `i` on, without a branch to miss."""
    waiting = np.uintp(i)
    for j in range(np.uintp(start), np.uintp(stop)):
        doubts.place[waiting], doubts.value[waiting] = j, rows[r, j]
        waiting += np.uintp((rows[r, j] >= low) & (rows[r, j] <= high))
    return np.int64(waiting)


@_inner
def _note(doubts: _Doubts, begin: int, end: int, query: int, k: int, first_place: int) -> None:
    """Completes the doubts from `begin` to `end`."""
    for i in range(begin, end):
        doubts.query[i], doubts.k[i] = query, k
        doubts.place[i] += first_place


@_inner
def _list_rivals(
    rows: Array,
    r: int,
    start: int,
    stop: int,
    high: float,
    query: int,
    first_place: int,
    job: Job,
) -> None:
    """Lists the images whose values are above `high`, while there is room."""
    i, number = job.listed_now[0], job.listed[query - job.begin]
    end = min(job.rivals.shape[1], i + job.most_rivals - number)
    begin = i
    for j in range(start, stop):
        if rows[r, j] > high and i < end:
            job.rivals[0, i], job.rivals[1, i] = query, first_place + j
            i += 1
    job.listed_now[0] = i
    job.listed[query - job.begin] += i - begin


@_inner
def _list_rival(query: int, place: int, job: Job) -> None:
    """Lists one image, unless threads that list the same query have filled the array."""
    i = job.listed_now[0]
    if i < job.rivals.shape[1]:
        job.rivals[0, i], job.rivals[1, i] = query, place
        job.listed_now[0] = i + 1
        job.listed[query - job.begin] += 1


@_inner
def _settle(doubts: _Doubts, waiting: int, job: Job) -> int:
    """Settles the doubts by float64 cosines and the tie policy; returns 0, the number left."""
    for i in range(waiting):
        k, row = doubts.k[i], job.gallery_row[doubts.place[i]]
        value = doubts.value[i]
        if not job.exact:
            value = _cosine(job.query_row[doubts.query[i]], row, job)
        difference = value - job.cosine[k]
        if abs(difference) > job.tie:
            before = difference > 0
        elif job.policy == 0:
            before = row < job.row[k]
        else:
            before = job.policy > 0
        job.counts[k] += before
        query = doubts.query[i] - job.begin
        room = job.most_rivals > 0 and job.listed[query] < job.most_rivals
        if before and k == job.offsets[query] and room:
            _list_rival(query + job.begin, doubts.place[i], job)
    return 0


@_inner
def _cosine(query: int, image: int, job: Job) -> Scalar:
    product = _dot(job.queries, query, job.gallery, image)
    return product * job.query_scale[query] * job.gallery_scale[image]


@_inner_sum
def _dot(a: Array, i: int, b: Array, j: int) -> Scalar:
    total = 0.0
    for d in range(np.uintp(a.shape[1])):
        total += np.float64(a[i, d]) * np.float64(b[j, d])
    return total

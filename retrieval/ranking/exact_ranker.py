"""Exact ranks of all positives, counted one strip of similarities after the other."""

from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from queue import SimpleQueue
from typing import Generic, TypeVar

import torch
from torch import Tensor

from lowlabel.embeddings import Embeddings
from lowlabel.precision import full_precision
from lowlabel.progress import Progress
from lowlabel.retrieval.ranking.comparison import Comparison, evenly_spaced, product_dtype
from lowlabel.retrieval.ranking.counters import Counter, counter_for
from lowlabel.retrieval.ranking.positives import Layout, Positives, find_positives
from lowlabel.retrieval.ranking.products import Rooms, UnitRows, multiply, unit_rows
from lowlabel.retrieval.ranking.ranker import Found, summaries
from lowlabel.retrieval.ranking.rivals import Rivals, Unlisted
from lowlabel.workers import run_parallel

S = TypeVar("S")
Span = tuple[int, int]

_SYMMETRIC_POSITIVES = 2**22  # most positives held at once: about 100 MB
_STRIP_POSITIVES = 2**20  # most positives held by each worker beyond that
_LISTED_RIVALS = 2**21  # most rivals listed in the symmetric case: 16 MB
_COLUMNS = 4  # columns of a block for each of its rows
_MANY = 128  # positives from which on their similarities come from matrix products
_PROBES = 64, 256  # queries and gallery images in the sample for `product_dtype`


class ExactRanker(Generic[S]):
    """Ranks by cosine over the whole gallery.

    In leave-one-out the similarities are symmetric, unless post-processing changed one side
    alone: a block to the right of the diagonal then serves its rows and its columns, and half of
    the products suffice. All positives must be held for that, so it is done up to some millions
    of them. Otherwise each strip of queries is compared with the whole gallery and holds only its
    own positives.

    Args:
        comparison: What is compared.
        summarise: Called with rising ranks [queries, R] from 1 on; its result is yielded.
        block_rows: Queries in a strip; memory and cache use grow with its square.
        workers: Threads that process strips side by side.
        counter: Compares blocks; by default the one for the device.
        found: Which positives count as found; all by default.
        rivals: Takes the rivals of all queries; by default they are not listed.
    """

    def __init__(
        self,
        comparison: Comparison,
        summarise: Callable[[Tensor], S],
        block_rows: int,
        workers: int,
        counter: type[Counter] | None = None,
        found: Found | None = None,
        rivals: Rivals | None = None,
    ) -> None:
        layout = comparison.layout
        self._kind = counter or counter_for(layout.queries.device)
        dtype = _product_dtype(comparison, self._kind(comparison))
        self._comparison = replace(comparison, dtype=dtype)
        self._counter = self._kind(self._comparison)
        self._rivals = rivals
        self._summarise, self._rows, self._workers = summarise, block_rows, workers
        self._found, self._rooms = found, Rooms()
        self._gallery = UnitRows(comparison.gallery, layout.gallery, dtype)
        self._queries = (
            self._gallery
            if comparison.queries is comparison.gallery
            else UnitRows(comparison.queries, layout.queries, dtype)
        )

    def run(self, progress: Progress | None = None) -> Iterator[tuple[Tensor, S]]:
        """Yields rows of queries [n] with a summary of their ranks.

        Args:
            progress: Called with the number of queries done and their total. In the symmetric
                case the number is the equivalent of the similarities done.
        """
        layout = self._comparison.layout
        fits = int(layout.positives.sum()) <= _SYMMETRIC_POSITIVES
        with full_precision():
            if layout.leave_one_out and fits and self._queries is self._gallery:
                yield from self._symmetric(progress)
            else:
                yield from self._by_strips(progress)

    def _symmetric(self, progress: Progress | None) -> Iterator[tuple[Tensor, S]]:
        images, layout = len(self._gallery), self._comparison.layout
        positives = self._positives(0, images)
        most = max(1, _LISTED_RIVALS // images)
        listed = self._rivals.list_for(images, most) if self._rivals else None
        free: SimpleQueue[Tensor] = SimpleQueue()
        all_counts = [self._zero_counts(positives) for _ in range(self._workers)]
        for counts in all_counts:
            free.put(counts)

        def count(span: Span) -> int:
            counts, (begin, end) = free.get(), span
            rows, buffer = self._queries[slice(*span)], self._buffer()
            try:
                block = self._product(rows, begin, end, buffer, layout, begin)
                self._counter.count(block, positives, begin, begin, counts, rivals=listed)
                for left, right in self._column_spans(end, self._rows):
                    block = self._product(rows, left, right, buffer, layout, begin)
                    self._counter.count(block, positives, begin, left, counts, rivals=listed)
                    self._counter.count(
                        block, positives, left, begin, counts, transposed=True, rivals=listed
                    )
            finally:
                free.put(counts)
            return (end - begin) * (2 * images - begin - end)

        spans = list(_spans(images, self._rows))
        total, done = sum((end - begin) * (2 * images - begin - end) for begin, end in spans), 0
        with closing(run_parallel(count, spans, self._workers)) as work:
            for similarities in work:
                done += similarities
                if progress:
                    progress(images * done // total, images)
        counts = torch.stack(all_counts).sum(dim=0)
        if self._rivals and listed:
            self._list_again(self._rivals, self._rivals.take(positives, counts, listed))
        yield from self._summaries(positives, counts)

    def _by_strips(self, progress: Progress | None) -> Iterator[tuple[Tensor, S]]:
        layout = self._comparison.layout

        def rank(span: Span) -> tuple[int, list[tuple[Tensor, S]]]:
            positives = self._positives(*span)
            counts, buffer = self._zero_counts(positives), self._buffer()
            rows = self._queries[slice(*span)]
            listed = self._rivals.list_for(span[1] - span[0]) if self._rivals else None
            for left, right in self._column_spans(0, span[1] - span[0]):
                block = self._product(rows, left, right, buffer, layout, span[0])
                self._counter.count(block, positives, span[0], left, counts, rivals=listed)
            if self._rivals and listed:
                self._rivals.take(positives, counts, listed)
            return span[1] - span[0], list(self._summaries(positives, counts))

        spans, done = self._strip_spans(), 0
        with closing(run_parallel(rank, spans, self._workers)) as work:
            for queries, strip in work:
                done += queries
                if progress:
                    progress(done, sum(end - begin for begin, end in spans))
                yield from strip

    def _list_again(self, rivals: Rivals, unlisted: Unlisted) -> None:
        """Lists all rivals of some queries, by another product of these with the gallery."""

        def list_all(span: Span) -> None:
            part = unlisted.part(*span)
            layout = self._comparison.layout.with_best_of(part.places)
            counter = self._kind(replace(self._comparison, layout=layout))
            counts, buffer = self._zero_counts(part.positives), self._buffer()
            listed, rows = rivals.list_for(len(part.places)), self._queries[part.places]
            for left, right in self._column_spans(0, len(rows)):
                block = self._product(rows, left, right, buffer, layout, 0)
                counter.count(block, part.positives, 0, left, counts, rivals=listed)
            query, place = listed.pairs()
            rivals.add(part.places, counts.long(), torch.stack([part.places[query], place]))

        spans = list(_spans(len(unlisted.places), self._rows))
        with closing(run_parallel(list_all, spans, self._workers)) as work:
            for _ in work:
                pass

    def _strip_spans(self) -> list[Span]:
        """Strips of queries that have positives, each within the limit on positives."""
        total = self._comparison.layout.positives.cumsum(0)
        begin = int((total == 0).sum())
        before, spans = 0, []
        while begin < len(total):
            limit = int(torch.searchsorted(total, before + _STRIP_POSITIVES, right=True))
            end = min(begin + self._rows, max(limit, begin + 1))
            spans.append((begin, end))
            before, begin = int(total[end - 1]), end
        return spans

    def _column_spans(self, begin: int, rows: int) -> Iterator[Span]:
        step, images = self._rows * self._rows * _COLUMNS // rows, len(self._gallery)
        for left in range(begin, images, step):
            yield left, min(left + step, images)

    def _positives(self, begin: int, end: int) -> Positives:
        tie = 0.0 if self._found else None  # with rows, and equal ones in any order
        tie = self._comparison.tie if self._comparison.ties == "index" else tie
        return find_positives(self._comparison.layout, begin, end, self._cosines, tie)

    def _cosines(self, first: int, last: int, places: Tensor) -> Tensor:
        """Float64 cosines of queries with their positives: by pairs, or by products if many."""
        comparison, layout, size = self._comparison, self._comparison.layout, places.shape[1]
        queries = layout.queries[first:last]
        if size < _MANY:
            rows = layout.gallery[places].flatten()
            return self._counter.cosines(queries.repeat_interleave(size), rows).view(places.shape)
        cosines = []
        starts, lengths = torch.unique_consecutive(layout.start[first:last], return_counts=True)
        parts = lengths.tolist()
        for start, q, p in zip(
            starts.tolist(), queries.split(parts), places.split(parts), strict=True
        ):
            run = layout.gallery[start : start + size + layout.leave_one_out]
            unit = self._double("gallery", comparison.gallery, run)
            product = self._double("queries", comparison.queries, q) @ unit.T
            cosines.append(product.gather(1, p - start))
        return torch.cat(cosines)

    def _double(self, name: str, embeddings: Embeddings, rows: Tensor) -> Tensor:
        """Unit rows in float64, which are valid until the thread's next ones of that name."""
        shape = len(rows), embeddings.dimensions
        room = self._rooms.take(name, *shape, torch.float64, rows.device)
        return unit_rows(embeddings, rows, torch.float64, room)

    def _buffer(self) -> Tensor:
        return self._gallery.empty(self._rows * self._rows * _COLUMNS)

    def _zero_counts(self, positives: Positives) -> Tensor:
        return positives.rows.new_zeros(len(positives.cosine), dtype=torch.int32)

    def _product(
        self, rows: Tensor, left: int, right: int, buffer: Tensor, layout: Layout, first: int
    ) -> Tensor:
        """Similarities of queries from place `first` of a layout on; ignored images are hidden."""
        block = buffer[: len(rows) * (right - left)].view(len(rows), right - left)
        multiply(rows, self._gallery.block(left, right), block)
        if layout.ignored is not None:
            layout.ignored.hide(block, (first, first + len(rows)), (left, right))
        return block

    def _summaries(self, positives: Positives, counts: Tensor) -> Iterator[tuple[Tensor, S]]:
        layout = self._comparison.layout
        return summaries(layout, positives, counts, self._summarise, self._found)


def _spans(length: int, step: int) -> Iterator[Span]:
    for begin in range(0, length, step):
        yield begin, min(begin + step, length)


def _product_dtype(comparison: Comparison, counter: Counter) -> torch.dtype:
    """Calls `product_dtype` with a sample of queries and of the gallery."""
    layout = comparison.layout
    scored = (layout.scored > 0).nonzero().flatten()
    queries = scored[evenly_spaced(len(scored), _PROBES[0], scored.device)]
    places = evenly_spaced(len(layout.gallery), _PROBES[1], scored.device)
    start, stop = layout.start[queries, None], layout.stop[queries, None]
    first = start + layout.leave_one_out * (start == queries[:, None])
    rows, images = layout.queries[queries], layout.gallery[places]
    positive = counter.cosines(rows, layout.gallery[first.flatten()])
    cosines = counter.cosines(rows.repeat_interleave(len(images)), images.repeat(len(rows)))
    gaps = (cosines.view(len(rows), len(images)) - positive[:, None]).abs()
    negative = (places < start) | (places >= stop)
    positives = float(layout.positives[scored].double().mean())
    return product_dtype(gaps, negative, positives, comparison.queries.dimensions)

"""Ranks in a database with distractors: each is a count, taken while the database passes by.

A query's labelled images are its positives and those that are ignored; every other image of the
gallery, and every distractor, is a negative. What is counted are the negatives before each
positive. The distractors are read in blocks and never all in memory.
"""

from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from lowlabel.retrieval.ranking.counting import (
    Comparison,
    Ties,
    counter_for,
    product_dtype,
    spread,
)
from lowlabel.retrieval.ranking.embeddings import Embeddings
from lowlabel.retrieval.ranking.exact_ranker import Progress
from lowlabel.retrieval.ranking.positives import Layout, Positives, falling_by_index
from lowlabel.retrieval.ranking.sources import RowSource, read_rows, spans
from lowlabel.retrieval.ranking.workers import full_precision, run_tasks

Transform = Callable[[Tensor], Tensor]

_PROBES = 64, 256  # queries and gallery images that tell how precise products must be
_LABELLED, _ABSENT = -2.0, -4.0  # similarities below every cosine


@dataclass(frozen=True)
class Labelled:
    """Which gallery images are labelled for each of Q queries.

    Attributes:
        positives: Rows in the gallery, int64 [n] a query: at least one, and no fewer than the
            query before has.
        ignored: Likewise, any number.
    """

    positives: Sequence[Tensor]
    ignored: Sequence[Tensor]


@dataclass(frozen=True)
class RankedPositives:
    """The positives of all queries, each query's best first.

    Attributes:
        query: Place of the query of each, rising, int64 [P].
        row: Its row in the gallery, int64 [P].
        before: How many negatives stand before it, int64 [P].
    """

    query: Tensor
    row: Tensor
    before: Tensor


class Database:
    """A gallery and distractors that queries are compared with.

    Args:
        queries: Embeddings of Q queries.
        gallery: Those of the images that may be labelled.
        labelled: Which are.
        distractors: Further images, all of them negatives.
        ties: What a negative as similar as a positive counts for.
        transform: Applied to each block of distractors, as it was to queries and gallery.
    """

    def __init__(
        self,
        queries: Embeddings,
        gallery: Embeddings,
        labelled: Labelled,
        distractors: Sequence[RowSource] = (),
        ties: Ties = "pessimistic",
        transform: Transform | None = None,
    ) -> None:
        device = queries.raw.device
        self._queries, self._gallery, self._ties = queries, gallery, ties
        self._distractors, self._transform = distractors, transform
        self._counter = counter_for(device)
        self._number = torch.tensor([len(rows) for rows in labelled.positives], device=device)
        self._labels = _labels(labelled).to(device)
        self._positives = self._find_positives(
            torch.cat([rows.sort().values for rows in labelled.positives]).to(device)
        )
        self._unit = queries.unit(_all(queries), self._product_dtype())

    def rank(
        self, block_rows: int, workers: int = 1, progress: Progress | None = None
    ) -> RankedPositives:
        """Counts, with `block_rows` images at a time in each of so many `workers`."""
        tasks = spans([self._gallery.raw, *self._distractors], block_rows)
        counts = torch.zeros_like(self._positives.rows)
        done, total = 0, sum(stop - start for _, start, stop in tasks)
        with full_precision(), closing(run_tasks(self._count, tasks, workers)) as work:
            for rows, found in work:
                counts += found
                done += rows
                if progress:
                    progress(done, total)
        query = _all(self._queries).repeat_interleave(self._number)
        return RankedPositives(query, self._positives.rows, counts)

    def _count(self, span: tuple[int, int, int]) -> tuple[int, Tensor]:
        """The rows of a block, and how many negatives in it stand before each positive."""
        source, start, stop = span
        counts = torch.zeros_like(self._positives.rows, dtype=torch.int32)
        block = self._gallery.part(start, stop) if source == 0 else self._read(*span)
        if block is None:
            return stop - start, counts
        similarities = block.products(self._unit)
        rows = self._positives.rows - start
        if source == 0:
            first, last = torch.searchsorted(self._labels[1], rows.new_tensor([start, stop]))
            query, row = self._labels[:, first:last]
            similarities[query, row - start] = _LABELLED
        else:
            rows = torch.full_like(rows, -1)  # distractors stand after the gallery
        comparison = replace(self._comparison(block), dtype=similarities.dtype)
        positives = replace(self._positives, rows=rows)
        self._counter(comparison).count(similarities, positives, 0, 0, counts)
        return stop - start, counts

    def _read(self, source: int, start: int, stop: int) -> Embeddings | None:
        name = f"distractors[{source - 1}] from row {start} on"
        rows = read_rows(self._distractors[source - 1], start, stop, name)
        if rows is None:
            return None
        rows = rows.to(self._queries.raw.device)
        return Embeddings.of(self._transform(rows) if self._transform else rows, name)

    def _comparison(self, block: Embeddings) -> Comparison:
        """All queries with a block, of which nothing is left out by its class."""
        none = torch.zeros_like(self._number)
        layout = Layout(_all(self._queries), _all(block), none, none, self._number, False)
        return Comparison(self._queries, block, layout, self._ties)

    def _find_positives(self, rows: Tensor) -> Positives:
        """Sorts every query's positives, given as rising gallery rows [P], by similarity."""
        number, comparison = self._number, self._comparison(self._gallery)
        held = torch.arange(int(number[-1]), device=rows.device) < number[:, None]
        query = _all(self._queries).repeat_interleave(number)
        cosine = torch.full(held.shape, _ABSENT, dtype=torch.float64, device=rows.device)
        cosine[held] = self._counter(comparison).cosines(query, rows)
        padded = torch.zeros(held.shape, dtype=torch.int64, device=rows.device)
        padded[held] = rows
        tie = comparison.tie if self._ties == "index" else 0.0
        cosine, order = falling_by_index(cosine, tie)
        offsets = torch.cat([number.new_zeros(1), number.cumsum(0)])
        return Positives(0, len(number), offsets, cosine[held], padded.gather(1, order)[held])

    def _product_dtype(self) -> torch.dtype:
        """As `product_dtype`, from a sample of queries with their best positives."""
        images = len(self._gallery)
        queries = spread(len(self._queries), _PROBES[0], self._number.device)
        sample = spread(images, _PROBES[1], self._number.device)
        counter = self._counter(self._comparison(self._gallery))
        cosines = counter.cosines(
            queries.repeat_interleave(len(sample)), sample.repeat(len(queries))
        ).view(len(queries), len(sample))
        best = self._positives.cosine[self._positives.offsets[queries], None]
        pairs = queries[:, None] * images + sample
        negative = ~torch.isin(pairs, self._labels[0] * images + self._labels[1])
        positives = float(self._number.double().mean())
        return product_dtype((cosines - best).abs(), negative, positives, self._queries.dimensions)


def _labels(labelled: Labelled) -> Tensor:
    """Query and gallery row [2, n] of every label, by row."""
    pairs = zip(labelled.positives, labelled.ignored, strict=True)
    rows = [torch.cat(pair) for pair in pairs]
    query = torch.arange(len(rows)).repeat_interleave(torch.tensor([len(r) for r in rows]))
    flat, order = torch.cat(rows).sort()
    return torch.stack([query[order], flat])


def _all(embeddings: Embeddings) -> Tensor:
    return torch.arange(len(embeddings), device=embeddings.raw.device)

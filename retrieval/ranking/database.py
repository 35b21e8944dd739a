"""Ranks in a database with distractors, counted while the database is read in blocks.

The labelled images of a query are its positives and the ignored images. Every other image of the
gallery, and every distractor, is a negative; the negatives before each positive are counted. The
distractors are never all in memory.
"""

from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from lowlabel.embeddings import Embeddings
from lowlabel.precision import full_precision
from lowlabel.progress import Progress
from lowlabel.retrieval.ranking.blocks import SourceBlock, source_blocks
from lowlabel.retrieval.ranking.comparison import (
    Comparison,
    Ties,
    evenly_spaced,
    product_dtype,
)
from lowlabel.retrieval.ranking.counters import counter_for
from lowlabel.retrieval.ranking.positives import Layout, Positives, sort_falling_by_index
from lowlabel.retrieval.ranking.products import (
    Transform,
    all_rows,
    all_unit_rows,
    embed_transformed,
    products_with,
)
from lowlabel.retrieval.ranking.sources import RowSource, read_rows
from lowlabel.workers import run_parallel

_PROBES = 64, 256  # queries and gallery images in the sample for `product_dtype`
_LABELLED, _ABSENT = -2.0, -4.0  # similarities below every cosine


@dataclass(frozen=True)
class Judgements:
    """The gallery images that are labelled for each of Q queries.

    Attributes:
        positives: Rows in the gallery, int64 [n] per query: at least one, and no fewer than the
            previous query has.
        ignored: Rows in the gallery, int64 [n] per query, any number.
    """

    positives: Sequence[Tensor]
    ignored: Sequence[Tensor]


@dataclass(frozen=True)
class RankedPositives:
    """The positives of all queries, the best of each query first.

    Attributes:
        query: Index of the query of each positive, rising, int64 [P].
        row: Row of each positive in the gallery, int64 [P].
        before: Number of negatives ranked before each positive, int64 [P].
    """

    query: Tensor
    row: Tensor
    before: Tensor


class Database:
    """A gallery and distractors that queries are compared with.

    Args:
        queries: Embeddings of Q queries.
        gallery: Embeddings of the images that may be labelled.
        judgements: The labelled images of each query.
        distractors: Further images, all of them negatives.
        ties: How a negative as similar as a positive is ranked.
        transform: Applied to each block of distractors, as it was to queries and gallery.
    """

    def __init__(
        self,
        queries: Embeddings,
        gallery: Embeddings,
        judgements: Judgements,
        distractors: Sequence[RowSource] = (),
        ties: Ties = "pessimistic",
        transform: Transform | None = None,
    ) -> None:
        device = queries.raw.device
        self._queries, self._gallery, self._ties = queries, gallery, ties
        self._distractors, self._transform = distractors, transform
        self._counter = counter_for(device)
        self._number = torch.tensor([len(rows) for rows in judgements.positives], device=device)
        self._labels = _labels(judgements).to(device)
        self._positives = self._find_positives(
            torch.cat([rows.sort().values for rows in judgements.positives]).to(device)
        )
        self._unit = all_unit_rows(queries, self._product_dtype())

    def rank(
        self, block_rows: int, workers: int = 1, progress: Progress | None = None
    ) -> RankedPositives:
        """Counts the negatives before each positive.

        Args:
            block_rows: Images that each worker compares at once.
            workers: Threads that process blocks side by side.
            progress: Called with the number of images done and their total.
        """
        blocks = source_blocks([self._gallery.raw, *self._distractors], block_rows)
        counts = torch.zeros_like(self._positives.rows)
        done, total = 0, sum(block.stop - block.start for block in blocks)
        with full_precision(), closing(run_parallel(self._count, blocks, workers)) as work:
            for rows, found in work:
                counts += found
                done += rows
                if progress:
                    progress(done, total)
        query = all_rows(self._queries).repeat_interleave(self._number)
        return RankedPositives(query, self._positives.rows, counts)

    def _count(self, span: SourceBlock) -> tuple[int, Tensor]:
        """Number of rows in a block, and of negatives in it before each positive."""
        source, start, stop = span
        counts = torch.zeros_like(self._positives.rows, dtype=torch.int32)
        block = self._gallery.part(start, stop) if source == 0 else self._read(*span)
        if block is None:
            return stop - start, counts
        similarities = products_with(block, self._unit)
        rows = self._positives.rows - start
        if source == 0:
            first, last = torch.searchsorted(self._labels[1], rows.new_tensor([start, stop]))
            query, row = self._labels[:, first:last]
            similarities[query, row - start] = _LABELLED
        else:
            rows = torch.full_like(rows, -1)  # distractors come after the gallery
        comparison = replace(self._comparison(block), dtype=similarities.dtype)
        positives = replace(self._positives, rows=rows)
        self._counter(comparison).count(similarities, positives, 0, 0, counts)
        return stop - start, counts

    def _read(self, source: int, start: int, stop: int) -> Embeddings | None:
        name = f"distractors[{source - 1}] from row {start} on"
        rows = read_rows(self._distractors[source - 1], start, stop, name)
        if rows is None:
            return None
        return embed_transformed(rows.to(self._queries.raw.device), self._transform, name)

    def _comparison(self, block: Embeddings) -> Comparison:
        """Compares all queries with a block, in which no class is left out."""
        none = torch.zeros_like(self._number)
        layout = Layout(all_rows(self._queries), all_rows(block), none, none, self._number, False)
        return Comparison(self._queries, block, layout, self._ties)

    def _find_positives(self, rows: Tensor) -> Positives:
        """Sorts every query's positives, given as rising gallery rows [P], by similarity."""
        number, comparison = self._number, self._comparison(self._gallery)
        held = torch.arange(int(number[-1]), device=rows.device) < number[:, None]
        query = all_rows(self._queries).repeat_interleave(number)
        cosine = torch.full(held.shape, _ABSENT, dtype=torch.float64, device=rows.device)
        cosine[held] = self._counter(comparison).cosines(query, rows)
        padded = torch.zeros(held.shape, dtype=torch.int64, device=rows.device)
        padded[held] = rows
        tie = comparison.tie if self._ties == "index" else 0.0
        cosine, order = sort_falling_by_index(cosine, tie)
        offsets = torch.cat([number.new_zeros(1), number.cumsum(0)])
        return Positives(0, len(number), offsets, cosine[held], padded.gather(1, order)[held])

    def _product_dtype(self) -> torch.dtype:
        """Calls `product_dtype` with a sample of queries and their best positives."""
        images = len(self._gallery)
        queries = evenly_spaced(len(self._queries), _PROBES[0], self._number.device)
        sample = evenly_spaced(images, _PROBES[1], self._number.device)
        counter = self._counter(self._comparison(self._gallery))
        cosines = counter.cosines(
            queries.repeat_interleave(len(sample)), sample.repeat(len(queries))
        ).view(len(queries), len(sample))
        best = self._positives.cosine[self._positives.offsets[queries], None]
        pairs = queries[:, None] * images + sample
        negative = ~torch.isin(pairs, self._labels[0] * images + self._labels[1])
        positives = float(self._number.double().mean())
        return product_dtype((cosines - best).abs(), negative, positives, self._queries.dimensions)


def _labels(judgements: Judgements) -> Tensor:
    """Query and gallery row [2, n] of every label, sorted by row."""
    pairs = zip(judgements.positives, judgements.ignored, strict=True)
    rows = [torch.cat(pair) for pair in pairs]
    query = torch.arange(len(rows)).repeat_interleave(torch.tensor([len(r) for r in rows]))
    flat, order = torch.cat(rows).sort()
    return torch.stack([query[order], flat])

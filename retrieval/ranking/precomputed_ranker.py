"""Ranks by precomputed similarities, such as those of re-ranking."""

from collections.abc import Callable, Iterator
from typing import Generic, Protocol, TypeVar

import torch
from torch import Tensor

from lowlabel.precision import full_precision
from lowlabel.progress import Progress
from lowlabel.retrieval.ranking.blocks import BLOCK_VALUES, row_blocks
from lowlabel.retrieval.ranking.comparison import Comparison
from lowlabel.retrieval.ranking.counters import counter_for
from lowlabel.retrieval.ranking.positives import find_positives
from lowlabel.retrieval.ranking.ranker import Found, summaries
from lowlabel.retrieval.ranking.rivals import Rivals

S = TypeVar("S")


class Similarity(Protocol):
    """Similarities that are not inner products of embeddings."""

    def rows(self, queries: Tensor) -> Tensor:
        """Computes the similarities [n, G] of some queries, int64 [n], to the whole gallery.

        Only their order matters. The similarity of a query to its own image is ignored.
        """
        ...


class PrecomputedRanker(Generic[S]):
    """Ranks by similarities that need no second look in float64.

    Args:
        comparison: What is compared, with `precomputed` set.
        similarity: The similarities.
        summarise: Called with rising ranks [queries, R] from 1 on; its result is yielded.
        block_rows: Most queries at once; fewer for a gallery of more than 65,536 images.
        rivals: Takes the rivals of all queries; by default they are not listed.
        found: Which positives count as found; all by default.
    """

    def __init__(
        self,
        comparison: Comparison,
        similarity: Similarity,
        summarise: Callable[[Tensor], S],
        block_rows: int,
        rivals: Rivals | None = None,
        found: Found | None = None,
    ) -> None:
        self._rivals, self._found = rivals, found
        self._comparison, self._similarity = comparison, similarity
        self._summarise, self._rows = summarise, block_rows
        self._counter = counter_for(comparison.layout.queries.device)(comparison)

    def run(self, progress: Progress | None = None) -> Iterator[tuple[Tensor, S]]:
        """Yields rows of queries [n] with a summary of their ranks; see `Ranker.run`."""
        layout = self._comparison.layout
        without_positives = int((layout.positives == 0).sum())  # they come first
        scored = len(layout.queries) - without_positives
        values_each = max(len(layout.gallery), BLOCK_VALUES // self._rows)
        for first, last in row_blocks(scored, values_each):
            with full_precision():
                yield from self._strip(without_positives + first, without_positives + last)
            if progress:
                progress(last, scored)

    def _strip(self, begin: int, end: int) -> Iterator[tuple[Tensor, S]]:
        layout = self._comparison.layout
        block = self._similarity.rows(layout.queries[begin:end])[:, layout.gallery].contiguous()

        def similarities(first: int, last: int, places: Tensor) -> Tensor:
            return block[first - begin : last - begin].gather(1, places).double()

        tie = 0.0 if self._found or self._comparison.ties == "index" else None
        least = float(block.min()) if layout.ignored else 0.0
        hidden = least - 1 - abs(least)
        positives = find_positives(layout, begin, end, similarities, tie, hidden)
        if layout.ignored:
            columns = (0, len(layout.gallery))
            layout.ignored.hide(block, (begin, end), columns, hidden - 1 - abs(least))
        counts = torch.zeros(len(positives.cosine), dtype=torch.int32, device=block.device)
        listed = self._rivals.list_for(end - begin) if self._rivals else None
        self._counter.count(block, positives, begin, 0, counts, rivals=listed)
        if self._rivals and listed:
            self._rivals.take(positives, counts, listed)
        yield from summaries(layout, positives, counts, self._summarise, self._found)

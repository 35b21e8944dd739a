"""Ranks of positives in similarities that come as blocks of rows, as re-ranking gives them."""

from collections.abc import Callable, Iterator
from typing import Generic, TypeVar

import torch
from torch import Tensor

from lowlabel.retrieval.post import Similarity
from lowlabel.retrieval.ranking.counting import Comparison, counter_for
from lowlabel.retrieval.ranking.exact_ranker import Progress, summaries
from lowlabel.retrieval.ranking.nearest import spans
from lowlabel.retrieval.ranking.positives import find_positives
from lowlabel.retrieval.ranking.workers import full_precision

S = TypeVar("S")


class GivenRanking(Generic[S]):
    """As `Ranking`, of similarities that decide as they are.

    Args:
        comparison: What is compared, with `given`.
        similarity: The similarities.
        summarise: Makes what is kept of ranks [queries, R], which rise from 1 on.
        block_rows: Most queries at once; fewer for a gallery beyond 65,536 images.
    """

    def __init__(
        self,
        comparison: Comparison,
        similarity: Similarity,
        summarise: Callable[[Tensor], S],
        block_rows: int,
    ) -> None:
        self._compared, self._similarity = comparison, similarity
        self._summarise, self._rows = summarise, block_rows
        self._counter = counter_for(comparison.layout.queries.device)(comparison)

    def run(self, progress: Progress | None = None) -> Iterator[tuple[Tensor, S]]:
        """Yields rows of queries with what `summarise` made of their ranks."""
        layout = self._compared.layout
        scored = int((layout.positives == 0).sum()), len(layout.queries)
        wide = max(len(layout.gallery), 2**25 // self._rows)
        for first, last in spans(scored[1] - scored[0], wide):
            with full_precision():
                yield from self._strip(scored[0] + first, scored[0] + last)
            if progress:
                progress(last, scored[1] - scored[0])

    def _strip(self, begin: int, end: int) -> Iterator[tuple[Tensor, S]]:
        layout = self._compared.layout
        block = self._similarity.rows(layout.queries[begin:end])[:, layout.gallery].contiguous()

        def similarities(first: int, last: int, places: Tensor) -> Tensor:
            return block[first - begin : last - begin].gather(1, places).double()

        tie = 0.0 if self._compared.ties == "index" else None
        positives = find_positives(layout, begin, end, similarities, tie)
        counts = torch.zeros(len(positives.cosine), dtype=torch.int32, device=block.device)
        self._counter.count(block, positives, begin, 0, counts)
        yield from summaries(layout, positives, counts, self._summarise)

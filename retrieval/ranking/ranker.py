"""What every ranker does, and how ranks follow from counts."""

from collections.abc import Callable, Iterator
from typing import Protocol, TypeVar

import torch
from torch import Tensor

from lowlabel.progress import Progress
from lowlabel.retrieval.ranking.positives import Layout, Positives

NOT_FOUND = 2**40  # a rank beyond every gallery

S = TypeVar("S")
S_co = TypeVar("S_co", covariant=True)


class Found(Protocol):
    """Tells which positives an approximate search finds."""

    def __call__(self, queries: Tensor, rows: Tensor, cosine: Tensor) -> Tensor:
        """Marks positives [n, R] of the queries [n] with these rows in the gallery [n, R].

        Args:
            queries: Rows of the queries, int64 [n].
            rows: Rows of their positives in the gallery, the most similar first, int64 [n, R].
            cosine: Their similarities, falling [n, R].
        """
        ...


class Ranker(Protocol[S_co]):
    """Finds the ranks of the positives of every query that has any."""

    def run(self, progress: Progress | None = None) -> Iterator[tuple[Tensor, S_co]]:
        """Yields rows of queries [n] with a summary of their ranks.

        Args:
            progress: Called with the number of queries done and their total.
        """
        ...


def summaries(
    layout: Layout,
    positives: Positives,
    counts: Tensor,
    summarise: Callable[[Tensor], S],
    found: Found | None = None,
) -> Iterator[tuple[Tensor, S]]:
    """Yields rows of queries with the summary of the ranks that follow from the counts.

    Args:
        layout: The order of queries and gallery.
        positives: Positives of a run of queries.
        counts: Negatives before each positive [P].
        summarise: Called with the rising ranks [queries, R] of queries with R positives each.
        found: Which positives count; the others are ranked `NOT_FOUND`. The positives have rows.
    """
    begin = positives.begin
    for size, first, last in layout.groups(begin, positives.end):
        if size:
            start, stop = positives.offsets[[first - begin, last - begin]].tolist()
            place = torch.arange(1, size + 1, device=counts.device)
            before = counts[start:stop].view(last - first, size)
            queries, ranks = layout.queries[first:last], before + place
            if found:
                rows, cosine = positives.rows[start:stop], positives.cosine[start:stop]
                kept = found(queries, rows.view_as(before), cosine.view_as(before))
                ranks = torch.where(kept, ranks, NOT_FOUND).sort(dim=1).values
            if layout.ignored is None:
                yield queries, summarise(ranks)
                continue
            number = layout.scored[first:last]  # ignored positives come last
            for scored in number.unique().tolist():
                if scored:
                    chosen = number == scored
                    yield queries[chosen], summarise(ranks[chosen, :scored])

"""What every ranker does, and how ranks follow from counts."""

from collections.abc import Callable, Iterator
from typing import Protocol, TypeVar

import torch
from torch import Tensor

from lowlabel.progress import Progress
from lowlabel.retrieval.ranking.positives import Layout, Positives

S = TypeVar("S")
S_co = TypeVar("S_co", covariant=True)


class Ranker(Protocol[S_co]):
    """Finds the ranks of the positives of every query that has any."""

    def run(self, progress: Progress | None = None) -> Iterator[tuple[Tensor, S_co]]:
        """Yields rows of queries [n] with a summary of their ranks.

        Args:
            progress: Called with the number of queries done and their total.
        """
        ...


def summaries(
    layout: Layout, positives: Positives, counts: Tensor, summarise: Callable[[Tensor], S]
) -> Iterator[tuple[Tensor, S]]:
    """Yields rows of queries with the summary of the ranks that follow from the counts.

    Args:
        layout: The order of queries and gallery.
        positives: Positives of a run of queries.
        counts: Negatives before each positive [P].
        summarise: Called with the rising ranks [queries, R] of queries with R positives each.
    """
    begin = positives.begin
    for size, first, last in layout.groups(begin, positives.end):
        if size:
            start, stop = positives.offsets[[first - begin, last - begin]].tolist()
            before = counts[start:stop].view(last - first, size)
            place = torch.arange(1, size + 1, device=counts.device)
            yield layout.queries[first:last], summarise(before + place)

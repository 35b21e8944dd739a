"""Exact ranks of the positives that an index finds."""

from collections.abc import Callable, Iterator
from threading import Lock
from typing import Generic, TypeVar

import torch
from torch import Tensor
from torch.nn.functional import pad

from lowlabel.progress import Progress
from lowlabel.retrieval.ranking.blocks import row_blocks
from lowlabel.retrieval.ranking.comparison import Comparison, evenly_spaced
from lowlabel.retrieval.ranking.exact_ranker import ExactRanker
from lowlabel.retrieval.ranking.nearest import nearest
from lowlabel.retrieval.ranking.products import product_margin
from lowlabel.retrieval.search import Index

S = TypeVar("S")

_LISTS_AT_ONCE = 4  # arrays of the length of a list held for each query
_RECALL_QUERIES = 1000


class ApproximateRanker(Generic[S]):
    """Ranks the positives that are among the nearest images that an index returns.

    The rank of a positive is that of the exact search: an index misses negatives too, and ranks
    within its lists would be better than those of the whole gallery. A positive that is not in the
    list of its query is `NOT_FOUND`. So no score exceeds that of the exact search, and what is
    missing is due to positives that the index does not find.

    Args:
        index: The index to search.
        comparison: What is compared.
        queries: Unit rows [Q, D].
        gallery: Unit rows [G, D].
        depth: Length of the lists.
        summarise: Called with rising ranks [queries, R] from 1 on; its result is yielded.
        block_rows: Queries in a strip; see `ExactRanker`.
        workers: Threads that count side by side.
    """

    def __init__(
        self,
        index: Index,
        comparison: Comparison,
        queries: Tensor,
        gallery: Tensor,
        depth: int,
        summarise: Callable[[Tensor], S],
        block_rows: int,
        workers: int,
    ) -> None:
        self._queries, self._gallery, self._depth = queries, gallery, depth
        self._leave_one_out = comparison.layout.leave_one_out
        self._margin = product_margin(queries.shape[1], torch.float32)
        self._searcher = index.search(gallery, depth, leave_one_out=self._leave_one_out)
        self._searching = Lock()  # an index uses all cores, and is not safe on every device
        self._exact = ExactRanker(comparison, summarise, block_rows, workers, found=self._found)

    def run(self, progress: Progress | None = None) -> Iterator[tuple[Tensor, S]]:
        """Yields rows of queries [n] with a summary of their ranks; see `Ranker.run`."""
        yield from self._exact.run(progress)

    def recall(self, k: int) -> float:
        """Percentage of the k nearest images that the index finds.

        Measured on up to a thousand evenly spaced queries. Images as similar as the k-th nearest,
        up to rounding, count as being among the k nearest.
        """
        sample = evenly_spaced(len(self._queries), _RECALL_QUERIES, self._queries.device)
        self_rows = sample if self._leave_one_out else None
        exact = nearest(self._queries[sample], self._gallery, k, self_rows=self_rows)
        found = self._searcher.nearest(self._queries[sample], sample).similarity[:, :k]
        return 100 * float((found >= exact.similarity[:, -1:] - self._margin).double().mean())

    def _found(self, queries: Tensor, rows: Tensor, cosine: Tensor) -> Tensor:
        """Marks the positives in the lists of their queries; see `Found`."""
        marks = torch.empty_like(rows, dtype=torch.bool)
        for start, stop in row_blocks(len(rows), _LISTS_AT_ONCE * self._depth):
            part = slice(start, stop)
            with self._searching:
                listed = self._searcher.nearest(self._queries[queries[part]], queries[part]).rows
            listed = listed.sort(dim=1).values
            place = torch.searchsorted(listed, rows[part]).clamp(max=self._depth - 1)
            marks[part] = listed.gather(1, place) == rows[part]
        return self._best_first(marks, cosine)

    def _best_first(self, marks: Tensor, cosine: Tensor) -> Tensor:
        """Moves the marks to the first of positives that are equally similar, up to rounding.

        Which of them are in a list that ends among them is chance.
        """
        step = (cosine[:, :-1] - cosine[:, 1:] > self._margin).cumsum(dim=1)
        order = (2 * pad(step, (1, 0)) + (~marks).long()).argsort(dim=1, stable=True)
        return marks.gather(1, order)

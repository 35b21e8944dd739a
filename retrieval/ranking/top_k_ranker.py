"""Ranks within the lists of nearest images that an index returns."""

from collections.abc import Callable, Iterator
from typing import Generic, TypeVar

import torch
from torch import Tensor
from torch.nn.functional import pad

from lowlabel.errors import InputError
from lowlabel.progress import Progress
from lowlabel.retrieval.ranking.blocks import row_blocks
from lowlabel.retrieval.ranking.comparison import Comparison, evenly_spaced
from lowlabel.retrieval.ranking.counters import counter_for
from lowlabel.retrieval.ranking.nearest import Neighbours, nearest
from lowlabel.retrieval.ranking.products import product_margin
from lowlabel.retrieval.search import Index

S = TypeVar("S")

NOT_FOUND = 2**40  # a rank beyond every gallery
_LISTS_AT_ONCE = 8  # arrays of the length of a list held for each query
_RECALL_QUERIES = 1000


class TopKRanker(Generic[S]):
    """Ranks within the nearest images of each query.

    A positive that is not in the list of its query has the rank `NOT_FOUND`. An index returns
    float32 similarities; where rounding could have changed their order they are recomputed in
    float64. With pessimistic ties, a positive as similar as the end of its list is not found,
    because what follows is unknown.

    Args:
        index: The index to search.
        comparison: What is compared; ties by index are not possible.
        queries: Unit rows [Q, D].
        gallery: Unit rows [G, D].
        depth: Length of the lists.
        summarise: Called with rising ranks [queries, R] from 1 on; its result is yielded.
    """

    def __init__(
        self,
        index: Index,
        comparison: Comparison,
        queries: Tensor,
        gallery: Tensor,
        depth: int,
        summarise: Callable[[Tensor], S],
    ) -> None:
        if comparison.ties == "index":
            raise InputError(
                f"ties by index are not possible in the lists of {index.spec}",
                "Use pessimistic or optimistic ties, or the exact search.",
            )
        layout = comparison.layout
        self._queries, self._gallery, self._layout = queries, gallery, layout
        self._optimistic, self._tie = comparison.ties == "optimistic", comparison.tie
        self._margin = product_margin(queries.shape[1], torch.float32)
        self._counter = counter_for(queries.device)(comparison)
        self._summarise, self._depth = summarise, depth
        self._searcher = index.search(gallery, depth, leave_one_out=layout.leave_one_out)

    def run(self, progress: Progress | None = None) -> Iterator[tuple[Tensor, S]]:
        """Yields rows of queries [n] with a summary of their ranks; see `Ranker.run`."""
        layout = self._layout
        size, place = torch.empty_like(layout.positives), torch.empty_like(layout.queries)
        size[layout.queries] = layout.positives
        place[layout.queries] = torch.arange(len(place), device=place.device)
        gallery_place = torch.empty_like(layout.gallery)
        gallery_place[layout.gallery] = torch.arange(len(gallery_place), device=place.device)
        for first, last in row_blocks(len(place), _LISTS_AT_ONCE * self._depth):
            rows = torch.arange(first, last, device=place.device)
            found = self._searcher.nearest(self._queries[rows], rows)
            similarity, order = self._settled(found, rows).sort(descending=True, dim=1)
            at, query = gallery_place[found.rows.gather(1, order)], place[rows, None]
            same_class = (at >= layout.start[query]) & (at < layout.stop[query])
            ranks = self._ranks(similarity, same_class & (similarity > -torch.inf))
            for positives in size[rows].unique().tolist():
                if positives:
                    alike = size[rows] == positives
                    yield rows[alike], self._summarise(_padded(ranks[alike], positives))
            if progress:
                progress(last, len(self._queries))

    def recall(self, k: int) -> float:
        """Percentage of the k nearest images that the index finds.

        Measured on up to a thousand evenly spaced queries. Images as similar as the k-th nearest,
        up to rounding, count as being among the k nearest.
        """
        sample = evenly_spaced(len(self._queries), _RECALL_QUERIES, self._queries.device)
        self_rows = sample if self._layout.leave_one_out else None
        exact = nearest(self._queries[sample], self._gallery, k, self_rows=self_rows)
        found = self._searcher.nearest(self._queries[sample], sample).similarity[:, :k]
        return 100 * float((found >= exact.similarity[:, -1:] - self._margin).double().mean())

    def _settled(self, found: Neighbours, queries: Tensor) -> Tensor:
        """Float64 similarities [n, depth], exact where float32 leaves the order in doubt."""
        similarity = found.similarity.double()
        close = similarity.diff(dim=1) >= -2 * self._margin
        doubtful = pad(close, (1, 0)) | pad(close, (0, 1))
        row, place = (doubtful & (found.rows >= 0)).nonzero().T
        similarity[row, place] = self._counter.cosines(queries[row], found.rows[row, place])
        return similarity

    def _ranks(self, similarity: Tensor, hits: Tensor) -> Tensor:
        """Rising ranks [n, depth] of the hits, then `NOT_FOUND`."""
        falling = -similarity
        bound = falling - self._tie if self._optimistic else falling + self._tie
        negatives = pad((~hits).cumsum(dim=1), (1, 0))
        end = torch.searchsorted(falling, bound, right=not self._optimistic)
        ranks = hits.cumsum(dim=1) + negatives.gather(1, end)
        lost = ~hits
        if not self._optimistic and self._depth < len(self._gallery) - self._layout.leave_one_out:
            lost |= falling + self._tie >= falling[:, -1:]
        return torch.where(lost, NOT_FOUND, ranks).sort(dim=1).values


def _padded(ranks: Tensor, positives: int) -> Tensor:
    """The first `positives` ranks, filled up with `NOT_FOUND`."""
    missing = max(0, positives - ranks.shape[1])
    return pad(ranks, (0, missing), value=NOT_FOUND)[:, :positives]

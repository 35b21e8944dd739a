"""Ranks of positives in the lists of nearest images that an index gives."""

from collections.abc import Callable, Iterator
from typing import Generic, TypeVar

import torch
from torch import Tensor
from torch.nn.functional import pad

from lowlabel.errors import InputError
from lowlabel.retrieval.ranking.counting import Comparison, counter_for
from lowlabel.retrieval.ranking.embeddings import product_margin
from lowlabel.retrieval.ranking.exact_ranker import Progress
from lowlabel.retrieval.ranking.nearest import Neighbours, nearest, spans
from lowlabel.retrieval.search import Index

S = TypeVar("S")

NOT_FOUND = 2**40  # a rank beyond every gallery
_LISTS_AT_ONCE = 8  # arrays of a list's length that are in memory for each query
_SAMPLE = 1000  # queries whose exact neighbours are looked up too


class ListRanking(Generic[S]):
    """As `Ranking`, from no more than the nearest images of each query.

    A positive that is not in its query's list has the rank `NOT_FOUND`. Similarities of an index
    are float32; where rounding could have changed their order they are taken again in float64.
    Pessimistically, a positive as similar as the end of its list is not found, because what lies
    beyond is not known.

    Args:
        index: Where to search.
        comparison: What is compared; ties cannot stand by index.
        queries: Unit rows [Q, D].
        gallery: Unit rows [G, D].
        depth: Length of the lists.
        summarise: Makes what is kept of ranks [queries, R], which rise from 1 on.
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
                f"ties cannot stand by index in the lists of {index.spec}",
                "Use pessimistic or optimistic, or the exact search.",
            )
        layout = comparison.layout
        self._queries, self._gallery, self._layout = queries, gallery, layout
        self._optimistic, self._tie = comparison.ties == "optimistic", comparison.tie
        self._margin = product_margin(queries.shape[1], torch.float32)
        self._counter = counter_for(queries.device)(comparison)
        self._summarise, self._depth = summarise, depth
        self._searcher = index.search(gallery, depth, own=layout.leave_one_out)

    def run(self, progress: Progress | None = None) -> Iterator[tuple[Tensor, S]]:
        """Yields rows of queries with what `summarise` made of their ranks."""
        layout = self._layout
        size, place = torch.empty_like(layout.positives), torch.empty_like(layout.queries)
        size[layout.queries] = layout.positives
        place[layout.queries] = torch.arange(len(place), device=place.device)
        gallery_place = torch.empty_like(layout.gallery)
        gallery_place[layout.gallery] = torch.arange(len(gallery_place), device=place.device)
        for first, last in spans(len(place), _LISTS_AT_ONCE * self._depth):
            rows = torch.arange(first, last, device=place.device)
            found = self._searcher.nearest(self._queries[rows], rows)
            similarity, order = self._settled(found, rows).sort(descending=True, dim=1)
            at, own = gallery_place[found.rows.gather(1, order)], place[rows, None]
            hits = (at >= layout.start[own]) & (at < layout.stop[own]) & (similarity > -torch.inf)
            ranks = self._ranks(similarity, hits)
            for positives in size[rows].unique().tolist():
                if positives:
                    same = size[rows] == positives
                    yield rows[same], self._summarise(_padded(ranks[same], positives))
            if progress:
                progress(last, len(self._queries))

    def recall(self, k: int) -> float:
        """The share of the k nearest images, in percent, that the index finds.

        Taken over a thousand queries, evenly spread. What is as similar as the k-th nearest, up to
        rounding, is among them.
        """
        count = min(len(self._queries), _SAMPLE)
        sample = torch.arange(count, device=self._queries.device) * len(self._queries) // count
        own = sample if self._layout.leave_one_out else None
        last = nearest(self._queries[sample], self._gallery, k, own=own).similarity[:, -1:]
        found = self._searcher.nearest(self._queries[sample], sample).similarity[:, :k]
        return 100 * float((found >= last - self._margin).double().mean())

    def _settled(self, found: Neighbours, queries: Tensor) -> Tensor:
        """Float64 similarities [n, depth], exact where float32 leaves the order in doubt."""
        similarity = found.similarity.double()
        close = similarity.diff(dim=1) >= -2 * self._margin
        doubtful = pad(close, (1, 0)) | pad(close, (0, 1))
        row, place = (doubtful & (found.rows >= 0)).nonzero().T
        similarity[row, place] = self._counter.cosines(queries[row], found.rows[row, place])
        return similarity

    def _ranks(self, similarity: Tensor, hits: Tensor) -> Tensor:
        """Ranks [n, depth] of the hits, rising, then `NOT_FOUND`."""
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
    """The first `positives` ranks, with `NOT_FOUND` where there are fewer."""
    missing = max(0, positives - ranks.shape[1])
    return pad(ranks, (0, missing), value=NOT_FOUND)[:, :positives]

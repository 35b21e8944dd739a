"""The rivals of a query: negatives ranked before its best positive, and their classes.

A query that misses at K has at least K rivals. Without one class of the gallery it becomes a hit
if fewer than K rivals are of other classes, so the classes of a query's rivals give Recall@K
without each class.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import torch
from torch import Tensor

from lowlabel.retrieval.ranking.positives import Layout, Positives


@dataclass(frozen=True)
class RivalList:
    """Rivals that counters list while they count.

    Attributes:
        most: Number of rivals to list for a query; more are not listed.
        listed: Number of those of each query so far, int32 [queries], by its place.
        parts: Place of the query and of the image in the gallery, int32 [2, n] each.
    """

    most: int
    listed: Tensor
    parts: list[Tensor] = field(default_factory=list)

    def pairs(self) -> Tensor:
        """All of `parts`, int64 [2, n]."""
        none = self.listed.new_empty(2, 0)
        return torch.cat([none, *self.parts], dim=1).long()


class Unlisted(NamedTuple):
    """Queries whose rivals must be listed again, because not all of them were.

    Attributes:
        places: Rising, int64 [n].
        positives: The best positive of each.
    """

    places: Tensor
    positives: Positives

    def part(self, begin: int, end: int) -> "Unlisted":
        """The queries from one index to another."""
        best = self.positives
        rows = best.rows[begin:end] if len(best.rows) else best.rows
        cosine, offsets = best.cosine[begin:end], best.offsets[: end - begin + 1]
        return Unlisted(self.places[begin:end], Positives(0, end - begin, offsets, cosine, rows))


class Rivals:
    """Numbers of rivals by query and class, where they decide a Recall@K.

    Args:
        ks: The K of Recall@K.
        layout: The order of queries and gallery.
        gallery_classes: Class of each gallery image, int64 [G], from 0 on.

    Attributes:
        before: Number of rivals of each query, int64 [Q]; −1 without a positive.
        most: Largest number of rivals with which a class can decide.
    """

    def __init__(self, ks: Sequence[int], layout: Layout, gallery_classes: Tensor) -> None:
        self._layout, self._of_place = layout, gallery_classes[layout.gallery]
        sizes = torch.bincount(gallery_classes)
        self._classes, self._largest = len(sizes), int(sizes.max())
        self._ks = gallery_classes.new_tensor(sorted(ks))
        self.before = torch.full_like(layout.queries, -1)
        self.most = min(max(ks) - 1 + self._largest, len(gallery_classes))
        self._found = [torch.empty(3, 0, dtype=torch.int64)]

    def list_for(self, queries: int, most: int | None = None) -> RivalList:
        """An empty list for a run of queries, of `most` rivals each; by default of all."""
        device = self.before.device
        most = self.most if most is None else min(most, self.most)
        return RivalList(most, torch.zeros(queries, dtype=torch.int32, device=device))

    def take(self, positives: Positives, counts: Tensor, listed: RivalList) -> Unlisted:
        """Adds the rivals of a run of queries.

        Args:
            positives: Positives of the queries.
            counts: Negatives before each of them [P].
            listed: What was listed of them.
        """
        first = positives.offsets[:-1]
        held = self._layout.scored[positives.begin : positives.end] > 0
        places = torch.arange(positives.begin, positives.end, device=first.device)[held]
        number = counts[first[held]].long()
        self.before[self._layout.queries[places]] = number
        again = self.add(places, number, listed.pairs())
        return Unlisted(places[again], _best(positives, first[held][again]))

    def add(self, places: Tensor, number: Tensor, pairs: Tensor) -> Tensor:
        """Adds rivals by class, and returns which of the queries have too few listed.

        Args:
            places: Places of queries, rising, int64 [n].
            number: Their numbers of rivals [n].
            pairs: Places of the queries and of rivals in the gallery, int64 [2, listed].

        Returns:
            Indices into `places` of the queries that some K may depend on, whose rivals are not
            all among the pairs.
        """
        open_at = (number[:, None] >= self._ks) & (number[:, None] < self._ks + self._largest)
        index = torch.full_like(self.before, -1)
        index[places[open_at.any(1)]] = open_at.any(1).nonzero().flatten()
        query = index[pairs[0]]
        query, code = query[query >= 0], self._of_place[pairs[1][query >= 0]]
        cells, size = torch.unique(query * self._classes + code, return_counts=True)
        query, code = cells // self._classes, cells % self._classes
        listed = torch.zeros_like(number).index_add_(0, query, size)
        whole = (listed == number)[query]
        found = torch.stack([self._layout.queries[places[query]], code, size])
        self._found.append(found[:, whole].cpu())
        # Of some rivals, K or more besides those of any one class: nothing can make it a hit.
        largest = torch.zeros_like(number).scatter_reduce_(0, query, size, "amax")
        undecided = open_at & ((listed - largest)[:, None] < self._ks)
        return (undecided.any(1) & (listed < number)).nonzero().flatten()

    def by_class(self) -> tuple[Tensor, Tensor, Tensor]:
        """Row of a query, class, and number of rivals of that class, int64 [n] each."""
        query, code, size = torch.cat(self._found, dim=1)
        return query, code, size


def _best(positives: Positives, chosen: Tensor) -> Positives:
    """The positives at some indices, as the only ones of their queries."""
    rows = positives.rows[chosen] if len(positives.rows) else positives.rows
    offsets = torch.arange(len(chosen) + 1, device=chosen.device)
    return Positives(0, len(chosen), offsets, positives.cosine[chosen], rows)

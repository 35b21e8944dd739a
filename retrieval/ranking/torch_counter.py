"""The counter for accelerators: the same counts from operations on whole tensors."""

import torch
from torch import Tensor

from lowlabel.retrieval.ranking.comparison import Comparison
from lowlabel.retrieval.ranking.positives import Positives
from lowlabel.retrieval.ranking.rivals import RivalList

_CHUNK_VALUES = 2**24  # float64 values of gathered features, or of positives, held at once
_NEVER = 3.0  # negated similarity of an image that is not compared: below every cosine


class TorchCounter:
    """Counts with `searchsorted`. Runs on any torch device."""

    def __init__(self, comparison: Comparison) -> None:
        self._comparison = comparison

    def cosines(self, query_rows: Tensor, gallery_rows: Tensor) -> Tensor:
        """Computes float64 cosines [P] of pairs of rows [P] and [P]."""
        queries, gallery = self._comparison.queries, self._comparison.gallery
        result = torch.empty(len(query_rows), dtype=torch.float64, device=query_rows.device)
        step = max(1, _CHUNK_VALUES // queries.dimensions)
        for start in range(0, len(result), step):
            q, g = query_rows[start : start + step], gallery_rows[start : start + step]
            dots = (queries.raw[q].double() * gallery.raw[g].double()).sum(dim=1)
            dots *= queries.inverse_norm[q] * gallery.inverse_norm[g]
            result[start : start + step] = dots
        return result

    def count(
        self,
        block: Tensor,
        positives: Positives,
        first_query: int,
        first_place: int,
        counts: Tensor,
        *,
        transposed: bool = False,
        rivals: RivalList | None = None,
    ) -> None:
        """Adds to `counts`; see `Counter.count`."""
        block = block.T if transposed else block
        layout, (doubt_from, doubt_to) = self._comparison.layout, self._comparison.doubt
        queries = torch.arange(first_query, first_query + len(block), device=block.device)
        places = torch.arange(first_place, first_place + block.shape[1], device=block.device)
        flat, held = _padded(positives, queries)
        if not held.any():
            return
        cosine = torch.where(held, positives.cosine[flat], -torch.inf)
        same_class = (places >= layout.start[queries, None]) & (places < layout.stop[queries, None])
        falling = torch.where(same_class, _NEVER, -block)
        possible = torch.searchsorted((-doubt_from - cosine).to(block.dtype), falling)
        beaten = torch.searchsorted((-doubt_to - cosine).to(block.dtype), falling, right=True)
        doubtful = (possible < beaten).nonzero()
        for part in doubtful.split(max(1, _CHUNK_VALUES // cosine.shape[1])):
            r, c = part.T
            rows = positives.rows[flat[r]] if self._comparison.ties == "index" else None
            value = block[r, c].double()
            beaten[r, c] = self._first_beaten(queries[r], places[c], value, cosine[r], rows)
        if rivals is not None:
            before = (beaten == 0) & held[:, :1]
            _list_rivals(rivals, before, first_query - positives.begin, first_query, first_place)
        bins = torch.zeros(len(block), cosine.shape[1] + 1, dtype=counts.dtype, device=block.device)
        bins.scatter_add_(1, beaten, bins.new_ones(()).expand_as(beaten))
        counts[flat[held]] += bins.cumsum(dim=1, dtype=counts.dtype)[:, :-1][held]

    def _first_beaten(
        self, queries: Tensor, places: Tensor, value: Tensor, cosine: Tensor, rows: Tensor | None
    ) -> Tensor:
        """Finds the first positive that each image is ranked before, by float64 cosines.

        Args:
            queries: Places of the queries [pairs].
            places: Places of the gallery images [pairs].
            value: Entries of the pairs in the block [pairs].
            cosine: Cosines of the query's positives, falling [pairs, K].
            rows: Rows of the positives in the gallery [pairs, K], if they decide ties.
        """
        layout = self._comparison.layout
        gallery_rows = layout.gallery[places]
        if not self._comparison.exact:
            value = self.cosines(layout.queries[queries], gallery_rows)
        difference = value[:, None] - cosine
        before = difference > self._comparison.tie
        if self._comparison.ties != "optimistic":
            equal = difference.abs() <= self._comparison.tie
            if rows is not None:
                equal &= gallery_rows[:, None] < rows
            before |= equal
        return (~before).sum(dim=1)


def _list_rivals(
    rivals: RivalList, before: Tensor, first: int, first_query: int, first_place: int
) -> None:
    """Lists the images of a block [queries, gallery] that are marked, as far as there is room.

    Args:
        rivals: The list.
        before: Which images are ranked before the query's best positive; changed in place.
        first: Index of the first query in the list.
        first_query: Place of the first query in the block.
        first_place: Place of the first gallery image in the block.
    """
    listed = rivals.listed[first : first + len(before)]
    number, room = before.sum(dim=1, dtype=listed.dtype), rivals.most - listed
    over = (number > room).nonzero().flatten()
    before[over] &= before[over].cumsum(dim=1, dtype=listed.dtype) <= room[over, None]
    listed += torch.minimum(number, room)
    query, place = before.nonzero().int().T
    rivals.parts.append(torch.stack([query + first_query, place + first_place]))


def _padded(positives: Positives, queries: Tensor) -> tuple[Tensor, Tensor]:
    """Indices [queries, K] into the flat positives, and which of them are not padding."""
    first = positives.offsets[queries - positives.begin]
    number = positives.offsets[queries - positives.begin + 1] - first
    step = torch.arange(int(number.max()), device=queries.device)
    held = step < number[:, None]
    return torch.where(held, first[:, None] + step, 0), held

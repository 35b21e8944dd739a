"""The positives of each query, and their similarities to it."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from lowlabel.retrieval.ranking.same_group import IGNORED, SameGroup

Cosines = Callable[[int, int, Tensor], Tensor]


@dataclass(frozen=True)
class Layout:
    """An order of queries and gallery in which each class is one run of the gallery.

    Queries are sorted by their number of positives, so queries with equally many form dense
    groups. In leave-one-out, queries and gallery have the same order, and a query is a member of
    the run of its class.

    Attributes:
        queries: Row of the query at each place, int64 [Q].
        gallery: Row of the gallery image at each place, int64 [G].
        start: First place of the query's class in the gallery, int64 [Q].
        stop: Place after the last one, int64 [Q].
        positives: Number of positives, int64 [Q], never falling.
        leave_one_out: Whether the queries are the gallery.
        ignored: The groups, of which a query's own is ignored; None if nothing is.
    """

    queries: Tensor
    gallery: Tensor
    start: Tensor
    stop: Tensor
    positives: Tensor
    leave_one_out: bool
    ignored: SameGroup | None = None

    @property
    def scored(self) -> Tensor:
        """Number of positives that are not ignored, int64 [Q]."""
        return self.positives if self.ignored is None else self.ignored.kept

    def with_best_of(self, places: Tensor) -> "Layout":
        """Some of the queries, by their places [n], with one positive each."""
        start, stop = self.start[places], self.stop[places]
        one = torch.ones_like(places)
        ignored = self.ignored and self.ignored.at(places)
        queries = self.queries[places]
        return Layout(queries, self.gallery, start, stop, one, self.leave_one_out, ignored)

    def groups(self, begin: int, end: int) -> Iterator[tuple[int, int, int]]:
        """Yields runs of the queries `begin` to `end` as (number of positives, begin, end)."""
        sizes, lengths = torch.unique_consecutive(self.positives[begin:end], return_counts=True)
        for size, length in zip(sizes.tolist(), lengths.tolist(), strict=True):
            yield size, begin, begin + length
            begin += length


def leave_one_out_layout(labels: Tensor) -> Layout:
    """Makes every image a query against all others; `labels` [N] are int64."""
    classes, code, size = torch.unique(labels, return_inverse=True, return_counts=True)
    key = size[code] * len(classes) + code
    order = torch.argsort(key, stable=True)
    run = torch.unique_consecutive(key[order], return_counts=True)[1]
    stop = run.cumsum(0).repeat_interleave(run)
    start = stop - run.repeat_interleave(run)
    return Layout(order, order, start, stop, stop - start - 1, leave_one_out=True)


def gallery_layout(query_labels: Tensor, gallery_labels: Tensor) -> Layout:
    """Compares queries with a gallery that excludes them; labels [Q] and [G] are int64."""
    classes, code, size = torch.unique(gallery_labels, return_inverse=True, return_counts=True)
    place = torch.searchsorted(classes, query_labels).clamp(max=len(classes) - 1)
    positives = torch.where(classes[place] == query_labels, size[place], 0)
    queries = torch.argsort(positives, stable=True)
    stop = size.cumsum(0)[place[queries]]
    positives = positives[queries]
    gallery = torch.argsort(code, stable=True)
    return Layout(queries, gallery, stop - positives, stop, positives, leave_one_out=False)


@dataclass(frozen=True)
class Positives:
    """The positives of the queries at places `begin` to `end`, best first.

    Attributes:
        begin: Place of the first query.
        end: Place after the last one.
        offsets: Index of each query's first positive in the flat arrays, int64 [queries + 1].
        cosine: Similarities, falling within a query, float64 [P].
        rows: Rows in the gallery, int64 [P], or [0] if ties are not by index.
    """

    begin: int
    end: int
    offsets: Tensor
    cosine: Tensor
    rows: Tensor


def find_positives(
    layout: Layout,
    begin: int,
    end: int,
    cosines: Cosines,
    tie: float | None = None,
    hidden: float = IGNORED,
) -> Positives:
    """Collects the positives of a run of queries, sorted by similarity, ignored ones at the end.

    Args:
        layout: The order of queries and gallery.
        begin: Place of the first query.
        end: Place after the last one.
        cosines: Computes the float64 cosines [n, R] of the queries from one place to another with
            the gallery images at places [n, R].
        tie: Difference up to which similarities are equal and sorted by their rows in the
            gallery; None if the order of equal ones does not matter.
        hidden: Similarity that ignored positives get, below all others.
    """
    device, counts = layout.positives.device, layout.positives[begin:end]
    offsets = torch.cat([counts.new_zeros(1), counts.cumsum(0)])
    cosine = torch.empty(int(offsets[-1]), dtype=torch.float64, device=device)
    rows = torch.empty(0 if tie is None else len(cosine), dtype=torch.int64, device=device)
    for size, first, last in layout.groups(begin, end):
        places = layout.start[first:last, None] + torch.arange(size, device=device)
        if layout.leave_one_out:
            places += places >= torch.arange(first, last, device=device)[:, None]
        values = cosines(first, last, places)
        if layout.ignored is not None:
            values = layout.ignored.hide_positives(values, (first, last), places, hidden)
        part = slice(int(offsets[first - begin]), int(offsets[last - begin]))
        if tie is None:
            cosine[part] = sort_falling(values).flatten()
        else:
            values, order = sort_falling_by_index(values, tie)
            cosine[part] = values.flatten()
            rows[part] = layout.gallery[places.gather(1, order)].flatten()
    return Positives(begin, end, offsets, cosine, rows)


def sort_falling(values: Tensor) -> Tensor:
    """Sorts rows [n, R] from the largest value on."""
    if values.device.type == "cpu":  # numpy sorts ten times as fast
        return torch.from_numpy(-np.sort(-values.numpy(), axis=1))
    return values.sort(dim=1, descending=True).values


def sort_falling_by_index(values: Tensor, tie: float) -> tuple[Tensor, Tensor]:
    """Sorts rows from the largest value on; equal values become one and keep their order."""
    values, order = values.sort(dim=1, descending=True)
    step = torch.zeros_like(order)
    step[:, 1:] = (values[:, :-1] - values[:, 1:] > tie).cumsum(dim=1)
    values = values.gather(1, torch.searchsorted(step, step))
    by_index = (step * values.shape[1] + order).argsort(dim=1)
    return values.gather(1, by_index), order.gather(1, by_index)

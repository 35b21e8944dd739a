"""Ranked lists of gallery images, one for each query."""

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, partial

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from lowlabel.errors import InputError
from lowlabel.retrieval.ranking.comparison import Ties

END = -1  # the row in every place after the end of a list


@dataclass(frozen=True, eq=False)
class RankedLists:
    """Ranked lists, checked.

    Attributes:
        rows: Rows in the gallery, the nearest first, int64 [Q, K]; `END` after the end of a list.
        scores: Score of each, never rising within a list, float64 [Q, K]; None if the places are
            all that is known.
    """

    rows: NDArray[np.int64]
    scores: NDArray[np.float64] | None = None

    @classmethod
    def of(
        cls,
        rows: NDArray[np.int64],
        scores: NDArray[np.float64] | None,
        queries: int,
        images: int,
        names: Sequence[str] | None = None,
    ) -> "RankedLists":
        """Checks lists against the number of queries and of images that are searched.

        Args:
            rows: See above.
            scores: See above.
            queries: Number of queries.
            images: Number of images that are searched.
            names: Name of each query in messages; by default its number.

        Raises:
            InputError: If there is not one list for each query, a list is empty, names an image
                twice or one that does not exist, goes on after its end, or scores are NaN or rise.
        """
        rows = np.asarray(rows)
        if rows.dtype.kind not in "iu" or rows.ndim != 2 or len(rows) != queries:
            raise InputError(
                f"the ranking is {rows.dtype} {rows.shape}, not integers [{queries:,} queries, K]",
                "Give the rows of gallery images, one list for each query.",
            )
        refuse = partial(_refuse, names=names or range(queries))
        rows = rows.astype(np.int64)
        listed = rows != END
        refuse(~listed.any(1), "lists no image", "List at least one image for each query.")
        refuse(
            (~listed[:, :-1] & listed[:, 1:]).any(1),
            f"goes on after {END}, its end",
            f"Move {END} to the end of each list: it is no image.",
        )
        outside = listed & ((rows < 0) | (rows >= images))
        refuse(outside.any(1), f"names an image that does not exist: there are {images:,}")
        ordered = np.sort(rows, axis=1)
        twice = (ordered[:, 1:] == ordered[:, :-1]) & (ordered[:, 1:] != END)
        refuse(twice.any(1), "names an image twice", "Keep the first of them.")
        if scores is None:
            return cls(rows)
        values = np.asarray(scores, dtype=np.float64)
        if values.shape != rows.shape:
            raise InputError(f"the scores have the shape {values.shape}, the ranking {rows.shape}")
        refuse(
            (np.isnan(values) & listed).any(1),
            "has a score that is NaN",
            "Leave the scores out to count the places alone, or leave out what has none.",
        )
        with np.errstate(invalid="ignore"):
            rising = (values[:, 1:] > values[:, :-1]) & listed[:, 1:]
        refuse(
            rising.any(1),
            "has scores that rise from one place to the next",
            "Order each list from the largest score on; of distances, give the negative.",
        )
        return cls(rows, values)

    @cached_property
    def lengths(self) -> NDArray[np.int64]:
        """Number of images in each list, [Q]."""
        counts: NDArray[np.int64] = (self.rows != END).sum(1)
        return counts

    @cached_property
    def levels(self) -> NDArray[np.int64]:
        """Place of each image in its list from 0 on, one for all of equal scores, [Q, K]."""
        if self.scores is None:
            places: NDArray[np.int64] = np.zeros_like(self.rows) + np.arange(self.rows.shape[1])
            return places
        steps = np.zeros(self.rows.shape, dtype=np.int64)
        steps[:, 1:] = (self.scores[:, 1:] != self.scores[:, :-1]).cumsum(1)
        return steps

    def compared(self, *, leave_one_out: bool) -> NDArray[np.int64]:
        """Number of images in each list besides the query's own, [Q]."""
        if not leave_one_out:
            return self.lengths
        own = (self.rows == np.arange(len(self.rows))[:, None]).any(1)
        others: NDArray[np.int64] = self.lengths - own
        return others


@dataclass(frozen=True, eq=False)
class ListSimilarity:
    """Similarities that order the gallery as lists do.

    Attributes:
        lists: The lists.
        images: Number of gallery images.
    """

    lists: RankedLists
    images: int

    @property
    def unlisted(self) -> float:
        """The similarity of images that a list lacks: below all others."""
        return -float(self.lists.rows.shape[1] + 1)

    def rows(self, queries: Tensor) -> Tensor:
        """Similarities [n, G] of some queries, int64 [n], to the whole gallery.

        They are whole numbers, which float32 holds exactly up to 16 million.
        """
        which = queries.cpu().numpy()
        rows, levels = self.lists.rows[which], self.lists.levels[which]
        found = np.full((len(which), self.images), self.unlisted, dtype=np.float32)
        query, place = np.nonzero(rows != END)
        found[query, rows[query, place]] = -levels[query, place]
        return torch.from_numpy(found).to(queries.device)

    def found(self, queries: Tensor, rows: Tensor, cosine: Tensor) -> Tensor:
        """Marks the positives that are in the lists of their queries; see `Found`."""
        return cosine > self.unlisted


def negatives_before(
    negatives: tuple[NDArray[np.int64], NDArray[np.int64]],
    positives: tuple[NDArray[np.int64], NDArray[np.int64]],
    ties: Ties,
) -> NDArray[np.int64]:
    """Number of negatives ranked before each positive of a list.

    Args:
        negatives: Rows and levels of the negatives, the levels never falling.
        positives: Rows and levels of the positives.
        ties: How a negative of the same level is ranked.
    """
    (rows, levels), (of_rows, of_levels) = negatives, positives
    if ties != "index":
        beyond = int(ties == "pessimistic")  # levels are whole: those below level + 1 count
        counts = np.searchsorted(levels, of_levels + beyond)
        return counts.astype(np.int64)
    order = np.lexsort((rows, levels))
    keys = list(zip(levels[order].tolist(), rows[order].tolist(), strict=True))
    wanted = zip(of_levels.tolist(), of_rows.tolist(), strict=True)
    return np.array([bisect_left(keys, key) for key in wanted], dtype=np.int64)


def _refuse(
    wrong: NDArray[np.bool_], what: str, hint: str = "", *, names: Sequence[object]
) -> None:
    """Raises an `InputError` that names the first of the queries whose list is wrong, [Q]."""
    count = int(wrong.sum())
    if count:
        more = f" (and of {count - 1:,} more)" if count > 1 else ""
        raise InputError(f"the list of query {names[int(wrong.argmax())]}{more} {what}", hint)

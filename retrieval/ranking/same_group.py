"""Images of a query's own group, which are as absent: neither positives nor negatives."""

from dataclasses import dataclass, replace
from typing import Self

import torch
from torch import Tensor

IGNORED = -4.0  # similarity of an ignored positive: below every cosine
ABSENT = 2 * IGNORED  # of any image of the query's group in a block: below every positive
Span = tuple[int, int]


@dataclass(frozen=True)
class SameGroup:
    """The groups of queries and gallery, in the order of their layout.

    Attributes:
        query: Group of the query at each place, int64 [Q].
        gallery: Group of the gallery image at each place, int64 [G].
        kept: Number of positives of other groups, int64 [Q].
    """

    query: Tensor
    gallery: Tensor
    kept: Tensor

    @property
    def largest(self) -> int:
        """Number of gallery images in the largest group of a query."""
        return int(
            torch.bincount(self.gallery, minlength=int(self.query.max()) + 1)[self.query].max()
        )

    def at(self, places: Tensor) -> Self:
        """Some of the queries, by their places [n], with one positive each."""
        return replace(self, query=self.query[places], kept=torch.ones_like(places))

    def hide(self, block: Tensor, queries: Span, gallery: Span, similarity: float = ABSENT) -> None:
        """Makes the images of a query's group in a block [queries, gallery] less similar than all.

        Args:
            block: Similarities of the queries and images at some places; changed in place.
            queries: First place of the queries, and the place after the last one.
            gallery: The same of the gallery.
            similarity: What they get.
        """
        block.masked_fill_(
            self.query[slice(*queries), None] == self.gallery[slice(*gallery)], similarity
        )

    def hide_positives(
        self, values: Tensor, queries: Span, places: Tensor, similarity: float = IGNORED
    ) -> Tensor:
        """Similarities [n, R] of queries with images at `places` [n, R], without their groups."""
        same = self.query[slice(*queries), None] == self.gallery[places]
        return values.masked_fill(same, similarity)


def same_group(
    queries: tuple[Tensor, Tensor], gallery: tuple[Tensor, Tensor], order: tuple[Tensor, Tensor]
) -> SameGroup:
    """Arranges groups as a layout does.

    Args:
        queries: Class and group of each query, int64 [Q] each.
        gallery: Class and group of each gallery image, int64 [G] each.
        order: Row of the query, and of the gallery image, at each place [Q] and [G].
    """
    classes = torch.unique(torch.cat([queries[0], gallery[0]]), return_inverse=True)[1]
    groups = torch.unique(torch.cat([queries[1], gallery[1]]), return_inverse=True)[1]
    both = classes * (groups.max() + 1) + groups
    number = len(queries[0])

    def alike(codes: Tensor) -> Tensor:
        """Number of gallery images with the code of each query."""
        _, code = torch.unique(codes, return_inverse=True)
        return torch.bincount(code[number:], minlength=int(code.max()) + 1)[code[:number]]

    kept = alike(classes) - alike(both)
    return SameGroup(groups[:number][order[0]], groups[number:][order[1]], kept[order[0]])

"""Similarities that cannot tell equal images apart."""

from dataclasses import dataclass

import torch
from torch import Tensor

from lowlabel.retrieval.ranking.precomputed_ranker import Similarity
from lowlabel.retrieval.ranking.twins import Twins


@dataclass(frozen=True)
class EqualForTwins:
    """The mean similarity of each group of twins, so that they are ties whatever their order.

    Re-ranking takes a limited number of neighbours, so it may take one twin and not the other.

    Attributes:
        similarity: The similarities.
        twins: The twins of the gallery.
        leave_one_out: Whether row i of the gallery is the image of query i, which is ignored.
    """

    similarity: Similarity
    twins: Twins
    leave_one_out: bool

    def rows(self, queries: Tensor) -> Tensor:
        """Computes similarities [n, G]; see `Similarity.rows`."""
        values = self.similarity.rows(queries)
        group = self.twins.group
        count = self.twins.sizes.expand(len(queries), -1)
        if self.leave_one_out:
            values = values.scatter(1, queries[:, None], 0)
            own = torch.zeros_like(count).scatter(1, group[queries, None], 1)
            count = count - own
        total = values.new_zeros(count.shape).index_add_(1, group, values)
        return (total / count.clamp(min=1))[:, group]


def equal_for_twins(similarity: Similarity, twins: Twins, leave_one_out: bool) -> Similarity:
    """Returns the similarities as they are if there are no twins."""
    return EqualForTwins(similarity, twins, leave_one_out) if twins else similarity

"""Average precision by trapezoids under the precision-recall curve, and precision at k.

Oxford Buildings (Philbin et al., CVPR 2007), its revision (Radenović et al., CVPR 2018,
arXiv:1803.11285) and Copydays are scored this way; it is lower than the mean of the precisions.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from lowlabel.retrieval.ranking.database import RankedPositives


@dataclass(frozen=True)
class Ranks:
    """Ranks of the positives of Q queries, without the ignored images.

    Attributes:
        query: Index of the query of each positive, rising, int64 [P].
        nth: Number of positives of the same query before it, int64 [P].
        rank: Number of images before it, int64 [P].
        number: Number of positives of each query, int64 [Q].
    """

    query: Tensor
    nth: Tensor
    rank: Tensor
    number: Tensor

    @classmethod
    def of(cls, ranked: RankedPositives, kept: Tensor, queries: int) -> "Ranks":
        """Ranks the positives that are `kept` [P]; the others are ignored."""
        query = ranked.query[kept]
        number = torch.bincount(query, minlength=queries)
        nth = torch.arange(len(query), device=query.device) - (number.cumsum(0) - number)[query]
        return cls(query, nth, ranked.before[kept] + nth, number)

    def average_precision(self, top: int | None = None) -> Tensor:
        """Average precision in percent, float64 [Q]; NaN for a query without positives.

        Σ ½ (j/r + (j + 1)/(r + 1)) / n over the n positives j = 0, 1, … at ranks r = 0, 1, …; the
        term j/r is 1 at rank 0.

        Args:
            top: Number of ranks within which a positive counts as found; all by default.
        """
        j, rank = self.nth.double(), self.rank.double()
        before = torch.where(self.rank == 0, 1.0, j / rank.clamp(min=1))
        heights = (before + (j + 1) / (rank + 1)) / 2
        if top is not None:
            heights = heights * (self.rank < top)
        return 100 * self._summed(heights) / self.number

    def precision(self, k: int) -> Tensor:
        """Precision at k in percent, float64 [Q]; NaN for a query without positives.

        The share of positives among the first k images, or among those up to the last positive if
        they are fewer.
        """
        last = torch.zeros_like(self.number).scatter_reduce(
            0, self.query, self.rank + 1, "amax", include_self=True
        )
        first = last.clamp(max=k)
        return 100 * self._summed(self.rank < first[self.query]) / first

    def _summed(self, values: Tensor) -> Tensor:
        total = torch.zeros(len(self.number), dtype=torch.float64, device=values.device)
        return total.index_add(0, self.query, values.double())

"""Average precision as the trapezoids under the precision-recall curve, and precision at k.

That is how Oxford Buildings (Philbin et al., CVPR 2007), its revision (Radenović et al., CVPR
2018, arXiv:1803.11285) and Copydays are scored; it is lower than the average of the precisions.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from lowlabel.retrieval.ranking.database import RankedPositives


@dataclass(frozen=True)
class Ranks:
    """Where the positives of Q queries stand, once the ignored images are taken out.

    Attributes:
        query: Place of the query of each, rising, int64 [P].
        nth: How many positives of its query stand before it, int64 [P].
        rank: How many images do, int64 [P].
        number: Positives of each query, int64 [Q].
    """

    query: Tensor
    nth: Tensor
    rank: Tensor
    number: Tensor

    @classmethod
    def of(cls, ranked: RankedPositives, kept: Tensor, queries: int) -> "Ranks":
        """The ranks of the positives that are `kept` [P]; the others are ignored."""
        query = ranked.query[kept]
        number = torch.bincount(query, minlength=queries)
        nth = torch.arange(len(query), device=query.device) - (number.cumsum(0) - number)[query]
        return cls(query, nth, ranked.before[kept] + nth, number)

    def average_precision(self, top: int | None = None) -> Tensor:
        """Percent, float64 [Q], NaN without a positive.

        Σ ½ (j/r + (j + 1)/(r + 1)) / n over the positives j = 0, 1, … at ranks r = 0, 1, … of n in
        all; the first term counts 1 at rank 0.

        Args:
            top: Positives at later ranks than these many are not found.
        """
        j, rank = self.nth.double(), self.rank.double()
        before = torch.where(self.rank == 0, 1.0, j / rank.clamp(min=1))
        heights = (before + (j + 1) / (rank + 1)) / 2
        if top is not None:
            heights = heights * (self.rank < top)
        return 100 * self._summed(heights) / self.number

    def precision(self, k: int) -> Tensor:
        """Percent, float64 [Q], NaN without a positive.

        The share of positives among the first k, or among the images up to the last positive where
        those are fewer.
        """
        last = torch.zeros_like(self.number).scatter_reduce(
            0, self.query, self.rank + 1, "amax", include_self=True
        )
        first = last.clamp(max=k)
        return 100 * self._summed(self.rank < first[self.query]) / first

    def _summed(self, values: Tensor) -> Tensor:
        total = torch.zeros(len(self.number), dtype=torch.float64, device=values.device)
        return total.index_add(0, self.query, values.double())

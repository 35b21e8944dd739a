"""Query expansion."""

from dataclasses import dataclass, replace
from typing import ClassVar

from lowlabel.errors import InputError
from lowlabel.retrieval.post.base import Embedded, PostProcessing, weighted_sums
from lowlabel.scale import unit


@dataclass(frozen=True)
class QueryExpansion(PostProcessing):
    """α-weighted query expansion (αQE).

    Radenović, Tolias and Chum, "Fine-tuning CNN image retrieval with no human annotation", TPAMI
    2019, arXiv:1711.02512. A query becomes itself plus its nearest images, each weighted by its
    similarity to the power α; negative similarities count as 0. α = 0 is the average query
    expansion of Chum et al., ICCV 2007. The query itself has the weight 1; in leave-one-out its
    own image is not one of the neighbours. The gallery is not changed.

    Attributes:
        neighbours: Images added to each query.
        alpha: α.
    """

    name: ClassVar[str] = "aqe"
    neighbours: int = 10
    alpha: float = 3.0

    def __post_init__(self) -> None:
        self.require_at_least("neighbours", 1)
        if self.alpha < 0:
            raise InputError(f"alpha={self.alpha} of aqe must be at least 0")

    def apply(self, embedded: Embedded) -> Embedded:
        """Expands the queries."""
        found = embedded.nearest(self.neighbours)
        weights = found.similarity.clamp(min=0) ** self.alpha
        added = weighted_sums(weights, found.rows, embedded.gallery)
        return replace(embedded, queries=unit(embedded.queries + added))

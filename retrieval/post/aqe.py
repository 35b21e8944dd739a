"""Query expansion."""

from dataclasses import dataclass, replace
from typing import ClassVar

from lowlabel.errors import InputError
from lowlabel.retrieval.post.base import (
    Embedded,
    PostProcessing,
    require_whole_power,
    weighted_sums,
)
from lowlabel.retrieval.ranking.nearest import nearest
from lowlabel.scale import unit
from lowlabel.specs import added_option


@dataclass(frozen=True)
class QueryExpansion(PostProcessing):
    """α-weighted query expansion (αQE).

    Radenović, Tolias and Chum, "Fine-tuning CNN image retrieval with no human annotation", TPAMI
    2019, arXiv:1711.02512. A query becomes itself plus its nearest images, each weighted by its
    similarity to the power α; negative similarities count as 0. α = 0 is the average query
    expansion of Chum et al., ICCV 2007. The query itself has the weight 1; in leave-one-out its
    own image is not one of the neighbours. The gallery is not changed.

    The released code of Revaud et al., "Learning with average precision: training image retrieval
    with a listwise loss", ICCV 2019, arXiv:1906.07589, differs: if the query is an image of the
    gallery, its own image is one of the neighbours, so that it counts twice and one neighbour
    less is added; and a negative similarity keeps its sign where α is odd.

    Attributes:
        neighbours: Images added to each query.
        alpha: α.
        rule: "others" as described, or "reference" as in the released code.
    """

    name: ClassVar[str] = "aqe"
    neighbours: int = 10
    alpha: float = 3.0
    rule: str = added_option("others")

    def __post_init__(self) -> None:
        self.require_at_least("neighbours", 1)
        self.require_one_of("rule", ("others", "reference"))
        if self.alpha < 0:
            raise InputError(f"alpha={self.alpha} of aqe must be at least 0")
        if self.rule == "reference":
            require_whole_power(self, self.alpha)

    def apply(self, embedded: Embedded) -> Embedded:
        """Expands the queries."""
        if self.rule == "reference":
            found = nearest(embedded.queries, embedded.gallery, self.neighbours)
            weights = found.similarity**self.alpha
        else:
            found = embedded.nearest(self.neighbours)
            weights = found.similarity.clamp(min=0) ** self.alpha
        added = weighted_sums(weights, found.rows, embedded.gallery)
        return replace(embedded, queries=unit(embedded.queries + added), raw=None)

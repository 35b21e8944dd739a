"""Database augmentation."""

from dataclasses import dataclass, replace
from typing import ClassVar

import torch
from torch import Tensor

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
class DatabaseAugmentation(PostProcessing):
    """Database-side feature augmentation (DBA) with weights that fall with the rank.

    Turcot and Lowe, ICCV workshops 2009, with the weights of Gordo et al., "End-to-end learning
    of deep visual representations for image retrieval", IJCV 2017, arXiv:1610.07940: with K
    neighbours the r-th has the weight (K − r)/K, and the image itself is r = 0. The queries are
    not changed, not even in leave-one-out.

    The released code of Revaud et al., ICCV 2019, arXiv:1906.07589, weights an image's K
    neighbours as αQE does, by similarity^α, and the image itself by 1; negative similarities keep
    their sign where α is odd.

    Attributes:
        neighbours: K; by rank, the K-th neighbour has the weight 0.
        weights: "rank" as in the paper, or "reference" as in the released code.
        alpha: α of the released code; without meaning by rank.
    """

    name: ClassVar[str] = "dba"
    neighbours: int = 10
    weights: str = added_option("rank")
    alpha: float = added_option(3.0)

    def __post_init__(self) -> None:
        self.require_at_least("neighbours", 1)
        self.require_one_of("weights", ("rank", "reference"))
        if self.weights == "reference":
            require_whole_power(self, self.alpha)
        elif self.alpha != 3:
            raise InputError(
                f"alpha={self.alpha} of dba has no meaning with weights=rank",
                "Leave alpha out, or write weights=reference.",
            )

    def apply(self, embedded: Embedded) -> Embedded:
        """Augments the gallery."""
        gallery = embedded.gallery
        itself = torch.arange(len(gallery), device=gallery.device)
        found = nearest(gallery, gallery, self.neighbours, self_rows=itself)
        added = weighted_sums(self._weights(found.similarity), found.rows, gallery)
        return replace(embedded, gallery=unit(gallery + added), raw=None)

    def _weights(self, similarity: Tensor) -> Tensor:
        if self.weights == "reference":
            return similarity.pow(self.alpha)
        k = self.neighbours
        ranks = torch.arange(1, k + 1, dtype=similarity.dtype, device=similarity.device)
        return (1 - ranks / k).expand_as(similarity)

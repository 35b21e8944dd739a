"""Database augmentation."""

from dataclasses import dataclass, replace
from typing import ClassVar

import torch

from lowlabel.retrieval.post.base import Embedded, PostProcessing, weighted_sums
from lowlabel.retrieval.ranking.nearest import nearest
from lowlabel.scale import unit


@dataclass(frozen=True)
class DatabaseAugmentation(PostProcessing):
    """Database-side feature augmentation (DBA) with weights that fall with the rank.

    Turcot and Lowe, ICCV workshops 2009, with the weights of Gordo et al., "End-to-end learning
    of deep visual representations for image retrieval", IJCV 2017, arXiv:1610.07940: with K
    neighbours the r-th has the weight (K − r)/K, and the image itself is r = 0. The queries are
    not changed, not even in leave-one-out.

    Attributes:
        neighbours: K; the K-th neighbour has the weight 0.
    """

    name: ClassVar[str] = "dba"
    neighbours: int = 10

    def __post_init__(self) -> None:
        self.require_at_least("neighbours", 1)

    def apply(self, embedded: Embedded) -> Embedded:
        """Augments the gallery."""
        gallery, k = embedded.gallery, self.neighbours
        itself = torch.arange(len(gallery), device=gallery.device)
        found = nearest(gallery, gallery, k, self_rows=itself)
        ranks = torch.arange(1, k + 1, dtype=gallery.dtype, device=gallery.device)
        weights = (1 - ranks / k).expand(len(gallery), k)
        added = weighted_sums(weights, found.rows, gallery)
        return replace(embedded, gallery=unit(gallery + added))

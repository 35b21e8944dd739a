"""Bias-diminished cosine prototypes."""

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from lowlabel.fewshot.base import BaseStatistics
from lowlabel.fewshot.feature_norms import unit_rows
from lowlabel.fewshot.methods.normalized import Normalized
from lowlabel.fewshot.prototypes import product
from lowlabel.fewshot.rectification import rectified_prototypes


@dataclass(frozen=True)
class BdCspn(Normalized):
    """BD-CSPN: largest cosine to prototypes that the queries rectified.

    Jinlu Liu, Liang Song, Yongqiang Qin. Prototype Rectification for Few-Shot Learning. ECCV 2020.
    arXiv:1911.10713

    See `rectified_prototypes`. Queries are classified as they are, without the shift.

    Attributes:
        norm: See `Normalized`.
        scale: ε of the paper: how much more a similar query weighs.
    """

    name: ClassVar[str] = "bd-cspn"
    transductive: ClassVar[bool] = True

    scale: float = 10.0

    def __post_init__(self) -> None:
        super().__post_init__()
        self.require_positive("scale")

    def scores(self, support: Tensor, query: Tensor, base: BaseStatistics | None) -> Tensor:
        """The query's length times its cosine to each rectified prototype."""
        prototypes = rectified_prototypes(support, query, self.scale)
        return product(unit_rows(prototypes), query.transpose(1, 2)).transpose(1, 2)

"""BD-CSPN: bias-diminished cosine prototypes."""

from dataclasses import dataclass
from functools import partial
from typing import ClassVar

from torch import Tensor

from lowlabel.fewshot.base_statistics import BaseStatistics
from lowlabel.fewshot.methods.base import Lengths, Scorer, Seeds
from lowlabel.fewshot.methods.normalized import Normalized
from lowlabel.fewshot.prototypes import nearness, product
from lowlabel.fewshot.rectification import RECTIFICATIONS, rectified_prototypes
from lowlabel.fewshot.support import Support
from lowlabel.scale import unit


@dataclass(frozen=True)
class BdCspn(Normalized):
    """Nearest prototype, with prototypes rectified by the queries.

    Jinlu Liu, Liang Song, Yongqiang Qin. Prototype Rectification for Few-Shot Learning. ECCV 2020.
    arXiv:1911.10713

    The shift of the queries serves to rectify the prototypes only (see `rectified_prototypes`);
    the queries themselves are classified unshifted.

    Attributes:
        norm: See `Normalized`.
        scale: ε of the paper: how strongly similar images are weighted.
        rectification: "released" is the published code of Veilleux et al. (arXiv:2106.12617): the
            nearest prototype by squared distance. "paper" is the paper's formula: the nearest by
            cosine, 1 to 6 points lower on real features.
    """

    name: ClassVar[str] = "bd-cspn"
    rotation_invariant: ClassVar[bool] = True
    version: ClassVar[int] = 2
    transductive: ClassVar[bool] = True
    raw_lengths: ClassVar[Lengths] = "relative"

    norm: str = "cl2n"
    scale: float = 10.0
    rectification: str = "released"

    def __post_init__(self) -> None:
        super().__post_init__()
        self.require_positive("scale")
        self.require_one_of("rectification", RECTIFICATIONS)

    def fit(self, support: Support, base: BaseStatistics | None, seeds: Seeds) -> Scorer:
        """Scores all queries of a task together."""
        return partial(self._scores, support)

    def _scores(self, support: Support, query: Tensor) -> Tensor:
        """Minus half the squared distance, or the query's length times the cosine."""
        prototypes = rectified_prototypes(support, query, self.scale, self.rectification)
        if self.rectification == "released":
            return nearness(query, prototypes).transpose(1, 2)
        return product(unit(prototypes), query.transpose(1, 2)).transpose(1, 2)

"""Nearest class mean (centroid)."""

from dataclasses import dataclass
from typing import ClassVar

from lowlabel.fewshot.base_statistics import BaseStatistics
from lowlabel.fewshot.methods.base import Learned, Lengths, Scorer, Seeds
from lowlabel.fewshot.methods.normalized import Normalized
from lowlabel.fewshot.prototypes import nearness
from lowlabel.fewshot.support import Support


@dataclass(frozen=True)
class NearestCentroid(Normalized):
    """Nearest centroid in Euclidean distance, as in SimpleShot.

    Yan Wang, Wei-Lun Chao, Kilian Q. Weinberger, Laurens van der Maaten. SimpleShot: Revisiting
    Nearest-Neighbor Classification for Few-Shot Learning. 2019. arXiv:1911.04623

    A query belongs to the class whose mean support feature is nearest. On unnormalised features
    this is the classification rule of prototypical networks (Jake Snell, Kevin Swersky, Richard S.
    Zemel. NeurIPS 2017. arXiv:1703.05175).

    Attributes:
        norm: See `Normalized`.
    """

    name: ClassVar[str] = "ncm"
    rotation_invariant: ClassVar[bool] = True
    raw_lengths: ClassVar[Lengths] = "relative"
    learns_from: ClassVar[Learned] = "means"

    def fit(self, support: Support, base: BaseStatistics | None, seeds: Seeds) -> Scorer:
        """Half the squared distance to the first class's mean minus half of that to each mean."""
        means = support.means()
        return lambda query: nearness(query, means).transpose(1, 2)

"""Nearest centroid."""

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from lowlabel.fewshot.base import BaseStatistics
from lowlabel.fewshot.feature_norms import unit_rows
from lowlabel.fewshot.methods.base import Method


@dataclass(frozen=True)
class NearestCentroid(Method):
    """Nearest centroid in Euclidean distance, as in SimpleShot.

    Yan Wang, Wei-Lun Chao, Kilian Q. Weinberger, Laurens van der Maaten. SimpleShot: Revisiting
    Nearest-Neighbor Classification for Few-Shot Learning. 2019. arXiv:1911.04623

    A class is the mean of its support features; a query belongs to the class of the nearest mean.
    On unnormalised features that is the classification rule of prototypical networks (Jake Snell,
    Kevin Swersky, Richard S. Zemel. NeurIPS 2017. arXiv:1703.05175).

    Attributes:
        norm: What is done to each feature before: "none" (UN in the paper), "l2n" (scaled to
            length 1), or "cl2n" (the mean of the base images subtracted, then scaled).
    """

    name: ClassVar[str] = "ncm"

    norm: str = "none"

    def __post_init__(self) -> None:
        self.require_one_of("norm", ("none", "l2n", "cl2n"))

    @property
    def needs_base(self) -> bool:
        """Only for the centre of "cl2n"."""
        return self.norm == "cl2n"

    def transform(self, features: Tensor, base: BaseStatistics | None) -> Tensor:
        """Centres and normalises as `norm` says, [N, D] → [N, D]."""
        if self.needs_base:
            features = features - self.require_base(base).mean
        return features if self.norm == "none" else unit_rows(features)

    def scores(self, support: Tensor, query: Tensor, base: BaseStatistics | None) -> Tensor:
        """Half the squared distance to the first class's mean minus half of that to each mean."""
        means = support.mean(2)
        first = means[:, :1]
        apart = means - first
        # ½|q-m₀|² - ½|q-m|² = q·(m-m₀) - (m₀ + ½(m-m₀))·(m-m₀): no large terms cancel, and equal
        # means give an exact 0.
        offset = ((first + apart / 2) * apart).sum(-1)
        return torch.baddbmm(-offset[:, None], query, apart.transpose(1, 2))

"""Cosine similarity to the class prototype."""

from dataclasses import dataclass
from typing import ClassVar

from lowlabel.fewshot.base_statistics import BaseStatistics
from lowlabel.fewshot.methods.base import Learned, Lengths, Method, Scorer, Seeds
from lowlabel.fewshot.support import Support
from lowlabel.scale import unit


@dataclass(frozen=True)
class Cosine(Method):
    """Largest cosine between the query and the mean of a class's raw support features.

    Spyros Gidaris, Nikos Komodakis. Dynamic Few-Shot Visual Learning without Forgetting. CVPR 2018.
    arXiv:1804.09458

    It differs from `ncm,norm=l2n` in the order: here the raw features are averaged and the mean is
    scaled to length 1; there each feature is scaled and the mean is not. With one shot both give
    the same predictions.
    """

    name: ClassVar[str] = "cosine"
    rotation_invariant: ClassVar[bool] = True
    learns_from: ClassVar[Learned] = "means"

    @property
    def lengths(self) -> Lengths:
        """The mean of the support weights its images by length."""
        return "relative"

    def fit(self, support: Support, base: BaseStatistics | None, seeds: Seeds) -> Scorer:
        """The query's length times (cosine to each class minus cosine to the first one)."""
        prototypes = unit(support.means())
        # Without this subtraction equal prototypes may get scores that differ by rounding.
        differences = prototypes - prototypes[:, :1]
        return lambda query: query @ differences.transpose(1, 2)

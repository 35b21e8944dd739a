"""The base of methods that begin with SimpleShot's normalisation."""

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from lowlabel.errors import InputError
from lowlabel.fewshot.base_statistics import BaseStatistics
from lowlabel.fewshot.methods.base import Lengths, Method
from lowlabel.scale import magnitudes, unit

_MOST_APART = 2.0**12  # a longer base mean leaves fewer than half of the digits of float32


@dataclass(frozen=True)
class Normalized(Method):
    """A method whose features can be normalised as in SimpleShot (arXiv:1911.04623).

    Attributes:
        norm: Normalisation of each feature: "none" (UN in the paper), "l2" (scaled to length 1;
            kept as "l2n", as records name it), or "cl2n" (centred on the mean of the base images,
            then scaled to length 1).
        raw_lengths: Which lengths count without normalisation; see `Method.lengths`.
    """

    raw_lengths: ClassVar[Lengths] = "absolute"
    norm: str = "none"

    def __post_init__(self) -> None:
        self.require_one_of("norm", ("none", "l2", "l2n", "cl2n"))
        if self.norm == "l2":
            object.__setattr__(self, "norm", "l2n")

    @property
    def needs_base(self) -> bool:
        """True for "cl2n", which subtracts the base mean."""
        return self.norm == "cl2n"

    @property
    def lengths(self) -> Lengths:
        """The base mean of "cl2n" ties the scales of all features together."""
        return {"none": self.raw_lengths, "l2n": "ignored", "cl2n": "relative"}[self.norm]

    def transform(self, features: Tensor, base: BaseStatistics | None) -> Tensor:
        """Applies `norm`, [N, D] → [N, D]."""
        if self.norm == "cl2n":
            features = features - self.require_base(base).mean
        return features if self.norm == "none" else unit(features)

    def require_comparable(
        self, lengths: Tensor, transformed: Tensor, base: BaseStatistics | None
    ) -> None:
        """Features are no rounding beside the base mean that "cl2n" subtracts."""
        if self.norm != "cl2n":
            return
        usual = lengths[lengths > 0].median() if lengths.any() else torch.inf
        ratio = float(magnitudes(self.require_base(base).mean) / usual)
        if ratio > _MOST_APART:
            raise InputError(
                f"{self.spec} subtracts the mean of the base features, whose largest entry is "
                f"{ratio:.3g} times that of the median row: beside it, the features are rounding",
                "Extract both with one model and the same preprocessing, or use norm=l2.",
            )

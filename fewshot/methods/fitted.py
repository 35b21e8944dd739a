"""The base of classifiers that are fitted to each task's support."""

from torch import Tensor

from lowlabel.fewshot.base_statistics import BaseStatistics
from lowlabel.fewshot.feature_norms import FEATURE_NORMS, apply_norm
from lowlabel.fewshot.methods.base import Lengths, Method


class Fitted(Method):
    """A method whose features are first raised to Tukey's power, scaled to length 1, or both.

    Attributes:
        norm: One of `FEATURE_NORMS`, in which "l2n" is accepted for "l2"; each subclass declares
            it as a field.
    """

    norm: str

    def __post_init__(self) -> None:
        self.require_one_of("norm", (*FEATURE_NORMS, "l2n", "tukey-l2n"))
        object.__setattr__(self, "norm", self.norm.replace("l2n", "l2"))

    @property
    def needs_non_negative(self) -> bool:
        """True if the norm includes Tukey's power."""
        return self.norm.startswith("tukey")

    @property
    def lengths(self) -> Lengths:
        """Without scaling to length 1 the penalty decides by the lengths."""
        return "ignored" if self.norm.endswith("l2") else "absolute"

    def transform(self, features: Tensor, base: BaseStatistics | None) -> Tensor:
        """Applies `norm`, [N, D] → [N, D]."""
        return apply_norm(features, self.norm)

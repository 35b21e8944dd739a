"""α-TIM: TIM with α-entropies."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from lowlabel.errors import InputError
from lowlabel.fewshot.methods.tim import Tim
from lowlabel.specs import Option


@dataclass(frozen=True)
class AlphaTim(Tim):
    """TIM with Tsallis's α-entropies, which do not force equal class shares.

    Olivier Veilleux, Malik Boudiaf, Pablo Piantanida, Ismail Ben Ayed. Realistic Evaluation of
    Transductive Few-Shot Learning. NeurIPS 2021. arXiv:2204.11181

    H(p) = (1 - Σ p^alpha) / (alpha - 1) replaces Shannon's entropy in the marginal and the
    conditional entropy, and all three weights are 1. The support keeps its cross-entropy.

    Attributes:
        alpha: Order of the entropies, above 1. The paper tunes it on validation classes.
        norm: See `Normalized`.
        temperature: As in `Tim`, like all other options.
    """

    name: ClassVar[str] = "alpha-tim"
    grid: ClassVar[Mapping[str, tuple[Option, ...]]] = {"alpha": (2.0, 3.0, 5.0, 7.0)}

    marginal: float = 1.0
    alpha: float = 5.0

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 1 < self.alpha < float("inf"):
            raise InputError(f"alpha={self.alpha} of {self.name} must be above 1 and finite")

    def entropy_derivative(self, p: Tensor) -> Tensor:
        """∂H/∂p of Tsallis's entropy, -alpha / (alpha - 1) · p^(alpha - 1)."""
        return -self.alpha / (self.alpha - 1) * p ** (self.alpha - 1)

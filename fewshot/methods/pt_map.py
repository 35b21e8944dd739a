"""PT-MAP."""

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from lowlabel.errors import InputError
from lowlabel.fewshot.base_statistics import BaseStatistics
from lowlabel.fewshot.feature_norms import unit_rows
from lowlabel.fewshot.methods.base import Method
from lowlabel.fewshot.prototypes import nearness, shared_means
from lowlabel.fewshot.solvers.sinkhorn import balance

_ABOVE_ZERO = 1e-6


@dataclass(frozen=True)
class PtMap(Method):
    """Power transform, then prototypes and balanced assignments in turn.

    Yuqing Hu, Vincent Gripon, Stéphane Pateux. Leveraging the Feature Distribution in
    Transfer-based Few-Shot Learning. ICANN 2021. arXiv:2006.03806

    Features are raised to a power, scaled to length 1, and centred and scaled again, support and
    queries each by their own mean. Queries are then assigned by optimal transport (Sinkhorn), which
    is told that all classes have equally many, and prototypes move towards the means so found. The
    reference also rotates the features by a QR decomposition, which changes no distance.

    Attributes:
        beta: The power. 1 leaves the transform out, as signed features need it.
        scale: λ of the paper: inverse temperature of the transport.
        rate: α of the paper: how far prototypes move.
        iterations: Times that they move.
    """

    name: ClassVar[str] = "pt-map"
    transductive: ClassVar[bool] = True

    beta: float = 0.5
    scale: float = 10.0
    rate: float = 0.2
    iterations: int = 20

    def __post_init__(self) -> None:
        for option in ("beta", "scale", "rate", "iterations"):
            self.require_positive(option)

    @property
    def needs_non_negative(self) -> bool:
        """Unless the power leaves everything as it is."""
        return self.beta != 1

    def transform(self, features: Tensor, base: BaseStatistics | None) -> Tensor:
        """The power transform and the first scaling, [N, D] → [N, D]."""
        if self.needs_non_negative:
            lowest = features.min().item()
            if lowest < 0:
                raise InputError(
                    f"{self.spec} takes powers of features, and the lowest is {lowest:.3g}",
                    "Use features that are not negative, or pt-map,beta=1.",
                )
            features = (features + _ABOVE_ZERO) ** self.beta
        return unit_rows(features)

    def scores(self, support: Tensor, query: Tensor, base: BaseStatistics | None) -> Tensor:
        """The logarithm of the last transport plan."""
        support = _centred(support.flatten(1, 2)).view_as(support)
        query = _centred(query)
        prototypes = support.mean(2)
        addend = torch.zeros_like(prototypes[..., :1], dtype=torch.float64)
        for _ in range(self.iterations):
            addend, logits = self._assign(query, prototypes, addend)
            means = shared_means(support, query, logits.softmax(1).to(query.dtype))
            prototypes = prototypes.lerp(means, self.rate)
        return self._assign(query, prototypes, addend)[1].transpose(1, 2)

    def _assign(self, query: Tensor, prototypes: Tensor, addend: Tensor) -> tuple[Tensor, Tensor]:
        logits = 2 * self.scale * nearness(query, prototypes).double()
        addend = balance(logits, addend)
        return addend, logits + addend


def _centred(points: Tensor) -> Tensor:
    return unit_rows(points - points.mean(1, keepdim=True))

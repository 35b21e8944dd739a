"""PT-MAP: power transform and maximum a posteriori prototypes."""

from dataclasses import dataclass
from functools import partial
from typing import ClassVar

import torch
from torch import Tensor

from lowlabel.fewshot.base_statistics import BaseStatistics
from lowlabel.fewshot.methods.base import Lengths, Method, Scorer, Seeds
from lowlabel.fewshot.prototypes import nearness, soft_means
from lowlabel.fewshot.solvers.sinkhorn import balance
from lowlabel.fewshot.support import Support
from lowlabel.scale import order_one, unit

_EPSILON = 1e-6  # beside a row's largest magnitude of 1 to 2


@dataclass(frozen=True)
class PtMap(Method):
    """Power transform, then balanced assignments and prototype updates in turn.

    Yuqing Hu, Vincent Gripon, Stéphane Pateux. Leveraging the Feature Distribution in
    Transfer-based Few-Shot Learning. ICANN 2021. arXiv:2006.03806

    Features are raised to a power, scaled to length 1, centred and scaled again; support and
    queries are each centred by their own mean. Each iteration assigns the queries by optimal
    transport with equally many queries per class (Sinkhorn), and moves the prototypes towards the
    means of the classes:

        plan = the balanced softmax(-scale · squared distance + potentials)
        prototype ← prototype + rate · (mean over the support and plan-weighted queries - prototype)

    The reference also rotates the features by a QR decomposition, which changes no distance.

    Attributes:
        beta: The power. 1 leaves the features as they are, which signed features need.
        scale: λ of the paper: inverse temperature of the transport.
        rate: α of the paper: step size of the prototypes.
        iterations: Number of prototype updates.
    """

    name: ClassVar[str] = "pt-map"
    iterated: ClassVar[bool] = True
    version: ClassVar[int] = 2
    transductive: ClassVar[bool] = True
    signed_alternative: ClassVar[str] = "pt-map,beta=1"

    beta: float = 0.5
    scale: float = 10.0
    rate: float = 0.2
    iterations: int = 20

    def __post_init__(self) -> None:
        for option in ("beta", "scale", "rate", "iterations"):
            self.require_positive(option)

    @property
    def lengths(self) -> Lengths:
        """All features are scaled to length 1."""
        return "ignored"

    @property
    def needs_non_negative(self) -> bool:
        """True unless the power is 1."""
        return self.beta != 1

    def transform(self, features: Tensor, base: BaseStatistics | None) -> Tensor:
        """Applies the power and the first scaling, [N, D] → [N, D]."""
        if self.needs_non_negative:
            features = (order_one(features) + _EPSILON) ** self.beta
        return unit(features)

    def fit(self, support: Support, base: BaseStatistics | None, seeds: Seeds) -> Scorer:
        """Scores all queries of a task together."""
        return partial(self._scores, support)

    def _scores(self, support: Support, query: Tensor) -> Tensor:
        """Logarithm of the last transport plan, up to a constant of the query."""
        support = support.with_rows(_centred(support.rows))
        query = _centred(query)
        prototypes = support.means()
        potentials = torch.zeros_like(prototypes[..., :1], dtype=torch.float64)
        for _ in range(self.iterations):
            potentials, logits = self._transport(query, prototypes, potentials)
            means = soft_means(support, query, logits.softmax(1).to(query.dtype))
            prototypes = prototypes.lerp(means, self.rate)
        return self._transport(query, prototypes, potentials)[1].transpose(1, 2)

    def _transport(
        self, query: Tensor, prototypes: Tensor, potentials: Tensor
    ) -> tuple[Tensor, Tensor]:
        """The potentials that balance the plan, [T, K, 1], and the plan's logits, [T, K, Q]."""
        logits = 2 * self.scale * nearness(query, prototypes).double()
        potentials = balance(logits, potentials)
        return potentials, logits + potentials


def _centred(points: Tensor) -> Tensor:
    """Points minus the mean of their task, scaled to length 1, [T, n, D]."""
    return unit(points - points.mean(1, keepdim=True))

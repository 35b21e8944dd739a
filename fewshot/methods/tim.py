"""Transductive information maximisation."""

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from lowlabel.fewshot.base_statistics import BaseStatistics
from lowlabel.fewshot.methods.normalized import Normalized
from lowlabel.fewshot.prototypes import nearness, product
from lowlabel.fewshot.solvers.adam import Adam

_ABOVE_ZERO = 1e-12


@dataclass(frozen=True)
class Tim(Normalized):
    """TIM-GD: prototypes trained on each task's support labels and its queries' information.

    Malik Boudiaf, Imtiaz Masud Ziko, Jérôme Rony, Jose Dolz, Pablo Piantanida, Ismail Ben Ayed.
    Transductive Information Maximization for Few-Shot Learning. NeurIPS 2020. arXiv:2008.11297

    With p = softmax(-½ · temperature · squared distance), Adam minimises
    cross_entropy · (that of the support) - marginal · H(mean p of the queries) + conditional ·
    (mean H(p) of the queries), from the class means on. The gradient is written out: two products a
    step.

    Attributes:
        norm: See `Normalized`.
        temperature: Inverse temperature of p.
        cross_entropy: Weight of the support's labels.
        marginal: Weight of the queries' spread over the classes.
        conditional: Weight of each query's certainty.
        rate: Adam's step size.
        iterations: Steps.
    """

    name: ClassVar[str] = "tim"
    transductive: ClassVar[bool] = True

    norm: str = "l2n"
    temperature: float = 15.0
    cross_entropy: float = 1.0
    marginal: float = 10.0
    conditional: float = 1.0
    rate: float = 1e-4
    iterations: int = 1000

    def __post_init__(self) -> None:
        super().__post_init__()
        for option in ("temperature", "cross_entropy", "marginal", "conditional", "rate"):
            self.require_positive(option)
        self.require_positive("iterations")

    def scores(self, support: Tensor, query: Tensor, base: BaseStatistics | None) -> Tensor:
        """Half the squared distance to the first trained prototype minus half of that to each."""
        points = torch.cat([support.flatten(1, 2), query], 1)
        labelled, prototypes = support.shape[1] * support.shape[2], support.mean(2)
        sums, weight = support.sum(2), self.cross_entropy / labelled
        adam = Adam(prototypes, self.rate)
        for _ in range(self.iterations):
            slope = self._slope(self.temperature * nearness(points, prototypes), labelled)
            total = slope.sum(-1, keepdim=True) - weight * support.shape[2]
            gradient = product(slope, points) - weight * sums - total * prototypes
            prototypes = adam.step(prototypes, self.temperature * gradient)
        return nearness(query, prototypes).transpose(1, 2)

    def entropy_slope(self, p: Tensor) -> Tensor:
        """Derivative of the entropy by p, up to a constant."""
        return -(p + _ABOVE_ZERO).log()

    def _slope(self, logits: Tensor, labelled: int) -> Tensor:
        """Derivative of the loss by the logits of support and queries, [T, K, n].

        What the support's own labels add, -cross_entropy / labelled at each, is left out.
        """
        known, p = logits.softmax(1).tensor_split([labelled], 2)
        shared = self.entropy_slope(p.mean(2, keepdim=True))
        slope = self.conditional * self.entropy_slope(p) - self.marginal * shared
        slope = p * (slope - (p * slope).sum(1, keepdim=True)) / p.shape[2]
        return torch.cat([self.cross_entropy / labelled * known, slope], 2)

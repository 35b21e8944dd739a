"""TIM: transductive information maximisation."""

from dataclasses import dataclass
from functools import partial
from typing import ClassVar

import torch
from torch import Tensor

from lowlabel.errors import InputError
from lowlabel.fewshot.base_statistics import BaseStatistics
from lowlabel.fewshot.methods.base import Scorer, Seeds
from lowlabel.fewshot.methods.normalized import Normalized
from lowlabel.fewshot.prototypes import nearness, product
from lowlabel.fewshot.solvers.adam import Adam
from lowlabel.fewshot.support import Support

_EPSILON = 1e-12


@dataclass(frozen=True)
class Tim(Normalized):
    """TIM-GD: prototypes trained on the support's labels and the queries' mutual information.

    Malik Boudiaf, Imtiaz Masud Ziko, Jérôme Rony, Jose Dolz, Pablo Piantanida, Ismail Ben Ayed.
    Transductive Information Maximization for Few-Shot Learning. NeurIPS 2020. arXiv:2008.11297

    With p = softmax(-½ · temperature · squared distance to each prototype), Adam minimises

        loss = cross_entropy · support_cross_entropy
             - marginal · marginal_entropy + conditional · conditional_entropy

        support_cross_entropy = mean over the support of -log p[label]
        marginal_entropy      = H(mean of p over the queries)
        conditional_entropy   = mean over the queries of H(p)

    from the class means on. The gradient is written out, which takes two products per step.

    Attributes:
        norm: See `Normalized`.
        temperature: Inverse temperature of p.
        cross_entropy: Weight of the support's cross-entropy.
        marginal: Weight of the marginal entropy, which spreads the queries over the classes.
        conditional: Weight of the conditional entropy, which makes each prediction certain.
        rate: Adam's step size.
        iterations: Number of steps.
    """

    name: ClassVar[str] = "tim"
    iterated: ClassVar[bool] = True
    block_mib: ClassVar[int] = 4  # hundreds of steps read them, from the cache
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

    def fit(self, support: Support, base: BaseStatistics | None, seeds: Seeds) -> Scorer:
        """Scores all queries of a task together."""
        return partial(self._scores, support)

    def _scores(self, support: Support, query: Tensor) -> Tensor:
        """Half the squared distance to the first trained prototype minus half of that to each."""
        points, labelled = torch.cat([support.rows, query], 1), support.rows.shape[1]
        prototypes, support_sums = support.means(), support.sums()
        label_weight = self.cross_entropy / labelled
        weights = [label_weight * size for size in support.sizes]
        class_weights = support.of_each_class(weights, prototypes.dtype)[:, None]
        self._require_small_steps(support.rows)
        adam = Adam(prototypes, self.rate)
        for _ in range(self.iterations):
            logits = self.temperature * nearness(points, prototypes)
            by_logits = self._loss_by_logits(logits, labelled)
            # ∂logit/∂prototype = temperature · (point - prototype), summed over the points. The
            # labels' part of the cross-entropy is -label_weight at each support image.
            totals = by_logits.sum(-1, keepdim=True) - class_weights
            by_prototypes = (
                product(by_logits, points) - label_weight * support_sums - totals * prototypes
            )
            prototypes = adam.step(prototypes, self.temperature * by_prototypes)
        return nearness(query, prototypes).transpose(1, 2)

    def _require_small_steps(self, support: Tensor) -> None:
        """Raises an `InputError` if one step of Adam is longer than the features."""
        largest = support.abs().max().item()
        if self.lengths == "absolute" and 0 < largest < self.rate:
            raise InputError(
                f"rate={self.rate} of {self.spec} is larger than the largest entry of the "
                f"features, {largest:.3g}",
                "Use a smaller rate, or norm=l2.",
            )

    def entropy_derivative(self, p: Tensor) -> Tensor:
        """∂H/∂p of Shannon's entropy, -log p, up to a constant, which softmax cancels."""
        return -(p + _EPSILON).log()

    def _loss_by_logits(self, logits: Tensor, labelled: int) -> Tensor:
        """Derivative of the loss by the logits of support and queries, [T, K, n].

        Support: cross_entropy · (p - label) / labelled, here without the label. Queries:
        p · (g - Σ p·g) / queries, where g / queries is the loss's derivative by p. Each term below
        is the derivative of the one of the same name in the loss.
        """
        support_p, p = logits.softmax(1).tensor_split([labelled], 2)
        support_cross_entropy = self.cross_entropy / labelled * support_p
        marginal_entropy = self.entropy_derivative(p.mean(2, keepdim=True))
        conditional_entropy = self.entropy_derivative(p)
        g = self.conditional * conditional_entropy - self.marginal * marginal_entropy
        information = p * (g - (p * g).sum(1, keepdim=True)) / p.shape[2]
        return torch.cat([support_cross_entropy, information], 2)

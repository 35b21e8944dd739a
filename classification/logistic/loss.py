"""The mean cross-entropy of a linear classifier and its gradient, in float64."""

from dataclasses import dataclass

import torch
from torch import Tensor

from lowlabel.classification.logistic.examples import Examples


@dataclass(frozen=True)
class Point:
    """Parameters, with what does not depend on the penalty: it serves every C.

    Attributes:
        params: Weights and intercept of each class, float64 [K, D + 1].
        loss: Mean cross-entropy.
        gradient: Gradient of the loss, [K, D + 1].
        uncertainty: 1 - Σ p² over the probabilities p of the classes, float64 [N]: the trace of
            each loss's curvature by the logits.
    """

    params: Tensor
    loss: float
    gradient: Tensor
    uncertainty: Tensor

    def objective(self, alpha: float) -> float:
        """Loss + α/2 · |W|²."""
        return self.loss + alpha / 2 * float(self.params[:, :-1].square().sum())

    def slope(self, alpha: float) -> Tensor:
        """Gradient of the objective, [K, D + 1]; the intercepts are not penalised."""
        gradient = self.gradient.clone()
        gradient[:, :-1] += alpha * self.params[:, :-1]
        return gradient


def evaluate(examples: Examples, params: Tensor) -> Point:
    """Loss and gradient in one pass over the examples.

    What a confident example adds is computed from the probabilities of the other classes, so that
    no digit is lost where the own class has nearly all of the probability.
    """
    loss = params.new_zeros(())
    gradient, uncertainty = torch.zeros_like(params), params.new_empty(len(examples))
    weight, bias = params[:, :-1].T, params[:, -1]
    for rows in examples.blocks():
        x, target = examples.block(rows), examples.targets[rows, None]
        logits = torch.addmm(bias, x, weight)
        logits -= logits.amax(1, keepdim=True)
        own = logits.gather(1, target)
        p = logits.exp_()
        total = p.sum(1, keepdim=True)
        p /= total
        p.scatter_(1, target, 0.0)
        others = p.sum(1, keepdim=True)
        loss += torch.where(others < 0.5, -torch.log1p(-others), total.log() - own).sum()
        uncertainty[rows] = (2 * others - others**2)[:, 0] - torch.linalg.vecdot(p, p)
        residuals = p.scatter_(1, target, -others)
        gradient[:, :-1].addmm_(residuals.T, x)
        gradient[:, -1] += residuals.sum(0)
    count = len(examples)
    return Point(params, float(loss) / count, gradient / count, uncertainty.clamp_min_(0))

"""Binary cross-entropies of many labels, summed: each label is fitted by itself, all at once.

The Hessian of the sum has a block for each label. One product of matrices serves all of them, and
one second moment of the features their preconditioners.
"""

from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import logsigmoid

from lowlabel.classification.logistic.blockwise import BlockwiseHessian
from lowlabel.classification.logistic.examples import Examples
from lowlabel.classification.logistic.loss import Point
from lowlabel.classification.logistic.newton import Loss


def evaluate_labels(examples: Examples, params: Tensor) -> Point:
    """Sum over labels of the mean loss, and its gradient, in one pass over the examples.

    Args:
        examples: `targets` say whether each example has each label, bool [N, L].
        params: Weights and intercept of each label, float64 [L, D + 1].
    """
    loss = params.new_zeros(())
    gradient, uncertainty = torch.zeros_like(params), params.new_empty(len(examples))
    weight, bias = params[:, :-1].T, params[:, -1]
    for rows in examples.blocks():
        x, has_label = examples.block(rows), examples.targets[rows]
        against = torch.addmm(bias, x, weight)
        against = torch.where(has_label, -against, against)  # logit of the wrong side
        loss -= logsigmoid(-against).sum()
        wrong = torch.sigmoid(against)
        uncertainty[rows] = (wrong * torch.sigmoid(-against)).sum(1)
        residuals = torch.where(has_label, -wrong, wrong)
        gradient[:, :-1].addmm_(residuals.T, x)
        gradient[:, -1] += residuals.sum(0)
    count = len(examples)
    return Point(params, float(loss) / count, gradient / count, uncertainty)


class _Block(NamedTuple):
    """Some examples: features [B, D], and the curvature of each loss by its logit [B, L]."""

    x: Tensor
    curvature: Tensor


@dataclass(frozen=True)
class LabelPreconditioner:
    """An approximate inverse Hessian for each label, of one shape and different sizes.

    Attributes:
        axes: Eigenvectors of the mean second moment of the features, [D, D].
        inverse: Inverse curvature along each, penalty included, [L, D].
        bias: Inverse curvature of each intercept, [L].
        mean: Features at which an intercept is independent of the weights, [L, D].
    """

    axes: Tensor
    inverse: Tensor
    bias: Tensor
    mean: Tensor

    def __call__(self, gradient: Tensor) -> Tensor:
        """The approximate Newton step for a gradient [L, D + 1]."""
        shift = gradient[:, -1]
        along = (gradient[:, :-1] - shift[:, None] * self.mean) @ self.axes
        weight = (along * self.inverse) @ self.axes.T
        bias = self.bias * shift - torch.linalg.vecdot(weight, self.mean)
        return torch.cat([weight, bias[:, None]], 1)


class LabelCurvature(BlockwiseHessian[slice, _Block]):
    """The Hessian of the losses of labels at a point.

    Args:
        examples: The examples.
        point: Where.
        alpha: Weight of the penalty.
    """

    def __init__(self, examples: Examples, point: Point, alpha: float) -> None:
        super().__init__(examples, point, alpha, [*examples.blocks()], len(examples))

    def preconditioner(self) -> LabelPreconditioner:
        """From the second moment over the labels, in which each label weighs the same."""
        params = self._point.params
        total, first = params.new_zeros(len(params)), torch.zeros_like(params[:, :-1])
        for block in self._blocks():
            total += block.curvature.sum(0)
            first += block.curvature.T @ block.x
        total.clamp_min_(1e-300)
        mean, share = first / total[:, None], 1 / (total * len(total))
        gram = params.new_zeros(mean.shape[1], mean.shape[1])
        center = mean.mean(0)
        for block in self._blocks():
            x = block.x.double()
            gram.addmm_(x.T, x * (block.curvature.double() @ share)[:, None])
        gram -= torch.outer(center, center)
        moments, axes = torch.linalg.eigh((gram + gram.T) / 2)
        curved = total / len(self._examples)
        inverse = 1 / (torch.outer(curved, moments.clamp_min(0)) + self._alpha + 1e-30)
        return LabelPreconditioner(axes, inverse, 1 / curved.clamp_min(1e-12), mean)

    def _size(self, magnitudes: Tensor) -> Tensor:
        return magnitudes.amax(1, keepdim=True)

    def _curved(self, block: _Block, logits: Tensor) -> Tensor:
        """The logits times p · (1 - p)."""
        return logits.mul_(block.curvature)

    def _block(self, part: slice) -> _Block:
        params, x = self._point.params.float(), self._examples.block(part).float()
        logits = torch.addmm(params[:, -1], x, params[:, :-1].T)
        return _Block(x, torch.sigmoid(logits) * torch.sigmoid(-logits))


def _penalty(c: float, labels: int) -> float:
    """Each label has one weight vector, as scikit-learn's `LogisticRegression` of two classes."""
    return c


BINARY_CROSS_ENTROPIES = Loss(evaluate_labels, LabelCurvature, _penalty)

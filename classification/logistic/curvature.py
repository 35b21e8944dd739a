"""The Hessian of the cross-entropy of classes, and a preconditioner for it."""

from dataclasses import dataclass

import torch
from torch import Tensor

from lowlabel.classification.logistic.blockwise import BlockwiseHessian
from lowlabel.classification.logistic.examples import Examples
from lowlabel.classification.logistic.loss import Point
from lowlabel.fewshot.solvers.cholesky import cholesky

_NEGLECTED = 1e-4  # share of the curvature that may be left out
_FEWEST = 0.1  # share of the examples below which leaving them out does not pay


@dataclass(frozen=True)
class _Block:
    """Some examples: features [B, D], probabilities [B, K], classes [B, 1], uncertainty [B, 1]."""

    x: Tensor
    p: Tensor
    target: Tensor
    uncertainty: Tensor


@dataclass(frozen=True)
class Preconditioner:
    """An approximate inverse Hessian, the same for every class.

    Attributes:
        weight: Block of the weights, [D, D].
        bias: Entry of the intercept.
        mean: Features at which the intercept is independent of the weights, [D].
    """

    weight: Tensor
    bias: float
    mean: Tensor

    def __call__(self, gradient: Tensor) -> Tensor:
        """The approximate Newton step for a gradient [K, D + 1]."""
        shift = gradient[:, -1:]
        weight = (gradient[:, :-1] - shift * self.mean) @ self.weight
        bias = self.bias * shift - (weight @ self.mean)[:, None]
        return torch.cat([weight, bias], 1)


class Curvature(BlockwiseHessian[Tensor, _Block]):
    """The Hessian at a point, from the examples whose class is uncertain.

    Confident examples have nearly no curvature; together they may make up a small share of it.

    Args:
        examples: The examples.
        point: Where.
        alpha: Weight of the penalty.
    """

    def __init__(self, examples: Examples, point: Point, alpha: float) -> None:
        rows = _uncertain(point.uncertainty)
        super().__init__(examples, point, alpha, rows.split(examples.block_rows), len(rows))

    def preconditioner(self) -> Preconditioner:
        """From the mean curvature over the classes: one factor serves them all.

        Second moments are added in float64: directions of little variance are lost in float32.
        """
        width = self._examples.x.width
        gram = self._point.params.new_zeros(width, width)
        total, mean = gram.new_zeros(()), gram.new_zeros(width)
        for block in self._blocks():
            x = block.x.double()
            weighted = x * block.uncertainty
            gram.addmm_(x.T, weighted)
            mean += weighted.sum(0)
            total += block.uncertainty.sum()
        mean /= total.clamp_min(1e-300)
        share = 1 / (len(self._examples) * max(1, self._examples.classes - 1))
        gram = (gram - total * torch.outer(mean, mean)) * share
        gram.diagonal().add_(self._alpha + 1e-30)
        inverse = torch.cholesky_inverse(cholesky((gram + gram.T) / 2))
        return Preconditioner(inverse, 1 / max(float(total) * share, 1e-12), mean)

    def _size(self, magnitudes: Tensor) -> Tensor:
        return magnitudes.amax()

    def _curved(self, block: _Block, logits: Tensor) -> Tensor:
        """Of logits u, shifted so that the own class has 0: p · (u - Σ p·u)."""
        logits -= logits.gather(1, block.target)
        logits -= torch.linalg.vecdot(logits, block.p)[:, None]
        return logits.mul_(block.p)

    def _block(self, part: Tensor) -> _Block:
        params, x = self._point.params.float(), self._examples.block(part).float()
        p = torch.addmm(params[:, -1], x, params[:, :-1].T).softmax(1)
        uncertainty = self._point.uncertainty[part, None].float()
        return _Block(x, p, self._examples.targets[part, None], uncertainty)


def _uncertain(uncertainty: Tensor) -> Tensor:
    """Rows that hold nearly all of the curvature, in ascending order."""
    ordered, order = uncertainty.sort()
    below = ordered.cumsum(0) <= _NEGLECTED * ordered.sum()
    left_out = int(below.sum())
    if not _FEWEST * len(order) < left_out < len(order):
        left_out = 0
    return order[left_out:].sort().values

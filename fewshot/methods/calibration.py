"""The calibrated Gaussians of many tasks: sampled from, and a classifier fitted to the samples."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import one_hot

from lowlabel.fewshot.gaussians import BaseGaussians
from lowlabel.fewshot.methods.normals import standard_normals
from lowlabel.fewshot.solvers.lbfgs import Tolerance, minimize
from lowlabel.fewshot.solvers.logistic import LinearClassifiers, penalty_ratio
from lowlabel.fewshot.solvers.softmax_loss import Moments, SoftmaxLoss

# scikit-learn's own is a gradient of 1e-4·c·n.
TOLERANCE = Tolerance(decrement=1e-5, gradient=5e-5)
_COLUMNS = 64


@dataclass(frozen=True)
class Calibration:
    """A Gaussian around each support image of T tasks, with statistics of its nearest base classes.

    All vectors are relative to the tasks' centres, which spares the samples a centring.

    Attributes:
        base: The base classes' statistics.
        alpha: Added to every entry of the covariances.
        support: Features of the labelled images, [T, ways, shots, D].
        neighbours: The nearest base classes of each, ascending, [T, ways, shots, k].
        means: Means of the Gaussians, [T, ways, shots, D].
        centre: Mean over a task's Gaussians, [T, D].
    """

    base: BaseGaussians
    alpha: float
    support: Tensor
    neighbours: Tensor
    means: Tensor
    centre: Tensor

    @classmethod
    def of(cls, support: Tensor, base: BaseGaussians, k: int, alpha: float) -> "Calibration":
        """Calibrates with the `k` nearest base classes of each support feature."""
        near = base.nearest(support.flatten(0, 2), k).unflatten(0, support.shape[:3])
        means = (base.means[near].sum(3) + support) / (k + 1)
        centre = means.mean((1, 2))
        apart = centre[:, None, None]
        return cls(base, alpha, support - apart, near, means - apart, centre)

    def samples(self, seeds: Sequence[tuple[int, int]], each: int) -> Tensor:
        """The support images, each followed by `each` samples of its Gaussian.

        A sample is μ + L·z with the Cholesky factor of its neighbours' mean covariance, which is
        shared by all support images with the same neighbours: no task factors anything. The
        product is taken in place, from the last columns of the triangle to the first.

        Returns:
            [T, ways, shots, 1 + each, D].
        """
        tasks, ways, shots, width = self.support.shape
        count = ways * shots * (1 + each) * width
        x = standard_normals(seeds, count, self.support.device).view(-1, 1 + each, width)
        factors, places = self.base.factors(self.neighbours.flatten(0, 2), self.alpha)
        means = self.means.reshape(-1, 1, width)
        for start in reversed(range(0, width, _COLUMNS)):
            end = min(start + _COLUMNS, width)
            columns = factors[:, start:end, :end][places].transpose(1, 2)
            x[..., start:end] = torch.baddbmm(means[..., start:end], x[..., :end], columns)
        x[:, 0] = self.support.reshape(-1, width)
        return x.view(tasks, ways, shots, 1 + each, width)

    def moments(self) -> Moments:
        """Second moments of each class's samples."""
        shots = self.support.shape[2]
        lent = one_hot(self.neighbours, len(self.base.means)).to(self.support.dtype)
        along_ones = torch.full_like(self.means[:, :, :1], self.alpha**0.5)
        points = torch.cat([self.means / shots**0.5, along_ones], 2)
        return Moments(self.base.covariances, lent.mean((2, 3)), points)

    def fit(self, seeds: Sequence[tuple[int, int]], each: int, c: float) -> LinearClassifiers:
        """Logistic regressions on the support images and `each` samples around each of them.

        scikit-learn's objective, to a lower value than where it stops at its default tolerance.
        """
        x = self.samples(seeds, each).flatten(2, 3)
        tasks, ways, per_class, _ = x.shape
        labels = torch.arange(ways, device=x.device).repeat_interleave(per_class)
        targets = one_hot(labels, ways).to(x.dtype).T.expand(tasks, -1, -1)
        loss = SoftmaxLoss(x.flatten(1, 2), targets, penalty_ratio(c, ways), self.moments())
        params = minimize(loss, TOLERANCE)
        weight, bias = params[..., :-1], params[..., -1]
        bias = bias - (weight @ self.centre[..., None]).squeeze(-1)
        return LinearClassifiers(weight.transpose(1, 2), bias)

"""The objective of multinomial logistic regression, for many tasks at once."""

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Metric:
    """An approximate inverse Hessian, the same for every class.

    Attributes:
        weight: Its block for the weights, [T, D, D].
        bias: Its entry for the intercept, [T].
    """

    weight: Tensor
    bias: Tensor

    def __call__(self, gradient: Tensor) -> Tensor:
        """The Newton-like step for a gradient [T, ways, D + 1]."""
        bias = self.bias[:, None, None] * gradient[..., -1:]
        return torch.cat([gradient[..., :-1] @ self.weight, bias], -1)


@dataclass(frozen=True)
class Moments:
    """Second moments of each class's examples that are known without the examples.

    Those of class w are Σ_c shares[w, c]·covariances[c] + Σ_p points[w, p]·points[w, p]ᵀ.

    Attributes:
        covariances: Covariance matrices that the classes share, [C, D, D].
        shares: How much of each is in a class, [T, ways, C].
        points: Vectors of each class, [T, ways, P, D].
    """

    covariances: Tensor
    shares: Tensor
    points: Tensor

    def weighted(self, weights: Tensor) -> Tensor:
        """The sum over classes of weight times second moment, [T, ways] → [T, D, D]."""
        shares = (weights[:, None] @ self.shares)[:, 0]
        covariance = (shares @ self.covariances.flatten(1)).unflatten(1, self.covariances.shape[1:])
        points = self.points * weights.sqrt()[..., None, None]
        points = points.flatten(1, 2)
        return torch.baddbmm(covariance, points.transpose(1, 2), points)


@dataclass(frozen=True)
class SoftmaxLoss:
    """The objective of T tasks, as a function of the parameters [T, ways, D + 1].

    The last entry of a class's parameters is the intercept.

    Attributes:
        x: Examples, [T, n, D].
        targets: One-hot classes, [T, ways, n].
        c: Weight of the cross-entropy against ½|W|².
        moments: The classes' second moments where they are known: the curvature then costs a
            product of D×D matrices, not of examples.
    """

    x: Tensor
    targets: Tensor
    c: float
    moments: Moments | None = None

    def zero_params(self) -> Tensor:
        """Where the search begins: all classes equally likely."""
        tasks, _, width = self.x.shape
        return self.x.new_zeros(tasks, self.targets.shape[1], width + 1)

    def logits(self, params: Tensor) -> Tensor:
        """Logits of all examples, [T, ways, n]; linear in the parameters."""
        return torch.baddbmm(params[..., -1:], params[..., :-1], self.x.transpose(1, 2))

    def cross_entropy(self, logits: Tensor) -> Tensor:
        """The unpenalised part of the objective, [T]."""
        losses = logits.logsumexp(1) - (logits * self.targets).sum(1)
        return self.c * losses.sum(-1)

    def gradient(self, params: Tensor, logits: Tensor) -> Tensor:
        """Gradient of the objective, shaped as the parameters."""
        residuals = self.c * (logits.softmax(1) - self.targets)
        weight = torch.baddbmm(params[..., :-1], residuals, self.x)
        return torch.cat([weight, residuals.sum(-1, keepdim=True)], -1)

    def slopes(self, logits: Tensor, moves: Tensor) -> tuple[Tensor, Tensor]:
        """First and second derivative of the cross-entropy along moves of the logits, [T] each."""
        p = logits.softmax(1)
        mean = (p * moves).sum(1)
        spread = (p * moves**2).sum((1, 2)) - (mean**2).sum(-1)
        first = mean.sum(-1) - (self.targets * moves).sum((1, 2))
        return self.c * first, self.c * spread

    def bound_metric(self) -> Metric:
        """Curvature ½, which bounds that of the softmax everywhere (Böhning 1992)."""
        return self._metric(torch.full_like(self.x[..., 0], 0.5))

    def local_metric(self, logits: Tensor) -> Metric:
        """The mean curvature of each example's softmax, where the search stands now."""
        p = logits.softmax(1)
        directions = max(1, self.targets.shape[1] - 1)
        return self._metric((p * (1 - p)).sum(1) / directions + 1e-8)

    def _metric(self, curvature: Tensor) -> Metric:
        """The metric of examples that each have the curvature [T, n] in every direction."""
        hessian = torch.eye(self.x.shape[2], dtype=self.x.dtype, device=self.x.device)
        if self.moments is None:
            weighted = self.x * (self.c * curvature)[..., None]
            hessian = hessian + self.x.transpose(1, 2) @ weighted
        else:
            by_class = (self.targets @ curvature[..., None]).squeeze(-1)
            hessian = hessian + self.moments.weighted(self.c * by_class)
        inverse = torch.cholesky_inverse(torch.linalg.cholesky(hessian))
        return Metric(inverse, 1 / (self.c * curvature.sum(-1)))

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
        """The Newton-like step for a gradient [T, D + 1, ways]."""
        bias = self.bias[:, None, None] * gradient[:, -1:]
        return torch.cat([self.weight @ gradient[:, :-1], bias], 1)


@dataclass(frozen=True)
class SoftmaxLoss:
    """The objective of T tasks, as a function of the parameters [T, D + 1, ways].

    The last row of the parameters is the intercept.

    Attributes:
        x: Examples, [T, n, D].
        targets: One-hot classes, [T, n, ways].
        c: Weight of the cross-entropy against ½|W|².
    """

    x: Tensor
    targets: Tensor
    c: float

    def zero_params(self) -> Tensor:
        """Where the search begins: all classes equally likely."""
        tasks, _, width = self.x.shape
        return self.x.new_zeros(tasks, width + 1, self.targets.shape[2])

    def logits(self, params: Tensor) -> Tensor:
        """Logits of all examples, [T, n, ways]; linear in the parameters."""
        return torch.baddbmm(params[:, -1:], self.x, params[:, :-1])

    def cross_entropy(self, logits: Tensor) -> Tensor:
        """The unpenalised part of the objective, [T]."""
        losses = logits.logsumexp(-1) - (logits * self.targets).sum(-1)
        return self.c * losses.sum(-1)

    def gradient(self, params: Tensor, logits: Tensor) -> Tensor:
        """Gradient of the objective, shaped as the parameters."""
        residuals = self.c * (logits.softmax(-1) - self.targets)
        weight = torch.baddbmm(params[:, :-1], self.x.transpose(1, 2), residuals)
        return torch.cat([weight, residuals.sum(1, keepdim=True)], 1)

    def bound_metric(self) -> Metric:
        """Curvature ½, which bounds that of the softmax everywhere (Böhning 1992)."""
        return self._metric(torch.full_like(self.x[..., 0], 0.5))

    def local_metric(self, logits: Tensor) -> Metric:
        """Curvature max p·(1-p) of each example, where the search stands now."""
        p = logits.softmax(-1)
        return self._metric((p * (1 - p)).amax(-1) + 1e-8)

    def _metric(self, curvature: Tensor) -> Metric:
        weighted = self.x * (self.c * curvature)[..., None]
        identity = torch.eye(self.x.shape[2], dtype=self.x.dtype, device=self.x.device)
        hessian = identity + self.x.transpose(1, 2) @ weighted
        inverse = torch.cholesky_inverse(torch.linalg.cholesky(hessian))
        return Metric(inverse, 1 / (self.c * curvature.sum(-1)))

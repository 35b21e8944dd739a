"""The objective of multinomial logistic regression, for many tasks at once."""

from dataclasses import dataclass

import torch
from torch import Tensor

from lowlabel.fewshot.solvers.preconditioners import (
    DenseInverse,
    DiagonalInverse,
    Preconditioner,
)


@dataclass(frozen=True)
class Moments:
    """Approximate second moments of each class's examples, known without the examples.

    Those of class w are traces[w]·U·diag(spectrum)·Uᵀ + Σ_p vectors[w, p]·vectors[w, p]ᵀ.

    Attributes:
        basis: Orthonormal columns U that the classes of all tasks share, [D, D].
        spectrum: Shares of the variance along these columns, [D].
        traces: Variance of each class, [T, ways].
        vectors: Vectors of each class, [T, ways, P, D].
    """

    basis: Tensor
    spectrum: Tensor
    traces: Tensor
    vectors: Tensor

    def of_tasks(self, rows: Tensor) -> "Moments":
        """Those of some of the tasks."""
        return Moments(self.basis, self.spectrum, self.traces[rows], self.vectors[rows])

    def inverse_hessian(self, weights: Tensor) -> DiagonalInverse:
        """The inverse of 1 plus the weighted sum of the second moments, in coordinates of U.

        Args:
            weights: [T, ways].
        """
        diagonal = 1 + (weights * self.traces).sum(1, keepdim=True) * self.spectrum
        vectors = (self.vectors * weights.sqrt()[..., None, None]).flatten(1, 2)
        return DiagonalInverse.of(diagonal, vectors @ self.basis)


@dataclass(frozen=True)
class SoftmaxLoss:
    """½|W|² + c · Σ cross-entropy of T tasks, by parameters [T, ways, D + 1].

    The last entry of a class's parameters is the intercept, which is not penalised.

    Attributes:
        x: Examples, [T, n, D].
        targets: One-hot classes y, [T, ways, n].
        c: Weight of the cross-entropy.
        moments: Second moments of the classes, if known: the preconditioner then takes no
            product over the examples and no factor of a D×D matrix.
    """

    x: Tensor
    targets: Tensor
    c: float
    moments: Moments | None = None

    def of_tasks(self, rows: Tensor) -> "SoftmaxLoss":
        """The loss of some of the tasks."""
        moments = self.moments.of_tasks(rows) if self.moments else None
        return SoftmaxLoss(self.x[rows], self.targets[rows], self.c, moments)

    def zero_params(self) -> Tensor:
        """Initial parameters, for which all classes are equally likely."""
        tasks, _, width = self.x.shape
        return self.x.new_zeros(tasks, self.targets.shape[1], width + 1)

    def logits(self, params: Tensor) -> Tensor:
        """Logits z of all examples, [T, ways, n]; linear in the parameters."""
        return torch.baddbmm(params[..., -1:], params[..., :-1], self.x.transpose(1, 2))

    def coordinates(self, params: Tensor) -> Tensor:
        """Coordinates of parameters in the basis of the preconditioners, [T, ways, D + 1]."""
        return params if self.moments is None else _multiplied(params, self.moments.basis)

    def params(self, coordinates: Tensor) -> Tensor:
        """The parameters with these coordinates, [T, ways, D + 1]."""
        return (
            coordinates if self.moments is None else _multiplied(coordinates, self.moments.basis.T)
        )

    def cross_entropy(self, logits: Tensor) -> Tensor:
        """The unpenalised part, c · Σ (logsumexp(z) - y·z), [T]."""
        losses = logits.logsumexp(1) - (logits * self.targets).sum(1)
        return self.c * losses.sum(-1)

    def gradient(self, params: Tensor, logits: Tensor) -> Tensor:
        """Gradient of the objective, in the shape of the parameters.

        ∂/∂W = W + r·x and ∂/∂b = Σ r with the residuals r.
        """
        residuals = self.residuals(logits)
        weight = torch.baddbmm(params[..., :-1], residuals, self.x)
        return torch.cat([weight, residuals.sum(-1, keepdim=True)], -1)

    def residuals(self, logits: Tensor) -> Tensor:
        """R = c · (softmax(z) - y), the derivative by the logits, [T, ways, n]."""
        return self.c * (logits.softmax(1) - self.targets)

    def directional_derivatives(self, logits: Tensor, direction: Tensor) -> tuple[Tensor, Tensor]:
        """First and second derivative of the cross-entropy along a logit direction d, [T] each.

        c · Σ (p·d - y·d) and c · Σ (p·d² - (p·d)²) with p = softmax(z).
        """
        p = logits.softmax(1)
        mean = (p * direction).sum(1)
        variance = (p * direction**2).sum((1, 2)) - (mean**2).sum(-1)
        first = mean.sum(-1) - (self.targets * direction).sum((1, 2))
        return self.c * first, self.c * variance

    def bound_preconditioner(self) -> Preconditioner:
        """From curvature ½, which bounds the softmax's everywhere (Böhning 1992)."""
        return self._preconditioner(torch.full_like(self.x[..., 0], 0.5))

    def local_preconditioner(self, logits: Tensor) -> Preconditioner:
        """From the mean curvature of each example's softmax at these logits."""
        p = logits.softmax(1)
        directions = max(1, self.targets.shape[1] - 1)
        return self._preconditioner((p * (1 - p)).sum(1) / directions + 1e-8)

    def _preconditioner(self, curvature: Tensor) -> Preconditioner:
        """From the curvature of each example's loss, the same in all directions, [T, n]."""
        bias = 1 / (self.c * curvature.sum(-1))
        if self.moments is not None:
            by_class = (self.targets @ curvature[..., None]).squeeze(-1)
            return Preconditioner(self.moments.inverse_hessian(self.c * by_class), bias)
        identity = torch.eye(self.x.shape[2], dtype=self.x.dtype, device=self.x.device)
        weighted = self.x * (self.c * curvature)[..., None]
        return Preconditioner(DenseInverse.of(identity + self.x.transpose(1, 2) @ weighted), bias)


def _multiplied(params: Tensor, matrix: Tensor) -> Tensor:
    """Parameters whose weights are multiplied by a matrix, and the same intercepts."""
    return torch.cat([params[..., :-1] @ matrix, params[..., -1:]], -1)

"""The objective of multinomial logistic regression, for many tasks at once."""

from dataclasses import dataclass

import torch
from torch import Tensor

from lowlabel.fewshot.solvers.cholesky import cholesky


@dataclass(frozen=True)
class Preconditioner:
    """An approximate inverse Hessian, the same for every class.

    Attributes:
        weight: Block of the weights, [T, D, D].
        bias: Entry of the intercept, [T].
    """

    weight: Tensor
    bias: Tensor

    def __call__(self, gradient: Tensor) -> Tensor:
        """The approximate Newton step for a gradient [T, ways, D + 1]."""
        bias = self.bias[:, None, None] * gradient[..., -1:]
        return torch.cat([gradient[..., :-1] @ self.weight, bias], -1)


@dataclass(frozen=True)
class Moments:
    """Second moments of each class's examples, known without the examples.

    Those of class w are Σ_c mixture[w, c]·covariances[c] + Σ_p vectors[w, p]·vectors[w, p]ᵀ.

    Attributes:
        covariances: Covariance matrices shared by the classes, [C, D, D].
        mixture: Weight of each covariance in each class, [T, ways, C].
        vectors: Vectors of each class, [T, ways, P, D].
    """

    covariances: Tensor
    mixture: Tensor
    vectors: Tensor

    def weighted(self, weights: Tensor) -> Tensor:
        """The weighted sum of the classes' second moments, [T, ways] → [T, D, D]."""
        mixture = (weights[:, None] @ self.mixture)[:, 0]
        flat = mixture @ self.covariances.flatten(1)
        covariance = flat.unflatten(1, self.covariances.shape[1:])
        vectors = self.vectors * weights.sqrt()[..., None, None]
        vectors = vectors.flatten(1, 2)
        return torch.baddbmm(covariance, vectors.transpose(1, 2), vectors)


@dataclass(frozen=True)
class SoftmaxLoss:
    """½|W|² + c · Σ cross-entropy of T tasks, by parameters [T, ways, D + 1].

    The last entry of a class's parameters is the intercept, which is not penalised.

    Attributes:
        x: Examples, [T, n, D].
        targets: One-hot classes y, [T, ways, n].
        c: Weight of the cross-entropy.
        moments: Second moments of the classes, if known: the Hessian then takes a product of
            D×D matrices instead of one over the examples.
    """

    x: Tensor
    targets: Tensor
    c: float
    moments: Moments | None = None

    def zero_params(self) -> Tensor:
        """Initial parameters, for which all classes are equally likely."""
        tasks, _, width = self.x.shape
        return self.x.new_zeros(tasks, self.targets.shape[1], width + 1)

    def logits(self, params: Tensor) -> Tensor:
        """Logits z of all examples, [T, ways, n]; linear in the parameters."""
        return torch.baddbmm(params[..., -1:], params[..., :-1], self.x.transpose(1, 2))

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
        hessian = torch.eye(self.x.shape[2], dtype=self.x.dtype, device=self.x.device)
        if self.moments is None:
            weighted = self.x * (self.c * curvature)[..., None]
            hessian = hessian + self.x.transpose(1, 2) @ weighted
        else:
            by_class = (self.targets @ curvature[..., None]).squeeze(-1)
            hessian = hessian + self.moments.weighted(self.c * by_class)
        inverse = torch.cholesky_inverse(cholesky(hessian))
        return Preconditioner(inverse, 1 / (self.c * curvature.sum(-1)))

"""Multinomial logistic regression, fitted to many small tasks at once."""

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import one_hot

from lowlabel.fewshot.solvers.lbfgs import minimize
from lowlabel.fewshot.solvers.softmax_loss import SoftmaxLoss

_STATIONARY = 0.25  # largest gradient at a minimum, relative to its terms


@dataclass(frozen=True)
class LinearClassifiers:
    """One linear classifier for each of T tasks, with logits x @ weight + bias.

    Attributes:
        weight: [T, D, ways].
        bias: [T, ways].
        is_minimum: Whether each task's weights minimise the objective, [T], if that was looked at.
            On large examples that can be separated the penalty is lost in the objective's rounding:
            the weights then separate, but may be far from the minimum.
    """

    weight: Tensor
    bias: Tensor
    is_minimum: Tensor | None = None

    def __call__(self, x: Tensor) -> Tensor:
        """Logits, [T, n, D] → [T, n, ways], in the dtype of x."""
        return torch.baddbmm(self.bias.to(x.dtype)[:, None], x, self.weight.to(x.dtype))


def fit_logistic_regression(
    x: Tensor, labels: Tensor, ways: int, c: float = 1.0
) -> LinearClassifiers:
    """Minimises ½|W|² + c·Σ cross-entropy for each task, with unpenalised intercepts.

    The objective equals scikit-learn's `LogisticRegression(C=c)`, also for two classes. It is
    minimised up to the rounding of x's dtype: float64 goes far beyond scikit-learn's default
    tolerance, float32 slightly. With fewer examples than dimensions the weights lie in the span of
    the examples, and the same minimum is found in n instead of D dimensions.

    Args:
        x: Examples of each task, [T, n, D], finite, float32 or float64.
        labels: Class of each example, 0 … ways-1, [n] or [T, n].
        ways: Number of classes.
        c: Inverse strength of the penalty.

    Returns:
        The classifiers, in the dtype of x.
    """
    center = x.mean(1, keepdim=True)
    centered = x - center
    targets = one_hot(labels, ways).to(x.dtype).expand(*x.shape[:2], ways).transpose(1, 2)
    if x.shape[1] < x.shape[2]:
        factor = _gram_factor(centered)
        loss = SoftmaxLoss(factor, targets, penalty_ratio(c, ways))
        params = minimize(loss)
        dual = torch.linalg.solve_triangular(factor, params[..., :-1], upper=False, left=False)
        weight = dual @ centered
    else:
        loss = SoftmaxLoss(centered, targets, penalty_ratio(c, ways))
        params = minimize(loss)
        weight = params[..., :-1]
    bias = params[..., -1] - (weight @ center.transpose(1, 2)).squeeze(-1)
    return LinearClassifiers(weight.transpose(1, 2), bias, _is_minimum(params, loss))


def _is_minimum(params: Tensor, loss: SoftmaxLoss) -> Tensor:
    """Whether W + r·x is 0 but for a share of its terms, for each task, [T]."""
    weights, residuals = params[..., :-1], loss.residuals(loss.logits(params))
    gradient = _squares(weights + residuals @ loss.x)
    terms = torch.maximum(_squares(weights), _squares(residuals.abs() @ loss.x.abs()))
    return (gradient <= _STATIONARY**2 * terms) | ~weights.any(-1).any(-1)


def _squares(values: Tensor) -> Tensor:
    return values.square().sum((1, 2))


def penalty_ratio(c: float, ways: int) -> float:
    """The c that gives scikit-learn's objective with one weight vector per class.

    For two classes scikit-learn has one sigmoid weight; two opposite softmax weights share its
    logit, which halves their penalty.
    """
    return c / 2 if ways == 2 else c


def _gram_factor(x: Tensor) -> Tensor:
    """Coordinates [T, n, n] of the examples in their own span: L with L·Lᵀ = x·xᵀ."""
    gram = x @ x.transpose(1, 2)
    n = x.shape[1]
    # Centred examples are linearly dependent; the jitter is of the size of the rounding.
    trace = gram.diagonal(dim1=1, dim2=2).sum(-1).clamp_min(1e-30)
    jitter = 8 * torch.finfo(x.dtype).eps * n * trace
    factor: Tensor = torch.linalg.cholesky(gram + torch.diag_embed(jitter[:, None].expand(-1, n)))
    return factor

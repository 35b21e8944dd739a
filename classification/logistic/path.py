"""Logistic regression for several strengths of the penalty."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from lowlabel.classification.logistic.examples import Examples
from lowlabel.classification.logistic.loss import evaluate
from lowlabel.classification.logistic.newton import minimize
from lowlabel.fewshot.solvers.logistic import penalty_ratio

TOLERANCE = 1e-9
MAX_ITER = 100
_ROWS = 4096
_STRONGEST = 1e30  # beyond it the weights are lost beside the intercepts


@dataclass(frozen=True)
class LogisticFit:
    """A fitted classifier with logits (x - center) @ weight.T + bias.

    Attributes:
        c: Inverse strength of the penalty.
        weight: Float64 [K, D].
        bias: Float64 [K].
        center: Mean of the examples, float64 [D].
        objective: c · Σ cross-entropy + ½|W|², as scikit-learn's `LogisticRegression` defines it.
        steps: Number of Newton steps.
        converged: Whether the objective is within the tolerance of its minimum.
    """

    c: float
    weight: Tensor
    bias: Tensor
    center: Tensor
    objective: float
    steps: int
    converged: bool

    @property
    def intercept(self) -> Tensor:
        """Intercepts for features that are not centred, [K]."""
        return self.bias - self.weight @ self.center

    def logits(self, x: Tensor) -> Tensor:
        """Logits of features [N, D], float64 [N, K]."""
        result = x.new_empty(len(x), len(self.bias), dtype=torch.float64)
        for rows, part in zip(result.split(_ROWS), x.split(_ROWS), strict=True):
            torch.addmm(self.bias, part.double() - self.center, self.weight.T, out=rows)
        return result


def fit_path(
    x: Tensor,
    targets: Tensor,
    classes: int,
    cs: Sequence[float],
    *,
    chosen: Tensor | None = None,
    start: LogisticFit | None = None,
    tolerance: float = TOLERANCE,
    max_iter: int = MAX_ITER,
    tick: Callable[[], object] = lambda: None,
) -> Iterator[LogisticFit]:
    """Minimises ½|W|² + c · Σ cross-entropy for each c, with unpenalised intercepts.

    The objective equals scikit-learn's `LogisticRegression(C=c)`, also for two classes. From the
    smallest c on, each fit starts from the one before: loss and gradient there are known, since
    only their weight beside the penalty changes. Objective and gradient are computed in float64,
    products with the Hessian in float32. With at most as many examples as dimensions the fit takes
    place in the span of the examples.

    Args:
        x: Features, finite, float32 or float64 [M, D].
        targets: Class of each example, 0 … classes-1, int64 [N].
        classes: Number of classes.
        cs: Inverse strengths of the penalty, in ascending order.
        chosen: The row of `x` of each example, int64 [N]; all rows by default.
        start: A fit to start from.
        tolerance: Largest distance of the objective from its minimum, relative to it, as estimated.
        max_iter: Largest number of Newton steps for each c.
        tick: Called after each Newton step.

    Yields:
        The fit of each c.
    """
    examples, basis = Examples.of(x, targets, classes, chosen), None
    center, scale = examples.center, examples.scale
    images = len(examples)
    if images <= x.shape[1]:
        examples, basis = Examples.within_span(examples)
    params = examples.center.new_zeros(classes, examples.x.shape[1] + 1)
    if start is not None:
        weight = start.weight * scale
        params[:, :-1] = weight if basis is None else weight @ basis
        params[:, -1] = start.bias + start.weight @ (center - start.center)
    point = evaluate(examples, params)
    for c in cs:
        alpha = 1 / images / penalty_ratio(c, classes) / scale / scale
        alpha = min(alpha, _STRONGEST)
        found = minimize(examples, point, alpha, tolerance=tolerance, max_iter=max_iter, tick=tick)
        point = found.point
        weight = point.params[:, :-1]
        weight = (weight if basis is None else weight @ basis.T) / scale
        yield LogisticFit(
            c,
            weight,
            point.params[:, -1],
            center,
            c * images * point.objective(alpha),
            found.steps,
            found.converged,
        )

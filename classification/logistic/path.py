"""Logistic regression for several strengths of the penalty."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from lowlabel.classification.logistic.curvature import Curvature
from lowlabel.classification.logistic.examples import Examples
from lowlabel.classification.logistic.loss import evaluate
from lowlabel.classification.logistic.newton import Loss, minimize
from lowlabel.classification.rows import Rows
from lowlabel.fewshot.solvers.logistic import penalty_ratio

CROSS_ENTROPY = Loss(evaluate, Curvature, penalty_ratio)
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
        objective: c · Σ loss + ½|W|², as scikit-learn's `LogisticRegression` defines it.
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
        return torch.addmm(self.bias, x.double() - self.center, self.weight.T)

    def probabilities(self, x: Rows) -> Tensor:
        """Probabilities of features [N, D], float64 [N, K]."""
        result = self.bias.new_empty(len(x), len(self.bias))
        for rows, part in x.blocks(_ROWS):
            result[rows] = self.logits(part).softmax(1)
        return result

    def accuracy(self, x: Rows, targets: Tensor) -> float:
        """Share of the features [N, D] whose largest logit is that of their class."""
        hits = [self.logits(part).argmax(1) == targets[rows] for rows, part in x.blocks(_ROWS)]
        return float(torch.cat(hits).double().mean())


def fit_path(
    x: Tensor | Rows,
    targets: Tensor,
    classes: int,
    cs: Sequence[float],
    *,
    loss: Loss = CROSS_ENTROPY,
    start: LogisticFit | None = None,
    tolerance: float = TOLERANCE,
    max_iter: int = MAX_ITER,
    tick: Callable[[], object] = lambda: None,
) -> Iterator[LogisticFit]:
    """Minimises ½|W|² + c · Σ loss for each c, with unpenalised intercepts.

    The objective equals scikit-learn's `LogisticRegression(C=c)`, also for two classes. From the
    smallest c on, each fit starts from the one before: loss and gradient there are known, since
    only their weight beside the penalty changes. Objective and gradient are computed in float64,
    products with the Hessian in float32. With at most as many examples as dimensions the fit takes
    place in the span of the examples.

    Args:
        x: Features, finite, float32 or float64 [N, D].
        targets: Class of each example, 0 … classes-1, int64 [N]; whatever `loss` takes.
        classes: Number of classes: of weight vectors.
        cs: Inverse strengths of the penalty, in ascending order.
        loss: Cross-entropy, or another loss.
        start: A fit to start from.
        tolerance: Largest distance of the objective from its minimum, relative to it, as estimated.
        max_iter: Largest number of Newton steps for each c.
        tick: Called after each Newton step.

    Yields:
        The fit of each c.
    """
    rows = x if isinstance(x, Rows) else Rows(x)
    examples, basis = Examples.of(rows, targets, classes), None
    center, scale = examples.center, examples.scale
    images = len(examples)
    if images <= rows.width:
        examples, basis = Examples.within_span(examples)
    params = examples.center.new_zeros(classes, examples.x.width + 1)
    if start is not None:
        weight = start.weight * scale
        params[:, :-1] = weight if basis is None else weight @ basis
        params[:, -1] = start.bias + start.weight @ (center - start.center)
    point = loss.evaluate(examples, params)
    for c in cs:
        alpha = 1 / images / loss.penalty(c, classes) / scale / scale
        alpha = min(alpha, _STRONGEST)
        found = minimize(
            examples, point, alpha, loss, tolerance=tolerance, max_iter=max_iter, tick=tick
        )
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

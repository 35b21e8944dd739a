"""Newton's method with conjugate gradients for one penalty."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple, Protocol

import torch
from torch import Tensor

from lowlabel.classification.logistic.examples import Examples
from lowlabel.classification.logistic.loss import Point

_MOST_PRODUCTS = 200
_LOOSEST = 0.3  # accuracy of a step far from the minimum
_MOST_HALVINGS = 20
_SUFFICIENT_DECREASE = 1e-4
_ROUNDING = 1e-9  # relative; differences of the objective below it are not trusted


Preconditioner = Callable[[Tensor], Tensor]


class Hessian(Protocol):
    """Second derivatives of an objective at a point."""

    def product(self, direction: Tensor) -> Tensor:
        """Hessian times a direction [K, D + 1]."""

    def preconditioner(self) -> Preconditioner:
        """An approximate inverse, symmetric and positive definite."""


class Loss(NamedTuple):
    """What is minimised beside the penalty.

    Attributes:
        evaluate: Loss and gradient of examples at parameters [K, D + 1].
        hessian: Hessian of the objective of examples at a point with a weight of the penalty.
        penalty: The inverse strength of the penalty for scikit-learn's C and K.
    """

    evaluate: Callable[[Examples, Tensor], Point]
    hessian: Callable[[Examples, Point, float], Hessian]
    penalty: Callable[[float, int], float]


@dataclass(frozen=True)
class Minimum:
    """The last point.

    Attributes:
        point: Parameters, loss and gradient.
        steps: Number of Newton steps.
        converged: Whether the objective is within the tolerance of its minimum.
    """

    point: Point
    steps: int
    converged: bool


def minimize(
    examples: Examples,
    start: Point,
    alpha: float,
    loss: Loss,
    *,
    tolerance: float,
    max_iter: int,
    tick: Callable[[], object],
) -> Minimum:
    """Minimises loss + α/2 · |W|².

    Ron S. Dembo, Stanley C. Eisenstat, Trond Steihaug. Inexact Newton Methods. SIAM Journal on
    Numerical Analysis 19, 1982.

    Half the decrement gᵀH⁻¹g (gradient g, Hessian H) is what a step can still gain. After a step it
    is estimated by the preconditioner, whose error was seen in the step before.

    Args:
        examples: The examples.
        start: Where to start, such as the minimum of another α.
        alpha: Weight of the penalty.
        loss: The loss.
        tolerance: Largest gain left, relative to the objective.
        max_iter: Largest number of Newton steps.
        tick: Called after each step.
    """
    point, known = start, None
    for step in range(max_iter):
        value, slope = point.objective(alpha), point.slope(alpha)
        if known is not None and known[1] * _dot(slope, known[0](slope)) <= tolerance * value:
            return Minimum(point, step, converged=True)
        curvature = loss.hessian(examples, point, alpha)
        preconditioner = curvature.preconditioner()
        estimate = _dot(slope, preconditioner(slope))
        if estimate <= 0 or value <= 0:
            return Minimum(point, step, converged=True)
        accuracy = _accuracy(estimate, value, tolerance)
        direction = _newton_direction(curvature, preconditioner, slope, accuracy)
        decrement = -_dot(slope, direction)
        known = preconditioner, max(1.0, decrement / estimate)
        moved = _line_search(examples, point, direction, alpha, decrement, loss)
        tick()
        if decrement / 2 <= tolerance * value:
            return Minimum(moved or point, step + 1, converged=True)
        if moved is None:
            return Minimum(point, step + 1, converged=False)
        point = moved
    return Minimum(point, max_iter, converged=False)


def _accuracy(estimate: float, value: float, tolerance: float) -> float:
    """Relative residual at which a step is good enough: smaller towards the minimum."""
    needed = (0.1 * tolerance * value / estimate) ** 0.5
    return float(min(_LOOSEST, max(needed, (estimate / value) ** 0.25)))


def _newton_direction(
    curvature: Hessian, preconditioner: Preconditioner, slope: Tensor, accuracy: float
) -> Tensor:
    """Solves H·d = -g by preconditioned conjugate gradients."""
    solution, residual = torch.zeros_like(slope), -slope
    conjugate = preconditioned = preconditioner(residual)
    first = size = _dot(residual, preconditioned)
    for _ in range(_MOST_PRODUCTS):
        product = curvature.product(conjugate)
        curved = _dot(conjugate, product)
        if curved <= 0:  # rounding of float32
            break
        length = size / curved
        solution = solution + length * conjugate
        residual = residual - length * product
        preconditioned = preconditioner(residual)
        size, before = _dot(residual, preconditioned), size
        if size <= accuracy**2 * first:
            break
        conjugate = preconditioned + size / before * conjugate
    return solution if solution.any() else preconditioner(-slope)


def _line_search(
    examples: Examples, point: Point, direction: Tensor, alpha: float, decrement: float, loss: Loss
) -> Point | None:
    """The first of 1, ½, ¼, … with sufficient decrease; None if there is none.

    Where the decrease is below the rounding of the objective, the slope along the direction, which
    keeps its digits, has to fall to half.
    """
    start, length = point.objective(alpha), 1.0
    for _ in range(_MOST_HALVINGS):
        trial = loss.evaluate(examples, point.params + length * direction)
        value = trial.objective(alpha)
        if value <= start - _SUFFICIENT_DECREASE * length * decrement:
            return trial
        level = value <= start * (1 + _ROUNDING)
        if level and abs(_dot(trial.slope(alpha), direction)) <= decrement / 2:
            return trial
        length /= 2
    return None


def _dot(a: Tensor, b: Tensor) -> float:
    return float((a * b).sum())

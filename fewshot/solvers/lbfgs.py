"""L-BFGS on many independent tasks at once."""

import math
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from lowlabel.fewshot.solvers.softmax_loss import Metric, SoftmaxLoss

HISTORY = 10
REFRESHES = (5, 20, 40, 80, 160)
MAX_ITERATIONS = 500
MAX_HALVINGS = 20
NEWTON_LENGTHS = (0.1, 10.0)
SUFFICIENT_DECREASE = 1e-4


@dataclass(frozen=True)
class Tolerance:
    """What is small enough to stop at, as a part of c·n. By default only the rounding is.

    Attributes:
        decrement: Of the decrement gᵀM⁻¹g.
        gradient: Of the gradient's largest entry.
    """

    decrement: float = 0.0
    gradient: float = math.inf


def minimize(loss: SoftmaxLoss, tolerance: Tolerance = Tolerance()) -> Tensor:
    """Minimises the loss of every task by L-BFGS with a preconditioner that follows the search.

    Dong C. Liu, Jorge Nocedal. On the limited memory BFGS method for large scale optimization.
    Mathematical Programming 45, 1989. The first preconditioner is the bound of Dankmar Böhning.
    Multinomial logistic regression algorithm. Annals of the Institute of Statistical Mathematics
    44, 1992.

    Where classes separate, the true curvature falls orders of magnitude below the bound, and
    unequally over the examples. So the preconditioner is made anew now and then with the curvature
    found there: 20 to 30 iterations then do what took hundreds.

    A task stops when its decrement gᵀM⁻¹g, of the size of what is left to gain, is below the
    rounding of an objective of size c·n, or it and the gradient are within the tolerance, or when
    rounding hides every descent. Stopped tasks take steps of 0 until the last one stops.

    Args:
        loss: The objective.
        tolerance: When to stop before the rounding.

    Returns:
        The parameters, [T, ways, D + 1].
    """
    size = loss.c * loss.x.shape[1]
    rounding = torch.finfo(loss.x.dtype).eps * size
    params, logits = loss.zero_params(), loss.x.new_zeros(loss.targets.shape)
    value = loss.cross_entropy(logits)
    gradient = loss.gradient(params, logits)
    metric = loss.bound_metric()
    pairs: deque[_Pair] = deque(maxlen=HISTORY)
    active = torch.ones(len(params), dtype=torch.bool, device=params.device)
    for iteration in range(1, MAX_ITERATIONS + 1):
        decrement, steepest = dot(gradient, metric(gradient)), gradient.abs().amax((1, 2))
        tolerable = (decrement <= tolerance.decrement * size) & (
            steepest <= tolerance.gradient * size
        )
        active &= (decrement > rounding) & ~tolerable
        if not active.any():
            break
        direction = -_inverse_hessian_times(gradient, metric, pairs)
        moves = loss.logits(direction)
        line = _Line.through(loss, params, logits, direction, moves)
        length, value = line.search(value, dot(gradient, direction), rounding, active)
        active &= length > 0
        step = direction * length[:, None, None]
        params, logits = params + step, logits + moves * length[:, None, None]
        before, gradient = gradient, loss.gradient(params, logits)
        pairs.append(_Pair.of(step, gradient - before))
        if iteration in REFRESHES:
            metric = loss.local_metric(logits)
    return params


def dot(a: Tensor, b: Tensor) -> Tensor:
    """Inner product of each task's parameters, [T]."""
    return (a * b).sum((1, 2))


@dataclass(frozen=True)
class _Pair:
    """A step, the change of the gradient over it, and 1 / their inner product.

    The last is 0 where the step had no curvature, as that of a stopped task; the pair then changes
    nothing.
    """

    step: Tensor
    change: Tensor
    inverse: Tensor

    @classmethod
    def of(cls, step: Tensor, change: Tensor) -> "_Pair":
        curvature = dot(step, change)
        inverse = torch.where(curvature > 0, 1 / curvature, 0.0)
        return cls(step, change, inverse)


def _inverse_hessian_times(gradient: Tensor, metric: Metric, pairs: Sequence[_Pair]) -> Tensor:
    """The two-loop recursion around the preconditioner."""
    result, weights = gradient, []
    for pair in reversed(pairs):
        weights.append((pair.inverse * dot(pair.step, result))[:, None, None])
        result = result - weights[-1] * pair.change
    result = metric(result)
    if pairs:
        last = pairs[-1]
        scale = last.inverse * dot(last.change, metric(last.change))
        result = result / torch.where(scale > 0, scale, 1.0)[:, None, None]
    for pair, weight in zip(pairs, reversed(weights), strict=True):
        back = (pair.inverse * dot(pair.change, result))[:, None, None]
        result = result + (weight - back) * pair.step
    return result


@dataclass(frozen=True)
class _Line:
    """The loss along a direction. Logits are linear in it, so a trial costs no product with x."""

    loss: SoftmaxLoss
    logits: Tensor
    moves: Tensor
    penalty: tuple[Tensor, Tensor, Tensor]

    @classmethod
    def through(
        cls, loss: SoftmaxLoss, params: Tensor, logits: Tensor, direction: Tensor, moves: Tensor
    ) -> "_Line":
        weight, turn = params[..., :-1], direction[..., :-1]
        return cls(loss, logits, moves, (dot(weight, weight), dot(weight, turn), dot(turn, turn)))

    def value(self, length: Tensor) -> Tensor:
        """The loss at a distance of `length` directions, [T]."""
        constant, linear, square = self.penalty
        penalty = constant / 2 + length * linear + length**2 * square / 2
        return self.loss.cross_entropy(self.logits + length[:, None, None] * self.moves) + penalty

    def newton_length(self) -> Tensor:
        """One Newton step from the length 1 towards the lowest point of the line, [T]."""
        first, second = self.loss.slopes(self.logits + self.moves, self.moves)
        _, linear, square = self.penalty
        length = 1 - (first + linear + square) / (second + square)
        return torch.where(length.isfinite(), length, 1.0).clamp(*NEWTON_LENGTHS)

    def search(
        self, start: Tensor, slope: Tensor, rounding: float, active: Tensor
    ) -> tuple[Tensor, Tensor]:
        """The first of t, t/2, t/4, … with sufficient decrease, and the loss there, [T] each.

        The length is 0 where there is none and where the task is not active.
        """
        length = self.newton_length()
        for _ in range(MAX_HALVINGS):
            value = self.value(length)
            enough = value <= start + SUFFICIENT_DECREASE * length * slope + rounding
            if (enough | ~active).all():
                break
            length = torch.where(enough, length, length / 2)
        found = enough & active
        return torch.where(found, length, 0.0), torch.where(found, value, start)

"""L-BFGS on many independent tasks at once."""

import math
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from lowlabel.fewshot.solvers.preconditioners import Preconditioner
from lowlabel.fewshot.solvers.softmax_loss import SoftmaxLoss

HISTORY = 10
REFRESHES = (5, 20, 40, 80, 160)
MAX_ITERATIONS = 500
MAX_HALVINGS = 20
NEWTON_LENGTHS = (0.1, 10.0)
SUFFICIENT_DECREASE = 1e-4


@dataclass(frozen=True)
class Tolerance:
    """When a task may stop, relative to c·n. By default only at the rounding.

    Attributes:
        decrement: Largest decrement gᵀPg.
        gradient: Largest entry of the gradient.
    """

    decrement: float = 0.0
    gradient: float = math.inf


def minimize(loss: SoftmaxLoss, tolerance: Tolerance = Tolerance()) -> Tensor:
    """Minimises the loss of every task by L-BFGS with a preconditioner that is updated.

    Dong C. Liu, Jorge Nocedal. On the limited memory BFGS method for large scale optimization.
    Mathematical Programming 45, 1989. The first preconditioner is the bound of Dankmar Böhning.
    Multinomial logistic regression algorithm. Annals of the Institute of Statistical Mathematics
    44, 1992.

    Where classes separate, the true curvature falls orders of magnitude below the bound, and
    unequally over the examples. At the iterations of `REFRESHES` the preconditioner is therefore
    recomputed from the current curvature: 20 to 30 iterations then do what took hundreds.

    A task stops when its decrement gᵀPg (gradient g, preconditioner P), which is of the size of
    the remaining decrease, is below the rounding of an objective of size c·n; when decrement and
    gradient are within the tolerance; or when rounding hides every descent. Stopped tasks take
    steps of length 0 until the last one stops.

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
    slope = loss.coordinates(gradient)
    preconditioner = loss.bound_preconditioner()
    pairs: deque[_Pair] = deque(maxlen=HISTORY)
    active = torch.ones(len(params), dtype=torch.bool, device=params.device)
    for iteration in range(1, MAX_ITERATIONS + 1):
        decrement = dot(slope, preconditioner(slope))
        steepest = gradient.abs().amax((1, 2))
        tolerable = (decrement <= tolerance.decrement * size) & (
            steepest <= tolerance.gradient * size
        )
        active &= (decrement > rounding) & ~tolerable
        if not active.any():
            break
        direction = -_inverse_hessian_times(slope, preconditioner, pairs)
        step = loss.params(direction)
        line = _Line.through(loss, params, logits, step)
        length, value = line.search(value, dot(slope, direction), rounding, active)
        active &= length > 0
        lengths = length[:, None, None]
        params, logits = params + step * lengths, logits + line.logit_direction * lengths
        gradient = loss.gradient(params, logits)
        before, slope = slope, loss.coordinates(gradient)
        pairs.append(_Pair.of(direction * lengths, slope - before))
        if iteration in REFRESHES:
            preconditioner = loss.local_preconditioner(logits)
    return params


def dot(a: Tensor, b: Tensor) -> Tensor:
    """Inner product of each task's parameters, [T]."""
    return (a * b).sum((1, 2))


@dataclass(frozen=True)
class _Pair:
    """A step, the gradient's change over it, and 1 / their inner product.

    The last is 0 if the step has no curvature, as for a stopped task: the pair then has no effect.
    """

    step: Tensor
    change: Tensor
    inverse: Tensor

    @classmethod
    def of(cls, step: Tensor, change: Tensor) -> "_Pair":
        curvature = dot(step, change)
        inverse = torch.where(curvature > 0, 1 / curvature, 0.0)
        return cls(step, change, inverse)


def _inverse_hessian_times(
    gradient: Tensor, preconditioner: Preconditioner, pairs: Sequence[_Pair]
) -> Tensor:
    """The two-loop recursion around the preconditioner."""
    result, weights = gradient, []
    for pair in reversed(pairs):
        weights.append((pair.inverse * dot(pair.step, result))[:, None, None])
        result = result - weights[-1] * pair.change
    result = preconditioner(result)
    if pairs:
        last = pairs[-1]
        scale = last.inverse * dot(last.change, preconditioner(last.change))
        result = result / torch.where(scale > 0, scale, 1.0)[:, None, None]
    for pair, weight in zip(pairs, reversed(weights), strict=True):
        back = (pair.inverse * dot(pair.change, result))[:, None, None]
        result = result + (weight - back) * pair.step
    return result


@dataclass(frozen=True)
class _Line:
    """The loss along a direction. Logits are linear in it, so a trial needs no product with x.

    The penalty ½|W + t·V|² is kept as the inner products W·W, W·V and V·V.
    """

    loss: SoftmaxLoss
    logits: Tensor
    logit_direction: Tensor
    penalty: tuple[Tensor, Tensor, Tensor]

    @classmethod
    def through(cls, loss: SoftmaxLoss, params: Tensor, logits: Tensor, step: Tensor) -> "_Line":
        w, v = params[..., :-1], step[..., :-1]
        return cls(loss, logits, loss.logits(step), (dot(w, w), dot(w, v), dot(v, v)))

    def value(self, length: Tensor) -> Tensor:
        """The loss after a step of `length` directions, [T]."""
        constant, linear, square = self.penalty
        penalty = constant / 2 + length * linear + length**2 * square / 2
        logits = self.logits + length[:, None, None] * self.logit_direction
        return self.loss.cross_entropy(logits) + penalty

    def newton_length(self) -> Tensor:
        """Length after one Newton step from length 1 towards the line's minimum, [T]."""
        first, second = self.loss.directional_derivatives(
            self.logits + self.logit_direction, self.logit_direction
        )
        _, linear, square = self.penalty
        length = 1 - (first + linear + square) / (second + square)
        return torch.where(length.isfinite(), length, 1.0).clamp(*NEWTON_LENGTHS)

    def search(
        self, start: Tensor, slope: Tensor, rounding: float, active: Tensor
    ) -> tuple[Tensor, Tensor]:
        """The first of t, t/2, t/4, … with sufficient decrease, and the loss there, [T] each.

        The length is 0 if there is none or the task is not active.
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

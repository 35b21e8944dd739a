"""L-BFGS on many independent tasks at once."""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from lowlabel.fewshot.solvers.inverse_hessian import InverseHessian, Pair, dot
from lowlabel.fewshot.solvers.line_search import Line
from lowlabel.fewshot.solvers.softmax_loss import SoftmaxLoss

REFRESHES = (5, 20, 40, 80, 160)
MAX_ITERATIONS = 500


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
    steps of length 0 until they are half of those left, which then go on without them.

    Args:
        loss: The objective.
        tolerance: When to stop before the rounding.

    Returns:
        The parameters, [T, ways, D + 1].
    """
    found = loss.zero_params()
    rows = torch.arange(len(found), device=found.device)
    search = _Search.from_zero(loss)
    for iteration in range(1, MAX_ITERATIONS + 1):
        search.stop(tolerance)
        running = int(search.active.sum())
        if not running:
            break
        if 2 * running <= len(rows):
            found[rows] = search.params
            left = search.active.nonzero()[:, 0]
            rows, search = rows[left], search.of_tasks(left)
        search.step(refresh=iteration in REFRESHES)
    found[rows] = search.params
    return found


@dataclass
class _Search:
    """Where the search of each task is.

    Attributes:
        loss: The objective.
        params: Parameters, [T, ways, D + 1].
        logits: Their logits, [T, ways, n].
        value: The loss, [T].
        gradient: In the shape of the parameters.
        slope: The gradient in the coordinates of the preconditioner.
        inverse: The approximate inverse Hessian.
        natural: The preconditioned slope.
        active: Whether the task has not stopped, [T].
    """

    loss: SoftmaxLoss
    params: Tensor
    logits: Tensor
    value: Tensor
    gradient: Tensor
    slope: Tensor
    inverse: InverseHessian
    natural: Tensor
    active: Tensor

    @classmethod
    def from_zero(cls, loss: SoftmaxLoss) -> "_Search":
        params, logits = loss.zero_params(), loss.x.new_zeros(loss.targets.shape)
        gradient = loss.gradient(params, logits)
        slope, preconditioner = loss.coordinates(gradient), loss.bound_preconditioner()
        return cls(
            loss=loss,
            params=params,
            logits=logits,
            value=loss.cross_entropy(logits),
            gradient=gradient,
            slope=slope,
            inverse=InverseHessian(preconditioner),
            natural=preconditioner(slope),
            active=torch.ones(len(params), dtype=torch.bool, device=params.device),
        )

    def of_tasks(self, rows: Tensor) -> "_Search":
        """The search of some of the tasks."""
        return _Search(
            loss=self.loss.of_tasks(rows),
            params=self.params[rows],
            logits=self.logits[rows],
            value=self.value[rows],
            gradient=self.gradient[rows],
            slope=self.slope[rows],
            inverse=self.inverse.of_tasks(rows),
            natural=self.natural[rows],
            active=self.active[rows],
        )

    @property
    def size(self) -> float:
        """Size of the objective, c·n."""
        return self.loss.c * self.loss.x.shape[1]

    @property
    def rounding(self) -> float:
        """Rounding of the objective."""
        return torch.finfo(self.loss.x.dtype).eps * self.size

    def stop(self, tolerance: Tolerance) -> None:
        """Stops the tasks that are near enough to their minimum."""
        decrement = dot(self.slope, self.natural)
        steepest = self.gradient.abs().amax((1, 2))
        tolerable = (decrement <= tolerance.decrement * self.size) & (
            steepest <= tolerance.gradient * self.size
        )
        self.active &= (decrement > self.rounding) & ~tolerable

    def step(self, refresh: bool) -> None:
        """Takes a step, and stops the tasks that find none."""
        loss, direction = self.loss, -self.inverse(self.slope, self.natural)
        step = loss.params(direction)
        line = Line.through(loss, self.params, self.logits, step)
        downhill = dot(self.slope, direction)
        length, self.value = line.search(self.value, downhill, self.rounding, self.active)
        self.active &= length > 0
        lengths = length[:, None, None]
        self.params = torch.addcmul(self.params, lengths, step)
        self.logits = line.logits_at(length)
        before, natural_before = self.slope, self.natural
        self.gradient = loss.gradient(self.params, self.logits)
        self.slope = loss.coordinates(self.gradient)
        if refresh:
            preconditioner = loss.local_preconditioner(self.logits)
            self.inverse = InverseHessian(preconditioner, self.inverse.pairs)
            natural_before = preconditioner(before)
        self.natural = self.inverse.preconditioner(self.slope)
        preconditioned = self.natural - natural_before
        self.inverse.pairs.append(Pair.of(direction * lengths, self.slope - before, preconditioned))

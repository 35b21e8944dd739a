"""The approximate inverse Hessian of L-BFGS, for many independent tasks at once."""

from collections import deque
from dataclasses import dataclass, field

import torch
from torch import Tensor

from lowlabel.fewshot.solvers.preconditioners import Preconditioner

HISTORY = 10


def dot(a: Tensor, b: Tensor) -> Tensor:
    """Inner product of each task's parameters, [T]."""
    return (a * b).sum((1, 2))


@dataclass(frozen=True)
class Pair:
    """A step and the gradient's change over it.

    Attributes:
        step: [T, ways, D + 1].
        change: [T, ways, D + 1].
        inverse: 1 / their inner product, [T, 1, 1]; 0 if the step has no curvature, as for a
            stopped task: the pair then has no effect.
        scale: The inner product over that of the change with the preconditioned change,
            [T, 1, 1]; 1 if the step has no curvature.
    """

    step: Tensor
    change: Tensor
    inverse: Tensor
    scale: Tensor

    @classmethod
    def of(cls, step: Tensor, change: Tensor, preconditioned: Tensor) -> "Pair":
        """A pair, with the preconditioned change."""
        curvature = dot(step, change)
        inverse = torch.where(curvature > 0, 1 / curvature, 0.0)
        length = inverse * dot(change, preconditioned)
        scale = torch.where(length > 0, 1 / length, 1.0)
        return cls(step, change, inverse[:, None, None], scale[:, None, None])

    def of_tasks(self, rows: Tensor) -> "Pair":
        """That of some of the tasks."""
        return Pair(self.step[rows], self.change[rows], self.inverse[rows], self.scale[rows])


@dataclass(frozen=True)
class InverseHessian:
    """A preconditioner, corrected by the last pairs of each task.

    Attributes:
        preconditioner: The first approximation.
        pairs: The last pairs, oldest first.
    """

    preconditioner: Preconditioner
    pairs: deque[Pair] = field(default_factory=lambda: deque(maxlen=HISTORY))

    def of_tasks(self, rows: Tensor) -> "InverseHessian":
        """That of some of the tasks."""
        pairs = (pair.of_tasks(rows) for pair in self.pairs)
        return InverseHessian(self.preconditioner.of_tasks(rows), deque(pairs, maxlen=HISTORY))

    def __call__(self, gradient: Tensor, preconditioned: Tensor) -> Tensor:
        """Its product with a gradient, by the two-loop recursion.

        Args:
            gradient: [T, ways, D + 1].
            preconditioned: The gradient's product with the preconditioner, which is the result as
                long as there are no pairs.
        """
        if not self.pairs:
            return preconditioned
        result, weights = gradient, []
        for pair in reversed(self.pairs):
            weights.append(pair.inverse * dot(pair.step, result)[:, None, None])
            result = torch.addcmul(result, weights[-1], pair.change, value=-1)
        result = self.preconditioner(result) * self.pairs[-1].scale
        for pair, weight in zip(self.pairs, reversed(weights), strict=True):
            back = pair.inverse * dot(pair.change, result)[:, None, None]
            result = torch.addcmul(result, weight - back, pair.step)
        return result

"""Search for a step along a direction, for many independent tasks at once."""

from dataclasses import dataclass

import torch
from torch import Tensor

from lowlabel.fewshot.solvers.inverse_hessian import dot
from lowlabel.fewshot.solvers.softmax_loss import SoftmaxLoss

MAX_HALVINGS = 20
NEWTON_LENGTHS = (0.1, 10.0)
SUFFICIENT_DECREASE = 1e-4


@dataclass(frozen=True)
class Line:
    """The loss along a direction. Logits are linear in it, so a trial needs no product with x.

    The penalty ½|W + t·V|² is kept as the inner products W·W, W·V and V·V.
    """

    loss: SoftmaxLoss
    logits: Tensor
    logit_direction: Tensor
    penalty: tuple[Tensor, Tensor, Tensor]

    @classmethod
    def through(cls, loss: SoftmaxLoss, params: Tensor, logits: Tensor, step: Tensor) -> "Line":
        """The line from parameters with their logits along a step in the parameters."""
        w, v = params[..., :-1], step[..., :-1]
        return cls(loss, logits, loss.logits(step), (dot(w, w), dot(w, v), dot(v, v)))

    def value(self, length: Tensor) -> Tensor:
        """The loss after a step of `length` directions, [T]."""
        constant, linear, square = self.penalty
        penalty = constant / 2 + length * linear + length**2 * square / 2
        return self.loss.cross_entropy(self.logits_at(length)) + penalty

    def logits_at(self, length: Tensor) -> Tensor:
        """The logits after a step of `length` directions, [T, ways, n]."""
        return torch.addcmul(self.logits, length[:, None, None], self.logit_direction)

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

"""Losses of self-distillation between views."""

from typing import Any

import torch
from torch import nn

from lowlabel.processes.world import all_reduce_mean


def distillation_loss(
    student_logits: torch.Tensor, targets: torch.Tensor, temperature: float
) -> torch.Tensor:
    """DINO's loss: cross-entropy between every teacher view and every *other* student view.

    The targets sum to one, so −⟨q, log_softmax(z)⟩ = logsumexp(z) − ⟨q, z⟩. Thus the logits are
    read twice for all pairs, and no log-softmax is stored.

    Args:
        student_logits: [V, B, K]; the teacher sees the first T views too.
        targets: The teacher's distributions [T, B, K], without gradient.
        temperature: The student's temperature τ_s.

    Returns:
        The mean over the pairs (t, v ≠ t) and the batch.
    """
    loss: torch.Tensor = _Distillation.apply(student_logits, targets, temperature)
    return loss


class _Distillation(torch.autograd.Function):
    """The loss with an explicit gradient, softmax(z) − q, in three passes over the logits.

    Autograd would allocate a zero tensor of the size of all logits for every view.
    """

    @staticmethod
    def forward(
        ctx: Any, student_logits: torch.Tensor, targets: torch.Tensor, temperature: float
    ) -> torch.Tensor:
        views, teachers = len(student_logits), len(targets)
        scaled = student_logits.float() / temperature
        total_targets = targets.sum(dim=0)
        others = [teachers - (view < teachers) for view in range(views)]
        pairs = torch.tensor(others, dtype=scaled.dtype, device=scaled.device)
        # Autocast would round both sums to half precision, and with them their difference.
        with torch.autocast(scaled.device.type, enabled=False):
            matched = sum(
                torch.dot(
                    _other_targets(view, targets, total_targets).flatten(), scaled[view].flatten()
                )
                for view in range(views)
            )
            total = pairs @ scaled.logsumexp(dim=-1).sum(dim=1) - matched
        ctx.save_for_backward(scaled, targets, total_targets, pairs)
        ctx.temperature, ctx.dtype = temperature, student_logits.dtype
        ctx.count = sum(others) * student_logits.shape[1]
        loss: torch.Tensor = total / ctx.count
        return loss

    @staticmethod
    def backward(ctx: Any, *gradients: torch.Tensor) -> tuple[torch.Tensor, None, None]:
        scaled, targets, total_targets, pairs = ctx.saved_tensors
        factor = gradients[0] / (ctx.count * ctx.temperature)
        gradient = scaled.softmax(dim=-1)
        gradient.mul_((pairs * factor).view(-1, 1, 1))
        for view in range(len(scaled)):
            gradient[view].addcmul_(_other_targets(view, targets, total_targets), -factor)
        return gradient.to(ctx.dtype), None, None


def _other_targets(view: int, targets: torch.Tensor, total: torch.Tensor) -> torch.Tensor:
    """The sum of the targets of the other views [B, K]."""
    return total - targets[view] if view < len(targets) else total


class Centre(nn.Module):
    """A running mean of the teacher's logits; it prevents one prototype from taking all images.

    Args:
        shape: [1, K] for one centre, [1, N, K] for one per position.
        momentum: Momentum of the moving average.

    Attributes:
        value: The centre.
        parts: Equal parts of a batch, in which the logits come; the centre moves once after all.
    """

    value: torch.Tensor

    def __init__(self, shape: tuple[int, ...], momentum: float = 0.9) -> None:
        super().__init__()
        self.momentum, self.parts = momentum, 1
        self._means: list[torch.Tensor] = []
        self.register_buffer("value", torch.zeros(shape))

    def forward(self, logits: torch.Tensor, temperature: float) -> torch.Tensor:
        """softmax((logits − centre) / temperature) in float32."""
        return ((logits.float() - self.value) / temperature).softmax(dim=-1)

    @torch.no_grad()
    def update(self, logits: torch.Tensor) -> None:
        """Moves the centre towards the mean of logits [N, …, K] over N and over all processes."""
        self._means.append(logits.float().mean(dim=0, keepdim=True))
        if len(self._means) < self.parts:
            return
        mean = all_reduce_mean(torch.cat(self._means).mean(dim=0, keepdim=True))
        self._means.clear()
        self.value.mul_(self.momentum).add_(mean, alpha=1 - self.momentum)

"""Self-distillation between views."""

from typing import Any

import torch
from torch import nn

from lowlabel.training.engine.distributed import all_reduce_mean


def distillation_loss(
    student_logits: torch.Tensor, targets: torch.Tensor, temperature: float
) -> torch.Tensor:
    """DINO's loss: cross-entropy between every teacher view and every *other* student view.

    As the targets sum to one, −⟨q, log_softmax(z)⟩ = logsumexp(z) − ⟨q, z⟩, so that the logits are
    read twice for all pairs together and no log-softmax is stored.

    Args:
        student_logits: [V, B, K]; the first T views are those that the teacher sees too.
        targets: The teacher's distributions [T, B, K], without gradient.
        temperature: The student's, τ_s.

    Returns:
        The mean over the pairs (t, v ≠ t) and the batch.
    """
    loss: torch.Tensor = _Distillation.apply(student_logits, targets, temperature)
    return loss


class _Distillation(torch.autograd.Function):
    """The loss with its gradient written out: softmax(z) less the targets, in three passes.

    Autograd's own goes through a tensor of zeros of all logits for every view.
    """

    @staticmethod
    def forward(
        ctx: Any, student_logits: torch.Tensor, targets: torch.Tensor, temperature: float
    ) -> torch.Tensor:
        views, teachers = len(student_logits), len(targets)
        scaled = student_logits.float() / temperature
        everything = targets.sum(dim=0)
        others = [teachers - (view < teachers) for view in range(views)]
        pairs = torch.tensor(others, dtype=scaled.dtype, device=scaled.device)
        # Autocast would round both sums, and so their difference, to half precision.
        with torch.autocast(scaled.device.type, enabled=False):
            matched = sum(
                torch.dot(_wanted(view, targets, everything).flatten(), scaled[view].flatten())
                for view in range(views)
            )
            total = pairs @ scaled.logsumexp(dim=-1).sum(dim=1) - matched
        ctx.save_for_backward(scaled, targets, everything, pairs)
        ctx.temperature, ctx.dtype = temperature, student_logits.dtype
        ctx.count = sum(others) * student_logits.shape[1]
        loss: torch.Tensor = total / ctx.count
        return loss

    @staticmethod
    def backward(ctx: Any, *gradients: torch.Tensor) -> tuple[torch.Tensor, None, None]:
        scaled, targets, everything, pairs = ctx.saved_tensors
        factor = gradients[0] / (ctx.count * ctx.temperature)
        gradient = scaled.softmax(dim=-1)
        gradient.mul_((pairs * factor).view(-1, 1, 1))
        for view in range(len(scaled)):
            gradient[view].addcmul_(_wanted(view, targets, everything), -factor)
        return gradient.to(ctx.dtype), None, None


def _wanted(view: int, targets: torch.Tensor, everything: torch.Tensor) -> torch.Tensor:
    """The sum of the targets that a student's view is compared with [B, K]."""
    return everything - targets[view] if view < len(targets) else everything


class Centre(nn.Module):
    """A running mean of the teacher's logits, which keeps one prototype from taking all images.

    Args:
        shape: Of the centre: [1, K] for one, [1, N, K] for one at each position.
        momentum: Share of the old centre that stays at each update.
    """

    value: torch.Tensor

    def __init__(self, shape: tuple[int, ...], momentum: float = 0.9) -> None:
        super().__init__()
        self.momentum = momentum
        self.register_buffer("value", torch.zeros(shape))

    def forward(self, logits: torch.Tensor, temperature: float) -> torch.Tensor:
        """softmax((logits − centre) / temperature) in float32."""
        return ((logits.float() - self.value) / temperature).softmax(dim=-1)

    @torch.no_grad()
    def update(self, logits: torch.Tensor) -> None:
        """Moves the centre towards the mean of logits [N, …, K] over N and all processes."""
        mean = all_reduce_mean(logits.float().mean(dim=0, keepdim=True))
        self.value.mul_(self.momentum).add_(mean, alpha=1 - self.momentum)


@torch.no_grad()
def mean_entropy(probabilities: torch.Tensor) -> torch.Tensor:
    """The mean entropy, in nats, of distributions [..., K]."""
    entropy: torch.Tensor = torch.special.entr(probabilities).sum(dim=-1).mean()
    return entropy


@torch.no_grad()
def usage_entropy(probabilities: torch.Tensor) -> torch.Tensor:
    """The entropy, in nats, of the mean of distributions [..., K]: 0 if one prototype takes all."""
    mean = probabilities.flatten(0, -2).mean(dim=0)
    entropy: torch.Tensor = torch.special.entr(all_reduce_mean(mean)).sum()
    return entropy

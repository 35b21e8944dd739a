"""Self-distillation between views."""

import torch
from torch import nn

from lowlabel.training.distributed import all_reduce_mean


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
    views, batch = student_logits.shape[:2]
    teachers = targets.shape[0]
    scaled = student_logits.float() / temperature
    normalisers = scaled.logsumexp(dim=-1).sum(dim=1)
    everything = targets.sum(dim=0)
    matched = normalisers.new_zeros(())
    for view in range(teachers):
        matched = matched + ((everything - targets[view]) * scaled[view]).sum()
    others = [teachers - (view < teachers) for view in range(views)]
    weights = torch.tensor(others, dtype=scaled.dtype, device=scaled.device)
    # Autocast would round both products, and so their difference, to half precision.
    with torch.autocast(scaled.device.type, enabled=False):
        if views > teachers:
            matched = matched + torch.einsum("bk,vbk->", everything, scaled[teachers:])
        return (weights @ normalisers - matched) / (sum(others) * batch)


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

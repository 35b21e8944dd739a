"""How weights are updated: parameter groups, gradient clipping, the teacher's moving average."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import nn

from lowlabel.training.engine.lars import LARS
from lowlabel.training.engine.optimisation import Optimisation

_SGD_MOMENTUM = 0.9
_EPSILON = 1e-6


def make_optimizer(student: nn.Module, optimisation: Optimisation) -> torch.optim.Optimizer:
    """Makes AdamW, SGD or LARS with two groups: weights, then biases and 1-D parameters.

    The second group has no weight decay. Call `set_rates` before every step.
    """
    trained = [item for item in student.named_parameters() if item[1].requires_grad]
    decayed = [p for name, p in trained if not _is_exempt(name, p)]
    exempt = [p for name, p in trained if _is_exempt(name, p)]
    groups: list[dict[str, Any]] = [{"params": decayed}, {"params": exempt, "weight_decay": 0.0}]
    if optimisation.optimizer == "sgd":
        return torch.optim.SGD(groups, lr=optimisation.lr, momentum=_SGD_MOMENTUM)
    if optimisation.optimizer == "lars":
        return LARS(groups, lr=optimisation.lr)
    return torch.optim.AdamW(groups, lr=optimisation.lr, fused=True)


def set_rates(optimizer: torch.optim.Optimizer, lr: float, weight_decay: float) -> None:
    """Sets the learning rate of both groups and the weight decay of the first."""
    for group in optimizer.param_groups:
        group["lr"] = lr
    optimizer.param_groups[0]["weight_decay"] = weight_decay


@torch.no_grad()
def clip_each(parameters: Sequence[nn.Parameter], max_norm: float) -> torch.Tensor:
    """Scales each gradient tensor to a norm of at most `max_norm`; 0 disables clipping.

    Each tensor is clipped by its own norm; `torch.nn.utils.clip_grad_norm_` uses one norm over
    all tensors.

    Returns:
        The largest norm before clipping; NaN or infinite if any gradient is.
    """
    gradients = [p.grad for p in parameters if p.grad is not None]
    norms = torch.stack(torch._foreach_norm(gradients))
    if max_norm > 0:
        factors = (max_norm / (norms + _EPSILON)).clamp(max=1.0)
        torch._foreach_mul_(gradients, list(factors.unbind()))
    return norms.max()


@torch.no_grad()
def move_teacher(teacher: nn.Module, student: nn.Module, momentum: float) -> None:
    """Moves the teacher's parameters towards the student's; buffers are unchanged.

    θ_t ← momentum · θ_t + (1 − momentum) · θ_s
    """
    torch._foreach_lerp_(list(teacher.parameters()), list(student.parameters()), 1 - momentum)


def _is_exempt(name: str, parameter: nn.Parameter) -> bool:
    return name.endswith(".bias") or parameter.ndim == 1

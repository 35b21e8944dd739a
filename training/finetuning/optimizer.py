"""The optimiser: learning rates of backbone, head and loss apart."""

from collections.abc import Iterable
from typing import Any

import numpy as np
import torch
from torch import nn

from lowlabel.training.engine.schedules import Schedule, warmup_cosine
from lowlabel.training.finetuning.options import FinetuneOptimisation

GROUPS = ("backbone", "head", "loss")
_MOMENTUM = 0.9


def make_optimizer(
    backbone: nn.Module, head: nn.Module, loss: nn.Module, optimisation: FinetuneOptimisation
) -> torch.optim.Optimizer:
    """Makes the optimiser with a group for each of `GROUPS`."""
    o = optimisation
    groups: list[dict[str, Any]] = [
        {"params": _trained(backbone), "lr": o.lr, "weight_decay": o.weight_decay},
        {"params": _trained(head), "lr": o.head_lr or o.lr, "weight_decay": o.weight_decay},
        {"params": _trained(loss), "lr": o.loss_lr, "weight_decay": o.loss_weight_decay},
    ]
    if o.optimizer == "sgd":
        return torch.optim.SGD(groups, lr=o.lr, momentum=_MOMENTUM)
    kind = torch.optim.AdamW if o.optimizer == "adamw" else torch.optim.Adam
    return kind(groups, lr=o.lr, fused=True)


def factors(optimisation: FinetuneOptimisation, steps: int, per_epoch: int) -> Schedule:
    """What each step multiplies the learning rates by, float64 [steps].

    The warm-up rises from 1 / n in its first step of n to 1.
    """
    warm = round(optimisation.warmup_epochs * per_epoch)
    end = 0.0 if optimisation.schedule == "cosine" else 1.0
    factors = warmup_cosine(1.0, end, steps, warm)
    warm = min(warm, steps)
    factors[:warm] = np.arange(1, warm + 1) / max(warm, 1)
    if optimisation.schedule == "step":
        epochs = np.arange(steps) // max(per_epoch, 1)
        factors *= optimisation.decay ** (epochs // optimisation.decay_every)
    return factors


def _trained(module: nn.Module) -> list[nn.Parameter]:
    parameters: Iterable[nn.Parameter] = module.parameters()
    return [parameter for parameter in parameters if parameter.requires_grad]

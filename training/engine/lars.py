"""LARS, an optimiser for convolutional networks and large batches.

You, Gitman, Ginsburg: "Large Batch Training of Convolutional Networks", 2017, arXiv:1708.03888.
"""

from collections.abc import Callable
from typing import Any, overload

import torch

_MOMENTUM, _TRUST = 0.9, 1e-3


class LARS(torch.optim.Optimizer):
    """SGD with momentum 0.9 whose steps have a length relative to that of each tensor.

    The gradient g with weight decay λ of a tensor w is scaled by 0.001·‖w‖ / ‖g + λw‖ before it
    enters the momentum buffer. As in DINO's code, biases and other 1-D parameters are neither
    decayed nor scaled.

    Args:
        params: Parameters or groups of them.
        lr: Learning rate.
        weight_decay: Weight decay λ.
    """

    def __init__(self, params: Any, lr: float, weight_decay: float = 0.0) -> None:
        super().__init__(params, {"lr": lr, "weight_decay": weight_decay})

    @overload
    def step(self, closure: None = None) -> None: ...

    @overload
    def step(self, closure: Callable[[], float]) -> float: ...

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> float | None:
        """Updates the parameters that have a gradient."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            for parameter in group["params"]:
                if parameter.grad is not None:
                    self._update(parameter, group["lr"], group["weight_decay"])
        return loss

    def _update(self, parameter: torch.Tensor, lr: float, weight_decay: float) -> None:
        update = parameter.grad
        assert update is not None
        if parameter.ndim != 1:
            update = update.add(parameter, alpha=weight_decay)
            length, other = parameter.norm(), update.norm()
            both = (length > 0) & (other > 0)
            update = update * torch.where(both, _TRUST * length / other, 1.0)
        state = self.state[parameter]
        if "momentum" not in state:
            state["momentum"] = torch.zeros_like(parameter)
        momentum: torch.Tensor = state["momentum"]
        momentum.mul_(_MOMENTUM).add_(update)
        parameter.add_(momentum, alpha=-lr)

"""Adam on the parameters of many independent tasks."""

import math

import torch
from torch import Tensor

_MOMENTS = (0.9, 0.999)
_EPSILON = 1e-8


class Adam:
    """Adam with PyTorch's default moments.

    Diederik P. Kingma, Jimmy Ba. Adam. ICLR 2015. arXiv:1412.6980

    Unlike `torch.optim.Adam` it is given the gradient, so it works in inference mode.

    Args:
        params: Initial parameters, for their shape.
        rate: Step size.
    """

    def __init__(self, params: Tensor, rate: float) -> None:
        self.rate = rate
        self._steps = 0
        self._mean = torch.zeros_like(params)
        self._square = torch.zeros_like(params)

    def step(self, params: Tensor, gradient: Tensor) -> Tensor:
        """Returns the next parameters."""
        self._steps += 1
        first, second = _MOMENTS
        self._mean.lerp_(gradient, 1 - first)
        self._square.mul_(second).addcmul_(gradient, gradient, value=1 - second)
        spread = (self._square.sqrt() / math.sqrt(1 - second**self._steps)).add_(_EPSILON)
        length = self.rate / (1 - first**self._steps)
        return torch.addcdiv(params, self._mean, spread, value=-length)

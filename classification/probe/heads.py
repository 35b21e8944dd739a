"""Linear heads that are trained together.

Heads with the same input lie side by side in one matrix, so that a step takes one matrix product
for their scores and one for their gradients, which adds to the momentum as well.
"""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

MOMENTUM = 0.9
_INITIAL_DEVIATION = 0.01
_FEW_CLASSES = 32


class LinearHeads:
    """Heads for one input, a head for each learning rate, in float32.

    The weights begin as N(0, 0.01²), the same for each head, the biases as 0, as in the code of
    DINO and DINOv2. Training is SGD on the mean cross-entropy, with momentum 0.9 as in torch.

    Args:
        width: Number of dimensions D of the input.
        classes: Number of classes C.
        rates: Learning rate of each of the R heads.
        seed: Random seed of the first weights.
        device: Device to compute on.

    Attributes:
        count: R.
        weight: Weights [D, R · C].
        bias: Biases [R · C].
    """

    def __init__(
        self, width: int, classes: int, rates: Sequence[float], seed: int, device: torch.device
    ) -> None:
        random = torch.Generator().manual_seed(seed)
        first = torch.randn(classes, width, generator=random).mul_(_INITIAL_DEVIATION)
        self.count = len(rates)
        self._shape = (len(rates), classes)
        self.weight = first.T.repeat(1, len(rates)).to(device)
        self.bias = torch.zeros(len(rates) * classes, device=device)
        self._weight_momentum = torch.zeros_like(self.weight)
        self._bias_momentum = torch.zeros_like(self.bias)
        self._rates = torch.tensor(rates, device=device).repeat_interleave(classes)

    def scores(self, features: Tensor) -> Tensor:
        """Scores [B, R, C] of features [B, D]."""
        scores = torch.addmm(self.bias, features, self.weight)
        return scores.view(len(features), *self._shape)

    def step(self, features: Tensor, targets: Tensor, share: float) -> None:
        """One step on a batch.

        Args:
            features: The batch [B, D].
            targets: Column of each image's class, int64 [B].
            share: Factor of the learning rates.
        """
        gradient = _softmax(self.scores(features))
        own = targets[:, None, None].expand(-1, self.count, 1)
        gradient.scatter_add_(2, own, gradient.new_full((), -1.0).expand_as(own))
        flat, images = gradient.flatten(1), len(features)
        self._weight_momentum.addmm_(features.T, flat, beta=MOMENTUM, alpha=1 / images)
        self._bias_momentum.mul_(MOMENTUM).add_(flat.mean(0))
        rates = self._rates * -share
        self.weight.addcmul_(self._weight_momentum, rates)
        self.bias.addcmul_(self._bias_momentum, rates)

    def state(self) -> dict[str, Tensor]:
        """Everything that training changes."""
        return {
            "weight": self.weight,
            "bias": self.bias,
            "weight_momentum": self._weight_momentum,
            "bias_momentum": self._bias_momentum,
        }

    def restore(self, state: Mapping[str, Tensor]) -> None:
        """Takes the state of equal heads; a `ValueError` if it is of others."""
        for name, values in self.state().items():
            if state[name].shape != values.shape:
                raise ValueError(f"its {name} is {[*state[name].shape]}, not {[*values.shape]}")
            values.copy_(state[name])

    def finite(self) -> Tensor:
        """Whether all weights and biases of each head are finite, [R]."""
        columns = self.weight.isfinite().all(0) & self.bias.isfinite()
        return columns.view(self._shape).all(1)


def _softmax(scores: Tensor) -> Tensor:
    """Softmax of scores [B, R, C] over the classes.

    On a CPU, torch's takes five times as long where a row is shorter than a vector register.
    """
    if scores.shape[2] > _FEW_CLASSES:
        return torch.softmax(scores, dim=2)
    powers = (scores - scores.amax(2, keepdim=True)).exp_()
    return powers.div_(powers.sum(2, keepdim=True))

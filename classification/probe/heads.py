"""Linear heads that are trained together.

Heads with the same input lie side by side in one matrix, so that a step takes one matrix product
for their scores and one for their gradients, which adds to the momentum as well.
"""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from lowlabel.classification.probe.losses import HeadLoss

Head = tuple[str, float]  # input and learning rate

MOMENTUM = 0.9
_INITIAL_DEVIATION = 0.01


class LinearHeads:
    """Heads for one input, a head for each learning rate, in float32.

    The weights begin as N(0, 0.01²), the same for each head, the biases as 0, as in the code of
    DINO and DINOv2. Training is SGD on the mean loss of the images, with momentum 0.9 as in torch.

    Args:
        width: Number of dimensions D of the input.
        classes: Number of classes C.
        rates: Learning rate of each of the R heads.
        seed: Random seed of the first weights.
        device: Device to compute on.
        loss: What is minimised.

    Attributes:
        count: R.
        weight: Weights [D, R · C].
        bias: Biases [R · C].
    """

    def __init__(
        self,
        width: int,
        classes: int,
        rates: Sequence[float],
        seed: int,
        device: torch.device,
        loss: HeadLoss,
    ) -> None:
        random = torch.Generator().manual_seed(seed)
        first = torch.randn(classes, width, generator=random).mul_(_INITIAL_DEVIATION)
        self.count, self._loss = len(rates), loss
        self._shape = (len(rates), classes)
        self.weight = first.T.repeat(1, len(rates)).to(device)
        self.bias = torch.zeros(len(rates) * classes, device=device)
        self._weight_momentum = torch.zeros_like(self.weight)
        self._bias_momentum = torch.zeros_like(self.bias)
        self._rates = torch.tensor(rates, device=device).repeat_interleave(classes)

    def scores(self, features: Tensor, classes: Tensor | None = None) -> Tensor:
        """Scores [B, R, C] of features [B, D], of all classes or some, int64."""
        if classes is None:
            scores = torch.addmm(self.bias, features, self.weight)
            return scores.view(len(features), *self._shape)
        weight = self.weight.view(-1, *self._shape)[:, :, classes].flatten(1)
        bias = self.bias.view(self._shape)[:, classes].flatten()
        return torch.addmm(bias, features, weight).view(len(features), self.count, len(classes))

    def step(self, features: Tensor, targets: Tensor, share: float) -> None:
        """One step on a batch.

        Args:
            features: The batch [B, D].
            targets: What the loss takes, [B] or [B, C].
            share: Factor of the learning rates.
        """
        flat = self._loss.gradient(self.scores(features), targets).flatten(1)
        images = len(features)
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

"""A Gaussian for each base class, and factors of the mean covariance of several."""

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

FACTOR_BYTES = 512 * 2**20
# Covariances of fewer images than dimensions are singular. Both are relative to the variance and
# far below what a float32 sample resolves.
_JITTER, _JITTER_OF_ALPHA = 1e-5, 1e-10

Neighbours = tuple[int, ...]


@dataclass(frozen=True, eq=False)
class BaseGaussians:
    """Means and covariances of C base classes.

    Attributes:
        means: [C, D].
        covariances: [C, D, D].
    """

    means: Tensor
    covariances: Tensor
    _factors: dict[float, "_FactorPool"] = field(default_factory=dict, init=False)

    def nearest(self, features: Tensor, k: int) -> Tensor:
        """The k classes of the nearest means in Euclidean distance, ascending, [M, D] → [M, k]."""
        distances = torch.cdist(features, self.means, compute_mode="donot_use_mm_for_euclid_dist")
        return distances.topk(k, largest=False).indices.sort(-1).values

    def factors(self, neighbours: Tensor, alpha: float) -> tuple[Tensor, Tensor]:
        """Cholesky factors of the mean covariance of some classes with alpha added to every entry.

        A set of classes is factored once and kept, as long as `FACTOR_BYTES` suffice.

        Args:
            neighbours: Ascending classes, [M, k].
            alpha: What is added to each entry of the mean covariance.

        Returns:
            Lower triangular factors [P, D, D], and the place of each one's among them, [M].
        """
        pool = self._factors.setdefault(alpha, _FactorPool(self.covariances, alpha))
        sets, inverse = neighbours.unique(dim=0, return_inverse=True)
        slots = pool.slots([tuple(classes) for classes in sets.tolist()])
        return pool.factors, torch.tensor(slots, device=inverse.device)[inverse]


class _FactorPool:
    """The most recently used factors, in one tensor."""

    def __init__(self, covariances: Tensor, alpha: float) -> None:
        self._covariances, self._alpha = covariances, alpha
        self._slots: OrderedDict[Neighbours, int] = OrderedDict()
        self.factors = covariances.new_empty(0, *covariances.shape[1:])

    def slots(self, sets: Sequence[Neighbours]) -> list[int]:
        """Where the factors of different sets are; missing ones take the places of the oldest."""
        self._make_room(len(sets))
        for classes in sets:
            if classes in self._slots:
                self._slots.move_to_end(classes)
        for classes in sets:
            if classes not in self._slots:
                self._slots[classes] = slot = self._free_slot()
                self.factors[slot] = self._factor(classes)
        return [self._slots[classes] for classes in sets]

    def _make_room(self, needed: int) -> None:
        """Doubles the pool while that is allowed; what is asked for at once always fits."""
        size = self._covariances[0].numel() * self._covariances.element_size()
        wanted = max(needed, min(len(self._slots) + needed, FACTOR_BYTES // size))
        if wanted > len(self.factors):
            room = max(wanted, min(2 * len(self.factors), FACTOR_BYTES // size))
            grown = self.factors.new_empty(room, *self.factors.shape[1:])
            grown[: len(self.factors)] = self.factors
            self.factors = grown

    def _free_slot(self) -> int:
        if len(self._slots) < len(self.factors):
            return len(self._slots)
        return self._slots.popitem(last=False)[1]

    def _factor(self, classes: Neighbours) -> Tensor:
        covariance = self._covariances[list(classes)].double().mean(0)
        variance = covariance.diagonal().mean()
        jitter = _JITTER * variance + _JITTER_OF_ALPHA * self._alpha * len(covariance)
        covariance += self._alpha
        covariance.diagonal().add_(jitter + torch.finfo(torch.float32).tiny)
        factor: Tensor = torch.linalg.cholesky(covariance)
        return factor.to(self.factors.dtype)

"""Gaussians of the base classes, and Cholesky factors of the mean covariance of several."""

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property

import torch
from torch import Tensor

FACTOR_BYTES = 512 * 2**20
# Covariances of fewer images than dimensions are singular. Both are relative to the variance and
# far below what a float32 sample resolves.
_JITTER, _JITTER_OF_ALPHA = 1e-5, 1e-10
_LOST = 1e-2  # share of the jitter below which a variance cannot be seen

ClassSet = tuple[int, ...]


@dataclass(frozen=True, eq=False)
class BaseGaussians:
    """Means and covariances of C base classes.

    Attributes:
        means: [C, D].
        covariances: [C, D, D].
    """

    means: Tensor
    covariances: Tensor
    _caches: dict[float, "_FactorCache"] = field(default_factory=dict, init=False)

    @cached_property
    def variance(self) -> float:
        """Mean variance of a feature over all classes, between and within them."""
        within = self.covariances.diagonal(dim1=1, dim2=2).mean()
        return float(within + self.means.var(0, correction=0).mean())

    def drowns_in(self, alpha: float) -> bool:
        """Whether the features' variance is lost in float32 beside alpha in every entry."""
        added = _JITTER_OF_ALPHA * alpha * self.means.shape[1]
        return 0 < self.variance < _LOST * added

    def nearest(self, features: Tensor, k: int) -> Tensor:
        """The k classes of the nearest means in Euclidean distance, ascending, [M, D] → [M, k]."""
        distances = torch.cdist(features, self.means, compute_mode="donot_use_mm_for_euclid_dist")
        return distances.topk(k, largest=False).indices.sort(-1).values

    def factors(self, classes: Tensor, alpha: float) -> tuple[Tensor, Tensor]:
        """Cholesky factors of the mean covariance of several classes plus alpha in every entry.

        Each set of classes is factored once and kept while `FACTOR_BYTES` suffice.

        Args:
            classes: Sets of classes, each in ascending order, [M, k].
            alpha: Number added to each entry of the mean covariance.

        Returns:
            Lower triangular factors [P, D, D], and the index of each set's factor, [M].
        """
        cache = self._caches.setdefault(alpha, _FactorCache(self.covariances, alpha))
        sets, inverse = classes.unique(dim=0, return_inverse=True)
        slots = cache.slots([tuple(members) for members in sets.tolist()])
        return cache.factors, torch.tensor(slots, device=inverse.device)[inverse]


class _FactorCache:
    """The most recently used factors, in one tensor."""

    def __init__(self, covariances: Tensor, alpha: float) -> None:
        self._covariances, self._alpha = covariances, alpha
        self._slots: OrderedDict[ClassSet, int] = OrderedDict()
        self.factors = covariances.new_empty(0, *covariances.shape[1:])

    def slots(self, sets: Sequence[ClassSet]) -> list[int]:
        """Indices of the factors of different sets; missing ones replace the oldest."""
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
        """Doubles the room up to `FACTOR_BYTES`; the sets of one call always fit."""
        size = self._covariances[0].numel() * self._covariances.element_size()
        capacity = max(needed, min(len(self._slots) + needed, FACTOR_BYTES // size))
        if capacity > len(self.factors):
            room = max(capacity, min(2 * len(self.factors), FACTOR_BYTES // size))
            grown = self.factors.new_empty(room, *self.factors.shape[1:])
            grown[: len(self.factors)] = self.factors
            self.factors = grown

    def _free_slot(self) -> int:
        if len(self._slots) < len(self.factors):
            return len(self._slots)
        return self._slots.popitem(last=False)[1]

    def _factor(self, classes: ClassSet) -> Tensor:
        covariance = self._covariances[list(classes)].double().mean(0)
        variance = covariance.diagonal().mean()
        jitter = _JITTER * variance + _JITTER_OF_ALPHA * self._alpha * len(covariance)
        covariance += self._alpha
        covariance.diagonal().add_(jitter + torch.finfo(torch.float32).tiny)
        factor: Tensor = torch.linalg.cholesky(covariance)
        return factor.to(self.factors.dtype)

"""Gaussians of the base classes, and samples from the mean covariance of several."""

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property

import torch
from torch import Tensor

FACTOR_BYTES = 512 * 2**20
_COLUMNS = 64
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
        roots: Matrices R with Rᵀ·R = covariance, [C, n, D], of classes with at most n < D images;
            none for larger classes.
    """

    means: Tensor
    covariances: Tensor
    roots: Tensor | None = None
    _caches: dict[float, "_FactorCache"] = field(default_factory=dict, init=False)

    @cached_property
    def variance(self) -> float:
        """Mean variance of a feature over all classes, between and within them."""
        within = self.traces.mean() / self.means.shape[1]
        return float(within + self.means.var(0, correction=0).mean())

    @cached_property
    def traces(self) -> Tensor:
        """Variance of each class, summed over the features, [C]."""
        return self.covariances.diagonal(dim1=1, dim2=2).sum(1)

    @cached_property
    def spectrum(self) -> tuple[Tensor, Tensor]:
        """Eigenvectors of the mean covariance [D, D], and their shares of its trace [D]."""
        values, vectors = torch.linalg.eigh(self.covariances.mean(0))
        values = values.clamp_min(0)
        return vectors, values / values.sum().clamp_min(torch.finfo(values.dtype).tiny)

    def drowns_in(self, alpha: float) -> bool:
        """Whether the features' variance is lost in float32 beside alpha in every entry."""
        added = _JITTER_OF_ALPHA * alpha * self.means.shape[1]
        return 0 < self.variance < _LOST * added

    def nearest(self, features: Tensor, k: int) -> Tensor:
        """The k classes of the nearest means in Euclidean distance, ascending, [M, D] → [M, k]."""
        distances = torch.cdist(features, self.means, compute_mode="donot_use_mm_for_euclid_dist")
        return distances.topk(k, largest=False).indices.sort(-1).values

    def numbers_per_sample(self, k: int) -> int:
        """Standard normal numbers that a sample from `k` classes takes.

        One for each image of the classes and one for alpha, or D if these are fewer.
        """
        width = self.means.shape[1]
        return width if self.roots is None else min(k * self.roots.shape[1] + 1, width)

    def samples(self, normals: Tensor, means: Tensor, classes: Tensor, alpha: float) -> Tensor:
        """Samples with the mean covariance of several classes plus alpha in every entry.

        Args:
            normals: Standard normal numbers, [M, S, numbers_per_sample(k)]; may be overwritten.
            means: Means of the samples, [M, D].
            classes: Sets of classes, each in ascending order, [M, k].
            alpha: Number added to each entry of the mean covariance.

        Returns:
            [M, S, D].
        """
        if normals.shape[2] < self.means.shape[1]:
            return self._from_roots(normals, means, classes, alpha)
        return self._from_factors(normals, means, classes, alpha)

    def _from_roots(self, z: Tensor, means: Tensor, classes: Tensor, alpha: float) -> Tensor:
        """Sums of the classes' centred images, weighted by normal numbers."""
        assert self.roots is not None  # numbers_per_sample
        x: Tensor = means[:, None] + alpha**0.5 * z[..., -1:]
        for start in range(0, means.shape[1], _COLUMNS):
            columns = slice(start, start + _COLUMNS)
            roots = self.roots[:, :, columns][classes].flatten(1, 2)
            x[..., columns].baddbmm_(z[..., :-1], roots, alpha=classes.shape[1] ** -0.5)
        return x

    def _from_factors(self, x: Tensor, means: Tensor, classes: Tensor, alpha: float) -> Tensor:
        """Products with Cholesky factors, in place from the last columns to the first."""
        factors, index = self._factors(classes, alpha)
        width = means.shape[1]
        for start in reversed(range(0, width, _COLUMNS)):
            end = min(start + _COLUMNS, width)
            columns = factors[:, start:end, :end][index].transpose(1, 2)
            x[..., start:end] = torch.baddbmm(means[:, None, start:end], x[..., :end], columns)
        return x

    def _factors(self, classes: Tensor, alpha: float) -> tuple[Tensor, Tensor]:
        """Lower triangular factors [P, D, D], and the index of each set's factor, [M].

        Each set of classes is factored once and kept while `FACTOR_BYTES` suffice.
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

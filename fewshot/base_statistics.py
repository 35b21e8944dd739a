"""Statistics of the base (training) classes, for the methods that use them."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from lowlabel.arrays import Features, Labels, as_features, as_labels, require_same_width
from lowlabel.errors import ClassError, InputError
from lowlabel.fewshot.gaussians import BaseGaussians
from lowlabel.lazy_rows import Table, changed, column_means
from lowlabel.scale import unit


@dataclass(frozen=True)
class BaseStatistics:
    """Statistics of the base classes' raw features, each computed on first use.

    Attributes:
        features: Raw features of the base images, [N, D].
        labels: Class of each base image, [N].
    """

    features: Table
    labels: NDArray[np.int64]

    @cached_property
    def mean(self) -> Tensor:
        """Mean over all base images, [D]."""
        return column_means(self.features)

    @cached_property
    def unit(self) -> "BaseStatistics":
        """Statistics of the features scaled to length 1."""
        return BaseStatistics(changed(self.features, unit), self.labels)

    @cached_property
    def gaussians(self) -> BaseGaussians:
        """Mean and covariance (ddof 1) of each class, ordered by label.

        Memory: C·D² numbers for C classes, and as many as all features where no class has D images.

        Raises:
            InputError: If a class has a single image and therefore no covariance.
        """
        classes, sizes = np.unique(self.labels, return_counts=True)
        if sizes.min() < 2:
            raise ClassError(
                f"{(sizes < 2).sum()} of the {len(classes)} base classes have one image, which has "
                "no covariance, such as class {}",
                "Remove them from the base classes.",
                [int(classes[sizes.argmin()])],
            )
        width, device = self.features.shape[1], self.features.device
        means = torch.empty(len(classes), width, dtype=self.features.dtype, device=device)
        covariances = means.new_empty(len(classes), width, width)
        roots = None
        if sizes.max() < width:
            roots = means.new_zeros(len(classes), int(sizes.max()), width)
        for index, label in enumerate(classes):
            rows = torch.from_numpy(np.flatnonzero(self.labels == label))
            members = self.features.index_select(0, rows.to(device)).double()
            mean = means[index] = members.mean(0)
            covariances[index] = torch.cov(members.T)
            if roots is not None:
                members -= mean
                roots[index, : len(members)] = members / (len(members) - 1) ** 0.5
        return BaseGaussians(means, covariances, roots)


def base_statistics(
    base: tuple[Features, Labels], features: Tensor, take: Callable[[Tensor, str], Table]
) -> BaseStatistics:
    """Checks the base classes' features and labels.

    Args:
        base: Features [N, D] and labels [N] of the base classes.
        features: Features of the novel classes, whose width and device the base must share.
        take: Brings features to the scale of the novel ones, in float32; the second argument is
            their name in messages.

    Raises:
        InputError: If they are not a pair, or the arrays do not fit.
    """
    if not isinstance(base, tuple) or len(base) != 2:
        raise InputError("base must be a pair (base_features, base_labels)")
    rows = take(as_features(base[0], "base features").to(features.device), "base features")
    labels = as_labels(base[1], len(rows), "base labels")
    require_same_width({"features": features.shape[1], "base features": rows.shape[1]})
    return BaseStatistics(rows, labels)

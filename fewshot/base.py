"""What is known of the base (training) classes, for the methods that use it."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from torch import Tensor


@dataclass(frozen=True)
class BaseStatistics:
    """Statistics of the base classes' raw features, each computed when it is first asked for.

    Attributes:
        features: Raw features of the base images, [N, D].
        labels: Class of each base image, [N].
    """

    features: Tensor
    labels: NDArray[np.int64]

    @cached_property
    def mean(self) -> Tensor:
        """Mean over all base images, [D]."""
        return self.features.mean(0)

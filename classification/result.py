"""Result of a k-NN evaluation."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

CI95_DEFINITION = "1.96·σ/√n over test images, σ with ddof=1"


@dataclass(frozen=True, eq=False)
class KNNResult:
    """Accuracies of a k-NN classifier for each k, in percent.

    Attributes:
        correct: Whether each test image is classified correctly, bool [test images], by
            "top1@K" and "top5@K" for every K of `ks`.
        ks: Numbers of neighbours, in the requested order.
        temperature: T of the vote exp(similarity / T).
        classes: Number of train classes.
        unseen: Number of test images whose class has no train image; they count as wrong.
    """

    correct: Mapping[str, NDArray[np.bool_]]
    ks: tuple[int, ...]
    temperature: float
    classes: int
    unseen: int

    @property
    def metrics(self) -> dict[str, float]:
        """Accuracy for each key of `correct`, in percent."""
        return {name: 100 * float(hits.mean()) for name, hits in self.correct.items()}

    @property
    def ci95(self) -> dict[str, float]:
        """Half-width of each accuracy's 95 % confidence interval; NaN for a single image."""
        return {name: _ci95(hits) for name, hits in self.correct.items()}

    @property
    def ci95_definition(self) -> str:
        """The formula of `ci95`."""
        return CI95_DEFINITION


def _ci95(hits: NDArray[np.bool_]) -> float:
    if len(hits) < 2:
        return math.nan
    return 100 * 1.96 * float(hits.std(ddof=1)) / math.sqrt(len(hits))

"""Results of classifiers."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

CI95_DEFINITION = "1.96·σ/√n over test images, σ with ddof=1"
DELTA_CI95_DEFINITION = f"{CI95_DEFINITION}; delta method where the metric is no mean over images"


@dataclass(frozen=True, eq=False)
class ClassifierResult:
    """Metrics of a classifier on test images, in percent.

    Attributes:
        values: By metric, a value of each test image [M] whose mean is the metric; see
            `lowlabel.classification.metrics.classification_values`.
        classes: Number of train classes.
        unseen: Number of test images whose class has no train image; they count as wrong.
        chosen: What was chosen on validation images, with what was tried; empty if nothing was.
    """

    values: Mapping[str, NDArray[np.float64]]
    classes: int
    unseen: int
    chosen: Mapping[str, object] = field(default_factory=dict)

    @property
    def metrics(self) -> dict[str, float]:
        """Each metric, in percent."""
        return {name: float(values.mean()) for name, values in self.values.items()}

    @property
    def ci95(self) -> dict[str, float]:
        """Half-width of each 95 % confidence interval; NaN for a single image."""
        return {name: half_width(values) for name, values in self.values.items()}

    @property
    def ci95_definition(self) -> str:
        """The formula of `ci95`."""
        return DELTA_CI95_DEFINITION


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
        values: By k, as those of `ClassifierResult`; empty unless asked for.
    """

    correct: Mapping[str, NDArray[np.bool_]]
    ks: tuple[int, ...]
    temperature: float
    classes: int
    unseen: int
    values: Mapping[int, Mapping[str, NDArray[np.float64]]] = field(default_factory=dict)

    @property
    def metrics(self) -> dict[str, float]:
        """Accuracy for each key of `correct`, in percent."""
        return {name: 100 * float(hits.mean()) for name, hits in self.correct.items()}

    def of(self, k: int) -> ClassifierResult:
        """All metrics of one k; a `KeyError` unless they were asked for."""
        return ClassifierResult(self.values[k], self.classes, self.unseen)

    @property
    def ci95(self) -> dict[str, float]:
        """Half-width of each accuracy's 95 % confidence interval; NaN for a single image."""
        return {name: 100 * half_width(hits) for name, hits in self.correct.items()}

    @property
    def ci95_definition(self) -> str:
        """The formula of `ci95`."""
        return CI95_DEFINITION


def half_width(values: NDArray[np.float64] | NDArray[np.bool_]) -> float:
    """Half-width of the 95 % confidence interval of a mean; NaN for a single value."""
    if len(values) < 2:
        return math.nan
    return 1.96 * float(np.std(values, ddof=1)) / math.sqrt(len(values))

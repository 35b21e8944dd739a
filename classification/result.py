"""Results of classifiers."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from lowlabel.classification.intervals import Units
from lowlabel.intervals import Interval, definitions


class WithIntervals(ABC):
    """A result with several kinds of intervals, of which it shows one."""

    units: Units

    @property
    @abstractmethod
    def intervals(self) -> Mapping[str, Mapping[str, Interval]]:
        """The 95 % confidence intervals of each metric, by kind."""

    @property
    def interval(self) -> str:
        """The kind that `ci95` takes."""
        return self.units.interval

    @property
    def ci95(self) -> dict[str, float]:
        """Half-width of each interval of the kind `interval`; NaN where it cannot be computed."""
        return {name: kinds[self.interval].half_width for name, kinds in self.intervals.items()}

    @property
    def ci95_definition(self) -> str:
        """The formulas of `ci95`."""
        return definitions(kinds[self.interval] for kinds in self.intervals.values())


@dataclass(frozen=True, eq=False)
class ClassifierResult(WithIntervals):
    """Metrics of a classifier on test images, in percent.

    Attributes:
        values: By metric, a value of each test image [M] whose mean is the metric; see
            `lowlabel.classification.metrics.classification_values`.
        classes: Number of train classes.
        unseen: Number of test images whose class has no train image; they count as wrong.
        units: Classes and groups of the test images, and the kind of interval that is shown.
        chosen: What was chosen on validation images, with what was tried; empty if nothing was.
    """

    values: Mapping[str, NDArray[np.float64]]
    classes: int
    unseen: int
    units: Units
    chosen: Mapping[str, object] = field(default_factory=dict)

    @property
    def metrics(self) -> dict[str, float]:
        """Each metric, in percent."""
        return {name: float(values.mean()) for name, values in self.values.items()}

    @cached_property
    def intervals(self) -> Mapping[str, Mapping[str, Interval]]:
        """The intervals of each metric: "images", "classes", and "groups" where there are any."""
        return self.units.intervals(self.values)


@dataclass(frozen=True, eq=False)
class KNNResult(WithIntervals):
    """Accuracies of a k-NN classifier for each k, in percent.

    Attributes:
        correct: Whether each test image is classified correctly, bool [test images], by
            "top1@K" and "top5@K" for every K of `ks`.
        ks: Numbers of neighbours, in the requested order.
        temperature: T of the vote exp(similarity / T).
        classes: Number of train classes.
        unseen: Number of test images whose class has no train image; they count as wrong.
        units: Classes and groups of the test images, and the kind of interval that is shown.
        values: By k, as those of `ClassifierResult`; empty unless asked for.
    """

    correct: Mapping[str, NDArray[np.bool_]]
    ks: tuple[int, ...]
    temperature: float
    classes: int
    unseen: int
    units: Units
    values: Mapping[int, Mapping[str, NDArray[np.float64]]] = field(default_factory=dict)

    @property
    def metrics(self) -> dict[str, float]:
        """Accuracy for each key of `correct`, in percent."""
        return {name: 100 * float(hits.mean()) for name, hits in self.correct.items()}

    def of(self, k: int) -> ClassifierResult:
        """All metrics of one k; a `KeyError` unless they were asked for."""
        return ClassifierResult(self.values[k], self.classes, self.unseen, self.units)

    @cached_property
    def intervals(self) -> Mapping[str, Mapping[str, Interval]]:
        """The intervals of each accuracy: "images", "classes", "groups" where there are any."""
        values = {name: 100 * hits.astype(np.float64) for name, hits in self.correct.items()}
        return self.units.intervals(values)

"""mAP of a classifier of images with several labels, with its intervals."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from lowlabel.classification.intervals import OVER_IMAGES, Units, over
from lowlabel.classification.labelling.ties import Columns
from lowlabel.classification.result import WithIntervals
from lowlabel.classification.several_labels.average_precision import average_precision
from lowlabel.classification.several_labels.label_sets import Sets
from lowlabel.intervals import Interval, jackknife_interval, means_without, normal

Values = NDArray[np.float64]
Scores = Callable[[Columns], Values]

MEAN_AP = "mean_ap"
_ELEMENTS = 2**23  # of the scores that are held at once
_OVER_LABELS = "jackknife over the average precisions of {} labels"


@dataclass(frozen=True, eq=False)
class SeveralLabelsResult(WithIntervals):
    """The mean over labels of `average_precision`, in percent.

    Attributes:
        average_precision: By label of a test image, ascending, in percent, [S].
        scored: Those labels, as columns of the matrix of labels, [S]. No test image has the others:
            they are left out of the mean.
        without_test: Number of the labels that no test image has.
        without_train: Number of the scored labels that no train image has, or all have: nothing can
            be learned of them, so all scores are equal.
        values: "mean_ap": a value of each test image [M] whose mean is the metric; see
            `lowlabel.classification.metrics`.
        units: Sets of labels and groups of the test images, and the kind of interval that is shown.
        chosen: What was chosen on validation images, with what was tried; empty if nothing was.
    """

    average_precision: NDArray[np.float64]
    scored: NDArray[np.int64]
    without_test: int
    without_train: int
    values: Mapping[str, NDArray[np.float64]]
    units: Units
    chosen: Mapping[str, object] = field(default_factory=dict)

    @classmethod
    def of(
        cls,
        scores: Scores,
        sets: Sets,
        learned: Sets,
        units: Units,
        chosen: Mapping[str, object] | None = None,
    ) -> "SeveralLabelsResult":
        """Scores the test images.

        Args:
            scores: Gives the score of each test image for some labels, [M, labels].
            sets: Whether each test image has each label, [M, L]; one of them at least.
            learned: Whether each label could be learned, [L].
            units: See above.
            chosen: See above.
        """
        scored = np.flatnonzero(sets.any(axis=0))
        areas, influence = np.empty(len(scored)), np.zeros(len(sets))
        for place, (of_label, has_label) in enumerate(_by_label(scores, sets, scored)):
            areas[place], of_images = average_precision(of_label, has_label)
            influence += of_images
        values = 100 * (areas.mean() + influence / len(scored))
        without = sets.shape[1] - len(scored)
        unlearned = int((~learned[scored]).sum())
        return cls(100 * areas, scored, without, unlearned, {MEAN_AP: values}, units, chosen or {})

    @property
    def metrics(self) -> dict[str, float]:
        """The metric, in percent."""
        return {MEAN_AP: float(self.average_precision.mean())}

    @cached_property
    def intervals(self) -> Mapping[str, Mapping[str, Interval]]:
        """The intervals: "images", "classes" (labels), and "groups" where there are any."""
        values, areas = self.values[MEAN_AP], self.average_precision
        none = "none: the test images have fewer than two labels"
        without = means_without(areas, np.arange(len(areas)))
        kinds = {
            "images": Interval("images", normal(values), OVER_IMAGES),
            "classes": jackknife_interval("classes", without, _OVER_LABELS, none),
        }
        if self.units.groups is not None:
            kinds["groups"] = over("groups", means_without(values, self.units.groups))
        return {MEAN_AP: kinds}


def mean_average_precision(scores: Scores, sets: Sets) -> float:
    """Mean over the labels of `sets` [M, L] that an image has, from 0 to 1; one has one."""
    scored = np.flatnonzero(sets.any(axis=0))
    return float(
        np.mean([average_precision(*each).value for each in _by_label(scores, sets, scored)])
    )


def _by_label(scores: Scores, sets: Sets, labels: Columns) -> Iterator[tuple[Values, Sets]]:
    """The scores of all images for each label, and which images have it."""
    step = max(1, _ELEMENTS // len(sets))
    for start in range(0, len(labels), step):
        block = labels[start : start + step]
        yield from zip(scores(block).T, sets[:, block].T, strict=True)

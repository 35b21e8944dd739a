"""Intervals of classifiers: over test images, over their groups, over classes."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from lowlabel.arrays import Labels, as_labels, require_name
from lowlabel.errors import InputError
from lowlabel.intervals import Interval, IntervalKind, jackknife_interval, means_without, normal

ClassifierInterval = Literal["images", "groups", "classes"]
Values = NDArray[np.float64]
Codes = NDArray[np.int64]

OVER_IMAGES = (
    "1.96·σ/√n over test images, σ with ddof=1; delta method where the metric is no mean over "
    "images"
)
_OVER = "jackknife over the test images of {} {}"
_OF_CLASSES = ("macro_f1", "auroc")  # a class moves those of the others too


@dataclass(frozen=True, eq=False)
class Units:
    """What another study would draw anew.

    Attributes:
        labels: Class of each test image, any integers, [M].
        groups: Group of each test image (patient, camera, burst), any integers, [M], if any.
        interval: The kind of interval that a result shows.
    """

    labels: Codes
    groups: Codes | None = None
    interval: str = "images"

    @classmethod
    def of(
        cls,
        labels: Codes,
        groups: Labels | None,
        interval: str | None,
        kinds: tuple[str, ...] = get_args(ClassifierInterval),
    ) -> "Units":
        """Checks groups and interval; by default the groups take the place of the images.

        Raises:
            InputError: If groups do not match the test images, or are wanted and not there.
            UnknownNameError: If there is no such interval.
        """
        if interval is None:
            interval = "images" if groups is None else "groups"
        require_name("confidence interval", interval, kinds)
        if groups is not None:
            return cls(labels, as_labels(groups, len(labels), "groups"), interval)
        if interval == "groups":
            raise InputError(
                "interval='groups' needs the group of each test image",
                "Pass groups=, or another interval.",
            )
        return cls(labels, None, interval)

    def intervals(self, values: Mapping[str, Values]) -> dict[str, dict[str, Interval]]:
        """Every interval of every metric, by kind.

        Args:
            values: By metric, a value of each test image [M] whose mean is the metric.
        """
        found = {}
        for name, of_images in values.items():
            kinds = {
                "images": Interval("images", normal(of_images), OVER_IMAGES),
                "classes": self.over_classes(name, of_images, values),
            }
            if self.groups is not None:
                kinds["groups"] = over("groups", means_without(of_images, self.groups))
            found[name] = kinds
        return found

    def over_classes(self, name: str, of_images: Values, values: Mapping[str, Values]) -> Interval:
        """The interval over classes, each with the predictions that its images have."""
        if name in _OF_CLASSES:
            reason = f"none: {name} of other classes changes with a class"
            return Interval("classes", float("nan"), reason)
        if name == "balanced_accuracy":
            _, place = np.unique(self.labels, return_inverse=True)
            of_images = np.bincount(place, values["top1"]) / np.bincount(place)
            return over("classes", means_without(of_images, np.arange(len(of_images))))
        return over("classes", means_without(of_images, self.labels))


def over(kind: IntervalKind, without: Values) -> Interval:
    """The jackknife interval of means without each class or group."""
    none = f"none: the test images have fewer than two {kind}"
    return jackknife_interval(kind, without, _OVER.format("{}", kind), none)

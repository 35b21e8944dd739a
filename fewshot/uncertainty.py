"""Names of the confidence intervals, and those that need no tasks besides the run's."""

import math

import numpy as np
from numpy.typing import NDArray

from lowlabel.errors import UnknownNameError
from lowlabel.intervals import Interval, IntervalKind, jackknife_interval, student_t

INTERVALS = ("images", "groups", "tasks", "classes", "open", "normal", "student-t")
_KINDS: dict[str, IntervalKind] = {
    **{"images": "images", "groups": "groups", "classes": "classes", "open": "open"},
    **dict.fromkeys(("tasks", "normal", "student-t"), "tasks"),
}
_OVER_TASKS = {
    "normal": "1.96·σ/√n over tasks, σ with ddof=1",
    "student-t": "t(0.975, n-1)·σ/√n over tasks, σ with ddof=1",
}

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]


def interval_kind(name: str) -> IntervalKind:
    """The kind of an interval: "tasks" for "normal" and "student-t" too.

    Raises:
        UnknownNameError: If there is no such interval.
    """
    if name not in _KINDS:
        raise UnknownNameError("confidence interval", name, INTERVALS)
    return _KINDS[name]


def confidence_interval(accuracies: FloatArray, definition: str = "normal") -> float:
    """Half-width of the 95 % confidence interval over tasks, in the unit of `accuracies`.

    Args:
        accuracies: One value per task, [tasks].
        definition: "normal" is 1.96·σ/√n, as few-shot papers report; "student-t" replaces 1.96 by
            the quantile of Student's t with n-1 degrees of freedom. σ has ddof=1.

    Returns:
        The half-width; NaN for a single task.

    Raises:
        UnknownNameError: If there is no such definition.
    """
    if definition not in _OVER_TASKS:
        raise UnknownNameError("confidence interval", definition, _OVER_TASKS)
    n = len(accuracies)
    if n < 2:
        return math.nan
    quantile = 1.96 if definition == "normal" else student_t(n - 1)
    return quantile * float(np.std(accuracies, ddof=1)) / math.sqrt(n)


def over_tasks(accuracies: FloatArray, interval: str) -> Interval:
    """The interval that papers print: for other tasks of the same images.

    Args:
        accuracies: Accuracy of each task.
        interval: The chosen interval; "student-t" replaces 1.96.
    """
    definition = "student-t" if interval == "student-t" else "normal"
    half_width = confidence_interval(accuracies, definition)
    return Interval("tasks", half_width, _OVER_TASKS[definition])


def over_classes(accuracies: FloatArray, drawn: IntArray, classes: int) -> Interval:
    """The jackknife over classes, from the tasks without each class: for other classes.

    Args:
        accuracies: Accuracy of each of T tasks.
        drawn: Classes of each task, 0 … classes-1, [T, ways].
        classes: Number of classes, C.
    """
    ways = drawn.shape[1]
    if classes <= ways:
        return Interval(
            "classes", math.nan, f"over classes: {ways} ways of {classes} leave none out"
        )
    with_class = np.bincount(drawn.ravel(), minlength=classes)
    sums = np.bincount(drawn.ravel(), accuracies.repeat(ways), minlength=classes)
    left = len(accuracies) - with_class
    if not left.all():
        return Interval("classes", math.nan, "over classes: every task has one of the classes")
    without = (accuracies.sum() - sums) / left
    none = "over classes: fewer than two classes"
    return jackknife_interval("classes", without, "jackknife over {} classes", none)

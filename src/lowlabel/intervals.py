"""Confidence intervals: what each kind is about, and the formulas that the protocols share."""

import math
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from lowlabel.errors import UnknownNameError

IntervalKind = Literal["tasks", "images", "classes", "queries", "groups", "draws", "seeds", "open"]


@dataclass(frozen=True)
class Interval:
    """A 95 % confidence interval of a mean, with what it is about.

    Attributes:
        kind: What another study would draw anew: tasks, images, classes, queries, ….
        half_width: In the unit of the mean; NaN where it cannot be computed.
        definition: The formula in words, with its numbers: "jackknife over 20 classes, Student's t
            with 19 degrees of freedom"; where it cannot be computed, the reason.
        replicates: What the interval of a paired difference is made of; None where that is the
            score of every item. [C] for a jackknife: the mean without each class or group. [S, T]
            for half-sampling: the difference of the two halves, by split and task.
    """

    kind: IntervalKind
    half_width: float
    definition: str
    replicates: NDArray[np.float64] | None = field(default=None, compare=False, repr=False)


def require_kind(name: str) -> None:
    """Raises an `UnknownNameError` if there is no such kind of interval."""
    if name not in get_args(IntervalKind):
        raise UnknownNameError("kind of interval", name, get_args(IntervalKind))


def definitions(intervals: Iterable[Interval]) -> str:
    """The different formulas of the intervals of several metrics, for a record."""
    return "; ".join(dict.fromkeys(interval.definition for interval in intervals))


def student_t(degrees: float) -> float:
    """The 0.975 quantile of Student's t."""
    from scipy.special import stdtrit  # scipy.stats, which calls it, takes half a second to import

    return float(stdtrit(degrees, 0.975))


def half_sampling(halves: NDArray[np.float64], values: NDArray[np.float64]) -> float:
    """Half-width of the interval of a mean over tasks, from random splits of the images in halves.

    Student's t has S/2 degrees of freedom for S splits.

    Args:
        halves: See `half_sampling_error`.
        values: See `half_sampling_error`.

    Returns:
        The half-width; NaN for fewer than two tasks.
    """
    if len(values) < 2:
        return math.nan
    return student_t(len(halves) / 2) * half_sampling_error(halves, values)


def half_sampling_error(halves: NDArray[np.float64], values: NDArray[np.float64]) -> float:
    """Standard error of a mean over tasks, for images and tasks drawn anew.

    With dₛ the mean of the differences of split s and s²ₛ their variance over its T' tasks, the
    variance is meanₛ (dₛ² - s²ₛ/T')/4, at least 0, plus σ²/T of the values.

    Args:
        halves: Value in the first half minus value in the second half, by split and task, [S, T'].
        values: Value of each of T tasks on all images, T ≥ 2.
    """
    squares = halves.mean(1) ** 2 - halves.var(1, ddof=1) / halves.shape[1]
    over_images = max(0.0, float(squares.mean()) / 4)
    return math.sqrt(over_images + float(values.var(ddof=1)) / len(values))


def jackknife(without: NDArray[np.float64]) -> float:
    """Half-width of the interval of a mean from its values without each class (or group).

    The variance is (C - 1)/C · Σ(θ₋c - mean)², Student's t has C - 1 degrees of freedom.

    Args:
        without: The mean without each of C classes, [C]; NaN where nothing is left.

    Returns:
        The half-width; NaN for fewer than two classes.
    """
    values = without[~np.isnan(without)]
    classes = len(values)
    if classes < 2:
        return math.nan
    variance = (classes - 1) / classes * float(((values - values.mean()) ** 2).sum())
    return student_t(classes - 1) * math.sqrt(variance)


def jackknife_interval(
    kind: IntervalKind, without: NDArray[np.float64], over: str, none: str
) -> Interval:
    """The interval of a mean from its values without each class (or group); see `jackknife`.

    Args:
        kind: What is left out.
        without: See `jackknife`.
        over: The formula in words, with {} for the number of classes.
        none: Why there is no interval, where there are fewer than two.
    """
    number = int((~np.isnan(without)).sum())
    if number < 2:
        return Interval(kind, math.nan, none)
    definition = f"{over.format(number)}, Student's t with {number - 1} degrees of freedom"
    return Interval(kind, jackknife(without), definition, without)


def normal(values: NDArray[np.float64]) -> float:
    """Half-width 1.96·σ/√n of the interval of a mean of independent values, [n].

    Returns:
        The half-width; NaN for a single value. Values that are NaN are left out.
    """
    values = values[~np.isnan(values)]
    if len(values) < 2:
        return math.nan
    return 1.96 * float(np.std(values, ddof=1)) / math.sqrt(len(values))


def means_without(values: NDArray[np.float64], groups: NDArray[np.int64]) -> NDArray[np.float64]:
    """The mean of the values without each class or group, for `jackknife`.

    Args:
        values: [n]; values that are NaN are left out.
        groups: Class or group of each value, any integers, [n].

    Returns:
        [C], by rising group; NaN where a group has no value, or nothing is left without it.
    """
    _, place = np.unique(groups, return_inverse=True)
    there = ~np.isnan(values)
    size = np.bincount(place[there], minlength=place.max() + 1)
    total = np.bincount(place[there], values[there], minlength=len(size))
    left = np.where(size > 0, size.sum() - size, 0)
    return np.where(left > 0, total.sum() - total, math.nan) / np.maximum(left, 1)

"""The interval of a paired difference: over items, over images by half-sampling, over classes."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtr

from lowlabel.intervals import half_sampling_error, jackknife, student_t
from lowlabel.results.kinds import default_kind, kind_of_values
from lowlabel.results.store import ScoredRecord

_NO_SPREAD = 1e-9

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class PairedInterval:
    """The 95 % interval of a mean difference.

    Attributes:
        interval: Its kind: "images", "classes", "tasks", ….
        ci_low: The lower end.
        ci_high: The upper end.
        p: Two-sided p-value of no difference.
        note: Why it is not of the kind that was wanted; empty if it is.
    """

    interval: str
    ci_low: float
    ci_high: float
    p: float
    note: str = ""


def paired_interval(
    a: ScoredRecord, b: ScoredRecord, metric: str, differences: Floats, wanted: str | None = None
) -> PairedInterval:
    """The interval of the mean of A − B.

    Half-sampling takes the splits that both have, and the jackknife the difference of the means
    without each class; where a side has neither, it is over the items, and the note says so.

    Args:
        a: Record of side A, of the same items as B.
        b: Record of side B.
        metric: The metric.
        differences: A − B of each item.
        wanted: The kind of interval; None for the default of the suite.
    """
    items = kind_of_values(a.record, metric)
    kind = wanted or default_kind(a.record.experiment.suite)
    mean = float(differences.mean())
    if kind == items:
        return _of(kind, mean, *_over_items(differences))
    ours, theirs = (each.replicates.get(metric, {}).get(kind) for each in (a, b))
    if ours is None or theirs is None:
        sides = [name for name, found in (("A", ours), ("B", theirs)) if found is None]
        note = f"{' and '.join(sides)} {'has' if len(sides) == 1 else 'have'} none over {kind}"
        return _of(items, mean, *_over_items(differences), note)
    if found := _over_kind(ours.astype(np.float64), theirs.astype(np.float64), differences):
        return _of(kind, mean, *found)
    note = f"the {'splits' if ours.ndim == 2 else kind} of A and B do not pair"
    return _of(items, mean, *_over_items(differences), note)


def _over_kind(a: Floats, b: Floats, differences: Floats) -> tuple[float, float] | None:
    """Standard error and degrees of freedom from the replicates of both; None if they differ."""
    if a.ndim == b.ndim == 2 and a.shape[1] == b.shape[1]:
        splits = min(len(a), len(b))
        return half_sampling_error(a[:splits] - b[:splits], differences), splits / 2
    if a.ndim != 1 or a.shape != b.shape:
        return None
    without = a - b
    degrees = int(np.isfinite(without).sum()) - 1
    return (jackknife(without) / student_t(degrees), degrees) if degrees > 0 else None


def _over_items(differences: Floats) -> tuple[float, float]:
    """Standard error and degrees of freedom of Student's paired t over the items."""
    count = len(differences)
    return float(differences.std(ddof=1)) / math.sqrt(count), count - 1


def _of(kind: str, mean: float, error: float, degrees: float, note: str = "") -> PairedInterval:
    if error < _NO_SPREAD:  # the t statistic would be 0/0 or infinite
        return PairedInterval(kind, mean, mean, 1.0 if abs(mean) < _NO_SPREAD else 0.0, note)
    half_width = student_t(degrees) * error
    p = 2 * float(stdtr(degrees, -abs(mean) / error))  # of Student's t
    return PairedInterval(kind, mean - half_width, mean + half_width, p, note)

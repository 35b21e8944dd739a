"""The covariance of several mean scores by the formulas of their intervals."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from lowlabel.results.store import ScoredRecord

Floats = NDArray[np.float64]


def covariance(
    scores: Sequence[tuple[str, ScoredRecord]], unit: str, items: bool
) -> tuple[Floats, float]:
    """Covariance of mean scores over the same units, and the degrees of freedom.

    The variance of a difference that it gives is that of `paired_interval`, but for the clipping
    at 0.

    Args:
        scores: Metric and record of each of n scores.
        unit: Kind of interval.
        items: Whether the units are the scored items themselves.

    Returns:
        [n, n], and the degrees of freedom of Student's t.
    """
    if not items:
        kept = [record.replicates[metric][unit].astype(np.float64) for metric, record in scores]
        if kept[0].ndim == 1:
            without = _finite(kept)
            classes = without.shape[1]
            return np.cov(without) * (classes - 1) ** 2 / classes, classes - 1
    values = _finite([record.per_item[metric].astype(np.float64) for metric, record in scores])
    over_items = np.cov(values) / values.shape[1]
    if items:
        return over_items, values.shape[1] - 1
    splits = min(map(len, kept))
    halves = np.stack([each[:splits] for each in kept])  # [n, S, T]
    means = halves.mean(2)
    centred = halves - means[:, :, None]
    tasks = halves.shape[2]
    within = np.einsum("ist,jst->ij", centred, centred) / splits / (tasks - 1) / tasks
    return (means @ means.T / splits - within) / 4 + over_items, splits / 2


def _finite(rows: Sequence[Floats]) -> Floats:
    """The columns in which every row has a value."""
    table = np.stack(rows)
    return table[:, np.isfinite(table).all(0)]

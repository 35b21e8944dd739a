"""Rank correlations with p-values that hold for a handful of models."""

import math
from dataclasses import dataclass
from functools import cache
from itertools import permutations

import numpy as np
from numpy.typing import NDArray

_EXACT = 8  # values whose n! orders are all looked at
_ROUNDING = 1e-9


@dataclass(frozen=True)
class RankCorrelation:
    """A rank correlation, in [−1, 1], and its two-sided p-value; NaN if a side is constant."""

    value: float
    p: float


def spearman(x: NDArray[np.float64], y: NDArray[np.float64]) -> RankCorrelation:
    """Spearman's ρ with average ranks of ties.

    p is the share of all orders of y with a |ρ| as large; by Student's t for more than 8 values.
    """
    from scipy.stats import rankdata, spearmanr  # takes half a second to import

    if not _vary(x, y):
        return RankCorrelation(math.nan, math.nan)
    if len(x) > _EXACT:
        found = spearmanr(x, y)
        return RankCorrelation(float(found.statistic), float(found.pvalue))
    a, b = (_standardised(rankdata(values)) for values in (x, y))
    return _permuted(b[_orders(len(b))] @ a)


def kendall(x: NDArray[np.float64], y: NDArray[np.float64]) -> RankCorrelation:
    """Kendall's τ-b.

    p is the share of all orders of y with a |τ| as large; for more than 8 values that of scipy,
    which is exact without ties.
    """
    if not _vary(x, y):
        return RankCorrelation(math.nan, math.nan)
    if len(x) > _EXACT:
        from scipy.stats import kendalltau

        found = kendalltau(x, y)
        return RankCorrelation(float(found.statistic), float(found.pvalue))
    i, j = np.triu_indices(len(x), 1)
    a, (first, second) = np.sign(x[i] - x[j]), (y[_orders(len(y))[:, k]] for k in (i, j))
    b = np.sign(first - second)
    return _permuted(b @ a / math.sqrt(np.abs(a).sum() * np.abs(b[0]).sum()))


def _permuted(values: NDArray[np.float64]) -> RankCorrelation:
    """The first of the values, which is of the order given, among those of all orders."""
    value = float(np.clip(values[0], -1, 1))
    return RankCorrelation(value, float(np.mean(np.abs(values) >= abs(value) - _ROUNDING)))


def _vary(*sides: NDArray[np.float64]) -> bool:
    return all(len(values) > 1 and np.ptp(values) > 0 for values in sides)


def _standardised(ranks: NDArray[np.float64]) -> NDArray[np.float64]:
    centred = ranks - ranks.mean()
    standardised: NDArray[np.float64] = centred / np.linalg.norm(centred)
    return standardised


@cache
def _orders(count: int) -> NDArray[np.int64]:
    """All orders of `count` things, the given one first, [n!, n]."""
    return np.array(list(permutations(range(count))))

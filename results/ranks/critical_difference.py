"""Friedman's test and Nemenyi's critical difference (Demšar, JMLR 7, 2006)."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from lowlabel.errors import InputError

MIN_DATASETS = 8  # with fewer the test can hardly tell any two models apart
_LEVEL = 0.05


@dataclass(frozen=True)
class CriticalDifference:
    """Mean ranks of models, and how far apart two must be to differ.

    Attributes:
        ranks: Mean rank of each model over the datasets, best first; 1 is the best.
        p: p-value of Friedman's test that all models are equal.
        distance: Nemenyi's critical difference at 5 %.
        groups: The largest sets of neighbours that cannot be told apart, of two models or more.
        datasets: Number of datasets.
    """

    ranks: Mapping[str, float]
    p: float
    distance: float
    groups: tuple[tuple[str, ...], ...]
    datasets: int


def critical_difference(merits: Mapping[str, Mapping[str, float]]) -> CriticalDifference:
    """Ranks models by their scores on several datasets.

    Args:
        merits: By dataset, the score of each model such that larger is better. Every dataset has
            the same models.

    Raises:
        InputError: If there are fewer than 8 datasets or 3 models, or models are missing on one.
    """
    from scipy.stats import friedmanchisquare, rankdata, studentized_range

    models = sorted(set().union(*merits.values()))
    if len(merits) < MIN_DATASETS or len(models) < 3:
        raise InputError(
            f"ranks of {len(models)} models on {len(merits)} datasets cannot be told apart; "
            f"Friedman's test needs 3 models and {MIN_DATASETS} datasets here"
        )
    for dataset, scores in merits.items():
        if missing := [model for model in models if model not in scores]:
            raise InputError(f"{missing[0]} has no score on {dataset}")
    table = np.array([[scores[model] for model in models] for scores in merits.values()])
    means = rankdata(-table, axis=1).mean(axis=0)
    p = 1.0 if (table == table[:, :1]).all() else float(friedmanchisquare(*table.T).pvalue)
    k, n = len(models), len(merits)
    quantile = float(studentized_range.ppf(1 - _LEVEL, k, math.inf)) / math.sqrt(2)
    distance = quantile * math.sqrt(k * (k + 1) / (6 * n))
    order = np.argsort(means, kind="stable")
    ranks = {models[i]: float(means[i]) for i in order}
    return CriticalDifference(ranks, p, distance, _groups(ranks, distance), n)


def _groups(ranks: Mapping[str, float], distance: float) -> tuple[tuple[str, ...], ...]:
    names, values = list(ranks), list(ranks.values())
    found: list[tuple[str, ...]] = []
    reached = 0
    for first, rank in enumerate(values):
        last = max(i for i, other in enumerate(values) if other - rank <= distance)
        if last > first and last > reached:
            found.append(tuple(names[first : last + 1]))
            reached = last
    return tuple(found)

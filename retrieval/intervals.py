"""Intervals of retrieval scores: over queries, over classes, over groups of queries."""

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from lowlabel.intervals import (
    Interval,
    IntervalKind,
    jackknife,
    jackknife_interval,
    means_without,
    normal,
)
from lowlabel.retrieval.ranking.rivals import Rivals

Values = NDArray[np.float64]
Codes = NDArray[np.int64]

OVER_QUERIES = "1.96·σ/√n over queries, σ with ddof=1"
_OVER_SEEDS = "of NMI, AMI and F1: Student's t over {} seeds of k-means"
_DELETED = "of Recall@K: jackknife that deletes each of {} {} from queries and gallery"
_CLUSTERED = "jackknife over the queries of {} {}, each with the ranking it has"
_OTHERS = "of other scores: "


def recall_without(
    rivals: Rivals, query_classes: Codes, scored: Codes, ks: Sequence[int]
) -> dict[str, Values]:
    """Recall@K without each class that has scored queries: without its queries and its images.

    Classes that have images in the gallery alone stay. precision@1 is Recall@1.

    Args:
        rivals: Numbers of rivals of all queries.
        query_classes: Class of each query, int64 [Q], numbered as the gallery's.
        scored: Rows of the scored queries.
        ks: The K.

    Returns:
        By "recall@K" and "precision@1", percent by rising class, [C]; NaN where no query is left.
    """
    before = rivals.before.cpu().numpy()
    query, code, size = (column.numpy() for column in rivals.by_class())
    of_scored = query_classes[scored]
    number = np.bincount(of_scored, minlength=max(of_scored.max(), code.max(initial=0)) + 1)
    left = len(scored) - number
    without = {}
    for k in {1, *ks}:
        hits = (before >= 0) & (before < k)
        own = np.bincount(of_scored, hits[scored], minlength=len(number))
        turned = (before[query] >= k) & (before[query] - size < k)
        gained = np.bincount(code[turned], minlength=len(number))
        total = np.where(left > 0, own.sum() - own + gained, np.nan)
        without[f"recall@{k}"] = (100 * total / np.maximum(left, 1))[number > 0]
    return without | {"precision@1": without["recall@1"]}


def score_intervals(
    per_query: Mapping[str, Values],
    classes: Codes,
    *,
    groups: Codes | None = None,
    without: Mapping[str, Values] | None = None,
    per_seed: Mapping[str, Values] | None = None,
    noun: str = "classes",
) -> dict[str, dict[str, Interval]]:
    """Every interval of every score, by kind.

    Args:
        per_query: Scores of each scored query [queries].
        classes: Class of each of them, any integers, [queries].
        groups: Group of each of them, any integers, [queries].
        without: Scores without each class [C], where a class is deleted from the gallery too.
        per_seed: Scores of clusters by the run of k-means [seeds].
        noun: What a class is.
    """
    deleted = without or {}
    clustered = f"{_OTHERS}{_CLUSTERED}" if deleted else _CLUSTERED
    found: dict[str, dict[str, Interval]] = {}
    for name, values in per_query.items():
        kinds = {"queries": Interval("queries", normal(values), OVER_QUERIES)}
        if name in deleted:
            kinds["classes"] = _over("classes", deleted[name], _DELETED, noun)
        else:
            kinds["classes"] = _over("classes", means_without(values, classes), clustered, noun)
        if groups is not None:
            kinds["groups"] = _over("groups", means_without(values, groups), _CLUSTERED, "groups")
        found[name] = kinds
    for name, values in (per_seed or {}).items():
        definition = _OVER_SEEDS.format(len(values))
        found[name] = {"seeds": Interval("seeds", jackknife(_others(values)), definition)}
    return found


def _over(kind: IntervalKind, without: Values, definition: str, noun: str) -> Interval:
    none = f"none: the queries have fewer than two {noun}"
    return jackknife_interval(kind, without, definition.format("{}", noun), none)


def _others(values: Values) -> Values:
    """The mean of the others for each value, for a jackknife that is Student's t of the values."""
    return means_without(values, np.arange(len(values)))


def class_codes(queries: torch.Tensor, gallery: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Labels of both sides as numbers of their common classes, from 0 on."""
    _, codes = torch.unique(torch.cat([queries, gallery]), return_inverse=True)
    query_codes, gallery_codes = codes.split([len(queries), len(gallery)])
    return query_codes, gallery_codes

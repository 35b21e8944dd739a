"""The result of a retrieval evaluation."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from lowlabel.arrays import require_name
from lowlabel.errors import InputError
from lowlabel.intervals import Interval, definitions
from lowlabel.retrieval.ranking.comparison import Ties

LoneQueries = Literal["exclude", "miss"]
RetrievalInterval = Literal["classes", "queries", "groups"]


@dataclass(frozen=True)
class RetrievalResult:
    """Scores of a set of queries, in percent.

    Attributes:
        metrics: Mean of each score over the scored queries, by the names of the protocol:
            "recall@1", "map@r", "map_hard"; "nmi", "ami" and "f1" if requested,
            "search_recall" for an index.
        intervals: The 95 % confidence intervals of each mean, by kind: "queries" for other queries
            in this gallery, "classes" for other classes (landmarks, originals), "groups" where
            groups of queries are given, "seeds" of k-means for scores of clusters. None for
            "search_recall".
        interval: The kind that `ci95` takes.
        per_query: Scores of each scored query, float64 [queries]; NaN where a query has no
            positive of the kind that the score is about, and is left out of its mean.
        query_index: Rows of the scored queries in the features, rising, int64 [queries].
        lone: Number of queries without a positive.
        lone_queries: Whether those were left out ("exclude") or scored 0 ("miss").
        ties: How negatives as similar as a positive were ranked.
        per_seed: Scores of clusters by the run of k-means, float64 [seeds].
    """

    metrics: Mapping[str, float]
    intervals: Mapping[str, Mapping[str, Interval]]
    interval: RetrievalInterval
    per_query: Mapping[str, NDArray[np.float64]]
    query_index: NDArray[np.int64]
    lone: int
    lone_queries: LoneQueries
    ties: Ties
    per_seed: Mapping[str, NDArray[np.float64]] = field(default_factory=dict)

    @classmethod
    def of(
        cls,
        per_query: Mapping[str, NDArray[np.float64]],
        overall: Mapping[str, float] = MappingProxyType({}),
        per_seed: Mapping[str, NDArray[np.float64]] = MappingProxyType({}),
        **about: Any,
    ) -> "RetrievalResult":
        """Computes the means.

        Args:
            per_query: Scores of each scored query.
            overall: Scores of all queries together, which have no interval; none by default.
            per_seed: Scores of clusters by the run of k-means; none by default.
            about: The other attributes.
        """
        means = {
            n: float(np.nanmean(values)) for n, values in [*per_query.items(), *per_seed.items()]
        }
        return cls(metrics={**means, **overall}, per_query=per_query, per_seed=per_seed, **about)

    @property
    def ci95(self) -> dict[str, float]:
        """Half-width of each interval of the kind `interval`; NaN where there is none.

        Scores of clusters have the interval over the seeds of k-means.
        """
        widths = {name: each.half_width for name, each in self._shown().items()}
        return {name: widths.get(name, math.nan) for name in self.metrics}

    @property
    def ci95_definition(self) -> str:
        """The formulas of `ci95`."""
        return definitions(self._shown().values())

    def _shown(self) -> dict[str, Interval]:
        kinds = [(name, [self.interval, "seeds"], found) for name, found in self.intervals.items()]
        return {name: found[k] for name, wanted, found in kinds for k in wanted if k in found}

    @property
    def queries(self) -> int:
        """Number of scored queries."""
        return len(self.query_index)


def require_interval(interval: RetrievalInterval, groups: object) -> None:
    """Raises unless there is such an interval, and the one over groups has groups.

    Raises:
        UnknownNameError: If there is no such interval.
        InputError: If there are no groups.
    """
    require_name("confidence interval", interval, get_args(RetrievalInterval))
    if interval == "groups" and groups is None:
        raise InputError(
            "interval='groups' needs the group of each query", "Pass groups=, or another interval."
        )

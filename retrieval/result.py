"""The result of a retrieval evaluation."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from lowlabel.retrieval.ranking.comparison import Ties

LoneQueries = Literal["exclude", "miss"]

CI95_DEFINITION = "1.96·σ/√n over queries, σ with ddof=1"
_PER_SEED = "of {names}: Student's t over {seeds} seeds of k-means"


@dataclass(frozen=True)
class RetrievalResult:
    """Scores of a set of queries, in percent.

    Attributes:
        metrics: Mean of each score over the scored queries, by the names of the protocol:
            "recall@1", "map@r", "map_hard"; "nmi", "ami" and "f1" if requested,
            "search_recall" for an index.
        ci95: Half the width of the 95 % confidence interval of each mean; NaN for a single query
            or seed, and for "search_recall".
        per_query: Scores of each scored query, float64 [queries]; NaN where a query has no
            positive of the kind that the score is about, and is left out of its mean.
        query_index: Rows of the scored queries in the features, rising, int64 [queries].
        lone: Number of queries without a positive.
        lone_queries: Whether those were left out ("exclude") or scored 0 ("miss").
        ties: How negatives as similar as a positive were ranked.
        per_seed: Scores of clusters by the run of k-means, float64 [seeds].
    """

    metrics: Mapping[str, float]
    ci95: Mapping[str, float]
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
        """Computes the means and their intervals.

        Args:
            per_query: Scores of each scored query.
            overall: Scores of all queries together, which have no interval; none by default.
            per_seed: Scores of clusters by the run of k-means; none by default.
            about: The other attributes.
        """
        means = {
            n: float(np.nanmean(values)) for n, values in [*per_query.items(), *per_seed.items()]
        }
        intervals = {name: _ci95(values) for name, values in per_query.items()}
        intervals |= {name: _ci95_of_few(values) for name, values in per_seed.items()}
        return cls(
            metrics={**means, **overall},
            ci95={**intervals, **dict.fromkeys(overall, float("nan"))},
            per_query=per_query,
            per_seed=per_seed,
            **about,
        )

    @property
    def ci95_definition(self) -> str:
        """How `ci95` is computed."""
        if not self.per_seed:
            return CI95_DEFINITION
        *first, last = map(str.upper, self.per_seed)
        names, seeds = f"{', '.join(first)} and {last}", len(self.per_seed["nmi"])
        return f"{CI95_DEFINITION}; " + _PER_SEED.format(names=names, seeds=seeds)

    @property
    def queries(self) -> int:
        """Number of scored queries."""
        return len(self.query_index)


def _ci95(values: NDArray[np.float64]) -> float:
    values = values[~np.isnan(values)]
    if len(values) < 2:
        return float("nan")
    return float(1.96 * values.std(ddof=1) / np.sqrt(len(values)))


def _ci95_of_few(values: NDArray[np.float64]) -> float:
    from scipy.stats import sem, t

    if len(values) < 2:
        return float("nan")
    return float(t.ppf(0.975, len(values) - 1) * sem(values))

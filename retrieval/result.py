"""What an evaluation gives back."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from lowlabel.retrieval.ranking.counting import Ties

LoneQueries = Literal["exclude", "miss"]

CI95_DEFINITION = "1.96·σ/√n over queries, σ with ddof=1"


@dataclass(frozen=True)
class RetrievalResult:
    """Scores of a set of queries, in percent.

    Attributes:
        metrics: Mean over the scored queries of each score, by the names that the protocol gives:
            "recall@1", "map@r", "map_hard"; "nmi" where it was asked for, "search_recall" for an
            index.
        ci95: Half the width of each mean's 95 % confidence interval; NaN for a single query, and
            for what is no mean over queries.
        per_query: The scores of each scored query, float64 [queries]; NaN where a query has no
            positive of the kind that a score is about, and is left out of its mean.
        query_index: The scored queries' rows in the features, rising, int64 [queries].
        lone: Number of queries without any positive.
        lone_queries: Whether those were left out ("exclude") or scored 0 ("miss").
        ties: What a negative as similar as a positive counted for.
        ci95_definition: How `ci95` is computed.
    """

    metrics: Mapping[str, float]
    ci95: Mapping[str, float]
    per_query: Mapping[str, NDArray[np.float64]]
    query_index: NDArray[np.int64]
    lone: int
    lone_queries: LoneQueries
    ties: Ties
    ci95_definition: str = CI95_DEFINITION

    @classmethod
    def of(
        cls,
        per_query: Mapping[str, NDArray[np.float64]],
        overall: Mapping[str, float] = MappingProxyType({}),
        **about: Any,
    ) -> "RetrievalResult":
        """Takes the means and their intervals.

        Args:
            per_query: Scores of each scored query.
            overall: Scores of all together, which have no interval; none by default.
            about: The other attributes.
        """
        means = {name: float(np.nanmean(values)) for name, values in per_query.items()}
        intervals = {name: _ci95(values) for name, values in per_query.items()}
        return cls(
            metrics={**means, **overall},
            ci95={**intervals, **dict.fromkeys(overall, float("nan"))},
            per_query=per_query,
            **about,
        )

    @property
    def queries(self) -> int:
        """Number of scored queries."""
        return len(self.query_index)


def _ci95(values: NDArray[np.float64]) -> float:
    values = values[~np.isnan(values)]
    if len(values) < 2:
        return float("nan")
    return float(1.96 * values.std(ddof=1) / np.sqrt(len(values)))

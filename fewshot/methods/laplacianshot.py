"""LaplacianShot: nearest prototypes with Laplacian regularisation over the queries."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import ClassVar

import torch
from torch import Tensor

from lowlabel.errors import InputError
from lowlabel.fewshot.base_statistics import BaseStatistics
from lowlabel.fewshot.methods.base import Scorer, Seeds
from lowlabel.fewshot.methods.normalized import Normalized
from lowlabel.fewshot.prototypes import nearness, neighbour_mask, squared_distances
from lowlabel.fewshot.rectification import (
    RECTIFICATIONS,
    query_shift,
    rectified_prototypes,
)
from lowlabel.fewshot.support import Support
from lowlabel.scale import power_of_two
from lowlabel.specs import Option


@dataclass(frozen=True)
class LaplacianShot(Normalized):
    """Nearest prototype, with neighbouring queries pulled to the same class.

    Imtiaz Masud Ziko, Jose Dolz, Eric Granger, Ismail Ben Ayed. Laplacian Regularized Few-Shot
    Learning. ICML 2020. arXiv:2006.15486

    The soft assignments y of the queries start at softmax(unary) and are updated by

        y ← softmax(unary + smoothness · Σ over neighbours of y)

    where unary is minus the squared distance of the shifted query to each rectified prototype. A
    query's neighbours are other queries, never the query itself: the published code's `knn` of 3
    counts it.

    Attributes:
        norm: See `Normalized`.
        smoothness: λ of the paper, which tunes it on validation classes.
        neighbours: Number of neighbours of each query.
        scale: See `rectified_prototypes`.
        rectification: "released" is the published code; "paper" has the prototypes of BD-CSPN's
            formula and the distances of the queries as they are.
        iterations: Number of updates.
    """

    name: ClassVar[str] = "laplacianshot"
    rotation_invariant: ClassVar[bool] = True
    iterated: ClassVar[bool] = True
    version: ClassVar[int] = 3
    transductive: ClassVar[bool] = True
    grid: ClassVar[Mapping[str, tuple[Option, ...]]] = {
        "smoothness": (0.1, 0.3, 0.5, 0.7, 0.8, 1.0, 1.2, 1.5)
    }

    norm: str = "cl2n"
    smoothness: float = 0.7
    neighbours: int = 2
    scale: float = 10.0
    iterations: int = 20
    rectification: str = "released"

    def __post_init__(self) -> None:
        super().__post_init__()
        for option in ("smoothness", "neighbours", "scale", "iterations"):
            self.require_positive(option)
        self.require_one_of("rectification", RECTIFICATIONS)

    def fit(self, support: Support, base: BaseStatistics | None, seeds: Seeds) -> Scorer:
        """Scores all queries of a task together."""
        return partial(self._scores, support)

    def working_bytes(self, ways: int, images: int, queries: int, width: int) -> int:
        """Matrices of all pairs of queries."""
        return 4 * 4 * queries**2 + super().working_bytes(ways, images, queries, width)

    def _scores(self, support: Support, query: Tensor) -> Tensor:
        """The logits of the last assignments."""
        if query.shape[1] <= self.neighbours:
            raise InputError(
                f"{self.spec} needs {self.neighbours} other queries for each query, but a task has "
                f"{query.shape[1]} queries in all",
                "Use more queries, or neighbours=1.",
            )
        unit = power_of_two(support.rows.abs().amax()) if self.lengths == "absolute" else 1
        prototypes = unit * rectified_prototypes(
            support.with_rows(support.rows / unit), query / unit, self.scale, self.rectification
        )
        unary = 2 * nearness(query, prototypes)
        if self.rectification == "released":  # of the queries shifted, without a copy of them
            differences = prototypes - prototypes[:, :1]
            unary += 2 * (query_shift(support, query) * differences).sum(-1, keepdim=True)
        neighbours = neighbour_mask(squared_distances(query), self.neighbours).to(query.dtype)
        logits = unary
        for _ in range(self.iterations):
            assigned = logits.softmax(1)
            # Subtracting a query's constant changes no softmax and keeps equal classes equal.
            assigned = assigned - assigned[:, :1]
            logits = torch.baddbmm(unary, assigned, neighbours, alpha=self.smoothness)
        return logits.transpose(1, 2)

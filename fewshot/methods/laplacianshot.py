"""LaplacianShot."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from lowlabel.errors import InputError
from lowlabel.fewshot.base_statistics import BaseStatistics
from lowlabel.fewshot.methods.bd_cspn import rectified_prototypes
from lowlabel.fewshot.methods.normalized import Normalized
from lowlabel.fewshot.prototypes import nearness, neighbour_of, squared_distances
from lowlabel.specs import Option


@dataclass(frozen=True)
class LaplacianShot(Normalized):
    """Nearest prototype, with neighbouring queries drawn to the same class.

    Imtiaz Masud Ziko, Jose Dolz, Eric Granger, Ismail Ben Ayed. Laplacian Regularized Few-Shot
    Learning. ICML 2020. arXiv:2006.15486

    Soft assignments start from the squared distances to rectified prototypes and are updated by
    y ← softmax(-distance + smoothness · Σ of the neighbours' y). A query's neighbours are other
    queries: it is not counted among its own.

    Attributes:
        norm: See `Normalized`.
        smoothness: λ of the paper, which tunes it on validation classes.
        neighbours: How many neighbours a query has.
        scale: See `rectified_prototypes`.
        iterations: Updates of the assignments.
    """

    name: ClassVar[str] = "laplacianshot"
    transductive: ClassVar[bool] = True
    grid: ClassVar[Mapping[str, tuple[Option, ...]]] = {
        "smoothness": (0.1, 0.3, 0.5, 0.7, 0.8, 1.0, 1.2, 1.5)
    }

    norm: str = "cl2n"
    smoothness: float = 0.7
    neighbours: int = 3
    scale: float = 10.0
    iterations: int = 20

    def __post_init__(self) -> None:
        super().__post_init__()
        for option in ("smoothness", "neighbours", "scale", "iterations"):
            self.require_positive(option)

    def scores(self, support: Tensor, query: Tensor, base: BaseStatistics | None) -> Tensor:
        """The logits of the last assignments."""
        if query.shape[1] <= self.neighbours:
            raise InputError(
                f"{self.spec} looks at {self.neighbours} other queries, but a task has "
                f"{query.shape[1]} in all",
                "Ask for more queries, or set neighbours=1.",
            )
        prototypes = rectified_prototypes(support, query, self.scale)
        unary = 2 * nearness(query, prototypes)
        near = neighbour_of(squared_distances(query), self.neighbours).to(query.dtype)
        logits = unary
        for _ in range(self.iterations):
            assigned = logits.softmax(1)
            apart = assigned - assigned[:, :1]  # a constant of the query changes no softmax
            logits = torch.baddbmm(unary, apart, near, alpha=self.smoothness)
        return logits.transpose(1, 2)

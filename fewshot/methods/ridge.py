"""Ridge regression on one-hot classes."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from lowlabel.fewshot.base_statistics import BaseStatistics
from lowlabel.fewshot.methods.base import Scorer, Seeds, relative_to_first
from lowlabel.fewshot.methods.fitted import Fitted
from lowlabel.fewshot.solvers.cholesky import cholesky
from lowlabel.fewshot.support import Support
from lowlabel.specs import Option

_SMALL = 2.0**-20
_ROUNDING = 1e-20


@dataclass(frozen=True)
class Ridge(Fitted):
    """Ridge regression from each task's support features to its classes, in closed form.

    Luca Bertinetto, João F. Henriques, Philip H. S. Torr, Andrea Vedaldi. Meta-learning with
    Differentiable Closed-form Solvers. ICLR 2019. arXiv:1805.08136

    Minimises Σ (x·w + b - y)² + alpha · |w|² for each class, with y = ±1 and an unpenalised
    intercept, as scikit-learn's `RidgeClassifier(alpha=alpha)` does. With centred x and y the
    solution is w = xᵀ (x·xᵀ + alpha·I)⁻¹ y = (xᵀ·x + alpha·I)⁻¹ xᵀ y: one system per task, of the
    smaller size.

    Attributes:
        alpha: Strength of the penalty, positive.
        norm: Normalisation of each feature: "none", "l2", "tukey" or "tukey-l2".
    """

    name: ClassVar[str] = "ridge"
    grid: ClassVar[Mapping[str, tuple[Option, ...]]] = {"alpha": (0.01, 0.1, 1.0, 10.0, 100.0)}

    alpha: float = 1.0
    norm: str = "none"

    def __post_init__(self) -> None:
        self.require_positive("alpha")
        super().__post_init__()

    def fit(self, support: Support, base: BaseStatistics | None, seeds: Seeds) -> Scorer:
        """Values of the regressions minus those of the first class."""
        raw = support.rows.double()
        centre = raw.mean(1, keepdim=True)
        x, shares = raw - centre, support.shares(raw.dtype)
        # One-hot targets instead of ±1 halve the differences between the classes, no more.
        weights = self._weights(x, support.one_hot(x.dtype) - shares)
        # Beside unequal intercepts, small values have their true weight.
        enlargement = self._enlargement(raw, x) if support.is_equal else torch.ones_like(x[0, 0, 0])

        def scores(query: Tensor) -> Tensor:
            values = (query - centre) @ weights * enlargement
            return relative_to_first(values + shares).to(query.dtype)

        return scores

    def working_bytes(self, ways: int, images: int, queries: int, width: int) -> int:
        """Centred features and targets in float64."""
        return 8 * images * (2 * width + 2 * ways)

    def _weights(self, x: Tensor, targets: Tensor) -> Tensor:
        """Weights [T, D, ways], by as many unknowns as there are examples or dimensions.

        With more examples than dimensions the dual unknowns would cancel to far fewer digits.
        """
        targets = targets.expand(len(x), -1, -1)
        transposed = x.transpose(1, 2)
        dual = x.shape[1] <= x.shape[2]
        system = x @ transposed if dual else transposed @ x
        system.diagonal(dim1=1, dim2=2).add_(self.alpha)
        right = targets if dual else transposed @ targets
        solved = torch.cholesky_solve(right, cholesky(system))
        return transposed @ solved if dual else solved

    def _enlargement(self, raw: Tensor, x: Tensor) -> Tensor:
        """Brings the values of a task to order one that a much larger `alpha` shrinks, [T, 1, 1].

        Their order remains; beside the intercept they would be rounding. 1 for the other tasks, and
        where centred features are rounding themselves, because all of them are equal.
        """
        squares = x.square().sum((1, 2), keepdim=True)
        penalty = self.alpha * x.shape[1]
        small = squares < _SMALL * penalty
        small &= squares > _ROUNDING * raw.square().sum((1, 2), keepdim=True)
        return torch.where(small, penalty / squares, 1.0)

"""Ridge regression on one-hot classes."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from lowlabel.fewshot.base_statistics import BaseStatistics
from lowlabel.fewshot.methods.base import Learned, Scorer, Seeds, relative_to_first
from lowlabel.fewshot.methods.fitted import Fitted
from lowlabel.fewshot.moments import Moments
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
    rotation_invariant: ClassVar[bool] = True
    learns_from: ClassVar[Learned] = "moments"
    block_mib: ClassVar[int] = 8  # copied in float64
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
        enlargement = torch.ones_like(x[0, 0, 0])
        if support.is_equal:  # beside unequal intercepts, small values have their true weight
            centred, whole = (values.square().sum((1, 2), keepdim=True) for values in (x, raw))
            enlargement = self._enlargement(centred, whole, x.shape[1])
        return _scorer(centre, weights, enlargement, shares)

    def fit_moments(self, moments: Moments) -> Scorer:
        """As `fit`."""
        centre, counts, gram = moments.centre, moments.counts, moments.gram
        system = gram.clone()
        system.diagonal().add_(self.alpha)
        # The centred sums of all classes add up to 0, so that the shares in y drop out.
        right = (moments.sums - counts * centre).T
        weights = torch.cholesky_solve(right, cholesky(system))
        enlargement = torch.ones_like(gram[0, 0])
        if len(set(moments.sizes)) == 1:
            squares = gram.diagonal().sum()
            raw = squares + moments.images * centre.square().sum()
            enlargement = self._enlargement(squares, raw, moments.images)
        return _scorer(
            centre[None, None], weights[None], enlargement, counts[:, 0] / moments.images
        )

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

    def _enlargement(self, squares: Tensor, raw: Tensor, images: int) -> Tensor:
        """Brings the values of a task to order one that a much larger `alpha` shrinks, [T, 1, 1].

        Their order remains; beside the intercept they would be rounding. 1 for the other tasks, and
        where centred features are rounding themselves, because all of them are equal.
        """
        penalty = self.alpha * images
        small = (squares < _SMALL * penalty) & (squares > _ROUNDING * raw)
        return torch.where(small, penalty / squares, 1.0)


def _scorer(centre: Tensor, weights: Tensor, enlargement: Tensor, shares: Tensor) -> Scorer:
    """Values of the regressions minus those of the first class."""

    def scores(query: Tensor) -> Tensor:
        values = (query - centre) @ weights * enlargement
        return relative_to_first(values + shares).to(query.dtype)

    return scores

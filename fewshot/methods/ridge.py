"""Ridge regression on one-hot classes."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from lowlabel.fewshot.base_statistics import BaseStatistics
from lowlabel.fewshot.methods.base import relative_to_first
from lowlabel.fewshot.methods.fitted import Fitted
from lowlabel.specs import Option


@dataclass(frozen=True)
class Ridge(Fitted):
    """Ridge regression from each task's support features to its classes, in closed form.

    Luca Bertinetto, João F. Henriques, Philip H. S. Torr, Andrea Vedaldi. Meta-learning with
    Differentiable Closed-form Solvers. ICLR 2019. arXiv:1805.08136

    Minimises Σ (x·w + b - y)² + alpha · |w|² for each class, with y = ±1 and an unpenalised
    intercept, as scikit-learn's `RidgeClassifier(alpha=alpha)` does. With centred x and y the
    solution is w = xᵀ (x·xᵀ + alpha·I)⁻¹ y: one system of ways·shots unknowns per task.

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

    def scores(self, support: Tensor, query: Tensor, base: BaseStatistics | None) -> Tensor:
        """Values of the regressions minus those of the first class."""
        tasks, ways, shots, _ = support.shape
        x = support.flatten(1, 2).double()
        centre = x.mean(1, keepdim=True)
        x = x - centre
        system = x @ x.transpose(1, 2)
        system.diagonal(dim1=1, dim2=2).add_(self.alpha)
        # One-hot targets instead of ±1 halve the differences between the classes, no more.
        targets = torch.eye(ways, dtype=x.dtype, device=x.device).repeat_interleave(shots, 0)
        dual = torch.cholesky_solve(
            (targets - 1 / ways).expand(tasks, -1, -1), torch.linalg.cholesky(system)
        )
        values = (query - centre) @ (x.transpose(1, 2) @ dual)
        return relative_to_first(values + 1 / ways).to(query.dtype)

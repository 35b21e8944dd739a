"""Linear support vector machine."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from lowlabel.fewshot.base_statistics import BaseStatistics
from lowlabel.fewshot.methods.base import apart_from_first
from lowlabel.fewshot.methods.fitted import Fitted
from lowlabel.fewshot.solvers.squared_hinge import fit_squared_hinge
from lowlabel.specs import Option


@dataclass(frozen=True)
class SupportVectorMachine(Fitted):
    """One linear machine with a squared hinge for each class against the others.

    Kwonjoon Lee, Subhransu Maji, Avinash Ravichandran, Stefano Soatto. Meta-Learning with
    Differentiable Convex Optimization. CVPR 2019. arXiv:1904.03758

    The minimum of ½(|w|² + b²) + c · Σ max(0, 1 - y(w·x + b))² for each class: what scikit-learn's
    `LinearSVC(C=c)` reaches with a tight tolerance.

    Attributes:
        c: Inverse strength of the penalty, positive.
        norm: What is done to each feature before: "none", "l2", "tukey" or "tukey-l2".
    """

    name: ClassVar[str] = "svm"
    grid: ClassVar[Mapping[str, tuple[Option, ...]]] = {"c": (0.01, 0.1, 1.0, 10.0, 100.0)}

    c: float = 1.0
    norm: str = "none"

    def __post_init__(self) -> None:
        self.require_positive("c")
        super().__post_init__()

    def scores(self, support: Tensor, query: Tensor, base: BaseStatistics | None) -> Tensor:
        """The machines' values, less that of the first class."""
        _, ways, shots, _ = support.shape
        x = support.flatten(1, 2).double()
        sides = 2 * torch.eye(ways, dtype=x.dtype, device=x.device) - 1
        # The penalised intercept is the weight of a feature that is always 1.
        gram = x @ x.transpose(1, 2) + 1
        dual = fit_squared_hinge(gram, sides.repeat_interleave(shots, 1), self.c)
        values = query.double() @ (dual @ x).transpose(1, 2) + dual.sum(-1)[:, None]
        return apart_from_first(values + 1).to(query.dtype)  # of the margin's size at least

"""Linear support vector machine."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from lowlabel.fewshot.base_statistics import BaseStatistics
from lowlabel.fewshot.methods.base import Scorer, Seeds, relative_to_first
from lowlabel.fewshot.methods.fitted import Fitted
from lowlabel.fewshot.solvers.squared_hinge import fit_squared_hinge
from lowlabel.fewshot.support import Support
from lowlabel.specs import Option


@dataclass(frozen=True)
class SupportVectorMachine(Fitted):
    """Linear SVMs with squared hinge loss, one class against the rest.

    Kwonjoon Lee, Subhransu Maji, Avinash Ravichandran, Stefano Soatto. Meta-Learning with
    Differentiable Convex Optimization. CVPR 2019. arXiv:1904.03758

    Minimises ½(|w|² + b²) + c · Σ max(0, 1 - y(w·x + b))² for each class, as scikit-learn's
    `LinearSVC(C=c)` does with a tight tolerance.

    Attributes:
        c: Inverse strength of the penalty, positive.
        norm: Normalisation of each feature: "none", "l2", "tukey" or "tukey-l2".
    """

    name: ClassVar[str] = "svm"
    rotation_invariant: ClassVar[bool] = True
    iterated: ClassVar[bool] = True
    block_mib: ClassVar[int] = 8  # copied in float64
    grid: ClassVar[Mapping[str, tuple[Option, ...]]] = {"c": (0.01, 0.1, 1.0, 10.0, 100.0)}

    resolution: ClassVar[float] = 1e-9  # a hundred times what `relative_to_first` resolves

    c: float = 1.0
    norm: str = "none"

    def __post_init__(self) -> None:
        self.require_positive("c")
        super().__post_init__()

    def fit(self, support: Support, base: BaseStatistics | None, seeds: Seeds) -> Scorer:
        """Decision values minus that of the first class."""
        x = support.rows.double()
        signs = 2 * support.one_hot(x.dtype).T.contiguous() - 1
        # The penalised intercept is the weight of a feature that is always 1.
        x = torch.cat([x, torch.ones_like(x[..., :1])], 2)
        weights = fit_squared_hinge(x, signs, self.c)

        def scores(query: Tensor) -> Tensor:
            values = query.double() @ weights[..., :-1].transpose(1, 2) + weights[:, None, :, -1]
            # The margin of 1 sets the scale below which a difference is rounding.
            return relative_to_first(values + 1).to(query.dtype)

        return scores

    def working_bytes(self, ways: int, images: int, queries: int, width: int) -> int:
        """A Gram matrix for each class against the rest, and what it is made of."""
        if width + 1 >= 2 * images:
            return 8 * ways * 3 * images**2
        return 8 * ways * (2 * images * width + 3 * width**2)

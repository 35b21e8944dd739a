"""Logistic regression on the support features."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from lowlabel.fewshot.base_statistics import BaseStatistics
from lowlabel.fewshot.methods.base import Scorer, Seeds
from lowlabel.fewshot.methods.fitted import Fitted
from lowlabel.fewshot.solvers.cholesky import NotSolvedError
from lowlabel.fewshot.solvers.logistic import LinearClassifiers, fit_logistic_regression
from lowlabel.fewshot.support import Support
from lowlabel.specs import Option

_MANY = 4096  # examples from which float32 is used: it goes beyond scikit-learn's tolerance


@dataclass(frozen=True)
class LogisticRegression(Fitted):
    """Logistic regression on each task's support features, with scikit-learn's objective.

    Yonglong Tian, Yue Wang, Dilip Krishnan, Joshua B. Tenenbaum, Phillip Isola. Rethinking Few-Shot
    Image Classification: a Good Embedding Is All You Need? ECCV 2020. arXiv:2003.11539

    Minimises ½|W|² + c · Σ cross-entropy with unpenalised intercepts, as scikit-learn's
    `LogisticRegression(C=c)` does with a tight tolerance.

    Attributes:
        c: Inverse strength of the penalty, positive.
        norm: Normalisation of each feature: "none", "l2" (scaled to length 1), "tukey" (square
            root, for features of at least 0), or "tukey-l2" (both, in this order).
    """

    name: ClassVar[str] = "logreg"
    rotation_invariant: ClassVar[bool] = True
    iterated: ClassVar[bool] = True
    block_mib: ClassVar[int] = 48  # many steps on small matrices, which wide features make few
    grid: ClassVar[Mapping[str, tuple[Option, ...]]] = {"c": (0.01, 0.1, 1.0, 10.0, 100.0)}

    resolution: ClassVar[float] = 1e-12  # the minimum is found up to rounding of the objective

    c: float = 1.0
    norm: str = "none"

    def __post_init__(self) -> None:
        self.require_positive("c")
        super().__post_init__()

    def fit(self, support: Support, base: BaseStatistics | None, seeds: Seeds) -> Scorer:
        """Logits of the fitted models."""
        if support.rows.shape[1] >= _MANY:
            fitted = self._fitted(support, support.rows.float())
            if fitted.is_minimum is not None and fitted.is_minimum.all():
                return fitted
        fitted = self._fitted(support, support.rows.double())
        if fitted.is_minimum is not None and not fitted.is_minimum.all():
            raise NotSolvedError("rounding hides the penalty beside the cross-entropy")
        return fitted

    def working_bytes(self, ways: int, images: int, queries: int, width: int) -> int:
        """Features and logits, several times."""
        number = 4 if images >= _MANY else 8
        return number * images * (3 * width + 12 * ways)

    def _fitted(self, support: Support, x: Tensor) -> LinearClassifiers:
        return fit_logistic_regression(x, support.labels, support.ways, self.c)

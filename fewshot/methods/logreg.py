"""Logistic regression on the support features."""

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from lowlabel.fewshot.base import BaseStatistics
from lowlabel.fewshot.logistic import fit_logistic_regression
from lowlabel.fewshot.methods.base import Method, unit_rows


@dataclass(frozen=True)
class LogisticRegression(Method):
    """Logistic regression fitted to each task's support features, with scikit-learn's objective.

    Yonglong Tian, Yue Wang, Dilip Krishnan, Joshua B. Tenenbaum, Phillip Isola. Rethinking Few-Shot
    Image Classification: a Good Embedding Is All You Need? ECCV 2020. arXiv:2003.11539

    The minimum of ½|W|² + c · Σ cross-entropy, intercepts unpenalised: what scikit-learn's
    `LogisticRegression(C=c)` reaches with a tight tolerance.

    Attributes:
        c: Inverse strength of the penalty, positive.
        norm: "none", or "l2" for features scaled to length 1.
    """

    name: ClassVar[str] = "logreg"

    c: float = 1.0
    norm: str = "none"

    def __post_init__(self) -> None:
        self.require_positive("c")
        self.require_one_of("norm", ("none", "l2"))

    def transform(self, features: Tensor, base: BaseStatistics | None) -> Tensor:
        """Normalises as `norm` says, [N, D] → [N, D]."""
        return features if self.norm == "none" else unit_rows(features)

    def scores(self, support: Tensor, query: Tensor, base: BaseStatistics | None) -> Tensor:
        """The logits of the fitted models."""
        _, ways, shots, _ = support.shape
        labels = torch.arange(ways, device=support.device).repeat_interleave(shots)
        fit = fit_logistic_regression(support.flatten(1, 2).double(), labels, ways, self.c)
        bias, weight = fit.bias.to(query.dtype), fit.weight.to(query.dtype)
        return torch.baddbmm(bias[:, None], query, weight)

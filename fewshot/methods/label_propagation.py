"""Label propagation on the graph of a task's images."""

from dataclasses import dataclass
from functools import partial
from typing import ClassVar

import torch
from torch import Tensor
from torch.nn.functional import pad

from lowlabel.errors import InputError
from lowlabel.fewshot.base_statistics import BaseStatistics
from lowlabel.fewshot.methods.base import Scorer, Seeds, relative_to_first
from lowlabel.fewshot.methods.normalized import Normalized
from lowlabel.fewshot.prototypes import neighbour_mask, squared_distances
from lowlabel.fewshot.support import Support


@dataclass(frozen=True)
class LabelPropagation(Normalized):
    """Labels propagated to equilibrium on the k-nearest-neighbour graph of a task's images.

    Yanbin Liu, Juho Lee, Minseop Park, Saehoon Kim, Eunho Yang, Sung Ju Hwang, Yi Yang. Learning to
    Propagate Labels: Transductive Propagation Network for Few-Shot Learning. ICLR 2019.
    arXiv:1805.10002. The propagation follows Dengyong Zhou et al. Learning with Local and Global
    Consistency. NeurIPS 2003.

    The scores, in float64, are

        F = (I - alpha·S)⁻¹ Y,  S = D^-½ W D^-½,  W = exp(-d² / 2·width²) between neighbours, else 0

    with Y the one-hot labels (0 for queries) and D the row sums of W. Two images are neighbours if
    either is among the other's nearest. The reference has alpha=0.99 on features trained for it;
    on other features labels then spread so far that the best connected image decides everywhere.
    The default 0.5 follows embedding propagation (Pau Rodríguez et al. ECCV 2020.
    arXiv:2003.04151).

    Attributes:
        norm: See `Normalized`.
        alpha: Share of a label that comes from the neighbours, below 1.
        neighbours: Number of neighbours of each image; all other images if a task has fewer.
        width: σ of the weights, in the unit of the distances.
    """

    name: ClassVar[str] = "label-propagation"
    rotation_invariant: ClassVar[bool] = True
    transductive: ClassVar[bool] = True

    norm: str = "cl2n"
    alpha: float = 0.5
    neighbours: int = 20
    width: float = 0.25

    def __post_init__(self) -> None:
        super().__post_init__()
        for option in ("alpha", "neighbours", "width"):
            self.require_positive(option)
        if self.alpha >= 1:
            raise InputError(f"alpha={self.alpha} of {self.name} must be below 1")

    def fit(self, support: Support, base: BaseStatistics | None, seeds: Seeds) -> Scorer:
        """Scores all queries of a task together."""
        return partial(self._scores, support)

    def working_bytes(self, ways: int, images: int, queries: int, width: int) -> int:
        """Matrices of all pairs of images in float64."""
        return 8 * 6 * (images + queries) ** 2

    def _scores(self, support: Support, query: Tensor) -> Tensor:
        """F of the queries minus F of the first class; differences of rounding become 0."""
        points = torch.cat([support.rows, query], 1).double()
        system = self._system(points)
        labels = pad(support.one_hot(system.dtype), (0, 0, 0, query.shape[1]))
        propagated = torch.linalg.solve(system, labels.expand(len(system), -1, -1))
        return relative_to_first(propagated[:, support.rows.shape[1] :])

    def _system(self, points: Tensor) -> Tensor:
        """I - alpha·S, [T, n, n]."""
        images = points.shape[1]
        distances = squared_distances(points)
        largest = (points * points).sum(-1).amax(-1)[:, None, None]
        # Bounds the difference by rounding of two equal distances |a|² + |b|² - 2·a·b of centred
        # points: each of the four terms errs by (D + 4)·eps/2 of up to four times `largest`.
        tie = 16 * (points.shape[2] + 4) * torch.finfo(points.dtype).eps * largest
        near = neighbour_mask(distances, min(self.neighbours, images - 1), tie)
        nearest = distances.amin((1, 2), keepdim=True)  # a factor common to all weights cancels
        weights = ((nearest - distances) / (2 * self.width**2)).exp() * (near | near.mT)
        degree = weights.sum(-1)
        if images > 1 and not (degree > 0).all():
            raise InputError(
                f"width={self.width} of {self.name} is far too small for the distances of these "
                f"images: {int((degree == 0).sum())} of {degree.numel()} have neighbours of weight "
                "0 alone",
                "Use a larger width, or norm=l2.",
            )
        inverse_root = degree.clamp_min(torch.finfo(weights.dtype).tiny).rsqrt()
        normalized = inverse_root[:, :, None] * weights * inverse_root[:, None]
        return torch.eye(images, dtype=points.dtype, device=points.device) - self.alpha * normalized

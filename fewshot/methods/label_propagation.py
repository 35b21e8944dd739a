"""Label propagation."""

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from lowlabel.errors import InputError
from lowlabel.fewshot.base_statistics import BaseStatistics
from lowlabel.fewshot.methods.base import apart_from_first
from lowlabel.fewshot.methods.normalized import Normalized
from lowlabel.fewshot.prototypes import neighbour_of, squared_distances

_ROUNDING = 1e-13  # of a squared distance, as a share of the points' largest squared length


@dataclass(frozen=True)
class LabelPropagation(Normalized):
    """Labels spread over the graph of a task's images, to where they come to rest.

    Yanbin Liu, Juho Lee, Minseop Park, Saehoon Kim, Eunho Yang, Sung Ju Hwang, Yi Yang. Learning to
    Propagate Labels: Transductive Propagation Network for Few-Shot Learning. ICLR 2019.
    arXiv:1805.10002. The propagation is that of Dengyong Zhou et al. Learning with Local and Global
    Consistency. NeurIPS 2003.

    Images are joined to their nearest neighbours with the weight exp(-d² / 2·width²); with S the
    symmetrically normalised weights, the scores are (I - alpha·S)⁻¹ · labels, in float64. The
    reference has alpha=0.99 on features that were trained for it; on others labels then spread so
    far that the best connected image wins everywhere, and 0.5 is that of embedding propagation (Pau
    Rodríguez et al. ECCV 2020. arXiv:2003.04151).

    Attributes:
        norm: See `Normalized`.
        alpha: How much of a label comes from the neighbours, below 1.
        neighbours: Of each image; all others where a task has fewer.
        width: σ of the weights, in the unit of the distances.
    """

    name: ClassVar[str] = "label-propagation"
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

    def scores(self, support: Tensor, query: Tensor, base: BaseStatistics | None) -> Tensor:
        """The labels' weights at rest; what differs by rounding only is made equal."""
        points = torch.cat([support.flatten(1, 2), query], 1).double()
        spread = self._spread(points)
        _, ways, shots, _ = support.shape
        labels = torch.eye(len(spread[0]), ways * shots, dtype=spread.dtype, device=spread.device)
        labels = labels.unflatten(1, (ways, shots)).sum(2)
        rest = torch.linalg.solve(spread, labels.expand(len(spread), -1, -1))[:, ways * shots :]
        return apart_from_first(rest)

    def _spread(self, points: Tensor) -> Tensor:
        """I - alpha·S, [T, n, n]."""
        images = points.shape[1]
        distances = squared_distances(points)
        largest = (points * points).sum(-1).amax(-1)[:, None, None]
        near = neighbour_of(distances, min(self.neighbours, images - 1), _ROUNDING * largest)
        nearest = distances.amin((1, 2), keepdim=True)  # a common factor changes no S
        weights = ((nearest - distances) / (2 * self.width**2)).exp() * (near | near.mT)
        degree = weights.sum(-1).clamp_min(torch.finfo(weights.dtype).tiny).rsqrt()
        normalized = degree[:, :, None] * weights * degree[:, None]
        return torch.eye(images, dtype=points.dtype, device=points.device) - self.alpha * normalized

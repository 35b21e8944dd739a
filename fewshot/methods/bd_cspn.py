"""BD-CSPN: bias-diminished cosine prototypes."""

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from lowlabel.fewshot.base_statistics import BaseStatistics
from lowlabel.fewshot.methods.base import Lengths
from lowlabel.fewshot.methods.normalized import Normalized
from lowlabel.fewshot.prototypes import product
from lowlabel.scale import unit


@dataclass(frozen=True)
class BdCspn(Normalized):
    """Nearest prototype by cosine, with prototypes rectified by the queries.

    Jinlu Liu, Liang Song, Yongqiang Qin. Prototype Rectification for Few-Shot Learning. ECCV 2020.
    arXiv:1911.10713

    The shift of the queries serves to rectify the prototypes only (see `rectified_prototypes`);
    the queries themselves are classified unshifted.

    Attributes:
        norm: See `Normalized`.
        scale: ε of the paper: how strongly similar images are weighted.
    """

    name: ClassVar[str] = "bd-cspn"
    transductive: ClassVar[bool] = True
    raw_lengths: ClassVar[Lengths] = "relative"

    scale: float = 10.0

    def __post_init__(self) -> None:
        super().__post_init__()
        self.require_positive("scale")

    def scores(self, support: Tensor, query: Tensor, base: BaseStatistics | None) -> Tensor:
        """The query's length times its cosine to each rectified prototype."""
        prototypes = rectified_prototypes(support, query, self.scale)
        return product(unit(prototypes), query.transpose(1, 2)).transpose(1, 2)


def rectified_prototypes(support: Tensor, query: Tensor, scale: float) -> Tensor:
    """Class means over the support and the queries, weighted by similarity.

    With pₖ the mean support feature of class k and ξ = mean of the support - mean of the queries,
    each shifted query x + ξ is assigned to the class of the largest cosine, and

        prototypeₖ = Σ w·x / Σ w,  w = exp(scale · cos(x, pₖ))

    over the support images of class k and the shifted queries assigned to it. A query that is
    equally similar to several classes is divided equally among them.

    Args:
        support: Features of the labelled images, [T, ways, shots, D].
        query: Features of the queries, [T, Q, D].
        scale: ε of the paper.

    Returns:
        Rectified prototypes, [T, ways, D].
    """
    prototypes = support.mean(2)
    directions = unit(prototypes)
    shift = prototypes.mean(1, keepdim=True) - query.mean(1, keepdim=True)
    cosines = _shifted_query_cosines(directions, query, shift)
    assigned = (cosines == cosines.amax(1, keepdim=True)).to(cosines.dtype)
    query_weights = assigned / assigned.sum(1, keepdim=True) * (scale * cosines).exp()
    support_weights = (scale * _same_class_cosines(directions, support)).exp()
    query_total = query_weights.sum(-1, keepdim=True)
    support_sums = (support_weights[..., None] * support).sum(2)
    sums = support_sums + product(query_weights, query) + query_total * shift
    return sums / (support_weights.sum(-1, keepdim=True) + query_total)


def _shifted_query_cosines(directions: Tensor, query: Tensor, shift: Tensor) -> Tensor:
    """Cosines of query + shift to each direction, [T, K, Q], without a shifted copy."""
    dots = product(torch.cat([directions, shift], 1), query.transpose(1, 2))
    squares = torch.linalg.vector_norm(query, dim=-1)[:, None].square()
    squared_lengths: Tensor = squares + 2 * dots[:, -1:] + shift.square().sum(-1, keepdim=True)
    floor = torch.finfo(query.dtype).eps * squares + torch.finfo(query.dtype).tiny
    shifted_dots = dots[:, :-1] + (directions * shift).sum(-1, keepdim=True)
    cosines: Tensor = shifted_dots * squared_lengths.maximum(floor).rsqrt()
    return cosines


def _same_class_cosines(directions: Tensor, support: Tensor) -> Tensor:
    """Cosines of the support images to the direction of their own class, [T, K, shots]."""
    dots = (support * directions[:, :, None]).sum(-1)
    lengths: Tensor = torch.linalg.vector_norm(support, dim=-1)
    return dots / lengths.clamp_min(torch.finfo(support.dtype).tiny)

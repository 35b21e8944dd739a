"""Prototypes that the queries help to place."""

from torch import Tensor

from lowlabel.fewshot.methods.base import unit_rows
from lowlabel.fewshot.prototypes import weighted_sums


def rectified_prototypes(support: Tensor, query: Tensor, scale: float) -> Tensor:
    """The prototypes of BD-CSPN (Liu et al., ECCV 2020, arXiv:1911.10713).

    The queries are moved so that their mean falls on the support's, each is given to the class of
    the most similar prototype, and a class becomes the mean of its support and of the queries given
    to it, weighted by exp(scale · cosine). A query that is equally similar to several classes is
    shared among them.

    Args:
        support: [T, ways, shots, D].
        query: [T, Q, D].
        scale: ε in the paper.

    Returns:
        [T, ways, D].
    """
    prototypes = support.mean(2)
    moved = query + (prototypes.mean(1) - query.mean(1))[:, None]
    cosines = similarity(moved, prototypes)
    given = (cosines == cosines.amax(1, keepdim=True)).to(cosines.dtype)
    shares = given / given.sum(1, keepdim=True) * (scale * cosines).exp()
    own = (scale * (unit_rows(support) * unit_rows(prototypes)[:, :, None]).sum(-1)).exp()
    sums = (own[..., None] * support).sum(2) + weighted_sums(shares, moved)
    return sums / (own.sum(-1) + shares.sum(-1))[..., None]


def similarity(points: Tensor, prototypes: Tensor) -> Tensor:
    """Cosines, [T, n, D] and [T, K, D] → [T, K, n]; equal prototypes give equal cosines."""
    directions, units = unit_rows(prototypes), unit_rows(points).transpose(1, 2)
    first = directions[:, :1]
    return first @ units + (directions - first) @ units

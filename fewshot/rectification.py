"""Prototypes that the queries help to place."""

import torch
from torch import Tensor

from lowlabel.fewshot.feature_norms import unit_rows
from lowlabel.fewshot.prototypes import product


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
    directions = unit_rows(prototypes)
    shift = prototypes.mean(1, keepdim=True) - query.mean(1, keepdim=True)
    cosines = _cosines(directions, query, shift)
    given = (cosines == cosines.amax(1, keepdim=True)).to(cosines.dtype)
    shares = given / given.sum(1, keepdim=True) * (scale * cosines).exp()
    own = (scale * _own_cosines(directions, support)).exp()
    count = shares.sum(-1, keepdim=True)
    sums = (own[..., None] * support).sum(2) + product(shares, query) + count * shift
    return sums / (own.sum(-1, keepdim=True) + count)


def _cosines(directions: Tensor, query: Tensor, shift: Tensor) -> Tensor:
    """Cosines of the shifted queries, [T, K, Q]; the queries are read and not copied."""
    along = product(torch.cat([directions, shift], 1), query.transpose(1, 2))
    squares = torch.linalg.vector_norm(query, dim=-1)[:, None].square()
    lengths: Tensor = squares + 2 * along[:, -1:] + shift.square().sum(-1, keepdim=True)
    floor = torch.finfo(query.dtype).eps * squares + torch.finfo(query.dtype).tiny
    along = along[:, :-1] + (directions * shift).sum(-1, keepdim=True)
    cosines: Tensor = along * lengths.maximum(floor).rsqrt()
    return cosines


def _own_cosines(directions: Tensor, support: Tensor) -> Tensor:
    """Cosines of the support to its own class's direction, [T, K, shots]."""
    along = (support * directions[:, :, None]).sum(-1)
    lengths: Tensor = torch.linalg.vector_norm(support, dim=-1)
    return along / lengths.clamp_min(torch.finfo(support.dtype).tiny)

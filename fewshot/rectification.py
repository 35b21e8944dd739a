"""Prototypes rectified by the queries, as BD-CSPN and LaplacianShot begin."""

import torch
from torch import Tensor

from lowlabel.fewshot.prototypes import product
from lowlabel.fewshot.support import Support
from lowlabel.scale import unit

RECTIFICATIONS = ("released", "paper")


def query_shift(support: Support, query: Tensor) -> Tensor:
    """Mean of the support minus mean of the queries, [T, 1, D]."""
    return support.mean() - query.mean(1, keepdim=True)


def rectified_prototypes(
    support: Support, query: Tensor, scale: float, rectification: str = "released"
) -> Tensor:
    """Class means over the support and the shifted queries, weighted by similarity.

    With pₖ the mean support feature of class k, each query x is shifted by the difference of the
    two means, and belongs to the class of the largest cosine. "released" is what the published
    code of LaplacianShot and that of Veilleux et al. (NeurIPS 2021, arXiv:2106.12617) compute:
    support images are assigned in the same way, and

        prototypeₖ = mean over its images of w·x
        w = softmax over the classes of scale · cos(x, pₖ)

    so that a class of uncertain images has a short prototype. "paper" is the formula of BD-CSPN:
    support images stay in their class, and

        prototypeₖ = Σ w·x / Σ w,  w = exp(scale · cos(x, pₖ))

    An image that is equally similar to several classes is divided equally among them; a class
    without images, where the published code fails, keeps its mean.

    Args:
        support: The labelled images.
        query: Features of the queries, [T, Q, D].
        scale: ε of the paper.
        rectification: "released" or "paper".

    Returns:
        Rectified prototypes, [T, ways, D].
    """
    prototypes = support.means()
    directions = unit(prototypes)
    shift = query_shift(support, query)
    cosines = _shifted_query_cosines(directions, query, shift)
    if rectification == "paper":
        query_weights = _assigned(cosines) * (scale * cosines).exp()
        support_weights = (scale * _same_class_cosines(directions, support)).exp()[..., None]
        sums = support.with_rows(support_weights * support.rows).sums()
        totals = support.with_rows(support_weights).sums() + query_weights.sum(-1, keepdim=True)
    else:
        images = support.rows
        cosines = torch.cat([_cosines(directions, images), cosines], 2)
        assigned = _assigned(cosines)
        weights = assigned * (scale * cosines).softmax(1)
        support_weights, query_weights = weights.split([images.shape[1], query.shape[1]], 2)
        sums = product(support_weights, images)
        totals = assigned.sum(-1, keepdim=True)
    sums = sums + product(query_weights, query) + query_weights.sum(-1, keepdim=True) * shift
    return torch.where(totals > 0, sums / totals, prototypes)


def _assigned(cosines: Tensor) -> Tensor:
    """Share of each class in each image: 1 for the nearest, divided among equals, [T, K, n]."""
    nearest = (cosines == cosines.amax(1, keepdim=True)).to(cosines.dtype)
    return nearest / nearest.sum(1, keepdim=True)


def _cosines(directions: Tensor, images: Tensor) -> Tensor:
    """Cosines of images [T, n, D] to each direction, [T, K, n]."""
    lengths = torch.linalg.vector_norm(images, dim=-1).clamp_min(torch.finfo(images.dtype).tiny)
    cosines: Tensor = product(directions, images.transpose(1, 2)) / lengths[:, None]
    return cosines


def _shifted_query_cosines(directions: Tensor, query: Tensor, shift: Tensor) -> Tensor:
    """Cosines of query + shift to each direction, [T, K, Q], without a shifted copy."""
    dots = product(torch.cat([directions, shift], 1), query.transpose(1, 2))
    squares = torch.linalg.vector_norm(query, dim=-1)[:, None].square()
    squared_lengths: Tensor = squares + 2 * dots[:, -1:] + shift.square().sum(-1, keepdim=True)
    floor = torch.finfo(query.dtype).eps * squares + torch.finfo(query.dtype).tiny
    shifted_dots = dots[:, :-1] + (directions * shift).sum(-1, keepdim=True)
    cosines: Tensor = shifted_dots * squared_lengths.maximum(floor).rsqrt()
    return cosines


def _same_class_cosines(directions: Tensor, support: Support) -> Tensor:
    """Cosines of the support images to the direction of their own class, [T, n]."""
    dots = (support.rows * directions[:, support.labels]).sum(-1)
    lengths: Tensor = torch.linalg.vector_norm(support.rows, dim=-1)
    return dots / lengths.clamp_min(torch.finfo(dots.dtype).tiny)

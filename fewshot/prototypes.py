"""Prototype arithmetic for many tasks that gives classes of equal support exactly equal results.

A matrix product may round equal rows differently, and iterations amplify the difference until it
decides between identical classes. Each function here therefore computes the first class's value
plus a product with the differences from it, which are exactly 0 for an equal class.
"""

import torch
from torch import Tensor

from lowlabel.fewshot.support import Support


def product(rows: Tensor, matrix: Tensor) -> Tensor:
    """Rows @ matrix, [T, K, m] and [T, m, n] → [T, K, n]; equal rows give equal results."""
    first = rows[:, :1]
    parts = torch.cat([first, rows[:, 1:] - first], 1) @ matrix
    return torch.cat([parts[:, :1], parts[:, :1] + parts[:, 1:]], 1)


def soft_means(support: Support, query: Tensor, assigned: Tensor) -> Tensor:
    """Mean of each class over its support images and the queries, weighted by assignment.

    Args:
        support: The labelled images.
        query: [T, Q, D].
        assigned: Weight of each query in each class, [T, K, Q].

    Returns:
        [T, K, D].
    """
    counts = support.counts()[:, None] + assigned.sum(-1, keepdim=True)
    return (support.sums() + product(assigned, query)) / counts


def nearness(points: Tensor, means: Tensor) -> Tensor:
    """Half the squared distance to the first class's mean minus half of that to each mean.

    ½|x-m₀|² - ½|x-m|² = x·(m-m₀) - (m₀ + ½(m-m₀))·(m-m₀): no large terms cancel, and equal means
    give exactly 0. Up to a constant of the point this is -½|x-m|².

    Args:
        points: [T, n, D].
        means: [T, K, D].

    Returns:
        [T, K, n].
    """
    first = means[:, :1]
    differences = means - first
    offset = ((first + differences / 2) * differences).sum(-1, keepdim=True)
    return torch.baddbmm(-offset, differences, points.transpose(1, 2))


def squared_distances(points: Tensor) -> Tensor:
    """Squared distances between the points of each task, infinite on the diagonal, [T, n, n]."""
    centered = points - points.mean(1, keepdim=True)
    squares = (centered * centered).sum(-1)
    distances = squares[:, :, None] + squares[:, None]
    distances.sub_(centered @ centered.transpose(1, 2), alpha=2).clamp_min_(0)
    distances.diagonal(dim1=1, dim2=2).fill_(torch.inf)
    return distances


def neighbour_mask(distances: Tensor, count: int, tie: Tensor | float = 0.0) -> Tensor:
    """Whether point i is among the `count` nearest of point j, ties included, bool [T, n, n].

    Args:
        distances: [T, n, n].
        count: Number of neighbours.
        tie: Distances that differ by at most `tie` are equal; a number, or one per task [T, 1, 1].
    """
    # Each row is compared with itself: a product need not round a distance and its mirror alike.
    return (distances <= _smallest(distances, count)[..., None] + tie).mT


def _smallest(rows: Tensor, count: int) -> Tensor:
    """The `count`-th smallest value of each row, [T, n, m] → [T, n]."""
    if count > 6:
        return rows.topk(count, largest=False).values[..., -1]
    rows = rows.clone()
    for _ in range(count - 1):  # faster than topk for small counts
        rows.scatter_(-1, rows.min(-1, keepdim=True).indices, torch.inf)
    return rows.amin(-1)

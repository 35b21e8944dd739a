"""Diffusion on the neighbourhood graph."""

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from lowlabel.errors import InputError
from lowlabel.retrieval.post.base import Embedded, PostProcessing, require_queries_in_gallery
from lowlabel.retrieval.post.sparse import coalesced, mutual
from lowlabel.retrieval.ranking.nearest import nearest


@dataclass(frozen=True)
class Diffusion(PostProcessing):
    """Ranking by diffusion on the graph of mutual neighbours.

    Iscen et al., "Efficient diffusion on region manifolds: recovering small objects with compact
    CNN representations", CVPR 2017, arXiv:1611.05113, with one vector per image. Gallery images
    that are mutual neighbours are joined with the weight max(0, cosine)^γ. With the normalised
    affinity S, the ranking of a query with start vector y is f = (I − αS)⁻¹ y, computed by
    conjugate gradients. A query starts from its nearest images with their weights; in
    leave-one-out it is a node of the graph and starts from itself, as in the source for queries
    in the dataset. Images that the graph does not connect to the start get 0 and are ties.

    Attributes:
        neighbours: Neighbours in the graph, including the image itself as in the released code,
            so at least 2.
        query_neighbours: Images from which a query outside the gallery starts.
        alpha: α.
        gamma: γ.
        iterations: Iterations of conjugate gradients.
    """

    name: ClassVar[str] = "diffusion"
    version: ClassVar[int] = 2
    gives_similarities: ClassVar[bool] = True
    neighbours: int = 50
    query_neighbours: int = 10
    alpha: float = 0.99
    gamma: float = 3.0
    iterations: int = 20

    def __post_init__(self) -> None:
        self.require_at_least("neighbours", 2)
        for option in ("query_neighbours", "iterations"):
            self.require_at_least(option, 1)
        self.require_positive("gamma")
        if not 0 < self.alpha < 1:
            raise InputError(f"alpha={self.alpha} of diffusion must be between 0 and 1")

    def apply(self, embedded: Embedded) -> "DiffusedSimilarity":
        """Builds the graph and the start vectors."""
        require_queries_in_gallery(self, embedded)
        affinity = _normalised(self._affinity(embedded.gallery))
        if embedded.leave_one_out:
            rows = torch.arange(len(embedded.queries), device=affinity.device)[:, None]
            return DiffusedSimilarity(
                affinity, rows, torch.ones_like(rows, dtype=affinity.dtype), self
            )
        found = embedded.nearest(self.query_neighbours)
        weights = found.similarity.clamp(min=0) ** self.gamma
        return DiffusedSimilarity(affinity, found.rows, weights, self)

    def _affinity(self, gallery: Tensor) -> Tensor:
        """Weights of mutual neighbours, sparse [G, G]."""
        if self.neighbours > len(gallery):
            raise InputError(
                f"neighbours={self.neighbours} of diffusion must be at most {len(gallery)}, the "
                "number of images, because an image is among its own neighbours"
            )
        itself = torch.arange(len(gallery), device=gallery.device)
        found = nearest(gallery, gallery, self.neighbours - 1, self_rows=itself)
        i, k = mutual(found.rows).nonzero().T
        values = found.similarity[i, k].clamp(min=0) ** self.gamma
        return coalesced(i, found.rows[i, k], values, (len(gallery), len(gallery)))


@dataclass(frozen=True)
class DiffusedSimilarity:
    """The vector f of each query.

    Attributes:
        affinity: S, sparse [G, G].
        start_rows: Images from which each query starts [Q, k].
        start_weights: Their weights in y [Q, k].
        options: The options, of which α and the iterations are used.
    """

    affinity: Tensor
    start_rows: Tensor
    start_weights: Tensor
    options: Diffusion

    def rows(self, queries: Tensor) -> Tensor:
        """Computes similarities [n, G]."""
        y = self.start_weights.new_zeros(len(queries), len(self.affinity))
        y.scatter_(1, self.start_rows[queries], self.start_weights[queries])
        return self._solve(y.T.contiguous()).T

    def _solve(self, y: Tensor) -> Tensor:
        """Solves (I − αS) f = y by conjugate gradients for all columns of y [G, n] at once."""
        f, residual, direction = torch.zeros_like(y), y.clone(), y.clone()
        power = torch.linalg.vecdot(residual, residual, dim=0)
        for _ in range(self.options.iterations):
            moved = torch.sparse.mm(self.affinity, direction)
            torch.sub(direction, moved, alpha=self.options.alpha, out=moved)
            step = _ratio(power, torch.linalg.vecdot(direction, moved, dim=0))
            f.addcmul_(direction, step)
            residual.addcmul_(moved, step, value=-1)
            before, power = power, torch.linalg.vecdot(residual, residual, dim=0)
            direction.mul_(_ratio(power, before)).add_(residual)
        return f


def _normalised(affinity: Tensor) -> Tensor:
    """Computes D^-½ A D^-½; an image without neighbours keeps an empty row."""
    degree = torch.sparse.sum(affinity, dim=1).to_dense()
    scale = torch.where(degree > 0, degree, 1) ** -0.5
    i, j = affinity.indices()
    values = affinity.values() * scale[i] * scale[j]
    return coalesced(i, j, values, (len(degree), len(degree)))


def _ratio(a: Tensor, b: Tensor) -> Tensor:
    """Computes a / b, and 0 where b is 0 because the column is solved."""
    return torch.where(b > 0, a / torch.where(b > 0, b, 1), 0)

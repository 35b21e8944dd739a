"""Supervised whitening."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from lowlabel.errors import InputError, number_of
from lowlabel.retrieval.post.base import Embedded, require_train
from lowlabel.retrieval.post.projection import Projection
from lowlabel.retrieval.ranking.blocks import row_blocks
from lowlabel.scale import order_one, unit


@dataclass(frozen=True)
class PairWhitening(Projection):
    """Whitening learned from pairs of training images of one class, then L2 normalisation.

    Radenović, Tolias and Chum, "CNN image retrieval learns from BoW", ECCV 2016,
    arXiv:1604.02426, after Mikolajczyk and Matas, ICCV 2007. With S = mean of (a − b)(a − b)ᵀ over
    the pairs (a, b) and its Cholesky factor L, x becomes Uᵀ·L⁻¹·(x − mean): differences within a
    pair become white, and U are the eigenvectors of all training rows after L⁻¹. The mean is over
    the first image of each pair. Rows have length 1 before.

    The source takes pairs from 3D reconstructions. Here they come from the labels of the training
    images: each image with the next one of its class, in the order of rows, and the last with the
    first. Images that are alone in their class are in no pair.

    Attributes:
        dimensions: Number of leading dimensions to keep; 0 keeps all.
        loading: Added to the diagonal of S. The source raises it tenfold from 1e-10 on, until S
            can be factored; here it is 0, and an S that cannot be factored is an error.

    Raises:
        InputError: If training images have no labels, no class has two of them, or their
            differences do not vary in every dimension.
    """

    name: ClassVar[str] = "whiten-pairs"
    dimensions: int = 0
    loading: float = 0.0

    def __post_init__(self) -> None:
        self.require_at_least("dimensions", 0)
        if not 0 <= self.loading < float("inf"):
            raise InputError(f"loading={self.loading} of whiten-pairs must be at least 0, finite")

    def projection(self, embedded: Embedded) -> Callable[[Tensor], Tensor]:
        """Returns the projection of rows [n, D] of any length, trained on `embedded.train`."""
        train, labels = require_train(self, embedded), embedded.train_labels
        if labels is None:
            raise InputError(
                f"{self.spec} takes pairs of one class, and the training images have no labels",
                "Pass train_labels=labels, or a file of embeddings with labels.",
            )
        self.require_dimensions(self.dimensions, train.shape[1])
        first, second = class_pairs(labels)
        if not len(first):
            raise InputError(
                f"{self.spec} takes pairs of one class, and none of the "
                f"{number_of(len(labels), 'training images')} has another of its class",
                "Pass the labels of classes with several images.",
            )
        mean, projection = self._learn(train, first, second)
        return lambda rows: unit((unit(order_one(rows).to(mean)) - mean) @ projection)

    def _learn(self, train: Tensor, first: Tensor, second: Tensor) -> tuple[Tensor, Tensor]:
        width = train.shape[1]
        mean = train[first].mean(dim=0, dtype=torch.float64)
        within = train.new_zeros(width, width, dtype=torch.float64)
        for start, stop in row_blocks(len(first), width):
            part = slice(start, stop)
            differences = train[first[part]].double() - train[second[part]].double()
            within += differences.T @ differences
        whitens = self._inverse_factor(within / len(first), len(first))
        spread = torch.zeros_like(within)
        for start, stop in row_blocks(len(train), width):
            turned = (train[start:stop].double() - mean) @ whitens.T
            spread += turned.T @ turned
        vectors = torch.linalg.eigh(spread).eigenvectors.flip(1)[:, : self.dimensions or width]
        return mean.to(train.dtype), (whitens.T @ vectors).to(train.dtype)

    def _inverse_factor(self, within: Tensor, pairs: int) -> Tensor:
        """L⁻¹ of S = L·Lᵀ."""
        width = len(within)
        loaded = within + self.loading * torch.eye(width).to(within)
        values = torch.linalg.eigvalsh(loaded)
        flat = int((values <= width * torch.finfo(torch.float64).eps * values[-1]).sum())
        if flat:
            raise InputError(
                f"the differences of {number_of(pairs, 'pairs')} do not vary in {flat} of "
                f"{number_of(width, 'dimensions')}, so {self.spec} cannot whiten them",
                "Pass more training images, or add loading=1e-10 or more, as the source does.",
            )
        factor = torch.linalg.cholesky(loaded)
        eye = torch.eye(width).to(factor)
        inverse: Tensor = torch.linalg.solve_triangular(factor, eye, upper=False)
        return inverse


def class_pairs(labels: Tensor) -> tuple[Tensor, Tensor]:
    """Pairs each image with the next of its class, the last with the first; int64 [pairs] each."""
    order = labels.argsort(stable=True)
    sizes = torch.unique_consecutive(labels[order], return_counts=True)[1]
    stop = sizes.cumsum(0).repeat_interleave(sizes)
    following = torch.arange(1, len(order) + 1, device=order.device)
    following = torch.where(following < stop, following, stop - sizes.repeat_interleave(sizes))
    paired = sizes.repeat_interleave(sizes) > 1
    return order[paired], order[following[paired]]

"""PCA whitening."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import ClassVar

import torch
from torch import Tensor

from lowlabel.errors import InputError
from lowlabel.retrieval.post.base import Embedded, PostProcessing, require_train
from lowlabel.retrieval.ranking.blocks import row_blocks
from lowlabel.scale import order_one, unit


@dataclass(frozen=True)
class Whitening(PostProcessing):
    """PCA whitening trained on training images, then L2 normalisation.

    Jégou and Chum, "Negative evidences and co-occurences in image retrieval: the benefit of PCA
    and whitening", ECCV 2012. With the covariance's eigenvalues λ and eigenvectors U of the
    training rows, x becomes (max(λ, ε·λmax)^-power)·Uᵀ(x − mean), for the leading dimensions.

    Attributes:
        dimensions: Number of leading dimensions to keep; 0 keeps all.
        covariance: "centred", or "reference": second moments about zero, without subtracting the
            mean, as in DINO's Copydays evaluation (Caron et al., ICCV 2021, arXiv:2104.14294).
        power: 0.5 whitens, 0 only rotates.
        eps: Floor of the eigenvalues, as a share of the largest.

    Raises:
        InputError: If there are fewer training images than dimensions, or they are the test set.
    """

    name: ClassVar[str] = "whiten"
    needs_train: ClassVar[bool] = True
    dimensions: int = 0
    covariance: str = "centred"
    power: float = 0.5
    eps: float = 1e-5

    def __post_init__(self) -> None:
        self.require_one_of("covariance", ("centred", "reference"))
        self.require_at_least("dimensions", 0)
        self.require_positive("eps")
        if self.power < 0:
            raise InputError(f"power={self.power} of whiten must be at least 0")

    def apply(self, embedded: Embedded) -> Embedded:
        """Projects queries and gallery."""
        project = self.projection(embedded)
        gallery = project(embedded.gallery)
        same = embedded.queries is embedded.gallery
        queries = gallery if same else project(embedded.queries)
        return replace(embedded, queries=queries, gallery=gallery, train=None)

    def projection(self, embedded: Embedded) -> Callable[[Tensor], Tensor]:
        """Returns the projection of rows [n, D] of any length, trained on `embedded.train`."""
        mean, projection = self._learn(require_train(self, embedded))
        offset = mean @ projection
        return lambda rows: unit(unit(order_one(rows).to(mean)) @ projection - offset)

    def _learn(self, train: Tensor) -> tuple[Tensor, Tensor]:
        images, width = train.shape
        if images < width:
            raise InputError(
                f"whitening has {images} training images for {width} dimensions",
                "A covariance needs at least as many images as dimensions: pass more.",
            )
        if self.dimensions > width:
            raise InputError(
                f"{self.spec} keeps more dimensions than the {width} of the features",
                f"Keep at most {width}.",
            )
        mean = train.mean(dim=0, dtype=torch.float64)
        if self.covariance == "reference":
            mean = torch.zeros_like(mean)
        moments = train.new_zeros(width, width, dtype=torch.float64)
        for start, stop in row_blocks(images, width):
            centred = train[start:stop].double() - mean
            moments += centred.T @ centred
        values, vectors = torch.linalg.eigh(moments / images)
        kept = self.dimensions or width
        leading = values.clamp(min=self.eps * values[-1]).flip(0)[:kept]
        projection = vectors.flip(1)[:, :kept] * leading**-self.power
        return mean.to(train.dtype), projection.to(train.dtype)

"""PCA whitening."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from lowlabel.errors import InputError, number_of
from lowlabel.retrieval.post.base import Embedded, require_train
from lowlabel.retrieval.post.projection import Projection
from lowlabel.retrieval.ranking.blocks import row_blocks
from lowlabel.scale import magnitudes, order_one, power_of_two, unit


@dataclass(frozen=True)
class Whitening(Projection):
    """PCA whitening trained on training images, then L2 normalisation.

    Jégou and Chum, "Negative evidences and co-occurences in image retrieval: the benefit of PCA
    and whitening", ECCV 2012. With the covariance's eigenvalues λ and eigenvectors U of the
    training rows, x becomes (max(λ, ε·λmax)^-power)·Uᵀ(x − mean), for the leading dimensions.

    Rows have length 1 before. With `covariance=reference` it is the arithmetic of DINO's copy
    detection (Caron et al., ICCV 2021, arXiv:2104.14294): rows keep the lengths that the model
    gives them, λ and U are those of the second moments about zero, and the mean is subtracted
    all the same.

    Attributes:
        dimensions: Number of leading dimensions to keep; 0 keeps all.
        covariance: "centred" or "reference".
        power: 0.5 whitens, 0 only rotates.
        eps: Floor of the eigenvalues, as a share of the largest; 0 sets none. It matters where
            all dimensions are kept: without a floor the smallest ones are scaled up the most.

    Raises:
        InputError: If there are fewer training images than dimensions, or they are the test set;
            or an eigenvalue is 0 and has no floor.
    """

    name: ClassVar[str] = "whiten"
    dimensions: int = 0
    covariance: str = "centred"
    power: float = 0.5
    eps: float = 1e-5

    def __post_init__(self) -> None:
        self.require_one_of("covariance", ("centred", "reference"))
        self.require_at_least("dimensions", 0)
        for option in ("eps", "power"):
            if not 0 <= getattr(self, option) < float("inf"):
                value = getattr(self, option)
                raise InputError(f"{option}={value} of whiten must be at least 0 and finite")

    @property
    def needs_raw(self) -> bool:
        """Whether it takes the rows as the model gives them."""
        return self.covariance == "reference"

    @property
    def arithmetic(self) -> int:
        """2 for the reference, which was another arithmetic before."""
        return 2 if self.covariance == "reference" else 1

    def projection(self, embedded: Embedded) -> Callable[[Tensor], Tensor]:
        """Returns the projection of rows [n, D] of any length, trained on `embedded.train`."""
        train = require_train(self, embedded)
        if self.covariance == "centred":
            mean, projection = self._learn(train)
            offset = mean @ projection
            return lambda rows: unit(unit(order_one(rows).to(mean)) @ projection - offset)
        raw = train if embedded.raw is None or embedded.raw.train is None else embedded.raw.train
        scale = power_of_two(magnitudes(raw).amax())  # exact: no square overflows
        mean, projection = self._learn(raw / scale)
        return lambda rows: unit(((rows / scale).to(mean) - mean) @ projection)

    def _learn(self, train: Tensor) -> tuple[Tensor, Tensor]:
        images, width = train.shape
        if images < width:
            raise InputError(
                f"whitening has {number_of(images, 'training images')} for "
                f"{number_of(width, 'dimensions')}",
                "A covariance needs at least as many images as dimensions: pass more.",
            )
        self.require_dimensions(self.dimensions, width)
        mean = train.mean(dim=0, dtype=torch.float64)
        centre = mean if self.covariance == "centred" else torch.zeros_like(mean)
        moments = train.new_zeros(width, width, dtype=torch.float64)
        for start, stop in row_blocks(images, width):
            centred = train[start:stop].double() - centre
            moments += centred.T @ centred
        values, vectors = torch.linalg.eigh(moments / images)
        kept = self.dimensions or width
        leading = values.clamp(min=self.eps * values[-1]).flip(0)[:kept]
        self._require_positive(leading, width, train.dtype)
        projection = vectors.flip(1)[:, :kept] * leading**-self.power
        return mean.to(train.dtype), projection.to(train.dtype)

    def _require_positive(self, values: Tensor, width: int, dtype: torch.dtype) -> None:
        """Raises an `InputError` if one of the falling eigenvalues is 0 up to rounding."""
        least = torch.finfo(dtype).eps ** 2  # of the variance of unit rows
        if not self.eps:
            least = max(least, width * torch.finfo(torch.float64).eps * float(values[0]))
        flat = int((values <= least).sum())
        if flat and self.power:
            raise InputError(
                f"the training images do not vary in {flat} of the "
                f"{number_of(len(values), 'dimensions')} that {self.spec} keeps",
                f"Keep {len(values) - flat}{', or leave eps out: it is a floor' * (not self.eps)}."
                if flat < len(values)
                else "Pass other training images.",
            )

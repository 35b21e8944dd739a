"""Sums over the labelled images of one task, for more images than memory holds."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from lowlabel.fewshot.support import Support


@dataclass(frozen=True, eq=False)
class Moments:
    """Means and second moments of labelled images that are read block by block.

    Attributes:
        blocks: Yields transformed features [B, D] and their classes, int64 [B], each time from the
            first image on.
        sizes: Number of images of each class.
        like: Transformed features [., D], whose width, dtype and device the images have.
    """

    blocks: Callable[[], Iterator[tuple[Tensor, Tensor]]]
    sizes: tuple[int, ...]
    like: Tensor

    @property
    def images(self) -> int:
        """Number of images."""
        return sum(self.sizes)

    @cached_property
    def counts(self) -> Tensor:
        """Number of images of each class, float64 [ways, 1]."""
        return self._zeros(0).new_tensor(self.sizes)[:, None]

    @cached_property
    def sums(self) -> Tensor:
        """Sum of each class, float64 [ways, D]."""
        found = self._zeros(len(self.sizes), self.like.shape[1])
        for rows, classes in self._doubled():
            found.index_add_(0, classes, rows)
        return found

    @cached_property
    def centre(self) -> Tensor:
        """Mean of all images, float64 [D]."""
        return self.sums.sum(0) / self.images

    @cached_property
    def gram(self) -> Tensor:
        """Σ (x - centre)(x - centre)ᵀ, float64 [D, D]."""
        found = self._zeros(self.like.shape[1], self.like.shape[1])
        for rows, _ in self._doubled():
            centred = rows.sub_(self.centre)
            found.addmm_(centred.T, centred)
        return found

    def means(self) -> Tensor:
        """Mean of each class, [1, ways, D], in the dtype of the images."""
        return (self.sums / self.counts).to(self.like.dtype)[None]

    def prototypes(self) -> Support:
        """The mean of each class in place of its images."""
        return Support(self.means(), (1,) * len(self.sizes))

    def _doubled(self) -> Iterator[tuple[Tensor, Tensor]]:
        """The blocks in float64, in memory that all of them share; the first is the largest."""
        room: Tensor | None = None
        for rows, classes in self.blocks():
            if room is None or len(room) < len(rows):
                room = torch.empty_like(rows, dtype=torch.float64)
            yield room[: len(rows)].copy_(rows), classes

    def _zeros(self, *shape: int) -> Tensor:
        return torch.zeros(shape, dtype=torch.float64, device=self.like.device)

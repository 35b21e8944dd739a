"""The labelled images of a block of tasks, with any number of images of each class."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor


@dataclass(frozen=True)
class Support:
    """Labelled images of T tasks, class after class.

    Classes of one size are reduced together. Where all are equal, that is one mean over the shots.

    Attributes:
        rows: Transformed features, [T, n, D].
        sizes: Number of images of each class, the same in all tasks; they add up to n.
    """

    rows: Tensor
    sizes: tuple[int, ...]

    @classmethod
    def of(cls, images: Tensor) -> "Support":
        """The same number of images of each class, [T, ways, shots, D]."""
        _, ways, shots, _ = images.shape
        return cls(images.flatten(1, 2), (shots,) * ways)

    @property
    def ways(self) -> int:
        """Number of classes."""
        return len(self.sizes)

    @property
    def is_equal(self) -> bool:
        """Whether all classes have the same number of images."""
        return len(set(self.sizes)) == 1

    @cached_property
    def labels(self) -> Tensor:
        """Class of each image, 0 … ways-1, [n]."""
        classes = torch.arange(self.ways, device=self.rows.device)
        return classes.repeat_interleave(torch.tensor(self.sizes, device=self.rows.device))

    def one_hot(self, dtype: torch.dtype) -> Tensor:
        """Classes as rows of the identity, [n, ways]."""
        return torch.eye(self.ways, dtype=dtype, device=self.rows.device)[self.labels]

    def of_each_class(self, values: list[float], dtype: torch.dtype) -> Tensor:
        """One number for each class, on the device of the images, [ways]."""
        return torch.tensor(values, dtype=dtype, device=self.rows.device)

    def counts(self) -> Tensor:
        """Number of images of each class, in the dtype of the images, [ways]."""
        return self.of_each_class(list(map(float, self.sizes)), self.rows.dtype)

    def shares(self, dtype: torch.dtype) -> Tensor:
        """Share of each class in the images, [ways]."""
        total = sum(self.sizes)
        return self.of_each_class([size / total for size in self.sizes], dtype)

    def means(self) -> Tensor:
        """Mean of each class, [T, ways, D]."""
        if self.is_equal:
            return self._equal().mean(2)
        return self._joined([images.mean(2) for _, images in self.by_size()])

    def sums(self) -> Tensor:
        """Sum of each class, [T, ways, D]."""
        if self.is_equal:
            return self._equal().sum(2)
        return self._joined([images.sum(2) for _, images in self.by_size()])

    def mean(self) -> Tensor:
        """Mean of all images, [T, 1, D]."""
        rows = self.means() if self.is_equal else self.rows
        return rows.mean(1, keepdim=True)

    def with_rows(self, rows: Tensor) -> "Support":
        """Other features of the same images."""
        return Support(rows, self.sizes)

    def by_size(self) -> Iterator[tuple[Tensor, Tensor]]:
        """Classes of one size, [m], and their images, [T, m, size, D]; smallest sizes first."""
        if self.is_equal:
            yield torch.arange(self.ways, device=self.rows.device), self._equal()
            return
        sizes = torch.tensor(self.sizes)
        starts = sizes.cumsum(0) - sizes
        for size in sorted(set(self.sizes)):
            classes = (sizes == size).nonzero()[:, 0]
            places = (starts[classes, None] + torch.arange(size)).flatten().to(self.rows.device)
            images = self.rows.index_select(1, places)
            yield classes.to(self.rows.device), images.unflatten(1, (len(classes), size))

    def _equal(self) -> Tensor:
        images: Tensor = self.rows.unflatten(1, (self.ways, self.sizes[0]))
        return images

    def _joined(self, parts: list[Tensor]) -> Tensor:
        """Values of the classes of `by_size`, in the order of the classes."""
        order = torch.tensor(self.sizes).argsort(stable=True).argsort()
        return torch.cat(parts, 1).index_select(1, order.to(self.rows.device))

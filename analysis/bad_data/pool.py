"""The images of several parts of a dataset, with their embeddings, as one list."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from lowlabel.analysis.retrieved import Collection
from lowlabel.datasets import ImageSet
from lowlabel.datasets.io.pixels import Orientation
from lowlabel.features import EmbeddingTable


@dataclass(frozen=True)
class Pool:
    """Images of parts in a row, the part that is kept first in front.

    Attributes:
        parts: Names of the parts.
        images: The images of each part that have an embedding.
        contents: Hash of the file, and the box, of each image [N].
        unreadable: Part and path of the images that could not be decoded.
    """

    parts: tuple[str, ...]
    images: tuple[Collection, ...]
    contents: tuple[tuple[bytes, object], ...]
    unreadable: tuple[tuple[str, str], ...] = ()

    @classmethod
    def of(
        cls,
        tables: Sequence[tuple[ImageSet, EmbeddingTable]],
        orientation: Orientation = "stored",
    ) -> "Pool":
        """Joins image sets with their embeddings."""
        contents: list[tuple[bytes, object]] = []
        for images, table in tables:
            bad, hashes = set(table.bad_images), images.manifest.contents
            contents += [
                (hashes[32 * row : 32 * row + 32], images.boxes[row] if images.boxes else None)
                for row, path in enumerate(images.paths)
                if path not in bad
            ]
        return cls(
            tuple(images.part for images, _ in tables),
            tuple(Collection.of(images, table, orientation) for images, table in tables),
            tuple(contents),
            tuple((images.part, path) for images, table in tables for path in table.bad_images),
        )

    def __len__(self) -> int:
        return len(self.contents)

    @property
    def features(self) -> NDArray[np.float32]:
        """Embeddings [N, D]."""
        return np.concatenate([images.table.features for images in self.images])

    @property
    def part_numbers(self) -> NDArray[np.int64]:
        """Index in `parts` of the part of each image [N]."""
        return np.repeat(np.arange(len(self.parts)), [len(each.paths) for each in self.images])

    @property
    def paths(self) -> list[str]:
        """Paths relative to the dataset's root [N]."""
        return [path for images in self.images for path in images.paths]

    @property
    def classes(self) -> list[str]:
        """Names of classes [N]."""
        return [name for images in self.images for name in images.classes]

    def picture(self, row: int) -> Image.Image:
        """Opens an image; a `DataError` if it cannot be read."""
        part = int(np.searchsorted(np.cumsum([len(e.paths) for e in self.images]), row, "right"))
        return self.images[part].picture(row - sum(len(e.paths) for e in self.images[:part]))

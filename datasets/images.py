"""Image sets: the listed images of one part of a dataset."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from lowlabel.errors import DataError

Box = tuple[float, float, float, float]  # left, top, right, bottom, in pixels of the image


class LabelledPath(NamedTuple):
    """One image of a listing.

    Attributes:
        path: Path relative to the dataset's root.
        class_name: Name of its class.
        box: Region to crop to; None for the whole image.
    """

    path: str
    class_name: str
    box: Box | None = None


class Counts(NamedTuple):
    """Number of images and of classes in a part; `classes` is None if they are not counted."""

    images: int
    classes: int | None = None

    def __str__(self) -> str:
        of = "" if self.classes is None else f" of {self.classes:,} classes"
        return f"{self.images:,} images{of}"


@dataclass(frozen=True)
class ImageSet:
    """The images of one part of a dataset, in a fixed order.

    Attributes:
        dataset: Name of the dataset with its division, such as "cub:closerlook".
        part: Name of the part, such as "novel" or "query".
        root: Folder that `paths` are relative to.
        paths: N paths with forward slashes.
        labels: int64 [N], indices into `class_names`.
        class_names: Names of the classes, sorted.
        boxes: Region to crop each image to, or None for the whole image; None if no image has one.
        version: Version of images that lowlabel draws itself, 0 for all others. Another version
            may draw other pixels under the same names and sizes.
    """

    dataset: str
    part: str
    root: Path
    paths: tuple[str, ...]
    labels: NDArray[np.int64]
    class_names: tuple[str, ...]
    boxes: tuple[Box | None, ...] | None = None
    version: int = 0

    @classmethod
    def from_listing(
        cls,
        dataset: str,
        part: str,
        root: Path,
        listing: Sequence[LabelledPath],
        version: int = 0,
    ) -> "ImageSet":
        """Builds the set from a listing; classes are numbered in the order of their names."""
        names = tuple(sorted({item.class_name for item in listing}))
        index = {name: label for label, name in enumerate(names)}
        labels = np.array([index[item.class_name] for item in listing], dtype=np.int64)
        labels.setflags(write=False)
        paths, boxes = tuple(item.path for item in listing), tuple(item.box for item in listing)
        kept = boxes if any(boxes) else None
        return cls(dataset, part, root, paths, labels, names, kept, version)

    def only(self, rows: Sequence[int]) -> "ImageSet":
        """Returns the images at `rows`, with their classes renumbered."""
        listing = [
            LabelledPath(
                self.paths[row],
                self.class_names[self.labels[row]],
                self.boxes[row] if self.boxes else None,
            )
            for row in rows
        ]
        return ImageSet.from_listing(self.dataset, self.part, self.root, listing, self.version)

    def __len__(self) -> int:
        return len(self.paths)

    @property
    def counts(self) -> Counts:
        """Number of images and classes."""
        return Counts(len(self.paths), len(self.class_names))

    @cached_property
    def manifest_sha256(self) -> str:
        """Hash of the name, class, size in bytes and box of every image.

        Raises:
            DataError: If a listed image is missing on the disk.
        """
        digest = hashlib.sha256()
        for row, (path, label) in enumerate(zip(self.paths, self.labels, strict=True)):
            size = self._size(path)
            digest.update(f"{path}\0{self.class_names[label]}\0{size}\n".encode())
            if self.boxes:
                digest.update(f"{self.boxes[row]}\n".encode())
        return digest.hexdigest()

    def _size(self, path: str) -> int:
        try:
            return (self.root / path).stat().st_size
        except OSError as error:
            raise DataError(
                f"{self.dataset} lists {path}, which is missing under {self.root}",
                "Restore the file, or prepare the dataset again from a complete archive.",
            ) from error

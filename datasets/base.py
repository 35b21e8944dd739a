"""The types of this package: an immutable image set, and a data set's declaration."""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from lowlabel.errors import DataError, UnknownNameError
from lowlabel.progress import Progress

Kind = Literal["classes", "revisited", "copies", "distractors"]
Box = tuple[float, float, float, float]  # left, top, right, bottom in pixels of the image
GroundTruth = list[dict[str, list[int]]]  # by query: rows of the gallery by kind of label


class LabelledPath(NamedTuple):
    """One image of a listing.

    Attributes:
        path: Relative to the data set's root.
        class_name: Its class.
        box: What is looked at; None for all of it.
    """

    path: str
    class_name: str
    box: Box | None = None


class Counts(NamedTuple):
    """How many images and classes a part has; None where it is not its classes that count."""

    images: int
    classes: int | None = None

    def __str__(self) -> str:
        of = "" if self.classes is None else f" of {self.classes:,} classes"
        return f"{self.images:,} images{of}"


@dataclass(frozen=True)
class ImageSet:
    """The images of one part of a data set, in a fixed order.

    Attributes:
        dataset: Name of the data set, with its division: "cub:closerlook".
        part: "base", "val", "novel", "train", "test", "gallery" or "query".
        root: The folder that `paths` are relative to.
        paths: N paths with forward slashes.
        labels: int64 [N], indices into `class_names`.
        class_names: The classes' names, sorted.
        boxes: What is looked at of each image, or None where that is all of every image.
        version: Of images that the suite makes itself: another version may draw others of the same
            names and sizes.
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
        """Builds the set from a listing, with classes numbered in the order of their names."""
        names = tuple(sorted({item.class_name for item in listing}))
        index = {name: label for label, name in enumerate(names)}
        labels = np.array([index[item.class_name] for item in listing], dtype=np.int64)
        labels.setflags(write=False)
        paths, boxes = tuple(item.path for item in listing), tuple(item.box for item in listing)
        kept = boxes if any(boxes) else None
        return cls(dataset, part, root, paths, labels, names, kept, version)

    def only(self, rows: Sequence[int]) -> "ImageSet":
        """The images of some rows, with their classes numbered anew."""
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
        """Images and classes."""
        return Counts(len(self.paths), len(self.class_names))

    @cached_property
    def manifest_sha256(self) -> str:
        """Hash of every image's name, class, size in bytes and box; it changes with any of them."""
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
                f"{self.dataset} lists {path}, which is not under {self.root}",
                "Prepare the data set again from a whole archive.",
            ) from error


@dataclass(frozen=True)
class Division:
    """One named way to divide a data set. Results under two divisions never mix.

    Attributes:
        name: The name in `DATASET:SCHEME`.
        parts: The parts in order: the first is learnt from, the last is evaluated.
        read: Gives the images of one part, from the data set's root and the part's name.
        expected: The full set's counts by part; empty where any count is right.
        kind: What is asked of the images: their classes, which places or copies they show, or
            nothing of distractors.
        gallery: The part that the evaluated part's images are searched in; None where each is
            searched among the others.
        ground_truth: Reads which of the gallery's images each query is to find; "revisited" only.
    """

    name: str
    parts: tuple[str, ...]
    read: Callable[[Path, str], list[LabelledPath]]
    expected: Mapping[str, Counts] = field(default_factory=dict)
    kind: Kind = "classes"
    gallery: str | None = None
    ground_truth: Callable[[Path], GroundTruth] | None = None

    def counts(self, images: ImageSet) -> Counts:
        """What is counted of a part: classes only where they are what is asked for."""
        return images.counts if self.kind == "classes" else Counts(len(images))

    @property
    def evaluated(self) -> str:
        """The part that scores are taken on."""
        return self.parts[-1]

    @property
    def train_part(self) -> str | None:
        """The part that methods may learn from; None where there is only one part."""
        return self.parts[0] if len(self.parts) > 1 and self.kind == "classes" else None


@dataclass(frozen=True)
class Conversion:
    """How a published distribution without image files becomes image files.

    Attributes:
        files: What it is known by: paths of files in one folder.
        write: Writes the data set in a layout of its own, given that folder, an empty one to
            write in, and the progress.
    """

    files: tuple[str, ...]
    write: Callable[[Path, Path, Progress | None], None]

    def is_of(self, folder: Path) -> bool:
        """Whether the folder holds the distribution."""
        return all((folder / file).is_file() for file in self.files)


@dataclass(frozen=True)
class Dataset:
    """A data set's declaration: what it is, where it comes from, how it is divided.

    Attributes:
        name: The name on the command line.
        title: The name in tables.
        licence: The terms of use.
        source: Authors, venue and home page.
        obtain: How a user comes by the archive.
        marker: A path that the root folder holds; it finds the root in an unpacked archive.
        other_markers: Those of other layouts that are in use.
        divisions: The ways to divide it; the first is taken where nothing tells which.
        make: Writes the data into an empty folder, for a data set that needs no archive.
        version: Of made data: another version is another folder.
        conversions: The distributions that `prepare` turns into image files.
        ks: The K at which Recall@K is usually reported.
    """

    name: str
    title: str
    licence: str
    source: str
    obtain: str
    marker: str
    divisions: tuple[Division, ...]
    make: Callable[[Path, Progress | None], None] | None = None
    version: int = 0
    other_markers: tuple[str, ...] = ()
    conversions: tuple[Conversion, ...] = ()
    ks: tuple[int, ...] = (1, 2, 4, 8, 16, 32)

    @property
    def folder_name(self) -> str:
        """The prepared folder's name in the suite's home."""
        return f"{self.name}-v{self.version}" if self.version else self.name

    def division(self, name: str) -> Division:
        """The division of a name; an unknown one is an `UnknownNameError`."""
        by_name = {division.name: division for division in self.divisions}
        if name not in by_name:
            raise UnknownNameError(f"division of {self.name}", name, by_name)
        return by_name[name]

"""Image sets: the listed images of one part of a dataset."""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from lowlabel.datasets.io.contents import Content, known_contents, read_contents
from lowlabel.errors import DataError, number_of
from lowlabel.progress import progress_bar

CONTENT = "content"  # manifests by the hash of each file; those of earlier versions are by size
_PATIENCE = 1.0  # seconds; hashes are known at once from the second run on
Box = tuple[float, float, float, float]  # left, top, right, bottom, in pixels of the image


class LabelledPath(NamedTuple):
    """One image of a listing.

    Attributes:
        path: Path relative to the dataset's root.
        class_name: Name of its class.
        box: Region to crop to; None for the whole image.
        group: What it shares with other images, as their patient, camera or burst; empty if it is
            alone.
    """

    path: str
    class_name: str
    box: Box | None = None
    group: str = ""


class Counts(NamedTuple):
    """Number of images and of classes in a part; `classes` is None if they are not counted."""

    images: int
    classes: int | None = None

    def __str__(self) -> str:
        of = "" if self.classes is None else f" of {number_of(self.classes, 'classes')}"
        return f"{number_of(self.images, 'images')}{of}"


class Manifest(NamedTuple):
    """What identifies the images of a part.

    Attributes:
        sha256: Hash of the path, class, content and box of every image.
        contents: Hashes of the contents, 32 bytes for each image.
        by_size: As `sha256`, with the size in bytes in place of the content: the manifest of
            features and records of earlier versions.
        newest: Time of the last change of any of the files, in nanoseconds since 1970.
        deep: Whether an image has more than 8 bits per channel.
    """

    sha256: str
    contents: bytes
    by_size: str
    newest: int
    deep: bool


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
        groups: Group of each image; empty where it is alone. None if no image has one. They are no
            part of the manifest: features do not depend on them.
    """

    dataset: str
    part: str
    root: Path
    paths: tuple[str, ...]
    labels: NDArray[np.int64]
    class_names: tuple[str, ...]
    boxes: tuple[Box | None, ...] | None = None
    version: int = 0
    groups: tuple[str, ...] | None = None

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
        groups = tuple(item.group for item in listing)
        grouped = groups if any(groups) else None
        return cls(dataset, part, root, paths, labels, names, kept, version, grouped)

    def only(self, rows: Sequence[int]) -> "ImageSet":
        """Returns the images at `rows`, with their classes renumbered."""
        listing = [
            LabelledPath(
                self.paths[row],
                self.class_names[self.labels[row]],
                self.boxes[row] if self.boxes else None,
                self.groups[row] if self.groups else "",
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

    @property
    def manifest_sha256(self) -> str:
        """Hash of the path, class, content and box of every image.

        Raises:
            DataError: If a listed image is missing or cannot be read.
        """
        return self.manifest.sha256

    @cached_property
    def manifest(self) -> Manifest:
        """What identifies the images; files that changed since they were last hashed are read."""
        title = f"hashing {self.dataset} {self.part}"
        with progress_bar(title, "img", delay=_PATIENCE) as progress:
            return self._manifest_of(read_contents(self.root, self.paths, progress))

    def check_unchanged(self, rows: range) -> None:
        """Raises a `DataError` if images at `rows` changed after `manifest` was made."""
        paths = self.paths[rows.start : rows.stop]
        for row, content in zip(rows, read_contents(self.root, paths), strict=True):
            if content.sha256 != self.manifest.contents[32 * row : 32 * row + 32]:
                raise DataError(
                    f"{self.root / self.paths[row]} changed while it was used",
                    "Repeat the command when the images are complete.",
                )

    @property
    def known_manifest(self) -> Manifest | None:
        """The manifest if it is known without reading an image, else None."""
        contents = list(known_contents(self.root, self.paths))
        known = [content for content in contents if content is not None]
        return self._manifest_of(known) if len(known) == len(contents) else None

    def _manifest_of(self, contents: Iterable[Content]) -> Manifest:
        digest, by_size = hashlib.sha256(), hashlib.sha256()
        newest, deep, hashes = 0, False, bytearray()
        for row, content in enumerate(contents):
            path, name = self.paths[row], self.class_names[self.labels[row]]
            box = f"{self.boxes[row]}\n" if self.boxes else ""
            for known, hashed in ((content.sha256.hex(), digest), (content.size, by_size)):
                line = f"{path}\0{name}\0{known}\n{box}"
                hashed.update(line.encode(errors="surrogateescape"))  # names may be no UTF-8
            hashes += content.sha256
            newest, deep = max(newest, content.changed), deep or content.deep
        return Manifest(digest.hexdigest(), bytes(hashes), by_size.hexdigest(), newest, deep)

"""Images without labels that a user names: folders, files and tables."""

import os
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from lowlabel.datasets.images import Box, ImageSet, LabelledPath
from lowlabel.datasets.io.listing import image_suffixes, list_images, shown_counts
from lowlabel.datasets.tables.entries import read_entries
from lowlabel.errors import DataError

PART = "unlabelled"
_TABLES = (".csv", ".tsv", ".txt", ".parquet")


@dataclass(frozen=True)
class Unlabelled:
    """Images without labels.

    Attributes:
        images: The images, each once, with one class without a name.
        names: Path of each as the user named it: below the folder, or the folder of the table.
        left_out: Number of other files in the folders, by suffix.
    """

    images: ImageSet
    names: tuple[str, ...]
    left_out: Mapping[str, int]


def list_unlabelled(places: Sequence[Path]) -> Unlabelled:
    """Lists the images that folders (with all folders in them), files and tables name.

    Tables are CSV or parquet files with a column `path`, relative to their folder, and optionally a
    box, as in `csv:FILE`.

    Raises:
        DataError: If a place does not exist, holds no image, or is none of these.
    """
    left_out: Counter[str] = Counter()
    boxes: dict[Path, Box | None] = {}  # by absolute path, in the order of their places
    names: list[str] = []
    for place in places:
        for path, box in _listed(place, left_out):
            absolute = path.absolute()  # not resolved: links stay links
            if absolute not in boxes:
                boxes[absolute] = box
                names.append(path.as_posix())
    root = _common(boxes)
    listing = [
        LabelledPath(path.relative_to(root).as_posix(), "", box) for path, box in boxes.items()
    ]
    name = f"images:{root.name}".encode(errors="backslashreplace").decode()
    images = ImageSet.from_listing(name, PART, root, listing)
    return Unlabelled(images, tuple(names), dict(left_out))


def _listed(place: Path, left_out: Counter[str]) -> Iterator[tuple[Path, Box | None]]:
    """Yields the images of a place, and counts the other files of a folder."""
    suffix = place.suffix.lower()
    if place.is_dir():
        listing = list_images(place)
        left_out.update(listing.left_out)
        if not listing.images:
            seen = shown_counts(listing.left_out)
            raise DataError(
                f"no images under {place}" + (f": {seen}" if seen else ""),
                f"Looked for {', '.join(sorted(image_suffixes()))}.",
            )
        yield from ((place / image, None) for image in listing.images)
    elif not place.is_file():
        raise DataError(
            f"there is no folder or file {place}", "Name a folder of images, an image or a table."
        )
    elif suffix in image_suffixes():
        yield place, None
    elif suffix in _TABLES:
        for entries in read_entries(place, labelled=False).images.values():
            yield from ((place.parent / image.path, image.box) for image in entries)
    else:
        raise DataError(
            f"{place} is neither an image nor a table",
            f"Images end in one of {', '.join(sorted(image_suffixes()))}, tables in "
            f"{', '.join(_TABLES)}.",
        )


def _common(paths: Iterable[Path]) -> Path:
    """The folder that holds all paths."""
    try:
        return Path(os.path.commonpath([path.parent for path in paths]))
    except ValueError as error:  # on Windows, drives have no folder in common
        raise DataError(
            f"the images lie on several drives: {error}", "Predict those of each drive on its own."
        ) from error

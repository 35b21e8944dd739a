"""The contamination mark of images and classes that a user's list names."""

from collections.abc import Iterator

from lowlabel.benchmarks.without import readable
from lowlabel.datasets import ImageSet, OpenDataset
from lowlabel.datasets.io.lists import first_few
from lowlabel.datasets.io.overlap import Overlap
from lowlabel.errors import InputError
from lowlabel.features import EmbeddedDataset

OVERLAP = "--overlap"
OVERLAPS = "overlap: "  # how the marks begin


def check_overlap(overlap: Overlap, opened: OpenDataset) -> list[str]:
    """Returns what a list names that no part of a dataset holds.

    Raises:
        InputError: If no part holds any of it.
    """
    division = opened.division
    every = (image for part in division.parts for image in division.read(opened.root, part))
    unknown = overlap.unknown(every)
    if len(unknown) == len(overlap.named):
        raise InputError(
            f"no part of {opened.name} holds any of the {len(unknown):,} images and classes of "
            f"{overlap.name}, such as {first_few(unknown)}",
            f"Paths are relative to {opened.root}. Give {OVERLAP} a file of this dataset.",
        )
    return unknown


def overlap_mark(data: EmbeddedDataset, overlap: Overlap, unknown: int = 0) -> str:
    """The mark of scores on images that a list names, with the counts by part.

    Args:
        data: The embeddings.
        overlap: The list.
        unknown: Number of its lines that no part of the dataset holds.

    Returns:
        A sentence; empty if no scored image is named.
    """
    parts = dict.fromkeys(part for part in (data.evaluated_part, data.gallery_part) if part)
    images = (readable(data.images[part], data.tables[part]) for part in parts)
    shown = [text for each in images for text in _counted(each, overlap)]
    if not shown:
        return ""
    file = f"{overlap.name} {overlap.sha256[:8]}"
    file += f", {unknown:,} lines of which are of no part" if unknown else ""
    return f"{OVERLAPS}{' and '.join(shown)} are in the pretraining data ({file})"


def _counted(images: ImageSet, overlap: Overlap) -> Iterator[str]:
    if rows := overlap.rows(images):
        classes = len({int(images.labels[row]) for row in rows})
        yield (
            f"{len(rows):,} of {len(images):,} {images.part} images, of {classes:,} of "
            f"{len(images.class_names):,} classes,"
        )

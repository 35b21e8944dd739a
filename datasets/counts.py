"""Checks that what is on the disk is the dataset, and all of it."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from lowlabel.datasets.base import Dataset, Division
from lowlabel.datasets.images import Counts, ImageSet
from lowlabel.errors import DataError


@dataclass(frozen=True)
class Partial:
    """A part whose counts differ from the full dataset's."""

    part: str
    found: Counts
    expected: Counts

    def __str__(self) -> str:
        return f"{self.part}: found {self.found}, the full set has {self.expected}"


def find_root(dataset: Dataset, folder: Path) -> Path:
    """Finds the dataset's root: `folder` or a folder at most two levels below it.

    Raises:
        DataError: If none of these folders holds a marker of the dataset.
    """
    markers = (dataset.marker, *dataset.other_markers)
    root = folder_with(folder, lambda candidate: any((candidate / m).exists() for m in markers))
    if root is None:
        raise DataError(
            f"{folder} does not hold {dataset.title}: no {' or '.join(markers)} in it or up to "
            "two levels below",
            f"Get {dataset.obtain}. Then: lowlabel prepare {dataset.name} --archive FILE",
        )
    return root


def folder_with(folder: Path, holds: Callable[[Path], bool]) -> Path | None:
    """Returns the first of `folder` and the paths at most two levels below it that `holds`."""
    levels = (folder, *folder.glob("*"), *folder.glob("*/*"))
    return next(filter(holds, levels), None)


def load_part(dataset: Dataset, division: Division, root: Path, part: str) -> ImageSet:
    """Lists one part of a dataset; an empty part is a `DataError`."""
    listing = division.read(root, part)
    if not listing:
        raise DataError(
            f"the {part} part of {dataset.name}:{division.name} has no images under {root}",
            "Prepare the dataset again from a complete archive.",
        )
    name = f"{dataset.name}:{division.name}"
    return ImageSet.from_listing(name, part, root, listing, dataset.version)


def difference(division: Division, images: ImageSet) -> Partial | None:
    """Compares a part's counts with the full dataset's; None if they are equal."""
    expected = division.expected.get(images.part)
    found = division.counts(images)
    return Partial(images.part, found, expected) if expected and found != expected else None


def check_counts(dataset: Dataset, division: Division, root: Path, *, allow_partial: bool) -> None:
    """Raises a `DataError` that gives both counts of every part that is not complete."""
    if allow_partial:
        return
    parts = (load_part(dataset, division, root, part) for part in division.parts)
    differing = [found for images in parts if (found := difference(division, images))]
    if differing:
        raise partial_error(f"{dataset.name}:{division.name}", differing)


def partial_error(name: str, differing: list[Partial]) -> DataError:
    """Builds the error for parts whose counts differ, one line per part."""
    lines = "\n".join(f"  {partial}" for partial in differing)
    return DataError(
        f"{name} is not the full dataset:\n{lines}",
        "Add --allow-partial to use it anyway; results will state both counts.",
    )

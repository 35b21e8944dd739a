"""Whether what lies on the disk is the full data set."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from lowlabel.datasets.base import Counts, Dataset, Division, ImageSet
from lowlabel.errors import DataError


@dataclass(frozen=True)
class Partial:
    """Counts that differ from the full set's."""

    part: str
    found: Counts
    expected: Counts

    def __str__(self) -> str:
        return f"{self.part}: found {self.found}, the full set has {self.expected}"


def find_root(dataset: Dataset, folder: Path) -> Path:
    """The folder under `folder` (at most two levels down) that holds the data set's marker.

    Raises:
        DataError: If there is none.
    """
    markers = (dataset.marker, *dataset.other_markers)
    root = folder_with(folder, lambda candidate: any((candidate / m).exists() for m in markers))
    if root is None:
        raise DataError(
            f"{folder} does not hold {dataset.title}: no {' or '.join(markers)} in it or two "
            "levels down",
            f"Expected the published layout: {dataset.obtain}.",
        )
    return root


def folder_with(folder: Path, holds: Callable[[Path], bool]) -> Path | None:
    """The first of `folder` and what is at most two levels below it for which `holds` is true."""
    levels = (folder, *folder.glob("*"), *folder.glob("*/*"))
    return next(filter(holds, levels), None)


def load_part(dataset: Dataset, division: Division, root: Path, part: str) -> ImageSet:
    """Lists one part of a data set; an empty part is a `DataError`."""
    listing = division.read(root, part)
    if not listing:
        raise DataError(
            f"the {part} part of {dataset.name}:{division.name} has no images under {root}",
            "Prepare the data set again from a whole archive.",
        )
    name = f"{dataset.name}:{division.name}"
    return ImageSet.from_listing(name, part, root, listing, dataset.version)


def difference(division: Division, images: ImageSet) -> Partial | None:
    """How the counts of a loaded part differ from the full set's, if they do."""
    expected = division.expected.get(images.part)
    found = division.counts(images)
    return Partial(images.part, found, expected) if expected and found != expected else None


def check_counts(dataset: Dataset, division: Division, root: Path, *, allow_partial: bool) -> None:
    """Raises a `DataError` with both counts of every part that is not the full set's."""
    if allow_partial:
        return
    parts = (load_part(dataset, division, root, part) for part in division.parts)
    differing = [found for images in parts if (found := difference(division, images))]
    if differing:
        raise partial_error(f"{dataset.name}:{division.name}", differing)


def partial_error(name: str, differing: list[Partial]) -> DataError:
    """The error for counts that differ, one line a part."""
    lines = "\n".join(f"  {partial}" for partial in differing)
    return DataError(
        f"{name} is not the full data set:\n{lines}",
        "Add --allow-partial to go on; results will carry both counts.",
    )

"""Checks that what is on the disk is the dataset, and all of it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from lowlabel.datasets.base import Dataset, Division
from lowlabel.datasets.images import Counts, ImageSet, LabelledPath
from lowlabel.datasets.io.listing import files_in, folders_in
from lowlabel.datasets.io.lists import first_few
from lowlabel.errors import DataError

_DEEPEST = 4  # levels below a folder in which a root is looked for


@dataclass(frozen=True)
class Partial:
    """A part whose counts differ from the full dataset's."""

    part: str
    found: Counts
    expected: Counts

    def __str__(self) -> str:
        return f"{self.part}: found {self.found}, the full set has {self.expected}"


def find_root(dataset: Dataset, folder: Path) -> Path:
    """Finds the dataset's root: `folder` or a folder at most four levels below it.

    Raises:
        DataError: If none of these folders holds a marker of the dataset, or several at one level.
    """
    markers = (dataset.marker, *dataset.other_markers)
    roots = folders_with(folder, lambda f: any(any(f.glob(m)) for m in markers), _DEEPEST)
    roots = [root for root in roots if root.name == "train"] or roots  # not ImageNet's val
    if len(roots) == 1:
        return roots[0]
    prepare = f"lowlabel prepare {dataset.name} --archive FILE"
    if roots:
        raise DataError(
            f"{folder} holds {dataset.title} in {len(roots)} folders: {_named(roots)}",
            f"Give one of them: {prepare}",
        )
    seen = f"; it holds {_named(sorted(folder.iterdir()))}" if folder.is_dir() else ""
    raise DataError(
        f"{folder} does not hold {dataset.title}: no {' or '.join(markers)} in it or up to "
        f"{_DEEPEST} levels below{seen}",
        f"Get {dataset.obtain}. Then: {prepare}",
    )


def folders_with(folder: Path, holds: Callable[[Path], bool], deepest: int = 2) -> list[Path]:
    """The folders that `holds`, at the first level below `folder` that has one."""
    level = [folder]
    for _ in range(deepest + 1):
        if found := list(filter(holds, level)):
            return found
        level = [place / name for place in level for name in folders_in(place)]
    return []


def load_part(dataset: Dataset, division: Division, root: Path, part: str) -> ImageSet:
    """Lists the images of one part that are there; if none is, raises a `DataError`."""
    listing, absent = _on_disk(division, root, part)
    name = f"{dataset.name}:{division.name}"
    if not listing:
        raise DataError(
            f"the {part} part of {name} has no images under {root}{_absent(absent)}",
            "Prepare the dataset again from a complete archive.",
        )
    return ImageSet.from_listing(name, part, root, listing, dataset.version)


def _on_disk(division: Division, root: Path, part: str) -> tuple[list[LabelledPath], list[str]]:
    """What a part lists: the images that are there, and the paths of the others."""
    listing = division.read(root, part)
    if division.left_out is not None:  # was listed from the disk
        return listing, []
    files: dict[str, frozenset[str]] = {}
    present: list[LabelledPath] = []
    absent: list[str] = []
    for item in listing:
        folder, _, name = item.path.rpartition("/")
        if folder not in files:
            files[folder] = files_in(root / folder)
        if name in files[folder]:
            present.append(item)
        else:
            absent.append(item.path)
    return present, absent


def difference(division: Division, images: ImageSet) -> Partial | None:
    """Compares a part's counts with the full dataset's; None if they are equal."""
    expected = division.expected.get(images.part)
    found = division.counts(images)
    return Partial(images.part, found, expected) if expected and found != expected else None


def check_divisions(dataset: Dataset, root: Path, *, allow_partial: bool) -> list[str]:
    """Checks all divisions of a dataset.

    Returns:
        What is not complete, one sentence each.

    Raises:
        DataError: As `check_counts`; with `allow_partial` for the default division only, and the
            others are named as not usable.
    """
    notes: list[str] = []
    for division in dataset.divisions:
        if division.needs and not (root / division.needs).exists():
            notes.append(f"{division.name} cannot be used: there is no {division.needs}")
            continue
        try:
            differing = check_counts(dataset, division, root, allow_partial=allow_partial)
            notes += [f"{division.name} {partial}" for partial in differing]
        except DataError as error:
            if not allow_partial or division is dataset.divisions[0]:
                raise
            notes.append(f"{division.name} cannot be used: {error.message}")
    return notes


def check_counts(
    dataset: Dataset, division: Division, root: Path, *, allow_partial: bool
) -> list[Partial]:
    """Checks that every listed image of every part is there.

    Returns:
        The parts that are not complete.

    Raises:
        DataError: With both counts of every part that is not complete, unless `allow_partial`;
            if the evaluated part, or its gallery, has no image at all, always.
    """
    differing = []
    for part in division.parts:
        if part in (division.evaluated, division.gallery) or not allow_partial:
            images = load_part(dataset, division, root, part)
        else:
            images = ImageSet.from_listing(
                dataset.name, part, root, _on_disk(division, root, part)[0]
            )
        if found := difference(division, images):
            differing.append(found)
    if differing and not allow_partial:
        raise partial_error(f"{dataset.name}:{division.name}", division, root, differing)
    return differing


def partial_error(
    name: str, division: Division, root: Path, differing: Sequence[Partial]
) -> DataError:
    """Builds the error for parts whose counts differ, one line per part."""
    lines = "".join(
        f"\n  {partial}{_absent(_on_disk(division, root, partial.part)[1])}"
        for partial in differing
    )
    return DataError(
        f"{name} is not the full dataset:{lines}",
        "Add --allow-partial to use it anyway; results will state both counts.",
    )


def _absent(paths: Sequence[str]) -> str:
    return f"; {len(paths):,} listed files are missing: {_named(paths)}" if paths else ""


def _named(paths: Sequence[str | Path]) -> str:
    return first_few([path if isinstance(path, str) else path.name for path in paths])

"""Restricts the division of a folder to the classes that have enough images."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from lowlabel.datasets.base import Dataset, Division
from lowlabel.datasets.images import LabelledPath
from lowlabel.errors import DataError, InputError, number_of

_MOST_NAMED = 20


def enough_images(dataset: Dataset, division: Division, least: int) -> Division:
    """Returns the division without the classes that have too few images, under its own name.

    A class stays if every part that holds it has at least `least` of its images. Published
    datasets have divisions of their own, so only the user's own data are restricted.

    Args:
        dataset: The dataset of the division.
        division: The division.
        least: Images that a class needs; 0 for the division as it is.

    Raises:
        InputError: If the dataset is not the user's own, its images have several labels, or `least`
            is below 2.
    """
    if not least:
        return division
    if dataset.root is None:
        raise InputError(
            f"--min-images goes with data of your own, as folder:PATH, and {dataset.name} has "
            "published divisions",
            f"Leave --min-images out, or name the classes of {dataset.name} to take: --class-list "
            "FILE",
        )
    if division.kind == "labels":
        raise InputError(
            f"--min-images counts the images of classes, and those of {dataset.name} have several "
            "labels",
            "Leave it out.",
        )
    if least < 2:
        raise InputError(f"--min-images {least} leaves nothing out", "Give a number of at least 2.")
    kept = _Kept(division, least)
    return replace(
        division,
        name=f"{division.name}-min{least}",
        read=kept.read,
        title=", ".join(filter(None, (division.title, f"classes of {least} images or more"))),
        min_images=least,
        small_classes=kept.small,
    )


def shown_small(small: Mapping[str, int], least: int) -> str:
    """Such as "2 classes of fewer than 6 images: ant (3), bee (1)"; empty if there are none."""
    if not small:
        return ""
    named = ", ".join(f"{name} ({count})" for name, count in [*small.items()][:_MOST_NAMED])
    more = f" and {len(small) - _MOST_NAMED:,} more" if len(small) > _MOST_NAMED else ""
    classes = number_of(len(small), "classes")
    return f"{classes} of fewer than {number_of(least, 'images')}: {named}{more}"


@dataclass(frozen=True)
class _Kept:
    """The classes of a division that have enough images; each part is listed once."""

    division: Division
    least: int
    _listings: dict[tuple[Path, str], list[LabelledPath]] = field(default_factory=dict)

    def read(self, root: Path, part: str) -> list[LabelledPath]:
        """Lists the images of a part that are in large classes."""
        too_few = {name for each in self.division.parts for name in self._too_few(root, each)}
        listing = self._listing(root, part)
        kept = [image for image in listing if image.class_name not in too_few]
        if not kept:
            largest = max(self._counts(root, part).values())
            raise DataError(
                f"no class of the {part} part of {root} has {number_of(self.least, 'images')}; "
                f"the largest has {largest:,}",
                "Give a lower --min-images, or add images.",
            )
        return kept

    def small(self, root: Path, part: str) -> dict[str, int]:
        """The classes of a part that are left out, each with its number of images there."""
        too_few = {name for each in self.division.parts for name in self._too_few(root, each)}
        counts = self._counts(root, part)
        return {name: counts[name] for name in sorted(counts) if name in too_few}

    def _too_few(self, root: Path, part: str) -> set[str]:
        return {name for name, count in self._counts(root, part).items() if count < self.least}

    def _counts(self, root: Path, part: str) -> Counter[str]:
        return Counter(image.class_name for image in self._listing(root, part))

    def _listing(self, root: Path, part: str) -> list[LabelledPath]:
        key = root, part
        if key not in self._listings:
            self._listings[key] = self.division.read(root, part)
        return self._listings[key]

"""Restricts a division to the classes that a text file lists, as ImageNet-100 does ImageNet-1k."""

import hashlib
import re
from dataclasses import replace
from pathlib import Path

from lowlabel.datasets.base import Division
from lowlabel.datasets.images import Counts, LabelledPath
from lowlabel.datasets.io.lists import first_few, read_lines
from lowlabel.datasets.splits import class_list_names, published_classes
from lowlabel.errors import DataError

_MOST_NAMED = 5
_WNID_AND_WORDS = re.compile(r"(n\d{8})\s.*")


def read_class_list(path: Path) -> list[str]:
    """Reads class names, one per line; empty lines and lines that start with # are ignored.

    After a WordNet id, the rest of a line is ignored.

    Args:
        path: The file, or one of `class_list_names` if there is no such file.

    Raises:
        DataError: If the file cannot be read or names no class.
    """
    if str(path) in class_list_names() and not path.exists():
        return published_classes(str(path))
    lines = read_lines(path, f"Write one class per line, or name one of {known_lists()}.")
    names = [_WNID_AND_WORDS.sub(r"\1", line.strip()) for line in lines if not line.startswith("#")]
    if not names:
        raise DataError(f"the class list {path} names no class", "Write one class folder per line.")
    return names


def known_lists() -> str:
    """The lists that have a name, for messages."""
    return ", ".join(class_list_names())


def only_classes(division: Division, path: Path) -> Division:
    """Returns the division with the listed classes alone, under a name of its own.

    The name ends in a hash of the listed classes: scores of two lists never share a column.

    Args:
        division: A division whose labels are classes.
        path: The list.

    Raises:
        DataError: If the list cannot be read, or the division has no classes. Reading a part
            raises it for classes that the dataset does not have.
    """
    if division.kind != "classes":
        raise DataError(
            f"the division {division.name} has no classes that {path} could choose from",
            "Leave --class-list out, or name a dataset of classes.",
        )
    names = {*read_class_list(path)}
    digest = hashlib.sha256("\n".join(sorted(names)).encode(errors="surrogateescape")).hexdigest()
    stem = re.sub(r"[^A-Za-z0-9._-]+", "-", path.stem)

    def read(root: Path, part: str) -> list[LabelledPath]:
        listing = division.read(root, part)
        if division.shared_classes:
            _refuse_missing(names, listing, path, f"the {part} part of {division.name}")
        else:
            others = (division.read(root, name) for name in division.parts if name != part)
            _refuse_missing(names, sum(others, listing), path, division.name)
        return [image for image in listing if image.class_name in names]

    expected = {
        part: Counts(len(names) * (counts.images // counts.classes), len(names))
        for part, counts in division.expected.items()
        if division.shared_classes and counts.classes and counts.images % counts.classes == 0
    }
    return replace(
        division,
        name=f"{division.name}-{stem}-{digest[:8]}",
        read=read,
        expected=expected,
        title=", ".join(filter(None, (division.title, f"{len(names)} classes of {path.name}"))),
    )


def _refuse_missing(names: set[str], listing: list[LabelledPath], path: Path, where: str) -> None:
    known = {image.class_name for image in listing}
    if missing := sorted(names - known):
        raise DataError(
            f"{len(missing):,} of the {len(names):,} classes in {path} are not in {where}: "
            f"{first_few(missing, _MOST_NAMED)}",
            f"Take them out of the list, or add their images. The {len(known):,} classes that are "
            f"there: {first_few(sorted(known), _MOST_NAMED)}",
        )

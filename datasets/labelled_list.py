"""Lists of labelled images, such as SimCLR's 1 % and 10 % of ImageNet: one file name per line."""

from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from lowlabel.datasets.io.lists import clean_path, first_few, read_lines
from lowlabel.errors import DataError

_HINT = "Write one image per line: its file name, or its path from the dataset's folder."


class Listed(NamedTuple):
    """The images of a list that are there.

    Attributes:
        rows: Their rows, ascending.
        missing: Number of names that no image has.
    """

    rows: list[int]
    missing: int


def read_labelled_list(path: Path) -> list[str]:
    """Reads names of images; a slash may be written either way, and `./` before a name is ignored.

    Raises:
        DataError: If the file cannot be read, names no image, or one twice.
    """
    names = [clean_path(line) for line in read_lines(path, _HINT)]
    if not names:
        raise DataError(f"the list {path} names no image", _HINT)
    twice = len(names) - len(set(names))
    if twice:
        raise DataError(f"the list {path} names {twice:,} images more than once", _HINT)
    return names


def listed_rows(path: Path, images: Sequence[str]) -> Listed:
    """Finds the images of a list.

    Args:
        path: The list.
        images: Paths of all images, with slashes.

    Raises:
        DataError: If the list cannot be read, a name fits several images, or none fits any.
    """
    by_name: dict[str, list[int]] = defaultdict(list)
    for row, image in enumerate(images):
        by_name[image.rpartition("/")[2]].append(row)
    rows, missing, doubtful = set[int](), list[str](), list[str]()
    for name in read_labelled_list(path):
        found = by_name.get(name.rpartition("/")[2], [])
        if "/" in name:
            found = [row for row in found if f"/{images[row]}".endswith(f"/{name}")]
        if len(found) > 1:
            doubtful.append(name)
        elif found:
            rows.add(found[0])
        else:
            missing.append(name)
    if doubtful:
        raise DataError(
            f"{len(doubtful):,} names in {path} fit several images: {first_few(doubtful)}",
            "Write them with their folders, as the class folder and the file name.",
        )
    if not rows:
        raise DataError(
            f"none of the {len(missing):,} images in {path} is in the train part: "
            f"{first_few(missing)}; its images are such as {first_few(images)}",
            _HINT,
        )
    return Listed(sorted(rows), len(missing))

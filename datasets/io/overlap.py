"""Lists of images and classes that a model's pretraining data share with a dataset."""

import csv
import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from lowlabel.datasets.images import ImageSet, LabelledPath
from lowlabel.datasets.io.lists import clean_path, read_lines
from lowlabel.errors import DataError
from lowlabel.escaping import from_csv_cell
from lowlabel.reading import reading

_COLUMNS = ("path", "class")
_HINT = (
    "Give one path (relative to the dataset's root) or class name per line, or a CSV with a column "
    "path or class."
)


@dataclass(frozen=True)
class Overlap:
    """Images and classes that a file names.

    Attributes:
        name: Name of the file, without its folder.
        sha256: Hash of the file.
        named: Paths and names of classes, each once.
    """

    name: str
    sha256: str
    named: tuple[str, ...]

    def rows(self, images: ImageSet) -> list[int]:
        """Rows of the images that it names, by their path or their class."""
        named = set(self.named)
        classes = [name in named for name in images.class_names]
        return [
            row
            for row, (path, label) in enumerate(zip(images.paths, images.labels, strict=True))
            if path in named or classes[label]
        ]

    def unknown(self, images: Iterable[LabelledPath]) -> list[str]:
        """What it names that no image has as its path or class, in the order of the file."""
        known = {name for image in images for name in (image.path, image.class_name)}
        return [name for name in self.named if name not in known]


def read_overlap(path: Path) -> Overlap:
    """Reads a list of paths and classes, or a CSV with a column `path`, `class` or both.

    A line of a CSV that has a path is about that image alone, any other about its class.

    Raises:
        DataError: If the file is missing, is no text, or names nothing.
    """
    lines = read_lines(path, _HINT)
    with reading(path, f"the list {path} is no CSV file", _HINT):
        header = next(csv.reader(lines[:1]), [])
        if any(column in header for column in _COLUMNS):
            rows = list(csv.DictReader(lines))
            cells = [next((v for c in _COLUMNS if (v := row.get(c))), "") for row in rows]
            named = [from_csv_cell(cell) for cell in cells]
        else:
            named = lines
    cleaned = dict.fromkeys(filter(None, map(clean_path, named)))
    if not cleaned:
        raise DataError(f"{path} names no image and no class", _HINT)
    return Overlap(path.name, hashlib.sha256(path.read_bytes()).hexdigest(), tuple(cleaned))

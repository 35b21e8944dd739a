"""Lists of flagged images: a CSV of `lowlabel analyze`, or plain paths."""

import csv
import hashlib
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from lowlabel.datasets.io.lists import clean_path, read_lines
from lowlabel.errors import DataError, InputError
from lowlabel.escaping import from_csv_cell
from lowlabel.reading import reading

_HINT = "Make one: lowlabel analyze bad-data --model MODEL --dataset DATASET --output FOLDER"


@dataclass(frozen=True)
class FlaggedImages:
    """Images that a file flags.

    Attributes:
        name: Name of the file, without its folder.
        sha256: Hash of the file.
        images: (path, part) of each flagged image, each once; the part is empty if the file names
            none.
        reasons: The reasons that were chosen; empty for all.
        others: Names of the datasets that hold the other images of the flags, if the file says.
    """

    name: str
    sha256: str
    images: tuple[tuple[str, str], ...]
    reasons: tuple[str, ...] = ()
    others: tuple[str, ...] = ()

    def rows(self, part: str, paths: Sequence[str], parts: Sequence[str]) -> list[int]:
        """Rows of the flagged images of a part.

        A flag that names a part of the division is of that part alone; any other is of every part
        that holds its path.

        Args:
            part: Name of the part.
            paths: Paths of its images, relative to the dataset's root.
            parts: Names of all parts of the division.
        """
        flagged = {path for path, named in self.images if named == part or named not in parts}
        return [row for row, path in enumerate(paths) if path in flagged]

    def unknown(self, paths: Iterable[str]) -> list[str]:
        """The flagged paths that are not among `paths`, in the order of the file."""
        known = set(paths)
        return list(dict.fromkeys(path for path, _ in self.images if path not in known))


def read_flagged(path: Path, reasons: Sequence[str] = ()) -> FlaggedImages:
    """Reads a CSV with a column `path` (and `reason`, `part`, …), or a list of one path per line.

    Args:
        path: The file, in UTF-8. Paths are relative to the dataset's root.
        reasons: The reasons to take; all by default.

    Raises:
        DataError: If the file is missing, is no text, or flags no image.
        InputError: If no flag has one of the reasons.
    """
    lines = read_lines(path, _HINT)
    with reading(path, f"the list {path} is no CSV file", _HINT):
        header = next(csv.reader(lines[:1]), [])
        listed = csv.DictReader(lines) if "path" in header else ({"path": line} for line in lines)
        rows = [{**row, "path": from_csv_cell(row["path"])} for row in listed if row["path"]]
    if not rows:
        nothing = "If the analysis flagged nothing, leave --without or --leakage out."
        state = "it has a header alone" if len(lines) == 1 and "path" in header else "it is empty"
        raise DataError(f"{path} flags no image: {state}", f"{nothing}\n{_HINT}")
    chosen = _of_reasons(rows, reasons, path) if reasons else rows
    images = ((clean_path(row["path"]), row.get("part") or "") for row in chosen)
    others = (row.get("other_dataset") or "" for row in chosen)
    return FlaggedImages(
        path.name,
        hashlib.sha256(path.read_bytes()).hexdigest(),
        tuple(dict.fromkeys(images)),
        tuple(sorted(set(reasons))),
        tuple(dict.fromkeys(filter(None, others))),
    )


def _of_reasons(
    rows: Sequence[dict[str, str]], reasons: Sequence[str], path: Path
) -> list[dict[str, str]]:
    found = Counter(row.get("reason") or "" for row in rows)
    if missing := sorted(set(reasons) - found.keys()):
        known = ", ".join(f"{name} ({count:,})" for name, count in found.items() if name)
        raise InputError(
            f"{path} flags no image as {' or '.join(missing)}",
            f"It has: {known}." if known else "It has no column `reason`: leave --reason out.",
        )
    return [row for row in rows if row.get("reason") in reasons]

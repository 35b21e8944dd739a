"""Images that a file marks, with the reason."""

import csv
from pathlib import Path

from lowlabel.errors import DataError
from lowlabel.escaping import from_csv_cell
from lowlabel.reading import reading

_COLUMNS = ("path", "reason")


def read_flags(file: Path) -> dict[str, str]:
    """Reads the reason of each image from the columns `path` and `reason` of a CSV file.

    Several reasons of one image are joined. Other columns are ignored.

    Raises:
        DataError: If the file cannot be read, lacks a column, or marks no image.
    """
    with (
        reading(file, f"cannot read the flags in {file}", "Check --flags."),
        file.open(encoding="utf-8-sig", newline="") as lines,
    ):
        reader = csv.DictReader(lines)
        missing = [name for name in _COLUMNS if name not in (reader.fieldnames or ())]
        rows = [] if missing else [_flag(row) for row in reader]
    if missing:
        raise DataError(
            f"{file} has no column {' and no column '.join(missing)}",
            "Give a CSV file with the columns path and reason.",
        )
    flags: dict[str, str] = {}
    for path, reason in rows:
        if path:
            flags[path] = f"{flags[path]}; {reason}" if path in flags else reason
    if not flags:
        raise DataError(f"{file} marks no image", "Leave --flags out, or give another file.")
    return flags


def _flag(row: dict[str, str]) -> tuple[str, str]:
    return from_csv_cell(row["path"] or ""), row["reason"] or ""

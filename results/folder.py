"""The records of a folder, or of an archive."""

from pathlib import Path

from lowlabel.errors import DataError, InputError
from lowlabel.results.record import Record
from lowlabel.results.record_file import ARCHIVE_SUFFIX, is_archive, read_archive, write_archive
from lowlabel.results.store import (
    ScoredRecord,
    load_record,
    load_scored_record,
    records_folder,
)


def load_records(path: Path) -> list[Record]:
    """The records of a folder or an archive, sorted by file name, or the record of a file.

    The folder is one of records, or a results folder with them in `records`.

    Raises:
        DataError: If the path does not exist or a record cannot be used.
    """
    if is_archive(path):
        return read_archive(path)
    return [load_record(file) for file in _record_files(path)]


def load_scored(path: Path) -> list[ScoredRecord]:
    """As `load_records`, each record with the score of every task, query or image.

    Raises:
        DataError: As `load_records`, and for an archive, which has none of these scores.
    """
    if is_archive(path):
        raise DataError(
            f"{path} holds records without the scores of single tasks, queries and images",
            "Name the results folder of the runs, or run them again.",
        )
    return [load_scored_record(file) for file in _record_files(path)]


def find_records(folder: Path, identity: str) -> dict[Path, Record]:
    """The records of an experiment by path: one for each name that its model was given."""
    paths = sorted(records_folder(folder).glob(f"*-{identity[:12]}.json"))
    found = {path: load_record(path) for path in paths}
    return {path: record for path, record in found.items() if record.identity() == identity}


def archive_records(path: Path, archive: Path) -> None:
    """Writes the records that `load_records` finds at `path` to an archive, without their scores.

    Raises:
        InputError: If the name of the archive does not end in `.tar.xz`, or `path` is one.
        DataError: If there are no records, one cannot be used, or the file cannot be written.
    """
    if not is_archive(archive) or is_archive(path):
        raise InputError(
            f"cannot write the records of {path} to {archive}",
            f"Name a results folder, and a file that ends in {ARCHIVE_SUFFIX}.",
        )
    files = _record_files(path)
    if not files:
        raise DataError(f"no records in {path}", "Make some with `lowlabel run`.")
    for file in files:
        load_record(file)
    write_archive(archive, {file.name: file.read_bytes() for file in files})


def _record_files(path: Path) -> list[Path]:
    if path.is_file():
        return [path]
    if not path.is_dir():
        raise DataError(f"no records at {path}", "Make some with `lowlabel run`.")
    return sorted(records_folder(path).glob("*.json"))

"""The records of a folder, or of an archive."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from pathlib import Path

from lowlabel.errors import DataError, InputError
from lowlabel.results.per_item import scores_path
from lowlabel.results.record import Record
from lowlabel.results.record_file import ARCHIVE_SUFFIX, is_archive, read_archive, write_archive
from lowlabel.results.store import (
    ScoredRecord,
    load_record,
    load_scored_record,
    records_folder,
)

_KEPT = 64  # records with their scores: each is asked for by every metric


@dataclass(frozen=True)
class RecordSource:
    """Records, and the files that they were read from.

    Attributes:
        records: The records.
        files: Path of each; empty for an archive.
    """

    records: tuple[Record, ...]
    files: Mapping[tuple[str, str, str], Path] = field(default_factory=dict)

    def scored(self, record: Record) -> ScoredRecord | None:
        """A record with the scores of every task, query or image; None if it has none here."""
        path = self.files.get(_key(record))
        return self._load(path) if path and scores_path(path).exists() else None

    def of(self, records: Iterable[Record]) -> list[Record]:
        """The records of the same experiments and names of models as `records`."""
        names = {_key(record)[:2] for record in records}
        return [record for record in self.records if _key(record)[:2] in names]

    @cached_property
    def _load(self) -> Callable[[Path], ScoredRecord]:
        return lru_cache(maxsize=_KEPT)(load_scored_record)


def _key(record: Record) -> tuple[str, str, str]:
    return record.identity(), record.experiment.model.name, record.created


def load_records(path: Path) -> list[Record]:
    """The records of a folder or an archive, sorted by file name, or the record of a file.

    The folder is one of records, or a results folder with them in `records`.

    Raises:
        DataError: If the path does not exist or a record cannot be used.
    """
    return list(open_records(path).records)


def open_records(path: Path) -> RecordSource:
    """As `load_records`, with the way to the scores of every task, query or image."""
    if is_archive(path):
        return RecordSource(tuple(read_archive(path)))
    files = _record_files(path)
    records = tuple(map(load_record, files))
    return RecordSource(records, dict(zip(map(_key, records), files, strict=True)))


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

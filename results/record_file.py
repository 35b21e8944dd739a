"""Files that hold records: one JSON each, or a compressed archive of many.

An archive is for records that are published beside their tables. It leaves out the scores of single
tasks, queries and images, so that it is small; `compare` needs them.
"""

import io
import json
import tarfile
from collections.abc import Mapping
from pathlib import Path

from lowlabel.errors import DataError
from lowlabel.paths import write_files
from lowlabel.reading import reading, require_room
from lowlabel.results.decode import NewerFormatError
from lowlabel.results.per_item import REPEAT
from lowlabel.results.record import Record

ARCHIVE_SUFFIX = ".tar.xz"


def parse_record(text: str, where: str, fix: str = REPEAT) -> Record:
    """The record that a JSON text holds.

    Args:
        text: The text.
        where: The file, for messages.
        fix: What to do if the record cannot be used.

    Raises:
        DataError: If it is damaged, made by a newer version, not a record, or was changed.
    """
    with reading(where, f"cannot use the record {where}", fix):
        try:
            return Record.from_json(json.loads(text))
        except NewerFormatError as error:
            raise DataError(
                f"cannot use the record {where}: {error}",
                "Update lowlabel, or move the record to another folder.",
            ) from error


def is_archive(path: Path) -> bool:
    """Whether the name is that of an archive of records."""
    return path.name.endswith(ARCHIVE_SUFFIX)


def read_archive(path: Path) -> list[Record]:
    """The records of an archive, sorted by file name.

    Raises:
        DataError: If the file is missing or damaged, or a record in it cannot be used.
    """
    texts: dict[str, str] = {}
    with (
        reading(path, f"cannot read the archive of records {path}", _FETCH),
        tarfile.open(path, "r:xz") as archive,
    ):
        for member in archive:
            file = archive.extractfile(member)
            if file and member.name.endswith(".json"):
                require_room(f"{member.name} of {path}", member.size, path.stat().st_size, _FETCH)
                texts[member.name] = file.read().decode("utf-8")
    return [parse_record(text, f"{name} in {path}", _FETCH) for name, text in sorted(texts.items())]


def write_archive(path: Path, records: Mapping[str, bytes]) -> None:
    """Writes the content of record files as an archive; equal records give equal bytes.

    Args:
        path: The archive, replaced if it exists.
        records: The content by file name.

    Raises:
        DataError: If the file cannot be written.
    """
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w:xz", format=tarfile.GNU_FORMAT) as archive:
        for name, record in sorted(records.items()):
            member = tarfile.TarInfo(name)
            member.size = len(record)
            archive.addfile(member, io.BytesIO(record))
    write_files({path: content.getvalue()})


_FETCH = "Fetch the file again, or make it anew: lowlabel report FOLDER --archive"

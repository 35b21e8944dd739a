"""An index of path, size, times and inode → hash, so that unchanged files are not read again.

As in git's index, an entry counts only while the file has the same size, times and inode, and not
if the file changed within the clock tick of its hashing. A lost index costs a reading of the files,
and so does an entry that was damaged on the disk: each has a checksum.
"""

import os
import sqlite3
import sys
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from typing import NamedTuple, Self

from lowlabel.paths import home

NAME = "contents.sqlite"
_SECOND = 1_000_000_000
_COARSE_TICK = 2 * _SECOND  # ns; a FAT disk has even seconds only
_TICK = _SECOND // 20  # ns; of disks that count fractions of seconds, once in every kernel tick
_WAIT = 60.0  # seconds for another process that writes
_FAILURES = (sqlite3.DatabaseError, UnicodeDecodeError)  # the latter of a damaged message
_TABLE = "contents"
_COLUMNS = "path, size, modified, changed, inode, hashed, sha256, deep, checksum"
_LAYOUT = f"CREATE TABLE IF NOT EXISTS {_TABLE} ({_COLUMNS}, PRIMARY KEY (path)) WITHOUT ROWID"


class State(NamedTuple):
    """What differs between two contents of a file; times in nanoseconds."""

    size: int
    modified: int
    changed: int
    inode: int

    @classmethod
    def of(cls, stat: os.stat_result) -> Self:
        """Takes the state from `os.stat`."""
        inode = stat.st_ino & (2**63 - 1)  # SQLite's integers are signed
        return cls(stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns, inode)

    @property
    def newest(self) -> int:
        """Time of the last change of the content or of its attributes."""
        return max(self.modified, self.changed)


class Entry(NamedTuple):
    """A file that was hashed.

    Attributes:
        state: Its state at that time.
        hashed: When the reading began, in nanoseconds since 1970.
        sha256: Hash of its bytes.
        deep: See `is_deep`.
    """

    state: State
    hashed: int
    sha256: bytes
    deep: bool

    def is_of(self, state: State) -> bool:
        """Whether a file in `state` surely has the hashed content."""
        tick = _TICK if state.newest % _SECOND else _COARSE_TICK
        return self.state == state and state.newest + tick <= self.hashed


class ContentIndex:
    """The index in a database. Without one, or after a failure, it knows and keeps nothing."""

    def __init__(self, path: Path, database: sqlite3.Connection | None, read_only: bool) -> None:
        self._path, self._database, self._read_only = path, database, read_only
        if database is not None:
            database.text_factory = bytes  # there is no text, unless a damaged byte says so

    def find(self, paths: Sequence[str]) -> dict[str, Entry]:
        """Looks up absolute paths."""
        if self._database is None:
            return {}
        names = {os.fsencode(path): path for path in paths}
        marks = ",".join("?" * len(names))
        query = f"SELECT {_COLUMNS} FROM {_TABLE} WHERE path IN ({marks})"
        try:
            rows = self._database.execute(query, tuple(names)).fetchall()
        except _FAILURES as error:
            self._give_up(error)
            return {}
        intact = [row for *row, found in rows if found == _checksum(row)]
        return {
            names[path]: Entry(State(*state), hashed, sha256, bool(deep))
            for path, *state, hashed, sha256, deep in intact
        }

    def add(self, entries: Mapping[str, Entry]) -> None:
        """Keeps entries by absolute path."""
        if self._database is None or not entries:
            return
        rows = [
            (os.fsencode(path), *entry.state, entry.hashed, entry.sha256, int(entry.deep))
            for path, entry in entries.items()
        ]
        try:
            with self._database:
                self._database.executemany(
                    f"INSERT OR REPLACE INTO {_TABLE} VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
                    [(*row, _checksum(row)) for row in rows],
                )
        except _FAILURES as error:
            self._give_up(error)

    def close(self) -> None:
        """Closes the database."""
        if self._database is not None:
            self._database.close()

    def _give_up(self, error: Exception) -> None:
        self.close()
        self._database = None
        if _is_damage(error) and not self._read_only:
            self._path.unlink(missing_ok=True)
        _say_once(f"{self._path} cannot be used ({error}): images are hashed again")


@contextmanager
def content_index(*, read_only: bool = False) -> Iterator[ContentIndex]:
    """Opens the index of this home; unless `read_only`, it is created or replaced if damaged."""
    path, database = home() / NAME, None
    try:
        if not read_only:
            database = _open(path)
        elif path.is_file():
            uri = f"{path.resolve().as_uri()}?mode=ro"
            database = sqlite3.connect(uri, uri=True, timeout=_WAIT)
    except (*_FAILURES, OSError) as error:
        _say_once(f"hashes of images cannot be kept in {path} ({error}): each run reads them again")
    index = ContentIndex(path, database, read_only)
    try:
        yield index
    finally:
        index.close()


def _open(path: Path) -> sqlite3.Connection:
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        return _laid_out(path)
    except _FAILURES as error:
        if not _is_damage(error):
            raise
        _say_once(f"{path} is damaged ({error}): images are hashed again")
        path.unlink(missing_ok=True)
        return _laid_out(path)


def _laid_out(path: Path) -> sqlite3.Connection:
    database = sqlite3.connect(path, timeout=_WAIT)
    try:
        database.execute("PRAGMA synchronous = OFF")  # after a power cut, hashing again is safe
        database.execute(_LAYOUT)
        database.execute(f"SELECT {_COLUMNS} FROM {_TABLE} LIMIT 1").fetchone()
    except _FAILURES:
        database.close()
        raise
    return database


def _checksum(row: Iterable[object]) -> int:
    """CRC-32 of the other columns of a row."""
    return zlib.crc32(repr(tuple(row)).encode())


def _is_damage(error: Exception) -> bool:
    """Whether the file is broken; otherwise it is locked, read-only, or the disk is full."""
    if isinstance(error, sqlite3.OperationalError):
        code = getattr(error, "sqlite_errorcode", None)
        return code == sqlite3.SQLITE_ERROR  # such as "no such column"
    return True


@cache
def _say_once(text: str) -> None:
    with suppress(OSError):  # standard error may be a file on the same full disk
        print(text, file=sys.stderr, flush=True)

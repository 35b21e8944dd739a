"""Hashes of image files by their bytes."""

import errno
import hashlib
import os
import stat
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import chain, groupby, islice
from pathlib import Path
from typing import NamedTuple

from lowlabel.datasets.io.content_index import ContentIndex, Entry, State, content_index
from lowlabel.datasets.io.pixels import is_deep
from lowlabel.datasets.sources.members import container_of, read_members
from lowlabel.errors import DataError
from lowlabel.progress import Progress
from lowlabel.reading import system_error

_BLOCK = 500  # files between two commits; SQLite takes at most 999 names at a time
_THREADS = min(8, os.cpu_count() or 1)
_RUN = 16  # files that a thread hashes in turn
_ATTEMPTS = 3  # at reading a file that is being written


class Content(NamedTuple):
    """What a file holds.

    Attributes:
        sha256: Hash of its bytes.
        size: Number of bytes.
        changed: Time of its last change, in nanoseconds since 1970.
        deep: See `is_deep`.
    """

    sha256: bytes
    size: int
    changed: int
    deep: bool


def read_contents(
    root: Path, paths: Sequence[str], progress: Progress | None = None
) -> Iterator[Content]:
    """Hashes files; those that did not change since they were last hashed are not read.

    Args:
        root: Folder that `paths` are relative to.
        paths: The files.
        progress: Called with (files done, all files).

    Raises:
        DataError: If a file is missing or cannot be read.
    """
    with content_index() as index, ThreadPoolExecutor(_THREADS) as pool:
        for start in range(0, len(paths), _BLOCK):
            block = _absolute(root, paths[start : start + _BLOCK])
            entries = _unchanged(index, block)
            unknown = [path for path in block if path not in entries]
            hashed = dict(zip(unknown, chain(*pool.map(_hash, _runs(unknown))), strict=True))
            index.add(hashed)
            entries |= hashed
            yield from (_content(entries[path]) for path in block)
            if progress is not None:
                progress(start + len(block), len(paths))


def known_contents(root: Path, paths: Sequence[str]) -> Iterator[Content | None]:
    """As `read_contents`, but reads and writes nothing: None for files that must be read."""
    with content_index(read_only=True) as index:
        for start in range(0, len(paths), _BLOCK):
            block = _absolute(root, paths[start : start + _BLOCK])
            entries = _unchanged(index, block)
            yield from (_content(entries[path]) if path in entries else None for path in block)


def _absolute(root: Path, paths: Sequence[str]) -> list[str]:
    folder = root.resolve()
    return [f"{folder}/{path}" for path in paths]


def _unchanged(index: ContentIndex, paths: Sequence[str]) -> dict[str, Entry]:
    """The entries of files that did not change since they were hashed."""
    found = index.find(paths)
    states = _states(paths)
    return {path: entry for path, entry in found.items() if entry.is_of(states[path])}


def _content(entry: Entry) -> Content:
    state = entry.state
    return Content(entry.sha256, state.size, state.newest, entry.deep)


def _states(paths: Sequence[str]) -> dict[str, State]:
    """The state of each file; a larger file that holds images is looked at once."""
    states: dict[str, State] = {}
    for path in paths:
        holder = os.fspath(container_of(path) or path)
        if holder not in states:
            states[holder] = _state(holder, path)
        states[path] = states[holder]
    return states


def _state(file: str, path: str) -> State:
    try:
        status = os.stat(file)  # noqa: PTH116 a Path each would take as long
    except OSError as error:
        raise unreadable(path, error) from error
    if not stat.S_ISREG(status.st_mode):
        raise DataError(f"a listed image is no file: {path}", "Remove it, or put an image there.")
    return State.of(status)


_Run = tuple[Path | None, list[str]]  # neighbours that one thread hashes, and what holds them


def _runs(paths: Sequence[str]) -> Iterator[_Run]:
    for container, held in groupby(paths, container_of):
        while run := list(islice(held, _RUN)):
            yield container, run


def _hash(run: _Run) -> list[Entry]:
    container, paths = run
    if container is None:
        return [_hash_file(path) for path in paths]
    return _hash_members(container, paths)


def _hash_members(container: Path, paths: Sequence[str]) -> list[Entry]:
    """The entries of images in a larger file, whose state stands for theirs."""
    for _ in range(_ATTEMPTS):
        started = time.time_ns()
        try:
            before = State.of(container.stat())
            found = [
                (hashlib.sha256(data).digest(), is_deep(data))
                for data in read_members(container, paths)
            ]
            after = State.of(container.stat())
        except OSError as error:
            raise unreadable(error.filename or container, error) from error
        if before == after:
            return [Entry(before, started, *each) for each in found]
    raise DataError(f"{container} changes while it is read", "Wait until it is complete.")


def _hash_file(path: str) -> Entry:
    for _ in range(_ATTEMPTS):
        started = time.time_ns()
        try:
            with Path(path).open("rb") as file:
                before = State.of(os.fstat(file.fileno()))
                data = file.read()
                after = State.of(os.fstat(file.fileno()))
        except OSError as error:
            raise unreadable(path, error) from error
        if before == after and len(data) == after.size:
            return Entry(after, started, hashlib.sha256(data).digest(), is_deep(data))
    raise DataError(f"{path} changes while it is read", "Wait until it is complete.")


def unreadable(path: str | Path, error: OSError) -> DataError:
    """The error for a file that the system does not hand out; a passing one is no damage."""
    if error.errno == errno.ENOENT and Path(path).is_symlink():
        return DataError(
            f"a listed image is a broken link: {path} leads to {Path(path).readlink()}",
            "Mount its disk, or make the link anew.",
        )
    if error.errno in (errno.ENOENT, errno.ENOTDIR):
        return DataError(
            f"a listed image is missing: {path}",
            "Restore the file, or prepare the dataset again from a complete archive.",
        )
    return DataError(
        f"{path} cannot be read: {error.strerror or error}",
        f"{system_error(path, error).hint} Extracted features are kept.",
    )

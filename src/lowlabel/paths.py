"""Folders of data, features, weights and results, and atomic writing of files."""

import errno
import hashlib
import os
import secrets
import shutil
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from functools import cache
from pathlib import Path

from platformdirs import user_cache_path

from lowlabel.errors import DataError

_MARK = ".lowlabel-"  # in the name of every temporary file
_MOST_OF_NAME = 40  # characters of the final name: file systems allow 255 bytes
_LEFTOVER_S = 24 * 3600
_NO_UTF8 = "backslashreplace"  # of names of files that are no UTF-8, as terminals show them


def home() -> Path:
    """The root of these folders: `$LOWLABEL_HOME`, else in the platform's cache folder."""
    configured = os.environ.get("LOWLABEL_HOME")
    return expanded(configured) if configured else user_cache_path("lowlabel")


def expanded(path: Path | str) -> Path:
    """The path with the home folder that `~` or `~USER` at its begin stands for.

    Raises:
        DataError: If there is no such user.
    """
    try:
        return Path(path).expanduser()
    except RuntimeError as error:
        raise DataError(
            f"{path}: this computer has no home folder of that user",
            f"Write the whole path, or ./{path} for a folder of this name.",
        ) from error


def datasets_dir() -> Path:
    """Prepared datasets, one folder each."""
    return home() / "datasets"


def features_dir() -> Path:
    """The store of extracted features."""
    return home() / "features"


def weights_dir() -> Path:
    """Weights that were downloaded by hand, named as the error message asks."""
    return home() / "weights"


def results_dir() -> Path:
    """Records and leaderboards, unless `--output` is given."""
    return home() / "results"


def writable_dir(path: Path) -> Path:
    """Creates the folder `path` if needed and returns it.

    Raises:
        DataError: If the folder cannot be created or written to.
    """
    try:
        path.mkdir(parents=True, exist_ok=True)
        probe = temporary_beside(path / "write-test")
        try:
            probe.touch()
        finally:
            probe.unlink(missing_ok=True)
    except OSError as error:
        raise DataError(
            f"cannot write to the folder {path}: {error.strerror or error}",
            "Choose another folder with --output, or set LOWLABEL_HOME.",
        ) from error
    _remove_leftovers(path)
    return path


def short_name(text: str, most: int = 80) -> str:
    """A part of a file name; long ones are cut, and end in 8 digits of their hash.

    File systems allow names of 255 bytes.
    """
    if len(os.fsencode(text)) <= most:
        return text
    digits = hashlib.sha256(os.fsencode(text)).hexdigest()[:8]
    return f"{os.fsencode(text)[: most - 9].decode(errors='ignore')}-{digits}"


def temporary_beside(path: Path) -> Path:
    """A hidden name beside `path`, unique across threads, processes and machines.

    Process numbers are not: containers that share a folder all start at 1.
    """
    return path.with_name(f".{path.name[:_MOST_OF_NAME]}{_MARK}{secrets.token_hex(8)}.tmp")


@contextmanager
def atomic_write(path: Path) -> Iterator[Path]:
    """Yields a temporary path that replaces `path` if the block succeeds.

    The content reaches the disk before the name does. A temporary file that a killed process
    leaves is hidden and ends in `.tmp`; `writable_dir` removes it after a day.

    Raises:
        DataError: If the file cannot be written, for example to a full disk; `path` is unchanged.
    """
    temporary = temporary_beside(path)
    try:
        yield temporary
        _sync(temporary)
        temporary.replace(path)
    except OSError as error:
        raise DataError(
            f"cannot write {path}: {error.strerror or error}",
            "Make room, or choose a folder on another disk; then run the same command again.",
        ) from error
    finally:
        with suppress(OSError):  # a failed clean-up must not hide the error that led to it
            temporary.unlink(missing_ok=True)


def write_file(path: Path, content: bytes | str) -> None:
    """Replaces `path` by `content` (text as UTF-8), which is read back first.

    Raises:
        DataError: If the file cannot be written, or is read back with other content; `path` is
            then unchanged.
    """
    write_files({path: content})


def write_files(contents: Mapping[Path, bytes | str]) -> None:
    """Like `write_file` for files that belong together: all are written before one is replaced.

    They are replaced in the order of `contents`.
    """
    with ExitStack() as stack:
        for path, content in reversed(list(contents.items())):  # the stack is left from its end
            data = content.encode(errors=_NO_UTF8) if isinstance(content, str) else content
            temporary = stack.enter_context(atomic_write(path))
            temporary.write_bytes(data)
            _sync(temporary)
            if temporary.read_bytes() != data:
                raise OSError(errno.EIO, "other content is read back than was written")


def _sync(path: Path) -> None:
    """Waits until a file is on the disk; an `OSError` if an earlier write to it was lost."""
    with path.open("r+b") as file:
        os.fsync(file.fileno())


@cache
def _remove_leftovers(folder: Path) -> None:
    """Removes the temporary files of killed processes, once per folder: those older than a day."""
    oldest = time.time() - _LEFTOVER_S
    for path in folder.glob(f".*{_MARK}*.tmp"):
        with suppress(OSError):  # another process may have removed it
            if path.stat().st_mtime < oldest:
                shutil.rmtree(path) if path.is_dir() else path.unlink()


def file_sha256(path: Path) -> str:
    """The SHA-256 of a file's content, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()

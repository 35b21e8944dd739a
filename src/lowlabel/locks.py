"""Locks between processes."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from lowlabel.errors import DataError


class LockError(DataError):
    """A lock could not be had."""


@contextmanager
def file_lock(path: Path, fix: str, *, waiting: str = "", most_s: float = -1) -> Iterator[None]:
    """Holds a lock file, so that one process at a time runs the block.

    Args:
        path: The lock file, in an existing folder.
        fix: What to do where files cannot be locked.
        waiting: Printed once if another process holds the lock.
        most_s: Seconds to wait for it; as long as it takes if negative.

    Raises:
        LockError: If the file cannot be locked, or not in time.
    """
    lock = FileLock(path)
    try:
        try:
            lock.acquire(timeout=0)
        except Timeout:
            if waiting:
                print(waiting, flush=True)
            lock.acquire(timeout=most_s)
    except (OSError, NotImplementedError) as error:
        raise LockError(f"cannot lock {lock.lock_file}: {error}", fix) from error
    try:
        yield
    finally:
        lock.release()

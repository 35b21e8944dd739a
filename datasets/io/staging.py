"""Replaces a folder whole: it is complete or as it was before."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock

from lowlabel.errors import DataError
from lowlabel.paths import temporary_beside, writable_dir


@contextmanager
def staged(folder: Path) -> Iterator[Path]:
    """Yields an empty folder that becomes `folder` if the block fills it without an error.

    What was at `folder` is removed only once the new one is in its place; a link is removed, and
    never what it leads to.

    Raises:
        DataError: If a file cannot be written.
    """
    writable_dir(folder.parent)
    staging, replaced = temporary_beside(folder), folder.with_name(f".{folder.name}.old")
    with FileLock(folder.with_name(f".{folder.name}.lock")):
        if os.path.lexists(replaced) and not os.path.lexists(folder):
            replaced.replace(folder)  # a process was killed between the two renames
        staging.mkdir()
        try:
            yield staging
            if any(staging.iterdir()):
                _exchange(staging, folder, replaced)
        except OSError as error:
            raise DataError(f"cannot write {folder}: {error.strerror or error}") from error
        finally:
            shutil.rmtree(staging, ignore_errors=True)


def _exchange(staging: Path, folder: Path, replaced: Path) -> None:
    if os.path.lexists(replaced):
        remove(replaced)
    if os.path.lexists(folder):
        folder.replace(replaced)
    try:
        staging.replace(folder)
    except OSError:
        if os.path.lexists(replaced):
            replaced.replace(folder)
        raise
    if os.path.lexists(replaced):
        remove(replaced)


def remove(path: Path) -> None:
    """Removes a file, a link or a folder with what is in it."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink()

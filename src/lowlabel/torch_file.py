"""Files of `torch.save`, read back before they replace an older one."""

import errno
import zipfile
from pathlib import Path
from typing import Any

import torch

from lowlabel.paths import atomic_write


def damaged_part(path: Path) -> str | None:
    """Compares every part of a file with its CRC-32, which torch does not read.

    Returns:
        The first that differs; None if all are what was written.

    Raises:
        zipfile.BadZipFile: If the file is no archive.
    """
    with zipfile.ZipFile(path) as archive:
        return archive.testzip()


def write_torch(path: Path, content: dict[str, Any]) -> None:
    """Replaces `path` by `content`.

    Raises:
        DataError: If the file cannot be written, or is read back damaged; `path` is then unchanged.
    """
    with atomic_write(path) as temporary:
        try:
            with temporary.open("wb") as file:  # torch hides what the system says of a path
                torch.save(content, file)
            damaged = damaged_part(temporary)
        except (RuntimeError, zipfile.BadZipFile) as error:  # how torch reports a failed write
            if isinstance(error.__context__, OSError):
                raise error.__context__ from None
            raise OSError(errno.EIO, str(error).splitlines()[0]) from error
        if damaged:
            raise OSError(errno.EIO, f"other content is read back than was written: {damaged}")

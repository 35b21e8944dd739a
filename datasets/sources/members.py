"""Images inside larger files, under paths such as `train.parquet/000012`, read in place.

Whatever opens an image file opens these too: a path below a file is a member of it. Nothing but the
bytes of that file is ever read for it, whatever the member is called.
"""

import io
import os
import re
from collections.abc import Callable, Mapping
from functools import lru_cache
from pathlib import Path

from lowlabel.datasets.sources.parquet_rows import PARQUET, parquet_bytes, row_has_image
from lowlabel.datasets.sources.tar_members import TAR, tar_bytes

_READERS: Mapping[str, Callable[[Path, str], bytes | memoryview]] = {
    PARQUET: parquet_bytes,
    TAR: tar_bytes,
}
_BELOW = re.compile(f"(?:{'|'.join(map(re.escape, _READERS))})[/{re.escape(os.sep)}]")


def container_of(path: str | Path) -> Path | None:
    """The file that an image lies in; None for an image that is a file of its own."""
    text = os.fspath(path)
    for found in _BELOW.finditer(text):
        holder = text[: found.end() - 1]
        if os.path.isfile(holder):  # noqa: PTH113 a Path for each of a million would take as long
            return _path(holder)
    return None


_path = lru_cache(maxsize=64)(Path)  # a new one for each image is split and hashed anew


def member_bytes(container: Path, path: str | Path) -> bytes | memoryview:
    """Reads the image at a path below a container; empty if there is no image in its place.

    Raises:
        DataError: If the container cannot be read.
        FileNotFoundError: If it has no such member.
    """
    name = os.fspath(path)[len(os.fspath(container)) + 1 :].replace(os.sep, "/")
    return _READERS[container.suffix](container, name)


def opened(path: Path) -> Path | io.BytesIO:
    """What Pillow opens: the path of a file, or the bytes of a member.

    Raises:
        ValueError: If the member is a row that holds no image, such as a path alone.
    """
    if (container := container_of(path)) is None:
        return path
    content = member_bytes(container, path)
    if not content and container.suffix == PARQUET and not row_has_image(container, path.name):
        raise ValueError("its row holds no bytes of an image")
    return io.BytesIO(content)

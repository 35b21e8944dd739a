"""Images inside larger files, under paths such as `train.parquet/000012`, read in place.

Whatever opens an image file opens these too: a path below a file is a member of it. Nothing but the
bytes of that file is ever read for it, whatever the member is called.
"""

import io
import os
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import lru_cache
from pathlib import Path

from lowlabel.datasets.sources.parquet_rows import PARQUET, parquet_members, row_has_image
from lowlabel.datasets.sources.tar_members import TAR, tar_members

_Reader = Callable[[Path, Sequence[str]], Iterator[bytes | memoryview]]
_READERS: Mapping[str, _Reader] = {
    PARQUET: parquet_members,
    TAR: tar_members,
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


def read_members(container: Path, paths: Sequence[str | Path]) -> Iterator[bytes | memoryview]:
    """Reads the images at paths below a container; empty if there is no image in its place.

    Raises:
        DataError: If the container cannot be read.
        FileNotFoundError: If it has no such member.
    """
    inside = len(os.fspath(container)) + 1
    names = [os.fspath(path)[inside:].replace(os.sep, "/") for path in paths]
    return _READERS[container.suffix](container, names)


def opened(path: Path) -> Path | io.BytesIO:
    """What Pillow opens: the path of a file, or the bytes of a member.

    Raises:
        ValueError: If the member is a row that holds no image, such as a path alone.
    """
    if (container := container_of(path)) is None:
        return path
    (content,) = read_members(container, [path])
    if not content and container.suffix == PARQUET and not row_has_image(container, path.name):
        raise ValueError("its row holds no bytes of an image")
    return io.BytesIO(content)

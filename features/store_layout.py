"""Lays a feature file out at its final size, with everything but features, marks and checksums."""

import errno
import io
import os
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import IO, Any, cast

import h5py

from lowlabel.datasets import ImageSet
from lowlabel.features.store_format import HEAD_BYTES, SCHEMA, Head
from lowlabel.paths import atomic_write

_PAGE = 1 << 16  # bytes


def lay_out(
    path: Path, facts: Mapping[str, str], images: ImageSet, width: int, block: int, owner: str
) -> None:
    """Writes an empty file of the final size, with some facts as attributes.

    Its space is reserved: a disk that is too small is reported now and not hours later.

    Raises:
        DataError: If the disk is too small or the file cannot be written.
    """
    memory = _SparseMemory()
    head = replace(_build(memory, facts, images, width, block), owner=owner)
    head = replace(head, fixed=head.hash_fixed(cast(IO[bytes], memory)))
    with atomic_write(path) as temporary:
        size = memory.seek(0, io.SEEK_END)
        _reserve(temporary, size)
        with temporary.open("r+b") as file:
            for page, data in memory.pages.items():
                file.seek(page * _PAGE)
                file.write(data[: size - page * _PAGE])
            file.seek(0)
            file.write(head.encode())
        _check(temporary, head)


class _SparseMemory(io.RawIOBase):
    """A file in memory of which only the pages that were written take room.

    HDF5 drops errors in destructors, and does not survive reading what a failed write lost.
    """

    def __init__(self) -> None:
        self.pages: dict[int, bytearray] = {}
        self._position = self._size = 0

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        start = (0, self._position, self._size)[whence]
        self._position = start + offset
        return self._position

    def readinto(self, buffer: Any) -> int:
        target = memoryview(buffer).cast("B")[: max(0, self._size - self._position)]
        for start, page, place in self._spans(len(target)):
            target[start : start + place.stop - place.start] = self._page(page)[place]
        self._position += len(target)
        return len(target)

    def write(self, data: Any) -> int:
        source = memoryview(data).cast("B")
        for start, page, place in self._spans(len(source)):
            kept = self.pages.setdefault(page, bytearray(_PAGE))
            kept[place] = source[start : start + place.stop - place.start]
        self._position += len(source)
        self._size = max(self._size, self._position)
        return len(source)

    def truncate(self, size: int | None = None) -> int:
        self._size = self._position if size is None else size
        return self._size

    def _page(self, page: int) -> bytes | bytearray:
        return self.pages.get(page, bytes(_PAGE))

    def _spans(self, size: int) -> Iterator[tuple[int, int, slice]]:
        """Pieces of the next bytes: where each starts, its page and its place in the page."""
        start = 0
        while start < size:
            page, first = divmod(self._position + start, _PAGE)
            length = min(size - start, _PAGE - first)
            yield start, page, slice(first, first + length)
            start += length


def _build(
    memory: _SparseMemory, facts: Mapping[str, str], images: ImageSet, width: int, block: int
) -> Head:
    """Builds the HDF5 part and returns where its arrays are."""
    count = len(images)
    arrays: dict[str, tuple[tuple[int, ...], str]] = {
        "features": ((count, width), "<f4"),
        "done": ((count,), "u1"),
        "checksums": ((-(-count // block),), "<u4"),
    }
    early = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    early.set_alloc_time(h5py.h5d.ALLOC_TIME_EARLY)
    with h5py.File(memory, "w", userblock_size=HEAD_BYTES) as file:
        file.attrs["schema"] = SCHEMA
        file.attrs.update(facts)
        for name, (shape, kind) in arrays.items():
            file.create_dataset(name, shape, kind, dcpl=early)
        file.create_dataset("labels", data=images.labels)
        paths = [path.encode(errors="surrogateescape") for path in images.paths]
        file.create_dataset("paths", data=paths, dtype=h5py.string_dtype())
        offsets = {name: int(file[name].id.get_offset()) for name in arrays}
    return Head(count, width, block, offsets["features"], offsets["done"], offsets["checksums"])


def _check(path: Path, head: Head) -> None:
    """Reads the layout back; an `OSError` if it is not what was written."""
    with path.open("rb") as file:
        try:
            same = Head.read(file) == head and head.hash_fixed(file) == head.fixed
        except ValueError:
            same = False
        for start, size in ((head.done, head.rows), (head.checksums, 4 * head.count)):
            file.seek(start)
            same = same and not any(file.read(size))
    if not same:
        raise OSError(errno.EIO, "other content is read back than was written")


def _reserve(path: Path, size: int) -> None:
    """Allocates at least `size` bytes on the disk for a file; an `OSError` if they do not fit."""
    with path.open("ab") as file:
        if hasattr(os, "posix_fallocate"):
            os.posix_fallocate(file.fileno(), 0, size)
        elif shutil.disk_usage(path.parent).free < size:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

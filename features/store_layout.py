"""Lays a feature file out at its final size, with everything but features, marks and checksums."""

import errno
import io
import os
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from lowlabel.datasets import ImageSet
from lowlabel.features.key import FeatureKey
from lowlabel.features.store_format import HEAD_BYTES, SCHEMA, Head
from lowlabel.paths import atomic_write

_ROW_OVERHEAD = 64  # bytes of a row besides its features: label, mark, path reference


def lay_out(
    path: Path, key: FeatureKey, images: ImageSet, width: int, block: int, owner: str
) -> None:
    """Writes an empty file of the final size.

    The space is reserved before and after HDF5 writes, which empties the file: a disk that is too
    small is reported now and not hours later.

    Raises:
        DataError: If the disk is too small or the file cannot be written.
    """
    count = len(images)
    with atomic_write(path) as temporary:
        _reserve(temporary, count * (4 * width + _ROW_OVERHEAD) + sum(map(len, images.paths)))
        head = replace(_write(temporary, key, images, width, block), owner=owner)
        _reserve(temporary, temporary.stat().st_size)
        with temporary.open("r+b") as file:
            head = replace(head, fixed=head.hash_fixed(file))
            file.seek(0)
            file.write(head.encode())
        _compare(temporary, head, key, images)


class _HDF5Sink(io.FileIO):
    """A file for HDF5 that keeps the first error and goes on.

    HDF5 drops errors in destructors, and does not survive those that it reports.
    """

    error: OSError | None = None

    def write(self, data: Any) -> int:
        left = memoryview(data).cast("B")
        size = len(left)
        try:
            while left:
                left = left[super().write(left) :]
        except OSError as error:
            self.error = self.error or error
        return size

    def truncate(self, size: int | None = None) -> int:
        try:
            return super().truncate(size)
        except OSError as error:
            self.error = self.error or error
            return size or 0


def _write(path: Path, key: FeatureKey, images: ImageSet, width: int, block: int) -> Head:
    """Writes the HDF5 part and returns where its arrays are."""
    count = len(images)
    arrays: dict[str, tuple[tuple[int, ...], str]] = {
        "features": ((count, width), "<f4"),
        "done": ((count,), "u1"),
        "checksums": ((-(-count // block),), "<u4"),
    }
    early = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    early.set_alloc_time(h5py.h5d.ALLOC_TIME_EARLY)
    with _HDF5Sink(path, "w+") as sink:
        try:
            with h5py.File(sink, "w", userblock_size=HEAD_BYTES) as file:
                file.attrs["schema"] = SCHEMA
                file.attrs["key"] = key.json()
                for name, (shape, kind) in arrays.items():
                    file.create_dataset(name, shape, kind, dcpl=early)
                file.create_dataset("labels", data=images.labels)
                file.create_dataset("paths", data=list(images.paths), dtype=h5py.string_dtype())
                offsets = {name: int(file[name].id.get_offset()) for name in arrays}
        except (OSError, RuntimeError, KeyError, ValueError):
            if sink.error is None:
                raise
    if sink.error is not None:
        raise sink.error
    return Head(count, width, block, **offsets)


def _compare(path: Path, head: Head, key: FeatureKey, images: ImageSet) -> None:
    """Reads the layout back; an `OSError` if it is not what was written."""
    problem = "other content is read back than was written"
    try:
        with path.open("rb") as file, h5py.File(file, "r") as read:
            if (
                Head.read(file) == head
                and head.hash_fixed(file) == head.fixed
                and read.attrs["key"] == key.json()
                and np.array_equal(read["labels"][()], images.labels)
                and list(read["paths"].asstr(errors="surrogateescape")[()]) == list(images.paths)
                and not any(read[name][()].any() for name in ("done", "checksums"))
            ):
                return
    except (RuntimeError, KeyError, ValueError, TypeError) as error:
        problem += f": {error}"
    raise OSError(errno.EIO, problem)


def _reserve(path: Path, size: int) -> None:
    """Allocates at least `size` bytes on the disk for a file; an `OSError` if they do not fit."""
    with path.open("ab") as file:
        if hasattr(os, "posix_fallocate"):
            os.posix_fallocate(file.fileno(), 0, size)
        elif shutil.disk_usage(path.parent).free < size:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

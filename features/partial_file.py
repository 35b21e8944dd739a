"""Writes a feature file in complete chunks, so that a killed run can resume.

The file is laid out at its final size before the first chunk is written and never grows: a process
killed at any moment leaves a file that opens, and `done` tells which rows to trust.
"""

import errno
import os
import shutil
from pathlib import Path

import h5py
import numpy as np
from numpy.typing import NDArray

from lowlabel.datasets import ImageSet
from lowlabel.errors import DataError
from lowlabel.features.key import FeatureKey
from lowlabel.features.store import BAD_IMAGE, DONE, PENDING, SCHEMA, feature_path, open_file

_ROW_OVERHEAD = 64  # bytes of a row besides its features: label, mark, path reference


class PartialFile:
    """A feature file that is being written.

    Args:
        key: Key of the features.
        images: The images, one row each.
        earlier: The key under which an earlier version stored the same features.
    """

    def __init__(self, key: FeatureKey, images: ImageSet, earlier: str = "") -> None:
        self.key = key
        self.images = images
        self.earlier = earlier
        self.path = feature_path(key).with_suffix(".partial")

    def first_pending(self) -> int:
        """Returns the first row that is not written yet; 0 for a new file."""
        if not self.path.exists():
            return 0
        with open_file(self.path, self.key) as file:
            pending = np.flatnonzero(file["done"][()] == PENDING)
        return int(pending[0]) if len(pending) else len(self.images)

    def write(self, start: int, features: NDArray[np.float32], bad: NDArray[np.bool_]) -> None:
        """Writes rows from `start`: the features first, then the marks that they are done.

        Raises:
            DataError: If the disk is full or the file cannot be written; earlier rows are kept.
        """
        rows = slice(start, start + len(features))
        try:
            if not self.path.exists():
                self._lay_out(features.shape[1])
            with open_file(self.path, self.key, "r+") as file:
                file["features"][rows] = features
                file.flush()
                file["done"][rows] = np.where(bad, BAD_IMAGE, DONE)
        except (OSError, RuntimeError) as error:
            raise DataError(
                f"cannot write {self.path}: {error}",
                "Make room, or set LOWLABEL_HOME to a folder on another disk. On this disk, the "
                "same command then resumes at the last complete chunk.",
            ) from error

    def finish(self) -> None:
        """Renames the complete file to its final name."""
        self.path.replace(feature_path(self.key))

    def _lay_out(self, width: int) -> None:
        """Writes an empty file of the final size under a temporary name, then renames it.

        The space is reserved before HDF5 writes: HDF5 does not survive a failed write, and a disk
        that is too small is reported now and not hours later.
        """
        empty = self.path.with_suffix(".new")
        count = len(self.images)
        _reserve(empty, count * (4 * width + _ROW_OVERHEAD) + sum(map(len, self.images.paths)))
        early = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
        early.set_alloc_time(h5py.h5d.ALLOC_TIME_EARLY)
        with h5py.File(empty, "w") as file:
            file.attrs["schema"] = SCHEMA
            file.attrs["key"] = self.key.json()
            file.attrs["earlier"] = self.earlier
            file.create_dataset("features", (count, width), "float32", dcpl=early)
            file.create_dataset("done", (count,), "uint8", dcpl=early)
            file["labels"] = self.images.labels
            file.create_dataset("paths", data=list(self.images.paths), dtype=h5py.string_dtype())
        _reserve(empty, empty.stat().st_size)
        empty.replace(self.path)


def _reserve(path: Path, size: int) -> None:
    """Allocates at least `size` bytes on the disk for a file; an `OSError` if they do not fit."""
    with path.open("ab") as file:
        if hasattr(os, "posix_fallocate"):
            os.posix_fallocate(file.fileno(), 0, size)
        elif shutil.disk_usage(path.parent).free < size:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

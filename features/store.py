"""The HDF5 store: one file a key, written whole chunks at a time, resumable after a kill.

The datasets are laid out in full before the first chunk is written and never grow, so that a
process killed at any moment leaves a file that opens; `done` tells which rows to trust.
"""

import errno
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import h5py
import numpy as np
from filelock import FileLock, Timeout
from numpy.typing import NDArray

from lowlabel.datasets import ImageSet
from lowlabel.errors import DataError
from lowlabel.features.key import FeatureKey, slug
from lowlabel.features.table import EmbeddingTable
from lowlabel.paths import features_dir, writable_dir

SCHEMA = 1
_ROW_OVERHEAD = 64  # bytes: label, mark, path reference
PENDING, DONE, BAD_IMAGE = 0, 1, 2


def feature_path(key: FeatureKey) -> Path:
    """Where the finished file of a key lies, whether it is there or not."""
    return features_dir() / key.file_name


@contextmanager
def locked(key: FeatureKey, say: str) -> Iterator[None]:
    """Holds the key's lock; while another process holds it, prints `say` once and waits."""
    writable_dir(features_dir())
    lock = FileLock(feature_path(key).with_suffix(".lock"))
    try:
        lock.acquire(timeout=0)
    except Timeout:
        print(say, flush=True)
        lock.acquire()
    try:
        yield
    finally:
        lock.release()


class PartialFile:
    """A file of features that is being written.

    Args:
        key: What the features are made from.
        images: The images, one row each.
    """

    def __init__(self, key: FeatureKey, images: ImageSet) -> None:
        self.key = key
        self.images = images
        self.path = feature_path(key).with_suffix(".partial")

    def first_pending(self) -> int:
        """The first row that is not there yet: 0 for a new file."""
        if not self.path.exists():
            return 0
        with _opened(self.path, self.key) as file:
            pending = np.flatnonzero(file["done"][()] == PENDING)
        return int(pending[0]) if len(pending) else len(self.images)

    def write(self, start: int, features: NDArray[np.float32], bad: NDArray[np.bool_]) -> None:
        """Writes rows from `start` on: features first, then the marks that they are there.

        Raises:
            DataError: If the disk is full or the file cannot be written; what was there remains.
        """
        rows = slice(start, start + len(features))
        try:
            if not self.path.exists():
                self._lay_out(features.shape[1])
            with _opened(self.path, self.key, "r+") as file:
                file["features"][rows] = features
                file.flush()
                file["done"][rows] = np.where(bad, BAD_IMAGE, DONE)
        except (OSError, RuntimeError) as error:
            raise DataError(
                f"cannot write {self.path}: {error}",
                "Make room, or set LOWLABEL_HOME to another disk; the same command then goes on "
                "from the last whole chunk.",
            ) from error

    def finish(self) -> None:
        """Gives the complete file its final name."""
        self.path.replace(feature_path(self.key))

    def _lay_out(self, width: int) -> None:
        """Writes an empty file of the final size under another name, then gives it its own.

        The space is reserved before HDF5 touches it: HDF5 does not survive a write that fails,
        and a disk that is too small shows now and not hours later.
        """
        empty = self.path.with_suffix(".new")
        count = len(self.images)
        _reserve(empty, count * (4 * width + _ROW_OVERHEAD) + sum(map(len, self.images.paths)))
        early = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
        early.set_alloc_time(h5py.h5d.ALLOC_TIME_EARLY)
        with h5py.File(empty, "w") as file:
            file.attrs["schema"] = SCHEMA
            file.attrs["key"] = self.key.json()
            file.create_dataset("features", (count, width), "float32", dcpl=early)
            file.create_dataset("done", (count,), "uint8", dcpl=early)
            file["labels"] = self.images.labels
            file.create_dataset("paths", data=list(self.images.paths), dtype=h5py.string_dtype())
        _reserve(empty, empty.stat().st_size)
        empty.replace(self.path)


def _reserve(path: Path, size: int) -> None:
    """Makes the file at least `size` bytes on the disk, not only in its length; else an OSError."""
    with path.open("ab") as file:
        if hasattr(os, "posix_fallocate"):
            os.posix_fallocate(file.fileno(), 0, size)
        elif shutil.disk_usage(path.parent).free < size:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def read_features(key: FeatureKey) -> EmbeddingTable:
    """Reads a finished file.

    Raises:
        DataError: If the file is missing, truncated, damaged, or belongs to another key.
    """
    path = feature_path(key)
    with _opened(path, key) as file:
        features, labels, good = file["features"][()], file["labels"][()], _marks(file) == DONE
        paths = file["paths"].asstr()[()]
    if good.all():
        return EmbeddingTable(features, labels, key.digest)
    return EmbeddingTable(features[good], labels[good], key.digest, tuple(paths[~good]))


def bad_images(key: FeatureKey) -> tuple[str, ...]:
    """The paths of a finished file's images that could not be decoded."""
    path = feature_path(key)
    with _opened(path, key) as file:
        good = _marks(file) == DONE
        return () if good.all() else tuple(file["paths"].asstr()[()][~good])


class StoredRows:
    """Features in the store that are read by blocks of rows, without those of bad images.

    Args:
        file: A finished file.
    """

    def __init__(self, file: h5py.File) -> None:
        self.file = file
        self._features, self._good = file["features"], _marks(file) == DONE

    @property
    def shape(self) -> tuple[int, int]:
        """Rows, those of bad images among them, and dimensions."""
        rows, width = self._features.shape
        return int(rows), int(width)

    def __len__(self) -> int:
        return int(self._good.sum())

    def __getitem__(self, rows: slice) -> NDArray[np.float32]:
        features: NDArray[np.float32] = self._features[rows]
        good = self._good[rows]
        return features if good.all() else features[good]


@contextmanager
def stored_rows(key: FeatureKey) -> Iterator[StoredRows]:
    """Opens a finished file for reading in blocks; see `read_features` for what may be wrong."""
    with _opened(feature_path(key), key) as file:
        yield StoredRows(file)


def cached_rows(dataset: str, part: str) -> int:
    """How many rows the store's finished files have for a part; for plans, not for scores."""
    wanted = f"--{slug(dataset)}-{part}--"
    return sum(_rows(path) for path in features_dir().glob("*.h5") if wanted in path.name)


def _rows(path: Path) -> int:
    try:
        with h5py.File(path, "r") as file:
            return len(file["done"])
    except (OSError, KeyError):
        return 0


@contextmanager
def _opened(path: Path, key: FeatureKey, mode: str = "r") -> Iterator[h5py.File]:
    try:
        file = h5py.File(path, mode)
    except OSError as error:
        raise _damaged(path, str(error)) from error
    with file:
        if file.attrs.get("key") != key.json() or file.attrs.get("schema") != SCHEMA:
            raise DataError(
                f"{path} was made from another model, transform or images than its name says",
                f"Delete it and run again: rm '{path}'",
            )
        yield file


def _marks(file: h5py.File) -> NDArray[np.uint8]:
    """`done` of a finished file."""
    done: NDArray[np.uint8] = file["done"][()]
    if (done == PENDING).any():
        pending = int((done == PENDING).sum())
        raise _damaged(Path(file.filename), f"{pending:,} of its rows were never written")
    return done


def _damaged(path: Path, reason: str) -> DataError:
    return DataError(
        f"{path} is no whole feature file: {reason}", f"Delete it and run again: rm '{path}'"
    )

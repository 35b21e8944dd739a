"""The HDF5 store of features: one file per key, which is compared whenever a file is opened."""

import json
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, NamedTuple

import h5py
import numpy as np
from filelock import FileLock, Timeout
from numpy.typing import NDArray

from lowlabel.errors import DataError
from lowlabel.features.key import FeatureKey, slug
from lowlabel.features.table import EmbeddingTable
from lowlabel.paths import features_dir, writable_dir

SCHEMA = 1
PENDING, DONE, BAD_IMAGE = 0, 1, 2  # marks of rows in `done`


class Rows(NamedTuple):
    """All rows of a file.

    Attributes:
        features: float32 [N, D].
        labels: int64 [N].
        marks: uint8 [N], `DONE` or `BAD_IMAGE`.
        paths: Paths of the images [N].
    """

    features: NDArray[np.float32]
    labels: NDArray[np.int64]
    marks: NDArray[np.uint8]
    paths: NDArray[np.object_]


def feature_path(key: FeatureKey) -> Path:
    """Returns the path of a key's finished file, whether it exists or not."""
    return features_dir() / key.file_name


@contextmanager
def locked(key: FeatureKey, message: str) -> Iterator[None]:
    """Holds the key's lock; prints `message` once if another process holds it, and waits."""
    writable_dir(features_dir())
    lock = FileLock(feature_path(key).with_suffix(".lock"))
    try:
        lock.acquire(timeout=0)
    except Timeout:
        print(message, flush=True)
        lock.acquire()
    try:
        yield
    finally:
        lock.release()


def read_features(key: FeatureKey) -> EmbeddingTable:
    """Reads a finished file.

    Raises:
        DataError: If the file is missing, truncated, damaged, or has another key.
    """
    path = feature_path(key)
    with open_file(path, key) as file:
        features, labels, good = file["features"][()], file["labels"][()], _marks(file) == DONE
        paths = file["paths"].asstr()[()]
    if good.all():
        return EmbeddingTable(features, labels, key.digest)
    return EmbeddingTable(features[good], labels[good], key.digest, tuple(paths[~good]))


def read_rows(path: Path, key: FeatureKey) -> Rows:
    """Reads all rows of a finished file, those of bad images too; raises as `read_features`."""
    with open_file(path, key) as file:
        paths = file["paths"].asstr()[()]
        return Rows(file["features"][()], file["labels"][()], _marks(file), paths)


def earlier_key(key: FeatureKey) -> str:
    """The key under which an earlier version stored the features; empty if it did not."""
    with open_file(feature_path(key), key) as file:
        return str(file.attrs.get("earlier", ""))


def bad_images(key: FeatureKey) -> tuple[str, ...]:
    """Lists the paths in a finished file whose images could not be decoded."""
    path = feature_path(key)
    with open_file(path, key) as file:
        good = _marks(file) == DONE
        return () if good.all() else tuple(file["paths"].asstr()[()][~good])


class StoredRows:
    """Features in the store, read by blocks of rows; rows of bad images are left out.

    Args:
        file: A finished file.
    """

    def __init__(self, file: h5py.File) -> None:
        self.file = file
        self._features, self._good = file["features"], _marks(file) == DONE

    @property
    def shape(self) -> tuple[int, int]:
        """Number of rows, including those of bad images, and of dimensions."""
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
    """Opens a finished file for reading by blocks; raises the errors of `read_features`."""
    with open_file(feature_path(key), key) as file:
        yield StoredRows(file)


def stored_keys(dataset: str, part: str) -> Iterator[tuple[dict[str, Any], int]]:
    """Yields key and number of rows of the finished files of a part; for plans, not for scores."""
    for path in features_dir().glob(f"*--{slug(dataset)}-{part}--*.h5"):
        with suppress(OSError, KeyError, TypeError, ValueError), h5py.File(path, "r") as file:
            yield json.loads(file.attrs["key"]), len(file["done"])


@contextmanager
def open_file(path: Path, key: FeatureKey, mode: str = "r") -> Iterator[h5py.File]:
    """Opens a file of the store and compares its key.

    Raises:
        DataError: If the file cannot be opened, or has another key.
    """
    try:
        file = h5py.File(path, mode)
    except OSError as error:
        raise _damaged(path, str(error)) from error
    with file:
        if file.attrs.get("key") != key.json() or file.attrs.get("schema") != SCHEMA:
            raise DataError(
                f"{path} was made with another model, transform or images than its name says",
                f"Delete it and run again: rm '{path}'",
            )
        yield file


def _marks(file: h5py.File) -> NDArray[np.uint8]:
    """Reads `done` of a finished file."""
    done: NDArray[np.uint8] = file["done"][()]
    pending = int((done == PENDING).sum())
    if pending:
        raise _damaged(
            Path(file.filename), f"{pending:,} of its {len(done):,} rows were never written"
        )
    return done


def _damaged(path: Path, reason: str) -> DataError:
    return DataError(
        f"{path} is not a complete feature file: {reason}", f"Delete it and run again: rm '{path}'"
    )

"""The HDF5 store of features: one file per key, which is compared whenever a file is opened."""

import json
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lowlabel.errors import DataError
from lowlabel.features.key import FeatureKey, slug
from lowlabel.features.store_file import StoreFile
from lowlabel.features.store_format import DONE
from lowlabel.features.table import EmbeddingTable, stored_table
from lowlabel.locks import file_lock
from lowlabel.paths import features_dir, short_name, writable_dir


def feature_path(key: FeatureKey) -> Path:
    """Returns the path of a key's finished file, whether it exists or not."""
    return features_dir() / key.file_name


def locked(key: FeatureKey, waiting: str) -> AbstractContextManager[None]:
    """Holds the key's lock; prints `waiting` once if another process holds it."""
    lock = writable_dir(features_dir()) / feature_path(key).with_suffix(".lock").name
    fix = "Set LOWLABEL_HOME to a folder on a disk whose files can be locked."
    return file_lock(lock, fix, waiting=waiting)


def read_features(key: FeatureKey) -> EmbeddingTable:
    """Reads a finished file.

    Raises:
        DataError: If the file cannot be read, is not what was written, or has another key.
    """
    with StoreFile(feature_path(key), key) as file:
        return stored_table(file, key.digest)


def earlier_key(key: FeatureKey) -> str:
    """The key under which an earlier version stored the features; empty if it did not."""
    with StoreFile(feature_path(key), key) as file:
        return file.earlier


def bad_images(key: FeatureKey) -> tuple[str, ...]:
    """Lists the paths in a finished file whose images could not be decoded."""
    with StoreFile(feature_path(key), key) as file:
        good = file.done == DONE
        return () if good.all() else tuple(file.paths[~good])


class StoredRows:
    """Features in the store, read by blocks of rows; rows of bad images are left out.

    Args:
        file: A finished file.
    """

    def __init__(self, file: StoreFile) -> None:
        self.file = file
        self._good = file.done == DONE

    @property
    def shape(self) -> tuple[int, int]:
        """Number of rows, including those of bad images, and of dimensions."""
        return self.file.head.rows, self.file.head.width

    def __len__(self) -> int:
        return int(self._good.sum())

    def __getitem__(self, rows: slice) -> NDArray[np.float32]:
        start, stop, step = rows.indices(len(self._good))
        features, good = self.file.features(start, max(start, stop))[::step], self._good[rows]
        return features if good.all() else features[good]


@contextmanager
def stored_rows(key: FeatureKey) -> Iterator[StoredRows]:
    """Opens a finished file for reading by blocks; raises the errors of `read_features`."""
    with StoreFile(feature_path(key), key) as file:
        yield StoredRows(file)


def stored_keys(dataset: str, part: str) -> Iterator[tuple[dict[str, Any], int]]:
    """Yields key and number of rows of the finished files of a part; for plans, not for scores."""
    for path in features_dir().glob(f"*--{short_name(slug(dataset))}-{part}--*.h5"):
        with suppress(DataError, ValueError), StoreFile(path, None) as file:
            yield json.loads(file.key), file.head.rows

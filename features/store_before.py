"""Feature files of schema 1, which have no checksums: compare what they hold before use."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lowlabel.datasets.io.hdf5 import open_hdf5, read_hdf5
from lowlabel.features.store_file import damaged, delete_and_run
from lowlabel.features.store_format import BAD_IMAGE, DONE
from lowlabel.reading import reading

_SCHEMA = 1


@dataclass(frozen=True)
class StoredBefore:
    """The content of a finished file of schema 1.

    Attributes:
        features: float32 [N, D]; rows of bad images are not finite.
        labels: int64 [N].
        bad: Which images could not be decoded, bool [N].
        paths: The images, relative to the dataset's folder.
    """

    features: NDArray[np.float32]
    labels: NDArray[np.int64]
    bad: NDArray[np.bool_]
    paths: tuple[str, ...]


def read_before(path: Path, key: str) -> StoredBefore:
    """Reads a file that an earlier version wrote.

    Args:
        path: The file.
        key: The JSON of its key, as `FeatureKey.json` gave it then.

    Raises:
        DataError: If it cannot be read, is not complete, or has another key.
    """
    with reading(path, f"{path} is not a complete feature file", delete_and_run(path)):
        with open_hdf5(path) as file:
            if file.attrs["schema"] != _SCHEMA or file.attrs["key"] != key:
                raise damaged(path, "it has another key than its name says")
            arrays = read_hdf5(file, ("features", "labels", "done", "paths"))
            paths = tuple(file["paths"].asstr(errors="surrogateescape")[()])
        features, labels, done = arrays["features"], arrays["labels"], arrays["done"]
        if features.ndim != 2 or not len(features) == len(labels) == len(done) == len(paths):
            raise damaged(path, "its arrays do not belong together")
        if not np.isin(done, (DONE, BAD_IMAGE)).all():
            raise damaged(
                path, f"{int((done != DONE).sum()):,} of its {len(done):,} rows are missing"
            )
    return StoredBefore(features, labels, done == BAD_IMAGE, paths)

"""Tables of embeddings, from the store or from a file made elsewhere."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lowlabel.errors import DataError
from lowlabel.features.array_file import array_names, from_store, read_arrays
from lowlabel.features.store_file import StoreFile
from lowlabel.features.store_format import DONE
from lowlabel.paths import file_sha256

_PARTS = ("", "base_", "gallery_")
_MOST_BYTES = 2**30  # of features that are read into memory


@dataclass(frozen=True)
class EmbeddingTable:
    """Embeddings with their labels.

    Attributes:
        features: float32 [N, D]; those of a large file of the store are mapped from the disk.
        labels: int64 [N].
        key: SHA-256 that identifies their origin.
        bad_images: Paths of images that could not be decoded and have no row.
        engine: What computed them, if it was not torch: "OpenVINO 2026.4.1".
    """

    features: NDArray[np.float32]
    labels: NDArray[np.int64]
    key: str
    bad_images: tuple[str, ...] = ()
    engine: str = ""


@dataclass(frozen=True)
class FeatureFile:
    """Embeddings made elsewhere.

    Attributes:
        path: The file.
        evaluated: Embeddings to evaluate.
        base: Embeddings of base or train classes; None if the file has none.
        gallery: Embeddings in which the evaluated ones are searched; None if the file has none.
        origin: Key of the evaluated embeddings if the file is from the feature store, else None.
    """

    path: Path
    evaluated: EmbeddingTable
    base: EmbeddingTable | None = None
    gallery: EmbeddingTable | None = None
    origin: dict[str, Any] | None = None


def check_feature_file(path: Path, option: str = "--features") -> None:
    """Raises a `DataError` unless a file exists, can be opened and is of a kind that is read."""
    if not path.is_file():
        raise DataError(f"there is no feature file {path}", f"Check the path given with {option}.")
    read_arrays(path, ())


def load_feature_file(path: Path) -> FeatureFile:
    """Reads `features` [N, D] and `labels` [N] from a `.npz` or `.h5` file, or a pickle by class.

    `base_features` and `base_labels`, for methods that train on base or train classes, and
    `gallery_features` and `gallery_labels`, for retrieval with separate queries, are read if
    present. A pickle is a dictionary from class to features, and no code in it is run; see
    `lowlabel.datasets.io.class_pickle`. A file of the feature store is verified, and its rows of
    bad images are left out.

    Raises:
        DataError: If the file is missing, damaged, lacks an array, or refers to other files for
            its numbers.
    """
    check_feature_file(path)
    if from_store(path):
        with StoreFile(path, None) as file:
            table = stored_table(file, file_sha256(path))
            return FeatureFile(path, table, origin=json.loads(file.key))
    names = [f"{part}{kind}" for part in _PARTS for kind in ("features", "labels")]
    arrays, origin = read_arrays(path, names)
    digest = file_sha256(path)
    evaluated = _table(arrays, "", path, digest)
    others = {
        name: _table(arrays, f"{name}_", path, digest)
        for name in ("base", "gallery")
        if f"{name}_features" in arrays or f"{name}_labels" in arrays
    }
    return FeatureFile(path, evaluated, **others, origin=origin)


def stored_table(file: StoreFile, key: str) -> EmbeddingTable:
    """Reads a finished file of the feature store; rows of bad images are left out.

    Features of more than a gigabyte are verified and mapped: memory need not hold them.
    """
    good, labels = file.done == DONE, file.labels
    large = 4 * file.head.rows * file.head.width > _MOST_BYTES
    features = file.mapped() if large else file.features(0, len(good))
    if good.all():
        return EmbeddingTable(features, labels, key, engine=file.engine)
    bad = tuple(file.paths[~good])
    return EmbeddingTable(features[good], labels[good], key, bad, file.engine)


def _table(
    arrays: Mapping[str, NDArray[Any]], prefix: str, path: Path, digest: str
) -> EmbeddingTable:
    features, labels = (arrays.get(f"{prefix}{name}") for name in ("features", "labels"))
    if features is None or labels is None:
        absent = [f"{prefix}{n}" for n in ("features", "labels") if f"{prefix}{n}" not in arrays]
        raise DataError(
            f"{path} has no array {' and no '.join(absent)}; it has: "
            f"{', '.join(array_names(path)) or 'none'}",
            "Save features [N, D] and labels [N] under these names.",
        )
    if features.shape[:1] != labels.shape[:1]:
        raise DataError(
            f"{path}: {prefix}features have the shape {features.shape}, {prefix}labels "
            f"{labels.shape}",
            "Save one label for each row of features.",
        )
    if labels.dtype.kind not in "iu":
        raise DataError(
            f"{path}: {prefix}labels are {labels.dtype}, not integers",
            "Number the classes: numpy.unique(labels, return_inverse=True)[1].",
        )
    return EmbeddingTable(features, labels, digest)

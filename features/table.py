"""Tables of embeddings, from the store or from a file made elsewhere."""

import json
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from lowlabel.errors import DataError
from lowlabel.paths import file_sha256

_PARTS = ("", "base_", "gallery_")


@dataclass(frozen=True)
class EmbeddingTable:
    """Embeddings with their labels.

    Attributes:
        features: float32 [N, D].
        labels: int64 [N].
        key: SHA-256 that identifies their origin.
        bad_images: Paths of images that could not be decoded and have no row.
    """

    features: NDArray[np.float32]
    labels: NDArray[np.int64]
    key: str
    bad_images: tuple[str, ...] = ()


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


def load_feature_file(path: Path) -> FeatureFile:
    """Reads `features` [N, D] and `labels` [N] from a `.npz` or `.h5` file.

    `base_features` and `base_labels`, for methods that train on base or train classes, and
    `gallery_features` and `gallery_labels`, for retrieval with separate queries, are read if
    present. Nothing is unpickled.

    Raises:
        DataError: If the file is missing, damaged, or lacks an array.
    """
    if not path.is_file():
        raise DataError(f"there is no feature file {path}", "Check the path given with --features.")
    arrays, origin = _read_arrays(path)
    digest = file_sha256(path)
    evaluated = _table(arrays, "", path, digest)
    others = {
        name: _table(arrays, f"{name}_", path, digest)
        for name in ("base", "gallery")
        if f"{name}_features" in arrays or f"{name}_labels" in arrays
    }
    return FeatureFile(path, evaluated, **others, origin=origin)


def _read_arrays(path: Path) -> tuple[dict[str, NDArray[Any]], dict[str, Any] | None]:
    names = [f"{part}{kind}" for part in _PARTS for kind in ("features", "labels")]
    try:
        if path.suffix == ".npz":
            with np.load(path, allow_pickle=False) as file:
                return {name: file[name] for name in names if name in file}, None
        if path.suffix in (".h5", ".hdf5"):
            with h5py.File(path, "r") as file:
                key = file.attrs.get("key")
                origin = json.loads(key) if key else None
                return {name: file[name][()] for name in names if name in file}, origin
    except (OSError, ValueError, zipfile.BadZipFile, EOFError) as error:
        raise DataError(
            f"{path} is damaged or truncated: {error}", "Save it again: numpy.savez(PATH, …)."
        ) from error
    raise DataError(f"{path} is neither .npz nor .h5", "Save the arrays with numpy.savez.")


def _table(
    arrays: Mapping[str, NDArray[Any]], prefix: str, path: Path, digest: str
) -> EmbeddingTable:
    features, labels = (arrays.get(f"{prefix}{name}") for name in ("features", "labels"))
    if features is None or labels is None:
        absent = [f"{prefix}{n}" for n in ("features", "labels") if f"{prefix}{n}" not in arrays]
        raise DataError(
            f"{path} has no array {' and no '.join(absent)}; it has: {', '.join(arrays) or 'none'}",
            "Save features [N, D] and labels [N] under these names.",
        )
    if features.shape[:1] != labels.shape[:1]:
        raise DataError(
            f"{path}: {prefix}features have the shape {features.shape}, {prefix}labels "
            f"{labels.shape}",
            "Save one label for each row of features.",
        )
    return EmbeddingTable(features, labels, digest)

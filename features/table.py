"""Tables of embeddings: from the store, or from a file that was made elsewhere."""

import hashlib
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from lowlabel.errors import DataError


@dataclass(frozen=True)
class EmbeddingTable:
    """Embeddings with their labels.

    Attributes:
        features: float32 [N, D].
        labels: int64 [N].
        key: sha256 of what they were made from.
        bad_images: Paths that could not be decoded and have no row here.
    """

    features: NDArray[np.float32]
    labels: NDArray[np.int64]
    key: str
    bad_images: tuple[str, ...] = ()


@dataclass(frozen=True)
class FeatureFile:
    """Embeddings made elsewhere: a table to evaluate, and one of base classes if there is one."""

    path: Path
    evaluated: EmbeddingTable
    base: EmbeddingTable | None


def load_feature_file(path: Path) -> FeatureFile:
    """Reads `features` [N, D] and `labels` [N] from a `.npz` or `.h5` file.

    `base_features` and `base_labels` are read when present, for few-shot methods that learn from
    base classes. Nothing is unpickled.

    Raises:
        DataError: If the file is missing, damaged, or lacks an array.
    """
    if not path.is_file():
        raise DataError(f"there is no feature file {path}", "Check the path given with --features.")
    arrays = _read_arrays(path)
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    evaluated = _table(arrays, "", path, digest)
    has_base = "base_features" in arrays or "base_labels" in arrays
    return FeatureFile(path, evaluated, _table(arrays, "base_", path, digest) if has_base else None)


def _read_arrays(path: Path) -> dict[str, NDArray[Any]]:
    names = ("features", "labels", "base_features", "base_labels")
    try:
        if path.suffix == ".npz":
            with np.load(path, allow_pickle=False) as file:
                return {name: file[name] for name in names if name in file}
        if path.suffix in (".h5", ".hdf5"):
            with h5py.File(path, "r") as file:
                return {name: file[name][()] for name in names if name in file}
    except (OSError, ValueError, zipfile.BadZipFile, EOFError) as error:
        raise DataError(f"{path} is damaged or truncated: {error}", "Write it again.") from error
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
    return EmbeddingTable(features, labels, digest)

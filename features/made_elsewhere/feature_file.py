"""Files of embeddings that were made elsewhere, or that were copied from the store."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lowlabel.errors import DataError, InputError
from lowlabel.features.array_file import array_names, read_arrays
from lowlabel.features.made_elsewhere.label_numbers import numbered_labels
from lowlabel.features.made_elsewhere.texts import TEXT
from lowlabel.features.store_file import StoreFile
from lowlabel.features.table import EmbeddingTable, stored_table
from lowlabel.paths import file_sha256
from lowlabel.specs import json_sha256

_PARTS = ("", "base_", "gallery_")
_BLOCK = 2**22  # numbers that are checked at a time


@dataclass(frozen=True)
class FeatureFile:
    """Embeddings made elsewhere.

    Attributes:
        path: The file.
        evaluated: Embeddings to evaluate.
        base: Embeddings of base or train classes; None if the file has none.
        gallery: Embeddings in which the evaluated ones are searched; None if the file has none.
        origin: Key of the evaluated embeddings if the file is from the feature store, else None.
        class_names: Names of the labels 0, 1, …; empty if the file numbers its classes.
        several_labels: Whether the names are sets of labels, joined by "|".
        others: Other arrays that were asked for.
    """

    path: Path
    evaluated: EmbeddingTable
    base: EmbeddingTable | None = None
    gallery: EmbeddingTable | None = None
    origin: dict[str, Any] | None = None
    class_names: tuple[str, ...] = ()
    several_labels: bool = False
    others: Mapping[str, NDArray[Any]] = field(default_factory=dict)


def check_feature_file(path: Path, option: str = "--features") -> None:
    """Raises a `DataError` unless a file exists, can be opened and is of a kind that is read."""
    require_feature_file(path, option)
    read_arrays(path, ())


def require_feature_file(path: Path, option: str = "--features") -> None:
    """Raises a `DataError` unless a file exists; it is not opened."""
    if not path.is_file():
        raise DataError(f"there is no feature file {path}", f"Check the path given with {option}.")


@dataclass(frozen=True)
class ArrayNames:
    """Names of the two arrays in a feature file, to which `base_` and `gallery_` are prefixed."""

    features: str = "features"
    labels: str = "labels"

    @classmethod
    def parse(cls, text: str) -> "ArrayNames":
        """Reads `FEATURES` or `FEATURES,LABELS`.

        Raises:
            InputError: If a name is empty or there are more than two.
        """
        names = text.split(",")
        if len(names) > 2 or not all(names):
            raise InputError(
                f"--features-key {text} is not FEATURES or FEATURES,LABELS",
                "Name one or two arrays of the file, as --features-key embeddings,targets.",
            )
        return cls(*names)

    def of(self, prefix: str) -> tuple[str, str]:
        """The names with a prefix."""
        return f"{prefix}{self.features}", f"{prefix}{self.labels}"


def load_feature_file(
    path: Path, names: ArrayNames | None = None, *, others: Iterable[str] = ()
) -> FeatureFile:
    """Reads `features` [N, D] and `labels` [N] from a `.npz` or `.h5` file, or a pickle by class.

    Labels are integers or texts; texts are numbered in alphabetical order, over all parts. Labels
    [N, L] of 0 and 1, or texts [N, K], are several labels of each image; see `joined_sets`.

    `base_features` and `base_labels`, for methods that train on base or train classes, and
    `gallery_features` and `gallery_labels`, for retrieval with separate queries, are read if
    present. A pickle is a dictionary from class to features, and no code in it is run; see
    `lowlabel.datasets.io.class_pickle`. A file of the feature store is verified, and its rows of
    bad images are left out.

    Args:
        path: The file.
        names: Names of the arrays, other than `features` and `labels`.
        others: Names of other arrays to read, if they are there.

    Raises:
        DataError: If the file is missing, damaged, lacks an array, or refers to other files for
            its numbers.
    """
    require_feature_file(path)
    chosen, others = names or ArrayNames(), tuple(others)
    by_part = {part: chosen.of(part) for part in _PARTS}
    wanted = *(name for pair in by_part.values() for name in pair), *others
    read = read_arrays(path, wanted, of_store=None if names else others)
    arrays, origin = read.arrays, read.key
    beside = {name: arrays[name] for name in others if name in arrays}
    if read.of_store:
        with StoreFile(path, None) as file:
            table = stored_table(file, file_sha256(path))
            return FeatureFile(path, table, origin=json.loads(file.key), others=beside)
    present = [part for part, pair in by_part.items() if not part or any(n in arrays for n in pair)]
    for part in present:
        _check_table(arrays, by_part[part], path)
    labels = {by_part[part][1]: arrays[by_part[part][1]] for part in present}
    numbered = numbered_labels(path, labels)
    digest = file_sha256(path)
    if names is not None:
        digest = json_sha256({"file": digest, "features": names.features, "labels": names.labels})
    tables = {
        part: EmbeddingTable(
            arrays[by_part[part][0]],
            numbered.numbers[by_part[part][1]],
            digest,
            values_sha256=digest,
        )
        for part in present
    }
    base, gallery = tables.get("base_"), tables.get("gallery_")
    return FeatureFile(
        path,
        tables[""],
        base,
        gallery,
        origin,
        numbered.names,
        numbered.several,
        beside,
    )


def _check_table(arrays: Mapping[str, NDArray[Any]], names: tuple[str, str], path: Path) -> None:
    """Raises a `DataError` unless both arrays are there, a table with a label for each row."""
    if absent := [name for name in names if name not in arrays]:
        raise DataError(
            f"{path} has no array {' and no '.join(absent)}; it has: "
            f"{', '.join(array_names(path)) or 'none'}",
            "Choose among them with --features-key FEATURES,LABELS, or save features [N, D] and "
            "labels [N] under these names.",
        )
    features, labels = (arrays[name] for name in names)
    check_features(features, names[0], path)
    matrix = labels.ndim == 2 and labels.shape[1] > 1
    if not (matrix or labels.ndim == 1) or features.shape[:1] != labels.shape[:1]:
        raise DataError(
            f"{path}: {names[0]} have the shape {features.shape}, {names[1]} {labels.shape}",
            "Save one label for each row of features [N, D]: labels [N], or [N, L] of 0 and 1 for "
            "several labels of each.",
        )


def check_features(features: NDArray[Any], name: str, path: Path) -> None:
    """Raises a `DataError` unless an array of a file is a matrix of finite floats."""
    if features.dtype.kind in TEXT:
        raise DataError(f"{path}: {name} are texts, not numbers", "Save features [N, D].")
    if features.dtype.kind != "f":
        raise DataError(
            f"{path}: {name} are {features.dtype}, not floats",
            "Save features [N, D] as floats: features.astype(numpy.float32).",
        )
    if features.ndim != 2 or 0 in features.shape:
        raise DataError(
            f"{path}: {name} have the shape {features.shape}, not [images, dimensions]",
            "Save features [N, D].",
        )
    if bad := _rows_not_finite(features):
        raise DataError(
            f"{path}: {bad:,} of {len(features):,} rows of {name} hold NaN or infinite values",
            "Check the images and the model that produced them; float16 overflows at 65,504.",
        )


def _rows_not_finite(features: NDArray[Any]) -> int:
    step = max(1, _BLOCK // features.shape[1])
    blocks = (features[start : start + step] for start in range(0, len(features), step))
    return sum(int((~np.isfinite(block).all(axis=1)).sum()) for block in blocks)

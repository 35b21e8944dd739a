"""Embeddings made elsewhere: labelled ones to learn from, and others to label."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lowlabel.datasets.io.class_pickle import CLASS_PICKLES
from lowlabel.errors import DataError, InputError
from lowlabel.features.array_file import Arrays, array_names, read_arrays
from lowlabel.features.made_elsewhere.feature_file import (
    ArrayNames,
    FeatureFile,
    check_features,
    load_feature_file,
    require_feature_file,
)
from lowlabel.features.made_elsewhere.texts import as_texts
from lowlabel.features.table import EmbeddingTable
from lowlabel.paths import file_sha256

NEW, GROUPS, PATHS = "new_", "groups", "paths"
_MADE_BY = ("model", "weights_sha256", "pooling", "transform", "positions")


@dataclass(frozen=True)
class FeaturesToLabel:
    """Embeddings of labelled images and of others.

    Attributes:
        labelled: Embeddings to learn from; labels number `class_names`.
        class_names: Names of the classes; numbers that the file has in their place.
        new_features: Embeddings to label, floats [M, D].
        new_paths: What they are called; empty if the file says nothing.
        files: Path and hash of each file, labelled ones first.
    """

    labelled: EmbeddingTable
    class_names: tuple[str, ...]
    new_features: NDArray[np.float32]
    new_paths: tuple[str, ...]
    files: tuple[tuple[Path, str], ...]

    @property
    def among_labelled(self) -> int:
        """Number of the new embeddings that are among the labelled ones."""
        new = EmbeddingTable(self.new_features, np.empty(0, np.int64), "")
        return new.shared_with(self.labelled)


def read_features_to_label(
    path: Path, new: Path | None = None, names: ArrayNames | None = None
) -> FeaturesToLabel:
    """Reads embeddings to learn from and others to label.

    Args:
        path: `.npz` or `.h5` file with `features` [N, D], `labels` [N] (integers or texts) and
            optionally `groups` [N]; without `new`, also with `new_features` [M, D] and optionally
            `new_paths` [M]. It may be a file of the feature store.
        new: File with `features` [M, D] and optionally `paths` [M].
        names: Names of the arrays, other than `features` and `labels`.

    Raises:
        DataError: If a file is missing, damaged, or lacks an array.
        InputError: If the two differ in width, or another model made them.
    """
    for each, option in ((path, "--features"), (new, "--new-features")):
        if each is not None:
            _refuse_pickle(each)
            require_feature_file(each, option)
    chosen = (names or ArrayNames()).features
    new_names = f"{NEW}{chosen}", f"{NEW}{PATHS}"
    known = load_feature_file(path, names, others=(GROUPS, *(() if new else new_names)))
    if known.several_labels:
        raise InputError(
            f"the labels of {path} are several of each row, and predict gives one to each image",
            "Save one label for each row: labels [N].",
        )
    table = known.evaluated
    if new is None:
        features, paths = _arrays(path, known.others, *new_names)
        files = [(path, table.values_sha256)]
    else:
        features, paths, digest = _other_file(new, chosen, known)
        files = [(path, table.values_sha256), (new, digest)]
    if features.shape[1] != table.features.shape[1]:
        raise InputError(
            f"{path} has {table.features.shape[1]} dimensions, the embeddings to label have "
            f"{features.shape[1]}",
            "Extract both with one model and pooling.",
        )
    classes, labels = np.unique(table.labels, return_inverse=True)
    class_names = tuple(known.class_names[c] if known.class_names else str(c) for c in classes)
    groups = None if known.origin else _groups(path, known.others, len(labels))
    labelled = EmbeddingTable(
        table.features, labels.astype(np.int64), table.key, table.bad_images, groups=groups
    )
    return FeaturesToLabel(labelled, class_names, features, paths, tuple(files))


def _refuse_pickle(path: Path) -> None:
    if path.suffix.lower() in CLASS_PICKLES:
        raise InputError(
            f"{path} is a pickle from class to features, which names no image to label",
            "Save features and labels with numpy.savez, and new_features beside them.",
        )


def _arrays(
    path: Path, arrays: Arrays, features: str, paths: str
) -> tuple[NDArray[np.float32], tuple[str, ...]]:
    """Embeddings to label, and what they are called."""
    if features not in arrays:
        there = ", ".join(array_names(path)) or "none"
        raise DataError(
            f"{path} has no array {features}; it has: {there}",
            "Save the embeddings to label as new_features [M, D], or in a file of their own: "
            "--new-features FILE, with features [M, D].",
        )
    found = arrays[features]
    check_features(found, features, path)
    if paths not in arrays:
        return found, ()
    return found, as_texts(_of_rows(arrays[paths], paths, len(found), path))


def _other_file(
    path: Path, features: str, known: FeatureFile
) -> tuple[NDArray[np.float32], tuple[str, ...], str]:
    """Embeddings to label of a file of their own, what they are called, and its hash."""
    read = read_arrays(path, (features, PATHS), of_store=(PATHS,))
    if not read.of_store:
        return *_arrays(path, read.arrays, features, PATHS), file_sha256(path)
    file = load_feature_file(path)
    made, of_known = file.origin or {}, known.origin or {}
    differing = [name for name in _MADE_BY if made.get(name, "") != of_known.get(name, "")]
    if of_known and differing:
        raise InputError(
            f"{path} was made with another {' and '.join(differing)} than {known.path}",
            "Extract both with one model: lowlabel extract --model …",
        )
    bad = set(file.evaluated.bad_images)
    paths = tuple(each for each in as_texts(read.arrays[PATHS]) if each not in bad)
    return file.evaluated.features, paths, file.evaluated.key


def _groups(path: Path, arrays: Arrays, rows: int) -> NDArray[np.int64] | None:
    """The group of each labelled image, its own for an empty text; None if the file has none."""
    if GROUPS not in arrays:
        return None
    texts = np.array(as_texts(_of_rows(arrays[GROUPS], GROUPS, rows, path)))
    groups = np.unique(texts, return_inverse=True)[1].astype(np.int64)
    alone = np.flatnonzero(np.char.strip(texts) == "")
    groups[alone] = rows + np.arange(len(alone))
    return groups


def _of_rows(values: NDArray[Any], name: str, rows: int, path: Path) -> NDArray[Any]:
    """An array of integers or texts, one for each row."""
    if values.shape != (rows,) or values.dtype.kind not in "iuUSO":
        raise DataError(
            f"{path}: {name} are {values.dtype} {list(values.shape)}, not a number or a text for "
            f"each of {rows:,} rows",
            f"Save {name} [{rows}] as integers or fixed-length texts: numpy.array(names).astype("
            "str).",
        )
    return values

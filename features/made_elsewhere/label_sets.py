"""Several labels of each image in feature files: a column for each label, or lists of texts."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lowlabel.datasets.tables.labels import check_lists, joined_labels
from lowlabel.errors import DataError
from lowlabel.features.made_elsewhere.texts import TEXT, as_texts

_HOW = (
    "Save labels [N, L] of 0 and 1, a column for each label, or texts [N, K] with the labels of "
    "each row, where an empty text is none."
)


def joined_sets(path: Path, labels: Mapping[str, NDArray[Any]]) -> dict[str, list[str]]:
    """The labels of each row of each array, as tables join them; an empty text for none.

    The labels of a matrix of 0 and 1 are the numbers of its columns.

    Raises:
        DataError: If the arrays are not all such matrices with the same columns, or all lists.
    """
    kinds = {name: array.ndim == 2 and array.dtype.kind in TEXT for name, array in labels.items()}
    shapes = {name: array.shape[1:] for name, array in labels.items()}
    (first, lists), *others = kinds.items()
    for name, is_list in others:
        same = is_list == lists and (lists or shapes[name] == shapes[first])
        if len(shapes[name]) != 1 or not same:
            raise DataError(
                f"{path}: {name} {_described(labels[name])} are not of the form of {first} "
                f"{_described(labels[first])}",
                _HOW,
            )
    read = _of_lists if lists else _of_matrix
    return {name: read(path, name, array) for name, array in labels.items()}


def _of_lists(path: Path, name: str, array: NDArray[Any]) -> list[str]:
    rows = [as_texts(row) for row in array]
    given = [[text for text in row if text.strip()] for row in rows]
    check_lists([row for row in given if row], path)
    return [joined_labels(row) for row in given]


def _of_matrix(path: Path, name: str, array: NDArray[Any]) -> list[str]:
    known = array.dtype.kind == "b" or (
        array.dtype.kind in "iuf" and bool(((array == 0) | (array == 1)).all())
    )
    if not known:
        raise DataError(
            f"{path}: {name} are {_described(array)} with other values than 0 and 1",
            f"{_HOW} One label for each row is labels [N]: labels.argmax(1) of one-hot scores.",
        )
    sets = np.ascontiguousarray(np.packbits(array.astype(np.bool_), axis=1))
    rows = sets.view(f"V{sets.shape[1]}")[:, 0]
    _, first, places = np.unique(rows, return_index=True, return_inverse=True)
    joined = [joined_labels(map(str, np.flatnonzero(array[row]).tolist())) for row in first]
    return [joined[place] for place in places.ravel()]


def _described(array: NDArray[Any]) -> str:
    return f"{array.dtype} {list(array.shape)}"

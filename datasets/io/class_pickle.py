"""Pickles of features by class, as few-shot projects save them."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lowlabel.datasets.io.pickles import read_pickle
from lowlabel.errors import DataError
from lowlabel.reading import require_room

CLASS_PICKLES = (".plk", ".p", ".pkl", ".pickle")
_HINT = "Save a dictionary from each class to its features [N, D], or the arrays in a .npz."


def read_class_pickle(path: Path) -> dict[str, NDArray[Any]]:
    """Reads `features` and `labels` from a dictionary from class to features; runs no code in it.

    Such are the files of Distribution Calibration (`base_features.plk`, `novel_features.plk`: a
    list of rows for each class) and of SSL-ViT (`dino_train_miniimagenet.p`: an array for each
    class). Labels are the keys; classes with names are numbered in alphabetical order. A class
    without rows is left out.

    Raises:
        DataError: If the file is missing, damaged, holds anything else, or the rows differ in
            length.
    """
    content = read_pickle(path)
    if not isinstance(content, dict):
        raise DataError(f"{path} holds {_kind(content)}, not a dictionary by class", _HINT)
    numbers = _numbers(path, content)
    needed, widths, counts = 0, {}, {}
    for key in [*content]:  # each is replaced by its rows: no more than a class is held twice
        content[key] = rows = _rows(path, key, content[key])
        needed += rows.nbytes
        require_room(f"features of {path}", needed, path.stat().st_size, _HINT)
        if len(rows):
            widths[rows.shape[1]], counts[key] = key, len(rows)
    if not counts:
        raise DataError(f"{path} has no rows in {len(content)} classes", _HINT)
    if len(widths) > 1:
        (one, first), (other, second) = list(widths.items())[:2]
        raise DataError(
            f"{path}: class {first!r} has {one} dimensions, class {second!r} has {other}", _HINT
        )
    return {
        "features": _joined([content.pop(key) for key in counts]),
        "labels": np.repeat([numbers[key] for key in counts], [*counts.values()]),
    }


def _joined(tables: list[NDArray[Any]]) -> NDArray[Any]:
    """The rows of all tables, each of which is let go when it is copied; halves as float32."""
    kind = np.result_type(*{rows.dtype for rows in tables})
    joined = np.empty(
        (sum(map(len, tables)), tables[0].shape[1]), np.float32 if kind == np.float16 else kind
    )
    filled = 0
    tables.reverse()
    while tables:
        rows = tables.pop()
        joined[filled : filled + len(rows)] = rows
        filled += len(rows)
    return joined


def _numbers(path: Path, content: Mapping[object, object]) -> dict[object, int]:
    """The label of each class."""
    if all(isinstance(key, int) and not isinstance(key, bool) for key in content):
        return {key: key for key in content if isinstance(key, int)}
    if all(isinstance(key, str) for key in content):
        return {key: number for number, key in enumerate(sorted(map(str, content)))}
    kinds = sorted({type(key).__name__ for key in content})
    raise DataError(
        f"{path}: its keys are {' and '.join(kinds)}, not class numbers or names", _HINT
    )


def _rows(path: Path, key: object, value: object) -> NDArray[Any]:
    """The features of a class, [N, D]."""
    parts = [np.asarray(_flat(row)) for row in value] if isinstance(value, list) else [value]
    needed = sum(part.nbytes for part in parts if isinstance(part, np.ndarray))
    require_room(f"class {key!r} of {path}", needed, path.stat().st_size)
    try:
        rows = np.asarray(parts if isinstance(value, list) else value)
    except ValueError as error:
        raise DataError(f"{path}: the rows of class {key!r} differ in shape", _HINT) from error
    if rows.size == 0:
        return np.empty((0, 0), np.float32)
    if rows.ndim != 2 or rows.dtype.kind not in "iuf":
        found = f"{rows.dtype} {list(rows.shape)}" if rows.ndim else _kind(value)
        raise DataError(f"{path}: class {key!r} holds {found}, not features [N, D]", _HINT)
    return rows


def _flat(row: object) -> object:
    """A row; lists in it, which may hold each other many times over, are refused."""
    if isinstance(row, list) and any(isinstance(each, list | tuple | dict) for each in row):
        raise ValueError("it nests lists in rows")
    return row


def _kind(value: object) -> str:
    name = type(value).__name__
    return "an array" if hasattr(value, "__array__") else f"a {name}"

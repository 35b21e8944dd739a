"""Labels of feature files as numbers: integers as they are, texts in alphabetical order."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lowlabel.errors import DataError

TEXT = "USO"  # kinds of arrays; objects come from HDF5's texts alone


def numbered_labels(
    path: Path, labels: Mapping[str, NDArray[Any]]
) -> tuple[dict[str, NDArray[np.int64]], tuple[str, ...]]:
    """Integer labels as they are; the texts of all arrays numbered together, in their order.

    Returns:
        The labels, and the texts by their numbers.

    Raises:
        DataError: If an array holds anything else, only some hold texts, or a text is empty.
    """
    texts = {name: array for name, array in labels.items() if array.dtype.kind in TEXT}
    for name, array in labels.items():
        if array.dtype.kind not in "iu" + TEXT or (texts and name not in texts):
            others = " as those of the other parts are" if texts and name not in texts else ""
            raise DataError(
                f"{path}: {name} are {array.dtype}, not {'texts' if others else 'integers'}"
                f"{others or ' or texts'}",
                "Number the classes: numpy.unique(labels, return_inverse=True)[1].",
            )
    if not texts:
        return dict(labels), ()
    of_each = [as_texts(array) for array in texts.values()]
    for name, each in zip(texts, of_each, strict=True):
        if empty := sum(not text.strip() for text in each):
            raise DataError(
                f"{path}: {empty:,} of {len(each):,} {name} are empty",
                "Leave out the rows without a label.",
            )
    names = tuple(sorted({text for each in of_each for text in each}))
    numbers = {name: n for n, name in enumerate(names)}
    numbered = {
        name: np.array([numbers[text] for text in each], dtype=np.int64)
        for name, each in zip(texts, of_each, strict=True)
    }
    return numbered, names


def as_texts(values: NDArray[Any]) -> tuple[str, ...]:
    """The values of an array [N] as texts."""
    return tuple(
        value.decode(errors="backslashreplace") if isinstance(value, bytes) else str(value)
        for value in values.tolist()
    )

"""Labels of feature files as numbers: integers as they are, others in alphabetical order."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lowlabel.errors import DataError
from lowlabel.features.made_elsewhere.label_sets import joined_sets
from lowlabel.features.made_elsewhere.texts import TEXT, as_texts


@dataclass(frozen=True)
class NumberedLabels:
    """Labels as numbers.

    Attributes:
        numbers: By array, int64 [N].
        names: The texts, or joined sets of labels, by their numbers; empty for integers.
        several: Whether the names are sets of labels.
    """

    numbers: Mapping[str, NDArray[np.int64]]
    names: tuple[str, ...] = ()
    several: bool = False


def numbered_labels(path: Path, labels: Mapping[str, NDArray[Any]]) -> NumberedLabels:
    """Integer labels as they are; texts, and several labels, of all arrays numbered together.

    Raises:
        DataError: If an array holds anything else, only some hold texts, or a text is empty.
    """
    if any(array.ndim == 2 for array in labels.values()):
        return numbered_texts(joined_sets(path, labels), several=True)
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
        return NumberedLabels(labels)
    of_each = {name: as_texts(array) for name, array in texts.items()}
    for name, each in of_each.items():
        if empty := sum(not text.strip() for text in each):
            raise DataError(
                f"{path}: {empty:,} of {len(each):,} {name} are empty",
                "Leave out the rows without a label.",
            )
    return numbered_texts(of_each)


def numbered_texts(texts: Mapping[str, Sequence[str]], *, several: bool = False) -> NumberedLabels:
    """Texts numbered in alphabetical order, over all arrays."""
    names = tuple(sorted({text for each in texts.values() for text in each}))
    numbers = {name: n for n, name in enumerate(names)}
    numbered = {
        name: np.array([numbers[text] for text in each], dtype=np.int64)
        for name, each in texts.items()
    }
    return NumberedLabels(numbered, names, several)

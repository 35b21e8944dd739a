"""Several labels of one image, as the column `labels` of a table joins them."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

SEPARATOR = "|"


def joined(text: str) -> str:
    """The labels of a text in one order, each once; empty if one of them is."""
    labels = {label.strip() for label in text.split(SEPARATOR)}
    return "" if "" in labels else SEPARATOR.join(sorted(labels))


def label_names(sets: Sequence[str]) -> tuple[str, ...]:
    """The labels that joined sets hold, sorted."""
    return tuple(sorted({label for each in sets for label in each.split(SEPARATOR)}))


def label_matrix(sets: Sequence[str]) -> NDArray[np.bool_]:
    """Whether each joined set holds each of `label_names(sets)`, [sets, labels]."""
    column = {label: number for number, label in enumerate(label_names(sets))}
    matrix = np.zeros((len(sets), len(column)), dtype=bool)
    for row, each in enumerate(sets):
        matrix[row, [column[label] for label in each.split(SEPARATOR)]] = True
    return matrix

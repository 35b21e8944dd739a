"""Several labels of one image, as the column `labels` of a table joins them."""

from collections.abc import Iterable, Mapping, Sequence
from itertools import chain
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lowlabel.errors import DataError

SEPARATOR = "|"
_FLAGS = frozenset({"0", "1", "False", "True"})


def joined(text: str) -> str:
    """The labels of a text in one order, each once; empty if one of them is."""
    return joined_labels(text.split(SEPARATOR))


def joined_labels(labels: Iterable[str]) -> str:
    """Labels as one text, in one order, each once; empty if there is none or one of them is."""
    stripped = {label.strip() for label in labels}
    return "" if "" in stripped else SEPARATOR.join(sorted(stripped))


def check_lists(lists: Sequence[Sequence[str]], place: Path) -> None:
    """Refuses lists of labels that would silently become other labels.

    Args:
        lists: The labels of each image that has a list.
        place: What holds them, for messages.

    Raises:
        DataError: If they are a flag for each class, or a label holds the separator.
    """
    flags = set(chain.from_iterable(lists)) <= _FLAGS and len({*map(len, lists)}) == 1
    if flags and any(len(set(each)) < len(each) for each in lists):
        raise DataError(
            f"the labels of {place} are {len(lists[0])} values of 0 and 1 for each image: a flag "
            "for each class, not a list of its labels",
            "Save the list of the labels of each image, as ['cat', 'dog'].",
        )
    for label in chain.from_iterable(lists):
        if SEPARATOR in label:
            raise DataError(
                f"the label {label!r} of {place} holds {SEPARATOR}, which joins several labels",
                "Name the labels without it.",
            )


def label_names(sets: Sequence[str]) -> tuple[str, ...]:
    """The labels that joined sets hold, sorted."""
    return tuple(sorted({label for each in sets for label in _split(each)}))


def label_matrix(sets: Sequence[str]) -> NDArray[np.bool_]:
    """Whether each joined set holds each of `label_names(sets)`, [sets, labels]."""
    column = {label: number for number, label in enumerate(label_names(sets))}
    matrix = np.zeros((len(sets), len(column)), dtype=bool)
    for row, each in enumerate(sets):
        matrix[row, [column[label] for label in _split(each)]] = True
    return matrix


def _split(joined_set: str) -> list[str]:
    """The labels of a joined set; none of an empty one."""
    return joined_set.split(SEPARATOR) if joined_set else []


class LabelSets(dict[str, NDArray[np.bool_]]):
    """Whether each image of a part has each label, [N, L], by part; made when it is asked for.

    Args:
        sets: The joined sets of labels of all parts.
        numbers: By part, the place in `sets` of the labels of each image, integers [N].
    """

    def __init__(self, sets: Sequence[str], numbers: Mapping[str, NDArray[np.int64]]) -> None:
        super().__init__()
        self.names = label_names(sets)
        self._matrix, self._numbers = label_matrix(sets), numbers

    def __missing__(self, part: str) -> NDArray[np.bool_]:
        """Makes and keeps the matrix of a part."""
        self[part] = made = self._matrix[self._numbers[part]]
        return made

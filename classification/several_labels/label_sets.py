"""Matrices of labels: what parts must share, and what can be learned of them."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from lowlabel.arrays import Labels
from lowlabel.classification.intervals import Units
from lowlabel.errors import InputError

Sets = NDArray[np.bool_]


def require_same_labels(parts: Mapping[str, Sets]) -> None:
    """Raises an `InputError` unless all parts have the same number of labels, and each has some.

    Args:
        parts: Whether each image has each label, by part.
    """
    (first, sets), *others = parts.items()
    for part, each in others:
        if each.shape[1] != sets.shape[1]:
            raise InputError(
                f"{first} labels have {sets.shape[1]} columns, {part} labels {each.shape[1]}",
                "Give every part the columns of all labels.",
            )
    for part, each in parts.items():
        if not each.any():
            raise InputError(f"none of the {len(each)} {part} images has a label")


def learnable(train: Sets) -> NDArray[np.bool_]:
    """Whether some train images have each label and some have not, [L]."""
    some, every = train.any(axis=0), train.all(axis=0)
    return np.asarray(some & ~every)


def require_learnable(train: Sets) -> NDArray[np.bool_]:
    """As `learnable`; an `InputError` if no label is."""
    learned = learnable(train)
    if not learned.any():
        raise InputError(
            f"nothing can be told apart: each label is that of all or none of the {len(train)} "
            "train images"
        )
    return learned


def rarest_labels(sets: Sets) -> NDArray[np.int64]:
    """The label of each image that fewest images have, the first of equal ones; −1 for none."""
    counts = np.where(sets, sets.sum(axis=0), len(sets) + 1)
    return np.where(sets.any(axis=1), counts.argmin(axis=1), -1)


def units_of(sets: Sets, groups: Labels | None, interval: str | None) -> Units:
    """Checks groups and interval of test images; images with the same labels are of one class."""
    _, code = np.unique(sets, axis=0, return_inverse=True)
    return Units.of(code.ravel(), groups, interval)
